#include "cli/project.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/where.h"

#define FILE_MAX  (1 << 20)
#define FILES_MAX 50 /* of one folder of pipelines */

static bool slurp(struct span dir, const char *name, struct buf *ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;

	buf_addf(&path, "%.*s/%s", SPAN_ARG(dir), name);
	ret->max = FILE_MAX;
	return !path.bad && stat(path.p, &st) == 0 && S_ISREG(st.st_mode) &&
	       file_slurp(path.p, ret, NULL) == 0;
}

/* ---- git ---- */

/* The folder with the refs: .git, or what a worktree's .git leads to. */
static bool git_dir(struct span root, struct buf *ret)
{
	CLEANUP(buf_free) struct buf link = { 0 };
	CLEANUP(buf_free) struct buf common = { 0 };

	if (!slurp(root, ".git", &link)) {
		buf_addf(ret, "%.*s/.git", SPAN_ARG(root));
		return !ret->bad;
	}
	struct span to = span_trim(buf_view(&link));
	CLEANUP(mem_free) char *dir = span_skip(&to, S("gitdir: ")) ? mem_dup(to.p, to.n) : NULL;
	CLEANUP(mem_free) char *base = mem_dup(root.p, root.n);
	if (!dir || !base)
		return false;
	path_join(ret, base, dir);
	if (!ret->bad && slurp(buf_view(ret), "commondir", &common)) {
		struct span up = span_trim(buf_view(&common));
		CLEANUP(mem_free) char *name = mem_dup(up.p, up.n);
		CLEANUP(mem_free) char *from = mem_dup(ret->p, ret->len);
		buf_clear(ret);
		if (!name || !from)
			return false;
		path_join(ret, from, name);
	}
	return !ret->bad;
}

/* The branch that a symbolic ref names. */
static const char *ref_target(struct arena *mem, struct span git, const char *ref, struct span before)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!slurp(git, ref, &text))
		return NULL;
	struct span s = span_trim(buf_view(&text));
	if (!span_skip(&s, S("ref: ")) || !span_skip(&s, before) || !s.n)
		return NULL;
	return arena_str(mem, s);
}

static bool has_branch(struct span git, const char *name)
{
	CLEANUP(buf_free) struct buf ref = { 0 };
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf packed = { 0 };

	buf_addf(&ref, "refs/heads/%s", name);
	if (ref.bad)
		return false;
	if (slurp(git, ref.p, &text))
		return true;
	buf_addc(&ref, '\n');
	return slurp(git, "packed-refs", &packed) && !ref.bad &&
	       span_find(buf_view(&packed), buf_view(&ref)) != SPAN_NONE;
}

static const char *base_branch(struct arena *mem, struct span root)
{
	static const char *const usual[] = { "main", "master", "trunk" };
	CLEANUP(buf_free) struct buf git = { 0 };

	if (!git_dir(root, &git))
		return NULL;
	const char *name =
		ref_target(mem, buf_view(&git), "refs/remotes/origin/HEAD", S("refs/remotes/origin/"));
	for (size_t i = 0; !name && i < ARRAY_LEN(usual); i++)
		name = has_branch(buf_view(&git), usual[i]) ? usual[i] : NULL;
	return name ? name : ref_target(mem, buf_view(&git), "HEAD", S("refs/heads/"));
}

/* The nearest folder at or above dir with a .git; absent: none. */
static struct span git_root(struct span dir)
{
	for (;; dir = path_dir(dir)) {
		CLEANUP(buf_free) struct buf path = { 0 };
		buf_addf(&path, "%.*s/.git", SPAN_ARG(dir));
		if (!path.bad && access(path.p, F_OK) == 0)
			return dir;
		if (dir.n <= 1)
			return (struct span){ 0 };
	}
}

/* ---- pipelines ---- */

/* clang-format off */
static const struct { const char *path, *name; bool folder; } pipelines[] = {
	{ ".github/workflows", "GitHub Actions", true }, { ".gitlab-ci.yml", "GitLab CI", false }, { ".gitea/workflows", "Gitea Actions", true },
	{ ".forgejo/workflows", "Forgejo Actions", true }, { ".circleci/config.yml", "CircleCI", false }, { "Jenkinsfile", "Jenkins", false },
	{ "azure-pipelines.yml", "Azure Pipelines", false }, { ".travis.yml", "Travis CI", false }, { ".drone.yml", "Drone", false },
	{ ".woodpecker.yml", "Woodpecker", false }, { "bitbucket-pipelines.yml", "Bitbucket Pipelines", false },
	{ ".cnb.yml", "CNB", false }, { ".workflow", "Gitee Go", true },
};
/* clang-format on */

