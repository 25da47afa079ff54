#include <stdlib.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "cli/check_lint.h"
#include "cli/github.h"
#include "cli/junit.h"
#include "cli/sarif.h"

/* What CI systems and editors read. Findings come in the order of the report: the worst first, then by place. */

#define GITHUB_KIND 10 /* annotations of a kind that a step shows */
#define GITHUB_ALL  50

static struct span plain_file(struct span file)
{
	while (span_skip(&file, S("./")))
		;
	return file;
}

/* As the repository names it, of which this may be a folder. */
static void repository_file(const struct report *r, const struct finding *f, struct buf *ret)
{
	struct span file = plain_file(f->file);

	buf_clear(ret);
	if (r->cwd && file.n && *file.p != '/')
		buf_addf(ret, "%s/", r->cwd);
	buf_span(ret, file);
}

static int at_least(int n, int least)
{
	return n > least ? n : least;
}

/* ---- GitHub Actions ---- */

static void github_one(const struct report *r, const struct finding *f, struct buf *b)
{
	static const char *const words[] = {
		[SEV_NOTE] = "notice", [SEV_WARNING] = "warning", [SEV_ERROR] = "error"
	};

	CLEANUP(buf_free) struct buf file = { 0 };

	repository_file(r, f, &file);
	b->bad |= file.bad;
	buf_addf(b, "::%s ", words[f->severity]);
	github_property(b, "file", buf_view(&file));
	github_number(b, "line", f->line);
	github_number(b, "endLine", f->end_line);
	if (f->line == f->end_line) { /* columns are for one line */
		github_number(b, "col", f->wide);
		github_number(b, "endColumn", f->end_wide);
	}
	github_property(b, "title", span_of(f->rule ? f->rule : "tocsin"));
	buf_adds(b, "::");
	github_text(b, f->message);
	buf_addc(b, '\n');
}

static void write_github(const struct report *r, struct buf *b)
{
	size_t kinds[3] = { 0 }, left = 0, all = 0;

	for (size_t i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		if (all >= GITHUB_ALL || kinds[f->severity] >= GITHUB_KIND) {
			left++;
			continue;
		}
		kinds[f->severity]++;
		all++;
		github_one(r, f, b);
	}
	if (left)
		buf_addf(b,
			 TR("%zu more findings are not annotated: a step shows %d of a kind\n",
			    "另有 %zu 项发现未作标注：每个步骤每类最多显示 %d 条\n"),
			 left, GITHUB_KIND);
}

/* ---- GitLab Code Quality ---- */

/* GitLab takes equal fingerprints for one finding: how many came before. */
static unsigned nth_of(struct map *seen, unsigned *counts, size_t at, const char *fingerprint, struct buf *b)
{
	unsigned *count = map_get(seen, span_of(fingerprint));

	if (count)
		return ++*count;
	b->bad |= !map_put(seen, span_of(fingerprint), &counts[at]);
	return 0;
}

static void write_gitlab(const struct report *r, struct buf *b)
{
	static const char *const words[] = {
		[SEV_NOTE] = "info", [SEV_WARNING] = "minor", [SEV_ERROR] = "major"
	};
	CLEANUP(mem_free) unsigned *counts = mem_zalloc((r->n_findings + 1) * sizeof(*counts));
	struct json_out j = { .to = b };
	struct map seen = { 0 };

	b->bad |= !counts;
	json_open(&j, '[');
	for (size_t i = 0; i < r->n_findings && counts; i++) {
		const struct finding *f = &r->findings[i];
		CLEANUP(buf_free) struct buf print = { 0 }, file = { 0 };
		unsigned nth = nth_of(&seen, counts, i, f->fingerprint, b);
		buf_adds(&print, f->fingerprint);
		if (nth)
			buf_addf(&print, "-%u", nth + 1);
		json_open(&j, '{');
		json_member_str(&j, "description", f->message);
		json_member_strz(&j, "check_name", f->rule ? f->rule : "tocsin");
		json_member_str(&j, "fingerprint", buf_view(&print));
		json_member_strz(&j, "severity", words[f->severity]);
		json_member_open(&j, "location", '{');
		repository_file(r, f, &file);
		json_member_str(&j, "path", buf_view(&file));
		json_member_open(&j, "lines", '{');
		json_member_int(&j, "begin", at_least(f->line, 1));
		json_close(&j, '}');
		json_close(&j, '}');
		json_close(&j, '}');
		b->bad |= print.bad || file.bad;
	}
	json_close(&j, ']');
	buf_addc(b, '\n');
	map_free(&seen);
}

/* ---- checkstyle ---- */

static int by_file(const void *pa, const void *pb)
{
	const struct finding *a = *(const struct finding *const *)pa, *b = *(const struct finding *const *)pb;
	size_t n = a->file.n < b->file.n ? a->file.n : b->file.n;
	int r = n ? memcmp(a->file.p, b->file.p, n) : 0;

	if (r == 0)
		r = (a->file.n > b->file.n) - (a->file.n < b->file.n);
	if (r == 0)
		r = (a->line > b->line) - (a->line < b->line);
	return r ? r : (a->column > b->column) - (a->column < b->column);
}

