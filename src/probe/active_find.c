#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "mod/cache.h"
#include "probe/active_own.h"

/* What is asked about: a file of the tree, or a name declared in it, in a dependency or in the standard library. */

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* ---- a file ---- */

static const struct act_file *file_of(struct tracing *t, const char *real)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	struct span rest = span_of(real);

	if (!span_skip(&rest, span_of(t->tree.root)) || !span_skip(&rest, S("/")))
		return NULL;
	buf_span(&dir, path_dir(rest));
	const struct src_dir *d = dir.bad ? NULL : src_tree_dir(&t->tree, buf_str(&dir));
	t->package = d ? selection_package(&t->sel, d) : NULL;
	for (size_t i = 0; t->package && i < t->package->n; i++) {
		if (span_eq(span_of(t->package->files[i].src->name), path_base(rest)))
			return &t->package->files[i];
	}
	return NULL;
}

static int find_file(struct tracing *t, struct err *e)
{
	CLEANUP(mem_free) char *real = realpath(t->q->what, NULL);

	if (!real)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), t->q->what);
	t->is_file = true;
	t->file = file_of(t, real);
	if (!t->file)
		return err_set(e, ENOENT,
			       TR("%s is no source of the tree at %s (or lies where go does not look)",
				  "%s 不属于 %s 处的源代码（或位于 go 不查看的位置）"),
			       t->q->what, t->tree.root);
	t->import = span_of(t->package->dir->import);
	t->a->what = t->q->what;
	return 0;
}

/* ---- a name ---- */

/* "(*T).M", "T.M", "F" */
static void split_name(struct span rest, struct span *receiver, struct span *name)
{
	size_t dot = span_rchr(rest, '.');

	*receiver = (struct span){ 0 };
	*name = rest;
	if (dot == SPAN_NONE)
		return;
	*receiver = span_head(rest, dot);
	*name = span_from(rest, dot + 1);
	span_skip(receiver, S("("));
	span_skip(receiver, S("*"));
	if (span_ends(*receiver, S(")")))
		receiver->n--;
	size_t bracket = span_chr(*receiver, '[');
	*receiver = bracket == SPAN_NONE ? *receiver : span_head(*receiver, bracket);
}

static bool package_fits(const struct tracing *t, const struct act_package *p, struct span pkg)
{
	struct span import = span_of(p->dir->import);

	if (!import.n || p->dir->vendored)
		return false;
	if (!pkg.n || span_eq(import, pkg))
		return true;
	if (span_eq(pkg, S("main")))
		return span_eq(p->name, S("main")) &&
		       (!t->has_binary || !t->binary.path.n || span_eq(import, t->binary.path));
	return span_ends(import, pkg) && import.n > pkg.n && import.p[import.n - pkg.n - 1] == '/';
}

/* 1: found in this selection. */
static int find_in(struct tracing *t, const struct selection *sel, struct span pkg, struct span rest,
		   struct err *e)
{
	split_name(rest, &t->receiver, &t->name);
	for (size_t i = 0; i < sel->n; i++) {
		const struct act_package *p = &sel->packages[i];
		if (!package_fits(t, p, pkg))
			continue;
		int r = declared_find(sel, p, t->receiver, t->name, &t->decl, e);
		if (r <= 0) {
			if (r < 0)
				return r;
			continue;
		}
		t->package = p;
		t->file = t->decl.file;
		t->import = span_of(p->dir->import);
		return 1;
	}
	return 0;
}

/* The folder of a package that is not in the tree; empty: not known. */
static void folder_of(struct tracing *t, struct span pkg, struct buf *ret)
{
	const struct built *best = NULL;

	for (size_t i = 0; t->has_list && i < t->list.n; i++) {
		const struct built *b = &t->list.v[i];
		bool in = span_starts(pkg, b->path) && (pkg.n == b->path.n || pkg.p[b->path.n] == '/');
		if (in && (!best || b->path.n > best->path.n))
			best = b;
	}
	t->module = best;
	if (t->tree.vendor && best) {
		buf_addf(ret, "%s/vendor/%.*s", t->tree.mods.top, SPAN_ARG(pkg));
		return;
	}
	if (best && best->new_dir.n) {
		const char *dir = mod_tree_path(&t->tree.mods, t->tree.mods.top, best->new_dir);
		buf_adds(ret, dir ? dir : "");
	} else if (best) {
		mod_cache_dir(t->env.modcache ? t->env.modcache : "", best->source->path,
			      best->source->version, ret);
	} else if (t->env.root) {
		buf_addf(ret, "%s/src/%.*s", t->env.root, SPAN_ARG(pkg));
		return;
	}
	if (best)
		buf_span(ret, span_from(pkg, best->path.n));
}

