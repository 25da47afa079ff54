#ifndef PARSE_GOTEST_H
#define PARSE_GOTEST_H

#include "base/buf.h"
#include "base/span.h"

/*
 * One line of a `go test -json` / `go build -json` stream (test2json, Go 1.10 to the newest).
 * Source of the format: `go doc test2json`, `go help buildjson`; facts in the Go sources cmd/internal/test2json.
 */
enum gotest_action {
	ACT_UNKNOWN, ACT_START, ACT_RUN, ACT_PAUSE, ACT_CONT, ACT_OUTPUT, ACT_PASS, ACT_FAIL, ACT_SKIP, ACT_BENCH,
	ACT_BUILD_OUTPUT, ACT_BUILD_FAIL, ACT_ATTR, ACT_ARTIFACTS,
	ACT_COUNT,
};

struct jstr { /* the body of a JSON string, still escaped */
	const char *p;
	size_t n;
	bool esc;  /* holds a backslash somewhere */
	bool tail_nl; /* its only escape is the \n at its end: p[0..n-2) is plain text */
};

struct gotest_event {
	enum gotest_action action;
	struct jstr time, package, test, output, failed_build, import_path, key, value, path, output_type;
	double elapsed; /* seconds; -1: absent */
};

/*
 * Read one line (without its newline; a CR at its end is fine). True: it is an event, the spans point
 * into the line. False: not one: plain text, another JSON object, or broken. Unknown fields and actions
 * are stepped over. No allocation.
 */
bool gotest_read(struct span line, struct gotest_event *ret);

/* The text of s: s itself when it has no escape, else unescaped into scratch (cleared first). */
struct span jstr_text(struct jstr s, struct buf *scratch);

/* Cheap test, for mixed text: might this line be an event? */
static inline bool gotest_maybe(struct span line)
{
	return line.n > 12 && line.p[0] == '{' && line.p[line.n - 1] == '}';
}
#endif
