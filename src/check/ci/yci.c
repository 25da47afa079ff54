#include "check/ci/yci.h"

#include <strings.h>

#include "base/mem.h"

/* ---- words ---- */

static bool has(struct span text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.n; i++)
		if ((text.p[i] | 0x20) == (word[0] | 0x20) && strncasecmp(text.p + i, word, n) == 0)
			return true;
	return false;
}

bool yci_has(struct span text, const char *const *words)
{
	text = span_head(text, 64 << 10);
	for (; *words; words++)
		if (has(text, *words))
			return true;
	return false;
}

bool yci_says_failure(struct span text)
{
	static const char *const words[] = { "fail",
					     "error",
					     "broke",
					     "alert",
					     "down",
					     "crash",
					     "job.status",
					     ".result",
					     "CI_JOB_STATUS",
					     "DRONE_BUILD_STATUS",
					     "CI_PIPELINE_STATUS",
					     "失败",
					     "异常",
					     "告警",
					     "报警",
					     "出错",
					     "故障",
					     NULL };

	return yci_has(text, words);
}

bool yci_says_announce(struct span text)
{
	static const char *const words[] = { "release", "announce", "deploy",    "publish",
					     "success", "shipped",  "changelog", "version",
					     "started", "starting", "成功",      "发布",
					     "上线",    "部署",     "开始",      NULL };

	return yci_has(text, words);
}

bool yci_is_tryout(struct span name)
{
	static const char *const words[] = { "experiment", "tip",           "nightly",  "canary",
					     "unstable",   "gotip",         "bench",    "preview",
					     "optional",   "informational", "advisory", NULL };

	return yci_has(name, words);
}

bool yci_is_report(struct span name)
{
	static const char *const words[] = { "junit",       "test-result", "test_result", "testresult",
					     "test-report", "test_report", "testreport",  "test-log",
					     "test-output", "gotest",      "test.json",   "tests.json",
					     "results.xml", "report.xml",  "sarif",       "crash",
					     "core-dump",   "goroutine",   NULL };

	return yci_has(name, words);
}

/* ---- actions ---- */

/* owner/name without a version. */
static struct span bare_action(struct span name)
{
	size_t at = span_chr(name, '@');

	return at == SPAN_NONE ? name : span_head(name, at);
}

bool yci_alert_action(const struct lint_file *f, struct span name)
{
	/* In the name of the action, not of its owner: there are hundreds, and all say what they send to. */
	static const char *const words[] = { "slack",
					     "slatify",
					     "discord",
					     "telegram",
					     "msteams",
					     "ms-teams",
					     "microsoft-teams",
					     "teams-notif",
					     "dingtalk",
					     "dingding",
					     "actions-ding",
					     "feishu",
					     "lark",
					     "wecom",
					     "wechat-work",
					     "wechat_work",
					     "pagerduty",
					     "opsgenie",
					     "send-mail",
					     "sendmail",
					     "email",
					     "notify",
					     "notification",
					     "mattermost",
					     "rocketchat",
					     "zulip",
					     "pushover",
					     "ntfy",
					     "gotify",
					     "failed-build-issue",
					     "tocsin",
					     NULL };

	name = bare_action(name);
	size_t slash = span_starts(name, S("./")) ? SPAN_NONE : span_chr(name, '/');
	return lint_word_in(&f->config->alerts, name) ||
	       yci_has(slash == SPAN_NONE ? name : span_from(name, slash + 1), words);
}

struct span yci_go_action(struct span name)
{
	static const struct {
		const char *action, *runs;
	} rows[] = {
		{ "golangci/golangci-lint-action", "golangci-lint run" },
		{ "reviewdog/action-golangci-lint", "golangci-lint run" },
		{ "dominikh/staticcheck-action", "staticcheck ./..." },
		{ "golang/govulncheck-action", "govulncheck ./..." },
		{ "securego/gosec", "gosec ./..." },
		{ "robherley/go-test-action", "go test ./..." },
		{ "goreleaser/goreleaser-action", "go build ./..." },
	};

	name = bare_action(name);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (name.n == strlen(rows[i].action) && strncasecmp(name.p, rows[i].action, name.n) == 0)
			return span_of(rows[i].runs);
	return (struct span){ 0 };
}

struct span yci_secret_in(struct span text)
{
	for (size_t at; (at = span_find(text, S("secrets."))) != SPAN_NONE;) {
		size_t n = 0;
		text = span_from(text, at + 8);
		while (n < text.n && (text.p[n] == '_' || (text.p[n] >= '0' && text.p[n] <= '9') ||
				      ((text.p[n] | 0x20) >= 'a' && (text.p[n] | 0x20) <= 'z')))
			n++;
		if (n && !span_eq(span_head(text, n), S("GITHUB_TOKEN")))
			return span_head(text, n);
	}
	return (struct span){ 0 };
}

/* ---- shell ---- */

void yci_run_text(struct lint_file *f, const struct mapped *text, const struct shell_run *how,
		  struct shell_told *ret)
{
	struct shell_run h = *how;
	struct shell_piece *pieces = arena_alloc(f->scratch, (text->n + 1) * sizeof(*pieces));

