#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/path.h"
#include "run/run.h"

#define SHA "0123456789abcdef0123456789abcdef01234567"
#define SHA2 "fedcba9876543210fedcba9876543210fedcba98"

/* An environment, and what must come of it (an empty field: NULL). Values may name %s, the scratch folder. */
struct row {
	const char *env[16];
	struct ci_context want;
};

static char scratch[] = "/tmp/tocsin-ci-XXXXXX";

static void write_text(const char *name, const char *text)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	path_join(&b, scratch, name);
	assert_int_equal(file_replace(b.p, span_of(text), NULL), 0);
}

static void make_dir(const char *name)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	path_join(&b, scratch, name);
	assert_int_equal(path_mkdirs(b.p, 0755, NULL), 0);
}

static void set_env(const char *const *env)
{
	clearenv();
	for (; *env; env++) {
		char value[512], *eq = strchr(*env, '=');
		struct span name = { *env, (size_t)(eq - *env) };
		char z[80] = { 0 };
		memcpy(z, name.p, name.n);
		snprintf(value, sizeof(value), "%s%s", eq[1] == '@' ? scratch : "", eq + 1 + (eq[1] == '@'));
		setenv(z, value, 1);
	}
}

static void same(const char *what, const char *got, const char *want)
{
	if (!want && !got)
		return;
	if (!want || !got || strcmp(got, want) != 0)
		fail_msg("%s: got %s, want %s", what, got ? got : "NULL", want ? want : "NULL");
}

static void check(const struct ci_context *got, const struct ci_context *want)
{
	same("name", got->name, want->name);
	same("repo", got->repo, want->repo);
	same("branch", got->branch, want->branch);
	same("commit", got->commit, want->commit);
	same("job", got->job, want->job);
	same("run_id", got->run_id, want->run_id);
	same("url", got->url, want->url);
	same("actor", got->actor, want->actor);
	same("pr", got->pr, want->pr);
}

