#include "mod/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/time.h"
#include "mod/doctor_own.h"
#include "parse/version.h"

#define LIMIT_DEFAULT (10 * NSEC_PER_SEC)
#define PROBES_AT_ONCE 16
#define ANSWER_MAX ((size_t)1 << 20)

static const struct {
	const char *word;
	struct tx title;
} groups[] = {
	[DOCTOR_GO] = { "go", { "Go", "Go" } },
	[DOCTOR_PROXY] = { "proxy", { "Module proxies (GOPROXY)", "模块代理（GOPROXY）" } },
	[DOCTOR_SUMDB] = { "sumdb", { "Checksum database (GOSUMDB)", "校验和数据库（GOSUMDB）" } },
	[DOCTOR_PRIVATE] = { "private", { "Private modules (GOPRIVATE and its relatives)", "私有模块（GOPRIVATE 及相关变量）" } },
	[DOCTOR_LOGIN] = { "login", { "Credentials (netrc, GOAUTH)", "凭据（netrc、GOAUTH）" } },
	[DOCTOR_NETWORK] = { "network", { "Certificates, clock, HTTP proxies", "证书、时钟、HTTP 代理" } },
	[DOCTOR_GIT] = { "git", { "git", "git" } },
	[DOCTOR_CACHE] = { "cache", { "Caches and temporary files", "缓存与临时文件" } },
	[DOCTOR_TOOLCHAIN] = { "toolchain", { "Toolchain", "工具链" } },
};

const char *doctor_group_word(enum doctor_group g)
{
	return groups[g].word;
}

const char *doctor_group_title(enum doctor_group g)
{
	return tx(groups[g].title);
}

const char *doctor_asked_word(enum doctor_asked a)
{
	static const char *const words[] = { "list", "supported", "sumdb", "toolchain", "mirror", "http_proxy", "certificate" };

	return words[a];
}

const char *doctor_from_word(enum doctor_from f)
{
	static const char *const words[] = { "main", "folder", "vendor", "cache", "proxy", "direct", "refused" };

	return words[f];
}

const char *doctor_from_title(enum doctor_from f)
{
	static const struct tx titles[] = { { "workspace", "工作区" }, { "folder", "目录" }, { "vendor", "vendor" }, { "cache", "缓存" },
					    { "proxy", "代理" }, { "direct", "直连" }, { "REFUSED", "被拒绝" } };

	return tx(titles[f]);
}

/* ---- telling ---- */

static void add_check(struct doctor *d, enum doctor_group g, int verdict, const char *text, const char *fix)
{
	if (!text || !mem_grow(&d->checks, &d->cap_checks, d->n_checks, sizeof(*d->checks))) {
		d->report->lost = true;
		return;
	}
	d->checks[d->n_checks++] = (struct doctor_check){ .group = g, .verdict = verdict, .text = text, .fix = fix };
}

__attribute__((format(printf, 2, 0))) static const char *printed(struct doctor *d, const char *fmt, va_list ap)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	CLEANUP(buf_free) struct buf safe = { 0 };
	CLEANUP(buf_free) struct buf clean = { 0 };

	buf_vaddf(&b, fmt, ap);
	redact_text(NULL, buf_view(&b), &safe);
	text_clean(buf_view(&safe), false, &clean);
	const char *text = b.bad || safe.bad || clean.bad ? NULL : arena_str(&d->report->mem, clean.len ? buf_view(&clean) : S(""));
	d->report->lost |= !text;
	return text;
}

const char *doctor_text(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const char *text = printed(d, fmt, ap);
	va_end(ap);
	return text ? text : "";
}

const char *doctor_clean(struct doctor *d, struct span s)
{
	return doctor_text(d, "%.*s", SPAN_ARG(s));
}

