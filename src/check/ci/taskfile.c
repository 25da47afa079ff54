#include "base/mem.h"
#include "base/path.h"
#include "check/ci/interp.h"
#include "check/ci/mapped.h"
#include "check/ci/ytree.h"

/* A Taskfile: each command runs on its own with -e; who calls whom. */

struct tasks {
	struct lint_file *f;
	struct ytree y;
	struct span dir;
	struct interp shell;
	const struct ynode *includes;
};
struct task { /* the one that is looked at */
	const struct ynode *node;
	struct span name, unit, cwd;
	struct interp shell;
	bool ignored;
	struct shell_told first; /* of its commands, the first that matters */
	struct span lost;        /* a unit that leads to all that its commands lead to; absent: not needed */
};

static struct span unit_of(struct tasks *t, struct span dir, struct span name)
{
	return lint_text(t->f, "task:%.*s:%.*s", SPAN_ARG(dir), SPAN_ARG(name));
}

/* dir and path below it; "*": not known. */
static struct span below(struct tasks *t, struct span dir, struct span path)
{
	if (!path.n || span_eq(path, S(".")))
		return dir;
	if (*path.p == '/' || span_find(path, S("{{")) != SPAN_NONE || span_find(path, S("..")) != SPAN_NONE)
		return S("*");
	while (span_skip(&path, S("./")))
		;
	return dir.n ? lint_text(t->f, "%.*s/%.*s", SPAN_ARG(dir), SPAN_ARG(path)) : path;
}

/* The folder of the Taskfile that is included as `name`; absent: there is none. */
static struct span included(struct tasks *t, struct span name)
{
	const struct ynode *n = yfind_span(&t->y, t->includes, name);
	struct span path = ytext(&t->y, n);

	if (!n)
		return (struct span){ 0 };
	if (!path.p)
		path = yget_text(&t->y, yreal(&t->y, n), "taskfile");
	if (span_ends(path, S(".yml")) || span_ends(path, S(".yaml")))
		path = path_dir(path);
	return below(t, t->dir, path);
}

/* NAME of this file, INCLUDE:NAME of another. */
static struct span called(struct tasks *t, struct span name)
{
	size_t colon = span_chr(name, ':');
	struct span dir = colon == SPAN_NONE || colon == 0 ? (struct span){ 0 }
							   : included(t, span_head(name, colon));

	return dir.p ? unit_of(t, dir, span_from(name, colon + 1)) : unit_of(t, t->dir, name);
}

static void calls(struct tasks *t, struct task *k, struct span name, bool ignored, const struct ynode *at)
{
	if (!name.n || span_find(name, S("{{")) != SPAN_NONE)
		return;
	struct span unit = called(t, name);
	lint_fact(t->f, FACT_RUNS, at->from, at->to, k->unit, unit, S(""));
	if (k->lost.p && ignored)
		lint_fact(t->f, FACT_RUNS, at->from, at->to, k->lost, unit, S(""));
}

/* {{…}} becomes `_`. */
static void mask_templates(struct mapped *m)
{
	struct span all = buf_view(&m->text);

	for (size_t at = 0, from; (from = span_find(span_from(all, at), S("{{"))) != SPAN_NONE;) {
		size_t end = span_find(span_from(all, at + from), S("}}"));
		if (end == SPAN_NONE)
			return;
		memset(m->text.p + at + from, '_', end + 2);
		at += from + end + 2;
	}
}

static void read_set(struct tasks *t, const struct ynode *map, struct interp *shell)
{
	for (const struct ynode *n = yfirst(&t->y, yget(&t->y, map, "set")); n; n = n->next) {
		struct span word = ytext(&t->y, n);
		if (span_eq(word, S("pipefail")))
			shell->pipefail = SHELL_ON;
	}
}

static void say_ignored(struct tasks *t, const struct ynode *flag, struct span what, struct span unit)
{
	if (!flag->key)
		return;
	struct lint_finding *x = lint_say(t->f, RULE_M06, flag->key->from, flag->to, what);
	if (x && unit.p)
		x->unit = unit;
}

static struct span short_text(struct tasks *t, const struct shell_told *told, struct span text)
{
	struct span what = told->watched && told->to > told->from && told->to <= t->f->text.n
				   ? (struct span){ t->f->text.p + told->from, told->to - told->from }
				   : text;
	struct span rest = span_trim(what);

	return span_head(span_trim(span_cut(&rest, '\n')), 80);
}

