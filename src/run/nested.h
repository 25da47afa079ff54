#ifndef RUN_NESTED_H
#define RUN_NESTED_H

#include "loop/loop.h"
#include "model/report.h"
#include "run/run.h"

/* The run's side of the nested go commands: the shim folder, the socket, the list of what was called. */
struct nested_server;
/*
 * Make the shim folder (one fixed path a user, holding `go` -> this program), a socket, and the
 * environment that a child needs. Listens on the loop. Fails softly: the caller says so in facilities.
 */
int nested_open(struct loop *l, const char *const *allow_masked, struct nested_server **ret, struct err *e);
/* PATH=…, TOCSIN_RUN=… to put over the child's environment; NULL-terminated; valid until nested_close. */
const char *const *nested_env(const struct nested_server *s);
/* --panics: who is told what the shims say of it. */
void nested_panics(struct nested_server *s, run_panics_fn *fn, void *ctx);
/* Why no `go` was put in front of PATH, though it listens; NULL: one was, here or by an outer run. */
const char *nested_idle(const struct nested_server *s);
/* The pid whose tree this is (the command's). Called right after the start. */
void nested_root(struct nested_server *s, int pid);
/* What the process connector tells: any descendant's end; finds a go that bypassed the shim and who was killed. */
void nested_proc_exec(struct nested_server *s, int pid);
void nested_proc_exit(struct nested_server *s, int pid, int wait_status);
/* We begin to end what outlived the command: how those end from now on is our doing, END_UNKNOWN. */
void nested_stopping(struct nested_server *s);
/* Take in what is still queued, then hand over everything; strings are copied to r->mem. */
int nested_take(struct nested_server *s, struct report *r, struct err *e);
/* What this process is called towards other runs. */
const char *nested_run_id(void);
void nested_close(struct nested_server *s); /* NULL is fine */
#endif
