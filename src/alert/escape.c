/* Foreign text and addresses in messages: nobody is called, nothing is marked up, nothing is hidden. */
#include "alert/alert.h"
#include "base/mem.h"
#include "base/text.h"

#define MARKS_MAX 3 /* combining marks on one character */
#define LINK_MAX  2000

/*
 * Chats disagree on how to escape (a backslash is shown by some, an entity by others). So what could be markup or a
 * mention becomes a character that looks like it and means nothing to any of them.
 */
#define LIKE_AT        "＠"
#define LIKE_LESS      "‹"
#define LIKE_MORE      "›"
#define LIKE_BRACKET   "］"
#define LIKE_STAR      "∗"
#define LIKE_TICK      "'"
#define LIKE_LINE      "＿"
#define LIKE_TILDE     "∼"
#define LIKE_BAR       "∣"
#define LIKE_BACKSLASH "∖"
#define LIKE_AND       "＆"

/* ---- first: only what can be seen ---- */

static bool is_direction(uint32_t cp)
{
	return (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f || cp == 0x061c;
}

static bool is_hidden(uint32_t cp) /* no width, or not for text */
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == 0x34f || cp == 0x180e || (cp >= 0x115f && cp <= 0x1160) ||
	       (cp >= 0x200b && cp <= 0x200d) || (cp >= 0x2028 && cp <= 0x2029) || (cp >= 0x2060 && cp <= 0x206f) || cp == 0x3164 ||
	       cp == 0xfeff || cp == 0xffa0 || (cp >= 0xfff0 && cp <= 0xfffb) || (cp & 0xfffe) == 0xfffe || (cp >= 0xfdd0 && cp <= 0xfdef) ||
	       (cp >= 0xe0000 && cp <= 0xe0fff);
}

static void clean(struct span s, struct buf *ret)
{
	uint32_t cp;
	int marks = 0;

	while (s.n) {
		if (s.p[0] == 0x1b) {
			s = span_from(s, ansi_length(s));
			continue;
		}
		size_t n = utf8_decode(s, &cp);
		bool mark = cp != UTF8_BAD && cp >= 0x300 && utf8_cell(cp) == 0;
		marks = mark ? marks + 1 : 0;
		if (cp == UTF8_BAD || is_direction(cp))
			buf_adds(ret, "\xef\xbf\xbd");
		else if (cp == '\n' || cp == '\t' || (cp == '\r' && s.n > 1 && s.p[1] != '\n'))
			buf_addc(ret, ' ');
		else if (!is_hidden(cp) && marks <= MARKS_MAX)
			buf_add(ret, s.p, n);
		s = span_from(s, n);
	}
}

/* ---- then: nothing that a chat acts on ---- */

struct escape {
	struct span all; /* clean */
	size_t at;
	bool open;       /* a ‹ that waits for its › */
	struct buf *to;
};

static int byte_at(const struct escape *x, size_t back, size_t on) /* -1: beyond the ends */
{
	size_t i = x->at + on;

	return i < back || i - back >= x->all.n ? -1 : (unsigned char)x->all.p[i - back];
}

static bool is_alpha(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(int c) /* of any script */
{
	return is_alpha(c) || is_digit(c) || c >= 0x80;
}

static bool is_punct(int c)
{
	return c > ' ' && c < 0x7f && !is_word(c);
}

/* "example.com/mod@v1.2.3" is no mention. */
static bool is_version(const struct escape *x)
{
	static const char *const words[] = { "latest", "upgrade", "patch", "none" };
	struct span rest = span_from(x->all, x->at + 1);
	int before = byte_at(x, 1, 0);

	if (!is_alpha(before) && !is_digit(before))
		return false;
	if (rest.n > 1 && rest.p[0] == 'v' && is_digit(rest.p[1]))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);
		if (span_starts(rest, span_of(words[i])) && (rest.n == n || (!is_word((unsigned char)rest.p[n]) && rest.p[n] != '_')))
			return true;
	}
	return false;
}

static bool opens_tag(const struct escape *x)
{
	int next = byte_at(x, 0, 1);

	return is_alpha(next) || (next > 0 && strchr("!@#/?", next));
}

static size_t run_of(const struct escape *x, char c) /* how many of it stand around here */
{
	size_t from = x->at, to = from;

	while (from && x->all.p[from - 1] == c)
		from--;
	while (to < x->all.n && x->all.p[to] == c)
		to++;
	return to - from;
}

/* "&lt;", "&#60;" */
static bool is_entity(const struct escape *x)
{
	size_t i = 1;

	while (i < 12 && (is_alpha(byte_at(x, 0, i)) || is_digit(byte_at(x, 0, i)) || byte_at(x, 0, i) == '#'))
		i++;
	return i > 1 && byte_at(x, 0, i) == ';';
}

/* "](…", "][…"; "[name]: …" at the start is a definition that would not be shown at all. */
static bool ends_link_text(const struct escape *x)
{
	int next = byte_at(x, 0, 1);

	return next == '(' || next == '[' || (next == ':' && x->all.p[0] == '[');
}

