#include "alert/owe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "alert/note.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "model/fingerprint.h"

#define TOLD_KEPT (30 * INT64_C(86400) * NSEC_PER_SEC)
#define OVER_KEPT (7 * INT64_C(86400) * NSEC_PER_SEC) /* an escalation that waits must know that it is over */
#define TOLD_MAX 2000
#define STORM_LEAST 10 /* times that what was told is seen again within */
#define STORM_NS (60 * NSEC_PER_SEC) /* are told in one digest, at the end of that time, and then not for */
#define STORM_REST (3600 * NSEC_PER_SEC)

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* ---- the body of a row ---- */

struct owed_parts {
	struct span schema;
	struct owed_body body;
};

#define PART(kind, name, member) { name, kind, offsetof(struct owed_parts, member) }
static const struct note_field parts[] = {
	PART(NOTE_SPAN, "schema", schema), PART(NOTE_SPAN, "config", body.config), PART(NOTE_SPAN, "project", body.project),
	PART(NOTE_SPAN, "group", body.group), PART(NOTE_TRUE, "escalates", body.escalates), PART(NOTE_TRUE, "storm", body.storm),
	PART(NOTE_SPAN, "after", body.after), PART(NOTE_OBJECT, "alert", body.alert),
};
#undef PART

void owed_write(const struct owed_body *o, struct buf *ret)
{
	struct owed_parts x = { .schema = S("tocsin.owed/1"), .body = *o };

	if (!o->config.n)
		x.body.config = (struct span){ 0 };
	note_write(parts, ARRAY_LEN(parts), &x, ret);
}

void owed_json(const char *config, const char *project, const char *group, bool escalates, struct span alert, struct buf *ret)
{
	owed_write(&(struct owed_body){ .config = span_of(config), .project = span_of(project), .group = span_of(group), .escalates = escalates, .alert = alert }, ret);
}

