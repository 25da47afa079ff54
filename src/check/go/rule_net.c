#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "check/go/golint.h"
#include "check/go/late.h"
#include "check/traps_own.h"
#include "parse/gohead.h"

/* N: secrets in the source, requests that nobody hears fail, registrations that come too late. */

/* Is one of these words in it, in any case of letters? */
static bool named_like(struct span name, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text_find_fold(name, span_of(words[i])) != SPAN_NONE)
			return true;
	return false;
}

/* ---- N01 and N02: string literals ---- */

static const struct webhook {
	struct span host; /* behind "://" and, where `below`, any labels */
	struct span path;
	bool below;
	size_t least; /* bytes of the secret behind the path */
	struct tx what;
} webhooks[] = {
	{ S("hooks.slack.com"), S("/services/"), false, 30, { "a Slack webhook", "Slack webhook" } },
	{ S("discord.com"), S("/api/webhooks/"), false, 40, { "a Discord webhook", "Discord webhook" } },
	{ S("discordapp.com"), S("/api/webhooks/"), false, 40, { "a Discord webhook", "Discord webhook" } },
	{ S("open.feishu.cn"),
	  S("/open-apis/bot/v2/hook/"),
	  false,
	  20,
	  { "a Feishu robot's webhook", "飞书机器人 webhook" } },
	{ S("open.larksuite.com"),
	  S("/open-apis/bot/v2/hook/"),
	  false,
	  20,
	  { "a Lark robot's webhook", "Lark 机器人 webhook" } },
	{ S("oapi.dingtalk.com"),
	  S("/robot/send?access_token="),
	  false,
	  32,
	  { "a DingTalk robot's webhook", "钉钉机器人 webhook" } },
	{ S("qyapi.weixin.qq.com"),
	  S("/cgi-bin/webhook/send?key="),
	  false,
	  20,
	  { "a WeCom robot's webhook", "企业微信机器人 webhook" } },
	{ S("webhook.office.com"),
	  S("/webhookb2/"),
	  true,
	  40,
	  { "a Microsoft Teams webhook", "Microsoft Teams webhook" } },
	{ S("api.telegram.org"), S("/bot"), false, 35, { "a Telegram bot's token", "Telegram 机器人令牌" } },
};
static const struct token {
	struct span head;
	size_t least;
	struct tx what;
} tokens[] = {
	{ S("ghp_"), 36, { "a GitHub token", "GitHub 令牌" } },
	{ S("gho_"), 36, { "a GitHub token", "GitHub 令牌" } },
	{ S("ghs_"), 36, { "a GitHub token", "GitHub 令牌" } },
	{ S("github_pat_"), 40, { "a GitHub token", "GitHub 令牌" } },
	{ S("glpat-"), 20, { "a GitLab token", "GitLab 令牌" } },
	{ S("xoxb-"), 24, { "a Slack token", "Slack 令牌" } },
	{ S("xoxp-"), 24, { "a Slack token", "Slack 令牌" } },
};

static bool of_secret(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("_-/@:.", c));
}

/* Made by chance, not by somebody who needed an example: many different signs, none of the usual words, no long row of anything. */
static bool by_chance(struct span s, size_t least)
{
	static const char *const words[] = { "example", "placeholder", "your",   "token",    "secret",
					     "dummy",   "fake",        "sample", "redacted", "abcdef",
					     "12345",   "webhook",     "test" };
	bool seen[256] = { 0 };
	size_t n = 0, kinds = 0, same = 1;

	while (n < s.n && of_secret(s.p[n]))
		n++;
	s = span_head(s, n);
	for (size_t i = 0; i < n; i++) {
		kinds += !seen[(unsigned char)s.p[i]];
		seen[(unsigned char)s.p[i]] = true;
		same = i && s.p[i] == s.p[i - 1] ? same + 1 : 1;
		if (same > 4)
			return false;
	}
	return n >= least && kinds >= 9 && !named_like(s, words, ARRAY_LEN(words));
}

