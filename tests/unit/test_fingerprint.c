/* model/fingerprint: its rules, table by table, and the labelled set of tests/golden/fingerprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "model/fingerprint.h"
#include "model/frames.h"
#include "model/mask.h"

/* ---- the hash ---- */

static void the_hash_gives_the_published_vectors(void **state)
{
	static const struct {
		size_t n;
		unsigned char sum[16];
	} rows[] = { /* of SipHash-2-4-128, key 00 01 … 0f, n bytes 00 01 … */
		{ 0, { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 } },
		{ 1, { 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 } },
		{ 8, { 0x3b, 0x62, 0xa9, 0xba, 0x62, 0x58, 0xf5, 0x61, 0x0f, 0x83, 0xe2, 0x64, 0xf3, 0x14, 0x97, 0xb4 } },
		{ 15, { 0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11, 0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9 } },
		{ 63, { 0x51, 0x50, 0xd1, 0x77, 0x2f, 0x50, 0x83, 0x4a, 0x50, 0x3e, 0x06, 0x9a, 0x97, 0x3f, 0xbd, 0x7c } },
	};
	unsigned char key[16], in[64], out[16];

	(void)state;
	for (unsigned char i = 0; i < 64; i++)
		in[i] = i;
	memcpy(key, in, sizeof(key));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		siphash128(key, (struct span){ (char *)in, rows[i].n }, out);
		assert_memory_equal(out, rows[i].sum, 16);
	}
}

/* ---- messages ---- */

struct mask_row {
	const char *text, *loose, *strict; /* strict NULL: not asked */
};

static const struct mask_row mask_rows[] = {
	{ "got 3, want 4", "got #, want #", "got 3, want 4" },
	{ "got -3.5e+06, want 0x1f", "got #, want #", NULL },
	{ "  a   b\tc\n d ", "a b c d", "a b c d" },
	{ "", "", "" },
	{ "12", "#", "12" },
	{ "\x1b[31mred\x1b[0m", "red", "red" },
	{ "id 6ba7b810-9dad-11d1-80b4-00c04fd430c8.", "id #.", "id #." },
	{ "x f3ba7b8f0 y", "x # y", "x f3ba7b8f0 y" },
	{ "sum 306b07adc24239948810eaf7bcf926c55f3e5ccc", "sum #", "sum #" },
	{ "facade decade", "facade decade", "facade decade" },
	{ "job-717364954b92", "job-#", NULL },
	{ "job-a1b2c3", "job-#", NULL },
	{ "worker7 of pool12", "worker# of pool#", "worker7 of pool12" },
	{ "at 2026-11-21T08:28:04.718953765Z, error", "at #, error", "at #, error" },
	{ "at 2026-11-21 08:28:04.719040577 +0000 UTC m=+0.002299556", "at #", "at #" },
	{ "2026/11/21 08:28:04 boom", "# boom", "# boom" },
	{ "08:28:04.12 boom", "# boom", "# boom" },
	{ "after 1m0.5s: late", "after #: late", "after #: late" },
	{ "after 528ms", "after #", "after #" },
	{ "5 seconds", "# seconds", "5 seconds" },
	{ "dial tcp 127.0.0.1:44543: connect: connection refused", "dial tcp #: connect: connection refused",
	  "dial tcp #: connect: connection refused" },
	{ "dial tcp [::1]:8080: refused", "dial tcp #: refused", "dial tcp #: refused" },
	{ "http://localhost:8080/v1/users", "http://localhost/v#/users", "#/users" },
	{ "reading https://goproxy.cn/a/b/@v/v1.0.0.mod: 404", NULL, "reading #/v1.0.0.mod: 404" },
	{ "get https://goproxy.cn: refused", NULL, "get #: refused" },
	{ "open /tmp/T123/001/settings.json: no such file", "open settings.json: no such file", "open settings.json: no such file" },
	{ "open /home/u/m/a.golden: bad", "open a.golden: bad", "open a.golden: bad" },
	{ "stat C:\\Users\\u\\m\\a.txt: bad", "stat a.txt: bad", "stat a.txt: bad" },
	{ "open /home/u/My Projects/m/a.golden: bad", "open a.golden: bad", "open a.golden: bad" },
	{ "./m.go:12:3: undefined: x", "m.go: undefined: x", "m.go: undefined: x" },
	{ "in ../other/m.go:12: bad", "in other/m.go: bad", "in other/m.go: bad" },
	{ "go test ./... ./a/b", NULL, "go test ... a/b" },
	{ "/tmp/go-build123/b001/exe/x: exec format error", "x: exec format error", "x: exec format error" },
	{ "user \"bob\" is missing", "user \"\" is missing", "user \"bob\" is missing" },
	{ "main.fault(\"no row\")", "main.fault(\"no row\")", "main.fault(\"no row\")" },
	{ "\"connection refused\"", "\"connection refused\"", "\"connection refused\"" },
	{ "it's 5 o'clock \"", "it's # o'clock \"", NULL },
	{ "[1 2 3]", "[#]", "[1 2 3]" },
	{ "[1, 2]", "[#]", "[1, 2]" },
	{ "cannot use n (variable of type int32) as int64 value", NULL, "cannot use n (variable of type int32) as int64 value" },
	{ "example.com/m@v1.2.3: bad", NULL, "example.com/m@v1.2.3: bad" },
	{ "pid 1234567", "pid #", "pid #" },
	{ "余额 5 不足", "余额 # 不足", "余额 5 不足" },
	{ "\xff\xfe 7", "\xff\xfe #", NULL },
};

