#ifndef ALERT_TEMPLATE_H
#define ALERT_TEMPLATE_H

#include "alert/alert.h"

/*
 * A user's own words: {{field}} stands for what is known of the alert, "" for what is not. Foreign text is escaped for the
 * place where it goes to, so that it stays text there.
 */
enum template_as { TEMPLATE_PLAIN, TEMPLATE_MARKDOWN, TEMPLATE_HTML, TEMPLATE_JSON /* within the quotes of a string */ };
#define TEMPLATE_WHY 160
/* Appends. False: a syntax error or an unknown field, said in why in that language; ret is as it was. */
bool template_fill(struct span text, const struct alert *a, enum lang lang, enum template_as as, struct buf *ret, char why[TEMPLATE_WHY]);
extern const char *const template_fields[]; /* NULL-terminated */
/* alert_escape for text of several lines. */
void template_lines(struct span s, enum alert_form form, struct buf *ret);
#endif
