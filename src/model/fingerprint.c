#include "model/fingerprint.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/siphash.h"
#include "model/frames.h"
#include "model/mask.h"

#define VALUE_MAX 1000  /* bytes of a fact, before it is masked */
#define FRAMES_KEPT 3   /* of a crash */
#define CYCLE_KEPT 8    /* functions of an endless recursion */
#define NAME_MAX_ 300   /* of a function */
#define ARGS_MAX 64     /* of a command */

/* What makes a fault of this cause the same one again. */
enum kind {
	KIND_SAID,    /* package and test where known, and what was said: causes that have no row below */
	KIND_TEST,    /* package, test, what it said */
	KIND_NAMED,   /* package and test: the message is our own sentence */
	KIND_CRASH,   /* value and frames */
	KIND_EXIT,    /* package, and the test or else its last words */
	KIND_PLACE,   /* frames alone: which of the runtime's words comes is chance */
	KIND_SIGNAL,  /* the signal and frames */
	KIND_CYCLE,   /* the functions that call each other */
	KIND_RACE,    /* the functions that touch the variable */
	KIND_BUILD,   /* package, what the tool said */
	KIND_VET,     /* file, what vet said: newer releases do not name the package */
	KIND_MODULE,  /* what go said: it names the module */
	KIND_SOURCE,  /* package, file, what was said */
	KIND_RULE,    /* file and the text of the line: the rule stands in the cause */
	KIND_PROCESS, /* package where known, else the command; the signal */
	KIND_COMMAND, /* the command */
	KIND_RESOURCE, /* package and test, else the command: who ran into the wall first is chance */
	KIND_MASKED,  /* the script and the nested command */
};

