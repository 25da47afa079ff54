#include "base/mem.h"
#include "mod/check_own.h"
#include "parse/gosum.h"
#include "parse/version.h"

/*
 * go.sum against what go.mod and the module graph ask for. Its lines are read once and not kept: what is held is what is
 * wanted, so that a file of any length takes no memory.
 */
enum { WANT_ZIP, WANT_MOD, WANTS };

struct want {
	const struct mod_line *by; /* the requirement that wants it; NULL: it may be there */
	enum severity severity;
	bool fine;                 /* go.mod names it: whether go needs the line or not, it is not left over */
	bool unneeded;             /* of a version that is not built: only its go.mod counts */
	struct span hash;
	int64_t line;              /* 0: not seen */
};

struct summing {
	struct check *c;
	const struct mod_member *m;
	const struct graph *g;
	struct arena mem;
	struct map wants;  /* by "path version", "path version/go.mod" */
	bool vendored;
	bool complete;     /* what is not wanted is unused */
	bool crlf;
};

/* ---- what is wanted ---- */

static const struct span suffix = { "/go.mod", 7 };

/* "path version" or "path version/go.mod"; good until the next call. */
static struct span key_of(struct summing *s, struct span path, struct span version, bool mod)
{
	struct buf *key = &s->c->key;

	buf_clear(key);
	buf_span(key, path);
	buf_addc(key, ' ');
	buf_span(key, version);
	if (mod)
		buf_span(key, suffix);
	s->c->bad |= key->bad;
	return buf_view(key);
}

static struct want *want_at(struct summing *s, struct span path, struct span version, int what, bool make)
{
	struct span key = key_of(s, path, version, what == WANT_MOD);
	struct want *w = map_get(&s->wants, key);

	if (w || !make || s->c->bad)
		return w;
	key = arena_span(&s->mem, key);
	w = key.p ? arena_alloc(&s->mem, sizeof(*w)) : NULL;
	if (!w || !map_put(&s->wants, key, w)) {
		s->c->bad = true;
		return NULL;
	}
	return w;
}

static void want(struct summing *s, struct span path, struct span version, int what, const struct mod_line *by, enum severity severity)
{
	struct want *w = want_at(s, path, version, what, true);

	if (!w || (w->by && w->severity >= severity))
		return;
	w->by = by;
	w->severity = severity;
}

/* What stands for a module version in go.sum when this module is built alone: itself, its replacement, or (false) nothing. */
static bool summed(struct summing *s, struct span *path, struct span *version)
{
	const struct mod_line *l = check_replacement(s->c, s->m, *path, *version);

	if (!l)
		return true;
	*path = l->new_path;
	*version = l->new_version;
	return !l->new_is_dir;
}

/*
 * What a requirement wants. A direct one is imported, so that go needs its zip and its go.mod; of an indirect one that depends on
 * what is imported, but when go.mod does not list all (before go 1.17): then every go.mod is read.
 */
static void want_required(struct summing *s, const struct mod_line *l)
{
	struct span path = l->path, version = l->version;
	bool all = !check_pruned(&s->m->mod);

	if (!summed(s, &path, &version))
		return;
	struct want *zip = want_at(s, path, version, WANT_ZIP, true);
	if (zip)
		zip->fine = true;
	want_at(s, path, version, WANT_MOD, true);
	if (check_excluded(s->c, s->m, l->path, l->version))
		return;
	if (s->c->work && check_is_member(s->c, l->path) && span_eq(version, S("v0.0.0")))
		return; /* said elsewhere */
	const struct picked *p = map_get(&s->g->picked, l->path);
	bool used = !p || version_compare(p->node->version, l->version) <= 0;
	if (used)
		want(s, path, version, WANT_ZIP, l, l->indirect ? SEV_WARNING : SEV_ERROR);
	if (used || all)
		want(s, path, version, WANT_MOD, l, l->indirect && !all ? SEV_WARNING : SEV_ERROR);
}

static void want_node(struct summing *s, const struct node *n)
{
	struct span path = n->path, version = n->version;
	const struct picked *p = map_get(&s->g->picked, n->path);
	bool all = !check_pruned(&s->m->mod);

	if (!summed(s, &path, &version))
		return;
	struct want *zip = want_at(s, path, version, WANT_ZIP, true), *mod = want_at(s, path, version, WANT_MOD, true);
	if (zip && !zip->by && !zip->fine)
		zip->unneeded = p && p->node != n && !n->replace;
	if (mod && n->loaded)
		want(s, path, version, WANT_MOD, n->root, all ? SEV_ERROR : SEV_WARNING);
}

