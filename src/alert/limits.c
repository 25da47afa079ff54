#include "alert/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/siphash.h"
#include "base/time.h"

#define PREFIX "tocsin-robot-"
#define WINDOW (61 * NSEC_PER_SEC) /* a minute, and what two clocks and the network may differ by */
#define SENT_MAX 128               /* of which the last minute's times are kept */
#define BLOCK_MAX (3600 * NSEC_PER_SEC)

#define PLACES_OTHERS 64           /* users of this machine that are listened to */
#define NOBODY 65534               /* whoever is not known in a user namespace, such as a service's */
#define OTHERS_MAX (600 * NSEC_PER_SEC) /* what they say holds nobody back for longer: one may lie */

struct limits {
	struct buf dir;     /* the user's own */
	const char *shared; /* where all users of this machine write, each a file of its own; NULL: there is no such place */
};

/* What stands in the file: wall ns; a time that is to come (a clock was wrong) counts for nothing. */
struct robot {
	int64_t blocked_until;
	int64_t sent[SENT_MAX]; /* 0: free */
	int64_t held_since;     /* by what other users say; 0: it is not */
};

/* Made by the system, for everybody, and nobody takes another's file away. The same for all users; a private /tmp would not be. */
static const char *shared_place(void)
{
	static const char *const places[] = { "/dev/shm", "/run/lock", "/var/tmp" };
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (lstat(places[i], &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0 && (st.st_mode & 01777) == 01777 && access(places[i], W_OK) == 0)
			return places[i];
	}
	return NULL;
}

/* Ours that say nothing any more. */
static void forget_old(const struct limits *l)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	DIR *d = l->shared ? opendir(l->shared) : NULL;
	const struct dirent *f;
	struct stat st;

	while (d && (f = readdir(d))) {
		if (strncmp(f->d_name, PREFIX, sizeof(PREFIX) - 1) != 0)
			continue;
		path.len = 0;
		buf_addf(&path, "%s/%s", l->shared, f->d_name);
		if (!path.bad && lstat(path.p, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_mtime < time_wall() / NSEC_PER_SEC - 2 * 3600)
			unlink(path.p);
	}
	if (d)
		closedir(d);
}

int limits_open(const char *dir, struct limits **ret, struct err *e)
{
	struct limits *l = mem_zalloc(sizeof(*l));
	int r = l ? 0 : err_set(e, ENOMEM, TR("out of memory", "内存不足"));

	if (r == 0 && dir)
		buf_adds(&l->dir, dir);
	else if (r == 0)
		r = path_user_dir("XDG_STATE_HOME", ".local/state", &l->dir, e);
	if (r == 0) {
		buf_adds(&l->dir, "/limits");
		r = l->dir.bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : path_mkdirs(l->dir.p, 0700, e);
	}
	if (r < 0) {
		limits_close(l);
		return r;
	}
	if (!dir) {
		l->shared = shared_place();
		forget_old(l);
	}
	*ret = l;
	return 0;
}

void limits_close(struct limits *l)
{
	if (!l)
		return;
	buf_free(&l->dir);
	mem_free(l);
}

uint64_t limits_robot(const char *type, struct span url)
{
	static const unsigned char key[16] = "tocsin robot 1";
	CLEANUP(buf_free) struct buf b = { 0 };
	unsigned char sum[16];
	uint64_t v = 0;

	buf_need(&b, strlen(type) + url.n + 2);
	buf_adds(&b, type);
	buf_addc(&b, ' ');
	buf_span(&b, url);
	siphash128(key, buf_view(&b), sum);
	if (b.p)
		explicit_bzero(b.p, b.len);
	for (int i = 0; i < 8; i++)
		v = v << 8 | sum[i];
	return v;
}

static void robot_path(const struct limits *l, uint64_t id, const char *shared, struct buf *ret)
{
	if (shared)
		buf_addf(ret, "%s/" PREFIX "%016llx-%u", shared, (unsigned long long)id, (unsigned)geteuid());
	else
		buf_addf(ret, "%s/%016llx", l->dir.p, (unsigned long long)id);
}

