#include "base/mem.h"
#include "base/path.h"
#include "check/ci/shell_own.h"

/* What becomes of a command's status: outward from the command to the end of the script, until something keeps or loses it. */

#define OUTCOME_DEPTH 40
#define SCANNED_MAX   ((size_t)256 << 20)

/* ---- saying it ---- */

struct span sh_text(const struct sh_walk *k, const struct sh *node)
{
	uint32_t from = node->from, to = node->to > k->text.n ? (uint32_t)k->text.n : node->to;

	return from < to ? (struct span){ k->text.p + from, to - from } : S("");
}

/* A reference as a file writes it: ${{ … }}, {{…}}, $(…), ${…}, $@. */
static bool is_reference(struct span text)
{
	int open = 0;

	if (*text.p != '$' && *text.p != '{')
		return false;
	for (size_t i = 0; i < text.n; i++)
		open += text.p[i] == '(' || text.p[i] == '{' ? 1 : -(text.p[i] == ')' || text.p[i] == '}');
	return open == 0;
}

/* What a run of `_` at text_at stands for in the file, one byte for each; absent: it is written so. *n: bytes of the run. */
static struct span masked(const struct sh_walk *k, struct span run, uint32_t text_at, size_t *n)
{
	uint32_t at = shell_in_file(k->how, text_at);

	for (*n = 1; *n < run.n && run.p[*n] == '_'; ++*n)
		if (shell_in_file(k->how, text_at + (uint32_t)*n) != at + *n)
			break;
	if (*n < 2 || at + *n > k->f->text.n)
		return (struct span){ 0 };
	struct span there = { k->f->text.p + at, *n };
	return is_reference(there) ? there : (struct span){ 0 };
}

#define SHOWN_BYTES 400 /* that are looked through for what is masked; far fewer are shown */

struct span sh_shown(struct sh_walk *k, struct span text, uint32_t text_at)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	size_t n, end = text.n < SHOWN_BYTES ? text.n : SHOWN_BYTES;
	bool any = false;

	for (size_t i = 0; i < end; i += n) {
		struct span there = { 0 };
		n = 1;
		if (text.p[i] == '_')
			there = masked(k, span_from(text, i), text_at + (uint32_t)i, &n);
		if (there.p && (memchr(there.p, '\n', n) || n > SHOWN_BYTES))
			there = S("…"); /* of several lines */
		buf_span(&b, there.p ? there : (struct span){ text.p + i, n });
		any |= there.p != NULL;
	}
	if (!any && !b.bad)
		return text;
	struct span copy = b.bad ? (struct span){ 0 } : arena_span(k->f->scratch, buf_view(&b));
	k->f->bad |= !copy.p;
	return copy.p ? copy : S("");
}

/* As it stands between its quotes. */
struct span sh_shown_word(struct sh_walk *k, const struct sh_word *w)
{
	size_t quote = w->raw.n == w->plain.n + 2;

	if (w->raw.n != w->plain.n + 2 * quote ||
	    !span_eq((struct span){ w->raw.p + quote, w->plain.n }, w->plain))
		return w->plain;
	return sh_shown(k, w->plain, w->from + (uint32_t)quote);
}

struct span sh_short(struct sh_walk *k, struct span text)
{
	struct span line = span_trim(span_cut(&text, '\n'));
	size_t n = 72;

	if (line.n && line.p[line.n - 1] == '\\')
		line = span_trim(span_head(line, line.n - 1));
	if (line.p >= k->text.p && line.p < k->text.p + k->text.n)
		line = sh_shown(k, line, (uint32_t)(line.p - k->text.p));
	if (line.n <= n)
		return line;
	while (n && ((unsigned char)line.p[n] & 0xc0) == 0x80) /* not within a character */
		n--;
	return lint_text(k->f, "%.*s…", (int)n, line.p);
}

static enum rule_id rule_of_place(const struct sh_walk *k, enum rule_id rule)
{
	for (size_t i = 0; i < k->how->n_as; i++)
		if (k->how->as[i].rule == rule)
			return k->how->as[i].instead;
	return rule;
}

