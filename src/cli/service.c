#include "cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/alarm.h"
#include "cli/history.h"
#include "diagnose/goroutines.h"
#include "diagnose/watch.h"
#include "model/fingerprint.h"
#include "model/redact_report.h"
#include "snap/snap.h"

#define GROUPS_MAX 200                    /* different findings of one run */
#define NOTES_MAX 50                      /* what went wrong beside it */
#define PROC_REST (10 * NSEC_PER_SEC)     /* between two looks at a process that says that it dies */
#define SNAP_REST (10 * NSEC_PER_SEC)     /* between two snapshots of a service that lives */
#define SNAP_BURST 3                      /* that may be taken without rest */
#define EXCERPT_SAID 1600                 /* bytes of it that come back from work */
#define SAID_LATE NSEC_PER_SEC            /* the longest wait of what is said for its snapshot */
#define WORK_LIMIT (60 * NSEC_PER_SEC)
#define HEALTH_EVERY (10 * NSEC_PER_SEC)
#define HEALTH_FAILS 3
#define DELAY_FIRST NSEC_PER_SEC
#define DELAY_MOST (300 * NSEC_PER_SEC)
#define HEALTHY_FACTOR 10                 /* who lived so many times its last delay begins anew */

const char *const restart_names[] = { "never", "on-crash", NULL };
const char *const on_hang_names[] = { "tell", "end", NULL };
enum { RESTART_NEVER, RESTART_ON_CRASH };
enum { ON_HANG_TELL, ON_HANG_END };

enum reason { REASON_RECOVERED, REASON_HANG, REASON_CRASH, REASON_DEMAND };
static const char *const reason_words[] = { "recovered", "hang", "crash", "demand" };

struct group { /* findings with one fingerprint */
	struct finding f;    /* its texts are in mem */
	char key[FINGERPRINT_LEN + 1]; /* as it was when it was found: a dump may have told more since */
	enum reason reason;
	bool waits;          /* nobody was told of it yet */
	bool said;           /* on stderr */
	bool recorded;
	struct arena mem;
};

struct service {
	struct session *s;
	struct output *out;
	int pid;
	struct group groups[GROUPS_MAX];
	size_t n;
	int64_t others;        /* findings beyond these */
	int notes;
	const char *dir;       /* of the snapshots; NULL: in the state directory */
	int64_t budget;
	/* work beside it */
	struct group *at_work; /* NULL: a snapshot on demand */
	int64_t work_since;
	char id[27], event[27]; /* of the snapshot, and of the report */
	bool snaps;
	bool demand;
	int64_t end_hung;      /* it is to be ended when the snapshot is there: how long it was quiet; 0: no */
	int64_t rest_from;     /* of snapshots */
	int burst;
	/* of the process that dies */
	struct buf proc;
	int64_t proc_at;
	int crashes;
	const char **variables; /* of every life */
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* Days are long: what is said again and again is said some times. */
static void note(struct service *v, const char *text)
{
	if (v->notes++ < NOTES_MAX)
		session_note(v->s, text);
}

static void on_note(void *ctx, const char *text)
{
	note(ctx, text);
}

/* ---- what was found ---- */

static struct group *find_group(struct service *v, const char *fingerprint)
{
	for (size_t i = 0; i < v->n; i++) {
		if (!strcmp(v->groups[i].key, fingerprint) || !strcmp(v->groups[i].f.fingerprint, fingerprint))
			return &v->groups[i];
	}
	return NULL;
}

/* f: its texts live for the call; it has no fingerprint yet. NULL: seen before, or there is no room. */
static struct group *take_finding(struct service *v, const struct finding *f, enum reason why)
{
	struct report r = { .argv = v->s->user, .cwd = v->s->where.shown };
	char fingerprint[FINGERPRINT_LEN + 1];

	fingerprint_make(&r, f, fingerprint);
	struct group *g = find_group(v, fingerprint);
	if (g) {
		g->f.count++;
		g->recorded = g->recorded && why != REASON_CRASH; /* each crash is one more in the library */
		return NULL;
	}
	if (v->n == GROUPS_MAX) {
		v->others++;
		return NULL;
	}
	g = &v->groups[v->n++];
	*g = (struct group){ .f = *f, .reason = why, .waits = true };
	struct span *const texts[] = { &g->f.package, &g->f.test, &g->f.file, &g->f.message, &g->f.excerpt, &g->f.advice };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = arena_span(&g->mem, *texts[i]);
	g->f.places = NULL;
	g->f.n_places = 0;
	g->f.command = (struct argv){ 0 };
	g->f.owners = (struct list){ 0 };
	g->f.fault = (struct fault_ref){ 0 };
	g->f.count = 1;
	memcpy(g->f.fingerprint, fingerprint, sizeof(fingerprint));
	memcpy(g->key, fingerprint, sizeof(fingerprint));
	return g;
}

/* A file as people and fingerprints know it: below the working directory. */
static struct span relative(const struct session *s, struct span file)
{
	struct span cwd = span_of(s->where.cwd), rest = file;

