#include "base/mem.h"
#include "check/ci/github_own.h"

/* What is judged of the steps of a job. */

/* A finding that holds only if the unit leads to a watched command. */
static void if_watched(struct lint_finding *x, bool watched, struct span unit)
{
	if (x && !watched)
		x->unit = unit;
}

/* The file's text from here to the end of the job. */
static struct span behind(const struct gh *g, const struct gh_job *j, uint32_t from)
{
	return span_head(span_from(g->y->text, from), j->node->to > from ? j->node->to - from : 0);
}

/* ---- A01: continue-on-error ---- */

static bool outcome_is_read(struct gh *g, const struct gh_job *j, const struct gh_step *s)
{
	struct span id = yget_text(g->y, s->node, "id"),
		    rest = span_head(behind(g, j, s->node->from), 16 << 10);
	struct span outputs = yci_raw(g->y, yget(g->y, j->node, "outputs"));

	if (!id.n)
		return false;
	struct span name = lint_text(g->f, "steps.%.*s.outcome", SPAN_ARG(id));
	return span_find(rest, name) != SPAN_NONE || span_find(outputs, name) != SPAN_NONE;
}

static void judge_ignored(struct gh *g, struct gh_job *j, struct gh_step *s, size_t at)
{
	if (!s->ignore || !(s->watched || s->leads) || outcome_is_read(g, j, s) ||
	    yci_is_tryout(yget_text(g->y, s->node, "name")) || yci_is_tryout(j->id))
		return;
	if_watched(lint_say(g->f, RULE_A01, s->ignore->key->from, s->ignore->to,
			    yci_pair(g->f, g->y, s->ignore), gh_step_name(g, s, at)),
		   s->watched, s->unit);
}

/* ---- A03: an alert that success() keeps from being sent ---- */

/* `needs.x.result == 'failure'`, `job.status == 'failure'`: with the success() that is implied, this is never true. */
static bool asks_for_failure(struct span cond)
{
	static const char *const results[] = { ".result", ".conclusion", "job.status", NULL };
	static const char *const bad[] = { "'failure'", "!= 'success'", "!='success'", "'cancelled'", NULL };

	return yci_has(cond, results) && yci_has(cond, bad) &&
	       span_find(cond, S("workflow_run")) == SPAN_NONE && span_find(cond, S("inputs.")) == SPAN_NONE;
}

static void judge_alert(struct gh *g, struct gh_job *j, struct gh_step *s, size_t at, bool after_go)
{
	struct span cond = ytext(g->y, s->cond), raw = yci_raw(g->y, s->node);

	if (!s->alerts || s->watched || gh_status_of(cond) || !after_go || g->after)
		return;
	bool impossible = asks_for_failure(cond);
	if (!impossible && (!yci_says_failure(raw) || yci_says_announce(yget_text(g->y, s->node, "name"))))
		return;
	if (!impossible && (gh_status_of(j->cond_text) & (GH_FAILURE | GH_ALWAYS)))
		return;
	const struct ynode *where = s->cond ? s->cond : s->uses ? s->uses : s->run;
	struct lint_finding *x =
		lint_say(g->f, RULE_A03, where->key->from, where == s->cond ? where->to : where->key->to,
			 lint_text(g->f, TR("step %.*s", "步骤 %.*s"), SPAN_ARG(gh_step_name(g, s, at))),
			 S("if: always()"));
	if (!s->cond)
		yci_line_above(g->f, g->y, where, x, true, "if: always()");
	if_watched(x, j->watched, j->unit);
}

/* ---- A10: a secret that pull requests of forks do not have ---- */

static void judge_fork_secret(struct gh *g, struct gh_job *j, struct gh_step *s)
{
	static const char *const guards[] = { "github.event", "github.ref", "github.head", "github.base",
					      "github.actor", "env.",       "secrets.",    "vars.",
					      "repository",   NULL };
	static const char *const tests[] = { "-n \"$", "-z \"$", "-z \"${", "-n \"${", "-n $", "-z $", NULL };
	struct span secret = yci_secret_in(yci_raw(g->y, s->node));

	if (!g->pull || !s->alerts || !secret.n || yci_has(ytext(g->y, s->cond), guards) ||
	    yci_has(j->cond_text, guards) || yci_has(s->text, tests))
		return;
	const struct ynode *where = s->uses ? s->uses : s->run;
	lint_say(g->f, RULE_A10, where->key->from, where->key->to, secret);
}

/* ---- W08: no address, no alert, no word ---- */

/* A step of the job says that something is not set. */
static bool says_unset(struct gh *g, const struct gh_job *j)
{
	static const char *const unset[] = { "== ''", "==''", NULL };

	for (size_t i = 0; i < j->n; i++)
		if (yci_has(ytext(g->y, j->steps[i].cond), unset))
			return true;
	return false;
}

static void judge_silent(struct gh *g, struct gh_step *s)
{
	static const char *const set[] = { "!= ''", "!=''", NULL };
	struct span cond = ytext(g->y, s->cond), name = cond;
	size_t at = span_find(cond, S("env."));

	at = at == SPAN_NONE ? span_find(cond, S("secrets.")) : at;
	if (!s->alerts || at == SPAN_NONE || !yci_has(cond, set))
		return;
	name = span_from(name, at);
	lint_say(g->f, RULE_W08, s->cond->key->from, s->cond->to,
		 span_trim(span_head(name, span_chr(name, '!'))));
}

