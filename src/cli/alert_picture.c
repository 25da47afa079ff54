#include "base/json.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "cli/alert_picture.h"

/*
 * A message as its reader sees it, drawn from the request that would be sent: what stands in the box was in the payload. The
 * text is kept as lines with marks in them, which no cleaned text has.
 */
#define BOX_MAX 78
enum mark { MARK_BOLD = 1, MARK_CODE, MARK_LINK, MARK_CALL, MARK_OFF, MARK_QUOTE /* begins a line */ };

enum look { LOOK_TITLE, LOOK_PLAIN, LOOK_MARKDOWN, LOOK_HTML, LOOK_CALL, LOOK_BUTTON, LOOK_LIST /* @ids */ };

/* clang-format off */
static const struct { const char *type, *path; enum look look; } rows[] = {
	{ "dingtalk", "actionCard.text", LOOK_MARKDOWN }, { "dingtalk", "actionCard.singleTitle", LOOK_BUTTON },
	{ "dingtalk", "markdown.text", LOOK_MARKDOWN }, { "dingtalk", "text.content", LOOK_PLAIN },
	{ "wecom", "markdown.content", LOOK_MARKDOWN }, { "wecom", "text.content", LOOK_PLAIN },
	{ "wecom", "text.mentioned_list", LOOK_LIST }, { "wecom", "text.mentioned_mobile_list", LOOK_LIST },
	{ "feishu", "card.header.title.content", LOOK_TITLE }, { "feishu", "card.elements.content", LOOK_MARKDOWN },
	{ "feishu", "card.elements.actions.text.content", LOOK_BUTTON }, { "feishu", "content.text", LOOK_MARKDOWN },
	{ "slack", "blocks.text.text", LOOK_TITLE },
	{ "teams", "attachments.content.body.inlines.text", LOOK_PLAIN }, { "teams", "attachments.content.body.text", LOOK_HTML },
	{ "teams", "attachments.content.actions.title", LOOK_BUTTON },
	{ "discord", "content", LOOK_MARKDOWN }, { "discord", "embeds.title", LOOK_TITLE }, { "discord", "embeds.description", LOOK_MARKDOWN },
	{ "telegram", "text", LOOK_HTML },
	{ "pagerduty", "payload.summary", LOOK_TITLE }, { "pagerduty", "payload.custom_details.text", LOOK_PLAIN }, { "pagerduty", "links.text", LOOK_BUTTON },
	{ "opsgenie", "message", LOOK_TITLE }, { "opsgenie", "description", LOOK_PLAIN },
	{ "alertmanager", "annotations.summary", LOOK_TITLE }, { "alertmanager", "annotations.description", LOOK_PLAIN },
};
/* clang-format on */

struct picture {
	const char *type;
	struct buf title, text, buttons;
	struct buf piece;             /* Slack: text whose style follows it */
	enum mark style;
	bool pre, begins;             /* within preformatted lines; a line begins */
};

/* ---- markup becomes marks ---- */

static void mark(struct picture *p, enum mark m)
{
	buf_addc(&p->text, (char)m);
}

static void marked(struct picture *p, enum mark m, struct span text)
{
	mark(p, m);
	buf_span(&p->text, text);
	mark(p, MARK_OFF);
}

/* No secret, no control byte, no command of a CI system; ends in a newline. */
static void clean(struct span s, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	redact_text(NULL, s, &b);
	say_lines(ret, buf_view(&b), 0, 0);
	ret->bad |= b.bad;
}

/* <at id=…></at>, <at user_id="…"></at>, <at>name</at>, <@id>: who is called. */
static bool take_call(struct picture *p, struct span *s)
{
	struct span rest = *s, id;

	if (span_skip(&rest, S("<@"))) {
		id = span_cut(&rest, '>');
	} else if (span_skip(&rest, S("<at"))) {
		struct span tag = span_cut(&rest, '>');
		size_t is = span_chr(tag, '=');
		size_t end = span_find(rest, S("</at>"));
		if (end == SPAN_NONE)
			return false;
		id = is == SPAN_NONE ? span_head(rest, end) : span_from(tag, is + 1);
		while (id.n && id.p[0] == '"')
			id = span_from(id, 1);
		while (id.n && id.p[id.n - 1] == '"')
			id.n--;
		rest = span_from(rest, end + 5);
	} else {
		return false;
	}
	mark(p, MARK_CALL);
	buf_adds(&p->text, id.n && id.p[0] == '@' ? "" : "@");
	buf_span(&p->text, id);
	mark(p, MARK_OFF);
	*s = rest;
	return true;
}

