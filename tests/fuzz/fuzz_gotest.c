/* Any bytes as a go test -json stream: what is read lies inside its line, and its text can be had. */
#include <stdlib.h>

#include "base/mem.h"
#include "parse/gotest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_string(struct jstr s, struct span line, struct buf *scratch)
{
	if (!s.p)
		return;
	check(s.p >= line.p && s.p + s.n <= line.p + line.n);
	check(s.esc == (s.n && memchr(s.p, '\\', s.n) != NULL));
	check(!s.tail_nl || (s.esc && s.n >= 2 && s.p[s.n - 1] == 'n' && !memchr(s.p, '\\', s.n - 2)));
	struct span text = jstr_text(s, scratch);
	check(text.n <= s.n);
}

static void read_line(struct span bytes, struct buf *scratch)
{
	char *mem = mem_dup(bytes.p, bytes.n); /* of its own, so that a byte too far is seen */
	struct gotest_event e;

	check(mem != NULL);
	struct span line = { mem, bytes.n };
	if (gotest_read(line, &e)) {
		check(e.action < ACT_COUNT);
		check((e.elapsed >= 0 && e.elapsed <= 1e15) || (e.elapsed <= -1 && e.elapsed >= -1));
		const struct jstr all[] = { e.time, e.package, e.test, e.output, e.failed_build, e.import_path, e.key, e.value,
					    e.path, e.output_type };
		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			check_string(all[i], line, scratch);
	}
	mem_free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_free) struct buf scratch = { 0 };
	struct span rest = { (const char *)data, size };

	while (rest.n)
		read_line(span_cut(&rest, '\n'), &scratch);
	return 0;
}