struct lint_finding *sh_say_args(struct sh_walk *k, enum rule_id rule, enum severity severity, uint32_t from,
				 uint32_t to, const struct span *args, size_t n)
{
	struct lint_file *f = k->f;
	uint32_t at = shell_in_file(k->how, from), end = shell_in_file(k->how, to);
	enum rule_id instead = rule_of_place(k, rule);

	if (instead != rule && severity == rules[rule].severity)
		severity = rules[instead].severity;
	if (end < at)
		end = at;
	/* A function is walked more than once; the first time is enough. */
	for (size_t i = f->n; i-- > 0 && f->n - i < 100;)
		if (f->findings[i].rule == &rules[instead] && f->findings[i].from == at)
			return NULL;
	return lint_say_args(f, instead, severity, at, end, args, n);
}

/* The line of the file where it stands; *part: in which of several. */
static struct span line_in(struct sh_walk *k, uint32_t text_at, const struct lint_part **part)
{
	uint32_t at = shell_in_file(k->how, text_at);

	*part = k->f->parts;
	for (size_t i = 0; i < k->f->n_parts; i++)
		if (k->f->parts[i].from <= at)
			*part = &k->f->parts[i];
	return lint_text(k->f, "%d", lint_line(k->f, at) - (*part ? lint_line(k->f, (*part)->from) - 1 : 0));
}

struct span sh_line(struct sh_walk *k, uint32_t text_at)
{
	const struct lint_part *part;

	return line_in(k, text_at, &part);
}

/* ---- what single commands do to a status ---- */

bool sh_to_file(const struct sh *s)
{
	for (const struct sh_redirect *r = s->redirects; r; r = r->next)
		if (span_chr(r->raw, '>') != SPAN_NONE && span_find(r->raw, S("/dev/")) == SPAN_NONE &&
		    span_find(r->raw, S(">&")) == SPAN_NONE)
			return true;
	return false;
}

bool sh_only_prints(const struct sh *s)
{
	static const char *const names[] = { "echo", "printf",   ":",    "true",   "cat",  "sleep",
					     "date", "tail",     "head", "logger", "rm",   "kill",
					     "mail", "sendmail", "curl", "wget",   "set",  "unset",
					     "pwd",  "ls",       "wait", "pkill",  "print" };

	if (s->kind != SH_COMMAND || !s->n_words)
		return false;
	if (s->n_words > 1 && sh_has(s->words[1].plain, "##vso[task.complete"))
		return false;
	return sh_word_is(s, 0, names, ARRAY_LEN(names)) && !sh_to_file(s);
}

/* `export name`, `[ -v name ]`: read without a $. */
static bool is_named(struct span before)
{
	while (before.n && (before.p[before.n - 1] == ' ' || before.p[before.n - 1] == '\t'))
		before.n--;
	return span_ends(before, S("export")) || span_ends(before, S(" -v"));
}

/* From *at to `to`: is `to` within (( or [[ of its line, where names stand without a $? */
static bool computes(struct span text, size_t *at, size_t to, bool before)
{
	for (; *at < to; ++*at) {
		char c = text.p[*at];
		bool twice = *at && text.p[*at - 1] == c;
		if (c == '\n' || (twice && (c == ')' || c == ']')))
			before = false;
		else if (twice && (c == '(' || c == '['))
			before = true;
	}
	return before;
}

/* $name, ${name, ${#name, name in arithmetic, export name. */
bool sh_uses(struct span text, struct span name)
{
	size_t seen = 0;
	bool math = false;

	for (size_t at = 0, i; name.n && (i = span_find(span_from(text, at), name)) != SPAN_NONE;
	     at += i + name.n) {
		size_t from = at + i, end = from + name.n;
		char before = from ? text.p[from - 1] : 0, after = end < text.n ? text.p[end] : 0;
		if (sh_is_name_byte(after) || sh_is_name_byte(before))
			continue;
		math = computes(text, &seen, from, math);
		if (math || before == '$' || before == '{' || before == '(' || before == '!' ||
		    (before == '#' && from > 1 && text.p[from - 2] == '{') ||
		    (before == ' ' && from > 3 && memchr("(=<>", text.p[from - 2], 4)) ||
		    is_named(span_head(text, from)))
			return true;
	}
	return false;
}

/* The variable's name; of one element, that of the whole. */
struct span sh_assigned(const struct sh_word *assign, struct span *value)
{
	*value = assign->plain;
	struct span name = span_cut(value, '=');

	name = span_head(name, span_chr(name, '['));
	return name.n && name.p[name.n - 1] == '+' ? span_head(name, name.n - 1) : name;
}

/* Where very many names are looked for, all count as used: a loss is then not claimed. */
static bool may_scan(struct sh_walk *k, size_t bytes)
{
	k->scanned += bytes;
	if (k->scanned > SCANNED_MAX)
		lint_limit(k->f, TR("so many variables and files that not each one was looked for",
				    "变量和文件过多，未逐一查找"));
	return k->scanned <= SCANNED_MAX;
}

