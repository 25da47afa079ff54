#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/project.h"
#include "cli/say.h"
#include "config/config.h"

#define WIDTH 100

struct init_values {
	bool force;
};

/* clang-format off */
static const struct opt opts[] = {
	{ "force", 0, OPT_FLAG, offsetof(struct init_values, force), { NULL, NULL },
	  { "write over a tocsin.yaml that is there", "覆盖已有的 tocsin.yaml" }, NULL, 0 },
};
/* clang-format on */

/* ---- the file ---- */

static void comment(struct buf *b, const char *text)
{
	CLEANUP(buf_free) struct buf lines = { 0 };

	say_wrap(&lines, span_of(text), 0, 0, WIDTH - 2);
	for (struct span rest = buf_view(&lines); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		buf_addf(b, "# %.*s\n", SPAN_ARG(line));
	}
}

/* "check" of "check.rules": keys that stand together below it. Absent: it stands by itself. */
static struct span section_of(enum config_id id)
{
	struct span name = config_name(id);
	size_t dot = span_chr(name, '.');

	return dot == SPAN_NONE ? (struct span){ 0 } : span_head(name, dot);
}

/* "#key: example", each of its lines behind a '#': without it, it holds. */
static void example(struct buf *b, enum config_id id)
{
	struct span rest = span_of(config_keys[id].example), section = section_of(id);
	const char *indent = section.n ? "  " : "";

	buf_addf(b, "#%s%.*s:%s", indent, SPAN_ARG(span_from(config_name(id), section.n ? section.n + 1 : 0)), rest.n && rest.p[0] != '\n' ? " " : "");
	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		buf_addf(b, "%.*s\n%s%s", SPAN_ARG(line), rest.n ? "#" : "", rest.n ? indent : "");
	}
}

static void one_key(struct buf *b, const struct project *p, enum config_id id)
{
	const struct config_key *k = &config_keys[id];
	CLEANUP(buf_free) struct buf doc = { 0 };

	buf_adds(&doc, tx(k->doc));
	for (size_t i = 0; k->words && k->words[i]; i++)
		buf_addf(&doc, "%s%s", i ? ", " : TR(". One of ", "。可选："), k->words[i]);
	if (k->unset)
		buf_addf(&doc, TR(" (default: %s)", "（默认：%s）"), k->unset);
	buf_adds(&doc, k->flags & CONFIG_LATER ? TR(". Not used by this version", "。此版本尚未使用") : "");
	buf_addc(b, '\n');
	if (section_of(id).n && (!id || !span_eq(section_of(id), section_of(id - 1))))
		buf_addf(b, "#%.*s:\n", SPAN_ARG(section_of(id)));
	comment(b, buf_str(&doc));
	if (id == CFG_BASE_BRANCH && p->base_branch) {
		buf_adds(b, "base_branch: ");
		config_put_text(b, p->base_branch);
		buf_addc(b, '\n');
	} else {
		example(b, id);
	}
}

static void make_file(struct buf *b, const struct project *p)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf others = { 0 };

	buf_adds(&text, TR("How Tocsin treats this project", "Tocsin 如何对待本项目"));
	if (p->module) {
		buf_adds(&text, TR(", the module ", "，模块 "));
		text_clean(span_of(p->module), false, &text);
	}
	buf_adds(
		&text,
		TR(". A line that begins with '#' and a key is an example: take the '#' away and it holds. `tocsin config check` says whether all is "
		   "right, `tocsin config explain` what holds and why.",
		   "。以“#”加键名开头的行是示例：去掉“#”即生效。`tocsin config check` 检查是否正确，`tocsin config explain` 说明生效的值及其来源。"));
	comment(b, buf_str(&text));
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		if (!config_is_top(id))
			continue;
		if (config_keys[id].flags & CONFIG_TRUSTED)
			buf_addf(&others, "%s%.*s", others.len ? ", " : "", SPAN_ARG(config_name(id)));
		else
			one_key(b, p, id);
	}
	buf_clear(&text);
	buf_addf(
		&text,
		TR("Not here: %s. A file that comes with the code is not trusted with them; they belong into ~/.config/tocsin/tocsin.yaml, or into the "
		   "file that --config or TOCSIN_CONFIG names.",
		   "不写在这里：%s。随代码而来的文件无权设置它们；请写入 ~/.config/tocsin/tocsin.yaml，或 --config、TOCSIN_CONFIG 指定的文件。"),
		buf_str(&others));
	buf_addc(b, '\n');
	comment(b, buf_str(&text));
	b->bad |= text.bad || others.bad;
}

/* ---- what comes next ---- */

