/* parse: GOPROXY, GOPRIVATE and .netrc. With `--dump LIST…` it writes how it reads each GOPROXY, for tests/e2e/modparse.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/goproxy.h"
#include "parse/netrc.h"

#include "vectors.h"

static void one_private(const struct vector *v)
{
	EXPECT(v, goprivate_matches(v->field[0], v->field[1]) == is_one(v->field[2]));
}

/* glob, name, matches, malformed */
static void one_glob(const struct vector *v)
{
	const struct span *f = v->field;

	EXPECT(v, goglob_match(f[0], f[1]) == is_one(f[2]));
	/* Go sees what is malformed only where it looks; we look everywhere. */
	bool comma = span_chr(f[0], ',') != SPAN_NONE, slash = span_ends(f[0], S("/"));
	EXPECT(v, comma || slash || !is_one(f[3]) || goprivate_malformed(f[0]).p);
	EXPECT(v, comma || slash || !is_one(f[2]) || !goprivate_malformed(f[0]).p);
}

static void test_vectors(void **state)
{
	vectors_each("private", one_private);
	vectors_each("glob", one_glob);
}

static void test_malformed(void **state)
{
	assert_false(goprivate_malformed(S("a,*.b/c,[a-z]x")).p);
	assert_true(span_eq(goprivate_malformed(S("a,b[,c\\")), S("b[")));
	assert_true(span_eq(goprivate_malformed(S("a,c\\/")), S("c\\")));
	assert_true(span_eq(goprivate_malformed(S("a*b*[")), S("a*b*[")));
	assert_true(span_eq(goprivate_match(S("x,*.corp/,y"), S("git.corp/a")), S("*.corp")));
	assert_false(goprivate_match(S(""), S("a")).p || goprivate_match((struct span){ 0 }, S("a")).p);
}

/* Each entry: kind letter (Url, File, Direct, oFf, Bad), then the flags | unreachable noscheme insecure credentials, host, path. */
static void describe(struct span list, struct buf *ret)
{
	struct goproxy_at at = { .rest = list };
	struct goproxy_entry e;

	while (goproxy_next(&at, &e)) {
		buf_addf(ret, "%c%s%s%s%s%s", "UFDOB"[e.kind], e.any_error ? "|" : "", e.unreachable ? "u" : "", e.no_scheme ? "n" : "",
			 e.insecure ? "i" : "", e.credentials ? "c" : "");
		if (e.kind == GOPROXY_URL)
			buf_addf(ret, "<%.*s><%.*s>", SPAN_ARG(e.host), SPAN_ARG(e.path));
		if (e.kind == GOPROXY_FILE)
			buf_addf(ret, "<%.*s>", SPAN_ARG(e.path));
		buf_adds(ret, " ");
		assert_true(span_starts(span_from(list, e.at), e.url));
	}
}

static const struct {
	const char *list, *want;
} lists[] = {
	{ "", "" },
	{ ",| ,", "" },
	{ "https://proxy.golang.org,direct", "U<proxy.golang.org><> D " },
	{ "https://a.b/x | http://c:8080/y, off,d.e", "U|<a.b></x> Ui<c:8080></y> O Uun<d.e><> " },
	{ "direct|https://a.b", "D Uu<a.b><> " },
	{ "goproxy.cn", "Un<goproxy.cn><> " },
	{ "localhost:3000/x", "Un<localhost:3000></x> " },
	{ "https://user:pass@a.b/x", "Uc<a.b></x> " },
	{ "https://us%40er:p:w@a.b:443", "Uc<a.b:443><> " },
	{ "https://u@a b.c", "Bc " },
	{ "https://us er@a.b", "Bc " },
	{ "file:///srv/mirror", "F</srv/mirror> " },
	{ "file://", "F<> " },
	{ "file:/srv/mirror", "B " },
	{ "file://host/x", "B " },
	{ "file:///x?y", "B " },
	{ "FILE:///x", "F</x> " },
	{ "HTTPS://a.b", "U<a.b><> " },
	{ "ftp://a.b", "B " },
	{ "noproxy", "B " },
	{ "Direct", "B " },
	{ "/srv/x", "B " },
	{ "https://", "B " },
	{ "https:///x", "B " },
	{ "https:/a.b", "B " },
	{ "https://a.b:80x", "B " },
	{ "https://a.b:", "U<a.b:><> " },
	{ "https://[::1]:8080/x", "U<[::1]:8080></x> " },
	{ "https://[::1", "B " },
	{ "https://a.b/%zz", "B " },
	{ "https://a.b/%20", "U<a.b></%20> " },
	{ "https://a%20b/", "B " },
	{ "https://a.b/\x01", "B " },
	{ "1https://a.b", "B " },
	{ "://a.b", "B " },
	{ "https://a.b?x=%zz", "U<a.b><?x=%zz> " },
};

