#include "parse/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <yaml.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"

#define KEY_SHOWN  60
#define NAME_SHOWN 140 /* the end of a long path */

struct level { /* a list or mapping that is open */
	struct yaml *node, **tail;
	struct yaml *key; /* a mapping's key that waits for its value */
	struct map seen;
};

struct reader {
	const char *name;
	struct span text;
	struct arena *mem;
	struct err *e;
	struct yaml *root;
	bool ended; /* the one document */
	size_t nodes, depth;
	struct level level[YAML_DEPTH];
};

static int fail_at(const char *name, struct err *e, int line, int column, const char *fmt, va_list ap)
	__attribute__((format(printf, 5, 0)));
static int fail_at(const char *name, struct err *e, int line, int column, const char *fmt, va_list ap)
{
	char text[300];

	vsnprintf(text, sizeof(text), fmt, ap);
	size_t n = strlen(name);
	return err_set(e, EINVAL, "%s%s:%d:%d: %s", n > NAME_SHOWN ? "…" : "",
		       n > NAME_SHOWN ? name + n - NAME_SHOWN : name, line, column, text);
}

int yaml_err(const char *name, const struct yaml *v, struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = fail_at(name, e, v->line, v->column, fmt, ap);
	va_end(ap);
	return r;
}

static int fail_mark(struct reader *r, yaml_mark_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail_mark(struct reader *r, yaml_mark_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = fail_at(r->name, r->e, (int)at.line + 1, (int)at.column + 1, fmt, ap);
	va_end(ap);
	return n;
}

static int no_memory(struct reader *r)
{
	return err_set(r->e, ENOMEM, TR("no memory to read '%s'", "内存不足，无法读取“%s”"), r->name);
}

/* ---- what libyaml found ---- */

/* clang-format off */
static const struct {
	const char *part; /* of libyaml's sentence */
	struct tx text;
} problems[] = {
	{ "mapping values are not allowed", { "a ':' that cannot stand here: is the line indented as its neighbours, or does a text need quotes?",
					      "此处不能出现“:”：请检查缩进，或给文本加引号" } },
	{ "cannot start any token", { "a character that cannot begin a value: put the text in quotes", "此字符不能作为值的开头：请给文本加引号" } },
	{ "did not find expected key", { "the indentation does not match the lines above, or a key is missing", "缩进与上文不一致，或缺少键" } },
	{ "did not find expected '-' indicator", { "the indentation does not match the list above", "缩进与上面的列表不一致" } },
	{ "block sequence entries are not allowed", { "a list item '- ' cannot stand here", "此处不能出现列表项“- ”" } },
	{ "could not find expected ':'", { "a key without ':'", "键后缺少“:”" } },
	{ "did not find expected ',' or", { "a ',' or the closing bracket is missing", "缺少“,”或右括号" } },
	{ "unexpected end of stream", { "a quote that does not end", "引号没有结束" } },
	{ "unexpected document indicator", { "a quote that does not end", "引号没有结束" } },
	{ "unknown escape character", { "an unknown escape sequence after '\\'", "“\\”后是未知的转义序列" } },
	{ "hexdecimal number", { "a broken escape sequence after '\\'", "“\\”后的转义序列不完整" } },
	{ "invalid Unicode character code", { "an escape sequence that is no character", "转义序列不是有效字符" } },
	{ "undefined tag handle", { "tags (!name) are not read here", "此处不支持标签（!name）" } },
	{ "incompatible YAML document", { "this YAML version is not known", "未知的 YAML 版本" } },
	{ "did not find expected node content", { "a value is missing", "缺少值" } },
	{ "exceeded max depth", { "nested too deep", "嵌套过深" } },
};
/* clang-format on */

static bool tab_indents(struct span text, yaml_mark_t at)
{
	size_t line = 0;

	while (text.n && line < at.line) {
		span_cut(&text, '\n');
		line++;
	}
	while (text.p && span_skip(&text, S(" ")))
		;
	return text.p && span_starts(text, S("\t"));
}

static yaml_mark_t mark_of(struct span text, size_t offset)
{
	struct span before = span_head(text, offset), last = { 0 };
	yaml_mark_t m = { .index = offset };
	uint32_t cp;

	for (last = before; span_chr(before, '\n') != SPAN_NONE; last = before) {
		span_cut(&before, '\n');
		m.line++;
	}
	for (; last.n; m.column++)
		last = span_from(last, utf8_decode(last, &cp));
	return m;
}

static int fail_bytes(struct reader *r, const yaml_parser_t *p)
{
	struct span rest = r->text;
	uint32_t cp = 0;

	if (p->problem && strstr(p->problem, "control characters"))
		return fail_mark(r, mark_of(r->text, p->problem_offset),
				 TR("byte 0x%02x is no text: is this a YAML file?",
				    "字节 0x%02x 不是文本：这是 YAML 文件吗？"),
				 (unsigned)p->problem_value);
	for (size_t n = 0; rest.n && cp != UTF8_BAD; rest = span_from(rest, cp == UTF8_BAD ? 0 : n))
		n = utf8_decode(rest, &cp);
	return fail_mark(r, mark_of(r->text, r->text.n - rest.n), "%s",
			 TR("invalid UTF-8: save the file as UTF-8",
			    "无效的 UTF-8：请以 UTF-8 编码保存文件"));
}

static int fail_parser(struct reader *r, const yaml_parser_t *p)
{
	const char *problem = p->problem ? p->problem : "";

	if (p->error == YAML_MEMORY_ERROR || p->error == YAML_NO_ERROR)
		return no_memory(r);
	if (p->error == YAML_READER_ERROR)
		return fail_bytes(r, p);
	if (tab_indents(r->text, p->problem_mark))
		return fail_mark(r, p->problem_mark, "%s",
				 TR("a tab cannot indent: use spaces", "不能用制表符缩进：请用空格"));
	for (size_t i = 0; i < ARRAY_LEN(problems); i++) {
		if (strstr(problem, problems[i].part))
			return fail_mark(r, p->problem_mark, "%s", tx(problems[i].text));
	}
	return fail_mark(r, p->problem_mark, TR("this is not YAML: %s", "不是有效的 YAML：%s"), problem);
}

/* ---- the tree ---- */

static struct level *top(struct reader *r)
{
	return r->depth ? &r->level[r->depth - 1] : NULL;
}

static int refuse_marks(struct reader *r, const yaml_event_t *ev)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		anchor = ev->data.scalar.anchor;
		tag = ev->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
		break;
	default: return 0;
	}
	if (anchor)
		return fail_mark(r, ev->start_mark, "%s",
				 TR("anchors (&name) are not read here: write the value where it is wanted",
				    "此处不支持锚点（&name）：请直接写出值"));
	if (tag)
		return fail_mark(r, ev->start_mark, "%s",
				 TR("tags (!name) are not read here", "此处不支持标签（!name）"));
	return 0;
}

