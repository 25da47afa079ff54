/* What is wrong with an execution trace, in sentences; and what it proves, as findings. */
#include <stdio.h>

#include "base/time.h"
#include "diagnose/trace_own.h"
#include "model/frames.h"

#define MAX_SENTENCES 40
#define STARVED_P99 (10 * NSEC_PER_MSEC)


static const struct {
	struct tx text;
	bool damage; /* the file is not what it should be */
} problems[XT_PROBLEMS] = {
	[XT_EMPTY] = { { "the trace holds its header and nothing else: the program died or never called trace.Stop",
			 "跟踪只有文件头：程序已崩溃，或从未调用 trace.Stop" }, true },
	[XT_V1] = { { "this is an execution trace of format v1 (header go 1.{n}, before Go 1.22), which is not read: make it again with "
		      "Go 1.22 or later, or use `go tool trace`",
		      "这是 v1 格式的执行跟踪（文件头为 go 1.{n}，早于 Go 1.22），无法读取：请用 Go 1.22 或更高版本重新生成，或使用 `go tool trace`" }, true },
	[XT_NEWER] = { { "this execution trace has a format that is not known yet (header go 1.{n})",
			 "该执行跟踪的格式尚不支持（文件头为 go 1.{n}）" }, true },
	[XT_NOT_A_TRACE] = { { "this is no Go execution trace, or its header is cut", "这不是 Go 执行跟踪，或文件头被截断" }, true },
	[XT_CUT_BATCH] = { { "the trace is truncated inside the batch that begins at byte {b} (the file ends at byte {n}), in generation {g}",
			     "跟踪在第 {b} 字节开始的批次中被截断（文件在第 {n} 字节结束），位于第 {g} 代" }, true },
	[XT_CUT_GENERATION] = { { "the trace is truncated: it ends at byte {b} without the end of generation {g}",
				  "跟踪被截断：在第 {b} 字节结束，缺少第 {g} 代的结束标记" }, true },
	[XT_BAD_BATCH] = { { "byte {b}, generation {g}: no batch begins with byte {n}",
			     "第 {b} 字节，第 {g} 代：没有以字节 {n} 开头的批次" }, true },
	[XT_BAD_SIZE] = { { "byte {b}, generation {g}: a batch of {n} bytes is larger than the format allows",
			    "第 {b} 字节，第 {g} 代：批次大小 {n} 字节超过格式上限" }, true },
	[XT_BAD_VARINT] = { { "byte {b}, generation {g}: a number that has no end",
			      "第 {b} 字节，第 {g} 代：数字没有结束" }, true },
	[XT_BAD_TIME] = { { "byte {b}, generation {g}: a batch with a thread or a time that is not of this trace",
			    "第 {b} 字节，第 {g} 代：批次的线程或时间不属于该跟踪" }, true },
	[XT_SKIPPED] = { { "byte {b}, generation {g}: a batch begins here again; {n} bytes before it are left out ({c} times)",
			   "第 {b} 字节，第 {g} 代：从这里起又是完整的批次；略去之前的 {n} 字节（{c} 次）" }, true },
	[XT_LOST_REST] = { { "from byte {b} on, {n} bytes: no batch begins there; they cannot be read",
			     "从第 {b} 字节起的 {n} 字节中没有批次，无法读取" }, true },
	[XT_BAD_GENERATION] = { { "byte {b}: a batch of generation {n} in or after generation {g} ({c} times)",
				  "第 {b} 字节：第 {g} 代之中或之后出现第 {n} 代的批次（{c} 次）" }, true },
	[XT_BAD_STRINGS] = { { "byte {b}, generation {g}: a broken table of strings; its rest is left out ({c} times)",
			       "第 {b} 字节，第 {g} 代：字符串表损坏，其余部分已略过（{c} 次）" }, true },
	[XT_BAD_STACKS] = { { "byte {b}, generation {g}: a broken table of stacks; its rest is left out ({c} times)",
			      "第 {b} 字节，第 {g} 代：调用栈表损坏，其余部分已略过（{c} 次）" }, true },
	[XT_BAD_SAMPLES] = { { "byte {b}, generation {g}: a broken list of CPU samples; its rest is left out ({c} times)",
			       "第 {b} 字节，第 {g} 代：CPU 采样列表损坏，其余部分已略过（{c} 次）" }, true },
	[XT_BAD_SYNC] = { { "byte {b}, generation {g}: a broken clock record ({c} times)",
			    "第 {b} 字节，第 {g} 代：时钟记录损坏（{c} 次）" }, true },
	[XT_BAD_TYPE] = { { "byte {b}, generation {g}: no event has type {n} in this format; the rest of its batch is left out ({c} times)",
			    "第 {b} 字节，第 {g} 代：该格式没有类型为 {n} 的事件，所在批次的其余部分已略过（{c} 次）" }, true },
	[XT_BAD_EVENT] = { { "byte {b}, generation {g}: a {t} event is cut or broken; the rest of its batch is left out ({c} times)",
			     "第 {b} 字节，第 {g} 代：{t} 事件不完整或损坏，所在批次的其余部分已略过（{c} 次）" }, true },
	[XT_BAD_ID] = { { "byte {b}, generation {g}: a {t} event names {n}, which is in no table ({c} times)",
			  "第 {b} 字节，第 {g} 代：{t} 事件引用的 {n} 不在任何表中（{c} 次）" }, true },
	[XT_NO_FREQUENCY] = { { "generation {g} has no clock frequency: its times assume 64 ns a tick, or those of the generation before",
				"第 {g} 代缺少时钟频率：按每刻 64 ns 或上一代的频率计算" }, true },
	[XT_STUCK] = { { "generation {g}, byte {b}: no thread's next event ({t}) can come next; from there the order is by time alone, unverified",
			 "第 {g} 代，第 {b} 字节：没有线程的下一个事件（{t}）可以继续；此后仅按时间排序，未经验证" }, true },
	[XT_CONTRADICTION] = { { "generation {g}, byte {b}: the {t} event contradicts what came before ({w}); from there the order is by time "
				 "alone, unverified",
				 "第 {g} 代，第 {b} 字节：{t} 事件与之前的内容矛盾（{w}）；此后仅按时间排序，未经验证" }, true },
	[XT_MEMORY] = { { "generation {g} is larger than the memory bound: {n} bytes from byte {b} on are left out",
			  "第 {g} 代超过内存上限：从第 {b} 字节起略去 {n} 字节" }, false },
	[XT_TOO_MANY] = { { "generation {g}, byte {b}: more than {n} of what a {t} record adds; the rest is left out ({c} times)",
			    "第 {g} 代，第 {b} 字节：{t} 记录的数量超过 {n}，其余已略过（{c} 次）" }, false },
};