/* [text](address) */
static bool take_link(struct picture *p, struct span *s)
{
	size_t middle = span_find(*s, S("](")), end;

	if (s->p[0] != '[' || middle == SPAN_NONE)
		return false;
	end = span_chr(span_from(*s, middle), ')');
	if (end == SPAN_NONE)
		return false;
	marked(p, MARK_LINK, span_from(span_head(*s, middle), 1));
	*s = span_from(*s, middle + end + 1);
	return true;
}

static bool take_font(struct span *s)
{
	struct span rest = *s;

	if (!span_skip(&rest, S("<font")) && !span_skip(&rest, S("</font")))
		return false;
	span_cut(&rest, '>');
	*s = rest;
	return true;
}

static void markdown_line(struct picture *p, struct span s)
{
	bool bold = false, code = false;

	if (span_skip(&s, S("### ")))
		bold = true;
	else if (span_skip(&s, S("> ")))
		mark(p, MARK_QUOTE);
	else if (span_skip(&s, S("- ")))
		buf_adds(&p->text, "• ");
	if (bold)
		mark(p, MARK_BOLD);
	while (s.n) {
		if (!code && span_skip(&s, S("**"))) {
			bold = !bold;
			mark(p, bold ? MARK_BOLD : MARK_OFF);
		} else if (span_skip(&s, S("`"))) {
			code = !code;
			mark(p, code ? MARK_CODE : MARK_OFF);
		} else if (code || (!take_call(p, &s) && !take_link(p, &s) && !take_font(&s))) {
			if (!code && s.p[0] == '\\' && s.n > 1)
				s = span_from(s, 1);
			buf_addc(&p->text, s.p[0]);
			s = span_from(s, 1);
		}
	}
	if (bold || code)
		mark(p, MARK_OFF);
}

static bool take_entity(struct picture *p, struct span *s)
{
	static const char *const names[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (span_skip(s, span_of(names[i]))) {
			buf_addc(&p->text, "&<>\"'"[i]);
			return true;
		}
	}
	return false;
}

static bool take_tag(struct picture *p, struct span *s)
{
	static const struct { const char *tag; enum mark m; } tags[] = {
		{ "<b>", MARK_BOLD }, { "<i>", MARK_BOLD }, { "<code>", MARK_CODE }, { "</b>", MARK_OFF }, { "</i>", MARK_OFF }, { "</code>", MARK_OFF }, { "</a>", MARK_OFF },
	};

	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (span_skip(s, span_of(tags[i].tag))) {
			mark(p, tags[i].m);
			return true;
		}
	}
	if (span_skip(s, S("<a "))) {
		span_cut(s, '>');
		mark(p, MARK_LINK);
		return true;
	}
	return take_call(p, s);
}

static void html_line(struct picture *p, struct span s)
{
	if (span_skip(&s, S("<pre>")))
		p->pre = true;
	if (p->pre)
		mark(p, MARK_QUOTE);
	while (s.n) {
		if (span_skip(&s, S("</pre>"))) {
			p->pre = false;
		} else if (!take_tag(p, &s) && !take_entity(p, &s)) {
			buf_addc(&p->text, s.p[0]);
			s = span_from(s, 1);
		}
	}
}

/* Lines; of blank ones nothing is left. */
static void add_lines(struct picture *p, enum look look, struct span text)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span rest;

	clean(text, &b);
	for (rest = buf_view(&b); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		while (line.n && line.p[line.n - 1] == ' ')
			line.n--;
		if (!line.n)
			continue;
		if (look == LOOK_MARKDOWN) {
			markdown_line(p, line);
		} else if (look == LOOK_HTML) {
			html_line(p, line);
		} else {
			if (span_skip(&line, S("  ")))
				mark(p, MARK_QUOTE);
			buf_span(&p->text, line);
		}
		buf_addc(&p->text, '\n');
	}
	p->text.bad |= b.bad;
}

