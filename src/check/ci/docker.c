#include "base/mem.h"
#include "base/path.h"
#include "check/ci/heredoc.h"
#include "check/ci/interp.h"
#include "check/ci/mapped.h"
#include "check/ci/secret.h"

/* A Dockerfile, read by instructions: which shell runs each RUN, and which secrets stay in the image's layers. */

#define STAGES_MAX 1000
#define RUNS_MAX   20000

static const struct shell_as run_rules[] = {
	{ RULE_S01, RULE_D01 }, { RULE_S02, RULE_D01 }, { RULE_S04, RULE_D01 },
	{ RULE_S14, RULE_D01 }, { RULE_S16, RULE_D01 },
};

struct stage {
	struct interp shell;
};
struct secret {
	uint32_t from, to;
	struct span name, word; /* the variable, ENV or ARG */
	size_t stage;
	struct secret *next;
};
struct docker {
	struct lint_file *f;
	char escape;
	size_t at; /* what was read */
	struct interp shell;
	struct map stages; /* by name: struct stage */
	size_t n_stages, n_runs;
	struct span stage; /* its name; absent */
	struct span unit;
	struct secret *secrets, **tail;
	struct mapped text; /* of the instruction: continuations joined */
	bool windows;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span take_word(struct span *rest)
{
	size_t i = 0, from;

	while (i < rest->n && is_blank(rest->p[i]))
		i++;
	for (from = i; i < rest->n && !is_blank(rest->p[i]) && rest->p[i] != '\n';)
		i++;
	struct span word = { rest->p + from, i - from };
	*rest = span_from(*rest, i);
	return word;
}

static bool same_word(struct span word, const char *upper)
{
	for (size_t i = 0; i < word.n; i++)
		if (!upper[i] ||
		    ((word.p[i] >= 'a' && word.p[i] <= 'z') ? word.p[i] - 32 : word.p[i]) != upper[i])
			return false;
	return !upper[word.n];
}

/* `# escape=X` counts among the directives at the very top. */
static void read_directives(struct docker *d)
{
	d->escape = '\\';
	for (struct span rest = d->f->text; rest.n;) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		if (!span_skip(&line, S("#")) || span_chr(line, '=') == SPAN_NONE)
			return;
		struct span key = span_trim(span_cut(&line, '=')), value = span_trim(line);
		if (same_word(key, "ESCAPE") && value.n == 1)
			d->escape = *value.p;
	}
}

/* The next instruction, its lines joined, comments between them left out. false: no more. */
static bool read_instruction(struct docker *d)
{
	struct span all = d->f->text;
	bool more = false;

	mapped_clear(&d->text);
	while (d->at < all.n) {
		struct span rest = span_from(all, d->at), line = span_cut(&rest, '\n'),
			    plain = span_trim(line);
		uint32_t at = (uint32_t)d->at;
		d->at = rest.n ? (size_t)(rest.p - all.p) : all.n;
		if (!plain.n || *plain.p == '#')
			continue; /* also between continued lines */
		while (line.n && is_blank(line.p[line.n - 1]))
			line.n--;
		more = line.p[line.n - 1] == d->escape;
		mapped_add(&d->text, span_head(line, line.n - more), at);
		if (!more)
			return true;
	}
	return d->text.text.len > 0;
}

/* ---- RUN ---- */

static void run(struct docker *d, struct mapped *text, const struct interp *shell)
{
	struct span copy = mapped_keep(d->f, text);
	struct shell_told told;

	if (!copy.n || text->bad)
		return;
	if (d->n_runs++ >= RUNS_MAX) {
		lint_limit(d->f, TR("only the first 20000 RUN instructions were looked at",
				    "只检查了前 20000 条 RUN 指令"));
		return;
	}
	shell_check(d->f, copy,
		    &(struct shell_run){ .shell = shell->shell,
					 .place = SHELL_DOCKER,
					 .errexit = shell->errexit,
					 .pipefail = shell->pipefail,
					 .xtrace = shell->xtrace,
					 .unit = d->unit,
					 .pieces = text->pieces,
					 .n_pieces = text->n,
					 .as = run_rules,
					 .n_as = ARRAY_LEN(run_rules) },
		    &told);
}

