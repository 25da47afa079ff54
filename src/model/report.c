#include "model/report.h"

#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"

static const struct {
	const char *word;
	struct tx title;
} outcomes[OUTCOME_COUNT] = {
	[OUTCOME_PASSED] = { "passed", { "passed", "通过" } },
	[OUTCOME_FAILED] = { "failed", { "failed", "失败" } },
	[OUTCOME_MASKED] = { "masked", { "failure masked", "失败被掩盖" } },
	[OUTCOME_CRASHED] = { "crashed", { "crashed", "崩溃" } },
	[OUTCOME_KILLED] = { "killed", { "killed", "被杀死" } },
	[OUTCOME_TIMED_OUT] = { "timed_out", { "timed out", "超时" } },
	[OUTCOME_STALLED] = { "stalled", { "stalled", "停滞" } },
	[OUTCOME_NOT_STARTED] = { "not_started", { "not started", "未能启动" } },
	[OUTCOME_EMPTY] = { "empty", { "no test ran", "没有运行测试" } },
	[OUTCOME_UNSTABLE] = { "unstable", { "unstable", "不稳定" } },
};

const char *outcome_word(enum outcome o)
{
	return outcomes[o].word;
}

const char *outcome_title(enum outcome o)
{
	return o ? tx(outcomes[o].title) : TR("no verdict", "无结论");
}

