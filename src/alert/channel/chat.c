#include "alert/channel/chat.h"

#include <errno.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

const char *lang_text(enum lang lang, const char *en, const char *zh)
{
	return lang == LANG_ZH ? zh : en;
}

void text_break(struct buf *b, size_t from, struct span what)
{
	static const char joiner[] = "\xe2\x81\xa0"; /* U+2060 */

	while (from < b->len) {
		size_t at = span_find(span_from(buf_view(b), from), what);
		if (at == SPAN_NONE)
			return;
		if (!buf_need(b, 3)) { /* rather nothing than what means something */
			b->len = from;
			return;
		}
		from += at + 1;
		memmove(b->p + from + 3, b->p + from, b->len - from + 1);
		memcpy(b->p + from, joiner, 3);
		b->len += 3;
	}
}

void html_add(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '&')
			buf_adds(b, "&amp;");
		else if (s.p[i] == '<' || s.p[i] == '>')
			buf_adds(b, s.p[i] == '<' ? "&lt;" : "&gt;");
		else
			buf_addc(b, s.p[i]);
	}
}

int chat_url(const struct channel_target *t, size_t more, struct request *ret, struct err *e)
{
	struct span url = span_trim(t->url);

	if (!url.n)
		return err_set(e, EINVAL, TR("channel %s: it needs a url", "渠道 %s：缺少 url"), t->name);
	if (buf_need(&ret->url, url.n + more))
		buf_span(&ret->url, url);
	return 0;
}

enum chat_tone chat_tone(const struct alert *a)
{
	if (a->kind == ALERT_PROBE)
		return TONE_NOTE;
	if (a->kind == ALERT_RECOVERED || (a->outcome && !strcmp(a->outcome, "passed")))
		return TONE_GOOD;
	if (a->kind == ALERT_CHANNEL || (a->severity && strcmp(a->severity, "error") != 0))
		return TONE_WARN;
	return TONE_BAD;
}

/* ---- words ---- */

static void fall_back(const char *option, const char *why, const struct channel_target *t, size_t max, struct buf *note)
{
	buf_addf(note, t->lang == LANG_ZH ? "（%s：%s，已改用内置模板）" : "(%s: %s; the built-in words are used)", option, why);
	if (note->len > max / 2)
		note->len = 0;
}

void chat_title(const struct channel_target *t, const struct alert *a, size_t max, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span own = channel_option(t, "template_title");
	char why[TEMPLATE_WHY];

	if (!span_trim(own).n || !template_fill(own, a, t->lang, TEMPLATE_PLAIN, &b, why) || !span_trim(buf_view(&b)).n) {
		b.len = 0; /* not buf_clear: what went bad stays bad */
		alert_title(a, t->lang, max, &b);
	}
	struct span rest = buf_view(&b), line = span_trim(span_cut(&rest, '\n'));
	ret->bad |= b.bad;
	buf_span(ret, utf8_head(line, max));
}

void chat_title_points(const struct channel_target *t, const struct alert *a, size_t max, struct buf *ret)
{
	size_t bytes = 4 * max, points;

	for (;;) {
		ret->len = 0;
		chat_title(t, a, bytes, ret);
		points = part_count(buf_view(ret), UNIT_POINTS);
		if (points <= max)
			break;
		bytes = ret->len * max / points < bytes ? ret->len * max / points : bytes - 1;
	}
}

void chat_text(const struct channel_target *t, const struct alert *a, enum alert_form form, size_t max, struct buf *ret)
{
	static const char *const keys[] = { "template_title", "template_body" };
	CLEANUP(buf_free) struct buf b = { 0 }, note = { 0 };
	char why[TEMPLATE_WHY];
	bool own = false;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct span text = channel_option(t, keys[i]);
		b.len = 0;
		own = span_trim(text).n > 0;
		if (own && !template_fill(text, a, t->lang, (enum template_as)form, &b, why)) {
			own = false;
			note.len = 0;
			fall_back(keys[i], why, t, max, &note);
		}
	}
	if (!own || !b.len) {
		b.len = 0;
		alert_text(a, form, t->lang, note.len ? max - note.len - 2 : max, &b);
	}
	struct span text = utf8_head(buf_view(&b), note.len ? max - note.len - 2 : max);
	ret->bad |= b.bad || note.bad;
	buf_span(ret, text);
	if (note.len) {
		buf_adds(ret, "\n\n");
		alert_escape(buf_view(&note), form, ret);
	}
}

static bool has_template(const struct channel_target *t)
{
	return span_trim(channel_option(t, "template_title")).n || span_trim(channel_option(t, "template_body")).n;
}

void chat_title_units(const struct channel_target *t, const struct alert *a, size_t max, enum unit u, struct buf *ret)
{
	if (has_template(t))
		chat_title(t, a, max, ret);
	else
		part_title(a, t->lang, max, u, ret);
}

void chat_text_units(const struct channel_target *t, const struct alert *a, enum alert_form form, size_t max, enum unit u, struct buf *ret)
{
	if (has_template(t))
		chat_text(t, a, form, max, ret);
	else
		part_text(a, form, t->lang, max, u, ret);
}

/* ---- mentions ---- */

