/* A command that lives long: hangs with their proof, and work beside it that must not hold up its output. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/supervise.h"

#define STEP_NSEC (200 * NSEC_PER_MSEC)
#define HEALTH_LONGEST (5 * NSEC_PER_SEC)
#define FIRST_NSEC (30 * NSEC_PER_SEC) /* a service that never was healthy is looked at after this time */
#define SAID_MAX (16 << 10)
#define THREADS_MAX 20000
#define LATE_NSEC (5 * NSEC_PER_SEC)   /* the longest wait for work when the command has ended */

struct sample { /* of all threads of the command's processes */
	int64_t at;
	int64_t used, waited; /* ns on a processor, and in the queue for one */
	bool fine;            /* by schedstat; else used is a number of clock ticks, and waited is not known */
	int threads, running, uninterruptible;
	uint64_t who;         /* of which threads: a sum of their mixed ids */
};

struct service {
	const struct run_service *c;
	struct watch *timer;
	/* silence */
	struct sample half;       /* taken when half of the time was over; at 0: not yet */
	int64_t half_of;          /* the output's age that it belongs to */
	bool silent;              /* said; until there is output again */
	/* health */
	struct health *health;
	struct watch *ask;
	struct sample ill;        /* taken at the first failure of a row */
	int64_t ill_since;
	int fails;
	int64_t healthy_at;       /* 0: never */
	bool unhealthy;
	char answer[120];
	/* work */
	int worker;               /* its pid; 0: none */
	int said;                 /* the pipe it answers on */
	char text[SAID_MAX];
	size_t n_text;
	int64_t until;
	run_done_fn *done;
	void *ctx;
	bool ends;                /* a hang is being ended */
};

/* ---- CPU time, thread by thread ---- */

static bool read_small(int dir, const char *name, char *buf, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	fd_close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* "12 (a) b) S 1 …": the state stands behind the last bracket, CPU time in fields 14 and 15. */
static void add_thread(struct sample *s, const char *stat)
{
	const char *at = strrchr(stat, ')');
	unsigned long long user, sys;
	char state;

	if (!at || sscanf(at + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &state, &user, &sys) != 3)
		return;
	s->threads++;
	s->running += state == 'R';
	s->uninterruptible += state == 'D';
	if (!s->fine)
		s->used += (int64_t)(user + sys) * (NSEC_PER_SEC / sysconf(_SC_CLK_TCK));
}

/* "123456 7890 12": on a processor, in its queue. */
static void add_schedule(struct sample *s, const char *text)
{
	long long used, waited;

	if (sscanf(text, "%lld %lld", &used, &waited) != 2)
		return;
	s->used += used;
	s->waited += waited;
}

static void add_process(struct sample *s, int pid)
{
	char path[64], stat[1024];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *d = opendir(path);
	for (struct dirent *f; d && s->threads < THREADS_MAX && (f = readdir(d));) {
		snprintf(path, sizeof(path), "%.20s/stat", f->d_name);
		if (f->d_name[0] == '.' || !read_small(dirfd(d), path, stat, sizeof(stat)))
			continue;
		add_thread(s, stat);
		s->who += ((uint64_t)atoll(f->d_name) + 1) * 0x9e3779b97f4a7c15u % 0xfffffffbu;
		snprintf(path, sizeof(path), "%.20s/schedstat", f->d_name);
		if (s->fine && read_small(dirfd(d), path, stat, sizeof(stat)))
			add_schedule(s, stat);
	}
	if (d)
		closedir(d);
}

static struct sample take_sample(struct run *x)
{
	CLEANUP(tree_free) struct tree t = { 0 };
	struct sample s = { .at = time_mono(), .fine = access("/proc/self/schedstat", R_OK) == 0 };

	stop_scan(x, &t);
	for (size_t i = 0; i < t.n; i++)
		add_process(&s, t.v[i].pid);
	return s;
}

/* What most say a hung program waits in; "0" where it runs or may not be seen. */
static void read_wchan(int pid, char ret[64])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	if (!read_small(AT_FDCWD, path, ret, 64) || !strcmp(ret, "0"))
		ret[0] = '\0';
}

/*
 * Flat: below 2 % of one core. Spinning: at least 80 % of one. What lies between works, and is no hang. On a busy machine who wants to
 * run waits in a queue: that is no rest, and shows no loop unless it ran for a good part of the time. Where threads came or went, what
 * they used is not in the difference: that is no rest either.
 */
