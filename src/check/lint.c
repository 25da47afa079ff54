#include "check/lint.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/text.h"
#include "check/ci/bash.h"
#include "check/ci/ytree.h"
#include "check/go/syntax.h"
#include "check/lint_own.h"

struct lint_worker {
	struct lint_job *job;
	struct arena mem, scratch;
	struct syntax *go, *yaml, *bash;
	struct buf text;
	size_t files, bytes, errors, cached;
	bool bad;
};
struct lint_job {
	const struct lint_options *o;
	bool on[RULES];
	struct lint_tasks tasks;
	struct lint_cache *cache;
	struct lint_file *files; /* by task: what was said of it */
	atomic_size_t next;
	struct lint_worker *workers;
	size_t n_workers;
	struct lint_result *result;
	bool bad;
};

/* ---- saying it ---- */

static struct span keep(struct lint_file *f, struct span s)
{
	struct span copy = arena_span(f->mem, s.p ? s : S(""));

	f->bad |= !copy.p;
	return copy.p ? copy : S("");
}

struct lint_finding *lint_say_args(struct lint_file *f, enum rule_id rule, enum severity severity,
				   uint32_t from, uint32_t to, const struct span *args, size_t n)
{
	assert(n <= LINT_ARGS);
	if (!f->on[rule])
		return NULL;
	if (!mem_grow(&f->findings, &f->cap, f->n, sizeof(*f->findings))) {
		f->bad = true;
		return NULL;
	}
	struct lint_finding *x = &f->findings[f->n++];
	*x = (struct lint_finding){
		.rule = &rules[rule], .severity = severity, .path = f->path, .from = from, .to = to
	};
	for (x->n_args = 0; x->n_args < n; x->n_args++)
		x->args[x->n_args] = keep(f, args[x->n_args]);
	return x;
}

/* New lines end as the file's own do. */
static struct span with_line_ends(struct lint_file *f, struct span text)
{
	size_t end = span_chr(f->text, '\n');
	CLEANUP(buf_free) struct buf b = { 0 };

	if (span_chr(text, '\n') == SPAN_NONE || end == SPAN_NONE || !end || f->text.p[end - 1] != '\r')
		return keep(f, text);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && (!i || text.p[i - 1] != '\r'))
			buf_addc(&b, '\r');
		buf_addc(&b, text.p[i]);
	}
	f->bad |= b.bad;
	return keep(f, buf_view(&b));
}

void lint_edit(struct lint_file *f, struct lint_finding *finding, bool safe, uint32_t from, uint32_t to,
	       struct span text)
{
	if (!finding)
		return;
	struct lint_edit *more = arena_alloc(f->mem, (finding->n_edits + 1) * sizeof(*more));

	if (!more) {
		f->bad = true;
		return;
	}
	if (finding->n_edits)
		memcpy(more, finding->edits, finding->n_edits * sizeof(*more));
	more[finding->n_edits++] = (struct lint_edit){ from, to, with_line_ends(f, text) };
	finding->edits = more;
	finding->edits_safe = safe;
}

void lint_fact(struct lint_file *f, enum lint_fact_kind kind, uint32_t from, uint32_t to, struct span a,
	       struct span b, struct span c)
{
	if (!mem_grow(&f->facts, &f->cap_facts, f->n_facts, sizeof(*f->facts))) {
		f->bad = true;
		return;
	}
	f->facts[f->n_facts++] =
		(struct lint_fact){ kind, f->path, keep(f, a), keep(f, b), keep(f, c), from, to, { 0 } };
}

struct span lint_text(struct lint_file *f, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	f->bad |= b.bad;
	return keep(f, buf_view(&b));
}

void lint_limit(struct lint_file *f, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	va_list ap;

	buf_addf(&b, "%s: ", f->path);
	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	f->bad |= b.bad;
	if (!f->limit)
		f->limit = keep(f, buf_view(&b)).p;
}

