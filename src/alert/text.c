/* What people read: a title and a body, from parts that each know how to be shorter, put in until the room is used. */
#include "alert/alert.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define ALSO_MAX     4   /* further findings that get a line */
#define GROUPS_MAX   8   /* lines of a digest */
#define TITLE_GROUPS 3
#define OWNERS_SHOWN 6
#define PROJECT_MAX  48
#define BRANCH_MAX   40
#define WHAT_MAX     400 /* bytes of foreign text in a title */
#define INDENT_MAX   8

#define IN(lang, en, zh) ((lang) == LANG_ZH ? (zh) : (en))
#define SAY(p, en, zh)   IN((p)->lang, en, zh)

struct page {
	const struct alert *a;
	enum alert_form form;
	enum lang lang;
};

/* ---- words ---- */

struct word {
	const char *key;
	struct tx text;
};

static const struct word outcome_words[] = {
	{ "passed", { "PASSED", "通过" } }, { "failed", { "FAILED", "失败" } }, { "masked", { "FAILURE MASKED", "失败被掩盖" } },
	{ "crashed", { "CRASHED", "崩溃" } }, { "killed", { "KILLED", "被杀死" } }, { "timed_out", { "TIMED OUT", "超时" } },
	{ "stalled", { "STALLED", "停滞" } }, { "not_started", { "NOT STARTED", "未能启动" } }, { "empty", { "NO TEST RAN", "没有运行测试" } },
	{ "unstable", { "UNSTABLE", "不稳定" } },
};

static const struct word state_words[] = {
	{ "new", { "new: not seen before", "新故障：从未出现过" } }, { "regressed", { "it came back", "故障复发" } },
	{ "ignored", { "ignored", "已忽略" } }, { "resolved", { "resolved before", "曾标记为已解决" } },
};

static const char *in_lang(enum lang lang, struct tx t)
{
	return IN(lang, t.en, t.zh);
}

static const struct tx *word_find(const struct word *w, size_t n, const char *key)
{
	for (size_t i = 0; key && i < n; i++) {
		if (!strcmp(w[i].key, key))
			return &w[i].text;
	}
	return NULL;
}

const char *alert_word(const struct alert *a, enum lang lang)
{
	static const struct tx kinds[ALERT_KINDS] = {
		[ALERT_FAILED] = { "FAILED", "失败" }, [ALERT_FOLLOWUP] = { "ENDED", "运行结束" }, [ALERT_RECOVERED] = { "RECOVERED", "已恢复" },
		[ALERT_DIGEST] = { "DIGEST", "告警汇总" }, [ALERT_PROBE] = { "TEST", "测试消息" }, [ALERT_CHANNEL] = { "CHANNEL DOWN", "告警渠道故障" },
	};
	static const struct word by_hand[] = { { "warning", { "WARNING", "警告" } }, { "note", { "NOTE", "通知" } } }; /* what nothing failed for */
	const struct tx *t = a->outcome ? word_find(outcome_words, ARRAY_LEN(outcome_words), a->outcome) : word_find(by_hand, ARRAY_LEN(by_hand), a->severity);

	return in_lang(lang, t && (a->kind == ALERT_FAILED || a->kind == ALERT_FOLLOWUP) ? *t : kinds[a->kind]);
}

const char *alert_mean(const char *cause, enum lang lang)
{
	enum cause c = cause ? cause_by_id(span_of(cause)) : CAUSE_NONE;

	return c ? in_lang(lang, cause_table[c].mean) : NULL;
}

static bool is_tx(struct tx t, const char *text)
{
	return t.en && t.zh && (!strcmp(t.en, text) || !strcmp(t.zh, text));
}

