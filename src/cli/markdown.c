#include "cli/markdown.h"

#include "base/mem.h"
#include "base/text.h"

#define FINDINGS_MAX 20

void md_text(struct buf *b, struct span s)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	text_clean(s, false, &clean);
	for (size_t i = 0; i < clean.len; i++) {
		char c = clean.p[i];
		if (c == '<' || c == '>' || c == '&')
			buf_adds(b, c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;");
		else if (c == '@') /* no one is called by a log line */
			buf_adds(b, "&#64;");
		else if (strchr("\\`*_{}[]()#+-!|~:", c))
			buf_addf(b, "\\%c", c);
		else
			buf_addc(b, c == '\t' ? ' ' : c);
	}
}

void md_block(struct buf *b, struct span s)
{
	CLEANUP(buf_free) struct buf clean = { 0 };
	size_t longest = 2, run = 0;

	text_clean(s, true, &clean);
	for (size_t i = 0; i < clean.len; i++) {
		run = clean.p[i] == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	for (size_t i = 0; i <= longest; i++)
		buf_addc(b, '`');
	buf_adds(b, "text\n");
	buf_span(b, buf_view(&clean));
	buf_adds(b, clean.len && clean.p[clean.len - 1] != '\n' ? "\n" : "");
	for (size_t i = 0; i <= longest; i++)
		buf_addc(b, '`');
	buf_addc(b, '\n');
}

static void finding(const struct finding *f, struct buf *b)
{
	const char *own = tx(cause_table[f->cause].advice), *id;
	char mem[CAUSE_ID_MAX];

	id = finding_cause_id(f, mem);
	buf_addf(b, "\n### %s", id ? id : "");
	if (f->test.n) {
		buf_addc(b, ' ');
		md_text(b, f->test);
	}
	buf_addf(b, "\n\n%s", tx(cause_table[f->cause].mean));
	if (f->package.n) {
		buf_adds(b, TR("; package ", "；包 "));
		md_text(b, f->package);
	}
	if (f->file.n) {
		buf_adds(b, TR("; at ", "；位置 "));
		md_text(b, f->file);
		if (f->line > 0)
			buf_addf(b, ":%d", f->line);
	}
	buf_adds(b, "\n\n");
	if (f->excerpt.n)
		md_block(b, f->excerpt);
	else if (f->message.n)
		md_block(b, f->message);
	if (f->advice.n || (own && *own)) {
		buf_addf(b, "\n%s", TR("What to do: ", "建议："));
		md_text(b, f->advice.n ? f->advice : span_of(own));
		buf_addc(b, '\n');
	}
}

void md_report(const struct report *r, const char *name, struct buf *b)
{
	buf_addf(b, "## Tocsin%s%s", TR(": ", "："), outcome_title(r->outcome));
	if (name) {
		buf_adds(b, TR(" — ", "——"));
		md_text(b, span_of(name));
	}
	buf_adds(b, "\n\n");
	if (r->summary)
		md_text(b, span_of(r->summary));
	buf_addc(b, '\n');
	for (size_t i = 0; i < r->n_findings && i < FINDINGS_MAX; i++)
		finding(&r->findings[i], b);
	if (r->n_findings > FINDINGS_MAX)
		buf_addf(b, TR("\n%zu more findings\n", "\n另有 %zu 项发现\n"), r->n_findings - FINDINGS_MAX);
	for (size_t i = 0; i < r->limits.n; i++) {
		buf_adds(b, "\n- ");
		md_text(b, span_of(r->limits.v[i]));
	}
	if (r->limits.n)
		buf_addc(b, '\n');
}