int owed_read(struct span json, struct arena *mem, struct owed_body *ret, struct err *e)
{
	struct owed_parts x = { 0 };
	size_t at;

	*ret = x.body;
	int r = note_read(json, parts, ARRAY_LEN(parts), mem, &x, &at);
	if (r == -ENOMEM)
		return no_memory(e);
	if (r < 0)
		return err_set(e, EBADMSG, TR("what is owed is not an alert: broken at byte %zu", "待发内容不是告警：第 %zu 字节处损坏"), at);
	if (span_eq(x.schema, S("tocsin.alert/1"))) {
		ret->alert = json;
		return 0;
	}
	if (!x.body.alert.n)
		return err_set(e, EBADMSG, TR("what is owed is not an alert", "待发内容不是告警"));
	*ret = x.body;
	return 0;
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

/* ---- from a report to rows ---- */

#define SUBJECTS_MAX 64 /* of one run */

struct subject { /* one thing that is wrong: a fault, or (without findings) the run */
	const char *key;
	const struct finding *f; /* NULL: the run */
	struct route_facts facts;
	struct told past;
	bool told;               /* past is there */
	struct route_hit *hits;
	size_t n;
};

struct owing {
	struct store *outbox;
	const struct config *c;
	const struct report *r;
	const struct owe *o;
	struct owed *ret;
	struct arena *mem;     /* of ret */
	struct routes *routes;
	struct alert alert, spare; /* spare: what facts point into, when another finding leads */
	bool storm;            /* alert is a digest that is counted when it is sent */
	struct subject *subjects;
	size_t n_subjects;
	struct route_active *active;
	size_t n_active, cap_active;
	struct told *over;     /* that this pass ends */
	size_t n_over, cap_over;
	struct route_hit *hits; /* of all subjects: one for each row */
	size_t n_hits, cap_hits;
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

static bool is_in(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

/* ---- what is wrong ---- */

/* NULL: none. False: no memory. */
static bool owners_text(struct owing *w, const struct finding *f, const char **ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < f->owners.n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", f->owners.v[i]);
	*ret = b.len ? arena_str(w->mem, buf_view(&b)) : NULL;
	return !b.bad && (!b.len || *ret);
}

/* The name that telemetry has for it, else the last part of the project's. */
static const char *service_of(const char *project)
{
	const char *named = getenv("OTEL_SERVICE_NAME"), *slash = project ? strrchr(project, '/') : NULL;

	return named && *named ? named : slash ? slash + 1 : project;
}

static bool is_flaky(struct owing *w, const struct finding *f, const char *package)
{
	const char *test = f->test.n ? arena_str(w->mem, f->test) : NULL;

	return test && (config_quarantined(w->c, package, test) || (w->o->flaky && w->o->flaky(w->o->ctx, f)));
}

static int facts_of(struct owing *w, const struct finding *f, struct route_facts *ret)
{
	const struct alert *a = &w->alert;

	*ret = (struct route_facts){
		.outcome = a->outcome, .cause = a->cause, .severity = a->severity, .branch = a->branch, .job = a->job, .project = a->project, .host = a->host,
		.service = service_of(a->project), .flaky = w->r->outcome == OUTCOME_UNSTABLE,
	};
	if (!f)
		return 0;
	char id[CAUSE_ID_MAX];
	const char *cause = finding_cause_id(f, id);
	ret->cause = cause == id ? arena_str(w->mem, span_of(id)) : cause;
	if (!ret->cause && cause)
		return -ENOMEM;
	ret->severity = severity_word(f->severity);
	ret->classes = f->classes;
	ret->package = f->package.n ? arena_str(w->mem, f->package) : NULL;
	ret->state = f->fault.state;
	ret->flaky |= is_flaky(w, f, ret->package);
	return owners_text(w, f, &ret->owner) && (ret->package || !f->package.n) ? 0 : -ENOMEM;
}

static int add_subject(struct owing *w, const struct finding *f, const char *key)
{
	struct subject *x = &w->subjects[w->n_subjects];

	for (size_t i = 0; i < w->n_subjects; i++) {
		if (!strcmp(w->subjects[i].key, key))
			return 0;
	}
	*x = (struct subject){ .key = keep(w, key), .f = f };
	if (!x->key || facts_of(w, f, &x->facts) < 0)
		return no_memory(w->e);
	x->facts.key = x->key;
	w->n_subjects++;
	return 0;
}

/* Each is routed for itself: who owns the second failure hears of it too, and one that is known does not hide one that is new. */
static int find_subjects(struct owing *w)
{
	const struct report *r = w->r;
	char own[FINGERPRINT_LEN + 1];
	int n = 0;

	w->subjects = arena_alloc(w->mem, SUBJECTS_MAX * sizeof(*w->subjects));
	if (!w->subjects)
		return no_memory(w->e);
	for (size_t i = 0; n == 0 && i < r->n_findings && w->n_subjects < SUBJECTS_MAX; i++) {
		const struct finding *f = &r->findings[i];
		if (i && f->severity != SEV_ERROR)
			continue;
		if (!f->fingerprint[0])
			fingerprint_make(r, f, own);
		n = add_subject(w, f, f->fingerprint[0] ? f->fingerprint : own);
	}
	return n == 0 && !w->n_subjects ? add_subject(w, NULL, w->alert.key) : n;
}

/* ---- what was told before ---- */

static int told_copy(struct owing *w, const struct told *t, struct told *ret)
{
	const char **const texts[] = { &ret->key, &ret->of, &ret->series, &ret->project, &ret->branch, &ret->job, &ret->service, &ret->package, &ret->owner, &ret->host,
				       &ret->cause, &ret->outcome, &ret->title, &ret->who, &ret->rows };

	*ret = *t;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *text = *texts[i];
		*texts[i] = keep(w, text);
		if (text && !*texts[i])
			return -ENOMEM;
	}
	return 0;
}

static int note_told(struct owing *w, const struct told *t, bool forget)
{
	CLEANUP(buf_free) struct buf name = { 0 }, value = { 0 };

	told_note(t, &name, &value);
	struct outbox_note n = { arena_str(w->mem, buf_view(&name)), forget ? NULL : arena_str(w->mem, buf_view(&value)) };
	if (name.bad || value.bad || !n.key || (!forget && !n.value) || !mem_grow(&w->notes, &w->cap_notes, w->n_notes, sizeof(*w->notes)))
		return no_memory(w->e);
	w->notes[w->n_notes++] = n;
	return 0;
}

static int take_over(struct owing *w, const struct told *t)
{
	if (!t->series || !same(t->series, w->alert.series) || !same(t->branch, w->alert.branch))
		return 0;
	if (!mem_grow(&w->over, &w->cap_over, w->n_over, sizeof(*w->over)))
		return -ENOMEM;
	return told_copy(w, t, &w->over[w->n_over++]);
}

static int take_active(struct owing *w, const struct told *t)
{
	if (w->n_active >= TOLD_MAX || t->at < w->o->now - ROUTE_ACTIVE_NS)
		return 0;
	if (!mem_grow(&w->active, &w->cap_active, w->n_active, sizeof(*w->active)))
		return -ENOMEM;
	struct told x;
	if (told_copy(w, t, &x) < 0)
		return -ENOMEM;
	w->active[w->n_active++] = (struct route_active){
		.key = x.key, .cause = x.cause, .project = x.project, .branch = x.branch, .job = x.job, .service = x.service, .host = x.host, .told_at = x.at,
	};
	return 0;
}

static int take_told(void *ctx, const struct told *t)
{
	struct owing *w = ctx;
	bool passed = w->r->outcome == OUTCOME_PASSED;

	if (t->at < w->o->now - (t->over ? OVER_KEPT : TOLD_KEPT))
		return w->n_notes < TOLD_MAX ? note_told(w, t, true) : 0;
	for (size_t i = 0; i < w->n_subjects; i++) {
		struct subject *x = &w->subjects[i];
		if (strcmp(x->key, t->key) != 0)
			continue;
		if (told_copy(w, t, &x->past) < 0)
			return -ENOMEM;
		x->told = true;
	}
	if (t->over)
		return 0;
	return passed ? take_over(w, t) : take_active(w, t);
}

/* "channel=ROW …" */
static bool next_told(struct span *rest, struct span *channel, struct span *row)
{
	if (!rest->n)
		return false;
	*row = span_cut(rest, ' ');
	*channel = span_cut(row, '=');
	return true;
}

/* When an ULID was made. */
static int64_t ulid_time(struct span id)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	int64_t ms = 0;

	for (size_t i = 0; i < 10 && i < id.n; i++) {
		const char *at = id.p[i] ? strchr(digits, id.p[i]) : NULL;
		ms = ms * 32 + (at ? at - digits : 0);
	}
	return ms < INT64_MAX / NSEC_PER_MSEC ? ms * NSEC_PER_MSEC : 0;
}

static bool was_told(const struct told *t, const char *channel, char id[27])
{
	struct span rest = span_of(t->rows ? t->rows : ""), name, row;

	while (next_told(&rest, &name, &row)) {
		if (!span_eq(name, span_of(channel)))
			continue;
		snprintf(id, 27, "%.*s", SPAN_ARG(span_head(row, 26)));
		return true;
	}
	return false;
}

/* Who heard of it, and when; of what this run told early, how it ended is news. */
static int past_of(struct owing *w, const struct subject *x, bool carries, struct route_past *ret)
{
	struct span rest = span_of(x->told && x->past.rows ? x->past.rows : ""), name, row;
	struct route_told *told = arena_alloc(w->mem, (rest.n / 2 + 1) * sizeof(*told));
	size_t n = 0;

	if (!told)
		return no_memory(w->e);
	*ret = (struct route_past){ .active = w->active, .n_active = w->n_active, .follow_up = carries };
	while (next_told(&rest, &name, &row)) {
		const char *channel = arena_str(w->mem, name);
		if (!channel)
			return no_memory(w->e);
		if (!carries || !is_in(w->o->before->channels, w->o->before->n, channel))
			told[n++] = (struct route_told){ channel, ulid_time(row) };
	}
	if (x->told && (n || !carries)) {
		ret->told_at = x->past.at;
		ret->count = x->past.count;
		ret->acknowledged = x->past.acked;
		ret->recovered = x->past.over;
		ret->told = told;
		ret->n_told = n;
	}
	return 0;
}

/* ---- who is told now ---- */

/* One row for a channel, by the most urgent. */
static int add_hit(struct owing *w, const struct route_hit *h)
{
	for (size_t i = 0; i < w->n_hits; i++) {
		struct route_hit *old = &w->hits[i];
		if (strcmp(old->channel, h->channel) != 0 || old->escalates != h->escalates)
			continue;
		int urgent = strcmp(h->level, old->level);
		if (urgent < 0 || (urgent == 0 && h->not_before < old->not_before))
			*old = *h;
		return 0;
	}
	if (!mem_grow(&w->hits, &w->cap_hits, w->n_hits, sizeof(*w->hits)))
		return no_memory(w->e);
	w->hits[w->n_hits++] = *h;
	return 0;
}

static bool told_early(const struct owing *w)
{
	return w->o->before && w->o->before->n;
}

/* What was told early, as it is known now. */
static size_t carrier(const struct owing *w)
{
	for (size_t i = 0; told_early(w) && i < w->n_subjects; i++) {
		if (same(w->subjects[i].key, w->o->before->key))
			return i;
	}
	return told_early(w) ? 0 : SUBJECTS_MAX;
}

static int match_subjects(struct owing *w)
{
	const char *why, *first = NULL;
	size_t carries = carrier(w);
	struct route_past past;
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->n_subjects; i++) {
		struct subject *x = &w->subjects[i];
		r = past_of(w, x, i == carries, &past);
		if (r == 0)
			r = routes_match(w->routes, &x->facts, &past, w->o->now, w->mem, &x->hits, &x->n, &why, w->e);
		first = r == 0 && i == 0 ? why : first;
		for (size_t k = 0; r == 0 && k < x->n; k++)
			r = add_hit(w, &x->hits[k]);
	}
	if (r == 0 && !w->n_hits && first && !list_add(w->mem, &w->ret->notes, first))
		r = no_memory(w->e);
	return r;
}

