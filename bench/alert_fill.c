/*
 * Owe alerts as failing runs do: each has a fault of its own, a lifelike text of two findings, and its number as "case-00042"
 * in it. Rows are written in transactions of a hundred, each synced, to one channel.
 *
 * usage: alert_fill OUTBOX CONFIG CHANNEL N
 *        alert_fill OUTBOX CONFIG storm N      one failure N times, each told as `tocsin run` tells it; to a deliverer that is there
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "alert/deliver.h"
#include "alert/owe.h"
#include "alert/secret.h"
#include "base/mem.h"
#include "base/time.h"
#include "config/config.h"

#define EACH 100

static const char excerpt[] = "--- FAIL: TestBookStoresOrder/case-%05ld (0.03s)\n    book_test.go:42: Store(order-%ld): total is 1180, want 1280\n"
			      "    book_test.go:51: the ledger has 3 entries, want 4\n        entry 3: refund of 100, voucher MAY-11\nFAIL";

static bool add_finding(struct report *r, long n, const char *test, int line)
{
	struct finding *f = report_add(r);

	if (!f)
		return false;
	f->cause = CAUSE_TEST_FAIL;
	f->severity = SEV_ERROR;
	f->package = S("git.example.com/shop/order/internal/book");
	f->test = span_of(arena_printf(&r->mem, "%s/case-%05ld", test, n));
	f->file = S("internal/book/book_test.go");
	f->line = line;
	f->message = span_of(arena_printf(&r->mem, "Store(order-%ld): total is 1180, want 1280", n));
	f->excerpt = span_of(arena_printf(&r->mem, excerpt, n, n));
	f->classes = "P";
	snprintf(f->fingerprint, sizeof(f->fingerprint), "%032lx", (unsigned long)n * 2 + (unsigned long)(line & 1));
	return true;
}

/* The report that the run of `go test ./...` would make. */
static bool make_report(long n, int64_t now, struct report *ret)
{
	static const char *words[] = { "go", "test", "./...", NULL };
	struct report r = { .is_run = true, .argv = { words, 3 }, .cwd = ".", .started = now, .duration_ns = 3 * NSEC_PER_SEC, .outcome = OUTCOME_FAILED,
		.cause = CAUSE_TEST_FAIL, .summary = "2 of 140 tests failed in 1 of 12 packages", .project = "git.example.com/shop/order", .go_version = "go1.26.8",
		.tests = { 12, 140, 138, 2, 0, 0, 0 } };

	r.ci = (struct ci_context){ .name = "gitlab", .repo = "shop/order", .branch = "main", .commit = "9f2c1d77c0de", .job = "test", .url = "https://ci.example.com/shop/order/-/jobs/4711",
		.actor = "li.na" };
	ulid_make(now, r.id);
	*ret = r;
	return add_finding(ret, n, "TestBookStoresOrder", 42) && add_finding(ret, n, "TestLedgerBalances", 117);
}

static bool write_alert(long n, const char *config, int64_t now, struct buf *body)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct alert a = { 0 };
	struct report r;
	struct err e;

	bool ok = make_report(n, now, &r) && alert_make(&r, ALERT_FAILED, "L1", false, now, &a, &e) == 0;
	if (ok) {
		alert_json(&a, &json);
		owed_json(config, r.project, NULL, false, buf_view(&json), body);
	}
	alert_free(&a);
	report_free(&r);
	return ok && !json.bad && !body->bad;
}

static int owe_some(struct store *s, const char *config, const char *channel, long from, long n, struct err *e)
{
	struct alert_owed rows[EACH];
	struct buf bodies[EACH] = { 0 };
	char ids[EACH][27];
	int64_t now = time_wall();
	int r = 0;

	for (long i = 0; i < n && r == 0; i++) {
		ulid_make(now, ids[i]);
		r = write_alert(from + i, config, now, &bodies[i]) ? 0 : err_set(e, ENOMEM, "out of memory");
		rows[i] = (struct alert_owed){ .id = ids[i], .channel = channel, .body = buf_view(&bodies[i]) };
	}
	if (r == 0)
		r = outbox_owe(s, rows, (size_t)n, NULL, 0, now, e);
	for (long i = 0; i < n; i++)
		buf_free(&bodies[i]);
	return r;
}

static int tell(struct store *s, const char *outbox, const struct config *c, struct secrets *secrets, struct err *e)
{
	int64_t now = time_wall();
	struct owed owed = { 0 };
	struct report r;

	if (!make_report(0, now, &r))
		return err_set(e, ENOMEM, "out of memory");
	int n = alert_owe(s, c, &r, &(struct owe){ .now = now }, &owed, e);
	if (n == 0 && owed.n)
		n = deliver_start(&(struct deliver_hand){ .outbox = outbox, .run = r.id, .project = r.project, .config = c, .secrets = secrets, .channels = owed.channels }, e);
	owed_free(&owed);
	report_free(&r);
	return n;
}

static int storm(struct store *s, const char *outbox, const char *config, long n, struct err *e)
{
	struct secrets *secrets = NULL;
	struct config *c = NULL;
	struct span value;
	struct err none;

	int r = config_load(config, "/", &c, e);
	if (r == 0)
		r = secrets_open(&secrets, e);
	if (r == 0)
		secret_get(secrets, "env:HOOK_URL", &value, &none);
	for (long i = 0; i < n && r == 0; i++)
		r = tell(s, outbox, c, secrets, e);
	secrets_close(secrets);
	config_free(c);
	return r;
}

int main(int argc, char **argv)
{
	struct store *s = NULL;
	struct err e = { 0 };
	long n = argc == 5 ? strtol(argv[4], NULL, 10) : 0;

	if (n <= 0) {
		fputs("usage: alert_fill OUTBOX CONFIG CHANNEL|storm N\n", stderr);
		return 2;
	}
	int r = store_open(argv[1], STORE_CREATE, &s, &e);
	bool is_storm = !strcmp(argv[3], "storm");
	if (r == 0 && is_storm)
		r = storm(s, argv[1], argv[2], n, &e);
	for (long at = 0; at < n && r >= 0 && !is_storm; at += EACH)
		r = owe_some(s, argv[2], argv[3], at, n - at < EACH ? n - at : EACH, &e);
	store_close(s);
	if (r < 0)
		fprintf(stderr, "alert_fill: %s\n", e.msg);
	return r < 0;
}
