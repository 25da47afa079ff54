#include "net/get.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "net/curl.h"
#include "parse/netrc.h"

#define PARALLEL_DEFAULT 8
#define PARALLEL_MAX 64
#define CONNECT_DEFAULT (10 * NSEC_PER_SEC)
#define TOTAL_DEFAULT (30 * NSEC_PER_SEC)
#define SIZE_DEFAULT ((size_t)16 << 20)
#define REDIRECTS 10L
#define STOP_MS 100

struct net {
	struct net_options o;
	CURLM *multi;
	char *ca_file, *ca_dir;
	bool openssl;
};

struct job {
	struct net *net;
	struct net_get *g;
	CURL *easy;
	struct buf url;   /* may hold a password */
	struct span host; /* of the address, with its port; in url */
	bool https, loopback, proxied;
	int fd;
	bool too_big, cannot_write, active;
};

static int out_of_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- open and close ---- */

static int trust(struct net *n, struct err *e)
{
	curl_version_info_data *v = cu.curl_version_info(CURLVERSION_NOW);
	const char *dir = getenv("SSL_CERT_DIR"), *file = n->o.ca_file;

	n->openssl = v->ssl_version &&
		     (strstr(v->ssl_version, "OpenSSL") || strstr(v->ssl_version, "LibreSSL") || strstr(v->ssl_version, "BoringSSL"));
	if (!file || !*file) {
		file = getenv("SSL_CERT_FILE");
		file = file && access(file, R_OK) == 0 ? file : NULL; /* go passes over one that is not there */
	}
	n->ca_file = file && *file ? mem_dup(file, strlen(file)) : NULL;
	n->ca_dir = dir && *dir ? mem_dup(dir, strlen(dir)) : NULL;
	return (file && *file && !n->ca_file) || (dir && *dir && !n->ca_dir) ? out_of_memory(e) : 0;
}

int net_open(const struct net_options *o, struct net **ret, struct err *e)
{
	int r = curl_use(TR("asking a module proxy", "询问模块代理"), e);
	struct net *n;

	*ret = NULL;
	if (r < 0)
		return r;
	n = mem_zalloc(sizeof(*n));
	if (!n) {
		curl_leave();
		return out_of_memory(e);
	}
	n->o = *o;
	n->multi = cu.curl_multi_init();
	r = n->multi ? trust(n, e) : out_of_memory(e);
	if (r < 0) {
		net_close(n);
		return r;
	}
	*ret = n;
	return 0;
}

void net_close(struct net *n)
{
	if (!n)
		return;
	if (n->multi)
		cu.curl_multi_cleanup(n->multi);
	mem_free(n->ca_file);
	mem_free(n->ca_dir);
	mem_free(n);
	curl_leave();
}

void net_close_cleanup(struct net **n)
{
	net_close(*n);
}

/* ---- the address ---- */

/* As go has it: without a scheme it is https. */
static bool take_address(struct job *j)
{
	struct span u = span_of(j->g->url);

	if (span_find(u, S("://")) == SPAN_NONE)
		buf_adds(&j->url, "https://");
	buf_span(&j->url, u);
	return !j->url.bad;
}

static bool take_part(CURLU *u, CURLUPart part, struct buf *ret)
{
	char *z = NULL;
	bool ok = !cu.curl_url_get(u, part, &z, 0) && z;

	if (ok)
		buf_adds(ret, z);
	cu.curl_free(z);
	return ok;
}

/* Who is asked, as .netrc has it: host[:port]/path. false: that is no address that is asked here. */
static bool take_apart(struct job *j, struct buf *place, bool *credentials)
{
	CLEANUP(buf_free) struct buf part = { 0 };
	CURLU *u = cu.curl_url();
	bool ok = u && !cu.curl_url_set(u, CURLUPART_URL, buf_str(&j->url), 0) && take_part(u, CURLUPART_SCHEME, &part);

	j->https = ok && !strcasecmp(buf_str(&part), "https");
	ok = ok && (j->https || !strcasecmp(buf_str(&part), "http"));
	buf_clear(&part);
	*credentials = ok && take_part(u, CURLUPART_USER, &part);
	ok = ok && take_part(u, CURLUPART_HOST, place);
	j->loopback = ok && net_is_loopback(buf_str(place));
	buf_clear(&part);
	if (ok && take_part(u, CURLUPART_PORT, &part))
		buf_addf(place, ":%s", buf_str(&part));
	ok = ok && take_part(u, CURLUPART_PATH, place);
	cu.curl_url_cleanup(u);
	if (part.cap)
		explicit_bzero(part.p, part.cap);
	return ok && !place->bad && !part.bad;
}

