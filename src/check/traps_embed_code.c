#include "check/traps_embed.h"

/* What stands behind //go:embed in the code: what the compiler refuses, and what is opened in an embed.FS that cannot be in it. */

struct embedding {
	struct trap_run *c;
	const struct src_file *file;
	struct gofile tree;
	struct span text;
};

static const struct gohead_embed *on_line(const struct src_file *f, int line, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < f->head->n_embeds; i++) {
		if (f->head->embeds[i].line != line)
			continue;
		while (i + *n < f->head->n_embeds && f->head->embeds[i + *n].line == line)
			++*n;
		return &f->head->embeds[i];
	}
	return NULL;
}

/* The first named node that begins behind a byte, and what it lies in. */
struct behind {
	uint32_t at;
	TSNode spec;
	bool found, in_func;
};

static enum gostep find_behind(void *ctx, const struct gowalk *w)
{
	struct behind *b = ctx;
	uint32_t start = ts_node_start_byte(w->node);

	if (ts_node_end_byte(w->node) <= b->at)
		return GOSTEP_OVER;
	if (w->kind == GO_COMMENT || start < b->at)
		return GOSTEP_INTO;
	b->found = true;
	b->spec = w->node;
	for (unsigned i = 0; i <= w->depth; i++) {
		enum gonode kind = go_kind(w->up[i]);
		b->in_func |= kind == GO_BLOCK || kind == GO_FUNC_LITERAL;
	}
	return GOSTEP_STOP;
}

/* The var_spec that the directive is for: of `var x T`, or in a block the next. */
static TSNode spec_behind(struct embedding *e, uint32_t at, bool *in_func, bool *group)
{
	struct behind b = { .at = at };
	TSNode none = { 0 };

	*in_func = *group = false;
	if (gofile_walk(&e->tree, e->tree.root, find_behind, &b) < 0) {
		e->c->bad = true;
		return none;
	}
	*in_func = b.in_func;
	if (!b.found)
		return none;
	if (go_is(b.spec, GO_VAR_SPEC))
		return b.spec;
	if (!go_is(b.spec, GO_VAR_DECLARATION))
		return none;
	TSNode child = go_child(b.spec, 0);
	*group = !go_is(child, GO_VAR_SPEC);
	return *group ? none : child;
}

static uint32_t names_of(TSNode spec)
{
	CLEANUP(gochildren_end) struct gochildren children;
	uint32_t n = 0;

	gochildren_of(spec, &children);
	for (TSNode at; (at = gochildren_next(&children)).id && go_is(at, GO_IDENTIFIER);)
		n++;
	return n;
}