/* The first that somebody is told of leads. */
static int lead_with(struct owing *w, enum alert_kind kind)
{
	struct report shown = *w->r;
	size_t i = 0;

	while (i + 1 < w->n_subjects && !w->subjects[i].n)
		i++;
	const struct subject *x = &w->subjects[i];
	w->ret->key = told_early(w) && w->o->before->key ? keep(w, w->o->before->key) : x->key;
	if (!w->ret->key)
		return no_memory(w->e);
	if (i && x->f) {
		size_t at = (size_t)(x->f - w->r->findings);
		shown.findings = arena_alloc(w->mem, shown.n_findings * sizeof(*shown.findings));
		if (!shown.findings)
			return no_memory(w->e);
		shown.findings[0] = *x->f;
		memcpy(shown.findings + 1, w->r->findings, at * sizeof(*shown.findings));
		memcpy(shown.findings + at + 1, x->f + 1, (shown.n_findings - at - 1) * sizeof(*shown.findings));
		w->spare = w->alert;
		int r = alert_make(&shown, kind, "L1", w->o->early, w->o->now, &w->alert, w->e);
		if (r < 0)
			return r;
	}
	w->alert.key = w->ret->key;
	return 0;
}

/* after: the row before it, about the same thing; NULL: none. */
static int add_row(struct owing *w, const struct route_hit *h, const char *after)
{
	CLEANUP(buf_free) struct buf json = { 0 }, body = { 0 }, config = { 0 };
	char id[27];

	w->alert.level = h->level;
	alert_json(&w->alert, &json);
	owe_config_path(w->c, &config);
	owed_write(&(struct owed_body){ .config = buf_view(&config), .project = span_of(w->alert.project), .group = span_of(h->group), .escalates = h->escalates, .storm = w->storm,
					.after = span_of(after), .alert = buf_view(&json) }, &body);
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

/* What this channel was told before about what leads this alert; NULL: nothing. */
static const char *row_before(const struct owing *w, const char *channel, char id[27])
{
	const struct owed *early = w->o->before;

	for (size_t i = 0; told_early(w) && i < early->n; i++) {
		if (!strcmp(early->channels[i], channel))
			return early->ids[i];
	}
	for (size_t i = 0; i < w->n_subjects; i++) {
		const struct subject *x = &w->subjects[i];
		if (same(x->key, w->alert.key))
			return x->told && was_told(&x->past, channel, id) ? id : NULL;
	}
	return NULL;
}

static int add_rows(struct owing *w)
{
	char id[27];
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->n_hits; i++) {
		bool again = told_early(w) && is_in(w->o->before->channels, w->o->before->n, w->hits[i].channel);
		if (again && w->hits[i].escalates) /* it is on its way */
			continue;
		w->alert.kind = again ? ALERT_FOLLOWUP : ALERT_FAILED;
		r = add_row(w, &w->hits[i], row_before(w, w->hits[i].channel, id));
	}
	return r;
}

