#include "run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"

#define BUSY_TRIES 15
#define BUSY_NSEC 20000000

static uint64_t inherited_ignored;
static unsigned inherited_closed;

/* What we, or who started us, may have changed. Handlers of other signals are gone with the exec. */
static const int touched[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU };

/*
 * Before main: what we were given, while nothing has changed it. A standard descriptor that is closed is
 * filled, so that no file of ours gets its number; CLOEXEC: the command finds it closed, as without us.
 */
__attribute__((constructor)) static void inherited_read(void)
{
	struct sigaction sa;

	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		inherited_closed |= 1u << fd;
		if (open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			break;
	}
	for (size_t i = 0; i < ARRAY_LEN(touched); i++)
		if (sigaction(touched[i], NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			inherited_ignored |= UINT64_C(1) << touched[i];
}

bool spawn_inherited_ignored(int sig)
{
	return inherited_ignored >> sig & 1;
}

bool spawn_inherited_closed(int fd)
{
	return inherited_closed >> fd & 1;
}

static bool is_executable(const char *path, bool *there)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*there = true;
	return eaccess(path, X_OK) == 0;
}

int spawn_resolve(const char *name, const char *path, struct buf *ret)
{
	CLEANUP(buf_free) struct buf one = { 0 };
	struct span rest = span_of(path ? path : "/bin:/usr/bin");
	bool denied = false, more = true;

	buf_clear(ret);
	if (!*name || strchr(name, '/')) {
		buf_adds(ret, name);
		return *name ? 0 : ENOENT;
	}
	while (more) {
		more = span_chr(rest, ':') != SPAN_NONE;
		struct span dir = span_cut(&rest, ':');
		bool there = false;
		buf_clear(&one);
		if (dir.n) {
			buf_span(&one, dir);
			buf_addc(&one, '/');
		}
		buf_adds(&one, name);
		if (one.bad)
			return ENOMEM;
		bool ok = is_executable(one.p, &there);
		if (!ok && (!there || denied))
			continue;
		buf_clear(ret);
		buf_span(ret, buf_view(&one));
		if (ok)
			return 0;
		denied = true;
	}
	return denied ? EACCES : ENOENT;
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && (b[n] == '=' || b[n] == '\0');
}

static bool overridden(const char *var, const char *const *const *add, size_t n_add)
{
	for (size_t i = 0; i < n_add; i++)
		for (size_t k = 0; add[i] && add[i][k]; k++)
			if (same_name(add[i][k], var))
				return true;
	return false;
}

char **spawn_env(const char *const *const *add, size_t n_add)
{
	size_t n = 1, at = 0;

	for (size_t i = 0; environ && environ[i]; i++)
		n++;
	for (size_t i = 0; i < n_add; i++)
		for (size_t k = 0; add[i] && add[i][k]; k++)
			n++;
	char **env = mem_alloc(n * sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; environ && environ[i]; i++)
		if (!overridden(environ[i], add, n_add))
			env[at++] = environ[i];
	for (size_t i = 0; i < n_add; i++)
		for (size_t k = 0; add[i] && add[i][k]; k++)
			if (strchr(add[i][k], '=') && !overridden(add[i][k], add + i + 1, n_add - i - 1))
				env[at++] = (char *)add[i][k];
	env[at] = NULL;
	return env;
}

/* From here to the exec: only what is safe between fork and exec. */

static __attribute__((noreturn)) void child_fail(int fd, enum spawn_step step, int err)
{
	struct spawn_fail f = { step, err };

	if (write(fd, &f, sizeof(f)) < 0)
		_exit(126);
	_exit(127);
}

static void child_signals(const sigset_t *mask)
{
	for (size_t i = 0; i < ARRAY_LEN(touched); i++) {
		struct sigaction sa = { .sa_handler = spawn_inherited_ignored(touched[i]) ? SIG_IGN : SIG_DFL };
		sigaction(touched[i], &sa, NULL);
	}
	sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Without it the command runs as well: it is only told. */
static void child_join(int join, int fail)
{
	struct spawn_fail f = { .step = SPAWN_GROUP };

	if (write(join, "0", 1) == 1)
		return;
	f.err = errno;
	if (write(fail, &f, sizeof(f)) < 0)
		_exit(126);
}

static int child_setup(const struct spawn *s, int parent)
{
	if (s->terminal) {
		if (setsid() < 0 || ioctl(s->fd[1], TIOCSCTTY, 0) < 0)
			return -1;
	} else if (setpgid(0, 0) < 0) {
		return -1;
	}
	/* A SIGKILL meant for the command must not leave it running because it hit us instead. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent && getppid() != 0) /* 0: `unshare -p` made it the first in a pid namespace */
		_exit(126);
	for (int i = 0; i < 3; i++)
		if (s->fd[i] >= 0 && dup2(s->fd[i], i) < 0)
			return -1;
	if (s->files)
		setrlimit(RLIMIT_NOFILE, s->files);
	child_signals(s->mask);
	return 0;
}

/* The kernel refused it and it has no "#!": a script, unless it is empty or its first line is no text. */
static bool is_plain_script(const char *path)
{
	char head[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	if (n <= 0 || (n >= 4 && memcmp(head, "\177ELF", 4) == 0) || (n >= 2 && memcmp(head, "#!", 2) == 0))
		return false;
	const char *end = memchr(head, '\n', (size_t)n);
	return !memchr(head, '\0', end ? (size_t)(end - head) : (size_t)n);
}

static __attribute__((noreturn)) void child_exec(const struct spawn *s, char **sh_argv, int fail)
{
	struct timespec nap = { .tv_nsec = BUSY_NSEC };

	for (int i = 0; i < BUSY_TRIES; i++) {
		execve(s->path, s->argv, s->envp);
		if (errno != ETXTBSY) /* a compiler or another fork has it open for an instant */
			break;
		nanosleep(&nap, NULL);
	}
	int err = errno;
	if (err == ENOEXEC && is_plain_script(s->path)) {
		execve(sh_argv[0], sh_argv, s->envp);
		err = errno;
	}
	child_fail(fail, SPAWN_EXEC, err);
}

static char **shell_argv(const struct spawn *s)
{
	size_t n = 0;

	while (s->argv[n])
		n++;
	char **v = mem_alloc((n + 3) * sizeof(*v));
	if (!v)
		return NULL;
	v[0] = (char *)"/bin/sh";
	v[1] = (char *)s->path;
	v[2] = NULL;
	for (size_t i = 1; i <= n && n; i++)
		v[i + 1] = s->argv[i];
	return v;
}

/* *ret_in: it was born in the control group. */
static int fork_pidfd(int group, int *pidfd, bool *ret_in)
{
	struct clone_args a = { .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD };
	struct clone_args in = a;
	long pid = -1;

	in.flags |= CLONE_INTO_CGROUP;
	in.cgroup = (uint64_t)group;
	*ret_in = group >= 0;
	if (group >= 0)
		pid = syscall(SYS_clone3, &in, sizeof(in));
	if (pid >= 0 || (*ret_in && (errno == EAGAIN || errno == ENOMEM)))
		return (int)pid;
	*ret_in = false;
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid >= 0 || errno == EAGAIN || errno == ENOMEM)
		return (int)pid;
	*pidfd = -1; /* an old kernel, or a seccomp filter that knows no clone3 */
	pid = fork();
	if (pid > 0)
		*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return (int)pid;
}

static int pipe_high(int fd[2])
{
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		if (fd[i] > 2)
			continue;
		int high = fcntl(fd[i], F_DUPFD_CLOEXEC, 3); /* 0, 1 and 2 are the child's */
		if (high < 0)
			return -1;
		close(fd[i]);
		fd[i] = high;
	}
	return 0;
}

int spawn_start(const struct spawn *s, struct child *ret, bool *ret_fork, struct err *e)
{
	CLEANUP(mem_free) char **sh_argv = shell_argv(s);
	int fail[2], parent = getpid(), pidfd = -1;
	bool in_group;

	*ret_fork = false;
	if (!sh_argv)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (pipe_high(fail) < 0)
		return err_set(e, errno, TR("create a pipe: %m", "无法创建管道：%m"));
	int pid = fork_pidfd(s->group, &pidfd, &in_group);
	if (pid == 0) {
		if (s->join >= 0 && !in_group)
			child_join(s->join, fail[1]);
		if (child_setup(s, parent) < 0)
			child_fail(fail[1], SPAWN_SETUP, errno);
		child_exec(s, sh_argv, fail[1]);
	}
	int code = errno;
	fd_close(fail[1]);
	if (pid < 0) {
		fd_close(fail[0]);
		*ret_fork = true;
		return err_set(e, code, TR("start a process: %m", "无法启动进程：%m"));
	}
	if (!s->terminal)
		setpgid(pid, pid); /* both do it: whoever comes first, the group exists before it is used */
	fcntl(fail[0], F_SETFL, O_NONBLOCK);
	*ret = (struct child){ .pid = pid, .pidfd = pidfd, .fail = fail[0] };
	return 0;
}

bool spawn_failed(struct child *c, struct spawn_fail *ret)
{
	while (read(c->fail, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret)) {
		if (ret->step != SPAWN_GROUP)
			return true;
		c->not_joined = ret->err;
	}
	return false;
}
