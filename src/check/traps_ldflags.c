#include "check/traps_own.h"

/* -ldflags -X: does the name exist, and can it be set? The linker says nothing when it does not. */

struct answer {
	enum { ANSWER_FINE, ANSWER_UNKNOWN, ANSWER_UNSETTABLE, ANSWER_TYPE, ANSWER_SILENT } kind;
	struct span why;
};

/* Types that are surely no string. */
static bool other_type(struct span type)
{
	static const char *const types[] = { "bool",    "int",       "int8",       "int16",  "int32",
					     "int64",   "uint",      "uint8",      "uint16", "uint32",
					     "uint64",  "uintptr",   "byte",       "rune",   "float32",
					     "float64", "complex64", "complex128", "error",  "any" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (span_eq(type, span_of(types[i])))
			return true;
	return type.n && (strchr("[*({", type.p[0]) || span_starts(type, S("map[")) ||
			  span_starts(type, S("func(")) || span_starts(type, S("chan ")) ||
			  span_starts(type, S("struct")) || span_starts(type, S("interface")));
}

static struct span type_of_value(enum gonode kind)
{
	switch (kind) {
	case GO_INT_LITERAL: return S("int");
	case GO_FLOAT_LITERAL: return S("float64");
	case GO_TRUE:
	case GO_FALSE: return S("bool");
	case GO_FUNC_LITERAL: return S("func");
	case GO_COMPOSITE_LITERAL: return S("{}");
	default: return (struct span){ 0 };
	}
}

static struct span where_is(struct trap_run *c, const struct symbol *s)
{
	return trap_text(c, "%.*s:%d", SPAN_ARG(s->file), s->line);
}

/* A call of a function, and not the conversion to a type. */
static bool calls(const struct names *names, const struct symbol *s)
{
	const struct symbol *callee = s->plain_callee ? map_get(&names->by_name, s->callee) : NULL;

	return s->callee.p && (!s->plain_callee || (callee && callee->kind == SYMBOL_FUNC));
}

static struct answer answer_of(struct trap_run *c, const struct names *names, const struct symbol *s)
{
	struct span at = where_is(c, s), type = s->type.p      ? s->type
						: s->has_value ? type_of_value(s->value_kind)
							       : (struct span){ 0 };

	if (s->kind == SYMBOL_CONST)
		return (struct answer){ ANSWER_UNSETTABLE,
					trap_text(c, TR("it is a constant (%.*s)", "它是常量（%.*s）"),
						  SPAN_ARG(at)) };
	if (s->kind != SYMBOL_VAR)
		return (struct answer){ ANSWER_UNSETTABLE,
					trap_text(c, TR("it is no variable (%.*s)", "它不是变量（%.*s）"),
						  SPAN_ARG(at)) };
	if (type.p && other_type(type))
		return (struct answer){ ANSWER_TYPE,
					trap_text(c, "%.*s, %.*s", SPAN_ARG(type), SPAN_ARG(at)) };
	if (calls(names, s))
		return (struct answer){
			ANSWER_UNSETTABLE,
			trap_text(c,
				  TR("it is initialised by a call of %.*s, which overwrites it (%.*s)",
				     "它由调用 %.*s 初始化，会被覆盖（%.*s）"),
				  SPAN_ARG(s->callee), SPAN_ARG(at))
		};
	return (struct answer){ ANSWER_FINE, { 0 } };
}

static struct span near_name(const struct names *names, struct span name)
{
	struct span best = { 0 };
	size_t least = 3;

	for (size_t i = 0; i < names->n; i++) {
		const struct symbol *s = names->v[i];
		size_t max = name.n > 4 && s->name.n > 4 ? 2 : 1;
		size_t far = span_fold_eq(s->name, name) ? 0 : letters_apart(s->name, name, max);
		if (s->kind == SYMBOL_VAR && far <= max && far < least) {
			least = far;
			best = s->name;
		}
	}
	return best;
}

static struct answer ask(struct trap_run *c, const char *dir, struct span shown, struct span name)
{
	const struct names *names = trap_names(c, dir);
	const struct symbol *s = names ? map_get(&names->by_name, name) : NULL;

	if (!names || (!s && names->unknown) || !names->files)
		return (struct answer){ ANSWER_SILENT, { 0 } };
	if (s)
		return answer_of(c, names, s);
	struct span real = near_name(names, name);
	if (real.p)
		return (struct answer){ ANSWER_UNKNOWN,
					trap_text(c,
						  TR("%.*s has no variable %.*s; did you mean %.*s?",
						     "%.*s 中没有变量 %.*s；是否应为 %.*s？"),
						  SPAN_ARG(shown), SPAN_ARG(name), SPAN_ARG(real)) };
	return (struct answer){ ANSWER_UNKNOWN,
				trap_text(c, TR("%.*s has no variable %.*s", "%.*s 中没有变量 %.*s"),
					  SPAN_ARG(shown), SPAN_ARG(name)) };
}

static void say(struct trap_run *c, const struct flow_x *x, struct span name, struct answer a, bool sure)
{
	static const enum trap traps[] = { [ANSWER_UNKNOWN] = TRAP_X_UNKNOWN,
					   [ANSWER_UNSETTABLE] = TRAP_X_UNSETTABLE,
					   [ANSWER_TYPE] = TRAP_X_TYPE };
	struct spot at = { .file = x->flow ? x->flow->file : NULL, .line = x->line, .column = x->column };

	if (a.kind == ANSWER_FINE || a.kind == ANSWER_SILENT)
		return;
	trap_say_as(c, traps[a.kind], sure ? SEV_ERROR : SEV_WARNING, at, name, a.why);
}

/* ---- main ---- */

static bool is_main(const struct src_dir *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct src_file *f = &d->files[i];
		if (f->head && f->kind == SRC_GO && !f->test && f->head->package.p &&
		    !span_eq(f->head->package, S("main")) && !span_eq(f->head->package, S("documentation")))
			return false;
	}
	for (size_t i = 0; i < d->n; i++)
		if (d->files[i].head && d->files[i].kind == SRC_GO && !d->files[i].test &&
		    d->files[i].head->package.p && span_eq(d->files[i].head->package, S("main")))
			return true;
	return false;
}

