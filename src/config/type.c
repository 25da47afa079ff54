#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "config/own.h"
#include "model/cause.h"
#include "model/report.h"

/* What a key's text may be. A reader says NULL: fine, "": no such value, else what is wrong. */

#define MOST_COUNT 1000000
#define DAY_NS     (24 * 3600 * NSEC_PER_SEC)

static const char wrong[] = "";

static const char *read_bool(const struct config_key *k, const char *text, int64_t *ret)
{
	*ret = !strcmp(text, "true");
	return *ret || !strcmp(text, "false") ? NULL : wrong;
}

/* Digits, and no zero in front: 012 is ten to some readers and twelve to others. */
static bool whole(struct span s, int64_t *ret)
{
	return s.n && s.p[0] >= '0' && s.p[0] <= '9' && (s.n == 1 || s.p[0] != '0') && span_int(s, ret);
}

static const char *read_count(const struct config_key *k, const char *text, int64_t *ret)
{
	return whole(span_of(text), ret) && *ret <= MOST_COUNT ? NULL : wrong;
}

/* As Go writes it, and days in front: 7d, 1d12h. */
static const char *read_duration(const struct config_key *k, const char *text, int64_t *ret)
{
	struct span rest = span_of(text), days = span_cut(&rest, 'd');
	int64_t n = 0, more = 0;

	if (strchr(text, 'd')) {
		if (!whole(days, &n) || n > 36500)
			return wrong;
		text = rest.p;
		if (!rest.n) {
			*ret = n * DAY_NS;
			return NULL;
		}
	}
	if (!duration_parse(text, &more) || more > INT64_MAX - n * DAY_NS)
		return wrong;
	*ret = n * DAY_NS + more;
	return NULL;
}

static const char *read_size(const struct config_key *k, const char *text, int64_t *ret)
{
	static const struct {
		struct span name;
		int64_t bytes;
	} units[] = {
		{ { "KiB", 3 }, INT64_C(1) << 10 },
		{ { "MiB", 3 }, INT64_C(1) << 20 },
		{ { "GiB", 3 }, INT64_C(1) << 30 },
		{ { "TiB", 3 }, INT64_C(1) << 40 },
		{ { "KB", 2 }, 1000 },
		{ { "kB", 2 }, 1000 },
		{ { "MB", 2 }, 1000000 },
		{ { "GB", 2 }, 1000000000 },
		{ { "TB", 2 }, INT64_C(1000000000000) },
		{ { "B", 1 }, 1 },
	};
	struct span s = span_of(text);
	int64_t unit = 1;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!span_ends(s, units[i].name))
			continue;
		s = span_trim(span_head(s, s.n - units[i].name.n));
		unit = units[i].bytes;
		break;
	}
	return whole(s, ret) && !__builtin_mul_overflow(*ret, unit, ret) ? NULL : wrong;
}

bool type_date(const char *text, int64_t *ret)
{
	char full[32];

	if (strlen(text) != 10)
		return false;
	int n = snprintf(full, sizeof(full), "%sT00:00:00Z", text);
	return time_parse_rfc3339((struct span){ full, (size_t)n }, ret);
}

static const char *read_date(const struct config_key *k, const char *text, int64_t *ret)
{
	return type_date(text, ret) ? NULL : wrong;
}

static const char *read_word(const struct config_key *k, const char *text, int64_t *ret)
{
	for (*ret = 0; k->words[*ret]; (*ret)++) {
		if (!strcmp(k->words[*ret], text))
			return NULL;
	}
	return wrong;
}

static const char *read_text(const struct config_key *k, const char *text, int64_t *ret)
{
	return *text ? NULL : wrong;
}

static bool is_name_of(const char *text, const char *also)
{
	size_t n = 0;

	for (; text[n]; n++) {
		char c = text[n];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!alnum && !strchr(also, c))
			return false;
	}
	return n > 0 && n <= 128;
}

static const char *read_name(const struct config_key *k, const char *text, int64_t *ret)
{
	return is_name_of(text, "._-") ? NULL : wrong;
}

static bool leads_up(const char *path)
{
	struct span rest = span_of(path);

	while (rest.n) {
		if (span_eq(span_cut(&rest, '/'), S("..")))
			return true;
	}
	return false;
}

static const char *read_path(const struct config_key *k, const char *text, int64_t *ret)
{
	*ret = text[0] == '/' || leads_up(text); /* out of the project */
	return *text ? NULL : wrong;
}

/* The part behind "scheme://" up to the path. */
static struct span authority(struct span rest)
{
	size_t end = 0;

	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	return span_head(rest, end);
}

