#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/say.h"
#include "config/config.h"
#include "parse/yaml.h"

struct config_values {
	const char *config;
	bool json, markdown;
};

#define AT(field) offsetof(struct config_values, field)
#define MAX_WIDTH 100

/* clang-format off */
#define OPT_CONFIG { "config", 0, OPT_FILE, AT(config), { "FILE", "文件" }, \
	  { "the file that comes first, and is trusted (else TOCSIN_CONFIG)", "优先且受信任的配置文件（默认取 TOCSIN_CONFIG）" }, NULL, 0 }

static const struct opt explain_opts[] = {
	OPT_CONFIG,
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON", "输出 JSON" }, NULL, 0 },
	{ "markdown", 0, OPT_FLAG, AT(markdown), { NULL, NULL },
	  { "every key as a Markdown table, without the values of here", "以 Markdown 表格列出所有键，不含此处的值" }, NULL, 0 },
};
static const struct opt check_opts[] = {
	OPT_CONFIG,
	{ "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON", "输出 JSON" }, NULL, 0 },
};
/* clang-format on */

/* For the completion: brackets mean something to shells. */
static const char *const *key_names(void)
{
	static const char *names[CFG_KEYS + 1];
	static char texts[CFG_KEYS][32];
	size_t n = 0;

	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		if (!config_is_top(id))
			continue;
		snprintf(texts[n], sizeof(texts[n]), "%.*s", SPAN_ARG(config_name(id)));
		names[n] = texts[n];
		n++;
	}
	return names;
}

static int print(struct buf *text)
{
	struct term out;

	term_open(&out, STDOUT_FILENO);
	if (text->bad)
		say_error(TR("no memory", "内存不足"));
	term_flush(&out, text);
	return text->bad || out.dead ? EXIT_OWN : EXIT_OK;
}

/* ---- a value, as it would be written ---- */

static void put_node(struct buf *b, const struct yaml *v)
{
	if (v->kind == YAML_SCALAR) {
		config_put_text(b, v->text.p);
		return;
	}
	buf_addc(b, v->kind == YAML_LIST ? '[' : '{');
	for (const struct yaml *c = v->first; c; c = c->next) {
		if (c->key)
			buf_addf(b, "%s: ", c->key->text.p);
		put_node(b, c);
		buf_adds(b, c->next ? ", " : "");
	}
	buf_addc(b, v->kind == YAML_LIST ? ']' : '}');
}

static void put_value(struct buf *b, const struct config *c, enum config_id id)
{
	const struct config_value *v = config_get(c, id);

	if (v->node && (v->list || config_keys[id].type == CONFIG_ENTRIES || config_keys[id].type == CONFIG_MAP))
		put_node(b, v->node);
	else if (v->text)
		config_put_text(b, v->text);
	else
		buf_adds(b, config_keys[id].unset ? config_keys[id].unset : TR("(not set)", "（未设置）"));
}

/* ---- for people ---- */

static void say_files(struct buf *b, const struct config *c)
{
	buf_addf(b, "%s\n",
		 TR("Files; the first that sets a key wins:", "配置文件；先设置某个键的文件优先："));
	for (int p = 0; p < CONFIG_PLACES; p++) {
		const struct config_file *f = &c->files[p];
		if (p == CONFIG_NAMED && !f->path)
			continue;
		buf_adds(b, "  ");
		say_cell(b, config_place_word((enum config_place)p), 9);
		if (f->path)
			say_clean(b, span_of(f->shown));
		buf_addf(b, "%s\n",
			 !f->path   ? TR("(none)", "（无）")
			 : f->found ? ""
				    : TR(" (not there)", "（不存在）"));
	}
}

static void say_doc(struct buf *b, const struct config_key *k, size_t width)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_adds(&text, tx(k->doc));
	if (!k->words)
		buf_addf(&text, "%s%s", TR(". Takes ", "。取值："), config_type_title(k->type));
	for (size_t i = 0; k->words && k->words[i]; i++)
		buf_addf(&text, "%s%s", i ? ", " : TR(". One of ", "。可选："), k->words[i]);
	buf_adds(&text, k->flags & CONFIG_LIST ? TR(", or a list of them", "，或其列表") : "");
	buf_adds(&text, k->flags & CONFIG_NEEDED ? TR(". Needed", "。必填") : "");
	buf_adds(&text, k->flags & CONFIG_TRUSTED ? TR(". Not taken from a file in the working tree",
						       "。不接受工作区中文件的设置")
						  : "");
	buf_adds(&text, k->flags & CONFIG_LATER ? TR(". Not used by this version", "。此版本尚未使用") : "");
	buf_adds(b, "    ");
	say_wrap(b, buf_view(&text), 4, 4, width);
	buf_addc(b, '\n');
}

