/* Goroutine dumps and logs: whatever the bytes, and the same however they are cut. */
#include <stdlib.h>

#include "diagnose/goroutines.h"
#include "diagnose/logs.h"
#include "diagnose/match.h"
#include "parse/loglevel.h"
#include "parse/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static struct goroutines *read_dump(struct span text, size_t piece)
{
	struct goroutines *g;
	struct err e;

	check(goroutines_new(&g, &e) == 0);
	for (size_t i = 0; i < text.n; i += piece)
		goroutines_feed(g, span_head(span_from(text, i), piece));
	goroutines_end(g);
	return g;
}

static void check_dump(const struct goroutines *g, size_t size)
{
	const struct traceback *t = g->t;
	int64_t sum = 0, shown = 0;

	for (size_t i = 0; i < t->n_buckets; i++) {
		const struct tb_bucket *b = &t->buckets[i];
		sum += b->count;
		check(b->count > 0 && b->offset >= 0 && b->offset <= (int64_t)size && b->wait < TB_WAITS);
		for (uint32_t k = 0; k < b->n_places; k++)
			check(b->places[k] < t->n_places && t->places[b->places[k]].func < t->n_funcs);
	}
	for (size_t i = 0; i < g->n_groups; i++)
		shown += g->groups[i].all;
	check(sum == t->count && shown == t->count && g->shown == t->count);
	for (size_t i = 0; i < g->n_knots; i++)
		check(g->knots[i].n_members && g->knots[i].text[0] && g->knots[i].members[0].group < g->n_groups);
}

static void run_dump(struct span text)
{
	struct goroutines *a = read_dump(text, SIZE_MAX), *b = read_dump(text, 61);
	struct report r = { 0 };

	check_dump(a, text.n);
	check(a->count == b->count && a->n_groups == b->n_groups && a->n_knots == b->n_knots);
	check(!a->series == !b->series && (!a->series || (a->series->n == b->series->n && a->series->n_changes == b->series->n_changes)));
	check(a->t->cut_in_frame == b->t->cut_in_frame && a->t->last == b->t->last);
	goroutines_findings(a, &r, true);
	goroutines_limits(a, &r);
	report_free(&r);
	goroutines_free(a);
	goroutines_free(b);
}

static void run_levels(struct span text)
{
	struct buf said = { 0 };

	while (text.n) {
		buf_clear(&said);
		loglevel_read(span_cut(&text, '\n'), &said);
		check(said.len <= 4096);
	}
	buf_free(&said);
}

static void run_log(struct span text, size_t piece)
{
	static struct match *match; /* building it takes longer than most inputs */
	struct judge_config cfg = { .explain = true };
	struct report r = { 0 };
	struct judge *j;
	struct logs *l;
	struct err e;

	check(match || match_new(&match, &e) == 0);
	cfg.match = match;
	check(judge_new(&cfg, &j, &e) == 0 && logs_new(span_head(text, 4096), j, &l, &e) == 0);
	for (size_t i = 0; i < text.n; i += piece)
		logs_feed(l, span_head(span_from(text, i), piece));
	logs_end(l);
	check(judge_finish(j, &r, &e) == 0);
	logs_report(l, &r);
	logs_free(l);
	judge_free(j);
	report_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	traceback_looks_like(text);
	logline_form(text);
	run_dump(text);
	run_levels(text);
	run_log(text, SIZE_MAX);
	run_log(text, 61);
	return 0;
}
