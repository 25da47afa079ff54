/* Any bytes as the head of a request: the same answer whether they come at once or in pieces, and spans within them. */
#include <stdint.h>
#include <stdlib.h>

#include "parse/httphead.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void within(struct span s, const char *text, size_t size)
{
	check(!s.p || !s.n || (s.p >= text && s.p + s.n <= text + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct http_head h, part;

	int r = http_head_read((struct span){ text, size }, &h);
	check(r == 1 || r == 0 || r == -400 || r == -431 || r == -505);
	if (r == 1) {
		within(h.method, text, size);
		within(h.target, text, size);
		within(h.host, text, size);
		check(h.length <= size && h.length <= HTTP_HEAD_MAX && h.target.n && h.method.n);
		check(http_head_read((struct span){ text, h.length }, &part) == 1 && part.length == h.length);
		check(http_head_read((struct span){ text, h.length - 1 }, &part) == 0);
	}
	return 0;
}
