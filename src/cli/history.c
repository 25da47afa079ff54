#include "cli/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/open_store.h"
#include "parse/modfile.h"
#include "run/git.h"
#include "run/owners.h"

#define SPOOLED_MAX 20 /* runs that one run takes in from the spool */
#define GO_MOD_MAX (1 << 20)
#define VACUUM_MOST 200 /* runs that one run removes */

/* ---- the configuration ---- */

int history_config(struct session *s, struct err *e)
{
	const char *uri = s->o->store ? s->o->store : getenv("TOCSIN_STORE");

	int r = config_load(s->o->config, NULL, &s->config, e);
	if (r < 0)
		return r;
	s->store_uri = uri && *uri ? uri : config_text(s->config, CFG_STORE);
	s->base_branch = config_text(s->config, CFG_BASE_BRANCH);
	s->keep_age = config_number(s->config, CFG_RETENTION_AGE);
	s->keep_bytes = config_number(s->config, CFG_RETENTION_SIZE);
	return 0;
}

void history_notes(struct session *s)
{
	for (size_t i = 0; i < s->config->n_notes; i++)
		session_note(s, s->config->notes[i]);
}

/* ---- the facts beside the report ---- */

/* "https://host/o/r.git", "git@host:o/r.git" → "o/r": as CI names it. */
static struct span repository(struct span url)
{
	size_t scheme = span_find(url, S("://"));

	if (scheme != SPAN_NONE) {
		url = span_from(url, scheme + 3);
		size_t slash = span_chr(url, '/');
		url = slash == SPAN_NONE ? (struct span){ 0 } : span_from(url, slash + 1);
	} else if (span_chr(url, ':') != SPAN_NONE && span_chr(url, '/') > span_chr(url, ':')) {
		url = span_from(url, span_chr(url, ':') + 1);
	}
	while (url.n && url.p[url.n - 1] == '/')
		url.n--;
	if (span_ends(url, S(".git")))
		url.n -= 4;
	return url;
}

const char *history_project(struct arena *mem, const char *ci_repo, const struct site *where, const struct git_where *git)
{
	struct span name = { 0 };

	if (ci_repo)
		name = repository(span_of(ci_repo));
	if (!name.n && git->remote)
		name = repository(span_of(git->remote));
	if (!name.n && where->root)
		name = span_of(where->root);
	if (!name.n && where->cwd)
		name = path_base(span_of(git->top ? git->top : where->cwd));
	return arena_str(mem, name);
}

void history_usual(struct session *s)
{
	struct report r = { .argv = s->user, .cwd = s->where.shown };
	struct git_where git = { 0 };
	struct store *store = NULL;
	struct err e;

	if (s->o->no_store || !s->view.live || !s->where.cwd)
		return;
	ci_read(&s->mem, &r.ci);
	if (git_where(s->where.cwd, &s->mem, &git, &e) < 0)
		git = (struct git_where){ 0 };
	r.project = history_project(&s->mem, r.ci.repo, &s->where, &git);
	/* What is wrong with the store is said when the run is recorded. */
	if (store_open(s->store_uri, STORE_READONLY, &store, &e) == 0 && usual_load(store, store_series(&r), &s->usual, &e) == 0)
		view_usual(&s->view, &s->usual);
	store_close(store);
}

static void read_modules(struct session *s, struct report *r)
{
	CLEANUP(buf_free) struct buf text = { .max = GO_MOD_MAX };
	CLEANUP(modfile_free) struct modfile m = { 0 };

	if (!s->where.go_mod || file_slurp(s->where.go_mod, &text, NULL) < 0)
		return;
	if (modfile_read(buf_view(&text), MODFILE_MAIN, &m, NULL) < 0)
		return;
	for (size_t i = 0; i < m.n; i++) {
		const struct mod_line *q = &m.lines[i];
		if (q->verb != MOD_REQUIRE)
			continue;
		const char *line = arena_printf(&r->mem, "%.*s %.*s", SPAN_ARG(q->path), SPAN_ARG(q->version));
		if (!line || !list_add(&r->mem, &r->modules, line))
			return;
	}
}

