#include "base/mem.h"
#include "base/path.h"
#include "check/ci/shell_own.h"

/* W: commands that send an alert, and what keeps it from arriving unnoticed. */

/* curl, its words taken apart. */
struct request {
	struct sh_walk *k;
	const struct sh *c;
	const struct sh_does *does;
	const struct sh_at *at;
	bool wget;
	bool fail, limited, retries, silent, dropped, insecure, config, shown, unknown, data, no_agent;
	const struct sh_word *url;  /* that an alert goes to */
	const struct sh_word *body; /* -d '{…}' */
};

/* Addresses whose path is the key. */
static const char *const hosts[] = { "hooks.slack.com/",
				     "discord.com/api/webhooks/",
				     "discordapp.com/api/webhooks/",
				     "open.feishu.cn/open-apis/bot/",
				     "open.larksuite.com/open-apis/bot/",
				     "oapi.dingtalk.com/robot/",
				     "qyapi.weixin.qq.com/cgi-bin/webhook/",
				     "webhook.office.com/",
				     "outlook.office.com/webhook/",
				     "api.telegram.org/bot",
				     "events.pagerduty.com/",
				     "api.opsgenie.com/",
				     "sctapi.ftqq.com/",
				     "api.day.app/",
				     "ntfy.sh/",
				     "chat.googleapis.com/v1/spaces/",
				     "slack.com/api/chat." };
/* Parts of the names of variables that hold such an address. */
static const char *const names[] = { "WEBHOOK", "SLACK",   "DISCORD",   "FEISHU",   "LARK",     "DINGTALK",
				     "WECOM",   "WXWORK",  "WEIXIN",    "TEAMS_",   "TELEGRAM", "HOOK_URL",
				     "ALERT_",  "NOTIFY_", "PAGERDUTY", "OPSGENIE", "webhook",  "hook_url" };
/* Other commands that send one. */
static const char *const senders[] = { "mail",  "mailx", "sendmail", "mutt",          "apprise",
				       "slack", "ntfy",  "pd",       "opsgenie-lamp", "swaks" };
/* Values without quotes or newlines in them. */
static const char *const plain_names[] = { "GITHUB_SHA",
					   "GITHUB_RUN_ID",
					   "GITHUB_RUN_NUMBER",
					   "GITHUB_REPOSITORY",
					   "GITHUB_SERVER_URL",
					   "GITHUB_WORKFLOW",
					   "GITHUB_JOB",
					   "GITHUB_ACTOR",
					   "CI_PIPELINE_URL",
					   "CI_JOB_URL",
					   "CI_PIPELINE_ID",
					   "CI_JOB_ID",
					   "CI_COMMIT_SHA",
					   "CI_COMMIT_SHORT_SHA",
					   "CI_PROJECT_PATH",
					   "CI_JOB_NAME",
					   "BUILD_NUMBER",
					   "BUILD_URL",
					   "BUILD_ID",
					   "JOB_NAME",
					   "HOSTNAME",
					   "SHA",
					   "RUN_ID",
					   "URL",
					   "VERSION",
					   "TAG",
					   "TELEGRAM_CHAT_ID",
					   "CHAT_ID",
					   "rc",
					   "status",
					   "code",
					   "STATUS",
					   "color",
					   "COLOR",
					   "channel",
					   "CHANNEL",
					   "SLACK_CHANNEL" };

static bool has_any(struct span text, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sh_has(text, list[i]))
			return true;
	return false;
}

static bool is_address(struct span w)
{
	return has_any(w, hosts, ARRAY_LEN(hosts)) ||
	       (span_chr(w, '$') != SPAN_NONE && span_chr(w, '{') != 0 &&
		has_any(w, names, ARRAY_LEN(names)));
}

/* Also where a template of the CI system stands for it: ${{ secrets.SLACK_WEBHOOK_URL }} */
static bool names_address(struct sh_walk *k, const struct sh_word *w)
{
	return is_address(w->plain) || (sh_has(w->plain, "____") && is_address(sh_shown_word(k, w)));
}