/* ---- the payload is walked ---- */

static void add_button(struct picture *p, struct span text)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	redact_text(NULL, text, &b);
	buf_adds(&p->buttons, p->buttons.len ? "  [ " : "[ ");
	say_clean(&p->buttons, buf_view(&b)); /* of one line */
	buf_adds(&p->buttons, " ]");
	p->buttons.bad |= b.bad;
}

static void add(struct picture *p, enum look look, struct span text)
{
	switch (look) {
	case LOOK_TITLE: clean(text, &p->title); break;
	case LOOK_BUTTON: add_button(p, text); break;
	case LOOK_LIST:
		mark(p, MARK_CALL);
		buf_adds(&p->text, text.n && text.p[0] == '@' ? "" : "@");
		clean(text, &p->text);
		break;
	case LOOK_PLAIN: case LOOK_MARKDOWN: case LOOK_HTML: case LOOK_CALL: add_lines(p, look, text); break;
	}
}

/* A piece of Slack's rich text: {"type":"text","text":…,"style":{"bold":true}} */
#define SLACK_PIECE "blocks.elements.elements"

static void slack_leaf(struct picture *p, struct span path, enum json_tok t, struct span text)
{
	if (!span_skip(&path, S(SLACK_PIECE ".")))
		p->pre = span_eq(path, S("blocks.elements.type")) ? span_eq(text, S("rich_text_preformatted")) : p->pre;
	else if (span_eq(path, S("text"))) {
		clean(text, &p->piece);
		buf_adds(&p->piece, span_ends(text, S("\n")) ? "\n" : ""); /* that one is not a line's own end */
	} else if (span_eq(path, S("user_id")) || span_eq(path, S("usergroup_id")) || span_eq(path, S("range"))) {
		buf_addc(&p->piece, '@');
		clean(text, &p->piece);
		p->style = MARK_CALL;
	} else if (span_eq(path, S("url")))
		p->style = MARK_LINK;
	else if (t == JSON_TRUE)
		p->style = span_eq(path, S("style.code")) ? MARK_CODE : span_eq(path, S("style.bold")) ? MARK_BOLD : p->style;
}

/* Every newline but the last, which cleaning put there, is one of the text. */
static void slack_piece(struct picture *p)
{
	struct span s = buf_view(&p->piece);

	if (s.n)
		s.n--;
	if (p->style)
		mark(p, p->style);
	for (; s.n; s = span_from(s, 1)) {
		if (p->pre && p->begins)
			mark(p, MARK_QUOTE);
		p->begins = s.p[0] == '\n';
		buf_addc(&p->text, s.p[0]);
	}
	if (p->style)
		mark(p, MARK_OFF);
	p->style = 0;
	buf_clear(&p->piece);
}

static void slack_end(struct picture *p, struct span path)
{
	if (span_eq(path, S(SLACK_PIECE))) {
		slack_piece(p);
	} else if (span_eq(path, S("blocks.elements"))) {
		buf_addc(&p->text, '\n');
		p->begins = true;
		p->pre = false;
	}
}

static void leaf(struct picture *p, struct span path, enum json_tok t, struct span raw)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (t == JSON_STR)
		json_unescape(raw, &text);
	if (!strcmp(p->type, "slack"))
		slack_leaf(p, path, t, buf_view(&text));
	for (size_t i = 0; t == JSON_STR && i < ARRAY_LEN(rows); i++) {
		if (!strcmp(rows[i].type, p->type) && span_eq(path, span_of(rows[i].path)))
			add(p, rows[i].look, buf_view(&text));
	}
	p->text.bad |= text.bad;
}

static struct span here(const struct buf *path)
{
	return (struct span){ buf_str(path), path->len };
}

