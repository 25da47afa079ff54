#include <sys/random.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/attempt.h"

#define DELAY_BASE NSEC_PER_SEC
#define DELAY_MAX  (30 * NSEC_PER_SEC)

static bool in_list(const struct opt_list *l, const char *word)
{
	for (size_t i = 0; word && i < l->n; i++) {
		if (!strcmp(l->v[i], word))
			return true;
	}
	return false;
}

static bool is_failure(enum outcome o)
{
	return o != OUTCOME_PASSED && o != OUTCOME_NONE && o != OUTCOME_EMPTY && o != OUTCOME_UNSTABLE;
}

bool retry_wanted(const struct session *s, const struct report *r)
{
	const struct opt_list *on = &s->o->retry_on;
	const struct finding *f = r->n_findings ? &r->findings[0] : NULL;
	const char *classes = f && f->cause == r->cause ? f->classes : cause_table[r->cause].classes;

	if (!is_failure(r->outcome) || !r->cause || r->ending.stop == STOP_SIGNAL)
		return false;
	for (const char *c = classes; c && *c; c++) {
		if (*c == 'S')
			return false;
	}
	if (in_list(on, cause_table[r->cause].id))
		return true;
	for (const char *c = classes; c && *c; c++) {
		if (on->n ? in_list(on, class_word(*c)) : *c == 'T')
			return true;
	}
	return false;
}

/* Exponential, full jitter: many jobs that failed together do not come back together. */
int64_t retry_delay(int64_t attempt)
{
	int64_t top = attempt > 5 ? DELAY_MAX : DELAY_BASE << attempt;
	uint64_t rnd = (uint64_t)time_mono();

	if (getrandom(&rnd, sizeof(rnd), GRND_NONBLOCK) != (ssize_t)sizeof(rnd))
		rnd = rnd * 6364136223846793005u + 1442695040888963407u;
	top = top > DELAY_MAX ? DELAY_MAX : top;
	return (int64_t)((rnd >> 11) % (uint64_t)(top + 1));
}

/* What is no test does not depend on the order of tests: what failed first says what to do. */
static void recovered_advice(struct report *r, const struct report *first, struct finding *f)
{
	struct span said = first->n_findings ? first->findings[0].advice : (struct span){ 0 };

	if (!said.n)
		said = span_of(tx(cause_table[first->cause].advice));
	const char *text = arena_printf(&r->mem, TR("Nothing now; it may come back. %.*s", "目前无需处理，但可能再次出现。%.*s"), SPAN_ARG(said));
	if (text)
		f->advice = span_of(text);
}

void retry_unstable(struct report *r, const struct report *first)
{
	const char *id = cause_table[first->cause].id;
	struct finding *f = report_add(r);

	r->outcome = OUTCOME_UNSTABLE;
	r->cause = CAUSE_TEST_UNSTABLE;
	r->summary = arena_printf(&r->mem,
				  TR("failed first (%s: %s), then passed", "先失败（%s：%s），后通过"),
				  id ? id : "?", first->summary ? first->summary : "");
	if (!f)
		return;
	*f = (struct finding){ .cause = CAUSE_TEST_UNSTABLE, .severity = SEV_WARNING, .classes = "T" };
	if (first->n_findings) {
		const struct finding *was = &first->findings[0];
		f->package = arena_span(&r->mem, was->package);
		f->test = arena_span(&r->mem, was->test);
		f->file = arena_span(&r->mem, was->file);
		f->line = was->line;
		f->excerpt = arena_span(&r->mem, was->excerpt);
	}
	if (r->summary)
		f->message = span_of(r->summary);
	if (id && strncmp(id, "test.", 5) != 0)
		recovered_advice(r, first, f);
	struct finding mine = *f; /* the primary cause stands first */
	memmove(r->findings + 1, r->findings, (r->n_findings - 1) * sizeof(mine));
	r->findings[0] = mine;
}
