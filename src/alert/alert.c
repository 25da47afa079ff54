#include "alert/kept.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "model/fingerprint.h"
#include "store/store.h"

#define ITEMS_MADE    8
#define ITEMS_GROUPED 20
#define EXCERPT_LINES 15
#define EXCERPT_LINE  300
#define LOOKED_LINES  400 /* of an excerpt */

const char *const alert_kind_words[] = { "failed", "followup", "recovered", "digest", "probe", "channel", NULL };
const char *const alert_level_words[] = { "L1", "L2", "L3", NULL };

void alert_free(struct alert *a)
{
	arena_free(&a->mem);
	*a = (struct alert){ 0 };
}

int alert_no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory for an alert", "内存不足，无法处理告警"));
}

/* ---- making ---- */

struct maker {
	struct arena *mem;
	bool bad;
};

/* NULL stays NULL; nothing said is not known. */
static const char *keep(struct maker *m, struct span s, size_t max)
{
	const char *p = s.n ? arena_str(m->mem, utf8_head(s, max)) : NULL;

	m->bad |= s.n && !p;
	return p;
}

static const char *keep_name(struct maker *m, const char *z)
{
	return keep(m, span_of(z), NAME_MAX_BYTES);
}

static const char *keep_line(struct maker *m, const char *z)
{
	return keep(m, span_of(z), LINE_MAX_BYTES);
}

static const char *keep_buf(struct maker *m, const struct buf *b, size_t max)
{
	m->bad |= b->bad;
	return keep(m, buf_view(b), max);
}

/* As one would type it. */
static const char *command_of(struct maker *m, const struct argv *a)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+^";
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < a->n && b.len < TEXT_MAX_BYTES; i++) {
		bool quote = !*a->v[i] || a->v[i][strspn(a->v[i], plain)];
		struct span rest = utf8_head(span_of(a->v[i]), 400);
		buf_adds(&b, i ? " " : "");
		buf_adds(&b, quote ? "'" : "");
		for (; rest.n; rest = span_from(rest, 1)) {
			if (rest.p[0] == '\'')
				buf_adds(&b, "'\\''");
			else
				buf_addc(&b, rest.p[0]);
		}
		buf_adds(&b, quote ? "'" : "");
	}
	return keep_buf(m, &b, TEXT_MAX_BYTES);
}

/* ---- the part of an excerpt that matters ---- */

/* Nothing, "=====", "=== RUN   TestX", the frames below every test: no line of an alert. */
static bool is_noise(struct span line)
{
	static const char *const marks[] = { "=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME ", "testing.tRunner(", "created by testing.(*T).Run" };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (span_starts(line, span_of(marks[i])))
			return true;
	}
	if (line.n && line.p[0] == '\t' && span_find(utf8_head(line, 1000), S("/src/testing/testing.go:")) != SPAN_NONE)
		return true;
	for (size_t i = 0; i < line.n; i++) {
		if (!strchr(" \t\r=-_*~", line.p[i]) || !line.p[i])
			return false;
	}
	return true;
}

static bool holds(struct span line, struct span what)
{
	return what.n && span_find(line, what) != SPAN_NONE;
}

static int score_of(struct span line, struct span place, struct span message)
{
	static const struct {
		const char *text;
		int score;
	} signs[] = {
		{ "panic:", 7 }, { "fatal error:", 7 }, { "DATA RACE", 7 }, { "--- FAIL", 4 }, { "Error Trace", 3 }, { "rror:", 3 },
		{ "want", 2 }, { "xpected", 2 }, { "_test.go:", 2 },
	};
	int score = (holds(line, place) ? 8 : 0) + (holds(line, message) ? 6 : 0);

	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		score += holds(line, span_of(signs[i].text)) ? signs[i].score : 0;
	return score;
}

static struct span first_line(struct span s, size_t max)
{
	s = span_trim(s);
	return utf8_head(span_trim(span_cut(&s, '\n')), max);
}

