/* What stands between a pipeline's file and the shell rules: scripts as commands, text that knows its place, Groovy, make, here documents. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "check/ci/groovy.h"
#include "check/ci/heredoc.h"
#include "check/ci/interp.h"
#include "check/ci/make.h"
#include "check/ci/script.h"

/* A walk over all points of failure: for (long n = 1; fails_at(&n); ) { … } runs once more without a failure. */
static bool fails_at(long *n)
{
	bool again = *n == 1 || fault_seen >= fault_at;

	fault_seen = 0;
	fault_at = again ? (*n)++ : 0;
	assert_true(*n < 100000);
	return again;
}

static bool failed(void)
{
	return fault_seen >= fault_at;
}

/* ---- script ---- */

static void show(const struct sh *s, struct buf *b)
{
	static const char *const names[] = {
		[SH_ERROR] = "ERROR",       [SH_COMMAND] = "",    [SH_TEST] = "test",
		[SH_PIPE] = "pipe",         [SH_AND] = "and",     [SH_OR] = "or",
		[SH_NOT] = "not",           [SH_SEQ] = "seq",     [SH_SUBSHELL] = "subshell",
		[SH_GROUP] = "group",       [SH_IF] = "if",       [SH_FOR] = "for",
		[SH_WHILE] = "while",       [SH_UNTIL] = "until", [SH_CASE] = "case",
		[SH_FUNCTION] = "function", [SH_SUBST] = "$",     [SH_PROCESS] = "<",
	};

	buf_addf(b, "%s(%.*s", names[s->kind], SPAN_ARG(s->name));
	for (size_t i = 0; i < s->n_assigns; i++)
		buf_addf(b, "%s%.*s", i ? " " : "", SPAN_ARG(s->assigns[i].raw));
	for (size_t i = 0; i < s->n_words; i++)
		buf_addf(b, "%s%.*s%s", i || s->n_assigns ? " " : "", SPAN_ARG(s->words[i].plain),
			 s->words[i].dynamic ? "~" : "");
	for (const struct sh_redirect *r = s->redirects; r; r = r->next)
		buf_addf(b, " %.*s", SPAN_ARG(r->raw));
	if (s->fed.p)
		buf_addf(b, " {%.*s}", SPAN_ARG(s->fed));
	for (const struct sh *k = s->substs; k; k = k->next)
		show(k, b);
	for (const struct sh *k = s->kids; k; k = k->next)
		show(k, b);
	buf_adds(b, s->background ? ")&" : ")");
}

static void scripts(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "seq()" },
		{ "go test ./... | tee 'a b'", "seq(pipe((go test ./...)(tee a b)))" },
		{ "a && b || c; d &", "seq(or(and((a)(b))(c))(d)&)" },
		{ "! a | b", "seq(not(pipe((a)(b))))" },
		{ "A=1 B=$x go build \"$y\" 2>&1 >/dev/null",
		  "seq((A=1 B=$x go build $y~ >/dev/null 2>&1))" },
		{ "(a; b)\n{ c; }", "seq(subshell(seq((a)(b)))group(seq((c))))" },
		{ "if a; then b; elif c; then d; else e; fi",
		  "seq(if(seq((a))seq((b))seq(if(seq((c))seq((d))seq((e))))))" },
		{ "for i in 1 2; do a; done\nwhile b; do c; done; until d; do e; done",
		  "seq(for(seq((a)))while(seq((b))seq((c)))until(seq((d))seq((e))))" },
		{ "case $x in a) b ;; *) c ;; esac", "seq(case(seq((b))seq((c))))" },
		{ "f() { a; }\nf", "seq(function(fgroup(seq((a))))(f))" },
		{ "x=$(go env GOPATH)", "seq((x=$(go env GOPATH)$(seq((go env GOPATH)))))" },
		{ "[ -f x ] && [[ -n $y ]]", "seq(and(test()test()))" },
		{ "bash <<'EOF'\nx\nEOF\nb | c <<<d", "seq((bash {x\n})pipe((b)(c <<<d {d})))" },
		{ "cat <<EOF | sh\nx\nEOF\nb", "seq(pipe((cat {x\n})(sh))(b))" },
	};
	CLEANUP(syntax_close) struct syntax *p = NULL;

	assert_int_equal(bashsyntax_open(&p, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		CLEANUP(buf_free) struct buf b = { 0 };
		struct err e;
		size_t errors = 0;
		const struct sh *s = script_parse(p, &mem, span_of(rows[i].text), 0, &errors, &e);
		assert_non_null(s);
		show(s, &b);
		if (strcmp(buf_str(&b), rows[i].want) != 0 || errors)
			fail_msg("%s\n%zu errors\ngot    %s\nwanted %s", rows[i].text, errors, buf_str(&b),
				 rows[i].want);
	}
}

