/*
 * parse: go.mod and go.work. With `--dump main|work|dependency FILE…` it writes what it reads as `go mod edit -json` does, one
 * line a file: tests/e2e/modparse.py compares that with the real go.
 * suite: takes 13
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "parse/modfile.h"

/* ---- as JSON ---- */

static void put(struct json_out *j, const char *key, struct span s)
{
	if (!s.n)
		return;
	json_key(j, key);
	json_str(j, s);
}

static void put_module(struct json_out *j, const char *key, struct span path, struct span version)
{
	json_key(j, key);
	json_open(j, '{');
	put(j, "Path", path);
	put(j, "Version", version);
	json_close(j, '}');
}

static void put_line(struct json_out *j, const struct mod_line *l)
{
	json_open(j, '{');
	put(j, "verb", span_of(mod_verb_name(l->verb)));
	switch (l->verb) {
	case MOD_REPLACE:
		put_module(j, "Old", l->path, l->version);
		put_module(j, "New", l->new_path, l->new_version);
		break;
	case MOD_RETRACT:
		put(j, "Low", l->version);
		put(j, "High", l->new_version);
		put(j, "Rationale", l->comment);
		break;
	case MOD_GODEBUG:
		json_key(j, "Key");
		json_str(j, l->path);
		json_key(j, "Value");
		json_str(j, l->version);
		break;
	default:
		put(j, l->verb == MOD_USE ? "DiskPath" : "Path", l->path);
		put(j, "Version", l->version);
		if (l->indirect) {
			json_key(j, "Indirect");
			json_bool(j, true);
		}
	}
	json_close(j, '}');
}

static void put_file(struct json_out *j, const struct modfile *m)
{
	json_open(j, '{');
	put(j, "module", m->module);
	put(j, "deprecated", m->deprecated);
	put(j, "go", m->go);
	put(j, "toolchain", m->toolchain);
	json_key(j, "lines");
	json_open(j, '[');
	for (size_t i = 0; i < m->n; i++)
		put_line(j, &m->lines[i]);
	json_close(j, ']');
	json_key(j, "problems");
	json_open(j, '[');
	for (size_t i = 0; i < m->n_problems; i++) {
		const struct mod_problem *p = &m->problems[i];
		json_open(j, '{');
		json_key(j, "fault");
		json_int(j, p->fault);
		json_key(j, "line");
		json_int(j, p->line);
		json_key(j, "column");
		json_int(j, p->column);
		json_key(j, "text");
		json_strz(j, p->text);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static int dump(const char *kind, char **files)
{
	enum modfile_kind k = !strcmp(kind, "work") ? MODFILE_WORK : !strcmp(kind, "main") ? MODFILE_MAIN : MODFILE_DEPENDENCY;

	for (; *files; files++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		CLEANUP(buf_free) struct buf out = { 0 };
		CLEANUP(modfile_free) struct modfile m = { 0 };
		struct json_out j = { .to = &out };
		struct err e;
		if (file_slurp(*files, &text, &e) < 0 || modfile_read(buf_view(&text), k, &m, &e) < 0) {
			fprintf(stderr, "%s\n", e.msg);
			return 1;
		}
		put_file(&j, &m);
		puts(buf_str(&out));
	}
	return 0;
}

/* ---- claims ---- */

static void read_text(const char *text, enum modfile_kind kind, struct modfile *m)
{
	struct err e;

	assert_int_equal(modfile_read(span_of(text), kind, m, &e), 0);
}

/* The one line of this verb. */
static const struct mod_line *only(const struct modfile *m, enum mod_verb verb)
{
	size_t found = 0, n = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->lines[i].verb == verb) {
			found = i;
			n++;
		}
	}
	assert_int_equal(n, 1);
	return &m->lines[found];
}

