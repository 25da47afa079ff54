#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "check/lint_own.h"

/*
 * Comments that let findings pass: `tocsin:allow RULE… why` at the end of a line or on a line of its own above it, and golangci-lint's
 * `//nolint`. They are read line by line, whatever the language is; a statement that goes on over several lines counts as one.
 */
#define MARK "tocsin:allow"

#define SLASHES (RULE_GO | RULE_JENKINS)
#define YAML \
	(RULE_GITHUB | RULE_GITLAB | RULE_TASKFILE | RULE_DRONE | RULE_WOODPECKER | RULE_GITEE | RULE_YUNXIAO)
#define BLOCK_LINES 200 /* of a block comment that are looked back at */

struct scan {
	struct lint_file *f;
	struct span *lines;
	size_t n;
	size_t *next; /* by line: the first at or behind it that is more than a comment; n: none */
	size_t *last; /* by line: where what begins there ends */
	unsigned language;
};

/* Shell stands in the strings of a Jenkinsfile, so that both kinds are comments there. */
static const struct opener {
	unsigned languages;
	const char *text;
	bool first; /* only as the first of its line */
} openers[] = {
	{ SLASHES, "//", false },
	{ SLASHES, "/*", false },
	{ ~(unsigned)RULE_GO, "#", false },
	{ RULE_SYSTEMD, ";", true },
};

static bool is_blank(struct span s)
{
	return !span_trim(s).n;
}

/* Whether a comment may begin behind this: "http://x" and "a#b" are none. A recipe may keep make from printing it. */
static bool may_begin(const struct scan *s, const struct opener *o, struct span before)
{
	size_t n = before.n;

	if (o->first)
		return is_blank(before);
	while (s->language == RULE_MAKE && n && strchr("@+-", before.p[n - 1]))
		n--;
	return n < before.n ? is_blank(span_head(before, n))
			    : !n || before.p[n - 1] == ' ' || before.p[n - 1] == '\t';
}

/* The line in which the block comment around the beginning of line i begins; SPAN_NONE: there is none. */
static size_t block_around(const struct scan *s, size_t i)
{
	for (size_t k = i; k > 0 && i - k < BLOCK_LINES; k--) {
		struct span line = s->lines[k - 1];
		if (span_find(line, S("*/")) != SPAN_NONE)
			return SPAN_NONE;
		if (span_find(line, S("/*")) != SPAN_NONE)
			return k - 1;
	}
	return SPAN_NONE;
}

/* Where the comment begins whose first word is at `mark` of line i; SPAN_NONE: the mark stands in none. */
static size_t comment_before(const struct scan *s, size_t i, size_t mark)
{
	struct span line = s->lines[i], before = span_head(line, mark);

	while (before.n && strchr(" \t", before.p[before.n - 1]))
		before.n--;
	for (size_t k = 0; k < ARRAY_LEN(openers); k++) {
		const struct opener *o = &openers[k];
		if (!(o->languages & s->language) || !span_ends(before, span_of(o->text)))
			continue;
		size_t at = before.n - strlen(o->text);
		if (may_begin(s, o, span_head(line, at)))
			return at;
	}
	if (!(s->language & SLASHES) || (!is_blank(before) && !span_eq(span_trim(before), S("*"))))
		return SPAN_NONE;
	return block_around(s, i) == SPAN_NONE ? SPAN_NONE : 0;
}

static bool is_comment_only(const struct scan *s, struct span line)
{
	struct span text = span_trim(line);

	if (!text.n)
		return true;
	while (s->language == RULE_MAKE && text.n && strchr("@+-", text.p[0]))
		text = span_from(text, 1);
	for (size_t k = 0; k < ARRAY_LEN(openers); k++) {
		if (!(openers[k].languages & s->language) || !span_starts(text, span_of(openers[k].text)))
			continue;
		if (openers[k].text[1] != '*' || span_find(text, S("*/")) == text.n - 2)
			return true;
	}
	return false;
}

static size_t indent_of(struct span line)
{
	size_t n = 0;

	while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	return n;
}

/* An item of a list, or a key whose text stands below it: all that is indented deeper belongs to it. */
static bool has_more_below(struct span line)
{
	struct span text = span_trim(span_head(line, span_find(line, S(" #"))));
	size_t n = text.n;

	while (n && strchr("+-", text.p[n - 1]))
		n--;
	return span_starts(text, S("- ")) || (n > 2 && strchr("|>", text.p[n - 1]) && text.p[n - 2] == ' ');
}

