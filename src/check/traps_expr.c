#include "check/traps_own.h"

/*
 * Can a constraint hold at all? What is known: there is one GOOS and one GOARCH, android is linux too, go1.20 goes without go1.21 but
 * not the reverse, and so on. Everything else may be set or not. All combinations that differ are tried, which are few.
 */
#define TAGS_MAX 24
#define FREE_MAX 8

enum var {
	VAR_OS,
	VAR_ARCH,
	VAR_UNIX,
	VAR_CGO,
	VAR_COMPILER,
	VAR_GO,
	VAR_FEATURE,
	VAR_SETTING /* race, an experiment: of go itself */,
	VAR_FREE
};
struct vars {
	struct span tag[TAGS_MAX];
	enum var kind[TAGS_MAX];
	bool value[TAGS_MAX];
	int version[TAGS_MAX];   /* of VAR_GO */
	size_t n, n_free, n_set; /* all; those that -tags sets; those that settings of go set */
	bool many;
	bool asks[VAR_FREE + 1]; /* are there tags of this kind? */
};

static bool go_version(struct span tag, int *ret)
{
	int64_t n;

	if (!span_skip(&tag, S("go1.")) || !tag.n || tag.n > 4 || (tag.n > 1 && tag.p[0] == '0') ||
	    !span_int(tag, &n) || n < 1)
		return false;
	*ret = (int)n;
	return true;
}

static enum var kind_of(struct span tag, int *version)
{
	size_t dot = span_chr(tag, '.');

	if (go_os_known(tag, INT32_MAX))
		return VAR_OS;
	if (go_arch_known(tag, INT32_MAX))
		return VAR_ARCH;
	if (span_eq(tag, S("unix")))
		return VAR_UNIX;
	if (span_eq(tag, S("cgo")))
		return VAR_CGO;
	if (span_eq(tag, S("gc")) || span_eq(tag, S("gccgo")))
		return VAR_COMPILER;
	if (go_version(tag, version))
		return VAR_GO;
	if (dot != SPAN_NONE && go_arch_known(span_head(tag, dot), INT32_MAX))
		return VAR_FEATURE;
	return target_known_tag(tag, 999) ? VAR_SETTING : VAR_FREE;
}

static bool take(void *ctx, const struct constraint *t)
{
	struct vars *v = ctx;

	for (size_t i = 0; i < v->n; i++)
		if (span_eq(v->tag[i], t->tag))
			return true;
	if (v->n == TAGS_MAX) {
		v->many = true;
		return false;
	}
	v->tag[v->n] = t->tag;
	v->kind[v->n] = kind_of(t->tag, &v->version[v->n]);
	v->asks[v->kind[v->n]] = true;
	v->n_set += v->kind[v->n] == VAR_SETTING || v->kind[v->n] == VAR_FEATURE;
	v->n_free += v->kind[v->n] == VAR_FREE;
	v->n++;
	return !v->many;
}

static bool value_of(void *ctx, struct span tag)
{
	const struct vars *v = ctx;

	for (size_t i = 0; i < v->n; i++)
		if (span_eq(v->tag[i], tag))
			return v->value[i];
	return false;
}

/* Is the system `is` also the system `tag`? */
static bool os_is(struct span is, struct span tag)
{
	static const struct {
		struct span is, also;
	} rows[] = { { S("android"), S("linux") },
		     { S("illumos"), S("solaris") },
		     { S("ios"), S("darwin") } };

	if (span_eq(is, tag))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_eq(is, rows[i].is) && span_eq(tag, rows[i].also))
			return true;
	return false;
}

struct world {
	struct span os, arch;
	bool cgo;
	int compiler; /* 0: gc, 1: gccgo, 2: another */
	int go;
};

static void set_world(struct vars *v, const struct world *w)
{
	for (size_t i = 0; i < v->n; i++) {
		struct span t = v->tag[i];
		switch (v->kind[i]) {
		case VAR_OS: v->value[i] = os_is(w->os, t); break;
		case VAR_ARCH: v->value[i] = span_eq(w->arch, t); break;
		case VAR_UNIX: v->value[i] = go_os_unix(w->os); break;
		case VAR_CGO: v->value[i] = w->cgo; break;
		case VAR_COMPILER: v->value[i] = w->compiler == (span_eq(t, S("gc")) ? 0 : 1); break;
		case VAR_GO: v->value[i] = v->version[i] <= w->go; break;
		case VAR_FEATURE:
		case VAR_SETTING:
		case VAR_FREE: v->value[i] = false; break;
		}
	}
}

