#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "probe/active_own.h"
#include "probe/against.h"
#include "probe/diff.h"

const char *active_stage_word(enum active_stage s)
{
	static const char *const words[] = { "source", "build_list", "binary", "process" };

	return words[s];
}

const char *active_state_word(enum active_state s)
{
	static const char *const words[] = { "skipped", "yes", "unknown", "lost" };

	return words[s];
}

void active_say(struct tracing *t, enum active_stage stage, enum active_state state, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	t->a->steps[stage].state = state;
	t->a->steps[stage].said = b.bad ? NULL : arena_str(&t->a->mem, span_of(buf_str(&b)));
	t->r->lost |= !t->a->steps[stage].said;
}

/* The first place where it is lost: a finding. */
static void lose(struct tracing *t, enum active_stage stage, enum cause cause, const char *fix)
{
	struct active_step *s = &t->a->steps[stage];
	struct finding *f;

	if (t->a->lost >= 0)
		return;
	t->a->lost = (int)stage;
	f = report_say(t->r, cause, "%s%s%s", t->is_file && stage == ACTIVE_SOURCE ? "" : t->a->what,
		       t->is_file && stage == ACTIVE_SOURCE ? "" : ": ", s->said ? s->said : "");
	if (!f)
		return;
	f->severity = SEV_ERROR;
	f->rule = report_text(t->r, "active.%s", active_stage_word(stage)).p;
	if (s->file)
		f->file = report_text(t->r, "%s", s->file);
	f->line = s->line;
	if (fix)
		f->advice = report_text(t->r, "%s", fix);
}

/* ---- source ---- */

static void place(struct tracing *t, enum active_stage stage, const struct act_file *x, int line)
{
	const struct src_tree *tree = t->elsewhere ? &t->other : &t->tree;
	CLEANUP(buf_free) struct buf path = { 0 };

	path_join(&path, t->elsewhere ? tree->root : "", "");
	if (strcmp(x->src->dir->path, "."))
		buf_addf(&path, "%s/", x->src->dir->path);
	buf_adds(&path, x->src->name);
	t->a->steps[stage].file = arena_str(&t->a->mem, buf_view(&path));
	t->a->steps[stage].line = line;
}

/* `./...` and imports pass over its folder. */
static bool is_passed_over(const struct src_dir *d)
{
	return d->skip == DIR_HIDDEN || d->skip == DIR_NESTED || d->skip == DIR_NO_MEMBER ||
	       d->skip == DIR_LINK;
}

static void look_at_source(struct tracing *t)
{
	CLEANUP(buf_free) struct buf why = { 0 };
	const struct act_file *x = t->file;
	const char *target = t->env.targets[0].name;

	place(t, ACTIVE_SOURCE, x, t->is_file ? x->line : t->decl.line);
	const char *at = t->a->steps[ACTIVE_SOURCE].file;
	if (x->src->test && act_list_built(x->list)) {
		active_say(t, ACTIVE_SOURCE, ACTIVE_LOST,
			   TR("it stands in %s, a test: only `go test` builds that",
			      "它在测试文件 %s 中：只有 `go test` 会构建"),
			   at);
		lose(t, ACTIVE_SOURCE, CAUSE_ACT_EXCLUDED,
		     TR("Move it to a file whose name does not end in _test.go.",
			"将其移到名称不以 _test.go 结尾的文件中。"));
	} else if (!act_list_built(x->list)) {
		act_why_write(x, &t->env.targets[0], &why);
		active_say(t, ACTIVE_SOURCE, ACTIVE_LOST,
			   TR("%s is not in the build for %s: %s", "%s 不参与 %s 的构建：%s"), at, target,
			   buf_str(&why));
		t->a->steps[ACTIVE_SOURCE].line = x->line ? x->line : t->a->steps[ACTIVE_SOURCE].line;
		lose(t, ACTIVE_SOURCE,
		     x->why == ACT_WHY_NAME || x->why == ACT_WHY_HIDDEN ? CAUSE_ACT_TRAP : CAUSE_ACT_EXCLUDED,
		     NULL);
	} else if (!t->elsewhere && is_passed_over(x->src->dir)) {
		active_say(t, ACTIVE_SOURCE, ACTIVE_LOST,
			   TR("%s lies in a folder that is no part of this module's build",
			      "%s 所在目录不属于本模块的构建"),
			   at);
		lose(t, ACTIVE_SOURCE, CAUSE_ACT_EXCLUDED,
		     TR("Move the folder, or build the module that it belongs to.",
			"移动该目录，或构建它所属的模块。"));
	} else {
		active_say(t, ACTIVE_SOURCE, ACTIVE_YES,
			   TR("%s:%d is in the build for %s", "%s:%d 参与 %s 的构建"), at,
			   t->is_file ? 1 : t->decl.line, target);
	}
}

