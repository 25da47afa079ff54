#include "alert/owe.h"

#include <errno.h>

#include "alert/note.h"
#include "base/mem.h"
#include "base/time.h"

/* What is remembered beside the rows: silences, and what was told to whom. */

#define KEY_MAX 200

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

static int one_note(struct store *outbox, const char *key, const char *value, int64_t now, struct err *e)
{
	int r = outbox_owe(outbox, NULL, 0, &(struct outbox_note){ key, value }, 1, now, e);

	return r < 0 ? r : 0;
}

/* ---- what was told ---- */

#define TEXT(f) { #f, NOTE_TEXT, offsetof(struct told, f) }
static const struct note_field told_fields[] = {
	TEXT(of), TEXT(series), TEXT(project), TEXT(branch), TEXT(job), TEXT(service), TEXT(package), TEXT(owner), TEXT(host), TEXT(cause), TEXT(outcome), TEXT(title), TEXT(who), TEXT(rows),
	{ "at", NOTE_NUMBER, offsetof(struct told, at) }, { "count", NOTE_NUMBER, offsetof(struct told, count) },
	{ "burst", NOTE_NUMBER, offsetof(struct told, burst) }, { "burst_at", NOTE_NUMBER, offsetof(struct told, burst_at) },
	{ "acked", NOTE_TRUE, offsetof(struct told, acked) }, { "over", NOTE_TRUE, offsetof(struct told, over) },
};
#undef TEXT

/* One that is broken is as one that knows nothing but its key: it is told again. */
static int read_told(struct span key, struct span value, struct arena *mem, struct told *ret)
{
	*ret = (struct told){ 0 };
	if (note_read(value, told_fields, ARRAY_LEN(told_fields), mem, ret, NULL) == -ENOMEM)
		return -ENOMEM;
	ret->key = arena_str(mem, key);
	return ret->key ? 0 : -ENOMEM;
}

void told_note(const struct told *t, struct buf *key, struct buf *value)
{
	buf_adds(key, "told:");
	buf_span(key, span_head(span_of(t->key), KEY_MAX));
	note_write(told_fields, ARRAY_LEN(told_fields), t, value);
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

	int r = read_told(span_from(key, 5), value, &mem, &x);
	return r < 0 ? r : t->fn(t->ctx, &x);
}

int told_list(struct store *outbox, told_fn *fn, void *ctx, struct err *e)
{
	return outbox_notes(outbox, "told:", tell_row, &(struct telling){ fn, ctx }, e);
}

/* 1: there is none. */
static int told_get(struct store *outbox, struct span key, struct arena *mem, struct told *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };

	buf_adds(&name, "told:");
	buf_span(&name, span_head(key, KEY_MAX));
	if (name.bad)
		return no_memory(e);
	int r = outbox_note_get(outbox, name.p, &value, e);
	if (r == 0 && read_told(key, buf_view(&value), mem, ret) < 0)
		return no_memory(e);
	return r;
}

int told_open(struct store *outbox, struct span key, struct err *e)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct told t = { 0 };

	int r = told_get(outbox, key, &mem, &t, e);
	return r < 0 ? r : r == 1 || (!t.acked && !t.over);
}

int told_again(struct store *outbox, struct span key, struct span channel, int64_t since, struct err *e)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct told t = { 0 };

	int r = told_get(outbox, key, &mem, &t, e);
	if (r < 0)
		return r;
	if (r == 1 || t.over || t.of || t.at <= since)
		return 0;
	for (struct span rest = span_of(t.rows ? t.rows : ""); rest.n;) {
		struct span one = span_cut(&rest, ' ');
		if (span_eq(span_cut(&one, '='), channel))
			return 1;
	}
	return 0;
}

int told_storm(struct store *outbox, struct span alert, struct buf *ret, struct err *e)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct told t = { 0 };
	struct alert a;

	int r = alert_read(alert, &a, e);
	if (r < 0)
		return r;
	r = a.key ? told_get(outbox, span_of(a.key), &mem, &t, e) : 1;
	if (r == 0 && (!a.n_items || t.count <= a.items[0].count))
		r = 1;
	if (r == 0) {
		a.items[0].count = t.count;
		alert_json(&a, ret);
		r = ret->bad ? no_memory(e) : 0;
	}
	alert_free(&a);
	return r;
}

struct acking {
	struct arena mem;
	const char *key, *who;
	struct outbox_note *notes;
	size_t n, cap;
	bool found;
};

