#include "probe/against.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "check/select.h"
#include "mod/buildlist.h"
#include "parse/version.h"
#include "probe/against_own.h"
#include "probe/expect.h"
#include "run/git.h"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* ---- findings ---- */

void against_say(struct against *a, enum change_what what, struct span name, struct span tree,
		 struct span binary, const char *why)
{
	const char *colon = why ? TR(": ", "：") : "";
	struct finding *f;

	if (!change_add(a->ret, what, name, tree, binary, why))
		a->r->lost = true;
	why = why ? why : "";
	if (tree.p && binary.p)
		f = report_say(a->r, CAUSE_ACT_MISMATCH,
			       TR("%s %.*s: the tree has %.*s, the binary %.*s%s%s",
				  "%s %.*s：源代码为 %.*s，二进制为 %.*s%s%s"),
			       change_title(what), SPAN_ARG(name), SPAN_ARG(tree), SPAN_ARG(binary), colon,
			       why);
	else if (binary.p)
		f = report_say(a->r, CAUSE_ACT_MISMATCH,
			       TR("%s %.*s: in the binary (%.*s), and not in the tree%s%s",
				  "%s %.*s：二进制中有（%.*s），源代码中没有%s%s"),
			       change_title(what), SPAN_ARG(name), SPAN_ARG(binary), colon, why);
	else
		f = report_say(a->r, CAUSE_ACT_MISMATCH,
			       TR("%s %.*s: in the tree (%.*s), and not in the binary%s%s",
				  "%s %.*s：源代码中有（%.*s），二进制中没有%s%s"),
			       change_title(what), SPAN_ARG(name), SPAN_ARG(tree), colon, why);
	if (f)
		f->rule = report_text(a->r, "against.%s", change_word(what)).p;
}

void against_note(struct against *a, struct span text)
{
	struct finding *f = report_say(a->r, CAUSE_ACT_MISMATCH, "%.*s", SPAN_ARG(text));

	if (!f)
		return;
	f->severity = SEV_NOTE;
	f->rule = "against.unknown";
}

/* ---- go ---- */

static void check_go(struct against *a)
{
	struct span built = a->p->go_version, want = a->member->mod.go,
		    chain = goversion_of_toolchain(a->member->mod.toolchain);

	if (!built.n) {
		against_note(a, report_text(a->r, "%s",
					    TR("the binary does not say which Go built it",
					       "二进制未说明由哪个 Go 构建")));
		return;
	}
	span_skip(&built, S("go"));
	built = span_cut(&built, ' ');
	built = span_cut(&built, '-');
	if (want.n && goversion_compare(built, want) < 0)
		against_say(a, CHANGE_GO, S("go"), want, a->p->go_version,
			    TR("an older Go than go.mod asks for", "比 go.mod 要求的 Go 更旧"));
	else if (chain.n && goversion_compare(built, chain) < 0)
		against_say(a, CHANGE_GO, S("toolchain"), a->member->mod.toolchain, a->p->go_version,
			    TR("an older Go than the toolchain line asks for",
			       "比 toolchain 行要求的 Go 更旧"));
}

/* ---- modules ---- */

static struct span shown(struct against *a, struct span version, struct span path, struct span new_version)
{
	if (!path.n)
		return version.n ? version : S("");
	return report_text(a->r, "%.*s => %.*s%s%.*s", SPAN_ARG(version), SPAN_ARG(path),
			   new_version.n ? " " : "", SPAN_ARG(new_version));
}

static struct span shown_built(struct against *a, const struct built *m)
{
	if (m->new_dir.n)
		return shown(a, m->version, m->new_dir, (struct span){ 0 });
	if (m->source && (!span_eq(m->source->path, m->path) || !span_eq(m->source->version, m->version)))
		return shown(a, m->version, m->source->path, m->source->version);
	return shown(a, m->version, (struct span){ 0 }, (struct span){ 0 });
}

static const struct built *find_built(const struct build_list *l, struct span path)
{
	for (size_t i = 0; i < l->n; i++) {
		if (span_eq(l->v[i].path, path))
			return &l->v[i];
	}
	return NULL;
}

static bool is_member(const struct against *a, struct span path)
{
	for (size_t i = 0; i < a->mods->n; i++) {
		if (span_eq(a->mods->members[i].mod.module, path))
			return true;
	}
	return false;
}

/* A folder may be written in two ways: "../fork" beside go.mod, and from the top of a workspace. */
static bool same_module(struct against *a, const struct probe_module *m, const struct built *b)
{
	const struct probe_module *by = m->replaced_by;

	if (!span_eq(m->version, b->version))
		return false;
	if (b->new_dir.n)
		return by && modfile_is_dir(by->path);
	if (!by)
		return !b->source ||
		       (span_eq(b->source->path, m->path) && span_eq(b->source->version, m->version));
	return b->source && span_eq(b->source->path, by->path) && span_eq(b->source->version, by->version);
}

