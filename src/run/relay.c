#include "run/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/spawn.h"

#define CHUNK_SMALL (64 << 10)
#define CHUNK_BIG (256 << 10)
#define PIPE_BIG (1 << 20)
#define IDLE_NSEC (100 * NSEC_PER_MSEC) /* then what is held back is shown */
#define CAREFUL_MAX 4096 /* a pipe that polls as writable takes this much without blocking */

static fd_fn source_ready, sink_ready;

bool relay_same_output(void)
{
	struct stat a, b;
	pid_t me = getpid();

	if (fstat(STDOUT_FILENO, &a) < 0 || fstat(STDERR_FILENO, &b) < 0 || a.st_dev != b.st_dev ||
	    a.st_ino != b.st_ino)
		return false;
	if (!S_ISREG(a.st_mode))
		return true;
	/* `>log 2>log` is one file with two positions: that stays so. */
	long r = syscall(SYS_kcmp, me, me, KCMP_FILE, STDOUT_FILENO, STDERR_FILENO);
	if (r >= 0)
		return r == 0;
	return lseek(STDOUT_FILENO, 0, SEEK_CUR) == lseek(STDERR_FILENO, 0, SEEK_CUR) &&
	       fcntl(STDOUT_FILENO, F_GETFL) == fcntl(STDERR_FILENO, F_GETFL);
}

static bool is_anonymous_pipe(int fd)
{
	struct statfs fs;
	int keep = errno;
	bool yes = fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;

	errno = keep;
	return yes;
}

/*
 * O_NONBLOCK belongs to the open file, which we share with others who do not expect it: so a pipe or a
 * terminal is opened once more, for us alone.
 */
static void sink_open(struct sink *k, int fd)
{
	struct stat st;
	char path[32];

	*k = (struct sink){ .fd = -1 };
	if (fstat(fd, &st) < 0)
		return;
	k->fd = fd;
	k->kind = SINK_PLAIN;
	k->eager = true;
	if (S_ISSOCK(st.st_mode)) {
		k->kind = SINK_SOCKET;
		return;
	}
	if (!S_ISFIFO(st.st_mode) && !(S_ISCHR(st.st_mode) && isatty(fd)))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	k->own = own >= 0;
	k->fd = own >= 0 ? own : fd;
	k->kind = own >= 0 ? SINK_NONBLOCK : SINK_CAREFUL;
	if (S_ISFIFO(st.st_mode) && !is_anonymous_pipe(fd))
		k->eager = false; /* another reader may open it by its name */
	else if (own < 0 && errno == ENXIO && S_ISFIFO(st.st_mode))
		k->broken = EPIPE; /* a pipe without a reader */
}

static struct source *source_add(struct relay *r, enum stream s, int fd, int to, struct err *e)
{
	struct source *src = &r->source[r->n];
	struct stat st = { 0 };

	*src = (struct source){ .relay = r, .stream = s, .fd = fd, .sink.fd = -1, .cap = CHUNK_SMALL };
	src->data = mem_pages(src->cap);
	if (!src->data) {
		err_set(e, ENOMEM, TR("out of memory", "内存不足"));
		return NULL;
	}
	if (to >= 0)
		sink_open(&src->sink, to);
	src->sink.from = src;
	src->redacts = r->redacts && to >= 0;
	fstat(fd, &st);
	src->inode = st.st_ino;
	r->n++;
	return src;
}

static int pipe_source(struct relay *r, enum stream s, int to, int *child_end, struct err *e)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_set(e, errno, TR("create a pipe: %m", "无法创建管道：%m"));
	for (int i = 0; i < 2; i++) {
		if (fd[i] > 2)
			continue;
		int high = fcntl(fd[i], F_DUPFD_CLOEXEC, 3);
		fd_close(fd[i]);
		fd[i] = high;
	}
	if (fd[0] < 0 || fd[1] < 0 || !source_add(r, s, fd[0], to, e)) {
		fd_close(fd[0]);
		fd_close(fd[1]);
		return fd[0] < 0 || fd[1] < 0 ? err_set(e, EMFILE, TR("create a pipe: %m", "无法创建管道：%m")) : -ENOMEM;
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	*child_end = fd[1];
	return 0;
}

