#ifndef PARSE_GOHEAD_H
#define PARSE_GOHEAD_H

#include "parse/constraint.h"

/*
 * The head of a source file, as the go command reads it to choose files: build lines, package clause, imports; of a file that imports
 * "embed", the //go:embed lines of all of it. Any bytes are read. What is wrong is said, in go's words where go says it.
 */
struct gohead_line {
	struct span text; /* the expression */
	int line, column;
	const struct constraint *expr; /* NULL: cannot be read */
};
struct gohead_import {
	struct span path; /* unquoted */
	struct span name; /* "_", ".", "x"; absent: none */
	int line, column;
};
struct gohead_embed {
	struct span pattern; /* unquoted; with all: */
	int line, column;
	bool behind; /* code stands before it in its line, where old versions of go do not see it */
};
enum gohead_fault {
	GOHEAD_FINE,
	GOHEAD_MULTIPLE,   /* two //go:build lines */
	GOHEAD_CONSTRAINT, /* //go:build cannot be read */
	GOHEAD_SYNTAX,     /* package clause or imports are no Go */
	GOHEAD_NUL,        /* a byte 0: no text */
	GOHEAD_IMPORT,     /* an import path that cannot be */
};
struct gohead {
	struct span package; /* absent: none was read */
	int package_line;
	struct gohead_line build; /* //go:build; text absent: none */
	struct gohead_line *old;  /* +build lines that count: there is no //go:build */
	size_t n_old;
	struct gohead_import *imports;
	size_t n_imports;
	struct gohead_embed *embeds;
	size_t n_embeds;
	int cgo_line;            /* of import "C"; 0: none */
	struct gohead_line *cgo; /* the #cgo lines above it; text is the whole line; no expr */
	size_t n_cgo;
	bool embed;     /* imports "embed" */
	bool generated; /* a "Code generated … DO NOT EDIT." line stands before the package clause */
	bool nul_later; /* its syntax is bad, and a byte 0 stands anywhere, which old versions of go then see first */
	enum gohead_fault fault; /* the first that go meets. But for SYNTAX and IMPORT, go looks no further */
	enum gohead_fault later; /* of CONSTRAINT: SYNTAX or IMPORT, when that is wrong too */
	int fault_line, fault_column;
	const char *fault_text; /* in go's words, without the file */
	size_t bytes;           /* how much of the text was needed */
};
enum gohead_kind { GOHEAD_GO, GOHEAD_OTHER /* C, assembly, …: build lines alone */ };
enum { GOHEAD_MORE = 1 };
/*
 * whole: text is all of the file. Else GOHEAD_MORE may come: give more of it, from its start. Everything is copied into mem. 0;
 * -ENOMEM.
 */
int gohead_read(struct span text, bool whole, enum gohead_kind kind, struct arena *mem, struct gohead *ret);
/* The file's expression: of //go:build, else its +build lines ANDed; NULL: none. -ENOMEM */
int gohead_expr(const struct gohead *h, struct arena *mem, const struct constraint **ret);

/*
 * Comments of the whole file that are directives or look like it: "//go:…", "// go:…", "//GO:…", "//+build", "//export", "//line",
 * "//extern"; outside of strings and other comments.
 */
struct gomark {
	struct span
		text; /* from the slashes to the end of the line, without CR; of a block comment its first line */
	int line, column;
	bool alone;          /* nothing but blanks before it in its line */
	bool before_package; /* the package clause is yet to come */
};
struct gomarks { /* {.text = text} */
	struct span text;
	size_t at, line_at;
	int line;
	bool package, code; /* seen: the package clause; in this line, what is no comment */
};
bool gomarks_next(struct gomarks *m, struct gomark *ret); /* false: no more */
#endif
