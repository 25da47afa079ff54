#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "config/own.h"

/* Where a tocsin.yaml may be. */

#define NAME "tocsin.yaml"

void config_places(const char *named, const char *cwd, struct config_places *ret)
{
	*ret = (struct config_places){
		.named = named ? named : getenv("TOCSIN_CONFIG"),
		.cwd = cwd,
		.home = getenv("HOME"),
		.xdg = getenv("XDG_CONFIG_HOME"),
		.system = "/etc/tocsin/" NAME,
		.today = 0,
	};
	if (ret->named && !*ret->named && !named)
		ret->named = NULL;
	if (ret->home && ret->home[0] != '/')
		ret->home = NULL;
	if (ret->xdg && ret->xdg[0] != '/')
		ret->xdg = NULL;
}

/* dir/name, in the configuration's memory. */
static const char *join(struct config *c, struct span dir, const char *name)
{
	bool slash = dir.n && dir.p[dir.n - 1] == '/';
	const char *path = arena_printf(&c->mem, "%.*s%s%s", SPAN_ARG(dir), slash ? "" : "/", name);

	if (!path)
		c->no_memory = true;
	return path;
}

static bool is_there(struct config *c, struct span dir, const char *name)
{
	const char *path = join(c, dir, name);
	struct stat st;

	return path && lstat(path, &st) == 0;
}

static struct span trimmed(const char *dir) /* without a slash at its end */
{
	struct span s = span_of(dir);

	while (s.n > 1 && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

/*
 * The nearest one at or above cwd, up to the root of the repository, the home directory or /. What neither we, root nor
 * the owner of the working directory have put there (/tmp/tocsin.yaml) is not the project's.
 */
static void find_project(struct config *c, const struct config_places *where)
{
	struct config_file *f = &c->files[CONFIG_PROJECT];
	struct span dir;
	struct stat here, st;

	struct span home = trimmed(where->home);

	dir = trimmed(where->cwd);
	c->root = where->cwd;
	for (;; dir = path_dir(dir)) {
		if (!f->path && is_there(c, dir, NAME)) {
			f->path = join(c, dir, NAME);
			c->root = arena_str(&c->mem, dir);
		}
		bool top = is_there(c, dir, ".git");
		if (top && !f->path)
			c->root = arena_str(&c->mem, dir);
		if (top || f->path || c->no_memory || dir.n <= 1 || (home.p && span_eq(dir, home)))
			break;
	}
	if (!c->root)
		c->no_memory = true;
	if (!f->path || stat(where->cwd, &here) < 0 || stat(f->path, &st) < 0)
		return;
	if (st.st_uid == geteuid() || st.st_uid == 0 || st.st_uid == here.st_uid)
		return;
	config_note(c, TR("'%s' is ignored: it belongs to another user", "忽略“%s”：它属于其他用户"),
		    f->path);
	f->path = NULL;
	c->root = where->cwd;
}

/* Named, user's and system's win over the same file met again in the working tree. */
static void drop_twins(struct config *c)
{
	static const enum config_place order[] = { CONFIG_NAMED, CONFIG_USER, CONFIG_SYSTEM, CONFIG_PROJECT };
	struct stat st[CONFIG_PLACES];
	bool there[CONFIG_PLACES] = { false };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		enum config_place p = order[i];
		if (!c->files[p].path || stat(c->files[p].path, &st[p]) < 0)
			continue;
		there[p] = true;
		for (size_t j = 0; j < i; j++) {
			enum config_place q = order[j];
			if (there[q] && st[p].st_dev == st[q].st_dev && st[p].st_ino == st[q].st_ino &&
			    S_ISREG(st[p].st_mode))
				c->files[p].path = NULL;
		}
	}
}

static const char *shown(const char *path, const char *cwd)
{
	struct span s = span_of(path);

	if (cwd && cwd[0] == '/' && span_skip(&s, span_of(cwd)) && span_skip(&s, S("/")) && s.n)
		return s.p;
	return path;
}

void find_files(struct config *c, const struct config_places *where)
{
	struct config_file *f = c->files;

	f[CONFIG_NAMED].path = where->named;
	if (where->named && !(f[CONFIG_NAMED].path = arena_str(&c->mem, span_of(where->named))))
		c->no_memory = true;
	if (where->cwd && where->cwd[0] == '/')
		find_project(c, where);
	if (where->xdg)
		f[CONFIG_USER].path = join(c, span_of(where->xdg), "tocsin/" NAME);
	else if (where->home)
		f[CONFIG_USER].path = join(c, span_of(where->home), ".config/tocsin/" NAME);
	if (where->system)
		f[CONFIG_SYSTEM].path = arena_str(&c->mem, span_of(where->system));
	drop_twins(c);
	for (int p = 0; p < CONFIG_PLACES; p++) {
		f[p].trusted = p != CONFIG_PROJECT;
		f[p].shown = f[p].path ? shown(f[p].path, where->cwd) : NULL;
	}
}
