#ifndef BASE_MEM_H
#define BASE_MEM_H
#include <stdbool.h>
#include <stddef.h>

/* Every allocation of the program goes through here, so that the tests can make each one fail. */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* CLEANUP(f) runs f_cleanup(&variable) at the end of the scope. */
#define CLEANUP(f) __attribute__((cleanup(f##_cleanup)))
#define UNUSED __attribute__((unused))

void *mem_alloc(size_t n) __attribute__((malloc, warn_unused_result));  /* not zeroed; NULL: no memory */
void *mem_zalloc(size_t n) __attribute__((malloc, warn_unused_result)); /* zeroed */
void *mem_resize(void *p, size_t n) __attribute__((warn_unused_result)); /* NULL leaves p as it was */
void *mem_pages(size_t n) __attribute__((malloc, warn_unused_result));  /* begins at a page: the kernel copies into it at its best */
/* Room for one more behind n elements: *(T **)list and *cap may change. false: no memory, and they are as they were. */
bool mem_grow(void *list, size_t *cap, size_t n, size_t element);
char *mem_dup(const char *p, size_t n) __attribute__((malloc, warn_unused_result)); /* adds a NUL */
void mem_free(void *p); /* NULL is fine */

/*
 * Fault injection, for tests: the allocation (or I/O step) number fault_at fails, counting from 1.
 * 0 switches it off. fault_seen says how many points were passed; fault_hit() is true at the point.
 */
extern long fault_at, fault_seen;
int fault_hit(void);

void mem_free_cleanup(void *pp);
void fd_close(int fd); /* negative is fine; keeps errno */
void fd_close_cleanup(int *fd);
#endif