static void run(struct tasks *t, struct task *k, const struct ynode *cmd, const struct ynode *own)
{
	CLEANUP(mapped_free) struct mapped text = { 0 };
	const struct ynode *flag = yfind(&t->y, own, "ignore_error");
	bool ignored = flag && ytrue(&t->y, yreal(&t->y, flag));
	struct interp shell = k->shell;
	struct shell_told told = { 0 };

	ytext_into(&text, &t->y, cmd);
	mask_templates(&text);
	read_set(t, own, &shell);
	struct span copy = mapped_keep(t->f, &text);
	if (!copy.n)
		return;
	shell_check(t->f, copy,
		    &(struct shell_run){ .shell = SHELL_BASH,
					 .place = SHELL_TASK,
					 .errexit = SHELL_ON,
					 .pipefail = shell.pipefail,
					 .cwd = k->cwd,
					 .unit = k->unit,
					 .pieces = text.pieces,
					 .n_pieces = text.n,
					 .ignored = ignored || k->ignored },
		    &told);
	if (told.watched && !k->first.watched)
		k->first = told;
	for (size_t i = 0; i < told.n_units && k->lost.p; i++)
		lint_fact(t->f, FACT_RUNS, cmd->from, cmd->to, k->lost, told.units[i], S(""));
	if (ignored && (told.watched || told.n_units))
		say_ignored(t, flag, short_text(t, &told, copy),
			    told.watched ? (struct span){ 0 } : told.units[0]);
}

static void look_cmd(struct tasks *t, struct task *k, const struct ynode *n)
{
	const struct ynode *real = yreal(&t->y, n);

	if (yis(&t->y, real, YSCALAR)) {
		run(t, k, real, NULL);
		return;
	}
	const struct ynode *cmd = yget(&t->y, real, "cmd"), *flag = yfind(&t->y, real, "ignore_error");
	struct span name = yget_text(&t->y, real, "task");
	if (cmd)
		run(t, k, cmd, real);
	if (!name.n)
		return;
	bool ignored = flag && ytrue(&t->y, yreal(&t->y, flag));
	calls(t, k, name, true, real);
	if (ignored && span_find(name, S("{{")) == SPAN_NONE)
		say_ignored(t, flag, lint_text(t->f, "task: %.*s", SPAN_ARG(name)), called(t, name));
}

static void look_task(struct tasks *t, const struct ynode *value)
{
	const struct ynode *real = yreal(&t->y, value), *map = yis(&t->y, real, YMAP) ? real : NULL;
	const struct ynode *cmds = map ? yget(&t->y, map, "cmds") : real,
			   *flag = yfind(&t->y, map, "ignore_error");
	struct task k = { .node = value, .name = ykey(&t->y, value), .shell = t->shell };

	if (!k.name.n)
		return;
	k.unit = unit_of(t, t->dir, k.name);
	k.cwd = below(t, t->dir, yget_text(&t->y, map, "dir"));
	k.ignored = flag && ytrue(&t->y, yreal(&t->y, flag));
	if (k.ignored)
		k.lost = unit_of(t, t->dir, lint_text(t->f, "%.*s#lost", SPAN_ARG(k.name)));
	read_set(t, map, &k.shell);
	lint_fact(t->f, FACT_UNIT, value->key->from, value->key->to, k.unit, S(""), S(""));
	for (const struct ynode *n = yfirst(&t->y, yget(&t->y, map, "deps")); n; n = n->next) {
		struct span name = ytext(&t->y, n);
		calls(t, &k, name.p ? name : yget_text(&t->y, yreal(&t->y, n), "task"), false, n);
	}
	if (map && yget(&t->y, map, "cmd"))
		look_cmd(t, &k, yget(&t->y, map, "cmd"));
	if (yis(&t->y, cmds, YSCALAR))
		look_cmd(t, &k, cmds);
	else
		for (const struct ynode *n = yfirst(&t->y, cmds); n; n = n->next)
			look_cmd(t, &k, n);
	if (k.ignored)
		say_ignored(t, flag, short_text(t, &k.first, lint_text(t->f, "task %.*s", SPAN_ARG(k.name))),
			    k.first.watched ? (struct span){ 0 } : k.lost);
}

void taskfile_check(struct lint_file *f)
{
	struct tasks t = { .f = f };
	struct span dir = path_dir(span_of(f->path));

	t.dir = span_eq(dir, S(".")) ? S("") : dir;
	if (!ytree_of(f, &t.y))
		return;
	const struct ynode *root = yreal(&t.y, t.y.docs);
	const struct ynode *tasks = yget(&t.y, root, "tasks");
	t.includes = yget(&t.y, root, "includes");
	read_set(&t, root, &t.shell);
	lint_fact(f, FACT_RUNS, 0, 0, unit_of(&t, t.dir, S("")), unit_of(&t, t.dir, S("default")), S(""));
	for (const struct ynode *n = yis(&t.y, tasks, YMAP) ? yfirst(&t.y, tasks) : NULL; n && !f->bad;
	     n = n->next)
		look_task(&t, n);
	ytree_end(f, &t.y);
}
