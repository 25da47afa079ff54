#include "mod/mirror.h"

#include <errno.h>

#include "base/lang.h"
#include "base/mem.h"

static const char *const public_hosts[] = {
	"proxy.golang.org", "goproxy.cn", "goproxy.io", "goproxy.baidu.com", "mirrors.aliyun.com", "mirrors.tencent.com",
	"mirrors.cloud.tencent.com", "repo.huaweicloud.com", "mirrors.huaweicloud.com", "athens.azurefd.net",
};

bool mirror_is_public(struct span host)
{
	size_t colon = span_chr(host, ':');

	if (colon != SPAN_NONE && span_eq(span_from(host, colon), S(":443")))
		host = span_head(host, colon);
	for (size_t i = 0; i < ARRAY_LEN(public_hosts); i++)
		if (span_eq(host, span_of(public_hosts[i])))
			return true;
	return false;
}

void mirror_shown(struct span url, struct buf *ret)
{
	size_t scheme = span_find(url, S("://"));
	struct span rest = scheme == SPAN_NONE ? url : span_from(url, scheme + 3);
	struct span host = span_head(rest, span_chr(rest, '/') == SPAN_NONE ? rest.n : span_chr(rest, '/'));
	size_t at = span_rchr(host, '@');

	if (at == SPAN_NONE) {
		buf_span(ret, url);
		return;
	}
	if (scheme != SPAN_NONE)
		buf_span(ret, span_head(url, scheme + 3));
	buf_span(ret, span_from(rest, at + 1));
}

/* Is every one of these globs, word for word, among those? */
static bool all_in(const char *globs, const char *of)
{
	struct span rest = span_of(globs);

	while (rest.n) {
		struct span one = span_trim(span_cut(&rest, ',')), those = span_of(of);
		bool found = !one.n;
		while (those.n && !found)
			found = span_eq(one, span_trim(span_cut(&those, ',')));
		if (!found)
			return false;
	}
	return true;
}

/* May nobody but those of GOPROXY hear a name? */
static const char *refusal(const struct mirror_env *env)
{
	struct goproxy_at at = { .rest = span_of(env->proxy) };
	struct goproxy_entry e;

	if (!all_in(env->private_, env->noproxy))
		return TR(
			"No mirror is asked: GONOPROXY does not have all that GOPRIVATE has, so GOPROXY serves private modules, and their names would be shown to others",
			"不使用镜像：GONOPROXY 未包含 GOPRIVATE 的全部内容，私有模块由 GOPROXY 提供，其名称会暴露给他人");
	if (!all_in(env->nosumdb, env->noproxy))
		return TR(
			"No mirror is asked: GONOPROXY does not have all that GONOSUMDB has, so GOPROXY serves modules that are not public, and their names would be shown to others",
			"不使用镜像：GONOPROXY 未包含 GONOSUMDB 的全部内容，GOPROXY 提供非公开模块，其名称会暴露给他人");
	if (!goproxy_next(&at, &e) || e.kind == GOPROXY_DIRECT)
		return TR("No mirror is asked: GOPROXY begins with direct, so what is asked for may be private",
			  "不使用镜像：GOPROXY 以 direct 开头，所请求的可能是私有模块");
	if (e.kind == GOPROXY_OFF)
		return TR("No mirror is asked: GOPROXY=off says that nobody is", "不使用镜像：GOPROXY=off 表示不询问任何人");
	return e.kind == GOPROXY_BAD ? TR("No mirror is asked: go cannot read GOPROXY", "不使用镜像：go 无法解析 GOPROXY") : NULL;
}

/* ---- the set ---- */

static bool same_base(struct span a, struct span b)
{
	while (a.n && a.p[a.n - 1] == '/')
		a.n--;
	while (b.n && b.p[b.n - 1] == '/')
		b.n--;
	return span_eq(a, b);
}

static int add(struct mirrors *m, struct arena *mem, struct span url, bool named)
{
	CLEANUP(buf_free) struct buf shown = { 0 };

	for (size_t i = 0; i < m->n; i++)
		if (same_base(span_of(m->v[i].url), url))
			return 0;
	mirror_shown(url, &shown);
	struct mirror *one = &m->v[m->n];
	one->url = arena_str(mem, url);
	one->shown = shown.bad ? NULL : arena_str(mem, buf_view(&shown));
	one->file = span_starts(url, S("file://"));
	one->named = named;
	m->n += one->url && one->shown;
	return one->url && one->shown ? 0 : -ENOMEM;
}

