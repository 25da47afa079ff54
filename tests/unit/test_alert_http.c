/*
 * alert: requests on the wire, against an endpoint that behaves as badly as the world (TOCSIN_TEST_ENDPOINT, tests/helpers/endpoint.py).
 * suite: takes 27
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "alert/http.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"

#define TOKEN "t0ken-that-nobody-may-see"
#define SHORT (2 * breath)

/* A second; on a machine that is busy with other things, as long as some requests take there (take_breath). */
static int64_t breath = NSEC_PER_SEC;

/* ---- helpers ---- */

static const char *at(const char *name)
{
	char variable[64];
	const char *value;

	snprintf(variable, sizeof(variable), "TOCSIN_TEST_ENDPOINT_%s", name);
	value = getenv(variable);
	if (!value)
		fail_msg("%s is not set: run it through tests/helpers/with-endpoint", variable);
	return value;
}

struct got { /* a response, kept */
	bool done;
	int transport, status;
	bool sent;
	struct buf headers, body;
	char why[200];
	int64_t at;
};

static void note(void *ctx, const struct response *r)
{
	struct got *g = ctx;

	assert_false(g->done);
	assert_true(r->body.n <= RESPONSE_MAX && r->headers.n <= RESPONSE_MAX + 100);
	g->done = true;
	g->transport = r->transport;
	g->status = r->status;
	g->sent = r->sent;
	buf_span(&g->headers, r->headers);
	buf_span(&g->body, r->body);
	snprintf(g->why, sizeof(g->why), "%s", r->why ? r->why : "");
	g->at = time_mono();
}

static void forget_got(struct got *g)
{
	buf_free(&g->headers);
	buf_free(&g->body);
	*g = (struct got){ 0 };
}

static void forget(struct request *q)
{
	struct buf *all[] = { &q->url, &q->body, &q->headers, &q->from, &q->to, &q->user, &q->password };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i]->p)
			explicit_bzero(all[i]->p, all[i]->cap);
		buf_free(all[i]);
	}
}

static struct http *opened(struct http_options o)
{
	struct http *h = NULL;
	struct err e = { 0 };

	if (!o.ca_file)
		o.ca_file = at("CA");
	if (http_open(&o, &h, &e) < 0)
		fail_msg("%s", e.msg);
	return h;
}

static void post(struct http *h, const char *base, const char *path, const char *body, struct got *g)
{
	struct request q = { .kind = REQUEST_HTTP, .method = "POST" };
	struct err e = { 0 };

	buf_addf(&q.url, "%s%s", base, path);
	buf_adds(&q.body, body);
	buf_adds(&q.headers, "Content-Type: application/json\nX-Secret: " TOKEN "\n");
	if (http_send(h, &q, note, g, &e) < 0)
		fail_msg("%s: %s", path, e.msg);
	forget(&q);
}

