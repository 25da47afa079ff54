#include "alert/route.h"

#include <errno.h>

#include "alert/zone.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define GROUP_NS  (5 * 60 * NSEC_PER_SEC) /* L2 */
#define REPEAT_NS (4 * 3600 * NSEC_PER_SEC)
#define CROSSED_NS (60 * NSEC_PER_SEC) /* who looked at the clock first may be the second to tell */
#define MINUTE    INT64_C(60) /* s */
#define DAY       INT64_C(86400)

struct silence {
	struct silence *next;
	struct config_texts when[WHENS];
	const char *key, *why;
	int64_t until;
};

struct routes {
	const struct config *c;
	struct arena mem;
	struct zone **zones; /* of each route; NULL: not known here */
	const char **notes;  /* NULL-terminated */
	size_t n_zones;
	struct silence *silences;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory for the routes", "内存不足，无法处理路由"));
}

/* ---- reading ---- */

static const char *file_of(const struct routes *r, enum config_id id)
{
	return r->c->files[config_get(r->c, id)->place].shown;
}

static int read_zones(struct routes *r, struct err *e)
{
	size_t n = r->c->n_routes, notes = 0;
	struct err why;

	r->zones = arena_alloc(&r->mem, (n + 1) * sizeof(struct zone *));
	r->notes = arena_alloc(&r->mem, (n + 1) * sizeof(char *));
	if (!r->zones || !r->notes)
		return no_memory(e);
	for (; r->n_zones < n; r->n_zones++) {
		const struct config_route *one = &r->c->routes[r->n_zones];
		int got = zone_open(one->zone, &r->zones[r->n_zones], &why);
		if (got == -ENOMEM)
			return no_memory(e);
		if (got == 0)
			continue;
		r->notes[notes] = arena_printf(&r->mem, "%s:%d: routes[%zu]: %s", file_of(r, CFG_ROUTES), one->line, r->n_zones, why.msg);
		if (!r->notes[notes++])
			return no_memory(e);
	}
	return 0;
}

int routes_read(const struct config *c, struct routes **ret, struct err *e)
{
	struct routes *r = mem_zalloc(sizeof(*r));

	*ret = NULL;
	if (!r)
		return no_memory(e);
	r->c = c;
	int got = read_zones(r, e);
	if (got < 0)
		routes_free(r);
	else
		*ret = r;
	return got;
}

void routes_free(struct routes *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_zones; i++)
		zone_free(r->zones[i]);
	arena_free(&r->mem);
	mem_free(r);
}

void routes_free_cleanup(struct routes **r)
{
	routes_free(*r);
}

const char *routes_note(const struct routes *r, size_t i)
{
	for (size_t at = 0; r->notes[at]; at++) {
		if (at == i)
			return r->notes[at];
	}
	return NULL;
}

static bool copy(struct arena *mem, const char *z, const char **ret)
{
	*ret = z ? arena_str(mem, span_of(z)) : NULL;
	return !z || *ret;
}

int routes_silence(struct routes *r, const char *const when[WHENS], const char *key, int64_t until, const char *why, struct err *e)
{
	struct silence *s = arena_alloc(&r->mem, sizeof(*s));
	bool any = key != NULL;

	if (!s || !copy(&r->mem, key, &s->key) || !copy(&r->mem, why, &s->why))
		return no_memory(e);
	for (int w = 0; w < WHENS; w++) {
		const char **one = when[w] ? arena_alloc(&r->mem, sizeof(*one)) : NULL;
		if (!when[w])
			continue;
		if (!one || !copy(&r->mem, when[w], one))
			return no_memory(e);
		s->when[w] = (struct config_texts){ one, 1 };
		any = true;
	}
	if (!any)
		return err_set(e, EINVAL, TR("a silence needs something that it is for: it would silence everything", "静默需要指定对象：否则会静默所有告警"));
	s->until = until;
	s->next = r->silences;
	r->silences = s;
	return 0;
}

/* ---- conditions ---- */