static void find_items(struct scan *s, size_t *stack)
{
	size_t depth = 0;

	for (size_t i = s->n; i-- > 0;) {
		if (s->next[i] != i) /* what is no text ends nothing */
			continue;
		while (depth && indent_of(s->lines[stack[depth - 1]]) > indent_of(s->lines[i]))
			depth--;
		if (has_more_below(s->lines[i]))
			s->last[i] = (depth ? stack[depth - 1] : s->n) - 1;
		stack[depth++] = i;
	}
}

/* A command goes on behind a backslash, a pipe, && and ||. */
static void find_commands(struct scan *s)
{
	for (size_t i = s->n; i-- > 0;) {
		struct span line = span_trim(s->lines[i]);
		bool more = span_ends(line, S("\\")) || span_ends(line, S("|")) || span_ends(line, S("&&"));
		s->last[i] = more && i + 1 < s->n ? s->last[i + 1] : i;
	}
}

/* What opens a bracket ends where the same column closes one. */
static void find_blocks(struct scan *s)
{
	size_t closed[256] = { 0 }; /* by column: the nearest line below that closes one there */

	for (size_t i = s->n; i-- > 0;) {
		struct span text = span_trim(s->lines[i]);
		size_t column = indent_of(s->lines[i]);
		s->last[i] = i;
		if (!text.n || column >= ARRAY_LEN(closed))
			continue;
		if (strchr("{(", text.p[text.n - 1]) && closed[column])
			s->last[i] = closed[column];
		if (strchr("})", text.p[0]))
			closed[column] = i;
	}
}

/* All lines at once: a file may be full of comments. */
static bool find_ends(struct scan *s)
{
	CLEANUP(mem_free) size_t *stack = s->language & YAML ? mem_alloc((s->n + 1) * sizeof(*stack)) : NULL;

	s->next = mem_alloc((s->n + 1) * sizeof(*s->next));
	s->last = mem_alloc((s->n + 1) * sizeof(*s->last));
	if (!s->next || !s->last || (!stack && s->language & YAML))
		return false;
	s->next[s->n] = s->n;
	for (size_t i = s->n; i-- > 0;)
		s->next[i] = is_comment_only(s, s->lines[i]) ? s->next[i + 1] : i;
	if (s->language & SLASHES)
		find_blocks(s);
	else
		find_commands(s);
	if (stack)
		find_items(s, stack);
	return true;
}

/* The line that the comment at `at` of line i stands above; it may be a block comment that goes on. */
static size_t below(const struct scan *s, size_t i, size_t at)
{
	struct span rest = span_from(s->lines[i], at);
	size_t end = i;
	bool open = (s->language & SLASHES) && !span_starts(rest, S("//")) && !span_starts(rest, S("#"));

	for (; open && end + 1 < s->n && end - i < BLOCK_LINES && span_find(rest, S("*/")) == SPAN_NONE;
	     rest = s->lines[end])
		end++;
	return s->next[end + 1];
}

/* The lines that a comment at `at` of line i speaks of; the whole file: 0, 0. */
static void reach_of(const struct scan *s, size_t i, size_t at, bool nolint, size_t ret[2])
{
	struct span before = span_head(s->lines[i], at);
	bool own = is_blank(before) || (s->language == RULE_MAKE && is_comment_only(s, s->lines[i]));
	size_t first = own ? below(s, i, at) : i;

	if (own && nolint && first < s->n && span_starts(span_trim(s->lines[first]), S("package "))) {
		ret[0] = ret[1] = 0;
		return;
	}
	if (first >= s->n)
		first = i;
	bool whole = s->language & SLASHES ? nolint && first != i : true;
	ret[0] = first + 1;
	ret[1] = (whole ? s->last[first] : first) + 1;
}

static void say(struct scan *s, size_t i, size_t at, size_t to, bool nolint, struct span ids, struct span why)
{
	size_t reach[2];
	struct span text = s->f->text;
	uint32_t from = (uint32_t)(s->lines[i].p - text.p);

	reach_of(s, i, at, nolint, reach);
	lint_fact(s->f, FACT_ALLOW, from + (uint32_t)at, from + (uint32_t)to, ids, why,
		  lint_text(s->f, "%zu %zu %s", reach[0], reach[1], nolint ? "nolint" : "own"));
}

