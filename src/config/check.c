#include <errno.h>
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/own.h"

/* One file's tree against the rows of keys.def. */

#define SHOWN     60
#define KEY_MAX 128 /* of a key's path; none is longer */

struct checker {
	struct config *c;
	enum config_place place;
};

static void check_map(struct checker *ch, const char *prefix, const struct yaml *map);

static bool is_trusted(const struct checker *ch)
{
	return ch->c->files[ch->place].trusted;
}

/* ---- values ---- */

static void bad_word(struct checker *ch, const struct config_key *k, const struct yaml *v, struct span shown)
{
	CLEANUP(buf_free) struct buf words = { 0 };
	size_t n = 0;

	for (; k->words[n]; n++)
		buf_addf(&words, "%s%s", n ? ", " : "", k->words[n]);
	const char *near = text_nearest(v->text.p, k->words, n);
	if (near)
		config_error(ch->c, ch->place, v,
			     TR("%s: does not know '%.*s'; did you mean %s?",
				"%s：不认识“%.*s”；您是否想用 %s？"),
			     k->path, SPAN_ARG(shown), near);
	else
		config_error(ch->c, ch->place, v,
			     TR("%s: does not know '%.*s'; it may be: %s", "%s：不认识“%.*s”；可以是：%s"),
			     k->path, SPAN_ARG(shown), buf_str(&words));
}

static void bad_value(struct checker *ch, const struct config_key *k, const struct yaml *v, const char *why)
{
	struct span shown = utf8_head(v->text, SHOWN);

	if (*why || k->type == CONFIG_URL || k->type == CONFIG_PROXY) /* what was written may be a secret */
		config_error(ch->c, ch->place, v, "%s: %s%s", k->path, *why ? "" : TR("needs ", "需要"),
			     *why ? why : config_type_title(k->type));
	else if (k->type == CONFIG_WORD)
		bad_word(ch, k, v, shown);
	else
		config_error(ch->c, ch->place, v, TR("%s: needs %s, not '%.*s'", "%s：需要%s，而不是“%.*s”"),
			     k->path, config_type_title(k->type), SPAN_ARG(shown));
}

static bool check_scalar(struct checker *ch, const struct config_key *k, const struct yaml *v,
			 int64_t *number)
{
	if (v->kind != YAML_SCALAR) {
		config_error(ch->c, ch->place, v, TR("%s: needs %s, not a %s", "%s：需要%s，而不是%s"),
			     k->path, config_type_title(k->type),
			     v->kind == YAML_LIST ? TR("list", "列表") : TR("mapping", "映射"));
		return false;
	}
	const char *why = type_read(k, v->text.p, number);
	if (why) {
		bad_value(ch, k, v, why);
		return false;
	}
	if (k->type == CONFIG_PATH && *number && !is_trusted(ch)) {
		config_error(ch->c, ch->place, v,
			     TR("%s: must lie inside the project", "%s：必须位于项目之内"), k->path);
		return false;
	}
	return true;
}

/* A list, or one alone that stands for a list of it. */
static bool check_list(struct checker *ch, const struct config_key *k, const struct yaml *v,
		       struct config_value *into)
{
	const struct yaml *item = v->kind == YAML_LIST ? v->first : v;
	size_t n = v->kind == YAML_LIST ? v->n : 1, at = 0;
	const char **list = arena_alloc(&ch->c->mem, (n + 1) * sizeof(*list));
	bool good = true;
	int64_t number;

	if (!list) {
		ch->c->no_memory = true;
		return false;
	}
	for (; at < n; at++, item = item->next) {
		good &= check_scalar(ch, k, item, &number);
		list[at] = item->text.p;
	}
	into->list = list;
	into->n = n;
	return good;
}

/* Any names, each with a text. */
static bool check_texts(struct checker *ch, const struct config_key *k, const struct yaml *v)
{
	bool good = v->kind == YAML_MAP;
	int64_t number;

	if (!good)
		config_error(ch->c, ch->place, v, TR("%s: needs %s", "%s：需要%s"), k->path, config_type_title(k->type));
	for (const struct yaml *one = good ? v->first : NULL; one; one = one->next)
		good &= check_scalar(ch, k, one, &number);
	return good;
}

/* ---- lists of mappings ---- */