bool lint_word_in(const struct lint_words *w, struct span word)
{
	for (size_t i = 0; i < w->n; i++)
		if (span_eq(span_of(w->v[i]), word))
			return true;
	return false;
}

bool lint_mentions(struct lint_file *f, const char *word)
{
	for (size_t i = 0; i < f->n_words; i++)
		if (f->words[i].word == word)
			return f->words[i].there;
	bool there = span_find(f->text, span_of(word)) != SPAN_NONE;
	if (f->n_words < ARRAY_LEN(f->words)) {
		f->words[f->n_words].word = word;
		f->words[f->n_words++].there = there;
	}
	return there;
}

static struct syntax *parser(struct lint_file *f, struct syntax **kept,
			     int (*open)(struct syntax **ret, struct err *e))
{
	if (!*kept && open(kept, NULL) < 0)
		f->bad = true;
	return *kept;
}

struct syntax *lint_go_parser(struct lint_file *f)
{
	return parser(f, &f->worker->go, gosyntax_open);
}

struct syntax *lint_bash_parser(struct lint_file *f)
{
	return parser(f, &f->worker->bash, bashsyntax_open);
}

struct syntax *lint_yaml_parser(struct lint_file *f)
{
	return parser(f, &f->worker->yaml, yparser_open);
}

void lint_message(const struct lint_finding *f, struct buf *ret)
{
	lint_fill(f, f->rule->message, ret);
}

void lint_fill(const struct lint_finding *f, struct tx text, struct buf *ret)
{
	for (const char *p = tx(text); *p; p++) {
		if (p[0] == '{' && p[1] >= '0' && p[1] <= '9' && p[2] == '}') {
			unsigned at = (unsigned)(p[1] - '0');
			if (at < f->n_args)
				buf_span(ret, f->args[at]);
			p += 2;
		} else {
			buf_addc(ret, *p);
		}
	}
}

/* ---- looking at one ---- */

/* False: it cannot be read, and that was said. */
static bool read_text(struct lint_worker *w, struct lint_file *f)
{
	const struct lint_options *o = w->job->o;
	CLEANUP(buf_free) struct buf path = { 0 };
	struct err e = { 0 };

	if (o->text_path && !strcmp(o->text_path, f->path)) {
		f->text = o->text;
		return true;
	}
	path_join(&path, o->root, f->path);
	buf_clear(&w->text);
	w->text.max = LINT_FILE_BYTES;
	int r = path.bad ? -ENOMEM : file_slurp_regular(buf_str(&path), &w->text, &e);
	if (r == -EFBIG)
		lint_limit(f, TR("larger than %zu MiB: not looked at", "超过 %zu MiB：未检查"),
			   LINT_FILE_BYTES >> 20);
	else if (r == -ENOMEM)
		f->bad = true;
	else if (r < 0)
		lint_limit(f, "%s", e.msg);
	f->text = buf_view(&w->text);
	return r == 0;
}

static void look(struct lint_worker *w, const struct lint_task *t, struct lint_file *f)
{
	bool ask;

	*f = (struct lint_file){ .worker = w,
				 .config = &w->job->o->config,
				 .on = w->job->on,
				 .mem = &w->mem,
				 .scratch = &w->scratch,
				 .path = t->path,
				 .go = t->go,
				 .told = t->told };
	if (!read_text(w, f))
		return;
	f->kind = t->kind ? t->kind : lint_kind_of(t->path, span_head(f->text, 1024), &ask);
	if (!f->kind)
		return;
	if (f->text.n && memchr(f->text.p, 0, f->text.n)) {
		lint_limit(f, TR("has a NUL byte, so it is no text: not looked at",
				 "含有 NUL 字节，不是文本：未检查"));
		return;
	}
	if (f->told) {
		w->files++;
		w->bytes += f->text.n;
	}
	if (w->job->cache)
		sha256(f->text, f->sum);
	f->cached = lint_cache_get(w->job->cache, f);
	w->cached += f->cached;
	if (f->cached) {
		w->errors += f->errors;
		return;
	}
	f->kind->check(f);
	if (f->kind->check != golint_check && f->kind->check != gomod_check)
		lint_note_across(f);
	lint_allow_scan(f);
	w->errors += f->errors;
	arena_free(&w->scratch);
}

