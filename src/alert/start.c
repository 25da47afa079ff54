#include "alert/delivering.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

/* Starting a deliverer that outlives us, and waiting for what it does. */

#define GIVE_TIME (300 * NSEC_PER_MSEC)
#define SECRETS_FD 3

/* ---- its environment: only what is harmless and needed ---- */

static bool is_wanted(const char *v)
{
	static const char *const names[] = { "PATH=", "HOME=", "USER=", "LOGNAME=", "LANG=", "LANGUAGE=", "TZ=", "TMPDIR=", "SSL_CERT_FILE=", "SSL_CERT_DIR=", "CURL_CA_BUNDLE=",
		"CREDENTIALS_DIRECTORY=", "TOCSIN_LANG=", "TOCSIN_OUTBOX=", "http_proxy=", "https_proxy=", "HTTPS_PROXY=", "all_proxy=", "ALL_PROXY=", "no_proxy=", "NO_PROXY=",
		"DBUS_SESSION_BUS_ADDRESS=", "DISPLAY=" };

	if (!strncmp(v, "LC_", 3) || !strncmp(v, "XDG_", 4))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strncmp(v, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

/* Two CI systems end what a job leaves behind by these variables; the others go with the rest. */
static char **make_env(void)
{
	static char gone[] = "JENKINS_NODE_COOKIE=dontKillMe";
	size_t n = 0, k = 0;

	while (environ && environ[n])
		n++;
	char **env = mem_alloc((n + 2) * sizeof(*env));
	for (size_t i = 0; env && i < n; i++) {
		if (is_wanted(environ[i]))
			env[k++] = environ[i];
	}
	if (env) {
		env[k++] = gone;
		env[k] = NULL;
	}
	return env;
}

/* ---- the process ---- */

/* Between fork and exec: nothing that takes memory or locks. */
static void become(const char *outbox, char **env, int secrets)
{
	const char *const argv[] = { "tocsin", "deliver", "--outbox", outbox, "--idle", "10s", "--secrets-fd", "3", NULL };
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC); /* above 2, which are open in every process of ours */

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &act, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || (secrets == SECRETS_FD ? fcntl(secrets, F_SETFD, 0) : dup2(secrets, SECRETS_FD)) < 0)
		_exit(1);
	close_range(SECRETS_FD + 1, ~0U, 0);
	if (chdir("/") < 0)
		_exit(1);
	execve("/proc/self/exe", (char *const *)(const void *)argv, env);
	_exit(1);
}