/* Ours, in the language that is asked for. NULL: not ours. */
static const char *own_advice(const struct alert_item *it, enum lang lang)
{
	enum cause c = it->cause ? cause_by_id(span_of(it->cause)) : CAUSE_NONE;

	if (!it->advice)
		return c ? in_lang(lang, cause_table[c].advice) : NULL;
	static const struct tx down = { "see `tocsin alert doctor`, then `tocsin alert retry --all`", "请查看 `tocsin alert doctor`，然后执行 `tocsin alert retry --all`" };
	if (is_tx(down, it->advice)) /* of a channel that is down: written by the deliverer in its own language */
		return in_lang(lang, down);
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
		if (is_tx(cause_table[i].advice, it->advice))
			return in_lang(lang, cause_table[i].advice);
	}
	for (size_t i = 0; i < cause_match_count; i++) {
		if (is_tx(cause_matches[i].advice, it->advice))
			return in_lang(lang, cause_matches[i].advice);
	}
	return NULL;
}

struct span alert_advice(const struct alert_item *it, enum lang lang)
{
	const char *own = own_advice(it, lang);

	return span_of(own ? own : it->advice);
}

void alert_place(const struct alert_item *it, struct buf *ret)
{
	const struct {
		const char *text, *before;
	} parts[] = { { it->package, "" }, { it->test, " " }, { it->place, ", " } };
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!parts[i].text)
			continue;
		buf_adds(ret, any ? parts[i].before : "");
		buf_adds(ret, parts[i].text);
		any = true;
	}
}

void alert_said(const struct alert *a, const struct alert_item *it, enum lang lang, struct buf *ret)
{
	const struct tx *state = word_find(state_words, ARRAY_LEN(state_words), it->state);
	const char *between = "";

	if (it->said && (a->lang == lang || !it->fault)) {
		buf_adds(ret, it->said);
		return;
	}
	if (!it->fault)
		return;
	if (state) {
		buf_adds(ret, in_lang(lang, *state));
		between = IN(lang, "; ", "；");
	}
	if (it->count > 1 || !state) {
		int64_t n = it->count > 1 ? it->count : 1;
		buf_adds(ret, between);
		buf_addf(ret, IN(lang, "seen %lld time%s", "出现 %lld 次%s"), (long long)n, IN(lang, n == 1 ? "" : "s", ""));
	}
	buf_addf(ret, IN(lang, "; see %s", "；见 %s"), it->fault);
}

/* ---- pieces of text ---- */

/* Foreign text, at most limit bytes of it. */
static void foreign(const struct page *p, struct span s, size_t limit, struct buf *b)
{
	struct span head = utf8_head(s, limit);

	alert_escape(head, p->form, b);
	if (head.n < s.n)
		buf_adds(b, "…");
}

static void foreignz(const struct page *p, const char *z, size_t limit, struct buf *b)
{
	foreign(p, span_of(z), limit, b);
}

static void end_line(const struct page *p, struct buf *b)
{
	buf_adds(b, p->form == FORM_MARKDOWN ? "  \n" : "\n"); /* two blanks: a line that breaks where it is written */
}

static void label(const struct page *p, const char *text, struct buf *b)
{
	static const char *const open[] = { "", "**", "<b>" }, *const close[] = { "", "**", "</b>" };

	buf_addf(b, "%s%s%s%s", open[p->form], text, SAY(p, ":", "："), close[p->form]);
	buf_adds(b, SAY(p, " ", p->form == FORM_MARKDOWN ? " " : ""));
}

static void row(const struct page *p, const char *name, struct span text, size_t limit, struct buf *b)
{
	if (!text.n)
		return;
	label(p, name, b);
	foreign(p, text, limit, b);
	end_line(p, b);
}

/* Text of our own, in which `…` is code. */
static void own_text(const struct page *p, const char *text, struct buf *b)
{
	static const char *const open[] = { "`", "`", "<code>" }, *const close[] = { "`", "`", "</code>" };
	struct span rest = span_of(text);
	struct page plain = { p->a, p->form == FORM_MARKDOWN ? FORM_PLAIN : p->form, p->lang };

	for (bool code = false; rest.n; code = !code) {
		struct span part = span_cut(&rest, '`');
		buf_adds(b, code ? open[p->form] : "");
		foreign(code ? &plain : p, part, part.n, b); /* in code every character is itself */
		buf_adds(b, code ? close[p->form] : "");
	}
}

/* The project without the host in front of it. */
static struct span short_project(const char *project)
{
	struct span s = span_of(project), rest = s;
	struct span first = span_cut(&rest, '/');

