#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "check/directive.h"
#include "check/go/golint_signs.h"
#include "check/go/late.h"

/*
 * Goes through the words and signs of a file, once, and notes of each declaration what rules may ask for (golint_signs.c). It knows
 * statements, blocks and the names of packages, as far as brackets, newlines and dots tell.
 */

#define LINE_BYTES \
	1024 /* of a line that are looked at: a hostile file may be one line, and is gone through from each of its words */

static struct worth_level *here(struct worth *w)
{
	return &w->levels[w->depth];
}

/* What follows a token of the file. */
static struct span behind(const struct worth *w, struct span token)
{
	return span_from(w->f->text, (size_t)(token.p - w->f->text.p) + token.n);
}

static struct span skip_blanks(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\n' || s.p[0] == '\r'))
		s = span_from(s, 1);
	return s;
}

/* Blanks and comments. */
static struct span skip_gap(struct span s)
{
	for (;;) {
		s = skip_blanks(s);
		if (span_starts(s, S("//"))) {
			span_cut(&s, '\n');
		} else if (span_starts(s, S("/*"))) {
			size_t n = span_find(span_from(s, 2), S("*/"));
			s = span_from(s, n == SPAN_NONE ? s.n : n + 4);
		} else {
			return s;
		}
	}
}

static struct span take_name(struct span *s)
{
	size_t n = 0;

	while (n < s->n && golint_in_name(s->p[n]))
		n++;
	struct span name = span_head(*s, n);
	*s = span_from(*s, n);
	return name;
}

/* "a.b.C" */
static struct span take_dotted(struct span *s)
{
	size_t n = 0;

	while (n < s->n && (golint_in_name(s->p[n]) || s->p[n] == '.'))
		n++;
	struct span name = span_head(*s, n);
	*s = span_from(*s, n);
	return name;
}

static unsigned package_of(const struct worth *w, struct span name)
{
	unsigned ret = 0;

	for (size_t i = 0; i < w->n_names; i++)
		if (span_eq(w->names[i].name, name))
			ret |= w->names[i].package;
	return ret;
}

/* ---- closer looks at words ---- */

void worth_panic(struct worth *w, struct span word)
{
	struct span rest = skip_gap(behind(w, word)), name;

	w->saw[SAW_PANIC] = true;
	if (!span_skip(&rest, S("(")))
		return;
	rest = skip_gap(rest);
	name = take_name(&rest);
	rest = skip_gap(rest);
	if (!rest.n || (*rest.p != ')' && *rest.p != ','))
		return;
	w->saw[SAW_PANIC_NIL] |= span_eq(name, S("nil"));
	w->saw[SAW_PANIC_ERROR] |= golint_is_error_name(name);
}

/* Behind `func` of a go statement: does its literal begin with x.Add(…)? */
static bool adds_first(struct span rest)
{
	size_t parens = 0, at = 0;

	for (; at < rest.n && at < 2000 && (rest.p[at] != '{' || parens); at++)
		parens += (size_t)(rest.p[at] == '(') - (size_t)(rest.p[at] == ')' && parens);
	struct span head = span_trim(span_head(rest, at));
	if (span_ends(head, S("struct")) || span_ends(head, S("interface")))
		return true; /* a result of its own type: not the body yet */
	rest = skip_gap(span_from(rest, at + 1));
	return span_ends(take_dotted(&rest), S(".Add"));
}

void worth_go(struct worth *w, struct span word)
{
	struct span rest = skip_gap(behind(w, word));
	bool literal = span_skip(&rest, S("func")) && (!rest.n || !golint_in_name(*rest.p));

	here(w)->goes = true;
	w->saw[SAW_GO] = true;
	w->saw[SAW_GO_FIRST] |= !w->goes;
	w->goes = true;
	w->saw[SAW_GO_FUNC] |= literal;
	w->saw[SAW_GO_ADDS] |= literal && adds_first(rest);
}

