/* Panics in a log that did not end the process. */
#include "diagnose/logscan.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "base/words.h"
#include "diagnose/state.h"
#include "parse/crash.h"
#include "parse/goframe.h"
#include "parse/loglevel.h"
#include "parse/logline.h"

enum {
	LINE_KEPT = 1 << 20, /* of a line: JSON logs hold whole stacks in one */
	VALUE_MAX = 400,
	KEPT_MAX = 1000,     /* different events */
	STACK_LINES = 400,   /* of one */
};

/* How what follows the line is written. */
enum shape {
	SHAPE_NONE,  /* nothing does */
	SHAPE_GO,    /* goroutine N [running]: … */
	SHAPE_GIN,   /* /p/f.go:12 (0x1234) \n TAB name: source */
	SHAPE_CHI,   /* " -> pkg.F" \n " ->   /p/f.go:12" */
};

static const struct row {
	const char *source;
	struct span mark;   /* in the line */
	struct span end;    /* the value begins behind it; empty: behind the mark */
	enum shape shape;
	int wait;           /* lines until the stack */
	bool whole;         /* the mark begins the line */
} rows[] = {
#define P(lit) { lit, sizeof(lit) - 1 }
	{ "net/http", P("http: panic serving "), P(": "), SHAPE_GO, 8, false },
	{ "net/http", P("http2: panic serving "), P(": "), SHAPE_GO, 8, false },
	{ "gin", P(" panic recovered:"), P(""), SHAPE_GIN, 60, false },
	{ "echo", P("[PANIC RECOVER] "), P(""), SHAPE_GO, 4, false },
	{ NULL, P("recovered panic ("), P("): "), SHAPE_GO, 4, true }, /* of a snapshot: who recovered it stands between */
	{ "fiber", P("recovered panic: "), P(""), SHAPE_GO, 4, false },
	{ "chi", P(" panic: "), P(""), SHAPE_CHI, 3, true },
	{ "grpc", P("panic caught: "), P(""), SHAPE_GO, 3, false },
	{ "kubernetes", P("\"Observed a panic\""), P(" panic="), SHAPE_GO, 6, false },
	{ "kubernetes", P("Observed a panic: "), P(""), SHAPE_GO, 6, false },
	{ "fmt", P("(PANIC="), P(""), SHAPE_NONE, 0, false },
	{ "log/slog", P("!PANIC: "), P(""), SHAPE_NONE, 0, false },
	{ "zap", P("PANIC="), P(""), SHAPE_NONE, 0, false },
	{ "log", P("panic recovered: "), P(""), SHAPE_GO, 4, false },
	{ "log", P("recovered from panic: "), P(""), SHAPE_GO, 4, false },
#undef P
};

/* Loggers that panic behind their line: what follows shows whether it was survived. zap's DPanic only does so in development. */
static const struct row level_panic = { .source = "log", .wait = 30 }, level_dpanic = { .source = "zap, DPanic", .wait = 30 };

enum mode { IDLE, WAIT, STACK, CRASH };

struct seen {
	const char *source;
	struct span value, stack, file;
	char key[17];
	int line;
	enum cause cause;
	int64_t count, offset;
};

struct logscan {
	logscan_fn *fn;
	void *ctx;
	struct buf part;       /* an unfinished line */
	bool cutting;
	int64_t at, line_at;   /* bytes seen; where the line under way begins */
	struct buf clean, json, made, said;
	struct words words;
	enum mode mode;
	const struct row *row; /* NULL: a stack that nobody announced */
	const char *source;    /* of row */
	int left, lines;
	char value[VALUE_MAX + 1], before[VALUE_MAX + 1];
	int64_t offset;
	struct crash crash;
	bool printed, panicked; /* frames of runtime/debug.Stack, of panic( */
	bool fiber;            /* a frame of it, which prints in the runtime's own words */
	bool first_frame, step_over, tabbed, in_json;
	struct arena mem;
	struct map by_key;
	struct seen **kept;
	size_t n_kept, cap_kept;
	int64_t more, told;
	bool no_memory;
};

/* ---- the words ---- */

#define P(lit) { lit, sizeof(lit) - 1 }
static const struct span telling[] = {
	P("panic"), P("goroutine "), P("fata"), P("ftl "), P("ftl\x1b"), P("\nf0### "), P("\nf1### "),
};
#undef P

