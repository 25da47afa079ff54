#ifndef PARSE_MODULESTXT_H
#define PARSE_MODULESTXT_H

#include "base/span.h"

/* vendor/modules.txt (https://go.dev/ref/mod#vendoring), line by line. Spans point into text. */
enum modulestxt_kind {
	MODULESTXT_WORKSPACE, /* "## workspace", the first line */
	MODULESTXT_MODULE,    /* "# path version [=> path [version]]" (a replacement without packages: "# path => …") */
	MODULESTXT_NOTE,      /* "## explicit; go 1.17": of the module before */
	MODULESTXT_PACKAGE,   /* a package path, of the module before */
	MODULESTXT_PROBLEM,   /* none of these */
};
struct modulestxt_line {
	enum modulestxt_kind kind;
	struct span path, version;         /* MODULE; PACKAGE: path */
	struct span new_path, new_version; /* of a replacement; absent: none */
	bool explicit;                     /* NOTE */
	struct span go;                    /* NOTE: "1.17"; absent: none */
	int64_t line;
	struct span text;
};
struct modulestxt_at {
	struct span rest;
	int64_t line;
};
bool modulestxt_next(struct modulestxt_at *at, struct modulestxt_line *ret);
#endif
