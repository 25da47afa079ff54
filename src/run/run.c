/* One supervised execution from start to end. */
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/supervise.h"

#define GRACE_DEFAULT (2 * NSEC_PER_SEC)
#define TICK_NSEC (100 * NSEC_PER_MSEC)
#define QUIET_NSEC (200 * NSEC_PER_MSEC)  /* output this long silent after the command's end is over */
#define DRAIN_NSEC (2 * NSEC_PER_SEC)     /* a left-over that writes on and on is heard no longer */
#define POLL_NSEC (50 * NSEC_PER_MSEC)
#define READER_NSEC (5 * NSEC_PER_SEC)   /* the longest wait for who reads the last of a service that was told to end */
#define FILES_FEW 32    /* all facilities together take about 20 descriptors */
#define FILES_MANY 4096 /* each nested command that runs takes one */

/* ---- children ---- */

static int wait_any(siginfo_t *si, int flags, struct rusage *u)
{
	int r;

	*si = (siginfo_t){ 0 };
	do
		r = (int)syscall(SYS_waitid, P_ALL, 0, si, flags | WNOHANG, u);
	while (r < 0 && errno == EINTR);
	return r;
}

static void usage_add(struct rusage *to, const struct rusage *u)
{
	to->ru_utime.tv_sec += u->ru_utime.tv_sec;
	to->ru_utime.tv_usec += u->ru_utime.tv_usec;
	to->ru_stime.tv_sec += u->ru_stime.tv_sec;
	to->ru_stime.tv_usec += u->ru_stime.tv_usec;
	to->ru_inblock += u->ru_inblock;
	to->ru_oublock += u->ru_oublock;
	if (u->ru_maxrss > to->ru_maxrss)
		to->ru_maxrss = u->ru_maxrss;
}

/* While it is still a zombie its limits can be read: was it the CPU limit? */
static int64_t cpu_limit_hit(const siginfo_t *si)
{
	struct rlimit rl;
	struct proc p;

	if (si->si_code == CLD_EXITED || (si->si_status != SIGXCPU && si->si_status != SIGKILL) ||
	    syscall(SYS_prlimit64, si->si_pid, RLIMIT_CPU, NULL, &rl) < 0 || !tree_read(si->si_pid, &p))
		return 0;
	rlim_t limit = si->si_status == SIGXCPU ? rl.rlim_cur : rl.rlim_max;
	if (limit > INT32_MAX) /* none */
		return 0;
	int64_t limit_ns = (int64_t)limit * NSEC_PER_SEC;
	int64_t used = (int64_t)p.used * NSEC_PER_SEC / sysconf(_SC_CLK_TCK);
	return used >= limit_ns - limit_ns / 8 - NSEC_PER_SEC / 4 ? limit_ns : 0; /* it is counted by samples */
}

static void drain_poll(void *ctx, int64_t now)
{
	(void)ctx; /* it only makes the loop look again */
	(void)now;
}

/* Had the child a word to say before it was the command? Again after its end is fine. */
static void child_told(struct run *x)
{
	x->failed = x->failed || spawn_failed(&x->child, &x->failure);
	if (!x->child.not_joined || !x->group.version)
		return;
	outcome_limit(x, arena_printf(&x->r->mem, TR("the command could not be put in a control group of its own: %s",
		"无法将命令放入它自己的控制组：%s"), strerror(x->child.not_joined)));
	proof_end(&x->proof);
	cgroup_close(&x->group);
}

/* Called when all that could be reaped was: only then is it known whether anything of its tree is left. */
static void command_ended(struct run *x)
{
	x->ended = time_mono();
	child_told(x);
	x->owed = x->relay.total + relay_unread(&x->relay);
	terminal_take(&x->term);
	if (x->childless)
		return;
	/* It left some behind. After QUIT they may still be printing, and have their grace. */
	if (x->rung == RUNG_NONE && x->c->reap)
		stop_climb(x, RUNG_TERM);
	else if (x->rung == RUNG_KILL)
		stop_again(x);
}

bool run_had(const struct run *x, int pid)
{
	for (size_t i = 0; i < x->n_old; i++)
		if (x->old[i] == pid)
			return true;
	return false;
}

