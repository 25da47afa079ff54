#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/alerting.h"

/* What is owed: queue, dead, show, retry, drop. */

/* ---- lists ---- */

struct listing {
	struct alert_task *t;
	struct json_out j;
	size_t n;
	unsigned states; /* bits; 0: all but delivered */
};

static void put_span(struct json_out *j, const char *key, struct span s)
{
	json_key(j, key);
	json_str(j, s.n ? s : (struct span){ 0 });
}

/* It goes again by itself: also what may have arrived, once. */
static bool waits(const struct alert_row *a)
{
	return a->state == ALERT_PENDING || (a->state == ALERT_AMBIGUOUS && a->next_attempt > 0);
}

static void put_row(struct json_out *j, const struct alert_row *a)
{
	put_span(j, "id", a->id);
	put_span(j, "channel", a->channel);
	put_span(j, "state", span_of(alert_state_words[a->state]));
	json_key(j, "attempts");
	json_int(j, a->attempts);
	alert_json_time(j, "next_attempt", waits(a) ? a->next_attempt : 0);
	put_span(j, "error", a->error);
	put_span(j, "run", a->run);
	alert_json_time(j, "created", a->created);
	alert_json_time(j, "updated", a->updated);
}

void alert_row_json(struct json_out *j, const struct alert_row *a)
{
	json_open(j, '{');
	put_row(j, a);
}

static void row_title(const struct alert_row *a, struct buf *ret)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct owed_body o;
	struct alert x;
	struct err none;

	if (owed_read(a->body, &mem, &o, &none) < 0 || alert_read(o.alert, &x, &none) < 0)
		return;
	alert_title(&x, lang_now, 200, ret);
	alert_free(&x);
}

/* On a terminal a row is a line. */
static void say_title(struct alert_task *t, struct span title, size_t from)
{
	size_t width = t->out.width > from + 20 ? t->out.width - from : 20, begin = t->text.len;

	say_clean(&t->text, title);
	struct span all = { t->text.p + begin, t->text.len - begin };
	if (t->out.tty && text_width(all) > width) {
		t->text.len = begin + text_fit(all, width - 1).n;
		buf_adds(&t->text, "…");
	}
}

static void say_trouble(struct alert_task *t, const struct alert_row *a)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (waits(a) && a->next_attempt > t->now) {
		char wait[24];
		duration_text(a->next_attempt - t->now, wait);
		if (a->attempts)
			buf_addf(&b, TR("after %lld attempts, again in %s", "已尝试 %lld 次，%s 后重试"), (long long)a->attempts, wait);
		else
			buf_addf(&b, TR("is sent in %s", "%s 后发送"), wait);
		buf_adds(&b, a->error.n ? TR(": ", "：") : "");
	}
	buf_span(&b, a->error);
	if (b.len)
		alert_wrap(t, buf_view(&b), 4);
	t->text.bad |= b.bad;
}

static void row_line(struct alert_task *t, const struct alert_row *a)
{
	CLEANUP(buf_free) struct buf title = { 0 }, channel = { 0 }, cell = { 0 };
	struct buf *b = &t->text;
	bool narrow = t->out.tty && t->out.width < 110;
	char age[16];

	when_age(t->now - a->created, age);
	row_title(a, &title);
	say_clean(&channel, a->channel);
	buf_addf(b, "%.*s  ", SPAN_ARG(a->id));
	alert_state_say(b, &t->out, a->state, narrow ? 0 : 14);
	if (narrow) { /* two lines */
		buf_addf(b, "\n  %s  %s  ", buf_str(&channel), age);
		say_title(t, buf_view(&title), 6 + text_width(buf_view(&channel)) + text_width(span_of(age)));
	} else {
		say_cell(&cell, buf_str(&channel), 12);
		buf_addf(b, " %s %4s  ", buf_str(&cell), age);
		say_title(t, buf_view(&title), 26 + 2 + 14 + 1 + (text_width(buf_view(&cell))) + 1 + 4 + 2);
	}
	buf_addc(b, '\n');
	say_trouble(t, a);
	b->bad |= title.bad || channel.bad || cell.bad;
}

