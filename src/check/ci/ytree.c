#include "check/ci/ytree.h"

#include <errno.h>
#include <pthread.h>
#include <strings.h>
#include <tree_sitter/parser.h>

#include "base/mem.h"
#include "base/time.h"

const TSLanguage *tree_sitter_yaml(void);

/* ---- the grammar ---- */

enum ysort { /* of nodes of the grammar */
	     SORT_OTHER,
	     SORT_ERROR,
	     SORT_DOCUMENT,
	     SORT_NODE, /* a tag, an anchor and a value */
	     SORT_TAG,
	     SORT_ANCHOR,
	     SORT_ANCHOR_NAME,
	     SORT_ALIAS,
	     SORT_ALIAS_NAME,
	     SORT_MAP,
	     SORT_PAIR,
	     SORT_SEQ,
	     SORT_ITEM,
	     SORT_FLOW_MAP,
	     SORT_FLOW_SEQ,
	     SORT_PLAIN,
	     SORT_SINGLE,
	     SORT_DOUBLE,
	     SORT_BLOCK,
};
static const struct syntax_name sorts[] = {
	{ "document", SORT_DOCUMENT },
	{ "block_node", SORT_NODE },
	{ "flow_node", SORT_NODE },
	{ "tag", SORT_TAG },
	{ "anchor", SORT_ANCHOR },
	{ "anchor_name", SORT_ANCHOR_NAME },
	{ "alias", SORT_ALIAS },
	{ "alias_name", SORT_ALIAS_NAME },
	{ "block_mapping", SORT_MAP },
	{ "block_mapping_pair", SORT_PAIR },
	{ "flow_pair", SORT_PAIR },
	{ "block_sequence", SORT_SEQ },
	{ "block_sequence_item", SORT_ITEM },
	{ "flow_mapping", SORT_FLOW_MAP },
	{ "flow_sequence", SORT_FLOW_SEQ },
	{ "plain_scalar", SORT_PLAIN },
	{ "single_quote_scalar", SORT_SINGLE },
	{ "double_quote_scalar", SORT_DOUBLE },
	{ "block_scalar", SORT_BLOCK },
};
static uint8_t sort_of[SYNTAX_SYMBOLS];
static TSFieldId field_key, field_value;
static pthread_once_t named = PTHREAD_ONCE_INIT;
static TSLanguage grammar;
static unsigned (*grammar_serialize)(void *scanner, char *ret);

/*
 * The grammar's scanner keeps one pair of numbers a level of nesting, and with more than 253 levels it writes two bytes behind the
 * room that it is given. What does not fit is left out, as it means to: such a file is nested too deep for us anyway.
 */
static unsigned serialize_within(void *scanner, char *ret)
{
	char room[TREE_SITTER_SERIALIZATION_BUFFER_SIZE + 64];
	unsigned n = grammar_serialize(scanner, room);

	if (n > TREE_SITTER_SERIALIZATION_BUFFER_SIZE)
		n -= 2 * sizeof(int16_t);
	memcpy(ret, room, n);
	return n;
}

static void name_all(void)
{
	grammar = *tree_sitter_yaml();
	grammar_serialize = grammar.external_scanner.serialize;
	grammar.external_scanner.serialize = serialize_within;
	syntax_number(&grammar, sorts, ARRAY_LEN(sorts), sort_of);
	field_key = ts_language_field_id_for_name(&grammar, "key", 3);
	field_value = ts_language_field_id_for_name(&grammar, "value", 5);
}

int yparser_open(struct syntax **ret, struct err *e)
{
	pthread_once(&named, name_all);
	return syntax_open(ret, &grammar, e);
}

/* ---- from the grammar's tree to ours ---- */

struct build {
	struct ytree *y;
	TSTreeCursor at;
	struct map anchors; /* of this document */
	uint32_t base;      /* where in the text what is parsed begins */
	bool in_error;
};

