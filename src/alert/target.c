#include "alert/target.h"

#include <errno.h>

#include "base/mem.h"
#include "base/path.h"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

int target_names(const struct config *c, struct arena *mem, struct list *ret, struct err *e)
{
	for (size_t i = 0; i < c->n_channels; i++) {
		if (!list_add(mem, ret, c->channels[i].name))
			return no_memory(e);
	}
	return 0;
}

static int add_ref(const char *text, struct arena *mem, struct list *ret, struct err *e)
{
	return !text || !secret_is_reference(text) || list_add(mem, ret, text) ? 0 : no_memory(e);
}

static int add_refs(const struct config_channel *k, struct arena *mem, struct list *ret, struct err *e)
{
	int r = add_ref(k->url, mem, ret, e);

	if (r == 0)
		r = add_ref(k->secret, mem, ret, e);
	for (size_t i = 0; i < k->n_options && r == 0; i++)
		r = add_ref(k->options[i].value, mem, ret, e);
	return r;
}

int target_refs(const struct config *c, const char *name, struct arena *mem, struct list *ret, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < c->n_channels && r == 0; i++) {
		if (!name || !strcmp(c->channels[i].name, name))
			r = add_refs(&c->channels[i], mem, ret, e);
	}
	return r;
}

/* ---- one of them ---- */

struct making {
	struct target *t;
	const char *dir;   /* of the configuration's file */
	struct secrets *s; /* NULL: bare */
	struct err *e;
};

static int value_of(struct making *m, const char *text, struct span *ret)
{
	if (!text)
		return 0;
	if (secret_is_reference(text)) {
		*ret = S("[redacted]");
		return m->s ? secret_get(m->s, text, ret, m->e) : 0;
	}
	*ret = arena_span(&m->t->mem, span_of(text));
	return ret->p ? 0 : no_memory(m->e);
}

/*
 * A file that the configuration names lies beside it: where we happen to stand (a working tree, with somebody else's files in
 * it) has no say. A bare name is for PATH.
 */
static struct span beside(struct making *m, struct span path)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	path_join(&b, m->dir, path.p);
	return b.bad ? (struct span){ 0 } : arena_span(&m->t->mem, buf_view(&b));
}

/* Keys that are for the wire, not for the channel. */
static int take_wire_key(struct making *m, const struct config_pair *p, bool *taken)
{
	struct target *t = m->t;
	struct span v = { 0 };
	int r = 0;

	*taken = true;
	if (!strcmp(p->key, "ca_file")) {
		t->ca_file = beside(m, span_of(p->value)).p;
		r = t->ca_file ? 0 : no_memory(m->e);
	} else if (!strcmp(p->key, "proxy")) {
		r = value_of(m, p->value, &v);
		t->proxy = r == 0 ? arena_str(&t->mem, v) : NULL;
	} else if (!strcmp(p->key, "allow_plain")) {
		t->allow_plain = !strcmp(p->value, "true");
	} else {
		*taken = false;
	}
	return r;
}

/* Of a list each text comes as an option of its own: for the channel they are the lines of one. */
static int join_option(struct making *m, struct option *o, struct span more)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_span(&b, o->value);
	buf_addc(&b, '\n');
	buf_span(&b, more);
	o->value = arena_span(&m->t->mem, buf_view(&b));
	return b.bad || !o->value.p ? no_memory(m->e) : 0;
}

static int add_option(struct making *m, const struct config_pair *p)
{
	struct channel_target *t = &m->t->t;
	struct option *o = &t->options[t->n_options];
	struct span v = { 0 };
	bool taken;
	int r = take_wire_key(m, p, &taken);

	if (r < 0 || taken)
		return r;
	r = value_of(m, p->value, &v);
	if (r < 0)
		return r;
	if (t->n_options && !strcmp(o[-1].key, p->key))
		return join_option(m, &o[-1], v);
	if (!strcmp(p->key, "command") && span_chr(span_head(v, span_chr(v, ' ')), '/') != SPAN_NONE)
		v = beside(m, v);
	if (!v.p)
		return no_memory(m->e);
	o->key = arena_str(&m->t->mem, span_of(p->key));
	o->value = v;
	t->n_options += o->key != NULL;
	return o->key ? 0 : no_memory(m->e);
}

