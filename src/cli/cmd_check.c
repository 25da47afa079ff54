#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/check_lint.h"
#include "cli/cmd.h"
#include "cli/open_store.h"
#include "cli/run_config.h"
#include "cli/say.h"
#include "model/fingerprint.h"
#include "model/redact_report.h"
#include "run/git.h"
#include "run/run.h"

#define FIX_ROUNDS 10 /* of edits that overlap; what is left after them is told */

static const struct verb *const subs[] = { &verb_check_activation, &verb_check_active, &verb_check_rules,
					   NULL };

/* Everything of one `tocsin check`. */
struct lint_out {
	struct lint_text text; /* must stand first: it is the context of check_text */
	const struct lint_values *o;
	const struct check_format *format;
	struct lint_settings settings;
	struct lint_result lint;
	struct buf stdin_text, diff, prefix;
	struct fix_sum fixed;
	struct checked out;
	int64_t began, shown;
};

/* ---- what is looked at ---- */

static void show_progress(void *ctx, size_t done, size_t all)
{
	struct lint_out *x = ctx;
	int64_t now = time_mono();

	if (now - x->began < NSEC_PER_SEC || now - x->shown < NSEC_PER_SEC / 5)
		return;
	x->shown = now;
	fprintf(stderr, TR("\rtocsin: %zu of %zu files\033[K", "\rtocsin：%zu / %zu 个文件\033[K"), done,
		all);
}

static int read_stdin(struct lint_out *x, struct err *e)
{
	x->stdin_text.max = LINT_FILE_BYTES;
	int r = file_slurp("/dev/stdin", &x->stdin_text, e);

	if (r < 0)
		return r;
	x->settings.options.text_path = x->o->stdin_name;
	x->settings.options.text = x->stdin_text.len ? buf_view(&x->stdin_text) : S("");
	return 0;
}

/* One folder that lies elsewhere is a tree of its own; its files are shown as they were named. */
int lint_choose_root(const struct args *a, struct lint_options *o, struct buf *prefix, struct err *e)
{
	char here[PATH_MAX], there[PATH_MAX];
	struct stat s;

	o->root = ".";
	o->paths = a->v;
	o->n_paths = a->n;
	if (a->n != 1 || stat(a->v[0], &s) < 0 || !S_ISDIR(s.st_mode) || !realpath(".", here) ||
	    !realpath(a->v[0], there))
		return 0;
	struct span below = span_of(there);
	if (span_skip(&below, span_of(here)) && (!below.n || *below.p == '/'))
		return 0;
	o->root = a->v[0];
	o->n_paths = 0;
	buf_addf(prefix, "%s%s", a->v[0], a->v[0][strlen(a->v[0]) - 1] == '/' ? "" : "/");
	return prefix->bad ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : 0;
}

static int look(struct lint_out *x, struct err *e)
{
	lint_result_free(&x->lint);
	int r = lint_run(&x->settings.options, &x->lint, e);

	if (x->shown)
		fputs("\r\033[K", stderr);
	x->shown = 0;
	if (r == 0)
		lint_settings_apply(&x->settings, &x->lint);
	if (r == 0 && x->o->new_from)
		r = lint_keep_new(x->o->new_from, x->settings.options.root, &x->lint, e);
	return r;
}

/* Mended files are looked at again: what is still found, and edits that had to wait. */
static int mend(struct lint_out *x, bool fix, struct err *e)
{
	bool all = fix && x->o->fix_how == 1;
	int r = 0;

	for (int round = 0; round < FIX_ROUNDS && r == 0; round++) {
		struct fix_sum sum = { .again = round > 0 };
		r = lint_fix_files(&x->lint, &x->settings.options, buf_str(&x->prefix), all,
				   x->o->diff ? &x->diff : NULL, &sum, e);
		x->fixed.fixed += sum.fixed;
		x->fixed.files = sum.files > x->fixed.files ? sum.files : x->fixed.files;
		x->fixed.left = sum.left;
		if (x->o->diff || !sum.fixed || r < 0)
			break;
		r = look(x, e);
	}
	if (r == 0 && !x->o->diff && x->fixed.fixed)
		say_error(x->fixed.files == 1
				  ? COUNTED(x->fixed.fixed, "mended %zu finding in %zu file",
					    "mended %zu findings in %zu file", "已修复 %zu 处，共 %zu 个文件")
				  : TR("mended %zu findings in %zu files", "已修复 %zu 处，共 %zu 个文件"),
			  x->fixed.fixed, x->fixed.files);
	return r;
}

