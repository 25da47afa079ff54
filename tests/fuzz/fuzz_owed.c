/* Any bytes as the body of a row: what can be read is written and read again, the same. */
#include <errno.h>
#include <stdlib.h>

#include "alert/owe.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* As C strings: what a NUL cuts off does not come back. */
static struct span cut(struct span s)
{
	return s.n ? span_of(s.p) : (struct span){ 0 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct owed_body o, again;
	struct err e = { 0 };

	int r = owed_read((struct span){ (const char *)data, size }, &mem, &o, &e);
	check(r == 0 || (r == -EBADMSG && e.msg[0]));
	if (r < 0)
		return 0;
	check(o.alert.n >= 2 && o.alert.p[0] != '[');
	if (o.alert.p == (const char *)data) /* an alert by itself */
		return 0;
	check(o.alert.p > (const char *)data && o.alert.p + o.alert.n < (const char *)data + size && o.alert.p[0] == '{' && o.alert.p[o.alert.n - 1] == '}');
	owed_json(o.config.p, o.project.p, o.group.p, o.escalates, o.alert, &b);
	check(!b.bad && owed_read(buf_view(&b), &mem, &again, &e) == 0);
	check(span_eq(again.alert, o.alert) && again.escalates == o.escalates);
	check(again.config.n == 0 || again.config.n >= cut(o.config).n); /* invalid UTF-8 is replaced, which is longer */
	check(!again.project.n == !cut(o.project).n && !again.group.n == !cut(o.group).n);
	return 0;
}
