#include "run/nested.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "base/time.h"
#include "run/gocmd.h"
#include "run/run.h"
#include "run/inner.h"
#include "run/shim.h"

/* Memory stays bounded: what succeeded is forgotten first. */
#define CALLS_MAX 4096
#define LATE_NSEC (100 * NSEC_PER_MSEC) /* the kernel's events are read so long after they happened, at most */

struct call {
	int pid;            /* of the shim, or of a go that bypassed it; 0: an inner run's verdict */
	int real;           /* the real go, once known */
	bool by_proc;       /* the kernel's process events are all that we have */
	bool ended, live;   /* live: a connection or an exit is still to come */
	bool inner;         /* the verdict of an inner `tocsin run` */
	bool stopped;       /* it was running when we began to end what outlived the command */
	bool below_test, allowed, recovered;
	enum end_how how;
	int code, sig;
	int64_t began, end; /* CLOCK_MONOTONIC */
	uint64_t key;       /* the same for the same command */
	char *chain;        /* the runs that it told, innermost first; begins the one block of all strings */
	const char *cwd;
	char *script;       /* a block of its own; may be NULL */
	struct argv argv;   /* v is a block of its own, its strings are in the first */
};

struct peer { /* one connection */
	struct peer *next, **link;
	struct nested_server *s;
	struct watch *w;
	int fd, pid;
	struct call *call; /* NULL until it said what it is */
};

struct nested_server {
	struct loop *loop;
	int fd, root;
	struct watch *w;
	struct peer *peers;
	struct stat self;
	const char *const *allow;
	int64_t began;
	struct call **calls;
	size_t n_calls, cap_calls, n_live;
	run_panics_fn *panics;
	void *panics_ctx;
	struct inner inner;
	size_t forgotten; /* failures that there was no room for */
	bool refused;     /* a connection could not be taken */
	bool no_go;       /* PATH has none */
	char *name;
	char *env[3];
	const char *env_list[3];
	char packet[SHIM_PACKET + 1];
};

/* ---- calls ---- */

static void call_free(struct call *c)
{
	if (!c)
		return;
	mem_free(c->chain);
	mem_free(c->script);
	mem_free(c->argv.v);
	mem_free(c);
}

static bool is_failure(const struct call *c)
{
	return c->ended && (c->how == END_SIGNAL || (c->how == END_EXIT && c->code));
}

/* Make room: successes go, then failures that count for nothing. */
static void calls_prune(struct nested_server *s)
{
	for (int round = 0; round < 2; round++) {
		size_t kept = 0;
		for (size_t i = 0; i < s->n_calls; i++) {
			struct call *c = s->calls[i];
			bool idle = c->below_test || c->allowed || c->recovered;
			if (!c->live && c->ended && (!is_failure(c) || (round && idle)))
				call_free(c);
			else
				s->calls[kept++] = c;
		}
		s->n_calls = kept;
		if (kept < CALLS_MAX * 3 / 4)
			return;
	}
}

static bool calls_add(struct nested_server *s, struct call *c)
{
	if (s->n_calls >= CALLS_MAX)
		calls_prune(s);
	if (s->n_calls >= CALLS_MAX) {
		s->forgotten++;
		return false;
	}
	if (s->n_calls == s->cap_calls) {
		size_t cap = s->cap_calls ? s->cap_calls * 2 : 64;
		struct call **to = mem_resize(s->calls, cap * sizeof(*to));
		if (!to) {
			s->forgotten++;
			return false;
		}
		s->calls = to;
		s->cap_calls = cap;
	}
	s->calls[s->n_calls++] = c;
	c->live = true;
	s->n_live++;
	return true;
}

static void call_retire(struct nested_server *s, struct call *c)
{
	if (c->live)
		s->n_live--;
	c->live = false;
}

/* `go -C dir vet` as `go vet` in dir. */
static struct argv without_chdir(const struct argv *argv, struct buf *dir, const char **room)
{
	struct argv a = *argv;
	size_t skip = 0;
	const char *to = NULL;