/* What is a risk in every chat, whatever the form. NULL: nothing. */
static const char *like_any(struct escape *x, char c)
{
	if (c == '@')
		return is_version(x) ? NULL : LIKE_AT;
	if (c == '<' && opens_tag(x)) {
		x->open = true;
		return LIKE_LESS;
	}
	if (c == '>' && x->open) {
		x->open = false;
		return LIKE_MORE;
	}
	if (c == ']' && ends_link_text(x))
		return LIKE_BRACKET;
	return c == '`' && run_of(x, c) > 2 ? LIKE_TICK : NULL;
}

static const char *like_markdown(const struct escape *x, char c)
{
	switch (c) {
	case '*': return LIKE_STAR;
	case '`': return LIKE_TICK;
	case '_': return is_word(byte_at(x, 1, 0)) && is_word(byte_at(x, 0, 1)) ? NULL : LIKE_LINE;
	case '~': return run_of(x, c) > 1 ? LIKE_TILDE : NULL;
	case '|': return run_of(x, c) > 1 ? LIKE_BAR : NULL;
	case '&': return is_entity(x) ? LIKE_AND : NULL;
	case '\\': return byte_at(x, 0, 1) < 0 || is_punct(byte_at(x, 0, 1)) ? LIKE_BACKSLASH : NULL;
	default: return NULL;
	}
}

/* A heading, a quote, a list: what only counts where a line begins. */
static const char *like_first(const struct escape *x, char c)
{
	int next = byte_at(x, 0, 1);
	bool alone = next < 0 || next == ' ';

	if (c == '#')
		return "＃";
	if (c == '>')
		return LIKE_MORE;
	if (c == '|')
		return LIKE_BAR;
	if (c == '=' && x->at + run_of(x, c) == x->all.n)
		return "＝";
	if (c == '-' && (alone || x->at + run_of(x, c) == x->all.n))
		return "–";
	return c == '+' && alone ? "＋" : NULL;
}

static const char *html_entity(char c)
{
	return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : c == '\'' ? "&#39;" : NULL;
}

static const char *like(struct escape *x, enum alert_form form, char c, bool first)
{
	const char *html = form == FORM_HTML ? html_entity(c) : NULL;
	const char *any = html ? html : like_any(x, c);

	if (any || form != FORM_MARKDOWN)
		return any;
	any = first ? like_first(x, c) : NULL;
	return any ? any : like_markdown(x, c);
}

/* "1. " and "2) " begin lists: the mark behind the digits. */
static size_t list_mark(struct span s)
{
	size_t n = 0;

	while (n < s.n && n < 9 && is_digit(s.p[n]))
		n++;
	return n && n < s.n && (s.p[n] == '.' || s.p[n] == ')') && (n + 1 == s.n || s.p[n + 1] == ' ') ? n : SPAN_NONE;
}

void alert_escape(struct span s, enum alert_form form, struct buf *ret)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct escape x = { .to = ret };

	clean(s, &text);
	ret->bad |= text.bad;
	x.all = buf_view(&text);
	size_t start = 0, mark = SPAN_NONE;
	while (start < x.all.n && x.all.p[start] == ' ')
		start++;
	if (form == FORM_MARKDOWN && list_mark(span_from(x.all, start)) != SPAN_NONE)
		mark = start + list_mark(span_from(x.all, start));
	for (x.at = 0; x.at < x.all.n; x.at++) {
		char c = x.all.p[x.at];
		const char *other = x.at == mark ? (c == '.' ? "．" : "）") : like(&x, form, c, x.at == start);
		if (other)
			buf_adds(ret, other);
		else
			buf_addc(ret, c);
	}
}

/* ---- addresses ---- */

static bool link_byte(unsigned char c) /* stays as it is */
{
	return is_alpha(c) || is_digit(c) || (c && strchr("-._~:/?#=&%+,;$!", c));
}

static bool link_host(struct span s)
{
	if (!s.n || s.p[0] != '[')
		return s.n && (is_alpha(s.p[0]) || is_digit(s.p[0]));
	size_t end = 1; /* IPv6: "[::1]", "[::1]:8080" */
	while (end < s.n && s.p[end] && strchr("0123456789abcdefABCDEF:.", s.p[end]))
		end++;
	if (end == s.n || s.p[end++] != ']')
		return false;
	if (end < s.n && s.p[end++] != ':')
		return false;
	while (end < s.n && is_digit(s.p[end]))
		end++;
	return end == s.n;
}

bool alert_link(const char *url, struct buf *ret)
{
	struct span s = span_of(url), rest = s;

	if (!url || s.n > LINK_MAX || (!span_skip(&rest, S("https://")) && !span_skip(&rest, S("http://"))))
		return false;
	size_t host = strcspn(rest.p, "/?#");
	if (!link_host(span_head(rest, host)) || span_chr(span_head(rest, host), '@') != SPAN_NONE)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	}
	size_t head = s.n - rest.n + (rest.p[0] == '[' ? host : 0); /* the brackets of an IPv6 host are its own */
	buf_add(ret, s.p, head);
	for (size_t i = head; i < s.n; i++) {
		if (link_byte((unsigned char)s.p[i]))
			buf_addc(ret, s.p[i]);
		else
			buf_addf(ret, "%%%02X", (unsigned char)s.p[i]);
	}
	return true;
}
