#ifndef PARSE_LOGLINE_H
#define PARSE_LOGLINE_H

#include "base/buf.h"
#include "parse/lines.h"

/*
 * What collectors put around a line: "2026-11-21T02:00:00.1Z stderr F line" (CRI), {"log":"line\n","stream":…} (docker), journald
 * as text and as JSON, syslog (RFC 3164, RFC 5424), a time stamp and a blank (kubectl logs --timestamps, GitHub, docker logs -t),
 * compose's "name  | line". Stateless but for lines that came in parts (CRI's P, docker's without a newline).
 */
enum log_form {
	LOG_PLAIN, LOG_CRI, LOG_DOCKER, LOG_JOURNAL_JSON, LOG_SYSLOG, LOG_SYSLOG5, LOG_STAMP, LOG_COMPOSE,
	LOG_FORMS,
};
const char *log_form_name(enum log_form f); /* "CRI", "docker json-file", … */

/*
 * The form of a text's first lines: all of them have it (an unfinished last one aside). LOG_PLAIN: none. A stamp alone needs 3 lines.
 */
enum log_form logline_form(struct span head);
/* The line without its wrapping; raw JSON still needs json_unescape (*escaped). False: it has not that form. */
bool logline_read(enum log_form f, struct span line, struct span *payload, bool *escaped, bool *part);

/* A stream of wrapped lines to a stream of bytes, lines without the form as they are. */
struct unwrap {
	enum log_form form;
	struct lines lines;
	struct buf out;    /* give it on, then clear it */
	int64_t plain;     /* lines that had not the form */
	bool open;         /* a part without its end was given */
};
void unwrap_begin(struct unwrap *u, enum log_form f);
void unwrap_feed(struct unwrap *u, struct span bytes); /* appends to out */
void unwrap_end(struct unwrap *u);
void unwrap_free(struct unwrap *u);

/* The text of a JSON log line's fields that hold a stack: every string value with "goroutine " and escaped newlines in it. */
bool logline_json_stack(struct span line, struct buf *ret);
#endif