static void run(struct http *h, int64_t most)
{
	int64_t until = time_mono() + most;
	struct err e = { 0 };
	int left = 1;

	while (left > 0 && time_mono() < until)
		left = http_run(h, until - time_mono(), &e);
	if (left < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(left, 0);
}

/* What the endpoint has recorded of paths with this word, as JSON; how many. */
static size_t seen(const char *word, struct buf *ret)
{
	struct http *h = opened((struct http_options){ 0 });
	struct request q = { .kind = REQUEST_HTTP, .method = "GET" };
	struct got g = { 0 };
	struct err e = { 0 };
	size_t n = 0, found;
	struct span rest;

	buf_addf(&q.url, "%s/_seen/%s", at("HTTPS"), word);
	assert_int_equal(http_send(h, &q, note, &g, &e), 0);
	forget(&q);
	run(h, 10 * breath);
	assert_int_equal(g.transport, TRANSPORT_OK);
	assert_int_equal(g.status, 200);
	rest = buf_view(&g.body);
	while ((found = span_find(rest, S("\"listener\""))) != SPAN_NONE) {
		rest = span_from(rest, found + 10);
		n++;
	}
	if (ret)
		buf_span(ret, buf_view(&g.body));
	forget_got(&g);
	http_close(h);
	return n;
}

/* ---- HTTP: how each kind of answer, and of none, comes out ---- */

/* clang-format off */
static const struct row {
	const char *name, *base, *path;
	int transport, status;
	bool sent;
	const char *body, *head, *why; /* parts of them; NULL: not looked at */
} rows[] = {
	{ "DingTalk: all is well", "HTTPS", "/robot/send?access_token=" TOKEN, TRANSPORT_OK, 200, true, "\"errcode\":0", NULL, NULL },
	{ "WeCom: all is well", "HTTPS", "/cgi-bin/webhook/send?key=" TOKEN, TRANSPORT_OK, 200, true, "\"errcode\":0", NULL, NULL },
	{ "Feishu: all is well", "HTTPS", "/open-apis/bot/v2/hook/" TOKEN, TRANSPORT_OK, 200, true, "\"code\":0", NULL, NULL },
	{ "Slack: all is well", "HTTPS", "/services/T/B/" TOKEN, TRANSPORT_OK, 200, true, "ok", NULL, NULL },
	{ "Teams: only queued", "HTTPS", "/workflows/x?sig=" TOKEN, TRANSPORT_OK, 202, true, NULL, NULL, NULL },
	{ "CloudEvents: no content", "HTTPS", "/cloudevents", TRANSPORT_OK, 204, true, NULL, NULL, NULL },
	{ "plain http to loopback", "HTTP", "/services/T/B/" TOKEN, TRANSPORT_OK, 200, true, "ok", NULL, NULL },
	{ "IPv6 only", "IPV6", "/services/T/B/" TOKEN, TRANSPORT_OK, 200, true, "ok", NULL, NULL },
	{ "IPv6 only, by name", "IPV6>name", "/services/T/B/" TOKEN, TRANSPORT_OK, 200, true, "ok", NULL, NULL },
	{ "200 that is a refusal", "HTTPS", "/do/errcode:310000:sign%20not%20match/robot/send", TRANSPORT_OK, 200, true, "310000", NULL, NULL },
	{ "200 with HTML", "HTTPS", "/do/html/robot/send", TRANSPORT_OK, 200, true, "captive portal", "text/html", NULL },
	{ "200 and nothing", "HTTPS", "/do/empty/robot/send", TRANSPORT_OK, 200, true, NULL, NULL, NULL },
	{ "200 with half a JSON", "HTTPS", "/do/badjson/robot/send", TRANSPORT_OK, 200, true, "errmsg\":", NULL, NULL },
	{ "200 with other JSON", "HTTPS", "/do/wrongjson/robot/send", TRANSPORT_OK, 200, true, "zero", NULL, NULL },
	{ "a redirect is an answer", "HTTPS", "/do/redirect/robot/send", TRANSPORT_OK, 302, true, NULL, "Location:", NULL },
	{ "307 is one too", "HTTPS", "/do/redirect:307/robot/send", TRANSPORT_OK, 307, true, NULL, "Location:", NULL },
	{ "429", "HTTPS", "/do/limit/services/x", TRANSPORT_OK, 429, true, "rate_limited", NULL, NULL },
	{ "429 with seconds", "HTTPS", "/do/limit:seconds/services/x", TRANSPORT_OK, 429, true, NULL, "Retry-After: 7\r\n", NULL },
	{ "429 with a date", "HTTPS", "/do/limit:date/services/x", TRANSPORT_OK, 429, true, NULL, "GMT\r\n", NULL },
	{ "429 with an absurd time", "HTTPS", "/do/limit:absurd/services/x", TRANSPORT_OK, 429, true, NULL, "99999999999\r\n", NULL },
	{ "500", "HTTPS", "/do/500:rollup_error/services/x", TRANSPORT_OK, 500, true, "rollup_error", NULL, NULL },
	{ "503", "HTTPS", "/do/503/services/x", TRANSPORT_OK, 503, true, NULL, NULL, NULL },
	{ "403", "HTTPS", "/do/403:invalid_token/services/x", TRANSPORT_OK, 403, true, "invalid_token", NULL, NULL },
	{ "slow, but in time", "HTTPS", "/do/slow:1/services/x", TRANSPORT_OK, 200, true, "ok", NULL, NULL },
	{ "10 MB: the status counts", "HTTPS", "/do/big:503/services/x", TRANSPORT_OK, 503, true, "xxxx", NULL, "64 KiB" },
	{ "10 MB after 200", "HTTPS", "/do/big/services/x", TRANSPORT_OK, 200, true, "xxxx", NULL, "64 KiB" },
	{ "10 MB in the clear", "HTTP", "/do/big/services/x", TRANSPORT_OK, 200, true, "xxxx", NULL, "64 KiB" },
	{ "a head without end", "HTTPS", "/do/big-head/services/x", TRANSPORT_TOO_BIG, 200, true, NULL, NULL, "head" },
	{ "hangs", "HTTPS", "/do/hang/robot/send", TRANSPORT_TIMEOUT, 0, true, NULL, NULL, "answer did not come in time" },
	{ "drips", "HTTPS", "/do/drip/robot/send", TRANSPORT_TIMEOUT, 200, true, NULL, NULL, "in time" },
	{ "drips its head", "HTTPS", "/do/drip-head/robot/send", TRANSPORT_TIMEOUT, 0, true, NULL, NULL, "in time" },
	{ "resets", "HTTPS", "/do/reset/robot/send", TRANSPORT_RESET, 0, true, NULL, NULL, "connection" },
	{ "resets in the clear", "HTTP", "/do/reset/robot/send", TRANSPORT_RESET, 0, true, NULL, NULL, "connection" },
	{ "closes without a word", "HTTPS", "/do/close/robot/send", TRANSPORT_RESET, 0, true, NULL, NULL, "connection" },
	{ "ends in the middle", "HTTPS", "/do/cut/robot/send", TRANSPORT_RESET, 200, true, "errcode", NULL, "middle" },
	{ "is no HTTP server", "HTTP", "/do/nothttp/robot/send", TRANSPORT_OTHER, 0, true, NULL, NULL, "protocol" },
	{ "a certificate of yesterday", "EXPIRED", "/robot/send?access_token=" TOKEN, TRANSPORT_TLS, 0, false, NULL, NULL, "expired" },
	{ "a certificate of tomorrow", "NOTYET", "/robot/send?access_token=" TOKEN, TRANSPORT_TLS, 0, false, NULL, NULL, "not valid yet" },
	{ "a certificate of its own", "SELFSIGNED", "/robot/send?access_token=" TOKEN, TRANSPORT_TLS, 0, false, NULL, NULL, "self-signed" },
	{ "somebody else's certificate", "WRONGHOST", "/robot/send?access_token=" TOKEN, TRANSPORT_TLS, 0, false, NULL, NULL, "host name" },
	{ "TLS where there is none", "HTTP>https", "/robot/send", TRANSPORT_TLS, 0, false, NULL, NULL, "TLS" },
	{ "nobody listens", "CLOSED", "/robot/send?access_token=" TOKEN, TRANSPORT_CONNECT, 0, false, NULL, NULL, "accepts" },
	{ "never accepts", "FULL", "/robot/send?access_token=" TOKEN, TRANSPORT_TIMEOUT, 0, false, NULL, NULL, "no connection" },
	{ "no such name", "=https://no-such-host.invalid", "/robot/send", TRANSPORT_DNS, 0, false, NULL, NULL, "DNS" },
};
/* clang-format on */

static void base_of(const struct row *r, char *ret, size_t n)
{
	if (*r->base == '=')
		snprintf(ret, n, "%s", r->base + 1);
	else if (!strcmp(r->base, "IPV6>name"))
		snprintf(ret, n, "https://localhost%s", strrchr(at("IPV6"), ':'));
	else if (!strcmp(r->base, "HTTP>https"))
		snprintf(ret, n, "https%s", at("HTTP") + 4);
	else
		snprintf(ret, n, "%s", at(r->base));
}

static bool has(const struct buf *b, const char *part)
{
	return span_find(buf_view(b), span_of(part)) != SPAN_NONE;
}

static int wrong_row(const struct row *r, const struct got *g)
{
	bool ok = g->done && g->transport == r->transport && g->status == r->status && g->sent == r->sent && (!r->body || has(&g->body, r->body)) &&
		  (!r->head || has(&g->headers, r->head)) && (!r->why || strstr(g->why, r->why)) && (g->transport == TRANSPORT_OK || *g->why) &&
		  !strstr(g->why, TOKEN) && !strstr(g->why, "127.0.0.1") && !strstr(g->why, "http:") && !strstr(g->why, "https:") && !strstr(g->why, "robot");

	if (!ok)
		print_message("# %s: done %d, transport %d (not %d), status %d (%d), sent %d (%d), why '%s', body '%.60s', head '%.80s'\n", r->name, g->done,
			      g->transport, r->transport, g->status, r->status, g->sent, r->sent, g->why, buf_str(&g->body), buf_str(&g->headers));
	return !ok;
}

static void every_row(void **state)
{
	struct http *h = opened((struct http_options){ .total_ns = SHORT + SHORT / 2, .connect_ns = SHORT, .max_parallel = (int)ARRAY_LEN(rows) });
	struct got got[ARRAY_LEN(rows)] = { 0 };
	int64_t begun = time_mono();
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char base[200];
		base_of(&rows[i], base, sizeof(base));
		post(h, base, rows[i].path, "{\"text\":\"hello\"}", &got[i]);
	}
	run(h, 30 * breath);
	assert_true(time_mono() - begun < 20 * breath);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bad += wrong_row(&rows[i], &got[i]);
		forget_got(&got[i]);
	}
	http_close(h);
	assert_int_equal(bad, 0);
}

