#include "parse/gomod.h"

static struct span word(struct span *line)
{
	struct span s = span_trim(*line);

	if (s.n && (s.p[0] == '"' || s.p[0] == '`')) {
		char quote = s.p[0];
		s = span_from(s, 1);
		size_t end = span_chr(s, quote);
		*line = span_from(s, end == SPAN_NONE ? s.n : end + 1);
		return span_head(s, end);
	}
	size_t n = 0;
	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	*line = span_from(s, n);
	return span_head(s, n);
}

struct span gomod_module(struct span text)
{
	while (text.n) {
		struct span line = span_cut(&text, '\n');
		line = span_trim(span_head(line, span_find(line, S("//"))));
		if (!span_skip(&line, S("module")) || !line.n || (line.p[0] != ' ' && line.p[0] != '\t' && line.p[0] != '('))
			continue;
		line = span_trim(line);
		if (line.n && line.p[0] == '(')
			line = span_cut(&text, '\n');
		return word(&line);
	}
	return (struct span){ 0 };
}

bool gomod_next(struct gomod_at *at, struct gomod_require *ret)
{
	while (at->rest.n) {
		struct span line = span_trim(span_cut(&at->rest, '\n'));
		size_t comment = span_find(line, S("//"));
		struct span note = comment == SPAN_NONE ? (struct span){ 0 } : span_from(line, comment);
		struct span body = span_trim(span_head(line, comment));
		if (at->block && body.n && body.p[0] == ')') {
			at->block = false;
			continue;
		}
		if (!at->block) {
			struct span verb = word(&body);
			if (!span_eq(verb, S("require")))
				continue;
			body = span_trim(body);
			if (body.n && body.p[0] == '(') {
				at->block = true;
				continue;
			}
		}
		*ret = (struct gomod_require){ .path = word(&body), .indirect = span_find(note, S("indirect")) != SPAN_NONE };
		ret->version = word(&body);
		if (ret->path.n && ret->version.n)
			return true;
	}
	return false;
}
