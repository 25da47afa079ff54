#ifndef RUN_OWNERS_H
#define RUN_OWNERS_H

#include "model/report.h"

/*
 * Who answers for the place of a finding: the owners that CODEOWNERS gives it, else the author of the line. Files are
 * named as findings name them: absolute, or relative to the working directory or to one above it, or as a bare name in
 * their package, or as -trimpath leaves them. What is in no repository (the standard library, the module cache) has none.
 */
struct owners;

/* cwd: where the command ran, absolute. Nothing is read yet. */
int owners_open(const char *cwd, struct owners **ret, struct err *e);
/*
 * Adds them to ret, and says in *how where that stands: ".github/CODEOWNERS:12", or "git blame 1a2b3c4d5e6f"; NULL and
 * nothing added: nobody is known. An error (git is missing, refuses, or takes too long) has added nothing. After 3 s of
 * git blame for all lines together, the rest of them are errors.
 */
int owners_of(struct owners *o, struct span package, struct span file, int line, struct arena *mem, struct list *ret,
	      const char **how, struct err *e);
/* What is wrong with the CODEOWNERS files read so far: "FILE:LINE: why". Each is told once. */
int owners_notes(struct owners *o, struct arena *mem, struct list *ret, struct err *e);
void owners_close(struct owners *o); /* NULL is fine */
#endif
