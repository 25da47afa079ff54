/* Execution traces, for `tocsin explain`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/explain.h"
#include "cli/input.h"
#include "cli/show_trace.h"
#include "cli/timeline.h"

struct state {
	const struct explain_values *o;
	struct trace_config config;
	struct trace *base, *last;
	struct trace_changes changes;
	bool compared;
	char *name; /* of the last */
	struct arena mem;
	struct list names; /* of all that were read */
	size_t n;          /* of them with a timeline */
	struct buf first;  /* its picture, until it is known whether there are several */
	struct err wrong;  /* the first timeline that could not be written */
};

/* "1s..1.5s", "..20ms", "3s..": points since the begin of the trace. */
static int window_read(const char *text, struct trace_config *c, struct err *e)
{
	const char *dots = strstr(text, "..");
	char from[40] = "0";
	bool fine = dots != NULL && (size_t)(dots - text) < sizeof(from);

	if (fine && dots > text) {
		memcpy(from, text, (size_t)(dots - text));
		from[dots - text] = '\0';
	}
	fine = fine && duration_parse(from, &c->from) && (!dots[2] || duration_parse(dots + 2, &c->to));
	if (fine && (!dots[2] || c->to > c->from))
		return 0;
	return err_set(e, EINVAL, TR("--window: write FROM..TO, times since the trace's begin, as in 1.2s..1.5s; not '%s'",
				     "--window：请写作 起点..终点（从跟踪开始计），例如 1.2s..1.5s；“%s”无效"), text);
}

static bool looks(struct span head)
{
	return trace_looks_like(head);
}

static int load(const struct trace_config *c, struct input *in, struct trace **ret, struct err *e)
{
	struct err cut = { 0 };
	struct span s;
	int r = trace_new(c, ret, e), end;

	if (r < 0)
		return r;
	while ((r = input_read(in, &s, e)) == 0 && s.n)
		trace_feed(*ret, s);
	end = trace_end(*ret, &cut);
	if (r >= 0 && end < 0) {
		r = err_set(e, cut.code, "%s: %s", input_name(in), cut.msg);
	}
	return r;
}

static int load_base(struct state *k, struct err *e)
{
	struct input *in;
	int r = input_open(k->o->diff, &in, e);

	if (r < 0)
		return r;
	if (!looks(input_head(in)))
		r = err_set(e, EINVAL, TR("'%s' is no execution trace: --diff compares files of one kind", "“%s”不是执行跟踪：--diff 只能比较同类文件"),
			    k->o->diff);
	else
		r = load(&(struct trace_config){ 0 }, in, &k->base, e);
	input_close(in);
	return r == -EBADMSG ? 0 : r; /* what could be read of it is compared */
}

static void close_state(void *state)
{
	struct state *k = state;

	mem_free(k->changes.v);
	trace_free(k->base);
	trace_free(k->last);
	mem_free(k->name);
	arena_free(&k->mem);
	buf_free(&k->first);
	mem_free(k);
}

static void *open_state(const struct explain_values *o, struct err *e)
{
	struct state *k = mem_zalloc(sizeof(*k));

	if (!k) {
		err_set(e, ENOMEM, TR("no memory to read an execution trace", "内存不足，无法读取执行跟踪"));
		return NULL;
	}
	k->o = o;
	k->config.timeline = o->timeline || o->window;
	if ((o->window && window_read(o->window, &k->config, e) < 0) || (o->diff && load_base(k, e) < 0)) {
		close_state(k);
		return NULL;
	}
	return k;
}

/* which 0: there is one only. */
static void put_timeline(struct state *k, struct buf *picture, size_t which)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	struct err e = { 0 };
	char number[24];

	snprintf(number, sizeof(number), "%zu", which);
	if (which)
		explain_name(k->o->timeline, number, &name);
	else
		buf_adds(&name, k->o->timeline);
	if (picture->bad || name.bad)
		err_set(&e, ENOMEM, TR("no memory for '%s'", "内存不足，无法写出“%s”"), k->o->timeline);
	else if (!picture->len)
		err_set(&e, ENODATA, TR("'%s' is not written: the trace has nothing in that window", "未写出“%s”：该窗口内没有内容"), buf_str(&name));
	else
		file_replace(buf_str(&name), buf_view(picture), &e);
	if (e.code && !k->wrong.code)
		k->wrong = e;
}

