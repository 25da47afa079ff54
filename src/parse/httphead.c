#include "parse/httphead.h"

static bool is_token(struct span s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		if (!plain && (!c || !strchr(others, c)))
			return false;
	}
	return s.n > 0;
}

static bool is_visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 127)
			return false;
	}
	return s.n > 0;
}

static int read_first(struct span line, struct http_head *h)
{
	struct span rest = line;

	h->method = span_cut(&rest, ' ');
	h->target = span_cut(&rest, ' ');
	if (!is_token(h->method) || !is_visible(h->target) || rest.n != 8 || !span_skip(&rest, S("HTTP/")))
		return -400;
	if (rest.p[1] != '.' || rest.p[2] < '0' || rest.p[2] > '9')
		return -400;
	if (rest.p[0] != '1')
		return -505;
	h->minor = rest.p[2] - '0';
	return 1;
}

static bool same_name(struct span a, struct span lower)
{
	if (a.n != lower.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		char c = a.p[i];
		if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower.p[i])
			return false;
	}
	return true;
}

static int read_field(struct span line, struct http_head *h)
{
	size_t colon = span_chr(line, ':');

	if (colon == SPAN_NONE ||
	    !is_token(span_head(line, colon))) /* a folded line begins with a blank, which is none */
		return -400;
	struct span value = span_trim(span_from(line, colon + 1));
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if ((c < ' ' && c != '\t') || c == 127)
			return -400;
	}
	if (!same_name(span_head(line, colon), S("host")))
		return 1;
	if (h->host.p) /* two of them: proxies may believe the other */
		return -400;
	h->host = value.n ? value : S("");
	return 1;
}

int http_head_read(struct span text, struct http_head *ret)
{
	struct span rest = span_head(text, HTTP_HEAD_MAX);
	bool first = true;

	*ret = (struct http_head){ 0 };
	for (;;) {
		size_t end = span_chr(rest, '\n');
		if (end == SPAN_NONE)
			return text.n >= HTTP_HEAD_MAX ? -431 : 0;
		if (end == 0 || rest.p[end - 1] != '\r')
			return -400;
		struct span line = span_head(rest, end - 1);
		rest = span_from(rest, end + 1);
		if (!line.n) {
			if (first)
				return -400;
			ret->length = (size_t)(rest.p - text.p);
			return ret->minor > 0 && !ret->host.p ? -400 : 1;
		}
		int r = first ? read_first(line, ret) : read_field(line, ret);
		if (r < 0)
			return r;
		first = false;
	}
}
