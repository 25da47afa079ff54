#ifndef CHECK_GO_INITWORK_H
#define CHECK_GO_INITWORK_H

#include "base/buf.h"
#include "base/map.h"
#include "check/go/syntax.h"

/* What the files of a package do when it is initialised, as far as syntax tells. */
struct init_does {
	int functions; /* init functions that are not empty */
	int variables; /* package-level variables whose value needs code */
	bool unsure;   /* of a variable only the compiler knows; or some of it is no Go */
};
/* The package-level variables of a file, each into vars (keys point into the text). False: no memory. */
bool go_init_variables(const struct gofile *f, struct map *vars);
/* vars: those of all files of the package. no_addresses: the compiler may lay out no address in its data. Adds to *ret. */
void go_init_does(const struct gofile *f, const struct map *vars, bool no_addresses, struct init_does *ret);
/*
 * The declarations of a file that can matter for that, as a shorter file: its variables and init functions. Found by brackets and
 * quotes alone, which is many times faster than a tree of all of it. ret->len 0: there are none.
 */
void go_init_part(struct span text, struct buf *ret);
#endif
