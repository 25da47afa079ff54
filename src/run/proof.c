#include "run/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

#define KMSG_SLACK_USEC 1000000 /* the log's clock is not quite CLOCK_MONOTONIC */
#define KMSG_MAX 20000          /* records that are looked through */

void facility_add(struct report *r, const char *name, const char *value, const char *why)
{
	if (r->n_facilities < ARRAY_LEN(r->facilities))
		r->facilities[r->n_facilities++] = (struct facility){ name, value, why };
}

int64_t proof_counter(struct span text, struct span key)
{
	while (text.n) {
		struct span line = span_cut(&text, '\n');
		int64_t v;
		if (span_skip(&line, key) && span_skip(&line, S(" ")) && span_int(span_trim(line), &v))
			return v;
	}
	return -1;
}

static int pid_behind(struct span s, struct span key)
{
	size_t at = span_find(s, key);
	int64_t pid = 0;
	size_t n = 0;

	if (at == SPAN_NONE)
		return 0;
	s = span_from(s, at + key.n);
	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return span_int(span_head(s, n), &pid) && pid > 0 && pid < INT32_MAX ? (int)pid : 0;
}

int proof_kmsg_victim(struct span record, int64_t *ret_usec)
{
	/* priority,sequence,microseconds,flags;text */
	span_cut(&record, ',');
	span_cut(&record, ',');
	struct span usec = span_cut(&record, ',');
	span_cut(&record, ';');
	if (!span_int(usec, ret_usec))
		return 0;
	if (span_starts(record, S("oom-kill:")))
		return pid_behind(record, S(",pid="));
	if (span_find(record, S("ut of memory")) != SPAN_NONE || span_find(record, S("oom_reaper")) != SPAN_NONE) {
		int pid = pid_behind(record, S("Killed process "));
		return pid ? pid : pid_behind(record, S("reaped process "));
	}
	return 0;
}

static int64_t counter_of(int fd, struct span key)
{
	char text[16384];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text), 0);

	return n <= 0 ? -1 : proof_counter((struct span){ text, (size_t)n }, key);
}

static int64_t machine_kills(void)
{
	CLEANUP(fd_close) int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);

	return counter_of(fd, S("oom_kill"));
}

static const struct place_row { int version; const char *mount, *file; } cgroup_places[] = {
	{ 2, "/sys/fs/cgroup", "memory.events" },
	{ 2, "/sys/fs/cgroup/unified", "memory.events" },
	{ 1, "/sys/fs/cgroup/memory", "memory.oom_control" },
};

/* In a container the path of /proc/self/cgroup may be the host's: then the mount itself is our group. */
static int open_place(const struct place_row *row, struct span group)
{
	char path[4400];

	snprintf(path, sizeof(path), "%s%.*s/%s", row->mount, (int)(group.n < 4096 ? group.n : 4096), group.p, row->file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "%s/%s", row->mount, row->file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void cgroup_find(struct proof *p)
{
	char text[4096];
	CLEANUP(fd_close) int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	for (size_t i = 0; n > 0 && p->events < 0 && i < ARRAY_LEN(cgroup_places); i++) {
		struct span group = cgroup_path((struct span){ text, (size_t)n }, cgroup_places[i].version);
		if (!group.p)
			continue;
		p->events = open_place(&cgroup_places[i], group);
		p->cgroup = p->events >= 0 ? cgroup_places[i].version : 0;
		p->own = group.n > 1 || p->cgroup == 2; /* the root of v2 has no memory.events: this is a namespace's */
	}
}

void proof_begin(struct proof *p, const struct cgroup *g)
{
	*p = (struct proof){ .events = -1, .began = time_mono() };
	if (g->memory)
		p->events = cgroup_events(g);
	if (p->events >= 0) {
		p->cgroup = g->version;
		p->own = p->runs = true;
	} else {
		cgroup_find(p);
	}
	p->cgroup_kills = counter_of(p->events, S("oom_kill"));
	p->machine_kills = machine_kills();
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	p->kmsg = fd >= 0;
	fd_close(fd);
}

/* "v1" or "v2" with a reason: only the second best is had. */
static const char *cgroup_why(const struct proof *p, const struct cgroup *g, const char *why, struct arena *mem)
{
	if (g->version && p->cgroup)
		return p->runs ? NULL : TR("its group has no memory controller: memory is that of the group around it",
			"本次运行的控制组没有内存控制器：内存数据取自外层的组");
	if (g->version)
		return TR("its group has no memory controller, and no other can be read", "本次运行的控制组没有内存控制器，也读不到其他的");
	return arena_printf(mem, p->cgroup ? TR("%s; OOM kills are those of the group around it", "%s；OOM 计数取自外层的组") :
		TR("%s; no memory controller can be read", "%s；也读不到内存控制器"), why);
}

void proof_facilities(const struct proof *p, const struct cgroup *g, const char *why, struct report *r)
{
	int version = g->version ? g->version : p->cgroup;

	facility_add(r, "cgroup", version == 2 ? "v2" : version == 1 ? "v1" : "no", cgroup_why(p, g, why, &r->mem));
	facility_add(r, "kmsg", p->kmsg ? "yes" : "no",
		     p->kmsg ? NULL : TR("the kernel log may not be read", "无权读取内核日志"));
}

static bool is_asked(const struct killed *v, size_t n, int pid)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].pid == pid && v[i].sig == SIGKILL && !v[i].by_us)
			return true;
	return false;
}