static bool is_rule_word(struct span word)
{
	if (word.n != 3 || (word.p[0] | 32) < 'a' || (word.p[0] | 32) > 'z')
		return false;
	return word.p[1] >= '0' && word.p[1] <= '9' && word.p[2] >= '0' && word.p[2] <= '9';
}

/* "R01,R02 why", "R01 R02 why". Words of other checks (`check activation`, `mod check`) are theirs. */
static void scan_own(struct scan *s, size_t i, size_t mark)
{
	CLEANUP(buf_free) struct buf ids = { 0 };
	struct span line = s->lines[i], rest = span_from(line, mark + sizeof(MARK) - 1);
	size_t at = comment_before(s, i, mark);

	if (at == SPAN_NONE || (rest.n && !strchr(" \t:,", rest.p[0])))
		return;
	if (s->language & SLASHES) /* a block comment may end before its line does */
		rest = span_head(rest, span_find(rest, S("*/")));
	while (rest.n) {
		size_t n = 0;
		while (n < rest.n && strchr(" \t:,\r", rest.p[n]))
			n++;
		rest = span_from(rest, n);
		for (n = 0; n < rest.n && !strchr(" \t:,\r", rest.p[n]);)
			n++;
		if (!is_rule_word(span_head(rest, n)))
			break;
		buf_addf(&ids, "%s%.*s", ids.len ? " " : "", (int)n, rest.p);
		rest = span_from(rest, n);
	}
	s->f->bad |= ids.bad;
	rest = span_trim(rest);
	while (rest.n && strchr("-/:", rest.p[0]))
		rest = span_from(rest, 1);
	if (ids.len)
		say(s, i, at, span_head(line, line.n - span_ends(line, S("\r"))).n, false, buf_view(&ids),
		    span_trim(rest));
}

static bool has_word(struct span list, struct span word)
{
	while (list.n) {
		if (span_eq(span_trim(span_cut(&list, ',')), word))
			return true;
	}
	return false;
}

/* "//nolint", "//nolint:all", "//nolint:a,tocsin // why". */
static void scan_nolint(struct scan *s, size_t i, size_t mark)
{
	struct span line = s->lines[i], rest = span_from(line, mark + strlen("nolint"));
	size_t at = s->language & SLASHES ? comment_before(s, i, mark) : SPAN_NONE;

	if (at == SPAN_NONE || !span_starts(span_from(line, at), S("//")) ||
	    (rest.n && !strchr(" \t\r:", rest.p[0])))
		return;
	if (span_skip(&rest, S(":"))) {
		struct span list = span_head(rest, span_find(rest, S("//")));
		list = span_trim(list);
		if (!has_word(list, S("tocsin")) && !has_word(list, S("all")))
			return;
	}
	say(s, i, at, line.n, true, S("*"), S("nolint"));
}

static bool cut_lines(struct scan *s)
{
	size_t cap = 0;

	for (struct span rest = s->f->text; rest.n;) {
		if (!mem_grow(&s->lines, &cap, s->n, sizeof(*s->lines)))
			return false;
		s->lines[s->n++] = span_cut(&rest, '\n');
	}
	return true;
}

void lint_allow_scan(struct lint_file *f)
{
	struct scan s = { .f = f, .language = f->kind->language };

	if (span_find(f->text, S(MARK)) == SPAN_NONE &&
	    (!(s.language & SLASHES) || span_find(f->text, S("nolint")) == SPAN_NONE))
		return;
	f->bad |= !cut_lines(&s) || !find_ends(&s);
	for (size_t i = 0; i < s.n && !f->bad; i++) {
		size_t mark = span_find(s.lines[i], S(MARK));
		if (mark != SPAN_NONE)
			scan_own(&s, i, mark);
		mark = span_find(s.lines[i], S("nolint"));
		if (mark != SPAN_NONE)
			scan_nolint(&s, i, mark);
	}
	mem_free(s.lines);
	mem_free(s.next);
	mem_free(s.last);
}

/* ---- after all ---- */

#define COVERING_MAX 1000 /* comments that one finding is compared with: those nearest above it */

