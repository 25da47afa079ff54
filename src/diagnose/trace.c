#include "diagnose/trace.h"

#include <errno.h>

#include "diagnose/trace_own.h"

/* As in the reader: what is done for each event is one function; what is seldom done is out of its way. */
#ifndef __clang__
#pragma GCC optimize("no-tree-slp-vectorize")
#endif
#define HOT static inline __attribute__((always_inline))
#define COLD __attribute__((noinline, cold))

static inline int64_t point(const struct trace *t, int64_t time)
{
	return time - t->begin;
}

/* ---- one state ends ---- */

HOT void wait_ends(struct trace *t, const struct xt_event *ev, struct life *l, bool open)
{
	bool before = l->before_wait;
	uint32_t stack = l->class == TC_SYSCALL ? l->stack : l->wait_stack;
	struct trace_site *s = trace_site(t, l->reason, stack, (enum trace_class)l->class);
	uint64_t id = ev->who->id;
	struct worst *worst = open ? &t->open : &t->longest;
	int64_t took = ev->time - l->since, from = before ? -1 : point(t, l->since);

	if (worst->n < WORST || took >= worst->v[0].to - worst->v[0].from) {
		struct trace_wait w = { id, l->group, l->reason, stack, (enum trace_class)l->class, DEP_NONE, from, point(t, ev->time),
					open, before };
		trace_worst(worst, &w);
	}
	if (!s)
		return;
	s->count++;
	time_add(&s->total, took);
	if (took > s->max || s->count == 1) {
		s->max = took;
		s->max_from = point(t, l->since);
		s->max_goroutine = id;
		s->group = l->group;
		s->waker = open || !ev->g ? 0 : ev->stack;
	}
	if (open) {
		if (!s->still++ || from < s->oldest)
			s->oldest = from;
		return;
	}
	if (l->class == TC_NET && ev->type == XT_GO_UNBLOCK && ev->g &&
	    (trace_flags(t, ev->stack) & (STACK_CLOSE | STACK_DEADLINE)))
		s->closed++;
}

HOT void latency_add(struct trace *t, const struct xt_goroutine *g, struct life *l, int64_t from, int64_t took)
{
	unsigned top = took > 31 ? 63 - (unsigned)__builtin_clzll((uint64_t)took) : 4;
	size_t at = (size_t)(top - 4) * 32 + (((uint64_t)took >> (top - 4)) & 31);
	struct trace_latency *all = &t->view.latency;

	if (took < 32)
		at = (size_t)took;
	t->latencies[at]++;
	all->count++;
	time_add(&all->total, took);
	l->runs++;
	if (took > l->max_latency)
		l->max_latency = took;
	if (took > all->max) {
		all->max = took;
		all->max_goroutine = g->id;
		all->max_from = point(t, from);
	}
}

/* What the goroutine did until now is added up. */
HOT void leaves(struct trace *t, const struct xt_event *ev, struct life *l, bool open)
{
	int64_t took = ev->time - l->since;

	if (took < 0)
		return;
	time_add(&l->total[l->class], took);
	if (t->told && t->n_watched)
		trace_watch_leaves(t, ev, l);
	if (t->told && t->line)
		timeline_span(t->line, point(t, l->since), point(t, ev->time), l->group, (enum trace_class)l->class, l->p, ev->who->id);
	if (l->class >= TC_SYSCALL)
		wait_ends(t, ev, l, open);
	else if (l->class == TC_RUNNABLE && ev->who->status == XT_RUNNING)
		latency_add(t, ev->who, l, l->since, took);
}

/* ---- network waits that end without data ---- */

static void net_woken(struct trace *t, const struct xt_event *ev, struct life *l)
{
	struct trace_site *s;

	l->woken = 0;
	if (l->class != TC_NET || ev->g || ev->p == XT_NONE || !trace_tail(t, l->wait_stack))
		return;
	s = trace_site(t, l->reason, l->wait_stack, TC_NET);
	if (s)
		l->woken = (uint32_t)(s - t->sites) + 1;
	l->reads = 0;
}

