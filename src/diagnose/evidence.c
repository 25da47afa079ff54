/* From lines to findings: blocks of go's own errors, crashes, the output of a failed test. */
#include <stdio.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/redact.h"
#include "base/text.h"
#include "diagnose/state.h"

void limit_say(struct judge *j, const char *text)
{
	for (size_t i = 0; i < j->limits.n; i++) {
		if (!strcmp(j->limits.v[i], text))
			return;
	}
	const char *copy = j->limits.n < 50 ? arena_str(&j->mem, span_of(text)) : NULL;
	if (copy)
		list_add(&j->mem, &j->limits, copy);
}

struct jfinding *finding_new(struct judge *j, enum cause c, bool soft)
{
	if (j->n_findings >= FINDINGS_MAX) {
		j->dropped_findings++;
		limit_say(j, TR("more than 1,000 findings: the rest are counted only", "问题超过 1000 个，其余只计数"));
		return NULL;
	}
	/* All at once, though few are ever touched: callers hold on to findings while they make others. */
	if (!j->findings)
		j->findings = mem_alloc(FINDINGS_MAX * sizeof(*j->findings));
	if (!j->findings) {
		j->no_memory = true;
		return NULL;
	}
	struct jfinding *f = &j->findings[j->n_findings++];
	*f = (struct jfinding){ .soft = soft };
	f->f.cause = c;
	f->f.severity = cause_table[c].severity;
	f->f.classes = cause_table[c].classes;
	f->f.order = j->order++;
	return f;
}

void finding_text(struct judge *j, struct span *to, struct span text)
{
	CLEANUP(buf_free) struct buf b = { .max = EXCERPT_MAX * 4 };
	struct span cut;

	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	text_clean(redact_head(text, EXCERPT_MAX * 2), true, &b);
	cut = redact_head(buf_view(&b), EXCERPT_MAX - 8);
	if (cut.n < b.len) { /* at the end of a line */
		size_t nl = span_rchr(cut, '\n');
		if (nl != SPAN_NONE && nl > cut.n / 2)
			cut = span_head(cut, nl);
		b.len = cut.n;
		buf_adds(&b, "\n…");
		cut = buf_view(&b);
	}
	*to = cut.n ? arena_span(&j->mem, cut) : (struct span){ 0 };
}

void finding_line(struct judge *j, struct span *to, struct span text)
{
	CLEANUP(buf_free) struct buf b = { .max = 8192 };
	struct span cut;

	text = redact_head(span_trim(text), 1000);
	while (text.n) { /* a value of several lines reads on */
		struct span part = span_trim(span_cut(&text, '\n'));
		text_clean(part, false, &b);
		if (text.n)
			buf_addc(&b, ' ');
	}
	cut = redact_head(buf_view(&b), 500);
	*to = cut.n ? arena_span(&j->mem, cut) : (struct span){ 0 };
}

/* A file as a person finds it from where the command ran: below cwd, or the bare test file in its package. */
static struct span nice_file(struct judge *j, struct span package, struct span file)
{
	struct span cwd = span_of(j->cfg.cwd), mod = span_of(j->cfg.module);

	if (cwd.n && span_starts(file, cwd) && file.n > cwd.n + 1 && file.p[cwd.n] == '/')
		return arena_span(&j->mem, span_from(file, cwd.n + 1));
	while (span_skip(&file, S("./")))
		;
	if (span_chr(file, '/') != SPAN_NONE || !mod.n || !span_starts(package, mod))
		return arena_span(&j->mem, file);
	struct span sub = span_from(package, mod.n);
	if (sub.n && sub.p[0] != '/')
		return arena_span(&j->mem, file);
	const char *dir = j->cfg.module_dir ? j->cfg.module_dir : "";
	return span_of(arena_printf(&j->mem, "%s%.*s%s%.*s", dir, (int)(sub.n ? sub.n - 1 : 0), sub.n ? sub.p + 1 : "",
				    sub.n ? "/" : "", SPAN_ARG(file)));
}

void finding_file(struct judge *j, struct jfinding *f, struct span package, struct span file, int line)
{
	CLEANUP(buf_free) struct buf b = { .max = 4096 };

	text_clean(redact_head(file, 1000), false, &b);
	f->f.file = nice_file(j, package, buf_view(&b));
	f->f.line = line;
}

void finding_place(struct judge *j, struct jfinding *f, struct span package, struct span file, int line)
{
	if (f->f.n_places >= PLACES_MAX) {
		f->cascade++;
		limit_say(j, TR("a cause with more than 200 places: the rest are counted only", "同一原因超过 200 处，其余只计数"));
		return;
	}
	if ((f->f.n_places & (f->f.n_places - 1)) == 0) { /* a power of two: full */
		size_t cap = f->f.n_places ? f->f.n_places * 2 : 1;
		struct place *p = arena_alloc(&j->mem, cap * sizeof(*p));
		if (!p)
			return;
		if (f->f.n_places)
			memcpy(p, f->f.places, f->f.n_places * sizeof(*p));
		f->f.places = p;
	}
	f->f.places[f->f.n_places++] = (struct place){ arena_span(&j->mem, package), arena_span(&j->mem, file), line };
}

