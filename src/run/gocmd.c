#include "run/gocmd.h"

#include <errno.h>

#include "base/mem.h"
#include "base/path.h"

/* The flag grammar of `go build`, `go test` and friends (Go 1.19 to 1.27). */
enum {
	VALUE = 1,  /* takes one: -flag=value or -flag value; else boolean */
	FORWARD = 2, /* go test also takes it as -test.flag */
	TEST = 4,   /* only of go test */
	REDO_DROP = 8, /* makes no sense, or overwrites something, when tests are run again */
};

struct flag {
	const char *name;
	unsigned how;
};

static const struct flag flags[] = {
	/* go test */
	{ "c", TEST }, { "exec", VALUE }, { "json", REDO_DROP }, { "o", VALUE | REDO_DROP }, { "vet", VALUE | TEST },
	{ "cover", 0 }, { "covermode", VALUE }, { "coverpkg", VALUE },
	{ "artifacts", FORWARD | TEST | REDO_DROP }, { "bench", VALUE | FORWARD | TEST | REDO_DROP },
	{ "benchmem", FORWARD | TEST }, { "benchtime", VALUE | FORWARD | TEST },
	{ "blockprofile", VALUE | FORWARD | TEST | REDO_DROP }, { "blockprofilerate", VALUE | FORWARD | TEST },
	{ "count", VALUE | FORWARD | TEST }, { "coverprofile", VALUE | FORWARD | TEST | REDO_DROP },
	{ "cpu", VALUE | FORWARD | TEST }, { "cpuprofile", VALUE | FORWARD | TEST | REDO_DROP },
	{ "failfast", FORWARD | TEST }, { "fullpath", FORWARD | TEST },
	{ "fuzz", VALUE | FORWARD | TEST | REDO_DROP }, { "fuzzminimizetime", VALUE | FORWARD | TEST },
	{ "fuzztime", VALUE | FORWARD | TEST }, { "list", VALUE | FORWARD | TEST },
	{ "memprofile", VALUE | FORWARD | TEST | REDO_DROP }, { "memprofilerate", VALUE | FORWARD | TEST },
	{ "mutexprofile", VALUE | FORWARD | TEST | REDO_DROP }, { "mutexprofilefraction", VALUE | FORWARD | TEST },
	{ "outputdir", VALUE | FORWARD | TEST }, { "parallel", VALUE | FORWARD | TEST },
	{ "run", VALUE | FORWARD | REDO_DROP }, { "short", FORWARD | TEST }, { "shuffle", VALUE | FORWARD | TEST },
	{ "skip", VALUE | FORWARD }, { "timeout", VALUE | FORWARD | TEST },
	{ "trace", VALUE | FORWARD | TEST | REDO_DROP }, { "v", FORWARD },
	/* building */
	{ "C", VALUE }, { "a", 0 }, { "n", 0 }, { "p", VALUE }, { "race", 0 }, { "msan", 0 }, { "asan", 0 }, { "x", 0 },
	{ "work", 0 }, { "i", 0 }, { "asmflags", VALUE }, { "buildmode", VALUE }, { "buildvcs", 0 },
	{ "compiler", VALUE }, { "gccgoflags", VALUE }, { "gcflags", VALUE }, { "installsuffix", VALUE },
	{ "ldflags", VALUE }, { "linkshared", 0 }, { "mod", VALUE }, { "modcacherw", 0 }, { "modfile", VALUE },
	{ "overlay", VALUE }, { "pgo", VALUE }, { "pkgdir", VALUE }, { "tags", VALUE }, { "toolexec", VALUE },
	{ "trimpath", 0 }, { "debug-actiongraph", VALUE }, { "debug-runtime-trace", VALUE }, { "debug-trace", VALUE },
};

/* Flags with a value of other subcommands; all else there is boolean. */
static const struct flag others[] = { { "f", VALUE }, { "vettool", VALUE }, { "reuse", VALUE }, { "go", VALUE } };

static const struct flag *flag_find(const struct flag *f, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(span_of(f[i].name), name))
			return &f[i];
	}
	return NULL;
}

