#ifndef CLI_USUAL_H
#define CLI_USUAL_H

#include "base/arena.h"
#include "base/map.h"
#include "store/store.h"

/* What a command and its tests usually take, by the fault library; for the live view. {0}: nothing is known. */
struct usual_times {
	struct usual run;
	struct map tests; /* struct usual_time by "PACKAGE\0TEST" */
	struct arena mem;
};
int usual_load(struct store *s, int64_t series, struct usual_times *ret, struct err *e); /* ret is a new one */
void usual_free(struct usual_times *u);
int64_t usual_test(const struct usual_times *u, struct span package, struct span test); /* ns; 0: not known */
/*
 * What is worth saying of a run that has lasted this long: "about 2m left", "usually 1m20s" when it is late; nothing while
 * nothing is known. It begins with a comma.
 */
void usual_say_run(struct buf *b, const struct usual_times *u, int64_t elapsed);
/* ", usually takes 4s" of a test that has run longer than it does. */
void usual_say_test(struct buf *b, int64_t median, int64_t elapsed);
#endif