static void a_message_keeps_what_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mask_rows); i++) {
		const struct mask_row *row = &mask_rows[i];
		const char *want[] = { row->loose, row->strict };
		for (int level = 0; level < 2; level++) {
			CLEANUP(buf_free) struct buf b = { 0 };
			mask_text(span_of(row->text), (enum mask_level)level, &b);
			if (want[level] && strcmp(buf_str(&b), want[level]) != 0)
				fail_msg("row %zu: \"%s\" gives \"%s\", want \"%s\"", i, row->text, buf_str(&b), want[level]);
		}
	}
}

/* ---- functions ---- */

static void a_function_has_one_name(void **state)
{
	static const struct {
		const char *func, *name;
	} rows[] = {
		{ "example.com/m.F", "example.com/m.F" },
		{ "example.com/m.(*T).Run", "example.com/m.(*T).Run" },
		{ "example.com/m.T.Run", "example.com/m.T.Run" },
		{ "example.com/m.F.func1", "example.com/m.F.func" },
		{ "example.com/m.F.func1.2", "example.com/m.F.func" },
		{ "example.com/m.(*T).Run.func3.1.2", "example.com/m.(*T).Run.func" },
		{ "example.com/m.glob..func1", "example.com/m.init.func" },
		{ "example.com/m.init.func2", "example.com/m.init.func" },
		{ "example.com/m.init.0", "example.com/m.init" },
		{ "example.com/m.F-range1", "example.com/m.F" },
		{ "example.com/m.(*Stack[...]).Pop", "example.com/m.(*Stack[...]).Pop" },
		{ "example.com/m.(*Stack[go.shape.int]).Pop", "example.com/m.(*Stack[...]).Pop" },
		{ "example.com/m.take[go.shape.struct { F [2]example.com/x.T }]", "example.com/m.take[...]" },
		{ "example.com/m.take[...].func1", "example.com/m.take[...].func" },
		{ "gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3.Unmarshal" },
		{ "example.com/m/vendor/dep.test/lib.Must", "dep.test/lib.Must" },
		{ "main.main", "main.main x.go" },
		{ "main.main.func2", "main.main.func x.go" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct frame f = { .func = span_of(rows[i].func), .file = S("/a/b/x.go") };
		frame_name(&f, &b);
		assert_string_equal(buf_str(&b), rows[i].name);
	}
}

#define STACK_RAW \
	"panic: boom\n\ngoroutine 7 [running, locked to thread]:\n" \
	"panic({0x4f2a40?, 0xc00001c0a0?})\n\t/usr/local/go/src/runtime/panic.go:884 +0x212\n" \
	"example.com/m.guard()\n\t/home/u/m/m.go:9 +0x45\n" \
	"panic({0x4f2a40?, 0x5b3a60?})\n\t/usr/local/go/src/runtime/panic.go:884 +0x212\n" \
	"example.com/m.(*T[...]).run(0xc000012345, {0x1, 0x2})\n\t/home/u/m/m.go:19 +0x1d\n" \
	"example.com/m.start.gowrap1()\n\t/home/u/m/m.go:20 +0x25\n" \
	"dep.test/lib.Each(...)\n\t/root/go/pkg/mod/dep.test/lib@v1.2.3/each.go:3\n" \
	"sort.Slice(...)\n\t/usr/local/go/src/sort/slice.go:29 +0x1\n" \
	"example.com/m.TestX.func1()\n\t/home/u/m/m_test.go:5 +0x25\n" \
	"created by example.com/m.start in goroutine 1\n\t/home/u/m/m.go:8 +0x95\n" \
	"\ngoroutine 8 [select]:\nexample.com/m.other()\n\t/home/u/m/m.go:99 +0x1\n"

static void frames_are_those_below_the_panic(void **state)
{
	struct frame fr[FRAMES_MAX];
	size_t n = frames_read(S(STACK_RAW), fr);

	(void)state;
	assert_int_equal(n, 5);
	assert_true(span_eq(fr[0].func, S("example.com/m.(*T[...]).run")));
	assert_true(fr[0].own && !fr[0].in_test && !fr[1].own && !fr[2].own);
	assert_true(span_eq(fr[1].func, S("dep.test/lib.Each")));
	assert_true(fr[3].own && fr[3].test && fr[3].in_test);
	assert_int_equal(fr[3].section, fr[0].section);
	assert_true(fr[4].section > fr[3].section);
	assert_int_equal(frames_read(S(""), fr), 0);
	assert_int_equal(frames_read(S("no frames\n\there:1\n"), fr), 0);
}

static void frames_belong_to_someone(void **state)
{
	static const struct {
		const char *func, *file;
		bool own;
	} rows[] = {
		{ "example.com/m.F", "/a/m.go", true },
		{ "app.F", "/src/app/m.go", true },
		{ "log.F", "/home/u/log/m.go", true }, /* a module of that name */
		{ "log.Fatal", "/opt/go1.26/src/log/log.go", false },
		{ "log.Fatal", "log/log.go", false }, /* -trimpath */
		{ "net/http.(*conn).serve", "/usr/lib/go-1.19/src/net/http/server.go", false },
		{ "runtime.goexit", "/x/runtime/panic.go", false },
		{ "sync.fatal", "/usr/local/go/src/runtime/panic.go", false },
		{ "example.com/d.F", "/root/go/pkg/mod/example.com/d@v1.0.0/d.go", false },
		{ "example.com/d.F", "example.com/d@v1.0.0/d.go", false },
		{ "example.com/d.F", "C:\\u\\go\\pkg\\mod\\example.com\\d@v1.0.0\\d.go", false },
		{ "example.com/d.F", "/b/m/vendor/example.com/d/d.go", false },
		{ "main.main", "_testmain.go", false },
		{ "example.com/m.F", "<autogenerated>", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct frame fr[FRAMES_MAX];
		buf_addf(&b, "goroutine 1 [running]:\n%s(…)\n\t%s:12\n", rows[i].func, rows[i].file);
		assert_int_equal(frames_read(buf_view(&b), fr), 1);
		if (fr[0].own != rows[i].own)
			fail_msg("%s in %s: own is %d", rows[i].func, rows[i].file, fr[0].own);
	}
}

/* ---- findings ---- */

static void identity(const struct report *r, const struct finding *f, char ret[FINGERPRINT_TEXT + 1])
{
	struct buf b = { .p = ret, .cap = FINGERPRINT_TEXT + 1, .max = FINGERPRINT_TEXT };

	ret[0] = '\0';
	fingerprint_text(r, f, &b);
}

static void a_finding_has_one_identity(void **state)
{
	static const char *const argv[] = { "/usr/local/go/bin/go", "test", "-race", "-count", "3", "-run", "X", "./...", NULL };
	static const char *const nested[] = { "go", "vet", "-v", "./...", NULL };
	static struct nested command = { .argv = { (const char **)nested, 4 }, .script = "sh /b/ci/build.sh", .masked = true };
	struct report r = { .argv = { (const char **)argv, 8 }, .commands = &command, .n_commands = 1 };
	static const struct {
		struct finding f;
		const char *text;
	} rows[] = {
		{ { .cause = CAUSE_TEST_FAIL, .package = S("m"), .test = S("TestA/b#01/10"), .message = S("got 1") },
		  "cause test.fail\npackage m\ntest TestA/b/10\nmessage got #\n" },
		{ { .cause = CAUSE_TEST_FAIL, .package = S("m"), .test = S("TestA"), .message = S("失败，没有给出信息") },
		  "cause test.fail\npackage m\ntest TestA\n" },
		{ { .cause = CAUSE_TEST_EXIT, .package = S("m"), .test = S("TestA"), .message = S("said by us") },
		  "cause test.exit\npackage m\ntest TestA\n" },
		{ { .cause = CAUSE_TEST_PANIC, .package = S("m"), .test = S("TestX"), .message = S("boom"), .excerpt = S(STACK_RAW) },
		  "cause test.panic\nmessage boom\nframe example.com/m.(*T[...]).run\n" },
		{ { .cause = CAUSE_GO_PANIC, .package = S("m"), .test = S("TestX"), .message = S("boom") },
		  "cause go.panic\nmessage boom\npackage m\ntest TestX\n" },
		{ { .cause = CAUSE_BUILD_COMPILE, .package = S("m_test [m.test]"), .message = S("declared and not used: x") },
		  "cause build.compile\npackage m\nmessage x declared but not used\n" },
		{ { .cause = CAUSE_PROC_EXIT, .message = S("退出码 3: boom at 12:00:01") },
		  "cause proc.exit\nstatus 3\nmessage boom at #\n" },
		{ { .cause = CAUSE_PROC_EXIT, .message = S("exit status 3, although no test, package or build failed: boom") },
		  "cause proc.exit\nstatus 3\nmessage boom\n" },
		{ { .cause = CAUSE_PROC_SIGNAL, .message = S("被 SIGTERM（Terminated）终止") },
		  "cause proc.signal\ncommand go test -run X ...\nsignal SIGTERM\n" },
		{ { .cause = CAUSE_PROC_TIMEOUT, .package = S("m"), .message = S("x") }, "cause proc.timeout\ncommand go test -run X ...\n" },
		{ { .cause = CAUSE_PIPE_MASKED, .message = S("x"), .command = { (const char **)nested, 4 } },
		  "cause pipe.masked\nscript sh build.sh\ncommand go vet ...\n" },
		{ { .cause = CAUSE_TEST_EMPTY }, "cause test.empty\ncommand go test -run X ...\n" },
	};
	char text[FINGERPRINT_TEXT + 1], hash[FINGERPRINT_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		identity(&r, &rows[i].f, text);
		assert_true(!strncmp(text, "tocsin fingerprint 1\n", 21));
		assert_string_equal(text + 21, rows[i].text);
		fingerprint_make(&r, &rows[i].f, hash);
		assert_int_equal(strlen(hash), FINGERPRINT_LEN);
		assert_int_equal(hash[0], '1');
	}
}

/* A change of the algorithm changes this: then it is a new version, and old faults must be carried over. */
static void version_1_stays_what_it_is(void **state)
{
	struct report r = { .n_commands = 0 };
	struct finding f = { .cause = CAUSE_TEST_FAIL, .package = S("example.com/m"), .test = S("TestSum"), .message = S("got 3, want 4") };
	char hash[FINGERPRINT_LEN + 1];

	(void)state;
	fingerprint_make(&r, &f, hash);
	assert_string_equal(hash, "122e297d9e742b8932666baec4a614f9f");
}

static void hostile_text_stays_in_bounds(void **state)
{
	static char big[70000];
	struct report r = { .n_commands = 0 };
	static const char *const parts[] = { "\"", "((((", "[[[[", "/", "1", "a1b2", "0x", ":", "\n\t", ".func1", "[::", "\x1b[", "glob..", "é" };
	char hash[FINGERPRINT_LEN + 1];

	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
		size_t n = strlen(parts[p]);
		for (size_t i = 0; i + n < sizeof(big); i += n)
			memcpy(big + i, parts[p], n);
		struct span s = { big, sizeof(big) - 1 };
		for (int c = 0; c < CAUSE_COUNT; c++) {
			struct finding f = { .cause = (enum cause)c, .package = s, .test = s, .message = s, .excerpt = s, .file = s };
			fingerprint_make(&r, &f, hash);
		}
	}
}

/* ---- the labelled set ---- */

struct item {
	char label[120], shape[80], hash[FINGERPRINT_LEN + 1];
	char text[FINGERPRINT_TEXT + 1];
};

struct row { /* of set.jsonl, as a report */
	struct report r;
	struct finding f;
	struct nested commands[16];
	struct buf mem[64];
	size_t n_mem;
	const char *words[16 * 70];
	size_t n_words;
};

static struct span keep(struct row *x, struct span raw)
{
	assert_true(x->n_mem < ARRAY_LEN(x->mem));
	struct buf *b = &x->mem[x->n_mem++];

	json_unescape(raw, b);
	buf_addc(b, '\0');
	b->len--;
	return buf_view(b);
}

static struct span get(struct row *x, struct span line, const char *path)
{
	struct span v;

	if (!json_find(line, path, &v) || span_eq(v, S("null")))
		return (struct span){ 0 };
	return keep(x, v);
}

static struct argv read_argv(struct row *x, struct json_in *j)
{
	struct argv a = { .v = x->words + x->n_words };

	while (json_next(j) == JSON_STR) {
		assert_true(x->n_words + 2 < ARRAY_LEN(x->words));
		x->words[x->n_words++] = keep(x, j->value).p;
		a.n++;
	}
	x->words[x->n_words++] = NULL;
	return a;
}

/* argv, finding.command and the masked commands. */
static void read_arrays(struct row *x, struct span line)
{
	struct json_in j = { .text = line };
	enum json_tok t;
	struct span key = { 0 };
	struct nested *c = x->commands - 1;
	bool in_commands = false;

	while ((t = json_next(&j)) > JSON_END) {
		if (t == JSON_KEY) {
			key = j.value;
		} else if (t == JSON_ARR && span_eq(key, S("commands")) && !in_commands) {
			in_commands = true;
		} else if (t == JSON_OBJ && in_commands) {
			assert_true(++c < x->commands + ARRAY_LEN(x->commands));
			*c = (struct nested){ .masked = true };
			x->r.n_commands++;
		} else if (t == JSON_ARR_END) {
			in_commands = false;
		} else if (t == JSON_ARR && span_eq(key, S("argv"))) {
			struct argv a = read_argv(x, &j);
			*(in_commands ? &c->argv : &x->r.argv) = a;
		} else if (t == JSON_ARR && span_eq(key, S("command"))) {
			x->f.command = read_argv(x, &j);
		} else if (t == JSON_STR && in_commands && span_eq(key, S("script"))) {
			c->script = keep(x, j.value).p;
		}
	}
	assert_int_equal(t, JSON_END);
	x->r.commands = x->commands;
}

static void read_row(struct row *x, struct span line, struct item *ret)
{
	struct span outcome = get(x, line, "outcome");

	x->f.cause = cause_by_id(get(x, line, "finding.cause"));
	x->f.package = get(x, line, "finding.package");
	x->f.test = get(x, line, "finding.test");
	x->f.file = get(x, line, "finding.file");
	x->f.message = get(x, line, "finding.message");
	x->f.excerpt = get(x, line, "finding.excerpt");
	x->r.ending.how = span_eq(outcome, S("not_started")) ? END_NOT_STARTED : END_EXIT;
	read_arrays(x, line);
	snprintf(ret->label, sizeof(ret->label), "%.*s", SPAN_ARG(get(x, line, "label")));
	snprintf(ret->shape, sizeof(ret->shape), "%.*s", SPAN_ARG(get(x, line, "shape")));
	assert_true(x->f.cause != CAUSE_NONE);
	fingerprint_make(&x->r, &x->f, ret->hash);
	identity(&x->r, &x->f, ret->text);
}

static size_t read_set(struct item **ret)
{
	const char *root = getenv("TOCSIN_SOURCE"), *other = getenv("TOCSIN_FINGERPRINTS");
	CLEANUP(buf_free) struct buf path = { 0 }, all = { 0 };
	struct err e = { 0 };
	size_t n = 0, cap = 0;

	buf_addf(&path, "%s/tests/golden/fingerprints/set.jsonl", root ? root : ".");
	if (file_slurp(other ? other : buf_str(&path), &all, &e) < 0)
		fail_msg("%s", e.msg);
	for (struct span rest = buf_view(&all); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		if (n == cap) {
			cap = cap ? cap * 2 : 256;
			*ret = mem_resize(*ret, cap * sizeof(**ret));
			assert_non_null(*ret);
		}
		struct row *x = mem_zalloc(sizeof(*x));
		assert_non_null(x);
		read_row(x, line, &(*ret)[n++]);
		for (size_t i = 0; i < x->n_mem; i++)
			buf_free(&x->mem[i]);
		mem_free(x);
	}
	return n;
}

/* The pairs that evidence cannot join: label, a word of the shapes of one side, why. */
static const struct {
	const char *label, *shape, *why;
} exceptions[] = {
	{ "test-timeout", "go1.19 raw", "no list of running tests before 1.20" },
	{ "fail-no-newline", " raw", "the frame line is glued to the message" },
	{ "run-panic-multiline", "go1.19", "the value was printed raw before 1.23, and hides the panic" },
	{ "map-race-in-test", " race", "race reports stand between the lines of the stack, which is lost" },
	{ "vendor-lacks-package", "go1.19", "go said another thing" },
	{ "work-module-not-listed", "go1.19", "go said another thing" },
	{ "work-module-missing", "go1.19", "go said another thing" },
	{ "git-host-missing", "go1.19", "go said another thing" },
};

static bool is_exception(const struct item *a, const struct item *b)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++) {
		if (!strcmp(a->label, exceptions[i].label) && !strcmp(b->label, exceptions[i].label) &&
		    !strstr(a->shape, exceptions[i].shape) != !strstr(b->shape, exceptions[i].shape))
			return true;
	}
	return false;
}