/* ---- options ---- */

struct option {
	char letter;
	const char *name;
	bool valued;
};
static const struct option curl_options[] = {
	{ 'f', "fail", false },
	{ 0, "fail-with-body", false },
	{ 'm', "max-time", true },
	{ 0, "retry", true },
	{ 's', "silent", false },
	{ 'o', "output", true },
	{ 'k', "insecure", false },
	{ 'K', "config", true },
	{ 'w', "write-out", true },
	{ 'd', "data", true },
	{ 0, "data-raw", true },
	{ 0, "data-binary", true },
	{ 0, "data-urlencode", true },
	{ 0, "json", true },
	{ 'F', "form", true },
	{ 'A', "user-agent", true },
	{ 'H', "header", true },
	{ 'X', "request", true },
	{ 'u', "user", true },
	{ 'x', "proxy", true },
	{ 'e', "referer", true },
	{ 'b', "cookie", true },
	{ 'c', "cookie-jar", true },
	{ 'E', "cert", true },
	{ 'T', "upload-file", true },
	{ 'D', "dump-header", true },
	{ 'y', "speed-time", true },
	{ 'Y', "speed-limit", true },
	{ 'r', "range", true },
	{ 't', "telnet-option", true },
	{ 'C', "continue-at", true },
	{ 'z', "time-cond", true },
	{ 'P', "ftp-port", true },
	{ 'Q', "quote", true },
	{ 'U', "proxy-user", true },
	{ 0, "url", true },
	{ 0, "connect-timeout", true },
	{ 0, "retry-delay", true },
	{ 0, "retry-max-time", true },
	{ 0, "cacert", true },
	{ 0, "key", true },
	{ 0, "resolve", true },
	{ 0, "output-dir", true },
	{ 0, "variable", true },
	{ 0, "oauth2-bearer", true },
	{ 0, "noproxy", true },
};

static void take_option(struct request *r, struct span name, const struct sh_word *value)
{
	struct span v = value ? value->plain : S("");

	r->fail |= SH_IN(name, "fail", "fail-with-body");
	r->limited |= SH_IN(name, "max-time", "speed-time");
	r->retries |= span_eq(name, S("retry"));
	r->silent |= span_eq(name, S("silent"));
	r->dropped |= span_eq(name, S("output")) && span_eq(v, S("/dev/null"));
	r->insecure |= span_eq(name, S("insecure"));
	r->config |= span_eq(name, S("config"));
	r->shown |= span_eq(name, S("write-out"));
	r->no_agent |= (span_eq(name, S("user-agent")) && !v.n) ||
		       (span_eq(name, S("header")) &&
			(span_eq(v, S("User-Agent:")) || span_eq(v, S("user-agent:"))));
	if (span_starts(name, S("data")) || span_eq(name, S("json")) || span_eq(name, S("form"))) {
		r->data = true;
		r->body = value ? value : r->body;
	}
	if (value && span_eq(name, S("url")) && names_address(r->k, value))
		r->url = value;
}

static const struct option *find_option(struct span name, char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(curl_options); i++)
		if (name.n ? span_eq(name, span_of(curl_options[i].name)) : curl_options[i].letter == letter)
			return &curl_options[i];
	return NULL;
}

/* -fsSm 20: the value of the last letter may be in the word or the next one. Words taken. */
static size_t take_letters(struct request *r, size_t i)
{
	const struct sh_word *w = &r->c->words[i];

	for (size_t n = 1; n < w->plain.n; n++) {
		const struct option *o = find_option((struct span){ 0 }, w->plain.p[n]);
		bool last = n + 1 == w->plain.n;
		if (!o)
			continue;
		take_option(r, span_of(o->name),
			    o->valued ? (last && i + 1 < r->c->n_words ? w + 1 : w) : NULL);
		if (o->valued)
			return last ? 1 : 0;
	}
	return 0;
}