static bool is_own(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid();
}

/* For who counts nothing and only asks whether it has refused some: its file is mostly not there. */
static void robot_look(const struct limits *l, uint64_t id, struct robot *ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	*ret = (struct robot){ 0 };
	if (!l)
		return;
	robot_path(l, id, l->shared, &path);
	int fd = path.bad ? -1 : open(path.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	if (!is_own(fd)) {
		fd_close(fd);
		return;
	}
	if (pread(fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret))
		*ret = (struct robot){ 0 };
	fd_close(fd);
}

/* A file that is there is opened as such: where everybody may write, the kernel refuses to make one that is another's. */
static int file_open(const struct limits *l, uint64_t id, const char *shared)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	robot_path(l, id, shared, &path);
	if (path.bad)
		return -1;
	int fd = open(path.p, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT) {
		fd = open(path.p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno == EEXIST)
			fd = open(path.p, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		else if (fd >= 0 && shared)
			fchmod(fd, 0644); /* to be read by the others: it holds times only */
	}
	if (fd >= 0 && !is_own(fd)) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

/* Locked until it is closed; -1: not to be had. */
static int robot_open(const struct limits *l, uint64_t id, struct robot *ret)
{
	*ret = (struct robot){ 0 };
	if (!l)
		return -1;
	int fd = file_open(l, id, l->shared);
	if (fd < 0 && l->shared)
		fd = file_open(l, id, NULL);
	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR) {
			fd_close(fd);
			return -1;
		}
	}
	if (pread(fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret))
		*ret = (struct robot){ 0 };
	return fd;
}

static void robot_close(int fd, const struct robot *r, bool changed)
{
	if (fd < 0)
		return;
	if (changed && pwrite(fd, r, sizeof(*r), 0) != (ssize_t)sizeof(*r) && ftruncate(fd, 0) < 0)
		errno = EIO; /* a full disk: what cannot be counted is counted by the robot itself */
	fd_close(fd);
}

/* More than there is room for in a minute are counted over a shorter time. */
static int64_t window_of(int *per_minute)
{
	int64_t window = WINDOW;

	if (*per_minute >= SENT_MAX) {
		window = WINDOW / *per_minute * (SENT_MAX - 1);
		*per_minute = SENT_MAX - 1;
	}
	return window;
}

static bool counts(int64_t at, int64_t now, int64_t window)
{
	return at && at > now - window && at <= now + WINDOW;
}

/* How many went in the window; *oldest: the first of them, *slot: a free place. */
static int in_window(const struct robot *r, int64_t now, int64_t window, int64_t *oldest, int *slot)
{
	int n = 0;

	*oldest = now;
	*slot = 0;
	for (int i = 0; i < SENT_MAX; i++) {
		if (!counts(r->sent[i], now, window)) {
			*slot = i;
			continue;
		}
		n++;
		if (r->sent[i] < *oldest)
			*oldest = r->sent[i];
	}
	return n;
}

static int64_t blocked(const struct robot *r, int64_t now)
{
	return r->blocked_until > now && r->blocked_until <= now + BLOCK_MAX ? r->blocked_until - now : 0;
}

/* ---- the other users ---- */

struct others {
	int n;           /* that went in the window */
	int64_t oldest;  /* of them; wall */
	int64_t blocked; /* ns, for how long the robot says that it is not to be called */
};

