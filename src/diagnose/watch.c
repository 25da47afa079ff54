#include "diagnose/watch.h"

#include <errno.h>

#include "base/mem.h"
#include "diagnose/state.h"

#define HEAD 20              /* bytes of a line that are looked at */
#define BEFORE (4 << 10)     /* bytes in front of the first word of a crash: "runtime: out of memory: …" */
#define SETTLED (INT64_C(300) * 1000000) /* without more for so long, a stack is whole */
#define HELD_MAX 64          /* events that wait for the end of a crash */

struct held { /* an event that waits: is the process dying of it? */
	struct watch_event e;
	struct arena mem;
};

struct one { /* of one stream */
	struct output *o;
	struct logscan *scan;
	char head[HEAD];     /* of the line at hand */
	size_t n;            /* bytes of the line so far, at most HEAD */
	bool fed;            /* something came since the scan was last told that it is quiet */
};

struct output {
	struct watch_calls calls;
	struct one one[3];
	char tail[WATCH_TAIL]; /* a ring */
	size_t at;             /* where the next byte goes */
	bool full;
	int64_t last;          /* when something came */
	struct buf crash;      /* as long as it is open, what comes is added */
	bool dying, replaying;
	int64_t dying_at;
	struct held held[HELD_MAX];
	size_t n_held;
	struct buf flat;       /* the ring, in order */
};

/* ---- the end of the output ---- */

static void keep_tail(struct output *o, struct span s)
{
	if (s.n >= WATCH_TAIL) {
		memcpy(o->tail, s.p + s.n - WATCH_TAIL, WATCH_TAIL);
		o->at = 0;
		o->full = true;
		return;
	}
	size_t first = s.n < WATCH_TAIL - o->at ? s.n : WATCH_TAIL - o->at;
	memcpy(o->tail + o->at, s.p, first);
	memcpy(o->tail, s.p + first, s.n - first);
	o->full |= o->at + s.n >= WATCH_TAIL;
	o->at = (o->at + s.n) % WATCH_TAIL;
}

struct span output_tail(struct output *o)
{
	buf_clear(&o->flat);
	if (o->full)
		buf_add(&o->flat, o->tail + o->at, WATCH_TAIL - o->at);
	buf_add(&o->flat, o->tail, o->at);
	struct span all = buf_view(&o->flat);
	size_t nl = o->full ? span_chr(all, '\n') : SPAN_NONE;
	return nl == SPAN_NONE || nl > 4096 ? all : span_from(all, nl + 1);
}

/* ---- events ---- */

static void take_event(void *ctx, const struct logscan_event *e)
{
	struct one *x = ctx;
	struct output *o = x->o;
	const struct watch_event w = { e->cause, e->source, e->value, e->stack, e->file, e->line };

	if (e->cause == CAUSE_PROC_LOG_FATAL) /* its exit status will tell whether it ended */
		return;
	if (!o->dying) {
		o->calls.event(o->calls.ctx, &w);
		return;
	}
	if (o->n_held == HELD_MAX)
		return;
	struct held *h = &o->held[o->n_held++];
	*h = (struct held){ .e = w };
	h->e.value = arena_span(&h->mem, w.value);
	h->e.stack = arena_span(&h->mem, w.stack);
	h->e.file = arena_span(&h->mem, w.file);
}

static void drop_held(struct output *o, bool tell)
{
	for (size_t i = 0; i < o->n_held; i++) {
		if (tell)
			o->calls.event(o->calls.ctx, &o->held[i].e);
		arena_free(&o->held[i].mem);
	}
	o->n_held = 0;
}

/* ---- lines that begin the end ---- */

static const struct span last_words[] = {
	{ "panic: ", 7 }, { "fatal error: ", 13 }, { "fatal: morestack", 16 }, { "fatal: bad g", 12 }, { "SIGQUIT: quit", 13 }, { "SIGABRT: abort", 14 },
	{ "SIGSEGV: seg", 12 }, { "SIGBUS: ", 8 }, { "SIGFPE: ", 8 }, { "SIGILL: ", 8 }, { "SIGTRAP: ", 9 }, { "SIGSYS: ", 8 },
	{ "unexpected fault ", 17 },
};

static bool is_dying(struct span head)
{
	if (!head.n || (head.p[0] != 'p' && head.p[0] != 'f' && head.p[0] != 'S' && head.p[0] != 'u'))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(last_words); i++) {
		if (span_starts(head, last_words[i]))
			return true;
	}
	return false;
}