/* The pid among ours that the kernel log names since the start; 0: none. */
static int kmsg_victim(const struct proof *p, const struct killed *v, size_t n)
{
	char rec[8192];
	CLEANUP(fd_close) int fd = p->kmsg ? open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	int found = 0;

	for (int i = 0; fd >= 0 && i < KMSG_MAX; i++) {
		ssize_t len = read(fd, rec, sizeof(rec));
		int64_t usec = 0;
		if (len < 0 && (errno == EPIPE || errno == EINTR)) /* overwritten while we read: go on behind it */
			continue;
		if (len <= 0)
			break;
		int pid = proof_kmsg_victim((struct span){ rec, (size_t)len }, &usec);
		if (pid && usec >= p->began / 1000 - KMSG_SLACK_USEC && is_asked(v, n, pid))
			found = pid;
	}
	return found;
}

enum oom_proof proof_oom(const struct proof *p, const struct killed *v, size_t n, bool failed, struct arena *mem,
			 const char **ret_why)
{
	bool asked = false;

	for (size_t i = 0; i < n; i++)
		asked |= v[i].sig == SIGKILL && !v[i].by_us;
	if (!asked && !failed)
		return OOM_NO;
	int64_t group = p->cgroup_kills < 0 ? 0 : counter_of(p->events, S("oom_kill")) - p->cgroup_kills;
	if (group > 0 && p->runs) {
		*ret_why = arena_printf(mem, TR("the kernel counted in the run's own cgroup (v%d): oom_kill is %lld",
			"内核在本次运行自己的 cgroup（v%d）中的计数：oom_kill 为 %lld"), p->cgroup, (long long)group);
		return OOM_CERTAIN;
	}
	if (group > 0 && p->own) {
		*ret_why = arena_printf(mem, TR("the memory limit of its cgroup was reached: oom_kill rose by %lld",
			"达到所在 cgroup 的内存上限：oom_kill 增加了 %lld"), (long long)group);
		return asked ? OOM_CERTAIN : OOM_PROBABLE;
	}
	int pid = asked ? kmsg_victim(p, v, n) : 0;
	if (pid) {
		*ret_why = arena_printf(mem, TR("the kernel log says that the OOM killer took process %d",
			"内核日志显示 OOM killer 杀死了进程 %d"), pid);
		return OOM_CERTAIN;
	}
	/* The run's own group would have counted it: what the machine counted was somebody else. */
	int64_t machine = asked && !p->runs && p->machine_kills >= 0 ? machine_kills() - p->machine_kills : 0;
	if (machine <= 0)
		return OOM_NO;
	*ret_why = arena_printf(mem, TR("SIGKILL while the machine's oom_kill counter rose by %lld",
		"收到 SIGKILL，同时本机 oom_kill 计数增加了 %lld"), (long long)machine);
	return OOM_PROBABLE;
}

void proof_end(struct proof *p)
{
	p->runs = p->own = false;
	p->cgroup_kills = -1;
	fd_close(p->events);
	p->events = -1;
}
