#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "alert/probe.h"
#include "base/redact.h"
#include "base/time.h"
#include "cli/alerting.h"
#include "cli/known.h"
#include "model/redact_report.h"
#include "model/report_read.h"

/* Sending by hand: `alert test`, `alert send`. */

/* ---- test ---- */

/* clang-format off */
static const struct { const char *word; struct tx title, next; enum paint paint; } classes[] = {
	[ANSWER_DELIVERED] = { "delivered", { "delivered", "已送达" }, { NULL, NULL }, PAINT_GREEN },
	[ANSWER_RETRY] = { "retry", { "not now: it would be tried again", "暂时失败：会自动重试" },
		{ "An alert would be tried again, for a day. To look at name, TLS, proxy and clock: tocsin alert doctor", "正式告警会在一天内自动重试。检查域名、TLS、代理和时钟：tocsin alert doctor" }, PAINT_YELLOW },
	[ANSWER_LIMITED] = { "limited", { "called too often: the channel would wait", "调用过于频繁：该渠道会等待" },
		{ "Alerts would wait, and what has gathered goes as one digest: none is lost.", "正式告警会等待并合并为一条汇总发送，不会丢失。" }, PAINT_YELLOW },
	[ANSWER_CONFIG] = { "config", { "the configuration is wrong", "配置有误" },
		{ "Put it right and test again. Alerts that wait for it are sent by: tocsin alert retry --all", "修正后请再次测试。等待中的告警可用以下命令发送：tocsin alert retry --all" }, PAINT_RED },
	[ANSWER_PAYLOAD] = { "payload", { "it does not take this message", "渠道不接受此消息" },
		{ "Neither the rich nor the short form was taken. What is sent is shown by: tocsin alert preview --channel NAME REPORT", "富格式和短格式均被拒绝。查看发送的内容：tocsin alert preview --channel 名称 报告" }, PAINT_RED },
	[ANSWER_AMBIGUOUS] = { "ambiguous", { "not known: it may have arrived", "不确定：可能已送达" },
		{ "Look whether the test message is there.", "请确认测试消息是否已出现。" }, PAINT_YELLOW },
	[ANSWER_TAKEN] = { "taken", { "taken; what became of it is not known", "已接收，处理结果未知" },
		{ "Look whether the test message is there.", "请确认测试消息是否已出现。" }, PAINT_YELLOW },
};
/* clang-format on */

struct trial {
	struct alert_task *t;
	struct secrets *s;
	const struct channel_ops *ops;
	const char *name;
	struct answer first, answer; /* of the rich form, of the last one */
	bool brief;
	int64_t took;
};

static int try_one(struct trial *x, bool degraded, struct err *e)
{
	CLEANUP(target_free) struct target to = { 0 };
	struct request q = { 0 };
	struct alert a;

	int r = target_make(x->t->config, x->name, x->s, &to, e);
	if (r < 0)
		return r;
	x->ops = to.ops;
	x->brief = degraded;
	r = alert_probe(NULL, x->t->now, &a, e);
	if (r < 0)
		return r;
	r = to.ops->make(&to.t, &a, degraded, time_wall(), &q, e);
	alert_free(&a);
	int64_t began = time_mono();
	if (r == 0)
		r = probe_judged(&to, &q, &x->answer, e);
	x->took = time_mono() - began;
	request_free(&q);
	return r;
}

static int try_both(struct trial *x, struct err *e)
{
	int r = try_one(x, false, e);

	x->first = x->answer;
	if (r == 0 && x->answer.class == ANSWER_PAYLOAD)
		r = try_one(x, true, e);
	return r;
}

/* Why it is not as it should be; "": all is well. */
static const char *trouble(const struct trial *x)
{
	bool fine = x->answer.class == ANSWER_DELIVERED && !x->answer.partly;

	return fine ? x->brief ? x->first.text : "" : x->answer.text;
}

static void redacted(struct trial *x, const char *text, struct buf *ret)
{
	struct redact *r = redact_new();
	struct err none;

	if (r && secrets_redact(x->s, r, &none) == 0)
		redact_text(r, span_of(text), ret);
	redact_free(r);
}

