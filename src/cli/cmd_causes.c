#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "check/rule.h"
#include "cli/cmd.h"
#include "cli/markdown.h"
#include "cli/opt.h"
#include "cli/say.h"
#include "model/cause.h"

struct causes_values {
	bool json, markdown;
};

#define AT(field) offsetof(struct causes_values, field)

/* clang-format off */
static const struct opt opts[] = {
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON", "输出 JSON" }, NULL, 0 },
	{ "markdown", 0, OPT_FLAG, AT(markdown), { NULL, NULL }, { "as a Markdown table", "输出 Markdown 表格" }, NULL, 0 },
};
/* clang-format on */

/* clang-format off */
static const struct {
	const char *layer;
	struct tx title;
} layers[] = {
	{ "test", { "tests", "测试" } },
	{ "build", { "build", "构建" } },
	{ "mod", { "modules", "模块" } },
	{ "go", { "how a Go program died", "Go 程序如何崩溃" } },
	{ "proc", { "processes", "进程" } },
	{ "pipe", { "between the commands", "命令之间" } },
	{ "act", { "source that is not in the build, the binary or the process", "没有进入构建、二进制或进程的代码" } },
	{ "check", { "what the lint finds before anything fails", "检查在故障发生之前发现的问题" } },
};
/* clang-format on */

static struct span layer_of(const char *id)
{
	struct span s = span_of(id);

	return span_head(s, span_chr(s, '.'));
}

static const char *const *cause_names(void)
{
	static const char *ids[CAUSE_COUNT];

	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++)
		ids[c - 1] = cause_table[c].id;
	return ids;
}

static const char *class_title(char letter)
{
	/* clang-format off */
	static const struct { char letter; struct tx title; } titles[] = {
		{ 'T', { "transient", "暂时性" } }, { 'M', { "mirror", "换镜像" } }, { 'C', { "config", "配置" } },
		{ 'R', { "resource", "资源" } }, { 'P', { "permanent", "永久" } }, { 'S', { "security", "安全" } },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
		if (titles[i].letter == letter)
			return tx(titles[i].title);
	}
	return "?";
}

static const char *class_means(char letter)
{
	/* clang-format off */
	static const struct { char letter; struct tx text; } texts[] = {
		{ 'T', { "trying again can help", "重试可能有用" } }, { 'M', { "another proxy can help", "换一个代理可能有用" } },
		{ 'C', { "a setting must change", "需要修改配置" } }, { 'R', { "a resource ran out", "资源不足" } },
		{ 'P', { "it fails every time until something is changed", "不修改就会一直失败" } },
		{ 'S', { "stop: do not try again", "立即停止，不要重试" } },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].letter == letter)
			return tx(texts[i].text);
	}
	return "?";
}

static void add_classes(struct buf *b, const char *classes)
{
	for (const char *c = classes; *c; c++)
		buf_addf(b, "%s%s", c == classes ? "" : ", ", class_title(*c));
}

/* ---- the list ---- */

static size_t widest_id(void)
{
	size_t w = 0;

	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
		size_t n = strlen(cause_table[c].id);
		w = n > w ? n : w;
	}
	return w;
}

static void list_layer(struct buf *b, const struct term *t, struct span layer, const char *title,
		       size_t column)
{
	CLEANUP(buf_free) struct buf head = { 0 };
	size_t width = t->width > 120 ? 120 : t->width < 60 ? 60 : t->width;

	buf_addf(&head, "%.*s", SPAN_ARG(layer));
	if (title)
		buf_addf(&head, TR(" - %s", "：%s"), title);
	buf_addf(b, "%s", b->len ? "\n" : "");
	say_paint(b, t, PAINT_BOLD, buf_str(&head));
	buf_addc(b, '\n');
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		const struct cause_info *i = &cause_table[c];
		if (!span_eq(layer_of(i->id), layer))
			continue;
		buf_adds(b, "  ");
		say_cell(b, i->id, column);
		buf_addf(&text, "%s (", tx(i->mean));
		add_classes(&text, i->classes);
		buf_addf(&text, "%s)",
			 i->severity == SEV_ERROR     ? ""
			 : i->severity == SEV_WARNING ? TR("; warning", "；警告")
						      : TR("; note", "；提示"));
		say_wrap(b, buf_view(&text), column + 2, column + 2, width);
		buf_addc(b, '\n');
	}
}

static bool is_titled(struct span layer)
{
	for (size_t i = 0; i < ARRAY_LEN(layers); i++) {
		if (span_eq(span_of(layers[i].layer), layer))
			return true;
	}
	return false;
}