static void every_pair_of_the_labelled_set(void **state)
{
	struct item *v = NULL;
	size_t n = read_set(&v);
	long joined = 0, right = 0, wanted = 0, excused = 0, shown = 0;

	(void)state;
	for (size_t i = 0; getenv("TOCSIN_FINGERPRINTS_DUMP") && i < n; i++)
		print_message("== %s | %s | %s\n%s", v[i].label, v[i].shape, v[i].hash, v[i].text);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n; k++) {
			bool same = !strcmp(v[i].label, v[k].label), join = !strcmp(v[i].hash, v[k].hash);
			assert_int_equal(join, !strcmp(v[i].text, v[k].text));
			if (same && !join && is_exception(&v[i], &v[k])) {
				excused++;
				continue;
			}
			joined += join;
			right += same && join;
			wanted += same;
			if (same != join && shown++ < 40)
				print_message("# %s: %s (%s) and %s (%s)\n%s---\n%s", join ? "wrongly joined" : "not joined", v[i].label,
					      v[i].shape, v[k].label, v[k].shape, v[i].text, v[k].text);
		}
	}
	for (size_t i = 0; excused && i < ARRAY_LEN(exceptions); i++)
		print_message("# excused: %s, %s: %s\n", exceptions[i].label, span_trim(span_of(exceptions[i].shape)).p, exceptions[i].why);
	print_message("# %zu findings, %ld pairs: %ld that should join, %ld joined, %ld of them rightly; %ld excused\n", n,
		      (long)(n * (n - 1) / 2), wanted, joined, right, excused);
	mem_free(v);
	assert_true(n >= 200);
	assert_int_equal(right, joined); /* precision 1 */
	assert_int_equal(right, wanted); /* recall 1 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_gives_the_published_vectors),
		cmocka_unit_test(a_message_keeps_what_stays),
		cmocka_unit_test(a_function_has_one_name),
		cmocka_unit_test(frames_are_those_below_the_panic),
		cmocka_unit_test(frames_belong_to_someone),
		cmocka_unit_test(a_finding_has_one_identity),
		cmocka_unit_test(version_1_stays_what_it_is),
		cmocka_unit_test(hostile_text_stays_in_bounds),
		cmocka_unit_test(every_pair_of_the_labelled_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
