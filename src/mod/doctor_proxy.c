/* The doctor on GOPROXY: each rule, and whether what it names can serve modules. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "mod/doctor_own.h"
#include "parse/version.h"

#define ENTRIES_MAX 32
#define SLOW (3 * NSEC_PER_SEC)
#define KNOWN_MODULE "golang.org/x/text" /* every proxy of the public Internet has it, and few policies forbid it */

/* ---- the list ---- */

void doctor_proxy_read(struct doctor *d)
{
	struct goproxy_entry list[ENTRIES_MAX];
	struct goproxy_at at = { .rest = span_of(d->env.proxy) };
	size_t n = 0;

	while (n < ENTRIES_MAX && goproxy_next(&at, &list[n]))
		n++;
	d->entries = arena_alloc(&d->report->mem, (n + 1) * sizeof(*d->entries));
	d->report->lost |= !d->entries;
	for (size_t i = 0; i < n && d->entries; i++) {
		struct doctor_entry *x = &d->entries[d->n_entries++];
		x->e = list[i];
		x->shown = url_shown(&d->report->mem, list[i].url);
		x->words = goproxy_explain(&d->report->mem, list, n, i);
		d->report->lost |= !x->shown || !x->words;
		x->shown = x->shown ? x->shown : "";
		x->words = x->words ? x->words : "";
	}
}

bool doctor_loopback(struct span host)
{
	return span_starts(host, S("127.")) || span_starts(host, S("localhost")) || span_starts(host, S("[::1]"));
}

size_t doctor_next(const struct doctor *d, size_t i)
{
	return i + 1 < d->n_entries && !d->entries[i + 1].e.unreachable ? i + 1 : SIZE_MAX;
}

/* "BASE/rest"; NULL: no memory. */
static const char *below(struct doctor *d, struct span base, const char *rest)
{
	while (base.n && base.p[base.n - 1] == '/')
		base.n--;
	const char *ret = arena_printf(&d->report->mem, "%.*s%s", SPAN_ARG(base), rest);
	d->report->lost |= !ret;
	return ret;
}

static const char *list_of(struct doctor *d)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_addc(&b, '/');
	if (!module_escape_path(span_of(d->o->module ? d->o->module : KNOWN_MODULE), &b))
		buf_adds(&b, KNOWN_MODULE);
	buf_adds(&b, "/@v/list");
	const char *ret = b.bad ? NULL : arena_str(&d->report->mem, buf_view(&b));
	d->report->lost |= !ret;
	return ret ? ret : "";
}

void doctor_proxy_ask(struct doctor *d)
{
	const char *list = list_of(d);

	for (size_t i = 0; i < d->n_entries; i++) {
		const struct goproxy_entry *e = &d->entries[i].e;
		if (e->unreachable || e->kind != GOPROXY_URL)
			continue;
		const char *url = below(d, e->url, list);
		if (url)
			doctor_probe(d, ASKED_LIST, i, url);
	}
}

/* Whose certificate is not believed: by whom is it? */
static void look_at_certificates(struct doctor *d)
{
	size_t n = d->n_probes;

	for (size_t i = 0; i < n; i++) {
		const struct doctor_probe *p = &d->probes[i];
		if (p->g.transport == TRANSPORT_TLS && p->asked == ASKED_LIST)
			doctor_probe(d, ASKED_SHAKE, p->entry, p->g.url);
	}
}

void doctor_proxy_second(struct doctor *d)
{
	look_at_certificates(d);
	if (doctor_mirrors_wanted(d)) {
		doctor_probe(d, ASKED_MIRROR, 0, "https://goproxy.cn/" KNOWN_MODULE "/@v/list");
		doctor_probe(d, ASKED_MIRROR, 1, "https://mirrors.aliyun.com/goproxy/" KNOWN_MODULE "/@v/list");
		doctor_probe(d, ASKED_MIRROR, 2, "https://sum.golang.google.cn/latest");
	}
}

/* ---- what is wrong with the writing ---- */

static bool same_entry(const struct goproxy_entry *a, const struct goproxy_entry *b)
{
	return a->kind == b->kind && span_eq(a->host, b->host) && span_eq(a->path, b->path);
}

