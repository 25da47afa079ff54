#include "diagnose/profile_own.h"

#include <errno.h>
#include <math.h>

#include "base/mem.h"

/* A stack may name a location that stands for many inlined calls, again and again: steps that a byte may cost. */
enum { STEPS_PER_BYTE = 64, STEPS_MORE = 1 << 20 };

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory for a profile", "内存不足，无法载入剖析数据"));
}

static int rule(struct name_rule *r, const char *flag, const char *pattern, struct err *e)
{
	return pattern ? name_rule_make(r, flag, pattern, strlen(pattern), e) : 0;
}

int profiles_new(const struct profile_config *c, struct profiles **ret, struct err *e)
{
	struct profiles *s = mem_zalloc(sizeof(*s));

	if (!s)
		return no_memory(e);
	s->config = *c;
	int r = rule(&s->focus, "--focus", c->focus, e);
	if (r == 0)
		r = rule(&s->ignore, "--ignore", c->ignore, e);
	if (r == 0)
		r = rule(&s->hide, "--hide", c->hide, e);
	if (r < 0) {
		profiles_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static void group_free(struct group *g)
{
	void *const all[] = { g->sums[NEW], g->sums[BASE], g->last, g->stamp, g->site_of, g->names, g->calls, g->slots,
			      g->sites, g->values, g->points };

	map_free(&g->ids);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		mem_free(all[i]);
	merged_free(g->merged);
}

void profiles_free(struct profiles *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_groups; i++)
		group_free(&s->groups[i]);
	name_rule_free(&s->focus);
	name_rule_free(&s->ignore);
	name_rule_free(&s->hide);
	arena_free(&s->mem);
	mem_free(s);
}

/* ---- names ---- */

static bool resize(void *list, size_t n, size_t cap, size_t element)
{
	void *old, *grown;

	memcpy(&old, list, sizeof(old));
	grown = mem_resize(old, cap * element);
	if (!grown)
		return false;
	memset((char *)grown + n * element, 0, (cap - n) * element);
	memcpy(list, &grown, sizeof(grown));
	return true;
}

static bool more_names(struct group *g)
{
	size_t n = g->n_names, cap = n ? n * 2 : 256;

	if (n < g->cap_names)
		return true;
	if (n > UINT32_MAX / 4 || !resize(&g->names, n, cap, sizeof(*g->names)) || !resize(&g->sums[NEW], n, cap, sizeof(struct sums)) ||
	    !resize(&g->sums[BASE], n, cap, sizeof(struct sums)) || !resize(&g->last, n, cap, sizeof(struct sums)) ||
	    !resize(&g->stamp, n, cap, sizeof(*g->stamp)) || !resize(&g->site_of, n, cap, sizeof(*g->site_of)))
		return false;
	g->cap_names = cap;
	return true;
}

uint32_t group_name(struct profiles *s, struct group *g, struct span name)
{
	uintptr_t id = (uintptr_t)map_get(&g->ids, name);

	if (id)
		return (uint32_t)(id - 1);
	struct span copy = arena_span(&s->mem, name);
	if (!copy.p || !more_names(g) || !map_put(&g->ids, copy, (void *)(uintptr_t)(g->n_names + 1)))
		return PPROF_NONE;
	g->names[g->n_names] = copy;
	return (uint32_t)g->n_names++;
}

/* ---- groups ---- */

static bool choose(const struct pprof *p, const char *wanted, size_t *ret)
{
	struct span name = span_of(wanted), bare = name;

	*ret = p->n_types - 1;
	if (!wanted) {
		for (size_t i = 0; p->default_type.n && i < p->n_types; i++) {
			if (span_eq(p->types[i].type, p->default_type)) {
				*ret = i;
				break;
			}
		}
		return true;
	}
	span_skip(&bare, S("inuse_"));
	for (size_t i = 0; i < p->n_types; i++) {
		if (span_eq(p->types[i].type, name) || span_eq(p->types[i].type, bare)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static int unknown_sample(const struct profiles *s, const struct pprof *p, struct err *e)
{
	CLEANUP(buf_free) struct buf names = { .max = 300 };

	for (size_t i = 0; i < p->n_types; i++)
		buf_addf(&names, "%s%.*s", i ? ", " : "", SPAN_ARG(span_head(p->types[i].type, 60)));
	return err_set(e, EINVAL, TR("--sample %s: the profile has %s", "--sample %s：该剖析数据只有 %s"), s->config.sample, buf_str(&names));
}

static bool has_type(const struct pprof *p, struct span name)
{
	for (size_t i = 0; i < p->n_types; i++) {
		if (span_eq(p->types[i].type, name))
			return true;
	}
	return false;
}

/* Both kinds of contention have the same form: a mutex's is counted where it is unlocked. */
static const char *contention(const struct pprof *p)
{
	for (size_t i = 0; i < p->n_functions; i++) {
		struct span name = pprof_string(p, p->functions[i].name);
		if (span_starts(name, S("sync.(*")) && span_find(name, S("nlock")) != SPAN_NONE)
			return "mutex";
		if (span_eq(name, S("runtime._LostContendedRuntimeLock")) || span_eq(name, S("runtime.unlock")))
			return "mutex";
	}
	return "block";
}

static const char *kind_of(const struct pprof *p)
{
	static const char *const counts[] = { "goroutine", "goroutineleak", "threadcreate" };

	if (has_type(p, S("cpu")))
		return "cpu";
	if (has_type(p, S("inuse_space")) || has_type(p, S("space")))
		return span_eq(p->default_type, S("alloc_space")) ? "allocs" : "heap";
	if (has_type(p, S("contentions")))
		return contention(p);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		if (has_type(p, span_of(counts[i])))
			return counts[i];
	}
	return "";
}

static bool same_family(const char *a, const char *b)
{
	return (!strcmp(a, "heap") || !strcmp(a, "allocs") || !strcmp(a, b)) && (!strcmp(b, "heap") || !strcmp(b, "allocs") || !strcmp(a, b));
}

static struct span kept(struct profiles *s, struct span text)
{
	return arena_span(&s->mem, text.p ? text : S(""));
}

static int find_group(struct profiles *s, const struct pprof *p, size_t index, struct group **ret, struct err *e)
{
	const struct pprof_type *t = &p->types[index];
	const char *kind = kind_of(p);

	for (size_t i = 0; i < s->n_groups; i++) {
		struct group *g = &s->groups[i];
		if (span_eq(g->type, t->type) && span_eq(g->unit, t->unit) && same_family(g->kind, kind)) {
			*ret = g;
			return 0;
		}
	}
	if (s->n_groups == PROFILE_GROUPS)
		return err_set(e, E2BIG, TR("more than %d kinds of profiles at once: give the others by themselves", "一次最多处理 %d 种剖析数据：其余请分开处理"), PROFILE_GROUPS);
	struct group *g = &s->groups[s->n_groups];
	*g = (struct group){ .type = kept(s, t->type), .unit = kept(s, t->unit), .kind = kind, .scale = 1 };
	if (!g->type.p || !g->unit.p || (s->config.merge && !(g->merged = merged_new())))
		return no_memory(e);
	s->n_groups++;
	*ret = g;
	return 0;
}

/* ---- adding up ---- */

static int64_t plus(int64_t a, int64_t b) /* that holds at its ends */
{
	int64_t r;

	return __builtin_add_overflow(a, b, &r) ? a < 0 ? INT64_MIN : INT64_MAX : r;
}

static int64_t magnitude(int64_t v)
{
	return v >= 0 ? v : v == INT64_MIN ? INT64_MAX : -v;
}

int64_t loading_scaled(const struct loading *l, size_t i, int64_t v)
{
	double d = l->scaled ? round((double)v * l->scale[i]) : 0;

	if (!l->scaled)
		return v;
	return d >= 9.2e18 ? INT64_MAX : d <= -9.2e18 ? INT64_MIN : (int64_t)d;
}

bool loading_wants(const struct loading *l, const struct pprof_sample *p)
{
	bool focused = false;

	if (!l->s->focus.code && !l->s->ignore.code)
		return true;
	for (size_t i = 0; i < p->n_locations; i++) {
		uint8_t bits = l->places[p->locations[i]].bits;
		if (bits & MATCH_IGNORE)
			return false;
		focused |= bits & MATCH_FOCUS || !l->s->focus.code;
	}
	return focused;
}

/* What is beneath a frame that its profile says to drop, unless all of the stack is. */
static void prune(const struct loading *l, struct pprof_sample *p)
{
	bool user = false;

	for (size_t i = p->n_locations; l->p.drop_frames.n && i > 0; i--) {
		uint8_t bits = l->places[p->locations[i - 1]].bits;
		if (!(bits & PRUNE_BELOW)) {
			user = true;
			continue;
		}
		if (!user)
			continue;
		size_t skip = i - 1 + !!(bits & PRUNE_ALL);
		p->locations += skip;
		p->n_locations -= skip;
		return;
	}
}

static bool add_names(struct loading *l, const struct pprof_sample *p, int64_t v)
{
	struct group *g = l->g;
	uint32_t now = ++g->now;
	bool leaf = true;

	if (!now) { /* after four thousand million samples */
		memset(g->stamp, 0, g->n_names * sizeof(*g->stamp));
		now = ++g->now;
	}
	for (size_t i = 0; i < p->n_locations; i++) {
		const struct frames *f = &l->places[p->locations[i]];
		if (f->n + 1 > l->steps)
			return false;
		l->steps -= f->n + 1;
		for (uint32_t k = f->first; k < f->first + f->n; k++) {
			uint32_t name = l->frames[k];
			struct sums *sum = &g->last[name];
			if (leaf)
				sum->flat = plus(sum->flat, v);
			leaf = false;
			if (g->stamp[name] == now)
				continue;
			g->stamp[name] = now;
			sum->cum = plus(sum->cum, v);
		}
	}
	return true;
}

static void take_last(struct group *g, bool base)
{
	struct sums *to = g->sums[base ? BASE : NEW];

	for (size_t i = 0; i < g->n_names; i++) {
		to[i].flat = plus(to[i].flat, g->last[i].flat);
		to[i].cum = plus(to[i].cum, g->last[i].cum);
	}
	g->total[base ? BASE : NEW] = plus(g->total[base ? BASE : NEW], g->last_total);
	*(base ? &g->bases : &g->files) += 1;
}

/* The values of all samples, to know what to scale by. */
static bool sum_up(struct loading *l, int64_t sums[PPROF_TYPES])
{
	struct pprof_walk w = { .p = &l->p };
	struct pprof_sample p;

	while (pprof_next(&w, &p)) {
		for (size_t i = 0; i < l->p.n_types; i++)
			sums[i] = plus(sums[i], p.values[i]);
	}
	bool bad = w.bad;
	pprof_walk_end(&w);
	return !bad;
}

static bool find_scale(struct loading *l)
{
	int64_t sums[PPROF_TYPES] = { 0 };
	struct group *g = l->g;

	if (l->base)
		return sum_up(l, g->base_sum);
	if (!g->bases || !l->s->config.normalize)
		return true;
	if (!sum_up(l, sums))
		return false;
	l->scaled = true;
	for (size_t i = 0; i < l->p.n_types; i++)
		l->scale[i] = sums[i] ? (double)g->base_sum[i] / (double)sums[i] : 0;
	g->scale = l->scale[l->index];
	return true;
}

static int count_samples(struct loading *l, struct profile_info *ret, struct err *e)
{
	struct pprof_walk w = { .p = &l->p };
	struct pprof_sample p;
	bool good = true, cut = false;

	while (good && pprof_next(&w, &p)) {
		int64_t v = loading_scaled(l, l->index, p.values[l->index]);
		l->g->last_total = plus(l->g->last_total, magnitude(v));
		if (!v)
			continue;
		if (l->p.drop_frames.n)
			prune(l, &p);
		if (!loading_wants(l, &p))
			continue;
		if (!add_names(l, &p, v)) {
			cut = true;
			break;
		}
		good = (!l->s->config.tree || group_call(l->g, l, &p, l->base ? BASE : NEW, v)) && (l->base || trend_sample(l, &p, v));
	}
	good &= !w.bad;
	pprof_walk_end(&w);
	if (good && l->g->merged)
		good = merged_add(l->g->merged, l, l->base);
	if (cut)
		list_add(&l->s->mem, &ret->limits, arena_printf(&l->s->mem, TR("the stacks of the profile cost more than %d steps a byte: the rest of its samples is left out",
				 "该剖析数据的调用栈开销超过每字节 %d 步：其余样本略去"), STEPS_PER_BYTE));
	if (l->g->calls_full)
		list_add(&l->s->mem, &ret->limits, arena_printf(&l->s->mem, TR("the call tree is larger than %zu calls: deeper ones count for their callers", "调用树超过 %zu 个节点：更深的调用计入其调用者"), PROFILE_NODES));
	return good ? 0 : no_memory(e);
}

static void describe(const struct loading *l, struct profile_info *ret)
{
	struct arena *mem = &l->s->mem;

	ret->kind = kind_of(&l->p);
	ret->n_samples = l->p.n_samples;
	ret->time_ns = l->p.time_ns;
	ret->duration_ns = l->p.duration_ns;
	for (size_t i = 0; i < l->p.n_types; i++)
		list_add(mem, &ret->types, arena_printf(mem, "%.*s/%.*s", SPAN_ARG(span_head(l->p.types[i].type, 60)), SPAN_ARG(span_head(l->p.types[i].unit, 60))));
}

static void take_flaws(const struct pprof *p, struct profile_info *ret)
{
	for (size_t i = 0; i < p->n_flaws && i < PPROF_FLAWS && ret->n_flaws < PPROF_FLAWS; i++)
		ret->flaws[ret->n_flaws++] = p->flaws[i];
	if (p->n_flaws > PPROF_FLAWS)
		ret->n_flaws = p->n_flaws;
	ret->cut |= ret->n_flaws > 0;
}

static int load(struct loading *l, struct profile_info *ret, struct err *e)
{
	struct profiles *s = l->s;
	int r = 0;

	if (!choose(&l->p, s->config.sample, &l->index))
		return unknown_sample(s, &l->p, e);
	describe(l, ret);
	r = find_group(s, &l->p, l->index, &l->g, e);
	if (r < 0)
		return r;
	s->last = ret->group = (size_t)(l->g - s->groups);
	if (s->config.tree && !group_calls_open(l->g))
		return no_memory(e);
	r = loading_map(l, e);
	if (r < 0)
		return r;
	memset(l->g->last, 0, l->g->n_names * sizeof(*l->g->last));
	l->g->last_total = 0;
	if (!find_scale(l))
		return no_memory(e);
	r = count_samples(l, ret, e);
	if (r == 0 && !l->base && !trend_end(l))
		r = no_memory(e);
	ret->total = l->g->last_total;
	take_last(l->g, l->base);
	return r;
}

int profiles_add(struct profiles *s, struct span text, bool base, struct profile_info *ret, struct err *e)
{
	struct loading l = { .s = s, .base = base, .steps = text.n * STEPS_PER_BYTE + STEPS_MORE };
	struct buf proto = { .max = PPROF_TEXT_MAX };
	int r = 0;

	*ret = (struct profile_info){ .kind = "", .group = SIZE_MAX };
	if (pprof_text_looks_like(text)) {
		r = pprof_text_convert(text, &proto, &ret->flaws[0], e);
		ret->n_flaws = ret->flaws[0].what.en ? 1 : 0;
		text = buf_view(&proto);
		l.steps += text.n * STEPS_PER_BYTE;
	}
	if (r == 0)
		r = pprof_read(&l.p, text, e);
	if (r == 0)
		r = load(&l, ret, e);
	take_flaws(&l.p, ret);
	loading_free(&l);
	buf_free(&proto);
	return r;
}

size_t profiles_groups(const struct profiles *s)
{
	return s->n_groups;
}

size_t profiles_files(const struct profiles *s, size_t group)
{
	return s->groups[group].files;
}

bool profiles_compared(const struct profiles *s, size_t group)
{
	return s->groups[group].bases > 0;
}

struct pprof_type profiles_type(const struct profiles *s, size_t group)
{
	return (struct pprof_type){ s->groups[group].type, s->groups[group].unit };
}

const char *profiles_kind(const struct profiles *s, size_t group)
{
	return s->groups[group].kind;
}

double profiles_scale(const struct profiles *s, size_t group)
{
	return s->groups[group].scale;
}

int profiles_write(struct profiles *s, size_t group, struct buf *ret, struct err *e)
{
	return s->groups[group].merged ? merged_write(s->groups[group].merged, ret, e) : no_memory(e);
}