int relay_pipes(struct relay *r, const struct run_config *c, int *child_out, int *child_err, struct err *e)
{
	/* What was closed for us is closed for the command: it is told so by its writes. */
	bool out = !c->relay_out || !spawn_inherited_closed(STDOUT_FILENO);
	bool err = !c->relay_err || !spawn_inherited_closed(STDERR_FILENO);
	int n = 0;

	*child_out = *child_err = -1;
	if (out && err && c->relay_out && c->relay_err && relay_same_output()) {
		n = pipe_source(r, STREAM_BOTH, STDOUT_FILENO, child_out, e);
		*child_err = *child_out;
		return n;
	}
	if (out)
		n = pipe_source(r, STREAM_OUT, c->relay_out ? STDOUT_FILENO : -1, child_out, e);
	if (n == 0 && err)
		n = pipe_source(r, STREAM_ERR, c->relay_err ? STDERR_FILENO : -1, child_err, e);
	return n;
}

int relay_adopt(struct relay *r, int fd, bool relayed, struct err *e)
{
	return source_add(r, STREAM_BOTH, fd, relayed ? STDOUT_FILENO : -1, e) ? 0 : -ENOMEM;
}

static void sink_close(struct relay *r, struct sink *k)
{
	loop_remove(r->loop, k->watch);
	k->watch = NULL;
	if (k->own)
		fd_close(k->fd);
	k->own = false;
	k->fd = -1;
}

static void source_close(struct source *s)
{
	if (s->fd < 0)
		return;
	loop_remove(s->relay->loop, s->watch);
	s->watch = NULL;
	fd_close(s->fd);
	s->fd = -1;
}

static ssize_t source_read(struct source *s)
{
	ssize_t n;

	do
		n = read(s->fd, s->data, s->cap);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? -EAGAIN : 0; /* EIO: the last slave of a pty was closed */
	s->relay->last = time_mono();
	s->relay->total += (uint64_t)n;
	s->relay->bytes(s->relay->ctx, s->stream, (struct span){ s->data, (size_t)n });
	return n;
}

/*
 * Nobody reads what the child writes any more. What it has written already is still judged, then it
 * learns it as it would without us: its next write gives EPIPE.
 */
static void reader_gone(struct source *s, int err)
{
	size_t most = PIPE_BIG;

	s->sink.broken = err;
	s->at = s->len = 0;
	redact_stream_free(&s->clean);
	sink_close(s->relay, &s->sink);
	if (s->fd < 0)
		return;
	for (ssize_t n; most && (n = source_read(s)) > 0;)
		most -= (size_t)n < most ? (size_t)n : most;
	source_close(s);
}

static bool is_gone(int err)
{
	return err == EPIPE || err == ECONNRESET || err == EIO || err == EBADF;
}