static int list_row(void *ctx, const struct alert_row *a)
{
	struct listing *l = ctx;
	unsigned wanted = l->states ? l->states : ~(1u << ALERT_DELIVERED);

	if (!(wanted >> a->state & 1))
		return 0;
	l->n++;
	if (l->t->o->json) {
		alert_row_json(&l->j, a);
		json_close(&l->j, '}');
	} else {
		row_line(l->t, a);
	}
	return l->t->text.bad ? -ENOMEM : 0;
}

static void put_counts(struct json_out *j, const int64_t *counts)
{
	json_key(j, "counts");
	json_open(j, '{');
	for (int i = 0; i < ALERT_STATES; i++) {
		json_key(j, alert_state_words[i]);
		json_int(j, counts[i]);
	}
	json_close(j, '}');
}

static void say_counts(struct alert_task *t, const int64_t *counts, size_t shown)
{
	if (!shown)
		buf_adds(&t->text, TR("nothing is owed\n", "没有待发的告警\n"));
	CLEANUP(buf_free) struct buf b = { 0 };
	buf_addf(&b, TR("%lld pending, %lld being sent, %lld delivered, %lld ambiguous, %lld misconfigured, %lld dead", "待发送 %lld，发送中 %lld，已送达 %lld，不确定 %lld，配置有误 %lld，已放弃 %lld"),
		 (long long)counts[ALERT_PENDING], (long long)counts[ALERT_LEASED], (long long)counts[ALERT_DELIVERED], (long long)counts[ALERT_AMBIGUOUS],
		 (long long)counts[ALERT_MISCONFIGURED], (long long)counts[ALERT_DEAD]);
	alert_wrap(t, buf_view(&b), 0);
	t->text.bad |= b.bad;
}

static int list(struct alert_task *t, unsigned states, struct err *e)
{
	struct listing l = { .t = t, .j = { .to = &t->text }, .states = states };
	int64_t counts[ALERT_STATES];
	int r = outbox_counts(t->s, counts, e);

	if (t->o->json) {
		json_open(&l.j, '{');
		json_key(&l.j, "schema");
		json_strz(&l.j, "tocsin.queue/1");
		json_key(&l.j, "alerts");
		json_open(&l.j, '[');
	}
	if (r == 0)
		r = outbox_list(t->s, NULL, list_row, &l, e);
	if (r < 0 || !t->o->json) {
		if (r == 0)
			say_counts(t, counts, l.n);
		return r;
	}
	json_close(&l.j, ']');
	put_counts(&l.j, counts);
	json_close(&l.j, '}');
	buf_addc(&t->text, '\n');
	return 0;
}

static int read_states(const char *words, unsigned *ret, struct err *e)
{
	for (struct span rest = span_of(words); rest.n;) {
		struct span one = span_cut(&rest, ',');
		int i = 0;
		while (i < ALERT_STATES && !span_eq(span_of(alert_state_words[i]), one))
			i++;
		if (i == ALERT_STATES)
			return err_set(e, EINVAL, TR("'%.*s' is no state: they are pending, leased, delivered, ambiguous, misconfigured and dead", "“%.*s”不是状态：可用 pending、leased、delivered、ambiguous、misconfigured、dead"), SPAN_ARG(utf8_head(one, 30)));
		*ret |= 1u << i;
	}
	return 0;
}

static int run_list(const struct alert_values *o, const struct args *a, const char *verb, unsigned states)
{
	struct alert_task t;
	struct err e;

	if (a->n)
		return say_usage(verb, TR("it takes no arguments", "不接受参数"));
	if (o->state && read_states(o->state, &states, &e) < 0)
		return say_usage(verb, e.msg);
	int r = alert_begin(&t, o, NEEDS_OUTBOX);
	return r ? r : alert_end(&t, list(&t, o->all ? ~0u : states, &e), &e);
}