	if (a.n > 3 && (!strcmp(a.v[1], "-C") || !strcmp(a.v[1], "--C"))) {
		to = a.v[2];
		skip = 2;
	} else if (a.n > 2 && (!strncmp(a.v[1], "-C=", 3) || !strncmp(a.v[1], "--C=", 4))) {
		to = strchr(a.v[1], '=') + 1;
		skip = 1;
	} else if (a.n > 3 && (!strcmp(a.v[2], "-C") || !strcmp(a.v[2], "--C"))) {
		to = a.v[3]; /* go test -C dir: the flag stays, gocmd steps over it */
	} else if (a.n > 2 && (!strncmp(a.v[2], "-C=", 3) || !strncmp(a.v[2], "--C=", 4))) {
		to = strchr(a.v[2], '=') + 1;
	}
	if (to && to[0] == '/')
		buf_clear(dir);
	if (to && to[0])
		buf_addf(dir, "%s%s", to[0] == '/' || span_ends(buf_view(dir), S("/")) ? "" : "/", span_starts(span_of(to), S("./")) ? to + 2 : to);
	while (dir->len > 1 && dir->p[dir->len - 1] == '/')
		dir->p[--dir->len] = '\0';
	if (skip) {
		room[0] = a.v[0];
		memcpy(room + 1, a.v + 1 + skip, (a.n - skip) * sizeof(*room));
		a = (struct argv){ room, a.n - skip };
	}
	return a;
}

/*
 * Subcommand, packages and directory say that it is the same command; so does the platform that the
 * environment asks for: a build for another one is no repetition.
 */
static uint64_t call_key(const struct argv *argv, const char *cwd, const char *platform)
{
	CLEANUP(buf_free) struct buf key = { 0 }, dir = { 0 };
	CLEANUP(mem_free) const char **room = mem_alloc((argv->n + 1) * sizeof(*room));
	struct gocmd go;

	if (!room)
		return 0;
	buf_adds(&dir, cwd);
	struct argv a = without_chdir(argv, &dir, room);
	gocmd_read(&a, &go);
	buf_addf(&key, "%s%c%s%c%s", platform, 0, buf_str(&dir), 0, go.sub ? go.sub : "");
	bool plain = !go.sub || !strcmp(go.sub, "mod") || !strcmp(go.sub, "work") || !strcmp(go.sub, "tool");
	size_t from = plain ? 1 : go.at_packages, n = plain ? a.n : from + go.n_packages;
	if (!plain && !go.n_packages)
		buf_add(&key, "\0.", 2);
	for (size_t i = from; i < n && i < a.n; i++) {
		buf_addc(&key, '\0');
		buf_adds(&key, a.v[i]);
	}
	return key.bad ? 0 : span_hash(buf_view(&key)) | 1;
}

static bool is_allowed(const struct nested_server *s, const struct argv *argv)
{
	CLEANUP(buf_free) struct buf text = { .max = SHIM_PACKET };

	for (size_t i = 0; i < argv->n; i++)
		buf_addf(&text, "%s%s", i ? " " : "", argv->v[i]);
	struct span all = buf_view(&text), bare = all;
	span_skip(&bare, S("go "));
	for (const char *const *g = s->allow; g && *g; g++) {
		struct span glob = span_of(*g);
		if (text_glob(*g, all) || text_glob(*g, bare))
			return true;
		/* 'go vet *' is meant for a bare `go vet`, too */
		if (span_ends(glob, S(" *")) && (span_eq(span_head(glob, glob.n - 2), all) || span_eq(span_head(glob, glob.n - 2), bare)))
			return true;
	}
	return false;
}

