/* check: what runs at start, and in which order. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "check/go/initwork.h"
#include "check/initgraph.h"

/* ---- what a file does ---- */

static const struct {
	const char *text;
	int functions, variables;
	bool unsure;
} files[] = {
	{ "package a\n", 0, 0, false },
	{ "package a\nfunc init() {}\nfunc init() { /* x */ }\n", 0, 0, false },
	{ "package a\nfunc init() { x() }\nfunc Init() { x() }\nfunc (t T) init() { x() }\nfunc  init ( ) { y() }\n",
	  2, 0, false },
	{ "package a\nvar a, b = 1, f()\nvar (\n\tc = map[string]int{}\n\td = <-e\n)\n", 0, 3, false },
	{ "package a\nvar a, b = f()\n", 0, 1, false },
	{ "package a\nvar a = &T{1, [2]int{3, k}}\nvar f = func() int { return g() }\nvar s = []string{\"x\"}\nvar u = uint32(1 << 3)\nvar n = (*T)(nil)\n",
	  0, 0, false },
	{ "package a\nvar a = T{1, f()}\nvar b = []T{{f()}}\n", 0, 2, false },
	{ "package a\nvar a = errors.New(\"x\")\nvar b = io.Discard\nvar c = a\n", 0, 0, true },
	{ "package a\nvar a = cpu.X86.HasAES\n", 0, 1, false },
	{ "package a\nvar s = `\nfunc init() { x() }\nvar y = f()\n`\n// var z = f()\n/*\nvar z = f()\n*/\nvar r = '\"'\nfunc g() {\n\tvar v = f()\n}\n",
	  0, 0, false },
	{ "package a; var a = f(); func init() { x() }; type T struct{}; const c = 1; var b = f()", 1, 2,
	  false },
	{ "package a\nvar a = f(\n", 0, 0, true },
};

static void count(struct syntax *p, const char *text, bool no_addresses, struct init_does *ret)
{
	CLEANUP(buf_free) struct buf part = { 0 };
	struct map vars = { 0 };
	struct gofile f = { 0 };
	struct err e;

	*ret = (struct init_does){ 0 };
	go_init_part(span_of(text), &part);
	if (part.len) {
		assert_int_equal(gofile_parse(p, buf_view(&part), &f, &e), 0);
		assert_true(go_init_variables(&f, &vars));
		go_init_does(&f, &vars, no_addresses, ret);
		gofile_free(&f);
	}
	map_free(&vars);
}

static void what_files_do(void **state)
{
	struct syntax *p;
	struct err e;
	struct init_does does;

	assert_int_equal(gosyntax_open(&p, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		count(p, files[i].text, false, &does);
		if (does.functions != files[i].functions || does.variables != files[i].variables ||
		    does.unsure != files[i].unsure)
			fail_msg("%s: %d %d %d", files[i].text, does.functions, does.variables, does.unsure);
	}
	count(p,
	      "package a\nvar a = &T{1}\nvar b = \"x\"\nvar c = 1\nvar d = []int{1}\nvar e = [2]int{1, 2}\n",
	      true, &does);
	assert_int_equal(does.variables, 3);
	syntax_close(p);
}

/* ---- the order ---- */

/* "name: imports" a line each, "*" behind a name that does something; the first is the program. */
static void graph(const char *text, bool by_name, struct init_graph *g)
{
	struct span rest = span_of(text);

	*g = (struct init_graph){ .by_name = by_name };
	for (int pass = 0; pass < 2; pass++) {
		rest = span_of(text);
		for (size_t i = 0; rest.n; i++) {
			struct span imports = span_cut(&rest, '\n'), name = span_cut(&imports, ':'), one;
			bool runs = span_ends(name, S("*"));
			name.n -= runs;
			if (pass == 0) {
				assert_true(g->n < g->cap || mem_grow(&g->v, &g->cap, g->n, sizeof(*g->v)));
				struct init_package *p = &g->v[g->n++];
				*p = (struct init_package){
					.path = arena_str(&g->mem, name),
					.symbol = arena_printf(&g->mem, "%.*s..inittask", SPAN_ARG(name)),
					.origin = span_eq(name, S("runtime")) ? INIT_STD : INIT_OWN,
					.work = runs ? INIT_RUNS : INIT_NOTHING,
					.program = i == 0
				};
				assert_true(map_put(&g->by_path, span_of(p->path), (void *)g->n));
				continue;
			}
			g->v[i].imports = arena_alloc(&g->mem, 100 * sizeof(size_t));
			while (imports.n)
				if ((one = span_cut(&imports, ' ')).n)
					g->v[i].imports[g->v[i].n_imports++] =
						(size_t)map_get(&g->by_path, one) - 1;
		}
	}
}

static const struct {
	const char *graph, *by_depth, *by_name;
} orders[] = {
	{ "main*: b a\na*:\nb*:\nruntime*:\n", "runtime b a main", "runtime a b main" },
	/* What does nothing, and imports nothing that does, holds nobody up: a comes before m. */
	{ "main*: m a\na*: z\nm*:\nz:\nruntime*:\n", "runtime m a main", "runtime a m main" },
	/* But what something is waited for in does. */
	{ "main*: m a\na*: z\nm*:\nz: zz\nzz*:\nruntime*:\n", "runtime m zz a main", "runtime m zz a main" },
	/* The sign behind a name counts: "a-b" < "a.." < "a/b". */
	{ "main*: a a/b a-b\na*:\na/b*:\na-b*:\nruntime*:\n", "runtime a a/b a-b main",
	  "runtime a-b a a/b main" },
	/* The runtime and what it imports are first, and once. */
	{ "main*: a zz\na*: zz\nzz*:\nruntime*: zz\n", "zz runtime a main", "zz runtime a main" },
};

static void both_rules(void **state)
{
	for (size_t i = 0; i < 2 * ARRAY_LEN(orders); i++) {
		bool by_name = i % 2;
		const char *expect = by_name ? orders[i / 2].by_name : orders[i / 2].by_depth;
		CLEANUP(buf_free) struct buf got = { 0 };
		CLEANUP(init_graph_free) struct init_graph g;
		struct err e = { 0 };

		graph(orders[i / 2].graph, by_name, &g);
		for (int again = 0; again < 2; again++)
			assert_int_equal(init_graph_order(&g, 0, &e), 0);
		for (size_t k = 0; k < g.n_order; k++) {
			buf_addf(&got, "%s%s", k ? " " : "", g.v[g.order[k]].path);
			assert_int_equal(g.v[g.order[k]].turn, k + 1);
		}
		assert_string_equal(buf_str(&got), expect);
	}
}

static void in_a_circle(void **state)
{
	for (int by_name = 0; by_name < 2; by_name++) {
		CLEANUP(init_graph_free) struct init_graph g;
		struct err e = { 0 };
		graph("main*: a\na*: b\nb*: a\nruntime*:\n", by_name, &g);
		assert_int_equal(init_graph_order(&g, 0, &e), -ELOOP);
	}
}

static void without_memory(void **state)
{
	for (fault_at = 0;; fault_at++) {
		CLEANUP(init_graph_free) struct init_graph g;
		struct err e = { 0 };
		long at = fault_at;
		fault_at = 0;
		graph(orders[0].graph, true, &g);
		fault_at = at + 1;
		fault_seen = 0;
		int r = init_graph_order(&g, 0, &e);
		bool all = fault_seen < fault_at;
		fault_at = at;
		if (all) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
	}
	fault_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_files_do),
		cmocka_unit_test(both_rules),
		cmocka_unit_test(in_a_circle),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests_name("initorder", tests, NULL, NULL);
}
