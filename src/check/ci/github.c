#include "base/mem.h"
#include "base/path.h"
#include "check/ci/github_own.h"

/* ---- expressions ---- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-' || c == '.';
}

unsigned gh_status_of(struct span cond)
{
	static const struct {
		const char *name;
		unsigned bit;
	} calls[] = { { "success", GH_SUCCESS },
		      { "failure", GH_FAILURE },
		      { "always", GH_ALWAYS },
		      { "cancelled", GH_CANCELLED } };
	unsigned ret = 0;

	for (size_t i = 0; i < cond.n; i++) {
		if (!is_word(cond.p[i]) || (i && is_word(cond.p[i - 1])))
			continue;
		size_t end = i, open;
		while (end < cond.n && is_word(cond.p[end]))
			end++;
		for (open = end; open < cond.n && cond.p[open] == ' '; open++)
			;
		if (open >= cond.n || cond.p[open] != '(')
			continue;
		for (size_t k = 0; k < ARRAY_LEN(calls); k++) {
			if (!span_eq((struct span){ cond.p + i, end - i }, span_of(calls[k].name)))
				continue;
			size_t before = i;
			while (before && cond.p[before - 1] == ' ')
				before--;
			ret |= before && cond.p[before - 1] == '!' ? GH_NEGATED : calls[k].bit;
		}
	}
	return ret;
}

static bool never(struct ytree *y, const struct ynode *cond)
{
	struct span text = span_trim(ytext(y, cond));

	if (span_skip(&text, S("${{")) && span_ends(text, S("}}")))
		text = span_trim(span_head(text, text.n - 2));
	return span_eq(text, S("false"));
}

struct gh_job *gh_job_find(const struct gh *g, struct span id)
{
	for (size_t i = 0; i < g->n; i++)
		if (span_eq(g->jobs[i].id, id))
			return &g->jobs[i];
	return NULL;
}

struct span gh_step_name(struct gh *g, const struct gh_step *s, size_t at)
{
	struct span name = yget_text(g->y, s->node, "name");

	if (!name.n)
		name = yget_text(g->y, s->node, "id");
	return name.n ? lint_text(g->f, "“%.*s”", SPAN_ARG(name)) : lint_text(g->f, "#%zu", at + 1);
}

/* ---- which shell runs ---- */

/* A value of `defaults.run` of the job, else of the workflow. */
static const struct ynode *default_run(struct gh *g, const struct gh_job *j, const char *key)
{
	const struct ynode *v = j ? yget(g->y, yget(g->y, yget(g->y, j->node, "defaults"), "run"), key)
				  : NULL;

	return v ? v : yget(g->y, yget(g->y, yget(g->y, g->root, "defaults"), "run"), key);
}

/* The values of a matrix variable, when it is a list that is written out; NULL: not known. */
static const struct ynode *matrix_values(struct gh *g, const struct gh_job *j, struct span expr)
{
	const struct ynode *matrix = yget(g->y, yget(g->y, j->node, "strategy"), "matrix");

	expr = span_trim(expr);
	if (!span_skip(&expr, S("${{")) || !span_ends(expr, S("}}")))
		return NULL;
	expr = span_trim(span_head(expr, expr.n - 2));
	if (!span_skip(&expr, S("matrix.")))
		return NULL;
	const struct ynode *v = yreal(g->y, yfind_span(g->y, matrix, expr));
	return v && v->kind == YSEQ ? v : NULL;
}

static bool on_windows(struct gh *g, const struct gh_job *j)
{
	const struct ynode *runs = yget(g->y, j->node, "runs-on");
	const struct ynode *values = matrix_values(g, j, ytext(g->y, runs));
	size_t windows = 0, n = 0;

	for (const struct ynode *v = yfirst(g->y, values); v; v = v->next, n++)
		windows += span_starts(ytext(g->y, v), S("windows"));
	return values ? n && windows == n : span_starts(ytext(g->y, runs), S("windows"));
}

