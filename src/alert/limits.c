#include "alert/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/siphash.h"
#include "base/time.h"

#define WINDOW (61 * NSEC_PER_SEC) /* a minute, and what two clocks and the network may differ by */
#define SENT_MAX 128               /* of which the last minute's times are kept */
#define BLOCK_MAX (3600 * NSEC_PER_SEC)

struct limits {
	struct buf dir;
};

/* What stands in the file: wall ns; a time that is to come (a clock was wrong) counts for nothing. */
struct robot {
	int64_t blocked_until;
	int64_t sent[SENT_MAX]; /* 0: free */
};

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

/* Locked until it is closed; -1: not to be had. */
static int robot_open(const struct limits *l, uint64_t id, struct robot *ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	*ret = (struct robot){ 0 };
	if (!l)
		return -1;
	buf_addf(&path, "%s/%016llx", l->dir.p, (unsigned long long)id);
	int fd = path.bad ? -1 : open(path.p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
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

static bool counts(int64_t at, int64_t now)
{
	return at && at > now - WINDOW && at <= now + WINDOW;
}

/* How many went in the last minute; *oldest: the first of them, *slot: a free place. */
static int in_window(const struct robot *r, int64_t now, int64_t *oldest, int *slot)
{
	int n = 0;

	*oldest = now;
	*slot = 0;
	for (int i = 0; i < SENT_MAX; i++) {
		if (!counts(r->sent[i], now)) {
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

int64_t limits_take(struct limits *l, uint64_t robot, int per_minute, int64_t now)
{
	struct robot r;
	int fd = robot_open(l, robot, &r), slot;
	int64_t oldest, wait = blocked(&r, now);
	int n = in_window(&r, now, &oldest, &slot);

	if (!wait && per_minute > 0 && n >= (per_minute < SENT_MAX ? per_minute : SENT_MAX - 1))
		wait = oldest + WINDOW - now > 0 ? oldest + WINDOW - now : NSEC_PER_SEC;
	if (!wait)
		r.sent[slot] = now;
	robot_close(fd, &r, !wait && per_minute > 0);
	return wait;
}

int limits_free(struct limits *l, uint64_t robot, int per_minute, int64_t now)
{
	struct robot r;
	int fd = robot_open(l, robot, &r), slot;
	int64_t oldest;
	int n = in_window(&r, now, &oldest, &slot);

	robot_close(fd, &r, false);
	if (blocked(&r, now))
		return 0;
	return per_minute <= 0 ? INT32_MAX : per_minute > n ? per_minute - n : 0;
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
