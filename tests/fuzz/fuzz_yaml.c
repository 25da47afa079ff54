/* Any bytes as YAML: a tree within the limits, or one sentence. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "parse/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static size_t check_tree(const struct yaml *v, int depth)
{
	size_t n = 0, all = 1;

	check(depth <= YAML_DEPTH && v->line > 0 && v->column > 0);
	check(v->kind == YAML_SCALAR ? v->text.p && !v->first : !v->text.p);
	if (v->text.p)
		check(strlen(v->text.p) == v->text.n);
	for (const struct yaml *c = v->first; c; c = c->next, n++) {
		check(!c->key == (v->kind == YAML_LIST));
		if (c->key) {
			check(c->key->kind == YAML_SCALAR && yaml_get(v, c->key->text.p) == c);
			all += 1;
		}
		all += check_tree(c, depth + 1);
	}
	check(n == v->n);
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct err e = { 0 };
	struct yaml *root;

	int r = yaml_read("fuzz.yaml", (struct span){ (const char *)data, size }, &mem, &root, &e);
	check(r <= 0 && (r < 0) == (e.msg[0] != '\0') && (r == 0 || !root));
	if (root && size < 4096) /* yaml_get walks the list */
		check(check_tree(root, 0) <= YAML_NODES);
	return 0;
}
