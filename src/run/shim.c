#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "run/gocmd.h"
#include "run/run.h"
#include "run/shim.h"

/*
 * The nested call: this program, found in PATH by the name `go`. It starts the real go and must not be
 * noticed: same words, environment, descriptors, signals and status. Nothing of the rest of the program
 * is started up for it.
 */

/* ---- packets ---- */

void shim_packet_start(struct shim_packet *p, enum shim_kind kind)
{
	memset(&p->m, 0, sizeof(p->m));
	memcpy(p->m.magic, SHIM_MAGIC, sizeof(p->m.magic));
	p->m.kind = (uint8_t)kind;
	p->m.mono = time_mono();
	p->len = 0;
}

bool shim_packet_word(struct shim_packet *p, const char *word)
{
	size_t n = strlen(word) + 1;

	if (n > sizeof(p->text) - p->len)
		return false;
	memcpy(p->text + p->len, word, n);
	p->len += n;
	p->m.words++;
	return true;
}

bool shim_send(int fd, const struct shim_packet *p)
{
	struct iovec v[2] = { { (void *)&p->m, sizeof(p->m) }, { (void *)p->text, p->len } };
	struct msghdr h = { .msg_iov = v, .msg_iovlen = 2 };

	return sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

int shim_connect(const char *name, size_t n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timespec moment = { 0, 2 * NSEC_PER_MSEC };

	if (!n || n >= sizeof(a.sun_path))
		return -EINVAL;
	memcpy(a.sun_path + 1, name, n); /* abstract: it ends with its owner */
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	for (int left = 5;; left--) {
		if (connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0)
			return fd;
		if (errno != EAGAIN || !left)
			break;
		nanosleep(&moment, NULL); /* more calls wait there than the kernel queues */
	}
	int code = errno;
	close(fd);
	return -code;
}

/* ---- which go, which command ---- */

static bool is_help(const char *w)
{
	return !strcmp(w, "-h") || !strcmp(w, "-help") || !strcmp(w, "--help");
}

size_t shim_matters(char *const *argv)
{
	static const char *const subs[] = { "build", "test", "vet", "run", "generate", "install", "get", "mod", "work", "tool" };
	size_t at = 1, i = 0;

	if (!argv[0] || !argv[1])
		return 0;
	if ((!strcmp(argv[1], "-C") || !strcmp(argv[1], "--C")) && argv[2])
		at = 3;
	else if (!strncmp(argv[1], "-C=", 3) || !strncmp(argv[1], "--C=", 4))
		at = 2;
	if (!argv[at])
		return 0;
	while (i < ARRAY_LEN(subs) && strcmp(argv[at], subs[i]))
		i++;
	if (i == ARRAY_LEN(subs))
		return 0;
	for (i = at + 1; argv[i] && argv[i][0] == '-'; i++) {
		if (is_help(argv[i])) /* scripts ask so whether a flag is known; its status is 2 */
			return 0;
	}
	if (!strcmp(argv[at], "tool"))
		return argv[i] && !strcmp(argv[i], "vet") ? at : 0;
	return at;
}

/* Another copy of ours, of another version or user: …/tocsin/shim/go or …/tocsin-UID/shim/go. */
static bool is_shim_path(struct span path)
{
	if (!span_ends(path, S("/shim/go")))
		return false;
	return span_starts(path_base(span_head(path, path.n - 8)), S("tocsin"));
}

static bool is_listed(const struct stat *st, const struct file_id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ids[i].dev == st->st_dev && ids[i].ino == st->st_ino)
			return true;
	}
	return false;
}

/* The part of PATH behind our folder (absent: there is none); all of it when we were called by our whole name. */
static struct span path_behind(struct span path, struct span own)
{
	struct span rest = path;

	while (rest.n) {
		bool last = span_chr(rest, ':') == SPAN_NONE;
		if (span_eq(span_cut(&rest, ':'), own))
			return last ? (struct span){ 0 } : rest;
	}
	return path;
}