/* ---- a file ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool file_path(struct span url, struct buf *ret)
{
	struct span p = span_from(url, strlen("file://"));

	span_skip(&p, S("localhost"));
	for (size_t i = 0; i < p.n; i++) {
		int a = p.p[i] == '%' && i + 2 < p.n ? hex(p.p[i + 1]) : -1, b = a >= 0 ? hex(p.p[i + 2]) : -1;
		buf_addc(ret, b >= 0 ? (char)(a * 16 + b) : p.p[i]);
		i += b >= 0 ? 2 : 0;
	}
	return ret->len && ret->p[0] == '/' && !memchr(ret->p, 0, ret->len);
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx);

static void copy_file(struct job *j, int fd)
{
	char piece[64 << 10];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0 || (got < 0 && errno == EINTR)) {
		if (got > 0 && !take_body(piece, 1, (size_t)got, j))
			break;
	}
	if (got < 0) {
		j->g->transport = TRANSPORT_OTHER;
		j->g->why = TR("the file cannot be read", "无法读取文件");
	}
}

static void get_file(struct job *j)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct net_get *g = j->g;
	int64_t began = time_mono();
	struct stat st;
	int fd;

	g->transport = TRANSPORT_OK;
	if (!file_path(buf_view(&j->url), &path)) {
		g->transport = TRANSPORT_OTHER;
		g->why = TR("the address names no file: file:///PATH", "地址未指明文件：应为 file:///路径");
		return;
	}
	fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	g->status = fd >= 0 ? 200 : errno == ENOENT || errno == ENOTDIR ? 404 : 403;
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		g->status = 404;
	if (g->status == 200 && !g->head)
		copy_file(j, fd);
	fd_close(fd);
	g->total_ns = time_mono() - began;
	if (j->too_big || j->cannot_write) {
		g->transport = j->too_big ? TRANSPORT_TOO_BIG : TRANSPORT_OTHER;
		g->why = j->too_big ? TR("the answer is larger than it may be", "应答超过允许的大小")
				    : TR("the answer cannot be kept", "无法保存应答");
	}
}

/* ---- what libcurl tells ---- */

/* Less than was given ends the transfer. */
static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;
	struct net_get *g = j->g;
	size_t max = g->max ? g->max : SIZE_DEFAULT, more = size * n;

	if ((uint64_t)g->bytes + more > max) {
		j->too_big = true;
		return 0;
	}
	g->bytes += (int64_t)more;
	if (!g->to) {
		buf_add(&g->body, p, more);
		return g->body.bad ? 0 : more;
	}
	if (j->fd < 0)
		j->fd = open(g->to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	j->cannot_write = j->fd < 0 || fd_write_all(j->fd, (struct span){ p, more }) < 0;
	return j->cannot_write ? 0 : more;
}

static void take_word(char *ret, size_t size, struct span value, const char *ends)
{
	size_t n = 0;

	value = span_trim(value);
	while (n < value.n && n + 1 < size && (unsigned char)value.p[n] > ' ' && value.p[n] != 127 && !strchr(ends, value.p[n]))
		n++;
	if (n)
		memcpy(ret, value.p, n);
	ret[n] = 0;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;
	struct span line = { p, size * n }, name;

	if (span_starts(line, S("HTTP/"))) { /* of a redirection, of an HTTP proxy */
		j->g->type[0] = j->g->location[0] = 0;
		j->g->date = 0;
		return line.n;
	}
	name = span_cut(&line, ':');
	if (name.n == 12 && !strncasecmp(name.p, "content-type", 12))
		take_word(j->g->type, sizeof(j->g->type), line, ";");
	if (name.n == 8 && !strncasecmp(name.p, "location", 8))
		take_word(j->g->location, sizeof(j->g->location), line, "?#");
	if (name.n == 4 && !strncasecmp(name.p, "date", 4)) {
		char when[64];
		snprintf(when, sizeof(when), "%.*s", SPAN_ARG(span_head(span_trim(line), 60)));
		time_t t = cu.curl_getdate(when, NULL);
		j->g->date = t > 0 ? (int64_t)t : 0;
	}
	return size * n;
}