/* ---- build list and imports ---- */

struct importing {
	struct span want;
	bool found;
	int line;
};

static bool is_it(void *ctx, const struct act_file *f, const struct gohead_import *i)
{
	struct importing *k = ctx;

	if (!span_eq(i->path, k->want))
		return true;
	k->found = true;
	k->line = i->line;
	return false;
}

/* The program that is meant: of the binary, or any. */
static void reach_from(struct tracing *t, const struct reach *all, bool *reached, size_t *queue)
{
	size_t n = 0;

	for (size_t i = 0; i < t->sel.n; i++) {
		const struct act_package *p = &t->sel.packages[i];
		bool program = all->reached[i] && all->by[i] == SIZE_MAX;
		if (t->has_binary && t->binary.path.n)
			program = p->dir->import && span_eq(span_of(p->dir->import), t->binary.path);
		reached[i] = program;
		if (program)
			queue[n++] = i;
	}
	for (size_t at = 0; at < n; at++) {
		for (size_t k = 0; k < t->sel.n; k++) {
			struct importing x = { .want = span_of(t->sel.packages[k].dir->import) };
			if (reached[k] || !x.want.n)
				continue;
			act_imports(&t->sel.packages[queue[at]], false, is_it, &x);
			if (x.found) {
				reached[k] = true;
				queue[n++] = k;
			}
		}
	}
}

static const struct act_package *importer(struct tracing *t, const bool *reached, int *line)
{
	for (size_t i = 0; i < t->sel.n; i++) {
		struct importing x = { .want = t->import };
		if (!reached[i])
			continue;
		act_imports(&t->sel.packages[i], false, is_it, &x);
		if (x.found) {
			*line = x.line;
			return &t->sel.packages[i];
		}
	}
	return NULL;
}

static const char *version_of(struct tracing *t)
{
	const struct built *b = t->module;

	if (!b)
		return "";
	if (b->new_dir.n)
		return arena_printf(&t->a->mem, " => %.*s", SPAN_ARG(b->new_dir));
	return arena_printf(&t->a->mem, " %.*s", SPAN_ARG(b->source ? b->source->version : b->version));
}

static void say_imports(struct tracing *t, const bool *reached)
{
	int line = 0;
	const struct act_package *by = importer(t, reached, &line);
	size_t at = t->elsewhere ? SIZE_MAX : (size_t)(t->package - t->sel.packages);
	const char *program = t->has_binary && t->binary.path.n ? arena_str(&t->a->mem, t->binary.path)
								: NULL;

	if (at != SIZE_MAX && reached[at] && !by)
		active_say(t, ACTIVE_LIST, ACTIVE_YES, TR("%.*s is the program itself", "%.*s 就是程序本身"),
			   SPAN_ARG(t->import));
	else if (by)
		active_say(t, ACTIVE_LIST, ACTIVE_YES, TR("%.*s%s is imported by %s", "%.*s%s 由 %s 导入"),
			   SPAN_ARG(t->import), version_of(t), by->dir->import);
	else if (t->elsewhere)
		active_say(t, ACTIVE_LIST, ACTIVE_UNKNOWN,
			   TR("%.*s%s is not imported by the program's own packages; others may import it",
			      "%.*s%s 没有被程序自己的包导入；其他包可能导入它"),
			   SPAN_ARG(t->import), version_of(t));
	else {
		active_say(t, ACTIVE_LIST, ACTIVE_LOST,
			   TR("nobody imports %.*s: %s%s", "没有包导入 %.*s：%s%s"), SPAN_ARG(t->import),
			   program ? TR("not reached from ", "无法到达，起点为 ")
				   : TR("no program of this tree reaches it", "此源代码中没有程序能到达它"),
			   program ? program : "");
		lose(t, ACTIVE_LIST, CAUSE_ACT_NOT_LINKED,
		     TR("Import the package where the program starts; for its side effects alone: import _ \"…\".",
			"在程序入口导入该包；只需其副作用时：import _ \"…\"。"));
	}
}

