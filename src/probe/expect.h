#ifndef PROBE_EXPECT_H
#define PROBE_EXPECT_H

#include "base/json.h"
#include "model/report.h"
#include "probe/probe.h"

/* What somebody expects of a binary, and whether it holds. Read from a YAML file or from words of the command line. */
enum expect_kind {
	EXPECT_GO,
	EXPECT_PATH,
	EXPECT_VERSION,
	EXPECT_REVISION,
	EXPECT_CLEAN,
	EXPECT_TAGS,
	EXPECT_SETTING,
	EXPECT_MODULE,
	EXPECT_FUNC,
	EXPECT_PACKAGE,
	EXPECT_EMBED,
	EXPECT_RELEASE /* no (devel) */,
	EXPECT_NO_REPLACE,
	EXPECT_BUILD_ID,
	EXPECT_PLUGIN,
	EXPECT_KINDS,
};
enum expect_state { /* what was found; the first three are of functions, packages and embedded files too */
		    EXPECT_HOLDS,
		    EXPECT_INLINED /* holds: its code is in other functions */,
		    EXPECT_NOT_FOUND,
		    EXPECT_DIFFERS,
		    EXPECT_NOT_KNOWN,
};
struct expectation {
	enum expect_kind kind;
	const char *name, *value; /* either may be NULL */
	const char *said;         /* as on the command line: "func:main.main" */
	const char *file;         /* where it was said; NULL: on the command line */
	int line;
	bool warn;               /* a warning when it does not hold, no error */
	enum expect_state state; /* of the last expect_judge */
};
struct expect {
	struct arena mem;
	struct expectation *v;
	size_t n, cap;
	const char *binary; /* that the file names, as a path from where we are; NULL: none */
};

/* A file; what it says comes behind what is there already. */
int expect_file(struct expect *x, const char *path, struct err *e);
int expect_text(struct expect *x, const char *name, struct span text,
		struct err *e); /* the same of a text; name: for errors */
/* One word: "func:PATTERN", "module:PATH@VERSION", "clean", … -ENOENT: it does not look like one; *e then says what there is. */
int expect_word(struct expect *x, const char *word, struct err *e);
/* The one or the other: a word when it is one, else a file. */
int expect_add(struct expect *x, const char *what, struct err *e);
/* Everything that does not hold is a finding of r: act.mismatch, act.not_linked, act.plugin. An error: a plugin cannot be read; no memory. */
int expect_judge(struct expect *x, const struct probe *p, struct report *r, struct err *e);
void expect_json(const struct expect *x, struct json_out *j); /* an array */
const char *expect_state_word(enum expect_state s);           /* "holds", "inlined", "not_found", … */
void expect_free(struct expect *x);
void expect_free_cleanup(struct expect *x);

/* What a process with this host finds when it opens the plugin: findings act.plugin; n of them, or -ENOMEM. */
int plugin_check(const struct probe *host, const struct probe *plugin, const char *name, struct report *r);

/* Does a name match a pattern in which '*' stands for any run and '?' for one byte? */
bool name_matches(const char *pattern, struct span name);
/* As that, of a function's full name, as the linker writes it: the asterisk of "(*T)" stands for itself. */
bool function_matches(const char *pattern, struct span name);
/* May a version be compared so: "v1.2.3", ">=v1.2.3", "(devel)"? Of EXPECT_GO, and of modules. */
bool expect_version_fine(enum expect_kind kind, struct span want);
struct span probe_revision(
	const struct probe *
		p); /* of the version control, by the settings, else by a pseudo-version; absent: not known */
const char *probe_absent_why(const struct probe *p,
			     enum probe_part part); /* NULL: it is not said to be absent */
#endif
