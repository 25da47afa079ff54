#include "parse/proto.h"

#include "base/lang.h"

static uint64_t little(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

enum proto_next proto_next(struct span message, size_t *at, struct proto_field *ret)
{
	const unsigned char *p = (const unsigned char *)message.p + *at, *end = (const unsigned char *)message.p + message.n;
	uint64_t key, n;

	if (*at >= message.n)
		return PROTO_END;
	if (!proto_read(&p, end, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
		return PROTO_BAD;
	*ret = (struct proto_field){ .number = (unsigned)(key >> 3), .type = (unsigned)(key & 7) };
	switch (ret->type) {
	case 0:
		if (!proto_read(&p, end, &ret->value))
			return PROTO_BAD;
		break;
	case 1:
	case 5:
		n = ret->type == 1 ? 8 : 4;
		if ((size_t)(end - p) < n)
			return PROTO_BAD;
		ret->value = little(p, n);
		p += n;
		break;
	case 2:
		if (!proto_read(&p, end, &n) || n > (size_t)(end - p))
			return PROTO_BAD;
		ret->data = (struct span){ (const char *)p, n };
		p += n;
		break;
	default: return PROTO_BAD;
	}
	*at = (size_t)((const char *)p - message.p);
	return PROTO_FIELD;
}

struct tx proto_why(struct span message, size_t at)
{
	const unsigned char *p = (const unsigned char *)message.p + at, *end = (const unsigned char *)message.p + message.n;
	const struct tx cut = { "it ends in the middle of a field", "在字段中间结束" };
	const struct tx number = { "a number is longer than ten bytes", "数字超过十个字节" };
	const struct tx field = { "no field begins here", "此处没有字段开头" };
	uint64_t key, n;

	if (!proto_read(&p, end, &key))
		return end - p < 10 ? cut : number;
	if (key >> 3 == 0 || key >> 3 > 0x1fffffff)
		return field;
	switch (key & 7) {
	case 0: return end - p < 10 ? cut : number;
	case 1:
	case 5: return cut;
	case 2:
		if (!proto_read(&p, end, &n))
			return end - p < 10 ? cut : number;
		return (struct tx){ "a length reaches beyond the end of what holds it", "长度超出所在数据的末尾" };
	default: return field;
	}
}

/* ---- writing ---- */

void proto_varint(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_addc(b, (char)(v | 0x80));
		v >>= 7;
	}
	buf_addc(b, (char)v);
}

void proto_int(struct buf *b, unsigned field, int64_t v)
{
	if (!v)
		return;
	proto_varint(b, field << 3);
	proto_varint(b, (uint64_t)v);
}

void proto_bytes(struct buf *b, unsigned field, struct span s)
{
	proto_varint(b, field << 3 | 2);
	proto_varint(b, s.n);
	buf_span(b, s);
}
