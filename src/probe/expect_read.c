#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "parse/version.h"
#include "parse/yaml.h"
#include "probe/expect.h"

/* Expectations as they are written down. */

enum shape { SHAPE_TEXT, SHAPE_TRUE, SHAPE_LIST /* each is one */, SHAPE_TAGS, SHAPE_MAP };

static const struct {
	const char *key;  /* in a file */
	const char *word; /* on the command line, with what stands between it and its value */
	enum expect_kind kind;
	enum shape shape;
	char between; /* name and value of a word: module:PATH@VERSION */
} rows[] = {
	{ "go", "go:", EXPECT_GO, SHAPE_TEXT, 0 },
	{ "path", "path:", EXPECT_PATH, SHAPE_TEXT, 0 },
	{ "version", "version:", EXPECT_VERSION, SHAPE_TEXT, 0 },
	{ "revision", "revision:", EXPECT_REVISION, SHAPE_TEXT, 0 },
	{ "clean", "clean", EXPECT_CLEAN, SHAPE_TRUE, 0 },
	{ "tags", "tags:", EXPECT_TAGS, SHAPE_TAGS, 0 },
	{ "settings", "setting:", EXPECT_SETTING, SHAPE_MAP, '=' },
	{ "modules", "module:", EXPECT_MODULE, SHAPE_MAP, '@' },
	{ "functions", "func:", EXPECT_FUNC, SHAPE_LIST, 0 },
	{ "packages", "package:", EXPECT_PACKAGE, SHAPE_LIST, 0 },
	{ "embeds", "embed:", EXPECT_EMBED, SHAPE_MAP, '=' },
	{ "no_devel", "no-devel", EXPECT_RELEASE, SHAPE_TRUE, 0 },
	{ "no_replace", "no-replace", EXPECT_NO_REPLACE, SHAPE_TRUE, 0 },
	{ "build_id", "build-id:", EXPECT_BUILD_ID, SHAPE_TEXT, 0 },
	{ "plugins", "plugin:", EXPECT_PLUGIN, SHAPE_LIST, 0 },
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* A value that can never hold is a mistake of whoever wrote it, not a mismatch. */
static const char *wrong_value(const struct expectation *x)
{
	struct span v = span_of(x->value);

	switch (x->kind) {
	case EXPECT_REVISION:
		for (size_t i = 0; i < v.n; i++) {
			if (hex_digit(v.p[i]) < 0)
				return TR("a revision is hexadecimal", "版本号应为十六进制");
		}
		return v.n < 7 ? TR("a revision has 7 digits at least", "版本号至少 7 位") : NULL;
	case EXPECT_EMBED:
		for (size_t i = 0; i < v.n; i++) {
			if (hex_digit(v.p[i]) < 0)
				return TR("the SHA-256 of a file has 64 hexadecimal digits",
					  "文件的 SHA-256 为 64 位十六进制");
		}
		return v.n && v.n != 2 * SHA256_SIZE ? TR("the SHA-256 of a file has 64 hexadecimal digits",
							  "文件的 SHA-256 为 64 位十六进制")
						     : NULL;
	case EXPECT_GO:
	case EXPECT_VERSION:
	case EXPECT_MODULE:
		if (!span_trim(v).n)
			return TR("it needs a value", "缺少值");
		return expect_version_fine(x->kind, v)
			       ? NULL
			       : TR("what is compared with is no version", "用于比较的不是版本");
	case EXPECT_PATH:
	case EXPECT_BUILD_ID: return v.n ? NULL : TR("it needs a value", "缺少值");
	case EXPECT_SETTING: return v.p ? NULL : TR("it needs a value", "缺少值");
	default: return NULL;
	}
}

static int take(struct expect *x, size_t row, struct span name, struct span value, struct err *e)
{
	struct expectation one = { .kind = rows[row].kind };
	bool named = rows[row].shape == SHAPE_MAP || rows[row].shape == SHAPE_LIST;
	struct arena *m = &x->mem;

	if (!mem_grow(&x->v, &x->cap, x->n, sizeof(*x->v)))
		return no_memory(e);
	if (named)
		one.name = arena_str(m, name);
	if (value.p)
		one.value = arena_str(m, value);
	one.said = arena_printf(m, "%s%s%s%s", rows[row].word, one.name ? one.name : "",
				named && one.value ? (const char[]){ rows[row].between, 0 } : "",
				one.value ? one.value : "");
	if (!one.said || (named && !one.name) || (value.p && !one.value))
		return no_memory(e);
	const char *why = named && !name.n ? TR("it needs a name", "缺少名称") : wrong_value(&one);
	if (why)
		return err_set(e, EINVAL, "%s: %s", one.said, why);
	x->v[x->n++] = one;
	return 0;
}

/* A path as it is named in a file: from that file's folder. NULL: no memory. */
static const char *beside(struct expect *x, const char *file, const char *name)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *dir = arena_str(&x->mem, path_dir(span_of(file)));

	if (!dir)
		return NULL;
	path_join(&path, strcmp(dir, ".") ? dir : "", name);
	return path.bad ? NULL : arena_str(&x->mem, buf_view(&path));
}