/*
 * Data that came is read at once, by the same call, which then reads again until it has to wait. A deadline ends the call:
 * what follows is something else, or one read alone before the next wait.
 */
COLD static void net_next(struct trace *t, const struct xt_event *ev, struct life *l)
{
	bool same;

	if (ev->type == XT_GO_STOP || (ev->type == XT_GO_BLOCK && trace_class_of(t, ev->text, ev->stack) == TC_OTHER))
		return;
	if (ev->type == XT_GO_SYSCALL_END || ev->type == XT_GO_SYSCALL_END_BLOCKED || ev->type == XT_GO_START)
		return;
	same = ev->stack && trace_tail(t, ev->stack) == trace_tail(t, l->wait_stack);
	if (ev->type == XT_GO_SYSCALL_BEGIN && same) {
		if (++l->reads > 1)
			l->woken = 0;
		return;
	}
	if (!l->reads || (ev->type == XT_GO_BLOCK && same))
		t->sites[l->woken - 1].deadlines++;
	l->woken = 0;
}

/* ---- goroutines ---- */

COLD static void keep(struct trace *t, const struct xt_event *ev, const struct life *l, int64_t ended)
{
	struct trace_group *g = &t->groups[l->group];
	struct trace_goroutine *one;

	if (t->n_watched)
		trace_watch_ends(t, ev->who->id, l, ended >= 0);
	for (size_t i = 0; i < TC_COUNT; i++)
		time_add(&g->total[i], l->total[i]);
	g->goroutines++;
	g->ended += ended >= 0;
	time_add(&g->assist, l->assist);
	g->runs += l->runs;
	g->samples += l->samples;
	if (l->max_latency > g->max_latency)
		g->max_latency = l->max_latency;
	if (ev->time - l->created > g->max_life)
		g->max_life = ev->time - l->created;
	if (t->n_all >= MAX_KEPT || !mem_grow(&t->all, &t->cap_all, t->n_all, sizeof(*t->all)))
		return;
	one = &t->all[t->n_all++];
	*one = (struct trace_goroutine){ .id = ev->who->id, .group = l->group, .created = l->before ? -1 : point(t, l->created),
					 .ended = ended, .last = (enum trace_class)l->class, .before = l->before };
	memcpy(one->total, l->total, sizeof(one->total));
}

static void name_it(struct trace *t, struct life *l, uint32_t stack)
{
	uint32_t root = stack ? trace_root(t, stack) : 0;

	if (root)
		l->group = trace_group_of(t, root);
}

static void regions_end(struct trace *t, struct life *l, int64_t now, uint64_t g);

HOT void enters(struct trace *t, const struct xt_event *ev, struct life *l)
{
	l->since = ev->time;
	l->before_wait = false;
	l->p = ev->p;
	switch (ev->who->status) {
	case XT_RUNNING:
		l->class = TC_RUNNING;
		if (!l->first_run)
			l->first_run = ev->time;
		break;
	case XT_RUNNABLE:
		l->class = TC_RUNNABLE;
		break;
	case XT_SYSCALL:
		l->class = TC_SYSCALL;
		l->reason = 0;
		l->stack = ev->g == ev->who || ev->type == XT_GO_STATUS_STACK ? ev->stack : 0;
		break;
	default:
		l->reason = ev->who == ev->g ? ev->text : 0;
		l->wait_stack = ev->type == XT_GO_BLOCK || ev->type == XT_GO_STATUS_STACK ? ev->stack : 0;
		l->class = (uint8_t)trace_class_of(t, l->reason, l->wait_stack);
	}
}

