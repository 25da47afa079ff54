/* base/redact: what is taken out of text, what is not, in one piece and in many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "base/mem.h"
#include "base/redact.h"
#include "model/redact_report.h"

/*
 * What looks like a real token is put together here, so that scanners of other people do not stumble over this file.
 */
#define ALNUM36 "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
#define UUID    "0f8fad5b-d9cb-469f-a165-70867728950e"
#define HEX40   "3f786850e387550fdab836ed7e6dc881de23001b"
#define KEY64   "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
#define BEGIN_KEY "-----BEGIN PRIVATE" " KEY-----"
#define END_KEY   "-----END PRIVATE" " KEY-----"

static const struct {
	const char *in, *out;
} positives[] = {
	/* tokens that tell what they are */
	{ "x gh" "p_" ALNUM36 " y", "x [redacted:github-token] y" },
	{ "gh" "s_" ALNUM36 ".", "[redacted:github-token]." },
	{ "{\"Output\":\"a\\ngh" "o_" ALNUM36 "\\n\"}", "{\"Output\":\"a\\n[redacted:github-token]\\n\"}" },
	{ "github" "_pat_11ABCDEFG0" ALNUM36 "_" ALNUM36, "[redacted:github-token]" },
	{ "gl" "pat-" "a1B2c3D4e5F6g7H8i9J0", "[redacted:gitlab-token]" },
	{ "gl" "ptt-" HEX40, "[redacted:gitlab-token]" },
	{ "xo" "xb-123456789012-1234567890123-a1B2c3D4e5F6", "[redacted:slack-token]" },
	{ "np" "m_" ALNUM36, "[redacted:npm-token]" },
	{ "py" "pi-AgEIcHlwaS5vcmcCJ" ALNUM36 ALNUM36, "[redacted:pypi-token]" },
	{ "key AI" "zaSyA-1234567890abcdefghijklmnopqrstu!", "key [redacted:google-key]!" },
	{ "sk_" "live_a1B2c3D4e5F6g7H8i9J0", "[redacted:stripe-key]" },
	{ "AK" "IAIOSFODNN7EXAMPLE x", "[redacted:aws-key-id] x" },
	{ "Credential=AS" "IAIOSFODNN7EXAMPLE/2024", "Credential=[redacted:credential]" },
	{ "got ey" "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U!", "got [redacted:jwt]!" },
	{ "SE" "C0123456789abcdef0123", "[redacted:sign-key]" },
	{ "wh" "sec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "[redacted:webhook-key]" },
	/* webhooks */
	{ "https://oapi.dingtalk.com/robot/send?access_token=a1b2c3d4e5f6", "https://oapi.dingtalk.com/robot/send?access_token=[redacted:token]" },
	{ "send?access_token=ab12&timestamp=1700000000000&sign=TSZbRFUuvaSQ%2FaRK%3D",
	  "send?access_token=[redacted:token]&timestamp=1700000000000&sign=[redacted:signature]" },
	{ "send?access_token=ab12\\u0026sign=TSZbRFUuvaSQaRK end", "send?access_token=[redacted:token]\\u0026sign=[redacted:signature] end" },
	{ "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=" UUID, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=[redacted:webhook]" },
	{ "cgi-bin/webhook/upload_media?type=file&key=" UUID "\n", "cgi-bin/webhook/upload_media?type=file&key=[redacted:webhook]\n" },
	{ "https://open.feishu.cn/open-apis/bot/v2/hook/" UUID ": 404", "https://open.feishu.cn/open-apis/bot/v2/hook/[redacted:webhook]: 404" },
	{ "https://hooks.slack.com/" "services/T01234567/B01234567/a1B2c3D4e5F6g7H8i9J0k1L2\"", "https://hooks.slack.com/services/[redacted:webhook]\"" },
	{ "https://discord.com/api/webhooks/123456789012345678/a1B2c3D4-e5F6_g7H8i9J0k1L2", "https://discord.com/api/webhooks/123456789012345678/[redacted:webhook]" },
	{ "https://x.webhook.office.com/webhookb2/" UUID "@" UUID "/IncomingWebhook/a1", "https://x.webhook.office.com/webhookb2/[redacted:webhook]" },
	{ "https://p.logic.azure.com/workflows/1?api-version=2&sig=abcdEFGH-1234", "https://p.logic.azure.com/workflows/1?api-version=2&sig=[redacted:signature]" },
	{ "https://api.telegram.org/bot123456789:AA" "F1b2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q/sendMessage",
	  "https://api.telegram.org/bot123456789:[redacted:telegram-token]/sendMessage" },
	/* URLs */
	{ "postgres://bob:hunter2@db:5432/x", "postgres://bob:[redacted:url-password]@db:5432/x" },
	{ "https://x:p@ss@h/", "https://x:[redacted:url-password]@h/" },
	{ "clone https://a1b2c3d4e5f6a7b8@github.com/x", "clone https://[redacted:url-password]@github.com/x" },
	{ "{\"u\":\"amqp://u:a\\u0026b12@h\"}", "{\"u\":\"amqp://u:[redacted:url-password]@h\"}" },
	{ "root:s3cr3t@tcp(127.0.0.1:3306)/db", "root:[redacted:password]@tcp(127.0.0.1:3306)/db" },
	{ "dsn=root:word@tcp(h)/db", "dsn=root:[redacted:password]@tcp(h)/db" },
	{ "GET /x?a=1&api_key=abcd&b=2", "GET /x?a=1&api_key=[redacted:api-key]&b=2" },
	{ "?X-Amz-Signature=" HEX40 "&x", "?X-Amz-Signature=[redacted:signature]&x" },
	{ "?X-Amz-Security-Token=IQoJb3JpZ2lu%2F1&x", "?X-Amz-Security-Token=[redacted:token]&x" },
	/* headers */
	{ "Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted:authorization]" },
	{ "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n", "Proxy-Authorization: Basic [redacted:authorization]\r\n" },
	{ "map[Authorization:[Bearer mytoken1] X:[y]]", "map[Authorization:[Bearer [redacted:authorization]] X:[y]]" },
	{ "{\"Authorization\":[\"Bearer abcd1234\"]}", "{\"Authorization\":[\"Bearer [redacted:authorization]\"]}" },
	{ "http.Header{\"Authorization\":[]string{\"Basic YTpi\"}}", "http.Header{\"Authorization\":[]string{\"Basic [redacted:authorization]\"}}" },
	{ "\\\"authorization\\\": \\\"Bearer q1w2e3r4\\\"", "\\\"authorization\\\": \\\"Bearer [redacted:authorization]\\\"" },
	{ "sent bearer a1b2c3d4e5f6g7h8 there", "sent bearer [redacted:authorization] there" },
	{ "X-Api-Key: a1b2c3d4e5", "X-Api-Key: [redacted:api-key]" },
	/* assignments */
	{ "DB_PASSWORD=hunter", "DB_PASSWORD=[redacted:password]" },
	{ "PGPASSWORD=abcd psql", "PGPASSWORD=[redacted:password] psql" },
	{ "MYSQL_PWD=abcd", "MYSQL_PWD=[redacted:password]" },
	{ "export API_TOKEN='two words' x", "export API_TOKEN='[redacted:token]' x" },
	{ "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SECRET_ACCESS_KEY=[redacted:secret]" },
	{ "{\"Output\":\"GITHUB_TOKEN=abcdef\\n\"}", "{\"Output\":\"GITHUB_TOKEN=[redacted:token]\\n\"}" },
	{ "{\"Output\":\"PASSWORD=\\\"ab cd\\\" x\\n\"}", "{\"Output\":\"PASSWORD=\\\"[redacted:password]\\\" x\\n\"}" },
	{ "DB_PASSWORD_PROD=word1", "DB_PASSWORD_PROD=[redacted:password]" },
	{ "[\"-e\",\"SECRET_KEY=abcd\"]", "[\"-e\",\"SECRET_KEY=[redacted:secret]\"]" },
	{ "NPM_AUTH=abcd1", "NPM_AUTH=[redacted:token]" },
	{ "//r.example/:_authToken=a1b2c3d4e5", "//r.example/:_authToken=[redacted:token]" },
	{ "PASSWORD=a,b;c&d", "PASSWORD=[redacted:password]" },
	{ "password=hunter2 next", "password=[redacted:password] next" },
	{ "{\"password\": \"hunter\", \"a\": 1}", "{\"password\": \"[redacted:password]\", \"a\": 1}" },
	{ "{\"password\":\"a\\\"b\",\"c\":1}", "{\"password\":\"[redacted:password]\",\"c\":1}" },
	{ "{\"client_secret\":\"a1b2c3d4e5\"}", "{\"client_secret\":\"[redacted:secret]\"}" },
	{ "{User:bob Password:hunter2 N:1}", "{User:bob Password:[redacted:password] N:1}" },
	{ "&main.C{Password:\"hunter\", X:1}", "&main.C{Password:\"[redacted:password]\", X:1}" },
	{ "    x_test.go:9: token is bad: token=s3cr3t-t0ken", "    x_test.go:9: token is bad: token=[redacted:token]" },
	{ "api_key: a1b2c3d4e5f6", "api_key: [redacted:api-key]" },
	{ "AccountKey=a1b2c3d4e5f6+/==;EndpointSuffix=x", "AccountKey=[redacted:access-key];EndpointSuffix=x" },
	{ "host=h user=u password=word dbname=d", "host=h user=u password=[redacted:password] dbname=d" },
	{ "Server=h;Password=word;", "Server=h;Password=[redacted:password];" },
	{ "tool --password hunter2 -v", "tool --password [redacted:password] -v" },
	{ "tool --password word https://x/ y", "tool --password [redacted:password] https://x/ y" },
	{ "tool --token abcd", "tool --token [redacted:token]" },
	{ "tool --token=abcd -x", "tool --token=[redacted:token] -x" },
	{ "[\"tool\",\"--password\",\"word\"]", "[\"tool\",\"--password\",\"[redacted:password]\"]" },
	{ "machine h login bob password pw\n", "machine h login bob password [redacted:password]\n" },
	{ "machine h\nlogin bob\npassword pw1", "machine h\nlogin bob\npassword [redacted:password]" },
	/* private keys */
	{ "a\n" BEGIN_KEY "\n" KEY64 "\n" KEY64 "\nAb==\n" END_KEY "\nb", "a\n" BEGIN_KEY "\n[redacted:private-key]\n" END_KEY "\nb" },
	{ "\"" BEGIN_KEY "\\n" KEY64 "\\nAb==\\n" END_KEY "\\n\"", "\"" BEGIN_KEY "\\n[redacted:private-key]\\n" END_KEY "\\n\"" },
	{ BEGIN_KEY "\n" KEY64 "\n" KEY64 "\n", BEGIN_KEY "\n[redacted:private-key]\n" },
	{ "{\"Output\":\"" BEGIN_KEY "\\n\"}\n{\"Action\":\"output\",\"Output\":\"" KEY64 "\\n\"}\n{\"Output\":\"" KEY64 "\\n\"}\n{\"Output\":\"" END_KEY "\\n\"}\n",
	  "{\"Output\":\"" BEGIN_KEY "\\n\"}\n{\"Action\":\"output\",\"Output\":\"[redacted:private-key]\\n\"}\n{\"Output\":\"\\n\"}\n{\"Output\":\"" END_KEY "\\n\"}\n" },
};

static const char *const negatives[] = {
	"", "x", "ok  \texample.com/token\t0.012s", "--- FAIL: TestToken (0.00s)", "=== RUN   TestPasswordReset/password=short",
	"TestPasswordReset=a1b2c3d4e5f6", "--- PASS: TestSecret/token=identifier_1 (0.00s)",
	"token: unexpected EOF", "expected token: got X", "password: too short", "Password: must contain 8 characters",
	"secret = nil", "token := next()", "token := p.next2(a, b)", "token = s.peekToken2()", "tok := token.Pos(12345)",
	"expected ';', found token", "./x.go:12:5: undefined: token", "./secret.go:12:5: undefined: password1x2y3z",
	"x_test.go:12: token: x_test.go:13:4: bad", "want token=IDENT, got token=EOF", "level=info token=IDENT pos=3",
	"TOKEN: got X", "E_BAD_PASSWORD: wrong", "TOKEN=\"\"", "TOKEN=", "TOKEN=$TOKEN", "TOKEN=${TOKEN}", "PASSWORD=***", "PASSWORD=<password>",
	"PASSWORD=xxxxx", "TOKEN=nil", "TOKEN=true", "TOKEN=%s", "SECRET=abc", "MAX_TOKENS=4096", "TOKENS=12345", "TOKEN_COUNT=12345",
	"PASSWORD_FILE=/run/secrets/x", "PWD=/home/x", "pwd=/home/x1y2z3", "OLDPWD=/home/xx",
	"github.com/x/token v1.2.3 h1:LjdTt3yCg2a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6Y=", "github.com/x/token v1.2.3/go.mod h1:LjdTt3yCg2a1b2c3=",
	"example.com/token: v0.0.0-20230102150405-3f786850e387", "go: github.com/x/secret@v1.2.3: verifying module",
	"commit " HEX40, "3f786850e387550fdab836ed7e6dc881de23001b  file", UUID, "=== RUN   TestX/" UUID,
	"main.(*Token).Verify(0xc000012345, {0xc00001a0a0, 0x3})", "token: 0xc000123456", "goroutine 1 [running]:", "\t/src/token.go:12 +0x1d",
	"token expires: 2024-01-02T15:04:05Z", "token: 2024-01-02T15:04:05Z", "secret: 127.0.0.1:8080", "token took: 10.52ms", "token: 1.5s",
	"flag provided but not defined: -token", "  -token string\n\tthe token to use", "use --password to set it", "flag --token requires an argument",
	"--password-stdin", "docker build --secret id=npm1,src=x1.txt .", "unknown flag: --token\n", "      --password string   the password",
	"http://localhost:8080/a@b", "https://example.com/a:b@c", "https://user@example.com/", "ssh://git@github.com/x", "postgres://u:${PASS}@h",
	"http://u:xxxxx@h", "http://u:***@h", "http://%s:%s@%s/", "postgres://$USER:$PASS@h", "user@tcp(h)",
	"Authorization: ", "authorization: bearer token required", "Authorization: Bearer <token>", "Authorization: Bearer $TOKEN", "authorization failed: bad",
	"the bearer of this message", "bearer token123", "eyJ", "eyJhbGci", "AKIA", "AKIAshort", "xxAKIAIOSFODNN7EXAMPLE", "ghp_short", "npm_config_cache",
	"npm_config_registry_with_a_long_name_of_many_words", "AIzaShort", "SECONDS", "SEC0123", "glpat-is-the-prefix-of-tokens", "xoxb-is-a-token-of-slack",
	"-----BEGIN CERTIFICATE-----\n" KEY64 "\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----\n" KEY64 "\n", "PRIVATE KEY-----",
	"no PEM block of type " BEGIN_KEY " in the file", "json:\"password\" xml:\"token\"", "`json:\"secret,omitempty\"`",
	"{\"Action\":\"output\",\"Package\":\"p/secret\",\"Test\":\"TestToken\",\"Output\":\"token\\n\"}", "{\"password\": 12345678, \"token\": null}",
	"{\"password\":\"required\"}", "{\"token\":\"IDENT\"}", "password: \"is too short\"", "login with password failed", "login: invalid password",
	"Login required: password 12345", "map[token:1 secret:2]", "parser.go:10: token=identifier", "assert.Equal(t, token1, token2)",
	"if password != \"\" {", "token==abc123def456", "secret:sha256:3f786850e387550fdab836ed7e6dc881", "tokens: 1234", "id: 9:AAAA",
	"PrivateKey: testEd25519PrivateKey,", "PrivateKey: testRSA2048PrivateKey}}", "got [redacted:token] want", "TOKEN=[redacted:token]", "pass: 12 fail: 0", "compass=12345abc", "secretary: a1b2c3d4e5", "tokenizer=a1b2c3d4e5f6",
	"signature: func(a int1, b int2)", "AWS_REGION=us-east-1", "credentials: file not found", "1.2.3.4:AAAA", "ns/op 12:AAbc",
	"ZXlKaGJHY2lPaUpJVXpJMU5pSjkuZXlKemRXSWlPaUl4TWpNME5UWTNPRGt3SW4wLmRvempn", "token=utf8 secret=a1 password=ok",
};

static void assert_text(const char *in, struct span got, const char *want)
{
	struct span w = span_of(want);

	if (!span_eq(got, w))
		fail_msg("of:   %.*s\ngot:  %.*s\nwant: %.*s", SPAN_ARG(span_of(in)), SPAN_ARG(got), SPAN_ARG(w));
}

static void in_pieces(const struct redact *x, struct span in, size_t first, size_t step, struct buf *ret)
{
	struct redact_stream r = { .x = x };

	redact_feed(&r, span_head(in, first), ret);
	for (struct span rest = span_from(in, first); rest.n; rest = span_from(rest, step)) {
		redact_feed(&r, span_head(rest, step), ret);
		assert_true(r.window.len - r.done <= REDACT_HOLD);
	}
	redact_end(&r, ret);
	assert_false(ret->bad);
	assert_null(r.window.p);
}

static void check_splits(const struct redact *x, const char *text, const char *want)
{
	struct span in = span_of(text);
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i <= in.n; i++) {
		buf_clear(&b);
		in_pieces(x, in, i, in.n, &b);
		assert_text(text, buf_view(&b), want);
	}
	for (size_t step = 1; step <= 7; step++) {
		buf_clear(&b);
		in_pieces(x, in, step, step, &b);
		assert_text(text, buf_view(&b), want);
	}
}

static void test_positives(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(positives); i++) {
		CLEANUP(buf_free) struct buf b = { 0 }, again = { 0 };
		struct span in = span_of(positives[i].in);
		size_t n = redact_text(NULL, in, &b);
		assert_text(positives[i].in, buf_view(&b), positives[i].out);
		assert_true(n >= 1 && redact_any(NULL, in));
		redact_text(NULL, buf_view(&b), &again); /* twice changes nothing */
		assert_text(positives[i].out, buf_view(&again), positives[i].out);
		assert_false(redact_any(NULL, buf_view(&b)));
		check_splits(NULL, positives[i].in, positives[i].out);
	}
}

