/*
 * The scheduler's rules. Each handler asks first whether its event can come now (STEP_WAIT: not before something that
 * another thread did; STEP_BAD: it can never), then does it. Where the order is not proven any more, nothing is asked.
 */
#include "parse/exectrace_own.h"

#define NEED(x, holds, text)                      \
	do {                                      \
		if ((x)->verified && !(holds)) {  \
			(x)->why = (text);        \
			return STEP_BAD;          \
		}                                 \
	} while (0)
#define AWAIT(x, holds)                          \
	do {                                     \
		if ((x)->verified && !(holds))   \
			return STEP_WAIT;        \
	} while (0)

static const char no_thread[] = "no thread", no_p[] = "no processor", no_g[] = "no goroutine", has_g[] = "a goroutine runs already",
		  not_running[] = "the goroutine does not run", not_syscall[] = "the goroutine is in no system call",
		  p_state[] = "the processor's state differs", g_state[] = "the goroutine's state differs",
		  g_exists[] = "the goroutine exists already", sequence[] = "a sequence number is missing",
		  not_theirs[] = "the thread has another processor or goroutine", no_room[] = "no room";

/* ---- what there is ---- */

struct mstate *xt_thread(struct exectrace *x, uint64_t id)
{
	struct mstate *m = idmap_get(&x->ms, id);

	if (m)
		return m;
	m = x->ms.n < XT_MAX_KNOWN ? arena_alloc(&x->states, sizeof(*m)) : NULL;
	if (!m || !idmap_put(&x->ms, id, m)) {
		xt_note(x, XT_TOO_MANY, x->gen_at, XT_MAX_KNOWN, XT_BATCH, NULL);
		return NULL;
	}
	m->id = id;
	return m;
}

static struct pstate *processor(struct exectrace *x, uint64_t id, bool make)
{
	struct pstate *p = idmap_get(&x->ps, id);

	if (p || !make)
		return p;
	p = x->ps.n < XT_MAX_KNOWN ? arena_alloc(&x->states, sizeof(*p)) : NULL;
	if (!p || !idmap_put(&x->ps, id, p)) {
		xt_note(x, XT_TOO_MANY, x->gen_at, XT_MAX_KNOWN, XT_PROC_STATUS, NULL);
		return NULL;
	}
	p->id = id;
	return p;
}

static struct xt_goroutine *goroutine(struct exectrace *x, uint64_t id)
{
	return idmap_get(&x->gs, id);
}

static struct xt_goroutine *goroutine_new(struct exectrace *x, uint64_t id)
{
	struct xt_goroutine *g = x->free_gs;
	struct gslab *s = x->slabs;

	if (g) {
		x->free_gs = g->next;
	} else {
		if (!s || s->used == x->g_per_slab) {
			if (x->used + XT_CHUNK > x->c.max_bytes)
				return NULL;
			s = mem_alloc(sizeof(*s) + 16 + x->g_per_slab * x->g_size);
			if (!s)
				return NULL;
			s->next = x->slabs;
			s->used = 0;
			x->slabs = s;
			x->used += XT_CHUNK;
		}
		g = &((struct gbox *)((char *)(s + 1) + s->used++ * x->g_size))->g;
	}
	memset(gbox_of(g), 0, x->g_size);
	g->id = id;
	g->gen = x->gen;
	if (!idmap_put(&x->gs, id, g)) {
		g->next = x->free_gs;
		x->free_gs = g;
		return NULL;
	}
	return g;
}

/* Also when none can be made: the event is then given without it. */
static struct xt_goroutine *goroutine_make(struct exectrace *x, uint64_t id)
{
	struct xt_goroutine *g = goroutine(x, id);

	if (!g)
		g = goroutine_new(x, id);
	if (!g)
		xt_note(x, XT_TOO_MANY, x->gen_at, x->gs.n, XT_GO_CREATE, no_room);
	return g;
}

static void bind_g(struct mstate *m, struct xt_goroutine *g)
{
	if (m && m->g && m->g != g)
		gbox_of(m->g)->on = NULL;
	if (g && gbox_of(g)->on && gbox_of(g)->on != m)
		gbox_of(g)->on->g = NULL;
	if (m)
		m->g = g;
	if (g)
		gbox_of(g)->on = m;
}