void worth_defer(struct worth *w, struct span word)
{
	struct span rest = skip_gap(behind(w, word));

	here(w)->defers = true;
	w->saw[SAW_DEFER] = true;
	w->saw[SAW_DEFER_FUNC] |= span_starts(rest, S("func"));
	w->saw[SAW_DEFER_LOOP] |= here(w)->in_loop;
	w->saw[SAW_DEFER_HANDLER] |= w->f->config->guards.n > 0;
	w->fresh = w->deferred = true;
}

void worth_func(struct worth *w, struct span word)
{
	(void)word;
	here(w)->literal = true;
}

void worth_for(struct worth *w, struct span word)
{
	(void)word;
	here(w)->loops = true;
	w->saw[SAW_FOR] = true;
}

void worth_select(struct worth *w, struct span word)
{
	(void)word;
	w->saw[SAW_FOR_SELECT] |= here(w)->endless;
}

/* for x.Scan() { */
void worth_loop_call(struct worth *w, struct span word)
{
	if (w->chain == 2 && w->before == 'w' && span_eq(w->before_word, S("for")))
		w->saw[*word.p == 'S' ? SAW_FOR_SCAN : SAW_FOR_NEXT] = true;
}

/* An exit: with 0, with a name that may be a constant, or with what is no small number. */
void worth_exit(struct worth *w, struct span word)
{
	struct span rest = skip_gap(behind(w, word));
	int64_t status = 0;

	w->saw[SAW_EXIT] = true;
	if (!span_skip(&rest, S("(")))
		return;
	rest = skip_gap(rest);
	struct span argument = take_dotted(&rest);
	bool number = argument.n && argument.p[0] >= '0' && argument.p[0] <= '9';
	if (span_eq(argument, S("0")))
		w->saw[SAW_EXIT_0] = true;
	else if (number ? argument.p[0] == '0' || !span_int(argument, &status) || status > 255 : !argument.n)
		w->saw[SAW_EXIT_ODD] = true;
	else if (!number && span_chr(argument, '.') == SPAN_NONE)
		w->saw[SAW_EXIT_NAMED] = true;
}

/* os.Stderr.Close(), syscall.Close(2) */
void worth_close(struct worth *w, struct span word)
{
	struct span rest = span_head(behind(w, word), 200), argument = span_cut(&rest, ')');

	w->saw[SAW_CLOSES_STDERR] |=
		span_eq(w->word, S("Stderr")) ||
		(w->package & PACKAGE_SYSCALL &&
		 (span_chr(argument, '2') != SPAN_NONE || span_find(argument, S("Stderr")) != SPAN_NONE));
}

/* `_` of `x, _ = f()` */
void worth_blank(struct worth *w, struct span word)
{
	(void)word;
	w->saw[SAW_BLANK] |= w->last == ',';
}

void worth_request(struct worth *w, struct span word)
{
	(void)word;
	w->saw[SAW_REQUEST] |= *word.p != 'G';
	w->saw[SAW_PAIR_REQUEST] |= w->assigned || !w->chain;
}

void worth_stop(struct worth *w, struct span word)
{
	(void)word;
	w->saw[SAW_GO_STOPS] |= here(w)->in_go;
}

void worth_skip(struct worth *w, struct span word)
{
	(void)word;
	w->saw[SAW_SKIPS_FIRST] |= w->depth == 1 && w->statements == 1 && span_starts(w->name, S("Test"));
}

/* ---- if err != nil ---- */

static size_t blanks_of_line(struct span s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t' || s.p[n] == '\r'))
		n++;
	return n;
}

/* In a test: a return with nothing, or a call that logs. */
static bool logs_or_returns(const struct worth *w, struct span rest)
{
	static const char *const logs[] = { "Log",    "Logf",    "Print",    "Printf", "Println",
					    "Fprint", "Fprintf", "Fprintln", "Debug",  "Info",
					    "Warn",   "print",   "println" };
	struct span call = take_dotted(&rest), name = golint_last_name(call);
	size_t dot = span_chr(call, '.');

	if (span_eq(call, S("return"))) {
		rest = span_from(rest, blanks_of_line(rest));
		return !rest.n || span_chr(S("\n};"), *rest.p) != SPAN_NONE;
	}
	if (span_ends(call, S(".")) || span_starts(skip_gap(rest), S(".")))
		return true; /* it goes on behind a blank */
	return golint_named(name, logs, ARRAY_LEN(logs)) ||
	       (span_eq(name, S("Error")) && dot != SPAN_NONE &&
		package_of(w, span_head(call, dot)) & PACKAGE_SLOG);
}

