#ifndef PARSE_CRASH_H
#define PARSE_CRASH_H

#include "base/buf.h"
#include "parse/goline.h"

/*
 * Collects the block that follows a panic, fatal error, signal report, test time-out or race warning,
 * line by line, in bounded memory (CRASH_TEXT bytes of text). What it keeps is chosen for a reader: the header,
 * the first goroutine with its own frames; the other goroutines are counted, not kept.
 */
enum crash_kind { CRASH_NONE, CRASH_PANIC, CRASH_FATAL, CRASH_SIGNAL, CRASH_TIMEOUT, CRASH_RACE };

#define CRASH_TEXT 4096
#define CRASH_FRAMES 16
#define CRASH_TESTS 16

struct crash_frame {
	char func[160]; /* as printed, without arguments */
	char file[200];
	int line;
	bool own;       /* not runtime, testing, standard library, module cache or vendor */
};

/* What is being collected of one goroutine; the best one becomes the crash's own. */
struct crash_stack {
	struct crash_frame frames[CRASH_FRAMES];
	int n_frames;
	int rank;            /* how likely it is the one to show */
	int64_t id;
	char status[48];
	char test[160];      /* the test function on it */
	char func[400];      /* of a frame that awaits its place */
	bool open, creator;  /* …there is one; it is "created by" */
	bool cut;            /* below a panic( */
	bool own, in_run;    /* holds own frames; waits in testing.(*T).Run for a subtest */
	int dropped;         /* frames that the excerpt leaves out */
	struct buf text;
	size_t text_frames;  /* where its frames begin in text */
};

struct crash {
	enum crash_kind kind; /* CRASH_NONE: only lines that go before a fatal error were seen so far */
	char value[512];     /* of the panic (the first of a chain: its root), fatal error or signal; the duration of a time-out */
	char signal[24];     /* "SIGSEGV" from [signal …] or a signal report */
	char goroutine[48];  /* status of the goroutine shown */
	bool recovered;      /* "[recovered]" was printed: the testing package's own re-panic */
	bool cgo;            /* "signal arrived during cgo execution", a PC outside Go */
	/*
	 * Of the panicking goroutine, panic( and above cut off; of a time-out, deadlock or signal: of the first goroutine
	 * that says most (own frames, best in a running test); of a race: of all its accesses, in order.
	 */
	struct crash_frame frames[CRASH_FRAMES];
	int n_frames;
	char tests[CRASH_TESTS][160]; /* time-out: the running tests, without their ages */
	int n_tests;
	int goroutines;      /* how many were printed; 0: the words stand alone, weak evidence */
	struct buf text;     /* the excerpt, complete after every line */
	int64_t lines;       /* of the block */
	/* its own */
	int state;
	bool blank;          /* the line before was empty */
	bool sent;           /* a signal that some process, perhaps itself, sent */
	bool chosen;         /* `now` is the goroutine shown */
	bool takes_over;     /* `now` is running too: the one before it was part of the panic's value */
	bool locked;         /* no other can become it */
	int rank;
	int plain;           /* lines of a value without form */
	char test[160];
	struct crash_stack now;
	struct buf head, body; /* what text is made of */
};

/*
 * Does this line begin a block? Then start one with it: what c held is forgotten. False leaves c as it was.
 * c must be zeroed or reused (its buffers are kept).
 */
bool crash_begin(struct crash *c, const struct goline *g, struct span line);
/* The next line. False: the block ended before this line, which is not part of it. */
bool crash_feed(struct crash *c, const struct goline *g, struct span line);
/* The first own frame, else the first frame; NULL when there is none. */
const struct crash_frame *crash_place(const struct crash *c);
/* A frame's function names a test: "example.com/p.TestA", "…TestA.func1": writes TestA. False: none does. */
bool crash_test(const struct crash *c, char *ret, size_t size);
void crash_clear(struct crash *c);
void crash_free(struct crash *c);
#endif
