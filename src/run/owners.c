#include "run/owners.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "base/time.h"
#include "parse/codeowners.h"
#include "run/git.h"

#define REPOS_MAX    16 /* submodules, mostly */
#define BLAME_BUDGET (3 * NSEC_PER_SEC) /* for all lines */

enum forge { FORGE_ANY, FORGE_GITHUB, FORGE_GITLAB, FORGE_GITEA };

/* Where each forge looks, in its order. What stands in another forge's folder is that forge's. */
static const struct {
	enum forge forge;
	const char *path;
} places[] = {
	{ FORGE_GITHUB, ".github/CODEOWNERS" }, { FORGE_GITHUB, "CODEOWNERS" }, { FORGE_GITHUB, "docs/CODEOWNERS" },
	{ FORGE_GITLAB, "CODEOWNERS" }, { FORGE_GITLAB, "docs/CODEOWNERS" }, { FORGE_GITLAB, ".gitlab/CODEOWNERS" },
	{ FORGE_GITEA, "CODEOWNERS" }, { FORGE_GITEA, "docs/CODEOWNERS" }, { FORGE_GITEA, ".gitea/CODEOWNERS" },
	{ FORGE_GITEA, ".forgejo/CODEOWNERS" },
};

/* What tells the forge, the surest first. */
static const struct {
	enum { BY_ENV, BY_FILE, BY_URL } by;
	const char *what;
	enum forge forge;
} signs[] = {
	{ BY_ENV, "GITEA_ACTIONS", FORGE_GITEA },   { BY_ENV, "FORGEJO_ACTIONS", FORGE_GITEA },
	{ BY_ENV, "GITLAB_CI", FORGE_GITLAB },      { BY_ENV, "GITHUB_ACTIONS", FORGE_GITHUB },
	{ BY_URL, "github", FORGE_GITHUB },         { BY_URL, "gitlab", FORGE_GITLAB },
	{ BY_URL, "gitea", FORGE_GITEA },           { BY_URL, "forgejo", FORGE_GITEA },
	{ BY_URL, "codeberg.org", FORGE_GITEA },    { BY_FILE, ".gitlab-ci.yml", FORGE_GITLAB },
	{ BY_FILE, ".gitlab", FORGE_GITLAB },       { BY_FILE, ".gitea", FORGE_GITEA },
	{ BY_FILE, ".forgejo", FORGE_GITEA },       { BY_FILE, ".github", FORGE_GITHUB },
};

struct repo {
	const char *top;
	const char *path; /* of CODEOWNERS below top; NULL: none */
	struct codeowners co;
	const char *trouble; /* one sentence: why it is not used; NULL */
	bool told;
};

struct owners {
	struct arena mem;
	const char *cwd;
	size_t floor;       /* how much of cwd is the top of its repository; all of it when it is in none */
	int64_t blamed;     /* ns that git blame has taken so far */
	struct repo repos[REPOS_MAX];
	size_t n_repos;
};


static bool has_file(const char *top, const char *name)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	path_join(&path, top, name);
	return !path.bad && access(path.p, F_OK) == 0;
}

int owners_open(const char *cwd, struct owners **ret, struct err *e)
{
	CLEANUP(mem_free) char *at = mem_dup(cwd, strlen(cwd));
	struct owners *o = mem_zalloc(sizeof(*o));

	if (o)
		o->cwd = arena_str(&o->mem, span_of(cwd));
	if (!at || !o || !o->cwd) {
		owners_close(o);
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	}
	o->floor = strlen(cwd);
	for (struct span up = span_of(at); up.n; up = span_head(up, span_rchr(up, '/'))) {
		at[up.n] = '\0';
		if (!has_file(at, ".git"))
			continue;
		o->floor = up.n;
		break;
	}
	*ret = o;
	return 0;
}

void owners_close(struct owners *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->n_repos; i++)
		codeowners_free(&o->repos[i].co);
	arena_free(&o->mem);
	mem_free(o);
}

/* ---- the file ---- */

static bool try_file(struct span dir, struct span sub, struct span file, char real[PATH_MAX])
{
	CLEANUP(buf_free) struct buf path = { .max = PATH_MAX };
	struct stat st;

	buf_addf(&path, "%.*s%s%.*s%s%.*s", SPAN_ARG(dir), dir.n ? "/" : "", SPAN_ARG(sub), sub.n ? "/" : "", SPAN_ARG(file));
	return path.len && !path.bad && stat(path.p, &st) == 0 && S_ISREG(st.st_mode) && realpath(path.p, real);
}