static void check_module(struct against *a, const struct build_list *l, const struct probe_module *m)
{
	const struct built *b = find_built(l, m->path);
	const struct probe_module *by = m->replaced_by;

	if (is_member(a, m->path))
		return;
	struct span binary = by ? shown(a, m->version, by->path, by->version)
				: shown(a, m->version, (struct span){ 0 }, (struct span){ 0 });
	if (!b)
		against_say(a, CHANGE_MODULE, m->path, (struct span){ 0 }, binary, NULL);
	else if (!same_module(a, m, b))
		against_say(a,
			    by || b->new_dir.n || (b->source && !span_eq(b->source->path, b->path))
				    ? CHANGE_REPLACE
				    : CHANGE_MODULE,
			    m->path, shown_built(a, b), binary, NULL);
}

static int check_modules(struct against *a, const char *modcache, struct err *e)
{
	CLEANUP(build_list_free) struct build_list l = { 0 };

	if (!a->p->build_info) { /* nothing of it is known: a warning, so that nobody takes silence for agreement */
		against_note(
			a, report_text(a->r, "%s",
				       TR("module versions cannot be compared: the binary has no build info",
					  "无法比较模块版本：二进制没有构建信息")));
		if (a->r->n_findings)
			a->r->findings[a->r->n_findings - 1].severity = SEV_WARNING;
		return 0;
	}
	int r = build_list_make(a->mods, modcache, &l, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->p->n_deps; i++)
		check_module(a, &l, &a->p->deps[i]);
	if (l.unread.n)
		against_note(
			a,
			report_text(
				a->r,
				TR("the build list of the tree is not certain: go.mod of %s%s is in no module cache",
				   "源代码的构建列表不完全确定：%s%s 的 go.mod 不在模块缓存中"),
				l.unread.v[0], l.unread.n > 1 ? TR(" and of others", " 等模块") : ""));
	return 0;
}

/* ---- version control ---- */

void against_behind(const struct probe *p, const char *dir, struct arena *mem, struct behind *ret)
{
	struct span own = probe_revision(p);
	struct git_where w = { 0 };
	struct git_range range = { 0 };
	struct err e = { 0 };

	*ret = (struct behind){ .own = own.n ? arena_str(mem, own) : NULL };
	if (!ret->own) {
		ret->why = TR("the binary does not say its revision", "二进制未说明其版本");
		return;
	}
	if (git_where(dir, mem, &w, &e) < 0 || !w.commit) {
		ret->why =
			TR("the tree is in no git repository with a commit", "源代码不在有提交的 git 仓库中");
		return;
	}
	ret->head = w.commit;
	size_t n = own.n < strlen(w.commit) ? own.n : strlen(w.commit);
	ret->same = n >= 7 && !strncasecmp(w.commit, own.p, n);
	if (ret->same) {
		ret->known = ret->ancestor = true;
		return;
	}
	if (!w.top || git_range(w.top, ret->own, w.commit, 1, mem, &range, &e) < 0) {
		ret->why = arena_str(mem, span_of(*e.msg ? e.msg
							 : TR("its revision is not in this repository",
							      "其版本不在此仓库中")));
		return;
	}
	ret->known = true;
	ret->ancestor = range.ancestor;
	ret->commits = range.count;
}

static void check_revision(struct against *a, const char *dir)
{
	struct behind b;
	uint64_t state = 0;
	struct git_where w = { 0 };

	against_behind(a->p, dir, &a->r->mem, &b);
	if (span_eq(probe_setting(a->p, "vcs.modified"), S("true")))
		against_say(a, CHANGE_VCS, S("vcs.modified"), (struct span){ 0 }, S("true"),
			    TR("it was built with uncommitted changes, which no revision tells",
			       "构建时有未提交的修改，任何版本都无法说明"));
	if (b.own && b.head && !b.same)
		against_say(
			a, CHANGE_VCS, S("vcs.revision"), span_of(b.head), span_of(b.own),
			!b.known ? b.why
			: b.ancestor
				? report_text(a->r,
					      TR("the binary is %lld commits behind",
						 "二进制落后 %lld 个提交"),
					      (long long)b.commits)
					  .p
				: report_text(
					  a->r,
					  TR("not in the history of HEAD; %lld commits of it are not in the binary",
					     "不在 HEAD 的历史中；HEAD 有 %lld 个提交不在二进制中"),
					  (long long)b.commits)
					  .p);
	else if (!b.same)
		against_note(a,
			     report_text(a->r, TR("the revision cannot be compared: %s", "无法比较版本：%s"),
					 b.why ? b.why : ""));
	if (b.same && git_where(dir, &a->r->mem, &w, NULL) == 0 && w.top &&
	    git_tree_state(w.top, time_wall(), NULL, &state, NULL) == 0 && state)
		against_note(a,
			     report_text(a->r, "%s",
					 TR("the tree has uncommitted changes: the binary cannot have them",
					    "源代码有未提交的修改：二进制中不会有")));
}