	if (rest.n && span_chr(first, '.') != SPAN_NONE)
		s = rest;
	return s;
}

static const struct alert_item *first_item(const struct alert *a)
{
	return a->n_items ? &a->items[0] : NULL;
}

static const char *cause_of(const struct alert *a)
{
	return a->cause ? a->cause : a->n_items ? a->items[0].cause : NULL;
}

/* ---- the title ---- */

static void what_test(const struct page *p, const struct alert_item *it, struct buf *b)
{
	CLEANUP(buf_free) struct buf test = { 0 }, package = { 0 };

	foreignz(p, it->test, 120, &test);
	if (it->package)
		foreign(p, short_project(it->package), 120, &package);
	if (!package.len)
		buf_addf(b, SAY(p, "%s failed", "%s 失败"), buf_str(&test));
	else
		buf_addf(b, SAY(p, "%s failed in %s", "%s 失败，位于包 %s"), buf_str(&test), buf_str(&package));
	b->bad |= test.bad || package.bad;
}

/* The counts say it in any language; the report's sentence only in its own. */
static void what_failed(const struct page *p, struct buf *b)
{
	const struct alert *a = p->a;
	const struct alert_item *it = first_item(a);
	const char *mean = alert_mean(cause_of(a), p->lang);
	bool failed = a->outcome && !strcmp(a->outcome, "failed");

	if (it && it->test && failed && (a->failed == 1 || a->early)) {
		what_test(p, it, b);
		if (a->tests > 1 && !a->early)
			buf_addf(b, SAY(p, " (1 of %lld tests)", "（共 %lld 个测试）"), (long long)a->tests);
		return;
	}
	if (a->summary && a->lang == p->lang)
		foreignz(p, a->summary, WHAT_MAX, b);
	else if (failed && a->failed > 0 && a->tests > 0)
		buf_addf(b, SAY(p, "%lld of %lld tests failed", "%lld/%lld 个测试失败"), (long long)a->failed, (long long)a->tests);
	else if (failed && a->failed > 0)
		buf_addf(b, SAY(p, "%lld test%s failed", "%lld 个测试%s失败"), (long long)a->failed, SAY(p, a->failed == 1 ? "" : "s", ""));
	else if (mean)
		buf_adds(b, mean);
	else if (a->summary)
		foreignz(p, a->summary, WHAT_MAX, b);
}

static void what_recovered(const struct page *p, struct buf *b)
{
	const struct alert *a = p->a;
	const struct alert_item *it = first_item(a);

	if (it && it->test) {
		CLEANUP(buf_free) struct buf test = { 0 };
		foreignz(p, it->test, 200, &test);
		buf_addf(b, SAY(p, "%s passes again", "%s 重新通过"), buf_str(&test));
		b->bad |= test.bad;
		return;
	}
	if (a->summary && a->lang == p->lang)
		foreignz(p, a->summary, WHAT_MAX, b);
	else
		buf_adds(b, SAY(p, "what failed passes again", "此前失败的命令已重新通过"));
}

static int64_t group_size(const struct alert_item *it)
{
	return it->count > 0 ? it->count : 1;
}

static int64_t digest_total(const struct alert *a)
{
	int64_t n = a->more > 0 ? a->more : 0;

	for (size_t i = 0; i < a->n_items; i++) {
		if (__builtin_add_overflow(n, group_size(&a->items[i]), &n))
			return INT64_MAX;
	}
	return n;
}

static void group_name(const struct page *p, const struct alert_item *it, struct buf *b)
{
	buf_addf(b, "%lld × ", (long long)group_size(it));
	if (it->cause)
		foreignz(p, it->cause, 60, b);
	else
		buf_adds(b, SAY(p, "others", "其他"));
	if (it->package && !p->a->project) {
		buf_adds(b, SAY(p, " (", "（"));
		foreign(p, short_project(it->package), PROJECT_MAX, b);
		buf_adds(b, SAY(p, ")", "）"));
	}
}

