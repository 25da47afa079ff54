#ifndef CHECK_REACH_H
#define CHECK_REACH_H

#include "check/select.h"

/* Which packages of a tree the programs of a target import, directly or through others. */
struct reach {
	const struct selection *sel;
	bool *reached; /* one for each package of sel */
	size_t *by;    /* the package through which it was reached first; SIZE_MAX: it is a program */
	size_t programs;
	struct map index;       /* of packages, by import path */
	unsigned char *modules; /* of each member of the tree: enum reach_module */
};
int reach_make(const struct selection *sel, struct reach *ret, struct err *e); /* -ENOMEM */
void reach_free(struct reach *r);

/* The package of an import path, when it is in the tree; SIZE_MAX: it is not. */
size_t reach_find(const struct reach *r, struct span import);
/* Was all of the package's module read, and is there a program in it? Else nobody can tell who imports what. */
bool reach_can_tell(const struct reach *r, const struct act_package *p);
/* Is the module made to be run, and not to be imported by others: its top is a program; or no package, and most of it is reached? */
bool reach_is_program(const struct reach *r, const struct mod_member *m);
bool reach_internal(const struct act_package *p); /* its import path says that others cannot import it */
/* Is the file left out because it is for another system or compiler, and not for want of a tag that somebody could set? */
bool reach_for_other_system(const struct act_file *f, const struct target *t);
#endif
