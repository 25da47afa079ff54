#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Some CPUs copy at a third of their speed to where a cache line does not begin (measured: read() on an EPYC). */
#define MEM_PAGE 4096

long fault_at, fault_seen;

int fault_hit(void)
{
	if (!fault_at)
		return 0;
	return ++fault_seen == fault_at;
}

void *mem_alloc(size_t n)
{
	return fault_hit() ? NULL : malloc(n ? n : 1);
}

void *mem_zalloc(size_t n)
{
	return fault_hit() ? NULL : calloc(1, n ? n : 1);
}

void *mem_resize(void *p, size_t n)
{
	return fault_hit() ? NULL : realloc(p, n ? n : 1);
}

bool mem_grow(void *list, size_t *cap, size_t n, size_t element)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *old, *grown;

	if (n < *cap)
		return true;
	memcpy(&old, list, sizeof(old)); /* whatever it points to */
	grown = more <= SIZE_MAX / element ? mem_resize(old, more * element) : NULL;
	if (!grown)
		return false;
	memcpy(list, &grown, sizeof(grown));
	*cap = more;
	return true;
}

void *mem_pages(size_t n)
{
	void *p;

	return fault_hit() || posix_memalign(&p, MEM_PAGE, n ? n : 1) ? NULL : p;
}

char *mem_dup(const char *p, size_t n)
{
	char *d = n < SIZE_MAX ? mem_alloc(n + 1) : NULL;

	if (!d)
		return NULL;
	if (n)
		memcpy(d, p, n);
	d[n] = '\0';
	return d;
}

void mem_free(void *p)
{
	free(p);
}

void mem_free_cleanup(void *pp)
{
	mem_free(*(void **)pp);
}

void fd_close(int fd)
{
	int keep = errno;

	if (fd >= 0)
		close(fd);
	errno = keep;
}

void fd_close_cleanup(int *fd)
{
	fd_close(*fd);
}