static void test_positions(void **state)
{
	CLEANUP(modfile_free) struct modfile m = { 0 };

	read_text("// Deprecated: use y.\nmodule \"a.b/c\"\n\ngo 1.21.0\ntoolchain go1.22.1\n"
		  "require (\n\tx.y/z v1.2 // indirect; tocsin:allow until May\n)\n"
		  "replace x.y/z v1.2.0 => ../z // tocsin:allow: local\nreplace x.y/w => o.p/w/v2 v2.0.1\n"
		  "// broken\nretract [v1.0.0, v1.9.9] // all of it\nexclude \"x.y/q\" v1.0.0\r\n",
		  MODFILE_MAIN, &m);
	assert_int_equal(m.n_problems, 0);
	assert_int_equal(m.n, 8);
	assert_true(span_eq(m.module, S("a.b/c")) && span_eq(m.go, S("1.21.0")) && span_eq(m.toolchain, S("go1.22.1")));
	assert_true(span_eq(m.deprecated, S("use y.")));
	const struct mod_line *l = only(&m, MOD_REQUIRE);
	assert_true(l->line == 7 && l->column == 2 && l->version_column == 8 && l->in_block && l->indirect && l->loose);
	assert_true(span_eq(l->version, S("v1.2.0")) && span_eq(l->allow, S("until May")));
	assert_true(span_eq(l->comment, S("indirect; tocsin:allow until May")));
	l = &m.lines[4];
	assert_true(l->verb == MOD_REPLACE && l->line == 9 && l->column == 1 && l->version_column == 15 && l->new_column == 25 && l->new_is_dir);
	assert_true(span_eq(l->allow, S("local")) && !l->new_version.p && !l->loose && span_eq(l->new_path, S("../z")));
	l = &m.lines[5];
	assert_true(!l->version.p && !l->version_column && !l->new_is_dir && !l->allow.p && span_eq(l->new_version, S("v2.0.1")));
	l = only(&m, MOD_RETRACT);
	assert_true(l->line == 12 && span_eq(l->comment, S("broken\nall of it")) && l->version_column == 10 && l->new_column == 18);
	assert_true(span_eq(l->version, S("v1.0.0")) && span_eq(l->new_version, S("v1.9.9")));
	assert_true(span_eq(only(&m, MOD_EXCLUDE)->path, S("x.y/q")));
}

static void test_work(void **state)
{
	CLEANUP(modfile_free) struct modfile m = { 0 };

	read_text("go 1.22\nuse (\n\t./a\n\t\"./b c\"\n)\ngodebug default=go1.21\nreplace x.y => ./y\nmodule a.b\n", MODFILE_WORK, &m);
	assert_int_equal(m.n, 5);
	assert_true(m.lines[1].verb == MOD_USE && span_eq(m.lines[1].path, S("./a")) && span_eq(m.lines[2].path, S("./b c")));
	assert_true(span_eq(m.lines[3].path, S("default")) && span_eq(m.lines[3].version, S("go1.21")) && m.lines[3].version_column == 17);
	assert_true(m.n_problems == 1 && m.problems[0].fault == MOD_FAULT_UNKNOWN && m.problems[0].line == 8);
}

/* tocsin:allow: which comments it is taken from, and its words; NULL: nobody allowed anything. */
static void test_allow(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "use ./a // tocsin:allow", "" },
		{ "// tocsin:allow  why\nuse ./a", "why" },
		{ "// tocsin:allow why\n// and more\nuse ./a // x", "why" },
		{ "// tocsin:allow why\n\nuse ./a", NULL },
		{ "// tocsin:allow block\nuse (\n./a // x\n)", "block" },
		{ "use ( // tocsin:allow paren\n./a\n)", "paren" },
		{ "// tocsin:allow block\nuse (\n// tocsin:allow own\n./a\n)", "own" },
		{ "use ./a // tocsin:allowed", NULL },
		{ "use ./a // no-tocsin:allow", NULL },
		{ "use ./a // x; tocsin:allow: y", "y" },
		{ "use \"./tocsin:allow\"", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(modfile_free) struct modfile m = { 0 };
		read_text(rows[i].text, MODFILE_WORK, &m);
		const struct mod_line *l = only(&m, MOD_USE);
		if (!l->allow.p != !rows[i].want || !span_eq(l->allow, span_of(rows[i].want)))
			fail_msg("'%s': '%.*s'", rows[i].text, SPAN_ARG(l->allow));
	}
}