/* With every setting of the tags that may be set or not. */
static bool any_free(const struct constraint *c, struct vars *v, const struct world *w, bool tagged,
		     bool want)
{
	size_t sets = (size_t)1 << (v->n_set + (tagged ? v->n_free : 0));

	for (size_t s = 0; s < sets; s++) {
		size_t bit = 0;
		bool real = true;
		for (size_t i = 0; i < v->n; i++) {
			if (v->kind[i] < VAR_FEATURE)
				continue;
			v->value[i] = (tagged || v->kind[i] != VAR_FREE) && (s >> bit++ & 1);
			/* A feature belongs to its architecture. */
			if (v->kind[i] == VAR_FEATURE && v->value[i])
				real &= span_eq(span_head(v->tag[i], span_chr(v->tag[i], '.')), w->arch);
		}
		if (real && constraint_holds(c, value_of, v) == want)
			return true;
	}
	return false;
}

static bool in_world(const struct constraint *c, const struct goname *name, struct vars *v, struct world w,
		     bool tagged, bool want)
{
	/* Where its name keeps the file out, it comes to nothing. */
	if ((name->os.p && !os_is(w.os, name->os)) || (name->arch.p && !span_eq(w.arch, name->arch)))
		return !want;
	if (!c)
		return want;
	for (int both = 0; both < 6; both++) {
		w.cgo = both & 1;
		w.compiler = both >> 1;
		if ((w.cgo && !v->asks[VAR_CGO]) || (w.compiler && !v->asks[VAR_COMPILER]))
			continue;
		for (size_t i = 0; i <= v->n; i++) {
			/* The newest, and before each version that is named. */
			w.go = i < v->n ? (v->kind[i] == VAR_GO ? v->version[i] - 1 : -1) : INT32_MAX;
			if (w.go < 0)
				continue;
			set_world(v, &w);
			if (any_free(c, v, &w, tagged, want))
				return true;
		}
	}
	return false;
}

/* What the tags that are asked for come to on a system; systems with the same are the same here. */
static uint32_t os_kind(const struct vars *v, const struct goname *name, struct span os)
{
	uint32_t ret = go_os_unix(os) | (name->os.p && os_is(os, name->os) ? 2u : 0);

	for (size_t i = 0; i < v->n; i++)
		if (v->kind[i] == VAR_OS && os_is(os, v->tag[i]))
			ret |= 4u << i;
	return ret;
}

static bool named_arch(const struct vars *v, const struct goname *name, struct span arch)
{
	if (name->arch.p && span_eq(arch, name->arch))
		return true;
	for (size_t i = 0; i < v->n; i++)
		if ((v->kind[i] == VAR_ARCH && span_eq(v->tag[i], arch)) ||
		    (v->kind[i] == VAR_FEATURE &&
		     span_eq(span_head(v->tag[i], span_chr(v->tag[i], '.')), arch)))
			return true;
	return false;
}

int expr_can(const struct constraint *c, const struct goname *name, enum expr_where where, bool want)
{
	struct vars v = { 0 };
	bool tagged = where != EXPR_UNTAGGED;

	if (c)
		constraint_tags(c, take, &v);
	if (where == EXPR_LOGIC) {
		v.n_set = 0;
		v.n_free = v.n;
		for (size_t i = 0; i < v.n; i++)
			v.kind[i] = VAR_FREE;
	}
	if (v.many || v.n_set + (tagged ? v.n_free : 0) > FREE_MAX)
		return -1;
	if (where == EXPR_PORTS || where == EXPR_UNTAGGED) {
		for (size_t i = 0; i < target_ports_n; i++) {
			struct world w = { .os = span_of(target_ports[i].os),
					   .arch = span_of(target_ports[i].arch) };
			if (in_world(c, name, &v, w, tagged, want))
				return 1;
		}
		return 0;
	}
	for (size_t o = 0; o < go_oses_n; o++) {
		uint32_t kind = os_kind(&v, name, span_of(go_oses[o].name));
		bool seen = false, other = false; /* all architectures that nobody names are the same */
		for (size_t i = 0; i < o; i++)
			seen |= os_kind(&v, name, span_of(go_oses[i].name)) == kind;
		for (size_t a = 0; a < go_arches_n && !seen; a++) {
			struct world w = { .os = span_of(go_oses[o].name),
					   .arch = span_of(go_arches[a].name) };
			bool named = named_arch(&v, name, w.arch);
			if (!named && other)
				continue;
			other |= !named;
			if (in_world(c, name, &v, w, tagged, want))
				return 1;
		}
	}
	return 0;
}