static const struct tx *webhook_in(struct span url)
{
	size_t slash = span_chr(url, '/');
	struct span host = span_head(url, slash), path = slash == SPAN_NONE ? S("") : span_from(url, slash);

	for (size_t i = 0; path.n && i < ARRAY_LEN(webhooks); i++) {
		const struct webhook *w = &webhooks[i];
		if ((w->below ? span_ends(host, w->host) : span_eq(host, w->host)) &&
		    span_starts(path, w->path))
			return by_chance(span_from(path, w->path.n), w->least) ? &w->what : NULL;
	}
	return NULL;
}

static const struct tx *token_in(struct span literal, size_t end)
{
	for (size_t k = 0; k < ARRAY_LEN(tokens); k++)
		if (span_ends(span_head(literal, end), tokens[k].head) &&
		    by_chance(span_from(literal, end), tokens[k].least))
			return &tokens[k].what;
	return NULL;
}

const struct tx *golint_secret(struct span literal)
{
	const struct tx *what = NULL;

	for (size_t i = 0; i + 8 < literal.n && !what; i++) {
		char c = literal.p[i];
		if (c == ':' && span_starts(span_from(literal, i), S("://")))
			what = webhook_in(span_from(literal, i + 3));
		else if (c == '_' || c == '-')
			what = token_in(literal, i + 1);
	}
	/* What base/redact does not know would be printed with its line. */
	return what && redact_any(NULL, literal) ? what : NULL;
}

/* Hosts that are reached without leaving the machine or a network of its own, and names that are no places. */
static bool stays_near(struct span host)
{
	static const char *const ends[] = { ".local",     ".localhost",     ".svc",        ".internal",
					    ".test",      ".example",       ".invalid",    ".lan",
					    ".home.arpa", ".cluster.local", "example.com", "example.org",
					    "example.net" };
	static const char *const starts[] = { "127.", "10.", "192.168.", "169.254.", "0.0.0.0", "[" };
	struct span port = host;

	host = span_cut(&port, ':');
	if (span_chr(host, '.') == SPAN_NONE)
		return true; /* a name of a container or a host in the same network; [::1] */
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (span_ends(host, span_of(ends[i])) || span_find(host, S(".svc.")) != SPAN_NONE)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (span_starts(host, span_of(starts[i])))
			return true;
	int64_t second;
	struct span rest = host;
	if (!span_skip(&rest, S("172.")))
		return false;
	return span_int(span_cut(&rest, '.'), &second) && second >= 16 && second <= 31;
}

/* Is the call this literal is an argument of one that asks a server for something? */
static bool is_target(const struct golint *c, TSNode *call)
{
	static const char *const methods[] = { "Get",      "Post",       "Head",
					       "PostForm", "NewRequest", "NewRequestWithContext" };
	const struct gowalk *w = c->w;

	if (w->depth < 2 || !go_is(w->up[w->depth - 1], GO_ARGUMENT_LIST))
		return false;
	*call = w->up[w->depth - 2];
	return golint_calls_any(c, *call, "net/http", methods, ARRAY_LEN(methods));
}

static void check_plain_http(struct golint *c, TSNode n, struct span url)
{
	TSNode call;
	struct span rest = url, host;
	size_t end = 0;

	if (c->test)
		return;
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '%')
		end++;
	host = span_head(rest, end);
	if (!host.n || (end < rest.n && rest.p[end] == '%') || stays_near(host) || !is_target(c, &call))
		return;
	struct lint_finding *f = golint_say(c, RULE_N02, n, host);
	uint32_t at = (uint32_t)(url.p - c->file->text.p) - 3;
	lint_edit(c->out, f, false, at, at, S("s"));
}

static void literal(struct golint *c, TSNode n)
{
	if (ts_node_end_byte(n) - ts_node_start_byte(n) < 12)
		return;
	struct span s = go_string(c->file, n);
	const struct tx *secret = golint_secret(s);

	if (secret)
		golint_say_as(c, RULE_N01, c->test ? SEV_WARNING : SEV_ERROR, n, span_of(tx(*secret)));
	if (span_starts(s, S("http://")))
		check_plain_http(c, n, span_from(s, 7));
}

/* ---- N03: certificates that nobody looks at ---- */

