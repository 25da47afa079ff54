#include "check/ci/make.h"

#include "base/mem.h"
#include "base/path.h"
#include "check/ci/interp.h"

/* The rules over a Makefile: who runs whom, what make does with a status, and what the shell of a recipe does with it. */

#define LINE_MAX_BYTES (1 << 16) /* a recipe line that is longer is not looked at */
#define LINES_MAX      20000     /* recipe lines of a file that are looked at */
#define NESTED_MAX     4         /* canned recipes inside of each other */

struct look {
	struct lint_file *f;
	struct make m;
	struct span dir, cwd;
	bool part; /* a file that others include: *.mk */
	struct interp shell;
	bool oneshell;
	bool ignores; /* .IGNORE without targets, or -i in MAKEFLAGS */
	struct map ignored, phony, targets;
	bool phony_unknown;
	size_t lines;    /* of recipes, looked at */
	struct span all; /* a unit that leads to every target of the file; absent: not needed */
};
/* A recipe: the unit that it belongs to, and what $@ is. */
struct recipe {
	struct span unit;
	struct make_scope scope;
	struct interp shell;
	bool ignored; /* all of it, by .IGNORE */
	unsigned depth;
};

/* What the shell of a recipe loses is make's rule: it is make that starts it without flags. */
static const struct shell_as recipe_rules[] = {
	{ RULE_S02, RULE_M03 },
	{ RULE_S04, RULE_M03 },
	{ RULE_S14, RULE_M03 },
	{ RULE_S16, RULE_M03 },
};

static struct span unit_of(struct look *l, struct span dir, struct span target)
{
	return lint_text(l->f, "make:%.*s:%.*s", SPAN_ARG(dir), SPAN_ARG(target));
}

static void runs(struct look *l, struct span from, struct span to, uint32_t at, uint32_t n)
{
	lint_fact(l->f, FACT_RUNS, at, at + n, from, to, S(""));
}

/* ---- which shell, with which flags ---- */

static bool is_sure(const struct make_var *v)
{
	return v->sets <= 1 && !v->conditional;
}

/* SHELLOPTS in the environment sets options of bash: "errexit:pipefail". */
static void exported_options(struct look *l)
{
	struct span value = make_value(&l->m, S("SHELLOPTS"));

	if (span_find(value, S("pipefail")) != SPAN_NONE)
		l->shell.pipefail = SHELL_ON;
	if (span_find(value, S("errexit")) != SPAN_NONE)
		l->shell.errexit = SHELL_ON;
}

static void find_shell(struct look *l)
{
	static const char *const names[] = { "SHELL", ".SHELLFLAGS" };

	l->shell.shell = SHELL_SH;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct make_var *v = make_var(&l->m, span_of(names[i]));
		if (v)
			interp_words(&l->shell, make_value(&l->m, v->name), is_sure(v));
	}
	exported_options(l);
	if (l->shell.errexit == SHELL_ON || l->shell.pipefail == SHELL_ON)
		lint_fact(l->f, FACT_MAKE_FLAGS, 0, 0, span_of(l->f->path), S(""), S(""));
}

/* ---- MAKEFLAGS and special targets ---- */

/* -i, alone or among letters that take no value. */
static bool is_ignore_option(struct span word, bool first)
{
	if (span_eq(word, S("--ignore-errors")))
		return true;
	if (span_starts(word, S("--")) || (!first && *word.p != '-') || word.n == 0)
		return false;
	for (size_t i = *word.p == '-'; i < word.n; i++) {
		if (word.p[i] == 'i')
			return true;
		if (!strchr("bBdehkLmnpqrRsStvw", word.p[i]))
			return false;
	}
	return false;
}

static void say_ignores(struct look *l, struct span what, uint32_t at, uint32_t n)
{
	if (!l->all.p)
		l->all = unit_of(l, l->dir, S("*"));
	struct lint_finding *x = lint_say(l->f, RULE_M02, at, at + n, what);
	if (x)
		x->unit = l->all;
}

