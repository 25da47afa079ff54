#include "alert/delivering.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"

/*
 * What a run hands to the deliverer: "tocsin.handover/1", run, configuration, project, then reference and value in turn, each
 * with a NUL behind it, to the end. Over an inherited pipe, or the socket beside the outbox, whose other end must be ours.
 */
#define MAGIC "tocsin.handover/1"
#define SCOPES_MAX 1024
#define ACCEPT_WAIT_MS 500

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

void handover_wipe(struct buf *b)
{
	if (b->p) {
		explicit_bzero(b->p, b->cap);
		munlock(b->p, b->cap);
	}
	buf_free(b);
}

/* ---- making ---- */

static int add_pair(const struct deliver_hand *h, const char *ref, struct buf *ret, struct err *e)
{
	struct span value;
	struct err why;

	if (secret_get(h->secrets, ref, &value, &why) < 0)
		return 0; /* the deliverer says it, when it needs it */
	if (ret->len + strlen(ref) + value.n + 2 > HANDOVER_MAX)
		return err_set(e, EFBIG, TR("the secrets of the channels are more than %d KB", "渠道的机密超过 %d KB"), HANDOVER_MAX >> 10);
	buf_add(ret, ref, strlen(ref) + 1);
	buf_span(ret, value);
	buf_addc(ret, '\0');
	return 0;
}

int handover_make(const struct deliver_hand *h, struct buf *ret, struct err *e)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf config = { 0 };
	struct list refs = { 0 };
	int r = 0;

	if (!buf_need(ret, HANDOVER_MAX))
		return no_memory(e);
	mlock(ret->p, ret->cap);
	owe_config_path(h->config, &config);
	buf_add(ret, MAGIC, sizeof(MAGIC));
	buf_add(ret, h->run ? h->run : "", strlen(h->run ? h->run : "") + 1);
	buf_add(ret, buf_str(&config), config.len + 1);
	buf_add(ret, h->project ? h->project : "", strlen(h->project ? h->project : "") + 1);
	if (!h->channels)
		r = target_refs(h->config, NULL, &mem, &refs, e);
	for (size_t i = 0; r == 0 && h->channels && h->channels[i]; i++)
		r = target_refs(h->config, h->channels[i], &mem, &refs, e);
	for (size_t i = 0; r == 0 && h->secrets && i < refs.n; i++)
		r = add_pair(h, refs.v[i], ret, e);
	return r < 0 ? r : ret->bad ? no_memory(e) : 0;
}

/* ---- reading ---- */

static bool next_word(struct span *rest, struct span *ret)
{
	if (!rest->n || !memchr(rest->p, '\0', rest->n))
		return false;
	*ret = span_cut(rest, '\0');
	return true;
}

void secret_set_unuse(struct secret_set *s)
{
	if (s && --s->users == 0) {
		secrets_close(s->secrets);
		mem_free(s);
	}
}

static int set_new(struct span pairs, struct secret_set **ret, struct err *e)
{
	struct secret_set *s = mem_zalloc(sizeof(*s));
	struct span ref, value;
	int r = s ? secrets_open(&s->secrets, e) : no_memory(e);

	while (r == 0 && next_word(&pairs, &ref) && next_word(&pairs, &value)) {
		r = secret_put(s->secrets, ref.p, value, e);
		s->n++;
	}
	if (r < 0) {
		if (s)
			secrets_close(s->secrets);
		mem_free(s);
		return r;
	}
	s->users = 1;
	*ret = s;
	return 0;
}

/* Most runs of a machine hand over the same. */
static bool set_same(const struct secret_set *s, struct span pairs)
{
	struct span ref, value, have;
	struct err none;
	size_t n = 0;

	while (next_word(&pairs, &ref) && next_word(&pairs, &value)) {
		if (secret_get(s->secrets, ref.p, &have, &none) < 0 || !span_eq(have, value))
			return false;
		n++;
	}
	return n == s->n;
}

static void scope_free(struct scope *x)
{
	secret_set_unuse(x->set);
	mem_free(x->config);
	mem_free(x->project);
	mem_free(x);
}

static void drop_oldest(struct scopes *s)
{
	struct scope **at = &s->first;

	while (*at && (*at)->next)
		at = &(*at)->next;
	if (*at) {
		scope_free(*at);
		*at = NULL;
		s->n--;
	}
}

static int scope_add(struct scopes *s, struct span run, struct span config, struct span project, struct span pairs, struct err *e)
{
	struct scope *x = mem_zalloc(sizeof(*x));

	if (!x)
		return no_memory(e);
	memcpy(x->run, run.n ? run.p : "", run.n < sizeof(x->run) ? run.n : sizeof(x->run) - 1);
	x->config = mem_dup(config.p, config.n);
	x->project = mem_dup(project.p, project.n);
	int r = x->config && x->project ? 0 : no_memory(e);
	for (struct scope *o = s->first; r == 0 && o && !x->set; o = o->next) {
		if (!strcmp(o->config, x->config) && !strcmp(o->project, x->project) && set_same(o->set, pairs))
			(x->set = o->set)->users++;
	}
	if (r == 0 && !x->set)
		r = set_new(pairs, &x->set, e);
	if (r < 0) {
		scope_free(x);
		return r;
	}
	x->next = s->first;
	s->first = x;
	if (++s->n > SCOPES_MAX)
		drop_oldest(s);
	return 0;
}

