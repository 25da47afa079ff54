/*
 * A mail over a connection that libcurl has made: greeting, STARTTLS and AUTH are its, the rest is said here, because its
 * own way waits for the last reply with everything else standing still, and keeps no word of what the server says.
 */
#include <poll.h>

#include "alert/job.h"
#include "base/mem.h"

#define REPLY_MAX 8192

/* ---- the envelope ---- */

static bool address_is_plain(struct span a)
{
	for (size_t i = 0; i < a.n; i++)
		if ((unsigned char)a.p[i] <= ' ' || a.p[i] == '<' || a.p[i] == '>' || a.p[i] == 127)
			return false;
	return true;
}

const char *mail_wrong(const struct request *q)
{
	struct span rest = buf_view(&q->to);
	size_t n = 0;

	if (!q->from.len && !rest.n) /* only asks whether the server is there and lets us in */
		return NULL;
	if (!address_is_plain(buf_view(&q->from)))
		return TR("the sender is no plain mail address: write only name@host", "发件人不是纯邮件地址：只写 name@host");
	while (rest.n) {
		struct span to = span_cut(&rest, '\n');
		if (!to.n)
			continue;
		if (!address_is_plain(to))
			return TR("a recipient is no plain mail address: write only name@host", "某个收件人不是纯邮件地址：只写 name@host");
		n++;
	}
	return n ? NULL : TR("a mail needs a recipient", "邮件需要收件人");
}

/* ---- what is said ---- */

static void say(struct mail *m, enum mail_step step, const char *words, struct span address, const char *end)
{
	m->step = step;
	buf_adds(&m->out, words);
	buf_span(&m->out, address);
	buf_adds(&m->out, end);
}

static void say_next_recipient(struct mail *m)
{
	struct span to = { NULL, 0 };

	while (m->left.n && !to.n)
		to = span_cut(&m->left, '\n');
	if (to.n)
		say(m, MAIL_TO, "RCPT TO:<", to, ">\r\n");
	else
		say(m, MAIL_DATA, "DATA\r\n", to, "");
}

static bool recipients_left(const struct mail *m)
{
	struct span rest = m->left;

	while (rest.n)
		if (span_cut(&rest, '\n').n)
			return true;
	return false;
}

/* Every end of a line is CR LF, so that no lone one can end the mail early for somebody; a dot that begins a line is doubled. */
static void say_text(struct mail *m, struct span body)
{
	bool begins = true;

	m->step = MAIL_TEXT;
	buf_need(&m->out, body.n + body.n / 32 + 8);
	for (size_t i = 0; i < body.n; i++) {
		char c = body.p[i];
		if (c == '\r' && i + 1 < body.n && body.p[i + 1] == '\n')
			continue;
		if (c == '\r' || c == '\n') {
			buf_adds(&m->out, "\r\n");
			begins = true;
			continue;
		}
		if (c == '.' && begins)
			buf_addc(&m->out, '.');
		buf_addc(&m->out, c);
		begins = false;
	}
	buf_adds(&m->out, begins ? ".\r\n" : "\r\n.\r\n");
}

void mail_begin(struct job *j)
{
	j->mail.left = j->to;
	j->mail.in.max = 2 * REPLY_MAX; /* a piece more than a reply may have */
	j->mail.events = POLLOUT;
	say(&j->mail, MAIL_FROM, "MAIL FROM:<", j->from, ">\r\n");
}

void mail_free(struct mail *m)
{
	if (m->out.p)
		explicit_bzero(m->out.p, m->out.cap);
	buf_free(&m->out);
	buf_free(&m->in);
}

/* ---- what is answered ---- */

static void over(struct job *j, int status)
{
	struct mail *m = &j->mail;
	size_t sent;

	m->step = MAIL_OVER;
	j->status = status;
	/* Good manners; nobody waits for the answer. */
	cu.curl_easy_send(j->easy, "QUIT\r\n", 6, &sent);
}

static void recipient_answered(struct job *j, int status)
{
	struct mail *m = &j->mail;

	if (status / 100 == 2) {
		m->accepted++;
	} else {
		m->refused++;
		m->refused_status = status;
	}
	if (recipients_left(m) || m->accepted)
		say_next_recipient(m);
	else
		over(j, status);
}

static void answered(struct job *j, int status)
{
	struct mail *m = &j->mail;

	buf_clear(&m->out);
	m->out_at = 0;
	if (m->step == MAIL_FROM && status / 100 == 2)
		say_next_recipient(m);
	else if (m->step == MAIL_TO && status != 421)
		recipient_answered(j, status);
	else if (m->step == MAIL_DATA && status == 354)
		say_text(m, j->body);
	else
		over(j, status);
}

int mail_reply(struct span in, size_t *length)
{
	struct span rest = in, line;
	int64_t status;
	size_t end;

	for (;;) {
		end = span_chr(rest, '\n');
		if (end == SPAN_NONE)
			return in.n >= REPLY_MAX ? -1 : 0;
		line = span_head(rest, end);
		rest = span_from(rest, end + 1);
		if (line.n < 3 || !span_int(span_head(line, 3), &status) || status < 200 || status > 599)
			return -1;
		if (line.n == 3 || line.p[3] != '-')
			break;
	}
	*length = in.n - rest.n;
	return (int)status;
}

/* Takes it off what has come, and keeps it for the judge. */
static int take_reply(struct job *j)
{
	struct mail *m = &j->mail;
	size_t length;
	int status = mail_reply(buf_view(&m->in), &length);

	if (status > 0) {
		buf_clear(&j->answer);
		buf_add(&j->answer, m->in.p, length);
		buf_drop(&m->in, length);
	}
	return status;
}

static CURLcode flush(struct job *j)
{
	struct mail *m = &j->mail;

	while (m->out_at < m->out.len) {
		size_t n = 0;
		CURLcode r = cu.curl_easy_send(j->easy, m->out.p + m->out_at, m->out.len - m->out_at, &n);
		if (r != CURLE_OK)
			return r;
		m->out_at += n;
	}
	if (m->step == MAIL_TEXT)
		j->body_at = j->body.n;
	return CURLE_OK;
}

static CURLcode hear(struct job *j)
{
	char piece[2048];
	size_t n = 0;
	CURLcode r = cu.curl_easy_recv(j->easy, piece, sizeof(piece), &n);
	int status;

	if (r != CURLE_OK)
		return r;
	if (!n)
		return CURLE_GOT_NOTHING;
	buf_add(&j->mail.in, piece, n);
	if (j->mail.in.bad)
		return CURLE_OUT_OF_MEMORY;
	status = take_reply(j);
	if (!status)
		return CURLE_OK;
	/* One answer to one word: what was said before it was asked is no answer. */
	if (status < 0 || (j->mail.in.len && status / 100 < 4))
		return CURLE_WEIRD_SERVER_REPLY;
	answered(j, status);
	return CURLE_OK;
}

bool mail_work(struct job *j, CURLcode *ret)
{
	struct mail *m = &j->mail;

	for (;;) {
		m->events = POLLOUT;
		*ret = m->out.bad ? CURLE_OUT_OF_MEMORY : flush(j);
		if (*ret == CURLE_OK) {
			m->events = POLLIN;
			*ret = hear(j);
		}
		if (*ret == CURLE_AGAIN)
			return false;
		if (*ret != CURLE_OK || m->step == MAIL_OVER)
			return true;
	}
}
