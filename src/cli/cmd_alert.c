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
	return r == -EINVAL || r == -ENOENT || r == -EEXIST || r == -EBADMSG;
}

int alert_end(struct alert_task *t, int r, const struct err *e)
{
	int status = r >= 0 ? r : is_usage(r) ? EXIT_USAGE : EXIT_OWN;

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
