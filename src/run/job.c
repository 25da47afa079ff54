/* Job control: ^Z, fg, and a command that wants the terminal. */
#include <signal.h>

#include "base/time.h"
#include "run/supervise.h"

#define STOP_WAIT_NSEC (200 * NSEC_PER_MSEC)

void job_resume(struct run *x)
{
	if (x->ended)
		return;
	if (x->pty.master >= 0) {
		pty_resume(&x->pty);
		pty_resize(&x->pty);
	}
	if (x->term.wanted && x->stopped)
		terminal_give(&x->term);
	x->stopped = false;
	stop_signal_group(x, SIGCONT);
}

static void suspend(struct run *x, int sig, bool whole)
{
	int64_t before = time_mono();

	x->stop_asked = 0;
	if (x->stop_timer)
		loop_timer_set(x->loop, x->stop_timer, 0);
	pty_pause(&x->pty);
	terminal_take(&x->term);
	x->stopped = true;
	terminal_stop_self(sig, whole);
	int64_t away = time_mono() - before;
	x->suspended += away;
	x->progress += away;
	x->relay.last += away;
	job_resume(x);
}

static void suspend_late(void *ctx, int64_t now)
{
	struct run *x = ctx;

	if (x->stop_asked) /* the command takes its time, or ignores it: we stop as our shell was told */
		suspend(x, x->stop_asked, x->stop_whole);
}

void job_stop(struct run *x, int sig, int to_group, bool whole)
{
	x->stop_asked = sig;
	x->stop_whole = whole;
	stop_signal_group(x, to_group);
	if (!x->stop_timer && loop_timer(x->loop, 0, 0, suspend_late, x, &x->stop_timer, NULL) < 0) {
		suspend(x, sig, whole);
		return;
	}
	loop_timer_set(x->loop, x->stop_timer, time_mono() + STOP_WAIT_NSEC);
}

void job_typed(void *ctx)
{
	job_stop(ctx, SIGTSTP, SIGSTOP, true);
}

void job_command_stopped(struct run *x, int sig)
{
	bool wants = sig == SIGTTIN || sig == SIGTTOU;

	x->stopped = true;
	if (x->stop_asked) {
		suspend(x, x->stop_asked, x->stop_whole);
	} else if (wants && terminal_give(&x->term)) {
		x->stopped = false;
		stop_signal_group(x, SIGCONT);
	} else if ((wants || sig == SIGTSTP) && x->term.tty != -1 && (terminal_foreground(&x->term), x->term.tty >= 0)) {
		suspend(x, sig, true);
	}
}
