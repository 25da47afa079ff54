#include <signal.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/view.h"

#define LABEL         11 /* columns of the labels on the left, with the two blanks before them */
#define EXCERPT_LINES 40
#define ALSO_MAX      12
#define NAMES_MAX     5

struct block {
	const struct report *r;
	const struct term *t;
	struct buf *b;
	size_t width;
};

static void label(struct block *k, const char *text)
{
	size_t w = text_width(span_of(text));

	buf_adds(k->b, "  ");
	say_paint(k->b, k->t, PAINT_BOLD, text);
	say_pad(k->b, w + 2 < LABEL ? LABEL - 2 - w : 1);
}

/* Our own or foreign text behind a label, wrapped. */
static void say_row(struct block *k, const char *name, struct span text)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	say_clean(&clean, text);
	label(k, name);
	say_wrap(k->b, buf_view(&clean), LABEL, LABEL, k->width);
	buf_addc(k->b, '\n');
}

static enum paint outcome_paint(enum outcome o)
{
	if (o == OUTCOME_PASSED)
		return PAINT_GREEN;
	return o == OUTCOME_NONE || o == OUTCOME_EMPTY || o == OUTCOME_UNSTABLE ? PAINT_YELLOW : PAINT_RED;
}

static void say_end(struct buf *b, const struct report *r)
{
	const char *sig = r->ending.how == END_SIGNAL ? sigabbrev_np(r->ending.sig) : NULL;
	char took[24];

	duration_text(r->duration_ns, took);
	if (!r->is_run)
		return;
	if (r->ending.how == END_SIGNAL)
		buf_addf(b, TR(" (%s, signal SIG%s)", "（%s，信号 SIG%s）"), took, sig ? sig : "?");
	else if (r->ending.how == END_NOT_STARTED)
		return;
	else if (r->ending.code == r->exit_code)
		buf_addf(b, TR(" (%s, exit status %d)", "（%s，退出码 %d）"), took, r->exit_code);
	else
		buf_addf(b, TR(" (%s, exit status %d, returned %d)", "（%s，退出码 %d，返回 %d）"), took,
			 r->ending.code, r->exit_code);
}

static void headline(struct block *k)
{
	CLEANUP(buf_free) struct buf rest = { 0 };
	const struct report *r = k->r;

	buf_adds(k->b, "tocsin: ");
	const char *title = r->outcome == OUTCOME_NONE && r->evidence ? r->evidence : outcome_title(r->outcome);
	say_paint(k->b, k->t, outcome_paint(r->outcome), title);
	if (r->summary && *r->summary) {
		buf_adds(&rest, TR(": ", "："));
		say_clean(&rest, span_of(r->summary));
	}
	say_end(&rest, r);
	if (k->t->tty)
		say_wrap(k->b, buf_view(&rest), 8 + text_width(span_of(title)), 2, k->width);
	else
		buf_span(k->b, buf_view(&rest));
	buf_addc(k->b, '\n');
}

static void place_text(const struct finding *f, struct buf *b)
{
	if (f->package.n)
		say_clean(b, f->package);
	if (f->test.n) {
		buf_adds(b, b->len ? " " : "");
		say_clean(b, f->test);
	}
	if (!f->file.n)
		return;
	buf_adds(b, b->len ? TR(", ", "，") : "");
	say_clean(b, f->file);
	if (f->line > 0)
		buf_addf(b, ":%d", f->line);
	if (f->line > 0 && f->column > 0)
		buf_addf(b, ":%d", f->column);
}

static void places(struct block *k, const struct finding *f)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (f->n_places < 2)
		return;
	buf_addf(&text, TR("%zu places:", "%zu 处："), f->n_places);
	for (size_t i = 0; i < f->n_places && i < NAMES_MAX; i++) {
		const struct place *p = &f->places[i];
		buf_addf(&text, "%s ", i ? "," : "");
		say_clean(&text, p->package.n ? p->package : p->file);
	}
	if (f->n_places > NAMES_MAX)
		buf_adds(&text, ", …");
	say_row(k, TR("spread", "波及"), buf_view(&text));
}

static void excerpt(struct block *k, struct span text)
{
	CLEANUP(buf_free) struct buf lines = { 0 };

	say_lines(&lines, text, 0, EXCERPT_LINES);
	for (struct span rest = buf_view(&lines); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		say_pad(k->b, LABEL);
		say_paint(k->b, k->t, PAINT_DIM, "|");
		if (line.n)
			buf_addc(k->b, ' ');
		buf_span(k->b, line);
		buf_addc(k->b, '\n');
	}
}

