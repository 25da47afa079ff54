#include "base/time.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

int64_t time_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t time_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

void time_rfc3339(int64_t wall, char out[32])
{
	time_t t = (time_t)(wall / NSEC_PER_SEC);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Exactly n digits, between least and most. */
static bool digits_skip(struct span *s, size_t n, int least, int most, int *ret)
{
	int64_t v;

	if (s->n < n || s->p[0] < '0' || s->p[0] > '9' || !span_int(span_head(*s, n), &v) || v < least || v > most)
		return false;
	*s = span_from(*s, n);
	*ret = (int)v;
	return true;
}

static bool fraction_skip(struct span *s, int64_t *ret)
{
	int64_t unit = NSEC_PER_SEC;
	size_t n = 0;

	*ret = 0;
	if (!span_skip(s, S(".")))
		return true;
	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		*ret += (s->p[n] - '0') * (unit /= 10);
	*s = span_from(*s, n);
	return n > 0;
}

/* "Z" or "+08:00", to the end of the text; in seconds. */
static bool offset_read(struct span s, int *ret)
{
	int hours, minutes, sign = span_skip(&s, S("-")) ? -1 : 1;

	*ret = 0;
	if (sign > 0 && (span_eq(s, S("Z")) || span_eq(s, S("z"))))
		return true;
	if ((sign > 0 && !span_skip(&s, S("+"))) || !digits_skip(&s, 2, 0, 23, &hours) || !span_skip(&s, S(":")) ||
	    !digits_skip(&s, 2, 0, 59, &minutes) || s.n)
		return false;
	*ret = sign * (hours * 3600 + minutes * 60);
	return true;
}

static int month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

#define YEAR_1678 INT64_C(-9214560000)
#define YEAR_2262 INT64_C(9214646400)

bool time_parse_rfc3339(struct span s, int64_t *ret)
{
	struct tm tm = { 0 };
	int64_t fraction;
	int year, month, offset;

	if (!digits_skip(&s, 4, 1678, 2261, &year) || !span_skip(&s, S("-")) || !digits_skip(&s, 2, 1, 12, &month) ||
	    !span_skip(&s, S("-")) || !digits_skip(&s, 2, 1, month_days(year, month), &tm.tm_mday) ||
	    (!span_skip(&s, S("T")) && !span_skip(&s, S("t"))) ||
	    !digits_skip(&s, 2, 0, 23, &tm.tm_hour) || !span_skip(&s, S(":")) ||
	    !digits_skip(&s, 2, 0, 59, &tm.tm_min) || !span_skip(&s, S(":")) ||
	    !digits_skip(&s, 2, 0, 60, &tm.tm_sec) || !fraction_skip(&s, &fraction) || !offset_read(s, &offset))
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	int64_t seconds = (int64_t)timegm(&tm) - offset;
	*ret = seconds * NSEC_PER_SEC + fraction;
	return seconds >= YEAR_1678 && seconds < YEAR_2262; /* the offset may have moved it */
}

static int64_t unit_of(struct span *s)
{
	static const struct { struct span name; int64_t ns; } units[] = {
		{ { "ns", 2 }, 1 }, { { "us", 2 }, 1000 }, { { "\xc2\xb5s", 3 }, 1000 }, { { "ms", 2 }, NSEC_PER_MSEC },
		{ { "s", 1 }, NSEC_PER_SEC }, { { "m", 1 }, 60 * NSEC_PER_SEC }, { { "h", 1 }, 3600 * NSEC_PER_SEC },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (span_skip(s, units[i].name))
			return units[i].ns;
	}
	return 0;
}

bool duration_parse(const char *text, int64_t *ret)
{
	struct span s = span_of(text);
	double sum = 0;

	if (span_eq(s, S("0"))) {
		*ret = 0;
		return true;
	}
	if (!s.n)
		return false;
	while (s.n) {
		double v = 0, place = 1;
		size_t digits = 0;
		for (; s.n && s.p[0] >= '0' && s.p[0] <= '9'; s = span_from(s, 1), digits++)
			v = v * 10 + (s.p[0] - '0');
		if (span_skip(&s, S("."))) {
			for (; s.n && s.p[0] >= '0' && s.p[0] <= '9'; s = span_from(s, 1), digits++)
				v += (s.p[0] - '0') * (place /= 10);
		}
		int64_t unit = digits ? unit_of(&s) : 0;
		if (!unit)
			return false;
		sum += v * (double)unit;
	}
	if (sum > 9e18)
		return false;
	*ret = (int64_t)(sum + 0.5);
	return true;
}

void duration_text(int64_t ns, char out[24])
{
	double s = (double)ns / 1e9;
	long long whole = ns / NSEC_PER_SEC;

	if (s < 10)
		snprintf(out, 24, "%.2fs", s);
	else if (s < 60)
		snprintf(out, 24, "%.1fs", s);
	else if (s < 3600)
		snprintf(out, 24, "%lldm%02llds", whole / 60, whole % 60);
	else
		snprintf(out, 24, "%lldh%02lldm", whole / 3600, whole / 60 % 60);
}

void ulid_make(int64_t wall, char out[27])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned char rnd[16];
	uint64_t ms = (uint64_t)(wall / NSEC_PER_MSEC);

	if (getrandom(rnd, sizeof(rnd), GRND_NONBLOCK) != (ssize_t)sizeof(rnd)) {
		uint64_t seed = (uint64_t)time_mono() ^ ((uint64_t)getpid() << 32);
		for (size_t i = 0; i < sizeof(rnd); i++)
			rnd[i] = (unsigned char)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 56);
	}
	for (int i = 9; i >= 0; i--, ms >>= 5)
		out[i] = digits[ms & 31];
	for (int i = 0; i < 16; i++)
		out[10 + i] = digits[rnd[i] & 31];
	out[26] = '\0';
}
