/* Alerts as JSON: written, and read back as what anybody may have written. */
#include "alert/kept.h"

#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define SCHEMA "tocsin.alert/1"

static const char *const lang_words[] = { "en", "zh", NULL };

/* ---- one table to write and to read ---- */

enum type { TYPE_SCHEMA, TYPE_ID, TYPE_KIND, TYPE_LEVEL, TYPE_LANG, TYPE_TEXT, TYPE_FLAG, TYPE_COUNT, TYPE_MS, TYPE_TIME, TYPE_LIST, TYPE_ITEMS };

struct row {
	const char *key;
	enum type type;
	size_t at;  /* of the field */
	size_t max; /* bytes of a text */
};

#define FIELD(type, name) offsetof(struct type, name)
#define NAME(type, name)  { #name, TYPE_TEXT, FIELD(type, name), NAME_MAX_BYTES }
#define LINE(type, name)  { #name, TYPE_TEXT, FIELD(type, name), LINE_MAX_BYTES }
#define WORDS(type, name) { #name, TYPE_TEXT, FIELD(type, name), TEXT_MAX_BYTES }
#define COUNT(type, name) { #name, TYPE_COUNT, FIELD(type, name), 0 }

static const struct row item_rows[] = {
	NAME(alert_item, cause), NAME(alert_item, severity), LINE(alert_item, title), LINE(alert_item, package), LINE(alert_item, test),
	LINE(alert_item, place), { "excerpt", TYPE_TEXT, FIELD(alert_item, excerpt), EXCERPT_MAX_BYTES }, WORDS(alert_item, advice),
	NAME(alert_item, fault), NAME(alert_item, state), NAME(alert_item, fingerprint), WORDS(alert_item, said),
	{ "owners", TYPE_LIST, FIELD(alert_item, owners), NAME_MAX_BYTES }, COUNT(alert_item, count), { 0 },
};

static const struct row alert_rows[] = {
	{ "schema", TYPE_SCHEMA, 0, 0 }, { "id", TYPE_ID, FIELD(alert, id), 0 }, { "kind", TYPE_KIND, FIELD(alert, kind), 0 }, NAME(alert, key),
	NAME(alert, series), { "level", TYPE_LEVEL, FIELD(alert, level), 0 }, { "early", TYPE_FLAG, FIELD(alert, early), 0 },
	{ "lang", TYPE_LANG, FIELD(alert, lang), 0 }, { "at", TYPE_TIME, FIELD(alert, at), 0 }, NAME(alert, run), LINE(alert, project),
	LINE(alert, branch), NAME(alert, commit), LINE(alert, job), WORDS(alert, url), NAME(alert, actor), NAME(alert, pr), NAME(alert, ci),
	NAME(alert, go), NAME(alert, host), WORDS(alert, command), NAME(alert, outcome), NAME(alert, cause), NAME(alert, severity),
	WORDS(alert, summary), { "duration_ms", TYPE_MS, FIELD(alert, duration_ns), 0 }, COUNT(alert, packages), COUNT(alert, tests),
	COUNT(alert, failed), { "items", TYPE_ITEMS, 0, 0 }, COUNT(alert, more), { 0 },
};

/* ---- writing ---- */

static void put_count(struct json_out *j, int64_t v)
{
	if (v < 0)
		json_null(j);
	else
		json_int(j, v);
}

static void put_time(struct json_out *j, int64_t at)
{
	char text[64];

	at = at < 0 ? 0 : at;
	time_rfc3339(at, text);
	snprintf(text + strlen(text) - 1, 24, ".%09lldZ", (long long)(at % NSEC_PER_SEC));
	json_strz(j, text);
}

static void put_rows(struct json_out *j, const void *base, const struct row *row);

static void put_items(struct json_out *j, const struct alert *a)
{
	json_open(j, '[');
	for (size_t i = 0; i < a->n_items; i++)
		put_rows(j, &a->items[i], item_rows);
	json_close(j, ']');
}

static void put_list(struct json_out *j, const struct list *l)
{
	json_open(j, '[');
	for (size_t i = 0; i < l->n; i++)
		json_strz(j, l->v[i]);
	json_close(j, ']');
}

