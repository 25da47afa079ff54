#ifndef PROBE_ACTIVE_OWN_H
#define PROBE_ACTIVE_OWN_H

#include "check/declared.h"
#include "check/reach.h"
#include "mod/buildlist.h"
#include "probe/active.h"
#include "probe/expect.h"
#include "probe/process.h"

struct tracing {
	const struct active_ask *q;
	struct active *a;
	struct report *r;

	struct target_env env;
	struct src_tree tree; /* of the program */
	struct selection sel;
	struct src_tree
		other; /* the folder of a package that is elsewhere: a dependency, the standard library */
	struct selection other_sel;
	struct build_list list;
	bool has_list;

	struct probe binary; /* the file */
	bool has_binary;
	struct processes ps;
	struct process *process;

	/* What was found. */
	const struct act_package *package;
	const struct act_file *file; /* that it is, or is declared in */
	bool is_file, elsewhere;
	struct declared decl;
	struct span import, receiver, name; /* of a symbol */
	const struct built *module;         /* of a package that is elsewhere; NULL: the standard library */
};
int active_find(struct tracing *t, struct err *e); /* active_find.c: file, package, decl */
/* A step's sentence. */
void active_say(struct tracing *t, enum active_stage stage, enum active_state state, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
#endif
