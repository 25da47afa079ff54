#ifndef MOD_TOOLCHAIN_H
#define MOD_TOOLCHAIN_H

#include "mod/tree.h"

/* mod's own: which go the go and toolchain lines ask for, and GOTOOLCHAIN lets go fetch. */
struct wish {
	struct span version;  /* the newest of all go and toolchain lines: "1.24.0"; absent: nobody wants anything */
	const char *file;     /* where it stands */
	int64_t line;
	bool toolchain_line, three; /* 1.24.0, which go before 1.21 refuses */
};

struct wish toolchain_wish(const struct mod_tree *t);
/* The release that is run instead of the installed one (GOVERSION); absent: that will do, or must. mode: GOTOOLCHAIN. */
struct span toolchain_other(const struct wish *w, const char *mode, const char *installed);
#endif