/* `return nil`, `return x, nil`: it ends its line, or block; what goes on in the next line may. */
static bool may_return_nil(struct span rest)
{
	if (!span_eq(take_name(&rest), S("return")))
		return false;
	rest = span_head(rest, LINE_BYTES);
	struct span line = span_trim(span_cut(&rest, '\n'));
	if (line.n + 2 > LINE_BYTES || span_chr(line, '`') != SPAN_NONE)
		return true;
	while (line.n && (line.p[line.n - 1] == '}' || line.p[line.n - 1] == ';'))
		line = span_trim(span_head(line, line.n - 1));
	return span_ends(line, S("nil")) ||
	       (line.n && span_chr(S("({[,.+-*/%&|^<>=!"), line.p[line.n - 1]) != SPAN_NONE);
}

static void see_branch(struct worth *w, struct span rest)
{
	rest = skip_blanks(rest);
	w->saw[SAW_IF_ERR] = true;
	/* A comment there says why: no rule but E04 speaks. */
	if (span_starts(rest, S("//")) || span_starts(rest, S("/*")))
		return;
	struct span at = rest;
	w->saw[SAW_IF_ERR_EMPTY] |= span_starts(rest, S("}")) || span_eq(take_name(&at), S("_"));
	w->saw[SAW_IF_ERR_NIL] |= may_return_nil(rest);
	w->saw[SAW_IF_ERR_LOGS] |= w->saw[SAW_TEST] && logs_or_returns(w, rest);
}

/* `nil`: of `if err != nil {`, the whole condition? */
static void see_nil(struct worth *w, struct span word)
{
	struct span rest = behind(w, word);
	bool begins = w->before == '(' || w->before == ';' ||
		      (w->before == 'w' && span_eq(w->before_word, S("if")));

	if (w->last != '=' || w->before_last != '!' || w->chain != 1 || !begins ||
	    !golint_is_error_name(w->word))
		return;
	do
		rest = skip_gap(rest);
	while (span_skip(&rest, S(")")));
	if (span_skip(&rest, S("{")))
		see_branch(w, rest);
}

/* ---- sync.WaitGroup ---- */

static size_t function_depth(const struct worth *w)
{
	size_t depth = w->depth;

	while (depth && !w->levels[depth].function)
		depth--;
	return depth;
}

/* A parameter by value; or a variable, which is wanted unless something else is done with it than Add, Done and Go. */
void worth_group(struct worth *w, struct span word)
{
	struct span name = w->before == 'w' ? w->before_word : w->left;
	bool parameter = w->before == 'w' && here(w)->parens && !here(w)->var_group;

	(void)word;
	if (w->before == '*' || w->before == ']' || w->before == ':')
		return;
	w->saw[SAW_GROUP] |= parameter || w->n_groups == WORTH_GROUPS;
	if (!w->saw[SAW_GROUP] && name.n && function_depth(w))
		w->groups[w->n_groups++] = (struct worth_group){ name, function_depth(w) };
}

static void see_group(struct worth *w, struct span word)
{
	static const char *const uses[] = { ".Add(", ".Done()", ".Go(" };
	struct span rest = behind(w, word);
	bool again = (w->last == 'w' && span_eq(w->word, S("var"))) || span_starts(skip_gap(rest), S(":="));

	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (span_starts(rest, span_of(uses[i])) && w->last != '.' && w->last != '&')
			return;
	for (size_t i = 0; i < w->n_groups; i++)
		if (span_eq(w->groups[i].name, word)) {
			w->saw[SAW_GROUP] |= again; /* another of that name: what is done is done with that */
			w->groups[i--] = w->groups[--w->n_groups];
		}
}

