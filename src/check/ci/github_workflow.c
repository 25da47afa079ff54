#include <strings.h>

#include "base/mem.h"
#include "base/path.h"
#include "check/ci/github_own.h"

/* What is judged of a workflow as a whole, and of the workflows of a tree together. */

/* ---- A12: workflow_run ---- */

static void say_names(struct gh *g)
{
	struct span name = yget_text(g->y, g->root, "name");
	const struct ynode *after = yget(g->y, yget(g->y, g->on, "workflow_run"), "workflows");

	lint_fact(g->f, FACT_WORKFLOW, 0, 0, name.n ? name : span_of(g->f->path), S(""), S(""));
	if (!after || !g->after)
		return;
	const struct ynode *v = after->kind == YSEQ ? after->first : after;
	for (; v; v = after->kind == YSEQ ? v->next : NULL) {
		struct span wanted = ytext(g->y, v);
		if (wanted.n && span_find(wanted, S("${{")) == SPAN_NONE &&
		    span_chr(wanted, '*') == SPAN_NONE)
			lint_fact(g->f, FACT_WORKFLOW_AFTER, v->from, v->to, wanted, S(""), S(""));
	}
}

/* ---- A13: concurrency ---- */

static bool pushes_to_main(struct gh *g)
{
	static const char *const mains[] = { "main", "master", "trunk", "develop", "release", "*", NULL };
	const struct ynode *push = yget(g->y, g->on, "push"), *branches = yget(g->y, push, "branches");

	if (!g->push)
		return false;
	if (!branches)
		return !yget(g->y, push, "tags");
	return yci_has(yci_raw(g->y, branches), mains);
}

static void judge_concurrency(struct gh *g)
{
	static const char *const unique[] = { "github.sha", "run_id", "run_number", "run_attempt", NULL };
	const struct ynode *c = yget(g->y, g->root, "concurrency"),
			   *cancel = yfind(g->y, c, "cancel-in-progress");

	if (!ytrue(g->y, cancel) || !pushes_to_main(g) || yci_has(yget_text(g->y, c, "group"), unique))
		return;
	bool watched = false;
	for (size_t i = 0; i < g->n; i++)
		watched |= g->jobs[i].watched;
	struct lint_finding *x = lint_say(g->f, RULE_A13, cancel->key->from, cancel->to);
	const struct ynode *value = yreal(g->y, cancel);
	if (x && value == cancel)
		lint_edit(g->f, x, false, value->from, value->to,
			  S("${{ github.event_name == 'pull_request' }}"));
	if (x && !watched)
		x->unit = g->unit;
}

/* ---- A15: only by the clock ---- */

static void say_when(struct gh *g)
{
	const struct ynode *schedule = yfind(g->y, g->on, "schedule");
	bool change = g->push || g->pull || g->target || g->after || g->call;

	if (g->schedule && !change && schedule)
		lint_fact(g->f, FACT_CI_WHEN, schedule->key->from, schedule->key->to, g->unit, S("schedule"),
			  S(""));
	else
		lint_fact(g->f, FACT_CI_WHEN, 0, 0, g->unit, S("change"), S(""));
}

/* ---- A16: secrets in reach of everything ---- */

/* Kept among the secrets, but a name or a place and no key. */
static bool names_only(struct span name)
{
	static const char *const ends[] = { "USER",       "USERNAME",   "REGION", "TENANCY",  "FINGERPRINT",
					    "IDENTITY",   "BUCKET",     "EMAIL",  "HOST",     "SUB_ID",
					    "ACCOUNT_ID", "PROJECT_ID", "ORG",    "TENANT_ID" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (span_ends(name, span_of(ends[i])))
			return true;
	return false;
}

static void judge_env(struct gh *g, const struct ynode *env, struct span where)
{
	if (!yis(g->y, env, YMAP))
		return;
	for (const struct ynode *v = yfirst(g->y, env); v; v = v->next) {
		struct span value = ytext(g->y, v), name = yci_secret_in(value);
		if (name.n && !names_only(name) && span_find(value, S("${{")) != SPAN_NONE)
			lint_say(g->f, RULE_A16, v->key->from, v->to, name, where);
	}
}

static void judge_secrets(struct gh *g)
{
	struct span text = g->y->text;
	size_t jobs = 0;

	for (size_t i = 0; i < g->n; i++)
		jobs += !g->jobs[i].uses;
	/* With one job of one step there is nobody else to see them. */
	if (jobs > 1 || (g->n && g->jobs[0].n > 1))
		judge_env(g, yget(g->y, g->root, "env"), span_of(TR("the whole workflow", "整个工作流")));
	for (size_t i = 0; i < g->n; i++)
		if (g->jobs[i].n > 1)
			judge_env(g, yget(g->y, g->jobs[i].node, "env"),
				  lint_text(g->f, TR("all of job %.*s", "整个作业 %.*s"),
					    SPAN_ARG(g->jobs[i].id)));
	for (size_t at = 0, found; (found = span_find(span_from(text, at), S("(secrets)"))) != SPAN_NONE;
	     at += found + 9) {
		size_t end = at + found;
		if (end >= 6 && !strncasecmp(text.p + end - 6, "tojson", 6))
			lint_say(g->f, RULE_A16, (uint32_t)end - 6, (uint32_t)end + 9, S("toJSON(secrets)"),
				 span_of(TR("one value", "一个值")));
	}
}

void gh_workflow_judge(struct gh *g)
{
	bool other = g->act;

	if (!other)
		say_names(g);
	judge_concurrency(g);
	say_when(g);
	judge_secrets(g);
}

/* ---- several files ---- */

static bool all_workflows_seen(const struct lint_options *o)
{
	static const char *const folders[] = {
		".", "./", ".github", ".github/", ".github/workflows", ".github/workflows/"
	};

	for (size_t i = 0; i < o->n_paths; i++)
		for (size_t k = 0; k < ARRAY_LEN(folders); k++)
			if (!strcmp(o->paths[i], folders[k]))
				return true;
	return o->n_paths == 0;
}

static void join_names(struct lint_join *j)
{
	for (size_t i = 0; i < j->n_facts[FACT_WORKFLOW_AFTER]; i++) {
		const struct lint_fact *f = j->facts[FACT_WORKFLOW_AFTER][i];
		if (!lint_fact_find(j, FACT_WORKFLOW, f->a, (struct span){ 0 }))
			lint_join_say(j, RULE_A12, f->path, f->at, &f->a, 1);
	}
}

static void join_when(struct lint_join *j)
{
	const struct lint_fact *scheduled = NULL;

	for (size_t i = 0; i < j->n_facts[FACT_CI_WHEN]; i++) {
		const struct lint_fact *f = j->facts[FACT_CI_WHEN][i];
		if (!map_get(&j->watched, f->a))
			continue;
		if (span_eq(f->b, S("change")))
			return;
		scheduled = scheduled ? scheduled : f;
	}
	if (scheduled) {
		struct span name = path_base(span_of(scheduled->path));
		lint_join_say(j, RULE_A15, scheduled->path, scheduled->at, &name, 1);
	}
}

void github_join(struct lint_join *j)
{
	if (all_workflows_seen(j->options)) {
		join_names(j);
		join_when(j);
	}
}
