#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "check/traps_own.h"

/* Packages and folders that `./...` passes over. */

static size_t go_files(const struct src_dir *d, bool tests)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += d->files[i].kind == SRC_GO && !d->files[i].hidden && (tests || !d->files[i].test);
	return n;
}

static bool is_below(const struct src_dir *d, const struct src_dir *top)
{
	for (; d; d = d->parent)
		if (d == top)
			return true;
	return false;
}

/* With all that is below it. */
static size_t go_files_below(const struct trap_run *c, const struct src_dir *top)
{
	size_t n = 0;

	for (size_t i = 0; i < c->tree->n; i++)
		if (is_below(c->tree->dirs[i], top))
			n += go_files(c->tree->dirs[i], true);
	return n;
}

/* "linux/amd64", "linux/amd64 and 2 other targets" */
static struct span targets(struct trap_run *c, const char *first, size_t n)
{
	if (n == 2)
		return trap_text(c, TR("%s and another target", "%s 及另一个目标"), first);
	return n > 1 ? trap_text(c, TR("%s and %zu other targets", "%s 及另外 %zu 个目标"), first, n - 1)
		     : trap_text(c, "%s", first);
}

/* ---- packages ---- */

static bool ignored_on_purpose(struct trap_run *c, const struct src_dir *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct gohead *h = d->files[i].head;
		const struct constraint *x = h ? trap_expr(c, h) : NULL;
		if (h && d->files[i].kind == SRC_GO &&
		    !(x && (expr_has(x, S("ignore")) || expr_has(x, S("tools")))))
			return false;
	}
	return true;
}

static struct span reason(struct trap_run *c, const struct selection *s, const struct act_package *p)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	size_t more = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct act_file *f = &p->files[i];
		if (f->src->kind != SRC_GO || f->src->hidden)
			continue;
		if (b.len) {
			more++;
			continue;
		}
		buf_addf(&b, "%s: ", f->src->name);
		act_why_write(f, s->target, &b);
	}
	if (more)
		buf_addf(&b, TR("; and %zu more", "；另有 %zu 个"), more);
	c->bad |= b.bad;
	return b.bad ? S("") : trap_text(c, "%s", buf_str(&b));
}

/* Is it as it should be: is there a file for another platform or setting, or one with a tag that everybody knows, or that is set here? */
static bool expected(struct trap_run *c, const struct src_dir *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct src_file *f = &d->files[i];
		struct goname name = goname_read(span_of(f->name), c->go);
		const struct constraint *x = f->head && f->kind == SRC_GO ? trap_expr(c, f->head) : NULL;
		struct span tag = x ? tag_wanted(x, false) : (struct span){ 0 };
		if (!f->head || f->kind != SRC_GO)
			continue;
		if (expr_can(x, &name, EXPR_UNTAGGED, true) == 1 ||
		    (tag.p && (tag_usual(tag) || flows_speak_of(c->flows, tag))))
			return true;
	}
	return false;
}

static void check_vanished(struct trap_run *c, const struct src_dir *d)
{
	const struct selection *first = NULL;
	const struct act_package *p = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->o->n; i++) {
		const struct act_package *one = selection_package(&c->o->selections[i], d);
		if (!one || one->state != PKG_EXCLUDED)
			continue;
		if (!first) {
			first = &c->o->selections[i];
			p = one;
		}
		n++;
	}
	if (!first || ignored_on_purpose(c, d))
		return;
	trap_say_as(c, TRAP_PACKAGE_VANISHES, expected(c, d) ? SEV_NOTE : SEV_WARNING,
		    ((struct spot){ .dir = d }), d->import ? span_of(d->import) : span_of(d->path),
		    targets(c, first->target->name, n), reason(c, first, p));
}

static void check_tests(struct trap_run *c, const struct src_dir *d)
{
	const char *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->o->n; i++) {
		const struct act_package *p = selection_package(&c->o->selections[i], d);
		size_t tests = 0, lost = 0;
		bool platform = false; /* those that lack a tag have a rule of their own */
		for (size_t k = 0; p && k < p->n; k++) {
			const struct src_file *f = p->files[k].src;
			struct goname name = goname_read(span_of(f->name), c->go);
			tests += f->test && !f->hidden;
			lost += f->test && p->files[k].list == ACT_IGNORED_GO;
			platform |= f->test && f->head &&
				    expr_can(trap_expr(c, f->head), &name, EXPR_UNTAGGED, true) == 1;
		}
		if (!p || p->state != PKG_FINE || !tests || tests != lost || !platform)
			continue;
		first = first ? first : c->o->selections[i].target->name;
		n++;
	}
	if (first)
		trap_say(c, TRAP_TEST_NONE, ((struct spot){ .dir = d }),
			 d->import ? span_of(d->import) : span_of(d->path), targets(c, first, n));
}

/* ---- cgo ---- */

static bool has_stand_in(struct trap_run *c, const struct src_dir *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct gohead *h = d->files[i].head;
		const struct constraint *x = h && d->files[i].kind == SRC_GO && !h->cgo_line ? trap_expr(c, h)
											     : NULL;
		if (x && expr_has(x, S("cgo")))
			return true;
	}
	return false;
}

