#ifndef DIAGNOSE_PROFILE_H
#define DIAGNOSE_PROFILE_H

#include "model/report.h"
#include "parse/pprof.h"

/*
 * Profiles of one question: added one after the other, each read and let go, so that only sums stay. Those with the same
 * kind of value form a group, within which they are merged, compared with the base and watched for growth. Functions are
 * known by their names, whatever the build.
 */
#define PROFILE_NODES ((size_t)1 << 20) /* calls in a call tree; deeper ones count for their callers beyond it */
#define PROFILE_GROUPS 8
#define PROFILE_SITES ((size_t)8 << 20) /* values that are kept for the trends */
#define PROFILE_WORST 5                 /* trends that become findings */

struct profile_config {
	const char *sample;                 /* NULL: the profile's own default, else its last */
	const char *focus, *ignore, *hide;  /* PCRE2; may be NULL */
	bool normalize;                     /* scale what is compared to the base's total */
	bool tree;                          /* call trees are wanted */
	bool merge;                         /* profiles_write is wanted */
};

/* The profile that was added last. */
struct profile_info {
	const char *kind;       /* "cpu", "heap", "allocs", "goroutine", "goroutineleak", "threadcreate", "block", "mutex"; else "" */
	size_t group;
	size_t n_samples;
	int64_t time_ns, duration_ns;
	int64_t total;          /* of all values, as absolutes */
	bool cut;               /* not all of it could be read */
	struct pprof_flaw flaws[PPROF_FLAWS];
	size_t n_flaws;
	struct list limits;     /* sentences, in the memory of the set */
	struct list types;      /* "cpu/nanoseconds" */
};

struct profile_row {
	struct span name;
	int64_t flat, cum;           /* when compared: what was added since the base */
	int64_t base_flat, base_cum;
};

struct profile_rows {
	struct profile_row *v;
	size_t n;
	int64_t total;   /* what the percentages are of */
	int64_t shown;   /* the flat values, added up */
};

/* One line of a trend: what grew from profile to profile, in order of time. */
struct profile_trend {
	struct span site, file;
	int line;
	const int64_t *values;
	size_t n;
	int64_t growth;       /* the last without the first */
	double slope;         /* each minute, or each profile when their times are not known */
	bool by_time, leak;
	struct span stack;    /* "main.leak ← main.serve ← main.main" */
};

struct profiles;
int profiles_new(const struct profile_config *c, struct profiles **ret, struct err *e);
/* text: unpacked, proto or text, only needed during the call. What can be read of it counts, also when this fails. */
int profiles_add(struct profiles *s, struct span text, bool base, struct profile_info *ret, struct err *e);
size_t profiles_groups(const struct profiles *s);
size_t profiles_files(const struct profiles *s, size_t group); /* without the base */
bool profiles_compared(const struct profiles *s, size_t group); /* there is a base */
struct pprof_type profiles_type(const struct profiles *s, size_t group);
const char *profiles_kind(const struct profiles *s, size_t group);
double profiles_scale(const struct profiles *s, size_t group); /* 1: nothing was scaled */

/* The largest entries, n 0: all. last: of the profile that was added last; else of its group. ret->v is the caller's, mem_free. */
int profiles_top(struct profiles *s, size_t group, bool last, size_t n, struct profile_rows *ret, struct err *e);

/* The call tree of a group, children in order of their names. Node 0 is the root; a name is absent for it only. */
struct profile_node {
	uint32_t first, n;   /* children: nodes that stand together */
	uint32_t parent, name;
	int64_t total, self, base_total, base_self;
};
struct profile_tree {
	struct profile_node *nodes;
	size_t n;
	const struct span *names;
};
int profiles_tree(struct profiles *s, size_t group, struct profile_tree *ret, struct err *e);
void profile_tree_free(struct profile_tree *t);
/* "root;child;leaf N" lines. Compared: "root;leaf BASE NEW", as differential flame graphs are made from. */
void profile_folded(const struct profile_tree *t, bool compared, struct buf *ret);

/* What grew in a group of at least three, the largest first; memory of the set. */
size_t profiles_trends(struct profiles *s, size_t group, const struct profile_trend **ret);
/* Findings on one profile (the last) and on a group. */
void profiles_findings_last(struct profiles *s, struct report *r);
void profiles_findings(struct profiles *s, size_t group, struct report *r);
/* The group as profile.proto, not packed: merged, the base's samples negative and labelled as pprof does. */
int profiles_write(struct profiles *s, size_t group, struct buf *ret, struct err *e);
void profiles_free(struct profiles *s); /* NULL is fine */

/* "1.50s", "12.34MB", "17": a value for people, as pprof rounds it. */
void profile_value_text(int64_t v, struct span unit, char out[32]);
#endif
