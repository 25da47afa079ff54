#include "probe/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"
#include "parse/httphead.h"

struct server;
struct connection {
	struct server *s;
	int fd;
	struct watch *io, *late;
	struct buf in, out;
	size_t sent;
	bool answered,
		drain; /* drain: all is sent; what the other side still sends is thrown away until it ends */
	struct connection *next, *before;
};
struct server {
	const struct serve *o;
	struct loop *loop;
	struct connection *all;
	size_t n;
	int fd;
	struct watch *listening;
	bool near, stop;
};

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = { { 200, "OK" },
		      { 400, "Bad Request" },
		      { 404, "Not Found" },
		      { 405, "Method Not Allowed" },
		      { 421, "Misdirected Request" },
		      { 431, "Request Header Fields Too Large" },
		      { 503, "Service Unavailable" },
		      { 505, "HTTP Version Not Supported" } };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Error";
}

void serve_field(struct serve_answer *a, const char *name, struct span value)
{
	buf_addf(&a->more, "%s: ", name);
	for (size_t i = 0; i < value.n && i < 1000; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if (c < ' ' || c > '~' || c == '%')
			buf_addf(&a->more, "%%%02X", c);
		else
			buf_addc(&a->more, (char)c);
	}
	buf_adds(&a->more, "\r\n");
}

/* ---- a connection ---- */

static void drop(struct connection *c)
{
	struct server *s = c->s;

	loop_remove(s->loop, c->io);
	loop_remove(s->loop, c->late);
	fd_close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	*(c->before ? &c->before->next : &s->all) = c->next;
	if (c->next)
		c->next->before = c->before;
	mem_free(c);
	s->n--;
}

static void write_head(struct connection *c, int status, const struct serve_answer *a)
{
	buf_addf(&c->out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
		 status, status_text(status), a->body.len);
	buf_adds(&c->out,
		 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n");
	if (status == 405)
		buf_adds(&c->out, "Allow: GET, HEAD\r\n");
	buf_span(&c->out, buf_view(&a->more));
	buf_adds(&c->out, "\r\n");
}

/* A name that another site gave its own address (DNS rebinding) is not one of ours. */
static bool is_our_host(const struct server *s, struct span host)
{
	char name[64];
	unsigned char bytes[16];
	size_t colon = span_rchr(host, ':');

	if (!s->near || !host.p)
		return true;
	if (span_starts(host, S("[")))
		host = span_head(span_from(host, 1),
				 span_chr(host, ']') == SPAN_NONE ? 0 : span_chr(host, ']') - 1);
	else if (colon != SPAN_NONE)
		host = span_head(host, colon);
	if (host.n >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(host));
	return !strcasecmp(name, "localhost") || inet_pton(AF_INET, name, bytes) == 1 ||
	       inet_pton(AF_INET6, name, bytes) == 1;
}

static bool is_path(struct span target)
{
	static const struct span paths[] = {
		{ "/", 1 }, { "/health", 7 }, { "/healthz", 8 }, { "/active", 7 }
	};
	struct span path = span_cut(&target, '?');

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (span_eq(path, paths[i]))
			return true;
	}
	return false;
}

static void answer(struct connection *c, int status, const struct http_head *h)
{
	struct serve_answer a = { .status = status };
	bool head = h && span_eq(h->method, S("HEAD"));

	if (!status && !head && !span_eq(h->method, S("GET")))
		a.status = 405;
	else if (!status && !is_our_host(c->s, h->host))
		a.status = 421;
	else if (!status && !is_path(h->target))
		a.status = 404;
	if (a.status)
		buf_addf(&a.body, "{\"error\":\"%s\"}\n", status_text(a.status));
	else
		c->s->o->answer(c->s->o->ctx, &a);
	write_head(c, a.status, &a);
	if (!head)
		buf_span(&c->out, buf_view(&a.body));
	c->out.bad |= a.body.bad || a.more.bad;
	c->answered = true;
	buf_free(&a.body);
	buf_free(&a.more);
}

/* false: the connection is gone. */
static bool read_more(struct connection *c)
{
	struct http_head h;
	char bytes[4096];

	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		drop(c);
		return false;
	}
	if (n < 0 || c->answered) /* a body that nobody reads */
		return true;
	buf_add(&c->in, bytes, (size_t)n);
	int r = c->in.bad ? -431 : http_head_read(buf_view(&c->in), &h);
	if (r != 0)
		answer(c, r < 0 ? -r : 0, r < 0 ? NULL : &h);
	return true;
}

static bool write_more(struct connection *c)
{
	if (c->out.bad) {
		drop(c);
		return false;
	}
	ssize_t n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		drop(c);
		return false;
	}
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < c->out.len || c->drain)
		return true;
	/* Closed at once, with bytes unread, the answer could be lost (RST): the other side ends it, or the timer does. */
	c->drain = true;
	shutdown(c->fd, SHUT_WR);
	return true;
}

static void on_io(void *ctx, int fd, uint32_t events)
{
	struct connection *c = ctx;

	if (events & (EPOLLHUP | EPOLLERR)) {
		drop(c);
		return;
	}
	if ((events & EPOLLIN) && !read_more(c))
		return;
	if (c->answered && !c->drain && !write_more(c))
		return;
	if (loop_fd_events(c->s->loop, c->io, c->answered && !c->drain ? EPOLLIN | EPOLLOUT : EPOLLIN, NULL) <
	    0)
		drop(c);
}

static void on_late(void *ctx, int64_t now)
{
	drop(ctx);
}