/* ---- words ---- */

static int unknown_word(const char *word, struct err *e)
{
	CLEANUP(buf_free) struct buf all = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_addf(&all, "%s%s", i ? " " : "", rows[i].word);
	return err_set(e, ENOENT,
		       TR("--expect %s: neither a file nor an expectation; these are: %s",
			  "--expect %s：既不是文件也不是预期；可用：%s"),
		       word, buf_str(&all));
}

int expect_word(struct expect *x, const char *word, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span rest = span_of(word), name = { 0 };

		if (rows[i].shape == SHAPE_TRUE) {
			if (!strcmp(word, rows[i].word))
				return take(x, i, name, (struct span){ 0 }, e);
			continue;
		}
		if (!span_skip(&rest, span_of(rows[i].word)))
			continue;
		if (rows[i].shape == SHAPE_LIST)
			return take(x, i, rest, (struct span){ 0 }, e);
		if (rows[i].shape != SHAPE_MAP)
			return take(x, i, name, rest, e);
		/* The last @ and =: a path may have them, a version or a hash has not. Of a setting the first: its value may be anything. */
		size_t at = rows[i].kind == EXPECT_SETTING ? span_chr(rest, '=')
							   : span_rchr(rest, rows[i].between);
		if (at == SPAN_NONE)
			return take(x, i, rest, (struct span){ 0 }, e);
		return take(x, i, span_head(rest, at), span_from(rest, at + 1), e);
	}
	return unknown_word(word, e);
}

int expect_add(struct expect *x, const char *what, struct err *e)
{
	int r = expect_word(x, what, e);

	if (r != -ENOENT)
		return r;
	struct err file = { 0 };
	r = expect_file(x, what, &file);
	if (r == -ENOENT && !strchr(what, '/') && !strchr(what, '.'))
		return -ENOENT; /* what there is tells more than that there is no such file */
	if (r < 0)
		*e = file;
	return r;
}

/* ---- a file ---- */

static int not_that(const char *name, const struct yaml *v, enum shape shape, struct err *e)
{
	static const struct tx wants[] = {
		[SHAPE_TEXT] = { "a text", "一段文本" },
		[SHAPE_TRUE] = { "true, or nothing at all", "true，或不写" },
		[SHAPE_LIST] = { "a list of texts", "文本列表" },
		[SHAPE_TAGS] = { "a list of tags", "标签列表" },
		[SHAPE_MAP] = { "a mapping of names to texts", "名称到文本的映射" },
	};

	return yaml_err(name, v, e, TR("%.60s: %s is wanted", "%.60s：应为%s"), v->key ? v->key->text.p : "",
			tx(wants[shape]));
}

/* As take, of v in a file: an error names its place. */
static int take_at(struct expect *x, const char *file, const struct yaml *v, size_t row, struct span name,
		   struct span value, struct err *e)
{
	struct err own = { 0 };
	int r = take(x, row, name, value, &own);

	if (r == -EINVAL)
		return yaml_err(file, v, e, "%s", own.msg);
	if (r < 0)
		*e = own;
	return r;
}

static int read_list(struct expect *x, const char *file, size_t row, const struct yaml *v, struct err *e)
{
	CLEANUP(buf_free) struct buf tags = { 0 };

	if (v->kind == YAML_MAP)
		return not_that(file, v, rows[row].shape, e);
	for (const struct yaml *one = v->kind == YAML_LIST ? v->first : v; one;
	     one = v->kind == YAML_LIST ? one->next : NULL) {
		bool nothing = yaml_is_nothing(one) && rows[row].shape != SHAPE_TAGS;
		if (one->kind != YAML_SCALAR || nothing)
			return not_that(file, v, rows[row].shape, e);
		if (rows[row].shape == SHAPE_TAGS) {
			buf_addf(&tags, "%s%.*s", tags.len ? "," : "", SPAN_ARG(one->text));
			continue;
		}
		int r = take_at(x, file, one, row, one->text, (struct span){ 0 }, e);
		if (r < 0)
			return r;
		x->v[x->n - 1].line = one->line;
	}
	return rows[row].shape == SHAPE_TAGS
		       ? take_at(x, file, v, row, (struct span){ 0 }, span_of(buf_str(&tags)), e)
		       : 0;
}

static int read_map(struct expect *x, const char *file, size_t row, const struct yaml *v, struct err *e)
{
	/* embeds may also be a list of names */
	if (v->kind == YAML_LIST && rows[row].kind == EXPECT_EMBED)
		return read_list(x, file, row, v, e);
	if (v->kind != YAML_MAP)
		return not_that(file, v, SHAPE_MAP, e);
	for (const struct yaml *one = v->first; one; one = one->next) {
		if (one->kind != YAML_SCALAR)
			return not_that(file, v, SHAPE_MAP, e);
		bool nothing = yaml_is_nothing(one) && rows[row].kind == EXPECT_EMBED;
		int r = take_at(x, file, one, row, one->key->text, nothing ? (struct span){ 0 } : one->text,
				e);
		if (r < 0)
			return r;
		x->v[x->n - 1].line = one->line;
	}
	return 0;
}

