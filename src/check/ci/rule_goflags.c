#include "base/mem.h"
#include "base/path.h"
#include "check/ci/shell_own.h"

/* K: flags and variables of go and its tools that hide a failure. */

/* A command under the rules. */
struct flags {
	struct sh_walk *k;
	const struct sh *c;
	const struct sh_does *does;
	const struct sh_at *at;
	size_t first; /* the first word behind the (sub)command */
	struct span tool, sub;
};

/* -name, -name=VALUE, -name VALUE; one dash or two. at: its word. */
static bool flag(const struct flags *g, const char *name, struct span *value, size_t *at)
{
	for (size_t i = g->first; i < g->c->n_words; i++) {
		struct span w = g->c->words[i].plain;
		if (span_eq(w, S("-args")) || span_eq(w, S("--args")) || span_eq(w, S("--")))
			return false;
		if (!span_skip(&w, S("-")))
			continue;
		span_skip(&w, S("-"));
		if (!span_skip(&w, span_of(name)) || (w.n && *w.p != '='))
			continue;
		*value = w.n ? span_from(w, 1) : sh_word(g->c, i + 1);
		*at = i;
		return true;
	}
	return false;
}

static bool has_flag(const struct flags *g, const char *name)
{
	struct span value;
	size_t at;

	return flag(g, name, &value, &at);
}

static void say(const struct flags *g, enum rule_id rule, enum severity severity, struct span by)
{
	struct span what = sh_command(g->k, g->c, g->does);

	sh_say_as(g->k, rule, severity, g->c, what, by);
}
#define SAY(g, rule, by) say(g, rule, rules[rule].severity, by)

static bool output_is_used(const struct flags *g)
{
	if (sh_to_file(g->c))
		return true;
	for (const struct sh_at *a = g->at; a; a = a->up)
		if (a->role == ROLE_PIPED || a->role == ROLE_SUBST || a->role == ROLE_PROCESS)
			return true;
	return false;
}

/* ---- go test ---- */

static bool matches_nothing(struct span pattern)
{
	return SH_IN(pattern, "^$", "NONE", "None", "none", "XXX", "xxx", "^#", "$^", "NoSuchTest", "^NONE$",
		     "^XXX$");
}

static void test_flags(const struct flags *g)
{
	struct span value;
	size_t at;

	if (flag(g, "run", &value, &at) && matches_nothing(value) && !has_flag(g, "bench") &&
	    !has_flag(g, "test.bench") && !has_flag(g, "fuzz"))
		SAY(g, RULE_K01, lint_text(g->k->f, "-run %.*s", SPAN_ARG(value)));
	if (flag(g, "exec", &value, &at) && SH_IN(value, "true", "/bin/true", "echo", ":"))
		SAY(g, RULE_K01, lint_text(g->k->f, "-exec %.*s", SPAN_ARG(value)));
	if (flag(g, "count", &value, &at) && span_eq(value, S("0")))
		SAY(g, RULE_K01, S("-count=0"));
	if (has_flag(g, "list") && !output_is_used(g))
		SAY(g, RULE_K01, S("-list"));
	if (flag(g, "vet", &value, &at) && span_eq(value, S("off")) && !lint_mentions(g->k->f, "go vet") &&
	    !lint_mentions(g->k->f, "golangci-lint") && !lint_mentions(g->k->f, "staticcheck"))
		SAY(g, RULE_K03, S("-vet=off"));
	if (flag(g, "timeout", &value, &at) && SH_IN(value, "0", "0s", "0m", "0h") &&
	    !sh_has(sh_text(g->k, g->c), "timeout -") &&
	    !(g->does->at && sh_has(span_head(sh_text(g->k, g->c), 80), "timeout ") &&
	      !span_starts(sh_text(g->k, g->c), S("go"))))
		SAY(g, RULE_K04, lint_text(g->k->f, "-timeout %.*s", SPAN_ARG(value)));
	if (g->k->ci && !has_flag(g, "count") && !has_flag(g, "list") && !has_flag(g, "c"))
		SAY(g, RULE_K09, S(""));
}

/* No package is named: the current folder alone. */
static bool no_package(const struct flags *g)
{
	static const char *const bare[] = { "-v",        "-race",       "-short",   "-json",     "-cover",
					    "-failfast", "-a",          "-n",       "-x",        "-i",
					    "-c",        "-msan",       "-asan",    "-benchmem", "-trimpath",
					    "-work",     "-linkshared", "-fullpath" };

	for (size_t i = g->first; i < g->c->n_words; i++) {
		const struct sh_word *w = &g->c->words[i];
		if (w->dynamic || !span_starts(w->plain, S("-")))
			return false;
		if (span_eq(w->plain, S("-args")))
			return true;
		if (span_chr(w->plain, '=') == SPAN_NONE &&
		    !sh_in(w->plain, bare, sizeof(bare) / sizeof(*bare)))
			i++;
	}
	return true;
}

