#ifndef PROBE_AGAINST_H
#define PROBE_AGAINST_H

#include "model/report.h"
#include "probe/diff.h"

/*
 * A binary beside the source tree that it should be of: Go version, module versions, replacements, revision, tags, the files that
 * its own settings select, embedded files. Every difference is in ret (before: the tree, after: the binary) and a finding
 * act.mismatch of r; what cannot be told is a note. where: a folder, or its go.mod.
 */
int against_tree(const struct probe *p, const char *where, struct changes *ret, struct report *r,
		 struct err *e);

/* The target that a binary was built for, by its own settings. NULL: its GOOS is not known. */
struct target_flags;
const char *against_flags(const struct probe *p, struct arena *mem, struct target_flags *ret);

/* How far the revision of a build is behind the HEAD of the tree at dir. */
struct behind {
	bool known; /* both are there */
	bool same, ancestor;
	int64_t commits;        /* in HEAD's history and not in the build's */
	const char *head, *own; /* revisions */
	const char *why;        /* it is not known, why; NULL */
};
void against_behind(const struct probe *p, const char *dir, struct arena *mem, struct behind *ret);
#endif
