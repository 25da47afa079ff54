#ifndef RUN_PROOF_H
#define RUN_PROOF_H

#include "model/report.h"
#include "run/cgroup.h"

/* The kernel's counters before and after a run: was something killed for memory? */
struct proof {
	int cgroup;            /* 2, 1, or 0: none */
	int events;            /* its memory.events or memory.oom_control; -1 */
	bool own;              /* not the root group, which is the whole machine */
	bool runs;             /* nothing but the run is in it */
	int64_t cgroup_kills, machine_kills; /* at the start; -1: not known */
	int64_t began;         /* CLOCK_MONOTONIC */
	bool kmsg;
};

struct killed {            /* what is asked about */
	int pid;
	int sig;
	bool by_us;
};

void proof_begin(struct proof *p, const struct cgroup *g);
void proof_facilities(const struct proof *p, const struct cgroup *g, const char *why, struct report *r);
/* The ladder, strongest evidence first. `failed`: the run went wrong and not every kill in it can be known. */
enum oom_proof proof_oom(const struct proof *p, const struct killed *v, size_t n, bool failed, struct arena *mem,
			 const char **ret_why);
void proof_end(struct proof *p); /* and forget its group */

/* The pure parts. */
int64_t proof_counter(struct span text, struct span key); /* "oom_kill 3" in a line of its own; -1: not there */
/* One record of /dev/kmsg: the pid that the OOM killer took; 0: another record. */
int proof_kmsg_victim(struct span record, int64_t *ret_usec);

void facility_add(struct report *r, const char *name, const char *value, const char *why);
#endif
