#include "base/mem.h"
#include "base/text.h"
#include "cli/probing.h"
#include "probe/diff.h"

/* Differences, section by section. */

#define VALUE_SHOWN 160 /* bytes of a setting */

static void say_value(struct buf *b, const char *value)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	struct span s = utf8_head(span_of(value), VALUE_SHOWN);
	say_clean(&text, s);
	if (s.n < strlen(value))
		buf_adds(&text, "…");
	buf_adds(b, text.len ? buf_str(&text) : TR("(nothing)", "（无）"));
}

static void say_one(const struct change *c, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	bool gone = c->before && !c->after, came = c->after && !c->before;

	say_clean(&name, span_of(c->name));
	buf_adds(b, "  ");
	say_paint(b, t, gone ? PAINT_RED : came ? PAINT_GREEN : PAINT_YELLOW, gone ? "-" : came ? "+" : "~");
	buf_addf(b, " %s", buf_str(&name));
	if (gone && *c->before) {
		buf_adds(b, "  ");
		say_value(b, c->before);
	} else if (came && *c->after) {
		buf_adds(b, "  ");
		say_value(b, c->after);
	} else if (c->before && c->after) {
		buf_adds(b, "  ");
		say_value(b, c->before);
		buf_adds(b, " → ");
		say_value(b, c->after);
	}
	if (c->why) {
		buf_adds(b, "  ");
		say_clean(b, span_of(c->why));
	}
	buf_addc(b, '\n');
}

void show_changes(const struct changes *c, const char *before, const char *after, size_t max,
		  const struct term *t, struct buf *b)
{
	size_t n, end;

	buf_adds(b, "- ");
	say_clean(b, span_of(before));
	buf_adds(b, "\n+ ");
	say_clean(b, span_of(after));
	buf_addc(b, '\n');
	for (size_t i = 0; i < c->n; i = end) {
		for (end = i; end < c->n && c->v[end].what == c->v[i].what; end++)
			;
		n = end - i;
		buf_addc(b, '\n');
		say_paint(b, t, PAINT_BOLD, change_title(c->v[i].what));
		buf_addf(b, n > 1 ? " (%zu)\n" : "\n", n);
		for (size_t k = i; k < end && (!max || k - i < max); k++)
			say_one(&c->v[k], t, b);
		if (max && n > max)
			buf_addf(b,
				 TR("  and %zu more; --json has all\n", "  还有 %zu 项；--json 可看全部\n"),
				 n - max);
	}
	if (!c->n)
		buf_addf(b, "%s\n", TR("no difference", "没有差异"));
}
