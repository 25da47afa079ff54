#include <errno.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/sha256.h"
#include "check/ci/gitlab_own.h"

/*
 * Files of GitLab CI that include each other, judged as the one pipeline that they make: their texts are put behind one another, each
 * is parsed for itself (anchors do not reach over), and the mappings are merged. What is found is said of the file where it stands.
 */
#define TOGETHER_BYTES ((size_t)4 << 20)

struct pile {
	struct lint_pool *p;
	struct map *
		homes; /* of files that are not looked at by themselves: the file that what is said of them is put to */
	struct lint_file *f; /* of the whole */
	struct lint_part parts[GITLAB_INCLUDES];
	size_t n;
	struct buf text;
	const char *lost; /* why a file of it was not looked at */
	bool full;
};

static bool is_gitlab(const struct lint_file *f)
{
	return f->kind && f->kind->check == gitlab_check;
}

static int compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

size_t lint_pool_find(const struct lint_pool *p, struct span path)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int r = compare(span_of(p->tasks[mid].path), path);
		if (r == 0)
			return mid;
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return SIZE_MAX;
}

/* ---- which ---- */

#define MATCH_STEPS 20000 /* a pattern of many stars is not worth more */

static bool match(struct span pattern, struct span path, unsigned *steps)
{
	while (pattern.n && *pattern.p != '*') {
		if (!path.n || *path.p != *pattern.p)
			return false;
		pattern = span_from(pattern, 1);
		path = span_from(path, 1);
	}
	if (!pattern.n)
		return !path.n;
	bool any = span_skip(&pattern, S("**"));
	if (any)
		span_skip(&pattern, S("/"));
	else
		pattern = span_from(pattern, 1);
	while (++*steps < MATCH_STEPS) {
		if (match(pattern, path, steps))
			return true;
		if (!path.n || (!any && *path.p == '/'))
			return false;
		path = span_from(path, 1);
	}
	return false;
}

/* `**` is any run of bytes, `*` one within a name. */
static bool matches(struct span pattern, struct span path)
{
	unsigned steps = 0;

	return pattern.n < 1000 && match(pattern, path, &steps);
}

static void gather(struct pile *l, const char *path, int depth);

static void gather_included(struct pile *l, struct span pattern, int depth)
{
	struct lint_pool *p = l->p;

	if (span_chr(pattern, '*') == SPAN_NONE) {
		const char *path = arena_str(l->f->mem, pattern);
		p->bad |= !path;
		if (path)
			gather(l, path, depth + 1);
		return;
	}
	for (size_t i = 0; i < p->n; i++)
		if (is_gitlab(&p->files[i]) && matches(pattern, span_of(p->tasks[i].path)))
			gather(l, p->tasks[i].path, depth + 1);
}

/* Where the text of a file that is not looked at by itself includes others, that is read from it here. */
static void gather_read(struct pile *l, const char *path, struct span text, int depth)
{
	struct lint_file one = l->p->model;
	struct ytree y;
	struct gl g = { .f = &one, .y = &y };

	one.path = path;
	one.text = text;
	if (ytree_of(&one, &y)) {
		g.root = gl_main_document(&y, y.docs, UINT32_MAX);
		gl_includes(&g, yget(&y, g.root, "include"), (struct span){ 0 });
	}
	for (size_t i = 0; i < one.n_facts; i++)
		if (one.facts[i].kind == FACT_CI_INCLUDE)
			gather_included(l, one.facts[i].a, depth);
	l->p->bad |= one.bad;
	l->lost = l->lost ? l->lost : one.limit;
	mem_free(one.facts);
	mem_free(one.findings);
}

/* What a file includes comes before it. */
static void gather(struct pile *l, const char *path, int depth)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	size_t at = lint_pool_find(l->p, span_of(path));

	for (size_t i = 0; i < l->n; i++)
		if (span_eq(span_of(l->parts[i].path), span_of(path)))
			return;
	if (depth > 100 || l->n == GITLAB_INCLUDES || l->text.len > TOGETHER_BYTES) {
		l->full = true;
		return;
	}
	if (!l->p->read(l->p, path, &text)) {
		if (depth && at == SIZE_MAX && !l->lost)
			l->lost = lint_text(l->f,
					    TR("%s: is included, but is not there or empty",
					       "%s：被 include，但不存在或为空"),
					    path)
					  .p;
		return;
	}
	struct lint_part *part = &l->parts[l->n++]; /* taken at once: a file that includes itself ends here */
	*part = (struct lint_part){ path, 0, 0 };
	size_t own = l->n;
	if (at != SIZE_MAX && is_gitlab(&l->p->files[at])) {
		const struct lint_file *f = &l->p->files[at];
		for (size_t i = 0; i < f->n_facts; i++)
			if (f->facts[i].kind == FACT_CI_INCLUDE)
				gather_included(l, f->facts[i].a, depth);
	} else {
		gather_read(l, path, buf_view(&text), depth);
	}
	/* Behind those that it includes. */
	struct lint_part moved = l->parts[own - 1];
	memmove(&l->parts[own - 1], &l->parts[own], (l->n - own) * sizeof(moved));
	l->parts[l->n - 1] = moved;
	part = &l->parts[l->n - 1];
	part->from = (uint32_t)l->text.len;
	buf_span(&l->text, buf_view(&text));
	part->to = (uint32_t)l->text.len;
	buf_addc(&l->text, '\n'); /* belongs to none */
	l->p->bad |= l->text.bad;
}

