#include "cli/alarm.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/deliver.h"
#include "alert/owe.h"
#include "alert/secret.h"
#include "alert/target.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/history.h"
#include "cli/known.h"
#include "model/fingerprint.h"
#include "model/redact_report.h"
#include "run/git.h"

#define LIVE_MAX 1000
#define FLUSH_ALONE (5 * NSEC_PER_SEC)
#define FLUSH_IN_CI (10 * NSEC_PER_SEC)

struct alarm {
	struct secrets *secrets;
	struct redact *redact;  /* of the whole process */
	const char *outbox;     /* the local store; NULL: nobody is told, and the secrets are kept from the command all the same */
	struct owed early, late;
	struct list live;       /* ids of rows that were owed while a service lived */
	bool is_early;          /* somebody was told before the end */
	bool is_owed;           /* something waits in the outbox: of this run, or of one whose deliverer was killed */
	struct arena mem;
};

/* ---- secrets ---- */

/* What the command must not get: "NAME" alone takes a variable out (run.h). */
static int drop_variables(struct session *s, const struct list *refs, struct err *e)
{
	CLEANUP(buf_free) struct buf names = { 0 };
	size_t n = 0;

	int r = secret_variables(refs->v, refs->n, &names, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < names.len; i++)
		n += names.p[i] == '\n';
	const char **drop = arena_alloc(&s->mem, (n + 1) * sizeof(*drop));
	size_t k = 0;
	for (struct span rest = buf_view(&names); drop && rest.n && k < n;)
		drop[k++] = arena_str(&s->mem, span_cut(&rest, '\n'));
	s->drop = drop;
	return drop ? 0 : err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/*
 * One that cannot be read here may be read by the deliverer; which says so if it cannot. The command is often somebody else's
 * code and runs as the same user: neither our memory nor the environment that we were started with is for its eyes.
 */
static int read_secrets(struct session *s, const struct list *refs, struct err *e)
{
	struct alarm *a = s->alarm;
	struct span value;
	struct err none;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (size_t i = 0; i < refs->n; i++)
		secret_get(a->secrets, refs->v[i], &value, &none);
	int r = secrets_hide(a->secrets, refs->v, refs->n, e);
	return r < 0 ? r : secrets_redact(a->secrets, a->redact, e);
}

int alarm_open(struct session *s, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct list refs = { 0 };

	if (!s->config->n_channels)
		return 0;
	struct alarm *a = s->alarm = mem_zalloc(sizeof(*a));
	if (!a || !(a->redact = known_values()))
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	int r = secrets_open(&a->secrets, e);
	if (r == 0)
		r = target_refs(s->config, NULL, &a->mem, &refs, e);
	if (r == 0)
		r = drop_variables(s, &refs, e);
	if (r == 0)
		r = read_secrets(s, &refs, e);
	if (r == 0 && !s->o->no_store)
		r = deliver_outbox(NULL, &path, e);
	if (r == 0 && !s->o->no_store && !(a->outbox = arena_str(&a->mem, buf_view(&path))))
		r = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	s->redact = a->redact;
	return r;
}

void alarm_close(struct session *s)
{
	struct alarm *a = s->alarm;

	if (!a)
		return;
	owed_free(&a->early);
	owed_free(&a->late);
	secrets_close(a->secrets);
	arena_free(&a->mem);
	mem_free(a);
	s->alarm = NULL;
	s->redact = NULL;
}

/* ---- owing ---- */

static bool tells(const struct session *s)
{
	return s->alarm && s->alarm->outbox && s->o->on_fail != ON_FAIL_RECORD;
}

static void say_notes(struct session *s, const struct owed *o)
{
	for (size_t i = 0; i < o->notes.n; i++)
		session_note(s, o->notes.v[i]);
}

/* What the run was recorded in is open already: a second one costs a sync more. */
static bool is_outbox(const struct session *s)
{
	struct stat store, outbox;

	return s->store && s->alarm->outbox && stat(store_name(s->store), &store) == 0 && stat(s->alarm->outbox, &outbox) == 0 && store.st_dev == outbox.st_dev &&
	       store.st_ino == outbox.st_ino;
}

static int owe(struct session *s, const struct report *r, const struct owe *how, struct owed *ret, struct err *e)
{
	struct store *outbox = is_outbox(s) ? s->store : NULL;
	int64_t due = INT64_MAX;
	struct err none;

	/* The command's output waits meanwhile; and who could not record the run has waited already. */
	unsigned haste = how->early || !s->store ? STORE_HASTY : 0;
	int n = outbox ? 0 : store_open(s->alarm->outbox, STORE_CREATE | haste, &outbox, e);
	if (n == 0)
		n = alert_owe(outbox, s->config, r, how, ret, e);
	s->alarm->is_owed = n == 0 && (ret->n || (outbox_next(outbox, &due, &none) == 0 && due != INT64_MAX));
	if (outbox != s->store)
		store_close(outbox);
	return n;
}

static int start(struct session *s, const struct report *r, struct owed *o, struct err *e)
{
	struct deliver_hand hand = { .outbox = s->alarm->outbox, .run = r->id, .project = r->project, .config = s->config, .secrets = s->alarm->secrets, .channels = o->channels };

	return s->alarm->is_owed ? deliver_start(&hand, e) : 0;
}

/* A full disk, a locked or broken outbox: said once, and kept where there is room. */
static int owe_elsewhere(struct session *s, const struct report *r, const struct owe *how, struct owed *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 }, text = { 0 };

	session_note(s, e->msg);
	int n = deliver_stand_in(true, &path, e);
	if (n == 0 && !(s->alarm->outbox = arena_str(&s->alarm->mem, buf_view(&path))))
		n = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (n == 0)
		n = owe(s, r, how, ret, e);
	if (n == 0 && ret->n) {
		buf_addf(&text, TR("the alerts of this run are kept in %s until they are delivered: see `tocsin alert queue --outbox %s`", "本次运行的告警暂存于 %s，直到送达：见 `tocsin alert queue --outbox %s`"),
			 s->alarm->outbox, s->alarm->outbox);
		session_note(s, buf_str(&text));
	}
	return n;
}

