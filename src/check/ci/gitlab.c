#include "base/mem.h"
#include "base/path.h"
#include "check/ci/gitlab_own.h"

/* GitLab CI: reading the jobs of a file. */

static const char *const keywords[] = { "default", "include",  "stages", "variables",     "workflow",
					"image",   "services", "cache",  "before_script", "after_script",
					"spec",    "types",    NULL };

static bool is_keyword(struct span key)
{
	for (size_t i = 0; keywords[i]; i++)
		if (span_eq(key, span_of(keywords[i])))
			return true;
	return false;
}

/* ---- extends ---- */

static const struct ynode *find_extended(struct gl *g, struct gl_job *j, const struct ynode *node,
					 const char *key, int depth)
{
	const struct ynode *v = yfind(g->y, node, key), *extends = yget(g->y, node, "extends");

	if (v || !extends || depth > 11 || g->work++ > GITLAB_WORK)
		return v;
	const struct ynode *one = extends->kind == YSEQ ? extends->first : extends;
	/* The last one that has it wins. */
	for (int n = 0; one && n < 100; one = extends->kind == YSEQ ? one->next : NULL, n++) {
		const struct ynode *on = yreal(g->y, yfind_span(g->y, g->root, ytext(g->y, one)));
		if (!on && j)
			j->unresolved = true;
		const struct ynode *found = on && on != node ? find_extended(g, j, on, key, depth + 1) : NULL;
		v = found ? found : v;
	}
	return v;
}

const struct ynode *gl_find_own(struct gl *g, const struct gl_job *j, const char *key)
{
	return find_extended(g, NULL, j->node, key, 0);
}

const struct ynode *gl_find(struct gl *g, const struct gl_job *j, const char *key)
{
	const struct ynode *v = gl_find_own(g, j, key);

	v = v ? v : yfind(g->y, yget(g->y, g->root, "default"), key);
	return v ? v : yfind(g->y, g->root, key);
}

/* ---- scripts ---- */

static void which_shell(struct gl *g, const struct gl_job *j, struct shell_run *how)
{
	static const char *const small[] = { "alpine", "busybox", NULL };
	static const char *const windows[] = { "windows", NULL };
	const struct ynode *image = yreal(g->y, gl_find(g, j, "image"));
	struct span name = image && image->kind == YMAP ? yget_text(g->y, image, "name") : ytext(g->y, image);

	how->shell = yci_has(name, small) ? SHELL_SH : SHELL_BASH;
	if (yci_has(yci_raw(g->y, gl_find(g, j, "tags")), windows))
		how->shell = SHELL_PWSH;
	how->errexit = SHELL_ON;
	how->pipefail = how->shell == SHELL_BASH ? SHELL_ON : SHELL_MAYBE;
	how->cwd = S("");
}

static bool after_script_counts(struct gl *g, const struct gl_job *j)
{
	const struct ynode *v =
		yget(g->y, yreal(g->y, gl_find(g, j, "variables")), "AFTER_SCRIPT_IGNORE_ERRORS");

	v = v ? v : yget(g->y, yget(g->y, g->root, "variables"), "AFTER_SCRIPT_IGNORE_ERRORS");
	return yfalse(g->y, v);
}

static void run_after(struct gl *g, struct gl_job *j, struct shell_run *how)
{
	CLEANUP(mapped_free) struct mapped text = { 0 };
	const struct ynode *after = gl_find(g, j, "after_script");
	struct shell_told told;
	bool counts = after_script_counts(g, j);

	if (!after)
		return;
	how->place = SHELL_GITLAB_AFTER;
	how->unit = lint_text(g->f, "%.*s#after", SPAN_ARG(j->unit));
	how->ignored = !counts;
	yci_join(g->f, &text, g->y, after, g->root);
	yci_run_text(g->f, &text, how, &told);
	for (size_t i = 0; i < told.n_units; i++)
		lint_fact(g->f, FACT_RUNS, 0, 0, how->unit, told.units[i], S(""));
	if (counts || !(told.watched || told.alerts || told.n_units) || !after->key)
		return;
	bool sends = told.alerts && !told.watched;
	struct lint_finding *x =
		lint_say_as(g->f, RULE_L03, sends ? SEV_WARNING : rules[RULE_L03].severity, after->key->from,
			    after->key->to, j->id,
			    sends ? span_of(TR("an alert", "告警")) : span_of(TR("a go command", "go 命令")));
	if (x && !sends && !told.watched)
		x->unit = how->unit;
}

