#include "base/mem.h"
#include "check/select_own.h"

/* #cgo lines: which go refuses. https://pkg.go.dev/cmd/cgo#hdr-Using_cgo_with_the_go_command */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span next_word(struct span *rest)
{
	while (rest->n && is_space(rest->p[0]))
		*rest = span_from(*rest, 1);
	size_t n = 0;
	while (n < rest->n && !is_space(rest->p[n]))
		n++;
	struct span ret = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return ret;
}

static bool word_holds(struct span word, const struct target *t)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	bool expression = false;

	for (size_t i = 0; i < word.n; i++)
		expression |= strchr("&|()", word.p[i]) != NULL && word.p[i];
	const struct constraint *x = expression ? constraint_parse(word, &mem, NULL)
						: constraint_parse_old(word, &mem, NULL);
	return x && constraint_holds(x, target_has, (void *)t);
}

static bool is_safe(unsigned char c)
{
	return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("+-.,/=_:$@%! ~^", c));
}

/* The arguments: quotes closed, and no byte that a shell could take for its own. "${SRCDIR}" stands for the folder. */
static const char *arguments_check(struct span s)
{
	char quote = 0;
	bool escaped = false, in_word = false, quoted = false, unsafe = false;
	size_t length = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!escaped && !quote && span_starts(span_from(s, i), S("${SRCDIR}"))) {
			i += sizeof("${SRCDIR}") - 2;
			in_word = true;
			length++;
			continue;
		}
		if (escaped) {
			escaped = false;
		} else if (c == '\\') {
			escaped = true;
			continue;
		} else if (quote) {
			if (c == quote) {
				quote = 0;
				continue;
			}
			if (span_starts(span_from(s, i), S("${SRCDIR}"))) {
				i += sizeof("${SRCDIR}") - 2;
				length++;
				continue;
			}
		} else if (c == '"' || c == '\'') {
			quoted = in_word = true;
			quote = c;
			continue;
		} else if (is_space(c)) {
			unsafe |= in_word && !length;
			in_word = quoted = false;
			length = 0;
			continue;
		}
		in_word = true;
		length++;
		unsafe |= !is_safe((unsigned char)c);
	}
	if (quote || escaped)
		return "invalid #cgo line";
	return unsafe || (in_word && quoted && !length) ? "malformed #cgo argument" : NULL;
}

static const char *line_check(struct span line, const struct target *t)
{
	static const char *const verbs[] = { "CFLAGS", "CPPFLAGS", "CXXFLAGS",
					     "FFLAGS", "LDFLAGS",  "pkg-config" };
	struct span words[3] = { 0 }, rest = line, verb = { 0 }, word;
	bool any = false, holds = false;
	size_t n = 0;

	while ((word = next_word(&rest)).n && n < 4)
		if (n++ < 3)
			words[n - 1] = word;
	if (n == 3 && (span_eq(words[1], S("nocallback")) || span_eq(words[1], S("noescape"))) && t->go >= 22)
		return NULL;
	rest = span_from(line, 4);
	if (span_chr(rest, ':') == SPAN_NONE)
		return "invalid #cgo line";
	struct span before = span_cut(&rest, ':');
	while ((word = next_word(&before)).n) {
		if (verb.n) {
			any = true;
			holds = holds || word_holds(verb, t);
		}
		verb = word;
	}
	if (!verb.n)
		return "invalid #cgo line";
	if (any && !holds)
		return NULL;
	const char *wrong = arguments_check(rest);
	for (size_t i = 0; i < ARRAY_LEN(verbs) && !wrong; i++)
		if (span_eq(verb, span_of(verbs[i])))
			return NULL;
	return wrong ? wrong : "invalid #cgo verb";
}

const char *cgo_lines_check(const struct gohead *h, const struct target *t, int *line)
{
	for (size_t i = 0; i < h->n_cgo; i++) {
		const char *wrong = line_check(h->cgo[i].text, t);
		if (wrong) {
			*line = h->cgo[i].line;
			return wrong;
		}
	}
	return NULL;
}