static enum ysort sort_at(const struct build *b)
{
	return (enum ysort)syntax_kind(sort_of, ts_tree_cursor_current_node(&b->at), SORT_ERROR);
}

static struct span text_at(const struct build *b)
{
	TSNode n = ts_tree_cursor_current_node(&b->at);
	uint32_t from = ts_node_start_byte(n), to = ts_node_end_byte(n);

	return span_head(span_from(b->y->text, b->base + from), to - from);
}

static struct ynode *new_node(struct build *b, enum ykind kind, int indent)
{
	struct ytree *y = b->y;
	TSNode at = ts_tree_cursor_current_node(&b->at);

	if (y->nodes >= YTREE_NODES) {
		y->many = true;
		return NULL;
	}
	struct ynode *n = arena_alloc(y->mem, sizeof(*n));
	if (!n) {
		y->bad = true;
		return NULL;
	}
	y->nodes++;
	n->kind = (uint8_t)kind;
	n->indent = indent;
	n->from = b->base + ts_node_start_byte(at);
	n->to = b->base + ts_node_end_byte(at);
	return n;
}

static void append(struct ynode *to, struct ynode *n)
{
	if (to->last)
		to->last->next = n;
	else
		to->first = n;
	to->last = n;
	to->n++;
}

static struct ynode *build_value(struct build *b, int indent, unsigned depth);

/* Counted once, however much lies in it. */
static void count_error(struct build *b)
{
	if (!b->in_error)
		b->y->errors++;
}

static void build_pair(struct build *b, struct ynode *map, int indent, unsigned depth)
{
	struct ynode *key = NULL, *value = NULL;
	TSNode whole = ts_tree_cursor_current_node(&b->at);

	if (!ts_tree_cursor_goto_first_child(&b->at))
		return;
	do {
		TSFieldId field = ts_tree_cursor_current_field_id(&b->at);
		if (sort_at(b) == SORT_ERROR)
			count_error(b);
		else if (field == field_key)
			key = build_value(b, indent, depth + 1);
		else if (field == field_value)
			value = build_value(b, indent, depth + 1);
	} while (ts_tree_cursor_goto_next_sibling(&b->at));
	ts_tree_cursor_goto_parent(&b->at);
	if (!key || key->kind != YSCALAR)
		return;
	if (!value) {
		value = new_node(b, YNULL, indent);
		if (!value)
			return;
		value->from = value->to = b->base + ts_node_end_byte(whole);
	}
	value->key = key;
	append(map, value);
}

/* What stands in a collection, and what can be saved from parts that are no YAML. */
static void build_inside(struct build *b, struct ynode *into, int indent, unsigned depth)
{
	if (depth > YTREE_DEPTH) {
		b->y->deep = true;
		return;
	}
	if (!ts_tree_cursor_goto_first_child(&b->at))
		return;
	do {
		enum ysort sort = sort_at(b);
		struct ynode *one;
		if (sort == SORT_ERROR) {
			bool was = b->in_error;
			count_error(b);
			b->in_error = true;
			build_inside(b, into, indent, depth + 1);
			b->in_error = was;
		} else if (sort == SORT_PAIR && into->kind == YMAP) {
			build_pair(b, into, indent, depth);
		} else if (sort == SORT_PAIR) { /* [a: b] */
			one = new_node(b, YMAP, indent);
			if (one) {
				build_pair(b, one, indent, depth);
				append(into, one);
			}
		} else if (sort == SORT_ITEM || (sort == SORT_MAP && b->in_error)) {
			build_inside(b, into, indent, depth + 1);
		} else if (into->kind == YSEQ && sort >= SORT_NODE && sort != SORT_TAG &&
			   sort != SORT_ANCHOR) {
			one = build_value(b, indent, depth + 1);
			if (one)
				append(into, one);
		} else if (b->in_error && sort == SORT_NODE) {
			build_inside(b, into, indent, depth + 1);
		}
	} while (ts_tree_cursor_goto_next_sibling(&b->at) && !b->y->many);
	ts_tree_cursor_goto_parent(&b->at);
}

