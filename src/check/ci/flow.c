#include "base/mem.h"
#include "check/ci/yci.h"

/*
 * Gitee Go and Yunxiao Flow. Their documents do not say with which flags the commands are run, so that only what loses a status with
 * any flags is found in them.
 */

#define FLOW_DEPTH 8
#define FLOW_NODES 20000

struct flow {
	struct lint_file *f;
	struct ytree *y;
	struct span unit;
	const char *const *texts; /* keys whose value is shell */
	size_t n;
};

static void check_commands(struct flow *w, const struct ynode *step, const struct ynode *commands,
			   struct span name)
{
	CLEANUP(mapped_free) struct mapped text = { 0 };
	struct shell_told told;
	struct span unit = lint_text(w->f, "%.*s:%.*s", SPAN_ARG(w->unit), SPAN_ARG(name));
	struct shell_run how = { .shell = SHELL_BASH,
				 .place = SHELL_CI,
				 .errexit = SHELL_MAYBE,
				 .pipefail = SHELL_MAYBE,
				 .xtrace = SHELL_MAYBE,
				 .unit = unit };

	how.cwd = S("");
	lint_fact(w->f, FACT_UNIT, step->from, step->to, unit, S(""), S(""));
	lint_fact(w->f, FACT_RUNS, 0, 0, w->unit, unit, S(""));
	yci_join(w->f, &text, w->y, commands, NULL);
	yci_run_text(w->f, &text, &how, &told);
}

/* Steps lie in stages, jobs and steps, as lists or as mappings by name: whatever has commands is one. */
static void walk(struct flow *w, const struct ynode *node, int depth)
{
	const struct ynode *n = yreal(w->y, node);
	bool step = false;

	if (!n || depth > FLOW_DEPTH || w->n > FLOW_NODES)
		return;
	if (n->kind == YMAP) {
		struct span name = n->key ? ykey(w->y, n) : yget_text(w->y, n, "name");
		const struct ynode *with = yget(w->y, n, "with"), *inputs = yget(w->y, n, "inputs");
		for (const char *const *key = w->texts; *key && !step; key++) {
			const struct ynode *text = yget(w->y, n, *key);
			text = text ? text : yget(w->y, with, *key);
			text = text ? text : yget(w->y, inputs, *key);
			step = text && text->kind != YMAP;
			if (step)
				check_commands(w, n, text, name.n ? name : lint_text(w->f, "#%zu", w->n));
		}
	}
	for (const struct ynode *v = step ? NULL : yfirst(w->y, n); v; v = v->next, w->n++)
		walk(w, v, depth + 1);
}

static void check(struct lint_file *f, const char *const *texts)
{
	struct ytree y;
	struct flow w = { .f = f, .y = &y, .texts = texts };

	if (!ytree_of(f, &y))
		return;
	w.unit = lint_text(f, "ci:%s", f->path);
	const struct ynode *stages = yget(&y, y.docs, "stages"), *steps = yget(&y, y.docs, "steps");
	walk(&w, stages ? stages : steps, 0);
	if (stages || steps)
		lint_fact(f, FACT_CI_WHEN, 0, 0, w.unit, S("change"), S(""));
	if (w.n > FLOW_NODES)
		lint_limit(f,
			   TR("more than %d values: the rest was not looked at", "超过 %d 个值：其余未检查"),
			   FLOW_NODES);
	yci_once(f, 0);
	ytree_end(f, &y);
}

void gitee_check(struct lint_file *f)
{
	static const char *const texts[] = { "commands", "script", "goals", NULL };

	check(f, texts);
}

void yunxiao_check(struct lint_file *f)
{
	static const char *const texts[] = { "run", NULL };

	check(f, texts);
}
