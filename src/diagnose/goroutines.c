#define PCRE2_CODE_UNIT_WIDTH 8
#include "diagnose/goroutines.h"

#include <errno.h>
#include <stdlib.h>

#include <pcre2.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "diagnose/goroutines_own.h"
#include "model/frames.h"

#define P(lit) { lit, sizeof(lit) - 1 }

enum { EXCERPT_BYTES = 3900, EXCERPT_FRAMES = 14, MATCH_LIMIT = 100000 };

const struct tb_func *place_func(const struct traceback *t, uint32_t place)
{
	return &t->funcs[t->places[place].func];
}

struct span goroutines_func(const struct goroutines *g, uint32_t place)
{
	return place == TB_NONE ? (struct span){ 0 } : place_func(g->t, place)->name;
}

uint32_t group_at(const struct goroutines *g, uint32_t goroutine)
{
	return g->group_of[tb_at(g->t, goroutine)->bucket];
}

/* ---- filters ---- */

enum subject { BY_FUNCTION, BY_STATE, BY_CREATOR, BY_LABEL, BY_WAIT };

struct gorule {
	enum subject by;
	pcre2_code *re;
	pcre2_match_data *match;
	pcre2_match_context *limit;
	int64_t minutes;
	bool wanted; /* focus */
};

static void rule_free(struct gorule *r)
{
	pcre2_match_data_free(r->match);
	pcre2_match_context_free(r->limit);
	pcre2_code_free(r->re);
	*r = (struct gorule){ 0 };
}

/* "90s", "10m", "2h", "10": minutes */
static bool read_minutes(struct span s, int64_t *ret)
{
	struct span digits = s;
	char unit = s.n ? s.p[s.n - 1] : '0';

	if (unit == 's' || unit == 'm' || unit == 'h')
		digits.n--;
	if (!span_int(digits, ret) || *ret < 0 || *ret > 1000000000)
		return false;
	*ret = unit == 's' ? (*ret + 59) / 60 : unit == 'h' ? *ret * 60 : *ret;
	return true;
}

static int rule_make(const char *text, struct gorule *r, struct err *e)
{
	static const struct {
		struct span word;
		enum subject by;
	} subjects[] = {
		{ P("state:"), BY_STATE }, { P("creator:"), BY_CREATOR }, { P("label:"), BY_LABEL }, { P("wait:"), BY_WAIT },
	};
	struct span s = span_of(text);
	PCRE2_SIZE at;
	int code;

	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		if (span_skip(&s, subjects[i].word))
			r->by = subjects[i].by;
	}
	if (r->by == BY_WAIT)
		return read_minutes(s, &r->minutes) ? 0 :
			err_set(e, EINVAL, TR("'%s': how long? For example wait:10m", "“%s”：多长时间？例如 wait:10m"), text);
	r->re = pcre2_compile((PCRE2_SPTR)s.p, s.n, PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (!r->re) {
		char why[160];
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		return err_set(e, EINVAL, TR("'%s' is no regular expression: %s (character %zu)", "“%s”不是正则表达式：%s（第 %zu 个字符）"), text,
			       why, (size_t)at);
	}
	r->match = pcre2_match_data_create(1, NULL);
	r->limit = pcre2_match_context_create(NULL);
	if (!r->match || !r->limit)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	pcre2_set_match_limit(r->limit, MATCH_LIMIT);
	return 0;
}

static bool rule_hits(const struct gorule *r, struct span s)
{
	return s.p && pcre2_match(r->re, (PCRE2_SPTR)s.p, s.n, 0, 0, r->match, r->limit) >= 0;
}

static bool stack_hits(const struct goroutines *g, const struct gorule *r, const struct tb_bucket *b)
{
	for (uint32_t i = 0; i < b->n_places; i++) {
		const struct tb_place *p = &g->t->places[b->places[i]];
		if (rule_hits(r, g->t->funcs[p->func].name) || rule_hits(r, p->at))
			return true;
	}
	return false;
}