/* ---- what is to be known the next time ---- */

static bool hears(const struct subject *x, const char *channel)
{
	for (size_t i = 0; i < x->n; i++) {
		if (!strcmp(x->hits[i].channel, channel))
			return true;
	}
	return false;
}

/* The last row of each channel: of what leads all of this alert. */
static void rows_text(const struct owing *w, const struct subject *x, bool leads, struct buf *ret)
{
	struct span rest = span_of(x->told && !x->past.over && x->past.rows ? x->past.rows : ""), name, row;

	for (size_t i = 0; i < w->n; i++) {
		if (leads || hears(x, w->rows[i].channel))
			buf_addf(ret, "%s%s=%s", ret->len ? " " : "", w->rows[i].channel, w->rows[i].id);
	}
	while (next_told(&rest, &name, &row)) {
		bool again = ulid_time(row) < w->o->now - TOLD_KEPT;
		for (size_t i = 0; i < w->n && !again; i++)
			again = span_eq(name, span_of(w->rows[i].channel)) && (leads || hears(x, w->rows[i].channel));
		if (!again)
			buf_addf(ret, "%s%.*s=%.*s", ret->len ? " " : "", SPAN_ARG(name), SPAN_ARG(row));
	}
}

static const char *title_of(struct owing *w, const struct subject *x)
{
	struct span rest = x->f ? span_trim(x->f->message) : (struct span){ 0 }, line = span_trim(utf8_head(span_cut(&rest, '\n'), 300));

	return line.n ? arena_str(w->mem, line) : w->alert.summary;
}