static void cause_row(struct block *k, const struct finding *f)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct cause_info *c = &cause_table[f->cause];

	buf_addf(&text, "%s%s%s", c->id ? c->id : "?", TR(": ", "："), tx(c->mean));
	say_row(k,
		f->severity == SEV_ERROR     ? TR("cause", "原因")
		: f->severity == SEV_WARNING ? TR("warning", "警告")
					     : TR("note", "提示"),
		buf_view(&text));
}

static void advice_row(struct block *k, const struct finding *f)
{
	const char *own = tx(cause_table[f->cause].advice);

	if (f->advice.n)
		say_row(k, TR("to do", "建议"), f->advice);
	else if (own && *own)
		say_row(k, TR("to do", "建议"), span_of(own));
}

/* What the fault library says of it, and whose it is. */
static void fault_row(struct block *k, const struct finding *f)
{
	CLEANUP(buf_free) struct buf all = { 0 };

	if (f->fault.said)
		say_row(k, TR("fault", "故障"), span_of(f->fault.said));
	for (size_t i = 0; i < f->owners.n; i++)
		buf_addf(&all, "%s%s", i ? ", " : "", f->owners.v[i]);
	if (all.len)
		say_row(k, TR("owner", "负责人"), buf_view(&all));
}

/* Of a service: how often, and where more of it is. */
static void seen_row(struct block *k, const struct finding *f)
{
	if (f->count > 1) {
		label(k, TR("seen", "次数"));
		buf_addf(k->b, TR("%lld times\n", "%lld 次\n"), (long long)f->count);
	}
	if (f->snapshot)
		say_row(k, TR("snapshot", "快照"), span_of(f->snapshot));
}

static void primary(struct block *k, const struct finding *f)
{
	CLEANUP(buf_free) struct buf where = { 0 };
	CLEANUP(buf_free) struct buf command = { 0 };

	cause_row(k, f);
	place_text(f, &where);
	if (where.len)
		say_row(k, TR("where", "位置"), buf_view(&where));
	if (f->command.n) {
		say_argv(&command, &f->command);
		say_row(k, TR("command", "命令"), buf_view(&command));
	}
	/* The headline or the excerpt may say it already. */
	if (f->message.n && span_find(f->excerpt, f->message) == SPAN_NONE &&
	    !span_eq(f->message, span_of(k->r->summary)))
		say_row(k, TR("said", "内容"), f->message);
	excerpt(k, f->excerpt);
	places(k, f);
	seen_row(k, f);
	fault_row(k, f);
	advice_row(k, f);
}

static void also(struct block *k, const struct finding *f)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf where = { 0 };
	char mem[CAUSE_ID_MAX];
	const char *id = finding_cause_id(f, mem);

	buf_addf(&text, "%s%s",
		 f->severity == SEV_ERROR     ? ""
		 : f->severity == SEV_WARNING ? TR("warning ", "警告 ")
					      : TR("note ", "提示 "),
		 id ? id : "");
	place_text(f, &where);
	if (where.len)
		buf_addf(&text, " %s", buf_str(&where));
	buf_adds(&text, TR(": ", "："));
	if (f->message.n)
		buf_span(&text, span_head(f->message, 300));
	else
		buf_adds(&text, tx(cause_table[f->cause].mean));
	if (f->count > 1)
		buf_addf(&text, TR(", %lld times", "，%lld 次"), (long long)f->count);
	if (f->fault.said)
		buf_addf(&text, TR(" (%s)", "（%s）"), f->fault.said);
	if (f->snapshot)
		buf_addf(&text, TR("; snapshot %s", "；快照 %s"), f->snapshot);
	say_row(k, TR("also", "另有"), buf_view(&text));
}

static void findings(struct block *k)
{
	const struct report *r = k->r;
	size_t n = r->n_findings;

	if (n)
		primary(k, &r->findings[0]);
	for (size_t i = 1; i < n && i <= ALSO_MAX; i++)
		also(k, &r->findings[i]);
	if (n > ALSO_MAX + 1) {
		label(k, TR("also", "另有"));
		buf_addf(k->b, TR("%zu more findings (see --report)\n", "其他 %zu 项发现（见 --report）\n"),
			 n - ALSO_MAX - 1);
	}
}

/* Masked commands that no finding tells of. */
static void commands(struct block *k)
{
	for (size_t i = 0; i < k->r->n_findings; i++) {
		if (k->r->findings[i].cause == CAUSE_PIPE_MASKED)
			return;
	}
	for (size_t i = 0; i < k->r->n_commands; i++) {
		const struct nested *c = &k->r->commands[i];
		CLEANUP(buf_free) struct buf text = { 0 };
		if (!c->masked)
			continue;
		say_argv(&text, &c->argv);
		if (c->how == END_SIGNAL)
			buf_addf(&text, TR(": ended by signal %d", "：被信号 %d 终止"), c->sig);
		else
			buf_addf(&text, TR(": exit status %d", "：退出码 %d"), c->code);
		if (c->script) {
			buf_adds(&text, TR("; called by ", "；调用者 "));
			say_clean(&text, span_of(c->script));
		}
		say_row(k, TR("masked", "被掩盖"), buf_view(&text));
	}
}

