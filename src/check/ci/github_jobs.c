#include "base/mem.h"
#include "base/text.h"
#include "check/ci/github_own.h"

/* What is judged of the jobs of a workflow, and of what they wait for. */

static void if_unit(struct lint_finding *x, bool watched, struct span unit)
{
	if (x && !watched)
		x->unit = unit;
}

static const struct ynode *key_of(const struct gh_job *j)
{
	return j->node->key ? j->node->key : j->node;
}

/* ---- who needs whom ---- */

static void see_needs(struct gh *g, struct gh_job *j, unsigned depth)
{
	const struct ynode *needs = yreal(g->y, j->needs);

	if (!needs || depth > 200)
		return;
	const struct ynode *v = needs->kind == YSEQ ? needs->first : needs;
	for (; v && (g->work += g->n) < GITHUB_WORK; v = needs->kind == YSEQ ? v->next : NULL) {
		struct gh_job *on = gh_job_find(g, ytext(g->y, v));
		if (on && !on->seen) {
			on->seen = true;
			see_needs(g, on, depth + 1);
		}
	}
}

/* ->seen of all that this job waits for. */
static void mark_needs(struct gh *g, struct gh_job *j)
{
	g->work += g->n;
	for (size_t i = 0; i < g->n; i++)
		g->jobs[i].seen = false;
	see_needs(g, j, 0);
}

static size_t count_needs(struct gh *g, const struct gh_job *j)
{
	const struct ynode *needs = yreal(g->y, j->needs);

	return !needs ? 0 : needs->kind == YSEQ ? needs->n : ytext(g->y, needs).n > 0;
}

/* ---- A08: a condition that is always true ---- */

void gh_condition_judge(struct gh *g, const struct ynode *cond)
{
	const struct ynode *n = yreal(g->y, cond);
	struct span text = ytext(g->y, n);
	size_t open = span_find(text, S("${{")), close;

	if (!n || n->kind != YSCALAR || open == SPAN_NONE)
		return;
	/* The first expression must reach from the first byte to the last: then the whole is its value, else it is a text. */
	close = span_find(span_from(text, open), S("}}"));
	if (close == SPAN_NONE || (open == 0 && open + close + 2 == text.n))
		return;
	/* A plain or quoted one is trimmed by nobody, but nobody writes blanks around it by chance either. */
	struct span rest = span_trim(text), line = span_trim(span_cut(&rest, '\n')),
		    shown = utf8_head(line, 80);
	lint_say(g->f, RULE_A08, cond->key->from, n->to,
		 lint_text(g->f, "%.*s%s", SPAN_ARG(shown), rest.n || shown.n < line.n ? " …" : ""));
}

/* ---- A02, A09 ---- */

static void judge_ignored_job(struct gh *g, struct gh_job *j)
{
	if (!j->ignore || !(j->watched || j->leads) || yci_is_tryout(j->id) ||
	    yci_is_tryout(yget_text(g->y, j->node, "name")))
		return;
	if_unit(lint_say(g->f, RULE_A02, j->ignore->key->from, j->ignore->to, yci_pair(g->f, g->y, j->ignore),
			 j->id),
		j->watched, j->unit);
}

static void judge_timeout(struct gh *g, struct gh_job *j)
{
	bool steps_limited = j->n > 0;

	for (size_t i = 0; i < j->n; i++)
		steps_limited &= !(j->steps[i].watched || j->steps[i].leads) ||
				 yget(g->y, j->steps[i].node, "timeout-minutes");
	if (j->uses || !(j->watched || j->leads) || steps_limited || yget(g->y, j->node, "timeout-minutes"))
		return;
	if_unit(lint_say(g->f, RULE_A09, key_of(j)->from, key_of(j)->to, j->id), j->watched, j->unit);
}

/* ---- A03, A04, A05, X07: jobs that send alerts ---- */

