#include "run/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"

bool terminal_foreground(struct terminal *t)
{
	if (t->tty == -2)
		t->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	return t->tty >= 0 && tcgetpgrp(t->tty) == getpgrp();
}

bool terminal_give(struct terminal *t)
{
	t->wanted = true;
	if (!t->given && terminal_foreground(t))
		t->given = tcsetpgrp(t->tty, t->group) == 0;
	return t->given;
}

void terminal_take(struct terminal *t)
{
	/* SIGTTOU is blocked, so this works from the background. Somebody else may have taken it: then not. */
	if (t->given && tcgetpgrp(t->tty) == t->group)
		tcsetpgrp(t->tty, getpgrp());
	t->given = false;
}

void terminal_close(struct terminal *t)
{
	terminal_take(t);
	fd_close(t->tty);
	t->tty = -1;
}

void terminal_stop_self(int sig, bool whole)
{
	sigset_t one, old;

	sigemptyset(&one);
	sigaddset(&one, sig);
	sigprocmask(SIG_UNBLOCK, &one, &old);
	kill(whole ? 0 : getpid(), sig);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* ---- pty ---- */

static const int std_fds[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };

void pty_resize(struct pty *p)
{
	struct winsize ws;

	for (size_t i = 0; p->master >= 0 && i < ARRAY_LEN(std_fds); i++)
		if (ioctl(std_fds[i], TIOCGWINSZ, &ws) == 0 && ws.ws_col) {
			ioctl(p->master, TIOCSWINSZ, &ws);
			return;
		}
}

static unsigned short size_said(const char *text, unsigned short otherwise)
{
	int64_t n;

	return text && span_int(span_of(text), &n) && n > 0 && n <= UINT16_MAX ? (unsigned short)n : otherwise;
}

static void slave_modes(int slave)
{
	struct winsize ws = { .ws_row = 24, .ws_col = 80 };
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &t) == 0 || tcgetattr(STDOUT_FILENO, &t) == 0) {
		tcsetattr(slave, TCSANOW, &t);
	} else if (tcgetattr(slave, &t) == 0) {
		t.c_oflag &= ~(tcflag_t)ONLCR; /* nobody's terminal: a newline in a log stays a newline */
		t.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(slave, TCSANOW, &t);
	}
	ws.ws_col = size_said(getenv("COLUMNS"), ws.ws_col);
	ws.ws_row = size_said(getenv("LINES"), ws.ws_row);
	ioctl(slave, TIOCSWINSZ, &ws);
}

int pty_open(struct pty *p, int *ret_slave, struct err *e)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[128];

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0) {
		int code = errno;
		fd_close(master);
		return err_set(e, code, TR("open a terminal for the command: %m", "无法为命令打开伪终端：%m"));
	}
	int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0) {
		int code = errno;
		fd_close(master);
		return err_set(e, code, TR("open the terminal '%s': %m", "无法打开伪终端“%s”：%m"), name);
	}
	slave_modes(slave);
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	*p = (struct pty){ .master = master, .in = -1 };
	if (isatty(STDIN_FILENO)) {
		p->in = open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (p->in < 0)
			p->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	}
	pty_resize(p);
	*ret_slave = slave;
	return 0;
}

static void typed_flush(struct pty *p)
{
	while (p->at < p->len) {
		ssize_t n = write(p->master, p->data + p->at, p->len - p->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		p->at += (size_t)n;
	}
	bool full = p->at < p->len;
	loop_fd_events(p->loop, p->watch, full ? 0 : EPOLLIN, NULL);
	if (p->out)
		loop_fd_events(p->loop, p->out, full ? EPOLLOUT : 0, NULL);
}

static void master_writable(void *ctx, int fd, uint32_t events)
{
	typed_flush(ctx);
}

/*
 * The command leads a session, so its group counts as orphaned and SIGTSTP cannot stop it: the suspend
 * character is then ours to act on. Where a shell in there runs jobs of its own, it is passed on.
 */
static bool is_suspend(const struct pty *p, const char *typed, size_t n)
{
	struct termios t;

	if (tcgetattr(p->master, &t) < 0 || !(t.c_lflag & ISIG) || t.c_cc[VSUSP] == _POSIX_VDISABLE)
		return false;
	return memchr(typed, t.c_cc[VSUSP], n) && tcgetpgrp(p->master) == p->group;
}

static void typed_ready(void *ctx, int fd, uint32_t events)
{
	struct pty *p = ctx;
	ssize_t n = read(fd, p->data, sizeof(p->data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* hung up, or we are in the background: pty_resume listens again */
		loop_fd_events(p->loop, p->watch, 0, NULL);
		return;
	}
	if (is_suspend(p, p->data, (size_t)n)) {
		p->suspend(p->ctx);
		return;
	}
	p->at = 0;
	p->len = (size_t)n;
	typed_flush(p);
}

void pty_pause(struct pty *p)
{
	if (p->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &p->saved);
	p->raw = false;
}

void pty_resume(struct pty *p)
{
	struct termios raw;

	if (p->in < 0 || p->raw || tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &p->saved) < 0)
		return;
	raw = p->saved;
	cfmakeraw(&raw);
	p->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
	if (p->watch)
		loop_fd_events(p->loop, p->watch, EPOLLIN, NULL);
}

int pty_start(struct pty *p, struct loop *l, struct err *e)
{
	p->loop = l;
	if (p->in < 0)
		return 0;
	int r = loop_fd(l, p->in, EPOLLIN, typed_ready, p, &p->watch, e);
	if (r == 0)
		r = loop_fd(l, p->master, 0, master_writable, p, &p->out, e);
	if (r == 0)
		pty_resume(p);
	return r;
}

void pty_close(struct pty *p)
{
	if (p->master < 0)
		return;
	pty_pause(p);
	loop_remove(p->loop, p->watch);
	loop_remove(p->loop, p->out);
	fd_close(p->in);
	fd_close(p->master);
	*p = (struct pty){ .master = -1, .in = -1 };
}