/* ---- judging ---- */

static void judge(struct pile *l)
{
	struct lint_file *f = l->f;
	struct syntax *parser = lint_yaml_parser(f);
	struct ytree y = { .text = f->text, .mem = f->scratch };
	struct gl g = { .f = f, .y = &y, .unit = lint_text(f, "ci:%s", f->path) };
	struct err e = { 0 };

	for (size_t i = 0; i < l->n && parser && !f->bad; i++) {
		const struct ynode *last = y.docs;
		while (last && last->next)
			last = last->next;
		int r = ytree_add(parser, &y, l->parts[i].from, l->parts[i].to, &e);
		f->bad |= r == -ENOMEM;
		if (r < 0) {
			l->lost = lint_text(f, "%s: %s", l->parts[i].path, e.msg).p;
			continue;
		}
		const struct ynode *doc = gl_main_document(&y, last ? last->next : y.docs, l->parts[i].to);
		if (!doc)
			continue;
		gl_includes(&g, yget(&y, doc, "include"), (struct span){ 0 });
		g.root = gl_merge(&g, g.root, doc);
	}
	if (g.root && parser && !f->bad) {
		/* All that is in the tree is in it now. */
		for (struct ynode *v = g.root->first; v && !g.elsewhere; v = v->next)
			if (span_eq(ykey(&y, v), S("include")))
				v->kind = YNULL;
		gl_judge(&g);
	}
	f->bad |= y.bad;
	ytree_end(f, &y);
}

/* ---- whose it is ---- */

static const struct lint_part *part_at(const struct pile *l, uint32_t at)
{
	for (size_t i = 0; i < l->n; i++)
		if (at <= l->parts[i].to)
			return &l->parts[i];
	return &l->parts[l->n - 1];
}

static bool all_within(const struct lint_finding *x, const struct lint_part *part)
{
	for (size_t i = 0; i < x->n_edits; i++)
		if (x->edits[i].from < part->from || x->edits[i].to > part->to)
			return false;
	return true;
}

static void take_finding(struct lint_file *to, const struct lint_part *part, struct lint_finding x)
{
	if (!mem_grow(&to->findings, &to->cap, to->n, sizeof(x))) {
		to->bad = true;
		return;
	}
	x.path = part->path;
	x.from -= part->from;
	x.to = (x.to < part->to ? x.to : part->to) - part->from;
	if (!all_within(&x, part))
		x.n_edits = 0;
	for (size_t i = 0; i < x.n_edits; i++) {
		x.edits[i].from -= part->from;
		x.edits[i].to -= part->from;
	}
	to->findings[to->n++] = x;
}

static void take_fact(struct lint_file *to, const struct lint_part *part, struct lint_fact x)
{
	if (!mem_grow(&to->facts, &to->cap_facts, to->n_facts, sizeof(x))) {
		to->bad = true;
		return;
	}
	x.path = part->path;
	if (x.from || x.to) {
		x.from -= part->from;
		x.to = (x.to < part->to ? x.to : part->to) - part->from;
	}
	to->facts[to->n_facts++] = x;
}

/* What was said of a file alone, but its comments and includes, holds no more. */
static void forget(struct lint_file *f)
{
	size_t n = 0;

	f->n = 0;
	for (size_t i = 0; i < f->n_facts; i++)
		if (f->facts[i].kind == FACT_ALLOW || f->facts[i].kind == FACT_CI_INCLUDE)
			f->facts[n++] = f->facts[i];
	f->n_facts = n;
}

/* Two pipelines may share a file: what was said of it is said once. */
static bool is_said(const struct lint_file *f, size_t n, const struct lint_finding *x)
{
	for (size_t i = 0; i < n; i++)
		if (f->findings[i].rule == x->rule && f->findings[i].from == x->from &&
		    !strcmp(f->findings[i].path, x->path))
			return true;
	return false;
}