static void list_all(struct buf *b, const struct term *t)
{
	size_t column = widest_id() + 2;
	struct span last = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		list_layer(b, t, span_of(layers[i].layer), tx(layers[i].title), column);
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) { /* a layer that has no title yet */
		struct span layer = layer_of(cause_table[c].id);
		if (!is_titled(layer) && !span_eq(layer, last))
			list_layer(b, t, layer, NULL, column);
		last = layer;
	}
	buf_addf(b, "\n%s\n", TR("More about one: tocsin causes ID", "查看某一个：tocsin causes ID"));
}

/* ---- one ---- */

static void say_where(struct buf *b, unsigned where)
{
	/* clang-format off */
	static const struct { unsigned bit; struct tx text; } bits[] = {
		{ IN_GO, { "an error of the go command", "go 命令的错误" } }, { IN_BUILD, { "build output", "构建输出" } },
		{ IN_TEST, { "output of a test or program that failed", "失败的测试或程序的输出" } },
		{ IN_ANY, { "any output of a command that failed", "失败命令的任何输出" } },
		{ IN_PASSED, { "also when the command said 0", "命令返回 0 时也算" } },
	};
	/* clang-format on */
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
		if (!(where & bits[i].bit))
			continue;
		buf_addf(b, "%s%s", any ? TR("; ", "；") : "", tx(bits[i].text));
		any = true;
	}
}

static void row(struct buf *b, const struct term *t, const char *label, const char *text)
{
	size_t width = t->width > 100 ? 100 : t->width < 60 ? 60 : t->width;

	buf_adds(b, "  ");
	say_cell(b, label, 12);
	say_wrap(b, span_of(text), 14, 14, width);
	buf_addc(b, '\n');
}

static void explain_match(struct buf *b, const struct term *t, const struct cause_info *c,
			  const struct cause_match *m)
{
	CLEANUP(buf_free) struct buf where = { 0 };
	struct span rest = span_of(m->literals);

	say_where(&where, m->where);
	buf_adds(b, "\n  ");
	while (rest.n) {
		struct span one = span_cut(&rest, '|');
		buf_addf(b, "\"%.*s\"%s", SPAN_ARG(one), rest.n ? TR(" or ", " 或 ") : "");
	}
	buf_addc(b, '\n');
	if (m->regex)
		row(b, t, TR("  matches", "  匹配"), m->regex);
	row(b, t, TR("  in", "  位置"), buf_str(&where));
	if (m->classes && strcmp(m->classes, c->classes) != 0) {
		CLEANUP(buf_free) struct buf classes = { 0 };
		add_classes(&classes, m->classes);
		row(b, t, TR("  class", "  类别"), buf_str(&classes));
	}
	if (m->advice.en)
		row(b, t, TR("  to do", "  建议"), tx(m->advice));
}

static void explain_one(struct buf *b, const struct term *t, enum cause id)
{
	const struct cause_info *c = &cause_table[id];
	bool any = false;

	say_paint(b, t, PAINT_BOLD, c->id);
	buf_addc(b, '\n');
	row(b, t, TR("means", "含义"), tx(c->mean));
	row(b, t, TR("severity", "级别"),
	    c->severity == SEV_ERROR     ? TR("error", "错误")
	    : c->severity == SEV_WARNING ? TR("warning", "警告")
					 : TR("note", "提示"));
	for (const char *l = c->classes; *l; l++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		buf_addf(&text, "%s%s%s", class_title(*l), TR(": ", "："), class_means(*l));
		row(b, t, l == c->classes ? TR("class", "类别") : "", buf_str(&text));
	}
	if (c->advice.en)
		row(b, t, TR("to do", "建议"), tx(c->advice));
	for (size_t i = 0; i < cause_match_count; i++) {
		if (cause_matches[i].cause != id)
			continue;
		if (!any)
			buf_addf(b, "\n%s\n",
				 TR("Proved by one of these texts (others are known by their form):",
				    "由下列文本之一证明（其他情况由结构判断）："));
		any = true;
		explain_match(b, t, c, &cause_matches[i]);
	}
}

/* ---- for machines ---- */

static void put_both(struct json_out *j, const char *key, struct tx t)
{
	json_key(j, key);
	json_strz(j, t.en ? tx(t) : NULL);
}

static void put_classes(struct json_out *j, const char *classes)
{
	json_key(j, "classes");
	json_open(j, '[');
	for (const char *c = classes; *c; c++)
		json_strz(j, class_word(*c));
	json_close(j, ']');
}