static void named_shell(struct gh *g, struct span shell, struct shell_run *how)
{
	struct interp i = { SHELL_OTHER, SHELL_OFF, SHELL_OFF, SHELL_OFF };
	struct span words = shell, first = span_cut(&words, ' ');

	if (span_find(shell, S("${{")) != SPAN_NONE) {
		i = (struct interp){ SHELL_BASH, SHELL_MAYBE, SHELL_MAYBE, SHELL_MAYBE };
	} else if (span_eq(shell, S("bash"))) {
		i = (struct interp){ SHELL_BASH, SHELL_ON, SHELL_ON, SHELL_OFF };
	} else if (span_eq(shell, S("sh"))) {
		i = (struct interp){ SHELL_SH, SHELL_ON, SHELL_OFF, SHELL_OFF };
	} else if (span_eq(first, S("pwsh")) || span_eq(first, S("powershell"))) {
		i.shell = SHELL_PWSH;
	} else if (span_eq(first, S("cmd"))) {
		i.shell = SHELL_CMD;
	} else if (interp_is_shell(first)) {
		size_t brace = span_find(shell, S("{0}"));
		interp_words(&i, span_trim(brace == SPAN_NONE ? shell : span_head(shell, brace)), true);
	}
	how->shell = i.shell;
	how->errexit = i.errexit;
	how->pipefail = i.pipefail;
	how->xtrace = i.xtrace;
}

static enum shell_flag weaker(enum shell_flag a, enum shell_flag b)
{
	return a == SHELL_OFF || b == SHELL_OFF ? SHELL_OFF : a == b ? a : SHELL_MAYBE;
}

/* Of a matrix of shells, all run: what one of them loses is lost. */
static void weakest_shell(struct gh *g, const struct ynode *values, struct shell_run *how)
{
	int n = 0;

	for (const struct ynode *v = yfirst(g->y, values); v && n < 20; v = v->next, n++) {
		struct shell_run one = { 0 };
		named_shell(g, span_trim(ytext(g->y, v)), &one);
		if (one.shell != SHELL_BASH && one.shell != SHELL_SH)
			continue;
		bool first = how->errexit == SHELL_MAYBE && how->pipefail == SHELL_MAYBE;
		how->shell = first || one.shell == SHELL_SH ? one.shell : how->shell;
		how->errexit = first ? one.errexit : weaker(how->errexit, one.errexit);
		how->pipefail = first ? one.pipefail : weaker(how->pipefail, one.pipefail);
		how->xtrace = one.xtrace;
	}
}

/* true: `shell: bash` would give it pipefail. */
static bool which_shell(struct gh *g, const struct gh_job *j, const struct gh_step *s, struct shell_run *how)
{
	const struct ynode *named = yget(g->y, s->node, "shell");

	named = named ? named : default_run(g, j, "shell");
	if (named) {
		named_shell(g, span_trim(ytext(g->y, named)), how);
		if (!g->action)
			weakest_shell(g, matrix_values(g, j, ytext(g->y, named)), how);
		return false;
	}
	how->shell = SHELL_BASH;
	how->errexit = SHELL_ON;
	how->pipefail = g->act ? SHELL_MAYBE : SHELL_OFF;
	if (g->action)
		return false; /* each step must name one; without, it does not run */
	if (on_windows(g, j)) {
		how->shell = SHELL_PWSH;
		return false;
	}
	if (yget(g->y, j->node, "container") && !g->act)
		how->shell = SHELL_SH;
	return how->shell == SHELL_BASH && how->pipefail == SHELL_OFF;
}

/* ---- a step ---- */

/* Relative to the root; "*": not known. *values: it is each of them. */
static struct span folder_of(struct gh *g, const struct gh_job *j, const struct gh_step *s,
			     const struct ynode **values)
{
	const struct ynode *v = yget(g->y, s->node, "working-directory");
	struct span dir = span_trim(ytext(g->y, v ? v : default_run(g, j, "working-directory")));

	*values = NULL;
	if (span_skip(&dir, S("${{ github.workspace }}")) || span_skip(&dir, S("$GITHUB_WORKSPACE")))
		span_skip(&dir, S("/"));
	if (span_find(dir, S("${{")) != SPAN_NONE) {
		*values = g->action ? NULL : matrix_values(g, j, dir);
		return S("*");
	}
	while (span_skip(&dir, S("./")))
		;
	if (span_eq(dir, S(".")))
		return S("");
	return span_ends(dir, S("/")) ? span_head(dir, dir.n - 1) : dir;
}

/* The facts that were said since `before` hold in each folder of the matrix. */
static void in_each_folder(struct gh *g, size_t before, const struct ynode *values)
{
	size_t after = g->f->n_facts;
	int n = 0;

	for (size_t i = before; i < after; i++) {
		if (g->f->facts[i].kind != FACT_GO)
			continue;
		for (const struct ynode *v = yfirst(g->y, values); v && n < 1000; v = v->next, n++) {
			struct span dir = ytext(g->y, v);
			struct lint_fact x = g->f->facts[i];
			span_skip(&dir, S("./"));
			lint_fact(g->f, FACT_GO, x.from, x.to, x.a, x.b, span_eq(dir, S(".")) ? S("") : dir);
		}
	}
}

