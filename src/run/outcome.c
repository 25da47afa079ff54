/* What is said of a run when it is over: its ending with proof, resources, left-overs, facilities. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/supervise.h"
#include "run/why.h"

void outcome_limit(struct run *x, const char *text)
{
	if (text)
		list_add(&x->r->mem, &x->r->limits, text);
}

void outcome_note(struct run *x, int pid, int sig, const char *command)
{
	/* SIGPIPE is the common end of `yes | head`; what our own ladder ended has been named before. */
	if (sig == SIGPIPE || (sig && stop_is_ours(x)))
		return;
	for (size_t i = 0; i < x->n_notes; i++)
		if (x->notes[i].pid == pid && x->notes[i].sig == sig)
			return;
	if (x->n_notes == NOTES_MAX) {
		x->notes_full = true;
		return;
	}
	x->notes[x->n_notes++] = (struct proc_note){
		.pid = pid, .sig = sig,
		.command = command ? arena_str(&x->r->mem, span_of(command)) : NULL,
	};
}

static bool holds_output(const struct run *x, int pid)
{
	for (size_t i = 0; i < x->relay.n; i++) {
		const struct source *s = &x->relay.source[i];
		if (s->fd >= 0 && x->pty.master < 0 && tree_holds(pid, s->inode))
			return true;
	}
	return false;
}

/* Whom nobody waits for may still be in the group. */
static bool is_alone(const struct run *x)
{
	CLEANUP(pids_free) struct pids in = { 0 };

	return x->childless && (!x->group.version || (cgroup_pids(&x->group, &in) == 0 && in.n == 0));
}

void outcome_left_over(struct run *x, bool ending)
{
	CLEANUP(tree_free) struct tree t = { 0 };

	if (is_alone(x))
		return;
	stop_scan(x, &t);
	for (size_t i = 0; i < t.n && !x->notes_full; i++) {
		size_t n = x->n_notes;
		outcome_note(x, t.v[i].pid, 0, tree_command(&x->r->mem, t.v[i].pid));
		if (x->n_notes == n)
			continue;
		x->notes[n].holds_output = holds_output(x, t.v[i].pid);
		x->notes[n].ended_by_us = ending;
	}
}

void outcome_not_started(struct run *x, const char *path, const char *search, int err, bool fork)
{
	struct start_failure f = { .name = x->c->argv.v[0], .path = path, .argv = x->c->argv.v, .search = search,
		.err = err, .fork = fork };
	struct ending *end = &x->r->ending;
	struct why why;

	why_not_started(&f, &why);
	*end = (struct ending){ .how = END_NOT_STARTED, .code = why.code, .start_cause = why.cause,
		.why = arena_str(&x->r->mem, span_of(why.text)) };
}

static const char *signal_word(int sig, char room[16])
{
	const char *abbrev = sigabbrev_np(sig);

	if (abbrev)
		snprintf(room, 16, "SIG%s", abbrev);
	else
		snprintf(room, 16, "%d", sig);
	return room;
}

static bool oom_find(struct run *x)
{
	struct ending *end = &x->r->ending;
	struct killed v[NOTES_MAX + 1];
	size_t n = 0;

	if (end->how == END_SIGNAL)
		v[n++] = (struct killed){ x->child.pid, end->sig, stop_is_ours(x) };
	for (size_t i = 0; i < x->n_notes; i++)
		if (x->notes[i].sig)
			v[n++] = (struct killed){ x->notes[i].pid, x->notes[i].sig, x->notes[i].ended_by_us };
	bool failed = (end->how == END_SIGNAL || end->code) && (!x->conn || connector_lost(x->conn));
	end->oom = proof_oom(&x->proof, v, n, failed, &x->r->mem, &end->why);
	return end->oom != OOM_NO;
}

static const char *limit_why(struct run *x)
{
	static const char *const last[] = { "", "SIGQUIT", "SIGTERM", "SIGKILL" };
	char limit[24];

	duration_text(x->r->ending.limit_ns, limit);
	if (x->r->ending.stop == STOP_TIMEOUT)
		return arena_printf(&x->r->mem, TR("it still ran after %s; the last signal it needed was %s",
			"运行 %s 后仍未结束；最后发送的信号是 %s"), limit, last[x->rung]);
	return arena_printf(&x->r->mem, TR("no output and no finished work for %s; the last signal it needed was %s",
		"%s 内没有输出，也没有完成任何工作；最后发送的信号是 %s"), limit, last[x->rung]);
}

