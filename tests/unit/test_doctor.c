/* mod doctor: settings in words, what is not told of them, and memory that runs out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mod/doctor.h"

static size_t list_of(const char *text, struct goproxy_entry *ret)
{
	struct goproxy_at at = { .rest = span_of(text) };
	size_t n = 0;

	while (goproxy_next(&at, &ret[n]))
		n++;
	return n;
}

static void test_explain(void **state)
{
	static const struct {
		const char *list;
		size_t i;
		const char *says;
	} rows[] = {
		{ "https://a.test,direct", 0, "asked first; `,`: the next is asked only when it says 404 or 410" },
		{ "https://a.test|direct", 0, "asked first; `|`: after any error" },
		{ "https://a.test", 0, "asked first; nobody comes behind it" },
		{ "https://a.test,https://b.test", 1, "nobody comes behind it" },
		{ "a.test,direct", 0, "go puts https:// before it" },
		{ "direct", 0, "each module is fetched from its own repository" },
		{ "https://a.test,direct", 1, "what nobody before it has is fetched" },
		{ "off", 0, "nothing is downloaded" },
		{ "https://a.test,off", 1, "what nobody before it has is refused" },
		{ "https://a.test,direct,https://b.test", 2, "never asked" },
		{ "direct,off", 1, "never asked" },
		{ "file:///x,direct", 0, "a folder of this machine; `,`" },
		{ "ftp://x", 0, "go refuses it" },
	};
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct goproxy_entry list[8];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = list_of(rows[i].list, list);
		assert_true(rows[i].i < n);
		const char *text = goproxy_explain(&mem, list, n, rows[i].i);
		if (!strstr(text, rows[i].says))
			print_error("%s: %s\n", rows[i].list, text);
		assert_non_null(strstr(text, rows[i].says));
		lang_now = LANG_ZH;
		assert_non_null(goproxy_explain(&mem, list, n, rows[i].i));
		lang_now = LANG_EN;
	}
}

static void test_shown(void **state)
{
	static const struct {
		const char *url, *shown;
	} rows[] = {
		{ "https://proxy.golang.org", "https://proxy.golang.org" }, { "https://u:p@h.test/x", "https://h.test/x" },
		{ "https://u:p@q@h.test/x", "https://h.test/x" }, { "https://u:p/q@h.test/x", "https://h.test/x" },
		{ "u:p@h.test", "h.test" }, { "git@h.test:x", "h.test:x" }, { "https://h.test/x?token=1#y", "https://h.test/x" },
		{ "http://h.test:80/\033[1m", "http://h.test:80/" }, { "direct", "direct" }, { "", "" },
	};
	CLEANUP(arena_free) struct arena mem = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(url_shown(&mem, span_of(rows[i].url)), rows[i].shown);
}

static void test_govcs(void **state)
{
	static const struct {
		const char *rules, *path, *vcs;
		bool private_, allowed;
	} rows[] = {
		{ "", "github.com/x/y", "git", false, true }, { "", "github.com/x/y", "svn", false, false }, { "", "git.test/x", "svn", true, true },
		{ "public:off", "github.com/x/y", "git", false, false }, { "*:all", "github.com/x/y", "svn", false, true }, { "github.com:git,*:off", "github.com/x/y", "git", false, true },
		{ "github.com:git,*:off", "gitlab.com/x/y", "git", false, false }, { "private:hg", "git.test/x", "git", true, false }, { "public", "git.test/x", "git", true, false },
		{ "private:git|hg", "git.test/x", "hg", true, true },
	};
	CLEANUP(arena_free) struct arena mem = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(!govcs_refusal(&mem, span_of(rows[i].rules), span_of(rows[i].path), rows[i].private_, rows[i].vcs), rows[i].allowed);
}

static void test_names(void **state)
{
	static const char *const inside[] = { "git.team.internal", "nas", "code.lan", "10.0.0.7", "git.corp.example.com", "git.test:8443", "x.home.arpa", "gitlab.local" };
	static const char *const outside[] = { "github.com", "go.uber.org", "corporate.com", "internals.dev", "k8s.io", "local.com" };

	for (size_t i = 0; i < ARRAY_LEN(inside); i++)
		assert_true(doctor_private_host(span_of(inside[i])));
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		assert_false(doctor_private_host(span_of(outside[i])));
	assert_true(doctor_public_issuer("C = US, O = Google Trust Services, CN = WE2"));
	assert_true(doctor_public_issuer("C = US, O = Let's Encrypt, CN = R10"));
	assert_false(doctor_public_issuer("O = Example Corp, CN = Example Corp TLS Inspection"));
}

/* Every allocation fails once: an error or a whole report, never a crash. */
static void test_memory(void **state)
{
	const struct doctor_options o = { .offline = true };

	setenv("GOPROXY", "https://u:p@a.test|b.test,direct,off", 1);
	setenv("GOPRIVATE", "[a-,b.test", 1);
	setenv("GOFLAGS", "-mod=mod", 1);
	fault_at = 0;
	fault_seen = 0;
	for (long at = 0, all = 1; at <= all; at += 1 + all / 60) {
		struct report r = { 0 };
		struct doctor d;
		struct err e = { 0 };
		fault_seen = 0;
		fault_at = at;
		int got = doctor_run(&o, &r, &d, &e);
		long seen = fault_seen;
		fault_at = 0;
		if (!at) {
			assert_int_equal(got, 0);
			assert_true(d.n_checks > 5 && r.n_findings > 2);
			all = seen;
		}
		if (got < 0)
			assert_true(e.msg[0] != 0);
		if (got == 0)
			doctor_free(&d);
		report_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_explain), cmocka_unit_test(test_shown), cmocka_unit_test(test_govcs), cmocka_unit_test(test_names), cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