static const unsigned char kinds[CAUSE_COUNT] = {
	[CAUSE_TEST_FAIL] = KIND_TEST, [CAUSE_TEST_FUZZ] = KIND_TEST, [CAUSE_TEST_AFTER_END] = KIND_TEST,
	[CAUSE_TEST_TIMEOUT] = KIND_NAMED, [CAUSE_TEST_EXIT] = KIND_EXIT, [CAUSE_TEST_EXIT_MASKED] = KIND_NAMED,
	[CAUSE_TEST_UNFINISHED] = KIND_NAMED, [CAUSE_TEST_EMPTY] = KIND_NAMED, [CAUSE_TEST_IO_INCOMPLETE] = KIND_NAMED,
	[CAUSE_TEST_UNSTABLE] = KIND_NAMED,
	[CAUSE_TEST_PANIC] = KIND_CRASH, [CAUSE_TEST_PANIC_SWALLOWED] = KIND_CRASH, [CAUSE_GO_PANIC] = KIND_CRASH,
	[CAUSE_GO_PANIC_RECOVERED] = KIND_CRASH, [CAUSE_GO_NIL_DEREF] = KIND_CRASH, [CAUSE_GO_FATAL] = KIND_CRASH,
	[CAUSE_GO_DEADLOCK] = KIND_PLACE, [CAUSE_GO_CONCURRENT_MAP] = KIND_PLACE, [CAUSE_GO_OUT_OF_MEMORY] = KIND_PLACE,
	[CAUSE_GO_CGO_CRASH] = KIND_SIGNAL, [CAUSE_GO_LEAK] = KIND_PLACE, [CAUSE_GO_BLOCKED] = KIND_PLACE,
	[CAUSE_GO_STARVED] = KIND_RESOURCE,
	[CAUSE_GO_STACK_OVERFLOW] = KIND_CYCLE, [CAUSE_TEST_RACE] = KIND_RACE,
	[CAUSE_BUILD_COMPILE] = KIND_BUILD, [CAUSE_BUILD_VET] = KIND_VET, [CAUSE_BUILD_LINK] = KIND_BUILD,
	[CAUSE_BUILD_CGO] = KIND_BUILD, [CAUSE_BUILD_IMPORT_CYCLE] = KIND_BUILD, [CAUSE_BUILD_EMBED] = KIND_BUILD,
	[CAUSE_BUILD_NO_FILES] = KIND_MODULE, [CAUSE_BUILD_PACKAGE] = KIND_MODULE, [CAUSE_BUILD_TOOLCHAIN] = KIND_MODULE,
	[CAUSE_BUILD_PLUGIN] = KIND_MODULE, [CAUSE_BUILD_CACHE] = KIND_MODULE,
	[CAUSE_MOD_DNS] = KIND_MODULE, [CAUSE_MOD_CONNECT] = KIND_MODULE, [CAUSE_MOD_TIMEOUT] = KIND_MODULE,
	[CAUSE_MOD_TLS] = KIND_MODULE, [CAUSE_MOD_PROXY] = KIND_MODULE, [CAUSE_MOD_AUTH] = KIND_MODULE,
	[CAUSE_MOD_NOT_FOUND] = KIND_MODULE, [CAUSE_MOD_VERSION] = KIND_MODULE, [CAUSE_MOD_CHECKSUM] = KIND_MODULE,
	[CAUSE_MOD_SUMDB] = KIND_MODULE, [CAUSE_MOD_SYNTAX] = KIND_MODULE, [CAUSE_MOD_NO_MODULE] = KIND_MODULE,
	[CAUSE_MOD_MISSING_SUM] = KIND_MODULE, [CAUSE_MOD_VENDOR] = KIND_MODULE, [CAUSE_MOD_WORK] = KIND_MODULE,
	[CAUSE_MOD_VCS] = KIND_MODULE, [CAUSE_MOD_UPDATE] = KIND_MODULE, [CAUSE_MOD_CACHE_MISSING] = KIND_MODULE,
	[CAUSE_MOD_CACHE_MODIFIED] = KIND_MODULE, [CAUSE_MOD_SIGNATURE] = KIND_MODULE, [CAUSE_MOD_ENV] = KIND_MODULE,
	[CAUSE_ACT_EXCLUDED] = KIND_SOURCE, [CAUSE_ACT_TRAP] = KIND_SOURCE, [CAUSE_CHECK_RULE] = KIND_RULE, [CAUSE_ACT_DIRECTIVE] = KIND_SOURCE,
	[CAUSE_ACT_TAG] = KIND_SOURCE, [CAUSE_ACT_EMBED] = KIND_SOURCE, [CAUSE_ACT_LDFLAGS] = KIND_SOURCE,
	[CAUSE_ACT_UNREGISTERED] = KIND_SOURCE,
	[CAUSE_ACT_NOT_LINKED] = KIND_MODULE, [CAUSE_ACT_MISMATCH] = KIND_MODULE, [CAUSE_ACT_STALE_PROCESS] = KIND_MODULE,
	[CAUSE_ACT_PLUGIN] = KIND_MODULE,
	[CAUSE_PROC_KILLED] = KIND_PROCESS, [CAUSE_PROC_OOM] = KIND_PROCESS, [CAUSE_PROC_SIGNAL] = KIND_PROCESS,
	[CAUSE_PROC_NO_SPACE] = KIND_RESOURCE, [CAUSE_PROC_TOO_MANY_FILES] = KIND_RESOURCE, [CAUSE_PROC_LIMIT] = KIND_RESOURCE,
	[CAUSE_PROC_TIMEOUT] = KIND_COMMAND, [CAUSE_PROC_STALL] = KIND_COMMAND,
	[CAUSE_PIPE_MASKED] = KIND_MASKED,
};

/* ---- a fact a line ---- */

struct facts {
	const struct report *r;
	const struct finding *f;
	struct buf *to;
	size_t begin; /* of the line under way */
	int n;        /* beside the cause */
};

static void fact_begin(struct facts *x, const char *name)
{
	x->begin = x->to->len;
	buf_adds(x->to, name);
	buf_addc(x->to, ' ');
}