static void judge_writing(struct doctor *d, size_t i)
{
	const struct doctor_entry *x = &d->entries[i];
	const struct goproxy_entry *e = &x->e;

	if (e->kind == GOPROXY_BAD)
		doctor_error(d, DOCTOR_PROXY, CAUSE_MOD_ENV,
			     TR("write https://HOST[/PATH], file:///PATH, direct or off",
				"请写成 https://主机[/路径]、file:///路径、direct 或 off"),
			     TR("%s is no address: go refuses the whole list", "%s 不是有效地址：go 会拒绝整个列表"), x->shown);
	if (e->unreachable)
		doctor_warn(d, DOCTOR_PROXY, CAUSE_MOD_ENV,
			    TR("put it before direct or off, or take it out", "把它移到 direct 或 off 之前，或删除"),
			    TR("%s is never asked: it stands behind direct or off", "%s 永远不会被问到：它位于 direct 或 off 之后"),
			    x->shown);
	if (e->no_scheme)
		doctor_warn(d, DOCTOR_PROXY, CAUSE_MOD_ENV,
			    TR("write the scheme, so that other tools read it alike", "请写出协议，以便其他工具也能正确理解"),
			    TR("%s has no scheme: go takes it for https://%s", "%s 没有写协议：go 按 https://%s 处理"), x->shown, x->shown);
	if (e->insecure && !doctor_loopback(e->host))
		doctor_warn(
			d, DOCTOR_PROXY, CAUSE_MOD_ENV,
			TR("use https://; until then go.sum and the checksum database are all that protects the code, and go sends no netrc credentials",
			   "请改用 https://；否则代码只受 go.sum 和校验和数据库保护，且 go 不会发送 netrc 凭据"),
			TR("%s is asked without encryption", "对 %s 的访问没有加密"), x->shown);
	if (e->credentials)
		doctor_warn(d, DOCTOR_PROXY, CAUSE_MOD_AUTH,
			    TR("put them into ~/.netrc (mode 0600): machine HOST login NAME password SECRET",
			       "请把它们移到 ~/.netrc（权限 0600）：machine 主机 login 用户名 password 密码"),
			    TR("the address of %s holds credentials: every process and every log of `go env` shows them",
			       "%s 的地址中含有凭据：任何进程和 `go env` 的日志都能看到"),
			    x->shown);
	for (size_t k = 0; k < i; k++) {
		if (same_entry(e, &d->entries[k].e) && !e->unreachable) {
			doctor_warn(d, DOCTOR_PROXY, CAUSE_MOD_ENV, TR("take the second one out", "请删除重复的一项"),
				    TR("%s is in the list twice", "%s 在列表中出现了两次"), x->shown);
			break;
		}
	}
}

/* ---- what it answered ---- */

/* Versions, one a line, perhaps with a time behind; or nothing. */
static bool is_list(struct span text)
{
	while (text.n) {
		struct span line = span_trim(span_cut(&text, '\n'));
		if (line.n && !version_valid(span_cut(&line, ' ')))
			return false;
	}
	return true;
}

static const char *how_asked(struct doctor *d, const struct net_get *g)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (g->version)
		buf_addf(&b, g->version == 20 ? "HTTP/2" : g->version == 30 ? "HTTP/3" : "HTTP/1.%d", g->version - 10);
	if (g->tls[0])
		buf_addf(&b, ", %s", g->tls);
	if (g->by_proxy)
		buf_addf(&b, "%s", TR(", by the HTTP proxy", "，经由 HTTP 代理"));
	else if (g->address[0])
		buf_addf(&b, ", %s", g->address);
	d->report->lost |= b.bad;
	return doctor_text(d, "%s", buf_str(&b));
}

/* The list with | behind entry i, when nothing in it is a secret. */
static const char *with_bar(struct doctor *d, size_t i)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct span list = span_of(d->env.proxy);

	for (size_t k = 0; k < d->n_entries; k++) {
		if (d->entries[k].e.credentials)
			return NULL;
	}
	size_t end = d->entries[i].e.at + d->entries[i].e.url.n;
	for (; end < list.n && list.p[end] != ','; end++)
		;
	if (end >= list.n)
		return NULL;
	buf_span(&b, span_head(list, end));
	buf_addc(&b, '|');
	buf_span(&b, span_from(list, end + 1));
	d->report->lost |= b.bad;
	return doctor_text(d, TR("let go go on to the next one when this one is down: %s", "让 go 在它不可用时转到下一个：%s"),
			   doctor_set(d, "GOPROXY", buf_str(&b)));
}

