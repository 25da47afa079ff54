/* mod: what to do when modules cannot be loaded; which mirrors may be asked; what exactly failed; what -x tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "mod/blame.h"
#include "mod/fetches.h"
#include "mod/mirror.h"
#include "mod/policy.h"

/* ---- the policy ---- */

/* Each failure is "CAUSE CLASSES[flags]", p: private, h: hung; what comes of it, one letter each: Again, Mirror, Vendor, Cache, Stop, Security, Other. */
struct fall {
	enum cause cause;
	const char *classes, *flags;
};
static const struct {
	int64_t retries;
	size_t mirrors;
	bool vendor, cache;
	struct fall falls[8];
	const char *want;
} policies[] = {
	{ 3, 0, false, false, { { CAUSE_MOD_PROXY, "TM", "" }, { CAUSE_MOD_PROXY, "TM", "" }, { CAUSE_MOD_PROXY, "TM", "" }, { CAUSE_MOD_PROXY, "TM", "" } }, "AAAS" },
	{ 3, 2, false, false, { { CAUSE_MOD_PROXY, "TM", "" }, { CAUSE_MOD_PROXY, "TM", "" }, { CAUSE_MOD_PROXY, "TM", "" } }, "MMA" },
	{ 3, 2, false, false, { { CAUSE_MOD_PROXY, "TM", "p" }, { CAUSE_MOD_PROXY, "TM", "p" } }, "AA" },
	{ 3, 2, true, true, { { CAUSE_MOD_CHECKSUM, "S", "" } }, "!" },
	{ 3, 2, true, true, { { CAUSE_MOD_PROXY, "MS", "" } }, "!" },
	{ 3, 2, true, true, { { CAUSE_MOD_AUTH, "C", "" } }, "S" },
	{ 3, 2, true, true, { { CAUSE_MOD_MISSING_SUM, "P", "" } }, "S" },
	{ 3, 2, true, true, { { CAUSE_BUILD_COMPILE, "P", "" } }, "O" },
	{ 3, 2, true, true, { { CAUSE_TEST_TIMEOUT, "TP", "" } }, "O" },
	{ 3, 1, false, false, { { CAUSE_MOD_NOT_FOUND, "PM", "" }, { CAUSE_MOD_NOT_FOUND, "PM", "" } }, "MS" },
	{ 3, 1, false, false, { { CAUSE_MOD_NOT_FOUND, "PMT", "" }, { CAUSE_MOD_NOT_FOUND, "PMT", "" }, { CAUSE_MOD_NOT_FOUND, "PMT", "" } }, "MAS" },
	{ 1, 1, true, true, { { CAUSE_MOD_CONNECT, "TM", "" }, { CAUSE_MOD_CONNECT, "TM", "" }, { CAUSE_MOD_CONNECT, "TM", "" }, { CAUSE_MOD_NOT_FOUND, "C", "" }, { CAUSE_MOD_NOT_FOUND, "C", "" } }, "MAVCS" },
	{ 0, 0, false, true, { { CAUSE_MOD_TIMEOUT, "TM", "h" }, { CAUSE_MOD_CACHE_MISSING, "C", "" } }, "CS" },
	{ 1, 0, false, false, { { CAUSE_MOD_TIMEOUT, "", "h" }, { CAUSE_MOD_TIMEOUT, "", "h" } }, "AS" },
	{ 3, 0, false, true, { { CAUSE_BUILD_TOOLCHAIN, "TM", "" } }, "A" },
};

static void test_policy(void **state)
{
	static const char letters[] = "-OS!AMVC"; /* enum policy_do */

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		struct policy p = { .retries = policies[i].retries, .mirrors = policies[i].mirrors, .vendor = policies[i].vendor, .cache = policies[i].cache };
		char got[16] = "";
		for (size_t k = 0; policies[i].want[k]; k++) {
			const struct fall *f = &policies[i].falls[k];
			struct policy_seen seen = { f->cause, f->classes, true, false, strchr(f->flags, 'p') != NULL, strchr(f->flags, 'h') != NULL };
			struct policy_step step;
			policy_decide(&p, &seen, &step);
			got[k] = letters[step.act];
			assert_non_null(step.why);
			assert_true((step.act == POLICY_AGAIN) == (step.backoff >= 0));
			assert_non_null(policy_word(step.act));
		}
		if (strcmp(got, policies[i].want) != 0)
			fail_msg("policy %zu: %s, not %s", i, got, policies[i].want);
	}
	struct policy p = { .retries = 3 };
	struct policy_step step;
	policy_decide(&p, &(struct policy_seen){ .cause = CAUSE_MOD_PROXY, .classes = "TM", .failed = true, .told_to_stop = true }, &step);
	assert_int_equal(step.act, POLICY_NOT_OURS);
	policy_decide(&p, &(struct policy_seen){ .failed = false }, &step);
	assert_int_equal(step.act, POLICY_PASSED);
}