static void retried(const struct flags *g)
{
	const struct sh_at *a = g->at;

	for (const struct sh *node = g->c; a; node = a->node, a = a->up) {
		bool again = a->role == ROLE_LOOP_COND;
		again |= a->role == ROLE_LEFT && a->node->kind == SH_AND && node->next &&
			 span_eq(sh_word(node->next, 0), S("break"));
		if (again) {
			SAY(g, RULE_K05, sh_short(g->k, sh_text(g->k, a->node)));
			return;
		}
		if (a->role != ROLE_STATEMENT && a->role != ROLE_NOT)
			return;
	}
}

/* What was made is compared with what is kept, or kept itself, somewhere in the file. */
static bool compared(const struct flags *g)
{
	static const char *const words[] = { "git diff",   "git status", "-diff",
					     "git commit", "git add",    "create-pull-request" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (lint_mentions(g->k->f, words[i]))
			return true;
	return false;
}

static void go_flags(const struct flags *g)
{
	if (span_eq(g->sub, S("test"))) {
		test_flags(g);
		retried(g);
		bool place = g->k->ci || g->k->how->place == SHELL_MAKE || g->k->how->place == SHELL_TASK;
		if (place && !g->does->xargs && !g->does->elsewhere && !g->at->state.cwd.n &&
		    g->at->state.cwd.p && no_package(g))
			SAY(g, RULE_K06, S(""));
	}
	if (span_eq(g->sub, S("generate")) && g->k->ci && !compared(g))
		say(g, RULE_K10, SEV_NOTE, S(""));
	if (span_eq(g->sub, S("mod")) && span_eq(sh_word(g->c, g->first), S("tidy")) && g->k->ci &&
	    !compared(g))
		SAY(g, RULE_K10, S(""));
	/* In a substitution: somebody asks what it printed. */
	if (span_eq(g->sub, S("fmt")) && g->k->ci && !compared(g) && !sh_in_role(g->at, ROLE_SUBST))
		SAY(g, RULE_K01, S("go fmt"));
}

/* ---- the tools beside it ---- */

static void tool_flags(const struct flags *g)
{
	struct span value;
	size_t at;

	if (span_eq(g->tool, S("golangci-lint")) && flag(g, "issues-exit-code", &value, &at) &&
	    span_eq(value, S("0")))
		SAY(g, RULE_K02, S("--issues-exit-code=0"));
	if (span_eq(g->tool, S("gosec")) && has_flag(g, "no-fail"))
		SAY(g, RULE_K02, S("-no-fail"));
	if (span_eq(g->tool, S("revive")) && !has_flag(g, "set_exit_status") && !has_flag(g, "config") &&
	    g->c->n_words > g->first)
		SAY(g, RULE_K02, S("revive"));
	if (span_eq(g->tool, S("govulncheck")) &&
	    (has_flag(g, "json") ||
	     (flag(g, "format", &value, &at) && SH_IN(value, "json", "sarif", "openvex"))))
		say(g, RULE_K02, output_is_used(g) ? SEV_NOTE : rules[RULE_K02].severity,
		    has_flag(g, "json") ? S("-json") : lint_text(g->k->f, "-format %.*s", SPAN_ARG(value)));
	if (span_eq(g->tool, S("gotestsum")) && has_flag(g, "rerun-fails"))
		SAY(g, RULE_K05, S("--rerun-fails"));
	if (span_eq(g->tool, S("ginkgo")) && (has_flag(g, "flake-attempts") || has_flag(g, "flakeAttempts")))
		SAY(g, RULE_K05, S("--flake-attempts"));
	if (SH_IN(g->tool, "gotestsum", "ginkgo"))
		retried(g);
}

static void format_flags(const struct flags *g)
{
	/* Shown once more after a test of the same. */
	if (sh_stands(g->k, "$(gofmt", 0) || sh_stands(g->k, "`gofmt", 0) ||
	    sh_stands(g->k, "$(goimports", 0) || sh_stands(g->k, "$(gofumpt", 0))
		return;
	if (output_is_used(g) || has_flag(g, "w") || !SH_IN(g->tool, "gofmt", "goimports", "gofumpt"))
		return;
	if (has_flag(g, "l"))
		SAY(g, RULE_K01, lint_text(g->k->f, "%.*s -l", SPAN_ARG(g->tool)));
	else if (has_flag(g, "d") && span_eq(g->tool, S("gofmt")))
		say(g, RULE_K02, SEV_NOTE, S("gofmt -d"));
}

/* ---- variables ---- */

static struct lint_finding *say_env(struct lint_file *f, enum rule_id rule, struct span name,
				    struct span value, uint32_t from, uint32_t to)
{
	for (size_t i = f->n; i-- > 0 && f->n - i < 20;)
		if (f->findings[i].rule == &rules[rule] && f->findings[i].from == from)
			return NULL;
	struct span both =
		lint_text(f, "%.*s=%.*s", SPAN_ARG(name), (int)(value.n > 60 ? 60 : value.n), value.p);
	return lint_say(f, rule, from, to, both, both);
}

static bool has_word(struct span list, char by, struct span word)
{
	while (list.n)
		if (span_eq(span_trim(span_cut(&list, by)), word))
			return true;
	return false;
}

void shell_check_env(struct lint_file *f, struct span name, struct span value, uint32_t from, uint32_t to,
		     struct span unit)
{
	struct lint_finding *x = NULL;

	if (span_eq(name, S("GOFLAGS")))
		lint_fact(f, FACT_GO_FLAGS, from, to, value, S(""), S(""));
	if (!span_starts(name, S("GO")) || span_chr(value, '$') != SPAN_NONE || !value.n)
		return;
	bool all = has_word(value, ',', S("*"));
	if ((span_eq(name, S("GOSUMDB")) && span_eq(value, S("off"))) ||
	    (SH_IN(name, "GONOSUMDB", "GOPRIVATE") && all) || span_eq(name, S("GONOSUMCHECK")) ||
	    span_eq(name, S("GOINSECURE")) ||
	    (span_eq(name, S("GOFLAGS")) &&
	     (has_word(value, ' ', S("-mod=mod")) || has_word(value, ' ', S("-insecure")))))
		x = say_env(f, RULE_K07, name, value, from, to);
	else if (span_eq(name, S("GOFLAGS")) && sh_has(value, "-run="))
		x = say_env(f, RULE_K01, name, value, from, to);
	else if (span_eq(name, S("GOFLAGS")) && has_word(value, ' ', S("-vet=off")))
		x = say_env(f, RULE_K03, name, value, from, to);
	else if (span_eq(name, S("GOPROXY")) && span_starts(value, S("http")) &&
		 span_chr(value, ',') == SPAN_NONE && span_chr(value, '|') == SPAN_NONE)
		x = say_env(f, RULE_K08, name, value, from, to);
	else if ((span_eq(name, S("GOTRACEBACK")) && SH_IN(value, "none", "0")) ||
		 (span_eq(name, S("GODEBUG")) && has_word(value, ',', S("panicnil=1"))))
		x = say_env(f, RULE_K11, name, value, from, to);
	if (x && unit.n)
		x->unit = unit;
}

static void see_assignment(struct sh_walk *k, const struct sh_word *w)
{
	struct span value, name = sh_assigned(w, &value);

	if (span_starts(name, S("GO")))
		shell_check_env(k->f, name, value, shell_in_file(k->how, w->from),
				shell_in_file(k->how, w->from + (uint32_t)w->raw.n), (struct span){ 0 });
}

static void see_variables(struct sh_walk *k, const struct sh *c, const struct sh_does *does)
{
	bool all = SH_IN(sh_word(c, 0), "export", "declare", "readonly", "typeset", "local") ||
		   (span_eq(sh_word(c, 1), S("env")) && span_eq(sh_word(c, 2), S("-w")));

	for (size_t i = 0; i < c->n_assigns; i++)
		see_assignment(k, &c->assigns[i]);
	for (size_t i = 1; i < c->n_words && (all || i < does->at); i++)
		if (span_chr(c->words[i].plain, '=') != SPAN_NONE)
			see_assignment(k, &c->words[i]);
}

void sh_rule_goflags(struct sh_walk *k, const struct sh *c, const struct sh_does *does,
		     const struct sh_at *at)
{
	struct flags g = { .k = k,
			   .c = c,
			   .does = does,
			   .at = at,
			   .tool = path_base(sh_word(c, does->at)),
			   .sub = sh_word(c, does->at + 1) };

	see_variables(k, c, does);
	if (does->what != DOES_WATCHED && does->what != DOES_FORMAT)
		return;
	g.first = does->at + 1;
	if (does->go) {
		if (span_eq(g.sub, S("-C"))) {
			g.sub = sh_word(c, does->at + 3);
			g.first = does->at + 3;
		}
		g.first++;
		go_flags(&g);
	} else if (does->what == DOES_FORMAT) {
		format_flags(&g);
	} else {
		tool_flags(&g);
	}
}
