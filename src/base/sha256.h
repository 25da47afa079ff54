#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/span.h"

/* SHA-256 after FIPS 180-4 and HMAC after RFC 2104. Where the CPU has instructions for it (x86 SHA, ARMv8 SHA-2) they are used. */
#define SHA256_SIZE 32

struct sha256 {
	uint32_t h[8];
	uint64_t total;
	unsigned char block[64];
};
void sha256_begin(struct sha256 *s);
void sha256_more(struct sha256 *s, struct span data);
void sha256_end(struct sha256 *s, unsigned char ret[SHA256_SIZE]); /* wipes s */

void sha256(struct span data, unsigned char ret[SHA256_SIZE]);
void hmac_sha256(struct span key, struct span data, unsigned char ret[SHA256_SIZE]); /* leaves no copy of the key */
bool sha256_use_hardware(bool use); /* for tests: from now on; false: there are none */
void hex_lower(const unsigned char *p, size_t n, char *ret); /* 2 n digits and a NUL */
#endif