static void test_negatives(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(negatives); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct span in = span_of(negatives[i]);
		size_t n = redact_text(NULL, in, &b);
		assert_text(negatives[i], buf_view(&b), negatives[i]);
		assert_int_equal(n, 0);
		assert_false(redact_any(NULL, in));
		check_splits(NULL, negatives[i], negatives[i]);
	}
}

/* All of the tables in one text: one find must not spoil its neighbours. */
static void test_together(void **state)
{
	CLEANUP(buf_free) struct buf in = { 0 }, want = { 0 }, got = { 0 }, parts = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(positives); i++) {
		/* far enough apart that none is the context of another */
		buf_addf(&in, "%s\n%400s\n%s\n%400s\n", positives[i].in, "-- --", negatives[i], "== ==");
		buf_addf(&want, "%s\n%400s\n%s\n%400s\n", positives[i].out, "-- --", negatives[i], "== ==");
	}
	redact_text(NULL, buf_view(&in), &got);
	assert_text("all", buf_view(&got), buf_str(&want));
	for (size_t step = 1; step < 3000; step += 1 + step / 3) {
		buf_clear(&parts);
		in_pieces(NULL, buf_view(&in), step, step, &parts);
		assert_text("all in pieces", buf_view(&parts), buf_str(&want));
	}
}