static void look_makeflags(struct look *l)
{
	static const char *const names[] = { "MAKEFLAGS", "GNUMAKEFLAGS" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct make_var *v = make_var(&l->m, span_of(names[i]));
		for (const struct make_part *p = v ? v->parts : NULL; p; p = p->next) {
			struct span rest = p->raw, word;
			for (bool first = true; make_word(&rest, &word); first = false)
				if (is_ignore_option(word, first)) {
					l->ignores = true;
					say_ignores(l,
						    lint_text(l->f, "%s += %.*s", names[i], SPAN_ARG(word)),
						    p->at + (uint32_t)(word.p - p->raw.p), (uint32_t)word.n);
				}
		}
	}
}

static struct span expanded(struct look *l, struct span raw, uint32_t at)
{
	CLEANUP(mapped_free) struct mapped out = { 0 };

	if (raw.n > LINE_MAX_BYTES)
		return (struct span){ 0 };
	make_expand(&l->m, &out, raw, at, &(struct make_scope){ 0 });
	return mapped_keep(l->f, &out);
}

static void put_words(struct look *l, struct map *set, struct span words, bool *unknown)
{
	struct span word;

	while (make_word(&words, &word)) {
		*unknown |= *word.p == '_';
		l->f->bad |= !map_put(set, word, l);
	}
}

static void look_special(struct look *l, const struct make_rule *r, struct span name)
{
	bool unknown = false;

	if (span_eq(name, S(".PHONY"))) {
		put_words(l, &l->phony, expanded(l, r->needs, r->needs_at), &l->phony_unknown);
	} else if (span_eq(name, S(".ONESHELL"))) {
		l->oneshell = true;
	} else if (span_eq(name, S(".POSIX"))) {
		/* It runs -ec, unless the file says its own flags. */
		if (!make_var(&l->m, S(".SHELLFLAGS")))
			l->shell.errexit = SHELL_ON;
	} else if (span_eq(name, S(".IGNORE"))) {
		struct span targets = expanded(l, r->needs, r->needs_at);
		size_t before = l->ignored.count;
		put_words(l, &l->ignored, targets, &unknown);
		if (l->ignored.count == before) {
			l->ignores = true;
			say_ignores(l, name, r->at, (uint32_t)r->targets.n);
		}
	}
}

/* ---- recipes ---- */

static struct span cut_text(struct lint_file *f, uint32_t from, uint32_t to)
{
	struct span all = to > from && to <= f->text.n ? (struct span){ f->text.p + from, to - from } : S("");
	struct span line = span_trim(span_cut(&all, '\n'));

	return line.n > 80 ? lint_text(f, "%.*s…", 77, line.p) : line;
}

/* The watched command in it, else the unit that it leads to; then the finding depends on that. */
static void say_lost(struct look *l, enum rule_id rule, const struct shell_told *told, uint32_t at,
		     uint32_t end)
{
	struct lint_file *f = l->f;
	struct span what, unit = { 0 };

	if (told->watched) {
		what = cut_text(f, told->from, told->to);
	} else if (told->n_units) {
		unit = told->n_units == 1 ? told->units[0]
					  : lint_text(f, "make:%.*s:#%u", SPAN_ARG(l->dir), at);
		for (size_t i = 0; i < told->n_units && told->n_units > 1; i++)
			runs(l, unit, told->units[i], at, 1);
		what = cut_text(f, at, end);
	} else {
		return;
	}
	struct lint_finding *x = lint_say(f, rule, at, end, what);
	if (!x)
		return;
	if (unit.p)
		x->unit = unit;
	if (rule == RULE_M01 && f->text.p[at] == '-')
		lint_edit(f, x, false, at, at + 1, S(""));
}

/* What was said of a part that stands twice in the text (a loop of make's) is said once. */
static void drop_doubles(struct lint_file *f, size_t before)
{
	size_t n = before;

	for (size_t i = before; i < f->n; i++) {
		bool seen = false;
		for (size_t k = before; k < n && k < before + 64; k++)
			seen |= f->findings[k].rule == f->findings[i].rule &&
				f->findings[k].from == f->findings[i].from;
		if (!seen)
			f->findings[n++] = f->findings[i];
	}
	f->n = n;
}

static void run_shell(struct look *l, const struct recipe *r, struct mapped *text, bool ignored,
		      struct shell_told *told)
{
	size_t before = l->f->n;
	struct span copy = mapped_keep(l->f, text);