static struct ynode *build_alias(struct build *b, int indent)
{
	struct ynode *n = new_node(b, YALIAS, indent);

	if (n) {
		n->name = span_from(text_at(b), 1);
		n->target = map_get(&b->anchors, n->name);
	}
	return n;
}

static struct ynode *build_scalar(struct build *b, int indent, enum ystyle style)
{
	struct ynode *n = new_node(b, YSCALAR, indent);

	if (!n)
		return NULL;
	if (style == YLITERAL && b->y->text.p[n->from] == '>')
		style = YFOLDED;
	n->style = (uint8_t)style;
	return n;
}

static struct ynode *build_collection(struct build *b, enum ykind kind, bool flow, int indent, unsigned depth,
				      struct span anchor)
{
	struct ynode *n = new_node(b, kind, indent);
	TSNode at = ts_tree_cursor_current_node(&b->at);

	if (!n)
		return NULL;
	n->flow = flow;
	/* An anchor is known within what it names: that an alias can lead to its own beginning is for who follows it to bear. */
	if (anchor.n)
		b->y->bad |= !map_put(&b->anchors, anchor, n);
	build_inside(b, n, flow ? indent : (int)ts_node_start_point(at).column, depth + 1);
	return n;
}

static struct ynode *build_bare(struct build *b, enum ysort sort, int indent, unsigned depth,
				struct span anchor)
{
	switch (sort) {
	case SORT_MAP:
	case SORT_FLOW_MAP: return build_collection(b, YMAP, sort == SORT_FLOW_MAP, indent, depth, anchor);
	case SORT_SEQ:
	case SORT_FLOW_SEQ: return build_collection(b, YSEQ, sort == SORT_FLOW_SEQ, indent, depth, anchor);
	case SORT_PLAIN: return build_scalar(b, indent, YPLAIN);
	case SORT_SINGLE: return build_scalar(b, indent, YSINGLE);
	case SORT_DOUBLE: return build_scalar(b, indent, YDOUBLE);
	case SORT_BLOCK: return build_scalar(b, indent, YLITERAL);
	case SORT_ALIAS: return build_alias(b, indent);
	default: return NULL;
	}
}

/* The value that the cursor stands at; NULL: none. */
static struct ynode *build_value(struct build *b, int indent, unsigned depth)
{
	enum ysort sort = sort_at(b);
	struct span tag = { 0 }, anchor = { 0 };
	struct ynode *n = NULL;

	if (depth > YTREE_DEPTH) {
		b->y->deep = true;
		return NULL;
	}
	if (sort != SORT_NODE)
		return build_bare(b, sort, indent, depth, anchor);
	if (!ts_tree_cursor_goto_first_child(&b->at))
		return NULL;
	do {
		sort = sort_at(b);
		if (sort == SORT_ERROR)
			count_error(b);
		else if (sort == SORT_TAG)
			tag = text_at(b);
		else if (sort == SORT_ANCHOR)
			anchor = span_from(text_at(b), 1);
		else if (!n)
			n = build_bare(b, sort, indent, depth, anchor);
	} while (ts_tree_cursor_goto_next_sibling(&b->at));
	ts_tree_cursor_goto_parent(&b->at);
	if (!n && (tag.n || anchor.n))
		n = new_node(b, YNULL, indent);
	if (n) {
		n->tag = tag;
		if (n->kind != YALIAS)
			n->name = anchor;
		if (anchor.n && n->kind != YALIAS)
			b->y->bad |= !map_put(&b->anchors, anchor, n);
	}
	return n;
}

static struct ynode *build_document(struct build *b)
{
	struct ynode *root = NULL, *saved = NULL;

