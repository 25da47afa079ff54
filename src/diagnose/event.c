/* Events of go test -json and go build -json. This is the hot path: nothing here allocates an event. */
#include "base/json.h"
#include "base/mem.h"
#include "diagnose/state.h"

static struct span name_text(struct jstr s, struct buf *scratch)
{
	return s.esc ? jstr_text(s, scratch) : (struct span){ s.p, s.n };
}

static const unsigned char first_byte[256] = {
	['-'] = 1, ['P'] = 1, ['F'] = 1, ['o'] = 1, ['?'] = 1, ['*'] = 1, ['p'] = 1, ['f'] = 1, ['W'] = 1, ['S'] = 1,
	['e'] = 1, ['s'] = 1, ['t'] = 1, ['g'] = 1, ['r'] = 1, ['['] = 1, ['c'] = 1, ['\\'] = 1, [' '] = 2,
};

/* Might this still escaped line mean something to the judge? Most lines are logs and do not. */
static bool matters(const char *p, size_t n)
{
	static const struct span words[] = {
		{ "--- ", 4 }, { "PASS", 4 }, { "FAIL", 4 }, { "Found ", 6 }, { "ok  ", 4 }, { "?   ", 4 }, { "*** ", 4 },
		{ "panic", 5 }, { "fatal ", 6 }, { "WARNING: DATA", 13 }, { "SIG", 3 }, { "exit status", 11 },
		{ "exec: ", 6 }, { "signal", 6 }, { "testing", 7 }, { "test executed", 13 }, { "goroutine ", 10 },
		{ "runtime: ", 9 }, { "Failing", 7 }, { "FAIL", 4 }, { "coverage: ", 10 }, { "\\tpanic", 7 },
	};
	unsigned char class = n ? first_byte[(unsigned char)*p] : 0;

	if (!class)
		return false;
	while (n && *p == ' ')
		p++, n--;
	if (!n || (class == 2 && *p != '-' && *p != 't' && *p != 'F'))
		return false;
	struct span s = { p, n };
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (*words[i].p == *p && span_starts(s, words[i]))
			return true;
	}
	return false;
}

static void read_line(struct judge *j, struct jpkg *p, struct jtest *t, struct jstr out)
{
	struct span line = jstr_text(out, &j->scratch);
	struct goline g;

	while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	goline_read(line, &g);
	pkg_line(j, p, t, &g, line);
}

static void say_output(struct judge *j, struct span package, struct span test, struct jstr out)
{
	if (!j->cfg.notice)
		return;
	notify(j, &(struct notice){ .kind = NOTICE_OUTPUT, .package = package, .test = test,
				    .text = jstr_text(out, &j->scratch), .seconds = -1 });
}

static bool ends_line(struct jstr s)
{
	return s.n >= 2 && s.p[s.n - 1] == 'n' && s.p[s.n - 2] == '\\';
}

static void take_output(struct judge *j, struct jpkg *p, struct span test, struct jstr out)
{
	struct jtest *t = p->current;

	if (test.n && !(t && t->name_len == test.n && !memcmp(t->name, test.p, test.n))) {
		t = map_get(&p->tests, test);
		if (!t) /* output before `run`, or of an ended test: the package's */
			t = NULL;
		else
			p->current = t;
	} else if (!test.n) {
		t = NULL;
	}
	bool *midline = t ? &t->midline : &p->midline;
	if (!*midline && (p->crash_open || p->race_open || p->printed_stack || matters(out.p, out.n)))
		read_line(j, p, t, out);
	*midline = !ends_line(out);
	if (t) {
		t->out.escaped = true;
		test_append(j, t, (struct span){ out.p, out.n });
	} else {
		kept_add(&p->out, jstr_text(out, &j->scratch));
	}
	say_output(j, span_of(p->name), test, out);
}

/* ---- build events ---- */

static struct jbuild *build_get(struct judge *j, struct span id)
{
	struct jbuild *b = map_get(&j->builds, id);

	if (b)
		return b;
	if (j->builds.count >= BUILDS_MAX) {
		limit_say(j, TR("diagnostics of more than 2,000 packages: the rest is not kept",
				"超过 2000 个包有编译信息，其余未保留"));
		return NULL;
	}
	b = mem_zalloc(sizeof(*b));
	char *z = mem_dup(id.p, id.n);
	if (!b || !z || !map_put(&j->builds, (struct span){ z, id.n }, b)) {
		mem_free(b);
		mem_free(z);
		j->no_memory = true;
		return NULL;
	}
	b->id = z;
	b->finding = -1;
	b->line.max = BLOCK_MAX;
	return b;
}

