#include "check/ci/script.h"

#include <errno.h>

#include "base/mem.h"

/* From the grammar's tree to commands. */

struct making {
	struct arena *mem;
	struct span text;
	uint32_t offset;
	size_t errors;
	unsigned depth;
	struct sh *before; /* statements that the grammar ran together with the one that is being made */
	bool bad;
};

static struct sh *statement(struct making *m, TSNode n);
static struct sh *sequence(struct making *m, TSNode n);

static struct sh *make(struct making *m, enum sh_kind kind, uint32_t from, uint32_t to)
{
	static struct sh none; /* without memory: nobody looks at it */
	struct sh *s = arena_alloc(m->mem, sizeof(*s));

	if (!s) {
		m->bad = true;
		none = (struct sh){ 0 };
		return &none;
	}
	s->kind = kind;
	s->from = from + m->offset;
	s->to = to + m->offset;
	return s;
}

static struct sh *make_of(struct making *m, enum sh_kind kind, TSNode n)
{
	return make(m, kind, ts_node_start_byte(n), ts_node_end_byte(n));
}

static void add_kid(struct making *m, struct sh *to, struct sh *kid)
{
	if (!kid || m->bad)
		return;
	kid->next = NULL;
	if (to->last)
		to->last->next = kid;
	else
		to->kids = kid;
	to->last = kid;
	to->to = kid->to > to->to ? kid->to : to->to;
}

static struct span bytes(const struct making *m, TSNode n)
{
	uint32_t from = ts_node_start_byte(n), to = ts_node_end_byte(n);

	from = from > m->text.n ? (uint32_t)m->text.n : from;
	to = to > m->text.n ? (uint32_t)m->text.n : to < from ? from : to;
	return (struct span){ m->text.p + from, to - from };
}

/* ---- words ---- */

/* Without quotes and backslashes; what stands in $… is left as it is. */
static struct span unquote(struct making *m, struct span raw, bool *dynamic)
{
	char *out = arena_alloc(m->mem, raw.n + 1), quote = 0;
	size_t n = 0;

	*dynamic = false;
	if (!out) {
		m->bad = true;
		return S("");
	}
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		if (quote != '\'' && (c == '$' || c == '`'))
			*dynamic = true;
		if (!quote && (c == '\'' || c == '"')) {
			quote = c;
		} else if (c == quote) {
			quote = 0;
		} else if (c == '\\' && quote != '\'' && i + 1 < raw.n) {
			i++;
			if (raw.p[i] != '\n')
				out[n++] = raw.p[i];
		} else {
			out[n++] = c;
		}
	}
	return (struct span){ out, n };
}

static void add_word(struct making *m, struct sh_word **list, size_t *n, TSNode at)
{
	if ((*n & (*n - 1)) == 0) { /* room doubles at each power of two */
		struct sh_word *more = arena_alloc(m->mem, (*n ? *n * 2 : 1) * sizeof(*more));
		if (!more) {
			m->bad = true;
			return;
		}
		if (*n)
			memcpy(more, *list, *n * sizeof(*more));
		*list = more;
	}
	struct sh_word *w = &(*list)[(*n)++];
	w->raw = bytes(m, at);
	w->from = ts_node_start_byte(at) + m->offset;
	w->plain = unquote(m, w->raw, &w->dynamic);
}

/* $(…) and <(…) in a word, in order; what is in them is theirs. */
static void find_substs(struct making *m, struct sh *to, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	enum bashnode kind = bash_kind(n);

	if (m->depth >= SH_DEPTH || ts_node_child_count(n) == 0)
		return;
	m->depth++;
	if (kind == BASH_COMMAND_SUBSTITUTION || kind == BASH_PROCESS_SUBSTITUTION) {
		struct sh *s = make_of(m, kind == BASH_PROCESS_SUBSTITUTION ? SH_PROCESS : SH_SUBST, n);
		struct sh *before = m->before;
		m->before = NULL;
		add_kid(m, s, sequence(m, n));
		m->before = before;
		if (to->substs_last)
			to->substs_last->next = s;
		else
			to->substs = s;
		to->substs_last = s;
	} else {
		syntax_children_of(n, &c);
		for (TSNode kid; (kid = syntax_children_next(&c)).id;)
			find_substs(m, to, kid);
	}
	m->depth--;
}