static void what_digest(const struct page *p, struct buf *b)
{
	const struct alert *a = p->a;
	int64_t left = digest_total(a);

	for (size_t i = 0; i < a->n_items && i < TITLE_GROUPS; i++) {
		buf_adds(b, i ? SAY(p, ", ", "，") : "");
		group_name(p, &a->items[i], b);
		left -= group_size(&a->items[i]);
	}
	if (left > 0 && a->n_items)
		buf_addf(b, SAY(p, ", %lld more", "，其他 %lld 条"), (long long)left);
}

/* "FAILED (run goes on) acme/shop (main): " */
static void title_run(const struct page *p, struct buf *b)
{
	const struct alert *a = p->a;

	buf_adds(b, alert_word(a, p->lang));
	if (a->early)
		buf_adds(b, SAY(p, " (run goes on)", "（运行未结束）"));
	else if (a->kind == ALERT_FOLLOWUP)
		buf_adds(b, SAY(p, " (final)", "（最终结果）"));
	if (a->project) {
		buf_addc(b, ' ');
		foreign(p, short_project(a->project), PROJECT_MAX, b);
	}
	if (a->branch) {
		buf_adds(b, SAY(p, " (", "（"));
		foreignz(p, a->branch, BRANCH_MAX, b);
		buf_adds(b, SAY(p, ")", "）"));
	}
	size_t before = b->len;
	buf_adds(b, SAY(p, ": ", "："));
	size_t colon = b->len;
	if (a->kind == ALERT_RECOVERED)
		what_recovered(p, b);
	else
		what_failed(p, b);
	if (b->len == colon && !b->bad)
		b->len = before;
}

static void title_digest(const struct page *p, struct buf *b)
{
	int64_t n = digest_total(p->a);

	buf_addf(b, SAY(p, "%lld alert%s", "%lld 条告警%s"), (long long)n, SAY(p, n == 1 ? "" : "s", ""));
	if (p->a->project) {
		buf_adds(b, SAY(p, " for ", "，项目 "));
		foreign(p, short_project(p->a->project), PROJECT_MAX, b);
	}
	buf_adds(b, SAY(p, ": ", "："));
	what_digest(p, b);
}

static void title_probe(const struct page *p, struct buf *b)
{
	buf_adds(b, SAY(p, "TEST from Tocsin: alerts reach this place", "Tocsin 测试消息：告警可以送达这里"));
}

static void title_channel(const struct page *p, struct buf *b)
{
	const struct alert_item *it = first_item(p->a);
	CLEANUP(buf_free) struct buf name = { 0 };

	foreignz(p, it && it->title ? it->title : "?", 60, &name);
	buf_addf(b, SAY(p, "CHANNEL DOWN: alerts cannot be sent to %s", "告警渠道故障：%s 无法送达"), buf_str(&name));
	if (it && it->said) {
		buf_adds(b, SAY(p, ": ", "："));
		foreignz(p, it->said, 160, b);
	}
	b->bad |= name.bad;
}

void alert_title(const struct alert *a, enum lang lang, size_t max, struct buf *ret)
{
	static void (*const titles[ALERT_KINDS])(const struct page *p, struct buf *b) = {
		[ALERT_FAILED] = title_run, [ALERT_FOLLOWUP] = title_run, [ALERT_RECOVERED] = title_run,
		[ALERT_DIGEST] = title_digest, [ALERT_PROBE] = title_probe, [ALERT_CHANNEL] = title_channel,
	};
	CLEANUP(buf_free) struct buf b = { 0 };
	struct page p = { a, FORM_PLAIN, lang };

	if (a->repeat)
		buf_adds(&b, IN(lang, "[may be a repeat] ", "【可能重复】"));
	titles[a->kind](&p, &b);
	ret->bad |= b.bad;
	if (b.len <= max) {
		buf_span(ret, buf_view(&b));
		return;
	}
	buf_span(ret, utf8_head(buf_view(&b), max < 3 ? max : max - 3));
	buf_adds(ret, max < 3 ? "" : "…");
}

/* ---- the parts of the body; each adds whole lines, or nothing. limit: bytes of foreign text ---- */

