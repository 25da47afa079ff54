#include "alert/delivering.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/* From a bundle to a request on the wire, and from the answer to what is to be done. */

#define CONFIG_FRESH (2 * NSEC_PER_SEC)
#define CHILD_TIME (20 * NSEC_PER_SEC)

/* ---- the configuration, read again when it may have changed ---- */

static struct known_config *known(struct deliver *d, const char *path)
{
	struct known_config *k = d->configs;

	while (k && strcmp(k->path, path) != 0)
		k = k->next;
	if (k)
		return k;
	k = mem_zalloc(sizeof(*k));
	if (!k)
		return NULL;
	k->path = mem_dup(path, strlen(path));
	if (!k->path) {
		mem_free(k);
		return NULL;
	}
	k->next = d->configs;
	d->configs = k;
	return k;
}

/* One that is gone (a job's folder is cleared) stays as it was last seen. */
int send_config(struct deliver *d, const char *path, struct config **ret, struct err *e)
{
	const char *name = *path ? path : d->o->config;
	struct known_config *k = known(d, name ? name : "");
	struct config *fresh = NULL;
	int64_t now = time_mono();

	if (!k)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (!k->config || now - k->read_at > CONFIG_FRESH || k->read_at < d->heard_at) { /* who speaks to us may have changed it */
		int r = config_load(name, "/", &fresh, e);
		if (r < 0 && !k->config)
			return r;
		if (r == 0) {
			config_free(k->config);
			k->config = fresh;
		}
		k->read_at = now;
	}
	*ret = k->config;
	return 0;
}

/* ---- connections ---- */

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static int wire_for(struct deliver *d, const struct target *t, struct http **ret, struct err *e)
{
	struct wire *w = d->wires;

	while (w && (!same(w->ca_file, t->ca_file) || !same(w->proxy, t->proxy) || w->allow_plain != t->allow_plain))
		w = w->next;
	if (!w) {
		w = mem_zalloc(sizeof(*w));
		if (!w)
			return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
		w->ca_file = t->ca_file ? mem_dup(t->ca_file, strlen(t->ca_file)) : NULL;
		w->proxy = t->proxy ? mem_dup(t->proxy, strlen(t->proxy)) : NULL;
		w->allow_plain = t->allow_plain;
		w->next = d->wires;
		d->wires = w;
	}
	if (!w->http) {
		const struct http_options o = { .ca_file = w->ca_file, .proxy = w->proxy, .allow_plain = w->allow_plain, .max_parallel = 64 };
		int r = http_open(&o, &w->http, e);
		if (r < 0)
			return r;
	}
	*ret = w->http;
	return 0;
}

/* ---- the answer ---- */

static void unfly(struct deliver *d, struct bundle *b)
{
	for (struct bundle **at = &d->flying; *at; at = &(*at)->next) {
		if (*at == b) {
			*at = b->next;
			break;
		}
	}
	b->next = NULL;
	d->n_flying--;
	b->channel->flying--;
	d->busy_at = time_mono();
}

/* Nothing that comes from outside is kept with a secret in it. */
static void clean_answer(const struct bundle *b, struct answer *a)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct redact *x = redact_new();
	struct err none;

	if (x && b->set && secrets_redact(b->set->secrets, x, &none) == 0)
		redact_text(x, span_of(a->text), &text);
	redact_free(x);
	snprintf(a->text, sizeof(a->text), "%.*s", SPAN_ARG(text.bad || !text.len ? S("?") : utf8_head(buf_view(&text), sizeof(a->text) - 1)));
}

static void http_done(void *ctx, const struct response *r);

/* What it only took is asked for until it says what became of it. True: the question is on its way. */
static bool asks(struct bundle *b, const struct response *r, struct answer *a)
{
	bool unheard = b->asked && (a->class == ANSWER_RETRY || a->class == ANSWER_AMBIGUOUS);
	int64_t wait = ask_after(b->asked);
	struct http *h = NULL;
	struct err e;

	if (!b->target.ops->ask || (a->class != ANSWER_TAKEN && !unheard))
		return false;
	if (!b->asked)
		buf_span(&b->taken, r->body);
	request_free(&b->request);
	if (wait && !b->taken.bad && b->target.ops->ask(&b->target.t, buf_view(&b->taken), &b->request, &e) == 0 &&
	    wire_for(b->deliver, &b->target, &h, &e) == 0) {
		b->request.not_before = time_mono() + wait;
		b->asked++;
		int sent = http_send(h, &b->request, http_done, b, &e);
		request_free(&b->request);
		if (sent == 0)
			return true;
	}
	ask_given_up(a);
	return false;
}

static void judged(struct bundle *b, const struct response *r)
{
	struct deliver *d = b->deliver;
	struct answer a = { 0 };

	(b->asked ? b->target.ops->judge_asked : b->target.ops->judge)(r, time_wall(), &a);
	if (asks(b, r, &a))
		return;
	if (a.text[0])
		clean_answer(b, &a);
	unfly(d, b);
	child_free(b->child);
	b->child = NULL;
	request_free(&b->request);
	conclude(d, b, &a);
}

static void http_done(void *ctx, const struct response *r)
{
	judged(ctx, r);
}

/* ---- the request ---- */

static int read_alert(const struct bundle *b, struct alert *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf raw = { 0 }, clean = { 0 };
	struct redact *x = redact_new();

	bundle_alert_json(b, &raw);
	int r = x && b->set ? secrets_redact(b->set->secrets, x, e) : 0;
	if (r == 0)
		redact_text(x, buf_view(&raw), &clean);
	redact_free(x);
	if (r == 0 && (!x || raw.bad || clean.bad))
		r = err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	return r < 0 ? r : alert_read(buf_view(&clean), ret, e);
}

