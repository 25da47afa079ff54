#ifndef DIAGNOSE_RELATE_H
#define DIAGNOSE_RELATE_H

#include "diagnose/goroutines.h"
#include "diagnose/logclock.h"
#include "diagnose/profile.h"
#include "diagnose/trace.h"
#include "model/report.h"

/*
 * What several files say of one moment: who crashed or is stuck, in the profile beside it and in the trace of the same second. The
 * facts of each file are collected while it is read, and are small; relations are made of them at the end.
 *
 * A relation needs proof. A goroutine is the same when its number and the function that it started in are. Functions are the same
 * by name. Files that are more than RELATE_NEAR apart by their own times are not related.
 */
#define RELATE_NEAR     (600 * NSEC_PER_SEC)
#define RELATE_FILES    256
#define RELATE_SUBJECTS 16 /* goroutines that crashed or are stuck */

enum relate_kind { RELATE_LOG, RELATE_DUMP, RELATE_PROFILE, RELATE_TRACE };
enum relate_clock {
	RELATE_NO_CLOCK,
	RELATE_FILE_CLOCK, /* when the file was written last: it may be a copy */
	RELATE_OWN_CLOCK,  /* the evidence says it */
};

struct relation {
	const char *word; /* "time", "goroutine", "function", "memory" */
	const char *files[2];
	const char *text;     /* a sentence, in the language that is set */
	int64_t goroutine;    /* 0: none */
	struct span function; /* absent: none */
	int64_t gap;          /* ns from the first file to the second; below 0: the second is earlier */
	bool timed;           /* gap is known */
};

struct relate;
int relate_new(struct relate **ret, struct err *e);
/* A file that was read; what follows is of it. from 0: to is an instant. file_time: when it was written, 0: not known. */
void relate_file(struct relate *r, enum relate_kind kind, const char *name, int64_t file_time);
void relate_log(struct relate *r, const struct logclock *c, const struct report *found);
void relate_dump(struct relate *r, const struct goroutines *g); /* also one within a log */
void relate_profile(struct relate *r, const struct profile_info *i, struct pprof_type type,
		    const struct profile_rows *rows);
void relate_trace(struct relate *r, const struct trace *t);
/* The goroutines that trace `name` has to be asked for, by reading it again with trace_config.watch. Their number. */
size_t relate_ask(const struct relate *r, const char *name, uint64_t ids[RELATE_SUBJECTS]);
void relate_answer(struct relate *r, const char *name, const struct trace *t);
/* The end: how many; *ret lives until relate_free. */
size_t relate_end(struct relate *r, const struct relation **ret);
const struct list *relate_limits(const struct relate *r); /* sentences */
void relate_free(struct relate *r);                       /* NULL is fine */
#endif
