#include "base/path.h"
#include "check/traps_own.h"

/* Traps of tags: those that nobody sets, and those that nobody reads. */

#define DEPENDENCIES_MAX     300
#define DEPENDENCY_FILES_MAX 60000

bool tag_of_go(struct span tag)
{
	return target_known_tag(tag, 999) || span_eq(tag, S("gc")) || span_eq(tag, S("gccgo"));
}

static bool one_of(struct span tag, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(tag, span_of(v[i])))
			return true;
	return false;
}

bool tag_usual(struct span tag)
{
	/* Set by hand, by other tools or by other compilers, or never, and everybody knows it. */
	static const char *const tags[] = {
		"ignore",
		"ignored",
		"tools",
		"tool",
		"none",
		"never",
		"exclude",
		"disabled",
		"skip",
		"example",
		"examples",
		"generate",
		"gen",
		"wireinject",
		"appengine",
		"appenginevm",
		"gofuzz",
		"gofuzz_libfuzzer",
		"libfuzzer",
		"tinygo",
		"gopherjs",
		"purego",
		"safe",
		"noasm",
		"nounsafe",
		"mage",
		"protolegacy",
		"protoopaque",
		"e2e",
		"integration",
		"debug",
		"dev",
		"prod",
		"production",
		"manual",
		"slow",
		"docs",
		"doc",
		"bench",
		"compiler_bootstrap",
		"cmd_go_bootstrap",
		"math_big_pure_go",
		"netgo",
		"netcgo",
		"osusergo",
		"timetzdata",
		"faketime",
		"static_build",
		"nethttpomithttp2",
		"go_json",
		"jsoniter",
		"nomsgpack",
		"goexperiment",
		"llvm",
		"scaffold",
		"template",
		"baz",
		"foo",
		"bar",
		"x",
		"y",
		"z",
	};

	return one_of(tag, tags, ARRAY_LEN(tags));
}

/* Tests that a pipeline is expected to run somewhere. */
bool tag_meant_to_run(struct span tag)
{
	static const char *const tags[] = { "integration", "e2e", "slow", "manual" };

	return !tag_usual(tag) || one_of(tag, tags, ARRAY_LEN(tags));
}

/* Read by the standard library or by go's own linker, whatever the tree says. */
static bool read_by_go(struct span tag)
{
	static const char *const tags[] = { "netgo",
					    "netcgo",
					    "osusergo",
					    "timetzdata",
					    "faketime",
					    "purego",
					    "math_big_pure_go",
					    "nethttpomithttp2",
					    "cmd_go_bootstrap",
					    "compiler_bootstrap",
					    "boringcrypto",
					    "race",
					    "msan",
					    "asan",
					    "static",
					    "internal_pie",
					    "goexperiment.boringcrypto" };

	return one_of(tag, tags, ARRAY_LEN(tags)) || tag_of_go(tag);
}

/* The first tag that must be set by somebody for this to hold, as far as its form shows. */
struct span tag_wanted(const struct constraint *x, bool negated)
{
	struct span ret = { 0 };

	if (x->op == CONSTRAINT_TAG)
		return !negated && !tag_of_go(x->tag) && !x->bad ? x->tag : ret;
	ret = tag_wanted(x->x, negated != (x->op == CONSTRAINT_NOT));
	return ret.p || !x->y ? ret : tag_wanted(x->y, negated);
}

/* ---- which tags there are ---- */

struct use {
	struct span tag;
	const struct src_file *file; /* the first */
	int line;
	size_t n;                                /* files */
	const struct src_file *lost, *lost_test; /* the first that is built with this tag alone */
	size_t n_lost, n_lost_test;
};
struct tags {
	struct trap_run *c;
	struct map by_tag; /* struct use; of files that are looked at */
	struct use **v;
	size_t n, cap;
	struct map all; /* tags of all files, vendored ones too */
	const struct src_file *file;
	bool own;
};