/* A fact without a value says nothing, and is none. */
static void fact_end(struct facts *x, const char *name)
{
	if (x->to->len <= x->begin + strlen(name) + 1) {
		x->to->len = x->begin;
		x->to->p[x->begin] = '\0';
		return;
	}
	buf_addc(x->to, '\n');
	x->n++;
}

static void fact(struct facts *x, const char *name, struct span value)
{
	fact_begin(x, name);
	buf_span(x->to, value);
	fact_end(x, name);
}

static void fact_name(struct facts *x, const char *name, struct span value)
{
	fact_begin(x, name);
	mask_name(span_head(value, VALUE_MAX), x->to);
	fact_end(x, name);
}

static void fact_text(struct facts *x, const char *name, struct span value, enum mask_level level)
{
	fact_begin(x, name);
	mask_text(span_head(value, VALUE_MAX), level, x->to);
	fact_end(x, name);
}

/* ---- package and test ---- */

/* "m [m.test]", "m_test [m.test]", "m.test": what is tested is m. */
static struct span plain_package(struct span pkg)
{
	pkg = span_trim(span_head(pkg, span_find(pkg, S(" ["))));
	if (span_ends(pkg, S("_test")))
		return span_head(pkg, pkg.n - 5);
	if (span_ends(pkg, S(".test")) && span_chr(path_base(pkg), '.') != SPAN_NONE && span_chr(pkg, '/') != SPAN_NONE)
		return span_head(pkg, pkg.n - 5);
	return pkg;
}

static void put_package(struct facts *x)
{
	fact_name(x, "package", plain_package(x->f->package));
}

/* "#01" is how many of that name came before: of a table whose rows move, chance. */
static struct span unnumbered(struct span element)
{
	size_t hash = span_rchr(element, '#'), i;

	for (i = hash + 1; hash != SPAN_NONE && i < element.n; i++) {
		if (element.p[i] < '0' || element.p[i] > '9')
			return element;
	}
	return hash == SPAN_NONE || hash + 1 == element.n ? element : span_head(element, hash);
}

static void put_test(struct facts *x)
{
	struct span rest = span_head(x->f->test, VALUE_MAX);

	fact_begin(x, "test");
	for (int i = 0; rest.n; i++) {
		if (i)
			buf_addc(x->to, '/');
		mask_name(unnumbered(span_cut(&rest, '/')), x->to);
	}
	fact_end(x, "test");
}

/* ---- what was said ---- */

/*
 * Our own sentences say what the cause says, in the language of the run: only what stands in the place of the star
 * counts. diagnose writes them.
 */
static const struct tx own_texts[] = {
	{ "failed without a message", "失败，没有给出信息" },
	{ "failed; its output does not end its line", "失败；输出末尾没有换行" },
	{ "the stack of a recovered panic was printed", "打印了已被 recover 的 panic 的调用栈" },
	{ "the package did not build; its diagnostics are not in this output", "包构建失败，输出中没有诊断信息" },
	{ "* was asked for and never ran", "要求测试的 * 没有运行" },
	{ "the test binary was ended by a signal: *", "测试程序被信号终止：*" },
	{ "the program was ended by a signal: *", "程序被信号终止：*" },
	/* frames of go test around a test that said nothing */
	{ "FAIL", "PASS" },
	{ "coverage: *% of statements", "coverage: [no statements]" },
};

/* What go and its tools say of one thing from version to version, and the form that is hashed. */
struct synonym {
	const char *said, *meant;
};
static const struct synonym whole_texts[] = {
	{ "imported and not used: *", "* imported and not used" },
	{ "declared and not used: *", "* declared but not used" },
	{ "* declared and not used", "* declared but not used" },
	{ "reading go.work: go.work: *", "*" },
};
static const struct synonym parts_of_texts[] = {
	{ " as type ", " as " },
	{ " value in ", " in " },
	{ ", expecting ", ", expected " },
	{ " is not in GOROOT", " is not in std" },
	{ "tls: failed to verify certificate: ", "" },
	{ "set to readonly or vendor when", "set to readonly when" },
};

