#include "cli/show_trace.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define TOP 10
#define STACK_LINES 6

void show_ns(struct buf *b, int64_t ns)
{
	char text[24];

	if (ns >= 60 * NSEC_PER_SEC) {
		duration_text(ns, text);
		buf_adds(b, text);
	} else if (ns >= NSEC_PER_SEC) {
		buf_addf(b, "%.2fs", (double)ns / 1e9);
	} else if (ns >= NSEC_PER_MSEC) {
		buf_addf(b, ns < 10 * NSEC_PER_MSEC ? "%.2fms" : "%.1fms", (double)ns / 1e6);
	} else if (ns >= 1000) {
		buf_addf(b, "%.1fµs", (double)ns / 1e3);
	} else {
		buf_addf(b, "%lldns", (long long)ns);
	}
}

/* Right-aligned in width columns. */
static void cell_ns(struct buf *b, int64_t ns, size_t width)
{
	struct buf t = { 0 };

	show_ns(&t, ns);
	size_t w = text_width(buf_view(&t));

	say_pad(b, w < width ? width - w : 0);
	buf_span(b, buf_view(&t));
	buf_free(&t);
}

static void cell_right(struct buf *b, const char *text, size_t width)
{
	size_t w = text_width(span_of(text));

	say_pad(b, w < width ? width - w : 0);
	buf_adds(b, text);
}

static void cell_n(struct buf *b, uint64_t n, int width)
{
	buf_addf(b, "%*llu", width, (unsigned long long)n);
}

static void head(struct buf *b, const struct term *term, const char *text)
{
	buf_addc(b, '\n');
	say_paint(b, term, PAINT_BOLD, text);
	buf_addc(b, '\n');
}

static size_t at_most(size_t n, int64_t top)
{
	size_t most = top < 0 ? TOP : top == 0 ? SIZE_MAX : (size_t)top;

	return n < most ? n : most;
}

static void left_out(struct buf *b, size_t n, size_t shown)
{
	if (n > shown)
		buf_addf(b, TR("  … %zu more (--top=0 shows all)\n", "  … 另有 %zu 项（--top=0 显示全部）\n"), n - shown);
}

static void name_of(const struct trace *t, uint32_t group, struct buf *b)
{
	struct span name = trace_view(t)->groups[group].name;

	if (name.n)
		say_clean(b, name);
	else
		buf_adds(b, TR("(start not seen)", "（未见起点）"));
}

static void place_of(const struct trace *t, uint32_t stack, struct buf *b)
{
	const struct xt_frame *f = trace_place(t, stack);

	if (!f) {
		buf_adds(b, TR("(no stack)", "（无调用栈）"));
		return;
	}
	say_clean(b, trace_text(t, f->func));
	buf_addc(b, ' ');
	struct span file = trace_text(t, f->file);
	size_t slash = span_rchr(file, '/');

	say_clean(b, slash == SPAN_NONE ? file : span_from(file, slash + 1));
	buf_addf(b, ":%u", f->line);
}

static void stack_of(const struct trace *t, uint32_t stack, struct buf *b)
{
	size_t n;
	const struct xt_frame *f = trace_stack(t, stack, &n);

	for (size_t i = 0; i < n && i < STACK_LINES; i++) {
		buf_adds(b, "        ");
		say_clean(b, trace_text(t, f[i].func));
		buf_adds(b, "  ");
		say_clean(b, trace_text(t, f[i].file));
		buf_addf(b, ":%u\n", f[i].line);
	}
	if (n > STACK_LINES)
		buf_addf(b, TR("        … %zu more frames\n", "        … 另有 %zu 帧\n"), n - STACK_LINES);
}

static void reason_of(const struct trace *t, uint32_t reason, enum trace_class class, struct buf *b)
{
	struct span text = trace_text(t, reason);

	if (text.n)
		say_clean(b, text);
	else
		buf_adds(b, trace_class_title(class));
}

/* ---- the parts ---- */