static struct finding *wrong(struct doctor *d, enum doctor_group g, enum severity severity, enum cause c, const char *fix, const char *text)
{
	if (!text)
		return NULL;
	struct finding *f = report_say(d->report, c, "%s", text);
	if (!f)
		return NULL;
	f->severity = severity;
	if (!fix)
		fix = tx(cause_table[c].advice);
	f->advice = span_of(fix);
	add_check(d, g, severity == SEV_ERROR ? DOCTOR_ERROR : DOCTOR_WARNING, text, fix);
	return f;
}

void doctor_ok(struct doctor *d, enum doctor_group g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_check(d, g, DOCTOR_OK, printed(d, fmt, ap), NULL);
	va_end(ap);
}

struct finding *doctor_warn(struct doctor *d, enum doctor_group g, enum cause c, const char *fix, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct finding *f = wrong(d, g, SEV_WARNING, c, fix, printed(d, fmt, ap));
	va_end(ap);
	return f;
}

struct finding *doctor_error(struct doctor *d, enum doctor_group g, enum cause c, const char *fix, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct finding *f = wrong(d, g, SEV_ERROR, c, fix, printed(d, fmt, ap));
	va_end(ap);
	return f;
}

const char *doctor_set(struct doctor *d, const char *name, const char *value)
{
	const char *origin = mod_env_origin(&d->env, name), *quote = strpbrk(value, "|*&;<>()$` \t") ? "'" : "";
	bool file_off = d->env.env_file && !strcmp(d->env.env_file, "off");

	if ((origin && !strcmp(origin, "environment")) || file_off)
		return doctor_text(d, "export %s=%s%s%s", name, quote, value, quote);
	return doctor_text(d, "go env -w %s%s=%s%s", quote, name, value, quote);
}

/* ---- settings ---- */

const char *doctor_origin(const struct doctor *d, const char *name)
{
	const char *origin = mod_env_origin(&d->env, name);

	if (origin && !strcmp(origin, "environment"))
		return TR("the environment", "环境变量");
	return origin && !strcmp(origin, "default") ? TR("go's default", "默认值") : "go env -w";
}

bool doctor_flag(const struct doctor *d, const char *name, struct span *value)
{
	struct span rest = span_of(d->env.flags);

	while (rest.n) {
		struct span word = span_trim(span_cut(&rest, ' '));
		if (!span_skip(&word, S("--")) && !span_skip(&word, S("-")))
			continue;
		struct span key = span_cut(&word, '=');
		if (!span_eq(key, span_of(name)))
			continue;
		if (value)
			*value = word;
		return true;
	}
	return false;
}

int doctor_go(const struct doctor *d, const char *version)
{
	struct span have = goversion_of_toolchain(span_of(d->env.version));

	return have.n ? goversion_compare(have, span_of(version)) : 1; /* "devel …" is newer than all */
}

bool doctor_private(const struct doctor *d, struct span path)
{
	return goprivate_matches(span_of(d->env.noproxy), path);
}

/* ---- asking ---- */

bool doctor_probe(struct doctor *d, enum doctor_asked asked, size_t entry, const char *url)
{
	if (!mem_grow(&d->probes, &d->cap_probes, d->n_probes, sizeof(*d->probes))) {
		d->report->lost = true;
		return false;
	}
	struct doctor_probe *p = &d->probes[d->n_probes++];
	*p = (struct doctor_probe){
		.asked = asked, .entry = entry, .shown = url_shown(&d->report->mem, span_of(url)), .g = { .url = url, .max = ANSWER_MAX }
	};
	d->report->lost |= !p->shown;
	p->g.head = asked == ASKED_TOOLCHAIN;
	p->g.straight = asked == ASKED_HTTP_PROXY;
	p->g.bare = asked == ASKED_HTTP_PROXY || asked == ASKED_MIRROR;
	p->g.shake = asked == ASKED_SHAKE;
	return true;
}

const struct doctor_probe *doctor_answer(const struct doctor *d, enum doctor_asked asked, size_t entry)
{
	for (size_t i = 0; i < d->n_probes; i++) {
		if (d->probes[i].asked == asked && d->probes[i].entry == entry)
			return &d->probes[i];
	}
	return NULL;
}