static void part_note(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert *a = p->a;
	const char *text = NULL;

	(void)limit;
	if (a->kind == ALERT_FOLLOWUP)
		text = a->outcome && !strcmp(a->outcome, "passed") ?
			SAY(p, "The run that was reported early has ended, and it passed.", "此前提前告警的运行已结束，结果为通过。") :
			SAY(p, "The run that was reported early has ended.", "此前提前告警的运行已结束。");
	else if (a->early)
		text = SAY(p, "The run goes on; how it ends will follow.", "运行尚未结束，结束后会再通知结果。");
	else if (a->kind == ALERT_PROBE)
		text = SAY(p, "Somebody asked Tocsin to try this channel. Nothing is wrong and nothing has to be done.",
			   "有人让 Tocsin 测试此渠道。没有任何故障，无需处理。");
	else if (a->kind == ALERT_DIGEST)
		text = SAY(p, "They were held back and are told together; each is kept in the fault library.",
			   "这些告警已合并为一条发送；每一条都保存在故障库中。");
	if (!text)
		return;
	buf_adds(b, text);
	end_line(p, b);
}

static void part_cause(const struct page *p, size_t limit, struct buf *b)
{
	const char *cause = cause_of(p->a), *mean = alert_mean(cause, p->lang);

	if (!cause)
		return;
	label(p, p->a->kind == ALERT_RECOVERED ? SAY(p, "It was", "此前原因") : SAY(p, "Cause", "原因"), b);
	if (mean) {
		buf_adds(b, mean);
		buf_adds(b, SAY(p, " (", "（"));
	}
	foreignz(p, cause, limit, b);
	if (mean)
		buf_adds(b, SAY(p, ")", "）"));
	end_line(p, b);
}

static void part_place(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert_item *it = first_item(p->a);
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!it)
		return;
	alert_place(it, &text);
	row(p, SAY(p, "Where", "位置"), buf_view(&text), limit, b);
	b->bad |= text.bad;
}

static void part_said(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert_item *it = first_item(p->a);
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!it)
		return;
	alert_said(p->a, it, p->lang, &text);
	row(p, SAY(p, "Fault", "故障库"), buf_view(&text), limit, b);
	b->bad |= text.bad;
}

/* ---- the excerpt ---- */

static size_t indent_of(struct span line)
{
	size_t n = 0;

	while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	return n;
}

static size_t common_indent(struct span text)
{
	size_t least = SIZE_MAX;

	while (text.n) {
		struct span line = span_cut(&text, '\n');
		size_t n = indent_of(line);
		if (n < line.n && !span_eq(line, S("…")) && n < least)
			least = n;
	}
	return least == SIZE_MAX ? 0 : least;
}

static void excerpt_line(const struct page *p, struct span line, size_t indent, struct buf *b)
{
	size_t more = indent_of(line);

	line = span_from(line, more);
	more = more > indent ? more - indent : 0;
	buf_adds(b, p->form == FORM_MARKDOWN ? "> " : p->form == FORM_PLAIN ? "  " : "");
	for (size_t i = 0; i < more && i < INDENT_MAX; i++)
		buf_adds(b, p->form == FORM_MARKDOWN ? "\xc2\xa0" : " "); /* four blanks would begin a code block */
	alert_escape(line, p->form, b);
	end_line(p, b);
}

/* Whole lines while they fit; of the first one what fits. */
static void part_excerpt(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert_item *it = first_item(p->a);
	struct span text = span_of(it ? it->excerpt : NULL), rest = text;
	size_t indent = common_indent(text), used = 0;
	bool open = false;

	while (rest.n) {
		struct span line = span_cut(&rest, '\n'), head = line;
		if (used + line.n > limit)
			head = used ? (struct span){ 0 } : utf8_head(line, limit);
		used += line.n + 1;
		if (!span_trim(line).n)
			continue;
		if (!open)
			buf_adds(b, p->form == FORM_MARKDOWN ? "\n" : p->form == FORM_HTML ? "<pre>" : "");
		open = true;
		if (head.n)
			excerpt_line(p, head, indent, b);
		if (head.n < line.n) {
			excerpt_line(p, S("…"), 0, b);
			break;
		}
	}
	if (!open)
		return;
	if (p->form == FORM_HTML && b->len && b->p[b->len - 1] == '\n')
		b->len--;
	buf_adds(b, p->form == FORM_HTML ? "</pre>\n" : p->form == FORM_MARKDOWN ? "\n" : "");
}