static void sentences_in_chinese(void **state)
{
	struct http *h = opened((struct http_options){ .total_ns = SHORT });
	struct got g = { 0 };

	lang_now = LANG_ZH;
	post(h, at("EXPIRED"), "/x", "{}", &g);
	run(h, 10 * breath);
	lang_now = LANG_EN;
	assert_string_equal(g.why, "证书已过期");
	forget_got(&g);
	http_close(h);
}

static void nobody_follows_a_redirect(void **state)
{
	assert_int_equal(seen("followed", NULL), 0);
	assert_true(seen("/do/redirect", NULL) >= 2);
}

/* A body that cannot have left as a whole: the server reads nothing of it. */
static void half_sent_is_not_sent(void **state)
{
	static const char *const paths[] = { "/do/hang-head/x", "/do/reset-head/x" };
	size_t size = 24 << 20;
	char *body = mem_alloc(size + 1);

	assert_non_null(body);
	memset(body, 'x', size);
	body[size] = 0;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct http *h = opened((struct http_options){ .total_ns = SHORT });
		struct got g = { 0 };
		post(h, at("HTTP"), paths[i], body, &g);
		run(h, 10 * breath);
		assert_true(g.transport == TRANSPORT_TIMEOUT || g.transport == TRANSPORT_RESET);
		assert_false(g.sent);
		forget_got(&g);
		http_close(h);
	}
	mem_free(body);
}

static void what_arrives(void **state)
{
	struct http *h;
	struct buf json = { 0 };
	struct got g = { 0 };
	char home[] = "/tmp/tocsin-test-XXXXXX", netrc[64];
	int fd;

	assert_non_null(mkdtemp(home));
	setenv("HOME", home, 1);
	snprintf(netrc, sizeof(netrc), "%s/.netrc", home);
	fd = open(netrc, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, S("default login nobody password " TOKEN "\n")), 0);
	close(fd);
	h = opened((struct http_options){ 0 });
	post(h, at("HTTPS"), "/arrives?x=%E4%BD%A0", "{\"text\":\"\xe4\xbd\xa0\xe5\xa5\xbd\"}", &g);
	run(h, 10 * breath);
	assert_int_equal(g.status, 200);
	assert_int_equal(seen("arrives", &json), 1);
	assert_true(has(&json, "[\"User-Agent\", \"tocsin/" TOCSIN_VERSION "\"]"));
	assert_true(has(&json, "[\"Content-Type\", \"application/json\"]"));
	assert_true(has(&json, "[\"X-Secret\", \"" TOKEN "\"]"));
	assert_true(has(&json, "/arrives?x=%E4%BD%A0\""));
	assert_true(has(&json, "\\u4f60\\u597d"));
	assert_true(has(&json, "\"whole\": true"));
	assert_false(has(&json, "\"Authorization\""));
	assert_false(has(&json, "\"Cookie\""));
	assert_false(has(&json, "\"Expect\""));
	assert_false(has(&json, "Accept-Encoding"));
	buf_free(&json);
	forget_got(&g);
	http_close(h);
	unlink(netrc);
	rmdir(home);
}

