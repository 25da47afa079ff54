/* Where we are, by git's own files: no process is needed for it. */
#include "run/git.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "run/git_ask.h"

#define SMALL_MAX  65536
#define CONFIG_MAX (4u << 20)
#define PACKED_MAX (64u << 20)
#define LINK_DEPTH 5

/* A regular file: a fifo or a device in its place must not hold us up. */
static bool slurp(const char *dir, const char *name, size_t max, struct buf *ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;

	path_join(&path, dir, name);
	buf_clear(ret);
	ret->max = max;
	return !path.bad && stat(path.p, &st) == 0 && S_ISREG(st.st_mode) && file_slurp(path.p, ret, NULL) == 0;
}

static bool first_line(const char *dir, const char *name, struct buf *text, struct span *line)
{
	if (!slurp(dir, name, SMALL_MAX, text))
		return false;
	struct span all = buf_view(text);
	*line = span_trim(span_cut(&all, '\n'));
	return line->n > 0;
}

static bool is_there(const char *dir, const char *name, bool folder)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;

	path_join(&path, dir, name);
	return !path.bad && stat(path.p, &st) == 0 && (folder ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
}

static bool is_hash(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr("0123456789abcdef", s.p[i]) || !s.p[i])
			return false;
	}
	return s.n == 40 || s.n == 64;
}

/* A name that git would accept; the file may have been written by anybody. */
static bool is_ref(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	}
	return span_starts(s, S("refs/")) && span_find(s, S("..")) == SPAN_NONE && !span_ends(s, S("/"));
}

/* ---- configuration ---- */

