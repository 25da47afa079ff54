/* Where each module of the build would come from: workspace, folder, vendor/, the cache, a proxy, its own repository. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "mod/cache.h"
#include "mod/doctor_own.h"
#include "parse/modulestxt.h"
#include "parse/version.h"

/* ---- which modules ---- */

static struct doctor_module *find(struct doctor *d, struct span path)
{
	for (size_t i = d->n_modules; i-- > 0;) {
		if (span_eq(d->modules[i].path, path))
			return &d->modules[i];
	}
	return NULL;
}

static void take_require(struct doctor *d, struct map *seen, const struct mod_line *l)
{
	size_t at = (size_t)(uintptr_t)map_get(seen, l->path);

	if (at) {
		if (version_compare(d->modules[at - 1].version, l->version) < 0)
			d->modules[at - 1].version = l->version;
		return;
	}
	if (!mem_grow(&d->modules, &d->cap_modules, d->n_modules, sizeof(*d->modules))) {
		d->report->lost = true;
		return;
	}
	d->modules[d->n_modules++] = (struct doctor_module){ .path = l->path, .version = l->version, .place = "" };
	d->report->lost |= !map_put(seen, l->path, (void *)(uintptr_t)d->n_modules);
}

/* One that names the version beats one that does not; go.work beats its members. */
static const struct mod_line *replacement_in(const struct modfile *m, const struct doctor_module *x)
{
	const struct mod_line *any = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const struct mod_line *l = &m->lines[i];
		if (l->verb != MOD_REPLACE || !span_eq(l->path, x->path))
			continue;
		if (l->version.n && span_eq(l->version, x->version))
			return l;
		any = l->version.n ? any : l;
	}
	return any;
}

static void replace(struct doctor *d, struct doctor_module *x)
{
	const struct mod_line *l = replacement_in(&d->tree.work, x);

	for (size_t i = 0; i < d->tree.n && !l; i++)
		l = replacement_in(&d->tree.members[i].mod, x);
	if (!l)
		return;
	x->replaced = x->path;
	x->path = l->new_path;
	x->version = l->new_version;
	if (l->new_is_dir) {
		x->from = FROM_FOLDER;
		x->place = doctor_clean(d, l->new_path);
	}
}

void doctor_modules(struct doctor *d)
{
	struct map seen = { 0 };

	for (size_t i = 0; i < d->tree.n; i++) {
		const struct modfile *m = &d->tree.members[i].mod;
		for (size_t k = 0; k < m->n; k++)
			if (m->lines[k].verb == MOD_REQUIRE)
				take_require(d, &seen, &m->lines[k]);
	}
	map_free(&seen);
	for (size_t i = 0; i < d->n_modules; i++)
		d->modules[i].from = FROM_REFUSED;
	for (size_t i = 0; i < d->tree.n; i++) {
		struct doctor_module *x = find(d, d->tree.members[i].mod.module);
		if (x && d->tree.members[i].mod.module.n) {
			x->from = FROM_MAIN;
			x->place = d->tree.members[i].dir;
		}
	}
	for (size_t i = 0; i < d->n_modules; i++) {
		if (d->modules[i].from == FROM_MAIN)
			continue;
		replace(d, &d->modules[i]);
		d->modules[i].private_ = d->modules[i].from != FROM_FOLDER && doctor_private(d, d->modules[i].path);
	}
}

/* ---- from where ---- */

static bool vendor_is_used(const struct doctor *d)
{
	struct span mode = { 0 };

	if (doctor_flag(d, "mod", &mode))
		return span_eq(mode, S("vendor"));
	return doctor_go(d, "1.14") >= 0;
}

static void take_vendored(struct doctor *d)
{
	const struct mod_source *s = d->tree.go_work.text.p ? &d->tree.work_modules_txt : &d->tree.members[0].modules_txt;
	struct modulestxt_at at = { .rest = s->text };
	struct modulestxt_line l;

	if (!s->text.p || !vendor_is_used(d))
		return;
	while (modulestxt_next(&at, &l)) {
		if (l.kind != MODULESTXT_MODULE || !l.version.n)
			continue;
		for (size_t i = 0; i < d->n_modules; i++) {
			struct doctor_module *x = &d->modules[i];
			struct span path = x->replaced.p ? x->replaced : x->path;
			if (span_eq(path, l.path) && x->from == FROM_REFUSED) {
				x->from = FROM_VENDOR;
				x->place = "vendor/";
			}
		}
	}
}

