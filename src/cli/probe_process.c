#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/checked.h"
#include "cli/cmd.h"
#include "cli/probing.h"
#include "mod/tree.h"
#include "probe/against.h"
#include "probe/expect.h"
#include "probe/process.h"

/* `probe PID`, `--all`, `--port N`. */

struct asking {
	const struct process_ask *a;
	struct processes ps;
	struct behind *behind; /* one a process */
	struct changes changes;
	struct report *r;
};

static int fail(int r, const struct err *e)
{
	say_error("%s", e->msg);
	return r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
}

/* ---- JSON ---- */

static void member(struct json_out *j, const char *key, struct span value)
{
	json_member_str(j, key, value.n ? value : (struct span){ 0 });
}

static void put_build(struct json_out *j, const struct image_file *f)
{
	const struct probe *p = &f->probe;
	struct span modified = probe_setting(p, "vcs.modified");

	json_open(j, '{');
	member(j, "go", p->go_version);
	member(j, "build_id", p->build_id);
	member(j, "path", p->path);
	member(j, "module", p->main.path);
	member(j, "version", p->main.version);
	member(j, "revision", probe_revision(p));
	member(j, "time", probe_setting(p, "vcs.time"));
	json_key(j, "modified");
	if (modified.n)
		json_bool(j, span_eq(modified, S("true")));
	else
		json_null(j);
	json_member_int(j, "device", (int64_t)f->dev);
	json_member_int(j, "inode", (int64_t)f->ino);
	json_close(j, '}');
}

static void put_behind(struct json_out *j, const struct behind *b)
{
	json_key(j, "behind");
	if (!b->own && !b->why) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	json_member_strz(j, "head", b->head);
	json_key(j, "commits");
	if (b->known)
		json_int(j, b->commits);
	else
		json_null(j);
	json_member_bool(j, "ancestor", b->ancestor);
	json_member_strz(j, "why", b->why);
	json_close(j, '}');
}