	*told = (struct shell_told){ 0 };
	if (!copy.n)
		return;
	shell_check(l->f, copy,
		    &(struct shell_run){ .shell = r->shell.shell,
					 .place = SHELL_MAKE,
					 .errexit = r->shell.errexit,
					 .pipefail = r->shell.pipefail,
					 .cwd = l->cwd,
					 .unit = r->unit,
					 .pieces = text->pieces,
					 .n_pieces = text->n,
					 .ignored = ignored,
					 .as = recipe_rules,
					 .n_as = ARRAY_LEN(recipe_rules) },
		    told);
	drop_doubles(l->f, before);
}

static uint32_t place_in(const struct mapped *text, size_t at)
{
	return shell_in_file(&(struct shell_run){ .pieces = text->pieces, .n_pieces = text->n },
			     (uint32_t)at);
}

/* Blank out what make takes off the line: blanks, @, - and +. The byte of the `-`; SPAN_NONE. */
static size_t take_prefix(struct mapped *text, size_t from)
{
	size_t dash = SPAN_NONE;

	for (size_t i = from; i < text->text.len && strchr(" \t@-+", text->text.p[i]) && text->text.p[i];
	     i++) {
		if (text->text.p[i] == '-' && dash == SPAN_NONE)
			dash = i;
		text->text.p[i] = ' ';
	}
	return dash;
}

/* `make -i` calls a make that ignores everything. */
static void look_make_i(struct look *l, const struct mapped *text, const struct shell_told *told,
			uint32_t end)
{
	struct span rest = buf_view(&text->text), word;

	if (!told->n_units)
		return;
	while (make_word(&rest, &word)) {
		if (!span_eq(word, S("make")))
			continue;
		while (make_word(&rest, &word) && *word.p == '-')
			if (is_ignore_option(word, false)) {
				uint32_t at = place_in(text, (size_t)(word.p - text->text.p));
				say_lost(l, RULE_M02, told, at,
					 at + (uint32_t)word.n < end ? at + (uint32_t)word.n : end);
			}
	}
}

static void look_text(struct look *l, const struct recipe *r, struct mapped *text, uint32_t end)
{
	struct shell_told told;
	size_t dash = take_prefix(text, 0);

	if (!span_trim(buf_view(&text->text)).n || text->bad)
		return;
	if (l->lines++ >= LINES_MAX) {
		lint_limit(l->f,
			   TR("only the first 20000 recipe lines were looked at", "只检查了前 20000 行命令"));
		return;
	}
	run_shell(l, r, text, dash != SPAN_NONE || r->ignored, &told);
	if (dash != SPAN_NONE)
		say_lost(l, RULE_M01, &told, place_in(text, dash), end);
	look_make_i(l, text, &told, end);
}

static void look_lines(struct look *l, const struct recipe *r, const struct make_line *lines, size_t n);

/* A line that is `$(NAME)` alone, NAME a canned recipe: each of its lines is one of the recipe. */
static bool look_canned(struct look *l, const struct recipe *r, const struct make_line *line)
{
	struct span raw = span_trim(line->raw);

	while (raw.n && strchr("@-+ ", *raw.p))
		raw = span_from(raw, 1);
	if (raw.n < 4 || *raw.p != '$' || (raw.p[1] != '(' && raw.p[1] != '{') ||
	    make_close(raw, 1) != raw.n - 1)
		return false;
	struct span name = { raw.p + 2, raw.n - 3 };
	if (span_skip(&name, S("call ")))
		name = span_trim(span_cut(&name, ','));
	struct make_var *v = (struct make_var *)make_var(&l->m, name);
	if (!v || !v->lines || r->depth >= NESTED_MAX)
		return false;
	struct recipe own = *r;
	own.depth++;
	own.unit = lint_text(l->f, "make:%.*s:$(%.*s)", SPAN_ARG(l->dir), SPAN_ARG(name));
	own.scope.target = (struct span){ 0 };
	runs(l, r->unit, own.unit, line->at, (uint32_t)line->raw.n);
	size_t dash = span_chr(span_head(line->raw, (size_t)(raw.p - line->raw.p)), '-');
	if (dash != SPAN_NONE)
		say_lost(l, RULE_M01, &(struct shell_told){ .units = &own.unit, .n_units = 1 },
			 line->at + (uint32_t)dash, line->at + (uint32_t)line->raw.n);
	own.ignored |= dash != SPAN_NONE;
	if (v->shown)
		return true;
	v->shown = true;
	for (struct span rest = v->parts->raw; rest.n;) {
		struct span part = rest;
		do { /* with what a backslash joins to it */
			span_cut(&rest, '\n');
			part.n = rest.n ? (size_t)(rest.p - part.p) - 1
					: (size_t)(v->parts->raw.p + v->parts->raw.n - part.p);
		} while (rest.n && part.n && part.p[part.n - 1] == '\\');
		look_lines(l, &own,
			   &(struct make_line){ part, v->parts->at + (uint32_t)(part.p - v->parts->raw.p) },
			   1);
	}
	return true;
}