static void test_values(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "a Tr0ub4dor&3 x", "a [redacted:robot] x" },
		{ "a Tr0ub4dor%263 x", "a [redacted:robot] x" },
		{ "\"Tr0ub4dor\\u00263\"", "\"[redacted:robot]\"" },
		{ "with space in", "[redacted:robot] in" },
		{ "with%20space", "[redacted:robot]" },
		{ "first line, second line", "[redacted:robot], [redacted:robot]" },
		{ "Tr0ub4dor&4 tr0ub4dor&3", "Tr0ub4dor&4 tr0ub4dor&3" },
	};
	struct redact *x = redact_new();

	assert_non_null(x);
	assert_true(redact_add_value(x, S("Tr0ub4dor&3\n"), "robot"));
	assert_true(redact_add_value(x, S("with space"), "robot"));
	assert_true(redact_add_value(x, S("first line\nsecond line\nx\n"), "robot"));
	assert_false(redact_add_value(x, S("abc"), "robot"));
	assert_false(redact_add_value(x, S("  \n "), "robot"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		redact_text(x, span_of(rows[i].in), &b);
		assert_text(rows[i].in, buf_view(&b), rows[i].out);
		check_splits(x, rows[i].in, rows[i].out);
	}
	/* "u:Tr0ub4dor&3" and "xx:Tr0ub4dor&3" in base64: at every offset most of it is gone */
	static const char *const coded[] = { "VHIwdWI0ZG9yJjM=", "OlRyMHViNGRvciYz", "dTpUcjB1YjRkb3ImMw==" };
	for (size_t i = 0; i < ARRAY_LEN(coded); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		assert_int_equal(redact_text(x, span_of(coded[i]), &b), 1);
		if (b.len > strlen("[redacted:robot]") + 8)
			fail_msg("%s left %s", coded[i], buf_str(&b));
	}
	redact_free(x);
	redact_free(NULL);
}

