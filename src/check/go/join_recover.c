#include "base/mem.h"
#include "check/lint_own.h"

/* R02, R03 and G02 across the files of a package: who calls recover(), who defers whom, and what request handlers start. */

static struct span key_of(struct lint_join *j, struct span package, struct span name)
{
	char *key = arena_printf(&j->result->mem, "%.*s %.*s", SPAN_ARG(package), SPAN_ARG(name));

	j->bad |= !key;
	return span_of(key ? key : "");
}

static struct span last_name(struct span name)
{
	size_t dot = span_rchr(name, '.');

	return dot == SPAN_NONE ? name : span_from(name, dot + 1);
}

/* From "PACKAGE NAME" to the first fact of the kind; `last`: the name without its type. */
static void index_facts(struct lint_join *j, enum lint_fact_kind kind, bool last, struct map *ret)
{
	for (size_t i = 0; i < j->n_facts[kind] && !j->bad; i++) {
		const struct lint_fact *f = j->facts[kind][i];
		struct span key = key_of(j, f->a, last ? last_name(f->b) : f->b);
		if (!j->bad && !map_get(ret, key))
			j->bad |= !map_put(ret, key, (void *)f);
	}
}

/* h() in a deferred literal, and h calls recover(): one call too deep. */
static void too_deep(struct lint_join *j, const struct map *recovers)
{
	for (size_t i = 0; i < j->n_facts[FACT_GO_INDEFER] && !j->bad; i++) {
		const struct lint_fact *call = j->facts[FACT_GO_INDEFER][i];
		const struct lint_fact *h = map_get(recovers, key_of(j, call->a, call->b));
		if (!h)
			continue;
		const char *where = arena_printf(&j->result->mem, " (%s:%d)", h->path, h->at.line);
		j->bad |= !where;
		lint_join_say(j, RULE_R02, call->path, call->at,
			      (const struct span[]){ call->c, span_of(where ? where : "") }, 2);
	}
}

/* Names that the search for uses as a value knows of; see rule_recover.c. */
static bool is_looked_for(struct span name)
{
	bool joined = span_chr(name, '_') != SPAN_NONE;

	for (size_t i = 1; i < name.n && !joined; i++)
		joined = name.p[i] >= 'A' && name.p[i] <= 'Z';
	return joined && name.p[0] >= 'a' && name.p[0] <= 'z' &&
	       (span_find(name, S("ecover")) != SPAN_NONE || span_find(name, S("anic")) != SPAN_NONE ||
		span_find(name, S("rash")) != SPAN_NONE);
}

static void never_deferred(struct lint_join *j, const struct map *deferred, const struct map *called)
{
	for (size_t i = 0; i < j->n_facts[FACT_GO_RECOVERS] && !j->bad; i++) {
		const struct lint_fact *f = j->facts[FACT_GO_RECOVERS][i];
		struct span name = last_name(f->b), key;
		if (!is_looked_for(name))
			continue;
		key = key_of(j, f->a, name);
		if (!map_get(deferred, key) && !map_get(called, key))
			lint_join_say(j, RULE_R03, f->path, f->at, &f->b, 1);
	}
}

/* go f() in a handler of requests, and f defers no handler of panics. */
static void unguarded(struct lint_join *j)
{
	struct map guarded = { 0 };

	if (j->n_facts[FACT_GO_HANDLED])
		index_facts(j, FACT_GO_GUARDED, false, &guarded);
	for (size_t i = 0; i < j->n_facts[FACT_GO_HANDLED] && !j->bad; i++) {
		const struct lint_fact *f = j->facts[FACT_GO_HANDLED][i];
		if (!map_get(&guarded, key_of(j, f->a, f->b)))
			lint_join_say(j, RULE_G02, f->path, f->at, (const struct span[]){ f->b, f->c }, 2);
	}
	map_free(&guarded);
}

void golint_join_recover(struct lint_join *j)
{
	struct map recovers = { 0 }, deferred = { 0 }, called = { 0 };

	unguarded(j);
	index_facts(j, FACT_GO_RECOVERS, false, &recovers);
	if (recovers.count) {
		index_facts(j, FACT_GO_DEFERRED, true, &deferred);
		index_facts(j, FACT_GO_INDEFER, true, &called);
	}
	if (!j->bad && recovers.count) {
		too_deep(j, &recovers);
		never_deferred(j, &deferred, &called);
	}
	map_free(&recovers);
	map_free(&deferred);
	map_free(&called);
}