static int new_node(struct reader *r, enum yaml_kind kind, const yaml_event_t *ev, struct yaml **ret)
{
	if (++r->nodes > YAML_NODES)
		return fail_mark(r, ev->start_mark, TR("more than %d values", "值超过 %d 个"), YAML_NODES);
	*ret = arena_alloc(r->mem, sizeof(**ret));
	if (!*ret)
		return no_memory(r);
	(*ret)->kind = kind;
	(*ret)->line = (int)ev->start_mark.line + 1;
	(*ret)->column = (int)ev->start_mark.column + 1;
	return 0;
}

static int take_key(struct reader *r, struct level *l, struct yaml *node)
{
	struct yaml *first = map_get(&l->seen, node->text);

	if (first)
		return yaml_err(r->name, node, r->e,
				TR("the key '%.*s' stands here twice; first in line %d",
				   "键“%.*s”重复；首次出现在第 %d 行"),
				SPAN_ARG(utf8_head(node->text, KEY_SHOWN)), first->line);
	if (!map_put(&l->seen, node->text, node))
		return no_memory(r);
	l->key = node;
	return 0;
}

/* Hang a node in where it belongs; a scalar in a mapping may be a key. */
static int take_node(struct reader *r, struct yaml *node)
{
	struct level *l = top(r);

	if (!l) {
		r->root = node;
		return 0;
	}
	if (l->node->kind == YAML_MAP && !l->key) {
		if (node->kind != YAML_SCALAR)
			return yaml_err(r->name, node, r->e, "%s",
					TR("a key must be a plain text, not a list or mapping",
					   "键必须是文本，不能是列表或映射"));
		return take_key(r, l, node);
	}
	node->key = l->key;
	l->key = NULL;
	*l->tail = node;
	l->tail = &node->next;
	l->node->n++;
	return 0;
}

