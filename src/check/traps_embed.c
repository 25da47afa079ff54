#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/text.h"
#include "check/traps_embed.h"

/*
 * The patterns of //go:embed, matched as the go command matches them: what it refuses, in its words, and what it leaves out without one.
 */
#define FILES_MAX 20000
#define DEPTH_MAX 64
#define SHOWN     4

/* ---- path.Match ---- */

/* One character of a pattern or name; its length. Both are NUL-terminated, and go compares characters, not bytes. */
static size_t rune_at(const char *p, uint32_t *ch)
{
	size_t n = 1;

	while (n < 4 && p[n] && ((unsigned char)p[n] & 0xc0) == 0x80)
		n++;
	return utf8_decode((struct span){ p, n }, ch);
}

/* Behind a class [a-z]; 0: it is malformed. */
static size_t match_class(const char *p, uint32_t ch, bool *hit)
{
	size_t i = 1;
	bool negated = p[i] == '^', in = false;
	size_t n = 0;

	i += negated;
	while (p[i] && (p[i] != ']' || !n)) {
		uint32_t lo, hi;
		if (p[i] == '-' || p[i] == ']')
			return 0;
		if (p[i] == '\\' && !p[++i])
			return 0;
		i += rune_at(p + i, &lo);
		hi = lo;
		if (p[i] == '-') {
			if (!p[++i] || p[i] == ']' || p[i] == '-' || (p[i] == '\\' && !p[++i]))
				return 0;
			i += rune_at(p + i, &hi);
		}
		in |= lo <= ch && ch <= hi;
		n++;
	}
	*hit = in != negated;
	return p[i] == ']' && n ? i + 1 : 0;
}

static bool well_formed(const char *p)
{
	bool hit;

	while (*p) {
		size_t n = *p == '[' ? match_class(p, 0, &hit) : *p == '\\' ? 2 : 1;
		if (!n || (n == 2 && *p == '\\' && !p[1]))
			return false;
		p += n;
	}
	return true;
}

/* Of a pattern, what one character of a name is held against; 0: they differ. */
static size_t match_one(const char *p, const char *s, size_t *taken)
{
	uint32_t ch;
	bool hit = false;

	*taken = rune_at(s, &ch);
	if (*p == '?')
		return 1;
	if (*p == '[') {
		size_t n = match_class(p, ch, &hit);
		return hit ? n : 0;
	}
	*taken = 1;
	if (p[*p == '\\'] != *s)
		return 0;
	return *p == '\\' ? 2 : 1;
}

/* One element against a name. Only the last * is gone back to: what those before it took need never change. */
static bool match_name(const char *p, const char *s)
{
	const char *star = NULL, *from = NULL;

	for (;;) {
		size_t taken = 1, n;
		if (*p == '*') {
			star = ++p;
			from = s;
		} else if (!*s) {
			return !*p;
		} else if (*p && (n = match_one(p, s, &taken))) {
			p += n;
			s += taken;
		} else if (!star) {
			return false;
		} else {
			p = star;
			s = ++from;
		}
	}
}

/* fs.ValidPath */
bool embed_valid_path(struct span s)
{
	if (span_eq(s, S(".")))
		return true;
	if (!s.n)
		return false;
	for (;;) {
		size_t n = span_chr(s, '/');
		struct span e = span_head(s, n);
		if (!e.n || span_eq(e, S(".")) || span_eq(e, S("..")))
			return false;
		if (n == SPAN_NONE)
			return true;
		s = span_from(s, n + 1);
		if (!s.n)
			return false;
	}
}

/* A name that could be in no module. */
static bool bad_name(const char *name)
{
	static const char *const names[] = { ".bzr", ".hg", ".git", ".svn" };
	/* Windows keeps them for itself, whatever stands behind the first dot. */
	static const char *const devices[] = { "con",  "com1", "com2", "com3", "com4", "com5", "com6", "com7",
					       "com8", "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6",
					       "lpt7", "lpt8", "lpt9", "nul",  "prn",  "aux" };
	size_t stem = strcspn(name, ".");

	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		if (strlen(devices[i]) == stem && !strncasecmp(name, devices[i], stem))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	if (!*name || strspn(name, ".") == strlen(name) || name[strlen(name) - 1] == '.')
		return true;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x80 &&
		    ((unsigned char)*p < ' ' || *p == 0x7f || strchr("\"'*<>?`|/\\:;", *p)))
			return true;
	return false;
}

/* ---- looking ---- */

struct look {
	struct trap_run *c;
	struct embed_set *set;
	struct buf path; /* absolute; the folder of the package is its first base bytes */
	size_t base;
	const char *pattern;
	bool all;
	size_t matches;
	struct list hidden; /* what was left out */
	size_t n_hidden;
};

static const char *below_base(const struct look *l)
{
	return l->path.len > l->base ? buf_str(&l->path) + l->base + 1 : ".";
}