static void bind_p(struct mstate *m, struct pstate *p)
{
	if (m && m->p && m->p != p && m->p->on == m)
		m->p->on = NULL;
	if (p && p->on && p->on != m)
		p->on->p = NULL;
	if (m)
		m->p = p;
	if (p)
		p->on = m;
}

static void goroutine_end(struct exectrace *x, struct xt_goroutine *g)
{
	bind_g(NULL, g);
	idmap_del(&x->gs, g->id);
	g->next = x->free_gs;
	x->free_gs = g;
}

struct xt_goroutine *xt_alive(const struct exectrace *x, size_t *at)
{
	while (*at < x->gs.cap) {
		struct xt_goroutine *g = x->gs.slots[(*at)++].value;

		if (g)
			return g;
	}
	return NULL;
}

/* A goroutine changes its state: the event says from what. */
static void changes(struct turn *t, struct xt_goroutine *g, enum xt_status to)
{
	t->ev.who = g;
	if (!g)
		return;
	t->ev.before = g->status;
	g->status = (uint8_t)to;
}

static void follow(struct exectrace *x, struct xt_goroutine *g, uint64_t seq)
{
	if (g) {
		g->gen = x->gen;
		g->seq = seq;
	}
}

static bool succeeds(const struct exectrace *x, uint64_t gen, uint64_t seq, uint64_t next)
{
	return gen == x->gen && next == seq + 1;
}

void xt_forget_missing(struct exectrace *x)
{
	struct xt_goroutine *g;
	size_t at = 0, before;

	for (;;) {
		before = at;
		g = xt_alive(x, &at);
		if (!g)
			return;
		if (g->gen == x->gen)
			continue;
		struct xt_event ev = { .type = XT_GENERATION, .kind = XTK_SYNC, .m = XT_NONE, .p = XT_NONE, .who = g,
				       .before = g->status, .gone = true, .time = x->last, .args = x->no_args };

		xt_emit(x, &ev);
		goroutine_end(x, g);
		at = before; /* what stood behind may have moved here */
	}
}

/* ---- processors ---- */

static enum step proc_status(struct exectrace *x, struct turn *t)
{
	uint64_t status = t->ev.args[1];
	struct pstate *p = processor(x, t->ev.args[0], false);
	bool abandoned = status == XT_P_ABANDONED;