static void connections_are_kept(void **state)
{
	struct http *h = opened((struct http_options){ .max_parallel = 1 });
	struct buf json = { 0 };
	struct got g[20] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(g); i++)
		post(h, at("HTTPS"), "/kept/alive", "{}", &g[i]);
	run(h, 20 * breath);
	for (size_t i = 0; i < ARRAY_LEN(g); i++) {
		assert_int_equal(g[i].status, 200);
		forget_got(&g[i]);
	}
	assert_int_equal(seen("kept", &json), ARRAY_LEN(g));
	assert_true(has(&json, "\"on_connection\": 19"));
	buf_free(&json);
	http_close(h);
}

/* libcurl would send it again by itself, and the chat would show it twice. */
static void a_dead_kept_connection_is_told(void **state)
{
	struct http *h = opened((struct http_options){ .max_parallel = 1 });
	struct got g[2] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(g); i++) {
		post(h, at("HTTPS"), "/do/ok,reset,ok/dead/kept", "{}", &g[i]);
		run(h, 10 * breath);
	}
	assert_int_equal(g[0].status, 200);
	assert_int_equal(g[1].transport, TRANSPORT_RESET);
	assert_true(g[1].sent);
	assert_int_equal(seen("dead/kept", NULL), 2);
	forget_got(&g[0]);
	forget_got(&g[1]);
	http_close(h);
}

static void a_closed_kept_connection_is_made_anew(void **state)
{
	struct http *h = opened((struct http_options){ .max_parallel = 1 });
	struct got g[3] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(g); i++) {
		post(h, at("HTTPS"), "/do/close-after/closed", "{}", &g[i]);
		run(h, 10 * breath);
		assert_int_equal(g[i].status, 200);
		forget_got(&g[i]);
		usleep((useconds_t)(breath / 5000));
	}
	assert_int_equal(seen("/closed", NULL), 3);
	http_close(h);
}

/* ---- what is not sent at all ---- */

static void refusals(void **state)
{
	/* clang-format off */
	static const struct {
		enum request_kind kind;
		const char *url, *headers, *from, *to, *why;
	} table[] = {
		{ REQUEST_HTTP, "http://192.0.2.1/" TOKEN, "", "", "", "plain http" },
		{ REQUEST_HTTP, "http://chat.example/" TOKEN, "", "", "", "plain http" },
		{ REQUEST_HTTP, "http://localhost.example/" TOKEN, "", "", "", "plain http" },
		{ REQUEST_HTTP, "http://127.0.0.1@chat.example/" TOKEN, "", "", "", "plain http" },
		{ REQUEST_HTTP, "http://[::ffff:127.0.0.1]/" TOKEN, "", "", "", "plain http" },
		{ REQUEST_HTTP, "http://0.0.0.0/" TOKEN, "", "", "", "plain http" },
		{ REQUEST_HTTP, "HTTP://1.2.3.4/" TOKEN, "", "", "", "plain http" },
		{ REQUEST_HTTP, "file:///etc/passwd", "", "", "", "https://" },
		{ REQUEST_HTTP, "gopher://127.0.0.1/" TOKEN, "", "", "", "https://" },
		{ REQUEST_HTTP, "smtp://127.0.0.1/", "", "", "", "https://" },
		{ REQUEST_HTTP, "chat.example/" TOKEN, "", "", "", "https://" },
		{ REQUEST_HTTP, "https://", "", "", "", "https://" },
		{ REQUEST_HTTP, "https://chat.example/a b" TOKEN, "", "", "", "https://" },
		{ REQUEST_HTTP, "https://chat.example/\r\nX: " TOKEN, "", "", "", "https://" },
		{ REQUEST_HTTP, "", "", "", "", "https://" },
		{ REQUEST_HTTP, "https://127.0.0.1/", "no colon " TOKEN "\n", "", "", "header" },
		{ REQUEST_HTTP, "https://127.0.0.1/", "A B: " TOKEN "\n", "", "", "header" },
		{ REQUEST_HTTP, "https://127.0.0.1/", "A: b\r\n", "", "", "header" },
		{ REQUEST_HTTP, "https://127.0.0.1/", "A: b\n\nbody" TOKEN, "", "", "header" },
		{ REQUEST_SMTP, "https://127.0.0.1/", "", "a@b", "c@d", "smtp://" },
		{ REQUEST_SMTP, "smtp://127.0.0.1", "", "a@b", "", "recipient" },
		{ REQUEST_SMTP, "smtp://127.0.0.1", "", "a@b>\r\nRCPT TO:<" TOKEN, "c@d", "sender" },
		{ REQUEST_SMTP, "smtp://127.0.0.1", "", "A <a@b>", "c@d", "sender" },
		{ REQUEST_SMTP, "smtp://127.0.0.1", "", "a@b", "c@d\ne@f\r\n", "recipient" },
		{ REQUEST_EXEC, "/bin/true", "", "", "true\n", "program" },
	};
	/* clang-format on */
	struct http *h = opened((struct http_options){ 0 });
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct request q = { .kind = table[i].kind, .method = "POST" };
		e = (struct err){ 0 };
		buf_adds(&q.url, table[i].url);
		buf_adds(&q.headers, table[i].headers);
		buf_adds(&q.from, table[i].from);
		buf_adds(&q.to, table[i].to);
		if (http_send(h, &q, note, NULL, &e) >= 0 || !strstr(e.msg, table[i].why) || strstr(e.msg, TOKEN))
			fail_msg("%s: '%s'", table[i].url, e.msg);
		forget(&q);
	}
	assert_int_equal(http_run(h, 0, &e), 0);
	http_close(h);
}