/* The facts by the names of the keys; those of lists aside. */
static const char *fact_of(const struct route_facts *f, const char *name)
{
	const struct {
		const char *name, *value;
	} rows[] = {
		{ "outcome", f->outcome }, { "cause", f->cause }, { "severity", f->severity }, { "package", f->package }, { "branch", f->branch },
		{ "job", f->job },	   { "service", f->service }, { "project", f->project }, { "host", f->host }, { "owner", f->owner },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!strcmp(rows[i].name, name))
			return rows[i].value;
	}
	return NULL;
}

static bool any_fits(const struct config_texts *globs, struct span s)
{
	for (size_t i = 0; i < globs->n; i++) {
		if (text_glob(globs->v[i], s))
			return true;
	}
	return false;
}

static bool owner_fits(const struct config_texts *globs, const char *owners)
{
	struct span rest = span_of(owners);

	while (rest.n) {
		struct span one = span_cut(&rest, ' ');
		if (one.n && any_fits(globs, one))
			return true;
	}
	return false;
}

static bool class_fits(const struct config_texts *words, const char *letters)
{
	for (const char *p = letters; p && *p; p++) {
		const char *word = class_word(*p);
		if (word && any_fits(words, span_of(word)))
			return true;
	}
	return false;
}

static bool state_fits(const struct config_texts *words, const struct route_facts *f)
{
	return (f->state && any_fits(words, span_of(f->state))) || (f->flaky && any_fits(words, S("flaky")));
}

static bool condition_holds(enum config_when w, const struct config_texts *t, const struct route_facts *f)
{
	const char *value;

	switch (w) {
	case WHEN_CLASS:
		return class_fits(t, f->classes);
	case WHEN_STATE:
		return state_fits(t, f);
	case WHEN_OWNER:
		return owner_fits(t, f->owner);
	default:
		value = fact_of(f, config_when_words[w]);
		return value && any_fits(t, span_of(value));
	}
}

static bool is_known(enum config_when w, const struct route_facts *f)
{
	if (w == WHEN_CLASS)
		return f->classes;
	return w == WHEN_STATE ? f->state || f->flaky : fact_of(f, config_when_words[w]) != NULL;
}

static bool conditions_hold(const struct config_texts when[WHENS], const struct route_facts *f)
{
	for (int w = 0; w < WHENS; w++) {
		if (f->recovery && !is_known((enum config_when)w, f))
			continue;
		if (when[w].n && !condition_holds((enum config_when)w, &when[w], f))
			return false;
	}
	return true;
}

static bool route_fits(const struct config_route *one, const struct route_facts *f)
{
	if (!one->when[WHEN_OUTCOME].n && (!f->outcome || !strcmp(f->outcome, "passed")))
		return false;
	if (f->recovery && !one->recovery)
		return false;
	return conditions_hold(one->when, f);
}

/* ---- times ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* 0: not in one; else the second at which the one that holds ends. */
static int64_t quiet_until(const struct config_route *one, const struct zone *z, int64_t utc)
{
	int64_t local = utc + zone_offset(z, utc), today = floor_div(local, DAY), end = 0;

	for (size_t i = 0; i < one->n_quiet; i++) {
		const struct config_hours *h = &one->quiet[i];
		for (int64_t day = today - 1; day <= today; day++) {
			int weekday = (int)(((day + 3) % 7 + 7) % 7); /* 1970 began on a Thursday */
			int64_t from = day * DAY + h->from * MINUTE, to = day * DAY + h->to * MINUTE + (h->to <= h->from ? DAY : 0);
			if (!(h->days >> weekday & 1) || local < from || local >= to)
				continue;
			int64_t at = zone_utc(z, to, utc);
			end = at > end ? at : end;
		}
	}
	return end > utc ? end : 0;
}

