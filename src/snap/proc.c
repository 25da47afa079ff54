/* What /proc says of a process, and of the control group that it is in. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "snap/snap.h"

#define FILE_MAX_BYTES (16 << 10)
#define FDS_MAX 100000
#define TASKS_MAX 200

static bool slurp(const char *path, struct buf *ret)
{
	char piece[4096];
	size_t left = FILE_MAX_BYTES;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool any = false;

	while (fd >= 0 && left && (n = read(fd, piece, left < sizeof(piece) ? left : sizeof(piece))) > 0) {
		buf_add(ret, piece, (size_t)n);
		left -= (size_t)n;
		any = true;
	}
	fd_close(fd);
	return any;
}

static void headline(struct buf *ret, const char *name)
{
	if (ret->len && ret->p[ret->len - 1] != '\n')
		buf_addc(ret, '\n');
	buf_addf(ret, "--- %s ---\n", name);
}

static void add_file(struct buf *ret, const char *name, const char *path)
{
	size_t was = ret->len;

	headline(ret, name);
	if (!slurp(path, ret))
		ret->len = was;
}

/* How many descriptors of each kind: names of files are none of our business. */
static void add_descriptors(int pid, struct buf *ret)
{
	static const char *const kinds[] = { "socket", "pipe", "anon_inode", "other" };
	char path[64], to[64];
	int n[ARRAY_LEN(kinds)] = { 0 }, all = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *d = opendir(path);
	if (!d)
		return;
	for (struct dirent *f; all < FDS_MAX && (f = readdir(d));) {
		if (f->d_name[0] == '.')
			continue;
		ssize_t len = readlinkat(dirfd(d), f->d_name, to, sizeof(to) - 1);
		to[len > 0 ? len : 0] = '\0';
		size_t k = 0;
		while (k + 1 < ARRAY_LEN(kinds) && strncmp(to, kinds[k], strlen(kinds[k])) != 0)
			k++;
		n[k]++;
		all++;
	}
	closedir(d);
	headline(ret, "fds");
	buf_addf(ret, "all %d\n", all);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		buf_addf(ret, "%s %d\n", kinds[i], n[i]);
}

/* One line a thread: what it is, how much CPU time it had, and what of the kernel it waits in. */
static void add_threads(int pid, struct buf *ret)
{
	char path[64];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *d = opendir(path);
	if (!d)
		return;
	headline(ret, "threads (stat, wchan)");
	for (struct dirent *f; n < TASKS_MAX && (f = readdir(d));) {
		if (f->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.12s/stat", pid, f->d_name);
		if (!slurp(path, ret))
			continue;
		if (ret->len && ret->p[ret->len - 1] == '\n')
			ret->p[ret->len - 1] = ' ';
		snprintf(path, sizeof(path), "/proc/%d/task/%.12s/wchan", pid, f->d_name);
		slurp(path, ret);
		buf_addc(ret, '\n');
		n++;
	}
	closedir(d);
}

/* "0::/a" (version 2), "5:memory:/a" (version 1): the files of its memory, where they are mounted as usual. */
static void add_group(int pid, struct buf *ret)
{
	static const char *const files[] = { "memory.current", "memory.max", "memory.high", "memory.events", "memory.pressure", "memory.swap.current", "cpu.max", "cpu.stat",
		"cpu.pressure", "io.pressure", "pids.current", "pids.max", "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.failcnt" };
	CLEANUP(buf_free) struct buf text = { .max = FILE_MAX_BYTES * 2 };
	char path[512];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (!slurp(path, &text))
		return;
	headline(ret, "cgroup");
	buf_span(ret, buf_view(&text));
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		bool v2 = span_skip(&line, S("0::"));
		if (!v2) {
			span_cut(&line, ':');
			if (!span_eq(span_cut(&line, ':'), S("memory")))
				continue;
		}
		for (size_t i = 0; i < ARRAY_LEN(files) && line.n < 300; i++) {
			snprintf(path, sizeof(path), "/sys/fs/cgroup%s%.*s/%s", v2 ? "" : "/memory", SPAN_ARG(line), files[i]);
			if (access(path, R_OK) < 0) /* a container sees its own group at the top */
				snprintf(path, sizeof(path), "/sys/fs/cgroup%s/%s", v2 ? "" : "/memory", files[i]);
			add_file(ret, files[i], path);
		}
	}
}

void snap_proc(int pid, struct buf *ret)
{
	static const char *const files[] = { "status", "stat", "wchan", "limits", "smaps_rollup", "io", "oom_score", "net/sockstat", "net/sockstat6" };
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		add_file(ret, files[i], path);
	}
	add_descriptors(pid, ret);
	add_threads(pid, ret);
	add_group(pid, ret);
	add_file(ret, "memory pressure of the machine", "/proc/pressure/memory");
	add_file(ret, "load of the machine", "/proc/loadavg");
}
