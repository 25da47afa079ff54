#ifndef CHECK_TRAPS_H
#define CHECK_TRAPS_H

#include "check/select.h"

/*
 * What go leaves unsaid about a source tree: files that look as if they were built and are not, or the reverse, directives that are plain
 * comments, tags that nobody sets or reads, embeds that drop files, an -X that sets nothing. Each trap is a row; nothing is started.
 * Errors are what cannot be meant, or what go refuses.
 */
struct trap_rule {
	const char *id; /* "name.platform"; stable */
	enum severity severity;
	enum cause cause;
	struct tx what;    /* what it means, for the documentation */
	struct tx message; /* of a finding; {0}, {1}, … are filled in */
	struct tx fix;
};
extern const struct trap_rule trap_rules[];
extern const size_t trap_rule_count;

struct traps {
	const struct src_tree
		*tree; /* read with .skipped and .others: what `./...` passes over is looked at too */
	const struct target_env *env;
	const struct selection
		*selections; /* one for each target; findings that hold in several are said once */
	size_t n;
	const char *ldflags; /* -ldflags given to tocsin; NULL: none */
	const char *
		prefix; /* of the tree's root as findings shall name it: "" or "sub/" (relative to where we were started) */
	struct report *report; /* findings go here, and into limits what could not be known */
	bool show_allowed;     /* as notes */
	/* The answer. */
	size_t allowed;      /* findings that a `tocsin:allow` comment lets pass */
	size_t files, bytes; /* read for it */
};
int check_traps(struct traps *t, struct err *e); /* -ENOMEM */
#endif
