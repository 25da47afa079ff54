#include "check/traps_own.h"

/* Traps of the names of files. */

/* Words that mean something else too; where other evidence is thin, they are left alone. */
static bool two_meanings(struct span word)
{
	static const char *const words[] = { "js", "wasm", "arm", "arm64", "amd64", "386", "android", "ios" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_eq(word, span_of(words[i])))
			return true;
	return false;
}

bool platform_word(struct span word)
{
	return go_os_known(word, INT32_MAX) || go_arch_known(word, INT32_MAX);
}

bool span_fold_eq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		char x = a.p[i], y = b.p[i];
		if ((x >= 'A' && x <= 'Z' ? x | 32 : x) != (y >= 'A' && y <= 'Z' ? y | 32 : y))
			return false;
	}
	return true;
}

struct span platform_fold(struct span word)
{
	for (size_t i = 0; i < go_oses_n; i++)
		if (span_fold_eq(word, span_of(go_oses[i].name)))
			return span_of(go_oses[i].name);
	for (size_t i = 0; i < go_arches_n; i++)
		if (span_fold_eq(word, span_of(go_arches[i].name)))
			return span_of(go_arches[i].name);
	return (struct span){ 0 };
}

static struct span without(struct span s, struct span end)
{
	return span_ends(s, end) ? span_head(s, s.n - end.n) : s;
}

/* Up to the first dot, as go reads it, without _test. */
static struct span stem_of(const struct src_file *f)
{
	struct span name = span_of(f->name);

	return without(span_head(name, span_chr(name, '.')), S("_test"));
}

static struct span last_word(struct span s, const char *cuts)
{
	size_t at = s.n;

	while (at && !strchr(cuts, s.p[at - 1]))
		at--;
	return at ? span_from(s, at) : (struct span){ 0 };
}

static struct span head_word(struct span stem, struct span last)
{
	return span_head(stem, stem.n - last.n - 1);
}

/* A name that shows that a test file is meant: x_test_linux.go, x_Test.go, x-test.go, x_tests.go, x.test.go. */
static bool almost_test(const struct src_file *f)
{
	struct span all = without(span_of(f->name), S(".go")), rest = all;
	static const char *const words[] = { "test", "tests" };

	for (int i = 0; i < 3; i++) {
		struct span last = last_word(rest, "_-.");
		if (!last.p)
			return false;
		for (size_t k = 0; k < ARRAY_LEN(words); k++)
			if (span_fold_eq(last, span_of(words[k])))
				return true;
		if (!platform_fold(last).p)
			return false;
		rest = head_word(rest, last);
	}
	return false;
}

/* ---- name.platform ---- */

/* Does what it imports speak for a platform? */
static bool imports_system(const struct src_file *f)
{
	static const char *const paths[] = {
		"C",       "syscall",           "unsafe",    "syscall/js",          "runtime",
		"os/exec", "golang.org/x/sys/", "internal/", "golang.org/x/mobile/"
	};

	for (size_t i = 0; f->head && i < f->head->n_imports; i++) {
		struct span p = f->head->imports[i].path;
		for (size_t k = 0; k < ARRAY_LEN(paths); k++) {
			struct span s = span_of(paths[k]);
			if (span_eq(p, s) || (s.p[s.n - 1] == '/' && span_starts(p, s)))
				return true;
		}
	}
	return false;
}

/* What stands for all other platforms in names, by custom alone. */
static bool custom(struct span word)
{
	static const char *const words[] = { "unix",       "posix",      "other",   "others",
					     "generic",    "stub",       "default", "fallback",
					     "nonwindows", "notwindows", "nix" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_eq(word, span_of(words[i])))
			return true;
	return false;
}

static bool not_this(void *ctx, const struct constraint *t)
{
	const struct span *word = ctx;
	bool js = (span_eq(*word, S("js")) || span_eq(*word, S("wasm"))) &&
		  (span_eq(t->tag, S("js")) || span_eq(t->tag, S("wasm")));

	return !js && !span_eq(t->tag, *word);
}

/* Does another file of the folder show that the platform is meant: by the same word, or as another one's version of the same? */
static bool spoken_of(struct trap_run *c, const struct src_file *f, struct span word, struct span stem)
{
	const struct src_dir *d = f->dir;

	for (size_t i = 0; i < d->n; i++) {
		const struct src_file *o = &d->files[i];
		if (o == f || o->hidden || (!o->head && o->kind != SRC_SYSO))
			continue;
		struct goname name = goname_read(span_of(o->name), c->go);
		struct span theirs = stem_of(o), last = last_word(theirs, "_");
		bool has = name.os.p || name.arch.p;
		if ((name.os.p && span_eq(name.os, word)) || (name.arch.p && span_eq(name.arch, word)))
			return true;
		const struct constraint *x = o->head ? trap_expr(c, o->head) : NULL;
		/* x_linux.go beside x_js.go, or x_other.go with a constraint: versions of one thing. */
		if (theirs.p && last.p && (has || x || custom(last)) &&
		    span_starts(head_word(theirs, last), head_word(stem, word)))
			return true;
		if (span_eq(theirs, head_word(stem, word)) && x)
			return true;
		if (x && !constraint_tags(x, not_this, &word))
			return true;
	}
	return false;
}

