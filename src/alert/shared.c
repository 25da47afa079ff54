#include <stdarg.h>
#include <stdio.h>

#include "alert/channel.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/* ---- encodings ---- */

void percent_add(struct buf *b, struct span s)
{
	static const char digit[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("-._~", c)))
			buf_addc(b, (char)c);
		else
			buf_add(b, (char[]){ '%', digit[c >> 4], digit[c & 15] }, 3);
	}
}

/* ---- HTTP ---- */

struct span response_header(const struct response *r, const char *name)
{
	struct span rest = r->headers, want = span_of(name);

	while (rest.n) {
		struct span line = span_cut(&rest, '\n'), value = line;
		struct span key = span_cut(&value, ':');
		size_t i = 0;
		if (key.n != want.n || key.n == line.n)
			continue;
		while (i < key.n && (key.p[i] == want.p[i] || ((key.p[i] ^ want.p[i]) == 32 && (key.p[i] | 32) >= 'a' && (key.p[i] | 32) <= 'z')))
			i++;
		if (i == key.n)
			return span_trim(value);
	}
	return (struct span){ 0 };
}

static int month_number(struct span s)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12 && s.n == 3; i++) {
		if (!memcmp(s.p, names + 3 * i, 3))
			return i + 1;
	}
	return 0;
}

static struct span word(struct span *s)
{
	size_t n = 0;

