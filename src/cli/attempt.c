#include "cli/attempt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/alarm.h"
#include "cli/modules.h"

static void take_bytes(struct session *s, enum stream stream, struct span bytes)
{
	if (bytes.n)
		*(stream == STREAM_ERR ? &s->last_err : &s->last_out) = bytes.p[bytes.n - 1];
	sink_write(s->log, bytes);
	if (s->jsonfile && stream != STREAM_ERR) {
		if (s->json)
			sink_write(s->jsonfile, bytes);
		else
			lines_feed(&s->events, bytes);
	}
	if (s->json && s->view.live && stream == STREAM_ERR)
		view_stderr(&s->view, bytes, s->o->redact_output);
	judge_feed(s->judge, stream, bytes);
	if (s->json)
		view_flush(&s->view);
}

static void on_bytes(void *ctx, enum stream stream, struct span bytes)
{
	struct session *s = ctx;

	if (!s->mods || !modules_bytes(s, stream, bytes))
		take_bytes(s, stream, bytes);
}

void modules_pass(struct session *s, struct span bytes)
{
	modules_clear(s);
	term_put(&s->view.err, bytes);
	take_bytes(s, STREAM_ERR, bytes);
}

static void on_notice(void *ctx, const struct notice *n)
{
	struct session *s = ctx;

	junit_notice(s->junit, n);
	if (!s->o->no_store)
		collect_notice(&s->tests, n);
	if (n->kind == NOTICE_FINDING && n->finding)
		alarm_early(s, n->finding);
	if (s->json)
		view_notice(&s->view, n);
}

static void on_tick(void *ctx, int64_t now)
{
	struct session *s = ctx;

	view_tick(&s->view);
	if (s->mods)
		modules_tick(s, now);
}

static void on_winch(void *ctx)
{
	struct session *s = ctx;

	view_resize(&s->view);
}

void session_note(struct session *s, const char *text)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	redact_text(s->redact, span_of(text), &clean);
	const char *kept = arena_str(&s->mem, buf_view(&clean));
	view_say(&s->view, kept ? kept : TR("no memory", "内存不足"));
	if (kept)
		list_add(&s->mem, &s->notes, kept);
}

static void nothing(int sig)
{
}

void session_guard(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct sigaction quiet = { .sa_handler = nothing, .sa_flags = SA_RESTART }, old;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(signals[i], &quiet, NULL);
	}
}

