#ifndef CHECK_CI_GITLAB_OWN_H
#define CHECK_CI_GITLAB_OWN_H

#include "check/ci/yci.h"

#define GITLAB_JOBS     2000
#define GITLAB_INCLUDES 150 /* GitLab itself takes no more */

struct gl_job {
	const struct ynode *node;
	struct span id, unit;
	int stage;       /* in the order of stages; -1: not known */
	bool unresolved; /* it extends what is not in this file */
	bool watched, leads, alerts;
	bool ignored; /* allow_failure */
	bool seen;    /* by who walks what jobs need */
};
struct gl {
	struct lint_file *f;
	struct ytree *y;
	const struct ynode *root, *stages;
	struct span unit; /* "ci:PATH" */
	bool stages_known;
	bool elsewhere; /* it includes what is not in this tree */
	struct gl_job *jobs;
	size_t n;
	size_t work;   /* spent on extends */
	size_t merged; /* and on putting files together */
};
#define GITLAB_STAGES 1000 /* of a file; what is in a later one is not compared */
#define GITLAB_WORK   100000
/* A key of a job: its own, of what it extends, of default (or the top of the file). Its value's ->key is where it stands. */
const struct ynode *gl_find(struct gl *g, const struct gl_job *j, const char *key);
/* The same without default. */
const struct ynode *gl_find_own(struct gl *g, const struct gl_job *j, const char *key);

/* Its jobs, once root is known. */
void gl_judge(struct gl *g);
/* What `include:` names: FACT_CI_INCLUDE for files of the tree, RUNS from the unit of a job that starts them as a pipeline (absent: none). */
void gl_includes(struct gl *g, const struct ynode *include, struct span job);
/* The document with the jobs, of those from `doc` on that end before `to`. NULL: there is none. */
const struct ynode *gl_main_document(struct ytree *y, const struct ynode *doc, uint32_t to);
/* Mappings into each other, as GitLab merges included files: what `high` says holds. NULL: no memory. */
struct ynode *gl_merge(struct gl *g, const struct ynode *low, const struct ynode *high);

void gl_jobs_judge(struct gl *g);      /* L01, L02, L04, L05 */
void gl_variables_judge(struct gl *g); /* L06 */
#endif
