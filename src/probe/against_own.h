#ifndef PROBE_AGAINST_OWN_H
#define PROBE_AGAINST_OWN_H

#include "check/select.h"
#include "probe/against.h"

struct against {
	const struct probe *p;
	struct changes *ret;
	struct report *r;
	struct mod_tree *mods;
	struct mod_member *member; /* the binary's main module */
};
void against_say(struct against *a, enum change_what what, struct span name, struct span tree,
		 struct span binary, const char *why);
void against_note(struct against *a, struct span text);
int against_files(struct against *a, const struct target_env *env, const char *root,
		  struct err *e); /* against_files.c */
#endif
