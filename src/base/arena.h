#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

/* Allocations that end together. {0} is an empty one; max 0 is no ceiling. NULL: no memory or ceiling. */
struct arena_block;
struct arena {
	struct arena_block *head;
	size_t used, max; /* bytes handed out */
};

void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type */
struct span arena_span(struct arena *a, struct span s); /* a copy with a NUL behind it; absent on failure */
char *arena_str(struct arena *a, struct span s); /* the same as a C string */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *a);
void arena_free_cleanup(struct arena *a);
#endif
