#include "base/path.h"
#include "check/ci/shell_own.h"

/* Rules of single commands: S09, S11, S13, S17, S18; and what pwsh and cmd lose. */

/* ---- S09: a list of packages whose failure nobody sees ---- */

static bool uses_packages(struct sh_walk *k, const struct sh *c, const struct sh_state *s)
{
	struct sh_does does;

	if (c->kind == SH_FOR)
		return true;
	if (c->kind != SH_COMMAND || !c->n_words)
		return false;
	sh_does(k, c, s, &does);
	return does.what == DOES_WATCHED;
}

static void say_list(struct sh_walk *k, const struct sh *c, const struct sh_does *does,
		     const struct sh_at *at)
{
	for (const struct sh *from = c; at; from = at->node, at = at->up) {
		const struct sh *user = at->node;
		switch (at->role) {
		case ROLE_PIPED:
			user = at->node->last;
			if (at->state.pipefail == SHELL_OFF && user != from &&
			    uses_packages(k, user, &at->state)) {
				sh_say(k, RULE_S09, c, sh_command(k, c, does), sh_short(k, sh_text(k, user)));
				return;
			}
			break;
		case ROLE_SUBST:
			if (uses_packages(k, user, &at->state))
				sh_say(k, RULE_S09, c, sh_command(k, c, does), sh_short(k, sh_text(k, user)));
			return;
		case ROLE_STATEMENT:
			if (from->next)
				return;
			break;
		case ROLE_PIPE_END:
		case ROLE_GROUP: break;
		default: return;
		}
	}
}

/* ---- S13: a trap that ends the script with 0 ---- */

/* The body's last statement is `exit 0`. */
static bool ends_with_zero(const struct sh *f)
{
	const struct sh *s = f ? f->kids : NULL;

	for (int i = 0; s && i < 4 && (s->kind == SH_GROUP || s->kind == SH_SEQ); i++)
		s = s->last;
	return s && s->kind == SH_COMMAND && span_eq(sh_word(s, 0), S("exit")) &&
	       span_eq(sh_word(s, 1), S("0"));
}

static void see_trap(struct sh_walk *k, const struct sh *c)
{
	struct span handler = sh_word(c, 1), before = span_trim(handler);

	if (c->n_words < 3 || !(sh_has_word(c, 2, S("EXIT")) || sh_has_word(c, 2, S("0"))))
		return;
	if (!(span_ends(before, S("exit 0")) || sh_has(handler, "exit 0;")) &&
	    !ends_with_zero(sh_function(k, before)))
		return;
	if (!k->trap)
		k->trap = c;
}

void sh_say_trap(struct sh_walk *k)
{
	const struct shell_told *t = k->told;

	if (!k->trap || k->how->ignored || (!t->watched && !t->n_units))
		return;
	struct span what = t->watched && t->to <= k->f->text.n && t->from < t->to
				   ? (struct span){ k->f->text.p + t->from, t->to - t->from }
			   : t->n_units ? t->units[0]
					: S("");
	struct lint_finding *x = sh_say(k, RULE_S13, k->trap, sh_short(k, what),
					sh_short(k, sh_text(k, k->trap)), sh_line(k, k->trap->from));
	if (x && !t->watched)
		x->unit = t->units[0];
}

/* ---- S17: the traceback goes nowhere ---- */

static void see_silence(struct sh_walk *k, const struct sh *c, const struct sh_does *does,
			const struct sh_at *at)
{
	struct span sub = sh_word(c, does->at + 1), by = { 0 };
	bool out = false, both = false;

	if (does->what != DOES_WATCHED || does->guarded || at->state.ignored ||
	    SH_IN(sub, "mod", "install", "generate", "tool", "work", "fix"))
		return;
	for (const struct sh_redirect *r = c->redirects; r; r = r->next) {
		bool null = span_ends(r->raw, S("/dev/null"));
		if (null && (span_starts(r->raw, S("2>")) || span_starts(r->raw, S("&>")) ||
			     span_starts(r->raw, S(">&"))))
			by = r->raw;
		out |= null && (span_starts(r->raw, S(">")) || span_starts(r->raw, S("1>")));
		both |= span_eq(r->raw, S("2>&1"));
	}
	if (!by.p && !(out && both))
		return;
	sh_say(k, RULE_S17, c, sh_command(k, c, does), by.p ? by : S(">/dev/null 2>&1"));
}

