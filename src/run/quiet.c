/* A go command, or the git below it, that waits for the network and hears nothing: go itself would wait for ever. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/supervise.h"

#define BEAT_MIN (NSEC_PER_SEC / 4)
#define BEAT_MAX (5 * NSEC_PER_SEC)
#define TICKS_IDLE 5 /* what an idle runtime may use */

static bool is_loader(const struct proc *p)
{
	return !strcmp(p->name, "go") || !strncmp(p->name, "git", 3) || !strcmp(p->name, "ssh");
}

static bool is_leaf(const struct tree *t, int pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].ppid == pid)
			return false;
	return true;
}

/* Bytes that it has read and written, sockets and files alike; -1: not to be had. */
static int64_t moved(int pid)
{
	CLEANUP(buf_free) struct buf text = { .max = 4096 };
	char path[64];
	int64_t sum = 0, n;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	if (file_slurp(path, &text, NULL) < 0)
		return -1;
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		if ((span_skip(&line, S("rchar: ")) || span_skip(&line, S("wchar: "))) && span_int(line, &n))
			sum += n;
	}
	return sum;
}

static bool is_tcp(int pid, struct span inode)
{
	static const char *const tables[] = { "tcp", "tcp6" };
	char path[64], word[40];

	snprintf(word, sizeof(word), " %.*s ", SPAN_ARG(inode));
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		CLEANUP(buf_free) struct buf text = { .max = 8 << 20 };
		snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, tables[i]);
		if (file_slurp(path, &text, NULL) == 0 && span_find(buf_view(&text), span_of(word)) != SPAN_NONE)
			return true;
	}
	return false;
}

/* Does it have a connection, or is it making one? */
static bool has_connection(int pid)
{
	char path[64], to[64];
	struct dirent *d;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *list = opendir(path);
	while (list && !found && (d = readdir(list))) {
		ssize_t n = readlinkat(dirfd(list), d->d_name, to, sizeof(to) - 1);
		struct span s = { to, n > 0 ? (size_t)n : 0 };
		if (atoi(d->d_name) > 2 && span_skip(&s, S("socket:[")) && span_ends(s, S("]")))
			found = is_tcp(pid, span_head(s, s.n - 1));
	}
	if (list)
		closedir(list);
	return found;
}

static struct quiet *remembered(struct run *x, const struct proc *p)
{
	for (size_t i = 0; i < QUIET_MAX; i++)
		if (x->quiet[i].pid == p->pid && x->quiet[i].start == p->start)
			return &x->quiet[i];
	struct quiet *oldest = x->quiet; /* else the place of the one that was not seen for longest */
	for (size_t i = 1; i < QUIET_MAX; i++)
		if (x->quiet[i].seen < oldest->seen)
			oldest = &x->quiet[i];
	*oldest = (struct quiet){ .pid = p->pid, .start = p->start, .io = -2 };
	return oldest;
}

static bool is_quiet(struct run *x, const struct proc *p, int64_t now)
{
	struct quiet *q = remembered(x, p);
	int64_t io = moved(p->pid);

	q->seen = now;
	if (io != q->io || io < 0 || p->used > q->used + TICKS_IDLE) {
		q->io = io;
		q->used = p->used;
		q->since = now;
	}
	return io >= 0 && now - q->since >= x->c->network_stall && has_connection(p->pid);
}

bool stop_waits_for_network(struct run *x, int64_t now)
{
	CLEANUP(tree_free) struct tree t = { 0 };

	if (!x->c->network_stall)
		return false;
	stop_scan(x, &t);
	for (size_t i = 0; i < t.n; i++) {
		const struct quiet *q = is_loader(&t.v[i]) && is_leaf(&t, t.v[i].pid) ? remembered(x, &t.v[i]) : NULL;
		if (q && q->since && now - q->since >= x->c->network_stall / 2 && has_connection(t.v[i].pid))
			return true;
	}
	return false;
}

void stop_quiet(void *ctx, int64_t now)
{
	CLEANUP(tree_free) struct tree t = { 0 };
	struct run *x = ctx;
	int64_t beat = x->c->network_stall / 8;

	if (x->ended)
		return;
	if (x->c->hung && x->c->hung(x->c->ctx, now)) {
		x->r->ending.network = true;
		stop_limit(x, STOP_STALL, x->c->network_stall);
		return;
	}
	beat = beat < BEAT_MIN ? BEAT_MIN : beat > BEAT_MAX ? BEAT_MAX : beat;
	if (now - x->quiet_looked >= beat && !x->stopped) {
		x->quiet_looked = now;
		stop_scan(x, &t);
		for (size_t i = 0; i < t.n; i++) {
			if (!is_loader(&t.v[i]) || !is_leaf(&t, t.v[i].pid) || !is_quiet(x, &t.v[i], now))
				continue;
			x->r->ending.network = true;
			stop_limit(x, STOP_STALL, x->c->network_stall);
			return;
		}
	}
	loop_timer_set(x->loop, x->quiet_timer, now + BEAT_MIN);
}