COLD static void appears(struct trace *t, const struct xt_event *ev, struct life *l)
{
	bool status = ev->type == XT_GO_STATUS || ev->type == XT_GO_STATUS_STACK;

	*l = (struct life){ .known = true, .created = ev->time };
	t->view.goroutines++;
	if (++t->alive > t->view.peak)
		t->view.peak = t->alive;
	name_it(t, l, ev->stack2 ? ev->stack2 : status ? ev->stack : 0);
	enters(t, ev, l);
	if (status && ev->first) {
		l->since = l->created = t->sync;
		l->before = true;
		l->before_wait = l->class > TC_RUNNABLE;
	}
}

static void goroutine_event(struct trace *t, const struct xt_event *ev)
{
	struct life *l = xt_extra(ev->who);
	bool own = ev->who == ev->g && ev->type != XT_GO_UNBLOCK && ev->type != XT_GO_CREATE && ev->type != XT_GO_CREATE_BLOCKED;

	if (!l->known) {
		if (!ev->gone)
			appears(t, ev, l);
		return;
	}
	if (!l->group && own)
		name_it(t, l, ev->stack);
	if (ev->before == ev->who->status && !ev->gone) {
		/* A status of a later generation; it may tell what was not known. */
		if (ev->type == XT_GO_STATUS_STACK && l->class > TC_RUNNABLE && !l->wait_stack && !l->stack) {
			if (l->class == TC_SYSCALL)
				l->stack = ev->stack;
			else
				l->wait_stack = ev->stack;
			if (!l->group)
				name_it(t, l, ev->stack);
		}
		return;
	}
	if (l->woken && own)
		net_next(t, ev, l);
	leaves(t, ev, l, false);
	if (ev->type == XT_GO_UNBLOCK)
		net_woken(t, ev, l);
	if (ev->gone) {
		regions_end(t, l, ev->time, ev->who->id);
		keep(t, ev, l, point(t, ev->time));
		t->alive--;
		return;
	}
	enters(t, ev, l);
}

/* ---- processors ---- */

static void procs_tick(struct trace *t, int64_t now)
{
	if (t->procs_since && now > t->procs_since) {
		t->procs_busy += (double)t->procs_running * (double)(now - t->procs_since);
		t->procs_room += (double)t->view.procs * (double)(now - t->procs_since);
	}
	t->procs_since = now;
}

static void proc_set(struct trace *t, uint64_t p, bool runs, int64_t now)
{
	if (p >= 4096)
		return;
	procs_tick(t, now);
	while (p >= t->cap_procs) {
		size_t was = t->cap_procs;

		if (!mem_grow(&t->proc_runs, &t->cap_procs, t->cap_procs, 1)) {
			t->lost = true;
			return;
		}
		memset(t->proc_runs + was, 0, t->cap_procs - was);
	}
	if (t->proc_runs[p] != runs)
		t->procs_running += runs ? 1 : (uint64_t)-1;
	t->proc_runs[p] = runs;
}

/* ---- ranges ---- */

static void assist(struct trace *t, const struct xt_event *ev, bool begins)
{
	struct life *l = ev->g ? xt_extra(ev->g) : NULL;

	if (!l || !l->known)
		return;
	if (begins) {
		l->assist_since = ev->type == XT_GC_ASSIST_ACTIVE ? t->sync : ev->time;
	} else if (l->assist_since) {
		time_add(&l->assist, ev->time - l->assist_since);
		trace_sum_add(&t->view.assist, point(t, l->assist_since), point(t, ev->time), ev->g->id);
		l->assist_since = 0;
	}
}

static void collection(struct trace *t, const struct xt_event *ev)
{
	if (ev->type != XT_GC_END) {
		if (ev->type == XT_GC_BEGIN)
			t->gc_from = ev->time;
		else if (!t->gc_from)
			t->gc_from = t->sync;
		return;
	}
	if (t->gc_from) {
		trace_sum_add(&t->view.gc, point(t, t->gc_from), point(t, ev->time), ev->args[0] / 2);
		if (t->line)
			timeline_mark(t->line, point(t, t->gc_from), point(t, ev->time), 0, 0, 0, ev->args[0] / 2);
	}
	t->gc_from = 0;
}