static void put_matches(struct json_out *j, enum cause id)
{
	json_key(j, "matches");
	json_open(j, '[');
	for (size_t i = 0; i < cause_match_count; i++) {
		const struct cause_match *m = &cause_matches[i];
		struct span rest = span_of(m->literals);
		if (m->cause != id)
			continue;
		json_open(j, '{');
		json_key(j, "literals");
		json_open(j, '[');
		while (rest.n)
			json_str(j, span_cut(&rest, '|'));
		json_close(j, ']');
		json_key(j, "regex");
		json_strz(j, m->regex);
		put_classes(j, m->classes ? m->classes : cause_table[id].classes);
		put_both(j, "advice", m->advice);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_causes(struct buf *b, enum cause from, enum cause to)
{
	struct json_out j = { .to = b };

	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.causes/1");
	json_key(&j, "causes");
	json_open(&j, '[');
	for (int c = (int)from; c <= (int)to; c++) {
		const struct cause_info *i = &cause_table[c];
		json_open(&j, '{');
		json_key(&j, "id");
		json_strz(&j, i->id);
		json_key(&j, "layer");
		json_str(&j, layer_of(i->id));
		json_key(&j, "severity");
		json_strz(&j, severity_word(i->severity));
		put_classes(&j, i->classes);
		put_both(&j, "meaning", i->mean);
		put_both(&j, "advice", i->advice);
		put_matches(&j, (enum cause)c);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(b, '\n');
}

static void markdown_causes(struct buf *b, enum cause from, enum cause to)
{
	buf_adds(b, TR("| id | means | classes | what to do |\n| --- | --- | --- | --- |\n",
		       "| id | 含义 | 类别 | 建议 |\n| --- | --- | --- | --- |\n"));
	for (int c = (int)from; c <= (int)to; c++) {
		const struct cause_info *i = &cause_table[c];
		buf_addf(b, "| `%s` | ", i->id);
		md_text(b, span_of(tx(i->mean)));
		buf_adds(b, " | ");
		add_classes(b, i->classes);
		buf_adds(b, " | ");
		md_text(b, span_of(i->advice.en ? tx(i->advice) : ""));
		buf_adds(b, " |\n");
	}
}

/* "check.S02": what the rule is, and where all of it stands. */
static void explain_rule_or_cause(struct buf *b, const struct term *t, enum cause c, const char *id)
{
	const struct rule *r = rule_find(cause_rule(span_of(id)));

	explain_one(b, t, c);
	if (r)
		buf_addf(b, TR("\n  rule %s: %s; `tocsin check rules %s` explains it\n", "\n  规则 %s：%s；`tocsin check rules %s` 解释该规则\n"), r->id, tx(r->title), r->id);
}

static int run(void *values, const struct args *a)
{
	const struct causes_values *o = values;
	CLEANUP(buf_free) struct buf text = { 0 };
	enum cause from = (enum cause)(CAUSE_NONE + 1), to = (enum cause)(CAUSE_COUNT - 1);
	char hint[128], msg[256];
	struct term out;

	term_open(&out, STDOUT_FILENO);
	if (a->n > 1)
		return say_usage("causes", TR("one cause at a time", "一次只能查看一个原因"));
	if (a->n) {
		from = to = cause_by_id(span_of(a->v[0]));
		if (!from) {
			snprintf(msg, sizeof(msg), TR("unknown cause '%.60s'%s", "未知原因“%.60s”%s"),
				 a->v[0], opt_hint(a->v[0], cause_names(), CAUSE_COUNT - 1, "", hint));
			return say_usage("causes", msg);
		}
	}
	if (o->json)
		json_causes(&text, from, to);
	else if (o->markdown)
		markdown_causes(&text, from, to);
	else if (a->n)
		explain_rule_or_cause(&text, &out, from, a->v[0]);
	else
		list_all(&text, &out);
	if (text.bad) {
		say_error(TR("no memory", "内存不足"));
		return EXIT_OWN;
	}
	term_flush(&out, &text);
	return out.dead ? EXIT_OWN : EXIT_OK;
}

const struct verb verb_causes = {
	.name = "causes",
	.args = { "[ID]", "[ID]" },
	.brief = { "list the causes that Tocsin knows, or explain one",
		   "列出 Tocsin 认识的原因，或解释其中一个" },
	.text = { "Cause ids are stable: scripts and --retry-on may name them. The classes say what helps: transient (trying again), "
		  "mirror (another proxy), config, resource, permanent, security (stop).",
		  "原因 id 永久稳定，可用于脚本和 --retry-on。类别说明什么有用：transient（重试）、mirror（换代理）、config（配置）、resource（资源）、"
		  "permanent（永久）、security（立即停止）。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct causes_values),
	.words = cause_names,
	.run = run,
};
