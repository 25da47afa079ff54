#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/say.h"
#include "run/run.h"

/* help, completion, version, allow: the verbs that only speak about others. */

struct help_values {
	bool man;
};

static const char *const *verb_names(void)
{
	static const char *names[32];

	for (size_t i = 0; i < verb_count && i + 1 < ARRAY_LEN(names); i++)
		names[i] = verbs[i]->name;
	return names;
}

static const char *const *shell_names(void)
{
	return completion_shells;
}

static int print(struct buf *text)
{
	struct term out;

	term_open(&out, STDOUT_FILENO);
	if (text->bad)
		say_error(TR("no memory", "内存不足"));
	term_flush(&out, text);
	return text->bad || out.dead ? 125 : 0;
}

static int run_help(void *values, const struct args *a)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct help_values *o = values;
	struct term out;
	struct err e;

	term_open(&out, STDOUT_FILENO);
	const struct verb *v = a->n ? verb_find(a->v[0]) : NULL;
	if (a->n > (v && v->subs ? 2 : 1))
		return say_usage("help", TR("one command at a time", "一次只能查看一个命令"));
	if (a->n && !v) {
		verb_unknown(NULL, a->v[0], &e);
		return say_usage(NULL, e.msg);
	}
	if (a->n > 1 && !verb_sub(v, a->v[1])) {
		verb_unknown(v, a->v[1], &e);
		return say_usage(v->name, e.msg);
	}
	if (a->n > 1)
		v = verb_sub(v, a->v[1]);
	if (o->man)
		help_man(&text);
	else if (v)
		help_verb(v, &text, out.width);
	else
		help_all(&text, out.width);
	return print(&text);
}

/* clang-format off */
static const struct opt help_opts[] = {
	{ "man", 0, OPT_FLAG, offsetof(struct help_values, man), { NULL, NULL },
	  { "write the manual page (roff): tocsin help --man > tocsin.1", "输出手册页（roff）：tocsin help --man > tocsin.1" }, NULL, 0 },
};
/* clang-format on */

const struct verb verb_help = {
	.name = "help",
	.args = { "[COMMAND]", "[命令]" },
	.brief = { "explain a command", "说明某个命令的用法" },
	.opts = help_opts,
	.n_opts = ARRAY_LEN(help_opts),
	.size = sizeof(struct help_values),
	.words = verb_names,
	.run = run_help,
};

static int run_completion(void *values, const struct args *a)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char hint[128], msg[256];

	if (a->n != 1)
		return say_usage("completion",
				 TR("which shell? bash, zsh or fish", "哪种 shell？bash、zsh 或 fish"));
	if (help_completion(a->v[0], &text))
		return print(&text);
	snprintf(msg, sizeof(msg), TR("no completion for '%.40s'%s", "没有“%.40s”的补全%s"), a->v[0],
		 opt_hint(a->v[0], completion_shells, 3, "", hint));
	return say_usage("completion", msg);
}

const struct verb verb_completion = {
	.name = "completion",
	.args = { "bash|zsh|fish", "bash|zsh|fish" },
	.brief = { "print the completion script of a shell", "输出 shell 的补全脚本" },
	.text = { "  bash: tocsin completion bash > /etc/bash_completion.d/tocsin\n"
		  "  zsh:  tocsin completion zsh > \"${fpath[1]}/_tocsin\"\n"
		  "  fish: tocsin completion fish > ~/.config/fish/completions/tocsin.fish",
		  "  bash: tocsin completion bash > /etc/bash_completion.d/tocsin\n"
		  "  zsh:  tocsin completion zsh > \"${fpath[1]}/_tocsin\"\n"
		  "  fish: tocsin completion fish > ~/.config/fish/completions/tocsin.fish" },
	.words = shell_names,
	.run = run_completion,
};

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CHECKED ", AddressSanitizer"
#else
#define CHECKED ""
#endif

static int run_version(void *values, const struct args *a)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char pcre[64] = "?";

	if (a->n)
		return say_usage("version", TR("version takes no arguments", "version 不带参数"));
	pcre2_config(PCRE2_CONFIG_VERSION, pcre);
	buf_addf(&text, "tocsin %s\n", TOCSIN_VERSION);
	buf_addf(&text, TR("built with: %s%s\n", "构建工具：%s%s\n"), COMPILER, CHECKED);
	buf_addf(&text, TR("libraries: PCRE2 %s; zstd %s; zlib %s\n", "所用库：PCRE2 %s；zstd %s；zlib %s\n"),
		 pcre, ZSTD_versionString(), zlibVersion());
	buf_addf(&text, TR("report schema: %s\n", "报告格式：%s\n"), "tocsin.report/1");
	return print(&text);
}

const struct verb verb_version = {
	.name = "version",
	.brief = { "say the version and what it was built with", "显示版本和所用的库" },
	.run = run_version,
};

static int run_allow(void *values, const struct args *a)
{
	struct argv cmd = { a->v, a->n };
	struct err e;

	if (!a->n)
		return say_usage("allow", TR("no command. For example: tocsin allow -- go vet ./...",
					     "缺少命令。例如：tocsin allow -- go vet ./..."));
	int r = allow_exec(&cmd, &e);
	if (r < 0) {
		say_error("%s", e.msg);
		return 125;
	}
	return r;
}

const struct verb verb_allow = {
	.name = "allow",
	.args = { "[--] COMMAND [ARG…]", "[--] 命令 [参数…]" },
	.brief = { "run a command whose failure may go unseen inside tocsin run",
		   "运行一个在 tocsin run 内允许失败的命令" },
	.text = { "For a line of a script or Makefile that may fail on purpose: its failure is not reported as masked. Its own "
		  "exit status is passed on. Outside of tocsin run it just runs the command.\n\n"
		  "  tocsin allow -- go vet ./... || true",
		  "用于脚本或 Makefile 中允许失败的一行：其失败不会被报告为“被掩盖”。命令的退出码原样返回。在 tocsin run 之外，它只是运行该命令。\n\n"
		  "  tocsin allow -- go vet ./... || true" },
	.command = true,
	.run = run_allow,
};