/* ---- the report ---- */

static void copy_edits(struct report *r, struct finding *f, const struct lint_finding *x)
{
	f->edits = x->n_edits ? arena_alloc(&r->mem, x->n_edits * sizeof(*f->edits)) : NULL;
	r->lost |= x->n_edits && !f->edits;
	for (size_t i = 0; i < x->n_edits && f->edits; i++, f->n_edits++) {
		const struct lint_place *at = &x->edits[i].at;
		f->edits[i] = (struct edit){ .line = at->line,
					     .column = at->column,
					     .end_line = at->end_line,
					     .end_column = at->end_column,
					     .wide = at->wide,
					     .end_wide = at->end_wide,
					     .text = x->edits[i].text };
	}
	f->edits_safe = x->edits_safe;
}

static void report_one(struct report *r, const struct lint_finding *x, const char *prefix)
{
	CLEANUP(buf_free) struct buf text = { 0 }, advice = { 0 };

	lint_message(x, &text);
	lint_fill(x, x->rule->advice, &advice);
	struct finding *f = report_say(r, CAUSE_CHECK_RULE, "%s", buf_str(&text));
	if (!f)
		return;
	f->severity = x->severity;
	f->rule = x->rule->id;
	f->advice = report_text(r, "%s", buf_str(&advice));
	f->file = report_text(r, "%s%s", prefix, x->path);
	f->line = x->at.line;
	f->column = x->at.column;
	f->end_line = x->at.end_line;
	f->end_column = x->at.end_column;
	f->wide = x->at.wide;
	f->end_wide = x->at.end_wide;
	f->excerpt = x->line.n ? report_text(r, "%.*s", SPAN_ARG(x->line)) : (struct span){ 0 };
	copy_edits(r, f, x);
	r->lost |= text.bad || advice.bad;
}

static void report_limits(struct report *r, const struct lint_result *l)
{
	for (size_t i = 0; i < l->n_limits; i++) {
		struct span text = report_text(r, "%s", l->limits[i]);
		r->lost |= !text.p || !list_add(&r->mem, &r->limits, text.p);
	}
}

/* Where this is in the repository, for those who name files from its top. */
static void find_place(struct report *r)
{
	char here[PATH_MAX];
	struct git_where w;
	struct err e;

	if (!realpath(".", here) || git_where(here, &r->mem, &w, &e) < 0 || !w.top)
		return;
	struct span below = span_of(here);
	if (span_skip(&below, span_of(w.top)) && span_skip(&below, S("/")) && below.n)
		r->cwd = report_text(r, "%.*s", SPAN_ARG(below)).p;
	r->repository = w.remote;
	r->ci.commit = w.commit;
	r->ci.branch = w.branch;
}

/* Fingerprints are of what is told: without secrets. */
static int report_lint(struct lint_out *x, struct err *e)
{
	struct report *r = &x->out.report;
	const struct lint_values *o = x->o;
	bool whole = !x->settings.options.n_paths && !o->stdin_name && !o->new_from && !o->only.n &&
		     !o->skip.n;
	int err = 0;

	for (size_t i = 0; i < x->lint.n; i++)
		report_one(r, &x->lint.findings[i], buf_str(&x->prefix));
	report_limits(r, &x->lint);
	find_place(r);
	if (r->lost || report_redact(NULL, r) < 0)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (o->baseline && o->baseline_write)
		err = baseline_write(o->baseline, r, e);
	if (o->baseline && err == 0)
		err = baseline_apply(o->baseline, r, whole, &x->text.baseline, e);
	for (size_t i = 0; i < r->n_findings; i++) {
		fingerprint_make(r, &r->findings[i], r->findings[i].fingerprint);
		if (r->findings[i].severity == SEV_ERROR ||
		    (o->checked.strict && r->findings[i].severity == SEV_WARNING))
			r->exit_code = EXIT_WRONG;
	}
	return err;
}

static void json_more(void *ctx, struct json_out *j)
{
	const struct lint_out *x = ctx;

	json_member_int(j, "allowed", (int64_t)x->lint.allowed);
	json_member_int(j, "cached", (int64_t)x->lint.cached);
	json_member_int(j, "unparsed", (int64_t)x->lint.errors);
	if (x->o->baseline) {
		json_member_open(j, "baseline", '{');
		json_member_int(j, "known", (int64_t)x->text.baseline.known);
		json_member_int(j, "stale", (int64_t)x->text.baseline.stale);
		json_close(j, '}');
	}
}