static void fill(const char *text, const struct xt_note *n, struct buf *ret)
{
	for (; *text; text++) {
		if (text[0] != '{' || !text[1] || text[2] != '}') {
			buf_addc(ret, *text);
			continue;
		}
		text += 2;
		if (text[-1] == 'g')
			buf_addf(ret, "%llu", (unsigned long long)n->generation);
		else if (text[-1] == 'b')
			buf_addf(ret, "%lld", (long long)n->at);
		else if (text[-1] == 'n')
			buf_addf(ret, "%llu", (unsigned long long)n->number);
		else if (text[-1] == 'c')
			buf_addf(ret, "%llu", (unsigned long long)n->times);
		else
			buf_adds(ret, text[-1] == 't' ? xt_type_word(n->type) : n->why ? n->why : "");
	}
}

void trace_note(void *ctx, const struct xt_note *n)
{
	struct trace *t = ctx;
	struct buf text = { .max = 1024 };
	char *kept;

	t->damaged |= problems[n->problem].damage;
	if (++t->n_problems > MAX_SENTENCES)
		return;
	fill(tx(problems[n->problem].text), n, &text);
	if (!t->what[0] && problems[n->problem].damage)
		snprintf(t->what, sizeof(t->what), "%s", buf_str(&text));
	kept = arena_str(&t->mem, buf_view(&text));
	if (!kept || !list_add(&t->mem, &t->limits, kept))
		t->lost = true;
	buf_free(&text);
}

/* ---- findings ---- */

static void place_it(const struct trace *t, struct finding *f, struct report *r, uint32_t stack)
{
	const struct xt_frame *at = trace_place(t, stack);
	size_t n;
	const struct xt_frame *s = trace_stack(t, stack, &n);
	struct buf text = { .max = 8192 };

	if (at) {
		struct span file = trace_text(t, at->file);

		f->file = report_text(r, "%.*s", SPAN_ARG(file));
		f->line = (int)at->line;
	}
	for (size_t i = 0; i < n && i < 24; i++) {
		buf_span(&text, trace_text(t, s[i].func));
		buf_adds(&text, "(...)\n\t");
		buf_span(&text, trace_text(t, s[i].file));
		buf_addf(&text, ":%u\n", s[i].line);
	}
	f->excerpt = report_text(r, "%s", buf_str(&text));
	buf_free(&text);
}

