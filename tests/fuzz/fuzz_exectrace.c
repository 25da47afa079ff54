/* Execution traces, and what is said of them. */
#include <stdlib.h>

#include "diagnose/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_stack(const struct trace *t, uint32_t stack)
{
	size_t n;
	const struct xt_frame *f = trace_stack(t, stack, &n);

	check(!n || f);
	for (size_t i = 0; i < n; i++)
		check(trace_text(t, f[i].func).p && trace_text(t, f[i].file).p);
	trace_place(t, stack);
}

static void check_view(const struct trace *t)
{
	const struct trace_view *v = trace_view(t);
	struct trace_timeline l;

	for (size_t i = 0; i < v->n_sites; i++) {
		check(v->sites[i].group < v->n_groups && v->sites[i].dep < DEP_COUNT && v->sites[i].total >= v->sites[i].max);
		check_stack(t, v->sites[i].stack);
		check_stack(t, v->sites[i].waker);
	}
	for (size_t i = 0; i < v->n_open; i++)
		check(v->open[i].group < v->n_groups && v->open[i].to >= v->open[i].from);
	for (size_t i = 0; i < v->n_all; i++)
		check(v->all[i].group < v->n_groups);
	if (!trace_timeline(t, &l))
		return;
	check(l.columns <= TRACE_COLUMNS && l.to > l.from);
	for (size_t i = 0; i < l.n_rows; i++) {
		for (size_t k = 0; k < l.rows[i].n; k++)
			check(l.rows[i].v[k].to > l.rows[i].v[k].from && l.rows[i].v[k].group < v->n_groups);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_config c = { .timeline = size % 2 };
	struct report r = { 0 };
	struct trace *t;
	struct err e;
	size_t step = size ? 1 + data[size - 1] : 1;

	if (trace_new(&c, &t, &e) < 0)
		return 0;
	for (size_t at = 0; at < size; at += step)
		trace_feed(t, span_head((struct span){ (const char *)data + at, size - at }, step));
	trace_end(t, &e);
	trace_findings(t, &r);
	check_view(t);
	report_free(&r);
	trace_free(t);
	return 0;
}
