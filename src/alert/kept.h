#ifndef ALERT_KEPT_H
#define ALERT_KEPT_H

#include "alert/alert.h"

/* What alert.c and form.c share. */

/* Bytes that are kept of a text. What people do not need whole on a telephone is in the report. */
enum { NAME_MAX_BYTES = 300, LINE_MAX_BYTES = 600, TEXT_MAX_BYTES = 2000, EXCERPT_MAX_BYTES = 4096 };

extern const char *const alert_level_words[]; /* NULL-terminated, the loudest first */

int alert_no_memory(struct err *e);
#endif
