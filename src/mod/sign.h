#ifndef MOD_SIGN_H
#define MOD_SIGN_H

#include "mod/crypto.h"
#include "mod/statement.h"
#include "mod/tree.h"
#include "model/report.h"

/*
 * A chain of signed statements (mod/statement.h) on the files that say which modules are built: go.work, go.work.sum and of each
 * member, and of each local replacement, go.mod, go.sum and vendor/modules.txt. The folder holds 0001.json and its signature
 * 0001.json.sig (base64 on one line), 0002.json, …; git keeps it beside what it signs.
 */
#define SIGNED_FOLDER "tocsin/signed"

struct signing {
	struct mod_tree *tree;
	const char *folder;     /* relative to tree->top */
	const struct key *keys; /* whose signatures count; of sign_make the one that signs */
	size_t n_keys;
};
/*
 * Makes the next statement and its signature. 1: made, *name is the statement's file, shown; 0: the newest one says all this already,
 * signed by this key, on this history.
 * -EBADMSG: the chain that is there is broken: the error says where. Strings live in the tree.
 */
int sign_make(const struct signing *s, const char **name, struct err *e);
/*
 * Does the newest statement hold here? Findings (mod.signature) into r: no statement, a broken chain, a signature by none of the
 * keys, a commit that is no ancestor of this one, each line that changed, files that came or went, replacements that no
 * statement covers. flags: GOFLAGS and the command's own words, for -modfile and -overlay; may be NULL. Returns the
 * number of files that were compared; an error: it could not be checked.
 */
int sign_check(const struct signing *s, const struct argv *flags, struct report *r, struct err *e);
#endif
