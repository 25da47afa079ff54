/* A short question to another program, with a deadline. */
#include "run/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/spawn.h"

#define STEP_MS 5 /* how often its end is looked for where a pidfd is not to be had */

struct asked {
	const struct ask *a;
	struct answer *ret;
	pid_t pid;
	int out, err, pidfd;
};

void answer_free(struct answer *a)
{
	buf_free(&a->out);
	buf_free(&a->err);
}

void answer_free_cleanup(struct answer *a)
{
	answer_free(a);
}

static int spawn_quiet(struct asked *x, int out, int err, char **env)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, err, 2);
	if (x->a->dir)
		posix_spawn_file_actions_addchdir_np(&fa, x->a->dir);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	r = posix_spawn(&x->pid, x->a->path, &fa, &attr, (char *const *)x->a->args, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	return -r;
}

/* Both ends above 2, also when we were started with these closed. */
static int pipe_high(int fd[2])
{
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		int high = fcntl(fd[i], F_DUPFD_CLOEXEC, 3), code = errno;
		if (high < 0) {
			close(fd[0]);
			close(fd[1]);
			return -code;
		}
		close(fd[i]);
		fd[i] = high;
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int begin(struct asked *x)
{
	const char *const *const add[] = { x->a->env };
	CLEANUP(mem_free) char **env = spawn_env(add, 1);
	int out[2], err[2], r;

	if (!env)
		return -ENOMEM;
	r = pipe_high(out);
	if (r < 0)
		return r;
	r = pipe_high(err);
	if (r == 0) {
		r = spawn_quiet(x, out[1], err[1], env);
		close(err[1]);
		x->err = err[0];
	}
	close(out[1]);
	x->out = out[0];
	return r;
}

/* What is there now; -EFBIG past the bound, 1 at its end. */
static int drain(int *fd, struct buf *to, size_t max, bool drop)
{
	char chunk[4096];

	while (*fd >= 0) {
		ssize_t n = read(*fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0) {
			close(*fd);
			*fd = -1;
			break;
		}
		if (to->len + (size_t)n > max && !drop)
			return -EFBIG;
		if (to->len + (size_t)n <= max)
			buf_add(to, chunk, (size_t)n);
		if (to->bad)
			return -ENOMEM;
	}
	return 1;
}

static int drain_both(struct asked *x)
{
	int r = drain(&x->out, &x->ret->out, x->a->out_max, false);
	int k = drain(&x->err, &x->ret->err, x->a->err_max, true);

	return r < 0 ? r : k < 0 ? k : 0;
}

static bool is_over(const struct asked *x)
{
	siginfo_t si = { 0 };

	/* Not yet taken: its number, and so its group, stays its own until we have ended what is left of it. */
	return waitid(P_PID, (id_t)x->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == x->pid;
}

/* Its end counts, not that of its output: something may go on in the background and hold that open. */
static int listen_to(struct asked *x)
{
	for (;;) {
		int64_t left = x->a->until - time_mono();
		bool over = is_over(x);
		int r = drain_both(x);
		if (r < 0 || over)
			return r;
		if (left <= 0)
			return -ETIMEDOUT;
		int ms = (int)((left < NSEC_PER_SEC ? left : NSEC_PER_SEC) / NSEC_PER_MSEC) + 1;
		struct pollfd p[] = {
			{ .fd = x->out, .events = POLLIN }, { .fd = x->err, .events = POLLIN }, { .fd = x->pidfd, .events = POLLIN },
		};
		poll(p, 3, x->pidfd < 0 && ms > STEP_MS ? STEP_MS : ms);
	}
}

static void end(struct asked *x)
{
	int status = 0;

	kill(-x->pid, SIGKILL);
	kill(x->pid, SIGKILL);
	while (waitpid(x->pid, &status, 0) < 0 && errno == EINTR)
		;
	x->ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int ask_run(const struct ask *a, struct answer *ret, struct err *e)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, chld;
	struct asked x = { .a = a, .ret = ret, .out = -1, .err = -1, .pidfd = -1 };

	*ret = (struct answer){ 0 };
	sigaction(SIGCHLD, &dfl, &chld); /* inherited as ignored, its status would be lost */
	int r = begin(&x);
	if (r == 0) {
		x.pidfd = (int)syscall(SYS_pidfd_open, x.pid, 0);
		r = listen_to(&x);
		end(&x);
	}
	sigaction(SIGCHLD, &chld, NULL);
	fd_close(x.out);
	fd_close(x.err);
	fd_close(x.pidfd);
	if (r == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT, TR("'%s' did not answer in time", "“%s”未及时应答"), a->path);
	if (r == -EFBIG)
		return err_set(e, EFBIG, TR("'%s' answered with more than %zu bytes", "“%s”的应答超过 %zu 字节"), a->path, a->out_max);
	return r < 0 ? err_set(e, -r, TR("cannot run '%s': %m", "无法运行“%s”：%m"), a->path) : 0;
}