/* `needs.x.result` in a condition, without a function that looks at it although something failed. */
static bool asks_result(struct span cond)
{
	static const char *const bad[] = { "'failure'", "!= 'success'", "!='success'", "'cancelled'", NULL };

	return span_find(cond, S("needs.")) != SPAN_NONE && span_find(cond, S(".result")) != SPAN_NONE &&
	       yci_has(cond, bad);
}

static bool waits_for_go(struct gh *g, struct gh_job *j, bool *sure)
{
	bool any = false;

	mark_needs(g, j);
	*sure = false;
	for (size_t i = 0; i < g->n; i++) {
		any |= g->jobs[i].seen && (g->jobs[i].watched || g->jobs[i].leads);
		*sure |= g->jobs[i].seen && g->jobs[i].watched;
	}
	return any;
}

static void judge_skipped_alert(struct gh *g, struct gh_job *j)
{
	unsigned status = gh_status_of(j->cond_text);
	bool sure;

	if (status || !count_needs(g, j) || !waits_for_go(g, j, &sure))
		return;
	bool impossible = asks_result(j->cond_text), alerts = j->alerts && !j->watched;
	struct span raw = yci_raw(g->y, j->node);
	bool failure = yci_says_failure(raw) || yci_says_failure(j->id),
	     announce = yci_says_announce(raw) || yci_says_announce(j->id);
	if (!impossible &&
	    (!alerts || (announce && !yci_says_failure(j->id) && span_find(raw, S(".result")) == SPAN_NONE &&
			 span_find(raw, S("job.status")) == SPAN_NONE)))
		return;
	const struct ynode *where = j->cond ? j->cond : key_of(j);
	struct lint_finding *x = lint_say_as(g->f, RULE_A03,
					     impossible || failure ? rules[RULE_A03].severity : SEV_WARNING,
					     where == j->cond ? where->key->from : where->from, where->to,
					     lint_text(g->f, TR("job %.*s", "作业 %.*s"), SPAN_ARG(j->id)),
					     S("if: failure() || cancelled()"));
	if (!j->cond)
		yci_line_above(g->f, g->y, j->needs, x, failure, "if: failure() || cancelled()");
	if_unit(x, sure, j->unit);
	if (x && !sure)
		x->unit = g->unit;
}

static void judge_no_ancestor(struct gh *g, struct gh_job *j)
{
	if (count_needs(g, j) || gh_status_of(j->cond_text) != GH_FAILURE ||
	    span_find(j->cond_text, S("||")) != SPAN_NONE)
		return;
	lint_say(g->f, RULE_A04, j->cond->key->from, j->cond->to, j->id);
}

static void judge_only_failure(struct gh *g, struct gh_job *j)
{
	struct span cond = j->cond_text;
	const struct ynode *n = yreal(g->y, j->cond);

	if (!j->alerts || !count_needs(g, j) || gh_status_of(cond) != GH_FAILURE ||
	    span_find(cond, S("'cancelled'")) != SPAN_NONE)
		return;
	struct lint_finding *x = lint_say(g->f, RULE_A05, j->cond->key->from, n->to, j->id);
	size_t at = span_find(span_head(span_from(g->y->text, n->from), n->to - n->from), S("failure()"));
	bool alone = span_eq(span_trim(cond), S("failure()")) ||
		     span_eq(span_trim(cond), S("${{ failure() }}"));
	if (at != SPAN_NONE)
		lint_edit(g->f, x, true, n->from + (uint32_t)at, n->from + (uint32_t)at + 9,
			  alone ? S("failure() || cancelled()") : S("(failure() || cancelled())"));
}

