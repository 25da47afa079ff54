/* The end of the run: which evidence counts, what is the root cause, what is the outcome. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "diagnose/state.h"
#include "parse/loglevel.h"

#define TOLD_MAX 64 /* unknown errors that are looked for in the excerpts of others */

/* The smaller, the more primary: security, host, what stopped the run, network and modules, build, then tests. */
static int cause_rank(enum cause c)
{
	static const struct {
		enum cause cause;
		int rank;
	} ranks[] = {
		{ CAUSE_PROC_NOT_FOUND, 9 }, { CAUSE_PROC_LOADER, 9 }, { CAUSE_PROC_NO_SPACE, 3 }, { CAUSE_PROC_TOO_MANY_FILES, 3 },
		{ CAUSE_PROC_READ_ONLY, 3 }, { CAUSE_PROC_OOM, 3 }, { CAUSE_PROC_KILLED, 4 }, { CAUSE_MOD_CHECKSUM, 1 },
		{ CAUSE_PIPE_MASKED, 0 }, { CAUSE_PROC_TIMEOUT, 0 }, { CAUSE_PROC_STALL, 0 },  { CAUSE_TEST_EXIT_MASKED, 8 },
		{ CAUSE_TEST_TIMEOUT, 20 }, { CAUSE_GO_DEADLOCK, 21 }, { CAUSE_GO_CONCURRENT_MAP, 21 },
		{ CAUSE_GO_STACK_OVERFLOW, 21 }, { CAUSE_GO_OUT_OF_MEMORY, 5 }, { CAUSE_GO_FATAL, 21 }, { CAUSE_GO_CGO_CRASH, 21 },
		{ CAUSE_GO_NIL_DEREF, 22 }, { CAUSE_GO_PANIC, 22 }, { CAUSE_TEST_PANIC, 22 }, { CAUSE_TEST_AFTER_END, 22 },
		{ CAUSE_TEST_RACE, 23 }, { CAUSE_TEST_IO_INCOMPLETE, 24 }, { CAUSE_TEST_EXIT, 25 }, { CAUSE_TEST_FUZZ, 26 },
		{ CAUSE_TEST_FAIL, 27 }, { CAUSE_TEST_UNFINISHED, 28 }, { CAUSE_PROC_SIGNAL, 29 }, { CAUSE_PROC_EXIT, 40 },
		{ CAUSE_PROC_LOG_FATAL, 39 },
	};
	const char *id = cause_table[c].id;

	for (size_t i = 0; i < ARRAY_LEN(ranks); i++) {
		if (ranks[i].cause == c)
			return ranks[i].rank;
	}
	return !strncmp(id, "mod.", 4) ? 10 : !strncmp(id, "build.", 6) ? 12 : !strncmp(id, "proc.", 5) ? 6 : 30;
}

static int finding_rank(const struct jfinding *f)
{
	return f->stops ? -1 : f->f.classes[0] == 'S' ? 1 : cause_rank(f->f.cause);
}

static bool is_error(const struct jfinding *f)
{
	return f->f.severity == SEV_ERROR;
}

static size_t count_errors(const struct judge *j)
{
	size_t n = 0;

	for (size_t i = 0; i < j->n_findings; i++)
		n += is_error(&j->findings[i]);
	return n;
}

static struct jfinding *primary(struct judge *j)
{
	struct jfinding *best = NULL;

	for (size_t i = 0; i < j->n_findings; i++) {
		struct jfinding *f = &j->findings[i];
		if (is_error(f) && (!best || finding_rank(f) < finding_rank(best) ||
				    (finding_rank(f) == finding_rank(best) && f->f.order < best->f.order)))
			best = f;
	}
	return best;
}

/* ---- what is still open ---- */

static void end_packages(struct judge *j, bool said_success)
{
	struct jpkg *p;
	size_t at = 0;

	while ((p = map_next(&j->packages, &at)))
		pkg_abandon(j, p, said_success);
}

static void end_unblamed(struct judge *j)
{
	struct span rest = buf_view(&j->unblamed);
	struct jfinding *alone = NULL;

	while (rest.n) {
		struct span name = span_cut(&rest, '\0');
		struct jfinding *known = primary(j);
		if (blame_build(j, name, false, (struct span){ 0 }) || alone)
			continue;
		if (known && cause_rank(known->f.cause) < 20) { /* a full disk, say: what broke the build is told */
			finding_place(j, known, name, (struct span){ 0 }, 0);
			continue;
		}
		alone = finding_new(j, CAUSE_BUILD_COMPILE, false);
		if (!alone)
			return;
		alone->f.package = arena_span(&j->mem, name);
		finding_line(j, &alone->f.message, span_of(TR("the package did not build; its diagnostics are not in this output",
							      "包构建失败，输出中没有诊断信息")));
	}
}

