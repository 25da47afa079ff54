#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/check_lint.h"
#include "run/git.h"

/* --new-from: only what stands on lines that have changed. */

struct range {
	int from, to;
	struct range *next;
};
struct lines {
	struct arena mem;
	struct map files;  /* of struct range */
	struct map nested; /* folders that were looked at for a repository of their own */
};

static int add(void *ctx, struct span path, int from, int to)
{
	struct lines *l = ctx;
	struct range *r = arena_alloc(&l->mem, sizeof(*r));
	struct span key = arena_span(&l->mem, path);

	if (!r || !key.p)
		return -ENOMEM;
	*r = (struct range){ from, to, map_get(&l->files, path) };
	return map_put(&l->files, key, r) ? 0 : -ENOMEM;
}

static bool has_changed(const struct range *r, const struct lint_place *at)
{
	int last = at->end_line > at->line ? at->end_line : at->line;

	if (!at->line)
		return r != NULL;
	for (; r; r = r->next)
		if (at->line <= r->to && last >= r->from)
			return true;
	return false;
}

/* How git names what lies in the root: "" or "sub/". */
static bool prefix_of(const char *top, const char *root, struct buf *ret)
{
	char whole[PATH_MAX];

	if (!realpath(root, whole))
		return false;
	struct span below = span_of(whole);
	if (!span_skip(&below, span_of(top)))
		return false;
	span_skip(&below, S("/"));
	if (below.n)
		buf_addf(ret, "%.*s/", SPAN_ARG(below));
	return !ret->bad;
}

/* ---- repositories inside of this one: git says nothing of what changed there ---- */

static bool begins_repository(const char *root, struct span folder)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	buf_addf(&path, "%s/%.*s/.git", root, SPAN_ARG(folder));
	return !path.bad && access(buf_str(&path), F_OK) == 0;
}

static int note_nested(struct lines *l, const char *root, struct span folder, struct lint_result *r)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span key = arena_span(&l->mem, folder);

	if (!key.p || !map_put(&l->nested, key, l))
		return -ENOMEM;
	if (!begins_repository(root, folder))
		return 0;
	const char **more = arena_alloc(&r->mem, (r->n_limits + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	buf_addf(
		&text,
		TR("%.*s: a repository of its own: what is new there is not known here, and nothing of it is told",
		   "%.*s：是独立的仓库：此处无法得知其中哪些是新的，因此不报告"),
		SPAN_ARG(folder));
	if (r->n_limits)
		memcpy(more, r->limits, r->n_limits * sizeof(*more));
	more[r->n_limits] = text.bad ? NULL : arena_str(&r->mem, buf_view(&text));
	if (!more[r->n_limits])
		return -ENOMEM;
	r->limits = more;
	r->n_limits++;
	return 0;
}

static int tell_nested(struct lines *l, const char *root, const char *path, struct lint_result *r)
{
	int err = 0;

	for (const char *p = strchr(path, '/'); p && err == 0; p = strchr(p + 1, '/')) {
		struct span folder = { path, (size_t)(p - path) };
		if (!map_get(&l->nested, folder))
			err = note_nested(l, root, folder, r);
	}
	return err;
}

/* ---- the whole ---- */

static int keep(struct lines *l, const char *root, const char *prefix, struct lint_result *r)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	size_t n = 0, all = r->n;
	int err = 0;

	for (size_t i = 0; i < all && err == 0; i++) {
		struct lint_finding *f = &r->findings[i];
		buf_clear(&path);
		buf_addf(&path, "%s%s", prefix, f->path);
		const struct range *changed = map_get(&l->files, buf_view(&path));
		if (has_changed(changed, &f->at))
			r->findings[n++] = *f;
		else if (!changed)
			err = tell_nested(l, root, f->path, r);
	}
	r->n = n;
	return path.bad ? -ENOMEM : err;
}

int lint_keep_new(const char *rev, const char *root, struct lint_result *r, struct err *e)
{
	CLEANUP(buf_free) struct buf prefix = { 0 };
	struct lines l = { 0 };
	struct git_where w = { 0 };

	int err = git_where(root, &l.mem, &w, e);
	if (err == -ENOENT || (err == 0 && !w.top))
		err = err_set(e, ENOENT,
			      TR("--new-from needs a git repository, and there is none here",
				 "--new-from 需要 git 仓库，而此处没有"));
	bool known = err == 0;
	if (known)
		err = git_changed(w.top, rev, add, &l, e);
	/* Before the first commit all is new; a hook that says HEAD meets this once. */
	bool first = known && err == -ENOENT && !w.commit;
	if (first && !strcmp(rev, "HEAD"))
		err = 0;
	else if (first)
		err = err_set(
			e, ENOENT,
			TR("this repository has no commit yet: everything is new, so leave --new-from out",
			   "此仓库还没有提交：一切都是新的，请去掉 --new-from"));
	if (err == 0 && !prefix_of(w.top, root, &prefix))
		err = -ENOMEM;
	if (err == 0 && !first)
		err = keep(&l, root, buf_str(&prefix), r);
	if (err == -ENOMEM)
		err_set(e, ENOMEM, TR("no memory", "内存不足"));
	map_free(&l.files);
	map_free(&l.nested);
	arena_free(&l.mem);
	return err;
}
