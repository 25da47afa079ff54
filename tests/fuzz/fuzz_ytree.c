/* YAML of CI systems, or what claims to be: the tree, its texts, what is found along aliases. */
#include <stdlib.h>

#include "base/mem.h"
#include "check/ci/ytree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void see_text(struct ytree *y, const struct ynode *n)
{
	CLEANUP(mapped_free) struct mapped m = { 0 };

	ytext_into(&m, y, n);
	check(!m.bad && span_eq(ytext(y, n), buf_view(&m.text)));
	struct shell_run how = { .pieces = m.pieces, .n_pieces = m.n };
	for (uint32_t i = 0; i < m.text.len; i += 1 + m.text.len / 64) {
		uint32_t at = shell_in_file(&how, i);
		check(at >= n->from && at <= y->text.n);
	}
}

static void see(struct ytree *y, const struct ynode *n, unsigned depth)
{
	check(depth <= 2 * YTREE_DEPTH + 2);
	check(n->from <= n->to && n->to <= y->text.n);
	if (n->kind == YSCALAR)
		see_text(y, n);
	if (n->key)
		check(ykey(y, n).p != NULL);
	uint32_t count = 0;
	for (const struct ynode *v = n->first; v; v = v->next, count++)
		see(y, v, depth + 1);
	check(count == n->n);
	/* Merge keys and what was found through them. */
	if (n->kind == YMAP && depth < 8) {
		const struct ynode *run = yget(y, n, "run");
		check(!run || (run->kind != YALIAS && run->kind != YNULL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct syntax *parser;
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct span text = { (const char *)data, size };
	struct ytree y;

	if (!parser)
		check(yparser_open(&parser, NULL) == 0);
	if (ytree_parse(parser, text, &mem, &y, NULL) < 0)
		return 0;
	check(!y.bad && y.nodes <= YTREE_NODES);
	for (const struct ynode *d = y.docs; d; d = d->next)
		see(&y, d, 0);
	return 0;
}
