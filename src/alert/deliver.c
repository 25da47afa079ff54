#include "alert/deliver.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/delivering.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/siphash.h"
#include "base/text.h"
#include "base/time.h"

#define LEASE (2 * 3600 * NSEC_PER_SEC) /* longer than any wait; whoever has the lock next frees it at once */
#define BATCH 128
#define QUEUE_MAX 256
#define FLYING_MAX 64
#define DONE_MAX 64
#define DONE_WAIT (20 * NSEC_PER_MSEC)
#define ATTEMPTS_MAX 30
#define ATTEMPTS_END 500 /* whatever the age: an alert that kills its sender each time */
#define AGE_MAX (24 * 3600 * NSEC_PER_SEC)
#define LIMITED_WAIT (60 * NSEC_PER_SEC)
#define REPEAT_WAIT (120 * NSEC_PER_SEC)           /* who did not hear the answer asks a second time, not at once */
#define SECRET_WAIT_MAX (900 * NSEC_PER_SEC)
#define SECRET_AGE_MAX (7 * 24 * 3600 * NSEC_PER_SEC) /* nobody could try: it waits longer than what was tried */
#define FAILURES_MAX 2 /* then those behind it are not tried one by one */
#define LACKING_MAX 256
#define STALLED NSEC_PER_SEC
#define STEP (20 * NSEC_PER_MSEC)
#define SLEEP_MAX (30 * NSEC_PER_SEC)
#define FAILING_MAX (600 * NSEC_PER_SEC) /* an outbox that cannot be read */

/* ---- what came of it ---- */

static int64_t about(int64_t ns)
{
	return ns - ns / 5 + (int64_t)(random() % 1000) * (ns / 2500); /* -20 % … +20 % */
}

static int64_t backoff(int64_t attempts)
{
	static const int steps[] = { 5, 30, 120, 600, 1800, 3600 };
	size_t i = attempts < 1 ? 0 : (size_t)attempts - 1;

	return about(steps[i < ARRAY_LEN(steps) ? i : ARRAY_LEN(steps) - 1] * NSEC_PER_SEC);
}

static void say(const struct deliver *d, const struct bundle *b, const char *text)
{
	char line[512];

	if (!d->o->said)
		return;
	if (b->n > 1)
		snprintf(line, sizeof(line), TR("%s: %zu alerts in one: %s", "%s：%zu 个告警合并：%s"), b->channel->name, b->n, text);
	else
		snprintf(line, sizeof(line), TR("%s: alert %s: %s", "%s：告警 %s：%s"), b->channel->name, b->ids[0], text);
	d->o->said(d->o->ctx, line);
}

/* "maybe:ROW" stands beside the outbox while the row's answer was not understood: a kill does not make it forgotten. */
static int set_maybe(struct deliver *d, const struct bundle *b, const char *value, struct err *e)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct outbox_note *notes = arena_alloc(&mem, b->n * sizeof(*notes));

	for (size_t i = 0; notes && i < b->n; i++) {
		notes[i] = (struct outbox_note){ arena_printf(&mem, "maybe:%s", b->ids[i]), value };
		if (!notes[i].key)
			notes = NULL;
	}
	return notes ? outbox_owe(d->s, NULL, 0, notes, b->n, time_wall(), e) : err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

static bool is_maybe(struct deliver *d, const struct alert_row *a)
{
	CLEANUP(buf_free) struct buf key = { 0 }, value = { 0 };
	struct err none;

	if (a->attempts < 2 && !a->error.n)
		return false;
	buf_addf(&key, "maybe:%.*s", SPAN_ARG(a->id));
	return !key.bad && outbox_note_get(d->s, buf_str(&key), &value, &none) == 0;
}

/* What a channel does not take makes those behind it wait; what it takes lets them go. */
static void note_channel(struct deliver *d, struct bundle *b, enum alert_state state)
{
	struct channel_state *c = b->channel;
	struct err none;

	c->since = time_mono();
	if (state == ALERT_DELIVERED) {
		c->failures = 0;
		c->crowded = false;
	} else if (b->n > 1 && !b->group) {
		c->crowded = true;
	}
	if (b->n_resent && (state == ALERT_DELIVERED || state == ALERT_DEAD))
		set_maybe(d, b, NULL, &none);
}

static void put_down(struct deliver *d, struct bundle *b, enum alert_state state, int64_t again, const char *text)
{
	b->state = state;
	b->again = again;
	snprintf(b->error, sizeof(b->error), "%s", text ? text : "");
	if (!d->done)
		d->done_since = time_mono();
	b->next = d->done;
	d->done = b;
	d->n_done++;
	d->undelivered |= state != ALERT_DELIVERED;
}

