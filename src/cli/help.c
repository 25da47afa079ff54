#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/opt.h"
#include "cli/say.h"

#define MAX_WIDTH  100
#define OPT_COLUMN 28

void opt_usage(const struct opt *o, struct buf *ret)
{
	if (o->letter)
		buf_addf(ret, "-%c, ", o->letter);
	buf_addf(ret, "--%s", o->name);
	if (o->type == OPT_MAYBE)
		buf_addf(ret, "[=%s]", tx(o->arg));
	else if (o->arg.en)
		buf_addf(ret, " %s", tx(o->arg));
}

void help_usage(const struct verb *v, struct buf *ret)
{
	buf_addf(ret, "tocsin %s%s%s%s", v->name, v->n_opts ? TR(" [flags]", " [选项]") : "",
		 v->args.en || v->subs ? " " : "",
		 v->subs      ? TR("COMMAND [flags] [arguments]", "命令 [选项] [参数]")
		 : v->args.en ? tx(v->args)
			      : "");
}

static void heading(struct buf *b, const char *text)
{
	buf_addf(b, "\n%s\n", text);
}

static void entry(struct buf *b, const char *left, const char *right, size_t column, size_t width)
{
	size_t w = text_width(span_of(left)) + 2;

	buf_adds(b, "  ");
	if (w + 2 > column) {
		buf_addf(b, "%s\n", left);
		say_pad(b, column);
	} else {
		say_cell(b, left, column - 2);
	}
	say_wrap(b, span_of(right), column, column, width);
	buf_addc(b, '\n');
}

static void options(struct buf *b, const struct opt *o, size_t n, size_t width)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf left = { 0 };
		opt_usage(&o[i], &left);
		entry(b, buf_str(&left), tx(o[i].help), OPT_COLUMN, width);
	}
}

/* Paragraphs; one that begins with a blank is an example and stays as it is. */
static void paragraphs(struct buf *b, const char *text, size_t width)
{
	struct span rest = span_of(text);

	while (rest.n) {
		size_t end = span_find(rest, S("\n\n"));
		struct span part = span_head(rest, end);
		buf_addc(b, '\n');
		if (part.n && part.p[0] == ' ')
			buf_span(b, part);
		else
			say_wrap(b, part, 0, 0, width);
		buf_addc(b, '\n');
		rest = end == SPAN_NONE ? (struct span){ 0 } : span_from(rest, end + 2);
	}
}

static void table(struct buf *b, const struct opt_table *t, size_t width)
{
	const char *name;
	struct tx help;

	heading(b, tx(t->title));
	for (size_t i = 0; t->row(i, &name, &help); i++)
		entry(b, name, tx(help), t->column, width);
}

void help_verb(const struct verb *v, struct buf *ret, size_t width)
{
	width = width > MAX_WIDTH ? MAX_WIDTH : width < 60 ? 60 : width;
	buf_addf(ret, "%s", TR("usage: ", "用法："));
	help_usage(v, ret);
	buf_addc(ret, '\n');
	say_wrap(ret, span_of(tx(v->brief)), 0, 0, width);
	buf_addc(ret, '\n');
	if (v->subs)
		heading(ret, TR("Commands:", "命令："));
	for (size_t i = 0; v->subs && v->subs[i]; i++)
		entry(ret, verb_word(v->subs[i]), tx(v->subs[i]->brief), 14, width);
	if (v->n_opts) {
		heading(ret, TR("Flags:", "选项："));
		options(ret, v->opts, v->n_opts, width);
	}
	heading(ret, TR("Flags of every command:", "通用选项："));
	options(ret, opt_common, opt_common_count, width);
	for (size_t i = 0; i < v->n_tables && !v->tables[i].once; i++)
		table(ret, &v->tables[i], width);
	if (v->text.en)
		paragraphs(ret, tx(v->text), width);
	for (size_t i = 0; i < v->n_tables; i++) {
		if (v->tables[i].once)
			table(ret, &v->tables[i], width);
	}
	if (v->subs)
		buf_addf(ret, TR("\nMore: tocsin help %s COMMAND\n", "\n更多：tocsin help %s 命令\n"), v->name);
}

void help_all(struct buf *ret, size_t width)
{
	width = width > MAX_WIDTH ? MAX_WIDTH : width < 60 ? 60 : width;
	buf_adds(ret, TR("Tocsin: no Go failure goes unheard.\n\nusage: tocsin COMMAND [flags] [arguments]\n",
			 "Tocsin：不让任何 Go 失败无声无息。\n\n用法：tocsin 命令 [选项] [参数]\n"));
	heading(ret, TR("Commands:", "命令："));
	for (size_t i = 0; i < verb_count; i++)
		entry(ret, verbs[i]->name, tx(verbs[i]->brief), 14, width);
	heading(ret, TR("Examples:", "示例："));
	buf_adds(ret, "  tocsin run -- go test ./...\n"
		      "  tocsin run --report report.json --junit junit.xml -- make ci\n"
		      "  tocsin explain build.log\n"
		      "  tocsin causes mod.dns\n");
	heading(ret, TR("Flags of every command:", "通用选项："));
	options(ret, opt_common, opt_common_count, width);
	buf_addf(ret, "\n%s\n",
		 TR("More: tocsin help COMMAND; the manual page: tocsin help --man > tocsin.1",
		    "更多：tocsin help 命令；手册页：tocsin help --man > tocsin.1"));
}
