#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/checked.h"
#include "cli/cmd.h"
#include "cli/probing.h"
#include "probe/against.h"
#include "probe/diff.h"
#include "probe/expect.h"
#include "probe/sbom.h"

/* `probe`: what is really in that binary or process, and is it what was meant to be deployed. */

#define SHOWN 12 /* differences of one kind */

struct probe_values {
	struct checked_values checked; /* must stand first */
	bool build_info, packages, init, files, embed, modules, hashes, diff, all, anywhere;
	const char *functions, *arch, *against, *serve, *output;
	int sbom;
	int64_t port;
	struct opt_list expect, plugins;
};

/* One binary and all that was asked of it. */
struct probing {
	const struct probe_values *o;
	struct probe p, other; /* other: of --diff */
	struct probe_view view;
	struct expect expect;
	struct changes changes;
	const char *names[2]; /* of --diff */
};

extern const struct verb verb_probe;

static int fail(int r, const struct err *e)
{
	say_error("%s", e->msg);
	return r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
}

/* ---- one binary ---- */

static void binary_json(void *ctx, struct json_out *j)
{
	struct probing *w = ctx;

	show_probe_json(&w->p, &w->view, j);
	if (w->expect.n) {
		json_key(j, "expectations");
		expect_json(&w->expect, j);
	}
	if (w->o->against) {
		json_key(j, "against");
		changes_json(&w->changes, j);
	}
}

static void binary_text(void *ctx, const struct term *t, struct buf *b)
{
	struct probing *w = ctx;

	show_probe_text(&w->p, &w->view, t, b);
	buf_addc(b, '\n');
}

static const char *all_fine(struct probing *w, struct report *r)
{
	if (w->expect.n && w->o->against)
		return report_text(r,
				   TR("as expected (%zu expectations), and as the source tree says",
				      "符合预期（%zu 项），且与源代码一致"),
				   w->expect.n)
			.p;
	if (w->expect.n)
		return report_text(r, TR("as expected: all %zu hold", "符合预期：全部 %zu 项成立"),
				   w->expect.n)
			.p;
	return TR("no difference from the source tree, as far as can be told",
		  "在可知范围内与源代码没有差异");
}

static int check_plugins(struct probing *w, struct report *r, struct err *e)
{
	int n = 0;

	for (size_t i = 0; i < w->o->plugins.n && n >= 0; i++) {
		CLEANUP(probe_free) struct probe plugin = { 0 };
		n = probe_file(w->o->plugins.v[i], NULL, &plugin, e);
		if (n == 0)
			n = plugin_check(&w->p, &plugin, w->o->plugins.v[i], r);
		if (n == -ENOMEM)
			err_set(e, ENOMEM, TR("no memory", "内存不足"));
	}
	return n < 0 ? n : 0;
}

static int check_binary(struct probing *w, struct checked *out, struct err *e)
{
	int r = expect_judge(&w->expect, &w->p, &out->report, e);

	if (r == 0)
		r = check_plugins(w, &out->report, e);
	if (r == 0 && w->o->against)
		r = against_tree(&w->p, w->o->against, &w->changes, &out->report, e);
	return r;
}

static int write_sbom(const struct probing *w)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct stat st = { 0 };
	struct err e = { 0 };
	struct term t;

	stat(w->view.file, &st);
	int r = sbom_write(&w->p, w->o->sbom, w->view.file, (int64_t)st.st_mtim.tv_sec * NSEC_PER_SEC, &text,
			   &e);
	if (r < 0)
		return fail(r, &e);
	if (w->o->output && !names_stdout(w->o->output)) {
		r = file_replace(w->o->output, buf_view(&text), &e);
		return r < 0 ? (say_error("%s", e.msg), EXIT_OWN) : EXIT_OK;
	}
	term_open(&t, STDOUT_FILENO);
	term_flush(&t, &text);
	return t.dead && !t.gone ? EXIT_OWN : EXIT_OK;
}

static int show_binary(struct probing *w, bool sbom)
{
	struct checked out = { .schema = "tocsin.probe/1",
			       .modules = -1,
			       .packages = -1,
			       .files = -1,
			       .bytes = -1,
			       .json = binary_json,
			       .before = binary_text,
			       .ctx = w };
	bool code = w->view.functions || w->expect.n || w->o->against || w->o->plugins.n;
	struct probe_options how = { .build_only = (w->o->build_info && !code) || sbom, .arch = w->o->arch };
	struct err e = { 0 };

	w->view.build_only = how.build_only;
	int r = probe_file(w->view.file, &how, &w->p, &e);
	if (r < 0)
		return fail(r, &e);
	if (sbom)
		return write_sbom(w);
	r = check_binary(w, &out, &e);
	if (r < 0) {
		report_free(&out.report);
		return fail(r, &e);
	}
	out.quiet = !w->expect.n && !w->o->against && !w->o->plugins.n;
	out.fine = out.quiet                      ? NULL
		   : w->expect.n || w->o->against ? all_fine(w, &out.report)
						  : TR("the plugins will load", "插件可以加载");
	return checked_end(&out, &w->o->checked);
}