static int look_at_list(struct tracing *t, struct err *e)
{
	struct reach all = { 0 };

	int r = reach_make(&t->sel, &all, e);
	bool *reached = mem_zalloc(t->sel.n + 1);
	size_t *queue = mem_zalloc((t->sel.n + 1) * sizeof(*queue));
	if (r == 0 && reached && queue) {
		reach_from(t, &all, reached, queue);
		say_imports(t, reached);
	} else {
		r = r < 0 ? r : err_set(e, ENOMEM, TR("no memory", "内存不足"));
	}
	reach_free(&all);
	mem_free(reached);
	mem_free(queue);
	return r;
}

/* ---- binary and process ---- */

/* Is it a file that gave code to this image? */
static bool has_file(struct tracing *t, const struct probe *p)
{
	struct span root = probe_built_root(p, p->main.path);
	const char *own = t->a->steps[ACTIVE_SOURCE].file;

	for (size_t i = 0; i < p->n_files; i++) {
		struct span f = span_of(p->files[i]);
		if (root.n && span_skip(&f, root) && span_skip(&f, S("/")) && span_eq(f, span_of(own)))
			return true;
	}
	return false;
}

static enum active_state in_image(struct tracing *t, const struct probe *p, bool *inlined)
{
	*inlined = false;
	if (t->is_file)
		return !p->n_files ? ACTIVE_UNKNOWN : has_file(t, p) ? ACTIVE_YES : ACTIVE_LOST;
	if (!p->n_funcs || t->decl.kind > DECLARED_METHOD)
		return ACTIVE_UNKNOWN;
	enum probe_state s = probe_function(p, span_of(t->a->what));
	*inlined = s == PROBE_INLINED;
	if (s == PROBE_NOT_FOUND) { /* generic: F[...] */
		const char *generic = arena_printf(&t->a->mem, "%s[...]", t->a->what);
		s = generic ? probe_function(p, span_of(generic)) : s;
	}
	return s == PROBE_NOT_FOUND ? ACTIVE_LOST : ACTIVE_YES;
}

/* The binary has another version of the dependency than the build list. NULL: no. */
static const char *other_version(struct tracing *t, const struct probe *p)
{
	for (size_t i = 0; t->module && i < p->n_deps; i++) {
		const struct probe_module *m = &p->deps[i];
		struct span own = m->replaced_by ? m->replaced_by->version : m->version;
		if (span_eq(m->path, t->module->path) && t->module->source &&
		    !span_eq(own, t->module->source->version))
			return arena_printf(&t->a->mem,
					    TR("the binary has %.*s of that module, the build list %.*s",
					       "二进制中该模块为 %.*s，构建列表中为 %.*s"),
					    SPAN_ARG(own), SPAN_ARG(t->module->source->version));
	}
	return NULL;
}

/* Why it may be missing there: the binary is of other source. */
static const char *other_source(struct tracing *t, const struct probe *p)
{
	const char *version = other_version(t, p);
	struct behind b;

	if (version)
		return version;
	against_behind(p, t->tree.root, &t->a->mem, &b);
	if (b.known && !b.same)
		return arena_printf(&t->a->mem,
				    TR("the binary is of revision %.12s, HEAD has %lld commits more",
				       "二进制的版本为 %.12s，HEAD 多 %lld 个提交"),
				    b.own, (long long)b.commits);
	if (span_eq(probe_setting(p, "vcs.modified"), S("true")))
		return TR("the binary was built with uncommitted changes", "二进制构建时有未提交的修改");
	return NULL;
}

