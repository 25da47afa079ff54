#include "parse/gotest.h"

#if defined(__SSE2__) && !defined(GOTEST_PORTABLE)
#include <emmintrin.h>
#define GOTEST_SSE2 1
#endif

#include "base/json.h"

#define DEPTH_MAX 512 /* of what stands in an unknown field */

struct in {
	const char *p, *end;
	const char *begin; /* of the line: blocks may be read from there on */
};

static bool is_stop(unsigned char c)
{
	return c == '"' || c == '\\' || c < 0x20;
}

#ifdef GOTEST_SSE2
static inline unsigned stops16(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	__m128i ctl = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), ctl));
}

/* The first quote, backslash or control byte at or after p; end when there is none. */
static inline const char *find_stop(const struct in *in, const char *p)
{
	unsigned m;

	for (; in->end - p >= 16; p += 16) {
		m = stops16(p);
		if (m)
			return p + __builtin_ctz(m);
	}
	if (in->end - in->begin >= 16) { /* the last block once more, without what was seen */
		m = stops16(in->end - 16) >> (16 - (in->end - p));
		return m ? p + __builtin_ctz(m) : in->end;
	}
	while (p < in->end && !is_stop((unsigned char)*p))
		p++;
	return p;
}
#else
#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* High bits where a byte is 0 (and perhaps in bytes above the first such). */
static inline uint64_t zeros(uint64_t v)
{
	return (v - ONES) & ~v & HIGHS;
}

static inline const char *find_stop(const struct in *in, const char *p)
{
	for (; in->end - p >= 8; p += 8) {
		uint64_t v;
		memcpy(&v, p, 8);
		if (zeros(v ^ ONES * '"') | zeros(v ^ ONES * '\\') | ((v - ONES * 0x20) & ~v & HIGHS))
			break;
	}
	while (p < in->end && !is_stop((unsigned char)*p))
		p++;
	return p;
}
#endif

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* The length of the escape at p (a backslash); 0: broken or cut off. */
static inline size_t escape_length(const char *p, const char *end)
{
	if (end - p < 2)
		return 0;
	switch (p[1]) {
	case 'n': case '"': case '\\': case 't': case '/': case 'b': case 'f': case 'r':
		return 2;
	case 'u':
		return end - p >= 6 && is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5]) ? 6 : 0;
	default:
		return 0;
	}
}

/* in->p is behind the opening quote; afterwards behind the closing one. */
static inline bool read_string(struct in *in, struct jstr *ret)
{
	const char *from = in->p, *p = find_stop(in, from), *first = NULL;

	while (p < in->end && *p == '\\') {
		size_t n = escape_length(p, in->end);
		if (!n)
			return false;
		if (!first)
			first = p;
		p += n;
		if (p < in->end && *p != '"')
			p = find_stop(in, p);
	}
	if (p >= in->end || *p != '"')
		return false;
	ret->p = from;
	ret->n = (size_t)(p - from);
	ret->esc = first != NULL;
	ret->tail_nl = first && first == p - 2 && first[1] == 'n';
	in->p = p + 1;
	return true;
}

static inline void skip_blank(struct in *in)
{
	while (in->p < in->end && (*in->p == ' ' || *in->p == '\t' || *in->p == '\r'))
		in->p++;
}

/* Step over c, with blanks around it. */
static inline bool take(struct in *in, char c)
{
	if (in->p < in->end && *in->p == c) {
		in->p++;
		if (in->p < in->end && (unsigned char)*in->p <= ' ')
			skip_blank(in);
		return true;
	}
	skip_blank(in);
	if (in->p >= in->end || *in->p != c)
		return false;
	in->p++;
	skip_blank(in);
	return true;
}

static bool take_digits(struct in *in, uint64_t *mantissa, int *scale, int each)
{
	const char *from = in->p;

	for (; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++) {
		if (*mantissa < UINT64_C(1000000000000000000)) {
			*mantissa = *mantissa * 10 + (uint64_t)(*in->p - '0');
			*scale += each;
		} else if (!each && *scale < 1000) {
			(*scale)++;
		}
	}
	return in->p > from;
}

static double scaled(uint64_t mantissa, int64_t scale)
{
	double v = (double)mantissa, ten = 10;

	for (int64_t n = scale < 0 ? -scale : scale; n; n >>= 1, ten *= ten) {
		if (n & 1)
			v = scale < 0 ? v / ten : v * ten;
	}
	return v;
}