/* What an earlier run had to keep there, and nobody has delivered yet. */
static void start_stand_in(struct session *s, const struct report *r)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct deliver_hand hand = { .run = r->id, .project = r->project, .config = s->config, .secrets = s->alarm->secrets };
	struct store *outbox = NULL;
	int64_t due = INT64_MAX;
	struct err none;

	if (deliver_stand_in(false, &path, &none) < 0 || !strcmp(buf_str(&path), s->alarm->outbox) || store_open(buf_str(&path), 0, &outbox, &none) < 0)
		return;
	int n = outbox_next(outbox, &due, &none);
	store_close(outbox);
	hand.outbox = buf_str(&path);
	if (n == 0 && due != INT64_MAX)
		deliver_start(&hand, &none);
}

static void tell(struct session *s, const struct report *r, const struct owe *how, struct owed *ret)
{
	const struct deliver_hand hand = { .outbox = s->alarm->outbox, .run = r->id, .project = r->project, .config = s->config, .secrets = s->alarm->secrets };
	struct err e;

	if (r->outcome != OUTCOME_PASSED)
		deliver_forewarn(&hand);
	int n = owe(s, r, how, ret, &e);
	if (n < 0 && r->outcome != OUTCOME_PASSED)
		n = owe_elsewhere(s, r, how, ret, &e);
	if (n == 0)
		n = start(s, r, ret, &e);
	if (n < 0)
		session_note(s, e.msg);
	else if (ret->n)
		start_stand_in(s, r);
	say_notes(s, ret);
}

/* A run that would be tried again, or whose failure may be excused, has not failed yet. Inside another run, that one speaks. */
static bool may_be_reversed(const struct session *s)
{
	return s->o->retry || s->o->rerun || s->o->quarantine || getenv("TOCSIN_RUN");
}

int alarm_report(struct session *s, const struct finding *f, enum outcome o, struct report *r)
{
	struct finding *copy;

	r->is_run = true;
	r->argv = s->user;
	r->cwd = s->where.shown;
	r->started = time_wall();
	r->outcome = o;
	r->cause = f->cause;
	r->tests = (struct test_counts){ -1, -1, -1, -1, -1, -1, -1 };
	ulid_make(r->started, r->id);
	ci_read(&r->mem, &r->ci);
	if (!(copy = report_add(r)))
		return -ENOMEM;
	*copy = *f;
	fingerprint_make(r, copy, copy->fingerprint);
	history_facts(s, r);
	history_owners(s, r);
	r->results = NULL; /* they are not complete */
	r->n_results = 0;
	return report_redact(s->redact, r);
}

void alarm_early(struct session *s, const struct finding *f)
{
	struct report r = { 0 };

	if (!tells(s) || s->alarm->is_early || f->severity != SEV_ERROR || may_be_reversed(s))
		return;
	s->alarm->is_early = true;
	/* The deliverer is none of the command's processes: it is not to be adopted by us. */
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	if (alarm_report(s, f, OUTCOME_FAILED, &r) == 0)
		tell(s, &r, &(struct owe){ .early = true, .now = time_wall() }, &s->alarm->early);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	report_free(&r);
}

/* ---- a service ---- */

void alarm_forewarn(struct session *s, const char *run)
{
	if (tells(s))
		deliver_forewarn(&(struct deliver_hand){ .outbox = s->alarm->outbox, .run = run, .config = s->config, .secrets = s->alarm->secrets });
}

int alarm_owe(struct session *s, const struct report *r, struct buf *ids)
{
	struct owed owed = { 0 };
	struct err e;

	if (!tells(s))
		return 0;
	int n = owe(s, r, &(struct owe){ .early = true, .now = time_wall() }, &owed, &e);
	if (n < 0)
		session_note(s, e.msg);
	n = n < 0 ? n : (int)owed.n;
	for (size_t i = 0; n > 0 && i < owed.n; i++)
		buf_addf(ids, "%s ", owed.ids[i]);
	owed_free(&owed);
	return n;
}

