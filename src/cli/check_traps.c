#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "check/registration.h"
#include "check/traps.h"
#include "cli/checking.h"
#include "cli/cmd.h"
#include "cli/say.h"

/*
 * Traps are looked for in more than `./...` sees: in folders that it passes over, and in scripts beside the source. So the tree is read once
 * more, all of it.
 */
static int choose(const struct src_tree *tree, const struct activation *a, struct selection *sels,
		  struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < a->env.n && r == 0; i++)
		r = select_files(tree, &a->env.targets[i], &sels[i], e);
	return r;
}

int activation_traps(const struct activation *a, const char *dir, const char *ldflags, struct report *report,
		     struct err *e)
{
	const struct src_options o = { .skipped = true,
				       .others = true,
				       .work = a->env.work,
				       .flags = a->env.flags,
				       .go = a->env.n ? a->env.targets[0].go : 0,
				       .mod = a->env.mod };
	CLEANUP(src_tree_free) struct src_tree tree = { 0 };
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct selection *sels = arena_alloc(&mem, (a->env.n + 1) * sizeof(*sels));
	int r = sels ? src_tree_read(dir, &o, &tree, e) : err_set(e, ENOMEM, TR("no memory", "内存不足"));

	if (r < 0)
		return r;
	r = choose(&tree, a, sels, e);
	if (r == 0) {
		struct traps t = { .tree = &tree,
				   .env = &a->env,
				   .selections = sels,
				   .n = a->env.n,
				   .ldflags = ldflags,
				   .prefix = a->prefix,
				   .report = report };
		r = check_traps(&t, e);
	}
	for (size_t i = 0; i < a->env.n; i++)
		selection_free(&sels[i]);
	return r;
}

/* ---- the rules, for reading ---- */

/* What is filled in for each finding stands for itself. */
static void write_open(struct buf *b, const char *text)
{
	for (const char *p = text; *p; p++) {
		bool hole = p[0] == '{' && p[1] >= '0' && p[1] <= '9' && p[2] == '}';
		buf_add(b, hole ? "…" : p, hole ? sizeof("…") - 1 : 1);
		p += hole ? 2 : 0;
	}
}

static void write_rule(struct buf *text, const struct term *t, const char *id, const char *severity,
		       const char *cause, struct tx what, struct tx fix)
{
	CLEANUP(buf_free) struct buf line = { 0 };
	size_t width = t->tty ? t->width : SIZE_MAX;

	say_paint(text, t, PAINT_BOLD, id);
	buf_addf(text, "  %s, %s\n", severity, cause);
	say_pad(text, 4);
	say_wrap(text, span_of(tx(what)), 4, 4, width);
	buf_addc(text, '\n');
	say_pad(text, 4);
	buf_adds(text, "→ ");
	write_open(&line, tx(fix));
	text->bad |= line.bad;
	say_wrap(text, buf_view(&line), 6, 6, width);
	buf_addc(text, '\n');
}

int activation_rules(void)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct term t;

	term_open(&t, STDOUT_FILENO);
	for (size_t i = 0; i < trap_rule_count; i++) {
		const struct trap_rule *r = &trap_rules[i];
		write_rule(&text, &t, r->id, severity_word(r->severity), cause_table[r->cause].id, r->what,
			   r->fix);
	}
	for (size_t i = 0; i < REGISTER_RULES; i++)
		write_rule(&text, &t, register_rules[i].id, severity_word(SEV_NOTE),
			   cause_table[CAUSE_ACT_UNREGISTERED].id, register_rules[i].what,
			   register_rules[i].fix);
	term_flush(&t, &text);
	return t.dead && !t.gone ? EXIT_OWN : EXIT_OK;
}