static bool bucket_hits(const struct goroutines *g, const struct gorule *r, const struct tb_bucket *b)
{
	switch (r->by) {
	case BY_STATE:
		return rule_hits(r, b->status) || rule_hits(r, span_of(tb_wait_word(b->wait)));
	case BY_CREATOR:
		return rule_hits(r, goroutines_func(g, b->creator));
	case BY_LABEL:
		return rule_hits(r, b->labels);
	default:
		return stack_hits(g, r, b);
	}
}

/* How many of each bucket pass: shown[]. */
static void filter_buckets(const struct goroutines *g, const struct gorule rules[2], int64_t *shown)
{
	const struct traceback *t = g->t;
	const struct gorule *wait = NULL;

	for (size_t i = 0; i < t->n_buckets; i++)
		shown[i] = t->buckets[i].count;
	for (int k = 0; k < 2; k++) {
		const struct gorule *r = &rules[k];
		if (r->by == BY_WAIT)
			wait = r;
		for (size_t i = 0; r->re && i < t->n_buckets; i++) {
			if (bucket_hits(g, r, &t->buckets[i]) != r->wanted)
				shown[i] = 0;
		}
		if (!wait || r != wait)
			continue;
		for (size_t i = 0; i < t->n_goroutines; i++) {
			const struct tb_goroutine *o = tb_at(t, i);
			if (((int64_t)o->minutes >= r->minutes) != r->wanted && shown[o->bucket] > 0)
				shown[o->bucket]--;
		}
	}
}

/* ---- groups ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 31);
}

/* A recursion is one frame, however deep. */
static uint64_t places_key(const struct tb_bucket *b, const uint64_t *names)
{
	uint64_t h = 0;

	for (uint32_t i = 0; i < b->n_places; i++) {
		uint64_t v = names ? names[b->places[i]] : b->places[i] + 1;
		bool again = i && v == (names ? names[b->places[i - 1]] : b->places[i - 1] + 1);
		if (v && !again)
			h = mix(h, v);
	}
	h = mix(h, b->creator == TB_NONE ? 0 : names ? names[b->creator] : b->creator + 1);
	return mix(h, (uint64_t)b->wait);
}

static bool is_system(const struct goroutines *g, const struct tb_bucket *b)
{
	bool runtime = b->n_places > 0;

	if (b->wait == TB_SYSTEM)
		return true;
	for (uint32_t i = 0; i < b->n_places; i++) {
		enum tb_role r = place_func(g->t, b->places[i])->role;
		if (r == TB_IS_SIGNAL || r == TB_IS_DUMP || (r == TB_IS_TEST_RUN && b->wait == TB_RECEIVE))
			return true;
		runtime &= r == TB_IS_RUNTIME;
	}
	return runtime;
}

static uint32_t own_place(const struct goroutines *g, const struct tb_bucket *b, bool *own)
{
	*own = false;
	for (uint32_t i = 0; i < b->n_places; i++) {
		if (g->own_place[b->places[i]]) {
			*own = true;
			return b->places[i];
		}
	}
	if (b->creator != TB_NONE && g->own_place[b->creator])
		*own = true; /* what it runs is foreign, who started it is not */
	return b->n_places ? b->places[0] : b->creator;
}

struct keyed {
	uint64_t key;
	uint32_t bucket;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->bucket < y->bucket ? -1 : x->bucket > y->bucket;
}

static int by_count(const void *a, const void *b)
{
	const struct gogroup *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	if (x->all != y->all)
		return x->all > y->all ? -1 : 1;
	return x->bucket < y->bucket ? -1 : x->bucket > y->bucket;
}

static void group_take(struct goroutines *g, struct gogroup *o, const struct tb_bucket *b, int64_t shown)
{
	o->count += shown;
	o->all += b->count;
	if (b->minutes > o->minutes) {
		o->minutes = b->minutes;
		o->id = b->oldest;
	}
	g->waits[b->wait] += b->count;
	g->shown += shown;
	if (o->own && !o->system)
		g->own += b->count;
}

