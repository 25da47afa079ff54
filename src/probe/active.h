#ifndef PROBE_ACTIVE_H
#define PROBE_ACTIVE_H

#include "check/target.h"
#include "model/report.h"

/* One line of sight: from the source to the process, where does a function or file get lost? */
enum active_stage {
	ACTIVE_SOURCE,
	ACTIVE_LIST /* imports and the build list */,
	ACTIVE_BINARY,
	ACTIVE_PROCESS,
	ACTIVE_STAGES
};
enum active_state { ACTIVE_SKIPPED, ACTIVE_YES, ACTIVE_UNKNOWN, ACTIVE_LOST };
struct active_step {
	enum active_state state;
	const char *said; /* one sentence */
	const char *file; /* where; NULL */
	int line;
};
struct active_ask {
	const char *what;   /* a source file; or example.com/m/pkg.Func, pkg.(*T).Method, pkg.Func, Func */
	const char *tree;   /* of the source; NULL: here */
	const char *binary; /* NULL: not asked about */
	int pid;            /* 0: not asked about */
	struct target_flags flags; /* of the target, without a binary that says its own */
};
struct active {
	struct arena mem;
	const char *what;   /* the whole name */
	const char *target; /* "linux/amd64" */
	struct active_step steps[ACTIVE_STAGES];
	int lost; /* a stage; -1: nowhere */
};
const char *active_stage_word(enum active_stage s); /* "source", "build_list", "binary", "process" */
const char *active_state_word(enum active_state s); /* "yes", "unknown", "lost", "skipped" */
/* The first place where it is lost is a finding of r. -ENOENT: no such file or name in the tree, or process. */
int active_trace(const struct active_ask *q, struct active *ret, struct report *r, struct err *e);
void active_free(struct active *a);
#endif
