/* The doctor on what every connection needs: trusted certificates, a clock that is right, and the HTTP proxies of the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "mod/doctor_own.h"
#include "net/get.h"

#define BUNDLE_MAX ((size_t)32 << 20)
#define SKEW_WARNING 60
#define SKEW_ERROR 3600

/* ---- certificates ---- */

static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt",
				       "/etc/pki/tls/certs/ca-bundle.crt",
				       "/etc/ssl/ca-bundle.pem",
				       "/etc/pki/tls/cacert.pem",
				       "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
				       "/etc/ssl/cert.pem" };

static size_t certificates_in(const char *file)
{
	CLEANUP(buf_free) struct buf text = { .max = BUNDLE_MAX };
	size_t n = 0;

	if (file_slurp(file, &text, NULL) < 0)
		return 0;
	struct span rest = buf_view(&text);
	for (size_t at; (at = span_find(rest, S("-----BEGIN CERTIFICATE-----"))) != SPAN_NONE; n++)
		rest = span_from(rest, at + 10);
	return n;
}

static void judge_file(struct doctor *d, const char *file)
{
	size_t n = certificates_in(file);

	if (access(file, R_OK) < 0)
		doctor_error(d, DOCTOR_NETWORK, CAUSE_MOD_TLS,
			     TR("correct the path, or unset SSL_CERT_FILE", "请修正路径，或取消 SSL_CERT_FILE"),
			     TR("SSL_CERT_FILE names %s, which cannot be read: %m; go passes over it in silence",
				"SSL_CERT_FILE 指向的 %s 无法读取：%m；go 会静默忽略它"),
			     file);
	else if (!n)
		doctor_error(d, DOCTOR_NETWORK, CAUSE_MOD_TLS, TR("it must hold certificates in PEM", "它必须包含 PEM 格式的证书"),
			     TR("SSL_CERT_FILE names %s, which holds no certificate in PEM", "SSL_CERT_FILE 指向的 %s 中没有 PEM 证书"),
			     file);
	else
		doctor_ok(d, DOCTOR_NETWORK,
			  TR("SSL_CERT_FILE: %s (certificates: %zu), in place of the system's file",
			     "SSL_CERT_FILE：%s（证书 %zu 个），替代系统的证书文件"),
			  file, n);
}

static void judge_folders(struct doctor *d, struct span list)
{
	while (list.n) {
		const char *dir = arena_str(&d->report->mem, span_cut(&list, ':'));
		if (dir && *dir && access(dir, R_OK | X_OK) < 0)
			doctor_error(d, DOCTOR_NETWORK, CAUSE_MOD_TLS,
				     TR("correct the path, or unset SSL_CERT_DIR", "请修正路径，或取消 SSL_CERT_DIR"),
				     TR("SSL_CERT_DIR names %s, which cannot be read: %m", "SSL_CERT_DIR 指向的 %s 无法读取：%m"), dir);
		else if (dir && *dir)
			doctor_ok(d, DOCTOR_NETWORK, "SSL_CERT_DIR: %s", dir);
	}
}

static void judge_store(struct doctor *d)
{
	const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");

	if (file && *file)
		judge_file(d, file);
	if (dir && *dir)
		judge_folders(d, span_of(dir));
	if (file && *file)
		return;
	for (size_t i = 0; i < ARRAY_LEN(bundles); i++) {
		size_t n = certificates_in(bundles[i]);
		if (n) {
			doctor_ok(d, DOCTOR_NETWORK, TR("trusted certificates: %zu in %s", "受信任的证书：%zu 个（%s）"), n, bundles[i]);
			return;
		}
	}
	if (!dir || !*dir)
		doctor_error(d, DOCTOR_NETWORK, CAUSE_MOD_TLS, TR("install the package ca-certificates", "请安装 ca-certificates 软件包"),
			     TR("there are no trusted certificates on this machine: https fails", "本机没有受信任的证书：https 会失败"));
}

static bool is_public_host(const char *shown)
{
	static const char *const hosts[] = { "https://proxy.golang.org/", "https://sum.golang.org/", "https://sum.golang.google.cn/",
					     "https://goproxy.cn/",       "https://goproxy.io/",     "https://mirrors.aliyun.com/" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		if (!strncmp(shown, hosts[i], strlen(hosts[i])) || (!strncmp(shown, hosts[i] + 8, strlen(hosts[i]) - 8)))
			return true;
	}
	return false;
}

static const char *host_shown(struct doctor *d, const char *shown)
{
	struct span rest = span_of(shown);
	size_t at = span_find(rest, S("://"));

	rest = at == SPAN_NONE ? rest : span_from(rest, at + 3);
	rest = span_cut(&rest, '/');
	return doctor_text(d, "%.*s", SPAN_ARG(rest));
}

