#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "diagnose/judge.h"
#include "run/gocmd.h"
#include "run/panics.h"

/* Words are split at blanks; '' is an empty one. */
static struct argv split(struct arena *mem, const char *line)
{
	struct argv a = { arena_alloc(mem, 64 * sizeof(char *)), 0 };
	struct span rest = span_of(line);

	while (rest.n && a.n < 63) {
		struct span w = span_cut(&rest, ' ');
		if (w.n)
			a.v[a.n++] = span_eq(w, S("''")) ? "" : arena_str(mem, w);
	}
	return a;
}

static const char *joined(struct arena *mem, const struct argv *a)
{
	char *ret = arena_printf(mem, "%s", a->n ? a->v[0] : "");

	for (size_t i = 1; i < a->n; i++)
		ret = arena_printf(mem, "%s %s", ret, *a->v[i] ? a->v[i] : "''");
	assert_null(a->v[a->n]);
	return ret;
}

static void test_read(void **state)
{
	static const struct {
		const char *line;
		const char *sub;
		bool is_test;
		size_t at_flags, at_packages, n_packages, at_args;
	} rows[] = {
		{ "go test ./...", "test", true, 2, 2, 1, 3 },
		{ "/usr/bin/go test", "test", true, 2, 2, 0, 2 },
		{ "go1.22.1 test -v", "test", true, 2, 3, 0, 3 },
		{ "go test -run X ./a ./b", "test", true, 2, 4, 2, 6 },
		{ "go test -run=X ./a -args -v y", "test", true, 2, 3, 1, 5 },
		{ "go test -C dir -run X ./a", "test", true, 4, 6, 1, 7 },
		{ "go test -C=dir ./a", "test", true, 3, 3, 1, 4 },
		{ "go test -custom ./a", "test", true, 2, 4, 0, 4 },
		{ "go test -custom=1 ./a", "test", true, 2, 4, 0, 4 },
		{ "go test ./a -custom x ./b", "test", true, 2, 2, 1, 6 },
		{ "go test -c ./a", "test", false, 2, 3, 1, 4 },
		{ "go test -c=false ./a", "test", true, 2, 3, 1, 4 },
		{ "go test -list . ./a", "test", false, 2, 4, 1, 5 },
		{ "go test -test.list . ./a", "test", false, 2, 4, 1, 5 },
		{ "go test -n ./a", "test", false, 2, 3, 1, 4 },
		{ "go test -h", "test", false, 2, 3, 0, 3 },
		{ "go test -x -bench . ./a", "test", true, 2, 5, 1, 6 },
		{ "go test --race --tags a,b ./a", "test", true, 2, 5, 1, 6 },
		{ "go test ./a -- -v", "test", true, 2, 2, 1, 5 },
		{ "go build -o bin/x -ldflags -s ./cmd/x", "build", false, 2, 6, 1, 7 },
		{ "go run -race main.go util.go a.go.txt -v", "run", false, 2, 3, 2, 5 },
		{ "go run ./cmd/x -v ./y", "run", false, 2, 2, 1, 3 },
		{ "go vet -vettool x ./...", "vet", false, 2, 4, 1, 5 },
		{ "go -C dir test", NULL, false, 4, 4, 0, 4 },
		{ "go", NULL, false, 1, 1, 0, 1 },
	};
	struct arena mem = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct argv a = split(&mem, rows[i].line);
		struct gocmd c;
		gocmd_read(&a, &c);
		print_message("# %s\n", rows[i].line);
		assert_true(c.is_go);
		if (rows[i].sub)
			assert_string_equal(c.sub, rows[i].sub);
		else
			assert_null(c.sub);
		assert_int_equal(c.is_test, rows[i].is_test);
		assert_int_equal(c.at_flags, rows[i].at_flags);
		assert_int_equal(c.n_packages, rows[i].n_packages);
		if (c.n_packages)
			assert_int_equal(c.at_packages, rows[i].at_packages);
		assert_int_equal(c.at_args, rows[i].at_args);
	}
	static const char *const not_go[] = { "gofmt test", "make test", "env go test", "gox test", "./go-test", "go.sh test" };
	for (size_t i = 0; i < ARRAY_LEN(not_go); i++) {
		struct argv a = split(&mem, not_go[i]);
		struct gocmd c;
		gocmd_read(&a, &c);
		assert_false(c.is_go);
	}
	arena_free(&mem);
}