__attribute__((format(printf, 2, 3))) static void refuse(struct look *l, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	va_list ap;

	if (l->set->refused.p)
		return;
	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	l->c->bad |= b.bad;
	l->set->refused = b.bad ? S("") : trap_text(l->c, "%s", buf_str(&b));
}

static size_t enter(struct look *l, const char *name)
{
	size_t before = l->path.len;

	buf_addf(&l->path, "/%s", name);
	l->c->bad |= l->path.bad;
	return before;
}

static void leave(struct look *l, size_t before)
{
	l->path.len = before;
	if (l->path.p)
		l->path.p[before] = '\0';
}

static bool has_go_mod(struct look *l)
{
	struct stat st;
	size_t before = enter(l, "go.mod");
	bool ret = lstat(buf_str(&l->path), &st) == 0;

	leave(l, before);
	return ret;
}

static void take(struct look *l)
{
	char *kept = arena_str(&l->c->mem, span_of(below_base(l)));

	l->c->bad |= !kept || (l->set->n < FILES_MAX &&
			       !mem_grow(&l->set->files, &l->set->cap, l->set->n, sizeof(*l->set->files)));
	if (!l->c->bad && l->set->n < FILES_MAX)
		l->set->files[l->set->n++] = kept;
	l->set->many |= l->set->n == FILES_MAX;
}

/* What is there for others and is missed by nobody. */
static bool harmless(const char *name)
{
	static const char *const names[] = {
		".gitkeep",    ".gitignore",      ".gitattributes", ".keep",
		".DS_Store",   ".placeholder",    ".editorconfig",  ".dockerignore",
		".prettierrc", ".prettierignore", ".eslintrc",      ".npmignore",
		".git"
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return !strncmp(name, "._", 2) || !strncmp(name, ".#", 2) ||
	       (name[0] == '.' && span_ends(span_of(name), S(".swp")));
}

static void note_hidden(struct look *l, const char *name)
{
	if (harmless(name))
		return;
	size_t before = enter(l, name);
	if (l->n_hidden++ < SHOWN) {
		char *kept = arena_str(&l->c->mem, span_of(below_base(l)));
		l->c->bad |= !kept || !list_add(&l->c->mem, &l->hidden, kept);
	}
	leave(l, before);
}

/* All below a folder that a pattern names; how many files. */
static size_t walk(struct look *l, int depth)
{
	DIR *all = depth < DEPTH_MAX ? opendir(buf_str(&l->path)) : NULL;
	struct dirent *e;
	struct stat st;
	size_t n = 0;

	while (all && (e = readdir(all)) && !l->c->bad && !l->set->many) {
		const char *name = e->d_name;
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (bad_name(name) || ((name[0] == '.' || name[0] == '_') && !l->all)) {
			if (!bad_name(name))
				note_hidden(l, name);
			continue;
		}
		size_t before = enter(l, name);
		bool there = lstat(buf_str(&l->path), &st) == 0;
		if (there && S_ISDIR(st.st_mode)) {
			n += has_go_mod(l) ? 0 : walk(l, depth + 1);
		} else if (there && S_ISREG(st.st_mode)) {
			take(l);
			n++;
		}
		leave(l, before);
	}
	if (all)
		closedir(all);
	return n;
}

/* Is every folder on the way to what was matched fit to be embedded from? */
static bool way_is_fine(struct look *l, const char *what)
{
	char *file = arena_str(&l->c->mem, span_of(below_base(l)));
	size_t whole = l->path.len;
	bool fine = file;
	struct stat st;

	l->c->bad |= !file;
	while (fine && l->path.len > l->base) {
		bool module = has_go_mod(l); /* the buffer may move */
		size_t slash = span_rchr(buf_view(&l->path), '/');
		const char *name = buf_str(&l->path) + slash + 1, *dir = below_base(l);
		bool itself = l->path.len == whole;
		/* As go tests them: module, folder, name. */
		if (module && (fine = false, true))
			refuse(l, "cannot embed %s %s: in different module", what, file);
		else if (!itself && lstat(buf_str(&l->path), &st) == 0 && !S_ISDIR(st.st_mode) &&
			 (fine = false, true))
			refuse(l, "cannot embed %s %s: in non-directory %s", what, file, dir);
		else if (bad_name(name) && (fine = false, true))
			refuse(l, "cannot embed %s %s: %s %s", what, file,
			       itself ? "invalid name" : "in invalid directory", itself ? name : dir);
		l->path.p[slash] = '\0';
		l->path.len = slash;
	}
	/* Put back what was cut off. */
	if (file) {
		l->path.len = l->base;
		buf_addf(&l->path, "/%s", file);
	}
	return fine && l->path.len == whole;
}

static void matched(struct look *l)
{
	struct stat st;

	if (lstat(buf_str(&l->path), &st) < 0)
		return;
	l->matches++;
	const char *what = S_ISDIR(st.st_mode) ? "directory" : "file";
	if (!way_is_fine(l, what))
		return;
	if (S_ISREG(st.st_mode)) {
		take(l);
	} else if (S_ISDIR(st.st_mode)) {
		char *dir = arena_str(&l->c->mem, span_of(below_base(l)));
		l->c->bad |= !dir;
		if (dir && !walk(l, 0))
			refuse(l, "cannot embed directory %s: contains no embeddable files", dir);
	} else {
		refuse(l, "cannot embed irregular file %s", below_base(l));
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void glob(struct look *l, struct span pattern);

static void glob_names(struct look *l, const char *element, struct span rest)
{
	DIR *all = opendir(buf_str(&l->path));
	const char **names = NULL;
	size_t n = 0, cap = 0;
	struct dirent *e;

	while (all && (e = readdir(all)) && !l->c->bad) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !match_name(element, e->d_name))
			continue;
		char *kept = arena_str(&l->c->mem, span_of(e->d_name));
		if (!kept || !mem_grow(&names, &cap, n, sizeof(*names)))
			l->c->bad = true;
		else
			names[n++] = kept;
	}
	if (all)
		closedir(all);
	if (n)
		qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n && !l->c->bad; i++) {
		size_t before = enter(l, names[i]);
		if (rest.p)
			glob(l, rest);
		else
			matched(l);
		leave(l, before);
	}
	mem_free(names);
}

