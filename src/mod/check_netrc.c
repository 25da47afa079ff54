#include <errno.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "mod/check_own.h"
#include "parse/goproxy.h"
#include "parse/netrc.h"

/* .netrc as go reads it. Names of machines are said; logins and passwords never. */

#define NETRC_MAX ((size_t)1 << 20)

/* Is this machine a proxy of GOPROXY's? */
static bool is_proxy(const struct check *c, struct span machine)
{
	struct goproxy_at at = { .rest = span_of(c->o->proxy) };
	struct goproxy_entry p;

	while (goproxy_next(&at, &p)) {
		struct span host = p.host;
		if (p.kind != GOPROXY_URL || !host.n)
			continue;
		if (span_eq(host, machine) || span_eq(span_cut(&host, ':'), machine))
			return true;
	}
	return false;
}

static bool quoted(struct span s)
{
	return s.n && (s.p[0] == '"' || s.p[0] == '\'');
}

static void check_entry(struct check *c, const struct mod_source *file, const struct netrc_entry *x)
{
	struct spot at = { .file = file, .line = x->line, .column = 1 };
	bool proxy = x->machine.n && is_proxy(c, x->machine);
	enum severity sev = proxy ? SEV_ERROR : SEV_WARNING;

	switch (x->kind) {
	case NETRC_ENTRY:
		if (quoted(x->login) || quoted(x->password) || quoted(x->machine))
			check_say_as(c, RULE_NETRC_QUOTES, sev, at,
				     TR("the entry of %.*s has quotes: go sends them as a part of the word",
					"%.*s 的条目带引号：go 会把引号一并发送"),
				     SPAN_ARG(x->machine));
		break;
	case NETRC_INCOMPLETE:
		check_say_as(c, RULE_NETRC_ENTRY, sev, at, TR("go finds no %s for %.*s%s", "go 找不到 %s：%.*s%s"),
			     x->login.p ? "password" : "login", SPAN_ARG(x->machine),
			     proxy ? TR(", which GOPROXY names", "（GOPROXY 中的主机）") : "");
		break;
	case NETRC_DEFAULT:
		check_say(c, RULE_NETRC_DEFAULT, at, "%s", TR("go does not use `default`", "go 不使用 `default`"));
		break;
	case NETRC_HALF:
		check_say(c, RULE_NETRC_ENTRY, at, "%s",
			  TR("the last word of this line has no partner on it: go does not see it", "该行最后一个词没有配对：go 看不到它"));
		break;
	case NETRC_UNREAD:
		check_say_as(c, RULE_NETRC_DEFAULT, sev, at,
			     TR("go stopped reading before %.*s, at the line that ends in `default`",
				"go 在以 `default` 结尾的行处停止，读不到 %.*s"),
			     SPAN_ARG(x->machine));
		break;
	}
}

void check_netrc(struct check *c)
{
	CLEANUP(buf_free) struct buf text = { .max = NETRC_MAX };
	struct mod_source file = { .shown = c->o->netrc_shown };
	struct netrc_entry x;
	struct err e = { 0 };
	struct stat st;

	if (c->bad || !c->o->netrc || file_slurp(c->o->netrc, &text, &e) < 0) {
		c->bad |= e.code == ENOMEM;
		return;
	}
	c->o->files++;
	c->o->bytes += (int64_t)text.len;
	struct netrc_at at = { .rest = buf_view(&text) };
	while (!c->bad && netrc_next(&at, &x))
		check_entry(c, &file, &x);
	if (stat(c->o->netrc, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
		check_say(c, RULE_NETRC_MODE, (struct spot){ .file = &file },
			  TR("mode %04o: others can read it", "权限 %04o：其他用户可以读取"), (unsigned)(st.st_mode & 07777));
	if (text.p)
		explicit_bzero(text.p, text.cap);
}
