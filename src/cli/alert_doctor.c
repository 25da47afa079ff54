#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

enum check { CHECK_SECRET, CHECK_CONFIG, CHECK_PROGRAM, CHECK_PROXY, CHECK_DNS, CHECK_TLS, CHECK_NETWORK, CHECK_CLOCK };
static const struct { const char *word; struct tx title; } checks[] = {
	[CHECK_SECRET] = { "secret", { "secret", "机密" } }, [CHECK_CONFIG] = { "config", { "config", "配置" } },
	[CHECK_PROGRAM] = { "program", { "program", "程序" } }, [CHECK_PROXY] = { "proxy", { "proxy", "代理" } },
	[CHECK_DNS] = { "dns", { "name", "域名" } }, [CHECK_TLS] = { "tls", { "TLS", "TLS" } },
	[CHECK_NETWORK] = { "network", { "network", "网络" } }, [CHECK_CLOCK] = { "clock", { "clock", "时钟" } },
};

static void said(struct doctor *d, bool ok, enum check what, const char *text)
{
	CLEANUP(buf_free) struct buf clean = { 0 };
	struct redact *x = redact_new();
	struct alert_task *t = d->t;
	struct err none;

	if (x && secrets_redact(d->secrets, x, &none) == 0)
		redact_text(x, span_of(text), &clean);
	redact_free(x);
	d->wrong += !ok;
	if (t->o->json) {
		json_open(&d->j, '{');
		alert_json_text(&d->j, "check", checks[what].word);
		json_key(&d->j, "ok");
		json_bool(&d->j, ok);
		json_key(&d->j, "text");
		json_str(&d->j, buf_view(&clean));
		json_close(&d->j, '}');
		return;
	}
	buf_adds(&t->text, "  ");
	say_paint(&t->text, &t->out, ok ? PAINT_GREEN : PAINT_RED, ok ? TR("ok   ", "正常 ") : TR("wrong", "有误 "));
	buf_addc(&t->text, ' ');
	say_cell(&t->text, tx(checks[what].title), 8);
	CLEANUP(buf_free) struct buf line = { 0 };
	say_clean(&line, buf_view(&clean));
	if (t->out.tty)
		say_wrap(&t->text, buf_view(&line), 16, 16, t->out.width);
	else
		buf_span(&t->text, buf_view(&line));
	buf_addc(&t->text, '\n');
	t->text.bad |= clean.bad || line.bad;
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
		said(d, there, CHECK_SECRET, line);
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
		said(d, true, CHECK_CLOCK, TR("not compared: its answer has no date", "未比较：其回应没有日期"));
		return;
	}
	int64_t skew = now > theirs ? now - theirs : theirs - now;
	duration_text(skew, by);
	if (skew > SKEW_MAX)
		snprintf(line, sizeof(line), TR("this machine's clock is %s %s of its: signatures will be refused; set it (NTP)", "本机时钟比对方%2$s了 %1$s：签名会被拒绝，请校准（NTP）"), by,
			 now > theirs ? TR("ahead", "快") : TR("behind", "慢"));
	else
		snprintf(line, sizeof(line), TR("no more than a minute off its (%s)", "与对方相差不到一分钟（%s）"), by);
	said(d, skew <= SKEW_MAX, CHECK_CLOCK, line);
}

/* Which link of the chain a failure is of. */
static enum check link_of(enum transport t)
{
	return t == TRANSPORT_DNS ? CHECK_DNS : t == TRANSPORT_TLS ? CHECK_TLS : CHECK_NETWORK;
}

/* HEAD of its host; of a mail server greeting, STARTTLS and login. */
static int ask(struct doctor *d, const struct target *to, struct exchange *x, struct err *e)
{
	struct request q = { 0 };
	struct alert a;

	if (!span_starts(to->t.url, S("smtp")))
		return probe_origin(to, x, e);
	int r = alert_probe(NULL, d->t->now, &a, e);
	if (r < 0)
		return r;
	r = to->ops->make(&to->t, &a, true, d->t->now, &q, e);
	alert_free(&a);
	buf_clear(&q.from);
	buf_clear(&q.to);
	if (r == 0)
		r = probe_send(to, &q, x, e);
	request_free(&q);
	return r;
}

static void say_answer(struct doctor *d, const struct target *to, const struct exchange *x, bool proxied)
{
	bool mail = span_starts(to->t.url, S("smtp")), secure = span_starts(to->t.url, S("https")) || span_starts(to->t.url, S("smtps"));
	const struct response *r = &x->response;
	char line[400], took[24];

	duration_text(x->took, took);
	if (!proxied)
		said(d, true, CHECK_DNS, TR("its host is found", "找到主机"));
	if (secure)
		said(d, true, CHECK_TLS, TR("its certificate is verified", "证书验证通过"));
	if (mail && r->status >= 400) {
		snprintf(line, sizeof(line), TR("the mail server refuses us (%d): check user and secret", "邮件服务器拒绝（%d）：请检查 user 和 secret"), r->status);
		said(d, false, CHECK_NETWORK, line);
		return;
	}
	if (mail)
		snprintf(line, sizeof(line), TR("the mail server lets us in (%s)", "邮件服务器允许登录（%s）"), took);
	else
		snprintf(line, sizeof(line), TR("its host answers (HTTP %d, %s)", "对方有回应（HTTP %d，%s）"), r->status, took);
	said(d, true, CHECK_NETWORK, line);
	if (!mail)
		check_clock(d, r);
}