static const struct row rows[] = {
	{ { NULL }, { 0 } },
	{ { "GITHUB_ACTIONS=false" }, { 0 } },
	{ { "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=o/r", "GITHUB_SERVER_URL=https://github.com", "GITHUB_REF_NAME=main",
	    "GITHUB_SHA=" SHA, "GITHUB_WORKFLOW=CI", "GITHUB_JOB=build", "GITHUB_RUN_ID=7", "GITHUB_RUN_ATTEMPT=2",
	    "GITHUB_ACTOR=octo" },
	  { "github", "o/r", "main", SHA, "build", "7", "https://github.com/o/r/actions/runs/7/attempts/2", "octo", NULL } },
	{ { "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=o/r", "GITHUB_SERVER_URL=https://github.com", "GITHUB_HEAD_REF=topic",
	    "GITHUB_REF_NAME=12/merge", "GITHUB_RUN_ID=7", "GITHUB_EVENT_PATH=@/event.json", "GITHUB_ACTOR=a",
	    "GITHUB_TRIGGERING_ACTOR=b" },
	  { "github", "o/r", "topic", NULL, NULL, "7", "https://github.com/o/r/actions/runs/7", "b", "12" } },
	{ { "GITHUB_ACTIONS=true", "GITHUB_REF=refs/pull/34/merge", "GITHUB_EVENT_PATH=@/missing.json" },
	  { "github", .pr = "34" } },
	{ { "GITHUB_ACTIONS=true", "GITHUB_REF=refs/pull/34;rm/merge", "GITHUB_EVENT_PATH=@/hostile.json" }, { "github" } },
	{ { "GITEA_ACTIONS=true", "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=o/r", "GITHUB_SERVER_URL=https://git.example",
	    "GITHUB_RUN_NUMBER=5", "GITHUB_RUN_ID=77" },
	  { "gitea", "o/r", .run_id = "77", .url = "https://git.example/o/r/actions/runs/5" } },
	{ { "FORGEJO_ACTIONS=true", "GITEA_ACTIONS=true", "GITHUB_ACTIONS=true" }, { "forgejo" } },
	{ { "GITLAB_CI=true", "CI_PROJECT_PATH=g/p", "CI_COMMIT_REF_NAME=main", "CI_COMMIT_SHA=" SHA, "CI_JOB_STAGE=test",
	    "CI_JOB_NAME=unit", "CI_JOB_ID=1", "CI_PIPELINE_ID=2", "CI_JOB_URL=https://u:p@gitlab.example/g/p/-/jobs/1",
	    "GITLAB_USER_LOGIN=me", "CI_MERGE_REQUEST_IID=9", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=feature" },
	  { "gitlab", "g/p", "feature", SHA, "unit", "1", "https://gitlab.example/g/p/-/jobs/1", "me", "9" } },
	{ { "CI=woodpecker", "CI_REPO=o/r", "CI_COMMIT_BRANCH=main", "CI_COMMIT_SHA=" SHA, "CI_WORKFLOW_NAME=w",
	    "CI_STEP_NAME=s", "CI_PIPELINE_NUMBER=3", "CI_STEP_URL=https://w/3", "CI_PIPELINE_AUTHOR=a",
	    "CI_COMMIT_PULL_REQUEST=4", "DRONE=true" },
	  { "woodpecker", "o/r", "main", SHA, "s", "3", "https://w/3", "a", "4" } },
	{ { "DRONE=true", "DRONE_REPO=o/r", "DRONE_SOURCE_BRANCH=b", "DRONE_COMMIT_SHA=" SHA, "DRONE_STAGE_NAME=st",
	    "DRONE_STEP_NAME=step", "DRONE_BUILD_NUMBER=8", "DRONE_BUILD_LINK=https://d/8", "DRONE_BUILD_TRIGGER=x",
	    "DRONE_PULL_REQUEST=2" },
	  { "drone", "o/r", "b", SHA, "step", "8", "https://d/8", "x", "2" } },
	{ { "CODING=true", "JENKINS_URL=http://j", "CODING_PROJECT_NAME=p", "CODING_BRANCH=b", "CODING_COMMIT=" SHA,
	    "CODING_BUILD_JOB_NAME=j", "CODING_BUILD_ID=1", "CODING_BUILD_WEB_URL=https://c/1", "CODING_BUILD_USER=u",
	    "CODING_MERGE_REQUEST_IID=3" },
	  { "coding", "p", "b", SHA, "j", "1", "https://c/1", "u", "3" } },
	{ { "QCI_REPO=r", "QCI_REPO_BRANCH=b", "QCI_REPO_COMMIT=" SHA, "QCI_TRIGGER=u", "QCI_MR_IID=3" },
	  { "coding", "r", "b", SHA, .actor = "u", .pr = "3" } },
	{ { "JENKINS_URL=http://j", "GIT_URL=https://me:token@git.example/o/r.git", "GIT_BRANCH=origin/feature/x",
	    "GIT_COMMIT=" SHA, "JOB_NAME=j", "BUILD_NUMBER=1", "BUILD_URL=http://j/1/", "BUILD_USER_ID=u", "CHANGE_ID=5" },
	  { "jenkins", "https://git.example/o/r.git", "feature/x", SHA, "j", "1", "http://j/1/", "u", "5" } },
	{ { "BUILDKITE=true", "BUILDKITE_REPO=git@github.com:o/r.git", "BUILDKITE_BRANCH=b", "BUILDKITE_COMMIT=" SHA,
	    "BUILDKITE_PIPELINE_SLUG=p", "BUILDKITE_BUILD_ID=1", "BUILDKITE_BUILD_URL=https://b/1", "BUILDKITE_JOB_ID=j",
	    "BUILDKITE_BUILD_CREATOR=c", "BUILDKITE_PULL_REQUEST=false" },
	  { "buildkite", "git@github.com:o/r.git", "b", SHA, "p", "1", "https://b/1#j", "c", NULL } },
	{ { "CIRCLECI=true", "CIRCLE_PROJECT_USERNAME=o", "CIRCLE_PROJECT_REPONAME=r", "CIRCLE_BRANCH=b",
	    "CIRCLE_SHA1=" SHA, "CIRCLE_JOB=j", "CIRCLE_WORKFLOW_ID=w", "CIRCLE_BUILD_URL=https://c/1",
	    "CIRCLE_USERNAME=u", "CIRCLE_PULL_REQUEST=https://github.com/o/r/pull/17" },
	  { "circleci", "o/r", "b", SHA, "j", "w", "https://c/1", "u", "17" } },
	{ { "TF_BUILD=True", "BUILD_REPOSITORY_URI=https://org@dev.azure.com/o/_git/r", "BUILD_SOURCEBRANCH=refs/heads/main",
	    "BUILD_SOURCEVERSION=" SHA, "SYSTEM_JOBDISPLAYNAME=Job", "BUILD_BUILDID=4",
	    "SYSTEM_TEAMFOUNDATIONSERVERURI=https://dev.azure.com/o/", "SYSTEM_TEAMPROJECTID=pid",
	    "BUILD_REQUESTEDFOR=Me", "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER=6" },
	  { "azure", "https://dev.azure.com/o/_git/r", "main", SHA, "Job", "4",
	    "https://dev.azure.com/o/pid/_build/results?buildId=4", "Me", "6" } },
	{ { "BITBUCKET_BUILD_NUMBER=5", "BITBUCKET_REPO_FULL_NAME=o/r", "BITBUCKET_BRANCH=b", "BITBUCKET_COMMIT=" SHA,
	    "BITBUCKET_STEP_UUID={s}", "BITBUCKET_STEP_TRIGGERER_UUID={u}", "BITBUCKET_PR_ID=2" },
	  { "bitbucket", "o/r", "b", SHA, "{s}", "5", "https://bitbucket.org/o/r/addon/pipelines/home#!/results/5", "{u}",
	    "2" } },
	{ { "TEAMCITY_VERSION=2026.1", "TEAMCITY_BUILD_PROPERTIES_FILE=@/team.properties", "BUILD_VCS_NUMBER=" SHA,
	    "TEAMCITY_BUILDCONF_NAME=conf", "BUILD_NUMBER=3", "BUILD_URL=http://t/3", "TEAMCITY_PULLREQUEST_NUMBER=8" },
	  { "teamcity", NULL, "feature:one", SHA, "conf", "3", "http://t/3", NULL, "8" } },
	{ { "TRAVIS=true", "TRAVIS_REPO_SLUG=o/r", "TRAVIS_BRANCH=main", "TRAVIS_PULL_REQUEST_BRANCH=", "TRAVIS_COMMIT=" SHA,
	    "TRAVIS_JOB_NUMBER=1.1", "TRAVIS_BUILD_ID=9", "TRAVIS_JOB_WEB_URL=https://t/9", "TRAVIS_PULL_REQUEST=false" },
	  { "travis", "o/r", "main", SHA, "1.1", "9", "https://t/9", NULL, NULL } },
	{ { "APPVEYOR=True", "APPVEYOR_REPO_NAME=o/r", "APPVEYOR_REPO_BRANCH=main", "APPVEYOR_REPO_COMMIT=" SHA,
	    "APPVEYOR_JOB_ID=j", "APPVEYOR_BUILD_ID=5", "APPVEYOR_REPO_COMMIT_AUTHOR=A", "APPVEYOR_PULL_REQUEST_NUMBER=1" },
	  { "appveyor", "o/r", "main", SHA, "j", "5", "https://ci.appveyor.com/project/o/r/builds/5", "A", "1" } },
	{ { "PIPELINE_ID=1", "BUILD_EXECUTOR=me", "CI_SOURCE_NAME=s", "CI_COMMIT_REF_NAME=b", "CI_COMMIT_SHA=" SHA,
	    "PIPELINE_NAME=p", "BUILD_NUMBER=2" },
	  { "yunxiao", "s", "b", SHA, "p", "1/2", NULL, "me", NULL } },
	{ { "PIPELINE_ID=1" }, { 0 } },
	{ { "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=o/r", "TOCSIN_CI_NAME=tekton", "TOCSIN_CI_REPO=x/y",
	    "TOCSIN_CI_BRANCH=b", "TOCSIN_CI_COMMIT=c", "TOCSIN_CI_JOB=j", "TOCSIN_CI_RUN_ID=i", "TOCSIN_CI_URL=u",
	    "TOCSIN_CI_ACTOR=a", "TOCSIN_CI_PR=p" },
	  { "tekton", "x/y", "b", "c", "j", "i", "u", "a", "p" } },
};

static void every_system_is_read(void **state)
{
	write_text("event.json", "{\"action\":\"opened\",\"number\":1,\"pull_request\":{\"user\":{\"number\":3},\"number\":12}}");
	write_text("hostile.json", "{\"pull_request\":{\"number\":\"12\\n::error::x\"");
	write_text("team.properties", "a=b\nteamcity.build.branch=feature\\:one\nz=y\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena mem = { 0 };
		struct ci_context got;
		set_env(rows[i].env);
		ci_read(&mem, &got);
		check(&got, &rows[i].want);
		assert_int_equal(ci_known(), rows[i].want.name != NULL);
		arena_free(&mem);
	}
}

static void expect_git(const char *dir, struct ci_context want)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct arena mem = { 0 };
	struct ci_context got;

	path_join(&b, scratch, dir);
	assert_int_equal(chdir(b.p), 0);
	ci_read(&mem, &got);
	check(&got, &want);
	assert_int_equal(chdir(scratch), 0);
	arena_free(&mem);
}

