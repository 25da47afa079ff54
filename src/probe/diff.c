#include "probe/diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"

/* ---- a list of differences ---- */

static const struct {
	const char *word;
	struct tx title;
} whats[CHANGE_KINDS] = {
	[CHANGE_GO] = { "go", { "Go", "Go" } },
	[CHANGE_TARGET] = { "target", { "target", "目标平台" } },
	[CHANGE_PATH] = { "path", { "main package", "主包" } },
	[CHANGE_MODULE] = { "module", { "modules", "模块" } },
	[CHANGE_REPLACE] = { "replace", { "replacements", "替换" } },
	[CHANGE_SETTING] = { "setting", { "settings", "构建设置" } },
	[CHANGE_VCS] = { "vcs", { "version control", "版本控制" } },
	[CHANGE_BUILD_ID] = { "build_id", { "build ID", "构建 ID" } },
	[CHANGE_PACKAGE] = { "package", { "packages", "包" } },
	[CHANGE_FUNCTION] = { "function", { "functions", "函数" } },
	[CHANGE_FILE] = { "file", { "source files", "源文件" } },
	[CHANGE_INIT] = { "init", { "init order", "初始化顺序" } },
	[CHANGE_EMBED] = { "embed", { "embedded files", "嵌入文件" } },
	[CHANGE_HARDENING] = { "hardening", { "hardening", "加固" } },
	[CHANGE_LIBRARY] = { "library", { "libraries", "动态库" } },
	[CHANGE_SIZE] = { "size", { "size", "大小" } },
	[CHANGE_UNKNOWN] = { "unknown", { "cannot be told", "无法得知" } },
};

const char *change_word(enum change_what w)
{
	return whats[w].word;
}

const char *change_title(enum change_what w)
{
	return tx(whats[w].title);
}

bool change_add(struct changes *c, enum change_what what, struct span name, struct span before,
		struct span after, const char *why)
{
	struct change one = { .what = what, .why = why };

	if (c->lost || !mem_grow(&c->v, &c->cap, c->n, sizeof(*c->v))) {
		c->lost = true;
		return false;
	}
	one.name = arena_str(&c->mem, name);
	one.before = before.p ? arena_str(&c->mem, before) : NULL;
	one.after = after.p ? arena_str(&c->mem, after) : NULL;
	if (!one.name || (before.p && !one.before) || (after.p && !one.after)) {
		c->lost = true;
		return false;
	}
	c->v[c->n++] = one;
	return true;
}

void changes_json(const struct changes *c, struct json_out *j)
{
	json_open(j, '[');
	for (size_t i = 0; i < c->n; i++) {
		json_open(j, '{');
		json_member_strz(j, "what", change_word(c->v[i].what));
		json_member_strz(j, "name", c->v[i].name);
		json_member_strz(j, "before", c->v[i].before);
		json_member_strz(j, "after", c->v[i].after);
		if (c->v[i].why) {
			json_member_strz(j, "why", c->v[i].why);
		}
		json_close(j, '}');
	}
	json_close(j, ']');
}

void changes_free(struct changes *c)
{
	mem_free(c->v);
	arena_free(&c->mem);
	*c = (struct changes){ 0 };
}

void changes_free_cleanup(struct changes *c)
{
	changes_free(c);
}

/* ---- two sorted lists ---- */

struct item {
	struct span name, value;
};
struct items {
	struct item *v;
	size_t n, cap;
};

static int item_order(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
	int r = n ? memcmp(a->name.p, b->name.p, n) : 0;

	if (r == 0)
		r = (a->name.n > b->name.n) - (a->name.n < b->name.n);
	if (r)
		return r;
	n = a->value.n < b->value.n ? a->value.n : b->value.n;
	r = n ? memcmp(a->value.p, b->value.p, n) : 0;
	return r ? r : (a->value.n > b->value.n) - (a->value.n < b->value.n);
}

static void put(struct changes *c, struct items *l, struct span name, struct span value)
{
	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)))
		c->lost = true;
	else
		l->v[l->n++] = (struct item){ name, value };
}

static void sort(struct items *l)
{
	size_t n = 0;

	if (!l->n)
		return;
	qsort(l->v, l->n, sizeof(*l->v), item_order);
	for (size_t i = 1; i < l->n; i++) { /* each once: names of instances are alike */
		if (!span_eq(l->v[i].name, l->v[n].name) || !span_eq(l->v[i].value, l->v[n].value))
			l->v[++n] = l->v[i];
	}
	l->n = n + 1;
}

/* Name by name; both are freed. */
static void compare(struct changes *c, enum change_what what, struct items *a, struct items *b)
{
	size_t i = 0, k = 0;

	sort(a);
	sort(b);
	while ((i < a->n || k < b->n) && !c->lost) {
		struct item one = i < a->n ? (struct item){ a->v[i].name, { 0 } } : (struct item){ 0 };
		struct item two = k < b->n ? (struct item){ b->v[k].name, { 0 } } : (struct item){ 0 };
		int r = i >= a->n ? 1 : k >= b->n ? -1 : item_order(&one, &two);
		if (r < 0)
			change_add(c, what, a->v[i].name, a->v[i].value, (struct span){ 0 }, NULL);
		else if (r > 0)
			change_add(c, what, b->v[k].name, (struct span){ 0 }, b->v[k].value, NULL);
		else if (!span_eq(a->v[i].value, b->v[k].value))
			change_add(c, what, a->v[i].name, a->v[i].value, b->v[k].value, NULL);
		i += r <= 0;
		k += r >= 0;
	}
	mem_free(a->v);
	mem_free(b->v);
	*a = *b = (struct items){ 0 };
}