/* It shows lines of files: no secret of theirs, and on a terminal nothing that could steer it. */
static void put_diff(struct span diff, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	if (redact_text(NULL, diff, &clean))
		say_error(TR(
			"the patch does not show secrets, so it cannot be applied there: --fix writes the files",
			"补丁不显示机密，相应位置无法应用：请用 --fix 直接写入文件"));
	if (t->tty)
		text_clean(buf_view(&clean), true, b);
	else
		buf_span(b, buf_view(&clean));
	b->bad |= clean.bad;
}

static void text_or_diff(void *ctx, const struct term *t, struct buf *b)
{
	struct lint_out *x = ctx;

	if (x->o->diff)
		put_diff(buf_view(&x->diff), t, b);
	else
		check_text(ctx, t, b);
}

static int tell(struct lint_out *x)
{
	struct checked *c = &x->out;

	c->modules = c->packages = -1;
	c->files = (int64_t)x->lint.files;
	c->bytes = (int64_t)x->lint.bytes;
	c->ctx = x;
	c->json = json_more;
	c->text = text_or_diff;
	c->own_sum = true;
	c->output = x->o->output;
	c->write = x->format->write;
	x->text.report = &c->report;
	x->text.lint = &x->lint;
	run_tell_outer(&c->report);
	for (size_t i = 0; x->o->diff && i < c->report.limits.n; i++)
		say_error("%s", c->report.limits.v[i]); /* what is printed is a patch */
	if (x->o->diff)
		c->report.limits.n = 0;
	struct checked_values v = x->o->checked;
	v.json |= !strcmp(x->format->name, "json");
	return checked_end(c, &v);
}

/* ---- the verb ---- */

static int check_values(const struct lint_values *o, const struct args *a, struct err *e)
{
	bool fix = opt_given(&verb_check, a, "fix");

	if (o->checked.json && opt_given(&verb_check, a, "format") &&
	    strcmp(check_formats[o->format].name, "json") != 0)
		return err_set(e, EINVAL, TR("--json or --format, not both", "--json 与 --format 不能同用"));
	if (o->stdin_name && (a->n || fix))
		return err_set(e, EINVAL,
			       TR("--stdin-filename is for one text, which is not written",
				  "--stdin-filename 只用于一段文本，且不会写回"));
	if (o->baseline_write && !o->baseline)
		return err_set(e, EINVAL,
			       TR("--baseline-write needs --baseline FILE",
				  "--baseline-write 需要 --baseline 文件"));
	if (o->diff && check_formats[o->format].write)
		return err_set(e, EINVAL, TR("--diff has a format of its own", "--diff 有自己的格式"));
	if (o->no_config && o->config)
		return err_set(e, EINVAL,
			       TR("--config or --no-config, not both", "--config 与 --no-config 不能同用"));
	return 0;
}

static int work(struct lint_out *x, const struct args *a, struct err *e)
{
	bool fix = opt_given(&verb_check, a, "fix");
	int r = check_values(x->o, a, e);

	if (r == 0)
		r = lint_settings_read(x->o, &x->settings, e);
	if (r < 0)
		return r;
	if (x->settings.config)
		config_speak(x->settings.config);
	for (size_t i = 0; x->settings.config && i < x->settings.config->n_notes; i++)
		say_error("%s", x->settings.config->notes[i]);
	x->began = time_mono();
	if (isatty(STDERR_FILENO)) {
		x->settings.options.progress = show_progress;
		x->settings.options.ctx = x;
	}
	r = lint_choose_root(a, &x->settings.options, &x->prefix, e);
	if (r == 0 && x->o->stdin_name)
		r = read_stdin(x, e);
	if (r == 0)
		r = look(x, e);
	if (r == 0 && !x->lint.files && !x->lint.excluded && !(x->o->allow_empty && !x->lint.n_limits))
		r = err_set(e, ENOENT,
			    TR("nothing was checked: no file here is Go source, a script or a pipeline%s%s",
			       "没有检查任何文件：此处没有 Go 源码、脚本或流水线%s%s"),
			    x->lint.n_limits ? "; " : "", x->lint.n_limits ? x->lint.limits[0] : "");
	if (r == 0 && (fix || x->o->diff))
		r = mend(x, fix, e);
	return r == 0 ? report_lint(x, e) : r;
}

