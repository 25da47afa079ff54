/* Any bytes as a report, and as a finding: what can be read is written, read and written again, the same. */
#include <stdlib.h>

#include "base/mem.h"
#include "model/report_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_error(int code, const struct err *e, const char *name)
{
	check(code < 0 && span_starts(span_of(e->msg), span_of(name)) && strstr(e->msg, ": byte "));
}

static void check_report(struct span text)
{
	CLEANUP(buf_free) struct buf one = { 0 }, two = { 0 };
	struct report r;
	struct err e = { 0 };
	int n = report_read(text, "file", &r, &e);

	if (n < 0) {
		check_error(n, &e, "file");
		check(!r.mem.head);
		return;
	}
	report_spool_json(&r, &one);
	report_free(&r);
	check(report_read(buf_view(&one), "file", &r, &e) == 0);
	report_spool_json(&r, &two);
	report_free(&r);
	check(span_eq(buf_view(&one), buf_view(&two)));
}

static void check_finding(struct span text)
{
	CLEANUP(buf_free) struct buf one = { 0 }, two = { 0 };
	struct report r = { 0 };
	struct arena mem = { 0 };
	struct finding f;
	struct err e = { 0 };
	int n = finding_read(text, &mem, &f, &e);

	if (n < 0) {
		check_error(n, &e, "finding");
	} else {
		finding_json(&r, &f, &one);
		check(finding_read(buf_view(&one), &mem, &f, &e) == 0);
		finding_json(&r, &f, &two);
		check(span_eq(buf_view(&one), buf_view(&two)));
	}
	arena_free(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(mem_free) char *own = mem_alloc(size); /* of its own, so that a byte too far is seen */

	check(own != NULL);
	if (size)
		memcpy(own, data, size);
	check_report((struct span){ own, size });
	check_finding((struct span){ own, size });
	return 0;
}