/* A file is its owner's only, whose number is in its name. Nothing in it is believed but times of the last minutes. */
static void hear_one(int dir, const char *name, const char *uid, int64_t now, int64_t window, struct others *ret)
{
	CLEANUP(fd_close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	struct robot r;
	int64_t owner, oldest;
	int slot;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !span_int(span_of(uid), &owner) ||
	    (owner != (int64_t)st.st_uid && st.st_uid != NOBODY) || owner == (int64_t)geteuid() ||
	    pread(fd, &r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return;
	int n = in_window(&r, now, window, &oldest, &slot);
	int64_t wait = blocked(&r, now);
	if (n && (!ret->n || oldest < ret->oldest))
		ret->oldest = oldest;
	ret->n += n;
	wait = wait < OTHERS_MAX ? wait : OTHERS_MAX;
	ret->blocked = wait > ret->blocked ? wait : ret->blocked;
}

static struct others hear_others(const struct limits *l, uint64_t robot, int64_t now, int64_t window)
{
	struct others o = { 0 };
	char start[sizeof(PREFIX) + 20];
	DIR *d = l && l->shared ? opendir(l->shared) : NULL;
	const struct dirent *f;
	int most = PLACES_OTHERS;

	int n = snprintf(start, sizeof(start), PREFIX "%016llx-", (unsigned long long)robot);
	while (d && most && (f = readdir(d))) {
		if (strncmp(f->d_name, start, (size_t)n) != 0)
			continue;
		hear_one(dirfd(d), f->d_name, f->d_name + n, now, window, &o);
		most--;
	}
	if (d)
		closedir(d);
	return o;
}

/* How long the others make us wait. What they say counts for ten minutes at a time. */
static int64_t wait_for_others(const struct robot *r, const struct others *o, int own, int per_minute, int64_t now, int64_t window)
{
	if (r->held_since && (now - r->held_since > OTHERS_MAX || r->held_since > now))
		return 0;
	if (o->blocked)
		return o->blocked;
	if (!o->n || own + o->n < per_minute)
		return 0;
	return o->oldest + window - now > NSEC_PER_SEC ? o->oldest + window - now : NSEC_PER_SEC;
}

/* Counted first, then looked: of two users at once both may step back, but never both go over it. */
static int64_t claim(struct limits *l, uint64_t robot, int fd, struct robot *r, int slot, int own, int per_minute, int64_t now, int64_t window)
{
	struct others o;

	r->sent[slot] = now;
	if (fd < 0 || !l->shared || pwrite(fd, r, sizeof(*r), 0) != (ssize_t)sizeof(*r))
		return 0;
	o = hear_others(l, robot, now, window);
	int64_t wait = wait_for_others(r, &o, own, per_minute, now, window);
	if (wait) {
		r->sent[slot] = 0;
		r->held_since = r->held_since ? r->held_since : now;
	} else {
		r->held_since = 0;
	}
	return wait;
}

int64_t limits_take(struct limits *l, uint64_t robot, int per_minute, int64_t now)
{
	struct robot r;
	int64_t oldest;
	int slot;

	if (per_minute <= 0) {
		robot_look(l, robot, &r);
		return blocked(&r, now);
	}
	int fd = robot_open(l, robot, &r);
	int64_t wait = blocked(&r, now), window = window_of(&per_minute);
	int n = in_window(&r, now, window, &oldest, &slot);
	if (!wait && n >= per_minute)
		wait = oldest + window - now > 0 ? oldest + window - now : NSEC_PER_SEC;
	bool changed = !wait;
	if (!wait)
		wait = claim(l, robot, fd, &r, slot, n, per_minute, now, window);
	robot_close(fd, &r, changed);
	return wait;
}

int limits_free(struct limits *l, uint64_t robot, int per_minute, int64_t now)
{
	struct robot r;
	int64_t oldest;
	int slot;

	robot_look(l, robot, &r);
	if (blocked(&r, now))
		return 0;
	if (per_minute <= 0)
		return INT32_MAX;
	int64_t window = window_of(&per_minute);
	int n = in_window(&r, now, window, &oldest, &slot);
	struct others o = hear_others(l, robot, now, window);
	if (!r.held_since || now - r.held_since <= OTHERS_MAX)
		n += o.blocked ? per_minute : o.n;
	return per_minute > n ? per_minute - n : 0;
}

void limits_block(struct limits *l, uint64_t robot, int64_t until, int64_t now)
{
	struct robot r;
	int fd = robot_open(l, robot, &r);
	bool later = until > r.blocked_until || !blocked(&r, now);

	if (later)
		r.blocked_until = until;
	robot_close(fd, &r, later);
}