/* As find_in, in a folder of its own, that is read now. */
static int find_elsewhere(struct tracing *t, struct span pkg, struct span rest, struct err *e)
{
	struct src_options o = {
		.flat = true, .work = "off", .flags = "-mod=mod", .go = t->env.targets[0].go, .threads = 1
	};
	CLEANUP(buf_free) struct buf dir = { 0 };

	folder_of(t, pkg, &dir);
	if (!dir.len || dir.bad)
		return dir.bad ? -ENOMEM : 0;
	selection_free(&t->other_sel);
	src_tree_free(&t->other);
	t->other_sel = (struct selection){ 0 };
	t->other = (struct src_tree){ 0 };
	if (src_tree_read(buf_str(&dir), &o, &t->other, e) < 0 ||
	    select_files(&t->other, &t->env.targets[0], &t->other_sel, e) < 0 || !t->other_sel.n)
		return 0;
	split_name(rest, &t->receiver, &t->name);
	int r = declared_find(&t->other_sel, &t->other_sel.packages[0], t->receiver, t->name, &t->decl, e);
	if (r <= 0)
		return r;
	t->package = &t->other_sel.packages[0];
	t->file = t->decl.file;
	t->import = pkg;
	t->elsewhere = true;
	return 1;
}

static int find_split(struct tracing *t, struct span what, bool elsewhere, struct err *e)
{
	size_t slash = span_rchr(what, '/');
	int r = 0;

	/* "(*T)" may hold a slash in its type arguments: what is before the first parenthesis counts. */
	if (span_chr(what, '(') != SPAN_NONE)
		slash = span_rchr(span_head(what, span_chr(what, '(')), '/');
	for (size_t at = slash == SPAN_NONE ? 0 : slash + 1; at < what.n && r == 0; at++) {
		if (what.p[at] != '.')
			continue;
		r = elsewhere ? find_elsewhere(t, span_head(what, at), span_from(what, at + 1), e)
			      : find_in(t, &t->sel, span_head(what, at), span_from(what, at + 1), e);
	}
	return r;
}

/* "semver.Valid": a package that the tree imports under such a path. */
struct short_name {
	struct span end, found;
};

static bool ends_so(void *ctx, const struct act_file *f, const struct gohead_import *i)
{
	struct short_name *s = ctx;

	if (span_ends(i->path, s->end) && i->path.n > s->end.n && i->path.p[i->path.n - s->end.n - 1] == '/')
		s->found = i->path;
	return !s->found.p;
}

static int find_short(struct tracing *t, struct span what, struct err *e)
{
	size_t dot = span_chr(what, '.');
	struct short_name s = { .end = span_head(what, dot == SPAN_NONE ? 0 : dot) };

	if (!s.end.n || span_chr(what, '/') != SPAN_NONE)
		return 0;
	for (size_t i = 0; i < t->sel.n && !s.found.p; i++)
		act_imports(&t->sel.packages[i], false, ends_so, &s);
	return s.found.p ? find_elsewhere(t, s.found, span_from(what, dot + 1), e) : 0;
}

/* The name as the linker writes it. */
static const char *linked_name(struct tracing *t)
{
	const char *pkg = t->package && span_eq(t->package->name, S("main")) ? "main" : NULL;
	struct span import = pkg ? span_of(pkg) : t->import;

	if (!t->receiver.p)
		return arena_printf(&t->a->mem, "%.*s.%.*s", SPAN_ARG(import), SPAN_ARG(t->name));
	if (t->decl.pointer)
		return arena_printf(&t->a->mem, "%.*s.(*%.*s).%.*s", SPAN_ARG(import), SPAN_ARG(t->receiver),
				    SPAN_ARG(t->name));
	return arena_printf(&t->a->mem, "%.*s.%.*s.%.*s", SPAN_ARG(import), SPAN_ARG(t->receiver),
			    SPAN_ARG(t->name));
}

static int find_symbol(struct tracing *t, struct err *e)
{
	struct span what = span_of(t->q->what);

	int r = find_split(t, what, false, e);
	if (r == 0 && span_chr(what, '/') == SPAN_NONE) /* a name alone, or T.M */
		r = find_in(t, &t->sel, (struct span){ 0 }, what, e);
	if (r == 0)
		r = find_split(t, what, true, e);
	if (r == 0)
		r = find_short(t, what, e);
	if (r < 0)
		return r == -ENOMEM ? no_memory(e) : r;
	if (r == 0)
		return err_set(
			e, ENOENT,
			TR("'%s' is neither a file nor declared in the tree at %s, a module of its build list that is on this machine, or the standard library",
			   "“%s”既不是文件，也未在 %s 处的源代码、其构建列表中本机已有的模块或标准库中声明"),
			t->q->what, t->tree.root);
	t->a->what = linked_name(t);
	return t->a->what ? 0 : no_memory(e);
}

/* A name of a function does not end so: nothing there is named .go. */
static bool is_file(const char *what)
{
	static const char *const ends[] = { ".go", ".s", ".S", ".c", ".h", ".syso" };
	struct span s = span_of(what);
	bool ret = false;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		ret |= span_ends(s, span_of(ends[i]));
	return ret;
}

int active_find(struct tracing *t, struct err *e)
{
	return is_file(t->q->what) ? find_file(t, e) : find_symbol(t, e);
}
