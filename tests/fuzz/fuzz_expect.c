/* Any bytes as a file of expectations, or as one word: a list, or one sentence; and all of it is checked against a small probe. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "probe/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct probe_func funcs[] = { { "main.main", "/b/main.go", 1, 3, 0 } };
	static const struct probe_package packages[] = { { { "main", 4 }, 1, 0 } };
	struct probe p = { .format = PROBE_ELF,
			   .arch = "amd64",
			   .build_info = true,
			   .go_version = S("go1.22"),
			   .funcs = funcs,
			   .n_funcs = 1,
			   .packages = packages,
			   .n_packages = 1 };
	struct span text = { (const char *)data, size };
	CLEANUP(expect_free) struct expect x = { 0 };
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct report r = { 0 };
	struct err e = { 0 };
	bool word = size && data[0] == '!';

	const char *z = word ? arena_str(&mem, span_from(text, 1)) : NULL;
	int n = word ? (z ? expect_word(&x, z, &e) : -1) : expect_text(&x, "fuzz.yaml", text, &e);
	if (z && n < 0 && !*e.msg)
		abort();
	for (size_t i = 0; i < x.n; i++) /* other files are none of this */
		if (x.v[i].kind == EXPECT_PLUGIN)
			return 0;
	if (n == 0 && expect_judge(&x, &p, &r, &e) == 0 && r.n_findings > x.n)
		abort();
	report_free(&r);
	return 0;
}
