/* Plain text: the words of go build, test, vet, run, mod … line by line, with JSON events among them. */
#include "base/mem.h"
#include "base/text.h"
#include "base/redact.h"
#include "diagnose/state.h"

/* go vet -json prints "# pkg" before its objects, also when there is nothing wrong. */
static bool only_header(const struct block *b)
{
	struct span rest = buf_view(&b->text);

	while (rest.n) {
		struct span line = span_trim(span_cut(&rest, '\n'));
		if (line.n && line.p[0] != '#' && !span_eq(line, S("{")) && !span_eq(line, S("{}")))
			return false;
	}
	return true;
}

static void close_block(struct text_ctx *x)
{
	struct judge *j = x->j;

	if (x->block.kind == BLOCK_NONE)
		return;
	if (x->block.text.len && !(x->block.kind == BLOCK_BUILD && only_header(&x->block)))
		block_finding(j, &x->block, !j->cfg.explain, j->is_go_vet);
	block_clear(&x->block);
}

static bool ends_block(enum line_kind k)
{
	switch (k) {
	case LINE_PKG_OK:
	case LINE_PKG_FAIL:
	case LINE_PKG_NO_FILES:
	case LINE_TEST_RUN:
	case LINE_TEST_PASS:
	case LINE_TEST_FAIL:
	case LINE_TEST_SKIP:
	case LINE_PASS:
	case LINE_FAIL:
	case LINE_PANIC:
	case LINE_AFTER_END:
	case LINE_TEST_TIMEOUT:
	case LINE_OS_EXIT_0:
	case LINE_FATAL:
	case LINE_FATAL_SIGNAL:
	case LINE_RACE:
	case LINE_EXIT_STATUS:
	case LINE_SIGNAL:
	case LINE_MAKE_ERROR:
	case LINE_GO_DOWNLOAD:
	case LINE_GO_WARNING:
	case LINE_GO_ERROR:
	case LINE_NO_PACKAGES:
	case LINE_VET_JSON:
		return true;
	default:
		return false;
	}
}

static bool is_indented(struct span line)
{
	return line.n && (line.p[0] == '\t' || line.p[0] == ' ');
}

/* A build block takes all that follows its header; the others only their continuation lines. */
static bool continues_block(const struct block *b, const struct goline *g, struct span line)
{
	if (b->lines > BLOCK_LINES || ends_block(g->kind))
		return false;
	if (g->kind == LINE_BUILD_HEADER) { /* "# pkg", then "# [pkg]": one block */
		return b->kind == BLOCK_BUILD && g->second && b->lines <= 1;
	}
	if (b->kind == BLOCK_BUILD)
		return line.n != 0;
	if (b->kind == BLOCK_GO && g->kind == LINE_DIAG && b->text.len > 2 && b->text.p[b->text.len - 2] == ':')
		return true; /* "go: errors parsing go.mod:", then the place */
	if (b->kind == BLOCK_DIAG)
		return is_indented(line);
	return is_indented(line) || g->kind == LINE_GO_BARE ||
	       span_find(buf_view(&b->text), S("checksum mismatch")) != SPAN_NONE ||
	       span_find(buf_view(&b->text), S("SECURITY ERROR\n")) != SPAN_NONE;
}

static void open_block(struct text_ctx *x, enum block_kind kind, const struct goline *g, struct span line)
{
	block_open(&x->block, kind, g, x->j->order++);
	block_line(&x->block, g, line);
}

/* ---- tests in text ---- */

static struct jtest *find_test(struct text_ctx *x, struct span name)
{
	return map_get(&x->pkg.tests, name);
}

static void text_test_end(struct text_ctx *x, const struct goline *g)
{
	static const enum result results[] = {
		[LINE_TEST_PASS] = RESULT_PASS, [LINE_TEST_FAIL] = RESULT_FAIL, [LINE_TEST_SKIP] = RESULT_SKIP,
	};
	struct jtest *t = find_test(x, g->name);

	if (t)
		t->framed = true;
	x->logs_of = NULL;
	test_end(x->j, &x->pkg, g->name, results[g->kind], g->seconds);
	if (g->kind == LINE_TEST_FAIL && x->pkg.last_failed)
		x->logs_of = x->pkg.last_failed;
}

static void text_append(struct text_ctx *x, struct jtest *t, struct span line)
{
	test_append(x->j, t, line);
	test_append(x->j, t, S("\n"));
}

static void restart_head(struct text_ctx *x)
{
	buf_clear(&x->head);
	x->since_lines = x->since_bytes = x->head_lines = 0;
}