static void look_at_binary(struct tracing *t, const char *name)
{
	bool inlined;
	enum active_state s = in_image(t, &t->binary, &inlined);
	const char *why = probe_absent_why(&t->binary, PROBE_PART_FUNCTIONS);

	const char *other = s == ACTIVE_YES ? other_version(t, &t->binary) : NULL;
	if (other) {
		active_say(t, ACTIVE_BINARY, ACTIVE_LOST,
			   TR("%s: linked, but not this code: %s", "%s：已链接，但不是这段代码：%s"), name,
			   other);
		lose(t, ACTIVE_BINARY, CAUSE_ACT_MISMATCH,
		     TR("Build it again from this tree.", "用此源代码重新构建。"));
	} else if (s == ACTIVE_YES) {
		active_say(t, ACTIVE_BINARY, s,
			   inlined      ? TR("%s: inlined only, its code is in other functions",
					     "%s：仅内联，其代码在其他函数中")
			   : t->is_file ? TR("%s: has code of it", "%s：含有其代码")
					: TR("%s: linked", "%s：已链接"),
			   name);
	} else if (s == ACTIVE_UNKNOWN) {
		active_say(t, ACTIVE_BINARY, s, "%s: %s", name,
			   !t->is_file && t->decl.kind > DECLARED_METHOD
				   ? TR("types, variables and constants leave no name in a binary",
					"类型、变量和常量不会在二进制中留下名称")
			   : why ? why
				 : TR("it cannot be told", "无法得知"));
	} else {
		other = other_source(t, &t->binary);
		active_say(
			t, ACTIVE_BINARY, s,
			TR("%s: neither linked nor inlined%s%s. That alone proves nothing (it may have become nothing, or constants)",
			   "%s：既未链接也未内联%s%s。仅凭此不能证明什么（可能被优化为空或常量）"),
			name, other ? TR("; ", "；") : "", other ? other : "");
		lose(t, ACTIVE_BINARY, CAUSE_ACT_NOT_LINKED,
		     other ? TR("Build it again from this tree.", "用此源代码重新构建。")
			   : TR("The linker keeps what main, init and kept types reach: call it from there, or register it.",
				"链接器只保留 main、init 和保留类型可达的代码：请从那里调用或注册它。"));
	}
}

/* Of a process alone, with no binary beside it. */
static void look_at_process_alone(struct tracing *t, const struct process *p)
{
	bool inlined;
	enum active_state s = in_image(t, &p->image->probe, &inlined);
	const char *other = other_source(t, &p->image->probe);

	if (!other && p->disk == DISK_REPLACED)
		other = TR("another build is at its path now", "其路径上现在是另一个构建");
	if (s == ACTIVE_YES && !other) {
		active_say(t, ACTIVE_PROCESS, s, TR("process %d has it", "进程 %d 中有它"), p->pid);
	} else if (s == ACTIVE_YES) {
		active_say(t, ACTIVE_PROCESS, ACTIVE_UNKNOWN,
			   TR("process %d has it, but perhaps not this code: %s",
			      "进程 %d 中有它，但可能不是这段代码：%s"),
			   p->pid, other);
	} else if (s == ACTIVE_UNKNOWN) {
		active_say(t, ACTIVE_PROCESS, s, TR("process %d: it cannot be told", "进程 %d：无法得知"),
			   p->pid);
	} else {
		active_say(t, ACTIVE_PROCESS, s,
			   TR("process %d runs %s, which does not have it%s%s",
			      "进程 %d 运行的 %s 中没有它%s%s"),
			   p->pid, p->exe, other ? TR("; ", "；") : "", other ? other : "");
		lose(t, ACTIVE_PROCESS, CAUSE_ACT_STALE_PROCESS,
		     p->disk == DISK_REPLACED
			     ? TR("Restart the process with the new binary.", "用新程序重启该进程。")
			     : TR("Build it from this tree, and restart the process.",
				  "用此源代码构建，并重启该进程。"));
	}
}

/* Does the process run the binary that was named? 1, 0, -1: neither has a build ID, nobody can tell. */
static int is_same_build(const struct tracing *t, const struct process *p)
{
	const struct probe *a = &p->image->probe, *b = &t->binary;
	struct span own = probe_build_id_content(a->build_id), want = probe_build_id_content(b->build_id);
	struct stat st;

	if (stat(t->q->binary, &st) == 0 && st.st_dev == p->image->dev && st.st_ino == p->image->ino)
		return 1;
	if (!own.n && !want.n) { /* -buildid= */
		own = a->link_id;
		want = b->link_id;
	}
	return !own.n && !want.n ? -1 : span_eq(own, want);
}

