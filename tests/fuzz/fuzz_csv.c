/* Any bytes as a table: rows whose cells hold together, or one sentence; the same text written again reads the same. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "parse/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Every cell in quotes, as RFC 4180 has them; cells in *all, each behind its length. */
static int read_all(struct span text, struct buf *again, struct buf *all)
{
	CLEANUP(csv_close) struct csv c;
	struct err e = { 0 };
	int r, line = 0;

	csv_open(&c, text, "fuzz.csv");
	while ((r = csv_next(&c, &e)) > 0) {
		check(c.n > 0 && c.n <= CSV_COLUMNS_MAX && c.row_line > line && c.at <= c.text.n);
		line = c.row_line;
		for (size_t i = 0; i < c.n; i++) {
			buf_addf(all, "%zu:", c.cells[i].n);
			buf_span(all, c.cells[i]);
			buf_adds(again, i ? ",\"" : "\"");
			for (size_t k = 0; k < c.cells[i].n; k++) {
				buf_addc(again, c.cells[i].p[k]);
				if (c.cells[i].p[k] == '"')
					buf_addc(again, '"');
			}
			buf_addc(again, '"');
		}
		buf_adds(again, "\r\n");
		buf_addc(all, '\n');
	}
	check((r < 0) == (e.msg[0] != '\0'));
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_free) struct buf again = { 0 };
	CLEANUP(buf_free) struct buf third = { 0 };
	CLEANUP(buf_free) struct buf cells = { 0 };
	CLEANUP(buf_free) struct buf same = { 0 };

	if (read_all((struct span){ (const char *)data, size }, &again, &cells) < 0)
		return 0;
	check(read_all(buf_view(&again), &third, &same) == 0);
	check(span_eq(buf_view(&cells), buf_view(&same)) && span_eq(buf_view(&again), buf_view(&third)));
	return 0;
}
