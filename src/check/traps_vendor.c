#include <unistd.h>

#include "check/traps_own.h"
#include "parse/modulestxt.h"

/* vendor/: packages that are listed without their files, and C sources that go mod vendor leaves behind. */

struct vendor {
	struct trap_run *c;
	const char *base; /* the folder that vendor/ is in, relative to the root of the walk */
	const struct mod_source *list;
	/* The module that lines are about: */
	struct span module, version, new_path, new_version;
};

/* Where the module's own source is, absolute; "": not known. */
static void find_source(const struct vendor *v, struct buf *ret)
{
	struct span path = v->new_path.p ? v->new_path : v->module,
		    version = v->new_path.p ? v->new_version : v->version;
	const char *cache = v->c->o->env ? v->c->o->env->modcache : NULL;

	if (v->new_path.p && modfile_is_dir(v->new_path)) {
		bool whole = v->new_path.p[0] == '/';
		buf_addf(ret, "%s%s%s%s%.*s", whole ? "" : v->c->tree->root, whole ? "" : "/",
			 whole ? "" : v->base, whole ? "" : "/", SPAN_ARG(v->new_path));
	} else if (cache && version.n) {
		buf_addf(ret, "%s/", cache);
		for (size_t i = 0; i < path.n; i++) {
			bool big = path.p[i] >= 'A' && path.p[i] <= 'Z';
			buf_adds(ret, big ? "!" : "");
			buf_addc(ret, big ? (char)(path.p[i] | 32) : path.p[i]);
		}
		buf_addf(ret, "@%.*s", SPAN_ARG(version));
	}
	v->c->bad |= ret->bad;
}

static bool has_source(const struct src_dir *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->files[i].kind == SRC_GO && !d->files[i].test && !d->files[i].hidden)
			return true;
	return false;
}

/* One #include "…" of a vendored package: it is not there, and where the module comes from it is. */
static void check_include(const struct vendor *v, const struct src_dir *d, const struct src_file *f,
			  struct span include, int line)
{
	struct span package = span_of(d->import), below = span_from(package, v->module.n);
	CLEANUP(buf_free) struct buf source = { 0 };

	if (access(trap_path(v->c, d, trap_text(v->c, "%.*s", SPAN_ARG(include)).p), F_OK) == 0)
		return;
	find_source(v, &source);
	if (!source.len)
		return;
	buf_addf(&source, "%.*s/%.*s", SPAN_ARG(below), SPAN_ARG(include));
	v->c->bad |= source.bad;
	if (!v->c->bad && access(buf_str(&source), F_OK) == 0)
		trap_say(v->c, TRAP_VENDOR_INCLUDE, ((struct spot){ .file = f, .line = line }), include);
}

static void check_includes(const struct vendor *v, const struct src_dir *d)
{
	for (size_t i = 0; i < d->n && !v->c->bad; i++) {
		const struct src_file *f = &d->files[i];
		bool c = f->kind == SRC_C || f->kind == SRC_CXX || f->kind == SRC_H || f->kind == SRC_M ||
			 f->kind == SRC_S || f->kind == SRC_BIG_S;
		int line = 0;
		if (!c && !(f->kind == SRC_GO && f->head && f->head->cgo_line))
			continue;
		for (struct span rest = trap_read(v->c, f); rest.n && !v->c->bad;) {
			struct span l = span_trim(span_cut(&rest, '\n'));
			line++;
			if (span_skip(&l, S("//")))
				l = span_trim(l);
			if (!span_skip(&l, S("#include")))
				continue;
			l = span_trim(l);
			if (!span_skip(&l, S("\"")) || span_chr(l, '"') == SPAN_NONE)
				continue;
			l = span_head(l, span_chr(l, '"'));
			if (span_chr(l, '/') != SPAN_NONE)
				check_include(v, d, f, l, line);
		}
	}
}

static void check_package(const struct vendor *v, struct span package, int64_t line)
{
	bool top = !strcmp(v->base, ".");
	struct span path =
		trap_text(v->c, "%s%svendor/%.*s", top ? "" : v->base, top ? "" : "/", SPAN_ARG(package));
	const struct src_dir *d = src_tree_dir(v->c->tree, path.p), *vendor;
	const struct src_file *list = NULL;

	path = trap_text(v->c, "%s%svendor", top ? "" : v->base, top ? "" : "/");
	vendor = src_tree_dir(v->c->tree, path.p);
	for (size_t i = 0; vendor && i < vendor->n; i++)
		if (!strcmp(vendor->files[i].name, "modules.txt"))
			list = &vendor->files[i];
	struct spot at = { .file = list, .dir = list ? NULL : vendor, .line = list ? (int)line : 0 };
	if (!d)
		trap_say(v->c, TRAP_VENDOR_EMPTY, at, package,
			 span_of(TR("its folder is not there", "它的目录不存在")));
	else if (!d->unread && !has_source(d))
		trap_say(v->c, TRAP_VENDOR_EMPTY, at, package,
			 span_of(TR("its folder has no Go file", "它的目录中没有 Go 文件")));
	else if (d->import)
		check_includes(v, d);
}

static void check_list(struct vendor *v)
{
	struct modulestxt_at at = { .rest = v->list->text };
	struct modulestxt_line l;

	while (!v->c->bad && modulestxt_next(&at, &l)) {
		if (l.kind == MODULESTXT_MODULE) {
			v->module = l.path;
			v->version = l.version;
			v->new_path = l.new_path;
			v->new_version = l.new_version;
		} else if (l.kind == MODULESTXT_PACKAGE) {
			check_package(v, l.path, l.line);
		}
	}
}

void trap_vendor(struct trap_run *c)
{
	const struct mod_tree *mods = &c->tree->mods;

	/* Only what lies in the tree that was read. */
	if (!c->tree->vendor || !c->tree->has_mods || !src_tree_dir(c->tree, "vendor"))
		return;
	if (mods->work_modules_txt.text.p) {
		struct vendor v = { .c = c, .base = ".", .list = &mods->work_modules_txt };
		check_list(&v);
	}
	for (size_t i = 0; i < mods->n && !c->bad; i++) {
		const struct mod_member *m = &mods->members[i];
		struct vendor v = { .c = c, .base = ".", .list = &m->modules_txt };
		if (m->modules_txt.text.p && !strcmp(m->dir, "."))
			check_list(&v);
	}
}