/* The function ends, and it was as it is wanted. */
static void end_groups(struct worth *w)
{
	for (size_t i = 0; i < w->n_groups && here(w)->function; i++)
		w->saw[SAW_GROUP] |= w->groups[i].depth >= w->depth;
}

/* ---- words ---- */

/* Testfoo is never run, and looks as if it were; in a file that is no test, TestFoo. */
static bool of_no_test(const struct worth *w, struct span word)
{
	static const struct span heads[] = { S("Test"), S("Fuzz"), S("Benchmark") };

	if (*word.p != 'T' && *word.p != 'F' && *word.p != 'B')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (span_starts(word, heads[i])) {
			char next = word.n > heads[i].n ? word.p[heads[i].n] : 0;
			return w->saw[SAW_TEST] ? next >= 'a' && next <= 'z' : !(next >= 'a' && next <= 'z');
		}
	return false;
}

/* A name that handlers of panics have: with ecover, anic or rash in it. */
static bool of_handler(struct span word)
{
	for (size_t i = 0; i + 3 < word.n; i++) {
		const char *p = word.p + i;
		if ((p[0] == 'a' && p[1] == 'n' && p[2] == 'i' && p[3] == 'c') ||
		    (p[0] == 'r' && p[1] == 'a' && p[2] == 's' && p[3] == 'h') ||
		    (p[0] == 'e' && p[1] == 'c' && p[2] == 'o' &&
		     span_starts(span_from(word, i), S("ecover"))))
			return true;
	}
	return false;
}

static bool is_joined(struct span name)
{
	for (size_t i = 1; i < name.n; i++)
		if ((name.p[i] >= 'A' && name.p[i] <= 'Z') || name.p[i] == '_')
			return true;
	return false;
}

#define HANDLERS_MAX 1000 /* of a file: nobody has as many */

/* Names that are used otherwise than in a call: somebody may defer what they stand for. */
static void see_handler(struct worth *w, struct span word)
{
	w->saw[SAW_DEFER_HANDLER] |= here(w)->defers;
	if (!is_joined(word) || *word.p < 'a' || *word.p > 'z' || w->n_handlers == HANDLERS_MAX ||
	    span_starts(behind(w, word), S("(")))
		return;
	if (mem_grow(&w->handlers, &w->cap_handlers, w->n_handlers, sizeof(*w->handlers)))
		w->handlers[w->n_handlers++] = word;
	else
		w->bad = true;
}

/* The name of a function, and of the receiver of a method. */
static bool of_header(struct worth *w, struct span word)
{
	static const char *const formatters[] = { "String", "Error", "GoString", "Format" };
	static const char *const senders[] = { "notify", "alert", "send", "webhook" };

	if (w->header == 1 && here(w)->parens) {
		if (!w->receiver.n)
			w->receiver = word;
		return true;
	}
	w->saw[SAW_FORMATTER] = w->header == 2 && golint_named(word, formatters, ARRAY_LEN(formatters));
	w->header = 0;
	w->name = word;
	w->saw[SAW_MAIN] = span_eq(word, S("main")) && !w->saw[SAW_PACKAGE];
	w->saw[SAW_TEST_MAIN] = span_eq(word, S("TestMain"));
	w->saw[SAW_FUZZ] = span_starts(word, S("Fuzz"));
	for (size_t i = 0; i < ARRAY_LEN(senders); i++)
		w->saw[SAW_SENDER] |= text_find_fold(word, span_of(senders[i])) != SPAN_NONE;
	return false;
}

/* Is the word a part of a.b.c, and which? */
static void see_chain(struct worth *w, struct span word)
{
	if (w->last == '.') {
		w->chain = w->before_last == 'w' ? w->chain + 1 : 0;
		return;
	}
	w->chain = 1;
	w->first = word;
	w->package = 0;
	w->begins = w->fresh;
	w->late = w->deferred;
	w->before = w->fresh && w->last != '(' && w->last != ';' ? '\n' : w->last;
	w->before_word = w->word;
	w->statements += w->begins && w->depth == 1;
}