static void walk(struct picture *p, struct span json)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct json_in j = { .text = json };
	size_t base[66] = { 0 };
	enum json_tok t;

	while ((t = json_next(&j)) > JSON_END && !path.bad) {
		if (t == JSON_OBJ || t == JSON_ARR) {
			base[j.depth] = path.len;
		} else if (t == JSON_OBJ_END || t == JSON_ARR_END) {
			path.len = base[j.depth + 1];
			if (t == JSON_OBJ_END && !strcmp(p->type, "slack"))
				slack_end(p, here(&path));
		} else if (t == JSON_KEY) {
			path.len = base[j.depth];
			buf_adds(&path, path.len ? "." : "");
			buf_span(&path, j.value);
		} else {
			leaf(p, here(&path), t, j.value);
		}
	}
}

/* ---- drawing ---- */

static const struct { enum mark m; const char *begin; } styles[] = {
	{ MARK_BOLD, "\033[1m" }, { MARK_CODE, "\033[36m" }, { MARK_LINK, "\033[4;36m" }, { MARK_CALL, "\033[1;34m" },
};

static const char *style_begin(char m)
{
	for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
		if ((char)styles[i].m == m)
			return styles[i].begin;
	}
	return "";
}

static bool is_mark(char c)
{
	return c > 0 && c <= MARK_QUOTE;
}

/* Must not begin a line. */
static bool closes(uint32_t cp)
{
	static const uint32_t marks[] = { 0xff0c, 0x3002, 0xff1b, 0xff1a, 0x3001, 0xff09, 0x300d, 0x201d, 0xff1f, 0xff01, ')', ',', '.', ';', ':' };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (marks[i] == cp)
			return true;
	}
	return false;
}

/* How many bytes go into a row of so many columns: whole words where there are any, a wide character is one. */
static size_t row_bytes(struct span s, size_t width)
{
	size_t at = 0, used = 0, stop = 0, stop_used = 0, part = 0, part_used = 0;
	bool wide_before = false;

	while (at < s.n) {
		uint32_t cp;
		size_t n = utf8_decode(span_from(s, at), &cp);
		size_t w = is_mark(s.p[at]) ? 0 : (size_t)utf8_cell(cp == UTF8_BAD ? 0xfffd : cp);
		if (at && !closes(cp) && w && (w == 2 || wide_before)) {
			stop = at;
			stop_used = used;
		}
		if (used + w > width)
			return stop_used > width / 2 ? stop : part_used > width / 3 ? part : stop ? stop : at ? at : n;
		used += w;
		at += n;
		if (cp == ' ') {
			stop = at;
			stop_used = used;
		} else if (cp == '/') { /* of an address that is longer than a row */
			part = at;
			part_used = used;
		}
		wide_before = w ? w == 2 : wide_before;
	}
	return s.n;
}

/* The style that holds at its end. */
static char draw_text(struct buf *b, const struct term *t, struct span s, char style, size_t *columns)
{
	*columns = 0;
	if (t->color && style)
		buf_adds(b, style_begin(style));
	while (s.n) {
		uint32_t cp;
		size_t n = utf8_decode(s, &cp);
		if (is_mark(s.p[0])) {
			style = s.p[0] == MARK_OFF ? 0 : s.p[0];
			if (t->color)
				buf_adds(b, style ? style_begin(style) : "\033[0m");
		} else {
			*columns += (size_t)utf8_cell(cp == UTF8_BAD ? 0xfffd : cp);
			buf_add(b, s.p, n);
		}
		s = span_from(s, n);
	}
	if (t->color && style)
		buf_adds(b, "\033[0m");
	return style;
}

static void draw_line(struct buf *b, const struct picture_frame *f, struct span line, char style)
{
	bool quote = line.n && line.p[0] == MARK_QUOTE;
	size_t width = f->width - (quote ? 2 : 0), columns;

	if (quote)
		line = span_from(line, 1);
	do {
		size_t n = row_bytes(line, width);
		struct span row = span_head(line, n);
		while (row.n > 1 && row.p[row.n - 1] == ' ')
			row.n--;
		say_paint(b, f->term, f->paint, "│");
		buf_adds(b, " ");
		if (quote)
			say_paint(b, f->term, PAINT_DIM, "▎ ");
		style = draw_text(b, f->term, row, style, &columns);
		say_pad(b, width > columns ? width - columns : 0);
		buf_adds(b, " ");
		say_paint(b, f->term, f->paint, "│");
		buf_addc(b, '\n');
		line = span_from(line, n);
		while (line.n && line.p[0] == ' ')
			line = span_from(line, 1);
	} while (line.n);
}