static bool same_word(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* "[name "sub"]" behind the bracket: is it ours? *rest: what follows the heading. */
static bool heading_is(struct span *rest, const char *section, const char *sub)
{
	char text[256];
	size_t n = 0;
	struct span s = *rest, name = s;

	while (s.n && !strchr("] \t\"", s.p[0]))
		s = span_from(s, 1);
	name = span_head(name, name.n - s.n);
	s = span_trim(s);
	bool quoted = span_skip(&s, S("\""));
	while (quoted && s.n && s.p[0] != '"') {
		s = span_from(s, s.p[0] == '\\' && s.n > 1);
		if (n < sizeof(text))
			text[n++] = s.p[0];
		s = span_from(s, 1);
	}
	span_cut(&s, ']');
	*rest = s;
	return same_word(name, section) && quoted == (sub != NULL) && (!sub || span_eq((struct span){ text, n }, span_of(sub)));
}

/* A value up to its line's end, with its quotes, escapes and continued lines; *rest: the next line. */
static void read_value(struct span *rest, struct buf *ret)
{
	struct span s = *rest;
	bool quoted = false;
	size_t keep = 0; /* blanks at the end do not count unless quoted */

	for (; s.n && (quoted || s.p[0] != '\n'); s = span_from(s, 1)) {
		char c = s.p[0];
		if (c == '\\' && s.n > 1) {
			s = span_from(s, 1);
			c = s.p[0] == 'n' ? '\n' : s.p[0] == 't' ? '\t' : s.p[0];
			if (s.p[0] == '\n')
				continue;
		} else if (c == '"') {
			quoted = !quoted;
			keep = ret->len;
			continue;
		} else if (!quoted && (c == '#' || c == ';')) {
			span_cut(&s, '\n');
			break;
		} else if (!quoted && (c == ' ' || c == '\t' || c == '\r')) {
			if (ret->len)
				buf_addc(ret, c);
			continue;
		}
		buf_addc(ret, c);
		keep = ret->len;
	}
	if (s.n && s.p[0] == '\n')
		s = span_from(s, 1);
	ret->len = keep < ret->len ? keep : ret->len;
	*rest = s;
}

const char *git_config_value(struct span text, const char *section, const char *sub, const char *key, struct arena *mem)
{
	CLEANUP(buf_free) struct buf value = { .max = SMALL_MAX };
	bool ours = false;

	while (text.n) {
		while (text.n && strchr(" \t\r\n", text.p[0]) && text.p[0])
			text = span_from(text, 1);
		if (span_skip(&text, S("["))) {
			ours = heading_is(&text, section, sub);
			continue;
		}
		size_t n = 0;
		while (n < text.n && text.p[n] && !strchr("=\n#; \t\r", text.p[n]))
			n++;
		struct span name = span_head(text, n);
		text = span_from(text, n);
		while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
			text = span_from(text, 1);
		if (!span_skip(&text, S("="))) {
			span_cut(&text, '\n');
			continue;
		}
		buf_clear(&value);
		read_value(&text, &value);
		if (ours && same_word(name, key))
			return value.bad ? NULL : arena_str(mem, buf_view(&value));
	}
	return NULL;
}

struct span git_public_url(struct arena *mem, struct span url)
{
	size_t scheme = span_find(url, S("://")), from = scheme == SPAN_NONE ? 0 : scheme + 3, end = 0;
	struct span rest = span_from(url, from);

	while (end < rest.n && !strchr("/?#", rest.p[end]))
		end++;
	size_t at = span_rchr(span_head(rest, end), '@');
	if (scheme == SPAN_NONE && at != SPAN_NONE && span_chr(span_head(rest, at), ':') == SPAN_NONE)
		at = SPAN_NONE; /* git@host:path names no secret */
	size_t query = scheme == SPAN_NONE ? SPAN_NONE : span_chr(rest, '?');
	if (at == SPAN_NONE && query == SPAN_NONE)
		return url;
	rest = span_head(rest, query);
	return span_of(arena_printf(mem, "%.*s%.*s", SPAN_ARG(span_head(url, from)),
				    SPAN_ARG(span_from(rest, at == SPAN_NONE ? 0 : at + 1))));
}

/* ---- refs ---- */

static struct span packed_ref(const struct git_where *w, struct span ref, struct buf *text)
{
	if (!slurp(w->common, "packed-refs", PACKED_MAX, text))
		return (struct span){ 0 };
	for (struct span rest = buf_view(text); rest.n;) {
		struct span line = span_trim(span_cut(&rest, '\n')), hash = span_cut(&line, ' ');
		if (span_eq(line, ref) && is_hash(hash))
			return hash;
	}
	return (struct span){ 0 };
}

/* The commit of a ref, through symbolic ones. The answer lies in mem. */
static const char *ref_commit(struct arena *mem, const struct git_where *w, struct span ref, int depth)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *name = is_ref(ref) ? arena_str(mem, ref) : NULL, *dirs[] = { w->dir, w->common };
	struct span line;

	if (!name)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		if (!first_line(dirs[i], name, &text, &line))
			continue;
		if (is_hash(line))
			return arena_str(mem, line);
		if (span_skip(&line, S("ref:")) && depth < LINK_DEPTH)
			return ref_commit(mem, w, span_trim(line), depth + 1);
	}
	struct span hash = packed_ref(w, ref, &text);
	return hash.n ? arena_str(mem, hash) : NULL;
}

static const char *base_branch(struct arena *mem, const struct git_where *w)
{
	static const char *const names[] = { "main", "master" };
	static const char *const roots[] = { "refs/remotes/origin/", "refs/heads/" };
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span line;

	if (first_line(w->common, "refs/remotes/origin/HEAD", &text, &line) && span_skip(&line, S("ref:"))) {
		line = span_trim(line);
		if (is_ref(line) && span_skip(&line, S("refs/remotes/origin/")))
			return arena_str(mem, line);
	}
	for (size_t i = 0; i < ARRAY_LEN(names) * ARRAY_LEN(roots); i++) {
		const char *ref = arena_printf(mem, "%s%s", roots[i % 2], names[i / 2]);
		if (ref && ref_commit(mem, w, span_of(ref), 0))
			return names[i / 2];
	}
	return NULL;
}

