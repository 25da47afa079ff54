/* An execution trace as JSON. Points are ns since its begin, spans of time are ns. */
#include "cli/show_trace.h"

#define MOST_STACK 64

static void key_n(struct json_out *j, const char *key, uint64_t v)
{
	json_member_int(j, key, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static void key_class(struct json_out *j, enum trace_class c, enum trace_dep d)
{
	json_member_strz(j, "state", trace_class_word(c));
	json_member_strz(j, "depends_on", trace_dep_word(d));
}

static void totals(struct json_out *j, const char *key, const int64_t total[TC_COUNT])
{
	json_member_open(j, key, '{');
	for (size_t i = 0; i < TC_COUNT; i++)
		json_member_int(j, trace_class_word((enum trace_class)i), total[i]);
	json_close(j, '}');
}

static void stack(const struct trace *t, struct json_out *j, const char *key, uint32_t number)
{
	size_t n;
	const struct xt_frame *f = trace_stack(t, number, &n);

	json_member_open(j, key, '[');
	for (size_t i = 0; i < n && i < MOST_STACK; i++) {
		json_open(j, '{');
		json_member_str(j, "func", trace_text(t, f[i].func));
		json_member_str(j, "file", trace_text(t, f[i].file));
		json_member_int(j, "line", f[i].line);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void stats(const struct xt_stats *s, struct json_out *j)
{
	json_member_int(j, "header", s->version);
	json_member_int(j, "bytes", s->bytes);
	key_n(j, "generations", s->generations);
	key_n(j, "unverified_generations", s->unverified);
	json_member_bool(j, "truncated", s->truncated);
	key_n(j, "unreadable_bytes", s->unreadable_bytes);
	key_n(j, "experimental_batches", s->experimental_batches);
	json_member_open(j, "events", '{');
	for (size_t i = 0; i < XTK_COUNT; i++) {
		if (s->kinds[i])
			key_n(j, xt_kind_word((enum xt_kind)i), s->kinds[i]);
	}
	json_close(j, '}');
	json_member_open(j, "records", '{');
	for (unsigned i = 0; i < 256; i++) {
		if (s->wire[i])
			key_n(j, xt_type_word(i), s->wire[i]);
	}
	json_close(j, '}');
}

static void groups(const struct trace *t, struct json_out *j)
{
	const struct trace_view *v = trace_view(t);

	json_member_open(j, "groups", '[');
	for (size_t i = 0; i < v->n_groups; i++) {
		const struct trace_group *g = &v->groups[i];

		if (!g->goroutines)
			continue;
		json_open(j, '{');
		json_member_str(j, "start", g->name);
		json_member_bool(j, "system", g->system);
		key_n(j, "goroutines", g->goroutines);
		key_n(j, "ended", g->ended);
		totals(j, "time", g->total);
		json_member_int(j, "assist", g->assist);
		json_member_int(j, "max_latency", g->max_latency);
		key_n(j, "runs", g->runs);
		key_n(j, "cpu_samples", g->samples);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void sites(const struct trace *t, struct json_out *j)
{
	const struct trace_view *v = trace_view(t);

	json_member_open(j, "waits", '[');
	for (size_t i = 0; i < v->n_sites; i++) {
		const struct trace_site *s = &v->sites[i];

		json_open(j, '{');
		json_member_str(j, "reason", trace_text(t, s->reason));
		key_class(j, s->class, s->dep);
		key_n(j, "count", s->count);
		json_member_int(j, "total", s->total);
		json_member_int(j, "max", s->max);
		json_member_int(j, "max_at", s->max_from);
		key_n(j, "max_goroutine", s->max_goroutine);
		key_n(j, "open", s->still);
		key_n(j, "deadlines", s->deadlines);
		key_n(j, "closed", s->closed);
		stack(t, j, "stack", s->stack);
		stack(t, j, "woken_by", s->waker);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void waits(const struct trace *t, struct json_out *j, const char *key, const struct trace_wait *w, size_t n)
{
	json_member_open(j, key, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		key_n(j, "goroutine", w[i].goroutine);
		json_member_str(j, "start", trace_view(t)->groups[w[i].group].name);
		json_member_str(j, "reason", trace_text(t, w[i].reason));
		key_class(j, w[i].class, w[i].dep);
		json_key(j, "from");
		if (w[i].from < 0)
			json_null(j);
		else
			json_int(j, w[i].from);
		json_member_int(j, "to", w[i].to);
		stack(t, j, "stack", w[i].stack);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void sums(const struct trace *t, struct json_out *j, const char *key, const struct trace_sum *s, size_t n)
{
	json_member_open(j, key, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_member_str(j, "name", trace_text(t, s[i].name));
		key_n(j, "count", s[i].count);
		key_n(j, "open", s[i].open);
		json_member_int(j, "total", s[i].total);
		json_member_int(j, "max", s[i].max);
		json_member_int(j, "max_at", s[i].max_from);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void goroutines(const struct trace *t, struct json_out *j)
{
	const struct trace_view *v = trace_view(t);

	json_member_open(j, "goroutines", '[');
	for (size_t i = 0; i < v->n_all; i++) {
		const struct trace_goroutine *g = &v->all[i];

		json_open(j, '{');
		key_n(j, "id", g->id);
		json_member_str(j, "start", v->groups[g->group].name);
		json_key(j, "created");
		if (g->created < 0)
			json_null(j);
		else
			json_int(j, g->created);
		json_key(j, "ended");
		if (g->ended < 0)
			json_null(j);
		else
			json_int(j, g->ended);
		json_member_strz(j, "last", trace_class_word(g->last));
		totals(j, "time", g->total);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void logs(const struct trace *t, struct json_out *j)
{
	const struct trace_view *v = trace_view(t);

	key_n(j, "logs_seen", v->logs_seen);
	json_member_open(j, "logs", '[');
	for (size_t i = 0; i < v->n_logs; i++) {
		json_open(j, '{');
		json_member_int(j, "at", v->logs[i].at);
		key_n(j, "goroutine", v->logs[i].goroutine);
		key_n(j, "task", v->logs[i].task);
		json_member_str(j, "key", trace_text(t, v->logs[i].key));
		json_member_str(j, "value", trace_text(t, v->logs[i].value));
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void samples(const struct trace *t, struct json_out *j)
{
	const struct trace_view *v = trace_view(t);

	key_n(j, "cpu_samples", v->samples);
	json_member_open(j, "functions", '[');
	for (size_t i = 0; i < v->n_funcs; i++) {
		json_open(j, '{');
		json_member_str(j, "func", trace_text(t, v->funcs[i].name));
		key_n(j, "flat", v->funcs[i].flat);
		key_n(j, "cum", v->funcs[i].cum);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void latency(const struct trace_latency *l, struct json_out *j)
{
	json_member_open(j, "latency", '{');
	key_n(j, "count", l->count);
	json_member_int(j, "p50", l->p50);
	json_member_int(j, "p90", l->p90);
	json_member_int(j, "p99", l->p99);
	json_member_int(j, "p999", l->p999);
	json_member_int(j, "max", l->max);
	json_member_int(j, "total", l->total);
	json_close(j, '}');
}

static void changes(const struct trace_changes *c, struct json_out *j)
{
	json_member_open(j, "changes", '[');
	for (size_t i = 0; i < c->n; i++) {
		json_open(j, '{');
		json_member_str(j, "reason", c->v[i].reason);
		json_member_str(j, "func", c->v[i].place);
		key_class(j, c->v[i].class, c->v[i].dep);
		json_member_int(j, "before_per_second", (int64_t)c->v[i].before);
		json_member_int(j, "now_per_second", (int64_t)c->v[i].now);
		key_n(j, "count_before", c->v[i].count_before);
		key_n(j, "count_now", c->v[i].count_now);
		json_member_int(j, "max_before", c->v[i].max_before);
		json_member_int(j, "max_now", c->v[i].max_now);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void show_trace_json(const struct trace *t, const struct trace_changes *c, struct json_out *j)
{
	const struct trace_view *v = trace_view(t);

	json_open(j, '{');
	stats(v->stats, j);
	json_member_int(j, "duration", v->duration);
	key_n(j, "processors", v->procs);
	json_member_num(j, "busy", v->busy);
	key_n(j, "goroutines_seen", v->goroutines);
	key_n(j, "goroutines_at_most", v->peak);
	key_n(j, "goroutines_alive", v->alive);
	totals(j, "time", v->total);
	latency(&v->latency, j);
	groups(t, j);
	sites(t, j);
	waits(t, j, "longest", v->longest, v->n_longest);
	waits(t, j, "open", v->open, v->n_open);
	sums(t, j, "collections", &v->gc, v->gc.count ? 1 : 0);
	sums(t, j, "mark_assist", &v->assist, v->assist.count ? 1 : 0);
	sums(t, j, "stopped_world", v->stw, v->n_stw);
	json_member_int(j, "heap_max", v->heap_max);
	sums(t, j, "tasks", v->tasks, v->n_tasks);
	sums(t, j, "regions", v->regions, v->n_regions);
	logs(t, j);
	samples(t, j);
	goroutines(t, j);
	if (c)
		changes(c, j);
	json_close(j, '}');
}