void bundle_done(struct deliver *d, struct bundle *b, enum alert_state state, int64_t again, const char *text)
{
	note_channel(d, b, state);
	put_down(d, b, state, again, text);
	say(d, b, state == ALERT_DELIVERED && !b->error[0] ? TR("delivered", "已送达") : b->error);
}

void queue_front(struct channel_state *c, struct bundle *b, struct deliver *d)
{
	b->next = c->first;
	c->first = b;
	c->queued++;
	d->n_queued++;
}

/* The same for the same channel, target and day, so that it is owed once, whoever is killed meanwhile. */
static void notice_id(const char *about, const char *to, int64_t now, char ret[27])
{
	static const unsigned char key[16] = "tocsin notice 1";
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned char sum[16];
	char text[300];
	int64_t day = now / NSEC_PER_SEC / 86400;

	int n = snprintf(text, sizeof(text), "%s\n%s\n%lld", about, to, (long long)day);
	siphash128(key, (struct span){ text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1 }, sum);
	uint64_t ms = (uint64_t)day * 86400000;
	for (int i = 9; i >= 0; i--, ms >>= 5)
		ret[i] = digits[ms & 31];
	for (int i = 0; i < 16; i++)
		ret[10 + i] = digits[sum[i] & 31];
	ret[26] = '\0';
}

