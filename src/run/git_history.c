/* Who wrote a line, and which commits lie between two. */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "run/git.h"
#include "run/git_ask.h"

#define BLAME_LIMIT (2 * NSEC_PER_SEC)
#define RANGE_LIMIT (3 * NSEC_PER_SEC)
#define BLAME_BYTES (1u << 20) /* one line of a file may be long */
#define RANGE_BYTES (4u << 20)

static bool says(const struct answer *a, const char *what)
{
	return span_find(buf_view(&a->err), span_of(what)) != SPAN_NONE;
}

static bool only_zeros(struct span s)
{
	while (s.n && s.p[0] == '0')
		s = span_from(s, 1);
	return !s.n;
}

/* Is the history cut off at this commit? */
static int is_cut_off(const char *top, struct span hash, bool *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf text = { .max = 16 << 20 };
	struct arena mem = { 0 };
	struct git_where w;
	int r = git_where(top, &mem, &w, e);

	*ret = false;
	if (r == 0 && w.shallow) {
		path_join(&path, w.common, "shallow");
		r = path.bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : file_slurp(path.p, &text, e);
		*ret = r == 0 && span_find(buf_view(&text), hash) != SPAN_NONE;
	}
	arena_free(&mem);
	return r;
}

static struct span without_angles(struct span s)
{
	span_skip(&s, S("<"));
	return s.n && s.p[s.n - 1] == '>' ? span_head(s, s.n - 1) : s;
}

/* "HASH ORIG FINAL 1", then "key value" lines, then a tab and the line itself. */
static int read_blame(const char *top, struct span text, struct arena *mem, struct blame *ret, struct err *e)
{
	struct blame b = { .state = BLAME_COMMIT };
	struct span first = span_cut(&text, '\n'), hash = span_cut(&first, ' ');
	bool cut_off;

	if (only_zeros(hash)) {
		ret->state = BLAME_NOT_COMMITTED;
		return 0;
	}
	while (text.n && text.p[0] != '\t') {
		struct span value = span_cut(&text, '\n'), key = span_cut(&value, ' ');
		int64_t seconds;
		if (span_eq(key, S("author")))
			b.author = arena_str(mem, value);
		else if (span_eq(key, S("author-mail")))
			b.mail = arena_str(mem, without_angles(value));
		else if (span_eq(key, S("author-time")) && span_int(value, &seconds) && seconds < INT64_MAX / NSEC_PER_SEC)
			b.time = seconds * NSEC_PER_SEC;
	}
	b.commit = arena_str(mem, hash);
	if (!b.author || !b.mail || !b.commit)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	int r = is_cut_off(top, hash, &cut_off, e);
	if (r == 0) {
		b.state = cut_off ? BLAME_SHALLOW : BLAME_COMMIT;
		*ret = b;
	}
	return r;
}

/* What git's refusal means. */
static int blame_failed(const char *file, const struct answer *a, struct blame *ret, struct err *e)
{
	static const struct {
		const char *words;
		enum blame_state state;
	} known[] = {
		{ "no such path", BLAME_UNTRACKED },     { "no such ref: HEAD", BLAME_UNTRACKED },
		{ "cannot stat path", BLAME_UNTRACKED }, { "bad revision 'HEAD'", BLAME_UNTRACKED },
		{ "is outside repository", BLAME_UNTRACKED }, { " has only ", BLAME_NO_LINE },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!says(a, known[i].words))
			continue;
		*ret = (struct blame){ .state = known[i].state };
		return 0;
	}
	return err_set(e, EIO, TR("git blame of '%s' failed: %.*s", "对“%s”执行 git blame 失败：%.*s"), file, SPAN_ARG(git_complaint(a)));
}