static void world(struct trace *t, const struct xt_event *ev)
{
	if (ev->type == XT_STW_BEGIN) {
		t->stw_from = ev->time;
		t->stw_kind = ev->text;
		return;
	}
	if (t->stw_from) {
		struct trace_sum *s = trace_sum_of(t, &t->stw, &t->n_stw, &t->cap_stw, t->stw_kind);

		if (s)
			trace_sum_add(s, point(t, t->stw_from), point(t, ev->time), ev->g ? ev->g->id : 0);
		if (t->line)
			timeline_mark(t->line, point(t, t->stw_from), point(t, ev->time), 1, t->stw_kind, 0, 0);
	}
	t->stw_from = 0;
}

/* ---- tasks, regions, log ---- */

static void region_begin(struct trace *t, const struct xt_event *ev, struct life *l)
{
	uint32_t at = t->free_region;

	if (at) {
		t->free_region = t->open_regions[at].next;
	} else {
		if (t->n_open_regions >= MAX_OPEN ||
		    !mem_grow(&t->open_regions, &t->cap_open_regions, t->n_open_regions + 1, sizeof(*t->open_regions))) {
			t->left_out++;
			return;
		}
		at = (uint32_t)++t->n_open_regions;
	}
	t->open_regions[at] = (struct region){ ev->text, l->region, ev->time };
	l->region = at;
}

/* name 0: whatever it is; the goroutine ended. */
static void region_pop(struct trace *t, struct life *l, int64_t now, uint64_t g, bool ended)
{
	struct region *r = &t->open_regions[l->region];
	struct trace_sum *s = trace_sum_of(t, &t->regions, &t->n_regions, &t->cap_regions, r->name);
	uint32_t at = l->region;

	if (s) {
		trace_sum_add(s, point(t, r->from), point(t, now), g);
		s->open += !ended;
	}
	l->region = r->next;
	r->next = t->free_region;
	t->free_region = at;
}

static void regions_end(struct trace *t, struct life *l, int64_t now, uint64_t g)
{
	while (l->region)
		region_pop(t, l, now, g, false);
}

static void task_begin(struct trace *t, const struct xt_event *ev)
{
	struct task *k;

	if (map_get(&t->open_tasks, (struct span){ (const char *)&ev->args[0], 8 }))
		return;
	k = t->n_open_tasks < MAX_OPEN ? mem_alloc(sizeof(*k)) : NULL;
	if (!k) {
		t->left_out++;
		return;
	}
	*k = (struct task){ ev->args[0], ev->g ? ev->g->id : 0, ev->text, ev->time };
	if (map_put(&t->open_tasks, (struct span){ (const char *)&k->id, 8 }, k))
		t->n_open_tasks++;
	else
		mem_free(k);
}

static void task_over(struct trace *t, struct task *k, int64_t now, bool ended)
{
	struct trace_sum *s = trace_sum_of(t, &t->tasks, &t->n_tasks, &t->cap_tasks, k->name);

	if (s) {
		trace_sum_add(s, point(t, k->from), point(t, now), k->id);
		s->open += !ended;
	}
	if (t->line)
		timeline_mark(t->line, point(t, k->from), point(t, now), 3, k->name, 0, k->id);
	mem_free(k);
}

static void task_end(struct trace *t, const struct xt_event *ev)
{
	struct task *k = map_del(&t->open_tasks, (struct span){ (const char *)&ev->args[0], 8 });

	if (k) {
		t->n_open_tasks--;
		task_over(t, k, ev->time, true);
	}
}

static void logged(struct trace *t, const struct xt_event *ev)
{
	struct trace_view *v = &t->view;

	v->logs_seen++;
	if (t->line)
		timeline_mark(t->line, point(t, ev->time), point(t, ev->time), 2, ev->text, ev->text2, ev->g ? ev->g->id : 0);
	if (v->n_logs < MAX_LOGS && mem_grow(&t->logs, &t->cap_logs, v->n_logs, sizeof(*t->logs)))
		t->logs[v->n_logs++] = (struct trace_log){ point(t, ev->time), ev->g ? ev->g->id : 0, ev->args[0], ev->text, ev->text2 };
}

