#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "config/own.h"

/* Channels, routes, silences and inhibitions: what their keys must say together, and the entries as they are used. */

#define DAY_NS      (24 * 3600 * NSEC_PER_SEC)
#define REPEAT_NS   (4 * 3600 * NSEC_PER_SEC)
#define DIGEST_AT   (9 * 60)
#define KEY_MAX     128

/* ---- the types of channels ---- */

/* Every type has these. */
static const char common[] = "name type url secret lang ca_file allow_plain proxy";

/* clang-format off */
static const struct channel_type {
	const char *name;
	const char *needs;   /* beside name and type */
	const char *options; /* beside the common ones */
	bool open;           /* its address is no secret */
} types[] = {
	{ "dingtalk", "url", "keyword mentions at_all template_title template_body", false },
	{ "wecom", "url", "mentions at_all template_title template_body", false },
	{ "feishu", "url", "keyword mentions at_all template_title template_body", false },
	{ "slack", "url", "mentions at_all template_title template_body", false },
	{ "webhook", "url", "format user template_title template_body", false },
	{ "smtp", "url to from", "to from user mentions template_title template_body", true },
	{ "alertmanager", "url", "user labels ends_after", true },
	{ "pagerduty", "secret", "", true },
	{ "teams", "url", "mentions template_title template_body", false },
	{ "discord", "url", "mentions template_title template_body", false },
	{ "telegram", "secret chat_id", "chat_id thread silent mentions template_title template_body", true },
	{ "opsgenie", "secret", "mentions", true },
	{ "ntfy", "url", "topic user template_title template_body", true },
	{ "cloudevents", "url", "mode source user", false },
	{ "otlp", "url", "service header user", true },
	{ "exec", "command", "command", false },
};
/* clang-format on */

static const struct channel_type *type_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!strcmp(types[i].name, name))
			return &types[i];
	}
	return NULL;
}

static bool has_word(const char *words, struct span word)
{
	struct span rest = span_of(words);

	while (rest.n) {
		if (span_eq(span_cut(&rest, ' '), word))
			return true;
	}
	return false;
}

bool config_channel_takes(const char *type, const char *key)
{
	const struct channel_type *t = type_named(type);

	return t && (has_word(common, span_of(key)) || has_word(t->options, span_of(key)));
}

/* What a key of a channel says that its type does not know. */
static void wrong_key(struct config *c, enum config_place place, const struct channel_type *t, const struct yaml *key)
{
	CLEANUP(buf_free) struct buf keys = { 0 };
	struct span lists[] = { span_of(common + strlen("name type ")), span_of(t->options) };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		while (lists[i].n) {
			struct span word = span_cut(&lists[i], ' ');
			buf_addf(&keys, "%s%.*s", keys.len ? ", " : "", SPAN_ARG(word));
		}
	}
	config_error(c, place, key, TR("channels[].%s: a channel of type %s has no such key; it has %s", "channels[].%s：%s 类型的渠道没有此键；可用的键：%s"),
		     key->text.p, t->name, buf_str(&keys));
}

static void check_url(struct config *c, enum config_place place, const struct channel_type *t, const struct yaml *one)
{
	const struct yaml *v = yaml_get(one, "url");
	const char *url = config_text_of(one, "url"), *plain = config_text_of(one, "allow_plain");

	if (!url || !strstr(url, "://") || !strncmp(url, "file:", 5) || type_is_near(url))
		return;
	if (!t->open)
		config_error(c, place, v,
			     TR("channels[].url: the address of a %s channel is its secret and must not stand here: name where it is, env:NAME, file:PATH or "
				"credential:NAME",
				"channels[].url：%s 渠道的地址就是机密，不能写在这里：请写出处，env:NAME、file:PATH 或 credential:NAME"),
			     t->name);
	else if (type_is_plain(url) && (!plain || strcmp(plain, "true") != 0))
		config_error(c, place, v,
			     TR("channels[].url: plain http lets others read along: write https, or allow_plain: true",
				"channels[].url：明文 http 会被他人窃听：请用 https，或写 allow_plain: true"));
}

static void check_channel(struct config *c, enum config_place place, const struct yaml *one)
{
	const struct channel_type *t = type_named(yaml_get(one, "type")->text.p);

	for (const struct yaml *v = t ? one->first : NULL; v; v = v->next) {
		if (!config_channel_takes(t->name, v->key->text.p))
			wrong_key(c, place, t, v->key);
	}
	for (struct span rest = span_of(t ? t->needs : ""); rest.n;) {
		char key[32];
		struct span word = span_cut(&rest, ' ');
		snprintf(key, sizeof(key), "%.*s", SPAN_ARG(word));
		if (config_is_empty(yaml_get(one, key)))
			config_error(c, place, one, TR("channels[].%s: is missing here: a channel of type %s needs it", "channels[].%s：此处缺少：%s 类型的渠道需要它"), key,
				     t->name);
	}
	if (t)
		check_url(c, place, t, one);
}

/* ---- routes and silences ---- */

