/* The doctor on go and toolchain lines: can the installed go build this, and from where would another one come? */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "mod/cache.h"
#include "mod/doctor_own.h"
#include "mod/toolchain.h"
#include "parse/version.h"

static struct wish wish_of(const struct doctor *d)
{
	return d->has_tree ? toolchain_wish(&d->tree) : (struct wish){ 0 };
}

static struct span other_go(const struct doctor *d, const struct wish *w)
{
	return toolchain_other(w, d->env.toolchain, d->env.version);
}

static const char *module_version(struct doctor *d, struct span v)
{
	const char *os = mod_env_value(&d->env, "GOHOSTOS"), *arch = mod_env_value(&d->env, "GOHOSTARCH");

	return doctor_text(d, "v0.0.1-go%.*s.%s-%s", SPAN_ARG(v), os ? os : "linux", arch ? arch : "amd64");
}

static bool path_only(const struct doctor *d)
{
	return strstr(d->env.toolchain, "path") != NULL;
}

static bool is_here(struct doctor *d, struct span v)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	const char *version = module_version(d, v);

	return mod_cache_dir(d->env.modcache, S("golang.org/toolchain"), span_of(version), &dir) && !dir.bad &&
	       access(buf_str(&dir), F_OK) == 0;
}

void doctor_toolchain_ask(struct doctor *d)
{
	struct wish w = wish_of(d);
	struct span v = other_go(d, &w);

	if (!v.n || path_only(d) || is_here(d, v))
		return;
	for (size_t i = 0; i < d->n_entries && !d->entries[i].e.unreachable; i++) {
		struct span base = d->entries[i].e.url;
		if (d->entries[i].e.kind == GOPROXY_DIRECT)
			base = S("https://go.dev/dl/mod");
		else if (d->entries[i].e.kind != GOPROXY_URL)
			continue;
		while (base.n && base.p[base.n - 1] == '/')
			base.n--;
		const char *url =
			arena_printf(&d->report->mem, "%.*s/golang.org/toolchain/@v/%s.zip", SPAN_ARG(base), module_version(d, v));
		d->report->lost |= !url;
		if (url)
			doctor_probe(d, ASKED_TOOLCHAIN, i, url);
	}
}

static void place(struct doctor *d, struct finding *f, const struct wish *w)
{
	if (!f || !w->file)
		return;
	f->file = span_of(doctor_text(d, "%s", w->file));
	f->line = (int)w->line;
}

/* Who would serve it; NULL: nobody of those that were asked. */
static const char *server_of(const struct doctor *d)
{
	for (size_t i = 0; i < d->n_entries && !d->entries[i].e.unreachable; i++) {
		const struct doctor_probe *p = doctor_answer(d, ASKED_TOOLCHAIN, i);
		if (p && p->g.transport == TRANSPORT_OK && p->g.status == 200)
			return p->shown;
		bool on = !p || d->entries[i].e.any_error || (p->g.transport == TRANSPORT_OK && (p->g.status == 404 || p->g.status == 410));
		if (!on)
			return NULL;
	}
	return NULL;
}

