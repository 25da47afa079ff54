#include "alert/channel/chat.h"

#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/*
 * Mail: plain text and HTML beside each other (RFC 5322, RFC 2046). Its Message-ID is the alert's id, the same on every
 * attempt; all mails about one thing name the same ancestor, so that they stand together. smtp:// asks for STARTTLS, smtps://
 * begins with TLS. secret: "user:password", or the password of the option `user`.
 */
#define TEXT_MAX 20000
#define PLAIN_MAX 1500
#define SUBJECT_MAX 200
#define BODY_MAX (256 << 10)
#define RECIPIENTS_MAX 50

/* ---- encodings ---- */

/* RFC 2047, words of at most 75 characters: 39 bytes of text make 52 of base64. */
static void add_words(struct span s, struct buf *ret)
{
	bool plain = s.n <= 60 && span_find(s, S("=?")) == SPAN_NONE;

	for (size_t i = 0; i < s.n; i++)
		plain &= s.p[i] >= ' ' && s.p[i] < 0x7f;
	if (plain) {
		buf_span(ret, s);
		return;
	}
	for (bool more = false; s.n; more = true) {
		struct span one = utf8_head(s, 39);
		if (!one.n)
			one = span_head(s, 1);
		buf_adds(ret, more ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
		base64_add(ret, one);
		buf_adds(ret, "?=");
		s = span_from(s, one.n);
	}
}

/* RFC 2045, 6.7: lines of at most 76, CRLF. */
static void add_quoted(struct span s, struct buf *ret)
{
	static const char digit[] = "0123456789ABCDEF";
	size_t line = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool ends = i + 1 == s.n || s.p[i + 1] == '\n';
		if (c == '\n') {
			buf_adds(ret, "\r\n");
			line = 0;
			continue;
		}
		bool plain = (c > ' ' && c < 0x7f && c != '=' && !(c == '.' && !line)) || ((c == ' ' || c == '\t') && !ends);
		if (line + (plain ? 1 : 3) > 75) {
			buf_adds(ret, "=\r\n");
			line = 0;
			plain &= c != '.';
		}
		if (plain)
			buf_addc(ret, (char)c);
		else
			buf_add(ret, (char[]){ '=', digit[c >> 4], digit[c & 15] }, 3);
		line += plain ? 1 : 3;
	}
	buf_adds(ret, "\r\n");
}

/* ---- addresses ---- */

struct mailbox {
	struct span name, address;
};

/* "ops@example.com" or "Ops <ops@example.com>" */
static bool read_mailbox(struct span s, struct mailbox *ret)
{
	size_t open, at;
	struct span a = s = span_trim(s);

	*ret = (struct mailbox){ 0 };
	open = span_rchr(s, '<');
	if (open != SPAN_NONE) {
		if (s.p[s.n - 1] != '>')
			return false;
		ret->name = span_trim(span_head(s, open));
		a = span_trim((struct span){ s.p + open + 1, s.n - open - 2 });
	}
	at = span_rchr(a, '@');
	if (at == SPAN_NONE || !at || at + 1 == a.n || a.n > 254)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] <= ' ' || a.p[i] >= 0x7f || strchr("<>()[]\\,;:\"", a.p[i]))
			return false;
	}
	ret->address = a;
	return true;
}

static int bad_address(const struct channel_target *t, const char *key, struct span s, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	text_clean(utf8_head(s, 80), false, &b);
	return err_set(e, EINVAL, TR("channel %s: %s: '%s' is no mail address", "渠道 %s：%s：“%s”不是邮件地址"), t->name, key, buf_str(&b));
}

static bool has_line(const struct buf *lines, struct span s)
{
	struct span rest = buf_view(lines);

	while (rest.n) {
		if (span_eq(span_cut(&rest, '\n'), s))
			return true;
	}
	return false;
}

static void add_recipient(struct span address, size_t *n, struct request *r)
{
	if (*n >= RECIPIENTS_MAX || has_line(&r->to, address))
		return;
	buf_span(&r->to, address);
	buf_addc(&r->to, '\n');
	++*n;
}