static const struct flag *flag_of(struct span name, bool test)
{
	struct span bare = name;
	bool prefixed = test && span_skip(&bare, S("test."));
	const struct flag *f = flag_find(flags, ARRAY_LEN(flags), bare);

	if (!f && !test)
		return flag_find(others, ARRAY_LEN(others), name);
	if (f && ((prefixed && !(f->how & FORWARD)) || (!test && (f->how & TEST))))
		return NULL;
	return f;
}

/* Going through the words behind the subcommand as go does. */
enum kind { K_FLAG, K_UNKNOWN, K_PACKAGE, K_LITERAL, K_ARGS /* -args */, K_HELP };
struct word {
	enum kind kind;
	size_t at, n; /* words of argv: 2 when the value is the next one */
	const struct flag *flag;
	struct span value;
	bool has_value;
};
struct scan {
	const struct argv *argv;
	size_t at;
	bool test;       /* go test has rules of its own */
	bool run;        /* go run: what follows the package is the program's */
	bool in_list, list_seen, after_bare, literal;
};

static bool is_flag(struct span w, struct span *name, struct span *value, bool *has_value)
{
	if (span_starts(w, S("--")))
		w = span_from(w, 1);
	if (w.n < 2 || w.p[0] != '-' || w.p[1] == '-' || w.p[1] == '=')
		return false;
	w = span_from(w, 1);
	size_t eq = span_chr(w, '=');
	*has_value = eq != SPAN_NONE;
	*name = span_head(w, *has_value ? eq : w.n);
	*value = *has_value ? span_from(w, eq + 1) : (struct span){ 0 };
	return true;
}

static enum kind scan_plain(struct scan *s, struct span w) /* a word that is not a flag */
{
	if (s->test && !s->in_list && s->list_seen) {
		if (!s->after_bare)
			s->literal = true;
		s->after_bare = false;
		return K_LITERAL;
	}
	if (s->run && s->list_seen && !(span_ends(w, S(".go")) && s->in_list)) {
		s->literal = true;
		return K_LITERAL;
	}
	s->in_list = span_ends(w, S(".go")) || !s->run;
	s->list_seen = true;
	s->after_bare = false;
	return K_PACKAGE;
}

static enum kind scan_unknown(struct scan *s, struct word *w, struct span name)
{
	if (!s->test)
		return K_UNKNOWN;
	s->list_seen = true;
	if (span_eq(name, S("args")) && !w->has_value) {
		s->literal = true;
		return K_ARGS;
	}
	s->after_bare = !w->has_value;
	return K_UNKNOWN;
}

static enum kind scan_word(struct scan *s, struct word *w)
{
	struct span text = span_of(s->argv->v[s->at]), name;

	if (s->literal)
		return K_LITERAL;
	if (span_eq(text, S("--"))) {
		s->literal = s->test;
		s->list_seen = true;
		return K_LITERAL;
	}
	if (!s->test && s->list_seen) /* the flag package stops at the first word that is none */
		return scan_plain(s, text);
	if (!is_flag(text, &name, &w->value, &w->has_value))
		return scan_plain(s, text);
	if (!w->has_value && (span_eq(name, S("h")) || span_eq(name, S("help")) || span_eq(name, S("?"))))
		return K_HELP;
	s->in_list = s->after_bare = false;
	w->flag = flag_of(name, s->test);
	if (!w->flag)
		return scan_unknown(s, w, name);
	if ((w->flag->how & VALUE) && !w->has_value && s->at + 1 < s->argv->n) {
		w->value = span_of(s->argv->v[s->at + 1]);
		w->has_value = true;
		w->n = 2;
	}
	return K_FLAG;
}

static bool scan_next(struct scan *s, struct word *w)
{
	if (s->at >= s->argv->n)
		return false;
	*w = (struct word){ .at = s->at, .n = 1 };
	w->kind = scan_word(s, w);
	s->at += w->n;
	return true;
}

/* go, gotip, go1.22.1 (as golang.org/dl installs them) */
static bool name_is_go(struct span path)
{
	struct span s = path_base(path);

	if (!span_skip(&s, S("go")))
		return false;
	if (!s.n || span_eq(s, S("tip")))
		return true;
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr("0123456789.rcbeta", s.p[i]))
			return false;
	}
	return s.p[0] == '1';
}

