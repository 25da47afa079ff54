#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "alert/probe.h"
#include "base/redact.h"
#include "base/time.h"
#include "cli/alerting.h"

/* Every channel: can what is configured work? Nothing is sent to a robot: only its host is asked for its head. */

#define SKEW_MAX (60 * NSEC_PER_SEC)

struct doctor {
	struct alert_task *t;
	struct secrets *secrets;
	struct json_out j;
	size_t wrong;
};

static void said(struct doctor *d, bool ok, const char *what, const char *text)
{
	CLEANUP(buf_free) struct buf clean = { 0 };
	struct redact *x = redact_new();
	struct err none;

	if (x && secrets_redact(d->secrets, x, &none) == 0)
		redact_text(x, span_of(text), &clean);
	redact_free(x);
	d->wrong += !ok;
	if (d->t->o->json) {
		json_open(&d->j, '{');
		json_key(&d->j, "check");
		json_strz(&d->j, what);
		json_key(&d->j, "ok");
		json_bool(&d->j, ok);
		json_key(&d->j, "text");
		json_str(&d->j, buf_view(&clean));
		json_close(&d->j, '}');
		return;
	}
	buf_adds(&d->t->text, "  ");
	say_paint(&d->t->text, &d->t->out, ok ? PAINT_GREEN : PAINT_RED, ok ? TR("ok   ", "正常 ") : TR("wrong", "有误 "));
	buf_addc(&d->t->text, ' ');
	say_cell(&d->t->text, what, 8);
	buf_addc(&d->t->text, ' ');
	say_clean(&d->t->text, buf_view(&clean));
	buf_addc(&d->t->text, '\n');
}

static bool check_secrets(struct doctor *d, const char *name)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct list refs = { 0 };
	struct span value;
	struct err e;
	bool ok = target_refs(d->t->config, name, &mem, &refs, &e) == 0;

	for (size_t i = 0; i < refs.n; i++) {
		bool there = secret_get(d->secrets, refs.v[i], &value, &e) == 0;
		const char *note = there ? secret_note(d->secrets, refs.v[i]) : e.msg;
		char line[512];
		snprintf(line, sizeof(line), "%.100s%s%.360s", refs.v[i], note ? TR(": ", "：") : "", note ? note : "");
		said(d, there, "secret", line);
		ok &= there;
	}
	return ok;
}

static void check_clock(struct doctor *d, const struct response *r)
{
	struct span date = response_header(r, "Date");
	int64_t theirs, now = time_wall();
	char line[200], by[24];

	if (!date.p || !http_date(date, &theirs)) {
		said(d, true, "clock", TR("its answer has no date", "其回应没有日期"));
		return;
	}
	int64_t skew = now > theirs ? now - theirs : theirs - now;
	duration_text(skew, by);
	if (skew > SKEW_MAX)
		snprintf(line, sizeof(line), TR("this machine's clock is %s %s of its: signatures will be refused", "本机时钟比对方%2$s了 %1$s：签名会被拒绝"), by,
			 now > theirs ? TR("ahead", "快") : TR("behind", "慢"));
	else
		snprintf(line, sizeof(line), TR("no more than a minute off its (%s)", "与对方相差不到一分钟（%s）"), by);
	said(d, skew <= SKEW_MAX, "clock", line);
}

static void check_network(struct doctor *d, const struct target *to)
{
	CLEANUP(exchange_free) struct exchange x = { 0 };
	char line[400], took[24];
	struct err e;

	if (!span_starts(to->t.url, S("http")))
		return;
	if (probe_origin(to, &x, &e) < 0) {
		said(d, false, "network", e.msg);
		return;
	}
	duration_text(x.took, took);
	bool ok = x.response.transport == TRANSPORT_OK;
	if (ok)
		snprintf(line, sizeof(line), TR("its host answers (HTTP %d, %s)", "对方有回应（HTTP %d，%s）"), x.response.status, took);
	else
		snprintf(line, sizeof(line), "%s", x.why[0] ? x.why : TR("its host does not answer", "对方没有回应"));
	said(d, ok, "network", line);
	if (ok)
		check_clock(d, &x.response);
}

