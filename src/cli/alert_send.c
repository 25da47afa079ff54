#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "alert/probe.h"
#include "base/redact.h"
#include "base/time.h"
#include "cli/alerting.h"
#include "model/redact_report.h"
#include "model/report_read.h"

/* Sending by hand: `alert test`, `alert send`. */

/* ---- test ---- */

static const struct { struct tx title; enum paint paint; } classes[] = {
	[ANSWER_DELIVERED] = { { "delivered", "已送达" }, PAINT_GREEN },
	[ANSWER_RETRY] = { { "not now: it would be tried again", "暂时失败：会自动重试" }, PAINT_YELLOW },
	[ANSWER_LIMITED] = { { "called too often: the channel would wait", "调用过于频繁：该渠道会等待" }, PAINT_YELLOW },
	[ANSWER_CONFIG] = { { "the configuration is wrong", "配置有误" }, PAINT_RED },
	[ANSWER_PAYLOAD] = { { "it does not take this message", "渠道不接受此消息" }, PAINT_RED },
	[ANSWER_AMBIGUOUS] = { { "not known: it may have arrived", "不确定：可能已送达" }, PAINT_YELLOW },
};

static void say_redacted(struct buf *b, struct secrets *s, const char *text)
{
	CLEANUP(buf_free) struct buf clean = { 0 };
	struct redact *x = redact_new();
	struct err none;

	if (x && secrets_redact(s, x, &none) == 0) {
		redact_text(x, span_of(text), &clean);
		say_clean(b, buf_view(&clean));
	}
	redact_free(x);
}

static int try_one(struct alert_task *t, struct secrets *s, const char *name, bool degraded, struct answer *ret, struct err *e)
{
	CLEANUP(target_free) struct target to = { 0 };
	CLEANUP(exchange_free) struct exchange x = { 0 };
	struct request q = { 0 };
	struct alert a;

	int r = target_make(t->config, name, s, &to, e);
	if (r < 0)
		return r;
	r = alert_probe(NULL, t->now, &a, e);
	if (r < 0)
		return r;
	r = to.ops->make(&to.t, &a, degraded, time_wall(), &q, e);
	alert_free(&a);
	if (r == 0)
		r = probe_send(&to, &q, &x, e);
	request_free(&q);
	if (r == 0)
		to.ops->judge(&x.response, time_wall(), ret);
	return r;
}

static int run_test(void *values, const struct args *a)
{
	struct answer ans = { 0 };
	struct secrets *s = NULL;
	struct alert_task t;
	struct err e = { 0 };

	if (a->n != 1)
		return say_usage("alert test", TR("which channel? For example: tocsin alert test ops", "测试哪个渠道？例如：tocsin alert test ops"));
	int r = alert_begin(&t, values, NEEDS_CONFIG);
	if (r)
		return r;
	r = secrets_open(&s, &e);
	if (r == 0)
		r = try_one(&t, s, a->v[0], false, &ans, &e);
	if (r == 0 && ans.class == ANSWER_PAYLOAD)
		r = try_one(&t, s, a->v[0], true, &ans, &e);
	if (r == 0) {
		say_clean(&t.text, span_of(a->v[0]));
		buf_adds(&t.text, TR(": ", "："));
		say_paint(&t.text, &t.out, classes[ans.class].paint, tx(classes[ans.class].title));
		buf_addc(&t.text, '\n');
		if (ans.text[0] && ans.class != ANSWER_DELIVERED) {
			buf_adds(&t.text, "  ");
			say_redacted(&t.text, s, ans.text);
			buf_addc(&t.text, '\n');
		}
		r = ans.class == ANSWER_DELIVERED ? EXIT_OK : EXIT_WRONG;
	}
	secrets_close(s);
	return alert_end(&t, r, &e);
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
	redact_text(NULL, span_of(o->message), &clean);
	ret->kind = ALERT_FAILED;
	ret->outcome = "failed";
	ret->severity = o->severity ? o->severity : "error";
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
	if (n == 0 && !names)
		n = alert_owe(t->s, t->config, &r, &how, ret, e);
	if (n == 0 && names) {
		n = alert_make(&r, r.outcome == OUTCOME_PASSED ? ALERT_RECOVERED : ALERT_FAILED, "L1", false, t->now, &a, e);
		if (n == 0) {
			n = alert_owe_to(t->s, t->config, &a, names, t->now, ret, e);
			alert_free(&a);
		}
	}
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
	struct alert_task *t = ctx;

	buf_addf(&t->text, TR("alert %.*s to ", "告警 %.*s 发往 "), SPAN_ARG(a->id));
	say_clean(&t->text, a->channel);
	buf_addf(&t->text, TR(" is not delivered: %s", " 未送达：%s"), alert_state_words[a->state]);
	if (a->error.n) {
		buf_adds(&t->text, ", ");
		say_clean(&t->text, a->error);
	}
	buf_addc(&t->text, '\n');
	return 0;
}