/* ---- what was told already, and comes again and again ---- */

/* Those that were told of it at once get one digest; who is told every time needs none. */
static int owe_storm(struct owing *w, const struct subject *x)
{
	const struct route_past past = { .active = w->active, .n_active = w->n_active };
	struct alert digest = { 0 }, kept = w->alert;
	struct route_hit *hits;
	const char *why;
	size_t n = 0;
	char id[27];

	int r = alert_gather(&digest, &w->alert, w->o->now, w->e);
	if (r == 0)
		r = routes_match(w->routes, &x->facts, &past, w->o->now, w->mem, &hits, &n, &why, w->e);
	digest.key = x->key;
	digest.run = w->alert.run;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (hits[i].escalates || !was_told(&x->past, hits[i].channel, id))
			continue;
		hits[i].group = NULL;
		if (hits[i].not_before < x->past.burst_at + STORM_NS)
			hits[i].not_before = x->past.burst_at + STORM_NS;
		w->alert = digest;
		w->storm = true;
		r = add_row(w, &hits[i], id);
		w->storm = false;
		w->alert = kept;
	}
	alert_free(&digest);
	return r;
}

static int count_again(struct owing *w, struct subject *x)
{
	struct told *t = &x->past;
	int64_t rest = t->burst >= STORM_LEAST ? STORM_REST : STORM_NS;

	t->count++;
	if (w->o->now >= t->burst_at + rest || w->o->now < t->burst_at - STORM_NS) { /* the clock was set back */
		t->burst_at = w->o->now;
		t->burst = 0;
	}
	/* What was told along with something else is told of with that. */
	if (++t->burst == STORM_LEAST && !t->acked && !t->of) {
		int r = owe_storm(w, x);
		if (r < 0)
			return r;
	}
	return note_told(w, t, false);
}