/* The strings begin with chain, cwd and platform; argv follows. NULL: no memory, or not a call. */
static struct call *call_new(struct nested_server *s, const char *text, size_t len, size_t words, int64_t now)
{
	struct call *c = words >= 4 ? mem_zalloc(sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	c->chain = mem_dup(text, len);
	c->argv.n = words - 3;
	c->argv.v = mem_zalloc((words - 2) * sizeof(*c->argv.v));
	if (!c->chain || !c->argv.v) {
		call_free(c);
		return NULL;
	}
	c->cwd = c->chain + strlen(c->chain) + 1;
	const char *platform = c->cwd + strlen(c->cwd) + 1, *at = platform;
	for (size_t i = 0; i < c->argv.n; i++) {
		at += strlen(at) + 1;
		c->argv.v[i] = at;
	}
	c->began = now;
	c->key = call_key(&c->argv, c->cwd, platform);
	c->allowed = is_allowed(s, &c->argv);
	return c;
}

static void call_end(struct nested_server *s, struct call *c, int code, int sig, int64_t when)
{
	if (c->ended) { /* the kernel's word came first, but the shim knows better when it was */
		c->end = when < c->end && when >= c->began ? when : c->end;
		return;
	}
	c->ended = true;
	c->how = c->stopped ? END_UNKNOWN : sig ? END_SIGNAL : END_EXIT;
	c->code = sig ? 0 : code;
	c->sig = sig;
	c->end = when > c->began ? when : c->began;
	if (is_failure(c) || c->stopped)
		return;
	for (size_t i = 0; i < s->n_calls; i++) {
		struct call *f = s->calls[i];
		if (f->key == c->key && c->key && is_failure(f) && f->end <= c->began + (f->by_proc ? LATE_NSEC : 0))
			f->recovered = true;
	}
}

/* ---- what shims tell ---- */

static void peer_close(struct peer *p)
{
	loop_remove(p->s->loop, p->w);
	fd_close(p->fd);
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	mem_free(p);
}

/* The pids of an inner run's report whose failures it has settled. */
static bool is_listed(const char *pids, int pid)
{
	struct span rest = span_of(pids);
	int64_t v;

	while (rest.n) {
		if (span_int(span_cut(&rest, ','), &v) && v == pid)
			return true;
	}
	return false;
}

/*
 * An inner run ended. When it said success, the failures below it are settled by its own policy (tried
 * again, allowed, recorded only). When it failed and no go command that we know of tells so, its own
 * failure is what could be swallowed.
 */
static void take_verdict(struct nested_server *s, const struct shim_msg *m, const char *text, size_t len)
{
	bool told = false;

	if (m->words < 4)
		return;
	const char *id = text, *cwd = id + strlen(id) + 1, *pids = cwd + strlen(cwd) + 1;
	for (size_t i = 0; i < s->n_calls; i++) {
		struct call *c = s->calls[i];
		if (!*id || !strstr(c->chain, id))
			continue;
		if (m->code == 0 || is_listed(pids, c->pid))
			c->allowed = true;
		told |= is_failure(c) && !c->allowed && !c->recovered && !c->below_test;
	}
	struct call *c = call_new(s, text, len, m->words, m->mono);
	if (!c)
		return;
	c->inner = true;
	c->key = call_key(&c->argv, cwd, "tocsin run");
	c->allowed |= told || (m->flags & SHIM_ALLOW);
	if (!calls_add(s, c)) {
		call_free(c);
		return;
	}
	call_retire(s, c);
	call_end(s, c, m->code, m->sig, m->mono);
}

static int64_t sane_time(const struct nested_server *s, int64_t mono)
{
	int64_t now = time_mono();

	return mono > now ? now : mono < s->began ? s->began : mono;
}

static void take_start(struct peer *p, const struct shim_msg *m, const char *text, size_t len)
{
	struct call *c;

	if (p->call || p->pid == p->s->root) /* the command itself is not nested */
		return;
	c = call_new(p->s, text, len, m->words, sane_time(p->s, m->mono));
	if (!c)
		return;
	c->pid = p->pid;
	c->allowed |= (m->flags & SHIM_ALLOW) != 0;
	if (calls_add(p->s, c))
		p->call = c;
	else
		call_free(c);
}

static void take_caller(struct call *c, const struct shim_msg *m, const char *text)
{
	c->real = m->pid;
	c->below_test = (m->flags & SHIM_BELOW_TEST) != 0;
	if (m->words && *text && !c->script)
		c->script = mem_dup(text, strlen(text));
}

static size_t count_words(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\0';
	return n;
}

static void take_note(const struct nested_server *s, const struct shim_msg *m, const char *record)
{
	const char *version = record + strlen(record) + 1;

	if (s->panics && m->words == 3)
		s->panics(s->panics_ctx, record, version, version + strlen(version) + 1);
}

static void take_packet(struct peer *p, const char *packet, size_t len)
{
	struct nested_server *s = p->s;
	const char *text = packet + sizeof(struct shim_msg);
	struct shim_msg m;

	if (len < sizeof(m))
		return;
	memcpy(&m, packet, sizeof(m));
	len -= sizeof(m);
	if (memcmp(m.magic, SHIM_MAGIC, sizeof(m.magic)) != 0 || count_words(text, len) != m.words || (len && text[len - 1]))
		return;
	if (m.kind == SHIM_START)
		take_start(p, &m, text, len);
	else if (m.kind == SHIM_VERDICT)
		take_verdict(s, &m, text, len);
	else if (m.kind == SHIM_FINDING)
		inner_take(&s->inner, &m, text);
	else if (m.kind == SHIM_NOTE)
		take_note(s, &m, text);
	else if (p->call && m.kind == SHIM_CALLER)
		take_caller(p->call, &m, text);
	else if (p->call && m.kind == SHIM_END)
		call_end(s, p->call, m.code, m.sig, sane_time(s, m.mono));
}

static void peer_read(struct peer *p)
{
	ssize_t n;

	while ((n = recv(p->fd, p->s->packet, SHIM_PACKET, MSG_DONTWAIT)) > 0) {
		p->s->packet[n] = '\0';
		take_packet(p, p->s->packet, (size_t)n);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (p->call && p->call->ended)
		call_retire(p->s, p->call);
	peer_close(p);
}

static void on_peer(void *ctx, int fd, uint32_t events)
{
	peer_read(ctx);
}

static void peer_new(struct nested_server *s, int fd)
{
	struct peer *p = mem_zalloc(sizeof(*p));
	struct ucred who;
	socklen_t n = sizeof(who);

	bool ours = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == geteuid() || who.uid == 0);
	if (!p || !ours || loop_fd(s->loop, fd, EPOLLIN, on_peer, p, &p->w, NULL) < 0) {
		s->refused |= ours;
		mem_free(p);
		fd_close(fd);
		return;
	}
	p->s = s;
	p->fd = fd;
	p->pid = who.pid;
	p->next = s->peers;
	p->link = &s->peers;
	if (p->next)
		p->next->link = &p->next;
	s->peers = p;
	peer_read(p);
}

static void on_listener(void *ctx, int fd, uint32_t events)
{
	struct nested_server *s = ctx;
	int peer;

	while ((peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		peer_new(s, peer);
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* Nobody must wait for us, nor we turn in circles: no more calls are heard of. */
		s->refused = true;
		loop_remove(s->loop, s->w);
		s->w = NULL;
		fd_close(s->fd);
		s->fd = -1;
	}
}

static void drain(struct nested_server *s)
{
	if (s->fd >= 0)
		on_listener(s, s->fd, EPOLLIN);
	for (struct peer *p = s->peers, *next; p; p = next) {
		next = p->next;
		peer_read(p);
	}
}

/* ---- what the kernel tells ---- */

static struct call *live_call(struct nested_server *s, int pid, bool real)
{
	size_t seen = 0;

	for (size_t i = s->n_calls; i-- > 0 && seen < s->n_live;) {
		struct call *c = s->calls[i];
		seen += c->live;
		if (c->live && pid == (real && !c->by_proc ? c->real : c->pid))
			return c;
	}
	return NULL;
}

static const char *env_value(const char *env, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = env; p < env + len; p += strlen(p) + 1) {
		if (!strncmp(p, name, n) && p[n] == '=')
			return p + n + 1;
	}
	return "";
}

static void proc_go(struct nested_server *s, int pid, char *env, size_t env_len, const char *cmd, size_t cmd_len)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char link[64], cwd[PATH_MAX];
	struct callers who;
	int self = getpid();

	snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
	ssize_t n = readlink(link, cwd, sizeof(cwd) - 1);
	cwd[n > 0 ? n : 0] = '\0';
	buf_addf(&text, "%s%c%s%c%s/%s%cgo", env_value(env, env_len, "TOCSIN_RUN"), 0, cwd, 0,
		 env_value(env, env_len, "GOOS"), env_value(env, env_len, "GOARCH"), 0);
	buf_add(&text, cmd + strlen(cmd), cmd_len - strlen(cmd));
	if (text.bad)
		return;
	struct call *c = call_new(s, text.p, text.len, count_words(text.p, text.len), time_mono());
	if (!c)
		return;
	c->pid = c->real = pid;
	c->by_proc = true;
	c->allowed |= !strcmp(env_value(env, env_len, "TOCSIN_ALLOW"), "1");
	callers_read(pid, &self, 1, &who);
	c->below_test = who.test_at < who.run_at[0];
	c->script = who.script[0] ? mem_dup(who.script, strlen(who.script)) : NULL;
	if (!calls_add(s, c))
		call_free(c);
}

/* The words of a command line, as execve took them. */
static bool words_matter(const char *cmd, size_t len)
{
	char *argv[64]; /* the subcommand and a -h stand in front */
	size_t n = 0;

	for (const char *p = cmd; p < cmd + len && n < ARRAY_LEN(argv) - 1; p += strlen(p) + 1)
		argv[n++] = (char *)p;
	argv[n] = NULL;
	return n && shim_matters(argv);
}