/* In CI the commit says it all. Elsewhere what is not committed counts too, and only tests are compared by it. */
static void read_tree(struct session *s, struct report *r, const struct git_where *git)
{
	CLEANUP(buf_free) struct buf store = { 0 };
	const char *kept = store_uri_name(s->store_uri, &store, NULL) == 0 ? buf_str(&store) : NULL; /* no file of that name when it is a server */
	const char *skip[] = { s->o->report, s->o->sarif, s->o->junit, s->o->jsonfile, s->o->log, kept,
			       kept ? arena_printf(&s->mem, "%s-wal", kept) : NULL, kept ? arena_printf(&s->mem, "%s-shm", kept) : NULL, NULL };
	const char *own[ARRAY_LEN(skip)] = { NULL };
	size_t n = 0;
	struct err e;

	for (size_t i = 0; i + 1 < ARRAY_LEN(skip); i++) {
		if (skip[i])
			own[n++] = skip[i];
	}
	if (r->ci.name || !git->top || (!r->n_results && !s->cmd.is_test)) /* a raw `go test` that passes names no test */
		return;
	r->tree_known = git_tree_state(git->top, r->started, own, &r->tree, &e) == 0;
}

void history_facts(struct session *s, struct report *r)
{
	struct git_where git = { 0 };
	struct err e;

	if (s->where.cwd && git_where(s->where.cwd, &s->mem, &git, &e) < 0)
		git = (struct git_where){ 0 };
	s->top = git.top;
	r->project = history_project(&s->mem, r->ci.repo, &s->where, &git);
	r->base_branch = s->base_branch ? s->base_branch : r->ci.base ? r->ci.base : git.base;
	if (!r->ci.name && !r->ci.commit)
		r->ci.commit = git.commit;
	if (!r->ci.name && !r->ci.branch)
		r->ci.branch = git.branch;
	r->results = s->tests.v;
	r->n_results = s->tests.n;
	if (s->tests.full)
		session_note(s, TR("only the first 500,000 tests are kept in the fault library", "故障库只保存前 500,000 个测试的结果"));
	read_modules(s, r);
	read_tree(s, r, &git);
}

/* ---- owners ---- */

static void find_owners(struct session *s, struct report *r, struct finding *f, int line)
{
	const char *how;
	struct err e;

	if (!f->file.n || f->owners.n || (!s->owners && owners_open(s->where.cwd, &s->owners, &e) < 0))
		return;
	owners_of(s->owners, f->package, f->file, line, &r->mem, &f->owners, &how, &e); /* that nobody is known is no fault of the run */
}

void history_owners(struct session *s, struct report *r)
{
	for (size_t i = 0; s->where.cwd && i < r->n_findings; i++)
		find_owners(s, r, &r->findings[i], 0);
}

struct recording {
	struct session *s;
	struct report *r;
};

static const char *owner_of(void *ctx, const struct finding *f)
{
	struct recording *x = ctx;
	CLEANUP(buf_free) struct buf all = { 0 };
	struct finding *own = &x->r->findings[f - x->r->findings];

	find_owners(x->s, x->r, own, f->line);
	for (size_t i = 0; i < own->owners.n; i++)
		buf_addf(&all, "%s%s", i ? ", " : "", own->owners.v[i]);
	return all.len && !all.bad ? arena_str(&x->r->mem, buf_view(&all)) : NULL;
}

/* Is the fix in what was run? */
static int has_commit(void *ctx, const char *commit)
{
	struct recording *x = ctx;
	struct git_range range;
	struct err e;

	if (!x->s->top || !x->r->ci.commit || git_range(x->s->top, commit, x->r->ci.commit, 0, &x->s->mem, &range, &e) < 0)
		return -1;
	return range.ancestor;
}

/* ---- recording ---- */

