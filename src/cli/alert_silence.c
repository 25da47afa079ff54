#include <errno.h>
#include <stdio.h>

#include "base/redact.h"
#include "base/time.h"
#include "cli/alerting.h"

/* `alert silence`: nobody is told for a while. `alert ack`: somebody knows. */

static const char *clean(struct alert_task *t, const char *text)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	redact_text(NULL, span_of(text ? text : ""), &b);
	return b.bad ? NULL : arena_str(&t->mem, buf_view(&b));
}

static void put_silence(struct alert_task *t, const struct silence *s)
{
	struct json_out *j = &t->j;

	json_open(j, '{');
	alert_json_text(j, "id", s->id);
	alert_json_time(j, "at", s->at);
	alert_json_time(j, "until", s->until);
	json_key(j, "when");
	json_open(j, '{');
	for (int w = 0; w < WHENS; w++) {
		if (s->when[w])
			alert_json_text(j, config_when_words[w], s->when[w]);
	}
	json_close(j, '}');
	alert_json_text(j, "key", s->key);
	alert_json_text(j, "why", s->why);
	alert_json_text(j, "who", s->who);
	json_close(j, '}');
}

static int say_silence(void *ctx, const struct silence *s)
{
	struct alert_task *t = ctx;
	struct buf *b = &t->text;
	char until[32];

	t->n_said++;
	if (t->o->json) {
		put_silence(t, s);
		return 0;
	}
	when_date(s->until, until);
	buf_addf(b, TR("%s until %s:", "%s 至 %s："), s->id, until);
	for (int w = 0; w < WHENS; w++) {
		if (!s->when[w])
			continue;
		buf_addf(b, " %s=", config_when_words[w]);
		say_clean(b, span_of(s->when[w]));
	}
	if (s->key) {
		buf_adds(b, " key=");
		say_clean(b, span_of(s->key));
	}
	buf_adds(b, " (");
	say_clean(b, span_of(s->why ? s->why : ""));
	if (s->who) {
		buf_adds(b, ", ");
		say_clean(b, span_of(s->who));
	}
	buf_adds(b, ")\n");
	return 0;
}

static void begin_list(struct alert_task *t, const char *schema, const char *key)
{
	t->j = (struct json_out){ .to = &t->text };
	if (!t->o->json)
		return;
	alert_json_begin(&t->j, schema);
	json_key(&t->j, key);
	json_open(&t->j, '[');
}

/* none: what is said when there was nothing; may be NULL. */
static void end_list(struct alert_task *t, const char *none)
{
	if (t->o->json) {
		json_close(&t->j, ']');
		alert_json_end(t, &t->j);
	} else if (none && !t->n_said) {
		buf_adds(&t->text, none);
	}
}

static bool any_condition(const struct alert_values *o)
{
	for (int w = 0; w < WHENS; w++) {
		if (o->when[w])
			return true;
	}
	return o->key != NULL;
}

static int add(struct alert_task *t, struct err *e)
{
	const struct alert_values *o = t->o;
	struct silence s = { .key = o->key, .why = clean(t, o->why), .who = alert_who(&t->mem), .at = t->now, .until = t->now + o->time };
	char id[27];

	ulid_make(t->now, id);
	s.id = id;
	memcpy(s.when, o->when, sizeof(s.when));
	int r = s.why ? silence_add(t->s, &s, e) : -ENOMEM;
	return r < 0 ? r : say_silence(t, &s);
}

