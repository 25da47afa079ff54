#include "probe/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "base/time.h"
#include "probe/ports.h"

#define SMALL         (64 << 10) /* of a file of /proc that is short */
#define ENVIRON       (1 << 20)
#define COMMAND_SHOWN 400
#define SHORT_READ    2048 /* of a room of 4096 or more: that was all */
#define DELETED       " (deleted)"

const char *disk_state_word(enum disk_state s)
{
	static const char *const words[] = { "unknown", "same", "rewritten", "replaced", "gone" };

	return words[s];
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* What /proc has of a process: at most max bytes are kept. */
static int proc_slurp(const struct processes *ps, int pid, const char *name, size_t max, struct buf *ret)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%d/%s", ps->root, pid, name);
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while (ret->len < max) {
		if (!buf_need(ret, 4096))
			return -ENOMEM;
		ssize_t n = read(fd, ret->p + ret->len, ret->cap - ret->len - 1);
		if (n < 0 && errno != EINTR)
			return -errno;
		ret->len += n > 0 ? (size_t)n : 0;
		if (n >= 0 && n < SHORT_READ)
			break;
	}
	ret->p[ret->len] = 0;
	return 0;
}

/* ---- images ---- */

static int64_t mtime_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * NSEC_PER_SEC + st->st_mtim.tv_nsec;
}

/* The time too: the number of a file that is gone is given again, and two builds are often of one size. */
static struct image_file *known(struct processes *ps, const struct stat *st, bool whole)
{
	for (size_t i = 0; i < ps->n_files; i++) {
		struct image_file *f = ps->files[i];
		if (f->dev == st->st_dev && f->ino == st->st_ino && f->size == (uint64_t)st->st_size &&
		    f->mtime == mtime_of(st) && (!f->build_only || !whole))
			return f;
	}
	return NULL;
}

/* fd is read; NULL: no memory. */
static struct image_file *image_of(struct processes *ps, int fd, const struct stat *st, const char *name,
				   bool whole)
{
	struct probe_options o = { .build_only = !whole };
	struct image_file *f = known(ps, st, whole);
	struct err e = { 0 };

	if (f)
		return f;
	if (!mem_grow(&ps->files, &ps->cap_files, ps->n_files, sizeof(*ps->files)) ||
	    !(f = mem_zalloc(sizeof(*f))))
		return NULL;
	ps->files[ps->n_files++] = f;
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	f->size = (uint64_t)st->st_size;
	f->mtime = mtime_of(st);
	f->build_only = !whole;
	f->failed = S_ISREG(st->st_mode) ? probe_fd(fd, name, &o, &f->probe, &e) : -ENOEXEC;
	if (f->failed < 0) {
		f->probe = (struct probe){ 0 };
		f->why = arena_str(&ps->mem, span_of(e.msg));
	}
	return f->failed == -ENOMEM ? NULL : f;
}

/* Byte by byte: 1 alike, 0 not, -errno. */
static int same_bytes(int a, int b)
{
	static char one[64 << 10], two[64 << 10];

	for (off_t at = 0;;) {
		ssize_t n = pread(a, one, sizeof(one), at), m = pread(b, two, sizeof(two), at);
		if (n < 0 || m < 0)
			return -EIO;
		if (n != m || memcmp(one, two, (size_t)n))
			return 0;
		if (n == 0)
			return 1;
		at += n;
	}
}

int image_same(const struct image_file *a, const struct image_file *b)
{
	struct span x = probe_build_id_content(a->probe.build_id),
		    y = probe_build_id_content(b->probe.build_id);

	if (a == b)
		return 1;
	if (!x.n && !y.n) { /* -buildid= */
		x = a->probe.link_id;
		y = b->probe.link_id;
	}
	if (!x.n && !y.n)
		return -ENODATA;
	return span_eq(x, y);
}

/* ---- the file at the path, and the one that runs ---- */

