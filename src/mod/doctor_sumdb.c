/* The doctor on GOSUMDB: who would be asked, and does it answer? */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "mod/doctor_own.h"
#include "mod/note.h"

struct database {
	struct span name, url; /* url absent: https://NAME */
	bool off;
};

static struct database database_of(const struct doctor *d)
{
	struct database b = { 0 };
	struct span rest = span_trim(span_of(d->env.sumdb));

	b.off = span_eq(rest, S("off"));
	struct span key = span_cut(&rest, ' ');
	b.url = span_trim(rest);
	b.name = span_cut(&key, '+');
	if (span_eq(b.name, S("sum.golang.google.cn"))) { /* another door of the same house */
		b.name = S("sum.golang.org");
		if (!b.url.n)
			b.url = S("https://sum.golang.google.cn");
	}
	return b;
}

static bool nothing_is_fetched(const struct doctor *d)
{
	return d->n_entries && d->entries[0].e.kind == GOPROXY_OFF;
}

void doctor_sumdb_ask(struct doctor *d)
{
	const struct database b = database_of(d);

	if (b.off || !b.name.n || nothing_is_fetched(d))
		return;
	for (size_t i = 0; i < d->n_entries && !b.url.n; i++) { /* with an address of its own no proxy is asked */
		struct span base = d->entries[i].e.url;
		if (d->entries[i].e.unreachable || d->entries[i].e.kind != GOPROXY_URL)
			continue;
		while (base.n && base.p[base.n - 1] == '/')
			base.n--;
		const char *url = arena_printf(&d->report->mem, "%.*s/sumdb/%.*s/supported", SPAN_ARG(base), SPAN_ARG(b.name));
		d->report->lost |= !url;
		if (url)
			doctor_probe(d, ASKED_SUPPORTED, i, url);
	}
	const char *url = b.url.n ? arena_printf(&d->report->mem, "%.*s/latest", SPAN_ARG(b.url))
				  : arena_printf(&d->report->mem, "https://%.*s/latest", SPAN_ARG(b.name));
	d->report->lost |= !url;
	if (url)
		doctor_probe(d, ASKED_SUMDB, SIZE_MAX, url);
}

static bool is_tree(const struct net_get *g)
{
	return g->transport == TRANSPORT_OK && g->status == 200 && span_starts(buf_view(&g->body), S("go.sum database tree\n"));
}

static const char *failure_of(struct doctor *d, const struct net_get *g)
{
	if (g->transport != TRANSPORT_OK)
		return g->why ? g->why : "?";
	if (g->status == 200)
		return TR("what answers is no checksum database", "回应的并不是校验和数据库");
	return doctor_text(d, "HTTP %d", g->status);
}

static const char *other_door(struct doctor *d)
{
	if (database_of(d).url.n)
		return TR(
			"the address that stands in GOSUMDB is asked, and no proxy: correct it, or set GOSUMDB=sum.golang.org so that a proxy of GOPROXY can stand in",
			"GOSUMDB 中写明了地址，因此只询问该地址而不经代理：请修正它，或设 GOSUMDB=sum.golang.org，由 GOPROXY 的代理代为提供");
	const struct doctor_probe *p = doctor_answer(d, ASKED_MIRROR, 2);

	if (p && is_tree(&p->g) && !strcmp(d->env.sumdb, "sum.golang.org"))
		return doctor_set(d, "GOSUMDB", "sum.golang.google.cn");
	return TR(
		"name a proxy in GOPROXY that serves it too, or in mainland China set GOSUMDB=sum.golang.google.cn, the same database; do not switch it off",
		"在 GOPROXY 中使用同时提供它的代理；中国大陆可设 GOSUMDB=sum.golang.google.cn（同一数据库）；不要关闭它");
}

static void judge_direct(struct doctor *d)
{
	const struct doctor_probe *p = doctor_answer(d, ASKED_SUMDB, SIZE_MAX);

	if (!p)
		return;
	if (is_tree(&p->g))
		doctor_ok(d, DOCTOR_SUMDB, TR("%s is asked directly, and answers: %s", "直接询问 %s，有回应：%s"), p->shown,
			  doctor_timing(d, &p->g));
	else
		doctor_error(d, DOCTOR_SUMDB, p->g.transport == TRANSPORT_OK ? CAUSE_MOD_SUMDB : doctor_transport_cause(p->g.transport),
			     other_door(d), TR("%s must be asked directly, and cannot be: %s", "必须直接询问 %s，但无法做到：%s"), p->shown,
			     failure_of(d, &p->g));
}

