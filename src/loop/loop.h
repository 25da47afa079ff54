#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <signal.h>
#include <stdint.h>
#include <sys/signalfd.h>

#include "base/err.h"

/*
 * The only event loop: epoll, timerfd, signalfd. One thread. Callbacks run from loop_step(); a callback
 * may add and remove anything, itself included.
 */
struct loop;
struct watch; /* a descriptor, timer or signal that is waited for; freed by loop_remove or loop_free */

typedef void fd_fn(void *ctx, int fd, uint32_t events);              /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
typedef void timer_fn(void *ctx, int64_t now);                       /* CLOCK_MONOTONIC ns */
typedef void signal_fn(void *ctx, const struct signalfd_siginfo *si);

int loop_new(struct loop **ret, struct err *e);
void loop_free(struct loop *l); /* NULL is fine; restores the signal mask */
int loop_fd(struct loop *l, int fd, uint32_t events, fd_fn *fn, void *ctx, struct watch **ret, struct err *e);
int loop_fd_events(struct loop *l, struct watch *w, uint32_t events, struct err *e); /* 0 pauses it */
/* Fires once at the time `at` (ns, CLOCK_MONOTONIC), then every `every` ns when that is not 0. */
int loop_timer(struct loop *l, int64_t at, int64_t every, timer_fn *fn, void *ctx, struct watch **ret, struct err *e);
int loop_timer_set(struct loop *l, struct watch *w, int64_t at); /* 0 disarms */
/* Blocks the signals and hears them: no work is done in handlers. */
int loop_signals(struct loop *l, const sigset_t *set, signal_fn *fn, void *ctx, struct watch **ret, struct err *e);
void loop_remove(struct loop *l, struct watch *w); /* NULL is fine; does not close the caller's fd */
int loop_step(struct loop *l, struct err *e); /* waits for at least one event and calls back */
/* The signal mask as it was before loop_signals: what a child must get back. */
const sigset_t *loop_old_mask(const struct loop *l);
#endif
