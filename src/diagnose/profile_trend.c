#include "diagnose/profile_own.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/time.h"

/*
 * What grows from profile to profile. Values are counted at sites: the innermost frame of a stack that is not the standard
 * library's, for thousands of goroutines differ in where they wait and agree in who made them wait.
 */
enum { STACK_SHOWN = 6, SITE_SUSPICIOUS = 10000, GOROUTINES_GROWN = 10 };
#define BYTES_GROWN (1 << 20)
#define OBJECTS_GROWN 1000

static bool watched(const struct group *g)
{
	if (!strncmp(g->kind, "goroutine", 9) || !strcmp(g->kind, "threadcreate"))
		return true;
	return span_starts(g->type, S("inuse_")) || span_eq(g->type, S("space")) || span_eq(g->type, S("objects"));
}

static struct span stack_text(const struct loading *l, const struct pprof_sample *p)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	size_t shown = 0;

	for (size_t i = 0; i < p->n_locations && shown < STACK_SHOWN; i++) {
		const struct frames *f = &l->places[p->locations[i]];
		for (uint32_t k = f->first; k < f->first + f->n && shown < STACK_SHOWN; k++) {
			buf_adds(&b, shown++ ? " ← " : "");
			buf_span(&b, span_head(l->g->names[l->frames[k]], 200));
		}
	}
	return arena_span(&l->s->mem, buf_view(&b));
}

static const struct frames *place_of(const struct loading *l, const struct pprof_sample *p)
{
	const struct frames *first = NULL;

	for (size_t i = 0; i < p->n_locations; i++) {
		const struct frames *f = &l->places[p->locations[i]];
		if (f->site != PPROF_NONE)
			return f;
		if (!first && f->n)
			first = f;
	}
	return first;
}

static struct site *site_at(struct loading *l, uint32_t name)
{
	struct group *g = l->g;

	if (g->site_of[name])
		return &g->sites[g->site_of[name] - 1];
	if (!mem_grow(&g->sites, &g->cap_sites, g->n_sites, sizeof(*g->sites)))
		return NULL;
	g->sites[g->n_sites] = (struct site){ .name = name, .largest = INT64_MIN };
	g->site_of[name] = (uint32_t)++g->n_sites;
	return &g->sites[g->n_sites - 1];
}

bool trend_sample(struct loading *l, const struct pprof_sample *p, int64_t v)
{
	if (!watched(l->g))
		return true;
	const struct frames *f = place_of(l, p);
	if (!f)
		return true;
	struct site *s = site_at(l, f->site != PPROF_NONE ? f->site : l->frames[f->first]);
	if (!s)
		return false;
	s->now = __builtin_add_overflow(s->now, v, &s->now) ? INT64_MAX : s->now;
	if (v <= s->largest)
		return true;
	s->largest = v;
	s->stack = stack_text(l, p);
	if (f->site != PPROF_NONE && !s->file.p) {
		const struct pprof_line *line = &l->p.lines[f->line];
		s->file = arena_span(&l->s->mem, pprof_string(&l->p, l->p.functions[line->function].file));
		s->line = line->line > 0 && line->line < INT32_MAX ? (int)line->line : 0;
	}
	return true;
}

/* The profile is whole: its values are kept. */
bool trend_end(struct loading *l)
{
	struct group *g = l->g;

	g->trended = false;
	if (!mem_grow(&g->points, &g->cap_points, g->n_points, sizeof(*g->points)))
		return false;
	struct point *p = &g->points[g->n_points++];
	*p = (struct point){ .time_ns = l->p.time_ns, .first = g->n_values };
	for (size_t i = 0; i < g->n_sites; i++) {
		if (!g->sites[i].now || g->n_values >= PROFILE_SITES)
			continue;
		if (!mem_grow(&g->values, &g->cap_values, g->n_values, sizeof(*g->values)))
			return false;
		g->values[g->n_values++] = (struct site_value){ (uint32_t)i, g->sites[i].now };
	}
	p->n = g->n_values - p->first;
	for (size_t i = 0; i < g->n_sites; i++) {
		g->sites[i].largest = g->sites[i].now ? g->sites[i].largest : INT64_MIN;
		g->sites[i].now = 0;
	}
	return true;
}