static bool pattern_match(const char *pattern, struct span s, struct span *star)
{
	struct span p = { pattern, strlen(pattern) };
	size_t at = span_chr(p, '*');
	struct span head = span_head(p, at), tail = at == SPAN_NONE ? S("") : span_from(p, at + 1);

	if (at == SPAN_NONE)
		return span_eq(s, p) && (*star = S("")).p;
	if (s.n < head.n + tail.n || !span_starts(s, head) || !span_ends(s, tail))
		return false;
	*star = span_head(span_from(s, head.n), s.n - head.n - tail.n);
	return true;
}

/* "exit status 3: the last line", in either language: the status becomes a fact of its own. */
static bool take_status(struct facts *x, struct span *s)
{
	struct span rest = *s, digits;
	size_t n = 0, colon;

	if (!span_skip(&rest, S("exit status ")) && !span_skip(&rest, S("退出码 ")))
		return false;
	while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
		n++;
	digits = span_head(rest, n);
	if (!n || (n < rest.n && rest.p[n] != ':' && rest.p[n] != ',' && !(rest.p[n] & 0x80)))
		return false;
	fact(x, "status", digits);
	colon = span_find(rest, S(": "));
	*s = colon == SPAN_NONE ? S("") : span_from(rest, colon + 2);
	return true;
}

static void add_replaced(struct buf *b, struct span s, const struct synonym *y)
{
	struct span said = span_of(y->said);

	for (size_t at; (at = span_find(s, said)) != SPAN_NONE; s = span_from(s, at + said.n)) {
		buf_span(b, span_head(s, at));
		buf_adds(b, y->meant);
	}
	buf_span(b, s);
}

static void add_meant(struct buf *b, struct span s)
{
	struct span star, meant, head;

	for (size_t i = 0; i < ARRAY_LEN(whole_texts); i++) {
		if (!pattern_match(whole_texts[i].said, s, &star))
			continue;
		meant = span_of(whole_texts[i].meant);
		head = span_cut(&meant, '*');
		buf_span(b, head);
		buf_span(b, star);
		buf_span(b, meant);
		return;
	}
	buf_span(b, s);
}

/* "a@v1 requires b@v2: …" is b's fault, whoever asked for it. What go is running is not part of the fault. */
static struct span root_of_chain(struct span s)
{
	struct span chain = S(" requires "), rest = s;

	for (size_t at; (at = span_find(rest, chain)) != SPAN_NONE;) {
		rest = span_from(rest, at + chain.n);
		if (span_chr(span_head(rest, span_chr(rest, ' ')), '@') != SPAN_NONE)
			s = rest;
	}
	return span_trim(span_head(s, span_find(s, S(" (running go "))));
}

static struct span own_words(struct span s) /* what of our own sentence is not ours */
{
	struct span star;

	for (size_t i = 0; i < ARRAY_LEN(own_texts); i++) {
		if (pattern_match(own_texts[i].en, s, &star) || pattern_match(own_texts[i].zh, s, &star))
			return star;
	}
	return s;
}

static void put_tool_message(struct facts *x, struct span s)
{
	char mem[2][4 * VALUE_MAX];
	struct buf b[2];

	for (int i = 0; i < 2; i++)
		b[i] = (struct buf){ .p = mem[i], .cap = sizeof(mem[i]), .max = sizeof(mem[i]) - 1 };
	mask_text(s, MASK_STRICT, &b[0]);
	add_meant(&b[1], root_of_chain(buf_view(&b[0])));
	size_t now = 1;
	for (size_t i = 0; i < ARRAY_LEN(parts_of_texts); i++) {
		buf_clear(&b[1 - now]);
		add_replaced(&b[1 - now], buf_view(&b[now]), &parts_of_texts[i]);
		now = 1 - now;
	}
	fact(x, "message", buf_view(&b[now]));
}