static void put_field(struct json_out *j, const void *base, const struct row *row)
{
	const void *at = (const char *)base + row->at;

	switch (row->type) {
	case TYPE_SCHEMA: json_strz(j, SCHEMA); break;
	case TYPE_ID: json_strz(j, at); break;
	case TYPE_KIND: json_strz(j, alert_kind_words[*(const enum alert_kind *)at]); break;
	case TYPE_LANG: json_strz(j, lang_words[*(const enum lang *)at == LANG_ZH]); break;
	case TYPE_LEVEL:
	case TYPE_TEXT: json_strz(j, *(const char *const *)at); break;
	case TYPE_FLAG: json_bool(j, *(const bool *)at); break;
	case TYPE_COUNT: put_count(j, *(const int64_t *)at); break;
	case TYPE_MS: put_count(j, *(const int64_t *)at < 0 ? -1 : *(const int64_t *)at / NSEC_PER_MSEC); break;
	case TYPE_TIME: put_time(j, *(const int64_t *)at); break;
	case TYPE_LIST: put_list(j, at); break;
	case TYPE_ITEMS: put_items(j, base); break;
	}
}

static void put_rows(struct json_out *j, const void *base, const struct row *row)
{
	json_open(j, '{');
	for (; row->key; row++) {
		json_key(j, row->key);
		put_field(j, base, row);
	}
	json_close(j, '}');
}

void alert_json(const struct alert *a, struct buf *ret)
{
	struct json_out j = { .to = ret };

	put_rows(&j, a, alert_rows);
}

/* ---- reading ---- */

struct reader {
	struct json_in in;
	struct arena *mem;
	struct err *e;
	struct buf text, clean; /* scratch */
	bool schema;
};

static int not_json(struct reader *rd)
{
	if (rd->in.at >= rd->in.text.n)
		return err_set(rd->e, EBADMSG, TR("the alert: byte %zu: it ends too early", "告警：第 %zu 字节：内容不完整，提前结束"), rd->in.at);
	return err_set(rd->e, EBADMSG, TR("the alert: byte %zu: this is not JSON", "告警：第 %zu 字节：不是合法的 JSON"), rd->in.at);
}

static int not_a(struct reader *rd, enum json_tok t, const char *key, struct tx want)
{
	if (t <= JSON_END)
		return not_json(rd);
	return err_set(rd->e, EBADMSG, TR("the alert: byte %zu: \"%s\" is not %s", "告警：第 %zu 字节：“%s”不是%s"), rd->in.at, key, tx(want));
}

static const struct tx a_text = { "a text", "文本" }, a_number = { "a whole number that fits", "合适的整数" },
		       a_bool = { "true or false", "true 或 false" }, an_object = { "an object", "对象" },
		       an_array = { "an array", "数组" }, a_time = { "a time", "时间" }, an_id = { "an id of 26 letters and digits", "由 26 个字母和数字组成的编号" };

/* Bytes that are no UTF-8, and NUL, become U+FFFD. */
static struct span make_valid(struct reader *rd, struct span s)
{
	uint32_t cp;

	buf_clear(&rd->clean);
	for (size_t n; s.n; s = span_from(s, n)) {
		for (n = 0; n < s.n && (signed char)s.p[n] > 0; n++)
			;
		buf_add(&rd->clean, s.p, n);
		if (n)
			continue;
		n = utf8_decode(s, &cp);
		if (cp == UTF8_BAD || cp == 0)
			buf_adds(&rd->clean, "\xef\xbf\xbd");
		else
			buf_add(&rd->clean, s.p, n);
	}
	return (struct span){ buf_str(&rd->clean), rd->clean.len };
}

/* In scratch memory that the next text takes; null is "". */
static int text_of(struct reader *rd, enum json_tok t, const char *key, struct span *ret)
{
	struct span body = rd->in.value;

	*ret = S("");
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_STR)
		return not_a(rd, t, key, a_text);
	buf_clear(&rd->text);
	if (!json_unescape(body, &rd->text) && !rd->text.bad)
		return not_a(rd, t, key, (struct tx){ "written with the escapes of JSON", "以 JSON 转义书写的文本" });
	*ret = make_valid(rd, (struct span){ buf_str(&rd->text), rd->text.len });
	return rd->text.bad || rd->clean.bad ? alert_no_memory(rd->e) : 0;
}