static bool tick(void *ctx)
{
	struct doctor *d = ctx;

	if (d->o->progress)
		d->o->progress(d->o->ctx, d);
	return false;
}

void doctor_ask(struct doctor *d, int64_t limit_ns, struct err *e, int *ret)
{
	bool login = !d->env.auth || !strstr(d->env.auth, "off");
	const struct net_options o = { .netrc = login ? buf_view(&d->netrc) : (struct span){ 0 },
				       .netrc_old = doctor_go(d, "1.24") < 0,
				       .look = true,
				       .connect_ns = limit_ns,
				       .total_ns = limit_ns,
				       .max_parallel = PROBES_AT_ONCE,
				       .stop = tick,
				       .ctx = d };
	size_t n = d->n_probes - d->round;
	CLEANUP(mem_free) struct net_get *all = n ? mem_zalloc(n * sizeof(*all)) : NULL;
	CLEANUP(net_close) struct net *net = NULL;

	*ret = 0;
	if (!n)
		return;
	*ret = all ? net_open(&o, &net, e) : err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (*ret < 0) {
		d->n_probes = d->round;
		return;
	}
	for (size_t i = 0; i < n; i++)
		all[i] = d->probes[d->round + i].g;
	d->asking = all;
	d->n_asking = n;
	*ret = net_get(net, all, n, e);
	d->asking = NULL;
	d->n_asking = 0;
	for (size_t i = 0; i < n; i++)
		d->probes[d->round + i].g = all[i];
	d->round = d->n_probes;
}

enum cause doctor_transport_cause(enum transport t)
{
	static const enum cause causes[] = { [TRANSPORT_DNS] = CAUSE_MOD_DNS,
					     [TRANSPORT_CONNECT] = CAUSE_MOD_CONNECT,
					     [TRANSPORT_TLS] = CAUSE_MOD_TLS,
					     [TRANSPORT_TIMEOUT] = CAUSE_MOD_TIMEOUT,
					     [TRANSPORT_RESET] = CAUSE_MOD_CONNECT };

	return (size_t)t < ARRAY_LEN(causes) && t != TRANSPORT_OK ? causes[t] : CAUSE_MOD_PROXY;
}

