#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "probe/against_own.h"
#include "probe/filehash.h"

/* Sources and embedded files: of the binary, and of the tree as the binary's own settings select them. */

struct files {
	struct against *a;
	const struct selection *sel;
	const struct target *target;
	const char *root;     /* of the tree, absolute */
	struct span built;    /* the same folder as the binary names it; absent: not known */
	struct map in_binary; /* paths relative to root */
};

/* A path below it; absent: it is elsewhere, of a module with a version, or vendored. */
static struct span below(const struct files *f, struct span file)
{
	if (!span_skip(&file, f->built) || !span_skip(&file, S("/")) || span_chr(file, '@') != SPAN_NONE ||
	    span_starts(file, S("vendor/")))
		return (struct span){ 0 };
	return span_ends(file, S(".go")) || span_ends(file, S(".s")) ? file : (struct span){ 0 };
}

/* ---- sources ---- */

static const struct act_file *find_file(const struct files *f, struct span path)
{
	CLEANUP(buf_free) struct buf dir = { 0 };

	buf_span(&dir, path_dir(path));
	const struct src_dir *d = dir.bad ? NULL : src_tree_dir(f->sel->tree, buf_str(&dir));
	const struct act_package *p = d ? selection_package(f->sel, d) : NULL;
	for (size_t i = 0; p && i < p->n; i++) {
		if (span_eq(span_of(p->files[i].src->name), path_base(path)))
			return &p->files[i];
	}
	return NULL;
}

static bool is_compiled(const struct act_file *x)
{
	return act_list_built(x->list) && x->list != ACT_TEST && x->list != ACT_XTEST;
}

static void check_source(struct files *f, struct span path)
{
	CLEANUP(buf_free) struct buf why = { 0 };
	const struct act_file *x = find_file(f, path);

	if (!x) {
		struct stat st;
		buf_addf(&why, "%s/%.*s", f->root, SPAN_ARG(path));
		if (why.bad ||
		    stat(buf_str(&why), &st) == 0) /* the walk passed over its folder: nothing is proven */
			return;
		against_say(f->a, CHANGE_FILE, path, (struct span){ 0 }, S("linked"),
			    TR("it was removed or renamed since", "之后被删除或改名"));
		return;
	}
	if (is_compiled(x))
		return;
	act_why_write(x, f->target, &why);
	against_say(f->a, CHANGE_FILE, path, S("left out"), S("linked"),
		    report_text(f->a->r, "%s", buf_str(&why)).p);
}

static bool in_binary(const struct probe *p, const struct act_package *k, struct span main_path)
{
	struct span import = span_of(k->dir->import);

	return probe_package(p, import) || (span_eq(import, main_path) && probe_package(p, S("main")));
}

/* Selected, in a package of the binary, and without code in it: new, or nothing but types: nobody can tell. */
static void note_silent(struct files *f)
{
	CLEANUP(buf_free) struct buf names = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < f->sel->n; i++) {
		const struct act_package *k = &f->sel->packages[i];
		if (!k->dir->import || !in_binary(f->a->p, k, f->a->p->path))
			continue;
		for (size_t m = 0; m < k->n; m++) {
			CLEANUP(buf_free) struct buf path = { 0 };
			const struct src_file *s = k->files[m].src;
			if (!is_compiled(&k->files[m]) || s->kind != SRC_GO)
				continue;
			path_join(&path, strcmp(k->dir->path, ".") ? k->dir->path : "", s->name);
			if (path.bad || map_get(&f->in_binary, buf_view(&path)))
				continue;
			if (n++ < 5)
				buf_addf(&names, "%s%s", n > 1 ? ", " : "", buf_str(&path));
		}
	}
	if (n)
		against_note(
			f->a,
			report_text(
				f->a->r,
				TR("%zu files of these packages gave no code (%s%s): nothing but types and constants, code that nobody reaches, or newer than the binary",
				   "这些包中有 %zu 个文件没有产生代码（%s%s）：只有类型和常量、代码不可达，或比二进制更新"),
				n, buf_str(&names), n > 5 ? ", …" : ""));
}

