#ifndef CLI_GITHUB_H
#define CLI_GITHUB_H

#include "base/buf.h"

/* Workflow commands of GitHub Actions: "::error file=a.go,line=3::text". Text is made safe, and stays on one line. */
void github_text(struct buf *b, struct span s);
/* "name=value" behind "::error ", with a comma when it is not the first; nothing without a value. */
void github_property(struct buf *b, const char *name, struct span value);
void github_number(struct buf *b, const char *name, int value); /* 0: nothing */
#endif
