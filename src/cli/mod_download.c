#include <stdlib.h>

#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/modding.h"
#include "cli/modules.h"

static int download(void *values, const struct args *a)
{
	struct run_values *o = values;
	const char **v = mem_alloc((a->n + 4) * sizeof(*v));
	struct args go = { .v = v, .n = a->n + 3, .dashes = true, .given = a->given };

	if (!v) {
		say_error(TR("no memory", "内存不足"));
		return EXIT_OWN;
	}
	v[0] = "go";
	v[1] = "mod";
	v[2] = "download";
	if (a->n)
		memcpy(v + 3, a->v, a->n * sizeof(*v));
	v[go.n] = NULL;
	o->modules = true;
	int r = run_verb(&verb_mod_download, o, &go);
	mem_free(v);
	return r;
}

static const struct opt_table tables[] = {
	{ { "Exit status:", "退出状态：" }, manual_status, 10, true },
};

const struct verb verb_mod_download = {
	.name = "mod download",
	.args = { "[--] [ARG…]", "[--] [参数…]" },
	.brief = { "go mod download that survives a bad network and stops at a wrong hash",
		   "能应对网络故障、遇到哈希不符即停止的 go mod download" },
	.text = { "Runs the real `go mod download`; what stands behind -- is its own. When it fails, the cause decides:\n\n"
		  "Transient: the same again, up to --retry times (3), after a delay that doubles and is random. Another proxy may help: GOPROXY of the retry begins with "
		  "the mirrors (--mirror, `mirrors:` in tocsin.yaml, and entries of GOPROXY that would be asked anyway), joined by |, and ends as it was. A download of which "
		  "nothing comes for 60s (or --stall) is ended: go itself waits for ever. When no proxy helps, it is tried once more from the module cache alone "
		  "(of commands that build: from vendor/ first). A setting, a missing file, a full disk: not tried again.\n\n"
		  "A wrong hash, or a checksum database that contradicts itself, is a security stop: never tried again. What go said is kept in a file, the proxies that may know the "
		  "module are asked for the same version, and the finding says who differs from go.sum.\n\n"
		  "A module that GOPRIVATE, GONOPROXY or GONOSUMDB matches is never asked of a mirror. No mirror is used at all where GOPROXY serves private modules, begins with direct, or is off.\n\n"
		  "The report has all of it under `modules`: each attempt with module, address, status and the setting that decides; who served which module. A download that failed first and then "
		  "came is `unstable`, exit status 0 (1 under --strict).\n\n"
		  "  tocsin mod download\n"
		  "  tocsin mod download --mirror https://goproxy.cn --report report.json\n"
		  "  tocsin run --modules -- go build ./...",
		  "运行真正的 `go mod download`；-- 之后是它自己的参数。失败时由原因决定做什么：\n\n"
		  "暂时性原因：原样重试，最多 --retry 次（3），间隔随机并逐次加倍。换代理可能有效：重试时 GOPROXY 以镜像开头（--mirror、tocsin.yaml 的 `mirrors:`，以及 GOPROXY "
		  "中本来就会询问的条目），用 | 连接，末尾保持原样。60s（或 --stall）内没有任何数据的下载会被结束：go 自己会永远等待。所有代理都无效时，再仅从模块缓存尝试一次（构建命令先用 "
		  "vendor/）。设置有误、缺少文件、磁盘已满：不重试。\n\n"
		  "哈希不符或校验和数据库自相矛盾是安全停止：从不重试。go 的输出保存到文件，并向可以知道该模块的代理询问同一版本，在发现中指出谁与 go.sum 不符。\n\n"
		  "GOPRIVATE、GONOPROXY、GONOSUMDB 匹配的模块从不向镜像询问。GOPROXY 提供私有模块、以 direct 开头或为 off 时完全不使用镜像。\n\n"
		  "报告的 `modules` 中有全部经过：每次尝试的模块、地址、状态和起决定作用的设置；每个模块由谁提供。先失败后成功的下载为 `unstable`，退出码 0（--strict 时为 1）。\n\n"
		  "  tocsin mod download\n"
		  "  tocsin mod download --mirror https://goproxy.cn --report report.json\n"
		  "  tocsin run --modules -- go build ./..." },
	.opts = run_opts,
	.n_opts = RUN_OPTS_COMMON,
	.size = sizeof(struct run_values),
	.command = true,
	.tables = tables,
	.n_tables = ARRAY_LEN(tables),
	.run = download,
};
