#ifndef CLI_JUNIT_H
#define CLI_JUNIT_H

#include "diagnose/judge.h"

/*
 * JUnit XML, one testsuite a package. Cases wait in a temporary file: memory does not grow with their number.
 */
struct junit;
/*
 * hold: tests may be run again. One that failed is one testcase all the same, as Surefire writes it: with
 * <flakyFailure> when it passed in the end, with <failure> and <rerunFailure> when it did not.
 */
int junit_open(const char *path, bool hold, struct junit **ret, struct err *e);
/* What follows runs again: what failed, or (whole) everything, then only this attempt's cases count. NULL is fine. */
void junit_again(struct junit *j, bool whole);
void junit_notice(struct junit *j, const struct notice *n); /* NULL is fine */
/* One run or file was judged: findings that belong to no test become errors of the suite "tocsin". NULL is fine. */
void junit_report(struct junit *j, const struct report *r);
/* Writes the file, atomically. NULL is fine. */
int junit_close(struct junit *j, struct err *e);
/* NAME="value" with a blank before it: made safe, without secrets, fit for XML. */
void xml_attribute(struct buf *b, const char *name, struct span value);
#endif
