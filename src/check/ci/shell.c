#include "check/ci/shell.h"

#include <errno.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "check/ci/shell_own.h"

/* The walk along a piece of shell in the order in which it runs, with the flags that hold at each command. */

#define CALLS_MAX  24                  /* functions that call one another */
#define JUDGED_MAX 2000                /* watched commands of one piece */
#define CALLS_ALL  300                 /* calls that are followed in one piece */
#define WALKED_MAX 400000              /* commands of one piece, those of a function at each call */
#define PARSED_NS  (10 * NSEC_PER_SEC) /* of processor time, for all the shell of a file */

struct span shell_mask(struct lint_file *f, struct span text)
{
	struct span copy = arena_span(f->scratch, text);

	if (!copy.p) {
		f->bad = true;
		return S("");
	}
	for (size_t at = 0, from; (from = span_find(span_from(copy, at), S("${{"))) != SPAN_NONE;) {
		size_t end = span_find(span_from(copy, at + from), S("}}"));
		if (end == SPAN_NONE)
			break;
		memset((char *)copy.p + at + from, '_', end + 2);
		at += from + end + 2;
	}
	return copy;
}

uint32_t shell_in_file(const struct shell_run *how, uint32_t text_at)
{
	size_t low = 0, high = how->n_pieces;

	if (!high)
		return text_at;
	while (high - low > 1) {
		size_t mid = (low + high) / 2;
		if (how->pieces[mid].text_at <= text_at)
			low = mid;
		else
			high = mid;
	}
	return how->pieces[low].file_at + (text_at - how->pieces[low].text_at);
}

/* ---- state ---- */

/* After one of two ways: what differs is not known. */
static void merge(struct sh_state *s, const struct sh_state *other)
{
	s->errexit = s->errexit == other->errexit ? s->errexit : SHELL_MAYBE;
	s->pipefail = s->pipefail == other->pipefail ? s->pipefail : SHELL_MAYBE;
	s->xtrace = s->xtrace == other->xtrace ? s->xtrace : SHELL_MAYBE;
	s->inherit |= other->inherit;
	if (!span_eq(s->cwd, other->cwd))
		s->cwd = S("*");
}

static void unknown_flags(struct sh_state *s)
{
	if (s->errexit == SHELL_OFF)
		s->errexit = SHELL_MAYBE;
	if (s->pipefail == SHELL_OFF)
		s->pipefail = SHELL_MAYBE;
}

static void set_option(struct sh_state *s, struct span name, bool on, const struct sh *by)
{
	if (span_eq(name, S("errexit"))) {
		s->turned_off = !on && s->errexit == SHELL_ON ? by : on ? NULL : s->turned_off;
		s->errexit = on ? SHELL_ON : SHELL_OFF;
	} else if (span_eq(name, S("pipefail"))) {
		s->pipefail = !on ? SHELL_OFF : s->shell == SHELL_BASH ? SHELL_ON : SHELL_MAYBE;
	} else if (span_eq(name, S("xtrace"))) {
		s->xtrace = on ? SHELL_ON : SHELL_OFF;
	} else if (span_eq(name, S("inherit_errexit")) || span_eq(name, S("posix"))) {
		s->inherit = on;
	}
}

/* set -euo pipefail */
static void do_set(struct sh_walk *k, const struct sh *c, struct sh_state *s, const struct sh_at *at)
{
	for (size_t i = 1; i < c->n_words; i++) {
		struct span w = c->words[i].plain;
		if (c->words[i].dynamic)
			unknown_flags(s);
		if (w.n < 2 || (w.p[0] != '-' && w.p[0] != '+') || w.p[1] == '-')
			return;
		bool on = w.p[0] == '-';
		for (size_t n = 1; n < w.n; n++) {
			if (w.p[n] == 'e')
				set_option(s, S("errexit"), on, c);
			else if (w.p[n] == 'x')
				set_option(s, S("xtrace"), on, c);
			else if (w.p[n] == 'o')
				set_option(s, sh_word(c, ++i), on, c);
		}
	}
	if (s->errexit == SHELL_ON && !k->set && at && !at->up)
		k->set = c;
}

