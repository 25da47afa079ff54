#include "cli/when.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/time.h"

#define DAY (INT64_C(86400) * NSEC_PER_SEC)

static const struct {
	const char *name;
	int64_t ns;
} lengths[] = { { "d", DAY }, { "w", 7 * DAY }, { "mo", 30 * DAY }, { "y", 365 * DAY } };

bool when_length(const char *text, int64_t *ret)
{
	struct span s = span_of(text);
	size_t digits = strspn(text, "0123456789");
	int64_t n;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		if (digits && !strcmp(text + digits, lengths[i].name) && span_int(span_head(s, digits), &n) && n <= 40000) {
			*ret = n > INT64_MAX / lengths[i].ns ? INT64_MAX : n * lengths[i].ns;
			return true;
		}
	}
	return duration_parse(text, ret);
}

bool when_instant(struct span s, int64_t *ret)
{
	char text[40];
	int64_t n;

	s = span_trim(s);
	if (s.n > 31)
		return false;
	if (span_int(s, &n)) { /* 100000000000 seconds are the year 5138 */
		*ret = n < 0 ? 0 : n < INT64_C(100000000000) ? n : n / 1000;
		bool fits = n >= 0 && *ret <= INT64_MAX / NSEC_PER_SEC;
		*ret = !fits ? 0 : n < INT64_C(100000000000) ? n * NSEC_PER_SEC : n * NSEC_PER_MSEC;
		return fits;
	}
	snprintf(text, sizeof(text), "%.*s%s", SPAN_ARG(s), s.n == 10 ? "T00:00:00" : s.n == 16 ? ":00" : "");
	if (strlen(text) > 10 && text[10] == ' ')
		text[10] = 'T';
	size_t len = strlen(text);
	if (len == 19) {
		snprintf(text + len, sizeof(text) - len, "Z");
	} else if (len > 23 && (text[len - 5] == '+' || text[len - 5] == '-') && strspn(text + len - 4, "0123456789") == 4) { /* +0000 */
		memmove(text + len - 1, text + len - 2, 3);
		text[len - 2] = ':';
	}
	return time_parse_rfc3339(span_of(text), ret);
}

int when_flag(const char *flag, const char *text, int64_t now, bool past, int64_t *ret, struct err *e)
{
	int64_t length;

	if (when_instant(span_of(text), ret))
		return 0;
	if (!when_length(text, &length))
		return err_set(e, EINVAL, TR("--%s needs a date such as 2026-12-31 or a length of time such as 30d, 2w or 12h, not '%s'",
					     "--%s 需要 2026-12-31 这样的日期，或 30d、2w、12h 这样的时长，而不是“%s”"), flag, text);
	if (past)
		*ret = length > now ? 0 : now - length;
	else
		*ret = length > INT64_MAX - now ? INT64_MAX : now + length;
	return 0;
}

void when_age(int64_t ns, char out[16])
{
	static const struct {
		int64_t from, unit;
		struct tx name;
	} steps[] = {
		{ 730 * DAY, 365 * DAY, { "y", "年" } }, { 60 * DAY, 7 * DAY, { "w", "周" } }, { DAY, DAY, { "d", "天" } },
		{ 3600 * NSEC_PER_SEC, 3600 * NSEC_PER_SEC, { "h", "小时" } }, { 60 * NSEC_PER_SEC, 60 * NSEC_PER_SEC, { "m", "分" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (ns >= steps[i].from) {
			snprintf(out, 16, "%lld%s", (long long)(ns / steps[i].unit), tx(steps[i].name));
			return;
		}
	}
	snprintf(out, 16, "%s", TR("now", "刚刚"));
}

void when_date(int64_t wall, char out[32])
{
	time_t t = (time_t)(wall / NSEC_PER_SEC);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M", &tm))
		snprintf(out, 32, "?");
}
