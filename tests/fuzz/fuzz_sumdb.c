/* Any bytes as what a checksum database answers: nothing that it did not sign is believed, and nothing breaks. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mod/note.h"
#include "mod/sumdb.h"
#include "mod/tlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY "sum.golang.org"

static void check(bool holds)
{
	if (!holds)
		abort();
}

struct answers {
	struct span lookup, tile;
};

static void get(void *ctx, const char *const *paths, size_t n, struct sumdb_got *got)
{
	const struct answers *a = ctx;

	for (size_t i = 0; i < n; i++)
		buf_span(&got[i].text, strncmp(paths[i], "/lookup/", 8) ? a->tile : a->lookup);
}

static const unsigned char *tile(void *ctx, const struct tlog_tile *t)
{
	const struct answers *a = ctx;

	check(t->level >= 0 && t->index >= 0 && t->width >= 1 && t->width <= 256);
	return a->tile.n >= (size_t)t->width * TLOG_HASH ? (const unsigned char *)a->tile.p : NULL;
}

/* The tree that is proved has the sizes that the first bytes say. */
static void prove(struct answers *a)
{
	struct tlog_tree old = { 0 }, new = { 0 };
	unsigned char leaf[TLOG_HASH] = { 0 };
	int64_t id;

	if (a->lookup.n < 18)
		return;
	memcpy(&new.n, a->lookup.p, 6);
	memcpy(&old.n, a->lookup.p + 6, 6);
	memcpy(&id, a->lookup.p + 10, 8);
	tlog_included(&new, id, leaf, tile, a);
	if (old.n <= new.n)
		tlog_consistent(&old, &new, tile, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = { (const char *)data, size }, text;
	struct answers a = { .tile = all };
	struct arena mem = { 0 };
	struct note_key k;
	struct err e = { 0 };

	a.lookup = span_cut(&a.tile, '\0');
	check(note_key_read(KEY, &k, &e) == 0);
	int r = note_open(&k, all, &text, &e);
	check(r == 0 ? text.n > 0 && text.p >= all.p : r == -EBADMSG && e.msg[0]);
	note_key_free(&k);
	struct sumdb_question q = { .path = S("m.test/a"), .version = S("v1.0.0"), .hash = S("h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=") };
	const struct sumdb_options o = { KEY, NULL, get, &a };
	r = sumdb_ask(&o, &q, 1, &mem, &e);
	check(q.answer != SUMDB_AGREES);
	prove(&a);
	arena_free(&mem);
	return 0;
}
