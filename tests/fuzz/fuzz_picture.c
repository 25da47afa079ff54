/* Any bytes as the payload of any channel, drawn at any width: lines of one width, and no escape of the payload's own. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/alert_picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct term t = { .width = data[1] };
	struct picture_frame f = { .term = &t, .name = "fuzz", .paint = PAINT_RED };
	struct request q = { .kind = REQUEST_HTTP, .method = "POST" };
	struct alert a = { .kind = ALERT_FAILED, .summary = "it broke", .duration_ns = -1, .packages = -1, .tests = -1, .failed = -1 };
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_add(&q.body, (const char *)data + 2, size - 2);
	picture_draw(&f, channels[data[0] % CHANNEL_COUNT]->type, &q, &a, data[0] & 128 ? LANG_ZH : LANG_EN, &b);
	request_free(&q);
	struct span rest = buf_view(&b);
	size_t columns = text_width(span_head(rest, span_chr(rest, '\n')));
	while (rest.n)
		check(text_width(span_cut(&rest, '\n')) == columns);
	check(span_chr(buf_view(&b), '\033') == SPAN_NONE);
	return 0;
}