static int add_mentions(struct making *m, const struct config_channel *k)
{
	struct channel_target *t = &m->t->t;

	t->mentions = arena_alloc(&m->t->mem, (k->n_mentions + 1) * sizeof(*t->mentions));
	if (!t->mentions)
		return no_memory(m->e);
	for (size_t i = 0; i < k->n_mentions; i++) {
		struct mention *x = &t->mentions[t->n_mentions++];
		x->owner = arena_str(&m->t->mem, span_of(k->mentions[i].key));
		x->id = arena_str(&m->t->mem, span_of(k->mentions[i].value));
		if (!x->owner || !x->id)
			return no_memory(m->e);
	}
	return 0;
}

static int check(struct making *m, const char *name)
{
	struct target *t = m->t;

	if (!t->t.url.n && t->ops->default_url)
		t->t.url = span_of(t->ops->default_url);
	if (t->ops->needs_url && !t->t.url.n)
		return err_set(m->e, EINVAL, TR("the channel '%s' (%s) needs `url`", "渠道“%s”（%s）需要 `url`"), name, t->at);
	if (t->ops->needs_secret && !t->t.secret.n)
		return err_set(m->e, EINVAL, TR("the channel '%s' (%s) needs `secret`", "渠道“%s”（%s）需要 `secret`"), name, t->at);
	return 0;
}

static int make(const struct config *c, const char *name, struct making *m)
{
	const struct config_channel *k = config_channel_named(c, name);
	struct target *t = m->t;
	int r = 0;

	if (!k)
		return err_set(m->e, ENOENT, TR("no trusted tocsin.yaml has a channel named '%s'", "可信的 tocsin.yaml 中没有名为“%s”的渠道"), name);
	const char *file = c->files[k->place].shown;
	const char *path = c->files[k->place].path;
	m->dir = arena_str(&t->mem, path_dir(span_of(path ? path : "")));
	t->at = arena_printf(&t->mem, "%s:%d", file ? file : "tocsin.yaml", k->line);
	t->t.name = arena_str(&t->mem, span_of(name));
	t->t.options = arena_alloc(&t->mem, (k->n_options + 1) * sizeof(*t->t.options));
	if (!m->dir || !t->at || !t->t.name || !t->t.options)
		return no_memory(m->e);
	if (k->lang)
		t->t.lang = !strcmp(k->lang, "zh") ? LANG_ZH : LANG_EN;
	t->ops = channel_find(k->type);
	if (!t->ops)
		return err_set(m->e, EINVAL, TR("the channel '%s' (%s) has the unknown type '%.40s'", "渠道“%s”（%s）的类型“%.40s”未知"), name, t->at, k->type);
	t->per_minute = t->ops->per_minute;
	for (size_t i = 0; i < k->n_options && r == 0; i++)
		r = add_option(m, &k->options[i]);
	if (r == 0)
		r = add_mentions(m, k);
	if (r == 0)
		r = value_of(m, k->url, &t->t.url);
	if (r == 0)
		r = value_of(m, k->secret, &t->t.secret);
	return r < 0 ? r : check(m, name);
}

int target_make(const struct config *c, const char *name, struct secrets *s, struct target *ret, struct err *e)
{
	*ret = (struct target){ .t.lang = lang_now };
	int r = make(c, name, &(struct making){ .t = ret, .s = s, .e = e });
	if (r < 0)
		target_free(ret);
	return r;
}

int target_make_bare(const struct config *c, const char *name, struct target *ret, struct err *e)
{
	return target_make(c, name, NULL, ret, e);
}

void target_free(struct target *t)
{
	arena_free(&t->mem);
	*t = (struct target){ 0 };
}

void target_free_cleanup(struct target *t)
{
	target_free(t);
}
