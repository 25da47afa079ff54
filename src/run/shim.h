#ifndef RUN_SHIM_H
#define RUN_SHIM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * What the shim (this program, called by the name `go`) and the run tell each other. One connection a
 * call, on an abstract SEQPACKET socket: a packet is one shim_msg and `words` strings, each with its NUL.
 */
#define SHIM_MAGIC "TSN1"
#define SHIM_PACKET 8192
#define SHIM_LEVELS 4 /* runs inside runs that are told */

enum shim_kind {
	SHIM_START = 'S',   /* words: TOCSIN_RUN, directory, platform, argv… */
	SHIM_CALLER = 'C',  /* pid of the real go; words: the calling script, "" when not known */
	SHIM_END = 'E',     /* how it ended */
	SHIM_NOTE = 'N',    /* --panics has something to say; words: the record, a Go version that is built or "", a text */
	SHIM_FINDING = 'F', /* one finding of an inner `tocsin run`; words: inner.c */
	SHIM_VERDICT = 'V', /* of an inner `tocsin run`; words: its id, directory, pids that are settled, argv… */
};
enum shim_flag { SHIM_ALLOW = 1, SHIM_BELOW_TEST = 2, SHIM_CUT = 4 /* argv was too long to tell */ };

struct shim_msg {
	char magic[4];
	uint8_t kind, flags;
	uint16_t words;
	int32_t pid, code, sig;
	int64_t mono; /* CLOCK_MONOTONIC, ns */
};

struct shim_packet { /* being made */
	struct shim_msg m;
	char text[SHIM_PACKET - sizeof(struct shim_msg)];
	size_t len; /* of text */
};
void shim_packet_start(struct shim_packet *p, enum shim_kind kind);
bool shim_packet_word(struct shim_packet *p, const char *word); /* false: no room, nothing added */
int shim_connect(const char *name, size_t n); /* a descriptor, or -errno; never blocks for more than a moment */
bool shim_send(int fd, const struct shim_packet *p);

/* Is that a go command whose failure matters when nobody hears of it? Index of the subcommand, or 0. */
size_t shim_matters(char *const *argv);

/*
 * The `go` that would be found without us: along `path`, behind the folder `own`, none of the n files
 * `not_these` (the first is this program), nor another shim. 0, or ENOENT; EACCES: only files were found that
 * may not be executed.
 */
struct file_id {
	dev_t dev;
	ino_t ino;
};
int shim_find_go(const char *path, const char *own, size_t own_n, const struct file_id *not_these, size_t n, char ret[PATH_MAX]);

/* ---- callers.c: who called, read from /proc ---- */
struct callers {
	char script[512];        /* the nearest command above that is no `sh -c`; "" when there is none */
	int test_at;             /* steps up to a Go test binary; INT_MAX: there is none */
	int run_at[SHIM_LEVELS]; /* steps up to these runs; INT_MAX */
};
/* From the parent of pid upwards, until the last of the runs is met. */
void callers_read(int pid, const int *runs, size_t n_runs, struct callers *ret);
int callers_parent(int pid); /* 0: not known */
/* Text of /proc/PID/NAME, NUL-terminated; length, or -1. */
long callers_slurp(int pid, const char *name, char *buf, size_t size);
bool callers_exe(int pid, char ret[PATH_MAX]); /* without " (deleted)" */
bool callers_same_program(int pid, const struct stat *self);
#endif
