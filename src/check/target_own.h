#ifndef CHECK_TARGET_OWN_H
#define CHECK_TARGET_OWN_H

#include "check/target.h"

/* What a release of go brings: experiments that are on by default, and features of architectures. */
int target_tools(struct target *t, const char *experiment, struct arena *mem,
		 struct err *e);            /* fills t->tools */
bool target_feature_known(struct span tag); /* "amd64.v3": could it be a feature of some setting? */
#endif