	return cwd.n && span_skip(&rest, cwd) && span_skip(&rest, S("/")) ? rest : file;
}

static struct finding plain_finding(enum cause c, struct span message)
{
	const struct cause_info *info = &cause_table[c];

	return (struct finding){ .cause = c, .severity = info->severity, .classes = info->classes, .message = message, .advice = span_of(tx(info->advice)) };
}

/* In the log of a container it is the only place to look. */
static void say_found(struct service *v, struct group *g)
{
	CLEANUP(buf_free) struct buf text = { 0 }, clean = { 0 };
	const struct finding *f = &g->f;

	if (g->said && f->snapshot) /* it took its time */
		buf_addf(&text, TR("snapshot %s", "快照 %s"), f->snapshot);
	if (g->said) {
		if (text.len)
			view_say(&v->s->view, buf_str(&text));
		return;
	}
	g->said = true;
	buf_addf(&text, "%s%s%.*s", cause_table[f->cause].id, TR(": ", "："), SPAN_ARG(utf8_head(f->message, 300)));
	if (f->file.n)
		buf_addf(&text, " (%.*s:%d)", SPAN_ARG(f->file), f->line);
	if (f->snapshot)
		buf_addf(&text, TR("; snapshot %s", "；快照 %s"), f->snapshot);
	redact_text(v->s->redact, buf_view(&text), &clean);
	view_say(&v->s->view, buf_str(&clean));
}

static void on_event(void *ctx, const struct watch_event *e)
{
	struct service *v = ctx;
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_addf(&text, "%s: %.*s", e->source, SPAN_ARG(e->value)); /* as logscan_findings has it: live or from a file, it is one */
	struct finding f = plain_finding(e->cause, buf_view(&text));
	f.file = relative(v->s, e->file);
	f.line = e->line;
	f.excerpt = e->stack;
	take_finding(v, &f, REASON_RECOVERED);
}

/* It says that it dies; its memory and descriptors are there for a moment. */
static void on_dying(void *ctx)
{
	struct service *v = ctx;
	int64_t now = time_mono();

	if (v->proc.len && now - v->proc_at < PROC_REST)
		return;
	buf_clear(&v->proc);
	v->proc_at = now;
	snap_proc(v->pid, &v->proc);
}

static void cpu_words(const struct run_hang *h, struct buf *ret)
{
	char used[24], over[24];

	duration_text(h->cpu_ns, used);
	duration_text(h->over_ns, over);
	if (h->spins)
		buf_addf(ret, TR("it spins: %s of CPU time in %s, %d of %d threads running", "它在空转：%2$s 内用了 %1$s CPU 时间，%4$d 个线程中 %3$d 个在运行"), used, over, h->running,
			 h->threads);
	else
		buf_addf(ret, TR("its %d threads wait: %s of CPU time in %s", "它的 %1$d 个线程都在等待：%3$s 内只用了 %2$s CPU 时间"), h->threads, used, over);
	if (!h->spins && h->uninterruptible)
		buf_addf(ret, TR("; %d of them in the kernel, where no signal reaches them", "；其中 %d 个处于内核不可中断状态"), h->uninterruptible);
	if (!h->spins && h->waits[0])
		buf_addf(ret, TR("; the first in %s", "；首个线程在 %s"), h->waits);
}

static void on_hang(void *ctx, struct run *x, const struct run_hang *h)
{
	struct service *v = ctx;
	CLEANUP(buf_free) struct buf text = { 0 };
	char quiet[24];

	duration_text(h->quiet_ns, quiet);
	if (h->health)
		buf_addf(&text, TR("the health check fails for %s (%s), and ", "健康检查已失败 %s（%s），并且"), quiet, h->answer);
	else
		buf_addf(&text, TR("no output for %s, and ", "%s 没有输出，并且"), quiet);
	cpu_words(h, &text);
	struct finding f = plain_finding(CAUSE_PROC_STALL, buf_view(&text));
	f.advice = span_of(v->s->o->pprof ? TR("Read who waits for whom: `tocsin explain` on goroutines.txt of the snapshot; cpu.pb.gz shows where it spins.",
					      "查看谁在等谁：对快照中的 goroutines.txt 使用 `tocsin explain`；空转的位置见 cpu.pb.gz。") :
					   TR("Give --pprof the address of net/http/pprof, or use --on-hang end: then its goroutines are kept.",
					      "用 --pprof 指定 net/http/pprof 的地址，或使用 --on-hang end：这样会保存它的 goroutine。"));
	struct group *g = take_finding(v, &f, REASON_HANG);
	if (h->ends && (!g || !v->s->o->pprof))
		run_end_hung(x, h->quiet_ns);
	else if (h->ends)
		v->end_hung = h->quiet_ns;
}

/* ---- work beside it: in a process of its own ---- */

/* Which snapshot is taken: not one a second. */
static bool may_snap(struct service *v, int64_t now)
{
	if (now - v->rest_from >= SNAP_REST)
		v->burst = 0;
	if (v->burst >= SNAP_BURST)
		return false;
	if (v->burst++ == 0)
		v->rest_from = now;
	return true;
}

static void snap_request(struct service *v, const struct group *g, enum reason why, struct snap_request *ret)
{
	const struct run_values *o = v->s->o;
	CLEANUP(buf_free) struct buf words = { 0 };

	say_argv(&words, &v->s->user);
	*ret = (struct snap_request){
		.id = v->id, .at = time_wall(), .dir = v->dir, .budget = v->budget, .reason = reason_words[why], .run = v->event, .redact = v->s->redact,
		.command = arena_str(&v->s->mem, buf_view(&words)), .log = output_tail(v->out), .pid = v->pid, .pprof = o->pprof,
		.profile = why == REASON_HANG || why == REASON_DEMAND,
	};
	if (!g)
		return;
	ret->cause = cause_table[g->f.cause].id;
	ret->fingerprint = g->f.fingerprint;
	ret->message = g->f.message;
	ret->crash = g->f.excerpt;
}

/* For who hears the work: one line a fact, and little of each. */
static void say_cause(const struct finding *f, int fd)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_addf(&text, "cause\t%s\t%s\t%.*s\t%d\t%.*s\nexcerpt\t", cause_table[f->cause].id, f->fingerprint, SPAN_ARG(span_head(f->file, 400)), f->line,
		 SPAN_ARG(span_head(f->message, 600)));
	size_t at = text.len;
	buf_span(&text, redact_head(f->excerpt, EXCERPT_SAID));
	for (size_t i = at; i < text.len; i++)
		text.p[i] = text.p[i] == '\n' ? '\1' : text.p[i];
	buf_addc(&text, '\n');
	if (!text.bad)
		fd_write_all(fd, buf_view(&text));
}

