/* The doctor on GOPRIVATE, GONOPROXY, GONOSUMDB, GOINSECURE and GOVCS: what would be told to the public, and what is mistyped. */
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "mod/doctor_own.h"
#include "parse/netrc.h"
#include "run/git.h"

/* ---- the globs as they are written ---- */

/* An address does not belong there, and may hold a password. */
static struct span safe_glob(struct doctor *d, struct span g)
{
	const char *shown = span_find(g, S("://")) != SPAN_NONE ? url_shown(&d->report->mem, g) : NULL;

	return shown ? span_of(shown) : g;
}

static const char *safe_globs(struct doctor *d, const char *value)
{
	const char *shown = strstr(value, "://") ? url_shown(&d->report->mem, span_of(value)) : value;

	return shown ? shown : "";
}

static void judge_globs(struct doctor *d, const char *name, const char *globs)
{
	struct span rest = span_of(globs), bad = goprivate_malformed(span_of(globs));

	if (bad.p)
		doctor_error(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV,
			     TR("a glob has *, ? and [a-z]; each [ needs its ]", "通配符可用 *、? 和 [a-z]；每个 [ 都需要对应的 ]"),
			     TR("%s has a malformed glob that matches nothing: %.*s", "%s 中有格式错误、无法匹配任何路径的通配符：%.*s"),
			     name, SPAN_ARG(safe_glob(d, bad)));
	while (rest.n) {
		struct span g = span_cut(&rest, ',');
		if (!g.n || span_eq(g, bad))
			continue;
		const char *shown = url_shown(&d->report->mem, span_trim(g));
		if (span_trim(g).n != g.n)
			doctor_error(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV,
				     TR("take the blanks out: go takes them for a part of the glob",
					"请去掉空格：go 会把空格当作通配符的一部分"),
				     TR("%s: the glob \"%s\" has blanks around it and matches nothing",
					"%s：通配符“%s”两侧有空格，无法匹配任何路径"),
				     name, shown ? shown : "");
		else if (span_find(g, S("://")) != SPAN_NONE)
			doctor_error(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV,
				     TR("write a module path prefix, such as git.example.com/team",
					"请写模块路径前缀，例如 git.example.com/team"),
				     TR("%s: %s is an address, and matches nothing", "%s：%s 是网址，无法匹配任何路径"), name,
				     shown ? shown : "");
		else if (span_ends(g, S("/...")))
			doctor_error(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV,
				     TR("leave the dots out: a glob covers all paths below it", "去掉省略号：通配符本身就覆盖其下所有路径"),
				     TR("%s: %s ends in ..., which is no wildcard here", "%s：%s 以 ... 结尾，在这里它不是通配符"), name,
				     shown ? shown : "");
	}
	if (*globs && !bad.p && !strstr(globs, "://"))
		doctor_ok(d, DOCTOR_PRIVATE, TR("%s=%s (from %s)", "%s=%s（来源：%s）"), name, globs, doctor_origin(d, name));
}

/* ---- what would be told to the public ---- */

static bool is_forge(struct span host)
{
	static const char *const forges[] = { "github.com",       "gitlab.com",  "bitbucket.org", "gitee.com",
					      "codeberg.org",     "sr.ht",       "golang.org",    "google.golang.org",
					      "gopkg.in",         "go.uber.org", "k8s.io",        "sigs.k8s.io",
					      "cloud.google.com", "rsc.io",      "go.etcd.io",    "go.opentelemetry.io",
					      "modernc.org",      "gonum.org",   "honnef.co",     "mvdan.cc" };

	for (size_t i = 0; i < ARRAY_LEN(forges); i++) {
		if (span_eq(host, span_of(forges[i])))
			return true;
	}
	return false;
}

static bool netrc_names(const struct doctor *d, struct span host)
{
	struct netrc_at at = { .rest = buf_view(&d->netrc) };
	struct netrc_entry e;

	while (netrc_next(&at, &e)) {
		if (e.kind == NETRC_ENTRY && span_eq(e.machine, host))
			return true;
	}
	return false;
}

/* Of a remote's address: git@HOST:path, https://HOST/path. */
static struct span remote_host(struct span url)
{
	size_t at = span_find(url, S("://"));
	struct span rest = at == SPAN_NONE ? url : span_from(url, at + 3);
	size_t user = span_chr(rest, '@');

