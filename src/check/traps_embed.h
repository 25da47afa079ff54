#ifndef CHECK_TRAPS_EMBED_H
#define CHECK_TRAPS_EMBED_H

#include "check/traps_own.h"

struct embed_set {          /* what patterns stand for */
	const char **files; /* relative to the folder of the package */
	size_t n, cap;
	bool many;           /* there are more than are looked at */
	struct span refused; /* what go says; absent: nothing */
	struct span hidden;  /* names that the last pattern left out, for people; absent: none */
};
/* Adds what the pattern matches; what go refuses is the first such. */
void embed_resolve(struct trap_run *c, const struct src_dir *d, struct span pattern, struct embed_set *ret);
void embed_set_free(struct embed_set *s);
void embed_set_free_cleanup(struct embed_set *s);
bool embed_valid_path(struct span s); /* of io/fs */
#endif