/* What leads from the dump to why it hangs, if it shows that: that it does hang is known already. */
static void read_dump(struct service *v, struct group *g, struct span dump, int fd)
{
	struct report r = { .argv = v->s->user, .cwd = v->s->where.shown };
	struct goroutines *all = NULL;
	struct err none;

	if (g->reason != REASON_HANG || !dump.n || goroutines_new(&all, &none) < 0)
		return;
	goroutines_feed(all, dump);
	goroutines_end(all);
	goroutines_findings(all, &r, true);
	for (size_t i = 0; i < r.n_findings; i++) {
		const struct finding *f = &r.findings[i];
		if (f->cause != CAUSE_GO_BLOCKED)
			continue;
		CLEANUP(buf_free) struct buf text = { 0 };
		struct span said = span_head(f->message, span_chr(f->message, '\n'));
		buf_addf(&text, "%.*s; %.*s", SPAN_ARG(said), SPAN_ARG(g->f.message));
		g->f.message = arena_span(&g->mem, buf_view(&text));
		g->f.excerpt = arena_span(&g->mem, f->excerpt);
		g->f.file = arena_span(&g->mem, relative(v->s, f->file));
		g->f.line = f->line;
		g->f.cause = f->cause;
		g->f.advice = span_of(tx(cause_table[f->cause].advice));
		fingerprint_make(&r, &g->f, g->f.fingerprint);
		say_cause(&g->f, fd);
		break;
	}
	report_free(&r);
	goroutines_free(all);
}

static enum outcome outcome_of(enum reason why)
{
	return why == REASON_HANG ? OUTCOME_STALLED : why == REASON_CRASH ? OUTCOME_CRASHED : OUTCOME_FAILED;
}