/* shopt -so pipefail */
static void do_shopt(const struct sh *c, struct sh_state *s)
{
	bool on = false, off = false;

	for (size_t i = 1; i < c->n_words; i++) {
		struct span w = c->words[i].plain;
		if (span_starts(w, S("-"))) {
			on |= span_chr(w, 's') != SPAN_NONE;
			off |= span_chr(w, 'u') != SPAN_NONE;
		} else if (on || off) {
			set_option(s, w, on, c);
		}
	}
}

static void do_cd(struct sh_walk *k, const struct sh *c, struct sh_state *s)
{
	static const char *const roots[] = { "$GITHUB_WORKSPACE",
					     "${GITHUB_WORKSPACE}",
					     "$CI_PROJECT_DIR",
					     "${CI_PROJECT_DIR}",
					     "$WORKSPACE",
					     "${WORKSPACE}",
					     "$(git rev-parse --show-toplevel)" };
	static const char *const here[] = { "$(dirname $0)", "${0%/*}", "$(dirname ${BASH_SOURCE[0]})",
					    "$(dirname $BASH_SOURCE)" };
	size_t i = 1 + (span_eq(sh_word(c, 1), S("--")) || span_eq(sh_word(c, 1), S("-P")));
	struct span to = sh_word(c, i), dir = s->cwd, own = path_dir(span_of(k->f->path));

	if (!to.n || span_eq(to, S("-"))) {
		s->cwd = S("*");
		return;
	}
	for (size_t n = 0; n < ARRAY_LEN(roots); n++)
		if (span_skip(&to, span_of(roots[n])))
			dir = S("");
	for (size_t n = 0; n < ARRAY_LEN(here) && k->how->place == SHELL_FILE; n++)
		if (span_skip(&to, span_of(here[n])))
			dir = own;
	if (to.n && *to.p == '/' && to.p != sh_word(c, i).p)
		to = span_from(to, 1);
	s->cwd = sh_path(k, dir, to);
}

static void do_source(struct sh_walk *k, const struct sh *c, struct sh_state *s)
{
	struct span path = sh_path(k, s->cwd, sh_word(c, 1));

	unknown_flags(s);
	if (path.n && !span_eq(path, S("*")))
		sh_add_unit(k, lint_text(k->f, "script:%.*s", SPAN_ARG(path)), c->from, c->to);
}

static void change_state(struct sh_walk *k, const struct sh *c, struct sh_state *s, const struct sh_at *at)
{
	struct span w = sh_word(c, 0);

	if (span_eq(w, S("set")))
		do_set(k, c, s, at);
	else if (span_eq(w, S("shopt")))
		do_shopt(c, s);
	else if (span_eq(w, S("cd")) || span_eq(w, S("pushd")))
		do_cd(k, c, s);
	else if (span_eq(w, S("popd")))
		s->cwd = S("*");
	else if (span_eq(w, S(".")) || span_eq(w, S("source")) || span_eq(w, S("eval")))
		do_source(k, c, s);
	else if (span_eq(w, S("trap")) && sh_has_word(c, 2, S("ERR")) && s->errexit == SHELL_OFF)
		s->errexit = SHELL_MAYBE;
}

/* ---- the walk ---- */

static void walk(struct sh_walk *k, struct sh *n, const struct sh_at *at, struct sh_state *s);

/* A part of `node`, in the state given; what the part changes stays in it. */
static void walk_part(struct sh_walk *k, struct sh *part, const struct sh *node, enum sh_role role,
		      const struct sh_at *up, struct sh_state *s)
{
	struct sh_at at = { up, node, part, role, *s };

	if (part)
		walk(k, part, &at, s);
}

static void walk_apart(struct sh_walk *k, struct sh *part, const struct sh *node, enum sh_role role,
		       const struct sh_at *up, const struct sh_state *s)
{
	struct sh_state copy = *s;

	walk_part(k, part, node, role, up, &copy);
}

