/* alert/owe, told, note, spooled, target: from a report to rows of the outbox, what is remembered beside them, rows as files. */
#include "stored.h"

#include "alert/note.h"
#include "alert/owe.h"
#include "alert/target.h"
#include "config/config.h"

static char folder[96], config_file[128];

static const char channels_text[] = "channels:\n"
				    "- {name: ops, type: dingtalk, url: 'env:OWE_URL', secret: 'env:OWE_SECRET', mentions: {'@team': '1'}}\n"
				    "- {name: dev, type: webhook, url: 'http://127.0.0.1:9/dev', ca_file: certs/ca.pem}\n"
				    "- {name: prog, type: exec, command: [bin/tell, '/x/y']}\n"
				    "- {name: bare, type: exec, command: notify-send a/b}\n";

static struct config *config_with(const char *routes)
{
	CLEANUP(buf_free) struct buf all = { 0 };
	const struct config_places where = { .named = config_file, .today = NOW };
	struct config *c;

	buf_addf(&all, "%s%s", channels_text, routes);
	fine(file_replace(config_file, buf_view(&all), &e));
	fine(config_read(&where, &c, &e));
	if (c->n_errors)
		fail_msg("%s", c->errors[0].text);
	return c;
}

static int64_t owed_now(void)
{
	int64_t c[ALERT_STATES], all = 0;

	fine(outbox_counts(store, c, &e));
	for (size_t i = 0; i < ALERT_STATES; i++)
		all += c[i];
	return all;
}

static struct report *a_run(int64_t at, int from, int n)
{
	struct report *r = make_run(at, from, n);

	for (size_t i = 0; i < r->n_findings; i++)
		r->findings[i].severity = SEV_ERROR;
	return r;
}

static int owe_run(const struct config *c, int64_t at, int from, int n, struct owed *ret)
{
	struct report *r = a_run(at, from, n);
	const struct owe how = { .now = at };

	for (size_t i = 0; i < r->n_findings; i++)
		list_add(&r->mem, &r->findings[i].owners, from + (int)i ? "@other" : "@team");
	int got = alert_owe(store, c, r, &how, ret, &e);
	free_run(r);
	return got;
}

/* "ops dev": whom a run of these faults tells. */
static void tells(const struct config *c, int64_t at, int from, int n, const char *want)
{
	CLEANUP(buf_free) struct buf got = { 0 };
	struct owed w;

	fine(owe_run(c, at, from, n, &w));
	for (size_t i = 0; i < w.n; i++)
		buf_addf(&got, "%s%s", i ? " " : "", w.channels[i]);
	if (strcmp(buf_str(&got), want) != 0)
		fail_msg("'%s', want '%s'", buf_str(&got), want);
	owed_free(&w);
}

#define HOUR (3600 * NSEC_PER_SEC)

static void each_fault_and_each_channel_for_itself(void **state)
{
	(void)state;
	struct config *c = config_with("routes:\n- {when: {owner: '@team'}, to: ops}\n- {to: dev, repeat: 1h}\n");

	tells(c, NOW, 0, 1, "ops dev");
	tells(c, NOW + 1, 0, 1, "");
	tells(c, NOW + 2, 0, 2, "dev"); /* the second is new */
	tells(c, NOW + HOUR, 0, 1, "dev");
	tells(c, NOW + 3 * HOUR, 0, 1, "dev");
	tells(c, NOW + 4 * HOUR, 0, 1, "ops dev"); /* by its own interval, however often the other was told */
	tells(c, NOW + 4 * HOUR + 1, 0, 0, "ops dev dev"); /* two alerts led, two are over */
	tells(c, NOW + 4 * HOUR + 2, 0, 0, "");
	tells(c, NOW + 4 * HOUR + 3, 0, 2, "ops dev"); /* back again, in one */
	tells(c, NOW + 4 * HOUR + 4, 0, 0, "ops dev");
	config_free(c);
}

static int first_key(void *ctx, const struct told *t)
{
	if (!t->of && !t->over)
		snprintf(ctx, 64, "%s", t->key);
	return 0;
}

static void one_acknowledges_all_of_an_alert(void **state)
{
	(void)state;
	struct config *c = config_with("routes:\n- {to: dev, repeat: 0}\n");
	char key[64] = "";

	tells(c, NOW, 0, 3, "dev");
	fine(told_list(store, first_key, key, &e));
	assert_int_equal(told_open(store, span_of(key), &e), 1);
	fine(alert_ack(store, key, "me", &e));
	assert_int_equal(told_open(store, span_of(key), &e), 0);
	tells(c, NOW + 1, 0, 3, "");
	tells(c, NOW + 2, 2, 1, ""); /* also when another leads */
	tells(c, NOW + 3, 3, 1, "dev");
	assert_int_equal(alert_ack(store, "nothing", "me", &e), -ENOENT);
	assert_int_equal(told_open(store, S("nothing"), &e), 1);
	config_free(c);
}