/* Owe the alert, then record it: each in its own time, neither holds the other up. */
static void tell(struct service *v, struct group *g, int fd)
{
	struct session *s = v->s;
	struct report r = { 0 };
	struct finding f = g->f;
	CLEANUP(buf_free) struct buf advice = { 0 }, ids = { 0 };

	if (f.snapshot) {
		buf_addf(&advice, TR("%.*s The moment is kept in %s", "%.*s 当时的证据保存在 %s"), SPAN_ARG(f.advice), f.snapshot);
		f.advice = buf_view(&advice);
	}
	if (alarm_report(s, &f, outcome_of(g->reason), &r) == 0) {
		memcpy(r.id, v->event, sizeof(r.id));
		struct span said = report_text(&r, TR("the service goes on: %.*s", "服务仍在运行：%.*s"), SPAN_ARG(span_head(f.message, 400)));
		if (g->reason == REASON_CRASH)
			said = report_text(&r, TR("the service crashed, and is started again: %.*s", "服务崩溃，将重新启动：%.*s"), SPAN_ARG(span_head(f.message, 400)));
		r.summary = said.p;
		report_redact(s->redact, &r);
		if (g->waits && alarm_owe(s, &r, &ids) > 0)
			dprintf(fd, "owed\t%.*s\n", SPAN_ARG(span_head(buf_view(&ids), 27 * 40)));
		if (!s->o->no_store) {
			r.outcome = OUTCOME_NONE; /* a moment of the run, whose end is recorded in its time */
			history_record(s, &r);
			const struct fault_ref *t = r.n_findings ? &r.findings[0].fault : NULL;
			dprintf(fd, "recorded\t%s\t%s\t%lld\n", t && t->id ? t->id : "", t && t->state ? t->state : "", t ? (long long)t->count : 0);
			store_close(s->store);
			s->store = NULL;
		}
	}
	report_free(&r);
}

static void work(void *ctx, int fd)
{
	struct service *v = ctx;
	struct group *g = v->at_work;
	CLEANUP(buf_free) struct buf path = { 0 }, dump = { 0 };
	struct snap_request q;
	struct err e;
	bool first = g && g->reason == REASON_RECOVERED; /* nothing in the snapshot changes what is told */

	if (first)
		tell(v, g, fd);
	if (v->snaps) {
		snap_request(v, g, g ? g->reason : REASON_DEMAND, &q);
		if (snap_take(&q, &path, &dump, &e) < 0)
			dprintf(fd, "failed\t%s\n", e.msg);
		else
			dprintf(fd, "snapshot\t%s\n", buf_str(&path));
	}
	if (g && !first) {
		read_dump(v, g, buf_view(&dump), fd);
		tell(v, g, fd);
	}
	dprintf(fd, "end\n");
}

static void take_cause(struct service *v, struct group *g, struct span rest)
{
	enum cause c = cause_by_id(span_cut(&rest, '\t'));
	struct span key = span_cut(&rest, '\t'), file = span_cut(&rest, '\t'), line = span_cut(&rest, '\t');
	int64_t n = 0;

	if (!c || !g)
		return;
	if (key.n == FINGERPRINT_LEN)
		memcpy(g->f.fingerprint, key.p, key.n);
	g->f.cause = c;
	g->f.severity = cause_table[c].severity;
	g->f.classes = cause_table[c].classes;
	g->f.advice = span_of(tx(cause_table[c].advice));
	g->f.file = file.n ? arena_span(&g->mem, file) : (struct span){ 0 };
	g->f.line = span_int(line, &n) ? (int)n : 0;
	g->f.message = arena_span(&g->mem, rest);
}

static void take_excerpt(struct group *g, struct span rest)
{
	char *text = g ? arena_str(&g->mem, rest) : NULL;

	for (char *p = text; p && *p; p++)
		*p = *p == '\1' ? '\n' : *p;
	if (text)
		g->f.excerpt = span_of(text);
}

static void take_record(struct group *g, struct span rest)
{
	struct span id = span_cut(&rest, '\t'), state = span_cut(&rest, '\t');
	int64_t n = 0;

	if (!g)
		return;
	g->recorded = true;
	g->f.fault.id = id.n ? arena_str(&g->mem, id) : NULL;
	g->f.fault.state = state.n ? arena_str(&g->mem, state) : NULL;
	g->f.fault.count = span_int(rest, &n) ? n : 0;
}

/* What the work came to. */
static void hear(struct service *v, struct group *g, struct span said)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	bool ended = false;

	while (said.n) {
		struct span rest = span_cut(&said, '\n'), word = span_cut(&rest, '\t');
		if (span_eq(word, S("owed"))) {
			alarm_start(v->s, v->event, rest);
		} else if (span_eq(word, S("recorded"))) {
			take_record(g, rest);
		} else if (span_eq(word, S("cause"))) {
			take_cause(v, g, rest);
		} else if (span_eq(word, S("excerpt"))) {
			take_excerpt(g, rest);
		} else if (span_eq(word, S("failed"))) {
			buf_clear(&text);
			buf_addf(&text, TR("no snapshot: %.*s", "没有快照：%.*s"), SPAN_ARG(rest));
			note(v, buf_str(&text));
		} else if (span_eq(word, S("snapshot")) && g) {
			g->f.snapshot = arena_str(&g->mem, rest);
		} else if (span_eq(word, S("snapshot"))) {
			buf_clear(&text);
			buf_addf(&text, TR("snapshot %.*s", "快照 %.*s"), SPAN_ARG(rest));
			view_say(&v->s->view, buf_str(&text));
		}
		ended |= span_eq(word, S("end"));
	}
	if (g)
		g->waits = false;
	if (!ended)
		note(v, TR("a snapshot or an alert took longer than 60s and was given up", "快照或告警超过 60 秒，已放弃"));
	else if (g)
		say_found(v, g);
}

