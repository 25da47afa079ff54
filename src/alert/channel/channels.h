#ifndef ALERT_CHANNEL_CHANNELS_H
#define ALERT_CHANNEL_CHANNELS_H

#include "alert/channel.h"

/* The rows, each at the end of its own file; the table of them is alert/channels.c. */
extern const struct channel_ops channel_dingtalk, channel_wecom, channel_feishu, channel_slack, channel_webhook, channel_smtp;
extern const struct channel_ops channel_alertmanager, channel_pagerduty, channel_teams, channel_discord, channel_telegram,
	channel_opsgenie, channel_ntfy, channel_cloudevents, channel_otlp, channel_exec;
#endif
