#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/checking.h"
#include "cli/cmd.h"
#include "cli/say.h"
#include "probe/active.h"

/* `tocsin check active`: source, build list, binary, process: where is it lost? */

struct active_values {
	struct checked_values checked; /* must stand first */
	const char *binary, *tree, *tags, *goos, *goarch, *pid;
};

static void put_json(void *ctx, struct json_out *j)
{
	const struct active *a = ctx;

	json_member_open(j, "active", '{');
	json_member_strz(j, "name", a->what);
	json_member_strz(j, "target", a->target);
	json_member_strz(j, "lost", a->lost < 0 ? NULL : active_stage_word((enum active_stage)a->lost));
	json_member_open(j, "stages", '[');
	for (int i = 0; i < ACTIVE_STAGES; i++) {
		json_open(j, '{');
		json_member_strz(j, "stage", active_stage_word((enum active_stage)i));
		json_member_strz(j, "state", active_state_word(a->steps[i].state));
		json_member_strz(j, "why", a->steps[i].said);
		json_member_strz(j, "file", a->steps[i].file);
		json_key(j, "line");
		if (a->steps[i].line)
			json_int(j, a->steps[i].line);
		else
			json_null(j);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void put_text(void *ctx, const struct term *t, struct buf *b)
{
	static const enum paint paints[] = { PAINT_DIM, PAINT_GREEN, PAINT_YELLOW, PAINT_RED };
	const char *const names[] = { TR("source", "源代码"), TR("build list", "构建列表"),
				      TR("binary", "二进制"), TR("process", "进程") };
	const char *const states[] = { "-", TR("yes", "是"), TR("unknown", "未知"), TR("LOST", "丢失") };
	const struct active *a = ctx;

	CLEANUP(buf_free) struct buf what = { 0 };
	say_clean(&what, span_of(a->what));
	say_paint(b, t, PAINT_BOLD, buf_str(&what));
	buf_addc(b, '\n');
	for (int i = 0; i < ACTIVE_STAGES; i++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		CLEANUP(buf_free) struct buf state = { 0 };
		buf_adds(b, "  ");
		say_cell(b, names[i], 11);
		say_cell(&state, states[a->steps[i].state], 8);
		say_paint(b, t, paints[a->steps[i].state], buf_str(&state));
		buf_addc(b, ' ');
		if (a->steps[i].said)
			say_clean(&text, span_of(a->steps[i].said));
		else
			buf_adds(&text, a->lost >= 0 && i > a->lost
						? TR("not looked at: it is lost before", "未查看：之前已丢失")
						: TR("not asked for", "未要求查看"));
		say_wrap(b, buf_view(&text), 22, 22, t->tty ? t->width : SIZE_MAX);
		buf_addc(b, '\n');
		b->bad |= text.bad || state.bad;
	}
	buf_addc(b, '\n');
}

static const char *fine(const struct active *a)
{
	for (int i = 0; i < ACTIVE_STAGES; i++) {
		if (a->steps[i].state == ACTIVE_UNKNOWN)
			return TR("not lost as far as can be told", "在可知范围内没有丢失");
	}
	return a->steps[ACTIVE_PROCESS].state == ACTIVE_YES ? TR("active: it runs", "已生效：正在运行")
	       : a->steps[ACTIVE_BINARY].state == ACTIVE_YES
		       ? TR("active: it is in the binary", "已生效：在二进制中")
		       : TR("it would be built", "会参与构建");
}

static int run(void *values, const struct args *args)
{
	const struct active_values *o = values;
	struct active a = { .lost = -1 };
	struct checked out = { .modules = -1,
			       .packages = -1,
			       .files = -1,
			       .bytes = -1,
			       .json = put_json,
			       .before = put_text,
			       .ctx = &a };
	struct err e = { 0 };
	int64_t pid = 0;

	if (o->pid && (!span_int(span_of(o->pid), &pid) || pid <= 0 || pid > INT32_MAX))
		return say_usage("check active",
				 TR("--pid needs the number of a process", "--pid 需要进程号"));
	if (args->n != 1)
		return say_usage("check active",
				 TR("name one function or file: tocsin check active example.com/m/pkg.Func",
				    "请指定一个函数或文件：tocsin check active example.com/m/pkg.Func"));
	struct active_ask q = {
		.what = args->v[0],
		.tree = o->tree,
		.binary = o->binary,
		.pid = (int)pid,
		.flags = { .goos = o->goos,
			   .goarch = o->goarch,
			   .tags = o->tags,
			   .cgo = -1,
			   .race = -1,
			   .msan = -1,
			   .asan = -1 },
	};
	int r = active_trace(&q, &a, &out.report, &e);
	if (r < 0) {
		report_free(&out.report);
		active_free(&a);
		say_error("%s", e.msg);
		return r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
	}
	out.fine = fine(&a);
	r = checked_end(&out, &o->checked);
	active_free(&a);
	return r;
}

/* clang-format off */
#define AT(field) offsetof(struct active_values, field)
static const struct opt opts[] = {
	{ "binary", 0, OPT_INPUT, AT(binary), { "FILE", "文件" }, { "the binary that should have it; its own settings say what is built", "应当包含它的二进制；以其自身的设置判断哪些文件参与构建" }, NULL, 0 },
	{ "pid", 0, OPT_STRING, AT(pid), { "PID", "PID" }, { "the process that should run it", "应当运行它的进程" }, NULL, 0 },
	{ "tree", 0, OPT_STRING, AT(tree), { "DIR", "目录" }, { "where the source is (here)", "源代码所在目录（默认当前目录）" }, NULL, 0 },
	{ "goos", 0, OPT_STRING, AT(goos), { "OS", "系统" }, { "without --binary: the system that is built for", "没有 --binary 时：目标系统" }, NULL, 0 },
	{ "goarch", 0, OPT_STRING, AT(goarch), { "ARCH", "架构" }, { "without --binary: the architecture that is built for", "没有 --binary 时：目标架构" }, NULL, 0 },
	{ "tags", 0, OPT_STRING, AT(tags), { "TAG,…", "标签,…" }, { "without --binary: as go's -tags", "没有 --binary 时：同 go 的 -tags" }, NULL, 0 },
	CHECKED_OPTS,
};

const struct verb verb_check_active = {
	.name = "check active", .opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct active_values), .run = run,
	.args = { "SYMBOL|FILE", "符号|文件" }, .files = true,
	.brief = { "is this code active: source, build list, binary, process", "这段代码是否生效：源代码、构建列表、二进制、进程" },
	.text = { "Follows a function or a source file from the source to the process, and names the first place where it is lost, with the reason and the fix. A function is "
		  "example.com/m/pkg.Func, pkg.(*T).Method, pkg.Func, main.f or Func.\n\n"
		  "  tocsin check active store.Open --binary ./server --pid 4711\n"
		  "  tocsin check active store/x_windows.go\n\n"
		  "That a function is neither linked nor inlined proves nothing by itself: it may have become nothing, or constants. It is named as lost there all the same.\n\n"
		  "Exit status: 0 it is not lost; 1 it is; 2 wrong usage or unreadable input; 125 Tocsin's own failure.",
		  "从源代码到进程逐级追踪一个函数或源文件，指出它最先在何处丢失、原因和修复办法。函数写作 example.com/m/pkg.Func、pkg.(*T).Method、pkg.Func、main.f 或 Func。\n\n"
		  "  tocsin check active store.Open --binary ./server --pid 4711\n"
		  "  tocsin check active store/x_windows.go\n\n"
		  "函数既未链接也未内联，仅凭此不能证明什么：可能被优化为空或常量。但仍会指出它在那里丢失。\n\n"
		  "退出状态：0 没有丢失；1 已丢失；2 用法错误或输入无法读取；125 Tocsin 自身故障。" },
};
/* clang-format on */
