/* The texts of the events of one line of output, put together (see base/redact_rows.h). */
#include "base/redact_rows.h"

#include "base/mem.h"

enum {
	HEAD_MAX = 1200, /* of an event: what stands before its text */
	TAIL = 4         /* \n"} at the end of a line */
};

struct cut {
	size_t at, n; /* where in the window; how long, in texts */
};

struct redact_events {
	struct buf raw;  /* from `at` on: not decided yet */
	size_t at;
	bool inside;     /* the head of this line went on; else its beginning stands in raw */
	bool is_output;  /* this line is an event with text */
	bool open;       /* the event before it ended without the end of a line: its `"}` and the line end wait at the front of raw */
	struct buf head; /* of the event before */
	struct cut *cuts;
	size_t n, first, cap, from; /* from: of the first, in texts */
	struct buf texts;
};

struct redact_events *redact_events_new(void)
{
	return mem_zalloc(sizeof(struct redact_events));
}

void redact_events_free(struct redact_events *ev)
{
	if (!ev)
		return;
	if (ev->raw.p)
		explicit_bzero(ev->raw.p, ev->raw.cap);
	buf_free(&ev->raw);
	buf_free(&ev->head);
	buf_free(&ev->texts);
	mem_free(ev->cuts);
	mem_free(ev);
}

/* ---- what was taken out ---- */

static bool add_cut(struct redact_events *ev, size_t at, struct span text)
{
	if (!mem_grow(&ev->cuts, &ev->cap, ev->n, sizeof(*ev->cuts)))
		return false;
	buf_span(&ev->texts, text);
	if (ev->texts.bad)
		return false;
	ev->cuts[ev->n++] = (struct cut){ at, text.n };
	return true;
}

bool redact_events_cut(struct redact_events *ev, size_t until, size_t *at, struct span *text)
{
	if (ev->first == ev->n || ev->cuts[ev->first].at > until)
		return false;
	*at = ev->cuts[ev->first].at;
	*text = (struct span){ ev->texts.p + ev->from, ev->cuts[ev->first].n };
	ev->from += ev->cuts[ev->first++].n;
	return true;
}

void redact_events_shift(struct redact_events *ev, size_t by)
{
	size_t kept = 0;

	if (!ev)
		return;
	buf_drop(&ev->texts, ev->from);
	for (size_t i = ev->first; i < ev->n; i++) {
		ev->cuts[kept] = ev->cuts[i];
		ev->cuts[kept].at = ev->cuts[i].at > by ? ev->cuts[i].at - by : 0;
		kept++;
	}
	ev->n = kept;
	ev->first = ev->from = 0;
}

/* ---- the lines ---- */

/* Of the head, what says whose output it is: not when. */
static struct span identity(struct span head)
{
	size_t at = span_find(head, S("\"Action\":"));

	return at == SPAN_NONE ? head : span_from(head, at);
}

static struct span undecided(const struct redact_events *ev)
{
	return span_from(buf_view(&ev->raw), ev->at);
}

static void go(struct redact_events *ev, size_t n, struct buf *window)
{
	buf_add(window, ev->raw.p + ev->at, n);
	ev->at += n;
}

/* At the beginning of a line. true: it is decided what it is. */
static bool begin_line(struct redact_events *ev, bool end, struct buf *window)
{
	struct span rest = undecided(ev);
	size_t waits = 0;

	if (ev->open)
		waits = span_chr(rest, '\n') + 1;
	rest = span_from(rest, waits);
	if (!rest.n && !end)
		return false;
	struct span head = span_head(rest, HEAD_MAX);
	size_t nl = span_chr(head, '\n'), at = span_find(span_head(head, nl), S("\"Output\":\""));
	bool may_be = span_starts(rest, S("{"));
	if (may_be && at == SPAN_NONE && nl == SPAN_NONE && rest.n < HEAD_MAX && !end)
		return false;
	ev->is_output = may_be && at != SPAN_NONE;
	head = span_head(rest, ev->is_output ? at + 10 : 0);
	bool same = ev->is_output && ev->open && span_eq(identity(head), identity(buf_view(&ev->head)));
	if (ev->is_output) {
		buf_clear(&ev->head);
		buf_span(&ev->head, head);
		window->bad |= ev->head.bad;
	}
	if (same && add_cut(ev, window->len, span_head(undecided(ev), waits + head.n)))
		ev->at += waits + head.n;
	else
		go(ev, waits + head.n, window);
	ev->open = false;
	ev->inside = true;
	return true;
}

/* Up to the end of the line, as far as it is here; what may be its last bytes waits. true: the next line begins. */
static bool rest_of_line(struct redact_events *ev, bool end, struct buf *window)
{
	struct span rest = undecided(ev);
	size_t nl = span_chr(rest, '\n');

	if (nl == SPAN_NONE) {
		size_t waits = ev->is_output && !end ? TAIL : 0;
		go(ev, rest.n > waits ? rest.n - waits : 0, window);
		return false;
	}
	struct span line = span_head(rest, nl);
	if (span_ends(line, S("\r")))
		line.n--;
	ev->inside = false;
	ev->open = ev->is_output && span_ends(line, S("\"}")) && !span_ends(line, S("\\n\"}"));
	go(ev, ev->open ? line.n - 2 : nl + 1, window);
	return true;
}

void redact_events_feed(struct redact_events *ev, struct span bytes, bool end, struct buf *window)
{
	bool more = true;

	buf_span(&ev->raw, bytes);
	window->bad |= ev->raw.bad;
	while (more && !window->bad && ev->raw.len > ev->at)
		more = ev->inside ? rest_of_line(ev, end, window) : begin_line(ev, end, window);
	buf_drop(&ev->raw, ev->at);
	ev->at = 0;
}
