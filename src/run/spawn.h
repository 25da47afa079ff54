#ifndef RUN_SPAWN_H
#define RUN_SPAWN_H

#include <signal.h>
#include <sys/resource.h>

#include "base/buf.h"

/* Starting one process: fork, set up, exec. What failed and where comes back as a value, never as a status. */

enum spawn_step { SPAWN_GROUP, SPAWN_SETUP, SPAWN_EXEC };

struct spawn_fail {
	enum spawn_step step;
	int err;
};

struct spawn {
	const char *path;      /* the file to execute, resolved */
	char *const *argv, *const *envp;
	int fd[3];             /* what the child gets as 0, 1, 2; -1: as we were given it */
	bool terminal;         /* fd[1] is a terminal to be its controlling one, in a session of its own */
	const sigset_t *mask;  /* the mask that it gets */
	const struct rlimit *files; /* RLIMIT_NOFILE that it gets; NULL: as we have it */
	int group, join;       /* a control group to be in: its folder (version 2; else -1), and its file to write "0" to; -1: none */
};

struct child {
	int pid;
	int pidfd;   /* -1: not to be had */
	int fail;    /* a pipe that tells why exec failed; at its end without a word when it worked */
	int not_joined; /* told by spawn_failed: why it is not in the control group; 0: it is, or none was asked for */
};

/* Is this inherited as ignored? Remembered from before main, whatever the program has set since. */
bool spawn_inherited_ignored(int sig);
/* Was 0, 1 or 2 closed when we were started? For the command it is so again. */
bool spawn_inherited_closed(int fd);

/*
 * Find the file as a shell would: `name` with a slash is itself, else the first executable regular file
 * along `path` (NULL: the system's default). 0, or ENOENT; EACCES: only files that cannot be executed
 * were found, the first of them is in ret.
 */
int spawn_resolve(const char *name, const char *path, struct buf *ret);

/* Our environment with `add` ("NAME=value"; "NAME" alone removes it) over it; the strings are shared. */
char **spawn_env(const char *const *const *add, size_t n_add);

/* An error is ours (no memory, no descriptors, fork refused); *ret_fork tells the last apart. */
int spawn_start(const struct spawn *s, struct child *ret, bool *ret_fork, struct err *e);
/* After its end: did it never become the command? */
bool spawn_failed(struct child *c, struct spawn_fail *ret);
#endif