/* ---- tags ---- */

static void check_tags(struct against *a, const struct target_env *env)
{
	struct span want = mod_flag(env->flags, "tags"), is = probe_setting(a->p, "-tags");

	if (want.p && a->p->build_info && !span_eq(want, is))
		against_say(a, CHANGE_SETTING, S("-tags"), want, is.p ? is : S(""),
			    TR("GOFLAGS sets others", "GOFLAGS 设置了不同的标签"));
}

/* ---- all of it ---- */

static struct mod_member *find_member(const struct probe *p, struct mod_tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (span_eq(t->members[i].mod.module, p->main.path))
			return &t->members[i];
	}
	return p->main.path.n ? NULL : &t->members[0];
}

const char *against_flags(const struct probe *p, struct arena *mem, struct target_flags *ret)
{
	struct span tags = probe_setting(p, "-tags"), cgo = probe_setting(p, "CGO_ENABLED"),
		    go = p->go_version;

	span_skip(&go, S("go"));
	go = span_cut(&go, ' ');
	*ret = (struct target_flags){
		.goos = arena_str(mem, p->os.n ? p->os : probe_setting(p, "GOOS")),
		.goarch = *p->arch ? p->arch : NULL,
		.go = go.n ? arena_str(mem, go) : NULL,
		.tags = tags.n ? arena_str(mem, tags) : NULL,
		.cgo = cgo.n ? span_eq(cgo, S("1")) : -1,
		.race = p->hard.race == PROBE_YES,
		.msan = -1,
		.asan = -1,
	};
	if (ret->goos && !*ret->goos)
		ret->goos = NULL;
	return ret->goos;
}

static int compare(struct against *a, const char *dir, struct err *e)
{
	CLEANUP(target_env_free) struct target_env env = { 0 };
	struct target_flags flags;

	against_flags(a->p, &a->r->mem, &flags);
	int r = target_env_read(&flags, dir, &env, e);
	if (r < 0)
		return r;
	check_go(a);
	r = check_modules(a, env.modcache, e);
	if (r < 0)
		return r;
	check_revision(a, dir);
	check_tags(a, &env);
	return against_files(a, &env, dir, e);
}

/* The folder that is meant: of a go.mod its own. NULL: no memory. */
static const char *folder_of(struct report *r, const char *where)
{
	struct stat st;

	if (stat(where, &st) == 0 && !S_ISDIR(st.st_mode))
		return report_text(r, "%.*s", SPAN_ARG(path_dir(span_of(where)))).p;
	return where;
}

int against_tree(const struct probe *p, const char *where, struct changes *ret, struct report *r,
		 struct err *e)
{
	CLEANUP(mod_tree_close) struct mod_tree mods = { 0 };
	struct against a = { .p = p, .ret = ret, .r = r, .mods = &mods };
	const char *dir = folder_of(r, where);

	if (!p->go)
		return err_set(e, ENODATA,
			       TR("nothing in it was linked by Go: there is nothing to compare with '%s'",
				  "其中没有由 Go 链接的内容：无法与“%s”比较"),
			       where);
	int n = dir ? mod_tree_open_flags(dir, NULL, NULL, &mods, e) : -ENOMEM;
	if (n < 0)
		return n == -ENOMEM ? no_memory(e) : n;
	if (!mods.n)
		return err_set(e, ENOENT, TR("'%s' has no module", "“%s”中没有模块"), where);
	a.member = find_member(p, &mods);
	if (!a.member) {
		against_say(&a, CHANGE_PATH, S("module"), mods.members[0].mod.module, p->main.path, NULL);
		return r->lost ? no_memory(e) : 0;
	}
	if (!p->main.path.n)
		against_note(&a,
			     report_text(r,
					 TR("the binary does not say its module: it is compared with %.*s",
					    "二进制未说明其模块：与 %.*s 比较"),
					 SPAN_ARG(mods.members[0].mod.module)));
	char *root = mod_tree_path(&mods, mods.top, span_of(a.member->dir));
	n = root ? compare(&a, root, e) : -ENOMEM;
	if (n == -ENOMEM || r->lost || ret->lost)
		return no_memory(e);
	return n;
}