/* The file that the path leads to, where the process is. A pipe or device that stands there is not waited for. */
static int open_path(const struct processes *ps, const struct process *p)
{
	char path[4400];

	snprintf(path, sizeof(path), "%s/%d/root%s", ps->root, p->pid, p->exe);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int process_open_image(int pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int open_running(const struct processes *ps, int pid)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%d/exe", ps->root, pid);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static const char *of_errno(struct processes *ps, int code)
{
	return arena_str(&ps->mem, span_of(strerror(code)));
}

/* Two files: is it one content? */
static int compare_files(struct processes *ps, struct process *p, const struct stat *st, int disk)
{
	p->file = image_of(ps, disk, st, p->exe, !p->image->build_only);
	if (!p->file)
		return -ENOMEM;
	int r = p->file->size == p->image->size || p->image->probe.build_id.n ? image_same(p->image, p->file)
									      : 0;
	if (r == -ENODATA) {
		CLEANUP(fd_close) int fd = open_running(ps, p->pid);
		r = fd < 0 ? -errno : same_bytes(fd, disk);
	}
	if (r < 0) {
		p->disk_why = of_errno(ps, -r);
		return 0;
	}
	p->disk = r ? DISK_REWRITTEN : DISK_REPLACED;
	return 0;
}

static int look_at_path(struct processes *ps, struct process *p)
{
	struct stat st;
	char path[4400];

	snprintf(path, sizeof(path), "%s/%d/root%s", ps->root, p->pid, p->exe);
	if (stat(path, &st) == 0 && st.st_dev == p->image->dev && st.st_ino == p->image->ino) {
		p->disk = DISK_SAME;
		return 0;
	}
	CLEANUP(fd_close) int fd = open_path(ps, p);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		p->disk = DISK_GONE;
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		p->disk_why = of_errno(ps, errno);
		return 0;
	}
	return compare_files(ps, p, &st, fd);
}

/* Has the file that runs this very name? One with other links, such as a backup, is not deleted when its name is given away. */
static bool is_named(const struct processes *ps, int pid, const char *name, const struct stat *running)
{
	char path[4400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%d/root%s", ps->root, pid, name);
	return stat(path, &st) == 0 ? st.st_dev == running->st_dev && st.st_ino == running->st_ino
				    : errno != ENOENT && errno != ENOTDIR;
}

/* -EACCES and others: it cannot be read, p->why says so; 1: it is no Go program, and nobody wants others. */
static int read_image(struct processes *ps, struct process *p, const struct process_options *o)
{
	char path[300], link[4097];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%d/exe", ps->root, p->pid);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n < 0 || stat(path, &st) < 0) {
		bool none = errno == ENOENT;
		p->why = none ? TR("it has none: a thread of the kernel, or it ends just now",
				   "没有可执行文件：内核线程，或正在结束")
			      : of_errno(ps, errno);
		return none ? 1 : 0;
	}
	link[n] = 0;
	struct span name = { link, (size_t)n };
	if (span_ends(name, S(DELETED)) && (st.st_nlink == 0 || !is_named(ps, p->pid, link, &st))) {
		p->deleted = true;
		name.n -= strlen(DELETED);
	}
	p->exe = arena_str(&ps->mem, name);
	if (!p->exe)
		return -ENOMEM;
	p->image = known(ps, &st, o->whole);
	if (!p->image) {
		CLEANUP(fd_close) int fd = open_running(ps, p->pid);
		if (fd < 0 || fstat(fd, &st) < 0) {
			p->why = of_errno(ps, errno);
			return 0;
		}
		p->image = image_of(ps, fd, &st, p->exe, o->whole);
		if (!p->image)
			return -ENOMEM;
	}
	if (o->go_only && !p->image->probe.go)
		return 1;
	return look_at_path(ps, p);
}

/* ---- the rest ---- */

/* Of /proc/PID/stat: the fields behind the name, which may hold anything. */
static bool stat_field(struct span text, int number, int64_t *ret)
{
	struct span rest = span_from(text, span_rchr(text, ')') + 2);

	for (int i = 3; rest.n; i++) {
		struct span word = span_cut(&rest, ' ');
		if (i == number)
			return span_int(word, ret);
	}
	return false;
}

static uint64_t read_ticks(const struct processes *ps, int pid)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	int64_t v;

	if (proc_slurp(ps, pid, "stat", 4096, &text) < 0 || span_rchr(buf_view(&text), ')') == SPAN_NONE)
		return 0;
	struct span state = span_from(buf_view(&text), span_rchr(buf_view(&text), ')') + 2);
	if (span_starts(state, S("Z")) || span_starts(state, S("X"))) /* it has ended; nobody has asked how */
		return 0;
	return stat_field(buf_view(&text), 22, &v) && v > 0 ? (uint64_t)v : 0;
}

uint64_t process_ticks(int pid)
{
	struct processes ps = { .root = "/proc" };

	return read_ticks(&ps, pid);
}

static void read_boot(struct processes *ps)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char path[300];
	int64_t v;

	snprintf(path, sizeof(path), "%s/stat", ps->root);
	if (ps->boot || file_slurp(path, &text, NULL) < 0)
		return;
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		if (span_skip(&line, S("btime ")) && span_int(span_trim(line), &v))
			ps->boot = v * NSEC_PER_SEC;
	}
}

static const char *cleaned(struct processes *ps, struct span s)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	redact_text(NULL, s, &b);
	return b.bad ? NULL : arena_str(&ps->mem, buf_view(&b));
}