/* `to`, and the owners whose mail address is in the map: never one that only the tree under test names. */
static int read_people(const struct channel_target *t, const struct alert *a, struct mailbox *from, struct request *r, struct err *e)
{
	struct span rest = channel_option(t, "to");
	struct mailbox box;
	struct chat_at at;
	size_t n = 0;

	if (!read_mailbox(channel_option(t, "from"), from))
		return bad_address(t, "from", channel_option(t, "from"), e);
	buf_span(&r->from, from->address);
	while (rest.n) {
		size_t end = 0;
		while (end < rest.n && rest.p[end] != ',' && rest.p[end] != ';' && rest.p[end] != '\n')
			end++;
		struct span one = span_trim(span_head(rest, end));
		rest = span_from(rest, end + 1);
		if (one.n && !read_mailbox(one, &box))
			return bad_address(t, "to", one, e);
		if (one.n)
			add_recipient(box.address, &n, r);
	}
	chat_at(t, a, &at);
	for (size_t i = 0; i < at.n; i++) {
		if (!read_mailbox(span_of(at.ids[i]), &box))
			return bad_address(t, "mentions", span_of(at.ids[i]), e);
		add_recipient(box.address, &n, r);
	}
	return n || r->to.bad ? 0 : err_set(e, EINVAL, TR("channel %s: it needs `to`, the address of who gets the mail", "渠道 %s：需要 to（收件人地址）"), t->name);
}

static int read_login(const struct channel_target *t, struct request *r, struct err *e)
{
	struct span user = span_trim(channel_option(t, "user")), rest = span_trim(t->secret);

	if (!rest.n)
		return 0;
	if (!user.n) {
		size_t colon = span_chr(rest, ':');
		if (colon == SPAN_NONE || !colon)
			return err_set(e, EINVAL, TR("channel %s: its secret must be user:password, or `user` must be given", "渠道 %s：secret 应为 user:password，或另给出 user"), t->name);
		user = span_head(rest, colon);
		rest = span_from(rest, colon + 1);
	}
	if (buf_need(&r->user, user.n) && buf_need(&r->password, rest.n)) {
		buf_span(&r->user, user);
		buf_span(&r->password, rest);
	}
	return 0;
}

static int check_url(const struct channel_target *t, struct err *e)
{
	struct span url = span_trim(t->url), rest = url;

	if (!span_skip(&rest, S("smtps://")) && !span_skip(&rest, S("smtp://")))
		return err_set(e, EINVAL, TR("channel %s: url must be smtps://host:465, or smtp://host:587 with STARTTLS", "渠道 %s：url 应为 smtps://主机:465，或 smtp://主机:587（STARTTLS）"), t->name);
	if (span_chr(rest, '@') != SPAN_NONE)
		return err_set(e, EINVAL, TR("channel %s: url must hold no user and password: write them into the secret, user:password", "渠道 %s：url 中不能有用户名和密码，请写入 secret（user:password）"), t->name);
	return 0;
}

/* ---- the message ---- */

static void add_date(int64_t at, struct buf *ret)
{
	static const char days[] = "ThuFriSatSunMonTueWed", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char iso[32];
	int64_t month, day = at / (86400 * NSEC_PER_SEC);

	time_rfc3339(at, iso);
	span_int((struct span){ iso + 5, 2 }, &month);
	if (month < 1 || month > 12)
		month = 1;
	buf_addf(ret, "Date: %.3s, %.2s %.3s %.4s %.8s +0000\r\n", days + 3 * (day >= 0 ? day % 7 : 0), iso + 8, months + 3 * (month - 1), iso, iso + 11);
}

static void add_thread(const struct alert *a, struct span host, struct buf *ret)
{
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	buf_addf(ret, "Message-ID: <%s@%.*s>\r\n", a->id, SPAN_ARG(host));
	if (!a->key || !*a->key)
		return;
	sha256(span_of(a->key), sum);
	hex_lower(sum, 16, hex);
	if (a->kind == ALERT_FOLLOWUP || a->kind == ALERT_RECOVERED)
		buf_addf(ret, "In-Reply-To: <thread.%s@%.*s>\r\n", hex, SPAN_ARG(host));
	buf_addf(ret, "References: <thread.%s@%.*s>\r\n", hex, SPAN_ARG(host));
}