static void put_ports(struct json_out *j, const struct process *p)
{
	json_key(j, "ports");
	if (p->ports_unread) {
		json_null(j);
		return;
	}
	json_open(j, '[');
	for (size_t i = 0; i < p->n_ports; i++) {
		json_open(j, '{');
		member(j, "protocol", p->ports[i].protocol);
		json_member_strz(j, "address", p->ports[i].address);
		json_member_int(j, "port", p->ports[i].port);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_environment(struct json_out *j, const struct process *p)
{
	json_key(j, "environment");
	if (p->env_unread) {
		json_null(j);
		return;
	}
	json_open(j, '[');
	for (size_t i = 0; i < p->env.n; i++)
		json_strz(j, p->env.v[i]);
	json_close(j, ']');
}

static void put_process(struct json_out *j, const struct process *p, const struct behind *b)
{
	char at[32];

	json_open(j, '{');
	json_member_int(j, "pid", p->pid);
	json_member_int(j, "uid", p->uid);
	json_key(j, "started");
	if (p->started) {
		time_rfc3339(p->started, at);
		json_strz(j, at);
	} else {
		json_null(j);
	}
	json_member_strz(j, "command", p->command);
	json_member_strz(j, "executable", p->exe);
	json_member_bool(j, "deleted", p->deleted);
	json_member_strz(j, "disk", disk_state_word(p->disk));
	json_member_strz(j, "why", p->why ? p->why : p->disk_why);
	json_member_bool(j, "container", p->elsewhere);
	json_member_strz(j, "cgroup", p->cgroup);
	put_environment(j, p);
	put_ports(j, p);
	json_key(j, "runs");
	if (p->image)
		put_build(j, p->image);
	else
		json_null(j);
	json_key(j, "on_disk");
	if (p->file)
		put_build(j, p->file);
	else
		json_null(j);
	put_behind(j, b);
	json_close(j, '}');
}

static void all_json(void *ctx, struct json_out *j)
{
	struct asking *k = ctx;

	if (k->a->pid && k->ps.n && k->ps.v[0].image && k->ps.v[0].image->probe.format)
		show_probe_json(&k->ps.v[0].image->probe, &k->a->view, j);
	json_member_open(j, "processes", '[');
	for (size_t i = 0; i < k->ps.n; i++)
		put_process(j, &k->ps.v[i], &k->behind[i]);
	json_close(j, ']');
	if (k->a->expect->n) {
		json_key(j, "expectations");
		expect_json(k->a->expect, j);
	}
	if (k->a->tree) {
		json_key(j, "against");
		changes_json(&k->changes, j);
	}
}

/* ---- for people ---- */

static void add_build(struct buf *b, const struct image_file *f)
{
	const struct probe *p = &f->probe;
	struct span revision = probe_revision(p), at = probe_setting(p, "vcs.time");

	if (f->failed) {
		buf_adds(b, f->why ? f->why : TR("not readable", "无法读取"));
		return;
	}
	if (!p->go) {
		buf_adds(b, TR("no Go program", "不是 Go 程序"));
		return;
	}
	buf_addf(b, "%.*s", SPAN_ARG(p->go_version.n ? p->go_version : S("Go")));
	if (p->path.n)
		buf_addf(b, TR(", %.*s %.*s", "，%.*s %.*s"), SPAN_ARG(p->path), SPAN_ARG(p->main.version));
	if (revision.n)
		buf_addf(b, TR(", revision %.*s", "，版本 %.*s"), SPAN_ARG(span_head(revision, 12)));
	if (at.n)
		buf_addf(b, " %.*s", SPAN_ARG(at));
	if (span_eq(probe_setting(p, "vcs.modified"), S("true")))
		buf_adds(b, TR(", with uncommitted changes", "，含未提交的修改"));
}

static const char *disk_text(const struct process *p)
{
	switch (p->disk) {
	case DISK_SAME: return TR("the same file is there now", "现在仍是同一文件");
	case DISK_REWRITTEN: return TR("written anew since, with the same content", "之后被重写，内容相同");
	case DISK_REPLACED:
		return TR("replaced since: another build is there now", "之后被替换：现在是另一个构建");
	case DISK_GONE: return TR("gone since", "之后被删除");
	default: return p->disk_why ? p->disk_why : p->why ? p->why : TR("not known", "未知");
	}
}

static void say_start(const struct process *p, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char at[32], since[24];

	if (!p->started)
		return;
	time_rfc3339(p->started, at);
	duration_text(time_wall() - p->started, since);
	buf_addf(&text, TR("%s, %s ago", "%s，%s 前"), at, since);
	probe_line(b, t, TR("started", "启动"), buf_view(&text));
}

static void say_behind(const struct behind *k, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!k->own && !k->why)
		return;
	if (k->same)
		buf_addf(&text, TR("built from HEAD (%.12s)", "由 HEAD 构建（%.12s）"), k->head);
	else if (k->known && k->ancestor)
		buf_addf(&text, TR("%lld commits behind HEAD (%.12s)", "落后 HEAD %lld 个提交（%.12s）"),
			 (long long)k->commits, k->head);
	else if (k->known)
		buf_addf(&text, TR("not in the history of HEAD (%.12s)", "不在 HEAD（%.12s）的历史中"),
			 k->head);
	else
		buf_adds(&text, k->why);
	probe_line(b, t, TR("tree", "源代码"), buf_view(&text));
}

static void say_ports(const struct process *p, bool labelled, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	for (size_t i = 0; i < p->n_ports; i++)
		buf_addf(&text, "%s%s", i ? " " : "", p->ports[i].address);
	if (p->ports_unread)
		buf_adds(&text, TR("not readable", "无法读取"));
	if (labelled)
		probe_line(b, t, TR("listens", "监听"), buf_view(&text));
	else
		buf_span(b, buf_view(&text));
}

static void say_process(const struct process *p, const struct behind *k, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_addf(&text, TR("process %d", "进程 %d"), p->pid);
	say_paint(b, t, PAINT_BOLD, buf_str(&text));
	buf_adds(b, TR(": ", "："));
	say_clean(b, span_of(p->command ? p->command : p->exe ? p->exe : "?"));
	buf_addc(b, '\n');
	say_start(p, t, b);
	buf_clear(&text);
	buf_addf(&text, "%s (%s)", p->exe ? p->exe : "?", disk_text(p));
	probe_line(b, t, TR("executable", "可执行文件"), buf_view(&text));
	buf_clear(&text);
	if (p->image)
		add_build(&text, p->image);
	probe_line(b, t, TR("runs", "正在运行"), buf_view(&text));
	buf_clear(&text);
	if (p->file && p->disk == DISK_REPLACED)
		add_build(&text, p->file);
	probe_line(b, t, TR("there now", "现在的文件"), buf_view(&text));
	say_behind(k, t, b);
	if (p->image)
		probe_line(b, t, TR("build ID", "构建 ID"), p->image->probe.build_id);
	say_ports(p, true, t, b);
	probe_line(b, t, "cgroup", span_of(p->cgroup));
	buf_clear(&text);
	for (size_t i = 0; i < p->env.n; i++)
		buf_addf(&text, "%s%s", i ? " " : "", p->env.v[i]);
	if (p->env_unread)
		buf_adds(&text, TR("not readable", "无法读取"));
	else if (!p->env.n && p->image && probe_setting(&p->image->probe, "DefaultGODEBUG").n)
		buf_addf(&text,
			 TR("nothing of Go's; built with DefaultGODEBUG=%.*s",
			    "没有 Go 的变量；构建时 DefaultGODEBUG=%.*s"),
			 SPAN_ARG(probe_setting(&p->image->probe, "DefaultGODEBUG")));
	probe_line(b, t, TR("environment", "环境变量"), buf_view(&text));
	if (p->elsewhere)
		probe_line(b, t, TR("container", "容器"),
			   span_of(TR("its root is another than ours: paths are those in it",
				      "其根目录与本机不同：路径均为其中的路径")));
}

static void say_row(const struct process *p, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	static const enum paint paints[] = { PAINT_DIM, PAINT_NONE, PAINT_NONE, PAINT_RED, PAINT_YELLOW };
	char since[24] = "?";

	if (p->started)
		duration_text(time_wall() - p->started, since);
	buf_addf(b, "%8d  %8s  ", p->pid, since);
	say_paint(b, t, paints[p->disk], disk_state_word(p->disk));
	say_pad(b, 10 - strlen(disk_state_word(p->disk)));
	if (p->image)
		add_build(&text, p->image);
	say_clean(b, buf_view(&text));
	buf_adds(b, "  ");
	say_clean(b, span_of(p->exe));
	if (p->n_ports)
		buf_adds(b, "  ");
	say_ports(p, false, t, b);
	buf_addc(b, '\n');
}

static void all_text(void *ctx, const struct term *t, struct buf *b)
{
	struct asking *k = ctx;

	for (size_t i = 0; i < k->ps.n && !k->a->all; i++) {
		say_process(&k->ps.v[i], &k->behind[i], t, b);
		buf_addc(b, '\n');
	}
	if (!k->a->all)
		return;
	if (k->ps.n)
		buf_addf(b, "%8s  %8s  %-10s%s\n", "PID", TR("for", "运行"), TR("file", "文件"),
			 TR("build, executable, ports", "构建、可执行文件、端口"));
	for (size_t i = 0; i < k->ps.n; i++)
		say_row(&k->ps.v[i], t, b);
	if (!k->ps.n)
		buf_addf(b, "%s\n",
			 TR("no Go process is running here, or none that may be read",
			    "没有正在运行的 Go 进程，或均无权读取"));
}

/* ---- what is asked ---- */

/* The tree that the program is of: as --against says, else where we are, when its module is that. */
static const char *tree_for(const struct asking *k, const struct process *p)
{
	CLEANUP(mod_tree_close) struct mod_tree mods = { 0 };
	const struct probe *b = p->image ? &p->image->probe : NULL;
	const char *ret = NULL;

	if (k->a->tree || !b || !b->main.path.n)
		return k->a->tree;
	if (k->a->all || mod_tree_open(NULL, NULL, &mods, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < mods.n; i++) {
		if (span_eq(mods.members[i].mod.module, b->main.path))
			ret = ".";
	}
	return ret;
}

/* What was asked of one process. Of one that cannot be read nothing holds, and nobody may believe that it does. */
static int look_at(struct asking *k, const struct process *p, struct behind *behind, struct err *e)
{
	const char *tree = tree_for(k, p);
	bool asked = k->a->expect->n || (k->a->tree && !k->a->all);
	int r = 0;

	process_judge(p, k->r);
	if (asked && (!p->image || p->image->failed))
		return err_set(e, EACCES,
			       TR("the executable of process %d cannot be read: %s",
				  "无法读取进程 %d 的可执行文件：%s"),
			       p->pid,
			       p->why                      ? p->why
			       : p->image && p->image->why ? p->image->why
							   : "");
	if (!p->image)
		return 0;
	if (tree && p->image->probe.go)
		against_behind(&p->image->probe, tree, &k->ps.mem, behind);
	if (k->a->expect->n)
		r = expect_judge(k->a->expect, &p->image->probe, k->r, e);
	if (r == 0 && k->a->tree && !k->a->all)
		r = against_tree(&p->image->probe, k->a->tree, &k->changes, k->r, e);
	return r;
}

static int look(struct asking *k, struct err *e)
{
	int r = 0;

	k->behind = mem_zalloc((k->ps.n + 1) * sizeof(*k->behind));
	if (!k->behind)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	for (size_t i = 0; i < k->ps.n && r == 0; i++)
		r = look_at(k, &k->ps.v[i], &k->behind[i], e);
	return r;
}

static int gather(struct asking *k, struct err *e)
{
	const struct process_ask *a = k->a;
	struct process_options o = { .go_only = a->all,
				     .whole = a->expect->n || a->view.functions || a->view.lists || a->tree,
				     .port = a->port };
	struct process *p;

	if (a->pid)
		return process_read(&k->ps, a->pid, &o, &p, e);
	int r = process_read_all(&k->ps, &o, e);
	if (r == 0 && a->port && !k->ps.n)
		return err_set(e, ENOENT,
			       TR("no process that may be read listens on TCP port %d",
				  "没有可读取的进程在监听 TCP 端口 %d"),
			       a->port);
	return r;
}

static void say_limits(struct asking *k)
{
	struct span text = { 0 };

	if (k->ps.unread)
		text = report_text(k->r,
				   TR("processes that may not be read: %zu; root sees more",
				      "无权读取的进程：%zu 个；root 可以看到更多"),
				   k->ps.unread);
	if (text.p)
		list_add(&k->r->mem, &k->r->limits, text.p);
}

int probe_processes(const struct process_ask *a)
{
	struct asking k = { .a = a };
	struct checked out = { .schema = "tocsin.probe/1",
			       .modules = -1,
			       .packages = -1,
			       .files = -1,
			       .bytes = -1,
			       .json = all_json,
			       .before = all_text,
			       .ctx = &k };
	struct err e = { 0 };

	k.r = &out.report;
	int r = gather(&k, &e);
	if (r == 0)
		r = look(&k, &e);
	if (r < 0) {
		report_free(&out.report);
		r = fail(r, &e);
	} else {
		say_limits(&k);
		out.quiet = !a->expect->n && !a->tree;
		out.fine = a->expect->n ? TR("as expected", "符合预期")
					: TR("no difference from the source tree, as far as can be told",
					     "在可知范围内与源代码没有差异");
		r = checked_end(&out, a->checked);
	}
	changes_free(&k.changes);
	mem_free(k.behind);
	processes_free(&k.ps);
	return r;
}