static int run_queue(void *values, const struct args *a)
{
	return run_list(values, a, "alert queue", 0);
}

static int run_dead(void *values, const struct args *a)
{
	return run_list(values, a, "alert dead", 1u << ALERT_DEAD | 1u << ALERT_MISCONFIGURED | 1u << ALERT_AMBIGUOUS);
}

/* ---- one ---- */

static void say_fact(struct alert_task *t, const char *name, struct span v)
{
	CLEANUP(buf_free) struct buf line = { 0 };

	if (!v.n)
		return;
	say_cell(&t->text, name, 12);
	say_clean(&line, v);
	if (t->out.tty)
		say_wrap(&t->text, buf_view(&line), 12, 12, t->out.width);
	else
		buf_span(&t->text, buf_view(&line));
	buf_addc(&t->text, '\n');
	t->text.bad |= line.bad;
}

static void say_time(struct alert_task *t, const char *name, int64_t wall)
{
	char when[32];

	when_date(wall, when);
	say_fact(t, name, wall ? span_of(when) : (struct span){ 0 });
}

static void show_alert(struct alert_task *t, const struct owed_body *o)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct alert x;
	struct err e;

	if (alert_read(o->alert, &x, &e) < 0) {
		buf_addf(&t->text, "%s\n", e.msg);
		return;
	}
	alert_title(&x, lang_now, 400, &text);
	buf_addc(&text, '\n');
	alert_text(&x, FORM_PLAIN, lang_now, 16 << 10, &text);
	alert_free(&x);
	buf_addc(&t->text, '\n');
	say_lines(&t->text, buf_view(&text), 2, 0);
}

static int show_row(void *ctx, const struct alert_row *a)
{
	struct alert_task *t = ctx;
	struct json_out j = { .to = &t->text };
	struct owed_body o;
	char tries[32];
	struct err e;

	if (t->o->json) {
		alert_json_begin(&j, "tocsin.alert_show/1");
		put_row(&j, a);
		json_key(&j, "alert");
		if (owed_read(a->body, &t->mem, &o, &e) == 0)
			buf_span(&t->text, o.alert);
		else
			json_null(&j);
		j.comma = true;
		alert_json_end(t, &j);
		return 0;
	}
	snprintf(tries, sizeof(tries), "%lld", (long long)a->attempts);
	say_fact(t, TR("alert", "告警"), a->id);
	say_fact(t, TR("channel", "渠道"), a->channel);
	say_cell(&t->text, TR("state", "状态"), 12);
	alert_state_say(&t->text, &t->out, a->state, 0);
	buf_addf(&t->text, lang_now == LANG_ZH ? "（%s）\n" : "\n", alert_state_words[a->state]);
	say_fact(t, TR("attempts", "尝试次数"), span_of(tries));
	say_fact(t, TR("answer", "结果"), a->error);
	say_time(t, TR("owed since", "产生于"), a->created);
	say_time(t, TR("last change", "最近变化"), a->updated);
	if (waits(a))
		say_time(t, TR("next", "下次尝试"), a->next_attempt);
	say_fact(t, TR("run", "运行"), a->run);
	if (owed_read(a->body, &t->mem, &o, &e) < 0)
		return 0;
	say_fact(t, TR("config", "配置"), o.config);
	CLEANUP(buf_free) struct buf next = { 0 };
	if (a->state != ALERT_AMBIGUOUS || !waits(a))
		alert_next_say(&next, a->state, a->id);
	say_fact(t, TR("to do", "下一步"), buf_view(&next));
	show_alert(t, &o);
	return 0;
}

static int run_show(void *values, const struct args *a)
{
	struct alert_task t;
	struct err e = { 0 };

	if (a->n != 1)
		return say_usage("alert show", TR("which alert? Its id is in `tocsin alert queue`", "哪个告警？编号见 `tocsin alert queue`"));
	int r = alert_begin(&t, values, NEEDS_OUTBOX);
	return r ? r : alert_end(&t, outbox_get(t.s, a->v[0], show_row, &t, &e), &e);
}

