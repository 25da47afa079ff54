#ifndef CLI_CHECKED_H
#define CLI_CHECKED_H

#include "cli/opt.h"
#include "model/report.h"

/* What a check came to, for people and machines: the schema tocsin.check/1, SARIF, and lines FILE:LINE:COLUMN on a terminal. */

struct checked_values { /* begins the values of a checking verb */
	const char *sarif;
	bool json, strict;
};
/* clang-format off */
#define CHECKED_OPTS \
	{ "json", 0, OPT_FLAG, offsetof(struct checked_values, json), { NULL, NULL }, { "write JSON", "输出 JSON" }, NULL, 0 }, \
	{ "sarif", 0, OPT_FILE, offsetof(struct checked_values, sarif), { "FILE", "文件" }, { "write the findings as SARIF 2.1.0", "以 SARIF 2.1.0 写出发现" }, NULL, 0 }, \
	{ "strict", 0, OPT_FLAG, offsetof(struct checked_values, strict), { NULL, NULL }, { "warnings make it fail too", "警告也算失败" }, NULL, 0 }
/* clang-format on */

struct json_out;
struct term;
struct checked {
	struct report report;                      /* findings, limits; its arena */
	int64_t modules, files, bytes, packages;   /* -1: not counted */
	bool hide_notes;                           /* people see how many there are, and no more */
	const char *fine;                          /* what is said when nothing is wrong; NULL: a sentence of the counts */
	const char *schema;                        /* NULL: tocsin.check/1; of another one nothing is counted */
	bool quiet;                                /* nothing wrong is not worth a line */
	bool own_sum;                              /* text ends with the sum */
	void (*before)(void *ctx, const struct term *t, struct buf *b);     /* for people, above the findings; may be NULL */
	void (*json)(void *ctx, struct json_out *j);                        /* more members of the answer; may be NULL */
	void (*text)(void *ctx, const struct term *t, struct buf *b);       /* for people, in place of the list of findings; may be NULL */
	void (*write)(const struct report *r, struct buf *b); /* another format, in place of text and JSON; may be NULL */
	const char *output;                                   /* the file that it goes to; NULL: standard output */
	void *ctx;
};
/* Orders, cleans, prints. Frees the report. The exit status: 0, 1 (errors; warnings under strict), 125. */
int checked_end(struct checked *c, const struct checked_values *o);
#endif
