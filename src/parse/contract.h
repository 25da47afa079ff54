#ifndef PARSE_CONTRACT_H
#define PARSE_CONTRACT_H

#include "base/arena.h"
#include "base/err.h"

/*
 * A defence contract: one YAML file of tocsin/contracts. It says which fault it is about, what makes it happen, what must
 * hold from now on, and what checks that.
 */
enum defence_kind { DEFENCE_TEST, DEFENCE_RULE, DEFENCE_DRILL, DEFENCE_CONTRACT /* a file of these; not in one */, DEFENCE_KINDS };
extern const char *const defence_words[]; /* "test", "rule", "drill", "contract"; NULL-terminated */
/* "test:example.com/m.TestX" in its two parts. False: neither of the kinds, or no name. */
bool defence_read(struct span text, enum defence_kind *kind, struct span *name);

struct contract_check {
	enum defence_kind kind;
	struct span name; /* of a test "PACKAGE.TestX/sub" or "TestX"; with a NUL behind it */
	int line;
};
struct contract_error {
	int line, column;
	const char *text; /* "NAME:LINE:COLUMN: sentence" */
};
#define CONTRACT_ERRORS_MAX 20
#define CONTRACT_CHECKS_MAX 1000
struct contract {
	struct span fault;       /* "T-42", a ULID, a fingerprint, or the beginning of one of the last two */
	struct span fingerprint; /* absent: not said */
	struct span title;       /* absent: not said */
	struct span trigger, guarantee;
	int fault_line;
	struct contract_check *checks;
	size_t n_checks;
	struct contract_error errors[CONTRACT_ERRORS_MAX]; /* more are not kept */
	size_t n_errors;
};
/* All that is wrong stands in ret->errors; -errno only when memory is out. Everything lives in mem. */
int contract_read(const char *name, struct span text, struct arena *mem, struct contract *ret, struct err *e);
#endif