/* A package named on the command line (not by a pattern) that never showed up. */
static void check_requested(struct judge *j)
{
	struct span seen = buf_view(&j->requested_seen);

	for (size_t i = 0; j->cfg.packages && j->cfg.packages[i] && j->packages_seen; i++) {
		struct span want = span_of(j->cfg.packages[i]), rest = seen;
		bool found = span_find(want, S("...")) != SPAN_NONE || span_eq(want, S(".")) || span_starts(want, S("..")) ||
			     span_ends(want, S(".go")) || !want.n;
		while (span_skip(&want, S("./")))
			;
		while (want.n && want.p[want.n - 1] == '/')
			want.n--;
		while (!found && rest.n) {
			struct span name = span_cut(&rest, '\0');
			found = !want.n || span_eq(name, want) ||
				(span_ends(name, want) && name.n > want.n && name.p[name.n - want.n - 1] == '/');
		}
		if (found || want.p[0] == '/')
			continue;
		struct jfinding *f = finding_new(j, CAUSE_BUILD_PACKAGE, false);
		if (!f)
			return;
		f->f.severity = SEV_WARNING;
		buf_clear(&j->scratch);
		buf_addf(&j->scratch, TR("%s was asked for and never ran", "要求测试的 %s 没有运行"), j->cfg.packages[i]);
		finding_line(j, &f->f.message, buf_view(&j->scratch));
	}
}

/* ---- panics that --panics saw ---- */

static void stack_place(struct judge *j, struct jfinding *f, struct span stack)
{
	struct crash *c = mem_zalloc(sizeof(*c));
	bool open = false;

	if (!c)
		return;
	while (stack.n) {
		struct span line = span_cut(&stack, '\n');
		struct goline g;
		if (!open) {
			goline_read(S("panic: x"), &g);
			open = crash_begin(c, &g, S("panic: x"));
		}
		goline_read(line, &g);
		if (!crash_feed(c, &g, line))
			break;
	}
	const struct crash_frame *at = crash_place(c);
	if (at)
		finding_file(j, f, f->f.package, span_of(at->file), at->line);
	crash_free(c);
	mem_free(c);
}

static bool failed_anyway(const struct judge *j, const struct panic_note *p)
{
	for (size_t i = 0; i < j->n_findings; i++) {
		const struct finding *f = &j->findings[i].f;
		if (f->severity == SEV_ERROR && span_eq(f->package, p->package) && (!p->recovered || !p->test.n) &&
		    (f->cause == CAUSE_TEST_PANIC || f->cause == CAUSE_GO_PANIC || f->cause == CAUSE_GO_NIL_DEREF))
			return true;
	}
	return !p->recovered && count_errors(j);
}

static void end_panics(struct judge *j)
{
	for (size_t i = 0; i < j->n_panics; i++) {
		const struct panic_note *p = &j->panics[i];
		if (failed_anyway(j, p))
			continue;
		struct jfinding *f = finding_new(j, CAUSE_TEST_PANIC_SWALLOWED, false);
		if (!f)
			return;
		f->f.package = p->package.n ? p->package : (struct span){ 0 };
		f->f.test = p->test.n ? p->test : (struct span){ 0 };
		finding_line(j, &f->f.message, p->value);
		finding_text(j, &f->f.excerpt, p->stack);
		stack_place(j, f, p->stack);
	}
}

/* ---- nested commands ---- */

static bool nested_failed(const struct nested *n)
{
	return (n->how == END_EXIT && n->code != 0) || n->how == END_SIGNAL;
}

static bool can_be_masked(const struct nested *n)
{
	static const char *const subs[] = { "build", "test", "vet", "run", "generate", "install", "get", "mod", "work" };
	const char *sub = n->argv.n > 1 ? n->argv.v[1] : "";

	if (sub[0] == '-' && n->argv.n > 3 && !strcmp(sub, "-C"))
		sub = n->argv.v[3];
	if (!nested_failed(n) || n->below_test || n->allowed || n->recovered)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(subs); i++) {
		if (!strcmp(sub, subs[i]))
			return true;
	}
	return !strcmp(sub, "tool") && n->argv.n > 2 && !strcmp(n->argv.v[2], "vet");
}