	map_clear(&b->anchors);
	if (!ts_tree_cursor_goto_first_child(&b->at))
		return NULL;
	do {
		enum ysort sort = sort_at(b);
		if (sort == SORT_NODE && !root) {
			root = build_value(b, -1, 0);
		} else if (sort == SORT_ERROR || sort == SORT_NODE) {
			count_error(b);
			saved = saved ? saved : root && root->kind == YMAP ? root : new_node(b, YMAP, -1);
			b->in_error = true;
			if (saved)
				build_inside(b, saved, 0, 0);
			b->in_error = false;
		}
	} while (ts_tree_cursor_goto_next_sibling(&b->at));
	ts_tree_cursor_goto_parent(&b->at);
	return root && root->kind != YNULL ? root : saved;
}

/* ERROR at the top: what is in it is taken as one document. */
static void build_stream(struct build *b)
{
	struct ynode **end = &b->y->docs;

	while (*end)
		end = &(*end)->next;
	if (sort_at(b) == SORT_ERROR) {
		count_error(b);
		struct ynode *n = new_node(b, YMAP, -1);
		b->in_error = true;
		if (n)
			build_inside(b, n, 0, 0);
		*end = n;
		return;
	}
	if (!ts_tree_cursor_goto_first_child(&b->at))
		return;
	do {
		enum ysort sort = sort_at(b);
		struct ynode *n = NULL;
		if (sort == SORT_DOCUMENT) {
			n = build_document(b);
		} else if (sort == SORT_ERROR) {
			count_error(b);
			n = new_node(b, YMAP, -1);
			b->in_error = true;
			if (n)
				build_inside(b, n, 0, 0);
			b->in_error = false;
		}
		if (n) {
			*end = n;
			end = &n->next;
		}
	} while (ts_tree_cursor_goto_next_sibling(&b->at));
}

/* ---- lines that are no YAML ---- */

#define MEND_BYTES ((size_t)256 << 10)
#define MEND_LINES 16
#define MEND_NS    NSEC_PER_SEC

static bool is_yaml(struct syntax *p, struct span text, int64_t until)
{
	TSTree *tree = syntax_parse(p, text, until);
	bool fine = tree && !ts_node_has_error(ts_tree_root_node(tree));

	if (tree)
		ts_tree_delete(tree);
	return fine;
}

/* The end of the line that the byte before `at` is in. */
static size_t line_end(struct span text, size_t at)
{
	size_t nl = at ? span_chr(span_from(text, at - 1), '\n') : 0;

	return nl == SPAN_NONE ? text.n : at ? at + nl : 0;
}

/* The first line up to which the text is YAML, and with which it is not: by halves. */
static struct span first_bad(struct syntax *p, struct span text, int64_t until)
{
	size_t low = 0, high = text.n; /* ends of lines: fine, not fine */

	for (;;) {
		size_t mid = line_end(text, low + (high - low) / 2);
		if (mid >= high || mid <= low)
			mid = line_end(text, low + 1);
		if (mid >= high)
			return (struct span){ text.p + low, high - low };
		if (is_yaml(p, span_head(text, mid), until))
			low = mid;
		else
			high = mid;
	}
}

/* false: there was nothing. */
static bool blank_out(char *line, size_t n, size_t from)
{
	bool any = false;

	for (size_t i = from; i < n; i++) {
		if (line[i] == ' ' || line[i] == '\n' || line[i] == '\r')
			continue;
		line[i] = ' ';
		any = true;
	}
	return any;
}

/*
 * One line that is no YAML (a template's, an unclosed quote) takes the whole structure around it with it. So such lines are blanked,
 * in a copy, until the rest can be read. Gives the number of them.
 */
static size_t mend(struct syntax *p, struct span copy)
{
	int64_t until = syntax_now() + MEND_NS;
	size_t n = 0;

	while (n < MEND_LINES && !is_yaml(p, copy, until) && syntax_now() < until) {
		struct span line = first_bad(p, copy, until);
		char *at = (char *)(uintptr_t)line.p;
		size_t from = 0;
		/* The item of a list stays, so that what follows is not taken for the one before. */
		while (from < line.n &&
		       (at[from] == ' ' || (at[from] == '-' && from + 1 < line.n && at[from + 1] == ' ')))
			from++;
		if (!blank_out(at, line.n, from) && !blank_out(at, line.n, 0))
			break;
		n++;
	}
	return n;
}