static void look_lines(struct look *l, const struct recipe *r, const struct make_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(mapped_free) struct mapped text = { 0 };
		if (lines[i].raw.n > LINE_MAX_BYTES) {
			lint_limit(l->f, TR("a recipe line of more than 64 KiB was not looked at",
					    "有一行超过 64 KiB 的命令，未检查"));
			continue;
		}
		if (look_canned(l, r, &lines[i]))
			continue;
		make_expand(&l->m, &text, lines[i].raw, lines[i].at, &r->scope);
		look_text(l, r, &text, lines[i].at + (uint32_t)lines[i].raw.n);
	}
}

/* .ONESHELL: one shell has them all, and what it ends with is the status of the last. */
static void look_oneshell(struct look *l, const struct recipe *r, const struct make_line *lines, size_t n)
{
	CLEANUP(mapped_free) struct mapped text = { 0 };
	size_t bytes = 0;

	for (size_t i = 0; i < n && bytes < LINE_MAX_BYTES; i++) {
		size_t from = text.text.len;
		bytes += lines[i].raw.n;
		if (i && bytes < LINE_MAX_BYTES)
			mapped_add(&text, S("\n"), lines[i].at - 1);
		make_expand(&l->m, &text, span_head(lines[i].raw, LINE_MAX_BYTES), lines[i].at, &r->scope);
		if (i)
			take_prefix(&text, from);
	}
	if (n)
		look_text(l, r, &text, lines[n - 1].at + (uint32_t)lines[n - 1].raw.n);
}

/* ---- rules ---- */

static bool is_target_special(struct span name)
{
	return *name.p == '.' && span_chr(name, '/') == SPAN_NONE;
}

/* A part of a Makefile in a folder below may be included by one of any folder above it. */
static void also_above(struct look *l, struct span from_name, struct span to_name, bool need, uint32_t at)
{
	struct span dir = l->dir, own = unit_of(l, l->dir, need ? from_name : to_name);

	for (int i = 0; l->part && dir.n && i < 8; i++) {
		struct span up = path_dir(dir);
		dir = span_eq(up, S(".")) ? S("") : up;
		if (need)
			runs(l, own, unit_of(l, dir, to_name), at, 1);
		else
			runs(l, unit_of(l, dir, from_name), own, at, 1);
	}
}

static void look_needs(struct look *l, const struct make_rule *r, struct span target, struct span unit)
{
	struct span words = expanded(l, r->needs, r->needs_at), word;

	while (make_word(&words, &word)) {
		if (span_eq(word, S("|")) || *word.p == '_')
			continue;
		runs(l, unit, unit_of(l, l->dir, word), r->at, (uint32_t)r->targets.n);
		also_above(l, target, word, true, r->at);
	}
}

/* A recipe that makes the target's file is none that a file of that name keeps from running by mistake. */
static bool makes_its_file(const struct make_rule *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (span_find(r->lines[i].raw, S("$@")) != SPAN_NONE ||
		    span_find(r->lines[i].raw, S("-o ")) != SPAN_NONE ||
		    span_find(r->lines[i].raw, S("$(@")) != SPAN_NONE)
			return true;
	return false;
}