static bool make_groups(struct goroutines *g, const int64_t *shown, const uint64_t *names)
{
	const struct traceback *t = g->t;
	struct keyed *keys = mem_alloc(t->n_buckets * sizeof(*keys));

	g->groups = mem_zalloc(t->n_buckets * sizeof(*g->groups));
	g->group_of = mem_zalloc(t->n_buckets * sizeof(*g->group_of));
	if (!keys || !g->groups || !g->group_of) {
		mem_free(keys);
		return false;
	}
	for (uint32_t i = 0; i < t->n_buckets; i++)
		keys[i] = (struct keyed){ places_key(&t->buckets[i], NULL), i };
	qsort(keys, t->n_buckets, sizeof(*keys), by_key);
	for (size_t i = 0; i < t->n_buckets; i++) {
		const struct tb_bucket *b = &t->buckets[keys[i].bucket];
		if (!i || keys[i].key != keys[i - 1].key) {
			struct gogroup *o = &g->groups[g->n_groups++];
			*o = (struct gogroup){ .bucket = b, .id = b->id, .key = places_key(b, names), .system = is_system(g, b) };
			o->place = own_place(g, b, &o->own);
		}
		group_take(g, &g->groups[g->n_groups - 1], b, shown[keys[i].bucket]);
	}
	qsort(g->groups, g->n_groups, sizeof(*g->groups), by_count);
	/* Which group is a bucket in? Of the first bucket of each that is known; the others follow it in keys. */
	for (uint32_t i = 0; i < g->n_groups; i++)
		g->group_of[g->groups[i].bucket - t->buckets] = i;
	for (size_t i = 1; i < t->n_buckets; i++) {
		if (keys[i].key == keys[i - 1].key)
			g->group_of[keys[i].bucket] = g->group_of[keys[i - 1].bucket];
	}
	mem_free(keys);
	return true;
}

/* Names that outlive edits and releases, hashed. */
static uint64_t *hash_names(struct goroutines *g)
{
	const struct traceback *t = g->t;
	uint64_t *names = mem_zalloc((t->n_places + 1) * sizeof(*names));
	CLEANUP(buf_free) struct buf name = { 0 };

	g->own_place = mem_zalloc(t->n_places + 1);
	if (!names || !g->own_place) {
		mem_free(names);
		return NULL;
	}
	for (size_t i = 0; i < t->n_places; i++) {
		int line;
		const struct tb_func *f = &t->funcs[t->places[i].func];
		struct frame frame = { .func = f->name, .file = goframe_file(t->places[i].at, &line) };
		g->own_place[i] = f->role != TB_IS_PANIC && f->role != TB_IS_CGO && frame_is_own(f->name, frame.file);
		buf_clear(&name);
		frame_name(&frame, &name);
		names[i] = name.len ? span_hash(buf_view(&name)) | 1 : 0;
	}
	return names;
}

void goroutines_analyse(struct goroutines *g)
{
	const struct traceback *t = g->t;
	uint64_t *names = hash_names(g);
	int64_t *shown = mem_zalloc((t->n_buckets + 1) * sizeof(*shown));
	bool done = false;

	g->count = t->count;
	if (names && shown) {
		filter_buckets(g, g->rules, shown);
		done = !t->n_buckets || make_groups(g, shown, names);
	}
	mem_free(names);
	mem_free(shown);
	if (done)
		gowait_judge(g);
	g->no_memory |= !done || t->no_memory;
}

void goroutines_forget(struct goroutines *g)
{
	mem_free(g->groups);
	mem_free(g->group_of);
	mem_free(g->own_place);
	mem_free(g->knots);
	arena_free(&g->mem);
}

/* ---- the face ---- */

static void dump_ended(void *ctx, bool last)
{
	goseries_add(ctx, last);
}

