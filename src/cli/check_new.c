#include <errno.h>
#include <limits.h>
#include <stdlib.h>

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
	struct map files; /* of struct range */
	bool bad;
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

int lint_keep_new(const char *rev, const char *root, struct lint_result *r, struct err *e)
{
	CLEANUP(buf_free) struct buf prefix = { 0 }, path = { 0 };
	struct lines l = { 0 };
	struct git_where w;
	size_t n = 0;

	int n_err = git_where(root, &l.mem, &w, e);
	if (n_err == -ENOENT || (n_err == 0 && !w.top))
		n_err = err_set(e, ENOENT,
				TR("--new-from needs a git repository, and there is none here",
				   "--new-from 需要 git 仓库，而此处没有"));
	if (n_err == 0)
		n_err = git_changed(w.top, rev, add, &l, e);
	if (n_err == -ENOMEM || (n_err == 0 && !prefix_of(w.top, root, &prefix)))
		n_err = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	for (size_t i = 0; i < r->n && n_err == 0; i++) {
		buf_clear(&path);
		buf_addf(&path, "%s%s", buf_str(&prefix), r->findings[i].path);
		if (has_changed(map_get(&l.files, buf_view(&path)), &r->findings[i].at))
			r->findings[n++] = r->findings[i];
	}
	if (n_err == 0)
		r->n = n;
	map_free(&l.files);
	arena_free(&l.mem);
	return n_err;
}