/* A condition that came out empty would fit everything. */
static bool has_condition(const struct yaml *one)
{
	const struct yaml *when = yaml_get(one, "when");

	for (const struct yaml *v = when && when->kind == YAML_MAP ? when->first : NULL; v; v = v->next) {
		if (!config_is_empty(v))
			return true;
	}
	return false;
}

static void check_silence(struct config *c, enum config_place place, const struct yaml *one)
{
	if (!has_condition(one))
		config_error(c, place, one, "%s",
			     TR("silence[].when: is missing here: it would silence everything", "silence[].when：此处缺少：否则会静默所有告警"));
}

static void check_route(struct config *c, enum config_place place, const struct yaml *one)
{
	const struct yaml *to = yaml_get(one, "escalate_to"), *after = yaml_get(one, "escalate_after");
	const char *level = config_text_of(one, "level");

	if (config_is_empty(to) != yaml_is_nothing(after))
		config_error(c, place, yaml_is_nothing(after) ? to->key : after->key, "%s",
			     TR("routes[].escalate_after and routes[].escalate_to: the one needs the other",
				"routes[].escalate_after 与 routes[].escalate_to：二者须同时设置"));
	else if (!config_is_empty(to) && level && strcmp(level, "L1") != 0)
		config_error(c, place, to->key, "%s", TR("routes[].escalate_to: only L1 escalates", "routes[].escalate_to：只有 L1 会升级"));
}

void check_entry(struct config *c, enum config_place place, enum config_id list, const struct yaml *one)
{
	if (list == CFG_CHANNELS)
		check_channel(c, place, one);
	else if (list == CFG_ROUTES)
		check_route(c, place, one);
	else if (list == CFG_SILENCE)
		check_silence(c, place, one);
}

/* ---- the entries as they are used ---- */

static void *room(struct config *c, size_t n, size_t size)
{
	void *p = c->no_memory ? NULL : arena_alloc(&c->mem, (n ? n : 1) * size);

	c->no_memory |= !p;
	return p;
}

/* One alone stands for a list of it. */
static struct config_texts texts_of(struct config *c, const struct yaml *v)
{
	struct config_texts t = { 0 };
	size_t n = yaml_is_nothing(v) ? 0 : v->kind == YAML_LIST ? v->n : 1;
	const struct yaml *item = n && v->kind == YAML_LIST ? v->first : v;
	const char **list = n ? room(c, n, sizeof(*list)) : NULL;

	for (; list && t.n < n; item = item->next)
		list[t.n++] = item->text.p;
	t.v = list;
	return t;
}

static const struct yaml *entries_of(const struct config *c, enum config_id id, size_t *n)
{
	const struct config_value *v = &c->values[id];

	*n = v->node && v->node->kind == YAML_LIST ? v->node->n : 0;
	return *n ? v->node->first : NULL;
}

static void when_of(struct config *c, const struct yaml *one, struct config_texts when[WHENS])
{
	const struct yaml *map = yaml_get(one, "when");

	for (int w = 0; w < WHENS; w++)
		when[w] = texts_of(c, yaml_get(map, config_when_words[w]));
}

static int64_t number_of(const struct yaml *one, enum config_id id, int64_t unset)
{
	const struct config_key *k = &config_keys[id];
	const char *text = config_text_of(one, strrchr(k->path, '.') + 1);
	int64_t n = unset;

	return text && !type_read(k, text, &n) ? n : unset;
}

/* ---- channels ---- */

static const char *joined(struct config *c, const struct yaml *v)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (v->kind != YAML_LIST)
		return v->text.p;
	for (const struct yaml *item = v->first; item; item = item->next)
		buf_addf(&b, "%s%s", b.len ? "\n" : "", item->text.p);
	const char *text = b.bad ? NULL : arena_str(&c->mem, buf_view(&b));
	c->no_memory |= !text;
	return text;
}

static void take_pairs(struct config *c, struct config_channel *to, const struct yaml *one)
{
	const struct yaml *mentions = yaml_get(one, "mentions");

	to->options = room(c, one->n, sizeof(*to->options));
	for (const struct yaml *v = to->options ? one->first : NULL; v; v = v->next) {
		if (!yaml_is_nothing(v) && v->kind != YAML_MAP && !has_word("name type url secret lang", v->key->text))
			to->options[to->n_options++] = (struct config_pair){ v->key->text.p, joined(c, v) };
	}
	if (yaml_is_nothing(mentions))
		return;
	to->mentions = room(c, mentions->n, sizeof(*to->mentions));
	for (const struct yaml *v = to->mentions ? mentions->first : NULL; v; v = v->next)
		to->mentions[to->n_mentions++] = (struct config_pair){ v->key->text.p, v->text.p };
}