static void draw_bar(struct buf *b, const struct picture_frame *f, const char *left, const char *name, const char *right)
{
	CLEANUP(buf_free) struct buf bar = { 0 };
	size_t used = 0;

	buf_adds(&bar, left);
	if (name) {
		struct span fit = text_fit(span_of(name), f->width > 4 ? f->width - 4 : 0);
		buf_addf(&bar, "─ %.*s ", SPAN_ARG(fit));
		used = 3 + text_width(fit);
	}
	for (size_t i = used; i < f->width + 2; i++)
		buf_adds(&bar, "─");
	buf_adds(&bar, right);
	say_paint(b, f->term, f->paint, buf_str(&bar));
	buf_addc(b, '\n');
	b->bad |= bar.bad;
}

static void draw(struct buf *b, const struct picture_frame *f, const struct picture *p)
{
	struct span rest = span_trim(buf_view(&p->title));

	draw_bar(b, f, "╭", f->name, "╮");
	while (rest.n)
		draw_line(b, f, span_cut(&rest, '\n'), MARK_BOLD);
	rest = buf_view(&p->text);
	if (rest.n)
		draw_bar(b, f, "├", NULL, "┤");
	while (rest.n)
		draw_line(b, f, span_cut(&rest, '\n'), 0);
	if (p->buttons.len) {
		draw_bar(b, f, "├", NULL, "┤");
		draw_line(b, f, buf_view(&p->buttons), MARK_LINK);
	}
	draw_bar(b, f, "╰", NULL, "╯");
}

/* A robot's text begins with its title. */
static void take_title(struct picture *p)
{
	struct span rest = buf_view(&p->text), line;

	while (rest.n && !span_trim(buf_view(&p->title)).n) {
		line = span_cut(&rest, '\n');
		buf_clear(&p->title);
		for (size_t i = 0; i < line.n; i++) {
			if (!is_mark(line.p[i]))
				buf_addc(&p->title, line.p[i]);
		}
		size_t left = rest.n;
		memmove(p->text.p, rest.p, left);
		p->text.len = left;
		rest = buf_view(&p->text);
	}
}

void picture_draw(const struct picture_frame *frame, const char *type, const struct request *q, const struct alert *a, enum lang lang, struct buf *ret)
{
	struct picture p = { .type = type, .begins = true };
	struct picture_frame f = *frame;
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 };
	bool json = q->body.len && (q->body.p[0] == '{' || q->body.p[0] == '['), ntfy = !strcmp(type, "ntfy");

	f.width = f.term->width > BOX_MAX + 4 ? BOX_MAX : f.term->width > 24 ? f.term->width - 4 : 20;
	if (json && q->kind == REQUEST_HTTP)
		walk(&p, buf_view(&q->body));
	if (json && !p.title.len && !p.text.len && json_find(buf_view(&q->body), "text", &(struct span){ 0 }) && !strcmp(type, "slack")) {
		struct span raw = { 0 };
		json_find(buf_view(&q->body), "text", &raw);
		json_unescape(raw, &text);
		add_lines(&p, LOOK_HTML, buf_view(&text));
	}
	if (ntfy)
		add_lines(&p, LOOK_PLAIN, buf_view(&q->body));
	if (!p.text.len && !p.title.len) { /* of the others nobody sees the payload */
		buf_clear(&text);
		alert_text(a, FORM_PLAIN, lang, 4000, &text);
		add_lines(&p, LOOK_PLAIN, buf_view(&text));
		ntfy = true;
	}
	if (ntfy) {
		alert_title(a, lang, 300, &title);
		clean(buf_view(&title), &p.title);
	}
	take_title(&p);
	draw(ret, &f, &p);
	ret->bad |= p.title.bad || p.text.bad || p.buttons.bad || p.piece.bad || text.bad || title.bad;
	buf_free(&p.title);
	buf_free(&p.text);
	buf_free(&p.buttons);
	buf_free(&p.piece);
}
