#include "alert/http.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "alert/job.h"
#include "base/mem.h"
#include "base/time.h"

#define PARALLEL_DEFAULT 16
#define PARALLEL_MAX 256
#define CONNECT_DEFAULT (5 * NSEC_PER_SEC)
#define TOTAL_DEFAULT (15 * NSEC_PER_SEC)
#define MAIL_PATIENCE 4   /* times total_ns: who gives up on a mail too early sends it twice */
#define LOW_SPEED 16      /* bytes a second */
#define PIECE 16384L

struct http {
	CURLM *multi;
	char *ca_file, *ca_dir, *proxy;
	bool system_dir;          /* of certificates: needed beside the file */
	bool allow_plain, openssl;
	int64_t connect_ns, total_ns;
	struct job **active;
	struct curl_waitfd *sockets;
	size_t n_active, max_active;
	struct job *waiting, **waiting_end;
	size_t n_waiting;
};

static int out_of_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* A connection that the other side has closed must not end us; TLS writes without asking for that. */
static void pipe_signal_ignore(struct sigaction *before)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, before);
}

/* ---- open and close ---- */

/* What is trusted: the file of the options, else of SSL_CERT_FILE, else libcurl's own, in one file where it is in one. */
static int trust(struct http *h, const char *file, struct err *e)
{
	curl_version_info_data *v = cu.curl_version_info(CURLVERSION_NOW);
	const char *dir = getenv("SSL_CERT_DIR");

	h->openssl = v->ssl_version && (strstr(v->ssl_version, "OpenSSL") || strstr(v->ssl_version, "LibreSSL") || strstr(v->ssl_version, "BoringSSL"));
	if (!file || !*file)
		file = getenv("SSL_CERT_FILE");
	if (file && *file) {
		if (access(file, R_OK) < 0)
			return err_set(e, errno, TR("the file of trusted certificates '%s' cannot be read: %m", "无法读取受信任证书文件“%s”：%m"), file);
		h->ca_file = mem_dup(file, strlen(file));
		if (!h->ca_file)
			return out_of_memory(e);
	}
	if (dir && *dir) {
		h->ca_dir = mem_dup(dir, strlen(dir));
		if (!h->ca_dir)
			return out_of_memory(e);
	}
	/* A directory beside the file keeps libcurl from sharing what it has read among connections. */
	h->system_dir = !h->ca_file && (v->age < CURLVERSION_SEVENTH || !v->cainfo || access(v->cainfo, R_OK) < 0);
	return 0;
}

static int take_options(struct http *h, const struct http_options *o, struct err *e)
{
	h->allow_plain = o->allow_plain;
	h->connect_ns = o->connect_ns > 0 ? o->connect_ns : CONNECT_DEFAULT;
	h->total_ns = o->total_ns > 0 ? o->total_ns : TOTAL_DEFAULT;
	h->max_active = o->max_parallel > 0 ? (size_t)o->max_parallel : PARALLEL_DEFAULT;
	if (h->max_active > PARALLEL_MAX)
		h->max_active = PARALLEL_MAX;
	h->active = mem_zalloc(h->max_active * sizeof(struct job *));
	h->sockets = mem_zalloc(h->max_active * sizeof(*h->sockets));
	h->proxy = o->proxy ? mem_dup(o->proxy, strlen(o->proxy)) : NULL;
	if (!h->active || !h->sockets || (o->proxy && !h->proxy))
		return out_of_memory(e);
	h->multi = cu.curl_multi_init();
	if (!h->multi)
		return out_of_memory(e);
	cu.curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->max_active);
	return trust(h, o->ca_file, e);
}

