#ifndef CHECK_CI_GITLAB_OWN_H
#define CHECK_CI_GITLAB_OWN_H

#include "check/ci/yci.h"

#define GITLAB_JOBS 2000

struct gl_job {
	const struct ynode *node;
	struct span id, unit;
	int stage;       /* in the order of stages; -1: not known */
	bool unresolved; /* it extends what is not in this file */
	bool watched, leads, alerts;
	bool ignored; /* allow_failure */
};
struct gl {
	struct lint_file *f;
	struct ytree *y;
	const struct ynode *root, *stages;
	struct span unit; /* "ci:PATH" */
	bool stages_known;
	struct gl_job *jobs;
	size_t n;
	size_t work; /* spent on extends */
};
#define GITLAB_WORK 100000
/* A key of a job: its own, of what it extends, of default (or the top of the file). Its value's ->key is where it stands. */
const struct ynode *gl_find(struct gl *g, const struct gl_job *j, const char *key);
/* The same without default. */
const struct ynode *gl_find_own(struct gl *g, const struct gl_job *j, const char *key);

void gl_jobs_judge(struct gl *g);      /* L01, L02, L04, L05 */
void gl_variables_judge(struct gl *g); /* L06 */
#endif
