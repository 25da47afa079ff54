/* Any bytes as a finding: a cause, then package, test, message, file, script and excerpt between bytes of value 0xfe. */
#include <stdlib.h>

#include "base/mem.h"
#include "model/fingerprint.h"
#include "model/frames.h"
#include "model/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_frames(struct span excerpt)
{
	struct frame fr[FRAMES_MAX];
	size_t n = frames_read(excerpt, fr);

	check(n <= FRAMES_MAX);
	for (size_t i = 0; i < n; i++) {
		check(fr[i].func.p >= excerpt.p && fr[i].func.p + fr[i].func.n <= excerpt.p + excerpt.n);
		check(fr[i].file.p >= excerpt.p && fr[i].file.p + fr[i].file.n <= excerpt.p + excerpt.n);
		check(fr[i].own || !fr[i].test);
	}
}

static void check_mask(struct span text)
{
	for (int level = MASK_LOOSE; level <= MASK_STRICT; level++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		mask_text(text, (enum mask_level)level, &b);
		check(!b.bad && b.len <= text.n + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *mem = mem_dup((const char *)data, size);
	struct span rest = { mem, size }, part[6];
	char a[FINGERPRINT_LEN + 1], b[FINGERPRINT_LEN + 1];

	check(mem != NULL);
	uint8_t cause = size ? data[0] : 0;
	rest = span_from(rest, 1);
	for (size_t i = 0; i < 5; i++)
		part[i] = span_cut(&rest, '\xfe');
	part[5] = rest;
	char *script = mem_dup(part[4].p, part[4].n);
	check(script != NULL);
	const char *argv[] = { "go", script, "-run", script, NULL };
	struct nested nested = { .argv = { argv, 4 }, .script = script, .masked = true };
	struct report r = { .argv = { argv, 4 }, .commands = &nested, .n_commands = 1 };
	struct finding f = { .cause = (enum cause)(cause % CAUSE_COUNT), .package = part[0], .test = part[1], .message = part[2],
			     .file = part[3], .excerpt = part[5], .command = nested.argv };

	CLEANUP(buf_free) struct buf text = { .max = FINGERPRINT_TEXT };
	fingerprint_text(&r, &f, &text);
	for (size_t i = 0; i < text.len; i++)
		check(text.p[i] == '\n' || text.p[i] < 0 || text.p[i] >= ' ');
	check(span_starts(buf_view(&text), S("tocsin fingerprint 1\ncause ")));
	fingerprint_make(&r, &f, a);
	f.line = f.column = 7; /* where it stands is no part of it */
	r.id[0] = '0';
	fingerprint_make(&r, &f, b);
	check(strlen(a) == FINGERPRINT_LEN && !strcmp(a, b));
	check_frames(part[5]);
	check_mask(part[2]);
	mem_free(script);
	mem_free(mem);
	return 0;
}