static void add_head(const struct channel_target *t, const struct alert *a, const struct mailbox *from, struct request *r)
{
	CLEANUP(buf_free) struct buf title = { 0 }, name = { 0 };
	struct span rest = buf_view(&r->to), host = span_from(from->address, span_rchr(from->address, '@') + 1), n = from->name;
	struct buf *b = &r->body;

	chat_title(t, a, SUBJECT_MAX, &title);
	if (n.n > 1 && n.p[0] == '"' && n.p[n.n - 1] == '"')
		n = (struct span){ n.p + 1, n.n - 2 };
	text_clean(n, false, &name);
	add_date(a->at, b);
	buf_adds(b, "From: ");
	bool plain = name.len <= 60;
	for (size_t i = 0; i < name.len; i++)
		plain &= (name.p[i] >= '0' && name.p[i] <= '9') || ((name.p[i] | 32) >= 'a' && (name.p[i] | 32) <= 'z') || name.p[i] == ' ';
	if (name.len && plain)
		buf_addf(b, "\"%s\" ", name.p);
	else if (name.len) {
		buf_adds(b, "=?UTF-8?B?");
		base64_add(b, utf8_head(buf_view(&name), 39));
		buf_adds(b, "?= ");
	}
	buf_addf(b, "<%.*s>\r\n", SPAN_ARG(from->address));
	for (bool more = false; rest.n; more = true) {
		struct span to = span_cut(&rest, '\n');
		buf_addf(b, more ? ",\r\n <%.*s>" : "To: <%.*s>", SPAN_ARG(to));
	}
	buf_adds(b, "\r\nSubject: ");
	add_words(buf_view(&title), b);
	buf_adds(b, "\r\n");
	add_thread(a, host, b);
	buf_adds(b, "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n");
	if (a->level && !strcmp(a->level, "L1") && a->kind != ALERT_RECOVERED)
		buf_adds(b, "Importance: high\r\n");
	buf_addf(b, "Content-Language: %s\r\nMIME-Version: 1.0\r\n", lang_text(t->lang, "en", "zh-CN"));
	b->bad |= title.bad || name.bad;
}

static void add_part(const char *type, struct span text, struct buf *ret)
{
	buf_addf(ret, "Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", type);
	add_quoted(text, ret);
}

/* Lines end in \n in the words' HTML, but not where they are set off already. */
static void add_html(const struct channel_target *t, const struct alert *a, struct buf *ret)
{
	static const char *const colour[] = { [TONE_BAD] = "#c62828", [TONE_WARN] = "#ef6c00", [TONE_GOOD] = "#2e7d32", [TONE_NOTE] = "#1565c0" };
	CLEANUP(buf_free) struct buf title = { 0 }, text = { 0 };

	chat_title(t, a, SUBJECT_MAX, &title);
	chat_text(t, a, FORM_HTML, TEXT_MAX, &text);
	buf_addf(ret, "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"></head>\n<body style=\"font-family:sans-serif\">\n"
		      "<h2 style=\"color:%s;font-size:18px\">", lang_text(t->lang, "en", "zh-CN"), colour[chat_tone(a)]);
	alert_escape(buf_view(&title), FORM_HTML, ret);
	buf_adds(ret, "</h2>\n<div style=\"white-space:pre-wrap\">");
	buf_span(ret, buf_view(&text));
	buf_adds(ret, "</div>\n</body></html>\n");
	ret->bad |= title.bad || text.bad;
}

static void add_text(const struct channel_target *t, const struct alert *a, size_t max, struct buf *ret)
{
	chat_title(t, a, SUBJECT_MAX, ret);
	buf_adds(ret, "\n\n");
	chat_text(t, a, FORM_PLAIN, max, ret);
	buf_adds(ret, "\n");
}

static void add_body(const struct channel_target *t, const struct alert *a, bool plain, struct buf *ret)
{
	CLEANUP(buf_free) struct buf text = { 0 }, html = { 0 };

	add_text(t, a, plain ? PLAIN_MAX : TEXT_MAX, &text);
	if (plain) {
		add_part("text/plain", buf_view(&text), ret);
	} else {
		/* "=_" cannot stand in quoted-printable text */
		add_html(t, a, &html);
		buf_addf(ret, "Content-Type: multipart/alternative; boundary=\"=_%s\"\r\n\r\n--=_%s\r\n", a->id, a->id);
		add_part("text/plain", buf_view(&text), ret);
		buf_addf(ret, "--=_%s\r\n", a->id);
		add_part("text/html", buf_view(&html), ret);
		buf_addf(ret, "--=_%s--\r\n", a->id);
	}
	ret->bad |= text.bad || html.bad;
}

