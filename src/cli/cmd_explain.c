#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/explain.h"
#include "cli/input.h"
#include "cli/junit.h"
#include "cli/known.h"
#include "cli/markdown.h"
#include "cli/opt.h"
#include "cli/view.h"
#include "cli/show_goroutines.h"
#include "cli/where.h"
#include "diagnose/logs.h"
#include "model/redact_report.h"

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
	{ "top", 0, OPT_MAYBE, AT(top), { "N", "N" },
	  { "show the N largest entries (20 when it stands alone, 0: all)", "显示最大的 N 个条目（单独使用时为 20，0 表示全部）" }, NULL, 20 },
	{ "diff", 0, OPT_INPUT, AT(diff), { "BASE", "基准文件" },
	  { "compare with an earlier file of the same kind", "与先前的同类文件比较" }, NULL, 0 },
	{ "normalize", 0, OPT_FLAG, AT(normalize), { NULL, NULL },
	  { "with --diff: scale the profile to the total of BASE first", "与 --diff 同用：先将剖析数据缩放到基准的总量" }, NULL, 0 },
	{ "sample", 0, OPT_STRING, AT(sample), { "NAME", "名称" },
	  { "which value of a profile is looked at: alloc_space, inuse_objects, delay, …", "查看剖析数据的哪种值：alloc_space、inuse_objects、delay 等" }, NULL, 0 },
	{ "focus", 0, OPT_STRING, AT(focus), { "RE", "正则" },
	  { "only stacks with a function or file that matches", "只看含有匹配函数或文件的调用栈" }, NULL, 0 },
	{ "ignore", 0, OPT_STRING, AT(ignore), { "RE", "正则" },
	  { "no stacks with a function or file that matches", "不看含有匹配函数或文件的调用栈" }, NULL, 0 },
	{ "hide", 0, OPT_STRING, AT(hide), { "RE", "正则" },
	  { "leave the frames out that match; what they cost goes to their callers", "去掉匹配的栈帧，其开销归入调用者" }, NULL, 0 },
	{ "flame", 0, OPT_FILE, AT(flame), { "FILE.svg|-", "文件.svg|-" }, { "write a flame graph of the profiles; - draws one on the terminal", "写出剖析数据的火焰图；- 表示在终端绘制" }, NULL, 0 },
	{ "timeline", 0, OPT_FILE, AT(timeline), { "FILE.svg", "文件.svg" },
	  { "write the timeline of an execution trace", "写出执行跟踪的时间线" }, NULL, 0 },
	{ "window", 0, OPT_STRING, AT(window), { "FROM..TO", "起点..终点" },
	  { "of an execution trace: the timeline of a part, as in 1.2s..1.5s", "只看执行跟踪中一段的时间线，例如 1.2s..1.5s" }, NULL, 0 },
	{ "folded", 0, OPT_FILE, AT(folded), { "FILE", "文件" },
	  { "write the stacks of the profiles folded, one a line", "写出剖析数据的折叠调用栈，每行一个" }, NULL, 0 },
	{ "pprof", 0, OPT_FILE, AT(pprof), { "FILE.pb.gz", "文件.pb.gz" },
	  { "write the profiles, merged, for go tool pprof", "合并剖析数据并写出，供 go tool pprof 使用" }, NULL, 0 },
};
/* clang-format on */

/* What is no log, the more certain first. A row each: everything else asks the row. */
static const struct kind *const kinds[] = {
	&kind_trace, &kind_goroutines, &kind_profile,
};