/* ---- series ---- */

static int by_time(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

/* All say when they were taken, at different times. */
static bool put_in_order(struct group *g)
{
	for (size_t i = 0; i < g->n_points; i++) {
		if (g->points[i].time_ns <= 0)
			return false;
	}
	qsort(g->points, g->n_points, sizeof(*g->points), by_time);
	return g->points[g->n_points - 1].time_ns > g->points[0].time_ns;
}

/* Least squares, by minute or by profile. */
static double slope_of(const struct group *g, const int64_t *v, bool timed)
{
	double mx = 0, my = 0, xy = 0, xx = 0, n = (double)g->n_points;

	for (size_t i = 0; i < g->n_points; i++) {
		mx += timed ? (double)(g->points[i].time_ns - g->points[0].time_ns) / 60e9 : (double)i;
		my += (double)v[i];
	}
	mx /= n;
	my /= n;
	for (size_t i = 0; i < g->n_points; i++) {
		double x = (timed ? (double)(g->points[i].time_ns - g->points[0].time_ns) / 60e9 : (double)i) - mx;
		xy += x * ((double)v[i] - my);
		xx += x * x;
	}
	return xx > 0 ? xy / xx : 0;
}

static int64_t threshold(const struct group *g)
{
	if (span_eq(g->unit, S("bytes")))
		return BYTES_GROWN;
	return span_starts(g->type, S("inuse_")) || span_eq(g->type, S("objects")) ? OBJECTS_GROWN : GOROUTINES_GROWN;
}

/* It never falls by more than a fiftieth, and gains enough, a tenth at least. */
static bool grows(const struct group *g, const int64_t *v, size_t n)
{
	int64_t growth = v[n - 1] - v[0];

	for (size_t i = 1; i < n; i++) {
		if (v[i] < v[i - 1] - v[i - 1] / 50)
			return false;
	}
	return growth >= threshold(g) && growth >= v[0] / 10 && n >= 3 && v[n / 2] > v[0] && v[n - 1] > v[n / 2];
}

static int by_growth(const void *a, const void *b)
{
	const struct profile_trend *x = a, *y = b;

	if (x->leak != y->leak)
		return x->leak ? -1 : 1;
	return x->growth > y->growth ? -1 : x->growth < y->growth;
}

static bool make_trends(struct profiles *s, struct group *g)
{
	bool timed = put_in_order(g);
	int64_t *all = arena_alloc(&s->mem, g->n_sites * g->n_points * sizeof(*all));

	g->trends = arena_alloc(&s->mem, g->n_sites * sizeof(*g->trends));
	if (!all || !g->trends)
		return false;
	for (size_t i = 0; i < g->n_points; i++) {
		const struct point *p = &g->points[i];
		for (size_t k = p->first; k < p->first + p->n; k++)
			all[g->values[k].site * g->n_points + i] = g->values[k].value;
	}
	for (size_t i = 0; i < g->n_sites; i++) {
		const int64_t *v = all + i * g->n_points;
		int64_t growth = v[g->n_points - 1] - v[0];
		if (growth <= 0)
			continue;
		g->trends[g->n_trends++] = (struct profile_trend){ .site = g->names[g->sites[i].name], .file = g->sites[i].file, .line = g->sites[i].line,
			.values = v, .n = g->n_points, .growth = growth, .slope = slope_of(g, v, timed), .by_time = timed, .leak = grows(g, v, g->n_points),
			.stack = g->sites[i].stack };
	}
	qsort(g->trends, g->n_trends, sizeof(*g->trends), by_growth);
	return true;
}

size_t profiles_trends(struct profiles *s, size_t group, const struct profile_trend **ret)
{
	struct group *g = &s->groups[group];

	*ret = NULL;
	if (!g->trended && g->n_points >= 3 && g->n_sites && watched(g)) {
		g->n_trends = 0;
		if (g->n_sites > PROFILE_SITES / g->n_points || !make_trends(s, g))
			g->n_trends = 0;
	}
	g->trended = true;
	*ret = g->trends;
	return g->n_trends;
}

/* ---- findings ---- */

static void put_series(const struct group *g, const struct profile_trend *t, struct buf *b)
{
	char text[32];

	for (size_t i = 0; i < t->n; i++) {
		if (t->n > 8 && i == 4)
			buf_adds(b, " → …");
		if (t->n > 8 && i >= 4 && i < t->n - 3)
			continue;
		profile_value_text(t->values[i], g->unit, text);
		buf_addf(b, "%s%s", i ? " → " : "", text);
	}
}

static void say_place(struct report *r, struct finding *f, struct span file, int line, struct span stack)
{
	f->file = file.n ? report_text(r, "%.*s", SPAN_ARG(file)) : (struct span){ 0 };
	f->line = line;
	f->excerpt = report_text(r, "%.*s", SPAN_ARG(stack));
}

static void say_trend(const struct group *g, const struct profile_trend *t, struct report *r)
{
	CLEANUP(buf_free) struct buf series = { 0 };
	char slope[32];
	bool routines = !strncmp(g->kind, "goroutine", 9);

	put_series(g, t, &series);
	profile_value_text((int64_t)t->slope, g->unit, slope);
	struct finding *f = report_say(r, CAUSE_GO_LEAK,
		t->by_time ? TR("%s at %.*s grow: %s (%s a minute)", "%s 在 %.*s 处持续增长：%s（每分钟 %s）")
			   : TR("%s at %.*s grow: %s (%s a profile)", "%s 在 %.*s 处持续增长：%s（每份剖析 %s）"),
		routines ? TR("goroutines", "goroutine") : TR("allocations that stay in use", "未释放的分配"), SPAN_ARG(span_head(t->site, 300)), buf_str(&series), slope);
	if (!f)
		return;
	say_place(r, f, t->file, t->line, t->stack);
	if (!routines)
		f->advice = report_text(r, "%s", TR("See who keeps what is allocated there: a cache without bound, a slice or map that only grows, a goroutine that never ends.",
						    "查看是谁一直引用此处分配的内存：无上限的缓存、只增不减的切片或 map、从不结束的 goroutine。"));
}

void profiles_findings(struct profiles *s, size_t group, struct report *r)
{
	const struct profile_trend *t;
	size_t n = profiles_trends(s, group, &t);

	for (size_t i = 0; i < n && i < PROFILE_WORST && t[i].leak; i++)
		say_trend(&s->groups[group], &t[i], r);
}

void profiles_findings_last(struct profiles *s, struct report *r)
{
	const struct group *g = &s->groups[s->last];
	bool leaked = !strcmp(g->kind, "goroutineleak");

	if (!s->n_groups || (!leaked && strcmp(g->kind, "goroutine") != 0) || !g->n_points)
		return;
	const struct point *p = &g->points[g->n_points - 1];
	for (size_t i = p->first, said = 0; i < p->first + p->n && said < PROFILE_WORST; i++) {
		const struct site *at = &g->sites[g->values[i].site];
		int64_t v = g->values[i].value;
		if (v < (leaked ? 1 : SITE_SUSPICIOUS))
			continue;
		struct finding *f = report_say(r, CAUSE_GO_LEAK,
			leaked ? TR("%lld goroutines at %.*s are leaked: nothing that runs can reach what they wait for", "%lld 个 goroutine 在 %.*s 处泄漏：运行中的代码已无法触及它们等待的对象")
			       : TR("%lld goroutines at %.*s: so many at one place are mostly leaked", "%lld 个 goroutine 集中在 %.*s：同一处数量如此之多通常是泄漏"),
			(long long)v, SPAN_ARG(span_head(g->names[at->name], 300)));
		if (f)
			say_place(r, f, at->file, at->line, at->stack);
		said++;
	}
}