static const char *excerpt_of(struct maker *m, const struct finding *f, struct span place)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span lines[LOOKED_LINES], rest = f->excerpt, message = first_line(f->message, 200);
	size_t n = 0, best = 0, from = 0;
	int most = 0;

	while (rest.n && n < LOOKED_LINES) {
		struct span line = span_cut(&rest, '\n');
		while (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (is_noise(line))
			continue;
		int score = score_of(utf8_head(line, 1000), place, message);
		if (score > most) {
			most = score;
			best = n;
		}
		lines[n++] = line;
	}
	if (n > EXCERPT_LINES && best >= EXCERPT_LINES - 3)
		from = best - 3 < n - EXCERPT_LINES ? best - 3 : n - EXCERPT_LINES;
	buf_adds(&b, from ? "…" : "");
	for (size_t i = from; i < n && i < from + EXCERPT_LINES; i++) {
		struct span head = utf8_head(lines[i], EXCERPT_LINE);
		if (b.len + head.n + 16 > EXCERPT_MAX_BYTES)
			break;
		buf_adds(&b, b.len ? "\n" : "");
		buf_span(&b, head);
		buf_adds(&b, head.n < lines[i].n ? "…" : "");
	}
	if (from + EXCERPT_LINES < n || rest.n)
		buf_adds(&b, "\n…");
	return keep_buf(m, &b, EXCERPT_MAX_BYTES);
}

/* ---- one finding, one report ---- */

static void keep_owners(struct maker *m, const struct list *from, struct list *to)
{
	for (size_t i = 0; i < from->n && to->n < ALERT_OWNERS_MAX; i++) {
		const char *one = keep_name(m, from->v[i]);
		if (one && !list_add(m->mem, to, one))
			m->bad = true;
	}
}

static const char *place_of(struct maker *m, const struct finding *f)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_span(&b, utf8_head(f->file, LINE_MAX_BYTES - 30));
	if (f->file.n && f->line > 0)
		buf_addf(&b, ":%d", f->line);
	if (f->file.n && f->line > 0 && f->column > 0)
		buf_addf(&b, ":%d", f->column);
	return keep_buf(m, &b, LINE_MAX_BYTES);
}

static void make_item(struct maker *m, const struct report *r, const struct finding *f, struct alert_item *it)
{
	char own[FINGERPRINT_LEN + 1], id[CAUSE_ID_MAX];

	*it = (struct alert_item){
		.cause = keep_name(m, finding_cause_id(f, id)),
		.severity = keep_name(m, severity_word(f->severity)),
		.title = keep(m, first_line(f->message, 400), LINE_MAX_BYTES),
		.package = keep(m, f->package, LINE_MAX_BYTES),
		.test = keep(m, f->test, LINE_MAX_BYTES),
		.place = place_of(m, f),
		.advice = keep(m, f->advice, TEXT_MAX_BYTES),
		.fault = keep_name(m, f->fault.id),
		.state = keep_name(m, f->fault.state),
		.said = keep(m, span_of(f->fault.said), TEXT_MAX_BYTES),
		.count = f->fault.id ? f->fault.count : -1,
	};
	struct span base = span_of(it->place);
	if (base.n && span_rchr(base, '/') != SPAN_NONE)
		base = span_from(base, span_rchr(base, '/') + 1);
	it->excerpt = excerpt_of(m, f, base);
	if (!f->fingerprint[0])
		fingerprint_make(r, f, own); /* an early notice is sent before the run is recorded */
	it->fingerprint = keep_name(m, f->fingerprint[0] ? f->fingerprint : own);
	keep_owners(m, &f->owners, &it->owners);
}

/* What passed has findings too (warnings), but they are not what was told. */
static bool has_items(const struct report *r, enum alert_kind kind)
{
	return kind == ALERT_FAILED || (kind == ALERT_FOLLOWUP && r->outcome != OUTCOME_PASSED);
}

static void make_items(struct maker *m, const struct report *r, struct alert *a)
{
	static const enum severity order[] = { SEV_ERROR, SEV_WARNING, SEV_NOTE };

	if (!has_items(r, a->kind) || !r->n_findings)
		return;
	a->items = arena_alloc(m->mem, ITEMS_MADE * sizeof(*a->items));
	m->bad |= !a->items;
	for (size_t o = 0; o < ARRAY_LEN(order) && a->items; o++) {
		for (size_t i = 0; i < r->n_findings; i++) {
			if (r->findings[i].severity != order[o])
				continue;
			if (a->n_items < ITEMS_MADE)
				make_item(m, r, &r->findings[i], &a->items[a->n_items++]);
			else
				a->more++;
		}
	}
}

static void make_where(struct maker *m, const struct report *r, struct alert *a)
{
	const struct ci_context *ci = &r->ci;
	char host[256] = "";

	a->run = keep_name(m, r->id);
	a->project = keep_line(m, r->project && *r->project ? r->project : ci->repo);
	a->branch = keep_line(m, ci->branch);
	a->commit = keep_name(m, ci->commit);
	a->job = keep_line(m, ci->job);
	a->url = keep(m, span_of(ci->url), TEXT_MAX_BYTES);
	a->actor = keep_name(m, ci->actor);
	a->pr = keep_name(m, ci->pr);
	a->ci = keep_name(m, ci->name);
	a->go = keep_name(m, r->go_version);
	if (gethostname(host, sizeof(host) - 1) == 0)
		a->host = keep_name(m, host);
	a->command = command_of(m, &r->argv);
}

