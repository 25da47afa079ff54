#include "cli/audit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/fault.h"

const char *const audit_words[] = {
	[AUDIT_CAME_BACK] = "came_back",     [AUDIT_MISSING] = "missing",       [AUDIT_NOT_GREEN] = "not_green",
	[AUDIT_NOT_RUN] = "not_run",         [AUDIT_UNREADABLE] = "unreadable", [AUDIT_OTHER_FAULT] = "other_fault",
	[AUDIT_UNDEFENDED] = "undefended",   [AUDIT_UNVERIFIED] = "unverified", [AUDIT_AMBIGUOUS] = "ambiguous",
	[AUDIT_UNKNOWN_FAULT] = "unknown_fault", [AUDIT_DUPLICATE] = "duplicate", [AUDIT_CACHED] = "cached",
	[AUDIT_KINDS] = NULL,
};

int audit_no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* As in the list: the test first, unless it is in the title. */
static const char *title_of(struct auditing *x, const struct fault *f)
{
	const char *title = f->title.p;

	if (f->test.n && span_find(f->title, f->test) == SPAN_NONE) {
		title = arena_printf(x->mem, TR("%.*s: %.*s", "%.*s：%.*s"), SPAN_ARG(f->test), SPAN_ARG(f->title));
		x->no_memory |= !title;
	}
	return title;
}

void audit_add(struct auditing *x, enum audit_kind kind, enum severity severity, const struct audit_fault *f, const struct audit_defence *d, const char *file,
	       int line, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct audit *a = x->a;
	struct audit_finding n = { .kind = kind, .severity = severity, .file = file, .line = line };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	n.message = text.bad ? NULL : arena_str(x->mem, buf_view(&text));
	if (f) {
		n.seq = f->f.seq;
		n.id = f->f.id.p;
		n.title = title_of(x, &f->f);
	}
	if (d) {
		n.defence = arena_printf(x->mem, "%s:%s", defence_words[d->kind], d->name);
		n.file = file ? file : d->file;
		n.line = file ? line : d->line;
		x->no_memory |= !n.defence;
	}
	if (!n.message || !mem_grow(&a->findings, &a->cap, a->n, sizeof(*a->findings))) {
		x->no_memory = true;
		return;
	}
	a->severities[severity]++;
	a->findings[a->n++] = n;
}

static int by_weight(const void *a, const void *b)
{
	const struct audit_finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	int r = strcmp(x->file ? x->file : "", y->file ? y->file : "");
	return r ? r : x->line != y->line ? x->line - y->line : strcmp(x->message, y->message);
}

/* ---- the faults ---- */

static int take_fault(void *ctx, const struct fault *f)
{
	struct auditing *x = ctx;
	struct audit *a = x->a;

	if (!mem_grow(&a->faults, &a->cap_faults, a->n_faults, sizeof(*a->faults)))
		return -ENOMEM;
	a->faults[a->n_faults] = (struct audit_fault){ 0 };
	return fault_copy(x->mem, f, &a->faults[a->n_faults++].f) ? 0 : -ENOMEM;
}

/* Resolved means done, and nothing keeps it so; regressed, that it came back once already. An open one is still being worked on. */
static void undefended(struct auditing *x, const struct audit_fault *f)
{
	static const struct tx words[FAULT_STATES] = {
		[FAULT_OPEN] = { "open, and nothing will keep it from coming back", "未解决，且没有防止复发的手段" },
		[FAULT_REGRESSED] = { "came back, and still has no defence", "已经复发，仍没有防御" },
		[FAULT_RESOLVED] = { "resolved, and nothing keeps it from coming back", "已解决，但没有防止复发的手段" },
	};

	if (f->promised || f->n || (x->c->since && f->f.last_seen < x->c->since))
		return;
	audit_add(x, AUDIT_UNDEFENDED, f->f.state == FAULT_OPEN ? SEV_WARNING : SEV_ERROR, f, NULL, NULL, 0, "%s", tx(words[f->f.state]));
}

/* ---- the time to repair ---- */

/* A repair belongs to the time in which it began. */
static void count_repairs(struct auditing *x, struct audit_fault *f)
{
	struct audit_repair *all = &x->a->repair, *r = &f->repair;

	for (size_t i = 0; f->defended && i < f->n_times; i++) {
		int64_t ns = f->times[i].end - f->times[i].begin;
		bool after = f->times[i].begin >= f->defended;
		*(after ? &r->after : &r->before) += ns;
		*(after ? &r->n_after : &r->n_before) += 1;
	}
	all->before += r->before;
	all->after += r->after;
	all->n_before += r->n_before;
	all->n_after += r->n_after;
}

/* ---- all of it ---- */

static int audit_fault(struct auditing *x, struct audit_fault *f, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < f->n && r >= 0; i++) {
		struct audit_defence *d = &f->defences[i];
		r = audit_defence(x, f, d, e);
		x->a->defences++;
		x->a->states[d->state]++;
		if (d->since && (!f->defended || d->since < f->defended))
			f->defended = d->since;
	}
	x->a->defended += f->n > 0;
	undefended(x, f);
	if (r >= 0 && f->n)
		r = audit_came_back(x, f, e);
	count_repairs(x, f);
	return r;
}

static int by_seq(const void *a, const void *b)
{
	const struct audit_fault *x = a, *y = b;

	return x->f.seq < y->f.seq ? -1 : x->f.seq > y->f.seq;
}

static int read_faults(struct auditing *x, struct err *e)
{
	const struct fault_filter q = { .state = "open,regressed,resolved", .project = x->c->project };

	int r = store_faults(x->c->s, &q, take_fault, x, e);
	if (x->a->n_faults)
		qsort(x->a->faults, x->a->n_faults, sizeof(*x->a->faults), by_seq);
	x->sorted = x->a->n_faults;
	return r == -ENOMEM ? audit_no_memory(e) : r;
}

int audit_run(const struct audit_config *c, struct arena *mem, struct audit *ret, struct err *e)
{
	struct auditing x = { .c = c, .a = ret, .mem = mem };

	*ret = (struct audit){ .mem = mem };
	gotree_open(c->root, &ret->tree);
	int r = read_faults(&x, e);
	if (r >= 0)
		r = audit_promises(&x, e);
	if (r >= 0 && ret->n_faults)
		qsort(ret->faults, ret->n_faults, sizeof(*ret->faults), by_seq);
	for (size_t i = 0; i < ret->n_faults && r >= 0; i++)
		r = audit_fault(&x, &ret->faults[i], e);
	if (r >= 0 && ret->tree.cut)
		ret->notes[ret->n_notes++] = TR("the tree has more folders than are looked at: a test may be there that was not found", "源码树过大，未能全部查看：未找到的测试可能仍然存在");
	if (r >= 0 && ret->tree.unread)
		ret->notes[ret->n_notes++] = TR("some of the tree cannot be read: a test may be there that was not found", "源码树中有无法读取的部分：未找到的测试可能仍然存在");
	if (r >= 0 && (x.no_memory || ret->tree.no_memory))
		r = audit_no_memory(e);
	if (r >= 0 && ret->n)
		qsort(ret->findings, ret->n, sizeof(*ret->findings), by_weight);
	return r < 0 ? r : 0;
}

void audit_free(struct audit *a)
{
	for (size_t i = 0; i < a->n_faults; i++) {
		mem_free(a->faults[i].defences);
		mem_free(a->faults[i].times);
	}
	gotree_close(&a->tree);
	mem_free(a->faults);
	mem_free(a->findings);
	*a = (struct audit){ 0 };
}