static void test_flags(void **state)
{
	struct arena mem = { 0 };
	struct argv a = split(&mem, "go test -v -json -exec sh -test.bench . -fuzz F -run R -coverprofile c -count 1 -overlay o ./a");
	struct gocmd c;

	gocmd_read(&a, &c);
	assert_true(c.has_v && c.has_json && c.has_exec && c.has_bench && c.has_fuzz && c.has_run && c.has_cover);
	assert_true(c.has_count && c.has_overlay);
	a = split(&mem, "go test -v=false -json=0 ./a -args -v -json -run x");
	gocmd_read(&a, &c);
	assert_false(c.has_v || c.has_json || c.has_run);
	arena_free(&mem);
}

static void test_json(void **state)
{
	static const struct {
		const char *from, *to; /* NULL: left alone */
	} rows[] = {
		{ "go test", "go test -json" },
		{ "go test ./...", "go test -json ./..." },
		{ "go test -v ./...", "go test -json ./..." },
		{ "go test -v=true -test.v ./... --v", "go test -json ./... -json" },
		{ "go test -C sub -v -race ./...", "go test -C sub -json -race ./..." },
		{ "go test -run -v ./a", "go test -json -run -v ./a" },
		{ "go test ./a -v x", "go test -json ./a -json x" },
		{ "go test -custom -v x -race", "go test -json -custom -json x -race" },
		{ "go test -custom ./a -v", "go test -json -custom ./a" },
		{ "go test ./a -args -v", "go test -json ./a -args -v" },
		{ "go test ./a -- -v", "go test -json ./a -- -v" },
		{ "go test -ldflags '' -v ./a", "go test -json -ldflags '' ./a" },
		{ "go test -fuzz FuzzX -fuzztime 1s .", "go test -json -fuzz FuzzX -fuzztime 1s ." },
		{ "go test -bench . -run ^$ .", "go test -json -bench . -run ^$ ." },
		{ "go test -json -v ./a", NULL }, { "go test -json=false ./a", NULL }, { "go test -c ./a", NULL },
		{ "go test -list . ./a", NULL }, { "go test -n ./a", NULL }, { "go test -help", NULL },
		{ "go build ./a", NULL }, { "go vet ./a", NULL }, { "make test", NULL }, { "go", NULL },
	};
	struct arena mem = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct argv a = split(&mem, rows[i].from), b;
		struct err e;
		int r = gocmd_with_json(&mem, &a, &b, &e);
		assert_int_equal(r, rows[i].to != NULL);
		assert_string_equal(joined(&mem, &b), rows[i].to ? rows[i].to : rows[i].from);
	}
	arena_free(&mem);
}

static void test_rerun(void **state)
{
	static const struct {
		const char *from, *tests, *to; /* tests: split at blanks; to NULL: nothing to run */
	} rows[] = {
		{ "go test ./...", "TestA", "go test example.com/m -json -run=^TestA$" },
		{ "go test", "TestA TestB", "go test example.com/m -json -run=^TestA$|^TestB$" },
		{ "go test ./...", "TestA TestA/x TestA/y TestB",
		  "go test example.com/m -json -run=^TestA$/^x$|^TestA$/^y$|^TestB$" },
		{ "go test ./...", "TestA/x TestA/x/deep#01", "go test example.com/m -json -run=^TestA$/^x$/^deep#01$" },
		{ "go test ./...", "TestA/a.b*[c](d)|e\\x{1}?+^$",
		  "go test example.com/m -json -run=^TestA$/^a\\.b\\*\\[c\\]\\(d\\)\\|e\\\\x\\{1\\}\\?\\+\\^\\$$" },
		{ "go test ./...", "TestA TestA TestAB", "go test example.com/m -json -run=^TestA$|^TestAB$" },
		{ "go test ./...", "TestA//b", "go test example.com/m -json -run=^TestA$/^$/^b$" },
		{ "go test -race -tags x,y -count=2 -v -run Old -coverprofile c.out -cpuprofile=p ./a ./b -args -run y",
		  "FuzzX/seed#0 ExampleY",
		  "go test example.com/m -json -run=^FuzzX$/^seed#0$|^ExampleY$ -race -tags x,y -count=2 -args -run y" },
		{ "go test -C sub -custom -v x", "TestA", "go test -C sub example.com/m -json -run=^TestA$ -custom -json x" },
		{ "go test -bench . -o x.test -fuzz F -failfast .", "TestA BenchmarkB",
		  "go test example.com/m -json -run=^TestA$ -failfast" },
		{ "go test ./...", "BenchmarkA BenchmarkA/x", NULL },
	};
	struct arena mem = { 0 };
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct argv a = split(&mem, rows[i].from), b, names = split(&mem, rows[i].tests);
		struct span tests[8];
		for (size_t k = 0; k < names.n; k++)
			tests[k] = span_of(names.v[k]);
		int r = gocmd_rerun(&mem, &a, S("example.com/m"), tests, names.n, &b, &e);
		assert_int_equal(r, rows[i].to != NULL);
		if (rows[i].to)
			assert_string_equal(joined(&mem, &b), rows[i].to);
	}
	struct argv a = split(&mem, "go test -v a_test.go b_test.go"), b;
	assert_int_equal(gocmd_rerun(&mem, &a, S("command-line-arguments"), &S("TestA"), 1, &b, &e), 1);
	assert_string_equal(joined(&mem, &b), "go test a_test.go b_test.go -json -run=^TestA$");
	a = split(&mem, "make test");
	assert_true(gocmd_rerun(&mem, &a, S("m"), &S("TestA"), 1, &b, &e) < 0);
	arena_free(&mem);
}