static void test_lists(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		describe(span_of(lists[i].list), &b);
		if (strcmp(buf_str(&b), lists[i].want))
			fail_msg("'%s' is '%s', not '%s'", lists[i].list, buf_str(&b), lists[i].want);
	}
}

/* Each entry: kind letter (Entry, Incomplete, Default, Half, Unread), line, machine, login, password. */
static void describe_netrc(struct span text, struct buf *ret)
{
	struct netrc_at at = { .rest = text };
	struct netrc_entry e;

	while (netrc_next(&at, &e))
		buf_addf(ret, "%c%d %.*s %.*s %.*s;", "EIDHU"[e.kind], (int)e.line, SPAN_ARG(e.machine), SPAN_ARG(e.login), SPAN_ARG(e.password));
}

static const struct {
	const char *text, *want;
} netrcs[] = {
	{ "", "" },
	{ "machine a login u password p", "E1 a u p;" },
	{ "machine a\n login u\n password p\nmachine b login v password q\n", "E1 a u p;E4 b v q;" },
	{ "machine a\r\nlogin u\r\npassword p\r\n", "E1 a u p;" },
	{ "machine a password p login u account x", "E1 a u p;" },
	{ "machine a login u\nmachine b login v password q", "I1 a u ;E2 b v q;" },
	{ "machine a login u", "I1 a u ;" },
	{ "machine\na\nlogin u\npassword p", "H1   ;H2   ;" },
	{ "machine a login\nu password p\n", "H1   ;H2   ;I1 a  ;" },
	{ "default\nlogin u\npassword p\nmachine a login u password p", "D1   ;U4 a u p;" },
	{ "default login u password p\nmachine a login u password p", "D1   ;E2 a u p;" },
	{ "machine a\ndefault\nlogin u\npassword p\n", "D2   ;I1 a u p;" },
	{ "macdef init\ncd /x\nmachine x login y password z\n\nmachine a login u password p", "E5 a u p;" },
	{ "macdef init\r\ncd /x\r\n\r\nmachine a login u password p\r\n", "" },
	{ "# machine a login u password p\n#\nmachine b login v password q", "E3 b v q;" },
	{ "# of machine a login u password p", "E1 a u p;" },
	{ "machine a login \"u\" password 'p'", "E1 a \"u\" 'p';" },
	{ "login u password p\nmachine a", "I2 a  ;" },
};

static void test_netrc(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(netrcs); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		describe_netrc(span_of(netrcs[i].text), &b);
		if (strcmp(buf_str(&b), netrcs[i].want))
			fail_msg("'%s' is '%s', not '%s'", netrcs[i].text, buf_str(&b), netrcs[i].want);
	}
}

static void test_netrc_find(void **state)
{
	struct span text = S("machine a login 1 password p\nmachine a login 2 password p\nmachine a:8443 login 3 password p\n"
			     "machine a/x login 4 password p\nmachine https://b/ login 5 password p\nmachine ::1 login 6 password p\n"
			     "default\nmachine c login 7 password p\n");
	static const struct {
		const char *place, *login, *old;
	} rows[] = {
		{ "a", "1", "1" }, { "a/", "1", "1" }, { "a/x", "4", "1" }, { "a/x/y", "4", "1" }, { "a/xy", "1", "1" }, { "a:8443", "3", "1" },
		{ "a:8443/x", "3", "1" }, { "a:9", NULL, "1" }, { "b/z", "5", NULL }, { "c", NULL, NULL }, { "[::1]:80/x", NULL, "6" }, { "", NULL, NULL },
	};
	struct netrc_entry e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(netrc_find(text, span_of(rows[i].place), false, &e), rows[i].login != NULL);
		assert_true(span_eq(e.login, span_of(rows[i].login)));
		assert_int_equal(netrc_find(text, span_of(rows[i].place), true, &e), rows[i].old != NULL);
		assert_true(span_eq(e.login, span_of(rows[i].old)));
	}
}

static int dump(char **lists_given)
{
	for (; *lists_given; lists_given++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		describe(span_of(*lists_given), &b);
		puts(buf_str(&b));
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_netrc),
		cmocka_unit_test(test_netrc_find),
	};

	if (argc > 2 && !strcmp(argv[1], "--dump"))
		return dump(argv + 2);
	return cmocka_run_group_tests_name("goproxy", tests, NULL, NULL);
}
