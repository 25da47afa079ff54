#include "cli/modding.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/mod_latest.h"
#include "cli/say.h"
#include "mod/check.h"
#include "parse/version.h"
#include "run/git.h"
#include "run/gocmd.h"

/* `tocsin mod check`: the module files, before a build fails for them. */

struct check_values {
	struct checked_values checked; /* must stand first */
	const char *go;
	bool show_allowed, notes, rules, network;
};

/* ---- the surroundings ---- */

static const char *find_modcache(struct arena *mem)
{
	const char *own = gocmd_setting(mem, "GOMODCACHE"), *gopath = gocmd_setting(mem, "GOPATH"), *home = getenv("HOME");
	struct span first = span_of(gopath);

	if (own)
		return own;
	first = span_cut(&first, ':');
	if (first.n)
		return arena_printf(mem, "%.*s/pkg/mod", SPAN_ARG(first));
	return home && *home ? arena_printf(mem, "%s/go/pkg/mod", home) : NULL;
}

static void find_netrc(struct arena *mem, struct mod_check *c)
{
	const char *own = getenv("NETRC"), *home = getenv("HOME");

	if (own && *own) {
		c->netrc = c->netrc_shown = own;
	} else if (home && *home) {
		c->netrc = arena_printf(mem, "%s/.netrc", home);
		c->netrc_shown = "~/.netrc";
	}
}

/* The go that builds: as --go says, else the one on PATH. */
static int find_go(struct arena *mem, const char *flag, struct mod_check *c, struct err *e)
{
	struct gotool tool;

	if (flag) {
		c->go = span_of(flag);
		span_skip(&c->go, S("go"));
		c->go_local = true;
		return goversion_valid(c->go) ? 0
					      : err_set(e, EINVAL,
							TR("--go: not a version of Go, such as 1.22 or 1.22.3: %s",
							   "--go：不是 Go 版本（如 1.22 或 1.22.3）：%s"),
							flag);
	}
	if (gocmd_installed(mem, &tool, NULL) < 0)
		return 0;
	struct span version = span_of(tool.version);
	version = goversion_of_toolchain(span_cut(&version, ' '));
	if (!version.n)
		return 0;
	const char *mode = gocmd_toolchain(mem, &tool);
	c->go = version;
	c->go_local = !mode || strcmp(mode, "local") == 0;
	return 0;
}

static void find_repository(struct arena *mem, struct mod_check *c)
{
	struct git_where w;

	if (git_where(c->tree->top, mem, &w, NULL) < 0 || !w.top)
		return;
	c->repository = w.top;
	c->on_base = w.branch && ((w.base && !strcmp(w.branch, w.base)) || !strcmp(w.branch, "main") || !strcmp(w.branch, "master"));
}

/* ---- what is printed ---- */

static int list_rules(const struct checked_values *o)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct term t;

	if (o->json || o->sarif)
		return say_usage("mod check",
				 TR("--rules is for reading: not with --json or --sarif", "--rules 供阅读：不能与 --json 或 --sarif 同用"));
	term_open(&t, STDOUT_FILENO);
	for (size_t i = 0; i < mod_rule_count; i++) {
		const struct mod_rule *r = &mod_rules[i];
		say_paint(&text, &t, PAINT_BOLD, r->id);
		buf_addf(&text, "  %s, %s\n", severity_word(r->severity), cause_table[r->cause].id);
		say_pad(&text, 4);
		say_wrap(&text, span_of(tx(r->what)), 4, 4, t.tty ? t.width : SIZE_MAX);
		buf_addc(&text, '\n');
		say_pad(&text, 4);
		buf_adds(&text, "→ ");
		say_wrap(&text, span_of(tx(r->fix)), 6, 6, t.tty ? t.width : SIZE_MAX);
		buf_addc(&text, '\n');
	}
	term_flush(&t, &text);
	return t.dead && !t.gone ? EXIT_OWN : EXIT_OK;
}

static void say_allowed(struct checked *out, const struct mod_check *c)
{
	if (!c->allowed)
		return;
	struct span text = report_text(
		&out->report, TR("%zu findings are allowed by `tocsin:allow` comments%s", "`tocsin:allow` 注释放行了 %zu 个发现%s"),
		c->allowed, c->show_allowed ? "" : TR(" (--show-allowed lists them)", "（--show-allowed 可列出）"));
	if (text.p && !list_add(&out->report.mem, &out->report.limits, text.p))
		out->report.lost = true;
}

static int end(struct checked *out, const struct mod_check *c, const struct check_values *o)
{
	out->modules = c->modules;
	out->files = c->files;
	out->bytes = c->bytes;
	out->hide_notes = !o->notes;
	say_allowed(out, c);
	out->fine = report_text(&out->report, TR("nothing wrong in %lld files of %lld modules", "%lld 个文件（%lld 个模块）均无问题"),
				(long long)c->files, (long long)c->modules)
			    .p;
	return checked_end(out, &o->checked);
}

static int fail(struct checked *out, int r, const struct err *e)
{
	report_free(&out->report);
	say_error("%s", e->msg);
	return r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
}