	rest = user == SPAN_NONE ? rest : span_from(rest, user + 1);
	size_t end = 0;
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != ':')
		end++;
	return span_head(rest, end);
}

/* Why it looks private; NULL: it does not. */
static const char *why_private(struct doctor *d, struct span path, struct span remote)
{
	struct span rest = path, host = span_cut(&rest, '/');

	if (is_forge(host))
		return NULL;
	if (doctor_private_host(host))
		return TR("its host is not of the public Internet", "其主机名不属于公网");
	if (netrc_names(d, host))
		return TR("netrc has credentials for its host", "netrc 中有该主机的凭据");
	if (remote.n && span_eq(remote, host))
		return TR("it lies on the same host as this repository", "它与本仓库位于同一主机");
	for (size_t i = 0; i < d->tree.n; i++) {
		struct span own = d->tree.members[i].mod.module, own_host = span_cut(&own, '/');
		if (span_eq(own_host, host) && span_chr(host, '.') != SPAN_NONE && remote.n && span_eq(remote_host(remote), host))
			return TR("it lies on the host of this module", "它与本模块位于同一主机");
	}
	return NULL;
}

static bool is_public_proxy(struct span host)
{
	static const char *const hosts[] = { "proxy.golang.org",          "goproxy.cn",           "goproxy.io",  "mirrors.aliyun.com",
					     "mirrors.cloud.tencent.com", "repo.huaweicloud.com", "gocenter.io", "athens.azurefd.net" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		if (span_eq(host, span_of(hosts[i])))
			return true;
	}
	return false;
}

/* Who would learn this path; "" : nobody. */
static const char *who_learns(struct doctor *d, const struct doctor_module *x)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < d->n_entries && !x->private_ && !d->entries[i].e.unreachable; i++) {
		if (d->entries[i].e.kind == GOPROXY_URL && is_public_proxy(d->entries[i].e.host))
			buf_addf(&b, "%s%.*s", b.len ? ", " : "", SPAN_ARG(d->entries[i].e.host));
	}
	bool off = !strcmp(d->env.sumdb, "off") || goprivate_matches(span_of(d->env.nosumdb), x->path);
	if (!off && (!strncmp(d->env.sumdb, "sum.golang.org", 14) || !strncmp(d->env.sumdb, "sum.golang.google.cn", 20)))
		buf_addf(&b, "%s%s", b.len ? ", " : "", "sum.golang.org");
	d->report->lost |= b.bad;
	return doctor_text(d, "%s", buf_str(&b));
}

static const char *wider(struct doctor *d, const char *name, const char *value, struct span glob)
{
	return doctor_set(d, name, doctor_text(d, "%s%s%.*s", safe_globs(d, value), *value ? "," : "", SPAN_ARG(glob)));
}

static bool told(const struct doctor *d, size_t i)
{
	struct span path = d->modules[i].path, host = span_cut(&path, '/');

	for (size_t k = 0; k < i; k++) {
		struct span other = d->modules[k].path;
		if (d->modules[k].from > FROM_FOLDER && span_eq(span_cut(&other, '/'), host))
			return true;
	}
	return false;
}

static void judge_module(struct doctor *d, size_t i, struct span remote)
{
	const struct doctor_module *x = &d->modules[i];
	struct span rest = x->path, host = span_cut(&rest, '/');
	bool sum_hidden = goprivate_matches(span_of(d->env.nosumdb), x->path) || !strcmp(d->env.sumdb, "off");

	if (x->private_ && sum_hidden)
		return;
	const char *why = x->private_ ? NULL : why_private(d, x->path, remote), *who = who_learns(d, x);
	if (x->private_) {
		struct finding *f = doctor_error(
			d, DOCTOR_PRIVATE, CAUSE_MOD_ENV, wider(d, "GONOSUMDB", d->env.nosumdb, host),
			TR("%.*s is private for GONOPROXY and not for GONOSUMDB: its path would be told to %s, which does not know it, and go would fail",
			   "%.*s 对 GONOPROXY 是私有的，对 GONOSUMDB 却不是：其路径会泄露给 %s，对方查不到它，go 将失败"),
			SPAN_ARG(x->path), *who ? who : "GOSUMDB");
		if (f)
			f->package = arena_span(&d->report->mem, x->path);
		return;
	}
	if (!why || !*who || told(d, i))
		return;
	struct finding *f = doctor_warn(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV, wider(d, "GOPRIVATE", d->env.private_, host),
					TR("%.*s looks private (%s) and GOPRIVATE does not cover it: its path would be told to %s",
					   "%.*s 看起来是私有的（%s），但 GOPRIVATE 未覆盖它：其路径会泄露给 %s"),
					SPAN_ARG(x->path), why, who);
	if (f)
		f->package = arena_span(&d->report->mem, x->path);
}