static void make_key(struct maker *m, const struct report *r, struct alert *a)
{
	uint64_t series = (uint64_t)store_series(r), branch = span_hash(span_of(r->ci.branch ? r->ci.branch : ""));
	char text[40];

	m->bad |= !series;
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)series);
	a->series = keep_name(m, text);
	snprintf(text, sizeof(text), "run-%016llx", (unsigned long long)(series ^ branch));
	a->key = a->n_items ? a->items[0].fingerprint : keep_name(m, text);
}

int alert_make(const struct report *r, enum alert_kind kind, const char *level, bool early, int64_t now, struct alert *ret, struct err *e)
{
	struct maker m = { .mem = &ret->mem };
	char id[CAUSE_ID_MAX];
	enum cause cause = r->cause || !r->n_findings || !has_items(r, kind) ? r->cause : r->findings[0].cause;

	*ret = (struct alert){ .kind = kind, .early = early, .lang = lang_now, .at = now < 0 ? 0 : now, .duration_ns = r->is_run ? r->duration_ns : -1,
		.packages = r->tests.packages, .tests = r->tests.run, .failed = r->tests.failed };
	ulid_make(ret->at, ret->id);
	ret->level = keep_name(&m, level ? level : alert_level_words[0]);
	make_where(&m, r, ret);
	make_items(&m, r, ret);
	make_key(&m, r, ret);
	ret->outcome = keep_name(&m, outcome_word(r->outcome));
	ret->cause = r->n_findings && r->findings[0].cause == cause ? keep_name(&m, finding_cause_id(&r->findings[0], id)) :
								      keep_name(&m, cause_table[cause].id);
	ret->severity = ret->n_items ? ret->items[0].severity : NULL;
	ret->summary = keep(&m, span_of(r->summary), TEXT_MAX_BYTES);
	if (!m.bad)
		return 0;
	alert_free(ret);
	return alert_no_memory(e);
}

/* ---- those that no report makes ---- */

static void begin(struct alert *a, enum alert_kind kind, int64_t now)
{
	*a = (struct alert){ .kind = kind, .lang = lang_now, .at = now < 0 ? 0 : now, .duration_ns = -1, .packages = -1, .tests = -1, .failed = -1,
		.level = alert_level_words[0] };
	ulid_make(a->at, a->id);
}

static void add_host(struct maker *m, struct alert *a)
{
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) == 0)
		a->host = keep_name(m, host);
}

static int done(struct maker *m, struct alert *a, struct err *e)
{
	if (!m->bad)
		return 0;
	alert_free(a);
	return alert_no_memory(e);
}

int alert_probe(const char *project, int64_t now, struct alert *ret, struct err *e)
{
	struct maker m = { .mem = &ret->mem };

	begin(ret, ALERT_PROBE, now);
	ret->project = keep_line(&m, project);
	ret->key = arena_printf(m.mem, "probe-%s", ret->id);
	m.bad |= !ret->key;
	add_host(&m, ret);
	return done(&m, ret, e);
}

int alert_channel_down(const char *channel, const char *said, const char *advice, int64_t waiting, int64_t now, struct alert *ret, struct err *e)
{
	struct maker m = { .mem = &ret->mem };

	begin(ret, ALERT_CHANNEL, now);
	ret->items = arena_alloc(m.mem, sizeof(*ret->items));
	if (!ret->items) {
		m.bad = true;
		return done(&m, ret, e);
	}
	ret->n_items = 1;
	ret->items[0] = (struct alert_item){ .title = keep_name(&m, channel), .said = keep(&m, span_of(said), TEXT_MAX_BYTES),
		.advice = keep(&m, span_of(advice), TEXT_MAX_BYTES), .count = waiting };
	ret->key = arena_printf(m.mem, "channel-%.200s", channel);
	m.bad |= !ret->key;
	add_host(&m, ret);
	return done(&m, ret, e);
}

/* ---- many in one ---- */

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* What they do not share is not said of all. */
static void narrow(const char **to, const char *one)
{
	if (!same(*to, one))
		*to = NULL;
}