static void put_message(struct facts *x, enum mask_level level)
{
	struct span s = span_head(span_trim(x->f->message), VALUE_MAX);

	take_status(x, &s);
	s = own_words(s);
	if (level == MASK_STRICT)
		put_tool_message(x, s);
	else
		fact_text(x, "message", s, level);
}

/* The last line of the excerpt that somebody wrote. */
static struct span last_words(struct span excerpt)
{
	static const char *const frames[] = { "=== ", "--- ", "PASS", "FAIL", "ok ", "exit status ", "coverage: ", "…",
					      "warning: GOCOVERDIR", "program not built with -cover" };
	struct span best = { 0 };

	while (excerpt.n) {
		struct span line = span_trim(span_cut(&excerpt, '\n'));
		bool frame = !line.n;
		for (size_t i = 0; i < ARRAY_LEN(frames) && !frame; i++)
			frame = span_starts(line, span_of(frames[i]));
		if (!frame)
			best = line;
	}
	return span_head(best, VALUE_MAX);
}

/* ---- frames ---- */

struct names {
	char text[CYCLE_KEPT][NAME_MAX_];
	size_t n;
};

static void name_of(const struct frame *f, char ret[NAME_MAX_])
{
	struct buf b = { .p = ret, .cap = NAME_MAX_, .max = NAME_MAX_ - 1 };

	ret[0] = '\0';
	frame_name(f, &b);
}

static bool has_name(const struct names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!strcmp(l->text[i], name))
			return true;
	}
	return false;
}

static void add_name(struct names *l, size_t max, const char *name)
{
	if (l->n < max && !has_name(l, name))
		memcpy(l->text[l->n++], name, strlen(name) + 1);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void put_names(struct facts *x, struct names *l, bool sort)
{
	if (sort)
		qsort(l->text, l->n, sizeof(l->text[0]), by_name);
	for (size_t i = 0; i < l->n; i++)
		fact(x, "frame", span_of(l->text[i]));
}

/* The goroutine that shows own code, else the first. */
static int crash_section(const struct frame *fr, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fr[i].own)
			return fr[i].section;
	}
	return n ? fr[0].section : 0;
}

/* The test that led to a fault of the code under test is one way to it of many. */
static bool is_way(const struct frame *f, bool code)
{
	return f->test && code;
}

static void crash_names(const struct frame *fr, size_t n, struct names *l)
{
	int section = crash_section(fr, n);
	bool own = false, code = false;
	char name[NAME_MAX_];

	for (size_t i = 0; i < n; i++)
		own |= fr[i].own;
	for (size_t i = 0; i < n; i++) {
		if (fr[i].section != section || fr[i].own != own || is_way(&fr[i], code))
			continue;
		code |= !fr[i].in_test;
		name_of(&fr[i], name);
		add_name(l, FRAMES_KEPT, name);
	}
}

/* Where the stack ran out is chance: the functions that stand there twice, whatever their order. */
static void cycle_names(const struct frame *fr, size_t n, struct names *l)
{
	struct names seen = { .n = 0 };
	char name[NAME_MAX_];

	for (size_t i = 0; i < n; i++) {
		if (!fr[i].own)
			continue;
		name_of(&fr[i], name);
		if (has_name(&seen, name))
			add_name(l, CYCLE_KEPT, name);
		else
			add_name(&seen, CYCLE_KEPT, name);
	}
	if (!l->n)
		crash_names(fr, n, l);
}

/* Which side came first is chance: the innermost own function of each access. */
static void race_names(const struct frame *fr, size_t n, struct names *l)
{
	char name[NAME_MAX_];

	for (int section = 0; section < 2; section++) {
		const struct frame *best = NULL;
		for (size_t i = 0; i < n; i++) {
			if (fr[i].section == section && (!best || (fr[i].own && !best->own)))
				best = &fr[i];
		}
		if (!best)
			continue;
		name_of(best, name);
		add_name(l, 2, name);
	}
}

