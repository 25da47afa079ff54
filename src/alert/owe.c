#include "alert/owe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"

#define TOLD_KEPT (30 * INT64_C(86400) * NSEC_PER_SEC)
#define TOLD_MAX 2000
#define KEY_MAX 200

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- the body of a row ---- */

void owed_json(const char *config, const char *project, const char *group, bool escalates, struct span alert, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.owed/1");
	json_key(&j, "config");
	json_strz(&j, config && *config ? config : NULL);
	json_key(&j, "project");
	json_strz(&j, project);
	json_key(&j, "group");
	json_strz(&j, group);
	json_key(&j, "escalates");
	json_bool(&j, escalates);
	json_key(&j, "alert");
	buf_span(ret, alert);
	j.comma = true;
	json_close(&j, '}');
}

/* The whole value behind a key of the outermost object. */
static bool take_value(struct json_in *j, enum json_tok t, struct span *ret)
{
	size_t from = j->at - 1;

	if (t != JSON_OBJ)
		return t > JSON_END && t != JSON_OBJ_END && t != JSON_ARR && t != JSON_ARR_END;
	if (!json_skip(j))
		return false;
	*ret = (struct span){ j->text.p + from, j->at - from };
	return true;
}

static bool unescaped(struct span raw, struct arena *mem, struct span *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	json_unescape(raw, &b);
	*ret = arena_span(mem, b.len ? buf_view(&b) : S(""));
	return !b.bad && ret->p;
}

static bool read_member(struct json_in *j, struct span key, struct arena *mem, struct owed_body *ret)
{
	enum json_tok t = json_next(j);
	struct span v = j->value, object = { 0 };

	if (t == JSON_ARR)
		return json_skip(j);
	if (!take_value(j, t, &object))
		return false;
	if (span_eq(key, S("alert")))
		ret->alert = object;
	if (span_eq(key, S("escalates")))
		ret->escalates = t == JSON_TRUE;
	if (t != JSON_STR)
		return true;
	if (span_eq(key, S("config")))
		return unescaped(v, mem, &ret->config);
	if (span_eq(key, S("project")))
		return unescaped(v, mem, &ret->project);
	if (span_eq(key, S("group")))
		return unescaped(v, mem, &ret->group);
	return true;
}

int owed_read(struct span json, struct arena *mem, struct owed_body *ret, struct err *e)
{
	struct json_in j = { .text = json };
	struct span schema;
	enum json_tok t;

	*ret = (struct owed_body){ 0 };
	if (json_find(json, "schema", &schema) && span_eq(schema, S("tocsin.alert/1"))) {
		ret->alert = json;
		return 0;
	}
	if (json_next(&j) != JSON_OBJ)
		return err_set(e, EBADMSG, TR("what is owed is not an alert: no JSON object", "待发内容不是告警：不是 JSON 对象"));
	while ((t = json_next(&j)) == JSON_KEY) {
		if (!read_member(&j, j.value, mem, ret))
			return err_set(e, EBADMSG, TR("what is owed is not an alert: broken at byte %zu", "待发内容不是告警：第 %zu 字节处损坏"), j.at);
	}
	return t == JSON_OBJ_END && ret->alert.n ? 0 : err_set(e, EBADMSG, TR("what is owed is not an alert", "待发内容不是告警"));
}

void owe_config_path(const struct config *c, struct buf *ret)
{
	const struct config_file *f = c ? &c->files[CONFIG_NAMED] : NULL;

	if (!f || !f->found || !f->path)
		return;
	char *real = realpath(f->path, NULL);
	buf_adds(ret, real ? real : f->path);
	free(real);
}

/* ---- notes: flat JSON objects ---- */

static const char *note_text(struct span json, const char *key, struct arena *mem)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span raw;

	/* only a string has a quote before it; a literal such as null need not even be a part of the text */
	if (!json_find(json, key, &raw) || !raw.n || raw.p <= json.p || raw.p >= json.p + json.n || raw.p[-1] != '"')
		return NULL;
	json_unescape(raw, &b);
	return b.bad ? NULL : arena_str(mem, buf_view(&b));
}

