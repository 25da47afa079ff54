#ifndef CHECK_CI_INTERP_H
#define CHECK_CI_INTERP_H

#include "check/ci/shell.h"

/* Which shell the words of a command line start, with which flags: `/bin/bash -eo pipefail -c`, `#!/usr/bin/env sh`. */
struct interp {
	enum shell_kind shell;
	enum shell_flag errexit, pipefail, xtrace;
};
/* What the words say is put over what *i was; sure false: they may not hold, so that a flag is SHELL_MAYBE. `_`: an unknown word. */
void interp_words(struct interp *i, struct span words, bool sure);
/* Is it a shell's name, or the path of one? */
bool interp_is_shell(struct span word);
#endif