static void put_frames(struct facts *x, enum kind kind)
{
	struct frame fr[FRAMES_MAX];
	struct names l = { .n = 0 };
	size_t n = frames_read(x->f->excerpt, fr);

	if (kind == KIND_CYCLE)
		cycle_names(fr, n, &l);
	else if (kind == KIND_RACE)
		race_names(fr, n, &l);
	else
		crash_names(fr, n, &l);
	put_names(x, &l, kind == KIND_CYCLE || kind == KIND_RACE);
	if (!l.n) {
		put_package(x);
		put_test(x);
	}
}

/* ---- commands ---- */

/* Flags that change how a command is watched and not what it does; with_value: it may stand in the next word. */
static const struct {
	struct span name;
	bool with_value;
} passing[] = {
#define FLAG(name, value) { { name, sizeof(name) - 1 }, value }
	FLAG("race", false), FLAG("v", false), FLAG("x", false), FLAG("json", false), FLAG("cover", false),
	FLAG("covermode", true), FLAG("coverprofile", true), FLAG("coverpkg", true), FLAG("count", true), FLAG("p", true),
	FLAG("parallel", true), FLAG("timeout", true), FLAG("shuffle", true), FLAG("cpu", true), FLAG("failfast", false),
#undef FLAG
};

/* How many words the flag at a[0] takes up, 0: it says what the command does. */
static size_t passing_words(struct span arg)
{
	size_t equals = span_chr(arg, '=');
	struct span name = span_head(arg, equals);

	if (!span_skip(&name, S("--")) && !span_skip(&name, S("-")))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
		if (span_eq(name, passing[i].name))
			return passing[i].with_value && equals == SPAN_NONE ? 2 : 1;
	}
	return 0;
}

static void fact_command(struct facts *x, const char *name, const struct argv *a)
{
	bool go = a->n && span_eq(path_base(span_of(a->v[0])), S("go"));

	fact_begin(x, name);
	for (size_t i = 0; i < a->n && i < ARGS_MAX; i++) {
		struct span arg = span_head(span_of(a->v[i]), VALUE_MAX);
		size_t skip = go && i > 1 ? passing_words(arg) : 0;
		if (skip) {
			i += skip - 1;
			continue;
		}
		if (i)
			buf_addc(x->to, ' ');
		if (i)
			mask_text(arg, MASK_STRICT, x->to);
		else
			mask_name(path_base(arg), x->to);
	}
	fact_end(x, name);
}

static bool same_argv(const struct argv *a, const struct argv *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++) {
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	}
	return a->n == b->n;
}

static const char *calling_script(const struct report *r, const struct argv *a)
{
	for (size_t i = 0; i < r->n_commands; i++) {
		if (r->commands[i].masked && r->commands[i].script && same_argv(&r->commands[i].argv, a))
			return r->commands[i].script;
	}
	return NULL;
}

static void put_masked(struct facts *x)
{
	const char *script = calling_script(x->r, &x->f->command);

	if (script)
		fact_text(x, "script", span_of(script), MASK_STRICT);
	else
		fact_command(x, "script", &x->r->argv);
	fact_command(x, "command", &x->f->command);
}

/* "ended by SIGTERM (…)" in either language. */
static void put_signal(struct facts *x, struct span text)
{
	size_t at = span_find(text, S("SIG")), n = 3;
	struct span s = at == SPAN_NONE ? S("") : span_from(text, at);

	while (n < s.n && ((s.p[n] >= 'A' && s.p[n] <= 'Z') || (s.p[n] >= '0' && s.p[n] <= '9')))
		n++;
	fact(x, "signal", span_head(s, n));
}

/* ---- all of it ---- */