/* ---- two ---- */

static void diff_json(void *ctx, struct json_out *j)
{
	struct probing *w = ctx;

	json_member_strz(j, "before", w->names[0]);
	json_member_strz(j, "after", w->names[1]);
	json_key(j, "changes");
	changes_json(&w->changes, j);
}

static void diff_text(void *ctx, const struct term *t, struct buf *b)
{
	struct probing *w = ctx;

	show_changes(&w->changes, w->names[0], w->names[1], SHOWN, t, b);
}

static int show_diff(struct probing *w, const struct args *a)
{
	struct checked out = { .schema = "tocsin.probe/1",
			       .modules = -1,
			       .packages = -1,
			       .files = -1,
			       .bytes = -1,
			       .quiet = true,
			       .json = diff_json,
			       .before = diff_text,
			       .ctx = w };
	struct probe_options how = { .build_only = w->o->build_info, .arch = w->o->arch };
	struct err e = { 0 };

	w->names[0] = a->v[0];
	w->names[1] = a->v[1];
	int r = probe_file(a->v[0], &how, &w->p, &e);
	if (r == 0)
		r = probe_file(a->v[1], &how, &w->other, &e);
	if (r == 0)
		r = probe_diff(&w->p, &w->other, &w->changes, &e);
	return r < 0 ? fail(r, &e) : checked_end(&out, &w->o->checked);
}

/* ---- which of them ---- */

/* A number is a process, unless a file has that name. */
static int pid_of(const char *word)
{
	int64_t n;

	return span_int(span_of(word), &n) && n > 0 && n <= INT32_MAX && access(word, F_OK) != 0 ? (int)n : 0;
}

static const char *wrong_use(const struct probe_values *o, const struct args *a, bool sbom)
{
	bool process = o->all || o->port || (a->n == 1 && pid_of(a->v[0]));

	if ((o->all || o->port) && (a->n || (o->all && o->port)))
		return TR("--all, --port N, a PID or a binary: one of them",
			  "--all、--port N、PID、二进制文件：只能选一种");
	if (o->all && o->expect.n)
		return TR("--expect is of one binary or process, not of --all",
			  "--expect 用于一个二进制或进程，不能与 --all 同用");
	if (o->diff && a->n != 2)
		return TR("--diff needs two binaries: tocsin probe --diff OLD NEW",
			  "--diff 需要两个二进制：tocsin probe --diff 旧 新");
	if (o->diff && (o->expect.n || o->against || sbom || o->plugins.n))
		return TR("--diff stands alone", "--diff 不能与其他检查同用");
	if (o->serve && (!process || !a->n || !o->expect.n))
		return TR(
			"--serve needs a PID and --expect: tocsin probe --serve :9100 --expect expect.yaml PID",
			"--serve 需要 PID 和 --expect：tocsin probe --serve :9100 --expect expect.yaml PID");
	if (o->serve && (o->all || o->port || o->functions || o->against || o->checked.json || o->checked.sarif))
		return TR("--serve answers for one PID with what --expect says, and nothing else",
			  "--serve 只按 --expect 回答一个 PID，不能与其他选项同用");
	if (sbom && (process || o->expect.n || o->against || o->checked.json))
		return TR("--sbom is of a binary, and stands alone",
			  "--sbom 只用于二进制，且不能与其他检查同用");
	if (process && o->plugins.n)
		return TR("--plugin is of a host binary", "--plugin 用于宿主二进制");
	if (!process && !o->diff && a->n != 1)
		return TR("which binary or process? For example: tocsin probe ./server",
			  "哪个二进制或进程？例如：tocsin probe ./server");
	if (o->output && !sbom)
		return TR("--output is of --sbom", "--output 用于 --sbom");
	return NULL;
}

static int route(struct probing *w, const struct args *a, bool sbom)
{
	const struct probe_values *o = w->o;
	struct process_ask ask = { .checked = &o->checked,
				   .expect = &w->expect,
				   .view = w->view,
				   .tree = o->against,
				   .port = (int)o->port,
				   .all = o->all,
				   .pid = a->n == 1 ? pid_of(a->v[0]) : 0 };

	if (o->diff)
		return show_diff(w, a);
	if (o->serve)
		return probe_serve(&w->expect, o->serve, o->anywhere, ask.pid);
	if (ask.all || ask.port || ask.pid)
		return probe_processes(&ask);
	w->view.file = a->v[0];
	return show_binary(w, sbom);
}

