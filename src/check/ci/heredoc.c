#include "check/ci/heredoc.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-' || c == '.';
}

/* What stands at command[at…] behind `<<`; false: no delimiter. */
static bool read_one(struct span command, size_t at, struct heredoc *ret)
{
	size_t i = at + 2;

	ret->at = at;
	ret->tabs = i < command.n && command.p[i] == '-';
	i += ret->tabs;
	char quote = i < command.n && (command.p[i] == '"' || command.p[i] == '\'') ? command.p[i] : 0;
	i += quote != 0;
	size_t from = i;
	while (i < command.n && is_word(command.p[i]))
		i++;
	ret->word = (struct span){ command.p + from, i - from };
	ret->end = i + (quote && i < command.n && command.p[i] == quote);
	return ret->word.n > 0;
}

size_t heredoc_find(struct span command, struct heredoc *ret, size_t max)
{
	char quote = 0;
	size_t n = 0;

	for (size_t i = 0; i < command.n && n < max; i++) {
		char c = command.p[i];
		if (c == '\\' && quote != '\'') {
			i++;
		} else if (quote) {
			quote = c == quote ? 0 : quote;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (span_starts(span_from(command, i), S("<<<"))) {
			i += 2;
		} else if (span_starts(span_from(command, i), S("<<"))) {
			bool found = read_one(command, i, &ret[n]);
			i = found ? ret[n].end - 1 : i + 1;
			n += found;
		}
	}
	return n;
}

bool heredoc_ends(const struct heredoc *h, struct span line)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	while (h->tabs && span_skip(&line, S("\t")))
		;
	return span_eq(line, h->word);
}