static int check_sources(struct files *f)
{
	const struct probe *p = f->a->p;

	if (!p->n_files || !f->built.p) {
		against_note(f->a,
			     report_text(f->a->r, "%s",
					 TR("which source files the binary was made of cannot be compared",
					    "无法比较二进制由哪些源文件构成")));
		return 0;
	}
	for (size_t i = 0; i < p->n_files; i++) {
		struct span path = below(f, span_of(p->files[i]));
		if (path.n && !map_put(&f->in_binary, path, (void *)(uintptr_t)p->files[i]))
			return -ENOMEM;
	}
	for (size_t i = 0; i < p->n_files; i++) {
		struct span path = below(f, span_of(p->files[i]));
		if (path.n && path_base(path).p[0] != '_') /* _cgo_gotypes.go */
			check_source(f, path);
	}
	note_silent(f);
	return 0;
}

/* ---- embedded files ---- */

/* Does a pattern of //go:embed take this name, by itself or with its folder? */
static bool embeds(struct span pattern, struct span name)
{
	char want[300], part[600];

	span_skip(&pattern, S("all:"));
	if (pattern.n >= sizeof(want) || name.n >= sizeof(part))
		return false;
	snprintf(want, sizeof(want), "%.*s", SPAN_ARG(pattern));
	for (size_t i = 0; i <= name.n; i++) {
		if (i < name.n && name.p[i] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", SPAN_ARG(span_head(name, i)));
		if (fnmatch(want, part, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

/* The file of one package: is it in any embed.FS of the binary as it is here? */
static void check_embed(struct files *f, const struct act_package *k, struct span name)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	const struct probe *p = f->a->p;
	unsigned char sum[SHA256_SIZE];
	char own[2 * SHA256_SIZE + 1], its[2 * SHA256_SIZE + 1] = "";

	buf_addf(&path, "%s/%s/%.*s", f->root, k->dir->path, SPAN_ARG(name));
	if (path.bad || !file_sha256(buf_str(&path), sum))
		return;
	for (size_t i = 0; i < p->n_embeds; i++) {
		const struct probe_embed *m = &p->embeds[i];
		if (m->directory || !m->hashed || !span_eq(m->name, name))
			continue;
		if (!memcmp(m->sha256, sum, SHA256_SIZE))
			return;
		hex_lower(m->sha256, SHA256_SIZE, its);
	}
	hex_lower(sum, SHA256_SIZE, own);
	buf_clear(&path);
	path_join(&path, strcmp(k->dir->path, ".") ? k->dir->path : "", "");
	buf_span(&path, name);
	if (*its)
		against_say(f->a, CHANGE_EMBED, buf_view(&path), span_of(own), span_of(its), NULL);
	else
		against_say(f->a, CHANGE_EMBED, buf_view(&path), span_of(own), (struct span){ 0 }, NULL);
}

static void check_pattern(struct files *f, const struct act_package *k, struct span pattern)
{
	const struct probe *p = f->a->p;

	for (size_t i = 0; i < p->n_embeds; i++) {
		bool again = false;
		if (p->embeds[i].directory || !embeds(pattern, p->embeds[i].name))
			continue;
		for (size_t m = 0; m < i && !again; m++) /* the same name in two embed.FS */
			again = span_eq(p->embeds[m].name, p->embeds[i].name);
		if (!again)
			check_embed(f, k, p->embeds[i].name);
	}
}

static void check_embeds(struct files *f)
{
	for (size_t i = 0; i < f->sel->n; i++) {
		const struct act_package *k = &f->sel->packages[i];
		if (!k->dir->import || !in_binary(f->a->p, k, f->a->p->path))
			continue;
		for (size_t m = 0; m < k->n; m++) {
			const struct gohead *h = k->files[m].src->head;
			for (size_t n = 0; h && is_compiled(&k->files[m]) && n < h->n_embeds; n++)
				check_pattern(f, k, h->embeds[n].pattern);
		}
	}
}

int against_files(struct against *a, const struct target_env *env, const char *root, struct err *e)
{
	struct src_options o = {
		.threads = 0, .work = "off", .flags = env->flags, .go = env->targets[0].go, .mod = env->mod
	};
	CLEANUP(src_tree_free) struct src_tree tree = { 0 };
	CLEANUP(selection_free) struct selection sel = { 0 };
	struct files f = { .a = a, .sel = &sel, .target = &env->targets[0], .root = root };

	int r = src_tree_read(root, &o, &tree, e);
	if (r == 0)
		r = select_files(&tree, &env->targets[0], &sel, e);
	if (r < 0)
		return r;
	f.built = probe_built_root(a->p, a->member->mod.module);
	r = check_sources(&f);
	if (r == 0)
		check_embeds(&f);
	map_free(&f.in_binary);
	return r;
}
