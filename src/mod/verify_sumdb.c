#include "mod/verify_sumdb.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "mod/sumdb.h"
#include "mod/sums.h"
#include "net/get.h"
#include "parse/goproxy.h"
#include "parse/version.h"

#define AT_ONCE     500 /* questions */
#define ANSWER_MAX  ((size_t)1 << 20)
#define FAILED_MAX  5 /* that are told one by one */

struct asked {
	struct sumdb_question q;
	const char *file;
	int64_t line;
};
struct asker {
	const struct mod_env *env;
	struct report *r;
	struct net *net;
	struct arena mem;
	struct buf base;  /* what paths are put behind */
	char name[128];   /* of the database */
	const char *key;
	struct map by_key;
	struct asked **v;
	size_t n, cap;
	bool many;
	size_t failed;
	struct err *e;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* ---- the lines ---- */

static int add_line(struct asker *a, const struct gosum_line *l, const char *file)
{
	CLEANUP(buf_free) struct buf key = { 0 };

	buf_addf(&key, "%.*s %.*s", SPAN_ARG(l->path), SPAN_ARG(l->version));
	struct asked *x = key.bad ? NULL : map_get(&a->by_key, buf_view(&key));
	if (!x) {
		a->many |= a->n >= SUMDB_QUESTIONS_MAX;
		if (a->many)
			return 0;
		struct span own = key.bad ? (struct span){ 0 } : arena_span(&a->mem, buf_view(&key));
		x = arena_alloc(&a->mem, sizeof(*x));
		if (!own.p || !x || !map_put(&a->by_key, own, x) || !mem_grow(&a->v, &a->cap, a->n, sizeof(*a->v)))
			return no_memory(a->e);
		*x = (struct asked){ .q = { .path = span_head(own, l->path.n), .version = span_from(own, l->path.n + 1) },
				     .file = file,
				     .line = l->line };
		a->v[a->n++] = x;
	}
	struct span *to = l->go_mod ? &x->q.mod_hash : &x->q.hash;
	if (!to->p) {
		*to = arena_span(&a->mem, l->hash);
		if (!to->p)
			return no_memory(a->e);
		if (!l->go_mod) {
			x->file = file;
			x->line = l->line;
		}
	} else if (!span_eq(*to, l->hash)) { /* go would believe neither */
		struct finding *f = report_say(a->r, CAUSE_MOD_CHECKSUM, TR("%.*s %.*s has two hashes", "%.*s %.*s 有两个哈希"),
					       SPAN_ARG(l->path), SPAN_ARG(l->version));
		if (f) {
			f->file = span_of(file);
			f->line = (int)l->line;
		}
	}
	return 0;
}

static int add_file(struct asker *a, const struct mod_source *f, struct span keep_away, int64_t *kept)
{
	CLEANUP(sums_close) struct sums lines;
	struct gosum_line l;
	const char *shown = f->text.p ? report_text(a->r, "%s", f->shown).p : NULL;

	int r = sums_open(f, &lines, a->e);
	while (r >= 0 && shown && (r = sums_next(&lines, &l, a->e)) > 0) {
		if (l.problem != GOSUM_FINE)
			continue;
		if (goprivate_matches(keep_away, l.path))
			*kept += !l.go_mod;
		else
			r = add_line(a, &l, shown);
	}
	return f->text.p && !shown ? no_memory(a->e) : r < 0 ? r : 0;
}

/* ---- where to ask ---- */

static struct span without_slash(struct span s)
{
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

/* GOSUMDB: "name", "name+hash+key", either with " URL". */
static int read_setting(struct asker *a, struct span *url)
{
	struct span rest = span_trim(span_of(a->env->sumdb)), word = span_cut(&rest, ' '), name = word;

	*url = span_trim(rest);
	if (span_eq(word, S("off")))
		return err_set(a->e, EINVAL,
			       TR("GOSUMDB=off: there is no checksum database to ask", "GOSUMDB=off：没有可查询的校验和数据库"));
	if (span_eq(word, S("sum.golang.google.cn"))) {
		word = name = S("sum.golang.org");
		*url = S("https://sum.golang.google.cn");
	}
	if (!word.n)
		word = name = S("sum.golang.org");
	name = span_cut(&name, '+');
	a->key = arena_str(&a->mem, word);
	if (!a->key)
		return no_memory(a->e);
	if (!name.n || name.n >= sizeof(a->name))
		return err_set(a->e, EINVAL, TR("GOSUMDB names no database: %s", "GOSUMDB 未指明数据库：%s"), a->env->sumdb);
	memcpy(a->name, name.p, name.n);
	a->name[name.n] = '\0';
	return 0;
}

/* Does this proxy pass the database on? 1: yes; 0: the next may; else an error. */
static int ask_proxy(struct asker *a, const struct goproxy_entry *x)
{
	CLEANUP(buf_free) struct buf url = { 0 };
	struct net_get g = { .max = 4096 };

	buf_addf(&url, "%.*s/sumdb/%s/supported", SPAN_ARG(without_slash(x->url)), a->name);
	if (url.bad)
		return no_memory(a->e);
	g.url = buf_str(&url);
	int r = net_get(a->net, &g, 1, a->e);
	buf_free(&g.body);
	if (r < 0)
		return r;
	if (g.status == 200 && !g.transport) {
		buf_addf(&a->base, "%.*s/sumdb/%s", SPAN_ARG(without_slash(x->url)), a->name);
		return a->base.bad ? no_memory(a->e) : 1;
	}
	if (g.status == 404 || g.status == 410 || x->any_error)
		return 0;
	/* The proxy is named by its host: its address may hold a password. */
	return err_set(a->e, EHOSTUNREACH, TR("the proxy %.*s does not say whether it passes %s on: %s", "代理 %.*s 未说明是否转发 %s：%s"),
		       SPAN_ARG(x->host.p ? x->host : x->path), a->name,
		       g.why ? g.why : TR("not the answer that it must be", "答复不符合要求"));
}

static int find_base(struct asker *a, struct span url)
{
	struct goproxy_at at = { .rest = span_of(a->env->proxy) };
	struct goproxy_entry x;
	int r = 0;

	if (url.n) {
		buf_span(&a->base, without_slash(url));
		return a->base.bad ? no_memory(a->e) : 0;
	}
	while (r == 0 && goproxy_next(&at, &x) && (x.kind == GOPROXY_URL || x.kind == GOPROXY_FILE))
		r = ask_proxy(a, &x);
	if (r == 0)
		buf_addf(&a->base, "https://%s", a->name);
	return r < 0 ? r : a->base.bad ? no_memory(a->e) : 0;
}

static int recorded(struct asker *a, const char *from)
{
	char *real = strstr(from, "://") ? NULL : realpath(from, NULL);

	if (!strstr(from, "://") && !real)
		return err_set(a->e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), from);
	if (real)
		buf_addf(&a->base, "file://%s", real);
	else
		buf_span(&a->base, without_slash(span_of(from)));
	free(real);
	return a->base.bad ? no_memory(a->e) : 0;
}

/* ---- asking ---- */

static void take_answer(struct net_get *g, struct sumdb_got *to)
{
	to->status = g->transport ? -EIO : g->status == 200 ? 0 : g->status == 404 || g->status == 410 ? -ENOENT : -EIO;
	if (to->status == 0) {
		to->text = g->body;
		return;
	}
	struct buf why = { 0 };
	struct span first = buf_view(&g->body);
	first = span_trim(span_cut(&first, '\n'));
	if (to->status == -ENOENT)
		buf_addf(&why, TR("the checksum database does not know it%s%.*s", "校验和数据库中没有它%s%.*s"), first.n ? ": " : "",
			 SPAN_ARG(utf8_head(first, 100)));
	else if (g->why)
		buf_adds(&why, g->why);
	else
		buf_addf(&why, TR("the answer was %d", "答复为 %d"), g->status);
	size_t n = why.len < sizeof(to->why) - 1 ? why.len : sizeof(to->why) - 1;
	if (n)
		memcpy(to->why, why.p, n);
	to->why[n] = '\0';
	buf_free(&why);
	buf_free(&g->body);
}

static void on_get(void *ctx, const char *const *paths, size_t n, struct sumdb_got *got)
{
	struct asker *a = ctx;
	struct net_get *g = mem_zalloc((n + 1) * sizeof(*g));
	struct buf *urls = mem_zalloc((n + 1) * sizeof(*urls));
	struct err e = { 0 };
	int r = g && urls ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++) {
		buf_addf(&urls[i], "%s%s", buf_str(&a->base), paths[i]);
		g[i] = (struct net_get){ .url = buf_str(&urls[i]), .max = ANSWER_MAX };
		r = urls[i].bad ? -ENOMEM : 0;
	}
	if (r == 0)
		r = net_get(a->net, g, n, &e);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			take_answer(&g[i], &got[i]);
		else
			got[i].status = r;
		if (urls)
			buf_free(&urls[i]);
	}
	mem_free(g);
	mem_free(urls);
}