static void add_moment(struct buf *b, const char *what, int64_t from, int64_t to)
{
	if (to <= 0 || to < from)
		return;
	buf_addf(b, "%s%s %lld ms", b->len ? TR(", ", "，") : "", what, (long long)((to - from + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
}

const char *doctor_timing(struct doctor *d, const struct net_get *g)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	int64_t before = g->tls_ns > 0 ? g->tls_ns : g->connect_ns;

	add_moment(&b, TR("name", "域名"), 0, g->name_ns);
	add_moment(&b, TR("connection", "连接"), g->name_ns, g->connect_ns);
	add_moment(&b, "TLS", g->connect_ns, g->tls_ns);
	add_moment(&b, TR("answer", "应答"), before, g->first_ns);
	d->report->lost |= b.bad;
	return doctor_text(d, "%s", buf_str(&b));
}

static int ask_all(struct doctor *d, struct err *e)
{
	int64_t limit = d->o->limit_ns > 0 ? d->o->limit_ns : LIMIT_DEFAULT, began = time_mono();
	int r = 0;

	if (d->o->offline)
		return 0;
	doctor_proxy_ask(d);
	doctor_sumdb_ask(d);
	doctor_toolchain_ask(d);
	doctor_network_ask(d);
	doctor_ask(d, limit * 6 / 10, e, &r);
	if (r < 0)
		return r;
	doctor_proxy_second(d);
	int64_t left = limit - (time_mono() - began);
	doctor_ask(d, left > limit / 4 ? left : limit / 4, e, &r);
	return r;
}

/* ---- all of it ---- */

static void judge_go(struct doctor *d)
{
	doctor_ok(d, DOCTOR_GO, TR("%s, %s", "%s，%s"), *d->env.version ? d->env.version : "go", d->env.go);
	if (!strcmp(d->env.env_file, "off"))
		doctor_ok(d, DOCTOR_GO, TR("GOENV=off: `go env -w` does nothing here", "GOENV=off：`go env -w` 在此无效"));
	if (d->has_tree)
		for (size_t i = 0; i < d->tree.n; i++)
			if (d->tree.members[i].mod.n_problems) {
				const struct mod_problem *p = d->tree.members[i].mod.problems;
				struct finding *f = doctor_error(d, DOCTOR_GO, CAUSE_MOD_SYNTAX, NULL, "%s:%lld: %s",
								 d->tree.members[i].go_mod.shown, (long long)p->line, p->text);
				if (f) {
					f->file = span_of(doctor_text(d, "%s", d->tree.members[i].go_mod.shown));
					f->line = (int)p->line;
				}
			}
}

static int open_all(struct doctor *d, struct err *e)
{
	struct stat st;

	if (d->o->dir && stat(d->o->dir, &st) < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), d->o->dir);
	int r = mod_env_read(NULL, d->o->dir, &d->env, e);
	if (r == -ENOENT || r == -EACCES) {
		doctor_error(d, DOCTOR_GO, CAUSE_PROC_NOT_FOUND,
			     TR("install Go, or add its bin folder to PATH", "请安装 Go，或把它的 bin 目录加入 PATH"), "%s", e->msg);
		return 1;
	}
	if (r < 0)
		return r;
	d->has_env = true;
	r = mod_tree_open_flags(d->o->dir, d->env.gowork, d->env.flags, &d->tree, e);
	d->has_tree = r == 0;
	return r == -ENOENT || r == -EINVAL ? 0 : r; /* of GOFLAGS it is said there */
}

static int examine(struct doctor *d, struct err *e)
{
	struct err net = { 0 };

	int r = open_all(d, e);
	if (r)
		return r < 0 ? r : 0;
	doctor_proxy_read(d);
	doctor_login_read(d);
	doctor_modules(d);
	r = ask_all(d, &net);
	if (r == -ENOMEM) {
		*e = net;
		return r;
	}
	judge_go(d);
	if (r < 0) /* libcurl is not there */
		doctor_warn(d, DOCTOR_NETWORK, CAUSE_MOD_CONNECT, TR("install it to have the proxies asked", "安装后即可探测各代理"), "%s",
			    net.msg);
	doctor_proxy_judge(d);
	doctor_mirrors(d);
	doctor_sumdb_judge(d);
	doctor_private_judge(d);
	doctor_login_judge(d);
	doctor_network_judge(d);
	doctor_git_judge(d);
	doctor_cache_judge(d);
	doctor_toolchain_judge(d);
	doctor_flags_judge(d);
	doctor_where(d);
	return 0;
}

int doctor_run(const struct doctor_options *o, struct report *r, struct doctor *ret, struct err *e)
{
	*ret = (struct doctor){ .report = r, .o = o, .skew = INT64_MIN, .began = time_mono() };
	int code = examine(ret, e);
	ret->o = NULL;
	if (code == 0 && r->lost)
		code = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (code < 0)
		doctor_free(ret);
	return code;
}

void doctor_free(struct doctor *d)
{
	for (size_t i = 0; i < d->n_probes; i++)
		buf_free(&d->probes[i].g.body);
	mem_free(d->probes);
	mem_free(d->checks);
	mem_free(d->modules);
	if (d->netrc.p)
		explicit_bzero(d->netrc.p, d->netrc.cap);
	buf_free(&d->netrc);
	mod_tree_close(&d->tree);
	mod_env_free(&d->env);
	*d = (struct doctor){ 0 };
}

void doctor_free_cleanup(struct doctor *d)
{
	doctor_free(d);
}