static void scripts_at_their_limits(void **state)
{
	CLEANUP(syntax_close) struct syntax *p = NULL;
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct err e = { 0 };
	size_t errors = 0;

	assert_int_equal(bashsyntax_open(&p, NULL), 0);
	for (int i = 0; i < 3 * SH_DEPTH; i++)
		buf_adds(&b, "( ");
	buf_adds(&b, "a");
	for (int i = 0; i < 3 * SH_DEPTH; i++)
		buf_adds(&b, " )");
	assert_non_null(script_parse(p, &mem, buf_view(&b), 0, &errors, &e));
	assert_true(errors > 0);
	assert_true(buf_need(&b, BASH_BYTES + 1));
	memset(b.p, 'a', BASH_BYTES + 1);
	assert_null(script_parse(p, &mem, (struct span){ b.p, BASH_BYTES + 1 }, 0, &errors, &e));
	assert_int_equal(e.code, EFBIG);
	/* What is no shell is counted, and what is around it is there. */
	errors = 0;
	buf_clear(&b);
	show(script_parse(p, &mem, S("go vet\n)) ((\ngo test"), 0, &errors, &e), &b);
	assert_true(errors > 0);
}

static void scripts_without_memory(void **state)
{
	struct span text = S(
		"f() { a \"$(b 'c')\" <<EOF | d\nx\nEOF\n}\nfor i in $(f); do X=1 f && [ -n \"$i\" ] || exit 1 >&2; done");

	for (long n = 1; fails_at(&n);) {
		CLEANUP(syntax_close) struct syntax *p = NULL;
		CLEANUP(arena_free) struct arena mem = { 0 };
		struct err e = { 0 };
		size_t errors = 0;
		const struct sh *s =
			bashsyntax_open(&p, &e) < 0 ? NULL : script_parse(p, &mem, text, 0, &errors, &e);
		assert_true(failed() ? !s && e.code == ENOMEM && *e.msg : s && !errors);
	}
}

/* ---- here documents, interpreters ---- */

static void heredocs(void **state)
{
	struct heredoc h[2];
	struct span line = S("cat <<'E F' <<-\"END\" '<<no' <<<not \\<<x");

	assert_int_equal(heredoc_find(S("cat < a << b"), h, 2),
			 0); /* a blank before its word is not ours to know */
	assert_int_equal(heredoc_find(S("cat '<<A' \"<<B\" <<<C"), h, 2), 0);
	assert_int_equal(heredoc_find(S("a <<A <<-'B' <<C"), h, 2), 2);
	assert_true(span_eq(h[0].word, S("A")) && !h[0].tabs && h[0].at == 2 && h[0].end == 5);
	assert_true(span_eq(h[1].word, S("B")) && h[1].tabs);
	assert_true(heredoc_ends(&h[0], S("A\r")) && !heredoc_ends(&h[0], S("\tA")) &&
		    !heredoc_ends(&h[0], S("AA")));
	assert_true(heredoc_ends(&h[1], S("\t\tB")) && !heredoc_ends(&h[1], S(" B")));
	assert_int_equal(heredoc_find(S("<<"), h, 2), 0);
	for (size_t i = 0; i <= line.n; i++)
		assert_true(heredoc_find(span_head(line, i), h, 2) <= 2);
}