/* ---- mirrors ---- */

static const struct {
	struct mirror_env env; /* proxy, GOPRIVATE, GONOPROXY, GONOSUMDB */
	const char *named[4];
	const char *want;      /* their addresses; "!": none, and a reason */
} sets[] = {
	{ { "https://proxy.golang.org,direct", "", "", "" }, { NULL }, "https://proxy.golang.org" },
	{ { "https://proxy.golang.org,direct", "", "", "" }, { "https://goproxy.cn", "file:///srv/m", NULL }, "file:///srv/m https://goproxy.cn https://proxy.golang.org" },
	{ { "https://goproxy.cn/,https://proxy.golang.org,direct", "", "", "" }, { "https://goproxy.cn", NULL }, "https://goproxy.cn https://proxy.golang.org" },
	{ { "https://athens.corp,https://proxy.golang.org,direct", "", "", "" }, { NULL }, "https://athens.corp ?" },
	{ { "https://athens.corp|https://proxy.golang.org|https://b,https://c", "", "", "" }, { NULL }, "https://athens.corp https://proxy.golang.org https://b ?" },
	{ { "https://athens.corp,direct", "", "", "" }, { "https://m", NULL }, "https://m https://athens.corp" },
	{ { "https://proxy.golang.org,direct", "*.corp", "*.corp", "*.corp" }, { "https://m", NULL }, "https://m https://proxy.golang.org" },
	{ { "https://athens.corp", "*.corp", "none", "*.corp" }, { "https://m", NULL }, "!" },
	{ { "https://athens.corp", "*.corp,x.y", "*.corp", "" }, { "https://m", NULL }, "!" },
	{ { "https://athens.corp", "", "", "*.corp" }, { "https://m", NULL }, "!" },
	{ { "direct", "", "", "" }, { "https://m", NULL }, "!" },
	{ { "off", "", "", "" }, { "https://m", NULL }, "!" },
	{ { "ftp://x", "", "", "" }, { "https://m", NULL }, "!" },
	{ { "", "", "", "" }, { "https://m", NULL }, "!" },
	{ { "https://u:p@a.corp|direct", "", "", "" }, { NULL }, "https://a.corp" },
	{ { "file:///x,https://proxy.golang.org", "", "", "" }, { "https://m", NULL }, "file:///x https://m https://proxy.golang.org" },
};

static void test_mirrors(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		CLEANUP(buf_free) struct buf got = { 0 };
		struct mirrors m;
		size_t n = 0;
		while (sets[i].named[n])
			n++;
		assert_int_equal(mirrors_find(&sets[i].env, sets[i].named, n, &mem, &m), 0);
		for (size_t k = 0; k < m.n; k++)
			buf_addf(&got, "%s%s", k ? " " : "", m.v[k].shown);
		if (m.refused)
			buf_adds(&got, m.n ? " ?" : "!");
		if (strcmp(buf_str(&got), sets[i].want) != 0)
			fail_msg("set %zu: %s, not %s", i, buf_str(&got), sets[i].want);
	}
}

static void test_lists(void **state)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *named[] = { "https://a", "https://b/x/" };
	struct mirror_env env = { "https://proxy.golang.org,direct", "", "", "" };
	struct mirrors m;

	assert_int_equal(mirrors_find(&env, named, 2, &mem, &m), 0);
	mirrors_list(&m, 1, env.proxy, S("https://proxy.golang.org"), &b);
	assert_string_equal(buf_str(&b), "https://b/x/|https://a|https://proxy.golang.org,direct");
	buf_clear(&b);
	mirrors_list(&m, 0, env.proxy, S("https://b/x"), &b);
	assert_string_equal(buf_str(&b), "https://a|https://proxy.golang.org|https://proxy.golang.org,direct");
	assert_true(span_eq(mirror_base("https://u:p@a.b/go/,https://a.b/,direct", S("https://a.b/go/x.y/z/@v/list")), S("https://u:p@a.b/go/")));
	assert_true(span_eq(mirror_base("https://a.b|c.d", S("https://c.d/x/@v/list")), S("c.d")));
	assert_false(mirror_base("https://a.b|direct", S("https://a.bc/x")).p);
	assert_true(mirror_is_public(S("goproxy.cn:443")) && !mirror_is_public(S("xgoproxy.cn")));
}

