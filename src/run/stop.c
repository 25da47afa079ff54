/* Ending a run: passed-on signals, time limit, stall, and the ladder QUIT, TERM, KILL. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/supervise.h"

#define AGAIN_NSEC (100 * NSEC_PER_MSEC) /* KILL again: somebody may have forked meanwhile */
#define STALL_PARTS 4
#define TICKS_OF_WORK 5 /* finished work below this (0.05 s) is a poll loop's sleep, not progress */

int stop_scan(struct run *x, struct tree *t)
{
	CLEANUP(pids_free) struct pids in = { 0 };
	int r = tree_scan(t, getpid(), x->old, x->n_old);
	bool exact = x->group.version && cgroup_pids(&x->group, &in) == 0;
	size_t kept = 0, ours = 0;

	for (size_t i = 0; i < in.n; i++)
		if (in.v[i] != getpid() && !run_had(x, in.v[i]))
			in.v[ours++] = in.v[i];
	in.n = ours;
	tree_add(t, in.v, in.n);
	/* Orphans of children from before come to us too: the group tells them from those of the run. */
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].state != 'Z' && t->v[i].state != 'X' && !(getpid() == 1 && service_is_ours(t->v[i].pid)) && (!exact || !x->n_old || pids_have(&in, t->v[i].pid)))
			t->v[kept++] = t->v[i];
	t->n = kept;
	return r;
}

static void signal_tree(struct run *x, int sig)
{
	CLEANUP(tree_free) struct tree t = { 0 };

	stop_scan(x, &t);
	for (size_t i = 0; i < t.n; i++)
		tree_signal(&t.v[i], sig);
}

void stop_signal_group(struct run *x, int sig)
{
	if (x->child.pid > 0 && !x->ended)
		kill(-x->child.pid, sig);
}

bool stop_is_ours(const struct run *x)
{
	return x->rung != RUNG_NONE || x->r->ending.stop != STOP_NONE;
}

/*
 * QUIT makes Go programs print their goroutines. The go command itself must not hear it: it would throw
 * away what it has buffered, the dump of the test binary too. Left alone it prints that and ends.
 * False: nobody else was there to tell.
 */
static bool ask_for_goroutines(struct run *x)
{
	CLEANUP(tree_free) struct tree t = { 0 };
	bool told = false;

	if (stop_scan(x, &t) < 0) {
		stop_signal_group(x, SIGQUIT);
		return true;
	}
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].group == x->child.pid && strcmp(t.v[i].name, "go") != 0)
			told |= tree_signal(&t.v[i], SIGQUIT);
	return told;
}

static void rung_act(struct run *x)
{
	static const int sigs[] = { [RUNG_QUIT] = SIGQUIT, [RUNG_TERM] = SIGTERM, [RUNG_KILL] = SIGKILL };
	int sig;

	if (x->ended)
		outcome_left_over(x, true);
	if (x->ended && x->nested)
		nested_stopping(x->nested);
	if (x->rung == RUNG_QUIT && ask_for_goroutines(x)) {
		stop_signal_group(x, SIGCONT);
		return;
	}
	if (x->rung == RUNG_QUIT)
		x->rung++;
	sig = sigs[x->rung];
	if (x->rung == RUNG_KILL)
		cgroup_kill(&x->group); /* all at once, so that none forks away; where that is not to be had, one by one */
	stop_signal_group(x, sig);
	/* Its group is gone or holds only some of them: then one by one. A stopped process hears nothing but KILL. */
	if (x->rung == RUNG_KILL || x->ended)
		signal_tree(x, sig);
	if (x->rung != RUNG_KILL)
		x->ended ? signal_tree(x, SIGCONT) : stop_signal_group(x, SIGCONT);
}

static void rung_next(void *ctx, int64_t now)
{
	struct run *x = ctx;

	if (x->rung < RUNG_KILL)
		x->rung++;
	x->rung_at = now;
	rung_act(x);
	loop_timer_set(x->loop, x->ladder, now + (x->rung == RUNG_KILL ? AGAIN_NSEC : x->grace));
}

void stop_again(struct run *x)
{
	rung_act(x);
}

