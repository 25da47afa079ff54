/* config: the keys of tocsin.yaml, the places of the files, who is trusted with what. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "alert/channel.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/run_config.h"
#include "cli/view.h"
#include "config/config.h"

static char tmp[] = "/tmp/test-config-XXXXXX";

static const char *in_tmp(const char *name)
{
	static char path[64][512];
	static int turn;
	char *p = path[turn++ % 64];

	snprintf(p, sizeof(path[0]), "%s/%s", tmp, name);
	return p;
}

static void put(const char *name, const char *text)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	struct err e;

	buf_span(&dir, path_dir(span_of(in_tmp(name))));
	assert_int_equal(path_mkdirs(buf_str(&dir), 0755, &e), 0);
	assert_int_equal(file_replace(in_tmp(name), span_of(text), &e), 0);
}

static struct config *read_it(const struct config_places *where)
{
	struct config *c;
	struct err e;

	if (config_read(where, &c, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

/* One trusted file. */
static struct config *read_text(const char *text)
{
	struct config_places where = { .named = in_tmp("one/tocsin.yaml") };

	put("one/tocsin.yaml", text);
	return read_it(&where);
}

static void no_errors(const struct config *c)
{
	if (c->n_errors)
		fail_msg("%s", c->errors[0].text);
}

static void is_value(enum config_id id, const char *text, int64_t number)
{
	CLEANUP(buf_free) struct buf file = { 0 };
	struct span path = config_name(id), rest = path, section = span_cut(&rest, '.');

	if (rest.n)
		buf_addf(&file, "%.*s: {%.*s: %s}\n", SPAN_ARG(section), SPAN_ARG(rest), text);
	else
		buf_addf(&file, "%.*s: %s\n", SPAN_ARG(path), text);
	struct config *c = read_text(buf_str(&file));
	no_errors(c);
	assert_true(config_is_set(c, id));
	assert_int_equal(config_number(c, id), number);
	config_free(c);
}

static void reads_values(void **state)
{
	(void)state;
	const int64_t second = NSEC_PER_SEC;

	is_value(CFG_TIMEOUT, "90s", 90 * second);
	is_value(CFG_TIMEOUT, "1h30m", 5400 * second);
	is_value(CFG_RETENTION_AGE, "90d", 90 * 86400 * second);
	is_value(CFG_RETENTION_AGE, "1d12h", 36 * 3600 * second);
	is_value(CFG_RETENTION_SIZE, "500MB", 500000000);
	is_value(CFG_RETENTION_SIZE, "2GiB", INT64_C(2) << 30);
	is_value(CFG_RETENTION_SIZE, "512", 512);
	is_value(CFG_RETENTION_SIZE, "1 TB", INT64_C(1000000000000));
	is_value(CFG_RETRY, "3", 3);
	is_value(CFG_STRICT, "true", 1);
	is_value(CFG_STRICT, "false", 0);
	is_value(CFG_FORMAT, "testname", 4);
	is_value(CFG_ON_FAIL, "record", 2);
	is_value(CFG_LANG, "zh", 1);
}

static void defaults_hold(void **state)
{
	(void)state;
	struct config *c = read_text("# nothing yet\n");
	CLEANUP(buf_free) struct buf where = { 0 };
	size_t n;

	no_errors(c);
	assert_false(config_is_set(c, CFG_FORMAT));
	assert_string_equal(config_text(c, CFG_FORMAT), "auto");
	assert_string_equal(config_text(c, CFG_CONTRACTS), "tocsin/contracts");
	assert_null(config_text(c, CFG_STORE));
	assert_non_null(config_list(c, CFG_ALLOW_MASKED, &n));
	assert_int_equal(n, 0);
	config_origin(c, CFG_FORMAT, &where);
	assert_string_equal(where.p, "default");
	config_free(c);
}

/* Every default and every example of the table is what its own key accepts. */
static void the_table_keeps_its_word(void **state)
{
	(void)state;
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		const struct config_key *k = &config_keys[id];
		CLEANUP(buf_free) struct buf text = { 0 };
		struct span path = config_name(id), rest = path, section = span_cut(&rest, '.');
		assert_non_null(k->example);
		assert_true(k->doc.en && k->doc.zh && strlen(k->doc.zh) > 4);
		assert_int_equal(!k->words, k->type != CONFIG_WORD);
		assert_int_equal(config_find(k->path, NULL), id);
		if (!config_is_top(id))
			continue;
		buf_addf(&text, rest.n ? "%.*s:\n  %.*s: %s\n" : "%.*s%.*s: %s\n", SPAN_ARG(section), SPAN_ARG(rest), k->example);
		struct config *c = read_text(buf_str(&text));
		no_errors(c);
		assert_true(config_is_set(c, id));
		config_free(c);
		if (!k->unset || k->unset[0] != '[')
			continue;
		text.len = 0;
		buf_addf(&text, "%.*s: %s\n", SPAN_ARG(path), k->unset);
		c = read_text(buf_str(&text));
		no_errors(c);
		config_free(c);
	}
	for (size_t i = 0; config_formats[i] || view_format_names[i]; i++)
		assert_string_equal(config_formats[i], view_format_names[i]);
}

