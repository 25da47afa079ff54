/* CI context: from the variables of the CI systems we know, from overrides, else from git's own files. */
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "run/run.h"

#define VALUE_MAX 2048 /* bytes kept of a value; they come from outside */

enum field { REPO, BRANCH, COMMIT, JOB, RUN, URL, ACTOR, PR, BASE, N_FIELDS };

/*
 * A field is a list of templates; the first whose {VARIABLES} are all set is taken. @NAME reads a file. Order
 * matters: Gitea and Forgejo also set GITHUB_ACTIONS, CODING and Jenkins share names.
 */
struct ci_system {
	const char *name, *detect; /* VAR, VAR=value, or VAR+VAR */
	const char *field[N_FIELDS];
};

#define GITHUB_FIELDS "{GITHUB_REPOSITORY}", "{GITHUB_HEAD_REF}|{GITHUB_REF_NAME}", "{GITHUB_SHA}", \
	"{GITHUB_JOB}|{GITHUB_WORKFLOW}", "{GITHUB_RUN_ID}"

static const struct ci_system systems[] = {
	{ "forgejo", "FORGEJO_ACTIONS", { GITHUB_FIELDS,
	  "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_NUMBER}",
	  "{GITHUB_TRIGGERING_ACTOR}|{GITHUB_ACTOR}", "@event|{GITHUB_REF}", "{GITHUB_BASE_REF}|@default" } },
	{ "gitea", "GITEA_ACTIONS", { GITHUB_FIELDS,
	  "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_NUMBER}",
	  "{GITHUB_TRIGGERING_ACTOR}|{GITHUB_ACTOR}", "@event|{GITHUB_REF}", "{GITHUB_BASE_REF}|@default" } },
	{ "github", "GITHUB_ACTIONS", { GITHUB_FIELDS,
	  "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}/attempts/{GITHUB_RUN_ATTEMPT}|"
	  "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
	  "{GITHUB_TRIGGERING_ACTOR}|{GITHUB_ACTOR}", "@event|{GITHUB_REF}", "{GITHUB_BASE_REF}|@default" } },
	{ "gitlab", "GITLAB_CI", { "{CI_PROJECT_PATH}",
	  "{CI_MERGE_REQUEST_SOURCE_BRANCH_NAME}|{CI_COMMIT_BRANCH}|{CI_COMMIT_REF_NAME}", "{CI_COMMIT_SHA}",
	  "{CI_JOB_NAME}|{CI_JOB_STAGE}", "{CI_JOB_ID}|{CI_PIPELINE_ID}", "{CI_JOB_URL}|{CI_PIPELINE_URL}",
	  "{GITLAB_USER_LOGIN}", "{CI_MERGE_REQUEST_IID}", "{CI_MERGE_REQUEST_TARGET_BRANCH_NAME}|{CI_DEFAULT_BRANCH}" } },
	{ "woodpecker", "CI=woodpecker", { "{CI_REPO}", "{CI_COMMIT_SOURCE_BRANCH}|{CI_COMMIT_BRANCH}", "{CI_COMMIT_SHA}",
	  "{CI_STEP_NAME}|{CI_WORKFLOW_NAME}", "{CI_PIPELINE_NUMBER}", "{CI_STEP_URL}|{CI_PIPELINE_URL}",
	  "{CI_PIPELINE_AUTHOR}", "{CI_COMMIT_PULL_REQUEST}", "{CI_COMMIT_TARGET_BRANCH}|{CI_REPO_DEFAULT_BRANCH}" } },
	{ "drone", "DRONE", { "{DRONE_REPO}", "{DRONE_SOURCE_BRANCH}|{DRONE_BRANCH}", "{DRONE_COMMIT_SHA}",
	  "{DRONE_STEP_NAME}|{DRONE_STAGE_NAME}", "{DRONE_BUILD_NUMBER}", "{DRONE_BUILD_LINK}", "{DRONE_BUILD_TRIGGER}",
	  "{DRONE_PULL_REQUEST}", "{DRONE_TARGET_BRANCH}|{DRONE_REPO_BRANCH}" } },
	{ "coding", "CODING", { "{CODING_PROJECT_NAME}", "{CODING_BRANCH}", "{CODING_COMMIT}", "{CODING_BUILD_JOB_NAME}",
	  "{CODING_BUILD_ID}", "{CODING_BUILD_WEB_URL}", "{CODING_BUILD_USER}", "{CODING_MERGE_REQUEST_IID}" } },
	{ "coding", "QCI_REPO", { "{QCI_REPO}", "{QCI_MR_SOURCE_BRANCH}|{QCI_REPO_BRANCH}", "{QCI_REPO_COMMIT}", NULL, NULL,
	  NULL, "{QCI_TRIGGER}", "{QCI_MR_IID}", "{QCI_MR_TARGET_BRANCH}" } },
	{ "jenkins", "JENKINS_URL", { "{GIT_URL}", "{BRANCH_NAME}|{GIT_BRANCH}", "{GIT_COMMIT}", "{JOB_NAME}",
	  "{BUILD_NUMBER}", "{BUILD_URL}", "{BUILD_USER_ID}", "{CHANGE_ID}", "{CHANGE_TARGET}" } },
	{ "buildkite", "BUILDKITE", { "{BUILDKITE_REPO}", "{BUILDKITE_BRANCH}", "{BUILDKITE_COMMIT}",
	  "{BUILDKITE_PIPELINE_SLUG}", "{BUILDKITE_BUILD_ID}",
	  "{BUILDKITE_BUILD_URL}#{BUILDKITE_JOB_ID}|{BUILDKITE_BUILD_URL}", "{BUILDKITE_BUILD_CREATOR}",
	  "{BUILDKITE_PULL_REQUEST}", "{BUILDKITE_PULL_REQUEST_BASE_BRANCH}|{BUILDKITE_PIPELINE_DEFAULT_BRANCH}" } },
	{ "circleci", "CIRCLECI", { "{CIRCLE_PROJECT_USERNAME}/{CIRCLE_PROJECT_REPONAME}", "{CIRCLE_BRANCH}",
	  "{CIRCLE_SHA1}", "{CIRCLE_JOB}", "{CIRCLE_WORKFLOW_ID}", "{CIRCLE_BUILD_URL}", "{CIRCLE_USERNAME}",
	  "{CIRCLE_PULL_REQUEST}|{CIRCLE_PR_NUMBER}" } },
	{ "azure", "TF_BUILD", { "{BUILD_REPOSITORY_URI}", "{SYSTEM_PULLREQUEST_SOURCEBRANCH}|{BUILD_SOURCEBRANCH}",
	  "{BUILD_SOURCEVERSION}", "{SYSTEM_JOBDISPLAYNAME}", "{BUILD_BUILDID}",
	  "{SYSTEM_TEAMFOUNDATIONSERVERURI}{SYSTEM_TEAMPROJECTID}/_build/results?buildId={BUILD_BUILDID}",
	  "{BUILD_REQUESTEDFOR}", "{SYSTEM_PULLREQUEST_PULLREQUESTNUMBER}", "{SYSTEM_PULLREQUEST_TARGETBRANCH}" } },
	{ "bitbucket", "BITBUCKET_BUILD_NUMBER", { "{BITBUCKET_REPO_FULL_NAME}", "{BITBUCKET_BRANCH}", "{BITBUCKET_COMMIT}",
	  "{BITBUCKET_STEP_UUID}", "{BITBUCKET_BUILD_NUMBER}",
	  "https://bitbucket.org/{BITBUCKET_REPO_FULL_NAME}/addon/pipelines/home#!/results/{BITBUCKET_BUILD_NUMBER}",
	  "{BITBUCKET_STEP_TRIGGERER_UUID}", "{BITBUCKET_PR_ID}", "{BITBUCKET_PR_DESTINATION_BRANCH}" } },
	{ "teamcity", "TEAMCITY_VERSION", { NULL, "@teamcity", "{BUILD_VCS_NUMBER}", "{TEAMCITY_BUILDCONF_NAME}",
	  "{BUILD_NUMBER}", "{BUILD_URL}", NULL, "{TEAMCITY_PULLREQUEST_NUMBER}" } },
	{ "travis", "TRAVIS", { "{TRAVIS_REPO_SLUG}", "{TRAVIS_PULL_REQUEST_BRANCH}|{TRAVIS_BRANCH}", "{TRAVIS_COMMIT}",
	  "{TRAVIS_JOB_NUMBER}", "{TRAVIS_BUILD_ID}", "{TRAVIS_JOB_WEB_URL}", NULL, "{TRAVIS_PULL_REQUEST}" } },
	{ "appveyor", "APPVEYOR", { "{APPVEYOR_REPO_NAME}", "{APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH}|{APPVEYOR_REPO_BRANCH}",
	  "{APPVEYOR_REPO_COMMIT}", "{APPVEYOR_JOB_ID}", "{APPVEYOR_BUILD_ID}",
	  "https://ci.appveyor.com/project/{APPVEYOR_REPO_NAME}/builds/{APPVEYOR_BUILD_ID}",
	  "{APPVEYOR_REPO_COMMIT_AUTHOR}", "{APPVEYOR_PULL_REQUEST_NUMBER}" } },
	{ "yunxiao", "PIPELINE_ID+BUILD_EXECUTOR", { "{CI_SOURCE_NAME}", "{CI_COMMIT_REF_NAME}", "{CI_COMMIT_SHA}",
	  "{PIPELINE_NAME}", "{PIPELINE_ID}/{BUILD_NUMBER}|{PIPELINE_ID}", NULL, "{BUILD_EXECUTOR}", NULL } },
};

