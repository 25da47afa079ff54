#include "base/json.h"

#include <math.h>
#include <stdio.h>

#include "base/text.h"

static void pre_value(struct json_out *j)
{
	if (j->comma)
		buf_addc(j->to, ',');
	j->comma = true;
}

void json_open(struct json_out *j, char bracket)
{
	pre_value(j);
	buf_addc(j->to, bracket);
	j->comma = false;
}

void json_close(struct json_out *j, char bracket)
{
	buf_addc(j->to, bracket);
	j->comma = true;
}

static void add_escaped(struct buf *b, struct span s)
{
	static const char hex[] = "0123456789abcdef";

	buf_addc(b, '"');
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t run = i;
		while (run < s.n && (unsigned char)s.p[run] >= 0x20 && (unsigned char)s.p[run] < 0x7f &&
		       s.p[run] != '"' && s.p[run] != '\\')
			run++;
		if (run > i) {
			buf_add(b, s.p + i, run - i);
			i = run;
			continue;
		}
		if (c == '"' || c == '\\') {
			buf_addc(b, '\\');
			buf_addc(b, (char)c);
			i++;
		} else if (c == '\n' || c == '\t' || c == '\r') {
			buf_adds(b, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
			i++;
		} else if (c < 0x20 || c == 0x7f) {
			buf_add(b, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
			i++;
		} else {
			uint32_t cp;
			size_t n = utf8_decode(span_from(s, i), &cp);
			if (cp == UTF8_BAD)
				buf_adds(b, "\xef\xbf\xbd");
			else
				buf_add(b, s.p + i, n);
			i += n;
		}
	}
	buf_addc(b, '"');
}

void json_key(struct json_out *j, const char *key)
{
	pre_value(j);
	add_escaped(j->to, span_of(key));
	buf_addc(j->to, ':');
	j->comma = false;
}

void json_str(struct json_out *j, struct span s)
{
	if (!s.p) {
		json_null(j);
		return;
	}
	pre_value(j);
	add_escaped(j->to, s);
}

void json_strz(struct json_out *j, const char *z)
{
	json_str(j, span_of(z));
}

void json_int(struct json_out *j, int64_t v)
{
	pre_value(j);
	buf_addf(j->to, "%lld", (long long)v);
}

void json_num(struct json_out *j, double v)
{
	if (!isfinite(v)) {
		json_null(j);
		return;
	}
	pre_value(j);
	buf_addf(j->to, "%.10g", v);
}

void json_bool(struct json_out *j, bool v)
{
	pre_value(j);
	buf_adds(j->to, v ? "true" : "false");
}

void json_null(struct json_out *j)
{
	pre_value(j);
	buf_adds(j->to, "null");
}

static int hex4(struct span s, size_t at)
{
	int v = 0;

	if (at + 4 > s.n)
		return -1;
	for (size_t i = at; i < at + 4; i++) {
		int d = hex_digit(s.p[i]);
		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

/* One escape at s.p[at] == '\\'; returns its length, 0 when broken. */
static size_t unescape_one(struct span s, size_t at, struct buf *ret)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *k = at + 1 < s.n && s.p[at + 1] ? strchr(from, s.p[at + 1]) : NULL;

	if (k) {
		buf_addc(ret, to[k - from]);
		return 2;
	}
	if (at + 1 >= s.n || s.p[at + 1] != 'u')
		return 0;
	int hi = hex4(s, at + 2);
	if (hi < 0)
		return 0;
	uint32_t cp = (uint32_t)hi;
	size_t len = 6;
	if (cp >= 0xd800 && cp < 0xdc00 && at + 7 < s.n && s.p[at + 6] == '\\' && s.p[at + 7] == 'u') {
		int lo = hex4(s, at + 8);
		if (lo >= 0xdc00 && lo < 0xe000) {
			cp = 0x10000 + ((cp - 0xd800) << 10) + ((uint32_t)lo - 0xdc00);
			len = 12;
		}
	}
	if (cp >= 0xd800 && cp < 0xe000)
		cp = 0xfffd;
	char out[4];
	buf_add(ret, out, utf8_encode(cp, out));
	return len;
}

bool json_unescape(struct span body, struct buf *ret)
{
	bool ok = true;

	for (size_t i = 0; i < body.n;) {
		size_t run = span_chr(span_from(body, i), '\\');
		if (run == SPAN_NONE)
			run = body.n - i;
		buf_add(ret, body.p + i, run);
		i += run;
		if (i >= body.n)
			break;
		size_t n = unescape_one(body, i, ret);
		if (!n) {
			ok = false;
			buf_addc(ret, '\\');
			n = 1;
		}
		i += n;
	}
	return ok;
}

static void skip_blank(struct json_in *j)
{
	for (; j->at < j->text.n; j->at++) {
		char c = j->text.p[j->at];
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			break;
	}
}

static bool read_string(struct json_in *j)
{
	size_t from = ++j->at;

	for (; j->at < j->text.n; j->at++) {
		if (j->text.p[j->at] == '\\') {
			j->at++;
			continue;
		}
		if (j->text.p[j->at] == '"') {
			j->value = (struct span){ j->text.p + from, j->at++ - from };
			return true;
		}
	}
	j->at = j->text.n;
	return false;
}

static enum json_tok read_literal(struct json_in *j)
{
	static const struct { struct span word; enum json_tok tok; } words[] = {
		{ { "true", 4 }, JSON_TRUE }, { { "false", 5 }, JSON_FALSE }, { { "null", 4 }, JSON_NULL },
	};
	struct span rest = span_from(j->text, j->at);

	for (size_t i = 0; i < 3; i++) {
		if (span_starts(rest, words[i].word)) {
			j->value = words[i].word;
			j->at += words[i].word.n;
			return words[i].tok;
		}
	}
	size_t n = 0;
	while (n < rest.n && rest.p[n] && strchr("+-.0123456789eE", rest.p[n]))
		n++;
	j->value = span_head(rest, n);
	j->at += n;
	return n ? JSON_NUM : JSON_BAD;
}

static bool in_object(const struct json_in *j)
{
	return j->depth && j->stack[j->depth - 1] == '{';
}

static enum json_tok open_close(struct json_in *j, char c)
{
	j->at++;
	if (c == '{' || c == '[') {
		if (j->depth >= (int)sizeof(j->stack) || j->after_value || (in_object(j) && !j->after_key))
			return JSON_BAD;
		j->after_key = j->after_comma = false;
		j->stack[j->depth++] = (unsigned char)c;
		j->after_value = false;
		return c == '{' ? JSON_OBJ : JSON_ARR;
	}
	if (!j->depth || j->stack[j->depth - 1] != (c == '}' ? '{' : '[') || j->after_key || j->after_comma)
		return JSON_BAD;
	j->depth--;
	j->after_value = true;
	return c == '}' ? JSON_OBJ_END : JSON_ARR_END;
}

enum json_tok json_next(struct json_in *j)
{
	skip_blank(j);
	if (j->at >= j->text.n)
		return j->depth ? JSON_BAD : JSON_END;
	char c = j->text.p[j->at];
	if (c == ',') {
		if (!j->after_value || !j->depth)
			return JSON_BAD;
		j->after_value = false;
		j->after_comma = true;
		j->at++;
		return json_next(j);
	}
	if (strchr("{}[]", c) && c)
		return open_close(j, c);
	if (j->after_value)
		return JSON_BAD;
	bool key = in_object(j) && !j->after_key;
	j->after_key = j->after_comma = false;
	if (c != '"') {
		enum json_tok t = key ? JSON_BAD : read_literal(j);
		j->after_value = true;
		return t;
	}
	if (!read_string(j))
		return JSON_BAD;
	if (!key) {
		j->after_value = true;
		return JSON_STR;
	}
	skip_blank(j);
	if (j->at >= j->text.n || j->text.p[j->at] != ':')
		return JSON_BAD;
	j->at++;
	j->after_key = true;
	return JSON_KEY;
}

bool json_skip(struct json_in *j)
{
	int depth = j->depth - 1;

	while (j->depth > depth) {
		if (json_next(j) <= JSON_END)
			return false;
	}
	return true;
}

bool json_find(struct span text, const char *path, struct span *ret)
{
	struct json_in j = { .text = text };
	struct span rest = span_of(path), want = span_cut(&rest, '.');

	if (json_next(&j) != JSON_OBJ)
		return false;
	for (;;) {
		enum json_tok t = json_next(&j);
		if (t != JSON_KEY)
			return false;
		bool mine = span_eq(j.value, want);
		t = json_next(&j);
		if (t <= JSON_END)
			return false;
		if (mine && !rest.n && t != JSON_OBJ && t != JSON_ARR) {
			*ret = j.value;
			return true;
		}
		if (mine && rest.n && t == JSON_OBJ) {
			want = span_cut(&rest, '.');
			continue;
		}
		if ((t == JSON_OBJ || t == JSON_ARR) && !json_skip(&j))
			return false;
	}
}
