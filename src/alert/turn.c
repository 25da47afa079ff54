#include "alert/delivering.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/time.h"

/*
 * What says that something is over comes after what said that it is wrong, whoever failed and waits: else an incident is
 * opened when it was closed already, and nothing closes it. And it does not come at all when it is wrong again.
 */
#define CHAIN_MAX 64 /* alerts before one another */
#define SOON (200 * NSEC_PER_MSEC)
#define LATER (2 * NSEC_PER_SEC)
#define ONCE_MAX (60 * NSEC_PER_SEC) /* a single pass waits no longer for one before another */

struct before { /* an alert that this one ends, or one before that */
	struct arena *mem;
	enum alert_state state;
	int64_t next;
	struct span after;
	const char *error;
	bool waits, told; /* it goes on by itself; somebody has heard it, perhaps */
};

static int take_before(void *ctx, const struct alert_row *a)
{
	struct before *b = ctx;
	struct owed_body o;
	struct err none;

	b->state = a->state;
	b->next = a->next_attempt;
	b->waits = a->state == ALERT_PENDING || a->state == ALERT_LEASED || (a->state == ALERT_AMBIGUOUS && a->next_attempt > 0);
	b->told = a->state == ALERT_DELIVERED || a->state == ALERT_AMBIGUOUS;
	b->error = a->error.n ? arena_str(b->mem, a->error) : NULL;
	b->after = owed_read(a->body, b->mem, &o, &none) == 0 ? o.after : (struct span){ 0 };
	return 0;
}

static bool holds(const struct bundle *b, const char *id)
{
	for (; b; b = b->next) {
		for (size_t i = 0; i < b->n; i++) {
			if (!strcmp(b->ids[i], id))
				return true;
		}
	}
	return false;
}

/* When to look again after one that waits. Of what is being sent nobody knows; its channel may have to wait. */
static int64_t look_again(struct deliver *d, const struct before *b, const char *id, int64_t now)
{
	for (const struct channel_state *c = d->channels; c && b->state == ALERT_LEASED; c = c->next) {
		if (holds(c->first, id) && c->wait_until > now)
			return c->wait_until + SOON;
	}
	if (b->state == ALERT_LEASED) {
		d->held = now + SOON;
		return now + SOON;
	}
	return b->next > now ? b->next + SOON : now + LATER;
}

static bool says_end(struct span alert, struct span *key)
{
	struct span kind;

	return json_find(alert, "kind", &kind) && span_eq(kind, span_of(alert_kind_words[ALERT_RECOVERED])) && json_find(alert, "key", key);
}

enum turn turn_of(struct deliver *d, const struct alert_row *a, const struct owed_body *o, struct arena *mem, int64_t *at, const char **why)
{
	struct span id = o->after, key;
	bool told = false, stuck = false;
	struct before b = { .mem = mem };
	int64_t now = time_wall();
	struct err none;

	if (!id.n || !says_end(o->alert, &key))
		return TURN_NOW;
	if (told_again(d->s, key, a->channel, a->created, &none) == 1) {
		*why = TR("not sent: it is wrong again", "未发送：问题再次出现");
		return TURN_NEVER;
	}
	for (int i = 0; i < CHAIN_MAX && id.n; i++, id = b.after) {
		const char *z = arena_str(mem, id);
		if (!z || outbox_get(d->s, z, take_before, &b, &none) < 0)
			break;
		if (b.waits) {
			*at = look_again(d, &b, z, now);
			*why = arena_printf(mem, TR("it waits for alert %s, which it ends", "等待它所结束的告警 %s"), z);
			return TURN_LATER;
		}
		told |= b.told;
		if (b.state == ALERT_MISCONFIGURED && !stuck)
			*why = arena_printf(mem, TR("what it ends, alert %s, could not be told: %.160s", "它所结束的告警 %s 未能送达：%.160s"), z, b.error ? b.error : "");
		stuck |= b.state == ALERT_MISCONFIGURED;
	}
	return stuck && !told ? TURN_STUCK : TURN_NOW;
}

/* In a single pass: is there one that can go as soon as another has been sent? */
bool turn_is_near(const struct deliver *d)
{
	return d->held > time_wall() && time_mono() - d->began < ONCE_MAX;
}