static int read_key(struct expect *x, const char *file, size_t row, const struct yaml *v, struct err *e)
{
	size_t first = x->n;
	int r = 0;

	if (rows[row].shape == SHAPE_MAP)
		r = read_map(x, file, row, v, e);
	else if (rows[row].shape == SHAPE_LIST || rows[row].shape == SHAPE_TAGS)
		r = read_list(x, file, row, v, e);
	else if (v->kind != YAML_SCALAR || yaml_is_nothing(v))
		r = not_that(file, v, rows[row].shape, e);
	else if (rows[row].shape == SHAPE_TEXT)
		r = take_at(x, file, v, row, (struct span){ 0 }, v->text, e);
	else if (span_eq(v->text, S("true")))
		r = take_at(x, file, v, row, (struct span){ 0 }, (struct span){ 0 }, e);
	else if (!span_eq(v->text, S("false")))
		r = not_that(file, v, SHAPE_TRUE, e);
	for (size_t i = first; i < x->n; i++) {
		x->v[i].file = file;
		x->v[i].line = x->v[i].line ? x->v[i].line : v->line;
	}
	return r;
}

static int unknown_key(const char *file, const struct yaml *v, bool warn, struct err *e)
{
	const char *keys[ARRAY_LEN(rows) + 2];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		keys[n++] = rows[i].key;
	if (!warn) { /* these stand at the top alone */
		keys[n++] = "binary";
		keys[n++] = "warn";
	}
	const char *near = text_nearest(v->key->text.p, keys, n);
	if (near)
		return yaml_err(file, v->key, e,
				TR("unknown key '%.60s', did you mean '%s'?",
				   "未知的键“%.60s”，是否指“%s”？"),
				v->key->text.p, near);
	return yaml_err(file, v->key, e, TR("unknown key '%.60s'", "未知的键“%.60s”"), v->key->text.p);
}

static int read_all(struct expect *x, const char *file, const struct yaml *map, bool warn, struct err *e);

static int read_one(struct expect *x, const char *file, const struct yaml *v, bool warn, struct err *e)
{
	size_t first = x->n;

	if (span_eq(v->key->text, S("warn")) && !warn)
		return v->kind == YAML_MAP ? read_all(x, file, v, true, e) : not_that(file, v, SHAPE_MAP, e);
	if (span_eq(v->key->text, S("binary")) && !warn) {
		if (v->kind != YAML_SCALAR || !v->text.n)
			return not_that(file, v, SHAPE_TEXT, e);
		x->binary = beside(x, file, v->text.p);
		return x->binary ? 0 : no_memory(e);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!span_eq(v->key->text, span_of(rows[i].key)))
			continue;
		int r = read_key(x, file, i, v, e);
		for (size_t k = first; k < x->n; k++)
			x->v[k].warn = warn;
		return r;
	}
	return unknown_key(file, v, warn, e);
}

static int read_all(struct expect *x, const char *file, const struct yaml *map, bool warn, struct err *e)
{
	int r = 0;

	for (const struct yaml *v = map->first; v && r == 0; v = v->next)
		r = read_one(x, file, v, warn, e);
	return r;
}

/* Plugins are named from the file's folder. */
static int place_plugins(struct expect *x, size_t first, const char *file, struct err *e)
{
	for (size_t i = first; i < x->n; i++) {
		if (x->v[i].kind != EXPECT_PLUGIN)
			continue;
		x->v[i].name = beside(x, file, x->v[i].name);
		if (!x->v[i].name)
			return no_memory(e);
	}
	return 0;
}

int expect_text(struct expect *x, const char *name, struct span text, struct err *e)
{
	const char *file = arena_str(&x->mem, span_of(name));
	struct yaml *root = NULL;
	size_t first = x->n;

	if (!file)
		return no_memory(e);
	int r = yaml_read(file, text, &x->mem, &root, e);
	if (r < 0)
		return r;
	if (root && root->kind != YAML_MAP)
		return yaml_err(file, root, e, TR("a mapping of expectations is wanted", "应为预期的映射"));
	r = root ? read_all(x, file, root, false, e) : 0;
	if (r == 0 && first == x->n)
		r = err_set(e, EINVAL, TR("'%s' expects nothing", "“%s”中没有任何预期"), name);
	return r == 0 ? place_plugins(x, first, file, e) : r;
}

int expect_file(struct expect *x, const char *path, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = YAML_BYTES };

	int r = file_slurp(path, &text, e);
	return r < 0 ? r : expect_text(x, path, buf_view(&text), e);
}

void expect_free(struct expect *x)
{
	mem_free(x->v);
	arena_free(&x->mem);
	*x = (struct expect){ 0 };
}

void expect_free_cleanup(struct expect *x)
{
	expect_free(x);
}
