#ifndef CLI_CHECKING_H
#define CLI_CHECKING_H

#include "check/select.h"
#include "cli/checked.h"

/* `tocsin check`: one file a subject, check_*.c. */
extern const struct verb verb_check, verb_check_activation, verb_check_active;

/* What `check activation` has come to: the tree, read once, and what is chosen for each target. */
struct activation {
	struct target_env env;
	struct src_tree tree;
	struct selection *sels;       /* env.n */
	const char *prefix;           /* of the tree's root, as names of files are shown: "" or "sub/" */
	bool files;                   /* list what is built too */
	const struct src_file **only; /* file mode: these; NULL: all */
	size_t n_only;
};
/* check_activation_show.c */
struct term;
void activation_text(const struct activation *a, const struct term *t, struct buf *b);
/* check_traps.c: what go leaves unsaid about the tree at dir, for all targets. */
int activation_rules(void); /* lists what is looked for; the exit status */
int activation_traps(const struct activation *a, const char *dir, const char *ldflags, struct report *report,
		     struct err *e);
struct json_out;
void activation_json(void *activation, struct json_out *j);
#endif
