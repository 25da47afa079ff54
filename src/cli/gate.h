#ifndef CLI_GATE_H
#define CLI_GATE_H

#include "cli/attempt.h"

/*
 * What must hold before a command is run (--require-signed, --require-active). 1: it does not; *r is the report then, and the command is not to be
 * run; 0: it holds, or nothing was asked. An error: it could not be told, so the command must not run either.
 */
int gate_check(struct session *s, struct report *r, struct err *e);
#endif