/* Of what else can be said there is nothing that a ranking could do with it: better refused than passed over. */
static int from_faults(const struct lint_values *o, const struct args *a)
{
	static const char *const others[] = { "format",         "output", "new-from", "baseline",
					      "baseline-write", "fix",    "diff",     "stdin-filename",
					      "sarif",          "strict" };
	char msg[160];

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (!opt_given(&verb_check, a, others[i]))
			continue;
		snprintf(msg, sizeof(msg),
			 TR("--from-faults and --%s do not go together", "--from-faults 与 --%s 不能同用"),
			 others[i]);
		return say_usage("check", msg);
	}
	return check_from_faults(o, a);
}

static int run(void *values, const struct args *a)
{
	const struct lint_values *o = values;
	struct lint_out x = { .o = o, .format = &check_formats[o->format] };
	struct err e = { 0 };

	if (o->lsp)
		return check_lsp(o);
	if (o->from_faults)
		return from_faults(o, a);
	int r = work(&x, a, &e);

	if (r < 0) {
		report_free(&x.out.report);
		say_error("%s", e.msg);
	}
	int status = r == 0 ? tell(&x) : r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
	lint_result_free(&x.lint);
	lint_settings_free(&x.settings);
	buf_free(&x.stdin_text);
	buf_free(&x.diff);
	buf_free(&x.prefix);
	return status;
}

/* clang-format off */
static const char *const fix_words[] = { "safe", "all", NULL };
#define AT(field) offsetof(struct lint_values, field)
static const struct opt opts[] = {
	{ "only", 0, OPT_CSV, AT(only), { "RULE,…", "规则,…" }, { "these rules alone, also those that are off by default: R01, or R for all of R", "只用这些规则（包括默认关闭的）：R01，或 R 表示全部 R 规则" }, NULL, 0 },
	{ "skip", 0, OPT_CSV, AT(skip), { "RULE,…", "规则,…" }, { "not these rules", "不用这些规则" }, NULL, 0 },
	{ "format", 0, OPT_WORD, AT(format), { "NAME", "名称" }, { "text, json, sarif, github (annotations), gitlab (Code Quality), checkstyle, rdjson, rdjsonl; the exit status is the same", "text、json、sarif、github（注解）、gitlab（Code Quality）、checkstyle、rdjson、rdjsonl；退出状态不变" }, check_format_names, 0 },
	{ "output", 0, OPT_FILE, AT(output), { "FILE", "文件" }, { "write it there, not to standard output", "写入该文件而不是标准输出" }, NULL, 0 },
	{ "new-from", 0, OPT_STRING, AT(new_from), { "REV", "版本" }, { "only what stands on lines that changed since the commit which REV and HEAD have in common", "只报告自 REV 与 HEAD 的共同提交以来改动过的行" }, NULL, 0 },
	{ "baseline", 0, OPT_INPUT, AT(baseline), { "FILE", "文件" }, { "what this file lists is known and not told again; what it lists in vain is told", "该文件列出的发现视为已知、不再报告；已失效的条目会列出" }, NULL, 0 },
	{ "baseline-write", 0, OPT_FLAG, AT(baseline_write), { NULL, NULL }, { "write all that is found now into the file of --baseline", "把当前的全部发现写入 --baseline 指定的文件" }, NULL, 0 },
	{ "fix", 0, OPT_MAYBE, AT(fix_how), { "safe|all", "safe|all" }, { "mend what can be mended without a doubt; all: also where somebody should look at it", "修复确定无疑的问题；all：也修复需要人工复核的问题" }, fix_words, 0 },
	{ "diff", 0, OPT_FLAG, AT(diff), { NULL, NULL }, { "show what --fix would change, and write nothing", "显示 --fix 将做的修改，不写入" }, NULL, 0 },
	{ "stdin-filename", 0, OPT_STRING, AT(stdin_name), { "NAME", "名称" }, { "check standard input as the file of this name", "把标准输入当作此名称的文件来检查" }, NULL, 0 },
	{ "allow-empty", 0, OPT_FLAG, AT(allow_empty), { NULL, NULL }, { "nothing to check is no failure: for hooks that name the files of a change, of whatever kind", "没有可检查的内容不算失败：供按改动文件逐个传参的钩子使用" }, NULL, 0 },
	{ "config", 0, OPT_INPUT, AT(config), { "FILE", "文件" }, { "the tocsin.yaml to read first (else TOCSIN_CONFIG, then the nearest one upward)", "首先读取的 tocsin.yaml（默认取 TOCSIN_CONFIG，再向上查找最近的）" }, NULL, 0 },
	{ "no-config", 0, OPT_FLAG, AT(no_config), { NULL, NULL }, { "read no tocsin.yaml", "不读取 tocsin.yaml" }, NULL, 0 },
	{ "cache", 0, OPT_STRING, AT(cache), { "FOLDER", "目录" }, { "where what is known of unchanged files is kept; else in the user's cache", "未改动文件的检查结果的保存位置；默认在用户缓存目录" }, NULL, 0 },
	{ "no-cache", 0, OPT_FLAG, AT(no_cache), { NULL, NULL }, { "look at everything anew, and keep nothing", "全部重新检查，且不保存" }, NULL, 0 },
	{ "lsp", 0, OPT_FLAG, AT(lsp), { NULL, NULL }, { "be a language server on standard input and output, for editors: diagnostics and quick fixes", "作为语言服务器在标准输入输出上为编辑器提供诊断和快速修复" }, NULL, 0 },
	{ "from-faults", 0, OPT_FLAG, AT(from_faults), { NULL, NULL }, { "rank the rules by the faults of the library that they would have prevented, first those that are broken here", "按规则本可预防的故障库记录给规则排序，此处违反的排在最前" }, NULL, 0 },
	OPT_STORE(struct lint_values),
	CHECKED_OPTS,
};
/* clang-format on */

