/* The doctor's pure parts: settings in words, and what must not be told of them. */
#include <stdio.h>
#include <strings.h>

#include "base/mem.h"
#include "mod/doctor_own.h"

/* ---- addresses ---- */

static struct span without(struct span s, char c)
{
	size_t at = span_chr(s, c);

	return at == SPAN_NONE ? s : span_head(s, at);
}

/* The last @ that can end a user: a password may hold a slash where the address is malformed; /@v/ and /@latest are a proxy's. */
static size_t user_end(struct span url)
{
	for (size_t i = url.n; i-- > 0;) {
		struct span rest = span_from(url, i + 1);
		bool own = i && url.p[i - 1] == '/' && (span_starts(rest, S("v/")) || span_eq(rest, S("latest")));
		if (url.p[i] == '@' && !own)
			return i;
	}
	return SPAN_NONE;
}

const char *url_shown(struct arena *mem, struct span url)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	CLEANUP(buf_free) struct buf clean = { 0 };
	size_t at = span_find(url, S("://"));

	if (at != SPAN_NONE) {
		buf_span(&b, span_head(url, at + 3));
		url = span_from(url, at + 3);
	}
	size_t user = user_end(url);
	if (user != SPAN_NONE)
		url = span_from(url, user + 1);
	buf_span(&b, without(without(url, '?'), '#'));
	text_clean(buf_view(&b), false, &clean);
	return b.bad || clean.bad ? NULL : arena_str(mem, clean.len ? buf_view(&clean) : S(""));
}

/* ---- GOPROXY ---- */

static const char *behind(const struct goproxy_entry *list, size_t n, size_t i)
{
	bool last = true;

	for (size_t k = i + 1; k < n; k++)
		last &= list[k].unreachable;
	if (last)
		return TR("nobody comes behind it: what it does not have is an error", "其后没有别的来源：它没有的模块即为错误");
	return list[i].any_error
		       ? TR("`|`: after any error, also when it is down, the next is asked",
			    "“|”：出现任何错误（包括不可用）都会转到下一个")
		       : TR("`,`: the next is asked only when it says 404 or 410; when it is down or says anything else, go gives up",
			    "“,”：仅当它返回 404 或 410 时才问下一个；它不可用或返回其他错误时，go 直接放弃");
}

const char *goproxy_explain(struct arena *mem, const struct goproxy_entry *list, size_t n, size_t i)
{
	const struct goproxy_entry *g = &list[i];

	if (g->unreachable)
		return TR("never asked: it stands behind direct or off, which end the list",
			  "永远不会被问到：它位于 direct 或 off 之后，列表到那里就结束了");
	switch (g->kind) {
	case GOPROXY_DIRECT:
		return i ? TR("what nobody before it has is fetched from its own repository, by git or what GOVCS allows",
			      "前面都没有的模块，直接从其代码仓库获取（git 或 GOVCS 允许的工具）")
			 : TR("each module is fetched from its own repository, by git or what GOVCS allows",
			      "每个模块都直接从其代码仓库获取（git 或 GOVCS 允许的工具）");
	case GOPROXY_OFF:
		return i ? TR("what nobody before it has is refused", "前面都没有的模块将被拒绝")
			 : TR("nothing is downloaded: only the cache and vendor/ serve", "不下载任何内容：只使用缓存和 vendor/");
	case GOPROXY_BAD:
		return TR("go refuses it, and with it the whole list", "go 不接受它，整个列表因此无效");
	case GOPROXY_FILE:
		return arena_printf(mem, "%s%s", TR("a folder of this machine; ", "本机目录；"), behind(list, n, i));
	case GOPROXY_URL:
		break;
	}
	return arena_printf(mem, "%s%s%s", i ? "" : TR("asked first; ", "最先被询问；"),
			    g->no_scheme ? TR("go puts https:// before it; ", "go 会在前面补上 https://；") : "", behind(list, n, i));
}

/* ---- GOVCS ---- */

static bool tool_listed(struct span tools, struct span vcs)
{
	while (tools.n) {
		struct span t = span_trim(span_cut(&tools, '|'));
		if (span_eq(t, S("all")) || span_eq(t, vcs))
			return true;
	}
	return false;
}

