#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/alerting.h"
#include "run/run.h"

int alert_begin(struct alert_task *t, const struct alert_values *o, unsigned needs)
{
	struct err e;
	int r = 0;

	*t = (struct alert_task){ .o = o, .now = time_wall() };
	term_open(&t->out, STDOUT_FILENO);
	if (needs & NEEDS_CONFIG)
		r = config_load(o->config, NULL, &t->config, &e);
	for (size_t i = 0; r == 0 && t->config && i < t->config->n_notes; i++)
		say_error("%s", t->config->notes[i]);
	if (r == 0)
		r = deliver_outbox(o->outbox, &t->outbox, &e);
	if (r == 0 && needs & NEEDS_OUTBOX)
		r = store_open(buf_str(&t->outbox), STORE_CREATE, &t->s, &e);
	return r == 0 ? 0 : alert_end(t, r, &e);
}

static bool is_usage(int r)
{
	static const int all[] = { -EINVAL, -ENOENT, -EEXIST, -EBADMSG, -EPERM, -EACCES };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i] == r)
			return true;
	}
	return false;
}

int alert_end(struct alert_task *t, int r, const struct err *e)
{
	int status = r >= 0 ? r : is_usage(r) ? EXIT_USAGE : EXIT_OWN;

	if (r < 0 && t->o->json)
		buf_clear(&t->text); /* half an answer is none */
	if (r < 0)
		say_error("%s", e->msg[0] ? e->msg : TR("no memory", "内存不足"));
	if (r >= 0 && t->text.bad) {
		say_error(TR("no memory", "内存不足"));
		status = EXIT_OWN;
	} else {
		term_flush(&t->out, &t->text);
	}
	store_close(t->s);
	config_free(t->config);
	buf_free(&t->outbox);
	buf_free(&t->text);
	arena_free(&t->mem);
	return t->out.dead && !t->out.gone && status == EXIT_OK ? EXIT_OWN : status;
}

const char *alert_who(struct arena *mem)
{
	static const char *const names[] = { "TOCSIN_USER", "GIT_AUTHOR_NAME", "USER" };
	struct ci_context ci = { 0 };

	if (ci_known()) {
		ci_read(mem, &ci);
		if (ci.actor)
			return ci.actor;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = getenv(names[i]);
		if (v && *v)
			return v;
	}
	return NULL;
}

/* ---- channels, reports ---- */

static int no_channels(struct err *e)
{
	return err_set(e, ENOENT,
		       TR("no channels are configured: write them into ~/.config/tocsin/tocsin.yaml, or a file named with --config or TOCSIN_CONFIG (one in the working tree is not trusted with them); see `tocsin help config`",
			  "没有配置渠道：请写入 ~/.config/tocsin/tocsin.yaml，或用 --config、TOCSIN_CONFIG 指定文件（工作目录中的文件不可信，其中的渠道会被忽略）；见 `tocsin help config`"));
}

const struct config_channel *alert_channel(const struct alert_task *t, const char *name, struct err *e)
{
	CLEANUP(buf_free) struct buf names = { 0 };
	const struct config *c = t->config;
	const struct config_channel *one = name ? config_channel_named(c, name) : NULL;

	if (one)
		return one;
	if (!name && c->n_channels == 1)
		return c->channels;
	for (size_t i = 0; i < c->n_channels; i++)
		buf_addf(&names, "%s%s", i ? TR(", ", "、") : "", c->channels[i].name);
	if (!c->n_channels)
		no_channels(e);
	else if (name)
		err_set(e, ENOENT, TR("there is no channel '%.60s'; there are: %.300s", "没有名为“%.60s”的渠道；已有：%.300s"), name, buf_str(&names));
	else
		err_set(e, ENOENT, TR("which channel? There are: %.300s", "哪个渠道？已有：%.300s"), buf_str(&names));
	return NULL;
}

/* A report does not say it; our own Chinese sentences cannot do without their signs. */
enum lang alert_report_lang(const struct report *r)
{
	static const char *const signs[] = { "个测试", "失败", "通过", "终止", "退出", "超时", "没有", "无法" };

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (span_find(span_of(r->summary), span_of(signs[i])) != SPAN_NONE)
			return LANG_ZH;
	}
	return LANG_EN;
}

/* ---- JSON ---- */

void alert_json_begin(struct json_out *j, const char *schema)
{
	json_open(j, '{');
	alert_json_text(j, "schema", schema);
}

void alert_json_end(struct alert_task *t, struct json_out *j)
{
	json_close(j, '}');
	buf_addc(&t->text, '\n');
}