static bool is_true(const struct word *w)
{
	struct span v = w->value;

	return !w->has_value || !(span_eq(v, S("0")) || span_eq(v, S("f")) || span_eq(v, S("F")) ||
				  span_eq(v, S("false")) || span_eq(v, S("FALSE")) || span_eq(v, S("False")));
}

static struct scan scan_open(const struct argv *argv, const struct gocmd *c)
{
	return (struct scan){ .argv = argv, .at = c->at_flags, .test = strcmp(c->sub, "test") == 0,
			      .run = strcmp(c->sub, "run") == 0 };
}

static bool word_is(const struct word *w, const char *flag)
{
	return w->kind == K_FLAG && w->flag && strcmp(w->flag->name, flag) == 0;
}

static void read_flag(struct gocmd *c, const struct word *w)
{
	const struct {
		const char *name;
		bool *to;
	} known[] = {
		{ "json", &c->has_json }, { "v", &c->has_v }, { "cover", &c->has_cover }, { "exec", &c->has_exec },
		{ "bench", &c->has_bench }, { "fuzz", &c->has_fuzz }, { "run", &c->has_run },
		{ "coverprofile", &c->has_cover }, { "coverpkg", &c->has_cover }, { "covermode", &c->has_cover },
		{ "count", &c->has_count }, { "overlay", &c->has_overlay },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (word_is(w, known[i].name))
			*known[i].to = (w->flag->how & VALUE) ? w->value.n > 0 : is_true(w);
	}
	if (word_is(w, "list") ? w->value.n > 0 : (word_is(w, "c") || word_is(w, "n")) && is_true(w))
		c->is_test = false;
}

static void read_chdir(const struct argv *argv, struct gocmd *c)
{
	struct span name, value;
	bool has_value;

	if (c->at_flags >= argv->n || !is_flag(span_of(argv->v[c->at_flags]), &name, &value, &has_value) ||
	    !span_eq(name, S("C")))
		return;
	if (has_value) {
		c->dir = value.p;
		c->at_flags++;
	} else if (c->at_flags + 1 < argv->n) {
		c->dir = argv->v[c->at_flags + 1];
		c->at_flags += 2;
	}
}

void gocmd_read(const struct argv *argv, struct gocmd *ret)
{
	struct word w;

	*ret = (struct gocmd){ .at_flags = argv->n, .at_args = argv->n, .at_packages = argv->n };
	if (!argv->n || !name_is_go(span_of(argv->v[0])))
		return;
	ret->is_go = true;
	if (argv->n < 2 || argv->v[1][0] == '-')
		return;
	ret->sub = argv->v[1];
	ret->at_flags = 2;
	ret->is_test = strcmp(ret->sub, "test") == 0;
	read_chdir(argv, ret);
	for (struct scan s = scan_open(argv, ret); scan_next(&s, &w);) {
		if (w.kind == K_FLAG)
			read_flag(ret, &w);
		else if (w.kind == K_PACKAGE && ret->n_packages++ == 0)
			ret->at_packages = w.at;
		else if (w.kind == K_ARGS)
			ret->at_args = w.at + 1;
		else if (w.kind == K_LITERAL && s.run && ret->at_args == argv->n)
			ret->at_args = w.at;
		else if (w.kind == K_HELP) {
			ret->is_test = false;
			break;
		}
	}
}

/* A growing argv in mem with room for `more` words. */
static bool argv_room(struct arena *mem, const struct argv *from, size_t more, struct argv *ret)
{
	ret->v = arena_alloc(mem, (from->n + more + 1) * sizeof(*ret->v));
	ret->n = 0;
	return ret->v != NULL;
}