static void add_id(struct chat_at *to, const char *id)
{
	bool all = !strcmp(id, "all") || !strcmp(id, "@all"), told = !id[0] || all;

	to->all |= all;
	for (size_t i = 0; i < to->n && !told; i++)
		told = !strcmp(to->ids[i], id);
	if (!told && to->n < CHAT_MENTIONS)
		to->ids[to->n++] = id;
}

/* A whole chat is called for what is wrong now: not for a test, an end or a digest. */
static bool wakes_all(const struct alert *a)
{
	enum chat_tone tone = chat_tone(a);

	return a->kind != ALERT_DIGEST && (tone == TONE_BAD || tone == TONE_WARN);
}

void chat_at(const struct channel_target *t, const struct alert *a, struct chat_at *ret)
{
	const struct mention *found[CHAT_MENTIONS];
	size_t n = part_mentions(t, a, found, CHAT_MENTIONS);

	*ret = (struct chat_at){ 0 };
	for (size_t i = 0; i < n; i++)
		add_id(ret, found[i]->id);
	for (size_t i = 0; i < t->n_mentions; i++) {
		if (!strcmp(t->mentions[i].owner, "*"))
			add_id(ret, t->mentions[i].id);
	}
	ret->all |= span_eq(channel_option(t, "at_all"), S("true"));
	ret->all &= wakes_all(a);
}

bool chat_phone(const char *id)
{
	size_t digits = 0;

	for (const char *p = id; *p; p++) {
		if (*p >= '0' && *p <= '9')
			digits++;
		else if (*p != '-' && !(*p == '+' && p == id))
			return false;
	}
	return digits >= 7 && digits <= 15;
}

void chat_keyword(const struct channel_target *t, struct span title, struct span text, const char *gap, struct buf *ret)
{
	struct span word = span_trim(channel_option(t, "keyword"));

	if (!word.n || word.n > 200 || span_find(title, word) != SPAN_NONE || span_find(text, word) != SPAN_NONE)
		return;
	buf_adds(ret, gap);
	buf_span(ret, word);
}

/* ---- answers ---- */

static bool same_fold(char a, char b)
{
	return a == b || ((a ^ b) == 32 && (a | 32) >= 'a' && (a | 32) <= 'z');
}

static bool has_word(struct span s, struct span w)
{
	for (size_t i = 0; w.n && i + w.n <= s.n; i++) {
		size_t k = 0;
		while (k < w.n && same_fold(s.p[i + k], w.p[k]))
			k++;
		if (k == w.n)
			return true;
	}
	return false;
}

static bool row_fits(const struct code_row *row, int64_t code, struct span said)
{
	struct span words = span_of(row->words);

	if (row->code != CODE_ANY && row->code != code)
		return false;
	if (!row->words)
		return true;
	while (words.n) {
		if (has_word(said, span_cut(&words, '|')))
			return true;
	}
	return false;
}

bool chat_code(const struct code_row *rows, size_t n, int64_t code, struct span said, const struct response *r, int64_t now, struct answer *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (!row_fits(&rows[i], code, said))
			continue;
		answer_set(ret, rows[i].class, "%s", tx(rows[i].say));
		ret->wait_ns = rows[i].wait_s * NSEC_PER_SEC;
		int64_t asked = ret->class == ANSWER_LIMITED ? retry_after(response_header(r, "Retry-After"), now) : 0;
		if (asked > ret->wait_ns)
			ret->wait_ns = asked;
		if (rows[i].clock)
			answer_clock(ret, r, now);
		return true;
	}
	return false;
}

static void unclear(const struct response *r, struct answer *ret)
{
	struct span body = span_trim(r->body);
	const char *what = !body.n ? TR("without any content", "但没有内容") :
			   body.p[0] == '<' ? TR("with a web page", "但内容是网页") : TR("with something that is not its answer", "但内容不是它的应答");

	answer_set(ret, ANSWER_AMBIGUOUS,
		   TR("HTTP %d %s: whether it was delivered is not known; check url, and whether a proxy or login page is in between",
		      "HTTP %d，%s：无法得知是否送达；请检查 url，以及中间是否有代理或登录页"),
		   r->status, what);
}

void chat_judge(const struct code_row *rows, size_t n, const char *code, const char *message, const struct response *r, int64_t now, struct answer *ret)
{
	char room[512];
	struct span said;
	int64_t v = 0;
	bool has = !r->transport && answer_number(r->body, code, &v);

	if (!has) {
		answer_http(r, now, ret);
		if (!r->transport && r->status / 100 == 2)
			unclear(r, ret);
		return;
	}
	said = part_said(r->body, message, room, sizeof(room));
	if (!v && r->status == 200) {
		answer_set(ret, ANSWER_DELIVERED, "%s", TR("delivered", "已送达"));
	} else if (!v) {
		answer_http(r, now, ret);
		if (ret->class == ANSWER_DELIVERED)
			unclear(r, ret);
	} else if (!chat_code(rows, n, v, said, r, now, ret)) {
		answer_http(r, now, ret);
		if (ret->class == ANSWER_DELIVERED || ret->class == ANSWER_RETRY) {
			int64_t wait = ret->wait_ns;
			answer_set(ret, ANSWER_RETRY, TR("refused with the unknown code %lld", "被拒绝，未知错误码 %lld"), (long long)v);
			ret->wait_ns = wait;
			answer_quote(ret, said);
		}
	}
}
