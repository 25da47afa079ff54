#include "base/mem.h"
#include "base/path.h"
#include "check/ci/yci.h"
#include "check/lint_own.h"

/* Which file is of which kind. */

static bool is_go(const char *path, struct span head)
{
	return span_ends(span_of(path), S(".go"));
}

static bool is_gomod(const char *path, struct span head)
{
	return span_eq(path_base(span_of(path)), S("go.mod"));
}

static bool is_shell(const char *path, struct span head)
{
	struct span name = path_base(span_of(path)), line = span_cut(&head, '\n');

	if (span_ends(name, S(".sh")) || span_ends(name, S(".bash")))
		return true;
	/* A program without an extension says itself what it is. */
	return span_chr(name, '.') == SPAN_NONE && span_starts(line, S("#!")) &&
	       (span_find(line, S("/sh")) != SPAN_NONE || span_find(line, S("bash")) != SPAN_NONE ||
		span_find(line, S("dash")) != SPAN_NONE);
}

static bool is_make(const char *path, struct span head)
{
	struct span name = path_base(span_of(path));

	return span_eq(name, S("Makefile")) || span_eq(name, S("makefile")) ||
	       span_eq(name, S("GNUmakefile")) || span_ends(name, S(".mk")) ||
	       (span_starts(name, S("Makefile.")) && !span_ends(name, S(".in")) &&
		!span_ends(name, S(".am")) && !span_ends(name, S(".go")));
}

static bool is_docker(const char *path, struct span head)
{
	struct span name = path_base(span_of(path));

	if (span_ends(name, S(".dockerignore")) || span_ends(name, S(".md")) || span_ends(name, S(".go")))
		return false;
	return span_eq(name, S("Dockerfile")) || span_eq(name, S("dockerfile")) ||
	       span_eq(name, S("Containerfile")) || span_starts(name, S("Dockerfile.")) ||
	       span_starts(name, S("Containerfile.")) || span_ends(name, S(".Dockerfile")) ||
	       span_ends(name, S(".dockerfile"));
}

static bool is_jenkins(const char *path, struct span head)
{
	struct span name = path_base(span_of(path));

	return span_eq(name, S("Jenkinsfile")) || span_starts(name, S("Jenkinsfile.")) ||
	       span_ends(name, S(".jenkinsfile")) || span_ends(name, S(".Jenkinsfile")) ||
	       (span_starts(name, S("Jenkinsfile")) && span_ends(name, S(".groovy")));
}

static bool is_systemd(const char *path, struct span head)
{
	return span_ends(span_of(path), S(".service"));
}

static bool is_cron(const char *path, struct span head)
{
	struct span all = span_of(path), name = path_base(all), dir = path_base(path_dir(all));

	return span_eq(name, S("crontab")) || span_ends(name, S(".cron")) || span_ends(name, S(".crontab")) ||
	       (span_eq(dir, S("cron.d")) && span_chr(name, '.') == SPAN_NONE);
}

static bool is_taskfile(const char *path, struct span head)
{
	struct span name = path_base(span_of(path));

	return (span_starts(name, S("Taskfile")) || span_starts(name, S("taskfile"))) &&
	       (span_ends(name, S(".yml")) || span_ends(name, S(".yaml")));
}

static bool is_yaml(struct span path)
{
	return span_ends(path, S(".yml")) || span_ends(path, S(".yaml"));
}

static bool is_github(const char *path, struct span head)
{
	struct span whole = span_of(path), name = path_base(whole), dir = path_dir(whole);

	if (span_eq(name, S("action.yml")) || span_eq(name, S("action.yaml")))
		return true;
	return is_yaml(whole) &&
	       (span_ends(dir, S(".github/workflows")) || span_ends(dir, S(".gitea/workflows")) ||
		span_ends(dir, S(".forgejo/workflows")));
}

/* Its own file, and where those that it includes are kept. */
static bool is_gitlab(const char *path, struct span head)
{
	struct span whole = span_of(path), name = path_base(whole);

	return span_ends(name, S("gitlab-ci.yml")) || span_ends(name, S("gitlab-ci.yaml")) ||
	       (is_yaml(whole) &&
		(span_starts(whole, S(".gitlab/")) || span_starts(whole, S(".gitlab-ci/")) ||
		 span_starts(whole, S("ci/")) || span_starts(whole, S(".ci/"))));
}

static bool is_drone(const char *path, struct span head)
{
	struct span whole = span_of(path), name = path_base(whole);

	return is_yaml(whole) && (span_starts(name, S(".drone.")) || span_starts(name, S(".woodpecker.")) ||
				  span_starts(whole, S(".woodpecker/")) || span_starts(whole, S(".drone/")));
}

static bool is_gitee(const char *path, struct span head)
{
	return is_yaml(span_of(path)) && span_starts(span_of(path), S(".workflow/"));
}

static bool is_yunxiao(const char *path, struct span head)
{
	struct span whole = span_of(path);

	return is_yaml(whole) &&
	       (span_starts(whole, S(".yunxiao/")) || span_starts(whole, S(".flow/")) ||
		span_starts(path_base(whole), S("yunxiao")) || span_starts(path_base(whole), S(".yunxiao")));
}

const struct lint_kind lint_kinds[] = {
	{ RULE_GO, is_go, golint_check, false },
	{ RULE_GO, is_gomod, gomod_check, false },
	{ RULE_MAKE, is_make, make_check, false },
	{ RULE_DOCKER, is_docker, docker_check, false },
	{ RULE_TASKFILE, is_taskfile, taskfile_check, false },
	{ RULE_JENKINS, is_jenkins, jenkins_check, false },
	{ RULE_SYSTEMD, is_systemd, systemd_check, false },
	{ RULE_CRON, is_cron, cron_check, false },
	{ RULE_GITHUB, is_github, github_check, false },
	{ RULE_GITLAB, is_gitlab, gitlab_check, false },
	{ RULE_DRONE, is_drone, drone_check, false },
	{ RULE_GITEE, is_gitee, gitee_check, false },
	{ RULE_YUNXIAO, is_yunxiao, yunxiao_check, false },
	{ RULE_SHELL, is_shell, shell_check_file, true },
};
const size_t lint_kind_count = ARRAY_LEN(lint_kinds);