/* <<EOF or <<<word: what comes in by it. `<<EOF` stands for the whole as a redirection. */
static void feed(struct making *m, struct sh *to, TSNode n, struct span *raw)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };

	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;) {
		enum bashnode kind = bash_kind(kid);
		struct span text = bytes(m, kid);
		if (kind == BASH_HEREDOC_START) {
			to->fed_literal = text.n && strchr("'\"\\", *text.p);
			*raw = span_head(*raw, ts_node_end_byte(kid) - ts_node_start_byte(n));
		} else if (kind == BASH_HEREDOC_BODY) {
			to->fed = text;
			to->fed_at = ts_node_start_byte(kid) + m->offset;
		} else if (bash_kind(n) == BASH_HERESTRING_REDIRECT && ts_node_is_named(kid)) {
			bool quoted = text.n >= 2 && strchr("'\"", *text.p) && text.p[text.n - 1] == *text.p;
			to->fed = quoted ? (struct span){ text.p + 1, text.n - 2 } : text;
			to->fed_at = ts_node_start_byte(kid) + quoted + m->offset;
			to->fed_literal = quoted && *text.p == '\'';
		}
	}
}

static void add_redirect(struct making *m, struct sh *to, TSNode n)
{
	struct sh_redirect *r = arena_alloc(m->mem, sizeof(*r));

	if (!r) {
		m->bad = true;
		return;
	}
	r->raw = bytes(m, n);
	if (bash_kind(n) != BASH_FILE_REDIRECT && r->raw.n && *r->raw.p == '<')
		feed(m, to, n, &r->raw);
	r->next = to->redirects;
	to->redirects = r;
	find_substs(m, to, n);
}

/* A newline that ends a command, which the grammar read over. */
static bool line_between(const struct making *m, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to && i < m->text.n; i++)
		if (m->text.p[i] == '\n' && (i == 0 || m->text.p[i - 1] != '\\'))
			return true;
	return false;
}

static void put_before(struct making *m, struct sh *s)
{
	struct sh **end = &m->before;

	while (*end)
		end = &(*end)->next;
	*end = s;
}

static void command_part(struct making *m, struct sh *s, TSNode kid)
{
	switch (bash_kind(kid)) {
	case BASH_COMMENT: return;
	case BASH_VARIABLE_ASSIGNMENT:
		if (!s->n_words) {
			add_word(m, &s->assigns, &s->n_assigns, kid);
			find_substs(m, s, kid);
			return;
		}
		break;
	case BASH_FILE_REDIRECT:
	case BASH_HEREDOC_REDIRECT:
	case BASH_HERESTRING_REDIRECT: add_redirect(m, s, kid); return;
	default: break;
	}
	add_word(m, &s->words, &s->n_words, kid);
	find_substs(m, s, kid);
}

static struct sh *command(struct making *m, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	struct sh *s = make_of(m, SH_COMMAND, n);
	uint32_t end = ts_node_start_byte(n);

	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;) {
		uint32_t from = ts_node_start_byte(kid);
		if (line_between(m, end, from)) {
			s->to = end + m->offset;
			put_before(m, s);
			s = make(m, SH_COMMAND, from, ts_node_end_byte(n));
		}
		end = ts_node_end_byte(kid);
		command_part(m, s, kid);
	}
	if (!ts_node_child_count(n))
		add_word(m, &s->words, &s->n_words, n);
	return s;
}

static struct sh *assignment(struct making *m, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	struct sh *s = make_of(m, SH_COMMAND, n);

	if (bash_kind(n) == BASH_VARIABLE_ASSIGNMENT) {
		command_part(m, s, n);
		return s;
	}
	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;)
		command_part(m, s, kid);
	return s;
}

static struct sh *test(struct making *m, TSNode n)
{
	struct sh *s = make_of(m, SH_TEST, n);