/* ---- places: from bytes to lines ---- */

static const struct lint_lines *find_lines(struct lint_file *f)
{
	struct lint_lines *l = &f->lines;
	struct span text = f->text;

	for (const char *p = l->n ? NULL : text.p, *end = text.p + text.n; p && p <= end;) {
		if (!mem_grow(&l->at, &l->cap, l->n, sizeof(*l->at))) {
			f->bad = true;
			break;
		}
		l->at[l->n++] = (uint32_t)(p - text.p);
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : NULL;
	}
	return l;
}

static void locate(const struct lint_lines *l, uint32_t byte, int *line, int *column)
{
	size_t low = 0, high = l->n;

	while (high - low > 1) {
		size_t mid = (low + high) / 2;
		if (l->at[mid] <= byte)
			low = mid;
		else
			high = mid;
	}
	*line = (int)low + 1;
	*column = (int)(byte - l->at[low]) + 1;
}

int lint_line(struct lint_file *f, uint32_t byte)
{
	const struct lint_lines *l = find_lines(f);
	int line = 1, column;

	if (l->n)
		locate(l, byte, &line, &column);
	return line;
}

/* Columns in UTF-16 code units. A line may be as long as the file and have a finding at each word: marks of the line asked for last. */
#define MARK_BYTES 1024
struct wide {
	const struct lint_file *f;
	int line;
	struct {
		size_t byte; /* of the line: the first character that begins at or behind a multiple of MARK_BYTES */
		int wide;
	} * marks;
	size_t n, cap;
};

static int wide_column(struct wide *w, int line, int column)
{
	struct span s = span_from(w->f->text, w->f->lines.at[line - 1]);
	size_t end = (size_t)column - 1, at = 0;
	int wide = 1;

	if (line != w->line)
		w->n = 0;
	w->line = line;
	for (size_t i = end / MARK_BYTES < w->n ? end / MARK_BYTES : w->n; i > 0 && !at; i--)
		if (w->marks[i - 1].byte <= end) {
			at = w->marks[i - 1].byte;
			wide = w->marks[i - 1].wide;
		}
	while (at < end && at < s.n) {
		uint32_t cp;
		at += utf8_decode(span_head(span_from(s, at), end - at), &cp);
		wide += cp > 0xffff && cp != UTF8_BAD ? 2 : 1;
		if (at / MARK_BYTES > w->n && at < end &&
		    mem_grow(&w->marks, &w->cap, w->n, sizeof(*w->marks))) {
			w->marks[w->n].byte = at;
			w->marks[w->n++].wide = wide;
		}
	}
	return wide;
}

/* Of what is said of one file. What begins and what ends on a line of that kind may alternate. */
struct placing {
	struct lint_file *f;
	const struct lint_lines *l;
	struct wide from, to;
	bool summed; /* f->sum is there: the cache asks for it, or the edits of a finding did */
};

static void place(struct placing *p, uint32_t from, uint32_t to, struct lint_place *at)
{
	locate(p->l, from, &at->line, &at->column);
	locate(p->l, to, &at->end_line, &at->end_column);
	at->wide = wide_column(&p->from, at->line, at->column);
	at->end_wide = wide_column(&p->to, at->end_line, at->end_column);
}

static void place_finding(struct placing *p, struct lint_finding *x)
{
	struct lint_file *f = p->f;

	place(p, x->from, x->to, &x->at);
	struct span rest = span_from(f->text, p->l->at[x->at.line - 1]);
	x->line = keep(f, span_head(span_cut(&rest, '\n'), LINT_LINE_BYTES));
	for (size_t i = 0; i < x->n_edits; i++)
		place(p, x->edits[i].from, x->edits[i].to, &x->edits[i].at);
	if (x->n_edits && !p->summed)
		sha256(f->text, f->sum);
	p->summed |= x->n_edits > 0;
	if (x->n_edits)
		x->sum = (const unsigned char *)keep(f, (struct span){ (const char *)f->sum, sizeof(f->sum) })
				 .p;
}