static void early_and_after(void **state)
{
	(void)state;
	struct config *c = config_with("routes:\n- {when: {owner: '@team'}, to: ops}\n- {when: {owner: '@other'}, to: dev}\n");
	struct report *r = a_run(NOW, 0, 2);
	struct owe how = { .early = true, .now = NOW };
	struct owed first, second;

	r->n_findings = 1;
	list_add(&r->mem, &r->findings[0].owners, "@team");
	list_add(&r->mem, &r->findings[1].owners, "@other");
	fine(alert_owe(store, c, r, &how, &first, &e));
	assert_int_equal(first.n, 1);
	r->n_findings = 2;
	how = (struct owe){ .before = &first, .now = NOW + 1 };
	fine(alert_owe(store, c, r, &how, &second, &e));
	assert_int_equal(second.n, 2);
	assert_string_equal(first.key, second.key);
	owed_free(&first);
	owed_free(&second);
	free_run(r);
	tells(c, NOW + 2, 0, 2, "");
	tells(c, NOW + 3, 0, 0, "ops dev");
	config_free(c);
}

/* ---- no memory: all is owed, or nothing ---- */

static void walk_owe(const struct config *c, int n)
{
	int64_t at = NOW;
	long step = 1;
	bool hit = true;

	for (; hit; step++, at += NSEC_PER_SEC) {
		struct owed w = { 0 };
		if (!n) {
			fine(owe_run(c, at, 0, 2, &w));
			owed_free(&w);
		}
		struct report *r = a_run(at, 0, n);
		int64_t before = owed_now();
		fault_at = step, fault_seen = 0;
		const struct owe how = { .now = at };
		int got = alert_owe(store, c, r, &how, &w, &e);
		hit = fault_seen >= step;
		fault_at = 0;
		int64_t more = owed_now() - before;
		if (got < 0 ? more : more != 2 && more != 3)
			fail_msg("step %ld: %d, %lld more, %s", step, got, (long long)more, e.msg); /* it escalates once */
		owed_free(&w);
		free_run(r);
		assert_true(step < 3000);
	}
	assert_true(step > 50);
}

static void no_memory_owes_nothing_by_half(void **state)
{
	(void)state;
	struct config *c = config_with("routes:\n- {to: [ops, dev], repeat: 0, escalate_after: 1h, escalate_to: prog}\n- {when: {owner: x}, to: prog}\n");

	walk_owe(c, 2);
	walk_owe(c, 0);
	config_free(c);
}

static int look(void *ctx, const struct alert_row *a)
{
	struct alert_row *ret = ctx;

	*ret = *a;
	return 1;
}

static int count_silence(void *ctx, const struct silence *s)
{
	assert_string_equal(s->when[WHEN_CAUSE], "mod.*");
	assert_string_equal(s->when[WHEN_PROJECT], "o/\"r");
	++*(int *)ctx;
	return 0;
}

static void silences_are_kept(void **state)
{
	(void)state;
	const struct silence s = { .id = "01S1", .when = { [WHEN_CAUSE] = "mod.*", [WHEN_PROJECT] = "o/\"r" }, .why = "移动", .who = "me", .at = NOW, .until = NOW + HOUR },
			     later = { .id = "01S2", .when = { [WHEN_CAUSE] = "mod.*", [WHEN_PROJECT] = "o/\"r" }, .why = "x", .at = NOW + 2 * HOUR, .until = NOW + 3 * HOUR };
	int n = 0;

	for (long step = 1, hit = 1; hit; step++) {
		fault_at = step, fault_seen = 0;
		int r = silence_add(store, &s, &e);
		if (r == 0)
			r = silence_list(store, NOW, count_silence, &n, &e);
		hit = fault_seen >= step;
		fault_at = 0;
		assert_true(r == 0 || hit);
	}
	n = 0;
	fine(silence_list(store, NOW, count_silence, &n, &e));
	assert_int_equal(n, 1);
	fine(silence_list(store, NOW + HOUR, count_silence, &n, &e));
	assert_int_equal(n, 1);
	fine(silence_add(store, &later, &e)); /* the first is over: it goes */
	assert_int_equal(silence_end(store, "01S1", &e), -ENOENT);
	fine(silence_end(store, "01S2", &e));
	assert_int_equal(silence_end(store, "01S2", &e), -ENOENT);
}