static void on_done(void *ctx, bool whole, struct span said)
{
	struct service *v = ctx;
	struct group *g = v->at_work;

	v->at_work = NULL;
	hear(v, g, said);
}

static bool start_work(struct service *v, struct run *x, struct group *g)
{
	v->at_work = g;
	v->work_since = time_mono();
	v->snaps = !g || g->reason == REASON_HANG || may_snap(v, time_mono());
	ulid_make(time_wall(), v->id);
	ulid_make(time_wall(), v->event);
	if (g)
		alarm_forewarn(v->s, v->event);
	return run_work(x, work, on_done, v, WORK_LIMIT);
}

static void on_step(void *ctx, struct run *x, int64_t now)
{
	struct service *v = ctx;
	struct group *next = NULL;

	output_idle(v->out, now);
	if (run_working(x)) {
		if (v->at_work && !v->at_work->said && v->at_work->reason == REASON_RECOVERED && now - v->work_since > SAID_LATE)
			say_found(v, v->at_work);
		return;
	}
	for (size_t i = 0; i < v->n && !next; i++) {
		if (v->groups[i].waits && v->groups[i].reason != REASON_CRASH)
			next = &v->groups[i];
	}
	if (next) {
		if (!start_work(v, x, next))
			next->waits = false; /* with the run's end it is told */
		return;
	}
	if (v->demand) {
		v->demand = false;
		start_work(v, x, NULL);
	} else if (v->end_hung) {
		int64_t quiet = v->end_hung;
		v->end_hung = 0;
		run_end_hung(x, quiet);
	}
}

static void on_demand(void *ctx, struct run *x)
{
	struct service *v = ctx;

	v->demand = true;
}

static void on_began(void *ctx, struct run *x, int pid)
{
	struct service *v = ctx;

	v->pid = pid;
}

static void on_bytes(void *ctx, enum stream stream, struct span bytes)
{
	struct session *s = ctx;

	if (bytes.n)
		*(stream == STREAM_ERR ? &s->last_err : &s->last_out) = bytes.p[bytes.n - 1];
	if (s->log)
		sink_write(s->log, bytes);
	output_feed(s->service->out, stream, bytes, time_mono());
}

/* ---- one life of it ---- */

/* How it ended is judged as if nobody had asked it to; but who was asked and went has done what it should. */
static bool went_as_asked(const struct ending *e)
{
	if (e->stop != STOP_SIGNAL)
		return false;
	if (e->how == END_SIGNAL)
		return e->sig == e->stop_sig;
	return e->code == 0 || e->code == 128 + e->stop_sig;
}

static int judge_end(struct service *v, struct report *r, struct err *e)
{
	struct session *s = v->s;
	struct ending real = r->ending;
	bool asked = went_as_asked(&real);

	output_end(v->out, !asked && !(real.how == END_EXIT && real.code == 0));
	struct span crash = asked ? (struct span){ 0 } : output_crash(v->out);
	if (real.stop == STOP_SIGNAL)
		r->ending.stop = STOP_NONE;
	if (asked)
		r->ending = (struct ending){ .how = END_EXIT };
	else
		judge_feed(s->judge, STREAM_BOTH, crash.n ? crash : output_tail(v->out));
	int n = judge_finish(s->judge, r, e);
	r->ending = real;
	if (asked && r->outcome == OUTCOME_PASSED)
		r->summary = arena_printf(&r->mem, TR("the service was told to end by SIG%s and ended", "服务收到 SIG%s 后结束"), sigabbrev_np(real.stop_sig));
	return n;
}

