#ifndef CLI_HTML_H
#define CLI_HTML_H

#include "base/buf.h"

/*
 * Pieces of a self-contained page: style and drawings are in it, nothing is fetched, nothing runs. Every foreign text goes
 * through html_text.
 */
void html_text(struct buf *b, struct span s); /* escaped for text and attributes; control bytes made visible */
void html_textz(struct buf *b, const char *z);
void html_begin(struct buf *b, const char *title);
void html_end(struct buf *b);
void html_section(struct buf *b, const char *title, const char *note); /* note NULL: none; ends with html_section_end */
void html_section_end(struct buf *b);
/* One figure with its name: a tile of the first row. tone: "good", "bad" or "". */
void html_tile(struct buf *b, const char *name, const char *figure, const char *note, const char *tone);
void html_empty(struct buf *b, const char *sentence);

struct html_series {
	const char *name;
	const char *paint; /* a class of the style: "failed", "c1" */
	const double *v;
};

struct html_chart {
	const char *label;         /* what it shows, for who cannot see it */
	const char *const *labels; /* of the columns */
	size_t columns;
	const struct html_series *series;
	size_t n_series;
	const char *unit; /* behind a value; "" */
	int width, height;
};
void html_stacked(struct buf *b, const struct html_chart *c); /* columns of layers, the first at the bottom */
void html_grouped(struct buf *b, const struct html_chart *c); /* a bar a series, beside each other */
void html_line(struct buf *b, const struct html_chart *c);    /* points joined by lines; a value below 0 is a gap */
void html_legend(struct buf *b, const struct html_chart *c);
/* A bar in a table cell: part of most. */
void html_bar(struct buf *b, double part, double most, const char *paint);
void html_spark(struct buf *b, const int64_t *v, size_t n);
#endif