/* Anywhere in the script. */
static bool is_used(struct sh_walk *k, struct span name)
{
	return !may_scan(k, k->text.n) || sh_uses(k->text, name);
}

enum outcome {
	OUT_UNKNOWN,
	OUT_EXITS,   /* the process ends, with a status that says it */
	OUT_RETURNS, /* the function does */
	OUT_FAILS,   /* goes on with a status that says it */
	OUT_LOSES,   /* status 0 */
	OUT_SAVES,   /* in a variable that is read */
};

static enum outcome outcome(struct sh_walk *k, const struct sh *s, bool first, int depth);

/* exit, return: with what? Without a number it is the status of the command before. */
static enum outcome leaves(const struct sh *s, bool first)
{
	struct span arg = sh_word(s, 1);

	enum outcome out = span_eq(sh_word(s, 0), S("return")) ? OUT_RETURNS : OUT_EXITS;

	if (!arg.n || span_eq(arg, S("$?")))
		return first ? out : OUT_UNKNOWN;
	return span_eq(arg, S("0")) ? OUT_LOSES : out;
}

static enum outcome command_outcome(struct sh_walk *k, const struct sh *s, bool first, int depth)
{
	static const char *const leaving[] = { "exit", "return" }, *const failing[] = { "false",
											"/bin/false" };
	struct span value;

	if (!s->n_words) {
		for (size_t i = 0; i < s->n_assigns; i++)
			if (is_used(k, sh_assigned(&s->assigns[i], &value)))
				return OUT_SAVES;
		return OUT_LOSES;
	}
	if (sh_word_is(s, 0, leaving, ARRAY_LEN(leaving)))
		return leaves(s, first);
	if (sh_word_is(s, 0, failing, ARRAY_LEN(failing)))
		return OUT_FAILS;
	const struct sh *f = sh_function(k, sh_word(s, 0));
	if (f) {
		enum outcome o = f->kids && depth < OUTCOME_DEPTH ? outcome(k, f->kids, false, depth + 1)
								  : OUT_UNKNOWN;
		return o == OUT_RETURNS ? OUT_FAILS : o;
	}
	return sh_only_prints(s) ? OUT_LOSES : OUT_UNKNOWN;
}

static enum outcome sequence_outcome(struct sh_walk *k, const struct sh *seq, bool first, int depth)
{
	enum outcome last = OUT_LOSES, worst = OUT_LOSES;

	for (const struct sh *s = seq->kids; s; s = s->next, first = false) {
		last = outcome(k, s, first, depth + 1);
		if (last == OUT_EXITS || last == OUT_RETURNS || last == OUT_SAVES)
			return last;
		if (last == OUT_LOSES && s->kind == SH_COMMAND &&
		    (span_eq(sh_word(s, 0), S("exit")) || span_eq(sh_word(s, 0), S("return"))))
			return worst == OUT_UNKNOWN ? worst : OUT_LOSES;
		if (last == OUT_UNKNOWN)
			worst = OUT_UNKNOWN;
	}
	return last == OUT_FAILS ? last : worst;
}

static enum outcome outcome(struct sh_walk *k, const struct sh *s, bool first, int depth)
{
	enum outcome o;

	if (depth > OUTCOME_DEPTH)
		return OUT_UNKNOWN;
	switch (s->kind) {
	case SH_COMMAND: return command_outcome(k, s, first, depth);
	case SH_SEQ: return sequence_outcome(k, s, first, depth);
	case SH_GROUP: return s->kids ? outcome(k, s->kids, first, depth + 1) : OUT_UNKNOWN;
	case SH_SUBSHELL:
		o = s->kids ? outcome(k, s->kids, first, depth + 1) : OUT_UNKNOWN;
		return o == OUT_EXITS || o == OUT_RETURNS ? OUT_FAILS : o == OUT_SAVES ? OUT_LOSES : o;
	case SH_AND: /* `echo x && exit 1` */
		o = s->kids ? outcome(k, s->kids, first, depth + 1) : OUT_UNKNOWN;
		return o == OUT_LOSES && s->kids->next ? outcome(k, s->kids->next, false, depth + 1)
						       : OUT_UNKNOWN;
	default: return OUT_UNKNOWN;
	}
}

