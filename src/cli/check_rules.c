#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/check_lint.h"
#include "cli/cmd.h"
#include "cli/say.h"

/* `tocsin check rules`: the rules as a list, one of them for reading, as JSON, and as the pages of docs/rules. */

struct rules_values {
	const char *markdown;
	bool json;
};

/* ---- what rows say ---- */

static void put_languages(struct buf *b, unsigned set)
{
	bool any = false;

	for (unsigned i = 0; *rule_language_word(1u << i); i++)
		if (set & 1u << i) {
			buf_addf(b, "%s%s", any ? ", " : "", rule_language_word(1u << i));
			any = true;
		}
}

/* What is filled in for each finding stands for itself. */
static void put_open(struct buf *b, const char *text)
{
	for (const char *p = text; *p; p++) {
		bool hole = p[0] == '{' && p[1] >= '0' && p[1] <= '9' && p[2] == '}';
		buf_add(b, hole ? "…" : p, hole ? sizeof("…") - 1 : 1);
		p += hole ? 2 : 0;
	}
}

static const char *fix_word(const struct rule *r)
{
	return !*r->fix ? "" : !strcmp(r->fix, "safe") ? "--fix" : "--fix=all";
}

/* ---- for people ---- */

static void list_all(struct buf *b, const struct term *t)
{
	for (size_t i = 0; i < rule_count; i++) {
		const struct rule *r = &rules[i];
		say_paint(b, t, PAINT_BOLD, r->id);
		buf_addf(b, "  %-7s  ", severity_word(r->severity));
		say_cell(b, r->on ? TR("on", "开") : TR("off", "关"), 5);
		say_cell(b, fix_word(r), 11);
		buf_addf(b, "%s\n", tx(r->title));
	}
}

static void put_block(struct buf *b, const char *text)
{
	for (struct span rest = span_of(text); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		say_pad(b, line.n ? 4 : 0);
		buf_span(b, line);
		buf_addc(b, '\n');
	}
}

static void put_part(struct buf *b, const struct term *t, const char *title, const char *text)
{
	if (!*text)
		return;
	buf_addc(b, '\n');
	say_paint(b, t, PAINT_BOLD, title);
	buf_addc(b, '\n');
	put_block(b, text);
}

static void put_paragraph(struct buf *b, const struct term *t, const char *title, const char *text)
{
	CLEANUP(buf_free) struct buf open = { 0 };

	put_open(&open, text);
	buf_addc(b, '\n');
	say_paint(b, t, PAINT_BOLD, title);
	buf_adds(b, "\n    ");
	say_wrap(b, buf_view(&open), 4, 4, t->tty ? t->width : 100);
	buf_addc(b, '\n');
	b->bad |= open.bad;
}

static void explain(struct buf *b, const struct term *t, const struct rule *r)
{
	say_paint(b, t, PAINT_BOLD, r->id);
	buf_addf(b, "  %s\n    %s, %s, ", tx(r->title), severity_word(r->severity),
		 r->on ? TR("on", "默认开启") : TR("off by default", "默认关闭"));
	put_languages(b, r->languages);
	if (*r->fix)
		buf_addf(b, ", %s", fix_word(r));
	buf_addc(b, '\n');
	put_paragraph(b, t, TR("Says", "提示内容"), tx(r->message));
	put_paragraph(b, t, TR("Why", "原因"), tx(r->why));
	put_paragraph(b, t, TR("What to do", "处理办法"), tx(r->advice));
	if (*r->prevents)
		put_paragraph(b, t, TR("Would have prevented", "可以避免"), r->prevents);
	put_part(b, t, TR("Bad", "有问题"), r->bad);
	put_part(b, t, TR("Good", "正确"), r->good);
	put_part(b, t,
		 TR("The experiment that proves it ($BAD and $GOOD hold the files)",
		    "证明它的实验（$BAD、$GOOD 中为上述文件）"),
		 r->experiment);
}

/* ---- JSON ---- */

static void json_rule(struct json_out *j, const struct rule *r)
{
	CLEANUP(buf_free) struct buf cause = { 0 };

	buf_addf(&cause, "%s.%s", cause_table[CAUSE_CHECK_RULE].id, r->id);
	json_open(j, '{');
	json_member_strz(j, "id", r->id);
	json_member_str(j, "cause", buf_view(&cause));
	json_member_strz(j, "severity", severity_word(r->severity));
	json_member_bool(j, "on", r->on);
	json_member_open(j, "languages", '[');
	for (unsigned i = 0; *rule_language_word(1u << i); i++)
		if (r->languages & 1u << i)
			json_strz(j, rule_language_word(1u << i));
	json_close(j, ']');
	json_member_strz(j, "title", tx(r->title));
	json_member_strz(j, "message", tx(r->message));
	json_member_strz(j, "advice", tx(r->advice));
	json_member_strz(j, "why", tx(r->why));
	json_member_strz(j, "needs", r->needs);
	json_member_strz(j, "fix", r->fix);
	json_member_open(j, "prevents", '[');
	for (struct span rest = span_of(r->prevents); rest.n;)
		json_str(j, span_cut(&rest, ' '));
	json_close(j, ']');
	json_member_strz(j, "bad", r->bad);
	json_member_strz(j, "good", r->good);
	json_member_strz(j, "experiment", r->experiment);
	json_close(j, '}');
}

