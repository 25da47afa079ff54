/* git as a program: what it is told so that a hostile repository cannot make it run anything. */
#include "run/git_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "run/git.h"
#include "run/spawn.h"

#define WORDS_MAX   24
#define FILTERS_MAX 64

/* What the repository could name a program with, or change the answer by. */
static const char *const first_words[] = {
	"git", "--no-optional-locks", "--no-pager", "--literal-pathspecs",
	"-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat", "-c", "diff.external=",
	"-c", "core.sshCommand=false", "-c", "core.askPass=", "-c", "credential.helper=", "-c", "log.showSignature=false",
	"-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "color.ui=false", "-c", "core.quotePath=false",
	"-c", "i18n.logOutputEncoding=UTF-8",
};

/* Ours, and without those that would make it look at another repository than the one we found. */
static const char *const git_env[] = {
	"LC_ALL=C", "LANGUAGE", "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0",
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
	"GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_CONFIG",
	"GIT_IMPLICIT_WORK_TREE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_QUARANTINE_PATH", "GIT_EXTERNAL_DIFF", "GIT_PAGER",
	"GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_LITERAL_PATHSPECS", NULL,
};

struct span git_complaint(const struct answer *a)
{
	struct span rest = buf_view(&a->err), line = { 0 };

	while (rest.n) {
		line = span_trim(span_cut(&rest, '\n'));
		if (span_skip(&line, S("fatal: ")) || span_skip(&line, S("error: ")))
			return span_head(line, 200);
	}
	return line.n ? span_head(line, 200) : S("?");
}

static int refused(const struct git_ask *q, struct err *e)
{
	return err_set(e, EPERM, TR("git does not trust '%s', which belongs to somebody else; if you do: git config --global --add safe.directory '%s'",
		"git 不信任属于其他用户的“%s”；若您信任它：git config --global --add safe.directory '%s'"), q->top, q->top);
}

/* One call, with some words of ours before those of the question. */
static int ask(const struct git_ask *q, const char *const *more, size_t n_more, struct answer *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *args[ARRAY_LEN(first_words) + 2 + 2 * 3 * FILTERS_MAX + WORDS_MAX + 1];
	struct ask a = { .args = args, .env = git_env, .dir = "/", .until = q->until, .out_max = q->out_max, .err_max = 4096 };
	size_t n = 0;

	int r = spawn_resolve("git", getenv("PATH"), &path);
	if (path.bad || (r == 0 && !path.len))
		r = ENOMEM;
	if (r == 0 && path.len && path.p[0] != '/')
		r = ENOENT; /* "." in PATH: this one may come with the repository */
	if (r)
		return err_set(e, r == ENOMEM ? ENOMEM : ENOENT, TR("git is not installed, or not in PATH", "未安装 git，或不在 PATH 中"));
	a.path = path.p;
	for (size_t i = 0; i < ARRAY_LEN(first_words); i++)
		args[n++] = first_words[i];
	for (size_t i = 0; i < n_more; i++)
		args[n++] = more[i];
	args[n++] = "-C";
	args[n++] = q->top;
	for (size_t i = 0; i < WORDS_MAX && q->words[i]; i++)
		args[n++] = q->words[i];
	args[n] = NULL;
	r = ask_run(&a, ret, e);
	if (r == 0 && ret->status && span_find(buf_view(&ret->err), S("dubious ownership")) != SPAN_NONE)
		return refused(q, e);
	if (r == 0 && ret->status == 127)
		return err_set(e, ENOENT, TR("git could not be started: '%s'", "无法启动 git：“%s”"), path.p);
	return r;
}

static bool mentions(const char *dir, const char *name, bool *unknown)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf text = { .max = 4 << 20 };

	path_join(&path, dir, name);
	int r = path.bad ? -ENOMEM : file_slurp(path.p, &text, NULL);
	if (r == -ENOENT)
		return false;
	*unknown |= r < 0;
	for (size_t i = 0; i < text.len; i++) {
		if (strncasecmp(text.p + i, "filter", 6) == 0 || strncasecmp(text.p + i, "include", 7) == 0)
			return true;
	}
	return false;
}

/* Most repositories configure no filter, and need not be asked. */
static int may_filter(const struct git_ask *q, bool *ret, struct err *e)
{
	struct arena mem = { 0 };
	struct git_where w;
	bool unknown = false;
	int r = git_where(q->top, &mem, &w, e);

	*ret = r == 0 && (mentions(w.common, "config", &unknown) || mentions(w.dir, "config.worktree", &unknown) || unknown);
	arena_free(&mem);
	return r;
}

/* "filter.NAME.clean" and so on, as it is configured. Adds "-c" "filter.NAME.clean=" once. */
static int switch_off(struct span key, struct arena *mem, const char **more, size_t *n, struct err *e)
{
	bool required = span_ends(key, S(".required"));
	const char *word = arena_printf(mem, "%.*s=%s", SPAN_ARG(key), required ? "false" : "");

	if (!word)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	for (size_t i = 1; i < *n; i += 2) {
		if (strcmp(more[i], word) == 0)
			return 0;
	}
	/* A name with "=" cannot be overridden by -c. */
	if (span_chr(key, '=') != SPAN_NONE || *n + 2 > 2 * FILTERS_MAX)
		return err_set(e, EPERM, TR("the repository configures filters that cannot be switched off", "代码库配置了无法关闭的过滤器"));
	more[(*n)++] = "-c";
	more[(*n)++] = word;
	return 0;
}

/* The filters that the repository itself configures; those of the user are the user's. */
static int repository_filters(const struct git_ask *q, struct arena *mem, const char **more, size_t *n, struct err *e)
{
	static const char *const words[] = { "config", "--show-scope", "--name-only", "-z", "--get-regexp",
		"^filter\\..*\\.(clean|process|smudge|required)$", NULL };
	struct git_ask c = { .top = q->top, .words = words, .until = q->until, .out_max = 65536 };
	CLEANUP(answer_free) struct answer a = { 0 };
	int r = ask(&c, NULL, 0, &a, e);

	if (r == 0 && a.status > 1)
		r = err_set(e, EIO, TR("git cannot read the configuration of '%s': %.*s", "git 无法读取“%s”的配置：%.*s"), q->top,
			    SPAN_ARG(git_complaint(&a)));
	for (struct span rest = buf_view(&a.out); r == 0 && rest.n;) {
		struct span scope = span_cut(&rest, '\0'), key = span_cut(&rest, '\0');
		if (span_eq(scope, S("local")) || span_eq(scope, S("worktree")))
			r = switch_off(key, mem, more, n, e);
	}
	return r;
}

int git_ask(const struct git_ask *q, struct answer *ret, struct err *e)
{
	struct arena mem = { .max = 1 << 20 };
	const char *more[2 * FILTERS_MAX];
	bool filters = false;
	size_t n = 0;
	int r = 0;

	*ret = (struct answer){ 0 };
	if (q->content)
		r = may_filter(q, &filters, e);
	if (r == 0 && filters)
		r = repository_filters(q, &mem, more, &n, e);
	if (r == 0)
		r = ask(q, more, n, ret, e);
	arena_free(&mem);
	return r;
}
