#include "check/ci/bash.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/time.h"

const TSLanguage *tree_sitter_bash(void);

static const struct syntax_name names[] = {
#define NODE(name, text) { text, BASH_##name, false },
#define SIGN(name, text) { text, BASH_##name, true },
#include "check/ci/bash_nodes.def"
#undef NODE
#undef SIGN
};
static uint8_t kinds[SYNTAX_SYMBOLS];
static pthread_once_t named = PTHREAD_ONCE_INIT;

static void name_all(void)
{
	syntax_number(tree_sitter_bash(), names, ARRAY_LEN(names), kinds);
}

enum bashnode bash_kind(TSNode n)
{
	return (enum bashnode)syntax_kind(kinds, n, BASH_ERROR);
}

int bashsyntax_open(struct syntax **ret, struct err *e)
{
	pthread_once(&named, name_all);
	return syntax_open(ret, tree_sitter_bash(), e);
}

int bash_parse(struct syntax *p, struct span text, TSTree **ret, struct err *e)
{
	if (text.n > BASH_BYTES)
		return err_set(e, EFBIG,
			       TR("shell of more than %zu MiB: not parsed", "shell 文本大于 %zu MiB：未解析"),
			       BASH_BYTES >> 20);
	int r = syntax_nesting(text, e);
	if (r < 0)
		return r;
	*ret = syntax_parse(p, text, syntax_now() + BASH_NS);
	return *ret ? 0 : syntax_late(e, BASH_NS);
}