static int run(void *values, const struct args *a)
{
	const struct probe_values *o = values;
	struct probing w = { .o = o };
	struct name_filter *f = NULL;
	struct err e = { 0 };
	bool sbom = opt_given(&verb_probe, a, "sbom");
	int r = 0;

	const char *wrong = o->port > 65535 ? TR("--port: 1 to 65535", "--port：1 到 65535")
					    : wrong_use(o, a, sbom);
	if (wrong)
		return say_usage("probe", wrong);
	for (size_t i = 0; i < o->expect.n && r == 0; i++)
		r = expect_add(&w.expect, o->expect.v[i], &e);
	if (r == 0 && o->functions)
		r = name_filter_new("--functions", o->functions, &f, &e);
	if (r < 0) {
		expect_free(&w.expect);
		return fail(r, &e);
	}
	w.view.functions = f;
	w.view.lists = (o->packages ? LIST_PACKAGES : 0) | (o->init ? LIST_INIT : 0) |
		       (o->files ? LIST_FILES : 0) | (o->embed ? LIST_EMBED : 0) |
		       (o->modules ? LIST_MODULES : 0) | (o->hashes ? LIST_HASHES : 0);
	r = route(&w, a, sbom);
	expect_free(&w.expect);
	changes_free(&w.changes);
	probe_free(&w.p);
	probe_free(&w.other);
	name_filter_free(f);
	return r;
}

#define AT(field) offsetof(struct probe_values, field)
/* clang-format off */
#define NO_ARG { NULL, NULL }
static const struct opt opts[] = {
	{ "functions", 0, OPT_STRING, AT(functions), { "RE", "正则" }, { "list the functions whose names match: linked, or only inlined", "列出名称匹配的函数：已链接或仅内联" }, NULL, 0 },
	{ "packages", 0, OPT_FLAG, AT(packages), NO_ARG, { "list the packages with code in it", "列出含有代码的包" }, NULL, 0 },
	{ "modules", 0, OPT_FLAG, AT(modules), NO_ARG, { "list the modules", "列出模块" }, NULL, 0 },
	{ "files", 0, OPT_FLAG, AT(files), NO_ARG, { "list the source files that gave code", "列出产生代码的源文件" }, NULL, 0 },
	{ "init", 0, OPT_FLAG, AT(init), NO_ARG, { "list the packages that are initialised, in their order", "按顺序列出要初始化的包" }, NULL, 0 },
	{ "embed", 0, OPT_FLAG, AT(embed), NO_ARG, { "list the files of each embed.FS with their hashes", "列出各 embed.FS 的文件及哈希" }, NULL, 0 },
	{ "hashes", 0, OPT_FLAG, AT(hashes), NO_ARG, { "list the package hashes of a plugin or its host", "列出插件或宿主的包哈希" }, NULL, 0 },
	{ "build-info", 0, OPT_FLAG, AT(build_info), NO_ARG, { "read build info, build IDs and hardening alone", "只读取构建信息、构建 ID 和加固情况" }, NULL, 0 },
	{ "arch", 0, OPT_STRING, AT(arch), { "GOARCH", "GOARCH" }, { "which part of a fat Mach-O binary", "胖 Mach-O 二进制中的哪一部分" }, NULL, 0 },
	{ "expect", 0, OPT_LIST, AT(expect), { "FILE|WORD", "文件|预期" }, { "what must hold (see below); may be repeated", "必须成立的预期（见下文）；可重复" }, NULL, 0 },
	{ "against", 0, OPT_INPUT, AT(against), { "DIR|go.mod", "目录|go.mod" }, { "everything that differs from this source tree is a finding", "与此源代码的每处差异都是一个发现" }, NULL, 0 },
	{ "plugin", 0, OPT_LIST, AT(plugins), { "FILE", "文件" }, { "will the host BINARY load this plugin? May be repeated", "宿主程序能否加载此插件？可重复" }, NULL, 0 },
	{ "diff", 0, OPT_FLAG, AT(diff), NO_ARG, { "what changed from the first binary to the second", "第一个二进制到第二个的变化" }, NULL, 0 },
	{ "sbom", 0, OPT_WORD, AT(sbom), { "FORMAT", "格式" }, { "write what it is made of: cyclonedx (1.6) or spdx (2.3), as JSON", "输出物料清单：cyclonedx（1.6）或 spdx（2.3），JSON 格式" }, sbom_names, 0 },
	{ "output", 'o', OPT_FILE, AT(output), { "FILE", "文件" }, { "where --sbom writes it (standard output)", "--sbom 的输出文件（默认标准输出）" }, NULL, 0 },
	{ "all", 0, OPT_FLAG, AT(all), NO_ARG, { "every Go process of this machine", "本机的每个 Go 进程" }, NULL, 0 },
	{ "port", 0, OPT_INT, AT(port), { "N", "N" }, { "the processes that listen on this TCP port", "监听此 TCP 端口的进程" }, NULL, 0 },
	{ "serve", 0, OPT_STRING, AT(serve), { "ADDR", "地址" }, { "answer over HTTP whether the process is as --expect says: 200, or 503 with the findings", "通过 HTTP 回答进程是否符合 --expect：200，或 503 及发现" }, NULL, 0 },
	{ "serve-anywhere", 0, OPT_FLAG, AT(anywhere), NO_ARG, { "--serve may be an address that other machines reach", "--serve 可以是其他机器能访问的地址" }, NULL, 0 },
	CHECKED_OPTS,
};