static void walk_mirrors(void **state)
{
	const char *named[] = { "https://a", "file:///b" };
	struct mirror_env env = { "https://proxy.golang.org|https://c,direct", "", "", "" };

	for (long at = 1;; at++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		struct mirrors m;
		fault_at = at;
		fault_seen = 0;
		int r = mirrors_find(&env, named, 2, &mem, &m);
		bool over = fault_seen < at;
		fault_at = 0;
		assert_true(r == 0 || r == -12);
		if (over) {
			assert_int_equal(r, 0);
			break;
		}
	}
}

/* ---- blame ---- */

static const struct {
	const char *text;
	enum cause cause;
	const char *module, *version, *url;
	int status;
	const char *layer, *variable;
} blames[] = {
	{ "go: example.test/b@v1.2.0: reading http://127.0.0.1:1/example.test/b/@v/v1.2.0.mod: 503 Service Unavailable\n\tserver response: go: x.y/z@v1.0.0: reading http://evil: 404 Not Found",
	  CAUSE_MOD_PROXY, "example.test/b", "v1.2.0", "http://127.0.0.1:1/example.test/b/@v/v1.2.0.mod", 503, "HTTP", "GOPROXY" },
	{ "go: example.test/b@v1.2.0: Get \"https://a.b/example.test/b/@v/v1.2.0.mod\": dial tcp: lookup a.b: no such host", CAUSE_MOD_DNS, "example.test/b", "v1.2.0",
	  "https://a.b/example.test/b/@v/v1.2.0.mod", 0, "DNS", "GOPROXY" },
	{ "go: example.test/b@v1.2.0: Get \"https://a.b/x/@v/list\": proxyconnect tcp: dial tcp 1.2.3.4:1: connect: connection refused", CAUSE_MOD_CONNECT, "example.test/b", "v1.2.0",
	  "https://a.b/x/@v/list", 0, "HTTP proxy", "HTTPS_PROXY" },
	{ "verifying example.test/b@v1.2.0/go.mod: checksum mismatch\n\tdownloaded: h1:x\n\tgo.sum:     h1:y", CAUSE_MOD_CHECKSUM, "example.test/b", "v1.2.0", NULL, 0, "checksum", NULL },
	{ "go: a.b/c@v1.0.0: verifying module: a.b/c@v1.0.0: reading https://sum.golang.org/lookup/a.b/c@v1.0.0: 404 Not Found", CAUSE_MOD_SUMDB, "a.b/c", "v1.0.0",
	  "https://sum.golang.org/lookup/a.b/c@v1.0.0", 404, "checksum database", "GOPRIVATE" },
	{ "go: a.b/c@v1.0.0: verifying module: a.b/c@v1.0.0: reading https://sum.golang.org/lookup/a.b/c@v1.0.0: 500 Internal Server Error", CAUSE_MOD_SUMDB, "a.b/c", "v1.0.0",
	  "https://sum.golang.org/lookup/a.b/c@v1.0.0", 500, "checksum database", "GOSUMDB" },
	{ "go: a.b/c@v1.0.0: reading https://a.b/c/@v/v1.0.0.mod: 403 Forbidden", CAUSE_MOD_AUTH, "a.b/c", "v1.0.0", "https://a.b/c/@v/v1.0.0.mod", 403, "HTTP", "GOPROXY" },
	{ "go: a.b/c@v1.0.0: reading https://a.b/c/@v/v1.0.0.mod: 401 Unauthorized", CAUSE_MOD_AUTH, "a.b/c", "v1.0.0", "https://a.b/c/@v/v1.0.0.mod", 401, "HTTP", "NETRC" },
	{ "go: a.b/c@v1.0.0: Get \"https://a.b/c/@v/v1.0.0.mod\": Proxy Authentication Required", CAUSE_MOD_AUTH, "a.b/c", "v1.0.0", "https://a.b/c/@v/v1.0.0.mod", 0, "HTTP proxy",
	  "HTTPS_PROXY" },
	{ "go: a.b/c@v1.0.0: Get \"https://a.b/c/@v/v1.0.0.mod\": http: server gave HTTP response to HTTPS client", CAUSE_MOD_TLS, "a.b/c", "v1.0.0", "https://a.b/c/@v/v1.0.0.mod", 0, "TLS",
	  "GOPROXY" },
	{ "go: m imports\n\tx: cannot find module providing package x: module lookup disabled by GOPROXY=off", CAUSE_MOD_NOT_FOUND, NULL, NULL, NULL, 0, "settings", "GOPROXY" },
	{ "", CAUSE_MOD_VCS, NULL, NULL, NULL, 0, "git", "GOPRIVATE" },
};