static bool begins_word(struct span line, size_t at)
{
	return !at || strchr(" \t'\"=(;&|`", line.p[at - 1]);
}

/* Where a command that is worth watching begins, or SPAN_NONE. */
static size_t find_call(struct span line)
{
	/* clang-format off */
	static const struct span calls[] = {
		{ "go test", 7 }, { "go build", 8 }, { "go vet", 6 }, { "go generate", 11 }, { "gotestsum", 9 }, { "make test", 9 }, { "make check", 10 },
		{ "make ci", 7 },
	};
	/* clang-format on */
	size_t least = SPAN_NONE;

	if (span_starts(span_trim(line), S("#")))
		return SPAN_NONE;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		size_t at = span_find(line, calls[i]);
		if (at < least && begins_word(line, at))
			least = at;
	}
	return least;
}

static void read_pipeline(struct arena *mem, const char *dir, const char *name, struct project *p)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	int number = 0;

	if (!slurp(span_of(dir), name, &text))
		return;
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		number++;
		if (span_find(line, S("tocsin")) != SPAN_NONE) {
			p->watched = true;
			continue;
		}
		size_t at = find_call(line);
		if (at == SPAN_NONE)
			continue;
		if (p->n_calls == PROJECT_CALLS) {
			p->more_calls++;
			continue;
		}
		struct span shown = span_trim(line);
		struct project_call *c = &p->calls[p->n_calls];
		*c = (struct project_call){ .file = arena_str(mem, span_of(name)),
					    .line = number,
					    .text = arena_str(mem, shown) };
		c->at = strpbrk(c->text ? c->text : "", "|;&") ? SPAN_NONE : at - (size_t)(shown.p - line.p);
		p->n_calls += c->file && c->text;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* At most FILES_MAX, sorted. */
static size_t list_folder(struct arena *mem, const char *dir, const char *folder, const char *names[FILES_MAX])
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct dirent *d;
	size_t n = 0;

	path_join(&path, dir, folder);
	DIR *all = path.bad ? NULL : opendir(path.p);
	if (!all)
		return 0;
	while (n < FILES_MAX && (d = readdir(all))) {
		struct span name = span_of(d->d_name);
		if (!span_ends(name, S(".yml")) && !span_ends(name, S(".yaml")))
			continue;
		names[n] = arena_printf(mem, "%s/%s", folder, d->d_name);
		n += names[n] != NULL;
	}
	closedir(all);
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	return n;
}

static bool read_folder(struct arena *mem, const char *dir, const char *folder, struct project *p)
{
	const char *names[FILES_MAX];
	size_t n = list_folder(mem, dir, folder, names);

	for (size_t i = 0; i < n; i++)
		read_pipeline(mem, dir, names[i], p);
	return n > 0;
}

static bool is_file(const char *dir, const char *name)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;

	path_join(&path, dir, name);
	return !path.bad && stat(path.p, &st) == 0 && S_ISREG(st.st_mode);
}

static void read_pipelines(struct arena *mem, const char *dir, struct project *p)
{
	for (size_t i = 0; i < ARRAY_LEN(pipelines); i++) {
		bool there = pipelines[i].folder ? read_folder(mem, dir, pipelines[i].path, p)
						 : is_file(dir, pipelines[i].path);
		if (there && !pipelines[i].folder)
			read_pipeline(mem, dir, pipelines[i].path, p);
		if (there && !p->ci)
			p->ci = pipelines[i].name;
	}
}

void project_pipelines(const char *dir, project_pipeline_fn *fn, void *ctx)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	const char *names[FILES_MAX];

	for (size_t i = 0; i < ARRAY_LEN(pipelines); i++) {
		size_t n = pipelines[i].folder ? list_folder(&mem, dir, pipelines[i].path, names) : 0;
		if (!pipelines[i].folder && is_file(dir, pipelines[i].path))
			fn(ctx, pipelines[i].path);
		for (size_t k = 0; k < n; k++)
			fn(ctx, names[k]);
	}
}

void project_read(struct arena *mem, const char *dir, struct project *ret)
{
	CLEANUP(mem_free) char *full = realpath(dir, NULL);
	struct site site;

	*ret = (struct project){ 0 };
	if (!full)
		return;
	where_read(mem, full, &site);
	ret->module = site.module;
	struct span root = git_root(span_of(full));
	if (root.p)
		ret->base_branch = base_branch(mem, root);
	char *top = root.p ? mem_dup(root.p, root.n) : NULL;
	read_pipelines(mem, top ? top : full, ret);
	mem_free(top);
}