static bool add(void *ctx, const struct constraint *t)
{
	struct tags *all = ctx;
	struct trap_run *c = all->c;
	struct use *u = map_get(&all->by_tag, t->tag);

	if (t->bad)
		return true;
	if (!map_get(&all->all, t->tag))
		c->bad |= !map_put(&all->all, t->tag, all);
	if (!all->own)
		return !c->bad;
	if (!u) {
		u = arena_alloc(&c->mem, sizeof(*u));
		if (!u || !mem_grow(&all->v, &all->cap, all->n, sizeof(struct use *)) ||
		    !map_put(&all->by_tag, t->tag, u)) {
			c->bad = true;
			return false;
		}
		*u = (struct use){ .tag = t->tag };
		all->v[all->n++] = u;
	}
	if (!u->file) {
		u->file = all->file;
		u->line = trap_expr_line(all->file->head);
	}
	u->n++;
	return !c->bad;
}

static void add_lost(struct tags *all, const struct src_file *f, const struct constraint *x)
{
	struct goname name = goname_read(span_of(f->name), all->c->go);

	/* Left out everywhere without tags, but not for ever. */
	if (f->kind != SRC_GO || trap_built(all->c, f) || expr_can(x, &name, EXPR_UNTAGGED, true) != 0 ||
	    expr_can(x, &name, EXPR_ANYWHERE, true) != 1)
		return;
	struct span tag = tag_wanted(x, false);
	struct use *u = tag.p ? map_get(&all->by_tag, tag) : NULL;
	if (!u)
		return;
	const struct src_file **first = f->test ? &u->lost_test : &u->lost;
	*first = *first ? *first : f;
	*(f->test ? &u->n_lost_test : &u->n_lost) += 1;
}

static void collect(struct tags *all)
{
	struct trap_run *c = all->c;

	for (size_t i = 0; i < c->tree->n; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		all->own = trap_looked_at(d);
		for (size_t k = 0; k < d->n && !c->bad; k++) {
			const struct constraint *x = d->files[k].head ? trap_expr(c, d->files[k].head) : NULL;
			all->file = &d->files[k];
			if (!x)
				continue;
			constraint_tags(x, add, all);
			if (all->own && !c->bad)
				add_lost(all, all->file, x);
		}
	}
}

/* ---- tags that nobody sets ---- */

static bool is_set(const struct trap_run *c, struct span tag)
{
	for (size_t i = 0; i < c->o->n; i++) {
		const struct list *l = &c->o->selections[i].target->tags;
		for (size_t k = 0; k < l->n; k++)
			if (span_eq(span_of(l->v[k]), tag))
				return true;
	}
	return flows_speak_of(c->flows, tag);
}

static struct span count(struct trap_run *c, size_t n)
{
	return n > 1 ? trap_text(c, TR(" (in %zu files)", "（共 %zu 个文件）"), n) : S("");
}

/* What people write for a tag of go: by what it is called elsewhere. */
static struct span called_elsewhere(struct span tag)
{
	static const struct {
		struct span word, real;
	} rows[] = {
		{ S("macos"), S("darwin") },     { S("osx"), S("darwin") },
		{ S("mac"), S("darwin") },       { S("macosx"), S("darwin") },
		{ S("win"), S("windows") },      { S("win32"), S("windows") },
		{ S("win64"), S("windows") },    { S("x86_64"), S("amd64") },
		{ S("x64"), S("amd64") },        { S("x86"), S("386") },
		{ S("i386"), S("386") },         { S("i686"), S("386") },
		{ S("aarch64"), S("arm64") },    { S("armv8"), S("arm64") },
		{ S("armv7"), S("arm") },        { S("sunos"), S("solaris") },
		{ S("webassembly"), S("wasm") }, { S("loongarch64"), S("loong64") },
		{ S("posix"), S("unix") },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_fold_eq(tag, rows[i].word))
			return rows[i].real;
	return (struct span){ 0 };
}