static void show_total(const struct trace *t, const struct term *term, struct buf *b)
{
	const struct trace_view *v = trace_view(t);
	double all = 0;

	for (size_t i = 0; i < TC_COUNT; i++)
		all += (double)v->total[i];
	if (all <= 0)
		return;
	head(b, term, TR("What goroutines did with their time (the runtime's own are left out)", "goroutine 的时间去向（不含运行时自身的）"));
	for (size_t i = 0; i < TC_COUNT; i++) {
		if (!v->total[i])
			continue;
		buf_adds(b, "  ");
		say_cell(b, trace_class_title((enum trace_class)i), 28);
		cell_ns(b, v->total[i], 10);
		buf_addf(b, "  %5.1f%%\n", 100.0 * (double)v->total[i] / all);
	}
	buf_addf(b, TR("  %llu goroutines seen, at most %llu at a time, %llu alive at the end\n",
		       "  共见到 %llu 个 goroutine，同时最多 %llu 个，结束时存活 %llu 个\n"),
		 (unsigned long long)v->goroutines, (unsigned long long)v->peak, (unsigned long long)v->alive);
}

static double weight(const struct trace_group *g)
{
	double w = 0;

	for (size_t i = 0; i < TC_COUNT; i++)
		w += (double)g->total[i] / (i == TC_SLEEP || i == TC_OTHER ? 8 : 1);
	return g->system ? w / 64 : w;
}

static int by_weight(const void *a, const void *b)
{
	const struct trace_group *p = *(const struct trace_group *const *)a, *q = *(const struct trace_group *const *)b;
	double x = weight(p), y = weight(q);

	return x < y ? 1 : x > y ? -1 : (p > q) - (p < q);
}

static size_t groups_in_order(const struct trace_view *v, const struct trace_group ***ret)
{
	size_t n = 0;

	*ret = mem_alloc((v->n_groups + 1) * sizeof(**ret));
	if (!*ret)
		return 0;
	for (size_t i = 0; i < v->n_groups; i++) {
		if (v->groups[i].goroutines)
			(*ret)[n++] = &v->groups[i];
	}
	qsort(*ret, n, sizeof(**ret), by_weight);
	return n;
}

static void show_groups(const struct trace *t, int64_t top, const struct term *term, struct buf *b)
{
	const struct trace_group **g;
	size_t n = groups_in_order(trace_view(t), &g), shown = at_most(n, top);
	static const enum trace_class columns[] = { TC_RUNNING, TC_RUNNABLE, TC_SYSCALL, TC_NET, TC_LOCK, TC_CHAN, TC_SLEEP };
	const char *const titles[] = { TR("running", "运行"), TR("runnable", "待调度"), TR("syscall", "系统调用"), TR("network", "网络"),
				       TR("lock", "锁"), "channel", TR("sleep", "休眠") };

	if (n) {
		head(b, term, TR("Groups: goroutines that start in one function", "分组：起始函数相同的 goroutine"));
		cell_right(b, TR("number", "数量"), 8);
		for (size_t i = 0; i < ARRAY_LEN(columns); i++)
			cell_right(b, titles[i], 10);
		buf_adds(b, TR("  starts in\n", "  起始函数\n"));
	}
	for (size_t i = 0; i < shown; i++) {
		cell_n(b, g[i]->goroutines, 8);
		for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
			if (g[i]->total[columns[c]])
				cell_ns(b, g[i]->total[columns[c]], 10);
			else
				cell_right(b, "-", 10);
		}
		buf_adds(b, "  ");
		name_of(t, (uint32_t)(g[i] - trace_view(t)->groups), b);
		buf_addc(b, '\n');
	}
	left_out(b, n, shown);
	mem_free(g);
}

static bool is_dull(const struct trace *t, const struct trace_site *s)
{
	return trace_view(t)->groups[s->group].system || s->dep == DEP_RUNTIME;
}

