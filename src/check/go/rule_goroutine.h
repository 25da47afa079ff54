#ifndef CHECK_GO_RULE_GOROUTINE_H
#define CHECK_GO_RULE_GOROUTINE_H

#include "check/go/golint.h"

/* G: goroutines, in several files of rules. */

/* Does what the block's own statements defer catch panics: a literal with recover(), a function with such a name or from the configuration? */
bool goroutine_is_guarded(struct golint *c, TSNode body);
/* Is the name declared or set in a line with `what` ("sync.WaitGroup"): in the function around, else in the file? */
bool goroutine_is_of(struct golint *c, struct span name, const char *what);
#endif
