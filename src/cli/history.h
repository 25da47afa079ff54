#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include "cli/attempt.h"
#include "run/git.h"

/*
 * What the fault library has to do with a run: it is told everything when the run has ended, and says which faults are
 * known. Whatever is wrong with it is said once; the verdict does not wait for it and does not change.
 */
/* Reads tocsin.yaml, and what of it is for the store. */
int history_config(struct session *s, struct err *e);
void history_notes(struct session *s); /* what it has to say, once there is something to say it with */
/* What the same command took before, for the live view; nothing when nothing is known. */
void history_usual(struct session *s);
/* Fills in what is stored beside the report: project, commit, base branch, modules, the state of the tree, the tests. */
void history_facts(struct session *s, struct report *r);
/* What a run is stored under: the repository as CI names it, else origin's, else the module here, else the folder. */
const char *history_project(struct arena *mem, const char *ci_repo, const struct site *where, const struct git_where *git);
/* Owners by CODEOWNERS, without a store. */
void history_owners(struct session *s, struct report *r);
/* Records the run, or spools it; findings get their faults and owners. */
void history_record(struct session *s, struct report *r);
/* Failed tests that the quarantine excuses become warnings. true: nothing else is wrong, and the step does not fail. */
bool history_quarantine(struct session *s, struct report *r);
#endif
