#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/diff.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/text.h"
#include "check/lint_fix.h"
#include "cli/check_lint.h"
#include "cli/say.h"

/* --fix writes, --diff shows what would be written. A file is written whole or not at all, and not when it was changed meanwhile. */

#define CONTEXT 3 /* lines around a change */

/* ---- unified diffs ---- */

struct row {
	enum diff_kind kind;
	struct span line;
};
struct rows {
	struct row *v;
	size_t n, cap;
	bool bad;
};

static void keep_row(void *ctx, enum diff_kind kind, struct span line)
{
	struct rows *l = ctx;

	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)))
		l->bad = true;
	else
		l->v[l->n++] = (struct row){ kind, line };
}

/* Where the hunk that begins at `from` ends: when more than twice the context is as it was. */
static size_t hunk_end(const struct rows *l, size_t from)
{
	size_t last = from;

	for (size_t i = from; i < l->n && i <= last + 2 * CONTEXT; i++)
		if (l->v[i].kind != DIFF_SAME)
			last = i;
	return last + CONTEXT + 1 < l->n ? last + CONTEXT + 1 : l->n;
}

static void put_row(struct buf *b, const struct row *row, struct span a, struct span new)
{
	static const char marks[] = { [DIFF_SAME] = ' ', [DIFF_OLD] = '-', [DIFF_NEW] = '+' };
	struct span of = row->line.p >= a.p && row->line.p <= a.p + a.n ? a : new;
	const char *end = row->line.p + row->line.n;

	buf_addc(b, marks[row->kind]);
	buf_span(b, row->line);
	if (end < of.p + of.n && *end == '\r')
		buf_addc(b, '\r');
	buf_addc(b, '\n');
	if (end >= of.p + of.n)
		buf_adds(b, "\\ No newline at end of file\n");
}

static bool unified(const char *path, struct span a, struct span new, struct buf *b)
{
	struct rows l = { 0 };
	size_t old_line = 1, new_line = 1, done = 0;

	if (diff_lines(a, new, keep_row, &l) < 0 || l.bad) {
		mem_free(l.v);
		return false;
	}
	buf_addf(b, "--- a/%s\n+++ b/%s\n", path, path);
	for (size_t i = 0; i < l.n; i++) {
		if (l.v[i].kind == DIFF_SAME)
			continue;
		size_t from = i > done + CONTEXT ? i - CONTEXT : done, to = hunk_end(&l, i), olds = 0,
		       news = 0;
		old_line += from - done;
		new_line += from - done;
		for (size_t k = from; k < to; k++) {
			olds += l.v[k].kind != DIFF_NEW;
			news += l.v[k].kind != DIFF_OLD;
		}
		buf_addf(b, "@@ -%zu,%zu +%zu,%zu @@\n", olds ? old_line : old_line - 1, olds,
			 news ? new_line : new_line - 1, news);
		for (size_t k = from; k < to; k++)
			put_row(b, &l.v[k], a, new);
		old_line += olds;
		new_line += news;
		done = to;
		i = to - 1;
	}
	mem_free(l.v);
	return !b->bad;
}

/* ---- files ---- */

struct fixing {
	const struct lint_options *o;
	const char *prefix;
	bool all;
	struct buf *diff;
	struct fix_sum *sum;
	struct err *e;
};

/* What cannot be written stays as it is; the others are mended all the same. */
static int write_fixed(struct fixing *x, const char *path, const char *shown, size_t made, struct span text)
{
	struct err e = { 0 };
	int r = access(path, W_OK) < 0 ? err_set(&e, errno, "%s: %s", shown, strerror(errno))
				       : file_replace(path, text, &e);

	if (r == -ENOMEM)
		return err_set(x->e, ENOMEM, "%s", e.msg);
	if (r == 0) {
		x->sum->fixed += made;
		x->sum->files++;
		return 0;
	}
	x->sum->left += made;
	if (!x->sum->again)
		say_error(TR("%s: not mended", "%s：未修复"), e.msg);
	return 0;
}

static int fix_file(struct fixing *x, const struct lint_finding *const *list, size_t n)
{
	CLEANUP(buf_free)
	struct buf path = { 0 }, text = { .max = LINT_FILE_BYTES }, fixed = { 0 }, shown = { 0 };
	unsigned char sum[SHA256_SIZE];

	path_join(&path, x->o->root, list[0]->path);
	buf_addf(&shown, "%s%s", x->prefix, list[0]->path);
	int r = 0;
	if (x->o->text_path && !strcmp(x->o->text_path, list[0]->path))
		buf_span(&text, x->o->text);
	else
		r = file_slurp_regular(buf_str(&path), &text, x->e);
	if (r < 0)
		return r;
	sha256(buf_view(&text), sum);
	if (memcmp(sum, list[0]->sum, sizeof(sum)) != 0) {
		say_error(TR("%s was changed meanwhile: not mended", "%s 在此期间被修改：未修复"),
			  buf_str(&shown));
		x->sum->left += n;
		return 0;
	}
	size_t made = lint_fix_text(buf_view(&text), list, n, x->all, &fixed);
	x->sum->left += n - made;
	if (fixed.bad)
		return err_set(x->e, ENOMEM, TR("no memory", "内存不足"));
	if (!made)
		return 0;
	if (!x->diff)
		return write_fixed(x, buf_str(&path), buf_str(&shown), made, buf_view(&fixed));
	x->sum->fixed += made;
	x->sum->files++;
	return unified(buf_str(&shown), buf_view(&text), buf_view(&fixed), x->diff)
		       ? 0
		       : err_set(x->e, ENOMEM, TR("no memory", "内存不足"));
}

int lint_fix_files(const struct lint_result *r, const struct lint_options *o, const char *prefix, bool all,
		   struct buf *diff, struct fix_sum *sum, struct err *e)
{
	struct fixing x = { o, prefix, all, diff, sum, e };
	CLEANUP(mem_free) const struct lint_finding **list = mem_alloc((r->n + 1) * sizeof(*list));
	size_t n = 0;
	int err = list ? 0 : err_set(e, ENOMEM, TR("no memory", "内存不足"));

	for (size_t i = 0; i < r->n && err == 0; i++) {
		const struct lint_finding *f = &r->findings[i];
		if (f->n_edits && f->sum && (all || f->edits_safe))
			list[n++] = f;
		bool last = i + 1 == r->n || strcmp(r->findings[i + 1].path, f->path) != 0;
		if (last && n) {
			err = fix_file(&x, list, n);
			n = 0;
		}
	}
	return err;
}
