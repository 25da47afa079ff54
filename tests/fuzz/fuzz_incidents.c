/* Any bytes as a list of incidents: faults that can be stored, or one sentence. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/incidents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_fault(const struct fault_import *f)
{
	bool known = false;

	check(f->title && *f->title && f->state && f->line >= 0 && f->count >= 0);
	for (size_t i = 0; fault_state_words[i]; i++)
		known |= !strcmp(f->state, fault_state_words[i]);
	check(known);
	for (size_t i = 0; i < f->n_tags; i++)
		check(f->tags[i] && *f->tags[i]);
	for (size_t i = 0; i < f->n_defences; i++)
		check(f->defences[i] && *f->defences[i]);
	for (size_t i = 0; i < f->n_events; i++)
		check(f->events[i].id.n == 26 && f->events[i].kind.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(incidents_free) struct incidents l = { 0 };
	struct err e = { 0 };

	int r = incidents_read((struct span){ (const char *)data, size }, "fuzz", &l, &e);
	check(r <= 0 && (r < 0) == (e.msg[0] != '\0'));
	for (size_t i = 0; r == 0 && i < l.n; i++)
		check_fault(&l.v[i]);
	return 0;
}
