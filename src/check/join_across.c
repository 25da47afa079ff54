#include "base/mem.h"
#include "base/text.h"
#include "check/lint_own.h"

/* X: Go beside the pipelines that run it. Nothing is said where no pipeline runs go: then they are kept somewhere else. */

struct across {
	struct lint_join *j;
	const struct lint_fact *test; /* the first `go test` of a pipeline; NULL: none */
	struct span pipelines;        /* that were looked at, in words */
	struct map reached;           /* units that a pipeline leads to */
	bool checks;                  /* go vet, or a linter, runs somewhere */
	bool any_folder;              /* a command runs in folders that are not known */
};

/* "ci:PATH:JOB": PATH; absent: no pipeline. */
static struct span pipeline_of(struct span unit)
{
	struct span none = { 0 };

	return span_skip(&unit, S("ci:")) ? span_cut(&unit, ':') : none;
}

static bool starts_with_word(struct span s, struct span word)
{
	return span_starts(s, word) && (s.n == word.n || s.p[word.n] == ' ');
}

/* Does it run tests? */
static bool is_test(const struct lint_fact *go)
{
	static const char *const words[] = { "go test", "gotestsum", "ginkgo" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (starts_with_word(go->b, span_of(words[i])))
			return true;
	return starts_with_word(go->b, S("go")) && span_find(go->b, S(" test ")) != SPAN_NONE;
}

/* Does one of its words begin so: "-race", "-race=true", "-test.race"? */
static bool has_flag(struct span words, struct span flag)
{
	while (words.n) {
		struct span w = span_cut(&words, ' ');
		while (w.n && (w.p[0] == '-' || w.p[0] == '"' || w.p[0] == '\''))
			w = span_from(w, 1);
		span_skip(&w, S("test."));
		if (span_starts(w, flag) &&
		    (w.n == flag.n || w.p[flag.n] == '=' || w.p[flag.n] == '"' || w.p[flag.n] == '\''))
			return true;
	}
	return false;
}

/* A program of its own that runs tests, nobody sees how: `go run build.go test`. */
static bool is_runner(const struct lint_fact *go)
{
	return starts_with_word(go->b, S("go run")) && span_find(go->b, S("test")) != SPAN_NONE;
}

/* Something of it stands in a variable, or a template (which is masked by `_`): it may be anything. */
static bool is_open(struct span words)
{
	if (span_chr(words, '$') != SPAN_NONE || span_find(words, S("__")) != SPAN_NONE)
		return true;
	while (words.n)
		if (span_eq(span_cut(&words, ' '), S("_")))
			return true;
	return false;
}

static bool any_test(const struct across *a, struct span flag)
{
	const struct lint_join *j = a->j;

	for (size_t i = 0; i < j->n_facts[FACT_GO]; i++) {
		const struct lint_fact *go = j->facts[FACT_GO][i];
		if (is_runner(go) || (is_test(go) && (has_flag(go->b, flag) || is_open(go->b))))
			return true;
	}
	for (size_t i = 0; i < j->n_facts[FACT_GO_FLAGS]; i++)
		if (has_flag(j->facts[FACT_GO_FLAGS][i]->a, flag) || is_open(j->facts[FACT_GO_FLAGS][i]->a))
			return true;
	return false;
}

static void say(struct across *a, enum rule_id rule, const struct lint_fact *at, struct span what)
{
	const struct span args[] = { what, a->pipelines };

	lint_join_say(a->j, rule, at->path, at->at, args, ARRAY_LEN(args));
}

/* ---- what there is ---- */

static void name_pipelines(struct across *a)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct map seen = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < a->j->n_facts[FACT_GO]; i++) {
		struct span path = pipeline_of(a->j->facts[FACT_GO][i]->a);
		if (!path.n || map_get(&seen, path))
			continue;
		a->j->bad |= !map_put(&seen, path, a);
		if (n++ < 3)
			buf_addf(&b, "%s%.*s", b.len ? ", " : "", SPAN_ARG(path));
	}
	for (size_t i = 0; i < a->j->n_facts[FACT_RUNS]; i++) { /* go behind make, or a script */
		const struct lint_fact *runs = a->j->facts[FACT_RUNS][i];
		struct span path = pipeline_of(runs->a);
		if (!path.n || map_get(&seen, path) || !map_get(&a->j->watched, runs->a))
			continue;
		a->j->bad |= !map_put(&seen, path, a);
		if (n++ < 3)
			buf_addf(&b, "%s%.*s", b.len ? ", " : "", SPAN_ARG(path));
	}
	if (n > 3)
		buf_addf(&b, TR(" and %zu more", " 以及另外 %zu 个"), n - 3);
	map_free(&seen);
	a->pipelines = arena_span(&a->j->result->mem, buf_view(&b));
	a->j->bad |= b.bad;
}

