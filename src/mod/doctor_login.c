/* The doctor on credentials: who gets which, and which are never used. Nothing of a login or password is told. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "mod/doctor_own.h"
#include "parse/netrc.h"

#define NETRC_MAX ((size_t)1 << 20)

void doctor_login_read(struct doctor *d)
{
	d->netrc.max = NETRC_MAX;
	if (d->env.netrc && file_slurp(d->env.netrc, &d->netrc, NULL) < 0) {
		if (d->netrc.p)
			explicit_bzero(d->netrc.p, d->netrc.cap);
		buf_clear(&d->netrc);
	}
}

static void judge_mode(struct doctor *d, const struct stat *st)
{
	if (st->st_mode & 077)
		doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, doctor_text(d, "chmod 600 %s", d->env.netrc),
			    TR("%s can be read by others (mode %04o)", "其他用户可以读取 %s（权限 %04o）"), d->env.netrc,
			    st->st_mode & 07777);
	if (st->st_uid != geteuid() && geteuid() != 0)
		doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, NULL, TR("%s belongs to somebody else", "%s 属于其他用户"), d->env.netrc);
}

static void judge_entry(struct doctor *d, const struct netrc_entry *e)
{
	bool port = span_chr(e->machine, ':') != SPAN_NONE || span_chr(e->machine, '/') != SPAN_NONE;

	switch (e->kind) {
	case NETRC_ENTRY:
		doctor_ok(d, DOCTOR_LOGIN, TR("netrc has credentials for %.*s", "netrc 中有 %.*s 的凭据"), SPAN_ARG(e->machine));
		if (port && doctor_go(d, "1.24") < 0)
			doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, TR("write the host alone", "请只写主机名"),
				    TR("netrc line %lld: go before 1.24 knows no ports and paths there: %.*s is never used",
				       "netrc 第 %lld 行：1.24 之前的 go 不支持端口和路径：%.*s 永远不会被使用"),
				    (long long)e->line, SPAN_ARG(e->machine));
		break;
	case NETRC_INCOMPLETE:
		doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH,
			    TR("write it on one line: machine HOST login NAME password SECRET; go knows no quotes",
			       "请写在一行：machine 主机 login 用户名 password 密码；go 不识别引号"),
			    TR("netrc line %lld: %.*s has no login or no password that go finds",
			       "netrc 第 %lld 行：go 找不到 %.*s 的用户名或密码"),
			    (long long)e->line, SPAN_ARG(e->machine));
		break;
	case NETRC_DEFAULT:
		doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, TR("write a machine line for each host", "请为每个主机写一行 machine"),
			    TR("netrc line %lld: go never uses `default`", "netrc 第 %lld 行：go 从不使用 default"), (long long)e->line);
		break;
	case NETRC_HALF:
		doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH,
			    TR("put each word and its value on one line", "每个关键字和它的值必须在同一行"),
			    TR("netrc line %lld: the last word has no partner on its line; go passes over it",
			       "netrc 第 %lld 行：最后一个词在该行没有对应的值；go 会忽略它"),
			    (long long)e->line);
		break;
	case NETRC_UNREAD:
		doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, TR("move it before the `default`", "请把它移到 default 之前"),
			    TR("netrc line %lld: go has stopped reading before %.*s", "netrc 第 %lld 行：go 在 %.*s 之前就已停止读取"),
			    (long long)e->line, SPAN_ARG(e->machine));
		break;
	}
}

static void judge_netrc(struct doctor *d)
{
	struct netrc_at at = { .rest = buf_view(&d->netrc) };
	struct netrc_entry e;
	struct stat st;

	if (!d->env.netrc || stat(d->env.netrc, &st) < 0) {
		const char *set = getenv("NETRC");
		if (set && *set)
			doctor_error(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, TR("unset NETRC, or write the file", "取消 NETRC，或创建该文件"),
				     TR("NETRC names %s, which cannot be read: %m", "NETRC 指向的 %s 无法读取：%m"), set);
		else
			doctor_ok(d, DOCTOR_LOGIN,
				  TR("there is no netrc: nobody gets credentials from go", "没有 netrc：go 不向任何主机发送凭据"));
		return;
	}
	if (!S_ISREG(st.st_mode) || access(d->env.netrc, R_OK) < 0 || (!d->netrc.len && st.st_size > 0)) {
		doctor_error(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, doctor_text(d, "ls -l %s", d->env.netrc),
			     TR("%s cannot be read: go passes over it in silence", "%s 无法读取：go 会静默忽略它"), d->env.netrc);
		return;
	}
	judge_mode(d, &st);
	while (netrc_next(&at, &e))
		judge_entry(d, &e);
	for (size_t i = 0; i < d->n_entries; i++) {
		const struct goproxy_entry *g = &d->entries[i].e;
		if (g->kind == GOPROXY_URL && g->insecure && !g->unreachable &&
		    netrc_find(buf_view(&d->netrc), g->host, doctor_go(d, "1.24") < 0, &e))
			doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, TR("use https://", "请改用 https://"),
				    TR("netrc has credentials for %.*s, and go sends them over https only",
				       "netrc 中有 %.*s 的凭据，但 go 只通过 https 发送"),
				    SPAN_ARG(g->host));
	}
}

static void judge_command(struct doctor *d, struct span words)
{
	struct span first = span_cut(&words, ' ');

	words = span_trim(words);
	if (span_eq(first, S("off")) || span_eq(first, S("netrc"))) {
		doctor_ok(d, DOCTOR_LOGIN, "GOAUTH: %.*s", SPAN_ARG(first));
	} else if (span_eq(first, S("git"))) {
		if (!words.n || words.p[0] != '/')
			doctor_error(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH,
				     TR("write GOAUTH='git DIR' with an absolute folder", "请写 GOAUTH='git 目录'，目录须为绝对路径"),
				     TR("GOAUTH=git needs the absolute folder that git's credential helpers are asked in",
					"GOAUTH=git 需要一个绝对目录，git 的凭据助手将在其中运行"));
		else
			doctor_ok(d, DOCTOR_LOGIN, TR("GOAUTH: git's credential helpers", "GOAUTH：使用 git 的凭据助手"));
	} else {
		const char *file = arena_str(&d->report->mem, first);
		if (file && file[0] == '/' && access(file, X_OK) < 0)
			doctor_error(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, NULL,
				     TR("GOAUTH names %s, which cannot be executed: %m", "GOAUTH 指向的 %s 无法执行：%m"),
				     url_shown(&d->report->mem, first));
		else
			doctor_ok(d, DOCTOR_LOGIN,
				  TR("GOAUTH: a command of yours; the questions of this report were asked without it",
				     "GOAUTH：自定义命令；本报告的探测未使用它"));
	}
}

static void judge_goauth(struct doctor *d)
{
	const char *set = getenv("GOAUTH");
	struct span rest = span_of(d->env.auth);

	if (doctor_go(d, "1.24") < 0) {
		if (set && *set)
			doctor_warn(d, DOCTOR_LOGIN, CAUSE_MOD_AUTH, TR("use netrc, or Go 1.24", "请使用 netrc，或升级到 Go 1.24"),
				    TR("GOAUTH is set, and %s does not know it", "设置了 GOAUTH，但 %s 不支持它"), d->env.version);
		return;
	}
	while (rest.n) {
		struct span one = span_trim(span_cut(&rest, ';'));
		if (one.n && !span_eq(one, S("netrc")))
			judge_command(d, one);
	}
}

void doctor_login_judge(struct doctor *d)
{
	judge_netrc(d);
	judge_goauth(d);
}
