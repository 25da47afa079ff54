#include "loop/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

enum watch_kind { WATCH_FD, WATCH_TIMER, WATCH_SIGNALS };

struct watch {
	struct watch *next, **link; /* link: the pointer that points at this one */
	enum watch_kind kind;
	bool dead;
	int fd;          /* WATCH_FD: the caller's; WATCH_SIGNALS: ours; WATCH_TIMER: -1 */
	uint32_t events; /* 0: not in the epoll set */
	int64_t at, every;
	void *ctx;
	union {
		fd_fn *on_fd;
		timer_fn *on_timer;
		signal_fn *on_signal;
	};
};

struct loop {
	int epoll, timer;      /* timer: one timerfd for all of them, -1 until it is needed */
	int64_t armed;         /* what the timerfd is set to; 0: disarmed */
	struct watch *watches;
	struct watch *grave;   /* removed while events of this round may still point at them */
	sigset_t old_mask;
};

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = mem_zalloc(sizeof(*l));

	if (!l)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	l->timer = -1;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		int code = errno;
		mem_free(l);
		return err_set(e, code, TR("create an event loop: %m", "无法创建事件循环：%m"));
	}
	sigprocmask(SIG_BLOCK, NULL, &l->old_mask);
	*ret = l;
	return 0;
}

static void watch_unlink(struct watch *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
}

static void watch_link(struct watch **head, struct watch *w)
{
	w->next = *head;
	w->link = head;
	if (w->next)
		w->next->link = &w->next;
	*head = w;
}

static void bury(struct loop *l)
{
	while (l->grave) {
		struct watch *w = l->grave;
		watch_unlink(w);
		mem_free(w);
	}
}

/* What is still pending would act when the mask is restored: it was meant for the loop, so it goes. */
static void drop_pending(const struct watch *w)
{
	struct signalfd_siginfo si;

	while (read(w->fd, &si, sizeof(si)) > 0)
		;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (struct watch *w = l->watches; w; w = w->next)
		if (w->kind == WATCH_SIGNALS)
			drop_pending(w);
	while (l->watches)
		loop_remove(l, l->watches);
	bury(l);
	sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
	fd_close(l->timer);
	fd_close(l->epoll);
	mem_free(l);
}

static struct watch *watch_new(struct loop *l, enum watch_kind kind, int fd, void *ctx, struct err *e)
{
	struct watch *w = mem_zalloc(sizeof(*w));

	if (!w) {
		err_set(e, ENOMEM, TR("out of memory", "内存不足"));
		return NULL;
	}
	w->kind = kind;
	w->fd = fd;
	w->ctx = ctx;
	watch_link(&l->watches, w);
	return w;
}

int loop_fd_events(struct loop *l, struct watch *w, uint32_t events, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	int op = !events ? EPOLL_CTL_DEL : w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == w->events)
		return 0;
	/* A paused one leaves the set: HUP is reported even when nothing was asked for, for ever. */
	if (epoll_ctl(l->epoll, op, w->fd, &ev) < 0)
		return err_set(e, errno, TR("wait for descriptor %d: %m", "无法等待描述符 %d：%m"), w->fd);
	w->events = events;
	return 0;
}

int loop_fd(struct loop *l, int fd, uint32_t events, fd_fn *fn, void *ctx, struct watch **ret, struct err *e)
{
	struct watch *w = watch_new(l, WATCH_FD, fd, ctx, e);

	if (!w)
		return -ENOMEM;
	w->on_fd = fn;
	int r = loop_fd_events(l, w, events, e);
	if (r < 0) {
		watch_unlink(w);
		mem_free(w);
		return r;
	}
	if (ret)
		*ret = w;
	return 0;
}

static int timer_open(struct loop *l, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	if (l->timer >= 0)
		return 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int code = errno;
		fd_close(fd);
		return err_set(e, code, TR("create a timer: %m", "无法创建定时器：%m"));
	}
	l->timer = fd;
	return 0;
}

