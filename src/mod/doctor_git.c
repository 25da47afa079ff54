/* The doctor on git: it fetches what comes direct, and it must never have to ask anybody anything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "mod/doctor_own.h"
#include "parse/netrc.h"
#include "run/ask.h"

#define LIMIT (5 * NSEC_PER_SEC)
#define HOSTS_MAX 8

struct gitting {
	struct doctor *d;
	struct answer config; /* NUL-separated "key\nvalue", of the user's and the system's configuration */
	bool helper;          /* a credential helper for all hosts */
	struct span hosts[HOSTS_MAX];
	size_t n_hosts;
};

static bool may_go_direct(const struct doctor *d)
{
	for (size_t i = 0; i < d->n_entries; i++) {
		if (d->entries[i].e.kind == GOPROXY_DIRECT && !d->entries[i].e.unreachable)
			return true;
	}
	return *d->env.noproxy && !(d->n_entries && d->entries[0].e.kind == GOPROXY_OFF);
}

static bool must_go_direct(const struct doctor *d)
{
	for (size_t i = 0; i < d->n_modules; i++) {
		if (d->modules[i].private_ && d->modules[i].from > FROM_FOLDER)
			return true;
	}
	return d->n_entries && d->entries[0].e.kind == GOPROXY_DIRECT;
}

static int ask_git(const char *const *words, struct answer *ret, struct err *e)
{
	static const char *const env[] = { "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "GIT_DIR", "GIT_WORK_TREE", NULL };

	return mod_ask(words, env, "/", LIMIT, ret, e);
}

static bool judge_there(struct doctor *d)
{
	static const char *const words[] = { "git", "--version", NULL };
	CLEANUP(answer_free) struct answer got = { 0 };
	struct err e = { 0 };

	int r = ask_git(words, &got, &e);
	if (r == 0 && got.status == 0) {
		struct span text = span_trim(buf_view(&got.out));
		doctor_ok(d, DOCTOR_GIT, "%.*s", SPAN_ARG(text));
		return true;
	}
	const char *why = r < 0 ? e.msg : TR("`git --version` fails", "`git --version` 失败");
	if (must_go_direct(d))
		doctor_error(d, DOCTOR_GIT, CAUSE_MOD_VCS,
			     TR("install git: modules are fetched from their repositories here",
				"请安装 git：此处有模块要从其代码仓库获取"),
			     "%s", why);
	else if (may_go_direct(d))
		doctor_warn(d, DOCTOR_GIT, CAUSE_MOD_VCS,
			    TR("install git, or end GOPROXY without direct", "请安装 git，或在 GOPROXY 中去掉 direct"),
			    TR("%s; what no proxy has cannot be fetched", "%s；代理没有的模块将无法获取"), why);
	else
		doctor_ok(d, DOCTOR_GIT, TR("%s; it is not needed: nothing comes direct", "%s；不需要它：没有模块直接获取"), why);
	return false;
}

/* ---- configuration ---- */

static bool next_setting(struct span *rest, struct span *key, struct span *value)
{
	if (!rest->n)
		return false;
	*value = span_cut(rest, '\0');
	*key = span_cut(value, '\n');
	return true;
}

static struct span host_of_url(struct span url)
{
	size_t at = span_find(url, S("://"));
	struct span rest = at == SPAN_NONE ? url : span_from(url, at + 3);
	size_t user = span_chr(rest, '@'), end = 0;

	rest = user == SPAN_NONE ? rest : span_from(rest, user + 1);
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != ':')
		end++;
	return span_head(rest, end);
}

static bool is_ssh(struct span url)
{
	return span_starts(url, S("ssh://")) || span_starts(url, S("git+ssh://")) ||
	       (span_find(url, S("://")) == SPAN_NONE && span_chr(url, '@') != SPAN_NONE);
}

/* url.BASE.insteadOf=PREFIX: the longest PREFIX of this host's address; absent: none. */
static struct span rewritten(const struct gitting *g, struct span url)
{
	struct span rest = buf_view(&g->config.out), key, value, best = { 0 };
	size_t longest = 0;

	while (next_setting(&rest, &key, &value)) {
		if (!span_skip(&key, S("url.")) || !span_ends(key, S(".insteadof")) || value.n < longest)
			continue;
		if (span_starts(url, value) || (span_starts(value, url) && value.n <= url.n + 1)) {
			longest = value.n;
			best = span_head(key, key.n - strlen(".insteadof"));
		}
	}
	return best;
}

static bool has_helper(const struct gitting *g, struct span host)
{
	struct span rest = buf_view(&g->config.out), key, value;
	bool has = false;

	while (next_setting(&rest, &key, &value)) {
		if (!span_skip(&key, S("credential.")) || !span_ends(key, S("helper")))
			continue;
		if (span_eq(key, S("helper")) || span_eq(host_of_url(key), host))
			has = value.n > 0; /* an empty one takes those before it back */
		else if (span_find(key, host) != SPAN_NONE)
			has = value.n > 0;
	}
	return has;
}

static bool own_ssh(const struct gitting *g)
{
	struct span rest = buf_view(&g->config.out), key, value;

	if (getenv("GIT_SSH_COMMAND") || getenv("GIT_SSH"))
		return true;
	while (next_setting(&rest, &key, &value)) {
		if (span_eq(key, S("core.sshcommand")))
			return true;
	}
	return false;
}

