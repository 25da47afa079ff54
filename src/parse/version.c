#include "parse/version.h"

/* ---- semantic versions ------------------------------------------------------------------------------------ */

struct semver {
	struct span major, minor, patch; /* minor and patch absent: not written */
	struct span pre, build;          /* with their - and +; empty: none */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_ident(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static size_t digits_at(struct span s)
{
	size_t n = 0;

	while (n < s.n && is_digit(s.p[n]))
		n++;
	return n;
}

static bool all_digits(struct span s)
{
	return digits_at(s) == s.n;
}

/* A number without leading zeros. */
static bool cut_number(struct span *s, struct span *ret)
{
	size_t n = digits_at(*s);

	if (!n || (n > 1 && s->p[0] == '0'))
		return false;
	*ret = span_head(*s, n);
	*s = span_from(*s, n);
	return true;
}

/* The mark and then identifiers between dots. In a prerelease numbers have no leading zeros. */
static bool cut_identifiers(struct span *s, char mark, struct span *ret)
{
	size_t at = 1, from = 1;

	*ret = span_head(*s, 0);
	if (!s->n || s->p[0] != mark)
		return true;
	for (;; at++) {
		if (at < s->n && is_ident(s->p[at]))
			continue;
		struct span id = span_head(span_from(*s, from), at - from);
		if (!id.n || (mark == '-' && id.n > 1 && id.p[0] == '0' && all_digits(id)))
			return false;
		if (at >= s->n || s->p[at] != '.')
			break;
		from = at + 1;
	}
	*ret = span_head(*s, at);
	*s = span_from(*s, at);
	return true;
}

static bool parse(struct span v, struct semver *ret)
{
	*ret = (struct semver){ 0 };
	if (!span_skip(&v, S("v")) || !cut_number(&v, &ret->major))
		return false;
	ret->pre = ret->build = span_head(v, 0);
	if (!v.n)
		return true;
	if (!span_skip(&v, S(".")) || !cut_number(&v, &ret->minor))
		return false;
	if (!v.n)
		return true;
	return span_skip(&v, S(".")) && cut_number(&v, &ret->patch) && cut_identifiers(&v, '-', &ret->pre) &&
	       cut_identifiers(&v, '+', &ret->build) && !v.n;
}

bool version_valid(struct span v)
{
	struct semver s;

	return parse(v, &s);
}

bool version_incompatible(struct span v)
{
	struct semver s;

	return parse(v, &s) && span_eq(s.build, S("+incompatible"));
}

bool version_canonical(struct span v)
{
	struct semver s;

	return parse(v, &s) && s.patch.p && (!s.build.n || span_eq(s.build, S("+incompatible")));
}

bool version_canonicalize(struct span v, struct buf *ret)
{
	struct semver s;

	if (!parse(v, &s))
		return false;
	buf_span(ret, span_head(v, span_eq(s.build, S("+incompatible")) ? v.n : v.n - s.build.n));
	buf_adds(ret, !s.minor.p ? ".0.0" : !s.patch.p ? ".0" : "");
	return true;
}

struct span version_major(struct span v)
{
	struct semver s;

	return parse(v, &s) ? span_head(v, 1 + s.major.n) : (struct span){ 0 };
}

struct span version_prerelease(struct span v)
{
	struct semver s;

	return parse(v, &s) ? s.pre : (struct span){ 0 };
}

static int compare_bytes(struct span a, struct span b)
{
	int c = memcmp(a.n ? a.p : "", b.n ? b.p : "", a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Decimal numbers of any length, without leading zeros. An absent one is less than any. */
static int compare_numbers(struct span a, struct span b)
{
	return a.n != b.n ? (a.n > b.n) - (a.n < b.n) : compare_bytes(a, b);
}

/* Of a semantic version: what is not written is 0. */
static int compare_parts(struct span a, struct span b)
{
	return compare_numbers(a.p ? a : S("0"), b.p ? b : S("0"));
}

static int compare_identifiers(struct span a, struct span b)
{
	bool num = all_digits(a);

	if (num != all_digits(b))
		return num ? -1 : 1;
	return num ? compare_numbers(a, b) : compare_bytes(a, b);
}

static int compare_pre(struct span a, struct span b)
{
	if (!a.n || !b.n)
		return (a.n == 0) - (b.n == 0);
	while (a.n && b.n) {
		a = span_from(a, 1);
		b = span_from(b, 1);
		struct span x = span_head(a, span_chr(a, '.')), y = span_head(b, span_chr(b, '.'));
		int c = compare_identifiers(x, y);
		if (c)
			return c;
		a = span_from(a, x.n);
		b = span_from(b, y.n);
	}
	return (a.n > 0) - (b.n > 0);
}

int version_compare(struct span a, struct span b)
{
	struct semver x, y;
	bool valid = parse(a, &x);
	int c;

	if (valid != parse(b, &y))
		return valid ? 1 : -1;
	if (!valid)
		return 0;
	if ((c = compare_numbers(x.major, y.major)) || (c = compare_parts(x.minor, y.minor)) ||
	    (c = compare_parts(x.patch, y.patch)))
		return c;
	return compare_pre(x.pre, y.pre);
}

/* ---- pseudo-versions -------------------------------------------------------------------------------------- */

#define TIME_DIGITS 14

static void put(struct pseudo_version *ret, size_t *at, const char *p, size_t n)
{
	if (n >= sizeof(ret->base) - *at) { /* sticks: nothing fits behind it */
		*at = sizeof(ret->base) - 1;
		ret->base[0] = '\0';
		return;
	}
	memcpy(ret->base + *at, p, n);
	ret->base[ *at += n] = '\0';
}

/* n - 1 for a decimal n > 0. */
static void put_decremented(struct pseudo_version *ret, size_t *at, struct span n)
{
	size_t zeros = 0;

	while (n.p[n.n - 1 - zeros] == '0')
		zeros++;
	size_t last = n.n - 1 - zeros;
	char less = (char)(n.p[last] - 1);
	put(ret, at, n.p, last);
	if (last || less != '0' || n.n == 1)
		put(ret, at, &less, 1);
	while (zeros--)
		put(ret, at, "9", 1);
}

/* Before the time: "-" after no version, "-0." after a release, "-rc.1.0." after a prerelease. */
static void set_base(struct span v, const struct semver *s, struct span before, struct pseudo_version *ret)
{
	size_t at = 0;

	if (before.n == 1 || (span_eq(before, S("-0.")) && span_eq(s->patch, S("0"))))
		return;
	if (span_eq(before, S("-0."))) {
		put(ret, &at, v.p, (size_t)(s->patch.p - v.p));
		put_decremented(ret, &at, s->patch);
	} else {
		put(ret, &at, v.p, (size_t)(before.p - v.p) + before.n - strlen(".0."));
	}
	if (s->build.n)
		put(ret, &at, s->build.p, s->build.n);
}

bool version_pseudo(struct span v, struct pseudo_version *ret)
{
	struct semver s;

	if (!parse(v, &s) || !s.pre.n)
		return false;
	size_t dash = span_rchr(s.pre, '-');
	struct span revision = span_from(s.pre, dash + 1), before = span_head(s.pre, dash);
	if (!revision.n || before.n <= TIME_DIGITS || span_chr(revision, '.') != SPAN_NONE)
		return false;
	struct span time = span_from(before, before.n - TIME_DIGITS);
	before = span_head(before, before.n - TIME_DIGITS);
	bool first = before.n == 1 && span_eq(s.minor, S("0")) && span_eq(s.patch, S("0"));
	if (!all_digits(time) ||
	    !(first || span_eq(before, S("-0.")) || (before.n > 3 && span_ends(before, S(".0.")))))
		return false;
	if (ret) {
		*ret = (struct pseudo_version){ .time = time, .revision = revision };
		set_base(v, &s, before, ret);
	}
	return true;
}

/* ---- versions of Go --------------------------------------------------------------------------------------- */

struct goversion {
	struct span major, minor, patch, kind, pre; /* absent: not there */
};

/* "21": from then on 1.21 is not 1.21.0 but what comes before its first release candidate. */
static bool minor_is_release(struct span minor)
{
	return compare_numbers(minor, S("21")) < 0;
}

static bool parse_go(struct span v, struct goversion *ret)
{
	*ret = (struct goversion){ 0 };
	if (!cut_number(&v, &ret->major))
		return false;
	if (!v.n) {
		ret->minor = ret->patch = S("0");
		return true;
	}
	if (!span_skip(&v, S(".")) || !cut_number(&v, &ret->minor))
		return false;
	if (!v.n) {
		ret->patch = minor_is_release(ret->minor) ? S("0") : (struct span){ 0 };
		return true;
	}
	if (span_skip(&v, S(".")))
		return cut_number(&v, &ret->patch) && !v.n;
	size_t n = 0;
	while (n < v.n && v.p[n] >= 'a' && v.p[n] <= 'z')
		n++;
	ret->kind = span_head(v, n);
	v = span_from(v, n);
	return n && (!v.n || (cut_number(&v, &ret->pre) && !v.n));
}

bool goversion_valid(struct span v)
{
	struct goversion g;

	return parse_go(v, &g);
}

int goversion_compare(struct span a, struct span b)
{
	struct goversion x, y;
	bool valid = parse_go(a, &x);
	int c;

	if (valid != parse_go(b, &y))
		return valid ? 1 : -1;
	if (!valid)
		return 0;
	if ((c = compare_numbers(x.major, y.major)) || (c = compare_numbers(x.minor, y.minor)) ||
	    (c = compare_numbers(x.patch, y.patch)) || (c = compare_bytes(x.kind, y.kind)))
		return c;
	return compare_numbers(x.pre, y.pre);
}

struct span goversion_language(struct span v)
{
	struct goversion g;

	if (!parse_go(v, &g))
		return (struct span){ 0 };
	bool alone = !g.minor.n || (span_eq(g.major, S("1")) && span_eq(g.minor, S("0")));
	return span_head(v, alone ? g.major.n : g.major.n + 1 + g.minor.n);
}

struct span goversion_of_toolchain(struct span name)
{
	size_t n = 0;

	if (span_chr(name, '/') != SPAN_NONE || span_chr(name, '\\') != SPAN_NONE ||
	    !span_skip(&name, S("go")))
		return (struct span){ 0 };
	while (n < name.n && name.p[n] != ' ' && name.p[n] != '\t' && name.p[n] != '-')
		n++;
	name = span_head(name, n);
	return goversion_valid(name) ? name : (struct span){ 0 };
}
