#include <dirent.h>
#include <unistd.h>

#include "check/traps_own.h"

/* Names of the standard library that are linked by hand, and plugins. */

/* ---- //go:linkname ---- */

struct pull {
	struct span local, remote;
};

static bool parse(struct span text, struct pull *ret)
{
	struct span rest = text;

	if (!span_skip(&rest, S("//go:linkname")) || !rest.n || (rest.p[0] != ' ' && rest.p[0] != '\t'))
		return false;
	rest = span_trim(rest);
	ret->local = span_cut(&rest, ' ');
	ret->remote = span_trim(rest);
	return ret->local.n > 0 && span_chr(ret->remote, ' ') == SPAN_NONE;
}

/* Is this func declared here, and has it a body? 1, 0; -1: it is not declared. */
static int has_body(struct span text, struct span name)
{
	for (struct span rest = text; rest.n;) {
		struct span l = span_cut(&rest, '\n');
		if (!span_skip(&l, S("func ")) || !span_starts(l, name) ||
		    (l.n > name.n && l.p[name.n] != '(' && l.p[name.n] != '['))
			continue;
		size_t comment = span_find(l, S("//"));
		l = span_trim(span_head(l, comment));
		struct span next = span_trim(span_cut(&rest, '\n'));
		return span_chr(l, '{') != SPAN_NONE || span_ends(l, S("(")) || span_ends(l, S(",")) ||
		       span_starts(next, S("{"));
	}
	return -1;
}

/* Does the package offer the name, with a linkname line of its own? What is not written in Go, or not there, is offered. */
static bool offered(struct trap_run *c, const char *dir, struct span name)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf text = { .max = 8 << 20 };
	bool found = false, offers = false;
	DIR *all = opendir(dir);
	struct dirent *e;

	while (all && !offers && (e = readdir(all))) {
		if (!span_ends(span_of(e->d_name), S(".go")) || span_ends(span_of(e->d_name), S("_test.go")))
			continue;
		buf_clear(&path);
		buf_clear(&text);
		buf_addf(&path, "%s/%s", dir, e->d_name);
		c->bad |= path.bad;
		if (path.bad || file_slurp_regular(buf_str(&path), &text, NULL) < 0)
			break;
		found |= has_body(buf_view(&text), name) == 1;
		for (struct span rest = buf_view(&text); rest.n && !offers;) {
			struct pull p;
			offers = parse(span_trim(span_cut(&rest, '\n')), &p) && span_eq(p.local, name);
		}
	}
	if (all)
		closedir(all);
	return offers || !found;
}

static bool allowed_by_flags(const struct trap_run *c)
{
	const char *const flags[] = { c->o->ldflags, c->o->env->ldflags };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i] && strstr(flags[i], "-checklinkname=0"))
			return true;
	for (size_t i = 0; i < c->flows->n; i++)
		if (span_find(c->flows->v[i].text, S("-checklinkname=0")) != SPAN_NONE)
			return true;
	return false;
}

/* Is the standard library at hand that of the newest target? */
static bool has_library(const struct trap_run *c)
{
	struct span v = span_of(c->o->env ? c->o->env->version : NULL);
	int64_t n;

	if (!v.p || !c->o->env->root || c->tree->std || c->go < 23)
		return false;
	span_skip(&v, S("go"));
	return span_skip(&v, S("1.")) && span_int(span_head(v, strspn(v.p, "0123456789")), &n) && n == c->go;
}

static void check_pull(struct trap_run *c, const struct src_file *f, struct span text, const struct pull *p,
		       struct spot at)
{
	size_t slash = span_rchr(p->remote, '/'), from = slash == SPAN_NONE ? 0 : slash;
	size_t dot = p->remote.n ? span_chr(span_from(p->remote, from), '.') : SPAN_NONE;
	CLEANUP(buf_free) struct buf dir = { 0 };

	if (dot == SPAN_NONE || !has_library(c) || !trap_built(c, f) || has_body(text, p->local) != 0 ||
	    allowed_by_flags(c))
		return;
	struct span package = span_head(p->remote, from + dot), name = span_from(p->remote, from + dot + 1);
	if (span_chr(name, '.') != SPAN_NONE ||
	    span_chr(span_head(package, span_chr(package, '/')), '.') != SPAN_NONE)
		return;
	buf_addf(&dir, "%s/src/%.*s", c->o->env->root, SPAN_ARG(package));
	c->bad |= dir.bad;
	if (!c->bad && access(buf_str(&dir), R_OK) == 0 && !offered(c, buf_str(&dir), name))
		trap_say(c, TRAP_LINKNAME_STD, at, trap_text(c, "%.*s", SPAN_ARG(p->remote)));
}

void trap_linknames(struct trap_run *c, const struct src_file *f, struct span text)
{
	struct gomarks marks = { .text = text };
	bool unsafe = f->head->fault != GOHEAD_FINE;
	struct gomark m;

	for (size_t i = 0; i < f->head->n_imports; i++)
		unsafe |= span_eq(f->head->imports[i].path, S("unsafe"));
	while (!c->bad && gomarks_next(&marks, &m)) {
		struct spot at = { .file = f, .line = m.line, .column = m.column };
		struct pull p;
		if (m.column != 1 || !parse(m.text, &p))
			continue;
		if (!unsafe)
			trap_say(c, TRAP_LINKNAME_UNSAFE, at, p.local);
		else
			check_pull(c, f, text, &p, at);
	}
}

/* ---- plugins ---- */

