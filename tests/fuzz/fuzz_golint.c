/* Go source, or what claims to be, under all Go rules: as a test, as no test, and in a tree of everything. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "check/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void lint(const char *path, struct span text, bool whole)
{
	CLEANUP(lint_result_free) struct lint_result r = { 0 };
	CLEANUP(mem_free) bool *on = mem_zalloc(rule_count * sizeof(*on));
	struct lint_options o = { .root = "/nonexistent",
				  .on = on,
				  .threads = 1,
				  .text_path = path,
				  .text = text,
				  .config.whole = whole };
	struct err e;

	for (size_t i = 0; i < rule_count; i++)
		on[i] = true;
	if (lint_run(&o, &r, &e) < 0)
		return;
	for (size_t i = 0; i < r.n; i++) {
		CLEANUP(buf_free) struct buf message = { 0 };
		const struct lint_finding *f = &r.findings[i];
		check(f->from <= f->to && f->to <= text.n && f->at.line >= 1 && f->at.column >= 1);
		lint_message(f, &message);
		check(message.len > 0);
		for (size_t k = 0; k < f->n_edits; k++)
			check(f->edits[k].from <= f->edits[k].to && f->edits[k].to <= text.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	lint("a.go", text, false);
	lint("a_test.go", text, false);
	lint("a_linux.go", text, true);
	return 0;
}
