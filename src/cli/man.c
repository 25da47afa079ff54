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

static void rows(struct buf *b, const struct opt_table *t)
{
	const char *name;
	struct tx help;

	for (size_t i = 0; t->row(i, &name, &help); i++) {
		buf_adds(b, ".TP\n\\fB");
		roff(b, name);
		buf_adds(b, "\\fR\n");
		roff(b, tx(help));
		buf_addc(b, '\n');
	}
}

static void tables(struct buf *b, const struct verb *v)
{
	for (size_t i = 0; i < v->n_tables; i++) {
		if (v->tables[i].once)
			continue;
		buf_adds(b, ".PP\n");
		roff(b, tx(v->tables[i].title));
		buf_addc(b, '\n');
		rows(b, &v->tables[i]);
	}
}

static void verb_section(struct buf *b, const struct verb *v)
{
	CLEANUP(buf_free) struct buf usage = { 0 };

	help_usage(v, &usage);
	buf_adds(b, ".SS \"");
	roff(b, buf_str(&usage));
	buf_adds(b, "\"\n");
	roff(b, tx(v->brief));
	buf_addc(b, '\n');
	options(b, v->opts, v->n_opts);
	tables(b, v);
	if (v->text.en)
		paragraphs(b, tx(v->text));
	for (size_t i = 0; v->subs && v->subs[i]; i++)
		verb_section(b, v->subs[i]);
}

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
	buf_addf(ret, ".SH %s\n", TR("EXIT STATUS OF RUN", "RUN 的退出状态"));
	rows(ret, &(struct opt_table){ .row = manual_status });
	buf_addf(ret, ".SH %s\n", TR("ENVIRONMENT", "环境变量"));
	rows(ret, &(struct opt_table){ .row = manual_variable });
	buf_addf(ret, ".SH %s\n", TR("FILES", "文件"));
	rows(ret, &(struct opt_table){ .row = manual_file });
	buf_addf(ret, ".SH %s\n", TR("CONFIGURATION", "配置"));
	rows(ret, &(struct opt_table){ .row = manual_key });
}