void stop_climb(struct run *x, enum rung from)
{
	int64_t now = time_mono();

	if (x->rung >= from)
		return;
	if (!x->ladder && loop_timer(x->loop, 0, 0, rung_next, x, &x->ladder, NULL) < 0)
		from = RUNG_KILL; /* no timer to be had: the sure way */
	x->rung = from;
	x->rung_at = now;
	rung_act(x);
	if (x->ladder)
		loop_timer_set(x->loop, x->ladder, now + (from == RUNG_KILL ? AGAIN_NSEC : x->grace));
}

void stop_limit(struct run *x, enum end_stop stop, int64_t limit)
{
	if (x->r->ending.stop == STOP_NONE) {
		x->r->ending.stop = stop;
		x->r->ending.limit_ns = limit;
	}
	loop_remove(x->loop, x->timeout);
	loop_remove(x->loop, x->stall);
	loop_remove(x->loop, x->quiet_timer);
	x->timeout = x->stall = x->quiet_timer = NULL;
	stop_climb(x, RUNG_QUIT);
}

void stop_timeout(void *ctx, int64_t now)
{
	struct run *x = ctx;
	int64_t due = x->began + x->c->timeout + x->suspended;

	if (x->ended)
		return;
	if (now < due)
		loop_timer_set(x->loop, x->timeout, due);
	else
		stop_limit(x, STOP_TIMEOUT, x->c->timeout);
}

/*
 * Work that was finished below: the CPU time of processes that have ended, as their parents count it. A
 * compiler that came to its end is progress; a process that spins or waits is not.
 */
static uint64_t work_done(struct run *x)
{
	CLEANUP(tree_free) struct tree t = { 0 };
	uint64_t sum = 0;

	stop_scan(x, &t);
	for (size_t i = 0; i < t.n; i++)
		sum += t.v[i].done;
	return sum;
}

void stop_stall(void *ctx, int64_t now)
{
	struct run *x = ctx;
	int64_t part = x->c->stall / STALL_PARTS, last;

	if (x->ended)
		return;
	uint64_t work = work_done(x);
	if (x->relay.last > x->progress) {
		x->progress = x->relay.last;
		x->work = work;
	} else if (work >= x->work + TICKS_OF_WORK) {
		x->progress = now;
		x->work = work;
	} else if (work < x->work) {
		x->work = work; /* the one that counted has ended itself */
	}
	last = x->progress;
	/* What was read and cannot be written on is our reader's slowness, not the command's. */
	if (relay_pending(&x->relay))
		last = x->progress = now;
	if (now - last >= x->c->stall) {
		x->r->ending.network = stop_waits_for_network(x, now);
		stop_limit(x, STOP_STALL, x->c->stall);
		return;
	}
	if (part < 100 * NSEC_PER_MSEC)
		part = 100 * NSEC_PER_MSEC;
	loop_timer_set(x->loop, x->stall, last + x->c->stall < now + part ? last + x->c->stall : now + part);
}

static const char *name_of(struct run *x, int pid)
{
	return pid > 0 ? tree_command(&x->r->mem, pid) : NULL;
}

void stop_by_signal(struct run *x, const struct signalfd_siginfo *si)
{
	struct ending *end = &x->r->ending;
	int sig = (int)si->ssi_signo;

	if (x->ended) { /* only left-overs are waited for: no longer */
		x->hurry = true;
		return;
	}
	if (end->stop == STOP_NONE) {
		end->stop = STOP_SIGNAL;
		end->sig = end->stop_sig = sig;
		if (si->ssi_code <= 0) { /* a process sent it; the kernel (a terminal) has none to name */
			end->sender_pid = (int)si->ssi_pid;
			end->sender = name_of(x, end->sender_pid);
		}
	}
	stop_signal_group(x, sig);
	/* The first is the command's to act on, for as long as it takes. Who asks again means it. */
	if (++x->interrupts == 2 && x->ladder == NULL && x->rung == RUNG_NONE) {
		if (loop_timer(x->loop, time_mono() + x->grace, 0, rung_next, x, &x->ladder, NULL) == 0)
			x->rung = RUNG_TERM; /* the next step is KILL */
	} else if (x->interrupts > 2) {
		stop_climb(x, RUNG_KILL);
	}
}