/* ---- changing ---- */

struct picked {
	char (*ids)[27];
	enum alert_state *states;
	size_t n, cap, cap_states;
	unsigned wanted; /* bits */
};

static int pick(void *ctx, const struct alert_row *a)
{
	struct picked *p = ctx;

	if (!(p->wanted >> a->state & 1))
		return 0;
	if (!mem_grow(&p->ids, &p->cap, p->n, sizeof(*p->ids)) || !mem_grow(&p->states, &p->cap_states, p->n, sizeof(*p->states)))
		return -ENOMEM;
	snprintf(p->ids[p->n], sizeof(*p->ids), "%.*s", SPAN_ARG(span_head(a->id, 26)));
	p->states[p->n++] = a->state;
	return 0;
}

/* All that are named are found before the first is changed. */
static int pick_named(struct alert_task *t, const struct args *a, struct picked *p, struct err *e)
{
	int r = 0;

	p->wanted = ~0u;
	for (size_t i = 0; i < a->n && r == 0; i++)
		r = outbox_get(t->s, a->v[i], pick, p, e);
	return r;
}

struct following {
	struct picked *p;
	struct arena mem;
	size_t named;
};

static int pick_following(void *ctx, const struct alert_row *a)
{
	struct following *f = ctx;
	struct owed_body o;
	struct err none;

	if (owed_read(a->body, &f->mem, &o, &none) < 0 || !o.after.n)
		return 0;
	for (size_t i = 0; i < f->named; i++) {
		if (span_eq(a->id, span_of(f->p->ids[i])))
			return 0;
	}
	for (size_t i = 0; i < f->named; i++) {
		if (span_eq(o.after, span_of(f->p->ids[i])))
			return pick(f->p, a);
	}
	return 0;
}

/* What waits for a person only because of these: their ends. */
static int pick_ends(struct alert_task *t, struct picked *p, struct err *e)
{
	struct following f = { .p = p, .named = p->n };
	int r = outbox_list(t->s, alert_state_words[ALERT_MISCONFIGURED], pick_following, &f, e);

	arena_free(&f.mem);
	return r;
}

/* All were put into one state. */
static void put_changed(struct alert_task *t, const struct picked *p, enum alert_state state)
{
	struct json_out j = { .to = &t->text };

	alert_json_begin(&j, "tocsin.alert_changed/1");
	json_key(&j, "alerts");
	json_open(&j, '[');
	for (size_t i = 0; i < p->n; i++) {
		json_open(&j, '{');
		alert_json_text(&j, "id", p->ids[i]);
		alert_json_text(&j, "state", alert_state_words[state]);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	alert_json_end(t, &j);
}

static int retry_all(struct alert_task *t, const struct picked *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->states[i] == ALERT_DELIVERED)
			return err_set(e, EINVAL, TR("alert %s is delivered already", "告警 %s 已送达"), p->ids[i]);
		int r = outbox_again(t->s, p->ids[i], t->now, e);
		if (r < 0)
			return r;
		if (!t->o->json)
			buf_addf(&t->text, TR("%s is due again\n", "%s 将重新发送\n"), p->ids[i]);
	}
	if (t->o->json)
		put_changed(t, p, ALERT_PENDING);
	else if (!p->n)
		buf_adds(&t->text, TR("nothing to try again\n", "没有需要重试的告警\n"));
	return 0;
}

/* What env: secrets this shell has goes with it, so that they need not wait for a run. */
static int start_deliverer(struct alert_task *t, struct err *e)
{
	struct deliver_hand h = { .outbox = buf_str(&t->outbox), .config = t->config };

	int r = secrets_open(&h.secrets, e);
	if (r == 0)
		r = deliver_start(&h, e);
	secrets_close(h.secrets);
	return r;
}