/* One problem each, at this place; the line `go 1.20` behind it is read all the same. */
static const struct {
	enum modfile_kind kind;
	const char *text;
	enum mod_fault fault;
	int line, column;
} broken[] = {
	{ MODFILE_MAIN, "\xef\xbb\xbfmodule a.b\n", MOD_FAULT_SYNTAX, 1, 1 },
	{ MODFILE_MAIN, "module a.b /* x */\n", MOD_FAULT_SYNTAX, 1, 12 },
	{ MODFILE_MAIN, "module a.b/*x\n", MOD_FAULT_SYNTAX, 1, 11 },
	{ MODFILE_MAIN, "module \"a.b\n", MOD_FAULT_SYNTAX, 1, 8 },
	{ MODFILE_MAIN, "module a.b \x01\n", MOD_FAULT_SYNTAX, 1, 12 },
	{ MODFILE_MAIN, "module \xc2\xa0""a.b\n", MOD_FAULT_SYNTAX, 1, 8 },
	{ MODFILE_MAIN, "module `a.b`\n", MOD_FAULT_USAGE, 1, 8 },
	{ MODFILE_MAIN, "module 'a.b'\n", MOD_FAULT_USAGE, 1, 8 },
	{ MODFILE_MAIN, "module \"a\\q\"\n", MOD_FAULT_USAGE, 1, 8 },
	{ MODFILE_MAIN, "module a.b c\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "module a.b\nmodule c.d\n", MOD_FAULT_REPEATED, 2, 1 },
	{ MODFILE_MAIN, "toolchain go1.21\ntoolchain go1.22\n", MOD_FAULT_REPEATED, 2, 1 },
	{ MODFILE_MAIN, "toolchain 1.21\n", MOD_FAULT_USAGE, 1, 11 },
	{ MODFILE_MAIN, "go 1\n", MOD_FAULT_USAGE, 1, 4 },
	{ MODFILE_MAIN, "go v1.21\n", MOD_FAULT_USAGE, 1, 4 },
	{ MODFILE_MAIN, "go\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "go (\n)\n", MOD_FAULT_UNKNOWN, 1, 1 },
	{ MODFILE_MAIN, "requires a.b v1.0.0\n", MOD_FAULT_UNKNOWN, 1, 1 },
	{ MODFILE_MAIN, "requires (\nx y\n)\n", MOD_FAULT_UNKNOWN, 1, 1 },
	{ MODFILE_MAIN, "use ./a\n", MOD_FAULT_UNKNOWN, 1, 1 },
	{ MODFILE_MAIN, "require a.b (\nx y\n)\n", MOD_FAULT_USAGE, 1, 9 },
	{ MODFILE_MAIN, "require (\na.b v1.0.0\n) x\n", MOD_FAULT_SYNTAX, 3, 3 },
	{ MODFILE_MAIN, "require a.b\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "require a.b v1.0.0 x\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "require a.b v1.0.0 1 2 3 4 5 6 7 8 9 10\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "require a.b/v1 v1.0.0\n", MOD_FAULT_USAGE, 1, 9 },
	{ MODFILE_MAIN, "require (\n\ta.b main\n)\n", MOD_FAULT_VERSION, 2, 6 },
	{ MODFILE_MAIN, "require a.b/v2 v1.0.0\n", MOD_FAULT_VERSION, 1, 16 },
	{ MODFILE_MAIN, "require a.b v2.0.0\n", MOD_FAULT_VERSION, 1, 13 },
	{ MODFILE_MAIN, "replace a.b => c.d\n", MOD_FAULT_USAGE, 1, 16 },
	{ MODFILE_MAIN, "replace a.b => ./c v1.0.0\n", MOD_FAULT_USAGE, 1, 20 },
	{ MODFILE_MAIN, "replace a.b => .\\c\n", MOD_FAULT_USAGE, 1, 16 },
	{ MODFILE_MAIN, "replace a.b ./c\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "replace a.b v1 v1 => ./c\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "retract [v1.0.0\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "retract\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "retract v1.0.0 v1.0.1\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "godebug x\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "godebug x=\"y\"\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "tool a.b c.d\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_MAIN, "=======\n", MOD_FAULT_MERGE, 1, 1 },
	{ MODFILE_MAIN, "require (\n<<<<<<< HEAD\n\ta.b v1.0.0\n)\n", MOD_FAULT_MERGE, 2, 1 },
	{ MODFILE_MAIN, ")\n", MOD_FAULT_UNKNOWN, 1, 1 },
	{ MODFILE_WORK, "require a.b v1.0.0\n", MOD_FAULT_UNKNOWN, 1, 1 },
	{ MODFILE_WORK, "use ./a ./b\n", MOD_FAULT_USAGE, 1, 1 },
	{ MODFILE_DEPENDENCY, "require a.b main\n", MOD_FAULT_VERSION, 1, 13 },
	{ MODFILE_DEPENDENCY, "require a.b \x01\n", MOD_FAULT_SYNTAX, 1, 13 },
};

static void test_broken(void **state)
{
	for (int lang = 0; lang < 2; lang++) {
		for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
			CLEANUP(modfile_free) struct modfile m = { 0 };
			CLEANUP(buf_free) struct buf b = { 0 };
			lang_now = lang ? LANG_ZH : LANG_EN;
			buf_adds(&b, broken[i].text);
			buf_adds(&b, "go 1.20\n");
			read_text(buf_str(&b), broken[i].kind, &m);
			if (m.n_problems != 1 || m.problems[0].fault != broken[i].fault || m.problems[0].line != broken[i].line ||
			    m.problems[0].column != broken[i].column || !m.problems[0].text[0])
				fail_msg("'%s': %zu problems, %d at %d:%d: %s", broken[i].text, m.n_problems, m.n_problems ? (int)m.problems[0].fault : -1,
					 m.n_problems ? (int)m.problems[0].line : 0, m.n_problems ? m.problems[0].column : 0,
					 m.n_problems ? m.problems[0].text : "");
			if (!span_eq(m.go, S("1.20")))
				fail_msg("'%s': go is '%.*s'", broken[i].text, SPAN_ARG(m.go));
		}
	}
	lang_now = LANG_EN;
}

static void test_unterminated(void **state)
{
	CLEANUP(modfile_free) struct modfile m = { 0 };

	read_text("module a.b\n  require (\n\tx.y v1.0.0", MODFILE_MAIN, &m);
	assert_true(m.n == 2 && m.n_problems == 1 && m.problems[0].line == 2 && m.problems[0].column == 3);
}

/* What other people's go.mod may have, go passes over. */
static void test_dependency(void **state)
{
	CLEANUP(modfile_free) struct modfile m = { 0 };

	read_text("module a.b\ngo v1.18.x\nfuture x y z\nfuture (\n( ) x\n)\nrequire x.y v1.0.0\nreplace x.y => nothing\nexclude z\n"
		  "toolchain x\nretract main\nretract (v1.0.0, v1.1.0)\nretract v1.0.0 or so\nretract [v1.0.0, v1.1.0] and so\nignore ./x\n",
		  MODFILE_DEPENDENCY, &m);
	assert_int_equal(m.n_problems, 0);
	assert_true(span_eq(m.go, S("1.18")) && !m.toolchain.p);
	assert_int_equal(m.n, 6);
	assert_true(m.lines[3].verb == MOD_RETRACT && m.lines[4].verb == MOD_RETRACT && span_eq(m.lines[4].new_version, S("v1.1.0")));
}

static void test_module(void **state)
{
	static const struct {
		const char *text, *path;
	} rows[] = {
		{ "module a.b", "a.b" }, { "\xef\xbb\xbf// x\n\n module\t\"a.b/c\" // d", "a.b/c" }, { "module `a.b`\n", "a.b" },
		{ "module (\n\n// x\na.b // y\n)\n", "a.b" }, { "modulex a.b\nmodule a.b//c", "a.b" }, { "module", NULL }, { "", NULL },
		{ "garbage \x01\nmodule a.b\r\n", "a.b" }, { "// module c.d\nrequire module v1.0.0\n", NULL }, { "module (", "(" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span path = modfile_module(span_of(rows[i].text));
		if (!span_eq(path, span_of(rows[i].path)) || !path.p != !rows[i].path)
			fail_msg("'%s': '%.*s'", rows[i].text, SPAN_ARG(path));
	}
}

static void test_verbs(void **state)
{
	for (int v = 0; v < MOD_VERBS; v++)
		assert_true(mod_verb_name((enum mod_verb)v)[0]);
	assert_string_equal(mod_verb_since(MOD_TOOL), "1.24");
	assert_null(mod_verb_since(MOD_REQUIRE));
}

/* Twenty megabytes, of lines that count and of those that do not. */
static void test_size(void **state)
{
	static const char *const units[] = { "\ta.b/c v1.0.0 // indirect\n", "\t\"a.b/\\x63\" v1.0\n", "\tx\n", "// x\n", "<", "(\n", "\"", "\n", "\t\x01\n" };

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		CLEANUP(modfile_free) struct modfile m = { 0 };
		CLEANUP(buf_free) struct buf text = { 0 };
		buf_adds(&text, "module a.b\n// of the block\nrequire (\n");
		while (text.len < 20 << 20)
			buf_adds(&text, units[i]);
		buf_adds(&text, "\n)\n");
		assert_false(text.bad);
		int64_t began = time_mono();
		assert_int_equal(modfile_read(buf_view(&text), MODFILE_MAIN, &m, NULL), 0);
		int64_t took = time_mono() - began;
		print_message("# 20 MB: %d ms, %zu lines, %zu problems, %zu MB\n", (int)(took / NSEC_PER_MSEC), m.n, m.n_problems, m.mem.used >> 20);
		assert_true(m.n <= MODFILE_LINES && m.n_problems <= MODFILE_PROBLEMS && m.mem.used < 100 << 20 && took < 10 * NSEC_PER_SEC);
		bool full = m.n == MODFILE_LINES || m.n_problems == MODFILE_PROBLEMS;
		assert_true(!full || m.problems[m.n_problems - 1].fault == MOD_FAULT_TOO_LONG);
	}
}

static void test_no_memory(void **state)
{
	static const char text[] = "// a\n// b\nmodule \"a\\x2eb\"\n/* */\nrequire (\n\tx.y v1 // indirect\n\n\t// one\n\t// two\n\tz.w nothing\n)\n";
	bool failed = true;

	for (fault_at = 1; failed; fault_at++) {
		CLEANUP(modfile_free) struct modfile m = { 0 };
		struct err e = { 0 };
		fault_seen = 0;
		int r = modfile_read(span_of(text), MODFILE_MAIN, &m, &e);
		failed = fault_seen >= fault_at;
		assert_int_equal(r, failed ? -ENOMEM : 0);
		if (failed)
			assert_true(e.msg[0] && !m.n && !m.n_problems && !m.lines && !m.module.p);
	}
	assert_true(fault_at > 6);
	fault_at = 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_unterminated),
		cmocka_unit_test(test_dependency),
		cmocka_unit_test(test_module),
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_no_memory),
	};

	if (argc > 3 && !strcmp(argv[1], "--dump"))
		return dump(argv[2], argv + 3);
	return cmocka_run_group_tests_name("modfile", tests, NULL, NULL);
}