static bool is_cached(const struct doctor *d, const struct doctor_module *x)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	CLEANUP(buf_free) struct buf zip = { 0 };

	if (!mod_cache_dir(d->env.modcache, x->path, x->version, &dir) ||
	    !mod_cache_file(d->env.modcache, x->path, x->version, "zip", &zip))
		return false;
	return !dir.bad && !zip.bad && (access(buf_str(&zip), F_OK) == 0 || access(buf_str(&dir), F_OK) == 0);
}

static bool folder_has(struct span folder, const struct doctor_module *x)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_span(&b, folder);
	buf_addc(&b, '/');
	if (!module_escape_path(x->path, &b))
		return false;
	buf_adds(&b, "/@v/");
	if (!module_escape_version(x->version, &b))
		return false;
	buf_adds(&b, ".zip");
	return !b.bad && access(buf_str(&b), R_OK) == 0;
}

static struct span host_of(struct span path)
{
	return span_cut(&path, '/');
}

static void direct(struct doctor *d, struct doctor_module *x)
{
	const char *no =
		govcs_refusal(&d->report->mem, span_of(d->env.vcs), x->path, goprivate_matches(span_of(d->env.private_), x->path), "git");

	x->from = no ? FROM_REFUSED : FROM_DIRECT;
	x->place = no ? doctor_text(d, "%s", no) : doctor_clean(d, host_of(x->path));
}

static void refuse(struct doctor *d, struct doctor_module *x, const char *why)
{
	(void)d;
	x->from = FROM_REFUSED;
	x->place = why;
}

/* true: it is settled. */
static bool by_entry(struct doctor *d, struct doctor_module *x, size_t i)
{
	const struct doctor_entry *p = &d->entries[i];
	bool asked = doctor_answer(d, ASKED_LIST, i) != NULL;

	switch (p->e.kind) {
	case GOPROXY_OFF:
		refuse(d, x, i ? TR("nobody before `off` has it", "off 之前的来源都没有它") : "GOPROXY=off");
		return true;
	case GOPROXY_DIRECT:
		direct(d, x);
		return true;
	case GOPROXY_BAD:
		refuse(d, x, TR("GOPROXY is malformed", "GOPROXY 格式有误"));
		return true;
	case GOPROXY_FILE:
		if (!folder_has(p->e.path, x))
			return false;
		break;
	case GOPROXY_URL:
		if (asked && !p->answers && (p->e.any_error || doctor_next(d, i) == SIZE_MAX))
			return false;
		if (asked && !p->answers) {
			refuse(d, x,
			       doctor_text(d,
					   TR("%s does not serve, and `,` goes on only after 404", "%s 不可用，而“,”只在 404 时转到下一个"),
					   p->shown));
			return true;
		}
		break;
	}
	x->from = FROM_PROXY;
	x->place = p->shown;
	return true;
}

static void from_the_net(struct doctor *d, struct doctor_module *x)
{
	if (x->private_) {
		if (d->n_entries && d->entries[0].e.kind == GOPROXY_OFF)
			refuse(d, x, "GOPROXY=off");
		else
			direct(d, x);
		return;
	}
	for (size_t i = 0; i < d->n_entries && !d->entries[i].e.unreachable; i++) {
		if (by_entry(d, x, i))
			return;
	}
	refuse(d, x, TR("no rule of GOPROXY gets it", "GOPROXY 的任何规则都无法获取它"));
}

void doctor_where(struct doctor *d)
{
	size_t refused = 0;
	const struct doctor_module *first = NULL;

	if (!d->has_tree || !d->tree.n)
		return;
	take_vendored(d);
	for (size_t i = 0; i < d->n_modules; i++) {
		struct doctor_module *x = &d->modules[i];
		if (x->from != FROM_REFUSED)
			continue;
		if (is_cached(d, x)) {
			x->from = FROM_CACHE;
			x->place = "GOMODCACHE";
			continue;
		}
		from_the_net(d, x);
		first = x->from == FROM_REFUSED && !first ? x : first;
		refused += x->from == FROM_REFUSED;
	}
	if (!refused)
		return;
	struct finding *f = doctor_error(
		d, DOCTOR_PROXY, CAUSE_MOD_CACHE_MISSING, TR("see the table: each has its reason", "见下表：每个模块都给出了原因"),
		refused > 1 ? TR("%zu modules cannot be had, among them %.*s %.*s: %s", "%zu 个模块无法获得，例如 %.*s %.*s：%s")
			    : TR("%zu module cannot be had: %.*s %.*s: %s", "%zu 个模块无法获得：%.*s %.*s：%s"),
		refused, SPAN_ARG(first->path), SPAN_ARG(first->version), first->place);
	if (f)
		f->package = arena_span(&d->report->mem, first->path);
}
