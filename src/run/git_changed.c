/* Which lines are not as they were in another commit. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/git.h"
#include "run/git_ask.h"

#define CHANGED_LIMIT (30 * NSEC_PER_SEC)
#define CHANGED_BYTES ((size_t)256 << 20)

struct changed {
	const char *top;
	int64_t until;
	git_changed_fn *fn;
	void *ctx;
	struct err *e;
};

static int ask(const struct changed *c, const char *const *words, bool content, struct answer *a)
{
	struct git_ask q = {
		.top = c->top, .words = words, .until = c->until, .out_max = CHANGED_BYTES, .content = content
	};

	answer_free(a);
	*a = (struct answer){ 0 };
	return git_ask(&q, a, c->e);
}

/* "-12,3" or "+12": its two numbers. */
static bool read_range(struct span s, char sign, int *from, int *n)
{
	struct span rest = s;
	int64_t a, b = 1;

	if (!s.n || s.p[0] != sign)
		return false;
	rest = span_from(rest, 1);
	struct span first = span_cut(&rest, ',');
	if (!span_int(first, &a) || (rest.n && !span_int(rest, &b)) || a > INT32_MAX || b > INT32_MAX - a)
		return false;
	*from = (int)a;
	*n = (int)b;
	return true;
}

/* git writes a name with odd characters as a string of C. */
static bool read_name(struct span s, struct buf *ret)
{
	static const char letters[] = "abtnvfr", means[] = "\a\b\t\n\v\f\r";

	buf_clear(ret);
	if (!span_starts(s, S("\""))) {
		buf_span(ret, span_ends(s, S("\t")) ? span_head(s, s.n - 1) : s);
		return !ret->bad;
	}
	for (size_t i = 1; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] != '\\' || i + 1 >= s.n) {
			buf_addc(ret, s.p[i]);
			continue;
		}
		const char *letter = strchr(letters, s.p[++i]);
		if (letter && s.p[i]) {
			buf_addc(ret, means[letter - letters]);
		} else if (s.p[i] >= '0' && s.p[i] <= '3' && i + 2 < s.n) {
			buf_addc(ret,
				 (char)((s.p[i] - '0') * 64 + (s.p[i + 1] - '0') * 8 + (s.p[i + 2] - '0')));
			i += 2;
		} else {
			buf_addc(ret, s.p[i]);
		}
	}
	return !ret->bad;
}

static int read_diff(struct changed *c, struct span text)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	int r = 0;

	for (int minus = 0, plus = 0; text.n && r == 0;) {
		struct span line = span_cut(&text, '\n');
		int from, n;
		if (minus > 0 && span_starts(line, S("-"))) { /* of a hunk, whatever it looks like */
			minus--;
		} else if (plus > 0 && span_starts(line, S("+"))) {
			plus--;
		} else if (span_skip(&line, S("+++ "))) {
			if (!read_name(line, &name))
				return err_set(c->e, ENOMEM, TR("no memory", "内存不足"));
		} else if (span_skip(&line, S("@@ "))) {
			struct span old = span_cut(&line, ' '), new = span_cut(&line, ' ');
			if (read_range(old, '-', &from, &minus) && read_range(new, '+', &from, &plus) &&
			    (n = plus) > 0)
				r = c->fn(c->ctx, buf_view(&name), from, from + n - 1);
		}
	}
	return r;
}

static int read_new_files(struct changed *c, struct span list)
{
	int r = 0;

	while (list.n && r == 0) {
		struct span name = span_cut(&list, '\0');
		if (name.n)
			r = c->fn(c->ctx, name, 1, INT32_MAX);
	}
	return r;
}

static int merge_base(struct changed *c, const char *rev, struct answer *a, char ret[65])
{
	const char *base[] = { "merge-base", "--end-of-options", rev, "HEAD", NULL };
	const char *plain[] = { "merge-base", rev, "HEAD", NULL }; /* git before 2.24 */

	if (*rev == '-' || !*rev)
		return err_set(c->e, EINVAL, TR("'%s' is no revision", "“%s”不是有效的版本"), rev);
	int r = ask(c, base, false, a);
	if (r == 0 && a->status && span_find(buf_view(&a->err), S("end-of-options")) != SPAN_NONE)
		r = ask(c, plain, false, a);
	if (r < 0)
		return r;
	struct span out = buf_view(&a->out), hash = span_trim(span_cut(&out, '\n'));
	if (a->status == 1 && !span_trim(buf_view(&a->err)).n)
		return err_set(
			c->e, ENOENT,
			TR("%s has no commit in common with HEAD in this clone. In CI, fetch the history (fetch-depth: 0)",
			   "在此克隆中 %s 与 HEAD 没有共同的提交。在 CI 中请获取完整历史（fetch-depth: 0）"),
			rev);
	if (a->status || hash.n < 40 || hash.n > 64)
		return err_set(
			c->e, ENOENT,
			TR("%s has no commit in common with HEAD, or is not in this clone: %.*s. In CI, fetch the history (fetch-depth: 0)",
			   "%s 与 HEAD 没有共同的提交，或不在此克隆中：%.*s。在 CI 中请获取完整历史（fetch-depth: 0）"),
			rev, SPAN_ARG(git_complaint(a)));
	memcpy(ret, hash.p, hash.n);
	ret[hash.n] = '\0';
	return 0;
}

int git_changed(const char *top, const char *rev, git_changed_fn *fn, void *ctx, struct err *e)
{
	CLEANUP(answer_free) struct answer a = { 0 };
	struct changed c = { top, time_mono() + CHANGED_LIMIT, fn, ctx, e };
	char base[65];
	const char *diff[] = { "diff",
			       "-U0",
			       "--no-ext-diff",
			       "--no-textconv",
			       "--find-renames", /* what was only moved is not new */
			       "--inter-hunk-context=0",
			       "--submodule=short",
			       "--src-prefix=",
			       "--dst-prefix=",
			       base,
			       "--",
			       NULL };
	const char *untracked[] = { "ls-files", "-z", "--others", "--exclude-standard", NULL };

	int r = merge_base(&c, rev, &a, base);
	if (r == 0)
		r = ask(&c, diff, true, &a);
	if (r == 0 && a.status)
		r = err_set(e, EIO, TR("git diff against %s failed: %.*s", "与 %s 比较失败：%.*s"), rev,
			    SPAN_ARG(git_complaint(&a)));
	if (r == 0)
		r = read_diff(&c, buf_view(&a.out));
	if (r == 0)
		r = ask(&c, untracked, true, &a);
	if (r == 0 && a.status)
		r = err_set(e, EIO, TR("git ls-files failed: %.*s", "git ls-files 失败：%.*s"),
			    SPAN_ARG(git_complaint(&a)));
	return r == 0 ? read_new_files(&c, buf_view(&a.out)) : r;
}