static void write_text(const char *path, const char *text)
{
	assert_int_equal(file_replace(path, span_of(text), NULL), 0);
}

/* A GOROOT made of files: no go is started unless a toolchain line asks for it. */
static void test_version(void **state)
{
	char dir[] = "/tmp/tocsin-gocmd-XXXXXX", old[4096];
	struct arena mem = { 0 };
	struct argv a = split(&mem, "go test ./...");
	const char *said;

	assert_non_null(mkdtemp(dir));
	assert_non_null(getcwd(old, sizeof(old)));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("bin", 0755) | mkdir("other", 0755), 0);
	write_text("VERSION", "go1.26.8\ntime 2026-08-28T16:20:06Z\n");
	write_text("bin/go", "#!/bin/sh\necho go1.99.0; echo /other\n");
	assert_int_equal(chmod("bin/go", 0755), 0);
	assert_int_equal(symlink("../bin/go", "other/go"), 0);
	char *path = mem_dup(getenv("PATH"), strlen(getenv("PATH")));
	setenv("PATH", arena_printf(&mem, "/nonexistent:%s/other", dir), 1);
	setenv("GOENV", "off", 1);
	unsetenv("GOTOOLCHAIN");
	unsetenv("GOROOT");
	unsetenv("GO111MODULE");
	unsetenv("GOWORK");

	static const struct {
		const char *mod, *toolchain, *want;
	} rows[] = {
		{ "module m\n\ngo 1.19\n", NULL, "go1.26.8" }, { "module m\n\ngo 1.26.8 // same\n", NULL, "go1.26.8" },
		{ "module m\ngo 1.26.9\n", NULL, "go1.99.0" }, { "module m\ngo 1.21\ntoolchain go1.27rc1\n", NULL, "go1.99.0" },
		{ "module m\ngo 1.27\n", "local", "go1.26.8" }, { "module m\ngo 1.20\n", "go1.22.1", "go1.99.0" },
		{ "module m\ngo 1.26.8\ntoolchain default\n", "auto", "go1.26.8" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_text("go.mod", rows[i].mod);
		if (rows[i].toolchain)
			setenv("GOTOOLCHAIN", rows[i].toolchain, 1);
		else
			unsetenv("GOTOOLCHAIN");
		said = gocmd_version(&mem, &a);
		assert_non_null(said);
		assert_string_equal(said, rows[i].want);
	}
	setenv("GOTOOLCHAIN", "local", 1);
	write_text("VERSION", "not a version\n");
	assert_string_equal(gocmd_version(&mem, &a), "go1.99.0"); /* a wrapper: asked */
	write_text("bin/go", "#!/bin/sh\nexit 1\n");
	assert_int_equal(chmod("bin/go", 0755), 0);
	assert_null(gocmd_version(&mem, &a));
	a = split(&mem, "make test");
	assert_null(gocmd_version(&mem, &a));
	a = split(&mem, "/nonexistent/go test");
	assert_null(gocmd_version(&mem, &a));
	static const char *const files[] = { "VERSION", "bin/go", "other/go", "go.mod" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlink(files[i]);
	assert_int_equal(rmdir("bin") | rmdir("other") | chdir(old) | rmdir(dir), 0);
	setenv("PATH", path, 1);
	mem_free(path);
	arena_free(&mem);
}

/* The names that `go test -json` says were run, each between blanks. */
static void names_run(const struct argv *a, const char *dir, struct buf *ret)
{
	CLEANUP(buf_free) struct buf cmd = { 0 };
	char line[8192];

	buf_addf(&cmd, "cd %s && GOFLAGS= GOTOOLCHAIN=local", dir);
	for (size_t i = 0; i < a->n; i++)
		buf_addf(&cmd, " '%s'", a->v[i]);
	buf_adds(&cmd, " 2>/dev/null");
	FILE *f = popen(buf_str(&cmd), "r");
	assert_non_null(f);
	buf_addc(ret, ' ');
	while (fgets(line, sizeof(line), f)) {
		struct span action, test;
		if (json_find(span_of(line), "Action", &action) && span_eq(action, S("run")) &&
		    json_find(span_of(line), "Test", &test)) {
			json_unescape(test, ret);
			buf_addc(ret, ' ');
		}
	}
	pclose(f);
}

static const char real_test[] =
	"package m\nimport \"testing\"\n"
	"func sub(t *testing.T, names ...string) { for _, n := range names { t.Run(n, func(t *testing.T) {\n"
	"	t.Run(\"deep\", func(t *testing.T) {}); t.Run(\"deeper\", func(t *testing.T) {}) }) } }\n"
	"func TestA(t *testing.T) { sub(t, \"x\", \"xx\", \"y z\", \"a/b\", \"a/bc\", \"dup\", \"dup\", \"dup\", \"[a](b)|c*.^$\", \"\", \"\\x01\") }\n"
	"func TestAB(t *testing.T) { sub(t, \"x\", \"y\") }\n"
	"func TestB(t *testing.T) { sub(t, \"x\", \"y\") }\n"
	"func ExampleA() {\n	// Output:\n}\n"
	"func ExampleAll() {\n	// Output:\n}\n"
	"func FuzzX(f *testing.F) { f.Add(1); f.Add(2); f.Fuzz(func(t *testing.T, n int) {}) }\n"
	"func BenchmarkA(b *testing.B) {}\n";

/* With a real go: just these run, with their parents. */
static void test_rerun_exact(void **state)
{
	static const struct {
		const char *tests, *want;
	} rows[] = {
		{ "TestB", " TestB TestB/x TestB/x/deep TestB/x/deeper TestB/y TestB/y/deep TestB/y/deeper " },
		{ "TestA/x/deep", " TestA TestA/x TestA/x/deep " },
		{ "TestA TestA/x/deep TestB/y/deeper", " TestA TestA/x TestA/x/deep TestB TestB/y TestB/y/deeper " },
		{ "TestA/y_z/deep TestA/a/b/deep TestA/dup#01/deep",
		  " TestA TestA/y_z TestA/y_z/deep TestA/a/b TestA/a/b/deep TestA/dup#01 TestA/dup#01/deep " },
		{ "TestA/[a](b)|c*.^$/deep TestA/#00/deep TestA/\\x01/deep",
		  " TestA TestA/[a](b)|c*.^$ TestA/[a](b)|c*.^$/deep TestA/#00 TestA/#00/deep TestA/\\x01 TestA/\\x01/deep " },
		{ "ExampleA FuzzX/seed#1 BenchmarkA", " FuzzX FuzzX/seed#1 ExampleA " },
	};
	static const char *const gos[] = { "go", "/usr/lib/go-1.19/bin/go" };
	char dir[] = "/tmp/tocsin-rerun-XXXXXX";
	struct arena mem = { 0 };

	assert_non_null(mkdtemp(dir));
	write_text(arena_printf(&mem, "%s/go.mod", dir), "module example.com/m\n\ngo 1.19\n");
	write_text(arena_printf(&mem, "%s/m_test.go", dir), real_test);
	for (size_t g = 0; g < ARRAY_LEN(gos); g++) {
		struct argv a = split(&mem, arena_printf(&mem, "%s test -v -vet=off ./...", gos[g])), b;
		struct gotool tool;
		if (gocmd_tool(&mem, &a, &tool, NULL) < 0)
			continue; /* this one is not at hand */
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			CLEANUP(buf_free) struct buf got = { 0 };
			struct argv names = split(&mem, rows[i].tests);
			struct span tests[8];
			for (size_t k = 0; k < names.n; k++)
				tests[k] = span_of(names.v[k]);
			assert_int_equal(gocmd_rerun(&mem, &a, S("example.com/m"), tests, names.n, &b, NULL), 1);
			names_run(&b, dir, &got);
			assert_string_equal(buf_str(&got), rows[i].want);
		}
	}
	unlink(arena_printf(&mem, "%s/go.mod", dir));
	unlink(arena_printf(&mem, "%s/m_test.go", dir));
	assert_int_equal(rmdir(dir), 0);
	arena_free(&mem);
}