static void place_all(struct lint_file *f)
{
	struct placing p = { .f = f, .from.f = f, .to.f = f, .summed = f->worker->job->cache != NULL };

	if (!f->cached && f->n + f->n_facts && f->text.n) {
		p.l = find_lines(f);
		for (size_t i = 0; i < f->n && !f->bad; i++)
			place_finding(&p, &f->findings[i]);
		for (size_t i = 0; i < f->n_facts && !f->bad; i++) {
			struct lint_fact *x = &f->facts[i];
			if (x->from || x->to)
				place(&p, x->from, x->to, &x->at);
		}
	}
	mem_free(p.from.marks);
	mem_free(p.to.marks);
	mem_free(f->lines.at);
	f->lines = (struct lint_lines){ 0 };
	f->text = (struct span){ 0 };
}

/* ---- workers ---- */

static void *work(void *worker)
{
	struct lint_worker *w = worker;
	struct lint_job *j = w->job;

	for (size_t at; (at = atomic_fetch_add(&j->next, 1)) < j->tasks.n;) {
		if (w == j->workers && j->o->progress)
			j->o->progress(j->o->ctx, at, j->tasks.n);
		look(w, &j->tasks.v[at], &j->files[at]);
		place_all(&j->files[at]);
		w->bad |= j->files[at].bad;
	}
	return NULL;
}

static void run_workers(struct lint_job *j)
{
	pthread_t threads[64];
	size_t started = 0;

	for (size_t i = 1; i < j->n_workers; i++)
		if (pthread_create(&threads[started], NULL, work, &j->workers[i]) == 0)
			started++;
	work(&j->workers[0]);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}

static bool open_workers(struct lint_job *j)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = j->o->threads > 0 ? (size_t)j->o->threads : cores > 0 ? (size_t)cores : 1;

	j->n_workers = n > 64 ? 64 : n;
	j->workers = mem_zalloc(j->n_workers * sizeof(*j->workers));
	j->files = mem_zalloc((j->tasks.n + 1) * sizeof(*j->files));
	for (size_t i = 0; j->workers && i < j->n_workers; i++)
		j->workers[i].job = j;
	return j->workers && j->files;
}

static void close_job(struct lint_job *j)
{
	for (size_t i = 0; i < j->tasks.n && j->files; i++) {
		mem_free(j->files[i].findings);
		mem_free(j->files[i].facts);
	}
	for (size_t i = 0; i < j->n_workers && j->workers; i++) {
		syntax_close(j->workers[i].go);
		syntax_close(j->workers[i].yaml);
		syntax_close(j->workers[i].bash);
		buf_free(&j->workers[i].text);
		arena_free(&j->workers[i].scratch);
		arena_free(&j->workers[i].mem);
	}
	mem_free(j->files);
	mem_free(j->workers);
	mem_free(j->tasks.limits);
	mem_free(j->tasks.v);
}

/* ---- the whole ---- */

