#include "base/mem.h"
#include "check/ci/gitlab_own.h"
#include "check/ci/secret.h"

/* What is judged of the jobs of a GitLab file. */

static void if_unit(struct lint_finding *x, const struct gl_job *j)
{
	if (x && !j->watched)
		x->unit = j->unit;
}

/* ---- L01: allow_failure ---- */

static bool is_one_or_two(struct span code)
{
	return span_eq(code, S("1")) || span_eq(code, S("2"));
}

/* `exit_codes: 1`, `exit_codes: [1, 2]`: what go's commands fail with. */
static bool allows_go_failure(struct ytree *y, const struct ynode *allow)
{
	const struct ynode *codes = yget(y, allow, "exit_codes");

	if (!codes)
		return ytrue(y, allow);
	if (codes->kind != YSEQ)
		return is_one_or_two(ytext(y, codes));
	for (const struct ynode *v = codes->first; v; v = v->next)
		if (is_one_or_two(ytext(y, v)))
			return true;
	return false;
}

static bool is_manual(struct gl *g, const struct ynode *map)
{
	return span_eq(yget_text(g->y, map, "when"), S("manual"));
}

/* As it stands: "allow_failure: true", "exit_codes: [1, 2]". */
static struct span allowed_text(struct gl *g, const struct ynode *allow)
{
	const struct ynode *codes = yfind(g->y, allow, "exit_codes");

	if (codes && yis(g->y, codes, YSEQ))
		return lint_text(g->f, "exit_codes: %.*s",
				 SPAN_ARG(span_head(yci_raw(g->y, yreal(g->y, codes)), 40)));
	return yci_pair(g->f, g->y, codes ? codes : allow);
}

static void judge_allowed(struct gl *g, struct gl_job *j)
{
	const struct ynode *allow = gl_find_own(g, j, "allow_failure"),
			   *rules_list = yreal(g->y, gl_find_own(g, j, "rules"));
	const struct ynode *when = gl_find_own(g, j, "when");

	if (!(j->watched || j->leads) || yci_is_tryout(j->id))
		return;
	if (allow && allow->key && allows_go_failure(g->y, yreal(g->y, allow))) {
		const struct ynode *codes = yfind(g->y, allow, "exit_codes");
		struct span text = allowed_text(g, allow);
		allow = codes ? codes : allow;
		if_unit(lint_say(g->f, RULE_L01, allow->key->from, allow->to, text, j->id), j);
	} else if (!allow && when && when->key && span_eq(ytext(g->y, when), S("manual")) &&
		   !yci_says_announce(j->id)) {
		/* Whoever starts a test by hand looks at it; the pipeline does not. */
		if_unit(lint_say_as(g->f, RULE_L01, SEV_NOTE, when->key->from, when->to, S("when: manual"),
				    j->id),
			j);
	}
	for (const struct ynode *v = yis(g->y, rules_list, YSEQ) ? rules_list->first : NULL; v; v = v->next) {
		allow = yfind(g->y, v, "allow_failure");
		if (allow && allow->key && allows_go_failure(g->y, yreal(g->y, allow)) && !is_manual(g, v))
			if_unit(lint_say_as(g->f, RULE_L01, SEV_WARNING, allow->key->from, allow->to,
					    allowed_text(g, allow), j->id),
				j);
	}
}

/* ---- L02: alert jobs ---- */

static bool is_late(struct span when)
{
	return span_eq(when, S("on_failure")) || span_eq(when, S("always"));
}

/* The value that makes it run after a failure; NULL: nothing does. */
static const struct ynode *runs_after_failure(struct gl *g, const struct gl_job *j)
{
	const struct ynode *when = gl_find_own(g, j, "when"), *list = yreal(g->y, gl_find_own(g, j, "rules"));

	if (is_late(ytext(g->y, when)))
		return when;
	for (const struct ynode *v = yis(g->y, list, YSEQ) ? list->first : NULL; v; v = v->next)
		if (is_late(yget_text(g->y, v, "when")) ||
		    span_eq(yreal(g->y, v) ? yreal(g->y, v)->tag : S(""), S("!reference")))
			return v;
	return NULL;
}

/* A go job in this stage or a later one, whose failure comes too late for this job; *before: one in an earlier stage. */
static const struct gl_job *missed(struct gl *g, const struct gl_job *alert, bool *before)
{
	const struct gl_job *ret = NULL;

	*before = false;
	for (size_t i = 0; i < g->n; i++) {
		const struct gl_job *j = &g->jobs[i];
		if (j == alert || j->alerts || j->ignored || !(j->watched || j->leads))
			continue;
		if (j->stage < 0 || alert->stage < 0 || j->stage < alert->stage)
			*before = true;
		else if (!ret || (j->watched && !ret->watched))
			ret = j;
	}
	return ret;
}