/* ---- the server ---- */

static void add(struct server *s, int fd)
{
	struct connection *c = mem_zalloc(sizeof(*c));

	if (!c) {
		fd_close(fd);
		return;
	}
	*c = (struct connection){ .s = s, .fd = fd, .next = s->all, .in.max = HTTP_HEAD_MAX + 4096 };
	if (s->all)
		s->all->before = c;
	s->all = c;
	s->n++;
	if (loop_fd(s->loop, fd, EPOLLIN, on_io, c, &c->io, NULL) < 0 ||
	    loop_timer(s->loop, time_mono() + SERVE_SECONDS * NSEC_PER_SEC, 0, on_late, c, &c->late, NULL) <
		    0)
		drop(c);
}

/* Who says nothing makes room for who asks: an honest request takes milliseconds. */
static void drop_oldest(struct server *s)
{
	struct connection *c = s->all;

	while (c->next)
		c = c->next;
	drop(c);
}

static void on_accept(void *ctx, int fd, uint32_t events)
{
	struct server *s = ctx;

	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (got < 0) {
		/* No descriptor is left: without room the loop would ask again at once, for ever. */
		if ((errno == EMFILE || errno == ENFILE) && s->all)
			drop_oldest(s);
		return;
	}
	if (s->n >= SERVE_CONNECTIONS)
		drop_oldest(s);
	add(s, got);
}

static void on_signal(void *ctx, const struct signalfd_siginfo *si)
{
	struct server *s = ctx;

	s->stop = true;
}

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static bool is_near(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->four.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->six.sin6_addr);
}

static int read_address(const struct serve *o, union address *ret, struct err *e)
{
	struct span host = span_of(o->address), port = host;
	size_t colon = span_rchr(host, ':');
	char name[64] = "";
	int64_t number;

	*ret = (union address){ 0 };
	port = colon == SPAN_NONE ? host : span_from(host, colon + 1);
	host = colon == SPAN_NONE ? S("") : span_head(host, colon);
	if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_head(span_from(host, 1), host.n - 2);
	if (host.n < sizeof(name))
		snprintf(name, sizeof(name), "%.*s", SPAN_ARG(host));
	if (!host.n || !strcmp(name, "localhost"))
		strcpy(name, "127.0.0.1");
	bool fine = span_int(port, &number) && number >= 0 && number <= 65535 && host.n < sizeof(name);
	if (fine && inet_pton(AF_INET, name, &ret->four.sin_addr) == 1) {
		ret->any.sa_family = AF_INET;
		ret->four.sin_port = htons((uint16_t)number);
	} else if (fine && inet_pton(AF_INET6, name, &ret->six.sin6_addr) == 1) {
		ret->any.sa_family = AF_INET6;
		ret->six.sin6_port = htons((uint16_t)number);
	} else {
		return err_set(e, EINVAL,
			       TR("--serve %s: no address such as 127.0.0.1:9100 or :9100",
				  "--serve %s：不是 127.0.0.1:9100 或 :9100 这样的地址"),
			       o->address);
	}
	if (!is_near(ret) && !o->anywhere)
		return err_set(
			e, EINVAL,
			TR("--serve %s: other machines could ask there; say --serve-anywhere when they shall",
			   "--serve %s：其他机器也能访问该地址；如确需如此，请加 --serve-anywhere"),
			o->address);
	return 0;
}

static socklen_t size_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->four) : sizeof(a->six);
}

static void tell(const struct server *s, union address *a)
{
	char name[INET6_ADDRSTRLEN] = "", url[128];
	socklen_t n = sizeof(*a);

	getsockname(s->fd, &a->any, &n);
	if (a->any.sa_family == AF_INET)
		snprintf(url, sizeof(url), "http://%s:%d/",
			 inet_ntop(AF_INET, &a->four.sin_addr, name, sizeof(name)), ntohs(a->four.sin_port));
	else
		snprintf(url, sizeof(url), "http://[%s]:%d/",
			 inet_ntop(AF_INET6, &a->six.sin6_addr, name, sizeof(name)), ntohs(a->six.sin6_port));
	if (s->o->ready)
		s->o->ready(s->o->ctx, url);
}

static int listen_at(struct server *s, const union address *a, struct err *e)
{
	int on = 1;

	s->fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return err_set(e, errno, TR("--serve %s: %m", "--serve %s：%m"), s->o->address);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s->fd, &a->any, size_of(a)) < 0 || listen(s->fd, SERVE_CONNECTIONS) < 0)
		return err_set(e, errno, TR("--serve %s: %m", "--serve %s：%m"), s->o->address);
	return 0;
}

int serve_run(const struct serve *o, struct err *e)
{
	struct server s = { .o = o, .fd = -1 };
	struct watch *signals = NULL;
	union address a;
	sigset_t set;

	int r = read_address(o, &a, e);
	if (r < 0)
		return r;
	s.near = is_near(&a);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	r = loop_new(&s.loop, e);
	if (r == 0)
		r = loop_signals(s.loop, &set, on_signal, &s, &signals, e);
	if (r == 0)
		r = listen_at(&s, &a, e);
	if (r == 0)
		r = loop_fd(s.loop, s.fd, EPOLLIN, on_accept, &s, &s.listening, e);
	if (r == 0)
		tell(&s, &a);
	while (r == 0 && !s.stop)
		r = loop_step(s.loop, e);
	while (s.all)
		drop(s.all);
	loop_free(s.loop);
	fd_close(s.fd);
	return r;
}
