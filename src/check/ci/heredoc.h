#ifndef CHECK_CI_HEREDOC_H
#define CHECK_CI_HEREDOC_H

#include "base/span.h"

/* Here documents of a command line: `<<EOF`, `<<-'EOF'`. */
struct heredoc {
	struct span word; /* without quotes */
	size_t at, end;   /* of `<<…` in the command */
	bool tabs;        /* <<-: tabs before the delimiter do not count */
};
size_t heredoc_find(struct span command, struct heredoc *ret, size_t max);
bool heredoc_ends(const struct heredoc *h, struct span line);
#endif