/* The finding's own words, when neither the title nor the excerpt has them. */
static void part_message(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert_item *it = first_item(p->a);
	struct span title = span_of(it ? it->title : NULL);

	if (!title.n || (it->excerpt && span_find(span_of(it->excerpt), title) != SPAN_NONE))
		return;
	if (p->a->lang == p->lang && p->a->summary && span_find(span_of(p->a->summary), title) != SPAN_NONE)
		return;
	row(p, SAY(p, "Message", "信息"), title, limit, b);
}

/* ---- further findings, groups ---- */

static void also_line(const struct page *p, const struct alert_item *it, size_t limit, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *mean = alert_mean(it->cause, p->lang);

	alert_place(it, &text);
	buf_adds(&text, text.len ? SAY(p, ": ", "：") : "");
	buf_adds(&text, it->title ? it->title : mean ? mean : it->cause ? it->cause : "?");
	row(p, SAY(p, "Also", "另有"), buf_view(&text), limit, b);
	b->bad |= text.bad;
}

static void part_also(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert *a = p->a;
	size_t shown = a->n_items > ALSO_MAX + 1 ? ALSO_MAX : a->n_items ? a->n_items - 1 : 0;
	int64_t left = (a->more > 0 ? a->more : 0);

	for (size_t i = 1; i <= shown; i++)
		also_line(p, &a->items[i], limit / ALSO_MAX, b);
	if (a->n_items > shown + 1 && __builtin_add_overflow(left, (int64_t)(a->n_items - shown - 1), &left))
		left = INT64_MAX;
	if (left <= 0)
		return;
	label(p, SAY(p, "Also", "另有"), b);
	buf_addf(b, SAY(p, "%lld more", "其他 %lld 项"), (long long)left);
	end_line(p, b);
}

static void part_groups(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert *a = p->a;
	int64_t left = digest_total(a);

	for (size_t i = 0; i < a->n_items && i < GROUPS_MAX; i++) {
		const struct alert_item *it = &a->items[i];
		const char *mean = alert_mean(it->cause, p->lang);
		buf_adds(b, p->form == FORM_MARKDOWN ? "- " : "• ");
		group_name(p, it, b);
		if (mean)
			buf_addf(b, SAY(p, ", %s", "，%s"), mean);
		if (it->title && limit >= 8 * GROUPS_MAX) {
			buf_adds(b, SAY(p, ": ", "："));
			foreignz(p, it->title, limit / GROUPS_MAX, b);
		}
		end_line(p, b);
		left -= group_size(it);
	}
	if (left > 0 && a->n_items > GROUPS_MAX) {
		buf_addf(b, SAY(p, "and %lld more", "还有其他 %lld 条"), (long long)left);
		end_line(p, b);
	}
	buf_adds(b, p->form == FORM_MARKDOWN && a->n_items ? "\n" : ""); /* else what follows would be of the last point */
}

/* ---- a channel that is down ---- */

static void part_answer(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert_item *it = first_item(p->a);

	row(p, SAY(p, "Channel", "渠道"), span_of(it ? it->title : NULL), limit, b);
	row(p, SAY(p, "Answer", "返回"), span_of(it ? it->said : NULL), limit, b);
	if (!it || it->count <= 0)
		return;
	buf_addf(b, SAY(p, "%lld alert%s kept until it works again.", "%lld 条告警%s已保存，恢复后会发送。"), (long long)it->count,
		 SAY(p, it->count == 1 ? " is" : "s are", ""));
	end_line(p, b);
}

/* ---- whose, where from ---- */

static void add_owners(const struct list *l, struct list *all, const char **v, size_t max)
{
	for (size_t i = 0; i < l->n && all->n < max; i++) {
		size_t at = 0;
		while (at < all->n && strcmp(all->v[at], l->v[i]))
			at++;
		if (at == all->n)
			v[all->n++] = l->v[i];
	}
}