int goroutines_new(struct goroutines **ret, struct err *e)
{
	struct goroutines *g = mem_zalloc(sizeof(*g));

	if (g && (traceback_new(&g->t) < 0 || !(g->rules = mem_zalloc(2 * sizeof(*g->rules))))) {
		traceback_free(g->t);
		mem_free(g);
		g = NULL;
	}
	if (!g)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	g->rules[0].wanted = true;
	g->t->ended = dump_ended;
	g->t->ended_ctx = g;
	*ret = g;
	return 0;
}

void goroutines_feed(struct goroutines *g, struct span bytes)
{
	traceback_feed(g->t, bytes);
}

int goroutines_filter(struct goroutines *g, const struct gofilter *f, struct err *e)
{
	int r = 0;

	if (f->focus)
		r = rule_make(f->focus, &g->rules[0], e);
	if (r == 0 && f->ignore)
		r = rule_make(f->ignore, &g->rules[1], e);
	g->filtered = f->focus || f->ignore;
	return r;
}

void goroutines_end(struct goroutines *g)
{
	traceback_end(g->t);
	goroutines_analyse(g);
	goseries_end(g);
}

void goroutines_free(struct goroutines *g)
{
	if (!g)
		return;
	traceback_free(g->t);
	rule_free(&g->rules[0]);
	rule_free(&g->rules[1]);
	mem_free(g->rules);
	goroutines_forget(g);
	goseries_free(g->series);
	mem_free(g);
}

/* ---- findings ---- */

static const struct {
	const char *word;
	struct tx title;
} wrongs[GO_WRONGS] = {
	[GO_WRONG_NOT] = { "none", { "nothing wrong", "无异常" } },
	[GO_CROSSWISE] = { "crosswise", { "deadlock: locks in a circle", "死锁：锁循环等待" } },
	[GO_SELF_LOCK] = { "self_lock", { "deadlock: locked twice", "死锁：重复加锁" } },
	[GO_RING] = { "ring", { "deadlock: channels in a circle", "死锁：channel 循环等待" } },
	[GO_NIL_CHAN] = { "nil_chan", { "nil channel", "nil 通道" } },
	[GO_NO_CASES] = { "no_cases", { "select without cases", "没有分支的 select" } },
	[GO_NO_DONE] = { "no_done", { "WaitGroup never done", "WaitGroup 缺少 Done" } },
	[GO_ALL_BLOCKED] = { "all_blocked", { "everything is blocked", "全部阻塞" } },
	[GO_MARKED] = { "leaked", { "marked as leaked", "被标记为泄漏" } },
	[GO_ABANDONED] = { "abandoned", { "nobody receives", "无人接收" } },
	[GO_NO_UNLOCK] = { "no_unlock", { "lock never released", "锁未释放" } },
	[GO_CONVOY] = { "convoy", { "queue behind a lock", "锁排队" } },
	[GO_CROWD] = { "crowd", { "suspiciously many", "数量可疑" } },
	[GO_STARVED] = { "starved", { "they do not get to run", "得不到运行机会" } },
	[GO_SYSCALLS] = { "syscalls", { "stuck in system calls", "卡在系统调用中" } },
};

const char *gowrong_word(enum gowrong w)
{
	return wrongs[w].word;
}

const char *gowrong_title(enum gowrong w)
{
	return tx(wrongs[w].title);
}

static void put_frame(const struct traceback *t, uint32_t place, bool creator, struct buf *b)
{
	const struct tb_place *p = &t->places[place];
	struct span at = redact_head(p->at, 300), name = redact_head(t->funcs[p->func].name, 300);

	buf_addf(b, "%s%.*s%s\n", creator ? "created by " : "", SPAN_ARG(name), creator ? "" : "(…)");
	if (at.n)
		buf_addf(b, "\t%.*s\n", SPAN_ARG(at));
}