static void nul_bytes_are_refused(void **state)
{
	struct http *h = opened((struct http_options){ 0 });
	struct request q = { .kind = REQUEST_HTTP, .method = "POST" };
	struct err e = { 0 };

	buf_span(&q.url, S("http://127.0.0.1\0.chat.example/"));
	assert_int_equal(http_send(h, &q, note, NULL, &e), -EINVAL);
	forget(&q);
	http_close(h);
}

/* ---- who is trusted, and the way there ---- */

static struct got get_with(struct http_options o, const char *base, const char *path)
{
	struct http *h = NULL;
	struct got g = { 0 };
	struct err e = { 0 };

	if (http_open(&o, &h, &e) < 0)
		fail_msg("%s", e.msg);
	post(h, base, path, "{}", &g);
	run(h, 10 * breath);
	http_close(h);
	return g;
}

static void authorities(void **state)
{
	struct http_options none = { .ca_file = "/no/such/file.crt" };
	struct http *h = NULL;
	struct err e = { 0 };
	struct got g = get_with((struct http_options){ .total_ns = SHORT }, at("HTTPS"), "/x");

	assert_int_equal(g.transport, TRANSPORT_TLS); /* the system does not know this CA */
	assert_non_null(strstr(g.why, "authority"));
	forget_got(&g);
	setenv("SSL_CERT_FILE", at("CA"), 1);
	g = get_with((struct http_options){ 0 }, at("HTTPS"), "/x");
	assert_int_equal(g.transport, TRANSPORT_OK);
	forget_got(&g);
	unsetenv("SSL_CERT_FILE");
	assert_true(http_open(&none, &h, &e) < 0);
	assert_null(h);
	assert_non_null(strstr(e.msg, "/no/such/file.crt"));
}

static void proxies(void **state)
{
	struct http_options o = { .allow_plain = true, .ca_file = at("CA"), .proxy = at("HTTP"), .total_ns = SHORT };
	struct got g = get_with(o, "http://192.0.2.1", "/by/option");

	assert_int_equal(g.status, 200);
	assert_int_equal(seen("192.0.2.1/by/option", NULL), 1);
	forget_got(&g);
	/* Loopback is never asked for by way of a proxy. */
	o.proxy = at("CLOSED");
	g = get_with(o, at("HTTPS"), "/direct");
	assert_int_equal(g.status, 200);
	forget_got(&g);
	o.proxy = at("HTTP");
	g = get_with(o, "https://chat.example", "/by/tunnel");
	assert_int_equal(g.transport, TRANSPORT_OK);
	assert_int_equal(g.status, 200);
	assert_false(has(&g.headers, "established"));
	assert_int_equal(seen("by/tunnel", NULL), 1);
	forget_got(&g);
	g = get_with(o, "https://192.0.2.1", "/nowhere");
	assert_int_equal(g.transport, TRANSPORT_CONNECT);
	assert_false(g.sent);
	assert_non_null(strstr(g.why, "proxy refuses"));
	forget_got(&g);
	o.proxy = at("CLOSED");
	g = get_with(o, "https://192.0.2.1", "/nowhere");
	assert_true(g.transport == TRANSPORT_CONNECT || g.transport == TRANSPORT_TLS);
	forget_got(&g);
	o.proxy = NULL;
	setenv("http_proxy", at("HTTP"), 1);
	g = get_with(o, "http://192.0.2.1", "/by/environment");
	assert_int_equal(g.status, 200);
	assert_int_equal(seen("192.0.2.1/by/environment", NULL), 1);
	unsetenv("http_proxy");
	forget_got(&g);
}

/* ---- mail ---- */

/* clang-format off */
static const struct letter {
	const char *name, *base, *user, *to;
	int transport, status;
	bool sent;
	const char *body, *head, *why;
} letters[] = {
	{ "plain on loopback", "SMTP", NULL, "ops@example.org\n", TRANSPORT_OK, 250, true, "queued as 4711", NULL, NULL },
	{ "STARTTLS and a password", "SMTP_STARTTLS", "good", "ops@example.org\n", TRANSPORT_OK, 250, true, "queued", NULL, NULL },
	{ "TLS from the start", "SMTPS", "good", "ops@example.org\n", TRANSPORT_OK, 250, true, "queued", NULL, NULL },
	{ "elsewhere with STARTTLS", "SMTP_STARTTLS>far", NULL, "ops@example.org\n", TRANSPORT_TLS, 0, false, NULL, NULL, "host name" },
	{ "elsewhere without STARTTLS", "SMTP_BARE>far", NULL, "ops@example.org\n", TRANSPORT_TLS, 0, false, NULL, NULL, "STARTTLS" },
	{ "wrong password", "SMTP_STARTTLS", "bad", "ops@example.org\n", TRANSPORT_OK, 535, false, "authentication failed", NULL, NULL },
	{ "login fails for now", "SMTP_STARTTLS", "busy", "ops@example.org\n", TRANSPORT_OK, 454, false, "temporary", NULL, NULL },
	{ "greets with 554", "SMTP_SHUT", NULL, "ops@example.org\n", TRANSPORT_OK, 554, false, "not from there", NULL, NULL },
	{ "recipient refused", "SMTP", NULL, "rcpt550@example.org\n", TRANSPORT_OK, 550, false, "550 5.1.1", NULL, NULL },
	{ "recipient refused for now", "SMTP", NULL, "rcpt451@example.org", TRANSPORT_OK, 451, false, "451 4.1.1", NULL, NULL },
	{ "one of three refused", "SMTP", NULL, "ops@example.org\nrcpt550@example.org\n\ndev@example.org\n", TRANSPORT_OK, 250, true, "queued", NULL, "1 of 3 recipients were refused (550)" },
	{ "text refused", "SMTP", NULL, "data554@example.org\n", TRANSPORT_OK, 554, true, "554 5.0.0", NULL, NULL },
	{ "text refused for now", "SMTP", NULL, "data452@example.org\n", TRANSPORT_OK, 452, true, "452 4.0.0", NULL, NULL },
	{ "no word after the text", "SMTP", NULL, "hang@example.org\n", TRANSPORT_TIMEOUT, 0, true, NULL, NULL, "in time" },
	{ "gone after the text", "SMTP", NULL, "gone@example.org\n", TRANSPORT_RESET, 0, true, NULL, NULL, "closed" },
	{ "nobody listens", "CLOSED>smtp", NULL, "ops@example.org\n", TRANSPORT_CONNECT, 0, false, NULL, NULL, "accepts" },
	{ "an HTTP server", "HTTP>smtp", NULL, "ops@example.org\n", TRANSPORT_TIMEOUT, 0, false, NULL, NULL, "in time" },
};
/* clang-format on */

