#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/span.h"

/*
 * A hash map from bytes to pointers. Keys are not copied: they must live as long as the entry
 * (they usually point into the value). {0} is an empty map.
 */
struct map_slot {
	struct span key; /* p == NULL: free; n == SIZE_MAX: deleted */
	uint64_t hash;
	void *value;
};
struct map {
	struct map_slot *slots;
	size_t count, filled, cap; /* cap is a power of two, or 0 */
};

void *map_get(const struct map *m, struct span key); /* NULL: not there */
bool map_put(struct map *m, struct span key, void *value); /* replaces; false: no memory */
void *map_del(struct map *m, struct span key); /* gives back the value */
/* Walk: size_t at = 0; while ((v = map_next(&m, &at))) …; order is unspecified but deterministic. */
void *map_next(const struct map *m, size_t *at);
void map_clear(struct map *m); /* memory kept */
void map_free(struct map *m);
#endif
