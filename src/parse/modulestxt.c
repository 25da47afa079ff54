#include "parse/modulestxt.h"

#include "base/mem.h"
#include "parse/fields.h"
#include "parse/version.h"

#define WORDS 5 /* path version => path version */

/* "# path …"; false: go makes nothing of it, or not all. */
static bool read_module(struct modulestxt_line *l, bool *in_module)
{
	struct span rest = span_from(l->text, 2), word[WORDS + 1] = { 0 };
	size_t n = 0;

	while (n < ARRAY_LEN(word) && fields_next(&rest, &word[n]))
		n++;
	if (n < 2) /* the lines below still belong to the module before */
		return false;
	bool versioned = version_valid(word[1]);
	*in_module = versioned || span_eq(word[1], S("=>"));
	if (!*in_module)
		return false;
	l->path = word[0];
	size_t at = 1;
	if (versioned)
		l->version = word[at++];
	if (at == n)
		return true;
	if (!span_eq(word[at], S("=>")) || n - at < 2 || n - at > 3 ||
	    (n - at == 3 && !version_valid(word[at + 2])))
		return false;
	l->new_path = word[at + 1];
	if (n - at == 3)
		l->new_version = word[at + 2];
	return true;
}

static void read_note(struct modulestxt_line *l)
{
	struct span rest = span_from(l->text, 3);

	while (rest.n) {
		struct span entry = fields_trim(span_cut(&rest, ';'));
		l->explicit |= span_eq(entry, S("explicit"));
		if (span_skip(&entry, S("go ")))
			l->go = entry;
	}
}

static enum modulestxt_kind read_line(struct modulestxt_line *l, bool *in_module)
{
	struct span rest = l->text, more;

	if (span_starts(l->text, S("# ")))
		return read_module(l, in_module) ? MODULESTXT_MODULE : MODULESTXT_PROBLEM;
	if (l->line == 1 && span_eq(l->text, S("## workspace")))
		return MODULESTXT_WORKSPACE;
	if (!*in_module)
		return MODULESTXT_PROBLEM;
	if (span_starts(l->text, S("## "))) {
		read_note(l);
		return MODULESTXT_NOTE;
	}
	fields_next(&rest, &l->path);
	if (!fields_next(&rest, &more) && import_path_valid(l->path))
		return MODULESTXT_PACKAGE;
	l->path = (struct span){ 0 };
	return MODULESTXT_PROBLEM;
}

bool modulestxt_next(struct modulestxt_at *at, struct modulestxt_line *ret)
{
	while (at->rest.n) {
		*ret = (struct modulestxt_line){ .text = span_cut(&at->rest, '\n'), .line = ++at->line };
		if (span_ends(ret->text, S("\r")))
			ret->text.n--;
		if (!fields_trim(ret->text).n)
			continue;
		ret->kind = read_line(ret, &at->in_module);
		return true;
	}
	return false;
}