static void judge(struct asker *a, const struct asked *x, struct sumdb_asked *ret)
{
	const struct sumdb_question *q = &x->q;
	struct finding *f;

	if (q->answer == SUMDB_AGREES) {
		ret->modules++;
		return;
	}
	if (q->answer == SUMDB_FAILED && ++a->failed > FAILED_MAX)
		return;
	f = report_say(a->r, q->answer == SUMDB_DIFFERS ? CAUSE_MOD_CHECKSUM : CAUSE_MOD_SUMDB, "%.*s %.*s: %s", SPAN_ARG(q->path),
		       SPAN_ARG(q->version), q->why ? q->why : TR("it was not asked", "未查询"));
	if (!f)
		return;
	f->file = span_of(x->file);
	f->line = (int)x->line;
	f->package = report_text(a->r, "%.*s", SPAN_ARG(q->path));
	if (q->answer == SUMDB_UNKNOWN)
		f->advice = report_text(
			a->r, TR("A private module: name it in GOPRIVATE (or GONOSUMDB). Else its author never published this version.",
				 "若是私有模块：请将其写入 GOPRIVATE（或 GONOSUMDB）。否则作者从未发布过此版本。"));
}

static int ask_some(struct asker *a, const char *state, size_t from, size_t n, struct sumdb_asked *ret)
{
	const struct sumdb_options o = { a->key, state, on_get, a };
	struct sumdb_question q[AT_ONCE];
	struct err e = { 0 };

	for (size_t i = 0; i < n; i++)
		q[i] = a->v[from + i]->q;
	int r = sumdb_ask(&o, q, n, &a->mem, &e);
	if (r < 0 && r != -EBADMSG)
		return err_set(a->e, -r, "%s", e.msg);
	if (r < 0) {
		report_say(a->r, CAUSE_MOD_SUMDB, "%s", e.msg);
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		a->v[from + i]->q = q[i];
		judge(a, a->v[from + i], ret);
	}
	return 0;
}

