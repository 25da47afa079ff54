#include "check/ci/make.h"

#include "base/mem.h"

/* From bytes to variables and rules. Every byte is looked at a bounded number of times. */

struct reader {
	struct make *m;
	struct make_rule *rule;   /* whose recipe may follow */
	struct make_var *defined; /* inside define … endef */
	struct make_part *part;   /* its value */
	unsigned conditions, defines;
};
enum op { OP_NONE, OP_SET, OP_MAYBE, OP_ADD, OP_SHELL, OP_RULE };

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void *make_alloc(struct make *m, size_t n)
{
	void *p = arena_alloc(m->f->scratch, n);

	m->bad |= !p;
	return p;
}

static uint32_t place(const struct make *m, struct span s)
{
	return s.p ? (uint32_t)(s.p - m->f->text.p) : 0;
}

/* The bytes of the line that begins at `at`, with those that a backslash joins to it, without the last newline. */
static struct span logical(struct span text, size_t at)
{
	for (size_t end = at;;) {
		const char *nl = memchr(text.p + end, '\n', text.n - end);
		if (!nl)
			return span_from(text, at);
		end = (size_t)(nl - text.p);
		size_t slashes = 0;
		size_t before = end > at && text.p[end - 1] == '\r' ? end - 1 : end;
		while (before > at + slashes && text.p[before - 1 - slashes] == '\\')
			slashes++;
		if (slashes % 2 == 0 || end + 1 >= text.n)
			return (struct span){ text.p + at, end - at };
		end++;
	}
}

bool make_word(struct span *rest, struct span *word)
{
	size_t i = 0, from;
	int depth = 0;

	while (i < rest->n && (blank(rest->p[i]) || rest->p[i] == '\n' ||
			       (rest->p[i] == '\\' && i + 1 < rest->n &&
				(rest->p[i + 1] == '\n' || rest->p[i + 1] == '\r'))))
		i++;
	for (from = i; i < rest->n; i++) {
		char c = rest->p[i];
		if (c == '$' && i + 1 < rest->n && (rest->p[i + 1] == '(' || rest->p[i + 1] == '{'))
			depth++;
		else if (depth && (c == ')' || c == '}'))
			depth--;
		else if (!depth && (blank(c) || c == '\n' ||
				    (c == '\\' && i + 1 < rest->n &&
				     (rest->p[i + 1] == '\n' || rest->p[i + 1] == '\r'))))
			break;
	}
	*word = (struct span){ rest->p + from, i - from };
	*rest = span_from(*rest, i);
	return word->n > 0;
}

static struct span first_word(struct span line)
{
	struct span word = { 0 };

	make_word(&line, &word);
	return word;
}

/* The line without its comment. */
static struct span uncommented(struct span line)
{
	for (size_t at = 0;;) {
		size_t i = span_chr(span_from(line, at), '#');
		if (i == SPAN_NONE)
			return line;
		i += at;
		if (i == 0 || line.p[i - 1] != '\\')
			return span_head(line, i);
		at = i + 1;
	}
}

/* The first `=`, `:=`, `?=`, `+=`, `!=` or the colon of a rule outside of references: where it begins, and how long it is. */
static enum op find_op(struct span line, size_t *at, size_t *n)
{
	int depth = 0;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i], before = i ? line.p[i - 1] : 0;
		if (c == '$' && i + 1 < line.n) {
			i++;
			depth += line.p[i] == '(' || line.p[i] == '{';
		} else if (depth) {
			depth += c == '(' || c == '{';
			depth -= c == ')' || c == '}';
		} else if (c == ':') {
			size_t colons = i;
			while (colons < line.n && line.p[colons] == ':')
				colons++;
			bool set = colons < line.n && line.p[colons] == '=';
			*at = i;
			*n = colons - i + set;
			return set ? OP_SET : OP_RULE;
		} else if (c == '=') {
			bool two = before == '?' || before == '+' || before == '!';
			*at = i - two;
			*n = 1 + two;
			return before == '?'   ? OP_MAYBE
			       : before == '+' ? OP_ADD
			       : before == '!' ? OP_SHELL
					       : OP_SET;
		}
	}
	return OP_NONE;
}

static struct make_var *var_of(struct make *m, struct span name)
{
	struct make_var *v = map_get(&m->vars, name);

