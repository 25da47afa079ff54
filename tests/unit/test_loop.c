/* The event loop: descriptors, timers, signals, and callbacks that take away what is about to be called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"

struct seen {
	struct loop *l;
	struct watch *w, *other;
	int calls, last_signal;
	uint32_t events;
	int order[8];
	int id;
	struct seen *log;
};

static struct loop *fresh(void)
{
	struct loop *l = NULL;
	struct err e;

	assert_int_equal(loop_new(&l, &e), 0);
	return l;
}

static void on_fd(void *ctx, int fd, uint32_t events)
{
	struct seen *s = ctx;
	char c;

	s->calls++;
	s->events = events;
	if (events & EPOLLIN && read(fd, &c, 1) < 0)
		s->calls = -1;
}

static void on_timer(void *ctx, int64_t now)
{
	struct seen *s = ctx;

	s->log->order[s->log->calls++] = s->id;
}

static void on_signal(void *ctx, const struct signalfd_siginfo *si)
{
	struct seen *s = ctx;

	s->calls++;
	s->last_signal = (int)si->ssi_signo;
}

static void test_descriptor(void **state)
{
	struct loop *l = fresh();
	struct seen s = { 0 };
	struct err e;
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(loop_fd(l, fd[0], EPOLLIN, on_fd, &s, &s.w, &e), 0);
	assert_int_equal(write(fd[1], "ab", 2), 2);
	assert_int_equal(loop_step(l, &e), 0);
	assert_int_equal(s.calls, 1);
	/* Level triggered: what was left is told again. */
	assert_int_equal(loop_step(l, &e), 0);
	assert_int_equal(s.calls, 2);
	close(fd[1]);
	assert_int_equal(loop_step(l, &e), 0);
	assert_true(s.events & EPOLLHUP);
	close(fd[0]);
	loop_free(l);
}

static void test_paused_descriptor_is_silent(void **state)
{
	struct loop *l = fresh();
	struct seen s = { 0 }, t = { .log = &t };
	struct err e;
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(loop_fd(l, fd[0], EPOLLIN, on_fd, &s, &s.w, &e), 0);
	assert_int_equal(loop_fd_events(l, s.w, 0, &e), 0);
	close(fd[1]); /* a hang-up must not spin while nobody wants to hear of it */
	assert_int_equal(loop_timer(l, time_mono() + 20 * NSEC_PER_MSEC, 0, on_timer, &t, NULL, &e), 0);
	assert_int_equal(loop_step(l, &e), 0);
	assert_int_equal(s.calls, 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(loop_fd_events(l, s.w, EPOLLIN, &e), 0);
	assert_int_equal(loop_step(l, &e), 0);
	assert_int_equal(s.calls, 1);
	close(fd[0]);
	loop_free(l);
}

static void test_bad_descriptor(void **state)
{
	struct loop *l = fresh();
	struct err e = { 0 };
	struct watch *w = NULL;

	assert_int_equal(loop_fd(l, 987, EPOLLIN, on_fd, NULL, &w, &e), -EBADF);
	assert_null(w);
	assert_true(e.msg[0]);
	loop_free(l);
}

static void test_timers_in_order(void **state)
{
	struct loop *l = fresh();
	struct seen log = { 0 }, a = { .id = 1, .log = &log }, b = { .id = 2, .log = &log }, c = { .id = 3, .log = &log };
	int64_t now = time_mono();
	struct err e;

	assert_int_equal(loop_timer(l, now + 30 * NSEC_PER_MSEC, 0, on_timer, &a, &a.w, &e), 0);
	assert_int_equal(loop_timer(l, now + 10 * NSEC_PER_MSEC, 0, on_timer, &b, &b.w, &e), 0);
	assert_int_equal(loop_timer(l, now + 20 * NSEC_PER_MSEC, 0, on_timer, &c, &c.w, &e), 0);
	assert_int_equal(loop_timer_set(l, c.w, 0), 0); /* disarmed: never */
	while (log.calls < 2)
		assert_int_equal(loop_step(l, &e), 0);
	assert_true(time_mono() - now >= 30 * NSEC_PER_MSEC);
	assert_int_equal(log.order[0], 2);
	assert_int_equal(log.order[1], 1);
	loop_free(l);
}

static void test_periodic_timer(void **state)
{
	struct loop *l = fresh();
	struct seen log = { 0 }, a = { .id = 1, .log = &log };
	int64_t now = time_mono();
	struct err e;

	assert_int_equal(loop_timer(l, now, 10 * NSEC_PER_MSEC, on_timer, &a, &a.w, &e), 0);
	usleep(50000); /* periods that were missed are not made up for */
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_step(l, &e), 0);
	assert_int_equal(log.calls, 3);
	loop_remove(l, a.w);
	loop_free(l);
}

static void test_signals(void **state)
{
	struct seen s = { 0 };
	sigset_t set, before, after;
	struct err e;

	sigprocmask(SIG_BLOCK, NULL, &before);
	struct loop *l = fresh();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(loop_signals(l, &set, on_signal, &s, &s.w, &e), 0);
	assert_false(sigismember(loop_old_mask(l), SIGUSR1));
	raise(SIGUSR1);
	assert_int_equal(loop_step(l, &e), 0);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.last_signal, SIGUSR1);
	raise(SIGUSR1); /* pending when the loop ends: must not kill us when the mask is back */
	loop_free(l);
	sigprocmask(SIG_BLOCK, NULL, &after);
	assert_memory_equal(&before, &after, sizeof(before) < 8 ? sizeof(before) : 8);
}

static void remove_both(void *ctx, int fd, uint32_t events)
{
	struct seen *s = ctx;

	s->log->calls++;
	loop_remove(s->l, s->w);
	loop_remove(s->l, s->other);
}

static void test_removed_while_pending(void **state)
{
	struct loop *l = fresh();
	struct seen log = { 0 }, a = { .l = l, .log = &log }, b = { .l = l, .log = &log };
	struct err e;
	int p[2], q[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(pipe2(q, O_CLOEXEC), 0);
	assert_int_equal(loop_fd(l, p[0], EPOLLIN, remove_both, &a, &a.w, &e), 0);
	assert_int_equal(loop_fd(l, q[0], EPOLLIN, remove_both, &b, &b.w, &e), 0);
	a.other = b.w;
	b.other = a.w;
	assert_int_equal(write(p[1], "x", 1) + write(q[1], "x", 1), 2);
	assert_int_equal(loop_step(l, &e), 0); /* both are ready, the first called takes both away */
	assert_int_equal(log.calls, 1);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	loop_remove(l, NULL);
	loop_free(l);
	loop_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_paused_descriptor_is_silent),
		cmocka_unit_test(test_bad_descriptor),
		cmocka_unit_test(test_timers_in_order),
		cmocka_unit_test(test_periodic_timer),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_removed_while_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
