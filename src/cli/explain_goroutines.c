/* Goroutine dumps, for `tocsin explain`. */
#include <errno.h>

#include "base/mem.h"
#include "cli/explain.h"
#include "cli/input.h"
#include "cli/show_goroutines.h"
#include "parse/logline.h"

enum { DUMPS_MAX = 1000 };

struct state {
	const struct explain_values *o;
	struct goroutines *last;
	struct godump *dumps, base;
	size_t n, cap;
	struct arena mem;         /* of changes */
	struct gochange *changes; /* of --diff, then of all dumps */
	int64_t n_changes;
	struct godump pair[2];    /* --diff: the base and the last; their memory is base's and dumps' */
};

/* Its bytes, out of what a log collector put around the lines. */
static int feed_all(struct goroutines *g, struct input *in, struct err *e)
{
	struct unwrap u;
	struct span s;
	int r;

	unwrap_begin(&u, logline_form(input_head(in)));
	while ((r = input_read(in, &s, e)) >= 0 && s.n) {
		if (u.form == LOG_PLAIN) {
			goroutines_feed(g, s);
			continue;
		}
		unwrap_feed(&u, s);
		goroutines_feed(g, buf_view(&u.out));
		buf_clear(&u.out);
	}
	unwrap_end(&u);
	goroutines_feed(g, buf_view(&u.out));
	unwrap_free(&u);
	return r;
}

/* What could be read is analysed, whatever came then. */
static int load(const struct explain_values *o, struct input *in, struct goroutines **ret, struct err *e)
{
	struct gofilter f = { o->focus, o->ignore };
	struct goroutines *g;
	int r = goroutines_new(&g, e);

	if (r < 0)
		return r;
	*ret = g;
	r = goroutines_filter(g, &f, e);
	if (r < 0)
		return r;
	r = feed_all(g, in, e);
	goroutines_end(g);
	return r;
}

static int load_base(struct state *k, struct err *e)
{
	struct goroutines *g = NULL;
	struct input *in;
	int r = input_open(k->o->diff, &in, e);

	if (r < 0)
		return r;
	if (!traceback_looks_like(input_head(in)))
		r = err_set(e, EINVAL, TR("--diff '%s': that is no goroutine dump", "--diff “%s”：不是 goroutine 转储"), k->o->diff);
	else
		r = load(k->o, in, &g, e);
	input_close(in);
	if (g && godump_make(g, k->o->diff, explain_file_time(k->o->diff), &k->base) < 0)
		r = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	goroutines_free(g);
	return r;
}

static void close_goroutines(void *state)
{
	struct state *k = state;

	if (!k)
		return;
	goroutines_free(k->last);
	for (size_t i = 0; i < k->n; i++)
		godump_free(&k->dumps[i]);
	mem_free(k->dumps);
	godump_free(&k->base);
	arena_free(&k->mem);
	mem_free(k);
}

static void *open_goroutines(const struct explain_values *o, struct err *e)
{
	struct state *k = mem_zalloc(sizeof(*k));

	if (!k) {
		err_set(e, ENOMEM, TR("no memory", "内存不足"));
		return NULL;
	}
	k->o = o;
	if (o->diff && load_base(k, e) < 0) {
		close_goroutines(k);
		return NULL;
	}
	return k;
}

static void compare(struct state *k, const struct godump *d, size_t n)
{
	arena_free(&k->mem);
	k->mem = (struct arena){ 0 };
	k->n_changes = godumps_compare(d, n, &k->mem, &k->changes);
}

static int keep(struct state *k, const char *name, struct err *e)
{
	if (k->n == DUMPS_MAX)
		return 0;
	if (!mem_grow(&k->dumps, &k->cap, k->n, sizeof(*k->dumps)) ||
	    godump_make(k->last, name, explain_file_time(name), &k->dumps[k->n]) < 0)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	k->n++;
	if (k->o->diff) {
		k->pair[0] = k->base;
		k->pair[1] = k->dumps[k->n - 1];
		compare(k, k->pair, 2);
	}
	return 0;
}

static int read_goroutines(void *state, struct input *in, struct report *r, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct state *k = state;

	goroutines_free(k->last);
	k->last = NULL;
	int n = load(k->o, in, &k->last, e);
	if (!k->last)
		return n;
	r->evidence = TR("goroutine dump", "goroutine 转储");
	if (n == -EINVAL)
		return n;
	k->last->cwd = k->o->cwd;
	goroutines_summary(k->last, &text);
	r->summary = report_text(r, "%s", buf_str(&text)).p;
	goroutines_findings(k->last, r, true);
	goroutines_limits(k->last, r);
	int kept = keep(k, input_name(in), e);
	return n < 0 ? n : kept;
}

static bool sum_goroutines(void *state, struct report *r)
{
	struct state *k = state;

	if (k->n < 2 || k->o->diff)
		return false;
	compare(k, k->dumps, k->n);
	if (k->n_changes < 0)
		return false;
	r->evidence = TR("goroutine dumps", "goroutine 转储");
	r->summary = report_text(r, TR("%zu dumps, from %lld to %lld goroutines", "%zu 个转储，goroutine 从 %lld 变为 %lld"), k->n,
				 (long long)k->dumps[0].count, (long long)k->dumps[k->n - 1].count).p;
	if (k->n < 3)
		list_add(&r->mem, &r->limits, report_text(r, "%s", TR("two dumps show what changed; a leak takes three", "两个转储只能看出变化；判断泄漏需要三个")).p);
	godumps_findings(k->n, k->changes, (size_t)k->n_changes, r);
	return true;
}

static void print_goroutines(void *state, bool all, const struct term *t, struct buf *b)
{
	struct state *k = state;

	if (all) {
		show_godumps(k->dumps, k->n, k->changes, (size_t)k->n_changes, k->o->top, t, b);
		return;
	}
	if (k->last)
		show_goroutines(k->last, k->o->top, t, b);
	if (k->o->diff && k->last && k->n_changes >= 0)
		show_godumps(k->pair, 2, k->changes, (size_t)k->n_changes, k->o->top, t, b);
}

static void json_goroutines(void *state, bool all, struct json_out *j)
{
	struct state *k = state;

	if (all) {
		show_godumps_json(k->dumps, k->n, k->changes, (size_t)k->n_changes, k->o->top, j);
		return;
	}
	if (!k->last || !k->o->diff || k->n_changes < 0) {
		if (k->last)
			show_goroutines_json(k->last, k->o->top, j);
		else
			json_null(j);
		return;
	}
	json_open(j, '{');
	json_key(j, "dump");
	show_goroutines_json(k->last, k->o->top, j);
	json_key(j, "diff");
	show_godumps_json(k->pair, 2, k->changes, (size_t)k->n_changes, k->o->top, j);
	json_close(j, '}');
}

static int write_goroutines(void *state, struct err *e) /* no flag asks for a file of them */
{
	(void)state, (void)e;
	return 0;
}

static void facts_goroutines(void *state, struct relate *rel)
{
	const struct state *k = state;

	if (k->last)
		relate_dump(rel, k->last);
}

const struct kind kind_goroutines = {
	.member = "goroutines",
	.looks = traceback_looks_like,
	.open = open_goroutines,
	.read = read_goroutines,
	.print = print_goroutines,
	.json = json_goroutines,
	.sum = sum_goroutines,
	.write = write_goroutines,
	.close = close_goroutines,
	.facts = facts_goroutines,
};