static bool same(struct span s, const char *want)
{
	return want ? span_eq(s, span_of(want)) : s.n == 0;
}

static void test_blame(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(blames); i++) {
		struct blame b;
		blame_read(span_of(blames[i].text), blames[i].cause, &b);
		bool fine = same(b.module, blames[i].module) && same(b.version, blames[i].version) && same(b.url, blames[i].url) && b.status == blames[i].status &&
			    !strcmp(b.layer, blames[i].layer) && (b.variable ? blames[i].variable && !strcmp(b.variable, blames[i].variable) : !blames[i].variable);
		if (!fine)
			fail_msg("blame %zu: %.*s %.*s %.*s %d %s %s", i, SPAN_ARG(b.module), SPAN_ARG(b.version), SPAN_ARG(b.url), b.status, b.layer, b.variable);
	}
}

static void test_parts(void **state)
{
	CLEANUP(buf_free) struct buf m = { 0 };
	CLEANUP(buf_free) struct buf v = { 0 };
	struct blame_hashes h;

	assert_true(blame_module(S("https://a.b/go/github.com/%21burnt!sushi/x/@v/v1.0.0-!rc.zip"), S("https://a.b/go/"), &m, &v));
	assert_string_equal(buf_str(&m), "github.com/BurntSushi/x");
	assert_string_equal(buf_str(&v), "v1.0.0-Rc");
	assert_false(blame_module(S("https://a.b/go/x"), S("https://a.b"), &m, &v));
	assert_true(blame_hashes(S("verifying a@v1.0.0: checksum mismatch\n\tdownloaded: h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\tsum.golang.org: h1:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=\n"), &h));
	assert_true(span_eq(h.by, S("sum.golang.org")) && h.expected.p[3] == 'B' && h.downloaded.p[3] == 'A' && !h.go_mod);
	assert_false(blame_hashes(S("verifying a@v1.0.0: checksum mismatch\n"), &h));
	assert_string_equal(blame_layer_title("DNS"), "DNS");
	assert_string_equal(blame_layer_title("connection"), "connection");
	lang_now = LANG_ZH;
	assert_string_equal(blame_layer_title("connection"), "连接");
	lang_now = LANG_EN;
}

/* ---- what -x tells ---- */

static void take(void *ctx, struct span bytes)
{
	buf_span(ctx, bytes);
}

#define NSEC(n) ((int64_t)(n) * NSEC_PER_SEC)

static void feed(struct fetches *f, const char *text, size_t piece, int64_t now, struct buf *out)
{
	for (struct span s = span_of(text); s.n; s = span_from(s, piece))
		fetches_feed(f, span_head(s, piece), now, take, out);
}