/* What came before is in the ring, the beginning of the line perhaps, too. */
static void begin_dying(struct output *o, int64_t now)
{
	struct span tail = output_tail(o);

	o->dying = true;
	o->dying_at = now;
	buf_clear(&o->crash);
	o->crash.max = WATCH_CRASH;
	if (tail.n > BEFORE)
		tail = span_from(tail, tail_cut(tail, tail.n - BEFORE));
	buf_span(&o->crash, tail);
	if (o->calls.dying)
		o->calls.dying(o->calls.ctx);
}

/* One look at the beginning of each line. Returns where the first one that says so begins; SPAN_NONE. */
static size_t find_last_words(struct one *x, struct span bytes)
{
	const char *p = bytes.p, *end = p + bytes.n;
	size_t found = SPAN_NONE;

	while (p < end) {
		size_t want = HEAD - x->n, left = (size_t)(end - p), take = want < left ? want : left;
		bool whole = x->n == HEAD;
		if (take) {
			memcpy(x->head + x->n, p, take);
			x->n += take;
		}
		/* Just complete, or complete enough at the end of what came: the runtime writes a word at a time. */
		if (found == SPAN_NONE && !whole && is_dying((struct span){ x->head, x->n }))
			found = (size_t)(p - bytes.p);
		const char *nl = memchr(p, '\n', left);
		if (!nl)
			break;
		x->n = 0;
		p = nl + 1;
	}
	return found;
}

/* What has been kept of it so far is in the ring, the rest is added as it comes. */
static void keep_crash(struct output *o, struct span bytes)
{
	size_t room = WATCH_CRASH > o->crash.len ? WATCH_CRASH - o->crash.len : 0;

	if (room)
		buf_add(&o->crash, bytes.p, bytes.n < room ? bytes.n : room);
}

void output_feed(struct output *o, enum stream s, struct span bytes, int64_t now)
{
	struct one *x = &o->one[s];

	if (!bytes.n)
		return;
	o->last = now;
	x->fed = true;
	size_t at = find_last_words(x, bytes);
	if (!o->dying && at != SPAN_NONE) {
		struct span line = span_from(bytes, at);
		keep_tail(o, span_head(bytes, at));
		begin_dying(o, now);
		keep_tail(o, line);
		keep_crash(o, line);
	} else {
		keep_tail(o, bytes);
		if (o->dying)
			keep_crash(o, bytes);
	}
	logscan_feed(x->scan, bytes);
}

void output_idle(struct output *o, int64_t now)
{
	for (size_t i = 0; i < ARRAY_LEN(o->one); i++) {
		struct one *x = &o->one[i];
		if (!x->fed || now - o->last < SETTLED)
			continue;
		x->fed = false;
		logscan_end(x->scan);
	}
	if (!o->dying || now - o->dying_at < WATCH_ALIVE)
		return;
	/* It writes on and on, perhaps a dump of many goroutines into a slow pipe: that is told by its end, too. */
	if (now - o->last < SETTLED && o->crash.len >= WATCH_CRASH && now - o->dying_at < 30 * WATCH_ALIVE)
		return;
	o->dying = false;
	buf_free(&o->crash);
	drop_held(o, true);
}

void output_end(struct output *o, bool died)
{
	for (size_t i = 0; i < ARRAY_LEN(o->one); i++)
		logscan_end(o->one[i].scan);
	if (!died)
		o->dying = false;
	drop_held(o, !died);
}

struct span output_crash(struct output *o)
{
	return o->dying ? buf_view(&o->crash) : (struct span){ 0 };
}

void output_again(struct output *o)
{
	drop_held(o, false);
	buf_free(&o->crash);
	o->dying = o->full = false;
	o->at = 0;
	for (size_t i = 0; i < ARRAY_LEN(o->one); i++)
		o->one[i].n = 0;
}

int output_new(const struct watch_calls *c, struct output **ret, struct err *e)
{
	struct output *o = mem_zalloc(sizeof(*o));
	int r = o ? 0 : err_set(e, ENOMEM, TR("out of memory", "内存不足"));

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(o->one); i++) {
		o->one[i].o = o;
		r = logscan_new(take_event, &o->one[i], &o->one[i].scan, e);
	}
	if (r < 0) {
		output_free(o);
		return r;
	}
	o->calls = *c;
	*ret = o;
	return 0;
}

void output_free(struct output *o)
{
	if (!o)
		return;
	drop_held(o, false);
	for (size_t i = 0; i < ARRAY_LEN(o->one); i++)
		logscan_free(o->one[i].scan);
	buf_free(&o->crash);
	buf_free(&o->flat);
	mem_free(o);
}
