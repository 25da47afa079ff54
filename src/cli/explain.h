#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/opt.h"
#include "cli/say.h"
#include "diagnose/relate.h"
#include "model/report.h"

/* What `tocsin explain` was asked for. */
struct explain_values {
	const char *report, *junit, *markdown;
	const char *diff;                   /* an earlier one, to compare with */
	const char *flame, *timeline, *folded, *pprof;
	const char *window;                 /* of a timeline: FROM..TO since the trace's begin */
	const char *focus, *ignore, *hide;  /* regular expressions */
	const char *sample;                 /* which of the values of a profile */
	int64_t top;                        /* entries of a table; -1: not said; 0: all */
	bool json, strict, normalize;
	int64_t exit_code;                  /* -1: not said */
	const char *cwd;                    /* set by explain itself; may be NULL */
	bool many;                          /* more than one file; set by explain itself */
};

struct input;
struct json_out;

/*
 * Evidence that is no log: a row of cmd_explain.c's table each. Its state lives over all files of one call, so that
 * files of a kind can be compared.
 */
struct kind {
	const char *member;                      /* of the report's JSON, which holds what json() writes */
	bool (*looks)(struct span head);         /* at the first 64 KiB, unpacked */
	void *(*open)(const struct explain_values *o, struct err *e);
	/*
	 * One file: r gets evidence, summary, findings, limits. What could be read is kept when it fails: then r is judged
	 * all the same, and the status is 2.
	 */
	int (*read)(void *k, struct input *in, struct report *r, struct err *e);
	/* For people, below the verdict; `all`: of what sum() said, else of the file that was read last. */
	void (*print)(void *k, bool all, const struct term *t, struct buf *b);
	void (*json)(void *k, bool all, struct json_out *j); /* one value */
	/* After the last file: what several of them say together. False: there is nothing to say. */
	bool (*sum)(void *k, struct report *r);
	/* After that: the files that the flags ask for. */
	int (*write)(void *k, struct err *e);
	void (*close)(void *k);
	/* For the relations, with several files: what relate_file was just told of, whose read() has ended. */
	void (*facts)(void *k, struct relate *rel);
	/* After the last file: what has to be looked for in a second reading; may be NULL. */
	void (*again)(void *k, struct relate *rel);
};

/* Of several files that one flag asks for: "t.svg" and "2" is "t-2.svg"; "p.pb.gz" is "p-heap.pb.gz". */
void explain_name(const char *path, const char *which, struct buf *ret);
int64_t explain_file_time(const char *name); /* when it was written last, ns since 1970; 0: not known */
void relations_text(const struct relation *v, size_t n, const struct term *t, struct buf *b);
void relations_markdown(const struct relation *v, size_t n, struct buf *b);
void relations_json(const struct relation *v, size_t n, struct json_out *j);

extern const struct kind kind_goroutines; /* explain_goroutines.c */
extern const struct kind kind_profile; /* show_profile.c */
extern const struct kind kind_trace; /* explain_trace.c */
#endif
