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