static const char *stop_why(struct run *x)
{
	struct ending *end = &x->r->ending;
	struct arena *mem = &x->r->mem;
	char word[16], last[16];
	const char *why;

	signal_word(end->stop_sig, word);
	if (end->sender_pid)
		why = arena_printf(mem, TR("%s was sent to Tocsin by process %d (%s) and passed on", "%s 由进程 %d（%s）发给 Tocsin，已转发"), word, end->sender_pid,
				   end->sender ? end->sender : "?");
	else
		why = arena_printf(mem, TR("%s came from the terminal or the kernel and was passed on", "%s 来自终端或内核，已转发"), word);
	if (!why || end->how != END_SIGNAL || end->sig == end->stop_sig)
		return why;
	signal_word(end->sig, last);
	return arena_printf(mem, TR("%s; %s ended it", "%s；最终被 %s 终止"), why, last);
}

static const char *signal_why(struct run *x)
{
	struct ending *end = &x->r->ending;
	struct arena *mem = &x->r->mem;
	char word[16];

	if (end->stop == STOP_SIGNAL)
		return stop_why(x);
	signal_word(end->sig, word);
	if (end->cpu_limit) {
		char limit[24];
		duration_text(x->cpu_limit_ns, limit);
		return arena_printf(mem, TR("%s: it had used up its CPU time limit of %s (ulimit -t)",
			"%s：CPU 时间已达到上限 %s（ulimit -t）"), word, limit);
	}
	if (end->sig == SIGKILL)
		return arena_printf(mem, x->proof.cgroup_kills >= 0 || x->proof.machine_kills >= 0 ?
			TR("%s from outside: not sent by Tocsin, and no memory kill was counted by the kernel",
			   "外部发送的 %s：不是 Tocsin 发送的，内核也没有记录因内存而杀死进程") :
			TR("%s from outside: not sent by Tocsin; the kernel's memory counters cannot be read here",
			   "外部发送的 %s：不是 Tocsin 发送的；此处无法读取内核的内存计数"), word);
	return arena_printf(mem, end->core ? TR("%s ended it, and a core was dumped", "被 %s 终止，并生成了 core 文件") :
		TR("%s ended it; it was not sent by Tocsin", "被 %s 终止；不是 Tocsin 发送的"), word);
}

static void ending_fill(struct run *x)
{
	struct ending *end = &x->r->ending;
	bool killed = x->status_code != CLD_EXITED;

	end->how = killed ? END_SIGNAL : END_EXIT;
	end->code = killed ? 0 : x->status;
	end->core = x->status_code == CLD_DUMPED;
	/* Who was asked to end may have died of something else. What our own ladder sent in the end stands for what was asked; of a service it is told. */
	if (killed && (end->stop != STOP_SIGNAL || x->service || x->rung == RUNG_NONE))
		end->sig = x->status;
	end->cpu_limit = x->cpu_limit_ns > 0 && end->stop == STOP_NONE;
	if (end->stop == STOP_TIMEOUT || end->stop == STOP_STALL)
		end->why = limit_why(x);
	else if (!end->cpu_limit && oom_find(x))
		return;
	else if (killed || end->stop == STOP_SIGNAL)
		end->why = signal_why(x);
}

static void resources_fill(struct run *x)
{
	const struct rusage *u = &x->used;

	x->r->resources = (struct resources){
		.known = true,
		.cpu_ns = (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * NSEC_PER_SEC +
			  (u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000,
		.max_rss_kb = u->ru_maxrss,
		.tree_rss_kb = cgroup_peak_kb(&x->group),
		.read_bytes = (int64_t)u->ru_inblock * 512,
		.write_bytes = (int64_t)u->ru_oublock * 512,
	};
}

static void limits_fill(struct run *x)
{
	struct arena *mem = &x->r->mem;

	if (x->conn && connector_lost(x->conn))
		outcome_limit(x, TR("the kernel's process events came too fast: some were missed",
			"内核的进程事件过多：有一部分丢失"));
	if (x->notes_full)
		outcome_limit(x, arena_printf(mem, TR("only the first %d killed or left-over processes are listed",
			"只列出前 %d 个被杀死或遗留的进程"), NOTES_MAX));
	for (size_t i = 0; i < x->relay.n; i++) {
		int err = x->relay.source[i].sink.broken;
		if (err && err != EPIPE)
			outcome_limit(x, arena_printf(mem, TR("our own %s could not be written (%s): output is missing there, the judgement is complete",
				"无法写入自身的%s（%s）：那里缺少部分输出，但判断是完整的"),
				x->relay.source[i].stream == STREAM_ERR ? TR("standard error", "标准错误") :
				TR("standard output", "标准输出"), strerror(err)));
	}
}

void outcome_fill(struct run *x)
{
	struct report *r = x->r;

	r->duration_ns = (x->ended ? x->ended : time_mono()) - x->began;
	if (r->ending.how != END_NOT_STARTED) {
		ending_fill(x);
		resources_fill(x);
	}
	limits_fill(x);
	r->procs = x->n_notes ? arena_alloc(&r->mem, x->n_notes * sizeof(*r->procs)) : NULL;
	r->n_procs = r->procs ? x->n_notes : 0;
	if (r->procs)
		memcpy(r->procs, x->notes, x->n_notes * sizeof(*r->procs));
}