/* One of our children: the command itself, or, as we are their subreaper, an orphan of its tree. */
static void child_event(struct run *x, const siginfo_t *si, const struct rusage *u)
{
	bool ended = si->si_code == CLD_EXITED || si->si_code == CLD_KILLED || si->si_code == CLD_DUMPED;

	if (ended && x->service && service_child(x, si->si_pid))
		return;
	if (run_had(x, si->si_pid))
		return;
	if (ended)
		usage_add(&x->used, u);
	if (si->si_pid != x->child.pid) {
		if (ended && si->si_code != CLD_EXITED && !x->conn)
			outcome_note(x, si->si_pid, si->si_status, NULL);
	} else if (ended) {
		x->status_code = si->si_code;
		x->status = si->si_status;
	} else if (si->si_code == CLD_STOPPED) {
		job_command_stopped(x, si->si_status);
	} else {
		x->stopped = false;
	}
}

static void reap(struct run *x)
{
	siginfo_t si, taken;
	struct rusage u;
	int r;

	while ((r = wait_any(&si, WEXITED | WSTOPPED | WCONTINUED | WNOWAIT, &u)) == 0 && si.si_pid) {
		if (si.si_pid == x->child.pid)
			x->cpu_limit_ns = cpu_limit_hit(&si);
		int flags = si.si_code == CLD_STOPPED ? WSTOPPED : si.si_code == CLD_CONTINUED ? WCONTINUED : WEXITED;
		if (syscall(SYS_waitid, P_PID, si.si_pid, &taken, flags | WNOHANG, &u) < 0)
			break;
		child_event(x, &si, &u);
	}
	x->childless = r < 0 && errno == ECHILD;
	if (x->status_code && !x->ended)
		command_ended(x);
}

/* Children from before (a shell that started some and then executed us) are not of this run. */
static int old_children(struct run *x, struct err *e)
{
	CLEANUP(tree_free) struct tree t = { 0 };
	siginfo_t si;
	struct rusage u;

	if (wait_any(&si, WEXITED | WNOWAIT, &u) < 0)
		return 0;
	tree_scan(&t, getpid(), NULL, 0);
	x->old = mem_alloc((t.n + 1) * sizeof(*x->old));
	if (!x->old)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].ppid == getpid())
			x->old[x->n_old++] = t.v[i].pid;
	return 0;
}

/* ---- signals ---- */

static void on_signal(void *ctx, const struct signalfd_siginfo *si)
{
	struct run *x = ctx;
	int sig = (int)si->ssi_signo;

	switch (sig) {
	case SIGCHLD:
		reap(x);
		break;
	case SIGINT: case SIGTERM: case SIGHUP:
		stop_by_signal(x, si);
		break;
	case SIGTSTP: /* in a session of its own only STOP stops it */
		job_stop(x, sig, x->pty.master >= 0 ? SIGSTOP : sig, false);
		break;
	case SIGCONT:
		if (x->stopped)
			job_resume(x);
		break;
	case SIGWINCH:
		pty_resize(&x->pty);
		if (x->c->winch)
			x->c->winch(x->c->ctx);
		if (x->pty.master < 0)
			stop_signal_group(x, sig);
		break;
	case SIGQUIT: case SIGUSR1: case SIGUSR2:
		if (sig == SIGUSR1 && x->service)
			service_demand(x);
		else
			stop_signal_group(x, sig);
		break;
	default: /* SIGPIPE, SIGTTIN, SIGTTOU: blocked, so that they do nothing to us */
		break;
	}
}

