#include "alert/channel/part.h"

#include <errno.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/* ---- requests ---- */

#define HEADERS_ROOM 8192 /* for those that follow: a buffer that grows leaves a copy of the secret behind */

void part_begin(struct request *ret, bool degraded, const char *content_type)
{
	*ret = (struct request){ .kind = REQUEST_HTTP, .method = "POST", .degraded = degraded };
	request_header(ret, "Content-Type", span_of(content_type));
}

int part_url(const struct channel_target *t, const char *by_default, const char *tail, struct request *ret, struct err *e)
{
	struct span query = t->url.n ? span_trim(t->url) : span_of(by_default);
	bool asks = span_chr(query, '?') != SPAN_NONE;
	struct span path = span_cut(&query, '?');

	if (!path.n)
		return err_set(e, EINVAL, TR("channel %s: it needs a url", "渠道 %s：缺少 url"), t->name);
	while (path.n && path.p[path.n - 1] == '/')
		path.n--;
	buf_need(&ret->url, path.n + query.n + strlen(tail) + t->secret.n + 64); /* it may hold a secret: grown once */
	buf_span(&ret->url, path);
	if (!span_ends(path, span_of(tail)))
		buf_adds(&ret->url, tail);
	if (asks) {
		buf_addc(&ret->url, '?');
		buf_span(&ret->url, query);
	}
	return 0;
}

void part_query(struct request *ret, const char *name, const char *value)
{
	bool asks = span_chr(buf_view(&ret->url), '?') != SPAN_NONE;

	buf_addf(&ret->url, "%c%s=%s", asks ? '&' : '?', name, value);
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

void part_authorization(const struct channel_target *t, const char *scheme, struct request *ret)
{
	struct span user = channel_option(t, "user"), secret = span_trim(t->secret);
	struct buf value = { 0 }, pair = { 0 };

	if (!secret.n)
		return;
	buf_need(&ret->headers, (user.n + secret.n) * 2 + HEADERS_ROOM);
	buf_need(&value, (user.n + secret.n) * 2 + 32);
	if (user.n) {
		buf_need(&pair, user.n + secret.n + 1);
		buf_span(&pair, user);
		buf_addc(&pair, ':');
		buf_span(&pair, secret);
		buf_adds(&value, "Basic ");
		base64_add(&value, buf_view(&pair));
	} else {
		buf_addf(&value, "%s ", scheme);
		buf_span(&value, secret);
	}
	if (value.bad || pair.bad)
		ret->headers.bad = true;
	else
		request_header(ret, "Authorization", buf_view(&value));
	wipe(&value);
	wipe(&pair);
}

int part_fail(struct request *ret, int r)
{
	if (r < 0)
		request_free(ret);
	return r;
}

int part_end(struct request *ret, struct err *e)
{
	bool bad = ret->url.bad || ret->body.bad || ret->headers.bad || ret->from.bad || ret->to.bad;

	return bad ? part_fail(ret, err_set(e, ENOMEM, TR("no memory for a message", "内存不足，无法生成消息"))) : 0;
}

/* ---- words ---- */

size_t part_count(struct span s, enum unit u)
{
	size_t n = 0;
	uint32_t cp;

	if (u == UNIT_BYTES)
		return s.n;
	while (s.n) {
		s = span_from(s, utf8_decode(s, &cp));
		n += u == UNIT_UTF16 && cp != UTF8_BAD && cp > 0xffff ? 2 : 1;
	}
	return n;
}

typedef void words_fn(const struct alert *a, enum alert_form form, enum lang lang, size_t max, struct buf *ret);

/* As many bytes as the limit allows: a byte is never less than a unit, so this ends. */
static void fit(words_fn *words, const struct alert *a, enum alert_form form, enum lang lang, size_t limit, enum unit u, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	size_t max = u == UNIT_BYTES ? limit : limit * 4;

	for (;;) {
		buf_clear(&b);
		words(a, form, lang, max, &b);
		size_t n = part_count(buf_view(&b), u);
		if (n <= limit || max <= limit)
			break;
		size_t next = b.len * limit / n;
		max = next < max ? next : max - 1;
	}
	ret->bad |= b.bad;
	buf_span(ret, buf_view(&b));
}

static void title_words(const struct alert *a, enum alert_form form, enum lang lang, size_t max, struct buf *ret)
{
	alert_title(a, lang, max, ret);
}

void part_title(const struct alert *a, enum lang lang, size_t limit, enum unit u, struct buf *ret)
{
	fit(title_words, a, FORM_PLAIN, lang, limit, u, ret);
}

void part_text(const struct alert *a, enum alert_form form, enum lang lang, size_t limit, enum unit u, struct buf *ret)
{
	fit(alert_text, a, form, lang, limit, u, ret);
}

void part_key(const struct alert *a, size_t max, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span key = span_of(a->key && *a->key ? a->key : a->id);

	text_clean(key, false, &b);
	ret->bad |= b.bad;
	if (b.len <= max) {
		buf_span(ret, buf_view(&b));
		return;
	}
	buf_span(ret, utf8_head(buf_view(&b), max - 17));
	buf_addf(ret, "-%016llx", (unsigned long long)span_hash(key));
}

#define FACT(name, en, zh) { #name, { en, zh }, offsetof(struct alert, name) }
const struct fact part_facts[] = {
	FACT(project, "Project", "项目"),
	FACT(branch, "Branch", "分支"),
	FACT(commit, "Commit", "提交"),
	FACT(pr, "Pull request", "合并请求"),
	FACT(job, "Job", "作业"),
	FACT(actor, "By", "触发者"),
	FACT(ci, "CI", "CI"),
	FACT(host, "Host", "主机"),
	FACT(go, "Go", "Go"),
	FACT(command, "Command", "命令"),
	FACT(outcome, "Outcome", "结果"),
	FACT(cause, "Cause", "原因"),
	FACT(severity, "Severity", "严重程度"),
	FACT(level, "Level", "级别"),
	FACT(run, "Run", "运行"),
	{ NULL },
};

const char *part_fact(const struct alert *a, const struct fact *f)
{
	const char *z;

	memcpy(&z, (const char *)a + f->at, sizeof(z));
	return z && *z ? z : NULL;
}

void part_member(struct json_out *j, const char *key, const char *value)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (!value || !*value)
		return;
	alert_escape(utf8_head(span_of(value), FACT_MAX), FORM_PLAIN, &b);
	j->to->bad |= b.bad;
	json_key(j, key);
	json_str(j, utf8_head((struct span){ buf_str(&b), b.len }, FACT_MAX));
}