struct task {
	const struct explain_values *o;
	struct term out;
	struct site where;
	struct arena mem;
	struct junit *junit;
	struct buf text, reports, markdown;
	struct logs *logs; /* of a log: the file at hand */
	struct logclock clock; /* of it too */
	struct relate *rel; /* with several files */
	void *state[ARRAY_LEN(kinds)]; /* of a kind that was met */
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

static int judge_all(struct task *t, struct input *in, struct tail *tail, struct err *e)
{
	struct span s;

	for (;;) {
		int r = input_read(in, &s, e);
		if (r < 0 || !s.n)
			return r;
		tail_feed(tail, s);
		if (t->rel)
			logclock_feed(&t->clock, s);
		logs_feed(t->logs, s);
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

/* The goroutine dump that a log holds; NULL. */
static const struct goroutines *dump_of(const struct task *t, size_t kind)
{
	return kind == ARRAY_LEN(kinds) && t->logs ? logs_goroutines(t->logs) : NULL;
}

/* The report's JSON, with what its kind adds to it. */
static void give_json(struct task *t, const struct report *r, size_t kind, bool all)
{
	struct json_out j = { .to = &t->reports, .comma = true };

	report_json(r, &t->reports);
	const struct goroutines *g = dump_of(t, kind);
	if ((g || kind < ARRAY_LEN(kinds)) && t->reports.len && t->reports.p[t->reports.len - 1] == '}') {
		t->reports.len--;
		json_key(&j, g ? "goroutines" : kinds[kind]->member);
		if (g)
			show_goroutines_json(g, t->o->top, &j);
		else
			kinds[kind]->json(t->state[kind], all, &j);
		json_close(&j, '}');
	}
	buf_addc(&t->reports, '\n');
}

/* kind: a row of kinds, or their number: a log. */
static void give(struct task *t, const struct report *r, const char *name, size_t kind, bool all)
{
	if (t->o->json || t->o->report)
		give_json(t, r, kind, all);
	if (t->o->markdown)
		md_report(r, name, &t->markdown);
	if (t->o->json)
		return;
	if (name) {
		say_clean(&t->text, span_of(name));
		buf_adds(&t->text, TR(":\n", "：\n"));
	}
	verdict_print(r, &format_raw, &t->out, &t->text);
	if (kind < ARRAY_LEN(kinds))
		kinds[kind]->print(t->state[kind], all, &t->out, &t->text);
	const struct goroutines *g = dump_of(t, kind);
	if (g) {
		show_goroutines(g, t->o->top, &t->out, &t->text);
		show_goroutines_wrong(g, &t->out, &t->text);
	}
	term_flush(&t->out, &t->text);
}

static int explain_stream(struct task *t, struct input *in, struct report *r, struct err *e)
{
	struct judge_config c = {
		.explain = t->o->exit_code < 0,
		.strict = t->o->strict,
		.recovered = t->o->exit_code >= 0,
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
	n = logs_new(input_head(in), j, &t->logs, e);
	if (n < 0) {
		judge_free(j);
		return n;
	}
	n = judge_all(t, in, &tail, e);
	logs_end(t->logs);
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
	if (end == 0)
		logs_report(t->logs, r);
	return n < 0 ? n : end;
}

/* The kind of evidence that its first bytes show; their number: a log. */
static size_t recognise(const struct input *in)
{
	size_t i = 0;

	while (i < ARRAY_LEN(kinds) && !kinds[i]->looks(input_head(in)))
		i++;
	return i;
}

static int explain_kind(struct task *t, size_t i, struct input *in, struct report *r, struct err *e)
{
	if (!t->state[i])
		t->state[i] = kinds[i]->open(t->o, e);
	if (!t->state[i])
		return e->code ? -e->code : -ENOMEM;
	int n = kinds[i]->read(t->state[i], in, r, e);
	if (n < 0)
		list_add(&r->mem, &r->limits, report_text(r, "%s", e->msg).p);
	return n;
}

/* What the file tells about the others. */
static void collect(struct task *t, const char *name, size_t kind, const struct report *r)
{
	static const enum relate_kind what[ARRAY_LEN(kinds) + 1] = { RELATE_TRACE, RELATE_DUMP, RELATE_PROFILE, RELATE_LOG };

	relate_file(t->rel, what[kind], name, explain_file_time(name));
	if (kind < ARRAY_LEN(kinds)) {
		kinds[kind]->facts(t->state[kind], t->rel);
		return;
	}
	logclock_end(&t->clock);
	relate_log(t->rel, &t->clock, r);
	logclock_free(&t->clock);
	t->clock = (struct logclock){ 0 };
	if (dump_of(t, kind))
		relate_dump(t->rel, dump_of(t, kind));
}

static int explain_input(struct task *t, struct input *in, size_t kind, const char *name)
{
	struct report r = { 0 };
	struct err e = { 0 };

	int n = kind < ARRAY_LEN(kinds) ? explain_kind(t, kind, in, &r, &e) : explain_stream(t, in, &r, &e);
	if (n < 0)
		say_error("%s", e.msg);
	if (kind < ARRAY_LEN(kinds) && !t->state[kind]) { /* what the flags say could not be had: nothing was read */
		report_free(&r);
		return n == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
	}
	r.exit_code = n == -ENOMEM ? EXIT_OWN : n < 0 ? EXIT_USAGE : is_wrong(t, &r) ? EXIT_WRONG : EXIT_OK;
	r.cwd = t->where.shown;
	if (report_redact(NULL, &r) < 0)
		say_error(TR("no memory to take the secrets out of some texts: they are left out", "内存不足，无法清除部分文本中的机密：这些文本已省略"));
	give(t, &r, name, kind, false);
	junit_report(t->junit, &r);
	if (t->rel)
		collect(t, input_name(in), kind, &r);
	n = r.exit_code;
	logs_free(t->logs);
	t->logs = NULL;
	report_free(&r);
	return n;
}

static int explain_file(struct task *t, const char *path, bool many)
{
	struct input *in;
	struct err e;

	int n = input_open(path, &in, &e);
	if (n < 0) {
		say_error("%s", e.msg);
		return n == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
	}
	size_t kind = recognise(in);
	if (kind == ARRAY_LEN(kinds) && input_text(in, &e) < 0) {
		say_error("%s", e.msg);
		n = EXIT_USAGE;
	} else {
		n = explain_input(t, in, kind, many ? input_name(in) : NULL);
	}
	input_close(in);
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

/* What several files of a kind say together, and the files that the flags ask for. */
static int sum_kind(struct task *t, size_t i)
{
	struct report r = { 0 };
	struct err e = { 0 };
	int status = EXIT_OK;

	if (kinds[i]->sum(t->state[i], &r)) {
		status = r.exit_code = is_wrong(t, &r) ? EXIT_WRONG : EXIT_OK;
		r.cwd = t->where.shown;
		report_redact(NULL, &r);
		give(t, &r, TR("together", "合计"), i, true);
		junit_report(t->junit, &r);
	}
	report_free(&r);
	int n = kinds[i]->write(t->state[i], &e);
	if (n < 0)
		say_error("%s", e.msg);
	return n < 0 ? worse(status, n == -EINVAL ? EXIT_USAGE : EXIT_OWN) : status;
}

static int sum_all(struct task *t)
{
	int r = EXIT_OK;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (t->state[i])
			r = worse(r, sum_kind(t, i));
	}
	return r;
}

/* What the files say of each other. */
static void relate_all(struct task *t)
{
	struct json_out j = { .to = &t->reports, .comma = true };
	const struct relation *found;
	struct report r = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (t->state[i] && kinds[i]->again)
			kinds[i]->again(t->state[i], t->rel);
	}
	size_t n = relate_end(t->rel, &found);
	for (size_t i = 0; i < relate_limits(t->rel)->n; i++)
		list_add(&r.mem, &r.limits, relate_limits(t->rel)->v[i]);
	if (!n && !r.limits.n)
		goto end;
	r.evidence = TR("the files together", "各文件之间");
	r.summary = report_text(&r, TR("%zu relations", "%zu 处关联"), n).p;
	r.cwd = t->where.shown;
	if (t->o->json || t->o->report) {
		report_json(&r, &t->reports);
		t->reports.len -= t->reports.len && t->reports.p[t->reports.len - 1] == '}';
		json_key(&j, "relations");
		relations_json(found, n, &j);
		json_close(&j, '}');
		buf_addc(&t->reports, '\n');
	}
	if (t->o->markdown) {
		md_report(&r, TR("together", "合计"), &t->markdown);
		relations_markdown(found, n, &t->markdown);
	}
	if (!t->o->json) {
		verdict_print(&r, &format_raw, &t->out, &t->text);
		relations_text(found, n, &t->out, &t->text);
		term_flush(&t->out, &t->text);
	}
end:
	report_free(&r);
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

extern const struct verb verb_explain;

/* A file that was asked for and has nothing to be made of. */
static int missing_evidence(const struct task *t)
{
	const struct {
		const struct kind *kind;
		const char *file, *flag;
	} asked[] = { { &kind_profile, t->o->flame, "--flame" }, { &kind_profile, t->o->folded, "--folded" }, { &kind_profile, t->o->pprof, "--pprof" },
		      { &kind_trace, t->o->timeline, "--timeline" } };
	int r = EXIT_OK;

	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		size_t k = 0;
		while (k + 1 < ARRAY_LEN(kinds) && kinds[k] != asked[i].kind)
			k++;
		if (!asked[i].file || t->state[k])
			continue;
		say_error(TR("%s: none of the files is such evidence: nothing was written to '%s'", "%s：没有可用的此类证据文件：未写出“%s”"), asked[i].flag, asked[i].file);
		r = EXIT_USAGE;
	}
	return r;
}

static int run(void *values, const struct args *a)
{
	struct explain_values *o = values;
	struct task t = { .o = o };
	struct err e;
	int r = EXIT_OK;

	if (!a->n)
		return say_usage(
			"explain",
			TR("which file? For example: tocsin explain build.log, or - for standard input",
			   "哪个文件？例如：tocsin explain build.log，或用 - 表示标准输入"));
	if (!opt_given(&verb_explain, a, "top"))
		o->top = -1;
	o->many = a->n > 1;
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone must not keep us from writing the files */
	if (o->junit && junit_open(o->junit, false, &t.junit, &e) < 0) {
		say_error("%s", e.msg);
		r = EXIT_OWN;
	}
	term_open(&t.out, STDOUT_FILENO);
	where_read(&t.mem, NULL, &t.where);
	o->cwd = t.where.cwd;
	known_configured();
	if (o->many && relate_new(&t.rel, &e) < 0) {
		say_error("%s", e.msg);
		r = EXIT_OWN;
	}
	for (size_t i = 0; i < a->n; i++)
		r = worse(r, explain_file(&t, a->v[i], a->n > 1));
	r = worse(r, sum_all(&t));
	if (t.rel)
		relate_all(&t);
	r = worse(r, missing_evidence(&t));
	r = worse(r, write_all(&t));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (t.state[i])
			kinds[i]->close(t.state[i]);
	}
	relate_free(t.rel);
	logclock_free(&t.clock);
	buf_free(&t.text);
	buf_free(&t.reports);
	buf_free(&t.markdown);
	arena_free(&t.mem);
	return r;
}

const struct verb verb_explain = {
	.name = "explain",
	.args = { "FILE…|-", "文件…|-" },
	.brief = { "judge evidence that exists already: logs, goroutine dumps, profiles, traces", "判断已有的证据：日志、goroutine 转储、剖析、执行跟踪" },
	.text = { "Reads text of go build, test, vet, run, mod, get and generate, and go test -json streams, plain or compressed with gzip "
		  "or zstd, and says what they prove. - is standard input. Each file is judged for itself and gives one report; of several, what they say of each other comes last.\n\n"
		  "  tocsin explain build.log\n"
		  "  go test -json ./... | tocsin explain --report report.json -\n\n"
		  "Profiles (pprof's format or the text of debug=1): the largest functions; --diff compares, whatever the build; several files of a kind are merged, "
		  "and three or more heap or goroutine profiles show what grows. A profile has no outcome.\n\n"
		  "  tocsin explain --top=30 --flame cpu.svg cpu.pb.gz\n"
		  "  tocsin explain --diff monday.pb.gz friday.pb.gz\n\n"
		  "Goroutine dumps (SIGQUIT, debug=2, a crash): who waits for whom, what leaks; three or more dumps show what grows. --focus and --ignore take "
		  "a regular expression of functions, or state:WORD, creator:RE, label:RE, wait:5m.\n\n"
		  "Execution traces (Go 1.22 and newer): what each goroutine did, scheduling latency, long blocks, pauses; --window 2s..3s shows a part.\n\n"
		  "  tocsin explain goroutines-*.txt\n"
		  "  tocsin explain --timeline t.svg trace.out\n\n"
		  "Exit status: 0 nothing wrong, 1 something is wrong, 2 wrong usage or a file that cannot be read to its end (what could "
		  "be read is judged all the same), 125 a failure of Tocsin itself.",
		  "读取 go build、test、vet、run、mod、get、generate 的文本输出以及 go test -json 流（可用 gzip 或 zstd 压缩），说明其中证明了什么。- 表示标准输入。"
		  "每个文件单独判断，各有一份报告；多个文件时，最后说明它们之间的关系。\n\n"
		  "  tocsin explain build.log\n"
		  "  go test -json ./... | tocsin explain --report report.json -\n\n"
		  "剖析数据（pprof 格式或 debug=1 文本）：列出开销最大的函数；--diff 用于比较，不要求同一构建；同类文件会合并，三份以上的堆或 goroutine 剖析会显示增长。剖析数据没有结论。\n\n"
		  "  tocsin explain --top=30 --flame cpu.svg cpu.pb.gz\n"
		  "  tocsin explain --diff monday.pb.gz friday.pb.gz\n\n"
		  "goroutine 转储（SIGQUIT、debug=2、崩溃）：谁在等谁，什么在泄漏；三份以上会显示增长。--focus 和 --ignore 接受函数的正则表达式，"
		  "或 state:词、creator:RE、label:RE、wait:5m。\n\n"
		  "执行跟踪（Go 1.22 及更新）：每个 goroutine 做了什么、调度延迟、长时间阻塞、停顿；--window 2s..3s 只看一段。\n\n"
		  "  tocsin explain goroutines-*.txt\n"
		  "  tocsin explain --timeline t.svg trace.out\n\n"
		  "退出状态：0 没有问题，1 有问题，2 用法错误或文件无法完整读取（已读到的部分仍会判断），125 Tocsin 自身故障。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct explain_values),
	.files = true,
	.run = run,
};