/* The first word from the beginning of a line on; end: there is none. */
static const char *find_word(const struct logscan *s, const char *p, const char *end)
{
	if (p < end && *p == 'F' && (end - p < 5 || (p[1] >= '0' && p[1] <= '1'))) /* klog's, with no newline before it */
		return p;
	p = words_find(&s->words, p, end, NULL);
	return p + (p < end && *p == '\n');
}

/* ---- an event ends ---- */

static void copy_text(char *ret, size_t size, struct span s)
{
	s = redact_head(span_trim(s), size - 1);
	if (s.n)
		memcpy(ret, s.p, s.n);
	ret[s.n] = '\0';
}

/* Numbers, addresses and ids differ from one to the next. */
static uint64_t value_key(struct span v)
{
	uint64_t h = 0;

	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (hex_digit(c) >= 0)
			c = '0';
		if (c == '0' && i && hex_digit((unsigned char)v.p[i - 1]) >= 0)
			continue;
		h = (h ^ c) * 0x9e3779b97f4a7c15u;
		h ^= h >> 31;
	}
	return h;
}

static uint64_t event_key(const struct logscan *s, const struct logscan_event *e)
{
	uint64_t h = span_hash(span_of(e->source)) ^ (uint64_t)e->cause;

	for (int i = 0; i < s->crash.n_frames && i < 5; i++) {
		h = (h ^ span_hash(span_of(s->crash.frames[i].func))) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return s->crash.n_frames ? h : h ^ value_key(e->value);
}

static struct seen *remember(struct logscan *s, const struct logscan_event *e, const char *key)
{
	struct seen *n = s->n_kept < KEPT_MAX ? arena_alloc(&s->mem, sizeof(*n)) : NULL;

	if (!n || !mem_grow(&s->kept, &s->cap_kept, s->n_kept, sizeof(struct seen *))) {
		s->no_memory |= s->n_kept < KEPT_MAX;
		s->more++;
		return NULL;
	}
	*n = (struct seen){ .source = e->source, .value = arena_span(&s->mem, e->value), .stack = arena_span(&s->mem, e->stack),
			    .file = arena_span(&s->mem, e->file), .line = e->line, .cause = e->cause, .offset = e->offset };
	memcpy(n->key, key, 17);
	if (!map_put(&s->by_key, (struct span){ n->key, 16 }, n)) {
		s->no_memory = true;
		return NULL;
	}
	s->kept[s->n_kept++] = n;
	return n;
}

static void tell(struct logscan *s, enum cause cause, const char *source)
{
	const struct crash_frame *at = s->crash.n_frames ? crash_place(&s->crash) : NULL;
	struct logscan_event e = {
		.cause = cause, .source = source, .value = span_of(s->value), .offset = s->offset,
		.stack = s->crash.goroutines ? buf_view(&s->crash.text) : S(""),
		.file = span_of(at ? at->file : NULL), .line = at ? at->line : 0,
	};
	static const char digits[] = "0123456789abcdef";
	uint64_t h = event_key(s, &e);
	char key[17] = "";

	for (int i = 0; i < 16; i++)
		key[i] = digits[h >> (60 - 4 * i) & 15];
	struct seen *old = map_get(&s->by_key, (struct span){ key, 16 });
	e.repeated = old != NULL;
	if (!old)
		old = remember(s, &e, key);
	if (old)
		old->count++;
	s->told++;
	if (s->fn)
		s->fn(s->ctx, &e);
}

static void event_end(struct logscan *s)
{
	enum mode was = s->mode;

	s->mode = IDLE;
	if (was == WAIT && s->row) {
		bool last = s->row == &level_panic && s->left >= 0; /* nothing shows that it was survived */
		crash_clear(&s->crash);
		tell(s, last ? CAUSE_PROC_LOG_FATAL : CAUSE_GO_PANIC_RECOVERED, last ? "panic" : s->source);
	} else if (was == STACK && s->row) {
		tell(s, CAUSE_GO_PANIC_RECOVERED, s->source);
	} else if (was == STACK && (s->panicked || s->printed)) {
		if (s->panicked || s->value[0])
			tell(s, CAUSE_GO_PANIC_RECOVERED, "stack");
	} else if (was == CRASH && s->printed) {
		copy_text(s->value, sizeof(s->value), span_of(s->crash.value));
		tell(s, CAUSE_GO_PANIC_RECOVERED, s->fiber ? "fiber" : "stack");
	} else if (was == CRASH && s->in_json && s->crash.goroutines) {
		copy_text(s->value, sizeof(s->value), span_of(s->crash.value));
		tell(s, crash_cause(&s->crash, false), "json");
	}
}

/* ---- stacks ---- */

static bool feed_crash(struct logscan *s, struct span line)
{
	struct goline g;

	goline_read(line, &g);
	if (s->step_over && g.kind == LINE_FRAME_PLACE) {
		s->step_over = false;
		return true;
	}
	if (g.kind == LINE_FRAME) {
		s->step_over = s->first_frame && (span_eq(g.name, S("runtime/debug.Stack")) || span_eq(g.name, S("runtime/debug.PrintStack")));
		s->printed |= s->step_over;
		s->fiber |= span_find(g.name, S("/gofiber/")) != SPAN_NONE;
		s->panicked |= span_eq(g.name, S("panic")) || span_eq(g.name, S("runtime.gopanic"));
		s->first_frame = s->step_over;
		if (s->step_over)
			return true; /* who printed it is of no interest */
	}
	return crash_feed(&s->crash, &g, line);
}

static void stack_open(struct logscan *s, struct span header)
{
	struct goline g;

	buf_clear(&s->made);
	buf_adds(&s->made, "panic: ");
	buf_span(&s->made, span_head(span_of(s->value), VALUE_MAX));
	goline_read(buf_view(&s->made), &g);
	if (!crash_begin(&s->crash, &g, buf_view(&s->made)))
		crash_clear(&s->crash);
	s->printed = s->panicked = s->step_over = s->fiber = false;
	s->first_frame = true;
	feed_crash(s, S(""));
	feed_crash(s, header);
	s->mode = STACK;
	s->lines = 0;
}

static void feed_frame(struct logscan *s, struct span func, struct span place)
{
	buf_clear(&s->made);
	buf_span(&s->made, func);
	buf_adds(&s->made, "(...)");
	feed_crash(s, buf_view(&s->made));
	buf_clear(&s->made);
	buf_addc(&s->made, '\t');
	buf_span(&s->made, place);
	buf_adds(&s->made, " +0x0");
	feed_crash(s, buf_view(&s->made));
}

/* "/p/f.go:12 (0x1234)" of gin, then "\tname: source": names have lost their package, which the folder mostly is. */
static bool gin_line(struct logscan *s, struct span line)
{
	size_t at = span_find(line, S(" (0x"));
	struct span place = span_head(line, at), file, dir;
	int n;

	if (line.n && line.p[0] == '\t') {
		struct span name = span_from(line, 1);
		name = span_head(name, span_find(name, S(": ")));
		if (!s->before[0] || !name.n)
			return true;
		CLEANUP(buf_free) struct buf func = { .max = 1024 };
		file = goframe_file(span_of(s->before), &n);
		dir = span_head(file, span_rchr(file, '/'));
		dir = span_from(dir, span_rchr(dir, '/') == SPAN_NONE ? 0 : span_rchr(dir, '/') + 1);
		if (span_eq(name, S("gopanic")) || span_eq(name, S("panic")))
			buf_adds(&func, "panic");
		else
			buf_addf(&func, "%.*s.%.*s", SPAN_ARG(span_head(dir, 200)), SPAN_ARG(span_head(name, 300)));
		feed_frame(s, buf_view(&func), span_of(s->before));
		s->before[0] = '\0';
		return true;
	}
	if (at == SPAN_NONE || !goframe_file(place, &n).n)
		return false;
	copy_text(s->before, sizeof(s->before), place);
	return true;
}

static bool chi_line(struct logscan *s, struct span line)
{
	struct span t = span_trim(line);
	int n;

	span_skip(&t, S("->"));
	t = span_trim(t);
	if (!t.n)
		return true;
	if (t.p[0] == '/' && goframe_file(t, &n).n) {
		if (s->before[0])
			feed_frame(s, span_of(s->before), t);
		s->before[0] = '\0';
		return true;
	}
	if (line.p[0] != ' ' || span_chr(t, '.') == SPAN_NONE || span_chr(t, ' ') != SPAN_NONE)
		return false;
	copy_text(s->before, sizeof(s->before), t);
	return true;
}

static bool is_header(struct span line)
{
	struct goheader h;

	return line.n > 12 && line.p[0] == 'g' && goheader_read(line, &h);
}

/* Is this where the stack begins that the row promised? */
static bool stack_begins(struct logscan *s, struct span line)
{
	struct span t = line;

	switch (s->row->shape) {
	case SHAPE_GO:
		s->tabbed = span_skip(&t, S("\t")); /* klog indents what it prints after "=<" */
		if (!is_header(t)) {
			size_t at = span_find(t, S("goroutine "));
			if (at == SPAN_NONE || !is_header(span_from(t, at)))
				return false;
			t = span_from(t, at);
		}
		stack_open(s, t);
		return true;
	case SHAPE_GIN:
		if (span_find(line, S(".go:")) == SPAN_NONE || span_find(line, S(" (0x")) == SPAN_NONE) {
			if (span_trim(line).n)
				copy_text(s->value, sizeof(s->value), line);
			return false;
		}
		stack_open(s, S("goroutine 1 [running]:"));
		s->before[0] = '\0';
		return gin_line(s, line);
	case SHAPE_CHI:
		if (span_find(line, S("-> ")) == SPAN_NONE)
			return false;
		stack_open(s, S("goroutine 1 [running]:"));
		s->before[0] = '\0';
		return chi_line(s, line);
	default:
		return false;
	}
}

/* False: the line is not part of it. */
static bool stack_line(struct logscan *s, struct span line)
{
	if (s->lines++ > STACK_LINES)
		return false;
	if (s->row && s->row->shape == SHAPE_GIN)
		return gin_line(s, line);
	if (s->row && s->row->shape == SHAPE_CHI)
		return chi_line(s, line);
	if (s->tabbed)
		span_skip(&line, S("\t"));
	if (!line.n || is_header(line)) /* one goroutine; more are a dump */
		return false;
	return feed_crash(s, line);
}

/* ---- lines ---- */

static const struct row *row_of(struct span line, struct span *value)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		size_t at = r->whole ? (span_starts(line, r->mark) ? 0 : SPAN_NONE) : span_find(line, r->mark);
		if (at == SPAN_NONE)
			continue;
		*value = span_from(line, at + r->mark.n);
		size_t end = r->end.n ? span_find(*value, r->end) : 0;
		if (end == SPAN_NONE)
			continue;
		*value = span_from(*value, end + r->end.n);
		return r;
	}
	return NULL;
}