static void look_at_process(struct tracing *t)
{
	const struct process *p = t->process;
	bool inlined;

	if (!p->image || p->image->failed) {
		active_say(t, ACTIVE_PROCESS, ACTIVE_UNKNOWN,
			   TR("process %d cannot be read: %s", "无法读取进程 %d：%s"), p->pid,
			   p->why ? p->why : "");
		return;
	}
	if (!t->has_binary) {
		look_at_process_alone(t, p);
		return;
	}
	int same = is_same_build(t, p);
	enum active_state s = in_image(t, &p->image->probe, &inlined);
	if (s != ACTIVE_LOST && same > 0) {
		active_say(t, ACTIVE_PROCESS, ACTIVE_YES,
			   TR("process %d runs this build", "进程 %d 正在运行此构建"), p->pid);
	} else if (s == ACTIVE_YES) {
		active_say(
			t, ACTIVE_PROCESS, ACTIVE_UNKNOWN,
			same == 0
				? TR("process %d has it, but runs another build than this binary",
				     "进程 %d 中有它，但运行的是另一个构建")
				: TR("process %d has it; whether it runs this build nothing says (no build IDs)",
				     "进程 %d 中有它；没有构建 ID，无法得知是否运行此构建"),
			p->pid);
	} else if (s == ACTIVE_UNKNOWN) {
		active_say(t, ACTIVE_PROCESS, s,
			   TR("process %d runs another build, of which it cannot be told",
			      "进程 %d 运行另一个构建，无法得知"),
			   p->pid);
	} else {
		active_say(
			t, ACTIVE_PROCESS, ACTIVE_LOST,
			p->disk == DISK_REPLACED
				? TR("process %d still runs the build that was at %s before, and that one does not have it",
				     "进程 %d 仍在运行 %s 之前的构建，其中没有它")
				: TR("process %d runs %s, another build, which does not have it",
				     "进程 %d 运行的是另一个构建 %s，其中没有它"),
			p->pid, p->exe);
		lose(t, ACTIVE_PROCESS, CAUSE_ACT_STALE_PROCESS,
		     TR("Restart the process with the new binary.", "用新程序重启该进程。"));
	}
}

/* ---- all of it ---- */

static int read_binary(struct tracing *t, struct err *e)
{
	struct process_options o = { .whole = true };
	int r = 0;

	if (t->q->pid)
		r = process_read(&t->ps, t->q->pid, &o, &t->process, e);
	if (r == 0 && t->q->binary) {
		r = probe_file(t->q->binary, NULL, &t->binary, e);
		t->has_binary = r == 0;
	}
	return r;
}

static int read_source(struct tracing *t, struct err *e)
{
	const char *dir = t->q->tree ? t->q->tree : ".";
	struct target_flags flags = t->q->flags, own;
	struct mod_tree mods = { 0 };
	const struct probe *p = t->has_binary                     ? &t->binary
				: t->process && t->process->image ? &t->process->image->probe
								  : NULL;

	if (p && p->go && against_flags(p, &t->a->mem, &own))
		flags = own;
	int r = mod_tree_open(dir, NULL, &mods, e);
	const char *root = r == 0 ? arena_str(&t->a->mem, span_of(mods.top)) : NULL;
	mod_tree_close(&mods);
	if (r < 0)
		return r;
	if (!root)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	r = target_env_read(&flags, root, &t->env, e);
	if (r < 0)
		return r;
	struct src_options o = { .skipped = true,
				 .others = true,
				 .work = t->env.work,
				 .flags = t->env.flags,
				 .go = t->env.targets[0].go,
				 .mod = t->env.mod };
	r = src_tree_read(root, &o, &t->tree, e);
	if (r == 0)
		r = select_files(&t->tree, &t->env.targets[0], &t->sel, e);
	if (r < 0)
		return r;
	t->has_list = t->tree.has_mods &&
		      build_list_make(&t->tree.mods, t->env.modcache, &t->list, NULL) == 0;
	t->a->target = arena_str(&t->a->mem, span_of(t->env.targets[0].name));
	return 0;
}

static int trace(struct tracing *t, struct err *e)
{
	int r = read_binary(t, e);

	if (r == 0)
		r = read_source(t, e);
	if (r == 0)
		r = active_find(t, e);
	if (r < 0)
		return r;
	look_at_source(t);
	r = t->a->lost < 0 ? look_at_list(t, e) : 0;
	if (r == 0 && t->a->lost < 0 && t->has_binary)
		look_at_binary(t, t->q->binary);
	if (r == 0 && t->a->lost < 0 && t->process)
		look_at_process(t);
	return r == 0 && t->r->lost ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : r;
}

int active_trace(const struct active_ask *q, struct active *ret, struct report *r, struct err *e)
{
	struct tracing t = { .q = q, .a = ret, .r = r };

	*ret = (struct active){ .lost = -1, .what = q->what };
	int n = trace(&t, e);
	if (t.has_list)
		build_list_free(&t.list);
	selection_free(&t.other_sel);
	src_tree_free(&t.other);
	selection_free(&t.sel);
	src_tree_free(&t.tree);
	target_env_free(&t.env);
	probe_free(&t.binary);
	processes_free(&t.ps);
	return n;
}

void active_free(struct active *a)
{
	arena_free(&a->mem);
	*a = (struct active){ 0 };
}
