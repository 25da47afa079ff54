#include "cli/mod_latest.h"

#include <errno.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/get.h"
#include "parse/goproxy.h"
#include "parse/version.h"
#include "run/gocmd.h"

struct known {
	struct span path, version, go_mod;
};
enum stage { ASK_LATEST, ASK_LIST /* @latest is optional for a proxy */, ASK_MOD };

struct asking {
	struct latest *l;
	struct arena *mem;
	const char *base; /* the proxy's address */
	struct known *v;
	struct net_get *get;
	size_t n;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static const char *first_proxy(struct arena *mem, const char *list)
{
	struct goproxy_at at = { .rest = span_of(list) };
	struct goproxy_entry p;

	while (goproxy_next(&at, &p)) {
		if (p.kind == GOPROXY_URL || p.kind == GOPROXY_FILE)
			return p.unreachable ? NULL : arena_str(mem, p.url);
	}
	return NULL;
}

/* The modules that are required, each once; private ones not. */
static int collect(struct asking *a, struct mod_tree *t, struct err *e)
{
	const char *private_ = gocmd_setting(a->mem, "GONOPROXY");
	size_t max = 0;

	if (!private_)
		private_ = gocmd_setting(a->mem, "GOPRIVATE");
	for (size_t k = 0; k < t->n; k++)
		max += t->members[k].mod.n;
	a->v = arena_alloc(a->mem, (max + 1) * sizeof(*a->v));
	a->get = arena_alloc(a->mem, (max + 1) * sizeof(*a->get));
	if (!a->v || !a->get)
		return no_memory(e);
	for (size_t k = 0; k < t->n; k++) {
		for (size_t i = 0; i < t->members[k].mod.n; i++) {
			const struct mod_line *l = &t->members[k].mod.lines[i];
			if (l->verb != MOD_REQUIRE || map_get(&a->l->known, l->path) || goprivate_matches(span_of(private_), l->path))
				continue;
			a->v[a->n].path = l->path;
			if (!map_put(&a->l->known, l->path, &a->v[a->n++]))
				return no_memory(e);
		}
	}
	return 0;
}

/* The address of what is asked of a module; NULL: nothing. */
static char *address(struct asking *a, const struct known *k, enum stage stage)
{
	static const char *const ends[] = { "/@latest", "/@v/list", "/@v/" };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span base = span_of(a->base);

	if ((stage == ASK_MOD) != (k->version.n > 0))
		return NULL;
	while (span_ends(base, S("/")))
		base.n--;
	buf_span(&b, base);
	buf_addc(&b, '/');
	if (!module_escape_path(k->path, &b))
		return NULL;
	buf_adds(&b, ends[stage]);
	if (stage == ASK_MOD && !module_escape_version(k->version, &b))
		return NULL;
	buf_adds(&b, stage == ASK_MOD ? ".mod" : "");
	return b.bad ? NULL : arena_str(a->mem, buf_view(&b));
}

static void missed(struct asking *a, const struct net_get *g)
{
	a->l->failed++;
	if (!a->l->why)
		a->l->why = g->why ? arena_str(a->mem, span_of(g->why)) : arena_printf(a->mem, "HTTP %d", g->status);
}

static void take_latest(struct asking *a, struct known *k, struct net_get *g)
{
	struct span v = { 0 };

	if (g->status == 200 && json_find(buf_view(&g->body), "Version", &v) && version_valid(v))
		k->version = arena_span(a->mem, v);
}

/* The highest release; a pre-release only when there is no other. */
static void take_list(struct asking *a, struct known *k, struct net_get *g)
{
	struct span best = { 0 };

	for (struct span rest = g->status == 200 ? buf_view(&g->body) : (struct span){ 0 }; rest.n;) {
		struct span v = span_trim(span_cut(&rest, '\n'));
		if (!version_valid(v))
			continue;
		bool pre = version_prerelease(v).n, best_pre = best.n && version_prerelease(best).n;
		if (!best.n || (pre != best_pre ? best_pre : version_compare(v, best) > 0))
			best = v;
	}
	if (best.n)
		k->version = arena_span(a->mem, best);
	if (!k->version.n)
		missed(a, g);
}

static void take_mod(struct asking *a, struct known *k, struct net_get *g)
{
	if (g->status == 200)
		k->go_mod = g->body.len ? arena_span(a->mem, buf_view(&g->body)) : S("");
	else
		missed(a, g);
}

static int ask(struct asking *a, struct net *net, enum stage stage, struct err *e)
{
	static void (*const take[])(struct asking *, struct known *, struct net_get *) = { take_latest, take_list, take_mod };
	size_t n = 0;

	memset(a->get, 0, a->n * sizeof(*a->get));
	for (size_t i = 0; i < a->n; i++) {
		a->get[i].url = address(a, &a->v[i], stage);
		n += a->get[i].url != NULL;
	}
	/* Those without an address go to the end. */
	for (size_t i = 0, to = 0; i < a->n; i++) {
		if (!a->get[i].url)
			continue;
		struct known k = a->v[to];
		struct net_get g = a->get[to];
		a->v[to] = a->v[i];
		a->get[to++] = a->get[i];
		a->v[i] = k;
		a->get[i] = g;
	}
	int r = n ? net_get(net, a->get, n, e) : 0;
	for (size_t i = 0; i < n && r == 0; i++)
		take[stage](a, &a->v[i], &a->get[i]);
	for (size_t i = 0; i < n; i++)
		buf_free(&a->get[i].body);
	return r;
}

int latest_ask(struct latest *l, struct mod_tree *t, const char *proxy, const char *netrc, struct arena *mem, struct err *e)
{
	struct asking a = { .l = l, .mem = mem, .base = first_proxy(mem, proxy) };
	CLEANUP(buf_free) struct buf secret = { .max = (size_t)1 << 20 };
	CLEANUP(net_close) struct net *net = NULL;

	if (!a.base) {
		l->failed = 1;
		l->why = TR("GOPROXY names no proxy", "GOPROXY 中没有代理");
		return 0;
	}
	int r = collect(&a, t, e);
	if (r == 0 && netrc)
		file_slurp(netrc, &secret, NULL);
	const struct net_options o = { .netrc = buf_view(&secret) };
	if (r == 0)
		r = net_open(&o, &net, e);
	for (enum stage stage = ASK_LATEST; stage <= ASK_MOD && r == 0; stage++)
		r = ask(&a, net, stage, e);
	map_clear(&l->known); /* they were moved */
	for (size_t i = 0; i < a.n && r == 0; i++) {
		if (a.v[i].go_mod.p && !map_put(&l->known, a.v[i].path, &a.v[i]))
			r = no_memory(e);
	}
	if (secret.p)
		explicit_bzero(secret.p, secret.cap);
	return r;
}

int latest_of(void *ctx, struct span path, struct arena *mem, struct span *version, struct span *go_mod)
{
	const struct latest *l = ctx;
	const struct known *k = map_get(&l->known, path);

	(void)mem;
	if (!k)
		return -ENOENT;
	*version = k->version;
	*go_mod = k->go_mod;
	return 0;
}

void latest_close(struct latest *l)
{
	map_free(&l->known);
}

void latest_close_cleanup(struct latest *l)
{
	latest_close(l);
}