/* The first lines since the last package ended: how what failed began. */
static void keep_head(struct text_ctx *x, struct span line)
{
	if (x->head_lines == x->since_lines && x->head.len + line.n < HEAD_MAX) {
		buf_span(&x->head, line);
		buf_addc(&x->head, '\n');
		x->head_lines++;
	}
	x->since_lines++;
	x->since_bytes += (int64_t)line.n + 1;
}

static int64_t line_count(struct span s)
{
	int64_t n = 0;

	for (; s.n; n++)
		span_cut(&s, '\n');
	return n;
}

/* Whole lines at the end of text, at most max bytes. */
static struct span last_lines(struct span text, size_t max)
{
	if (text.n <= max)
		return text;
	struct span s = span_from(text, text.n - max);
	size_t nl = span_chr(s, '\n');
	return nl == SPAN_NONE ? s : span_from(s, nl + 1);
}

/* How it began, a mark for what is left out, the last `max` bytes of tail. False: tail holds it all. */
bool text_ends(const struct text_ctx *x, struct span tail, size_t max, struct buf *ret)
{
	struct span last = last_lines(tail, max);
	int64_t left = x->since_lines - x->head_lines - line_count(last);

	if (x->since_bytes <= (int64_t)last.n || left <= 0)
		return false;
	buf_span(ret, buf_view(&x->head));
	gap_add(ret, left);
	buf_span(ret, last);
	return true;
}

/* What was printed around the package's own line: all there is when a test binary just left. */
static void keep_context(struct text_ctx *x, struct span line)
{
	struct span tail = buf_view(&x->tail), rest = tail, before;
	CLEANUP(buf_free) struct buf ends = { .max = OUT_MAX };
	size_t at = SPAN_NONE, step, skip = 0;

	while ((step = span_find(rest, line)) != SPAN_NONE) {
		at = skip + step;
		skip = at + line.n;
		rest = span_from(tail, skip);
	}
	if (at == SPAN_NONE)
		return;
	kept_clear(&x->pkg.out);
	before = span_head(tail, at);
	if (text_ends(x, before, EXCERPT_MAX, &ends)) {
		kept_add(&x->pkg.out, buf_view(&ends));
		return;
	}
	before = last_lines(before, EXCERPT_MAX);
	while (before.n) { /* not the words of the package before it */
		struct span l = span_cut(&before, '\n');
		if (span_starts(l, S("FAIL\t")) || span_starts(l, S("ok  \t")) || span_starts(l, S("?   \t"))) {
			kept_clear(&x->pkg.out);
			continue;
		}
		kept_add(&x->pkg.out, l);
		kept_add(&x->pkg.out, S("\n"));
	}
}

static void text_pkg_end(struct text_ctx *x, const struct goline *g, struct span line)
{
	static const enum result results[] = {
		[LINE_PKG_OK] = RESULT_PASS, [LINE_PKG_FAIL] = RESULT_FAIL, [LINE_PKG_NO_FILES] = RESULT_SKIP,
	};
	struct jpkg *p = &x->pkg;
	char *name = mem_dup(g->package.p, g->package.n);

	if (!name) {
		x->j->no_memory = true;
		return;
	}
	p->name = name;
	p->cached = g->cached;
	if (g->kind == LINE_PKG_FAIL) {
		if (!g->note.n && x->j->n_findings < FINDINGS_MAX) /* a log of nothing but FAIL lines stays linear */
			keep_context(x, line);
		name_copy(p->reason, sizeof(p->reason), g->note);
	}
	if (span_find(g->note, S("[no tests to run]")) != SPAN_NONE)
		p->no_tests = true;
	x->logs_of = NULL;
	pkg_end(x->j, p, results[g->kind], g->seconds, (struct span){ 0 });
	restart_head(x);
	mem_free(name);
	p->name = NULL;
}

static bool test_text(struct text_ctx *x, const struct goline *g, struct span line)
{
	struct judge *j = x->j;

	switch (g->kind) {
	case LINE_TEST_RUN:
		x->pkg.verbose = true;
		x->logs_of = NULL;
		x->pkg.current = test_start(j, &x->pkg, g->name);
		if (x->pkg.current) {
			notify(j, &(struct notice){ .kind = NOTICE_TEST_RUN, .test = g->name, .seconds = -1 });
			text_append(x, x->pkg.current, line);
		}
		return true;
	case LINE_TEST_PAUSE:
	case LINE_TEST_CONT:
	case LINE_TEST_NAME:
		x->pkg.current = find_test(x, g->name);
		return true;
	case LINE_TEST_PASS:
	case LINE_TEST_FAIL:
	case LINE_TEST_SKIP:
		text_test_end(x, g);
		return true;
	case LINE_PKG_OK:
	case LINE_PKG_FAIL:
	case LINE_PKG_NO_FILES:
		text_pkg_end(x, g, line);
		return true;
	default:
		return false;
	}
}

/* ---- warnings of the go command, go vet -json, other programs' last words ---- */