/* A JSON number. -1 for one that is no sensible count of seconds. */
static bool read_number(struct in *in, double *ret)
{
	bool minus = in->p < in->end && *in->p == '-';
	uint64_t mantissa = 0, exponent = 0;
	int scale = 0, none = 0;

	in->p += minus;
	bool zero = in->p < in->end && *in->p == '0';
	const char *from = in->p;
	if (!take_digits(in, &mantissa, &scale, 0) || (zero && in->p - from > 1))
		return false;
	if (in->p < in->end && *in->p == '.') {
		in->p++;
		if (!take_digits(in, &mantissa, &scale, -1))
			return false;
	}
	bool down = false;
	if (in->p < in->end && (*in->p | 32) == 'e') {
		in->p++;
		down = in->p < in->end && *in->p == '-';
		in->p += in->p < in->end && (*in->p == '+' || *in->p == '-');
		if (!take_digits(in, &exponent, &none, 0))
			return false;
	}
	int64_t e = exponent > 300 ? 300 : (int64_t)exponent;
	double v = scaled(mantissa, scale + (down ? -e : e));
	*ret = minus || !(v < 1e15) ? -1 : v;
	return true;
}

static bool skip_scalar(struct in *in)
{
	static const struct span words[] = { { "true", 4 }, { "false", 5 }, { "null", 4 } };
	struct jstr s;
	double d;

	if (in->p >= in->end)
		return false;
	if (*in->p == '"') {
		in->p++;
		return read_string(in, &s);
	}
	for (size_t i = 0; i < 3; i++) {
		if (span_starts((struct span){ in->p, (size_t)(in->end - in->p) }, words[i])) {
			in->p += words[i].n;
			return true;
		}
	}
	return read_number(in, &d);
}

static bool skip_key(struct in *in)
{
	struct jstr s;

	if (in->p >= in->end || *in->p != '"')
		return false;
	in->p++;
	return read_string(in, &s) && take(in, ':');
}

/* Step over any value, nested ones without recursion. */
static bool skip_value(struct in *in)
{
	unsigned char stack[DEPTH_MAX];
	size_t depth = 0;

	for (;;) {
		if (in->p < in->end && (*in->p == '{' || *in->p == '[')) {
			if (depth == DEPTH_MAX)
				return false;
			stack[depth++] = *in->p == '{' ? '}' : ']';
			take(in, *in->p);
			if (in->p < in->end && *in->p != (char)stack[depth - 1]) {
				if (stack[depth - 1] == '}' && !skip_key(in))
					return false;
				continue;
			}
		} else if (!skip_scalar(in)) {
			return false;
		}
		while (depth && !take(in, ',')) {
			if (!take(in, (char)stack[depth - 1]))
				return false;
			depth--;
		}
		if (!depth)
			return true;
		if (stack[depth - 1] == '}' && !skip_key(in))
			return false;
	}
}

#define KEY(n, c) ((unsigned)(n) << 8 | (unsigned char)(c))
#define WORD(s, lit, value) (memcmp((s), lit, sizeof(lit) - 1) == 0 ? (value) : 0)

static inline enum gotest_action action_of(struct jstr s)
{
	switch (s.n ? KEY(s.n, s.p[0]) : 0) {
	case KEY(6, 'o'): return WORD(s.p, "output", ACT_OUTPUT);
	case KEY(3, 'r'): return WORD(s.p, "run", ACT_RUN);
	case KEY(4, 'p'): return WORD(s.p, "pass", ACT_PASS);
	case KEY(4, 'f'): return WORD(s.p, "fail", ACT_FAIL);
	case KEY(4, 's'): return WORD(s.p, "skip", ACT_SKIP);
	case KEY(4, 'c'): return WORD(s.p, "cont", ACT_CONT);
	case KEY(4, 'a'): return WORD(s.p, "attr", ACT_ATTR);
	case KEY(5, 'p'): return WORD(s.p, "pause", ACT_PAUSE);
	case KEY(5, 's'): return WORD(s.p, "start", ACT_START);
	case KEY(5, 'b'): return WORD(s.p, "bench", ACT_BENCH);
	case KEY(9, 'a'): return WORD(s.p, "artifacts", ACT_ARTIFACTS);
	case KEY(10, 'b'): return WORD(s.p, "build-fail", ACT_BUILD_FAIL);
	case KEY(12, 'b'): return WORD(s.p, "build-output", ACT_BUILD_OUTPUT);
	default: return ACT_UNKNOWN;
	}
}

