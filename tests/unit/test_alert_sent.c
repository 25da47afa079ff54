/* alert/sent.c: what left as one message goes again as the same one, whoever was killed meanwhile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "alert/delivering.h"
#include "base/mem.h"
#include "base/time.h"

#define NOW (INT64_C(1795226400) * NSEC_PER_SEC)
#define ROWS 4

static char dir[64];
static struct err e;
static struct buf bodies[ROWS];
static const char *const ids[ROWS] = { "01M7Z6J4AW2KY258NC12BDRZ51", "01M7Z6J4AW2KY258NC12BDRZ52", "01M7Z6J4AW2KY258NC12BDRZ53", "01M7Z6J4AW2KY258NC12BDRZ54" };

static void owe_all(struct deliver *d)
{
	for (int i = 0; i < ROWS; i++) {
		struct alert a;
		assert_int_equal(alert_probe("shop", NOW, &a, &e), 0);
		buf_clear(&bodies[i]);
		alert_json(&a, &bodies[i]);
		alert_free(&a);
		assert_int_equal(outbox_add(d->s, ids[i], NULL, "ops", buf_view(&bodies[i]), NOW, &e), 0);
	}
}

/* A deliverer, as far as it is needed here; each has its own connection. */
static void begin(struct deliver *d)
{
	char path[100];

	*d = (struct deliver){ .sock = -1, .lock = -1 };
	snprintf(path, sizeof(path), "%s/outbox.db", dir);
	assert_int_equal(store_open(path, STORE_CREATE, &d->s, &e), 0);
	assert_int_equal(sent_load(d, &e), 0);
}

static void end(struct deliver *d)
{
	sent_free(d);
	store_close(d->s);
}

static struct alert_row row(int i, int64_t attempts)
{
	return (struct alert_row){ .id = span_of(ids[i]), .channel = S("ops"), .body = buf_view(&bodies[i]), .attempts = attempts, .created = NOW };
}

/* Rows from..to - 1 as one message, as enqueue makes it. */
static struct bundle *together(struct deliver *d, int from, int to, int64_t attempts, bool idempotent)
{
	static struct channel_ops ops;
	struct bundle *b = NULL;

	ops = (struct channel_ops){ .type = "test", .idempotent = idempotent };
	for (int i = from; i < to; i++) {
		struct alert_row a = row(i, attempts);
		struct owed_body o = { .alert = a.body, .group = S("L2") };
		if (b) {
			assert_true(bundle_join(b, &a, &o, NOW));
			continue;
		}
		assert_int_equal(bundle_from_row(&a, &o, &b), 0);
		const char *before = sent_find(d, &a);
		snprintf(b->sent, sizeof(b->sent), "%s", before ? before : "");
		b->sent_maybe = before != NULL;
	}
	b->target.ops = &ops;
	return b;
}

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/tocsin-unit-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[100];

	for (int i = 0; i < ROWS; i++)
		buf_free(&bodies[i]);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void a_digest_keeps_its_id(void **state)
{
	struct deliver d;
	char id[27];

	begin(&d);
	owe_all(&d);
	struct bundle *b = together(&d, 0, 3, 1, true);
	sent_before(&d, b);
	assert_string_equal(b->sent, ids[0]);
	memcpy(id, b->digest.id, sizeof(id));
	bundle_free(b);
	end(&d); /* killed */

	begin(&d);
	struct alert_row first = row(1, 2), fresh = row(1, 1), other = row(3, 2);
	assert_string_equal(sent_find(&d, &first), ids[0]);
	assert_null(sent_find(&d, &fresh)); /* leased for the first time: it cannot have left */
	assert_null(sent_find(&d, &other));
	b = together(&d, 0, 3, 2, true);
	assert_string_not_equal(b->digest.id, id);
	sent_before(&d, b);
	assert_string_equal(b->digest.id, id);
	assert_string_equal(b->digest.key + strlen("digest-"), id);
	b->state = ALERT_PENDING; /* not understood again */
	sent_settled(&d, b);
	assert_non_null(sent_find(&d, &first));
	b->state = ALERT_DELIVERED;
	sent_settled(&d, b);
	assert_null(sent_find(&d, &first));
	bundle_free(b);
	end(&d);
	begin(&d);
	assert_null(sent_find(&d, &first));
	end(&d);
}

/* Under the old id a part would keep the rest from being told. */
static void a_part_is_another_message(void **state)
{
	struct deliver d;
	char id[27];

	begin(&d);
	owe_all(&d);
	struct bundle *b = together(&d, 0, 3, 1, true);
	sent_before(&d, b);
	memcpy(id, b->digest.id, sizeof(id));
	bundle_free(b);

	b = together(&d, 0, 2, 2, true);
	sent_before(&d, b);
	assert_string_not_equal(b->digest.id, id);
	memcpy(id, b->digest.id, sizeof(id));
	bundle_free(b);

	/* what a person has dropped is not missing */
	assert_int_equal(outbox_settle(d.s, ids[2], NULL, ALERT_DEAD, "dropped", 0, NOW, &e), 0);
	b = together(&d, 0, 2, 3, true);
	sent_before(&d, b);
	assert_string_equal(b->digest.id, id);
	bundle_free(b);
	end(&d);
}

/* One that may go together with others next time is remembered too; where no id is looked at, nothing is. */
static void who_is_remembered(void **state)
{
	struct deliver d;
	struct alert_row again;

	begin(&d);
	owe_all(&d);
	again = row(0, 2);
	struct bundle *b = together(&d, 0, 1, 1, true);
	sent_before(&d, b);
	assert_string_equal(sent_find(&d, &again), ids[0]);
	b->state = ALERT_PENDING; /* refused: it did not arrive */
	sent_settled(&d, b);
	assert_null(sent_find(&d, &again));
	bundle_free(b);
	b = together(&d, 0, 2, 1, false);
	sent_before(&d, b);
	assert_null(sent_find(&d, &again));
	bundle_free(b);
	end(&d);
}

static void what_is_over_is_forgotten(void **state)
{
	struct outbox_note broken[] = { { "sent:", "" }, { "sent:X", "only" }, { "sent:Y", "01M7Z6J4AW2KY258NC12BDRZ5101M7Z6J4AW2KY258NC12BDRZ51 x" } };
	struct alert_row again;
	struct deliver d;

	begin(&d);
	owe_all(&d);
	again = row(0, 2);
	struct bundle *b = together(&d, 0, 2, 1, true);
	sent_before(&d, b);
	bundle_free(b);
	for (int i = 0; i < 2; i++)
		assert_int_equal(outbox_settle(d.s, ids[i], NULL, ALERT_DELIVERED, NULL, 0, NOW, &e), 0);
	assert_int_equal(outbox_owe(d.s, NULL, 0, broken, ARRAY_LEN(broken), NOW, &e), 0);
	end(&d);
	begin(&d);
	assert_null(sent_find(&d, &again));
	end(&d);
}

static void without_memory_it_goes_all_the_same(void **state)
{
	struct deliver d;

	begin(&d);
	owe_all(&d);
	for (long n = 1;; n++) {
		struct bundle *b = together(&d, 0, 2, 1, true);
		fault_seen = 0;
		fault_at = n;
		sent_before(&d, b);
		bool seen = fault_seen >= n;
		fault_at = 0;
		b->state = ALERT_DELIVERED;
		sent_settled(&d, b);
		bundle_free(b);
		if (!seen)
			break;
	}
	end(&d);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_digest_keeps_its_id), TEST(a_part_is_another_message), TEST(who_is_remembered), TEST(what_is_over_is_forgotten), TEST(without_memory_it_goes_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
