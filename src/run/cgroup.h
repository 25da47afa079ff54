#ifndef RUN_CGROUP_H
#define RUN_CGROUP_H

#include "base/buf.h"

/*
 * A control group of the run's own, below the one that we are in: it holds the command and all that
 * descends from it, wherever they hide, and the kernel counts for it. It limits nothing that was not
 * limited before, and it is gone when the run is over.
 */
struct cgroup {
	int version;  /* 2 or 1; 0: there is none, and nothing below is set */
	bool memory;  /* its memory is counted: peak and OOM kills */
	int parent;   /* the group that we are in */
	int dir;
	int join;     /* who writes "0" here is in it */
	size_t kind;
	char name[48];
};

struct pids { /* by number, each once */
	int *v;
	size_t n, cap;
};

/* -errno and the reason when none can be made here: the run goes on without. */
int cgroup_new(struct cgroup *ret, struct err *e);
/* The same with the folder where they are mounted and the text of /proc/self/cgroup given. */
int cgroup_open(const char *root, struct span self, struct cgroup *ret, struct err *e);
/* What still lives in it goes back to where it would be without us; then it is removed. */
void cgroup_close(struct cgroup *g);

/* Every process in it and in the groups that were made below it. None: 0 of them. */
int cgroup_pids(const struct cgroup *g, struct pids *ret);
bool pids_have(const struct pids *l, int pid);
void pids_free_cleanup(struct pids *l);
bool cgroup_kill(const struct cgroup *g); /* all of them at once; false: this kernel cannot */
/* What the kernel held against memory limits at the worst moment, pages of files included; -1: not known. */
int64_t cgroup_peak_kb(const struct cgroup *g);
int cgroup_events(const struct cgroup *g); /* a new descriptor of the file that counts oom_kill; -1 */

/* The path of the memory controller (v1) or of the unified tree (v2) in /proc/self/cgroup. */
struct span cgroup_path(struct span text, int version);
/* Does a version 2 group set limits that a program which looks only at its own group would miss below it? */
bool cgroup_is_limited(int dir);
/* Groups of runs that were killed before they could remove them; only empty ones go. */
void cgroup_sweep(int dir);
#endif