static int owe_notice(struct deliver *d, const struct bundle *b, struct span alert, const struct list *names, struct err *e)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	const struct channel_state *c = b->channel;
	struct alert_owed row = { 0 };
	char id[27];

	owed_json(c->config, NULL, NULL, false, alert, &body);
	if (body.bad)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++) {
		if (!strcmp(names->v[i], c->name))
			continue;
		notice_id(c->name, names->v[i], time_wall(), id);
		row = (struct alert_owed){ .id = id, .channel = names->v[i], .body = buf_view(&body) };
		int r = outbox_owe(d->s, &row, 1, NULL, 0, time_wall(), e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The others hear that this one is not heard. It does not do so about telling. */
static void tell_others(struct deliver *d, const struct bundle *b, const char *why)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf json = { 0 };
	struct config *config;
	struct list names = { 0 };
	struct alert a;
	struct err e;

	if (b->about_channel || send_config(d, b->channel->config, &config, &e) < 0 || target_names(config, &mem, &names, &e) < 0 || names.n < 2)
		return;
	if (alert_channel_down(b->channel->name, why, TR("see `tocsin alert doctor`, then `tocsin alert retry --all`", "请查看 `tocsin alert doctor`，然后执行 `tocsin alert retry --all`"),
			       (int64_t)(b->n + b->channel->queued), time_wall(), &a, &e) < 0)
		return;
	alert_json(&a, &json);
	alert_free(&a);
	if (!json.bad && owe_notice(d, b, buf_view(&json), &names, &e) < 0 && d->o->said)
		d->o->said(d->o->ctx, e.msg);
}

static void give_up(struct deliver *d, struct bundle *b, const char *text)
{
	char why[300], age[24];

	duration_text(time_wall() - b->created, age);
	snprintf(why, sizeof(why), TR("given up after %lld attempts in %s: %.200s", "尝试 %lld 次、历时 %s 后放弃：%.200s"), (long long)b->attempts, age, text);
	tell_others(d, b, why);
	bundle_done(d, b, ALERT_DEAD, 0, why);
}

static void put_off(struct deliver *d, struct bundle *b, int64_t wait, const char *text)
{
	int64_t now = time_wall();

	if ((b->attempts >= ATTEMPTS_MAX && now - b->created > AGE_MAX) || b->attempts >= ATTEMPTS_END)
		give_up(d, b, text);
	else
		bundle_done(d, b, ALERT_PENDING, now + wait, text);
}

/* A channel that is silent would keep those behind for hours, and all other channels with them: they are due again later. */
static void put_off_queue(struct deliver *d, struct channel_state *c, const char *text)
{
	char why[300];

	snprintf(why, sizeof(why), TR("not tried yet, after one before it: %.200s", "尚未尝试，因为之前的一条：%.200s"), text);
	while (c->first) {
		struct bundle *b = c->first;
		c->first = b->next;
		c->queued--;
		d->n_queued--;
		if (b->n > 1 && !b->group)
			c->crowded = true;
		put_down(d, b, ALERT_PENDING, time_wall() + backoff(b->attempts), why);
	}
}

static void try_again(struct deliver *d, struct bundle *b, int64_t wait, const char *text)
{
	struct channel_state *c = b->channel;
	int64_t usual = backoff(b->attempts);

	if (++c->failures >= FAILURES_MAX)
		put_off_queue(d, c, text);
	put_off(d, b, wait > usual ? wait : usual, text);
}

static void keep_in_mind(const struct bundle *b)
{
	struct channel_state *c = b->channel;

	for (size_t i = 0; i < b->n && c->n_lacking < LACKING_MAX && mem_grow(&c->lacking, &c->cap_lacking, c->n_lacking, sizeof(*c->lacking)); i++)
		memcpy(c->lacking[c->n_lacking++], b->ids[i], sizeof(*c->lacking));
}

/* Only a run knows it, or this machine was started anew since: no attempt, and no fault of the channel. */
void await_secret(struct deliver *d, struct bundle *b, const char *text)
{
	int64_t wait = backoff(b->attempts), now = time_wall();

	target_free(&b->target);
	keep_in_mind(b);
	if (now - b->created > SECRET_AGE_MAX)
		give_up(d, b, text);
	else
		bundle_done(d, b, ALERT_PENDING, now + (wait < SECRET_WAIT_MAX ? wait : SECRET_WAIT_MAX), text);
}

static void limited(struct deliver *d, struct bundle *b, const struct answer *a)
{
	struct channel_state *c = b->channel;
	int64_t now = time_wall(), wait = a->wait_ns > 0 ? a->wait_ns : LIMITED_WAIT;

	limits_block(d->limits, c->robot, now + wait, now);
	c->wait_until = now + wait;
	c->crowded = true;
	put_off(d, b, wait, a->text);
	if (!c->first)
		return;
	size_t before = c->queued;
	bundle_merge_queue(c, now);
	d->n_queued -= before - c->queued;
}

static void payload(struct deliver *d, struct bundle *b, const struct answer *a)
{
	if (b->degraded) {
		tell_others(d, b, a->text);
		bundle_done(d, b, ALERT_DEAD, 0, a->text);
		return;
	}
	say(d, b, a->text);
	b->degraded = true;
	queue_front(b->channel, b, d);
}

/*
 * Owed until confirmed: where a channel cannot drop a second one, it is sent once more, later, and says that it may be a repeat.
 * When that too is not understood, a person must look, and the other channels say so.
 */
static void ambiguous(struct deliver *d, struct bundle *b, bool idempotent, const struct answer *a)
{
	bool last = b->n_resent == b->n;
	char why[300];
	struct err e;

	if (idempotent) {
		try_again(d, b, a->wait_ns, a->text);
		return;
	}
	if (!last && set_maybe(d, b, "1", &e) < 0) {
		try_again(d, b, REPEAT_WAIT, a->text);
		return;
	}
	if (last)
		snprintf(why, sizeof(why), TR("sent twice, and not confirmed: look there whether it arrived, then `tocsin alert retry` or `drop`: %.150s", "已发送两次仍未确认：请到该渠道核实，然后执行 `tocsin alert retry` 或 `drop`：%.150s"), a->text);
	else
		snprintf(why, sizeof(why), TR("it may have arrived or not; it is sent once more, marked as a possible repeat: %.180s", "可能已送达也可能没有；稍后会再发一次，并注明可能重复：%.180s"), a->text);
	if (last)
		tell_others(d, b, why);
	if (++b->channel->failures >= FAILURES_MAX)
		put_off_queue(d, b->channel, a->text);
	bundle_done(d, b, ALERT_AMBIGUOUS, last ? 0 : time_wall() + about(REPEAT_WAIT), why);
}

void conclude(struct deliver *d, struct bundle *b, const struct answer *a)
{
	bool idempotent = b->target.ops ? b->target.ops->idempotent : false;

	target_free(&b->target);
	switch (a->class) {
	case ANSWER_DELIVERED: bundle_done(d, b, ALERT_DELIVERED, 0, a->partly ? a->text : NULL); break;
	case ANSWER_TAKEN: /* send.c asks until it is another */
	case ANSWER_RETRY: try_again(d, b, a->wait_ns, a->text); break;
	case ANSWER_LIMITED: limited(d, b, a); break;
	case ANSWER_PAYLOAD: payload(d, b, a); break;
	case ANSWER_AMBIGUOUS:
		b->sent_maybe = true;
		ambiguous(d, b, idempotent, a);
		break;
	case ANSWER_CONFIG:
		tell_others(d, b, a->text); /* before it is settled: else a kill between the two would keep it quiet */
		bundle_done(d, b, ALERT_MISCONFIGURED, 0, a->text);
		break;
	}
}

/* ---- saying it in the outbox ---- */

static bool alike(const struct bundle *a, const struct bundle *b)
{
	return a->state == b->state && a->again == b->again && !strcmp(a->error, b->error);
}

/* All that came to the same, in one transaction. */
static int settle_like(struct deliver *d, const struct bundle *first, struct err *e)
{
	const char **ids = NULL;
	size_t n = 0, cap = 0;
	int r = 0;

	for (const struct bundle *b = first; b && r == 0; b = b->next) {
		for (size_t i = 0; r == 0 && alike(b, first) && i < b->n; i++) {
			if (!mem_grow(&ids, &cap, n, sizeof(*ids)))
				r = err_set(e, ENOMEM, TR("out of memory", "内存不足"));
			else
				ids[n++] = b->ids[i];
		}
	}
	if (r == 0)
		r = outbox_settle_all(d->s, ids, n, d->by, first->state, first->error[0] ? first->error : NULL, first->again, time_wall(), e);
	mem_free(ids);
	return r;
}

/* What cannot be written now stays, and is tried again: else it would be sent twice. */
static int settle(struct deliver *d)
{
	struct err e;

	while (d->done) {
		struct bundle like = { .state = d->done->state, .again = d->done->again };
		memcpy(like.error, d->done->error, sizeof(like.error));
		int r = settle_like(d, d->done, &e);
		if (r < 0) {
			if (d->o->said)
				d->o->said(d->o->ctx, e.msg);
			return r;
		}
		for (struct bundle **at = &d->done; *at;) {
			struct bundle *b = *at;
			if (!alike(b, &like)) {
				at = &b->next;
				continue;
			}
			*at = b->next;
			d->n_done--;
			sent_settled(d, b);
			bundle_free(b);
		}
	}
	return 0;
}

static bool settle_is_due(const struct deliver *d)
{
	return d->done && (d->n_done >= DONE_MAX || !d->n_flying || time_mono() - d->done_since >= DONE_WAIT);
}

/* ---- taking rows ---- */

static struct channel_state *channel_for(struct deliver *d, const char *config, const char *name, struct secret_set *set)
{
	struct channel_state *c = d->channels;

	while (c && (c->set != set || strcmp(c->name, name) != 0 || strcmp(c->config, config) != 0))
		c = c->next;
	if (c)
		return c;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct channel_state){ .config = mem_dup(config, strlen(config)), .name = mem_dup(name, strlen(name)), .set = set, .per_minute = -1 };
	if (!c->config || !c->name) {
		mem_free(c->config);
		mem_free(c->name);
		mem_free(c);
		return NULL;
	}
	set->users++;
	c->next = d->channels;
	d->channels = c;
	return c;
}