static void json_rules(struct buf *b, const struct rule *only)
{
	struct json_out j = { .to = b };

	json_open(&j, '{');
	json_member_strz(&j, "schema", "tocsin.rules/1");
	json_member_open(&j, "rules", '[');
	for (size_t i = 0; i < rule_count; i++)
		if (!only || only == &rules[i])
			json_rule(&j, &rules[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(b, '\n');
}

/* ---- pages ---- */

static const char *fence_word(struct span path)
{
	static const struct {
		const char *end, *word;
	} ends[] = { { ".go", "go" },
		     { ".sh", "sh" },
		     { ".yml", "yaml" },
		     { ".yaml", "yaml" },
		     { "Makefile", "make" },
		     { ".mk", "make" },
		     { "Dockerfile", "dockerfile" },
		     { "Jenkinsfile", "groovy" },
		     { ".service", "ini" } };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (span_ends(path, span_of(ends[i].end)))
			return ends[i].word;
	return "";
}

static void put_fence(struct buf *b, const char *word, struct span text)
{
	/* A fence within would end ours. */
	const char *fence = span_find(text, S("```")) == SPAN_NONE ? "```" : "````";

	buf_addf(b, "%s%s\n%.*s%s%s\n", fence, word, SPAN_ARG(text),
		 text.n && text.p[text.n - 1] != '\n' ? "\n" : "", fence);
}

static bool is_mark(struct span line)
{
	return span_starts(line, S("-- ")) && span_ends(line, S(" --")) && line.n > 6;
}

static void put_file(struct buf *b, struct span path, const char *from, const char *to)
{
	if (!path.n)
		return;
	buf_addf(b, "\n`%.*s`:\n\n", SPAN_ARG(path));
	put_fence(b, fence_word(path), (struct span){ from, (size_t)(to - from) });
}

/* "-- PATH --" and the file's lines, for each file. */
static void put_files(struct buf *b, const char *text)
{
	struct span rest = span_of(text), path = { 0 };
	const char *begin = text;

	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		if (!is_mark(line))
			continue;
		put_file(b, path, begin, line.p);
		path = span_head(span_from(line, 3), line.n - 6);
		begin = line.p + line.n + (rest.n > 0);
	}
	put_file(b, path, begin, text + strlen(text));
}

static void put_text(struct buf *b, const char *text)
{
	CLEANUP(buf_free) struct buf open = { 0 };

	put_open(&open, text);
	for (size_t i = 0; i < open.len; i++) {
		if (open.p[i] == '<' || open.p[i] == '>')
			buf_adds(b, open.p[i] == '<' ? "&lt;" : "&gt;");
		else
			buf_addc(b, open.p[i]);
	}
	b->bad |= open.bad;
}

static void page(struct buf *b, const struct rule *r)
{
	bool zh = lang_now == LANG_ZH;

	buf_addf(b, "# %s: ", r->id);
	put_text(b, tx(r->title));
	buf_addf(b, "\n\n%s\n\n%s: **%s** · %s · ",
		 zh ? "<!-- 由 `tocsin check rules --markdown` 生成 -->"
		    : "<!-- made by `tocsin check rules --markdown` -->",
		 TR("severity", "严重程度"), severity_word(r->severity),
		 r->on ? TR("on by default", "默认开启") : TR("off by default", "默认关闭"));
	put_languages(b, r->languages);
	if (*r->fix)
		buf_addf(b, " · `tocsin check %s`", fix_word(r));
	buf_adds(b, "\n\n> ");
	put_text(b, tx(r->message));
	buf_adds(b, "\n\n");
	put_text(b, tx(r->why));
	buf_adds(b, "\n\n");
	put_text(b, tx(r->advice));
	if (*r->prevents)
		buf_addf(b, TR("\n\nWould have prevented: `%s`.", "\n\n可以避免：`%s`。"), r->prevents);
	buf_addf(b, "\n\n## %s\n", TR("Bad", "有问题"));
	put_files(b, r->bad);
	buf_addf(b, TR("\nFound at: `%s`\n", "\n发现位置：`%s`\n"), r->find);
	buf_addf(b, "\n## %s\n", TR("Good", "正确"));
	put_files(b, r->good);
	if (*r->experiment) {
		buf_addf(b, "\n## %s\n\n", TR("The experiment that proves it", "证明它的实验"));
		buf_adds(b, TR("`$BAD` and `$GOOD` hold the files above, `$GO` is a go command.\n\n",
			       "`$BAD` 和 `$GOOD` 中为上述文件，`$GO` 是 go 命令。\n\n"));
		put_fence(b, "sh", span_of(r->experiment));
	}
	buf_addf(b, "\n[%s](README%s.md)\n", TR("all rules", "所有规则"), zh ? ".zh-CN" : "");
}

static void index_page(struct buf *b)
{
	bool zh = lang_now == LANG_ZH;

	buf_addf(b, "# %s\n\n%s\n\n%s\n\n| | %s | %s | %s | |\n| --- | --- | --- | --- | --- |\n",
		 TR("The rules of `tocsin check`", "`tocsin check` 的规则"),
		 zh ? "<!-- 由 `tocsin check rules --markdown` 生成 -->"
		    : "<!-- made by `tocsin check rules --markdown` -->",
		 TR("How to use them: [check](../check.md).", "用法：[check](../check.zh-CN.md)。"),
		 TR("what it finds", "发现的问题"), TR("severity", "严重程度"), TR("looks at", "检查对象"));
	for (size_t i = 0; i < rule_count; i++) {
		const struct rule *r = &rules[i];
		buf_addf(b, "| [%s](%s%s.md) | ", r->id, r->id, zh ? ".zh-CN" : "");
		put_text(b, tx(r->title));
		buf_addf(b, " | %s%s | ", severity_word(r->severity), r->on ? "" : TR(", off", "，关闭"));
		put_languages(b, r->languages);
		buf_addf(b, " | %s |\n", fix_word(r));
	}
}

static int write_page(const char *dir, const char *name, void (*write)(struct buf *b, const struct rule *r),
		      const struct rule *r, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 }, text = { 0 };

	buf_addf(&path, "%s/%s%s.md", dir, name, lang_now == LANG_ZH ? ".zh-CN" : "");
	if (r)
		write(&text, r);
	else
		index_page(&text);
	return text.bad || path.bad ? err_set(e, ENOMEM, TR("no memory", "内存不足"))
				    : file_replace(buf_str(&path), buf_view(&text), e);
}