static int live(struct service *v, struct report *r, struct err *e)
{
	struct session *s = v->s;
	const struct run_values *o = s->o;
	const struct run_service service = {
		.stall = o->stall, .health = o->health, .every = o->health_every ? o->health_every : HEALTH_EVERY, .fails = o->health_fails ? (int)o->health_fails : HEALTH_FAILS,
		.end_hung = o->on_hang == ON_HANG_END, .note = on_note, .began = on_began, .hang = on_hang, .demand = on_demand, .step = on_step, .ctx = v,
	};
	const char **add = v->variables ? v->variables : (v->variables = attempt_variables(s, NULL));
	struct run_config c = {
		.argv = s->argv, .env_add = add, .pty = o->pty, .relay_out = true, .relay_err = true, .redact = o->redact_output, .timeout = o->timeout, .grace = o->grace,
		.reap = o->reap, .bytes = on_bytes, .service = &service, .ctx = s,
	};

	*r = (struct report){ 0 };
	int n = add ? attempt_judge(s, e) : no_memory(e);
	if (n < 0)
		return n;
	output_again(v->out);
	buf_clear(&v->proc);
	v->end_hung = 0;
	session_hold(s, false);
	n = run_command(&c, r, e);
	session_hold(s, true);
	v->pid = 0;
	if (n < 0)
		return n;
	resources_add(&s->used, &r->resources);
	if (judge_end(v, r, e) < 0)
		note(v, e->msg);
	if (s->n_tries < 1000)
		attempt_add(s, r->outcome, r->cause, r->duration_ns);
	return 0;
}

/* ---- after a crash ---- */

/* Between two lives, and at the end, there is time: nothing has to be done beside. */
static void tell_here(struct service *v, struct group *g)
{
	char said[4096];
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	alarm_forewarn(v->s, v->event);
	tell(v, g, fds[1]);
	if (g->waits)
		say_found(v, g);
	fd_close(fds[1]);
	ssize_t n = read(fds[0], said, sizeof(said));
	fd_close(fds[0]);
	for (struct span rest = { said, n > 0 ? (size_t)n : 0 }; rest.n;) {
		struct span line = span_cut(&rest, '\n'), word = span_cut(&line, '\t');
		if (span_eq(word, S("owed")))
			alarm_start(v->s, v->event, line);
		else if (span_eq(word, S("recorded")))
			take_record(g, line);
	}
	g->waits = false;
}

static void tell_crash(struct service *v, struct group *g)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct snap_request q;
	struct err e;

	ulid_make(time_wall(), v->id);
	ulid_make(time_wall(), v->event);
	if (g->waits) {
		snap_request(v, g, REASON_CRASH, &q);
		q.pprof = NULL;
		q.pid = 0;
		q.proc = buf_view(&v->proc);
		if (output_crash(v->out).n)
			q.crash = output_crash(v->out);
		if (snap_take(&q, &path, NULL, &e) < 0)
			note(v, e.msg);
		else
			g->f.snapshot = arena_str(&g->mem, buf_view(&path));
	}
	tell_here(v, g);
}

/* What it said in its last moment, and nobody was told of. */
static void tell_rest(struct service *v, const struct report *r)
{
	for (size_t i = 0; r->outcome == OUTCOME_PASSED && i < v->n; i++) {
		if (!v->groups[i].waits)
			continue;
		ulid_make(time_wall(), v->event);
		tell_here(v, &v->groups[i]);
	}
}

static struct group *take_crash(struct service *v, const struct report *r)
{
	if (!r->n_findings)
		return NULL;
	const struct finding *f = &r->findings[0];
	struct group *g = take_finding(v, f, REASON_CRASH);
	if (g)
		return g;
	char fingerprint[FINGERPRINT_LEN + 1];
	struct report facts = { .argv = v->s->user, .cwd = v->s->where.shown };
	fingerprint_make(&facts, f, fingerprint);
	return find_group(v, fingerprint);
}

static bool is_crash(const struct report *r)
{
	return r->ending.stop != STOP_SIGNAL && r->ending.how != END_NOT_STARTED &&
	       (r->outcome == OUTCOME_CRASHED || r->outcome == OUTCOME_KILLED || r->outcome == OUTCOME_STALLED);
}

/* True: it is to be started again, after the wait. */
static bool restart(struct service *v, const struct report *r, int64_t *delay)
{
	struct session *s = v->s;
	int64_t first = s->o->restart_delay ? s->o->restart_delay : DELAY_FIRST;
	CLEANUP(buf_free) struct buf text = { 0 };
	char wait[24];

	if (s->o->restart != RESTART_ON_CRASH || !is_crash(r))
		return false;
	v->crashes++;
	*delay = !*delay || r->duration_ns >= *delay * HEALTHY_FACTOR ? first : *delay * 2 < DELAY_MOST ? *delay * 2 : DELAY_MOST;
	struct group *g = take_crash(v, r);
	if (g)
		tell_crash(v, g);
	duration_text(*delay, wait);
	buf_addf(&text, TR("crash %d (%s); started again in %s", "第 %d 次崩溃（%s）；%s 后重新启动"), v->crashes, r->cause ? cause_table[r->cause].id : "?", wait);
	view_say(&s->view, buf_str(&text));
	if (!session_sleep(s, *delay))
		return true;
	note(v, TR("told to end while waiting to start it again", "等待重新启动时收到结束信号"));
	return false;
}

