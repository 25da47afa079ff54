/* --health: one small HTTP request at a time, in the loop of the run; nothing waits for it. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/supervise.h"

#define HEAD_MAX 512
#define ADDRESSES_MAX 4 /* of a name: localhost is ::1 and 127.0.0.1, and the service listens on one of them */

struct health {
	struct loop *loop;
	health_fn *fn;
	void *ctx;
	struct sockaddr_storage addr[ADDRESSES_MAX];
	socklen_t addr_len[ADDRESSES_MAX];
	int n_addr, at, tried; /* at: the one that is asked; tried: without an answer, of this time */
	struct buf request;
	size_t sent;
	char head[HEAD_MAX];
	size_t n;
	int fd; /* -1: none is under way */
	int64_t time_ns;
	struct watch *watch, *timer;
};

static void answered(struct health *h, bool healthy, const char *answer)
{
	loop_remove(h->loop, h->watch);
	loop_remove(h->loop, h->timer);
	h->watch = h->timer = NULL;
	fd_close(h->fd);
	h->fd = -1;
	h->fn(h->ctx, healthy, answer);
}

static void ask(struct health *h);

static void failed(struct health *h, int err)
{
	char text[120];

	if (!h->sent && ++h->tried < h->n_addr) { /* nobody is there: perhaps at the next */
		loop_remove(h->loop, h->watch);
		loop_remove(h->loop, h->timer);
		h->watch = h->timer = NULL;
		fd_close(h->fd);
		h->fd = -1;
		h->at = (h->at + 1) % h->n_addr;
		ask(h);
		return;
	}
	snprintf(text, sizeof(text), "%s", strerror(err));
	answered(h, false, text);
}

static void too_late(void *ctx, int64_t now)
{
	struct health *h = ctx;
	char took[24], text[120];

	duration_text(h->time_ns, took);
	snprintf(text, sizeof(text), TR("no answer within %s", "%s 内没有应答"), took);
	answered(h, false, text);
}

/* "HTTP/1.1 200 OK": what follows is not read. */
static bool read_status(struct health *h)
{
	struct span head = { h->head, h->n };
	char text[120];
	int64_t status;

	if (span_chr(head, '\n') == SPAN_NONE && h->n < HEAD_MAX)
		return false;
	if (!span_starts(head, S("HTTP/1.")) || head.n < 12 || !span_int(span_head(span_from(head, 9), 3), &status)) {
		answered(h, false, TR("the answer is no HTTP", "应答不是 HTTP"));
		return true;
	}
	snprintf(text, sizeof(text), "HTTP %d", (int)status);
	answered(h, status >= 200 && status < 400, text);
	return true;
}

static void receive(struct health *h)
{
	ssize_t n;

	while ((n = recv(h->fd, h->head + h->n, HEAD_MAX - h->n, MSG_DONTWAIT)) > 0) {
		h->n += (size_t)n;
		if (read_status(h))
			return;
	}
	if (n == 0)
		answered(h, false, TR("the connection was closed without an answer", "连接被关闭，没有应答"));
	else if (errno != EAGAIN && errno != EINTR)
		failed(h, errno);
}