/* The refs are in a format that only git reads. */
static void ask_head(struct arena *mem, struct git_where *w)
{
	static const char *const commit[] = { "rev-parse", "--verify", "--quiet", "HEAD", NULL };
	static const char *const branch[] = { "symbolic-ref", "--quiet", "HEAD", NULL };
	struct git_ask q = { .top = w->top ? w->top : w->dir, .words = commit, .until = time_mono() + NSEC_PER_SEC, .out_max = 4096 };
	CLEANUP(answer_free) struct answer a = { 0 };
	CLEANUP(answer_free) struct answer b = { 0 };

	w->branch = NULL;
	if (git_ask(&q, &a, NULL) == 0 && !a.status && is_hash(span_trim(buf_view(&a.out))))
		w->commit = arena_str(mem, span_trim(buf_view(&a.out)));
	q.words = branch;
	if (git_ask(&q, &b, NULL) < 0 || b.status)
		return;
	struct span name = span_trim(buf_view(&b.out));
	if (is_ref(name) && span_skip(&name, S("refs/heads/")))
		w->branch = arena_str(mem, name);
}

static void read_head(struct arena *mem, struct git_where *w, struct span head)
{
	struct span name;

	if (is_hash(head)) {
		w->commit = arena_str(mem, head);
		return;
	}
	if (!span_skip(&head, S("ref:")))
		return;
	name = head = span_trim(head);
	if (!is_ref(head))
		return;
	if (span_skip(&name, S("refs/heads/")) && name.p[0] != '.')
		w->branch = arena_str(mem, name);
	w->commit = ref_commit(mem, w, head, 0);
}

/* ---- finding it ---- */

static char *real_in(struct arena *mem, const char *dir, struct span name)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *z = arena_str(mem, name);
	char real[PATH_MAX];

	if (!z)
		return NULL;
	path_join(&path, dir, z);
	return !path.bad && realpath(path.p, real) ? arena_str(mem, span_of(real)) : NULL;
}

/* Does dir hold a working tree, or is it a bare repository? */
static bool found_at(struct arena *mem, const char *dir, struct git_where *w)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span line;
	bool bare = false;

	*w = (struct git_where){ 0 };
	if (is_there(dir, ".git", true)) {
		w->dir = real_in(mem, dir, S(".git"));
	} else if (first_line(dir, ".git", &text, &line) && span_skip(&line, S("gitdir:"))) {
		w->dir = real_in(mem, dir, span_trim(line));
	} else if (is_there(dir, "HEAD", false) && is_there(dir, "objects", true) && is_there(dir, "refs", true)) {
		w->dir = real_in(mem, dir, S("."));
		bare = true;
	}
	if (!w->dir || !is_there(w->dir, "HEAD", false))
		return false;
	if (!bare)
		w->top = arena_str(mem, span_of(dir));
	w->common = first_line(w->dir, "commondir", &text, &line) ? real_in(mem, w->dir, line) : w->dir;
	return w->common != NULL;
}

int git_where(const char *dir, struct arena *mem, struct git_where *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct git_where w = { 0 };
	char at[PATH_MAX];
	struct span line;

	*ret = w;
	if (!realpath(dir, at))
		return err_set(e, errno, TR("'%s': %m", "“%s”：%m"), dir);
	while (!found_at(mem, at, &w)) {
		char *slash = strrchr(at, '/');
		if (!slash || !at[1])
			return err_set(e, ENOENT, TR("'%s' is in no git repository", "“%s”不在 git 代码库中"), dir);
		slash[slash == at] = '\0';
	}
	w.shallow = is_there(w.common, "shallow", false);
	if (slurp(w.common, "config", CONFIG_MAX, &text)) {
		struct span url = span_of(git_config_value(buf_view(&text), "remote", "origin", "url", mem));
		w.remote = url.n ? git_public_url(mem, url).p : NULL;
	}
	if (first_line(w.dir, "HEAD", &text, &line))
		read_head(mem, &w, line);
	if (!w.commit && is_there(w.common, "reftable", true))
		ask_head(mem, &w);
	else
		w.base = base_branch(mem, &w);
	*ret = w;
	return 0;
}