static void test_fetches(void **state)
{
	static const char text[] = "# get https://a.b/x.y/z/@v/v1.0.0.mod\n# get https://a.b/x.y/z/@v/v1.0.0.mod: 200 OK (0.001s)\n"
				   "go: x.y/q@v1.0.0: some error\n# get https://a.b/x.y/q/@v/v1.0.0.mod\n# get https://a.b/x.y/q/@v/v1.0.0.mod: 404 Not Found (0.1s)\n"
				   "mkdir -p /c/vcs # git3 https://e.f/g\n0.012s # cd /c; git init --bare\n# a comment of somebody\n1 plain line\n"
				   "# get https://a.b/x.y/z/@v/v1.0.0.zip\n# get https://a.b/x.y/z/@v/v1.0.0.zip: 200 OK (0.1s)\n# get https://a.b/h/@v/v1.0.0.zip\nlast";

	for (size_t piece = 1; piece < 200; piece += piece < 20 ? 1 : 60) {
		CLEANUP(buf_free) struct buf out = { 0 };
		struct fetches f = { 0 };
		fetches_begin(&f, "https://a.b,direct", NSEC(1));
		feed(&f, text, piece, NSEC(2), &out);
		fetches_end(&f, take, &out);
		assert_string_equal(buf_str(&out), "go: x.y/q@v1.0.0: some error\n# a comment of somebody\n1 plain line\nlast");
		assert_int_equal(f.requests, 4);
		assert_int_equal(f.n_served, 1);
		assert_string_equal(f.served[0].module, "x.y/z");
		assert_string_equal(f.served[0].by, "https://a.b");
		assert_int_equal(f.n_open, 1);
		assert_string_equal(fetches_oldest(&f)->url, "https://a.b/h/@v/v1.0.0.zip");
		assert_null(fetches_hung(&f, NSEC(61), NSEC(60)));
		assert_non_null(fetches_hung(&f, NSEC(62), NSEC(60)));
		fetches_free(&f);
	}
}

/* Bytes of a zip are seen in its temporary file; it is done when it stands in the cache. */
static void test_cache(void **state)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	char dir[] = "/tmp/tocsin-fetches-XXXXXX", path[256];
	struct fetches f = { 0 };
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/cache/download/x.y/!z/@v", dir);
	assert_int_equal(path_mkdirs(path, 0755, &e), 0);
	f.modcache = dir;
	fetches_begin(&f, "https://a.b", NSEC(1));
	feed(&f, "# get https://a.b/x.y/%21z/@v/v1.0.0.zip\n# get https://a.b/x.y/%21z/@v/v1.0.0.zip: 200 OK (0.1s)\n", 7, NSEC(1), &out);
	assert_int_equal(f.n_open, 1);
	snprintf(path, sizeof(path), "%s/cache/download/x.y/!z/@v/v1.0.0.zip123.tmp", dir);
	assert_int_equal(file_replace(path, S("12345"), &e), 0);
	fetches_look(&f, NSEC(30));
	assert_int_equal(fetches_oldest(&f)->bytes, 5);
	assert_null(fetches_hung(&f, NSEC(70), NSEC(60)));
	assert_non_null(fetches_hung(&f, NSEC(91), NSEC(60)));
	assert_non_null(fetches_lost(&f));
	unlink(path);
	snprintf(path, sizeof(path), "%s/cache/download/x.y/!z/@v/v1.0.0.zip", dir);
	assert_int_equal(file_replace(path, S("1234567"), &e), 0);
	fetches_look(&f, NSEC(92));
	assert_null(fetches_oldest(&f));
	assert_null(fetches_lost(&f));
	fetches_settle(&f);
	assert_int_equal(f.n_served, 1);
	assert_int_equal(f.served[0].bytes, 7);
	assert_int_equal(f.bytes, 7);
	assert_string_equal(f.served[0].module, "x.y/Z");
	fetches_free(&f);
	unlink(path);
	for (char *slash = path + strlen(path); (slash = strrchr(path, '/')) > path + strlen("/tmp");) {
		*slash = 0;
		rmdir(path);
	}
	assert_int_not_equal(access(dir, F_OK), 0);
}

static void walk_fetches(void **state)
{
	for (long at = 1; at < 500; at++) {
		CLEANUP(buf_free) struct buf out = { 0 };
		struct fetches f = { 0 };
		fault_at = at;
		fault_seen = 0;
		fetches_begin(&f, "https://a.b,direct", NSEC(1));
		feed(&f, "# get https://a.b/x/@v/v1.0.0.zip\nwords\n# get https://a.b/x/@v/v1.0.0.zip: 200 OK (0.1s)\n# get https://c.d/x\nmore", 9, NSEC(2), &out);
		fetches_end(&f, take, &out);
		fetches_settle(&f);
		bool over = fault_seen < at;
		fault_at = 0;
		fetches_free(&f);
		if (over)
			return;
	}
	fail_msg("it never came to its end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy), cmocka_unit_test(test_mirrors), cmocka_unit_test(test_lists), cmocka_unit_test(walk_mirrors),
		cmocka_unit_test(test_blame), cmocka_unit_test(test_parts), cmocka_unit_test(test_fetches), cmocka_unit_test(test_cache), cmocka_unit_test(walk_fetches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