static void check_proxy(struct doctor *d, const struct target *to)
{
	const char *https = getenv("https_proxy") ? getenv("https_proxy") : getenv("HTTPS_PROXY");

	if (to->proxy || (https && *https && span_starts(to->t.url, S("https"))))
		said(d, true, "proxy", to->proxy ? TR("of the configuration", "由配置指定") : TR("of the environment (https_proxy)", "由环境变量指定（https_proxy）"));
}

static void check_channel(struct doctor *d, const struct config_channel *c)
{
	CLEANUP(target_free) struct target to = { 0 };
	char line[300];
	struct err e;

	if (!check_secrets(d, c->name))
		return;
	if (target_make(d->t->config, c->name, d->secrets, &to, &e) < 0) {
		said(d, false, "config", e.msg);
		return;
	}
	snprintf(line, sizeof(line), "%s, %.200s", tx(to.ops->title), to.at);
	said(d, true, "config", line);
	check_proxy(d, &to);
	check_network(d, &to);
}

static void check_channels(struct doctor *d)
{
	struct alert_task *t = d->t;

	for (size_t i = 0; i < t->config->n_channels; i++) {
		const struct config_channel *c = &t->config->channels[i];
		if (t->o->json) {
			json_open(&d->j, '{');
			json_key(&d->j, "channel");
			json_strz(&d->j, c->name);
			json_key(&d->j, "checks");
			json_open(&d->j, '[');
		} else {
			say_paint(&t->text, &t->out, PAINT_BOLD, c->name);
			buf_addc(&t->text, '\n');
		}
		check_channel(d, c);
		if (t->o->json) {
			json_close(&d->j, ']');
			json_close(&d->j, '}');
		}
	}
}

static int examine(struct alert_task *t, struct err *e)
{
	struct doctor d = { .t = t, .j = { .to = &t->text } };
	int r = secrets_open(&d.secrets, e);

	if (r < 0)
		return r;
	if (t->o->json) {
		json_open(&d.j, '{');
		json_key(&d.j, "schema");
		json_strz(&d.j, "tocsin.doctor/1");
		json_key(&d.j, "channels");
		json_open(&d.j, '[');
	}
	check_channels(&d);
	if (t->o->json) {
		json_close(&d.j, ']');
		json_key(&d.j, "wrong");
		json_int(&d.j, (int64_t)d.wrong);
		json_close(&d.j, '}');
		buf_addc(&t->text, '\n');
	} else if (!t->config->n_channels) {
		buf_adds(&t->text, TR("no trusted tocsin.yaml has channels\n", "可信的 tocsin.yaml 中没有渠道\n"));
	}
	secrets_close(d.secrets);
	return d.wrong ? EXIT_WRONG : EXIT_OK;
}

static int run(void *values, const struct args *a)
{
	struct alert_task t;
	struct err e = { 0 };

	if (a->n)
		return say_usage("alert doctor", TR("it takes no arguments", "不接受参数"));
	int r = alert_begin(&t, values, NEEDS_CONFIG);
	return r ? r : alert_end(&t, examine(&t, &e), &e);
}

/* clang-format off */
static const struct opt opts[] = { OPT_JSON, OPT_CONFIG };
const struct verb verb_alert_doctor = {
	.name = "alert doctor", .brief = { "can every channel work: configuration, secrets, name, TLS, clock, proxy", "检查每个渠道：配置、机密、域名、TLS、时钟、代理" },
	.text = { "No message is sent: `tocsin alert test` does that. Exit status 1 when something is wrong.", "不发送消息（发送用 `tocsin alert test`）。有问题时退出码为 1。" },
	.opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct alert_values), .run = run,
};
/* clang-format on */