static void argv_add(struct argv *a, const char *word)
{
	a->v[a->n++] = word;
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/*
 * A -v that is taken out may leave behind two words that would then be read together: `./a -v x` (x is the
 * test's, not a package), `-mine -v x`. There -json takes its place, which go reads by the same rules.
 */
struct dropper {
	bool fragile; /* the last word kept was a package or an unknown flag */
};

static void keep_word(struct dropper *d, const struct argv *from, const struct word *w, bool drop, struct argv *to)
{
	if (drop) {
		if (d->fragile)
			argv_add(to, "-json");
		d->fragile = false;
		return;
	}
	for (size_t i = 0; i < w->n; i++)
		argv_add(to, from->v[w->at + i]);
	d->fragile = w->kind == K_PACKAGE || w->kind == K_UNKNOWN;
}

int gocmd_with_json(struct arena *mem, const struct argv *argv, struct argv *ret, struct err *e)
{
	struct gocmd c;
	struct word w;
	struct dropper d = { 0 };

	*ret = *argv;
	gocmd_read(argv, &c);
	if (!c.is_test || c.has_json)
		return 0;
	struct scan s = scan_open(argv, &c);
	while (scan_next(&s, &w)) { /* -json=false is a wish, too */
		if (word_is(&w, "json"))
			return 0;
	}
	if (!argv_room(mem, argv, 1, ret))
		return no_memory(e);
	for (size_t i = 0; i < c.at_flags; i++)
		argv_add(ret, argv->v[i]);
	argv_add(ret, "-json");
	for (s = scan_open(argv, &c); scan_next(&s, &w);)
		keep_word(&d, argv, &w, word_is(&w, "v"), ret);
	return 1;
}

/* As regexp.QuoteMeta: a backslash before every special byte. */
static void quote_meta(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] && strchr("\\.+*?()|[]{}^$", s.p[i]))
			buf_addc(b, '\\');
		buf_addc(b, s.p[i]);
	}
}

/* Is a listed test a subtest of t? Then t runs anyway, and only as much of it as is needed. */
static bool has_listed_child(const struct span *tests, size_t n, struct span t)
{
	for (size_t i = 0; i < n; i++) {
		if (tests[i].n > t.n && tests[i].p[t.n] == '/' && span_starts(tests[i], t))
			return true;
	}
	return false;
}

static bool listed_before(const struct span *tests, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (span_eq(tests[k], tests[i]))
			return true;
	}
	return false;
}

static void add_pattern(struct buf *b, struct span test)
{
	if (b->len)
		buf_addc(b, '|');
	for (bool more = true; more;) {
		size_t slash = span_chr(test, '/');
		more = slash != SPAN_NONE;
		buf_addc(b, '^');
		quote_meta(b, span_head(test, more ? slash : test.n));
		buf_adds(b, more ? "$/" : "$");
		test = span_from(test, more ? slash + 1 : test.n);
	}
}

static bool can_rerun(struct span t)
{
	return span_starts(t, S("Test")) || span_starts(t, S("Fuzz")) || span_starts(t, S("Example"));
}

static bool run_pattern(struct buf *b, const struct span *tests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (can_rerun(tests[i]) && !listed_before(tests, i) && !has_listed_child(tests, n, tests[i]))
			add_pattern(b, tests[i]);
	}
	return b->len > 0;
}

int gocmd_rerun(struct arena *mem, const struct argv *argv, struct span package, const struct span *tests,
		size_t n, struct argv *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf pattern = { 0 };
	struct gocmd c;
	struct word w;
	struct dropper d = { 0 };
	bool files = span_eq(package, S("command-line-arguments"));

	gocmd_read(argv, &c);
	if (!c.is_go || !c.sub || strcmp(c.sub, "test") != 0)
		return err_set(e, EINVAL, TR("cannot re-run tests: the command is not go test",
					     "无法重新运行测试：该命令不是 go test"));
	if (!run_pattern(&pattern, tests, n))
		return pattern.bad ? no_memory(e) : 0;
	const char *run = arena_printf(mem, "-run=%s", buf_str(&pattern));
	const char *pkg = arena_str(mem, package);
	if (pattern.bad || !run || !pkg || !argv_room(mem, argv, 3 + c.n_packages, ret))
		return no_memory(e);
	for (size_t i = 0; i < c.at_flags; i++)
		argv_add(ret, argv->v[i]);
	/* The package first: whatever an unknown flag swallows behind it, it is tested. */
	for (size_t i = 0; files && i < c.n_packages; i++)
		argv_add(ret, argv->v[c.at_packages + i]);
	if (!files && package.n)
		argv_add(ret, pkg);
	argv_add(ret, "-json");
	argv_add(ret, run);
	for (struct scan s = scan_open(argv, &c); scan_next(&s, &w);) {
		if (w.kind != K_PACKAGE)
			keep_word(&d, argv, &w, w.kind == K_FLAG &&
				  (word_is(&w, "v") || (w.flag && (w.flag->how & REDO_DROP))), ret);
	}
	return 1;
}
