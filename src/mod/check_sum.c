#include "base/mem.h"
#include "mod/check_own.h"
#include "mod/sums.h"
#include "parse/version.h"

/*
 * go.sum against what go.mod and the module graph ask for. Its lines are read once and not kept: what is held is what is
 * wanted, so that a file of any length takes no memory.
 */
struct summing {
	struct check *c;
	const struct mod_member *m;
	const struct graph *g;
	struct unit *last; /* of the line before: the other hash of a version follows */
	bool vendored;
	bool complete;     /* what is not wanted is unused */
	bool crlf;
};

/* ---- what is wanted ---- */

/* It may be there. */
static struct want *allow(struct summing *s, struct unit *u, int what)
{
	struct want *w = &check_unit_now(s->c, u)->want[what];

	w->made = true;
	return w;
}

static void want(struct want *w, const struct mod_line *by, enum severity severity)
{
	if (w->by && w->severity >= severity)
		return;
	w->by = by;
	w->severity = severity;
}

/* What stands for a module version in go.sum when this module is built alone: itself, its replacement, or (NULL) nothing. */
static struct unit *summed(struct summing *s, struct unit *u)
{
	const struct mod_line *l = check_replacement(s->c, s->m, u->path, u->version);

	if (!l)
		return check_unit_now(s->c, u);
	struct unit *by = l->new_is_dir ? NULL : check_unit(s->c, l->new_path, l->new_version);
	return by ? check_unit_now(s->c, by) : NULL;
}

/*
 * What a requirement wants. A direct one is imported, so that go needs its zip and its go.mod; of an indirect one that depends on
 * what is imported, but when go.mod does not list all (before go 1.17): then every go.mod is read.
 */
static void want_required(struct summing *s, const struct mod_line *l)
{
	struct unit *u = check_line_unit(s->c, s->m, l), *to = summed(s, u);
	bool all = !s->g->pruned;

	if (!to)
		return;
	allow(s, to, WANT_ZIP)->fine = true;
	allow(s, to, WANT_MOD);
	if (check_excluded(s->c, s->m, l->path, l->version))
		return;
	if (s->c->work && u->name->member && span_eq(to->version, S("v0.0.0")))
		return; /* said elsewhere */
	const struct unit *picked = check_name_now(s->c, u->name)->picked;
	bool used = !picked || picked == u || version_compare(picked->version, l->version) <= 0;
	if (used)
		want(&to->want[WANT_ZIP], l, l->indirect ? SEV_WARNING : SEV_ERROR);
	if (used || all)
		want(&to->want[WANT_MOD], l, l->indirect && !all ? SEV_WARNING : SEV_ERROR);
}

static void want_node(struct summing *s, struct unit *n)
{
	const struct unit *picked = check_name_now(s->c, n->name)->picked;
	struct unit *u = summed(s, n);

	if (!u)
		return;
	struct want *zip = allow(s, u, WANT_ZIP), *mod = allow(s, u, WANT_MOD);
	if (!zip->by && !zip->fine)
		zip->unneeded = picked && picked != n && !n->replace;
	if (n->loaded)
		want(mod, n->root, s->g->pruned ? SEV_WARNING : SEV_ERROR);
}

static void collect(struct summing *s)
{
	struct span go = check_go_of(&s->m->mod);

	/* go 1.17 also keeps what 1.16 would need; go.work's replacements belong to another graph. */
	s->complete = !s->g->unknown && !s->m->mod.n_problems && !span_eq(go, S("1.17")) &&
		      !(s->c->work && s->c->work_index.replaces.count);
	for (size_t i = 0; i < s->m->mod.n && !s->c->bad; i++) {
		const struct mod_line *l = &s->m->mod.lines[i];
		if (l->verb == MOD_REQUIRE)
			want_required(s, l);
		if (l->verb == MOD_REPLACE && !l->new_is_dir) { /* kept for the version that it replaces, whichever that is */
			struct unit *u = check_unit(s->c, l->new_path, l->new_version);
			if (!u)
				return;
			allow(s, u, WANT_ZIP);
			allow(s, u, WANT_MOD);
		}
	}
	for (struct unit *u = s->g->first; u && !s->c->bad; u = u->next)
		want_node(s, u);
}

/* ---- the lines ---- */