int git_blame(const char *top, const char *file, int line, struct arena *mem, struct blame *ret, struct err *e)
{
	char lines[32];
	const char *words[] = { "blame", "--porcelain", "--root", "--no-textconv", "--encoding=UTF-8", "-L", lines, "--", file, NULL };
	struct git_ask q = { .top = top, .words = words, .until = time_mono() + BLAME_LIMIT, .out_max = BLAME_BYTES, .content = true };
	CLEANUP(answer_free) struct answer a = { 0 };

	*ret = (struct blame){ .state = BLAME_NO_LINE };
	if (line <= 0)
		return 0;
	snprintf(lines, sizeof(lines), "%d,%d", line, line);
	int r = git_ask(&q, &a, e);
	if (r < 0)
		return r;
	return a.status ? blame_failed(file, &a, ret, e) : read_blame(top, buf_view(&a.out), mem, ret, e);
}

/* ---- a range ---- */

static bool is_hex(const char *z)
{
	size_t n = strspn(z, "0123456789abcdefABCDEF");

	return n >= 4 && n <= 64 && !z[n];
}

static int not_here(const char *top, const char *commit, struct err *e)
{
	struct arena mem = { 0 };
	struct git_where w = { 0 };
	int r = git_where(top, &mem, &w, e);

	if (r == 0)
		r = err_set(e, ENOENT, w.shallow ?
			TR("the commit %.12s is not in this clone, whose history is cut off: git fetch --unshallow",
			   "此浅克隆中没有提交 %.12s：请执行 git fetch --unshallow") :
			TR("the commit %.12s is not in this clone: git fetch --all, or it was removed from the history",
			   "此克隆中没有提交 %.12s：请执行 git fetch --all，或该提交已从历史中移除"), commit);
	arena_free(&mem);
	return r;
}

static int ask_range(struct git_ask *q, const char *const *words, struct answer *a, struct err *e)
{
	answer_free(a);
	q->words = words;
	int r = git_ask(q, a, e);

	if (r == 0 && a->status > 1)
		r = err_set(e, EIO, TR("git failed in '%s': %.*s", "git 在“%s”中失败：%.*s"), q->top, SPAN_ARG(git_complaint(a)));
	return r;
}

static int both_here(struct git_ask *q, const char *const commits[2], struct answer *a, struct err *e)
{
	char name[80];
	const char *words[] = { "cat-file", "-e", name, NULL };

	for (size_t i = 0; i < 2; i++) {
		if (!is_hex(commits[i]))
			return err_set(e, EINVAL, TR("'%.80s' is no commit", "“%.80s”不是提交"), commits[i]);
		snprintf(name, sizeof(name), "%s^{commit}", commits[i]);
		answer_free(a);
		q->words = words;
		int r = git_ask(q, a, e);
		if (r < 0)
			return r;
		if (a->status)
			return not_here(q->top, commits[i], e);
	}
	return 0;
}