/* ---- A11: code of strangers with the secrets of the repository ---- */

static bool is_strangers(struct span ref)
{
	static const char *const words[] = { "github.event.pull_request.head.", "github.head_ref",
					     "refs/pull/", "github.event.workflow_run.head_", NULL };

	return yci_has(ref, words);
}

static bool runs_code(const struct gh_step *s)
{
	return s->run || s->watched || span_starts(s->action, S("./")) ||
	       span_starts(s->action, S("docker/build-push-action"));
}

/* A step that starts something which the pull request can have written: what only reads it is left to a person to judge. */
static bool surely_runs_code(struct gh *g, const struct gh_step *s)
{
	static const char *const starters[] = { "make", "npm ",   "npx ",   "yarn",  "pnpm",    "python",
						"pip ", "node ",  "bash ",  " sh ",  "docker",  "cargo ",
						"mvn",  "gradle", "bundle", "mage ", "source ", "golang",
						"\n./", "&& ./",  "; ./",   NULL };

	if (!s->run)
		return runs_code(s);
	return s->watched || s->leads || span_starts(ytext(g->y, s->run), S("./")) ||
	       yci_has(ytext(g->y, s->run), starters);
}

/* The steps of a job seen from behind: 1 + the last one that may run code, and that surely does. */
struct last {
	size_t runs, surely;
};

static struct last last_of(struct gh *g, const struct gh_job *j)
{
	struct last ret = { 0 };

	for (size_t i = j->n; i > 0 && (g->target || g->after) && !(ret.runs && ret.surely); i--) {
		if (!ret.runs && runs_code(&j->steps[i - 1]))
			ret.runs = i;
		if (!ret.surely && surely_runs_code(g, &j->steps[i - 1]))
			ret.surely = i;
	}
	return ret;
}

static void judge_checkout(struct gh *g, struct gh_job *j, struct gh_step *s, size_t at,
			   const struct last *last)
{
	static const char *const guards[] = { "label", "author_association", "safe to test",
					      "actor", "head.repo",          "permission",
					      NULL };
	const struct ynode *with = yget(g->y, s->node, "with"), *ref = yfind(g->y, with, "ref");

	if (!(g->target || g->after) || !span_starts(s->action, S("actions/checkout")))
		return;
	if (!is_strangers(ytext(g->y, ref)))
		ref = yfind(g->y, with, "repository");
	if (!is_strangers(ytext(g->y, ref)))
		return;
	if (last->runs <= at + 1)
		return;
	/* A workflow_run runs after any event: only a pull request's code is a stranger's. */
	bool guarded = last->surely <= at + 1 || yci_has(j->cond_text, guards) ||
		       yci_has(ytext(g->y, s->cond), guards) || yget(g->y, j->node, "environment") ||
		       (!g->target && span_find(j->cond_text, S("workflow_run")) != SPAN_NONE);
	lint_say_as(g->f, RULE_A11, guarded ? SEV_WARNING : rules[RULE_A11].severity, ref->key->from, ref->to,
		    g->target ? S("pull_request_target") : S("workflow_run"), span_trim(ytext(g->y, ref)));
}

/* ---- A14: reports that are lost when they are wanted ---- */

static bool uploads_report(struct gh *g, const struct gh_step *s)
{
	static const char *const actions[] = { "dorny/test-reporter",
					       "mikepenz/action-junit-report",
					       "EnricoMi/publish-unit-test-result-action",
					       "phoenix-actions/test-reporting",
					       "test-summary/action",
					       NULL };
	const struct ynode *with = yget(g->y, s->node, "with");

	if (yci_has(s->action, actions))
		return true;
	return span_starts(s->action, S("actions/upload-artifact")) &&
	       (yci_is_report(yci_raw(g->y, with)) || yci_is_report(yget_text(g->y, s->node, "name")));
}

static void judge_upload(struct gh *g, struct gh_job *j, struct gh_step *s, bool watched_before,
			 bool led_before)
{
	struct span cond = ytext(g->y, s->cond);

	if (!(watched_before || led_before) || gh_status_of(cond) || asks_for_failure(cond) ||
	    !uploads_report(g, s))
		return;
	if (span_find(cond, S(".outcome")) != SPAN_NONE)
		return;
	const struct ynode *where = s->cond ? s->cond : s->uses;
	struct lint_finding *x = lint_say(g->f, RULE_A14, where->key->from, where->to, s->action);
	if (!s->cond)
		yci_line_above(g->f, g->y, where, x, true, "if: always()");
	if_watched(x, watched_before, j->unit);
}

void gh_steps_judge(struct gh *g, struct gh_job *j)
{
	bool watched = false, led = false; /* before this step */
	bool unset = says_unset(g, j);
	struct last last = last_of(g, j);

	for (size_t i = 0; i < j->n; i++) {
		struct gh_step *s = &j->steps[i];
		gh_condition_judge(g, s->cond);
		if (s->off)
			continue;
		judge_ignored(g, j, s, i);
		judge_alert(g, j, s, i, watched || led);
		judge_fork_secret(g, j, s);
		if (!unset)
			judge_silent(g, s);
		judge_checkout(g, j, s, i, &last);
		judge_upload(g, j, s, watched, led);
		watched |= s->watched && !s->ignore;
		led |= s->leads && !s->ignore;
	}
}