static void show_sites(const struct trace *t, int64_t top, const struct term *term, struct buf *b)
{
	const struct trace_view *v = trace_view(t);
	size_t n = 0, shown = 0, most;

	for (size_t i = 0; i < v->n_sites; i++)
		n += !is_dull(t, &v->sites[i]);
	most = at_most(n, top);
	if (!n)
		return;
	head(b, term, TR("Where they waited: all waits at one place together", "等待位置：同一位置的等待合计"));
	cell_right(b, TR("total", "合计"), 11);
	cell_right(b, TR("waits", "次数"), 10);
	cell_right(b, TR("longest", "最长"), 10);
	buf_adds(b, TR("  what, on what it depends, where\n", "  原因、依赖对象、位置\n"));
	for (size_t i = 0; i < v->n_sites && shown < most; i++) {
		const struct trace_site *s = &v->sites[i];

		if (is_dull(t, s))
			continue;
		cell_ns(b, s->total, 11);
		cell_n(b, s->count, 10);
		cell_ns(b, s->max, 10);
		buf_adds(b, "  ");
		reason_of(t, s->reason, s->class, b);
		buf_addf(b, " → %s: ", trace_dep_title(s->dep));
		place_of(t, s->stack, b);
		buf_addc(b, '\n');
		if (s->still)
			buf_addf(b, TR("%33s%llu still at the end\n", "%33s结束时仍有 %llu 个\n"), "", (unsigned long long)s->still);
		if (s->waker) {
			buf_addf(b, "%33s%s ", "", TR("the longest was ended by", "最长的一次由此唤醒："));
			place_of(t, s->waker, b);
			buf_addc(b, '\n');
		}
		shown++;
	}
	left_out(b, n, shown);
}

static void show_deadlines(const struct trace *t, int64_t top, const struct term *term, struct buf *b)
{
	const struct trace_view *v = trace_view(t);
	size_t n = 0, shown = 0;

	for (size_t i = 0; i < v->n_sites; i++)
		n += v->sites[i].deadlines || v->sites[i].closed;
	if (!n)
		return;
	head(b, term, TR("Network waits that ended without data", "没有等到数据的网络等待"));
	for (size_t i = 0; i < v->n_sites && shown < at_most(n, top); i++) {
		const struct trace_site *s = &v->sites[i];

		if (!s->deadlines && !s->closed)
			continue;
		shown++;
		buf_addf(b, TR("  %llu by a deadline, %llu closed or cancelled by another goroutine, of %llu: ",
			       "  超时 %llu 次，被其他 goroutine 关闭或取消 %llu 次，共 %llu 次："),
			 (unsigned long long)s->deadlines, (unsigned long long)s->closed, (unsigned long long)s->count);
		place_of(t, s->stack, b);
		buf_addc(b, '\n');
	}
	left_out(b, n, shown);
}

static void show_wait(const struct trace *t, const struct trace_wait *w, bool stack, struct buf *b)
{
	buf_adds(b, "  ");
	cell_ns(b, w->from < 0 ? w->to : w->to - w->from, 9);
	buf_addf(b, TR("  goroutine %llu (", "  goroutine %llu（"), (unsigned long long)w->goroutine);
	name_of(t, w->group, b);
	buf_adds(b, TR("), ", "），"));
	reason_of(t, w->reason, w->class, b);
	buf_addf(b, " → %s, ", trace_dep_title(w->dep));
	if (w->before || w->from < 0) {
		buf_adds(b, TR("since before the trace", "始于跟踪之前"));
	} else {
		buf_adds(b, TR("since ", "始于 "));
		show_ns(b, w->from);
	}
	buf_addc(b, '\n');
	if (stack)
		stack_of(t, w->stack, b);
}

static void show_waits(const struct trace *t, const struct trace_wait *w, size_t n, int want, int64_t top, const char *title,
		       const struct term *term, struct buf *b)
{
	size_t all = 0, shown = 0;

	for (size_t i = 0; i < n; i++)
		all += !trace_view(t)->groups[w[i].group].system && (want < 0 || (w[i].class == TC_SYSCALL) == want);
	if (!all)
		return;
	head(b, term, title);
	for (size_t i = 0; i < n && shown < at_most(all, top); i++) {
		if (trace_view(t)->groups[w[i].group].system || (want >= 0 && (w[i].class == TC_SYSCALL) != want))
			continue;
		show_wait(t, &w[i], shown < 3 || top > 0, b);
		shown++;
	}
	left_out(b, all, shown);
}