static void read_command(struct processes *ps, struct process *p)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (proc_slurp(ps, p->pid, "cmdline", SMALL, &text) < 0)
		return;
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (!text.p[i])
			text.p[i] = ' ';
	}
	p->command = cleaned(ps, redact_head(span_trim(span_of(buf_str(&text))), COMMAND_SHOWN));
}

/* Variables that change how a Go program runs. */
static bool matters(struct span name)
{
	static const char *const names[] = { "GODEBUG",      "GOMAXPROCS",    "GOGC",
					     "GOMEMLIMIT",   "GOTRACEBACK",   "GORACE",
					     "GOCOVERDIR",   "GOROOT",        "ZONEINFO",
					     "TZ",           "LD_PRELOAD",    "LD_LIBRARY_PATH",
					     "SSL_CERT_DIR", "SSL_CERT_FILE", "ASAN_OPTIONS" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (span_eq(name, span_of(names[i])))
			return true;
	}
	return false;
}

static void read_environment(struct processes *ps, struct process *p)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (proc_slurp(ps, p->pid, "environ", ENVIRON, &text) < 0) {
		p->env_unread = true;
		return;
	}
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span one = span_cut(&rest, 0), value = one, name = span_cut(&value, '=');
		if (matters(name))
			list_add(&ps->mem, &p->env, cleaned(ps, redact_head(one, COMMAND_SHOWN)));
	}
}

/* The group that tells most: of version 2 (0::/…), else the first that is not the root. */
static void read_cgroup(struct processes *ps, struct process *p)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span best = { 0 };

	if (proc_slurp(ps, p->pid, "cgroup", SMALL, &text) < 0)
		return;
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span path = span_cut(&rest, '\n'), id = span_cut(&path, ':');
		span_cut(&path, ':');
		if (path.n && (!best.n || best.n == 1 || (span_eq(id, S("0")) && path.n > 1)))
			best = path;
	}
	p->cgroup = best.n ? arena_str(&ps->mem, best) : NULL;
}

static void read_root(struct processes *ps, struct process *p)
{
	struct stat st;
	char path[300];

	if (!ps->own_ino && stat("/", &st) == 0) {
		ps->own_dev = st.st_dev;
		ps->own_ino = st.st_ino;
	}
	snprintf(path, sizeof(path), "%s/%d/root/", ps->root, p->pid);
	p->elsewhere = stat(path, &st) == 0 && (ps->own_dev != st.st_dev || ps->own_ino != st.st_ino);
}

static void begin(struct processes *ps, const struct process_options *o)
{
	if (!ps->root)
		ps->root = o->proc ? o->proc : "/proc";
	read_boot(ps);
}

static int read_facts(struct processes *ps, struct process *p, const struct process_options *o)
{
	long hz = sysconf(_SC_CLK_TCK);

	p->started = ps->boot
			     ? ps->boot + (int64_t)(p->ticks * (NSEC_PER_SEC / (uint64_t)(hz > 0 ? hz : 100)))
			     : 0;
	read_command(ps, p);
	read_environment(ps, p);
	read_cgroup(ps, p);
	read_root(ps, p);
	if (!p->n_ports && !o->no_ports)
		ports_read(ps, p);
	return read_ticks(ps, p->pid) == p->ticks ? 0 : -ESRCH;
}

/* 1: passed over; -ESRCH: it ended meanwhile. */
static int read_one(struct processes *ps, int pid, const struct process_options *o, struct process *p)
{
	char path[300];
	struct stat st;

	*p = (struct process){ .pid = pid };
	snprintf(path, sizeof(path), "%s/%d", ps->root, pid);
	p->ticks = read_ticks(ps, pid);
	if (!p->ticks || stat(path, &st) < 0)
		return -ESRCH;
	p->uid = (int)st.st_uid;
	if (o->port && !ports_listens(ps, p, o->port))
		return 1;
	int r = read_image(ps, p, o);
	if (r == 0 && !p->image && o->go_only) {
		ps->unread++;
		r = 1;
	}
	if (r != 0) {
		ports_forget(p);
		return r;
	}
	r = read_facts(ps, p, o);
	if (r < 0)
		ports_forget(p);
	return r;
}