static int make(const struct channel_target *t, const struct alert *a, bool degraded, int64_t now, struct request *ret, struct err *e)
{
	struct mailbox from;
	int r;

	*ret = (struct request){ .kind = REQUEST_SMTP, .method = "", .degraded = degraded };
	r = check_url(t, e);
	if (r == 0)
		r = chat_url(t, 1, ret, e);
	if (r == 0)
		r = read_people(t, a, &from, ret, e);
	if (r == 0)
		r = read_login(t, ret, e);
	if (r < 0)
		return part_fail(ret, r);
	add_head(t, a, &from, ret);
	add_body(t, a, degraded, &ret->body);
	ret->body.bad |= ret->user.bad || ret->password.bad;
	return part_end(ret, e);
}

/* ---- answers ---- */

/* The first row that fits. */
static const struct reply_row {
	int least, most;
	enum answer_class class;
	int wait_s;
	struct tx say;
} replies[] = {
	{ 250, 250, ANSWER_DELIVERED, 0, { "the mail server took it", "邮件服务器已接收" } },
	{ 200, 399, ANSWER_AMBIGUOUS, 0, { "the mail server did not say whether it took the mail", "邮件服务器没有说明是否接收" } },
	{ 452, 452, ANSWER_RETRY, 1800, { "the mail server has no room just now", "邮件服务器暂时没有空间" } },
	{ 454, 454, ANSWER_RETRY, 1800, { "the mail server cannot do TLS or the login just now", "邮件服务器暂时无法进行 TLS 或登录" } },
	{ 400, 499, ANSWER_RETRY, 1800, { "the mail server puts it off: it is tried again after half an hour", "邮件服务器推迟接收：半小时后重试" } },
	{ 535, 535, ANSWER_CONFIG, 0, { "the mail server does not accept user and password: check the secret", "邮件服务器不接受用户名或密码：请检查 secret" } },
	{ 530, 530, ANSWER_CONFIG, 0, { "the mail server wants a login or TLS first: give a secret, user:password, and smtps:// or STARTTLS", "邮件服务器要求先登录或启用 TLS：请提供 secret（user:password），并使用 smtps:// 或 STARTTLS" } },
	{ 534, 534, ANSWER_CONFIG, 0, { "the mail server wants another kind of login, as an application password", "邮件服务器要求其他登录方式，例如应用专用密码" } },
	{ 538, 538, ANSWER_CONFIG, 0, { "the mail server wants TLS before a login", "邮件服务器要求登录前启用 TLS" } },
	{ 550, 551, ANSWER_CONFIG, 0, { "the mail server does not take mail for this recipient or from this sender: check `to` and `from`", "邮件服务器不接受该收件人或发件人：请检查 to 和 from" } },
	{ 553, 553, ANSWER_CONFIG, 0, { "the mail server does not accept an address: check `to` and `from`", "邮件服务器不接受某个地址：请检查 to 和 from" } },
	{ 552, 552, ANSWER_PAYLOAD, 0, { "the mail is too large for the server or the mailbox", "邮件超过服务器或邮箱的大小限制" } },
	{ 554, 554, ANSWER_PAYLOAD, 0, { "the mail server refuses the content of the mail", "邮件服务器拒绝邮件内容" } },
	{ 0, 9999, ANSWER_RETRY, 1800, { "the mail server refuses it for an unknown reason", "邮件服务器以未知原因拒绝" } },
};

static void judge(const struct response *r, int64_t now, struct answer *ret)
{
	const struct reply_row *row = replies;

	if (r->transport) {
		answer_http(r, now, ret);
		return;
	}
	while (row < replies + ARRAY_LEN(replies) - 1 && (r->status < row->least || r->status > row->most))
		row++;
	answer_set(ret, row->class, "%s", tx(row->say));
	ret->wait_ns = row->wait_s * NSEC_PER_SEC;
	if (row->class != ANSWER_DELIVERED)
		answer_quote(ret, r->body);
	else if (r->why) /* not all recipients were taken */
		answer_quote(ret, span_of(r->why));
	ret->partly = row->class == ANSWER_DELIVERED && r->why;
}

static const char *const options[] = { "to", "from", "user", "template_title", "template_body", NULL };

const struct channel_ops channel_smtp = {
	.type = "smtp", .title = { "mail (SMTP)", "邮件（SMTP）" }, .needs_url = true, .idempotent = true, .max_bytes = BODY_MAX,
	.options = options, .make = make, .judge = judge,
};