/* The masked command's own evidence gives the place and the excerpt. */
static void explain_masked(struct judge *j)
{
	struct jfinding *best = NULL;

	for (size_t i = 0; i < j->n_findings; i++) {
		struct jfinding *f = &j->findings[i];
		if (is_error(f) && f->f.cause != CAUSE_PIPE_MASKED && (!best || finding_rank(f) < finding_rank(best)))
			best = f;
	}
	for (size_t i = 0; best && i < j->n_findings; i++) {
		struct finding *f = &j->findings[i].f;
		if (f->cause != CAUSE_PIPE_MASKED)
			continue;
		f->package = best->f.package;
		f->test = best->f.test;
		f->file = best->f.file;
		f->line = best->f.line;
		f->excerpt = best->f.excerpt;
	}
}

static bool end_nested(struct judge *j, const struct ending *end)
{
	bool success = end->how == END_EXIT && end->code == 0 && end->stop == STOP_NONE, any = false;

	for (size_t i = 0; i < j->n_nested; i++) {
		struct nested *n = &j->nested[i];
		if (!can_be_masked(n))
			continue;
		any = true;
		if (success)
			masked_add(j, n);
	}
	return any;
}

/* ---- words: do they count? ---- */

/* The command said success and nothing hard contradicts it: words are at most warnings. */
static void doubt_words(struct judge *j)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->n_findings; i++) {
		struct jfinding f = j->findings[i];
		bool printed = !f.from_test && f.f.line && (f.f.cause == CAUSE_GO_PANIC || f.f.cause == CAUSE_GO_NIL_DEREF);
		bool worth = printed || (f.from_test && (f.f.cause == CAUSE_TEST_EXIT_MASKED || f.f.cause == CAUSE_TEST_RACE ||
					     (f.f.cause == CAUSE_TEST_PANIC && f.f.line) || f.f.cause == CAUSE_TEST_FAIL));
		if (f.soft && f.f.severity == SEV_ERROR) {
			if (!worth)
				continue;
			if (f.f.cause == CAUSE_TEST_PANIC)
				f.f.cause = CAUSE_TEST_PANIC_SWALLOWED;
			if (printed)
				f.f.cause = CAUSE_GO_PANIC_RECOVERED;
			f.f.severity = SEV_WARNING;
		}
		j->findings[kept++] = f;
	}
	j->n_findings = kept;
}

/* ---- inner runs ---- */

static bool is_same(const struct finding *a, const struct finding *b)
{
	return a->cause == b->cause && span_eq(span_of(a->rule), span_of(b->rule)) && span_eq(a->package, b->package) && span_eq(a->test, b->test) &&
	       ((span_eq(a->file, b->file) && a->line == b->line) || span_eq(a->message, b->message));
}

/* "main.go:4:2: error [R01] …" looks like a compiler's line, and is what a lint told besides. */
static struct jfinding *retold(struct judge *j, const struct finding *told)
{
	for (size_t i = 0; told->cause == CAUSE_CHECK_RULE && i < j->n_findings; i++) {
		const struct finding *f = &j->findings[i].f;
		if (f->cause != told->cause && f->line == told->line && span_eq(f->file, told->file) && span_find(f->message, span_head(told->message, 80)) != SPAN_NONE)
			return &j->findings[i];
	}
	return NULL;
}

/* What an inner run found is evidence of ours; its text may have told it already. */
static void add_inner(struct judge *j)
{
	for (size_t i = 0; i < j->n_inner; i++) {
		const struct finding *told = &j->inner[i];
		bool known = false;
		for (size_t k = 0; k < j->n_findings && !known; k++)
			known = is_same(&j->findings[k].f, told);
		struct jfinding *f = known ? NULL : retold(j, told);
		if (!known && !f)
			f = finding_new(j, told->cause, true);
		if (!f)
			continue;
		int64_t order = f->f.order;
		const char *classes = f->f.classes;
		f->f = *told;
		f->f.order = order;
		f->f.classes = told->cause == CAUSE_CHECK_RULE ? cause_table[told->cause].classes : classes;
		f->from_test = told->test.n > 0;
	}
}

static bool is_unknown(const struct jfinding *f)
{
	return is_error(f) && f->f.cause == CAUSE_PROC_EXIT;
}

/* Is its text part of another finding's evidence? */
static bool is_told(const struct judge *j, const struct jfinding *f)
{
	for (size_t i = 0; f->f.message.n && i < j->n_findings; i++) {
		const struct jfinding *other = &j->findings[i];
		if (is_error(other) && other->f.cause != CAUSE_PROC_EXIT && span_find(other->f.excerpt, f->f.message) != SPAN_NONE)
			return true;
	}
	return false;
}