static void show_latency(const struct trace *t, const struct term *term, struct buf *b)
{
	const struct trace_latency *l = &trace_view(t)->latency;
	const struct { const char *name; int64_t ns; } v[] = {
		{ "p50", l->p50 }, { "p90", l->p90 }, { "p99", l->p99 }, { "p99.9", l->p999 }, { TR("longest", "最长"), l->max },
	};

	if (!l->count)
		return;
	head(b, term, TR("Scheduling latency: from runnable to running", "调度延迟：从可运行到运行"));
	buf_adds(b, " ");
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		buf_addf(b, " %s ", v[i].name);
		show_ns(b, v[i].ns);
		buf_adds(b, i + 1 < ARRAY_LEN(v) ? "," : "");
	}
	buf_addf(b, TR(" (goroutine %llu at ", "（goroutine %llu，位于 "), (unsigned long long)l->max_goroutine);
	show_ns(b, l->max_from);
	buf_addf(b, TR("); %llu waits\n", "）；共 %llu 次等待\n"), (unsigned long long)l->count);
}

static void show_sum(const struct trace *t, const struct trace_sum *s, const char *name, struct buf *b)
{
	buf_adds(b, "  ");
	cell_n(b, s->count, 8);
	cell_ns(b, s->total, 11);
	cell_ns(b, s->max, 11);
	buf_adds(b, "  ");
	if (name)
		buf_adds(b, name);
	else
		say_clean(b, trace_text(t, s->name));
	if (s->open)
		buf_addf(b, TR("  (%llu open at the end)", "（结束时 %llu 个未完）"), (unsigned long long)s->open);
	buf_addc(b, '\n');
}

static void sum_head(struct buf *b, const char *what)
{
	cell_right(b, TR("times", "次数"), 10);
	cell_right(b, TR("total", "合计"), 11);
	cell_right(b, TR("longest", "最长"), 11);
	buf_addf(b, "  %s\n", what);
}

static void show_sums(const struct trace *t, const struct trace_sum *s, size_t n, int64_t top, const char *title, const char *what,
		      const struct term *term, struct buf *b)
{
	if (!n)
		return;
	head(b, term, title);
	sum_head(b, what);
	for (size_t i = 0; i < at_most(n, top); i++)
		show_sum(t, &s[i], NULL, b);
	left_out(b, n, at_most(n, top));
}

static void show_collector(const struct trace *t, int64_t top, const struct term *term, struct buf *b)
{
	const struct trace_view *v = trace_view(t);

	if (!v->gc.count && !v->n_stw)
		return;
	head(b, term, TR("Garbage collector and stopped world", "垃圾回收与停顿（STW）"));
	sum_head(b, TR("what", "项目"));
	if (v->gc.count)
		show_sum(t, &v->gc, TR("collections (concurrent)", "回收周期（并发）"), b);
	if (v->assist.count)
		show_sum(t, &v->assist, TR("mark assists: goroutines that had to help", "标记辅助：被迫协助的 goroutine"), b);
	for (size_t i = 0; i < at_most(v->n_stw, top); i++)
		show_sum(t, &v->stw[i], NULL, b);
	if (v->heap_max)
		buf_addf(b, TR("  heap: at most %.1f MiB, goal at the end %.1f MiB\n", "  堆：最大 %.1f MiB，结束时目标 %.1f MiB\n"),
			 (double)v->heap_max / 1048576, (double)v->heap_goal / 1048576);
}

static void show_logs(const struct trace *t, int64_t top, const struct term *term, struct buf *b)
{
	const struct trace_view *v = trace_view(t);

	if (!v->logs_seen)
		return;
	head(b, term, TR("Log messages", "日志消息"));
	for (size_t i = 0; i < at_most(v->n_logs, top); i++) {
		buf_adds(b, "  ");
		cell_ns(b, v->logs[i].at, 10);
		buf_addf(b, "  goroutine %llu  ", (unsigned long long)v->logs[i].goroutine);
		say_clean(b, trace_text(t, v->logs[i].key));
		buf_adds(b, ": ");
		say_clean(b, trace_text(t, v->logs[i].value));
		buf_addc(b, '\n');
	}
	left_out(b, (size_t)v->logs_seen, at_most(v->n_logs, top));
}