/* SIGPIPE too: a reader that is gone must not keep us from writing the report. */
void session_hold(struct session *s, bool hold)
{
	static const int held[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE };
	sigset_t set;

	if (s->held == hold)
		return;
	s->held = hold;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		sigaddset(&set, held[i]);
	if (hold)
		sigprocmask(SIG_BLOCK, &set, &s->mask);
	else
		sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

bool session_sleep(struct session *s, int64_t ns)
{
	int64_t until = time_mono() + ns, left;
	sigset_t set;

	session_hold(s, true);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	do {
		left = until - time_mono();
		left = left > 0 ? left : 0;
		struct timespec t = { left / NSEC_PER_SEC, left % NSEC_PER_SEC };
		int sig = sigtimedwait(&set, NULL, &t);
		if (sig > 0) {
			s->stopped = sig;
			return true;
		}
	} while (left > 0);
	session_hold(s, false);
	return false;
}

bool attempt_add(struct session *s, enum outcome o, enum cause c, int64_t duration)
{
	if (s->n_tries == s->cap_tries) {
		size_t cap = s->cap_tries ? s->cap_tries * 2 : 4;
		struct attempt *t = arena_alloc(&s->mem, cap * sizeof(*t));
		if (!t)
			return false;
		if (s->n_tries)
			memcpy(t, s->tries, s->n_tries * sizeof(*t));
		s->tries = t;
		s->cap_tries = cap;
	}
	s->tries[s->n_tries] = (struct attempt){ (int)s->n_tries + 1, o, c, duration };
	s->n_tries++;
	return true;
}

int attempt_judge(struct session *s, struct err *e)
{
	struct judge_config c = {
		.argv = s->user,
		.json_out = s->json,
		.strict = s->o->strict,
		.recovered = !s->service && !s->json && !s->cmd.is_test, /* a service finds them as they come */
		.cwd = s->where.cwd,
		.module = s->where.module,
		.module_dir = s->where.module ? "" : NULL,
	};
	size_t n = s->cmd.is_test ? s->cmd.n_packages : 0;

	if (n) {
		const char **names = arena_alloc(&s->mem, (n + 1) * sizeof(*names));
		if (!names)
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		memcpy(names, s->user.v + s->cmd.at_packages, n * sizeof(*names));
		c.packages = names;
	}
	if (s->json || s->junit || !s->o->no_store) {
		c.notice = on_notice;
		c.notice_ctx = s;
	}
	judge_free(s->judge);
	s->judge = NULL;
	return judge_new(&c, &s->judge, e);
}

/* Make and the like call go more than once: what is said is said once. */
static void say_slow(void *ctx, const char *version)
{
	struct session *s = ctx;

	if (s->format->quiet || (s->slow && !strcmp(s->slow, version)))
		return;
	s->slow = arena_str(&s->mem, span_of(version));
	char *text = arena_printf(&s->mem, TR("first use of %s with %s: the standard library is built once more with the "
					      "overlay, about 20 seconds",
					      "首次对 %2$s 使用 %1$s：标准库将带 overlay 重新编译一次，约需 20 秒"), s->o->panics ? "--panics" : "--goroutines", version);
	if (text)
		view_say(&s->view, text);
}

static void on_panics(void *ctx, const char *record, const char *version, const char *why)
{
	struct session *s = ctx;

	if (!s->record || strcmp(s->record, record) != 0)
		return; /* of a run around this one, or within */
	if (*version) {
		say_slow(s, version);
		return;
	}
	for (size_t i = 0; i < s->notes.n; i++) {
		if (!strcmp(s->notes.v[i], why))
			return;
	}
	session_note(s, why);
}

/* --panics is a wish: where it cannot be, the run goes on and says so. */
static void open_overlay(struct session *s, struct argv *argv, const char **env, struct overlay **ret)
{
	struct argv with;
	struct err e;

	if (!s->o->panics && !s->o->goroutines)
		return;
	overlay_want((s->o->panics ? OVERLAY_PANICS : 0) | (s->o->goroutines ? OVERLAY_GOROUTINES : 0));
	s->record = NULL;
	if (overlay_open(&s->mem, argv, say_slow, s, &with, env, ret, &e) < 0) {
		session_note(s, e.msg);
		*ret = NULL;
		return;
	}
	s->record = strchr(*env, '=') + 1;
	*argv = with;
}

const char **attempt_variables(struct session *s, const char *env)
{
	const char *const *ours = s->mods ? s->mods->variables : NULL;
	size_t n = 0;

	while (s->drop && s->drop[n])
		n++;
	const char **v = arena_alloc(&s->mem, (n + 5) * sizeof(*v));
	if (!v)
		return NULL;
	if (n)
		memcpy(v, s->drop, n * sizeof(*v));
	for (size_t i = 0; ours && ours[i]; i++)
		v[n++] = ours[i];
	v[n] = env;
	return v;
}

static int run_once(struct session *s, const struct argv *argv, const char *env, struct report *r,
		    struct err *e)
{
	const char **add = attempt_variables(s, env);
	if (!add)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	bool filter = s->mods && s->mods->filter;
	struct run_config c = {
		.argv = *argv,
		.env_add = add,
		.pty = s->o->pty,
		.relay_out = !s->json,
		.redact = s->o->redact_output,
		.relay_err = !(s->json && s->view.live) && !filter,
		.timeout = s->o->timeout,
		.stall = filter ? 0 : s->o->stall, /* of each download then */
		.network_stall = s->mods ? s->mods->limit : 0,
		.hung = s->mods ? modules_hung : NULL,
		.grace = s->o->grace,
		.reap = s->o->reap,
		.nested = true,
		.allow_masked = s->o->allow_masked.v,
		.bytes = on_bytes,
		.panics = env ? on_panics : NULL,
		.tick = s->view.live || filter ? on_tick : NULL,
		.winch = s->view.live ? on_winch : NULL,
		.ctx = s,
	};

	if (s->mods)
		modules_begin(s);
	session_hold(s, false);
	int n = run_command(&c, r, e);
	session_hold(s, true);
	if (s->mods)
		modules_end(s);
	view_pause(&s->view);
	return n;
}

static int64_t sum_of(int64_t a, int64_t b) /* -1: not known */
{
	return a < 0 ? b : b < 0 ? a : a + b;
}

void resources_add(struct resources *sum, const struct resources *more)
{
	if (!more->known)
		return;
	if (!sum->known) {
		*sum = *more;
		return;
	}
	sum->cpu_ns = sum_of(sum->cpu_ns, more->cpu_ns);
	sum->read_bytes = sum_of(sum->read_bytes, more->read_bytes);
	sum->write_bytes = sum_of(sum->write_bytes, more->write_bytes);
	sum->max_rss_kb = sum->max_rss_kb > more->max_rss_kb ? sum->max_rss_kb : more->max_rss_kb;
	sum->tree_rss_kb = sum->tree_rss_kb > more->tree_rss_kb ? sum->tree_rss_kb : more->tree_rss_kb;
}

static void take_panics(struct session *s, struct overlay *o, const struct report *r)
{
	const char *no_shim = NULL;
	struct err e;

	for (size_t i = 0; i < r->n_facilities; i++) {
		const struct facility *f = &r->facilities[i];
		if (!strcmp(f->name, "shim") && !strcmp(f->value, "no"))
			no_shim = f->why ? f->why : "TOCSIN_SHIM";
	}
	if (o && overlay_take(o, no_shim, s->judge, &e) < 0)
		session_note(s, e.msg);
	overlay_close(o);
}

int attempt_run(struct session *s, const struct argv *argv, bool quiet, struct report *ret, struct err *e)
{
	struct overlay *o = NULL;
	const char *env = NULL;
	struct argv real = *argv;

	*ret = (struct report){ 0 };
	int r = attempt_judge(s, e);
	if (r < 0)
		return r;
	open_overlay(s, &real, &env, &o);
	r = run_once(s, &real, env, ret, e);
	if (r < 0) {
		overlay_close(o);
		return r;
	}
	take_panics(s, o, ret);
	resources_add(&s->used, &ret->resources);
	for (size_t i = 0; i < ret->n_commands; i++)
		judge_nested(s->judge, &ret->commands[i]);
	for (size_t i = 0; i < ret->n_inner; i++)
		judge_inner(s->judge, &ret->inner[i]);
	if (judge_finish(s->judge, ret, e) < 0)
		session_note(s, e->msg);
	if (s->mods && !quiet)
		modules_judged(s, ret);
	if (!quiet)
		attempt_add(s, ret->outcome, ret->cause, ret->duration_ns);
	view_settle(&s->view);
	return 0;
}
