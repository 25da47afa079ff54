#include "base/mem.h"
#include "cli/opt.h"
#include "config/config.h"

/* Tables for people that belong to no flag: the help of `run` and the manual page are made from them. */

struct row {
	const char *left;
	struct tx right;
};

/* clang-format off */
static const struct row statuses[] = {
	{ "0", { "the command said 0 and the verdict is passed (empty and unstable too, without --strict), --on-fail record, or --quarantine "
		 "and all that failed is in it",
		 "命令返回 0 且结论为通过（不带 --strict 时也包括 empty 和 unstable），或使用了 --on-fail record，或使用了 --quarantine 且失败的都在隔离名单中" } },
	{ "1", { "the command said 0, but the verdict is not passed (empty and unstable only under --strict)",
		 "命令返回 0，但结论不是通过（empty 和 unstable 仅在 --strict 下）" } },
	{ "2", { "wrong usage", "用法错误" } },
	{ "124", { "--timeout or --stall was reached", "达到 --timeout 或 --stall 的限制" } },
	{ "125", { "Tocsin itself could not do its work", "Tocsin 自身无法工作" } },
	{ "126", { "the command cannot be executed", "命令无法执行" } },
	{ "127", { "the command was not found", "找不到命令" } },
	{ "128+n", { "signal n ended the command", "命令被信号 n 终止" } },
	{ "…", { "the command's own status, of the last attempt, when it is not 0", "最后一次尝试中命令自身的非零退出码" } },
};

static const struct row variables[] = {
	{ "TOCSIN_LANG", { "en or zh; else LC_ALL, LC_MESSAGES, LANG", "en 或 zh；否则依次取 LC_ALL、LC_MESSAGES、LANG" } },
	{ "TOCSIN_SHIM", { "off: PATH is left alone and nested go commands are not watched", "off：不改动 PATH，不监视内层 go 命令" } },
	{ "TOCSIN_ALLOW", { "1: what go commands below return may go unseen; `tocsin allow` sets it", "1：其下的 go 命令允许失败而不报告；由 `tocsin allow` 设置" } },
	{ "TOCSIN_RUN", { "set for the command: where its go commands report to, the innermost run first. Who clears it (env -i) hides them",
			  "为命令设置：内层 go 命令向何处报告，最内层的运行在前。清除它（env -i）后它们将不被记录" } },
	{ "TOCSIN_PAST", { "set for a go that is itself a wrapper (a version manager): which file it may step over, so that the two do not start each "
			   "other for ever",
			   "当 go 本身是包装程序（版本管理器）时设置：它可以越过哪个文件，以免两者无休止地互相启动" } },
	{ "TOCSIN_PANICS", { "set under --panics: the file to which the overlay writes", "使用 --panics 时设置：overlay 写入的文件" } },
	{ "TOCSIN_CI_REPO", { "and _BRANCH, _COMMIT, _JOB, _RUN_ID, _URL, _ACTOR, _PR: stand in the report instead of what the CI system's own variables "
			      "(GITHUB_…, GITLAB_CI and CI_…, …) say",
			      "以及 _BRANCH、_COMMIT、_JOB、_RUN_ID、_URL、_ACTOR、_PR：在报告中代替 CI 系统自身变量（GITHUB_…、GITLAB_CI 与 CI_… 等）的值" } },
	{ "TOCSIN_CONFIG", { "the configuration file that comes first and is trusted; --config wins over it", "优先且受信任的配置文件；--config 优先于它" } },
	{ "XDG_CONFIG_HOME", { "its folder tocsin (else ~/.config/tocsin) has the user's tocsin.yaml", "其中的 tocsin 目录（否则 ~/.config/tocsin）存放用户的 tocsin.yaml" } },
	{ "TOCSIN_STORE", { "the fault library; --store wins over it, and it over tocsin.yaml", "故障库；--store 优先于它，它优先于 tocsin.yaml" } },
	{ "TOCSIN_OUTBOX", { "the local file that keeps the alerts owed (else the user's own fault library)", "保存待发告警的本地文件（否则为用户自己的故障库）" } },
	{ "TOCSIN_USER", { "who changes a fault, where --by does not say it (else the CI actor, GIT_AUTHOR_NAME, USER)", "未用 --by 说明时由谁修改故障（否则为 CI 操作者、GIT_AUTHOR_NAME、USER）" } },
	{ "XDG_STATE_HOME", { "its folder tocsin (else ~/.local/state/tocsin) has the user's own fault library and the runs that wait for it",
			      "其中的 tocsin 目录（否则 ~/.local/state/tocsin）存放用户自己的故障库和等待补录的运行" } },
	{ "NO_COLOR", { "when not empty: no colours", "非空时：不使用颜色" } },
	{ "TERM", { "dumb: no colours and no live view", "dumb：不使用颜色和实时视图" } },
	{ "COLUMNS, LINES", { "the size of the terminal of --pty", "--pty 所用终端的大小" } },
	{ "PATH", { "where the command and the real go are found", "在其中查找命令和真正的 go" } },
	{ "XDG_CACHE_HOME", { "its folder tocsin (else ~/.cache/tocsin, else /tmp/tocsin-UID) keeps the stand-in for go and the overlays of --panics",
			      "其中的 tocsin 目录（否则 ~/.cache/tocsin，再否则 /tmp/tocsin-UID）存放 go 的替身和 --panics 的 overlay" } },
	{ "TMPDIR", { "for the temporary files of --junit and --panics (/tmp)", "--junit 和 --panics 的临时文件所在目录（/tmp）" } },
	{ "GOFLAGS, GO…", { "GOENV (and XDG_CONFIG_HOME), GOFLAGS, GOOS, GOARCH, GOROOT, GOTOOLCHAIN, GOWORK, GO111MODULE: read as go reads them, to know which go "
			    "runs and what for",
			    "GOENV（及 XDG_CONFIG_HOME）、GOFLAGS、GOOS、GOARCH、GOROOT、GOTOOLCHAIN、GOWORK、GO111MODULE：与 go 相同的方式读取，以判断运行的是哪个 go、目标平台为何" } },
};

static const struct row files[] = {
	{ "tocsin.yaml", { "the project's configuration: the nearest from the working directory up to the root of the repository",
			   "项目的配置：从工作目录向上直到仓库根目录，取最近的一个" } },
	{ "~/.config/tocsin/tocsin.yaml", { "the user's, below $XDG_CONFIG_HOME when that is set", "用户的配置；设置了 $XDG_CONFIG_HOME 时在其下" } },
	{ "/etc/tocsin/tocsin.yaml", { "the machine's", "本机的配置" } },
};
/* clang-format on */

static bool row_at(const struct row *rows, size_t n, size_t i, const char **name, struct tx *help)
{
	if (i >= n)
		return false;
	*name = rows[i].left;
	*help = rows[i].right;
	return true;
}

bool manual_status(size_t i, const char **name, struct tx *help)
{
	return row_at(statuses, ARRAY_LEN(statuses), i, name, help);
}

bool manual_variable(size_t i, const char **name, struct tx *help)
{
	return row_at(variables, ARRAY_LEN(variables), i, name, help);
}

bool manual_file(size_t i, const char **name, struct tx *help)
{
	return row_at(files, ARRAY_LEN(files), i, name, help);
}

bool manual_key(size_t i, const char **name, struct tx *help)
{
	if (i >= CFG_KEYS)
		return false;
	*name = config_keys[i].path;
	*help = config_keys[i].doc;
	return true;
}