	find_substs(m, s, n);
	return s;
}

/* ---- lists and pipes: flat first, then bound anew ---- */

struct item {
	enum bashnode op; /* BASH_AND_AND, OR_OR, BAR, BANG; BASH_OTHER: an atom */
	struct sh *atom;
};
struct items {
	struct item *v;
	size_t n, cap, at;
};

static void add_item(struct making *m, struct items *l, enum bashnode op, struct sh *atom)
{
	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)))
		m->bad = true;
	else
		l->v[l->n++] = (struct item){ op, atom };
}

static void redirect_last(struct making *m, struct items *l, TSNode n);

static void flatten(struct making *m, struct items *l, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	enum bashnode kind = bash_kind(n);

	switch (kind) {
	case BASH_AND_AND:
	case BASH_OR_OR:
	case BASH_BAR:
	case BASH_BANG: add_item(m, l, kind, NULL); return;
	case BASH_BAR_BOTH: add_item(m, l, BASH_BAR, NULL); return;
	case BASH_FILE_REDIRECT:
	case BASH_HEREDOC_REDIRECT:
	case BASH_HERESTRING_REDIRECT: redirect_last(m, l, n); return;
	case BASH_LIST:
	case BASH_PIPELINE:
	case BASH_REDIRECTED_STATEMENT:
	case BASH_NEGATED_COMMAND: break;
	default:
		if (ts_node_is_named(n) && kind != BASH_COMMENT)
			add_item(m, l, BASH_OTHER, statement(m, n));
		return;
	}
	if (m->depth >= SH_DEPTH) {
		add_item(m, l, BASH_OTHER, make_of(m, SH_ERROR, n));
		m->errors++;
		return;
	}
	m->depth++;
	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;)
		flatten(m, l, kid);
	m->depth--;
}

/* A redirection belongs to the command before it; behind a here document's word the rest of the line goes on. */
static void redirect_last(struct making *m, struct items *l, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	struct sh *s = NULL;

	if (l->n && l->v[l->n - 1].op == BASH_OTHER) {
		s = l->v[l->n - 1].atom;
	} else { /* `> file` alone */
		s = make_of(m, SH_COMMAND, n);
		add_item(m, l, BASH_OTHER, s);
	}
	if (bash_kind(n) != BASH_HEREDOC_REDIRECT) {
		add_redirect(m, s, n);
		return;
	}
	struct span raw = bytes(m, n);
	if (raw.n && *raw.p == '<')
		feed(m, s, n, &raw);
	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;) {
		enum bashnode kind = bash_kind(kid);
		if (kind == BASH_HEREDOC_BODY)
			find_substs(m, s, kid);
		else if (kind == BASH_PIPELINE || kind == BASH_LIST || kind == BASH_FILE_REDIRECT ||
			 kind == BASH_AND_AND || kind == BASH_OR_OR || kind == BASH_COMMAND ||
			 kind == BASH_REDIRECTED_STATEMENT)
			flatten(m, l, kid);
		else if (kind == BASH_OTHER && ts_node_is_named(kid) && s->kind == SH_COMMAND)
			add_word(m, &s->words, &s->n_words, kid);
	}
}

static struct sh *around(struct making *m, enum sh_kind kind, struct sh *a, struct sh *b)
{
	struct sh *s = make(m, kind, 0, 0);

	s->from = a->from;
	s->to = a->to;
	add_kid(m, s, a);
	add_kid(m, s, b);
	return s;
}

static bool at_op(const struct items *l, enum bashnode op)
{
	return l->at < l->n && l->v[l->at].op == op;
}

static struct sh *bind_pipe(struct making *m, struct items *l)
{
	struct sh *first = NULL, *pipe = NULL;
	bool not = false;