static void put_trial(struct trial *x)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct json_out j = { .to = &x->t->text };

	redacted(x, trouble(x), &text);
	alert_json_begin(&j, "tocsin.alert_test/1");
	alert_json_text(&j, "channel", x->name);
	alert_json_text(&j, "type", x->ops->type);
	alert_json_text(&j, "answer", classes[x->answer.class].word);
	json_key(&j, "short");
	json_bool(&j, x->brief);
	json_key(&j, "text");
	json_str(&j, text.len ? buf_view(&text) : (struct span){ 0 });
	alert_json_text(&j, "next", tx(classes[x->answer.class].next));
	json_key(&j, "wait_ms");
	json_int(&j, x->answer.wait_ns / NSEC_PER_MSEC);
	json_key(&j, "took_ms");
	json_int(&j, x->took / NSEC_PER_MSEC);
	alert_json_end(x->t, &j);
	x->t->text.bad |= text.bad;
}

static void say_trial(struct trial *x)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct alert_task *t = x->t;
	const char *next = tx(classes[x->answer.class].next);
	char took[24];

	redacted(x, trouble(x), &text);
	say_clean(&t->text, span_of(x->name));
	buf_adds(&t->text, TR(": ", "："));
	say_paint(&t->text, &t->out, classes[x->answer.class].paint, tx(classes[x->answer.class].title));
	duration_text(x->took, took);
	buf_addf(&t->text, TR(" (%s, %s)\n", "（%s，%s）\n"), tx(x->ops->title), took);
	if (x->brief && x->answer.class == ANSWER_DELIVERED)
		alert_wrap(t, span_of(TR("Only the short, plain form was taken. The rich one was refused:", "只接受了纯文本短格式。富格式被拒绝：")), 2);
	if (text.len)
		alert_wrap(t, buf_view(&text), 2);
	if (x->answer.wait_ns >= NSEC_PER_SEC && x->answer.class != ANSWER_DELIVERED) {
		CLEANUP(buf_free) struct buf wait = { 0 };
		char how_long[24];
		duration_text(x->answer.wait_ns, how_long);
		buf_addf(&wait, TR("The next attempt would be made after %s.", "下次尝试在 %s 之后。"), how_long);
		alert_wrap(t, buf_view(&wait), 2);
	}
	if (next)
		alert_wrap(t, span_of(next), 2);
	t->text.bad |= text.bad;
}

static int test_one(struct alert_task *t, const char *name, struct err *e)
{
	const struct config_channel *c = alert_channel(t, name, e);
	struct trial x = { .t = t };
	int r = c ? secrets_open(&x.s, e) : -ENOENT;

	if (r < 0)
		return r;
	x.name = c->name;
	r = try_both(&x, e);
	if (r < 0 && r != -ENOMEM) {
		struct err why = *e;
		err_set(e, -r, TR("channel %.60s: %.400s", "渠道 %.60s：%.400s"), c->name, why.msg);
	}
	if (r == 0) {
		t->o->json ? put_trial(&x) : say_trial(&x);
		r = x.answer.class == ANSWER_DELIVERED ? EXIT_OK : EXIT_WRONG;
	}
	secrets_close(x.s);
	return r;
}

static int run_test(void *values, const struct args *a)
{
	struct alert_task t;
	struct err e = { 0 };

	if (a->n > 1)
		return say_usage("alert test", TR("one channel at a time: tocsin alert test ops", "一次测试一个渠道：tocsin alert test ops"));
	int r = alert_begin(&t, values, NEEDS_CONFIG);
	return r ? r : alert_end(&t, test_one(&t, a->n ? a->v[0] : NULL, &e), &e);
}

/* ---- send ---- */

