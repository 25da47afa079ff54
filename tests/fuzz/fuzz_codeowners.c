/* CODEOWNERS of a repository that anybody may have written, and a path in it: dialect, length of the path, path, file. */
#include <stdlib.h>

#include "base/mem.h"
#include "parse/codeowners.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(codeowners_free) struct codeowners co = { 0 };
	struct span in = { (const char *)data, size };
	struct codeowners_hits hits;
	struct err e;

	if (in.n < 2)
		return 0;
	enum codeowners_dialect d = (enum codeowners_dialect)(data[0] % 3);
	struct span path = span_head(span_from(in, 2), data[1]), text = span_from(in, 2 + path.n);
	check(codeowners_parse(text, d, &co, &e) == 0);
	check(co.dialect != CODEOWNERS_AUTO && co.n_notes <= CODEOWNERS_NOTES_MAX);
	for (size_t i = 0; i < co.n_rules; i++) {
		check(co.rules[i].section < co.n_sections && co.rules[i].line > 0);
		check(co.rules[i].first_owner + co.rules[i].n_owners <= co.n_owners);
	}
	check(codeowners_match(&co, path, &hits, &e) == 0);
	check(hits.n <= CODEOWNERS_HITS_MAX && (!hits.n || hits.line > 0));
	for (size_t i = 0; i < hits.n; i++)
		check(hits.owner[i].n > 1 && span_chr(hits.owner[i], '@') != SPAN_NONE);
	return 0;
}