static int write_pages(const char *dir)
{
	enum lang before = lang_now;
	struct err e = { 0 };
	int r = path_mkdirs(dir, 0777, &e);

	for (enum lang l = LANG_EN; l <= LANG_ZH && r == 0; l++) {
		lang_now = l;
		r = write_page(dir, "README", NULL, NULL, &e);
		for (size_t i = 0; i < rule_count && r == 0; i++)
			r = write_page(dir, rules[i].id, page, &rules[i], &e);
	}
	lang_now = before;
	if (r < 0)
		say_error("%s", e.msg);
	return r < 0 ? EXIT_OWN : EXIT_OK;
}

static int run(void *values, const struct args *a)
{
	const struct rules_values *o = values;
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct rule *only = a->n ? rule_find(span_of(a->v[0])) : NULL;
	char hint[128], msg[256];
	struct term t;

	if (o->markdown)
		return write_pages(o->markdown);
	if (a->n > 1)
		return say_usage("check rules", TR("one rule at a time", "一次只能查看一条规则"));
	if (a->n && !only) {
		snprintf(msg, sizeof(msg), TR("there is no rule '%.60s'%s", "没有规则“%.60s”%s"), a->v[0],
			 opt_hint(a->v[0], check_rule_ids(), rule_count, "", hint));
		return say_usage("check rules", msg);
	}
	term_open(&t, STDOUT_FILENO);
	if (o->json)
		json_rules(&text, only);
	else if (only)
		explain(&text, &t, only);
	else
		list_all(&text, &t);
	if (text.bad) {
		say_error(TR("no memory", "内存不足"));
		return EXIT_OWN;
	}
	term_flush(&t, &text);
	return t.dead && !t.gone ? EXIT_OWN : EXIT_OK;
}

/* clang-format off */
#define AT(field) offsetof(struct rules_values, field)
static const struct opt opts[] = {
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON", "输出 JSON" }, NULL, 0 },
	{ "markdown", 0, OPT_STRING, AT(markdown), { "FOLDER", "目录" }, { "write a page for each rule, in both languages", "为每条规则写出一页文档（两种语言）" }, NULL, 0 },
};
/* clang-format on */

const struct verb verb_check_rules = {
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct rules_values),
	.run = run,
	.words = check_rule_ids,
	.name = "check rules",
	.args = { "[RULE]", "[规则]" },
	.brief = { "list the rules of the lint, or explain one", "列出检查规则，或解释其中一条" },
	.text = { "The list says each rule's severity, whether it is on by default, and whether --fix can mend what it finds.\n\n"
		  "  tocsin check rules\n"
		  "  tocsin check rules R01",
		  "列表给出每条规则的严重程度、默认是否开启，以及 --fix 能否修复。\n\n"
		  "  tocsin check rules\n"
		  "  tocsin check rules R01" },
};
