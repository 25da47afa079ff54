#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "check/registration.h"
#include "cli/checking.h"
#include "cli/cmd.h"
#include "cli/initgraph.h"
#include "cli/say.h"
#include "run/gocmd.h"

/* `tocsin check activation`: is the code that was written in the build? */

struct activation_values {
	struct checked_values checked; /* must stand first */
	const char *goos, *goarch, *compiler, *go, *tags, *mod, *experiment, *graph;
	struct opt_list matrix;
	int cgo, mod_word, compiler_word;
	bool race, msan, asan, files, notes, no_traps, rules;
	const char *ldflags;
};

static const char *const switches[] = { "off", "on", NULL };
static const char *const mods[] = { "readonly", "mod", "vendor", NULL };
static const char *const compilers[] = { "gc", "gccgo", NULL };

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* ---- what is asked for ---- */

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? !S_ISDIR(st.st_mode) : lstat(path, &st) == 0;
}

/* "./..." is what the command does anyway. */
static const char *folder_of(struct arena *mem, const char *arg)
{
	struct span s = span_of(arg);

	if (span_eq(s, S("...")))
		return ".";
	if (span_ends(s, S("/...")))
		return s.n > 4 ? arena_str(mem, span_head(s, s.n - 4)) : "/";
	return arg;
}

static struct target_flags flags_of(const struct activation_values *o, const struct args *a, bool all)
{
	static const char *const every[] = { "all", NULL };
	const struct verb *v = &verb_check_activation;
	struct target_flags f = { .goos = o->goos,
				  .goarch = o->goarch,
				  .go = o->go,
				  .tags = o->tags,
				  .experiment = o->experiment };

	f.mod = opt_given(v, a, "mod") ? mods[o->mod_word] : NULL;
	f.compiler = opt_given(v, a, "compiler") ? compilers[o->compiler_word] : NULL;
	f.cgo = opt_given(v, a, "cgo") ? o->cgo : -1;
	f.race = o->race ? 1 : -1;
	f.msan = o->msan ? 1 : -1;
	f.asan = o->asan ? 1 : -1;
	f.matrix = o->matrix.v;
	f.n_matrix = o->matrix.n;
	/* Of a file it is asked where it is built at all. */
	if (all && !f.n_matrix && !f.goos && !f.goarch) {
		f.matrix = every;
		f.n_matrix = 1;
	}
	return f;
}

