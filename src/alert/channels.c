#include "alert/channel/channels.h"
#include "base/mem.h"

const struct channel_ops *const channels[CHANNEL_COUNT] = {
	[CHANNEL_DINGTALK] = &channel_dingtalk,
	[CHANNEL_WECOM] = &channel_wecom,
	[CHANNEL_FEISHU] = &channel_feishu,
	[CHANNEL_SLACK] = &channel_slack,
	[CHANNEL_WEBHOOK] = &channel_webhook,
	[CHANNEL_SMTP] = &channel_smtp,
	[CHANNEL_ALERTMANAGER] = &channel_alertmanager,
	[CHANNEL_PAGERDUTY] = &channel_pagerduty,
	[CHANNEL_TEAMS] = &channel_teams,
	[CHANNEL_DISCORD] = &channel_discord,
	[CHANNEL_TELEGRAM] = &channel_telegram,
	[CHANNEL_OPSGENIE] = &channel_opsgenie,
	[CHANNEL_NTFY] = &channel_ntfy,
	[CHANNEL_CLOUDEVENTS] = &channel_cloudevents,
	[CHANNEL_OTLP] = &channel_otlp,
	[CHANNEL_EXEC] = &channel_exec,
};

const struct channel_ops *channel_find(const char *type)
{
	for (size_t i = 0; type && i < CHANNEL_COUNT; i++) {
		if (!strcmp(channels[i]->type, type))
			return channels[i];
	}
	return NULL;
}

struct span channel_option(const struct channel_target *t, const char *key)
{
	for (size_t i = 0; i < t->n_options; i++) {
		if (!strcmp(t->options[i].key, key))
			return t->options[i].value;
	}
	return (struct span){ 0 };
}

/* ---- requests ---- */

static bool one_line(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || !s.p[i])
			return false;
	}
	return true;
}

void request_header(struct request *r, const char *name, struct span value)
{
	if (!one_line(span_of(name)) || !one_line(value))
		return;
	buf_adds(&r->headers, name);
	buf_adds(&r->headers, ": ");
	buf_span(&r->headers, value);
	buf_addc(&r->headers, '\n');
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

void request_free(struct request *r)
{
	struct buf *all[] = { &r->url, &r->body, &r->headers, &r->from, &r->to, &r->user, &r->password };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		wipe(all[i]);
	*r = (struct request){ 0 };
}
