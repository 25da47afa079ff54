#include "store/resolve.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

/* Shared by the asker and the thread that looks: who lets go last frees it. */
struct lookup {
	atomic_int owners;
	int done; /* an eventfd */
	int rc;
	struct addrinfo *found;
	char host[];
};

static void let_go(struct lookup *l)
{
	if (atomic_fetch_sub(&l->owners, 1) != 1)
		return;
	if (l->found)
		freeaddrinfo(l->found);
	fd_close(l->done);
	mem_free(l);
}

static int ask(const char *host, int flags, struct addrinfo **ret)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags };

	return getaddrinfo(host, NULL, &hints, ret);
}

static void *look(void *arg)
{
	struct lookup *l = arg;
	uint64_t one = 1;

	l->rc = ask(l->host, 0, &l->found);
	while (write(l->done, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
	let_go(l);
	return NULL;
}

/* It may outlive us: detached, and no signal is for it. */
static int start(struct lookup *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, was;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	int r = pthread_create(&thread, &attr, look, l);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

static int wait_for(int fd, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int64_t left = deadline - time_mono();
		if (left <= 0)
			return -ETIMEDOUT;
		int64_t ms = left / NSEC_PER_MSEC + 1;
		int r = poll(&p, 1, ms > INT_MAX ? INT_MAX : (int)ms);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

static int take(const struct addrinfo *found, struct address ret[RESOLVE_MAX])
{
	int n = 0;

	for (const struct addrinfo *a = found; a && n < RESOLVE_MAX; a = a->ai_next)
		n += getnameinfo(a->ai_addr, a->ai_addrlen, ret[n].text, sizeof(ret[n].text), NULL, 0, NI_NUMERICHOST) == 0;
	return n;
}

int resolve_host(const char *host, int64_t deadline, struct address ret[RESOLVE_MAX], const char **why)
{
	struct addrinfo *number = NULL;
	int r;

	if (ask(host, AI_NUMERICHOST, &number) == 0) {
		r = take(number, ret);
		freeaddrinfo(number);
		return r;
	}
	struct lookup *l = mem_zalloc(sizeof(*l) + strlen(host) + 1);
	if (!l)
		return -ENOMEM;
	memcpy(l->host, host, strlen(host) + 1);
	atomic_init(&l->owners, 2);
	l->done = eventfd(0, EFD_CLOEXEC);
	r = l->done < 0 ? -errno : start(l);
	if (r < 0)
		let_go(l); /* for the thread that there is not */
	else
		r = wait_for(l->done, deadline);
	if (r == 0 && l->rc != 0) {
		*why = gai_strerror(l->rc);
		r = -ENOENT;
	}
	if (r == 0)
		r = take(l->found, ret);
	let_go(l);
	return r;
}