	while (at_op(l, BASH_BANG)) {
		not = !not ;
		l->at++;
	}
	for (;;) {
		struct sh *atom = at_op(l, BASH_OTHER) ? l->v[l->at++].atom : NULL;
		if (!atom)
			break;
		if (pipe)
			add_kid(m, pipe, atom);
		else if (first)
			pipe = around(m, SH_PIPE, first, atom);
		else
			first = atom;
		if (!at_op(l, BASH_BAR))
			break;
		l->at++;
	}
	if (!first)
		first = make(m, SH_ERROR, 0, 0);
	return not ? around(m, SH_NOT, pipe ? pipe : first, NULL) : pipe ? pipe : first;
}

static struct sh *list(struct making *m, TSNode n)
{
	struct items l = { 0 };

	flatten(m, &l, n);
	struct sh *s = m->bad ? make_of(m, SH_ERROR, n) : bind_pipe(m, &l);
	while (!m->bad && l.at < l.n) {
		enum bashnode op = l.v[l.at].op;
		if (op != BASH_AND_AND && op != BASH_OR_OR) { /* two atoms side by side: no shell */
			s = make_of(m, SH_ERROR, n);
			m->errors++;
			break;
		}
		l.at++;
		struct sh *right = bind_pipe(m, &l);
		s = around(m, op == BASH_AND_AND ? SH_AND : SH_OR, s, right);
	}
	mem_free(l.v);
	return s;
}

/* ---- what holds statements ---- */

static void add_statement(struct making *m, struct sh *seq, TSNode n)
{
	struct sh *before = m->before, *s;

	m->before = NULL;
	s = statement(m, n);
	for (struct sh *next; m->before; m->before = next) {
		next = m->before->next;
		add_kid(m, seq, m->before);
	}
	m->before = before;
	add_kid(m, seq, s);
}

static void add_to_sequence(struct making *m, struct sh *seq, TSNode kid)
{
	enum bashnode kind = bash_kind(kid);

	if (kind == BASH_AMPERSAND) {
		if (seq->last)
			seq->last->background = true;
	} else if (kind != BASH_COMMENT && kind != BASH_HEREDOC_BODY &&
		   (ts_node_is_named(kid) || kind == BASH_ERROR)) {
		add_statement(m, seq, kid);
	}
}

static struct sh *sequence(struct making *m, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	struct sh *seq = make_of(m, SH_SEQ, n);

	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;)
		add_to_sequence(m, seq, kid);
	return seq;
}

static struct sh *holding(struct making *m, enum sh_kind kind, TSNode n)
{
	struct sh *s = make_of(m, kind, n);

	add_kid(m, s, sequence(m, n));
	return s;
}

/* if and its elif clauses: each a condition and a then; the next stands in the else of the one before. */
static struct sh *choice(struct making *m, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	struct sh *s = make_of(m, SH_IF, n), *inner = s, *seq = make_of(m, SH_SEQ, n);

	seq->to = seq->from;
	add_kid(m, s, seq);
	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;) {
		enum bashnode kind = bash_kind(kid);
		if (kind == BASH_THEN) {
			seq = make(m, SH_SEQ, ts_node_end_byte(kid), ts_node_end_byte(kid));
			add_kid(m, inner, seq);
		} else if (kind == BASH_ELIF_CLAUSE) {
			struct sh *deeper = choice(m, kid), *other = make_of(m, SH_SEQ, kid);
			add_kid(m, other, deeper);
			add_kid(m, inner, other);
			inner = deeper;
		} else if (kind == BASH_ELSE_CLAUSE) {
			add_kid(m, inner, sequence(m, kid));
		} else {
			add_to_sequence(m, seq, kid);
			seq->to = ts_node_end_byte(kid) + m->offset;
		}
	}
	return s;
}

static struct sh *loop(struct making *m, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	bool conditional = bash_kind(n) == BASH_WHILE_STATEMENT;
	struct sh *s = make_of(m, conditional ? SH_WHILE : SH_FOR, n), *seq = make_of(m, SH_SEQ, n);

	seq->to = seq->from;
	if (conditional)
		add_kid(m, s, seq);
	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;) {
		enum bashnode kind = bash_kind(kid);
		if (kind == BASH_UNTIL)
			s->kind = SH_UNTIL;
		else if (kind == BASH_DO_GROUP || (!conditional && kind == BASH_COMPOUND_STATEMENT))
			add_kid(m, s, sequence(m, kid));
		else if (conditional)
			add_to_sequence(m, seq, kid);
		else
			find_substs(m, s, kid);
	}
	return s;
}

