#ifndef STORE_COPYING_H
#define STORE_COPYING_H

#include "base/arena.h"
#include "store/state.h"

/* Between copy.c (runs and all in all) and copy_fault.c (faults). */

struct mapped {
	int64_t from;   /* seq in the source */
	int64_t to;     /* its row in the target */
	int64_t sights; /* whom its findings belong to there: what it was merged into, else itself */
	bool same_id;   /* of one origin: what both count is the same */
	bool fresh;     /* made by this copy */
	bool unlike;    /* sights has another first body: findings are packed anew */
};

struct copying {
	struct store *from, *to;
	struct mapped *map; /* by from */
	size_t n, cap;
	bool keep_numbers;
	struct copied *count;
	/* the first bodies of the last unlike fault */
	int64_t body_of;
	struct buf body_from, body_to;
};

const struct mapped *copy_find(const struct copying *c, int64_t fault); /* NULL: not there */
int copy_faults(struct copying *c, struct err *e);
/* History, tags, defences, days, branches, text and what was decided, after all runs. */
int copy_facts(struct copying *c, struct err *e);
/* The body of a finding as the target keeps it; in mem. */
int copy_body(struct copying *c, const struct mapped *m, struct span body, struct arena *mem, struct db_value *ret, struct err *e);

/* ---- rows in memory ---- */

#define ROWSET_COLUMNS 12
struct rowset {
	struct arena mem;
	enum db_type types[ROWSET_COLUMNS];
	size_t columns;
	struct db_value *v;
	size_t n, cap; /* rows; values */
};
int rowset_add(struct rowset *x, const struct db_value *row, struct err *e); /* not copied: see value_keep */
void rowset_clear(struct rowset *x);
void rowset_free(struct rowset *x);
int rowset_put(struct rowset *x, struct store *to, const char *sql_sqlite, const char *sql_postgres, struct err *e); /* and clear */
/* A copy in mem; for PostgreSQL text is made to be UTF-8 without NUL. */
int value_keep(struct arena *mem, bool postgres, struct db_value v, struct db_value *ret, struct err *e);
#endif