static ssize_t sink_write(struct sink *k, const char *p, size_t n)
{
	struct pollfd pf = { .fd = k->fd, .events = POLLOUT };

	if (k->kind == SINK_SOCKET)
		return send(k->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (k->kind == SINK_CAREFUL) {
		if (poll(&pf, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		n = n < CAREFUL_MAX ? n : CAREFUL_MAX;
	}
	return write(k->fd, p, n);
}

/* ERR is always told; it is named so that the watch stays in the set. */
static uint32_t idle_events(const struct sink *k)
{
	return k->eager ? EPOLLERR : 0;
}

static void source_listen(struct source *s, bool on)
{
	if (s->fd >= 0 && s->watch)
		loop_fd_events(s->relay->loop, s->watch, on ? EPOLLIN : 0, NULL);
	if (s->sink.watch)
		loop_fd_events(s->relay->loop, s->sink.watch, on ? idle_events(&s->sink) : EPOLLOUT | EPOLLERR, NULL);
}

/* True: all is written (or given up), reading goes on. */
static bool sink_flush(struct source *s)
{
	struct sink *k = &s->sink;

	while (s->at < s->len && k->fd >= 0 && !k->broken) {
		ssize_t n = sink_write(k, (s->redacts ? s->shown.p : s->data) + s->at, s->len - s->at);
		if (n >= 0) {
			s->at += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN && k->polled)
			return false;
		if (errno == EAGAIN) { /* cannot be waited for in the loop */
			poll(&(struct pollfd){ .fd = k->fd, .events = POLLOUT }, 1, 100);
			continue;
		}
		if (is_gone(errno)) {
			reader_gone(s, errno);
			return true;
		}
		k->broken = errno; /* a full disk: judged to the end all the same, said by the caller */
	}
	s->at = s->len = 0;
	buf_clear(&s->shown);
	return true;
}

/* ---- without secrets ---- */

/* What is in `shown` is to be written. Without memory nothing is: better none of it than all. */
static void show(struct source *s)
{
	if (s->shown.bad) {
		buf_clear(&s->shown);
		s->sink.broken = ENOMEM;
	}
	s->at = 0;
	s->len = s->shown.len;
}

static void idle(void *ctx, int64_t now)
{
	struct source *s = ctx;

	if (s->at < s->len)
		return; /* the reader is slow: it has enough */
	redact_idle(&s->clean, &s->shown);
	show(s);
	if (!sink_flush(s))
		source_listen(s, false);
}

static void redact_read(struct source *s, size_t n)
{
	redact_feed(&s->clean, (struct span){ s->data, n }, &s->shown);
	show(s);
	if (s->idle)
		loop_timer_set(s->relay->loop, s->idle, redact_holds(&s->clean) ? time_mono() + IDLE_NSEC : 0);
}

/* The rest of it, at its end. */
static void redact_rest(struct source *s)
{
	if (!s->redacts || s->sink.fd < 0)
		return;
	redact_end(&s->clean, &s->shown);
	s->len = s->shown.len;
	if (s->shown.bad)
		show(s);
	if (!sink_flush(s))
		source_listen(s, false);
}

/* Much is coming: bigger reads, and a pipe that lets the child run ahead. */
static void source_grow(struct source *s)
{
	s->big = true;
	fcntl(s->fd, F_SETPIPE_SZ, PIPE_BIG);
	char *p = s->at == s->len ? mem_pages(CHUNK_BIG) : NULL;
	if (!p)
		return;
	mem_free(s->data);
	s->data = p;
	s->cap = CHUNK_BIG;
}

static void source_ready(void *ctx, int fd, uint32_t events)
{
	struct source *s = ctx;
	ssize_t n = source_read(s);

	if (n == -EAGAIN)
		return;
	if (n == 0) {
		source_close(s);
		redact_rest(s);
		return;
	}
	bool full = (size_t)n == s->cap;
	s->at = 0;
	s->len = (size_t)n;
	if (s->redacts)
		redact_read(s, (size_t)n);
	if (!sink_flush(s))
		source_listen(s, false);
	else if (full && !s->big && s->fd >= 0)
		source_grow(s);
}

static void sink_ready(void *ctx, int fd, uint32_t events)
{
	struct sink *k = ctx;
	struct source *s = k->from;

	if (k->eager && events & (EPOLLERR | EPOLLHUP)) {
		reader_gone(s, EPIPE);
		return;
	}
	if (!sink_flush(s) || s->sink.fd < 0)
		return;
	source_listen(s, true);
	if (s->idle && redact_holds(&s->clean))
		loop_timer_set(s->relay->loop, s->idle, time_mono() + IDLE_NSEC);
}

int relay_start(struct relay *r, struct err *e)
{
	for (size_t i = 0; i < r->n; i++) {
		struct source *s = &r->source[i];
		struct sink *k = &s->sink;
		int n = loop_fd(r->loop, s->fd, EPOLLIN, source_ready, s, &s->watch, e);
		if (n < 0)
			return n;
		if (k->kind == SINK_NONBLOCK || k->kind == SINK_SOCKET || k->kind == SINK_CAREFUL)
			k->polled = loop_fd(r->loop, k->fd, idle_events(k), sink_ready, k, &k->watch, NULL) == 0;
		if (s->redacts) /* without it, what is held back waits for more */
			loop_timer(r->loop, time_mono() + IDLE_NSEC, 0, idle, s, &s->idle, NULL);
		if (k->broken)
			reader_gone(s, k->broken);
	}
	r->last = time_mono();
	return 0;
}

bool relay_pending(const struct relay *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->source[i].at < r->source[i].len)
			return true;
	return false;
}

bool relay_at_end(const struct relay *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->source[i].fd >= 0)
			return false;
	return !relay_pending(r);
}

size_t relay_unread(const struct relay *r)
{
	size_t sum = 0;

	for (size_t i = 0; i < r->n; i++) {
		int n = 0;
		if (r->source[i].fd >= 0 && ioctl(r->source[i].fd, FIONREAD, &n) == 0 && n > 0)
			sum += (size_t)n;
	}
	return sum;
}

/* A terminal has no end, and left-overs keep a pipe open: what is held back is still written, if that takes no long time. */
static void last_words(struct source *s)
{
	struct pollfd pf = { .fd = s->sink.fd, .events = POLLOUT };

	if (s->at < s->len || !redact_holds(&s->clean))
		return;
	redact_rest(s);
	for (int i = 0; i < 20 && s->at < s->len && s->sink.fd >= 0; i++) {
		poll(&pf, 1, 100);
		sink_flush(s);
	}
}

void relay_close(struct relay *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct source *s = &r->source[i];
		last_words(s);
		loop_remove(r->loop, s->idle);
		redact_stream_free(&s->clean);
		buf_free(&s->shown);
		source_close(&r->source[i]);
		sink_close(r, &r->source[i].sink);
		mem_free(r->source[i].data);
	}
	r->n = 0;
}
