#ifndef DIAGNOSE_PROFILE_OWN_H
#define DIAGNOSE_PROFILE_OWN_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/arena.h"
#include "base/map.h"
#include "diagnose/profile.h"

enum { NEW, BASE };

/* A regular expression that is asked of names. */
struct name_rule {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};
int name_rule_make(struct name_rule *r, const char *flag, const char *pattern, size_t n, struct err *e);
bool name_rule_matches(const struct name_rule *r, struct span name);
void name_rule_free(struct name_rule *r);

/* Sums of a name. */
struct sums {
	int64_t flat, cum;
};

struct call { /* a node of the tree that grows */
	uint32_t parent, name;
	int64_t self[2];
};

struct site { /* where values are counted for the trend */
	uint32_t name;
	struct span file, stack;
	int line;
	int64_t largest; /* the value of which stack is told */
	int64_t now;     /* of the profile at hand */
};

struct point { /* one profile of a trend */
	int64_t time_ns;
	size_t first, n; /* of site_values */
};

struct site_value {
	uint32_t site;
	int64_t value;
};

struct group {
	struct span type, unit, period_type;
	const char *kind;
	size_t files, bases;
	/* names */
	struct map ids;       /* to a pointer of number + 1 */
	struct span *names;
	struct sums *sums[2]; /* NEW, BASE */
	struct sums *last;    /* of the profile at hand */
	uint32_t *stamp;      /* the sample that counted a name last */
	uint32_t *site_of;    /* number + 1 of the name's site */
	size_t n_names, cap_names;
	uint32_t now;
	int64_t total[2], sum[PPROF_TYPES], base_sum[PPROF_TYPES]; /* absolutes; with their signs */
	int64_t last_total;
	double scale;
	/* calls */
	struct call *calls;
	uint32_t *slots;      /* by parent and name: number + 1 */
	size_t n_calls, cap_calls, n_slots;
	bool calls_full;
	/* trends */
	struct site *sites;
	struct site_value *values;
	struct point *points;
	size_t n_sites, cap_sites, n_values, cap_values, n_points, cap_points;
	struct profile_trend *trends;
	size_t n_trends;
	bool trended;
	struct merged *merged;
};

struct profiles {
	struct profile_config config;
	struct arena mem;
	struct name_rule focus, ignore, hide;
	struct group groups[PROFILE_GROUPS];
	size_t n_groups, last;
};

/* One profile while it is added. */
struct loading {
	struct profiles *s;
	struct group *g;
	struct pprof p;
	size_t index;          /* of the value */
	bool base;
	uint32_t *names;       /* of each function */
	uint8_t *matched;      /* bits of each function: what rules match its name or file */
	uint8_t *mapped;       /* the same of each mapping */
	struct frames *places; /* of each location */
	uint32_t *frames;      /* names, innermost first */
	size_t n_frames;
	double scale[PPROF_TYPES];
	bool scaled;
	size_t steps;          /* that may still be made */
};

/* What is left of a location. */
struct frames {
	uint32_t first, n;
	uint32_t site;         /* a name of the user's own code; PPROF_NONE: none */
	uint32_t line;         /* where that stands, a line of the profile */
	uint8_t bits;
};

enum { MATCH_FOCUS = 1, MATCH_IGNORE = 2, MATCH_HIDE = 4, PRUNE_ALL = 8, PRUNE_BELOW = 16 };

uint32_t group_name(struct profiles *s, struct group *g, struct span name); /* PPROF_NONE: no memory */
bool group_call(struct group *g, const struct loading *l, const struct pprof_sample *p, int which, int64_t v);
bool group_calls_open(struct group *g);
int loading_map(struct loading *l, struct err *e);
void loading_free(struct loading *l);
bool loading_wants(const struct loading *l, const struct pprof_sample *p); /* --focus, --ignore */
int64_t loading_scaled(const struct loading *l, size_t i, int64_t v);
bool name_is_std(struct span name);

/* trends */
bool trend_sample(struct loading *l, const struct pprof_sample *p, int64_t v);
bool trend_end(struct loading *l);

/* profile_write.c */
struct merged *merged_new(void);
bool merged_add(struct merged *m, struct loading *l, bool base);
void merged_free(struct merged *m);
int merged_write(struct merged *m, struct buf *ret, struct err *e);
#endif
