#include "mod/blame.h"

#include "base/buf.h"
#include "base/lang.h"
#include "base/mem.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* An address ends with a blank, a quote, or the colon behind it. */
static struct span address_at(struct span s)
{
	size_t n = 0;

	while (n < s.n && !is_space(s.p[n]) && s.p[n] != '"' && s.p[n] != '\'' && s.p[n] != '`')
		n++;
	while (n && (s.p[n - 1] == ':' || s.p[n - 1] == ',' || s.p[n - 1] == ')' || s.p[n - 1] == ';'))
		n--;
	return span_head(s, n);
}

/* What the server said is its own: nothing of it is believed. */
static struct span without_answer(struct span text)
{
	size_t at = span_find(text, S("\tserver response:"));

	return at == SPAN_NONE ? text : span_head(text, at);
}

static int status_behind(struct span text, struct span url)
{
	struct span rest = span_from(text, (size_t)(url.p + url.n - text.p));

	if (!span_skip(&rest, S(": ")) || rest.n < 4 || rest.p[3] != ' ')
		return 0;
	int64_t n;
	return span_int(span_head(rest, 3), &n) && n >= 100 && n < 600 ? (int)n : 0;
}

static void find_url(struct span text, struct blame *b)
{
	static const char *const schemes[] = { "https://", "http://", "file://", "http:/", "https:/" };

	for (size_t i = 0; i < text.n; i++) {
		for (size_t k = 0; k < ARRAY_LEN(schemes); k++) {
			struct span s = span_from(text, i);
			if (!span_starts(s, span_of(schemes[k])) ||
			    (i && (is_space(text.p[i - 1]) || text.p[i - 1] == '"' || text.p[i - 1] == '\'') == 0))
				continue;
			b->url = address_at(s);
			b->status = status_behind(text, b->url);
			break;
		}
	}
	size_t at = span_find(b->url, S("://"));
	struct span rest = at == SPAN_NONE ? (struct span){ 0 } : span_from(b->url, at + 3);
	size_t slash = span_chr(rest, '/');
	b->host = slash == SPAN_NONE ? rest : span_head(rest, slash);
	size_t user = span_rchr(b->host, '@');
	b->host = user == SPAN_NONE ? b->host : span_from(b->host, user + 1);
	if (span_starts(b->url, S("file:")))
		b->host = (struct span){ 0 };
}

static bool is_version(struct span v)
{
	return v.n > 1 && v.p[0] == 'v' && v.p[1] >= '0' && v.p[1] <= '9';
}

/* "path@v1.2.3", alone or with ":" or "/go.mod:" behind it. The last: the innermost. */
static void find_module(struct span text, struct blame *b)
{
	size_t from = 0; /* where the word begins that i is in */

	for (size_t i = 0; i + 1 < text.n; i++) {
		if (is_space(text.p[i]) || text.p[i] == '"' || text.p[i] == '(')
			from = i + 1;
		if (text.p[i] != '@')
			continue;
		size_t to = i + 1;
		while (to < text.n && !is_space(text.p[to]) && text.p[to] != '@' && text.p[to] != ':' && text.p[to] != '/' &&
		       text.p[to] != '"' && text.p[to] != ')' && text.p[to] != ',')
			to++;
		struct span path = { text.p + from, i - from }, version = { text.p + i + 1, to - i - 1 };
		if (!is_version(version) || span_find(path, S("://")) != SPAN_NONE || span_find(path, S(":/")) != SPAN_NONE ||
		    span_chr(path, '.') == SPAN_NONE)
			continue;
		b->module = path;
		b->version = version;
	}
}

static bool has(struct span text, const char *word)
{
	return span_find(text, span_of(word)) != SPAN_NONE;
}

/* clang-format off */
static const struct {
	enum cause cause;
	const char *layer, *variable;
} by_cause[] = {
	{ CAUSE_MOD_DNS, "DNS", "GOPROXY" }, { CAUSE_MOD_CONNECT, "connection", "GOPROXY" }, { CAUSE_MOD_TIMEOUT, "connection", "GOPROXY" },
	{ CAUSE_MOD_TLS, "TLS", "SSL_CERT_FILE" }, { CAUSE_MOD_PROXY, "HTTP", "GOPROXY" }, { CAUSE_MOD_AUTH, "HTTP", "NETRC" },
	{ CAUSE_MOD_NOT_FOUND, "HTTP", "GOPROXY" }, { CAUSE_MOD_CHECKSUM, "checksum", NULL }, { CAUSE_MOD_SUMDB, "checksum database", "GOSUMDB" },
	{ CAUSE_MOD_VCS, "git", "GOPRIVATE" }, { CAUSE_MOD_VENDOR, "vendor", "GOFLAGS" }, { CAUSE_MOD_WORK, "go.work", "GOWORK" },
	{ CAUSE_BUILD_TOOLCHAIN, "toolchain", "GOTOOLCHAIN" },
};
static const struct { /* the text knows better; the first that is found */
	const char *text, *layer, *variable;
} by_text[] = {
	{ "proxyconnect ", "HTTP proxy", "HTTPS_PROXY" },
	{ "Proxy Authentication Required", "HTTP proxy", "HTTPS_PROXY" },
	{ "server gave HTTP response to HTTPS client", "TLS", "GOPROXY" },
	{ "first record does not look like a TLS handshake", "TLS", "GOPROXY" },
	{ "module lookup disabled by GOPROXY=off", "settings", "GOPROXY" },
	{ "GOPROXY list is not the empty string", "settings", "GOPROXY" },
	{ "invalid proxy URL", "settings", "GOPROXY" },
	{ "disabled by -mod=", "settings", "GOFLAGS" },
	{ "GOSUMDB", "settings", "GOSUMDB" },
	{ "GOVCS disallows", "settings", "GOVCS" },
	{ "GOTOOLCHAIN", "toolchain", "GOTOOLCHAIN" },
	{ "golang.org/toolchain@", "toolchain", "GOTOOLCHAIN" },
	{ "file:///", "file", "GOPROXY" },
};
/* clang-format on */