	if (v || !name.n || !(v = make_alloc(m, sizeof(*v))))
		return v;
	v->name = name;
	v->tail = &v->parts;
	v->at = place(m, name);
	m->bad |= !map_put(&m->vars, name, v);
	return v;
}

static struct make_part *give(struct reader *r, struct make_var *v, enum op op, struct span value)
{
	struct make_part *part = v ? make_alloc(r->m, sizeof(*part)) : NULL;

	if (!part)
		return NULL;
	*part = (struct make_part){ value, place(r->m, value), r->conditions > 0, NULL };
	*v->tail = part;
	v->tail = &part->next;
	if (op != OP_ADD) {
		v->sets++;
		v->conditional |= r->conditions > 0;
	}
	v->from_shell |= op == OP_SHELL;
	return part;
}

/* `export`, `override` and the like before a name. */
static struct span without_modifiers(struct span line)
{
	static const char *const words[] = { "export", "override", "private", "unexport" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct span rest = line;
		if (span_skip(&rest, span_of(words[i])) && rest.n && blank(*rest.p)) {
			line = span_trim(rest);
			i = (size_t)-1;
		}
	}
	return line;
}

static bool has_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (blank(s.p[i]) || s.p[i] == '\n' || s.p[i] == ';')
			return true;
	return false;
}

static void read_assignment(struct reader *r, struct span line, enum op op, size_t at, size_t n)
{
	struct make *m = r->m;
	struct span name = span_trim(span_head(line, at)), value = span_trim(span_from(line, at + n));

	if (has_blank(name) || span_chr(name, '$') != SPAN_NONE)
		return;
	if (!value.n)
		value = (struct span){ line.p + line.n, 0 };
	give(r, var_of(m, name), op, value);
	if (span_eq(name, S(".RECIPEPREFIX")))
		m->prefix = value.n ? *value.p : '\t';
}

/* What stands behind the colon when it is no list of prerequisites: the target's own value of a variable. */
static bool read_specific(struct reader *r, struct span targets, struct span rest)
{
	struct make *m = r->m;
	struct span line = without_modifiers(span_trim(rest));
	size_t at, n;
	enum op op = find_op(line, &at, &n);

	if (op == OP_NONE || op == OP_RULE)
		return false;
	struct span name = span_trim(span_head(line, at)), value = span_trim(span_from(line, at + n));
	if (!name.n || has_blank(name))
		return false;
	bool asked = span_eq(name, S("SHELL")) || span_eq(name, S(".SHELLFLAGS"));
	struct make_specific *s = asked && m->n_specific < 64 ? make_alloc(m, sizeof(*s)) : NULL;
	if (s) {
		m->n_specific++;
		*s = (struct make_specific){ targets, name, value, place(m, targets), place(m, value), NULL };
		*m->specific_tail = s;
		m->specific_tail = &s->next;
	}
	return true;
}

static void add_line(struct reader *r, struct span raw)
{
	struct make *m = r->m;
	struct make_rule *rule = r->rule;

	if (rule->n == rule->cap) {
		size_t cap = rule->cap ? rule->cap * 2 : 4;
		struct make_line *more = make_alloc(m, cap * sizeof(*more));
		if (!more)
			return;
		if (rule->n)
			memcpy(more, rule->lines, rule->n * sizeof(*more));
		rule->lines = more;
		rule->cap = cap;
	}
	rule->lines[rule->n++] = (struct make_line){ raw, place(m, raw) };
}

static size_t outside(struct span s, char c)
{
	int depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '$' && i + 1 < s.n) {
			i++;
			depth += s.p[i] == '(' || s.p[i] == '{';
		} else if (depth) {
			depth += s.p[i] == '(' || s.p[i] == '{';
			depth -= s.p[i] == ')' || s.p[i] == '}';
		} else if (s.p[i] == c) {
			return i;
		}
	}
	return SPAN_NONE;
}

static void read_rule(struct reader *r, struct span line, size_t at, size_t n)
{
	struct make *m = r->m;
	struct span targets = span_trim(span_head(line, at)), needs = span_from(line, at + n);

	r->rule = NULL;
	if (targets.n && targets.p[targets.n - 1] == '&')
		targets.n--;
	if (!targets.n || read_specific(r, targets, needs))
		return;
	struct make_rule *rule = make_alloc(m, sizeof(*rule));
	if (!rule)
		return;
	size_t semicolon = outside(needs, ';');
	struct span recipe = semicolon == SPAN_NONE ? (struct span){ 0 } : span_from(needs, semicolon + 1);
	needs = span_head(needs, semicolon == SPAN_NONE ? needs.n : semicolon);
	size_t colon = outside(needs, ':'); /* targets: pattern: prerequisites */
	if (colon != SPAN_NONE)
		needs = span_from(needs, colon + 1);
	*rule = (struct make_rule){
		.targets = targets, .needs = needs, .at = place(m, targets), .needs_at = place(m, needs)
	};
	*m->rules_tail = rule;
	m->rules_tail = &rule->next;
	r->rule = rule;
	if (span_trim(recipe).n)
		add_line(r, recipe);
}