/* What fails there fails the download, or only costs time. */
static void fails(struct doctor *d, size_t i, enum cause c, const char *fix, const char *text)
{
	const struct goproxy_entry *e = &d->entries[i].e;
	size_t next = doctor_next(d, i);

	if (next != SIZE_MAX && e->any_error && d->entries[next].e.kind != GOPROXY_OFF) {
		doctor_warn(d, DOCTOR_PROXY, c, fix, "%s%s", text,
			    TR("; go goes on to the next, after this time", "；go 会在这段时间之后转到下一个"));
		return;
	}
	if (next != SIZE_MAX && !fix)
		fix = with_bar(d, i);
	doctor_error(d, DOCTOR_PROXY, c, fix, "%s%s", text,
		     next != SIZE_MAX ? TR("; go gives up here: `,` goes on only after 404 and 410",
					   "；go 会就此放弃：“,”只在 404 和 410 时转到下一个")
				      : "");
}

static const char *login_fix(struct doctor *d, size_t i, const struct net_get *g)
{
	const struct goproxy_entry *e = &d->entries[i].e;

	if (g->authorized)
		return TR("it refuses the credentials that were sent: renew them in netrc", "它拒绝了所发送的凭据：请在 netrc 中更新");
	if (e->insecure)
		return TR("go sends netrc credentials over https only: use https://", "go 只通过 https 发送 netrc 凭据：请改用 https://");
	return doctor_text(d,
			   TR("put a line into ~/.netrc (mode 0600): machine %.*s login NAME password SECRET",
			      "在 ~/.netrc（权限 0600）中加入一行：machine %.*s login 用户名 password 密码"),
			   SPAN_ARG(e->host));
}

static bool supports(const struct doctor *d, size_t i)
{
	const struct doctor_probe *p = doctor_answer(d, ASKED_SUPPORTED, i);

	return p && p->g.transport == TRANSPORT_OK && (p->g.status == 200 || p->g.status == 404 || p->g.status == 410);
}

static void judge_status(struct doctor *d, size_t i, const struct net_get *g)
{
	const char *shown = d->entries[i].shown;
	int s = g->status;

	if (s == 401 || s == 407)
		fails(d, i, CAUSE_MOD_AUTH, login_fix(d, i, g),
		      doctor_text(d, TR("%s wants credentials (HTTP %d)", "%s 要求凭据（HTTP %d）"), shown, s));
	else if (s == 403 && supports(d, i)) {
		d->entries[i].answers = true;
		doctor_warn(d, DOCTOR_PROXY, CAUSE_MOD_AUTH,
			    TR("a policy may forbid this module alone: ask for one of yours with --module PATH",
			       "可能只是策略禁止了该模块：可用 --module 路径 换一个模块询问"),
			    TR("%s answers, and refuses %s (HTTP 403)", "%s 有回应，但拒绝提供 %s（HTTP 403）"), shown,
			    d->o->module ? d->o->module : KNOWN_MODULE);
	} else if (s == 403)
		fails(d, i, CAUSE_MOD_AUTH,
		      TR("ask who runs it: a policy, or your country, is refused", "请询问其管理员：可能是策略或地区限制"),
		      doctor_text(d, TR("%s refuses the question (HTTP 403)", "%s 拒绝了请求（HTTP 403）"), shown));
	else if (s >= 300 && s < 400)
		fails(d, i, CAUSE_MOD_PROXY, TR("write the address that it leads to", "请改写为它所指向的地址"),
		      doctor_text(d,
				  TR("%s leads elsewhere (HTTP %d), and credentials are not taken along",
				     "%s 重定向到别处（HTTP %d），凭据不会随之发送"),
				  shown, s));
	else
		fails(d, i, CAUSE_MOD_PROXY, NULL, doctor_text(d, TR("%s fails with HTTP %d", "%s 返回错误 HTTP %d"), shown, s));
}

static void judge_certificate(struct doctor *d, size_t i, const struct net_get *g)
{
	const struct doctor_probe *seen = doctor_answer(d, ASKED_SHAKE, i);
	const char *text = doctor_text(d, TR("%s does not answer: %s", "%s 没有回应：%s"), d->entries[i].shown, g->why);

	if (seen && seen->g.issuer[0])
		text = doctor_text(d, TR("%s; its certificate was issued by: %s", "%s；其证书签发者：%s"), text, seen->g.issuer);
	fails(d, i, CAUSE_MOD_TLS,
	      TR("if that is your company's inspection of TLS, add its CA to the system's (update-ca-certificates), or name a file that has it too in SSL_CERT_FILE; do not switch verification off",
		 "若这是公司的 TLS 检查设备，请把其 CA 加入系统（update-ca-certificates），或用 SSL_CERT_FILE 指定包含它的文件；不要关闭校验"),
	      text);
}