static void judge_download(struct doctor *d, const struct wish *w, struct span v)
{
	const char *from = server_of(d), *install = doctor_text(d, TR("install Go %.*s", "请安装 Go %.*s"), SPAN_ARG(v));
	const char *dots = strchr(doctor_text(d, "%.*s", SPAN_ARG(v)), '.');
	bool language = dots && !strpbrk(dots + 1, ".rb") && goversion_compare(v, S("1.21")) >= 0;

	if (is_here(d, v)) {
		doctor_ok(d, DOCTOR_TOOLCHAIN, TR("go%.*s is used, from the module cache", "使用模块缓存中的 go%.*s"), SPAN_ARG(v));
	} else if (path_only(d)) {
		place(d,
		      doctor_warn(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN, install,
				  TR("go%.*s is needed; GOTOOLCHAIN=%s takes it from PATH only",
				     "需要 go%.*s；GOTOOLCHAIN=%s 只从 PATH 中查找"),
				  SPAN_ARG(v), d->env.toolchain),
		      w);
	} else if (!strcmp(d->env.sumdb, "off")) {
		place(d,
		      doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN, install,
				   TR("go%.*s would have to be downloaded, and GOSUMDB=off forbids that",
				      "需要下载 go%.*s，但 GOSUMDB=off 禁止下载工具链"),
				   SPAN_ARG(v)),
		      w);
	} else if (d->o->offline) {
		place(d,
		      doctor_warn(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN, install,
				  TR("go%.*s would have to be downloaded through GOPROXY", "需要通过 GOPROXY 下载 go%.*s"), SPAN_ARG(v)),
		      w);
	} else if (from) {
		place(d,
		      doctor_warn(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN,
				  doctor_text(d, TR("%s, so that builds do not wait for some 70 MB", "%s，以免构建时等待下载约 70 MB"),
					      install),
				  TR("go%.*s would be downloaded from %s", "go%.*s 将从 %s 下载"), SPAN_ARG(v), from),
		      w);
	} else {
		place(d,
		      doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN,
				   language ? doctor_text(d,
							  TR("no release has that name: write %.*s.0 in %s",
							     "没有该名称的发布版：应写 %.*s.0（%s）"),
							  SPAN_ARG(v), w->file ? w->file : "go.mod")
					    : install,
				   TR("go%.*s is needed, and nobody in GOPROXY serves it", "需要 go%.*s，但 GOPROXY 中没有来源提供它"),
				   SPAN_ARG(v)),
		      w);
	}
}

static void judge_old(struct doctor *d, const struct wish *w)
{
	const char *install = doctor_text(d, TR("install Go %.*s", "请安装 Go %.*s"), SPAN_ARG(w->version));

	if (doctor_go(d, "1.21") < 0 && w->toolchain_line)
		place(d,
		      doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN, install,
				   TR("%s cannot read a toolchain line, and go%.*s is wanted", "%s 不识别 toolchain 行，而这里需要 go%.*s"),
				   d->env.version, SPAN_ARG(w->version)),
		      w);
	else if (doctor_go(d, "1.21") < 0 && !w->three)
		place(d,
		      doctor_warn(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN, install,
				  TR("%s is older than go %.*s: it builds what it can, and new parts of the language fail",
				     "%s 低于要求的 go %.*s：它会尽力构建，但新的语言特性会失败"),
				  d->env.version, SPAN_ARG(w->version)),
		      w);
	else if (doctor_go(d, "1.21") < 0)
		place(d,
		      doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN, install,
				   TR("%s cannot read the line go %.*s, which has three numbers", "%s 无法识别带三段版本号的 go %.*s 行"),
				   d->env.version, SPAN_ARG(w->version)),
		      w);
	else
		place(d,
		      doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_BUILD_TOOLCHAIN, install,
				   TR("%s is older than go %.*s, and GOTOOLCHAIN=%s forbids another one: go refuses to build",
				      "%s 低于要求的 go %.*s，而 GOTOOLCHAIN=%s 禁止换用其他版本：go 拒绝构建"),
				   d->env.version, SPAN_ARG(w->version), d->env.toolchain),
		      w);
}

void doctor_toolchain_judge(struct doctor *d)
{
	struct wish w = wish_of(d);
	struct span v = other_go(d, &w);
	const char *wanted = doctor_text(d, "%.*s", SPAN_ARG(w.version));

	if (v.n)
		judge_download(d, &w, v);
	else if (w.version.n && doctor_go(d, wanted) < 0)
		judge_old(d, &w);
	else if (w.version.n)
		doctor_ok(d, DOCTOR_TOOLCHAIN, TR("%s satisfies go %s%s%s", "%s 满足 go %s%s%s"), d->env.version, wanted,
			  *d->env.toolchain ? "; GOTOOLCHAIN=" : "", d->env.toolchain);
	else
		doctor_ok(d, DOCTOR_TOOLCHAIN, "%s%s%s", d->env.version, *d->env.toolchain ? "; GOTOOLCHAIN=" : "", d->env.toolchain);
}
