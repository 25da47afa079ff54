#ifndef CHECK_RULE_H
#define CHECK_RULE_H

#include "base/lang.h"
#include "base/span.h"
#include "model/cause.h"

/*
 * The lint rules, as rows made from src/check/rules/ID.rule by tools/rules.py: documentation, help, tests and messages come from them.
 * docs/adding-a-rule.md says how one is written.
 */
enum rule_language {
	RULE_GO = 1 << 0,
	RULE_SHELL = 1 << 1,
	RULE_GITHUB = 1 << 2,
	RULE_GITLAB = 1 << 3,
	RULE_JENKINS = 1 << 4,
	RULE_MAKE = 1 << 5,
	RULE_DOCKER = 1 << 6,
	RULE_TASKFILE = 1 << 7,
	RULE_SYSTEMD = 1 << 8,
	RULE_CRON = 1 << 9,
	RULE_DRONE = 1 << 10,
	RULE_WOODPECKER = 1 << 11,
	RULE_GITEE = 1 << 12,
	RULE_YUNXIAO = 1 << 13,
	RULE_TREE = 1 << 14, /* joins several files */
};

struct rule {
	const char *id;         /* "R01"; stable. The cause of its findings is check.R01 */
	enum severity severity; /* by default */
	bool on;                /* by default */
	unsigned languages;     /* enum rule_language */
	struct tx title;
	struct tx message; /* of a finding; {0}, {1}, … are filled in */
	struct tx advice;
	struct tx why;
	const char *needs;    /* "" one file's syntax; "imports", "package", "types", "tree" */
	const char *fix;      /* "", "safe", "all" */
	const char *prevents; /* ids of causes, blanks between: what it would have prevented */
	const char *source;
	const char *find;       /* "main.go:6 main.go:7": lines of the bad example that must be found */
	const char *bad, *good; /* "-- PATH --\n" and the file's lines, for each file */
	const char *experiment; /* a shell script; "" */
};
extern const struct rule rules[];
extern const size_t rule_count;
const struct rule *rule_find(struct span id);         /* in any case of letters; NULL: none */
const char *rule_language_word(enum rule_language l); /* "go" */
#endif
