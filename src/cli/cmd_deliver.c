#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "alert/deliver.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/say.h"

struct deliver_values {
	const char *outbox, *config;
	int64_t idle_ns, secrets_fd;
	bool once;
};

#define AT(field) offsetof(struct deliver_values, field)
#define SERVICE_IDLE INT64_C(-1)

/* clang-format off */
static const struct opt opts[] = {
	{ "outbox", 0, OPT_FILE, AT(outbox), { "FILE", "文件" },
	  { "where the alerts are owed: a local file (else TOCSIN_OUTBOX, else the user's own store)", "待发告警所在的本地文件（默认 TOCSIN_OUTBOX，否则为用户自己的存储）" }, NULL, 0 },
	{ "once", 0, OPT_FLAG, AT(once), { NULL, NULL }, { "try each that is due once, and leave; exit status 1 when one was not delivered", "到期的各尝试一次后退出；有未送达的则退出码为 1" }, NULL, 0 },
	{ "idle", 0, OPT_DURATION, AT(idle_ns), { "D", "时长" }, { "leave when nothing is owed for this long (else: stay)", "没有待发告警达到此时长后退出（默认一直运行）" }, NULL, SERVICE_IDLE },
	{ "config", 0, OPT_FILE, AT(config), { "FILE", "文件" }, { "a tocsin.yaml for alerts whose run named none", "用于未指定配置的告警的 tocsin.yaml" }, NULL, 0 },
	{ "secrets-fd", 0, OPT_INT, AT(secrets_fd), { "N", "N" }, { "a descriptor from which the secrets of a run are read: for `tocsin run`", "从该描述符读取某次运行的机密：供 `tocsin run` 使用" }, NULL, -1 },
};
/* clang-format on */

static void said(void *ctx, const char *line)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct term *t = ctx;

	say_clean(&b, span_of(line));
	buf_addc(&b, '\n');
	fd_write_all(t->fd, buf_view(&b));
}

static int run(void *values, const struct args *a)
{
	const struct deliver_values *v = values;
	CLEANUP(buf_free) struct buf outbox = { 0 };
	struct term err;
	struct err e;

	if (a->n)
		return say_usage("deliver", TR("it takes no arguments", "不接受参数"));
	term_open(&err, 2);
	int r = deliver_outbox(v->outbox, &outbox, &e);
	const struct deliver_options o = { .outbox = buf_str(&outbox), .config = v->config, .once = v->once, .idle = v->idle_ns, .secrets_fd = (int)v->secrets_fd, .said = said, .ctx = &err };
	if (r == 0)
		r = deliver_run(&o, &e);
	if (r == 1 && v->secrets_fd < 0)
		say_error(TR("another deliverer is at work on %s", "另一个投递进程正在处理 %s"), o.outbox);
	if (r < 0)
		say_error("%s", e.msg);
	return r == 2 ? EXIT_WRONG : r < 0 ? EXIT_OWN : EXIT_OK;
}

const struct verb verb_deliver = {
	.name = "deliver",
	.brief = { "send the alerts that are owed", "发送待发的告警" },
	.text = { "`tocsin run` writes the alerts that it owes into the outbox, starts a deliverer of its own, detached, and ends; so this verb is for those "
		  "who want it as a service (packaging/tocsin-deliver.service), or once, from cron or at the end of a job. One deliverer works on an outbox at a "
		  "time; a second one hands over what it knows, and leaves. It may be killed at any moment: what was under way is sent again.\n\n"
		  "  tocsin deliver --once\n\n"
		  "An alert that cannot be delivered is tried again after 5 s, 30 s, 2 min, 10 min, 30 min and then every hour, for a day and at least 30 times; "
		  "one whose secret nobody has handed over since the machine was started waits for a run that does, for seven days. Where a channel cannot tell a "
		  "message sent twice from two, what may have arrived is sent once more after two minutes, marked as a possible repeat. What only a person can put right is misconfigured, and told through the other channels. See `tocsin alert queue`.\n\n"
		  "Exit status: 0; 1 (--once) something was not delivered; 125 the outbox cannot be used.",
		  "`tocsin run` 把告警写入发件箱，启动一个独立的投递进程后即结束；本命令用于把它作为服务运行（packaging/tocsin-deliver.service），或在 cron、作业末尾单次运行。同一发件箱同时只有一个投递进程；"
		  "后来者交接所知后退出。随时可以终止它：未完成的会重新发送。\n\n"
		  "  tocsin deliver --once\n\n"
		  "未能送达的告警依次在 5 秒、30 秒、2 分、10 分、30 分后重试，之后每小时一次，持续一天且至少 30 次；开机后机密尚未由任何运行提供的，最多等待七天。渠道无法识别重复消息时，可能已送达的两分钟后再发一次，并注明可能重复。需要人工修正的标为 misconfigured，并通过其他渠道告知。见 `tocsin alert queue`。\n\n"
		  "退出状态：0；1（--once）有未送达的；125 发件箱无法使用。" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct deliver_values),
	.run = run,
};