static struct sh *selection(struct making *m, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	struct sh *s = make_of(m, SH_CASE, n);

	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;) {
		CLEANUP(syntax_children_end) struct syntax_children in = { 0 };
		bool open = false;
		if (bash_kind(kid) != BASH_CASE_ITEM) {
			find_substs(m, s, kid);
			continue;
		}
		struct sh *seq = make_of(m, SH_SEQ, kid);
		syntax_children_of(kid, &in);
		for (TSNode part; (part = syntax_children_next(&in)).id;) {
			if (open)
				add_to_sequence(m, seq, part);
			open |= bash_kind(part) == BASH_PAREN_CLOSE;
		}
		add_kid(m, s, seq);
	}
	return s;
}

static struct sh *function(struct making *m, TSNode n)
{
	CLEANUP(syntax_children_end) struct syntax_children c = { 0 };
	struct sh *s = make_of(m, SH_FUNCTION, n);

	syntax_children_of(n, &c);
	for (TSNode kid; (kid = syntax_children_next(&c)).id;) {
		if (!ts_node_is_named(kid) || bash_kind(kid) == BASH_COMMENT)
			continue;
		if (!s->name.p)
			s->name = bytes(m, kid);
		else if (!s->kids)
			add_kid(m, s, statement(m, kid));
	}
	return s;
}

static bool is_arithmetic(TSNode n)
{
	return ts_node_child_count(n) && bash_kind(ts_node_child(n, 0)) == BASH_DOUBLE_PAREN;
}

static struct sh *statement_of(struct making *m, TSNode n)
{
	switch (bash_kind(n)) {
	case BASH_COMMAND:
	case BASH_DECLARATION_COMMAND:
	case BASH_UNSET_COMMAND: return command(m, n);
	case BASH_VARIABLE_ASSIGNMENT:
	case BASH_VARIABLE_ASSIGNMENTS: return assignment(m, n);
	case BASH_TEST_COMMAND: return test(m, n);
	case BASH_LIST:
	case BASH_PIPELINE:
	case BASH_REDIRECTED_STATEMENT:
	case BASH_NEGATED_COMMAND:
	case BASH_FILE_REDIRECT: return list(m, n);
	case BASH_SUBSHELL: return holding(m, SH_SUBSHELL, n);
	case BASH_COMPOUND_STATEMENT: return is_arithmetic(n) ? test(m, n) : holding(m, SH_GROUP, n);
	case BASH_IF_STATEMENT: return choice(m, n);
	case BASH_WHILE_STATEMENT:
	case BASH_FOR_STATEMENT:
	case BASH_C_STYLE_FOR_STATEMENT: return loop(m, n);
	case BASH_CASE_STATEMENT: return selection(m, n);
	case BASH_FUNCTION_DEFINITION: return function(m, n);
	default: m->errors++; return make_of(m, SH_ERROR, n);
	}
}

static struct sh *statement(struct making *m, TSNode n)
{
	if (m->depth >= SH_DEPTH || m->bad) {
		m->errors++;
		return make_of(m, SH_ERROR, n);
	}
	m->depth++;
	struct sh *s = statement_of(m, n);
	m->depth--;
	return s;
}

struct sh *script_parse(struct syntax *p, struct arena *mem, struct span text, uint32_t offset,
			size_t *errors, struct err *e)
{
	struct making m = { .mem = mem, .text = text, .offset = offset };
	TSTree *tree;

	if (bash_parse(p, text, &tree, e) < 0)
		return NULL;
	m.errors += bash_kind(ts_tree_root_node(tree)) == BASH_ERROR;
	struct sh *s = sequence(&m, ts_tree_root_node(tree));
	ts_tree_delete(tree);
	*errors += m.errors;
	if (!m.bad)
		return s;
	syntax_no_memory(e);
	return NULL;
}