static int make_message(struct alert_task *t, struct alert *ret, struct err *e)
{
	static const char *const words[] = { "error", "warning", "note" };
	CLEANUP(buf_free) struct buf clean = { 0 };
	const struct alert_values *o = t->o;
	bool known = !o->severity;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		known |= o->severity && !strcmp(o->severity, words[i]);
	if (!known)
		return err_set(e, EINVAL, TR("--severity is error, warning or note", "--severity 为 error、warning 或 note"));
	int r = alert_probe(NULL, t->now, ret, e);
	if (r < 0)
		return r;
	known_channels(t->config);
	redact_text(NULL, span_of(o->message), &clean);
	ret->kind = ALERT_FAILED;
	ret->severity = o->severity ? o->severity : "error";
	ret->outcome = strcmp(ret->severity, "error") ? NULL : "failed";
	ret->summary = clean.bad ? NULL : arena_str(&ret->mem, buf_view(&clean));
	ret->key = arena_printf(&ret->mem, "message-%s", ret->id);
	return ret->summary && ret->key ? 0 : err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static int read_report(const char *path, struct report *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = REPORT_TEXT_MAX };
	int r = strcmp(path, "-") != 0 ? file_slurp(path, &text, e) : 0;

	for (ssize_t n = 1; r == 0 && n != 0 && !strcmp(path, "-");) {
		if (!buf_need(&text, 64 << 10))
			return err_set(e, EFBIG, TR("the report on standard input is too long", "标准输入的报告过长"));
		n = read(STDIN_FILENO, text.p + text.len, 64 << 10);
		if (n < 0 && errno != EINTR)
			return err_set(e, errno, TR("read standard input: %m", "读取标准输入：%m"));
		text.len += n > 0 ? (size_t)n : 0;
	}
	if (r == 0)
		r = report_read(buf_view(&text), path, ret, e);
	if (r == 0 && report_redact(NULL, ret) < 0)
		r = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	return r;
}

static int owe_report(struct alert_task *t, const char *path, const char *const *names, struct owed *ret, struct err *e)
{
	const struct owe how = { .now = t->now };
	struct report r = { 0 };
	struct alert a;

	int n = read_report(path, &r, e);
	enum lang ours = lang_now;
	lang_now = n == 0 ? alert_report_lang(&r) : ours; /* an alert is in one language: its report's */
	if (n == 0 && !names)
		n = alert_owe(t->s, t->config, &r, &how, ret, e);
	if (n == 0 && names) {
		n = alert_make(&r, r.outcome == OUTCOME_PASSED ? ALERT_RECOVERED : ALERT_FAILED, "L1", false, t->now, &a, e);
		if (n == 0) {
			n = alert_owe_to(t->s, t->config, &a, names, t->now, ret, e);
			alert_free(&a);
		}
	}
	lang_now = ours;
	report_free(&r);
	return n;
}

static int owe_message(struct alert_task *t, const char *const *names, struct owed *ret, struct err *e)
{
	struct alert a = { 0 };
	int r = make_message(t, &a, e);

	if (r == 0)
		r = alert_owe_to(t->s, t->config, &a, names, t->now, ret, e);
	alert_free(&a);
	return r;
}

static int say_left(void *ctx, const struct alert_row *a)
{
	CLEANUP(buf_free) struct buf next = { 0 };
	struct alert_task *t = ctx;

	if (t->o->json)
		return 0;
	buf_addf(&t->text, TR("%.*s to ", "%.*s 发往 "), SPAN_ARG(a->id));
	say_clean(&t->text, a->channel);
	buf_adds(&t->text, TR(" is not delivered: ", " 未送达："));
	alert_state_say(&t->text, &t->out, a->state, 0);
	buf_addc(&t->text, '\n');
	if (a->error.n)
		alert_wrap(t, a->error, 4);
	alert_next_say(&next, a->next_attempt > t->now ? ALERT_PENDING : a->state, a->id);
	if (next.len)
		alert_wrap(t, buf_view(&next), 4);
	t->text.bad |= next.bad;
	return 0;
}

static int put_row(void *ctx, const struct alert_row *a)
{
	struct json_out *j = ctx;

	alert_row_json(j, a);
	json_close(j, '}');
	return 0;
}