int loop_timer(struct loop *l, int64_t at, int64_t every, timer_fn *fn, void *ctx, struct watch **ret,
	       struct err *e)
{
	int r = timer_open(l, e);

	if (r < 0)
		return r;
	struct watch *w = watch_new(l, WATCH_TIMER, -1, ctx, e);
	if (!w)
		return -ENOMEM;
	w->on_timer = fn;
	w->at = at;
	w->every = every;
	if (ret)
		*ret = w;
	return 0;
}

int loop_timer_set(struct loop *l, struct watch *w, int64_t at)
{
	(void)l; /* the timerfd is set once a round, in loop_step */
	w->at = at;
	return 0;
}

int loop_signals(struct loop *l, const sigset_t *set, signal_fn *fn, void *ctx, struct watch **ret, struct err *e)
{
	int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, TR("open a signalfd: %m", "无法打开 signalfd：%m"));
	struct watch *w = watch_new(l, WATCH_SIGNALS, fd, ctx, e);
	if (!w) {
		fd_close(fd);
		return -ENOMEM;
	}
	w->on_signal = fn;
	int r = loop_fd_events(l, w, EPOLLIN, e);
	if (r < 0) {
		loop_remove(l, w);
		return r;
	}
	sigprocmask(SIG_BLOCK, set, NULL);
	if (ret)
		*ret = w;
	return 0;
}

void loop_remove(struct loop *l, struct watch *w)
{
	if (!w || w->dead)
		return;
	if (w->events)
		loop_fd_events(l, w, 0, NULL);
	if (w->kind == WATCH_SIGNALS)
		fd_close(w->fd);
	w->dead = true;
	watch_unlink(w);
	watch_link(&l->grave, w);
}

static void timer_arm(struct loop *l)
{
	int64_t first = 0;

	for (struct watch *w = l->watches; w; w = w->next)
		if (w->kind == WATCH_TIMER && w->at && (!first || w->at < first))
			first = w->at;
	if (l->timer < 0 || first == l->armed)
		return;
	struct itimerspec its = { .it_value = { first / NSEC_PER_SEC, first % NSEC_PER_SEC } };
	timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &its, NULL);
	l->armed = first;
}

static struct watch *timer_due(struct loop *l, int64_t now)
{
	struct watch *due = NULL;

	for (struct watch *w = l->watches; w; w = w->next)
		if (w->kind == WATCH_TIMER && w->at && w->at <= now && (!due || w->at < due->at))
			due = w;
	return due;
}

/* In the order of their times; each at most once a round, so that a short period cannot starve the rest. */
static void timers_fire(struct loop *l)
{
	int64_t now = time_mono();
	uint64_t n;

	while (read(l->timer, &n, sizeof(n)) > 0)
		;
	l->armed = 0;
	for (struct watch *w; (w = timer_due(l, now)) != NULL;) {
		w->at = w->every ? w->at + w->every : 0;
		if (w->every && w->at <= now) /* late by whole periods: they are dropped, not made up for */
			w->at = now + w->every;
		w->on_timer(w->ctx, now);
	}
}

static void signals_read(struct watch *w)
{
	struct signalfd_siginfo si;

	while (!w->dead && read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		w->on_signal(w->ctx, &si);
}

int loop_step(struct loop *l, struct err *e)
{
	struct epoll_event ev[32];

	timer_arm(l);
	int n = epoll_wait(l->epoll, ev, ARRAY_LEN(ev), -1);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return err_set(e, errno, TR("wait for events: %m", "等待事件失败：%m"));
	for (int i = 0; i < n; i++) {
		struct watch *w = ev[i].data.ptr;
		if (!w)
			timers_fire(l);
		else if (w->dead || !w->events)
			continue;
		else if (w->kind == WATCH_SIGNALS)
			signals_read(w);
		else
			w->on_fd(w->ctx, w->fd, ev[i].events);
	}
	bury(l);
	return 0;
}

const sigset_t *loop_old_mask(const struct loop *l)
{
	return &l->old_mask;
}