static void walk_tested(struct sh_walk *k, struct sh *part, const struct sh *node, enum sh_role role,
			const struct sh_at *up, struct sh_state *s)
{
	bool before = s->ignored;

	s->ignored = true;
	walk_part(k, part, node, role, up, s);
	s->ignored = before;
}

static void walk_substs(struct sh_walk *k, const struct sh *n, const struct sh_at *at,
			const struct sh_state *s)
{
	for (struct sh *sub = n->substs; sub; sub = sub->next) {
		struct sh_state in = *s;
		struct sh_at here = { at, n, sub, sub->kind == SH_PROCESS ? ROLE_PROCESS : ROLE_SUBST, *s };
		/* bash clears errexit in $(…); other shells, and bash as sh, do not. */
		if (in.errexit == SHELL_ON && !in.inherit && s->shell == SHELL_BASH)
			in.errexit = SHELL_OFF;
		in.turned_off = NULL;
		walk_part(k, sub->kids, sub, ROLE_GROUP, &here, &in);
	}
}

static void walk_call(struct sh_walk *k, struct sh *call, struct sh *function, const struct sh_at *at,
		      struct sh_state *s)
{
	struct sh_at here = { at, call, function, ROLE_CALL, *s };

	if (function->seen & 2 || k->depth >= CALLS_MAX || k->calls >= CALLS_ALL)
		return;
	function->seen = 1 | 2; /* 2: it is being walked: a function that calls itself */
	k->calls++;
	k->depth++;
	walk_part(k, function->kids, function, ROLE_GROUP, &here, s);
	k->depth--;
	function->seen = 1;
}

static void collect_functions(struct sh_walk *k, struct sh *n, int depth)
{
	if (depth > SH_DEPTH)
		return;
	if (n->kind == SH_FUNCTION) {
		if (!mem_grow(&k->functions, &k->cap_functions, k->n_functions, sizeof(*k->functions))) {
			k->f->bad = true;
			return;
		}
		k->functions[k->n_functions++] = n;
		k->f->bad |= !map_put(&k->by_name, n->name, n); /* the last one holds */
	}
	k->pipes += n->kind == SH_PIPE;
	for (struct sh *kid = n->kids; kid; kid = kid->next)
		collect_functions(k, kid, depth + 1);
	for (struct sh *sub = n->substs; sub; sub = sub->next)
		collect_functions(k, sub, depth + 1);
}

static struct sh *parse(struct sh_walk *k, struct span text, uint32_t offset)
{
	struct syntax *parser = lint_bash_parser(k->f);
	struct err e = { 0 };
	int64_t began = syntax_now();

	if (k->f->shell_ns > PARSED_NS) {
		lint_limit(k->f,
			   TR("its shell took more than %d s to parse: the rest was left out",
			      "其中的 shell 解析超过 %d 秒：其余已跳过"),
			   (int)(PARSED_NS / NSEC_PER_SEC));
		return NULL;
	}
	struct sh *root = parser ? script_parse(parser, k->f->scratch, text, offset, &k->f->errors, &e)
				 : NULL;
	k->f->shell_ns += syntax_now() - began;
	if (!parser || e.code == ENOMEM)
		k->f->bad = true;
	else if (!root)
		lint_limit(k->f, "%s", e.msg);
	else
		collect_functions(k, root, 0);
	return root;
}

static void walk_nested(struct sh_walk *k, struct sh *c, const struct sh_does *does, const struct sh_at *at,
			struct sh_state *s)
{
	struct sh_state in = { .shell = does->inner_shell,
			       .errexit = does->inner_errexit,
			       .pipefail = does->inner_pipefail,
			       .xtrace = does->inner_xtrace,
			       .cwd = does->elsewhere ? S("*") : s->cwd };
	struct sh_at here = { at, c, c, does->same ? ROLE_GROUP : ROLE_NESTED, *s };