static void say_key(struct buf *b, const struct term *t, const struct config *c, enum config_id id)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	CLEANUP(buf_free) struct buf value = { 0 };
	CLEANUP(buf_free) struct buf origin = { 0 };
	size_t width = t->width > MAX_WIDTH ? MAX_WIDTH : t->width < 60 ? 60 : t->width;

	buf_adds(&name, config_keys[id].path);
	buf_addc(b, '\n');
	say_paint(b, t, config_is_set(c, id) ? PAINT_BOLD : PAINT_NONE, buf_str(&name));
	if (config_is_top(id)) {
		put_value(&value, c, id);
		config_origin(c, id, &origin);
		buf_adds(b, ": ");
		say_clean(b, buf_view(&value));
		buf_adds(b, "    # ");
		say_clean(b, buf_view(&origin));
	}
	buf_addc(b, '\n');
	say_doc(b, &config_keys[id], width);
}

/* ---- for machines ---- */

static void put_str(struct json_out *j, const char *key, const char *z)
{
	json_key(j, key);
	json_strz(j, z);
}

static void json_node(struct json_out *j, const struct yaml *v)
{
	if (v->kind == YAML_SCALAR) {
		json_str(j, v->text);
		return;
	}
	json_open(j, v->kind == YAML_LIST ? '[' : '{');
	for (const struct yaml *c = v->first; c; c = c->next) {
		if (c->key)
			json_key(j, c->key->text.p);
		json_node(j, c);
	}
	json_close(j, v->kind == YAML_LIST ? ']' : '}');
}

static void json_value(struct json_out *j, const struct config *c, enum config_id id)
{
	const struct config_key *k = &config_keys[id];
	const struct config_value *v = config_get(c, id);

	json_key(j, "value");
	if (v->list) {
		json_open(j, '[');
		for (size_t i = 0; i < v->n; i++)
			json_strz(j, v->list[i]);
		json_close(j, ']');
	} else if (v->node && k->type == CONFIG_ENTRIES)
		json_node(j, v->node);
	else if (v->text && k->type == CONFIG_BOOL)
		json_bool(j, v->number != 0);
	else if (v->text && k->type == CONFIG_COUNT)
		json_int(j, v->number);
	else
		json_strz(j, v->text);
}

static void json_origin(struct json_out *j, const struct config *c, enum config_id id)
{
	static const char *const from[] = { "default", "file", "flag" };
	const struct config_value *v = config_get(c, id);

	json_key(j, "origin");
	json_open(j, '{');
	put_str(j, "from", from[v->origin]);
	put_str(j, "file", v->origin == CONFIG_FROM_FILE ? c->files[v->place].shown : NULL);
	json_key(j, "line");
	if (v->origin == CONFIG_FROM_FILE)
		json_int(j, v->line);
	else
		json_null(j);
	json_close(j, '}');
}

static void json_a_key(struct json_out *j, const struct config *c, enum config_id id)
{
	const struct config_key *k = &config_keys[id];
	/* clang-format off */
	static const struct { const char *name; unsigned flag; } flags[] = {
		{ "list", CONFIG_LIST }, { "needed", CONFIG_NEEDED }, { "trusted_only", CONFIG_TRUSTED }, { "not_used_yet", CONFIG_LATER },
	};
	/* clang-format on */

	json_open(j, '{');
	put_str(j, "key", k->path);
	put_str(j, "type", config_type_word(k->type));
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		json_key(j, flags[i].name);
		json_bool(j, k->flags & flags[i].flag);
	}
	put_str(j, "default", k->unset);
	if (config_is_top(id)) {
		json_value(j, c, id);
		json_origin(j, c, id);
	}
	put_str(j, "doc", tx(k->doc));
	put_str(j, "example", k->example);
	json_close(j, '}');
}