/* `"boom" (boom)`, `main.T{n:1} (said)`, of Kubernetes before 0.31: what stands in brackets is what the panic says. */
static struct span bracketed(struct span v)
{
	size_t at = span_find(v, S("\" (")), end = span_rchr(v, ')');

	if (at == SPAN_NONE)
		at = span_find(v, S("} ("));
	return at == SPAN_NONE || end == SPAN_NONE || end < at + 3 ? v : span_from(span_head(v, end), at + 3);
}

/* `panic="boom" panicGoValue=…`: boom. The stack may follow in the line: "boom goroutine 7 [running]:". */
static void take_value(struct logscan *s, const struct row *r, struct span v)
{
	size_t stack = span_find(v, S(" goroutine "));

	if (stack != SPAN_NONE && is_header(span_from(v, stack + 1)))
		v = span_head(v, stack);
	if (span_eq(r->mark, S("Observed a panic: ")))
		v = bracketed(v);
	if (v.n && v.p[0] == '"') {
		v = span_from(v, 1);
		v = span_head(v, span_chr(v, '"'));
	} else if (r->shape == SHAPE_NONE) { /* "%!v(PANIC=Error method: boom)" within a line */
		v = span_head(v, span_chr(v, ')'));
		v = span_head(v, span_chr(v, '"'));
	}
	copy_text(s->value, sizeof(s->value), v);
}