static void judge_known(struct gitting *g, struct span host)
{
	CLEANUP(answer_free) struct answer got = { 0 };
	char name[256];
	const char *const words[] = { "ssh-keygen", "-F", name, NULL };
	const char *const global[] = { "ssh-keygen", "-F", name, "-f", "/etc/ssh/ssh_known_hosts", NULL };

	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(span_head(host, 250)));
	if (own_ssh(g) || name[0] == '-')
		return;
	if (mod_ask(words, NULL, "/", LIMIT, &got, NULL) < 0) {
		doctor_error(g->d, DOCTOR_GIT, CAUSE_MOD_VCS, TR("install openssh-client", "请安装 openssh-client"),
			     TR("git would go to %s by ssh, and there is no ssh", "git 会通过 ssh 访问 %s，但没有安装 ssh"), name);
		return;
	}
	bool known = got.status == 0 && got.out.len;
	answer_free(&got);
	got = (struct answer){ 0 };
	known |= !known && mod_ask(global, NULL, "/", LIMIT, &got, NULL) == 0 && got.status == 0 && got.out.len;
	if (known)
		doctor_ok(g->d, DOCTOR_GIT, TR("the ssh key of %s is known", "已知 %s 的 ssh 主机密钥"), name);
	else
		doctor_error(g->d, DOCTOR_GIT, CAUSE_MOD_VCS,
			     doctor_text(g->d,
					 TR("compare its fingerprint, then: ssh-keyscan %s >> ~/.ssh/known_hosts",
					    "核对指纹后执行：ssh-keyscan %s >> ~/.ssh/known_hosts"),
					 name),
			     TR("the ssh key of %s is not in known_hosts: git may not ask, and fails with \"Host key verification failed\"",
				"known_hosts 中没有 %s 的 ssh 主机密钥：git 不能询问，会以 “Host key verification failed” 失败"),
			     name);
}

static bool netrc_has(const struct doctor *d, struct span host)
{
	struct netrc_entry e;

	return netrc_find(buf_view(&d->netrc), host, true, &e);
}

static void judge_host(struct gitting *g, struct span host, bool private_)
{
	CLEANUP(buf_free) struct buf url = { 0 };

	buf_addf(&url, "https://%.*s/", SPAN_ARG(host));
	g->d->report->lost |= url.bad;
	struct span to = url.bad ? (struct span){ 0 } : rewritten(g, buf_view(&url));
	const char *shown = to.p ? url_shown(&g->d->report->mem, to) : NULL;
	if (to.p) {
		doctor_ok(g->d, DOCTOR_GIT, TR("insteadOf: %.*s is fetched from %s", "insteadOf：%.*s 改从 %s 获取"), SPAN_ARG(host),
			  shown ? shown : "");
		if (is_ssh(to))
			judge_known(g, host_of_url(to));
		return;
	}
	if (private_ && !has_helper(g, host) && !netrc_has(g->d, host))
		doctor_warn(
			g->d, DOCTOR_GIT, CAUSE_MOD_VCS,
			doctor_text(
				g->d,
				TR("a netrc line for %.*s, git's credential.helper, or ssh: git config --global url.\"git@%.*s:\".insteadOf \"https://%.*s/\"",
				   "为 %.*s 写一行 netrc、配置 git 的 credential.helper，或改用 ssh：git config --global url.\"git@%.*s:\".insteadOf \"https://%.*s/\""),
				SPAN_ARG(host), SPAN_ARG(host), SPAN_ARG(host)),
			TR("%.*s is fetched by https, and git has no credentials for it; go forbids it to ask",
			   "%.*s 通过 https 获取，而 git 没有它的凭据；go 禁止 git 询问"),
			SPAN_ARG(host));
}

static void judge_hosts(struct gitting *g)
{
	struct doctor *d = g->d;
	bool all = d->n_entries && d->entries[0].e.kind == GOPROXY_DIRECT;

	for (size_t i = 0; i < d->n_modules; i++) {
		const struct doctor_module *x = &d->modules[i];
		struct span rest = x->path, host = span_cut(&rest, '/');
		bool seen = x->from <= FROM_FOLDER || (!x->private_ && !all) || g->n_hosts == HOSTS_MAX;
		for (size_t k = 0; k < g->n_hosts && !seen; k++)
			seen = span_eq(g->hosts[k], host);
		if (seen)
			continue;
		g->hosts[g->n_hosts++] = host;
		judge_host(g, host, x->private_);
	}
}

static void judge_prompts(struct doctor *d)
{
	const char *prompt = getenv("GIT_TERMINAL_PROMPT"), *ssh = getenv("GIT_SSH_COMMAND");

	if (prompt && !strcmp(prompt, "1"))
		doctor_warn(d, DOCTOR_GIT, CAUSE_MOD_VCS, TR("unset it: go sets it to 0", "请取消它：go 会自行设为 0"),
			    TR("GIT_TERMINAL_PROMPT=1: git may stop and wait for a password, without end in CI",
			       "GIT_TERMINAL_PROMPT=1：git 可能停下等待输入密码，在 CI 中会一直等待"));
	if (ssh && *ssh && !strcasestr(ssh, "BatchMode"))
		doctor_warn(d, DOCTOR_GIT, CAUSE_MOD_VCS, TR("add -o BatchMode=yes to it", "请在其中加上 -o BatchMode=yes"),
			    TR("GIT_SSH_COMMAND has no BatchMode: ssh may stop and wait for a password",
			       "GIT_SSH_COMMAND 未设置 BatchMode：ssh 可能停下等待输入密码"));
}

void doctor_git_judge(struct doctor *d)
{
	static const char *const words[] = { "git", "config", "--null", "--get-regexp", "^(url\\.|credential\\.|core\\.sshcommand)", NULL };
	struct gitting g = { .d = d };

	if (!judge_there(d) || !may_go_direct(d))
		return;
	if (ask_git(words, &g.config, NULL) == 0)
		judge_hosts(&g);
	if (g.config.out.p)
		explicit_bzero(g.config.out.p, g.config.out.cap); /* an address may hold a token */
	answer_free(&g.config);
	judge_prompts(d);
}