static void build_line(struct judge *j, struct jbuild *b, struct span line)
{
	struct goline g;

	goline_read(line, &g);
	if (b->block.kind == BLOCK_NONE) {
		block_open(&b->block, BLOCK_BUILD, NULL, j->order++);
		struct span pkg = span_of(b->id), name = span_cut(&pkg, ' '); /* "p [p.test]" */
		name_copy(b->block.package, sizeof(b->block.package), name);
		b->block.is_test = pkg.n > 0;
	}
	if (g.kind == LINE_BUILD_HEADER)
		b->block.second |= g.second;
	block_line(&b->block, &g, line);
}

static void take_build_output(struct judge *j, struct span id, struct jstr out)
{
	struct jbuild *b = build_get(j, id);
	struct span text = jstr_text(out, &j->scratch);

	notify(j, &(struct notice){ .kind = NOTICE_BUILD, .package = id, .text = text, .seconds = -1 });
	if (!b)
		return;
	while (text.n) {
		size_t nl = span_chr(text, '\n');
		buf_span(&b->line, span_head(text, nl));
		if (nl == SPAN_NONE)
			return;
		struct span line = buf_view(&b->line);
		while (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		build_line(j, b, line);
		buf_clear(&b->line);
		text = span_from(text, nl + 1);
	}
}

static void take_build_fail(struct judge *j, struct span id)
{
	struct jbuild *b = build_get(j, id);

	if (b)
		b->failed = true;
}

/* Builds that failed with no package event to say so: go build -json, go vet -json. */
void builds_end(struct judge *j)
{
	struct jbuild *b;
	size_t at = 0;

	while ((b = map_next(&j->builds, &at))) {
		if (!b->failed || b->finding >= 0)
			continue;
		if (b->block.kind == BLOCK_NONE) {
			block_open(&b->block, BLOCK_BUILD, NULL, j->order++);
			name_copy(b->block.package, sizeof(b->block.package), span_of(b->id));
		}
		struct jfinding *f = block_finding(j, &b->block, !(j->cfg.json_out || j->cfg.explain), j->is_go_vet);
		b->finding = f ? (int)(f - j->findings) : 0;
	}
}

/* ---- dispatch ---- */

static void package_event(struct judge *j, struct jpkg *p, const struct gotest_event *ev)
{
	static const enum result results[ACT_COUNT] = {
		[ACT_PASS] = RESULT_PASS, [ACT_FAIL] = RESULT_FAIL, [ACT_SKIP] = RESULT_SKIP,
	};

	if (ev->action == ACT_START) {
		pkg_reset(j, p);
		p->started = true;
		notify(j, &(struct notice){ .kind = NOTICE_PKG_START, .package = span_of(p->name), .seconds = -1 });
	} else if (results[ev->action]) {
		/* Before Go 1.12 the event of a package was "pass" whenever no test of it had failed. */
		enum result result = p->said_failed ? RESULT_FAIL : results[ev->action];
		p->verbose = true;
		pkg_end(j, p, result, ev->elapsed, name_text(ev->failed_build, &j->scratch2));
	}
}

static void test_event(struct judge *j, struct jpkg *p, const struct gotest_event *ev)
{
	static const enum notice_kind kinds[ACT_COUNT] = { [ACT_PAUSE] = NOTICE_TEST_PAUSE, [ACT_CONT] = NOTICE_TEST_CONT };
	struct span test = name_text(ev->test, &j->scratch2);

	switch (ev->action) {
	case ACT_RUN:
		p->verbose = true;
		p->current = test_start(j, p, test);
		notify(j, &(struct notice){ .kind = NOTICE_TEST_RUN, .package = span_of(p->name), .test = test, .seconds = -1 });
		break;
	case ACT_PASS:
		test_end(j, p, test, RESULT_PASS, ev->elapsed);
		break;
	case ACT_FAIL:
		test_end(j, p, test, RESULT_FAIL, ev->elapsed);
		break;
	case ACT_SKIP:
		test_end(j, p, test, RESULT_SKIP, ev->elapsed);
		break;
	case ACT_PAUSE:
	case ACT_CONT:
		notify(j, &(struct notice){ .kind = kinds[ev->action], .package = span_of(p->name), .test = test, .seconds = -1 });
		break;
	default:
		break;
	}
}

void event_take(struct judge *j, const struct gotest_event *ev)
{
	j->json_events++;
	if (ev->action == ACT_BUILD_OUTPUT || ev->action == ACT_BUILD_FAIL) {
		struct span id = name_text(ev->import_path, &j->scratch2);
		if (ev->action == ACT_BUILD_OUTPUT)
			take_build_output(j, id, ev->output);
		else
			take_build_fail(j, id);
		return;
	}
	struct jpkg *p = pkg_get(j, name_text(ev->package, &j->scratch2));
	if (!p)
		return;
	if (ev->action == ACT_OUTPUT)
		take_output(j, p, name_text(ev->test, &j->scratch2), ev->output);
	else if (ev->test.n)
		test_event(j, p, ev);
	else
		package_event(j, p, ev);
}