/* An error of the go command that no row knows is a cascade of the one that is known. */
static void fold_unknown(struct judge *j)
{
	bool known = false;
	size_t kept = 0, looked = 0;

	for (size_t i = 0; i < j->n_findings; i++)
		known |= is_error(&j->findings[i]) && j->findings[i].f.cause != CAUSE_PROC_EXIT;
	for (size_t i = 0; known && i < j->n_findings; i++) {
		if (is_unknown(&j->findings[i]) && looked++ < TOLD_MAX && is_told(j, &j->findings[i]))
			j->findings[i].f.cause = CAUSE_NONE;
	}
	for (size_t i = 0; i < j->n_findings; i++) {
		struct jfinding *f = &j->findings[i];
		if (f->f.cause == CAUSE_NONE)
			continue;
		if (known && is_unknown(f))
			f->f.severity = SEV_NOTE;
		j->findings[kept++] = *f;
	}
	j->n_findings = kept;
}

/* ---- how the process ended ---- */

static struct jfinding *proc_finding(struct judge *j, enum cause c, const char *message)
{
	struct jfinding *f = finding_new(j, c, false);

	if (f && message)
		finding_line(j, &f->f.message, span_of(message));
	return f;
}

static enum cause signal_cause(const struct ending *e)
{
	if (e->oom != OOM_NO)
		return CAUSE_PROC_OOM;
	return e->sig == SIGKILL || e->cpu_limit ? CAUSE_PROC_KILLED : CAUSE_PROC_SIGNAL;
}

static bool is_fault_signal(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGABRT || sig == SIGTRAP || sig == SIGSYS;
}

static const char *end_message(struct judge *j, const struct ending *e)
{
	char limit[24];
	const char *sig = sigabbrev_np(e->stop == STOP_SIGNAL && e->stop_sig ? e->stop_sig : e->sig), *desc = sigdescr_np(e->sig);

	duration_text(e->limit_ns, limit);
	if (e->stop == STOP_TIMEOUT)
		return arena_printf(&j->mem, TR("still running after the time limit of %s", "超过时间限制 %s 仍在运行"), limit);
	if (e->stop == STOP_STALL)
		return arena_printf(&j->mem, TR("no output and no progress for %s", "%s 内没有输出和进展"), limit);
	if (e->stop == STOP_SIGNAL)
		return arena_printf(&j->mem, TR("stopped by SIG%s", "被 SIG%s 停止"), sig ? sig : "?");
	if (e->why)
		return arena_str(&j->mem, span_of(e->why));
	return arena_printf(&j->mem, TR("ended by SIG%s (%s)", "被 SIG%s（%s）终止"), sig ? sig : "?", desc ? desc : "");
}

/* The inner processes that were killed: go itself says only "signal: killed". */
static void inner_killed(struct judge *j, const struct report *r)
{
	enum cause c = r->ending.oom != OOM_NO ? CAUSE_PROC_OOM : CAUSE_PROC_KILLED;
	bool told = false;

	for (size_t i = 0; i < j->n_findings; i++) {
		struct finding *f = &j->findings[i].f;
		if (f->cause == CAUSE_PROC_KILLED && f->severity == SEV_ERROR) {
			f->cause = c;
			f->classes = cause_table[c].classes;
			told = true;
		}
	}
	for (size_t i = 0; i < j->n_findings; i++)
		told |= is_error(&j->findings[i]) && j->findings[i].f.cause == CAUSE_TEST_TIMEOUT; /* go killed it itself */
	for (size_t i = 0; !told && i < r->n_procs; i++) {
		const struct proc_note *p = &r->procs[i];
		if (p->sig != SIGKILL || p->ended_by_us)
			continue;
		proc_finding(j, c, arena_printf(&j->mem, TR("process %d (%s) was killed", "进程 %d（%s）被杀死"), p->pid,
						p->command ? p->command : "?"));
		told = true;
	}
	if (!told && r->ending.oom == OOM_CERTAIN)
		proc_finding(j, c, r->ending.why ? arena_str(&j->mem, span_of(r->ending.why)) :
						   TR("a process of this run was killed for memory", "本次运行的进程因内存不足被杀死"));
}

/*
 * The run was stopped: what its processes said as they died of that (a goroutine dump, "signal: quit", a package
 * without reason) is the evidence of the stop, not a fault of its own.
 */