static struct bundle *joinable(struct channel_state *c, struct span group)
{
	bool held = c->wait_until > time_wall() || c->crowded;

	for (struct bundle *b = c->first; b; b = b->next) {
		bool same = group.n ? b->group && span_eq(span_of(b->group), group) : held && !b->group;
		if (same && !b->degraded && !b->sent[0])
			return b;
	}
	return NULL;
}

/* What left together goes again together, and with nothing else; also when the runs that owed it have handed over different secrets since. */
static struct bundle *sent_again(const struct deliver *d, const char *before)
{
	for (const struct channel_state *c = d->channels; c; c = c->next) {
		for (struct bundle *b = c->first; b; b = b->next) {
			if (!strcmp(b->sent, before))
				return b;
		}
	}
	return NULL;
}

static int enqueue(struct deliver *d, struct channel_state *c, const struct alert_row *a, const struct owed_body *o)
{
	const char *before = sent_find(d, a);
	struct bundle *to = before ? sent_again(d, before) : joinable(c, o->group), *b;
	bool maybe = is_maybe(d, a), repeat = maybe || (a->attempts > 1 && !a->error.n); /* or its sender was killed */

	if (to) {
		bool joined = bundle_join(to, a, o, time_wall());
		to->repeat |= joined && repeat;
		to->n_resent += joined && maybe;
		return joined ? 0 : -ENOMEM;
	}
	if (bundle_from_row(a, o, &b) < 0)
		return -ENOMEM;
	b->channel = c;
	b->sent_maybe = before != NULL;
	snprintf(b->sent, sizeof(b->sent), "%s", before ? before : "");
	b->repeat = repeat;
	b->n_resent = maybe;
	struct bundle **at = &c->first;
	while (*at)
		at = &(*at)->next;
	*at = b;
	c->queued++;
	d->n_queued++;
	return 0;
}