static int64_t note_number(struct span json, const char *key)
{
	struct span raw;
	int64_t v = 0;

	return json_find(json, key, &raw) && span_int(raw, &v) ? v : 0;
}

static bool note_true(struct span json, const char *key)
{
	struct span raw;

	return json_find(json, key, &raw) && span_eq(raw, S("true"));
}

static void put(struct json_out *j, const char *key, const char *v)
{
	json_key(j, key);
	json_strz(j, v);
}

static void put_int(struct json_out *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

/* ---- what was told ---- */

static void told_json(const struct told *t, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	put(&j, "series", t->series);
	put(&j, "project", t->project);
	put(&j, "branch", t->branch);
	put(&j, "job", t->job);
	put(&j, "host", t->host);
	put(&j, "cause", t->cause);
	put(&j, "outcome", t->outcome);
	put(&j, "title", t->title);
	put(&j, "who", t->who);
	put(&j, "rows", t->rows);
	put_int(&j, "at", t->at);
	put_int(&j, "count", t->count);
	json_key(&j, "acked");
	json_bool(&j, t->acked);
	json_key(&j, "over");
	json_bool(&j, t->over);
	json_close(&j, '}');
}

static void told_read(struct span key, struct span v, struct arena *mem, struct told *ret)
{
	*ret = (struct told){
		.key = arena_str(mem, key), .series = note_text(v, "series", mem), .project = note_text(v, "project", mem), .branch = note_text(v, "branch", mem),
		.job = note_text(v, "job", mem), .host = note_text(v, "host", mem), .cause = note_text(v, "cause", mem), .outcome = note_text(v, "outcome", mem),
		.title = note_text(v, "title", mem), .who = note_text(v, "who", mem), .rows = note_text(v, "rows", mem), .at = note_number(v, "at"),
		.count = note_number(v, "count"), .acked = note_true(v, "acked"), .over = note_true(v, "over"),
	};
}

static void told_key(const char *key, struct buf *ret)
{
	buf_adds(ret, "told:");
	buf_span(ret, span_head(span_of(key), KEY_MAX));
}

struct telling {
	told_fn *fn;
	void *ctx;
};

static int tell_row(void *ctx, struct span key, struct span value)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	const struct telling *t = ctx;
	struct told x;

	told_read(span_from(key, 5), value, &mem, &x);
	return x.key ? t->fn(t->ctx, &x) : -ENOMEM;
}

int told_list(struct store *outbox, told_fn *fn, void *ctx, struct err *e)
{
	return outbox_notes(outbox, "told:", tell_row, &(struct telling){ fn, ctx }, e);
}

static int told_get(struct store *outbox, const char *key, struct arena *mem, struct told *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };

	*ret = (struct told){ .key = key };
	told_key(key, &name);
	int r = outbox_note_get(outbox, buf_str(&name), &value, e);
	if (r == 0)
		told_read(span_of(key), buf_view(&value), mem, ret);
	return r;
}

int told_open(struct store *outbox, struct span key, struct err *e)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	const char *z = arena_str(&mem, key);
	struct told t;

	int r = z ? told_get(outbox, z, &mem, &t, e) : no_memory(e);
	return r < 0 ? r : r == 1 || (!t.acked && !t.over);
}

int alert_ack(struct store *outbox, const char *key, const char *who, struct err *e)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };
	struct told t;

	int r = told_get(outbox, key, &mem, &t, e);
	if (r == 1)
		return err_set(e, ENOENT, TR("nothing was told about '%.60s'", "没有发送过关于“%.60s”的告警"), key);
	if (r < 0)
		return r;
	t.acked = true;
	t.who = who;
	told_key(key, &name);
	told_json(&t, &value);
	if (name.bad || value.bad)
		return no_memory(e);
	r = outbox_owe(outbox, NULL, 0, &(struct outbox_note){ name.p, value.p }, 1, time_wall(), e);
	return r < 0 ? r : 0;
}

/* ---- silences ---- */

