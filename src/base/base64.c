#include "base/base64.h"

static const char base64_digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *b, struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.n; i += 3) {
		size_t n = s.n - i < 3 ? s.n - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
		char out[4] = { base64_digit[v >> 18], base64_digit[v >> 12 & 63], n > 1 ? base64_digit[v >> 6 & 63] : '=',
				n > 2 ? base64_digit[v & 63] : '=' };
		buf_add(b, out, 4);
	}
}

bool base64_read(struct span s, struct buf *ret)
{
	uint32_t v = 0;
	int bits = 0;

	while (s.n && s.p[s.n - 1] == '=')
		s.n--;
	if (s.n % 4 == 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char *at = s.p[i] ? strchr(base64_digit, s.p[i]) : NULL;
		if (!at)
			return false;
		v = v << 6 | (uint32_t)(at - base64_digit);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf_addc(ret, (char)(v >> bits));
		}
	}
	return true;
}