static void run_scripts(struct gl *g, struct gl_job *j)
{
	CLEANUP(mapped_free) struct mapped text = { 0 };
	struct shell_run how = { .place = SHELL_GITLAB, .unit = j->unit, .ignored = j->ignored };
	struct shell_told told;

	which_shell(g, j, &how);
	yci_join(g->f, &text, g->y, gl_find(g, j, "before_script"), g->root);
	yci_join(g->f, &text, g->y, gl_find_own(g, j, "script"), g->root);
	yci_run_text(g->f, &text, &how, &told);
	j->watched = told.watched;
	j->leads = told.n_units > 0;
	j->alerts = told.alerts;
	run_after(g, j, &how);
}

/* ---- jobs ---- */

static int stage_of(struct gl *g, const struct gl_job *j)
{
	static const char *const usual[] = { "build", "test", "deploy" };
	struct span name = ytext(g->y, gl_find_own(g, j, "stage"));
	int at = 1;

	name = name.n ? name : S("test");
	if (span_eq(name, S(".pre")))
		return 0;
	if (span_eq(name, S(".post")))
		return 1000000;
	if (!g->stages_known || (j->unresolved && !gl_find_own(g, j, "stage")))
		return -1;
	for (const struct ynode *v = yfirst(g->y, g->stages); v && at <= GITLAB_STAGES; v = v->next, at++)
		if (span_eq(ytext(g->y, v), name))
			return at;
	for (size_t i = 0; !g->stages && i < ARRAY_LEN(usual); i++)
		if (span_eq(name, span_of(usual[i])))
			return (int)i + 1;
	return -1;
}

static bool is_job(struct gl *g, const struct ynode *v)
{
	struct span key = ykey(g->y, v);

	return key.n && key.p[0] != '.' && !is_keyword(key) && yis(g->y, v, YMAP) &&
	       (yfind(g->y, v, "script") || yfind(g->y, v, "extends") || yfind(g->y, v, "trigger") ||
		yfind(g->y, v, "stage"));
}

static void read_job(struct gl *g, struct gl_job *j, const struct ynode *v)
{
	*j = (struct gl_job){ .node = yreal(g->y, v), .id = ykey(g->y, v) };
	find_extended(g, j, j->node, "", 0); /* says what is not in this file */
	j->unit = lint_text(g->f, "%.*s:%.*s", SPAN_ARG(g->unit), SPAN_ARG(j->id));
	j->ignored = ytrue(g->y, gl_find_own(g, j, "allow_failure"));
	j->stage = stage_of(g, j);
	lint_fact(g->f, FACT_UNIT, v->from, v->to, j->unit, S(""), S(""));
	lint_fact(g->f, FACT_RUNS, 0, 0, g->unit, j->unit, S(""));
	yci_env(g->f, g->y, yreal(g->y, gl_find_own(g, j, "variables")), j->unit);
	run_scripts(g, j);
	const struct ynode *trigger = yreal(g->y, gl_find_own(g, j, "trigger"));
	gl_includes(g, yget(g->y, trigger, "include"), j->unit);
	j->leads |= span_eq(yget_text(g->y, trigger, "strategy"), S("depend")) &&
		    yget(g->y, trigger, "include");
}

static void read_jobs(struct gl *g)
{
	size_t n = g->root->n > GITLAB_JOBS ? GITLAB_JOBS : g->root->n;

	if (g->root->n > GITLAB_JOBS)
		lint_limit(g->f,
			   TR("more than %d jobs: the rest was not looked at", "超过 %d 个作业：其余未检查"),
			   GITLAB_JOBS);
	g->jobs = arena_alloc(g->f->scratch, (n + 1) * sizeof(*g->jobs));
	if (!g->jobs) {
		g->f->bad = true;
		return;
	}
	for (const struct ynode *v = g->root->first; v && g->n < n; v = v->next)
		if (is_job(g, v))
			read_job(g, &g->jobs[g->n++], v);
}

