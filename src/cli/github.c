#include "cli/github.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

static void escape(struct buf *b, struct span s, bool property)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	text_clean(s, true, &clean);
	for (size_t i = 0; i < clean.len; i++) {
		char c = clean.p[i];
		if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
			buf_addf(b, "%%%02X", (unsigned char)c);
		else
			buf_addc(b, c);
	}
	b->bad |= clean.bad;
}

void github_text(struct buf *b, struct span s)
{
	escape(b, s, false);
}

void github_property(struct buf *b, const char *name, struct span value)
{
	if (!value.n || b->bad)
		return;
	buf_addf(b, "%s%s=", b->p[b->len - 1] == ' ' ? "" : ",", name);
	escape(b, value, true);
}

void github_number(struct buf *b, const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	if (value > 0)
		github_property(b, name, span_of(text));
}