/* "recovered panic (net/http): …" */
static const char *source_of(struct span line, const struct row *r)
{
	struct span name = r->source ? (struct span){ 0 } : span_from(line, r->mark.n);

	name = span_head(name, span_find(name, r->end));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].source && span_eq(name, span_of(rows[i].source)))
			return rows[i].source;
	}
	return r->source ? r->source : "stack";
}

static bool begin_row(struct logscan *s, struct span line, int64_t offset)
{
	struct span v;
	const struct row *r = row_of(line, &v);

	if (!r)
		return false;
	s->row = r;
	s->source = source_of(line, r);
	s->offset = offset;
	s->before[0] = '\0';
	s->tabbed = false;
	take_value(s, r, v);
	s->mode = WAIT;
	s->left = r->wait;
	size_t at = span_find(line, S(" goroutine "));
	if (r->shape == SHAPE_GO && at != SPAN_NONE && is_header(span_from(line, at + 1)))
		stack_open(s, span_from(line, at + 1));
	else if (!r->wait)
		event_end(s);
	return true;
}

/* ---- a logger's last words ---- */

static bool begin_level(struct logscan *s, struct span line, int64_t offset)
{
	buf_clear(&s->said);
	enum loglevel l = loglevel_read(line, &s->said);

	if (l == LEVEL_OTHER)
		return false;
	copy_text(s->value, sizeof(s->value), buf_view(&s->said));
	s->offset = offset;
	crash_clear(&s->crash);
	if (l == LEVEL_FATAL) {
		tell(s, CAUSE_PROC_LOG_FATAL, loglevel_word(l));
		return true;
	}
	s->row = l == LEVEL_PANIC ? &level_panic : &level_dpanic;
	s->source = s->row->source;
	s->mode = WAIT;
	s->left = s->row->wait;
	return true;
}