static void part_owners(const struct page *p, size_t limit, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *v[OWNERS_SHOWN + 1];
	struct list all = { .v = v };

	for (size_t i = 0; i < p->a->n_items; i++)
		add_owners(&p->a->items[i].owners, &all, v, ARRAY_LEN(v));
	for (size_t i = 0; i < all.n && i < OWNERS_SHOWN; i++)
		buf_addf(&text, "%s%s", i ? ", " : "", all.v[i]);
	buf_adds(&text, all.n > OWNERS_SHOWN ? ", …" : "");
	row(p, SAY(p, "Owner", "负责人"), buf_view(&text), limit, b);
	b->bad |= text.bad;
}

static bool is_hash(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!s.p[i] || !strchr("0123456789abcdef", s.p[i]))
			return false;
	}
	return s.n >= 12;
}

static void part_context(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert *a = p->a;
	struct span commit = span_of(a->commit);
	const struct {
		const char *name;
		struct span text;
	} facts[] = {
		{ SAY(p, "branch", "分支"), span_of(a->branch) },
		{ SAY(p, "commit", "提交"), is_hash(commit) ? span_head(commit, 10) : commit },
		{ SAY(p, "job", "作业"), span_of(a->job) },
		{ "PR", span_of(a->pr) },
		{ SAY(p, "by", "触发者"), span_of(a->actor) },
		{ SAY(p, "host", "主机"), a->ci && a->kind != ALERT_PROBE ? (struct span){ 0 } : span_of(a->host) },
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		if (!facts[i].text.n)
			continue;
		if (!any)
			label(p, SAY(p, "Run", "运行"), b);
		buf_addf(b, "%s%s ", any ? SAY(p, ", ", "，") : "", facts[i].name);
		foreign(p, facts[i].text, limit / ARRAY_LEN(facts), b);
		any = true;
	}
	if (any)
		end_line(p, b);
}

static void part_link(const struct page *p, size_t limit, struct buf *b)
{
	CLEANUP(buf_free) struct buf url = { 0 };

	(void)limit;
	if (!alert_link(p->a->url, &url))
		return;
	if (p->form == FORM_PLAIN) {
		buf_span(b, buf_view(&url));
	} else if (p->form == FORM_MARKDOWN) {
		buf_addf(b, "[%s](%s)", SAY(p, "Open the CI job", "打开 CI 作业"), buf_str(&url));
	} else {
		buf_adds(b, "<a href=\"");
		alert_escape(buf_view(&url), FORM_HTML, b);
		buf_addf(b, "\">%s</a>", SAY(p, "Open the CI job", "打开 CI 作业"));
	}
	end_line(p, b);
	b->bad |= url.bad;
}

static void part_advice(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert_item *it = first_item(p->a);
	const char *own = it ? own_advice(it, p->lang) : NULL;

	if (own && strlen(own) <= limit) {
		label(p, SAY(p, "To do", "建议"), b);
		own_text(p, own, b);
		end_line(p, b);
	} else if (it) {
		row(p, SAY(p, "To do", "建议"), own ? span_of(own) : span_of(it->advice), limit, b);
	}
}

static void part_command(const struct page *p, size_t limit, struct buf *b)
{
	const struct alert *a = p->a;
	char took[24];

	if (!a->command)
		return;
	label(p, SAY(p, "Command", "命令"), b);
	foreignz(p, a->command, limit, b);
	if (a->duration_ns >= 0 || a->go)
		buf_adds(b, SAY(p, " (", "（"));
	if (a->duration_ns >= 0) {
		duration_text(a->duration_ns, took);
		buf_adds(b, took);
	}
	buf_adds(b, a->duration_ns >= 0 && a->go ? SAY(p, ", ", "，") : "");
	if (a->go)
		foreignz(p, a->go, 40, b);
	if (a->duration_ns >= 0 || a->go)
		buf_adds(b, SAY(p, ")", "）"));
	end_line(p, b);
}

/* ---- the body ---- */

