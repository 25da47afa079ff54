#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/input.h"
#include "cli/junit.h"
#include "cli/known.h"
#include "cli/markdown.h"
#include "cli/opt.h"
#include "cli/view.h"
#include "cli/where.h"
#include "model/redact_report.h"

struct explain_values {
	const char *report, *junit, *markdown;
	bool json, strict;
	int64_t exit_code; /* -1: not said */
};

#define AT(field) offsetof(struct explain_values, field)

/* clang-format off */
static const struct opt opts[] = {
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "print the report as JSON, one line a file", "输出 JSON 报告，每个文件一行" }, NULL, 0 },
	{ "report", 0, OPT_FILE, AT(report), { "FILE|-", "文件|-" },
	  { "write the report as JSON, one line a file; - is standard output, as its last line", "写出 JSON 报告，每个文件一行；- 表示标准输出的最后一行" }, NULL, 0 },
	{ "junit", 0, OPT_FILE, AT(junit), { "FILE", "文件" }, { "write JUnit XML", "写出 JUnit XML" }, NULL, 0 },
	{ "markdown", 0, OPT_FILE, AT(markdown), { "FILE", "文件" },
	  { "write the verdict as Markdown, for a job summary", "以 Markdown 写出结论，用于任务摘要" }, NULL, 0 },
	{ "exit-code", 0, OPT_INT, AT(exit_code), { "N", "N" },
	  { "the exit status of the command that wrote it, when it is known", "写出该日志的命令的退出码（如果已知）" }, NULL, -1 },
	{ "strict", 0, OPT_FLAG, AT(strict), { NULL, NULL },
	  { "suspicions, and the outcome empty, count as wrong", "可疑情况以及 empty 结果也算有问题" }, NULL, 0 },
};
/* clang-format on */

struct task {
	const struct explain_values *o;
	struct term out;
	struct site where;
	struct arena mem;
	struct junit *junit;
	struct buf text, reports, markdown;
};

/* Whether the last line of a stream of JSON events is whole. */
struct tail {
	int64_t begin, at;   /* where the last line begins; bytes seen */
	char first[2], last; /* of the last line */
	size_t n;
	bool stream; /* a whole line that looked like an event was seen */
};

static void tail_feed(struct tail *t, struct span s)
{
	size_t nl = span_rchr(s, '\n');

	if (nl != SPAN_NONE) {
		t->stream |= t->n && t->first[0] == '{';
		t->begin = t->at + (int64_t)nl + 1;
		t->n = 0;
		t->stream |= nl > 0 && s.p[nl - 1] == '}';
		t->at += (int64_t)nl + 1;
		s = span_from(s, nl + 1);
	}
	t->at += (int64_t)s.n;
	for (size_t i = 0; i < s.n && t->n < 2; i++)
		t->first[t->n++] = s.p[i];
	if (s.n)
		t->last = s.p[s.n - 1];
}

static bool tail_cut(const struct tail *t)
{
	return t->n && t->first[0] == '{' && (t->n < 2 || t->first[1] == '"') && t->last != '}' &&
	       (t->stream || !t->begin);
}

static void on_notice(void *ctx, const struct notice *n)
{
	struct task *t = ctx;

	junit_notice(t->junit, n);
}

static int judge_all(struct task *t, struct input *in, struct judge *j, struct tail *tail, struct err *e)
{
	struct span s;

	for (;;) {
		int r = input_read(in, &s, e);
		if (r < 0 || !s.n)
			return r;
		tail_feed(tail, s);
		judge_feed(j, STREAM_BOTH, s);
	}
}

static bool is_wrong(const struct task *t, const struct report *r)
{
	for (size_t i = 0; i < r->n_findings; i++) {
		if (r->findings[i].severity == SEV_ERROR ||
		    (t->o->strict && r->findings[i].severity == SEV_WARNING))
			return true;
	}
	if (r->outcome == OUTCOME_EMPTY)
		return t->o->strict;
	return r->outcome != OUTCOME_PASSED && r->outcome != OUTCOME_NONE && r->outcome != OUTCOME_UNSTABLE;
}

static void give(struct task *t, const struct report *r, const char *name, bool many)
{
	if (t->o->json || t->o->report) {
		report_json(r, &t->reports);
		buf_addc(&t->reports, '\n');
	}
	if (t->o->markdown)
		md_report(r, name, &t->markdown);
	if (t->o->json)
		return;
	if (many) {
		say_clean(&t->text, span_of(name));
		buf_adds(&t->text, TR(":\n", "：\n"));
	}
	verdict_print(r, &format_raw, &t->out, &t->text);
	term_flush(&t->out, &t->text);
}

static int explain_stream(struct task *t, struct input *in, struct report *r, struct err *e)
{
	struct judge_config c = {
		.explain = t->o->exit_code < 0,
		.strict = t->o->strict,
		.cwd = t->where.cwd,
		.module = t->where.module,
		.module_dir = t->where.module ? "" : NULL,
		.notice = t->junit ? on_notice : NULL,
		.notice_ctx = t,
	};
	struct tail tail = { 0 };
	struct judge *j;
	struct err cut;
	int n = judge_new(&c, &j, e);

	if (n < 0)
		return n;
	n = judge_all(t, in, j, &tail, e);
	if (n == 0 && tail_cut(&tail)) {
		n = err_set(&cut, EBADMSG,
			    TR("'%s' is truncated: the event that begins at byte %lld has no end (byte %lld)",
			       "“%s”被截断：从第 %lld 字节开始的事件没有结束（第 %lld 字节）"),
			    input_name(in), (long long)tail.begin, (long long)tail.at);
		*e = cut;
	}
	if (n < 0)
		judge_limit(j, e->msg);
	if (!c.explain)
		r->ending = (struct ending){ .how = END_EXIT, .code = (int)t->o->exit_code };
	int end = judge_finish(j, r, n < 0 ? &cut : e);
	judge_free(j);
	return n < 0 ? n : end;
}