static void take_words(struct request *r)
{
	for (size_t i = r->does->at + 1; i < r->c->n_words; i++) {
		const struct sh_word *w = &r->c->words[i];
		struct span name = w->plain;
		if (span_skip(&name, S("--")) && name.n) {
			const struct option *o = find_option(span_head(name, span_chr(name, '=')), 0);
			bool next = o && o->valued && span_chr(name, '=') == SPAN_NONE &&
				    i + 1 < r->c->n_words;
			take_option(r, span_head(name, span_chr(name, '=')), next ? w + 1 : NULL);
			i += next;
		} else if (w->plain.n > 1 && *w->plain.p == '-') {
			i += take_letters(r, i);
		} else if (names_address(r->k, w)) {
			r->url = w;
		} else if (w->dynamic && (sh_has(w->plain, "[@]") || sh_has(w->plain, "$@") ||
					  sh_has(w->plain, "$*") || sh_has(w->plain, "OPT") ||
					  sh_has(w->plain, "ARGS") || sh_has(w->plain, "FLAGS"))) {
			r->unknown = true;
		}
	}
	if (r->wget)
		r->limited = sh_has(sh_text(r->k, r->c), "-T") || sh_has(sh_text(r->k, r->c), "--timeout");
}

/* ---- rules ---- */

/* Behind the name of the program, or (for a second option, so that both can be put in at once) before its first argument. */
static void fix_option(struct request *r, struct lint_finding *x, const char *option, bool second)
{
	const struct sh_word *w = &r->c->words[r->does->at];
	uint32_t at = w->from + (uint32_t)w->raw.n;

	second &= r->does->at + 1 < r->c->n_words;
	if (second)
		at = w[1].from;
	at = shell_in_file(r->k->how, at);
	lint_edit(r->k->f, x, true, at, at, lint_text(r->k->f, second ? "%s " : " %s", option));
}

static void judge_answer(struct request *r)
{
	struct span what = sh_command(r->k, r->c, r->does);
	bool read = sh_in_role(r->at, ROLE_SUBST) || r->at->role == ROLE_PIPED;
	bool timed =
		r->does->at && sh_in_role(r->at, ROLE_STATEMENT) &&
		sh_has(span_head(sh_text(r->k, r->c), r->c->words[r->does->at].from - r->c->from), "timeout");

	if (!r->wget && !r->fail && !r->shown && !r->config && !r->unknown && !read)
		fix_option(r, sh_say(r->k, RULE_W01, r->c, what), "--fail", false);
	if (!r->limited && !r->config && !r->unknown && !timed) {
		struct lint_finding *x = sh_say(r->k, RULE_W02, r->c, what);
		if (!r->wget)
			fix_option(r, x, "--max-time 20", true);
	}
	if (!r->wget && !r->retries && !r->config && !r->unknown && !sh_in_role(r->at, ROLE_LOOP) &&
	    !sh_in_role(r->at, ROLE_LOOP_COND))
		sh_say(r->k, RULE_W03, r->c, what);
}

static void judge_address(struct request *r)
{
	struct span url = sh_short(r->k, sh_shown_word(r->k, r->url)), rest = r->url->plain;
	bool local = sh_has(rest, "://localhost") || sh_has(rest, "://127.") || sh_has(rest, ".svc") ||
		     sh_has(rest, ".local");

	/* A hosted runner has nobody else to look at its processes; a log keeps what set -x prints. */
	sh_say_as(r->k, RULE_W04,
		  r->k->ci && r->at->state.xtrace != SHELL_ON ? SEV_NOTE : rules[RULE_W04].severity, r->c,
		  url);
	if (span_starts(rest, S("http://")) && !local)
		sh_say(r->k, RULE_W05, r->c, url);
	else if (r->insecure)
		sh_say(r->k, RULE_W05, r->c, S("-k"));
}

/* What is filled into it may hold a quote or a newline. */
static struct span free_text(const struct sh_word *w)
{
	struct span raw = w->plain;