static int make_request(struct bundle *b, struct err *e)
{
	const struct target *t = &b->target;
	struct alert a;

	int r = read_alert(b, &a, e);
	if (r < 0)
		return r;
	a.repeat = b->repeat;
	r = t->ops->make(&t->t, &a, b->degraded, time_wall(), &b->request, e);
	alert_free(&a);
	return r;
}

static int start(struct deliver *d, struct bundle *b, struct err *e)
{
	struct http *h = NULL;

	if (b->request.kind == REQUEST_EXEC)
		return child_start(&b->request, CHILD_TIME, &b->child, e);
	int r = wire_for(d, &b->target, &h, e);
	if (r < 0)
		return r;
	r = http_send(h, &b->request, http_done, b, e);
	request_free(&b->request); /* kept by it until it is done */
	return r;
}

/* A secret that only the run knew, and no run of this kind has handed over since we were started. */
static bool waits_for_secret(const struct deliver *d, const struct bundle *b, int r)
{
	return b->set == &d->own && r != -EINVAL && r != -EBADMSG;
}

static void refused(struct deliver *d, struct bundle *b, int r, const struct err *e)
{
	struct answer a = { .class = r == -ENOMEM || r == -EMFILE || r == -ELIBACC || r == -EAGAIN ? ANSWER_RETRY : ANSWER_CONFIG };

	snprintf(a.text, sizeof(a.text), "%.*s", SPAN_ARG(utf8_head(span_of(e->msg), sizeof(a.text) - 1)));
	clean_answer(b, &a);
	request_free(&b->request);
	target_free(&b->target);
	conclude(d, b, &a);
}

static void no_target(struct deliver *d, struct bundle *b, int r, struct err *e)
{
	struct answer a = { 0 };

	if (!waits_for_secret(d, b, r) || b->done_before) {
		refused(d, b, r, e);
		return;
	}
	snprintf(a.text, sizeof(a.text), TR("%.150s; it waits for a run that hands it over", "%.150s；等待某次运行提供"), e->msg);
	await_secret(d, b, a.text);
}

/* Not now: wait, and gather what comes meanwhile. */
static void hold(struct deliver *d, struct bundle *b, int64_t wait)
{
	struct channel_state *c = b->channel;
	int64_t now = time_wall();

	target_free(&b->target);
	queue_front(c, b, d);
	c->wait_until = now + wait;
	size_t before = c->queued;
	bundle_merge_queue(c, now);
	d->n_queued -= before - c->queued;
}

/* The last one of a minute is for all that wait. */
static struct bundle *last_for_all(struct deliver *d, struct bundle *b, int per_minute)
{
	struct channel_state *c = b->channel;
	int64_t now = time_wall();

	if (!c->first || per_minute <= 0 || limits_free(d->limits, c->robot, per_minute, now) > 1)
		return b;
	struct target t = b->target;
	b->target = (struct target){ 0 };
	queue_front(c, b, d);
	size_t before = c->queued;
	bundle_merge_queue(c, now); /* b may be part of another now */
	d->n_queued -= before - c->queued;
	struct bundle *first = c->first;
	c->first = first->next;
	c->queued--;
	d->n_queued--;
	first->next = NULL;
	first->target = t;
	return first;
}

void send_bundle(struct deliver *d, struct bundle *b)
{
	struct channel_state *c = b->channel;
	struct config *config;
	struct err e = { 0 };

	b->set = c->set;
	b->deliver = d;
	int r = send_config(d, c->config, &config, &e);
	if (r < 0) {
		refused(d, b, r, &e);
		return;
	}
	r = target_make(config, c->name, b->set->secrets, &b->target, &e);
	if (r < 0) {
		no_target(d, b, r, &e);
		return;
	}
	int per_minute = c->per_minute = b->target.per_minute;
	c->robot = limits_robot(b->target.ops->type, b->target.t.url);
	b = last_for_all(d, b, per_minute);
	b->set = c->set;
	b->deliver = d;
	int64_t wait = limits_take(d->limits, c->robot, per_minute, time_wall());
	if (wait) {
		hold(d, b, wait);
		return;
	}
	b->began = time_mono();
	b->asked = 0;
	buf_clear(&b->taken);
	sent_before(d, b);
	r = make_request(b, &e);
	if (r == 0)
		r = start(d, b, &e);
	if (r < 0) {
		refused(d, b, r, &e);
		return;
	}
	b->next = d->flying;
	d->flying = b;
	d->n_flying++;
	c->flying++;
}

/* ---- working on what is under way ---- */

static void step_children(struct deliver *d)
{
	for (struct bundle *b = d->flying, *next; b; b = next) {
		struct response r;
		next = b->next;
		if (b->child && child_step(b->child, &r)) {
			judged(b, &r);
			next = d->flying; /* the list is another by now */
		}
	}
}

static bool any_http(const struct deliver *d)
{
	for (const struct bundle *b = d->flying; b; b = b->next) {
		if (!b->child)
			return true;
	}
	return false;
}

void send_step(struct deliver *d, int64_t wait_ns)
{
	struct err e;

	step_children(d);
	for (struct wire *w = d->wires; w && any_http(d); w = w->next) {
		if (w->http && http_run(w->http, w->next ? wait_ns / 2 : wait_ns, &e) < 0)
			d->stuck = true;
	}
}

void send_close(struct deliver *d)
{
	while (d->wires) {
		struct wire *w = d->wires;
		d->wires = w->next;
		http_close(w->http);
		mem_free(w->ca_file);
		mem_free(w->proxy);
		mem_free(w);
	}
	while (d->configs) {
		struct known_config *k = d->configs;
		d->configs = k->next;
		config_free(k->config);
		mem_free(k->path);
		mem_free(k);
	}
}
