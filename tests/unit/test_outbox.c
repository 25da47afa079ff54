/*
 * store/outbox.c: what is owed stays owed until it was delivered, on SQLite and on PostgreSQL.
 * suite: postgres (run through tests/helpers/pg)
 * suite: takes 5
 */
#include "stored.h"

#include <sys/wait.h>

static void add(const char *id, int64_t at)
{
	int r = outbox_add(store, id, "01RUN", "ops", S("{\"text\":\"中文\"}"), at, &e);

	fine(r);
	assert_int_equal(r, 0);
}

struct got {
	int n;
	char ids[512];
	int64_t attempts;
};

static int take(void *ctx, const struct alert_row *a)
{
	struct got *g = ctx;

	g->n++;
	snprintf(g->ids + strlen(g->ids), sizeof(g->ids) - strlen(g->ids), "%.*s ", SPAN_ARG(a->id));
	g->attempts = a->attempts;
	assert_int_equal(a->state, ALERT_LEASED);
	assert_true(span_eq(a->body, S("{\"text\":\"中文\"}")));
	assert_true(span_eq(a->channel, S("ops")));
	return 0;
}

static struct got lease(const char *by, int64_t now, int max)
{
	struct got g = { 0 };
	int r = outbox_lease(store, by, now, 60 * NSEC_PER_SEC, max, take, &g, &e);

	fine(r);
	assert_int_equal(r, g.n);
	return g;
}

static void counts_are(int64_t pending, int64_t leased, int64_t delivered, int64_t dead)
{
	int64_t c[ALERT_STATES];

	fine(outbox_counts(store, c, &e));
	assert_int_equal(c[ALERT_PENDING], pending);
	assert_int_equal(c[ALERT_LEASED], leased);
	assert_int_equal(c[ALERT_DELIVERED], delivered);
	assert_int_equal(c[ALERT_DEAD], dead);
}

static void an_alert_is_owed_until_delivered(void **state)
{
	(void)state;
	add("A1", NOW);
	assert_int_equal(outbox_add(store, "A1", "01RUN", "ops", S("other"), NOW, &e), 1);
	counts_are(1, 0, 0, 0);
	struct got g = lease("me", NOW, 10);
	assert_string_equal(g.ids, "A1 ");
	assert_int_equal(g.attempts, 1);
	assert_int_equal(lease("you", NOW + NSEC_PER_SEC, 10).n, 0);
	counts_are(0, 1, 0, 0);
	/* it did not work: again in a minute */
	fine(outbox_settle(store, "A1", "me", ALERT_PENDING, "500", NOW + 90 * NSEC_PER_SEC, NOW + NSEC_PER_SEC, &e));
	assert_int_equal(lease("me", NOW + 80 * NSEC_PER_SEC, 10).n, 0);
	g = lease("me", NOW + 90 * NSEC_PER_SEC, 10);
	assert_int_equal(g.attempts, 2);
	fine(outbox_settle(store, "A1", "me", ALERT_DELIVERED, NULL, 0, NOW + 91 * NSEC_PER_SEC, &e));
	counts_are(0, 0, 1, 0);
	assert_int_equal(lease("me", NOW + DAY, 10).n, 0);
}

static void a_lease_that_ran_out_is_another_s(void **state)
{
	(void)state;
	add("A1", NOW);
	assert_int_equal(lease("dead", NOW, 1).n, 1);
	assert_int_equal(lease("heir", NOW + 61 * NSEC_PER_SEC, 1).n, 1);
	assert_int_equal(outbox_settle(store, "A1", "dead", ALERT_DELIVERED, NULL, 0, NOW + 62 * NSEC_PER_SEC, &e), -ESTALE);
	assert_int_equal(outbox_settle(store, "A1", NULL, ALERT_DEAD, NULL, 0, NOW + 62 * NSEC_PER_SEC, &e), -ESTALE);
	fine(outbox_settle(store, "A1", "heir", ALERT_DEAD, "gone", 0, NOW + 62 * NSEC_PER_SEC, &e));
	assert_int_equal(outbox_settle(store, "B1", "heir", ALERT_DEAD, NULL, 0, NOW, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "B1"));
	counts_are(0, 0, 0, 1);
	fine(outbox_settle(store, "A1", NULL, ALERT_PENDING, NULL, NOW, NOW, &e)); /* the user says: again */
	counts_are(1, 0, 0, 0);
}

/* The machine slept for a day with a message on its way: who sends it does not get it a second time. */
static int take_tries(void *ctx, const struct alert_row *a)
{
	*(int64_t *)ctx = a->attempts;
	return 0;
}

static void one_that_must_wait_was_not_tried(void **state)
{
	struct alert_held held[] = { { "01M7Z9K7XRGWNWMNGC8VE2DXG6", NOW + DAY, "it waits" }, { "01M7Z9K7XRGWNWMNGC8VE2DXG7", NOW + DAY, "it waits" } };
	int64_t tries = -1;

	(void)state;
	add(held[0].id, NOW);
	assert_int_equal(lease("me", NOW, 1).n, 1);
	fine(outbox_hold(store, held, 2, "another", NOW, &e));
	counts_are(0, 1, 0, 0);
	fine(outbox_hold(store, held, 2, "me", NOW, &e)); /* the second is not there */
	counts_are(1, 0, 0, 0);
	fine(outbox_get(store, held[0].id, take_tries, &tries, &e));
	assert_int_equal(tries, 0);
	assert_int_equal(outbox_get(store, held[1].id, take_tries, &tries, &e), -ENOENT);
	assert_int_equal(lease("me", NOW, 1).n, 0);
	assert_int_equal(lease("me", NOW + DAY, 1).n, 1);
	fine(outbox_settle(store, held[0].id, "me", ALERT_DELIVERED, NULL, 0, NOW + DAY, &e));
}

