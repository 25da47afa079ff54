#ifndef PARSE_PPROF_H
#define PARSE_PPROF_H

#include "base/buf.h"

/*
 * Profiles as pprof has them: profile.proto, unpacked, in memory. The tables (types, mappings, locations, functions, strings)
 * are read once; the samples stay bytes and are decoded one at a time, so that a profile costs little more than its file.
 * Hostile bytes are expected: what can be read is kept, what cannot is a flaw with its offset; ids may be sparse, repeated or
 * missing, fields in any order. Strings point into the text, which must live as long.
 */
#define PPROF_TEXT_MAX   ((size_t)512 << 20) /* bytes of a profile, unpacked */
#define PPROF_TABLES_MAX ((size_t)384 << 20) /* bytes of its tables in memory */
#define PPROF_TYPES      64                  /* values of a sample */
#define PPROF_DEPTH      65536               /* locations of a sample, from the leaf */
#define PPROF_FLAWS      8                   /* that are named; the others are counted */

struct pprof_type {
	struct span type, unit; /* "alloc_space", "bytes" */
};

struct pprof_mapping {
	uint64_t id, start, limit, offset;
	uint32_t file, build_id; /* strings */
	uint8_t has;             /* bits: functions, filenames, line numbers, inline frames */
};

struct pprof_function {
	uint64_t id;
	uint32_t name, system_name, file; /* strings */
	int64_t start_line;
};

#define PPROF_NONE UINT32_MAX

struct pprof_line {
	uint64_t id;       /* of the function */
	uint32_t function; /* its index; PPROF_NONE: none */
	int32_t column;
	int64_t line;
};

struct pprof_location {
	uint64_t id, address;
	uint32_t mapping;  /* index; PPROF_NONE: none */
	uint32_t first, n; /* of lines, the innermost inlined one first */
	bool folded;
};

struct pprof_flaw {
	size_t at; /* byte of the unpacked profile */
	struct tx what;
};

struct pprof_ids { /* id to index */
	uint32_t *dense;
	size_t n_dense;
	struct pprof_id *sparse;
	size_t n_sparse;
};

struct pprof {
	struct span text;
	struct pprof_type types[PPROF_TYPES];
	size_t n_types;
	struct pprof_mapping *mappings;
	struct pprof_location *locations; /* the last one stands for those that are missing: no line, no address */
	struct pprof_line *lines;
	struct pprof_function *functions;
	struct span *strings;
	size_t n_mappings, n_locations, n_lines, n_functions, n_strings;
	size_t n_samples;
	struct span drop_frames, keep_frames, default_type, doc_url;
	struct pprof_type period_type;
	int64_t period, time_ns, duration_ns;
	uint32_t *comments; /* strings */
	size_t n_comments;
	struct pprof_flaw flaws[PPROF_FLAWS];
	size_t n_flaws; /* may be more than are named */
	/* its own */
	struct pprof_ids location_ids;
	size_t end;    /* of what can be read of the text */
	size_t tables; /* bytes */
	size_t caps[6];
	bool full;     /* a table may grow no more */
	bool walked;   /* the flaws of its samples are known */
	uint32_t named[PPROF_TYPES + 1][2], texts[4]; /* strings, before they are known: types, the period's, drop_frames … */
};

struct pprof_label {
	struct span key, str, unit; /* str absent: it is a number */
	int64_t num;
};

struct pprof_sample {
	size_t at;                /* byte in the text */
	const uint32_t *locations; /* indices, the leaf first; always valid */
	size_t n_locations;
	const int64_t *values;    /* one for each type */
	struct span raw;          /* the message */
};

/* Samples one after the other. {.p = profile} begins; a walk notes the flaws it meets. */
struct pprof_walk {
	struct pprof *p;
	size_t at;
	uint32_t *locations;
	size_t cap;
	int64_t values[PPROF_TYPES];
	bool bad; /* memory was out */
};

/* Could these be the first bytes of a profile? */
bool pprof_looks_like(struct span head);
/* Reads the tables. An error only when there is nothing to read at all, or no memory; p is to be freed anyway. */
int pprof_read(struct pprof *p, struct span text, struct err *e);
bool pprof_next(struct pprof_walk *w, struct pprof_sample *ret);
void pprof_walk_end(struct pprof_walk *w);
/* The labels of a sample: size_t at = 0; while (pprof_label(p, &sample, &at, &label)) … */
bool pprof_label(const struct pprof *p, const struct pprof_sample *s, size_t *at, struct pprof_label *ret);
struct span pprof_string(const struct pprof *p, uint32_t i); /* absent: there is no such string */
void pprof_free(struct pprof *p);

/*
 * The text forms of net/http/pprof?debug=1 and of older tools (goroutine, threadcreate, heap, allocs, mutex, block), written anew as
 * profile.proto. Lines that cannot be read are left out; *flaw says where the first one is (what.en NULL: none).
 */
bool pprof_text_looks_like(struct span head);
int pprof_text_convert(struct span text, struct buf *ret, struct pprof_flaw *flaw, struct err *e);
#endif