/* linux_amd64, linux-amd64 cannot be; amd64v3. */
static struct span joined(struct trap_run *c, struct span tag)
{
	size_t cut = span_chr(tag, '_'), v = span_rchr(tag, 'v');
	struct span os = span_head(tag, cut),
		    arch = cut == SPAN_NONE ? (struct span){ 0 } : span_from(tag, cut + 1);

	if (arch.n && go_os_known(os, INT32_MAX) && go_arch_known(arch, INT32_MAX))
		return trap_text(c, "%.*s && %.*s", SPAN_ARG(os), SPAN_ARG(arch));
	if (v != SPAN_NONE && v + 1 < tag.n && go_arch_known(span_head(tag, v), INT32_MAX)) {
		struct span dotted = trap_text(c, "%.*s.%.*s", (int)v, tag.p, (int)(tag.n - v), tag.p + v);
		return tag_of_go(dotted) ? dotted : (struct span){ 0 };
	}
	return (struct span){ 0 };
}

static bool same_digits(struct span a, struct span b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a.n && (a.p[i] < '0' || a.p[i] > '9'))
			i++;
		while (k < b.n && (b.p[k] < '0' || b.p[k] > '9'))
			k++;
		if (i == a.n || k == b.n)
			return i == a.n && k == b.n;
		if (a.p[i++] != b.p[k++])
			return false;
	}
}

struct near {
	struct span to, best;
	size_t least;
};

static void consider(struct near *n, struct span other)
{
	size_t shorter = n->to.n < other.n ? n->to.n : other.n, max = shorter >= 7 ? 2 : shorter >= 4 ? 1 : 0;
	/* People seldom mistype the first letter. */
	size_t far = span_eq(n->to, other) || !same_digits(n->to, other) || !other.n ||
				     other.p[0] != n->to.p[0]
			     ? 9
			     : letters_apart(n->to, other, max);

	if (far <= max && far && far < n->least) {
		n->least = far;
		n->best = other;
	}
}

static struct span nearest(struct trap_run *c, const struct tags *all, struct span tag, size_t uses)
{
	struct near n = { .to = tag, .least = 9 };

	for (size_t i = 0; i < go_oses_n; i++)
		consider(&n, span_of(go_oses[i].name));
	for (size_t i = 0; i < go_arches_n; i++)
		consider(&n, span_of(go_arches[i].name));
	consider(&n, S("unix"));
	consider(&n, S("race"));
	consider(&n, S("ignore"));
	for (size_t i = 0; i < all->n; i++) {
		const struct use *u = all->v[i];
		if (u->n > uses && (u->n >= 3 * uses || is_set(c, u->tag)))
			consider(&n, u->tag);
	}
	for (size_t i = 0; i < c->flows->n_tags; i++)
		consider(&n, c->flows->tags[i].tag);
	for (size_t i = 0; i < c->o->n; i++)
		for (size_t k = 0; k < c->o->selections[i].target->tags.n; k++)
			consider(&n, span_of(c->o->selections[i].target->tags.v[k]));
	return n.best;
}

/* go1.19.3, go1.20rc1, go1_18, go2: what it must be. Absent: it is no version. */
static struct span version_of(struct trap_run *c, struct span tag)
{
	struct span rest = tag;
	size_t n = 0;

	if (!span_skip(&rest, S("go")) || !rest.n || rest.p[0] < '0' || rest.p[0] > '9' || tag_of_go(tag))
		return (struct span){ 0 };
	if (!span_skip(&rest, S("1.")) && !span_skip(&rest, S("1_")))
		return span_eq(rest, S("1")) || (rest.p[0] > '1' && rest.n == 1) ? S("go1.N")
										 : (struct span){ 0 };
	while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
		n++;
	return n && n < 4 ? trap_text(c, "go1.%.*s", (int)n, rest.p) : (struct span){ 0 };
}