static bool rule_applies(struct span pattern, struct span path, bool private_)
{
	if (span_eq(pattern, S("public")))
		return !private_;
	return span_eq(pattern, S("private")) ? private_ : goprivate_matches(pattern, path);
}

const char *govcs_refusal(struct arena *mem, struct span rules, struct span path, bool private_, const char *vcs)
{
	while (rules.n) {
		struct span rule = span_trim(span_cut(&rules, ',')), tools = rule, pattern = span_trim(span_cut(&tools, ':'));
		if (!pattern.n || !span_trim(tools).n)
			return arena_printf(mem,
					    TR("GOVCS is malformed: \"%.*s\" is not PATTERN:TOOLS", "GOVCS 格式有误：“%.*s”不是 模式:工具"),
					    SPAN_ARG(rule));
		if (!rule_applies(pattern, path, private_))
			continue;
		return tool_listed(tools, span_of(vcs))
			       ? NULL
			       : arena_printf(mem, TR("GOVCS rule %.*s does not allow %s", "GOVCS 规则 %.*s 不允许 %s"), SPAN_ARG(rule),
					      vcs);
	}
	if (private_ || !strcmp(vcs, "git") || !strcmp(vcs, "hg"))
		return NULL;
	return arena_printf(mem, TR("GOVCS allows only git and hg for public modules", "GOVCS 对公开模块只允许 git 和 hg"));
}

/* ---- certificates, hosts ---- */

bool doctor_public_issuer(const char *issuer)
{
	static const char *const names[] = {
		"Google Trust Services",
		"Let's Encrypt",
		"ISRG",
		"DigiCert",
		"GlobalSign",
		"Sectigo",
		"USERTRUST",
		"COMODO",
		"Amazon",
		"Microsoft Corporation",
		"Cloudflare",
		"GeoTrust",
		"RapidSSL",
		"Thawte",
		"TrustAsia",
		"WoTrus",
		"CFCA",
		"China Financial",
		"ZeroSSL",
		"Entrust",
		"GoDaddy",
		"Starfield",
		"IdenTrust",
		"SSL Corp",
		"Buypass",
		"Actalis",
		"QuoVadis",
		"Certum",
		"Asseco",
		"Unizeto",
		"GDCA",
		"Global Digital Cybersecurity",
		"iTrusChina",
		"vTrus",
		"SHECA",
		"UniTrust",
		"Baltimore",
		"Certainly",
		"HARICA",
		"Hellenic Academic",
		"SwissSign",
		"TeliaSonera",
		"Telia",
		"D-Trust",
		"T-Systems",
		"SECOM",
		"NetLock",
		"Secure Site",
		"Encryption Everywhere",
		"BJCA",
		"Beijing Certificate",
		"Apple Public",
		"Fastly",
		"Gandi",
		"sslTrus",
		"DNSPod",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasestr(issuer, names[i]))
			return true;
	}
	return false;
}

static bool is_address(struct span host)
{
	bool digits = host.n > 0;

	for (size_t i = 0; i < host.n; i++)
		digits &= (host.p[i] >= '0' && host.p[i] <= '9') || host.p[i] == '.';
	return digits || span_starts(host, S("["));
}

bool doctor_private_host(struct span host)
{
	/* RFC 6762 appendix G, RFC 8375, ICANN's .internal, and what companies use. */
	static const char *const ends[] = { "internal", "local",       "lan",  "corp",      "intranet", "intra",
					    "private",  "localdomain", "home", "localhost", "domain",   "office" };
	static const char *const inner[] = { "internal", "intranet", "intra", "corp", "private" };
	size_t port = span_rchr(host, ':');
	struct span name = port == SPAN_NONE ? host : span_head(host, port);
	size_t dot = span_rchr(name, '.');

	if (dot == SPAN_NONE || is_address(name) || port != SPAN_NONE)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (span_eq(span_from(name, dot + 1), span_of(ends[i])))
			return true;
	}
	if (span_ends(name, S("home.arpa")))
		return true;
	for (struct span rest = name; rest.n;) {
		struct span label = span_cut(&rest, '.');
		for (size_t i = 0; i < ARRAY_LEN(inner) && rest.n; i++) {
			if (span_eq(label, span_of(inner[i])))
				return true;
		}
	}
	return false;
}