bool sh_is_lost(struct sh_walk *k, const struct sh *c, const struct sh_at *at)
{
	static const char *const nothing[] = { "true", ":" };

	for (const struct sh *node = c; at; node = at->node, at = at->up) {
		if (node->background)
			return !sh_stands(k, "wait", node->to);
		if (at->role == ROLE_LEFT && at->node->kind == SH_OR)
			return node->next && sh_word_is(node->next, 0, nothing, ARRAY_LEN(nothing));
		if (at->role != ROLE_PIPE_END && at->role != ROLE_PIPED && at->role != ROLE_RIGHT &&
		    !(at->role == ROLE_STATEMENT && !node->next) && at->role != ROLE_GROUP &&
		    at->role != ROLE_SUBSHELL)
			return false;
	}
	return false;
}

bool sh_in_role(const struct sh_at *at, enum sh_role role)
{
	for (; at; at = at->up)
		if (at->role == role)
			return true;
	return false;
}

/* ---- the way out ---- */

struct fate {
	struct sh_walk *k;
	const struct sh *command;
	const struct sh_does *does;
	const struct sh *node;  /* whose status it is now */
	const struct sh_at *at; /* where that stands */
	bool quiet;             /* the failure stands in a && or behind !: errexit passes over it */
	bool inverted;
	/* what was found */
	enum rule_id rule;
	const struct sh *by;    /* what loses it */
	const struct sh *place; /* where to say it, if not at the command */
	struct span name;       /* said first, if not the command */
};
enum step { STEP_OUT, STEP_HERE /* node and at are where to go on */, STEP_KEPT, STEP_LOST };

static enum step lose(struct fate *w, enum rule_id rule, const struct sh *by)
{
	w->rule = rule;
	w->by = by;
	return STEP_LOST;
}

/* errexit ends the process: out to what it runs in. */
static enum step end_process(struct fate *w)
{
	for (; w->at; w->node = w->at->node, w->at = w->at->up) {
		switch (w->at->role) {
		case ROLE_SUBSHELL:
		case ROLE_SUBST:
		case ROLE_PROCESS:
		case ROLE_NESTED:
		case ROLE_PIPED:
		case ROLE_PIPE_END: return STEP_HERE;
		default: break;
		}
	}
	return STEP_KEPT;
}

static bool is_word(const struct sh *s, const char *word)
{
	return s->kind == SH_COMMAND && s->n_words && span_eq(s->words[0].plain, span_of(word));
}

/* The variable that its output went into: out=$(w). */
static struct span output_variable(const struct sh *s)
{
	struct span value;

	return s->kind == SH_COMMAND && !s->n_words && s->n_assigns == 1 && s->substs
		       ? sh_assigned(&s->assigns[0], &value)
		       : (struct span){ 0 };
}

/* What of a statement still sees the status of the one before: its first command. */
static struct span sees_status(struct sh_walk *k, const struct sh *s)
{
	while (s->kids && (s->kind == SH_AND || s->kind == SH_OR || s->kind == SH_NOT || s->kind == SH_IF ||
			   s->kind == SH_SEQ || s->kind == SH_GROUP || s->kind == SH_SUBSHELL))
		s = s->kids;
	return sh_text(k, s);
}

/* A statement behind it looks at the status or at the output, or fails in any case. */
static bool is_looked_at(const struct fate *w)
{
	const struct sh *next = w->node->next, *last = w->at->node->last ? w->at->node->last : next;
	struct span text = sh_text(w->k, next);

	if ((next->kind == SH_IF || next->kind == SH_AND || next->kind == SH_OR || next->kind == SH_CASE ||
	     next->kind == SH_TEST) &&
	    sh_uses(text, output_variable(w->node)))
		return true;
	text = sees_status(w->k, next);
	if (sh_has(text, "$?") || sh_has(text, "PIPESTATUS") || sh_has(text, "{?"))
		return true;
	if ((is_word(next, "exit") || is_word(next, "return")) && next->n_words == 1)
		return true;
	if (last->kind != SH_COMMAND)
		return false;
	return is_word(last, "false") || ((is_word(last, "exit") || is_word(last, "return")) &&
					  last->n_words > 1 && !span_eq(last->words[1].plain, S("0")));
}

/* Where in the chain errexit was switched off by a condition, and by which call into a function. */
static const struct sh_at *ignoring_call(const struct fate *w)
{
	const struct sh_at *call = NULL;

	for (const struct sh_at *a = w->at; a && a->state.ignored; a = a->up)
		if (a->role == ROLE_CALL)
			call = a;
	return call;
}