static bool stands(const struct worth *w, const struct golint_sign *s)
{
	switch (s->stands) {
	case STANDS_ANYWHERE: return true;
	case STANDS_METHOD: return w->last == '.';
	case STANDS_OF: return w->last == '.' && w->chain == 2 && w->package & s->packages;
	case STANDS_STATEMENT: return w->last == '.' && w->chain > 1 && w->begins;
	default: return false;
	}
}

static void see_word(struct worth *w, struct span word)
{
	struct worth_level *l = here(w);

	if (w->header && of_header(w, word))
		return;
	if (word.p[0] == 'n' && span_eq(word, S("nil")))
		see_nil(w, word);
	see_chain(w, word);
	w->fresh = w->deferred = false;
	for (const struct golint_sign *const *s = golint_signs_at(word); *s; s++)
		if (span_eq(word, span_of((*s)->word)) && stands(w, *s)) {
			w->saw[(*s)->saw] = true;
			if ((*s)->look)
				(*s)->look(w, word);
		}
	if (l->defers)
		w->saw[SAW_DEFER_ERROR] |= golint_is_error_name(word) || span_eq(word, S("Since")) ||
					   span_eq(word, S("Now"));
	if (w->n_groups)
		see_group(w, word);
	if (word.n > 4 && of_handler(word))
		see_handler(w, word);
	w->saw[SAW_MUST] |= word.n > 4 && word.p[0] == 'M' && span_starts(word, S("Must"));
	w->saw[SAW_NO_TEST] |= word.n > 3 && of_no_test(w, word);
	w->last = 'w';
	w->word = word;
}

/* ---- signs ---- */

/* f() or receiver.f(), a statement of a deferred literal: it may be one that recovers. */
static bool calls_own(const struct worth *w)
{
	static const char *const others[] = { "if",     "for",   "switch", "return",  "func",
					      "append", "cap",   "clear",  "close",   "copy",
					      "delete", "len",   "make",   "max",     "min",
					      "new",    "panic", "print",  "println", "recover" };

	if (w->last != 'w' || !w->begins || w->late || !w->levels[w->depth].in_deferred)
		return false;
	return w->chain == 1 ? !golint_named(w->word, others, ARRAY_LEN(others))
			     : w->chain == 2 && w->receiver.n && span_eq(w->first, w->receiver);
}

static void open_paren(struct worth *w)
{
	struct worth_level *l = here(w);

	l->var_group |= w->last == 'w' && span_eq(w->word, S("var"));
	l->parens++;
	w->saw[SAW_DEFER_CALLS] |= calls_own(w);
}

static void close_paren(struct worth *w)
{
	struct worth_level *l = here(w);

	l->parens -= l->parens > 0;
	l->var_group &= l->parens > 0;
	if (!l->parens && w->header == 1)
		w->header = 2;
}

static void open_brace(struct worth *w)
{
	struct worth_level *l = here(w);

	if (w->depth + 1 == WORTH_LEVELS) {
		w->saw[SAW_DEEP] = true;
		return;
	}
	w->levels[++w->depth] = (struct worth_level){
		.function = l->literal,
		.endless = w->last == 'w' && span_eq(w->word, S("for")),
		.in_loop = !l->literal && (l->loops || l->in_loop),
		.in_deferred = l->literal ? l->defers : l->in_deferred,
		.in_go = l->goes || l->in_go,
	};
	l->literal = false;
	w->comma = w->assigned = false;
	w->fresh = true;
}

static void close_brace(struct worth *w)
{
	end_groups(w);
	w->depth -= w->depth > 0;
	w->fresh = true;
}

static void end_statement(struct worth *w)
{
	struct worth_level *l = here(w);

	if (l->parens)
		return;
	l->defers = l->goes = l->literal = false;
	l->loops &= w->last != '}';
	w->comma = w->assigned = false;
}

/* A keyword that no statement ends with. */
static bool goes_on(struct span word)
{
	static const char *const keywords[] = { "defer", "else",  "for",    "func",   "go",
						"if",    "range", "select", "switch", "var" };

	return golint_named(word, keywords, ARRAY_LEN(keywords));
}