	while (s->n && (s->p[0] == ' ' || s->p[0] == ',' || s->p[0] == '-'))
		*s = span_from(*s, 1);
	while (n < s->n && s->p[n] != ' ' && s->p[n] != ',' && s->p[n] != '-')
		n++;
	struct span w = span_head(*s, n);
	*s = span_from(*s, n);
	return w;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" */
bool http_date(struct span s, int64_t *ret)
{
	struct span w[6];
	int64_t day, year;
	char iso[40];

	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		w[i] = word(&s);
	bool old = month_number(w[1]) > 0; /* asctime */
	struct span d = w[old ? 2 : 1], m = w[old ? 1 : 2], y = w[old ? 4 : 3], clock = w[old ? 3 : 4], zone = w[5];
	if (word(&s).n || w[0].n < 3 || !month_number(m) || clock.n != 8 || (old ? zone.n != 0 : !span_eq(zone, S("GMT"))) ||
	    !span_int(d, &day) || day < 1 || day > 31 || !span_int(y, &year))
		return false;
	if (y.n == 2)
		year += year < 70 ? 2000 : 1900;
	if (year < 1900 || year > 9999)
		return false;
	int n = snprintf(iso, sizeof(iso), "%04d-%02d-%02dT%.8sZ", (int)year, month_number(m), (int)day, clock.p);
	return time_parse_rfc3339((struct span){ iso, (size_t)n }, ret);
}

int64_t retry_after(struct span value, int64_t now)
{
	const int64_t most = 3600 * NSEC_PER_SEC;
	struct span s = span_trim(value), rest = s;
	struct span whole = span_cut(&rest, '.');
	int64_t v = 0;
	size_t digits = 0;

	while (digits < whole.n && whole.p[digits] >= '0' && whole.p[digits] <= '9')
		digits++;
	if (digits && digits == whole.n) {
		if (digits > 9 || !span_int(whole, &v) || v >= 3600)
			return most;
		v = (v + (rest.n > 0)) * NSEC_PER_SEC; /* "0.5": rounded up */
	} else if (http_date(s, &v)) {
		v = v - now;
	} else {
		return 0;
	}
	return v > most ? most : v < NSEC_PER_SEC ? NSEC_PER_SEC : v;
}

/* ---- answers ---- */

static void text_add(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void text_vadd(struct answer *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void text_vadd(struct answer *a, const char *fmt, va_list ap)
{
	size_t have = strlen(a->text), room = sizeof(a->text) - have;
	int n = vsnprintf(a->text + have, room, fmt, ap);

	if (n >= 0 && (size_t)n >= room) { /* cut on a code point */
		size_t end = sizeof(a->text) - 1;
		while (end && ((unsigned char)a->text[end - 1] & 0xc0) == 0x80)
			end--;
		uint32_t cp;
		if (end && (unsigned char)a->text[end - 1] >= 0xc0)
			end--;
		struct span tail = { a->text + end, sizeof(a->text) - 1 - end };
		if (tail.n && utf8_decode(tail, &cp) == tail.n && cp != UTF8_BAD)
			end += tail.n;
		a->text[end] = '\0';
	}
}

static void text_add(struct answer *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vadd(a, fmt, ap);
	va_end(ap);
}

void answer_set(struct answer *a, enum answer_class class, const char *fmt, ...)
{
	va_list ap;

	*a = (struct answer){ .class = class };
	va_start(ap, fmt);
	text_vadd(a, fmt, ap);
	va_end(ap);
}

static bool is_token_byte(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("-_+/=.:%&?@", c));
}

/* An address, a link, or a word so long or so mixed that it may be a key. */
static bool must_hide(struct span w)
{
	size_t digits = 0, dots = 0, colons = 0, letters = 0;

	for (size_t i = 0; i < w.n; i++) {
		char c = w.p[i];
		digits += c >= '0' && c <= '9';
		letters += (c | 32) >= 'a' && (c | 32) <= 'z';
		dots += c == '.';
		colons += c == ':';
	}
	bool v4 = dots >= 3 && digits >= 4 && letters == 0, v6 = colons >= 2 && digits + letters + colons >= w.n - 1 && digits;
	return v4 || v6 || span_find(w, S("://")) != SPAN_NONE || w.n >= 32 || (w.n >= 16 && digits >= 3 && letters) || (w.n >= 11 && digits == w.n);
}

static void quote_words(struct span s, struct buf *ret)
{
	while (s.n) {
		size_t n = 0;
		while (n < s.n && is_token_byte(s.p[n]))
			n++;
		struct span w = span_head(s, n);
		if (n && must_hide(w))
			buf_adds(ret, "…");
		else
			buf_span(ret, w);
		s = span_from(s, n);
		for (n = 0; n < s.n && !is_token_byte(s.p[n]); n++)
			;
		buf_span(ret, span_head(s, n));
		s = span_from(s, n);
	}
}

void answer_quote(struct answer *a, struct span said)
{
	CLEANUP(buf_free) struct buf clean = { .max = 4096 };
	CLEANUP(buf_free) struct buf out = { .max = 16384 };

	text_clean(span_trim(utf8_head(said, 600)), false, &clean);
	quote_words(buf_view(&clean), &out);
	struct span s = utf8_head(buf_view(&out), 120);
	if (s.n && !clean.bad && !out.bad)
		text_add(a, TR(": \"%.*s%s\"", "：“%.*s%s”"), SPAN_ARG(s), s.n < out.len ? "…" : "");
}

void answer_clock(struct answer *a, const struct response *r, int64_t now)
{
	int64_t theirs, off;

	if (!http_date(response_header(r, "Date"), &theirs))
		return;
	off = (now - theirs) / NSEC_PER_SEC;
	if (off > 60 || off < -60)
		text_add(a, off > 0 ? TR(" (this machine's clock is %lld s ahead)", "（本机时钟快 %lld 秒）") :
				      TR(" (this machine's clock is %lld s behind)", "（本机时钟慢 %lld 秒）"), (long long)(off < 0 ? -off : off));
}

bool answer_field(struct span json, const char *key, enum json_tok want, struct span *ret, bool *whole)
{
	struct json_in j = { .text = json };
	struct span found = { 0 };
	size_t hits = 0;
	enum json_tok t = json_next(&j), got = JSON_END;

	if (whole)
		*whole = false;
	if (t != JSON_OBJ)
		return false;
	while ((t = json_next(&j)) == JSON_KEY) {
		bool mine = span_eq(j.value, span_of(key));
		if ((t = json_next(&j)) <= JSON_END)
			return false;
		if (mine && !hits++) {
			got = t == JSON_FALSE ? JSON_TRUE : t;
			found = j.value;
		}
		if ((t == JSON_OBJ || t == JSON_ARR) && !json_skip(&j))
			return false;
	}
	if (t != JSON_OBJ_END || json_next(&j) != JSON_END)
		return false;
	if (whole)
		*whole = true;
	*ret = found;
	return hits == 1 && got == want;
}

bool answer_number(struct span json, const char *key, int64_t *ret)
{
	struct span v;

	return answer_field(json, key, JSON_NUM, &v, NULL) && span_int(v, ret);
}

static void answer_transport(const struct response *r, struct answer *ret)
{
	static const struct tx say[] = {
		[TRANSPORT_DNS] = { "its host name was not found: check the name and this machine's DNS", "找不到它的主机名：请检查域名和本机 DNS" },
		[TRANSPORT_CONNECT] = { "no connection: check the network, the proxy and the firewall", "无法连接：请检查网络、代理和防火墙" },
		[TRANSPORT_TLS] = { "its TLS certificate or handshake was not accepted: check the certificate, the private CA and the clock",
				    "TLS 证书或握手未通过：请检查证书、私有 CA 和时钟" },
		[TRANSPORT_TIMEOUT] = { "no answer in time", "未在时限内应答" },
		[TRANSPORT_RESET] = { "the connection broke", "连接中断" },
		[TRANSPORT_TOO_BIG] = { "the answer was too large to be one of this channel: is a proxy or a login page in between?",
					"应答过大，不像该渠道的应答：中间是否有代理或登录页？" },
		[TRANSPORT_OTHER] = { "it could not be sent", "无法发送" },
	};
	bool known = r->transport > TRANSPORT_OK && (size_t)r->transport < ARRAY_LEN(say);

	answer_set(ret, r->sent || r->transport == TRANSPORT_TOO_BIG ? ANSWER_AMBIGUOUS : ANSWER_RETRY, "%s",
		   tx(say[known ? r->transport : TRANSPORT_OTHER]));
	if (r->sent)
		text_add(ret, "%s", TR("; it may have been delivered", "；消息可能已送达"));
	if (r->why)
		answer_quote(ret, span_of(r->why));
}

/* ---- asked later ---- */

int64_t ask_after(int asked)
{
	static const int ms[] = { 200, 500, 1000, 2000, 4000, 8000 };

	return asked >= 0 && (size_t)asked < ARRAY_LEN(ms) ? ms[asked] * NSEC_PER_MSEC : 0;
}

void ask_given_up(struct answer *a)
{
	CLEANUP(buf_free) struct buf said = { 0 };

	if (a->class != ANSWER_TAKEN && a->class != ANSWER_RETRY && a->class != ANSWER_AMBIGUOUS)
		return;
	buf_adds(&said, a->text);
	answer_set(a, ANSWER_AMBIGUOUS, "%s", TR("it took the alert, and does not say what became of it", "它收下了告警，但没有说明处理结果"));
	answer_quote(a, said.bad ? S("") : buf_view(&said));
}

/* status 0: a whole class by its first digit, in `least`..`most`. The first row that fits counts. */
static const struct status_row {
	int least, most;
	enum answer_class class;
	struct tx say;
} status_rows[] = {
	{ 200, 299, ANSWER_DELIVERED, { "accepted, HTTP %d", "已接受，HTTP %d" } },
	{ 300, 399, ANSWER_CONFIG, { "HTTP %d: it points elsewhere, and redirects are not followed; write the final address into url",
				     "HTTP %d：它指向别处，而重定向不会被跟随；请在 url 中写最终地址" } },
	{ 401, 401, ANSWER_CONFIG, { "HTTP %d: not authorized; check the token or password", "HTTP %d：未授权；请检查令牌或密码" } },
	{ 403, 403, ANSWER_CONFIG, { "HTTP %d: refused; check the token, its rights and the IP list", "HTTP %d：被拒绝；请检查令牌、权限和 IP 白名单" } },
	{ 404, 404, ANSWER_CONFIG, { "HTTP %d: there is nothing at this address; check url", "HTTP %d：该地址不存在；请检查 url" } },
	{ 410, 410, ANSWER_CONFIG, { "HTTP %d: the address was removed for good; make a new one", "HTTP %d：该地址已永久移除；请新建一个" } },
	{ 407, 407, ANSWER_CONFIG, { "HTTP %d: the proxy wants to know who asks; give it a user and a password: http://USER:PASSWORD@PROXY", "HTTP %d：代理要求身份验证；请提供用户名和密码：http://用户:密码@代理" } },
	{ 408, 408, ANSWER_RETRY, { "HTTP %d: it waited too long for the request", "HTTP %d：对方等待请求超时" } },
	{ 429, 429, ANSWER_LIMITED, { "HTTP %d: too many messages; it asks to wait", "HTTP %d：消息过多，对方要求等待" } },
	{ 400, 400, ANSWER_PAYLOAD, { "HTTP %d: it does not understand the message", "HTTP %d：对方无法理解该消息" } },
	{ 413, 413, ANSWER_PAYLOAD, { "HTTP %d: the message is too large for it", "HTTP %d：消息过大" } },
	{ 415, 415, ANSWER_PAYLOAD, { "HTTP %d: it does not take this kind of content", "HTTP %d：不接受此内容类型" } },
	{ 422, 422, ANSWER_PAYLOAD, { "HTTP %d: it does not accept the content of the message", "HTTP %d：不接受消息内容" } },
	{ 500, 599, ANSWER_RETRY, { "HTTP %d: a fault on its side", "HTTP %d：对方故障" } },
	{ 0, 9999, ANSWER_RETRY, { "HTTP %d: unknown answer", "HTTP %d：未知应答" } },
};

void answer_http(const struct response *r, int64_t now, struct answer *ret)
{
	const struct status_row *row = status_rows;

	if (r->transport && (r->status < 300 || r->transport == TRANSPORT_TOO_BIG)) { /* a refusal counts, however the connection ended */
		answer_transport(r, ret);
		return;
	}
	while (row < status_rows + ARRAY_LEN(status_rows) - 1 && (r->status < row->least || r->status > row->most))
		row++;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	answer_set(ret, row->class, tx(row->say), r->status); /* each row has one %d */
#pragma GCC diagnostic pop
	if (r->status == 429 || r->status >= 500)
		ret->wait_ns = retry_after(response_header(r, "Retry-After"), now);
	if (r->status >= 500 && ret->wait_ns)
		ret->class = ANSWER_LIMITED;
	if (ret->class != ANSWER_DELIVERED && (ret->class != ANSWER_CONFIG || r->status / 100 != 3) && !span_starts(span_trim(r->body), S("<")))
		answer_quote(ret, r->body);
}