static bool in_nested(const struct sh_at *at)
{
	for (; at; at = at->up)
		if (at->role == ROLE_NESTED)
			return true;
	return false;
}

static const struct sh *last_of_script(const struct fate *w)
{
	return w->at->up ? NULL : w->k->root->last;
}

/* It is not the last statement, and errexit does not act. */
static enum step lose_in_sequence(struct fate *w)
{
	const struct sh *next = w->node->next, *last = last_of_script(w);
	bool on = w->at->state.errexit == SHELL_ON;

	if (in_nested(w->at) && !on)
		return lose(w, RULE_S15, next);
	if (on && w->at->state.ignored) {
		const struct sh_at *call = ignoring_call(w);
		if (call) {
			w->place = call->node;
			w->name = sh_word(call->node, 0);
		}
		return lose(w, RULE_S10, w->command);
	}
	if (on || w->at->state.errexit == SHELL_MAYBE)
		return w->inverted && !on ? STEP_KEPT : lose(w, w->inverted ? RULE_S06 : RULE_S05, w->node);
	if (w->inverted)
		return STEP_KEPT;
	if (w->at->state.turned_off)
		return lose(w, RULE_S03, w->at->state.turned_off);
	if (next->next && sh_only_prints(next) && (is_word(next, "echo") || is_word(next, "printf")) &&
	    sh_has(sh_text(w->k, next->next), "$?"))
		return lose(w, RULE_S14, next);
	if (last && is_word(last, "exit") && span_eq(sh_word(last, 1), S("0"))) {
		w->place = last;
		return lose(w, RULE_S13, last);
	}
	return lose(w, RULE_S04, next);
}

static enum step in_sequence(struct fate *w)
{
	enum shell_flag e = w->at->state.errexit;

	if (e == SHELL_MAYBE && !w->quiet) /* as the last statement, its status counts both ways */
		return w->node->next ? STEP_KEPT : STEP_OUT;
	if (e == SHELL_ON && !w->at->state.ignored && !w->quiet)
		return end_process(w);
	if (!w->node->next)
		return STEP_OUT;
	return is_looked_at(w) ? STEP_KEPT : lose_in_sequence(w);
}

/* The function ends with the failure: out to who called it. */
static enum step end_function(struct fate *w)
{
	for (; w->at; w->node = w->at->node, w->at = w->at->up)
		if (w->at->role == ROLE_CALL)
			return STEP_HERE;
	return STEP_KEPT;
}

/* What answers the failure ends the process or the function, with a status that says it. */
static enum step end_with(struct fate *w, enum outcome o)
{
	w->quiet = w->inverted = false;
	return o == OUT_EXITS ? end_process(w) : end_function(w);
}

static enum step in_or(struct fate *w)
{
	const struct sh *right = w->node->next;
	enum outcome o = right && !w->inverted ? outcome(w->k, right, true, 0) : OUT_UNKNOWN;

	if (o == OUT_EXITS || o == OUT_RETURNS)
		return end_with(w, o);
	if (o == OUT_FAILS) {
		w->quiet = false;
		return STEP_OUT;
	}
	return o == OUT_LOSES ? lose(w, RULE_S01, right) : STEP_KEPT;
}

static enum step in_and(struct fate *w)
{
	if (w->inverted) /* `! w && …`: what follows is the answer to its failure */
		return STEP_KEPT;
	if (w->node->next && is_word(w->node->next, "break")) /* a loop that tries again: K05 */
		return STEP_KEPT;
	w->quiet = true;
	return STEP_OUT;
}

/* What reads the output at the end of a pipe and fails when a test did; or a person, who sees it. */
static bool is_judge(const struct sh *last)
{
	static const char *const names[] = { "tparse", "gotestfmt", "tocsin", "less", "more" },
				 *const compares[] = { "diff", "cmp" };

	if (last->kind != SH_COMMAND || !last->n_words)
		return last->kind != SH_COMMAND;
	if (sh_word_is(last, 0, compares, ARRAY_LEN(compares)) && sh_has_word(last, 1, S("-")))
		return true; /* half an output is not what was wanted */
	return sh_word_is(last, 0, names, ARRAY_LEN(names)) || sh_has_word(last, 1, S("-set-exit-code")) ||
	       sh_has_word(last, 1, S("--set-exit-code"));
}