static void json_files(struct json_out *j, const struct config *c)
{
	json_key(j, "files");
	json_open(j, '[');
	for (int p = 0; p < CONFIG_PLACES; p++) {
		const struct config_file *f = &c->files[p];
		if (!f->path)
			continue;
		json_open(j, '{');
		put_str(j, "place", config_place_word((enum config_place)p));
		put_str(j, "path", f->shown);
		json_key(j, "found");
		json_bool(j, f->found);
		json_key(j, "trusted");
		json_bool(j, f->trusted);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_begin(struct json_out *j, const struct config *c)
{
	json_open(j, '{');
	put_str(j, "schema", "tocsin.config/1");
	json_files(j, c);
	json_key(j, "errors");
	json_open(j, '[');
	for (size_t i = 0; i < c->n_errors; i++) {
		const struct config_error *e = &c->errors[i];
		json_open(j, '{');
		put_str(j, "file", e->file);
		json_key(j, "line");
		json_int(j, e->line);
		json_key(j, "column");
		json_int(j, e->column);
		put_str(j, "message", e->text);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_key(j, "notes");
	json_open(j, '[');
	for (size_t i = 0; i < c->n_notes; i++)
		json_strz(j, c->notes[i]);
	json_close(j, ']');
}

/* Our own text: what is code in it stays code. */
static void markdown_text(struct buf *b, const char *z)
{
	for (; *z; z++) {
		if (strchr("*|", *z))
			buf_addc(b, '\\');
		buf_addc(b, *z);
	}
}

static void markdown_keys(struct buf *b)
{
	buf_adds(b, TR("| key | takes | default | what it does |\n| --- | --- | --- | --- |\n",
		       "| 键 | 取值 | 默认 | 作用 |\n| --- | --- | --- | --- |\n"));
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		const struct config_key *k = &config_keys[id];
		buf_addf(b, "| `%s`%s | ", k->path,
			 k->flags & CONFIG_TRUSTED  ? " (1)"
			 : k->flags & CONFIG_NEEDED ? TR(" (needed)", "（必填）")
						    : "");
		for (size_t i = 0; k->words && k->words[i]; i++)
			buf_addf(b, "%s`%s`", i ? ", " : "", k->words[i]);
		markdown_text(b, k->words ? "" : config_type_title(k->type));
		buf_addf(b, "%s | ", k->flags & CONFIG_LIST ? TR(", or a list of them", "，或其列表") : "");
		buf_addf(b, k->unset ? "`%s` | " : "%s | ", k->unset ? k->unset : "");
		markdown_text(b, tx(k->doc));
		buf_adds(b,
			 k->flags & CONFIG_LATER ? TR(". Not used by this version", "。此版本尚未使用") : "");
		buf_adds(b, " |\n");
	}
	buf_addf(b, "\n%s\n",
		 TR("(1) Not taken from a file in the working tree.", "(1) 不接受工作区中文件的设置。"));
}

/* ---- explain ---- */

static bool is_asked(enum config_id id, const char *asked)
{
	struct span path = span_of(config_keys[id].path);

	if (!asked || span_eq(path, span_of(asked)) || span_eq(config_name(id), span_of(asked)))
		return true;
	return span_skip(&path, span_of(asked)) && path.n && strchr(".[", path.p[0]); /* a part of it */
}

static int say_notes(const struct config *c)
{
	for (size_t i = 0; i < c->n_errors; i++)
		say_error("%s", c->errors[i].text);
	for (size_t i = 0; i < c->n_notes; i++)
		say_error("%s", c->notes[i]);
	return c->n_errors ? EXIT_USAGE : EXIT_OK;
}

static int unknown_key(const char *asked)
{
	const char *near = NULL;
	char msg[256];

	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		if (is_asked(id, asked))
			return EXIT_OK;
	}
	config_find(asked, &near);
	snprintf(msg, sizeof(msg),
		 near ? TR("unknown key '%.60s'; did you mean %s?", "未知的键“%.60s”；您是否想用 %s？")
		      : TR("unknown key '%.60s'", "未知的键“%.60s”"),
		 asked, near);
	return say_usage("config explain", msg);
}

static void explain(struct buf *b, const struct config *c, bool json, const char *asked)
{
	struct json_out j = { .to = b };
	struct term out;

	term_open(&out, STDOUT_FILENO);
	if (json) {
		json_begin(&j, c);
		json_key(&j, "keys");
		json_open(&j, '[');
	} else {
		say_files(b, c);
	}
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		if (!is_asked(id, asked))
			continue;
		if (json)
			json_a_key(&j, c, id);
		else
			say_key(b, &out, c, id);
	}
	if (json) {
		json_close(&j, ']');
		json_close(&j, '}');
		buf_addc(b, '\n');
	}
}

static int load(const struct config_places *where, struct config **ret)
{
	struct err e;

	if (config_read(where, ret, &e) == 0)
		return EXIT_OK;
	say_error("%s", e.msg);
	return EXIT_OWN;
}

static int run_explain(void *values, const struct args *a)
{
	const struct config_values *o = values;
	CLEANUP(config_free) struct config *c = NULL;
	CLEANUP(mem_free) char *cwd = getcwd(NULL, 0);
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *asked = a->n ? a->v[0] : NULL;
	struct config_places where;

	if (a->n > 1)
		return say_usage("config explain", TR("one key at a time", "一次只能查看一个键"));
	if (asked && unknown_key(asked))
		return EXIT_USAGE;
	if (o->markdown) {
		markdown_keys(&text);
		return print(&text);
	}
	config_places(o->config, cwd, &where);
	if (load(&where, &c))
		return EXIT_OWN;
	explain(&text, c, o->json, asked);
	int r = print(&text);
	if (!o->json)
		say_notes(c);
	return r ? r : c->n_errors ? EXIT_USAGE : EXIT_OK;
}