int shim_find_go(const char *path, const char *own, size_t own_n, const struct file_id *not_these, size_t n_not, char ret[PATH_MAX])
{
	struct span rest = path_behind(span_of(path ? path : "/bin:/usr/bin"), (struct span){ own, own_n });
	struct stat st;
	int result = ENOENT;

	for (bool more = rest.p; more;) {
		more = span_chr(rest, ':') != SPAN_NONE;
		struct span dir = span_cut(&rest, ':'); /* an empty one is the current directory */
		int n = snprintf(ret, PATH_MAX, "%.*s%sgo", SPAN_ARG(dir), dir.n ? "/" : "./");
		if (n < 0 || n >= PATH_MAX || stat(ret, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (is_listed(&st, not_these, n_not) || is_shim_path((struct span){ ret, (size_t)n }))
			continue;
		if (access(ret, X_OK) == 0)
			return 0;
		result = EACCES;
	}
	return result;
}

/*
 * A version manager that stands in PATH as `go` and looks for "the other go" finds us again, and we would
 * find it: for ever. So when what we start is no go of a GOROOT, the environment says who started what:
 * PID:DEVICE:INODE,… Below that process, directly, this file was meant to be passed.
 */
#define PAST "TOCSIN_PAST"
#define PAST_MAX 8

static size_t past_read(struct file_id *ids)
{
	const char *at = getenv(PAST);
	int line[4] = { getpid() };
	size_t n = 0;

	if (!at)
		return 0;
	for (size_t i = 1; i < ARRAY_LEN(line) && line[i - 1] > 1; i++)
		line[i] = callers_parent(line[i - 1]);
	for (; at && *at && n < PAST_MAX; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		struct span rest = span_of(at), one = span_cut(&rest, ',');
		int64_t pid, dev, ino;
		if (!span_int(span_cut(&one, ':'), &pid) || !span_int(span_cut(&one, ':'), &dev) || !span_int(one, &ino))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(line); i++) {
			if (pid == line[i]) {
				ids[n++] = (struct file_id){ (dev_t)dev, (ino_t)ino };
				break;
			}
		}
	}
	return n;
}

/* Is it bin/go of a folder with a VERSION file? */
static bool is_goroot(const char *path)
{
	char link[32], real[PATH_MAX + 16];
	int fd = open(path, O_PATH | O_CLOEXEC);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = fd < 0 ? -1 : readlink(link, real, PATH_MAX - 1);
	fd_close(fd);
	if (n < 0 || !span_ends((struct span){ real, (size_t)n }, S("/bin/go")))
		return false;
	memcpy(real + n - 6, "VERSION", sizeof("VERSION"));
	return access(real, F_OK) == 0;
}

static void past_write(const char *path)
{
	const char *before = getenv(PAST);
	char text[512];
	struct stat st;

	if (is_goroot(path) || stat(path, &st) < 0)
		return;
	int n = snprintf(text, sizeof(text), "%d:%lld:%lld%s%s", getpid(), (long long)st.st_dev, (long long)st.st_ino,
			 before ? "," : "", before ? before : "");
	if (n > 0 && n < (int)sizeof(text))
		setenv(PAST, text, 1);
}

/* ---- starting the real one ---- */

static void say(const char *what, int code)
{
	const char *why = code ? strerror(code) : "";

	lang_now = lang_pick(NULL);
	dprintf(2, "%s: %s%s\n", "go", what, why);
}

static void cannot(int code)
{
	if (code == ENOENT)
		say(TR("command not found", "未找到命令"), 0);
	else
		say("", code);
	_exit(code == ENOENT ? 127 : 126);
}

/* What a shell does with a file that the kernel cannot read as a program. */
static char **argv_for_sh(const char *path, char **argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	char **to = mem_alloc((n + 3) * sizeof(*to));
	if (!to)
		cannot(ENOMEM);
	to[0] = (char *)"sh";
	to[1] = (char *)path;
	for (size_t i = 1; i <= n; i++)
		to[i + 1] = argv[i];
	return to;
}

static void become(const char *path, char **argv)
{
	execve(path, argv, environ);
	if (errno == ENOEXEC)
		execve("/bin/sh", argv_for_sh(path, argv), environ);
	cannot(errno);
}

struct shim {
	const char *path;
	char **argv, **run_argv; /* as it was called; as the real one is */
	pid_t self, child;
	bool left_group;         /* signals to the group reach the real go and not us */
	int stop_passed;         /* the stop signal that we passed on */
	int fd[SHIM_LEVELS], run_pid[SHIM_LEVELS];
	size_t n_fd;
	int64_t began;
	sigset_t old, all;
	struct sigaction old_chld;
};

static struct shim_packet packet; /* static: a page of it is touched, not eight cleared */

static pid_t start_real(struct shim *s, const char *path, char **argv)
{
	volatile int failed = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* kill -9 of us means the real one */
		if (getppid() != s->self && getppid() != 0) /* 0: `unshare -p` made it the first in a pid namespace */
			_exit(127);
		sigaction(SIGCHLD, &s->old_chld, NULL);
		sigprocmask(SIG_SETMASK, &s->old, NULL);
		execve(path, argv, environ);
		failed = errno;
		_exit(127);
	}
	if (pid > 0 && failed) {
		waitpid(pid, NULL, 0);
		errno = failed;
		return -1;
	}
	return pid;
}