/* What the overlay writes, and what an attacker may write there. */
static void test_panics(void **state)
{
	static const char record[] =
		"P\t9\t7\t1\t0\t0\tTestA/x\texample.com/m.TestA\tboom\\x0aline \\\\x0a\t\t\t\t0\t"
		"runtime.gopanic\t/go/panic.go\t836\t180\texample.com/m.TestA.func1\t/m/a_test.go\t17\t72\t\n"
		"P\t9\t7\t2\t1\t1\tTestA/x\texample.com/m.TestA\tboom\t\t\t\t0\tm.f\tf.go\t1\t2\t\n"
		"R\t9\t2\texample.com/m/lib.Safe.func1\t/m/lib.go\t5\t\n"
		"P\t9\t8\t3\t0\t0\t\t\t(*m.T) 0xc000012345\texample.com/m%2ev2_test.TestB\t/m/b_test.go\t4\t1\tm.g\tg.go\t3\t4\t\n"
		"F\t9\t3\t\n"
		"P\t9\t1\t3\t0\t0\tagain: the id is taken\t\t\t\t\t\t0\tm.g\tg.go\t3\t4\t\n"
		"P\t9\nP\t\t\t\t\nR\nF\t9\t77777777777777777777777777777777777777777777777777777777\n\nX\nP\t9\t1\t5";
	char path[] = "/tmp/tocsin-panics-test-XXXXXX";
	const struct judge_config c = { .explain = true };
	struct judge *j;
	struct err e;
	struct stat st;

	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	write_text(path, record);
	assert_int_equal(judge_new(&c, &j, &e), 0);
	assert_int_equal(panics_take(path, j, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	struct report r = { 0 };
	assert_int_equal(judge_finish(j, &r, &e), 0);
	const struct finding *swallowed = NULL;
	for (size_t i = 0; r.findings && i < r.n_findings; i++) {
		if (r.findings[i].cause == CAUSE_TEST_PANIC_SWALLOWED && r.findings[i].test.n) {
			assert_null(swallowed);
			swallowed = &r.findings[i];
		}
	}
	if (!swallowed) {
		fail_msg("no finding");
		return;
	}
	assert_true(span_eq(swallowed->package, S("example.com/m")) && span_eq(swallowed->test, S("TestA/x")));
	assert_true(span_ends(swallowed->file, S("a_test.go")) && swallowed->line == 17);
	assert_true(span_find(swallowed->message, S("boom")) != SPAN_NONE);
	report_free(&r);
	judge_free(j);
	unlink(path);
	assert_int_equal(judge_new(&c, &j, &e), 0);
	assert_true(panics_take(path, j, &e) < 0);
	assert_true(panics_take("/tmp", j, &e) < 0);
	judge_free(j);
}

static void test_overlay_refused(void **state)
{
	static const char *const lines[] = {
		"go build ./...", "go test -c ./a", "go test -overlay x.json ./a", "go vet ./...", "go",
		"/nonexistent/go test ./...",
	};
	struct arena mem = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct argv a = split(&mem, lines[i]), b;
		struct overlay *o;
		const char *env;
		struct err e = { 0 };
		assert_true(overlay_open(&mem, &a, NULL, NULL, &b, &env, &o, &e) < 0);
		assert_true(span_starts(span_of(e.msg), S("cannot make panics visible: ")));
	}
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read), cmocka_unit_test(test_flags), cmocka_unit_test(test_json),
		cmocka_unit_test(test_rerun), cmocka_unit_test(test_rerun_exact),
		cmocka_unit_test(test_version), cmocka_unit_test(test_panics),
		cmocka_unit_test(test_overlay_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
