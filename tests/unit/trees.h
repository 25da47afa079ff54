#ifndef UNIT_TREES_H
#define UNIT_TREES_H

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"

/* Trees of files for tests to look at: a file below `top`, with the folders above it. */
static inline void tree_put(const char *top, const char *name, struct span text)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf dir = { 0 };
	struct err e;

	path_join(&path, top, name);
	buf_span(&dir, path_dir(buf_view(&path)));
	assert_int_equal(path_mkdirs(buf_str(&dir), 0755, &e), 0);
	assert_int_equal(file_replace(buf_str(&path), text, &e), 0);
}

/* The files `-- PATH --` of a rule's example, below a folder of their own. */
UNUSED static void tree_unpack(const char *top, const char *folder, const char *example)
{
	struct span rest = span_of(example), body = { 0 };
	char name[400] = "";

	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		if (!span_starts(line, S("-- ")) || !span_ends(line, S(" --"))) {
			body.n = (size_t)(rest.p - body.p);
			continue;
		}
		if (*name)
			tree_put(top, name, body);
		snprintf(name, sizeof(name), "%s/%.*s", folder, (int)line.n - 6, line.p + 3);
		body = (struct span){ rest.p, 0 };
	}
	if (*name)
		tree_put(top, name, body);
}
#endif