static void say_problem(struct check *c, const struct mod_source *file, const struct modfile *m, const struct gosum_line *l, bool wanted,
			bool soft)
{
	struct spot at = { .file = file, .mod = m, .line = l->line, .column = l->column };

	switch (l->problem) {
	case GOSUM_FINE:
	case GOSUM_EMPTY:
		break;
	case GOSUM_MERGE:
		check_say_as(c, RULE_SUM_LINE, soft ? SEV_WARNING : SEV_ERROR, at, "%s",
			     TR("the mark of a merge conflict", "合并冲突标记"));
		break;
	case GOSUM_BINARY:
	case GOSUM_FIELDS:
		if (l->words != 3)
			check_say_as(c, RULE_SUM_LINE, soft ? SEV_WARNING : SEV_ERROR, at,
				     TR("%zu words, and a line has three: module, version, hash",
					"有 %zu 个字段，而每行应有三个：模块、版本、哈希"),
				     l->words);
		else
			check_say(c, RULE_SUM_STRANGE, at, "%s",
				  TR("a NUL byte: the line counts for nothing", "含 NUL 字节：该行不起作用"));
		break;
	case GOSUM_PATH:
		check_say(c, RULE_SUM_STRANGE, at, "%s", TR("no module path: the line counts for nothing", "不是模块路径：该行不起作用"));
		break;
	case GOSUM_VERSION:
		check_say(c, RULE_SUM_STRANGE, at, "%s", TR("no version: the line counts for nothing", "不是版本：该行不起作用"));
		break;
	case GOSUM_HASH:
		check_say_as(c, RULE_SUM_HASH, wanted && !soft ? SEV_ERROR : SEV_WARNING, at,
			     TR("the hash of " VP " is none: nothing can match it", VP " 的哈希无效：永远无法匹配"), SPAN_ARG(l->path),
			     SPAN_ARG(l->version));
		break;
	case GOSUM_UNKNOWN:
		check_say(c, RULE_SUM_STRANGE, at, "%s",
			  TR("a kind of hash that go does not know: it checks nothing", "go 不认识的哈希类型：不会校验任何内容"));
		break;
	}
}

static struct want *wanted_by(struct summing *s, const struct gosum_line *l)
{
	struct unit *u = s->last;

	if (!u || !span_eq(u->version, l->version) || !span_eq(u->path, l->path))
		u = check_known(s->c, l->path, l->version);
	s->last = u;
	if (!u || u->of != s->c->now)
		return NULL;
	struct want *w = &u->want[l->go_mod ? WANT_MOD : WANT_ZIP];
	return w->made ? w : NULL;
}

static void say_unused(struct summing *s, const struct gosum_line *l, const struct want *w)
{
	struct spot at = { .file = &s->m->go_sum, .mod = &s->m->mod, .line = l->line, .column = 1 };
	struct name *n = map_get(&s->c->names, l->path);
	const struct unit *p = n ? check_name_now(s->c, n)->picked : NULL;
	bool pruned = s->g->pruned && !span_eq(check_go_of(&s->m->mod), S("1.17"));

	if (span_eq(l->path, S("golang.org/toolchain")) || !version_valid(l->version))
		return;
	/* All that a pruned go.mod names is built at that version or a higher one. */
	bool older = !l->go_mod && pruned && (!w || (!w->by && !w->fine)) && p && !p->replace &&
		     version_compare(l->version, p->version) < 0 && !n->member;
	if (s->complete ? w && !w->unneeded : !older)
		return;
	if (p && !l->go_mod)
		check_say(s->c, RULE_SUM_UNUSED, at, TR(VP " is not built: %.*s is", "不会构建 " VP "：所用为 %.*s"), SPAN_ARG(l->path),
			  SPAN_ARG(l->version), SPAN_ARG(p->version));
	else
		check_say(s->c, RULE_SUM_UNUSED, at, TR("nothing requires " VP, "没有任何模块要求 " VP), SPAN_ARG(l->path),
			  SPAN_ARG(l->version));
}

static void take_line(struct summing *s, const struct gosum_line *l)
{
	struct want *w = l->version.p && l->path.p ? wanted_by(s, l) : NULL;
	struct spot at = { .file = &s->m->go_sum, .mod = &s->m->mod, .line = l->line, .column = 1 };

	s->crlf |= l->crlf;
	if (l->problem != GOSUM_FINE) {
		say_problem(s->c, &s->m->go_sum, &s->m->mod, l, w && w->by, s->c->work && !check_go_at_least(s->c, "1.22"));
		return;
	}
	if (!w || w->unneeded || !w->by)
		say_unused(s, l, w);
	if (!w)
		return;
	if (w->line && !span_eq(w->hash, l->hash))
		check_say(s->c, RULE_SUM_HASH, at,
			  TR(VP "%s has another hash here than in line %lld: go stops at the one that does not match",
			     VP "%s 此处的哈希与第 %lld 行不同：go 会在不匹配的那个处停止"),
			  SPAN_ARG(l->path), SPAN_ARG(l->version), l->go_mod ? "/go.mod" : "", (long long)w->line);
	if (!w->line) {
		w->line = l->line;
		w->hash = s->m->go_sum.large ? arena_span(&s->c->mem, l->hash) : l->hash;
		s->c->bad |= !w->hash.p;
	}
}