/* ", key: example" of what is below prefix, that of a channel's type; the first of each mapping is the caller's. */
static void put_examples(struct buf *b, const char *prefix, const char *type)
{
	static const char *const first[] = { "channels[].name", "channels[].type", "routes[].when.outcome", "silence[].when.cause" };

	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		struct span key = span_of(config_keys[id].path);
		bool is_first = false;
		for (size_t i = 0; i < ARRAY_LEN(first); i++)
			is_first |= span_eq(key, span_of(first[i]));
		if (is_first || !span_skip(&key, span_of(prefix)) || span_chr(key, '.') != SPAN_NONE || (type && !config_channel_takes(type, key.p)))
			continue;
		buf_addf(b, ", %s: %s", key.p, config_keys[id].example);
	}
}

/* What a type takes is what its keys are: none that is nowhere, none that nobody takes; and the code of the channels agrees. */
static void channels_take_their_options(void **state)
{
	(void)state;
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		struct span key = span_of(config_keys[id].path);
		bool any = false;
		if (!span_skip(&key, S("channels[].")))
			continue;
		for (size_t i = 0; config_channel_types[i]; i++)
			any |= config_channel_takes(config_channel_types[i], key.p);
		if (!any)
			fail_msg("no channel takes %s", key.p);
	}
	assert_false(config_channel_takes("slack", "chat_id"));
	assert_false(config_channel_takes("none", "url"));
	for (size_t i = 0; i < CHANNEL_COUNT; i++) {
		const struct channel_ops *ops = channels[i];
		assert_string_equal(config_channel_types[i], ops->type);
		for (size_t k = 0; ops->options && ops->options[k]; k++) {
			char path[64];
			snprintf(path, sizeof(path), "channels[].%s", ops->options[k]);
			if (!config_channel_takes(ops->type, ops->options[k]) || config_find(path, NULL) == CFG_KEYS)
				fail_msg("a %s takes %s, and tocsin.yaml does not know it", ops->type, ops->options[k]);
		}
	}
	assert_null(config_channel_types[CHANNEL_COUNT]);
}

static void examples_of_list_keys_hold(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf q = { 0 };
	CLEANUP(buf_free) struct buf r = { 0 };

	buf_addf(&q, "quarantine:\n- {test: %s, package: %s, until: %s, why: %s, fault: %s}\n", config_keys[CFG_QUARANTINE_TEST].example,
		 config_keys[CFG_QUARANTINE_PACKAGE].example, config_keys[CFG_QUARANTINE_UNTIL].example, config_keys[CFG_QUARANTINE_WHY].example,
		 config_keys[CFG_QUARANTINE_FAULT].example);
	struct config *c = read_text(buf_str(&q));
	no_errors(c);
	config_free(c);
	buf_adds(&r, "channels:\n- {name: oncall, type: exec, command: [/bin/true]}\n- {name: ops, type: dingtalk");
	put_examples(&r, "channels[].", "dingtalk");
	buf_adds(&r, "}\nroutes:\n- {when: {outcome: passed");
	put_examples(&r, "routes[].when.", NULL);
	buf_adds(&r, "}");
	put_examples(&r, "routes[].", NULL);
	buf_adds(&r, "}\nsilence:\n- {when: {cause: mod.*");
	put_examples(&r, "silence[].when.", NULL);
	buf_adds(&r, "}");
	put_examples(&r, "silence[].", NULL);
	buf_adds(&r, "}\n");
	c = read_text(buf_str(&r));
	no_errors(c);
	assert_int_equal(c->n_notes, 0);
	assert_true(c->n_channels == 2 && c->n_routes == 1 && c->n_silences == 1);
	config_free(c);
	for (size_t i = 0; config_channel_types[i]; i++) { /* every key of every type */
		buf_clear(&r);
		buf_addf(&r, "channels:\n- {name: ops, type: %s", config_channel_types[i]);
		put_examples(&r, "channels[].", config_channel_types[i]);
		buf_adds(&r, "}\n");
		c = read_text(buf_str(&r));
		no_errors(c);
		config_free(c);
	}
}

