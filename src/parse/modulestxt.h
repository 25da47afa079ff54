#ifndef PARSE_MODULESTXT_H
#define PARSE_MODULESTXT_H

#include "base/span.h"

/* vendor/modules.txt (https://go.dev/ref/mod#vendoring), line by line, as go reads it. Spans point into text. */
enum modulestxt_kind {
	MODULESTXT_WORKSPACE, /* "## workspace", the first line */
	MODULESTXT_MODULE,    /* "# path version [=> path [version]]"; "# path => …": a replacement of all versions */
	MODULESTXT_NOTE,      /* "## explicit; go 1.17": of the module before */
	MODULESTXT_PACKAGE,   /* a package path, of the module before */
	MODULESTXT_PROBLEM,   /* none of these: go passes over it, but for the path and version that are filled in */
};
struct modulestxt_line {
	enum modulestxt_kind kind;
	struct span path, version;         /* MODULE; PACKAGE: path alone */
	struct span new_path, new_version; /* of a replacement; absent: none */
	bool explicit;                     /* NOTE */
	struct span go;                    /* NOTE: "1.17"; absent: none */
	int64_t line;                      /* from 1 */
	struct span text;                  /* the whole line, without its end */
};
struct modulestxt_at { /* {.rest = text} */
	struct span rest;
	int64_t line;
	bool in_module;
};
/* false: no more. Blank lines are passed over. */
bool modulestxt_next(struct modulestxt_at *at, struct modulestxt_line *ret);
#endif
