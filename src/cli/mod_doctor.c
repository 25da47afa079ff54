#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/cmd.h"
#include "cli/modding.h"
#include "cli/say.h"
#include "mod/doctor.h"

/* `mod doctor`: the environment of the module layer, before it fails. */

#define LISTED 30 /* more modules than these are shown by where they come from */
#define EACH 12

struct doctor_values {
	struct checked_values checked; /* must stand first */
	const char *module;
	int64_t limit;
	bool offline, modules;
};

struct showing {
	const struct doctor *d;
	const struct doctor_values *o;
};

/* ---- for people ---- */

static void show_check(const struct doctor_check *c, const struct term *t, struct buf *b)
{
	static const enum paint paints[] = { PAINT_GREEN, PAINT_YELLOW, PAINT_RED };
	const char *const words[] = { TR("ok", "正常"), TR("warning", "警告"), TR("error", "错误") };
	CLEANUP(buf_free) struct buf word = { 0 };
	size_t width = t->tty ? t->width : SIZE_MAX, column = TR(11, 8);

	say_pad(b, 2);
	say_paint(b, t, paints[c->verdict], words[c->verdict]);
	say_pad(b, column - 2 - text_width(span_of(words[c->verdict])));
	say_clean(&word, span_of(c->text));
	say_wrap(b, buf_view(&word), column, column, width);
	buf_addc(b, '\n');
	if (!c->fix)
		return;
	buf_clear(&word);
	say_clean(&word, span_of(c->fix));
	say_pad(b, column);
	say_paint(b, t, PAINT_DIM, "→ ");
	say_wrap(b, buf_view(&word), column + 2, column + 2, width);
	buf_addc(b, '\n');
}

static void show_module(const struct doctor_module *m, size_t column, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	CLEANUP(buf_free) struct buf place = { 0 };
	CLEANUP(buf_free) struct buf both = { 0 };

	buf_span(&both, m->replaced.p ? m->replaced : m->path);
	if (m->version.n)
		buf_addf(&both, " %.*s", SPAN_ARG(m->version));
	say_clean(&name, buf_view(&both));
	say_clean(&place, span_of(m->place));
	say_pad(b, 2);
	say_cell(b, buf_str(&name), column);
	buf_addc(b, ' ');
	const char *from = doctor_from_title(m->from);
	say_paint(b, t,
		  m->from == FROM_REFUSED                           ? PAINT_RED
		  : m->from == FROM_PROXY || m->from == FROM_DIRECT ? PAINT_CYAN
								    : PAINT_GREEN,
		  from);
	say_pad(b, text_width(span_of(from)) < 9 ? 9 - text_width(span_of(from)) : 1);
	size_t at = 2 + (text_width(buf_view(&name)) > column ? text_width(buf_view(&name)) : column) + 10;
	say_wrap(b, buf_view(&place), at, 6, t->tty ? t->width : SIZE_MAX);
	buf_addc(b, '\n');
}

static size_t widest(const struct doctor *d)
{
	size_t most = 0;

	for (size_t i = 0; i < d->n_modules; i++) {
		const struct doctor_module *m = &d->modules[i];
		size_t n = (m->replaced.p ? m->replaced.n : m->path.n) + m->version.n + (m->version.n > 0);
		most = n > most && n <= 44 ? n : most;
	}
	return most;
}

static void show_modules(const struct showing *s, const struct term *t, struct buf *b)
{
	const struct doctor *d = s->d;
	size_t column = widest(d), counts[FROM_REFUSED + 1] = { 0 };
	bool all = d->n_modules <= LISTED || s->o->modules;

	if (!d->n_modules)
		return;
	say_paint(b, t, PAINT_BOLD, TR("Where each module would come from", "每个模块的来源"));
	buf_addc(b, '\n');
	for (size_t i = 0; i < d->n_modules; i++) {
		const struct doctor_module *m = &d->modules[i];
		bool quiet = m->from == FROM_CACHE || m->from == FROM_VENDOR || m->from == FROM_PROXY;
		counts[m->from]++;
		if (all || (!quiet && counts[m->from] <= EACH))
			show_module(m, column, t, b);
	}
	say_pad(b, 2);
	for (int f = 0; f <= FROM_REFUSED; f++) {
		if (counts[f])
			buf_addf(b, TR("%s: %zu  ", "%s：%zu  "), doctor_from_title((enum doctor_from)f), counts[f]);
	}
	buf_addf(b, TR("(%zu modules%s)\n", "（共 %zu 个模块%s）\n"), d->n_modules,
		 all ? "" : TR("; all of them: --modules", "；全部列出：--modules"));
}

static void show(void *ctx, const struct term *t, struct buf *b)
{
	const struct showing *s = ctx;

	for (int g = 0; g < DOCTOR_GROUPS; g++) {
		bool begun = false;
		for (size_t i = 0; i < s->d->n_checks; i++) {
			if (s->d->checks[i].group != (enum doctor_group)g)
				continue;
			if (!begun) {
				say_paint(b, t, PAINT_BOLD, doctor_group_title((enum doctor_group)g));
				buf_addc(b, '\n');
			}
			begun = true;
			show_check(&s->d->checks[i], t, b);
		}
	}
	show_modules(s, t, b);
}