/* Its output is filtered into a variable that is read. */
static bool is_filtered(const struct fate *w, const struct sh *last)
{
	static const char *const filters[] = { "grep", "egrep", "fgrep", "awk",  "sed",  "head",
					       "tail", "tr",    "cut",   "sort", "uniq", "wc" };

	if (!sh_word_is(last, 0, filters, ARRAY_LEN(filters)))
		return false;
	for (const struct sh_at *a = w->at; a; a = a->up) {
		if (a->role == ROLE_SUBST)
			return is_used(w->k, output_variable(a->node));
		if (a->role != ROLE_STATEMENT && a->role != ROLE_GROUP && a->role != ROLE_PIPED)
			return false;
	}
	return false;
}

static enum step in_pipe(struct fate *w)
{
	const struct sh *last = w->at->node->last;

	if (w->at->state.pipefail == SHELL_ON)
		return STEP_OUT;
	if (w->at->state.pipefail == SHELL_MAYBE || is_judge(last) || is_filtered(w, last) ||
	    sh_stands(w->k, "PIPESTATUS", w->at->node->to))
		return STEP_KEPT;
	return lose(w, RULE_S02, last);
}

/* Somewhere in it the script ends, or a variable is set that is read elsewhere. */
static bool acts(struct sh_walk *k, const struct sh *s, int depth)
{
	static const char *const words[] = { "exit", "return", "break", "continue", "exec" };
	struct span value;

	if (depth > OUTCOME_DEPTH || sh_word_is(s, 0, words, ARRAY_LEN(words)))
		return true;
	for (size_t i = 0; i < s->n_assigns && !s->n_words; i++)
		if (is_used(k, sh_assigned(&s->assigns[i], &value)))
			return true;
	if (s->kind == SH_TEST && sh_has(sh_text(k, s), "(("))
		return true;
	if (s->kind == SH_COMMAND && (sh_to_file(s) || sh_function(k, sh_word(s, 0))))
		return true;
	for (const struct sh *kid = s->kids; kid; kid = kid->next)
		if (acts(k, kid, depth + 1))
			return true;
	return false;
}

static enum step in_condition(struct fate *w)
{
	const struct sh *choice = w->at->node, *then = choice->kids ? choice->kids->next : NULL,
			*other = then ? then->next : NULL;
	const struct sh *failed = w->inverted ? then : other, *passed = w->inverted ? other : then;

	if (!then)
		return STEP_KEPT;
	if (!failed)
		return passed && acts(w->k, passed, 0) ? STEP_KEPT : lose(w, RULE_S12, choice);
	if (passed && acts(w->k, passed, 0))
		return STEP_KEPT;
	enum outcome o = outcome(w->k, failed, false, 0);
	if (o == OUT_EXITS || o == OUT_RETURNS)
		return end_with(w, o);
	if (o != OUT_LOSES || acts(w->k, failed, 0)) {
		bool zero = failed->last && is_word(failed->last, "exit") &&
			    span_eq(sh_word(failed->last, 1), S("0"));
		if (o != OUT_LOSES || !zero)
			return STEP_KEPT;
	}
	return lose(w, RULE_S12, choice);
}

static bool has_break(const struct sh *s, int depth)
{
	if (depth > OUTCOME_DEPTH || is_word(s, "break"))
		return true;
	for (const struct sh *kid = s->kids; kid; kid = kid->next)
		if (has_break(kid, depth + 1))
			return true;
	return false;
}

static enum step in_loop(struct fate *w)
{
	if (w->at->state.errexit == SHELL_MAYBE || has_break(w->at->node, 0))
		return STEP_KEPT;
	return lose(w, RULE_S16, w->at->node);
}

/* $(w): only the last one of a plain assignment gives the status. */
static enum step in_subst(struct fate *w)
{
	static const char *const tests[] = { "test", "[" }, *const leaving[] = { "exit", "return", "trap",
										 "sh", "bash" };
	const struct sh *in = w->at->node;

	if (in->kind == SH_COMMAND && !in->n_words) {
		w->quiet = false;
		return w->node->next ? lose(w, RULE_S08, in) : STEP_OUT;
	}
	if (in->fed.p && w->node->from >= in->fed_at && w->node->to <= in->fed_at + in->fed.n)
		return lose(w, RULE_S08, in); /* expanded into a here document */
	if (in->kind == SH_COMMAND && sh_word_is(in, 0, leaving, ARRAY_LEN(leaving)))
		return STEP_KEPT;
	/* Compared with what was wanted, an empty output is seen; only -z takes it for success. */
	if ((in->kind == SH_TEST || sh_word_is(in, 0, tests, ARRAY_LEN(tests))) &&
	    !sh_has(sh_text(w->k, in), "-z"))
		return STEP_KEPT;
	if (w->does->what == DOES_LIST)
		return STEP_KEPT; /* S09 is said where the list is used */
	return lose(w, RULE_S08, in);
}

