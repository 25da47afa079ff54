#include "cli/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "cli/sarif.h"
#include "cli/say.h"
#include "model/redact_report.h"

static int span_order(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

/* The primary cause first, then by place. */
static int by_place(const void *pa, const void *pb)
{
	const struct finding *a = pa, *b = pb;

	if (a->severity != b->severity)
		return (int)b->severity - (int)a->severity;
	int r = span_order(a->file, b->file);
	if (r == 0)
		r = (a->line > b->line) - (a->line < b->line);
	if (r == 0)
		r = (a->column > b->column) - (a->column < b->column);
	return r ? r : (a->order > b->order) - (a->order < b->order);
}

static void put_count(struct json_out *j, const char *key, int64_t n)
{
	if (n < 0)
		return;
	json_key(j, key);
	json_int(j, n);
}

static void put_counts(struct json_out *j, const struct checked *c)
{
	json_key(j, "checked");
	json_open(j, '{');
	put_count(j, "modules", c->modules);
	put_count(j, "packages", c->packages);
	put_count(j, "files", c->files);
	put_count(j, "bytes", c->bytes);
	json_close(j, '}');
}

static void write_json(const struct checked *c, struct buf *b)
{
	CLEANUP(buf_free) struct buf one = { 0 };
	struct json_out j = { .to = b };

	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, c->schema ? c->schema : "tocsin.check/1");
	if (!c->schema)
		put_counts(&j, c);
	json_key(&j, "findings");
	json_open(&j, '[');
	for (size_t i = 0; i < c->report.n_findings; i++) {
		buf_clear(&one);
		finding_json(&c->report, &c->report.findings[i], &one);
		b->bad |= one.bad;
		buf_adds(b, i ? "," : "");
		/* Of a lint it is known without a library. */
		if (c->report.findings[i].fingerprint[0])
			buf_addf(b, "{\"fingerprint\":\"%s\",", c->report.findings[i].fingerprint);
		buf_span(b, span_from(buf_view(&one), c->report.findings[i].fingerprint[0] ? 1 : 0));
	}
	j.comma = c->report.n_findings > 0;
	json_close(&j, ']');
	json_key(&j, "limits");
	json_open(&j, '[');
	for (size_t i = 0; i < c->report.limits.n; i++)
		json_strz(&j, c->report.limits.v[i]);
	json_close(&j, ']');
	if (c->json)
		c->json(c->ctx, &j);
	json_close(&j, '}');
	buf_addc(b, '\n');
}

/* What to do: the finding's own words, else its cause's; of a note only its own. */
static struct span advice_of(const struct finding *f)
{
	const char *own = f->severity == SEV_NOTE ? NULL : tx(cause_table[f->cause].advice);

	return f->advice.n ? f->advice : span_of(own);
}

static void write_advice(struct span advice, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	say_clean(&text, advice);
	say_pad(b, 2);
	say_paint(b, t, PAINT_DIM, "→ ");
	say_wrap(b, buf_view(&text), 4, 4, t->tty ? t->width : SIZE_MAX);
	buf_addc(b, '\n');
}

static void write_finding(const struct finding *f, const struct term *t, struct buf *b)
{
	static const enum paint paints[] = {
		[SEV_NOTE] = PAINT_CYAN, [SEV_WARNING] = PAINT_YELLOW, [SEV_ERROR] = PAINT_RED
	};
	CLEANUP(buf_free) struct buf where = { 0 };
	CLEANUP(buf_free) struct buf text = { 0 };

	say_clean(&where, f->file);
	if (f->line > 0)
		buf_addf(&where, ":%d", f->line);
	if (f->line > 0 && f->column > 0)
		buf_addf(&where, ":%d", f->column);
	if (where.len) {
		say_paint(b, t, PAINT_BOLD, buf_str(&where));
		buf_adds(b, ": ");
	}
	say_paint(b, t, paints[f->severity], cause_table[f->cause].id ? cause_table[f->cause].id : "");
	buf_adds(b, ": ");
	say_clean(&text, f->message);
	buf_span(b, buf_view(&text));
	buf_addc(b, '\n');
	if (f->excerpt.n)
		say_lines(b, f->excerpt, 4, 12);
}