/* A goroutine as the runtime prints it, short: a recursion once, at most EXCERPT_FRAMES frames. */
static void put_stack(const struct goroutines *g, const struct tb_bucket *o, int64_t id, int minutes, struct buf *b)
{
	uint32_t shown = 0, last = TB_NONE, i;

	buf_addf(b, "goroutine %lld [%.*s", (long long)id, SPAN_ARG(redact_head(o->status, 60)));
	if (minutes)
		buf_addf(b, ", %d minutes", minutes);
	buf_adds(b, "]:\n");
	for (i = 0; i < o->n_places && shown < EXCERPT_FRAMES; i++) {
		if (o->places[i] == last)
			continue;
		put_frame(g->t, last = o->places[i], false, b);
		shown++;
	}
	if (i < o->n_places || o->elided)
		buf_addf(b, TR("… %lld frames\n", "… %lld 个栈帧\n"), (long long)(o->n_places - i) + (long long)o->elided);
	if (o->creator != TB_NONE)
		put_frame(g->t, o->creator, true, b);
}

void knot_excerpt(const struct goroutines *g, const struct goknot *k, struct buf *b)
{
	for (size_t i = 0; i < k->n_members; i++) {
		size_t before = b->len;
		uint32_t n = k->members[i].goroutine;
		const struct tb_goroutine *o = n == TB_NONE ? NULL : tb_at(g->t, n);
		const struct gogroup *group = &g->groups[k->members[i].group];
		if (i)
			buf_addc(b, '\n');
		put_stack(g, o ? &g->t->buckets[o->bucket] : group->bucket, o ? o->id : group->id, o ? (int)o->minutes : group->minutes, b);
		if (b->len > EXCERPT_BYTES && i) {
			b->len = before;
			buf_addf(b, TR("… %lld more goroutines\n", "… 还有 %lld 个 goroutine\n"), (long long)(k->n_members - i) + k->more);
			break;
		}
	}
}

static struct span relative(const struct goroutines *g, struct span file)
{
	struct span cwd = span_of(g->cwd), rest = file;

	if (cwd.n > 1 && span_skip(&rest, cwd) && span_skip(&rest, S("/")) && rest.n)
		return rest;
	return file;
}

static void set_place(const struct goroutines *g, struct report *r, uint32_t place, struct span *file, int *line)
{
	struct span f = place == TB_NONE ? (struct span){ 0 } : goframe_file(g->t->places[place].at, line);

	if (f.n)
		*file = report_text(r, "%.*s", SPAN_ARG(relative(g, f)));
}

static void set_places(const struct goroutines *g, const struct goknot *k, struct report *r, struct finding *f)
{
	struct place *places = arena_alloc(&r->mem, k->n_members * sizeof(*places));

	for (size_t i = 0; places && i < k->n_members; i++)
		set_place(g, r, g->groups[k->members[i].group].place, &places[i].file, &places[i].line);
	f->places = places;
	f->n_places = places ? k->n_members : 0;
}

bool knot_is_suspicion(enum gowrong w)
{
	return w >= GO_CONVOY;
}

static void knot_findings(const struct goroutines *g, struct report *r, bool all)
{
	for (size_t i = 0; i < g->n_knots; i++) {
		const struct goknot *k = &g->knots[i];
		CLEANUP(buf_free) struct buf text = { .max = 64 << 10 };
		if (!all && (knot_is_suspicion(k->wrong) || !k->certain))
			continue;
		struct finding *f = report_say(r, k->cause, "%s", k->text);
		if (!f)
			return;
		f->severity = k->certain ? cause_table[k->cause].severity : SEV_WARNING;
		f->order = (int64_t)i;
		set_place(g, r, k->place, &f->file, &f->line);
		if (k->n_members > 1)
			set_places(g, k, r, f);
		knot_excerpt(g, k, &text);
		f->excerpt = report_text(r, "%s", buf_str(&text));
	}
}

/* What stands at from and behind it: the errors first, and files as they are called here. */
static void order_findings(const struct goroutines *g, struct report *r, size_t from)
{
	for (size_t i = from; i < r->n_findings; i++) {
		struct finding f = r->findings[i];
		size_t to = i;
		if (f.file.n)
			f.file = relative(g, f.file);
		for (; to > from && r->findings[to - 1].severity < f.severity; to--)
			r->findings[to] = r->findings[to - 1];
		r->findings[to] = f;
	}
}

