#ifndef CLI_CHECK_LINT_H
#define CLI_CHECK_LINT_H

#include "check/lint.h"
#include "cli/checking.h"
#include "config/config.h"

/* Of a number of things, with one format for one of them; Chinese has one for all. */
#define COUNTED(n, one, many, zh) (lang_now == LANG_ZH ? (zh) : (n) == 1 ? (one) : (many))

/* `tocsin check`: the lint from options and tocsin.yaml to the report; a part of it in each check_*.c. */
struct lint_values {
	struct checked_values checked; /* must stand first */
	struct opt_list only, skip;
	const char *config, *output, *stdin_name, *baseline, *new_from, *cache;
	int format;
	int64_t fix_how;
	bool no_config, no_cache, diff, baseline_write, allow_empty;
	bool from_faults, lsp;
	const char *store; /* of --from-faults */
};

/* ---- check_config.c: what is asked for ---- */
#define LINT_AS_ROW (-1)
struct lint_path { /* files that match have other rules */
	const char *pattern;
	signed char *on;       /* by rule: 0, 1, LINT_AS_ROW: as elsewhere */
	signed char *severity; /* enum severity, LINT_AS_ROW */
};
struct lint_settings {
	struct arena mem;
	struct config *config;
	struct lint_options options;
	bool *on;              /* by rule: anywhere */
	bool *everywhere;      /* by rule: where no path says otherwise */
	signed char *severity; /* by rule: enum severity, LINT_AS_ROW */
	struct lint_path *paths;
	size_t n_paths;
	bool picked; /* --only: paths switch nothing on or off */
};
int lint_settings_read(const struct lint_values *o, struct lint_settings *ret, struct err *e);
void lint_settings_free(struct lint_settings *s);
void lint_settings_free_cleanup(struct lint_settings *s);
/* Severities, and rules that are off in a path. */
void lint_settings_apply(const struct lint_settings *s, struct lint_result *r);
int lint_rules_check(const struct lint_values *o,
		     struct err *e); /* --only and --skip name rules that there are */
bool lint_rule_asked(const struct lint_values *o, size_t rule); /* by --only and --skip alone */
const char *const *check_rule_ids(void);                        /* NULL-terminated, for completion */

/* ---- check_new.c: --new-from ---- */
int lint_keep_new(const char *rev, const char *root, struct lint_result *r, struct err *e);

/* ---- check_baseline.c: --baseline. Stale entries are told among the limits ---- */
struct baseline_sum {
	size_t known, stale;
};
int baseline_write(const char *path, const struct report *r, struct err *e);
/* whole: everything was looked at, so that what is left over is stale. */
int baseline_apply(const char *path, struct report *r, bool whole, struct baseline_sum *ret, struct err *e);

/* ---- check_fix.c: --fix and --diff ---- */
struct fix_sum {
	size_t fixed, files, left; /* left: fixes that wait for the next round or were not made */
	bool again;                /* what cannot be written was said in an earlier round */
};
/* Writes the files, or (diff not NULL) appends what would change. Notes on what could not be written are appended to the list of limits. */
int lint_fix_files(const struct lint_result *r, const struct lint_options *o, const char *prefix, bool all,
		   struct buf *diff, struct fix_sum *sum, struct err *e);

/* ---- check_text.c ---- */
struct lint_text {
	const struct report *report;
	const struct lint_result *lint;
	struct baseline_sum baseline;
};
void check_text(void *lint_text, const struct term *t, struct buf *b);

/* ---- check_formats.c ---- */
struct check_format {
	const char *name;
	void (*write)(const struct report *r, struct buf *b); /* NULL: text, JSON */
};
extern const struct check_format check_formats[];
extern const char *const check_format_names[]; /* NULL-terminated */

/* ---- cmd_check.c ---- */
/* Which tree the arguments speak of, and how its files are shown: `prefix` before their names. */
int lint_choose_root(const struct args *a, struct lint_options *o, struct buf *prefix, struct err *e);

/* ---- check_from_faults.c ---- */
int check_from_faults(const struct lint_values *o, const struct args *a); /* the exit status */

/* ---- check_lsp.c ---- */
int check_lsp(const struct lint_values *o); /* the exit status */

/* ---- check_rules.c ---- */
extern const struct verb verb_check_rules;
#endif