int handover_read(struct scopes *s, struct span text, struct err *e)
{
	struct span magic, run, config, project;

	if (!text.n)
		return 0;
	if (!next_word(&text, &magic) || !span_eq(magic, S(MAGIC)) || !next_word(&text, &run) || !next_word(&text, &config) || !next_word(&text, &project))
		return err_set(e, EBADMSG, TR("what was handed to the deliverer is not a handover", "交给投递进程的内容格式不正确"));
	return scope_add(s, run, config, project, text, e);
}

struct secret_set *scope_find(const struct scopes *s, struct span run, const char *config, const char *project)
{
	for (const struct scope *x = s->first; x && run.n; x = x->next) {
		if (span_eq(run, span_of(x->run)) && !strcmp(x->config, config)) /* a row that names another file has no claim to them */
			return x->set;
	}
	for (const struct scope *x = s->first; x; x = x->next) {
		bool by_hand = !x->run[0] && !x->project[0]; /* `tocsin alert retry`: whoever calls it means all */
		if (!strcmp(x->config, config) && (by_hand || !strcmp(x->project, project)))
			return x->set;
	}
	return NULL;
}

void scopes_free(struct scopes *s)
{
	while (s->first) {
		struct scope *x = s->first;
		s->first = x->next;
		scope_free(x);
	}
	s->n = 0;
}

/* ---- one at a time ---- */

int handover_lock(const char *outbox, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	buf_addf(&path, "%s.deliver", outbox);
	if (path.bad)
		return no_memory(e);
	int fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), path.p);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int r = err_set(e, errno == EWOULDBLOCK ? EAGAIN : errno, TR("lock '%s': another deliverer is at it", "无法锁定“%s”：另一个投递进程正在运行"), path.p);
	fd_close(fd);
	return r;
}

/* A name in a socket address is short: the folder goes by a descriptor. */
static int address(const char *outbox, int *dir, struct sockaddr_un *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf folder = { 0 };
	struct span base = path_base(span_of(outbox));

	buf_span(&folder, path_dir(span_of(outbox)));
	*dir = folder.bad ? -1 : open(buf_str(&folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), buf_str(&folder));
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%.*s.sock", *dir, SPAN_ARG(base));
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path)) {
		fd_close(*dir);
		return err_set(e, ENAMETOOLONG, TR("the name of the outbox '%s' is too long", "发件箱“%s”的名称过长"), outbox);
	}
	return 0;
}

int handover_listen(const char *outbox, struct err *e)
{
	struct sockaddr_un to;
	int dir, r = address(outbox, &dir, &to, e);

	if (r < 0)
		return r;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(to.sun_path); /* of one that was killed: we have the lock */
	mode_t old = umask(0177);
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(fd, 64) < 0)
		r = err_set(e, errno, TR("listen beside '%s': %m", "无法在“%s”旁监听：%m"), outbox);
	umask(old);
	fd_close(dir);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	return fd;
}

void handover_unlisten(const char *outbox, int fd)
{
	struct sockaddr_un to;
	struct err none;
	int dir;

	if (fd < 0)
		return;
	if (outbox && address(outbox, &dir, &to, &none) == 0) {
		unlink(to.sun_path);
		fd_close(dir);
	}
	fd_close(fd);
}

static bool is_us(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

/* Until the other end has nothing more; who is silent for half a second is given up. */
static int read_all(int fd, struct buf *b)
{
	int64_t until = time_mono() + ACCEPT_WAIT_MS * NSEC_PER_MSEC;

	for (;;) {
		ssize_t n = read(fd, b->p + b->len, HANDOVER_MAX - b->len);
		if (n == 0)
			return 0;
		if (n > 0) {
			b->len += (size_t)n;
			if (b->len >= HANDOVER_MAX)
				return -EFBIG;
			continue;
		}
		int left = (int)((until - time_mono()) / NSEC_PER_MSEC);
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (left <= 0 || poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, left) == 0)
			return -ETIMEDOUT;
	}
}

int handover_accept(int fd, struct scopes *s, struct err *e)
{
	CLEANUP(fd_close) int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct buf text = { 0 };

	if (peer < 0)
		return 0;
	if (!is_us(peer))
		return 1;
	if (!buf_need(&text, HANDOVER_MAX + 1))
		return no_memory(e);
	mlock(text.p, text.cap);
	int r = read_all(peer, &text);
	if (r == 0)
		r = handover_read(s, buf_view(&text), e);
	if (r == 0)
		(void)!write(peer, "k", 1); /* who has left already does not hear it */
	handover_wipe(&text);
	return 1;
}

int handover_give(const char *outbox, struct span text, int64_t time_ns, struct err *e)
{
	struct sockaddr_un to;
	int64_t until = time_mono() + time_ns;
	char got = 0;
	int dir, r = address(outbox, &dir, &to, e);

	if (r < 0)
		return r;
	CLEANUP(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : is_us(fd) ? 0 : -EPERM;
	fd_close(dir);
	for (size_t done = 0; r == 0 && done < text.n;) {
		ssize_t n = send(fd, text.p + done, text.n - done, MSG_NOSIGNAL);
		int left = (int)((until - time_mono()) / NSEC_PER_MSEC);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			r = -errno;
		else if (left <= 0 || poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, left) == 0)
			r = -ETIMEDOUT;
	}
	if (r == 0)
		shutdown(fd, SHUT_WR);
	while (r == 0 && !got) {
		int left = (int)((until - time_mono()) / NSEC_PER_MSEC);
		if (left < 0 || poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, left) <= 0)
			r = -ETIMEDOUT;
		else if (read(fd, &got, 1) <= 0)
			r = -ECONNRESET;
	}
	return r == 0 ? 0 : err_set(e, -r, TR("the deliverer of '%s' does not answer: %m", "“%s”的投递进程没有应答：%m"), outbox);
}