/* Of a list whose every error leads on to it, or behind public ones only, it hears each name anyway. */
static int add_listed(struct mirrors *m, struct arena *mem, const char *proxy, bool files)
{
	struct goproxy_at at = { .rest = span_of(proxy) };
	struct goproxy_entry e;
	bool heard = true;
	int r = 0;

	while (r == 0 && goproxy_next(&at, &e) && !e.unreachable) {
		if (e.kind != GOPROXY_URL && e.kind != GOPROXY_FILE)
			break;
		if (heard && (e.kind == GOPROXY_FILE) == files)
			r = add(m, mem, e.url, false);
		if (!heard)
			m->refused = TR(
				"What follows in GOPROXY behind `,` is not asked before its turn: names that the proxy before it has alone would be shown to it; `mirrors:` in tocsin.yaml can name it",
				"GOPROXY 中“,”之后的代理不会被提前询问：否则前一个代理独有的模块名会暴露给它；可在 tocsin.yaml 的 `mirrors:` 中指定");
		heard = heard && (e.any_error || e.kind == GOPROXY_FILE || mirror_is_public(e.host));
	}
	return r;
}

int mirrors_find(const struct mirror_env *env, const char *const *named, size_t n, struct arena *mem, struct mirrors *ret)
{
	size_t room = n + 1;
	int r = 0;

	*ret = (struct mirrors){ .refused = refusal(env) };
	for (const char *p = env->proxy ? env->proxy : ""; *p; p++)
		room += *p == ',' || *p == '|';
	if (ret->refused)
		return 0;
	ret->v = arena_alloc(mem, (room + 1) * sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (int files = 1; files >= 0 && r == 0; files--) {
		for (size_t i = 0; i < n && r == 0; i++)
			if (span_starts(span_of(named[i]), S("file://")) == files)
				r = add(ret, mem, span_of(named[i]), true);
		if (r == 0 && files)
			r = add_listed(ret, mem, env->proxy, true);
	}
	return r < 0 ? r : add_listed(ret, mem, env->proxy, false);
}

/* ---- the list of a retry ---- */

void mirrors_list(const struct mirrors *m, size_t first, const char *proxy, struct span failed, struct buf *ret)
{
	size_t begin = ret->len;

	for (size_t i = 0; i < m->n; i++) {
		struct span url = span_of(m->v[(first + i) % m->n].url);
		if (failed.n && same_base(url, failed))
			continue;
		if (ret->len > begin)
			buf_addc(ret, '|');
		buf_span(ret, url);
	}
	if (ret->len > begin)
		buf_addc(ret, '|');
	buf_adds(ret, proxy ? proxy : "");
}

struct span mirror_base(const char *proxy, struct span url)
{
	struct goproxy_at at = { .rest = span_of(proxy) };
	struct span best = { 0 }, rest = url;
	struct goproxy_entry e;
	size_t scheme = span_find(url, S("://"));

	rest = scheme == SPAN_NONE ? url : span_from(url, scheme + 3);
	while (goproxy_next(&at, &e)) {
		struct span base = e.url, tail;
		size_t s = span_find(base, S("://"));
		if (e.kind == GOPROXY_FILE) {
			tail = url;
		} else if (e.kind == GOPROXY_URL) {
			base = s == SPAN_NONE ? base : span_from(base, s + 3);
			size_t slash = span_chr(base, '/'), user = span_rchr(span_head(base, slash == SPAN_NONE ? base.n : slash), '@');
			base = user == SPAN_NONE ? base : span_from(base, user + 1);
			tail = rest;
			size_t mine = span_rchr(span_head(tail, span_chr(tail, '/') == SPAN_NONE ? tail.n : span_chr(tail, '/')), '@');
			tail = mine == SPAN_NONE ? tail : span_from(tail, mine + 1);
		} else {
			continue;
		}
		while (base.n && base.p[base.n - 1] == '/')
			base.n--;
		if (span_skip(&tail, base) && (!tail.n || *tail.p == '/') && e.url.n > best.n)
			best = e.url;
	}
	return best;
}