/* Of a URL: what it stands for is learned too. The text is no string, and a blank is no digit. */
static void test_learned_url(void **state)
{
	static const char url[] = "q%20Tr0ub4dor%26% 3 4%3";
	struct redact *x = redact_new();
	char *value = mem_alloc(sizeof(url) - 1);
	CLEANUP(buf_free) struct buf b = { 0 };

	assert_true(x && value);
	memcpy(value, url, sizeof(url) - 1);
	assert_true(redact_learn_named(x, S("PASSWORD"), (struct span){ value, sizeof(url) - 1 }));
	redact_text(x, S("a q Tr0ub4dor&% 3 4%3 b q%20Tr0ub4dor%26% 3 4%3 c"), &b);
	assert_text("learned", buf_view(&b), "a [redacted:secret] b [redacted:secret] c");
	mem_free(value);
	redact_free(x);
}

/* `go test -json` cuts long lines: what is on the edge is seen, and every event stays one. */
#define EVENT(t, o) "{\"Time\":\"2024-01-02T15:04:05Z\",\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"" t "\",\"Output\":\"" o "\"}\n"

static void test_events(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ EVENT("A", "x gh") EVENT("A", "p_" ALNUM36 " y\\n") EVENT("A", "z\\n"), EVENT("A", "x [redacted:github-token]") EVENT("A", " y\\n") EVENT("A", "z\\n") },
		{ EVENT("A", "gh" "p_" ALNUM36) EVENT("A", "\\n"), EVENT("A", "[redacted:github-token]") EVENT("A", "\\n") },
		{ EVENT("A", "a corre") EVENT("A", "ct-ho") EVENT("A", "rse b\\n"), EVENT("A", "a [redacted:robot]") "" EVENT("A", "") EVENT("A", " b\\n") },
		{ EVENT("A", "a corre") EVENT("B", "ct-horse b\\n"), EVENT("A", "a corre") EVENT("B", "ct-horse b\\n") },
		{ EVENT("A", "a corre\\n") EVENT("A", "ct-horse b\\n"), EVENT("A", "a corre\\n") EVENT("A", "ct-horse b\\n") },
		{ EVENT("A", "corre") "{\"Action\":\"pass\"}\n" EVENT("A", "ct-horse\\n"), EVENT("A", "corre") "{\"Action\":\"pass\"}\n" EVENT("A", "ct-horse\\n") },
		{ "plain correct-horse\n\n{\ncorrect-horse", "plain [redacted:robot]\n\n{\n[redacted:robot]" },
		{ EVENT("A", "a b"), EVENT("A", "a b") },
	};
	struct redact *x = redact_new();

	assert_true(x && redact_add_value(x, S("correct-horse"), "robot"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span in = span_of(rows[i].in);
		for (size_t step = 1; step <= in.n; step++) {
			CLEANUP(buf_free) struct buf b = { 0 };
			struct redact_stream r = { .x = x, .events = true };
			for (struct span rest = in; rest.n; rest = span_from(rest, step))
				redact_feed(&r, span_head(rest, step), &b);
			redact_end(&r, &b);
			assert_text(rows[i].in, buf_view(&b), rows[i].out);
		}
	}
	redact_free(x);
}