/* The folder above, up to the top of the repository; then absent. */
static struct span upward(const struct owners *o, struct span dir)
{
	return dir.n > o->floor ? span_head(dir, span_rchr(dir, '/')) : (struct span){ 0 };
}

/* With ever fewer elements of `sub` (all of them, then without the first, …, at least one), in cwd and above it. */
static bool try_below(const struct owners *o, struct span sub, struct span file, char real[PATH_MAX])
{
	for (struct span dir = span_of(o->cwd); dir.n; dir = upward(o, dir)) {
		for (struct span s = sub; s.n; span_cut(&s, '/')) {
			if (try_file(dir, s, file, real))
				return true;
		}
	}
	return false;
}

static bool find_file(const struct owners *o, struct span package, struct span file, char real[PATH_MAX])
{
	if (!file.n || span_chr(file, '\0') != SPAN_NONE)
		return false;
	if (file.p[0] == '/')
		return try_file((struct span){ 0 }, (struct span){ 0 }, file, real);
	for (struct span dir = span_of(o->cwd); dir.n; dir = upward(o, dir)) {
		if (try_file(dir, (struct span){ 0 }, file, real))
			return true;
	}
	if (span_chr(file, '/') == SPAN_NONE)
		return try_below(o, package, file, real);
	/* -trimpath: example.com/m/sub/x.go; with a version, it is somebody else's */
	if (span_chr(span_head(file, span_chr(file, '/')), '.') == SPAN_NONE || span_chr(file, '@') != SPAN_NONE)
		return false;
	return try_below(o, path_dir(file), path_base(file), real);
}

/* ---- its repository ---- */

static bool has_env(const char *name)
{
	const char *v = getenv(name);

	return v && *v && strcmp(v, "false") != 0;
}

static enum forge forge_of(const struct git_where *w)
{
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		const char *what = signs[i].what;
		bool is = signs[i].by == BY_ENV ? has_env(what) : signs[i].by == BY_FILE ? has_file(w->top, what) :
			  w->remote && strstr(w->remote, what);
		if (is)
			return signs[i].forge;
	}
	return FORGE_ANY;
}