static void read_include(struct reader *r, struct span names)
{
	struct make_include *x = make_alloc(r->m, sizeof(*x));

	if (!x)
		return;
	*x = (struct make_include){ names, place(r->m, names), NULL };
	*r->m->includes_tail = x;
	r->m->includes_tail = &x->next;
}

static void begin_define(struct reader *r, struct span line)
{
	struct span rest = line, word;
	size_t at, n;

	make_word(&rest, &word);
	rest = span_trim(rest);
	if (find_op(rest, &at, &n) != OP_NONE)
		rest = span_trim(span_head(rest, at));
	r->defines = 1;
	r->defined = rest.n && span_chr(rest, '$') == SPAN_NONE ? var_of(r->m, rest) : NULL;
	r->part = r->defined ? give(r, r->defined, OP_SET, (struct span){ line.p + line.n, 0 }) : NULL;
}

/* A line between define and endef. The value is made of the bytes between the two. */
static void define_line(struct reader *r, struct span line)
{
	struct span word = first_word(line);
	struct make_part *part = r->part;

	if (span_eq(word, S("define")))
		r->defines++;
	if (span_eq(word, S("endef")) && --r->defines == 0) {
		r->part = NULL;
		return;
	}
	if (!part)
		return;
	if (part->raw.n)
		r->defined->lines = true;
	else
		part->raw.p = line.p;
	part->raw.n = (size_t)(line.p + line.n - part->raw.p);
	part->at = place(r->m, part->raw);
}

/* Conditionals and other lines that begin with a word of make's. */
static bool read_keyword(struct reader *r, struct span line)
{
	struct span rest = line, word;

	if (!make_word(&rest, &word))
		return true;
	if (span_eq(word, S("ifeq")) || span_eq(word, S("ifneq")) || span_eq(word, S("ifdef")) ||
	    span_eq(word, S("ifndef"))) {
		r->conditions++;
	} else if (span_eq(word, S("endif"))) {
		r->conditions -= r->conditions > 0;
	} else if (span_eq(word, S("include")) || span_eq(word, S("-include")) ||
		   span_eq(word, S("sinclude"))) {
		r->rule = NULL;
		read_include(r, rest);
	} else if (span_eq(word, S("define"))) {
		r->rule = NULL;
		begin_define(r, line);
	} else if (!span_eq(word, S("else"))) {
		return false;
	}
	return true;
}

static void read_line(struct reader *r, struct span line)
{
	struct span plain = span_trim(uncommented(line));
	size_t at, n;

	if (!plain.n)
		return;
	struct span bare = without_modifiers(plain);
	enum op op = find_op(bare, &at, &n);
	bool assigned = op != OP_NONE && op != OP_RULE && !has_blank(span_trim(span_head(bare, at)));
	if (!assigned && read_keyword(r, bare))
		return;
	if (op == OP_RULE) {
		read_rule(r, bare, at, n);
		return;
	}
	r->rule = NULL;
	if (assigned)
		read_assignment(r, bare, op, at, n);
}

void make_read(struct lint_file *f, struct make *ret)
{
	struct reader r = { .m = ret };

	*ret = (struct make){ .f = f, .prefix = '\t', .budget = (size_t)8 << 20 };
	ret->rules_tail = &ret->rules;
	ret->specific_tail = &ret->specific;
	ret->includes_tail = &ret->includes;
	for (size_t at = 0; at < f->text.n && !ret->bad;) {
		struct span line = logical(f->text, at);
		at += line.n + 1;
		if (r.defines)
			define_line(&r, line);
		else if (r.rule && line.n && *line.p == ret->prefix)
			add_line(&r, span_from(line, 1));
		else
			read_line(&r, line);
	}
	f->bad |= ret->bad;
}

void make_free(struct make *m)
{
	map_free(&m->vars);
}