static void check_network(struct doctor *d, const struct target *to, bool proxied)
{
	CLEANUP(exchange_free) struct exchange x = { 0 };
	struct err e;

	if (ask(d, to, &x, &e) < 0)
		said(d, false, CHECK_CONFIG, e.msg);
	else if (x.response.transport != TRANSPORT_OK)
		said(d, false, link_of(x.response.transport), x.why[0] ? x.why : TR("its host does not answer", "对方没有回应"));
	else
		say_answer(d, to, &x, proxied);
}

/* The first word of a command can be run. */
static void check_program(struct doctor *d, const struct target *to)
{
	struct span rest = channel_option(&to->t, "command"), word = span_cut(&rest, '\n');
	char path[512], line[700];

	if (span_chr(word, '/') == SPAN_NONE || span_chr(word, ' ') != SPAN_NONE) /* found by PATH, or quoted: only running it says */
		return;
	snprintf(path, sizeof(path), "%.*s", SPAN_ARG(word));
	bool ok = access(path, X_OK) == 0;
	if (ok)
		snprintf(line, sizeof(line), TR("%s can be run", "%s 可以执行"), path);
	else
		snprintf(line, sizeof(line), TR("%s cannot be run: %m", "%s 无法执行：%m"), path);
	said(d, ok, CHECK_PROGRAM, line);
}

static bool check_proxy(struct doctor *d, const struct target *to)
{
	const char *https = getenv("https_proxy") ? getenv("https_proxy") : getenv("HTTPS_PROXY");
	bool any = to->proxy || (https && *https && span_starts(to->t.url, S("https")));

	if (any)
		said(d, true, CHECK_PROXY, to->proxy ? TR("the one of the configuration", "由配置指定") : TR("the one of the environment (https_proxy), unless no_proxy names the host", "由环境变量 https_proxy 指定（no_proxy 中的主机除外）"));
	return any;
}

static void check_channel(struct doctor *d, const struct config_channel *c)
{
	CLEANUP(target_free) struct target to = { 0 };
	char line[300];
	struct err e;

	if (!check_secrets(d, c->name))
		return;
	if (target_make(d->t->config, c->name, d->secrets, &to, &e) < 0) {
		said(d, false, CHECK_CONFIG, e.msg);
		return;
	}
	snprintf(line, sizeof(line), TR("%s, %.200s", "%s，%.200s"), tx(to.ops->title), to.at);
	said(d, true, CHECK_CONFIG, line);
	if (!to.t.url.n)
		check_program(d, &to);
	else
		check_network(d, &to, check_proxy(d, &to));
}

static bool is_meant(const struct alert_task *t, const char *name)
{
	for (size_t i = 0; i < t->n_words; i++) {
		if (!strcmp(t->words[i], name))
			return true;
	}
	return !t->n_words;
}

static void check_channels(struct doctor *d)
{
	struct alert_task *t = d->t;

	for (size_t i = 0; i < t->config->n_channels; i++) {
		const struct config_channel *c = &t->config->channels[i];
		if (!is_meant(t, c->name))
			continue;
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
	int r = 0;

	for (size_t i = 0; i < t->n_words && r == 0; i++)
		r = alert_channel(t, t->words[i], e) ? 0 : -ENOENT;
	if (r == 0 && !t->config->n_channels && !t->o->json)
		r = alert_channel(t, "", e) ? 0 : -ENOENT;
	if (r == 0)
		r = secrets_open(&d.secrets, e);
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
	} else {
		buf_addf(&t->text, d.wrong ? TR("%zu wrong\n", "%zu 项有误\n") : TR("all is well; `tocsin alert test NAME` sends a message\n", "全部正常；`tocsin alert test 名称` 可发送测试消息\n"), d.wrong);
	}
	secrets_close(d.secrets);
	return d.wrong ? EXIT_WRONG : EXIT_OK;
}

static int run(void *values, const struct args *a)
{
	struct alert_task t;
	struct err e = { 0 };

	int r = alert_begin(&t, values, NEEDS_CONFIG);
	t.words = a->v;
	t.n_words = a->n;
	return r ? r : alert_end(&t, examine(&t, &e), &e);
}

/* clang-format off */
static const struct opt opts[] = { OPT_JSON, OPT_CONFIG };
const struct verb verb_alert_doctor = {
	.name = "alert doctor", .args = { "[CHANNEL…]", "[渠道…]" }, .brief = { "can every channel work: configuration, secrets, name, TLS, clock, proxy", "检查每个渠道：配置、机密、域名、TLS、时钟、代理" },
	.text = { "Of every channel, or of those that are named. No message is sent: `tocsin alert test` does that; only the host is asked for its head, and a mail server for its greeting, STARTTLS and login. With --json the schema is tocsin.doctor/1.\n\n"
		  "  tocsin alert doctor\n  tocsin alert doctor ops --json\n\nExit status: 0 nothing wrong; 1 something is; 2 no such channel, or none at all.",
		  "检查全部渠道或指定的渠道。不发送消息（发送用 `tocsin alert test`）：只向主机请求响应头，对邮件服务器检查问候、STARTTLS 和登录。--json 的格式为 tocsin.doctor/1。\n\n"
		  "  tocsin alert doctor\n  tocsin alert doctor ops --json\n\n退出状态：0 全部正常；1 有问题；2 没有该渠道或没有配置渠道。" },
	.opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct alert_values), .run = run,
};
/* clang-format on */