static bool is_proof(const struct sample *from, const struct sample *to, struct run_hang *ret)
{
	int64_t over = to->at - from->at, unsure = to->fine ? 0 : NSEC_PER_SEC / sysconf(_SC_CLK_TCK);
	int64_t used = to->used > from->used ? to->used - from->used : 0;
	int64_t wanted = used + (to->waited > from->waited ? to->waited - from->waited : 0);

	ret->cpu_ns = used;
	ret->over_ns = over;
	ret->threads = to->threads;
	ret->running = to->running;
	ret->uninterruptible = to->uninterruptible;
	ret->spins = over >= 5 * unsure && (used >= over / 10 * 8 || (wanted >= over / 10 * 9 && used >= over / 3));
	return to->threads && (ret->spins || (from->who == to->who && wanted <= over / 50 + unsure && !to->running));
}

static void say_hang(struct run *x, struct run_hang *h)
{
	struct service *s = x->service;

	read_wchan(x->child.pid, h->waits);
	h->ends = s->c->end_hung;
	if (s->c->hang)
		s->c->hang(s->c->ctx, x, h);
}

void run_end_hung(struct run *x, int64_t quiet_ns)
{
	if (x->ended || x->service->ends)
		return;
	x->service->ends = true;
	stop_limit(x, STOP_STALL, quiet_ns);
}

/* ---- silence ---- */

static void look_at_silence(struct run *x, int64_t now)
{
	struct service *s = x->service;
	int64_t last = x->relay.last, stall = s->c->stall;

	if (relay_pending(&x->relay)) /* our reader's slowness, not the command's */
		last = x->relay.last = now;
	if (s->half_of != last) {
		s->half_of = last;
		s->half.at = 0;
		s->silent = false;
	}
	if (s->silent || x->stopped || now - last < stall / 2)
		return;
	if (!s->half.at) {
		s->half = take_sample(x);
		return;
	}
	if (now - last < stall || now - s->half.at < stall / 2) /* we may have been late for the first look */
		return;
	struct run_hang h = { .quiet_ns = now - last };
	struct sample is = take_sample(x);
	/* Who answers its health check may have nothing to say. */
	if (!is_proof(&s->half, &is, &h) || (s->healthy_at && !s->fails)) {
		s->half = is; /* it works, for now: what it does from here on counts */
		s->half_of = x->relay.last = now - stall / 2;
		return;
	}
	s->silent = true;
	say_hang(x, &h);
}

/* ---- health ---- */

static void on_health(void *ctx, bool healthy, const char *answer)
{
	struct run *x = ctx;
	struct service *s = x->service;
	int64_t now = time_mono();

	loop_timer_set(x->loop, s->ask, now + s->c->every);
	if (healthy) {
		s->healthy_at = now;
		s->unhealthy = false;
		s->fails = 0;
		return;
	}
	if (x->stopped || (!s->healthy_at && now - x->began < FIRST_NSEC))
		return;
	if (s->fails++ == 0) {
		s->ill = take_sample(x);
		s->ill_since = now;
	}
	if (s->fails < s->c->fails || s->unhealthy || s->fails < 2)
		return;
	struct run_hang h = { .health = true, .quiet_ns = now - s->ill_since };
	struct sample is = take_sample(x);
	snprintf(h.answer, sizeof(h.answer), "%s", answer);
	if (!is_proof(&s->ill, &is, &h)) {
		s->ill = is; /* overloaded perhaps: the next failure looks again */
		return;
	}
	s->unhealthy = true;
	say_hang(x, &h);
}

static void ask_health(void *ctx, int64_t now)
{
	struct run *x = ctx;

	if (!x->ended)
		health_ask(x->service->health);
}

/* ---- work beside it ---- */

/* Not in the tree of the command: its end is not judged, and nobody ends it. */
static bool leave_out(struct run *x, int pid)
{
	int *v = mem_resize(x->old, (x->n_old + 2) * sizeof(*v));

	if (!v)
		return false;
	x->old = v;
	x->old[x->n_old++] = pid;
	return true;
}

static void take_back(struct run *x, int pid)
{
	for (size_t i = 0; i < x->n_old; i++) {
		if (x->old[i] == pid)
			x->old[i--] = x->old[--x->n_old];
	}
}

/* In the child: none of the signals, descriptors and priorities of a run. Its parent's end is no reason to stop. */
static void work(struct run *x, run_work_fn *fn, void *ctx, int fd, int64_t limit)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, ign = { .sa_handler = SIG_IGN };
	sigset_t none;

	setsid();
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, sig == SIGPIPE ? &ign : &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm((unsigned)(limit / NSEC_PER_SEC) + 1);
	for (size_t i = 0; i < x->relay.n; i++) /* a reader of the command's output is only who relays it */
		fd_close(x->relay.source[i].fd);
	fd_close(x->child.fail);
	setpriority(PRIO_PROCESS, 0, 5);
	fn(ctx, fd);
	_exit(0);
}

bool run_working(const struct run *x)
{
	return x->service && x->service->worker;
}