static void check_unique(struct checker *ch, enum config_id id, const struct yaml *list)
{
	struct span name = span_of(strrchr(config_keys[id].path, '.') + 1);
	struct map seen = { 0 };

	for (const struct yaml *one = list->first; one; one = one->next) {
		struct yaml *v = yaml_get(one, name.p);
		if (!v || v->kind != YAML_SCALAR)
			continue;
		struct yaml *first = map_get(&seen, v->text);
		if (first)
			config_error(ch->c, ch->place, v,
				     TR("%s: '%.*s' stands here twice; first in line %d",
					"%s：“%.*s”重复；首次出现在第 %d 行"),
				     config_keys[id].path, SPAN_ARG(utf8_head(v->text, SHOWN)), first->line);
		else if (!map_put(&seen, v->text, v))
			ch->c->no_memory = true;
	}
	map_free(&seen);
}

static bool check_entries(struct checker *ch, const struct config_key *k, const struct yaml *v)
{
	char prefix[KEY_MAX];
	size_t before = ch->c->n_errors;

	if (v->kind != YAML_LIST) {
		config_error(ch->c, ch->place, v,
			     TR("%s: needs a list, each item of it begins with '- '",
				"%s：需要列表，每项以“- ”开头"),
			     k->path);
		return false;
	}
	snprintf(prefix, sizeof(prefix), "%s.", k->path);
	for (const struct yaml *one = v->first; one; one = one->next) {
		size_t known = ch->c->n_errors;
		check_map(ch, prefix, one);
		if (ch->c->n_errors == known)
			check_entry(ch->c, ch->place, (enum config_id)(k - config_keys), one);
	}
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		if ((config_keys[id].flags & CONFIG_UNIQUE) &&
		    span_starts(span_of(config_keys[id].path), span_of(prefix)))
			check_unique(ch, id, v);
	}
	return ch->c->n_errors == before;
}

/* ---- keys ---- */

static void take(struct checker *ch, enum config_id id, const struct yaml *v, const struct config_value *read)
{
	struct config_value *to = &ch->c->values[id];

	if (to->origin != CONFIG_UNSET) /* an earlier file said it */
		return;
	*to = *read;
	to->origin = CONFIG_FROM_FILE;
	to->place = ch->place;
	to->line = v->key->line;
	to->node = v;
	if (v->kind == YAML_SCALAR && !to->list)
		to->text = v->text.p;
}

static void check_key(struct checker *ch, enum config_id id, const struct yaml *v)
{
	const struct config_key *k = &config_keys[id];
	struct config_value read = { 0 };
	size_t before = ch->c->n_errors;
	bool good;

	if (yaml_is_nothing(v)) /* all below it may be commented out */
		return;
	if (k->type == CONFIG_ENTRIES) {
		good = check_entries(ch, k, v);
		read.n = v->n;
	} else if (k->type == CONFIG_MAP) {
		good = check_texts(ch, k, v);
	} else if (k->flags & CONFIG_LIST) {
		good = check_list(ch, k, v, &read);
	} else {
		good = check_scalar(ch, k, v, &read.number);
	}
	bool ignored = (k->flags & CONFIG_TRUSTED) && !is_trusted(ch);
	for (size_t i = before; ignored && i < ch->c->n_errors; i++)
		ch->c->errors[i].ignored = true;
	if (!good || !config_is_top(id))
		return;
	if (ignored)
		config_note(
			ch->c,
			TR("%s:%d: %.*s is ignored: a tocsin.yaml in the working tree is not trusted with it; put it into "
			   "~/.config/tocsin/tocsin.yaml, or name the file with --config",
			   "%s:%d：忽略 %.*s：工作区中的 tocsin.yaml 无权设置它；请写入 ~/.config/tocsin/tocsin.yaml，或用 --config 指定该文件"),
			ch->c->files[ch->place].shown, v->key->line, SPAN_ARG(config_name(id)));
	else
		take(ch, id, v, &read);
}

/* What is behind prefix in the path of a row up to the next '.': its name there. */
static struct span name_below(enum config_id id, struct span prefix)
{
	struct span s = config_name(id);

	if (!span_skip(&s, prefix))
		return (struct span){ 0 };
	return span_head(s, span_chr(s, '.'));
}