static void check_lost(struct trap_run *c, const struct use *u)
{
	if (u->lost)
		trap_say(c, TRAP_TAG_UNSET,
			 ((struct spot){ .file = u->lost, .line = trap_expr_line(u->lost->head) }),
			 span_of(u->lost->name), u->tag, count(c, u->n_lost));
	if (u->lost_test)
		trap_say_as(
			c, TRAP_TEST_TAG, c->flows->tests && tag_meant_to_run(u->tag) ? SEV_WARNING : SEV_NOTE,
			((struct spot){ .file = u->lost_test, .line = trap_expr_line(u->lost_test->head) }),
			span_of(u->lost_test->name), u->tag, count(c, u->n_lost_test));
}

static void check_unset(struct trap_run *c, const struct tags *all, const struct use *u)
{
	struct spot at = { .file = u->file, .line = u->line };
	struct span real, tag = u->tag, version = version_of(c, tag);

	if (version.p) {
		trap_say(c, TRAP_TAG_VERSION, at, tag, version);
		return;
	}
	if (tag_of_go(tag) || is_set(c, tag))
		return;
	real = platform_fold(tag);
	if (!real.p)
		real = span_fold_eq(tag, S("unix"))   ? S("unix")
		       : span_fold_eq(tag, S("cgo"))  ? S("cgo")
		       : span_fold_eq(tag, S("race")) ? S("race")
						      : real;
	if (real.p) {
		trap_say(c, TRAP_TAG_CASE, at, tag, real, count(c, u->n));
		return;
	}
	real = called_elsewhere(tag);
	real = real.p ? real : joined(c, tag);
	if (!real.p && !tag_usual(tag))
		real = nearest(c, all, tag, u->n);
	if (real.p)
		trap_say(c, TRAP_TAG_UNKNOWN, at, tag, real, count(c, u->n));
	else if (!span_eq(tag, S("ignore")) && !span_starts(tag, S("tool")) && !span_eq(tag, S("none")))
		check_lost(c, u);
}

static void check_since(struct trap_run *c, const struct use *u)
{
	if (span_eq(u->tag, S("unix")) && c->go_least < 19)
		trap_say(c, TRAP_TAG_SINCE, ((struct spot){ .file = u->file, .line = u->line }), u->tag,
			 trap_text(c, "%d", c->go_least), S("19"));
	else if (tag_of_go(u->tag) && span_chr(u->tag, '.') != SPAN_NONE &&
		 go_arch_known(span_head(u->tag, span_chr(u->tag, '.')), INT32_MAX) && c->go_least < 20)
		trap_say(c, TRAP_TAG_SINCE, ((struct spot){ .file = u->file, .line = u->line }), u->tag,
			 trap_text(c, "%d", c->go_least), S("20"));
}

/* ---- tags that nobody reads ---- */

static void escaped(struct span path, struct buf *ret)
{
	for (size_t i = 0; i < path.n; i++) {
		bool big = path.p[i] >= 'A' && path.p[i] <= 'Z';
		buf_adds(ret, big ? "!" : "");
		buf_addc(ret, big ? (char)(path.p[i] | 32) : path.p[i]);
	}
}

struct unread {
	struct trap_run *c;
	struct span *tags;
	bool *seen;
	size_t n;
};

static bool see(void *ctx, const struct constraint *t)
{
	struct unread *u = ctx;

	for (size_t i = 0; i < u->n; i++)
		u->seen[i] |= span_eq(u->tags[i], t->tag);
	return true;
}

/* Looks for the tags in one module of the cache; -1: it is not there. */
static int see_module(struct unread *u, const struct mod_line *l, size_t *files)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct src_options o = { .work = "off", .go = u->c->go };
	struct src_tree tree = { 0 };

	buf_addf(&path, "%s/", u->c->o->env->modcache);
	escaped(l->path, &path);
	buf_addc(&path, '@');
	escaped(l->version, &path);
	u->c->bad |= path.bad;
	if (path.bad || src_tree_read(buf_str(&path), &o, &tree, NULL) < 0)
		return -1;
	for (size_t i = 0; i < tree.n; i++) {
		for (size_t k = 0; k < tree.dirs[i]->n; k++) {
			struct gohead *h = tree.dirs[i]->files[k].head;
			++*files;
			if (!h)
				continue;
			if (h->build.expr)
				constraint_tags(h->build.expr, see, u);
			for (size_t n = 0; n < h->n_old; n++)
				if (h->old[n].expr)
					constraint_tags(h->old[n].expr, see, u);
		}
	}
	src_tree_free(&tree);
	return 0;
}