static const char *const overrides[N_FIELDS] = {
	[REPO] = "TOCSIN_CI_REPO", [BRANCH] = "TOCSIN_CI_BRANCH", [COMMIT] = "TOCSIN_CI_COMMIT", [JOB] = "TOCSIN_CI_JOB",
	[RUN] = "TOCSIN_CI_RUN_ID", [URL] = "TOCSIN_CI_URL", [ACTOR] = "TOCSIN_CI_ACTOR", [PR] = "TOCSIN_CI_PR",
};

static const char *variable(struct span name) /* NULL: unset or empty */
{
	char z[80];

	if (!name.n || name.n >= sizeof(z))
		return NULL;
	memcpy(z, name.p, name.n);
	z[name.n] = '\0';
	const char *v = getenv(z);
	return v && *v ? v : NULL;
}

static bool is_set(struct span name, struct span want)
{
	const char *v = variable(name);

	return v && (want.p ? strcmp(v, want.p) == 0 : strcmp(v, "false") != 0 && strcmp(v, "0") != 0);
}

static const struct ci_system *system_now(void)
{
	for (size_t i = 0; i < ARRAY_LEN(systems); i++) {
		struct span d = span_of(systems[i].detect);
		size_t eq = span_chr(d, '=');
		struct span want = eq == SPAN_NONE ? (struct span){ 0 } : span_from(d, eq + 1);
		bool all = true;
		for (struct span rest = span_head(d, eq); rest.n && all;)
			all = is_set(span_cut(&rest, '+'), want);
		if (all)
			return &systems[i];
	}
	return NULL;
}