static void fact_file(struct look *l, const struct make_rule *r, struct span name, struct span unit)
{
	if (l->part || l->m.includes || l->phony_unknown || !r->n || span_trim(r->needs).n ||
	    map_get(&l->phony, name) || span_chr(name, '/') != SPAN_NONE ||
	    span_chr(name, '.') != SPAN_NONE || span_chr(name, '%') != SPAN_NONE || *name.p == '_' ||
	    makes_its_file(r))
		return;
	struct span path = l->dir.n ? lint_text(l->f, "%.*s/%.*s", SPAN_ARG(l->dir), SPAN_ARG(name)) : name;
	lint_fact(l->f, FACT_MAKE_FILE, r->at, r->at + (uint32_t)r->targets.n, path, unit, name);
}

static void recipe_shell(struct look *l, const struct make_rule *r, struct span name, struct recipe *ret)
{
	ret->shell = l->shell;
	for (const struct make_specific *s = l->m.specific; s; s = s->next) {
		struct span words = s->targets, word;
		while (make_word(&words, &word))
			if (span_eq(word, name) || span_chr(word, '%') != SPAN_NONE ||
			    span_eq(words, r->targets))
				interp_words(&ret->shell, expanded(l, s->raw, s->at), span_eq(word, name));
	}
}

static void look_rule(struct look *l, const struct make_rule *r)
{
	struct span words = expanded(l, r->targets, r->at), word, first = { 0 };
	struct recipe own = { .scope = { .recipe = true } };
	size_t n = 0;

	for (; make_word(&words, &word) && n < 10000; n++) {
		if (is_target_special(word))
			return;
		struct span unit = unit_of(l, l->dir, word);
		if (!map_get(&l->targets, word)) {
			lint_fact(l->f, FACT_UNIT, r->at, r->at + (uint32_t)r->targets.n, unit, S(""), S(""));
			if (!l->targets.count && span_chr(word, '%') == SPAN_NONE)
				runs(l, unit_of(l, l->dir, S("")), unit, r->at, (uint32_t)r->targets.n);
			l->f->bad |= !map_put(&l->targets, word, l);
			also_above(l, word, word, false, r->at);
		}
		if (l->ignores || (map_get(&l->ignored, word) && l->all.p))
			runs(l, l->all, unit, r->at, (uint32_t)r->targets.n);
		fact_file(l, r, word, unit);
		if (n == 0) {
			first = word;
			own.unit = unit;
			look_needs(l, r, word, unit);
		} else {
			runs(l, unit, own.unit, r->at, (uint32_t)r->targets.n);
		}
	}
	if (!n)
		return;
	own.scope.target = n == 1 && span_chr(first, '%') == SPAN_NONE ? first : (struct span){ 0 };
	own.ignored = l->ignores || map_get(&l->ignored, first);
	recipe_shell(l, r, first, &own);
	if (l->oneshell)
		look_oneshell(l, &own, r->lines, r->n);
	else
		look_lines(l, &own, r->lines, r->n);
}

/* Special targets first: they hold for all, wherever they stand. */
static void look_specials(struct look *l)
{
	for (const struct make_rule *r = l->m.rules; r; r = r->next) {
		struct span words = r->targets, word;
		if (*r->targets.p == '.')
			while (make_word(&words, &word))
				look_special(l, r, word);
	}
	if (!l->ignored.count)
		return;
	for (const struct make_rule *r = l->m.rules; r; r = r->next) {
		struct span words = r->targets, word;
		if (!span_eq(r->targets, S(".IGNORE")))
			continue;
		for (words = expanded(l, r->needs, r->needs_at); make_word(&words, &word);) {
			struct lint_finding *x = lint_say(l->f, RULE_M02, r->at,
							  r->at + (uint32_t)r->targets.n,
							  lint_text(l->f, ".IGNORE: %.*s", SPAN_ARG(word)));
			if (x)
				x->unit = unit_of(l, l->dir, word);
		}
	}
}

/* ---- $(shell …) and != ---- */