/* ["sh", "-c", "…"]: no shell but the one that it names. */
static void run_words(struct docker *d, size_t at)
{
	struct span all = buf_view(&d->text.text);
	CLEANUP(buf_free) struct buf before = { .max = 4096 };
	struct interp shell = { .shell = SHELL_OTHER };
	const struct shell_run places = { .pieces = d->text.pieces, .n_pieces = d->text.n };
	bool is_shell = false, command = false;

	for (unsigned n = 0; at < all.n && n < 64; n++) {
		CLEANUP(mapped_free) struct mapped word = { 0 };
		size_t open = span_chr(span_from(all, at), '"');
		if (open == SPAN_NONE)
			return;
		for (at += open + 1; at < all.n && all.p[at] != '"'; at++) {
			bool escaped = all.p[at] == '\\' && at + 1 < all.n;
			uint32_t in_file = shell_in_file(&places, (uint32_t)at);
			at += escaped;
			mapped_as(&word,
				  all.p[at] == 'n' && escaped ? S("\n") : (struct span){ all.p + at, 1 },
				  in_file, 1u + escaped);
		}
		at++;
		struct span text = buf_view(&word.text);
		d->f->bad |= word.no_memory;
		if (command) {
			run(d, &word, &shell);
			return;
		}
		if (n == 0)
			is_shell = interp_is_shell(text);
		bool full = before.bad;
		buf_addf(&before, "%.*s ", SPAN_ARG(text));
		d->f->bad |= !full && before.bad && before.len + text.n + 2 < before.max;
		command = is_shell && n && text.n > 1 && *text.p == '-' && text.p[1] != '-' &&
			  text.p[text.n - 1] == 'c';
		if (command)
			interp_words(&shell, buf_view(&before), true);
	}
}

/* Flags of RUN itself: --mount=…, --network=…. */
static size_t after_flags(struct span text, size_t at)
{
	for (;;) {
		while (at < text.n && is_blank(text.p[at]))
			at++;
		if (!span_starts(span_from(text, at), S("--")))
			return at;
		while (at < text.n && !is_blank(text.p[at]))
			at++;
	}
}

/* The lines up to the delimiter, appended as they stand; d->at is behind them. */
static void take_body(struct docker *d, const struct heredoc *h, struct mapped *ret, bool end_too)
{
	struct span all = d->f->text;

	while (d->at < all.n) {
		struct span rest = span_from(all, d->at), line = span_cut(&rest, '\n');
		uint32_t at = (uint32_t)d->at;
		bool last = heredoc_ends(h, line);
		d->at = rest.n ? (size_t)(rest.p - all.p) : all.n;
		if (!last || end_too) {
			mapped_add(ret, line, at);
			mapped_add(ret, S("\n"), at + (uint32_t)line.n);
		}
		if (last)
			return;
	}
}

/* `RUN <<EOF`: the lines are the script, of the stage's shell or of their own #!; `RUN bash -e <<EOF`, `RUN <<EOF bash -e`: of that shell. */
static bool run_script(struct docker *d, struct span command, const struct heredoc *h)
{
	CLEANUP(mapped_free) struct mapped body = { 0 };
	struct span before = span_trim(span_head(command, h->at)),
		    behind = span_trim(span_from(command, h->end)), words = before.n ? before : behind,
		    first = words;
	struct interp shell = d->shell;

	if ((before.n && behind.n) || (words.n && !interp_is_shell(take_word(&first))))
		return false;
	for (size_t i = 0; i < behind.n; i++)
		if (strchr("|&;<>", behind.p[i]))
			return false;
	if (words.n) {
		shell = (struct interp){ 0 };
		interp_words(&shell, words, true);
	}
	take_body(d, h, &body, false);
	struct span text = buf_view(&body.text);
	if (span_skip(&text, S("#!"))) {
		shell = (struct interp){ .shell = SHELL_OTHER };
		interp_words(&shell, span_cut(&text, '\n'), true);
	}
	run(d, &body, &shell);
	return true;
}