const struct verb verb_check = {
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct lint_values),
	.run = run,
	.files = true,
	.args = { "[PATH…]", "[路径…]" },
	.name = "check",
	.brief = { "find failures before they happen: Go source, pipelines, activation",
		   "提前发现故障：Go 源码、流水线、代码激活" },
	.text = { "Reads Go source, workflows, Makefiles, scripts and Dockerfiles for failures that are built in: a recover that catches nothing, a test that cannot "
		  "fail, an exit status that a pipe drops, an alert that never fires. Without a path: everything below this folder, but vendor, testdata and node_modules.\n\n"
		  "  tocsin check\n"
		  "  tocsin check --only R,S02 cmd .github\n"
		  "  tocsin check --new-from origin/main --format github\n"
		  "  tocsin check --baseline .tocsin-baseline --baseline-write\n"
		  "  tocsin check --fix\n"
		  "  tocsin check --from-faults\n"
		  "  tocsin check rules R01\n"
		  "  tocsin check activation\n"
		  "  tocsin check active store.Open --binary ./server --pid 4711\n\n"
		  "A comment lets a finding pass: `//tocsin:allow R01 why` or `# tocsin:allow S02 why`, at the end of the line or on a line of its own above it; without a "
		  "reason it does not. `//nolint` and `//nolint:tocsin` are honoured. Rules are switched and weighed under `check:` in tocsin.yaml.\n\n"
		  "Exit status: 0 nothing wrong; 1 something is (an error; under --strict a warning); 2 wrong usage, or nothing could be checked; 125 Tocsin's own failure.",
		  "检查 Go 源码、工作流、Makefile、脚本和 Dockerfile 中与生俱来的故障：什么也捕获不到的 recover、不会失败的测试、被管道丢弃的退出状态、永远不会触发的告警。"
		  "不给路径时检查当前目录下的全部内容，vendor、testdata、node_modules 除外。\n\n"
		  "  tocsin check\n"
		  "  tocsin check --only R,S02 cmd .github\n"
		  "  tocsin check --new-from origin/main --format github\n"
		  "  tocsin check --baseline .tocsin-baseline --baseline-write\n"
		  "  tocsin check --fix\n"
		  "  tocsin check --from-faults\n"
		  "  tocsin check rules R01\n"
		  "  tocsin check activation\n"
		  "  tocsin check active store.Open --binary ./server --pid 4711\n\n"
		  "用注释放行：`//tocsin:allow R01 原因` 或 `# tocsin:allow S02 原因`，写在该行末尾或上方单独一行；没有原因则不放行。`//nolint` 和 `//nolint:tocsin` 同样有效。"
		  "在 tocsin.yaml 的 `check:` 下开关规则、设置严重程度。\n\n"
		  "退出状态：0 没有问题；1 有问题（错误；--strict 时包括警告）；2 用法错误，或没有可检查的内容；125 Tocsin 自身故障。" },
	.subs = subs,
};