/* ---- for machines ---- */

static void put(struct json_out *j, const char *key, const char *value)
{
	json_key(j, key);
	json_strz(j, value);
}

static void put_ms(struct json_out *j, const char *key, int64_t ns)
{
	json_key(j, key);
	if (ns > 0)
		json_int(j, (ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
	else
		json_null(j);
}

static void put_env(struct json_out *j, const struct mod_env *m, struct arena *mem)
{
	static const char *const names[] = { "GOVERSION", "GOROOT",    "GOENV",      "GOMODCACHE", "GOCACHE",    "GOPRIVATE",
					     "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOVCS",      "GOTOOLCHAIN" };

	json_key(j, "env");
	json_open(j, '{');
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = mod_env_value(m, names[i]);
		if (!v)
			continue;
		json_key(j, names[i]);
		json_open(j, '{');
		put(j, "value", strstr(v, "://") ? url_shown(mem, span_of(v)) : v);
		put(j, "origin", mod_env_origin(m, names[i]));
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void put_entries(struct json_out *j, const struct doctor *d)
{
	static const char *const kinds[] = { "url", "file", "direct", "off", "bad" };

	json_key(j, "goproxy");
	json_open(j, '[');
	for (size_t i = 0; i < d->n_entries; i++) {
		const struct doctor_entry *e = &d->entries[i];
		json_open(j, '{');
		put(j, "kind", kinds[e->e.kind]);
		put(j, "url", e->shown);
		put(j, "means", e->words);
		json_key(j, "asked");
		json_bool(j, !e->e.unreachable);
		json_key(j, "next_after_any_error");
		json_bool(j, e->e.any_error);
		json_key(j, "credentials");
		json_bool(j, e->e.credentials);
		json_key(j, "answers");
		json_bool(j, e->answers);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_probe(struct json_out *j, const struct doctor_probe *p)
{
	static const char *const ends[] = { "ok", "dns", "connect", "tls", "timeout", "reset", "too_big", "other" };
	const struct net_get *g = &p->g;
	char when[32];

	json_open(j, '{');
	put(j, "asked", doctor_asked_word(p->asked));
	put(j, "url", p->shown);
	put(j, "transport", ends[g->transport]);
	json_key(j, "status");
	if (g->status)
		json_int(j, g->status);
	else
		json_null(j);
	put(j, "error", g->why);
	put(j, "address", g->address[0] ? g->address : NULL);
	put(j, "http", g->version == 20 ? "2" : g->version == 30 ? "3" : g->version == 11 ? "1.1" : g->version == 10 ? "1.0" : NULL);
	put(j, "tls", g->tls[0] ? g->tls : NULL);
	put(j, "subject", g->subject[0] ? g->subject : NULL);
	put(j, "issuer", g->issuer[0] ? g->issuer : NULL);
	time_rfc3339(g->expires * NSEC_PER_SEC, when);
	put(j, "expires", g->expires ? when : NULL);
	json_key(j, "by_proxy");
	json_bool(j, g->by_proxy);
	json_key(j, "credentials");
	json_bool(j, g->authorized);
	put_ms(j, "name_ms", g->name_ns);
	put_ms(j, "connect_ms", g->connect_ns);
	put_ms(j, "tls_ms", g->tls_ns);
	put_ms(j, "first_byte_ms", g->first_ns);
	put_ms(j, "total_ms", g->total_ns);
	json_close(j, '}');
}

static void put_modules(struct json_out *j, const struct doctor *d)
{
	json_key(j, "modules");
	json_open(j, '[');
	for (size_t i = 0; i < d->n_modules; i++) {
		const struct doctor_module *m = &d->modules[i];
		json_open(j, '{');
		json_key(j, "path");
		json_str(j, m->path);
		json_key(j, "version");
		json_str(j, m->version.n ? m->version : (struct span){ 0 });
		json_key(j, "replaces");
		json_str(j, m->replaced);
		put(j, "from", doctor_from_word(m->from));
		put(j, "place", m->place);
		json_key(j, "private");
		json_bool(j, m->private_);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_checks(struct json_out *j, const struct doctor *d)
{
	static const char *const verdicts[] = { "ok", "warning", "error" };

	json_key(j, "checks");
	json_open(j, '[');
	for (size_t i = 0; i < d->n_checks; i++) {
		json_open(j, '{');
		put(j, "group", doctor_group_word(d->checks[i].group));
		put(j, "verdict", verdicts[d->checks[i].verdict]);
		put(j, "text", d->checks[i].text);
		put(j, "fix", d->checks[i].fix);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void tell(void *ctx, struct json_out *j)
{
	const struct doctor *d = ((const struct showing *)ctx)->d;

	json_key(j, "doctor");
	json_open(j, '{');
	put_env(j, &d->env, &d->report->mem);
	put_entries(j, d);
	json_key(j, "probes");
	json_open(j, '[');
	for (size_t i = 0; i < d->n_probes; i++)
		put_probe(j, &d->probes[i]);
	json_close(j, ']');
	json_key(j, "clock_ahead_s");
	if (d->skew == INT64_MIN)
		json_null(j);
	else
		json_int(j, d->skew);
	json_key(j, "mirrors_proposed");
	json_bool(j, d->china);
	put_checks(j, d);
	put_modules(j, d);
	json_close(j, '}');
}

/* ---- the verb ---- */

static void progress(void *ctx, const struct doctor *d)
{
	struct term *t = ctx;
	char line[160];
	size_t done = 0;

	for (size_t i = 0; i < d->n_asking; i++)
		done += d->asking[i].total_ns > 0 || d->asking[i].why;
	int n = snprintf(line, sizeof(line), TR("\r\033[Kasking: %zu of %zu answers", "\r\033[K正在探测：%zu/%zu 已有结果"), done,
			 d->n_asking);
	term_put(t, (struct span){ line, (size_t)n });
}

static int run(void *values, const struct args *a)
{
	const struct doctor_values *o = values;
	CLEANUP(doctor_free) struct doctor d = { 0 };
	struct checked c = { .files = -1, .bytes = -1, .packages = -1 };
	struct showing s = { &d, o };
	struct term t;
	struct err e = { 0 };

	if (a->n > 1)
		return say_usage("mod doctor", TR("one folder at most", "最多一个目录"));
	term_open(&t, STDERR_FILENO);
	const struct doctor_options how = { .dir = a->n ? a->v[0] : NULL,
					    .module = o->module,
					    .offline = o->offline,
					    .limit_ns = o->limit,
					    .progress = t.tty ? progress : NULL,
					    .ctx = &t };
	int r = doctor_run(&how, &c.report, &d, &e);
	if (t.tty)
		term_put(&t, S("\r\033[K"));
	if (r < 0) {
		report_free(&c.report);
		say_error("%s", e.msg);
		return r == -ENOMEM || r == -EIO ? EXIT_OWN : EXIT_USAGE;
	}
	c.modules = (int64_t)d.n_modules;
	c.fine = TR("nothing is wrong", "没有发现问题");
	c.json = tell;
	c.text = show;
	c.ctx = &s;
	return checked_end(&c, &o->checked);
}

/* clang-format off */
#define AT(field) offsetof(struct doctor_values, field)
static const struct opt opts[] = {
	CHECKED_OPTS,
	{ "limit", 0, OPT_DURATION, AT(limit), { "D", "时长" }, { "time for all questions together", "全部探测的总时限" }, NULL, 10000000000 },
	{ "module", 0, OPT_STRING, AT(module), { "PATH", "路径" }, { "the module whose versions each proxy is asked for (golang.org/x/text)", "向各代理询问哪个模块的版本列表（golang.org/x/text）" }, NULL, 0 },
	{ "modules", 0, OPT_FLAG, AT(modules), { NULL, NULL }, { "list every module, however many", "列出全部模块" }, NULL, 0 },
	{ "offline", 0, OPT_FLAG, AT(offline), { NULL, NULL }, { "ask nobody: only what can be seen on this machine", "不访问网络：只看本机可见的内容" }, NULL, 0 },
};

const struct verb verb_mod_doctor = {
	.name = "mod doctor", .opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct doctor_values), .run = run,
	.args = { "[DIR]", "[目录]" },
	.brief = { "the environment of the module layer, before it fails", "在出错之前检查模块环境" },
	.text = { "Reads what the go command would work with (go env, netrc, git's configuration, go.mod), explains GOPROXY rule by rule, asks every proxy and the checksum database as go "
		  "would, and says what is wrong, how to put it right, and where each module would come from. Nothing is changed, nothing is downloaded, no password is shown.\n\n"
		  "  tocsin mod doctor\n"
		  "  tocsin mod doctor --json | jq '.doctor.probes'\n\n"
		  "Where proxy.golang.org does not answer, or is much slower than the mirrors of mainland China, it proposes these.\n\n"
		  "Exit status: 0 no errors; 1 errors (warnings too under --strict); 2 wrong usage or unreadable files; 125 Tocsin's own failure.",
		  "读取 go 命令会用到的一切（go env、netrc、git 配置、go.mod），逐条解释 GOPROXY，像 go 一样询问每个代理和校验和数据库，指出问题和修正方法，以及每个模块的来源。不做任何修改，不下载任何内容，不显示密码。\n\n"
		  "  tocsin mod doctor\n"
		  "  tocsin mod doctor --json | jq '.doctor.probes'\n\n"
		  "当 proxy.golang.org 无法访问或明显慢于国内镜像时，会建议改用镜像。\n\n"
		  "退出状态：0 没有错误；1 有错误（--strict 时警告也算）；2 用法错误或文件无法读取；125 Tocsin 自身故障。" },
};
/* clang-format on */