static int settle_row(struct deliver *d, const struct alert_row *a, enum alert_state state, const char *why)
{
	CLEANUP(buf_free) struct buf id = { 0 };
	struct err e;

	buf_span(&id, a->id);
	return outbox_settle(d->s, buf_str(&id), d->by, state, why, 0, time_wall(), &e);
}

static bool readable(struct span json, struct err *e)
{
	struct alert a;

	if (alert_read(json, &a, e) < 0)
		return false;
	alert_free(&a);
	return true;
}

/* An escalation, or the digest of a storm, is for what nobody has seen to. When that cannot be told, it goes. */
static bool is_wanted(struct deliver *d, struct span alert)
{
	struct span key;
	struct err e;

	return !json_find(alert, "key", &key) || told_open(d->s, key, &e) != 0;
}

/* What must come after another is put back. 1: it is not to be sent now. */
static int take_turn(struct deliver *d, const struct alert_row *a, const struct owed_body *o)
{
	const char *why = "";
	int64_t at = 0;

	switch (turn_of(d, a, o, &d->holds_mem, &at, &why)) {
	case TURN_NOW: return 0;
	case TURN_NEVER: return settle_row(d, a, ALERT_DELIVERED, why) < 0 ? -EIO : 1;
	case TURN_STUCK: return settle_row(d, a, ALERT_MISCONFIGURED, why) < 0 ? -EIO : 1;
	case TURN_LATER: break;
	}
	if (!mem_grow(&d->holds, &d->cap_holds, d->n_holds, sizeof(*d->holds)))
		return -ENOMEM;
	struct alert_held *h = &d->holds[d->n_holds++];
	*h = (struct alert_held){ .next = at, .why = why };
	snprintf(h->id, sizeof(h->id), "%.*s", SPAN_ARG(span_head(a->id, 26)));
	return 1;
}

static int put_back(struct deliver *d, struct err *e)
{
	int r = d->n_holds ? outbox_hold(d->s, d->holds, d->n_holds, d->by, time_wall(), e) : 0;

	d->n_holds = 0;
	arena_free(&d->holds_mem);
	return r;
}

static int take_row(void *ctx, const struct alert_row *a)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf storm = { 0 };
	struct deliver *d = ctx;
	struct owed_body o;
	struct err e = { 0 };

	if (owed_read(a->body, &mem, &o, &e) < 0 || !readable(o.alert, &e))
		return e.code == ENOMEM ? -ENOMEM : settle_row(d, a, ALERT_DEAD, e.msg);
	if ((o.escalates || o.storm) && !is_wanted(d, o.alert))
		return settle_row(d, a, ALERT_DELIVERED, TR("not sent: it was acknowledged, or is over", "未发送：已确认或已恢复"));
	int turn = take_turn(d, a, &o);
	if (turn)
		return turn < 0 ? turn : 0;
	if (o.storm && told_storm(d->s, o.alert, &storm, &e) == 0)
		o.alert = buf_view(&storm);
	const char *config = arena_str(&mem, o.config.n ? o.config : S("")), *project = arena_str(&mem, o.project.n ? o.project : S("")), *name = arena_str(&mem, a->channel);
	if (!config || !project || !name)
		return -ENOMEM;
	struct secret_set *set = scope_find(&d->scopes, a->run, config, project);
	struct channel_state *c = channel_for(d, config, name, set ? set : &d->own);
	return c ? enqueue(d, c, a, &o) : -ENOMEM;
}

/* No room, and a channel that says nothing has it: what waits behind it is put back, so that the others go on. */
static void make_room(struct deliver *d)
{
	int64_t now = time_mono();

	for (struct channel_state *c = d->channels; c && d->n_queued >= QUEUE_MAX; c = c->next) {
		if (c->queued > 1 && c->flying && now - c->since > STALLED)
			put_off_queue(d, c, TR("no answer yet", "尚未收到应答"));
	}
}

