#include "check/ci/interp.h"

#include "base/mem.h"
#include "base/path.h"

static const struct {
	const char *name;
	enum shell_kind shell;
	bool own; /* a shell of the kind that takes -e and -o */
} programs[] = {
	{ "bash", SHELL_BASH, true },   { "sh", SHELL_SH, true },         { "dash", SHELL_SH, true },
	{ "ash", SHELL_SH, true },      { "ksh", SHELL_SH, true },        { "zsh", SHELL_SH, true },
	{ "busybox", SHELL_SH, true },  { "pwsh", SHELL_PWSH, false },    { "powershell", SHELL_PWSH, false },
	{ "cmd", SHELL_CMD, false },    { "python", SHELL_OTHER, false }, { "python3", SHELL_OTHER, false },
	{ "perl", SHELL_OTHER, false }, { "node", SHELL_OTHER, false },   { "ruby", SHELL_OTHER, false },
	{ "fish", SHELL_OTHER, false }, { "php", SHELL_OTHER, false },
};

static struct span program(struct span word)
{
	struct span base = path_base(word);

	return span_ends(base, S(".exe")) ? span_head(base, base.n - 4) : base;
}

static bool next_word(struct span *rest, struct span *word)
{
	size_t i = 0, from;

	while (i < rest->n && strchr(" \t\r\n", rest->p[i]) && rest->p[i])
		i++;
	for (from = i; i < rest->n && !(strchr(" \t\r\n", rest->p[i]) && rest->p[i]);)
		i++;
	*word = (struct span){ rest->p + from, i - from };
	*rest = span_from(*rest, i);
	return word->n > 0;
}

bool interp_is_shell(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (programs[i].own && span_eq(program(word), span_of(programs[i].name)))
			return true;
	return false;
}

static void option(struct interp *i, struct span name, enum shell_flag on)
{
	if (span_eq(name, S("pipefail")))
		i->pipefail = on;
	else if (span_eq(name, S("errexit")))
		i->errexit = on;
	else if (span_eq(name, S("xtrace")))
		i->xtrace = on;
}

void interp_words(struct interp *i, struct span words, bool sure)
{
	enum shell_flag on = sure ? SHELL_ON : SHELL_MAYBE;
	bool named = false; /* the next word is the name of an option */

	for (struct span word; next_word(&words, &word);) {
		bool flags = *word.p == '-' && word.n > 1 && word.p[1] != '-';
		if (named)
			option(i, word, on);
		else if (*word.p == '_' && span_chr(word, '/') == SPAN_NONE)
			i->pipefail = i->errexit = SHELL_MAYBE;
		if (flags && span_chr(word, 'e') != SPAN_NONE)
			i->errexit = on;
		if (flags && span_chr(word, 'x') != SPAN_NONE)
			i->xtrace = on;
		named = flags && word.p[word.n - 1] == 'o';
		for (size_t k = 0; k < ARRAY_LEN(programs) && !flags; k++)
			if (span_eq(program(word), span_of(programs[k].name)))
				i->shell = programs[k].shell;
	}
}