static bool another_covers(struct gl *g, const struct gl_job *alert, int stage)
{
	for (size_t i = 0; i < g->n && (g->work += 10) < GITLAB_WORK; i++)
		if (&g->jobs[i] != alert && g->jobs[i].alerts && g->jobs[i].stage > stage &&
		    runs_after_failure(g, &g->jobs[i]))
			return true;
	return false;
}

static void judge_alert(struct gl *g, struct gl_job *j)
{
	const struct ynode *late = runs_after_failure(g, j), *where = gl_find_own(g, j, "stage");
	struct span raw = yci_raw(g->y, j->node);
	bool before;
	const struct gl_job *other = missed(g, j, &before);

	if (!j->alerts || j->watched || (!other && !before))
		return;
	if (!late) {
		bool sure = yci_says_failure(raw) || yci_says_failure(j->id);
		if (j->unresolved || !before || is_manual(g, j->node) ||
		    ((yci_says_announce(raw) || yci_says_announce(j->id)) && !yci_says_failure(j->id)))
			return;
		lint_say_as(
			g->f, RULE_L02, sure ? rules[RULE_L02].severity : SEV_WARNING,
			j->node->key ? j->node->key->from : j->node->from,
			j->node->key ? j->node->key->to : j->node->to, j->id,
			span_of(TR(
				"without when: on_failure (or always) it runs only when everything before it passed",
				"没有 when: on_failure（或 always），只在之前全部成功时运行")));
		return;
	}
	const struct ynode *needs = yreal(g->y, gl_find_own(g, j, "needs"));
	if (needs && needs->kind == YSEQ && !needs->n && span_eq(ytext(g->y, late), S("on_failure"))) {
		lint_say_as(
			g->f, RULE_L02, SEV_WARNING, late->key->from, late->to, j->id,
			span_of(TR(
				"with needs: [] it waits for no job, so that none has failed when it is judged",
				"needs: [] 表示不等待任何作业，判断时没有失败的作业")));
		return;
	}
	if (!other || other->stage < 0 || j->stage < 0 || needs || another_covers(g, j, other->stage))
		return;
	where = where && where->key ? where : late;
	struct lint_finding *x = lint_say_as(
		g->f, RULE_L02, before ? SEV_WARNING : rules[RULE_L02].severity,
		where->key ? where->key->from : where->from, where->to, j->id,
		lint_text(g->f,
			  TR("it looks at earlier stages only, and %.*s is in the same or a later one",
			     "它只看更早的阶段，而 %.*s 在同一或更晚的阶段"),
			  SPAN_ARG(other->id)));
	if (x && !other->watched)
		x->unit = other->unit;
}

/* ---- X07: what an alert job with needs: does not hear of ---- */

static struct gl_job *find_job(struct gl *g, struct span id)
{
	g->work += g->n / 8 + 1;
	for (size_t i = 0; i < g->n; i++)
		if (span_eq(g->jobs[i].id, id))
			return &g->jobs[i];
	return NULL;
}

static void see_needs(struct gl *g, struct gl_job *j, int depth)
{
	const struct ynode *needs = yreal(g->y, gl_find_own(g, j, "needs"));

	for (const struct ynode *v = yis(g->y, needs, YSEQ) ? needs->first : NULL;
	     v && depth < 50 && g->work < GITLAB_WORK; v = v->next) {
		struct span id = yis(g->y, v, YMAP) ? yget_text(g->y, v, "job") : ytext(g->y, v);
		struct gl_job *on = find_job(g, id);
		if (on && !on->seen) {
			on->seen = true;
			see_needs(g, on, depth + 1);
		}
	}
}

/* Whether it waits for a go job; ->seen of all that it waits for. */
static bool waits_for_go(struct gl *g, struct gl_job *j)
{
	bool any = false;

	for (size_t i = 0; i < g->n; i++)
		g->jobs[i].seen = false;
	see_needs(g, j, 0);
	for (size_t i = 0; i < g->n; i++)
		any |= g->jobs[i].seen && g->jobs[i].watched;
	return any;
}