/* Go jobs whose failure this alert job does not hear of. */
static void judge_missed_jobs(struct gh *g, struct gh_job *j)
{
	unsigned status = gh_status_of(j->cond_text);
	bool sure;
	int n = 0;

	if (!j->alerts || j->watched || !count_needs(g, j) || !(status & (GH_FAILURE | GH_ALWAYS)) ||
	    !waits_for_go(g, j, &sure) || !sure)
		return;
	for (size_t i = 0; i < g->n && n < 20; i++) {
		struct gh_job *other = &g->jobs[i];
		if (other == j || other->seen || other->off || other->ignore || other->alerts ||
		    !(other->watched || other->leads))
			continue;
		mark_needs(g, other);
		bool later = j->seen; /* it waits for the alert itself */
		mark_needs(g, j);
		if (later)
			continue;
		if_unit(lint_say(g->f, RULE_X07, j->needs->key ? j->needs->key->from : j->needs->from,
				 j->needs->to, j->id, other->id),
			other->watched, other->unit);
		n++;
	}
}

/* ---- A06, A07: jobs that stand for others ---- */

static bool only_echoes(const struct gh_job *j)
{
	for (size_t i = 0; i < j->n; i++) {
		struct span rest = j->steps[i].text;
		if (!j->steps[i].run)
			return false;
		while (rest.n) {
			struct span line = span_trim(span_cut(&rest, '\n'));
			if (line.n && !span_starts(line, S("echo ")) && !span_eq(line, S("exit 0")) &&
			    !span_eq(line, S("true")) && !span_starts(line, S("#")) && !span_eq(line, S(":")))
				return false;
		}
	}
	return j->n > 0;
}

static bool is_gate(struct gh *g, const struct gh_job *j)
{
	static const char *const words[] = { "gate",        "all-green",  "all_green",  "allgreen",
					     "ci-ok",       "ci_ok",      "ci-success", "ci_success",
					     "ci-pass",     "required",   "all-checks", "all_checks",
					     "checks-pass", "tests-pass", "all-tests",  "all-jobs",
					     "conclusion",  "ci-status",  "ci-done",    NULL };

	if (count_needs(g, j) == 0 || j->alerts || j->watched || j->leads || j->uses)
		return false;
	for (size_t i = 0; i < j->n; i++)
		if (j->steps[i].uses && !span_starts(j->steps[i].action, S("actions/checkout")))
			return false;
	return yci_has(j->id, words) || yci_has(yget_text(g->y, j->node, "name"), words) || only_echoes(j);
}

static bool reads_results(struct gh *g, const struct gh_job *j)
{
	static const char *const words[] = { "needs.",     "tojson(needs", "needs[",
					     "join(needs", "needs_json",   NULL };

	return yci_has(yci_raw(g->y, j->node), words);
}

static void judge_gate(struct gh *g, struct gh_job *j)
{
	unsigned status = gh_status_of(j->cond_text);
	bool sure, go;

	if (!is_gate(g, j))
		return;
	go = waits_for_go(g, j, &sure);
	if (!go)
		return;
	struct lint_finding *x = NULL;
	/* In the condition or in a step: somebody looks at them. */
	if ((status & (GH_ALWAYS | GH_NEGATED)) && !reads_results(g, j))
		x = lint_say(g->f, RULE_A06, j->cond->key->from, j->cond->to, j->id);
	else if (!status && g->pull && !j->cond)
		x = lint_say(g->f, RULE_A07, key_of(j)->from, key_of(j)->to, j->id);
	if_unit(x, sure, g->unit);
}

void gh_jobs_judge(struct gh *g)
{
	for (size_t i = 0; i < g->n && g->work < GITHUB_WORK; i++) {
		struct gh_job *j = &g->jobs[i];
		gh_condition_judge(g, j->cond);
		if (j->off)
			continue;
		judge_ignored_job(g, j);
		judge_timeout(g, j);
		judge_skipped_alert(g, j);
		judge_no_ancestor(g, j);
		judge_only_failure(g, j);
		judge_missed_jobs(g, j);
		judge_gate(g, j);
	}
	if (g->work >= GITHUB_WORK)
		lint_limit(g->f, TR("too many jobs that need each other: not all of them were judged",
				    "相互依赖的作业过多：未全部检查"));
}