/* Did somebody choose it: in the branch of an `if` that asks for just this, or for something that is called insecure? */
static bool chosen(const struct golint *c)
{
	static const char *const words[] = { "insecure",   "skip",     "verify",    "untrusted",
					     "selfsigned", "selfcert", "localhost", "loopback" };
	const struct gowalk *w = c->w;

	for (unsigned d = w->depth; d-- > 0;) {
		enum gonode kind = go_kind(w->up[d]);
		struct span asked = kind == GO_IF_STATEMENT
					    ? golint_text(c, go_field(w->up[d], GOFIELD_CONDITION))
				    : kind == GO_EXPRESSION_CASE || kind == GO_EXPRESSION_SWITCH_STATEMENT
					    ? golint_text(c, go_field(w->up[d], GOFIELD_VALUE))
					    : (struct span){ 0 };
		struct span name = kind == GO_VAR_SPEC ? golint_text(c, go_field(w->up[d], GOFIELD_NAME))
				   : kind == GO_SHORT_VAR_DECLARATION || kind == GO_ASSIGNMENT_STATEMENT
					   ? golint_text(c, go_field(w->up[d], GOFIELD_LEFT))
					   : (struct span){ 0 };
		if (named_like(asked, words, ARRAY_LEN(words)) ||
		    (d + 1 < w->depth && named_like(name, words, 1)))
			return true;
	}
	for (const struct golint_func *f = c->func; f; f = f->outer)
		if (named_like(f->name, words, 1))
			return true;
	return false;
}

/* Who checks the certificate in another way says so beside it. */
static bool checks_itself(struct span around)
{
	return span_find(around, S("VerifyPeerCertificate")) != SPAN_NONE ||
	       span_find(around, S("VerifyConnection")) != SPAN_NONE;
}

/* A comment at it, or above the statement that it is a part of, says why: somebody has thought of it. */
static void say_unchecked(struct golint *c, TSNode n)
{
	bool explained = golint_is_explained(c, n);

	for (unsigned d = c->w->depth; d-- > 0 && !explained;) {
		enum gonode kind = go_kind(c->w->up[d]);
		if (kind == GO_BLOCK)
			break;
		if (kind == GO_SHORT_VAR_DECLARATION || kind == GO_ASSIGNMENT_STATEMENT)
			explained = golint_is_explained(c, c->w->up[d]);
	}
	golint_say_as(c, RULE_N03, explained ? SEV_NOTE : rules[RULE_N03].severity, n);
}

static void keyed(struct golint *c, TSNode n)
{
	struct span s = golint_text(c, n);

	if (c->test || !span_skip(&s, S("InsecureSkipVerify")))
		return;
	s = span_trim(s);
	if (!span_skip(&s, S(":")) || !span_eq(span_trim(s), S("true")) || chosen(c) || !c->w->depth ||
	    checks_itself(golint_text(c, c->w->up[c->w->depth - 1])))
		return;
	say_unchecked(c, n);
}

static void assigned(struct golint *c, TSNode n)
{
	struct span s = golint_text(c, n);

	if (c->test || s.n > 200 || !span_ends(s, S("true")))
		return;
	struct span left = golint_text(c, go_field(n, GOFIELD_LEFT));
	if (!span_ends(left, S(".InsecureSkipVerify")) || chosen(c) ||
	    (c->func && checks_itself(golint_text(c, c->func->body))))
		return;
	say_unchecked(c, n);
}

/* ---- N04, N05: requests ---- */

static const struct golint_func *declaration_around(const struct golint *c)
{
	const struct golint_func *f = c->func;

	while (f && f->outer)
		f = f->outer;
	return f;
}

/* The name that the response of this call is given: `resp, err := call`; absent: none, or it is no such statement. */
static struct span response_name(const struct golint *c, TSNode call, TSNode *statement)
{
	const struct gowalk *w = c->w;
	unsigned d = w->depth;

	(void)call;
	if (d < 2 || !go_is(w->up[d - 1], GO_EXPRESSION_LIST) ||
	    !(go_is(w->up[d - 2], GO_SHORT_VAR_DECLARATION) || go_is(w->up[d - 2], GO_ASSIGNMENT_STATEMENT)))
		return (struct span){ 0 };
	*statement = w->up[d - 2];
	TSNode left = go_field(*statement, GOFIELD_LEFT);
	return go_count(left) == 2 ? golint_text(c, go_child(left, 0)) : (struct span){ 0 };
}