static const struct refusal {
	const char *text, *place, *words;
} refusals[] = {
	{ "tmeout: 5m\n", ":1:1:", "tmeout: unknown key; did you mean timeout?" },
	{ "on-fail: record\n", ":1:1:", "did you mean on_fail?" },
	{ "retention_age: 5d\n", ":1:1:", "did you mean retention.age?" },
	{ "zzzzzzzzzzzz: 1\n", ":1:1:", "zzzzzzzzzzzz: unknown key; `tocsin config explain`" },
	{ "retention: {ages: 5d}\n", ":1:13:", "retention.ages: unknown key; did you mean age?" },
	{ "\nquarantine:\n- test: a.T\n  untl: 2027-01-01\n  until: 2027-01-01\n", ":4:3:", "quarantine[].untl: unknown key; did you mean until?" },
	{ "\nquarantine:\n- test: a.T\n", ":3:3:", "quarantine[].until: is missing" },
	{ "quarantine:\n- until: 2027-01-01\n", ":2:3:", "quarantine[].test: is missing" },
	{ "quarantine: {test: a}\n", ":1:13:", "quarantine[]: needs a list" },
	{ "quarantine: [a.T]\n", ":1:14:", "quarantine[]: needs 'key: value'" },
	{ "quarantine:\n- {test: a.T, until: 2027-02-30}\n", ":2:22:", "quarantine[].until: needs a date such as 2027-01-31, not '2027-02-30'" },
	{ "quarantine:\n- {test: a.T, until: tomorrow}\n", ":2:22:", "needs a date" },
	{ "quarantine:\n- {test: a.T, until: 2027-1-3}\n", ":2:22:", "needs a date" },
	{ "quarantine:\n- {test: a.T, until: 2027-01-01, fault: 42}\n", ":2:41:", "needs a fault id such as T-42" },
	{ "timeout: 5\n", ":1:10:", "timeout: needs a duration such as 90s" },
	{ "timeout: -5m\n", ":1:10:", "needs a duration" },
	{ "timeout: [5m]\n", ":1:10:", "timeout: needs a duration such as 90s, 1h30m or 7d, not a list" },
	{ "timeout: {a: 5m}\n", ":1:10:", "not a mapping" },
	{ "retention: 5d\n", ":1:12:", "retention: needs 'key: value'" },
	{ "retention: {size: big}\n", ":1:19:", "retention.size: needs a size such as 500MB" },
	{ "retention: {size: 99999999999TB}\n", ":1:19:", "needs a size" },
	{ "strict: yes\n", ":1:9:", "strict: needs true or false, not 'yes'" },
	{ "retry: 012\n", ":1:8:", "retry: needs a number" },
	{ "retry: -1\n", ":1:8:", "retry: needs a number" },
	{ "retry: 1000001\n", ":1:8:", "retry: needs a number" },
	{ "retry_on: [transient, transent]\n", ":1:23:", "retry_on: needs a class" },
	{ "retry_on: security\n", ":1:11:", "never tried again" },
	{ "retry_on: [mod.checksum]\n", ":1:12:", "never tried again" },
	{ "format: testnam\n", ":1:9:", "format: does not know 'testnam'; did you mean testname?" },
	{ "lang: french\n", ":1:7:", "lang: does not know 'french'; it may be: en, zh" },
	{ "base_branch: ''\n", ":1:14:", "base_branch: needs a text" },
	{ "store: mysql://h/d\n", ":1:8:", "no store of this kind" },
	{ "store: sqlite://x\n", ":1:8:", "a path follows" },
	{ "store: postgres://u:hunter2@h/d\n", ":1:8:", "a password must not stand here" },
	{ "store: postgres://h/d?password=hunter2\n", ":1:8:", "a password must not stand here" },
	{ "mirrors: [goproxy.cn]\n", ":1:11:", "mirrors: needs an address" },
	{ "mirrors: ['https://u:hunter2@goproxy.cn']\n", ":1:11:", "mirrors: needs an address" },
	{ "mirrors: ['http://goproxy.cn']\n", ":1:11:", "mirrors: needs an address" },
	{ "channels:\n- {name: a, type: ntfy, secret: hunter2}\n", ":2:33:", "channels[].secret: a secret must not stand here" },
	{ "channels:\n- {name: a, type: ntfy, url: 'https://x.y/?k=hunter2'}\n", ":2:30:", "channels[].url: a secret must not stand here" },
	{ "channels:\n- {name: a, type: ntfy, url: 'https://u:hunter2@x.y/'}\n", ":2:30:", "channels[].url: a secret must not stand here" },
	{ "channels:\n- {name: a, type: slack, url: 'https://hooks.slack.com/services/hunter2'}\n", ":2:31:", "the address of a slack channel is its secret" },
	{ "channels:\n- {name: a, type: slack, url: 'http://127.0.0.1.evil.example/'}\n", ":2:31:", "is its secret and must not stand here" },
	{ "channels:\n- {name: a, type: ntfy, url: 'http://127.0.0.1.evil.example/'}\n", ":2:30:", "plain http lets others read along" },
	{ "channels:\n- {name: a, type: slack, secret: 'env:'}\n", ":2:34:", "the name of a variable follows env:" },
	{ "channels:\n- {name: a, type: slack, url: 'file:hook'}\n", ":2:31:", "a full path follows file:" },
	{ "channels:\n- {name: a, type: slack, url: 'env:A'}\n- {name: a, type: ntfy, url: 'env:B'}\n", ":3:10:", "channels[].name: 'a' stands here twice; first in line 2" },
	{ "channels:\n- {type: slack}\n", ":2:3:", "channels[].name: is missing" },
	{ "channels:\n- {name: 'a b', type: slack}\n", ":2:10:", "needs a name" },
	{ "channels:\n- {name: a, type: slak}\n", ":2:19:", "channels[].type: does not know 'slak'; did you mean slack?" },
	{ "channels:\n- {name: a, type: slack}\n", ":2:3:", "channels[].url: is missing here: a channel of type slack needs it" },
	{ "channels:\n- {name: a, type: slack, url: 'env:A', chat_id: 5}\n", ":2:40:", "channels[].chat_id: a channel of type slack has no such key; it has url, secret, lang" },
	{ "channels:\n- {name: a, type: slack, url: 'env:A', mentons: {a: b}}\n", ":2:40:", "channels[].mentons: unknown key; did you mean mentions?" },
	{ "channels:\n- {name: a, type: slack, url: 'env:A', mentions: [a]}\n", ":2:50:", "channels[].mentions: needs a mapping of names to texts" },
	{ "channels:\n- {name: a, type: slack, url: 'env:A', mentions: {a: [b]}}\n", ":2:54:", "not a list" },
	{ "channels:\n- {name: a, type: slack, url: 'env:A', proxy: 'http://u:hunter2@p'}\n", ":2:47:", "channels[].proxy: needs an address such as http://proxy.example.com:3128" },
	{ "channels:\n- {name: a, type: exec}\n", ":2:3:", "channels[].command: is missing" },
	{ "routes:\n- {to: a, level: high}\n", ":2:18:", "routes[].level: does not know 'high'; it may be: L1, L2, L3" },
	{ "routes:\n- {to: a, quiet_hours: '22:00'}\n", ":2:24:", "routes[].quiet_hours: needs hours such as 22:00-08:00" },
	{ "routes:\n- {to: a, quiet_hours: ['sat-sun', '25:00-08:00']}\n", ":2:36:", "needs hours" },
	{ "routes:\n- {to: a, quiet_hours: '08:00-08:00'}\n", ":2:24:", "needs hours" },
	{ "routes:\n- {to: a, quiet_hours: 'caturday'}\n", ":2:24:", "needs hours" },
	{ "routes:\n- {to: a, digest_at: '24:00'}\n", ":2:22:", "routes[].digest_at: needs a time of the day" },
	{ "routes:\n- {to: a, digest_at: 9}\n", ":2:22:", "needs a time of the day" },
	{ "routes:\n- {to: a, time_zone: ../../etc/passwd}\n", ":2:22:", "routes[].time_zone: needs a time zone such as Asia/Shanghai or UTC+8" },
	{ "routes:\n- {to: a, time_zone: UTC+15}\n", ":2:22:", "needs a time zone" },
	{ "routes:\n- {to: a, time_zone: UTC+8:7}\n", ":2:22:", "needs a time zone" },
	{ "routes:\n- {to: a, escalate_after: 5m}\n", ":2:11:", "routes[].escalate_after and routes[].escalate_to: the one needs the other" },
	{ "routes:\n- {to: a, level: L2, escalate_after: 5m, escalate_to: b}\n", ":2:42:", "only L1 escalates" },
	{ "routes:\n- {when: {state: old}, to: a}\n", ":2:18:", "routes[].when.state: does not know 'old'; it may be: new, known, regressed, ignored, flaky" },
	{ "routes:\n- {when: {class: permanet}, to: a}\n", ":2:18:", "did you mean permanent?" },
	{ "silence:\n- {until: 2027-01-01}\n", ":2:3:", "silence[].when: is missing here: it would silence everything" },
	{ "silence:\n- {when: {cause: []}, until: 2027-01-01}\n", ":2:3:", "it would silence everything" },
	{ "silence:\n- {when: {cause: mod.*}}\n", ":2:3:", "silence[].until: is missing" },
	{ "inhibit:\n- {cause: mod.dns, silences: mod.*, same: [host, place]}\n", ":2:50:", "inhibit[].same: does not know 'place'; it may be" },
	{ "routes:\n- {when: {outcome: [fail]}, to: [a]}\n", ":2:21:", "routes[].when.outcome: needs an outcome" },
	{ "routes:\n- {when: {otcome: [failed]}, to: [a]}\n", ":2:11:", "routes[].when.otcome: unknown key; did you mean outcome?" },
	{ "routes:\n- {when: {cause: mod.nothing}, to: [a]}\n", ":2:18:", "needs a cause" },
	{ "routes:\n- {level: L1}\n", ":2:3:", "routes[].to: is missing" },
	{ "routes:\n- {to: []}\n", ":2:3:", "routes[].to: is missing" },
	{ "routes:\n- {to: a, escalate_after: 5m, escalate_to: []}\n", ":2:11:", "the one needs the other" },
	{ "a: 1\na: 2\n", ":2:1:", "twice" },
	{ "retention:\n\tage: 5d\n", ":2:1:", "a tab cannot indent" },
	{ "- a\n", ":1:1:", "needs 'key: value' lines" },
	{ "just text\n", ":1:1:", "needs 'key: value' lines" },
	{ "\x7f" "ELF\x02\x01\n", ":1:1:", "byte 0x7f is no text" },
	{ "lang: \xff\n", ":1:7:", "invalid UTF-8" },
};

