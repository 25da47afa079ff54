#ifndef CLI_RUN_CONFIG_H
#define CLI_RUN_CONFIG_H

#include "cli/attempt.h"

/*
 * What no flag said is taken from the configuration, which must outlive o. go_test: the command is `go test`, whose
 * tests can be run again; for other commands rerun_fails says nothing.
 */
int run_configure(const struct config *c, const struct verb *v, const struct args *a, bool go_test, struct run_values *o,
		  struct err *e);
/* The language of the configuration, where neither --lang nor the environment says one. */
void config_speak(const struct config *c);
#endif
