#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) char mem[];
};

#define BLOCK 16384

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->head;

	if (n > SIZE_MAX / 2 || (a->max && (n > a->max || a->used > a->max - n)))
		return NULL;
	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!b || b->size - b->used < n) {
		size_t size = n > BLOCK / 4 ? n : BLOCK;
		struct arena_block *fresh = mem_alloc(sizeof(*fresh) + size);
		if (!fresh)
			return NULL;
		*fresh = (struct arena_block){ .size = size };
		if (size == n && b) { /* a large one of its own: keep filling the head */
			fresh->next = b->next;
			b->next = fresh;
		} else {
			fresh->next = b;
			a->head = fresh;
		}
		b = fresh;
	}
	void *p = b->mem + b->used;
	b->used += n;
	a->used += n;
	return memset(p, 0, n);
}

char *arena_str(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (p && s.n)
		memcpy(p, s.p, s.n);
	return p;
}

struct span arena_span(struct arena *a, struct span s)
{
	char *p = s.p ? arena_str(a, s) : NULL;

	return (struct span){ p, p ? s.n : 0 };
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_free(struct arena *a)
{
	for (struct arena_block *b = a->head, *next; b; b = next) {
		next = b->next;
		mem_free(b);
	}
	*a = (struct arena){ .max = a->max };
}

void arena_free_cleanup(struct arena *a)
{
	arena_free(a);
}