int silence_add(struct store *outbox, const struct silence *s, struct err *e)
{
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };
	struct json_out j = { .to = &value };

	buf_addf(&name, "silence:%s", s->id);
	json_open(&j, '{');
	for (int w = 0; w < WHENS; w++)
		put(&j, config_when_words[w], s->when[w]);
	put(&j, "key", s->key);
	put(&j, "why", s->why);
	put(&j, "who", s->who);
	put_int(&j, "at", s->at);
	put_int(&j, "until", s->until);
	json_close(&j, '}');
	if (name.bad || value.bad)
		return no_memory(e);
	int r = outbox_owe(outbox, NULL, 0, &(struct outbox_note){ name.p, value.p }, 1, s->at, e);
	return r < 0 ? r : 0;
}

struct silencing {
	silence_fn *fn;
	void *ctx;
	int64_t now;
};

static int silence_row(void *ctx, struct span key, struct span v)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	const struct silencing *x = ctx;
	struct silence s = { .id = arena_str(&mem, span_from(key, 8)), .key = note_text(v, "key", &mem), .why = note_text(v, "why", &mem), .who = note_text(v, "who", &mem),
			     .at = note_number(v, "at"), .until = note_number(v, "until") };

	for (int w = 0; w < WHENS; w++)
		s.when[w] = note_text(v, config_when_words[w], &mem);
	if (!s.id)
		return -ENOMEM;
	return s.until > x->now ? x->fn(x->ctx, &s) : 0;
}

int silence_list(struct store *outbox, int64_t now, silence_fn *fn, void *ctx, struct err *e)
{
	return outbox_notes(outbox, "silence:", silence_row, &(struct silencing){ fn, ctx, now }, e);
}

int silence_end(struct store *outbox, const char *id, struct err *e)
{
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };

	buf_addf(&name, "silence:%.40s", id);
	if (name.bad)
		return no_memory(e);
	int r = outbox_note_get(outbox, name.p, &value, e);
	if (r == 1)
		return err_set(e, ENOENT, TR("there is no silence %.40s", "没有静默 %.40s"), id);
	if (r == 0)
		r = outbox_owe(outbox, NULL, 0, &(struct outbox_note){ name.p, NULL }, 1, time_wall(), e);
	return r < 0 ? r : 0;
}

/* ---- from a report to rows ---- */

struct owing {
	struct store *outbox;
	const struct config *c;
	const struct report *r;
	const struct owe *o;
	struct owed *ret;
	struct arena *mem;     /* of ret */
	struct routes *routes;
	struct alert alert;
	struct route_active *active;
	size_t n_active, cap_active;
	struct told *over;     /* that this pass ends */
	size_t n_over, cap_over;
	struct told past;
	bool told;             /* past is there */
	struct alert_owed *rows;
	const char **ids, **channels;
	size_t n, cap, cap_ids, cap_channels;
	struct outbox_note *notes;
	size_t n_notes, cap_notes;
	struct err *e;
};

static const char *keep(struct owing *w, const char *z)
{
	return z ? arena_str(w->mem, span_of(z)) : NULL;
}