/* What the workers said; their memory becomes the result's. */
static void take_findings(struct lint_job *j)
{
	struct lint_result *r = j->result;
	size_t n = 0, limits = j->tasks.n_limits;

	for (size_t i = 0; i < j->tasks.n; i++) {
		n += j->files[i].n;
		limits += j->files[i].limit != NULL;
	}
	r->findings = arena_alloc(&r->mem, (n + 1) * sizeof(*r->findings));
	r->limits = arena_alloc(&r->mem, (limits + 1) * sizeof(*r->limits));
	r->more = arena_alloc(&r->mem, j->n_workers * sizeof(*r->more));
	if (!r->findings || !r->limits || !r->more) {
		j->bad = true;
		return;
	}
	r->n_more = j->n_workers;
	r->cap = n + 1;
	r->excluded = j->tasks.excluded;
	for (size_t i = 0; i < j->tasks.n_limits; i++)
		r->limits[r->n_limits++] = j->tasks.limits[i];
	for (size_t i = 0; i < j->tasks.n; i++) {
		const struct lint_file *f = &j->files[i];
		if (!f->told)
			continue;
		if (f->n)
			memcpy(&r->findings[r->n], f->findings, f->n * sizeof(*f->findings));
		r->n += f->n;
		if (f->limit)
			r->limits[r->n_limits++] = f->limit;
	}
	for (size_t i = 0; i < j->n_workers; i++) {
		r->more[i] = j->workers[i].mem;
		j->workers[i].mem = (struct arena){ 0 };
		r->files += j->workers[i].files;
		r->bytes += j->workers[i].bytes;
		r->errors += j->workers[i].errors;
		r->cached += j->workers[i].cached;
		j->bad |= j->workers[i].bad;
	}
}

/* Facts by kind, in the order of paths; then what they come to. */
static void join_files(struct lint_job *j)
{
	struct lint_join join = { .result = j->result, .options = j->o, .on = j->on };
	const struct lint_fact **lists[FACTS] = { 0 };

	for (size_t i = 0; i < j->tasks.n; i++)
		for (size_t k = 0; k < j->files[i].n_facts; k++)
			join.n_facts[j->files[i].facts[k].kind]++;
	for (int kind = 0; kind < FACTS; kind++) {
		join.facts[kind] = lists[kind] = mem_alloc((join.n_facts[kind] + 1) * sizeof(**lists));
		j->bad |= !lists[kind];
		join.n_facts[kind] = 0;
	}
	for (size_t i = 0; i < j->tasks.n && !j->bad; i++)
		for (size_t k = 0; k < j->files[i].n_facts; k++) {
			const struct lint_fact *f = &j->files[i].facts[k];
			lists[f->kind][join.n_facts[f->kind]++] = f;
		}
	if (!j->bad)
		lint_join_all(&join);
	j->bad |= join.bad;
	for (int kind = 0; kind < FACTS; kind++)
		mem_free(lists[kind]);
}

static int by_place(const void *pa, const void *pb)
{
	const struct lint_finding *a = pa, *b = pb;
	int r = strcmp(a->path, b->path);

	if (r == 0)
		r = (a->at.line > b->at.line) - (a->at.line < b->at.line);
	if (r == 0)
		r = (a->at.column > b->at.column) - (a->at.column < b->at.column);
	return r ? r : strcmp(a->rule->id, b->rule->id);
}