/* ---- options ---- */

#define SET(option, value) (bad |= cu.curl_easy_setopt(c, option, value) != CURLE_OK)

static long as_ms(int64_t ns)
{
	return (long)((ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static const char *first_of(const char *a, const char *b)
{
	const char *v = getenv(a);

	return v && *v ? v : getenv(b);
}

/*
 * Go's own: capitals first, HTTP_PROXY only for http, never ALL_PROXY, none for this machine itself. libcurl reads NO_PROXY
 * otherwise (no ports): it is told only of a host that go would ask itself, for it may be led on from there.
 */
static bool set_proxy(CURL *c, struct job *j, struct span place)
{
	const char *proxy = j->https ? first_of("HTTPS_PROXY", "https_proxy") : first_of("HTTP_PROXY", "http_proxy");
	struct span not_for = span_of(first_of("NO_PROXY", "no_proxy")), host = span_head(place, span_chr(place, '/'));
	CLEANUP(buf_free) struct buf none_for = { 0 };
	bool bad = false;

	if (!j->https && getenv("REQUEST_METHOD")) /* a CGI: the caller could have set it */
		proxy = getenv("http_proxy");
	bool excepted = net_no_proxy(not_for, host, j->https), is_set = proxy && *proxy && !j->loopback && !j->g->straight;
	j->proxied = is_set && !excepted;
	if (excepted) {
		size_t port = span_rchr(host, ':');
		struct span name = port == SPAN_NONE || span_ends(host, S("]")) ? host : span_head(host, port);
		if (span_starts(name, S("[")))
			name = span_from(span_head(name, name.n - 1), 1);
		buf_span(&none_for, name);
		buf_addf(&none_for, ",%.*s", SPAN_ARG(not_for));
	}
	SET(CURLOPT_PROXY, is_set ? proxy : "");
	SET(CURLOPT_NOPROXY, j->loopback || j->g->straight ? "*" : buf_str(&none_for));
	return !bad && !none_for.bad;
}

static bool set_tls(CURL *c, const struct job *j)
{
	const struct net *n = j->net;
	bool bad = false, verified = !n->o.insecure && !j->g->shake;

	SET(CURLOPT_SSL_VERIFYPEER, verified ? 1L : 0L);
	SET(CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (n->ca_file) {
		SET(CURLOPT_CAINFO, n->ca_file);
		cu.curl_easy_setopt(c, CURLOPT_PROXY_CAINFO, n->ca_file);
	}
	if (n->ca_dir || n->o.ca_file) { /* go reads the system's directories beside SSL_CERT_FILE; not every TLS library has them */
		cu.curl_easy_setopt(c, CURLOPT_CAPATH, n->ca_dir);
		cu.curl_easy_setopt(c, CURLOPT_PROXY_CAPATH, n->ca_dir);
	}
	return !bad;
}

static bool set_protocols(CURL *c, bool https)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	if (cu.curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	    cu.curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https") == CURLE_OK)
		return true;
#endif
	return cu.curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) == CURLE_OK && /* before 7.85 */
	       cu.curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS, https ? (long)CURLPROTO_HTTPS : (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) ==
		       CURLE_OK;
}

/* false: no memory. */
static bool set_credentials(CURL *c, struct job *j, struct span place, bool in_address)
{
	CLEANUP(buf_free) struct buf user = { 0 };
	CLEANUP(buf_free) struct buf password = { 0 };
	struct netrc_entry entry;
	bool bad = false;

	j->g->authorized = in_address && !j->g->bare && !j->g->shake;
	if (!in_address && !j->g->bare && !j->g->shake && j->https && !j->net->o.insecure &&
	    netrc_find(j->net->o.netrc, place, j->net->o.netrc_old, &entry)) {
		buf_span(&user, entry.login);
		buf_span(&password, entry.password);
		SET(CURLOPT_USERNAME, buf_str(&user));
		SET(CURLOPT_PASSWORD, buf_str(&password));
		bad |= user.bad || password.bad;
		if (password.p)
			explicit_bzero(password.p, password.cap);
		j->g->authorized = true;
	} else if (in_address && (j->g->bare || j->g->shake)) {
		SET(CURLOPT_USERNAME, NULL);
		SET(CURLOPT_PASSWORD, NULL);
	}
	SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	SET(CURLOPT_FOLLOWLOCATION, j->g->authorized ? 0L : 1L);
	SET(CURLOPT_MAXREDIRS, REDIRECTS);
	return !bad;
}

/* What libcurl tells of the handshake; all else that it would tell is passed over, for it may hold credentials. */
static int take_talk(CURL *c, curl_infotype kind, char *p, size_t n, void *ctx)
{
	struct job *j = ctx;
	struct span line = { p, n };

	(void)c;
	if (kind == CURLINFO_TEXT && span_skip(&line, S("SSL connection using ")))
		take_word(j->g->tls, sizeof(j->g->tls), line, "/");
	return 0;
}

static void set_look(CURL *c, struct job *j)
{
	cu.curl_easy_setopt(c, CURLOPT_CERTINFO, 1L); /* not every TLS library can */
	cu.curl_easy_setopt(c, CURLOPT_DEBUGFUNCTION, take_talk);
	cu.curl_easy_setopt(c, CURLOPT_DEBUGDATA, (void *)j);
	cu.curl_easy_setopt(c, CURLOPT_VERBOSE, 1L);
}

static bool set_options(struct job *j, struct span place, bool credentials)
{
	const struct net_options *o = &j->net->o;
	int64_t total = o->total_ns > 0 ? o->total_ns : TOTAL_DEFAULT, quiet = o->quiet_ns > 0 ? o->quiet_ns : total;
	CURL *c = j->easy;
	bool bad = !set_protocols(c, j->https);

	SET(CURLOPT_URL, buf_str(&j->url));
	SET(CURLOPT_PRIVATE, (void *)j);
	SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	cu.curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* a name server that says nothing holds up its own thread, not us */
#endif
	SET(CURLOPT_USERAGENT, "tocsin/" TOCSIN_VERSION);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, as_ms(o->connect_ns > 0 ? o->connect_ns : CONNECT_DEFAULT));
	SET(CURLOPT_TIMEOUT_MS, as_ms(total));
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long)((quiet + NSEC_PER_SEC - 1) / NSEC_PER_SEC));
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, (void *)j);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, (void *)j);
	SET(j->g->head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
	if (j->g->shake)
		SET(CURLOPT_CONNECT_ONLY, 1L);
	if (o->look)
		set_look(c, j);
	return !bad && set_proxy(c, j, place) && set_tls(c, j) && set_credentials(c, j, place, credentials);
}