/* far: an address that comes to the same, but does not say that it is loopback. */
static void letter_url(const struct letter *l, struct buf *ret)
{
	char name[40];
	const char *mark = strchr(l->base, '>'), *base, *port;

	snprintf(name, sizeof(name), "%.*s", mark ? (int)(mark - l->base) : (int)strlen(l->base), l->base);
	base = at(name);
	port = strrchr(base, ':') + 1;
	if (!mark)
		buf_adds(ret, base);
	else
		buf_addf(ret, "smtp://%s:%s", !strcmp(mark, ">far") ? "[::ffff:127.0.0.1]" : "127.0.0.1", port);
}

static const char text[] = "Subject: hello\r\nMessage-ID: <letters@x>\n\n.hidden\n..\nbare\rcr\r\n.\r\nMAIL FROM:<evil@x>\nlast";
static const char text_as_json[] = "Subject: hello\\r\\nMessage-ID: <letters@x>\\r\\n\\r\\n.hidden\\r\\n..\\r\\nbare\\r\\ncr\\r\\n.\\r\\nMAIL FROM:<evil@x>\\r\\nlast\\r\\n";

static void every_letter(void **state)
{
	struct http *h = opened((struct http_options){ .total_ns = SHORT / 2, .max_parallel = (int)ARRAY_LEN(letters) });
	struct got got[ARRAY_LEN(letters)] = { 0 };
	struct buf json = { 0 };
	struct err e = { 0 };
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		const struct letter *l = &letters[i];
		struct request q = { .kind = REQUEST_SMTP };
		letter_url(l, &q.url);
		buf_adds(&q.from, "letters@example.org");
		buf_adds(&q.to, l->to);
		buf_adds(&q.body, text);
		if (l->user) {
			buf_adds(&q.user, l->user);
			buf_adds(&q.password, TOKEN);
		}
		assert_int_equal(http_send(h, &q, note, &got[i], &e), 0);
		forget(&q);
	}
	run(h, 30 * breath);
	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		const struct letter *l = &letters[i];
		struct row r = { l->name, NULL, NULL, l->transport, l->status, l->sent, l->body, l->head, l->why };
		bad += wrong_row(&r, &got[i]);
		forget_got(&got[i]);
	}
	http_close(h);
	assert_int_equal(bad, 0);
	assert_int_equal(seen("letters@", &json), 8); /* those whose text went out, each once */
	assert_true(has(&json, text_as_json));
	assert_true(has(&json, "\"recipients\": [\"ops@example.org\", \"dev@example.org\"]"));
	assert_true(has(&json, "\"user\": [\"good\", \"" TOKEN "\"]"));
	buf_free(&json);
}

static void a_silent_mail_server_holds_nobody_up(void **state)
{
	struct http *h = opened((struct http_options){ .total_ns = SHORT });
	struct request q = { .kind = REQUEST_SMTP };
	struct got mail = { 0 }, chat = { 0 };
	struct err e = { 0 };
	int64_t begun = time_mono();

	buf_adds(&q.url, at("SMTP"));
	buf_adds(&q.to, "hang@example.org");
	buf_adds(&q.body, "x");
	assert_int_equal(http_send(h, &q, note, &mail, &e), 0);
	forget(&q);
	post(h, at("HTTPS"), "/do/slow:0.5/services/x", "{}", &chat);
	while (!chat.done && time_mono() - begun < 10 * breath)
		assert_true(http_run(h, NSEC_PER_SEC, &e) >= 0);
	assert_int_equal(chat.status, 200);
	assert_true(chat.at - begun < 3 * breath);
	assert_false(mail.done);
	http_close(h); /* what is under way is dropped, without a word */
	assert_false(mail.done);
	forget_got(&chat);
}

/* ---- a name server that says nothing ---- */

/* Of the program, so that libcurl finds it before libc's. */
int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");

	if (node && !strcmp(node, "silent.example")) {
		sleep((unsigned)(6 * breath / NSEC_PER_SEC));
		return EAI_AGAIN;
	}
	memcpy(&real, &found, sizeof(real));
	return real(node, service, hints, ret);
}

static void a_silent_name_server_holds_nobody_up(void **state)
{
	struct http *h = opened((struct http_options){ .total_ns = SHORT, .connect_ns = breath });
	struct got silent = { 0 }, chat = { 0 };
	int64_t begun = time_mono();

	post(h, "https://silent.example", "/" TOKEN, "{}", &silent);
	post(h, at("HTTPS"), "/do/slow:1.2/services/x", "{}", &chat);
	run(h, 10 * breath);
	assert_int_equal(silent.transport, TRANSPORT_TIMEOUT);
	assert_false(silent.sent);
	assert_int_equal(chat.status, 200);
	http_close(h);
	assert_true(time_mono() - begun < 5 * breath + breath / 2); /* sooner than the resolver */
	assert_true(time_mono() - begun > NSEC_PER_SEC);
	forget_got(&silent);
	forget_got(&chat);
}