/* ---- check ---- */

/* One file and nothing else; with the eyes with which the project's own is read, when it is that. */
static int load_one(const char *file, const struct config_places *all, struct config **ret)
{
	struct config_places where = { .cwd = all->cwd };

	int r = load(&where, ret);
	if (r || ((*ret)->files[CONFIG_PROJECT].path && file_same((*ret)->files[CONFIG_PROJECT].path, file)))
		return r;
	config_free(*ret);
	*ret = NULL;
	where = (struct config_places){ .named = file };
	return load(&where, ret);
}

static int say_checked(const struct config *c)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	bool any = false;

	say_notes(c);
	for (int p = 0; p < CONFIG_PLACES; p++) {
		const struct config_file *f = &c->files[p];
		bool good = f->found;
		any |= f->found;
		for (size_t i = 0; i < c->n_errors; i++)
			good &= strcmp(c->errors[i].file, f->shown ? f->shown : "") != 0;
		if (!good)
			continue;
		say_clean(&b, span_of(f->shown));
		buf_addf(&b, TR(": nothing wrong\n", "：没有问题\n"));
	}
	if (!any && !c->n_errors)
		buf_adds(&b, TR("There is no tocsin.yaml: the defaults hold. `tocsin init` writes one.\n",
				"没有 tocsin.yaml：使用默认值。可用 `tocsin init` 生成。\n"));
	return print(&b);
}

static int run_check(void *values, const struct args *a)
{
	const struct config_values *o = values;
	CLEANUP(config_free) struct config *c = NULL;
	CLEANUP(mem_free) char *cwd = getcwd(NULL, 0);
	CLEANUP(buf_free) struct buf text = { 0 };
	struct config_places where;
	int r;

	if (a->n > 1 || (a->n && o->config))
		return say_usage("config check", TR("one file at a time", "一次只能检查一个文件"));
	config_places(o->config, cwd, &where);
	r = a->n ? load_one(a->v[0], &where, &c) : load(&where, &c);
	if (r)
		return r;
	if (o->json) {
		struct json_out j = { .to = &text };
		json_begin(&j, c);
		json_close(&j, '}');
		buf_addc(&text, '\n');
		r = print(&text);
	} else {
		r = say_checked(c);
	}
	return r ? r : c->n_errors ? EXIT_USAGE : EXIT_OK;
}

/* ---- the verbs ---- */

static const struct verb verb_config_explain = {
	.name = "config explain",
	.args = { "[KEY]", "[键]" },
	.brief = { "every key: its value here, where it comes from, what it does",
		   "每个键：此处的值、来源和作用" },
	.opts = explain_opts,
	.n_opts = ARRAY_LEN(explain_opts),
	.size = sizeof(struct config_values),
	.words = key_names,
	.run = run_explain,
};

static const struct verb verb_config_check = {
	.name = "config check",
	.args = { "[FILE]", "[文件]" },
	.brief = { "check one file, or all that hold here", "检查一个文件，或此处生效的所有文件" },
	.text = { "All errors are said, each with its file and line. Exit status: 0 nothing wrong, 2 an error.",
		  "列出所有错误及其文件和行号。退出状态：0 没有问题，2 有错误。" },
	.opts = check_opts,
	.n_opts = ARRAY_LEN(check_opts),
	.size = sizeof(struct config_values),
	.files = true,
	.run = run_check,
};

static const struct verb *const subs[] = { &verb_config_explain, &verb_config_check, NULL };

const struct verb verb_config = {
	.name = "config",
	.brief = { "what tocsin.yaml says, and whether it is right", "tocsin.yaml 的内容及其正确性" },
	.text = { "Key by key, the first that says it wins: a flag, the file of --config or TOCSIN_CONFIG, the project's tocsin.yaml "
		  "(the nearest from the working directory up to the repository's root), the user's ($XDG_CONFIG_HOME/tocsin/tocsin.yaml, else "
		  "~/.config), /etc/tocsin/tocsin.yaml. A list is taken whole. The project's came with the code and may be anybody's: store, "
		  "retention, mirrors and channels are not taken from it.",
		  "每个键按以下顺序取第一个设置：选项、--config 或 TOCSIN_CONFIG 指定的文件、项目的 tocsin.yaml（从工作目录向上直到仓库根目录，取最近的）、"
		  "用户的（$XDG_CONFIG_HOME/tocsin/tocsin.yaml，否则 ~/.config）、/etc/tocsin/tocsin.yaml。列表整体取用。项目的文件随代码而来，可能出自任何人："
		  "不接受其中的 store、retention、mirrors 和 channels。" },
	.subs = subs,
};