static bool is_main(const struct trace *t, uint32_t stack)
{
	size_t n;
	const struct xt_frame *f = trace_stack(t, stack, &n);

	for (size_t i = 0; i < n; i++) {
		if (span_eq(trace_text(t, f[i].func), S("main.main")))
			return true;
	}
	return !n;
}

static void find_forever(const struct trace *t, struct report *r)
{
	char took[24];

	for (size_t i = 0; i < t->view.n_sites; i++) {
		const struct trace_site *s = &t->view.sites[i];
		struct finding *f;

		if (s->dep != DEP_NEVER || !s->still || is_main(t, s->stack))
			continue;
		duration_text(s->max, took);
		f = report_say(r, CAUSE_GO_BLOCKED,
			       TR("%llu goroutine(s) wait for ever: a nil channel, or a select without cases (the first is goroutine %llu, for %s)",
				  "%llu 个 goroutine 永远等待：nil channel 或空 select（其中 goroutine %llu，已等待 %s）"),
			       (unsigned long long)s->still, (unsigned long long)s->max_goroutine, took);
		if (f)
			place_it(t, f, r, s->stack);
	}
}

static void find_starved(const struct trace *t, struct report *r)
{
	const struct trace_latency *l = &t->view.latency;
	char p99[24], max[24];

	if (l->count < 100 || l->p99 < STARVED_P99 || t->view.busy < 0.9 ||
	    t->view.total[TC_RUNNABLE] < t->view.total[TC_RUNNING])
		return;
	duration_text(l->p99, p99);
	duration_text(l->max, max);
	report_say(r, CAUSE_GO_STARVED,
		       TR("goroutines wait long for a processor: 1 of 100 waits %s or more, at most %s; %llu processors, %d%% busy",
			  "goroutine 长时间等待处理器：百分之一等待 %s 以上，最长 %s；%llu 个处理器，忙碌 %d%%"),
		       p99, max, (unsigned long long)t->view.procs, (int)(t->view.busy * 100 + 0.5));
}

static void say_what(const struct trace *t, struct report *r)
{
	const struct trace_view *v = &t->view;
	char took[24];

	duration_text(v->duration, took);
	if (v->stats->generations)
		r->summary = report_text(r,
			TR("Go 1.%d%s, %s, %llu goroutines, %llu processors, %d%% busy",
			   "Go 1.%d%s，%s，%llu 个 goroutine，%llu 个处理器，忙碌 %d%%"),
			v->stats->version, v->stats->version == 23 ? TR(" or 1.24", " 或 1.24") : v->stats->version == 26 ?
			TR(" or later", " 或更高版本") : "", took, (unsigned long long)v->goroutines, (unsigned long long)v->procs,
			(int)(v->busy * 100 + 0.5)).p;
	else
		r->summary = report_text(r, TR("no events", "没有事件")).p;
}

void trace_findings(const struct trace *t, struct report *r)
{
	for (size_t i = 0; i < t->limits.n; i++)
		list_add(&r->mem, &r->limits, report_text(r, "%s", t->limits.v[i]).p);
	if (t->n_problems > MAX_SENTENCES)
		list_add(&r->mem, &r->limits, report_text(r, TR("%llu more such faults", "另有 %llu 处此类问题"),
							   (unsigned long long)(t->n_problems - MAX_SENTENCES)).p);
	if (t->view.goroutines > t->n_all)
		list_add(&r->mem, &r->limits,
			 report_text(r, TR("totals of single goroutines are kept for %llu of %llu; the groups hold them all",
					   "单个 goroutine 的合计只保留了 %llu/%llu 个；分组包含全部"),
				     (unsigned long long)t->n_all, (unsigned long long)t->view.goroutines).p);
	if (t->left_out)
		list_add(&r->mem, &r->limits,
			 report_text(r, TR("more places, groups, tasks, regions or names than are kept: %llu entries are not counted",
					   "位置、分组、任务、区域或名称超过保留上限：%llu 条未计入"), (unsigned long long)t->left_out).p);
	say_what(t, r);
	find_forever(t, r);
	find_starved(t, r);
	for (size_t i = 0; i < r->n_findings && r->cause == CAUSE_NONE; i++) {
		if (r->findings[i].severity == SEV_ERROR)
			r->cause = r->findings[i].cause;
	}
}