static void no_packages(struct text_ctx *x, const struct goline *g, struct span line)
{
	struct judge *j = x->j;
	struct jfinding *f;

	if (span_find(line, S("no packages to test")) != SPAN_NONE)
		j->no_packages_to_test = true;
	f = finding_new(j, CAUSE_BUILD_PACKAGE, false);
	if (!f)
		return;
	if (span_find(line, S("no packages to test")) == SPAN_NONE)
		f->f.severity = SEV_WARNING;
	finding_line(j, &f->f.message, g->text.n ? g->text : line);
}

static void go_warning(struct text_ctx *x, struct span line)
{
	struct judge *j = x->j;
	const struct cause_match *m = match_text(j->match, line, IN_PASSED);
	struct jfinding *f = m ? finding_new(j, m->cause, false) : NULL;

	if (!f)
		return;
	f->f.severity = SEV_WARNING;
	f->f.classes = m->classes;
	finding_line(j, &f->f.message, line);
}

static void vet_json_line(struct text_ctx *x, struct span line)
{
	struct judge *j = x->j;
	struct span s = span_trim(line), posn;
	struct goline g;

	if (span_eq(s, S("}")) && line.n && line.p[0] == '}') {
		x->vet_json = false;
		return;
	}
	if (!span_skip(&s, S("\"posn\": \"")))
		return;
	posn = span_cut(&s, '"');
	CLEANUP(buf_free) struct buf as_diag = { .max = 4096 };
	buf_span(&as_diag, posn);
	buf_adds(&as_diag, ": go vet");
	goline_read(buf_view(&as_diag), &g);
	struct jfinding *f = finding_new(j, CAUSE_BUILD_VET, !(j->is_go_vet_json || j->cfg.explain));
	if (!f)
		return;
	if (x->vet_json_pkg[0])
		f->f.package = arena_span(&j->mem, span_of(x->vet_json_pkg));
	finding_file(j, f, f->f.package, g.file.p ? g.file : posn, g.line);
	f->f.column = g.column;
	finding_line(j, &f->f.message, S("go vet -json"));
}

static void vet_json_message(struct text_ctx *x, struct span line)
{
	struct span s = span_trim(line);
	struct judge *j = x->j;
	struct jfinding *f = j->n_findings ? &j->findings[j->n_findings - 1] : NULL;

	if (!f || f->f.cause != CAUSE_BUILD_VET || !span_skip(&s, S("\"message\": \"")))
		return;
	while (s.n && (s.p[s.n - 1] == ',' || s.p[s.n - 1] == '"'))
		s.n--;
	buf_clear(&j->scratch);
	buf_span(&j->scratch, s);
	finding_line(j, &f->f.message, buf_view(&j->scratch));
}

static void note_line(struct text_ctx *x, const struct goline *g, struct span line)
{
	struct judge *j = x->j;

	switch (g->kind) {
	case LINE_EXIT_STATUS:
		j->exit_status_seen = (int)g->number;
		break;
	case LINE_SIGNAL:
		name_copy(j->signal_seen, sizeof(j->signal_seen), g->name);
		break;
	case LINE_MAKE_ERROR:
		name_copy(j->make_error, sizeof(j->make_error), redact_head(line, sizeof(j->make_error) - 1));
		break;
	case LINE_NOT_FOUND:
		name_copy(x->not_found, sizeof(x->not_found), redact_head(line, sizeof(x->not_found) - 1));
		break;
	case LINE_LOADER:
		name_copy(x->loader, sizeof(x->loader), redact_head(line, sizeof(x->loader) - 1));
		break;
	case LINE_GO_WARNING:
		go_warning(x, line);
		break;
	case LINE_NO_PACKAGES:
		no_packages(x, g, line);
		break;
	case LINE_VET_JSON:
		x->vet_json = true;
		name_copy(x->vet_json_pkg, sizeof(x->vet_json_pkg), g->package);
		break;
	default:
		break;
	}
}

