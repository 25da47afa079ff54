#include "alert/delivering.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/time.h"

/* One message: the alert of one row as it is, or several rows as a digest, which then stand or fall together. */

static bool keep_id(struct bundle *b, struct span id)
{
	if (!mem_grow(&b->ids, &b->cap, b->n, sizeof(*b->ids)))
		return false;
	snprintf(b->ids[b->n++], sizeof(*b->ids), "%.*s", SPAN_ARG(span_head(id, sizeof(*b->ids) - 1)));
	return true;
}

static bool says_channel(struct span alert)
{
	struct span kind;

	return json_find(alert, "kind", &kind) && span_eq(kind, span_of(alert_kind_words[ALERT_CHANNEL]));
}

int bundle_from_row(const struct alert_row *a, const struct owed_body *o, struct bundle **ret)
{
	struct bundle *b = mem_zalloc(sizeof(*b));

	if (!b)
		return -1;
	b->attempts = a->attempts;
	b->created = a->created;
	b->about_channel = says_channel(o->alert);
	b->group = o->group.n ? mem_dup(o->group.p, o->group.n) : NULL;
	buf_span(&b->body, o->alert);
	if (b->body.bad || (o->group.n && !b->group) || !keep_id(b, a->id)) {
		bundle_free(b);
		return -1;
	}
	*ret = b;
	return 0;
}

/* One that cannot be read was refused before it came here. */
static bool gather(struct alert *to, struct span json, int64_t now)
{
	struct alert one;
	struct err none;

	if (alert_read(json, &one, &none) < 0)
		return true;
	int r = alert_gather(to, &one, now, &none);
	alert_free(&one);
	return r == 0;
}

static bool make_digest(struct bundle *b, int64_t now)
{
	if (b->n > 1 || !b->body.len)
		return true;
	if (!gather(&b->digest, buf_view(&b->body), now))
		return false;
	buf_free(&b->body);
	return true;
}

static bool join(struct bundle *to, struct span json, int64_t attempts, int64_t created, int64_t now)
{
	if (!make_digest(to, now) || !gather(&to->digest, json, now))
		return false;
	to->attempts = attempts > to->attempts ? attempts : to->attempts;
	to->created = created < to->created ? created : to->created;
	to->about_channel = false;
	return true;
}

bool bundle_join(struct bundle *to, const struct alert_row *a, const struct owed_body *o, int64_t now)
{
	size_t n = to->n;

	if (!keep_id(to, a->id)) /* first: what is told must be settled with it */
		return false;
	to->n = n;
	if (!join(to, o->alert, a->attempts, a->created, now))
		return false;
	to->n = n + 1;
	return true;
}

/* Of one row only: a digest stays itself. */
bool bundle_absorb(struct bundle *to, struct bundle *from, int64_t now)
{
	struct alert_row a = { .id = span_of(from->ids[0]), .attempts = from->attempts, .created = from->created };
	struct owed_body o = { .alert = buf_view(&from->body) };

	if (from->n > 1 || !bundle_join(to, &a, &o, now))
		return false;
	to->repeat |= from->repeat;
	to->n_resent += from->n_resent;
	bundle_free(from);
	return true;
}

void bundle_merge_queue(struct channel_state *c, int64_t now)
{
	struct bundle *to = c->first;

	for (struct bundle *b = c->first; b; b = b->next) { /* an existing digest takes them, not a second one */
		if (!b->sent[0] && (to->sent[0] || (b->n > 1 && !b->group)))
			to = b;
	}
	for (struct bundle **at = &c->first; *at;) {
		struct bundle *b = *at, *next = b->next;
		if (b == to || b->degraded || b->sent[0] || to->sent[0] || !bundle_absorb(to, b, now)) {
			at = &b->next;
			continue;
		}
		*at = next;
		c->queued--;
	}
}

void bundle_alert_json(const struct bundle *b, struct buf *ret)
{
	if (b->n > 1)
		alert_json(&b->digest, ret);
	else
		buf_span(ret, buf_view(&b->body));
}

void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	child_free(b->child);
	request_free(&b->request);
	target_free(&b->target);
	alert_free(&b->digest);
	buf_free(&b->body);
	buf_free(&b->taken);
	mem_free(b->group);
	mem_free(b->ids);
	mem_free(b);
}
