#include "cli/lsp_message.h"

#include "base/json.h"
#include "base/text.h"

#define HEAD_BYTES 4096

int lsp_frame(struct span in, size_t *body, size_t *n)
{
	size_t end = span_find(in, S("\r\n\r\n"));
	int64_t length = -1;

	if (end == SPAN_NONE)
		return in.n > HEAD_BYTES ? -1 : 0;
	for (struct span head = span_head(in, end); head.n;) {
		struct span line = span_cut(&head, '\n'), name = span_cut(&line, ':');
		if (span_eq(name, S("Content-Length")) && !span_int(span_trim(line), &length))
			return -1;
	}
	if (length < 0 || (uint64_t)length > LSP_BYTES)
		return -1;
	*body = end + 4;
	*n = (size_t)length;
	return 1;
}

bool lsp_request_read(struct span text, struct lsp_request *ret)
{
	struct json_in j = { .text = text };
	enum json_tok t;

	*ret = (struct lsp_request){ .text = text };
	if (json_next(&j) != JSON_OBJ)
		return false;
	while ((t = json_next(&j)) == JSON_KEY) {
		struct span key = j.value;
		t = json_next(&j);
		if (t == JSON_BAD || t == JSON_END)
			return false;
		if (span_eq(key, S("method")) && t == JSON_STR)
			ret->method = j.value;
		else if (span_eq(key, S("id")) && t == JSON_NUM)
			ret->id = j.value;
		else if (span_eq(key, S("id")) && t == JSON_STR)
			ret->id = (struct span){ j.value.p - 1, j.value.n + 2 };
		else if ((t == JSON_OBJ || t == JSON_ARR) && !json_skip(&j))
			return false;
	}
	return t == JSON_OBJ_END;
}

bool lsp_text(const struct lsp_request *q, const char *path, struct buf *ret)
{
	struct span raw;

	buf_clear(ret);
	return json_find(q->text, path, &raw) && (json_unescape(raw, ret), !ret->bad);
}

int64_t lsp_int(const struct lsp_request *q, const char *path)
{
	struct span raw;
	int64_t n;

	if (!json_find(q->text, path, &raw) || !span_int(raw, &n))
		return 0;
	return n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : n; /* so that it can be counted on from */
}

bool lsp_last_change(struct span text, struct buf *ret)
{
	struct span changes = { 0 };
	bool found = false;
	struct json_in j = { .text = text };
	enum json_tok t;
	int depth = 0;

	buf_clear(ret);
	while ((t = json_next(&j)) > JSON_END) {
		if (t == JSON_KEY && depth == 0 && span_eq(j.value, S("contentChanges"))) {
			if (json_next(&j) != JSON_ARR)
				return false;
			depth = j.depth;
		} else if (t == JSON_ARR_END && depth && j.depth < depth) {
			break;
		} else if (t == JSON_KEY && depth && j.depth == depth + 1 && span_eq(j.value, S("text"))) {
			if (json_next(&j) != JSON_STR)
				return false;
			changes = j.value;
			found = true;
		}
	}
	return found && (json_unescape(changes, ret), !ret->bad);
}

bool lsp_path(struct span uri, struct buf *ret)
{
	buf_clear(ret);
	if (!span_skip(&uri, S("file://")))
		return false;
	size_t slash = span_chr(uri, '/'); /* behind a host name, mostly none */
	for (uri = slash == SPAN_NONE ? (struct span){ 0 } : span_from(uri, slash); uri.n;
	     uri = span_from(uri, 1)) {
		int high = uri.n > 2 && *uri.p == '%' ? hex_digit(uri.p[1]) : -1,
		    low = high >= 0 ? hex_digit(uri.p[2]) : -1;
		if (low >= 0) {
			buf_addc(ret, (char)(high * 16 + low));
			uri = span_from(uri, 2);
		} else {
			buf_addc(ret, *uri.p);
		}
	}
	return ret->len > 0 && !ret->bad && !memchr(ret->p, 0, ret->len);
}