static int send_and_wait(struct alert_task *t, const struct owed *w, struct err *e)
{
	struct deliver_hand h = { .outbox = buf_str(&t->outbox), .config = t->config };
	struct deliver_wait wait = { .ids = w->ids, .n = w->n, .time_ns = t->o->wait };

	int r = secrets_open(&h.secrets, e);
	if (r == 0)
		r = deliver_start(&h, e);
	secrets_close(h.secrets);
	if (r == 0)
		r = deliver_wait(t->s, &wait, say_left, t, e);
	if (r >= 0)
		buf_addf(&t->text, TR("%zu of %zu alerts delivered\n", "已送达 %zu/%zu 个告警\n"), w->n - (size_t)r, w->n);
	return r > 0 ? EXIT_WRONG : r;
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

	if (names && !config_channel_named(t->config, one[0]))
		return err_set(e, ENOENT, TR("no trusted tocsin.yaml has a channel named '%s'", "可信的 tocsin.yaml 中没有名为“%s”的渠道"), one[0]);
	if (!t->config->n_channels)
		return err_set(e, EINVAL, TR("no trusted tocsin.yaml has channels: see `tocsin help config`", "可信的 tocsin.yaml 中没有渠道：见 `tocsin help config`"));
	if (t->o->spool)
		r = spooled_owe(t->s, t->config, t->o->spool, t->now, &w, &paths, e);
	else
		r = t->o->message ? owe_message(t, names, &w, e) : owe_report(t, a->v[0], names, &w, e);
	for (size_t i = 0; r == 0 && i < w.notes.n; i++)
		buf_addf(&t->text, "%s\n", w.notes.v[i]);
	if (r == 0 && !w.n)
		buf_adds(&t->text, TR("nobody is to be told\n", "无需告知任何人\n"));
	if (r == 0 && w.n)
		r = send_and_wait(t, &w, e);
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
static const struct opt test_opts[] = { OPT_CONFIG };
static const struct opt send_opts[] = {
	{ "message", 'm', OPT_STRING, ALERT_AT(message), { "TEXT", "文本" }, { "send this text", "发送这段文本" }, NULL, 0 },
	{ "severity", 0, OPT_STRING, ALERT_AT(severity), { "WORD", "级别" }, { "of --message: error, warning or note", "--message 的级别：error、warning 或 note" }, NULL, 0 },
	{ "spool", 0, OPT_FILE, ALERT_AT(spool), { "DIR", "目录" }, { "send what `tocsin run --spool DIR` could not deliver; files go when they are delivered", "发送 `tocsin run --spool 目录` 留下的告警；送达后删除文件" }, NULL, 0 },
	{ "channel", 0, OPT_STRING, ALERT_AT(channel), { "NAME", "名称" }, { "to this channel, whatever the routes say", "只发往这个渠道，忽略路由" }, NULL, 0 },
	{ "wait", 0, OPT_DURATION, ALERT_AT(wait), { "D", "时长" }, { "wait at most D for the delivery (30s)", "最多等待投递的时长（30s）" }, NULL, 30 * NSEC_PER_SEC },
	OPT_CONFIG, OPT_OUTBOX,
};

const struct verb verb_alert_test = {
	.name = "alert test", .args = { "CHANNEL", "渠道" }, .brief = { "send a test message and explain the answer", "发送测试消息并解释回应" },
	.text = { "In the foreground, past the outbox and the routes. What the channel said is judged as for any alert: keyword, signature, clock, address list, limits.", "在前台直接发送，不经过发件箱和路由。渠道的回应按正常告警判断：关键词、签名、时钟、地址白名单、限流等。" },
	.opts = test_opts, .n_opts = ARRAY_LEN(test_opts), .size = sizeof(struct alert_values), .run = run_test,
};
const struct verb verb_alert_send = {
	.name = "alert send", .args = { "[REPORT]", "[报告]" }, .brief = { "send from a script, a report or a spool", "从脚本、报告或导出目录发送告警" },
	.text = { "A report (tocsin.report/1) is routed as after a run; a message goes to every channel, or to --channel. It is owed first, then a deliverer is started; exit status 1 when it was not delivered in time: then it still is owed.\n\n"
		  "  tocsin alert send report.json\n  tocsin alert send -m 'the nightly build did not start' --severity error\n",
		  "报告（tocsin.report/1）与运行后一样按路由发送；消息发往全部渠道或 --channel。先写入发件箱再启动投递进程；未及时送达则退出码为 1，告警仍在发件箱中。\n\n"
		  "  tocsin alert send report.json\n  tocsin alert send -m '夜间构建没有启动' --severity error\n" },
	.opts = send_opts, .n_opts = ARRAY_LEN(send_opts), .size = sizeof(struct alert_values), .files = true, .run = run_send,
};
/* clang-format on */
