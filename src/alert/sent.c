#include "alert/delivering.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

/*
 * A channel that drops a second message knows it by its id. Of one alert that is its own; of several together, and of one that
 * might go together with others next time, it is remembered before it leaves ("sent:ROW" beside the outbox: the id, and the rows
 * that it stands for), so that after a kill, or an answer that nobody understood, the same goes again under the same id, alone.
 */
#define PREFIX "sent:"

struct sent {
	struct sent *next;
	char key[27];     /* its first row */
	char message[27]; /* the id that it left with */
	char *rows;       /* a blank between them */
	size_t n;
};

static struct sent *get(const struct deliver *d, const char *key)
{
	struct sent *x = d->sent;

	while (x && strcmp(x->key, key) != 0)
		x = x->next;
	return *key ? x : NULL;
}

static struct sent *keep(struct deliver *d, struct span value)
{
	struct span message = span_cut(&value, ' '), rest = value, first = span_cut(&rest, ' ');
	struct sent *x = message.n < sizeof(x->message) && first.n && first.n < sizeof(x->key) ? mem_zalloc(sizeof(*x)) : NULL;

	if (x && !(x->rows = mem_dup(value.p, value.n))) {
		mem_free(x);
		x = NULL;
	}
	if (!x)
		return NULL;
	memcpy(x->message, message.p, message.n);
	memcpy(x->key, first.p, first.n);
	for (size_t i = 0; i < value.n; i++)
		x->n += value.p[i] == ' ';
	x->n++;
	x->next = d->sent;
	return d->sent = x;
}

static void forget(struct deliver *d, struct sent *x)
{
	CLEANUP(buf_free) struct buf key = { 0 };
	struct err none;

	buf_addf(&key, PREFIX "%s", x->key);
	if (!key.bad) /* when that fails, it is found at the next start */
		outbox_owe(d->s, NULL, 0, &(struct outbox_note){ key.p, NULL }, 1, time_wall(), &none);
	for (struct sent **at = &d->sent; *at; at = &(*at)->next) {
		if (*at == x) {
			*at = x->next;
			break;
		}
	}
	mem_free(x->rows);
	mem_free(x);
}

/* ---- which rows ---- */

static bool has_row(const struct sent *x, struct span row)
{
	struct span rest = span_of(x->rows);

	while (rest.n) {
		if (span_eq(span_cut(&rest, ' '), row))
			return true;
	}
	return false;
}

const char *sent_find(const struct deliver *d, const struct alert_row *a)
{
	for (const struct sent *x = d->sent; x && a->attempts > 1; x = x->next) {
		if (has_row(x, a->id))
			return x->key;
	}
	return NULL;
}

static int take_state(void *ctx, const struct alert_row *a)
{
	*(enum alert_state *)ctx = a->state;
	return 0;
}

static bool is_owed(struct deliver *d, struct span row)
{
	CLEANUP(buf_free) struct buf id = { 0 };
	enum alert_state state = ALERT_DEAD;
	struct err none;

	buf_span(&id, row);
	return !id.bad && outbox_get(d->s, id.p, take_state, &state, &none) == 0 && state != ALERT_DELIVERED && state != ALERT_DEAD;
}

static bool in_bundle(const struct bundle *b, struct span row)
{
	for (size_t i = 0; i < b->n; i++) {
		if (span_eq(row, span_of(b->ids[i])))
			return true;
	}
	return false;
}

/* All that it stands for, as far as that is still owed: what is missing would never be told under this id. */
static bool is_whole(struct deliver *d, const struct bundle *b, const struct sent *x)
{
	struct span rest = span_of(x->rows);

	if (b->n == x->n)
		return true;
	while (b->n > 1 && rest.n) {
		struct span row = span_cut(&rest, ' ');
		if (!in_bundle(b, row) && is_owed(d, row))
			return false;
	}
	return b->n > 1;
}

/* ---- before it leaves, and when it is known what came of it ---- */

static void set_message(struct bundle *b, const struct sent *x)
{
	if (b->n < 2)
		return; /* its own */
	const char *key = arena_printf(&b->digest.mem, "digest-%s", x->message);
	memcpy(b->digest.id, x->message, sizeof(b->digest.id));
	b->digest.key = key ? key : b->digest.key;
}

static void remember(struct deliver *d, struct bundle *b)
{
	CLEANUP(buf_free) struct buf key = { 0 }, value = { 0 };
	struct span own = span_of(b->digest.id);
	struct err none;

	if (b->n < 2 && !json_find(buf_view(&b->body), "id", &own))
		return;
	buf_addf(&key, PREFIX "%s", b->ids[0]);
	buf_span(&value, own);
	for (size_t i = 0; i < b->n; i++)
		buf_addf(&value, " %s", b->ids[i]);
	if (key.bad || value.bad || outbox_owe(d->s, NULL, 0, &(struct outbox_note){ key.p, value.p }, 1, time_wall(), &none) < 0)
		return; /* it is told all the same: twice is better than not */
	const struct sent *x = keep(d, buf_view(&value));
	if (x)
		memcpy(b->sent, x->key, sizeof(b->sent));
}

void sent_before(struct deliver *d, struct bundle *b)
{
	struct sent *x = get(d, b->sent);

	if (x && is_whole(d, b, x)) {
		set_message(b, x);
		return;
	}
	if (x)
		forget(d, x);
	b->sent[0] = '\0';
	b->sent_maybe = false;
	if (b->target.ops->idempotent && (b->n > 1 || b->group || b->target.per_minute > 0))
		remember(d, b);
}

void sent_settled(struct deliver *d, const struct bundle *b)
{
	struct sent *x = get(d, b->sent);

	if (x && (!b->sent_maybe || b->state == ALERT_DELIVERED || b->state == ALERT_DEAD))
		forget(d, x);
}

/* Rows of one message come together; a batch may end between them. */
bool sent_misses(const struct deliver *d)
{
	for (const struct channel_state *c = d->channels; c && d->sent; c = c->next) {
		for (const struct bundle *b = c->first; b; b = b->next) {
			const struct sent *x = get(d, b->sent);
			if (x && b->n < x->n)
				return true;
		}
	}
	return false;
}

/* ---- at the start and the end ---- */

static int load(void *ctx, struct span key, struct span value)
{
	keep(ctx, value);
	return 0;
}

int sent_load(struct deliver *d, struct err *e)
{
	int r = outbox_notes(d->s, PREFIX, load, d, e);

	for (struct sent *x = d->sent, *next; r >= 0 && x; x = next) {
		struct span rest = span_of(x->rows);
		bool owed = false;
		next = x->next;
		while (rest.n && !owed)
			owed = is_owed(d, span_cut(&rest, ' '));
		if (!owed)
			forget(d, x);
	}
	return r < 0 ? r : 0;
}

void sent_free(struct deliver *d)
{
	while (d->sent) {
		struct sent *x = d->sent;
		d->sent = x->next;
		mem_free(x->rows);
		mem_free(x);
	}
}
