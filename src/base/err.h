#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/lang.h"

/* An error is a value of the caller's, on its stack, so that it works when memory is out. */
struct err {
	int code;      /* a positive errno */
	char msg[480]; /* one sentence that a user can act on, in the user's language */
};

/*
 * Fill *e (NULL is fine) and return -code, below zero always. %m in fmt is strerror(code).
 * Write both languages: err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), path)
 */
#define err_set(...) err_below_zero(err_fill(__VA_ARGS__))

int err_fill(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* So that compilers and analyzers follow no path on which an error is none. */
static inline int err_below_zero(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}
#endif