static void take_line(struct text_ctx *x, const struct goline *g, struct span line)
{
	struct judge *j = x->j;
	struct jpkg *p = &x->pkg;

	if (p->crash_open || p->race_open) {
		pkg_line(j, p, p->current, g, line);
		if (p->crash_open || p->race_open)
			return;
	}
	if (x->vet_json) {
		vet_json_line(x, line);
		vet_json_message(x, line);
	}
	if (x->block.kind != BLOCK_NONE) {
		if (continues_block(&x->block, g, line)) {
			block_line(&x->block, g, line);
			return;
		}
		close_block(x);
	}
	if (test_text(x, g, line))
		return;
	if (x->logs_of && (is_indented(line) || !line.n)) {
		text_append(x, x->logs_of, line);
	} else {
		if (x->logs_of && g->kind != LINE_PLAIN)
			x->logs_of = NULL;
		else if (x->logs_of)
			text_append(x, x->logs_of, line);
	}
	if (g->kind == LINE_BUILD_HEADER)
		open_block(x, BLOCK_BUILD, g, line);
	else if ((g->kind == LINE_DIAG || g->kind == LINE_GENERATE) && !p->current && !is_indented(line))
		open_block(x, BLOCK_DIAG, g, line);
	else if (g->kind == LINE_GO_ERROR || g->kind == LINE_GO_BARE || g->kind == LINE_TOOL_SIGNAL)
		open_block(x, BLOCK_GO, g, line);
	note_line(x, g, line);
	struct jtest *t = p->current ? p->current : x->logs_of;
	pkg_line(j, p, g->kind == LINE_PASS || g->kind == LINE_FAIL ? NULL : t, g, line);
	if (p->current)
		text_append(x, p->current, line);
	else if (g->kind != LINE_PLAIN) {
		kept_add(&p->out, line);
		kept_add(&p->out, S("\n"));
	}
}

/*
 * A test binary run with -test.v=test2json marks its own frames with ^V: what looks like one and has no mark was
 * printed by a test.
 */
static void believe_marks(struct text_ctx *x, struct goline *g)
{
	bool frame = g->kind >= LINE_TEST_RUN && g->kind <= LINE_FAIL;

	x->marked |= frame && g->control;
	if (x->marked && frame && !g->control)
		g->kind = LINE_PLAIN;
	else if (g->kind == LINE_PKG_OK || g->kind == LINE_PKG_FAIL)
		x->marked = false;
}

static bool is_waiting(const struct text_ctx *x) /* for lines that mean nothing by themselves */
{
	return x->block.kind != BLOCK_NONE || x->pkg.crash_open || x->pkg.race_open || x->logs_of || x->vet_json ||
	       x->pkg.current || x->pkg.printed_stack;
}

void text_line(struct text_ctx *x, struct span line, bool cut)
{
	struct judge *j = x->j;
	struct gotest_event ev;
	struct goline g;

	if (!cut && gotest_maybe(line) && gotest_read(line, &ev)) {
		close_block(x);
		event_take(j, &ev);
		return;
	}
	notify(j, &(struct notice){ .kind = NOTICE_TEXT, .text = line, .stream = x->stream, .seconds = -1 });
	if (x->esc && line.n && memchr(line.p, 0x1b, line.n)) {
		buf_clear(&x->clean);
		ansi_strip(line, &x->clean);
		line = buf_view(&x->clean);
	}
	keep_head(x, line);
	bool maybe = goline_maybe(line);
	if (!maybe && !is_waiting(x))
		return;
	j->text_events += maybe;
	goline_read(line, &g);
	believe_marks(x, &g);
	take_line(x, &g, line);
}

static void program_finding(struct text_ctx *x, const struct crash *c)
{
	struct judge *j = x->j;
	char test[200];
	bool in_test = c->kind == CRASH_TIMEOUT || crash_test(c, test, sizeof(test));
	struct jfinding *f = finding_new(j, crash_cause(c, in_test), !j->cfg.explain);

	if (!f)
		return;
	const struct crash_frame *at = crash_place(c);
	f->from_test = in_test;
	if (in_test && c->kind != CRASH_TIMEOUT)
		f->f.test = arena_span(&j->mem, span_of(test));
	if (at)
		finding_file(j, f, (struct span){ 0 }, span_of(at->file), at->line);
	struct span said = f->f.cause == CAUSE_PROC_LOG_FATAL ? text_logged_fatal(buf_view(&x->tail)) : (struct span){ 0 };
	finding_line(j, &f->f.message, said.n ? said : span_of(c->value[0] ? c->value : c->signal));
	finding_text(j, &f->f.excerpt, buf_view(&c->text));
	if (c->kind == CRASH_RACE)
		f->from_test = false;
}

/* What a program left behind that is no package: its races, its crash, or the failures of a test binary run by hand. */
void text_end(struct text_ctx *x)
{
	struct judge *j = x->j;
	struct jpkg *p = &x->pkg;
	bool tests = p->failed || p->verbose; /* a lone FAIL is the go command's own last word */

	close_block(x);
	if (tests) {
		pkg_end(j, p, p->failed || p->fail_line || p->crash_open ? RESULT_FAIL : p->pass_line ? RESULT_PASS : RESULT_NONE, -1,
			(struct span){ 0 });
		return;
	}
	if (p->crash && p->crash->kind != CRASH_NONE && (p->crash->kind == CRASH_TIMEOUT || p->crash->lines))
		program_finding(x, p->crash);
	if (p->races && p->race && p->race->lines)
		program_finding(x, p->race);
}