void finding_say(struct judge *j, struct jfinding *f)
{
	if (f && !f->soft)
		notify(j, &(struct notice){ .kind = NOTICE_FINDING, .package = f->f.package, .test = f->f.test,
					    .finding = &f->f, .seconds = -1 });
}

/* ---- blocks ---- */

void block_clear(struct block *b)
{
	struct buf text = b->text, files = b->files, message = b->message;

	buf_clear(&text);
	buf_clear(&files);
	buf_clear(&message);
	*b = (struct block){ .text = text, .files = files, .message = message };
}

void block_free(struct block *b)
{
	buf_free(&b->text);
	buf_free(&b->files);
	buf_free(&b->message);
	*b = (struct block){ 0 };
}

void block_open(struct block *b, enum block_kind kind, const struct goline *g, int64_t order)
{
	block_clear(b);
	b->kind = kind;
	b->order = order;
	b->text.max = BLOCK_MAX;
	b->message.max = 2048;
	if (g && g->kind == LINE_BUILD_HEADER) {
		name_copy(b->package, sizeof(b->package), g->package);
		b->second = g->second;
		b->is_test = g->is_test;
	}
}

static bool is_note(struct span line) /* says nothing by itself: must not be the message */
{
	return !line.n || line.p[0] == '#' || span_ends(line, S("SECURITY ERROR")) || span_starts(line, S("In file included")) ||
	       span_find(line, S(": In function")) != SPAN_NONE;
}

void block_line(struct block *b, const struct goline *g, struct span line)
{
	if (b->lines++ < BLOCK_LINES && b->text.len + line.n + 1 < BLOCK_MAX) {
		buf_span(&b->text, line);
		buf_addc(&b->text, '\n');
	}
	if (g->kind == LINE_BUILD_HEADER) {
		b->second |= g->second;
		return;
	}
	bool place = g->kind == LINE_DIAG || g->kind == LINE_GENERATE;
	if (place) {
		b->vet |= g->vet;
		b->generate |= g->kind == LINE_GENERATE;
		if (!b->n_places)
			b->column = g->column;
		if (b->n_places < ARRAY_LEN(b->places)) {
			b->places[b->n_places++] = (struct block_place){ b->files.len, g->file.n, g->line };
			buf_span(&b->files, g->file);
		}
	}
	if (place && b->n_places == 1 && b->lines > 0 && !b->used) {
		b->used = true; /* the first diagnostic is the message */
		buf_clear(&b->message);
		buf_span(&b->message, g->text.n ? g->text : line);
	} else if (!b->message.len && !is_note(line)) {
		buf_span(&b->message, g->text.n ? g->text : line);
	}
}

static struct place block_place(const struct block *b, size_t i)
{
	const struct block_place *p = &b->places[i];

	return (struct place){ .file = { b->files.p + p->at, p->n }, .line = p->line };
}

/* The same root cause again: one finding, more places. */
static struct jfinding *same_cause(struct judge *j, enum cause c, const struct block *b, bool network)
{
	CLEANUP(buf_free) struct buf clean = { .max = 8192 };

	text_clean(redact_head(span_trim(buf_view(&b->message)), 500), false, &clean);
	for (size_t i = 0; i < j->n_findings; i++) {
		struct finding *f = &j->findings[i].f;
		if (f->cause != c || f->severity != cause_table[c].severity)
			continue;
		if (network || span_eq(f->message, buf_view(&clean)))
			return &j->findings[i];
	}
	return NULL;
}

static enum cause block_cause(struct judge *j, const struct block *b, bool go_vet, const struct cause_match **m)
{
	unsigned where = b->kind == BLOCK_GO ? IN_GO : IN_BUILD | IN_GO;

	*m = match_text(j->match, buf_view(&b->text), where);
	if (*m)
		return (*m)->cause;
	if (b->kind == BLOCK_GO || b->generate)
		return CAUSE_PROC_EXIT;
	if (b->second || (go_vet && !b->vet))
		return CAUSE_BUILD_VET;
	return CAUSE_BUILD_COMPILE;
}

/* "reading go.work: /p/go.work:3: unknown directive": the place stands inside the text. */
static void place_in_text(struct judge *j, struct jfinding *f, struct span text)
{
	static const struct span names[] = { { "go.work:", 8 }, { "go.mod:", 7 }, { "go.sum:", 7 } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t from = 0, step;
		while ((step = span_find(span_from(text, from), names[i])) != SPAN_NONE) {
			size_t at = from + step, begin = at, digits = 0;
			from = at + names[i].n;
			struct span number = span_from(text, from);
			int64_t line;
			while (digits < number.n && number.p[digits] >= '0' && number.p[digits] <= '9')
				digits++;
			while (begin && !strchr(" \t\n", text.p[begin - 1]))
				begin--;
			if (!span_int(span_head(number, digits), &line) || line <= 0 || line > 10000000)
				continue;
			finding_file(j, f, f->f.package, (struct span){ text.p + begin, at + names[i].n - 1 - begin }, (int)line);
			return;
		}
	}
}