/* Does the line tell better what became of the panic? Then it is the one that counts. */
static bool is_better(struct logscan *s, struct span line)
{
	struct goline g;
	struct span v;

	if (row_of(line, &v) || is_header(line))
		return true;
	goline_read(line, &g);
	return g.kind == LINE_PANIC || g.kind == LINE_FATAL || g.kind == LINE_FATAL_SIGNAL;
}

/* False: the line is not one that passes by while it is waited. */
static bool wait_level(struct logscan *s, struct span line)
{
	buf_clear(&s->said);
	if (is_better(s, line))
		s->mode = IDLE;
	else if (loglevel_read(line, &s->said) != LEVEL_OTHER || --s->left < 0)
		event_end(s);
	return s->mode != IDLE;
}

/* Text that a JSON line held, or a line of the log. */
static void scan_line(struct logscan *s, struct span line, int64_t offset);

static bool json_line(struct logscan *s, struct span line, int64_t offset)
{
	struct buf text = s->json;
	int64_t told = s->told;
	struct span v;

	buf_clear(&text);
	if (s->in_json || !line.n)
		return false;
	/* A text log quotes what has several lines: err="panic caught: boom\n\ngoroutine 7 [running]:\n…" */
	bool quoted = line.p[0] != '{' && span_find(line, S("\\ngoroutine ")) != SPAN_NONE;
	if (line.p[0] != '{' && !quoted)
		return false;
	bool stack = quoted ? (json_unescape(line, &text), true) : logline_json_stack(line, &text);
	const struct row *r = row_of(line, &v); /* the message may be in another field */
	s->json = (struct buf){ 0 };
	s->in_json = true;
	if (stack) {
		struct span rest = buf_view(&text);
		if (r && !row_of(rest, &v)) {
			begin_row(s, line, offset);
			v = span_of(s->value);
			copy_text(s->value, sizeof(s->value), span_head(v, span_chr(v, '"')));
		}
		while (rest.n)
			scan_line(s, span_cut(&rest, '\n'), offset);
	} else if (r) {
		begin_row(s, line, offset);
		v = span_of(s->value);
		copy_text(s->value, sizeof(s->value), span_head(v, span_chr(v, '"')));
	}
	event_end(s);
	s->in_json = false;
	buf_free(&s->json);
	s->json = text;
	if (s->told == told)
		begin_level(s, line, offset);
	return true;
}

/* "2026/11/21 17:52:44 worker failed: …" */
static struct span without_stamp(struct span s)
{
	size_t i = 0;

