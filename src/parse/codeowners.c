#include "parse/codeowners.h"

#include <errno.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"

#define PATTERN_MAX 1024
#define STEPS_MAX   20000000L /* under half a second; a real file takes thousands */

struct reader {
	struct codeowners *co;
	struct map sections; /* by name in lower case: its number + 1 */
	size_t section;      /* where we are, and its default owners */
	size_t first_default, n_defaults;
	int line;
	bool nomem;
};

static const struct tx whys[CO_WHY_COUNT] = {
	[CO_NEGATED] = { "GitHub knows no '!' in a pattern; the line does not count", "GitHub 的模式不支持“!”；此行无效" },
	[CO_BRACKETS] = { "GitHub knows no '[' or ']' in a pattern; the line does not count", "GitHub 的模式不支持“[”和“]”；此行无效" },
	[CO_HASH] = { "GitHub knows no '\\#' in a pattern; the line does not count", "GitHub 的模式不支持“\\#”；此行无效" },
	[CO_STARS] = { "three asterisks in a row are no pattern; the line does not count", "连续三个星号不是模式；此行无效" },
	[CO_OWNER] = { "an owner is a @user, an @org/team or a mail address; the line does not count",
		"所有者须为 @用户、@组织/团队或邮件地址；此行无效" },
	[CO_NOTHING] = { "'/' matches no file; the line does not count", "“/”不匹配任何文件；此行无效" },
	[CO_TEXT] = { "this is no text; the line does not count", "不是文本；此行无效" },
	[CO_LONG] = { "the pattern is longer than 1024 bytes; the line does not count", "模式超过 1024 字节；此行无效" },
	[CO_UNOWNED] = { "the line has no owner that counts, and its section no default", "此行没有有效的所有者，所在节也没有默认所有者" },
	[CO_SECTION] = { "the section's heading has no ']'; it is read as a pattern", "节标题缺少“]”；将作为模式读取" },
	[CO_NAMELESS] = { "the section has no name", "节没有名称" },
};

const char *codeowners_why(enum codeowners_why w)
{
	return tx(whys[w]);
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c) /* letters of other scripts too */
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static struct span trim(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s = span_from(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static struct span next_word(struct span *rest)
{
	struct span s = trim(*rest);
	size_t n = 0;

	while (n < s.n && !is_blank(s.p[n]))
		n++;
	*rest = span_from(s, n);
	return span_head(s, n);
}

/* Up to the first blank without a backslash before it. */
static struct span cut_pattern(struct span *line)
{
	struct span s = *line;
	size_t n = 0;

	while (n < s.n && (!is_blank(s.p[n]) || (n && s.p[n - 1] == '\\')))
		n++;
	*line = trim(span_from(s, n));
	return span_head(s, n);
}

static void note(struct reader *r, enum codeowners_why why)
{
	struct codeowners *co = r->co;

	if (co->n_notes == CODEOWNERS_NOTES_MAX)
		co->notes_dropped++;
	else
		co->notes[co->n_notes++] = (struct codeowners_note){ r->line, why };
}

/* ---- owners ---- */

/* "name" or "name/name/…": 0: neither, else how many names. */
static size_t names_in(struct span s)
{
	size_t n = 1;
	bool open = true; /* a name must begin */

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '/' && open)
			return 0;
		if (c != '/' && !is_word(c) && c != '-' && c != '.')
			return 0;
		open = c == '/';
		n += open;
	}
	return open ? 0 : n;
}

static bool is_mail(struct span s)
{
	size_t at = span_chr(s, '@');

	if (at == SPAN_NONE || at == 0 || at > 100)
		return false;
	struct span host = span_from(s, at + 1);
	return host.n && host.n <= 255 && span_chr(host, '@') == SPAN_NONE && is_word(host.p[host.n - 1]);
}

static bool github_owner(struct span s)
{
	if (s.p[0] == '@') {
		size_t names = names_in(span_from(s, 1));
		return names == 1 || names == 2;
	}
	return is_mail(s) && span_chr(span_from(s, span_chr(s, '@')), '.') != SPAN_NONE;
}

static bool is_role(struct span s)
{
	static const char *const roles[] = { "developer", "maintainer", "owner" };

	if (s.n && lower(s.p[s.n - 1]) == 's')
		s.n--;
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct span role = span_of(roles[i]);
		size_t k = 0;
		while (k < role.n && k < s.n && lower(s.p[k]) == role.p[k])
			k++;
		if (k == role.n && k == s.n)
			return true;
	}
	return false;
}

static bool gitlab_owner(struct span *s)
{
	while (s->n && (s->p[s->n - 1] == ',' || s->p[s->n - 1] == ';'))
		s->n--;
	if (span_starts(*s, S("@@")))
		return is_role(span_from(*s, 2));
	if (span_starts(*s, S("@")))
		return names_in(span_from(*s, 1)) > 0;
	return is_mail(*s);
}

