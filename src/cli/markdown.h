#ifndef CLI_MARKDOWN_H
#define CLI_MARKDOWN_H

#include "model/report.h"

/* Foreign text that stays text: nothing in it is Markdown or HTML. One line. */
void md_text(struct buf *b, struct span s);
/* A fenced block; the fence is longer than any in the text. */
void md_block(struct buf *b, struct span s);
/* A report for a job summary. name: what was judged; may be NULL. */
void md_report(const struct report *r, const char *name, struct buf *b);
#endif
