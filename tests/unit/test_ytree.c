#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "check/ci/ytree.h"

static struct syntax *parser;
static struct arena mem;

static struct ytree parse(struct span text)
{
	struct err e = { 0 };
	struct ytree y;

	arena_free(&mem);
	if (!parser)
		assert_int_equal(yparser_open(&parser, &e), 0);
	assert_int_equal(ytree_parse(parser, text, &mem, &y, &e), 0);
	return y;
}

static void same(struct span got, const char *want)
{
	assert_non_null(got.p);
	if (!span_eq(got, span_of(want)))
		fail_msg("got <%.*s>, wanted <%s>", SPAN_ARG(got), want);
}

/* Each byte of the text stands where the map says, but for those that YAML makes itself (blanks, newlines, escapes). */
static void mapped_is(struct ytree *y, const struct ynode *n, const char *want, bool exact)
{
	CLEANUP(mapped_free) struct mapped m = { 0 };

	ytext_into(&m, y, n);
	same(buf_view(&m.text), want);
	struct shell_run how = { .pieces = m.pieces, .n_pieces = m.n };
	for (uint32_t i = 0; i < m.text.len; i++) {
		uint32_t at = shell_in_file(&how, i);
		assert_true(at >= n->from && at <= n->to);
		if (exact && at < y->text.n && y->text.p[at] != '\r')
			assert_int_equal(y->text.p[at], m.text.p[i]);
	}
}

/* ---- values ---- */

static void scalars_of_all_styles(void **state)
{
	struct ytree y = parse(S("plain: a b  # no\n"
				 "over: one\n  two\n\n  three\n"
				 "single: 'it''s\n  here'\n"
				 "double: \"a\\tb \\u4e2d \\\n   c\n  d\"\n"
				 "empty:\n"
				 "null: ~\n"));

	(void)state;
	assert_int_equal(y.errors, 0);
	same(yget_text(&y, y.docs, "plain"), "a b");
	same(yget_text(&y, y.docs, "over"), "one two\nthree");
	same(yget_text(&y, y.docs, "single"), "it's here");
	same(yget_text(&y, y.docs, "double"), "a\tb \xe4\xb8\xad c d");
	assert_null(yget(&y, y.docs, "empty"));
	assert_null(yget(&y, y.docs, "missing"));
	assert_null(yget_text(&y, y.docs, "missing").p);
	mapped_is(&y, yfind(&y, y.docs, "plain"), "a b", true);
	mapped_is(&y, yfind(&y, y.docs, "single"), "it's here", false);
	mapped_is(&y, yfind(&y, y.docs, "double"), "a\tb \xe4\xb8\xad c d", false);
}

static void blocks(void **state)
{
	struct ytree y = parse(S("run: |\n"
				 "  set -e\n"
				 "\n"
				 "    go test ./...\n"
				 "  # no comment of YAML\n"
				 "\n"
				 "strip: |-\n"
				 "  a\n"
				 "  b\n"
				 "keep: |+\n"
				 "  a\n"
				 "\n"
				 "folded: >\n"
				 "  one\n"
				 "  two\n"
				 "\n"
				 "  three\n"
				 "    more\n"
				 "  end\n"
				 "list:\n"
				 "- |2\n"
				 "    deep\n"
				 "  flat\n"
				 "cr: |\r\n"
				 "  a\r\n"
				 "  b\r\n"));

	(void)state;
	assert_int_equal(y.errors, 0);
	mapped_is(&y, yget(&y, y.docs, "run"), "set -e\n\n  go test ./...\n# no comment of YAML\n", true);
	mapped_is(&y, yget(&y, y.docs, "strip"), "a\nb", true);
	mapped_is(&y, yget(&y, y.docs, "keep"), "a\n", true);
	mapped_is(&y, yget(&y, y.docs, "folded"), "one two\nthree\n  more\nend\n", false);
	mapped_is(&y, yfirst(&y, yget(&y, y.docs, "list")), "  deep\nflat\n", true);
	mapped_is(&y, yget(&y, y.docs, "cr"), "a\nb\n", false);
}

static void flow_and_tags(void **state)
{
	struct ytree y = parse(S("on: [push, {pull_request: null}]\n"
				 "script:\n"
				 "  - !reference [.setup, script]\n"
				 "  - {a: b, 'c d': [1, 2]}\n"));
	const struct ynode *on = yget(&y, y.docs, "on"), *script = yget(&y, y.docs, "script");

	(void)state;
	assert_int_equal(y.errors, 0);
	assert_true(on->kind == YSEQ && on->flow && on->n == 2);
	same(ytext(&y, on->first), "push");
	same(ykey(&y, on->first->next->first), "pull_request");
	same(script->first->tag, "!reference");
	same(ytext(&y, script->first->first->next), "script");
	assert_int_equal(yget(&y, script->first->next, "c d")->n, 2);
}

static void documents(void **state)
{
	struct ytree y = parse(S("kind: pipeline\nx: &a 1\n---\nkind: secret\ny: *a\n"));

	(void)state;
	same(yget_text(&y, y.docs, "kind"), "pipeline");
	same(yget_text(&y, y.docs->next, "kind"), "secret");
	/* An anchor ends with its document. */
	assert_null(yget(&y, y.docs->next, "y"));
}

