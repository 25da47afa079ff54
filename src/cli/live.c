#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/usual.h"
#include "cli/view.h"

#define ROWS_MAX 9

/* The area below the output on a terminal: a line of counts, the oldest running tests. */
struct live {
	size_t widths[ROWS_MAX]; /* columns of each row that is on the screen */
	size_t rows;
	int64_t drawn;
	struct buf frame, line;
};

struct running {
	const struct view_pkg *p;
	const struct view_test *t;
};

struct live *live_new(void)
{
	return mem_zalloc(sizeof(struct live));
}

void live_free(struct live *l)
{
	if (!l)
		return;
	buf_free(&l->frame);
	buf_free(&l->line);
	mem_free(l);
}

/* Rows that the area fills now: a narrower window has folded its lines. */
static size_t screen_rows(const struct live *l, size_t width)
{
	size_t n = 0;

	for (size_t i = 0; i < l->rows; i++)
		n += l->widths[i] > width && width ? (l->widths[i] + width - 1) / width : 1;
	return n;
}

static void erase(struct live *l, const struct view *v, struct buf *b)
{
	size_t n = screen_rows(l, v->out.width);

	/* Never all of the screen at once: tmux would keep each frame in its history. */
	if (n)
		buf_addf(b, "\r\033[%zuA\033[K\033[B\033[J\033[A", n);
	l->rows = 0;
}

void live_clear(struct live *l, struct view *v)
{
	buf_clear(&l->frame);
	erase(l, v, &l->frame);
	term_put(&v->out, buf_view(&l->frame));
}

void live_resized(struct live *l, struct view *v)
{
	live_clear(l, v);
	l->drawn = 0;
}

static void add_row(struct live *l, const struct view *v, enum paint p)
{
	struct span s = text_fit(buf_view(&l->line), v->out.width > 1 ? v->out.width - 1 : 1);
	CLEANUP(buf_free) struct buf z = { 0 };

	if (l->rows == ROWS_MAX)
		return;
	buf_span(&z, s);
	say_paint(&l->frame, &v->out, p, buf_str(&z));
	buf_addc(&l->frame, '\n');
	l->widths[l->rows++] = text_width(s);
	buf_clear(&l->line);
}

static void add_counts(struct live *l, const struct view *v, int64_t now)
{
	char age[24];
	int64_t open = v->pkgs_started - v->pkgs_done;

	duration_text(now - v->since, age);
	if (v->pkgs_todo)
		buf_addf(&l->line, TR("packages %lld/%lld", "包 %lld/%lld"), (long long)v->pkgs_done,
			 (long long)(v->pkgs_todo > v->pkgs_started ? v->pkgs_todo : v->pkgs_started));
	else
		buf_addf(&l->line, TR("packages %lld done", "包 已完成 %lld"), (long long)v->pkgs_done);
	if (open)
		buf_addf(&l->line, TR(", %lld running", "，%lld 运行中"), (long long)open);
	buf_addf(&l->line, TR(" | tests %lld", " | 测试 %lld"), (long long)v->tests);
	if (v->failed)
		buf_addf(&l->line, TR(", %lld failed", "，%lld 失败"), (long long)v->failed);
	if (v->skipped)
		buf_addf(&l->line, TR(", %lld skipped", "，%lld 跳过"), (long long)v->skipped);
	buf_addf(&l->line, " | %s", age);
	usual_say_run(&l->line, v->usual, now - v->since);
	add_row(l, v, v->failed || v->pkgs_failed ? PAINT_RED : PAINT_CYAN);
}

/* Keep the oldest `max` ones in list, sorted. */
static size_t keep_oldest(struct running *list, size_t n, size_t max, struct running one)
{
	size_t i = n < max ? n : max - 1;

	if (n == max && list[i].t->since <= one.t->since)
		return n;
	for (; i > 0 && list[i - 1].t->since > one.t->since; i--)
		list[i] = list[i - 1];
	list[i] = one;
	return n < max ? n + 1 : n;
}

/* A parent waits for its subtests: only the innermost ones are worth a row. */
static bool has_child(const struct view_pkg *p, const struct view_test *t)
{
	const struct view_test *o;

	if (p->running.count > 64)
		return false;
	for (size_t at = 0; (o = map_next(&p->running, &at));) {
		if (o->n > t->n && o->name[t->n] == '/' && !memcmp(o->name, t->name, t->n))
			return true;
	}
	return false;
}

static size_t oldest_tests(const struct view *v, struct running *list, size_t max)
{
	const struct view_pkg *p;
	const struct view_test *t;
	size_t n = 0;

	for (size_t at = 0; (p = map_next(&v->pkgs, &at));) {
		for (size_t in = 0; (t = map_next(&p->running, &in));) {
			if (!t->paused && !has_child(p, t))
				n = keep_oldest(list, n, max, (struct running){ p, t });
		}
	}
	return n;
}

static void add_running(struct live *l, const struct view *v, int64_t now)
{
	struct running list[ROWS_MAX - 1];
	size_t max = v->out.height > 4 ? v->out.height - 3 : 1;
	size_t n = oldest_tests(v, list, max < ARRAY_LEN(list) ? max : ARRAY_LEN(list));
	char age[24];

	for (size_t i = 0; i < n; i++) {
		const struct span test = { list[i].t->name, list[i].t->n }, package = { list[i].p->name, list[i].p->n };
		duration_text(now - list[i].t->since, age);
		buf_addf(&l->line, "  %7s  ", age);
		say_clean(&l->line, test);
		usual_say_test(&l->line, usual_test(v->usual, package, test), now - list[i].t->since);
		buf_adds(&l->line, "  ");
		say_clean(&l->line, package);
		add_row(l, v, PAINT_DIM);
	}
}

void live_draw(struct live *l, struct view *v, int64_t now)
{
	if (l->drawn && now - l->drawn < 95 * NSEC_PER_MSEC)
		return;
	l->drawn = now;
	buf_clear(&l->frame);
	erase(l, v, &l->frame);
	view_clean(v);
	if (v->text.len && v->text.p[v->text.len - 1] != '\n')
		buf_addc(&v->text, '\n');
	buf_span(&l->frame, buf_view(&v->text));
	buf_clear(&v->text);
	if (v->out.height > 2) {
		add_counts(l, v, now);
		add_running(l, v, now);
	}
	term_put(&v->out, buf_view(&l->frame));
}