static void take_channels(struct config *c)
{
	size_t n;
	const struct yaml *one = entries_of(c, CFG_CHANNELS, &n);

	c->channels = room(c, n, sizeof(*c->channels));
	for (; c->channels && one; one = one->next) {
		struct config_channel *to = &c->channels[c->n_channels++];
		*to = (struct config_channel){
			.name = config_text_of(one, "name"),
			.type = config_text_of(one, "type"),
			.url = config_text_of(one, "url"),
			.secret = config_text_of(one, "secret"),
			.lang = config_text_of(one, "lang"),
			.place = c->values[CFG_CHANNELS].place,
			.line = one->line,
		};
		take_pairs(c, to, one);
	}
}

const struct config_channel *config_channel_named(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_channels; i++) {
		if (!strcmp(c->channels[i].name, name))
			return &c->channels[i];
	}
	return NULL;
}

/* ---- routes ---- */

static void take_quiet(struct config *c, struct config_route *to, const struct yaml *one)
{
	struct config_texts texts = texts_of(c, yaml_get(one, "quiet_hours"));

	to->quiet = texts.n ? room(c, texts.n, sizeof(*to->quiet)) : NULL;
	for (size_t i = 0; to->quiet && i < texts.n; i++)
		to->n_quiet += config_hours(texts.v[i], &to->quiet[to->n_quiet]);
}

static struct config_texts or_else(struct config_texts t, const char *const *words, size_t n)
{
	return t.n ? t : (struct config_texts){ words, n };
}

static void take_routes(struct config *c)
{
	static const char *const by[] = { "project", "cause" };
	size_t n;
	const struct yaml *one = entries_of(c, CFG_ROUTES, &n);

	c->routes = room(c, n, sizeof(*c->routes));
	for (; c->routes && one; one = one->next) {
		struct config_route *to = &c->routes[c->n_routes++];
		const char *zone = config_text_of(one, "time_zone");
		*to = (struct config_route){
			.to = texts_of(c, yaml_get(one, "to")),
			.escalate_to = texts_of(c, yaml_get(one, "escalate_to")),
			.level = (int)number_of(one, CFG_ROUTES_LEVEL, 0) + 1,
			.repeat = number_of(one, CFG_ROUTES_REPEAT, REPEAT_NS),
			.group = number_of(one, CFG_ROUTES_GROUP, -1),
			.escalate = number_of(one, CFG_ROUTES_ESCALATE, -1),
			.group_by = or_else(texts_of(c, yaml_get(one, "group_by")), by, ARRAY_LEN(by)),
			.digest_at = (int)number_of(one, CFG_ROUTES_DIGEST, DIGEST_AT),
			.zone = zone ? zone : "UTC",
			.recovery = number_of(one, CFG_ROUTES_RECOVERY, true) != 0,
			.line = one->line,
		};
		when_of(c, one, to->when);
		take_quiet(c, to, one);
	}
}

/* Where nobody has channels, routes lead nowhere, and that is no mistake. */
static void check_names(struct config *c, const struct yaml *one, const char *key)
{
	const struct yaml *to = yaml_get(one, key);
	const struct yaml *name = yaml_is_nothing(to) ? NULL : to->kind == YAML_LIST ? to->first : to;

	for (; name; name = to->kind == YAML_LIST ? name->next : NULL) {
		if (!config_channel_named(c, name->text.p))
			config_note(c, TR("%s:%d: there is no channel '%.80s' here", "%s:%d：此处没有名为“%.80s”的渠道"),
				    c->files[c->values[CFG_ROUTES].place].shown, name->line, name->text.p);
	}
}

/* ---- silences and inhibitions ---- */

static void take_silences(struct config *c, int64_t today)
{
	size_t n;
	const struct yaml *one = entries_of(c, CFG_SILENCE, &n);

	c->silences = room(c, n, sizeof(*c->silences));
	for (; c->silences && one; one = one->next) {
		struct config_silence *to = &c->silences[c->n_silences];
		*to = (struct config_silence){ .why = config_text_of(one, "why"), .line = one->line };
		type_date(config_text_of(one, "until"), &to->until);
		to->until += DAY_NS;
		when_of(c, one, to->when);
		c->n_silences += today < to->until;
	}
}

static void take_inhibits(struct config *c)
{
	static const char *const same[] = { "project", "branch" };
	size_t n;
	const struct yaml *one = entries_of(c, CFG_INHIBIT, &n);

	c->inhibits = room(c, n, sizeof(*c->inhibits));
	for (; c->inhibits && one; one = one->next)
		c->inhibits[c->n_inhibits++] = (struct config_inhibit){
			.cause = texts_of(c, yaml_get(one, "cause")),
			.silences = texts_of(c, yaml_get(one, "silences")),
			.same = or_else(texts_of(c, yaml_get(one, "same")), same, ARRAY_LEN(same)),
			.line = one->line,
		};
}

void take_alerts(struct config *c, int64_t today)
{
	size_t n;

	take_channels(c);
	take_routes(c);
	take_silences(c, today);
	take_inhibits(c);
	for (const struct yaml *one = entries_of(c, CFG_ROUTES, &n); one && c->n_channels; one = one->next) {
		check_names(c, one, "to");
		check_names(c, one, "escalate_to");
	}
}
