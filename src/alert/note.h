#ifndef ALERT_NOTE_H
#define ALERT_NOTE_H

#include "base/arena.h"
#include "base/buf.h"

/* Small JSON objects that the outbox and its files keep, as structs: a table names their members. */
enum note_kind {
	NOTE_TEXT,   /* const char *; NULL: none */
	NOTE_SPAN,   /* struct span of it, a NUL behind it; absent: none */
	NOTE_NUMBER, /* int64_t */
	NOTE_TRUE,   /* bool */
	NOTE_OBJECT, /* struct span: its JSON, where it stands */
};
struct note_field {
	const char *key;
	enum note_kind kind;
	size_t at; /* in the struct */
};
/*
 * Hostile input, in one pass. A member that the table does not name, or that is of another kind, is passed over; of two of
 * one name the last counts. -EBADMSG: it is no whole object; *at (may be NULL): the byte. -ENOMEM. *ret is zeroed by the caller.
 */
int note_read(struct span json, const struct note_field *fields, size_t n, struct arena *mem, void *ret, size_t *at);
void note_write(const struct note_field *fields, size_t n, const void *from, struct buf *ret); /* appends */
#endif