static void judge_answer(struct doctor *d, size_t i)
{
	const struct doctor_probe *p = doctor_answer(d, ASKED_LIST, i);
	struct doctor_entry *x = &d->entries[i];

	if (!p)
		return;
	const struct net_get *g = &p->g;
	char took[24];
	duration_text(g->total_ns, took);
	if (g->transport == TRANSPORT_TLS) {
		judge_certificate(d, i, g);
	} else if (g->transport != TRANSPORT_OK) {
		fails(d, i, doctor_transport_cause(g->transport), NULL,
		      doctor_text(d, TR("%s does not answer: %s (%s)", "%s 没有回应：%s（%s）"), x->shown, g->why ? g->why : "?", took));
	} else if (g->status == 404 || g->status == 410) {
		x->answers = true;
		doctor_ok(d, DOCTOR_PROXY,
			  TR("%s answers, and does not have %s (HTTP %d): %s; %s", "%s 有回应，但没有 %s（HTTP %d）：%s；%s"), x->shown,
			  d->o->module ? d->o->module : KNOWN_MODULE, g->status, how_asked(d, g), doctor_timing(d, g));
	} else if (g->status != 200) {
		judge_status(d, i, g);
	} else if (!is_list(buf_view(&g->body))) {
		fails(d, i, CAUSE_MOD_PROXY,
		      TR("open it in a browser: a login page of the network, or an address that is no module proxy",
			 "请用浏览器打开查看：可能是网络登录页，或者该地址不是模块代理"),
		      doctor_text(d,
				  !strncasecmp(g->type, "text/html", 9)
					  ? TR("%s answers with a web page instead of versions", "%s 返回的是网页而不是版本列表")
					  : TR("%s answers, but not as a module proxy does", "%s 有回应，但不是模块代理应有的内容"),
				  x->shown));
	} else {
		x->answers = true;
		if (g->total_ns > SLOW)
			doctor_warn(d, DOCTOR_PROXY, CAUSE_MOD_TIMEOUT, TR("put a nearer mirror before it", "请把更近的镜像放在它前面"),
				    TR("%s is slow: %s", "%s 很慢：%s"), x->shown, doctor_timing(d, g));
		else
			doctor_ok(d, DOCTOR_PROXY, TR("%s answers: %s; %s", "%s 有回应：%s；%s"), x->shown, how_asked(d, g),
				  doctor_timing(d, g));
	}
}

static void judge_folder(struct doctor *d, size_t i)
{
	struct doctor_entry *x = &d->entries[i];
	const char *path = arena_str(&d->report->mem, x->e.path);

	d->report->lost |= !path;
	x->answers = path && access(path, R_OK | X_OK) == 0;
	if (path && !x->answers && !x->e.unreachable && span_chr(x->e.path, '%') == SPAN_NONE)
		fails(d, i, CAUSE_MOD_NOT_FOUND,
		      TR("fill it on a machine that is online: it is $(go env GOMODCACHE)/cache/download of there",
			 "请在联网的机器上准备好它：即那台机器的 $(go env GOMODCACHE)/cache/download"),
		      doctor_text(d, TR("the folder of %s is not there or cannot be read: %m", "%s 的目录不存在或无法读取：%m"), x->shown));
}

void doctor_proxy_judge(struct doctor *d)
{
	if (!d->n_entries) {
		doctor_error(d, DOCTOR_PROXY, CAUSE_MOD_ENV, doctor_set(d, "GOPROXY", "https://proxy.golang.org,direct"),
			     TR("GOPROXY has no entry: go refuses it", "GOPROXY 中没有任何来源：go 不接受"));
		return;
	}
	doctor_ok(d, DOCTOR_PROXY, TR("rules: %zu, from %s", "规则 %zu 条，来源：%s"), d->n_entries, doctor_origin(d, "GOPROXY"));
	for (size_t i = 0; i < d->n_entries; i++) {
		doctor_ok(d, DOCTOR_PROXY, TR("%zu. %s: %s", "%zu. %s：%s"), i + 1, d->entries[i].shown, d->entries[i].words);
		judge_writing(d, i);
		if (d->entries[i].e.kind == GOPROXY_FILE)
			judge_folder(d, i);
		else
			judge_answer(d, i);
	}
}
