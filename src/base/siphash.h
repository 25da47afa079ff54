#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/span.h"

/*
 * SipHash-2-4 with 128 bits of output, after J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF"
 * (2012); the 128-bit form is that of their public-domain reference implementation, whose vectors our tests use.
 */
void siphash128(const unsigned char key[16], struct span data, unsigned char ret[16]);
#endif