static int explain_file(struct task *t, const char *path, bool many)
{
	struct report r = { 0 };
	struct input *in;
	struct err e;

	int n = input_open(path, &in, &e);
	if (n < 0) {
		say_error("%s", e.msg);
		return n == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
	}
	n = explain_stream(t, in, &r, &e);
	if (n < 0)
		say_error("%s", e.msg);
	r.exit_code = n == -ENOMEM ? EXIT_OWN : n < 0 ? EXIT_USAGE : is_wrong(t, &r) ? EXIT_WRONG : EXIT_OK;
	r.cwd = t->where.shown;
	if (report_redact(NULL, &r) < 0)
		say_error(TR("no memory to take the secrets out of some texts: they are left out", "内存不足，无法清除部分文本中的机密：这些文本已省略"));
	give(t, &r, input_name(in), many);
	junit_report(t->junit, &r);
	input_close(in);
	n = r.exit_code;
	report_free(&r);
	return n;
}

static int put_file(const char *path, struct buf *b)
{
	struct err e = { 0 };

	if (b->bad)
		say_error(TR("no memory for '%s'", "内存不足，无法写出“%s”"), path);
	else if (file_replace(path, buf_view(b), &e) < 0)
		say_error("%s", e.msg);
	return b->bad || e.code ? EXIT_OWN : EXIT_OK;
}

static int worse(int a, int b)
{
	return a > b ? a : b;
}

static int write_all(struct task *t)
{
	const struct explain_values *o = t->o;
	int r = EXIT_OK;
	struct err e;

	if (junit_close(t->junit, &e) < 0) {
		say_error("%s", e.msg);
		r = EXIT_OWN;
	}
	if (o->markdown)
		r = worse(r, put_file(o->markdown, &t->markdown));
	if (o->report && !names_stdout(o->report))
		r = worse(r, put_file(o->report, &t->reports));
	if (o->json || (o->report && names_stdout(o->report)))
		term_put(&t->out, buf_view(&t->reports));
	return t->out.dead ? worse(r, t->out.gone ? EXIT_OK : EXIT_OWN) : r;
}

static int run(void *values, const struct args *a)
{
	const struct explain_values *o = values;
	struct task t = { .o = o };
	struct err e;
	int r = EXIT_OK;

	if (!a->n)
		return say_usage(
			"explain",
			TR("which file? For example: tocsin explain build.log, or - for standard input",
			   "哪个文件？例如：tocsin explain build.log，或用 - 表示标准输入"));
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone must not keep us from writing the files */
	if (o->junit && junit_open(o->junit, false, &t.junit, &e) < 0) {
		say_error("%s", e.msg);
		r = EXIT_OWN;
	}
	term_open(&t.out, STDOUT_FILENO);
	where_read(&t.mem, NULL, &t.where);
	known_configured();
	for (size_t i = 0; i < a->n; i++)
		r = worse(r, explain_file(&t, a->v[i], a->n > 1));
	r = worse(r, write_all(&t));
	buf_free(&t.text);
	buf_free(&t.reports);
	buf_free(&t.markdown);
	arena_free(&t.mem);
	return r;
}

/* clang-format off */
static const struct opt_later later[] = {
	{ "top", { "the largest entries of a profile", "剖析数据中最大的条目" } },
	{ "diff", { "comparing with an earlier profile", "与先前的剖析数据比较" } },
	{ "flame", { "a flame graph", "火焰图" } },
	{ "timeline", { "a timeline of an execution trace", "执行跟踪的时间线" } },
	{ "folded", { "folded stacks", "折叠的调用栈" } },
	{ "focus", { "a filter for profiles", "剖析数据过滤" } },
	{ "ignore", { "a filter for profiles", "剖析数据过滤" } },
	{ NULL, { NULL, NULL } },
};
/* clang-format on */

const struct verb verb_explain = {
	.name = "explain",
	.args = { "FILE…|-", "文件…|-" },
	.brief = { "judge a log or test stream that exists already", "判断已有的日志或测试流" },
	.text = { "Reads text of go build, test, vet, run, mod, get and generate, and go test -json streams, plain or compressed with gzip "
		  "or zstd, and says what they prove. - is standard input. Each file is judged for itself and gives one report.\n\n"
		  "  tocsin explain build.log\n"
		  "  go test -json ./... | tocsin explain --report report.json -\n\n"
		  "Exit status: 0 nothing wrong, 1 something is wrong, 2 wrong usage or a file that cannot be read to its end (what could "
		  "be read is judged all the same), 125 a failure of Tocsin itself.",
		  "读取 go build、test、vet、run、mod、get、generate 的文本输出以及 go test -json 流（可用 gzip 或 zstd 压缩），说明其中证明了什么。- 表示标准输入。"
		  "每个文件单独判断，各有一份报告。\n\n"
		  "  tocsin explain build.log\n"
		  "  go test -json ./... | tocsin explain --report report.json -\n\n"
		  "退出状态：0 没有问题，1 有问题，2 用法错误或文件无法完整读取（已读到的部分仍会判断），125 Tocsin 自身故障。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.later = later,
	.size = sizeof(struct explain_values),
	.files = true,
	.run = run,
};
