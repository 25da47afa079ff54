#include "model/redact_report.h"

#include <errno.h>

#include "base/mem.h"

struct pass {
	const struct redact *x;
	struct arena *mem;
	struct buf text;
	bool bad;
};

static void redact_span(struct pass *p, struct span *s)
{
	struct span clean = { 0 };

	if (!s->n || !redact_any(p->x, *s))
		return;
	buf_clear(&p->text);
	redact_text(p->x, *s, &p->text);
	if (!p->text.bad)
		clean = arena_span(p->mem, buf_view(&p->text));
	p->bad |= !clean.p;
	*s = clean.p ? clean : S("[redacted]");
}

static void redact_string(struct pass *p, const char **z)
{
	struct span s = span_of(*z);

	redact_span(p, &s);
	*z = s.p;
}

/* --password, and its value as a word of its own: whatever that looks like. */
static bool is_secret_flag(struct pass *p, const char *flag, const char *value)
{
	CLEANUP(buf_free) struct buf pair = { 0 };

	if (flag[0] != '-' || value[0] == '-' || !value[0] || strchr(flag, '='))
		return false;
	buf_addf(&pair, "%s=1a2b3c4d", flag);
	p->bad |= pair.bad;
	return pair.bad || redact_any(NULL, buf_view(&pair));
}

static void redact_argv(struct pass *p, struct argv *a)
{
	const char **v = a->n ? arena_alloc(p->mem, (a->n + 1) * sizeof(*v)) : NULL;

	if (!v) {
		p->bad |= a->n > 0;
		a->n = 0;
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		v[i] = a->v[i];
		if (i && is_secret_flag(p, a->v[i - 1], a->v[i]))
			v[i] = "[redacted]";
		else
			redact_string(p, &v[i]);
	}
	a->v = v;
}

static void redact_list(struct pass *p, struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		redact_string(p, &l->v[i]);
}

static void redact_finding(struct pass *p, struct finding *f)
{
	struct span *const texts[] = {
		&f->package, &f->test, &f->file, &f->message, &f->excerpt, &f->advice
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		redact_span(p, texts[i]);
	for (size_t i = 0; i < f->n_places; i++) {
		redact_span(p, &f->places[i].package);
		redact_span(p, &f->places[i].file);
	}
	for (size_t i = 0; i < f->n_edits; i++)
		redact_span(p, &f->edits[i].text);
	redact_argv(p, &f->command);
	redact_list(p, &f->owners);
	redact_string(p, &f->fault.said);
	redact_string(p, &f->snapshot);
}

static void redact_times(struct pass *p, struct named_time *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		redact_span(p, &t[i].package);
		redact_span(p, &t[i].test);
	}
}

static void redact_modules(struct pass *p, struct modules_report *m)
{
	for (size_t i = 0; i < m->n_tries; i++) {
		struct module_try *t = &m->tries[i];
		redact_string(p, &t->module);
		redact_string(p, &t->version);
		redact_string(p, &t->url);
		redact_string(p, &t->proxy);
	}
	for (size_t i = 0; i < m->n_served; i++) {
		redact_string(p, &m->served[i].module);
		redact_string(p, &m->served[i].by);
	}
	for (size_t i = 0; i < m->n_answers; i++)
		redact_string(p, &m->answers[i].from);
	redact_string(p, &m->proof);
	redact_string(p, &m->said);
}

int report_redact(const struct redact *x, struct report *r)
{
	struct pass p = { .x = x, .mem = &r->mem };
	struct ci_context *ci = &r->ci;
	const char **const strings[] = {
		&r->cwd,      &r->ending.sender, &r->ending.why,  &r->go_version, &r->summary,
		&r->log_path, &ci->name,         &ci->repo,       &ci->branch,    &ci->commit,
		&ci->job,     &ci->run_id,       &ci->url,        &ci->actor,     &ci->pr,
		&ci->base,    &r->project,       &r->base_branch,
	};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		redact_string(&p, strings[i]);
	redact_argv(&p, &r->argv);
	for (size_t i = 0; i < r->n_facilities; i++)
		redact_string(&p, &r->facilities[i].why);
	for (size_t i = 0; i < r->n_findings; i++)
		redact_finding(&p, &r->findings[i]);
	for (size_t i = 0; i < r->n_inner; i++)
		redact_finding(&p, &r->inner[i]);
	for (size_t i = 0; i < r->n_commands; i++) {
		redact_argv(&p, &r->commands[i].argv);
		redact_string(&p, &r->commands[i].cwd);
		redact_string(&p, &r->commands[i].script);
	}
	for (size_t i = 0; i < r->n_procs; i++)
		redact_string(&p, &r->procs[i].command);
	redact_times(&p, r->slowest, r->n_slowest);
	redact_times(&p, r->skipped, r->n_skipped);
	for (size_t i = 0; i < r->n_results; i++) {
		redact_span(&p, &r->results[i].package);
		redact_span(&p, &r->results[i].test);
	}
	if (r->module_story)
		redact_modules(&p, r->module_story);
	redact_list(&p, &r->modules);
	redact_list(&p, &r->limits);
	buf_free(&p.text);
	return p.bad ? -ENOMEM : 0;
}