static int choose(struct activation *a, struct err *e)
{
	a->sels = arena_alloc(&a->env.mem, (a->env.n + 1) * sizeof(*a->sels));
	if (!a->sels)
		return no_memory(e);
	for (size_t i = 0; i < a->env.n; i++) {
		int r = select_files(&a->tree, &a->env.targets[i], &a->sels[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void release(struct activation *a)
{
	for (size_t i = 0; a->sels && i < a->env.n; i++)
		selection_free(&a->sels[i]);
	src_tree_free(&a->tree);
	target_env_free(&a->env);
}

/* How the user would name what lies in dir: nothing before it when that is here. */
static const char *prefix_of(struct arena *mem, const char *dir)
{
	struct span s = span_of(dir);

	while (span_skip(&s, S("./")))
		;
	if (!s.n || span_eq(s, S(".")))
		return "";
	return arena_printf(mem, "%.*s%s", SPAN_ARG(s), s.p[s.n - 1] == '/' ? "" : "/");
}

static int read_tree(struct activation *a, const struct target_flags *f, const char *dir, bool flat,
		     struct err *e)
{
	int r = target_env_read(f, dir, &a->env, e);

	if (r < 0)
		return r;
	const struct src_options so = { .work = a->env.work,
					.flags = a->env.flags,
					.go = a->env.n ? a->env.targets[0].go : 0,
					.mod = a->env.mod,
					.flat = flat };
	r = src_tree_read(dir, &so, &a->tree, e);
	if (r < 0)
		return r;
	a->prefix = prefix_of(&a->env.mem, dir);
	return a->prefix ? choose(a, e) : no_memory(e);
}

/* ---- the answer ---- */

static int fail(struct checked *out, struct activation *a, int r, const struct err *e)
{
	report_free(&out->report);
	release(a);
	say_error("%s", e->msg);
	return r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
}

static void count(struct checked *out, const struct activation *a)
{
	size_t listed = 0;

	for (size_t i = 0; i < a->tree.n; i++) {
		bool any = false;
		for (size_t k = 0; k < a->env.n; k++)
			any |= a->sels[k].packages[i].listed;
		listed += any;
	}
	out->packages = (int64_t)listed;
	out->files = (int64_t)a->tree.files;
	for (size_t i = 0; i < a->tree.limits.n; i++)
		if (!list_add(&out->report.mem, &out->report.limits,
			      report_text(&out->report, "%s", a->tree.limits.v[i]).p))
			out->report.lost = true;
}

static int end(struct checked *out, struct activation *a, const struct activation_values *o)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct term t;

	count(out, a);
	out->modules = -1;
	out->bytes = -1;
	out->hide_notes = !o->notes;
	out->json = activation_json;
	out->ctx = a;
	out->fine = report_text(&out->report,
				TR("nothing wrong in %lld files of %lld packages",
				   "%lld 个文件（%lld 个包）均无问题"),
				(long long)out->files, (long long)out->packages)
			    .p;
	if (!o->checked.json) {
		term_open(&t, STDOUT_FILENO);
		activation_text(a, &t, &text);
		out->report.lost |= text.bad;
		term_flush(&t, &text);
	}
	int r = checked_end(out, &o->checked);
	release(a);
	return r;
}

/* ---- files ---- */

/* Go refuses the package whatever the target: then it matters little what it would have built of it. */
static int refused_everywhere(const struct activation *a, struct report *r, struct err *e)
{
	bool all = a->env.n > 0;

	for (size_t i = 0; i < a->env.n; i++)
		all &= a->sels[i].packages[0].refused != NULL;
	if (all)
		return select_refused(a->sels, a->env.n, a->prefix, r, e);
	return select_modules_refused(&a->tree.mods, a->prefix, r) < 0 ? no_memory(e) : 0;
}

/* Each in the tree of its own folder. */
static int check_file(const struct activation_values *o, const struct args *args, const char *path)
{
	struct activation a = { 0 };
	struct checked out = { .packages = -1 };
	struct arena mem = { 0 };
	struct err e = { 0 };
	struct target_flags f = flags_of(o, args, true);
	const char *dir = arena_str(&mem, path_dir(span_of(path)));
	const struct src_file *only = NULL;
	int r = dir ? read_tree(&a, &f, dir, true, &e) : no_memory(&e);

	if (r == 0) {
		const struct src_dir *d = a.tree.dirs[0];
		for (size_t i = 0; i < d->n; i++)
			if (span_eq(span_of(d->files[i].name), path_base(span_of(path))))
				only = &d->files[i];
		if (!only)
			r = err_set(&e, ENOENT,
				    TR("%s is no source file that go looks at", "%s 不是 go 会查看的源文件"),
				    path);
	}
	arena_free(&mem);
	if (r == 0)
		r = refused_everywhere(&a, &out.report, &e);
	if (r < 0)
		return fail(&out, &a, r, &e);
	a.only = &only;
	a.n_only = 1;
	return end(&out, &a, o);
}

/* Registrations that are never reached, in each target. */
static int check_registrations(const struct activation *a, struct checked *out, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < a->env.n && r == 0; i++) {
		struct registration g = { .sel = &a->sels[i], .report = &out->report, .prefix = a->prefix };
		r = registration_check(&g, e);
	}
	return r;
}

static int run(void *values, const struct args *args)
{
	const struct activation_values *o = values;
	struct activation a = { .files = o->files };
	struct checked out = { .packages = -1 };
	struct arena mem = { 0 };
	struct err e = { 0 };
	bool file = args->n && is_file(args->v[0]);
	int worst = 0;

	if (o->rules)
		return activation_rules();
	if (opt_given(&verb_check_activation, args, "matrix") && (o->goos || o->goarch))
		return say_usage("check activation", TR("--matrix or --goos and --goarch, not both",
							"--matrix 与 --goos、--goarch 不能同用"));
	if (o->graph && (file || o->checked.json || o->checked.sarif ||
			 opt_given(&verb_check_activation, args, "matrix")))
		return say_usage("check activation", TR("--graph is for one folder and one target",
							"--graph 只用于一个目录和一个目标"));
	if (args->n > 1 && (!file || o->checked.json || o->checked.sarif))
		return say_usage("check activation", TR("one folder, or files (one with --json or --sarif)",
							"一个目录，或若干文件（--json 或 --sarif 时一个）"));
	for (size_t i = 0; i < args->n && file; i++) {
		int r = check_file(o, args, args->v[i]);
		worst = r > worst ? r : worst;
	}
	if (file)
		return worst;
	struct target_flags f = flags_of(o, args, false);
	const char *dir = folder_of(&mem, args->n ? args->v[0] : ".");
	int r = dir ? read_tree(&a, &f, dir, false, &e) : no_memory(&e);
	if (r == 0 && o->graph) {
		int status = initgraph_show(&a, o->graph);
		arena_free(&mem);
		release(&a);
		return status;
	}
	if (r == 0)
		r = select_refused(a.sels, a.env.n, a.prefix, &out.report, &e);
	if (r == 0 && !o->no_traps)
		r = check_registrations(&a, &out, &e);
	if (r == 0 && !o->no_traps)
		r = activation_traps(&a, dir, o->ldflags, &out.report, &e);
	arena_free(&mem);
	return r < 0 ? fail(&out, &a, r, &e) : end(&out, &a, o);
}

/* clang-format off */
#define AT(field) offsetof(struct activation_values, field)
static const struct opt opts[] = {
	{ "goos", 0, OPT_STRING, AT(goos), { "OS", "系统" }, { "the system that is built for; else GOOS, else this one", "目标系统；默认取 GOOS，否则为本机" }, NULL, 0 },
	{ "goarch", 0, OPT_STRING, AT(goarch), { "ARCH", "架构" }, { "the architecture that is built for; else GOARCH, else this one", "目标架构；默认取 GOARCH，否则为本机" }, NULL, 0 },
	{ "matrix", 0, OPT_CSV, AT(matrix), { "OS/ARCH,…|all", "系统/架构,…|all" }, { "several targets at once, or every one that this go builds for; of a file that is the default", "一次检查多个目标，或该 go 支持的所有目标；检查单个文件时默认为 all" }, NULL, 0 },
	{ "tags", 0, OPT_STRING, AT(tags), { "TAG,…", "标签,…" }, { "as go's -tags; else those of GOFLAGS", "同 go 的 -tags；默认取 GOFLAGS" }, NULL, 0 },
	{ "cgo", 0, OPT_WORD, AT(cgo), { "on|off", "on|off" }, { "as CGO_ENABLED; else what go would do here", "同 CGO_ENABLED；默认与 go 在此处的行为一致" }, switches, 0 },
	{ "go", 0, OPT_STRING, AT(go), { "VERSION", "版本" }, { "the Go that builds this; else the go on PATH, as GOTOOLCHAIN says", "用来构建的 Go 版本；默认取 PATH 中的 go，并遵循 GOTOOLCHAIN" }, NULL, 0 },
	{ "race", 0, OPT_FLAG, AT(race), { NULL, NULL }, { "as go's -race", "同 go 的 -race" }, NULL, 0 },
	{ "msan", 0, OPT_FLAG, AT(msan), { NULL, NULL }, { "as go's -msan", "同 go 的 -msan" }, NULL, 0 },
	{ "asan", 0, OPT_FLAG, AT(asan), { NULL, NULL }, { "as go's -asan", "同 go 的 -asan" }, NULL, 0 },
	{ "mod", 0, OPT_WORD, AT(mod_word), { "readonly|mod|vendor", "readonly|mod|vendor" }, { "as go's -mod", "同 go 的 -mod" }, mods, 0 },
	{ "compiler", 0, OPT_WORD, AT(compiler_word), { "gc|gccgo", "gc|gccgo" }, { "as go's -compiler", "同 go 的 -compiler" }, compilers, 0 },
	{ "experiment", 0, OPT_STRING, AT(experiment), { "NAME,…", "名称,…" }, { "as GOEXPERIMENT", "同 GOEXPERIMENT" }, NULL, 0 },
	{ "files", 0, OPT_FLAG, AT(files), { NULL, NULL }, { "list the files that are built too", "也列出参与构建的文件" }, NULL, 0 },
	{ "ldflags", 0, OPT_STRING, AT(ldflags), { "FLAGS", "参数" }, { "as go's -ldflags: is there what its -X sets? Those of GOFLAGS, scripts and pipelines are looked at anyway", "同 go 的 -ldflags：其 -X 所设的变量是否存在；GOFLAGS、脚本和流水线中的总会检查" }, NULL, 0 },
	{ "no-traps", 0, OPT_FLAG, AT(no_traps), { NULL, NULL }, { "only which files are built and why not: no look for traps and registrations, which reads more than the heads of files", "只看哪些文件参与构建及原因：不检查陷阱和注册（它们不止读取文件头）" }, NULL, 0 },
	{ "rules", 0, OPT_FLAG, AT(rules), { NULL, NULL }, { "list the rules, why and what to do", "列出规则、原因和处理办法" }, NULL, 0 },
	{ "notes", 0, OPT_FLAG, AT(notes), { NULL, NULL }, { "show notes too", "也显示提示级发现" }, NULL, 0 },
	{ "graph", 0, OPT_FILE, AT(graph), { "FILE.svg|FILE.dot|-", "文件.svg|文件.dot|-" }, { "instead, draw what the programs there import and the order of initialisation; - and `text` write it as text, `svg` and `dot` to standard output", "改为绘制程序的导入关系和初始化顺序；- 与 `text` 以文本输出，`svg`、`dot` 输出到标准输出" }, NULL, 0 },
	CHECKED_OPTS,
};

const struct verb verb_check_activation = {
	.name = "check activation", .opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct activation_values), .run = run,
	.args = { "[DIR | FILE…]", "[目录 | 文件…]" }, .files = true,
	.brief = { "which files are in the build, and for every other one why not", "哪些文件参与构建，其余的为什么不参与" },
	.text = { "Reads the heads of the source files at DIR as the go command does, and says of every file that is left out of the build what decided: its name, a build line, cgo, "
		  "its package. Of a FILE it says in which targets it is built. Nothing is built or started.\n\n"
		  "  tocsin check activation\n"
		  "  tocsin check activation --tags integration --goos windows\n"
		  "  tocsin check activation --matrix all --json\n"
		  "  tocsin check activation store/x_windows.go\n\n"
		  "The target is that of the environment: GOOS, GOARCH, CGO_ENABLED, GOFLAGS, `go env -w`, and the go on PATH.\n\n"
		  "Exit status: 0 no errors; 1 errors (warnings too under --strict); 2 wrong usage or unreadable input; 125 Tocsin's own failure.",
		  "像 go 命令一样读取目录下源文件的文件头，对每个不参与构建的文件说明决定因素：文件名、构建约束、cgo、包名。对单个文件则说明它在哪些目标中参与构建。不构建、不启动任何程序。\n\n"
		  "  tocsin check activation\n"
		  "  tocsin check activation --tags integration --goos windows\n"
		  "  tocsin check activation --matrix all --json\n"
		  "  tocsin check activation store/x_windows.go\n\n"
		  "目标取自环境：GOOS、GOARCH、CGO_ENABLED、GOFLAGS、`go env -w` 以及 PATH 中的 go。\n\n"
		  "退出状态：0 没有错误；1 有错误（--strict 时含警告）；2 用法错误或输入无法读取；125 Tocsin 自身故障。" },
};
/* clang-format on */