static void its_own_lease_does_not_run_out(void **state)
{
	(void)state;
	add("A1", NOW);
	assert_int_equal(lease("me", NOW, 1).n, 1);
	assert_int_equal(lease("me", NOW + DAY, 1).n, 0);
	assert_int_equal(lease("heir", NOW + DAY + 59 * NSEC_PER_SEC, 1).n, 0);
	assert_int_equal(lease("me", NOW - DAY, 1).n, 0); /* nor does a clock that is set back make it two */
	fine(outbox_settle(store, "A1", "me", ALERT_DELIVERED, NULL, 0, NOW + DAY, &e));
	counts_are(0, 0, 1, 0);
}

static void the_oldest_first_and_no_more_than_asked_for(void **state)
{
	char id[16];

	(void)state;
	for (int i = 0; i < 9; i++) {
		snprintf(id, sizeof(id), "A%d", i);
		add(id, NOW + i);
	}
	assert_int_equal(lease("a", NOW - 1, 4).n, 0);
	struct got g = lease("a", NOW + DAY, 4);
	assert_int_equal(g.n, 4);
	for (int i = 0; i < 4; i++) {
		snprintf(id, sizeof(id), "A%d ", i);
		assert_non_null(strstr(g.ids, id));
	}
	assert_int_equal(lease("b", NOW + DAY, 100).n, 5);
	assert_int_equal(lease("c", NOW + DAY, 100).n, 0);
}

/* It jumped ten years ahead and came back: what was touched then is due, not due in ten years. */
static void a_clock_that_jumped(void **state)
{
	(void)state;
	add("A1", NOW + 3650 * DAY);
	assert_int_equal(lease("a", NOW, 10).n, 1);
	fine(outbox_settle(store, "A1", "a", ALERT_PENDING, "x", NOW + NSEC_PER_SEC, NOW, &e));
	assert_int_equal(lease("a", NOW + 3650 * DAY, 10).n, 1);
	assert_int_equal(lease("b", NOW + 60 * NSEC_PER_SEC, 10).n, 1);
}

#define SENDERS 6
#define OWED 60

static void send_all(int who)
{
	struct got g;
	char by[16];

	store = NULL;
	fine(store_open(uri, 0, &store, &e));
	snprintf(by, sizeof(by), "s%d", who);
	do {
		g = lease(by, NOW + DAY, 7);
		for (char *rest = g.ids, *id; (id = strsep(&rest, " ")) && *id;)
			fine(outbox_settle(store, id, by, ALERT_DELIVERED, NULL, 0, NOW + DAY, &e));
	} while (g.n);
	store_close(store);
}

static void many_senders_each_alert_once(void **state)
{
	char id[16];

	(void)state;
	for (int i = 0; i < OWED; i++) {
		snprintf(id, sizeof(id), "A%d", i);
		add(id, NOW);
	}
	store_close(store);
	store = NULL;
	for (int i = 0; i < SENDERS; i++) {
		if (fork() == 0) {
			send_all(i);
			_exit(0);
		}
	}
	for (int i = 0; i < SENDERS; i++) {
		int status;
		wait(&status);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	fine(store_open(uri, 0, &store, &e));
	counts_are(0, 0, OWED, 0);
	assert_int_equal(number_in(store, "SELECT count(*) FROM alert WHERE attempts <> 1"), 0);
}

static int nothing(void *ctx, const struct alert_row *a)
{
	(void)ctx;
	(void)a;
	return 0;
}

/* Every allocation and step fails once: nothing that was acknowledged is lost, nothing is half done. */
static void every_failure(void **state)
{
	static const char *const ids[] = { "F0", "F1", "F2" };
	bool hit = true;

	(void)state;
	for (long at = 1; hit; at++) {
		int64_t owed = number_in(store, "SELECT count(*) FROM alert WHERE state <> 'delivered'"), delivered = number_in(store, "SELECT count(*) FROM alert WHERE state = 'delivered'");
		char id[3][32];
		for (int i = 0; i < 3; i++)
			snprintf(id[i], sizeof(id[i]), "%s-%ld", ids[i], at);
		fault_seen = 0;
		fault_at = at;
		int a = outbox_add(store, id[0], NULL, "ops", S("x"), NOW, &e);
		int l = outbox_lease(store, "me", NOW, NSEC_PER_SEC, 1, nothing, NULL, &e);
		int d = outbox_settle(store, id[0], "me", ALERT_DELIVERED, NULL, 0, NOW, &e);
		hit = fault_seen >= at;
		fault_at = 0;
		db_rollback(store->db);
		if (a == 0 && d == 0)
			assert_int_equal(number_in(store, "SELECT count(*) FROM alert WHERE state = 'delivered'"), delivered + 1);
		else
			assert_int_equal(number_in(store, "SELECT count(*) FROM alert WHERE state <> 'delivered'"), owed + (a == 0));
		(void)l;
		fine(db_run(store->db, "UPDATE alert SET state = 'delivered'", NULL, 0, &e));
	}
	is_sound_in(store);
}

static const bool sqlite_kind = false, postgres_kind = true;
#define TEST(f) { #f " (SQLite)", f, setup, teardown, (void *)&sqlite_kind }, { #f " (PostgreSQL)", f, setup, teardown, (void *)&postgres_kind }

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_alert_is_owed_until_delivered), TEST(a_lease_that_ran_out_is_another_s), TEST(its_own_lease_does_not_run_out), TEST(one_that_must_wait_was_not_tried), TEST(the_oldest_first_and_no_more_than_asked_for),
		TEST(a_clock_that_jumped), TEST(many_senders_each_alert_once), TEST(every_failure),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