/* A certificate of a well-known host that is believed here, and that no public authority has issued. */
static void judge_interception(struct doctor *d)
{
	for (size_t i = 0; i < d->n_probes; i++) {
		const struct doctor_probe *p = &d->probes[i];
		if (!is_public_host(p->shown) || !p->g.issuer[0] || (p->g.transport != TRANSPORT_OK && p->asked != ASKED_SHAKE))
			continue;
		if (doctor_public_issuer(p->g.issuer) || doctor_public_issuer(p->g.root))
			continue;
		doctor_warn(
			d, DOCTOR_NETWORK, CAUSE_MOD_TLS,
			TR("if that is your company's inspection of TLS: its CA must also be in every container and CI image that runs go; if it is nobody's you know, somebody reads along",
			   "若这是公司的 TLS 检查：其 CA 也必须装入所有运行 go 的容器和 CI 镜像；若不认识它，说明有人在窃听"),
			TR("TLS is intercepted: the certificate of %s was issued by \"%s\", which is no public authority",
			   "TLS 被拦截：%s 的证书由“%s”签发，它不是公共 CA"),
			host_shown(d, p->shown), p->g.issuer);
		return;
	}
}

/* ---- the clock ---- */

static void judge_clock(struct doctor *d)
{
	int64_t now = time_wall() / NSEC_PER_SEC, best = INT64_MIN;
	char by[24];

	for (size_t i = 0; i < d->n_probes; i++) {
		const struct net_get *g = &d->probes[i].g;
		if (!g->date)
			continue;
		int64_t skew = now - g->date;
		if (best == INT64_MIN || llabs(skew) < llabs(best)) /* a proxy's cache can make a date old */
			best = skew;
	}
	d->skew = best;
	if (best == INT64_MIN)
		return;
	duration_text(llabs(best) * NSEC_PER_SEC, by);
	if (llabs(best) <= SKEW_WARNING)
		doctor_ok(d, DOCTOR_NETWORK, TR("the clock is right (%lld s off)", "时钟正确（相差 %lld 秒）"), llabs(best));
	else if (llabs(best) <= SKEW_ERROR)
		doctor_warn(d, DOCTOR_NETWORK, CAUSE_MOD_TLS, TR("set it: timedatectl set-ntp true", "请校准：timedatectl set-ntp true"),
			    TR("this machine's clock is %s %s", "本机时钟相差 %s（偏%s）"), by,
			    best > 0 ? TR("ahead", "快") : TR("behind", "慢"));
	else
		doctor_error(d, DOCTOR_NETWORK, CAUSE_MOD_TLS, TR("set it: timedatectl set-ntp true", "请校准：timedatectl set-ntp true"),
			     TR("this machine's clock is %s %s: certificates look expired or not yet valid",
				"本机时钟相差 %s（偏%s）：证书会显得过期或尚未生效"),
			     by, best > 0 ? TR("ahead", "快") : TR("behind", "慢"));
}

/* ---- HTTP proxies ---- */

static const char *const proxy_names[][2] = { { "HTTPS_PROXY", "https_proxy" }, { "HTTP_PROXY", "http_proxy" } };

static const char *used(size_t i)
{
	const char *upper = getenv(proxy_names[i][0]), *lower = getenv(proxy_names[i][1]);

	return upper && *upper ? upper : lower && *lower ? lower : NULL;
}

void doctor_network_ask(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_LEN(proxy_names); i++) {
		const char *v = used(i);
		if (!v || (i && used(0) && !strcmp(v, used(0))))
			continue;
		bool tls = !strncmp(v, "https://", 8);
		struct span rest = span_of(v);
		size_t at = span_find(rest, S("://"));
		rest = at == SPAN_NONE ? rest : span_from(rest, at + 3);
		size_t user = span_rchr(rest, '@');
		rest = user == SPAN_NONE ? rest : span_from(rest, user + 1);
		struct span host = span_cut(&rest, '/');
		const char *port = span_rchr(host, ':') == SPAN_NONE && !strncmp(v, "socks", 5) ? ":1080" : "";
		const char *url = arena_printf(&d->report->mem, "%s://%.*s%s/", tls ? "https" : "http", SPAN_ARG(host), port);
		d->report->lost |= !url;
		if (url)
			doctor_probe(d, ASKED_HTTP_PROXY, i, url);
	}
}

static const char *shown_env(struct doctor *d, const char *v)
{
	const char *ret = url_shown(&d->report->mem, span_of(v));

	return ret ? ret : "";
}