/* ---- aliases ---- */

static void aliases_and_merges(void **state)
{
	struct ytree y = parse(S("base: &base {image: golang, stage: test}\n"
				 "more: &more {image: alpine, tags: [x]}\n"
				 "one:\n  <<: *base\n  stage: build\n"
				 "two:\n  <<: [*base, *more]\n"
				 "three: *base\n"
				 "self: &self [*self, *nobody]\n"));
	const struct ynode *one = yget(&y, y.docs, "one"), *two = yget(&y, y.docs, "two");

	(void)state;
	same(yget_text(&y, one, "image"), "golang");
	same(yget_text(&y, one, "stage"), "build");
	same(yget_text(&y, two, "image"), "golang");
	assert_int_equal(yget(&y, two, "tags")->n, 1);
	same(yget_text(&y, yget(&y, y.docs, "three"), "stage"), "test");
	const struct ynode *self = yget(&y, y.docs, "self");
	assert_ptr_equal(yreal(&y, self->first), self);
	assert_null(yreal(&y, self->first->next));
}

static size_t count(struct ytree *y, const struct ynode *n, int depth)
{
	size_t sum = 1;

	for (const struct ynode *v = depth < 40 && !y->loops ? yfirst(y, n) : NULL; v; v = v->next)
		sum += count(y, v, depth + 1);
	return sum;
}

static void a_billion_laughs(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	(void)state;
	buf_adds(&b, "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 20; i++) {
		buf_addf(&b, "l%d: &l%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_addf(&b, "%s*l%d", k ? ", " : "", i - 1);
		buf_adds(&b, "]\n");
	}
	struct ytree y = parse(buf_view(&b));
	assert_true(y.nodes < 1000);
	assert_true(count(&y, yget(&y, y.docs, "l19"), 0) < 5 * YTREE_STEPS * 10);
	assert_true(y.loops);
}

/* ---- what is no YAML ---- */

static void broken_lines(void **state)
{
	struct ytree y = parse(S("jobs:\n"
				 "  test:\n"
				 "    steps:\n"
				 "      - run: go test ./... | tee x\n"
				 "      - name: bad: colon\n"
				 "        run: echo hi\n"
				 "      - run: \"unclosed\n"
				 "  lint:\n"
				 "    steps:\n"
				 "      - run: go vet ./...\n"
				 "{{ template }}\n"
				 "last: yes\n"));
	const struct ynode *jobs = yget(&y, y.docs, "jobs");

	(void)state;
	assert_true(y.errors >= 3);
	same(yget_text(&y, yfirst(&y, yget(&y, yget(&y, jobs, "test"), "steps")), "run"),
	     "go test ./... | tee x");
	same(yget_text(&y, yfirst(&y, yget(&y, yget(&y, jobs, "lint"), "steps")), "run"), "go vet ./...");
	assert_true(ytrue(&y, yget(&y, y.docs, "last")));
}

static void nothing_at_all(void **state)
{
	static const char *const texts[] = { "",
					     "\n",
					     "# only a comment\n",
					     "---\n",
					     "\xff\xfe\x80",
					     "\t\t:",
					     "- - - -",
					     "*x",
					     "&a",
					     "!t",
					     "[",
					     "\"",
					     "|",
					     ">9",
					     "? a",
					     ": b",
					     "a: |\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ytree y = parse(span_of(texts[i]));
		assert_null(yget(&y, y.docs, "zz"));
		count(&y, y.docs, 0);
	}
}

/* More levels than the grammar's scanner has room for: it would write behind it. */
static void deep(void **state)
{
	CLEANUP(buf_free) struct buf maps = { 0 };
	CLEANUP(buf_free) struct buf lists = { 0 };
	CLEANUP(buf_free) struct buf flow = { 0 };

	(void)state;
	for (int i = 0; i < 2000; i++) {
		buf_addf(&maps, "%*sa:\n", i, "");
		buf_adds(&lists, "- ");
		buf_adds(&flow, "[");
	}
	struct ytree y = parse(buf_view(&maps));
	assert_true(y.deep && y.nodes <= 2 * YTREE_DEPTH + 2);
	y = parse(buf_view(&lists));
	assert_true(y.nodes <= 2 * YTREE_DEPTH + 2);
	y = parse(buf_view(&flow));
	assert_true(y.nodes <= 2 * YTREE_DEPTH + 2);
}

static void too_large(void **state)
{
	struct err e = { 0 };
	struct ytree y;
	char *much = mem_zalloc(YTREE_BYTES + 1);

	(void)state;
	assert_non_null(much);
	assert_int_equal(ytree_parse(parser, (struct span){ much, YTREE_BYTES + 1 }, &mem, &y, &e), -EFBIG);
	mem_free(much);
}

static int end(void **state)
{
	(void)state;
	syntax_close(parser);
	arena_free(&mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_of_all_styles),
		cmocka_unit_test(blocks),
		cmocka_unit_test(flow_and_tags),
		cmocka_unit_test(documents),
		cmocka_unit_test(aliases_and_merges),
		cmocka_unit_test(a_billion_laughs),
		cmocka_unit_test(broken_lines),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(deep),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
