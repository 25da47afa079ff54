/*
 * Any bytes: in pieces of any size the same comes out as in one; little is held; twice changes nothing where once did
 * nothing; and of secrets that are planted in them none is left.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void in_pieces(const struct redact *x, struct span in, uint32_t seed, struct buf *ret)
{
	struct redact_stream r = { .x = x };

	while (in.n) {
		seed = seed * 1664525 + 1013904223;
		size_t n = 1 + (seed >> 16) % (seed & 64 ? 7 : 2000);
		redact_feed(&r, span_head(in, n), ret);
		check(r.window.len - r.done <= REDACT_HOLD);
		in = span_from(in, n);
	}
	redact_end(&r, ret);
	check(!ret->bad);
}

/* As a stream of events: cut anywhere, the same comes out; and nothing changes where there is nothing to take out. */
static void as_events(const struct redact *x, struct span in, uint32_t seed)
{
	CLEANUP(buf_free) struct buf one = { 0 }, many = { 0 };
	struct redact_stream whole = { .x = x, .events = true }, parts = { .x = x, .events = true };

	redact_feed(&whole, in, &one);
	size_t hits = whole.hits;
	redact_end(&whole, &one);
	for (struct span rest = in; rest.n;) {
		seed = seed * 1664525 + 1013904223;
		size_t n = 1 + (seed >> 16) % (seed & 64 ? 7 : 2000);
		redact_feed(&parts, span_head(rest, n), &many);
		if (seed & 0x4000)
			(void)redact_head(in, n);
		rest = span_from(rest, n);
	}
	hits += parts.hits;
	redact_end(&parts, &many);
	check(span_eq(buf_view(&one), buf_view(&many)));
	if (!hits && !redact_any(x, in) && span_find(in, S("Output")) == SPAN_NONE)
		check(span_eq(buf_view(&one), in));
}

static void both(const struct redact *x, struct span in, uint32_t seed, struct buf *whole)
{
	CLEANUP(buf_free) struct buf parts = { 0 };
	size_t n = redact_text(x, in, whole);

	in_pieces(x, in, seed, &parts);
	check(!whole->bad && span_eq(buf_view(whole), buf_view(&parts)));
	check((n > 0) == redact_any(x, in));
	as_events(x, in, seed);
	if (!n)
		check(span_eq(buf_view(whole), in));
}

/* Whatever is around them: a blank on each side is enough. */
static void planted(struct span a, struct span b, uint32_t seed)
{
	static const struct {
		const char *text;
		struct span secret;
	} secrets[] = {
		{ "\ngh" "p_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n", S("a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8") },
		{ "\nAPI_TOKEN=Qz7Wx8Ec9\n", S("Qz7Wx8Ec9") },
		{ "\npostgres://u:Qz7Wx8Ec9@h/\n", S("Qz7Wx8Ec9") },
		{ "\nhttps://x/open-apis/bot/v2/hook/Qz7Wx8Ec9\n", S("Qz7Wx8Ec9") },
		{ "\nProxy-Authorization: Bearer Qz7Wx8Ec9\n", S("Qz7Wx8Ec9") },
		{ "\nKn0wn-value\n", S("Kn0wn-value") },
	};
	struct redact *x = redact_new();

	check(x && redact_add_value(x, S("Kn0wn-value"), "robot"));
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		CLEANUP(buf_free) struct buf in = { 0 }, out = { 0 };
		if (span_find(a, secrets[i].secret) != SPAN_NONE || span_find(b, secrets[i].secret) != SPAN_NONE)
			continue;
		buf_span(&in, a);
		buf_adds(&in, secrets[i].text);
		buf_span(&in, b);
		both(x, buf_view(&in), seed, &out);
		check(span_find(buf_view(&out), secrets[i].secret) == SPAN_NONE);
	}
	redact_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *mem = mem_dup((const char *)data, size);
	struct span in = { mem, size };
	uint32_t seed = (uint32_t)span_hash(in);

	check(mem != NULL);
	CLEANUP(buf_free) struct buf whole = { 0 };
	both(NULL, in, seed, &whole);
	planted(span_head(in, size / 2), span_from(in, size / 2), seed);
	mem_free(mem);
	return 0;
}
