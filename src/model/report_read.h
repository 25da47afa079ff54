#ifndef MODEL_REPORT_READ_H
#define MODEL_REPORT_READ_H

#include "model/report.h"

#define REPORT_TEXT_MAX ((size_t)256 << 20) /* bytes of a text that are read */

/*
 * What report_json or report_spool_json wrote, back into a report whose memory is all its own: keys in any order, unknown
 * ones passed over, missing ones left at 0, NULL or -1 (what is not known). Durations come back in whole milliseconds, the
 * start in whole seconds. The text is taken for hostile. *ret needs no value before; it is empty after an error, which
 * names `name` and the byte, counted from 0. -EBADMSG: not such a text; -ENOMEM; -EFBIG.
 */
int report_read(struct span json, const char *name, struct report *ret, struct err *e);
/* The same for one finding, as finding_json or a report has it; its memory is in mem, also what an error leaves there. */
int finding_read(struct span json, struct arena *mem, struct finding *ret, struct err *e);
#endif