/* ---- rows as files ---- */

static void put_file(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fine(file_replace(path, span_of(text), &e));
}

static void spooled_rows_come_back(void **state)
{
	(void)state;
	struct config *c = config_with("");
	const struct alert_row row = { .id = S("01ARZ3NDEKTSV4RRFFQ69G5FAV"), .run = S("RUN"), .channel = S("ops"),
				       .body = S("{\"schema\":\"tocsin.owed/1\",\"project\":\"shop\",\"alert\":{\"schema\":\"tocsin.alert/1\",\"key\":\"k\"}}") };
	struct alert_row back = { 0 };
	struct owed w;

	for (long step = 1, hit = 1; hit; step++) {
		fault_at = step, fault_seen = 0;
		int r = spooled_write(folder, &row, &e);
		hit = fault_seen >= step;
		fault_at = 0;
		assert_true(r == 0 || !hit || r < 0);
	}
	put_file("copy.json", "");
	for (long step = 1, hit = 1; hit; step++) {
		struct list paths = { 0 };
		fault_at = step, fault_seen = 0;
		int r = spooled_owe(store, c, folder, NOW, &w, &paths, &e);
		hit = fault_seen >= step;
		fault_at = 0;
		assert_true(r == 0 || hit);
		if (!hit) {
			assert_int_equal(r, 0);
			assert_int_equal(w.n, 1);
			assert_int_equal(paths.n, 1);
			assert_int_equal(w.notes.n, 1); /* copy.json */
		}
		owed_free(&w);
	}
	fine(outbox_get(store, "01ARZ3NDEKTSV4RRFFQ69G5FAV", look, &back, &e));
	assert_int_equal(owed_now(), 1);
	config_free(c);
}

static void a_broken_spool_keeps_nothing_else_back(void **state)
{
	(void)state;
	static const char *const broken[] = { "", "[]", "{", "{\"id\":1}", "{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAZ\",\"channel\":\"ops\"}",
		"{\"id\":\"../../etc/passwd\",\"channel\":\"ops\",\"owed\":{\"alert\":{\"a\":1}}}", "{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"channel\":\"ops\",\"owed\":[]}" };
	static const char good[] = "{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"channel\":\"ops\",\"owed\":{\"alert\":{\"schema\":\"tocsin.alert/1\"}}}";
	struct config *c = config_with("");
	struct list paths = { 0 };
	struct owed w;

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		char name[20];
		snprintf(name, sizeof(name), "b%zu.json", i);
		put_file(name, broken[i]);
	}
	assert_int_equal(spooled_owe(store, c, folder, NOW, &w, &paths, &e), -EBADMSG);
	owed_free(&w);
	put_file("good.json", good);
	put_file("same.json", good);
	put_file("other.txt", "no");
	paths = (struct list){ 0 };
	fine(spooled_owe(store, c, folder, NOW, &w, &paths, &e));
	assert_int_equal(w.n, 1);
	assert_int_equal(paths.n, 1);
	assert_int_equal(w.notes.n, ARRAY_LEN(broken));
	owed_free(&w);
	config_free(c);
}

/* ---- notes ---- */

struct noted {
	const char *text;
	struct span span, object;
	int64_t number;
	bool is;
};
static const struct note_field noted_fields[] = {
	{ "text", NOTE_TEXT, offsetof(struct noted, text) }, { "span", NOTE_SPAN, offsetof(struct noted, span) }, { "object", NOTE_OBJECT, offsetof(struct noted, object) },
	{ "number", NOTE_NUMBER, offsetof(struct noted, number) }, { "is", NOTE_TRUE, offsetof(struct noted, is) },
};

static int note(const char *json, struct arena *mem, struct noted *ret)
{
	*ret = (struct noted){ 0 };
	return note_read(span_of(json), noted_fields, ARRAY_LEN(noted_fields), mem, ret, NULL);
}