static int remember(struct owing *w, struct subject *x, bool told)
{
	CLEANUP(buf_free) struct buf rows = { 0 };
	const struct alert *a = &w->alert;
	bool open = x->told && !x->past.over, leads = same(x->key, a->key);
	struct told t = { .key = x->key, .of = leads || (open && !x->past.of) ? NULL : a->key /* what led once has an end of its own */, .series = a->series, .project = a->project, .branch = a->branch, .job = a->job,
			  .service = x->facts.service, .package = x->facts.package, .owner = x->facts.owner, .host = a->host, .cause = x->facts.cause,
			  .outcome = a->outcome, .title = title_of(w, x), .at = w->o->now, .burst_at = w->o->now, .acked = open && x->past.acked, .who = open ? x->past.who : NULL };

	if (open && leads && told_early(w)) { /* how it ended is no new beginning */
		t.at = x->past.at;
		t.count = x->past.count;
		t.burst_at = x->past.burst_at;
		t.burst = x->past.burst;
	}
	if (!told || (!x->n && !leads)) /* only counted */
		return open ? count_again(w, x) : 0;
	rows_text(w, x, leads, &rows);
	t.rows = buf_str(&rows);
	return rows.bad ? no_memory(w->e) : note_told(w, &t, false);
}

/* What of the routes does not work here. */
static int say_routes(struct owing *w)
{
	const char *text;

	for (size_t i = 0; (text = routes_note(w->routes, i)) != NULL; i++) {
		text = keep(w, text);
		if (!text || !list_add(w->mem, &w->ret->notes, text))
			return no_memory(w->e);
	}
	return 0;
}

static int owe_failure(struct owing *w)
{
	enum alert_kind kind = told_early(w) ? ALERT_FOLLOWUP : ALERT_FAILED;
	int r = told_early(w) ? 0 : say_routes(w);

	if (r == 0)
		r = match_subjects(w);
	if (r == 0 && w->n_hits)
		r = lead_with(w, kind);
	if (r == 0 && w->n_hits)
		r = add_rows(w);
	bool told = w->n;
	for (size_t i = 0; r == 0 && i < w->n_subjects; i++)
		r = remember(w, &w->subjects[i], told);
	return r;
}

/* ---- it is over ---- */

/* One that was sent, or may have been; not one that was let go. */
static int find_sent(void *ctx, const struct alert_row *a)
{
	bool maybe = a->state == ALERT_LEASED || a->state == ALERT_AMBIGUOUS || (a->state == ALERT_PENDING && a->attempts > 0);

	*(bool *)ctx = maybe || (a->state == ALERT_DELIVERED && !a->error.n);
	return 0;
}

/* Who was told that it is wrong is told that it is over; an escalation that nobody got is no telling. */
static bool hears_recovery(struct owing *w, const struct told *t, const struct route_hit *h)
{
	struct err none;
	bool sent = true;
	char id[27];

	if (!was_told(t, h->channel, id))
		return false;
	return !h->escalates || (outbox_get(w->outbox, id, find_sent, &sent, &none) == 0 && sent);
}

