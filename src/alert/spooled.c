#include "alert/owe.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"

#define FILES_MAX 10000
#define FILE_MAX (2u << 20)

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

int spooled_write(const char *dir, const struct alert_row *a, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 }, text = { 0 };
	struct json_out j = { .to = &text };

	int r = path_mkdirs(dir, 0700, e);
	if (r < 0)
		return r;
	buf_addf(&path, "%s/%.*s.json", dir, SPAN_ARG(a->id));
	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.spool/1");
	json_key(&j, "id");
	json_str(&j, a->id);
	json_key(&j, "run");
	json_str(&j, a->run);
	json_key(&j, "channel");
	json_str(&j, a->channel);
	json_key(&j, "owed");
	buf_span(&text, a->body);
	j.comma = true;
	json_close(&j, '}');
	buf_addc(&text, '\n');
	return path.bad || text.bad ? no_memory(e) : file_replace(path.p, buf_view(&text), e);
}

static const char *text_at(struct span json, const char *key, struct arena *mem)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span raw;

	if (!json_find(json, key, &raw) || !raw.n || raw.p <= json.p || raw.p >= json.p + json.n || raw.p[-1] != '"')
		return NULL;
	json_unescape(raw, &b);
	return b.bad ? NULL : arena_str(mem, buf_view(&b));
}

static bool is_ulid(const char *id)
{
	return id && strlen(id) == 26 && strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == 26;
}

/* The value of "owed", which is an object. */
static struct span body_of(struct span json)
{
	struct json_in j = { .text = json };
	enum json_tok t = json_next(&j);

	while (t == JSON_OBJ && (t = json_next(&j)) == JSON_KEY) {
		bool here = span_eq(j.value, S("owed"));
		enum json_tok v = json_next(&j);
		size_t from = j.at - 1;
		if ((v == JSON_OBJ || v == JSON_ARR) && !json_skip(&j))
			break;
		if (here)
			return v == JSON_OBJ ? (struct span){ json.p + from, j.at - from } : (struct span){ 0 };
		t = JSON_OBJ;
	}
	return (struct span){ 0 };
}

struct taking {
	struct store *outbox;
	const struct config *c;
	int64_t now;
	struct owed *ret;
	struct list *paths, ids;
};

/* Its configuration is the one of this machine, not the one that the other had. */
static int take(struct taking *t, struct span json, const char *path, struct err *e)
{
	CLEANUP(buf_free) struct buf body = { 0 }, config = { 0 };
	struct arena *mem = &t->ret->mem;
	struct owed_body o;

	const char *id = text_at(json, "id", mem), *run = text_at(json, "run", mem), *channel = text_at(json, "channel", mem);
	if (!is_ulid(id) || !channel || owed_read(body_of(json), mem, &o, e) < 0)
		return err_set(e, EBADMSG, TR("'%s' is no spooled alert", "“%s”不是导出的告警"), path);
	owe_config_path(t->c, &config);
	owed_json(buf_str(&config), o.project.p, o.group.n ? o.group.p : NULL, o.escalates, o.alert, &body);
	if (body.bad || config.bad || !list_add(mem, &t->ids, id) || !list_add(mem, t->paths, path))
		return no_memory(e);
	const struct alert_owed row = { .id = id, .run = run, .channel = channel, .body = buf_view(&body) };
	int r = outbox_owe(t->outbox, &row, 1, NULL, 0, t->now, e);
	return r < 0 ? r : 0;
}

int spooled_owe(struct store *outbox, const struct config *c, const char *dir, int64_t now, struct owed *ret, struct list *paths, struct err *e)
{
	struct taking t = { .outbox = outbox, .c = c, .now = now, .ret = ret, .paths = paths };
	int r = 0, n = 0;

	*ret = (struct owed){ 0 };
	DIR *d = opendir(dir);
	if (!d)
		return err_set(e, errno, TR("read '%s': %m", "无法读取“%s”：%m"), dir);
	for (struct dirent *x; r == 0 && n < FILES_MAX && (x = readdir(d));) {
		CLEANUP(buf_free) struct buf text = { .max = FILE_MAX };
		if (!span_ends(span_of(x->d_name), S(".json")))
			continue;
		const char *path = arena_printf(&ret->mem, "%s/%s", dir, x->d_name);
		r = path ? file_slurp(path, &text, e) : no_memory(e);
		if (r == 0)
			r = take(&t, buf_view(&text), path, e);
		n++;
	}
	closedir(d);
	ret->ids = t.ids.v;
	ret->n = t.ids.n;
	return r;
}