/* One trace has the file that was asked for; several have one each, with their number in its name. */
static void draw(struct state *k)
{
	CLEANUP(buf_free) struct buf picture = { 0 };
	const char *slash = strrchr(k->name ? k->name : "", '/');

	timeline_svg(k->last, slash ? slash + 1 : k->name ? k->name : "", &picture);
	if (++k->n == 1) {
		k->first = picture;
		picture = (struct buf){ 0 };
		return;
	}
	if (k->n == 2) {
		put_timeline(k, &k->first, 1);
		buf_clear(&k->first);
	}
	put_timeline(k, &picture, k->n);
}

static int read_state(void *state, struct input *in, struct report *r, struct err *e)
{
	struct state *k = state;
	struct err wrong;
	int n;

	trace_free(k->last);
	k->last = NULL;
	mem_free(k->name);
	k->name = mem_dup(input_name(in), strlen(input_name(in)));
	mem_free(k->changes.v);
	k->changes = (struct trace_changes){ 0 };
	k->compared = false;
	r->evidence = TR("execution trace", "执行跟踪");
	n = load(&k->config, in, &k->last, e);
	if (!k->last)
		return n;
	trace_findings(k->last, r);
	if (k->o->timeline)
		draw(k);
	if (k->base) {
		k->compared = trace_compare(k->base, k->last, &k->changes, &wrong) == 0;
		if (!k->compared && n == 0)
			n = err_set(e, wrong.code, "%s", wrong.msg);
	}
	return n;
}

static void print_state(void *state, bool all, const struct term *t, struct buf *b)
{
	const struct state *k = state;

	if (all || !k->last)
		return;
	if (k->compared)
		show_trace_changes(&k->changes, k->o->top, t, b);
	show_trace(k->last, k->o->top, t, b);
	if (k->config.timeline)
		timeline_text(k->last, k->o->top, t, b);
}

static void json_state(void *state, bool all, struct json_out *j)
{
	const struct state *k = state;

	if (all || !k->last)
		json_null(j);
	else
		show_trace_json(k->last, k->compared ? &k->changes : NULL, j);
}

static bool sum_state(void *state, struct report *r)
{
	(void)state;
	(void)r;
	return false;
}

static int write_state(void *state, struct err *e)
{
	struct state *k = state;

	if (k->n == 1)
		put_timeline(k, &k->first, 0);
	if (k->n > 1)
		say_error(TR("%zu traces: their timelines are beside '%s', with their number in the name", "%zu 份跟踪：时间线写在“%s”旁，文件名带序号"), k->n, k->o->timeline);
	*e = k->wrong;
	return -k->wrong.code;
}

static void facts_state(void *state, struct relate *rel)
{
	struct state *k = state;

	if (!k->last || !k->name)
		return;
	relate_trace(rel, k->last);
	list_add(&k->mem, &k->names, arena_str(&k->mem, span_of(k->name)));
}

/* The last moments of who crashed: only now it is known who. */
static void ask_again(const char *name, struct relate *rel)
{
	uint64_t ids[RELATE_SUBJECTS];
	struct trace_config c = { .watch = ids, .n_watch = relate_ask(rel, name, ids) };
	struct trace *t = NULL;
	struct input *in;
	struct err e;

	if (!c.n_watch || input_open(name, &in, &e) < 0)
		return;
	if (looks(input_head(in)))
		load(&c, in, &t, &e); /* what is wrong with it was said */
	if (t)
		relate_answer(rel, name, t);
	trace_free(t);
	input_close(in);
}

static void again_state(void *state, struct relate *rel)
{
	const struct state *k = state;

	for (size_t i = 0; i < k->names.n; i++) {
		if (strcmp(k->names.v[i], "-") != 0)
			ask_again(k->names.v[i], rel);
	}
}

const struct kind kind_trace = {
	.member = "trace",
	.looks = looks,
	.open = open_state,
	.read = read_state,
	.print = print_state,
	.json = json_state,
	.sum = sum_state,
	.write = write_state,
	.close = close_state,
	.facts = facts_state,
	.again = again_state,
};