	if (does->same)
		in = *s;
	if (k->depth >= CALLS_MAX || c->seen)
		return;
	k->depth++;
	c->seen = 1;
	struct sh *root = parse(k, does->inner, does->inner_from);
	if (root)
		walk(k, root, &here, &in);
	if (does->same)
		*s = in;
	k->depth--;
}

static void note_watched(struct sh_walk *k, struct sh *c, const struct sh_does *does,
			 const struct sh_state *s)
{
	struct span cwd = does->elsewhere ? S("*") : s->cwd, dir = sh_word(c, does->at + 2);
	uint32_t from = shell_in_file(k->how, c->from), to = shell_in_file(k->how, c->to);

	if (c->seen++)
		return;
	if (does->what == DOES_UNIT) {
		sh_add_unit(k, does->unit, c->from, c->to);
		return;
	}
	if (span_eq(sh_word(c, does->at + 1), S("-C")))
		cwd = sh_path(k, cwd, dir);
	lint_fact(k->f, FACT_GO, from, to, k->how->unit, does->text, cwd);
	if (!k->told->watched) {
		k->told->from = from;
		k->told->to = to;
	}
	k->told->watched = true;
}

static void walk_command(struct sh_walk *k, struct sh *c, const struct sh_at *at, struct sh_state *s)
{
	struct sh_does does;
	bool counts;

	if (k->commands++ >= WALKED_MAX) {
		lint_limit(k->f,
			   TR("shell of more than %d commands: the rest was not looked at",
			      "shell 命令超过 %d 条：其余未检查"),
			   WALKED_MAX);
		return;
	}
	walk_substs(k, c, at, s);
	sh_does(k, c, s, &does);
	if (does.reads && does.what == DOES_OTHER)
		sh_does_fed(k, c, at, &does);
	counts = does.what != DOES_OTHER || sh_has(does.text, "curl");
	if (counts && k->judged++ == JUDGED_MAX)
		lint_limit(k->f,
			   TR("more than %d commands of go: the others were not looked at",
			      "go 相关命令超过 %d 条：其余未检查"),
			   JUDGED_MAX);
	if (counts && k->judged > JUDGED_MAX)
		return;
	sh_rule_command(k, c, &does, at);
	sh_rule_goflags(k, c, &does, at);
	sh_rule_alert(k, c, &does, at);
	sh_rule_secret(k, c, at);
	sh_rule_docker(k, c);
	if (!does.same)
		change_state(k, c, s, at);
	switch (does.what) {
	case DOES_WATCHED:
	case DOES_FORMAT:
	case DOES_UNIT:
		note_watched(k, c, &does, s);
		sh_judge(k, c, &does, at);
		break;
	case DOES_CALL: walk_call(k, c, does.function, at, s); break;
	case DOES_NESTED: walk_nested(k, c, &does, at, s); break;
	default: break;
	}
}

static void walk_sequence(struct sh_walk *k, struct sh *seq, const struct sh_at *at, struct sh_state *s)
{
	for (struct sh *kid = seq->kids; kid; kid = kid->next) {
		if (kid->background)
			walk_apart(k, kid, seq, ROLE_STATEMENT, at, s);
		else
			walk_part(k, kid, seq, ROLE_STATEMENT, at, s);
	}
}

static void walk_branches(struct sh_walk *k, struct sh *n, const struct sh_at *at, struct sh_state *s)
{
	struct sh *kid = n->kids;
	struct sh_state before, after;
	bool whole = false;

	if (n->kind == SH_IF) {
		walk_tested(k, kid, n, ROLE_COND, at, s);
		kid = kid ? kid->next : NULL;
		whole = kid && kid->next;
	}
	before = *s;
	for (bool first = true; kid; kid = kid->next, first = false) {
		after = before;
		walk_part(k, kid, n, ROLE_BRANCH, at, &after);
		if (first && whole)
			*s = after;
		else
			merge(s, &after);
	}
}