static void spool(struct session *s, struct report *r, const char *why)
{
	CLEANUP(buf_free) struct buf where = { 0 }, text = { 0 };
	struct err e;

	if (spool_put(s->store_uri, r, &where, &e) < 0)
		buf_addf(&text, TR("%s; the run is not recorded: %s", "%s；本次运行未被记录：%s"), why, e.msg);
	else
		buf_addf(&text, TR("%s; the run waits in %s until the next one takes it in", "%s；本次运行暂存于 %s，下次运行时补录"), why, buf_str(&where));
	session_note(s, buf_str(&text));
}

/* -errno: the store cannot be written to, and it is said why in *e. */
static int take_spooled(struct session *s, struct store *store, struct err *e)
{
	CLEANUP(buf_free) struct buf notes = { 0 };

	int r = spool_take(store, s->store_uri, SPOOLED_MAX, time_wall(), &notes, e);
	for (struct span rest = buf_view(&notes); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		const char *one = line.n ? arena_str(&s->mem, line) : NULL;
		if (one)
			session_note(s, one);
	}
	return r < 0 ? r : 0;
}

/* A clock that jumped spoils ages and trends, here or in the store: it is said, and nothing is dropped for it. */
static void check_clock(struct session *s, struct store *store, const struct report *r)
{
	CLEANUP(buf_free) struct buf note = { 0 };
	struct err e;

	if (store_clock(store, r->started, &note, &e) <= 0)
		return;
	const char *line = arena_str(&s->mem, span_trim(buf_view(&note)));
	if (line)
		session_note(s, line);
}

static void keep_house(struct session *s, struct store *store)
{
	struct retention keep = { .age = s->keep_age, .bytes = s->keep_bytes, .most = VACUUM_MOST };
	struct vacuumed gone;
	struct err e;

	if ((!keep.age && !keep.bytes) || store_upkeep_due(store, time_wall(), &e) <= 0)
		return;
	if (store_vacuum(store, &keep, time_wall(), false, &gone, &e) < 0)
		session_note(s, e.msg);
}

void history_record(struct session *s, struct report *r)
{
	struct recording x = { s, r };
	struct record_config c = { .now = time_wall(), .owner = owner_of, .has_commit = has_commit, .ctx = &x };
	struct store *store = NULL;
	struct err e;

	int n = store_open(s->store_uri, STORE_CREATE, &store, &e);
	if (n == 0)
		n = take_spooled(s, store, &e);
	if (n == 0) {
		check_clock(s, store, r);
		n = store_record(store, r, &c, &e);
	}
	if (n < 0)
		spool(s, r, e.msg);
	else
		keep_house(s, store);
	if (n < 0)
		store_close(store);
	else
		s->store = store;
}

/* ---- quarantine ---- */

/* A panic or a time-out takes other tests with it: only a test that failed by itself can be excused. */
static bool can_wait(enum cause c)
{
	return c == CAUSE_TEST_FAIL || c == CAUSE_TEST_RACE || c == CAUSE_TEST_UNSTABLE;
}

bool history_quarantine(struct session *s, struct report *r)
{
	size_t excused = 0, wrong = 0;

	for (size_t i = 0; i < r->n_findings; i++) {
		struct finding *f = &r->findings[i];
		const char *package = f->package.n ? arena_str(&s->mem, f->package) : NULL, *test = f->test.n ? arena_str(&s->mem, f->test) : NULL;
		const struct config_quarantine *q = test && can_wait(f->cause) && f->severity == SEV_ERROR ? config_quarantined(s->config, package, test) : NULL;
		if (!q) {
			wrong += f->severity == SEV_ERROR;
			continue;
		}
		excused++;
		char *note = arena_printf(&s->mem, TR("quarantined until %s: %s %s%s%s", "隔离至 %s：%s %s%s%s"), q->until, package ? package : "", test, q->why ? TR(": ", "：") : "", q->why ? q->why : "");
		if (note)
			session_note(s, note);
	}
	return excused && !wrong && r->outcome == OUTCOME_FAILED;
}