/* What was told along with something else ends with it. */
static bool ends_with_other(const struct owing *w, const struct told *t)
{
	for (size_t i = 0; t->of && i < w->n_over; i++) {
		if (!strcmp(w->over[i].key, t->of))
			return true;
	}
	return false;
}

static int match_over(struct owing *w, const struct told *t)
{
	const struct route_facts f = { .key = t->key, .outcome = t->outcome, .cause = t->cause, .branch = t->branch, .job = t->job, .service = t->service,
				       .package = t->package, .owner = t->owner, .project = t->project, .host = t->host, .recovery = true };
	const struct route_past past = { .told_at = t->at, .count = t->count, .acknowledged = t->acked };
	struct route_hit *hits;
	const char *why;
	size_t n;

	int r = routes_match(w->routes, &f, &past, w->o->now, w->mem, &hits, &n, &why, w->e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_hit(w, &hits[i]);
	return r;
}

/* What was told in one alert ends in one, by its key: an incident that was opened is closed. */
static int owe_recovery(struct owing *w, struct told *t)
{
	struct alert_item item = { .cause = t->cause, .severity = "error", .title = t->title, .package = t->package, .fingerprint = t->key, .count = t->count + 1 };
	struct alert *a = &w->alert;
	char id[27];
	int r = 0;

	t->over = true;
	a->key = t->key;
	a->items = &item;
	a->n_items = 1;
	ulid_make(w->o->now, a->id);
	for (size_t i = 0; r == 0 && i < w->n_hits && !ends_with_other(w, t); i++) {
		struct route_hit h = w->hits[i];
		if (!hears_recovery(w, t, &h))
			continue;
		h.escalates = false;
		r = add_row(w, &h, was_told(t, h.channel, id) ? id : NULL);
	}
	a->items = NULL;
	a->n_items = 0;
	return r < 0 ? r : note_told(w, t, false);
}

static int owe_end(struct owing *w)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->n_over; i++)
		r = match_over(w, &w->over[i]);
	for (size_t i = 0; r == 0 && i < w->n_over; i++)
		r = owe_recovery(w, &w->over[i]);
	return r;
}

/* Of many that fail alike at one moment only one finds that nobody was told yet. */
static int decide(struct store *outbox, void *ctx, struct err *e)
{
	struct owing *w = ctx;

	int r = silence_list(outbox, w->o->now, add_silence, w, e);
	if (r == 0)
		r = told_list(outbox, take_told, w, e);
	if (r == 0)
		r = w->r->outcome == OUTCOME_PASSED ? owe_end(w) : owe_failure(w);
	if (r == 0 && (w->n || w->n_notes))
		r = outbox_owe(outbox, w->rows, w->n, w->notes, w->n_notes, w->o->now, e);
	return r < 0 ? r : 0;
}

static int owe_all(struct owing *w)
{
	bool passed = w->r->outcome == OUTCOME_PASSED;
	enum alert_kind kind = passed ? ALERT_RECOVERED : told_early(w) ? ALERT_FOLLOWUP : ALERT_FAILED;

	int r = routes_read(w->c, &w->routes, w->e);
	if (r == 0)
		r = alert_make(w->r, kind, "L1", w->o->early, w->o->now, &w->alert, w->e);
	if (r == 0 && !passed)
		r = find_subjects(w);
	return r < 0 ? r : outbox_alone(w->outbox, decide, w, w->e);
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
	alert_free(&w->spare);
	mem_free(w->active);
	mem_free(w->over);
	mem_free(w->hits);
	mem_free(w->rows);
	mem_free(w->ids);
	mem_free(w->channels);
	mem_free(w->notes);
}

int alert_owe(struct store *outbox, const struct config *c, const struct report *r, const struct owe *o, struct owed *ret, struct err *e)
{
	struct err none = { 0 };
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
		r = add_row(&w, &(struct route_hit){ .channel = all.v[i], .level = a->level ? a->level : "L1" }, NULL);
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
