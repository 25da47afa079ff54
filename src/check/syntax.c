#include "check/syntax.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

/* ---- tree-sitter's memory ---- */

static void *or_end(void *p, size_t n)
{
	if (p || !n)
		return p;
	/* No stdio: it may want memory, and another thread may be in it. */
	const char *said = TR("tocsin: no memory for a syntax tree\n", "tocsin：内存不足，无法建立语法树\n");
	ssize_t unused UNUSED = write(STDERR_FILENO, said, strlen(said));
	_exit(125);
}

static void *give(size_t n)
{
	return or_end(malloc(n), n);
}

static void *give_zeroed(size_t n, size_t size)
{
	return or_end(calloc(n, size), n && size);
}

static void *give_more(void *p, size_t n)
{
	return or_end(realloc(p, n), n);
}

static pthread_once_t memory_set = PTHREAD_ONCE_INIT;

static void set_memory(void)
{
	ts_set_allocator(give, give_zeroed, give_more, free);
}

int syntax_no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory for a parser", "内存不足，无法创建解析器"));
}

int syntax_late(struct err *e, int64_t ns)
{
	return err_set(e, ETIME, TR("parsing took more than %d s: left out", "解析超过 %d 秒：已跳过"),
		       (int)(ns / NSEC_PER_SEC));
}

int syntax_too_large(struct err *e, size_t most)
{
	return err_set(e, EFBIG, TR("larger than %zu MiB: not parsed", "大于 %zu MiB：未解析"), most >> 20);
}

#define NESTING_MAX  50000               /* brackets that are open at once, in words and comments too */
#define NESTING_FREE ((size_t)256 << 10) /* a smaller text cannot cost much */

int syntax_nesting(struct span text, struct err *e)
{
	static const signed char steps[256] = {
		['('] = 1, ['['] = 1, ['{'] = 1, [')'] = -1, [']'] = -1, ['}'] = -1
	};
	long open = 0, most = 0;

	for (size_t i = 0; i < text.n && text.n > NESTING_FREE; i++) {
		open += steps[(unsigned char)text.p[i]];
		open = open < 0 ? 0 : open;
		most = open > most ? open : most;
	}
	return most <= NESTING_MAX
		       ? 0
		       : err_set(e, E2BIG, TR("nested deeper than %d: not parsed", "嵌套超过 %d 层：未解析"),
				 NESTING_MAX);
}

int64_t syntax_time(size_t bytes, int64_t most)
{
	int64_t ns = NSEC_PER_SEC + (int64_t)bytes * 1000;

	return ns < most ? ns : most;
}

/* ---- parsing ---- */

struct syntax {
	TSParser *parser;
	int64_t until;
	unsigned asked;
	struct span text;
};

int syntax_open(struct syntax **ret, const TSLanguage *language, struct err *e)
{
	struct syntax *p = mem_zalloc(sizeof(*p));

	pthread_once(&memory_set, set_memory);
	if (p)
		p->parser = ts_parser_new();
	if (!p || !ts_parser_set_language(p->parser, language)) {
		syntax_close(p);
		return syntax_no_memory(e);
	}
	*ret = p;
	return 0;
}

void syntax_close(struct syntax *p)
{
	if (!p)
		return;
	ts_parser_delete(p->parser);
	mem_free(p);
}

void syntax_close_cleanup(struct syntax **p)
{
	syntax_close(*p);
}

static const char *give_text(void *payload, uint32_t at, TSPoint where, uint32_t *n)
{
	const struct syntax *p = payload;
	struct span rest = span_from(p->text, at);

	(void)where;
	*n = (uint32_t)rest.n;
	return rest.n ? rest.p : "";
}

int64_t syntax_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

/* It is asked often, and that clock is a system call. */
static bool too_long(TSParseState *state)
{
	struct syntax *p = state->payload;

	return p->asked++ % 16 == 0 && syntax_now() > p->until;
}

TSTree *syntax_parse(struct syntax *p, struct span text, int64_t until)
{
	TSInput input = { .payload = p, .read = give_text, .encoding = TSInputEncodingUTF8 };
	TSParseOptions options = { .payload = p, .progress_callback = too_long };

	p->text = text;
	p->until = until;
	TSTree *tree = syntax_now() > until ? NULL
					    : ts_parser_parse_with_options(p->parser, NULL, input, options);
	if (!tree)
		ts_parser_reset(p->parser);
	return tree;
}

bool syntax_only(struct syntax *p, const TSRange *parts, uint32_t n)
{
	return ts_parser_set_included_ranges(p->parser, parts, n);
}

/* ---- kinds and children ---- */

void syntax_number(const TSLanguage *language, const struct syntax_name *names, size_t n,
		   uint8_t ret[SYNTAX_SYMBOLS])
{
	uint32_t symbols = ts_language_symbol_count(language);

	for (uint32_t i = 0; i < symbols && i < SYNTAX_SYMBOLS; i++) {
		TSSymbolType type = ts_language_symbol_type(language, (TSSymbol)i);
		const char *text = ts_language_symbol_name(language, (TSSymbol)i);
		for (size_t k = 0; k < n; k++)
			if (type == (names[k].sign ? TSSymbolTypeAnonymous : TSSymbolTypeRegular) &&
			    !strcmp(text, names[k].text))
				ret[i] = names[k].kind;
	}
}

void syntax_children_of(TSNode n, struct syntax_children *ret)
{
	*ret = (struct syntax_children){ 0 };
	if (!n.id)
		return;
	ret->at = ts_tree_cursor_new(n);
	ret->open = true;
	ret->more = ts_tree_cursor_goto_first_child(&ret->at);
}

TSNode syntax_children_next(struct syntax_children *c)
{
	if (!c->more)
		return (TSNode){ 0 };
	TSNode n = ts_tree_cursor_current_node(&c->at);
	c->more = ts_tree_cursor_goto_next_sibling(&c->at);
	return n;
}

void syntax_children_end_cleanup(struct syntax_children *c)
{
	if (c->open)
		ts_tree_cursor_delete(&c->at);
	c->open = c->more = false;
}
