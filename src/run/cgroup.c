#include "run/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"

#define PREFIX "tocsin-"
#define DEPTH_MAX 16
#define CLOSE_TRIES 20
#define CLOSE_NSEC 1000000
#define UNLIMITED (INT64_C(1) << 60) /* version 1 says "none" by a number near 2^63 */

static const struct hierarchy {
	int version;
	const char *below, *join, *events, *peak;
} hierarchies[] = {
	/* "tasks": one thread that moves itself waits for no lock; "cgroup.procs" may take 10 ms */
	{ 1, "/memory", "tasks", "memory.oom_control", "memory.max_usage_in_bytes" },
	{ 2, "", "cgroup.procs", "memory.events", "memory.peak" },
	{ 2, "/unified", "cgroup.procs", "memory.events", "memory.peak" },
};

/* ---- reading ---- */

struct span cgroup_path(struct span text, int version)
{
	while (text.n) {
		struct span line = span_cut(&text, '\n');
		span_cut(&line, ':');
		struct span names = span_cut(&line, ':');
		while (version == 1 && names.n)
			if (span_eq(span_cut(&names, ','), S("memory")))
				return line;
		if (version == 2 && !names.n && line.n && names.p)
			return line;
	}
	return (struct span){ 0 };
}

static int read_at(int dir, const char *name, struct buf *to)
{
	CLEANUP(fd_close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	buf_clear(to);
	if (fd < 0)
		return -errno;
	while (buf_need(to, 4096) && (n = read(fd, to->p + to->len, 4096)) > 0)
		to->len += (size_t)n;
	return to->bad ? -ENOMEM : n < 0 ? -errno : 0;
}

static int64_t number_at(int dir, const char *name)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	int64_t v;

	return read_at(dir, name, &b) == 0 && span_int(span_trim(buf_view(&b)), &v) ? v : -1;
}

static int pids_add(struct pids *l, int pid)
{
	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(pid)))
		return -ENOMEM;
	l->v[l->n++] = pid;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* One that moves from group to group meanwhile may have been met twice. */
static void pids_sort(struct pids *l)
{
	size_t kept = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_number);
	for (size_t i = 0; i < l->n; i++)
		if (!kept || l->v[kept - 1] != l->v[i])
			l->v[kept++] = l->v[i];
	l->n = kept;
}

bool pids_have(const struct pids *l, int pid)
{
	return l->n && bsearch(&pid, l->v, l->n, sizeof(*l->v), by_number);
}

void pids_free_cleanup(struct pids *l)
{
	mem_free(l->v);
	*l = (struct pids){ 0 };
}

/* The processes of this one group. */
static int pids_at(int dir, struct pids *to)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	int r = read_at(dir, "cgroup.procs", &b);
	struct span rest = buf_view(&b);

	while (r == 0 && rest.n) {
		int64_t pid;
		if (span_int(span_cut(&rest, '\n'), &pid) && pid > 0 && pid < INT32_MAX) /* 0: of another pid namespace */
			r = pids_add(to, (int)pid);
	}
	return r;
}

static bool has_below(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_nlink != 2; /* one for each, besides its name and "."; 1: it does not count them */
}

static DIR *dir_of(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		fd_close(fd);
	return d;
}

static int pids_below(int dir, struct pids *to, int depth)
{
	int r = pids_at(dir, to);

	if (r < 0 || depth == DEPTH_MAX || !has_below(dir))
		return r;
	DIR *d = dir_of(dir);
	for (struct dirent *de; d && r == 0 && (de = readdir(d)) != NULL;) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		CLEANUP(fd_close) int sub = openat(dir, de->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (sub >= 0 && pids_below(sub, to, depth + 1) == -ENOMEM) /* one that has just gone is no failure */
			r = -ENOMEM;
	}
	if (d)
		closedir(d);
	return r;
}

int cgroup_pids(const struct cgroup *g, struct pids *ret)
{
	ret->n = 0;
	int r = g->version ? pids_below(g->dir, ret, 0) : 0;
	pids_sort(ret);
	return r;
}

int64_t cgroup_peak_kb(const struct cgroup *g)
{
	int64_t bytes = g->version && g->memory ? number_at(g->dir, hierarchies[g->kind].peak) : -1;

	return bytes < 0 ? -1 : bytes / 1024;
}

int cgroup_events(const struct cgroup *g)
{
	return g->version ? openat(g->dir, hierarchies[g->kind].events, O_RDONLY | O_CLOEXEC) : -1;
}

bool cgroup_kill(const struct cgroup *g)
{
	CLEANUP(fd_close) int fd = g->version == 2 ? openat(g->dir, "cgroup.kill", O_WRONLY | O_CLOEXEC) : -1;

	return fd >= 0 && write(fd, "1", 1) == 1;
}