/* Is there a CODEOWNERS at this place? Its text. 1: yes; 0: no. */
static int read_place(const char *top, const char *name, struct buf *text, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;

	path_join(&path, top, name);
	if (path.bad || stat(path.p, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	text->max = CODEOWNERS_MAX + 1;
	int r = file_slurp(path.p, text, e);
	return r < 0 ? r : 1;
}

static enum codeowners_dialect dialect_of(enum forge here, enum forge row, const char *path)
{
	enum forge f = strchr(path, '/') && path[0] == '.' ? row : here;

	return f == FORGE_GITHUB ? CODEOWNERS_GITHUB : f == FORGE_GITLAB ? CODEOWNERS_GITLAB : CODEOWNERS_AUTO;
}

static bool is_regexps(enum forge here, enum forge row, const char *path)
{
	return (path[0] == '.' ? row : here) == FORGE_GITEA;
}

/* The first CODEOWNERS where its forge looks, else where another does. */
static int read_codeowners(struct owners *o, struct repo *r, enum forge forge, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct err why = { 0 };

	for (size_t i = 0; i < 2 * ARRAY_LEN(places) && !r->path; i++) {
		size_t k = i % ARRAY_LEN(places);
		if (i < ARRAY_LEN(places) && places[k].forge != forge)
			continue;
		int got = read_place(r->top, places[k].path, &text, &why);
		if (!got)
			continue;
		r->path = places[k].path;
		if (got > 0 && is_regexps(forge, places[k].forge, r->path))
			r->trouble = TR("its patterns are Gitea's regular expressions, which are not read", "其模式是 Gitea 的正则表达式，暂不读取");
		else if (got > 0)
			got = codeowners_parse(buf_view(&text), dialect_of(forge, places[k].forge, r->path), &r->co, &why);
		if (got == -ENOMEM)
			return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
		if (got < 0)
			r->trouble = arena_str(&o->mem, span_of(why.msg));
	}
	return 0;
}

/* The repository that a file (absolute) lies in. 0 and NULL: none. */
static int repo_of(struct owners *o, const char *real, struct repo **ret, struct err *e)
{
	CLEANUP(mem_free) char *dir = mem_dup(path_dir(span_of(real)).p, path_dir(span_of(real)).n);
	struct git_where w;

	*ret = NULL;
	if (!dir)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	for (struct span at = span_of(dir); at.n; at = span_head(at, span_rchr(at, '/'))) {
		dir[at.n] = '\0'; /* up to where there is a .git: most often we have been there */
		if (!has_file(dir, ".git"))
			continue;
		for (size_t i = 0; i < o->n_repos; i++) {
			if (strcmp(o->repos[i].top, dir) == 0)
				*ret = &o->repos[i];
		}
		break;
	}
	if (*ret || o->n_repos == REPOS_MAX)
		return 0;
	int r = git_where(dir, &o->mem, &w, e);
	if (r < 0 || !w.top)
		return r == -ENOENT ? 0 : r;
	struct repo *fresh = &o->repos[o->n_repos];
	*fresh = (struct repo){ .top = w.top };
	r = read_codeowners(o, fresh, forge_of(&w), e);
	if (r < 0) {
		codeowners_free(&fresh->co);
		return r;
	}
	o->n_repos++;
	*ret = fresh;
	return 0;
}

/* ---- its owners ---- */

/* Made fit for a line of text: it comes from outside. */
static const char *clean(struct arena *mem, struct span s)
{
	CLEANUP(buf_free) struct buf b = { .max = 1024 };

	text_clean(span_head(s, 256), false, &b);
	return b.bad ? NULL : arena_str(mem, buf_view(&b));
}

static int by_codeowners(struct repo *r, const char *path, struct arena *mem, struct list *ret, const char **how, struct err *e)
{
	struct codeowners_hits hits;
	struct list got = *ret;

	if (!r->path || r->trouble)
		return 0;
	int code = codeowners_match(&r->co, span_of(path), &hits, e);
	if (code < 0 || !hits.n)
		return code == -E2BIG ? 0 : code;
	for (size_t i = 0; i < hits.n; i++) {
		const char *owner = clean(mem, hits.owner[i]);
		if (!owner || !list_add(mem, &got, owner))
			return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	}
	*how = arena_printf(mem, "%s:%d", r->path, hits.line);
	if (!*how)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	*ret = got;
	return 0;
}

static int by_blame(struct owners *o, struct repo *r, const char *path, int line, struct arena *mem, struct list *ret,
		    const char **how, struct err *e)
{
	struct list got = *ret;
	int64_t from = time_mono();
	struct blame b;

	if (o->blamed > BLAME_BUDGET)
		return err_set(e, ETIMEDOUT, TR("git blame takes long in '%s': the other lines are not asked for",
			"在“%s”中执行 git blame 耗时过长：其余各行不再查询"), r->top);
	int code = git_blame(r->top, path, line, mem, &b, e);
	o->blamed += time_mono() - from;
	if (code < 0 || b.state != BLAME_COMMIT)
		return code;
	const char *author = clean(mem, span_of(b.author)), *mail = clean(mem, span_of(b.mail));
	const char *who = author && mail ? arena_printf(mem, "%s <%s>", author, mail) : NULL;
	const char *where = arena_printf(mem, "git blame %.12s", b.commit);
	if (!who || !where || !list_add(mem, &got, who))
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	*ret = got;
	*how = where;
	return 0;
}

int owners_of(struct owners *o, struct span package, struct span file, int line, struct arena *mem, struct list *ret,
	      const char **how, struct err *e)
{
	char real[PATH_MAX];
	struct repo *r;

	*how = NULL;
	if (!find_file(o, package, file, real))
		return 0;
	int code = repo_of(o, real, &r, e);
	if (code < 0 || !r)
		return code;
	size_t top = strlen(r->top);
	const char *path = real + top + (r->top[1] != '\0'); /* "/" itself may be a repository */
	code = by_codeowners(r, path, mem, ret, how, e);
	return code < 0 || *how || line <= 0 ? code : by_blame(o, r, path, line, mem, ret, how, e);
}

int owners_notes(struct owners *o, struct arena *mem, struct list *ret, struct err *e)
{
	for (size_t i = 0; i < o->n_repos; i++) {
		struct repo *r = &o->repos[i];
		const char *text = NULL;
		if (r->told || !r->path)
			continue;
		r->told = true;
		if (r->trouble && (!(text = arena_printf(mem, "%s: %s", r->path, r->trouble)) || !list_add(mem, ret, text)))
			return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
		for (size_t k = 0; k < r->co.n_notes; k++) {
			text = arena_printf(mem, "%s:%d: %s", r->path, r->co.notes[k].line, codeowners_why(r->co.notes[k].why));
			if (!text || !list_add(mem, ret, text))
				return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
		}
	}
	return 0;
}