static int keep_text(struct reader *rd, enum json_tok t, const struct row *row, const char **ret)
{
	struct span s;
	int n = text_of(rd, t, row->key, &s);

	*ret = NULL;
	if (n < 0 || !s.n)
		return n;
	*ret = arena_str(rd->mem, utf8_head(s, row->max));
	return *ret ? 0 : alert_no_memory(rd->e);
}

/* The index of a word of the list; `other`: it is none. */
static int word_of(struct reader *rd, enum json_tok t, const char *key, const char *const *words, int other, int *ret)
{
	struct span s;
	int n = text_of(rd, t, key, &s);

	*ret = other;
	for (int i = 0; n == 0 && words[i]; i++) {
		if (span_eq(span_of(words[i]), s))
			*ret = i;
	}
	return n;
}

static int take_kind(struct reader *rd, enum json_tok t, const struct row *row, enum alert_kind *to)
{
	CLEANUP(buf_free) struct buf shown = { 0 };
	int word, n = word_of(rd, t, row->key, alert_kind_words, -1, &word);

	if (n < 0)
		return n;
	if (word < 0) {
		text_clean(utf8_head(buf_view(&rd->clean), 40), false, &shown);
		return err_set(rd->e, EBADMSG, TR("the alert: byte %zu: its kind is '%s', which this version does not know",
						  "告警：第 %zu 字节：类型“%s”是此版本不认识的"), rd->in.at, buf_str(&shown));
	}
	*to = (enum alert_kind)word;
	return 0;
}

static int take_schema(struct reader *rd, enum json_tok t, const struct row *row)
{
	static const char *const words[] = { SCHEMA, NULL };
	int word, n = word_of(rd, t, row->key, words, -1, &word);

	if (n == 0 && word < 0)
		return not_a(rd, t, row->key, (struct tx){ "\"" SCHEMA "\"", "“" SCHEMA "”" });
	rd->schema = n == 0;
	return n;
}

static int take_id(struct reader *rd, enum json_tok t, const struct row *row, char to[27])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	struct span s;
	int n = text_of(rd, t, row->key, &s);

	if (n < 0)
		return n;
	if (s.n != 26 || strspn(s.p, digits) != 26)
		return not_a(rd, t, row->key, an_id);
	memcpy(to, s.p, 26);
	to[26] = '\0';
	return 0;
}

/* null and what is below zero are -1: not known. */
static int take_number(struct reader *rd, enum json_tok t, const struct row *row, int64_t *to)
{
	int64_t most = row->type == TYPE_MS ? INT64_MAX / NSEC_PER_MSEC : INT64_MAX;

	*to = -1;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_NUM || !span_int(rd->in.value, to) || *to > most)
		return not_a(rd, t, row->key, a_number);
	*to = *to < 0 ? -1 : row->type == TYPE_MS ? *to * NSEC_PER_MSEC : *to;
	return 0;
}

static int take_time(struct reader *rd, enum json_tok t, const struct row *row, int64_t *to)
{
	struct span s;
	int n = text_of(rd, t, row->key, &s);

	*to = 0;
	if (n < 0 || !s.n)
		return n;
	return time_parse_rfc3339(s, to) && *to >= 0 ? 0 : not_a(rd, t, row->key, a_time);
}

static int skip(struct reader *rd, enum json_tok t)
{
	if (t <= JSON_END || ((t == JSON_OBJ || t == JSON_ARR) && !json_skip(&rd->in)))
		return not_json(rd);
	return 0;
}

static int take_list(struct reader *rd, enum json_tok t, const struct row *row, struct list *to)
{
	*to = (struct list){ 0 };
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARR)
		return not_a(rd, t, row->key, an_array);
	while ((t = json_next(&rd->in)) != JSON_ARR_END) {
		const char *text = NULL;
		int n = to->n >= ALERT_OWNERS_MAX ? skip(rd, t) : keep_text(rd, t, row, &text);
		if (n < 0)
			return n;
		if (text && !list_add(rd->mem, to, text))
			return alert_no_memory(rd->e);
	}
	return 0;
}

static int read_rows(struct reader *rd, enum json_tok t, const char *key, void *base, const struct row *rows);

