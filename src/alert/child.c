#include "alert/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

#define ARGS_MAX 64

struct child_job {
	const struct request *q;
	int pid, pidfd, in, out;
	size_t written;
	struct buf answer;
	int64_t deadline;
	bool timed_out;
};

static void pipe_close(int fds[2])
{
	fd_close(fds[0]);
	fd_close(fds[1]);
}

/* Its argv: the lines of q->to, in text. */
static int read_argv(struct buf *text, const struct request *q, char **argv, struct err *e)
{
	size_t n = 0;

	buf_span(text, buf_view(&q->to));
	buf_addc(text, '\0');
	if (text->bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	for (char *at = text->p, *end = text->p + text->len - 1; at < end && n < ARGS_MAX;) {
		char *nl = memchr(at, '\n', (size_t)(end - at));
		argv[n++] = at;
		at = nl ? nl + 1 : end;
		if (nl)
			*nl = '\0';
	}
	argv[n] = NULL;
	return n ? 0 : err_set(e, EINVAL, TR("the exec channel names no command", "exec 渠道没有指定命令"));
}

static size_t make_env(char **env, size_t max)
{
	static const char *const names[] = { "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY" };
	size_t n = 0;

	for (char **v = environ; v && *v && n + 1 < max; v++) {
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			size_t k = strlen(names[i]);
			if (!strncmp(*v, names[i], k) && (*v)[k] == '=')
				env[n++] = *v;
		}
	}
	env[n] = NULL;
	return n;
}

static int spawn(struct child_job *c, char **argv, int in, int out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	char *env[32];

	make_env(env, ARRAY_LEN(env));
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, out, 2);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	int r = posix_spawnp(&c->pid, argv[0], &files, &attr, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r;
}

/* Ends of ours do not block; no end of ours is the child's. */
static int pipes(int in[2], int out[2], struct err *e)
{
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_set(e, errno, TR("a pipe for the exec channel: %m", "为 exec 渠道建立管道：%m"));
	if (pipe2(out, O_CLOEXEC) < 0) {
		int r = err_set(e, errno, TR("a pipe for the exec channel: %m", "为 exec 渠道建立管道：%m"));
		pipe_close(in);
		return r;
	}
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	return 0;
}

int child_start(const struct request *q, int64_t time_ns, struct child_job **ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char *argv[ARGS_MAX + 1];
	int in[2], out[2];

	int r = read_argv(&text, q, argv, e);
	if (r < 0)
		return r;
	struct child_job *c = mem_zalloc(sizeof(*c));
	r = c ? pipes(in, out, e) : err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (r < 0) {
		mem_free(c);
		return r;
	}
	*c = (struct child_job){ .q = q, .in = in[1], .out = out[0], .pidfd = -1, .deadline = time_mono() + time_ns, .answer.max = RESPONSE_MAX };
	r = spawn(c, argv, in[0], out[1]);
	fd_close(in[0]);
	fd_close(out[1]);
	if (r) {
		c->pid = 0;
		child_free(c);
		return err_set(e, r, TR("start '%.60s': %m", "无法启动“%.60s”：%m"), argv[0]);
	}
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd >= 0)
		fcntl(c->pidfd, F_SETFD, FD_CLOEXEC);
	*ret = c;
	return 0;
}

static void drop(int *fd)
{
	fd_close(*fd);
	*fd = -1;
}

/* A child that does not read its input has not failed for that. SIGPIPE is ignored by who sends. */
static void write_some(struct child_job *c)
{
	while (c->in >= 0 && c->written < c->q->body.len) {
		ssize_t n = write(c->in, c->q->body.p + c->written, c->q->body.len - c->written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		c->written += (size_t)n;
	}
	if (c->in >= 0)
		drop(&c->in);
}

static void read_some(struct child_job *c)
{
	char some[4096];

	while (c->out >= 0) {
		ssize_t n = read(c->out, some, sizeof(some));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			drop(&c->out);
			return;
		}
		size_t room = c->answer.max - c->answer.len;
		buf_add(&c->answer, some, (size_t)n < room ? (size_t)n : room > 1 ? room - 1 : 0);
	}
}

static void say_end(struct child_job *c, int status, struct response *ret)
{
	*ret = (struct response){ .sent = c->written > 0, .body = buf_view(&c->answer) };
	if (c->timed_out) {
		ret->transport = TRANSPORT_TIMEOUT;
		ret->why = TR("the program did not end in its time", "程序未在限定时间内结束");
	} else {
		ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

bool child_step(struct child_job *c, struct response *ret)
{
	int status;

	write_some(c);
	read_some(c);
	if (!c->timed_out && time_mono() >= c->deadline) {
		c->timed_out = true;
		kill(-c->pid, SIGKILL);
	}
	int pid = waitpid(c->pid, &status, WNOHANG);
	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	read_some(c);
	c->pid = 0;
	say_end(c, pid < 0 ? 0x7f00 : status, ret);
	return true;
}

int child_polls(const struct child_job *c, struct pollfd *ret)
{
	int n = 0;

	if (c->in >= 0)
		ret[n++] = (struct pollfd){ c->in, POLLOUT, 0 };
	if (c->out >= 0)
		ret[n++] = (struct pollfd){ c->out, POLLIN, 0 };
	if (c->pidfd >= 0)
		ret[n++] = (struct pollfd){ c->pidfd, POLLIN, 0 };
	return n;
}

int64_t child_deadline(const struct child_job *c)
{
	return c->deadline;
}

void child_free(struct child_job *c)
{
	if (!c)
		return;
	if (c->pid > 0) {
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	fd_close(c->in);
	fd_close(c->out);
	fd_close(c->pidfd);
	buf_free(&c->answer);
	mem_free(c);
}