static struct span first_lines(struct span text, bool *more)
{
	size_t n = 0;

	for (size_t at = 0, nl; (nl = span_chr(span_from(text, at), '\n')) != SPAN_NONE; at += nl + 1)
		if (n++ == YTREE_LINES) {
			*more = true;
			return span_head(text, at);
		}
	return text;
}

static int parse_into(struct syntax *p, struct ytree *y, struct span text, uint32_t base, struct err *e)
{
	if (text.n > YTREE_BYTES)
		return syntax_too_large(e, YTREE_BYTES);
	int r = syntax_nesting(text, e);
	if (r < 0)
		return r;
	text = first_lines(text, &y->longer);
	int64_t most = syntax_time(text.n, YTREE_NS), until = syntax_now() + most;
	TSTree *tree = syntax_parse(p, text, until);
	if (tree && text.n <= MEND_BYTES && ts_node_has_error(ts_tree_root_node(tree))) {
		struct span copy = arena_span(y->mem, text);
		ts_tree_delete(tree);
		y->bad |= !copy.p;
		y->errors += copy.p ? mend(p, copy) : 0;
		tree = syntax_parse(p, copy.p ? copy : text, until);
	}
	if (!tree)
		return syntax_late(e, most);
	struct build b = { .y = y, .base = base, .at = ts_tree_cursor_new(ts_tree_root_node(tree)) };
	build_stream(&b);
	ts_tree_cursor_delete(&b.at);
	ts_tree_delete(tree);
	map_free(&b.anchors);
	if (y->bad)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	return 0;
}

int ytree_parse(struct syntax *p, struct span text, struct arena *mem, struct ytree *ret, struct err *e)
{
	*ret = (struct ytree){ .text = text, .mem = mem };
	return parse_into(p, ret, text, 0, e);
}

int ytree_add(struct syntax *p, struct ytree *y, uint32_t from, uint32_t to, struct err *e)
{
	return parse_into(p, y, span_head(span_from(y->text, from), to - from), from, e);
}

bool ytree_of(struct lint_file *f, struct ytree *ret)
{
	struct syntax *p = lint_yaml_parser(f);
	struct err e = { 0 };
	int r = p ? ytree_parse(p, f->text, f->scratch, ret, &e) : -ENOMEM;

	if (r == -ENOMEM)
		f->bad = true;
	else if (r < 0)
		lint_limit(f, "%s", e.msg);
	f->errors += r < 0 ? 0 : ret->errors;
	return r == 0;
}

void ytree_end(struct lint_file *f, const struct ytree *y)
{
	if (y->deep)
		lint_limit(f,
			   TR("nested deeper than %d: what is below was not looked at",
			      "嵌套超过 %d 层：更深的部分未检查"),
			   YTREE_DEPTH);
	if (y->longer)
		lint_limit(f, TR("more than %d lines: the rest was not looked at", "超过 %d 行：其余未检查"),
			   YTREE_LINES);
	if (y->many)
		lint_limit(f,
			   TR("more than %d values: the rest was not looked at", "超过 %d 个值：其余未检查"),
			   YTREE_NODES);
	if (y->loops)
		lint_limit(f, TR("aliases that lead to too many values: they were not followed further",
				 "别名展开后的值过多：未继续展开"));
	f->bad |= y->bad;
}

/* ---- asking ---- */

static bool spend(struct ytree *y, size_t n)
{
	y->steps += n;
	y->loops |= y->steps > YTREE_STEPS;
	return !y->loops;
}

const struct ynode *yreal(struct ytree *y, const struct ynode *n)
{
	if (n && n->kind == YALIAS)
		n = spend(y, 1) ? n->target : NULL;
	return n && n->kind != YNULL && n->kind != YALIAS ? n : NULL;
}

bool yis(struct ytree *y, const struct ynode *n, enum ykind kind)
{
	n = yreal(y, n);
	return n && n->kind == kind;
}