/* A `set` of this shell, not the words of one within a here document or a quoted script. */
static bool sets_flags(struct sh_walk *k, const struct sh *n, int depth)
{
	struct span option = sh_word(n, 1);

	if (depth > SH_DEPTH || n->kind == SH_ERROR)
		return true;
	if (n->kind == SH_COMMAND && SH_IN(sh_word(n, 0), "set", "eval", ".", "source"))
		return !span_eq(sh_word(n, 0), S("set")) || span_starts(option, S("-")) ||
		       span_starts(option, S("+")) || (n->n_words > 1 && n->words[1].dynamic);
	for (const struct sh *kid = n->kids; kid; kid = kid->next)
		if (sets_flags(k, kid, depth + 1))
			return true;
	return false;
}

static void walk_loop(struct sh_walk *k, struct sh *n, const struct sh_at *at, struct sh_state *s)
{
	struct sh *body = n->kids;
	struct sh_state in;

	if (n->kind != SH_FOR) {
		walk_tested(k, body, n, ROLE_LOOP_COND, at, s);
		body = body ? body->next : NULL;
	}
	in = *s;
	/* The second round begins as the first one ended. */
	if (body && (sh_has(sh_text(k, body), "set -") || sh_has(sh_text(k, body), "set +")) &&
	    sets_flags(k, body, 0))
		in.errexit = SHELL_MAYBE;
	walk_part(k, body, n, ROLE_LOOP, at, &in);
	merge(s, &in);
}

static void walk_pipe(struct sh_walk *k, struct sh *n, const struct sh_at *at, const struct sh_state *s)
{
	for (struct sh *kid = n->kids; kid; kid = kid->next)
		walk_apart(k, kid, n, kid->next ? ROLE_PIPED : ROLE_PIPE_END, at, s);
}

static void walk(struct sh_walk *k, struct sh *n, const struct sh_at *at, struct sh_state *s)
{
	if (n->kind != SH_COMMAND)
		walk_substs(k, n, at, s);
	switch (n->kind) {
	case SH_COMMAND: walk_command(k, n, at, s); break;
	case SH_SEQ: walk_sequence(k, n, at, s); break;
	case SH_PIPE: walk_pipe(k, n, at, s); break;
	case SH_AND:
	case SH_OR:
		walk_tested(k, n->kids, n, ROLE_LEFT, at, s);
		walk_part(k, n->kids ? n->kids->next : NULL, n, ROLE_RIGHT, at, s);
		break;
	case SH_NOT: walk_tested(k, n->kids, n, ROLE_NOT, at, s); break;
	case SH_SUBSHELL: walk_apart(k, n->kids, n, ROLE_SUBSHELL, at, s); break;
	case SH_GROUP: walk_part(k, n->kids, n, ROLE_GROUP, at, s); break;
	case SH_IF:
	case SH_CASE: walk_branches(k, n, at, s); break;
	case SH_FOR:
	case SH_WHILE:
	case SH_UNTIL: walk_loop(k, n, at, s); break;
	case SH_ERROR:
		if (span_find(sh_text(k, n), S("set -")) != SPAN_NONE ||
		    span_find(sh_text(k, n), S("shopt")) != SPAN_NONE)
			unknown_flags(s);
		break;
	default: break;
	}
}

/* Functions that nobody calls by name: in what state they run is not known. */
static void walk_uncalled(struct sh_walk *k, const struct sh_state *end)
{
	for (size_t i = 0; i < k->n_functions; i++) {
		struct sh_state s = *end;
		struct sh *f = k->functions[i];
		if (f->seen)
			continue;
		s.errexit = SHELL_MAYBE;
		s.xtrace = SHELL_MAYBE;
		s.cwd = S("*");
		f->seen = 1;
		walk_part(k, f->kids, f, ROLE_GROUP, NULL, &s);
	}
}

/* ---- fixes ---- */

static struct span indent_at(struct span text, uint32_t at)
{
	uint32_t from = at;

	while (from && text.p[from - 1] != '\n')
		from--;
	for (uint32_t i = from; i < at; i++)
		if (text.p[i] != ' ' && text.p[i] != '\t')
			return (struct span){ 0 };
	return (struct span){ text.p + from, at - from };
}