struct jfinding *block_finding(struct judge *j, struct block *b, bool soft, bool go_vet)
{
	const struct cause_match *m;
	enum cause c = block_cause(j, b, go_vet, &m);
	bool network = m && strchr("TM", m->classes[0]);
	struct jfinding *f = same_cause(j, c, b, network);
	bool fresh = !f;

	if (fresh)
		f = finding_new(j, c, soft);
	if (!f)
		return NULL;
	f->soft &= soft;
	struct span package = span_of(b->package[0] ? b->package : NULL);
	if (fresh) {
		f->f.order = b->order;
		if (m) {
			f->f.classes = m->classes;
			f->f.advice = span_of(m->advice.en ? tx(m->advice) : NULL);
		}
		f->f.package = arena_span(&j->mem, package);
		f->f.column = b->column;
		finding_line(j, &f->f.message, buf_view(&b->message));
		finding_text(j, &f->f.excerpt, buf_view(&b->text));
		if (b->n_places) {
			struct place p = block_place(b, 0);
			finding_file(j, f, package, p.file, p.line);
		} else {
			place_in_text(j, f, buf_view(&b->text));
		}
	}
	if (b->n_places || !fresh)
		for (size_t i = 0; i < (b->n_places ? b->n_places : 1); i++) {
			struct place p = b->n_places ? block_place(b, i) : (struct place){ 0 };
			if (p.file.p) {
				struct jfinding tmp = { 0 };
				finding_file(j, &tmp, package, p.file, p.line);
				p.file = tmp.f.file;
			}
			finding_place(j, f, package, p.file, p.line);
		}
	if (fresh)
		finding_say(j, f);
	return f;
}

/* ---- crashes ---- */

static const struct {
	struct span text;
	enum cause cause;
} fatals[] = {
	{ { "all goroutines are asleep", 25 }, CAUSE_GO_DEADLOCK },
	{ { "no goroutines (main called runtime.Goexit)", 42 }, CAUSE_GO_DEADLOCK },
	{ { "concurrent map", 14 }, CAUSE_GO_CONCURRENT_MAP },
	{ { "stack overflow", 14 }, CAUSE_GO_STACK_OVERFLOW },
	{ { "goroutine stack exceeds", 23 }, CAUSE_GO_STACK_OVERFLOW },
	{ { "out of memory", 13 }, CAUSE_GO_OUT_OF_MEMORY },
	{ { "cannot allocate memory", 22 }, CAUSE_GO_OUT_OF_MEMORY },
	{ { "failed to reserve page summary memory", 37 }, CAUSE_GO_OUT_OF_MEMORY },
};

/* glog's Fatal ends in a SIGABRT that it sends itself. */
static bool is_logger_abort(const struct crash *c)
{
	for (int i = 0; i < c->n_frames; i++) {
		if (span_starts(span_of(c->frames[i].func), S("github.com/golang/glog.")))
			return true;
	}
	return false;
}

enum cause crash_cause(const struct crash *c, bool in_test)
{
	struct span value = span_of(c->value);

	if (c->kind == CRASH_RACE)
		return CAUSE_TEST_RACE;
	if (c->kind == CRASH_TIMEOUT)
		return CAUSE_TEST_TIMEOUT;
	if (c->kind == CRASH_PANIC && in_test)
		return CAUSE_TEST_PANIC;
	if (c->kind == CRASH_PANIC)
		return span_find(value, S("nil pointer dereference")) != SPAN_NONE ? CAUSE_GO_NIL_DEREF : CAUSE_GO_PANIC;
	if (c->cgo)
		return CAUSE_GO_CGO_CRASH;
	for (size_t i = 0; i < ARRAY_LEN(fatals); i++) {
		if (span_find(value, fatals[i].text) != SPAN_NONE)
			return fatals[i].cause;
	}
	if (c->kind == CRASH_SIGNAL && c->sent && strcmp(c->signal, "SIGQUIT") != 0) /* no fault of any code's */
		return !strcmp(c->signal, "SIGABRT") ? is_logger_abort(c) ? CAUSE_PROC_LOG_FATAL : CAUSE_PROC_SIGNAL : CAUSE_GO_FATAL;
	if (c->kind == CRASH_SIGNAL)
		return !strcmp(c->signal, "SIGSEGV") || !strcmp(c->signal, "SIGBUS") || !strcmp(c->signal, "SIGABRT") ?
			       CAUSE_GO_CGO_CRASH : CAUSE_PROC_SIGNAL;
	return CAUSE_GO_FATAL;
}