/* From the pipelines to what they run, and what that runs. */
#define REACH_ROUNDS 16
static void reach_units(struct across *a)
{
	struct lint_join *j = a->j;
	bool more = true;

	for (int round = 0; more && round < REACH_ROUNDS && !j->bad; round++) {
		more = false;
		for (size_t i = 0; i < j->n_facts[FACT_RUNS] && !j->bad; i++) {
			const struct lint_fact *runs = j->facts[FACT_RUNS][i];
			if ((!pipeline_of(runs->a).n && !map_get(&a->reached, runs->a)) ||
			    map_get(&a->reached, runs->b))
				continue;
			j->bad |= !map_put(&a->reached, runs->b, a);
			more = true;
		}
	}
}

static bool is_reached(const struct across *a, const struct lint_fact *go)
{
	return pipeline_of(go->a).n || map_get(&a->reached, go->a);
}

static void look_at_commands(struct across *a)
{
	static const char *const checkers[] = { "go vet", "golangci-lint", "staticcheck", "revive",
						"gosec",  "nilaway",       "errcheck",    "go tool" };

	for (size_t i = 0; i < a->j->n_facts[FACT_GO]; i++) {
		const struct lint_fact *go = a->j->facts[FACT_GO][i];
		a->any_folder |= span_eq(go->c, S("*")) || is_open(go->c);
		for (size_t k = 0; k < ARRAY_LEN(checkers); k++)
			a->checks |= span_starts(go->b, span_of(checkers[k]));
		a->checks |= span_find(go->b, S("lint")) != SPAN_NONE;
		if (!a->test && is_test(go) && is_reached(a, go))
			a->test = go;
	}
}

/* ---- X01 ---- */

static bool is_below(struct span folder, struct span top)
{
	return span_eq(folder, top) ||
	       (folder.n > top.n && span_starts(folder, top) && (!top.n || folder.p[top.n] == '/'));
}

/* The module that a folder belongs to. */
static const struct lint_fact *module_of(const struct map *modules, struct span folder)
{
	for (;;) {
		const struct lint_fact *m = map_get(modules, folder);
		size_t slash = span_rchr(folder, '/');
		if (m || !folder.n)
			return m;
		folder = span_head(folder, slash == SPAN_NONE ? 0 : slash);
	}
}

static bool is_run(const struct across *a, struct span folder)
{
	for (size_t i = 0; i < a->j->n_facts[FACT_GO]; i++) {
		const struct lint_fact *go = a->j->facts[FACT_GO][i];
		if (is_below(go->c, folder) || span_find(go->b, folder) != SPAN_NONE)
			return true;
	}
	return false;
}

static void check_modules(struct across *a)
{
	struct lint_join *j = a->j;
	struct map modules = { 0 }, tested = { 0 };

	for (size_t i = 0; i < j->n_facts[FACT_MODULE]; i++)
		j->bad |= !map_put(&modules, j->facts[FACT_MODULE][i]->a,
				   (void *)(uintptr_t)j->facts[FACT_MODULE][i]);
	for (size_t i = 0; i < j->n_facts[FACT_GO_TESTS]; i++) {
		const struct lint_fact *m = module_of(&modules, j->facts[FACT_GO_TESTS][i]->a);
		if (m && m->a.n)
			j->bad |= !map_put(&tested, m->a, (void *)(uintptr_t)m);
	}
	for (size_t i = 0; i < j->n_facts[FACT_MODULE] && !a->any_folder; i++) {
		const struct lint_fact *m = j->facts[FACT_MODULE][i];
		if (map_get(&tested, m->a) && !is_run(a, m->a))
			say(a, RULE_X01, m, m->a);
	}
	map_free(&tested);
	map_free(&modules);
}