	for (size_t i = 0; i + 1 < raw.n; i++) {
		if (raw.p[i] == '`')
			return S("`…`");
		if (raw.p[i] != '$')
			continue;
		if (raw.p[i + 1] == '(')
			return S("$(…)");
		size_t from = i + 1 + (raw.p[i + 1] == '{'), to = from;
		while (to < raw.n && sh_is_name_byte(raw.p[to]))
			to++;
		struct span name = { raw.p + from, to - from };
		if (name.n && !sh_in(name, plain_names, ARRAY_LEN(plain_names)))
			return (struct span){ raw.p + i, to - i + (from > i + 1 && to < raw.n) };
	}
	return (struct span){ 0 };
}

static void judge_body(struct request *r)
{
	struct span body = r->body ? r->body->plain : S(""), text;

	if (!r->body || !r->body->dynamic || !body.n || (*body.p != '{' && *body.p != '['))
		return;
	text = free_text(r->body);
	if (text.p)
		sh_say(r->k, RULE_W06, r->c, sh_short(r->k, text));
}

static void judge_loss(struct request *r)
{
	struct span what = sh_command(r->k, r->c, r->does);

	if (r->k->how->ignored)
		return;
	if (sh_is_lost(r->k, r->c, r->at))
		sh_say(r->k, RULE_W07, r->c, what);
	else if (r->silent && r->dropped && !r->fail && !r->shown && !r->config && !r->unknown)
		sh_say(r->k, RULE_W07, r->c, what);
}

/* The name of the variable in $NAME or "${NAME}/…". */
static struct span variable_of(struct span w)
{
	size_t i = span_chr(w, '$'), to;

	if (i == SPAN_NONE)
		return (struct span){ 0 };
	i += 1 + (i + 1 < w.n && w.p[i + 1] == '{');
	for (to = i; to < w.n && sh_is_name_byte(w.p[to]);)
		to++;
	return (struct span){ w.p + i, to - i };
}

/* `if [ -n "$HOOK" ]; then curl …; fi`: without the variable nobody learns that there is no alert. */
static void judge_condition(struct request *r)
{
	struct span name = variable_of(r->url->plain);

	for (const struct sh_at *a = r->at; a && name.n; a = a->up) {
		const struct sh *cond = a->node->kids, *then = cond ? cond->next : NULL;
		if (a->role == ROLE_BRANCH && a->node->kind == SH_IF && then && a->child == then &&
		    !then->next && sh_uses(sh_text(r->k, cond), name)) {
			sh_say(r->k, RULE_W08, r->c, name);
			return;
		}
		if (a->role == ROLE_RIGHT && a->node->kind == SH_AND && a->node->kids->kind != SH_AND &&
		    sh_uses(sh_text(r->k, a->node->kids), name)) {
			sh_say(r->k, RULE_W08, r->c, name);
			return;
		}
		if (a->role == ROLE_CALL)
			return;
	}
}

void sh_rule_alert(struct sh_walk *k, const struct sh *c, const struct sh_does *does, const struct sh_at *at)
{
	struct request r = { .k = k, .c = c, .does = does, .at = at };
	struct span name = path_base(sh_word(c, does->at));
	bool alert = sh_in(name, senders, ARRAY_LEN(senders)) || lint_word_in(&k->f->config->alerts, name) ||
		     (span_eq(name, S("tocsin")) && span_eq(sh_word(c, does->at + 1), S("alert")));

	k->told->alerts |= alert;
	if (alert && sh_is_lost(k, c, at) && !k->how->ignored)
		sh_say(k, RULE_W07, c, sh_command(k, c, does));
	r.wget = span_eq(name, S("wget"));
	if (!r.wget && !span_eq(name, S("curl")))
		return;
	take_words(&r);
	k->told->alerts |= r.config && r.data; /* where it goes stands in the file, as W04 advises */
	if (!r.url)
		return;
	k->told->alerts = true;
	judge_answer(&r);
	judge_address(&r);
	judge_body(&r);
	judge_loss(&r);
	judge_condition(&r);
	if (r.no_agent)
		sh_say(k, RULE_W09, c, sh_command(k, c, does));
}