static void connect_runs(struct shim *s, const char *names)
{
	struct span rest = span_of(names);
	int64_t number;

	while (rest.n && s->n_fd < SHIM_LEVELS) {
		struct span name = span_cut(&rest, ','), pid = name;
		int fd = shim_connect(name.p, name.n);
		if (fd < 0)
			continue;
		s->fd[s->n_fd] = fd;
		s->run_pid[s->n_fd++] = span_skip(&pid, S("tocsin-")) && span_int(span_cut(&pid, '-'), &number) ? (int)number : 0;
	}
}

static void tell_start(struct shim *s, const char *names)
{
	char cwd[PATH_MAX], platform[128];
	const char *os = getenv("GOOS"), *arch = getenv("GOARCH"), *allow = getenv("TOCSIN_ALLOW");

	shim_packet_start(&packet, SHIM_START);
	s->began = packet.m.mono;
	packet.m.flags = allow && !strcmp(allow, "1") ? SHIM_ALLOW : 0;
	snprintf(platform, sizeof(platform), "%s/%s", os ? os : "", arch ? arch : "");
	if (!shim_packet_word(&packet, names))
		shim_packet_word(&packet, "");
	shim_packet_word(&packet, getcwd(cwd, sizeof(cwd)) ? cwd : "");
	shim_packet_word(&packet, platform);
	for (char **a = s->argv; *a; a++) {
		if (!shim_packet_word(&packet, a == s->argv ? "go" : *a)) {
			packet.m.flags |= SHIM_CUT;
			break;
		}
	}
	for (size_t i = 0; i < s->n_fd; i++)
		shim_send(s->fd[i], &packet);
}

static void tell_caller(struct shim *s)
{
	static struct callers who;

	callers_read(s->self, s->run_pid, s->n_fd, &who);
	shim_packet_start(&packet, SHIM_CALLER);
	packet.m.pid = s->child;
	shim_packet_word(&packet, who.script);
	for (size_t i = 0; i < s->n_fd; i++) {
		packet.m.flags = who.test_at < who.run_at[i] ? SHIM_BELOW_TEST : 0;
		shim_send(s->fd[i], &packet);
	}
}

static void tell_end(struct shim *s, int code, int sig)
{
	shim_packet_start(&packet, SHIM_END);
	packet.m.code = code;
	packet.m.sig = sig;
	for (size_t i = 0; i < s->n_fd; i++)
		shim_send(s->fd[i], &packet);
}

/* ---- --panics ---- */

