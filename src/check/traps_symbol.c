#include <dirent.h>
#include <errno.h>

#include "check/traps_own.h"

/* The names that a package declares at its top, as its syntax shows them. */

#define SOURCE_MAX ((size_t)8 << 20)

struct reading {
	struct trap_run *c;
	struct names *names;
	struct gofile file;
	struct span path;
};

static struct span keep(struct reading *r, struct span s)
{
	struct span ret = s.p ? arena_span(&r->c->mem, s) : s;

	r->c->bad |= s.p && !ret.p;
	return ret;
}

/* Of several declarations (for other platforms) the one that can be set wins. */
static void add(struct reading *r, const struct symbol *s)
{
	struct symbol *old = map_get(&r->names->by_name, s->name), *mine;

	if (old && (old->kind == SYMBOL_VAR || s->kind != SYMBOL_VAR))
		return;
	mine = old ? old : arena_alloc(&r->c->mem, sizeof(*mine));
	if (!mine) {
		r->c->bad = true;
		return;
	}
	*mine = *s;
	mine->name = keep(r, s->name);
	mine->type = keep(r, s->type);
	mine->callee = keep(r, s->callee);
	mine->file = r->path;
	if (old || r->c->bad)
		return;
	if (!mem_grow(&r->names->v, &r->names->cap, r->names->n, sizeof(struct symbol *)) ||
	    !map_put(&r->names->by_name, mine->name, mine)) {
		r->c->bad = true;
		return;
	}
	r->names->v[r->names->n++] = mine;
}

/* x, y string = "a", "b" */
static void add_spec(struct reading *r, TSNode spec, enum symbol_kind kind)
{
	CLEANUP(gochildren_end) struct gochildren children;
	TSNode values = go_field(spec, GOFIELD_VALUE);
	uint32_t at = 0;

	gochildren_of(spec, &children);
	for (TSNode n; (n = gochildren_next(&children)).id && go_is(n, GO_IDENTIFIER); at++) {
		struct symbol s = { .name = go_text(&r->file, n),
				    .kind = kind,
				    .type = go_text(&r->file, go_field(spec, GOFIELD_TYPE)),
				    .line = go_line(n) };
		TSNode value = values.id ? go_bare(go_child(values, at)) : values;
		struct gocall call;
		s.has_value = values.id;
		if (value.id)
			s.value_kind = go_kind(value);
		if (value.id && s.value_kind == GO_CALL_EXPRESSION && go_call(&r->file, value, &call)) {
			s.callee = go_text(&r->file, call.callee);
			s.plain_callee = !call.on.p;
		}
		add(r, &s);
	}
}

static void add_specs(struct reading *r, TSNode n, enum symbol_kind kind)
{
	CLEANUP(gochildren_end) struct gochildren children;

	gochildren_of(n, &children);
	for (TSNode spec; (spec = gochildren_next(&children)).id && !r->c->bad;) {
		switch (go_kind(spec)) {
		case GO_VAR_SPEC_LIST: add_specs(r, spec, kind); break;
		case GO_VAR_SPEC:
		case GO_CONST_SPEC: add_spec(r, spec, kind); break;
		case GO_TYPE_SPEC:
		case GO_TYPE_ALIAS:
			add(r, &(struct symbol){ .name = go_text(&r->file, go_field(spec, GOFIELD_NAME)),
						 .kind = SYMBOL_TYPE,
						 .line = go_line(spec) });
			break;
		default: break;
		}
	}
}

static void add_declaration(struct reading *r, TSNode n)
{
	switch (go_kind(n)) {
	case GO_VAR_DECLARATION: add_specs(r, n, SYMBOL_VAR); break;
	case GO_CONST_DECLARATION: add_specs(r, n, SYMBOL_CONST); break;
	case GO_TYPE_DECLARATION: add_specs(r, n, SYMBOL_TYPE); break;
	case GO_FUNCTION_DECLARATION:
		add(r, &(struct symbol){ .name = go_text(&r->file, go_field(n, GOFIELD_NAME)),
					 .kind = SYMBOL_FUNC,
					 .line = go_line(n) });
		break;
	default: break;
	}
}

static void read_file(struct reading *r, const char *path, const char *name)
{
	CLEANUP(buf_free) struct buf text = { .max = SOURCE_MAX };
	int got = file_slurp_regular(path, &text, NULL);
	struct syntax *parser = trap_parser(r->c);

	r->c->bad |= got == -ENOMEM;
	if (got < 0 || !parser ||
	    (got = gofile_parse(parser, text.len ? buf_view(&text) : S(""), &r->file, NULL)) < 0) {
		r->c->bad |= got == -ENOMEM;
		r->names->unknown = true;
		return;
	}
	CLEANUP(gochildren_end) struct gochildren children;
	r->names->unknown |= r->file.errors > 0;
	r->names->files++;
	r->path = keep(r, span_of(name));
	gochildren_of(r->file.root, &children);
	for (TSNode n; (n = gochildren_next(&children)).id && !r->c->bad;)
		add_declaration(r, n);
	gofile_free(&r->file);
}

const struct names *trap_names(struct trap_run *c, const char *dir)
{
	struct span key = arena_span(&c->mem, span_of(dir));
	struct names *names = key.p ? map_get(&c->packages, key) : NULL;
	CLEANUP(buf_free) struct buf path = { 0 };
	struct reading r = { .c = c };
	struct dirent *e;

	if (names)
		return names;
	r.names = names = key.p ? arena_alloc(&c->mem, sizeof(*names)) : NULL;
	if (!names || !map_put(&c->packages, key, names)) {
		c->bad = true;
		return NULL;
	}
	DIR *all = opendir(key.p);
	names->unknown = !all;
	while (all && !c->bad && (e = readdir(all))) {
		struct span name = span_of(e->d_name);
		if (!span_ends(name, S(".go")) || span_ends(name, S("_test.go")) || name.p[0] == '.' ||
		    name.p[0] == '_')
			continue;
		buf_clear(&path);
		buf_addf(&path, "%s/%s", key.p, e->d_name);
		if (path.bad)
			c->bad = true;
		else
			read_file(&r, buf_str(&path), e->d_name);
	}
	if (all)
		closedir(all);
	return c->bad ? NULL : names;
}
