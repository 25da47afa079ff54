#ifndef DIAGNOSE_GOROUTINES_H
#define DIAGNOSE_GOROUTINES_H

#include "model/report.h"
#include "parse/traceback.h"

/*
 * What a goroutine dump shows: groups, who waits for whom, what can never go on, what grows. Feed it a dump's bytes (or a log
 * that holds one), end it, ask it. Everything lives in g->mem or in the traceback until goroutines_free.
 */

/* What is wrong with a group, the gravest first. */
enum gowrong {
	GO_WRONG_NOT,
	GO_CROSSWISE,   /* locks in a circle */
	GO_SELF_LOCK,   /* the one that waits for the lock is the one that holds it */
	GO_RING,        /* channels in a circle: all who know the channel wait */
	GO_NIL_CHAN,    /* send or receive on a nil channel */
	GO_NO_CASES,    /* select {} outside of main */
	GO_NO_DONE,     /* WaitGroup.Wait, nobody is left to call Done */
	GO_ALL_BLOCKED, /* every goroutine of the user's waits for another one */
	GO_MARKED,      /* the runtime marked them as leaked */
	GO_ABANDONED,   /* chan send, the function that made it is on no stack: nobody receives */
	GO_NO_UNLOCK,   /* nobody who knows the lock is left to unlock it */
	GO_CONVOY,      /* many wait for one lock, whose holder is itself blocked */
	GO_CROWD,       /* suspiciously many with one stack */
	GO_STARVED,     /* many runnable, few blocked */
	GO_SYSCALLS,    /* many in system calls for minutes */
	GO_WRONGS,
};

struct gogroup { /* a bucket as people want it: equal normalised stack, wait and creator */
	const struct tb_bucket *bucket; /* the first of its buckets */
	int64_t count;                  /* that passed the filter */
	int64_t all;
	int minutes;                    /* the longest wait */
	int64_t id;                     /* an example, the one that waits longest */
	uint32_t place;                 /* where the user's code waits: the first frame that is own, else the first; TB_NONE */
	uint64_t key;                   /* normalised functions, wait and creator; no lines: equal across builds */
	bool own;                       /* holds a frame of the user's */
	bool system;                    /* the runtime's or a signal handler's, as goleak knows them */
	enum gowrong wrong;
};

#define GOKNOT_MEMBERS 8
struct goknot { /* one thing wrong */
	enum gowrong wrong;
	enum cause cause;
	bool certain;               /* else it is likely */
	int64_t count;              /* goroutines that it holds up */
	int minutes;
	uint64_t address;           /* of the lock or channel; 0: not known */
	const char *text;           /* a sentence, in the language that is set */
	struct {
		uint32_t goroutine; /* of tb_at; TB_NONE: only the group is known */
		uint32_t group;
		uint64_t waits_for, holds;
	} members[GOKNOT_MEMBERS];
	size_t n_members;
	int64_t more;               /* members that are not listed */
	uint32_t place;
};

struct gofilter {
	const char *focus, *ignore;
	/* one of: "RE" on functions and files, "state:RE", "creator:RE", "label:RE", "wait:10m" (at least) */
};

struct goseries;
struct gorule;

struct goroutines {
	struct traceback *t;
	struct arena mem;
	struct gogroup *groups;     /* the largest first */
	size_t n_groups;
	struct goknot *knots;       /* the gravest first */
	size_t n_knots;
	int64_t waits[TB_WAITS];    /* goroutines in each */
	int64_t count, shown;       /* all; that passed the filter */
	bool filtered;
	int64_t own;                /* of them with user code */
	const char *cwd;            /* set it: files below it are named relative to it; may be NULL */
	bool no_memory;
	struct goseries *series;    /* of several dumps in one text, each; NULL: it is one */
	struct gorule *rules;       /* the filter; its own */
	uint32_t *group_of;         /* of a bucket; its own */
	bool *own_place;            /* of a place; its own */
};

int goroutines_new(struct goroutines **ret, struct err *e);
/* What is looked at, before the first bytes; a bad expression is -EINVAL. */
int goroutines_filter(struct goroutines *g, const struct gofilter *f, struct err *e);
void goroutines_feed(struct goroutines *g, struct span bytes);
void goroutines_end(struct goroutines *g); /* the end of the bytes: analyse */
void goroutines_free(struct goroutines *g); /* NULL is fine */
/* Findings, and what was cut or could not be read, into r. all: suspicions too (a dump that is judged for itself). */
void goroutines_findings(const struct goroutines *g, struct report *r, bool all);
void goroutines_limits(const struct goroutines *g, struct report *r);

const char *gowrong_word(enum gowrong w);  /* "crosswise", for JSON */
const char *gowrong_title(enum gowrong w); /* for people */
/* "12,345 goroutines in 7 groups; 2 deadlocks" */
void goroutines_summary(const struct goroutines *g, struct buf *ret);
struct span goroutines_func(const struct goroutines *g, uint32_t place); /* its function's name */

/* ---- two dumps, many dumps ---- */

/* What of a dump outlives it: its groups by name. All memory is its own. */
struct godump_row {
	uint64_t key;
	int64_t count;
	int minutes;
	enum tb_wait wait;
	bool system;
	struct span func, at, status, creator;
	struct span stack; /* an excerpt */
};
struct godump {
	struct arena mem;
	const char *name;
	int64_t time;      /* ns since 1970, of the file; 0: not known */
	int64_t count;
	struct godump_row *rows;
	size_t n_rows;
};
int godump_make(const struct goroutines *g, const char *name, int64_t time, struct godump *ret);
void godump_free(struct godump *d);

struct gochange {
	const struct godump_row *row; /* of the newest dump that has it */
	int64_t before, after;        /* the first and the last dump's */
	double slope;                 /* a minute, or a dump when times say nothing; NAN: not known */
	bool per_minute, leak;        /* leak: it grew over at least 3 dumps and never fell */
	int points;
};
/* d[0] is the first. *ret is in mem: the largest change first, nothing that is equal. Number of rows; -ENOMEM. */
int64_t godumps_compare(const struct godump *d, size_t n, struct arena *mem, struct gochange **ret);
/* go.leak findings of it. */
void godumps_findings(size_t n, const struct gochange *c, size_t n_changes, struct report *r);

/* The dumps of one text, in their order. What each showed is kept, their goroutines are those of the largest alone. */
#define GOSERIES_MAX 64
#define GOSERIES_SAID 8
struct gosaid { /* one thing wrong */
	enum gowrong wrong;
	enum cause cause;
	bool certain;
	int line;
	struct span text, excerpt, file;
};
struct goseries {
	struct godump dumps[GOSERIES_MAX];
	struct {
		int64_t first, last; /* bytes */
		struct gosaid said[GOSERIES_SAID];
		size_t n_said;
	} parts[GOSERIES_MAX];
	size_t n;
	int64_t more;             /* dumps that there was no room for */
	struct gochange *changes; /* over all of them */
	size_t n_changes;
	struct arena mem;
};
#endif