static struct alert_item *group_of(struct alert *to, const char *cause, const char *project)
{
	for (size_t i = 0; i < to->n_items; i++) {
		if (same(to->items[i].cause, cause) && same(to->items[i].package, project))
			return &to->items[i];
	}
	return NULL;
}

/* The most frequent first; of equals the one that came first. */
static void rise(struct alert_item *v, size_t at)
{
	for (; at && v[at - 1].count < v[at].count; at--) {
		struct alert_item t = v[at];
		v[at] = v[at - 1];
		v[at - 1] = t;
	}
}

static int gather_first(struct alert *to, const struct alert *one, int64_t now, struct err *e)
{
	struct maker m = { .mem = &to->mem };

	begin(to, ALERT_DIGEST, now);
	to->lang = one->lang;
	to->project = keep_line(&m, one->project);
	to->branch = keep_line(&m, one->branch);
	to->url = keep(&m, span_of(one->url), TEXT_MAX_BYTES);
	to->cause = keep_name(&m, one->cause);
	to->host = keep_name(&m, one->host);
	to->key = arena_printf(m.mem, "digest-%s", to->id);
	to->items = arena_alloc(m.mem, ITEMS_GROUPED * sizeof(*to->items));
	to->level = keep_name(&m, one->level ? one->level : alert_level_words[0]);
	m.bad |= !to->key || !to->items;
	return done(&m, to, e);
}

/* A group of its own for the first of its kind. NULL: no memory, or no room. */
static struct alert_item *group_add(struct maker *m, struct alert *to, const char *cause, const char *severity, const char *project,
				    const struct alert_item *first, const char *title)
{
	struct alert_item *it = &to->items[to->n_items];

	if (to->n_items == ITEMS_GROUPED)
		return NULL;
	*it = (struct alert_item){ .cause = keep_name(m, cause), .severity = keep_name(m, severity), .package = keep_line(m, project),
		.title = keep_line(m, title) };
	if (first) {
		it->test = keep_line(m, first->test);
		it->place = keep_line(m, first->place);
		it->state = keep_name(m, first->state);
		keep_owners(m, &first->owners, &it->owners);
	}
	if (m->bad)
		return NULL;
	to->n_items++;
	return it;
}

static void count_up(int64_t *n, int64_t more) /* hostile digests count to the end of numbers */
{
	if (more > 0 && __builtin_add_overflow(*n, more, n))
		*n = INT64_MAX;
}

static void group_count(struct maker *m, struct alert *to, struct alert_item *it, const char *state, int64_t count)
{
	if (m->bad)
		return;
	if (!it) {
		count_up(&to->more, count);
		return;
	}
	count_up(&it->count, count);
	narrow(&it->state, state);
	rise(to->items, (size_t)(it - to->items));
}

static void gather_one(struct maker *m, struct alert *to, const struct alert *one)
{
	const struct alert_item *first = one->n_items ? &one->items[0] : NULL;
	struct alert_item *it = group_of(to, one->cause, one->project);

	if (!it)
		it = group_add(m, to, one->cause, one->severity, one->project, first, first && first->title ? first->title : one->summary);
	group_count(m, to, it, first ? first->state : NULL, 1);
}

static void gather_digest(struct maker *m, struct alert *to, const struct alert *one)
{
	for (size_t i = 0; i < one->n_items; i++) {
		const struct alert_item *from = &one->items[i];
		struct alert_item *it = group_of(to, from->cause, from->package);
		if (!it)
			it = group_add(m, to, from->cause, from->severity, from->package, from, from->title);
		group_count(m, to, it, from->state, from->count > 0 ? from->count : 1);
	}
	if (!m->bad)
		count_up(&to->more, one->more);
}

int alert_gather(struct alert *to, const struct alert *one, int64_t now, struct err *e)
{
	struct maker m = { .mem = &to->mem };
	bool fresh = !to->items;
	int r = fresh ? gather_first(to, one, now, e) : 0;

	if (r < 0)
		return r;
	if (one->kind == ALERT_DIGEST)
		gather_digest(&m, to, one);
	else
		gather_one(&m, to, one);
	if (m.bad && fresh)
		alert_free(to);
	if (m.bad)
		return alert_no_memory(e);
	narrow(&to->project, one->project);
	narrow(&to->branch, one->branch);
	narrow(&to->url, one->url);
	narrow(&to->cause, one->cause);
	if (one->level && strcmp(one->level, to->level) < 0)
		to->level = !strcmp(one->level, alert_level_words[0]) ? alert_level_words[0] : alert_level_words[1];
	return 0;
}