const struct verb verb_probe = {
	.name = "probe",
	.args = { "BINARY|PID", "二进制文件|PID" },
	.brief = { "what is really in that binary or process, and is it what was meant", "二进制或进程中究竟有什么，是否符合预期" },
	.text = { "Reads ELF, Mach-O and PE binaries that Go 1.16 to 1.27 linked, stripped ones too; nothing of them is run. What is absent is listed, with the reason.\n\n"
		  "  tocsin probe ./server\n"
		  "  tocsin probe --functions 'Handler' --packages ./server\n"
		  "  tocsin probe --diff old/server new/server\n"
		  "  tocsin probe --sbom cyclonedx -o bom.json ./server\n\n"
		  "A function is linked, only inlined, or not found. Not found proves nothing by itself: it may have become nothing, or constants.\n\n"
		  "--expect takes a file, or one of these words: go:1.26.8 path:PACKAGE version:V revision:HEX clean tags:a,b setting:KEY=VALUE module:PATH@VERSION func:PATTERN "
		  "package:PATTERN embed:NAME=SHA256 no-devel no-replace build-id:ID plugin:FILE. In versions >= > <= < != may stand in front (module:PATH@absent: it must not be there); in "
		  "patterns * and ? stand for others. A file is YAML with the keys go, path, version, revision, clean, tags, settings, modules, functions, packages, embeds, no_devel, "
		  "no_replace, build_id, plugins; `binary` names the binary for `tocsin run --require-active`; what is below `warn` gives warnings.\n\n"
		  "  tocsin probe --expect func:main.serve --expect clean ./server\n"
		  "  tocsin probe --against . ./server\n\n"
		  "Of a process: the executable that runs beside the file at its path now, start, environment, ports, build. A file that was replaced is act.stale_process.\n\n"
		  "  tocsin probe --all\n"
		  "  tocsin probe --port 8080\n"
		  "  tocsin probe --serve :9100 --expect expect.yaml 4711\n\n"
		  "Exit status: 0 nothing wrong; 1 something is not as expected, or an older binary runs; 2 wrong usage or unreadable input; 125 Tocsin's own failure.",
		  "读取由 Go 1.16 至 1.27 链接的 ELF、Mach-O 和 PE 二进制，去除符号的也可以；不会运行其中任何代码。缺少的内容会列出并说明原因。\n\n"
		  "  tocsin probe ./server\n"
		  "  tocsin probe --functions 'Handler' --packages ./server\n"
		  "  tocsin probe --diff old/server new/server\n"
		  "  tocsin probe --sbom cyclonedx -o bom.json ./server\n\n"
		  "函数的状态为已链接、仅内联或未找到。未找到本身不能证明什么：它可能被优化为空或常量。\n\n"
		  "--expect 接受文件，或以下词语之一：go:1.26.8 path:包 version:版本 revision:十六进制 clean tags:a,b setting:键=值 module:路径@版本 func:模式 package:模式 embed:名称=SHA256 no-devel "
		  "no-replace build-id:ID plugin:文件。版本前可写 >= > <= < !=（module:路径@absent：不得存在）；模式中 * 和 ? 代表其他字符。文件为 YAML，键有 go、path、version、revision、clean、tags、"
		  "settings、modules、functions、packages、embeds、no_devel、no_replace、build_id、plugins；`binary` 指定 `tocsin run --require-active` 的二进制；`warn` 之下的预期只产生警告。\n\n"
		  "  tocsin probe --expect func:main.serve --expect clean ./server\n"
		  "  tocsin probe --against . ./server\n\n"
		  "对进程：正在运行的可执行文件与其路径上现有文件的对照、启动时间、环境变量、端口、构建。文件已被替换即为 act.stale_process。\n\n"
		  "  tocsin probe --all\n"
		  "  tocsin probe --port 8080\n"
		  "  tocsin probe --serve :9100 --expect expect.yaml 4711\n\n"
		  "退出状态：0 没有问题；1 与预期不符，或正在运行旧程序；2 用法错误或输入无法读取；125 Tocsin 自身故障。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct probe_values),
	.files = true,
	.run = run,
};
/* clang-format on */
