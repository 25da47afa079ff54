#ifndef CHECK_REGISTRATION_H
#define CHECK_REGISTRATION_H

#include "check/select.h"
#include "model/report.h"

/*
 * Registrations that are written but never reached: in packages that no program imports, after a call that serves, middleware
 * that comes after its routes, tickers and channels that nobody reads. Found in the syntax of the files that are built for the
 * target; notes, because what a program means is not in its syntax.
 */
enum register_id {
#define RULE(name, id, what_en, what_zh, fix_en, fix_zh) REGISTER_##name,
#include "check/registration.def"
#undef RULE
	REGISTER_RULES,
};
struct register_rule {
	const char *id; /* "register.unreached" */
	struct tx what, fix;
};
extern const struct register_rule register_rules[REGISTER_RULES];

struct registration {
	const struct selection *sel;
	struct report *report; /* findings go here, and into limits what could not be looked at */
	const char *prefix;    /* put before names of files; "" or "sub/"; NULL: "" */
	/* The answer. */
	size_t files, parsed; /* looked through for words; as a syntax tree */
	size_t broken;        /* parsed, but some of it is no Go */
};
int registration_check(struct registration *r, struct err *e); /* -ENOMEM */
#endif
