/* Any bytes as a module's zip: refused with a sentence, or each entry gives exactly the bytes that it says; twice the same hash. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "mod/cache.h"
#include "mod/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int count(void *ctx, struct span piece)
{
	uint64_t *n = ctx;

	*n += piece.n;
	return 0;
}

static void read_all(const char *file)
{
	CLEANUP(zip_reader_free) struct zip_reader r = { 0 };
	CLEANUP(zip_close) struct zip z = { .fd = -1 };
	struct err e = { 0 };

	if (zip_open(file, (struct span){ 0 }, (struct span){ 0 }, &z, &e) < 0) {
		check(e.msg[0]);
		return;
	}
	for (size_t i = 0; i < z.n; i++) {
		uint64_t n = 0;
		if (z.v[i].size > 1 << 20)
			continue; /* slow, and no other way */
		int got = zip_read(&r, &z, &z.v[i], count, &n, &e);
		check(got == 0 ? n == z.v[i].size : got == -EBADMSG && e.msg[0]);
		check(i == 0 || z.v[i].name.n || !z.v[i - 1].name.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char file[40], one[H1_SIZE], two[H1_SIZE];
	struct err e = { 0 };

	if (fd < 0)
		fd = memfd_create("zip", 0);
	check(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	read_all(file);
	int r = h1_of_zip(file, S("m.test/a"), S("v1.0.0"), one, &e);
	check(r == 0 || e.msg[0]);
	check(h1_of_zip(file, S("m.test/a"), S("v1.0.0"), two, &e) == r);
	check(r < 0 || strcmp(one, two) == 0);
	return 0;
}
