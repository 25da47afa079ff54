#include "cli/where.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "parse/modfile.h"

#define GO_MOD_MAX (1 << 20)
#define DIRS_MAX   5000 /* counting must not be felt */
#define DEPTH_MAX  32

static bool exists(const char *dir, size_t n, const char *name)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	buf_addf(&path, "%.*s/%s", (int)n, dir, name);
	return !path.bad && access(path.p, F_OK) == 0;
}

/* The nearest directory at or above dir that holds name: the length of its path, or SPAN_NONE. */
static size_t find_up(struct span dir, const char *name)
{
	for (;;) {
		if (exists(dir.p, dir.n, name))
			return dir.n;
		size_t slash = span_rchr(dir, '/');
		if (slash == SPAN_NONE || !dir.n)
			return SPAN_NONE;
		dir = span_head(dir, slash);
	}
}

static void read_module(struct arena *mem, struct span dir, struct site *ret)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf text = { .max = GO_MOD_MAX };
	size_t root = find_up(dir, "go.mod");

	if (root == SPAN_NONE)
		return;
	buf_addf(&path, "%.*s/go.mod", (int)root, dir.p);
	if (path.bad || file_slurp(path.p, &text, NULL) < 0)
		return;
	struct span name = modfile_module(buf_view(&text));
	if (!name.n)
		return;
	ret->root = arena_str(mem, name);
	ret->go_mod = arena_str(mem, buf_view(&path));
	/* Below the module's root, its packages begin with the way down to here. */
	ret->module = arena_printf(mem, "%.*s%.*s", SPAN_ARG(name), SPAN_ARG(span_from(dir, root)));
}

void where_read(struct arena *mem, const char *dir, struct site *ret)
{
	CLEANUP(buf_free) struct buf full = { 0 };
	char *cwd = getcwd(NULL, 0);

	*ret = (struct site){ .shown = "." };
	if (!cwd)
		return;
	ret->cwd = arena_str(mem, span_of(cwd));
	free(cwd);
	if (!ret->cwd)
		return;
	struct span here = span_of(ret->cwd);
	size_t root = find_up(here, ".git");
	struct span rest = root == SPAN_NONE ? here : span_from(here, root + 1);
	ret->shown = rest.n ? arena_str(mem, rest) : ".";
	path_join(&full, ret->cwd, dir ? dir : "");
	read_module(mem, dir ? buf_view(&full) : here, ret);
}

/* ---- counting packages ---- */

struct count {
	int64_t packages;
	int dirs;
};

static bool skipped(const char *name)
{
	return name[0] == '.' || name[0] == '_' || !strcmp(name, "testdata") || !strcmp(name, "vendor") ||
	       !strcmp(name, "node_modules");
}

static void count_dir(struct count *c, const char *path, int depth)
{
	DIR *d = c->dirs++ < DIRS_MAX && depth < DEPTH_MAX ? opendir(path) : NULL;
	struct dirent *e;
	bool go = false;

	if (depth && exists(path, strlen(path), "go.mod")) {
		if (d)
			closedir(d);
		return;
	}
	while (d && (e = readdir(d))) {
		CLEANUP(buf_free) struct buf sub = { 0 };
		struct span name = span_of(e->d_name);
		if (e->d_type == DT_REG && span_ends(name, S(".go")) && name.p[0] != '_' && name.p[0] != '.')
			go = true;
		if (e->d_type != DT_DIR || skipped(e->d_name))
			continue;
		path_join(&sub, path, e->d_name);
		if (!sub.bad)
			count_dir(c, sub.p, depth + 1);
	}
	c->packages += go;
	if (d)
		closedir(d);
}

static bool is_meta(struct span p) /* a word for many packages */
{
	static const char *const words[] = { "all", "std", "cmd", "tool", "work" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_eq(p, span_of(words[i])))
			return true;
	}
	return false;
}

/* "./sub/..." and "MODULE/sub/..." as a directory. False: it may be anywhere. */
static bool pattern_dir(const char *dir, const char *module, struct span p, struct buf *ret)
{
	struct span base;

	if (!span_ends(p, S("/...")))
		return false;
	base = span_head(p, p.n - 4);
	if (p.p[0] != '.') {
		if (!module || !span_skip(&base, span_of(module)) || (base.n && base.p[0] != '/'))
			return false;
		span_skip(&base, S("/"));
	}
	CLEANUP(mem_free) char *sub = mem_dup(base.n ? base.p : ".", base.n ? base.n : 1);
	path_join(ret, dir ? dir : ".", sub ? sub : ".");
	return !ret->bad;
}

int64_t where_count(const char *dir, const char *module, const char *const *patterns, size_t n)
{
	struct count c = { 0 };

	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf at = { 0 };
		struct span p = span_of(patterns[i]);
		if (is_meta(p))
			return 0;
		if (span_find(p, S("...")) == SPAN_NONE) {
			c.packages++;
			continue;
		}
		if (!pattern_dir(dir, module, p, &at))
			return 0;
		count_dir(&c, at.p, 0);
	}
	return c.dirs > DIRS_MAX ? 0 : n ? c.packages : 1;
}