static void look_command(struct look *l, struct span raw, uint32_t at, uint32_t from, uint32_t to)
{
	CLEANUP(mapped_free) struct mapped text = { 0 };
	struct recipe none = { .shell = l->shell };
	struct shell_told told;

	make_expand(&l->m, &text, raw, at, &(struct make_scope){ 0 });
	if (!text.text.len)
		return;
	run_shell(l, &none, &text, true, &told);
	/* What gofmt finds it prints; the list is asked for, not the status. */
	if (told.watched && !span_starts(cut_text(l->f, told.from, told.to), S("gofmt")))
		say_lost(l, RULE_M04, &told, from, to);
}

static bool commented(struct span text, size_t at)
{
	for (size_t i = at; i > 0 && text.p[i - 1] != '\n' && at - i < 4096; i--)
		if (text.p[i - 1] == '#')
			return true;
	return false;
}

static void look_shell_calls(struct look *l)
{
	struct span text = l->f->text;

	if (span_find(text, S(".SHELLSTATUS")) != SPAN_NONE)
		return;
	for (size_t at = 0, next; at < text.n && l->m.budget; at = next) {
		size_t i = span_find(span_from(text, at), S("shell "));
		if (i == SPAN_NONE)
			break;
		i += at;
		next = i + 6;
		if (i < 2 || text.p[i - 2] != '$' || (text.p[i - 1] != '(' && text.p[i - 1] != '{') ||
		    (i > 2 && text.p[i - 3] == '$'))
			continue;
		size_t nl = span_find(span_from(text, i), S("\n"));
		struct span line = span_head(span_from(text, i - 1), nl == SPAN_NONE ? text.n : nl + 1);
		size_t close = make_close(span_head(line, 4096), 0);
		if (close == SPAN_NONE || commented(text, i))
			continue;
		next = i - 1 + close;
		look_command(l, (struct span){ text.p + i + 6, close > 7 ? close - 7 : 0 }, (uint32_t)i + 6,
			     (uint32_t)i - 2, (uint32_t)(i + close));
	}
	size_t at = 0;
	for (struct make_var *v; (v = map_next(&l->m.vars, &at));)
		if (v->from_shell && v->parts && v->parts->raw.n && v->parts->raw.n < 4096)
			look_command(l, v->parts->raw, v->parts->at, v->at,
				     v->parts->at + (uint32_t)v->parts->raw.n);
}

/* dir/path without . and .. */
static struct span path_of(struct look *l, struct span dir, struct span path)
{
	for (;;) {
		if (span_skip(&path, S("./")))
			continue;
		if (!dir.n || !span_skip(&path, S("../")))
			break;
		dir = span_chr(dir, '/') == SPAN_NONE ? S("") : path_dir(dir);
	}
	return dir.n ? lint_text(l->f, "%.*s/%.*s", SPAN_ARG(dir), SPAN_ARG(path)) : path;
}

static void fact_includes(struct look *l)
{
	for (const struct make_include *x = l->m.includes; x; x = x->next) {
		struct span words = expanded(l, x->raw, x->at), word;
		while (make_word(&words, &word)) {
			struct span path = *word.p != '_' && *word.p != '/' ? path_of(l, l->dir, word) : word;
			lint_fact(l->f, FACT_MAKE_INCLUDES, x->at, x->at + (uint32_t)x->raw.n,
				  span_of(l->f->path), path, S(""));
		}
	}
}

void make_check(struct lint_file *f)
{
	struct span dir = path_dir(span_of(f->path)), name = path_base(span_of(f->path));
	struct look l = { .f = f };

	l.dir = span_eq(dir, S(".")) ? S("") : dir;
	l.part = !span_eq(name, S("Makefile")) && !span_eq(name, S("makefile")) &&
		 !span_eq(name, S("GNUmakefile"));
	l.cwd = l.part ? S("") : l.dir;
	make_read(f, &l.m);
	find_shell(&l);
	look_makeflags(&l);
	look_specials(&l);
	for (const struct make_rule *r = l.m.rules; r && !f->bad; r = r->next)
		look_rule(&l, r);
	look_shell_calls(&l);
	fact_includes(&l);
	if (!l.m.budget)
		lint_limit(f,
			   TR("its variables refer to so much that only a part of the recipes was looked at",
			      "变量引用展开过多，只检查了部分命令"));
	f->bad |= l.m.bad;
	map_free(&l.ignored);
	map_free(&l.phony);
	map_free(&l.targets);
	make_free(&l.m);
}