void nested_proc_exec(struct nested_server *s, int pid)
{
	char exe[PATH_MAX], *env;
	struct call *shim;

	if (pid == s->root || !callers_exe(pid, exe) || !span_eq(path_base(span_of(exe)), S("go")))
		return;
	drain(s); /* a shim tells before it starts the real one */
	if (callers_same_program(pid, &s->self) || live_call(s, pid, true))
		return; /* or a go that became another version of itself */
	int parent = callers_parent(pid);
	shim = parent ? live_call(s, parent, false) : NULL;
	if (shim && !shim->by_proc) {
		shim->real = pid;
		return;
	}
	if (callers_same_program(parent, &s->self) && parent != getpid())
		return; /* the shim of the command itself */
	if (callers_exe(parent, exe) && span_eq(path_base(span_of(exe)), S("go")))
		return; /* go generate and the like hear of its failure themselves */
	long n = callers_slurp(pid, "cmdline", s->packet, sizeof(s->packet));
	if (n <= 0 || !words_matter(s->packet, (size_t)n))
		return;
	CLEANUP(buf_free) struct buf room = { 0 };
	if (!buf_need(&room, 256 * 1024))
		return;
	env = room.p;
	long e = callers_slurp(pid, "environ", env, 256 * 1024);
	if (e >= 0 && strcmp(env_value(env, (size_t)e, "TOCSIN_SHIM"), "off") != 0)
		proc_go(s, pid, env, (size_t)e, s->packet, (size_t)n);
}

void nested_proc_exit(struct nested_server *s, int pid, int st)
{
	struct call *c;

	if (!s->n_live && !s->peers)
		return;
	c = live_call(s, pid, true);
	if (c) {
		call_end(s, c, WIFEXITED(st) ? WEXITSTATUS(st) : 0, WIFSIGNALED(st) ? WTERMSIG(st) : 0, time_mono());
		if (c->by_proc)
			call_retire(s, c);
		return;
	}
	c = live_call(s, pid, false);
	if (!c || c->ended)
		return;
	drain(s); /* its last word may be there */
	c = live_call(s, pid, false);
	if (c && !c->ended && (WIFEXITED(st) || !c->real))
		call_end(s, c, WIFEXITED(st) ? WEXITSTATUS(st) : 0, WIFSIGNALED(st) ? WTERMSIG(st) : 0, time_mono());
}