static int take_scalar(struct reader *r, const yaml_event_t *ev)
{
	struct span text = { (const char *)ev->data.scalar.value, ev->data.scalar.length };
	struct yaml *node = NULL;

	int n = new_node(r, YAML_SCALAR, ev, &node);
	if (!node)
		return n;
	if (span_chr(text, '\0') != SPAN_NONE)
		return fail_mark(r, ev->start_mark, "%s",
				 TR("a text cannot hold a zero byte", "文本中不能有零字节"));
	node->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->text = arena_span(r->mem, text);
	return node->text.p ? take_node(r, node) : no_memory(r);
}

static int open_level(struct reader *r, enum yaml_kind kind, const yaml_event_t *ev)
{
	struct yaml *node = NULL;

	int n = new_node(r, kind, ev, &node);
	if (!node)
		return n;
	n = take_node(r, node);
	if (n < 0)
		return n;
	if (r->depth == YAML_DEPTH)
		return fail_mark(r, ev->start_mark, TR("nested deeper than %d", "嵌套超过 %d 层"),
				 YAML_DEPTH);
	r->level[r->depth++] = (struct level){ .node = node, .tail = &node->first };
	return 0;
}

static void close_level(struct reader *r)
{
	map_free(&top(r)->seen);
	r->depth--;
}

/* 1: that was the end. */
static int take_event(struct reader *r, const yaml_event_t *ev)
{
	int n = refuse_marks(r, ev);

	if (n < 0)
		return n;
	switch (ev->type) {
	case YAML_STREAM_END_EVENT: return 1;
	case YAML_DOCUMENT_START_EVENT:
		if (r->ended)
			return fail_mark(r, ev->start_mark, "%s",
					 TR("a second document begins here (---): one a file",
					    "此处开始了第二个文档（---）：一个文件只能有一个"));
		return 0;
	case YAML_DOCUMENT_END_EVENT: r->ended = true; return 0;
	case YAML_ALIAS_EVENT:
		return fail_mark(r, ev->start_mark, "%s",
				 TR("aliases (*name) are not read here: write the value where it is wanted",
				    "此处不支持别名（*name）：请直接写出值"));
	case YAML_SCALAR_EVENT: return take_scalar(r, ev);
	case YAML_SEQUENCE_START_EVENT: return open_level(r, YAML_LIST, ev);
	case YAML_MAPPING_START_EVENT: return open_level(r, YAML_MAP, ev);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: close_level(r); return 0;
	default: return 0;
	}
}

static int read_events(struct reader *r, yaml_parser_t *p)
{
	yaml_event_t ev;
	int n = 0;

	while (n == 0) {
		if (!yaml_parser_parse(p, &ev))
			return fail_parser(r, p);
		n = take_event(r, &ev);
		yaml_event_delete(&ev);
	}
	return n < 0 ? n : 0;
}

int yaml_read(const char *name, struct span text, struct arena *mem, struct yaml **ret, struct err *e)
{
	struct reader r = { .name = name, .text = text, .mem = mem, .e = e };
	yaml_parser_t p;

	*ret = NULL;
	if (text.n > YAML_BYTES)
		return err_set(e, EFBIG,
			       TR("'%s' is larger than %u bytes, too large for a file of this kind",
				  "“%s”超过 %u 字节，对此类文件过大"),
			       name, YAML_BYTES);
	if (!yaml_parser_initialize(&p))
		return no_memory(&r);
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)(text.p ? text.p : ""), text.n);
	int n = read_events(&r, &p);
	yaml_parser_delete(&p);
	while (r.depth)
		close_level(&r);
	if (n == 0)
		*ret = r.root;
	return n;
}

/* ---- asking ---- */

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (struct yaml *v = map->first; v; v = v->next) {
		if (span_eq(v->key->text, span_of(key)))
			return v;
	}
	return NULL;
}

bool yaml_is_nothing(const struct yaml *v)
{
	static const char *const nothing[] = { "", "~", "null", "Null", "NULL" };

	if (!v)
		return true;
	for (size_t i = 0; v->kind == YAML_SCALAR && !v->quoted && i < ARRAY_LEN(nothing); i++) {
		if (span_eq(v->text, span_of(nothing[i])))
			return true;
	}
	return false;
}
