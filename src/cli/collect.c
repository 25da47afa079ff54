#include "cli/collect.h"

#include "base/mem.h"
#include "base/time.h"

static struct span keep_package(struct collect *c, struct span name)
{
	if (!span_eq(c->package, name))
		c->package = arena_span(&c->mem, name);
	return c->package;
}

static void add_test(struct collect *c, const struct notice *n)
{
	/* clang-format off */
	static const enum test_outcome outcomes[] = { [RESULT_NONE] = TEST_UNFINISHED, [RESULT_PASS] = TEST_PASS, [RESULT_FAIL] = TEST_FAIL, [RESULT_SKIP] = TEST_SKIP };
	/* clang-format on */

	if (c->n >= COLLECT_MAX || !mem_grow(&c->v, &c->cap, c->n, sizeof(*c->v))) {
		c->full = true;
		return;
	}
	struct test_result *t = &c->v[c->n];
	*t = (struct test_result){ .package = n->package.n ? keep_package(c, n->package) : (struct span){ 0 }, .test = arena_span(&c->mem, n->test),
		.result = outcomes[n->result], .attempt = 1, .ns = n->seconds < 0 ? -1 : (int64_t)(n->seconds * (double)NSEC_PER_SEC) };
	if (!t->test.p)
		c->full = true;
	else
		c->n++;
}

/* A package that has ended names the tests of plain text before it; those of a cached one did not run. */
static void end_package(struct collect *c, const struct notice *n)
{
	struct span name = keep_package(c, n->package);

	for (size_t i = c->open; i < c->n; i++) {
		if (!c->v[i].package.n)
			c->v[i].package = name;
	}
	for (size_t i = c->n; n->cached && i > 0 && span_eq(c->v[i - 1].package, name); i--)
		c->v[i - 1].attempt = 0;
	c->open = c->n;
}

void collect_notice(struct collect *c, const struct notice *n)
{
	if (n->kind == NOTICE_TEST_END)
		add_test(c, n);
	else if (n->kind == NOTICE_PKG_END)
		end_package(c, n);
}

void collect_free(struct collect *c)
{
	arena_free(&c->mem);
	mem_free(c->v);
	*c = (struct collect){ 0 };
}