static struct answer ask_dir(struct trap_run *c, const struct src_dir *d, struct span name)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	buf_adds(&path, trap_path(c, d, NULL));
	c->bad |= path.bad;
	if (c->bad)
		return (struct answer){ ANSWER_SILENT, { 0 } };
	return ask(c, buf_str(&path), span_of(d->import ? d->import : d->path), name);
}

/* One program that can take it is enough, unless the command says which is built. */
static void check_main(struct trap_run *c, const struct flow_x *x, struct span name)
{
	struct answer worst = { ANSWER_SILENT, { 0 } };
	size_t n = 0;

	if (x->main && is_main(x->main)) {
		say(c, x, x->name, ask_dir(c, x->main, name), true);
		return;
	}
	for (size_t i = 0; i < c->tree->n && !c->bad; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		if ((d->skip != DIR_TAKEN && d->skip != DIR_NESTED && d->skip != DIR_NO_MEMBER) ||
		    d->vendored || !is_main(d))
			continue;
		struct answer a = ask_dir(c, d, name);
		if (a.kind == ANSWER_FINE || a.kind == ANSWER_SILENT)
			return;
		if (!n++ || (worst.kind == ANSWER_UNKNOWN && a.kind != ANSWER_UNKNOWN))
			worst = a;
	}
	if (n > 1 && worst.kind == ANSWER_UNKNOWN)
		worst.why = trap_text(c,
				      TR("none of the %zu main packages has a variable %.*s",
					 "%zu 个 main 包中都没有变量 %.*s"),
				      n, SPAN_ARG(name));
	say(c, x, x->name, worst, true);
}

/* ---- other packages ---- */

/* The folder in the module cache of a package of a dependency; "": not known. */
static void find_cached(struct trap_run *c, struct span package, struct buf *ret)
{
	const struct mod_tree *mods = &c->tree->mods;
	const struct mod_line *best = NULL;

	for (size_t m = 0; c->tree->has_mods && m < mods->n; m++) {
		for (size_t i = 0; i < mods->members[m].mod.n; i++) {
			const struct mod_line *l = &mods->members[m].mod.lines[i];
			bool below = l->path.n && span_starts(package, l->path) &&
				     (package.n == l->path.n || package.p[l->path.n] == '/');
			if (l->verb == MOD_REPLACE && below)
				return;
			if (l->verb == MOD_REQUIRE && below && (!best || l->path.n > best->path.n))
				best = l;
		}
	}
	if (!best || !c->o->env || !c->o->env->modcache)
		return;
	buf_addf(ret, "%s/", c->o->env->modcache);
	for (size_t i = 0; i < best->path.n; i++) {
		bool big = best->path.p[i] >= 'A' && best->path.p[i] <= 'Z';
		buf_adds(ret, big ? "!" : "");
		buf_addc(ret, big ? (char)(best->path.p[i] | 32) : best->path.p[i]);
	}
	buf_addf(ret, "@%.*s%.*s", SPAN_ARG(best->version), SPAN_ARG(span_from(package, best->path.n)));
	c->bad |= ret->bad;
}

static bool in_a_module(const struct trap_run *c, struct span package)
{
	for (size_t i = 0; c->tree->has_mods && i < c->tree->mods.n; i++) {
		struct span m = c->tree->mods.members[i].mod.module;
		if (m.n && span_starts(package, m) && (package.n == m.n || package.p[m.n] == '/'))
			return true;
	}
	return false;
}

