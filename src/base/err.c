#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int err_fill(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (code < 0)
		code = -code;
	if (!code)
		code = EINVAL;
	if (e) {
		e->code = code;
		errno = code; /* for %m */
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
		va_end(ap);
	}
	return -code;
}