/* A row that could not be taken (no memory) stays leased, and is freed with all others when we leave. */
static int lease(struct deliver *d)
{
	struct err e;

	make_room(d);
	while (d->n_queued < QUEUE_MAX || sent_misses(d)) {
		int n = outbox_lease(d->s, d->by, time_wall(), LEASE, BATCH, take_row, d, &e);
		size_t held = d->n_holds;
		int r = put_back(d, &e);
		n = n >= 0 && r < 0 ? r : n;
		if (n < 0 && d->o->said)
			d->o->said(d->o->ctx, e.msg);
		if (n < BATCH || held == BATCH) /* what is under way goes on meanwhile */
			return n < 0 ? n : 0;
	}
	return 0;
}

static void pump_channel(struct deliver *d, struct channel_state *c)
{
	while (c->first && c->wait_until <= time_wall() && d->n_flying < FLYING_MAX && c->flying < (c->per_minute == 0 && !c->failures ? 16 : 1)) {
		struct bundle *b = c->first;
		c->first = b->next;
		b->next = NULL;
		c->queued--;
		d->n_queued--;
		c->since = c->flying ? c->since : time_mono();
		send_bundle(d, b);
	}
}

static void pump(struct deliver *d)
{
	for (struct channel_state *c = d->channels; c; c = c->next)
		pump_channel(d, c);
}

/* ---- waiting ---- */

static volatile sig_atomic_t told_to_end;

static void on_signal(int sig)
{
	told_to_end = 1;
}

/* They are heard in ppoll; where it is not called they wait. */
static bool is_told(void)
{
	sigset_t wait;

	sigpending(&wait);
	return told_to_end || sigismember(&wait, SIGTERM) || sigismember(&wait, SIGINT);
}

static int64_t sleep_time(struct deliver *d)
{
	int64_t now = time_wall(), due = INT64_MAX, wait = SLEEP_MAX;
	struct err e;

	if (outbox_next(d->s, &due, &e) < 0)
		return NSEC_PER_SEC;
	for (const struct channel_state *c = d->channels; c; c = c->next) {
		if (c->first && c->wait_until < due)
			due = c->wait_until;
	}
	if (due != INT64_MAX && due - now < wait)
		wait = due - now;
	if (d->o->idle >= 0 && d->o->idle < wait)
		wait = d->o->idle;
	if (d->done)
		wait = wait < NSEC_PER_SEC ? wait : NSEC_PER_SEC;
	return wait < NSEC_PER_MSEC ? NSEC_PER_MSEC : wait;
}

static void wait_for(struct deliver *d, int64_t ns, const sigset_t *mask)
{
	struct pollfd fds[1 + FLYING_MAX * CHILD_POLLS];
	nfds_t n = 0;

	if (d->sock >= 0)
		fds[n++] = (struct pollfd){ d->sock, POLLIN, 0 };
	for (const struct bundle *b = d->flying; b; b = b->next) {
		if (b->child && n + CHILD_POLLS <= ARRAY_LEN(fds)) {
			int64_t left = child_deadline(b->child) - time_mono();
			ns = left < ns ? left : ns;
			n += (nfds_t)child_polls(b->child, &fds[n]);
		}
	}
	ns = ns > 0 ? ns : 0;
	ppoll(fds, n, &(struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC }, mask);
}

/* What waited for a secret, perhaps one of those that have just come, need not wait for its next attempt. */
static void hasten(struct deliver *d)
{
	const char *ids[LACKING_MAX];
	struct err none;

	if (d->done && settle(d) < 0)
		return;
	for (struct channel_state *c = d->channels; c; c = c->next) {
		if (!c->n_lacking || !d->scopes.first || strcmp(c->config, d->scopes.first->config) != 0)
			continue;
		for (size_t i = 0; i < c->n_lacking; i++)
			ids[i] = c->lacking[i];
		if (outbox_hasten(d->s, ids, c->n_lacking, time_wall(), &none) == 0)
			c->n_lacking = 0;
	}
}

/*
 * Its file was deleted, or another has its name (a machine that is cleaned, an outbox that was moved): nobody will ever owe
 * anything here, and who asks for us means another one.
 */
static bool is_gone(struct deliver *d)
{
	struct stat st;

	if (stat(d->o->outbox, &st) < 0 ? errno == ENOENT || errno == ENOTDIR : st.st_dev != d->dev || st.st_ino != d->ino)
		d->gone = true;
	return d->gone;
}

static void hear(struct deliver *d)
{
	struct err e = { 0 };
	int r = 1;

	while (d->sock >= 0 && r == 1 && !is_gone(d)) {
		r = handover_accept(d->sock, &d->scopes, &e);
		if (r)
			d->busy_at = d->heard_at = time_mono();
		if (r == 1)
			hasten(d);
	}
}

