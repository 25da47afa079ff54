#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "check/lint_own.h"

/*
 * Comments that let findings pass: `tocsin:allow RULE… why` at the end of a line or on a line of its own above it, and golangci-lint's
 * `//nolint`. They are read line by line, whatever the language is; a statement that goes on over several lines counts as one.
 */
#define MARK "tocsin:allow"

struct scan {
	struct lint_file *f;
	struct span *lines;
	size_t n;
	bool slashes; /* comments begin with //, else with # */
};

/* Where the comment that ends with this mark begins; SPAN_NONE: the mark stands in none. */
static size_t comment_before(const struct scan *s, struct span line, size_t mark)
{
	size_t at = mark;

	while (at && (line.p[at - 1] == ' ' || line.p[at - 1] == '\t'))
		at--;
	size_t n = s->slashes ? 2 : 1;
	if (at < n || memcmp(line.p + at - n, s->slashes ? "//" : "#", n) != 0)
		return SPAN_NONE;
	at -= n;
	/* "http://tocsin:allow" and "a#b" are no comments. */
	return at && line.p[at - 1] != ' ' && line.p[at - 1] != '\t' ? SPAN_NONE : at;
}

static bool is_blank_before(struct span line, size_t at)
{
	return !span_trim(span_head(line, at)).n;
}

static bool is_comment_only(const struct scan *s, struct span line)
{
	struct span text = span_trim(line);

	return !text.n || span_starts(text, s->slashes ? S("//") : S("#"));
}

static size_t indent_of(struct span line)
{
	size_t n = 0;

	while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	return n;
}

/* The last line of what begins at `first`: of a line that is continued, or that opens a bracket which the same column closes. */
static size_t end_of(const struct scan *s, size_t first, bool block)
{
	size_t last = first;

	if (!s->slashes) {
		while (last + 1 < s->n && span_ends(span_trim(s->lines[last]), S("\\")))
			last++;
		return last;
	}
	struct span text = span_trim(s->lines[first]);
	if (!block || !text.n || !strchr("{(", text.p[text.n - 1]))
		return last;
	size_t column = indent_of(s->lines[first]);
	for (size_t i = first + 1; i < s->n; i++) {
		struct span line = s->lines[i];
		if (line.n > column && indent_of(line) == column && strchr("})", line.p[column]))
			return i;
	}
	return last;
}

/* The lines that a comment at `at` of line i speaks of; the whole file: 0, 0. */
static void reach_of(const struct scan *s, size_t i, size_t at, bool nolint, size_t ret[2])
{
	size_t first = i;

	if (is_blank_before(s->lines[i], at)) {
		for (first = i + 1; first < s->n && is_comment_only(s, s->lines[first]);)
			first++;
		if (nolint && first < s->n && span_starts(span_trim(s->lines[first]), S("package "))) {
			ret[0] = ret[1] = 0;
			return;
		}
	}
	ret[0] = first < s->n ? first + 1 : i + 1;
	ret[1] = first < s->n ? end_of(s, first, nolint && first != i) + 1 : i + 1;
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
	size_t at = comment_before(s, line, mark);

	if (at == SPAN_NONE || (rest.n && !strchr(" \t:,", rest.p[0])))
		return;
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
	size_t at = comment_before(s, line, mark);

	if (!s->slashes || at == SPAN_NONE || (rest.n && !strchr(" \t\r:", rest.p[0])))
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
	struct scan s = { .f = f, .slashes = f->kind->language & (RULE_GO | RULE_JENKINS) };

	if (span_find(f->text, S(MARK)) == SPAN_NONE &&
	    (!s.slashes || span_find(f->text, S("nolint")) == SPAN_NONE))
		return;
	f->bad |= !cut_lines(&s);
	for (size_t i = 0; i < s.n && !f->bad; i++) {
		size_t mark = span_find(s.lines[i], S(MARK));
		if (mark != SPAN_NONE)
			scan_own(&s, i, mark);
		mark = span_find(s.lines[i], S("nolint"));
		if (mark != SPAN_NONE)
			scan_nolint(&s, i, mark);
	}
	mem_free(s.lines);
}

/* ---- after all ---- */

struct allow {
	const struct lint_fact *fact;
	struct span rules; /* "*": all */
	int from, to;      /* lines; both 0: the whole file */
	bool own, used;
};

static struct allow read_allow(const struct lint_fact *fact)
{
	struct allow a = { .fact = fact, .rules = fact->a };
	struct span rest = fact->c, from = span_cut(&rest, ' '), to = span_cut(&rest, ' ');
	int64_t n;

	a.from = span_int(from, &n) ? (int)n : 0;
	a.to = span_int(to, &n) ? (int)n : 0;
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
	return (!a->from && !a->to) || !f->at.line || (f->at.line >= a->from && f->at.line <= a->to);
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

/* Facts are in the order of paths: those of this one begin here. */
static size_t first_of(const struct allow *all, size_t n, const char *path)
{
	size_t low = 0;

	while (low < n) {
		size_t mid = (low + n) / 2;
		if (strcmp(all[mid].fact->path, path) < 0)
			low = mid + 1;
		else
			n = mid;
	}
	return low;
}

/* Without a reason it does not pass: the finding is said, and so is what is missing. */
static bool passes(struct allow *all, size_t n, const struct lint_finding *f)
{
	bool allowed = false;

	for (size_t i = first_of(all, n, f->path); i < n && !strcmp(all[i].fact->path, f->path); i++)
		if (covers(&all[i], f)) {
			all[i].used = true;
			allowed |= !all[i].own || all[i].fact->b.n;
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