static const struct lint_task *task_of(const struct lint_job *j, const char *path)
{
	size_t low = 0, high = j->tasks.n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int r = strcmp(j->tasks.v[mid].path, path);
		if (r == 0)
			return &j->tasks.v[mid];
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Where a part was asked for, what is found together is said of that part alone. */
static void drop_untold(struct lint_job *j)
{
	struct lint_result *r = j->result;
	size_t n = 0;

	for (size_t i = 0; i < r->n && (j->o->n_paths || j->o->text_path); i++) {
		const struct lint_task *t = task_of(j, r->findings[i].path);
		if (t && t->told)
			r->findings[n++] = r->findings[i];
	}
	if (j->o->n_paths || j->o->text_path)
		r->n = n;
}

/* A file's text once more. -errno: it is gone, it cannot be read any more. */
static int read_again(struct lint_job *j, const char *path, struct buf *text, struct err *e)
{
	CLEANUP(buf_free) struct buf whole = { 0 };

	buf_clear(text);
	text->max = LINT_FILE_BYTES;
	if (j->o->text_path && !strcmp(j->o->text_path, path)) {
		buf_span(text, j->o->text);
		j->bad |= text->bad;
		return 0;
	}
	path_join(&whole, j->o->root, path);
	int r = whole.bad ? -ENOMEM : file_slurp_regular(buf_str(&whole), text, e);
	j->bad |= r == -ENOMEM;
	if (r < 0)
		buf_clear(text);
	return r;
}

/* The lines of what was found by several files together. Findings are in the order of places, so that a file is read on from the last. */
static void fetch_lines(struct lint_job *j)
{
	struct lint_result *r = j->result;
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span rest = { 0 }, line = { 0 };
	const char *path = NULL;
	int at = 0;

	for (size_t i = 0; i < r->n && !j->bad; i++) {
		struct lint_finding *x = &r->findings[i];
		if (x->line.p || !x->at.line)
			continue;
		if (!path || strcmp(path, x->path) != 0) {
			read_again(j, x->path, &text, NULL); /* without it its lines stay empty */
			rest = buf_view(&text);
			line = (struct span){ 0 };
			at = 0;
			path = x->path;
		}
		for (; at < x->at.line && rest.n; at++)
			line = span_cut(&rest, '\n');
		struct span own = at == x->at.line ? span_head(line, LINT_LINE_BYTES) : S("");
		x->line = arena_span(&r->mem, own);
		j->bad |= !x->line.p;
	}
}

static bool read_for_pool(struct lint_pool *p, const char *path, struct buf *text)
{
	struct lint_job *j = p->ctx;

	struct err e = { 0 };
	size_t at = lint_pool_find(p, span_of(path));
	int r = read_again(j, path, text, &e);

	p->bad |= j->bad;
	if (r < 0 && r != -ENOMEM && at != SIZE_MAX) {
		struct lint_file *f = &j->files[at];
		if (f->limit)
			f->limit = lint_text(f, "%s; %s", f->limit, e.msg).p;
		else
			lint_limit(f, "%s", e.msg);
		p->bad |= f->bad;
	}
	return text->len && !memchr(text->p, 0, text->len);
}

static void judge_together(struct lint_job *j)
{
	struct lint_worker *w = &j->workers[0];
	struct lint_pool p = { .files = j->files,
			       .tasks = j->tasks.v,
			       .n = j->tasks.n,
			       .model = { .worker = w,
					  .config = &j->o->config,
					  .on = j->on,
					  .mem = &w->mem,
					  .scratch = &w->scratch },
			       .read = read_for_pool,
			       .place = place_all,
			       .ctx = j };

	gitlab_together(&p);
	j->bad |= p.bad;
}

int lint_run(const struct lint_options *options, struct lint_result *ret, struct err *e)
{
	struct lint_options o = *options;
	struct lint_job j = { .o = &o, .result = ret };
	int r = 0;

	*ret = (struct lint_result){ 0 };
	o.root = o.root ? o.root : ".";
	for (size_t i = 0; i < RULES; i++)
		j.on[i] = o.on ? o.on[i] : rules[i].on;
	r = lint_find(&o, &ret->mem, &j.tasks, e);
	j.bad |= j.tasks.bad;
	if (r == 0 && !open_workers(&j))
		j.bad = true;
	if (r == 0 && !j.bad) {
		j.cache = lint_cache_open(&o, j.on);
		run_workers(&j);
		lint_cache_end(j.cache, j.files, j.tasks.n, !o.n_paths && !o.text_path, &ret->kept);
		judge_together(&j);
		take_findings(&j);
		join_files(&j);
		drop_untold(&j);
		if (ret->n)
			qsort(ret->findings, ret->n, sizeof(*ret->findings), by_place);
		fetch_lines(&j);
	}
	if (r == 0 && j.bad)
		r = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	close_job(&j);
	return r;
}

void lint_result_free(struct lint_result *r)
{
	for (size_t i = 0; i < r->n_more; i++)
		arena_free(&r->more[i]);
	arena_free(&r->mem);
	mem_free(r->kept);
	*r = (struct lint_result){ 0 };
}

void lint_result_free_cleanup(struct lint_result *r)
{
	lint_result_free(r);
}
