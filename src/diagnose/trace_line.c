/*
 * The timeline of a window in bounded memory: runs on processors, the shortest joined when there are too many; and the mean
 * number of goroutines of a group in each state, in columns that double their width when the trace goes past the last.
 */
#include <stdlib.h>

#include "diagnose/trace_own.h"

#define MAX_ROWS 256
#define MAX_LANES 256
#define MAX_SEGMENTS 8000 /* of all rows */
#define MAX_MARKS 4000
#define FIRST_COLUMN 1000  /* ns */

struct timeline {
	int64_t from, to, column, joined, end;
	struct trace_row *rows;
	size_t n_rows, cap_rows, n_segments;
	struct trace_lane *lanes;
	size_t n_lanes, cap_lanes;
	uint16_t *lane_of; /* by group, + 1; 0: none yet */
	size_t cap_lane_of;
	struct trace_mark *marks;
	size_t n_marks, cap_marks;
	uint64_t left_out;
};

struct timeline *timeline_new(const struct trace_config *c)
{
	struct timeline *l = mem_zalloc(sizeof(*l));

	if (!l)
		return NULL;
	l->from = c->from > 0 ? c->from : 0;
	l->to = c->to > 0 ? c->to : INT64_MAX;
	l->column = FIRST_COLUMN;
	return l;
}

void timeline_free(struct timeline *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n_rows; i++)
		mem_free(l->rows[i].v);
	for (size_t i = 0; i < l->n_lanes; i++)
		mem_free(l->lanes[i].v);
	mem_free(l->rows);
	mem_free(l->lanes);
	mem_free(l->lane_of);
	mem_free(l->marks);
	mem_free(l);
}

/* ---- groups ---- */

/* So far that `last` has a column: at one go, however far that is. */
static void widen(struct timeline *l, int64_t last)
{
	unsigned k = 1;

	while (last / l->column >> k >= TRACE_COLUMNS)
		k++;
	for (size_t i = 0; i < l->n_lanes; i++) {
		float(*v)[TC_COUNT] = l->lanes[i].v;

		for (size_t c = 1; c < TRACE_COLUMNS; c++) {
			for (size_t s = 0; s < TC_COUNT; s++) {
				float more = v[c][s];

				v[c][s] = 0;
				v[c >> k][s] += more;
			}
		}
	}
	l->column = l->column > INT64_MAX >> k ? INT64_MAX : l->column << k;
}

static struct trace_lane *lane(struct timeline *l, uint32_t group)
{
	struct trace_lane *n;

	while (group >= l->cap_lane_of) {
		size_t was = l->cap_lane_of;

		if (!mem_grow(&l->lane_of, &l->cap_lane_of, l->cap_lane_of, sizeof(*l->lane_of)))
			return NULL;
		memset(l->lane_of + was, 0, (l->cap_lane_of - was) * sizeof(*l->lane_of));
	}
	if (l->lane_of[group])
		return &l->lanes[l->lane_of[group] - 1];
	if (l->n_lanes >= MAX_LANES || !mem_grow(&l->lanes, &l->cap_lanes, l->n_lanes, sizeof(*l->lanes)))
		return NULL;
	n = &l->lanes[l->n_lanes];
	n->group = group;
	n->v = mem_zalloc(TRACE_COLUMNS * sizeof(*n->v));
	if (!n->v)
		return NULL;
	l->lane_of[group] = (uint16_t)++l->n_lanes;
	return n;
}

static void lane_add(struct timeline *l, uint32_t group, enum trace_class c, int64_t from, int64_t to)
{
	struct trace_lane *n = lane(l, group);

	if (!n) {
		l->left_out++;
		return;
	}
	if ((to - 1) / l->column >= TRACE_COLUMNS)
		widen(l, to - 1);
	for (int64_t at = from / l->column; at <= (to - 1) / l->column; at++) {
		int64_t a = at * l->column, b = a > INT64_MAX - l->column ? INT64_MAX : a + l->column;

		n->v[at][c] += (float)((b < to ? b : to) - (a > from ? a : from));
	}
}

/* ---- processors ---- */

static struct trace_row *row(struct timeline *l, uint64_t p)
{
	size_t i = 0;

	while (i < l->n_rows && l->rows[i].p != p)
		i++;
	if (i < l->n_rows)
		return &l->rows[i];
	if (l->n_rows >= MAX_ROWS || !mem_grow(&l->rows, &l->cap_rows, l->n_rows, sizeof(*l->rows)))
		return NULL;
	l->rows[l->n_rows] = (struct trace_row){ .p = p };
	return &l->rows[l->n_rows++];
}