static void show_samples(const struct trace *t, int64_t top, const struct term *term, struct buf *b)
{
	const struct trace_view *v = trace_view(t);

	if (!v->samples)
		return;
	head(b, term, TR("CPU samples", "CPU 采样"));
	cell_right(b, "flat", 8);
	cell_right(b, "cum", 8);
	buf_adds(b, TR("  function\n", "  函数\n"));
	for (size_t i = 0; i < at_most(v->n_funcs, top); i++) {
		cell_n(b, v->funcs[i].flat, 8);
		cell_n(b, v->funcs[i].cum, 8);
		buf_adds(b, "  ");
		say_clean(b, trace_text(t, v->funcs[i].name));
		buf_addc(b, '\n');
	}
	left_out(b, v->n_funcs, at_most(v->n_funcs, top));
}

void show_trace(const struct trace *t, int64_t top, const struct term *term, struct buf *b)
{
	const struct trace_view *v = trace_view(t);

	if (!v->stats || !v->stats->generations)
		return;
	if (v->stats->unverified)
		buf_addf(b, TR("The order of %llu of %llu generations is by time alone, unverified.\n",
			       "%llu/%llu 代仅按时间排序，未经验证。\n"),
			 (unsigned long long)v->stats->unverified, (unsigned long long)v->stats->generations);
	show_total(t, term, b);
	show_groups(t, top, term, b);
	show_sites(t, top, term, b);
	show_waits(t, v->longest, v->n_longest, -1, top < 0 ? 5 : top, TR("Longest single waits that ended", "已结束的最长等待"), term, b);
	show_waits(t, v->open, v->n_open, 1, top < 0 ? 5 : top, TR("System calls that never returned", "没有返回的系统调用"), term, b);
	show_waits(t, v->open, v->n_open, 0, top < 0 ? 5 : top, TR("Blocked at the end", "结束时仍阻塞"), term, b);
	show_deadlines(t, top, term, b);
	show_latency(t, term, b);
	show_collector(t, top, term, b);
	show_sums(t, v->tasks, v->n_tasks, top, TR("Tasks", "任务"), TR("task", "任务"), term, b);
	show_sums(t, v->regions, v->n_regions, top, TR("Regions", "区域"), TR("region", "区域"), term, b);
	show_logs(t, top, term, b);
	show_samples(t, top, term, b);
}

void show_trace_changes(const struct trace_changes *c, int64_t top, const struct term *term, struct buf *b)
{
	size_t shown = 0, most = at_most(c->n, top);

	head(b, term, TR("What waits more than before, for each second of the trace", "相比之前等待更多的位置（按跟踪的每秒计）"));
	cell_right(b, TR("more", "增加"), 11);
	cell_right(b, TR("before", "之前"), 11);
	cell_right(b, TR("now", "现在"), 11);
	cell_right(b, TR("longest", "最长"), 11);
	buf_adds(b, TR("  what, where\n", "  原因、位置\n"));
	for (size_t i = 0; i < c->n && shown < most; i++, shown++) {
		const struct trace_change *v = &c->v[i];

		if (v->now - v->before < 1000)
			break;
		cell_ns(b, (int64_t)(v->now - v->before), 11);
		cell_ns(b, (int64_t)v->before, 11);
		cell_ns(b, (int64_t)v->now, 11);
		cell_ns(b, v->max_now, 11);
		buf_adds(b, "  ");
		if (v->reason.n)
			say_clean(b, v->reason);
		else
			buf_adds(b, trace_class_title(v->class));
		if (v->class != TC_RUNNABLE)
			buf_addf(b, " → %s", trace_dep_title(v->dep));
		buf_adds(b, ": ");
		say_clean(b, v->place);
		buf_addc(b, '\n');
	}
	if (!shown)
		buf_adds(b, TR("  nothing\n", "  无\n"));
}