/* Types that surely cannot be embedded into. */
static bool wrong_type(struct span type)
{
	static const char *const types[] = {
		"bool", "int", "int64", "float64", "error", "byte", "rune", "any"
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (span_eq(type, span_of(types[i])))
			return true;
	return type.n && (type.p[0] == '*' || span_starts(type, S("map[")) ||
			  span_starts(type, S("[]string")) || span_starts(type, S("func(")));
}

static const char *compile_error(struct embedding *e, TSNode spec, bool in_func, bool group, size_t patterns,
				 struct span *type)
{
	*type = go_text(&e->tree, go_field(spec, GOFIELD_TYPE));
	if (!patterns)
		return "usage: //go:embed pattern...";
	if (!spec.id || group)
		return "misplaced go:embed directive";
	if (!e->file->head->embed)
		return e->c->go < 21
			       ? "go:embed only allowed in Go files that import \"embed\""
			       : "go:embed requires import \"embed\" (or import _ \"embed\", if package is not used)";
	if (names_of(spec) > 1)
		return "go:embed cannot apply to multiple vars";
	if (go_field(spec, GOFIELD_VALUE).id)
		return "go:embed cannot apply to var with initializer";
	if (!type->p)
		return "go:embed cannot apply to var without type";
	return in_func ? "go:embed cannot apply to var inside func" : NULL;
}

/* The go line of the module, when it is older than embeds; absent: it is not. */
static struct span too_old(const struct embedding *e)
{
	const struct mod_member *m = e->file->dir->member;
	struct span go = m ? m->mod.go : (struct span){ 0 }, rest = go;
	int64_t n;

	if (!span_skip(&rest, S("1.")) || !span_int(span_cut(&rest, '.'), &n) || n >= 16)
		return (struct span){ 0 };
	return go;
}

static void check_files(struct embedding *e, struct spot at, struct span type,
			const struct gohead_embed *patterns, size_t n)
{
	CLEANUP(embed_set_free) struct embed_set set = { 0 };

	if (!span_eq(type, S("string")) && !span_eq(type, S("[]byte")))
		return;
	for (size_t i = 0; i < n; i++)
		embed_resolve(e->c, e->file->dir, patterns[i].pattern, &set);
	if (!set.refused.p && set.n > 1)
		trap_say(e->c, TRAP_EMBED_REFUSED, at,
			 trap_text(e->c, "invalid go:embed: multiple files for type %.*s", SPAN_ARG(type)));
}

static void check_directive(struct embedding *e, const struct gomark *m)
{
	struct spot at = { .file = e->file, .line = m->line, .column = m->column };
	bool in_func, group;
	size_t n;
	const struct gohead_embed *patterns = on_line(e->file, m->line, &n);
	uint32_t end = (uint32_t)(m->text.p - e->text.p + (ptrdiff_t)m->text.n);
	TSNode spec = spec_behind(e, end, &in_func, &group);
	struct span type, rest = span_trim(span_from(m->text, 10));
	const char *why = compile_error(e, spec, in_func, group, n || rest.n, &type);

	struct span old = too_old(e);

	if (why)
		trap_say(e->c, TRAP_EMBED_REFUSED, at, span_of(why));
	else if (old.p)
		trap_say(
			e->c, TRAP_EMBED_REFUSED, at,
			trap_text(e->c,
				  "go:embed requires go1.16 or later (-lang was set to go%.*s; check go.mod)",
				  SPAN_ARG(old)));
	else if (spec.id && wrong_type(type))
		trap_say(e->c, TRAP_EMBED_REFUSED, at,
			 trap_text(e->c, "go:embed cannot apply to var of type %.*s", SPAN_ARG(type)));
	else if (spec.id)
		check_files(e, at, type, patterns, n);
}

/* ---- what is opened ---- */

struct fs_var { /* an embed.FS at the top of a package */
	struct span name;
	struct embed_set set;
};
struct opening {
	struct embedding *e; /* of the file that is being walked */
	struct fs_var *vars;
	size_t n, cap;
	struct goimports imports;
};

static void add_var(struct opening *o, const struct embedding *e, const struct gomark *m)
{
	bool in_func, group;
	size_t n;
	const struct gohead_embed *patterns = on_line(e->file, m->line, &n);
	TSNode spec = spec_behind((struct embedding *)e,
				  (uint32_t)(m->text.p - e->text.p + (ptrdiff_t)m->text.n), &in_func, &group);
	struct span type = go_text(&e->tree, go_field(spec, GOFIELD_TYPE)),
		    name = go_text(&e->tree, go_field(spec, GOFIELD_NAME));

	if (!spec.id || in_func || !span_eq(type, S("embed.FS")) || !n)
		return;
	struct fs_var *v = NULL;
	for (size_t i = 0; i < o->n && !v; i++)
		v = span_eq(o->vars[i].name, name) ? &o->vars[i] : NULL;
	if (!v && !mem_grow(&o->vars, &o->cap, o->n, sizeof(*o->vars))) {
		o->e->c->bad = true;
		return;
	}
	if (!v) {
		v = &o->vars[o->n++];
		*v = (struct fs_var){ .name = name };
	}
	for (size_t i = 0; i < n; i++)
		embed_resolve(o->e->c, e->file->dir, patterns[i].pattern, &v->set);
}

static const struct fs_var *var_of(const struct opening *o, struct span name)
{
	for (size_t i = 0; i < o->n && name.p; i++)
		if (span_eq(o->vars[i].name, name))
			return &o->vars[i];
	return NULL;
}

static bool is_in(const struct embed_set *s, struct span name)
{
	if (span_eq(name, S(".")))
		return true;
	for (size_t i = 0; i < s->n; i++) {
		struct span f = span_of(s->files[i]);
		if (span_starts(f, name) && (f.n == name.n || f.p[name.n] == '/'))
			return true;
	}
	return false;
}

static void check_name(struct opening *o, const struct fs_var *v, TSNode arg, struct span call, bool pattern)
{
	struct span name = go_string(&o->e->tree, arg);
	struct spot at = { .file = o->e->file, .line = go_line(arg), .column = go_column(arg) };
	const char *why = NULL;

	if (!name.p || v->set.refused.p || (name.n && memchr(name.p, '\\', name.n)))
		return;
	if (!embed_valid_path(name))
		why = TR("no such name is valid there", "这样的名称在其中无效");
	else if (!pattern && !v->set.many && !is_in(&v->set, name))
		why = TR("no such file is embedded", "没有嵌入这个文件");
	if (why)
		trap_say(o->e->c, TRAP_EMBED_OPEN, at, trap_text(o->e->c, "%.*s", SPAN_ARG(call)),
			 name.n ? name : S("\"\""), span_of(why));
}

static bool is_one(struct span s, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(s, span_of(v[i])))
			return true;
	return false;
}