static int run_silence(void *values, const struct args *a)
{
	const struct alert_values *o = values;
	struct alert_task t;
	struct err e = { 0 };
	bool adds = any_condition(o);

	if (a->n)
		return say_usage("alert silence", TR("it takes no arguments", "不接受参数"));
	if (adds && (!o->why || !*o->why || o->time <= 0))
		return say_usage("alert silence", TR("say --why and --for how long", "请用 --why 说明原因，用 --for 说明时长"));
	int r = alert_begin(&t, values, NEEDS_OUTBOX);
	if (r)
		return r;
	begin_list(&t, "tocsin.silences/1", "silences");
	if (o->end)
		r = silence_end(t.s, o->end, &e);
	else if (adds)
		r = add(&t, &e);
	else
		r = silence_list(t.s, t.now, say_silence, &t, &e);
	if (r == 0 && o->end && !o->json)
		buf_addf(&t.text, TR("silence %s is over\n", "静默 %s 已结束\n"), o->end);
	end_list(&t, o->end || adds ? NULL : TR("nothing is silenced\n", "没有有效的静默\n"));
	return alert_end(&t, r, &e);
}

/* ---- ack ---- */

struct acking {
	struct alert_task *t;
	struct span key;
	struct arena *mem;
};

static int key_of(void *ctx, const struct alert_row *a)
{
	struct acking *k = ctx;
	struct owed_body o;
	struct alert x;
	struct err none;

	if (owed_read(a->body, k->mem, &o, &none) < 0 || alert_read(o.alert, &x, &none) < 0)
		return 0;
	k->key = x.key ? arena_span(k->mem, span_of(x.key)) : (struct span){ 0 };
	alert_free(&x);
	return 0;
}

static int say_told(void *ctx, const struct told *x)
{
	struct alert_task *t = ctx;
	char age[16];

	if (x->over)
		return 0;
	t->n_said++;
	if (t->o->json) {
		json_open(&t->j, '{');
		alert_json_text(&t->j, "key", x->key);
		alert_json_text(&t->j, "title", x->title);
		alert_json_text(&t->j, "project", x->project);
		alert_json_text(&t->j, "branch", x->branch);
		alert_json_text(&t->j, "cause", x->cause);
		alert_json_time(&t->j, "at", x->at);
		json_key(&t->j, "acknowledged");
		json_bool(&t->j, x->acked);
		alert_json_text(&t->j, "who", x->who);
		json_close(&t->j, '}');
		return 0;
	}
	when_age(t->now - x->at, age);
	say_clean(&t->text, span_of(x->key));
	buf_addf(&t->text, "  %4s  %s  ", age, x->acked ? TR("acknowledged", "已确认") : TR("open", "未确认"));
	say_clean(&t->text, span_of(x->title ? x->title : ""));
	buf_addc(&t->text, '\n');
	return 0;
}

/* An alert's id, or the key of what it is about. */
static int acknowledge(struct alert_task *t, const char *ref, struct err *e)
{
	struct acking k = { .t = t, .mem = &t->mem };
	struct err none;

	if (outbox_get(t->s, ref, key_of, &k, &none) < 0)
		k.key = span_of(ref);
	if (!k.key.n)
		return err_set(e, EINVAL, TR("alert %.40s is about nothing that could be acknowledged", "告警 %.40s 没有可确认的对象"), ref);
	int r = alert_ack(t->s, k.key.p, alert_who(&t->mem), e);
	if (r == 0 && t->o->json)
		json_strz(&t->j, k.key.p);
	else if (r == 0)
		buf_addf(&t->text, TR("%s is acknowledged: nobody is told again until it is over\n", "已确认 %s：恢复之前不再告警\n"), k.key.p);
	return r;
}

static int run_ack(void *values, const struct args *a)
{
	struct alert_task t;
	struct err e = { 0 };
	int r = alert_begin(&t, values, NEEDS_OUTBOX);

	if (r)
		return r;
	begin_list(&t, "tocsin.told/1", a->n ? "acknowledged" : "told");
	if (!a->n)
		r = told_list(t.s, say_told, &t, &e);
	for (size_t i = 0; i < a->n && r == 0; i++)
		r = acknowledge(&t, a->v[i], &e);
	end_list(&t, a->n ? NULL : TR("nothing is open\n", "没有未恢复的告警\n"));
	return alert_end(&t, r, &e);
}