const struct ynode *gl_main_document(struct ytree *y, const struct ynode *doc, uint32_t to)
{
	/* The one before it may hold `spec:`. */
	if (doc && doc->next && doc->next->to <= to && yfind(y, doc, "spec"))
		doc = doc->next;
	return yis(y, doc, YMAP) ? doc : NULL;
}

/* ---- include ---- */

static bool is_remote(struct span path)
{
	return span_starts(path, S("http://")) || span_starts(path, S("https://"));
}

static void include_one(struct gl *g, const struct ynode *one, struct span job, struct buf *others)
{
	static const char *const kinds[] = { "project", "remote", "template", "component", "artifact" };
	struct span path = one->kind == YMAP ? yget_text(g->y, one, "local") : ytext(g->y, one);

	if (path.n && !is_remote(path) && span_chr(path, '$') == SPAN_NONE) {
		while (span_skip(&path, S("/")) || span_skip(&path, S("./")))
			;
		if (job.n)
			lint_fact(g->f, FACT_RUNS, 0, 0, job, lint_text(g->f, "ci:%.*s", SPAN_ARG(path)),
				  S(""));
		else
			lint_fact(g->f, FACT_CI_INCLUDE, 0, 0, path, S(""), S(""));
		return;
	}
	g->elsewhere |= !job.n;
	for (size_t i = 0; i < ARRAY_LEN(kinds) && one->kind == YMAP && !path.n; i++) {
		struct span name = yget_text(g->y, one, kinds[i]);
		if (name.n && others->len < 300)
			buf_addf(others, "%s%s %.*s", others->len ? ", " : "", kinds[i], SPAN_ARG(name));
	}
	if (path.n && others->len < 300)
		buf_addf(others, "%s%.*s", others->len ? ", " : "", SPAN_ARG(path));
}

void gl_includes(struct gl *g, const struct ynode *include, struct span job)
{
	CLEANUP(buf_free) struct buf others = { 0 };
	const struct ynode *list = yreal(g->y, include);
	int n = 0;

	if (!list)
		return;
	if (list->kind != YSEQ)
		include_one(g, list, job, &others);
	for (const struct ynode *v = list->kind == YSEQ ? list->first : NULL; v && n < GITLAB_INCLUDES;
	     v = v->next, n++)
		if (yreal(g->y, v))
			include_one(g, yreal(g->y, v), job, &others);
	g->f->bad |= others.bad;
	if (others.len)
		lint_limit(g->f,
			   TR("includes that lie outside of this tree were not looked at: %s",
			      "位于本目录树之外的 include 未检查：%s"),
			   buf_str(&others));
}

/* ---- the whole ---- */

void gl_judge(struct gl *g)
{
	struct span name = path_base(span_of(g->f->path));
	bool own = span_eq(name, S(".gitlab-ci.yml")) || span_eq(name, S(".gitlab-ci.yaml"));

	g->stages = yget(g->y, g->root, "stages");
	g->stages_known = g->stages || (!g->elsewhere && !yget(g->y, g->root, "include") && own);
	yci_env(g->f, g->y, yget(g->y, g->root, "variables"), g->unit);
	read_jobs(g);
	if (g->n) {
		lint_fact(g->f, FACT_CI_WHEN, 0, 0, g->unit, S("change"), S(""));
		gl_jobs_judge(g);
		gl_variables_judge(g);
	}
	if (g->work > GITLAB_WORK)
		lint_limit(g->f, TR("extends that lead to too many jobs: they were not followed further",
				    "extends 展开后的作业过多：未继续展开"));
	yci_once(g->f, 0);
}

void gitlab_check(struct lint_file *f)
{
	struct ytree y;
	struct gl g = { .f = f, .y = &y };

	if (!ytree_of(f, &y))
		return;
	g.root = gl_main_document(&y, y.docs, UINT32_MAX);
	g.unit = lint_text(f, "ci:%s", f->path);
	if (g.root) {
		gl_includes(&g, yget(&y, g.root, "include"), (struct span){ 0 });
		gl_judge(&g);
	}
	ytree_end(f, &y);
}