/* The same value in all that people and programs make of it. */
static void test_encodings(void **state)
{
	static const char value[] = "p\"a\\ss/w%41\303\251&\360\237\230\200 x7";
	static const char *const ways[] = {
		"p\"a\\ss/w%41\303\251&\360\237\230\200 x7",
		"p%22a%5Css%2Fw%2541%C3%A9%26%F0%9F%98%80%20x7",
		"p%22a%5css/w%2541%c3%a9&%f0%9f%98%80+x7",
		"p\\\"a\\\\ss/w%41\303\251&\360\237\230\200 x7",
		"p\\\"a\\\\ss\\/w%41\\u00e9\\u0026\\ud83d\\ude00 x7",
		"p\\\\\\\"a\\\\\\\\ss/w%41\\\\u00E9\\\\u0026\\\\uD83D\\\\uDE00 x7",
		"cCJhXHNzL3clNDHDqSbwn5iAIHg3", "cCJhXHNzL3cl\nNDHDqSbwn5iA\nIHg3", "cCJhXHNzL3cl\\nNDHDqSbwn5iAIHg3", "cCJhXHNzL3clNDHDqSbwn5iAIHg3",
	};
	struct redact *x = redact_new();

	assert_true(x && redact_add_value(x, span_of(value), "robot"));
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		CLEANUP(buf_free) struct buf in = { 0 };
		buf_addf(&in, "a %s b", ways[i]);
		CLEANUP(buf_free) struct buf b = { 0 };
		redact_text(x, buf_view(&in), &b);
		assert_text(ways[i], buf_view(&b), "a [redacted:robot] b");
		check_splits(x, buf_str(&in), "a [redacted:robot] b");
	}
	redact_free(x);
}