int process_read(struct processes *ps, int pid, const struct process_options *o, struct process **ret,
		 struct err *e)
{
	begin(ps, o);
	if (!mem_grow(&ps->v, &ps->cap, ps->n, sizeof(*ps->v)))
		return no_memory(e);
	int r = read_one(ps, pid, o, &ps->v[ps->n]);
	if (r == -ENOMEM)
		return no_memory(e);
	if (r < 0)
		return err_set(e, ESRCH, TR("there is no process %d", "没有进程 %d"), pid);
	if (r > 0 && !ps->v[ps->n].why)
		return err_set(e, ENOEXEC, TR("process %d runs no Go program", "进程 %d 运行的不是 Go 程序"),
			       pid);
	*ret = &ps->v[ps->n++];
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int process_read_all(struct processes *ps, const struct process_options *o, struct err *e)
{
	CLEANUP(mem_free) int *pids = NULL;
	size_t n = 0, cap = 0;
	struct dirent *d;
	int64_t pid;

	begin(ps, o);
	DIR *dir = opendir(ps->root);
	if (!dir)
		return err_set(e, errno, TR("read '%s': %m", "无法读取“%s”：%m"), ps->root);
	while ((d = readdir(dir))) {
		if (!span_int(span_of(d->d_name), &pid) || pid <= 0 || pid > INT32_MAX)
			continue;
		if (!mem_grow(&pids, &cap, n, sizeof(*pids))) {
			closedir(dir);
			return no_memory(e);
		}
		pids[n++] = (int)pid;
	}
	closedir(dir);
	if (n)
		qsort(pids, n, sizeof(*pids), by_number);
	for (size_t i = 0; i < n; i++) {
		if (!mem_grow(&ps->v, &ps->cap, ps->n, sizeof(*ps->v)))
			return no_memory(e);
		int r = read_one(ps, pids[i], o, &ps->v[ps->n]);
		if (r == -ENOMEM)
			return no_memory(e);
		ps->n += r == 0;
		ps->others += r == 1;
	}
	return 0;
}

static bool is_used(const struct processes *ps, const struct image_file *f)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (ps->v[i].image == f || ps->v[i].file == f)
			return true;
	}
	return false;
}

void processes_again(struct processes *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->n_files; i++) {
		struct image_file *f = ps->files[i];
		f->why = NULL; /* in the memory that goes */
		if (is_used(ps, f) && !f->failed) {
			ps->files[n++] = f;
			continue;
		}
		probe_free(&f->probe);
		mem_free(f);
	}
	ps->n_files = n;
	ports_free(ps);
	ps->n = 0;
	arena_free(&ps->mem);
	ps->mem = (struct arena){ 0 };
}

void processes_free(struct processes *ps)
{
	for (size_t i = 0; i < ps->n_files; i++) {
		probe_free(&ps->files[i]->probe);
		mem_free(ps->files[i]);
	}
	mem_free(ps->files);
	ports_free(ps);
	mem_free(ps->v);
	arena_free(&ps->mem);
	*ps = (struct processes){ 0 };
}

void processes_free_cleanup(struct processes *ps)
{
	processes_free(ps);
}

/* ---- what is wrong with it ---- */

static void say_replaced(const struct process *p, struct report *r)
{
	struct span own = probe_setting(&p->image->probe, "vcs.revision"),
		    now = probe_setting(&p->file->probe, "vcs.revision");
	struct finding *f;

	if (own.n && now.n && !span_eq(own, now))
		f = report_say(
			r, CAUSE_ACT_STALE_PROCESS,
			TR("process %d still runs what was at %s before: it is of revision %.*s, the file there now of %.*s",
			   "进程 %d 仍在运行 %s 的旧文件：其版本为 %.*s，现在的文件为 %.*s"),
			p->pid, p->exe, SPAN_ARG(span_head(own, 12)), SPAN_ARG(span_head(now, 12)));
	else
		f = report_say(
			r, CAUSE_ACT_STALE_PROCESS,
			TR("process %d still runs what was at %s before: the file there now has another content",
			   "进程 %d 仍在运行 %s 的旧文件：现在的文件内容不同"),
			p->pid, p->exe);
	if (f) {
		f->rule = "process.replaced";
		f->file = report_text(r, "%s", p->exe);
		f->advice = report_text(r, "%s", TR("Restart it.", "请重启它。"));
	}
}

void process_judge(const struct process *p, struct report *r)
{
	if (p->disk == DISK_REPLACED)
		say_replaced(p, r);
	if (p->disk != DISK_GONE)
		return;
	struct finding *f =
		report_say(r, CAUSE_ACT_STALE_PROCESS,
			   TR("the file that process %d runs, %s, is gone: it cannot be started again",
			      "进程 %d 运行的文件 %s 已不存在：无法再次启动"),
			   p->pid, p->exe);
	if (f) {
		f->severity = SEV_WARNING;
		f->rule = "process.gone";
		f->file = report_text(r, "%s", p->exe);
		f->advice = report_text(r, "%s",
					TR("Put the binary back, and restart the process.",
					   "放回该程序并重启进程。"));
	}
}
