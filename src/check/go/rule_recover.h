#ifndef CHECK_GO_RULE_RECOVER_H
#define CHECK_GO_RULE_RECOVER_H

#include "check/go/golint.h"

/* R: recover and panic, in several files of rules. */

/* "FOLDER PACKAGE": whose functions know one another by a plain name. */
struct recover_package {
	char text[300];
};
struct span recover_package(const struct golint *c, struct recover_package *ret);

/* The function that a call by this head reaches: "f", or "T.m" of the receiver around; false: it is none of the package, or not known. */
bool recover_name_of(struct golint *c, struct span head, char *ret, size_t n);

/* A call of recover() that can work: what its handler does with the value (R04 to R06), and what it keeps locked (R09). */
void recover_handled(struct golint *c, TSNode recover);
void recover_locked(struct golint *c);
void recover_on_panic(struct golint *c, TSNode call, struct span head); /* R07, R10 to R13 */
#endif
