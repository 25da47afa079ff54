#include <errno.h>

#include "base/map.h"
#include "base/mem.h"
#include "probe/expect.h"

/* Before a plugin is loaded: what its host will say of it. */

static int say(struct report *r, struct finding *f, const char *name)
{
	if (!f)
		return -ENOMEM;
	f->rule = "probe.plugin";
	f->file = report_text(r, "%s", name);
	return r->lost ? -ENOMEM : 0;
}

static int says_no_hashes(const struct probe *p)
{
	return p->n_hashes == 0;
}

/* What is wrong before any hash: the first that applies. NULL: nothing is. */
static struct finding *hopeless(const struct probe *host, const struct probe *plugin, const char *name,
				struct report *r)
{
	if (plugin->kind != PROBE_PLUGIN && !plugin->go)
		return report_say(
			r, CAUSE_ACT_PLUGIN,
			TR("%s was not made by Go: loading it ends the host (no plugin module data)",
			   "%s 不是 Go 构建的：加载它会使宿主崩溃（no plugin module data）"),
			name);
	if (plugin->kind != PROBE_PLUGIN)
		return report_say(r, CAUSE_ACT_PLUGIN,
				  TR("%s is no plugin: build it with -buildmode=plugin",
				     "%s 不是插件：请用 -buildmode=plugin 构建"),
				  name);
	if (strcmp(host->arch, plugin->arch) || host->format != plugin->format)
		return report_say(r, CAUSE_ACT_PLUGIN,
				  TR("%s is for %s, its host for %s", "%s 面向 %s，宿主面向 %s"), name,
				  plugin->arch, host->arch);
	if (span_eq(probe_setting(host, "CGO_ENABLED"), S("0")))
		return report_say(
			r, CAUSE_ACT_PLUGIN,
			TR("the host was built without cgo: it can load no plugin (plugin: not implemented)",
			   "宿主构建时未启用 cgo：无法加载任何插件（plugin: not implemented）"));
	if (host->go_version.n && plugin->go_version.n && !span_eq(host->go_version, plugin->go_version))
		return report_say(r, CAUSE_ACT_PLUGIN,
				  TR("%s was built with %.*s, its host with %.*s",
				     "%s 用 %.*s 构建，宿主用 %.*s 构建"),
				  name, SPAN_ARG(plugin->go_version), SPAN_ARG(host->go_version));
	return NULL;
}

int plugin_check(const struct probe *host, const struct probe *plugin, const char *name, struct report *r)
{
	struct map of_host = { 0 };
	size_t first = r->n_findings;
	int n = 0, shared = 0;

	struct finding *f = hopeless(host, plugin, name, r);
	if (f)
		return say(r, f, name) < 0 ? -ENOMEM : 1;
	if (r->lost)
		return -ENOMEM;
	for (size_t i = 0; i < host->n_hashes; i++) {
		if (!map_put(&of_host, host->hashes[i].package, (void *)(uintptr_t)&host->hashes[i]))
			n = -ENOMEM;
	}
	for (size_t i = 0; i < plugin->n_hashes && n == 0; i++) {
		const struct probe_hash *own = &plugin->hashes[i], *other = map_get(&of_host, own->package);
		shared += other != NULL;
		if (!other || span_eq(own->linktime, other->linktime))
			continue;
		n = say(r,
			report_say(r, CAUSE_ACT_PLUGIN,
				   TR("%s will not load: package %.*s is another one than its host's",
				      "%s 无法加载：包 %.*s 与宿主中的不同"),
				   name, SPAN_ARG(own->package)),
			name);
	}
	map_free(&of_host);
	if (n == 0 && !shared) {
		f = report_say(r, CAUSE_ACT_PLUGIN,
			       TR("whether %s will load cannot be told: %s has no package hashes",
				  "无法判断 %s 能否加载：%s 没有包哈希"),
			       name, says_no_hashes(plugin) ? name : TR("its host", "宿主"));
		if (f)
			f->severity = SEV_WARNING;
		n = say(r, f, name);
	}
	return n < 0 ? n : (int)(r->n_findings - first);
}