static bool slurp(const char *path, size_t max, struct buf *ret)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	ret->max = max;
	return file_slurp(path, ret, NULL) == 0;
}

/* From the event that started the workflow. */
static struct span event_value(struct arena *mem, const char *where)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *path = variable(S("GITHUB_EVENT_PATH"));
	struct span value;

	if (!path || !slurp(path, 32 << 20, &b) || !json_find(buf_view(&b), where, &value))
		return (struct span){ 0 };
	return arena_span(mem, value);
}

/* The number of the pull request. */
static struct span event_number(struct arena *mem)
{
	struct span number = event_value(mem, "pull_request.number");
	int64_t n;

	return span_int(number, &n) ? number : (struct span){ 0 };
}

/* One value of a Java properties file: \ escapes the next byte. */
static struct span teamcity_branch(struct arena *mem)
{
	CLEANUP(buf_free) struct buf b = { 0 }, out = { 0 };
	const char *path = variable(S("TEAMCITY_BUILD_PROPERTIES_FILE"));

	if (!path || !slurp(path, 4 << 20, &b))
		return (struct span){ 0 };
	for (struct span rest = buf_view(&b); rest.n;) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		if (!span_skip(&line, S("teamcity.build.branch=")))
			continue;
		for (size_t i = 0; i < line.n; i++) {
			i += line.p[i] == '\\' && i + 1 < line.n;
			buf_addc(&out, line.p[i]);
		}
		return out.bad ? (struct span){ 0 } : arena_span(mem, buf_view(&out));
	}
	return (struct span){ 0 };
}

static struct span expand(struct arena *mem, struct span t)
{
	CLEANUP(buf_free) struct buf b = { .max = 4 * VALUE_MAX };

