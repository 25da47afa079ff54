#ifndef MOD_VERIFY_SUMDB_H
#define MOD_VERIFY_SUMDB_H

#include "mod/env.h"
#include "mod/tree.h"
#include "model/report.h"

/* Each line of the tree's go.sum files beside the checksum database, by sumdb.h's proofs. */
struct sumdb_asked {
	int64_t modules;  /* that the database vouches for */
	int64_t private_; /* that GONOSUMDB (or GOPRIVATE) keeps from it */
};
#define SUMDB_QUESTIONS_MAX 200000
/*
 * from: a recorded mirror (a folder, file:// or https:// with lookup/ and tile/ below it, such as GOMODCACHE/cache/download/sumdb/NAME);
 * NULL: as go would, by GOSUMDB and GOPROXY. state: the file with the tree last seen; NULL: it is not kept. Findings into r.
 * An error: nothing could be asked.
 */
int verify_sumdb(const struct mod_tree *t, const struct mod_env *env, const char *from, const char *state, struct report *r,
		 struct sumdb_asked *ret, struct err *e);
#endif