void part_url_member(struct json_out *j, const char *key, const char *url)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (alert_link(url, &b)) {
		json_key(j, key);
		json_str(j, buf_view(&b));
	}
	j->to->bad |= b.bad;
}

void part_members(const struct alert *a, struct json_out *j)
{
	for (const struct fact *f = part_facts; f->key; f++)
		part_member(j, f->key, part_fact(a, f));
}

static bool is_owner(const struct alert *a, const char *owner)
{
	if (!strcmp(owner, "*"))
		return true;
	for (size_t i = 0; i < a->n_items; i++) {
		for (size_t k = 0; k < a->items[i].owners.n; k++) {
			if (!strcmp(a->items[i].owners.v[k], owner))
				return true;
		}
	}
	return false;
}

const char *part_name(const struct mention *m)
{
	return strcmp(m->owner, "*") != 0 ? m->owner : m->id;
}

size_t part_mentions(const struct channel_target *t, const struct alert *a, const struct mention **ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_mentions && n < max; i++) {
		bool told = !t->mentions[i].id || !*t->mentions[i].id || !is_owner(a, t->mentions[i].owner);
		for (size_t k = 0; k < n && !told; k++)
			told = !strcmp(ret[k]->id, t->mentions[i].id);
		if (!told)
			ret[n++] = &t->mentions[i];
	}
	return n;
}

/* ---- answers ---- */

struct span part_unescaped(struct span raw, char *room, size_t size)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	json_unescape(span_head(raw, size * 6), &b);
	struct span s = utf8_head((struct span){ buf_str(&b), b.len }, size - 1);
	memcpy(room, s.p, s.n);
	room[s.n] = '\0';
	return (struct span){ room, s.n };
}

struct span part_said(struct span body, const char *path, char *room, size_t size)
{
	struct span raw = { 0 };

	(void)json_find(body, path, &raw);
	return part_unescaped(raw, room, size);
}

bool part_rows(const struct response *r, const struct answer_row *rows, size_t n, struct span said, struct answer *ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct answer_row *w = &rows[i];
		if ((w->status && w->status != r->status) || (w->word && span_find(r->body, span_of(w->word)) == SPAN_NONE))
			continue;
		int64_t wait = ret->wait_ns;
		answer_set(ret, w->class, "%s", tx(w->text));
		answer_quote(ret, said);
		ret->wait_ns = w->class == ANSWER_RETRY || w->class == ANSWER_LIMITED ? wait : 0;
		return true;
	}
	return false;
}

void part_unclear(const struct response *r, const char *type, struct answer *ret)
{
	answer_set(ret, ANSWER_AMBIGUOUS,
		   TR("%s: HTTP %d without its sign of success; something between may have answered, or the url is not its own",
		      "%s：HTTP %d，但没有它自己的成功标志；可能是中间设备的回答，或 url 不是它的"),
		   type, r->status);
	ret->wait_ns = 0;
}

bool part_html(struct span body)
{
	return span_starts(span_trim(body), S("<"));
}

int64_t part_seconds(struct span s)
{
	int64_t ns = 0, unit = NSEC_PER_SEC;
	size_t i = 0;

	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		ns = ns < 3600 * NSEC_PER_SEC ? ns * 10 + (s.p[i] - '0') * NSEC_PER_SEC : ns;
	if (!i)
		return 0;
	if (i < s.n && s.p[i] == '.') {
		while (++i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			ns += (s.p[i] - '0') * (unit /= 10);
	}
	if (i < s.n) /* an exponent, or no number */
		return 0;
	ns = ns < 3600 * NSEC_PER_SEC ? ns : 3600 * NSEC_PER_SEC;
	return ns > NSEC_PER_MSEC ? ns : NSEC_PER_MSEC;
}
