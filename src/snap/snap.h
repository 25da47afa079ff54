#ifndef SNAP_SNAP_H
#define SNAP_SNAP_H

#include "base/buf.h"
#include "base/redact.h"

/*
 * The evidence of one moment of a service, as a folder DIR/ID of plain files beside manifest.json (schema tocsin.snapshot/1): the
 * crash, the end of its log, what /proc says, and what net/http/pprof gives. Text is redacted; profiles are as they came. The
 * folders together stay below a budget: the oldest go first. Whole or not at all: it is made beside and renamed.
 */
#define SNAP_LOG (64 << 10)          /* bytes of the log that are kept */
#define SNAP_BUDGET (INT64_C(256) << 20)
#define SNAP_DUMP ((size_t)64 << 20) /* of a goroutine dump */

struct snap_request {
	const char *id;      /* ULID */
	int64_t at;          /* wall */
	const char *dir;     /* all snapshots; NULL: the user's state folder */
	int64_t budget;      /* bytes of all of them; 0: SNAP_BUDGET */
	const char *reason;  /* "crash", "hang", "recovered", "demand" */
	const char *run, *command, *cause, *fingerprint; /* NULL: not known */
	struct span message; /* one line */
	const struct redact *redact;
	struct span crash, log; /* absent: none */
	struct span proc;    /* taken before, of a process that is gone by now; absent: ask /proc/pid */
	int pid;             /* 0: it does not live any more */
	const char *pprof;   /* http://127.0.0.1:6060[/debug/pprof]; NULL: it is not asked */
	bool profile;        /* a CPU profile and a trace too: takes some seconds */
};

/*
 * Take it. *path: its folder; *dump: the goroutine dump, when pprof gave one (may be NULL). What is missing is said in the manifest,
 * under limits. An error: there is no snapshot.
 */
int snap_take(const struct snap_request *q, struct buf *path, struct buf *dump, struct err *e);
/* What /proc says of it now, as text with a headline for each file: some dozen small files, no waiting. Appends. */
void snap_proc(int pid, struct buf *ret);
/* Is this address one that only this machine answers on? -EINVAL: it is none. */
int snap_pprof_check(const char *url, bool anywhere, struct err *e);
int snap_dir(const char *dir, struct buf *ret, struct err *e); /* where they are kept, made when it is missing. Appends */

struct snap_row { /* one of them, by its manifest; strings live for the call */
	const char *id, *path;
	struct span manifest; /* its JSON */
	int64_t bytes;
};
typedef int snap_fn(void *ctx, const struct snap_row *row);
/* The oldest first. dir as above; fn returns 1 to stop. No folder: none. Their number. */
int snap_list(const char *dir, snap_fn *fn, void *ctx, struct err *e);
#endif
