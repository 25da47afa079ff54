#ifndef PARSE_PROTO_H
#define PARSE_PROTO_H

#include "base/buf.h"

/* Protocol buffers, the wire format: the fields of one message, one after the other. */
struct proto_field {
	unsigned number, type; /* type: 0 varint, 1 eight bytes, 2 a length and so many bytes, 5 four bytes */
	uint64_t value;        /* of 0, 1 and 5 */
	struct span data;      /* of 2 */
};

enum proto_next { PROTO_BAD = -1, PROTO_END, PROTO_FIELD };

/* Up to ten bytes. Steps over it; false: there is none. */
static inline bool proto_read(const unsigned char **at, const unsigned char *end, uint64_t *ret)
{
	const unsigned char *p = *at;
	uint64_t v = 0;

	for (unsigned shift = 0; p < end && shift < 70; shift += 7) {
		unsigned char c = *p++;
		v |= (uint64_t)(c & 0x7f) << (shift < 64 ? shift : 63);
		if (c < 0x80) {
			*at = p;
			*ret = v;
			return true;
		}
	}
	return false;
}

/* *at is an offset in the message; at a bad field it stays at its begin. */
enum proto_next proto_next(struct span message, size_t *at, struct proto_field *ret);
/* Why it is bad. */
struct tx proto_why(struct span message, size_t at);

void proto_varint(struct buf *b, uint64_t v);
void proto_int(struct buf *b, unsigned field, int64_t v); /* nothing when it is 0 */
void proto_bytes(struct buf *b, unsigned field, struct span s);
#endif
