/* Where proxy.golang.org does not answer: the mirrors that do. Only what was measured counts; time zone and language are a hint to measure. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "mod/doctor_own.h"

#define SLOW (NSEC_PER_SEC)
#define TIMES 3 /* slower than a mirror by this is much slower */
#define GOSUMDB_THERE "sum.golang.google.cn"

static const char *const mirrors[] = { "https://goproxy.cn", "https://mirrors.aliyun.com/goproxy/" };

/* proxy.golang.org's place in the list; SIZE_MAX: it is not asked. */
static size_t google(const struct doctor *d)
{
	for (size_t i = 0; i < d->n_entries; i++) {
		if (!d->entries[i].e.unreachable && d->entries[i].e.kind == GOPROXY_URL &&
		    span_eq(d->entries[i].e.host, S("proxy.golang.org")))
			return i;
	}
	return SIZE_MAX;
}

static bool looks_like_china(void)
{
	static const char *const zones[] = { "Asia/Shanghai", "Asia/Chongqing", "Asia/Urumqi", "Asia/Harbin", "PRC" };
	const char *tz = getenv("TZ");
	char link[PATH_MAX] = "";

	if (lang_now == LANG_ZH)
		return true;
	if (!tz || !*tz) {
		ssize_t n = readlink("/etc/localtime", link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		tz = link;
	}
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		if (strstr(tz, zones[i]))
			return true;
	}
	return false;
}

static bool is_good(const struct doctor_probe *p)
{
	return p && p->g.transport == TRANSPORT_OK && p->g.status == 200;
}

bool doctor_mirrors_wanted(const struct doctor *d)
{
	size_t i = google(d);
	const struct doctor_probe *p = i == SIZE_MAX ? NULL : doctor_answer(d, ASKED_LIST, i),
				  *sum = doctor_answer(d, ASKED_SUMDB, SIZE_MAX);
	bool sum_fails = sum && sum->g.transport != TRANSPORT_OK && !strncmp(d->env.sumdb, "sum.golang.org", 14);

	if (!p)
		return sum_fails && (i != SIZE_MAX || looks_like_china());
	return sum_fails || !is_good(p) || p->g.total_ns > SLOW || looks_like_china();
}

/* The list with the mirrors in place of proxy.golang.org; NULL: it holds secrets, or there is no memory. */
static const char *better_list(struct doctor *d, size_t at, bool fast_first)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span list = span_of(d->env.proxy);
	const struct goproxy_entry *e = &d->entries[at].e;

	for (size_t i = 0; i < d->n_entries; i++) {
		if (d->entries[i].e.credentials)
			return NULL;
	}
	const struct doctor_probe *one = doctor_answer(d, ASKED_MIRROR, 0), *two = doctor_answer(d, ASKED_MIRROR, 1);
	buf_span(&b, span_head(list, e->at));
	buf_adds(&b, is_good(fast_first ? one : two) ? mirrors[!fast_first] : mirrors[fast_first]);
	if (is_good(one) && is_good(two))
		buf_addf(&b, "|%s", mirrors[fast_first]);
	struct span rest = span_from(list, e->at + e->url.n);
	buf_span(&b, rest.n ? rest : S(",direct"));
	d->report->lost |= b.bad;
	return b.bad ? NULL : doctor_text(d, "%s", buf_str(&b));
}

static void propose(struct doctor *d, size_t at, const struct doctor_probe *best, const char *why)
{
	const struct doctor_probe *one = doctor_answer(d, ASKED_MIRROR, 0);
	const char *list = better_list(d, at, best == one), *proxy = mod_env_origin(&d->env, "GOPROXY"),
		   *sum = mod_env_origin(&d->env, "GOSUMDB"), *fix;
	bool exported = (proxy && !strcmp(proxy, "environment")) || (sum && !strcmp(sum, "environment")) || !strcmp(d->env.env_file, "off");
	char took[24];

	duration_text(best->g.total_ns, took);
	d->china = true;
	if (list)
		fix = doctor_text(d, "%s GOPROXY='%s' GOSUMDB=" GOSUMDB_THERE, exported ? "export" : "go env -w", list);
	else
		fix = doctor_text(d,
				  TR("put %s in place of proxy.golang.org, and set GOSUMDB=" GOSUMDB_THERE,
				     "请用 %s 替换 proxy.golang.org，并设置 GOSUMDB=" GOSUMDB_THERE),
				  mirrors[best != one]);
	doctor_warn(
		d, DOCTOR_PROXY, CAUSE_MOD_TIMEOUT, fix,
		TR("%s; %s answers in %s: use the mirrors (a mirror can withhold modules, but go.sum and the checksum database show it when it changes one)",
		   "%s；%s 用时 %s 即有回应：建议使用镜像（镜像可能缺少模块，但若篡改内容，会被 go.sum 和校验和数据库发现）"),
		why, best->shown, took);
}

void doctor_mirrors(struct doctor *d)
{
	size_t at = google(d);
	const struct doctor_probe *p = at == SIZE_MAX ? NULL : doctor_answer(d, ASKED_LIST, at), *best = NULL;

	for (size_t i = 0; i < ARRAY_LEN(mirrors); i++) {
		const struct doctor_probe *m = doctor_answer(d, ASKED_MIRROR, i);
		if (is_good(m) && (!best || m->g.total_ns < best->g.total_ns))
			best = m;
	}
	if (!p || !best)
		return;
	char slow[24], fast[24];
	duration_text(p->g.total_ns, slow);
	duration_text(best->g.total_ns, fast);
	if (!is_good(p))
		propose(d, at, best, TR("proxy.golang.org cannot be used from here", "此处无法使用 proxy.golang.org"));
	else if (p->g.total_ns > SLOW && p->g.total_ns > TIMES * best->g.total_ns)
		propose(d, at, best,
			doctor_text(d, TR("proxy.golang.org is much slower from here (%s)", "此处访问 proxy.golang.org 慢得多（%s）"),
				    slow));
	else
		doctor_ok(d, DOCTOR_PROXY,
			  TR("no mirror is needed: proxy.golang.org took %s, the best mirror %s",
			     "无需更换镜像：proxy.golang.org 用时 %s，最快的镜像 %s"),
			  slow, fast);
}