static bool http_flies(const struct deliver *d)
{
	for (const struct bundle *b = d->flying; b; b = b->next) {
		if (!b->child)
			return true;
	}
	return false;
}

/* Held back ones are due again at their time; in a single pass nobody waits for them. */
static void let_go(struct deliver *d, const char *why)
{
	for (struct channel_state *c = d->channels; c; c = c->next) {
		while (c->first) {
			struct bundle *b = c->first;
			int64_t now = time_wall();
			c->first = b->next;
			c->queued--;
			d->n_queued--;
			bundle_done(d, b, ALERT_PENDING, c->wait_until > now ? c->wait_until : now, why);
		}
	}
}

/* Nothing owed, or nothing to be done before the time is up. */
static bool is_idle(struct deliver *d)
{
	int64_t due = INT64_MAX;
	struct err e;

	if (d->n_flying || d->n_queued || d->done)
		return false;
	return outbox_next(d->s, &due, &e) == 0 && due == INT64_MAX && time_mono() - d->busy_at >= d->o->idle;
}

/* A service stays, whatever comes; who was started by a run is started by the next one. */
static bool is_hopeless(const struct deliver *d)
{
	return d->failing_at && d->o->idle >= 0 && time_mono() - d->failing_at > FAILING_MAX;
}

static bool once_over(const struct deliver *d)
{
	int64_t now = time_wall();

	if (d->n_flying || turn_is_near(d))
		return false;
	for (const struct channel_state *c = d->channels; c; c = c->next) {
		if (c->first && c->wait_until <= now)
			return false;
	}
	return true;
}

static void work(struct deliver *d, const sigset_t *mask)
{
	for (;;) {
		d->stop |= is_told();
		hear(d);
		d->stop |= is_gone(d) || is_hopeless(d);
		int taken = d->stop ? 0 : lease(d);
		d->failing_at = taken >= 0 ? 0 : d->failing_at ? d->failing_at : time_mono();
		if (!d->stop)
			pump(d);
		bool http = http_flies(d);
		send_step(d, http ? STEP : 0);
		bool settled = settle_is_due(d);
		if (settled && settle(d) < 0)
			taken = -1;
		if (d->stop && !d->n_flying)
			break;
		/* What was just settled may have made way for a row whose turn has come: one more look. */
		if (d->o->once && !(settled && taken >= 0) && once_over(d))
			break;
		if (d->o->idle >= 0 && !d->o->once && is_idle(d))
			break;
		if (!http)
			wait_for(d, taken < 0 ? NSEC_PER_SEC : d->o->once && !d->n_flying && !turn_is_near(d) ? 0 : sleep_time(d), mask);
	}
	let_go(d, d->stop ? TR("the deliverer was told to end", "投递进程收到结束信号") : TR("it waits for its channel", "等待渠道可用"));
	for (int i = 0; i < 10 && settle(d) < 0; i++)
		wait_for(d, NSEC_PER_SEC / 5, NULL);
}

/* ---- its life ---- */

static int read_secrets(struct buf *text, int fd, struct err *e)
{
	int r = 0;

	if (fd < 0)
		return 0;
	if (!buf_need(text, HANDOVER_MAX + 1))
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	mlock(text->p, text->cap);
	for (ssize_t n = 1; r == 0 && n != 0 && text->len < HANDOVER_MAX;) {
		n = read(fd, text->p + text->len, HANDOVER_MAX - text->len);
		if (n < 0 && errno != EINTR)
			r = err_set(e, errno, TR("read what was handed over: %m", "读取交接内容：%m"));
		text->len += n > 0 ? (size_t)n : 0;
	}
	fd_close(fd);
	return r;
}

/* Nobody is to be left in doubt: either we serve, or who serves knows what we know. */
static int take_over(struct deliver *d, struct span hand, struct err *e)
{
	int64_t until = time_mono() + 30 * NSEC_PER_SEC;

	for (;;) {
		d->lock = handover_lock(d->o->outbox, e);
		if (d->lock != -EAGAIN)
			return d->lock < 0 ? d->lock : 0;
		if (handover_give(d->o->outbox, hand, 5 * NSEC_PER_SEC, e) == 0)
			return 1;
		if (time_mono() > until)
			return 1; /* it lives and does not answer: what is owed stays owed */
		poll(NULL, 0, 50);
	}
}