/* What the environment holds; and what is told nobody need find again. */
static void test_learn(void **state)
{
	struct redact *x = redact_new();
	CLEANUP(buf_free) struct buf b = { 0 };

	assert_non_null(x);
	assert_true(redact_learn(x, S("DB_PASSWORD=tr0ub4dor")) && redact_learn(x, S("PGURL=postgres://u:b4tt%40ery@h/d")) && redact_learn(x, S("PASSWORD=postgres")) &&
		    redact_learn(x, S("HOME=/home/me")) && redact_learn(x, S("SSH_AUTH_SOCK=/tmp/ssh-12/agent.7")));
	redact_text(x, S("got tr0ub4dor, b4tt%40ery, b4tt@ery, postgres, /home/me, /tmp/ssh-12/agent.7, dHIwdWI0ZG9y"), &b);
	assert_text("learned", buf_view(&b), "got [redacted:secret], [redacted:secret], [redacted:secret], postgres, /home/me, /tmp/ssh-12/agent.7, [redacted:secret]");
	buf_clear(&b);
	redact_know(x);
	redact_text(NULL, S("got tr0ub4dor"), &b);
	redact_know(NULL);
	redact_text(NULL, S(", tr0ub4dor"), &b);
	assert_text("known", buf_view(&b), "got [redacted:secret], tr0ub4dor");
	redact_free(x);
}