static void notes_are_read_as_written(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "x", "[]", "{", "{\"text\"}", "{\"text\":\"a\"", "{\"text\":}", "{\"object\":{]}", "{\"text\":\"a\"}x", "{\"a\":[1,{}", "null" };
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct noted x = { "a\n\"中", S("b"), S("{\"text\":[1]}"), -7, true };
	struct noted y;

	note_write(noted_fields, ARRAY_LEN(noted_fields), &x, &b);
	assert_int_equal(note(buf_str(&b), &mem, &y), 0);
	assert_string_equal(y.text, x.text);
	assert_true(span_eq(y.span, x.span) && span_eq(y.object, x.object) && y.number == -7 && y.is);
	assert_int_equal(note("{\"text\":null,\"span\":1,\"object\":[2],\"number\":\"3\",\"is\":1,\"more\":{\"text\":\"q\"}}", &mem, &y), 0);
	assert_true(!y.text && !y.span.p && !y.object.p && !y.number && !y.is);
	assert_int_equal(note("{\"text\":\"\",\"number\":99999999999999999999,\"text\":\"2\"}", &mem, &y), 0);
	assert_string_equal(y.text, "2");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (note(bad[i], &mem, &y) != -EBADMSG)
			fail_msg("'%s' was read", bad[i]);
	}
	for (long step = 1, hit = 1; hit; step++) {
		struct owed_body o;
		fault_at = step, fault_seen = 0;
		int r = owed_read(S("{\"schema\":\"tocsin.owed/1\",\"config\":\"c\",\"project\":\"p\",\"group\":\"g\",\"alert\":{}}"), &mem, &o, &e);
		hit = fault_seen >= step;
		fault_at = 0;
		assert_int_equal(r, hit ? -ENOMEM : 0); /* never as if it were broken: what is broken is given up */
	}
}

/* ---- targets ---- */

static void targets_lie_beside_their_file(void **state)
{
	(void)state;
	struct config *c = config_with("");
	struct target t;
	char want[200];

	fine(target_make_bare(c, "dev", &t, &e));
	snprintf(want, sizeof(want), "%s/certs/ca.pem", dir);
	assert_string_equal(t.ca_file, want);
	target_free(&t);
	fine(target_make_bare(c, "prog", &t, &e));
	snprintf(want, sizeof(want), "%s/bin/tell\n/x/y", dir);
	assert_true(span_eq(channel_option(&t.t, "command"), span_of(want)));
	target_free(&t);
	fine(target_make_bare(c, "bare", &t, &e)); /* by PATH; its arguments are its own */
	assert_true(span_eq(channel_option(&t.t, "command"), S("notify-send a/b")));
	target_free(&t);
	assert_int_equal(target_make_bare(c, "none", &t, &e), -ENOENT);
	config_free(c);
}

static void targets_without_memory(void **state)
{
	(void)state;
	static const char *const names[] = { "ops", "dev", "prog" };
	struct config *c = config_with("");

	setenv("OWE_URL", "https://example.com/robot?access_token=0123456789", 1);
	setenv("OWE_SECRET", "SEC0123456789abcdef", 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		for (long step = 1, hit = 1; hit; step++) {
			CLEANUP(arena_free) struct arena mem = { 0 };
			struct list names_list = { 0 }, refs = { 0 };
			struct secrets *s = NULL;
			struct target t = { 0 };
			fault_at = step, fault_seen = 0;
			int r = secrets_open(&s, &e);
			if (r == 0)
				r = target_names(c, &mem, &names_list, &e);
			if (r == 0)
				r = target_refs(c, NULL, &mem, &refs, &e);
			if (r == 0)
				r = target_make(c, names[i], s, &t, &e);
			hit = fault_seen >= step;
			fault_at = 0;
			assert_int_equal(r, hit ? -ENOMEM : 0);
			if (r == 0 && i == 0)
				assert_true(refs.n == 2 && names_list.n == 4 && t.t.n_mentions == 1 && t.t.secret.n);
			target_free(&t);
			secrets_close(s);
		}
	}
	unsetenv("OWE_URL");
	unsetenv("OWE_SECRET");
	config_free(c);
}

static int setup_owe(void **state)
{
	char command[300];

	fault_at = 0;
	open_kind(false, uri, &store);
	snprintf(folder, sizeof(folder), "%s/spool", dir);
	snprintf(config_file, sizeof(config_file), "%s/tocsin.yaml", dir);
	snprintf(command, sizeof(command), "rm -rf '%s' && mkdir '%s'", folder, folder);
	return system(command);
}

static int begin(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_owe, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_fault_and_each_channel_for_itself),
		TEST(one_acknowledges_all_of_an_alert),
		TEST(early_and_after),
		TEST(no_memory_owes_nothing_by_half),
		TEST(silences_are_kept),
		TEST(spooled_rows_come_back),
		TEST(a_broken_spool_keeps_nothing_else_back),
		TEST(notes_are_read_as_written),
		TEST(targets_lie_beside_their_file),
		TEST(targets_without_memory),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