static void see_newline(struct worth *w)
{
	if (w->last == 'w' && goes_on(w->word))
		return;
	if (w->last && span_chr(S("ws)]}"), w->last) != SPAN_NONE)
		end_statement(w);
	w->fresh = true;
}

/* The dot behind a name, perhaps of a package. */
static void see_package(struct worth *w)
{
	w->package = package_of(w, w->word);
	w->packages |= w->package;
	w->saw[SAW_GO_STOPS] |= w->package & PACKAGE_REQUIRE && here(w)->in_go;
}

static void see_sign(struct worth *w, char sign)
{
	w->fresh = w->deferred = false;
	switch (sign) {
	case '(':
	case '[': open_paren(w); break;
	case ')':
	case ']': close_paren(w); break;
	case '{': open_brace(w); break;
	case '}': close_brace(w); break;
	case '.':
		if (w->last == 'w' && w->chain == 1)
			see_package(w);
		break;
	case ',': w->comma = true; break;
	case '=':
		if (w->last == ':')
			w->left = w->word;
		w->assigned |= w->comma;
		break;
	case ';':
	case ':':
		here(w)->literal &= here(w)->parens > 0;
		w->fresh = true;
		break;
	default: break;
	}
	w->before_last = w->last;
	w->last = sign;
}

/* ---- tokens ---- */

/* A comment that was meant to be a directive of go, and is none. */
static bool is_misspelt(const struct worth *w, struct span comment)
{
	struct span rest =
		span_head(span_from(w->f->text, (size_t)(comment.p - w->f->text.p)), comment.n + LINE_BYTES);
	struct directive d;
	size_t i = 2;

	while (i < comment.n && (comment.p[i] == ' ' || comment.p[i] == '\t'))
		i++;
	if (i + 2 >= comment.n || (comment.p[i] | 32) != 'g' || (comment.p[i + 1] | 32) != 'o')
		return false;
	struct gomark m = { .text = span_trim(span_cut(&rest, '\n')) };
	return directive_read(&m, &d) && !d.exact;
}

static void see_string(struct worth *w, struct span literal)
{
	w->saw[SAW_TEXT] |= literal.n >= 20 && golint_secret(literal);
	w->saw[SAW_PLAIN_HTTP] |= literal.n >= 12 && span_starts(span_from(literal, 1), S("http://"));
	w->fresh = w->deferred = false;
	w->before_last = w->last;
	w->last = 's';
}

static void see(void *worth, enum gotoken kind, struct span token)
{
	struct worth *w = worth;

	switch (kind) {
	case GOTOKEN_WORD: see_word(w, token); break;
	case GOTOKEN_SIGN:
		if (*token.p == '\n')
			see_newline(w);
		else
			see_sign(w, *token.p);
		break;
	case GOTOKEN_STRING: see_string(w, token); break;
	case GOTOKEN_COMMENT: w->saw[SAW_TEXT] |= is_misspelt(w, token); break;
	}
}

/* ---- the head of the file ---- */

struct looking {
	struct worth w;
	struct goimport *imports;
	size_t n_imports, cap_imports;
	struct worth_name *names; /* w.names */
	size_t cap_names;
	struct span *parts;
	size_t n_parts, cap_parts;
	struct span package, import_name;
	bool worth, bad;
};

static void see_import(struct looking *l, struct span literal)
{
	struct span path = { literal.p + 1, literal.n < 2 ? 0 : literal.n - 2 }, name = l->import_name;
	unsigned package = golint_package(path);
	struct worth *w = &l->w;

	if (!path.n)
		return;
	if (!mem_grow(&l->imports, &l->cap_imports, l->n_imports, sizeof(*l->imports)) ||
	    !mem_grow(&l->names, &l->cap_names, w->n_names, sizeof(*l->names))) {
		l->bad = true;
		return;
	}
	struct goimport *i = &l->imports[l->n_imports++];
	*i = (struct goimport){ .name = name.n ? name : goimport_guess(path),
				.path = path,
				.given = name.n > 0 };
	if (package)
		l->names[w->n_names++] = (struct worth_name){ i->name, package };
	w->names = l->names;
	w->imports |= package;
}