/* The first instant from `when` on that is not in quiet hours; where there is none, `when`. */
static int64_t after_quiet(const struct config_route *one, const struct zone *z, int64_t when)
{
	int64_t at = floor_div(when, NSEC_PER_SEC);

	if (!z || !quiet_until(one, z, at))
		return when;
	for (int64_t end, turns = 0; (end = quiet_until(one, z, at)) != 0; turns++) {
		at = end;
		if (turns == 32)
			return when;
	}
	return at * NSEC_PER_SEC;
}

static int64_t next_digest(const struct config_route *one, const struct zone *z, int64_t now)
{
	int64_t utc = floor_div(now, NSEC_PER_SEC), offset = z ? zone_offset(z, utc) : 0;

	for (int64_t day = floor_div(utc + offset, DAY);; day++) {
		int64_t local = day * DAY + one->digest_at * MINUTE, at = z ? zone_utc(z, local, utc) : local;
		if (at > utc)
			return at * NSEC_PER_SEC;
	}
}

/* Windows have fixed places on the clock: alerts of several processes meet in one without knowing of each other. */
static int64_t next_window(int64_t now, int64_t size)
{
	return size > 0 ? (floor_div(now, size) + 1) * size : now;
}

static int64_t not_before(const struct config_route *one, const struct zone *z, int64_t now)
{
	int64_t at = now;

	if (one->level == 1)
		return 0;
	if (one->group >= 0)
		at = next_window(now, one->group);
	else
		at = one->level == 2 ? next_window(now, GROUP_NS) : next_digest(one, z, now);
	at = after_quiet(one, z, at);
	return at > now ? at : 0;
}

/* ---- one alert ---- */

struct match {
	const struct routes *r;
	const struct route_facts *f;
	const struct route_past *past;
	int64_t now;
	struct arena *mem;
	struct route_hit *hits;
	size_t n, room;
	int64_t again; /* a route that fits would have told it at this time */
	bool fits, no_memory;
};

static const char *put(struct match *m, const char *text)
{
	m->no_memory |= !text;
	return text;
}

static void add_hit(struct match *m, const struct route_hit *hit)
{
	for (size_t i = 0; i < m->n; i++) {
		struct route_hit *old = &m->hits[i];
		if (strcmp(old->channel, hit->channel) != 0 || old->escalates != hit->escalates)
			continue;
		int urgent = strcmp(hit->level, old->level);
		if (urgent < 0 || (urgent == 0 && hit->not_before < old->not_before))
			*old = *hit;
		return;
	}
	if (m->n < m->room)
		m->hits[m->n++] = *hit;
}

static int64_t told_when(const struct route_past *p, const char *channel)
{
	int64_t at = p->n_told ? 0 : p->told_at;

	for (size_t i = 0; i < p->n_told; i++) {
		if (!strcmp(p->told[i].channel, channel) && p->told[i].at > at)
			at = p->told[i].at;
	}
	return at;
}

static bool held_back(struct match *m, const char *channel, int64_t repeat)
{
	const struct route_past *p = m->past;
	int64_t at = m->f->recovery || p->recovered || !repeat ? 0 : told_when(p, channel);

	if (!at || m->now < at - CROSSED_NS || m->now >= at + repeat) /* a clock that was set back must not make us silent */
		return false;
	m->again = m->again && m->again < at + repeat ? m->again : at + repeat;
	return true;
}

static void add_channels(struct match *m, const struct config_texts *to, const struct route_hit *hit, int64_t repeat)
{
	for (size_t i = 0; i < to->n; i++) {
		const struct config_channel *c = config_channel_named(m->r->c, to->v[i]);
		struct route_hit one = *hit;
		one.channel = c ? c->name : NULL;
		if (c && !held_back(m, c->name, repeat))
			add_hit(m, &one);
	}
}

/* "3:project=shop cause=mod.dns": of this route, and what its alerts have in common. */
static const char *group_name(struct match *m, const struct config_texts *by, size_t route, int level)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_addf(&b, "%zu:", route);
	for (size_t i = 0; level != 3 && i < by->n; i++) {
		const char *value = fact_of(m->f, by->v[i]);
		buf_addf(&b, "%s%s=", i ? " " : "", by->v[i]);
		text_clean(span_head(span_of(value), 200), false, &b);
	}
	buf_adds(&b, m->f->recovery ? " over" : "");
	return put(m, b.bad ? NULL : arena_str(m->mem, buf_view(&b)));
}