static int ask(struct asker *a, const struct mod_tree *t, const char *from, const char *state, struct sumdb_asked *ret)
{
	struct span url;
	int r = read_setting(a, &url);

	if (r == 0 && t->go_work.text.p)
		r = add_file(a, &t->work_sum, span_of(a->env->nosumdb), &ret->private_);
	for (size_t i = 0; i < t->n && r == 0; i++)
		r = add_file(a, &t->members[i].go_sum, span_of(a->env->nosumdb), &ret->private_);
	if (r < 0 || !a->n)
		return r;
	r = from ? recorded(a, from) : find_base(a, url);
	for (size_t i = 0; i < a->n && r == 0; i += AT_ONCE)
		r = ask_some(a, state, i, a->n - i < AT_ONCE ? a->n - i : AT_ONCE, ret);
	if (r == -EBADMSG)
		return 0; /* said: nothing of it can be believed */
	if (a->failed > FAILED_MAX)
		report_say(a->r, CAUSE_MOD_SUMDB, TR("%zu more modules could not be asked for", "另有 %zu 个模块无法查询"),
			   a->failed - FAILED_MAX);
	if (a->many)
		list_add(&a->r->mem, &a->r->limits,
			 report_text(a->r,
				     TR("the checksum database was asked for the first %d modules",
					"仅查询了前 %d 个模块的校验和数据库记录"),
				     SUMDB_QUESTIONS_MAX)
				 .p);
	return r;
}

int verify_sumdb(const struct mod_tree *t, const struct mod_env *env, const char *from, const char *state, struct report *r,
		 struct sumdb_asked *ret, struct err *e)
{
	struct asker a = { .env = env, .r = r, .e = e };
	CLEANUP(buf_free) struct buf netrc = { .max = 1 << 20 };

	*ret = (struct sumdb_asked){ 0 };
	if (env->netrc)
		file_slurp(env->netrc, &netrc, NULL);
	const struct net_options o = { .netrc = buf_view(&netrc),
				       .netrc_old = env->version &&
						    goversion_compare(goversion_of_toolchain(span_of(env->version)), S("1.24")) < 0 };
	int c = net_open(&o, &a.net, e);
	if (c == 0)
		c = ask(&a, t, from, state, ret);
	net_close(a.net);
	map_free(&a.by_key);
	mem_free(a.v);
	buf_free(&a.base);
	arena_free(&a.mem);
	if (netrc.p)
		explicit_bzero(netrc.p, netrc.cap);
	return c;
}