int http_open(const struct http_options *o, struct http **ret, struct err *e)
{
	struct http *h;
	int r = curl_use(TR("sending alerts", "发送告警"), e);

	*ret = NULL;
	if (r < 0)
		return r;
	h = mem_zalloc(sizeof(*h));
	if (!h) {
		curl_leave();
		return out_of_memory(e);
	}
	h->waiting_end = &h->waiting;
	r = take_options(h, o, e);
	if (r < 0) {
		http_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

static void job_free(struct job *j)
{
	if (j->easy) {
		cu.curl_multi_remove_handle(j->http->multi, j->easy);
		cu.curl_easy_cleanup(j->easy);
	}
	buf_free(&j->answer_head);
	buf_free(&j->answer);
	mail_free(&j->mail);
	explicit_bzero(j, j->size);
	mem_free(j);
}

static void wipe_text(char *z)
{
	if (z)
		explicit_bzero(z, strlen(z));
	mem_free(z);
}

void http_close(struct http *h)
{
	struct sigaction before;

	if (!h)
		return;
	pipe_signal_ignore(&before);
	for (size_t i = 0; i < h->n_active; i++)
		job_free(h->active[i]);
	while (h->waiting) {
		struct job *j = h->waiting;
		h->waiting = j->next;
		job_free(j);
	}
	if (h->multi)
		cu.curl_multi_cleanup(h->multi);
	sigaction(SIGPIPE, &before, NULL);
	wipe_text(h->proxy);
	mem_free(h->ca_file);
	mem_free(h->ca_dir);
	mem_free(h->active);
	mem_free(h->sockets);
	mem_free(h);
	curl_leave();
}

/* ---- what may be sent where ---- */

enum scheme { SCHEME_HTTP, SCHEME_HTTPS, SCHEME_SMTP, SCHEME_SMTPS, SCHEME_COUNT };
static const char *const schemes[] = { "http", "https", "smtp", "smtps" };

/* Taken apart by the code that will use it, so that both see one host. false: no address. */
static bool take_apart(const char *url, enum scheme *scheme, bool *loopback)
{
	CURLU *u = cu.curl_url();
	char *part = NULL, *host = NULL;
	bool ok = false;

	*scheme = SCHEME_COUNT;
	if (u && !cu.curl_url_set(u, CURLUPART_URL, url, 0) && !cu.curl_url_get(u, CURLUPART_SCHEME, &part, 0) &&
	    !cu.curl_url_get(u, CURLUPART_HOST, &host, 0)) {
		for (*scheme = 0; *scheme < SCHEME_COUNT && strcmp(part, schemes[*scheme]) != 0; ++*scheme)
			;
		*loopback = net_is_loopback(host);
		ok = *scheme < SCHEME_COUNT;
	}
	cu.curl_free(part);
	cu.curl_free(host);
	cu.curl_url_cleanup(u);
	return ok;
}

static int check_address(const struct http *h, struct job *j, struct err *e)
{
	bool mail = j->kind == REQUEST_SMTP;
	enum scheme scheme;

	if (!take_apart(j->url, &scheme, &j->loopback) || mail != (scheme == SCHEME_SMTP || scheme == SCHEME_SMTPS))
		return mail ? err_set(e, EINVAL, TR("the channel's address is not of the form smtp://HOST:PORT or smtps://HOST:PORT", "渠道地址不是 smtp://主机:端口 或 smtps://主机:端口 的形式"))
			    : err_set(e, EINVAL, TR("the channel's address is no https:// URL", "渠道地址不是 https:// URL"));
	if (scheme == SCHEME_HTTP && !j->loopback && !h->allow_plain)
		return err_set(e, EPERM, TR("the channel's address is plain http, which everybody on the way can read: write https:// (only loopback may be plain)",
					    "渠道地址是明文 http，途中任何人都能读取：请使用 https://（仅本机回环地址可用明文）"));
	j->plain = scheme == SCHEME_HTTP || scheme == SCHEME_SMTP;
	return 0;
}

/* Header lines are "Name: value"; anything else would be a header of its own, or the body. */
static bool headers_are_plain(struct span headers)
{
	while (headers.n) {
		struct span line = span_cut(&headers, '\n');
		size_t colon = span_chr(line, ':');
		if (colon == SPAN_NONE || !colon || memchr(line.p, '\r', line.n) || memchr(line.p, 0, line.n))
			return false;
		for (size_t i = 0; i < colon; i++)
			if ((unsigned char)line.p[i] <= ' ' || (unsigned char)line.p[i] >= 127)
				return false;
	}
	return true;
}

static int check_request(const struct request *q, struct err *e)
{
	const char *wrong = NULL;

	if (q->url.bad || q->body.bad || q->headers.bad || q->from.bad || q->to.bad || q->user.bad || q->password.bad)
		return out_of_memory(e);
	if (q->kind == REQUEST_SMTP)
		wrong = mail_wrong(q);
	else if (q->kind != REQUEST_HTTP)
		wrong = TR("this channel is a program, not an address", "该渠道是程序，不是网络地址");
	else if (!headers_are_plain(buf_view(&q->headers)))
		wrong = TR("a header of the channel is not of the form 'Name: value'", "渠道的某个请求头不是“名称: 值”的形式");
	if (!wrong && ((q->url.len && memchr(q->url.p, 0, q->url.len)) || (q->user.len && memchr(q->user.p, 0, q->user.len)) ||
		       (q->password.len && memchr(q->password.p, 0, q->password.len))))
		wrong = TR("the channel's address, user or password has a NUL byte", "渠道的地址、用户名或密码含有 NUL 字节");
	return wrong ? err_set(e, EINVAL, "%s", wrong) : 0;
}

/* ---- a request becomes a job ---- */

static struct span copied(char **at, const struct buf *b)
{
	struct span s = { *at, b->len };

	if (b->len)
		memcpy(*at, b->p, b->len);
	(*at)[b->len] = 0;
	*at += b->len + 1;
	return s;
}

static void header_put(struct job *j, struct curl_slist *node, char *line)
{
	*node = (struct curl_slist){ .data = line, .next = j->headers };
	j->headers = node;
}

/* The list stands in the job itself: libcurl would copy each line. */
static void take_headers(struct job *j, struct curl_slist *nodes, struct span lines)
{
	static char no_expect[] = "Expect:", no_type[] = "Content-Type:";
	bool typed = false;

	header_put(j, nodes++, no_expect);
	while (lines.n) {
		struct span line = span_cut(&lines, '\n');
		char *z = j->url + (line.p - j->url); /* the same place, ours to write */
		z[line.n] = 0;
		typed = typed || !strncasecmp(z, no_type, sizeof(no_type) - 1);
		header_put(j, nodes++, z);
	}
	if (!typed)
		header_put(j, nodes, no_type);
}

static struct job *job_new(struct http *h, const struct request *q)
{
	size_t lines = 3, size;
	struct curl_slist *nodes;
	struct span headers;
	struct job *j;
	char *at;

	for (size_t i = 0; i < q->headers.len; i++)
		lines += q->headers.p[i] == '\n';
	size = sizeof(*j) + lines * sizeof(*nodes) + q->url.len + q->headers.len + q->body.len + q->user.len + q->password.len + q->from.len +
	       q->to.len + 8;
	j = mem_alloc(size);
	if (!j)
		return NULL;
	memset(j, 0, sizeof(*j));
	j->size = size;
	j->http = h;
	j->kind = q->kind;
	j->method = q->method ? q->method : "POST";
	j->not_before = q->not_before;
	j->answer_head.max = j->answer.max = RESPONSE_MAX + 1;
	nodes = (struct curl_slist *)(j + 1);
	at = (char *)(nodes + lines);
	j->url = at;
	copied(&at, &q->url);
	j->user = q->user.len ? at : NULL;
	copied(&at, &q->user);
	j->password = q->user.len ? at : NULL;
	copied(&at, &q->password);
	j->from = copied(&at, &q->from);
	j->to = copied(&at, &q->to);
	j->body = copied(&at, &q->body);
	headers = copied(&at, &q->headers);
	take_headers(j, nodes, headers);
	return j;
}

int http_send(struct http *h, const struct request *q, http_done_fn *fn, void *ctx, struct err *e)
{
	int r = check_request(q, e);
	struct job *j;

	if (r < 0)
		return r;
	j = job_new(h, q);
	if (!j)
		return out_of_memory(e);
	r = check_address(h, j, e);
	if (r < 0) {
		job_free(j);
		return r;
	}
	j->fn = fn;
	j->ctx = ctx;
	*h->waiting_end = j;
	h->waiting_end = &j->next;
	h->n_waiting++;
	return 0;
}

/* ---- what libcurl asks and tells ---- */

static size_t give_body(char *to, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;
	struct span rest = span_head(span_from(j->body, j->body_at), size * n);

	if (rest.n)
		memcpy(to, rest.p, rest.n);
	j->body_at += rest.n;
	return rest.n;
}

/* Keeps what fits; less than n told back ends the transfer. */
static size_t keep(struct buf *b, const char *p, size_t n, bool *too_long)
{
	size_t room = RESPONSE_MAX - b->len;

	buf_add(b, p, n < room ? n : room);
	if (n <= room)
		return b->bad ? 0 : n;
	*too_long = true;
	return 0;
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;

	return keep(&j->answer, p, size * n, &j->too_long);
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;
	struct span line = { p, size * n };
	size_t last;

	if (j->kind == REQUEST_SMTP) { /* of several replies the last one counts */
		last = span_rchr(span_head(buf_view(&j->answer), j->answer.len ? j->answer.len - 1 : 0), '\n');
		last = last == SPAN_NONE ? 0 : last + 1;
		if (j->answer.len > last + 3 && j->answer.p[last + 3] != '-')
			buf_clear(&j->answer);
		return keep(&j->answer, p, line.n, &j->too_long);
	}
	if (span_starts(line, S("HTTP/")))
		buf_clear(&j->answer_head);
	return keep(&j->answer_head, p, line.n, &j->head_too_long);
}

/* ---- options ---- */

#define SET(option, value) (bad |= cu.curl_easy_setopt(c, option, value) != CURLE_OK)

static long as_ms(int64_t ns)
{
	return (long)((ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static bool set_protocols(CURL *c, const char *words, long bits)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	if (cu.curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, words) == CURLE_OK)
		return true;
#endif
	return cu.curl_easy_setopt(c, CURLOPT_PROTOCOLS, bits) == CURLE_OK; /* before 7.85 */
}

static bool set_tls(CURL *c, const struct http *h)
{
	bool bad = false;

	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* Connections are kept; and 7.88 frees a session twice when it has no memory to keep it. */
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (h->ca_file) {
		SET(CURLOPT_CAINFO, h->ca_file);
		cu.curl_easy_setopt(c, CURLOPT_PROXY_CAINFO, h->ca_file);
	}
	if (h->ca_dir || !h->system_dir) {
		/* Not every TLS library has directories; then there is none to switch off. */
		cu.curl_easy_setopt(c, CURLOPT_CAPATH, h->ca_dir);
		cu.curl_easy_setopt(c, CURLOPT_PROXY_CAPATH, h->ca_dir);
	}
	return !bad;
}

static bool set_http(CURL *c, const struct job *j)
{
	bool bad = !set_protocols(c, "http,https", CURLPROTO_HTTP | CURLPROTO_HTTPS);

	SET(CURLOPT_USERAGENT, "tocsin/" TOCSIN_VERSION);
	SET(CURLOPT_HTTPHEADER, j->headers);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (!strcmp(j->method, "GET") && !j->body.n) {
		SET(CURLOPT_HTTPGET, 1L);
		return !bad;
	}
	/*
	 * Asked for piece by piece and never from its beginning again: when a kept connection turns out to be dead, libcurl
	 * would send all of it twice without a word, and some chats would show two messages.
	 */
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)j->body.n);
	SET(CURLOPT_READFUNCTION, give_body);
	SET(CURLOPT_READDATA, (void *)j);
	if (strcmp(j->method, "POST") != 0)
		SET(CURLOPT_CUSTOMREQUEST, j->method);
	return !bad;
}

static bool set_mail(CURL *c, const struct job *j)
{
	bool bad = !set_protocols(c, "smtp,smtps", CURLPROTO_SMTP | CURLPROTO_SMTPS);

	SET(CURLOPT_CONNECT_ONLY, 1L);
	/* On the way to this machine itself only a password is worth it. */
	SET(CURLOPT_USE_SSL, (long)(!j->loopback ? CURLUSESSL_ALL : j->user ? CURLUSESSL_TRY : CURLUSESSL_NONE));
	if (j->user) {
		SET(CURLOPT_USERNAME, j->user);
		SET(CURLOPT_PASSWORD, j->password);
	}
	return !bad;
}

static bool set_options(CURL *c, struct http *h, struct job *j)
{
	bool mail = j->kind == REQUEST_SMTP, bad = false;
	int64_t total = h->total_ns * (mail ? MAIL_PATIENCE : 1);

	SET(CURLOPT_URL, j->url);
	SET(CURLOPT_PRIVATE, (void *)j);
	SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A name server that says nothing holds up its own thread, not us; before 7.87 it holds up us. */
	cu.curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
#endif
	SET(CURLOPT_CONNECTTIMEOUT_MS, as_ms(mail ? h->total_ns : h->connect_ns));
	SET(CURLOPT_TIMEOUT_MS, as_ms(total));
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)LOW_SPEED);
	SET(CURLOPT_LOW_SPEED_TIME, (long)(total * 2 / 3 / NSEC_PER_SEC) + 1);
	SET(CURLOPT_BUFFERSIZE, PIECE);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, PIECE);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, (void *)j);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, (void *)j);
	/* What is meant for this machine goes to it, and not in the clear to a proxy. */
	if (j->loopback)
		SET(CURLOPT_NOPROXY, "*");
	else if (h->proxy)
		SET(CURLOPT_PROXY, h->proxy);
	if (!j->plain) /* of a plain one the body would be under way when the proxy asks */
		SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_ANY);
	j->deadline = time_mono() + total;
	return !bad && set_tls(c, h) && (mail ? set_mail(c, j) : set_http(c, j));
}