static void run_step(struct gh *g, struct gh_job *j, struct gh_step *s)
{
	struct shell_run how = { .place = SHELL_GITHUB, .unit = j->unit, .ignored = s->ignore || j->ignore };
	const struct ynode *folders;
	bool free_shell = which_shell(g, j, s, &how);
	size_t before = g->f->n, facts = g->f->n_facts;

	how.cwd = folder_of(g, j, s, &folders);
	yci_run(g->f, g->y, s->run, &how, &s->told);
	in_each_folder(g, facts, folders);
	for (size_t i = before; free_shell && i < g->f->n; i++)
		if (!strcmp(g->f->findings[i].rule->id, "S02") && !g->f->findings[i].n_edits)
			yci_line_above(g->f, g->y, s->run, &g->f->findings[i], false, "shell: bash");
}

static void add_unit(struct gh *g, struct span from, struct span to)
{
	lint_fact(g->f, FACT_RUNS, 0, 0, from, to, S(""));
}

/* `uses: ./.github/actions/x`: what its files would be. */
static bool leads_to_local(struct gh *g, struct span from, struct span path)
{
	if (!span_skip(&path, S("./")))
		return false;
	if (span_ends(path, S("/")))
		path.n--;
	if (span_ends(path, S(".yml")) || span_ends(path, S(".yaml"))) {
		add_unit(g, from, lint_text(g->f, "ci:%.*s", SPAN_ARG(path)));
	} else {
		add_unit(g, from, lint_text(g->f, "ci:%.*s/action.yml", SPAN_ARG(path)));
		add_unit(g, from, lint_text(g->f, "ci:%.*s/action.yaml", SPAN_ARG(path)));
	}
	return true;
}

static void use_action(struct gh *g, struct gh_job *j, struct gh_step *s)
{
	struct span go = yci_go_action(s->action);

	s->watched = go.n;
	s->alerts = yci_alert_action(g->f, s->action);
	if (go.n)
		lint_fact(g->f, FACT_GO, s->uses->from, s->uses->to, j->unit, go, S("*"));
	if (leads_to_local(g, s->unit, s->action)) {
		s->leads = true;
		leads_to_local(g, j->unit, s->action);
	}
}

static bool is_true(struct ytree *y, const struct ynode *n)
{
	struct span text = span_trim(ytext(y, n));

	if (span_skip(&text, S("${{")) && span_ends(text, S("}}")))
		return span_eq(span_trim(span_head(text, text.n - 2)), S("true"));
	return ytrue(y, n);
}

static void read_step(struct gh *g, struct gh_job *j, size_t at, const struct ynode *node)
{
	struct ytree *y = g->y;
	struct gh_step *s = &j->steps[at];
	const struct ynode *ignore = yfind(y, node, "continue-on-error");

	*s = (struct gh_step){ .node = node,
			       .uses = yget(y, node, "uses"),
			       .run = yget(y, node, "run"),
			       .cond = yfind(y, node, "if") };
	s->action = ytext(y, s->uses);
	s->text = ytext(y, s->run);
	s->ignore = is_true(y, ignore) ? ignore : NULL;
	s->off = never(y, s->cond);
	s->unit = lint_text(g->f, "%.*s#%zu", SPAN_ARG(j->unit), at + 1);
	if (s->off)
		return;
	yci_env(g->f, y, yget(y, node, "env"), j->unit);
	if (s->action.n)
		use_action(g, j, s);
	else if (s->run)
		run_step(g, j, s);
	s->watched |= s->told.watched;
	s->alerts |= s->told.alerts;
	for (size_t i = 0; i < s->told.n_units; i++)
		add_unit(g, s->unit, s->told.units[i]);
	s->leads |= s->told.n_units > 0;
	j->watched |= s->watched;
	j->leads |= s->leads;
	j->alerts |= s->alerts;
}

static void read_steps(struct gh *g, struct gh_job *j, const struct ynode *steps)
{
	const struct ynode *list = yis(g->y, steps, YSEQ) ? yreal(g->y, steps) : NULL;
	size_t n = list ? list->n : 0;

	if (n > GITHUB_STEPS) {
		lint_limit(g->f,
			   TR("a job of more than %d steps: the rest was not looked at",
			      "一个作业超过 %d 个步骤：其余未检查"),
			   GITHUB_STEPS);
		n = GITHUB_STEPS;
	}
	j->steps = arena_alloc(g->f->scratch, (n + 1) * sizeof(*j->steps));
	if (!j->steps) {
		g->f->bad = true;
		return;
	}
	const struct ynode *v = list ? list->first : NULL;
	for (; v && j->n < n; v = v->next)
		if (yis(g->y, v, YMAP)) {
			read_step(g, j, j->n, yreal(g->y, v));
			j->n++;
		}
}