/* ---- the end ---- */

/* What was found while it lived stands beside what it died of. */
static void add_groups(struct service *v, struct report *r)
{
	struct report facts = { .argv = v->s->user, .cwd = v->s->where.shown };

	for (size_t i = 0; i < r->n_findings; i++)
		fingerprint_make(&facts, &r->findings[i], r->findings[i].fingerprint);
	for (size_t i = 0; i < v->n; i++) {
		struct group *g = &v->groups[i];
		struct finding *same = NULL;
		for (size_t k = 0; k < r->n_findings && !same; k++) {
			bool stall = g->reason == REASON_HANG && r->outcome == OUTCOME_STALLED && r->findings[k].cause == CAUSE_PROC_STALL;
			if (stall || !strcmp(r->findings[k].fingerprint, g->f.fingerprint))
				same = &r->findings[k];
			if (stall) {
				same->message = g->f.message;
				same->advice = g->f.advice;
			}
		}
		if (same) {
			if (g->f.count > 1 || g->f.snapshot)
				same->count = g->f.count;
			same->snapshot = g->f.snapshot;
			continue;
		}
		struct finding *f = report_add(r);
		if (f)
			*f = g->f; /* its texts are the group's, which lives until the session ends */
	}
}

/* A last crash, that nothing follows: its snapshot is taken now, and told of with the run. */
static void snap_end(struct service *v, struct report *r)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct snap_request q;
	struct err e;

	if ((!is_crash(r) && r->outcome != OUTCOME_CRASHED) || !r->n_findings || r->findings[0].snapshot)
		return;
	struct group g = { .f = r->findings[0] };
	ulid_make(time_wall(), v->id);
	ulid_make(time_wall(), v->event);
	snap_request(v, &g, REASON_CRASH, &q);
	q.pprof = NULL;
	q.proc = buf_view(&v->proc);
	if (output_crash(v->out).n)
		q.crash = output_crash(v->out);
	if (snap_take(&q, &path, NULL, &e) < 0)
		note(v, e.msg);
	else
		r->findings[0].snapshot = arena_str(&r->mem, buf_view(&path));
}

/* What the service lived through did not end it: in a run that passed it is a warning. */
static void weigh(const struct session *s, struct report *r)
{
	if (r->outcome != OUTCOME_PASSED || !r->n_findings)
		return;
	if (s->o->strict) {
		r->outcome = OUTCOME_FAILED;
		r->cause = r->findings[0].cause;
		return;
	}
	for (size_t i = 0; i < r->n_findings; i++) {
		if (r->findings[i].severity == SEV_ERROR)
			r->findings[i].severity = SEV_WARNING;
	}
}

/* It crashed, was started again and came to its end by itself: as any command that passed when it was tried again. */
static bool passed_later(const struct report *r, const struct report *first)
{
	return first->is_run && r->outcome == OUTCOME_PASSED && r->ending.stop != STOP_SIGNAL;
}

int service_run(struct session *s, struct report *r, struct err *e)
{
	struct service *v = s->service;
	int64_t began = time_wall(), since = time_mono(), delay = 0;
	struct report first = { 0 };

	for (;;) {
		int n = live(v, r, e);
		if (n < 0) {
			report_free(&first);
			return n;
		}
		if (!restart(v, r, &delay))
			break;
		if (first.is_run)
			report_free(r);
		else
			first = *r;
	}
	r->started = began;
	r->duration_ns = time_mono() - since;
	tell_rest(v, r);
	if (r->outcome == OUTCOME_STALLED && v->n && r->n_findings) /* why it was ended */
		r->summary = arena_str(&r->mem, v->groups[v->n - 1].reason == REASON_HANG ? v->groups[v->n - 1].f.message : r->findings[0].message);
	add_groups(v, r);
	snap_end(v, r);
	if (v->others)
		list_add(&r->mem, &r->limits, arena_printf(&r->mem, TR("more than %d different findings: %lld more were only counted", "发现超过 %d 种：另有 %lld 次只计数"), GROUPS_MAX,
							    (long long)v->others));
	if (passed_later(r, &first))
		retry_unstable(r, &first);
	report_free(&first);
	weigh(s, r);
	return 0;
}

