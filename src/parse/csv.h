#ifndef PARSE_CSV_H
#define PARSE_CSV_H

#include "base/arena.h"
#include "base/err.h"

/*
 * Tables as RFC 4180 has them, and as they come: a byte order mark, LF or CRLF, a quote inside an unquoted cell, no end
 * of the last line, and ';' or a tab instead of the comma when the first line has more of it. Empty lines are passed over.
 */
#define CSV_COLUMNS_MAX 1000

struct csv {
	struct span text;
	const char *name; /* of the file, for errors */
	size_t at;
	int line;         /* of the byte at `at`, from 1 */
	char comma;
	struct arena mem; /* cells whose quotes were taken out */
	struct span *cells;
	size_t n, cap;
	int row_line;     /* where the row that was read begins */
};

void csv_open(struct csv *c, struct span text, const char *name); /* text stays the caller's, and must live as long */
/* The next row in c->cells, whose bytes live until csv_close. 1; 0 at the end; -EBADMSG (a quote that is not closed, text behind a closed one, too many columns), -ENOMEM. */
int csv_next(struct csv *c, struct err *e);
void csv_close(struct csv *c);
void csv_close_cleanup(struct csv *c);
#endif
