/* Several dumps in one text: each is analysed as it ends, and all are compared. */
#include <stdlib.h>

#include "base/mem.h"
#include "diagnose/goroutines_own.h"

enum { BYTES_MAX = 32 << 20, SAID_MAX = 16 };

static struct span file_of(const struct goroutines *g, uint32_t place, struct arena *mem, int *line)
{
	struct span file = place == TB_NONE ? (struct span){ 0 } : goframe_file(g->t->places[place].at, line);

	return file.n ? arena_span(mem, file) : (struct span){ 0 };
}

static void keep_said(struct goseries *s, const struct goroutines *g)
{
	for (size_t i = 0; i < g->n_knots && i < GOSERIES_SAID; i++) {
		const struct goknot *k = &g->knots[i];
		CLEANUP(buf_free) struct buf text = { .max = 8 << 10 };
		struct gosaid *o = &s->parts[s->n].said[s->parts[s->n].n_said++];
		knot_excerpt(g, k, &text);
		*o = (struct gosaid){ .wrong = k->wrong,
				      .cause = k->cause,
				      .certain = k->certain,
				      .text = arena_span(&s->mem, span_of(k->text)),
				      .excerpt = arena_span(&s->mem, buf_view(&text)) };
		o->file = file_of(g, k->place, &s->mem, &o->line);
	}
}

static bool add(struct goroutines *g, struct goseries *s)
{
	struct goroutines now = { .t = g->t, .rules = g->rules, .filtered = g->filtered };
	CLEANUP(buf_free) struct buf name = { 0 };
	size_t used = s->mem.used;

	for (size_t i = 0; i < s->n; i++)
		used += s->dumps[i].mem.used;
	if (s->n == GOSERIES_MAX || used > BYTES_MAX) {
		s->more++;
		return true;
	}
	goroutines_analyse(&now);
	buf_addf(&name, TR("byte %lld", "第 %lld 字节"), (long long)g->t->first);
	bool fine = !now.no_memory && godump_make(&now, buf_str(&name), 0, &s->dumps[s->n]) == 0;
	if (fine) {
		s->parts[s->n].first = g->t->first;
		s->parts[s->n].last = g->t->last;
		keep_said(s, &now);
		s->n++;
	}
	goroutines_forget(&now);
	return fine;
}

void goseries_add(struct goroutines *g, bool last)
{
	if (last && !g->series)
		return; /* the only one: it is analysed as a whole */
	if (!g->series)
		g->series = mem_zalloc(sizeof(*g->series));
	g->no_memory |= !g->series || !add(g, g->series);
}

void goseries_end(struct goroutines *g)
{
	struct goseries *s = g->series;

	if (!s)
		return;
	if (s->n < 2) {
		goseries_free(s);
		g->series = NULL;
		return;
	}
	int64_t n = godumps_compare(s->dumps, s->n, &s->mem, &s->changes);
	g->no_memory |= n < 0;
	s->n_changes = n < 0 ? 0 : (size_t)n;
}

void goseries_free(struct goseries *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		godump_free(&s->dumps[i]);
	arena_free(&s->mem);
	mem_free(s);
}

/* ---- what they say ---- */

static bool is_same(const struct gosaid *a, const struct gosaid *b)
{
	return a->wrong == b->wrong && a->line == b->line && span_eq(a->file, b->file);
}

/* Is the part the one that is shown, or has a shown one said the same? */
static bool is_told(const struct goroutines *g, const struct gosaid *o, const struct gosaid *const *told,
		    size_t n_told)
{
	const struct goseries *s = g->series;

	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; s->parts[i].first == g->t->first && k < s->parts[i].n_said; k++) {
			if (is_same(&s->parts[i].said[k], o))
				return true;
		}
	}
	for (size_t i = 0; i < n_told; i++) {
		if (is_same(told[i], o))
			return true;
	}
	return false;
}

static void say(const struct goseries *s, size_t part, const struct gosaid *o, struct report *r)
{
	struct finding *f = report_say(
		r, o->cause, TR("dump %zu, at byte %lld: %.*s", "第 %zu 个转储，位于第 %lld 字节：%.*s"),
		part + 1, (long long)s->parts[part].first, SPAN_ARG(o->text));

	if (!f)
		return;
	f->severity = o->certain ? cause_table[o->cause].severity : SEV_WARNING;
	f->order = (int64_t)(r->n_findings);
	f->file = o->file.n ? report_text(r, "%.*s", SPAN_ARG(o->file)) : (struct span){ 0 };
	f->line = o->line;
	f->excerpt = report_text(r, "%.*s", SPAN_ARG(o->excerpt));
}

void goseries_findings(const struct goroutines *g, struct report *r, bool all)
{
	const struct goseries *s = g->series;
	const struct gosaid *told[SAID_MAX];
	size_t n = 0;

	if (!s)
		return;
	for (size_t i = s->n; i-- > 0;) { /* the newest first */
		for (size_t k = 0; k < s->parts[i].n_said && n < SAID_MAX; k++) {
			const struct gosaid *o = &s->parts[i].said[k];
			if ((!all && (knot_is_suspicion(o->wrong) || !o->certain)) || is_told(g, o, told, n))
				continue;
			say(s, i, o, r);
			told[n++] = o;
		}
	}
	godumps_findings(s->n, s->changes, s->n_changes, r);
}

void goseries_limits(const struct goroutines *g, struct report *r)
{
	const struct goseries *s = g->series;

	list_add(
		&r->mem, &r->limits,
		report_text(
			r,
			TR("it holds %zu dumps: all are compared, the one with the most goroutines is shown (bytes %lld to %lld)",
			   "其中有 %zu 个转储：全部比较，显示 goroutine 最多的一个（第 %lld 至 %lld 字节）"),
			s->n, (long long)g->t->first, (long long)g->t->last)
			.p);
	if (s->n < 3)
		list_add(&r->mem, &r->limits,
			 report_text(r, "%s",
				     TR("two dumps show what changed; a leak takes three",
					"两个转储只能看出变化；判断泄漏需要三个"))
				 .p);
	if (s->more)
		list_add(&r->mem, &r->limits,
			 report_text(r,
				     TR("%lld more dumps are not compared: at most %d, of %d MiB, are",
					"另有 %lld 个转储未参与比较：最多比较 %d 个、共 %d MiB"),
				     (long long)s->more, GOSERIES_MAX, BYTES_MAX >> 20)
				 .p);
}
