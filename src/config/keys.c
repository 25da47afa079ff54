#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/own.h"

const char *const config_langs[] = { "en", "zh", NULL };
const char *const config_formats[] = { "auto",    "raw",   "dots",   "pkgname", "testname",
				       "verbose", "quiet", "github", NULL };
const char *const config_on_fail[] = { "abort", "alert", "record", NULL };
const char *const config_levels[] = { "L1", "L2", "L3", NULL };
const char *const config_channel_types[] = { "dingtalk", "wecom",   "feishu",   "slack",    "webhook", "smtp",        "alertmanager", "pagerduty", "teams",
					     "discord",  "telegram", "opsgenie", "ntfy", "cloudevents", "otlp",  "exec",      NULL };
const char *const config_when_words[WHENS] = { "outcome", "cause", "class", "severity", "package", "branch",
					       "job",     "service", "state", "owner",    "project" };
static const char *const config_modes[] = { "structured", "binary", NULL };
static const char *const config_webhook_formats[] = { "json", "github", "standard", "bearer", NULL };
static const char *const config_classes[] = { "transient", "mirror",    "config", "resource",
					      "permanent", "security", NULL };
static const char *const config_severities[] = { "error", "warning", "note", NULL };
static const char *const config_states[] = { "new", "known", "regressed", "ignored", "flaky", NULL };
static const char *const config_group_by[] = { "project", "cause", "package", "branch", "job",
					       "service", "owner", NULL };
static const char *const config_same[] = { "project", "branch", "job", "service", "host", NULL };

enum {
	LIST = CONFIG_LIST,
	TRUSTED = CONFIG_TRUSTED,
	LATER = CONFIG_LATER,
	NEEDED = CONFIG_NEEDED,
	UNIQUE = CONFIG_UNIQUE
};

const struct config_key config_keys[CFG_KEYS] = {
#define KEY(id, path, type, flags, words, unset, doc_en, doc_zh, example) \
	[CFG_##id] = { path, CONFIG_##type, flags, words, unset, { doc_en, doc_zh }, example },
#include "config/keys.def"
#undef KEY
};

const char *config_place_word(enum config_place p)
{
	static const char *const words[] = { "named", "project", "user", "system" };

	return words[p];
}

bool config_is_top(enum config_id id)
{
	const char *brackets = strstr(config_keys[id].path, "[]");

	return !brackets || !brackets[2];
}

struct span config_name(enum config_id id)
{
	struct span s = span_of(config_keys[id].path);

	return span_ends(s, S("[]")) ? span_head(s, s.n - 2) : s;
}

enum config_id config_find(const char *name, const char **near)
{
	static const char *paths[CFG_KEYS];

	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		if (!strcmp(config_keys[id].path, name) || span_eq(config_name(id), span_of(name)))
			return id;
		paths[id] = config_keys[id].path;
	}
	if (near)
		*near = text_nearest(name, paths, CFG_KEYS);
	return CFG_KEYS;
}

void config_put_text(struct buf *b, const char *text)
{
	bool plain = *text &&
		     strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:$") ==
			     strlen(text) &&
		     text[0] != '-' && text[0] != ':' && text[strlen(text) - 1] != ':';
	struct json_out j = { .to = b };

	if (plain)
		buf_adds(b, text);
	else
		json_strz(&j, text);
}