	NEED(x, status >= XT_P_RUNNING && status <= XT_P_ABANDONED, p_state);
	if (p && !x->resync && !(abandoned && p->status == XT_P_SYSCALL))
		NEED(x, p->status == status, p_state);
	if (p && abandoned && p->status == XT_P_SYSCALL && !x->resync) {
		NEED(x, p->on, not_theirs);
		t->c->args[1] = XT_P_SYSCALL;
		t->ev.m = p->on ? p->on->id : XT_NONE;
		t->ev.p = p->id;
		t->ev.g = p->on ? p->on->g : NULL;
		status = 0;
	}
	if (!p)
		p = processor(x, t->ev.args[0], true);
	if (p) {
		p->seq = 0;
		p->gen = x->gen;
		if (status)
			p->status = (uint8_t)status;
		if (t->ms && (status == XT_P_RUNNING || status == XT_P_SYSCALL))
			bind_p(t->ms, p);
	}
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step proc_start(struct exectrace *x, struct turn *t)
{
	struct pstate *p = processor(x, t->ev.args[0], !x->verified);

	AWAIT(x, p && p->status == XT_P_IDLE && succeeds(x, p->gen, p->seq, t->ev.args[1]) && !t->p);
	NEED(x, t->ms, no_thread);
	if (p) {
		p->status = XT_P_RUNNING;
		p->seq = t->ev.args[1];
		p->gen = x->gen;
		bind_p(t->ms, p);
	}
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step proc_stop(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms && t->p, no_p);
	NEED(x, t->p->status == XT_P_RUNNING || t->p->status == XT_P_SYSCALL, p_state);
	if (t->p) {
		t->p->status = XT_P_IDLE;
		bind_p(t->ms, NULL);
	}
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step proc_steal(struct exectrace *x, struct turn *t)
{
	struct pstate *p = processor(x, t->ev.args[0], !x->verified);
	struct mstate *from;
	bool abandoned;

	AWAIT(x, p && (p->status == XT_P_SYSCALL || p->status == XT_P_ABANDONED) && succeeds(x, p->gen, p->seq, t->ev.args[1]));
	NEED(x, t->ms, no_thread);
	abandoned = p && p->status == XT_P_ABANDONED;
	if (!abandoned && x->verified) {
		from = idmap_get(&x->ms, t->ev.args[2]);
		NEED(x, from && from->p == p, not_theirs);
	}
	if (p) {
		p->status = XT_P_IDLE;
		p->seq = t->ev.args[1];
		p->gen = x->gen;
		if (!abandoned && p->on)
			bind_p(p->on, NULL);
	}
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

/* ---- goroutines ---- */

static enum step go_status(struct exectrace *x, struct turn *t)
{
	uint64_t id = t->ev.args[0], mid = t->ev.args[1], status = t->ev.args[2];
	struct xt_goroutine *g = goroutine(x, id);
	struct mstate *ms;

	NEED(x, status >= XT_RUNNABLE && status <= XT_WAITING, g_state);
	if (status > XT_WAITING || !status)
		return xt_emit(x, &t->ev), STEP_DONE;
	if (!x->resync) {
		NEED(x, g, "a goroutine that was not there before");
		NEED(x, g->status == status, g_state);
	}
	if (status == XT_SYSCALL) {
		NEED(x, mid != XT_NONE, no_thread);
		ms = idmap_get(&x->ms, mid);
		NEED(x, x->resync || !ms || ms->g == g, not_theirs);
	}
	t->ev.first = !g && x->s.generations == 1;
	if (!g)
		g = goroutine_make(x, id);
	changes(t, g, (enum xt_status)status);
	follow(x, g, 0);
	if (g && status == XT_RUNNING)
		bind_g(t->ms, g);
	if (g && status == XT_SYSCALL && mid != XT_NONE) {
		ms = xt_thread(x, mid);
		if (ms && ms != t->ms) {
			t->ev.m = mid;
			t->ev.g = ms->g;
		}
		if (ms)
			bind_g(ms, g);
	}
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step go_create(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms && t->p, no_p);
	NEED(x, !t->g || t->g->status == XT_RUNNING, not_running);
	NEED(x, !goroutine(x, t->ev.args[0]), g_exists);
	struct xt_goroutine *g = goroutine_make(x, t->ev.args[0]);

	changes(t, g, t->ev.type == XT_GO_CREATE_BLOCKED ? XT_WAITING : XT_RUNNABLE);
	follow(x, g, 0);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step go_create_syscall(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms, no_thread);
	NEED(x, !t->g, has_g);
	NEED(x, !goroutine(x, t->ev.args[0]), g_exists);
	struct xt_goroutine *g = goroutine_make(x, t->ev.args[0]);

	changes(t, g, XT_SYSCALL);
	follow(x, g, 0);
	if (g && t->ms)
		bind_g(t->ms, g);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step go_destroy_syscall(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms && t->g, no_g);
	NEED(x, t->g->status == XT_SYSCALL, not_syscall);
	NEED(x, !t->p || t->p->status == XT_P_SYSCALL, p_state);
	if (t->p) { /* the thread's number may come again with another processor */
		struct xt_event steal = t->ev;
		uint64_t args[5] = { t->p->id };

		steal.type = XT_PROC_STEAL;
		steal.kind = XTK_STATE_TRANSITION;
		steal.args = args;
		t->p->status = XT_P_ABANDONED;
		bind_p(t->ms, NULL);
		xt_emit(x, &steal);
	}
	changes(t, t->g, XT_NO_STATUS);
	t->ev.gone = t->g != NULL;
	xt_emit(x, &t->ev);
	if (t->g)
		goroutine_end(x, t->g);
	return STEP_DONE;
}

static enum step go_start(struct exectrace *x, struct turn *t)
{
	struct xt_goroutine *g = goroutine(x, t->ev.args[0]);

	AWAIT(x, g && g->status == XT_RUNNABLE && succeeds(x, g->gen, g->seq, t->ev.args[1]));
	NEED(x, t->ms && t->p, no_p);
	NEED(x, !t->g, has_g);
	if (!g)
		g = goroutine_make(x, t->ev.args[0]);
	changes(t, g, XT_RUNNING);
	follow(x, g, t->ev.args[1]);
	if (g && t->ms)
		bind_g(t->ms, g);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

/* GoStop, GoBlock, GoDestroy. */
static enum step go_stop(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms && t->p, no_p);
	NEED(x, t->g, no_g);
	NEED(x, t->g->status == XT_RUNNING, not_running);
	changes(t, t->g, t->ev.type == XT_GO_STOP ? XT_RUNNABLE : t->ev.type == XT_GO_BLOCK ? XT_WAITING : XT_NO_STATUS);
	if (t->g)
		bind_g(NULL, t->g);
	if (t->ms)
		t->ms->g = NULL;
	t->ev.gone = t->g && t->ev.type == XT_GO_DESTROY;
	xt_emit(x, &t->ev);
	if (t->ev.gone)
		goroutine_end(x, t->g);
	return STEP_DONE;
}

static enum step go_unblock(struct exectrace *x, struct turn *t)
{
	struct xt_goroutine *g = goroutine(x, t->ev.args[0]);

	AWAIT(x, g && g->status == XT_WAITING && succeeds(x, g->gen, g->seq, t->ev.args[1]));
	if (!g)
		g = goroutine_make(x, t->ev.args[0]);
	changes(t, g, XT_RUNNABLE);
	follow(x, g, t->ev.args[1]);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

/* Three events in one: the other is unblocked, this one blocks or ends, the other starts. */
static enum step go_switch(struct exectrace *x, struct turn *t)
{
	struct xt_goroutine *next = goroutine(x, t->ev.args[0]), *g = t->g;
	bool ends = t->ev.type == XT_GO_SWITCH_DESTROY;
	struct turn u = *t;

	NEED(x, t->ms && t->p, no_p);
	NEED(x, g, no_g);
	NEED(x, g->status == XT_RUNNING, not_running);
	AWAIT(x, next && next->status == XT_WAITING && succeeds(x, next->gen, next->seq, t->ev.args[1]));
	if (!next)
		next = goroutine_make(x, t->ev.args[0]);
	changes(t, next, XT_RUNNABLE);
	follow(x, next, t->ev.args[1]);
	xt_emit(x, &t->ev);
	u.ev.type = ends ? XT_GO_DESTROY : XT_GO_BLOCK;
	u.ev.args = x->no_args;
	changes(&u, g, ends ? XT_NO_STATUS : XT_WAITING);
	bind_g(t->ms, next);
	u.ev.gone = ends && g;
	xt_emit(x, &u.ev);
	if (u.ev.gone && g != next)
		goroutine_end(x, g);
	t->ev.type = XT_GO_START;
	t->ev.g = NULL;
	changes(t, next, XT_RUNNING);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step go_syscall_begin(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms && t->p, no_p);
	NEED(x, t->g, no_g);
	NEED(x, t->g->status == XT_RUNNING, not_running);
	NEED(x, succeeds(x, t->p->gen, t->p->seq, t->ev.args[0]), sequence);
	changes(t, t->g, XT_SYSCALL);
	if (t->p) {
		t->p->status = XT_P_SYSCALL;
		t->p->seq = t->ev.args[0];
		t->p->gen = x->gen;
	}
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step go_syscall_end(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms && t->p, no_p);
	NEED(x, t->g, no_g);
	NEED(x, t->g->status == XT_SYSCALL, not_syscall);
	NEED(x, t->p->status == XT_P_SYSCALL, p_state);
	changes(t, t->g, XT_RUNNING);
	if (t->p)
		t->p->status = XT_P_RUNNING;
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step go_syscall_end_blocked(struct exectrace *x, struct turn *t)
{
	AWAIT(x, !t->p || t->p->status != XT_P_SYSCALL);
	NEED(x, t->ms && t->g, no_g);
	NEED(x, t->g->status == XT_SYSCALL, not_syscall);
	changes(t, t->g, XT_RUNNABLE);
	if (t->g)
		bind_g(NULL, t->g);
	if (t->ms)
		t->ms->g = NULL;
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

/* ---- the rest ---- */

static enum step gc_active(struct exectrace *x, struct turn *t)
{
	uint64_t seq = t->ev.args[0];

	if (x->resync) {
		x->gc = GC_ON;
		x->gc_seq = seq;
		xt_emit(x, &t->ev);
		return STEP_DONE;
	}
	AWAIT(x, seq == x->gc_seq + 1);
	NEED(x, x->gc == GC_ON, "no collection runs");
	x->gc_seq = seq;
	NEED(x, t->ms && t->p && t->g, no_g);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step gc_begin(struct exectrace *x, struct turn *t)
{
	uint64_t seq = t->ev.args[0];

	if (x->gc != GC_UNKNOWN) {
		AWAIT(x, seq == x->gc_seq + 1);
		NEED(x, x->gc == GC_OFF, "a collection runs already");
		NEED(x, t->ms && t->p && t->g, no_g);
	}
	x->gc = GC_ON;
	x->gc_seq = seq;
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step gc_end(struct exectrace *x, struct turn *t)
{
	AWAIT(x, t->ev.args[0] == x->gc_seq + 1);
	NEED(x, x->gc == GC_ON, "no collection runs");
	NEED(x, t->ms && t->p && t->g, no_g);
	x->gc = GC_OFF;
	x->gc_seq = t->ev.args[0];
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step annotation(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms && t->p, no_p);
	NEED(x, t->g, no_g);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

#define go_range annotation

static enum step heap(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms && t->p, no_p);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

#define sweep heap

static enum step sweep_active(struct exectrace *x, struct turn *t)
{
	NEED(x, processor(x, t->ev.args[0], false), no_p);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step go_range_active(struct exectrace *x, struct turn *t)
{
	struct xt_goroutine *g = goroutine(x, t->ev.args[0]);

	NEED(x, g, no_g);
	t->ev.g = g;
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step experiment(struct exectrace *x, struct turn *t)
{
	NEED(x, t->ms, no_thread);
	xt_emit(x, &t->ev);
	return STEP_DONE;
}

static enum step (*const handlers[256])(struct exectrace *, struct turn *) = {
#define EVENT(id, name, word, args, kind, order) [id] = order,
#include "parse/exectrace_events.def"
#undef EVENT
};

XT_COLD static uint32_t resolve_cold(struct exectrace *x, const struct cursor *c, const struct idtab *tab, uint8_t at)
{
	uint32_t found;

	if (!idtab_get(tab, c->args[at], &found))
		xt_note(x, XT_BAD_ID, xt_event_at(c), c->args[at], c->type, NULL);
	return found;
}

XT_HOT uint32_t resolve(struct exectrace *x, const struct cursor *c, const struct idtab *tab, uint8_t at)
{
	uint64_t id = c->args[at];

	return id < tab->n_dense && tab->dense[id] ? tab->dense[id] - 1 : resolve_cold(x, c, tab, at);
}

enum step xt_advance(struct exectrace *x, struct cursor *c)
{
	const struct where_row w = x->where[c->type];
	struct turn *t = &x->turn;
	struct xt_event *ev = &t->ev;
	struct mstate *ms = c->ms;

	/* Millions of times: field by field, into one and the same. */
	t->c = c;
	t->ms = ms;
	t->g = ms ? ms->g : NULL;
	t->p = ms ? ms->p : NULL;
	ev->type = c->type;
	ev->kind = xt_rows[c->type].kind;
	ev->before = 0;
	ev->gone = ev->first = false;
	ev->time = c->time;
	ev->m = c->m;
	ev->p = t->p ? t->p->id : XT_NONE;
	ev->g = t->g;
	ev->who = NULL;
	ev->args = c->args;
	ev->stack = resolve(x, c, &x->stacks, w.stack); /* without asking whether it has one: nobody can foresee the answer */
	ev->text = resolve(x, c, &x->strings, w.text);
	ev->stack2 = ev->text2 = 0;
	if (w.more) {
		ev->text2 = resolve(x, c, &x->strings, w.text2);
		ev->stack2 = resolve(x, c, &x->stacks, w.stack2);
	}
	return handlers[c->type](x, t);
}