static void collect(struct summing *s)
{
	struct span go = check_go_of(&s->m->mod);

	/* go 1.17 also keeps what 1.16 would need; go.work's replacements belong to another graph. */
	s->complete = !s->g->unknown && !span_eq(go, S("1.17")) && !(s->c->work && s->c->work_index.replaces.count);
	for (size_t i = 0; i < s->m->mod.n && !s->c->bad; i++) {
		const struct mod_line *l = &s->m->mod.lines[i];
		if (l->verb == MOD_REQUIRE)
			want_required(s, l);
		if (l->verb == MOD_REPLACE && !l->new_is_dir) { /* kept for the version that it replaces, whichever that is */
			want_at(s, l->new_path, l->new_version, WANT_ZIP, true);
			want_at(s, l->new_path, l->new_version, WANT_MOD, true);
		}
	}
	for (const struct node *n = s->g->first; n && !s->c->bad; n = n->next)
		want_node(s, n);
}

/* ---- the lines ---- */

static bool say_problem(struct check *c, const struct mod_source *file, const struct modfile *m, const struct gosum_line *l, bool wanted, bool soft)
{
	struct spot at = { .file = file, .mod = m, .line = l->line, .column = l->column };

	switch (l->problem) {
	case GOSUM_FINE:
	case GOSUM_EMPTY:
		return false;
	case GOSUM_MERGE:
		check_say_as(c, RULE_SUM_LINE, soft ? SEV_WARNING : SEV_ERROR, at, "%s", TR("the mark of a merge conflict", "合并冲突标记"));
		break;
	case GOSUM_BINARY:
	case GOSUM_FIELDS:
		if (l->words != 3)
			check_say_as(c, RULE_SUM_LINE, soft ? SEV_WARNING : SEV_ERROR, at, TR("%zu words, and a line has three: module, version, hash", "有 %zu 个字段，而每行应有三个：模块、版本、哈希"), l->words);
		else
			check_say(c, RULE_SUM_STRANGE, at, "%s", TR("a NUL byte: the line counts for nothing", "含 NUL 字节：该行不起作用"));
		break;
	case GOSUM_PATH:
		check_say(c, RULE_SUM_STRANGE, at, "%s", TR("no module path: the line counts for nothing", "不是模块路径：该行不起作用"));
		break;
	case GOSUM_VERSION:
		check_say(c, RULE_SUM_STRANGE, at, "%s", TR("no version: the line counts for nothing", "不是版本：该行不起作用"));
		break;
	case GOSUM_HASH:
		check_say_as(c, RULE_SUM_HASH, wanted && !soft ? SEV_ERROR : SEV_WARNING, at, TR("the hash of " VP " is none: nothing can match it", VP " 的哈希无效：永远无法匹配"), SPAN_ARG(l->path), SPAN_ARG(l->version));
		break;
	case GOSUM_UNKNOWN:
		check_say(c, RULE_SUM_STRANGE, at, "%s", TR("a kind of hash that go does not know: it checks nothing", "go 不认识的哈希类型：不会校验任何内容"));
		break;
	}
	return true;
}

static struct want *wanted_by(struct summing *s, const struct gosum_line *l)
{
	if (l->version.p == l->path.p + l->path.n + 1 && l->path.p[l->path.n] == ' ')
		return map_get(&s->wants, (struct span){ l->path.p, l->path.n + 1 + l->version.n + (l->go_mod ? suffix.n : 0) });
	return map_get(&s->wants, key_of(s, l->path, l->version, l->go_mod));
}

static void say_unused(struct summing *s, const struct gosum_line *l, const struct want *w)
{
	struct spot at = { .file = &s->m->go_sum, .mod = &s->m->mod, .line = l->line, .column = 1 };
	const struct picked *p = map_get(&s->g->picked, l->path);
	bool pruned = check_pruned(&s->m->mod) && !span_eq(check_go_of(&s->m->mod), S("1.17"));

	if (span_eq(l->path, S("golang.org/toolchain")) || !version_valid(l->version))
		return;
	/* All that a pruned go.mod names is built at that version or a higher one. */
	bool older = !l->go_mod && pruned && (!w || (!w->by && !w->fine)) && p && !p->node->replace && version_compare(l->version, p->node->version) < 0 && !map_get(&s->c->members, l->path);
	if (s->complete ? w && !w->unneeded : !older)
		return;
	if (p && !l->go_mod)
		check_say(s->c, RULE_SUM_UNUSED, at, TR(VP " is not built: %.*s is", "不会构建 " VP "：所用为 %.*s"), SPAN_ARG(l->path), SPAN_ARG(l->version), SPAN_ARG(p->node->version));
	else
		check_say(s->c, RULE_SUM_UNUSED, at, TR("nothing requires " VP, "没有任何模块要求 " VP), SPAN_ARG(l->path), SPAN_ARG(l->version));
}