/* x.Open("…"), fs.ReadFile(x, "…"), template.ParseFS(x, "…") */
static enum gostep check_call(void *ctx, const struct gowalk *w)
{
	static const char *const own[] = { "Open", "ReadFile", "ReadDir" };
	static const char *const of_fs[] = { "Open", "ReadFile", "ReadDir", "Sub", "Stat", "WalkDir" };
	struct opening *o = ctx;
	struct gocall call;

	if (w->kind != GO_CALL_EXPRESSION || !go_call(w->file, w->node, &call) || !call.on.p)
		return GOSTEP_INTO;
	struct span path = goimports_path(&o->imports, call.on), text = go_text(w->file, call.callee);
	const struct fs_var *v = var_of(o, call.on);
	if (v && is_one(call.name, own, ARRAY_LEN(own)))
		check_name(o, v, go_child(call.arguments, 0), text, false);
	v = var_of(o, go_text(w->file, go_child(call.arguments, 0)));
	if (v && path.p && span_eq(path, S("io/fs")) && is_one(call.name, of_fs, ARRAY_LEN(of_fs)))
		check_name(o, v, go_child(call.arguments, 1), text, false);
	bool parse = span_eq(call.name, S("ParseFS")) ||
		     (path.p && span_eq(path, S("io/fs")) && span_eq(call.name, S("Glob")));
	for (uint32_t i = 1; v && parse && i < go_count(call.arguments); i++)
		check_name(o, v, go_child(call.arguments, i), text, true);
	return GOSTEP_INTO;
}

/* Every file of the package that may use the variables. */
static void check_package(struct opening *o, const struct src_dir *d)
{
	struct trap_run *c = o->e->c;

	for (size_t i = 0; i < d->n && !c->bad; i++) {
		CLEANUP(buf_free) struct buf text = { .max = 8 << 20 };
		struct embedding here = { .c = c, .file = &d->files[i] };
		if (d->files[i].kind != SRC_GO || !d->files[i].head || !trap_built(c, &d->files[i]) ||
		    file_slurp_regular(trap_path(c, d, d->files[i].name), &text, NULL) < 0 || !text.len ||
		    gofile_parse(trap_parser(c), buf_view(&text), &here.tree, NULL) < 0)
			continue;
		here.text = buf_view(&text);
		struct opening one = *o;
		one.e = &here;
		if (gofile_imports(&here.tree, &c->mem, &one.imports) < 0 ||
		    gofile_walk(&here.tree, here.tree.root, check_call, &one) < 0)
			c->bad = true;
		gofile_free(&here.tree);
	}
}

void trap_embed_code(struct trap_run *c, const struct src_file *f, struct span text)
{
	struct embedding e = { .c = c, .file = f, .text = text };
	struct gomarks marks = { .text = text };
	struct opening o = { .e = &e };
	struct gomark m;

	if (!trap_parser(c) || gofile_parse(c->parser, text, &e.tree, NULL) < 0)
		return;
	while (!c->bad && gomarks_next(&marks, &m)) {
		struct span rest = m.text;
		if (!span_skip(&rest, S("//go:embed")) || (rest.n && rest.p[0] != ' ' && rest.p[0] != '\t'))
			continue;
		if (!e.tree.errors)
			check_directive(&e, &m);
		add_var(&o, &e, &m);
	}
	if (o.n && !c->bad)
		check_package(&o, f->dir);
	for (size_t i = 0; i < o.n; i++)
		embed_set_free(&o.vars[i].set);
	mem_free(o.vars);
	gofile_free(&e.tree);
}