/* ---- one after the other, from within ---- */

struct chain {
	struct http *h;
	int left, ok;
};

static void send_next(void *ctx, const struct response *r);

static void chain_send(struct chain *c)
{
	struct request q = { .kind = REQUEST_HTTP, .method = "POST" };
	struct err e = { 0 };

	buf_addf(&q.url, "%s/services/chain", at("HTTP"));
	buf_adds(&q.body, "{}");
	assert_int_equal(http_send(c->h, &q, send_next, c, &e), 0);
	forget(&q);
}

static void send_next(void *ctx, const struct response *r)
{
	struct chain *c = ctx;

	c->ok += r->status == 200;
	if (--c->left)
		chain_send(c);
}

static void sending_from_within(void **state)
{
	struct chain c = { opened((struct http_options){ .max_parallel = 1 }), 5, 0 };

	chain_send(&c);
	run(c.h, 10 * breath);
	assert_int_equal(c.ok, 5);
	http_close(c.h);
}

/* ---- nothing stays behind ---- */

/* How often the needle (every byte of it turned over) stands in p. */
static size_t count_in(const unsigned char *p, size_t n, const unsigned char *turned, size_t needle)
{
	const unsigned char *end = p + n;
	size_t found = 0;

	while ((p = memchr(p, turned[0] ^ 0xff, (size_t)(end - p)))) {
		size_t i = 0;
		while (i < needle && p + i < end && (p[i] ^ turned[i]) == 0xff)
			i++;
		found += i == needle;
		if (++p == end)
			break;
	}
	return found;
}

/*
 * The same of one mapping. It may vanish while we look at it: the thread of a name server that says nothing ends behind
 * everything else, and takes its stack with it. So the kernel reads it for us, into a pipe, where a missing page is no fault.
 */
__attribute__((no_sanitize("address"))) static size_t count_mapped(const int ends[2], unsigned long from, unsigned long to, const unsigned char *turned, size_t needle)
{
	unsigned char piece[1 << 14]; /* on the stack, which is not looked at */
	size_t found = 0;

	while (from + needle <= to) {
		size_t most = to - from < sizeof(piece) ? to - from : sizeof(piece);
		long got = syscall(SYS_write, ends[1], from, most); /* not write(): a sanitizer would look at it first */

		if (got < 0 && errno != EFAULT)
			fail_msg("write: %s", strerror(errno));
		if (got > 0)
			assert_int_equal(read(ends[0], piece, (size_t)got), got);
		if (got < (long)needle) { /* gone; the next page may be there */
			from = (from | 4095) + 1;
			continue;
		}
		found += count_in(piece, (size_t)got, turned, needle);
		from += (size_t)got - (from + (size_t)got < to ? needle - 1 : 0);
	}
	explicit_bzero(piece, sizeof(piece));
	return found;
}

/* Is the needle in the writable memory of this process, the stack aside? */
static size_t in_memory(const unsigned char *turned, size_t n)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[400], mode[8], name[200];
	unsigned long from, to;
	size_t found = 0;
	int ends[2];

	assert_non_null(maps);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	while (fgets(line, sizeof(line), maps)) {
		*name = 0;
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %199s", &from, &to, mode, name) < 3 || strncmp(mode, "rw", 2) != 0 || (*name && strcmp(name, "[heap]") != 0))
			continue;
		if (to - from <= 256ul << 20) /* what is larger is a sanitizer's own */
			found += count_mapped(ends, from, to, turned, n);
	}
	close(ends[0]);
	close(ends[1]);
	fclose(maps);
	return found;
}

static void the_request_is_wiped(void **state)
{
	static const unsigned char turned[] = { 'c' ^ 0xff, 'n' ^ 0xff, 'r' ^ 0xff, 'y' ^ 0xff, '-' ^ 0xff, '7' ^ 0xff, 'Q' ^ 0xff, 'x' ^ 0xff, 'W' ^ 0xff, 'k' ^ 0xff, '3' ^ 0xff, 'z' ^ 0xff };
	static const char *const bases[] = { "HTTP", "HTTPS", "CLOSED" };
	struct http *h = opened((struct http_options){ 0 });

	for (size_t b = 0; b < ARRAY_LEN(bases); b++) {
		struct request q = { .kind = REQUEST_HTTP, .method = "POST" };
		struct buf *where[] = { &q.url, &q.headers, &q.body };
		struct got g = { 0 };
		struct err e = { 0 };

		for (size_t i = 0; i < ARRAY_LEN(where); i++)
			assert_true(buf_need(where[i], 200));
		buf_addf(&q.url, "%s/services/", at(bases[b]));
		buf_adds(&q.headers, "X-Key: ");
		for (size_t i = 0; i < ARRAY_LEN(where); i++)
			for (size_t k = 0; k < sizeof(turned); k++)
				buf_addc(where[i], (char)(turned[k] ^ 0xff));
		assert_int_equal(http_send(h, &q, note, &g, &e), 0);
		forget(&q);
		assert_true(in_memory(turned, sizeof(turned)) > 0); /* it can be found */
		run(h, 10 * breath);
		assert_int_equal(in_memory(turned, sizeof(turned)), 0);
		forget_got(&g);
	}
	http_close(h);
}