static void glob(struct look *l, struct span pattern)
{
	size_t slash = span_chr(pattern, '/');
	struct span rest = slash == SPAN_NONE ? (struct span){ 0 } : span_from(pattern, slash + 1);
	char *element = arena_str(&l->c->mem, span_head(pattern, slash));
	char *to = element;

	l->c->bad |= !element;
	if (l->c->bad)
		return;
	if (strpbrk(element, "*?[")) {
		glob_names(l, element, rest);
		return;
	}
	for (const char *from = element; *from; from++)
		if (*from != '\\' || !from[1] || (*to++ = *++from, false))
			*to++ = *from;
	*to = '\0';
	size_t before = enter(l, element);
	if (rest.p)
		glob(l, rest);
	else
		matched(l);
	leave(l, before);
}

void embed_resolve(struct trap_run *c, const struct src_dir *d, struct span pattern, struct embed_set *ret)
{
	struct look l = { .c = c, .set = ret, .all = false };
	struct span bare = pattern;

	ret->hidden = (struct span){ 0 };
	l.all = span_skip(&bare, S("all:"));
	char *z = arena_str(&c->mem, bare);
	buf_adds(&l.path, trap_path(c, d, NULL));
	l.base = l.path.len;
	c->bad |= !z || l.path.bad;
	if (!c->bad) {
		if (!well_formed(z) || span_eq(bare, S(".")) || !embed_valid_path(bare))
			refuse(&l, "invalid pattern syntax");
		else
			glob(&l, bare);
		if (!l.matches)
			refuse(&l, "no matching files found");
	}
	CLEANUP(buf_free) struct buf text = { 0 };
	for (size_t i = 0; i < l.hidden.n; i++)
		buf_addf(&text, "%s%s", i ? ", " : "", l.hidden.v[i]);
	if (l.n_hidden > l.hidden.n)
		buf_addf(&text, TR(" and %zu more", " 及另外 %zu 个"), l.n_hidden - l.hidden.n);
	c->bad |= text.bad;
	if (text.len && !text.bad)
		ret->hidden = trap_text(c, "%s", buf_str(&text));
	buf_free(&l.path);
}

void embed_set_free(struct embed_set *s)
{
	mem_free(s->files);
	*s = (struct embed_set){ 0 };
}

void embed_set_free_cleanup(struct embed_set *s)
{
	embed_set_free(s);
}

/* ---- the rules ---- */

static void check_pattern(struct trap_run *c, const struct src_file *f, const struct gohead_embed *e)
{
	CLEANUP(embed_set_free) struct embed_set set = { 0 };
	struct spot at = { .file = f, .line = e->line, .column = e->column };

	embed_resolve(c, f->dir, e->pattern, &set);
	if (set.refused.p)
		trap_say(c, TRAP_EMBED_REFUSED, at,
			 trap_text(c, "pattern %.*s: %.*s", SPAN_ARG(e->pattern), SPAN_ARG(set.refused)));
	else if (set.hidden.p)
		trap_say(c, TRAP_EMBED_HIDDEN, at, e->pattern, set.hidden);
}

void trap_embeds(struct trap_run *c)
{
	for (size_t i = 0; i < c->tree->n; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		for (size_t k = 0; k < d->n && (d->vendored || trap_looked_at(d)) && !c->bad; k++) {
			const struct src_file *f = &d->files[k];
			if (!f->head || !f->head->n_embeds || !trap_built(c, f))
				continue;
			for (size_t n = 0; n < f->head->n_embeds && !c->bad; n++)
				check_pattern(c, f, &f->head->embeds[n]);
		}
	}
}
