#include "base/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#include <arm_neon.h>
#include <sys/auxv.h>
#endif

/* FIPS 180-4, 4.2.2: the fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constant[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, int by)
{
	return x >> by | x << (32 - by);
}

static uint32_t load32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_big(unsigned char *p, uint64_t x, int bytes)
{
	while (bytes--) {
		p[bytes] = (unsigned char)x;
		x >>= 8;
	}
}

static void schedule(const unsigned char *block, uint32_t w[64])
{
	for (int i = 0; i < 16; i++)
		w[i] = load32(block + 4 * i);
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];
		w[i] = w[i - 16] + (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) + w[i - 7] + (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
	}
}

static void compress(uint32_t h[8], const unsigned char *block)
{
	uint32_t w[64], v[8];

	schedule(block, w);
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 64; i += 8) {
#pragma GCC unroll 8
		for (int k = 0; k < 8; k++) { /* the letters move on by one each round: here their places do */
#define LETTER(n) v[(n - k) & 7]
			uint32_t a = LETTER(0), e = LETTER(4);
			uint32_t t1 = LETTER(7) + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & LETTER(5)) ^ (~e & LETTER(6))) + round_constant[i + k] + w[i + k];
			LETTER(3) += t1;
			LETTER(7) = t1 + (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & LETTER(1)) ^ (a & LETTER(2)) ^ (LETTER(1) & LETTER(2)));
#undef LETTER
		}
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
	explicit_bzero(w, sizeof(w));
}

static void blocks_portable(uint32_t h[8], const unsigned char *p, size_t n)
{
	for (; n; n--, p += 64)
		compress(h, p);
}

#if defined(__x86_64__)
/* Intel's SHA extensions: four rounds for each four words of the schedule; the state is kept as ABEF and CDGH. */
__attribute__((target("sha,sse4.1,ssse3"))) static void blocks_hardware(uint32_t h[8], const unsigned char *p, size_t n)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)h), 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(h + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(dcba, hgfe, 8), cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);

	for (; n; n--, p += 64) {
		__m128i abef0 = abef, cdgh0 = cdgh, w[4];
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			__m128i *now = &w[i & 3];
			if (i < 4) {
				*now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)), swap);
			} else { /* w[t-16] + s0(w[t-15]) + w[t-7] + s1(w[t-2]) */
				__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(i + 1) & 3]), _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
				*now = _mm_sha256msg2_epu32(sum, w[(i + 3) & 3]);
			}
			__m128i wk = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(const void *)(round_constant + 4 * i)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef0);
		cdgh = _mm_add_epi32(cdgh, cdgh0);
	}
	__m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)(void *)h, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(void *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

static bool has_hardware(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1u << 29;
}
#elif defined(__aarch64__) && defined(__AARCH64EL__)
/* ARMv8's SHA-2 instructions. */
__attribute__((target("+crypto"))) static void blocks_hardware(uint32_t h[8], const unsigned char *p, size_t n)
{
	uint32x4_t abcd = vld1q_u32(h), efgh = vld1q_u32(h + 4);

	for (; n; n--, p += 64) {
		uint32x4_t abcd0 = abcd, efgh0 = efgh, w[4];
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			uint32x4_t *now = &w[i & 3];
			if (i < 4)
				*now = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p + 16 * i)));
			else
				*now = vsha256su1q_u32(vsha256su0q_u32(*now, w[(i + 1) & 3]), w[(i + 2) & 3], w[(i + 3) & 3]);
			uint32x4_t wk = vaddq_u32(*now, vld1q_u32(round_constant + 4 * i)), before = abcd;
			abcd = vsha256hq_u32(abcd, efgh, wk);
			efgh = vsha256h2q_u32(efgh, before, wk);
		}
		abcd = vaddq_u32(abcd, abcd0);
		efgh = vaddq_u32(efgh, efgh0);
	}
	vst1q_u32(h, abcd);
	vst1q_u32(h + 4, efgh);
}

static bool has_hardware(void)
{
	return getauxval(AT_HWCAP) & HWCAP_SHA2;
}
#else
#define blocks_hardware blocks_portable
static bool has_hardware(void)
{
	return false;
}
#endif

typedef void blocks_fn(uint32_t h[8], const unsigned char *p, size_t n);
static blocks_fn blocks_choose;
static blocks_fn *_Atomic blocks = blocks_choose; /* threads may choose at the same time: all choose the same */

static void blocks_choose(uint32_t h[8], const unsigned char *p, size_t n)
{
	sha256_use_hardware(true);
	blocks(h, p, n);
}

bool sha256_use_hardware(bool use)
{
	bool there = has_hardware();

	blocks = use && there ? blocks_hardware : blocks_portable;
	return there;
}

void sha256_begin(struct sha256 *s)
{
	/* FIPS 180-4, 5.3.3: the fractions of the square roots of the first 8 primes. */
	*s = (struct sha256){ .h = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };
}

void sha256_more(struct sha256 *s, struct span data)
{
	const unsigned char *p = (const unsigned char *)data.p;
	size_t n = data.n, held = s->total % 64;

	if (!n)
		return;
	s->total += n;
	if (held) {
		size_t take = n < 64 - held ? n : 64 - held;
		memcpy(s->block + held, p, take);
		if (held + take < 64)
			return;
		blocks(s->h, s->block, 1);
		p += take;
		n -= take;
	}
	if (n >= 64)
		blocks(s->h, p, n / 64);
	if (n % 64)
		memcpy(s->block, p + n / 64 * 64, n % 64);
}

void sha256_end(struct sha256 *s, unsigned char ret[SHA256_SIZE])
{
	size_t held = s->total % 64;

	s->block[held++] = 0x80;
	if (held > 56) {
		memset(s->block + held, 0, 64 - held);
		blocks(s->h, s->block, 1);
		held = 0;
	}
	memset(s->block + held, 0, 56 - held);
	store_big(s->block + 56, s->total * 8, 8);
	blocks(s->h, s->block, 1);
	for (int i = 0; i < 8; i++)
		store_big(ret + 4 * i, s->h[i], 4);
	explicit_bzero(s, sizeof(*s));
}

void sha256(struct span data, unsigned char ret[SHA256_SIZE])
{
	struct sha256 s;

	sha256_begin(&s);
	sha256_more(&s, data);
	sha256_end(&s, ret);
}

void hmac_sha256(struct span key, struct span data, unsigned char ret[SHA256_SIZE])
{
	unsigned char pad[64] = { 0 };
	struct sha256 s;

	if (key.n > sizeof(pad))
		sha256(key, pad);
	else if (key.n)
		memcpy(pad, key.p, key.n);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	sha256_begin(&s);
	sha256_more(&s, (struct span){ (const char *)pad, sizeof(pad) });
	sha256_more(&s, data);
	sha256_end(&s, ret);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha256_begin(&s);
	sha256_more(&s, (struct span){ (const char *)pad, sizeof(pad) });
	sha256_more(&s, (struct span){ (const char *)ret, SHA256_SIZE });
	sha256_end(&s, ret);
	explicit_bzero(pad, sizeof(pad));
}

void hex_lower(const unsigned char *p, size_t n, char *ret)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret++ = digit[p[i] >> 4];
		*ret++ = digit[p[i] & 15];
	}
	*ret = '\0';
}
