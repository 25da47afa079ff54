#include "base/buf.h"
#include "base/mem.h"
#include "cli/opt.h"

/* Text as roff takes it: no line begins a request, a dash is a dash. */
static void roff(struct buf *b, const char *z)
{
	bool begins = true;

	for (; *z; z++) {
		if (begins && (*z == '.' || *z == '\''))
			buf_adds(b, "\\&");
		begins = *z == '\n';
		if (*z == '\\')
			buf_adds(b, "\\e");
		else if (*z == '-')
			buf_adds(b, "\\-");
		else
			buf_addc(b, *z);
	}
}

static void options(struct buf *b, const struct opt *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf left = { 0 };
		opt_usage(&o[i], &left);
		buf_adds(b, ".TP\n\\fB");
		roff(b, buf_str(&left));
		buf_adds(b, "\\fR\n");
		roff(b, tx(o[i].help));
		buf_addc(b, '\n');
	}
}

static void paragraphs(struct buf *b, const char *text)
{
	struct span rest = span_of(text);

	while (rest.n) {
		size_t end = span_find(rest, S("\n\n"));
		struct span part = span_head(rest, end);
		bool example = part.n && part.p[0] == ' ';
		CLEANUP(buf_free) struct buf z = { 0 };
		buf_span(&z, part);
		buf_adds(b, example ? ".PP\n.nf\n" : ".PP\n");
		roff(b, buf_str(&z));
		buf_adds(b, example ? "\n.fi\n" : "\n");
		rest = end == SPAN_NONE ? (struct span){ 0 } : span_from(rest, end + 2);
	}
}

static void topic(struct buf *b, const struct verb *v)
{
	const char *name;
	struct tx help;

	if (!v->topic_row)
		return;
	buf_adds(b, ".PP\n");
	roff(b, tx(v->topic));
	buf_addc(b, '\n');
	for (size_t i = 0; v->topic_row(i, &name, &help); i++) {
		buf_addf(b, ".TP\n\\fB%s\\fR\n", name);
		roff(b, tx(help));
		buf_addc(b, '\n');
	}
}

static void verb_section(struct buf *b, const struct verb *v)
{
	buf_adds(b, ".SS \"tocsin ");
	roff(b, v->name);
	buf_adds(b, v->n_opts ? TR(" [flags]", " [选项]") : "");
	if (v->args.en) {
		buf_addc(b, ' ');
		roff(b, tx(v->args));
	}
	buf_adds(b, "\"\n");
	roff(b, tx(v->brief));
	buf_addc(b, '\n');
	options(b, v->opts, v->n_opts);
	topic(b, v);
	if (v->text.en)
		paragraphs(b, tx(v->text));
}

struct row {
	const char *left;
	struct tx right;
};

static void rows(struct buf *b, const struct row *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_addf(b, ".TP\n\\fB%s\\fR\n", r[i].left);
		roff(b, tx(r[i].right));
		buf_addc(b, '\n');
	}
}

/* clang-format off */
static const struct row statuses[] = {
	{ "0", { "run: passed, or --on-fail record. explain: nothing wrong.", "run：通过，或使用了 --on-fail record。explain：没有问题。" } },
	{ "1", { "run: the command said 0, but the verdict is not passed. explain: something is wrong.",
		 "run：命令返回 0，但结论不是通过。explain：发现问题。" } },
	{ "2", { "wrong usage, or input that cannot be read", "用法错误，或输入无法读取" } },
	{ "124", { "run: --timeout or --stall was reached", "run：达到 --timeout 或 --stall 的限制" } },
	{ "125", { "Tocsin itself could not do its work", "Tocsin 自身无法工作" } },
	{ "126, 127", { "run: the command cannot be executed; was not found", "run：命令无法执行；找不到命令" } },
	{ "128+n", { "run: signal n ended the command", "run：命令被信号 n 终止" } },
};
/* clang-format on */

/* clang-format off */
static const struct row variables[] = {
	{ "TOCSIN_LANG", { "en or zh, before LC_ALL, LC_MESSAGES and LANG", "en 或 zh，优先于 LC_ALL、LC_MESSAGES 和 LANG" } },
	{ "TOCSIN_SHIM", { "off: do not watch nested go commands", "off：不监视内层 go 命令" } },
	{ "NO_COLOR", { "when not empty: no colours", "非空时：不使用颜色" } },
};
/* clang-format on */

void help_man(struct buf *ret)
{
	buf_adds(ret, ".TH TOCSIN 1 \"\" \"tocsin " TOCSIN_VERSION "\" \"\"\n.ad l\n.nh\n.SH ");
	buf_addf(ret, "%s\n%s\n.SH %s\n.B tocsin\n%s\n.SH %s\n", TR("NAME", "名称"),
		 TR("tocsin \\- run a Go command and tell what truly happened",
		    "tocsin \\- 运行 Go 命令并说出真实结果"),
		 TR("SYNOPSIS", "概要"), TR("COMMAND [flags] [arguments]", "命令 [选项] [参数]"),
		 TR("DESCRIPTION", "描述"));
	roff(ret,
	     TR("Tocsin supervises a command, judges what truly happened from what it wrote and how it and its "
		"nested go commands ended, says it so that a person can act, and returns an exit status that cannot lie.",
		"Tocsin 监督一个命令，根据其输出、退出方式及内层 go 命令的结果判断真实情况，给出可操作的说明，并返回不会撒谎的退出码。"));
	buf_addf(ret, "\n.SH %s\n", TR("COMMANDS", "命令"));
	for (size_t i = 0; i < verb_count; i++)
		verb_section(ret, verbs[i]);
	buf_addf(ret, ".SH %s\n", TR("FLAGS OF EVERY COMMAND", "通用选项"));
	options(ret, opt_common, opt_common_count);
	buf_addf(ret, ".SH %s\n", TR("EXIT STATUS", "退出状态"));
	rows(ret, statuses, ARRAY_LEN(statuses));
	buf_addf(ret, ".SH %s\n", TR("ENVIRONMENT", "环境变量"));
	rows(ret, variables, ARRAY_LEN(variables));
}