void goroutines_findings(const struct goroutines *g, struct report *r, bool all)
{
	size_t from = r->n_findings;

	knot_findings(g, r, all);
	goseries_findings(g, r, all);
	order_findings(g, r, from);
}

static void limit(struct report *r, struct span text)
{
	if (text.p)
		list_add(&r->mem, &r->limits, text.p);
}

void goroutines_summary(const struct goroutines *g, struct buf *ret)
{
	size_t certain = 0;

	buf_addf(ret, TR("%lld goroutines in %zu groups", "%lld 个 goroutine，%zu 组"), (long long)g->count, g->n_groups);
	if (g->filtered)
		buf_addf(ret, TR(", %lld looked at", "，查看其中 %lld 个"), (long long)g->shown);
	while (certain < g->n_knots && g->knots[certain].certain)
		certain++;
	if (certain)
		buf_addf(ret, TR("; %s", "；%s"), gowrong_title(g->knots[0].wrong));
	else if (g->n_knots)
		buf_addf(ret, TR("; perhaps: %s", "；可能：%s"), gowrong_title(g->knots[0].wrong));
	if (g->n_knots > 1)
		buf_addf(ret, TR(" and %zu more", "，另有 %zu 项"), g->n_knots - 1);
}

void goroutines_limits(const struct goroutines *g, struct report *r)
{
	const struct traceback *t = g->t;

	if (t->cut_in_frame && t->bytes > TB_CUT - (1 << 16) && t->bytes <= TB_CUT + (1 << 16))
		limit(r, report_text(r, TR("the dump is %lld bytes long and ends within a goroutine: net/http/pprof cuts debug=2 dumps at 64 MiB; "
					   "debug=1 counts all goroutines", "该转储长 %lld 字节并在某个 goroutine 中间结束：net/http/pprof 会在 64 MiB 处截断 "
					   "debug=2 转储；debug=1 会统计全部 goroutine"), (long long)t->bytes));
	else if (t->cut_in_frame)
		limit(r, report_text(r, TR("the dump ends within a goroutine, at byte %lld", "转储在某个 goroutine 中间结束，位于第 %lld 字节"), (long long)t->last));
	if (g->series)
		goseries_limits(g, r);
	else if (t->dumps > 1)
		limit(r, report_text(r, TR("it holds %lld stacks or dumps: the one with the most goroutines is shown (bytes %lld to %lld)",
					   "其中有 %lld 个调用栈或转储：显示 goroutine 最多的一个（第 %lld 至 %lld 字节）"), (long long)t->dumps,
				     (long long)t->first, (long long)t->last));
	if (t->lost)
		limit(r, report_text(r, TR("%lld goroutines differ from all before them and are counted with the last group: at most %d stacks are kept apart",
					   "%lld 个 goroutine 与此前的都不同，计入最后一组：最多区分 %d 种调用栈"), (long long)t->lost, TB_BUCKETS));
	if (t->count > (int64_t)t->n_goroutines)
		limit(r, report_text(r, TR("who waits for whom was looked for among the first %zu goroutines", "只在前 %zu 个 goroutine 中查找互相等待的关系"),
				     t->n_goroutines));
	else if (t->n_pointers >= TB_POINTERS)
		limit(r, report_text(r, TR("holders of locks were looked for among the first %d arguments", "只在前 %d 个参数中查找锁的持有者"), (int)TB_POINTERS));
	if (t->long_lines)
		limit(r, report_text(r, TR("%lld lines longer than 64 KiB were cut", "有 %lld 行超过 64 KiB，已截断"), (long long)t->long_lines));
	if (t->odd_headers)
		limit(r, report_text(r, TR("%lld lines begin as goroutines and are none, the first at byte %lld", "有 %lld 行形似 goroutine 开头但不是，首个位于第 %lld 字节"),
				     (long long)t->odd_headers, (long long)t->at_odd));
	if (g->no_memory)
		limit(r, report_text(r, "%s", TR("memory was out: not everything was looked at", "内存不足：未能全部分析")));
}
