#include "cli/show_goroutines.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

enum { TOP = 12, TOP_JSON = 1000, CHANGES = 12, WRONG_SHOWN = 8 };

/* "1,234,567" */
static void put_count(struct buf *b, int64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%lld", (long long)n), from = digits[0] == '-';

	for (int i = 0; i < len; i++) {
		if (i > from && (len - i) % 3 == 0)
			buf_addc(b, ',');
		buf_addc(b, digits[i]);
	}
}

static void put_right(struct buf *b, const char *text, size_t width)
{
	size_t n = text_width(span_of(text));

	say_pad(b, n < width ? width - n : 0);
	buf_adds(b, text);
}

/* "3 h 20 min", "12 min" */
static void put_minutes(struct buf *b, int minutes)
{
	if (minutes >= 60)
		buf_addf(b, TR("%d h %d min", "%d 小时 %d 分"), minutes / 60, minutes % 60);
	else if (minutes)
		buf_addf(b, TR("%d min", "%d 分"), minutes);
	else
		buf_adds(b, "-");
}

static struct span base_name(struct span at)
{
	size_t slash = span_rchr(at, '/'), back = span_rchr(at, '\\');

	if (slash != SPAN_NONE)
		return span_from(at, slash + 1);
	return back != SPAN_NONE ? span_from(at, back + 1) : at;
}

static void put_place(struct buf *b, const struct goroutines *g, uint32_t place)
{
	if (place == TB_NONE) {
		buf_adds(b, "-");
		return;
	}
	struct span at = base_name(g->t->places[place].at);
	say_clean(b, span_head(goroutines_func(g, place), 200));
	if (!at.n)
		return;
	buf_adds(b, "  ");
	say_clean(b, span_head(at, 100));
}