/* Somebody waits for a prompt; but the beginning of a value waits for its end. */
static void test_idle(void **state)
{
	struct redact *x = redact_new();
	struct redact_stream r = { .x = x };
	CLEANUP(buf_free) struct buf b = { 0 };

	assert_true(x && redact_add_value(x, S("correct-horse"), "robot"));
	redact_feed(&r, S("name:"), &b);
	assert_true(redact_holds(&r));
	redact_idle(&r, &b);
	assert_text("prompt", buf_view(&b), "name:");
	assert_false(redact_holds(&r));
	redact_feed(&r, S(" x corre"), &b);
	redact_idle(&r, &b);
	assert_text("begun", buf_view(&b), "name: x ");
	redact_feed(&r, S("ct-horse y gh"), &b);
	redact_idle(&r, &b);
	assert_text("ended", buf_view(&b), "name: x [redacted:robot] y gh");
	redact_feed(&r, S("ost\ncorrect"), &b);
	redact_end(&r, &b);
	assert_text("rest", buf_view(&b), "name: x [redacted:robot] y ghost\ncorrect");
	redact_free(x);
}

/* Longer than what is looked at: the rest goes too, and little is held. */
static void test_long(void **state)
{
	static const char *const heads[] = { "PASSWORD=", "Authorization: Bearer ", "gh" "p_", "https://x/bot/v2/hook/", BEGIN_KEY "\n" };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		CLEANUP(buf_free) struct buf in = { 0 }, got = { 0 }, parts = { 0 };
		buf_adds(&in, heads[i]);
		for (int k = 0; k < 3000; k++)
			buf_adds(&in, "aB3dE6gH9");
		buf_adds(&in, " end\n");
		redact_text(NULL, buf_view(&in), &got);
		if (!span_ends(buf_view(&got), S(" end\n")) || got.len > 100)
			fail_msg("%s: %.*s", heads[i], SPAN_ARG(span_head(buf_view(&got), 200)));
		in_pieces(NULL, buf_view(&in), 700, 700, &parts);
		assert_text(heads[i], buf_view(&parts), buf_str(&got));
	}
}

/* A line that is whole goes on at once, so that a log can be followed. */
static void test_held(void **state)
{
	struct redact_stream r = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };

	redact_feed(&r, S("=== RUN   TestToken\n"), &b);
	assert_text("line", buf_view(&b), "=== RUN   TestToken\n");
	redact_feed(&r, S("API_TOKEN=ab"), &b);
	assert_text("line", buf_view(&b), "=== RUN   TestToken\n");
	redact_feed(&r, S("cdef\nok\n"), &b);
	assert_text("line", buf_view(&b), "=== RUN   TestToken\nAPI_TOKEN=[redacted:token]\nok\n");
	redact_end(&r, &b);
	assert_int_equal(r.hits, 1);
	redact_end(&r, &b);
	redact_stream_free(&r);
	assert_text("line", buf_view(&b), "=== RUN   TestToken\nAPI_TOKEN=[redacted:token]\nok\n");
}

/* Text made to be slow: the time grows with its length, not faster. Also bytes of every value stay as they are. */
#define END_QUOTED "PRIVATE" " KEY-----\"}"

static void test_hostile(void **state)
{
	static const char *const units[] = {
		"token=", "://", "password ", "a:@tcp(", "machine login ", BEGIN_KEY, "\\\\\\\\\"", "secret=\"\\", "Authorization:[[[[", "eyJ", "_token",
		"cgi-bin/webhook/", "--token ", "x:a@", "{\"password\":\"", "-----BEGIN ", END_QUOTED, "Bearer ", "sig=",
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		CLEANUP(buf_free) struct buf in = { 0 }, got = { 0 }, parts = { 0 };
		while (in.len < 200000)
			buf_adds(&in, units[i]);
		redact_text(NULL, buf_view(&in), &got);
		in_pieces(NULL, buf_view(&in), 4096, 4096, &parts);
		assert_true(span_eq(buf_view(&got), buf_view(&parts)));
	}
	CLEANUP(buf_free) struct buf all = { 0 }, same = { 0 };
	for (int i = 0; i < 4096; i++)
		buf_addc(&all, (char)(i * 7 + i / 256));
	assert_int_equal(redact_text(NULL, buf_view(&all), &same), 0);
	assert_true(span_eq(buf_view(&all), buf_view(&same)));
}

