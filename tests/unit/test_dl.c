/* base: shared libraries that are loaded at first use. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/dl.h"
#include "base/mem.h"

static double (*cosine)(double);
static double (*sine)(double);
static const char *const there[] = { "libno-such-library.so.1", "libm.so.6", "libm.so", NULL };
static const char *const nowhere[] = { "libno-such-library.so.1", "libno-such-library.so", NULL };
static const struct dl_symbol right[] = { { "cos", &cosine }, { "sin", &sine } };
static const struct dl_symbol too_new[] = { { "cos", &cosine }, { "cos_of_the_future", &sine } };

static struct dl_library library(const char *const *files, const struct dl_symbol *symbols)
{
	return (struct dl_library){ .name = "libm", .what_for = "--cosine", .files = files, .debian = "libm-debian", .fedora = "libm-fedora",
				    .alpine = "libm-alpine", .arch = "libm-arch", .symbols = symbols, .n = 2 };
}

static void loads_once(void **state)
{
	struct dl_library l = library(there, right);
	struct err e = { 0 };

	assert_int_equal(dl_load(&l, &e), 0);
	assert_true(cosine(0) == 1 && sine(0) == 0);
	l.files = nowhere; /* it is there: nobody looks again */
	assert_int_equal(dl_load(&l, &e), 0);
}

static void says_what_to_install(void **state)
{
	static const char *const words[] = { "--cosine", "libm", "libno-such-library.so.1", "libm-debian", "libm-fedora", "libm-alpine", "libm-arch" };
	struct dl_library l = library(nowhere, right);
	struct err e = { 0 };

	assert_int_equal(dl_load(&l, &e), -ELIBACC);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_non_null(strstr(e.msg, words[i]));
	assert_int_equal(dl_load(&l, NULL), -ELIBACC);
	l = library(there, right);
	fault_seen = 0;
	fault_at = 1;
	assert_int_equal(dl_load(&l, &e), -ELIBACC);
	fault_at = 0;
	assert_int_equal(dl_load(&l, &e), 0);
}

static void an_old_library_is_refused(void **state)
{
	struct dl_library l = library(there, too_new);
	struct err e = { 0 };

	assert_int_equal(dl_load(&l, &e), -ELIBBAD);
	assert_non_null(strstr(e.msg, "cos_of_the_future"));
	assert_null(l.handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_once),
		cmocka_unit_test(says_what_to_install),
		cmocka_unit_test(an_old_library_is_refused),
	};

	return cmocka_run_group_tests_name("dl", tests, NULL, NULL);
}