bool list_add(struct arena *mem, struct list *l, const char *text)
{
	if (!text) /* there was no memory for it */
		return false;
	for (size_t i = 0; i < l->n; i++) {
		if (!strcmp(l->v[i], text))
			return true;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		const char **v = arena_alloc(mem, cap * sizeof(*v));
		if (!v)
			return false;
		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = text;
	return true;
}

struct finding *report_add(struct report *r)
{
	if (r->n_findings == r->cap_findings) {
		size_t cap = r->cap_findings ? r->cap_findings * 2 : 16;
		struct finding *f = arena_alloc(&r->mem, cap * sizeof(*f));
		if (!f)
			return NULL;
		if (r->n_findings)
			memcpy(f, r->findings, r->n_findings * sizeof(*f));
		r->findings = f;
		r->cap_findings = cap;
	}
	struct finding *f = &r->findings[r->n_findings++];
	*f = (struct finding){ .classes = "" };
	return f;
}

__attribute__((format(printf, 2, 0))) static struct span text_of(struct report *r, const char *fmt, va_list ap)
{
	struct buf b = { 0 };
	struct span ret = { 0 };

	buf_vaddf(&b, fmt, ap);
	if (!b.bad)
		ret = arena_span(&r->mem, buf_view(&b));
	buf_free(&b);
	r->lost |= !ret.p;
	return ret;
}

struct span report_text(struct report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct span ret = text_of(r, fmt, ap);
	va_end(ap);
	return ret;
}

struct finding *report_say(struct report *r, enum cause cause, const char *fmt, ...)
{
	const struct cause_info *c = &cause_table[cause];
	va_list ap;

	va_start(ap, fmt);
	struct span message = text_of(r, fmt, ap);
	va_end(ap);
	struct finding *f = message.p ? report_add(r) : NULL;
	r->lost |= !f;
	if (f)
		*f = (struct finding){ .cause = cause, .severity = c->severity, .classes = c->classes, .message = message, .order = (int64_t)r->n_findings };
	return f;
}

void report_free(struct report *r)
{
	arena_free(&r->mem);
	*r = (struct report){ 0 };
}

static void put_count(struct json_out *j, const char *key, int64_t v) /* negative: not known */
{
	json_key(j, key);
	if (v < 0)
		json_null(j);
	else
		json_int(j, v);
}

static void put_ms(struct json_out *j, const char *key, int64_t ns)
{
	put_count(j, key, ns < 0 ? -1 : ns / NSEC_PER_MSEC);
}

static void put_line(struct json_out *j, int line)
{
	put_count(j, "line", line > 0 ? line : -1);
}

static void put_argv(struct json_out *j, const char *key, const struct argv *a)
{
	json_key(j, key);
	json_open(j, '[');
	for (size_t i = 0; i < a->n; i++)
		json_strz(j, a->v[i]);
	json_close(j, ']');
}

static void put_list(struct json_out *j, const char *key, const struct list *l)
{
	put_argv(j, key, &(struct argv){ l->v, l->n });
}

static void put_exit(struct json_out *j, enum end_how how, int code, int sig)
{
	const char *abbrev = how == END_SIGNAL ? sigabbrev_np(sig) : NULL;
	char name[24];

	json_key(j, "exit");
	if (how != END_EXIT && how != END_SIGNAL && how != END_NOT_STARTED) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	put_count(j, "code", how == END_SIGNAL ? -1 : code);
	if (abbrev)
		snprintf(name, sizeof(name), "SIG%s", abbrev);
	else
		snprintf(name, sizeof(name), "SIG%d", sig);
	json_member_strz(j, "signal", how == END_SIGNAL ? name : NULL);
	json_close(j, '}');
}

static void put_ci(struct json_out *j, const struct ci_context *ci)
{
	json_key(j, "ci");
	if (!ci->name && !ci->commit && !ci->branch) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	json_member_strz(j, "name", ci->name);
	json_member_strz(j, "repo", ci->repo);
	json_member_strz(j, "branch", ci->branch);
	json_member_strz(j, "commit", ci->commit);
	json_member_strz(j, "job", ci->job);
	json_member_strz(j, "run_id", ci->run_id);
	json_member_strz(j, "url", ci->url);
	json_member_strz(j, "actor", ci->actor);
	json_member_strz(j, "pr", ci->pr);
	json_close(j, '}');
}

static void put_resources(struct json_out *j, const struct resources *u)
{
	json_key(j, "resources");
	if (!u->known) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	put_ms(j, "cpu_ms", u->cpu_ns);
	put_count(j, "max_rss_kb", u->max_rss_kb);
	put_count(j, "tree_rss_kb", u->tree_rss_kb);
	put_count(j, "read_bytes", u->read_bytes);
	put_count(j, "write_bytes", u->write_bytes);
	json_close(j, '}');
}

static void put_facilities(struct json_out *j, const struct report *r)
{
	json_key(j, "facilities");
	json_open(j, '{');
	for (size_t i = 0; i < r->n_facilities; i++) {
		const struct facility *f = &r->facilities[i];
		json_key(j, f->name);
		if (!strcmp(f->value, "yes"))
			json_bool(j, true);
		else if (!strcmp(f->value, "no"))
			json_bool(j, false);
		else
			json_strz(j, f->value);
	}
	json_close(j, '}');
	json_key(j, "facilities_why");
	json_open(j, '{');
	for (size_t i = 0; i < r->n_facilities; i++) {
		if (r->facilities[i].why)
			json_member_strz(j, r->facilities[i].name, r->facilities[i].why);
	}
	json_close(j, '}');
}

static void put_attempts(struct json_out *j, const struct report *r)
{
	json_key(j, "attempts");
	json_open(j, '[');
	for (size_t i = 0; i < r->n_attempts; i++) {
		const struct attempt *a = &r->attempts[i];
		json_open(j, '{');
		put_count(j, "n", a->n);
		json_member_strz(j, "outcome", outcome_word(a->outcome));
		json_member_strz(j, "cause", cause_table[a->cause].id);
		put_ms(j, "duration_ms", a->duration_ns);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_run(struct json_out *j, const struct report *r)
{
	char when[32];

	json_key(j, "run");
	json_open(j, '{');
	json_member_strz(j, "id", r->id[0] ? r->id : NULL);
	put_argv(j, "argv", &r->argv);
	json_member_strz(j, "cwd", r->cwd);
	time_rfc3339(r->started, when);
	json_member_strz(j, "started", r->started / NSEC_PER_SEC ? when : NULL);
	put_ms(j, "duration_ms", r->is_run ? r->duration_ns : -1);
	put_exit(j, r->is_run ? r->ending.how : END_UNKNOWN, r->ending.code, r->ending.sig);
	put_ci(j, &r->ci);
	json_key(j, "go");
	json_open(j, '{');
	json_member_strz(j, "version", r->go_version);
	json_close(j, '}');
	put_resources(j, &r->resources);
	put_facilities(j, r);
	put_attempts(j, r);
	json_member_strz(j, "log", r->log_path);
	json_close(j, '}');
}

static void put_tests(struct json_out *j, const struct test_counts *t)
{
	json_key(j, "tests");
	json_open(j, '{');
	put_count(j, "packages", t->packages);
	put_count(j, "run", t->run);
	put_count(j, "passed", t->passed);
	put_count(j, "failed", t->failed);
	put_count(j, "skipped", t->skipped);
	put_count(j, "unfinished", t->unfinished);
	put_count(j, "cached_packages", t->cached_packages);
	json_close(j, '}');
}

static void put_places(struct json_out *j, const struct finding *f)
{
	json_key(j, "places");
	json_open(j, '[');
	for (size_t i = 0; i < f->n_places; i++) {
		json_open(j, '{');
		json_member_str(j, "package", f->places[i].package);
		json_member_str(j, "file", f->places[i].file);
		put_line(j, f->places[i].line);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_fault(struct json_out *j, const struct fault_ref *t)
{
	json_key(j, "fault");
	if (!t->id) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	json_member_strz(j, "id", t->id);
	json_member_strz(j, "state", t->state);
	put_count(j, "count", t->count);
	json_close(j, '}');
}

const char *finding_cause_id(const struct finding *f, char mem[CAUSE_ID_MAX])
{
	const char *id = f->cause < CAUSE_COUNT ? cause_table[f->cause].id : NULL;

	if (f->cause != CAUSE_CHECK_RULE || !f->rule)
		return id;
	snprintf(mem, CAUSE_ID_MAX, "%s.%s", id, f->rule);
	return mem;
}

static void put_fix(struct json_out *j, const struct finding *f)
{
	json_member_open(j, "fix", '{');
	json_member_bool(j, "safe", f->edits_safe);
	json_member_open(j, "edits", '[');
	for (size_t i = 0; i < f->n_edits; i++) {
		const struct edit *e = &f->edits[i];
		json_open(j, '{');
		put_count(j, "line", e->line);
		put_count(j, "column", e->column);
		put_count(j, "end_line", e->end_line);
		put_count(j, "end_column", e->end_column);
		json_member_str(j, "text", e->text);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

/* whole: with what the library says of it */
static void put_finding(struct json_out *j, const struct finding *f, bool whole)
{
	char id[CAUSE_ID_MAX];

	json_open(j, '{');
	json_member_strz(j, "cause", finding_cause_id(f, id));
	if (f->rule)
		json_member_strz(j, "rule", f->rule);
	json_member_strz(j, "severity", severity_word(f->severity));
	if (whole)
		json_member_strz(j, "fingerprint", f->fingerprint[0] ? f->fingerprint : NULL);
	json_member_str(j, "package", f->package);
	json_member_str(j, "test", f->test);
	json_member_str(j, "file", f->file);
	put_line(j, f->line);
	put_count(j, "column", f->column > 0 ? f->column : -1);
	if (f->end_line > 0) {
		put_count(j, "end_line", f->end_line);
		put_count(j, "end_column", f->end_column);
	}
	json_member_str(j, "message", f->message);
	json_member_str(j, "excerpt", f->excerpt);
	json_key(j, "classes");
	json_open(j, '[');
	for (const char *c = f->classes; *c; c++)
		json_strz(j, class_word(*c));
	json_close(j, ']');
	json_member_str(j, "advice", f->advice);
	put_places(j, f);
	if (f->count)
		put_count(j, "count", f->count);
	if (f->snapshot)
		json_member_strz(j, "snapshot", f->snapshot);
	if (f->n_edits)
		put_fix(j, f);
	if (whole) {
		put_list(j, "owners", &f->owners);
		put_fault(j, &f->fault);
	}
	if (f->command.n)
		put_argv(j, "command", &f->command);
	else
		json_member_strz(j, "command", NULL);
	json_close(j, '}');
}

static void put_command(struct json_out *j, const struct nested *c)
{
	json_open(j, '{');
	put_argv(j, "argv", &c->argv);
	json_member_strz(j, "cwd", c->cwd);
	json_member_strz(j, "script", c->script);
	put_exit(j, c->how, c->code, c->sig);
	put_ms(j, "duration_ms", c->duration);
	json_member_bool(j, "masked", c->masked);
	json_member_bool(j, "allowed", c->allowed);
	json_member_bool(j, "recovered", c->recovered);
	json_member_bool(j, "below_test", c->below_test);
	json_close(j, '}');
}

static void put_procs(struct json_out *j, const struct report *r)
{
	json_key(j, "processes");
	json_open(j, '[');
	for (size_t i = 0; i < r->n_procs; i++) {
		const struct proc_note *p = &r->procs[i];
		json_open(j, '{');
		put_count(j, "pid", p->pid);
		json_member_strz(j, "command", p->command);
		json_member_bool(j, "left_over", !p->sig);
		put_count(j, "killed_by", p->sig > 0 ? p->sig : -1);
		json_member_bool(j, "ended_by_tocsin", p->ended_by_us);
		json_member_bool(j, "holds_output", p->holds_output);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_times(struct json_out *j, const char *key, const struct named_time *t, size_t n)
{
	json_key(j, key);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_member_str(j, "package", t[i].package);
		json_member_str(j, "test", t[i].test);
		put_ms(j, "duration_ms", t[i].ns);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_verdict(struct json_out *j, const struct report *r)
{
	json_key(j, "verdict");
	json_open(j, '{');
	json_member_strz(j, "outcome", outcome_word(r->outcome));
	json_member_strz(j, "cause", cause_table[r->cause].id);
	put_count(j, "exit_code", r->exit_code);
	json_member_strz(j, "summary", r->summary);
	json_member_strz(j, "proof", r->ending.why);
	json_close(j, '}');
}

static void put_try(struct json_out *j, const struct module_try *t)
{
	json_open(j, '{');
	put_count(j, "attempt", t->attempt);
	json_member_strz(j, "act", t->act);
	json_member_strz(j, "why", t->why);
	json_member_strz(j, "cause", cause_table[t->cause].id);
	json_member_strz(j, "module", t->module);
	json_member_strz(j, "version", t->version);
	json_member_strz(j, "url", t->url);
	json_key(j, "status");
	t->status > 0 ? json_int(j, t->status) : json_null(j);
	json_member_strz(j, "layer", t->layer);
	json_member_strz(j, "variable", t->variable);
	json_member_strz(j, "goproxy", t->proxy);
	put_count(j, "delay_ms", t->delay_ns / 1000000);
	json_close(j, '}');
}

static void put_modules(struct json_out *j, const struct modules_report *m)
{
	json_key(j, "modules");
	json_open(j, '{');
	put_count(j, "wanted", m->wanted);
	put_count(j, "cached", m->cached);
	put_count(j, "fetched", m->fetched);
	put_count(j, "bytes", m->bytes);
	json_member_strz(j, "rung", m->rung);
	json_member_strz(j, "no_mirror", m->refused);
	json_key(j, "attempts");
	json_open(j, '[');
	for (size_t i = 0; i < m->n_tries; i++)
		put_try(j, &m->tries[i]);
	json_close(j, ']');
	json_key(j, "served");
	json_open(j, '[');
	for (size_t i = 0; i < m->n_served; i++) {
		json_open(j, '{');
		json_member_strz(j, "module", m->served[i].module);
		json_member_strz(j, "version", m->served[i].version);
		json_member_strz(j, "by", m->served[i].by);
		put_count(j, "bytes", m->served[i].bytes);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_member_strz(j, "proof", m->proof);
	json_key(j, "answers");
	json_open(j, '[');
	for (size_t i = 0; i < m->n_answers; i++) {
		const struct module_answer *a = &m->answers[i];
		json_open(j, '{');
		json_member_strz(j, "from", a->from);
		json_member_strz(j, "what", a->go_mod ? "go.mod" : "zip");
		json_member_strz(j, "hash", a->hash);
		json_key(j, "agrees");
		a->hash ? json_bool(j, a->agrees) : json_null(j);
		json_key(j, "status");
		a->status > 0 ? json_int(j, a->status) : json_null(j);
		json_member_strz(j, "why", a->why);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void put_report(struct json_out *j, const struct report *r)
{
	json_member_strz(j, "schema", "tocsin.report/1");
	put_run(j, r);
	put_verdict(j, r);
	put_tests(j, &r->tests);
	json_key(j, "findings");
	json_open(j, '[');
	for (size_t i = 0; i < r->n_findings; i++)
		put_finding(j, &r->findings[i], true);
	json_close(j, ']');
	json_key(j, "commands");
	json_open(j, '[');
	for (size_t i = 0; i < r->n_commands; i++)
		put_command(j, &r->commands[i]);
	json_close(j, ']');
	put_procs(j, r);
	put_times(j, "slowest", r->slowest, r->n_slowest);
	put_times(j, "skipped", r->skipped, r->n_skipped);
	if (r->module_story)
		put_modules(j, r->module_story);
	put_list(j, "limits", &r->limits);
}

void report_json(const struct report *r, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	put_report(&j, r);
	json_close(&j, '}');
}

void finding_json(const struct report *r, const struct finding *f, struct buf *ret)
{
	struct json_out j = { .to = ret };

	put_finding(&j, f, false);
}

const char *test_outcome_letter(enum test_outcome o)
{
	static const char *const letters[TEST_OUTCOMES] = {
		[TEST_UNFINISHED] = "u", [TEST_PASS] = "p", [TEST_FAIL] = "f", [TEST_SKIP] = "s",
	};

	return letters[o];
}

static void put_store(struct json_out *j, const struct report *r)
{
	char tree[17];

	snprintf(tree, sizeof(tree), "%016llx", (unsigned long long)r->tree);
	json_key(j, "store");
	json_open(j, '{');
	json_member_strz(j, "project", r->project);
	json_member_strz(j, "base_branch", r->base_branch);
	put_list(j, "modules", &r->modules);
	json_member_strz(j, "tree", r->tree_known ? tree : NULL);
	if (r->is_run && r->started > 0) { /* the report rounds them */
		put_count(j, "started_ns", r->started);
		put_count(j, "duration_ns", r->duration_ns);
	}
	json_close(j, '}');
}

static void put_result(struct json_out *j, const struct test_result *t)
{
	json_open(j, '[');
	json_str(j, t->test);
	json_strz(j, test_outcome_letter(t->result));
	if (t->ns < 0)
		json_null(j);
	else
		json_int(j, t->ns);
	json_int(j, t->attempt);
	json_close(j, ']');
}

static bool same_package(const struct test_result *a, const struct test_result *b)
{
	if (!a->package.p || !b->package.p)
		return a->package.p == b->package.p;
	return span_eq(a->package, b->package);
}

/* Neighbours of one package share its name. */
static void put_results(struct json_out *j, const struct test_result *t, size_t n)
{
	json_key(j, "results");
	json_open(j, '[');
	for (size_t i = 0; i < n;) {
		const struct test_result *first = &t[i];
		json_open(j, '{');
		json_member_str(j, "package", first->package);
		json_key(j, "tests");
		json_open(j, '[');
		for (; i < n && same_package(first, &t[i]); i++)
			put_result(j, &t[i]);
		json_close(j, ']');
		json_close(j, '}');
	}
	json_close(j, ']');
}

void report_spool_json(const struct report *r, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	put_report(&j, r);
	put_store(&j, r);
	put_results(&j, r->results, r->n_results);
	json_close(&j, '}');
}
