/* Shell, or what claims to be: the commands that a script is made of, and the rules over them. */
#include <stdlib.h>

#include "base/mem.h"
#include "check/ci/script.h"
#include "check/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void see(const struct sh *s, struct span text, int depth)
{
	check(depth <= 4 * SH_DEPTH && s->from <= s->to);
	for (size_t i = 0; i < s->n_words; i++)
		check(s->words[i].from + s->words[i].raw.n <= text.n &&
		      s->words[i].plain.n <= s->words[i].raw.n);
	for (const struct sh *kid = s->kids; kid; kid = kid->next)
		see(kid, text, depth + 1);
	for (const struct sh *sub = s->substs; sub; sub = sub->next)
		see(sub, text, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct syntax *parser;
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(lint_result_free) struct lint_result result = { 0 };
	struct span text = { (const char *)data, size };
	size_t errors = 0;
	struct err e;

	if (!parser)
		check(bashsyntax_open(&parser, NULL) == 0);
	if (!size || memchr(data, 0, size))
		return 0;
	const struct sh *root = script_parse(parser, &mem, text, 0, &errors, &e);
	if (root)
		see(root, text, 0);
	check(lint_run(
		      &(struct lint_options){
			      .root = "/nowhere", .threads = 1, .text_path = "fuzz.sh", .text = text },
		      &result, &e) == 0);
	for (size_t i = 0; i < result.n; i++)
		check(result.findings[i].from <= result.findings[i].to && result.findings[i].to <= size);
	return 0;
}
