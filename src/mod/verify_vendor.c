/* vendor/: which module each file belongs to, and whether modules.txt fits the build list. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "mod/verifying.h"
#include "parse/modulestxt.h"
#include "parse/version.h"

struct vendor_reader {
	struct mod_tree *t;
	const struct build_list *b;
	struct vendor *v;
	struct report *r;
	struct map owners; /* folder: module */
	struct err *e;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static struct finding *say(struct vendor_reader *x, const char *file, int64_t line, struct finding *f)
{
	if (f) {
		f->file = report_text(x->r, "%s", file);
		f->line = (int)line;
	}
	return f;
}

static int compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int c = n ? memcmp(x->p, y->p, n) : 0;

	return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* ---- modules.txt ---- */

static const struct built *built_find(const struct build_list *b, struct span path)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = compare(&b->v[mid].path, &path);
		if (c == 0)
			return &b->v[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int add_module(struct vendor_reader *x, const struct modulestxt_line *l, struct vendored **now)
{
	struct vendor *v = x->v;
	const struct vendored *before = map_get(&v->by_path, l->path);
	const struct built *built = built_find(x->b, l->path);

	*now = NULL;
	if (!l->path.n || !l->version.n || (before && span_eq(before->version, l->version)))
		return 0; /* a replacement of all versions, at the end of the file */
	struct vendored *m = arena_alloc(&v->mem, sizeof(*m));
	bool counts = !before || (built && span_eq(built->version, l->version)); /* of several versions the one that is built */
	if (!m || (counts && !map_put(&v->by_path, l->path, m)) || !mem_grow(&v->v, &v->cap, v->n, sizeof(*v->v)))
		return no_memory(x->e);
	*m = (struct vendored){ .path = l->path,
				.version = l->version,
				.new_path = l->new_path,
				.new_version = l->new_version,
				.line = l->line,
				.built = built };
	v->v[v->n++] = m;
	*now = m;
	return 0;
}

static int add_package(struct vendor_reader *x, struct vendored *m, struct span path)
{
	struct span rest = path;

	if (!m || !span_skip(&rest, m->path) || (rest.n && !span_skip(&rest, S("/"))))
		return 0; /* go would not find it either: `mod check` says so */
	if (!mem_grow(&m->packages, &m->cap_packages, m->n_packages, sizeof(*m->packages)) || !map_put(&x->owners, path, m))
		return no_memory(x->e);
	m->packages[m->n_packages++] = rest;
	return 0;
}

static int read_txt(struct vendor_reader *x, struct span text)
{
	struct modulestxt_at at = { .rest = text };
	struct modulestxt_line l;
	struct vendored *now = NULL;
	int r = 0;

	while (r == 0 && modulestxt_next(&at, &l)) {
		if (l.kind == MODULESTXT_MODULE)
			r = add_module(x, &l, &now);
		else if (l.kind == MODULESTXT_NOTE && now)
			now->explicit |= l.explicit;
		else if (l.kind == MODULESTXT_PACKAGE)
			r = add_package(x, now, l.path);
	}
	for (size_t i = 0; i < x->v->n && r == 0; i++) {
		struct vendored *m = x->v->v[i];
		if (m->n_packages)
			qsort(m->packages, m->n_packages, sizeof(*m->packages), compare);
		if (m->n_packages && !map_get(&x->owners, m->path) && !map_put(&x->owners, m->path, m))
			r = no_memory(x->e);
	}
	return r;
}

/* ---- does it fit? ---- */

static bool same_replacement(const struct vendored *m)
{
	const struct built *b = m->built;

	if (b->new_dir.p)
		return m->new_path.n && !m->new_version.n;
	bool replaced = !span_eq(b->source->path, b->path) || !span_eq(b->source->version, b->version);
	return replaced ? span_eq(m->new_path, b->source->path) && span_eq(m->new_version, b->source->version)
			: !m->new_path.n || span_eq(m->new_version, b->version);
}

/*
 * What is recorded and not vendored: replacements that are not used; in a workspace each version that a member requires, also when
 * another one is built or the module is a member itself.
 */
static bool is_record(const struct vendor_reader *x, const struct vendored *m)
{
	bool built = m->built && span_eq(m->built->version, m->version);

	return !m->n_packages && (!m->explicit || (x->t->go_work.text.p && !built));
}

static void check_module(struct vendor_reader *x, const struct vendored *m)
{
	const struct built *b = m->built;
	struct finding *f = NULL;

	if (is_record(x, m))
		return;
	if (!b && !x->b->unread.n)
		f = report_say(x->r, CAUSE_MOD_VENDOR,
			       TR("%.*s is not in the build list: run `go mod vendor`", "%.*s 不在构建列表中：请运行 `go mod vendor`"),
			       SPAN_ARG(m->path));
	else if (b && !span_eq(b->version, m->version) && (b->file || !x->b->unread.n))
		f = report_say(x->r, CAUSE_MOD_VENDOR,
			       TR("%.*s is vendored at %.*s, and the build list has %.*s",
				  "vendor 中的 %.*s 版本为 %.*s，而构建列表中为 %.*s"),
			       SPAN_ARG(m->path), SPAN_ARG(m->version), SPAN_ARG(b->version));
	else if (b && !same_replacement(m))
		f = report_say(x->r, CAUSE_MOD_VENDOR, TR("%.*s is replaced otherwise than go.mod says", "%.*s 的替换与 go.mod 不一致"),
			       SPAN_ARG(m->path));
	say(x, x->v->txt, m->line, f);
}

static void check_requires(struct vendor_reader *x, const struct mod_member *member)
{
	for (size_t i = 0; i < member->mod.n; i++) {
		const struct mod_line *l = &member->mod.lines[i];
		if (l->verb != MOD_REQUIRE)
			continue;
		const struct built *b = built_find(x->b, l->path);
		if (!b || !span_eq(b->version, l->version))
			continue; /* a main module, or another member wants it newer */
		const struct vendored *m = map_get(&x->v->by_path, l->path);
		if (!m || !m->explicit)
			say(x, member->go_mod.shown, l->line,
			    report_say(x->r, CAUSE_MOD_VENDOR,
				       TR("%.*s is required here, and %s does not have it as explicit: run `go mod vendor`",
					  "此处需要 %.*s，而 %s 未将其标为 explicit：请运行 `go mod vendor`"),
				       SPAN_ARG(l->path), x->v->txt));
	}
}

/* ---- the files ---- */

static int give_file(struct vendor_reader *x, const struct dir_file *file)
{
	struct vendored *m = NULL;

	for (struct span dir = path_dir(file->name); !m && !span_eq(dir, S(".")); dir = path_dir(dir))
		m = map_get(&x->owners, dir);
	CLEANUP(buf_free) struct buf shown = { 0 };
	buf_addf(&shown, "%s/%.*s", x->v->shown, SPAN_ARG(file->name));
	if (!m || file->type != DT_REG) {
		struct finding *f = report_say(x->r, CAUSE_MOD_VENDOR, "%s",
					       file->type != DT_REG ? TR("it is no file: `go mod vendor` makes nothing but files",
									 "不是普通文件：`go mod vendor` 只生成普通文件")
								    : TR("it belongs to no module that modules.txt has packages of",
									 "不属于 modules.txt 中任何有包的模块"));
		if (say(x, buf_str(&shown), 0, f) && file->type == DT_REG && !vendor_is_source(file->name))
			f->severity = SEV_WARNING;
		return 0;
	}
	if (!mem_grow(&m->files, &m->cap_files, m->n_files, sizeof(*m->files)))
		return no_memory(x->e);
	m->files[m->n_files++] = span_from(file->name, m->path.n + 1);
	return 0;
}

static int read_files(struct vendor_reader *x)
{
	struct vendor *v = x->v;
	int r = dir_list(v->dir, S(""), &v->list, x->e);

	for (size_t i = 0; i < v->list.n && r == 0; i++) {
		if (!span_eq(v->list.v[i].name, S("modules.txt")))
			r = give_file(x, &v->list.v[i]);
	}
	return r;
}

int vendor_read(struct mod_tree *t, const struct build_list *b, struct vendor *ret, struct report *r, struct err *e)
{
	bool work = t->go_work.text.p;
	const struct mod_source *txt = work ? &t->work_modules_txt : &t->members[0].modules_txt;
	struct vendor_reader x = { .t = t, .b = b, .v = ret, .r = r, .e = e };

	*ret = (struct vendor){ .list = { .fd = -1 } };
	if (!txt->text.p || (!work && t->n != 1))
		return 0;
	ret->txt = txt->shown;
	ret->shown = arena_str(&ret->mem, path_dir(span_of(txt->shown)));
	ret->dir = arena_printf(&ret->mem, "%s/%.*s", t->top, SPAN_ARG(path_dir(span_of(txt->name))));
	int c = ret->shown && ret->dir ? read_txt(&x, txt->text) : no_memory(e);
	for (size_t i = 0; i < ret->n && c == 0; i++)
		check_module(&x, ret->v[i]);
	for (size_t i = 0; i < t->n && c == 0; i++)
		check_requires(&x, &t->members[i]);
	if (c == 0)
		c = read_files(&x);
	map_free(&x.owners);
	if (c < 0)
		vendor_free(ret);
	return c < 0 ? c : 1;
}

void vendor_free(struct vendor *v)
{
	for (size_t i = 0; i < v->n; i++) {
		mem_free(v->v[i]->packages);
		mem_free(v->v[i]->files);
	}
	mem_free(v->v);
	map_free(&v->by_path);
	dir_list_free(&v->list);
	arena_free(&v->mem);
	*v = (struct vendor){ .list = { .fd = -1 } };
}

void vendor_free_cleanup(struct vendor *v)
{
	vendor_free(v);
}

/* ---- what `go mod vendor` copies ---- */

bool vendor_is_source(struct span file)
{
	static const char *const ext[] = { ".go", ".s",   ".S",   ".sx", ".c", ".h",   ".cc",  ".cpp",  ".cxx",     ".m",
					   ".hh", ".hpp", ".hxx", ".f",  ".F", ".for", ".f90", ".swig", ".swigcxx", ".syso" };

	for (size_t i = 0; i < ARRAY_LEN(ext); i++) {
		if (span_ends(file, span_of(ext[i])))
			return true;
	}
	return false;
}

enum vendor_must vendor_must(const struct vendored *v, struct span file)
{
	size_t slash = span_rchr(file, '/'), lo = 0, hi = v->n_packages;
	struct span dir = slash == SPAN_NONE ? S("") : span_head(file, slash),
		    base = slash == SPAN_NONE ? file : span_from(file, slash + 1);
	bool there = false;

	while (lo < hi && !there) {
		size_t mid = lo + (hi - lo) / 2;
		int c = compare(&v->packages[mid], &dir);
		there = c == 0;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!there || span_ends(base, S("_test.go")) || span_eq(base, S("go.mod")) || span_eq(base, S("go.sum")))
		return VENDOR_NO;
	return span_ends(base, S(".go")) ? VENDOR_UNLESS_IGNORED : VENDOR_YES;
}

static bool has_word(struct span s, struct span word)
{
	for (size_t at; (at = span_find(s, word)) != SPAN_NONE; s = span_from(s, at + word.n)) {
		const char *before = at ? s.p + at - 1 : " ", *behind = at + word.n < s.n ? s.p + at + word.n : " ";
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.", *before) &&
		    !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.", *behind))
			return true;
	}
	return false;
}

/* A constraint that has the word `ignore`, before the package clause: then it may be left out. */
bool vendor_ignored(struct span text)
{
	while (text.n) {
		struct span line = span_trim(span_cut(&text, '\n')), rest = line;
		if (span_starts(line, S("package ")))
			return false;
		if ((span_skip(&rest, S("//go:build")) ||
		     (span_skip(&rest, S("//")) && (rest = span_trim(rest), span_skip(&rest, S("+build"))))) &&
		    has_word(rest, S("ignore")))
			return true;
	}
	return false;
}