static bool elsewhere(struct trap_run *c, const struct src_file *f, struct span word)
{
	for (size_t i = 0; i < c->tree->n; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		for (size_t k = 0; k < d->n && trap_looked_at(d); k++) {
			struct goname name = goname_read(span_of(d->files[k].name), c->go);
			const struct constraint *x = d->files[k].head ? trap_expr(c, d->files[k].head) : NULL;
			if (&d->files[k] != f &&
			    ((name.os.p && span_eq(name.os, word)) || (x && expr_has(x, word))))
				return true;
		}
	}
	return false;
}

static void check_platform(struct trap_run *c, const struct src_file *f)
{
	struct goname name = goname_read(span_of(f->name), c->go);
	struct span word = name.arch.p && !name.os.p ? name.arch : name.os;

	if (f->kind != SRC_GO || !word.p || (name.os.p && name.arch.p) || trap_expr(c, f->head) ||
	    imports_system(f))
		return;
	bool plain = !two_meanings(word);
	if (almost_test(f))
		return;
	/* A test of one platform needs no other beside it. */
	if (spoken_of(c, f, word, stem_of(f)) || (plain && (f->test || elsewhere(c, f, word))))
		return;
	trap_say(c, TRAP_NAME_PLATFORM, ((struct spot){ .file = f }), span_of(f->name), word);
}

/* ---- suffixes that do not count ---- */

static enum severity by_meaning(enum trap trap, struct span word)
{
	return two_meanings(word) ? SEV_NOTE : trap_rules[trap].severity;
}

static void check_lost_suffix(struct trap_run *c, const struct src_file *f)
{
	struct span all = without(without(span_of(f->name), S(".go")), S("_test")), stem = stem_of(f), low;
	struct span behind = stem.n < all.n ? last_word(span_from(all, stem.n), "._-") : (struct span){ 0 };
	struct spot at = { .file = f };
	struct goname name = goname_read(span_of(f->name), c->go);

	if (f->kind != SRC_GO || name.os.p || name.arch.p || trap_expr(c, f->head))
		return;
	if (behind.p && platform_word(behind)) {
		trap_say_as(c, TRAP_NAME_HIDDEN, by_meaning(TRAP_NAME_HIDDEN, behind), at, span_of(f->name),
			    behind);
		return;
	}
	struct span last = last_word(stem, "_");
	if (last.p && (low = platform_fold(last)).p && !span_eq(low, last)) {
		trap_say_as(c, TRAP_NAME_CASE, by_meaning(TRAP_NAME_CASE, low), at, span_of(f->name), last,
			    low);
		return;
	}
	struct span bare = stem;
	while (bare.n && bare.p[bare.n - 1] == '_')
		bare.n--;
	last = last_word(bare, bare.n < stem.n ? "_" : "-");
	if (last.p && (low = platform_fold(last)).p)
		trap_say_as(c, TRAP_NAME_DASH, by_meaning(TRAP_NAME_DASH, low), at, span_of(f->name), low);
}

static bool has_sibling(const struct src_file *f, struct span stem, struct trap_run *c)
{
	for (size_t i = 0; i < f->dir->n; i++) {
		struct span theirs = stem_of(&f->dir->files[i]), last = last_word(theirs, "_");
		struct goname name = goname_read(span_of(f->dir->files[i].name), c->go);
		if (last.p && name.os.p && span_eq(head_word(theirs, last), head_word(stem, S("unix"))))
			return true;
	}
	return false;
}

static void check_unix(struct trap_run *c, const struct src_file *f)
{
	struct span stem = stem_of(f);

	if (f->kind != SRC_GO || f->test || !span_fold_eq(last_word(stem, "_"), S("unix")) ||
	    trap_expr(c, f->head))
		return;
	trap_say_as(c, TRAP_NAME_UNIX, has_sibling(f, stem, c) ? SEV_WARNING : SEV_NOTE,
		    ((struct spot){ .file = f }), span_of(f->name));
}

/* N of the go line of the module that it is in; 0: not known. */
static int module_go(const struct src_dir *d)
{
	struct span go = d->member ? d->member->mod.go : (struct span){ 0 };
	int64_t n = 0;

	if (!span_skip(&go, S("1.")))
		return 0;
	return span_int(span_cut(&go, '.'), &n) && n < 1000 ? (int)n : 0;
}

