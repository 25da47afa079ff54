#include "parse/logline.h"

#include "base/json.h"
#include "base/mem.h"

#define P(lit) { lit, sizeof(lit) - 1 }

enum { LOOKED_AT = 24, JSON_STACK_MAX = 1 << 20 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- time stamps ---- */

/* '0' is a digit, everything else itself. Steps over it. */
static bool take_shape(struct span *s, struct span shape)
{
	if (s->n < shape.n)
		return false;
	for (size_t i = 0; i < shape.n; i++) {
		if (shape.p[i] == '0' ? !is_digit(s->p[i]) : s->p[i] != shape.p[i])
			return false;
	}
	*s = span_from(*s, shape.n);
	return true;
}

static void take_digits(struct span *s)
{
	while (s->n && is_digit(s->p[0]))
		*s = span_from(*s, 1);
}

/* "2026-11-21T02:00:00.123456789Z", "…+08:00" */
static bool take_rfc3339(struct span *s)
{
	struct span t = *s;

	if (!take_shape(&t, S("0000-00-00T00:00:00")))
		return false;
	if (span_skip(&t, S(".")) || span_skip(&t, S(",")))
		take_digits(&t);
	if (!span_skip(&t, S("Z")) && !take_shape(&t, S("+00:00")) && !take_shape(&t, S("-00:00")) && !take_shape(&t, S("+0000")) &&
	    !take_shape(&t, S("-0000")))
		return false;
	*s = t;
	return true;
}

static bool take_word(struct span *s) /* up to a blank, which is stepped over too */
{
	size_t at = span_chr(*s, ' ');

	if (at == SPAN_NONE || !at)
		return false;
	*s = span_from(*s, at + 1);
	return true;
}

/* ---- forms ---- */

static bool read_cri(struct span s, struct span *payload, bool *escaped, bool *part)
{
	(void)escaped;
	if (!take_rfc3339(&s) || !(span_skip(&s, S(" stdout ")) || span_skip(&s, S(" stderr "))))
		return false;
	struct span tag = span_head(s, span_chr(s, ' '));
	if (!tag.n || (tag.p[0] != 'F' && tag.p[0] != 'P') || (tag.n > 1 && tag.p[1] != ':'))
		return false;
	*part = tag.p[0] == 'P';
	*payload = span_from(s, tag.n + 1);
	return true;
}

/* The raw body of a string value of a flat object. */
static bool json_field(struct span line, struct span key, struct span *ret)
{
	struct json_in j = { .text = line };
	enum json_tok t;
	bool ours = false;

	if (json_next(&j) != JSON_OBJ)
		return false;
	while ((t = json_next(&j)) > JSON_END) {
		if (t == JSON_OBJ || t == JSON_ARR) {
			if (!json_skip(&j))
				return false;
		} else if (t == JSON_KEY) {
			ours = span_eq(j.value, key);
		} else if (ours && t == JSON_STR) {
			*ret = j.value;
			return true;
		}
	}
	return false;
}

static bool read_docker(struct span s, struct span *payload, bool *escaped, bool *part)
{
	if (s.n < 10 || s.p[0] != '{' || span_find(span_head(s, 4096), S("\"log\":")) == SPAN_NONE || !json_field(s, S("log"), payload))
		return false;
	if (span_find(s, S("\"stream\":")) == SPAN_NONE && span_find(s, S("\"time\":")) == SPAN_NONE)
		return false;
	*escaped = true;
	*part = !span_ends(*payload, S("\\n"));
	if (!*part)
		payload->n -= 2;
	if (span_ends(*payload, S("\\r")))
		payload->n -= 2;
	return true;
}

static bool read_journal_json(struct span s, struct span *payload, bool *escaped, bool *part)
{
	(void)part;
	if (s.n < 12 || s.p[0] != '{' || span_find(s, S("\"__REALTIME_TIMESTAMP\"")) == SPAN_NONE)
		return false;
	*escaped = true;
	return json_field(s, S("MESSAGE"), payload);
}

static bool is_tag(struct span t) /* "app[123]", "kernel", "my-app.service[1]" */
{
	for (size_t i = 0; i < t.n; i++) {
		if ((unsigned char)t.p[i] <= ' ' || t.p[i] == '"' || t.p[i] == '(')
			return false;
	}
	return t.n > 0 && t.n < 128;
}

/* "HOST TAG[PID]: message" */
static bool read_host_tag(struct span s, struct span *payload)
{
	if (!take_word(&s))
		return false;
	size_t colon = span_chr(s, ':');
	if (colon == SPAN_NONE || !is_tag(span_head(s, colon)) || (colon + 1 < s.n && s.p[colon + 1] != ' '))
		return false;
	*payload = span_from(s, colon + 2);
	return true;
}

static bool is_month(struct span s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (size_t i = 0; s.n >= 3 && i < 36; i += 3) {
		if (!memcmp(s.p, months + i, 3))
			return true;
	}
	return false;
}

/* "Nov 21 02:00:00 host app[12]: line" (RFC 3164, journalctl), with an RFC 3339 stamp too (rsyslog, journalctl -o short-iso) */
static bool read_syslog(struct span s, struct span *payload, bool *escaped, bool *part)
{
	(void)escaped, (void)part;
	if (span_skip(&s, S("<"))) {
		take_digits(&s);
		if (!span_skip(&s, S(">")))
			return false;
	}
	if (is_month(s)) {
		s = span_from(s, 3);
		if (!take_shape(&s, S(" 00 ")) && !take_shape(&s, S("  0 ")))
			return false;
		if (!take_shape(&s, S("00:00:00")))
			return false;
		if (span_skip(&s, S(".")))
			take_digits(&s);
	} else if (!take_rfc3339(&s)) {
		return false;
	}
	return span_skip(&s, S(" ")) && read_host_tag(s, payload);
}

/* "<14>1 2026-11-21T02:00:00Z host app 12 id [sd] line" (RFC 5424) */
static bool read_syslog5(struct span s, struct span *payload, bool *escaped, bool *part)
{
	(void)escaped, (void)part;
	if (!span_skip(&s, S("<")))
		return false;
	take_digits(&s);
	if (!span_skip(&s, S(">1 ")))
		return false;
	for (int i = 0; i < 5; i++) { /* stamp, host, application, process, message id */
		if (!take_word(&s))
			return false;
	}
	if (span_skip(&s, S("- ")) || span_eq(s, S("-"))) {
		*payload = s.n == 1 && s.p[0] == '-' ? span_from(s, 1) : s;
	} else if (s.n && s.p[0] == '[') {
		size_t end = span_find(s, S("] "));
		if (end == SPAN_NONE)
			return false;
		*payload = span_from(s, end + 2);
	} else {
		return false;
	}
	span_skip(payload, S("\xef\xbb\xbf"));
	return true;
}

static bool read_stamp(struct span s, struct span *payload, bool *escaped, bool *part)
{
	(void)escaped, (void)part;
	if (!take_rfc3339(&s) || (s.n && !span_skip(&s, S(" "))))
		return false;
	*payload = s;
	return true;
}

/* "web-1  | line" */
static bool read_compose(struct span s, struct span *payload, bool *escaped, bool *part)
{
	size_t bar = span_find(span_head(s, 80), S(" | ")), end;

	(void)escaped, (void)part;
	if (bar == SPAN_NONE && span_ends(span_head(s, 80), S(" |")))
		bar = s.n - 2;
	if (bar == SPAN_NONE || !bar)
		return false;
	for (end = bar; end && s.p[end - 1] == ' ';)
		end--;
	if (!is_tag(span_head(s, end)) || s.p[0] == '|' || s.p[0] == '\t')
		return false;
	*payload = span_from(s, bar + 3);
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct span s, struct span *payload, bool *escaped, bool *part);
	int needs; /* lines that must have it */
} forms[LOG_FORMS] = {
	[LOG_PLAIN] = { "plain text", NULL, 0 },
	[LOG_CRI] = { "CRI", read_cri, 1 },
	[LOG_DOCKER] = { "docker json-file", read_docker, 1 },
	[LOG_JOURNAL_JSON] = { "journald JSON", read_journal_json, 1 },
	[LOG_SYSLOG5] = { "syslog (RFC 5424)", read_syslog5, 1 },
	[LOG_SYSLOG] = { "syslog", read_syslog, 2 },
	[LOG_STAMP] = { "time stamps", read_stamp, 3 },
	[LOG_COMPOSE] = { "compose", read_compose, 3 },
};