static void put_said(struct facts *x)
{
	if (x->r->ending.how == END_NOT_STARTED && x->r->argv.n) {
		fact_name(x, "program", path_base(span_of(x->r->argv.v[0])));
		return;
	}
	put_package(x);
	put_test(x);
	put_message(x, MASK_LOOSE);
}

static void put_kind(struct facts *x, enum kind kind)
{
	switch (kind) {
	case KIND_SAID:
		put_said(x);
		break;
	case KIND_TEST:
	case KIND_NAMED:
		put_package(x);
		put_test(x);
		if (kind == KIND_TEST)
			put_message(x, MASK_LOOSE);
		break;
	case KIND_CRASH:
		put_message(x, MASK_LOOSE);
		put_frames(x, kind);
		break;
	case KIND_EXIT:
		put_package(x);
		put_test(x);
		if (!x->f->test.n)
			fact_text(x, "said", last_words(x->f->excerpt), MASK_LOOSE);
		break;
	case KIND_SIGNAL:
		put_signal(x, x->f->excerpt);
		put_frames(x, kind);
		break;
	case KIND_PLACE: case KIND_CYCLE: case KIND_RACE:
		put_frames(x, kind);
		break;
	case KIND_BUILD:
	case KIND_SOURCE:
		put_package(x);
		if (kind == KIND_SOURCE)
			fact_name(x, "file", x->f->file);
		put_message(x, MASK_STRICT);
		break;
	case KIND_RULE:
		fact_name(x, "file", x->f->file);
		fact(x, "line", span_head(span_trim(span_head(x->f->excerpt, span_chr(x->f->excerpt, '\n'))), VALUE_MAX));
		break;
	case KIND_VET:
		fact_name(x, "file", path_base(x->f->file));
		put_message(x, MASK_STRICT);
		break;
	case KIND_MODULE:
		put_message(x, MASK_STRICT);
		break;
	case KIND_PROCESS:
		put_package(x);
		if (!x->n)
			fact_command(x, "command", &x->r->argv);
		put_signal(x, x->f->message);
		break;
	case KIND_RESOURCE:
		put_package(x);
		put_test(x);
		break; /* and the command when neither is known */
	case KIND_COMMAND:
		fact_command(x, "command", &x->r->argv);
		break;
	case KIND_MASKED:
		put_masked(x);
		break;
	}
}

void fingerprint_text(const struct report *r, const struct finding *f, struct buf *ret)
{
	struct facts x = { .r = r, .f = f, .to = ret };
	char mem[CAUSE_ID_MAX];
	const char *id = finding_cause_id(f, mem);

	buf_adds(ret, "tocsin fingerprint 1\n");
	fact(&x, "cause", span_of(id ? id : "none"));
	x.n = 0;
	put_kind(&x, f->cause < CAUSE_COUNT ? (enum kind)kinds[f->cause] : KIND_SAID);
	if (!x.n) /* else all of a cause without words would be one fault */
		fact_command(&x, "command", &r->argv);
}

void fingerprint_make(const struct report *r, const struct finding *f, char ret[FINGERPRINT_LEN + 1])
{
	/* no secret: it sets our hashes apart from others */
	static const unsigned char key[16] = { 't', 'o', 'c', 's', 'i', 'n', ' ', 'f', 'i', 'n', 'd', 'i', 'n', 'g', ' ', '1' };
	static const char hex[] = "0123456789abcdef";
	char mem[FINGERPRINT_TEXT + 1];
	struct buf text = { .p = mem, .cap = sizeof(mem), .max = FINGERPRINT_TEXT };
	unsigned char sum[16];

	fingerprint_text(r, f, &text);
	siphash128(key, buf_view(&text), sum);
	ret[0] = '0' + FINGERPRINT_VERSION;
	for (int i = 0; i < 16; i++) {
		ret[1 + 2 * i] = hex[sum[i] >> 4];
		ret[2 + 2 * i] = hex[sum[i] & 15];
	}
	ret[FINGERPRINT_LEN] = '\0';
}