static void put_sent(struct alert_task *t, const struct owed *w, int64_t delivered)
{
	struct json_out j = { .to = &t->text };
	struct err none;

	alert_json_begin(&j, "tocsin.alert_send/1");
	json_key(&j, "alerts");
	json_open(&j, '[');
	for (size_t i = 0; i < w->n; i++)
		outbox_get(t->s, w->ids[i], put_row, &j, &none);
	json_close(&j, ']');
	json_key(&j, "notes");
	json_open(&j, '[');
	for (size_t i = 0; i < w->notes.n; i++)
		json_strz(&j, w->notes.v[i]);
	json_close(&j, ']');
	json_key(&j, "delivered");
	json_int(&j, delivered);
	alert_json_end(t, &j);
}

static void forewarn(struct alert_task *t)
{
	struct deliver_hand h = { .outbox = buf_str(&t->outbox), .config = t->config };
	struct err none;

	if (secrets_open(&h.secrets, &none) == 0)
		deliver_forewarn(&h);
	secrets_close(h.secrets);
}

/* How many are left. */
static int send_and_wait(struct alert_task *t, const struct owed *w, struct err *e)
{
	struct deliver_hand h = { .outbox = buf_str(&t->outbox), .config = t->config };
	struct deliver_wait wait = { .ids = w->ids, .n = w->n, .time_ns = t->o->wait };

	int r = secrets_open(&h.secrets, e);
	if (r == 0)
		r = deliver_start(&h, e);
	secrets_close(h.secrets);
	return r == 0 ? deliver_wait(t->s, &wait, say_left, t, e) : r;
}

static int is_delivered(void *ctx, const struct alert_row *a)
{
	*(bool *)ctx = a->state == ALERT_DELIVERED;
	return 0;
}

/* A file goes when its alert is delivered: the artifact is then what is left. */
static void clear_spool(struct alert_task *t, const struct owed *w, const struct list *paths)
{
	for (size_t i = 0; i < w->n && i < paths->n; i++) {
		bool gone = false;
		struct err none;
		if (outbox_get(t->s, w->ids[i], is_delivered, &gone, &none) == 0 && gone)
			unlink(paths->v[i]);
	}
}

static int send_all(struct alert_task *t, const struct args *a, struct err *e)
{
	const char *const one[] = { t->o->channel, NULL }, *const *names = t->o->channel ? one : NULL;
	struct list paths = { 0 };
	struct owed w = { 0 };
	int r = 0;

	if ((names || !t->config->n_channels) && !alert_channel(t, names ? one[0] : NULL, e))
		return -ENOENT;
	forewarn(t);
	if (t->o->spool)
		r = spooled_owe(t->s, t->config, t->o->spool, t->now, &w, &paths, e);
	else
		r = t->o->message ? owe_message(t, names, &w, e) : owe_report(t, a->v[0], names, &w, e);
	for (size_t i = 0; r == 0 && !t->o->json && i < w.notes.n; i++)
		buf_addf(&t->text, "%s\n", w.notes.v[i]);
	if (r == 0 && !t->o->json && !w.n)
		buf_adds(&t->text, TR("nobody is to be told\n", "无需告知任何人\n"));
	if (r == 0 && w.n)
		r = send_and_wait(t, &w, e);
	if (r >= 0 && t->o->json)
		put_sent(t, &w, (int64_t)w.n - r);
	else if (r >= 0 && w.n)
		buf_addf(&t->text, TR("%zu of %zu alerts delivered\n", "已送达 %zu/%zu 个告警\n"), w.n - (size_t)r, w.n);
	r = r > 0 ? EXIT_WRONG : r;
	clear_spool(t, &w, &paths);
	owed_free(&w);
	return r;
}

static int run_send(void *values, const struct args *a)
{
	const struct alert_values *o = values;
	struct alert_task t;
	struct err e = { 0 };

	if ((a->n == 1) + (o->message != NULL) + (o->spool != NULL) != 1 || a->n > 1)
		return say_usage("alert send", TR("what to send? One of: a report, --message TEXT, --spool DIR", "发送什么？三者之一：报告文件、--message 文本、--spool 目录"));
	int r = alert_begin(&t, values, NEEDS_OUTBOX | NEEDS_CONFIG);
	return r ? r : alert_end(&t, send_all(&t, a, &e), &e);
}