/* ---- S18: secrets in the log ---- */

/* By its parts: DEPLOY_TOKEN is one, TOKEN_FILE is none. */
static bool is_secret_name(struct span name)
{
	bool secret = sh_has(name, "API_KEY") || sh_has(name, "ACCESS_KEY") || sh_has(name, "PRIVATE_KEY") ||
		      sh_has(name, "WEBHOOK");
	struct span part = { 0 };

	for (struct span rest = name; rest.n;) {
		part = span_cut(&rest, '_');
		secret |= SH_IN(part, "TOKEN", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "APIKEY",
				"CREDENTIALS", "PAT");
	}
	return secret && !sh_has(name, "ENTRY_TOKEN") &&
	       !SH_IN(part, "FILE", "PATH", "NAME", "ID", "DIR", "COUNT", "LENGTH", "TYPE", "ARN", "HEADER",
		      "USER", "ENABLED", "SET");
}

/* The first secret that stands in the word as $NAME or ${NAME}, with its value. */
static struct span secret_in(struct span raw)
{
	bool quoted = false;

	for (size_t i = 0; i + 1 < raw.n; i++) {
		if (raw.p[i] == '\'')
			quoted = !quoted;
		if (raw.p[i] == '\\') {
			i++;
			continue;
		}
		if (raw.p[i] != '$' || quoted)
			continue;
		size_t from = i + 1 + (raw.p[i + 1] == '{'), to = from;
		while (to < raw.n && sh_is_name_byte(raw.p[to]))
			to++;
		struct span name = { raw.p + from, to - from };
		bool whole = raw.p[i + 1] != '{' ||
			     (to < raw.n && (raw.p[to] == '}' ||
					     (raw.p[to] == ':' && to + 1 < raw.n && raw.p[to + 1] == '-')));
		if (name.n && whole && is_secret_name(name))
			return name;
	}
	return (struct span){ 0 };
}

static void see_printed(struct sh_walk *k, const struct sh *c, const struct sh_at *at)
{
	if (!SH_IN(sh_word(c, 0), "echo", "printf") || sh_to_file(c) || c->redirects ||
	    sh_in_role(at, ROLE_PIPED) || sh_in_role(at, ROLE_SUBST) || sh_in_role(at, ROLE_PROCESS))
		return;
	for (size_t i = 1; i < c->n_words; i++) {
		struct span name = secret_in(c->words[i].raw);
		if (!name.p || span_starts(c->words[i].plain, S("::add-mask::")))
			continue;
		/* GitHub masks the values that it knows as secrets; what a script prints may be read by its user alone. */
		bool less = k->how->place == SHELL_GITHUB || k->how->place == SHELL_FILE;
		sh_say_as(k, RULE_S18, less ? SEV_WARNING : rules[RULE_S18].severity, c,
			  sh_short(k, sh_text(k, c)), name);
		return;
	}
}

static void see_traced(struct sh_walk *k, const struct sh *c, const struct sh_at *at)
{
	struct span name = { 0 };

	if (at->state.xtrace != SHELL_ON || k->leaked)
		return;
	for (size_t i = 0; i < c->n_words && !name.p; i++)
		name = secret_in(c->words[i].raw);
	for (size_t i = 0; i < c->n_assigns && !name.p; i++)
		name = secret_in(c->assigns[i].raw);
	if (!name.p)
		return;
	k->leaked = true;
	sh_say_as(k, RULE_S18, k->how->place == SHELL_GITHUB ? SEV_WARNING : rules[RULE_S18].severity, c,
		  S("set -x"), name);
}