/* ---- the end of one ---- */

static int64_t moment(CURL *c, CURLINFO what)
{
	curl_off_t us = 0;

	cu.curl_easy_getinfo(c, what, &us);
	return (int64_t)us * 1000;
}

static void take_line(char *ret, size_t size, struct span value)
{
	struct span fits = utf8_head(span_trim(value), size - 1);

	for (size_t i = 0; i < fits.n; i++)
		ret[i] = (unsigned char)fits.p[i] < ' ' || fits.p[i] == 127 ? '?' : fits.p[i];
	ret[fits.n] = 0;
}

/* The server's own certificate comes first. */
static void take_certificate(struct net_get *g, const struct curl_slist *l, bool first)
{
	for (; l; l = l->next) {
		struct span value = span_of(l->data), name = span_cut(&value, ':');
		if (first && span_eq(name, S("Subject")))
			take_line(g->subject, sizeof(g->subject), value);
		if (first && span_eq(name, S("Issuer")))
			take_line(g->issuer, sizeof(g->issuer), value);
		if (span_eq(name, S("Issuer")))
			take_line(g->root, sizeof(g->root), value);
		if (first && span_eq(name, S("Expire date"))) {
			char when[64];
			snprintf(when, sizeof(when), "%.*s", SPAN_ARG(span_head(span_trim(value), 60)));
			time_t t = cu.curl_getdate(when, NULL);
			g->expires = t > 0 ? (int64_t)t : 0;
		}
	}
}

