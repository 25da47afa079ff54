#include "alert/note.h"

#include <errno.h>

#include "base/json.h"
#include "base/mem.h"

static const struct note_field *find(const struct note_field *fields, size_t n, struct span key)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(key, span_of(fields[i].key)))
			return &fields[i];
	}
	return NULL;
}

static int take_text(const struct note_field *f, struct span raw, struct arena *mem, void *to)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	json_unescape(raw, &b);
	struct span text = b.bad ? (struct span){ 0 } : arena_span(mem, (struct span){ buf_str(&b), b.len });
	if (!text.p)
		return -ENOMEM;
	if (f->kind == NOTE_SPAN)
		memcpy(to, &text, sizeof(text));
	else
		memcpy(to, &text.p, sizeof(text.p));
	return 0;
}

/* t, v: a value that has been read; of an object or array its whole text. */
static int take(const struct note_field *f, enum json_tok t, struct span v, struct arena *mem, void *ret)
{
	void *to = (char *)ret + f->at;
	int64_t number;
	bool is;

	switch (f->kind) {
	case NOTE_TEXT:
	case NOTE_SPAN:
		return t == JSON_STR ? take_text(f, v, mem, to) : 0;
	case NOTE_NUMBER:
		if (t == JSON_NUM && span_int(v, &number))
			memcpy(to, &number, sizeof(number));
		return 0;
	case NOTE_TRUE:
		is = t == JSON_TRUE;
		memcpy(to, &is, sizeof(is));
		return 0;
	case NOTE_OBJECT:
		if (t == JSON_OBJ)
			memcpy(to, &v, sizeof(v));
		return 0;
	}
	return 0;
}

static int read_member(struct json_in *j, const struct note_field *f, struct arena *mem, void *ret)
{
	enum json_tok t = json_next(j);
	size_t from = j->at - 1;
	struct span v = j->value;

	if (t <= JSON_END)
		return -EBADMSG;
	if (t == JSON_OBJ || t == JSON_ARR) {
		if (!json_skip(j))
			return -EBADMSG;
		v = (struct span){ j->text.p + from, j->at - from };
	}
	return f ? take(f, t, v, mem, ret) : 0;
}

int note_read(struct span json, const struct note_field *fields, size_t n, struct arena *mem, void *ret, size_t *at)
{
	struct json_in j = { .text = json };
	enum json_tok t = json_next(&j);
	int r = t == JSON_OBJ ? 0 : -EBADMSG;

	while (r == 0 && (t = json_next(&j)) == JSON_KEY)
		r = read_member(&j, find(fields, n, j.value), mem, ret);
	if (r == 0 && (t != JSON_OBJ_END || json_next(&j) != JSON_END))
		r = -EBADMSG;
	if (at)
		*at = j.at;
	return r;
}

static void put(struct json_out *j, const struct note_field *f, const void *from)
{
	const char *at = (const char *)from + f->at, *text;
	struct span s;
	int64_t number;
	bool is;

	switch (f->kind) {
	case NOTE_TEXT:
		memcpy(&text, at, sizeof(text));
		json_strz(j, text);
		break;
	case NOTE_SPAN:
		memcpy(&s, at, sizeof(s));
		json_str(j, s);
		break;
	case NOTE_NUMBER:
		memcpy(&number, at, sizeof(number));
		json_int(j, number);
		break;
	case NOTE_TRUE:
		memcpy(&is, at, sizeof(is));
		json_bool(j, is);
		break;
	case NOTE_OBJECT:
		memcpy(&s, at, sizeof(s));
		buf_span(j->to, s);
		j->comma = true;
		break;
	}
}

void note_write(const struct note_field *fields, size_t n, const void *from, struct buf *ret)
{
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	for (size_t i = 0; i < n; i++) {
		json_key(&j, fields[i].key);
		put(&j, &fields[i], from);
	}
	json_close(&j, '}');
}