static const char *read_uri(const struct config_key *k, const char *text, int64_t *ret)
{
	struct span s = span_of(text);

	if (span_skip(&s, S("sqlite://")))
		return s.n > 1 && s.p[0] == '/' ? NULL
						: TR("a path follows: sqlite:///var/lib/tocsin/tocsin.db",
						     "后面应是路径：sqlite:///var/lib/tocsin/tocsin.db");
	if (span_skip(&s, S("postgres://")) || span_skip(&s, S("postgresql://"))) {
		struct span where = authority(s);
		size_t at = span_rchr(where, '@');
		bool password = (at != SPAN_NONE && span_chr(span_head(where, at), ':') != SPAN_NONE) ||
				span_find(s, S("password=")) != SPAN_NONE;
		return password
			       ? TR("a password must not stand here: put it into the file that PGPASSFILE names (~/.pgpass)",
				    "此处不能写密码：请放入 PGPASSFILE 指定的文件（~/.pgpass）")
			       : NULL;
	}
	if (span_find(s, S("://")) != SPAN_NONE)
		return TR("no store of this kind: a path, sqlite:///PATH or postgres://HOST/DATABASE",
			  "不支持此类存储：请用路径、sqlite:///路径 或 postgres://主机/数据库");
	return *text ? NULL : wrong;
}

static bool is_loopback(struct span host)
{
	if (span_starts(host, S("[")))
		return span_eq(span_head(host, span_chr(host, ']')), S("[::1"));
	host = span_head(host, span_chr(host, ':'));
	if (span_eq(host, S("localhost")))
		return true;
	return span_starts(host, S("127.")) && strspn(host.p, "0123456789.") >= host.n;
}

/* 0: no web address; 1: one; 2: plain http to this machine. */
static int web_address(const char *text)
{
	struct span s = span_of(text);
	bool tls = span_skip(&s, S("https://"));

	if (!tls && !span_skip(&s, S("http://")))
		return 0;
	struct span where = authority(s);
	if (!where.n || span_chr(where, '@') != SPAN_NONE || strcspn(text, " \t\n") != strlen(text))
		return 0;
	if (is_loopback(where))
		return 2;
	return tls;
}

static const char *read_url(const struct config_key *k, const char *text, int64_t *ret)
{
	bool file = !strncmp(text, "file:///", 8) && text[8] && strcspn(text, " \t\n,|") == strlen(text);

	return file || web_address(text) ? NULL : wrong;
}

static const char *read_secret(const struct config_key *k, const char *text, int64_t *ret)
{
	struct span s = span_of(text);

	if (span_skip(&s, S("env:")))
		return is_name_of(s.p, "_")
			       ? NULL
			       : TR("the name of a variable follows env:", "env: 后面应是变量名");
	if (span_skip(&s, S("file:")))
		return s.n > 1 && s.p[0] == '/' ? NULL : TR("a full path follows file:", "file: 后面应是绝对路径");
	if (span_skip(&s, S("credential:")))
		return is_name_of(s.p, "._-") ? NULL
					      : TR("the name of a credential follows credential:",
						   "credential: 后面应是凭据名");
	return TR("a secret must not stand here: name where it is, env:NAME, file:PATH or credential:NAME",
		  "此处不能写机密本身：请写出处，env:NAME、file:PATH 或 credential:NAME");
}

/* SCHEME://HOST… without a user, a query, a blank: nothing in it that need be hidden. */
static bool open_address(const char *text, const char *const *schemes)
{
	struct span s = span_of(text), scheme = span_head(s, span_find(s, S("://")));
	bool known = false;

	for (size_t i = 0; schemes[i]; i++)
		known |= span_eq(scheme, span_of(schemes[i]));
	if (!known || strlen(text) > 1000)
		return false;
	struct span where = authority(span_from(s, scheme.n + 3));
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p <= ' ' || *p >= 0x7f)
			return false;
	}
	return where.n && span_chr(where, '@') == SPAN_NONE && !strpbrk(text, "?#");
}

bool type_is_near(const char *text)
{
	struct span s = span_of(text);
	size_t at = span_find(s, S("://"));

	return at != SPAN_NONE && is_loopback(authority(span_from(s, at + 3)));
}

bool type_is_plain(const char *text)
{
	return !strncmp(text, "http://", 7) || !strncmp(text, "smtp+plain://", 13);
}

/* Which of the types may have an open address: see alerts.c. */
static const char *read_endpoint(const struct config_key *k, const char *text, int64_t *ret)
{
	static const char *const schemes[] = { "https", "http", "smtp", "smtps", NULL };

	return web_address(text) == 2 || open_address(text, schemes) ? NULL : read_secret(k, text, ret);
}