static void take_route(struct match *m, size_t i)
{
	const struct config_route *one = &m->r->c->routes[i];
	const struct zone *z = m->r->zones[i];
	struct route_hit hit = { .level = config_levels[one->level - 1] };

	if (!route_fits(one, m->f))
		return;
	m->fits = true;
	hit.group = one->level == 1 ? NULL : group_name(m, &one->group_by, i, one->level);
	hit.not_before = not_before(one, z, m->now);
	hit.why = put(m, arena_printf(m->mem, z ? "routes[%zu], %s:%d" : TR("routes[%zu], %s:%d; its time zone is not known here", "routes[%zu]，%s:%d；本机没有其时区"),
				      i, file_of(m->r, CFG_ROUTES), one->line));
	add_channels(m, &one->to, &hit, one->repeat);
	hit.escalates = true;
	if (!m->f->recovery)
		hit.not_before = m->now + one->escalate;
	if (one->escalate >= 0 && one->level == 1) /* what is told every time escalates once */
		add_channels(m, &one->escalate_to, &hit, one->repeat ? one->repeat : REPEAT_NS);
}

static void take_all_channels(struct match *m)
{
	const struct config *c = m->r->c;
	struct route_hit hit = { .level = config_levels[0], .why = TR("no routes: every channel", "没有路由：全部渠道") };

	if (!m->f->outcome || !strcmp(m->f->outcome, "passed"))
		return;
	m->fits = true;
	for (size_t i = 0; i < c->n_channels; i++) {
		hit.channel = c->channels[i].name;
		if (!held_back(m, hit.channel, REPEAT_NS))
			add_hit(m, &hit);
	}
}

/* ---- nobody ---- */

static const char *when_text(int64_t wall, char text[32])
{
	time_rfc3339(wall, text);
	return text;
}

static const char *silenced(struct match *m)
{
	const struct config *c = m->r->c;
	char at[32];

	for (size_t i = 0; i < c->n_silences; i++) {
		const struct config_silence *s = &c->silences[i];
		if (m->now < s->until && conditions_hold(s->when, m->f))
			return put(m, arena_printf(m->mem, TR("silenced until %s: %s:%d%s%s", "静默至 %s：%s:%d%s%s"), when_text(s->until, at), file_of(m->r, CFG_SILENCE),
						   s->line, s->why ? ": " : "", s->why ? s->why : ""));
	}
	for (const struct silence *s = m->r->silences; s; s = s->next) {
		if (m->now < s->until && (!s->key || (m->f->key && !strcmp(s->key, m->f->key))) && conditions_hold(s->when, m->f))
			return put(m, arena_printf(m->mem, TR("silenced until %s: tocsin alert silence%s%s", "静默至 %s：tocsin alert silence%s%s"),
						   when_text(s->until, at), s->why ? ": " : "", s->why ? s->why : ""));
	}
	return NULL;
}

/* What takes the network or the disk away takes the rest with it. Narrow: nothing here is a defect of the code. */
static const char *const dns[] = { "mod.dns" }, *const dns_down[] = { "mod.connect", "mod.timeout", "mod.proxy", "mod.sumdb", "mod.vcs" };
static const char *const space[] = { "proc.no_space" }, *const space_down[] = { "mod.cache_missing", "build.link", "test.io_incomplete" };
static const char *const project[] = { "project" }, *const host[] = { "host" };
static const struct config_inhibit builtin[] = {
	{ { dns, 1 }, { dns_down, ARRAY_LEN(dns_down) }, { project, 1 }, 0 },
	{ { space, 1 }, { space_down, ARRAY_LEN(space_down) }, { host, 1 }, 0 },
};