static void processes(struct block *k)
{
	for (size_t i = 0; i < k->r->n_procs; i++) {
		const struct proc_note *p = &k->r->procs[i];
		CLEANUP(buf_free) struct buf text = { 0 };
		buf_addf(&text, TR("process %d (", "进程 %d（"), p->pid);
		say_clean(&text, span_of(p->command ? p->command : "?"));
		if (p->sig > 0)
			buf_addf(&text, TR(") was ended by signal %d", "）被信号 %d 终止"), p->sig);
		else
			buf_adds(&text, p->ended_by_us ? TR(") outlived the command; ended",
							    "）在命令结束后仍在运行，已结束它")
						       : TR(") outlived the command; still running",
							    "）在命令结束后仍在运行"));
		if (p->holds_output)
			buf_adds(&text, TR(", it holds the output open", "，它占着输出"));
		say_row(k, p->sig > 0 ? TR("killed", "被杀") : TR("left", "遗留"), buf_view(&text));
	}
}

static void attempts(struct block *k)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char took[24];

	if (k->r->n_attempts < 2)
		return;
	for (size_t i = 0; i < k->r->n_attempts; i++) {
		const struct attempt *a = &k->r->attempts[i];
		duration_text(a->duration_ns, took);
		buf_addf(&text, "%s%d %s", i ? TR("; ", "；") : "", a->n, outcome_title(a->outcome));
		if (cause_table[a->cause].id)
			buf_addf(&text, " %s", cause_table[a->cause].id);
		buf_addf(&text, " (%s)", took);
	}
	say_row(k, TR("tries", "尝试"), buf_view(&text));
}

/* Who served the modules. */
static void modules(struct block *k)
{
	const struct modules_report *m = k->r->module_story;

	if (!m)
		return;
	if (m->said)
		say_row(k, TR("modules", "模块"), span_of(m->said));
	if (m->proof)
		say_row(k, TR("proof", "证据"), span_of(m->proof));
}

static void slowest(struct block *k)
{
	char took[24];

	for (size_t i = 0; i < k->r->n_slowest && i < NAMES_MAX; i++) {
		const struct named_time *t = &k->r->slowest[i];
		CLEANUP(buf_free) struct buf text = { 0 };
		if (t->ns < NSEC_PER_SEC)
			break;
		duration_text(t->ns, took);
		buf_addf(&text, "%s ", took);
		say_clean(&text, t->package);
		buf_addc(&text, ' ');
		say_clean(&text, t->test);
		say_row(k, TR("slow", "较慢"), buf_view(&text));
	}
}

static void skipped(struct block *k)
{
	const struct report *r = k->r;
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!r->n_skipped)
		return;
	int64_t n = r->tests.skipped > 0 ? r->tests.skipped : (int64_t)r->n_skipped;
	buf_addf(&text, TR("%lld test%s:", "%lld 个测试%s："), (long long)n, TR(n == 1 ? "" : "s", ""));
	for (size_t i = 0; i < r->n_skipped && i < NAMES_MAX; i++) {
		buf_addf(&text, "%s ", i ? "," : "");
		say_clean(&text, r->skipped[i].test);
	}
	if (r->n_skipped > NAMES_MAX)
		buf_adds(&text, ", …");
	say_row(k, TR("skipped", "跳过"), buf_view(&text));
}

void verdict_print(const struct report *r, const struct format *f, const struct term *t, struct buf *ret)
{
	/* In a file long lines stay whole: they are searched for. */
	struct block k = { r, t, ret, !t->tty ? 200 : t->width > 120 ? 120 : t->width < 60 ? 60 : t->width };
	bool plain = r->outcome == OUTCOME_PASSED && !r->n_findings;

	if (plain && r->module_story && r->module_story->said && !f->quiet) {
		headline(&k);
		modules(&k);
		return;
	}
	if (plain && (f->quiet || (f->raw && r->is_run && !r->limits.n && !r->n_procs)))
		return;
	headline(&k);
	findings(&k);
	commands(&k);
	processes(&k);
	attempts(&k);
	modules(&k);
	if (f->slow) {
		slowest(&k);
		skipped(&k);
	}
	for (size_t i = 0; i < r->limits.n; i++)
		say_row(&k, TR("limit", "限制"), span_of(r->limits.v[i]));
	if (r->ending.why && !plain && r->ending.how != END_NOT_STARTED)
		say_row(&k, TR("proof", "依据"), span_of(r->ending.why));
	if (r->log_path)
		say_row(&k, TR("log", "日志"), span_of(r->log_path));
}