static void set_signals(sigset_t *mask)
{
	struct sigaction act = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_BLOCK, &block, mask);
	sigdelset(mask, SIGTERM);
	sigdelset(mask, SIGINT);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static int open_all(struct deliver *d, struct err *e)
{
	struct stat st;

	int r = store_open(d->o->outbox, STORE_CREATE | STORE_SMALL, &d->s, e);

	if (r == 0 && stat(d->o->outbox, &st) == 0) {
		d->dev = st.st_dev;
		d->ino = st.st_ino;
	}
	if (r == 0)
		r = outbox_release(d->s, time_wall(), e);
	if (r == 0)
		r = sent_load(d, e);
	if (r == 0 && limits_open(NULL, &d->limits, e) < 0 && d->o->said)
		d->o->said(d->o->ctx, e->msg);
	if (r == 0)
		r = secrets_open(&d->own.secrets, e);
	return r;
}

static void listen_on(struct deliver *d)
{
	struct err e;

	d->sock = d->o->once ? -1 : handover_listen(d->o->outbox, &e);
	if (d->sock < 0 && d->o->said && !d->o->once)
		d->o->said(d->o->ctx, e.msg); /* others cannot reach us, and wait until we have left */
}

/* Who could not reach us any more starts another, which waits for our lock; who could is served. */
static bool may_leave(struct deliver *d)
{
	int64_t due = INT64_MAX;
	struct err e;

	handover_unlisten(d->gone ? NULL : d->o->outbox, d->sock);
	d->sock = -1;
	return d->stop || d->o->once || outbox_next(d->s, &due, &e) < 0 || due == INT64_MAX;
}

static int serve(struct deliver *d, struct err *e)
{
	sigset_t mask;

	set_signals(&mask);
	snprintf(d->by, sizeof(d->by), "deliver-%d-%lld", (int)getpid(), (long long)time_wall());
	srandom((unsigned)(time_wall() ^ getpid()));
	int r = open_all(d, e);
	if (r < 0)
		return r;
	do {
		listen_on(d);
		d->busy_at = time_mono();
		work(d, &mask);
	} while (!may_leave(d));
	return 0;
}

static void free_all(struct deliver *d)
{
	handover_unlisten(d->gone ? NULL : d->o->outbox, d->sock);
	while (d->flying) {
		struct bundle *b = d->flying;
		d->flying = b->next;
		bundle_free(b);
	}
	while (d->done) {
		struct bundle *b = d->done;
		d->done = b->next;
		bundle_free(b);
	}
	send_close(d);
	while (d->channels) {
		struct channel_state *c = d->channels;
		d->channels = c->next;
		if (c->set != &d->own)
			secret_set_unuse(c->set);
		mem_free(c->config);
		mem_free(c->name);
		mem_free(c->lacking);
		mem_free(c);
	}
	sent_free(d);
	mem_free(d->holds);
	arena_free(&d->holds_mem);
	scopes_free(&d->scopes);
	secrets_close(d->own.secrets);
	limits_close(d->limits);
	store_close(d->s);
	fd_close(d->lock);
}

int deliver_run(const struct deliver_options *o, struct err *e)
{
	struct deliver d = { .o = o, .lock = -1, .sock = -1, .began = time_mono() };
	struct buf hand = { 0 };

	secret_process();
	int r = read_secrets(&hand, o->secrets_fd, e);
	if (r == 0)
		r = take_over(&d, buf_view(&hand), e);
	if (r == 0)
		r = handover_read(&d.scopes, buf_view(&hand), e);
	handover_wipe(&hand);
	if (r == 0)
		r = serve(&d, e);
	if (r == 0 && o->once && d.undelivered)
		r = 2;
	free_all(&d);
	return r;
}

int deliver_outbox(const char *flag, struct buf *ret, struct err *e)
{
	const char *name = flag && *flag ? flag : getenv("TOCSIN_OUTBOX");
	struct span file = span_of(name ? name : "");

	if (!file.n) {
		int r = path_user_dir("XDG_STATE_HOME", ".local/state", ret, e);
		buf_adds(ret, "/tocsin.db");
		return r < 0 ? r : ret->bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
	}
	span_skip(&file, S("sqlite://"));
	if (span_find(file, S("://")) != SPAN_NONE)
		return err_set(e, EINVAL, TR("the outbox is always a local file: an address (%.*s…) is none", "发件箱必须是本地文件：地址（%.*s…）不是"), SPAN_ARG(span_head(file, span_find(file, S("://")) + 3))); /* what is behind may be a password */
	char *cwd = file.n && file.p[0] != '/' ? getcwd(NULL, 0) : NULL;
	path_join(ret, cwd ? cwd : "", file.p);
	free(cwd);
	return ret->bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
}