static void sampled(struct trace *t, const struct xt_event *ev)
{
	struct life *l = ev->g ? xt_extra(ev->g) : NULL;

	t->view.samples++;
	if (l && l->known)
		l->samples++;
	while (ev->stack >= t->cap_hits) {
		size_t was = t->cap_hits;

		if (!mem_grow(&t->hits, &t->cap_hits, t->cap_hits, sizeof(*t->hits))) {
			t->lost = true;
			return;
		}
		memset(t->hits + was, 0, (t->cap_hits - was) * sizeof(*t->hits));
	}
	t->hits[ev->stack]++;
}

static void annotation(struct trace *t, const struct xt_event *ev)
{
	struct life *l = ev->g ? xt_extra(ev->g) : NULL;

	switch (ev->type) {
	case XT_REGION_BEGIN:
		if (l && l->known)
			region_begin(t, ev, l);
		break;
	case XT_REGION_END:
		if (l && l->known && l->region)
			region_pop(t, l, ev->time, ev->g->id, true);
		break;
	case XT_TASK_BEGIN:
		task_begin(t, ev);
		break;
	case XT_TASK_END:
		task_end(t, ev);
		break;
	case XT_LOG:
		logged(t, ev);
		break;
	default:
		break;
	}
}

static void other_event(struct trace *t, const struct xt_event *ev)
{
	switch (ev->type) {
	case XT_GENERATION:
		t->sync = ev->time;
		break;
	case XT_PROCS_CHANGE:
		procs_tick(t, ev->time);
		t->view.procs = ev->args[0] < 1u << 20 ? ev->args[0] : 0;
		break;
	case XT_PROC_START:
		proc_set(t, ev->args[0], true, ev->time);
		break;
	case XT_PROC_STATUS:
		proc_set(t, ev->args[0], ev->args[1] == XT_P_RUNNING || ev->args[1] == XT_P_SYSCALL, ev->time);
		break;
	case XT_PROC_STOP:
		proc_set(t, ev->p, false, ev->time);
		break;
	case XT_PROC_STEAL:
		proc_set(t, ev->args[0], false, ev->time);
		break;
	case XT_GC_ACTIVE:
	case XT_GC_BEGIN:
	case XT_GC_END:
		collection(t, ev);
		break;
	case XT_STW_BEGIN:
	case XT_STW_END:
		world(t, ev);
		break;
	case XT_GC_ASSIST_BEGIN:
	case XT_GC_ASSIST_ACTIVE:
	case XT_GC_ASSIST_END:
		assist(t, ev, ev->type != XT_GC_ASSIST_END);
		break;
	case XT_HEAP_ALLOC:
		if (ev->args[0] <= INT64_MAX && (int64_t)ev->args[0] > t->view.heap_max)
			t->view.heap_max = (int64_t)ev->args[0];
		break;
	case XT_HEAP_GOAL:
		t->view.heap_goal = ev->args[0] <= INT64_MAX ? (int64_t)ev->args[0] : 0;
		break;
	case XT_SAMPLE:
		sampled(t, ev);
		break;
	default:
		annotation(t, ev);
	}
}

static void on_event(void *ctx, const struct xt_event *ev)
{
	struct trace *t = ctx;

	if (!t->begin)
		t->begin = t->sync = ev->time;
	if (ev->who)
		goroutine_event(t, ev);
	else
		other_event(t, ev);
}

/* ---- begin and end ---- */

bool trace_looks_like(struct span head)
{
	return xt_looks_like(head);
}