struct allow {
	const struct lint_fact *fact;
	struct span rules; /* "*": all */
	int from, to;      /* lines; both 0: the whole file */
	int reach;         /* the largest `to` of this one and those before it in the file */
	bool own, used;
};

static struct allow read_allow(const struct lint_fact *fact)
{
	struct allow a = { .fact = fact, .rules = fact->a };
	struct span rest = fact->c, from = span_cut(&rest, ' '), to = span_cut(&rest, ' ');
	int64_t n;

	a.from = span_int(from, &n) ? (int)n : 0;
	a.to = span_int(to, &n) ? (int)n : 0;
	a.to = a.from || a.to ? a.to : INT_MAX;
	a.own = span_eq(rest, S("own"));
	return a;
}

static bool names_rule(struct span ids, const char *id)
{
	if (span_eq(ids, S("*")))
		return true;
	while (ids.n) {
		const struct rule *r = rule_find(span_cut(&ids, ' '));
		if (r && !strcmp(r->id, id))
			return true;
	}
	return false;
}

static bool covers(const struct allow *a, const struct lint_finding *f)
{
	if (!names_rule(a->rules, f->rule->id))
		return false;
	return !f->at.line || (f->at.line >= a->from && f->at.line <= a->to);
}

/* What is allowed by nothing but words, and what allows nothing. */
static void judge_allow(struct lint_join *j, const struct allow *a)
{
	bool any_on = false;

	if (!a->own)
		return;
	if (!a->fact->b.n)
		lint_join_say(j, RULE_C01, a->fact->path, a->fact->at, &a->fact->a, 1);
	for (struct span rest = a->rules; rest.n;) {
		struct span word = span_cut(&rest, ' ');
		const struct rule *r = rule_find(word);
		any_on |= !r || j->on[r - rules];
	}
	if (!a->used && any_on)
		lint_join_say(j, RULE_C02, a->fact->path, a->fact->at, &a->fact->a, 1);
}

static int by_reach(const void *pa, const void *pb)
{
	const struct allow *a = pa, *b = pb;
	int r = strcmp(a->fact->path, b->fact->path);

	return r ? r : (a->from > b->from) - (a->from < b->from);
}

static void sort_allows(struct allow *all, size_t n)
{
	qsort(all, n, sizeof(*all), by_reach);
	for (size_t i = 0; i < n; i++) {
		bool same = i && !strcmp(all[i - 1].fact->path, all[i].fact->path);
		all[i].reach = same && all[i - 1].reach > all[i].to ? all[i - 1].reach : all[i].to;
	}
}

/* The first that is behind this line of this file. */
static size_t behind(const struct allow *all, size_t n, const char *path, int line)
{
	size_t low = 0;

	while (low < n) {
		size_t mid = (low + n) / 2;
		int r = strcmp(all[mid].fact->path, path);
		if (r < 0 || (r == 0 && all[mid].from <= line))
			low = mid + 1;
		else
			n = mid;
	}
	return low;
}

/* Without a reason it does not pass: the finding is said, and so is what is missing. */
static bool passes(struct allow *all, size_t n, const struct lint_finding *f)
{
	int line = f->at.line ? f->at.line : INT_MAX;
	bool allowed = false;

	for (size_t i = behind(all, n, f->path, line), tried = 0; i-- > 0 && tried < COVERING_MAX; tried++) {
		if (strcmp(all[i].fact->path, f->path) != 0 || (f->at.line && all[i].reach < line))
			break;
		if (covers(&all[i], f)) {
			all[i].used = true;
			allowed |= !all[i].own || all[i].fact->b.n;
		}
	}
	return allowed;
}

void lint_allow_join(struct lint_join *j)
{
	struct lint_result *r = j->result;
	size_t n = 0, count = j->n_facts[FACT_ALLOW];
	CLEANUP(mem_free) struct allow *all = mem_alloc((count + 1) * sizeof(*all));

	j->bad |= !all;
	if (!all || !count)
		return;
	for (size_t i = 0; i < count; i++)
		all[i] = read_allow(j->facts[FACT_ALLOW][i]);
	sort_allows(all, count);
	for (size_t i = 0; i < r->n; i++) {
		if (passes(all, count, &r->findings[i]))
			r->allowed++;
		else
			r->findings[n++] = r->findings[i];
	}
	r->n = n;
	for (size_t i = 0; i < count; i++)
		judge_allow(j, &all[i]);
}
