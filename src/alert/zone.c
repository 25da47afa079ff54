#include "alert/zone.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

#define MOST_BYTES (256 << 10)
#define MOST       4000         /* transitions */
#define FAR        (26 * 3600)  /* no offset is larger */
#define DAY        INT64_C(86400)

enum rule_kind { RULE_MONTH, RULE_JULIAN /* 1 to 365, never 29 February */, RULE_DAY /* 0 to 365 */ };
struct rule { /* "M3.2.0/2" */
	enum rule_kind kind;
	int month, week, day;
	int64_t time; /* seconds of that day, may lie outside of it */
};

struct zone {
	size_t n;
	struct change {
		int64_t at, offset;
	} *changes;
	int64_t first; /* before all changes */
	bool has_rule; /* behind them */
	int64_t standard, summer;
	bool changes_yearly;
	struct rule begin, end; /* of summer time */
};

/* ---- the calendar ---- */

static int64_t days_before(int64_t year) /* 1 January, since 1970 */
{
	year--;
	int64_t y = year >= 0 ? year : year - 399, era = y / 400;

	return era * 146097 + (year - era * 400) * 365 + (year - era * 400) / 4 - (year - era * 400) / 100 - 719162;
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t year_of(int64_t seconds)
{
	int64_t year = 1970 + seconds / 31556952 - 1;

	while (days_before(year + 1) * DAY <= seconds)
		year++;
	return year;
}

static int64_t rule_at(const struct rule *r, int64_t year)
{
	static const int before[2][13] = { { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 },
					   { 0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366 } };
	const int *months = before[is_leap(year)];
	int64_t first = days_before(year), day = r->day;

	if (r->kind == RULE_JULIAN) {
		day -= !(is_leap(year) && r->day >= 60);
	} else if (r->kind == RULE_MONTH) {
		int64_t start = months[r->month - 1], length = months[r->month] - start;
		int64_t weekday = ((first + start + 4) % 7 + 7) % 7; /* 1970 began on a Thursday; 0: Sunday */
		int64_t at = (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
		while (at >= length)
			at -= 7;
		day = start + at;
	}
	return (first + day) * DAY + r->time;
}

/* ---- "CST-8", "EST5EDT,M3.2.0,M11.1.0" ---- */

static bool take(struct span *s, char c)
{
	return span_skip(s, (struct span){ &c, 1 });
}

static bool take_number(struct span *s, int64_t max, int64_t *ret)
{
	size_t n = 0;

	*ret = 0;
	for (; n < s->n && n < 4 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		*ret = *ret * 10 + (s->p[n] - '0');
	*s = span_from(*s, n);
	return n && *ret <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct span *s, int64_t hours, int64_t *ret)
{
	bool minus = take(s, '-');
	int64_t part;

	if (!minus)
		take(s, '+');
	if (!take_number(s, hours, &part))
		return false;
	*ret = part * 3600;
	for (int64_t unit = 60; unit && take(s, ':'); unit /= 60) {
		if (!take_number(s, 59, &part))
			return false;
		*ret += part * unit;
	}
	*ret = minus ? -*ret : *ret;
	return true;
}

static bool take_name(struct span *s)
{
	size_t n = 0;

	if (take(s, '<')) {
		n = span_chr(*s, '>');
		if (n == SPAN_NONE)
			return false;
		*s = span_from(*s, n + 1);
		return n > 0;
	}
	while (n < s->n && ((s->p[n] | 32) >= 'a' && (s->p[n] | 32) <= 'z'))
		n++;
	*s = span_from(*s, n);
	return n >= 3;
}

static bool take_month(struct span *s, struct rule *r)
{
	int64_t month, week, day;

	if (!take_number(s, 12, &month) || !take(s, '.') || !take_number(s, 5, &week) || !take(s, '.') || !take_number(s, 6, &day))
		return false;
	r->month = (int)month;
	r->week = (int)week;
	r->day = (int)day;
	return month > 0 && week > 0;
}

static bool take_rule(struct span *s, struct rule *r)
{
	int64_t day = 0;
	bool good;

	*r = (struct rule){ .time = 2 * 3600 };
	if (!take(s, ','))
		return false;
	if (take(s, 'M')) {
		good = take_month(s, r);
	} else {
		r->kind = take(s, 'J') ? RULE_JULIAN : RULE_DAY;
		good = take_number(s, 365, &day) && (r->kind == RULE_DAY || day > 0);
		r->day = (int)day;
	}
	return good && (!take(s, '/') || take_time(s, 167, &r->time));
}

static bool read_rule(struct zone *z, struct span s)
{
	int64_t west;

	if (!take_name(&s) || !take_time(&s, 24, &west))
		return false;
	z->standard = z->summer = -west;
	z->has_rule = true;
	if (!s.n)
		return true;
	if (!take_name(&s))
		return false;
	z->summer = z->standard + 3600;
	if (s.n && s.p[0] != ',') {
		if (!take_time(&s, 24, &west))
			return false;
		z->summer = -west;
	}
	z->changes_yearly = true;
	return take_rule(&s, &z->begin) && take_rule(&s, &z->end) && !s.n;
}

static int64_t rule_offset(const struct zone *z, int64_t utc)
{
	if (!z->changes_yearly)
		return z->standard;
	int64_t year = year_of(utc + z->standard);
	int64_t begin = rule_at(&z->begin, year) - z->standard, end = rule_at(&z->end, year) - z->summer;
	bool summer = begin < end ? utc >= begin && utc < end : utc >= begin || utc < end;

	return summer ? z->summer : z->standard;
}

/* ---- the file ---- */

static int bad_file(struct err *e)
{
	return err_set(e, EINVAL, TR("is no time zone file that can be read", "不是可读取的时区文件"));
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory for a time zone", "内存不足，无法读取时区"));
}

static int64_t big_endian(const char *p, size_t n)
{
	uint64_t v = n && (p[0] & 0x80) ? UINT64_MAX : 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return (int64_t)v;
}

struct header {
	size_t isut, isstd, leap, time, type, chars;
	char version;
};
#define HEADER 44

static bool read_header(struct span *s, struct header *h)
{
	size_t *const to[] = { &h->isut, &h->isstd, &h->leap, &h->time, &h->type, &h->chars };

	if (s->n < HEADER || !span_starts(*s, S("TZif")))
		return false;
	h->version = s->p[4];
	for (size_t i = 0; i < ARRAY_LEN(to); i++) {
		int64_t n = big_endian(s->p + 20 + 4 * i, 4);
		if (n < 0 || n > MOST)
			return false;
		*to[i] = (size_t)n;
	}
	*s = span_from(*s, HEADER);
	return true;
}

static size_t data_size(const struct header *h, size_t wide)
{
	return h->time * (wide + 1) + h->type * 6 + h->chars + h->leap * (wide + 4) + h->isstd + h->isut;
}

static bool type_offset(const struct header *h, const char *types, size_t i, int64_t *ret)
{
	if (i >= h->type)
		return false;
	*ret = big_endian(types + 6 * i, 4);
	return *ret > -FAR && *ret < FAR;
}

static int read_data(struct zone *z, const struct header *h, const char *p, size_t wide, struct err *e)
{
	const char *kinds = p + h->time * wide, *types = kinds + h->time;

	if (h->leap) /* "right/…": seconds that are none of POSIX's */
		return bad_file(e);
	if (!type_offset(h, types, 0, &z->first))
		return bad_file(e);
	z->changes = mem_alloc(h->time * sizeof(*z->changes));
	if (!z->changes)
		return no_memory(e);
	for (; z->n < h->time; z->n++) {
		struct change *c = &z->changes[z->n];
		c->at = big_endian(p + z->n * wide, wide);
		if (!type_offset(h, types, (unsigned char)kinds[z->n], &c->offset) || (z->n && c->at <= c[-1].at))
			return bad_file(e);
	}
	return 0;
}

static int read_all(struct zone *z, struct span s, struct err *e)
{
	struct header h;
	size_t wide = 4;

	if (!read_header(&s, &h) || s.n < data_size(&h, wide))
		return bad_file(e);
	if (h.version >= '2') {
		s = span_from(s, data_size(&h, wide));
		wide = 8;
		if (!read_header(&s, &h) || s.n < data_size(&h, wide))
			return bad_file(e);
	}
	int r = read_data(z, &h, s.p, wide, e);
	if (r < 0 || wide == 4)
		return r;
	s = span_from(s, data_size(&h, wide));
	if (!take(&s, '\n'))
		return bad_file(e);
	struct span rule = span_cut(&s, '\n');
	return !rule.n || read_rule(z, rule) ? 0 : bad_file(e);
}

int zone_read(struct span tzif, struct zone **ret, struct err *e)
{
	struct zone *z = mem_zalloc(sizeof(*z));

	*ret = NULL;
	if (!z)
		return no_memory(e);
	int r = read_all(z, tzif, e);
	if (r < 0)
		zone_free(z);
	else
		*ret = z;
	return r;
}

void zone_free(struct zone *z)
{
	if (!z)
		return;
	mem_free(z->changes);
	mem_free(z);
}

/* ---- by name ---- */

/* "UTC", "UTC+8", "UTC-03:30". */
static bool read_fixed(struct zone *z, struct span s)
{
	int64_t offset = 0;

	if (!span_skip(&s, S("UTC")))
		return false;
	if (s.n && s.p[0] != '+' && s.p[0] != '-')
		return false;
	if (s.n && (!take_time(&s, 14, &offset) || s.n))
		return false;
	z->first = offset;
	return true;
}

static bool is_name(const char *name)
{
	size_t n = strlen(name);

	return n && n < 100 && name[0] != '/' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") == n;
}

static int open_named(const char *name, struct zone **ret, struct err *e)
{
	const char *const dirs[] = { getenv("TZDIR"), "/usr/share/zoneinfo", "/etc/zoneinfo" };
	struct err why;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		CLEANUP(buf_free) struct buf path = { 0 };
		CLEANUP(buf_free) struct buf text = { .max = MOST_BYTES };
		if (!dirs[i] || dirs[i][0] != '/')
			continue;
		buf_addf(&path, "%s/%s", dirs[i], name);
		if (path.bad)
			return no_memory(e);
		int r = file_slurp(path.p, &text, &why);
		if (r == -ENOENT || r == -ENOTDIR || r == -EISDIR)
			continue;
		if (r == 0)
			r = zone_read(buf_view(&text), ret, &why);
		if (r == -ENOMEM)
			return no_memory(e);
		if (r < 0)
			return err_set(e, -r, TR("the time zone %s: '%s': %s", "时区 %s：“%s”：%s"), name, path.p, why.msg);
		return 0;
	}
	return err_set(e, ENOENT,
		       TR("the time zone %s is not known to this machine: install tzdata, or write an offset such as UTC+8",
			  "本机没有时区 %s：请安装 tzdata，或写成 UTC+8 这样的偏移"),
		       name);
}

int zone_open(const char *name, struct zone **ret, struct err *e)
{
	struct zone *z = mem_zalloc(sizeof(*z));

	*ret = NULL;
	if (!z)
		return no_memory(e);
	if (read_fixed(z, span_of(name))) {
		*ret = z;
		return 0;
	}
	zone_free(z);
	if (!is_name(name))
		return err_set(e, EINVAL, TR("'%.80s' is no time zone", "“%.80s”不是时区"), name);
	return open_named(name, ret, e);
}

/* ---- asking ---- */

int64_t zone_offset(const struct zone *z, int64_t utc)
{
	size_t low = 0, high = z->n;

	if (z->n && utc >= z->changes[z->n - 1].at)
		return z->has_rule ? rule_offset(z, utc) : z->changes[z->n - 1].offset;
	if (!z->n && z->has_rule)
		return rule_offset(z, utc);
	while (low < high) { /* the first change that is later */
		size_t mid = (low + high) / 2;
		if (z->changes[mid].at > utc)
			high = mid;
		else
			low = mid + 1;
	}
	return low ? z->changes[low - 1].offset : z->first;
}

int64_t zone_utc(const struct zone *z, int64_t local, int64_t after)
{
	int64_t before = zone_offset(z, local - 2 * DAY), behind = zone_offset(z, local + 2 * DAY);
	int64_t early = local - (before > behind ? before : behind), late = local - (before > behind ? behind : before);
	bool is_early = zone_offset(z, early) == local - early, is_late = zone_offset(z, late) == local - late;

	if (is_early && (early > after || !is_late))
		return early;
	if (is_late)
		return late;
	return local - before; /* left out */
}
