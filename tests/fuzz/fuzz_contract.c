/* A defence contract that anybody may have written. */
#include <stdlib.h>

#include "base/mem.h"
#include "parse/contract.h"
#include "parse/gofunc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct gotest_name name;
	struct contract c;
	struct err e;

	check(contract_read("fuzz.yaml", (struct span){ (const char *)data, size }, &mem, &c, &e) == 0);
	check(c.n_errors <= CONTRACT_ERRORS_MAX && c.n_checks <= CONTRACT_CHECKS_MAX);
	for (size_t i = 0; i < c.n_errors; i++)
		check(c.errors[i].line > 0 && c.errors[i].column > 0 && strlen(c.errors[i].text) > 0);
	if (!c.n_errors)
		check(c.fault.n && c.trigger.n && c.guarantee.n && c.n_checks);
	for (size_t i = 0; i < c.n_checks; i++) {
		check(c.checks[i].kind < DEFENCE_CONTRACT && c.checks[i].line > 0);
		check(strlen(c.checks[i].name.p) == c.checks[i].name.n && c.checks[i].name.n);
		check(c.checks[i].kind != DEFENCE_TEST || gotest_name_read(c.checks[i].name, &name));
	}
	return 0;
}