static void refuses_with_the_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *row = &refusals[i];
		struct config *c = read_text(row->text);
		if (c->n_errors != 1)
			fail_msg("row %zu '%s': %zu errors", i, row->text, c->n_errors);
		CLEANUP(buf_free) struct buf place = { 0 };
		buf_addf(&place, "/one/tocsin.yaml%s ", row->place);
		const char *text = c->errors[0].text;
		if (!strstr(text, place.p) || !strstr(text, row->words) || strstr(text, "hunter2"))
			fail_msg("row %zu: '%s', want '%s' '%s'", i, text, row->place, row->words);
		assert_true(c->errors[0].line > 0 && c->errors[0].column > 0);
		config_free(c);
		lang_now = LANG_ZH;
		c = read_text(row->text);
		lang_now = LANG_EN;
		if (strstr(c->errors[0].text, row->words) && !strchr(row->words, '?'))
			fail_msg("row %zu is not translated: '%s'", i, c->errors[0].text);
		config_free(c);
	}
}

static void tells_every_error(void **state)
{
	(void)state;
	struct config *c = read_text("timeout: x\nbogus_key_here: 1\nretry: y\n");
	struct config_places where = { .named = in_tmp("one/tocsin.yaml") };
	struct err e;

	assert_int_equal(c->n_errors, 3);
	assert_int_equal(c->errors[2].line, 3);
	config_free(c);
	assert_int_equal(config_load(where.named, tmp, &c, &e), -EINVAL);
	assert_null(c);
	assert_non_null(strstr(e.msg, "tocsin.yaml:1:10: timeout: needs a duration"));
	assert_non_null(strstr(e.msg, "(and 2 more"));
}