static enum step step(struct fate *w)
{
	if (w->node->background)
		return lose(w, RULE_S07, w->node);
	switch (w->at->role) {
	case ROLE_STATEMENT: return in_sequence(w);
	case ROLE_LEFT: return w->at->node->kind == SH_OR ? in_or(w) : in_and(w);
	case ROLE_NOT:
		w->inverted = !w->inverted;
		w->quiet = true;
		return STEP_OUT;
	case ROLE_PIPED: return in_pipe(w);
	case ROLE_COND: return in_condition(w);
	case ROLE_LOOP_COND: return STEP_KEPT;
	case ROLE_LOOP: return in_loop(w);
	case ROLE_SUBST: return in_subst(w);
	case ROLE_PROCESS: return lose(w, RULE_S15, w->at->node);
	case ROLE_SUBSHELL:
	case ROLE_CALL:
	case ROLE_NESTED: w->quiet = false; return STEP_OUT;
	default: return STEP_OUT;
	}
}

static bool find_fate(struct fate *w)
{
	for (int i = 0; w->at && i < 4 * SH_DEPTH; i++) {
		enum step s = step(w);
		if (s == STEP_HERE)
			continue;
		if (s != STEP_OUT)
			return s == STEP_LOST;
		w->node = w->at->node;
		w->at = w->at->up;
	}
	return false;
}

/* ---- what is not said ---- */

/* Its process is waited for or looked after. */
static bool is_awaited(const struct fate *w)
{
	static const char *const waits[] = { "wait $",  "wait \"$",  "wait -", "wait %",
					     "wait ${", "wait \"${", "fg" };
	struct span word = sh_word(w->command, w->does->at + 1);

	/* Its number is kept, and a function that may stand above waits for those that were kept. */
	uint32_t from = sh_stands(w->k, "$!", w->by->to) ? 0 : w->by->to;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		if (sh_stands(w->k, waits[i], from))
			return true;
	/* A server under test is stopped, not waited for. */
	return (span_eq(word, S("run")) || w->does->what == DOES_UNIT) &&
	       (sh_stands(w->k, "$!", 0) || sh_stands(w->k, "kill", 0) || !sh_stands(w->k, "wait", 0));
}

static bool stands_later(const struct fate *w, uint32_t from, struct span name)
{
	struct span rest = span_from(w->k->text, from);

	return !may_scan(w->k, rest.n) || span_find(rest, name) != SPAN_NONE;
}

/* Its output goes to a file that is read later: that is judged, not the status. */
static bool is_read_later(const struct fate *w, const struct sh *s)
{
	for (const struct sh_redirect *r = s->redirects; r; r = r->next) {
		struct span name = r->raw;
		size_t at = span_rchr(name, '>');
		name = at == SPAN_NONE ? S("") : span_trim(span_from(name, at + 1));
		if (name.n > 2 && !span_starts(name, S("&")) && !span_starts(name, S("/dev/")) &&
		    stands_later(w, s->to, name))
			return true;
	}
	return false;
}

/* `out=$(gofmt -l . 2>&1) || true`, and later `[ -n "$out" ]`: its message is what is judged. */
static bool is_asked_for_words(const struct fate *w)
{
	struct span name = output_variable(w->node), rest = span_from(w->k->text, w->node->to);

	if (!name.n || !sh_has(sh_text(w->k, w->node), "2>&1") || !may_scan(w->k, rest.n))
		return false;
	for (size_t at = 0, i; (i = span_find(span_from(rest, at), name)) != SPAN_NONE; at += i + name.n) {
		struct span before = span_head(rest, at + i);
		while (before.n && memchr("${\"", before.p[before.n - 1], 3))
			before.n--;
		if (before.n < at + i && (span_ends(before, S("-n ")) || span_ends(before, S("-z "))))
			return true;
	}
	return false;
}

static bool is_excused(struct fate *w)
{
	const struct sh_does *d = w->does;

	if (w->rule == RULE_S01 && (is_read_later(w, w->command) || is_asked_for_words(w)))
		return true;
	if (d->what == DOES_LIST)
		return true;
	if (d->what ==
	    DOES_FORMAT) /* what it prints is the answer; its own status says only that a file is no Go */
		return w->rule != RULE_S01 && w->rule != RULE_S07;
	if (w->rule == RULE_S07)
		return is_awaited(w);
	if (w->rule == RULE_S04 || w->rule == RULE_S03) {
		bool said = w->k->said_no_errexit;
		w->k->said_no_errexit = true;
		return said;
	}
	return false;
}