static void write_sum(const struct checked *c, const size_t sums[3], const struct term *t, struct buf *b)
{
	bool fine = !sums[SEV_ERROR] && !sums[SEV_WARNING];

	if (fine && c->quiet)
		return;
	if (fine && c->fine) {
		say_paint(b, t, PAINT_GREEN, c->fine);
		buf_addc(b, '\n');
		return;
	}
	buf_addf(b, TR("%zu errors, %zu warnings", "%zu 个错误，%zu 个警告"), sums[SEV_ERROR],
		 sums[SEV_WARNING]);
	if (c->modules >= 0)
		buf_addf(b, TR("; modules: %lld", "；模块：%lld"), (long long)c->modules);
	if (c->packages >= 0)
		buf_addf(b, TR("; packages: %lld", "；包：%lld"), (long long)c->packages);
	if (c->files >= 0)
		buf_addf(b, TR("; files: %lld", "；文件：%lld"), (long long)c->files);
	buf_addc(b, '\n');
}

static void write_text(const struct checked *c, const size_t sums[3], const struct term *t, struct buf *b)
{
	if (c->before)
		c->before(c->ctx, t, b);
	if (c->text)
		c->text(c->ctx, t, b);
	for (size_t i = 0; i < c->report.n_findings && !c->text; i++) {
		const struct finding *f = &c->report.findings[i];
		if (c->hide_notes && f->severity == SEV_NOTE)
			continue;
		struct span advice = advice_of(f),
			    next = i + 1 < c->report.n_findings ? advice_of(&f[1]) : (struct span){ 0 };
		write_finding(f, t, b);
		if (advice.n && !span_eq(advice, next)) /* said once, behind the last that it belongs to */
			write_advice(advice, t, b);
	}
	for (size_t i = 0; i < c->report.limits.n; i++) {
		say_paint(b, t, PAINT_DIM, TR("note: ", "提示："));
		say_clean(b, span_of(c->report.limits.v[i]));
		buf_addc(b, '\n');
	}
	if (c->hide_notes && sums[SEV_NOTE]) {
		say_paint(b, t, PAINT_DIM, TR("note: ", "提示："));
		buf_addf(b, TR("%zu notes; --notes shows them\n", "%zu 条提示；--notes 可显示\n"),
			 sums[SEV_NOTE]);
	}
	if (!c->own_sum)
		write_sum(c, sums, t, b);
}

static int write_file(const char *path, const struct buf *text)
{
	struct err e = { 0 };

	if (text->bad)
		err_set(&e, ENOMEM, TR("no memory for %s", "内存不足，无法写出 %s"), path);
	else if (file_replace(path, buf_view(text), &e) == 0)
		return 0;
	say_error("%s", e.msg);
	return EXIT_OWN;
}

static int write_sarif(const struct checked *c, const char *path)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	sarif_write(&c->report, &text);
	return write_file(path, &text);
}

int checked_end(struct checked *c, const struct checked_values *o)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	size_t sums[3] = { 0 };
	struct term t;

	term_open(&t, STDOUT_FILENO);
	if (c->output)
		t.tty = t.color = false;
	report_redact(NULL, &c->report);
	if (c->report.n_findings)
		qsort(c->report.findings, c->report.n_findings, sizeof(*c->report.findings), by_place);
	for (size_t i = 0; i < c->report.n_findings; i++)
		sums[c->report.findings[i].severity]++;
	int status = sums[SEV_ERROR] || (o->strict && sums[SEV_WARNING]) ? EXIT_WRONG : EXIT_OK;
	c->report.exit_code = status;
	if (c->write)
		c->write(&c->report, &text);
	else if (o->json)
		write_json(c, &text);
	else
		write_text(c, sums, &t, &text);
	if (o->sarif && write_sarif(c, o->sarif))
		status = EXIT_OWN;
	if (text.bad || c->report.lost) {
		say_error(TR("no memory", "内存不足"));
		status = EXIT_OWN;
	} else if (c->output) {
		status = write_file(c->output, &text) ? EXIT_OWN : status;
	} else {
		term_flush(&t, &text);
	}
	report_free(&c->report);
	return t.dead && !t.gone ? EXIT_OWN : status;
}