/* As go finds out: each proxy says whether it stands in for the database. true: it was settled. */
static bool judge_proxies(struct doctor *d, struct span name)
{
	for (size_t i = 0; i < d->n_entries && !d->entries[i].e.unreachable; i++) {
		const struct doctor_probe *p = doctor_answer(d, ASKED_SUPPORTED, i);
		const struct goproxy_entry *e = &d->entries[i].e;
		if (e->kind == GOPROXY_DIRECT || e->kind == GOPROXY_OFF)
			return false;
		if (!p)
			continue;
		bool good = p->g.transport == TRANSPORT_OK && p->g.status == 200;
		bool unknown = p->g.transport == TRANSPORT_OK && (p->g.status == 404 || p->g.status == 410);
		if (good) {
			doctor_ok(d, DOCTOR_SUMDB, TR("%s stands in for %.*s", "%s 代为提供 %.*s"), d->entries[i].shown, SPAN_ARG(name));
			return true;
		}
		if (!unknown && (!e->any_error || doctor_next(d, i) == SIZE_MAX)) {
			if (d->entries[i].answers)
				doctor_error(d, DOCTOR_SUMDB, CAUSE_MOD_PROXY,
					     TR("it must say 404 when it does not serve the database: else go does not ask directly",
						"若不提供该数据库，它应返回 404：否则 go 不会直接询问"),
					     TR("%s fails when it is asked whether it serves %.*s: %s", "询问 %s 是否提供 %.*s 时出错：%s"),
					     d->entries[i].shown, SPAN_ARG(name), failure_of(d, &p->g));
			return true; /* a proxy that does not answer at all has been told of */
		}
	}
	return false;
}

static void judge_key(struct doctor *d)
{
	struct note_key key = { 0 };
	struct err e;
	struct span text = span_of(d->env.sumdb);
	CLEANUP(buf_free) struct buf name = { 0 };

	buf_span(&name, span_cut(&text, ' '));
	int r = name.bad ? -ENOMEM : note_key_read(buf_str(&name), &key, &e);
	note_key_free(&key);
	if (r < 0 && r != -ENOMEM && r != -ELIBACC && r != -ELIBBAD)
		doctor_error(d, DOCTOR_SUMDB, CAUSE_MOD_ENV, doctor_set(d, "GOSUMDB", "sum.golang.org"),
			     TR("GOSUMDB is neither a database that go knows nor NAME+HASH+KEY: go refuses it",
				"GOSUMDB 既不是 go 认识的数据库，也不是 名称+哈希+密钥：go 不接受"));
}

void doctor_sumdb_judge(struct doctor *d)
{
	const struct database b = database_of(d);
	const char *none = mod_env_value(&d->env, "GONOSUMDB");

	if (b.off) {
		doctor_warn(d, DOCTOR_SUMDB, CAUSE_MOD_ENV, doctor_set(d, "GOSUMDB", "sum.golang.org"),
			    TR("GOSUMDB=off: a module that go.sum does not know yet is believed unseen%s",
			       "GOSUMDB=off：go.sum 中还没有的模块会不经校验就被信任%s"),
			    doctor_go(d, "1.21") >= 0 ? TR(", and no toolchain can be downloaded", "，并且无法下载工具链") : "");
		return;
	}
	if (none && (!strcmp(none, "*") || goprivate_matches(span_of(none), S("github.com/x/y"))))
		doctor_warn(d, DOCTOR_SUMDB, CAUSE_MOD_ENV, TR("name only the private modules", "请只写私有模块"),
			    TR("GONOSUMDB (or GOPRIVATE) covers public modules too: they are believed unseen",
			       "GONOSUMDB（或 GOPRIVATE）也覆盖了公开模块：它们会不经校验就被信任"));
	if (doctor_flag(d, "insecure", NULL))
		doctor_ok(d, DOCTOR_SUMDB, TR("GOFLAGS has -insecure: see below", "GOFLAGS 含有 -insecure：见下文"));
	judge_key(d);
	if (nothing_is_fetched(d))
		doctor_ok(d, DOCTOR_SUMDB, TR("not needed: nothing is downloaded", "不需要：不下载任何内容"));
	else if (d->o->offline)
		doctor_ok(d, DOCTOR_SUMDB, "%.*s", SPAN_ARG(b.name));
	else if (b.url.n || !judge_proxies(d, b.name))
		judge_direct(d);
}
