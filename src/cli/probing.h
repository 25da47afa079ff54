#ifndef CLI_PROBING_H
#define CLI_PROBING_H

#include "base/json.h"
#include "cli/say.h"
#include "probe/probe.h"

/* What `probe` shows of a binary. */

struct name_filter; /* --functions RE; NULL: none */
int name_filter_new(const char *flag, const char *pattern, struct name_filter **ret, struct err *e);
bool name_filter_takes(const struct name_filter *f, struct span name);
void name_filter_free(struct name_filter *f);

enum { LIST_PACKAGES = 1, LIST_INIT = 2, LIST_FILES = 4, LIST_EMBED = 8, LIST_MODULES = 16, LIST_HASHES = 32 };
struct probe_view {
	const char *file; /* as it was named */
	const struct name_filter *functions;
	unsigned lists;   /* what people see all of, beside the screen */
	bool build_only;
};
#define HARD_ROWS 15
struct hard_row {
	const char *key;
	struct tx name;
	enum probe_answer answer;
};
void hard_rows(const struct probe *p, struct hard_row v[HARD_ROWS]);

/* Its members, in an object that is open: of tocsin.probe/1, but for "schema" and "findings". */
void show_probe_json(const struct probe *p, const struct probe_view *v, struct json_out *j);
void show_probe_text(const struct probe *p, const struct probe_view *v, const struct term *t, struct buf *b);

#define PROBE_LABEL 13 /* columns of the left side */
void probe_line(struct buf *b, const struct term *t, const char *name, struct span value); /* wrapped; nothing for an empty value */

/* What differs, section by section (show_changes.c). max: of one section that are shown, 0: all. */
struct changes;
void show_changes(const struct changes *c, const char *before, const char *after, size_t max, const struct term *t, struct buf *b);

/* Processes (probe_process.c). */
struct checked_values;
struct expect;
struct process_ask {
	const struct checked_values *checked;
	struct expect *expect;
	struct probe_view view;
	const char *tree;   /* --against; NULL */
	int pid, port;      /* 0: not asked for */
	bool all;
};
int probe_processes(const struct process_ask *a);
int probe_serve(struct expect *x, const char *address, bool anywhere, int pid); /* probe_serve.c */
#endif
