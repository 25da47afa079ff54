#ifndef CONFIG_OWN_H
#define CONFIG_OWN_H

#include "config/config.h"
#include "parse/yaml.h"

/* Between the files of this folder. */

/* type.c: what was written, as what it means. NULL: fine; else what is wrong with it, or "" when it is just no such value. */
const char *type_read(const struct config_key *k, const char *text, int64_t *number);
bool type_clock(const char *text, int64_t *ret); /* 09:30: the minute of the day; 24:00 is one */
/* Is this web or mail address one of this machine? */
bool type_is_near(const char *text);
bool type_is_plain(const char *text); /* http:, smtp:, socks: what it carries can be read on the way */
bool type_date(const char *text, int64_t *ret); /* 2027-01-31: the wall time at which it begins */

/* check.c: all errors of one file; takes the values that no earlier file has said. */
void check_file(struct config *c, enum config_place place, const struct yaml *root);

/* check.c: nothing was written, or an empty list. */
bool config_is_empty(const struct yaml *v);

/* alerts.c: what its keys must say together, and the entries as they are used. */
void check_entry(struct config *c, enum config_place place, enum config_id list, const struct yaml *one);
void take_alerts(struct config *c, int64_t today);

/* config.c */
const char *config_text_of(const struct yaml *map, const char *key); /* NULL: nothing is written */
void config_note(struct config *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* v NULL: the file as a whole. */
void config_error(struct config *c, enum config_place place, const struct yaml *v, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* find.c: the paths; places of no use have a NULL path. */
void find_files(struct config *c, const struct config_places *where);
#endif
