#ifndef DIAGNOSE_JUDGE_H
#define DIAGNOSE_JUDGE_H

#include "model/report.h"

/*
 * The judge: reads what a command wrote, hears how it and its nested commands ended, and gives one
 * report. Constant memory; the same evidence gives the same report, live or from a file.
 */
struct judge;

enum stream { STREAM_OUT, STREAM_ERR, STREAM_BOTH /* one pipe for both, or a saved log */ };

/* What a view wants to hear while it happens. Spans live for the call. */
enum notice_kind {
	NOTICE_PKG_START, NOTICE_PKG_END,     /* result, seconds, cached, text: the reason when it failed without a test */
	NOTICE_TEST_RUN, NOTICE_TEST_PAUSE, NOTICE_TEST_CONT,
	NOTICE_TEST_END,                      /* result, seconds; text: the output of a failed test (bounded) */
	NOTICE_OUTPUT,                        /* one piece of test or package output, unescaped, newline included */
	NOTICE_TEXT,                          /* a line that is not an event (no newline); stream says whose */
	NOTICE_BUILD,                         /* build-output text, newline included */
	NOTICE_FINDING,                       /* known already and not to be reversed: finding */
};
enum result { RESULT_NONE, RESULT_PASS, RESULT_FAIL, RESULT_SKIP };

struct notice {
	enum notice_kind kind;
	struct span package, test, text;
	enum result result;
	enum stream stream;
	double seconds; /* -1: not known */
	bool cached, no_tests;
	const struct finding *finding;
};
typedef void notice_fn(void *ctx, const struct notice *n);

struct judge_config {
	struct argv argv;       /* the command; n 0 for explain */
	bool explain;           /* no ending is known */
	bool json_out;          /* stdout was asked to be go test -json */
	bool strict;
	bool recovered;         /* look for panics that a program recovered, in text that is no test's: the caller does not do so itself */
	const char *cwd;        /* to make absolute file names relative; may be NULL */
	const char *module;     /* path of the main module and its directory below cwd ("" or "sub/"), so that a */
	const char *module_dir; /* bare x_test.go of a package becomes sub/pkg/x_test.go; may be NULL */
	const char *const *packages; /* the package arguments of a direct go test; NULL-terminated; may be NULL */
	notice_fn *notice;      /* may be NULL */
	void *notice_ctx;
	struct match *match;    /* lent: judges one after another can share one (match_new); NULL: one of its own */
};

int judge_new(const struct judge_config *c, struct judge **ret, struct err *e);
void judge_feed(struct judge *j, enum stream s, struct span bytes);
/* A nested go command ended (or was still running). Copied. */
void judge_nested(struct judge *j, const struct nested *n);
/* A finding that an inner `tocsin run` handed over: believed as far as the exit status agrees. Copied. */
void judge_inner(struct judge *j, const struct finding *f);
/* Something of our own worth a line in `limits`. Copied. */
void judge_limit(struct judge *j, const char *text);
/* A panic that --panics made visible. Copied. */
struct panic_note {
	struct span package, test, value, stack; /* stack: text as the runtime prints it */
	bool recovered;
};
void judge_panic(struct judge *j, const struct panic_note *p);
/*
 * The end: fills outcome, cause, summary, tests, findings, commands, limits, slowest, skipped of *r; the caller
 * has filled r->ending (how END_UNKNOWN for explain) and r->procs. exit_code is left to the caller.
 */
int judge_finish(struct judge *j, struct report *r, struct err *e);
/* The names of failed tests, for --rerun-fails: package by package. Valid until judge_free. */
struct failed_test {
	struct span package, test;
};
size_t judge_failed_tests(const struct judge *j, const struct failed_test **ret);
void judge_free(struct judge *j);
#endif