static void git_is_the_fall_back(void **state)
{
	clearenv();
	make_dir("r/.git/refs/heads/feature");
	make_dir("r/deep/down");
	write_text("r/.git/HEAD", "ref: refs/heads/feature/x\n");
	write_text("r/.git/config", "[core]\n\turl = no\n[remote \"up\"]\n\turl = no\n[remote \"origin\"]\n"
		   "\tfetch = +refs/heads/*:refs/remotes/origin/*\n\turl = https://user:s3cret@git.example/o/r.git\n"
		   "[branch \"main\"]\n\turl = no\n");
	write_text("r/.git/packed-refs", "# pack-refs with: peeled\n" SHA2 " refs/heads/feature/xy\n" SHA
		   " refs/heads/feature/x\n^" SHA2 "\n");
	const struct ci_context packed = { .repo = "https://git.example/o/r.git", .branch = "feature/x", .commit = SHA };
	expect_git("r/deep/down", packed);
	write_text("r/.git/refs/heads/feature/x", SHA2 "\n"); /* a loose ref is newer */
	expect_git("r", (struct ci_context){ .repo = packed.repo, .branch = packed.branch, .commit = SHA2 });
	write_text("r/.git/HEAD", SHA "\n"); /* detached */
	expect_git("r", (struct ci_context){ .repo = packed.repo, .commit = SHA });
	write_text("r/.git/HEAD", "ref: refs/heads/new\n"); /* before the first commit */
	expect_git("r", (struct ci_context){ .repo = packed.repo, .branch = "new" });
	write_text("r/.git/HEAD", "ref: refs/heads/x/../../../../secret\n");
	write_text("secret", SHA "\n");
	expect_git("r", (struct ci_context){ .repo = packed.repo });
	write_text("r/.git/HEAD", "garbage");
	expect_git("r", (struct ci_context){ .repo = packed.repo });
	/* A worktree, and a submodule: .git is a file. */
	make_dir("r/.git/worktrees/w");
	make_dir("w/sub");
	write_text("r/.git/worktrees/w/HEAD", "ref: refs/heads/feature/x\n");
	write_text("r/.git/worktrees/w/commondir", "../..\n");
	write_text("w/.git", "gitdir: ../r/.git/worktrees/w\n");
	expect_git("w/sub", (struct ci_context){ .repo = packed.repo, .branch = "feature/x", .commit = SHA2 });
	/* A known CI fills in from git only what it does not say. */
	setenv("JENKINS_URL", "http://j", 1);
	setenv("BRANCH_NAME", "b", 1);
	expect_git("w", (struct ci_context){ .name = "jenkins", .repo = packed.repo, .branch = "b", .commit = SHA2 });
	clearenv();
	write_text("r/.git/config", "[remote \"origin\"]\nurl=git@git.example:o/r.git\n");
	expect_git("w", (struct ci_context){ .repo = "git@git.example:o/r.git", .branch = "feature/x", .commit = SHA2 });
}

static int setup(void **state)
{
	return mkdtemp(scratch) && chdir(scratch) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "/bin/rm -rf %s", scratch);
	return chdir("/") || system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_system_is_read), cmocka_unit_test(git_is_the_fall_back),
	};

	/* The tests clear the environment, and with it what chose TAP. */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
