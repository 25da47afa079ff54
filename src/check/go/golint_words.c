#include "check/go/golint.h"

#include "base/mem.h"

/* Looks at the text of a file: what is cheaper than a look at its tree. */

#define LOOK_TIMES 32                 /* a file's text may be looked through so often, all rules together */
#define LOOK_BYTES ((size_t)32 << 20) /* and no more than this */

bool golint_may_look(struct golint *c, size_t bytes)
{
	size_t most = c->file->text.n * LOOK_TIMES + (1 << 20);

	if (most > LOOK_BYTES)
		most = LOOK_BYTES;
	if (c->looked > most)
		return false;
	c->looked += bytes;
	if (c->looked > most)
		lint_limit(c->out, TR("so much that asks for a second look that not all of it was judged",
				      "需要反复查看的地方过多，未全部判断"));
	return true;
}

size_t golint_word(struct span text, struct span word, size_t from)
{
	while (word.n && from < text.n) {
		size_t at = span_find(span_from(text, from), word);
		if (at == SPAN_NONE)
			return at;
		at += from;
		if ((at == 0 || !golint_in_name(text.p[at - 1])) &&
		    (at + word.n >= text.n || !golint_in_name(text.p[at + word.n])))
			return at;
		from = at + word.n;
	}
	return SPAN_NONE;
}

bool golint_says(struct span text, const char *what)
{
	return text.n && span_find(text, span_of(what)) != SPAN_NONE;
}

bool golint_says_any(struct span text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (golint_says(text, words[i]))
			return true;
	return false;
}

struct span golint_whole(struct golint *c)
{
	const struct golint_func *f = c->func;

	while (f && f->outer)
		f = f->outer;
	struct span text = f ? golint_text(c, f->node) : (struct span){ 0 };
	return text.n && golint_may_look(c, text.n) ? text : (struct span){ 0 };
}

/* Behind a name that is declared or set: a type, a comma, ":=" or "=". */
static bool declares(struct span rest)
{
	size_t at = 0;

	while (at < rest.n && rest.p[at] == ' ')
		at++;
	if (at == rest.n)
		return false;
	if (rest.p[at] == '=')
		return at + 1 < rest.n && rest.p[at + 1] != '=';
	return rest.p[at] == ',' || span_starts(span_from(rest, at), S(":=")) ||
	       (at > 0 && (golint_in_name(rest.p[at]) || rest.p[at] == '*'));
}

bool golint_local(struct span function, struct span name)
{
	for (size_t at = 0; (at = golint_word(function, name, at)) != SPAN_NONE; at += name.n)
		if ((at == 0 || function.p[at - 1] != '.') && declares(span_from(function, at + name.n)))
			return true;
	return false;
}

/* Does what comes before stand in the brackets of `const (`? */
static bool in_constants(struct span before)
{
	while (before.n) {
		size_t nl = span_rchr(span_head(before, before.n - 1), '\n');
		struct span line = span_from(before, nl == SPAN_NONE ? 0 : nl + 1);
		if (line.n > 1 && line.p[0] > ' ' && !span_starts(line, S("//")))
			return span_starts(line, S("const ("));
		before = span_head(before, nl == SPAN_NONE ? 0 : nl + 1);
	}
	return false;
}

bool golint_constant(struct golint *c, struct span name, int64_t *ret)
{
	struct span text = c->file->text;

	if (!name.n || !golint_may_look(c, 2 * text.n) || golint_local(golint_whole(c), name))
		return false;
	for (size_t at = 0; (at = golint_word(text, name, at)) != SPAN_NONE; at += name.n) {
		size_t nl = span_rchr(span_head(text, at), '\n'), from = nl == SPAN_NONE ? 0 : nl + 1;
		struct span head = span_trim((struct span){ text.p + from, at - from }),
			    rest = span_from(text, at + name.n), line = span_cut(&rest, '\n');
		size_t is = span_chr(line, '='), comment = span_find(line, S("//"));
		if (is == SPAN_NONE || comment < is || (head.n && !span_eq(head, S("const"))) ||
		    (!head.n && !in_constants(span_head(text, from))))
			continue;
		return golint_int_of(span_trim(span_from(span_head(line, comment), is + 1)), ret);
	}
	return false;
}

struct span golint_last_name(struct span dotted)
{
	size_t dot = span_rchr(dotted, '.');

	return dot == SPAN_NONE ? dotted : span_from(dotted, dot + 1);
}

bool golint_head_is(const struct golint *c, struct span head, const char *path, const char *name)
{
	size_t dot = span_chr(head, '.');

	return dot != SPAN_NONE && span_eq(span_from(head, dot + 1), span_of(name)) &&
	       span_eq(golint_import(c, span_head(head, dot)), span_of(path));
}

bool golint_of_tests(const struct golint *c)
{
	return c->test || golint_import(c, S("testing")).n > 0;
}