/* Into the one before it, when both are short or touch within the resolution. */
static bool join(struct trace_segment *a, const struct trace_segment *b, int64_t joined)
{
	int64_t a_long = a->to - a->from, b_long = b->to - b->from;

	if (!joined || b->from - a->to >= joined || (b_long >= joined && a_long >= joined) || (b_long >= 8 * joined) ||
	    (a->runs == 1 && a_long >= 8 * joined))
		return false;
	if (b->busy > a->busy) {
		a->goroutine = b->goroutine;
		a->group = b->group;
	}
	a->syscall &= b->syscall;
	a->to = b->to;
	time_add(&a->busy, b->busy);
	a->runs += b->runs;
	return true;
}

static void coarsen(struct timeline *l)
{
	l->joined = l->joined ? l->joined * 2 : FIRST_COLUMN;
	l->n_segments = 0;
	for (size_t i = 0; i < l->n_rows; i++) {
		struct trace_row *r = &l->rows[i];
		size_t n = r->n ? 1 : 0;

		for (size_t k = 1; k < r->n; k++) {
			if (!join(&r->v[n - 1], &r->v[k], l->joined))
				r->v[n++] = r->v[k];
		}
		r->n = n;
		l->n_segments += n;
	}
}

static void row_add(struct timeline *l, uint64_t p, const struct trace_segment *s)
{
	struct trace_row *r = row(l, p);

	if (!r) {
		l->left_out++;
		return;
	}
	if (r->n && join(&r->v[r->n - 1], s, l->joined))
		return;
	for (int i = 0; l->n_segments >= MAX_SEGMENTS && i < 40; i++)
		coarsen(l);
	if (!mem_grow(&r->v, &r->cap, r->n, sizeof(*r->v)))
		return;
	r->v[r->n++] = *s;
	l->n_segments++;
}

void timeline_span(struct timeline *l, int64_t from, int64_t to, uint32_t group, enum trace_class c, uint64_t p, uint64_t g)
{
	struct trace_segment s = { .goroutine = g, .group = group, .runs = 1, .syscall = c == TC_SYSCALL };

	from = from > l->from ? from - l->from : 0;
	to = (to < l->to ? to : l->to) - l->from;
	if (to <= from)
		return;
	lane_add(l, group, c, from, to);
	if (p == XT_NONE || (c != TC_RUNNING && c != TC_SYSCALL))
		return;
	if (c == TC_SYSCALL && to - from > 1000000)
		return; /* the processor was taken away meanwhile */
	s.from = from + l->from;
	s.to = to + l->from;
	s.busy = to - from;
	row_add(l, p, &s);
}

void timeline_mark(struct timeline *l, int64_t from, int64_t to, uint8_t what, uint32_t text, uint32_t text2, uint64_t id)
{
	if (to < l->from || from >= l->to)
		return;
	if (l->n_marks >= MAX_MARKS || !mem_grow(&l->marks, &l->cap_marks, l->n_marks, sizeof(*l->marks))) {
		l->left_out++;
		return;
	}
	l->marks[l->n_marks++] = (struct trace_mark){ from > l->from ? from : l->from, to < l->to ? to : l->to, text, text2, what, id };
}

static int by_p(const void *a, const void *b)
{
	const struct trace_row *p = a, *q = b;

	return (p->p > q->p) - (p->p < q->p);
}

static int by_from(const void *a, const void *b)
{
	const struct trace_segment *p = a, *q = b;

	return (p->from > q->from) - (p->from < q->from);
}

void timeline_end(struct timeline *l, int64_t end)
{
	l->end = end;
	if (l->n_rows)
		qsort(l->rows, l->n_rows, sizeof(*l->rows), by_p);
	for (size_t i = 0; i < l->n_rows; i++) {
		if (!l->rows[i].n)
			continue;
		qsort(l->rows[i].v, l->rows[i].n, sizeof(*l->rows[i].v), by_from);
	}
	for (size_t i = 0; i < l->n_lanes; i++) {
		for (size_t c = 0; c < TRACE_COLUMNS; c++) {
			for (size_t s = 0; s < TC_COUNT; s++)
				l->lanes[i].v[c][s] /= (float)l->column;
		}
	}
}

bool trace_timeline(const struct trace *t, struct trace_timeline *ret)
{
	const struct timeline *l = t->line;
	int64_t to;

	*ret = (struct trace_timeline){ 0 };
	if (!l || !t->over || !t->view.duration)
		return false;
	to = l->to < l->end ? l->to : l->end;
	if (to <= l->from)
		return false;
	*ret = (struct trace_timeline){
		.from = l->from, .to = to, .column = l->column, .rows = l->rows, .n_rows = l->n_rows, .lanes = l->lanes,
		.n_lanes = l->n_lanes, .marks = l->marks, .n_marks = l->n_marks, .joined = l->joined, .left_out = l->left_out,
	};
	ret->columns = (size_t)((to - l->from - 1) / l->column + 1);
	if (ret->columns > TRACE_COLUMNS)
		ret->columns = TRACE_COLUMNS;
	return true;
}