static int add_silence(void *ctx, const struct silence *s)
{
	struct owing *w = ctx;

	return routes_silence(w->routes, s->when, s->key, s->until, s->why, w->e);
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static struct told told_copy(struct owing *w, const struct told *t)
{
	struct told x = *t;
	const char **const texts[] = { &x.key, &x.series, &x.project, &x.branch, &x.job, &x.host, &x.cause, &x.outcome, &x.title, &x.who, &x.rows };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = keep(w, *texts[i]);
	return x;
}

static int forget(struct owing *w, const char *key)
{
	CLEANUP(buf_free) struct buf name = { 0 };

	told_key(key, &name);
	const char *copy = name.bad ? NULL : arena_str(w->mem, buf_view(&name));
	if (!copy || !mem_grow(&w->notes, &w->cap_notes, w->n_notes, sizeof(*w->notes)))
		return -ENOMEM;
	w->notes[w->n_notes++] = (struct outbox_note){ copy, NULL };
	return 0;
}

static int take_told(void *ctx, const struct told *t)
{
	struct owing *w = ctx;
	bool passed = w->r->outcome == OUTCOME_PASSED;

	if (t->at < w->o->now - TOLD_KEPT)
		return w->n_notes < TOLD_MAX ? forget(w, t->key) : 0;
	if (!passed && same(t->key, w->alert.key)) {
		w->past = told_copy(w, t);
		w->told = true;
	}
	if (t->over)
		return 0;
	if (passed && t->series && same(t->series, w->alert.series) && same(t->branch, w->alert.branch)) {
		if (!mem_grow(&w->over, &w->cap_over, w->n_over, sizeof(*w->over)))
			return -ENOMEM;
		w->over[w->n_over++] = told_copy(w, t);
	}
	if (passed || w->n_active >= TOLD_MAX || t->at < w->o->now - ROUTE_ACTIVE_NS)
		return 0;
	if (!mem_grow(&w->active, &w->cap_active, w->n_active, sizeof(*w->active)))
		return -ENOMEM;
	struct told x = told_copy(w, t);
	w->active[w->n_active++] = (struct route_active){ .key = x.key, .cause = x.cause, .project = x.project, .branch = x.branch, .job = x.job, .host = x.host, .told_at = x.at };
	return 0;
}

static const char *owners_text(struct owing *w, const struct finding *f)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; f && i < f->owners.n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", f->owners.v[i]);
	return b.len ? arena_str(w->mem, buf_view(&b)) : NULL;
}

/* The name that telemetry has for it, else the last part of the project's. */
static const char *service_of(const char *project)
{
	const char *named = getenv("OTEL_SERVICE_NAME"), *slash = project ? strrchr(project, '/') : NULL;

	return named && *named ? named : slash ? slash + 1 : project;
}

static void facts_of(struct owing *w, struct route_facts *f)
{
	const struct finding *p = w->r->n_findings ? &w->r->findings[0] : NULL;
	const struct alert *a = &w->alert;

	*f = (struct route_facts){
		.key = a->key, .outcome = a->outcome, .cause = a->cause, .severity = a->severity, .branch = a->branch, .job = a->job, .project = a->project, .host = a->host,
		.classes = p ? p->classes : NULL, .package = p && p->package.n ? arena_str(w->mem, p->package) : NULL, .owner = owners_text(w, p),
		.state = p ? p->fault.state : NULL, .flaky = w->r->outcome == OUTCOME_UNSTABLE, .service = service_of(a->project),
	};
}

static bool was_told(const struct told *t, const char *channel, char id[27])
{
	struct span rest = span_of(t->rows ? t->rows : "");

	while (rest.n) {
		struct span one = span_cut(&rest, ' '), name = span_cut(&one, '=');
		if (!span_eq(name, span_of(channel)))
			continue;
		snprintf(id, 27, "%.*s", SPAN_ARG(span_head(one, 26)));
		return true;
	}
	return false;
}

static int add_row(struct owing *w, const struct route_hit *h)
{
	CLEANUP(buf_free) struct buf json = { 0 }, body = { 0 }, config = { 0 };
	char id[27];

	w->alert.level = h->level;
	alert_json(&w->alert, &json);
	owe_config_path(w->c, &config);
	owed_json(buf_str(&config), w->alert.project, h->group, h->escalates, buf_view(&json), &body);
	ulid_make(w->o->now, id);
	struct alert_owed row = { .id = keep(w, id), .run = w->alert.run, .channel = keep(w, h->channel), .body = arena_span(w->mem, buf_view(&body)), .not_before = h->not_before };
	if (json.bad || body.bad || config.bad || !row.id || !row.channel || !row.body.p || !mem_grow(&w->rows, &w->cap, w->n, sizeof(*w->rows)) ||
	    !mem_grow(&w->ids, &w->cap_ids, w->n + 1, sizeof(*w->ids)) || !mem_grow(&w->channels, &w->cap_channels, w->n + 1, sizeof(*w->channels)))
		return no_memory(w->e);
	w->ids[w->n] = row.id;
	w->channels[w->n] = row.channel;
	w->rows[w->n++] = row;
	w->ids[w->n] = w->channels[w->n] = NULL;
	return 0;
}