static bool plugin_os(const char *os)
{
	return !strcmp(os, "linux") || !strcmp(os, "darwin") || !strcmp(os, "freebsd") ||
	       !strcmp(os, "android");
}

static void check_host(struct trap_run *c, const struct src_file *f, int line)
{
	for (size_t i = 0; i < c->o->n; i++) {
		const struct target *t = c->o->selections[i].target;
		const struct act_file *a = trap_act(&c->o->selections[i], f);
		if (!a || !act_list_built(a->list) || (t->cgo && plugin_os(t->goos)))
			continue;
		const char *why = plugin_os(t->goos)
					  ? TR("without cgo it says “plugin: not implemented”",
					       "没有 cgo 时会报“plugin: not implemented”")
					  : TR("there are no plugins on that system", "该系统不支持插件");
		trap_say(c, TRAP_PLUGIN_NONE, ((struct spot){ .file = f, .line = line }), span_of(f->name),
			 span_of(t->name), span_of(why));
		return;
	}
}

/* The value of NAME=… in front of a command; absent: none. */
static struct span variable(struct span command, const char *name)
{
	size_t at = span_find(command, span_of(name));
	size_t n = 0;

	if (!command.p || at == SPAN_NONE || (at && !strchr(" \t\"'", command.p[at - 1])))
		return (struct span){ 0 };
	struct span v = span_from(command, at + strlen(name));
	while (n < v.n && !strchr(" \t\"'&;", v.p[n]))
		n++;
	return span_head(v, n);
}

static void check_plugin_target(struct trap_run *c, const struct flow_build *b)
{
	struct spot at = { .file = b->flow->file, .line = b->line };
	struct span os = variable(b->command, "GOOS="), arch = variable(b->command, "GOARCH=");

	if (span_eq(variable(b->command, "CGO_ENABLED="), S("0"))) {
		trap_say(c, TRAP_PLUGIN_TARGET, at,
			 S("-buildmode=plugin requires external (cgo) linking, but cgo is not enabled"));
	} else if (os.n && go_os_known(os, INT32_MAX)) {
		struct span z = trap_text(c, "%.*s", SPAN_ARG(os));
		if (!plugin_os(z.p))
			trap_say(c, TRAP_PLUGIN_TARGET, at,
				 trap_text(c, "-buildmode=plugin not supported on %.*s/%.*s", SPAN_ARG(os),
					   SPAN_ARG(arch.n ? arch : S("amd64"))));
	}
}

/* The flags that must be the same on both sides, as they are written; false: some of it cannot be known. */
static bool settings(struct span command, struct buf *ret)
{
	static const char *const flags[] = { "-trimpath", "-race", "-msan", "-asan", "-tags", "-gcflags" };

	if (span_chr(command, '$') != SPAN_NONE || span_find(command, S("{{")) != SPAN_NONE)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		size_t at = span_find(command, span_of(flags[i])), n = 0;
		if (at == SPAN_NONE)
			continue;
		struct span s = span_from(command, at);
		bool quoted = false;
		for (; n < s.n && (quoted || !strchr(" \t&;)", s.p[n]) || (i > 3 && n == strlen(flags[i])));
		     n++)
			quoted ^= s.p[n] == '"' || s.p[n] == '\'';
		buf_addf(ret, "%s%.*s", ret->len ? " " : "", SPAN_ARG(span_head(s, n)));
	}
	return true;
}

static struct span with(struct trap_run *c, const struct buf *b)
{
	return b->len ? trap_text(c, TR("with %.*s", "使用 %.*s"), SPAN_ARG(buf_view(b)))
		      : span_of(TR("without such flags", "没有这些参数"));
}

static void check_settings(struct trap_run *c, const struct flow_build *plugin)
{
	CLEANUP(buf_free) struct buf mine = { 0 };
	const struct flow_build *other = NULL;

	if (!settings(plugin->command, &mine))
		return;
	for (size_t i = 0; i < c->flows->n_builds && !c->bad; i++) {
		const struct flow_build *b = &c->flows->builds[i];
		CLEANUP(buf_free) struct buf theirs = { 0 };
		if (b->plugin || span_find(b->command, S("go build ")) == SPAN_NONE)
			continue;
		bool known = settings(b->command, &theirs);
		c->bad |= theirs.bad || mine.bad;
		if (!known || span_eq(buf_view(&mine), buf_view(&theirs)))
			return; /* one that fits is enough */
		other = other ? other : b;
	}
	if (!other || c->bad)
		return;
	CLEANUP(buf_free) struct buf theirs = { 0 };
	settings(other->command, &theirs);
	trap_say(c, TRAP_PLUGIN_SETTINGS, ((struct spot){ .file = plugin->flow->file, .line = plugin->line }),
		 with(c, &mine), trap_text(c, "%s:%d", other->flow->file->name, other->line),
		 with(c, &theirs));
}

void trap_plugins(struct trap_run *c)
{
	for (size_t i = 0; i < c->tree->n && !c->tree->std; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		for (size_t k = 0; k < d->n && !d->vendored && !c->bad; k++) {
			const struct src_file *f = &d->files[k];
			for (size_t n = 0; f->head && !f->test && n < f->head->n_imports; n++)
				if (span_eq(f->head->imports[n].path, S("plugin")))
					check_host(c, f, f->head->imports[n].line);
		}
	}
	for (size_t i = 0; i < c->flows->n_builds && !c->bad; i++) {
		if (!c->flows->builds[i].plugin)
			continue;
		check_plugin_target(c, &c->flows->builds[i]);
		check_settings(c, &c->flows->builds[i]);
	}
}