static void look_run(struct docker *d, size_t at)
{
	struct span all = buf_view(&d->text.text);
	struct heredoc h[8];

	at = after_flags(all, at);
	struct span command = span_from(all, at);
	if (span_starts(command, S("["))) {
		run_words(d, at);
		return;
	}
	size_t n = heredoc_find(command, h, ARRAY_LEN(h));
	if (n == 1 && run_script(d, command, &h[0]))
		return;
	memset(d->text.text.p, ' ', at);
	if (n)
		mapped_add(&d->text, S("\n"), (uint32_t)(d->at ? d->at - 1 : 0));
	for (size_t i = 0; i < n; i++)
		take_body(d, &h[i], &d->text, true);
	run(d, &d->text, &d->shell);
}

/* Files that COPY and ADD make of the lines below them are no instructions. */
static void look_copy(struct docker *d, size_t at)
{
	struct span command = span_from(buf_view(&d->text.text), at);
	CLEANUP(mapped_free) struct mapped body = { 0 };
	struct heredoc h[8];
	size_t n = heredoc_find(command, h, ARRAY_LEN(h));

	for (size_t i = 0; i < n; i++)
		take_body(d, &h[i], &body, false);
}

/* ---- FROM, SHELL ---- */

static struct interp own_shell(const struct docker *d)
{
	return (struct interp){ .shell = d->windows ? SHELL_CMD : SHELL_SH };
}

static void end_stage(struct docker *d)
{
	bool kept = d->stage.p && d->n_stages < STAGES_MAX;
	struct stage *s = kept ? arena_alloc(d->f->scratch, sizeof(*s)) : NULL;

	d->f->bad |= kept && !s;
	if (s) {
		s->shell = d->shell;
		d->f->bad |= !map_put(&d->stages, d->stage, s);
	}
}

static void look_from(struct docker *d, size_t at)
{
	struct span rest = span_from(buf_view(&d->text.text), at), image, word;

	end_stage(d);
	do
		image = take_word(&rest);
	while (span_starts(image, S("--")));
	const struct stage *base = map_get(&d->stages, image);
	d->windows = span_find(image, S("windows")) != SPAN_NONE ||
		     span_find(image, S("nanoserver")) != SPAN_NONE;
	d->shell = base ? base->shell : own_shell(d);
	d->stage = (struct span){ 0 };
	word = take_word(&rest);
	if (same_word(word, "AS") && word.n)
		d->stage = arena_span(d->f->scratch, take_word(&rest));
	d->n_stages++;
}

static void look_shell(struct docker *d, size_t at)
{
	struct span rest = span_from(buf_view(&d->text.text), at);
	CLEANUP(buf_free) struct buf words = { .max = 4096 };

	/* ["/bin/bash", "-o", "pipefail", "-c"] as words. */
	for (size_t i = 0; i < rest.n; i++)
		buf_addc(&words, rest.p[i] && strchr("[]\",", rest.p[i]) ? ' ' : rest.p[i]);
	d->shell = (struct interp){ .shell = SHELL_OTHER };
	interp_words(&d->shell, buf_view(&words), true);
}

/* ---- ENV, ARG ---- */

static void keep_secret(struct docker *d, struct span name, const char *word)
{
	size_t at = (size_t)(name.p - d->text.text.p);
	const struct shell_run places = { .pieces = d->text.pieces, .n_pieces = d->text.n };
	struct secret *s = arena_alloc(d->f->scratch, sizeof(*s));

	if (!s) {
		d->f->bad = true;
		return;
	}
	uint32_t from = shell_in_file(&places, (uint32_t)at);
	*s = (struct secret){
		from, from + (uint32_t)name.n, { d->f->text.p + from, name.n }, span_of(word), d->n_stages,
		NULL
	};
	*d->tail = s;
	d->tail = &s->next;
}