/* ---- X02 ---- */

/* Is it one of the tags that something of a pipeline, or a script, speaks of? */
static bool is_set(const struct across *a, struct span tag)
{
	for (size_t i = 0; i < a->j->n_facts[FACT_GO]; i++) {
		struct span words = a->j->facts[FACT_GO][i]->b;
		if (span_find(words, tag) != SPAN_NONE)
			return true;
	}
	for (size_t i = 0; i < a->j->n_facts[FACT_GO_FLAGS]; i++)
		if (span_find(a->j->facts[FACT_GO_FLAGS][i]->a, tag) != SPAN_NONE)
			return true;
	for (size_t i = 0; i < a->j->n_facts[FACT_GO_TAGS]; i++)
		if (span_find(a->j->facts[FACT_GO_TAGS][i]->a, tag) != SPAN_NONE)
			return true;
	return false;
}

/* Some command takes its tags, or all its flags, from a variable. */
static bool tags_open(const struct across *a)
{
	for (size_t i = 0; i < a->j->n_facts[FACT_GO]; i++)
		if (is_runner(a->j->facts[FACT_GO][i]) ||
		    (is_test(a->j->facts[FACT_GO][i]) && is_open(a->j->facts[FACT_GO][i]->b)))
			return true;
	return false;
}

static void check_tags(struct across *a)
{
	struct map said = { 0 };

	for (size_t i = 0; i < a->j->n_facts[FACT_GO_TESTS] && !tags_open(a) && !a->j->bad; i++) {
		const struct lint_fact *t = a->j->facts[FACT_GO_TESTS][i];
		if (!t->b.n || map_get(&said, t->b))
			continue;
		a->j->bad |= !map_put(&said, t->b, a);
		if (!is_set(a, t->b))
			say(a, RULE_X02, t, t->b);
	}
	map_free(&said);
}

/* ---- the others ---- */

static bool all_short(const struct across *a)
{
	for (size_t i = 0; i < a->j->n_facts[FACT_GO]; i++) {
		const struct lint_fact *go = a->j->facts[FACT_GO][i];
		if (is_runner(go))
			return false;
		if (is_test(go) &&
		    (!has_flag(go->b, S("short")) || span_find(go->b, S("short=false")) != SPAN_NONE))
			return false;
	}
	return true;
}

static void check_flags(struct across *a)
{
	struct lint_join *j = a->j;
	const struct lint_fact *starts = j->n_facts[FACT_GO_STARTS] ? j->facts[FACT_GO_STARTS][0] : NULL;

	if (j->n_facts[FACT_GO_SHORT] && all_short(a))
		say(a, RULE_X03, j->facts[FACT_GO_SHORT][0], S(""));
	if (starts && !any_test(a, S("race")))
		say(a, RULE_X04, a->test,
		    span_of(arena_printf(&j->result->mem, "%s:%d", starts->path, starts->at.line)));
	if (j->n_facts[FACT_GO_FUZZ] && !j->n_facts[FACT_FUZZED] && !any_test(a, S("fuzz")))
		say(a, RULE_X05, j->facts[FACT_GO_FUZZ][0], j->facts[FACT_GO_FUZZ][0]->b);
	if (!a->checks)
		say(a, RULE_X06, a->test, S(""));
}

void lint_join_across(struct lint_join *j)
{
	struct across a = { .j = j };

	name_pipelines(&a);
	reach_units(&a);
	look_at_commands(&a);
	if (a.pipelines.n && a.test && !j->bad) {
		check_modules(&a);
		check_tags(&a);
		check_flags(&a);
	}
	map_free(&a.reached);
}