static void add_owner(struct reader *r, struct span owner)
{
	struct codeowners *co = r->co;
	struct span kept = arena_span(&co->mem, owner);

	if (!kept.p || !mem_grow(&co->owners, &co->cap_owners, co->n_owners, sizeof(*co->owners)))
		r->nomem = true;
	else
		co->owners[co->n_owners++] = kept;
}

/* The words of a GitLab line; those that are no owners are passed over. */
static void gitlab_owners(struct reader *r, struct span text)
{
	while (text.n && !r->nomem) {
		struct span word = next_word(&text);
		if (word.n && gitlab_owner(&word))
			add_owner(r, word);
	}
}

/* ---- rules ---- */

static void add_rule(struct reader *r, struct codeowners_rule rule)
{
	struct codeowners *co = r->co;

	rule.line = r->line;
	rule.section = r->section;
	if (!rule.pattern.p || !mem_grow(&co->rules, &co->cap_rules, co->n_rules, sizeof(*co->rules)))
		r->nomem = true;
	else
		co->rules[co->n_rules++] = rule;
}

static struct span joined(struct reader *r, const char *before, struct span s, const char *behind)
{
	return span_of(arena_printf(&r->co->mem, "%s%.*s%s", before, SPAN_ARG(s), behind));
}

static bool github_bad(struct reader *r, struct span pattern)
{
	static const struct {
		struct span what;
		bool first;
		enum codeowners_why why;
	} bad[] = {
		{ S("!"), true, CO_NEGATED }, { S("\\#"), true, CO_HASH }, { S("["), false, CO_BRACKETS },
		{ S("]"), false, CO_BRACKETS }, { S("***"), false, CO_STARS },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		size_t at = span_find(pattern, bad[i].what);
		if (at == SPAN_NONE || (bad[i].first && at))
			continue;
		note(r, bad[i].why);
		return true;
	}
	if (span_eq(pattern, S("/"))) {
		note(r, CO_NOTHING);
		return true;
	}
	return false;
}

static void github_line(struct reader *r, struct span line)
{
	struct span pattern = cut_pattern(&line);
	struct codeowners_rule rule = { .first_owner = r->co->n_owners };

	if (github_bad(r, pattern))
		return;
	while (line.n && !r->nomem) {
		struct span word = next_word(&line);
		if (word.p[0] == '#')
			break;
		if (!github_owner(word)) {
			note(r, CO_OWNER);
			r->co->n_owners = rule.first_owner;
			return;
		}
		add_owner(r, word);
	}
	rule.n_owners = r->co->n_owners - rule.first_owner;
	size_t slash = span_chr(pattern, '/');
	bool dir = span_ends(pattern, S("/"));
	bool anchored = slash != SPAN_NONE && slash + 1 < pattern.n;
	span_skip(&pattern, S("/"));
	rule.below = !dir && !span_eq(pattern, S("*")) && !span_ends(pattern, S("/*")) && !span_eq(pattern, S("**")) &&
		     !span_ends(pattern, S("/**"));
	rule.pattern = joined(r, anchored ? "" : "**/", pattern, dir ? "**" : "");
	add_rule(r, rule);
}

/* "\ " is a blank and a leading "\#" a "#"; other escapes are the matcher's. */
static struct span gitlab_unescaped(struct reader *r, struct span s)
{
	char *z = arena_str(&r->co->mem, s);
	size_t n = 0;

	for (size_t i = 0; z && i < s.n; i++) {
		bool blank = s.p[i] == '\\' && i + 1 < s.n && is_blank(s.p[i + 1]);
		bool hash = i == 0 && span_starts(s, S("\\#"));
		if (blank)
			z[n++] = ' ';
		else
			z[n++] = s.p[i + hash];
		i += blank || hash;
	}
	if (!z) {
		r->nomem = true;
		return (struct span){ 0 };
	}
	z[n] = '\0';
	return (struct span){ z, n };
}

static void gitlab_line(struct reader *r, struct span line)
{
	struct span pattern = cut_pattern(&line);
	struct codeowners_rule rule = { .exclude = span_skip(&pattern, S("!")), .first_owner = r->co->n_owners };

	if (line.n)
		gitlab_owners(r, line);
	rule.n_owners = r->co->n_owners - rule.first_owner;
	if (!line.n) {
		rule.first_owner = r->first_default;
		rule.n_owners = r->n_defaults;
	}
	if (!rule.n_owners && !rule.exclude)
		note(r, CO_UNOWNED);
	pattern = gitlab_unescaped(r, pattern);
	if (r->nomem)
		return;
	bool dir = span_ends(pattern, S("/")), top = span_skip(&pattern, S("/"));
	rule.pattern = joined(r, top ? "" : "**/", pattern, dir ? "**/*" : "");
	add_rule(r, rule);
}