	*ret = (struct shell_told){ 0 };
	if (text->bad || !pieces) {
		f->bad = true;
		return;
	}
	if (!text->text.len)
		return;
	memcpy(pieces, text->pieces, text->n * sizeof(*pieces));
	h.pieces = pieces;
	h.n_pieces = text->n;
	shell_check(f, shell_mask(f, buf_view(&text->text)), &h, ret);
}

void yci_run(struct lint_file *f, struct ytree *y, const struct ynode *scalar, const struct shell_run *how,
	     struct shell_told *ret)
{
	CLEANUP(mapped_free) struct mapped m = { 0 };

	ytext_into(&m, y, scalar);
	yci_run_text(f, &m, how, ret);
}

#define JOIN_MAX   2000  /* commands of one script */
#define JOIN_ALL   20000 /* of all scripts of a file */
#define JOIN_BYTES ((size_t)1 << 20)

struct join {
	struct mapped *to;
	struct ytree *y;
	const struct ynode *root;
	size_t n;
};

static const struct ynode *referred(struct join *j, const struct ynode *path)
{
	const struct ynode *n = j->root;

	for (const struct ynode *v = path->first; v && n; v = v->next)
		n = yfind_span(j->y, n, ytext(j->y, v));
	return n == j->root ? NULL : n;
}

static void join(struct join *j, const struct ynode *commands, int depth)
{
	const struct ynode *c = yreal(j->y, commands);

	if (!c || depth > 10 || j->n > JOIN_MAX || j->y->commands > JOIN_ALL || j->to->text.len > JOIN_BYTES)
		return;
	if (span_eq(c->tag, S("!reference"))) {
		j->n++;
		join(j, referred(j, c), depth + 1);
	} else if (c->kind == YSEQ) {
		for (const struct ynode *v = c->first; v && j->n <= JOIN_MAX; v = v->next)
			join(j, v, depth + 1);
	} else if (c->kind == YSCALAR) {
		j->n++;
		j->y->commands++;
		if (j->to->text.len && j->to->text.p[j->to->text.len - 1] != '\n')
			mapped_add(j->to, S("\n"), c->from);
		if (j->to->text.len)
			mapped_as(j->to, S("echo\n"), c->from, 1);
		ytext_into(j->to, j->y, c);
	}
}

void yci_join(struct lint_file *f, struct mapped *ret, struct ytree *y, const struct ynode *commands,
	      const struct ynode *root)
{
	struct join j = { .to = ret, .y = y, .root = root };

	join(&j, commands, 0);
	if (j.n > JOIN_MAX || y->commands > JOIN_ALL || ret->text.len > JOIN_BYTES)
		lint_limit(f,
			   TR("a script of more than %d commands or 1 MiB: the rest was not looked at",
			      "一个脚本超过 %d 条命令或 1 MiB：其余未检查"),
			   JOIN_MAX);
	f->bad |= ret->bad;
}

void yci_once(struct lint_file *f, size_t before)
{
	struct map seen = { 0 };
	size_t n = before;

	for (size_t i = before; i < f->n; i++) {
		const struct lint_finding *x = &f->findings[i];
		struct span key = span_of(arena_printf(f->scratch, "%s %u %u %.*s", x->rule->id, x->from,
						       x->to, SPAN_ARG(x->unit)));
		if (key.p && map_get(&seen, key))
			continue;
		f->bad |= !key.p || !map_put(&seen, key, f);
		f->findings[n++] = *x;
	}
	f->n = n;
	map_free(&seen);
}

void yci_env(struct lint_file *f, struct ytree *y, const struct ynode *map, struct span unit)
{
	if (!yis(y, map, YMAP))
		return;
	for (const struct ynode *v = yfirst(y, map); v; v = v->next) {
		struct span name = ykey(y, v), value = ytext(y, v);
		if (span_starts(name, S("GO")) && value.p)
			shell_check_env(f, name, value, v->key->from, v->to, unit);
	}
}

/* ---- messages and fixes ---- */

struct span yci_pair(struct lint_file *f, struct ytree *y, const struct ynode *value)
{
	struct span key = ykey(y, value), text = ytext(y, value);
	struct span line = text;

	line = span_cut(&line, '\n');
	return lint_text(f, "%.*s: %.*s", SPAN_ARG(key), SPAN_ARG(span_head(line, 60)));
}

bool yci_line_above(struct lint_file *f, const struct ytree *y, const struct ynode *value,
		    struct lint_finding *x, bool safe, const char *line)
{
	struct span text = y->text;

	if (!x || !value || !value->key)
		return false;
	size_t start = value->key->from;
	while (start && text.p[start - 1] != '\n')
		start--;
	/* Not within { … }, nor behind another key. */
	for (size_t i = start; i < value->key->from; i++)
		if (text.p[i] != ' ' && text.p[i] != '-')
			return false;
	lint_edit(f, x, safe, value->key->from, value->key->from,
		  lint_text(f, "%s\n%*s", line, (int)(value->key->from - start), ""));
	return true;
}
