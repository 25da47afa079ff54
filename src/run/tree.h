#ifndef RUN_TREE_H
#define RUN_TREE_H

#include "base/arena.h"

/* The processes below us, as /proc shows them now. */
struct proc {
	int pid, ppid, group;
	char name[16];    /* the short one */
	char state;       /* R S D T t Z … */
	uint64_t start;   /* clock ticks since boot: with the pid, who it is */
	uint64_t used;    /* CPU ticks of its own */
	uint64_t done;    /* and of its children that have ended */
};

struct tree {
	struct proc *v;
	size_t n, cap;
};

/* Everything below pid `root`, by number; not the children in `skip` (pids) and what is below them. */
int tree_scan(struct tree *t, int root, const int *skip, size_t n_skip);
void tree_free(struct tree *t);
void tree_free_cleanup(struct tree *t);
/* To what tree_scan gave, once: these (each only once), unless they are there or gone. */
void tree_add(struct tree *t, const int *pids, size_t n);
bool tree_read(int pid, struct proc *ret); /* one process */
/* Send a signal to exactly this process: never to another that has got its number since. */
bool tree_signal(const struct proc *p, int sig);
/* Its command line (at most 200 bytes), else its short name; NULL: gone. */
const char *tree_command(struct arena *mem, int pid);
/* Does it have this pipe or terminal open? */
bool tree_holds(int pid, uint64_t inode);
#endif