/* ---- sections ---- */

/* Is this "[Name]…" or "^[Name]…"? What is behind the name is left in *line. */
static bool cut_heading(struct span *line, struct span *name)
{
	struct span s = *line;

	span_skip(&s, S("^"));
	if (!span_skip(&s, S("[")) || span_chr(s, ']') == SPAN_NONE)
		return false;
	*name = span_cut(&s, ']');
	*line = s;
	return true;
}

/* The number of the section of this name, made when it is new. */
static size_t section_of(struct reader *r, struct span name)
{
	char *key = arena_str(&r->co->mem, name);

	for (size_t i = 0; key && i < name.n; i++)
		key[i] = lower(name.p[i]);
	uintptr_t at = key ? (uintptr_t)map_get(&r->sections, (struct span){ key, name.n }) : 0;
	if (!at) {
		at = r->co->n_sections + 1;
		/* A number in the place of a pointer: the map never looks at it. */
		if (!key || !map_put(&r->sections, (struct span){ key, name.n }, (void *)at)) { /* NOLINT */
			r->nomem = true;
			return 0;
		}
		r->co->n_sections++;
	}
	return at - 1;
}

static void gitlab_heading(struct reader *r, struct span name, struct span rest)
{
	struct span number = rest;
	size_t n = 0;

	if (!trim(name).n)
		note(r, CO_NAMELESS);
	r->section = section_of(r, name);
	r->first_default = r->co->n_owners;
	if (span_skip(&number, S("["))) { /* "[2]" */
		while (n < number.n && number.p[n] >= '0' && number.p[n] <= '9')
			n++;
		if (n < number.n && number.p[n] == ']')
			rest = span_from(number, n + 1);
	}
	for (n = 0; n < rest.n && (is_word(rest.p[n]) || is_blank(rest.p[n]) || strchr("@.-/+", rest.p[n]));)
		n++; /* what cannot be owners ends them: a comment may follow */
	if (n && is_blank(rest.p[0]))
		gitlab_owners(r, span_head(rest, n));
	r->n_defaults = r->co->n_owners - r->first_default;
}

static struct span next_line(struct span *text)
{
	return trim(span_cut(text, '\n'));
}

static enum codeowners_dialect guess(struct span text)
{
	struct span name;

	while (text.n) {
		struct span line = next_line(&text);
		if (cut_heading(&line, &name))
			return CODEOWNERS_GITLAB;
	}
	return CODEOWNERS_GITHUB;
}

static void read_line(struct reader *r, struct span line)
{
	struct span name, rest = line;

	if (!line.n || line.p[0] == '#')
		return;
	if (span_chr(line, '\0') != SPAN_NONE) {
		note(r, CO_TEXT);
		return;
	}
	if (r->co->dialect == CODEOWNERS_GITLAB && cut_heading(&rest, &name)) {
		gitlab_heading(r, name, rest);
		return;
	}
	if (cut_pattern(&rest).n > PATTERN_MAX)
		note(r, CO_LONG);
	else if (r->co->dialect == CODEOWNERS_GITHUB)
		github_line(r, line);
	else {
		if (line.p[0] == '[' || span_starts(line, S("^[")))
			note(r, CO_SECTION);
		gitlab_line(r, line);
	}
}

int codeowners_parse(struct span text, enum codeowners_dialect d, struct codeowners *ret, struct err *e)
{
	struct reader r = { .co = ret };

	*ret = (struct codeowners){ .dialect = d };
	if (text.n > CODEOWNERS_MAX)
		return err_set(e, EFBIG, TR("it is larger than 3 MB, and no forge reads it", "超过 3 MB，代码托管平台也不会读取"));
	span_skip(&text, S("\xef\xbb\xbf"));
	if (d == CODEOWNERS_AUTO)
		ret->dialect = guess(text);
	r.section = section_of(&r, S("codeowners")); /* what stands before the first heading: GitLab's name for it */
	while (text.n && !r.nomem) {
		r.line++;
		read_line(&r, next_line(&text));
	}
	map_free(&r.sections);
	return r.nomem ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
}

void codeowners_free(struct codeowners *co)
{
	mem_free(co->rules);
	mem_free(co->owners);
	arena_free(&co->mem);
	*co = (struct codeowners){ 0 };
}

void codeowners_free_cleanup(struct codeowners *co)
{
	codeowners_free(co);
}

/* ---- matching ---- */