static void tell_note(struct shim *s, const char *version, const char *text)
{
	const char *record = getenv("TOCSIN_PANICS");

	shim_packet_start(&packet, SHIM_NOTE);
	shim_packet_word(&packet, record ? record : "");
	shim_packet_word(&packet, version);
	shim_packet_word(&packet, text);
	for (size_t i = 0; i < s->n_fd; i++)
		shim_send(s->fd[i], &packet);
}

static void on_slow(void *ctx, const char *version)
{
	tell_note(ctx, version, "");
}

/* What a test calls it calls on purpose, and may look at the output. */
static bool is_below_test(const struct shim *s)
{
	static struct callers who;
	bool below = true;

	callers_read(getpid(), s->run_pid, s->n_fd, &who);
	for (size_t i = 0; i < s->n_fd; i++)
		below &= who.test_at < who.run_at[i];
	return below;
}

/* The outer run was asked to make panics visible: so it is in what we start. */
static void add_overlay(struct shim *s)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, old;
	const char *record = getenv("TOCSIN_PANICS");
	struct arena mem = { 0 }; /* lives as long as we do */
	struct err e;

	if (!record || !*record || is_below_test(s))
		return;
	lang_now = lang_pick(NULL);
	sigaction(SIGCHLD, &dfl, &old); /* inherited as ignored, go build would lose its status */
	if (overlay_nested(&mem, s->path, s->argv, record, on_slow, s, &s->run_argv, &e) < 0)
		tell_note(s, "", e.msg);
	sigaction(SIGCHLD, &old, NULL);
}

/* ---- while it runs ---- */

/* A pipe that only the real one should hold must not stay open by us. */
static void let_go_of_files(const struct shim *s)
{
	unsigned from = 0;

	for (size_t i = 0; i < s->n_fd; i++) { /* they were opened in ascending order */
		if ((unsigned)s->fd[i] > from)
			close_range(from, (unsigned)s->fd[i] - 1, 0);
		from = (unsigned)s->fd[i] + 1;
	}
	close_range(from, ~0u, 0);
}

/*
 * In a script our group is the script's: what is sent to it reaches the real go by itself, so we leave, and
 * what still reaches us was meant for us alone. Under job control the group is ours, and we stay in it.
 */
static bool leave_group(const struct shim *s)
{
	pid_t group = getpgrp();

	return group != s->self && getpgid(getppid()) == group && setpgid(0, 0) == 0;
}

static bool is_from_terminal(const siginfo_t *si)
{
	static const int typed[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SIGHUP, SIGCONT };

	for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
		if (si->si_signo == typed[i])
			return si->si_code == SI_KERNEL;
	}
	return false;
}

static void pass_on(struct shim *s, const siginfo_t *si)
{
	int sig = si->si_signo;

	if (!s->left_group && is_from_terminal(si))
		return; /* the whole group has it */
	if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		s->stop_passed = sig;
	kill(s->child, sig);
}

/* The real go is stopped: whoever watches us has to see that. */
static void stop_too(struct shim *s, int sig)
{
	sigset_t now;

	if (s->left_group && sig != s->stop_passed)
		return; /* by a signal to the group, as whoever called us */
	s->stop_passed = 0;
	sigpending(&now);
	if (sigismember(&now, SIGCONT))
		return;
	sigemptyset(&now);
	sigaddset(&now, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &now, NULL); /* here we stop */
	sigprocmask(SIG_BLOCK, &now, NULL);
	kill(s->child, SIGCONT);
}