static void refuses_files_that_are_none(void **state)
{
	(void)state;
	struct config_places where = { 0 };
	CLEANUP(buf_free) struct buf big = { 0 };
	struct err e;

	for (int i = 0; i < 1 << 20; i++)
		buf_adds(&big, "# 8901234\n");
	assert_int_equal(file_replace(in_tmp("big"), buf_view(&big), &e), 0);
	mkdir(in_tmp("dir"), 0755);
	put("secret", "lang: en\n");
	chmod(in_tmp("secret"), 0);
	assert_int_equal(mkfifo(in_tmp("fifo"), 0600), 0);
	const struct refusal rows[] = {
		{ in_tmp("none"), "none: cannot be opened: No such file", NULL },
		{ in_tmp("dir"), "dir: is a directory", NULL },
		{ in_tmp("big"), "big: is larger than 1048576 bytes", NULL },
		{ in_tmp("secret"), "secret: cannot be opened: Permission denied", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (i == 3 && geteuid() == 0) /* root reads everything */
			break;
		where.named = rows[i].text;
		struct config *c = read_it(&where);
		assert_int_equal(c->n_errors, 1);
		if (!strstr(c->errors[0].text, rows[i].place))
			fail_msg("'%s', want '%s'", c->errors[0].text, rows[i].place);
		config_free(c);
	}
	where = (struct config_places){ .system = in_tmp("fifo") }; /* must not be waited for */
	struct config *c = read_it(&where);
	assert_int_equal(c->n_errors, 1);
	assert_non_null(strstr(c->errors[0].text, "no regular file"));
	config_free(c);
	where = (struct config_places){ .system = in_tmp("none"), .home = in_tmp("none/too"), .xdg = in_tmp("secret") };
	c = read_it(&where);
	no_errors(c);
	config_free(c);
}

/* A file a place, and the one before it wins. */
static void places_have_an_order(void **state)
{
	(void)state;
	put("w/repo/.git/HEAD", "ref: refs/heads/main\n");
	put("w/repo/a/b/x", "");
	put("w/repo/tocsin.yaml", "timeout: 2m\nstall: 2m\nallow_masked: [two]\n");
	put("w/home/.config/tocsin/tocsin.yaml", "timeout: 3m\nstall: 3m\nretry: 3\nallow_masked: [three, more]\n");
	put("w/system.yaml", "timeout: 4m\nstall: 4m\nretry: 4\nrerun_fails: 4\n");
	put("w/named.yaml", "timeout: 1m\n");
	const struct config_places where = { .named = in_tmp("w/named.yaml"), .cwd = in_tmp("w/repo/a/b"), .home = in_tmp("w/home"),
					     .system = in_tmp("w/system.yaml") };
	struct config *c = read_it(&where);
	CLEANUP(buf_free) struct buf text = { 0 };
	const int64_t minute = 60 * NSEC_PER_SEC;
	struct err e;
	size_t n;

	no_errors(c);
	assert_int_equal(config_number(c, CFG_TIMEOUT), minute);
	assert_int_equal(config_number(c, CFG_STALL), 2 * minute);
	assert_int_equal(config_number(c, CFG_RETRY), 3);
	assert_int_equal(config_number(c, CFG_RERUN_FAILS), 4);
	assert_string_equal(config_list(c, CFG_ALLOW_MASKED, &n)[0], "two");
	assert_int_equal(n, 1);
	config_origin(c, CFG_STALL, &text);
	assert_non_null(strstr(text.p, "/w/repo/tocsin.yaml:2"));
	assert_string_equal(c->root, in_tmp("w/repo"));
	assert_int_equal(config_flag(c, CFG_TIMEOUT, "--timeout", "9s", &e), 0);
	assert_int_equal(config_number(c, CFG_TIMEOUT), 9 * NSEC_PER_SEC);
	buf_clear(&text);
	config_origin(c, CFG_TIMEOUT, &text);
	assert_string_equal(text.p, "--timeout");
	assert_int_equal(config_flag(c, CFG_TIMEOUT, "--timeout", "soon", &e), -EINVAL);
	assert_non_null(strstr(e.msg, "--timeout: needs a duration"));
	buf_clear(&text);
	config_path(c, CFG_CONTRACTS, &text);
	assert_string_equal(text.p, in_tmp("w/repo/tocsin/contracts"));
	config_free(c);
}

static void the_search_ends(void **state)
{
	(void)state;
	put("e/tocsin.yaml", "retry: 7\n");
	put("e/repo/.git", "gitdir: elsewhere\n"); /* a worktree */
	put("e/repo/a/x", "");
	put("e/plain/a/x", "");
	struct config_places where = { .cwd = in_tmp("e/repo/a") };
	struct config *c = read_it(&where);

	assert_int_equal(config_number(c, CFG_RETRY), 0); /* above the repository */
	assert_string_equal(c->root, in_tmp("e/repo"));
	config_free(c);
	where = (struct config_places){ .cwd = in_tmp("e/plain/a/"), .home = in_tmp("e/plain/") };
	c = read_it(&where);
	assert_int_equal(config_number(c, CFG_RETRY), 0); /* above the home */
	config_free(c);
	where.home = in_tmp("e");
	c = read_it(&where);
	assert_int_equal(config_number(c, CFG_RETRY), 7);
	assert_string_equal(c->files[CONFIG_PROJECT].shown, in_tmp("e/tocsin.yaml"));
	config_free(c);
	where = (struct config_places){ .cwd = "not/absolute" };
	c = read_it(&where);
	no_errors(c);
	config_free(c);
}

/* What somebody who gave us a repository must not be able to say. */
static const char hostile[] =
	"store: postgres://evil.example/x\n"
	"retention: {age: 1s, size: 1B}\n"
	"channels: [{name: ops, type: webhook, url: 'env:AWS_SECRET_ACCESS_KEY'}, {name: run, type: exec, command: [/bin/sh, -c, id]}]\n"
	"mirrors: ['https://evil.example']\n"
	"timeout: 5m\nquarantine: [{test: a.T, until: 2200-01-01}]\nroutes: [{to: [ops]}]\n";

static void the_working_tree_is_not_trusted(void **state)
{
	(void)state;
	put("t/.git/HEAD", "");
	put("t/tocsin.yaml", hostile);
	struct config_places where = { .cwd = in_tmp("t") };
	struct config *c = read_it(&where);
	static const enum config_id refused[] = { CFG_STORE, CFG_RETENTION_AGE, CFG_RETENTION_SIZE, CFG_CHANNELS, CFG_MIRRORS };

	no_errors(c);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_false(config_is_set(c, refused[i]));
	assert_int_equal(c->n_notes, ARRAY_LEN(refused));
	assert_non_null(strstr(c->notes[0], "tocsin.yaml:1: store is ignored"));
	assert_true(config_is_set(c, CFG_TIMEOUT) && config_is_set(c, CFG_QUARANTINE) && config_is_set(c, CFG_ROUTES));
	config_free(c);
	where.named = in_tmp("t/../t/tocsin.yaml"); /* the same file, named: trusted, and read once */
	c = read_it(&where);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_true(config_is_set(c, refused[i]));
	assert_null(c->files[CONFIG_PROJECT].path);
	assert_int_equal(c->n_notes, 0);
	config_free(c);
	put("channels.yaml", "channels: [{name: others, type: webhook, url: env:A}]\n");
	where = (struct config_places){ .cwd = in_tmp("t"), .system = in_tmp("channels.yaml") };
	c = read_it(&where);
	assert_int_equal(c->n_notes, ARRAY_LEN(refused) + 1);
	assert_non_null(strstr(c->notes[ARRAY_LEN(refused)], "tocsin.yaml:7: there is no channel 'ops' here"));
	config_free(c);
	static const char *const outside[] = { "owners: /etc/passwd\n", "contracts: ../../other\n", "owners: a/../../b\n" };
	for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
		put("t/tocsin.yaml", outside[i]);
		where.named = NULL;
		c = read_it(&where);
		assert_int_equal(c->n_errors, 1);
		assert_non_null(strstr(c->errors[0].text, "must lie inside the project"));
		config_free(c);
		where.named = in_tmp("t/tocsin.yaml");
		c = read_it(&where);
		no_errors(c);
		config_free(c);
	}
}