static int detach(const char *outbox, char **env, int secrets, struct err *e)
{
	int pid = fork(), status = 0;

	if (pid < 0)
		return err_set(e, errno, TR("start the deliverer: %m", "启动投递进程：%m"));
	if (pid == 0) {
		setsid();
		int second = fork(); /* no leader of a session: it never gets a terminal */
		if (second == 0)
			become(outbox, env, secrets);
		_exit(second < 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : err_set(e, EAGAIN, TR("start the deliverer: %m", "启动投递进程：%m"));
}

/* All of it is in the pipe before anybody reads: nobody waits. */
static int fill_pipe(struct span text, int *ret, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, TR("a pipe to the deliverer: %m", "到投递进程的管道：%m"));
	if (text.n > 4096)
		fcntl(fds[1], F_SETPIPE_SZ, (int)text.n);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	ssize_t n = write(fds[1], text.p, text.n);
	int code = n < 0 ? errno : EFBIG;
	fd_close(fds[1]);
	if (n == (ssize_t)text.n) {
		*ret = fds[0];
		return 0;
	}
	fd_close(fds[0]);
	return err_set(e, code, TR("hand the secrets to the deliverer: %m", "把机密交给投递进程：%m"));
}

int deliver_start(const struct deliver_hand *h, struct err *e)
{
	struct buf hand = { 0 };
	struct err none;
	int fd = -1;

	int r = handover_make(h, &hand, e);
	if (r == 0 && handover_give(h->outbox, buf_view(&hand), GIVE_TIME, &none) < 0) {
		CLEANUP(mem_free) char **env = make_env();
		r = env ? fill_pipe(buf_view(&hand), &fd, e) : err_set(e, ENOMEM, TR("out of memory", "内存不足"));
		if (r == 0)
			r = detach(h->outbox, env, fd, e);
		fd_close(fd);
	}
	handover_wipe(&hand);
	return r;
}

#define ROOM_MIN (2 << 20)

/* Nobody else's, and with room. */
static bool is_fit(const char *dir, bool make)
{
	struct statvfs room;
	struct stat st;

	if (make && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return false;
	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077) && statvfs(dir, &room) == 0 &&
	       (!make || (uint64_t)room.f_bavail * room.f_frsize >= ROOM_MIN);
}

int deliver_stand_in(bool make, struct buf *ret, struct err *e)
{
	const char *const places[] = { getenv("TMPDIR"), "/tmp", getenv("XDG_RUNTIME_DIR"), "/dev/shm" };
	CLEANUP(buf_free) struct buf path = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!places[i] || places[i][0] != '/')
			continue;
		path.len = 0;
		buf_addf(&path, "%s/tocsin-%u", places[i], (unsigned)geteuid());
		if (path.bad || !is_fit(path.p, make))
			continue;
		buf_addc(&path, '/');
		buf_adds(&path, "outbox.db");
		if (path.bad || (!make && access(path.p, F_OK) < 0))
			continue;
		buf_span(ret, buf_view(&path));
		return ret->bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
	}
	return err_set(e, ENOENT, TR("there is no other place for the alerts", "没有其他地方可存放告警"));
}

void deliver_forewarn(const struct deliver_hand *h)
{
	struct buf hand = { 0 };
	struct err none;

	if (handover_make(h, &hand, &none) == 0)
		handover_give(h->outbox, buf_view(&hand), GIVE_TIME, &none);
	handover_wipe(&hand);
}

/* ---- waiting ---- */

struct looking {
	alert_fn *fn;
	void *ctx;
	int64_t until; /* wall */
	bool open, delivered;
};

static int look(void *ctx, const struct alert_row *a)
{
	struct looking *l = ctx;

	l->delivered = a->state == ALERT_DELIVERED;
	/* what failed once is tried again, and what is gathered is sent, but not within anybody's patience, unless that is long */
	l->open = a->state == ALERT_LEASED || (a->state == ALERT_PENDING && a->next_attempt <= l->until);
	return l->fn && !l->delivered ? l->fn(l->ctx, a) : 0;
}

static int count_open(struct store *s, const struct deliver_wait *w, int64_t until, size_t *open, struct err *e)
{
	int r = 0;

	*open = 0;
	for (size_t i = 0; i < w->n && r >= 0; i++) {
		struct looking l = { .until = until };
		r = outbox_get(s, w->ids[i], look, &l, e);
		*open += r == 0 && l.open;
	}
	return r;
}

int deliver_wait(struct store *outbox, const struct deliver_wait *w, alert_fn *fn, void *ctx, struct err *e)
{
	int64_t until = time_mono() + w->time_ns, wall = time_wall() + w->time_ns, pause = 5 * NSEC_PER_MSEC;
	size_t open = 0, missing = 0;

	for (;;) {
		int r = count_open(outbox, w, wall, &open, e);
		if (r < 0)
			return r;
		int64_t left = until - time_mono();
		if (!open || left <= 0 || (w->stopped && w->stopped(w->ctx)))
			break;
		pause = pause < 100 * NSEC_PER_MSEC ? pause * 3 / 2 : pause;
		int64_t ns = pause < left ? pause : left;
		nanosleep(&(struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC }, NULL);
	}
	for (size_t i = 0; i < w->n; i++) {
		struct looking l = { .fn = fn, .ctx = ctx };
		int r = outbox_get(outbox, w->ids[i], look, &l, e);
		if (r < 0)
			return r;
		missing += !l.delivered;
	}
	return (int)missing;
}