static void stopped(struct judge *j, enum cause c, const struct ending *e)
{
	struct jfinding *f = proc_finding(j, c, end_message(j, e));

	if (f)
		f->stops = true;
	for (size_t i = 0; f && i < j->n_findings; i++) {
		struct jfinding *d = &j->findings[i];
		enum cause k = d->f.cause;
		if (d == f || d->f.severity != SEV_ERROR ||
		    !(k == CAUSE_PROC_SIGNAL || k == CAUSE_PROC_KILLED || k == CAUSE_TEST_EXIT || k == CAUSE_PROC_EXIT ||
		      k == CAUSE_TEST_UNFINISHED))
			continue;
		d->f.severity = SEV_NOTE;
		if (!f->f.test.p && d->f.test.p)
			f->f.test = d->f.test;
		if (!f->f.package.p)
			f->f.package = d->f.package;
		if (!f->f.excerpt.p && d->f.line) {
			f->f.excerpt = d->f.excerpt;
			f->f.file = d->f.file;
			f->f.line = d->f.line;
		}
	}
}

static enum outcome process_outcome(struct judge *j, const struct report *r)
{
	const struct ending *e = &r->ending;

	if (e->how == END_NOT_STARTED) {
		proc_finding(j, e->start_cause ? e->start_cause : CAUSE_PROC_EXIT, e->why);
		return OUTCOME_NOT_STARTED;
	}
	if (e->stop == STOP_TIMEOUT || e->stop == STOP_STALL) {
		stopped(j, e->stop == STOP_TIMEOUT ? CAUSE_PROC_TIMEOUT : CAUSE_PROC_STALL, e);
		return e->stop == STOP_TIMEOUT ? OUTCOME_TIMED_OUT : OUTCOME_STALLED;
	}
	if (e->stop == STOP_SIGNAL) {
		stopped(j, CAUSE_PROC_SIGNAL, e);
		return OUTCOME_KILLED;
	}
	if (e->how == END_SIGNAL) {
		bool fault = is_fault_signal(e->sig), known = fault && count_errors(j);
		struct jfinding *f = known ? NULL : proc_finding(j, signal_cause(e), end_message(j, e));
		if (f)
			f->stops = true;
		return fault ? OUTCOME_CRASHED : OUTCOME_KILLED;
	}
	if (e->how == END_EXIT && e->code != 0)
		inner_killed(j, r);
	return OUTCOME_NONE;
}

/* ---- a failure that nothing above explains ---- */

static struct span last_line(struct span text)
{
	struct span best = { 0 };

	for (text = span_trim(text); text.n;) {
		size_t nl = span_rchr(text, '\n');
		best = nl == SPAN_NONE ? text : span_from(text, nl + 1);
		if (span_trim(best).n && !span_starts(span_trim(best), S("exit status")))
			return span_trim(best);
		text = span_head(text, nl == SPAN_NONE ? 0 : nl);
	}
	return best;
}

static struct text_ctx *last_words(struct judge *j) /* stderr first */
{
	static const enum stream order[] = { STREAM_ERR, STREAM_BOTH, STREAM_OUT };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct text_ctx *x = &j->text[order[i]];
		if (span_trim(buf_view(&x->tail)).n && !(j->cfg.json_out && order[i] == STREAM_OUT))
			return x;
	}
	return NULL;
}

static bool said_not_found(struct judge *j, int code)
{
	for (int i = 0; i < 3 && code == 127; i++) {
		struct text_ctx *x = &j->text[i];
		const char *line = x->loader[0] ? x->loader : x->not_found;
		if (!line[0])
			continue;
		proc_finding(j, x->loader[0] ? CAUSE_PROC_LOADER : CAUSE_PROC_NOT_FOUND, line);
		return true;
	}
	return false;
}

struct span text_logged_fatal(struct span text)
{
	CLEANUP(buf_free) struct buf plain = { 0 }, said = { 0 };
	struct span best = { 0 };

	while (text.n) {
		struct span line = span_cut(&text, '\n'), shown = line;
		buf_clear(&plain);
		buf_clear(&said);
		if (line.n && memchr(line.p, 0x1b, line.n) && ansi_strip(line, &plain))
			shown = buf_view(&plain);
		if (loglevel_read(span_trim(shown), &said) == LEVEL_FATAL)
			best = line;
	}
	return best;
}