static void on_ready(void *ctx, int fd, uint32_t events)
{
	struct health *h = ctx;
	int err = 0;
	socklen_t n = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err) {
		failed(h, err);
		return;
	}
	while (h->sent < h->request.len && events & EPOLLOUT) {
		ssize_t k = send(fd, h->request.p + h->sent, h->request.len - h->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (k < 0 && errno != EAGAIN && errno != EINTR) {
			failed(h, errno);
			return;
		}
		if (k <= 0)
			return;
		h->sent += (size_t)k;
		if (h->sent == h->request.len)
			loop_fd_events(h->loop, h->watch, EPOLLIN, NULL);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(h);
}

static void ask(struct health *h)
{
	h->sent = h->n = 0;
	h->fd = socket(h->addr[h->at].ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (h->fd < 0) {
		failed(h, errno);
		return;
	}
	if (connect(h->fd, (struct sockaddr *)&h->addr[h->at], h->addr_len[h->at]) < 0 && errno != EINPROGRESS) {
		failed(h, errno);
		return;
	}
	struct err none;
	if (loop_fd(h->loop, h->fd, EPOLLOUT, on_ready, h, &h->watch, &none) < 0 ||
	    loop_timer(h->loop, time_mono() + h->time_ns, 0, too_late, h, &h->timer, &none) < 0)
		failed(h, ENOMEM);
}

void health_ask(struct health *h)
{
	if (h->fd >= 0)
		return;
	h->tried = 0;
	ask(h);
}

/* host[:port] and [host]:port; a name is asked for once, before the command is started. */
static int resolve(struct health *h, struct span authority, const char *url, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *found = NULL;
	CLEANUP(buf_free) struct buf host = { 0 }, port = { 0 };
	struct span rest = authority, name;

	if (span_skip(&rest, S("["))) {
		name = span_cut(&rest, ']');
		span_skip(&rest, S(":"));
	} else {
		name = span_cut(&rest, ':');
	}
	buf_span(&host, name);
	buf_span(&port, rest.n ? rest : S("80"));
	int n = name.n ? getaddrinfo(buf_str(&host), buf_str(&port), &hints, &found) : EAI_NONAME;
	if (n == EAI_ADDRFAMILY || n == EAI_NONAME) { /* a machine with nothing but loopback */
		hints.ai_flags = 0;
		n = name.n ? getaddrinfo(buf_str(&host), buf_str(&port), &hints, &found) : EAI_NONAME;
	}
	if (n)
		return err_set(e, EINVAL, TR("--health %s: %s", "--health %s：%s"), url, gai_strerror(n));
	for (const struct addrinfo *a = found; a && h->n_addr < ADDRESSES_MAX; a = a->ai_next) {
		memcpy(&h->addr[h->n_addr], a->ai_addr, a->ai_addrlen);
		h->addr_len[h->n_addr++] = a->ai_addrlen;
	}
	freeaddrinfo(found);
	return 0;
}

int run_health_check(const char *url, struct err *e)
{
	struct span rest = span_of(url);

	if (span_skip(&rest, S("http://")) && rest.n && rest.p[0] != '/' && span_chr(rest, '@') == SPAN_NONE && !strpbrk(url, " \t\r\n"))
		return 0;
	return err_set(e, EINVAL, TR("--health %s: not an address such as http://127.0.0.1:8080/healthz", "--health %s：不是 http://127.0.0.1:8080/healthz 这样的地址"), url);
}

int health_open(struct loop *l, const char *url, int64_t time_ns, health_fn *fn, void *ctx, struct health **ret, struct err *e)
{
	struct span rest = span_of(url);

	int r = run_health_check(url, e);
	if (r < 0)
		return r;
	span_skip(&rest, S("http://"));
	struct health *h = mem_zalloc(sizeof(*h));
	if (!h)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	*h = (struct health){ .loop = l, .fn = fn, .ctx = ctx, .fd = -1, .time_ns = time_ns };
	size_t slash = span_chr(rest, '/');
	struct span authority = span_head(rest, slash == SPAN_NONE ? rest.n : slash), path = slash == SPAN_NONE ? S("/") : span_from(rest, slash);
	buf_addf(&h->request, "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: tocsin\r\nConnection: close\r\n\r\n", SPAN_ARG(path), SPAN_ARG(authority));
	r = h->request.bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : resolve(h, authority, url, e);
	if (r < 0) {
		health_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

void health_close(struct health *h)
{
	if (!h)
		return;
	loop_remove(h->loop, h->watch);
	loop_remove(h->loop, h->timer);
	fd_close(h->fd);
	buf_free(&h->request);
	mem_free(h);
}
