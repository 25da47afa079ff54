#ifndef CHECK_CI_GITHUB_OWN_H
#define CHECK_CI_GITHUB_OWN_H

#include "check/ci/interp.h"
#include "check/ci/yci.h"

/* A workflow of GitHub Actions (and of Gitea and Forgejo), or a composite action, while its rules are judged. */
#define GITHUB_JOBS  2000 /* more are not looked at */
#define GITHUB_STEPS 5000 /* of a job */

struct gh_step {
	const struct ynode *node, *uses, *run, *cond, *ignore; /* ignore: continue-on-error */
	struct span action, text;                              /* owner/name@ref; what `run` holds */
	struct span unit;                                      /* "ci:PATH:JOB#N" */
	struct shell_told told;
	bool watched; /* runs go itself */
	bool leads;   /* may lead to go, by its unit */
	bool alerts;
	bool off; /* if: false */
};
struct gh_job {
	const struct ynode *node, *cond, *ignore, *needs, *uses;
	struct span id, unit, cond_text;
	struct gh_step *steps;
	size_t n;
	bool watched, leads, alerts, off;
	bool seen; /* by who walks what jobs need */
};
struct gh {
	struct lint_file *f;
	struct ytree *y;
	const struct ynode *root, *on;
	struct span unit;                               /* "ci:PATH" */
	bool action;                                    /* a composite action */
	bool act;                                       /* Gitea, Forgejo: their runner is not GitHub's */
	bool push, pull, target, schedule, after, call; /* events */
	struct gh_job *jobs;
	size_t n;
	size_t work; /* spent on who needs whom */
};
#define GITHUB_WORK 50000000

/* ---- expressions ---- */
enum gh_status {
	GH_SUCCESS = 1,
	GH_FAILURE = 2,
	GH_ALWAYS = 4,
	GH_CANCELLED = 8,
	GH_NEGATED = 16 /* !cancelled(), !failure() */
};
unsigned
gh_status_of(struct span cond); /* which functions of status it calls; 0: none, so success() is implied */
struct gh_job *gh_job_find(const struct gh *g, struct span id);
/* "step 3" or "step Run tests". */
struct span gh_step_name(struct gh *g, const struct gh_step *s, size_t at);

void gh_steps_judge(struct gh *g, struct gh_job *j);             /* A01, A03, A10, A11, A14, A16 in steps */
void gh_jobs_judge(struct gh *g);                                /* A02, A03–A07, A09, X07 */
void gh_workflow_judge(struct gh *g);                            /* A12, A13, A15, A16 */
void gh_condition_judge(struct gh *g, const struct ynode *cond); /* A08 */
#endif