/* One "[…]" at the start of p (behind the bracket) against a character: its length, 0 when it has no end. */
static size_t match_set(struct span p, uint32_t c, bool *hit)
{
	size_t i = 0;
	bool negated = p.n && (p.p[0] == '!' || p.p[0] == '^');
	uint32_t from, to;

	*hit = false;
	for (i = negated; i < p.n && p.p[i] != ']';) {
		i += p.p[i] == '\\' && i + 1 < p.n;
		i += utf8_decode(span_from(p, i), &from);
		to = from;
		if (i + 1 < p.n && p.p[i] == '-' && p.p[i + 1] != ']') {
			i++;
			i += p.p[i] == '\\' && i + 1 < p.n;
			i += utf8_decode(span_from(p, i), &to);
		}
		*hit |= from <= c && c <= to;
	}
	*hit ^= negated;
	return i < p.n ? i + 1 : 0;
}

/* One item of the pattern that is no "*" against the start of s. false: no match. */
static bool match_one(struct span *p, struct span *s, bool brackets, long *steps)
{
	uint32_t c;
	size_t n = utf8_decode(*s, &c), used = 1;
	bool hit;

	if (p->p[0] == '[' && brackets) {
		used = match_set(span_from(*p, 1), c, &hit);
		*steps += (long)(used ? used : p->n);
		if (!used || !hit)
			return false;
		used++;
	} else if (p->p[0] != '?') {
		size_t at = p->p[0] == '\\' && p->n > 1;
		if (p->p[at] != s->p[0])
			return false;
		used = at + 1;
		n = 1;
	}
	*p = span_from(*p, used);
	*s = span_from(*s, n);
	return true;
}

bool codeowners_element(struct span p, struct span s, bool brackets, long *steps)
{
	struct span star = { 0 }, back = { 0 };

	while (s.n) {
		(*steps)++;
		if (p.n && p.p[0] == '*') {
			p = span_from(p, 1);
			star = p;
			back = s;
			if (!p.n)
				return true;
		} else if (p.n && match_one(&p, &s, brackets, steps)) {
			continue;
		} else if (star.p) { /* the last "*" takes one more: no earlier one need be asked again */
			back = span_from(back, 1);
			s = back;
			p = star;
		} else {
			return false;
		}
	}
	while (p.n && p.p[0] == '*')
		p = span_from(p, 1);
	return !p.n;
}

/* The same idea, an element at a time, with "**" in the place of "*". */
static bool match_rule(const struct codeowners_rule *rule, struct span path, bool gitlab, long *steps)
{
	struct span pat = rule->pattern, star = { 0 }, back = { 0 };

	for (;;) {
		struct span p = pat, s = path, want = span_cut(&p, '/'), name = span_cut(&s, '/');
		(*steps)++;
		if (!pat.n && (!path.n || rule->below))
			return true;
		if (!path.n)
			return false;
		if (span_eq(want, S("**")) && (p.n || !gitlab)) {
			if (!p.n)
				return true;
			star = pat = p;
			back = path;
		} else if (pat.n && codeowners_element(want, name, gitlab, steps)) {
			pat = p;
			path = s;
		} else if (star.p) {
			span_cut(&back, '/');
			path = back;
			pat = star;
		} else {
			return false;
		}
	}
}

static void take(const struct codeowners *co, const struct codeowners_rule *rule, struct codeowners_hits *ret)
{
	if (!ret->n)
		ret->line = rule->line;
	for (size_t i = 0; i < rule->n_owners && ret->n < CODEOWNERS_HITS_MAX; i++) {
		struct span owner = co->owners[rule->first_owner + i];
		size_t k = 0;
		while (k < ret->n && !span_eq(ret->owner[k], owner))
			k++;
		if (k == ret->n)
			ret->owner[ret->n++] = owner;
	}
}

int codeowners_match(const struct codeowners *co, struct span path, struct codeowners_hits *ret, struct err *e)
{
	bool gitlab = co->dialect == CODEOWNERS_GITLAB;
	size_t n = gitlab ? co->n_sections : 1;
	CLEANUP(mem_free) const struct codeowners_rule **last = mem_zalloc((n ? n : 1) * sizeof(*last));
	CLEANUP(mem_free) bool *excluded = mem_zalloc(n);
	long steps = 0;

	*ret = (struct codeowners_hits){ 0 };
	if (!last || !excluded)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	for (size_t i = co->n_rules; i-- > 0;) { /* from the end: the last match is the first seen */
		const struct codeowners_rule *rule = &co->rules[i];
		if (steps > STEPS_MAX)
			return err_set(e, E2BIG, TR("its patterns take too long to compare with '%.*s'", "其模式与“%.*s”的比较耗时过长"),
				       SPAN_ARG(path));
		if (excluded[rule->section] || (last[rule->section] && !rule->exclude) ||
		    !match_rule(rule, path, gitlab, &steps))
			continue;
		if (rule->exclude)
			excluded[rule->section] = true;
		else
			last[rule->section] = rule;
		if (!gitlab)
			break;
	}
	for (size_t i = 0; i < n; i++) {
		if (last[i] && !excluded[i])
			take(co, last[i], ret);
	}
	return 0;
}
