#include "check/ci/bash.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/time.h"

const TSLanguage *tree_sitter_bash(void);

static const struct {
	const char *text;
	bool sign;
} names[BASH_NODES] = {
#define NODE(name, text) [BASH_##name] = { text, false },
#define SIGN(name, text) [BASH_##name] = { text, true },
#include "check/ci/bash_nodes.def"
#undef NODE
#undef SIGN
};

/* From the grammar's numbers to ours, once. */
#define SYMBOLS_MAX 512
static uint8_t kind_of[SYMBOLS_MAX];
static pthread_once_t named = PTHREAD_ONCE_INIT;

static void name_all(void)
{
	const TSLanguage *l = tree_sitter_bash();
	uint32_t n = ts_language_symbol_count(l);

	for (uint32_t i = 0; i < n && i < SYMBOLS_MAX; i++) {
		TSSymbolType type = ts_language_symbol_type(l, (TSSymbol)i);
		const char *name = ts_language_symbol_name(l, (TSSymbol)i);
		for (int k = BASH_ERROR + 1; k < BASH_NODES; k++)
			if (type != TSSymbolTypeAuxiliary &&
			    (type == TSSymbolTypeAnonymous) == names[k].sign && !strcmp(name, names[k].text))
				kind_of[i] = (uint8_t)k;
	}
}

enum bashnode bash_kind(TSNode n)
{
	if (!n.id)
		return BASH_OTHER;
	TSSymbol s = ts_node_symbol(n);
	return s == (TSSymbol)-1 ? BASH_ERROR : s < SYMBOLS_MAX ? (enum bashnode)kind_of[s] : BASH_OTHER;
}

struct bashsyntax {
	TSParser *parser;
	int64_t until;
	struct span text;
};

int bashsyntax_open(struct bashsyntax **ret, struct err *e)
{
	struct bashsyntax *p = mem_zalloc(sizeof(*p));

	pthread_once(&named, name_all);
	if (p)
		p->parser = ts_parser_new();
	if (!p || !p->parser || !ts_parser_set_language(p->parser, tree_sitter_bash())) {
		bashsyntax_close(p);
		return err_set(e, ENOMEM, TR("no memory for a parser", "内存不足，无法创建解析器"));
	}
	*ret = p;
	return 0;
}

void bashsyntax_close(struct bashsyntax *p)
{
	if (!p)
		return;
	if (p->parser)
		ts_parser_delete(p->parser);
	mem_free(p);
}

static const char *give_text(void *payload, uint32_t at, TSPoint where, uint32_t *n)
{
	const struct bashsyntax *p = payload;
	struct span rest = span_from(p->text, at);

	(void)where;
	*n = (uint32_t)rest.n;
	return rest.n ? rest.p : "";
}

static bool too_long(TSParseState *state)
{
	const struct bashsyntax *p = state->payload;

	return time_mono() > p->until;
}

int bash_parse(struct bashsyntax *p, struct span text, TSTree **ret, struct err *e)
{
	TSInput input = { .payload = p, .read = give_text, .encoding = TSInputEncodingUTF8 };
	TSParseOptions options = { .payload = p, .progress_callback = too_long };

	if (text.n > BASH_BYTES)
		return err_set(e, EFBIG,
			       TR("shell of more than %zu MiB: not parsed", "shell 文本大于 %zu MiB：未解析"),
			       BASH_BYTES >> 20);
	p->text = text;
	p->until = time_mono() + BASH_NS;
	*ret = ts_parser_parse_with_options(p->parser, NULL, input, options);
	if (*ret)
		return 0;
	ts_parser_reset(p->parser);
	return err_set(e, ETIME, TR("parsing took more than %d s: left out", "解析超过 %d 秒：已跳过"),
		       (int)(BASH_NS / NSEC_PER_SEC));
}

void bashchildren_of(TSNode n, struct bashchildren *ret)
{
	*ret = (struct bashchildren){ 0 };
	if (!n.id)
		return;
	ret->at = ts_tree_cursor_new(n);
	ret->open = true;
	ret->more = ts_tree_cursor_goto_first_child(&ret->at);
}

TSNode bashchildren_next(struct bashchildren *c)
{
	if (!c->more)
		return (TSNode){ 0 };
	TSNode n = ts_tree_cursor_current_node(&c->at);
	c->more = ts_tree_cursor_goto_next_sibling(&c->at);
	return n;
}

void bashchildren_end_cleanup(struct bashchildren *c)
{
	if (c->open)
		ts_tree_cursor_delete(&c->at);
	c->open = c->more = false;
}