/* Is what stands behind this mention of the response all that a caller does who does not look at it: closing, draining, comparing with nil? */
static bool passes_over(struct span before, struct span behind)
{
	static const char *const fine[] = { ".Body.Close", " != nil", " == nil" };

	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		if (span_starts(behind, span_of(fine[i])))
			return true;
	return span_starts(behind, S(".Body)")) &&
	       (span_ends(before, S("Copy(io.Discard, ")) || span_ends(before, S("Copy(ioutil.Discard, ")));
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || (c & 0x80);
}

/* Is the response used for anything else, in the text behind the statement that has it? */
static bool looked_at(struct span text, struct span name)
{
	for (size_t at = 0, i; (i = span_find(span_from(text, at), name)) != SPAN_NONE;) {
		i += at;
		at = i + name.n;
		if ((i && (is_word(text.p[i - 1]) || text.p[i - 1] == '.')) ||
		    (at < text.n && is_word(text.p[at])))
			continue;
		if (!passes_over(span_head(text, i), span_from(text, at)))
			return true;
	}
	return false;
}

static void check_status(struct golint *c, TSNode n, const struct gocall *call)
{
	static const char *const words[] = { "notify", "alert", "send", "webhook" };
	static const char *const methods[] = { "Do", "Post", "PostForm" };
	const struct golint_func *f = declaration_around(c);
	TSNode statement;

	if (!f || !golint_named(call->name, methods, ARRAY_LEN(methods)) ||
	    !named_like(f->name, words, ARRAY_LEN(words)))
		return;
	if (!span_eq(golint_import(c, call->on), S("net/http")) &&
	    text_find_fold(call->on, S("client")) == SPAN_NONE)
		return;
	struct span name = response_name(c, n, &statement), body = golint_text(c, c->func->body);
	if (!name.n || !body.n)
		return;
	size_t end = ts_node_end_byte(statement) - ts_node_start_byte(c->func->body);
	if (span_eq(name, S("_")) || !looked_at(span_from(body, end), name))
		golint_say(c, RULE_N05, n, golint_text(c, call->callee), f->name);
}

static void check_timeout(struct golint *c, TSNode n, const struct gocall *call)
{
	static const char *const methods[] = { "Get", "Post", "Head", "PostForm" };
	bool plain = golint_named(call->name, methods, ARRAY_LEN(methods));

	if (go_is(call->operand, GO_SELECTOR_EXPRESSION)) {
		struct span on = call->on, package = span_cut(&on, '.');
		bool request = span_eq(call->name, S("Do"));
		if (!span_eq(on, S("DefaultClient")) || !span_eq(golint_import(c, package), S("net/http")) ||
		    !(plain || request))
			return;
		/* A request may bring a deadline along. */
		if (request && c->func &&
		    span_find(golint_text(c, declaration_around(c)->body), S("WithContext(")) != SPAN_NONE)
			return;
	} else if (!plain || !span_eq(golint_import(c, call->on), S("net/http"))) {
		return;
	}
	if (span_find(c->file->text, S("DefaultClient.Timeout")) == SPAN_NONE &&
	    span_find(c->file->text, S("http.DefaultClient = ")) == SPAN_NONE)
		golint_say(c, RULE_N04, n, golint_text(c, call->callee));
}

static void called(struct golint *c, TSNode n)
{
	static const char *const methods[] = { "Do", "Get", "Post", "Head", "PostForm" };
	struct span head = golint_head(c, n);
	size_t dot = span_rchr(head, '.');
	struct gocall call;

	if (dot == SPAN_NONE || c->test ||
	    !golint_named(span_from(head, dot + 1), methods, ARRAY_LEN(methods)) ||
	    !go_call(c->file, n, &call) || !call.operand.id)
		return;
	check_timeout(c, n, &call);
	check_status(c, n, &call);
}

/* ---- N06: started, and ended before it could do anything ---- */

static bool holds_call(TSNode n)
{
	CLEANUP(gochildren_end) struct gochildren c = { 0 };
	bool ret = false;

	gochildren_of(n, &c);
	for (TSNode a; (a = gochildren_next(&c)).id;)
		ret |= go_is(a, GO_CALL_EXPRESSION) || go_is(a, GO_UNARY_EXPRESSION) ||
		       go_is(a, GO_FUNC_LITERAL) || go_is(a, GO_SELECTOR_EXPRESSION);
	return ret;
}

