/* The file in which the runtime's overlay records panics: any test can write into it what it likes. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/panics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void judge_all(const char *path)
{
	struct judge_config c = { 0 };
	struct report r = { .is_run = true, .ending = { .how = END_EXIT } };
	struct judge *j;
	struct err e;

	check(judge_new(&c, &j, &e) == 0);
	leaks_take(path, j);
	check(panics_take(path, j, &e) >= 0);
	check(judge_finish(j, &r, &e) == 0);
	for (size_t i = 0; i < r.n_findings; i++)
		check(r.findings[i].excerpt.n <= 4096);
	check(r.outcome == OUTCOME_PASSED); /* suspicions, whatever stands there */
	report_free(&r);
	judge_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/fuzz-panics-XXXXXX";
	CLEANUP(fd_close) int fd = mkstemp(path);

	check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	judge_all(path);
	unlink(path);
	return 0;
}