void alarm_start(struct session *s, const char *run, struct span ids)
{
	struct err e;

	if (!tells(s))
		return;
	while (ids.n) {
		const char *id = arena_str(&s->alarm->mem, span_cut(&ids, ' '));
		if (id && *id && s->alarm->live.n < LIVE_MAX)
			list_add(&s->alarm->mem, &s->alarm->live, id);
	}
	s->alarm->is_owed = true;
	/* The deliverer is none of the command's processes: it is not to be adopted by us. */
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	if (deliver_start(&(struct deliver_hand){ .outbox = s->alarm->outbox, .run = run, .config = s->config, .secrets = s->alarm->secrets }, &e) < 0)
		session_note(s, e.msg);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* ---- tests that fail now and then ---- */

#define FLAKY_NSEC (INT64_C(90) * 86400 * NSEC_PER_SEC) /* as `tocsin fault flaky` */

struct flaky_tests {
	struct session *s;
	const struct report *r;
	struct arena mem;
	struct list names; /* "package\ntest" */
	bool looked;
};

static int keep_flaky(void *ctx, const struct flaky *f)
{
	struct flaky_tests *x = ctx;
	const char *name = arena_printf(&x->mem, "%.*s\n%.*s", SPAN_ARG(f->package), SPAN_ARG(f->test));

	return name && list_add(&x->mem, &x->names, name) ? 0 : -ENOMEM;
}

static bool asks_for_state(const struct config *c)
{
	for (size_t i = 0; i < c->n_routes; i++) {
		if (c->routes[i].when[WHEN_STATE].n)
			return true;
	}
	return false;
}

/* What the library knows; asked at most once, and only where a route wants to know. */
static bool test_is_flaky(void *ctx, const struct finding *f)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	struct flaky_tests *x = ctx;
	struct store *store = NULL;
	struct err none;

	if (!x->looked && asks_for_state(x->s->config)) {
		if (store_open(x->s->store_uri, STORE_READONLY, &store, &none) == 0)
			store_flaky(store, x->r->project, time_wall() - FLAKY_NSEC, keep_flaky, x, &none);
		store_close(store);
	}
	x->looked = true;
	buf_addf(&name, "%.*s\n%.*s", SPAN_ARG(f->package), SPAN_ARG(f->test));
	for (size_t i = 0; i < x->names.n; i++) {
		if (!strcmp(x->names.v[i], buf_str(&name)))
			return true;
	}
	return false;
}

void alarm_end(struct session *s, const struct report *r)
{
	struct flaky_tests x = { .s = s, .r = r };

	if (!tells(s) || s->excused)
		return;
	tell(s, r, &(struct owe){ .before = &s->alarm->early, .flaky = test_is_flaky, .ctx = &x, .now = time_wall() }, &s->alarm->late);
	arena_free(&x.mem);
}

/* ---- waiting ---- */

static int say_row(void *ctx, const struct alert_row *a)
{
	struct session *s = ctx;
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_addf(&text, TR("the alert %.*s to %.*s is not delivered yet (%s)", "告警 %.*s 尚未送达 %.*s（%s）"), SPAN_ARG(a->id), SPAN_ARG(a->channel), alert_state_words[a->state]);
	if (a->error.n)
		buf_addf(&text, TR(": %.*s", "：%.*s"), SPAN_ARG(a->error));
	view_say(&s->view, buf_str(&text));
	struct err e;
	if (s->o->spool && spooled_write(s->o->spool, a, &e) < 0)
		view_say(&s->view, e.msg);
	return 0;
}

static bool told_to_end(void *ctx)
{
	const struct session *s = ctx;

	return s->stopped != 0;
}

void alarm_flush(struct session *s)
{
	struct store *outbox = NULL;
	/* As process 1, nobody outlives us. */
	int64_t limit = s->o->flush_given ? s->o->flush : ci_known() ? FLUSH_IN_CI : getpid() == 1 ? FLUSH_ALONE : 0;
	struct err e;

	if (!tells(s) || (!limit && !s->o->spool) || !(s->alarm->early.n + s->alarm->late.n + s->alarm->live.n))
		return;
	const struct owed live = { .ids = s->alarm->live.v, .n = s->alarm->live.n }, *both[] = { &live, &s->alarm->early, &s->alarm->late };
	int r = store_open(s->alarm->outbox, 0, &outbox, &e);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(both); i++) {
		struct deliver_wait w = { .ids = both[i]->ids, .n = both[i]->n, .time_ns = limit, .stopped = told_to_end, .ctx = s };
		int64_t begin = time_mono();
		r = both[i]->n ? deliver_wait(outbox, &w, say_row, s, &e) : 0;
		limit -= time_mono() - begin;
		limit = limit > 0 ? limit : 0;
	}
	if (r < 0)
		view_say(&s->view, e.msg);
	store_close(outbox);
}
