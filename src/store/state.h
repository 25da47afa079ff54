#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "store/db.h"
#include "store/store.h"

/* What the files of this folder share. */
struct store {
	struct db *db;
};

/* Do work in one transaction (that which is under way, if there is one), again (5 times at most) when the database asks for it (EAGAIN: writers crossed). work must not keep half a result. */
typedef int store_work(struct store *s, void *ctx, struct err *e);
int store_transact(struct store *s, store_work *work, void *ctx, struct err *e);

/* ---- bodies (pack.c): JSON texts, kept as what differs from a text that is like them ---- */

#define PACK_MAX (1 << 20) /* bytes of a text */
/* like: the first body of the fault, unpacked; empty: none. Appends. */
int pack_text(struct span text, struct span like, struct buf *ret, struct err *e);
int unpack_text(struct span packed, struct span like, struct buf *ret, struct err *e);

/*
 * A finding with what its fingerprint needs of its run: a tocsin.report/1 of that alone. Appends. body_read: a report with
 * one finding, to be freed by the caller.
 */
void body_make(const struct report *r, const struct finding *f, struct buf *ret);
int body_read(struct span body, struct report *ret, struct err *e);

/* ---- rows ---- */

/*
 * What is found while a service lives is a row of `run` at once, with a time and an id of its own. It has no outcome, for the run goes on;
 * where runs are counted it is none.
 */
#define IS_RUN "outcome <> 'none'"

/* "SELECT … FROM fault f", with the columns that fault_row reads. */
void fault_select(const struct db *d, struct buf *sql);
void fault_row(const struct db_value *row, struct fault *ret);
/* The text that is searched: made anew whenever something of it changed. */
int fault_text_set(struct store *s, int64_t seq, struct span text, struct err *e);
int fault_texts_add(struct store *s, const struct db_rows *rows /* seq, text */, struct err *e); /* of faults that have none */
int fault_index(struct store *s, int64_t seq, struct err *e);
/* The same text of one that nobody has changed yet. Appends. */
void fault_text_first(const struct finding *f, struct span title, const char *owner, const char *project, struct buf *ret);
int fault_order_set(struct store *s, int64_t seq, struct err *e); /* its last_seen has changed */
int fault_event_add(struct store *s, int64_t seq, enum change_kind kind, int64_t at, const char *who, const char *text, struct span data, struct err *e);

static inline struct span db_span(struct db_value v) { return v.type == DB_TEXT || v.type == DB_BLOB ? v.s : (struct span){ 0 }; }
static inline int64_t db_number(struct db_value v, int64_t none) { return v.type == DB_INT ? v.i : none; }

/* Inside a transaction: `from` becomes part of `into`, with all that was counted. */
int fault_merge(struct store *s, int64_t from, int64_t into, int64_t at, struct err *e);
/* Faults whose fingerprints are of an older version get new ones (fingerprint.md, "A new version"). */
int fingerprint_migrate(struct store *s, struct err *e);

int64_t hash64(struct span a, struct span b); /* SipHash of both, as a database integer */
#define DAY_NSEC (INT64_C(86400) * 1000000000)
#endif