static void see_dump(struct sh_walk *k, const struct sh *c, const struct sh_at *at)
{
	struct span w = sh_word(c, 0);
	bool dump = c->n_words == 1 && (span_eq(w, S("env")) || span_eq(w, S("printenv")));

	dump |= c->n_words == 2 && span_eq(w, S("export")) && span_eq(sh_word(c, 1), S("-p"));
	if (!dump || !k->ci || k->how->place == SHELL_GITHUB || c->redirects || sh_in_role(at, ROLE_SUBST) ||
	    sh_in_role(at, ROLE_PROCESS))
		return;
	if (at->role == ROLE_PIPED && !SH_IN(sh_word(at->node->last, 0), "sort", "cat", "tee"))
		return;
	sh_say(k, RULE_S18, c, sh_short(k, sh_text(k, c)), S("*"));
}

void sh_rule_secret(struct sh_walk *k, const struct sh *c, const struct sh_at *at)
{
	see_printed(k, c, at);
	see_traced(k, c, at);
	see_dump(k, c, at);
}

/* ---- all of them ---- */

void sh_rule_command(struct sh_walk *k, const struct sh *c, const struct sh_does *does,
		     const struct sh_at *at)
{
	struct span w = sh_word(c, 0);

	if (span_eq(w, S("false")) ||
	    (SH_IN(w, "exit", "return") && c->n_words > 1 && !span_eq(c->words[1].plain, S("0"))))
		k->told->fails = true;
	if (span_eq(w, S("trap")))
		see_trap(k, c);
	if (does->what == DOES_LIST)
		say_list(k, c, does, at);
	if (does->each && does->what == DOES_WATCHED && !does->guarded && !k->how->ignored)
		sh_say(k, RULE_S11, c, sh_command(k, c, does));
	see_silence(k, c, does, at);
}

/* ---- pwsh and cmd: the last native command's status counts ---- */

/* Programs, not words of the shell: each sets the status anew. */
static bool is_native(struct span line)
{
	struct span w = span_cut(&line, ' ');

	return SH_IN(w, "go", "golangci-lint", "staticcheck", "govulncheck", "gotestsum", "ginkgo", "git",
		     "npm", "docker", "make", "python", "curl.exe", "7z", "gh");
}

static bool is_watched_line(struct span line)
{
	return SH_IN(span_cut(&line, ' '), "go", "golangci-lint", "staticcheck", "govulncheck", "gotestsum",
		     "ginkgo") &&
	       SH_IN(span_cut(&line, ' '), "test", "vet", "build", "run", "generate", "./...");
}

void sh_windows(struct sh_walk *k)
{
	static const char *const answers[] = {
		"LASTEXITCODE", "errorlevel",   "ERRORLEVEL", "PSNativeCommandUseErrorActionPreference",
		"-ErrorAction", "if (-not $?)", "$?"
	};
	struct span rest = k->text, first = { 0 };
	bool answered = false;

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		answered |= sh_has(k->text, answers[i]);
	while (rest.n) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		/* GitLab's runner asks for the status behind each item of a script; an echo stands between them. */
		if (k->how->place == SHELL_GITLAB && span_eq(line, S("echo")))
			first = (struct span){ 0 };
		if (first.p && is_native(line) && !answered && !k->how->ignored) {
			uint32_t from = (uint32_t)(first.p - k->text.p);
			sh_say_args(k, RULE_S04, rules[RULE_S04].severity, from, from + (uint32_t)first.n,
				    (const struct span[]){ sh_short(k, first), sh_short(k, line),
							   sh_line(k, (uint32_t)(line.p - k->text.p)) },
				    3);
			first = (struct span){ 0 };
			answered = true;
		}
		if (!is_watched_line(line) || sh_has(line, "||") || sh_has(line, "&&"))
			continue;
		uint32_t from = (uint32_t)(line.p - k->text.p), to = from + (uint32_t)line.n;
		first = first.p ? first : line;
		lint_fact(k->f, FACT_GO, shell_in_file(k->how, from), shell_in_file(k->how, to), k->how->unit,
			  line, k->how->cwd.p ? k->how->cwd : S(""));
		if (!k->told->watched) {
			k->told->from = shell_in_file(k->how, from);
			k->told->to = shell_in_file(k->how, to);
		}
		k->told->watched = true;
	}
}