	if (span_eq(t, S("@event")))
		return event_number(mem);
	if (span_eq(t, S("@default")))
		return event_value(mem, "repository.default_branch");
	if (span_eq(t, S("@teamcity")))
		return teamcity_branch(mem);
	while (t.n) {
		buf_span(&b, span_cut(&t, '{'));
		if (!t.n)
			break;
		const char *v = variable(span_cut(&t, '}'));
		if (!v)
			return (struct span){ 0 };
		buf_adds(&b, v);
	}
	return arena_span(mem, buf_view(&b));
}

/* Take user:password@ out of a URL. */
static struct span without_credentials(struct arena *mem, struct span url)
{
	size_t scheme = span_find(url, S("://"));
	size_t from = scheme == SPAN_NONE ? 0 : scheme + 3;
	struct span rest = span_from(url, from);
	size_t end = 0;

	while (end < rest.n && !strchr("/?#", rest.p[end]))
		end++;
	size_t at = span_rchr(span_head(rest, end), '@');
	if (at == SPAN_NONE || (scheme == SPAN_NONE && span_chr(span_head(rest, at), ':') == SPAN_NONE))
		return url; /* git@host:path names no secret */
	return span_of(arena_printf(mem, "%.*s%.*s", (int)from, url.p, SPAN_ARG(span_from(rest, at + 1))));
}

static struct span clean_branch(struct span s)
{
	span_skip(&s, S("refs/heads/"));
	span_skip(&s, S("origin/"));
	return s;
}

static struct span clean_pr(struct span s) /* 7; …/pull/7; refs/pull/7/merge; false */
{
	int64_t n;

	if (span_skip(&s, S("refs/pull/")))
		s = span_head(s, span_chr(s, '/'));
	else if (span_chr(s, '/') != SPAN_NONE)
		s = path_base(s);
	if (span_eq(s, S("pull")) || !span_int(s, &n) || n <= 0)
		return (struct span){ 0 };
	return s;
}

static const char *finish(struct arena *mem, enum field f, struct span s)
{
	if (f == REPO || f == URL)
		s = without_credentials(mem, s);
	else if (f == BRANCH || f == BASE)
		s = clean_branch(s);
	else if (f == PR)
		s = clean_pr(s);
	return s.n ? arena_str(mem, span_head(s, VALUE_MAX)) : NULL;
}

static const char *field_value(struct arena *mem, const struct ci_system *sys, enum field f)
{
	const char *over = variable(span_of(overrides[f])), *v = NULL;

	if (over)
		return arena_str(mem, span_head(span_of(over), VALUE_MAX));
	if (!sys || !sys->field[f])
		return NULL;
	for (struct span rest = span_of(sys->field[f]); rest.n && !v;) {
		struct span s = expand(mem, span_cut(&rest, '|'));
		if (s.n)
			v = finish(mem, f, s);
	}
	return v;
}

/* git's files, as far as they tell what is checked out. */
struct git {
	struct buf dir;    /* of this worktree */
	struct buf common; /* of the repository */
};

static bool read_line_of(const char *dir, const char *name, struct buf *text, struct span *line)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	path_join(&path, dir, name);
	if (path.bad || !slurp(path.p, 65536, text))
		return false;
	struct span all = buf_view(text);
	*line = span_trim(span_cut(&all, '\n'));
	return line->n > 0;
}

/* A path in a file is relative to the file's folder. */
static void join_span(struct arena *mem, struct buf *ret, const char *dir, struct span name)
{
	const char *z = arena_str(mem, name);

	if (z)
		path_join(ret, dir, z);
}

static bool git_at(struct arena *mem, const char *dir, struct git *g)
{
	CLEANUP(buf_free) struct buf dot = { 0 }, text = { 0 }, head = { 0 };
	struct stat st;
	struct span line;

	path_join(&dot, dir, ".git");
	if (dot.bad || stat(dot.p, &st) < 0)
		return false;
	buf_clear(&g->dir);
	buf_clear(&g->common);
	if (S_ISDIR(st.st_mode))
		buf_adds(&g->dir, dot.p);
	else if (read_line_of(dir, ".git", &text, &line) && span_skip(&line, S("gitdir:")))
		join_span(mem, &g->dir, dir, span_trim(line));
	if (!g->dir.len || g->dir.bad || !read_line_of(g->dir.p, "HEAD", &head, &line))
		return false;
	buf_clear(&text);
	if (read_line_of(g->dir.p, "commondir", &text, &line))
		join_span(mem, &g->common, g->dir.p, line);
	else
		buf_adds(&g->common, g->dir.p);
	return !g->common.bad && g->common.len;
}