static void take_certificates(struct job *j)
{
	struct curl_certinfo *all = NULL;

	if (cu.curl_easy_getinfo(j->easy, CURLINFO_CERTINFO, &all) != CURLE_OK || !all)
		return;
	for (int i = 0; i < all->num_of_certs && i < 16; i++)
		take_certificate(j->g, all->certinfo[i], i == 0);
}

static void take_facts(struct job *j)
{
	struct net_get *g = j->g;
	const char *ip = NULL;
	long status = 0, version = 0, port = 0;

	cu.curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &status);
	cu.curl_easy_getinfo(j->easy, CURLINFO_HTTP_VERSION, &version);
	cu.curl_easy_getinfo(j->easy, CURLINFO_PRIMARY_IP, &ip);
	cu.curl_easy_getinfo(j->easy, CURLINFO_PRIMARY_PORT, &port);
	g->status = (int)status;
	if (j->net->o.look)
		take_certificates(j);
	g->version = version == CURL_HTTP_VERSION_1_0   ? 10
		     : version == CURL_HTTP_VERSION_1_1 ? 11
		     : version == CURL_HTTP_VERSION_2_0 ? 20
		     : version == 30 /* HTTP/3 */       ? 30
							: 0;
	if (ip && *ip)
		snprintf(g->address, sizeof(g->address), strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip, port);
	g->name_ns = moment(j->easy, CURLINFO_NAMELOOKUP_TIME_T);
	g->connect_ns = moment(j->easy, CURLINFO_CONNECT_TIME_T);
	g->tls_ns = moment(j->easy, CURLINFO_APPCONNECT_TIME_T);
	g->first_ns = moment(j->easy, CURLINFO_STARTTRANSFER_TIME_T);
	g->total_ns = moment(j->easy, CURLINFO_TOTAL_TIME_T);
}