void alert_json_time(struct json_out *j, const char *key, int64_t wall)
{
	char text[32];

	time_rfc3339(wall, text);
	alert_json_text(j, key, wall ? text : NULL);
}

void alert_json_text(struct json_out *j, const char *key, const char *text)
{
	json_key(j, key);
	json_strz(j, text);
}

/* ---- for people ---- */

void alert_wrap(struct alert_task *t, struct span text, size_t indent)
{
	CLEANUP(buf_free) struct buf line = { 0 };

	say_clean(&line, text);
	say_pad(&t->text, indent);
	if (t->out.tty)
		say_wrap(&t->text, buf_view(&line), indent, indent, t->out.width);
	else
		buf_span(&t->text, buf_view(&line));
	buf_addc(&t->text, '\n');
	t->text.bad |= line.bad;
}

void alert_next_say(struct buf *b, enum alert_state s, struct span id)
{
	static const struct tx next[ALERT_STATES] = {
		[ALERT_PENDING] = { "It is tried again by itself.", "会自动重试。" },
		[ALERT_LEASED] = { "It is being sent now.", "正在发送。" },
		[ALERT_AMBIGUOUS] = { "It may have arrived: look in the chat. Then `tocsin alert retry %.*s`, or drop it with --why.",
				      "可能已送达：请先到群里确认，再执行 `tocsin alert retry %.*s`，或用 drop --why 丢弃。" },
		[ALERT_MISCONFIGURED] = { "Put the channel right, then: tocsin alert retry %.*s", "修正渠道配置后执行：tocsin alert retry %.*s" },
		[ALERT_DEAD] = { "It is kept. To send it all the same: tocsin alert retry %.*s", "告警仍保留。如需再次发送：tocsin alert retry %.*s" },
	};

	if (!next[s].en)
		return;
	for (struct span rest = span_of(tx(next[s])); rest.n;) {
		size_t at = span_find(rest, S("%.*s"));
		buf_span(b, span_head(rest, at == SPAN_NONE ? rest.n : at));
		if (at == SPAN_NONE)
			break;
		buf_span(b, id);
		rest = span_from(rest, at + 4);
	}
}

/* clang-format off */
static const struct { enum paint paint; struct tx title; } states[ALERT_STATES] = {
	[ALERT_PENDING] = { PAINT_YELLOW, { "pending", "待发送" } },
	[ALERT_LEASED] = { PAINT_CYAN, { "being sent", "发送中" } },
	[ALERT_DELIVERED] = { PAINT_GREEN, { "delivered", "已送达" } },
	[ALERT_AMBIGUOUS] = { PAINT_YELLOW, { "ambiguous", "不确定" } },
	[ALERT_MISCONFIGURED] = { PAINT_RED, { "misconfigured", "配置有误" } },
	[ALERT_DEAD] = { PAINT_RED, { "dead", "已放弃" } },
};
/* clang-format on */

void alert_state_say(struct buf *b, const struct term *t, enum alert_state s, int width)
{
	CLEANUP(buf_free) struct buf cell = { 0 };

	say_cell(&cell, tx(states[s].title), (size_t)width);
	say_paint(b, t, states[s].paint, buf_str(&cell));
}

static const struct verb *const subs[] = { &verb_alert_test, &verb_alert_send, &verb_alert_queue, &verb_alert_show, &verb_alert_retry, &verb_alert_drop, &verb_alert_dead,
	&verb_alert_silence, &verb_alert_ack, &verb_alert_doctor, &verb_alert_preview, NULL };

const struct verb verb_alert = {
	.name = "alert",
	.brief = { "alerts: try a channel, send, see what is owed", "告警：测试渠道、发送、查看待发" },
	.text = { "An alert is owed from the moment that a run has failed, and leaves the outbox when the channel has confirmed it. `tocsin deliver` sends; these verbs look, "
		  "try and decide. An alert is named by its id or by 6 or more of its first characters.\n\n"
		  "  tocsin alert test ops\n"
		  "  tocsin alert queue\n"
		  "  tocsin alert doctor\n\n"
		  "Exit status: 0; 1 it was not delivered, or doctor found something; 2 wrong usage; 125 the outbox cannot be used.",
		  "运行失败后告警即进入发件箱，渠道确认收到后才算完成。由 `tocsin deliver` 发送；这些命令用于查看、测试和处置。告警可用编号或其开头至少 6 个字符来指定。\n\n"
		  "  tocsin alert test ops\n"
		  "  tocsin alert queue\n"
		  "  tocsin alert doctor\n\n"
		  "退出状态：0；1 未送达，或 doctor 发现问题；2 用法错误；125 发件箱无法使用。" },
	.subs = subs,
};