static bool git_find(struct arena *mem, struct git *g)
{
	char dir[PATH_MAX];

	if (!realpath(".", dir))
		return false;
	for (;;) {
		if (git_at(mem, dir, g))
			return true;
		char *slash = strrchr(dir, '/');
		if (!slash || !dir[1])
			return false;
		slash[slash == dir] = '\0';
	}
}

static bool is_hash(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr("0123456789abcdef", s.p[i]))
			return false;
	}
	return s.n == 40 || s.n == 64;
}

static const char *packed_ref(struct arena *mem, const struct git *g, struct span ref)
{
	CLEANUP(buf_free) struct buf path = { 0 }, text = { 0 };

	path_join(&path, g->common.p, "packed-refs");
	if (path.bad || !slurp(path.p, 64 << 20, &text))
		return NULL;
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_trim(span_cut(&rest, '\n')), hash = span_cut(&line, ' ');
		if (span_eq(line, ref) && is_hash(hash))
			return arena_str(mem, hash);
	}
	return NULL;
}

static const char *git_commit(struct arena *mem, const struct git *g, struct span ref)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *name = arena_str(mem, ref), *dirs[] = { g->dir.p, g->common.p };
	struct span line;

	if (!name || !span_starts(ref, S("refs/")) || span_find(ref, S("..")) != SPAN_NONE)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		if (read_line_of(dirs[i], name, &text, &line) && is_hash(line))
			return arena_str(mem, line);
	}
	return packed_ref(mem, g, ref);
}

/* url of [remote "origin"] */
static const char *git_remote(struct arena *mem, const struct git *g)
{
	CLEANUP(buf_free) struct buf path = { 0 }, text = { 0 };
	bool origin = false;

	path_join(&path, g->common.p, "config");
	if (path.bad || !slurp(path.p, 4 << 20, &text))
		return NULL;
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		if (span_starts(line, S("["))) {
			origin = span_starts(line, S("[remote \"origin\"]"));
			continue;
		}
		struct span value = line, key = span_trim(span_cut(&value, '='));
		value = span_trim(value);
		if (value.n > 1 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = (struct span){ value.p + 1, value.n - 2 };
		if (origin && span_eq(key, S("url")) && value.n)
			return finish(mem, REPO, arena_span(mem, value));
	}
	return NULL;
}

static void git_read(struct arena *mem, struct ci_context *ret)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct git g = { 0 };
	struct span head;

	if (git_find(mem, &g) && read_line_of(g.dir.p, "HEAD", &text, &head)) {
		if (!ret->commit && is_hash(head))
			ret->commit = arena_str(mem, head);
		if (span_skip(&head, S("ref:"))) {
			struct span ref = span_trim(head), branch = ref;
			bool real = span_skip(&branch, S("refs/heads/")) && branch.n && branch.p[0] != '.' &&
				span_find(branch, S("..")) == SPAN_NONE;
			if (!ret->branch && real)
				ret->branch = arena_str(mem, span_head(branch, VALUE_MAX));
			if (!ret->commit)
				ret->commit = git_commit(mem, &g, ref);
		}
		if (!ret->repo)
			ret->repo = git_remote(mem, &g);
	}
	buf_free(&g.dir);
	buf_free(&g.common);
}

void ci_read(struct arena *mem, struct ci_context *ret)
{
	const struct ci_system *sys = system_now();
	const char *name = variable(S("TOCSIN_CI_NAME"));
	const char **to[N_FIELDS] = {
		[REPO] = &ret->repo, [BRANCH] = &ret->branch, [COMMIT] = &ret->commit, [JOB] = &ret->job,
		[RUN] = &ret->run_id, [URL] = &ret->url, [ACTOR] = &ret->actor, [PR] = &ret->pr, [BASE] = &ret->base,
	};

	*ret = (struct ci_context){ .name = name ? arena_str(mem, span_head(span_of(name), VALUE_MAX)) :
				    sys ? sys->name : NULL };
	for (enum field f = 0; f < N_FIELDS; f++)
		*to[f] = field_value(mem, sys, f);
	if (!ret->repo || !ret->branch || !ret->commit)
		git_read(mem, ret);
}

bool ci_known(void)
{
	return variable(S("TOCSIN_CI_NAME")) || system_now();
}