/* clang-format off */
static const struct opt test_opts[] = { OPT_JSON, OPT_CONFIG };
static const struct opt send_opts[] = {
	{ "message", 'm', OPT_STRING, ALERT_AT(message), { "TEXT", "文本" }, { "send this text", "发送这段文本" }, NULL, 0 },
	{ "severity", 0, OPT_STRING, ALERT_AT(severity), { "WORD", "级别" }, { "of --message: error (as long as nothing is said), warning or note", "--message 的级别：error（默认）、warning 或 note" }, NULL, 0 },
	{ "spool", 0, OPT_FILE, ALERT_AT(spool), { "DIR", "目录" }, { "send what `tocsin run --spool DIR` could not deliver; files go when they are delivered", "发送 `tocsin run --spool 目录` 留下的告警；送达后删除文件" }, NULL, 0 },
	{ "channel", 0, OPT_STRING, ALERT_AT(channel), { "NAME", "名称" }, { "to this channel, whatever the routes say", "只发往这个渠道，忽略路由" }, NULL, 0 },
	{ "wait", 0, OPT_DURATION, ALERT_AT(wait), { "D", "时长" }, { "wait at most D for the delivery (30s)", "最多等待投递的时长（30s）" }, NULL, 30 * NSEC_PER_SEC },
	OPT_JSON, OPT_CONFIG, OPT_OUTBOX,
};

const struct verb verb_alert_test = {
	.name = "alert test", .args = { "[CHANNEL]", "[渠道]" }, .brief = { "send a test message and explain the answer", "发送测试消息并解释回应" },
	.text = { "In the foreground, past the outbox and the routes. What the channel said is judged as for any alert, and explained: keyword, signature, clock, address list, limits. The channel need not be named when there is only one.\n\n"
		  "  tocsin alert test ops\n\n"
		  "Exit status: 0 delivered; 1 not, or nobody can say; 2 wrong usage or configuration. With --json the schema is tocsin.alert_test/1; `answer` is delivered, retry, limited, config, payload, ambiguous or taken.",
		  "在前台直接发送，不经过发件箱和路由。渠道的回应按正常告警判断并给出解释：关键词、签名、时钟、IP 白名单、限流等。只有一个渠道时可省略名称。\n\n"
		  "  tocsin alert test ops\n\n"
		  "退出状态：0 已送达；1 未送达或无法得知；2 用法或配置错误。--json 的格式为 tocsin.alert_test/1；answer 为 delivered、retry、limited、config、payload、ambiguous 或 taken。" },
	.opts = test_opts, .n_opts = ARRAY_LEN(test_opts), .size = sizeof(struct alert_values), .run = run_test,
};
const struct verb verb_alert_send = {
	.name = "alert send", .args = { "[REPORT]", "[报告]" }, .brief = { "send from a script, a report or a spool", "从脚本、报告或导出目录发送告警" },
	.text = { "A report (tocsin.report/1) is routed as after a run; a message goes to every channel, or to --channel. It is owed first, then a deliverer is started; exit status 1 when it was not delivered in time: then it still is owed. With --json the schema is tocsin.alert_send/1.\n\n"
		  "  tocsin alert send report.json\n  tocsin alert send -m 'the nightly build did not start'\n  tocsin alert send --spool alerts/\n\n"
		  "The last one is for a job of its own that always runs: what `tocsin run --spool alerts/` left there as an artifact is sent.",
		  "报告（tocsin.report/1）与运行后一样按路由发送；消息发往全部渠道或 --channel。先写入发件箱再启动投递进程；未及时送达则退出码为 1，告警仍在发件箱中。--json 的格式为 tocsin.alert_send/1。\n\n"
		  "  tocsin alert send report.json\n  tocsin alert send -m '夜间构建没有启动'\n  tocsin alert send --spool alerts/\n\n"
		  "最后一条用于独立的、总会执行的作业：发送 `tocsin run --spool alerts/` 作为制品留下的告警。" },
	.opts = send_opts, .n_opts = ARRAY_LEN(send_opts), .size = sizeof(struct alert_values), .files = true, .run = run_send,
};
/* clang-format on */