	while (i < s.n && memchr("0123456789/:. -TZ", s.p[i], 17))
		i++;
	return i > 8 ? span_from(s, i) : s;
}

static void idle_line(struct logscan *s, struct span line, int64_t offset)
{
	struct goline g;

	if (json_line(s, line, offset) || begin_row(s, line, offset))
		return;
	if (is_header(line)) {
		if (span_find(line, S("[running")) == SPAN_NONE)
			return;
		s->row = NULL;
		s->tabbed = false;
		s->offset = offset;
		copy_text(s->value, sizeof(s->value), without_stamp(span_of(s->before)));
		stack_open(s, line);
		return;
	}
	goline_read(line, &g);
	if ((g.kind == LINE_PANIC || g.kind == LINE_FATAL || g.kind == LINE_FATAL_SIGNAL) && crash_begin(&s->crash, &g, line)) {
		s->mode = CRASH;
		s->offset = offset;
		s->lines = 0;
		s->printed = s->panicked = s->step_over = s->fiber = false;
		s->first_frame = true;
		return;
	}
	if (!s->in_json)
		begin_level(s, line, offset);
}

static void scan_line(struct logscan *s, struct span line, int64_t offset)
{
	bool ours = true;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	switch (s->mode) {
	case IDLE:
		break;
	case WAIT:
		if (s->row == &level_panic || s->row == &level_dpanic) {
			if (wait_level(s, line))
				return;
			break;
		}
		if (!stack_begins(s, line) && --s->left < 0)
			event_end(s);
		return;
	case STACK:
		ours = stack_line(s, line);
		break;
	case CRASH:
		ours = feed_crash(s, line);
		break;
	}
	if (s->mode != IDLE && ours)
		return;
	if (s->mode != IDLE)
		event_end(s);
	if (line.n)
		idle_line(s, line, offset);
}

static void take_line(struct logscan *s, struct span line, int64_t offset)
{
	if (line.n && memchr(line.p, 0x1b, line.n)) {
		buf_clear(&s->clean);
		ansi_strip(line, &s->clean);
		line = buf_view(&s->clean);
	}
	scan_line(s, line, offset);
}

/* ---- bytes ---- */

static void part_add(struct logscan *s, struct span bytes, int64_t offset)
{
	if (!s->part.len && !s->cutting)
		s->line_at = offset;
	size_t room = LINE_KEPT - s->part.len;
	s->cutting |= bytes.n > room;
	buf_span(&s->part, span_head(bytes, room));
}

static void part_end(struct logscan *s)
{
	CLEANUP(buf_free) struct buf line = s->part;

	s->part = (struct buf){ 0 };
	s->cutting = false;
	if (s->mode != IDLE || find_word(s, line.p, line.p + line.len) != line.p + line.len)
		take_line(s, buf_view(&line), s->line_at);
}

/* What stood in the line before this one: who prints a stack mostly says why. */
static void note_before(struct logscan *s, const char *begin, const char *line)
{
	const char *end = line > begin ? line - 1 : begin, *nl = end > begin ? memrchr(begin, '\n', (size_t)(end - begin)) : NULL;

	copy_text(s->before, sizeof(s->before), (struct span){ nl ? nl + 1 : begin, (size_t)(end - (nl ? nl + 1 : begin)) });
}

void logscan_feed(struct logscan *s, struct span bytes)
{
	const char *p = bytes.p, *end = bytes.p + bytes.n, *nl;
	int64_t base = s->at;

	if (!bytes.n)
		return;
	s->at += (int64_t)bytes.n;
	if (s->part.len || s->cutting) {
		nl = memchr(p, '\n', bytes.n);
		part_add(s, (struct span){ p, (size_t)((nl ? nl : end) - p) }, base);
		if (!nl)
			return;
		part_end(s);
		p = nl + 1;
	}
	while (p < end) {
		const char *line = p;
		if (s->mode == IDLE) {
			const char *word = find_word(s, p, end), *before = memrchr(p, '\n', (size_t)(word - p));
			line = before ? before + 1 : p;
			if (word == end) {
				p = line;
				break;
			}
			note_before(s, bytes.p, line);
		}
		nl = memchr(line, '\n', (size_t)(end - line));
		p = line;
		if (!nl)
			break;
		take_line(s, (struct span){ line, (size_t)(nl - line) }, base + (line - bytes.p));
		p = nl + 1;
	}
	if (p < end)
		part_add(s, (struct span){ p, (size_t)(end - p) }, base + (p - bytes.p));
}