/* clang-format off */
#define WHEN(i, name, en, zh) { name, 0, OPT_STRING, offsetof(struct alert_values, when) + (i) * sizeof(const char *), { "GLOB", "模式" }, { en, zh }, NULL, 0 }
static const struct opt opts[] = {
	WHEN(WHEN_OUTCOME, "outcome", "alerts of this outcome", "这种结果的告警"),
	WHEN(WHEN_CAUSE, "cause", "of this cause: 'mod.*'", "这种原因的告警：'mod.*'"),
	WHEN(WHEN_CLASS, "class", "of this class", "这种类别的告警"),
	WHEN(WHEN_SEVERITY, "severity", "of this severity", "这种级别的告警"),
	WHEN(WHEN_PACKAGE, "package", "in this package", "这个包里的告警"),
	WHEN(WHEN_BRANCH, "branch", "on this branch", "这个分支上的告警"),
	WHEN(WHEN_JOB, "job", "of this job", "这个作业的告警"),
	WHEN(WHEN_SERVICE, "service", "of this service", "这个服务的告警"),
	WHEN(WHEN_STATE, "state", "new, known, regressed or flaky", "new、known、regressed 或 flaky"),
	WHEN(WHEN_OWNER, "owner", "of this owner", "这个负责人的告警"),
	WHEN(WHEN_PROJECT, "project", "of this project", "这个项目的告警"),
	{ "key", 0, OPT_STRING, ALERT_AT(key), { "KEY", "键" }, { "about this one thing: a fingerprint, or a key of `tocsin alert ack`", "关于这一件事：指纹，或 `tocsin alert ack` 列出的键" }, NULL, 0 },
	{ "for", 0, OPT_DURATION, ALERT_AT(time), { "D", "时长" }, { "how long: 30m, 8h", "时长：30m、8h" }, NULL, 0 },
	{ "why", 0, OPT_STRING, ALERT_AT(why), { "TEXT", "文本" }, { "the reason; kept", "原因，会保存" }, NULL, 0 },
	{ "end", 0, OPT_STRING, ALERT_AT(end), { "ID", "编号" }, { "end this one now", "立即结束这条静默" }, NULL, 0 },
	OPT_JSON, OPT_OUTBOX,
};
static const struct opt ack_opts[] = { OPT_JSON, OPT_OUTBOX };

const struct verb verb_alert_silence = {
	.name = "alert silence", .brief = { "tell nobody for a while", "一段时间内不告警" },
	.text = { "All conditions must hold. Without one, the silences that hold are listed. It is for runs of this user on this machine; what all are to keep stands in tocsin.yaml. With --json the schema is tocsin.silences/1.\n\n"
		  "  tocsin alert silence --cause 'mod.*' --for 2h --why 'the proxy is being moved'\n  tocsin alert silence --end 01KAXV6Q…\n",
		  "所有条件须同时满足。不带条件时列出当前有效的静默。只对本机上该用户的运行生效；要让所有人生效，请写入 tocsin.yaml。--json 的格式为 tocsin.silences/1。\n\n"
		  "  tocsin alert silence --cause 'mod.*' --for 2h --why '代理正在迁移'\n  tocsin alert silence --end 01KAXV6Q…\n" },
	.opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct alert_values), .run = run_silence,
};
const struct verb verb_alert_ack = {
	.name = "alert ack", .args = { "[ID…]", "[编号…]" }, .brief = { "somebody knows: no escalation, no repetition until it is over", "表示已知晓：恢复之前不升级、不重复" },
	.text = { "By an alert's id, or the key of what it is about. Without one, what was told and is not over is listed. With --json the schema is tocsin.told/1.\n\n  tocsin alert ack\n  tocsin alert ack 01KAXV6Q\n", "用告警编号或所指事项的键来指定。不带参数时列出已告警且未恢复的事项。--json 的格式为 tocsin.told/1。\n\n  tocsin alert ack\n  tocsin alert ack 01KAXV6Q\n" },
	.opts = ack_opts, .n_opts = ARRAY_LEN(ack_opts), .size = sizeof(struct alert_values), .run = run_ack,
};
/* clang-format on */