static void check_cgo(struct trap_run *c, const struct src_dir *d)
{
	const struct src_file *file = NULL;
	const struct target *t = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->o->n; i++) {
		const struct act_package *p = selection_package(&c->o->selections[i], d);
		const struct src_file *lost = NULL;
		for (size_t k = 0; p && k < p->n && !lost; k++)
			if (p->files[k].why == ACT_WHY_CGO_OFF && !p->files[k].src->test)
				lost = p->files[k].src;
		if (!lost)
			continue;
		file = file ? file : lost;
		t = t ? t : c->o->selections[i].target;
		n++;
	}
	if (file && !d->vendored)
		trap_say_as(c, TRAP_CGO_OFF, has_stand_in(c, d) ? SEV_NOTE : SEV_WARNING,
			    ((struct spot){ .file = file, .line = file->head->cgo_line }),
			    span_of(file->name), targets(c, t->name, n),
			    t->cgo_why ? span_of(t->cgo_why) : S("CGO_ENABLED=0"));
}

void trap_packages(struct trap_run *c)
{
	for (size_t i = 0; i < c->tree->n && !c->bad; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		if (d->skip != DIR_TAKEN || d->vendored)
			continue;
		check_vanished(c, d);
		check_tests(c, d);
		check_cgo(c, d);
	}
}

/* ---- folders ---- */

static const char *last_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const struct src_file *file_named(const struct src_dir *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->files[i].name, name))
			return &d->files[i];
	return NULL;
}

/* Does its go.mod say which module it is? */
static bool is_module(struct trap_run *c, const struct src_dir *d)
{
	CLEANUP(buf_free) struct buf text = { .max = 1 << 20 };

	return file_slurp_regular(trap_path(c, d, "go.mod"), &text, NULL) < 0 ||
	       modfile_module(buf_view(&text)).n > 0;
}

static void check_module(struct trap_run *c, const struct src_dir *d, bool work)
{
	size_t n = go_files_below(c, d);
	const struct src_file *go_mod = file_named(d, "go.mod");
	struct spot at = { .file = go_mod, .dir = d };

	if (!n || trap_aside(d))
		return;
	if (!is_module(c, d))
		trap_say(c, TRAP_DIR_EMPTY_MOD, at, span_of(d->path), trap_text(c, "%zu", n));
	else if (d->skip == DIR_NO_MEMBER && work)
		trap_say(c, TRAP_WORK_LEFT_OUT, at, span_of(d->path));
	else
		trap_say(c, TRAP_DIR_NESTED, ((struct spot){ .dir = d }), span_of(d->path));
}

/* A folder behind a link: are there Go files in it? What is in the tree anyway is not lost. */
static bool go_behind(struct trap_run *c, const struct src_file *f)
{
	bool ret = false;
	char *real = realpath(trap_path(c, f->dir, f->name), NULL), *root = realpath(c->tree->root, NULL);
	size_t n = root ? strlen(root) : 0;
	bool inside = real && root && !strncmp(real, root, n) && (real[n] == '/' || !real[n]);
	const struct src_dir *d = inside ? src_tree_dir(c->tree, real[n] ? real + n + 1 : ".") : NULL;
	DIR *all = real && !(d && d->skip == DIR_TAKEN) ? opendir(real) : NULL;
	struct dirent *e;

	while (all && !ret && (e = readdir(all)))
		ret = span_ends(span_of(e->d_name), S(".go")) && e->d_name[0] != '.' && e->d_name[0] != '_';
	if (all)
		closedir(all);
	free(real);
	free(root);
	return ret;
}

static void check_links(struct trap_run *c, const struct src_dir *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->files[i].dir_link && !d->files[i].hidden && go_behind(c, &d->files[i]))
			trap_say(c, TRAP_DIR_LINK, ((struct spot){ .file = &d->files[i] }),
				 span_of(d->files[i].name));
}

static void check_skipped(struct trap_run *c, const struct src_dir *d)
{
	const struct src_dir *up = d->parent;
	bool first = up && up->skip != d->skip;
	const char *name = last_of(d->path);
	size_t n;

	if (d->skip == DIR_HIDDEN && first && (name[0] == '.' || name[0] == '_') && up->skip == DIR_TAKEN &&
	    (n = go_files_below(c, d)))
		trap_say(c, TRAP_DIR_HIDDEN, ((struct spot){ .dir = d }), span_of(d->path),
			 trap_text(c, "%zu", n), span_head(span_of(name), 1));
	if (d->skip == DIR_IGNORED && first && (n = go_files_below(c, d)))
		trap_say(c, TRAP_DIR_IGNORED, ((struct spot){ .dir = d }), span_of(d->path),
			 trap_text(c, "%zu", n));
}

/* Once for all below one such folder. */
static void check_lost_tests(struct trap_run *c, const struct src_dir *d)
{
	const struct src_dir *top = d;

	if (d->skip != DIR_TESTDATA && d->skip != DIR_HIDDEN)
		return;
	while (top->parent && top->parent->skip == d->skip)
		top = top->parent;
	for (size_t i = 0; i < d->n; i++) {
		const struct src_file *f = &d->files[i];
		if (!f->test || f->hidden)
			continue;
		trap_say(c, TRAP_DIR_TESTS, ((struct spot){ .dir = top }),
			 trap_text(c, "%s/%s", d->path, f->name), span_of(top->path));
		return;
	}
}

void trap_folders(struct trap_run *c)
{
	bool work = c->tree->has_mods && c->tree->mods.go_work.text.p;

	for (size_t i = 0; i < c->tree->n && !c->bad; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		if (d->go_mod && d->parent && !d->member)
			check_module(c, d, work);
		if (d->skip == DIR_TAKEN)
			check_links(c, d);
		check_skipped(c, d);
		check_lost_tests(c, d);
	}
}