static int run_retry(void *values, const struct args *a)
{
	const struct alert_values *o = values;
	struct picked p = { .wanted = 1u << ALERT_DEAD | 1u << ALERT_MISCONFIGURED | 1u << ALERT_AMBIGUOUS | 1u << ALERT_PENDING };
	struct alert_task t;
	struct err e = { 0 };

	if (o->all ? a->n != 0 : !a->n)
		return say_usage("alert retry", TR("name the alerts, or say --all", "请指定告警编号，或使用 --all"));
	int r = alert_begin(&t, values, NEEDS_OUTBOX | NEEDS_CONFIG);
	if (r)
		return r;
	r = o->all ? outbox_list(t.s, NULL, pick, &p, &e) : pick_named(&t, a, &p, &e);
	if (r == 0 && !o->all)
		r = pick_ends(&t, &p, &e);
	if (r == 0)
		r = retry_all(&t, &p, &e);
	if (r == 0 && p.n)
		r = start_deliverer(&t, &e);
	mem_free(p.ids);
	mem_free(p.states);
	return alert_end(&t, r, &e);
}

static int drop_all(struct alert_task *t, const struct picked *p, const char *why, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		int r = outbox_settle(t->s, p->ids[i], NULL, ALERT_DEAD, why, 0, t->now, e);
		if (r < 0)
			return r;
		if (!t->o->json)
			buf_addf(&t->text, TR("%s is dropped\n", "已丢弃 %s\n"), p->ids[i]);
	}
	if (t->o->json)
		put_changed(t, p, ALERT_DEAD);
	return 0;
}

static int run_drop(void *values, const struct args *a)
{
	const struct alert_values *o = values;
	CLEANUP(buf_free) struct buf why = { 0 }, clean = { 0 };
	struct picked p = { 0 };
	struct alert_task t;
	struct err e = { 0 };

	if (!a->n || !o->why || !*o->why)
		return say_usage("alert drop", TR("name the alerts and say --why: it is kept with them", "请指定告警编号，并用 --why 说明原因（会一并保存）"));
	int r = alert_begin(&t, values, NEEDS_OUTBOX);
	if (r)
		return r;
	const char *who = alert_who(&t.mem);
	buf_addf(&why, TR("dropped by %s: %.200s", "由 %s 丢弃：%.200s"), who ? who : "?", o->why);
	redact_text(NULL, buf_view(&why), &clean);
	r = why.bad || clean.bad ? -ENOMEM : pick_named(&t, a, &p, &e);
	if (r == 0)
		r = drop_all(&t, &p, buf_str(&clean), &e);
	mem_free(p.ids);
	mem_free(p.states);
	return alert_end(&t, r, &e);
}

/* ---- the verbs ---- */

/* clang-format off */
#define ALL_OPT(en, zh) { "all", 0, OPT_FLAG, ALERT_AT(all), { NULL, NULL }, { en, zh }, NULL, 0 }
static const struct opt list_opts[] = {
	{ "state", 0, OPT_STRING, ALERT_AT(state), { "STATE,…", "状态,…" }, { "only these: pending, leased, delivered, ambiguous, misconfigured, dead", "只列出这些状态：pending、leased、delivered、ambiguous、misconfigured、dead" }, alert_state_words, 0 },
	ALL_OPT("delivered ones too", "包括已送达的"), OPT_JSON, OPT_OUTBOX,
};
static const struct opt dead_opts[] = { OPT_JSON, OPT_OUTBOX };
static const struct opt retry_opts[] = { ALL_OPT("all that are not delivered", "全部未送达的"), OPT_JSON, OPT_CONFIG, OPT_OUTBOX };
static const struct opt drop_opts[] = {
	{ "why", 0, OPT_STRING, ALERT_AT(why), { "TEXT", "文本" }, { "the reason; kept", "原因，会保存" }, NULL, 0 }, OPT_JSON, OPT_OUTBOX,
};