static struct span own_remote(struct doctor *d)
{
	struct git_where w;

	return git_where(d->o->dir ? d->o->dir : ".", &d->report->mem, &w, NULL) == 0 && w.remote ? remote_host(span_of(w.remote))
												  : (struct span){ 0 };
}

static void judge_relatives(struct doctor *d)
{
	const struct {
		const char *name, *value;
	} v[] = { { "GONOPROXY", d->env.noproxy }, { "GONOSUMDB", d->env.nosumdb } };

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		const char *origin = mod_env_origin(&d->env, v[i].name);
		if (*d->env.private_ && origin && strcmp(origin, "default") && strcmp(v[i].value, d->env.private_))
			doctor_warn(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV,
				    doctor_text(d, TR("unset it: go env -u %s", "取消设置：go env -u %s"), v[i].name),
				    TR("%s is set and hides GOPRIVATE: only what it names itself counts",
				       "设置了 %s，它会取代 GOPRIVATE：只有它自己列出的才算数"),
				    v[i].name);
	}
	if (*d->env.insecure)
		doctor_warn(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV, TR("install the CA of that host instead", "请改为安装该主机的 CA"),
			    TR("GOINSECURE=%s: these are fetched without verified certificates, or over http",
			       "GOINSECURE=%s：获取这些模块时不校验证书，甚至使用 http"),
			    safe_globs(d, d->env.insecure));
	if (*d->env.vcs) {
		const char *no = govcs_refusal(&d->report->mem, span_of(d->env.vcs), S("example.com/x"), true, "git"),
			   *public_no = govcs_refusal(&d->report->mem, span_of(d->env.vcs), S("example.com/x"), false, "git");
		if ((no && strstr(no, "PATTERN")) || (no && strstr(no, TR("malformed", "格式有误"))))
			doctor_error(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV,
				     TR("write PATTERN:TOOLS, such as public:git,private:all",
					"请写成 模式:工具，例如 public:git,private:all"),
				     "%s", safe_globs(d, no));
		else if (public_no)
			doctor_warn(d, DOCTOR_PRIVATE, CAUSE_MOD_ENV,
				    TR("only proxies can serve public modules then", "此时公开模块只能由代理提供"),
				    TR("public modules cannot be fetched directly: %s", "无法直接获取公开模块：%s"), public_no);
		else
			doctor_ok(d, DOCTOR_PRIVATE, "GOVCS=%s", safe_globs(d, d->env.vcs));
	}
}

void doctor_private_judge(struct doctor *d)
{
	const struct span remote = own_remote(d);
	size_t before = d->n_checks;

	judge_globs(d, "GOPRIVATE", d->env.private_);
	if (strcmp(d->env.noproxy, d->env.private_))
		judge_globs(d, "GONOPROXY", d->env.noproxy);
	if (strcmp(d->env.nosumdb, d->env.private_))
		judge_globs(d, "GONOSUMDB", d->env.nosumdb);
	judge_globs(d, "GOINSECURE", d->env.insecure);
	judge_relatives(d);
	for (size_t i = 0; i < d->n_modules; i++) {
		if (d->modules[i].from > FROM_FOLDER)
			judge_module(d, i, remote);
	}
	if (d->n_checks == before)
		doctor_ok(d, DOCTOR_PRIVATE,
			  d->has_tree ? TR("GOPRIVATE is not set, and no module looks private", "未设置 GOPRIVATE，也没有看起来私有的模块")
				      : TR("GOPRIVATE is not set", "未设置 GOPRIVATE"));
}