/* ---- what a probe has, as items ---- */

static struct span text(struct changes *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static struct span text(struct changes *c, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	struct span s = b.bad ? (struct span){ 0 } : arena_span(&c->mem, span_of(buf_str(&b)));
	c->lost |= !s.p;
	return s;
}

static struct span some(struct span s)
{
	return s.p ? s : S("");
}

static void modules_of(struct changes *c, const struct probe *p, struct items *l)
{
	for (size_t i = 0; i <= p->n_deps; i++) {
		const struct probe_module *m = i ? &p->deps[i - 1] : &p->main, *by = m->replaced_by;
		if (!m->path.n)
			continue;
		put(c, l, m->path,
		    by ? text(c, "%.*s => %.*s %.*s", SPAN_ARG(m->version), SPAN_ARG(by->path),
			      SPAN_ARG(by->version))
		       : some(m->version));
	}
}

static bool is_vcs(struct span key)
{
	return span_eq(key, S("vcs")) || span_starts(key, S("vcs."));
}

static void settings_of(struct changes *c, const struct probe *p, bool vcs, struct items *l)
{
	for (size_t i = 0; i < p->n_settings; i++) {
		if (is_vcs(p->settings[i].key) == vcs)
			put(c, l, p->settings[i].key, some(p->settings[i].value));
	}
}

static void functions_of(struct changes *c, const struct probe *p, struct items *l)
{
	for (size_t i = 0; i < p->n_funcs; i++)
		put(c, l, span_of(p->funcs[i].name), S("linked"));
	for (size_t i = 0; i < p->n_inlined; i++)
		put(c, l, span_of(p->inlined[i].name), S("inlined"));
}

static void packages_of(struct changes *c, const struct probe *p, struct items *l)
{
	for (size_t i = 0; i < p->n_packages; i++)
		put(c, l, p->packages[i].path, S(""));
}

/* ---- where it was built ---- */

static const struct probe_func *find(const struct probe *p, const char *name)
{
	for (size_t i = 0; i < p->n_funcs; i++) {
		if (!strcmp(p->funcs[i].name, name))
			return &p->funcs[i];
	}
	return NULL;
}

struct span probe_built_root(const struct probe *p, struct span module)
{
	const struct probe_func *f = find(p, "main.main");
	struct span rest = p->path;

	if (!f || !f->file || !rest.n || (module.n && !span_skip(&rest, module)))
		return (struct span){ 0 };
	struct span dir = path_dir(span_of(f->file));
	if (!span_ends(dir, rest) || dir.n == rest.n)
		return (struct span){ 0 };
	return span_head(dir, dir.n - rest.n);
}

/* GOROOT/src where it was built; absent: not known, or -trimpath. */
static struct span goroot_src(const struct probe *p)
{
	const struct probe_func *f = find(p, "runtime.main");
	struct span dir = span_of(f ? f->file : NULL), end = S("/runtime/proc.go");

	return span_ends(dir, end) ? span_head(dir, dir.n - end.n) : (struct span){ 0 };
}

/* The part of a source's name that does not depend on the machine that built it. */
static struct span lasting(const struct probe *p, struct span file, struct span goroot, struct span root)
{
	char name[512];

	if (goroot.n && span_skip(&file, goroot))
		return span_from(file, 1);
	if (root.n && span_skip(&file, root))
		return span_from(file, 1);
	if (span_chr(file, '@') == SPAN_NONE || !span_starts(file, S("/")))
		return file;
	for (size_t i = 0; i < p->n_deps; i++) { /* below the module cache, wherever that was */
		const struct probe_module *m = p->deps[i].replaced_by ? p->deps[i].replaced_by : &p->deps[i];
		int n = snprintf(name, sizeof(name), "/%.*s@%.*s/", SPAN_ARG(m->path), SPAN_ARG(m->version));
		size_t at = n > 0 && (size_t)n < sizeof(name)
				    ? span_find(file, (struct span){ name, (size_t)n })
				    : SPAN_NONE;
		if (at != SPAN_NONE)
			return span_from(file, at + 1);
	}
	return file;
}

static void files_of(struct changes *c, const struct probe *p, struct items *l)
{
	struct span goroot = goroot_src(p), root = probe_built_root(p, p->main.path);

	for (size_t i = 0; i < p->n_files; i++)
		put(c, l, lasting(p, span_of(p->files[i]), goroot, root), S(""));
}

static void embeds_of(struct changes *c, const struct probe *p, struct items *l)
{
	for (size_t i = 0; i < p->n_embeds; i++) {
		const struct probe_embed *m = &p->embeds[i];
		char hex[2 * SHA256_SIZE + 1] = "";
		if (m->directory)
			continue;
		if (m->hashed)
			hex_lower(m->sha256, SHA256_SIZE, hex);
		put(c, l, m->name, text(c, "%s", hex));
	}
}

static void libraries_of(struct changes *c, const struct probe *p, struct items *l)
{
	for (size_t i = 0; i < p->n_libraries; i++)
		put(c, l, p->libraries[i], S(""));
}

static void hardening_of(struct changes *c, const struct probe *p, struct items *l)
{
	const struct probe_hardening *h = &p->hard;
	const struct {
		const char *name;
		enum probe_answer is;
	} all[] = { { "pie", h->pie },           { "nx", h->nx },
		    { "relro", h->relro },       { "writable_code", h->writable_code },
		    { "stripped", h->stripped }, { "dwarf", h->dwarf },
		    { "dynamic", h->dynamic },   { "signature", h->signature },
		    { "cgo", h->cgo },           { "trimpath", h->trimpath },
		    { "race", h->race },         { "cover", h->cover } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		put(c, l, span_of(all[i].name), span_of(probe_answer_name(all[i].is)));
}

/* The order alone: packages that are in both, and what comes before each. */
static void init_order(struct changes *c, const struct probe *a, const struct probe *b)
{
	if (a->init_order != PROBE_ORDER_TASKS || b->init_order != PROBE_ORDER_TASKS)
		return;
	struct items before = { 0 }, after = { 0 };
	for (size_t i = 0; i < a->n_init; i++)
		put(c, &before, a->init[i].package, S(""));
	for (size_t i = 0; i < b->n_init; i++)
		put(c, &after, b->init[i].package, S(""));
	compare(c, CHANGE_INIT, &before, &after);
}

static void one(struct changes *c, enum change_what what, const char *name, struct span a, struct span b)
{
	if (!span_eq(a, b))
		change_add(c, what, span_of(name), a, b, NULL);
}

/* A part that one of them does not have cannot be compared. */
static bool both(struct changes *c, const struct probe *a, const struct probe *b, enum probe_part part,
		 bool there_a, bool there_b)
{
	if (there_a == there_b)
		return there_a;
	const struct probe *without = there_a ? b : a;
	for (size_t i = 0; i < without->n_absent; i++) {
		if (without->absent[i].part == part) {
			change_add(c, CHANGE_UNKNOWN, span_of(probe_part_name(part)),
				   there_a ? S("") : (struct span){ 0 }, there_b ? S("") : (struct span){ 0 },
				   arena_str(&c->mem, span_of(without->absent[i].why)));
			return false;
		}
	}
	return true;
}

int probe_diff(const struct probe *a, const struct probe *b, struct changes *ret, struct err *e)
{
	static const struct {
		enum change_what what;
		void (*of)(struct changes *c, const struct probe *p, struct items *l);
	} code[] = { { CHANGE_PACKAGE, packages_of },
		     { CHANGE_FUNCTION, functions_of },
		     { CHANGE_FILE, files_of } };
	struct items x = { 0 }, y = { 0 };
	struct changes *c = ret;

	*c = (struct changes){ 0 };
	one(c, CHANGE_GO, "version", a->go_version, b->go_version);
	one(c, CHANGE_TARGET, "format", span_of(probe_format_name(a->format)),
	    span_of(probe_format_name(b->format)));
	one(c, CHANGE_TARGET, "arch", span_of(a->arch), span_of(b->arch));
	if (both(c, a, b, PROBE_PART_BUILD_INFO, a->build_info, b->build_info)) {
		one(c, CHANGE_PATH, "path", a->path, b->path);
		modules_of(c, a, &x);
		modules_of(c, b, &y);
		compare(c, CHANGE_MODULE, &x, &y);
		for (int vcs = 1; vcs >= 0; vcs--) {
			settings_of(c, a, vcs, &x);
			settings_of(c, b, vcs, &y);
			compare(c, vcs ? CHANGE_VCS : CHANGE_SETTING, &x, &y);
		}
	}
	one(c, CHANGE_BUILD_ID, "content", probe_build_id_content(a->build_id),
	    probe_build_id_content(b->build_id));
	if (both(c, a, b, PROBE_PART_FUNCTIONS, a->n_funcs > 0, b->n_funcs > 0)) {
		for (size_t i = 0; i < ARRAY_LEN(code); i++) {
			code[i].of(c, a, &x);
			code[i].of(c, b, &y);
			compare(c, code[i].what, &x, &y);
		}
		init_order(c, a, b);
	}
	embeds_of(c, a, &x);
	embeds_of(c, b, &y);
	compare(c, CHANGE_EMBED, &x, &y);
	hardening_of(c, a, &x);
	hardening_of(c, b, &y);
	compare(c, CHANGE_HARDENING, &x, &y);
	libraries_of(c, a, &x);
	libraries_of(c, b, &y);
	compare(c, CHANGE_LIBRARY, &x, &y);
	one(c, CHANGE_SIZE, "bytes", text(c, "%llu", (unsigned long long)a->size),
	    text(c, "%llu", (unsigned long long)b->size));
	return c->lost ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : 0;
}