/* The first ALERT_ITEMS_MAX; the others are counted. */
static int take_items(struct reader *rd, enum json_tok t, const struct row *row, struct alert *a)
{
	struct alert_item dropped;

	a->n_items = 0;
	a->items = NULL;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARR)
		return not_a(rd, t, row->key, an_array);
	a->items = arena_alloc(rd->mem, ALERT_ITEMS_MAX * sizeof(*a->items));
	if (!a->items)
		return alert_no_memory(rd->e);
	while ((t = json_next(&rd->in)) != JSON_ARR_END) {
		bool room = a->n_items < ALERT_ITEMS_MAX;
		if (t != JSON_OBJ)
			return not_a(rd, t, row->key, (struct tx){ "an array of objects", "由对象组成的数组" });
		struct alert_item *to = room ? &a->items[a->n_items] : &dropped;
		*to = (struct alert_item){ .count = -1 };
		int n = room ? read_rows(rd, t, row->key, to, item_rows) : skip(rd, t);
		if (n < 0)
			return n;
		a->n_items += room;
	}
	return 0;
}

static int take_field(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	void *at = (char *)base + row->at;
	int word = 0, n = 0;

	switch (row->type) {
	case TYPE_SCHEMA: return take_schema(rd, t, row);
	case TYPE_ID: return take_id(rd, t, row, at);
	case TYPE_KIND: return take_kind(rd, t, row, at);
	case TYPE_LEVEL: /* of one that is not known: better loud */
		n = word_of(rd, t, row->key, alert_level_words, 0, &word);
		*(const char **)at = alert_level_words[word];
		return n;
	case TYPE_LANG:
		n = word_of(rd, t, row->key, lang_words, 0, &word);
		*(enum lang *)at = word ? LANG_ZH : LANG_EN;
		return n;
	case TYPE_TEXT: return keep_text(rd, t, row, at);
	case TYPE_FLAG:
		if (t != JSON_TRUE && t != JSON_FALSE && t != JSON_NULL)
			return not_a(rd, t, row->key, a_bool);
		*(bool *)at = t == JSON_TRUE;
		return 0;
	case TYPE_COUNT:
	case TYPE_MS: return take_number(rd, t, row, at);
	case TYPE_TIME: return take_time(rd, t, row, at);
	case TYPE_LIST: return take_list(rd, t, row, at);
	case TYPE_ITEMS: return take_items(rd, t, row, base);
	}
	return 0;
}

static int read_rows(struct reader *rd, enum json_tok t, const char *key, void *base, const struct row *rows)
{
	if (t != JSON_OBJ)
		return not_a(rd, t, key, an_object);
	while ((t = json_next(&rd->in)) == JSON_KEY) {
		const struct row *row = rows;
		while (row->key && !span_eq(span_of(row->key), rd->in.value))
			row++;
		t = json_next(&rd->in);
		int n = row->key && t > JSON_END ? take_field(rd, t, base, row) : skip(rd, t);
		if (n < 0)
			return n;
	}
	return t == JSON_OBJ_END ? 0 : not_json(rd);
}

static int read_whole(struct reader *rd, struct alert *ret)
{
	int n = read_rows(rd, json_next(&rd->in), "alert", ret, alert_rows);

	if (n < 0)
		return n;
	if (json_next(&rd->in) != JSON_END)
		return not_json(rd);
	if (!rd->schema || !ret->id[0])
		return err_set(rd->e, EBADMSG, TR("the alert: byte %zu: this is no alert: \"%s\" is missing", "告警：第 %zu 字节：不是告警：缺少“%s”"),
			       rd->in.at, rd->schema ? "id" : "schema");
	ret->level = ret->level ? ret->level : alert_level_words[0];
	ret->more = ret->more < 0 ? 0 : ret->more;
	return 0;
}

int alert_read(struct span json, struct alert *ret, struct err *e)
{
	struct reader rd = { .in = { .text = json }, .mem = &ret->mem, .e = e };

	*ret = (struct alert){ .duration_ns = -1, .packages = -1, .tests = -1, .failed = -1 };
	int n = json.n > ALERT_JSON_MAX ?
		err_set(e, EFBIG, TR("the alert: it is longer than %d bytes", "告警：内容超过 %d 字节"), ALERT_JSON_MAX) : read_whole(&rd, ret);
	buf_free(&rd.text);
	buf_free(&rd.clean);
	if (n < 0)
		alert_free(ret);
	return n;
}