static void interpreters(void **state)
{
	static const struct {
		const char *words;
		struct interp want;
	} rows[] = {
		{ "/bin/bash -eo pipefail -c", { SHELL_BASH, SHELL_ON, SHELL_ON, SHELL_OFF } },
		{ "/usr/bin/env sh", { SHELL_SH, SHELL_OFF, SHELL_OFF, SHELL_OFF } },
		{ "/usr/bin/env -S bash -eux -o pipefail", { SHELL_BASH, SHELL_ON, SHELL_ON, SHELL_ON } },
		{ "/git/bin/bash.exe --noprofile -e", { SHELL_BASH, SHELL_ON, SHELL_OFF, SHELL_OFF } },
		{ "bash _", { SHELL_BASH, SHELL_MAYBE, SHELL_MAYBE, SHELL_OFF } },
		{ "pwsh -command", { SHELL_PWSH, SHELL_OFF, SHELL_OFF, SHELL_OFF } },
		{ "python3 -u", { SHELL_OTHER, SHELL_OFF, SHELL_OFF, SHELL_OFF } },
		{ "bash -o", { SHELL_BASH, SHELL_OFF, SHELL_OFF, SHELL_OFF } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct interp got = { .shell = SHELL_OTHER };
		interp_words(&got, span_of(rows[i].words), true);
		if (memcmp(&got, &rows[i].want, sizeof(got)) != 0)
			fail_msg("%s: shell %d -e %d pipefail %d -x %d", rows[i].words, got.shell,
				 got.errexit, got.pipefail, got.xtrace);
	}
	assert_true(interp_is_shell(S("/usr/bin/dash")) && !interp_is_shell(S("python3")) &&
		    !interp_is_shell(S("")));
}

/* ---- mapped text ---- */

static uint32_t in_file(const struct mapped *m, uint32_t at)
{
	return shell_in_file(&(struct shell_run){ .pieces = m->pieces, .n_pieces = m->n }, at);
}

static void maps(void **state)
{
	CLEANUP(mapped_free) struct mapped m = { 0 };

	mapped_add(&m, S("ab"), 10);
	mapped_add(&m, S("cd"), 12); /* goes on: no piece of its own */
	assert_int_equal(m.n, 1);
	mapped_as(&m, S("xyz"), 20, 1);
	mapped_mask(&m, '_', 30, 2);
	mapped_add(&m, S(""), 99);
	assert_true(span_eq(buf_view(&m.text), S("abcdxyz__")));
	static const uint32_t want[] = { 10, 11, 12, 13, 20, 20, 20, 30, 31 };
	for (uint32_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(in_file(&m, i), want[i]);
	mapped_clear(&m);
	m.text.max = 3;
	mapped_add(&m, S("abcd"), 0);
	assert_true(m.bad && !m.no_memory && m.text.len == 0);
	mapped_clear(&m);
	mapped_add(&m, S("abc"), 0);
	mapped_mask(&m, '_', 3, 1);
	assert_true(m.bad && !m.no_memory && m.text.len == 3);
}

static void maps_without_memory(void **state)
{
	for (long n = 1; fails_at(&n);) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		CLEANUP(mapped_free) struct mapped m = { .text.max = 1000 };
		struct lint_file f = { .scratch = &mem };
		for (uint32_t i = 0; i < 40; i++) {
			mapped_add(&m, S("0123456789"), 100 * i);
			mapped_mask(&m, '_', 100 * i + 50, 10);
		}
		struct span copy = mapped_keep(&f, &m);
		assert_true(failed() ? f.bad : !f.bad && copy.n == 800);
		assert_int_equal(m.no_memory, failed() && m.bad);
	}
}

/* ---- Groovy ---- */

static void groovy_tokens(void **state)
{
	struct span text = S(
		"#!/usr/bin/env groovy\nx = /a\\/b/ // no\nsh(\"go ${f('a')} $v.w\\n\", '''t'q''') /* ( */ { a -> b }\n$/c/$");
	static const char *const want[] = {
		"x", "=",  "/a\\/b/", "sh", "(",    "\"go ${f('a')} $v.w\\n\"", ",", "'''t'q'''", ")", "{",
		"a", "->", "b",       "}",  "$/c/$"
	};
	CLEANUP(mapped_free) struct mapped m = { 0 };
	struct groovy g;

	groovy_read(text, &g);
	assert_int_equal(g.n, ARRAY_LEN(want));
	for (size_t i = 0; i < g.n; i++)
		if (!span_eq(groovy_text(&g, i), span_of(want[i])))
			fail_msg("token %zu: %.*s", i, SPAN_ARG(groovy_text(&g, i)));
	assert_true(g.v[4].match == 8 && g.v[8].match == 4 && g.v[9].match == 13 && !g.v[5].match);
	assert_true(g.v[0].starts && g.v[3].starts && !g.v[4].starts && g.v[14].starts);
	groovy_string(&g, 5, &m);
	assert_true(span_eq(buf_view(&m.text), S("go _________ ____\n")));
	assert_int_equal(in_file(&m, 0), g.v[5].from + 1);
	mapped_clear(&m);
	groovy_string(&g, 7, &m);
	assert_true(span_eq(buf_view(&m.text), S("t'q")));
	groovy_free(&g);
	/* However it is cut off, it is read within its bounds. */
	for (size_t i = 0; i <= text.n; i++) {
		char *cut = mem_dup(text.p, i);
		groovy_read((struct span){ cut, i }, &g);
		for (size_t k = 0; k < g.n; k++) {
			mapped_clear(&m);
			if (g.v[k].kind == GROOVY_STRING)
				groovy_string(&g, k, &m);
		}
		groovy_free(&g);
		mem_free(cut);
	}
}

static void groovy_without_memory(void **state)
{
	for (long n = 1; fails_at(&n);) {
		struct groovy g;
		groovy_read(S("a b c d e f g h i j k l m n o p q r s t u v w x y z"), &g);
		assert_int_equal(g.bad, failed());
		groovy_free(&g);
	}
}

/* ---- make ---- */

static const char makefile[] = "include a.mk\n"
			       "GO ?= go\n"
			       "FLAGS := -race \\\n  -count=1 # why\n"
			       "FLAGS += -v\n"
			       "define BOTH\n$(GO) vet\n$(GO) test\nendef\n"
			       ".PHONY: test\n"
			       "test: SHELL = /bin/bash\n"
			       "test: build | dir ; echo one\n"
			       "\t@$(GO) test $(FLAGS) $(UNKNOWN) \\\n\t  ./... $$x\n"
			       "ifdef CI\n"
			       "build lint:\n"
			       "\tgo build -o $@\n"
			       "endif\n";

static void make_files(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(mapped_free) struct mapped out = { 0 };
	struct lint_file f = { .mem = &mem, .scratch = &mem, .path = "Makefile", .text = span_of(makefile) };
	struct make m;

	make_read(&f, &m);
	assert_false(f.bad);
	assert_true(m.includes && span_eq(span_trim(m.includes->raw), S("a.mk")) && !m.includes->next);
	assert_true(span_eq(span_trim(make_value(&m, S("FLAGS"))), S("-race  -count=1 -v")));
	assert_null(make_value(&m, S("UNKNOWN")).p);
	assert_true(make_var(&m, S("BOTH")) && make_var(&m, S("BOTH"))->lines);
	assert_true(m.specific && span_eq(span_trim(m.specific->name), S("SHELL")));
	const struct make_rule *phony = m.rules, *test = phony->next, *build = test->next;
	assert_true(span_eq(span_trim(test->targets), S("test")) && test->n == 2 && build->n == 1 &&
		    !build->next);
	assert_true(span_eq(span_trim(test->lines[0].raw), S("echo one")));
	make_expand(&m, &out, test->lines[1].raw, test->lines[1].at, &(struct make_scope){ S("test"), true });
	assert_true(span_eq(buf_view(&out.text), S("@go test -race  -count=1 -v __________ \\\n  ./... $x")));
	/* A byte of the file stands where the map says; what a variable brought stands at the reference. */
	const char *slash = strstr(makefile, "./...");
	uint32_t dots = (uint32_t)(strstr(out.text.p, "./...") - out.text.p), go = 1;
	assert_int_equal(in_file(&out, dots), slash - makefile);
	assert_int_equal(in_file(&out, go), strstr(makefile, "$(GO) test $(F") - makefile);
	mapped_clear(&out);
	make_expand(&m, &out, build->lines[0].raw, build->lines[0].at,
		    &(struct make_scope){ S("lint"), true });
	assert_true(span_eq(buf_view(&out.text), S("go build -o lint")));
	make_free(&m);
}

static void make_files_cut_off(void **state)
{
	for (size_t i = 0; i < sizeof(makefile); i++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		char *cut = mem_dup(makefile, i);
		struct lint_file f = { .mem = &mem, .scratch = &mem, .path = "Makefile", .text = { cut, i } };
		struct make m;
		make_read(&f, &m);
		make_value(&m, S("FLAGS"));
		assert_false(f.bad);
		make_free(&m);
		mem_free(cut);
	}
}

static void make_files_without_memory(void **state)
{
	for (long n = 1; fails_at(&n);) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		struct lint_file f = {
			.mem = &mem, .scratch = &mem, .path = "Makefile", .text = span_of(makefile)
		};
		struct make m;
		make_read(&f, &m);
		struct span flags = make_value(&m, S("FLAGS"));
		f.bad |= m.bad;
		assert_true(failed() ? f.bad : span_eq(span_trim(flags), S("-race  -count=1 -v")));
		make_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts),
		cmocka_unit_test(scripts_at_their_limits),
		cmocka_unit_test(scripts_without_memory),
		cmocka_unit_test(heredocs),
		cmocka_unit_test(interpreters),
		cmocka_unit_test(maps),
		cmocka_unit_test(maps_without_memory),
		cmocka_unit_test(groovy_tokens),
		cmocka_unit_test(groovy_without_memory),
		cmocka_unit_test(make_files),
		cmocka_unit_test(make_files_cut_off),
		cmocka_unit_test(make_files_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
