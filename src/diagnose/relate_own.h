#ifndef DIAGNOSE_RELATE_OWN_H
#define DIAGNOSE_RELATE_OWN_H

#include "base/mem.h"
#include "base/time.h"
#include "diagnose/relate.h"

#define FUNCS    16     /* of a subject's stack, innermost first */
#define ROWS     20000  /* functions of one profile */
#define ALL_ROWS 200000 /* of all of them */
#define STOOD    4096   /* goroutines of a dump that are kept one by one: larger ones are not asked */
#define FOUND    200    /* relations */

struct file {
	enum relate_kind kind;
	enum relate_clock clock;
	const char *name;
	int64_t from, to; /* when; from 0: an instant */
	int64_t grain;    /* how fine the log's times are */
	/* a profile */
	const char *profile; /* its kind */
	struct span unit, type;
	struct profile_row *rows;
	size_t n_rows;
	int64_t total;
	/* a dump */
	struct stood {
		int64_t id;
		const char *status;
		struct span root, func, at;
	} * stood;
	size_t n_stood;
};

/* A goroutine that crashed, or that can never go on. */
struct subject {
	size_t file;
	enum cause cause;
	bool crashed;
	int64_t id, at;           /* at: when, 0: as its file says */
	struct span funcs[FUNCS]; /* without the runtime's */
	size_t n_funcs;
	struct span creator;
};

struct relate {
	struct arena mem;
	struct file *files;
	size_t n_files, cap_files, n_rows;
	struct subject subjects[RELATE_SUBJECTS];
	size_t n_subjects, left_out;
	struct relation *found;
	size_t n_found, cap_found;
	struct list limits;
};

/* relate_say.c */
struct relation *relate_add(struct relate *r, const char *word, const struct subject *s, size_t a, size_t b);
void relate_set(struct relate *r, struct relation *x, struct buf *text);
void relate_who(const struct relate *r, const struct subject *s, struct buf *b);
void relate_when(const struct relation *x, const struct relate *r, size_t a, size_t b, struct buf *text);
void relate_say_time(struct relate *r, size_t a, size_t b);
void relate_say_row(struct relate *r, const struct subject *s, size_t file, const struct profile_row *row);
void relate_say_memory(struct relate *r, const struct subject *s, size_t file);
void relate_say_stood(struct relate *r, const struct subject *s, size_t file, const struct stood *g);
void relate_say_moments(struct relate *r, const struct subject *s, size_t file, const struct trace *t,
			const struct trace_watched *w);
/* How far apart: from a to b. False: it is not known. */
bool relate_gap(const struct relate *r, const struct subject *s, size_t a, size_t b, int64_t *gap);
#endif