/* Are all modules that are required at hand? Then what is not seen in them is read by nobody. */
static bool see_dependencies(struct unread *u)
{
	const struct mod_tree *mods = &u->c->tree->mods;
	size_t modules = 0, files = 0;
	bool whole = true;

	if (u->c->tree->vendor || !u->c->tree->has_mods)
		return u->c->tree->vendor;
	for (size_t m = 0; u->c->tree->has_mods && m < mods->n; m++) {
		for (size_t i = 0; i < mods->members[m].mod.n; i++) {
			const struct mod_line *l = &mods->members[m].mod.lines[i];
			if (l->verb == MOD_REPLACE)
				whole = false;
			if (l->verb != MOD_REQUIRE)
				continue;
			if (!u->c->o->env || !u->c->o->env->modcache || ++modules > DEPENDENCIES_MAX ||
			    files > DEPENDENCY_FILES_MAX)
				return false;
			if (see_module(u, l, &files) < 0)
				whole = false;
		}
	}
	return whole;
}

static void say_unread(struct trap_run *c, const struct tags *all, const struct flow_tag *t, bool sure)
{
	struct near n = { .to = t->tag, .least = 9 };
	struct spot at = { .file = t->flow ? t->flow->file : NULL, .line = t->line };

	for (size_t i = 0; i < all->n; i++) {
		if (span_fold_eq(all->v[i]->tag, t->tag)) {
			n.best = all->v[i]->tag;
			n.least = 0;
		} else {
			consider(&n, all->v[i]->tag);
		}
	}
	struct span hint =
		n.best.p ? trap_text(c, TR("; did you mean %.*s?", "；是否应为 %.*s？"), SPAN_ARG(n.best))
		: sure   ? S("")
			 : span_of(TR(" that is at hand", "（仅就手头的依赖而言）"));
	trap_say_as(c, TRAP_TAG_UNREAD, sure || n.best.p ? SEV_WARNING : SEV_NOTE, at, t->tag, hint);
}

static void check_unread(struct trap_run *c, const struct tags *all)
{
	size_t n_env = c->o->n ? c->o->selections[0].target->tags.n : 0, n_all = c->flows->n_tags + n_env,
	       n = 0;
	struct flow_tag *list = n_all ? arena_alloc(&c->mem, n_all * sizeof(*list)) : NULL;
	struct unread u = { .c = c };

	if (!n_all)
		return;
	u.tags = arena_alloc(&c->mem, n_all * sizeof(*u.tags));
	u.seen = arena_alloc(&c->mem, n_all * sizeof(*u.seen));
	if (!list || !u.tags || !u.seen) {
		c->bad = true;
		return;
	}
	for (size_t i = 0; i < n_all; i++) {
		struct flow_tag t =
			i < n_env ? (struct flow_tag){ .tag = span_of(c->o->selections[0].target->tags.v[i]) }
				  : c->flows->tags[i - n_env];
		if (read_by_go(t.tag) || map_get(&all->all, t.tag))
			continue;
		list[n] = t;
		u.tags[n++] = t.tag;
	}
	u.n = n;
	bool sure = n > 0 && see_dependencies(&u);
	for (size_t i = 0; i < n && !c->bad; i++)
		if (!u.seen[i])
			say_unread(c, all, &list[i], sure);
}

void trap_tags(struct trap_run *c)
{
	struct tags all = { .c = c };

	collect(&all);
	for (size_t i = 0; i < all.n && !c->bad; i++) {
		check_unset(c, &all, all.v[i]);
		check_since(c, all.v[i]);
	}
	if (!c->bad)
		check_unread(c, &all);
	map_free(&all.by_tag);
	map_free(&all.all);
	mem_free(all.v);
}