static void unexplained_exit(struct judge *j, const struct ending *e)
{
	struct text_ctx *x = last_words(j);
	struct span text = x ? buf_view(&x->tail) : (struct span){ 0 };

	if (said_not_found(j, e->code))
		return;
	if (text.n > TAIL_MAX)
		text = span_from(text, tail_cut(text, text.n - TAIL_MAX));
	const struct cause_match *m = match_text(j->match, text, IN_ANY);
	struct span fatal = m ? (struct span){ 0 } : text_logged_fatal(text);
	struct jfinding *f = finding_new(j, m ? m->cause : fatal.n ? CAUSE_PROC_LOG_FATAL : CAUSE_PROC_EXIT, false);
	if (!f)
		return;
	if (m) {
		f->f.classes = m->classes;
		f->f.advice = span_of(m->advice.en ? tx(m->advice) : NULL);
	}
	struct span line = fatal.n ? span_trim(fatal) : last_line(text);
	buf_clear(&j->scratch);
	if (j->is_go_test && j->packages_seen && !j->packages_failed)
		buf_addf(&j->scratch, TR("exit status %d, although no test, package or build failed", "退出码 %d，但没有测试、包或构建失败"), e->code);
	else
		buf_addf(&j->scratch, TR("exit status %d", "退出码 %d"), e->code);
	if (line.n)
		buf_addf(&j->scratch, ": %.*s", (int)(line.n > 300 ? 300 : line.n), line.p);
	finding_line(j, &f->f.message, buf_view(&j->scratch));
	CLEANUP(buf_free) struct buf ends = { .max = OUT_MAX * 2 };
	if (x && text_ends(x, text, EXCERPT_MAX, &ends))
		text = buf_view(&ends);
	excerpt_make(j, text, EXCERPT_ENDS, &f->f.excerpt);
}

/* ---- outcome ---- */

static bool none_ran(const struct judge *j)
{
	if (j->truly_run || j->packages_failed)
		return false;
	if (j->packages_seen)
		return j->packages_no_tests + j->packages_no_files >= j->packages_seen;
	return j->no_packages_to_test;
}

static enum outcome failure_outcome(const struct jfinding *f)
{
	bool go = f && !strncmp(cause_table[f->f.cause].id, "go.", 3);

	return go && !f->from_test ? OUTCOME_CRASHED : OUTCOME_FAILED;
}

static enum outcome success_outcome(struct judge *j, bool complete)
{
	if (!none_ran(j))
		return complete ? OUTCOME_PASSED : OUTCOME_NONE;
	bool told = false;
	for (size_t i = 0; i < j->n_findings; i++)
		told |= j->findings[i].f.cause == CAUSE_TEST_EMPTY;
	if (!told) {
		struct jfinding *f = finding_new(j, CAUSE_TEST_EMPTY, false);
		if (f)
			finding_line(j, &f->f.message, span_of(j->skipped_tests ? TR("every test was skipped", "所有测试都被跳过") :
									  TR("tests were asked for and none ran", "要求运行测试，但一个也没有运行")));
	}
	return OUTCOME_EMPTY;
}