/* Another alert job, that has no needs:, stands behind all of its stage. */
static bool is_heard(struct gl *g, const struct gl_job *other, const struct gl_job *alert)
{
	for (size_t i = 0; i < g->n && (g->work += 10) < GITLAB_WORK; i++) {
		const struct gl_job *j = &g->jobs[i];
		if (j == alert || !j->alerts || !runs_after_failure(g, j))
			continue;
		const struct ynode *needs = yreal(g->y, gl_find_own(g, j, "needs"));
		for (const struct ynode *v = yis(g->y, needs, YSEQ) ? needs->first : NULL; v; v = v->next)
			if (span_eq(yis(g->y, v, YMAP) ? yget_text(g->y, v, "job") : ytext(g->y, v),
				    other->id))
				return true;
		if (!needs && (j->stage < 0 || other->stage < 0 || j->stage > other->stage))
			return true;
	}
	return false;
}

static void judge_missed(struct gl *g, struct gl_job *j)
{
	const struct ynode *needs = gl_find_own(g, j, "needs");
	int n = 0;

	if (!j->alerts || j->watched || !needs || !needs->key || !runs_after_failure(g, j) ||
	    !yis(g->y, needs, YSEQ) || !waits_for_go(g, j))
		return;
	for (size_t i = 0; i < g->n && n < 20 && g->work < GITLAB_WORK; i++) {
		const struct gl_job *other = &g->jobs[i];
		bool later = j->stage >= 0 && other->stage > j->stage;
		if (other == j || other->seen || other->ignored || other->alerts || later ||
		    !(other->watched || other->leads) || is_manual(g, other->node) || is_heard(g, other, j))
			continue;
		if_unit(lint_say(g->f, RULE_X07, needs->key->from, yreal(g->y, needs)->to, j->id, other->id),
			other);
		n++;
	}
}

/* ---- L04, L05 ---- */

static void judge_trigger(struct gl *g, struct gl_job *j)
{
	const struct ynode *trigger = gl_find_own(g, j, "trigger");

	if (!trigger || !trigger->key || yget(g->y, trigger, "strategy") || yis(g->y, trigger, YSEQ))
		return;
	lint_say(g->f, RULE_L04, trigger->key->from, trigger->key->to, j->id);
}

static void judge_artifacts(struct gl *g, struct gl_job *j)
{
	const struct ynode *artifacts = yreal(g->y, gl_find(g, j, "artifacts")),
			   *paths = yget(g->y, artifacts, "paths");
	struct span when = yget_text(g->y, artifacts, "when");

	if (!(j->watched || j->leads) || is_late(when) || !yis(g->y, paths, YSEQ))
		return;
	for (const struct ynode *v = paths->first; v; v = v->next) {
		struct span path = ytext(g->y, v);
		if (!yci_is_report(path))
			continue;
		struct lint_finding *x = lint_say(g->f, RULE_L05, v->from, v->to, path, j->id);
		if (!when.n)
			yci_line_above(g->f, g->y, paths, x, true, "when: always");
		if_unit(x, j);
		return;
	}
}

void gl_jobs_judge(struct gl *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct gl_job *j = &g->jobs[i];
		judge_allowed(g, j);
		judge_alert(g, j);
		judge_missed(g, j);
		judge_trigger(g, j);
		judge_artifacts(g, j);
	}
}

/* ---- L06: variables ---- */

static void judge_variables(struct gl *g, const struct ynode *map)
{
	for (const struct ynode *v = yis(g->y, map, YMAP) ? yfirst(g->y, map) : NULL; v; v = v->next) {
		struct span name = ykey(g->y, v),
			    value = yis(g->y, v, YMAP) ? yget_text(g->y, v, "value") : ytext(g->y, v);
		bool trace = (span_eq(name, S("CI_DEBUG_TRACE")) || span_eq(name, S("CI_DEBUG_SERVICES"))) &&
			     span_eq(value, S("true"));
		if (trace)
			lint_say(g->f, RULE_L06, v->key->from, v->to, name,
				 span_of(TR("prints every variable, masked or not, into the log",
					    "会把所有变量（包括已屏蔽的）打印到日志")));
		else if (secret_name(name) && span_chr(value, '$') == SPAN_NONE && secret_value(value))
			lint_say(g->f, RULE_L06, v->key->from, v->to, name,
				 span_of(TR("stands in the repository, and is masked in no log",
					    "直接写在仓库里，日志中也不会被屏蔽")));
	}
}

void gl_variables_judge(struct gl *g)
{
	judge_variables(g, yget(g->y, g->root, "variables"));
	for (size_t i = 0; i < g->n; i++)
		judge_variables(g, yreal(g->y, gl_find_own(g, &g->jobs[i], "variables")));
}
