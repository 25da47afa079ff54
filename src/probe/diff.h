#ifndef PROBE_DIFF_H
#define PROBE_DIFF_H

#include "base/json.h"
#include "probe/probe.h"

/* Differences: of two builds, or of a build and the source tree that it should be of. */
enum change_what {
	CHANGE_GO,
	CHANGE_TARGET,
	CHANGE_PATH,
	CHANGE_MODULE,
	CHANGE_REPLACE,
	CHANGE_SETTING,
	CHANGE_VCS,
	CHANGE_BUILD_ID,
	CHANGE_PACKAGE,
	CHANGE_FUNCTION,
	CHANGE_FILE,
	CHANGE_INIT,
	CHANGE_EMBED,
	CHANGE_HARDENING,
	CHANGE_LIBRARY,
	CHANGE_SIZE,
	CHANGE_UNKNOWN,
	CHANGE_KINDS,
};
struct change {
	enum change_what what;
	const char *name;
	const char *before,
		*after;  /* NULL: it was not there, or is no more; both NULL: `why` alone says it */
	const char *why; /* one more word on it; NULL */
};
struct changes {
	struct arena mem;
	struct change *v;
	size_t n, cap;
	bool lost; /* no memory */
};
bool change_add(struct changes *c, enum change_what what, struct span name, struct span before,
		struct span after, const char *why);
const char *change_word(enum change_what w);                    /* for machines: "module" */
const char *change_title(enum change_what w);                   /* for people */
void changes_json(const struct changes *c, struct json_out *j); /* an array */
void changes_free(struct changes *c);
void changes_free_cleanup(struct changes *c);

/* The folder of the main module where it was built, as the names of its sources begin; absent: not known. */
struct span probe_built_root(const struct probe *p, struct span module);
int probe_diff(const struct probe *a, const struct probe *b, struct changes *ret,
	       struct err *e); /* -ENOMEM */
#endif
