#include "check/reach.h"

#include <errno.h>

#include "base/mem.h"

enum reach_module {
	READ_ALL = 1,
	HAS_PROGRAM = 2,
	IS_PROGRAM = 4 /* its top is one */,
	NO_TOP = 8,
	MOST_REACHED = 16
};

size_t reach_find(const struct reach *r, struct span import)
{
	const struct act_package *p = map_get(&r->index, import);

	return p ? (size_t)(p - r->sel->packages) : SIZE_MAX;
}

struct going {
	struct reach *r;
	size_t *queue, n, from;
};

static bool follow(void *ctx, const struct act_file *f, const struct gohead_import *i)
{
	struct going *g = ctx;
	size_t to = reach_find(g->r, i->path);

	(void)f;
	if (to != SIZE_MAX && !g->r->reached[to]) {
		g->r->reached[to] = true;
		g->r->by[to] = g->from;
		g->queue[g->n++] = to;
	}
	return true;
}

static bool is_program(const struct act_package *p)
{
	return p->state == PKG_FINE && p->listed && !p->dir->vendored && span_eq(p->name, S("main"));
}

/* Is a member's folder the walk's root or below it? */
static bool was_read(const struct src_tree *t, const struct mod_member *m)
{
	const char *dir = mod_tree_path((struct mod_tree *)&t->mods, m->dir, S(""));
	size_t n = strlen(t->root);

	return dir && !strncmp(dir, t->root, n) && (!dir[n] || dir[n] == '/' || n == 1);
}

static bool note_packages(struct reach *r)
{
	const struct selection *sel = r->sel;
	const struct mod_member *members = sel->tree->mods.members;

	for (size_t i = 0; i < sel->tree->mods.n; i++)
		r->modules[i] = was_read(sel->tree, &members[i]) ? READ_ALL : 0;
	for (size_t i = 0; i < sel->n; i++) {
		struct act_package *p = &sel->packages[i];
		if (p->dir->member && is_program(p))
			r->modules[p->dir->member - members] |= HAS_PROGRAM;
		/* The first folder of a module is its top. */
		bool top = p->dir->member && !p->dir->vendored && p->dir->import &&
			   span_eq(span_of(p->dir->import), p->dir->member->mod.module);
		if (top && p->state != PKG_FINE)
			r->modules[p->dir->member - members] |= NO_TOP;
		if (top && is_program(p))
			r->modules[p->dir->member - members] |= IS_PROGRAM;
		if (p->dir->import && (p->state == PKG_FINE || p->state == PKG_INVALID) &&
		    !map_get(&r->index, span_of(p->dir->import)) &&
		    !map_put(&r->index, span_of(p->dir->import), p))
			return false;
	}
	return true;
}

static void go_through(struct reach *r, size_t *queue)
{
	struct going g = { .r = r, .queue = queue };

	for (size_t i = 0; i < r->sel->n; i++) {
		if (!is_program(&r->sel->packages[i]))
			continue;
		r->programs++;
		r->reached[i] = true;
		r->by[i] = SIZE_MAX;
		g.queue[g.n++] = i;
	}
	for (size_t at = 0; at < g.n; at++) {
		g.from = g.queue[at];
		act_imports(&r->sel->packages[g.from], false, follow, &g);
	}
}

/* Of the packages that others could import, are most used by the module's own programs? */
static void find_used(struct reach *r)
{
	const struct mod_tree *mods = &r->sel->tree->mods;

	for (size_t m = 0; m < mods->n; m++) {
		size_t all = 0, used = 0;
		for (size_t i = 0; i < r->sel->n; i++) {
			const struct act_package *p = &r->sel->packages[i];
			if (p->dir->member != &mods->members[m] || p->state != PKG_FINE || !p->listed ||
			    is_program(p) || reach_internal(p))
				continue;
			all++;
			used += r->reached[i];
		}
		if (2 * used > all)
			r->modules[m] |= MOST_REACHED;
	}
}

int reach_make(const struct selection *sel, struct reach *ret, struct err *e)
{
	struct reach r = { .sel = sel };
	size_t *queue = mem_alloc((sel->n + 1) * sizeof(size_t));

	r.reached = mem_zalloc(sel->n + 1);
	r.by = mem_alloc((sel->n + 1) * sizeof(size_t));
	r.modules = mem_zalloc(sel->tree->mods.n + 1);
	bool ok = queue && r.reached && r.by && r.modules && note_packages(&r);
	if (ok) {
		go_through(&r, queue);
		find_used(&r);
	}
	mem_free(queue);
	if (!ok) {
		reach_free(&r);
		return err_set(e, ENOMEM, TR("no memory for the import graph", "内存不足，无法建立导入图"));
	}
	*ret = r;
	return 0;
}

void reach_free(struct reach *r)
{
	mem_free(r->reached);
	mem_free(r->by);
	mem_free(r->modules);
	map_free(&r->index);
	*r = (struct reach){ 0 };
}

bool reach_can_tell(const struct reach *r, const struct act_package *p)
{
	const struct mod_member *m = p->dir->member;
	int is = m ? r->modules[m - r->sel->tree->mods.members] : 0;

	return (is & READ_ALL) && (is & HAS_PROGRAM);
}

bool reach_is_program(const struct reach *r, const struct mod_member *m)
{
	int is = m ? r->modules[m - r->sel->tree->mods.members] : 0;

	return (is & IS_PROGRAM) || ((is & NO_TOP) && (is & MOST_REACHED));
}

bool reach_internal(const struct act_package *p)
{
	struct span rest = span_of(p->dir->import ? p->dir->import : "");

	while (rest.n)
		if (span_eq(span_cut(&rest, '/'), S("internal")))
			return true;
	return false;
}

static bool is_known(void *ctx, const struct constraint *tag)
{
	const struct target *t = ctx;

	return target_known_tag(tag->tag, t->go);
}

bool reach_for_other_system(const struct act_file *f, const struct target *t)
{
	if (f->why == ACT_WHY_NAME || f->why == ACT_WHY_CGO_OFF)
		return true;
	const struct constraint *c = f->term ? f->term : f->expr;
	return (f->why == ACT_WHY_BUILD || f->why == ACT_WHY_OLD_BUILD) && c &&
	       constraint_tags(c, is_known, (void *)t);
}