static bool is_fault_name(const char *signal)
{
	static const char *const names[] = { "segmentation", "bus error", "abort", "illegal", "floating", "trace", "bad system" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strncmp(signal, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

/* go run says "signal: killed" of the program it ran, and leaves with 1. */
static bool said_signal(struct judge *j)
{
	struct jfinding *best = primary(j);
	bool killed = best && (best->f.cause == CAUSE_PROC_KILLED || best->f.cause == CAUSE_PROC_OOM);

	if (!j->signal_seen[0] || j->packages_seen || (best && !killed))
		return false;
	if (killed)
		return true;
	buf_clear(&j->scratch);
	buf_addf(&j->scratch, TR("the program was ended by a signal: %s", "程序被信号终止：%s"), j->signal_seen);
	proc_finding(j, !strncmp(j->signal_seen, "killed", 6) ? CAUSE_PROC_KILLED : CAUSE_PROC_SIGNAL, buf_str(&j->scratch));
	return true;
}

static enum outcome decide(struct judge *j, struct report *r)
{
	const struct ending *e = &r->ending;

	if (j->cfg.explain) {
		struct jfinding *f = primary(j);
		return f ? failure_outcome(f) : success_outcome(j, j->packages_seen > 0 && !j->packages.count);
	}
	enum outcome o = process_outcome(j, r);
	if (o != OUTCOME_NONE)
		return o;
	if (e->how == END_EXIT && e->code == 0)
		return count_errors(j) ? OUTCOME_MASKED : success_outcome(j, true);
	if (said_signal(j))
		return is_fault_name(j->signal_seen) ? OUTCOME_CRASHED : OUTCOME_KILLED;
	if (!count_errors(j))
		unexplained_exit(j, e);
	return failure_outcome(primary(j));
}

static bool is_suspicion(const struct jfinding *f)
{
	return f->f.severity == SEV_WARNING && f->f.cause != CAUSE_TEST_EMPTY && f->f.cause != CAUSE_TEST_UNSTABLE;
}

static enum outcome apply_strict(struct judge *j, enum outcome o)
{
	if (!j->cfg.strict || o != OUTCOME_PASSED)
		return o;
	for (size_t i = 0; i < j->n_findings; i++) {
		if (!is_suspicion(&j->findings[i]))
			continue;
		j->findings[i].f.severity = SEV_ERROR;
		o = OUTCOME_FAILED;
	}
	return o;
}

/* ---- filling in the report ---- */

static int by_importance(const void *a, const void *b)
{
	const struct jfinding *x = a, *y = b;

	if (x->f.severity != y->f.severity)
		return (int)y->f.severity - (int)x->f.severity;
	if (finding_rank(x) != finding_rank(y))
		return finding_rank(x) - finding_rank(y);
	return x->f.order < y->f.order ? -1 : x->f.order > y->f.order;
}

static struct argv copy_argv(struct arena *mem, const struct argv *a)
{
	struct argv c = { arena_alloc(mem, (a->n + 1) * sizeof(char *)), a->n };

	for (size_t i = 0; c.v && i < a->n; i++)
		c.v[i] = arena_str(mem, span_of(a->v[i]));
	return c;
}

static void give_finding(struct report *r, const struct jfinding *from)
{
	struct finding *to = report_add(r);
	struct arena *mem = &r->mem;

	if (!to)
		return;
	*to = from->f;
	to->package = arena_span(mem, from->f.package);
	to->test = arena_span(mem, from->f.test);
	to->file = arena_span(mem, from->f.file);
	to->message = arena_span(mem, from->f.message);
	to->excerpt = arena_span(mem, from->f.excerpt);
	if (!to->advice.p)
		to->advice = span_of(tx(cause_table[to->cause].advice));
	to->advice = arena_span(mem, to->advice);
	to->command = copy_argv(mem, &from->f.command);
	bool own = from->f.n_places == 0;
	size_t n = own ? 1 : from->f.n_places;
	to->places = arena_alloc(mem, n * sizeof(*to->places));
	to->n_places = to->places ? n : 0;
	for (size_t i = 0; i < to->n_places; i++) {
		if (own) {
			to->places[i] = (struct place){ to->package, to->file, to->line };
			continue;
		}
		to->places[i] = (struct place){ arena_span(mem, from->f.places[i].package),
						arena_span(mem, from->f.places[i].file), from->f.places[i].line };
	}
	if (own && !to->package.p && !to->file.p)
		to->n_places = 0;
}

static struct named_time *give_times(struct report *r, const struct named_time *from, size_t n)
{
	struct named_time *to = arena_alloc(&r->mem, (n + 1) * sizeof(*to));

	for (size_t i = 0; to && i < n; i++)
		to[i] = (struct named_time){ arena_span(&r->mem, from[i].package), arena_span(&r->mem, from[i].test), from[i].ns };
	return to;
}

static void give_counts(struct judge *j, struct report *r)
{
	bool tests = j->packages_seen > 0, quiet = j->quiet_packages > 0;
	int64_t none = tests ? 0 : -1;

	r->tests = (struct test_counts){
		.packages = tests ? j->packages_seen : -1,
		.run = !tests || quiet ? -1 : j->run,
		.passed = !tests || quiet ? -1 : j->passed,
		.failed = tests ? j->n_failed_tests : none,
		.skipped = !tests || quiet ? -1 : j->skipped_tests,
		.unfinished = !tests || quiet ? -1 : j->unfinished,
		.cached_packages = tests ? j->cached : -1,
	};
}

static bool by_the_run(enum outcome o) /* what stopped it says more than the counts */
{
	return o == OUTCOME_MASKED || o == OUTCOME_KILLED || o == OUTCOME_TIMED_OUT || o == OUTCOME_STALLED ||
	       o == OUTCOME_NOT_STARTED || o == OUTCOME_CRASHED;
}

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

static const char *make_summary(struct judge *j, struct report *r, const struct jfinding *f)
{
	const struct test_counts *t = &r->tests;
	struct arena *mem = &r->mem;
	long long failed = t->failed, run = t->run, packages = t->packages;

	if (r->outcome == OUTCOME_EMPTY)
		return TR("tests were asked for and none ran", "要求运行测试，但一个也没有运行");
	if (f && by_the_run(r->outcome))
		return arena_printf(mem, "%.*s", SPAN_ARG(f->f.message));
	if (r->outcome == OUTCOME_FAILED && t->packages > 0 && t->failed > 0) {
		if (run >= 0)
			return arena_printf(mem, TR("%lld of %lld tests failed in %lld of %lld packages", "%lld/%lld 个测试失败，涉及 %lld/%lld 个包"),
					    failed, run, (long long)j->packages_failed, packages);
		return arena_printf(mem, TR("%lld test%s failed in %lld of %lld packages", "%lld 个测试%s失败，涉及 %lld/%lld 个包"), failed,
				    TR(plural(failed), ""), (long long)j->packages_failed, packages);
	}
	if (r->outcome == OUTCOME_FAILED && t->packages > 0 && j->packages_failed)
		return arena_printf(mem, TR("%lld of %lld packages failed: %s", "%2$lld 个包中有 %1$lld 个失败：%3$s"), (long long)j->packages_failed,
				    packages, f ? tx(cause_table[f->f.cause].mean) : "");
	if (f)
		return arena_printf(mem, "%.*s", SPAN_ARG(f->f.message));
	if (r->outcome == OUTCOME_PASSED && packages > 0 && run >= 0)
		return arena_printf(mem, TR("%lld test%s passed in %lld package%s", "%lld 个测试%s通过，共 %lld 个包%s"), (long long)t->passed,
				    TR(plural(t->passed), ""), packages, TR(plural(packages), ""));
	if (r->outcome == OUTCOME_PASSED && packages > 0)
		return arena_printf(mem, TR("%lld package%s passed", "%lld 个包%s通过"), packages, TR(plural(packages), ""));
	return r->outcome == OUTCOME_PASSED ? TR("the command succeeded", "命令成功") :
					      TR("nothing here that Tocsin knows how to judge", "没有可判断的证据");
}

static void give_nested(struct judge *j, struct report *r)
{
	r->commands = arena_alloc(&r->mem, (j->n_nested + 1) * sizeof(*r->commands));
	r->n_commands = r->commands ? j->n_nested : 0;
	for (size_t i = 0; i < r->n_commands; i++) {
		r->commands[i] = j->nested[i];
		r->commands[i].argv = copy_argv(&r->mem, &j->nested[i].argv);
		r->commands[i].cwd = j->nested[i].cwd ? arena_str(&r->mem, span_of(j->nested[i].cwd)) : NULL;
		r->commands[i].script = j->nested[i].script ? arena_str(&r->mem, span_of(j->nested[i].script)) : NULL;
	}
}

static void give(struct judge *j, struct report *r, enum outcome o)
{
	struct jfinding *f;

	if (j->n_findings)
		qsort(j->findings, j->n_findings, sizeof(*j->findings), by_importance);
	for (size_t i = 0; i < j->n_findings; i++)
		give_finding(r, &j->findings[i]);
	f = primary(j);
	r->outcome = o;
	r->cause = o == OUTCOME_EMPTY ? CAUSE_TEST_EMPTY : o == OUTCOME_PASSED || !f ? CAUSE_NONE : f->f.cause;
	give_counts(j, r);
	give_nested(j, r);
	r->summary = make_summary(j, r, f);
	for (size_t i = 0; i < j->limits.n; i++)
		list_add(&r->mem, &r->limits, arena_str(&r->mem, span_of(j->limits.v[i])));
	r->slowest = give_times(r, j->slowest, j->n_slowest);
	r->n_slowest = r->slowest ? j->n_slowest : 0;
	r->skipped = give_times(r, j->skipped, j->n_skipped);
	r->n_skipped = r->skipped ? j->n_skipped : 0;
}

int verdict_make(struct judge *j, struct report *r, struct err *e)
{
	const struct ending *end = &r->ending;
	bool success = !j->cfg.explain && end->how == END_EXIT && end->code == 0 && end->stop == STOP_NONE;

	builds_end(j);
	end_unblamed(j);
	end_packages(j, success || j->cfg.explain);
	add_inner(j);
	bool nested = end_nested(j, end);
	if (success && !nested)
		doubt_words(j);
	check_requested(j);
	end_panics(j);
	recovered_add(j);
	fold_unknown(j);
	enum outcome o = apply_strict(j, decide(j, r));
	if (o == OUTCOME_MASKED)
		explain_masked(j);
	give(j, r, o);
	if (j->no_memory)
		return err_set(e, ENOMEM, TR("out of memory: the verdict may lack evidence", "内存不足：结论可能缺少证据"));
	return 0;
}