/* The end of the process, with nothing to wait for in its arguments. */
static bool ends_process(const struct golint *c, TSNode call)
{
	return golint_is_exit(c, call) && !holds_call(go_field(call, GOFIELD_ARGUMENTS));
}

static void started(struct golint *c, TSNode n)
{
	TSNode next = n;

	for (int i = 0; i < 4; i++) {
		next = ts_node_next_named_sibling(next);
		if (go_is(next, GO_COMMENT))
			continue;
		TSNode call = golint_call_of(next);
		if (call.id && ends_process(c, call)) {
			struct gocall k = { 0 };
			go_call(c->file, go_child(n, 0), &k);
			golint_say(c, RULE_N06, n,
				   go_is(k.callee, GO_FUNC_LITERAL) || !k.name.n ? S("func")
										 : golint_text(c, k.callee),
				   golint_text(c, call));
			return;
		}
		if (!call.id || !golint_is_print(c, call) || holds_call(go_field(call, GOFIELD_ARGUMENTS)))
			return;
	}
}

/* ---- N07: registered too late, or in some builds alone ---- */

static void too_late(void *ctx, enum register_id rule, TSNode at, const char *text)
{
	struct golint *c = ctx;

	if (rule == REGISTER_AFTER_SERVE || rule == REGISTER_LATE_SERVICE)
		golint_say(c, RULE_N07, at, span_of(text));
}

static void check_tagged(struct golint *c)
{
	struct span head = span_head(c->file->text, 4096);
	struct go_registered r;
	struct gohead h;
	const struct constraint *x;

	if (c->test || span_find(head, S("build ")) == SPAN_NONE || !go_registers_worth(c->file->text))
		return;
	if (gohead_read(c->file->text, true, GOHEAD_GO, c->out->scratch, &h) < 0 ||
	    gohead_expr(&h, c->out->scratch, &x) < 0) {
		c->out->bad = true;
		return;
	}
	if (!x)
		return;
	struct span tag = tag_wanted(x, false);
	int found = tag.n && !tag_usual(tag) ? go_registers(c->file, &c->imports, &r) : 0;
	c->out->bad |= found < 0;
	if (found <= 0 || span_find(span_of(r.what.en), S("handler")) == SPAN_NONE)
		return;
	golint_say(c, RULE_N07, r.at,
		   lint_text(c->out,
			     TR("%.*s runs in builds with the tag %.*s alone",
				"%.*s 只在带有构建标签 %.*s 时执行"),
			     SPAN_ARG(r.call), SPAN_ARG(tag)));
}

static void whole_file(struct golint *c, TSNode n)
{
	static const char *const servers[] = { "net/http",
					       "google.golang.org/grpc",
					       "github.com/gin-gonic/gin",
					       "github.com/labstack/echo/v4",
					       "github.com/go-chi/chi/v5",
					       "github.com/gofiber/fiber/v2",
					       "github.com/gorilla/mux" };
	bool serves = false;

	(void)n;
	for (size_t k = 0; k < c->imports.n; k++)
		for (size_t i = 0; i < ARRAY_LEN(servers); i++)
			serves |= span_eq(c->imports.v[k].path, span_of(servers[i]));
	if (!serves || !c->out->on[RULE_N07])
		return;
	check_tagged(c);
	if (!c->test && (span_find(c->file->text, S("Serve")) != SPAN_NONE ||
			 span_find(c->file->text, S(".Run(")) != SPAN_NONE))
		c->out->bad |= go_late_find(c->file, &c->imports, c->out->scratch, too_late, c) < 0;
}

const struct golint_hook golint_net[] = {
	{ GO_SOURCE_FILE, whole_file },        { GO_INTERPRETED_STRING_LITERAL, literal },
	{ GO_RAW_STRING_LITERAL, literal },    { GO_KEYED_ELEMENT, keyed },
	{ GO_ASSIGNMENT_STATEMENT, assigned }, { GO_CALL_EXPRESSION, called },
	{ GO_GO_STATEMENT, started },          { GO_ERROR, NULL },
};