const struct ynode *yfirst(struct ytree *y, const struct ynode *n)
{
	n = yreal(y, n);
	return n ? n->first : NULL;
}

/* The values of a mapping by their keys: a file may have many thousands of jobs, and each asks for others. */
#define INDEXED_MIN 16
struct yindex {
	size_t mask;
	const struct ynode *slots[]; /* open addressing; NULL: free */
};

/* Where the key is, or would be. */
static const struct ynode **slot_of(struct ytree *y, struct yindex *x, struct span key)
{
	size_t at = span_hash(key) & x->mask;

	while (x->slots[at] && !span_eq(ykey(y, x->slots[at]), key))
		at = (at + 1) & x->mask;
	return &x->slots[at];
}

/* NULL: too small for one, or no memory. */
static struct yindex *index_of(struct ytree *y, const struct ynode *map)
{
	struct yindex *x = map->n < INDEXED_MIN ? NULL : map->index;
	size_t cap = INDEXED_MIN;

	if (x || map->n < INDEXED_MIN)
		return x;
	while (cap < (size_t)map->n * 2)
		cap *= 2;
	x = arena_alloc(y->mem, sizeof(*x) + cap * sizeof(x->slots[0]));
	if (!x) {
		y->bad = true;
		return NULL;
	}
	x->mask = cap - 1;
	for (const struct ynode *v = map->first; v; v = v->next)
		*slot_of(y, x, ykey(y, v)) = v; /* the last one holds */
	((struct ynode *)(uintptr_t)map)->index = x;
	return x;
}

static const struct ynode *find_key(struct ytree *y, const struct ynode *map, struct span key)
{
	struct yindex *x = index_of(y, map);
	const struct ynode *found = NULL;

	if (x)
		return *slot_of(y, x, key);
	for (const struct ynode *v = map->first; v; v = v->next)
		if (span_eq(ykey(y, v), key))
			found = v; /* the last one holds */
	return found;
}

static const struct ynode *find(struct ytree *y, const struct ynode *map, struct span key, int depth)
{
	map = yreal(y, map);
	if (!map || map->kind != YMAP || depth > 20 || !spend(y, depth ? 1 + map->n / INDEXED_MIN : 0))
		return NULL;
	const struct ynode *found = find_key(y, map, key), *merge = found ? NULL : find_key(y, map, S("<<"));
	if (found || !merge)
		return found;
	if (!yis(y, merge, YSEQ))
		return find(y, merge, key, depth + 1);
	for (const struct ynode *v = yfirst(y, merge); v && !found; v = v->next)
		found = find(y, v, key, depth + 1); /* the first one holds */
	return found;
}

const struct ynode *yfind_span(struct ytree *y, const struct ynode *map, struct span key)
{
	return find(y, map, key, 0);
}

const struct ynode *yfind(struct ytree *y, const struct ynode *map, const char *key)
{
	return find(y, map, span_of(key), 0);
}

const struct ynode *yget(struct ytree *y, const struct ynode *map, const char *key)
{
	return yreal(y, yfind(y, map, key));
}

struct span yget_text(struct ytree *y, const struct ynode *map, const char *key)
{
	return ytext(y, yfind(y, map, key));
}

struct span ykey(struct ytree *y, const struct ynode *n)
{
	return n ? ytext(y, n->key) : (struct span){ 0 };
}

static bool one_of(struct span word, const char *const *words)
{
	for (; *words; words++)
		if (word.n == strlen(*words) && strncasecmp(word.p, *words, word.n) == 0)
			return true;
	return false;
}

bool ytrue(struct ytree *y, const struct ynode *n)
{
	static const char *const words[] = { "true", "yes", "on", NULL };

	return one_of(ytext(y, n), words);
}

bool yfalse(struct ytree *y, const struct ynode *n)
{
	static const char *const words[] = { "false", "no", "off", NULL };

	return one_of(ytext(y, n), words);
}
