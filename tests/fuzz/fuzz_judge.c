/*
 * The whole judge over any bytes. The first byte chooses: explain or run, JSON asked for or not, the exit status,
 * how the rest is cut into pieces and dealt to the streams.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "diagnose/judge.h"
#include "diagnose/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_json(struct span text)
{
	struct json_in in = { .text = text };
	enum json_tok t;

	while ((t = json_next(&in)) > JSON_END)
		;
	check(t == JSON_END);
}

static void check_report(struct report *r)
{
	CLEANUP(buf_free) struct buf json = { 0 };

	check(r->outcome >= OUTCOME_NONE && r->outcome < OUTCOME_COUNT);
	check(r->cause >= CAUSE_NONE && r->cause < CAUSE_COUNT);
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		check(f->cause > CAUSE_NONE && f->cause < CAUSE_COUNT && f->classes);
		check(f->excerpt.n <= 4096);
	}
	report_json(r, &json);
	check_json(buf_view(&json));
}

static void feed(struct judge *j, struct span input, unsigned mode)
{
	static const size_t steps[] = { 1 << 20, 1, 13, 100 };
	size_t step = steps[mode & 3];

	for (size_t i = 0, k = 0; i < input.n; i += step, k++) {
		struct span part = span_head(span_from(input, i), step);
		char *mem = mem_dup(part.p, part.n); /* of its own, so that a byte too far is seen */
		check(mem != NULL);
		judge_feed(j, mode & 4 ? STREAM_BOTH : k % 5 == 4 ? STREAM_ERR : STREAM_OUT, (struct span){ mem, part.n });
		mem_free(mem);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *argv[] = { "go", "test", "./...", NULL };
	static struct match *match; /* building it takes longer than most inputs */
	struct report r = { 0 };
	struct judge *j;
	struct err e;

	if (!size)
		return 0;
	check(match || match_new(&match, &e) == 0);
	unsigned mode = data[0];
	struct judge_config c = { .explain = (mode & 8) != 0, .json_out = (mode & 16) != 0, .strict = (mode & 32) != 0,
				  .match = match };
	if (!c.explain)
		c.argv = (struct argv){ argv, 3 };
	check(judge_new(&c, &j, &e) == 0);
	feed(j, (struct span){ (const char *)data + 1, size - 1 }, mode);
	r.is_run = !c.explain;
	r.ending = (struct ending){ .how = c.explain ? END_UNKNOWN : END_EXIT, .code = mode >> 6 };
	check(judge_finish(j, &r, &e) == 0);
	check_report(&r);
	report_free(&r);
	judge_free(j);
	return 0;
}