static void die_of(int sig)
{
	struct rlimit none = { 0, 0 };
	sigset_t one;

	prctl(PR_SET_DUMPABLE, 0); /* the core is the real one's */
	setrlimit(RLIMIT_CORE, &none);
	signal(sig, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	_exit(128 + sig);
}

static void look_after(struct shim *s)
{
	siginfo_t si = { 0 };

	if (waitid(P_PID, (id_t)s->child, &si, WEXITED | WSTOPPED | WNOHANG) < 0)
		_exit(125); /* cannot be: it is our child, and nobody else waits for it */
	if (si.si_pid == 0)
		return;
	if (si.si_code == CLD_STOPPED) {
		stop_too(s, si.si_status);
		return;
	}
	bool exited = si.si_code == CLD_EXITED;
	tell_end(s, exited ? si.si_status : 0, exited ? 0 : si.si_status);
	if (!exited)
		die_of(si.si_status);
	_exit(si.si_status);
}

static void supervise_real(struct shim *s)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	sigfillset(&s->all);
	sigaction(SIGCHLD, &dfl, &s->old_chld); /* inherited as ignored, it would lose us the status */
	sigprocmask(SIG_SETMASK, &s->all, &s->old);
	s->self = getpid();
	s->child = start_real(s, s->path, s->run_argv);
	if (s->child < 0 && errno == ENOEXEC)
		s->child = start_real(s, "/bin/sh", argv_for_sh(s->path, s->run_argv));
	if (s->child < 0) {
		int code = errno;
		sigaction(SIGCHLD, &s->old_chld, NULL);
		sigprocmask(SIG_SETMASK, &s->old, NULL);
		if (code == EAGAIN || code == ENOMEM)
			become(s->path, s->run_argv); /* no second process: then as if we were not */
		tell_end(s, 126, 0);
		cannot(code);
	}
	let_go_of_files(s);
	s->left_group = leave_group(s);
	tell_caller(s);
	for (;;) {
		siginfo_t si;
		look_after(s);
		if (sigwaitinfo(&s->all, &si) > 0 && si.si_signo != SIGCHLD)
			pass_on(s, &si);
	}
}

void shim_main_if_called(int argc, char **argv)
{
	const char *called = (const char *)getauxval(AT_EXECFN), *names, *off; /* argv[0] is only what it was told */
	static char path[PATH_MAX];
	struct shim s = { .argv = argv, .run_argv = argv, .path = path };
	struct file_id not_these[PAST_MAX + 1];
	struct stat self;

	if (!called || argc < 1 || !span_eq(path_base(span_of(called)), S("go")))
		return;
	if (stat("/proc/self/exe", &self) < 0 && stat(called, &self) < 0)
		cannot(errno);
	struct span dir = path_dir(span_of(called));
	not_these[0] = (struct file_id){ self.st_dev, self.st_ino };
	int r = shim_find_go(getenv("PATH"), dir.p, dir.n, not_these, 1 + past_read(not_these + 1), path);
	if (r)
		cannot(r);
	past_write(path);
	names = getenv("TOCSIN_RUN");
	off = getenv("TOCSIN_SHIM");
	if (!names || (off && !strcmp(off, "off")) || !shim_matters(argv))
		become(path, argv);
	connect_runs(&s, names);
	if (!s.n_fd)
		become(path, argv);
	tell_start(&s, names);
	add_overlay(&s);
	supervise_real(&s);
}

int allow_exec(const struct argv *cmd, struct err *e)
{
	if (cmd->n == 0) {
		err_set(e, EINVAL, TR("allow: no command", "allow：没有命令"));
		return 2;
	}
	if (setenv("TOCSIN_ALLOW", "1", 1) < 0) {
		err_set(e, errno, TR("allow: %m", "allow：%m"));
		return 125;
	}
	execvp(cmd->v[0], (char *const *)cmd->v);
	int code = errno;
	bool there = strchr(cmd->v[0], '/') && access(cmd->v[0], F_OK) == 0;
	if (code == ENOENT && !there) {
		err_set(e, code, TR("cannot run '%s': there is no such command", "无法运行“%s”：没有这个命令"), cmd->v[0]);
		return 127;
	}
	if (code == ENOENT)
		err_set(e, code, TR("cannot run '%s': its interpreter or loader is missing", "无法运行“%s”：缺少其解释器或加载器"), cmd->v[0]);
	else
		err_set(e, code, TR("cannot run '%s': %m", "无法运行“%s”：%m"), cmd->v[0]);
	return code == ENOENT ? 127 : 126;
}