/* Without memory nothing of a secret comes out, and it is said. */
static void test_no_memory(void **state)
{
	struct span in = S("a API_TOKEN=abcdef\nb known-value c\n");
	bool done = false;

	for (long at = 1; !done; at++) {
		struct redact_stream r = { 0 };
		CLEANUP(buf_free) struct buf b = { 0 }, whole = { 0 };
		fault_at = at;
		fault_seen = 0;
		struct redact *x = redact_new();
		bool added = x && redact_add_value(x, S("known-value"), "robot");
		r.x = x;
		redact_feed(&r, span_head(in, 12), &b);
		redact_feed(&r, span_from(in, 12), &b);
		redact_end(&r, &b);
		redact_text(x, in, &whole);
		done = fault_seen < at;
		fault_at = 0;
		assert_true(span_find(buf_view(&b), S("abcdef")) == SPAN_NONE && span_find(buf_view(&whole), S("abcdef")) == SPAN_NONE);
		assert_true(!added || span_find(buf_view(&b), S("known-value")) == SPAN_NONE);
		if (done)
			assert_text("no memory", buf_view(&b), "a API_TOKEN=[redacted:token]\nb [redacted:robot] c\n");
		else
			assert_true(!added || b.bad || whole.bad);
		redact_free(x);
		assert_true(at < 1000);
	}
}

/* Every text of a report; what the report only borrows is not touched. */
static void test_report(void **state)
{
	static const char secret[] = "x https://u:Qz7Wx8Ec9@h/ y";
	const char *args[] = { "tool", "--password", "Qz7Wx8Ec9", secret, NULL };
	const struct argv argv = { args, 4 };
	const struct span text = S("x https://u:Qz7Wx8Ec9@h/ y");

	for (long at = 0, done = 0; !done; at++) {
		CLEANUP(buf_free) struct buf json = { 0 };
		struct report r = { .is_run = true, .argv = argv, .cwd = secret, .summary = secret, .log_path = secret };
		struct nested inner = { .argv = argv, .cwd = secret, .script = secret };
		struct proc_note proc = { .command = secret };
		struct place place = { text, text, 1 };
		struct named_time slow = { text, text, 1 };
		r.ci = (struct ci_context){ "ci", secret, secret, secret, secret, secret, secret, secret, secret };
		r.ending = (struct ending){ .how = END_EXIT, .why = secret, .sender = secret };
		r.facilities[r.n_facilities++] = (struct facility){ "shim", "no", secret };
		r.commands = &inner;
		r.procs = &proc;
		struct test_result result = { .package = text, .test = text };
		r.project = r.base_branch = secret;
		r.results = &result;
		r.n_results = 1;
		r.slowest = r.skipped = &slow;
		r.n_commands = r.n_procs = r.n_slowest = r.n_skipped = 1;
		struct finding *f = report_add(&r);
		assert_non_null(f);
		f->package = f->test = f->file = f->message = f->excerpt = f->advice = text;
		f->places = &place;
		f->n_places = 1;
		f->command = argv;
		assert_true(list_add(&r.mem, &r.limits, secret));
		fault_at = at;
		fault_seen = 0;
		int n = report_redact(NULL, &r);
		done = at && fault_seen < at;
		fault_at = 0;
		assert_int_equal(n, at && !done ? -ENOMEM : 0);
		report_spool_json(&r, &json);
		assert_true(!json.bad && span_find(buf_view(&json), S("Qz7")) == SPAN_NONE);
		if (n == 0)
			assert_true(span_find(buf_view(&json), S("\"x https://u:[redacted:url-password]@h/ y\"")) != SPAN_NONE);
		assert_ptr_equal(args[3], secret);
		report_free(&r);
		assert_true(at < 2000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positives), cmocka_unit_test(test_negatives), cmocka_unit_test(test_together),
		cmocka_unit_test(test_values), cmocka_unit_test(test_events), cmocka_unit_test(test_encodings), cmocka_unit_test(test_learn), cmocka_unit_test(test_learned_url), cmocka_unit_test(test_idle),    cmocka_unit_test(test_long),      cmocka_unit_test(test_held),
		cmocka_unit_test(test_hostile),   cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
