#ifndef CLI_VIEW_H
#define CLI_VIEW_H

#include "base/map.h"
#include "base/redact.h"
#include "cli/say.h"
#include "diagnose/judge.h"

/*
 * What is shown while a run lasts. A format is a row: what it prints for a notice. On a
 * terminal a live area (live.c) stands below it.
 */
struct view;
struct format {
	const char *name;
	struct tx help;
	bool raw;   /* the child's bytes untouched */
	bool quiet; /* nothing when it passed */
	bool live;  /* may have the live area */
	bool slow;  /* the last block lists slow and skipped tests */
	void (*notice)(struct view *v, const struct notice *n); /* NULL: nothing */
	void (*end)(struct view *v, const struct report *r);    /* before the last block; NULL: nothing */
};
extern const char *const view_format_names[]; /* NULL-terminated */
const struct format *view_format(const char *name);
bool view_format_row(size_t i, const char **name, struct tx *help); /* for the help; false: no more */
extern const struct format format_auto, format_raw, format_dots, format_pkgname, format_testname,
	format_verbose, format_quiet, format_github;

struct view_test {
	char *name;
	size_t n;
	int64_t since; /* ns, monotonic */
	bool paused;
};

struct view_pkg {
	char *name;
	size_t n;
	int64_t since;
	int64_t tests, failed, skipped; /* ended ones */
	bool started;                   /* its start was announced */
	char coverage[48];
	char last_failed[256]; /* name of a test */
	struct map running;    /* view_test by name; kept for the live area only */
};

struct view {
	const struct format *format;
	struct term out, err;
	struct buf text; /* what was made and not yet written */
	struct redact_stream out_clean, err_clean;
	struct buf clean;
	struct map pkgs; /* the open ones */
	int64_t pkgs_done, pkgs_started, pkgs_failed, tests, failed, skipped;
	int64_t pkgs_todo; /* how many there will be; 0: not known */
	int64_t since;
	size_t column;        /* dots: where the line stands */
	struct live *live;    /* NULL: none */
	const struct usual_times *usual; /* NULL: nothing is known; not ours */
	struct view_pkg *pkg; /* of the notice at hand; may be NULL */
};

/* todo: how many packages there will be, 0 when not known. */
int view_open(struct view *v, const struct format *f, bool streams, int64_t todo, struct err *e);
void view_notice(void *view, const struct notice *n); /* a notice_fn */
/* Bytes that the child wrote to stderr, when they are not relayed. redact: without secrets. */
void view_stderr(struct view *v, struct span bytes, bool redact);
/* v->text is without secrets from here on; to be written at once. */
void view_clean(struct view *v);
void view_flush(struct view *v); /* write what was made, unless a live area does it at the next tick */
void view_tick(struct view *v);
void view_resize(struct view *v);
/* A line of our own on stderr: "tocsin: …". */
void view_say(struct view *v, const char *text);
/* The live area goes, until the next tick. */
void view_pause(struct view *v);
/* One attempt has ended: nothing of it is running any more. */
void view_settle(struct view *v);
void view_close(struct view *v);
/* What the library knows of earlier runs (usual.h), for the live area; it must live as long as the view. */
struct usual_times;
void view_usual(struct view *v, const struct usual_times *u);

/* Pieces that several formats use. They add to v->text. */
void view_failed_test(struct view *v, const struct notice *n);
/* Its output without the frame lines. False: a parent that only echoes its subtest. */
bool view_failed_text(struct view *v, const struct notice *n, struct buf *ret);
void view_plain(struct view *v, const struct notice *n); /* stray lines, build output */
void view_pkg_line(struct view *v, const struct notice *n);
void view_name(struct view *v, const struct notice *n); /* "example.com/p TestA" */
void view_seconds(struct buf *b, double seconds);       /* " (0.12s)" */

/* live.c */
struct live *live_new(void);
void live_free(struct live *l);
void live_draw(struct live *l, struct view *v, int64_t now); /* writes v->text too */
void live_clear(struct live *l, struct view *v);
void live_resized(struct live *l, struct view *v);

/* The last block: the verdict (verdict.c). */
void verdict_print(const struct report *r, const struct format *f, const struct term *t, struct buf *ret);
#endif