/* ---- opening ---- */

/* May somebody else put a program there? Then no command of ours is looked for in it. */
static int folder_check(const char *dir, struct err *e)
{
	CLEANUP(buf_free) struct buf up = { 0 };
	struct stat st;

	if (lstat(dir, &st) < 0)
		return err_set(e, errno, TR("look at '%s': %m", "无法查看“%s”：%m"), dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, TR("'%s' is in the way: it is not a folder", "“%s”不是目录"), dir);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(e, EPERM, TR("'%s' belongs to another user or others may write to it",
					    "“%s”属于其他用户，或其他人可以写入"), dir);
	if (strchr(dir, ':'))
		return err_set(e, EINVAL, TR("'%s' cannot stand in PATH: its name has a colon", "“%s”含冒号，无法放入 PATH"), dir);
	buf_adds(&up, dir);
	while (!up.bad && up.len > 1) {
		up.len = path_dir(buf_view(&up)).n;
		up.p[up.len] = '\0';
		if (stat(up.p, &st) < 0 || ((st.st_mode & 002) && !(st.st_mode & S_ISVTX)))
			return err_set(e, EPERM, TR("everybody may write to '%s', so '%s' cannot be trusted",
						    "任何人都可以写入“%s”，因此“%s”不可信"), up.p, dir);
	}
	return up.bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
}

static int link_point(const char *dir, const char *link, const char *exe, struct err *e)
{
	char now[PATH_MAX], draft[PATH_MAX];

	ssize_t n = readlink(link, now, sizeof(now));
	if (n > 0 && span_eq((struct span){ now, (size_t)n }, span_of(exe)))
		return 0;
	if (snprintf(draft, sizeof(draft), "%s/.go.%d", dir, getpid()) >= (int)sizeof(draft))
		return err_set(e, ENAMETOOLONG, TR("'%s': %m", "“%s”：%m"), dir);
	unlink(draft); /* of a process that had our number and was killed */
	if (symlink(exe, draft) < 0 || rename(draft, link) < 0) {
		int code = errno;
		unlink(draft);
		return err_set(e, code, TR("link '%s' to '%s': %m", "无法将“%s”链接到“%s”：%m"), link, exe);
	}
	return 0;
}

static int folder_make(struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf link = { 0 };
	char exe[PATH_MAX];
	int r = path_user_dir("XDG_CACHE_HOME", ".cache", ret, e);

	if (r < 0)
		return r;
	buf_adds(ret, "/shim");
	buf_addf(&link, "%s/go", buf_str(ret));
	if (ret->bad || link.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (mkdir(ret->p, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, TR("create '%s': %m", "无法创建“%s”：%m"), ret->p);
	r = folder_check(ret->p, e);
	if (r < 0)
		return r;
	if (!callers_exe(getpid(), exe))
		return err_set(e, errno, TR("find this program's own file: %m", "无法找到本程序的文件：%m"));
	if (access(exe, X_OK) == 0)
		r = link_point(ret->p, link.p, exe, e);
	if (r == 0 && access(link.p, X_OK) < 0)
		return err_set(e, errno, TR("'%s' cannot be executed: %m", "“%s”无法执行：%m"), link.p);
	return r;
}

/* tocsin-PID-RANDOM: the same for all attempts of one process. */
const char *nested_run_id(void)
{
	static char id[40];
	uint64_t rnd = (uint64_t)time_mono();

	if (!id[0]) {
		if (getrandom(&rnd, sizeof(rnd), GRND_NONBLOCK) < 0)
			rnd ^= (uint64_t)time_wall() << 20;
		snprintf(id, sizeof(id), "tocsin-%d-%016llx", getpid(), (unsigned long long)rnd);
	}
	return id;
}

static int listen_open(struct nested_server *s, struct err *e)
{
	static unsigned count;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "%s-%u", nested_run_id(), ++count);

	s->name = mem_dup(a.sun_path + 1, (size_t)n);
	if (!s->name)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0 ||
	    listen(s->fd, 4096) < 0)
		return err_set(e, errno, TR("listen for nested go commands: %m", "无法监听内层 go 命令：%m"));
	return loop_fd(s->loop, s->fd, EPOLLIN, on_listener, s, &s->w, e);
}