static void say_calls(struct buf *b, const struct project *p)
{
	for (size_t i = 0; i < p->n_calls; i++) {
		const struct project_call *c = &p->calls[i];
		buf_adds(b, "     ");
		say_clean(b, span_of(c->file));
		buf_addf(b, ":%d: ", c->line);
		if (c->at == SPAN_NONE) {
			say_clean(b, span_of(c->text));
			buf_addf(
				b, "\n       %s\n",
				TR("# a pipe or list: put `tocsin run --` in front of the script that holds it",
				   "# 管道或命令列表：请把 `tocsin run --` 放在包含它的脚本之前"));
			continue;
		}
		say_clean(b, span_head(span_of(c->text), c->at));
		buf_adds(b, "tocsin run -- ");
		say_clean(b, span_from(span_of(c->text), c->at));
		buf_addc(b, '\n');
	}
	if (p->more_calls)
		buf_addf(b, TR("     … and %zu more\n", "     …… 另有 %zu 处\n"), p->more_calls);
}

static void say_next(struct buf *b, const struct project *p, const char *path)
{
	say_clean(b, span_of(path));
	buf_adds(b, TR(" is written", " 已写好"));
	if (p->module) {
		buf_adds(b, TR(" for the module ", "，模块 "));
		say_clean(b, span_of(p->module));
	}
	if (p->base_branch) {
		buf_adds(b, TR(", base branch ", "，基准分支 "));
		say_clean(b, span_of(p->base_branch));
	}
	buf_adds(
		b,
		TR(".\n\nNext:\n  1. Try it:                     tocsin run -- go test ./...\n"
		   "  2. See what holds, and why:    tocsin config explain\n"
		   "  3. Keep it with the code:      git add tocsin.yaml\n",
		   "。\n\n接下来：\n  1. 试一试：            tocsin run -- go test ./...\n"
		   "  2. 查看生效的值及来源：tocsin config explain\n  3. 随代码一起保存：    git add tocsin.yaml\n"));
	if (p->n_calls)
		buf_addf(b,
			 TR("  4. In %s, put it in front of what calls go:\n",
			    "  4. 在 %s 中，把它放在调用 go 的命令之前：\n"),
			 p->ci);
	else if (p->ci)
		buf_addf(
			b,
			p->watched
				? TR("  %s calls tocsin already.\n", "  %s 已经调用 tocsin。\n")
				: TR("  4. In %s, put `tocsin run --` in front of the command that tests or builds.\n",
				     "  4. 在 %s 中，把 `tocsin run --` 放在测试或构建命令之前。\n"),
			p->ci);
	else
		buf_adds(
			b,
			TR("  4. No pipeline was found. In yours: tocsin run --report report.json --junit junit.xml -- go test ./...\n",
			   "  4. 未发现流水线配置。在您的流水线中：tocsin run --report report.json --junit junit.xml -- go test ./...\n"));
	say_calls(b, p);
}

/* ---- the verb ---- */

static int refuse_existing(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return EXIT_OK;
	say_error(TR("'%s' is there already: --force writes over it, `tocsin config check` checks it",
		     "“%s”已存在：--force 可覆盖，`tocsin config check` 可检查"),
		  path);
	return EXIT_USAGE;
}

static int run(void *values, const struct args *a)
{
	const struct init_values *o = values;
	const char *dir = a->n ? a->v[0] : ".";
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf said = { 0 };
	struct project p;
	struct term out;
	struct stat st;
	struct err e;

	if (a->n > 1)
		return say_usage("init", TR("one folder at a time", "一次只能指定一个目录"));
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		say_error(TR("'%s' is no folder", "“%s”不是目录"), dir);
		return EXIT_USAGE;
	}
	path_join(&path, a->n ? dir : "", "tocsin.yaml");
	if (!path.bad && !o->force && refuse_existing(path.p))
		return EXIT_USAGE;
	project_read(&mem, dir, &p);
	make_file(&text, &p);
	say_next(&said, &p, buf_str(&path));
	if (path.bad || text.bad || said.bad) {
		say_error(TR("no memory", "内存不足"));
		return EXIT_OWN;
	}
	if (file_replace(path.p, buf_view(&text), &e) < 0) {
		say_error("%s", e.msg);
		return EXIT_OWN;
	}
	term_open(&out, STDOUT_FILENO);
	term_flush(&out, &said);
	return out.dead ? EXIT_OWN : EXIT_OK;
}

const struct verb verb_init = {
	.name = "init",
	.args = { "[DIR]", "[目录]" },
	.brief = { "write a tocsin.yaml for the project at hand", "为当前项目生成 tocsin.yaml" },
	.text = { "Every key that a project may set stands in it, explained and as an example. The base branch is read from .git; the pipelines that are "
		  "found are not changed, but it is said what to change in them.",
		  "文件列出项目可以设置的所有键，带说明和示例。基准分支取自 .git；发现的流水线文件不会被修改，但会说明应改什么。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct init_values),
	.run = run,
};