/* ---- making ---- */

/* tocsin-PID-…: the run that made it; 0: not one of ours */
static int maker_of(struct span name)
{
	int64_t pid;

	return span_skip(&name, S(PREFIX)) && span_int(span_cut(&name, '-'), &pid) && name.n && pid > 0 && pid < INT32_MAX ?
		(int)pid : 0;
}

static bool is_alive(int pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

void cgroup_sweep(int dir)
{
	DIR *d = has_below(dir) ? dir_of(dir) : NULL;

	for (struct dirent *de; d && (de = readdir(d)) != NULL;) {
		int pid = maker_of(span_of(de->d_name));
		if (pid && !is_alive(pid))
			unlinkat(dir, de->d_name, AT_REMOVEDIR); /* refused while somebody is in it */
	}
	if (d)
		closedir(d);
}

/*
 * Many programs (the Go runtime for GOMAXPROCS is one) read cpu.max and memory.max of their own group
 * and of no other. One below has none to show them: they would take the whole machine to be theirs.
 */
bool cgroup_is_limited(int dir)
{
	static const char *const limits[] = { "cpu.max", "memory.max", "memory.high", "memory.swap.max" };
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (read_at(dir, limits[i], &b) == 0 && b.len && !span_starts(buf_view(&b), S("max")))
			return true;
	return false;
}

static int limit_copy(int from, int to, const char *name)
{
	char text[24];
	int64_t v = number_at(from, name);

	if (v < 0 || v >= UNLIMITED)
		return 0;
	CLEANUP(fd_close) int fd = openat(to, name, O_WRONLY | O_CLOEXEC);
	int n = snprintf(text, sizeof(text), "%lld", (long long)v);
	return fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -errno;
}

/* Which part of its tree is mounted there: ID PARENT DEVICE ROOT POINT …; the last one covers those before. */
static bool mounted_part(struct span mounts, struct span point, struct span *ret)
{
	bool found = false;

	while (mounts.n) {
		struct span line = span_cut(&mounts, '\n'), part = { 0 };
		for (int i = 0; i < 4; i++)
			part = span_cut(&line, ' ');
		if (!span_eq(span_cut(&line, ' '), point))
			continue;
		*ret = part;
		found = true;
	}
	return found;
}

/* By the list of mounts: where thousands share our group, to look for ourselves among them takes milliseconds. */
static int place_by_mounts(struct span point, struct span group)
{
	CLEANUP(buf_free) struct buf mounts = { 0 }, path = { 0 };
	struct span part;

	if (read_at(AT_FDCWD, "/proc/self/mountinfo", &mounts) < 0 || !mounted_part(buf_view(&mounts), point, &part))
		return -1;
	if (part.n > 1 && (!span_skip(&group, part) || (group.n && group.p[0] != '/')))
		return -1;
	if (span_find(group, S("/..")) != SPAN_NONE) /* above the part that is mounted */
		return -1;
	buf_span(&path, point);
	buf_span(&path, group);
	return path.bad ? -1 : open(path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Without it: in a container the path may be the host's, then the mount itself is ours. */
static int place_by_members(struct span point, struct span group, bool *found)
{
	for (int i = 0; i < 2; i++) {
		CLEANUP(pids_free) struct pids in = { 0 };
		CLEANUP(buf_free) struct buf path = { 0 };
		buf_span(&path, point);
		buf_span(&path, i ? S("") : group);
		int dir = path.bad ? -1 : open(path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && pids_at(dir, &in) == 0) {
			*found = true;
			pids_sort(&in);
			if (pids_have(&in, getpid()))
				return dir;
		}
		fd_close(dir);
	}
	return -1;
}

/* The group that we are in, surely: a path may mean another one where only a part of the tree is mounted. */
static int place_open(const char *root, const struct hierarchy *h, struct span group, struct err *e)
{
	CLEANUP(buf_free) struct buf point = { 0 };
	bool found = false;

	buf_addf(&point, "%s%s", root, h->below);
	int dir = point.bad ? -1 : place_by_mounts(buf_view(&point), group);
	if (dir < 0 && !point.bad)
		dir = place_by_members(buf_view(&point), group, &found);
	if (dir >= 0)
		return dir;
	return err_set(e, found ? ESRCH : ENOENT, found ?
		TR("the control group that we are in is not below '%s%s'", "“%s%s”之下没有我们所在的控制组") :
		TR("no control groups are mounted at '%s%s'", "“%s%s”处没有挂载控制组"), root, h->below);
}

static int may_have_one(const struct hierarchy *h, int parent, struct span self, struct span group, struct err *e)
{
	int maker = maker_of(path_base(group));

	if (maker && is_alive(maker))
		return err_set(e, EEXIST, TR("the group of the run around this one is shared", "与外层运行共用其控制组"));
	if (h->version == 2)
		return !cgroup_is_limited(parent) ? 0 : err_set(e, EBUSY,
			TR("the group that we are in sets limits that the command could not see from one below it",
			   "我们所在的控制组设有上限，命令在其下层的组中会看不到"));
	if (span_find(self, S(":memory:")) == SPAN_NONE)
		return err_set(e, EBUSY, TR("the memory controller is bound to others", "内存控制器与其他控制器绑定在一起"));
	return number_at(parent, "memory.use_hierarchy") != 0 ? 0 : err_set(e, EBUSY,
		TR("the group that we are in does not count those below it", "我们所在的控制组不统计其下层的组"));
}

static int fill(struct cgroup *g, const struct hierarchy *h)
{
	g->dir = openat(g->parent, g->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	g->join = g->dir < 0 ? -1 : openat(g->dir, h->join, O_WRONLY | O_CLOEXEC);
	if (g->join < 0)
		return -errno;
	if (h->version == 2) {
		g->memory = faccessat(g->dir, h->events, R_OK, 0) == 0;
		return 0;
	}
	g->memory = true;
	int r = limit_copy(g->parent, g->dir, "memory.limit_in_bytes");
	return r < 0 ? r : limit_copy(g->parent, g->dir, "memory.memsw.limit_in_bytes");
}

static int make(struct cgroup *g, const struct hierarchy *h, struct err *e)
{
	cgroup_sweep(g->parent);
	snprintf(g->name, sizeof(g->name), PREFIX "%d-%llx", getpid(), (unsigned long long)time_mono());
	int r = mkdirat(g->parent, g->name, 0755) < 0 ? -errno : fill(g, h);
	if (r == 0)
		return 0;
	fd_close(g->join);
	fd_close(g->dir);
	unlinkat(g->parent, g->name, AT_REMOVEDIR);
	return err_set(e, -r, TR("no control group for the run can be made: %m", "无法为本次运行创建控制组：%m"));
}

int cgroup_open(const char *root, struct span self, struct cgroup *ret, struct err *e)
{
	int r = err_set(e, ENOENT, TR("this kernel has no control groups", "此内核没有控制组"));

	for (size_t i = 0; i < ARRAY_LEN(hierarchies); i++) {
		const struct hierarchy *h = &hierarchies[i];
		struct span group = cgroup_path(self, h->version);
		struct cgroup g = { .version = h->version, .kind = i, .dir = -1, .join = -1 };
		struct err why;
		if (!group.p)
			continue;
		g.parent = place_open(root, h, group, &why);
		int n = g.parent < 0 ? g.parent : may_have_one(h, g.parent, self, group, &why);
		if (n == 0)
			n = make(&g, h, &why);
		if (n == 0) {
			*ret = g;
			return 0;
		}
		fd_close(g.parent);
		if (r == -ENOENT) { /* the first place that is there has the word */
			*e = why;
			r = n;
		}
		if (n == -EEXIST)
			break;
	}
	*ret = (struct cgroup){ 0 };
	return r;
}

int cgroup_new(struct cgroup *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf self = { 0 };
	int r = read_at(AT_FDCWD, "/proc/self/cgroup", &self);

	*ret = (struct cgroup){ 0 };
	if (r < 0)
		return err_set(e, -r, TR("read '/proc/self/cgroup': %m", "无法读取“/proc/self/cgroup”：%m"));
	return cgroup_open("/sys/fs/cgroup", buf_view(&self), ret, e);
}

/* ---- removing ---- */

static size_t move_out(const struct cgroup *g)
{
	CLEANUP(pids_free) struct pids in = { 0 };
	CLEANUP(fd_close) int to = openat(g->parent, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (to < 0 || pids_at(g->dir, &in) < 0)
		return 0;
	for (size_t i = 0; i < in.n; i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%d", in.v[i]);
		if (write(to, text, (size_t)n) < 0)
			continue; /* it has just ended */
	}
	return in.n;
}

void cgroup_close(struct cgroup *g)
{
	const struct timespec nap = { .tv_nsec = CLOSE_NSEC };

	if (!g->version)
		return;
	/* Busy: by left-overs, which may fork meanwhile, or by one that was reaped and is still on its way out. */
	for (int i = 0; i < CLOSE_TRIES && unlinkat(g->parent, g->name, AT_REMOVEDIR) < 0 && errno == EBUSY; i++) {
		if (move_out(g))
			continue;
		cgroup_sweep(g->dir);
		if (has_below(g->dir)) /* groups that the command made: not ours to remove */
			break;
		nanosleep(&nap, NULL);
	}
	fd_close(g->join);
	fd_close(g->dir);
	fd_close(g->parent);
	*g = (struct cgroup){ 0 };
}
