/* Go source, or what claims to be. */
#include <stdlib.h>

#include "parse/gofunc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool inside(struct span part, struct span whole)
{
	return !part.p || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct gofuncs at = { .rest = text };
	struct gotest_name name;
	struct gofunc f;
	size_t left = text.n;
	int line = 1;

	while (gofunc_next(&at, &f)) {
		check(inside(f.name, text) && f.name.n && inside(at.build, text));
		check(f.line >= line && at.rest.n < left);
		check(f.kind == GOFUNC_OTHER || f.kind == gofunc_named(f.name));
		line = f.line;
		left = at.rest.n;
	}
	check(!at.rest.n);
	if (gotest_name_read(text, &name))
		check(gofunc_named(name.function) != GOFUNC_OTHER && inside(name.package, text) && inside(name.below, text));
	return 0;
}
