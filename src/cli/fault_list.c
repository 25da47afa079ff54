#include <stdio.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/fault.h"

/* The table of `list` and `search`. */

enum column { COL_ID, COL_STATE, COL_SEEN, COL_LAST, COL_TREND, COL_CAUSE, COL_TITLE, COL_OWNER, COLUMNS };

/* clang-format off */
static const struct column_info {
	struct tx head;
	size_t max; /* cells; longer texts are cut */
	bool right;
	size_t narrow; /* dropped below this width of the terminal */
} columns[COLUMNS] = {
	[COL_ID] = { { "id", "编号" }, 12, false, 0 },
	[COL_STATE] = { { "state", "状态" }, 10, false, 0 },
	[COL_SEEN] = { { "seen", "次数" }, 8, true, 0 },
	[COL_LAST] = { { "last", "最近" }, 6, true, 0 },
	[COL_TREND] = { { "trend", "趋势" }, FAULT_DAYS, false, 0 },
	[COL_CAUSE] = { { "cause", "原因" }, 20, false, 60 },
	[COL_TITLE] = { { "title", "标题" }, 0, false, 0 },
	[COL_OWNER] = { { "owner", "负责人" }, 18, false, 100 },
};
/* clang-format on */

#define NARROW 100 /* below it the trend is that of a week */

struct table {
	struct buf *b;
	const struct term *t;
	const struct fault_list *l;
	int64_t now;
	size_t width, days;
	size_t widths[COLUMNS];
};

static void cell_text(const struct table *k, enum column c, size_t row, struct buf *ret)
{
	const struct fault *f = &k->l->v[row];
	char age[16];

	switch (c) {
	case COL_ID: buf_addf(ret, "T-%lld", (long long)f->seq); break;
	case COL_STATE: buf_adds(ret, fault_state_title(f->state)); break;
	case COL_SEEN: buf_addf(ret, "%lld", (long long)f->count); break;
	case COL_LAST:
		when_age(k->now - f->last_seen, age);
		buf_adds(ret, age);
		break;
	case COL_TREND:
		if (k->l->days)
			fault_spark(ret, k->l->days[row] + FAULT_DAYS - k->days, k->days);
		break;
	case COL_CAUSE: say_clean(ret, f->cause); break;
	case COL_TITLE:
		if (f->test.n && span_find(f->title, f->test) == SPAN_NONE) {
			say_clean(ret, f->test);
			buf_adds(ret, TR(": ", "："));
		}
		say_clean(ret, f->title);
		break;
	case COL_OWNER: say_clean(ret, f->owner); break;
	case COLUMNS: break;
	}
}

static size_t widest_cell(const struct table *k, enum column c)
{
	size_t widest = 0;

	for (size_t i = 0; i < k->l->n; i++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		cell_text(k, c, i, &text);
		size_t w = text_width(buf_view(&text));
		widest = w > widest ? w : widest;
	}
	return widest;
}

/* What each column needs; the title gets at most what is left. A column that is empty everywhere is not shown. */
static void measure(struct table *k)
{
	size_t used = 0, title = widest_cell(k, COL_TITLE);

	for (enum column c = 0; c < COLUMNS; c++) {
		size_t widest = c == COL_TITLE || k->width < columns[c].narrow ? 0 : widest_cell(k, c);
		if (!widest)
			continue;
		size_t head = text_width(span_of(tx(columns[c].head)));
		widest = widest > columns[c].max ? columns[c].max : widest;
		k->widths[c] = widest > head ? widest : head;
		used += k->widths[c] + 2;
	}
	k->widths[COL_TITLE] = k->width > used + 20 ? k->width - used : 20;
	if (title < k->widths[COL_TITLE])
		k->widths[COL_TITLE] = title < 5 ? 5 : title;
}

/* Cut with an ellipsis when it is too long, and padded but for the last column. */
static void put_cell(struct table *k, enum column c, struct span text, enum paint p, bool last)
{
	CLEANUP(buf_free) struct buf cut = { 0 };
	size_t w = text_width(text), width = k->widths[c];

	if (w > width) {
		buf_span(&cut, text_fit(text, width - 1));
		buf_adds(&cut, "…");
		w = text_width(buf_view(&cut));
	} else {
		buf_span(&cut, text);
	}
	if (columns[c].right)
		say_pad(k->b, width - w);
	if (cut.len)
		say_paint(k->b, k->t, p, buf_str(&cut));
	if (!last) {
		say_pad(k->b, 2 + (columns[c].right ? 0 : width - w));
		return;
	}
	while (k->b->len && k->b->p[k->b->len - 1] == ' ')
		k->b->len--;
	buf_addc(k->b, '\n');
}

static enum paint cell_paint(enum column c, const struct fault *f)
{
	static const enum paint fixed[COLUMNS] = { [COL_ID] = PAINT_BOLD, [COL_TREND] = PAINT_CYAN, [COL_OWNER] = PAINT_DIM };

	return c == COL_STATE ? fault_paint(f->state) : fixed[c];
}

static enum column last_column(const struct table *k)
{
	return k->widths[COL_OWNER] ? COL_OWNER : COL_TITLE;
}