static char *outer_runs(void) /* at most so many that ours fits in front */
{
	const char *outer = getenv("TOCSIN_RUN");
	struct span rest = span_of(outer ? outer : ""), all = rest;

	for (int i = 1; i < SHIM_LEVELS && rest.n; i++)
		span_cut(&rest, ',');
	all.n -= rest.n;
	while (all.n && all.p[all.n - 1] == ',')
		all.n--;
	return mem_dup(all.n ? all.p : "", all.n);
}

static int env_make(struct nested_server *s, const char *dir, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 }, run = { 0 };
	CLEANUP(mem_free) char *outer = outer_runs();
	const char *old = getenv("PATH");
	char go[PATH_MAX];
	struct span rest = span_of(old ? old : "");
	struct file_id self = { s->self.st_dev, s->self.st_ino };

	buf_addf(&run, "TOCSIN_RUN=%s%s%s", s->name, outer && *outer ? "," : "", outer ? outer : "");
	/* Where there is no go, `command -v go` must go on saying so; and an outer run's PATH is fine as it is. */
	bool there = old && span_eq(span_cut(&rest, ':'), span_of(dir));
	bool wanted = old && !there && shim_find_go(old, dir, strlen(dir), &self, 1, go) == 0;
	s->no_go = !there && !wanted;
	if (wanted)
		buf_addf(&path, "PATH=%s:%s", dir, old);
	s->env[0] = run.bad ? NULL : mem_dup(run.p, run.len);
	s->env[1] = wanted && !path.bad ? mem_dup(path.p, path.len) : NULL;
	if (!outer || !s->env[0] || (wanted && !s->env[1]))
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	s->env_list[0] = s->env[0];
	s->env_list[1] = s->env[1];
	return 0;
}

