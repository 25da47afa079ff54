/*
 * What pipelines that are no workflow are written in: a Makefile, a Dockerfile, a Jenkinsfile, a systemd unit, a crontab, a Taskfile
 * (the first byte says which), through the readers, the rules and the shell in them. Every finding lies in the file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
static const char *const names[] = { "Makefile",  "Dockerfile", "Jenkinsfile",
				     "x.service", "crontab",    "Taskfile.yml" };

static void clean(void)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[64];
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	static bool on[1000];
	struct lint_result r;
	struct err e;
	char path[64];

	if (!made) {
		check(mkdtemp(folder) != NULL);
		atexit(clean);
		made = true;
	}
	if (size < 1 || size > 1 << 16)
		return 0;
	const char *name = names[data[0] % ARRAY_LEN(names)];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd >= 0 && fd_write_all(fd, (struct span){ (const char *)data + 1, size - 1 }) == 0);
	close(fd);
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