/* The package clause and the imports. */
static void see_head(struct looking *l, enum gotoken kind, struct span token)
{
	bool head = l->w.kind == GOCHUNK_HEAD;

	if (kind == GOTOKEN_SIGN && (*token.p == '\n' || *token.p == ';' || *token.p == '('))
		l->import_name = (struct span){ 0 };
	else if (kind == GOTOKEN_WORD && head && !l->package.n && span_eq(l->import_name, S("package")))
		l->package = token;
	else if (kind == GOTOKEN_WORD || (kind == GOTOKEN_SIGN && *token.p == '.'))
		l->import_name = token;
	else if (kind == GOTOKEN_STRING && !head)
		see_import(l, token);
}

static void see_any(void *looking, enum gotoken kind, struct span token)
{
	struct looking *l = looking;

	if (l->w.kind == GOCHUNK_HEAD || l->w.kind == GOCHUNK_IMPORT)
		see_head(l, kind, token);
	see(&l->w, kind, token);
}

/* ---- the file ---- */

static bool has_folder(struct span dir, struct span name)
{
	while (dir.n)
		if (span_eq(span_cut(&dir, '/'), name))
			return true;
	return false;
}

bool golint_is_program(struct span path)
{
	return has_folder(path, S("cmd")) || has_folder(path, S("cli"));
}

static bool is_generated(struct span text)
{
	for (int i = 0; i < 40 && text.n;
	     i++) { /* https://go.dev/s/generatedcode: before the package clause; licences may stand above */
		struct span line = span_cut(&text, '\n');
		if (span_starts(line, S("// Code generated ")) &&
		    span_ends(span_trim(line), S(" DO NOT EDIT.")))
			return true;
		if (span_starts(line, S("package ")))
			return false;
	}
	return false;
}

/* What is known of the file when its head is read. */
static void know_file(struct looking *l)
{
	const struct lint_file *f = l->w.f;
	bool *saw = l->w.saw;

	saw[SAW_TEST] = span_ends(span_of(f->path), S("_test.go"));
	saw[SAW_CODE] = !saw[SAW_TEST];
	saw[SAW_PACKAGE] = !span_eq(l->package, S("main"));
	saw[SAW_WRITTEN] = !is_generated(f->text);
	saw[SAW_LIBRARY] = saw[SAW_CODE] && saw[SAW_PACKAGE] && saw[SAW_WRITTEN] &&
			   !golint_is_program(path_dir(span_of(f->path)));
	saw[SAW_OLD_21] = f->go > 0 && f->go < 22;
	saw[SAW_OLD_22] = f->go > 0 && f->go < 23;
}

static void begin(struct worth *w, enum gochunk_kind kind)
{
	w->kind = kind;
	memset(w->saw + SAW_FILE, 0, (SAWS - SAW_FILE) * sizeof(*w->saw));
	w->packages = 0;
	w->depth = 0;
	w->levels[0] = (struct worth_level){ .literal = kind == GOCHUNK_FUNC };
	w->name = w->receiver = w->left = w->word = (struct span){ 0 };
	w->header = kind == GOCHUNK_FUNC;
	w->last = w->before_last = 0;
	w->fresh = true;
	w->deferred = w->comma = w->assigned = false;
	w->statements = w->n_groups = 0;
}

/* No statement stands there; names and texts do. */
static void leave_names(struct worth *w)
{
	static const enum saw kept[] = { SAW_TEXT, SAW_NO_TEST };
	bool is[ARRAY_LEN(kept)];

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		is[i] = w->saw[kept[i]];
	memset(w->saw + SAW_FILE, 0, (SAWS - SAW_FILE) * sizeof(*w->saw));
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		w->saw[kept[i]] = is[i];
}