void logscan_end(struct logscan *s)
{
	if (s->part.len)
		part_end(s);
	event_end(s);
}

int logscan_new(logscan_fn *fn, void *ctx, struct logscan **ret, struct err *e)
{
	struct logscan *s = mem_zalloc(sizeof(*s));

	if (!s)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	s->fn = fn;
	s->ctx = ctx;
	words_make(&s->words, telling, ARRAY_LEN(telling));
	*ret = s;
	return 0;
}

void logscan_free(struct logscan *s)
{
	if (!s)
		return;
	buf_free(&s->part);
	buf_free(&s->clean);
	buf_free(&s->json);
	buf_free(&s->made);
	buf_free(&s->said);
	crash_free(&s->crash);
	map_free(&s->by_key);
	mem_free(s->kept);
	arena_free(&s->mem);
	mem_free(s);
}

bool logscan_found(const struct logscan *s)
{
	return s->n_kept > 0;
}

void logscan_findings(const struct logscan *s, struct report *r)
{
	for (size_t i = 0; i < s->n_kept; i++) {
		const struct seen *n = s->kept[i];
		struct finding *f = report_say(r, n->cause, "%s: %.*s", n->source, SPAN_ARG(n->value));
		if (!f)
			return;
		f->order = n->offset;
		f->count = n->count;
		if (n->cause == CAUSE_PROC_LOG_FATAL)
			f->severity = SEV_WARNING; /* it was to end the program; only an exit status shows that it did */
		f->file = n->file.n ? report_text(r, "%.*s", SPAN_ARG(n->file)) : (struct span){ 0 };
		f->line = n->line;
		f->excerpt = report_text(r, "%.*s", SPAN_ARG(n->stack));
	}
	if (s->more)
		list_add(&r->mem, &r->limits, report_text(r, TR("%lld more recovered panics are not told apart: at most %d are kept",
								"另有 %lld 次被恢复的 panic 未加区分：最多保留 %d 种"), (long long)s->more, KEPT_MAX).p);
}

void logscan_skip(struct logscan *s, int64_t n)
{
	s->at += n;
}

static void summarise(const struct logscan *s, struct report *r)
{
	int64_t panics = 0, last_words = 0;
	size_t kinds = 0;

	for (size_t i = 0; i < s->n_kept; i++) {
		bool word = s->kept[i]->cause == CAUSE_PROC_LOG_FATAL;
		*(word ? &last_words : &panics) += s->kept[i]->count;
		kinds += !word;
	}
	if (!last_words)
		r->summary = report_text(r, TR("recovered panics: %lld, %zu different", "被恢复的 panic：%lld 次，%zu 种"), (long long)panics, kinds).p;
	else if (!panics)
		r->summary = report_text(r, TR("lines with which a logger ends its program: %lld", "日志库据以终止程序的行：%lld"), (long long)last_words).p;
	else
		r->summary = report_text(r, TR("recovered panics: %lld, %zu different; lines with which a logger ends its program: %lld",
					       "被恢复的 panic：%lld 次，%zu 种；日志库据以终止程序的行：%lld"), (long long)panics, kinds, (long long)last_words).p;
}

void logscan_report(const struct logscan *s, struct report *r)
{
	enum cause died = CAUSE_NONE;

	if (!s->n_kept)
		return;
	logscan_findings(s, r);
	for (size_t i = 0; i < s->n_kept; i++) {
		enum cause c = s->kept[i]->cause;
		died = c == CAUSE_GO_PANIC_RECOVERED || c == CAUSE_PROC_LOG_FATAL ? died : c;
	}
	if (r->outcome != OUTCOME_NONE)
		return;
	r->evidence = TR("service log", "服务日志");
	if (died == CAUSE_NONE) {
		summarise(s, r);
		return;
	}
	r->outcome = OUTCOME_CRASHED;
	r->cause = died;
	r->summary = report_text(r, "%s", tx(cause_table[died].mean)).p;
}