int nested_open(struct loop *l, const char *const *allow, struct nested_server **ret, struct err *e)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	const char *off = getenv("TOCSIN_SHIM");
	struct nested_server *s;

	if (off && !strcmp(off, "off"))
		return err_set(e, ECANCELED, TR("turned off by TOCSIN_SHIM=off", "已由 TOCSIN_SHIM=off 关闭"));
	int r = folder_make(&dir, e);
	if (r < 0)
		return r;
	s = mem_zalloc(sizeof(*s));
	if (!s)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	s->loop = l;
	s->allow = allow;
	s->fd = -1;
	s->began = time_mono();
	r = stat("/proc/self/exe", &s->self) < 0 ?
		err_set(e, errno, TR("find this program's own file: %m", "无法找到本程序的文件：%m")) : listen_open(s, e);
	if (r == 0)
		r = env_make(s, dir.p, e);
	if (r < 0) {
		nested_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

const char *const *nested_env(const struct nested_server *s)
{
	return s->env_list;
}

void nested_panics(struct nested_server *s, run_panics_fn *fn, void *ctx)
{
	s->panics = fn;
	s->panics_ctx = ctx;
}

const char *nested_idle(const struct nested_server *s)
{
	return s->no_go ? TR("there is no go on PATH to stand in front of", "PATH 中没有可供前置的 go") : NULL;
}

void nested_root(struct nested_server *s, int pid)
{
	s->root = pid;
	s->began = time_mono();
}

void nested_close(struct nested_server *s)
{
	if (!s)
		return;
	while (s->peers)
		peer_close(s->peers);
	loop_remove(s->loop, s->w);
	fd_close(s->fd);
	for (size_t i = 0; i < s->n_calls; i++)
		call_free(s->calls[i]);
	mem_free(s->calls);
	inner_free(&s->inner);
	mem_free(s->env[0]);
	mem_free(s->env[1]);
	mem_free(s->name);
	mem_free(s);
}

/* ---- the answer ---- */

void nested_stopping(struct nested_server *s)
{
	drain(s);
	for (size_t i = 0; i < s->n_calls; i++)
		s->calls[i]->stopped |= !s->calls[i]->ended;
}

static bool copy_call(struct arena *mem, const struct nested_server *s, const struct call *c, struct nested *to)
{
	int64_t now = time_mono();

	*to = (struct nested){ .pid = c->pid, .how = c->ended ? c->how : END_UNKNOWN, .code = c->code, .sig = c->sig,
		.started = c->began > s->began ? c->began - s->began : 0, .duration = (c->ended ? c->end : now) - c->began,
		.below_test = c->below_test, .allowed = c->allowed, .recovered = c->recovered };
	to->argv.n = c->argv.n;
	to->argv.v = arena_alloc(mem, (c->argv.n + 1) * sizeof(*to->argv.v));
	to->cwd = arena_str(mem, span_of(c->cwd));
	to->script = c->script ? arena_str(mem, span_of(c->script)) : NULL;
	for (size_t i = 0; to->argv.v && i < c->argv.n; i++) {
		to->argv.v[i] = arena_str(mem, span_of(c->argv.v[i]));
		if (!to->argv.v[i])
			return false;
	}
	return to->argv.v && to->cwd && (to->script || !c->script);
}

/* An inner run's success is no command of its own; nor is its failure when a go command below it tells it. */
static bool is_shown(const struct call *c)
{
	return !c->inner || (is_failure(c) && !c->allowed);
}

/* Go commands that were not called through PATH: --panics could not reach them. */
static size_t count_past_us(const struct nested_server *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_calls; i++) {
		const struct call *c = s->calls[i];
		struct gocmd go;
		if (!c->by_proc || c->below_test)
			continue;
		gocmd_read(&c->argv, &go);
		n += go.sub && (go.is_test || !strcmp(go.sub, "run"));
	}
	return n;
}

int nested_take(struct nested_server *s, struct report *r, struct err *e)
{
	size_t n = 0;

	drain(s);
	r->commands = arena_alloc(&r->mem, (s->n_calls + 1) * sizeof(*r->commands));
	for (size_t i = 0; r->commands && i < s->n_calls; i++) {
		if (!is_shown(s->calls[i]))
			continue;
		if (!copy_call(&r->mem, s, s->calls[i], &r->commands[n]))
			r->commands = NULL;
		else
			n++;
	}
	if (!r->commands) {
		r->n_commands = 0;
		return err_set(e, ENOMEM, TR("out of memory: nested go commands are not listed", "内存不足：未列出内层 go 命令"));
	}
	r->n_commands = n;
	if (!inner_give(&s->inner, r))
		return err_set(e, ENOMEM, TR("out of memory: findings of inner runs are not listed", "内存不足：未列出内层运行的问题"));
	if (s->forgotten)
		list_add(&r->mem, &r->limits, arena_printf(&r->mem,
			TR("more than %d nested go commands failed; %zu are not listed", "失败的内层 go 命令超过 %d 个，其中 %zu 个未列出"),
			CALLS_MAX, s->forgotten));
	size_t past = s->panics ? count_past_us(s) : 0;
	if (past)
		list_add(&r->mem, &r->limits, arena_printf(&r->mem,
			TR("%zu go test or go run commands were not called through PATH: --panics did not reach them",
			   "%zu 个 go test 或 go run 命令未通过 PATH 调用：--panics 对其无效"), past));
	if (s->refused)
		list_add(&r->mem, &r->limits, arena_str(&r->mem, span_of(
			TR("too many files were open: not every nested go command was heard", "打开的文件过多：部分内层 go 命令未被记录"))));
	return 0;
}