/* ---- what is missing ---- */

static const char *when(const struct summing *s)
{
	if (s->c->work)
		return TR("; the workspace builds without it, and with GOWORK=off go refuses",
			  "；工作区构建不需要它，但 GOWORK=off 时 go 会拒绝");
	return s->vendored ? TR("; vendor/ hides it: with -mod=mod or in `go mod verify` it shows",
				"；vendor/ 掩盖了它：使用 -mod=mod 或 `go mod verify` 时会暴露")
			   : "";
}

static void say_missing(struct summing *s, const struct mod_line *by, const struct unit *u, bool both)
{
	struct spot at = { .file = &s->m->go_mod, .mod = &s->m->mod, .l = by };
	const struct want *zip = &u->want[WANT_ZIP], *mod = &u->want[WANT_MOD];
	struct span path = u->path, version = u->version;
	bool no_zip = both && zip->by && !zip->line, no_mod = mod->by && !mod->line;
	enum severity sev = no_zip ? zip->severity : SEV_NOTE;

	if (!no_zip && !no_mod)
		return;
	if (no_mod && mod->severity > sev)
		sev = mod->severity;
	if ((s->c->work || s->vendored) && sev > SEV_NOTE)
		sev--;
	const char *which = !no_zip  ? TR(" for the go.mod of", "的 go.mod 的")
			    : no_mod ? TR(" for", "的")
				     : TR(" for the zip of", "的 zip 的");
	if (span_eq(path, by->path) && span_eq(version, by->version))
		check_say_as(s->c, RULE_SUM_MISSING, sev, at, TR("go.sum has no line%s " VP "%s%s", "go.sum 中没有%s行：" VP "%s%s"), which,
			     SPAN_ARG(path), SPAN_ARG(version),
			     sev == SEV_WARNING && by->indirect
				     ? TR(": go needs it as soon as a package of it is imported", "：一旦导入其中的包，go 就需要它")
				     : "",
			     when(s));
	else
		check_say_as(s->c, RULE_SUM_MISSING, sev, at,
			     TR("go.sum has no line%s " VP ", which %.*s brings in%s", "go.sum 中没有%s行：" VP "（由 %.*s 引入）%s"),
			     which, SPAN_ARG(path), SPAN_ARG(version), SPAN_ARG(by->path), when(s));
}

static void check_missing(struct summing *s)
{
	for (size_t i = 0; i < s->m->mod.n && !s->c->bad; i++) {
		const struct mod_line *l = &s->m->mod.lines[i];
		if (l->verb != MOD_REQUIRE || check_excluded(s->c, s->m, l->path, l->version))
			continue;
		const struct unit *u = summed(s, check_line_unit(s->c, s->m, l));
		if (u && (u->want[WANT_ZIP].by == l || u->want[WANT_MOD].by == l))
			say_missing(s, l, u, true);
	}
	for (struct unit *n = s->g->first; n && !s->c->bad; n = n->next) {
		if (!n->root || (span_eq(n->root->path, n->path) && span_eq(n->root->version, n->version)))
			continue;
		const struct unit *u = summed(s, n);
		if (u)
			say_missing(s, n->root, u, false);
	}
}

static void check_read(struct check *c, int r)
{
	if (r < 0) {
		c->reading = r;
		c->bad = true;
	}
}

void check_sum(struct check *c, const struct mod_member *m, struct graph *g)
{
	struct summing s = { .c = c, .m = m, .g = g, .vendored = c->work ? c->vendored : check_vendored(c, m) };
	CLEANUP(sums_close) struct sums lines;
	struct gosum_line l;

	int r = sums_open(&m->go_sum, &lines, &c->err);
	collect(&s);
	while (r >= 0 && !c->bad && (r = sums_next(&lines, &l, &c->err)) > 0)
		take_line(&s, &l);
	check_read(c, r);
	if (s.crlf)
		check_say(c, RULE_SUM_CRLF, (struct spot){ .file = &m->go_sum, .mod = &m->mod, .line = 1, .column = 1 }, "%s",
			  tx(mod_rules[RULE_SUM_CRLF].what));
	if (!c->bad)
		check_missing(&s);
}

void check_sum_file(struct check *c, const struct mod_source *file)
{
	CLEANUP(sums_close) struct sums lines;
	struct gosum_line l;
	int r = sums_open(file, &lines, &c->err);

	/* Before 1.22 go stopped reading at a bad line, and said nothing; a workspace does not need the rest. */
	while (r >= 0 && !c->bad && (r = sums_next(&lines, &l, &c->err)) > 0) {
		if (l.problem != GOSUM_FINE)
			say_problem(c, file, &c->t->work, &l, false, !check_go_at_least(c, "1.22"));
	}
	check_read(c, r);
}