struct looking {
	struct span tag;
};

static bool is_not(void *ctx, const struct constraint *t)
{
	const struct looking *l = ctx;

	return !span_eq(l->tag, t->tag);
}

bool expr_has(const struct constraint *c, struct span tag)
{
	struct looking l = { tag };

	return c && !constraint_tags(c, is_not, &l);
}

/* ---- the rules ---- */

/* Both have platforms, but not together: else go does not know the one or the other, and its author another go. */
static bool has_port(struct span os, struct span arch)
{
	bool ret = false;

	for (size_t i = 0; i < target_ports_n && !ret; i++)
		ret = (!os.p || os_is(span_of(target_ports[i].os), os)) &&
		      (!arch.p || span_eq(span_of(target_ports[i].arch), arch));
	return ret;
}

static bool no_port_for(void *ctx, const struct constraint *t)
{
	bool *unknown = ctx;

	*unknown |= (go_os_known(t->tag, INT32_MAX) && !has_port(t->tag, (struct span){ 0 })) ||
		    (go_arch_known(t->tag, INT32_MAX) && !has_port((struct span){ 0 }, t->tag));
	return true;
}

void expr_write(const struct constraint *x, const struct goname *name, struct buf *ret)
{
	if (x)
		constraint_write(x, ret);
	if (name->os.p || name->arch.p)
		buf_addf(ret,
			 TR(" (and the name of the file asks for %.*s%s%.*s)", "（而文件名要求 %.*s%s%.*s）"),
			 SPAN_ARG(name->os), name->os.p && name->arch.p ? "/" : "", SPAN_ARG(name->arch));
}

static struct span written(struct trap_run *c, const struct constraint *x, const struct goname *name)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	expr_write(x, name, &b);
	c->bad |= b.bad;
	return b.bad ? S("") : trap_text(c, "%s", buf_str(&b));
}

static void check_expression(struct trap_run *c, const struct src_file *f)
{
	const struct constraint *x = trap_expr(c, f->head);
	struct goname name = goname_read(span_of(f->name), c->go), none = { 0 };
	struct spot at = { .file = f, .line = trap_expr_line(f->head) };
	bool unknown = false;

	if (!x)
		return;
	if (expr_can(x, &name, EXPR_ANYWHERE, true) == 0) {
		/* `x && !x` is a way to switch a file off; what only looks as if it could hold is a mistake. */
		bool plain = expr_can(x, &none, EXPR_LOGIC, true) == 0;
		trap_say_as(c, TRAP_EXPR_NEVER, plain ? SEV_WARNING : SEV_ERROR, at, span_of(f->name),
			    written(c, x, &name));
		return;
	}
	if (expr_can(x, &name, EXPR_PORTS, true) == 0) {
		constraint_tags(x, no_port_for, &unknown);
		if (name.os.p || name.arch.p)
			unknown |= !has_port(name.os, (struct span){ 0 }) ||
				   !has_port((struct span){ 0 }, name.arch);
		if (!unknown)
			trap_say(c, TRAP_EXPR_NO_PORT, at, span_of(f->name), written(c, x, &name));
	} else if (expr_can(x, &none, EXPR_ANYWHERE, false) == 0) {
		trap_say(c, TRAP_EXPR_ALWAYS, at, span_of(f->name), written(c, x, &none));
	}
}

void trap_expressions(struct trap_run *c)
{
	for (size_t i = 0; i < c->tree->n; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		for (size_t k = 0; k < d->n && !c->bad && trap_looked_at(d); k++)
			if (d->files[k].head)
				check_expression(c, &d->files[k]);
	}
}