void service_record(struct session *s, struct report *r)
{
	struct service *v = s->service;
	struct finding *all = r->findings;
	size_t n = r->n_findings, k = 0;
	struct finding *open = arena_alloc(&r->mem, (n + 1) * sizeof(*open));
	size_t *from = arena_alloc(&r->mem, (n + 1) * sizeof(*from));

	if (!open || !from)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct group *g = find_group(v, all[i].fingerprint);
		if (g && g->recorded)
			continue;
		from[k] = i;
		open[k++] = all[i];
	}
	r->findings = open;
	r->n_findings = k;
	history_record(s, r);
	for (size_t i = 0; i < k; i++)
		all[from[i]] = open[i];
	r->findings = all;
	r->n_findings = n;
}

bool service_tells(const struct session *s, const struct report *r)
{
	return r->outcome != OUTCOME_PASSED || !s->service->n;
}

/* ---- open and close ---- */

static int64_t size_of(const char *text)
{
	static const char units[] = "KMGT";
	char *end;
	double n = strtod(text, &end);
	const char *unit = *end ? strchr(units, *end & ~32) : NULL;

	if (end == text || n < 0 || n > 1e15 || (*end && !unit) || (unit && end[1] && strcmp(end + 1, "B") != 0 && strcmp(end + 1, "iB") != 0))
		return -1;
	for (const char *u = units; unit && u <= unit; u++)
		n *= 1024;
	return n > 1e18 ? -1 : (int64_t)n;
}

static int needs_service(const struct run_values *o, struct err *e)
{
	const struct { bool given; const char *flag; } rows[] = {
		{ o->health, "--health" }, { o->health_every, "--health-every" }, { o->health_fails, "--health-fails" }, { o->pprof, "--pprof" },
		{ o->pprof_anywhere, "--pprof-anywhere" }, { o->snapshots, "--snapshots" }, { o->snapshot_budget, "--snapshot-budget" }, { o->restart, "--restart" },
		{ o->restart_delay, "--restart-delay" }, { o->on_hang, "--on-hang" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].given)
			return err_set(e, EINVAL, TR("%s needs --service", "%s 需要与 --service 一起使用"), rows[i].flag);
	}
	return 0;
}

int service_check(const struct run_values *o, bool format_given, struct err *e)
{
	const struct { bool given; const char *flag; } not_with[] = {
		{ o->retry, "--retry" }, { o->rerun, "--rerun-fails" }, { o->panics, "--panics" }, { o->goroutines, "--goroutines" }, { o->junit, "--junit" },
		{ o->jsonfile, "--jsonfile" }, { o->modules, "--modules" }, { o->quarantine, "--quarantine" },
		{ format_given && strcmp(view_format_names[o->format], "raw") != 0 && strcmp(view_format_names[o->format], "auto") != 0, "--format" },
	};

	if (!o->service)
		return needs_service(o, e);
	for (size_t i = 0; i < ARRAY_LEN(not_with); i++) {
		if (not_with[i].given)
			return err_set(e, EINVAL, TR("%s is for commands that end, not for --service", "%s 用于会结束的命令，不能与 --service 一起使用"), not_with[i].flag);
	}
	if (o->on_hang == ON_HANG_END && !o->stall && !o->health)
		return err_set(e, EINVAL, TR("--on-hang end needs --stall or --health", "--on-hang end 需要 --stall 或 --health"));
	if (o->snapshot_budget && size_of(o->snapshot_budget) <= 0)
		return err_set(e, EINVAL, TR("--snapshot-budget %s: not a size such as 256MiB", "--snapshot-budget %s：不是 256MiB 这样的大小"), o->snapshot_budget);
	int r = o->health ? run_health_check(o->health, e) : 0;
	return r == 0 && o->pprof ? snap_pprof_check(o->pprof, o->pprof_anywhere, e) : r;
}

static void nothing(int sig)
{
}

/* Before and between lives they mean nothing; the command gets the default back. */
void service_guard(void)
{
	struct sigaction quiet = { .sa_handler = nothing, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &quiet, NULL);
	sigaction(SIGUSR2, &quiet, NULL);
}

int service_open(struct session *s, struct err *e)
{
	struct service *v = mem_zalloc(sizeof(*v));

	if (!v)
		return no_memory(e);
	s->service = v;
	v->s = s;
	v->dir = s->o->snapshots ? s->o->snapshots : s->snapshots;
	v->proc.max = 512 << 10;
	v->budget = s->o->snapshot_budget ? size_of(s->o->snapshot_budget) : s->o->snapshot_bytes;
	return output_new(&(struct watch_calls){ on_event, on_dying, v }, &v->out, e);
}

void service_close(struct session *s)
{
	struct service *v = s->service;

	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++)
		arena_free(&v->groups[i].mem);
	output_free(v->out);
	buf_free(&v->proc);
	mem_free(v);
	s->service = NULL;
}
