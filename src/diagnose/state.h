#ifndef DIAGNOSE_STATE_H
#define DIAGNOSE_STATE_H

/* The judge's own memory: what is known of packages, tests, builds and the text around them. */

#include "base/map.h"
#include "diagnose/judge.h"
#include "diagnose/match.h"
#include "parse/crash.h"
#include "parse/goline.h"
#include "parse/gotest.h"
#include "parse/lines.h"

/* Every bound of the judge. What is cut is said in the report's limits. */
enum {
	OUT_MAX = 12288,          /* kept output of one running test, or of a package outside its tests */
	OUT_HEAD = 4096,          /* of which the first bytes; the rest is the newest */
	HEAD_MAX = 1500,          /* the first lines of a stream's text */
	OUT_TOTAL = 12 << 20,     /* of all running tests together */
	EXCERPT_MAX = 4096,
	BLOCK_MAX = 8192,         /* one build block or error of the go command */
	BLOCK_LINES = 200,
	TAIL_MAX = 16384,         /* the newest text of a stream */
	FINDINGS_MAX = 1000,
	FAILED_MAX = 1000,        /* failed tests of one package that are kept with their output */
	PLACES_MAX = 200,
	PACKAGES_MAX = 100000,
	BUILDS_MAX = 2000,
	SLOWEST_MAX = 10,
	SKIPPED_MAX = 200,
	LINE_MAX_KEPT = 1 << 20,
};

struct kept { /* output in bounded memory */
	struct buf b;        /* still escaped when it came from JSON */
	struct buf said;     /* log lines from the gap */
	size_t head;         /* b's bytes in front of the gap */
	int64_t lines;       /* all that were added */
	int looked;          /* lines that were read on their way out */
	bool cut, escaped;   /* cut: there is a gap */
};

struct jtest {
	struct jtest *next;
	char *name;
	size_t name_len, name_cap;
	struct kept out;
	bool folded, ran, framed, child_failed, midline, race, fuzz;
	enum result result;
	double seconds;
	int64_t order;
};

struct pkg_place { /* a failed test, remembered by name for --rerun-fails */
	struct span package, test;
};

struct jpkg {
	char *name;          /* NULL: text, not known yet */
	struct map tests;    /* running, by name */
	struct jtest *current;
	struct jtest *failed, **failed_end, *last_failed; /* in order */
	size_t n_failed_kept;
	int64_t passed, n_failed, skipped, ghosts;
	struct kept out;     /* outside tests; unescaped */
	struct crash *crash, *race;
	bool crash_open, race_open;
	char crash_test[200]; /* the test that the crash's text was credited to */
	char printed_panic[200]; /* a test that printed the stack of a recovered panic */
	char unframed[200];  /* a test that passed without saying so */
	char signal[24];
	char reason[64];     /* "[build failed]" */
	int exit_status;     /* -1: not printed */
	int races;
	bool started, ended, soft, midline, pass_line, fail_line, no_tests, no_files, cached, verbose, after_end;
	bool said_failed;    /* its last word is its own "FAIL\tpkg\t0.1s" */
	bool fuzz, race_outside, io_incomplete, wedged, os_exit_0, goexit, printed_stack;
	int64_t order;
};

struct block_place { /* `at` counts into block.files */
	size_t at, n;
	int line;
};

/* A build block or an error of the go command, with its continuation lines. */
enum block_kind { BLOCK_NONE, BLOCK_BUILD, BLOCK_GO, BLOCK_DIAG };
struct block {
	enum block_kind kind;
	struct buf text;
	char package[300];
	struct block_place places[10];
	struct buf files;
	size_t n_places;
	int column, lines;
	bool second, vet, failed, used, generate;
	bool is_test;
	struct buf message;
	int64_t order;
};

struct jbuild { /* one BuildEvent.ImportPath */
	char *id;
	struct block block;
	bool failed;
	int finding;         /* index, -1: none yet */
	bool midline;
	struct buf line;
};

struct judge;
struct text_ctx {
	struct judge *j;
	enum stream stream;
	struct lines lines;
	struct jpkg pkg;     /* the package whose text this is, named at its end */
	struct block block;
	struct jtest *logs_of; /* text mode: the failed test whose log lines follow */
	struct buf tail, clean;
	struct buf head;     /* the first lines since the last package ended */
	int64_t since_lines, since_bytes, head_lines; /* since then, and of head */
	char not_found[200];   /* a shell's "foo: not found" */
	char loader[300];
	bool any;            /* something was read */
	bool esc;            /* the lines at hand may hold ANSI sequences */
	bool vet_json;
	bool marked;           /* frames of this test binary begin with ^V */
	char vet_json_pkg[200];
};

struct jfinding {
	struct finding f;
	bool soft;           /* words in text: a failure only when the exit status agrees */
	bool from_test;      /* belongs to a test binary */
	bool stops;          /* how the run itself was ended: always the primary cause */
	int64_t cascade;     /* how many more places it took down than are listed */
};