static void append(struct lint_pool *p, struct lint_file *to, const struct lint_file *from)
{
	const struct lint_part same = { from->path, 0, UINT32_MAX };
	size_t before = to->n < 1000 ? to->n : 1000;

	for (size_t i = 0; i < from->n; i++)
		if (!is_said(to, before, &from->findings[i]))
			take_finding(to, &same, from->findings[i]);
	for (size_t i = 0; i < from->n_facts; i++)
		take_fact(to, &same, from->facts[i]);
	p->bad |= to->bad || from->bad;
}

/* The part of what was found that stands in one file gets its lines there, and goes to that file. */
static void hand_out(struct pile *l, const struct lint_part *part, struct lint_file *root)
{
	struct lint_file *f = l->f, one = l->p->model;
	size_t at = lint_pool_find(l->p, span_of(part->path));
	bool own = at != SIZE_MAX && is_gitlab(&l->p->files[at]), is_root = part == &l->parts[l->n - 1];
	struct lint_file *home = own ? &l->p->files[at] : map_get(l->homes, span_of(part->path));

	one.path = part->path;
	one.text = span_head(span_from(f->text, part->from), part->to - part->from);
	one.kind = root->kind;
	sha256(one.text, one.sum);
	if (!home) {
		lint_allow_scan(&one);
		home = root;
		l->p->bad |= !map_put(l->homes, span_of(part->path), root);
	}
	for (size_t i = 0; i < f->n; i++)
		if (part_at(l, f->findings[i].from) == part)
			take_finding(&one, part, f->findings[i]);
	for (size_t i = 0; i < f->n_facts; i++) {
		bool whole = !f->facts[i].from && !f->facts[i].to;
		if (whole ? is_root : part_at(l, f->facts[i].from) == part)
			if (f->facts[i].kind != FACT_CI_INCLUDE)
				take_fact(&one, part, f->facts[i]);
	}
	l->p->place(&one);
	append(l->p, home, &one);
	mem_free(one.findings);
	mem_free(one.facts);
}

static void judge_pile(struct lint_pool *p, struct lint_file *root, struct map *homes)
{
	struct lint_file whole = p->model;
	CLEANUP(mem_free) struct pile *l = mem_zalloc(sizeof(*l));

	p->bad |= !l;
	if (!l)
		return;
	l->p = p;
	l->homes = homes;
	l->f = &whole;
	whole.path = root->path;
	gather(l, root->path, 0);
	if (l->n > 1 && !p->bad) {
		whole.text = buf_view(&l->text);
		whole.parts = l->parts;
		whole.n_parts = l->n;
		whole.kind = root->kind;
		judge(l);
		p->bad |= whole.bad;
		for (size_t i = 0; i < l->n; i++) {
			size_t at = lint_pool_find(p, span_of(l->parts[i].path));
			if (at != SIZE_MAX && is_gitlab(&p->files[at]) && !p->files[at].together) {
				forget(&p->files[at]);
				p->files[at].together = true;
			}
		}
		for (size_t i = 0; i < l->n; i++)
			hand_out(l, &l->parts[i], root);
		if (l->full)
			l->lost = lint_text(&whole,
					    TR("%s: more than %d included files: the rest was not looked at",
					       "%s：include 的文件超过 %d 个：其余未检查"),
					    root->path, GITLAB_INCLUDES)
					  .p;
		root->limit = root->limit ? root->limit : whole.limit;
	}
	if (l->lost)
		root->limit = root->limit ? lint_text(&whole, "%s; %s", root->limit, l->lost).p : l->lost;
	p->bad |= whole.bad;
	mem_free(whole.findings);
	mem_free(whole.facts);
	mem_free(whole.lines.at);
	buf_free(&l->text);
	arena_free(p->model.scratch);
}

/* ---- which are whole pipelines ---- */

static bool is_included(const struct lint_pool *p, const struct lint_file *f)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct lint_file *by = &p->files[i];
		for (size_t k = 0; is_gitlab(by) && by != f && k < by->n_facts; k++)
			if (by->facts[k].kind == FACT_CI_INCLUDE && matches(by->facts[k].a, span_of(f->path)))
				return true;
	}
	return false;
}

static bool includes(const struct lint_file *f)
{
	for (size_t i = 0; i < f->n_facts; i++)
		if (f->facts[i].kind == FACT_CI_INCLUDE)
			return true;
	return false;
}

void gitlab_together(struct lint_pool *p)
{
	struct map homes = { 0 };

	for (size_t i = 0; i < p->n && !p->bad; i++) {
		struct lint_file *f = &p->files[i];
		if (!is_gitlab(f) || !includes(f))
			continue;
		struct span name = path_base(span_of(f->path));
		if (span_eq(name, S(".gitlab-ci.yml")) || span_eq(name, S(".gitlab-ci.yaml")) ||
		    !is_included(p, f))
			judge_pile(p, f, &homes);
	}
	map_free(&homes);
}