static void judge_names(struct doctor *d, size_t i)
{
	const char *upper = getenv(proxy_names[i][0]), *lower = getenv(proxy_names[i][1]);

	if (upper && lower && *upper && *lower && strcmp(upper, lower))
		doctor_warn(d, DOCTOR_NETWORK, CAUSE_MOD_ENV, TR("give both the same value", "请把两者设为相同的值"),
			    TR("%s is %s and %s is %s: go takes the first, curl and git the second",
			       "%s 为 %s，而 %s 为 %s：go 用前者，curl 和 git 用后者"),
			    proxy_names[i][0], shown_env(d, upper), proxy_names[i][1], shown_env(d, lower));
}

static void judge_value(struct doctor *d, size_t i)
{
	const char *v = used(i);
	struct span scheme = span_of(v);
	size_t at = span_find(scheme, S("://"));

	scheme = at == SPAN_NONE ? (struct span){ 0 } : span_head(scheme, at);
	if (scheme.p && !span_eq(scheme, S("http")) && !span_eq(scheme, S("https")) && !span_eq(scheme, S("socks5")) &&
	    !span_eq(scheme, S("socks5h")))
		doctor_error(d, DOCTOR_NETWORK, CAUSE_MOD_ENV, TR("write http://HOST:PORT", "请写成 http://主机:端口"),
			     TR("%s is %s: go knows http, https and socks5 only", "%s 为 %s：go 只支持 http、https 和 socks5"),
			     proxy_names[i][0], shown_env(d, v));
}

static void judge_reach(struct doctor *d, size_t i)
{
	const struct doctor_probe *p = doctor_answer(d, ASKED_HTTP_PROXY, i);

	if (!p)
		return;
	if (p->g.connect_ns > 0 && p->g.transport != TRANSPORT_TLS)
		doctor_ok(d, DOCTOR_NETWORK, TR("%s: %s, a connection comes about in %lld ms", "%s：%s，%lld 毫秒内可建立连接"),
			  proxy_names[i][0], shown_env(d, used(i)), (long long)(p->g.connect_ns / NSEC_PER_MSEC) + 1);
	else
		doctor_error(d, DOCTOR_NETWORK, doctor_transport_cause(p->g.transport),
			     TR("start it, correct the address, or unset the variable", "请启动该代理、修正地址，或取消该变量"),
			     TR("%s names %s, which cannot be reached: %s", "%s 指向的 %s 无法连接：%s"), proxy_names[i][0],
			     shown_env(d, used(i)), p->g.why ? p->g.why : "?");
}

static void judge_exceptions(struct doctor *d)
{
	const char *v = getenv("NO_PROXY"), *lower = getenv("no_proxy");
	CLEANUP(buf_free) struct buf b = { 0 };

	v = v && *v ? v : lower;
	if (!v || !*v || (!used(0) && !used(1)))
		return;
	for (size_t i = 0; i < d->n_entries; i++) {
		if (d->entries[i].e.kind == GOPROXY_URL &&
		    net_no_proxy(span_of(v), d->entries[i].e.host, !span_starts(d->entries[i].e.url, S("http://"))))
			buf_addf(&b, "%s%.*s", b.len ? ", " : "", SPAN_ARG(d->entries[i].e.host));
	}
	d->report->lost |= b.bad;
	if (b.len)
		doctor_ok(d, DOCTOR_NETWORK, TR("NO_PROXY covers %s: asked without the proxy", "NO_PROXY 覆盖 %s：不经代理访问"),
			  buf_str(&b));
	else
		doctor_ok(d, DOCTOR_NETWORK,
			  TR("NO_PROXY is set and covers nobody in GOPROXY", "设置了 NO_PROXY，但不涉及 GOPROXY 中的主机"));
}

static void judge_proxies(struct doctor *d)
{
	const char *all = getenv("ALL_PROXY") ? getenv("ALL_PROXY") : getenv("all_proxy");

	for (size_t i = 0; i < ARRAY_LEN(proxy_names); i++) {
		judge_names(d, i);
		if (used(i)) {
			judge_value(d, i);
			judge_reach(d, i);
		}
	}
	if (used(1) && !used(0))
		doctor_warn(
			d, DOCTOR_NETWORK, CAUSE_MOD_ENV, doctor_text(d, "export HTTPS_PROXY=%s", shown_env(d, used(1))),
			TR("HTTP_PROXY is set and HTTPS_PROXY is not: https:// addresses, which module proxies have, are asked without it",
			   "设置了 HTTP_PROXY 而未设置 HTTPS_PROXY：模块代理使用的 https:// 地址不会经过它"));
	if (all && *all && !used(0))
		doctor_warn(d, DOCTOR_NETWORK, CAUSE_MOD_ENV, doctor_text(d, "export HTTPS_PROXY=%s", shown_env(d, all)),
			    TR("ALL_PROXY is set, which go does not know", "设置了 ALL_PROXY，但 go 不识别它"));
	judge_exceptions(d);
}

void doctor_network_judge(struct doctor *d)
{
	judge_store(d);
	judge_interception(d);
	judge_clock(d);
	judge_proxies(d);
}
