#include "base/mem.h"
#include "check/ci/yci.h"

/* Drone and Woodpecker: documents of steps, each with an image and commands. */

#define DRONE_STEPS 5000

#define DRONE_PIPELINES 200

/* A document: what is known of it when all have been read. */
struct drone_pipeline {
	struct span name;
	const struct ynode *needs;
	bool on_failure, watched, leads, alerts;
	bool seen;
};
struct drone {
	struct lint_file *f;
	struct ytree *y;
	const struct ynode *pipeline;
	struct span unit;         /* "ci:PATH" */
	struct span name;         /* of the pipeline */
	bool windows, on_failure; /* it runs (also) when another one failed */
	bool watched, leads;      /* a step before this one */
	bool alerts;
	struct drone_pipeline *all;
	size_t n_all;
	size_t n;
};

/* `status: failure`, `[success, failure]`: does it hold failure? */
static bool status_has_failure(struct ytree *y, const struct ynode *status)
{
	const struct ynode *n = yreal(y, status);

	if (!n || n->kind != YSEQ)
		return span_eq(ytext(y, n), S("failure"));
	for (const struct ynode *v = n->first; v; v = v->next)
		if (span_eq(ytext(y, v), S("failure")))
			return true;
	return false;
}

/* `when:` is a mapping, or (Woodpecker) a list of them, any of which may hold; excluded states are no list of included ones. */
static bool runs_on_failure(struct ytree *y, const struct ynode *when)
{
	const struct ynode *n = yreal(y, when);

	if (!n)
		return false;
	if (n->kind == YMAP) {
		const struct ynode *status = yget(y, n, "status");
		return status && (status->kind == YMAP || status_has_failure(y, status));
	}
	for (const struct ynode *v = n->kind == YSEQ ? n->first : NULL; v; v = v->next)
		if (yis(y, v, YMAP) &&
		    (yis(y, yfind(y, v, "status"), YMAP) || status_has_failure(y, yfind(y, v, "status"))))
			return true;
	return false;
}

static void run_commands(struct drone *d, const struct ynode *commands, struct span unit, bool ignored,
			 struct shell_told *ret)
{
	CLEANUP(mapped_free) struct mapped text = { 0 };
	struct shell_run how = { .shell = d->windows ? SHELL_PWSH : SHELL_SH,
				 .place = SHELL_CI,
				 .errexit = SHELL_ON,
				 .unit = unit,
				 .ignored = ignored };

	how.cwd = S("");
	yci_join(d->f, &text, d->y, commands, NULL);
	yci_run_text(d->f, &text, &how, ret);
}

static void judge_alert(struct drone *d, const struct ynode *step, struct span name, struct span unit)
{
	struct span raw = yci_raw(d->y, step);
	const struct ynode *where = yfind(d->y, step, "image");

	if (!(d->watched || d->leads) || d->on_failure || runs_on_failure(d->y, yget(d->y, step, "when")) ||
	    !where)
		return;
	if (yci_says_announce(name))
		return;
	struct lint_finding *x = lint_say_as(
		d->f, RULE_A03,
		yci_says_failure(raw) || yci_says_failure(name) ? rules[RULE_A03].severity : SEV_WARNING,
		where->key->from, where->to, lint_text(d->f, TR("step %.*s", "步骤 %.*s"), SPAN_ARG(name)),
		S("when: status: [failure]"));
	if (x && !d->watched)
		x->unit = unit;
}

static void check_step(struct drone *d, const struct ynode *node, struct span name)
{
	struct ytree *y = d->y;
	const struct ynode *failure = yfind(y, node, "failure");
	bool ignored = span_eq(ytext(y, failure), S("ignore"));
	struct span unit = lint_text(d->f, "%.*s:%.*s", SPAN_ARG(d->unit), SPAN_ARG(name)),
		    image = yget_text(y, node, "image");
	struct shell_told told = { 0 };

	if (d->n++ > DRONE_STEPS)
		return;
	lint_fact(d->f, FACT_UNIT, node->from, node->to, unit, S(""), S(""));
	lint_fact(d->f, FACT_RUNS, 0, 0, d->unit, unit, S(""));
	yci_env(d->f, y, yget(y, node, "environment"), unit);
	run_commands(d, yget(y, node, "commands"), unit, ignored, &told);
	if (ignored && (told.watched || told.n_units) && !yci_is_tryout(name)) {
		struct lint_finding *x = lint_say(d->f, RULE_A01, failure->key->from, failure->to,
						  yci_pair(d->f, y, failure), name);
		if (x && !told.watched)
			x->unit = unit;
	}
	d->alerts |= told.alerts || (!yget(y, node, "commands") && yci_alert_action(d->f, image));
	if ((told.alerts || (!yget(y, node, "commands") && yci_alert_action(d->f, image))) && !told.watched)
		judge_alert(d, node, name, unit);
	d->watched |= told.watched && !ignored;
	d->leads |= told.n_units && !ignored;
}