/* ---- fixes ---- */

static void fix_run(struct sh_walk *k, const struct sh *c, const struct sh_does *d, struct lint_finding *x,
		    const struct sh_at *at)
{
	if (!x || !c->n_words || in_nested(at) || span_eq(c->words[0].plain, S("time")) ||
	    span_eq(c->words[0].plain, S("exec")) || d->what != DOES_WATCHED || d->elsewhere)
		return;
	uint32_t from = shell_in_file(k->how, c->words[0].from);
	lint_edit(k->f, x, false, from, from, S("tocsin run -- "));
}

/* What was built is moved or packed next, which fails too when it is not there: only an old one keeps that from being seen. */
static bool is_needed_next(const struct fate *w)
{
	static const char *const takers[] = { "mv", "cp", "install", "strip", "upx", "tar", "zip", "ln" };
	struct span made = sh_word(w->command, w->command->n_words - 1);

	if (!w->command->n_words || !sh_word_is(w->by, 0, takers, ARRAY_LEN(takers)))
		return false;
	for (size_t i = 1; i + 1 < w->command->n_words; i++)
		if (span_eq(sh_word(w->command, i), S("-o")))
			made = sh_word(w->command, i + 1);
	return made.n > 1 && *made.p != '.' && sh_has_word(w->by, 1, made);
}

/* What was installed is run further down, which fails when it is not there: as above. */
static bool is_run_later(const struct fate *w)
{
	struct span tool = sh_word(w->command, w->command->n_words - 1), folder;

	if (!w->command->n_words || !sh_has_word(w->command, 1, S("install")) || is_word(w->by, "exit"))
		return false;
	tool = span_cut(&tool, '@');
	folder = tool;
	tool = path_base(tool);
	if (tool.n == 2 && *tool.p == 'v' && folder.n > 3) /* …/NAME/v2 */
		tool = path_base(span_head(folder, folder.n - 3));
	return tool.n > 1 && *tool.p != '.' && *tool.p != '$' && stands_later(w, w->command->to, tool);
}

static struct lint_finding *say_fate(struct fate *w)
{
	struct sh_walk *k = w->k;
	const struct sh *place = w->place ? w->place : w->command;
	struct span what = w->name.p ? sh_short(k, w->name) : sh_command(k, w->command, w->does),
		    by = sh_short(k, sh_text(k, w->by));
	enum severity severity = rules[w->rule].severity;

	/* grep is a judge of its own where it looks for what must be there. */
	if (w->rule == RULE_S02 &&
	    sh_word_is(w->by, 0, (const char *const[]){ "grep", "egrep", "fgrep" }, 3) &&
	    !sh_has(by, " -v") && !sh_has(by, "-v "))
		severity = SEV_WARNING;
	if (w->rule == RULE_S04 && (is_needed_next(w) || is_run_later(w)))
		severity = SEV_WARNING;
	/* Modules that cannot be had now will be missed by the next build. */
	if (severity == SEV_ERROR && sh_has(w->does->text, "mod download"))
		severity = SEV_WARNING;
	const struct lint_part *here, *there;
	line_in(k, place->from, &here);
	struct span line = line_in(k, w->by->from, &there);
	if (here != there)
		line = lint_text(k->f, TR("%.*s of %s", "%.*s（%s）"), SPAN_ARG(line), there->path);
	return sh_say_as(k, w->rule, severity, place, what, by, line);
}

void sh_judge(struct sh_walk *k, const struct sh *c, const struct sh_does *does, const struct sh_at *at)
{
	struct fate w = { .k = k, .command = c, .does = does, .node = c, .at = at };

	if (does->guarded || does->each || k->how->ignored || !find_fate(&w) || is_excused(&w))
		return;
	if (w.rule == RULE_S02)
		k->lost_pipes++;
	struct lint_finding *x = say_fate(&w);
	if (!x)
		return;
	x->unit = does->unit;
	if (w.rule == RULE_S02 && !k->pipefail_at && k->how->shell == SHELL_BASH && !in_nested(at))
		k->pipefail_at = k->f->n;
	if (w.rule == RULE_S01)
		fix_run(k, c, does, x, at);
}