/* The folder that would hold a package of a module here, though it lies in a module of its own. */
static const struct src_dir *folder_of(struct trap_run *c, struct span package)
{
	for (size_t i = 0; c->tree->has_mods && i < c->tree->mods.n; i++) {
		struct span m = c->tree->mods.members[i].mod.module, rest = package;
		if (!m.n || !span_skip(&rest, m) || !span_skip(&rest, S("/")))
			continue;
		const char *dir = c->tree->mods.members[i].dir;
		bool top = !strcmp(dir, ".");
		return src_tree_dir(
			c->tree, trap_text(c, "%s%s%.*s", top ? "" : dir, top ? "" : "/", SPAN_ARG(rest)).p);
	}
	return NULL;
}

/* A package whose path ends so. NULL: none, or several. */
static const struct src_dir *ending(const struct trap_run *c, struct span end, size_t *n)
{
	const struct src_dir *ret = NULL;

	*n = 0;
	for (size_t i = 0; i < c->tree->n; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		struct span p = span_of(d->import);
		if (!p.n || d->vendored || d->skip == DIR_TESTDATA || d->skip == DIR_HIDDEN ||
		    !span_ends(p, end) || !d->n)
			continue;
		ret = d;
		++*n;
	}
	return *n == 1 ? ret : NULL;
}

static void check_missing(struct trap_run *c, const struct flow_x *x, struct span package, struct span name)
{
	size_t n, v = span_find(package, S("/vendor/"));
	const struct src_dir *d = ending(c, trap_text(c, "/%.*s", SPAN_ARG(package)), &n);
	struct span why;

	if (v != SPAN_NONE)
		why = trap_text(c,
				TR("in a binary a vendored package has its own path: %.*s",
				   "二进制中 vendor 内的包使用自己的路径：%.*s"),
				SPAN_ARG(span_from(package, v + 8)));
	else if (in_a_module(c, package))
		why = trap_text(c, TR("there is no package %.*s here", "此处没有包 %.*s"), SPAN_ARG(package));
	else if (d && span_chr(span_head(package, span_chr(package, '/')), '.') == SPAN_NONE)
		why = trap_text(c,
				TR("the whole import path is needed: %s.%.*s", "需要完整导入路径：%s.%.*s"),
				d->import, SPAN_ARG(name));
	else
		return;
	say(c, x, x->name, (struct answer){ ANSWER_UNKNOWN, why }, true);
}

static void check_package(struct trap_run *c, const struct flow_x *x, struct span package, struct span name)
{
	const struct src_dir *d = map_get(&c->tree->by_import, package);
	CLEANUP(buf_free) struct buf path = { 0 };

	d = d ? d : folder_of(c, package);
	struct spot at = { .file = x->flow ? x->flow->file : NULL, .line = x->line, .column = x->column };

	if (d && is_main(d)) {
		if (!x->test)
			trap_say(c, TRAP_X_MAIN, at, x->name, name);
		return;
	}
	if (d && d->n) {
		struct answer a = ask_dir(c, d, name);
		/* A test binary has the names of test files too. */
		if (!(x->test && a.kind == ANSWER_UNKNOWN))
			say(c, x, x->name, a, true);
		return;
	}
	find_cached(c, package, &path);
	struct answer a = path.len ? ask(c, buf_str(&path), package, name)
				   : (struct answer){ ANSWER_SILENT, { 0 } };
	if (a.kind != ANSWER_SILENT)
		say(c, x, x->name, a, true);
	else
		check_missing(c, x, package, name);
}

/* Its beginning is not known: then the end must fit one package alone, and that is not proof. */
static void check_wild(struct trap_run *c, const struct flow_x *x)
{
	size_t n, dot = span_rchr(x->wild, '.');
	struct span end = span_head(x->wild, dot), name = span_from(x->wild, dot + 1);
	const struct src_dir *d = end.n > 1 && end.p[0] == '/' ? ending(c, end, &n) : NULL;

	if (!d)
		return;
	if (is_main(d)) {
		if (!x->test)
			trap_say_as(c, TRAP_X_MAIN, SEV_WARNING,
				    ((struct spot){
					    .file = x->flow->file, .line = x->line, .column = x->column }),
				    trap_text(c, "…%.*s", SPAN_ARG(x->wild)), name);
		return;
	}
	struct answer a = ask_dir(c, d, name);
	if (!(x->test && a.kind == ANSWER_UNKNOWN))
		say(c, x, trap_text(c, "…%.*s", SPAN_ARG(x->wild)), a, false);
}

void trap_ldflags(struct trap_run *c)
{
	for (size_t i = 0; i < c->flows->n_xs && !c->bad; i++) {
		const struct flow_x *x = &c->flows->xs[i];
		size_t dot = span_rchr(x->name, '.');
		if (x->wild.p) {
			check_wild(c, x);
			continue;
		}
		struct span package = span_head(x->name, dot), name = span_from(x->name, dot + 1);
		if (span_eq(package, S("main")))
			check_main(c, x, name);
		else
			check_package(c, x, package, name);
	}
}