static const char *read_proxy(const struct config_key *k, const char *text, int64_t *ret)
{
	static const char *const schemes[] = { "http", "https", "socks5", "socks5h", NULL };

	return open_address(text, schemes) ? NULL : wrong;
}

static const char *read_fault(const struct config_key *k, const char *text, int64_t *ret)
{
	struct span s = span_of(text);

	return span_skip(&s, S("T-")) && whole(s, ret) && *ret > 0 ? NULL : wrong;
}

static const char *read_retry(const struct config_key *k, const char *text, int64_t *ret)
{
	enum cause c = cause_by_id(span_of(text));
	char class = class_letter(span_of(text));

	if (class == 'S' || (c && strchr(cause_table[c].classes, 'S')))
		return TR("a security failure is never tried again", "安全类失败从不重试");
	return c || class ? NULL : wrong;
}

static const char *read_outcome(const struct config_key *k, const char *text, int64_t *ret)
{
	for (int o = OUTCOME_NONE + 1; o < OUTCOME_COUNT; o++) {
		*ret = o;
		if (!strcmp(outcome_word((enum outcome)o), text))
			return NULL;
	}
	return wrong;
}

/* An id, or a pattern that fits at least one. */
static const char *read_cause(const struct config_key *k, const char *text, int64_t *ret)
{
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
		if (text_glob(text, span_of(cause_table[c].id)))
			return NULL;
	}
	return wrong;
}

/* ---- times of the day ---- */

static bool two_digits(const char *p, int64_t *ret)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*ret = (p[0] - '0') * 10 + (p[1] - '0');
	return true;
}

bool type_clock(const char *text, int64_t *ret)
{
	int64_t hour, minute;

	if (strlen(text) != 5 || text[2] != ':' || !two_digits(text, &hour) || !two_digits(text + 3, &minute))
		return false;
	*ret = hour * 60 + minute;
	return minute < 60 && *ret <= 24 * 60;
}

static const char *read_clock(const struct config_key *k, const char *text, int64_t *ret)
{
	return type_clock(text, ret) && *ret < 24 * 60 ? NULL : wrong;
}

static int day_of(struct span s)
{
	static const char names[][4] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (span_eq(s, span_of(names[i])))
			return (int)i;
	}
	return -1;
}

/* "mon-fri", "sat,sun", "fri-mon". */
static bool days_of(struct span s, unsigned *ret)
{
	*ret = 0;
	while (s.n) {
		struct span last = span_cut(&s, ','), first = span_cut(&last, '-');
		int from = day_of(first), to = last.n ? day_of(last) : from;
		if (from < 0 || to < 0)
			return false;
		for (int day = from;; day = (day + 1) % 7) {
			*ret |= 1u << day;
			if (day == to)
				break;
		}
	}
	return *ret != 0;
}

bool config_hours(const char *text, struct config_hours *ret)
{
	struct span rest = span_of(text), days = S("mon-sun");
	char from[6] = "00:00", to[6] = "24:00";
	int64_t a, b;

	if (rest.n && (rest.p[0] < '0' || rest.p[0] > '9')) {
		days = span_cut(&rest, ' ');
		rest = span_trim(rest);
	}
	if (rest.n) {
		if (rest.n != 11 || rest.p[5] != '-')
			return false;
		memcpy(from, rest.p, 5);
		memcpy(to, rest.p + 6, 5);
	}
	if (!days_of(days, &ret->days) || !type_clock(from, &a) || !type_clock(to, &b) || a == 24 * 60)
		return false;
	ret->from = (int)a;
	ret->to = (int)b;
	return a != b;
}

static const char *read_hours(const struct config_key *k, const char *text, int64_t *ret)
{
	struct config_hours hours;

	return config_hours(text, &hours) ? NULL : wrong;
}

/* UTC, UTC+8, UTC-03:30. */
static bool is_offset(struct span s)
{
	int64_t hour, minute = 0;

	if (!span_skip(&s, S("UTC")))
		return false;
	if (!s.n)
		return true;
	if (s.p[0] != '+' && s.p[0] != '-')
		return false;
	struct span minutes = span_from(s, 1), hours = span_cut(&minutes, ':');
	if (memchr(hours.p, '-', hours.n) || hours.n > 2 || !span_int(hours, &hour) || hour > 14)
		return false;
	return span_chr(s, ':') == SPAN_NONE || (minutes.n == 2 && two_digits(minutes.p, &minute) && minute < 60);
}