/* One that is to wait lets those behind it go first, and is dropped with the rest. */
static void not_before_its_time(void **state)
{
	struct http *h = opened((struct http_options){ .max_parallel = 1 });
	struct got g[4] = { 0 };
	struct err e = { 0 };
	int64_t began = time_mono();

	for (size_t i = 0; i < ARRAY_LEN(g); i++) {
		struct request q = { .kind = REQUEST_HTTP, .method = "POST" };
		buf_addf(&q.url, "%s/services/wait%zu", at("HTTP"), i);
		q.not_before = i == 0 ? began + 400 * NSEC_PER_MSEC : i == 2 ? began + 200 * NSEC_PER_MSEC : i == 3 ? began + 3600 * NSEC_PER_SEC : 0;
		assert_int_equal(http_send(h, &q, note, &g[i], &e), 0);
		forget(&q);
	}
	for (int left = 4; left > 1 && time_mono() - began < 10 * breath;)
		left = http_run(h, NSEC_PER_SEC, &e);
	assert_true(time_mono() - began < 5 * breath);
	assert_true(g[0].done && g[1].done && g[2].done && !g[3].done);
	assert_true(g[1].at < began + breath / 5 && g[1].at < g[2].at && g[1].at < g[0].at);
	assert_true(g[2].at >= began + 200 * NSEC_PER_MSEC && g[0].at >= began + 400 * NSEC_PER_MSEC);
	http_close(h);
	for (size_t i = 0; i < ARRAY_LEN(g); i++)
		forget_got(&g[i]);
}

static long points_of(void (*f)(void))
{
	fault_seen = 0;
	fault_at = -1;
	f();
	fault_at = 0;
	return fault_seen;
}

static void try_one_of_each(void)
{
	struct http_options o = { .ca_file = getenv("TOCSIN_TEST_ENDPOINT_CA"), .total_ns = SHORT };
	struct request q = { .kind = REQUEST_HTTP, .method = "POST" }, m = { .kind = REQUEST_SMTP };
	struct got g[2] = { 0 };
	bool asked[2] = { 0 };
	struct http *h = NULL;
	struct err e = { 0 };
	long keep = fault_at;
	int left = 1;

	fault_at = 0;
	buf_addf(&q.url, "%s/services/x", at("HTTPS"));
	buf_adds(&q.body, "{}");
	buf_adds(&q.headers, "X: y\n");
	buf_adds(&m.url, at("SMTP"));
	buf_adds(&m.to, "ops@example.org");
	buf_adds(&m.body, "x\n");
	for (size_t i = 0; i < ARRAY_LEN(g); i++) {
		buf_need(&g[i].headers, RESPONSE_MAX + 200);
		buf_need(&g[i].body, RESPONSE_MAX + 200);
	}
	fault_at = keep;
	if (http_open(&o, &h, &e) == 0) {
		asked[0] = http_send(h, &q, note, &g[0], &e) == 0;
		asked[1] = http_send(h, &m, note, &g[1], &e) == 0;
		while (left > 0)
			left = http_run(h, 5 * NSEC_PER_SEC, &e);
		for (size_t i = 0; i < ARRAY_LEN(g) && left == 0; i++)
			assert_int_equal(g[i].done, asked[i]);
	}
	fault_at = 0;
	http_close(h);
	forget(&q);
	forget(&m);
	forget_got(&g[0]);
	forget_got(&g[1]);
}

/* Ours and libcurl's: each allocation fails once. */
static void without_memory(void **state)
{
	long n = points_of(try_one_of_each);

	assert_true(n > 20);
	for (long i = 1; i <= n; i++) {
		fault_seen = 0;
		fault_at = i;
		try_one_of_each();
		fault_at = 0;
	}
}

/* As many requests as the largest test has, and the certificates of the system, which take their time to read. */
static int take_breath(void **state)
{
	struct http *h = opened((struct http_options){ .total_ns = 60 * NSEC_PER_SEC, .connect_ns = 60 * NSEC_PER_SEC, .max_parallel = (int)ARRAY_LEN(rows) });
	struct got got[ARRAY_LEN(rows)] = { 0 }, g;
	int64_t begun = time_mono();

	breath = 60 * NSEC_PER_SEC;
	for (size_t i = 0; i < ARRAY_LEN(got); i++)
		post(h, at("HTTPS"), "/breath", "{}", &got[i]);
	run(h, breath);
	for (size_t i = 0; i < ARRAY_LEN(got); i++)
		forget_got(&got[i]);
	http_close(h);
	g = get_with((struct http_options){ .total_ns = breath, .connect_ns = breath }, at("HTTPS"), "/breath");
	forget_got(&g);
	breath = time_mono() - begun;
	if (breath < NSEC_PER_SEC)
		breath = NSEC_PER_SEC;
	if (breath > 10 * NSEC_PER_SEC)
		breath = 10 * NSEC_PER_SEC;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(nobody_follows_a_redirect),
		cmocka_unit_test(sentences_in_chinese),
		cmocka_unit_test(half_sent_is_not_sent),
		cmocka_unit_test(what_arrives),
		cmocka_unit_test(connections_are_kept),
		cmocka_unit_test(a_dead_kept_connection_is_told),
		cmocka_unit_test(a_closed_kept_connection_is_made_anew),
		cmocka_unit_test(refusals),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(authorities),
		cmocka_unit_test(proxies),
		cmocka_unit_test(every_letter),
		cmocka_unit_test(a_silent_mail_server_holds_nobody_up),
		cmocka_unit_test(a_silent_name_server_holds_nobody_up),
		cmocka_unit_test(sending_from_within),
		cmocka_unit_test(the_request_is_wiped),
		cmocka_unit_test(not_before_its_time),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, take_breath, NULL);
}