static void job_finish(struct job *j, CURLcode code)
{
	struct net_get *g = j->g;
	long verify = 0, proxy = 0;

	take_facts(j);
	cu.curl_easy_getinfo(j->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
	if (j->net->openssl)
		cu.curl_easy_getinfo(j->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	g->by_proxy = j->proxied && (proxy > 0 || !j->https);
	g->transport = TRANSPORT_OK;
	if (j->too_big || j->cannot_write || g->body.bad) {
		g->transport = j->too_big ? TRANSPORT_TOO_BIG : TRANSPORT_OTHER;
		g->why = j->too_big      ? TR("the answer is larger than it may be", "应答超过允许的大小")
			 : g->body.bad   ? TR("out of memory", "内存不足")
					 : TR("the answer cannot be kept", "无法保存应答");
	} else if (code == CURLE_TOO_MANY_REDIRECTS) {
		g->transport = TRANSPORT_OTHER;
		g->why = TR("it redirects without end", "没完没了地重定向");
	} else if (code != CURLE_OK) {
		int how = proxy >= 300 ? PROXY_REFUSES : (int)code;
		g->transport = failure_transport(how);
		g->why = failure_text(how, verify, g->connect_ns > 0);
	}
}

/* ---- turning ---- */

static bool job_start(struct job *j)
{
	CLEANUP(buf_free) struct buf place = { 0 };
	struct net_get *g = j->g;
	bool credentials = false;

	g->transport = TRANSPORT_OTHER;
	g->why = TR("out of memory", "内存不足");
	if (!take_address(j))
		return false;
	if (span_starts(buf_view(&j->url), S("file://"))) {
		g->why = NULL;
		get_file(j);
		return false;
	}
	if (!take_apart(j, &place, &credentials)) {
		g->why = TR("that is no http:// or https:// address", "不是 http:// 或 https:// 地址");
		return false;
	}
	j->easy = cu.curl_easy_init();
	if (!j->easy || !set_options(j, buf_view(&place), credentials))
		return false;
	j->active = cu.curl_multi_add_handle(j->net->multi, j->easy) == CURLM_OK;
	if (j->active)
		g->why = NULL;
	return j->active;
}

static void job_end(struct job *j)
{
	if (j->active)
		cu.curl_multi_remove_handle(j->net->multi, j->easy);
	if (j->easy)
		cu.curl_easy_cleanup(j->easy);
	fd_close(j->fd);
	if (j->url.p)
		explicit_bzero(j->url.p, j->url.cap);
	buf_free(&j->url);
	j->easy = NULL;
	j->active = false;
	j->fd = -1;
}

static size_t collect(struct net *n)
{
	size_t ended = 0;
	CURLMsg *m;
	int left;

	while ((m = cu.curl_multi_info_read(n->multi, &left))) {
		CURLcode code = m->data.result;
		char *private = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		cu.curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
		job_finish((struct job *)(void *)private, code);
		job_end((struct job *)(void *)private);
		ended++;
	}
	return ended;
}

static void give_up(struct job *jobs, size_t count, const char *why)
{
	for (size_t i = 0; i < count; i++) {
		if (!jobs[i].active && jobs[i].g->transport == TRANSPORT_OK && (jobs[i].g->status || jobs[i].g->why))
			continue;
		if (!jobs[i].active && jobs[i].g->why)
			continue;
		if (jobs[i].active)
			take_facts(&jobs[i]);
		jobs[i].g->transport = TRANSPORT_OTHER;
		jobs[i].g->why = why;
		job_end(&jobs[i]);
	}
}

static int turn(struct net *n, struct job *jobs, size_t count, struct err *e)
{
	size_t at = 0, active = 0, max = n->o.max_parallel > 0 ? (size_t)n->o.max_parallel : PARALLEL_DEFAULT;
	int running;

	max = max > PARALLEL_MAX ? PARALLEL_MAX : max;
	for (;;) {
		while (at < count && active < max) {
			if (job_start(&jobs[at]))
				active++;
			else
				job_end(&jobs[at]);
			at++;
		}
		if (!active && at == count)
			return 0;
		if (n->o.stop && n->o.stop(n->o.ctx)) {
			give_up(jobs, count, TR("ended before the answer came", "在应答到达之前已结束"));
			return 0;
		}
		if (cu.curl_multi_perform(n->multi, &running) != CURLM_OK)
			break;
		active -= collect(n);
		if (active && running && cu.curl_multi_poll(n->multi, NULL, 0, STOP_MS, NULL) != CURLM_OK)
			break;
	}
	give_up(jobs, count, TR("out of memory", "内存不足"));
	return out_of_memory(e);
}

static void answer_clear(struct net_get *g)
{
	struct net_get q = {
		.url = g->url, .to = g->to, .max = g->max, .head = g->head, .bare = g->bare, .shake = g->shake, .straight = g->straight
	};

	*g = q;
}

int net_get(struct net *n, struct net_get *g, size_t count, struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	struct job *jobs = count ? mem_zalloc(count * sizeof(*jobs)) : NULL;
	int r;

	for (size_t i = 0; i < count; i++)
		answer_clear(&g[i]);
	if (!count)
		return 0;
	if (!jobs)
		return out_of_memory(e);
	for (size_t i = 0; i < count; i++)
		jobs[i] = (struct job){ .net = n, .g = &g[i], .fd = -1 };
	sigaction(SIGPIPE, &ignore, &before); /* a connection that the other side has closed must not end us */
	r = turn(n, jobs, count, e);
	sigaction(SIGPIPE, &before, NULL);
	mem_free(jobs);
	return r;
}