/* set -o pipefail: behind the `set -e` that stands there, else before the first command. */
static void fix_pipefail(struct sh_walk *k)
{
	struct lint_file *f = k->f;

	if (!k->pipefail_at || k->pipefail_at > f->n || !k->root->kids)
		return;
	struct lint_finding *x = &f->findings[k->pipefail_at - 1];
	bool safe = k->pipes == k->lost_pipes;
	if (k->set) {
		uint32_t at = shell_in_file(k->how, k->set->to);
		lint_edit(f, x, safe, at, at, S(" -o pipefail"));
		return;
	}
	uint32_t at = shell_in_file(k->how, k->root->kids->from);
	struct span indent = at <= f->text.n ? indent_at(f->text, at) : (struct span){ 0 };
	lint_edit(f, x, safe, at, at,
		  indent.p ? lint_text(f, "set -o pipefail\n%.*s", SPAN_ARG(indent))
			   : S("set -o pipefail; "));
}

/* ---- the whole ---- */

static bool is_ci(enum shell_place p)
{
	return p == SHELL_GITHUB || p == SHELL_GITLAB || p == SHELL_GITLAB_AFTER || p == SHELL_JENKINS ||
	       p == SHELL_CI;
}

void shell_check(struct lint_file *f, struct span text, const struct shell_run *how, struct shell_told *ret)
{
	struct sh_walk k = { .f = f, .how = how, .told = ret, .text = text, .ci = is_ci(how->place) };
	struct sh_state s = { .shell = how->shell,
			      .errexit = how->errexit,
			      .pipefail = how->pipefail,
			      .xtrace = how->xtrace,
			      .cwd = how->cwd.p ? how->cwd : S("") };

	*ret = (struct shell_told){ 0 };
	if (how->shell == SHELL_PWSH || how->shell == SHELL_CMD)
		sh_windows(&k);
	if (how->shell != SHELL_BASH && how->shell != SHELL_SH)
		return;
	k.root = parse(&k, text, 0);
	if (k.root) {
		walk(&k, k.root, NULL, &s);
		walk_uncalled(&k, &s);
		sh_say_trap(&k);
		fix_pipefail(&k);
	}
	mem_free(k.functions);
	map_free(&k.by_name);
}

/* #!/bin/bash -e, #!/usr/bin/env -S bash -eu; false: there is none. */
static bool read_shebang(struct span text, struct shell_run *how)
{
	struct span line = span_cut(&text, '\n'), rest = line;
	bool option = false;

	if (!span_skip(&rest, S("#!")))
		return false;
	how->shell = span_find(line, S("bash")) != SPAN_NONE ? SHELL_BASH : SHELL_SH;
	while (rest.n) {
		struct span w = span_trim(span_cut(&rest, ' '));
		if (option) {
			how->pipefail = span_eq(w, S("pipefail")) ? SHELL_ON : how->pipefail;
			option = false;
		} else if (span_starts(w, S("-")) && !span_starts(w, S("--")) && !span_eq(w, S("-S"))) {
			how->errexit = span_chr(w, 'e') != SPAN_NONE ? SHELL_ON : how->errexit;
			how->xtrace = span_chr(w, 'x') != SPAN_NONE ? SHELL_ON : how->xtrace;
			option = w.p[w.n - 1] == 'o';
		}
	}
	return true;
}

void shell_check_file(struct lint_file *f)
{
	struct shell_run how = { .shell = SHELL_BASH,
				 .place = SHELL_FILE,
				 .unit = lint_text(f, "script:%s", f->path) };
	struct shell_told told;

	/* Without one, it may be read by another script, which sets the flags. */
	if (!read_shebang(f->text, &how) &&
	    (span_find(f->text, S("() {")) != SPAN_NONE || span_find(f->text, S("function ")) != SPAN_NONE))
		how.errexit = how.pipefail = SHELL_MAYBE;
	lint_fact(f, FACT_UNIT, 0, 0, how.unit, S(""), S(""));
	shell_check(f, f->text, &how, &told);
}
