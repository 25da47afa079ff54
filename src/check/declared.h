#ifndef CHECK_DECLARED_H
#define CHECK_DECLARED_H

#include "check/select.h"

/* Where a name is declared at the top of a package. */
enum declared_kind { DECLARED_FUNC, DECLARED_METHOD, DECLARED_TYPE, DECLARED_VAR, DECLARED_CONST };
struct declared {
	const struct act_file *file;
	int line;
	enum declared_kind kind;
	bool pointer; /* a method of *T */
};
/*
 * receiver: the type whose method it is; absent: none. In a file that is built for the target, else in one that is not, else in a
 * test. 1: found; 0: it is not declared there; -ENOMEM. Files that are no Go are passed over.
 */
int declared_find(const struct selection *sel, const struct act_package *p, struct span receiver,
		  struct span name, struct declared *ret, struct err *e);
#endif