static int note_told(struct owing *w, const struct told *t)
{
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };

	told_key(t->key, &name);
	told_json(t, &value);
	struct outbox_note n = { arena_str(w->mem, buf_view(&name)), arena_str(w->mem, buf_view(&value)) };
	if (name.bad || value.bad || !n.key || !n.value || !mem_grow(&w->notes, &w->cap_notes, w->n_notes, sizeof(*w->notes)))
		return no_memory(w->e);
	w->notes[w->n_notes++] = n;
	return 0;
}

/* What is to be known at the next one of this key: when, to whom, in which rows. */
static int remember(struct owing *w, size_t from)
{
	CLEANUP(buf_free) struct buf rows = { 0 };
	const struct alert *a = &w->alert;
	bool again = w->told && !w->past.over;
	struct told t = { .key = a->key, .series = a->series, .project = a->project, .branch = a->branch, .job = a->job, .host = a->host, .cause = a->cause, .outcome = a->outcome,
			  .title = a->n_items && a->items[0].title ? a->items[0].title : a->summary, .at = w->o->now, .acked = again && w->past.acked };

	if (w->n == from) { /* nobody is told: only counted */
		t = w->past;
		t.count++;
		return again ? note_told(w, &t) : 0;
	}
	if (w->o->follow_up && again)
		t.at = w->past.at;
	for (size_t i = from; i < w->n; i++)
		buf_addf(&rows, "%s%s=%s", rows.len ? " " : "", w->rows[i].channel, w->rows[i].id);
	t.rows = buf_str(&rows);
	return rows.bad ? no_memory(w->e) : note_told(w, &t);
}

static int owe_failure(struct owing *w)
{
	struct route_past past = { .active = w->active, .n_active = w->n_active };
	struct route_facts facts;
	struct route_hit *hits;
	const char *why = NULL;
	size_t n = 0;
	char id[27];

	facts_of(w, &facts);
	if (w->told && !w->o->follow_up)
		past = (struct route_past){ w->past.at, w->past.count, w->past.acked, w->past.over, w->active, w->n_active };
	int r = routes_match(w->routes, &facts, &past, w->o->now, w->mem, &hits, &n, &why, w->e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (w->o->follow_up && w->told && !was_told(&w->past, hits[i].channel, id))
			continue;
		r = add_row(w, &hits[i]);
	}
	if (r == 0 && !n && why)
		list_add(w->mem, &w->ret->notes, keep(w, why) ? keep(w, why) : "");
	return r < 0 ? r : w->alert.key ? remember(w, 0) : 0;
}

/* ---- it is over ---- */

static int find_state(void *ctx, const struct alert_row *a)
{
	*(enum alert_state *)ctx = a->state;
	return 0;
}

/* Who was told that it is wrong is told that it is over; an escalation that nobody got is no telling. */
static bool hears_recovery(struct owing *w, const struct told *t, const struct route_hit *h)
{
	enum alert_state state = ALERT_DELIVERED;
	struct err none;
	char id[27];

	if (!was_told(t, h->channel, id))
		return false;
	return !h->escalates || (outbox_get(w->outbox, id, find_state, &state, &none) == 0 && state == ALERT_DELIVERED);
}

static int owe_recovery(struct owing *w, struct told *t)
{
	struct route_facts f = { .key = t->key, .outcome = t->outcome, .cause = t->cause, .branch = t->branch, .job = t->job, .project = t->project, .host = t->host, .recovery = true };
	struct route_past past = { .told_at = t->at, .count = t->count, .acknowledged = t->acked };
	struct alert_item item = { .cause = t->cause, .severity = "error", .title = t->title, .fingerprint = t->key, .count = t->count + 1 };
	struct alert *a = &w->alert;
	struct route_hit *hits;
	const char *why;
	size_t n;

	a->key = t->key;
	a->items = &item;
	a->n_items = 1;
	ulid_make(w->o->now, a->id);
	int r = routes_match(w->routes, &f, &past, w->o->now, w->mem, &hits, &n, &why, w->e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct route_hit h = hits[i];
		if (!hears_recovery(w, t, &h))
			continue;
		h.escalates = false;
		r = add_row(w, &h);
	}
	a->items = NULL;
	a->n_items = 0;
	t->over = true;
	return r < 0 ? r : note_told(w, t);
}

