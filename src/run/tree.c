#include "run/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

/* Numbers behind the name and the state in /proc/PID/stat; of CPU times first the user's, then the system's. */
enum { STAT_PPID, STAT_GROUP, STAT_USED = 10, STAT_DONE = 12, STAT_START = 18 };

static ssize_t read_small(const char *path, char *to, size_t room)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, room - 1);

	to[n > 0 ? n : 0] = '\0';
	return n;
}

bool tree_read(int pid, struct proc *ret)
{
	char path[48], text[1024];
	int64_t v[STAT_START + 1];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_small(path, text, sizeof(text)) <= 0)
		return false;
	struct span rest = span_of(text);
	size_t open = span_chr(rest, '('), shut = span_rchr(rest, ')'); /* the name between may hold anything */
	if (open == SPAN_NONE || shut == SPAN_NONE || shut < open)
		return false;
	struct span name = span_head(span_from(rest, open + 1), shut - open - 1);
	rest = span_from(rest, shut + 2);
	struct span state = span_cut(&rest, ' ');
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (!span_int(span_trim(span_cut(&rest, ' ')), &v[i]))
			return false;
	*ret = (struct proc){ .pid = pid, .ppid = (int)v[STAT_PPID], .group = (int)v[STAT_GROUP],
		.state = state.n ? state.p[0] : '?', .start = (uint64_t)v[STAT_START],
		.used = (uint64_t)(v[STAT_USED] + v[STAT_USED + 1]), .done = (uint64_t)(v[STAT_DONE] + v[STAT_DONE + 1]) };
	snprintf(ret->name, sizeof(ret->name), "%.*s", SPAN_ARG(name));
	return true;
}

static bool tree_push(struct tree *t, const struct proc *p)
{
	if (!mem_grow(&t->v, &t->cap, t->n, sizeof(*p)))
		return false;
	t->v[t->n++] = *p;
	return true;
}

static int scan_all(struct tree *t)
{
	DIR *d = opendir("/proc");

	if (!d)
		return -errno;
	for (struct dirent *de; (de = readdir(d)) != NULL;) {
		struct proc p;
		int64_t pid;
		if (isdigit((unsigned char)de->d_name[0]) && span_int(span_of(de->d_name), &pid) && tree_read((int)pid, &p) &&
		    !tree_push(t, &p)) {
			closedir(d);
			return -ENOMEM;
		}
	}
	closedir(d);
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct proc *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct proc *find(const struct tree *t, int pid)
{
	const struct proc key = { .pid = pid };

	return t->n ? bsearch(&key, t->v, t->n, sizeof(*t->v), by_pid) : NULL;
}

struct climb { /* what tree_scan is about */
	struct tree *t;
	char *lots; /* of each: is it below the root? */
	int root;
	const int *skip;
	size_t n_skip;
};
enum { LOT_UNKNOWN, LOT_BELOW, LOT_ELSEWHERE };

static bool is_skipped(const struct climb *c, int pid)
{
	for (size_t i = 0; i < c->n_skip; i++)
		if (c->skip[i] == pid)
			return true;
	return false;
}

/* Up to the first of whom it is known: all on the way share its lot, so that nobody climbs twice. */
static void climb(struct climb *c, struct proc *from)
{
	struct proc *p = from;
	char lot = LOT_UNKNOWN;
	size_t steps = 0; /* numbers that were used again may make a ring */

	while (p && !lot && steps++ <= c->t->n) {
		if (p->ppid == c->root)
			lot = is_skipped(c, p->pid) ? LOT_ELSEWHERE : LOT_BELOW;
		else if ((p = find(c->t, p->ppid)) != NULL)
			lot = c->lots[p - c->t->v];
	}
	if (!lot)
		lot = LOT_ELSEWHERE;
	for (p = from; p && !c->lots[p - c->t->v]; p = p->ppid == c->root ? NULL : find(c->t, p->ppid))
		c->lots[p - c->t->v] = lot;
}

int tree_scan(struct tree *t, int root, const int *skip, size_t n_skip)
{
	size_t kept = 0;

	t->n = 0;
	int r = scan_all(t);
	CLEANUP(mem_free) char *lots = mem_zalloc(t->n + 1);
	if (!lots) {
		t->n = 0;
		return -ENOMEM;
	}
	if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), by_pid);
	struct climb c = { t, lots, root, skip, n_skip };
	for (size_t i = 0; i < t->n; i++)
		climb(&c, &t->v[i]);
	for (size_t i = 0; i < t->n; i++)
		if (lots[i] == LOT_BELOW)
			t->v[kept++] = t->v[i];
	t->n = kept;
	return r;
}

void tree_add(struct tree *t, const int *pids, size_t n)
{
	const size_t had = t->n; /* the new ones go behind these */
	struct proc p;

	for (size_t i = 0; i < n; i++)
		if (!find(&(struct tree){ .v = t->v, .n = had }, pids[i]) && tree_read(pids[i], &p))
			tree_push(t, &p);
}

void tree_free(struct tree *t)
{
	mem_free(t->v);
	*t = (struct tree){ 0 };
}

void tree_free_cleanup(struct tree *t)
{
	tree_free(t);
}

bool tree_signal(const struct proc *p, int sig)
{
	struct proc now;
	CLEANUP(fd_close) int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);

	if (fd < 0 && errno != ENOSYS && errno != EPERM)
		return false;
	/* With the pidfd in hand the number cannot change its owner between this look and the signal. */
	if (!tree_read(p->pid, &now) || now.start != p->start)
		return false;
	return fd >= 0 ? syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) == 0 : kill(p->pid, sig) == 0;
}

const char *tree_command(struct arena *mem, int pid)
{
	char path[48], text[201];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	ssize_t n = read_small(path, text, sizeof(text));
	if (n <= 0) { /* a zombie has no command line any more */
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		n = read_small(path, text, sizeof(text));
	}
	while (n > 0 && (text[n - 1] == '\0' || text[n - 1] == '\n'))
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return n > 0 ? arena_str(mem, (struct span){ text, (size_t)n }) : NULL;
}

bool tree_holds(int pid, uint64_t inode)
{
	char path[300];
	struct stat st;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *d = opendir(path);
	if (!d)
		return false;
	for (struct dirent *de; !found && (de = readdir(d)) != NULL;) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%.200s", pid, de->d_name);
		found = stat(path, &st) == 0 && st.st_ino == inode && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode));
	}
	closedir(d);
	return found;
}