/* In the order in which they are read. */
enum part { NOTE, CAUSE, ANSWER, GROUPS, PLACE, SAID, MESSAGE, EXCERPT, ALSO, OWNERS, CONTEXT, LINK, ADVICE, COMMAND, PARTS };

#define ONE(part) (1u << (part))
#define OF_RUN    (ONE(NOTE) | ONE(CAUSE) | ONE(PLACE) | ONE(SAID) | ONE(MESSAGE) | ONE(EXCERPT) | ONE(ALSO) | ONE(OWNERS) | ONE(CONTEXT) | \
		   ONE(LINK) | ONE(ADVICE) | ONE(COMMAND))

static const unsigned of_kind[ALERT_KINDS] = {
	[ALERT_FAILED] = OF_RUN,
	[ALERT_FOLLOWUP] = OF_RUN,
	[ALERT_RECOVERED] = ONE(CAUSE) | ONE(PLACE) | ONE(SAID) | ONE(ALSO) | ONE(OWNERS) | ONE(CONTEXT) | ONE(LINK) | ONE(COMMAND),
	[ALERT_DIGEST] = ONE(NOTE) | ONE(GROUPS) | ONE(OWNERS) | ONE(LINK),
	[ALERT_PROBE] = ONE(NOTE) | ONE(CONTEXT) | ONE(LINK),
	[ALERT_CHANNEL] = ONE(ANSWER) | ONE(CONTEXT) | ONE(ADVICE),
};

static const struct {
	void (*make)(const struct page *p, size_t limit, struct buf *b);
	int rank;           /* which gets room first */
	size_t most, least; /* bytes of foreign text; below least it is left out. most 0: it cannot be shorter */
} parts[PARTS] = {
	[CAUSE] = { part_cause, 0, 60, 60 },
	[ANSWER] = { part_answer, 1, 600, 40 },
	[PLACE] = { part_place, 2, 400, 16 },
	[LINK] = { part_link, 3, 0, 0 },
	[NOTE] = { part_note, 4, 0, 0 },
	[GROUPS] = { part_groups, 5, 8 * 160, 0 },
	[SAID] = { part_said, 6, 400, 24 },
	[OWNERS] = { part_owners, 7, 200, 8 },
	[CONTEXT] = { part_context, 8, 6 * 60, 6 * 10 },
	[MESSAGE] = { part_message, 9, 400, 24 },
	[EXCERPT] = { part_excerpt, 10, 4096, 40 },
	[ADVICE] = { part_advice, 11, 1000, 60 },
	[ALSO] = { part_also, 12, ALSO_MAX * 240, ALSO_MAX * 40 },
	[COMMAND] = { part_command, 13, 400, 16 },
};

/* The longest form of a part that is at most room bytes; none: nothing is added. */
static void fit(const struct page *p, enum part part, size_t room, struct buf *b)
{
	size_t low = parts[part].least, high = parts[part].most;
	CLEANUP(buf_free) struct buf t = { 0 };

	parts[part].make(p, high, &t);
	b->bad |= t.bad;
	if (t.len <= room) {
		buf_span(b, buf_view(&t));
		return;
	}
	while (low < high) { /* the search leaves in b the longest that fitted */
		size_t half = low + (high - low) / 2;
		buf_clear(&t);
		parts[part].make(p, half, &t);
		b->bad |= t.bad;
		if (t.len > room) {
			high = half;
			continue;
		}
		low = half + 1;
		b->len = 0;
		buf_span(b, buf_view(&t));
	}
}

void alert_text(const struct alert *a, enum alert_form form, enum lang lang, size_t max, struct buf *ret)
{
	struct buf made[PARTS] = { 0 };
	struct page p = { a, form, lang };

	for (int rank = 0; rank < PARTS; rank++) {
		for (enum part i = 0; i < PARTS; i++) {
			if (parts[i].rank != rank || !(of_kind[a->kind] & ONE(i)))
				continue;
			fit(&p, i, max, &made[i]);
			max -= made[i].len;
		}
	}
	for (enum part i = 0; i < PARTS; i++) {
		ret->bad |= made[i].bad;
		buf_span(ret, buf_view(&made[i]));
		buf_free(&made[i]);
	}
}