/* The form alone; whether this machine knows it shows when it is used. */
static const char *read_zone(const struct config_key *k, const char *text, int64_t *ret)
{
	bool up = text[0] >= 'A' && text[0] <= 'Z';

	if (is_offset(span_of(text)))
		return NULL;
	return up && strncmp(text, "UTC", 3) && is_name_of(text, "_+-/") && !strstr(text, "//") && text[strlen(text) - 1] != '/' ? NULL : wrong;
}

/* clang-format off */
static const struct type {
	const char *word;
	struct tx title;
	const char *(*read)(const struct config_key *k, const char *text, int64_t *ret);
} types[] = {
	[CONFIG_BOOL] = { "bool", { "true or false", "true 或 false" }, read_bool },
	[CONFIG_COUNT] = { "count", { "a number from 0 to 1000000", "0 到 1000000 之间的整数" }, read_count },
	[CONFIG_DURATION] = { "duration", { "a duration such as 90s, 1h30m or 7d", "90s、1h30m、7d 这样的时长" }, read_duration },
	[CONFIG_SIZE] = { "size", { "a size such as 500MB or 2GiB", "500MB、2GiB 这样的大小" }, read_size },
	[CONFIG_DATE] = { "date", { "a date such as 2027-01-31", "2027-01-31 这样的日期" }, read_date },
	[CONFIG_WORD] = { "word", { "one of its words", "规定的词之一" }, read_word },
	[CONFIG_TEXT] = { "text", { "a text", "文本" }, read_text },
	[CONFIG_NAME] = { "name", { "a name of letters, digits, '.', '_' and '-'", "由字母、数字、“.”、“_”、“-”组成的名称" }, read_name },
	[CONFIG_PATH] = { "path", { "a path", "路径" }, read_path },
	[CONFIG_URI] = { "store", { "a path, sqlite:///PATH or postgres://HOST/DATABASE", "路径、sqlite:///路径 或 postgres://主机/数据库" }, read_uri },
	[CONFIG_URL] = { "url", { "an address such as https://goproxy.cn, without a user name", "https://goproxy.cn 这样的地址，不带用户名" }, read_url },
	[CONFIG_ENDPOINT] = { "endpoint", { "a secret reference, or an address without a secret", "机密引用，或不含机密的地址" }, read_endpoint },
	[CONFIG_SECRET] = { "secret", { "a secret reference: env:NAME, file:PATH or credential:NAME", "机密引用：env:NAME、file:PATH 或 credential:NAME" }, read_secret },
	[CONFIG_FAULT] = { "fault", { "a fault id such as T-42", "T-42 这样的故障编号" }, read_fault },
	[CONFIG_RETRY] = { "retry", { "a class (transient, mirror, config, resource, permanent) or a cause id",
				      "类别（transient、mirror、config、resource、permanent）或原因 id" }, read_retry },
	[CONFIG_OUTCOME] = { "outcome", { "an outcome: passed, failed, masked, crashed, killed, timed_out, stalled, not_started, empty, unstable",
					  "结果：passed、failed、masked、crashed、killed、timed_out、stalled、not_started、empty、unstable" }, read_outcome },
	[CONFIG_CAUSE] = { "cause", { "a cause of `tocsin causes`, or a pattern such as mod.*", "`tocsin causes` 中的原因，或 mod.* 这样的模式" }, read_cause },
	[CONFIG_PROXY] = { "proxy", { "an address such as http://proxy.example.com:3128, without a user name", "http://proxy.example.com:3128 这样的地址，不带用户名" }, read_proxy },
	[CONFIG_HOURS] = { "hours", { "hours such as 22:00-08:00, mon-fri 20:00-08:30 or sat-sun", "22:00-08:00、mon-fri 20:00-08:30、sat-sun 这样的时段" }, read_hours },
	[CONFIG_CLOCK] = { "clock", { "a time of the day such as 09:00", "09:00 这样的时刻" }, read_clock },
	[CONFIG_ZONE] = { "zone", { "a time zone such as Asia/Shanghai or UTC+8", "Asia/Shanghai、UTC+8 这样的时区" }, read_zone },
	[CONFIG_MAP] = { "map", { "a mapping of names to texts", "名称到文本的映射" }, read_text },
	[CONFIG_ENTRIES] = { "entries", { "a list of mappings", "映射的列表" }, NULL },
};
/* clang-format on */

const char *config_type_word(enum config_type t)
{
	return types[t].word;
}

const char *config_type_title(enum config_type t)
{
	return tx(types[t].title);
}

const char *type_read(const struct config_key *k, const char *text, int64_t *number)
{
	*number = 0;
	return types[k->type].read(k, text, number);
}