const char *log_form_name(enum log_form f)
{
	return forms[f].name;
}

bool logline_read(enum log_form f, struct span line, struct span *payload, bool *escaped, bool *part)
{
	*escaped = *part = false;
	return forms[f].read && forms[f].read(line, payload, escaped, part);
}

static bool has_form(enum log_form f, struct span head)
{
	struct span payload;
	bool escaped, part;
	int n = 0;

	for (; n < LOOKED_AT && head.n; n++) {
		bool whole = memchr(head.p, '\n', head.n) != NULL;
		struct span line = span_cut(&head, '\n');
		if (!whole && n)
			break;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!line.n && n) /* stray */
			continue;
		if (!logline_read(f, line, &payload, &escaped, &part))
			return false;
	}
	return n >= forms[f].needs;
}

enum log_form logline_form(struct span head)
{
	static const enum log_form order[] = {
		LOG_CRI, LOG_DOCKER, LOG_JOURNAL_JSON, LOG_SYSLOG5, LOG_SYSLOG, LOG_STAMP, LOG_COMPOSE,
	};

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (has_form(order[i], head))
			return order[i];
	}
	return LOG_PLAIN;
}

/* ---- a stream ---- */

static void unwrap_line(void *ctx, struct span line, bool cut)
{
	struct unwrap *u = ctx;
	struct span payload = line;
	bool escaped, part;

	(void)cut;
	if (!logline_read(u->form, line, &payload, &escaped, &part)) {
		u->plain++;
		if (u->open)
			buf_addc(&u->out, '\n');
		buf_span(&u->out, line);
		buf_addc(&u->out, '\n');
		u->open = false;
		return;
	}
	if (escaped)
		json_unescape(payload, &u->out);
	else
		buf_span(&u->out, payload);
	u->open = part;
	if (!part)
		buf_addc(&u->out, '\n');
}