static void take_line(struct summing *s, const struct gosum_line *l)
{
	struct want *w = l->version.p && l->path.p ? wanted_by(s, l) : NULL;
	struct spot at = { .file = &s->m->go_sum, .mod = &s->m->mod, .line = l->line, .column = 1 };

	s->crlf |= l->crlf;
	if (say_problem(s->c, &s->m->go_sum, &s->m->mod, l, w && w->by, s->c->work && !check_go_at_least(s->c, "1.22")) || l->problem != GOSUM_FINE)
		return;
	if (!w || w->unneeded || !w->by)
		say_unused(s, l, w);
	if (!w)
		return;
	if (w->line && !span_eq(w->hash, l->hash))
		check_say(s->c, RULE_SUM_HASH, at, TR(VP "%s has another hash here than in line %lld: go stops at the one that does not match", VP "%s 此处的哈希与第 %lld 行不同：go 会在不匹配的那个处停止"), SPAN_ARG(l->path), SPAN_ARG(l->version),
			  l->go_mod ? "/go.mod" : "", (long long)w->line);
	if (!w->line) {
		w->line = l->line;
		w->hash = l->hash;
	}
}

/* ---- what is missing ---- */

static const char *when(const struct summing *s)
{
	if (s->c->work)
		return TR("; the workspace builds without it, and with GOWORK=off go refuses", "；工作区构建不需要它，但 GOWORK=off 时 go 会拒绝");
	return s->vendored ? TR("; vendor/ hides it: with -mod=mod or in `go mod verify` it shows", "；vendor/ 掩盖了它：使用 -mod=mod 或 `go mod verify` 时会暴露") : "";
}

static void say_missing(struct summing *s, const struct mod_line *by, struct span path, struct span version, const struct want *zip, const struct want *mod)
{
	struct spot at = { .file = &s->m->go_mod, .mod = &s->m->mod, .l = by };
	bool no_zip = zip && zip->by && !zip->line, no_mod = mod && mod->by && !mod->line;
	enum severity sev = no_zip ? zip->severity : SEV_NOTE;

	if (!no_zip && !no_mod)
		return;
	if (no_mod && mod->severity > sev)
		sev = mod->severity;
	if ((s->c->work || s->vendored) && sev > SEV_NOTE)
		sev--;
	const char *which = !no_zip ? TR(" for the go.mod of", "的 go.mod 的") : no_mod ? TR(" for", "的") : TR(" for the zip of", "的 zip 的");
	if (span_eq(path, by->path) && span_eq(version, by->version))
		check_say_as(s->c, RULE_SUM_MISSING, sev, at, TR("go.sum has no line%s " VP "%s%s", "go.sum 中没有%s行：" VP "%s%s"), which, SPAN_ARG(path), SPAN_ARG(version),
			     sev == SEV_WARNING && by->indirect ? TR(": go needs it as soon as a package of it is imported", "：一旦导入其中的包，go 就需要它") : "", when(s));
	else
		check_say_as(s->c, RULE_SUM_MISSING, sev, at, TR("go.sum has no line%s " VP ", which %.*s brings in%s", "go.sum 中没有%s行：" VP "（由 %.*s 引入）%s"), which, SPAN_ARG(path), SPAN_ARG(version), SPAN_ARG(by->path), when(s));
}

static void check_missing(struct summing *s)
{
	for (size_t i = 0; i < s->m->mod.n && !s->c->bad; i++) {
		const struct mod_line *l = &s->m->mod.lines[i];
		struct span path = l->path, version = l->version;
		if (l->verb != MOD_REQUIRE || check_excluded(s->c, s->m, path, version) || !summed(s, &path, &version))
			continue;
		const struct want *zip = want_at(s, path, version, WANT_ZIP, false), *mod = want_at(s, path, version, WANT_MOD, false);
		if ((zip && zip->by == l) || (mod && mod->by == l))
			say_missing(s, l, path, version, zip, mod);
	}
	for (const struct node *n = s->g->first; n && !s->c->bad; n = n->next) {
		struct span path = n->path, version = n->version;
		if (n->root && span_eq(n->root->path, path) && span_eq(n->root->version, version))
			continue;
		if (n->root && summed(s, &path, &version))
			say_missing(s, n->root, path, version, NULL, want_at(s, path, version, WANT_MOD, false));
	}
}

void check_sum(struct check *c, const struct mod_member *m, struct graph *g)
{
	struct summing s = { .c = c, .m = m, .g = g, .vendored = check_vendored(c, m) };
	struct gosum_at at = { .rest = m->go_sum.text };
	struct gosum_line l;

	collect(&s);
	while (!c->bad && gosum_next(&at, &l))
		take_line(&s, &l);
	if (s.crlf)
		check_say(c, RULE_SUM_CRLF, (struct spot){ .file = &m->go_sum, .mod = &m->mod, .line = 1, .column = 1 }, "%s", tx(mod_rules[RULE_SUM_CRLF].what));
	if (!c->bad)
		check_missing(&s);
	map_free(&s.wants);
	arena_free(&s.mem);
}

void check_sum_file(struct check *c, const struct mod_source *file)
{
	struct gosum_at at = { .rest = file->text };
	struct gosum_line l;

	/* Before 1.22 go stopped reading at a bad line, and said nothing; a workspace does not need the rest. */
	while (!c->bad && gosum_next(&at, &l))
		say_problem(c, file, &c->t->work, &l, false, !check_go_at_least(c, "1.22"));
}