/* "  mutex 12, sleep 3", the most common first */
static void put_waits(const struct goroutines *g, struct buf *b)
{
	int order[TB_WAITS] = { 0 }, n = 0;
	for (int i = 0; i < TB_WAITS; i++) {
		int at = n;
		if (!g->waits[i])
			continue;
		for (; at && g->waits[order[at - 1]] < g->waits[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
		n++;
	}
	for (int i = 0; i < n; i++) {
		buf_addf(b, "%s%s ", i ? ", " : "  ", tb_wait_word((enum tb_wait)order[i]));
		put_count(b, g->waits[order[i]]);
	}
	buf_addc(b, '\n');
}

static void put_group(const struct goroutines *g, const struct gogroup *o, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf cell = { 0 };
	bool all = o->all == o->count;

	put_count(&cell, o->count);
	put_right(b, buf_str(&cell), 11);
	buf_clear(&cell);
	put_minutes(&cell, o->minutes);
	buf_adds(b, "  ");
	put_right(b, buf_str(&cell), 10);
	buf_clear(&cell);
	say_clean(&cell, span_head(o->bucket->status, 40));
	buf_adds(b, "  ");
	say_cell(b, buf_str(&cell), 22);
	buf_adds(b, " ");
	put_place(b, g, o->place);
	if (!all)
		buf_addf(b, TR(" (of %lld)", "（共 %lld）"), (long long)o->all);
	if (o->wrong) {
		buf_adds(b, "  ");
		say_paint(b, t, o->wrong < GO_ABANDONED ? PAINT_RED : PAINT_YELLOW, gowrong_title(o->wrong));
	}
	buf_addc(b, '\n');
}

static size_t shown_groups(const struct goroutines *g, int64_t top, size_t usual)
{
	size_t n = 0, max = top < 0 ? usual : top == 0 ? SIZE_MAX : (size_t)top;

	while (n < g->n_groups && n < max && g->groups[n].count)
		n++;
	return n;
}

static void put_head(struct buf *b, const struct term *t)
{
	put_right(b, TR("goroutines", "数量"), 11);
	buf_adds(b, "  ");
	put_right(b, TR("waiting", "等待"), 10);
	buf_adds(b, "  ");
	say_cell(b, TR("state", "状态"), 22);
	say_paint(b, t, PAINT_NONE, TR(" where", " 位置"));
	buf_addc(b, '\n');
}

void show_goroutines(const struct goroutines *g, int64_t top, const struct term *t, struct buf *ret)
{
	size_t n = shown_groups(g, top, TOP), rest = 0;
	int64_t left = 0;

	buf_addc(ret, '\n');
	put_waits(g, ret);
	put_head(ret, t);
	for (size_t i = 0; i < n; i++)
		put_group(g, &g->groups[i], t, ret);
	for (size_t i = n; i < g->n_groups; i++) {
		left += g->groups[i].count;
		rest += g->groups[i].count > 0;
	}
	if (rest)
		buf_addf(ret, TR("  … %zu more groups, %lld goroutines (--top=0 shows all)\n", "  … 另有 %zu 组，%lld 个 goroutine（--top=0 显示全部）\n"), rest,
			 (long long)left);
	if (g->series)
		show_godumps(g->series->dumps, g->series->n, g->series->changes, g->series->n_changes, top, t, ret);
}

void show_goroutines_wrong(const struct goroutines *g, const struct term *t, struct buf *ret)
{
	for (size_t i = 0; i < g->n_knots && i < WRONG_SHOWN; i++) {
		const struct goknot *k = &g->knots[i];
		CLEANUP(buf_free) struct buf line = { 0 };
		buf_adds(ret, "  ");
		say_paint(ret, t, k->certain ? PAINT_RED : PAINT_YELLOW, gowrong_title(k->wrong));
		buf_adds(&line, k->certain ? TR(": ", "：") : TR(", perhaps: ", "（可能）："));
		say_clean(&line, span_of(k->text));
		if (t->tty)
			say_wrap(ret, buf_view(&line), 2 + text_width(span_of(gowrong_title(k->wrong))), 4, t->width);
		else
			buf_span(ret, buf_view(&line));
		buf_addc(ret, '\n');
	}
}

/* ---- JSON ---- */

static void json_place(const struct goroutines *g, uint32_t place, struct json_out *j)
{
	struct span none = { 0 };
	int line = 0;
	struct span file = place == TB_NONE ? none : goframe_file(g->t->places[place].at, &line);

	json_open(j, '{');
	json_key(j, "function");
	json_str(j, goroutines_func(g, place));
	json_key(j, "file");
	json_str(j, file.n ? file : none);
	json_key(j, "line");
	if (file.n)
		json_int(j, line);
	else
		json_null(j);
	json_close(j, '}');
}

static void json_group(const struct goroutines *g, const struct gogroup *o, struct json_out *j)
{
	const struct tb_bucket *k = o->bucket;

	json_open(j, '{');
	json_member_int(j, "count", o->count);
	json_member_str(j, "state", k->status);
	json_member_str(j, "wait", span_of(tb_wait_word(k->wait)));
	json_member_int(j, "minutes", o->minutes);
	json_member_int(j, "example", o->id);
	json_member_int(j, "offset", k->offset);
	json_key(j, "place");
	json_place(g, o->place, j);
	json_key(j, "creator");
	if (k->creator == TB_NONE)
		json_null(j);
	else
		json_place(g, k->creator, j);
	json_key(j, "frames");
	json_open(j, '[');
	for (uint32_t i = 0; i < k->n_places; i++)
		json_place(g, k->places[i], j);
	json_close(j, ']');
	json_member_int(j, "elided", k->elided);
	json_key(j, "own");
	json_bool(j, o->own);
	json_key(j, "system");
	json_bool(j, o->system);
	json_member_int(j, "locked_to_thread", k->locked);
	if (k->bubble)
		json_member_int(j, "synctest_bubble", k->bubble);
	if (k->labels.n)
		json_member_str(j, "labels", k->labels);
	json_member_str(j, "wrong", o->wrong ? span_of(gowrong_word(o->wrong)) : (struct span){ 0 });
	json_close(j, '}');
}

static void json_hex(struct json_out *j, const char *key, uint64_t v)
{
	char text[24];

	json_key(j, key);
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	json_strz(j, v ? text : NULL);
}

static void json_knot(const struct goroutines *g, const struct goknot *k, struct json_out *j)
{
	json_open(j, '{');
	json_member_str(j, "wrong", span_of(gowrong_word(k->wrong)));
	json_member_str(j, "cause", span_of(cause_table[k->cause].id));
	json_key(j, "certain");
	json_bool(j, k->certain);
	json_member_str(j, "text", span_of(k->text));
	json_member_int(j, "count", k->count);
	json_member_int(j, "minutes", k->minutes);
	json_hex(j, "address", k->address);
	json_key(j, "members");
	json_open(j, '[');
	for (size_t i = 0; i < k->n_members; i++) {
		uint32_t n = k->members[i].goroutine;
		json_open(j, '{');
		json_member_int(j, "goroutine", n == TB_NONE ? g->groups[k->members[i].group].id : tb_at(g->t, n)->id);
		json_member_int(j, "group", k->members[i].group);
		json_hex(j, "waits_for", k->members[i].waits_for);
		json_hex(j, "holds", k->members[i].holds);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_member_int(j, "more", k->more);
	json_close(j, '}');
}

void show_goroutines_json(const struct goroutines *g, int64_t top, struct json_out *j)
{
	size_t n = shown_groups(g, top, TOP_JSON);

	json_open(j, '{');
	json_member_int(j, "count", g->count);
	json_member_int(j, "shown", g->shown);
	json_member_int(j, "own", g->own);
	json_member_int(j, "bytes", g->t->bytes);
	json_member_int(j, "dumps", g->t->dumps);
	json_key(j, "waits");
	json_open(j, '{');
	for (int i = 0; i < TB_WAITS; i++) {
		if (g->waits[i])
			json_member_int(j, tb_wait_word((enum tb_wait)i), g->waits[i]);
	}
	json_close(j, '}');
	json_member_int(j, "groups_in_all", (int64_t)g->n_groups);
	json_key(j, "groups");
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		json_group(g, &g->groups[i], j);
	json_close(j, ']');
	json_key(j, "wrong");
	json_open(j, '[');
	for (size_t i = 0; i < g->n_knots; i++)
		json_knot(g, &g->knots[i], j);
	json_close(j, ']');
	if (g->series) {
		json_key(j, "series");
		show_godumps_json(g->series->dumps, g->series->n, g->series->changes, g->series->n_changes, top, j);
	}
	json_close(j, '}');
}

/* ---- several dumps ---- */

static void put_change(const struct gochange *c, size_t n, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf cell = { 0 };
	int64_t delta = c->after - c->before;

	put_count(&cell, c->before);
	put_right(b, buf_str(&cell), 10);
	buf_clear(&cell);
	put_count(&cell, c->after);
	put_right(b, buf_str(&cell), 11);
	buf_clear(&cell);
	buf_addc(&cell, delta < 0 ? '-' : '+');
	put_count(&cell, delta < 0 ? -delta : delta);
	put_right(b, buf_str(&cell), 11);
	if (n > 2) {
		buf_clear(&cell);
		buf_addf(&cell, "%+.1f", c->slope);
		put_right(b, isnan(c->slope) ? "-" : buf_str(&cell), 11);
	}
	buf_clear(&cell);
	say_clean(&cell, span_head(c->row->status, 40));
	buf_adds(b, "  ");
	say_cell(b, buf_str(&cell), 22);
	buf_addc(b, ' ');
	say_clean(b, span_head(c->row->func, 200));
	buf_adds(b, "  ");
	say_clean(b, span_head(base_name(c->row->at), 100));
	if (c->leak) {
		buf_adds(b, "  ");
		say_paint(b, t, PAINT_RED, TR("leak", "泄漏"));
	}
	buf_addc(b, '\n');
}

void show_godumps(const struct godump *d, size_t n, const struct gochange *c, size_t n_changes, int64_t top, const struct term *t,
		  struct buf *ret)
{
	size_t max = top < 0 ? CHANGES : top == 0 ? n_changes : (size_t)top;

	buf_addc(ret, '\n');
	for (size_t i = 0; i < n; i++) {
		put_count(ret, d[i].count);
		buf_adds(ret, i + 1 < n ? " → " : TR(" goroutines\n", " 个 goroutine\n"));
	}
	if (!n_changes) {
		buf_adds(ret, TR("  no group of goroutines has changed\n", "  各组 goroutine 均无变化\n"));
		return;
	}
	put_right(ret, TR("before", "之前"), 10);
	put_right(ret, TR("after", "之后"), 11);
	put_right(ret, TR("change", "变化"), 11);
	if (n > 2)
		put_right(ret, c[0].per_minute ? TR("a minute", "每分钟") : TR("a dump", "每次"), 11);
	buf_adds(ret, "  ");
	say_cell(ret, TR("state", "状态"), 22);
	buf_adds(ret, TR(" where\n", " 位置\n"));
	for (size_t i = 0; i < n_changes && i < max; i++)
		put_change(&c[i], n, t, ret);
	if (n_changes > max)
		buf_addf(ret, TR("  … %zu more groups changed (--top=0 shows all)\n", "  … 另有 %zu 组有变化（--top=0 显示全部）\n"), n_changes - max);
}

void show_godumps_json(const struct godump *d, size_t n, const struct gochange *c, size_t n_changes, int64_t top, struct json_out *j)
{
	size_t max = top < 0 ? TOP_JSON : top == 0 ? n_changes : (size_t)top;

	json_open(j, '{');
	json_key(j, "dumps");
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_member_str(j, "name", span_of(d[i].name));
		json_member_int(j, "count", d[i].count);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_member_int(j, "changes_in_all", (int64_t)n_changes);
	json_key(j, "changes");
	json_open(j, '[');
	for (size_t i = 0; i < n_changes && i < max; i++) {
		json_open(j, '{');
		json_member_int(j, "before", c[i].before);
		json_member_int(j, "after", c[i].after);
		json_key(j, c[i].per_minute ? "per_minute" : "per_dump");
		if (isnan(c[i].slope))
			json_null(j);
		else
			json_num(j, c[i].slope);
		json_member_str(j, "state", c[i].row->status);
		json_member_str(j, "function", c[i].row->func);
		json_member_str(j, "place", c[i].row->at);
		json_member_str(j, "creator", c[i].row->creator);
		json_key(j, "leak");
		json_bool(j, c[i].leak);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}