const char *blame_layer_title(const char *layer)
{
	static const struct {
		const char *layer, *zh;
	} rows[] = {
		{ "connection", "连接" }, { "HTTP proxy", "HTTP 代理" }, { "checksum", "校验和" }, { "checksum database", "校验和数据库" },
		{ "settings", "设置" }, { "toolchain", "工具链" }, { "file", "文件" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!strcmp(rows[i].layer, layer))
			return TR(rows[i].layer, rows[i].zh);
	}
	return layer; /* a name in every language: DNS, TLS, HTTP, git, vendor, go.work */
}

void blame_read(struct span text, enum cause cause, struct blame *ret)
{
	*ret = (struct blame){ .layer = "go" };
	text = without_answer(text);
	find_url(text, ret);
	find_module(text, ret);
	ret->sumdb = has(ret->url, "/sumdb/") || has(ret->host, "sum.golang.") || has(ret->url, "/lookup/") || has(ret->url, "/tile/8/");
	for (size_t i = 0; i < ARRAY_LEN(by_cause); i++) {
		if (by_cause[i].cause == cause) {
			ret->layer = by_cause[i].layer;
			ret->variable = by_cause[i].variable;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(by_text); i++) {
		if (!has(text, by_text[i].text))
			continue;
		ret->layer = by_text[i].layer;
		ret->variable = by_text[i].variable;
		return;
	}
	if (ret->sumdb && (ret->status == 404 || ret->status == 410))
		ret->variable = "GOPRIVATE"; /* what the database cannot know */
	else if (ret->sumdb && cause != CAUSE_MOD_TLS)
		ret->variable = "GOSUMDB";
	else if (ret->status == 403 || ret->status == 451)
		ret->variable = "GOPROXY"; /* refused for what it is, not for who asks */
	else if (ret->url.n && cause == CAUSE_MOD_NOT_FOUND && !has(ret->url, "/@v/") && !has(ret->url, "/@latest"))
		ret->variable = "GOPRIVATE";
}

/* !x is X; in an address the ! may be %21. */
static bool unescape(struct span s, struct buf *ret)
{
	for (size_t i = 0; i < s.n; i++) {
		size_t mark = s.p[i] == '!' ? 1 : span_starts(span_from(s, i), S("%21")) ? 3 : 0;
		if (mark && i + mark < s.n && s.p[i + mark] >= 'a' && s.p[i + mark] <= 'z')
			buf_addc(ret, (char)(s.p[i += mark] - 'a' + 'A'));
		else
			buf_addc(ret, s.p[i]);
	}
	return !ret->bad;
}

bool blame_module(struct span url, struct span base, struct buf *module, struct buf *version)
{
	size_t at = span_find(url, S("/@"));
	struct span path, file;

	while (base.n && base.p[base.n - 1] == '/')
		base.n--;
	if (at == SPAN_NONE)
		return false;
	path = span_head(url, at);
	file = span_from(url, at + 1);
	size_t host = span_find(path, S("://")),
	       in = base.n ? span_find(path, span_find(base, S("://")) == SPAN_NONE ? base : span_from(base, span_find(base, S("://")) + 3))
			   : SPAN_NONE;
	if (in != SPAN_NONE)
		path = span_from(path, in + (span_find(base, S("://")) == SPAN_NONE ? base.n : base.n - span_find(base, S("://")) - 3));
	else if (host != SPAN_NONE)
		path = span_from(
			path,
			host + 3 + (span_chr(span_from(path, host + 3), '/') == SPAN_NONE ? 0 : span_chr(span_from(path, host + 3), '/')));
	while (path.n && *path.p == '/')
		path = span_from(path, 1);
	if (span_skip(&file, S("@v/"))) {
		size_t dot = span_rchr(file, '.');
		if (dot != SPAN_NONE && !unescape(span_head(file, dot), version))
			return false;
	}
	return path.n && unescape(path, module);
}

bool blame_hashes(struct span text, struct blame_hashes *ret)
{
	struct span rest = text;

	*ret = (struct blame_hashes){ 0 };
	while (rest.n) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		if (span_skip(&line, S("verifying "))) {
			ret->go_mod = has(line, "/go.mod: checksum");
			continue;
		}
		size_t h1 = span_find(line, S("h1:"));
		size_t colon = span_chr(line, ':');
		if (h1 == SPAN_NONE || colon == SPAN_NONE || colon >= h1)
			continue;
		struct span hash = span_head(span_from(line, h1), 47);
		if (span_starts(line, S("downloaded:"))) {
			ret->downloaded = hash;
		} else {
			ret->expected = hash;
			ret->by = span_head(line, colon);
		}
	}
	return ret->downloaded.n == 47 && ret->expected.n == 47;
}