/* ---- a job ---- */

static void read_job(struct gh *g, struct gh_job *j, const struct ynode *node)
{
	struct ytree *y = g->y;
	const struct ynode *ignore = yfind(y, node, "continue-on-error");
	const struct ynode *needs = yget(y, node, "needs");

	*j = (struct gh_job){ .node = yreal(y, node),
			      .id = ykey(y, node),
			      .cond = yfind(y, node, "if"),
			      .needs = needs,
			      .uses = yget(y, node, "uses") };
	j->unit = lint_text(g->f, "%.*s:%.*s", SPAN_ARG(g->unit), SPAN_ARG(j->id));
	j->ignore = is_true(y, ignore) ? ignore : NULL;
	j->cond_text = ytext(y, j->cond);
	j->off = never(y, j->cond);
	lint_fact(g->f, FACT_UNIT, j->node->from, j->node->to, j->unit, S(""), S(""));
	if (j->off)
		return;
	add_unit(g, g->unit, j->unit);
	yci_env(g->f, y, yget(y, node, "env"), j->unit);
	if (j->uses) {
		j->leads = leads_to_local(g, j->unit, ytext(y, j->uses));
		j->alerts = yci_alert_action(g->f, ytext(y, j->uses));
	}
	read_steps(g, j, yget(y, node, "steps"));
}

static void read_jobs(struct gh *g)
{
	const struct ynode *jobs = yget(g->y, g->root, "jobs");
	size_t n = yis(g->y, jobs, YMAP) ? jobs->n : 0;

	if (n > GITHUB_JOBS) {
		lint_limit(g->f,
			   TR("more than %d jobs: the rest was not looked at", "超过 %d 个作业：其余未检查"),
			   GITHUB_JOBS);
		n = GITHUB_JOBS;
	}
	g->jobs = arena_alloc(g->f->scratch, (n + 1) * sizeof(*g->jobs));
	if (!g->jobs) {
		g->f->bad = true;
		return;
	}
	for (const struct ynode *v = n ? yfirst(g->y, jobs) : NULL; v && g->n < n; v = v->next)
		if (yis(g->y, v, YMAP))
			read_job(g, &g->jobs[g->n++], v);
}

/* ---- the file ---- */

static void read_event(struct gh *g, struct span name)
{
	g->push |= span_eq(name, S("push"));
	g->pull |= span_eq(name, S("pull_request"));
	g->target |= span_eq(name, S("pull_request_target"));
	g->schedule |= span_eq(name, S("schedule"));
	g->after |= span_eq(name, S("workflow_run"));
	g->call |= span_eq(name, S("workflow_call"));
}

static void read_events(struct gh *g)
{
	g->on = yget(g->y, g->root, "on");
	if (yis(g->y, g->on, YSCALAR))
		read_event(g, ytext(g->y, g->on));
	for (const struct ynode *v = yfirst(g->y, g->on); v; v = v->next)
		read_event(g, v->key ? ykey(g->y, v) : ytext(g->y, v));
}

static void check_action(struct gh *g, const struct ynode *runs)
{
	struct gh_job whole = { .node = runs, .unit = g->unit };

	lint_fact(g->f, FACT_UNIT, 0, 0, g->unit, S(""), S(""));
	read_steps(g, &whole, yget(g->y, runs, "steps"));
	gh_steps_judge(g, &whole);
}

void github_check(struct lint_file *f)
{
	struct ytree y;
	struct gh g = { .f = f, .y = &y };

	if (!ytree_of(f, &y))
		return;
	g.root = y.docs;
	g.act = span_starts(span_of(f->path), S(".gitea/")) || span_starts(span_of(f->path), S(".forgejo/"));
	g.unit = lint_text(f, "ci:%s", f->path);
	const struct ynode *runs = yget(&y, g.root, "runs");
	if (yis(&y, g.root, YMAP) && yis(&y, runs, YMAP) &&
	    span_eq(yget_text(&y, runs, "using"), S("composite"))) {
		g.action = true;
		check_action(&g, runs);
	} else if (yis(&y, g.root, YMAP) && yis(&y, yget(&y, g.root, "jobs"), YMAP)) {
		read_events(&g);
		yci_env(f, &y, yget(&y, g.root, "env"), g.unit);
		read_jobs(&g);
		for (size_t i = 0; i < g.n; i++)
			if (!g.jobs[i].off)
				gh_steps_judge(&g, &g.jobs[i]);
		gh_jobs_judge(&g);
		gh_workflow_judge(&g);
	}
	yci_once(f, 0);
	ytree_end(f, &y);
}