static int ack_one(void *ctx, const struct told *t)
{
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };
	struct acking *a = ctx;
	struct told x = *t;
	bool is_it = !strcmp(t->key, a->key);

	if (!is_it && (t->over || !t->of || strcmp(t->of, a->key) != 0))
		return 0;
	a->found |= is_it;
	x.acked = true;
	x.who = a->who;
	told_note(&x, &name, &value);
	struct outbox_note n = { arena_str(&a->mem, buf_view(&name)), arena_str(&a->mem, buf_view(&value)) };
	if (name.bad || value.bad || !n.key || !n.value || !mem_grow(&a->notes, &a->cap, a->n, sizeof(*a->notes)))
		return -ENOMEM;
	a->notes[a->n++] = n;
	return 0;
}

int alert_ack(struct store *outbox, const char *key, const char *who, struct err *e)
{
	struct acking a = { .key = key, .who = who };

	int r = told_list(outbox, ack_one, &a, e);
	if (r == -ENOMEM)
		r = no_memory(e);
	if (r == 0 && !a.found)
		r = err_set(e, ENOENT, TR("nothing was told about '%.60s'", "没有发送过关于“%.60s”的告警"), key);
	if (r == 0)
		r = outbox_owe(outbox, NULL, 0, a.notes, a.n, time_wall(), e);
	mem_free(a.notes);
	arena_free(&a.mem);
	return r < 0 ? r : 0;
}

/* ---- silences ---- */

#define WHEN(word, w) { word, NOTE_TEXT, offsetof(struct silence, when) + (w) * sizeof(const char *) }
static const struct note_field silence_fields[] = {
	WHEN("outcome", WHEN_OUTCOME), WHEN("cause", WHEN_CAUSE), WHEN("class", WHEN_CLASS), WHEN("severity", WHEN_SEVERITY), WHEN("package", WHEN_PACKAGE),
	WHEN("branch", WHEN_BRANCH), WHEN("job", WHEN_JOB), WHEN("service", WHEN_SERVICE), WHEN("state", WHEN_STATE), WHEN("owner", WHEN_OWNER),
	WHEN("project", WHEN_PROJECT), { "key", NOTE_TEXT, offsetof(struct silence, key) }, { "why", NOTE_TEXT, offsetof(struct silence, why) },
	{ "who", NOTE_TEXT, offsetof(struct silence, who) }, { "at", NOTE_NUMBER, offsetof(struct silence, at) }, { "until", NOTE_NUMBER, offsetof(struct silence, until) },
};
#undef WHEN
_Static_assert(ARRAY_LEN(silence_fields) == WHENS + 5, "each condition is kept");

struct silencing {
	silence_fn *fn;
	void *ctx;
	int64_t now;
};

static int silence_row(void *ctx, struct span key, struct span v)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	const struct silencing *x = ctx;
	struct silence s = { .id = arena_str(&mem, span_from(key, 8)) };

	if (!s.id || note_read(v, silence_fields, ARRAY_LEN(silence_fields), &mem, &s, NULL) == -ENOMEM)
		return -ENOMEM;
	return s.until > x->now ? x->fn(x->ctx, &s) : 0;
}

int silence_list(struct store *outbox, int64_t now, silence_fn *fn, void *ctx, struct err *e)
{
	return outbox_notes(outbox, "silence:", silence_row, &(struct silencing){ fn, ctx, now }, e);
}

struct tidying { /* those that are over go when one comes */
	struct arena mem;
	struct outbox_note *notes;
	size_t n, cap;
	int64_t now;
};

static int tidy_row(void *ctx, struct span key, struct span v)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct tidying *t = ctx;
	struct silence s = { 0 };

	if (note_read(v, silence_fields, ARRAY_LEN(silence_fields), &mem, &s, NULL) == -ENOMEM)
		return -ENOMEM;
	if (s.until > t->now)
		return 0;
	const char *name = arena_str(&t->mem, key);
	if (!name || !mem_grow(&t->notes, &t->cap, t->n, sizeof(*t->notes)))
		return -ENOMEM;
	t->notes[t->n++] = (struct outbox_note){ name, NULL };
	return 0;
}

int silence_add(struct store *outbox, const struct silence *s, struct err *e)
{
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };
	struct tidying t = { .now = s->at };

	buf_addf(&name, "silence:%s", s->id);
	note_write(silence_fields, ARRAY_LEN(silence_fields), s, &value);
	int r = outbox_notes(outbox, "silence:", tidy_row, &t, e);
	if (r == 0 && mem_grow(&t.notes, &t.cap, t.n, sizeof(*t.notes)))
		t.notes[t.n++] = (struct outbox_note){ name.p, value.p };
	else if (r == 0)
		r = -ENOMEM;
	if (r == -ENOMEM || name.bad || value.bad)
		r = no_memory(e);
	if (r == 0)
		r = outbox_owe(outbox, NULL, 0, t.notes, t.n, s->at, e);
	mem_free(t.notes);
	arena_free(&t.mem);
	return r < 0 ? r : 0;
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
	return r < 0 ? r : one_note(outbox, name.p, NULL, time_wall(), e);
}