enum field { F_UNKNOWN, F_ACTION, F_ELAPSED, F_STRING };

/* Which field is this? *at: where its string goes. */
static inline enum field field_of(struct jstr k, struct gotest_event *ret, struct jstr *action, struct jstr **at)
{
#define STRING(lit, member) (*at = &ret->member, WORD(k.p, lit, F_STRING))
	switch (k.n ? KEY(k.n, k.p[0]) : 0) {
	case KEY(4, 'T'):
		return k.p[1] == 'i' ? STRING("Time", time) : STRING("Test", test);
	case KEY(6, 'A'):
		*at = action;
		return WORD(k.p, "Action", F_ACTION);
	case KEY(7, 'P'): return STRING("Package", package);
	case KEY(6, 'O'): return STRING("Output", output);
	case KEY(7, 'E'): return WORD(k.p, "Elapsed", F_ELAPSED);
	case KEY(10, 'I'): return STRING("ImportPath", import_path);
	case KEY(11, 'F'): return STRING("FailedBuild", failed_build);
	case KEY(10, 'O'): return STRING("OutputType", output_type);
	case KEY(3, 'K'): return STRING("Key", key);
	case KEY(5, 'V'): return STRING("Value", value);
	case KEY(4, 'P'): return STRING("Path", path);
	default: return F_UNKNOWN;
	}
#undef STRING
}

/* One `"key":value` of any order and kind. Kept out of the way of the usual ones. */
static __attribute__((noinline)) bool read_field(struct in *in, struct gotest_event *ret, struct jstr *action)
{
	struct jstr key, *at = NULL;

	if (in->p >= in->end || *in->p != '"')
		return false;
	in->p++;
	if (!read_string(in, &key) || !take(in, ':'))
		return false;
	enum field f = field_of(key, ret, action, &at);
	if (f >= F_ACTION && f != F_ELAPSED && in->p < in->end && *in->p == '"') {
		in->p++;
		return read_string(in, at);
	}
	if (f == F_ELAPSED && in->p < in->end && (*in->p == '-' || (*in->p >= '0' && *in->p <= '9')))
		return read_number(in, &ret->elapsed);
	if (f == F_ELAPSED)
		ret->elapsed = -1;
	else if (f != F_UNKNOWN)
		*at = (struct jstr){ 0 };
	return skip_value(in);
}

/* A shortcut for the fields of nearly every line, written as Go writes them: steps to where the string's text begins. */
static inline struct jstr *usual_field(struct in *in, struct gotest_event *ret, struct jstr *action)
{
#define USUAL(lit, where) if (memcmp(in->p, "\"" lit "\":\"", sizeof(lit) + 3) == 0) return in->p += sizeof(lit) + 3, (where)
	if (in->end - in->p < 12)
		return NULL;
	switch (in->p[1]) {
	case 'T':
		USUAL("Time", &ret->time);
		USUAL("Test", &ret->test);
		break;
	case 'A':
		USUAL("Action", action);
		break;
	case 'P':
		USUAL("Package", &ret->package);
		break;
	case 'O':
		USUAL("Output", &ret->output);
		break;
	}
	return NULL;
#undef USUAL
}

bool gotest_read(struct span line, struct gotest_event *ret)
{
	struct in in = { .p = line.p, .end = line.p + line.n, .begin = line.p };
	struct jstr action = { 0 }, *at;

	*ret = (struct gotest_event){ .elapsed = -1 };
	if (!line.n || !take(&in, '{'))
		return false;
	do {
		at = usual_field(&in, ret, &action);
		if (!(at ? read_string(&in, at) : read_field(&in, ret, &action)))
			return false;
	} while (take(&in, ','));
	if (!take(&in, '}') || in.p != in.end || !action.p)
		return false;
	ret->action = action_of(action);
	return true;
}

struct span jstr_text(struct jstr s, struct buf *scratch)
{
	if (!s.esc)
		return (struct span){ s.p, s.n };
	buf_clear(scratch);
	buf_need(scratch, s.n);
	json_unescape((struct span){ s.p, s.n }, scratch);
	return buf_view(scratch);
}