struct judge {
	struct judge_config cfg;
	struct logscan *scan[3]; /* for recovered panics; NULL: not looked for */
	struct arena mem;
	struct match *match;
	struct text_ctx text[3];
	struct map packages, builds;
	struct jpkg *last_pkg;
	struct jtest *pool;
	bool finished;
	struct buf scratch, scratch2;
	struct jfinding *findings;
	size_t n_findings;
	int64_t dropped_findings;
	struct nested *nested;
	size_t n_nested, cap_nested;
	struct finding *inner; /* of inner runs */
	size_t n_inner, cap_inner;
	struct panic_note *panics;
	size_t n_panics, cap_panics;
	struct failed_test *failed;
	size_t n_failed, cap_failed;
	struct list limits;
	struct named_time slowest[SLOWEST_MAX], skipped[SKIPPED_MAX];
	size_t n_slowest, n_skipped;
	int64_t skipped_total;
	/* sums over ended packages */
	int64_t packages_seen, packages_ok, packages_failed, packages_no_files, packages_no_tests, cached;
	int64_t run, passed, n_failed_tests, skipped_tests, unfinished;
	int64_t truly_run;   /* without skipped ones and those of packages that said "no tests to run" */
	int64_t json_events, text_events, verbose_packages, quiet_packages;
	bool is_go_test, is_go_vet, is_go_vet_json, asked_verbose;
	bool no_packages_to_test;
	int exit_status_seen;    /* the last "exit status N" of text, -1: none */
	char signal_seen[24];    /* the last "signal: X" of text */
	char make_error[200];
	struct buf unblamed;     /* packages whose build failed before its diagnostics were read: NUL-separated */
	struct buf requested_seen; /* names of packages that ended, for "asked for and never run": NUL-separated */
	size_t out_total;
	int64_t order;
	bool no_memory;
};

/* evidence.c: blocks and findings */
struct jfinding *finding_new(struct judge *j, enum cause c, bool soft);
void finding_text(struct judge *j, struct span *to, struct span text); /* copies; cleaned, at most EXCERPT_MAX */
void finding_line(struct judge *j, struct span *to, struct span text); /* copies; one line */
void finding_place(struct judge *j, struct jfinding *f, struct span package, struct span file, int line);
void finding_file(struct judge *j, struct jfinding *f, struct span package, struct span file, int line);
void finding_say(struct judge *j, struct jfinding *f); /* tells the view, when it is certain */
void limit_say(struct judge *j, const char *text);
void block_open(struct block *b, enum block_kind kind, const struct goline *g, int64_t order);
void block_line(struct block *b, const struct goline *g, struct span line);
struct jfinding *block_finding(struct judge *j, struct block *b, bool soft, bool go_vet);
void block_clear(struct block *b);
void block_free(struct block *b);
enum cause crash_cause(const struct crash *c, bool in_test);

/* excerpt.c: EXCERPT_TEST shows the first failure with its context, EXCERPT_ENDS how it began and how it ended */
enum excerpt_kind { EXCERPT_TEST, EXCERPT_ENDS };
void excerpt_make(struct judge *j, struct span text, enum excerpt_kind kind, struct span *ret);
bool says_failure(struct span s);
void test_message(struct span out, struct span *message, struct span *file, int *line);
size_t tail_cut(struct span text, size_t from); /* where to begin: at or behind `from`, a line if one begins soon, not within a secret */
void gap_add(struct buf *b, int64_t lines); /* "… 12 lines left out …"; 0: how many is not known */

/* kept.c */
void kept_add(struct kept *k, struct span raw);
size_t kept_size(const struct kept *k);
/* Unescaped, with a mark where lines are left out: in *room, or where it is. */
struct span kept_text(const struct kept *k, struct buf *room);
void kept_clear(struct kept *k); /* memory of common size is kept */
void kept_free(struct kept *k);

/* package.c */
struct jpkg *pkg_get(struct judge *j, struct span name);
void pkg_reset(struct judge *j, struct jpkg *p);
void pkg_free(struct judge *j, struct jpkg *p);
struct jtest *test_start(struct judge *j, struct jpkg *p, struct span name);
void test_append(struct judge *j, struct jtest *t, struct span raw);
void test_end(struct judge *j, struct jpkg *p, struct span name, enum result result, double seconds);
/* One line of a package's output; t NULL: outside its tests. */
void pkg_line(struct judge *j, struct jpkg *p, struct jtest *t, const struct goline *g, struct span line);
void pkg_end(struct judge *j, struct jpkg *p, enum result result, double seconds, struct span failed_build);
void pool_free(struct judge *j);

/* event.c */
void event_take(struct judge *j, const struct gotest_event *ev);
void builds_end(struct judge *j);
bool blame_build(struct judge *j, struct span package, bool soft, struct span failed_build);

/* text.c */
void text_line(struct text_ctx *x, struct span line, bool cut);
void text_end(struct text_ctx *x);
/* The last line by which a logger ended its program; absent: there is none. */
struct span text_logged_fatal(struct span text);
bool text_ends(const struct text_ctx *x, struct span tail, size_t max, struct buf *ret);

/* package.c, at the very end: packages that never ended */
void pkg_abandon(struct judge *j, struct jpkg *p, bool said_success);

/* masked.c */
void masked_add(struct judge *j, struct nested *n);

/* recovered.c: after doubt about what was printed; findings for what scan saw */
void recovered_add(struct judge *j);

/* verdict.c */
int verdict_make(struct judge *j, struct report *r, struct err *e);

static inline void notify(struct judge *j, const struct notice *n)
{
	if (j->cfg.notice)
		j->cfg.notice(j->cfg.notice_ctx, n);
}

static inline void name_copy(char *to, size_t size, struct span s)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
}
#endif