static bool is_same(const struct config_inhibit *rule, const struct route_facts *f, const struct route_active *a)
{
	const struct route_facts its = { .project = a->project, .branch = a->branch, .job = a->job, .service = a->service, .host = a->host };

	for (size_t i = 0; i < rule->same.n; i++) {
		const char *one = fact_of(f, rule->same.v[i]), *other = fact_of(&its, rule->same.v[i]);
		if (!one || !other || strcmp(one, other) != 0)
			return false;
	}
	return true;
}

static bool explains(struct match *m, const struct config_inhibit *rule, const struct route_active *a)
{
	const char *cause = m->f->cause;

	if (!a->cause || !cause || m->now - a->told_at >= ROUTE_ACTIVE_NS || (a->key && m->f->key && !strcmp(a->key, m->f->key)))
		return false;
	if (!any_fits(&rule->cause, span_of(a->cause)))
		return false;
	/* Two that are both root and consequence must not silence each other. */
	return !any_fits(&rule->cause, span_of(cause)) && is_same(rule, m->f, a);
}

static const char *inhibited(struct match *m)
{
	size_t own = m->r->c->n_inhibits;

	for (size_t i = 0; i < own + ARRAY_LEN(builtin); i++) {
		const struct config_inhibit *rule = i < own ? &m->r->c->inhibits[i] : &builtin[i - own];
		if (!m->f->cause || !any_fits(&rule->silences, span_of(m->f->cause)))
			continue;
		for (size_t k = 0; k < m->past->n_active; k++) {
			char at[32];
			const struct route_active *a = &m->past->active[k];
			if (explains(m, rule, a))
				return put(m, arena_printf(m->mem, TR("a consequence of %s, which was told at %s", "由 %s 引起，后者已于 %s 通知"), a->cause,
							   when_text(a->told_at, at)));
		}
	}
	return NULL;
}

/* Why nobody is to be told, whatever the routes say; NULL: they decide. */
static const char *nobody(struct match *m)
{
	const struct route_past *p = m->past;

	if (m->f->recovery && !p->told_at)
		return TR("nobody was told that it was wrong", "故障未曾通知过，无需通知恢复");
	if (m->f->recovery)
		return p->recovered ? TR("its end was told already", "恢复已通知过") : NULL;
	const char *why = silenced(m);
	if (!why && !m->no_memory && !p->follow_up)
		why = inhibited(m);
	if (!why && !p->follow_up && p->told_at && !p->recovered && p->acknowledged)
		why = TR("somebody has acknowledged it", "已有人确认");
	return why;
}

static const char *no_hits(struct match *m)
{
	char at[32];

	if (!m->fits)
		return m->r->c->n_routes ? TR("no route fits", "没有匹配的路由") : TR("the outcome is passed", "结果为通过");
	if (m->again)
		return put(m, arena_printf(m->mem, TR("told already; again not before %s", "已通知过；%s 之前不再重复"), when_text(m->again, at)));
	return TR("there is no such channel here", "此处没有这样的渠道");
}

int routes_match(const struct routes *r, const struct route_facts *f, const struct route_past *past, int64_t now, struct arena *mem, struct route_hit **ret, size_t *n,
		 const char **why, struct err *e)
{
	static const struct route_past none;
	struct match m = { .r = r, .f = f, .past = past ? past : &none, .now = now, .mem = mem, .room = 2 * r->c->n_channels };

	*ret = NULL;
	*n = 0;
	m.hits = arena_alloc(mem, (m.room + 1) * sizeof(*m.hits));
	if (!m.hits)
		return no_memory(e);
	*why = nobody(&m);
	for (size_t i = 0; i < r->c->n_routes && !*why; i++)
		take_route(&m, i);
	if (!r->c->n_routes && !*why)
		take_all_channels(&m);
	if (!m.n && !*why)
		*why = no_hits(&m);
	if (m.no_memory)
		return no_memory(e);
	*ret = m.hits;
	*n = m.n;
	return 0;
}