static void unknown_key(struct checker *ch, struct span prefix, const struct yaml *key)
{
	char names[2 * CFG_KEYS][KEY_MAX];
	const char *list[2 * CFG_KEYS];
	size_t n = 0;

	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		struct span name = name_below(id, prefix), whole = config_name(id);
		if (name.n && span_chr(name, '[') == SPAN_NONE)
			snprintf(names[n++], KEY_MAX, "%.*s", SPAN_ARG(name));
		if (!prefix.n && span_chr(whole, '.') != SPAN_NONE && span_chr(whole, '[') == SPAN_NONE)
			snprintf(names[n++], KEY_MAX, "%.*s", SPAN_ARG(whole));
	}
	for (size_t i = 0; i < n; i++)
		list[i] = names[i];
	const char *near = text_nearest(key->text.p, list, n);
	struct span shown = utf8_head(key->text, SHOWN);
	if (near)
		config_error(ch->c, ch->place, key,
			     TR("%.*s%.*s: unknown key; did you mean %s?",
				"%.*s%.*s：未知的键；您是否想用 %s？"),
			     SPAN_ARG(prefix), SPAN_ARG(shown), near);
	else
		config_error(ch->c, ch->place, key,
			     TR("%.*s%.*s: unknown key; `tocsin config explain` lists them",
				"%.*s%.*s：未知的键；`tocsin config explain` 列出所有键"),
			     SPAN_ARG(prefix), SPAN_ARG(shown));
}

static bool is_section(struct span path)
{
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		struct span s = config_name(id);
		if (span_skip(&s, path) && span_starts(s, S(".")))
			return true;
	}
	return false;
}

static void check_one(struct checker *ch, struct span prefix, const struct yaml *v)
{
	char path[KEY_MAX];
	enum config_id id = CFG_KEYS;

	if (prefix.n + v->key->text.n + 2 < sizeof(path)) {
		snprintf(path, sizeof(path), "%.*s%s", SPAN_ARG(prefix), v->key->text.p);
		for (id = 0; id < CFG_KEYS && !span_eq(config_name(id), span_of(path)); id++)
			;
	}
	if (id < CFG_KEYS) {
		check_key(ch, id, v);
	} else if (prefix.n + v->key->text.n + 2 < sizeof(path) && is_section(span_of(path))) {
		snprintf(path, sizeof(path), "%.*s%s.", SPAN_ARG(prefix), v->key->text.p);
		if (!yaml_is_nothing(v))
			check_map(ch, path, v);
	} else {
		unknown_key(ch, prefix, v->key);
	}
}

bool config_is_empty(const struct yaml *v)
{
	return yaml_is_nothing(v) || (v->kind == YAML_LIST && !v->n);
}

static void check_needed(struct checker *ch, struct span prefix, const struct yaml *map)
{
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		struct span name = name_below(id, prefix);
		if (!(config_keys[id].flags & CONFIG_NEEDED) || !name.n ||
		    prefix.n + name.n != config_name(id).n)
			continue;
		char key[KEY_MAX];
		snprintf(key, sizeof(key), "%.*s", SPAN_ARG(name));
		if (config_is_empty(yaml_get(map, key)))
			config_error(ch->c, ch->place, map, TR("%s: is missing here", "%s：此处缺少"),
				     config_keys[id].path);
	}
}

static void check_map(struct checker *ch, const char *prefix, const struct yaml *map)
{
	struct span before = span_of(prefix);

	if (map->kind != YAML_MAP) {
		config_error(ch->c, ch->place, map,
			     TR("%.*s: needs 'key: value' lines", "%.*s：需要“键: 值”"),
			     SPAN_ARG(span_head(before, before.n ? before.n - 1 : 0)));
		return;
	}
	for (const struct yaml *v = map->first; v; v = v->next)
		check_one(ch, before, v);
	check_needed(ch, before, map);
}

void check_file(struct config *c, enum config_place place, const struct yaml *root)
{
	struct checker ch = { .c = c, .place = place };

	if (yaml_is_nothing(root))
		return;
	if (root->kind != YAML_MAP)
		config_error(c, place, root, "%s",
			     TR("needs 'key: value' lines, such as `timeout: 20m`",
				"需要“键: 值”形式的行，如 `timeout: 20m`"));
	else
		check_map(&ch, "", root);
}