static int listen_signals(struct run *x, struct err *e)
{
	static const int always[] = { SIGCHLD, SIGPIPE, SIGTTIN, SIGTTOU, SIGTSTP, SIGCONT, SIGWINCH,
		SIGUSR1, SIGUSR2 };
	static const int unless_ignored[] = { SIGINT, SIGQUIT, SIGHUP, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		sigaddset(&set, always[i]);
	/* nohup, or a shell's `&`: then they mean neither us nor the command */
	for (size_t i = 0; i < ARRAY_LEN(unless_ignored); i++)
		if (!spawn_inherited_ignored(unless_ignored[i]))
			sigaddset(&set, unless_ignored[i]);
	return loop_signals(x->loop, &set, on_signal, x, NULL, e);
}

/* ---- what is watched ---- */

static void on_exec(void *ctx, int pid)
{
	struct run *x = ctx;

	if (x->nested)
		nested_proc_exec(x->nested, pid);
}

static void on_gone(void *ctx, int pid, int wait_status, const char *command)
{
	struct run *x = ctx;

	if (x->nested)
		nested_proc_exit(x->nested, pid, wait_status);
	if (WIFSIGNALED(wait_status) && pid != x->child.pid)
		outcome_note(x, pid, WTERMSIG(wait_status), command);
}

static const char *kept(struct run *x, const struct err *e)
{
	return arena_str(&x->r->mem, span_of(e->msg));
}

/* A low soft limit is the command's, not ours. */
static void files_raise(struct run *x)
{
	struct rlimit all;

	if (getrlimit(RLIMIT_NOFILE, &x->files) < 0)
		return;
	all = x->files;
	if (all.rlim_cur < FILES_MANY)
		all.rlim_cur = all.rlim_max < FILES_MANY ? all.rlim_max : FILES_MANY;
	if (all.rlim_cur != x->files.rlim_cur && setrlimit(RLIMIT_NOFILE, &all) < 0)
		all = x->files;
	x->few_files = all.rlim_cur < FILES_FEW;
}

/* The command comes before what we would like to know of it. */
static void facilities_skip(struct run *x)
{
	const char *why = arena_printf(&x->r->mem, TR("only %llu files may be open (ulimit -n)", "最多只能打开 %llu 个文件（ulimit -n）"),
				       (unsigned long long)x->files.rlim_max);

	proof_begin(&x->proof, &x->group);
	proof_end(&x->proof);
	facility_add(x->r, "cgroup", "no", why);
	if (!x->c->nested)
		return;
	facility_add(x->r, "shim", "no", why);
	facility_add(x->r, "proc_events", "no", why);
}

/* Each facility is asked for; what is missing is said and done without. */
static void facilities_open(struct run *x)
{
	struct connector_calls calls = { on_exec, on_gone, x };
	struct report *r = x->r;
	struct err e;

	bool sub = prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
	facility_add(r, "subreaper", sub ? "yes" : "no", NULL);
	files_raise(x);
	if (x->few_files) {
		facilities_skip(x);
		return;
	}
	if (cgroup_new(&x->group, &e) == 0)
		e.msg[0] = '\0';
	proof_begin(&x->proof, &x->group);
	proof_facilities(&x->proof, &x->group, e.msg, r);
	if (!x->c->nested)
		return;
	int n = nested_open(x->loop, x->c->allow_masked, &x->nested, &e);
	if (n == 0 && x->c->panics)
		nested_panics(x->nested, x->c->panics, x->c->ctx);
	const char *idle = n < 0 ? kept(x, &e) : nested_idle(x->nested);
	facility_add(r, "shim", idle ? "no" : "yes", idle);
	n = connector_open(x->loop, &calls, &x->conn, &e);
	facility_add(r, "proc_events", n < 0 ? "no" : "yes", n < 0 ? kept(x, &e) : NULL);
}

/* ---- starting ---- */

static int output_open(struct run *x, int end[2], struct err *e)
{
	int r;

	end[0] = end[1] = -1;
	x->relay = (struct relay){ .loop = x->loop, .bytes = x->c->bytes, .ctx = x->c->ctx, .redacts = x->c->redact };
	if (!x->c->pty)
		return relay_pipes(&x->relay, x->c, &end[0], &end[1], e);
	r = pty_open(&x->pty, &end[0], e);
	if (r < 0)
		return r;
	end[1] = end[0];
	x->pty.suspend = job_typed;
	x->pty.ctx = x;
	int rd = fcntl(x->pty.master, F_DUPFD_CLOEXEC, 3);
	r = rd < 0 ? err_set(e, errno, TR("relay the terminal: %m", "无法转发终端：%m")) :
		relay_adopt(&x->relay, rd, x->c->relay_out, e);
	if (r < 0)
		fd_close(rd);
	return r;
}

static int start_limits(struct run *x, struct err *e)
{
	const struct run_config *c = x->c;
	int r = 0;

	if (c->timeout)
		r = loop_timer(x->loop, x->began + c->timeout, 0, stop_timeout, x, &x->timeout, e);
	if (r == 0 && c->stall)
		r = loop_timer(x->loop, x->began + c->stall / 4, 0, stop_stall, x, &x->stall, e);
	if (r == 0 && c->network_stall)
		r = loop_timer(x->loop, x->began + NSEC_PER_SEC / 4, 0, stop_quiet, x, &x->quiet_timer, e);
	if (r == 0 && c->service)
		r = service_begin(x, e);
	if (r == 0 && c->tick)
		r = loop_timer(x->loop, x->began + TICK_NSEC, TICK_NSEC, c->tick, c->ctx, NULL, e);
	x->progress = x->began;
	return r;
}

/* 0 and child.pid 0: it could not be started, which is said in the report. */
static int start(struct run *x, struct err *e)
{
	const char *const *add[2] = { x->c->env_add, x->nested ? nested_env(x->nested) : NULL };
	const char *name = x->c->argv.v[0], *search = getenv("PATH");
	CLEANUP(mem_free) char **env = spawn_env(add, ARRAY_LEN(add));
	CLEANUP(buf_free) struct buf path = { 0 };
	int end[2] = { -1, -1 };
	bool fork_refused = false;

	int r = env ? output_open(x, end, e) : err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (r < 0)
		return r;
	int found = spawn_resolve(name, search, &path);
	const char *file = found == ENOENT ? name : arena_str(&x->r->mem, buf_view(&path));
	struct spawn s = { .path = file, .argv = (char *const *)x->c->argv.v, .envp = env,
		.fd = { x->pty.master >= 0 && x->pty.in >= 0 ? end[0] : -1, end[0], end[1] },
		.terminal = x->pty.master >= 0, .mask = loop_old_mask(x->loop), .files = x->files.rlim_max ? &x->files : NULL,
		.group = x->group.version == 2 ? x->group.dir : -1, .join = x->group.version ? x->group.join : -1 };
	x->began = time_mono();
	x->r->started = time_wall();
	r = 0;
	if (found == ENOENT)
		outcome_not_started(x, name, search, ENOENT, false);
	else
		r = spawn_start(&s, &x->child, &fork_refused, e);
	fd_close(end[0]);
	if (end[1] != end[0])
		fd_close(end[1]);
	if (r < 0 && fork_refused) {
		outcome_not_started(x, file, search, -r, true);
		return 0;
	}
	if (r < 0 || !x->child.pid)
		return r;
	x->term.group = x->pty.group = x->child.pid;
	if (x->conn)
		connector_root(x->conn, x->child.pid);
	if (x->nested)
		nested_root(x->nested, x->child.pid);
	return 0;
}

/* ---- until the end ---- */

static bool nothing_left(struct run *x)
{
	CLEANUP(tree_free) struct tree t = { 0 };

	if (x->childless || !x->n_old)
		return x->childless;
	return stop_scan(x, &t) == 0 && t.n == 0;
}

/* A container that was told to stop is killed soon, and with us what is known of its end: no reader is worth that. */
static bool gives_up(struct run *x, int64_t since)
{
	if (!x->service || x->r->ending.stop != STOP_SIGNAL || since < READER_NSEC)
		return false;
	outcome_limit(x, TR("its last output was not read within 5 s of its end: the rest of it is lost", "它结束后 5 s 内最后的输出没有读完：其余已丢失"));
	return true;
}

/*
 * The command has ended. What it wrote before is delivered, however slow our reader. Then left-overs of
 * its tree have a short while; one that keeps the output open cannot keep us.
 */
static bool is_over(struct run *x)
{
	int64_t now = time_mono(), since = now - x->ended;
	bool at_end = relay_at_end(&x->relay);

	if (!x->ended)
		return false;
	if (!at_end && (relay_pending(&x->relay) || (x->relay.total < x->owed && relay_unread(&x->relay))))
		return x->hurry || gives_up(x, since);
	bool alone = nothing_left(x);
	bool silent = at_end || (now - x->relay.last >= QUIET_NSEC && since >= QUIET_NSEC) || since >= DRAIN_NSEC;
	/* A pty tells no end while another process still has it; without one, what is in it is all. */
	if (alone && (at_end || (x->pty.master >= 0 && !relay_unread(&x->relay))))
		return true;
	if (x->hurry)
		return x->rung == RUNG_NONE || x->rung == RUNG_KILL || alone;
	if (x->rung != RUNG_NONE) /* the ladder is at work on what is left */
		return silent && (alone || (x->rung == RUNG_KILL && now - x->rung_at >= POLL_NSEC * 10));
	return silent && (alone || since >= QUIET_NSEC);
}

static int supervise(struct run *x, struct err *e)
{
	bool polled = false;
	int r = relay_start(&x->relay, e);

	if (r == 0 && x->pty.master >= 0)
		r = pty_start(&x->pty, x->loop, e);
	if (r == 0)
		r = start_limits(x, e);
	reap(x); /* it may have ended before anybody listened */
	while (r == 0 && !is_over(x)) {
		if (x->ended && !polled) {
			r = loop_timer(x->loop, x->ended + POLL_NSEC, POLL_NSEC, drain_poll, x, NULL, e);
			polled = true;
		}
		if (r == 0)
			r = loop_step(x->loop, e);
		if (x->service)
			service_step(x);
		if (x->hurry && x->rung != RUNG_NONE)
			stop_climb(x, RUNG_KILL);
	}
	return r;
}

static void finish(struct run *x, int failed)
{
	struct err e;

	if (x->child.pid && !x->ended) { /* we ourselves failed: it does not go on unwatched */
		kill(-x->child.pid, SIGKILL);
		waitpid(x->child.pid, NULL, 0);
		x->ended = time_mono();
	}
	if (x->child.pid && !failed) {
		reap(x);
		outcome_left_over(x, false);
	}
	connector_drain(x->conn);
	if (x->child.pid)
		child_told(x);
	if (x->failed) {
		CLEANUP(buf_free) struct buf path = { 0 };
		spawn_resolve(x->c->argv.v[0], getenv("PATH"), &path);
		bool same = strcmp(buf_str(&path), x->c->argv.v[0]) == 0;
		outcome_not_started(x, same ? x->c->argv.v[0] : buf_str(&path), getenv("PATH"), x->failure.err,
				    x->failure.step == SPAWN_SETUP);
	}
	if (x->nested && !failed && nested_take(x->nested, x->r, &e) < 0)
		outcome_limit(x, kept(x, &e));
	if (!failed)
		outcome_fill(x);
}

static void run_close(struct run *x)
{
	service_end(x);
	pty_close(&x->pty);
	terminal_close(&x->term);
	relay_close(&x->relay);
	connector_close(x->conn);
	nested_close(x->nested);
	proof_end(&x->proof);
	cgroup_close(&x->group);
	if (x->child.pid) {
		fd_close(x->child.pidfd);
		fd_close(x->child.fail);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	if (x->files.rlim_max)
		setrlimit(RLIMIT_NOFILE, &x->files);
	mem_free(x->old);
	loop_free(x->loop);
}

int run_command(const struct run_config *c, struct report *r, struct err *e)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, chld;
	struct run x = { .c = c, .r = r, .term.tty = -2, .pty = { .master = -1, .in = -1 }, .proof.events = -1,
		.grace = c->grace ? c->grace : GRACE_DEFAULT, .began = time_mono() };

	r->is_run = true;
	r->ending = (struct ending){ 0 };
	r->resources = (struct resources){ .cpu_ns = -1, .max_rss_kb = -1, .tree_rss_kb = -1, .read_bytes = -1,
		.write_bytes = -1 };
	r->n_facilities = r->n_procs = 0;
	r->procs = NULL;
	if (!c->argv.n)
		return err_set(e, EINVAL, TR("no command was given", "没有给出命令"));
	sigaction(SIGCHLD, &dfl, &chld); /* inherited as ignored, no child would ever be waited for */
	int n = loop_new(&x.loop, e);
	if (n == 0)
		n = listen_signals(&x, e);
	if (n == 0)
		n = old_children(&x, e);
	if (n == 0) {
		facilities_open(&x);
		n = start(&x, e);
	}
	if (n == 0 && x.child.pid) {
		facility_add(r, "pidfd", x.child.pidfd >= 0 ? "yes" : "no", NULL);
		n = supervise(&x, e);
	}
	if (x.loop)
		finish(&x, n);
	run_close(&x);
	sigaction(SIGCHLD, &chld, NULL);
	return n;
}
