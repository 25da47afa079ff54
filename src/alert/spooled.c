#include "alert/owe.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "alert/note.h"
#include "base/mem.h"
#include "base/path.h"

#define FILES_MAX 10000
#define FILE_MAX (2u << 20)

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

struct spooled {
	struct span schema, id, run, channel, owed;
};

#define PART(kind, name) { #name, kind, offsetof(struct spooled, name) }
static const struct note_field parts[] = {
	PART(NOTE_SPAN, schema), PART(NOTE_SPAN, id), PART(NOTE_SPAN, run), PART(NOTE_SPAN, channel), PART(NOTE_OBJECT, owed),
};
#undef PART

int spooled_write(const char *dir, const struct alert_row *a, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 }, text = { 0 };
	const struct spooled x = { S("tocsin.spool/1"), a->id, a->run, a->channel, a->body };

	int r = path_mkdirs(dir, 0700, e);
	if (r < 0)
		return r;
	buf_addf(&path, "%s/%.*s.json", dir, SPAN_ARG(a->id));
	note_write(parts, ARRAY_LEN(parts), &x, &text);
	buf_addc(&text, '\n');
	return path.bad || text.bad ? no_memory(e) : file_replace(path.p, buf_view(&text), e);
}

static bool is_ulid(struct span id)
{
	return id.n == 26 && strspn(id.p, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == 26;
}

struct taking {
	struct store *outbox;
	const struct config *c;
	int64_t now;
	struct owed *ret;
	struct list *paths, ids;
	struct err *e;
};

/* Its configuration is the one of this machine, not the one that the other had. */
static int take(struct taking *t, struct span json, const char *path, struct err *e)
{
	CLEANUP(buf_free) struct buf body = { 0 }, config = { 0 };
	struct arena *mem = &t->ret->mem;
	struct spooled x = { 0 };
	struct owed_body o = { 0 };

	int r = note_read(json, parts, ARRAY_LEN(parts), mem, &x, NULL);
	if (r == 0)
		r = is_ulid(x.id) && x.channel.n ? owed_read(x.owed, mem, &o, e) : -EBADMSG;
	if (r < 0)
		return r == -ENOMEM ? no_memory(e) : err_set(e, EBADMSG, TR("'%s' is no spooled alert", "“%s”不是导出的告警"), path);
	size_t before = t->ids.n;
	if (!list_add(mem, &t->ids, x.id.p))
		return no_memory(e);
	if (t->ids.n == before) /* a copy of a file that was read */
		return 0;
	owe_config_path(t->c, &config);
	o.config = buf_view(&config);
	o.storm = false; /* what it counts is there, not here */
	owed_write(&o, &body);
	if (body.bad || config.bad || !list_add(mem, t->paths, path))
		return no_memory(e);
	const struct alert_owed row = { .id = x.id.p, .run = x.run.p, .channel = x.channel.p, .body = buf_view(&body) };
	r = outbox_owe(t->outbox, &row, 1, NULL, 0, t->now, e);
	return r < 0 ? r : 0;
}

/* What cannot be read keeps nothing else from being sent: it is said, and its file stays. */
static int take_file(struct taking *t, const char *dir, const char *name)
{
	CLEANUP(buf_free) struct buf text = { .max = FILE_MAX };
	struct arena *mem = &t->ret->mem;
	struct err *e = t->e;

	const char *path = arena_printf(mem, "%s/%s", dir, name);
	int r = path ? file_slurp(path, &text, e) : no_memory(e);
	bool readable = r == 0;
	if (r == 0)
		r = take(t, buf_view(&text), path, e);
	if (r == 0 || r == -ENOMEM || (readable && r != -EBADMSG))
		return r;
	const char *why = arena_str(mem, span_of(e->msg));
	return why && list_add(mem, &t->ret->notes, why) ? 0 : no_memory(e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The oldest first: what ends something comes after it, also where a deliverer is at work already. */
static int names_in(const char *dir, struct arena *mem, struct list *ret, struct err *e)
{
	DIR *d = opendir(dir);
	bool good = true;

	if (!d)
		return err_set(e, errno, TR("read '%s': %m", "无法读取“%s”：%m"), dir);
	for (struct dirent *x; good && ret->n < FILES_MAX && (x = readdir(d));) {
		const char *name = span_ends(span_of(x->d_name), S(".json")) ? arena_str(mem, span_of(x->d_name)) : "";
		good = name && (!*name || list_add(mem, ret, name));
	}
	closedir(d);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	return good ? 0 : no_memory(e);
}

int spooled_owe(struct store *outbox, const struct config *c, const char *dir, int64_t now, struct owed *ret, struct list *paths, struct err *e)
{
	struct taking t = { .outbox = outbox, .c = c, .now = now, .ret = ret, .paths = paths, .e = e };
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct list names = { 0 };

	*ret = (struct owed){ 0 };
	int r = names_in(dir, &mem, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = take_file(&t, dir, names.v[i]);
	ret->ids = t.ids.v;
	ret->n = t.ids.n;
	if (r == 0 && !ret->n && ret->notes.n)
		r = err_set(e, EBADMSG, "%s", ret->notes.v[0]);
	return r;
}
