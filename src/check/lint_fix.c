#include "check/lint_fix.h"

#include <stdlib.h>

#include "base/mem.h"

/* All edits of one finding are made, or none of them. */
struct change {
	const struct lint_edit *edit;
	size_t finding; /* its place in the list, for those of one finding stand together where they insert at one byte */
};

static int by_place(const void *pa, const void *pb)
{
	const struct change *a = pa, *b = pb;

	if (a->edit->from != b->edit->from)
		return a->edit->from < b->edit->from ? -1 : 1;
	if (a->edit->to != b->edit->to)
		return a->edit->to < b->edit->to ? -1 : 1;
	return (a->finding > b->finding) - (a->finding < b->finding);
}

static bool overlap(const struct lint_edit *a, const struct lint_edit *b)
{
	if (a->from == b->from && a->to == b->to)
		return true; /* two that insert at one byte too: which comes first nobody has said */
	return a->from < b->to && b->from < a->to;
}

static bool fits(const struct lint_finding *f, size_t length, const struct change *taken, size_t n)
{
	for (size_t i = 0; i < f->n_edits; i++) {
		const struct lint_edit *e = &f->edits[i];
		if (e->from > e->to || e->to > length)
			return false;
		for (size_t k = 0; k < n; k++)
			if (overlap(e, taken[k].edit))
				return false;
	}
	return f->n_edits > 0;
}

size_t lint_fix_text(struct span text, const struct lint_finding *const *findings, size_t n, bool all,
		     struct buf *ret)
{
	CLEANUP(mem_free) struct change *taken = NULL;
	size_t made = 0, count = 0, cap = 0, at = 0;

	for (size_t i = 0; i < n; i++) {
		const struct lint_finding *f = findings[i];
		if ((!f->edits_safe && !all) || !fits(f, text.n, taken, count))
			continue;
		for (size_t k = 0; k < f->n_edits; k++) {
			if (!mem_grow(&taken, &cap, count, sizeof(*taken))) {
				ret->bad = true;
				return 0;
			}
			taken[count++] = (struct change){ &f->edits[k], i };
		}
		made++;
	}
	if (count)
		qsort(taken, count, sizeof(*taken), by_place);
	for (size_t i = 0; i < count; i++) {
		const struct lint_edit *e = taken[i].edit;
		buf_span(ret, span_head(span_from(text, at), e->from - at));
		buf_span(ret, e->text);
		at = e->to;
	}
	buf_span(ret, span_from(text, at));
	return made;
}