static void check_since(struct trap_run *c, const struct src_file *f)
{
	struct goname name = goname_read(span_of(f->name), INT32_MAX);
	int line = module_go(f->dir), least = line && line < c->go_least ? line : c->go_least;

	if (trap_expr(c, f->head))
		return;
	for (size_t i = 0; i < go_oses_n; i++) {
		const struct go_platform_name *o = &go_oses[i];
		if (!name.os.p || !span_eq(name.os, span_of(o->name)) || o->since <= least)
			continue;
		trap_say_as(c, TRAP_NAME_SINCE, c->go_least < o->since ? SEV_WARNING : SEV_NOTE,
			    ((struct spot){ .file = f }), span_of(f->name), name.os,
			    trap_text(c, "%d", o->since - 1), trap_text(c, "%d", o->since));
	}
}

/* ---- files that go does not look at ---- */

static void check_unseen(struct trap_run *c, const struct src_file *f)
{
	struct span name = span_of(f->name),
		    ext = span_from(name, span_rchr(name, '.') == SPAN_NONE ? name.n : span_rchr(name, '.'));
	struct spot at = { .file = f };

	if (f->kind == SRC_NONE && !f->hidden && !f->dir_link && span_fold_eq(ext, S(".go")))
		trap_say(c, TRAP_NAME_EXTENSION, at, name, S(".go"));
	/* ".#x.go" and "._x.go" are made by editors and by other systems. */
	if (f->kind != SRC_GO || !f->hidden || span_starts(name, S(".#")) || span_starts(name, S("._")))
		return;
	trap_say(c, f->test ? TRAP_TEST_HIDDEN : TRAP_NAME_UNDERSCORE, at, name, span_head(name, 1));
}

static void check_state(struct trap_run *c, const struct src_file *f)
{
	for (size_t i = 0; i < c->o->n; i++) {
		const struct act_file *a = trap_act(&c->o->selections[i], f);
		if (a && a->why == ACT_WHY_DOCUMENTATION)
			trap_say(c, TRAP_FILE_DOCUMENTATION,
				 ((struct spot){ .file = f, .line = f->head->package_line }),
				 span_of(f->name));
		if (a && a->why == ACT_WHY_NO_CGO)
			trap_say(c, TRAP_FILE_BIG_S, ((struct spot){ .file = f }), span_of(f->name));
	}
}

/* ---- tests in files that are none ---- */

static bool imports(const struct src_file *f, struct span path)
{
	for (size_t i = 0; i < f->head->n_imports; i++)
		if (span_eq(f->head->imports[i].path, path))
			return true;
	return false;
}

/* The first `func TestX(t *testing.T)` at the start of a line. */
static struct span first_test(struct span text, int *line)
{
	static const char *const kinds[] = { "Test", "Benchmark", "Fuzz" };
	static const char *const types[] = { "T", "B", "F" };

	*line = 0;
	for (struct span rest = text; rest.n;) {
		struct span l = span_cut(&rest, '\n');
		++*line;
		if (!span_skip(&l, S("func ")))
			continue;
		struct span name = span_head(l, span_chr(l, '('));
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
			struct span args = span_from(l, name.n + 1);
			if (!span_starts(name, span_of(kinds[i])) || span_chr(args, ')') == SPAN_NONE)
				continue;
			args = span_head(args, span_chr(args, ')'));
			span_cut(&args, ' ');
			if (span_skip(&args, S("*testing.")) && span_eq(span_trim(args), span_of(types[i])))
				return name;
		}
	}
	return (struct span){ 0 };
}

static void check_test_name(struct trap_run *c, const struct src_file *f)
{
	int line;

	if (f->kind != SRC_GO || f->test || !imports(f, S("testing")) || !almost_test(f))
		return;
	struct span test = first_test(trap_read(c, f), &line);
	if (test.p)
		trap_say(c, TRAP_TEST_NAME, ((struct spot){ .file = f, .line = line }), span_of(f->name),
			 trap_text(c, "%.*s", SPAN_ARG(test)));
}

void trap_names_of_files(struct trap_run *c)
{
	for (size_t i = 0; i < c->tree->n; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		for (size_t k = 0; k < d->n && !c->bad && trap_looked_at(d); k++) {
			const struct src_file *f = &d->files[k];
			check_unseen(c, f);
			if (!f->head)
				continue;
			check_state(c, f);
			check_platform(c, f);
			check_lost_suffix(c, f);
			check_unix(c, f);
			check_since(c, f);
			check_test_name(c, f);
		}
	}
}