const struct verb verb_alert_queue = {
	.name = "alert queue", .brief = { "what is owed, and how it stands", "列出待发的告警及其状态" },
	.text = { "The oldest first; delivered ones only with --all. With --json the schema is tocsin.queue/1. Exit status 0, whatever is owed.\n\n  tocsin alert queue\n  tocsin alert queue --state misconfigured,dead --json\n", "最早的在前；已送达的只在使用 --all 时列出。--json 的格式为 tocsin.queue/1。无论有无待发，退出码均为 0。\n\n  tocsin alert queue\n  tocsin alert queue --state misconfigured,dead --json\n" },
	.opts = list_opts, .n_opts = ARRAY_LEN(list_opts), .size = sizeof(struct alert_values), .run = run_queue,
};
const struct verb verb_alert_dead = {
	.name = "alert dead", .brief = { "what needs a person: dead, misconfigured, ambiguous", "需要人工处理的：已放弃、配置有误、不确定" },
	.text = { "For each, what the channel said last. `tocsin alert retry ID` sends it again, `tocsin alert drop ID --why TEXT` never. With --json the schema is tocsin.queue/1.", "逐条列出渠道最后的回应。`tocsin alert retry 编号` 重新发送，`tocsin alert drop 编号 --why 原因` 不再发送。--json 的格式为 tocsin.queue/1。" },
	.opts = dead_opts, .n_opts = ARRAY_LEN(dead_opts), .size = sizeof(struct alert_values), .run = run_dead,
};
const struct verb verb_alert_show = {
	.name = "alert show", .args = { "ID", "编号" }, .brief = { "one alert: its state, what the channel said, its text", "查看一个告警的状态、渠道的回应和内容" },
	.text = { "The id is in `tocsin alert queue`; 6 of its first characters are enough when they are of one. With --json (tocsin.alert_show/1) also the alert itself (tocsin.alert/1).\n\n  tocsin alert show 01KAXV6Q\n", "编号见 `tocsin alert queue`；开头 6 个字符若能唯一确定即可。--json（tocsin.alert_show/1）还包含告警本身（tocsin.alert/1）。\n\n  tocsin alert show 01KAXV6Q\n" },
	.opts = dead_opts, .n_opts = ARRAY_LEN(dead_opts), .size = sizeof(struct alert_values), .run = run_show,
};
const struct verb verb_alert_retry = {
	.name = "alert retry", .args = { "ID…|--all", "编号…|--all" }, .brief = { "try again now", "立即重试" },
	.text = { "From the first attempt on, with the environment's secrets of this shell, and with a deliverer started when none is there. With --json the schema is tocsin.alert_changed/1.\n\n  tocsin alert retry --all\n  tocsin alert retry 01KAXV6Q\n", "从第一次尝试重新开始，使用当前环境中的机密；没有投递进程时启动一个。--json 的格式为 tocsin.alert_changed/1。\n\n  tocsin alert retry --all\n  tocsin alert retry 01KAXV6Q\n" },
	.opts = retry_opts, .n_opts = ARRAY_LEN(retry_opts), .size = sizeof(struct alert_values), .run = run_retry,
};
const struct verb verb_alert_drop = {
	.name = "alert drop", .args = { "ID…", "编号…" }, .brief = { "do not send it any more", "不再发送" },
	.text = { "It becomes dead, with the reason and who gave it: `tocsin alert show` has both. With --json the schema is tocsin.alert_changed/1.\n\n  tocsin alert drop 01KAXV6Q --why 'the branch is gone'\n", "标为已放弃，并记录原因和操作者（见 `tocsin alert show`）。--json 的格式为 tocsin.alert_changed/1。\n\n  tocsin alert drop 01KAXV6Q --why '分支已删除'\n" },
	.opts = drop_opts, .n_opts = ARRAY_LEN(drop_opts), .size = sizeof(struct alert_values), .run = run_drop,
};
/* clang-format on */