void fault_table(struct buf *b, const struct term *t, const struct fault_list *l, int64_t now)
{
	/* In a file long lines stay whole: they are searched for. */
	size_t width = !t->tty ? 400 : t->width < 60 ? 60 : t->width;
	struct table k = { .b = b, .t = t, .l = l, .now = now, .width = width, .days = width < NARROW ? 7 : FAULT_DAYS };

	measure(&k);
	for (enum column c = 0; c < COLUMNS; c++) {
		if (k.widths[c])
			put_cell(&k, c, span_of(tx(columns[c].head)), PAINT_DIM, c == last_column(&k));
	}
	for (size_t i = 0; i < l->n; i++) {
		for (enum column c = 0; c < COLUMNS; c++) {
			CLEANUP(buf_free) struct buf text = { 0 };
			if (!k.widths[c])
				continue;
			cell_text(&k, c, i, &text);
			put_cell(&k, c, buf_view(&text), cell_paint(c, &l->v[i]), c == last_column(&k));
		}
	}
}

/* ---- the verbs ---- */

struct list_values {
	struct fault_pick pick; /* first: see FAULT_PICK_OPTS */
	const char *store;
	bool json;
};

static int faults_of(struct fault_task *t, const struct fault_filter *q, struct fault_list *l, int64_t *total, struct err *e)
{
	int r = store_faults(t->s, q, fault_keep, l, e);

	*total = (int64_t)l->n;
	if (r >= 0 && q->limit && l->n == (size_t)q->limit)
		r = store_faults_count(t->s, q, total, e);
	return r < 0 ? r : fault_days(t, l, e);
}

static void say_none(struct fault_task *t, const struct list_values *o, const struct fault_filter *q)
{
	bool all = !o->pick.state && !q->cause && !q->owner && !q->package && !q->project && !q->tag && !q->test && !q->text &&
		   !q->seen_since && !q->first_since && !q->no_defence;

	if (all)
		buf_addf(&t->text, TR("No fault yet in %s. `tocsin run -- go test ./...` keeps what it finds.\n",
				      "%s 中还没有故障。`tocsin run -- go test ./...` 会记录所发现的问题。\n"), store_name(t->s));
	else
		buf_addf(&t->text, TR("No such fault in %s.\n", "%s 中没有符合条件的故障。\n"), store_name(t->s));
}

static void say_total(struct fault_task *t, size_t shown, int64_t total)
{
	CLEANUP(buf_free) struct buf line = { 0 };

	if (total > (int64_t)shown)
		buf_addf(&line, TR("%zu of %lld faults; all: --limit 0", "显示 %zu 个，共 %lld 个故障；全部显示：--limit 0"), shown, (long long)total);
	else
		buf_addf(&line, TR("%lld fault%s", "%lld 个故障%s"), (long long)total, TR(total == 1 ? "" : "s", ""));
	say_paint(&t->text, &t->out, PAINT_DIM, buf_str(&line));
	buf_addc(&t->text, '\n');
}

static int list(const struct list_values *o, const char *text)
{
	struct fault_task t;
	struct fault_filter q;
	int64_t total = 0;
	struct err e = { 0 };

	int r = fault_pick_read(&o->pick, time_wall(), &q, &e);
	if (r < 0)
		return say_usage(text ? "fault search" : "fault list", e.msg);
	q.text = text;
	int status = fault_begin(&t, o->store);
	if (status)
		return status;
	CLEANUP(fault_list_free) struct fault_list l = { .mem = &t.mem };
	r = faults_of(&t, &q, &l, &total, &e);
	if (r >= 0 && o->json) {
		fault_faults_json(&t.text, &l, total);
	} else if (r >= 0 && !l.n) {
		say_none(&t, o, &q);
	} else if (r >= 0) {
		fault_table(&t.text, &t.out, &l, t.now);
		if (t.out.tty)
			say_total(&t, l.n, total);
	}
	return fault_end(&t, r, &e);
}

static int run_list(void *values, const struct args *a)
{
	if (a->n)
		return say_usage("fault list", TR("list takes flags only; to look for a text: tocsin fault search TEXT",
						  "list 只接受选项；要按文字查找：tocsin fault search 文字"));
	return list(values, NULL);
}

static int run_search(void *values, const struct args *a)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	for (size_t i = 0; i < a->n; i++)
		buf_addf(&text, "%s%s", i ? " " : "", a->v[i]);
	if (!span_trim(buf_view(&text)).n)
		return say_usage("fault search", TR("what to look for? For example: tocsin fault search 'connection refused'",
						    "要查找什么？例如：tocsin fault search 'connection refused'"));
	return list(values, buf_str(&text));
}

/* clang-format off */
static const struct opt list_opts[] = {
	FAULT_PICK_OPTS,
	FAULT_LIMIT_OPT(50),
	{ "json", 0, OPT_FLAG, offsetof(struct list_values, json), { NULL, NULL }, { "as JSON (tocsin.faults/1)", "输出 JSON（tocsin.faults/1）" }, NULL, 0 },
	OPT_STORE(struct list_values),
};
/* clang-format on */

const struct verb verb_fault_list = {
	.name = "fault list",
	.brief = { "list faults: state, how often and when seen, the trend of two weeks", "列出故障：状态、次数、最近出现时间和两周趋势" },
	.text = { "  tocsin fault list --state open,regressed --owner @team\n"
		  "  tocsin fault list --new 7d --no-defence --json",
		  "  tocsin fault list --state open,regressed --owner @team\n"
		  "  tocsin fault list --new 7d --no-defence --json" },
	.opts = list_opts,
	.n_opts = ARRAY_LEN(list_opts),
	.size = sizeof(struct list_values),
	.run = run_list,
};

const struct verb verb_fault_search = {
	.name = "fault search",
	.args = { "TEXT", "文字" },
	.brief = { "find faults by any part of title, message, excerpt and notes", "按标题、消息、摘录和备注中的任意文字查找故障" },
	.opts = list_opts,
	.n_opts = ARRAY_LEN(list_opts),
	.size = sizeof(struct list_values),
	.run = run_search,
};
