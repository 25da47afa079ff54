#ifndef RUN_GOTOOL_H
#define RUN_GOTOOL_H

#include "base/buf.h"
#include "run/gocmd.h"

/* A short question to a go program. */
struct gotool_call {
	const char *path;
	const char *const *args; /* args[0] is its name; NULL-terminated, like env */
	const char *const *env;  /* put over our environment; may be NULL */
	const char *dir;         /* where; NULL: here */
	int64_t limit;           /* ns; then it is killed */
	bool want_stderr;        /* both streams, else only stdout */
};
/* Its output (bounded), also when it failed. Error: it could not be started, failed, or took too long. */
int gotool_ask(const struct gotool_call *c, struct buf *ret, struct err *e);
/* As gocmd_tool, of the go at `path`; c is what gocmd_read says of argv. */
int gotool_at(struct arena *mem, const char *path, const struct gocmd *c, const struct argv *argv, struct gotool *ret,
	      struct err *e);
#endif
