/*
 * What pipelines are written in (the first byte says which), through the readers, the rules and the shell in them. Every finding
 * lies in the file. The text stands in part.yml, too, so that an include of GitLab may lead back to it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "check/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static char folder[] = "/tmp/fuzz_ci.XXXXXX";
static const char *const names[] = {
	"Makefile",   "Dockerfile",   "Jenkinsfile",     "x.service",
	"crontab",    "Taskfile.yml", ".gitlab-ci.yml",  ".gitea/workflows/ci.yml",
	"action.yml", ".drone.yml",   ".woodpecker.yml", "test.sh",
};
static const char part[] = "part.yml";

/* Where a file of the folder is. */
static const char *path_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void clean(void)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(path_of(names[i]));
	unlink(path_of(part));
	rmdir(path_of(".gitea/workflows"));
	rmdir(path_of(".gitea"));
	rmdir(folder);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check(fd >= 0 && fd_write_all(fd, (struct span){ (const char *)data, size }) == 0);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	static bool on[1000];
	struct lint_result r;
	struct err e;

	if (!made) {
		check(mkdtemp(folder) != NULL);
		check(mkdir(path_of(".gitea"), 0700) == 0 && mkdir(path_of(".gitea/workflows"), 0700) == 0);
		atexit(clean);
		made = true;
	}
	if (size < 1 || size > 1 << 16)
		return 0;
	const char *name = names[data[0] % ARRAY_LEN(names)];
	put(name, data + 1, size - 1);
	put(part, data + 1, size - 1);
	for (size_t i = 0; i < rule_count; i++)
		on[i] = true;
	check(lint_run(&(struct lint_options){ .root = folder,
					       .paths = (const char *const[]){ name },
					       .n_paths = 1,
					       .on = on,
					       .threads = 1 },
		       &r, &e) == 0);
	for (size_t i = 0; i < r.n; i++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		check(r.findings[i].from <= r.findings[i].to && r.findings[i].to <= size - 1);
		check(r.findings[i].at.line >= 1);
		lint_message(&r.findings[i], &text);
		check(text.len > 0);
	}
	lint_result_free(&r);
	return 0;
}