static void add_part(struct looking *l, struct span part)
{
	struct span *last = l->n_parts ? &l->parts[l->n_parts - 1] : NULL;

	if (last && last->p + last->n == part.p)
		last->n += part.n;
	else if (mem_grow(&l->parts, &l->cap_parts, l->n_parts, sizeof(*l->parts)))
		l->parts[l->n_parts++] = part;
	else
		l->bad = true;
}

/* Of the head the package clause with the end of its line is enough for a tree. */
static void add_head(struct looking *l, struct span head)
{
	size_t at = l->package.p ? (size_t)(l->package.p - head.p) : 0, end;

	if (!l->package.p || golint_wanted(&l->w)) {
		add_part(l, head);
		return;
	}
	end = span_chr(span_from(head, at), '\n');
	size_t from = span_rchr(span_head(head, at), 'p'); /* of `package` */
	add_part(l, span_head(span_from(head, from), end == SPAN_NONE ? head.n : at + end + 1 - from));
}

static void see_chunk(struct looking *l, const struct gochunk *chunk)
{
	struct worth *w = &l->w;
	bool field = chunk->kind == GOCHUNK_TYPE && w->saw[SAW_FIELD];

	if (chunk->kind == GOCHUNK_HEAD) {
		add_head(l, chunk->text);
		return;
	}
	if (chunk->kind != GOCHUNK_FUNC && chunk->kind != GOCHUNK_VAR)
		leave_names(w);
	bool worth = golint_wanted(w);
	if (worth || field)
		add_part(l, chunk->text);
	l->worth |= worth;
}

/* A registration may stand anywhere, and asks for no words of its own. */
static bool asks_for_all(const struct looking *l)
{
	const struct lint_file *f = l->w.f;

	return f->on[RULE_N07] && l->w.saw[SAW_CODE] && l->w.imports & (PACKAGE_HTTP | PACKAGE_ROUTERS) &&
	       span_find(span_head(f->text, 4096), S("build ")) != SPAN_NONE && go_registers_worth(f->text);
}

static bool keep(struct looking *l, struct arena *mem, struct golint_look *ret)
{
	struct span *parts = arena_alloc(mem, (l->n_parts + 1) * sizeof(*parts));
	struct goimport *imports = arena_alloc(mem, (l->n_imports + 1) * sizeof(*imports));
	struct span *handlers = arena_alloc(mem, (l->w.n_handlers + 1) * sizeof(*handlers));

	if (l->bad || l->w.bad || !parts || !imports || !handlers)
		return false;
	if (!l->worth && l->n_parts > 1)
		l->n_parts = 1; /* types alone */
	if (l->n_parts)
		memcpy(parts, l->parts, l->n_parts * sizeof(*parts));
	if (l->n_imports)
		memcpy(imports, l->imports, l->n_imports * sizeof(*imports));
	if (l->w.n_handlers)
		memcpy(handlers, l->w.handlers, l->w.n_handlers * sizeof(*handlers));
	if (asks_for_all(l)) {
		parts[0] = l->w.f->text;
		l->n_parts = 1;
	}
	*ret = (struct golint_look){ .parts = parts,
				     .n = l->n_parts,
				     .imports = { imports, l->n_imports },
				     .package = l->package,
				     .generated = !l->w.saw[SAW_WRITTEN],
				     .handlers = handlers,
				     .n_handlers = l->w.n_handlers };
	return true;
}

bool golint_look(const struct lint_file *f, struct golint_look *ret)
{
	struct looking l = { .w = { .f = f } };
	struct gochunks at = { .text = f->text, .sees = see_any, .ctx = &l };
	struct gochunk chunk;

	golint_signs_open();
	begin(&l.w, GOCHUNK_HEAD);
	while (gochunks_next(&at, &chunk)) {
		if (chunk.kind == GOCHUNK_HEAD)
			know_file(&l);
		see_chunk(&l, &chunk);
		begin(&l.w, at.kind);
	}
	bool fine = keep(&l, f->scratch, ret);
	mem_free(l.imports);
	mem_free(l.names);
	mem_free(l.parts);
	mem_free(l.w.handlers);
	return fine;
}
