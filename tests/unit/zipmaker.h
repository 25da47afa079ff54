/* A zip, by hand: what no library would write can be made of it. */
#ifndef UNIT_ZIPMAKER_H
#define UNIT_ZIPMAKER_H

#include "base/buf.h"

struct maker {
	struct buf data, directory;
	int n;
};

static void le(struct buf *b, uint64_t x, int bytes)
{
	while (bytes--) {
		buf_addc(b, (char)x);
		x >>= 8;
	}
}

static uint32_t crc_of(struct span s)
{
	uint32_t c = 0xffffffff;

	for (size_t i = 0; i < s.n; i++) {
		c ^= (unsigned char)s.p[i];
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
	}
	return ~c;
}

/* A stored file; or a deflated one, of a stored block (RFC 1951, 3.2.4). */
static void add(struct maker *m, const char *name, struct span text, bool deflated)
{
	uint32_t crc = crc_of(text);
	size_t at = m->data.len, packed = text.n + (deflated ? 5 : 0);

	for (int i = 0; i < 2; i++) {
		struct buf *b = i ? &m->directory : &m->data;
		buf_add(b, i ? "PK\1\2" : "PK\3\4", 4);
		le(b, 20, i ? 4 : 2);
		le(b, 0, 2);
		le(b, deflated ? 8 : 0, 2);
		le(b, 0, 4);
		le(b, crc, 4);
		le(b, packed, 4);
		le(b, text.n, 4);
		le(b, strlen(name), 2);
		le(b, 0, i ? 12 : 2);
		if (i)
			le(b, at, 4);
		buf_adds(b, name);
	}
	if (deflated) {
		buf_addc(&m->data, 1);
		le(&m->data, text.n, 2);
		le(&m->data, ~text.n, 2);
	}
	buf_span(&m->data, text);
	m->n++;
}

static void end(struct maker *m)
{
	size_t at = m->data.len;

	buf_span(&m->data, buf_view(&m->directory));
	buf_add(&m->data, "PK\5\6\0\0\0\0", 8);
	le(&m->data, (uint64_t)m->n, 2);
	le(&m->data, (uint64_t)m->n, 2);
	le(&m->data, m->directory.len, 4);
	le(&m->data, at, 4);
	le(&m->data, 0, 2);
	buf_free(&m->directory);
}
#endif
