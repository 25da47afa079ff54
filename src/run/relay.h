#ifndef RUN_RELAY_H
#define RUN_RELAY_H

#include "base/redact.h"
#include "run/run.h"

/*
 * The child's output: read from our pipes, shown to `bytes`, written on untouched. What cannot be
 * written at once is waited for, and nothing more is read from that pipe meanwhile: so a slow reader
 * slows the child. A reader that went away closes our end of the child's pipe.
 */
struct sink {
	int fd;               /* -1: nobody is to get it */
	enum { SINK_NONE, SINK_PLAIN, SINK_NONBLOCK, SINK_SOCKET, SINK_CAREFUL } kind;
	bool own;             /* fd was opened by us */
	bool polled;          /* its errors and room are told by the loop */
	bool eager;           /* without a reader there will never be one again: the child may know at once */
	int broken;           /* the errno of the write that failed */
	struct watch *watch;
	struct source *from;
};

struct source {
	struct relay *relay;
	enum stream stream;
	int fd;               /* -1: at its end, or closed */
	struct watch *watch;
	struct sink sink;
	char *data;
	size_t cap, at, len;  /* what is still to be written: data[at..len), of `shown` when it redacts */
	bool redacts;
	struct redact_stream clean;
	struct buf shown;
	struct watch *idle;   /* somebody may wait for what is held back: a prompt */
	bool big;
	uint64_t inode;       /* of the pipe, to find who holds it */
};

struct relay {
	struct loop *loop;
	run_bytes_fn *bytes;
	void *ctx;
	bool redacts;         /* what is written on is without secrets; `bytes` gets all */
	struct source source[2];
	size_t n;
	int64_t last;         /* when something was read; CLOCK_MONOTONIC */
	uint64_t total;
};

/* Are our stdout and stderr one open file, so that the order between them matters? */
bool relay_same_output(void);
/* Make the pipes: *child_out and *child_err are the child's ends, to be closed after the fork; -1: none. */
int relay_pipes(struct relay *r, const struct run_config *c, int *child_out, int *child_err, struct err *e);
/* One source that exists already (the master of a pty). */
int relay_adopt(struct relay *r, int fd, bool relayed, struct err *e);
int relay_start(struct relay *r, struct err *e); /* begin to listen */
bool relay_at_end(const struct relay *r); /* all read and written */
bool relay_pending(const struct relay *r); /* something read is still to be written */
/* Bytes that lie in the pipes now. */
size_t relay_unread(const struct relay *r);
void relay_close(struct relay *r);
#endif