static int owe_all(struct owing *w)
{
	bool passed = w->r->outcome == OUTCOME_PASSED;
	enum alert_kind kind = passed ? ALERT_RECOVERED : w->o->follow_up ? ALERT_FOLLOWUP : ALERT_FAILED;

	int r = routes_read(w->c, &w->routes, w->e);
	if (r == 0)
		r = silence_list(w->outbox, w->o->now, add_silence, w, w->e);
	if (r == 0)
		r = alert_make(w->r, kind, "L1", w->o->early, w->o->now, &w->alert, w->e);
	if (r == 0)
		r = told_list(w->outbox, take_told, w, w->e);
	for (size_t i = 0; r == 0 && i < w->n_over; i++)
		r = owe_recovery(w, &w->over[i]);
	if (r == 0 && !passed)
		r = owe_failure(w);
	if (r == 0 && (w->n || w->n_notes))
		r = outbox_owe(w->outbox, w->rows, w->n, w->notes, w->n_notes, w->o->now, w->e);
	return r < 0 ? r : 0;
}

static void owing_end(struct owing *w, int r)
{
	if (r == 0 && w->n) {
		const char **ids = arena_alloc(w->mem, (w->n + 1) * sizeof(*ids)), **names = arena_alloc(w->mem, (w->n + 1) * sizeof(*names));
		if (ids && names) { /* else only nobody can wait for them */
			memcpy(ids, w->ids, w->n * sizeof(*ids));
			memcpy(names, w->channels, w->n * sizeof(*names));
			w->ret->ids = ids;
			w->ret->channels = names;
			w->ret->n = w->n;
		}
	}
	routes_free(w->routes);
	alert_free(&w->alert);
	mem_free(w->active);
	mem_free(w->over);
	mem_free(w->rows);
	mem_free(w->ids);
	mem_free(w->channels);
	mem_free(w->notes);
}

int alert_owe(struct store *outbox, const struct config *c, const struct report *r, const struct owe *o, struct owed *ret, struct err *e)
{
	struct err none;
	struct owing w = { .outbox = outbox, .c = c, .r = r, .o = o, .ret = ret, .mem = &ret->mem, .e = e ? e : &none };

	*ret = (struct owed){ 0 };
	if (!c->n_channels)
		return 0;
	w.e->msg[0] = '\0';
	int n = owe_all(&w);
	if (n < 0 && !w.e->msg[0]) /* one of our callbacks */
		no_memory(w.e);
	owing_end(&w, n);
	return n;
}

int alert_owe_to(struct store *outbox, const struct config *c, const struct alert *a, const char *const *channels, int64_t now, struct owed *ret, struct err *e)
{
	struct owe o = { .now = now };
	struct owing w = { .outbox = outbox, .c = c, .o = &o, .ret = ret, .mem = &ret->mem, .alert = *a, .e = e };
	struct list all = { 0 };
	int r = 0;

	*ret = (struct owed){ 0 };
	for (size_t i = 0; !channels && i < c->n_channels; i++)
		list_add(w.mem, &all, c->channels[i].name);
	for (size_t i = 0; r == 0 && channels && channels[i]; i++)
		list_add(w.mem, &all, channels[i]);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		r = add_row(&w, &(struct route_hit){ .channel = all.v[i], .level = a->level ? a->level : "L1" });
	if (r == 0 && w.n)
		r = outbox_owe(outbox, w.rows, w.n, NULL, 0, now, e);
	w.alert = (struct alert){ 0 }; /* the caller's */
	owing_end(&w, r < 0 ? r : 0);
	return r < 0 ? r : 0;
}

void owed_free(struct owed *o)
{
	arena_free(&o->mem);
	*o = (struct owed){ 0 };
}