static void checkstyle_number(struct buf *b, const char *name, int value)
{
	if (value > 0)
		buf_addf(b, " %s=\"%d\"", name, value);
}

static void write_checkstyle(const struct report *r, struct buf *b)
{
	static const char *const words[] = {
		[SEV_NOTE] = "info", [SEV_WARNING] = "warning", [SEV_ERROR] = "error"
	};
	CLEANUP(mem_free) const struct finding **list = mem_alloc((r->n_findings + 1) * sizeof(*list));
	CLEANUP(buf_free) struct buf source = { 0 };

	b->bad |= !list;
	for (size_t i = 0; i < r->n_findings && list; i++)
		list[i] = &r->findings[i];
	if (list && r->n_findings)
		qsort(list, r->n_findings, sizeof(*list), by_file);
	buf_adds(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<checkstyle version=\"5.0\">\n");
	for (size_t i = 0; i < r->n_findings && list; i++) {
		const struct finding *f = list[i];
		if (!i || !span_eq(list[i - 1]->file, f->file)) {
			buf_adds(b, i ? "</file>\n<file" : "<file");
			xml_attribute(b, "name", plain_file(f->file));
			buf_adds(b, ">\n");
		}
		buf_adds(b, "<error");
		checkstyle_number(b, "line", at_least(f->line, 1));
		checkstyle_number(b, "column", f->column);
		xml_attribute(b, "severity", span_of(words[f->severity]));
		xml_attribute(b, "message", f->message);
		buf_clear(&source);
		buf_addf(&source, "tocsin.%s", f->rule ? f->rule : "check");
		xml_attribute(b, "source", buf_view(&source));
		buf_adds(b, "/>\n");
	}
	buf_adds(b, r->n_findings ? "</file>\n</checkstyle>\n" : "</checkstyle>\n");
}

/* ---- Reviewdog ---- */

static void rd_position(struct json_out *j, const char *key, int line, int column)
{
	json_member_open(j, key, '{');
	json_member_int(j, "line", line);
	if (column > 0)
		json_member_int(j, "column", column);
	json_close(j, '}');
}

/* Each suggestion can be taken alone: half of a fix is none. */
static void rd_suggestion(struct json_out *j, const struct edit *e)
{
	json_member_open(j, "suggestions", '[');
	json_open(j, '{');
	json_member_open(j, "range", '{');
	rd_position(j, "start", e->line, e->column);
	rd_position(j, "end", e->end_line, e->end_column);
	json_close(j, '}');
	json_member_str(j, "text", e->text);
	json_close(j, '}');
	json_close(j, ']');
}

static void rd_one(struct json_out *j, const struct finding *f)
{
	static const char *const words[] = {
		[SEV_NOTE] = "INFO", [SEV_WARNING] = "WARNING", [SEV_ERROR] = "ERROR"
	};

	json_open(j, '{');
	json_member_str(j, "message", f->message);
	json_member_open(j, "location", '{');
	json_member_str(j, "path", plain_file(f->file));
	if (f->line > 0) {
		json_member_open(j, "range", '{');
		rd_position(j, "start", f->line, f->column);
		if (f->end_line > 0)
			rd_position(j, "end", f->end_line, f->end_column);
		json_close(j, '}');
	}
	json_close(j, '}');
	json_member_strz(j, "severity", words[f->severity]);
	json_member_open(j, "code", '{');
	json_member_strz(j, "value", f->rule ? f->rule : "check");
	json_close(j, '}');
	if (f->n_edits == 1)
		rd_suggestion(j, f->edits);
	json_close(j, '}');
}

static void write_rdjson(const struct report *r, struct buf *b)
{
	struct json_out j = { .to = b };

	json_open(&j, '{');
	json_member_open(&j, "source", '{');
	json_member_strz(&j, "name", "tocsin");
	json_close(&j, '}');
	json_member_open(&j, "diagnostics", '[');
	for (size_t i = 0; i < r->n_findings; i++)
		rd_one(&j, &r->findings[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(b, '\n');
}

/* A diagnostic a line. */
static void write_rdjsonl(const struct report *r, struct buf *b)
{
	for (size_t i = 0; i < r->n_findings; i++) {
		struct json_out j = { .to = b };
		rd_one(&j, &r->findings[i]);
		buf_addc(b, '\n');
	}
}

#define FORMATS(X)                \
	X("text", NULL)           \
	X("json", NULL)           \
	X("sarif", sarif_write)   \
	X("github", write_github) \
	X("gitlab", write_gitlab) \
	X("checkstyle", write_checkstyle) X("rdjson", write_rdjson) X("rdjsonl", write_rdjsonl)
const struct check_format check_formats[] = {
#define FORMAT(name, write) { name, write },
	FORMATS(FORMAT)
#undef FORMAT
};
const char *const check_format_names[] = {
#define FORMAT(name, write) name,
	FORMATS(FORMAT) NULL
#undef FORMAT
};