static void foreign_files_are_not_the_projects(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("only root can make a file of another user\n");
		return;
	}
	put("f/tocsin.yaml", "retry: 5\n");
	put("f/mine/x", "");
	assert_int_equal(chown(in_tmp("f/tocsin.yaml"), 12345, 12345), 0);
	struct config_places where = { .cwd = in_tmp("f/mine") };
	struct config *c = read_it(&where);
	assert_false(config_is_set(c, CFG_RETRY));
	assert_int_equal(c->n_notes, 1);
	config_free(c);
	assert_int_equal(chown(in_tmp("f/mine"), 12345, 12345), 0); /* a checkout that the runner made */
	c = read_it(&where);
	assert_int_equal(config_number(c, CFG_RETRY), 5);
	config_free(c);
}

static void quarantine_fits_tests(void **state)
{
	(void)state;
	static const char text[] = "quarantine:\n"
				   "- {test: example.com/m/a.TestOne, until: 2026-11-21, why: slow clock, fault: T-7}\n"
				   "- {test: TestAnywhere/sub*, until: 2026-12-01}\n"
				   "- {package: example.com/m/b*, test: TestTwo, until: 2026-12-01}\n"
				   "- {test: example.com/m/old.*, until: 2026-11-20}\n";
	static const struct {
		const char *package, *test;
		int line; /* 0: not in quarantine */
	} rows[] = {
		{ "example.com/m/a", "TestOne", 2 }, { "example.com/m/a", "TestOne/sub/deep", 2 }, { "example.com/m/a", "TestOneMore", 0 },
		{ "example.com/m/b", "TestOne", 0 }, { "x", "TestAnywhere/sub1", 3 }, { "x", "TestAnywhere/sub1/x", 3 }, { "x", "TestAnywhere", 0 },
		{ NULL, "TestAnywhere/sub", 3 }, { "example.com/m/b/c", "TestTwo/x", 4 }, { "example.com/m/c", "TestTwo", 0 },
		{ "example.com/m/old", "TestX", 0 },
	};
	struct config_places where = { .named = in_tmp("q.yaml") };
	int64_t noon;

	put("q.yaml", text);
	assert_true(time_parse_rfc3339(S("2026-11-21T12:00:00Z"), &noon));
	where.today = noon;
	struct config *c = read_it(&where);
	no_errors(c);
	assert_int_equal(c->n_quarantine, 4);
	assert_string_equal(c->quarantine[0].why, "slow clock");
	assert_string_equal(c->quarantine[0].fault, "T-7");
	assert_true(c->quarantine[3].expired);
	assert_int_equal(c->n_notes, 1);
	assert_non_null(strstr(c->notes[0], "q.yaml:5: the quarantine of example.com/m/old.* ended on 2026-11-20"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct config_quarantine *q = config_quarantined(c, rows[i].package, rows[i].test);
		if ((q ? q->line : 0) != rows[i].line)
			fail_msg("row %zu: line %d, want %d", i, q ? q->line : 0, rows[i].line);
	}
	config_free(c);
	where.today = noon + 13 * 3600 * NSEC_PER_SEC; /* the day after */
	c = read_it(&where);
	assert_null(config_quarantined(c, "example.com/m/a", "TestOne"));
	config_free(c);
}

extern const struct verb verb_run;

static int configure(const char *text, const char *line, bool go_test, struct run_values *o)
{
	char words[16][64] = { { 0 } };
	const char *argv[16];
	struct args args;
	struct err e;
	size_t n = 0;

	for (struct span rest = span_of(line); rest.n && n < ARRAY_LEN(argv); n++) {
		struct span word = span_cut(&rest, ' ');
		memcpy(words[n], word.p, word.n);
		argv[n] = words[n];
	}
	struct config *c = read_text(text);
	no_errors(c);
	*o = (struct run_values){ 0 };
	assert_int_equal(opt_parse(&verb_run, n, argv, o, &args, &e), 0);
	int r = run_configure(c, &verb_run, &args, go_test, o, &e);
	for (size_t i = 0; i < o->retry_on.n; i++)
		assert_true(strlen(o->retry_on.v[i]) > 0);
	opt_list_free(&o->retry_on);
	opt_list_free(&o->allow_masked);
	config_free(c);
	return r;
}

static void entries_as_they_are_used(void **state)
{
	(void)state;
	struct config *c = read_text("channels:\n"
				     "- {name: mail, type: smtp, url: 'smtp://mail.example.com:587', secret: 'file:/run/pw', to: [a@b.c, d@e.f], from: x@y.z, lang: zh}\n"
				     "- {name: chat, type: dingtalk, url: env:U, mentions: {'@team': '138', dev@b.c: '139'}, keyword: ci}\n"
				     "- {name: near, type: ntfy, url: 'http://ntfy.example.com/', allow_plain: true}\n"
				     "routes:\n- to: [chat, mail]\n- {when: {outcome: crashed, owner: ['@team', '@b']}, to: mail, level: L3, repeat: 0, group: 1h, group_by: owner,\n"
				     "   quiet_hours: [\"fri-mon 22:00-08:00\", sat], time_zone: UTC+05:30, digest_at: '07:45', recovery: false}\n"
				     "inhibit:\n- {cause: mod.dns, silences: [mod.*, build.*]}\n");

	no_errors(c);
	assert_int_equal(c->n_notes, 0);
	const struct config_channel *mail = config_channel_named(c, "mail"), *chat = config_channel_named(c, "chat");
	assert_true(mail && chat && !config_channel_named(c, "none"));
	assert_string_equal(mail->url, "smtp://mail.example.com:587");
	assert_string_equal(mail->secret, "file:/run/pw");
	assert_string_equal(mail->lang, "zh");
	assert_int_equal(mail->n_options, 2);
	assert_string_equal(mail->options[0].key, "to");
	assert_string_equal(mail->options[0].value, "a@b.c\nd@e.f");
	assert_string_equal(mail->options[1].value, "x@y.z");
	assert_int_equal(mail->line, 2);
	assert_int_equal(chat->n_mentions, 2);
	assert_string_equal(chat->mentions[0].key, "@team");
	assert_string_equal(chat->mentions[1].value, "139");
	assert_int_equal(chat->n_options, 1);
	const struct config_route *first = &c->routes[0], *second = &c->routes[1];
	assert_true(first->level == 1 && first->repeat == 4 * 3600 * NSEC_PER_SEC && first->group == -1 && first->escalate == -1 && first->recovery && !first->n_quiet);
	assert_true(first->to.n == 2 && first->group_by.n == 2 && first->digest_at == 540);
	assert_string_equal(first->zone, "UTC");
	assert_true(second->level == 3 && second->repeat == 0 && second->group == 3600 * NSEC_PER_SEC && !second->recovery && second->digest_at == 465);
	assert_true(second->when[WHEN_OUTCOME].n == 1 && second->when[WHEN_OWNER].n == 2 && !second->when[WHEN_CAUSE].n && second->group_by.n == 1);
	assert_int_equal(second->n_quiet, 2);
	assert_true(second->quiet[0].days == 0x71 && second->quiet[0].from == 1320 && second->quiet[0].to == 480);
	assert_true(second->quiet[1].days == 0x20 && second->quiet[1].from == 0 && second->quiet[1].to == 1440);
	assert_true(c->inhibits[0].silences.n == 2 && c->inhibits[0].same.n == 2);
	config_free(c);
}

static void flags_win_over_it(void **state)
{
	(void)state;
	static const char text[] = "timeout: 20m\nretry: 2\nretry_on: [mirror]\non_fail: record\nstrict: true\nformat: dots\nrerun_fails: 3\n";
	struct run_values o;

	assert_int_equal(configure(text, "-- go test", true, &o), 0);
	assert_int_equal(o.timeout, 1200 * NSEC_PER_SEC);
	assert_true(o.retry == 2 && o.on_fail == ON_FAIL_RECORD && o.strict && o.rerun == 3);
	assert_string_equal(view_format_names[o.format], "dots");
	assert_int_equal(configure(text, "--timeout 5s --retry 0 --on-fail abort --rerun-fails=0 -f raw -- go", true, &o), 0);
	assert_int_equal(o.timeout, 5 * NSEC_PER_SEC);
	assert_true(o.retry == 0 && o.on_fail == ON_FAIL_ABORT && o.strict && o.rerun == 0 && o.retry_on.n == 0);
	assert_string_equal(view_format_names[o.format], "raw");
	assert_int_equal(configure(text, "-- make ci", false, &o), 0);
	assert_int_equal(o.rerun, 0); /* says nothing about other commands */
	assert_int_equal(configure("# nothing\n", "-- make ci", false, &o), 0);
	assert_true(!o.timeout && !o.retry && !o.strict);
	const enum lang keep = lang_now;
	struct config *c = read_text("lang: zh\n");
	setenv("TOCSIN_LANG", "en", 1);
	config_speak(c);
	assert_int_equal(lang_now, LANG_EN);
	unsetenv("TOCSIN_LANG");
	unsetenv("LC_MESSAGES");
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("LANG", "C", 1);
	config_speak(c);
	assert_int_equal(lang_now, LANG_ZH);
	lang_now = keep;
	config_free(c);
}

static void finds_names(void **state)
{
	(void)state;
	const char *near = NULL;

	assert_int_equal(config_find("retention.age", NULL), CFG_RETENTION_AGE);
	assert_int_equal(config_find("quarantine", NULL), CFG_QUARANTINE);
	assert_int_equal(config_find("quarantine[].until", NULL), CFG_QUARANTINE_UNTIL);
	assert_int_equal(config_find("tmeout", &near), CFG_KEYS);
	assert_string_equal(near, "timeout");
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	put("m/.git/HEAD", "");
	put("m/tocsin.yaml", hostile);
	put("m/named.yaml", "quarantine: [{test: a.T, until: 2001-01-01}]\nchannels: [{name: a, type: slack, url: 'env:A', mentions: {b: c}}, {name: b, type: smtp, url: 'env:B', to: [x, y], from: z}]\n"
			    "routes: [{when: {cause: mod.*}, to: [a, none], quiet_hours: [sat], escalate_after: 5m, escalate_to: b}]\n"
			    "silence: [{when: {job: x}, until: 2200-01-01}]\ninhibit: [{cause: mod.dns, silences: mod.*}]\n"
			    "allow_masked: [x, y]\nbogus: 1\nformat: french\ntimeout: x\n");
	const struct config_places where = { .named = in_tmp("m/named.yaml"), .cwd = in_tmp("m"), .home = in_tmp("m/home"), .system = in_tmp("m/none") };

	for (long at = 1;; at++) {
		struct config *c;
		struct err e;
		fault_at = at, fault_seen = 0;
		int r = config_read(&where, &c, &e);
		bool hit = fault_seen >= at;
		fault_at = 0;
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			assert_null(c);
		} else {
			assert_true(c->n_errors == 3); /* the list of words in an error may be missing, nothing else */
		}
		config_free(c);
		if (!hit)
			break;
	}
}

static int setup(void **state)
{
	return mkdtemp(tmp) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", tmp);
	return system(command); /* NOLINT: our own folder */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_values),
		cmocka_unit_test(defaults_hold),
		cmocka_unit_test(the_table_keeps_its_word),
		cmocka_unit_test(examples_of_list_keys_hold),
		cmocka_unit_test(channels_take_their_options),
		cmocka_unit_test(entries_as_they_are_used),
		cmocka_unit_test(refuses_with_the_place),
		cmocka_unit_test(tells_every_error),
		cmocka_unit_test(refuses_files_that_are_none),
		cmocka_unit_test(places_have_an_order),
		cmocka_unit_test(the_search_ends),
		cmocka_unit_test(the_working_tree_is_not_trusted),
		cmocka_unit_test(foreign_files_are_not_the_projects),
		cmocka_unit_test(quarantine_fits_tests),
		cmocka_unit_test(flags_win_over_it),
		cmocka_unit_test(finds_names),
		cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