bool run_work(struct run *x, run_work_fn *fn, run_done_fn *done, void *ctx, int64_t limit)
{
	struct service *s = x->service;
	int fds[2];

	if (!s || s->worker || pipe2(fds, O_CLOEXEC) < 0)
		return false;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	int pid = fork();
	if (pid == 0) {
		fd_close(fds[0]);
		work(x, fn, ctx, fds[1], limit);
	}
	fd_close(fds[1]);
	if (pid < 0 || !leave_out(x, pid)) {
		fd_close(fds[0]);
		return pid > 0; /* it works all the same, and is not heard */
	}
	s->worker = pid;
	s->said = fds[0];
	s->n_text = 0;
	s->until = time_mono() + limit;
	s->done = done;
	s->ctx = ctx;
	return true;
}

static void hear_worker(struct service *s)
{
	ssize_t n;

	while (s->n_text < SAID_MAX && (n = read(s->said, s->text + s->n_text, SAID_MAX - s->n_text)) > 0)
		s->n_text += (size_t)n;
}

bool service_child(struct run *x, int pid)
{
	struct service *s = x->service;

	if (!s->worker || pid != s->worker)
		return false;
	hear_worker(s);
	fd_close(s->said);
	s->worker = 0;
	take_back(x, pid);
	s->done(s->ctx, s->n_text > 0, (struct span){ s->text, s->n_text });
	return true;
}

/* The deliverer of our alerts comes to us where there is nobody else: when we are process 1. */
bool service_is_ours(int pid)
{
	char path[64], words[64];
	struct stat its, ours;
	static const char deliver[] = "tocsin\0deliver";

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	if (!read_small(AT_FDCWD, path, words, sizeof(words)) || memcmp(words, deliver, sizeof(deliver)) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &its) == 0 && stat("/proc/self/exe", &ours) == 0 && its.st_ino == ours.st_ino && its.st_dev == ours.st_dev;
}

/* ---- begin, go on, end ---- */

static void on_timer(void *ctx, int64_t now)
{
	struct run *x = ctx;
	struct service *s = x->service;

	if (x->ended || s->ends)
		return;
	if (s->worker && now > s->until)
		kill(s->worker, SIGKILL);
	if (s->c->stall)
		look_at_silence(x, now);
}

void service_step(struct run *x)
{
	const struct run_service *c = x->service->c;

	if (c->step)
		c->step(c->ctx, x, time_mono());
}

void service_demand(struct run *x)
{
	const struct run_service *c = x->service->c;

	if (c->demand && !x->ended)
		c->demand(c->ctx, x);
}

int service_begin(struct run *x, struct err *e)
{
	const struct run_service *c = x->c->service;
	struct service *s = x->service = mem_zalloc(sizeof(*s));
	int64_t every = STEP_NSEC;

	if (!s)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	s->c = c;
	if (c->stall && c->stall / 8 < every)
		every = c->stall / 8 > 10 * NSEC_PER_MSEC ? c->stall / 8 : 10 * NSEC_PER_MSEC;
	int r = loop_timer(x->loop, x->began + every, every, on_timer, x, &s->timer, e);
	if (r == 0 && c->health) {
		int64_t time = c->every / 2 < HEALTH_LONGEST ? c->every / 2 : HEALTH_LONGEST;
		struct err why;
		if (health_open(x->loop, c->health, time, on_health, x, &s->health, &why) < 0) /* a name that nobody knows: the command lives without it */
			c->note ? c->note(c->ctx, why.msg) : outcome_limit(x, arena_str(&x->r->mem, span_of(why.msg)));
	}
	if (r == 0 && s->health)
		r = loop_timer(x->loop, x->began + c->every, 0, ask_health, x, &s->ask, e);
	if (r == 0 && c->began)
		c->began(c->ctx, x, x->child.pid);
	return r;
}

void service_end(struct run *x)
{
	struct service *s = x->service;

	if (!s)
		return;
	int64_t most = time_mono() + LATE_NSEC, until = s->until < most ? s->until : most;
	while (s->worker) {
		struct pollfd p = { .fd = s->said, .events = POLLIN };
		int64_t left = until - time_mono();
		if (left > 0 && poll(&p, 1, (int)(left / NSEC_PER_MSEC) + 1) < 0 && errno != EINTR)
			break;
		hear_worker(s);
		if (left <= 0)
			kill(s->worker, SIGKILL);
		int pid = waitpid(s->worker, NULL, left <= 0 ? 0 : WNOHANG);
		if (pid == 0) {
			if (p.revents & POLLHUP) /* it has closed the pipe, and is about to end */
				poll(NULL, 0, 1);
			continue;
		}
		service_child(x, s->worker);
	}
	health_close(s->health);
	x->service = NULL;
	mem_free(s);
}