static void check_pipeline(struct drone *d)
{
	struct ytree *y = d->y;
	const struct ynode *steps = yget(y, d->pipeline, "steps"), *trigger = yget(y, d->pipeline, "trigger");

	steps = steps ? steps : yget(y, d->pipeline, "pipeline");
	d->watched = d->leads = d->alerts = false;
	d->name = yget_text(y, d->pipeline, "name");
	d->windows = span_eq(yget_text(y, yget(y, d->pipeline, "platform"), "os"), S("windows"));
	d->on_failure = runs_on_failure(y, trigger) || status_has_failure(y, yget(y, d->pipeline, "runs_on"));
	yci_env(d->f, y, yget(y, d->pipeline, "environment"), d->unit);
	for (const struct ynode *v = yfirst(y, steps); v; v = v->next) {
		struct span name = v->key ? ykey(y, v) : yget_text(y, v, "name");
		if (yis(y, v, YMAP))
			check_step(d, yreal(y, v), name.n ? name : lint_text(d->f, "#%zu", d->n + 1));
	}
	if (d->all && d->n_all < DRONE_PIPELINES)
		d->all[d->n_all++] = (struct drone_pipeline){ .name = d->name,
							      .needs = yfind(y, d->pipeline, "depends_on"),
							      .on_failure = d->on_failure,
							      .watched = d->watched,
							      .leads = d->leads,
							      .alerts = d->alerts };
}

/* ---- X07: pipelines that wait for each other ---- */

static void see_needs(struct drone *d, const struct drone_pipeline *p, int depth)
{
	const struct ynode *needs = yreal(d->y, p->needs);

	for (const struct ynode *v = yis(d->y, needs, YSEQ) ? needs->first : NULL; v && depth < 20;
	     v = v->next)
		for (size_t i = 0; i < d->n_all; i++)
			if (!d->all[i].seen && span_eq(d->all[i].name, ytext(d->y, v))) {
				d->all[i].seen = true;
				see_needs(d, &d->all[i], depth + 1);
			}
}

static void judge_missed(struct drone *d, struct drone_pipeline *p)
{
	bool go = false, heard[DRONE_PIPELINES] = { false };

	if (!p->alerts || p->watched || !p->on_failure || !yis(d->y, p->needs, YSEQ))
		return;
	for (size_t k = 0; k < d->n_all; k++) { /* what other alert pipelines hear of */
		for (size_t i = 0; i < d->n_all; i++)
			d->all[i].seen = false;
		if (&d->all[k] != p && d->all[k].alerts && d->all[k].on_failure)
			see_needs(d, &d->all[k], 0);
		for (size_t i = 0; i < d->n_all; i++)
			heard[i] |= d->all[i].seen;
	}
	for (size_t i = 0; i < d->n_all; i++)
		d->all[i].seen = false;
	see_needs(d, p, 0);
	for (size_t i = 0; i < d->n_all; i++)
		go |= d->all[i].seen && d->all[i].watched;
	for (size_t i = 0; i < d->n_all && go; i++) {
		const struct drone_pipeline *other = &d->all[i];
		if (other != p && other->watched && !other->seen && !other->alerts && !heard[i])
			lint_say(d->f, RULE_X07, p->needs->key->from, yreal(d->y, p->needs)->to, p->name,
				 other->name);
	}
}

void drone_check(struct lint_file *f)
{
	struct ytree y = { 0 };
	struct drone d = { .f = f, .y = &y };

	if (!ytree_of(f, &y))
		return;
	d.unit = lint_text(f, "ci:%s", f->path);
	d.all = arena_alloc(f->scratch, DRONE_PIPELINES * sizeof(*d.all));
	f->bad |= !d.all;
	for (const struct ynode *doc = y.docs; doc; doc = doc->next) {
		struct span kind = yget_text(&y, doc, "kind");
		if (!yis(&y, doc, YMAP) || (kind.n && !span_eq(kind, S("pipeline"))))
			continue;
		d.pipeline = doc;
		check_pipeline(&d);
	}
	for (size_t i = 0; i < d.n_all; i++)
		judge_missed(&d, &d.all[i]);
	if (d.n > DRONE_STEPS)
		lint_limit(f,
			   TR("more than %d steps: the rest was not looked at", "超过 %d 个步骤：其余未检查"),
			   DRONE_STEPS);
	lint_fact(f, FACT_CI_WHEN, 0, 0, d.unit, S("change"), S(""));
	yci_once(f, 0);
	ytree_end(f, &y);
}