/* A value: up to a blank that no quote or backslash holds. */
static struct span take_value(struct span *rest)
{
	char quote = 0;
	size_t i = 0;

	for (; i < rest->n; i++) {
		char c = rest->p[i];
		if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
		else if (c == '\\' && i + 1 < rest->n)
			i++;
		else if (!quote && is_blank(c))
			break;
	}
	struct span value = { rest->p, i };
	*rest = span_from(*rest, i);
	return value;
}

/* What ENV sets holds for the go commands of the image. */
static void env(struct docker *d, struct span name, struct span value)
{
	const struct shell_run places = { .pieces = d->text.pieces, .n_pieces = d->text.n };
	uint32_t from = shell_in_file(&places, (uint32_t)(name.p - d->text.text.p));

	if (value.n >= 2 && (*value.p == '"' || *value.p == '\'') && value.p[value.n - 1] == *value.p)
		value = (struct span){ value.p + 1, value.n - 2 };
	shell_check_env(d->f, name, value, from, from + (uint32_t)name.n, d->unit);
}

static void look_variables(struct docker *d, size_t at, bool arg)
{
	struct span rest = span_from(buf_view(&d->text.text), at);

	if (!d->n_stages)
		return; /* before the first FROM it is in no image */
	while ((rest = span_trim(rest)).n) {
		size_t end = 0;
		while (end < rest.n && rest.p[end] != '=' && !is_blank(rest.p[end]))
			end++;
		struct span name = span_head(rest, end);
		bool valued = end < rest.n && rest.p[end] == '=';
		struct span value = rest = span_from(rest, end + valued);
		if (valued)
			value = take_value(&rest);
		else if (!arg)
			rest = (struct span){ 0 }; /* ENV NAME the rest of the line */
		bool given = arg && !valued;       /* when the image is built */
		if (!arg)
			env(d, name, span_trim(value));
		if (secret_name(name) && (given || secret_value(span_trim(value))))
			keep_secret(d, name, arg ? "ARG" : "ENV");
	}
}

static void say_secrets(struct docker *d)
{
	for (const struct secret *s = d->secrets; s; s = s->next)
		/* What an earlier stage holds is not in the image that is pushed, but in the cache and its history. */
		lint_say_as(d->f, RULE_D02, s->stage == d->n_stages ? SEV_ERROR : SEV_WARNING, s->from, s->to,
			    s->name, s->word);
}

static void look_instruction(struct docker *d)
{
	struct span all = buf_view(&d->text.text), rest = all, word = take_word(&rest);

	if (same_word(word, "ONBUILD") && word.n)
		word = take_word(&rest);
	size_t at = (size_t)(rest.p - all.p);
	if (same_word(word, "FROM"))
		look_from(d, at);
	else if (same_word(word, "RUN"))
		look_run(d, at);
	else if (same_word(word, "SHELL"))
		look_shell(d, at);
	else if (same_word(word, "ENV") || same_word(word, "ARG"))
		look_variables(d, at, same_word(word, "ARG"));
	else if (same_word(word, "COPY") || same_word(word, "ADD"))
		look_copy(d, at);
}

void docker_check(struct lint_file *f)
{
	struct docker d = { .f = f, .unit = lint_text(f, "docker:%s", f->path) };

	d.tail = &d.secrets;
	d.shell = own_shell(&d);
	d.text.text.max = (size_t)1 << 20;
	lint_fact(f, FACT_UNIT, 0, 0, d.unit, S(""), S(""));
	read_directives(&d);
	while (!f->bad && read_instruction(&d)) {
		f->bad |= d.text.no_memory;
		if (d.text.bad)
			lint_limit(f, TR("an instruction of more than 1 MiB was not looked at",
					 "有一条超过 1 MiB 的指令，未检查"));
		else
			look_instruction(&d);
	}
	say_secrets(&d);
	map_free(&d.stages);
	mapped_free(&d.text);
}