/* ---- the end of a job ---- */

/* The mail goes to those whom the server takes; of the others the judge hears. */
static const char *refused_text(struct job *j)
{
	const struct mail *m = &j->mail;

	if (!m->refused || !m->accepted)
		return NULL;
	snprintf(j->note, sizeof(j->note), TR("%d of %d recipients were refused (%d)", "有 %d 个（共 %d 个）收件人被拒绝（%d）"), m->refused,
		 m->refused + m->accepted, m->refused_status);
	return j->note;
}

/* An answer that was understood is an answer, however the connection ended. */
static CURLcode forgive(const struct job *j, CURLcode code, long status)
{
	if (code == CURLE_WRITE_ERROR && (j->answer.bad || j->answer_head.bad))
		return CURLE_OUT_OF_MEMORY;
	if (code == CURLE_WRITE_ERROR && j->too_long && status && j->kind == REQUEST_HTTP)
		return CURLE_OK;
	if (j->kind == REQUEST_SMTP && status >= 400 && (code == CURLE_LOGIN_DENIED || code == CURLE_WEIRD_SERVER_REPLY))
		return CURLE_OK;
	return code;
}

static void job_response(struct job *j, CURLcode code, struct response *r)
{
	long status = 0, verify = 0;
	curl_off_t uploaded = 0, connected = 0;
	long asked = 0, proxy = 0;

	*r = (struct response){ .transport = TRANSPORT_OTHER };
	if (j->easy) {
		cu.curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &status);
		cu.curl_easy_getinfo(j->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
		cu.curl_easy_getinfo(j->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
		cu.curl_easy_getinfo(j->easy, CURLINFO_REQUEST_SIZE, &asked);
		cu.curl_easy_getinfo(j->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
		if (j->http->openssl)
			cu.curl_easy_getinfo(j->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	}
	if (j->kind == REQUEST_SMTP) {
		r->sent = j->mail.step >= MAIL_TEXT && j->body_at == j->body.n;
		status = j->status ? j->status : j->mail.step == MAIL_CONNECT ? status : 0;
		r->why = refused_text(j);
	} else {
		/* It forgets what it had uploaded when it begins again on a new connection, which then may not even come about. */
		r->sent = !j->body.n ? asked > 0 : uploaded >= (curl_off_t)j->body.n || j->body_at == j->body.n;
	}
	if (code != CURLE_OK && proxy >= 300)
		code = (CURLcode)PROXY_REFUSES;
	code = forgive(j, code, status);
	r->status = code == PROXY_REFUSES && proxy == 407 ? 407 : (int)status;
	r->headers = buf_view(&j->answer_head);
	r->body = buf_view(&j->answer);
	if (code == CURLE_OK) {
		r->transport = TRANSPORT_OK;
		if (j->too_long)
			r->why = TR("the answer is longer than 64 KiB; the rest of it was not read", "应答超过 64 KiB，其余部分未读取");
		return;
	}
	if (j->kind == REQUEST_SMTP) { /* of an earlier step: no answer to this mail */
		r->status = 0;
		r->body = (struct span){ NULL, 0 };
	}
	r->transport = failure_transport(code);
	r->why = failure_text(code, verify, connected > 0 || j->mail.step != MAIL_CONNECT);
}

static void job_finish(struct job *j, CURLcode code)
{
	struct http *h = j->http;
	struct response r;

	for (size_t i = 0; i < h->n_active; i++)
		if (h->active[i] == j)
			h->active[i] = h->active[--h->n_active];
	job_response(j, code, &r);
	if (j->easy) {
		cu.curl_multi_remove_handle(h->multi, j->easy);
		cu.curl_easy_cleanup(j->easy);
		j->easy = NULL;
	}
	j->fn(j->ctx, &r);
	job_free(j);
}

/* ---- turning ---- */

static bool job_start(struct http *h, struct job *j)
{
	j->easy = cu.curl_easy_init();
	return j->easy && set_options(j->easy, h, j) && cu.curl_multi_add_handle(h->multi, j->easy) == CURLM_OK;
}

/* Returns how many ended at once. */
static int start_waiting(struct http *h)
{
	int ended = 0;

	for (struct job **at = &h->waiting; *at && h->n_active < h->max_active;) {
		struct job *j = *at;
		if (j->not_before && j->not_before > time_mono()) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		if (!*at)
			h->waiting_end = at;
		h->n_waiting--;
		h->active[h->n_active++] = j;
		if (!job_start(h, j)) {
			job_finish(j, CURLE_OUT_OF_MEMORY);
			ended++;
		}
	}
	return ended;
}

static int collect(struct http *h)
{
	int left, ended = 0;
	CURLMsg *m;

	while ((m = cu.curl_multi_info_read(h->multi, &left))) {
		CURLcode code = m->data.result;
		char *private = NULL;
		struct job *j;

		if (m->msg != CURLMSG_DONE)
			continue;
		cu.curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
		j = (struct job *)(void *)private;
		if (j->kind == REQUEST_SMTP && code == CURLE_OK && (j->from.n || j->to.n)) {
			mail_begin(j);
			continue;
		}
		job_finish(j, code);
		ended++;
	}
	return ended;
}

static int turn_mails(struct http *h)
{
	int ended = 0;

	for (size_t i = h->n_active; i-- > 0;) {
		struct job *j = h->active[i];
		CURLcode code;

		if (j->mail.step == MAIL_CONNECT)
			continue;
		if (!mail_work(j, &code)) {
			if (time_mono() < j->deadline)
				continue;
			code = CURLE_OPERATION_TIMEDOUT;
		}
		job_finish(j, code);
		ended++;
		if (i > h->n_active)
			i = h->n_active;
	}
	return ended;
}

/* libcurl watches its own sockets; those of mails under way are ours. */
static CURLMcode wait_for(struct http *h, int64_t left)
{
	int64_t now = time_mono();
	unsigned n = 0;

	for (size_t i = 0; i < h->n_active; i++) {
		struct job *j = h->active[i];
		curl_socket_t fd = CURL_SOCKET_BAD;

		if (j->mail.step == MAIL_CONNECT)
			continue;
		if (j->deadline - now < left)
			left = j->deadline > now ? j->deadline - now : 0;
		cu.curl_easy_getinfo(j->easy, CURLINFO_ACTIVESOCKET, &fd);
		if (fd != CURL_SOCKET_BAD)
			h->sockets[n++] = (struct curl_waitfd){ .fd = fd, .events = j->mail.events & POLLOUT ? CURL_WAIT_POLLOUT : CURL_WAIT_POLLIN };
	}
	for (const struct job *j = h->waiting; j; j = j->next) {
		if (j->not_before > now && j->not_before - now < left)
			left = j->not_before - now;
	}
	return cu.curl_multi_poll(h->multi, h->sockets, n, (int)(left > 3600 * NSEC_PER_SEC ? 3600000 : as_ms(left)), NULL);
}

static int turn(struct http *h, int64_t until, struct err *e)
{
	CURLMcode r;
	int running, ended;

	for (;;) {
		ended = start_waiting(h);
		r = cu.curl_multi_perform(h->multi, &running);
		if (r != CURLM_OK)
			break;
		ended += collect(h);
		ended += turn_mails(h);
		if (ended || !(h->n_active + h->n_waiting) || time_mono() >= until)
			return (int)(h->n_active + h->n_waiting);
		r = wait_for(h, until - time_mono());
		if (r != CURLM_OK)
			break;
	}
	return r == CURLM_OUT_OF_MEMORY ? out_of_memory(e) : err_set(e, EIO, TR("libcurl reports error %d", "libcurl 报告错误 %d"), (int)r);
}

int http_run(struct http *h, int64_t wait_ns, struct err *e)
{
	int64_t now = time_mono();
	struct sigaction before;
	int r;

	pipe_signal_ignore(&before);
	r = turn(h, wait_ns < INT64_MAX - now ? now + wait_ns : INT64_MAX, e);
	sigaction(SIGPIPE, &before, NULL);
	return r;
}