int trace_new(const struct trace_config *c, struct trace **ret, struct err *e)
{
	struct trace *t = mem_zalloc(sizeof(*t));
	struct xt_config config = { .event = on_event, .note = trace_note, .ctx = t, .extra = sizeof(struct life) };

	*ret = t;
	if (!t)
		return err_set(e, ENOMEM, TR("no memory to read an execution trace", "内存不足，无法读取执行跟踪"));
	t->mem.max = 16u << 20;
	if (xt_new(&config, &t->x, e) < 0)
		goto failed;
	if (c->timeline)
		t->line = timeline_new(c);
	if (!mem_grow(&t->groups, &t->cap_groups, 0, sizeof(*t->groups)) || (c->timeline && !t->line) ||
	    trace_watch_begin(t, c->watch, c->n_watch) < 0) {
		err_set(e, ENOMEM, TR("no memory to read an execution trace", "内存不足，无法读取执行跟踪"));
		goto failed;
	}
	t->told = t->line || t->n_watched;
	t->groups[0] = (struct trace_group){ .name = S("") };
	t->n_groups = 1;
	return 0;
failed:
	trace_free(t);
	*ret = NULL;
	return -ENOMEM;
}

void trace_feed(struct trace *t, struct span s)
{
	xt_feed(t->x, s);
}

/* The goroutines that live at the end. */
static void settle(struct trace *t, int64_t end)
{
	struct xt_goroutine *g;
	size_t at = 0;

	while ((g = xt_alive(t->x, &at)) != NULL) {
		struct life *l = xt_extra(g);
		struct xt_event ev = { .type = XT_GENERATION, .time = end, .who = g, .m = XT_NONE, .p = l->p, .args = (const uint64_t[5]){ 0 } };

		if (!l->known)
			continue;
		leaves(t, &ev, l, true);
		regions_end(t, l, end, g->id);
		t->groups[l->group].open[l->class]++;
		keep(t, &ev, l, -1);
	}
}

int trace_end(struct trace *t, struct err *e)
{
	const struct xt_stats *s = xt_stats(t->x);
	struct task *k;
	size_t at = 0;

	if (t->over)
		return 0;
	t->over = true;
	xt_end(t->x);
	if (s->generations) {
		t->view.duration = s->last - t->begin;
		procs_tick(t, s->last);
		t->view.alive = t->alive;
		settle(t, s->last);
		while ((k = map_next(&t->open_tasks, &at)) != NULL)
			task_over(t, k, s->last, false);
		map_clear(&t->open_tasks);
		if (t->line)
			timeline_end(t->line, t->view.duration);
	}
	t->view.stats = s;
	t->view.limits = &t->limits;
	trace_sort(t);
	if (xt_lost(t->x) || t->lost)
		return err_set(e, ENOMEM, TR("no memory for all of the execution trace: what is shown is a part",
					     "内存不足，执行跟踪只处理了一部分"));
	if (t->damaged)
		return err_set(e, EBADMSG, "%s", t->what);
	return 0;
}

const struct trace_view *trace_view(const struct trace *t)
{
	return &t->view;
}

struct span trace_text(const struct trace *t, uint32_t text)
{
	return xt_text(t->x, text);
}

const struct xt_frame *trace_stack(const struct trace *t, uint32_t stack, size_t *n)
{
	return xt_stack(t->x, stack, n);
}

void trace_free(struct trace *t)
{
	struct task *k;
	size_t at = 0;

	if (!t)
		return;
	while ((k = map_next(&t->open_tasks, &at)) != NULL)
		mem_free(k);
	map_free(&t->open_tasks);
	xt_free(t->x);
	timeline_free(t->line);
	arena_free(&t->mem);
	mem_free(t->group_of);
	mem_free(t->groups);
	mem_free(t->sites);
	mem_free(t->site_slots);
	mem_free(t->reasons);
	mem_free(t->stacks);
	mem_free(t->all);
	mem_free(t->stw);
	mem_free(t->tasks);
	mem_free(t->regions);
	mem_free(t->open_regions);
	mem_free(t->logs);
	mem_free(t->hits);
	mem_free(t->funcs);
	mem_free(t->proc_runs);
	mem_free(t->watched);
	mem_free(t);
}