void unwrap_begin(struct unwrap *u, enum log_form f)
{
	*u = (struct unwrap){ .form = f };
	u->lines.fn = unwrap_line;
	u->lines.ctx = u;
}

void unwrap_feed(struct unwrap *u, struct span bytes)
{
	lines_feed(&u->lines, bytes);
}

void unwrap_end(struct unwrap *u)
{
	lines_end(&u->lines);
	if (u->open)
		buf_addc(&u->out, '\n');
	u->open = false;
}

void unwrap_free(struct unwrap *u)
{
	lines_free(&u->lines);
	buf_free(&u->out);
}

/* ---- JSON logs ---- */

static bool is_stack(struct span raw)
{
	static const struct span words[] = { P("goroutine "), P("\\n\\t"), P("panic") };

	if (raw.n < 16 || span_find(raw, S("\\n")) == SPAN_NONE)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_find(raw, words[i]) != SPAN_NONE)
			return true;
	}
	return false;
}

bool logline_json_stack(struct span line, struct buf *ret)
{
	struct json_in j = { .text = line };
	size_t from = ret->len;
	enum json_tok t;

	if (!line.n || line.p[0] != '{')
		return false;
	while ((t = json_next(&j)) > JSON_END && ret->len - from < JSON_STACK_MAX) {
		if (t != JSON_STR || !is_stack(j.value))
			continue;
		json_unescape(j.value, ret);
		buf_addc(ret, '\n');
	}
	return ret->len > from;
}