static int run(void *values, const struct args *a)
{
	const struct check_values *o = values;
	CLEANUP(mod_tree_close) struct mod_tree tree = { 0 };
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(latest_close) struct latest latest = { 0 };
	struct checked out = { .packages = -1 };
	struct mod_check c = { .tree = &tree, .report = &out.report, .show_allowed = o->show_allowed || o->checked.json };
	struct err e = { 0 };

	if (o->rules)
		return list_rules(&o->checked);
	if (a->n > 1)
		return say_usage("mod check", TR("one folder at most", "最多一个目录"));
	int r = find_go(&mem, o->go, &c, &e);
	if (r == 0)
		r = mod_tree_open_flags(a->n ? a->v[0] : NULL, gocmd_setting(&mem, "GOWORK"), gocmd_setting(&mem, "GOFLAGS"), &tree, &e);
	if (r < 0)
		return fail(&out, r, &e);
	c.modcache = find_modcache(&mem);
	const char *proxy = gocmd_setting(&mem, "GOPROXY");
	c.proxy = proxy ? proxy : "https://proxy.golang.org,direct";
	find_netrc(&mem, &c);
	find_repository(&mem, &c);
	if (o->network) {
		r = latest_ask(&latest, &tree, c.proxy, c.netrc, &mem, &e);
		if (r < 0)
			return fail(&out, r, &e);
		c.latest = latest_of;
		c.ctx = &latest;
		if (latest.failed &&
		    !list_add(&out.report.mem, &out.report.limits,
			      report_text(&out.report,
					  TR("the newest version of %zu modules is not known: %s", "%zu 个模块的最新版本未知：%s"),
					  latest.failed, latest.why)
				      .p))
			out.report.lost = true;
	}
	r = mod_check(&c, &e);
	return r < 0 ? fail(&out, r, &e) : end(&out, &c, o);
}

/* clang-format off */
#define AT(field) offsetof(struct check_values, field)
static const struct opt opts[] = {
	{ "go", 0, OPT_STRING, AT(go), { "VERSION", "版本" }, { "the Go that builds this, without fetching another one; else the go on PATH, as GOTOOLCHAIN says", "用来构建的 Go 版本（不再下载其他版本）；默认取 PATH 中的 go，并遵循 GOTOOLCHAIN" }, NULL, 0 },
	{ "network", 0, OPT_FLAG, AT(network), { NULL, NULL }, { "ask the proxies of GOPROXY which versions were retracted; else what the module cache knows", "向 GOPROXY 询问哪些版本已撤回；默认只看模块缓存" }, NULL, 0 },
	{ "notes", 0, OPT_FLAG, AT(notes), { NULL, NULL }, { "show notes too", "也显示提示级发现" }, NULL, 0 },
	{ "show-allowed", 0, OPT_FLAG, AT(show_allowed), { NULL, NULL }, { "show, as notes, what `tocsin:allow` comments let pass", "以提示形式显示 `tocsin:allow` 注释放行的发现" }, NULL, 0 },
	{ "rules", 0, OPT_FLAG, AT(rules), { NULL, NULL }, { "list the rules, why and what to do", "列出规则、原因和处理办法" }, NULL, 0 },
	CHECKED_OPTS,
};

const struct verb verb_mod_check = {
	.name = "mod check", .opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct check_values), .run = run,
	.args = { "[DIR]", "[目录]" },
	.brief = { "find what is wrong with go.mod, go.sum, go.work, vendor/ and .netrc", "检查 go.mod、go.sum、go.work、vendor/ 和 .netrc 的问题" },
	.text = { "Reads the files of the module or workspace at DIR, and go.mod files of dependencies in the module cache. Nothing is built, started or downloaded; --network asks for "
		  "retractions. An error is what go refuses; a warning what fails elsewhere (on another machine, with GOWORK=off, in another order) or should not stay; a note "
		  "is worth knowing, and is shown with --notes, in JSON and in SARIF.\n\n"
		  "  tocsin mod check\n"
		  "  tocsin mod check --go 1.22 --strict\n\n"
		  "A comment on a line of go.mod or go.work, or above it, lets findings there pass: `// tocsin:allow REASON`, or of some rules only: `// tocsin:allow replace.outside REASON`. "
		  "On the module line, a rule that is named passes in the whole file, its go.sum and its vendor/modules.txt. `tocsin mod check --rules` lists the rules.\n\n"
		  "Exit status: 0 no errors; 1 errors (warnings too under --strict); 2 wrong usage or unreadable input; 125 Tocsin's own failure.",
		  "读取目录处模块或工作区的文件，以及模块缓存中依赖的 go.mod。不构建、不启动任何程序、不下载；--network 会查询撤回信息。错误是 go 会拒绝的；警告是换个环境（另一台机器、GOWORK=off、不同顺序）会失败或不应保留的；"
		  "提示仅供了解，用 --notes、JSON 或 SARIF 查看。\n\n"
		  "  tocsin mod check\n"
		  "  tocsin mod check --go 1.22 --strict\n\n"
		  "在 go.mod 或 go.work 某行之上或行尾的注释可以放行该处的发现：`// tocsin:allow 原因`；或仅放行部分规则：`// tocsin:allow replace.outside 原因`。写在 module 行上并点名的规则，对整个文件及其 go.sum、vendor/modules.txt 放行。"
		  "`tocsin mod check --rules` 列出所有规则。\n\n"
		  "退出状态：0 没有错误；1 有错误（--strict 时含警告）；2 用法错误或输入无法读取；125 Tocsin 自身故障。" },
};
/* clang-format on */