static int read_commits(struct span text, size_t max, struct arena *mem, struct git_range *ret, struct err *e)
{
	ret->commits = arena_alloc(mem, (max ? max : 1) * sizeof(*ret->commits));
	while (ret->commits && text.n && ret->n < max) {
		struct span subject = span_trim(span_cut(&text, '\0')), hash = span_cut(&subject, ' ');
		struct git_commit *c = &ret->commits[ret->n++];
		*c = (struct git_commit){ arena_str(mem, hash), arena_str(mem, span_head(subject, 500)) };
		if (!c->hash || !c->subject)
			ret->commits = NULL;
	}
	return ret->commits ? 0 : err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

int git_range(const char *top, const char *good, const char *bad, size_t max, struct arena *mem, struct git_range *ret, struct err *e)
{
	char range[160], number[32];
	const char *const commits[] = { good, bad };
	const char *ancestor[] = { "merge-base", "--is-ancestor", good, bad, NULL };
	const char *count[] = { "rev-list", "--count", range, "--", NULL };
	const char *log[] = { "log", "-z", "--format=%h %s", number, "--no-color", "--no-decorate", range, "--", NULL };
	struct git_ask q = { .top = top, .until = time_mono() + RANGE_LIMIT, .out_max = RANGE_BYTES };
	CLEANUP(answer_free) struct answer a = { 0 };
	struct git_range got = { 0 };

	int r = both_here(&q, commits, &a, e);
	if (r == 0) {
		snprintf(range, sizeof(range), "%s..%s", good, bad);
		snprintf(number, sizeof(number), "--max-count=%zu", max < 1000 ? max : 1000);
		r = ask_range(&q, ancestor, &a, e);
	}
	got.ancestor = r == 0 && a.status == 0;
	if (r == 0)
		r = ask_range(&q, count, &a, e);
	if (r == 0 && !span_int(span_trim(buf_view(&a.out)), &got.count))
		r = err_set(e, EIO, TR("git rev-list did not answer with a number", "git rev-list 未返回数字"));
	if (r == 0 && max)
		r = ask_range(&q, log, &a, e);
	if (r == 0 && max)
		r = read_commits(buf_view(&a.out), max < 1000 ? max : 1000, mem, &got, e);
	if (r == 0)
		*ret = got;
	return r;
}

/* ---- one file ---- */

int git_file(const char *top, const char *commit, const char *file, size_t max, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	CLEANUP(answer_free) struct answer a = { 0 };
	struct git_ask q = { .top = top, .until = time_mono() + RANGE_LIMIT, .out_max = max };

	if (!is_hex(commit))
		return err_set(e, EINVAL, TR("'%.80s' is no commit", "“%.80s”不是提交"), commit);
	buf_addf(&name, "%s:%s", commit, file);
	const char *words[] = { "cat-file", "blob", buf_str(&name), NULL };
	int r = name.bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : ask_range(&q, words, &a, e);
	if (r == 0 && a.status)
		r = err_set(e, ENOENT, TR("'%s' is not in the commit %.12s", "“%s”不在提交 %.12s 中"), file, commit);
	if (r == 0)
		buf_span(ret, buf_view(&a.out));
	return r;
}

const char *git_last_change(const char *top, const char *file, struct arena *mem)
{
	const char *words[] = { "log", "-1", "--format=%H", "--", file, NULL };
	struct git_ask q = { .top = top, .words = words, .until = time_mono() + RANGE_LIMIT, .out_max = RANGE_BYTES };
	CLEANUP(answer_free) struct answer a = { 0 };

	if (git_ask(&q, &a, NULL) < 0 || a.status)
		return NULL;
	const char *hash = arena_str(mem, span_trim(buf_view(&a.out)));
	return hash && is_hex(hash) ? hash : NULL;
}

/* ---- when files were added ---- */

/* "\1TIME", then paths, with NULs and newlines between; the newest first. */
static int read_added(struct span text, git_added_fn *fn, void *ctx)
{
	int64_t at = 0;
	int r = 0;

	while (text.n && r >= 0) {
		struct span part = span_cut(&text, '\0');
		while (span_skip(&part, S("\n")))
			;
		if (span_skip(&part, S("\1"))) {
			struct span time = span_cut(&part, '\n');
			if (!span_int(time, &at) || at < 0 || at >= INT64_MAX / NSEC_PER_SEC)
				at = 0;
		}
		if (part.n && at)
			r = fn(ctx, part, at * NSEC_PER_SEC);
	}
	return r < 0 ? r : 0;
}

int git_added(const char *top, const char *folder, git_added_fn *fn, void *ctx, struct err *e)
{
	const char *words[] = { "log", "-z", "--format=%x01%ct", "--diff-filter=A", "--no-renames", "--name-only", "--no-color", "--no-decorate", "--no-ext-diff", "--", folder, NULL };
	struct git_ask q = { .top = top, .words = words, .until = time_mono() + RANGE_LIMIT, .out_max = RANGE_BYTES };
	CLEANUP(answer_free) struct answer a = { 0 };
	struct git_where w = { 0 };
	struct arena mem = { 0 };
	int r = git_where(top, &mem, &w, e);

	if (r == 0 && w.shallow)
		r = err_set(e, EAGAIN, TR("the history is cut off: git fetch --unshallow", "历史记录不完整：请执行 git fetch --unshallow"));
	else if (r == 0 && w.commit)
		r = git_ask(&q, &a, e);
	arena_free(&mem);
	if (r < 0)
		return r;
	if (a.status)
		return err_set(e, EIO, TR("git failed in '%s': %.*s", "git 在“%s”中失败：%.*s"), top, SPAN_ARG(git_complaint(&a)));
	return read_added(buf_view(&a.out), fn, ctx);
}
