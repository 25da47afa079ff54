/* alert/secret: where secrets come from, what is refused, how they are held. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alert/secret.h"
#include "base/mem.h"

static char tmp[] = "/tmp/test-alert-secret-XXXXXX";

static const char *in_tmp(const char *prefix, const char *name)
{
	static char path[16][256];
	static int turn;
	char *p = path[turn++ % 16];

	snprintf(p, sizeof(path[0]), "%s%s/%s", prefix, tmp, name);
	return p;
}

static void put(const char *name, struct span text, unsigned mode)
{
	struct err e;

	assert_int_equal(file_replace(in_tmp("", name), text, &e), 0);
	assert_int_equal(chmod(in_tmp("", name), mode), 0);
}

static struct secrets *fresh(void)
{
	struct secrets *s;
	struct err e;

	assert_int_equal(secrets_open(&s, &e), 0);
	return s;
}

static void gives(struct secrets *s, const char *ref, const char *value)
{
	struct span v;
	struct err e;

	if (secret_get(s, ref, &v, &e) < 0)
		fail_msg("%s: %s", ref, e.msg);
	if (!span_eq(v, span_of(value)))
		fail_msg("%s: '%.*s'", ref, SPAN_ARG(v));
}

static void refuses(struct secrets *s, const char *ref, int code, const char *words)
{
	struct span v;
	struct err e = { 0 };

	assert_int_equal(secret_get(s, ref, &v, &e), -code);
	assert_null(v.p);
	if (!strstr(e.msg, words) || strstr(e.msg, "hunter2"))
		fail_msg("%s: '%s', want '%s'", ref, e.msg, words);
}

static void reads_every_source(void **state)
{
	(void)state;
	CLEANUP(secrets_close) struct secrets *s = fresh();

	setenv("A5_TOKEN", "from-env", 1);
	gives(s, "env:A5_TOKEN", "from-env");
	setenv("A5_TOKEN", " from-env-2\r\n", 1); /* asked again, read again */
	gives(s, "env:A5_TOKEN", "from-env-2");
	unsetenv("A5_TOKEN");
	put("token", S("from-file\n"), 0600);
	setenv("A5_TOKEN_FILE", in_tmp("", "token"), 1);
	gives(s, "env:A5_TOKEN", "from-file");
	gives(s, in_tmp("file:", "token"), "from-file");
	assert_null(secret_note(s, in_tmp("file:", "token")));
	put("token", S("rotated-and-longer\r\n\n"), 0600);
	gives(s, in_tmp("file:", "token"), "rotated-and-longer");
	gives(s, "env:A5_TOKEN", "rotated-and-longer");
	setenv("A5_TOKEN", "both", 1);
	refuses(s, "env:A5_TOKEN", EINVAL, "both A5_TOKEN and A5_TOKEN_FILE are set");
	unsetenv("A5_TOKEN");
	unsetenv("A5_TOKEN_FILE");
	refuses(s, "env:A5_TOKEN", ENOENT, "neither A5_TOKEN nor A5_TOKEN_FILE");
	setenv("CREDENTIALS_DIRECTORY", tmp, 1);
	put("smtp-password", S("from-systemd"), 0644);
	gives(s, "credential:smtp-password", "from-systemd");
	assert_null(secret_note(s, "credential:smtp-password"));
	refuses(s, "credential:none", ENOENT, "/none' cannot be read: No such file");
	unsetenv("CREDENTIALS_DIRECTORY");
	refuses(s, "credential:a5-no-such", ENOENT, "'/run/secrets/a5-no-such' cannot be read");
}

static void refuses_what_is_none(void **state)
{
	(void)state;
	CLEANUP(secrets_close) struct secrets *s = fresh();
	CLEANUP(buf_free) struct buf long_one = { 0 };
	static const char *const inlines[] = { "hunter2", "https://hooks.example.com/hunter2", "", "ENV:hunter2", "env", "file", "plain:hunter2" };

	for (size_t i = 0; i < ARRAY_LEN(inlines); i++) {
		refuses(s, inlines[i], EINVAL, "must not stand in a configuration");
		assert_false(secret_is_reference(inlines[i]));
	}
	refuses(s, NULL, EINVAL, "must not stand");
	assert_false(secret_is_reference(NULL));
	refuses(s, "env:", EINVAL, "the name of a variable follows env:");
	refuses(s, "env:A B", EINVAL, "the name of a variable");
	refuses(s, "env:A=hunter2", EINVAL, "the name of a variable");
	refuses(s, "file:", EINVAL, "a full path follows file:");
	refuses(s, "file:relative", EINVAL, "a full path follows file:");
	refuses(s, "file:/", EINVAL, "is no regular file");
	refuses(s, "file:/dev/zero", EINVAL, "is no regular file");
	refuses(s, "credential:", EINVAL, "the name of a credential");
	refuses(s, "credential:../passwd", EINVAL, "the name of a credential");
	refuses(s, "credential:..", EINVAL, "the name of a credential");
	setenv("A5_EMPTY", "", 1);
	refuses(s, "env:A5_EMPTY", EINVAL, "the variable A5_EMPTY is empty");
	setenv("A5_EMPTY", "abc", 1);
	refuses(s, "env:A5_EMPTY", EINVAL, "fewer than 4 bytes");
	setenv("A5_EMPTY", "hunter2\nX-Other: 1", 1);
	refuses(s, "env:A5_EMPTY", EINVAL, "more than one line");
	setenv("A5_EMPTY", "hunter2\x1b[m", 1);
	refuses(s, "env:A5_EMPTY", EINVAL, "a control character");
	for (int i = 0; i < SECRET_MAX; i++)
		buf_addc(&long_one, 'x');
	setenv("A5_EMPTY", long_one.p, 1);
	gives(s, "env:A5_EMPTY", long_one.p);
	buf_addc(&long_one, '\n');
	put("big", buf_view(&long_one), 0600);
	gives(s, in_tmp("file:", "big"), getenv("A5_EMPTY"));
	buf_adds(&long_one, "more");
	put("big", buf_view(&long_one), 0600);
	refuses(s, in_tmp("file:", "big"), EFBIG, "more than 4096 bytes");
	put("nul", (struct span){ "ab\0cd\n", 6 }, 0600);
	refuses(s, in_tmp("file:", "nul"), EINVAL, "control character");
	put("blank", S(" \n"), 0600);
	refuses(s, in_tmp("file:", "blank"), EINVAL, "is empty");
	assert_int_equal(mkfifo(in_tmp("", "fifo"), 0600), 0); /* must not be waited for */
	refuses(s, in_tmp("file:", "fifo"), EINVAL, "is no regular file");
	unsetenv("A5_EMPTY");
}

static void a_wide_file_is_said(void **state)
{
	(void)state;
	CLEANUP(secrets_close) struct secrets *s = fresh();

	put("wide", S("hunter2\n"), 0644);
	gives(s, in_tmp("file:", "wide"), "hunter2");
	const char *note = secret_note(s, in_tmp("file:", "wide"));
	assert_non_null(note);
	assert_non_null(strstr(note, "/wide' can be read by others than its owner (mode 644)"));
	assert_null(strstr(note, "hunter2"));
	put("wide", S("hunter2\n"), 0600);
	gives(s, in_tmp("file:", "wide"), "hunter2");
	assert_null(secret_note(s, in_tmp("file:", "wide")));
	assert_null(secret_note(s, "file:/never/asked"));
}

static void takes_what_is_handed_over(void **state)
{
	(void)state;
	CLEANUP(secrets_close) struct secrets *s = fresh();
	struct err e;

	unsetenv("A5_JOB");
	assert_int_equal(secret_put(s, "env:A5_JOB", S("of-the-job"), &e), 0);
	gives(s, "env:A5_JOB", "of-the-job");
	setenv("A5_JOB", "of-the-deliverer", 1);
	gives(s, "env:A5_JOB", "of-the-job");
	assert_int_equal(secret_put(s, "env:A5_JOB", S("a-later-one"), &e), 0);
	gives(s, "env:A5_JOB", "a-later-one");
	assert_int_equal(secret_put(s, in_tmp("file:", "gone"), S("as-it-was"), &e), 0);
	gives(s, in_tmp("file:", "gone"), "as-it-was");
	put("gone", S("as-it-is"), 0600);
	gives(s, in_tmp("file:", "gone"), "as-it-is");
	assert_int_equal(secret_put(s, "hunter2", S("value"), &e), -EINVAL);
	assert_null(strstr(e.msg, "hunter2"));
	assert_int_equal(secret_put(s, "env:X", S("hunter2\nhunter2"), &e), -EINVAL);
	assert_non_null(strstr(e.msg, "handed over for env:X has more than one line"));
	assert_null(strstr(e.msg, "hunter2"));
	unsetenv("A5_JOB");
}

static void redaction_knows_them(void **state)
{
	(void)state;
	CLEANUP(secrets_close) struct secrets *s = fresh();
	struct redact *x = redact_new();
	static const char *const taken[] = {
		"say https://bot:passw0rd-1@chat.example/hook/v2/AbCdEfGhIjKlMnOpQr?access_token=tok-1234567890&k=zz now",
		"only tok-1234567890 here", "only AbCdEfGhIjKlMnOpQr here", "only passw0rd-1 here", "plain-secret", "handed-over",
	};
	static const char *const left[] = { "chat.example", "hook", "v2", "zz", "a bot" };
	struct span v;
	struct err e;

	setenv("A5_URL", "https://bot:passw0rd-1@chat.example/hook/v2/AbCdEfGhIjKlMnOpQr?access_token=tok-1234567890&k=zz", 1);
	setenv("A5_KEY", "plain-secret", 1);
	assert_int_equal(secret_get(s, "env:A5_URL", &v, &e), 0);
	assert_int_equal(secret_get(s, "env:A5_KEY", &v, &e), 0);
	assert_int_equal(secret_put(s, "env:A5_GIVEN", S("handed-over"), &e), 0);
	assert_int_equal(secrets_redact(s, x, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		if (!redact_any(x, span_of(taken[i])))
			fail_msg("'%s' was left", taken[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		assert_false(redact_any(x, span_of(left[i])));
	redact_free(x);
	unsetenv("A5_URL");
	unsetenv("A5_KEY");
}

static void names_the_variables(void **state)
{
	(void)state;
	static const char *const refs[] = { "env:ONE", "file:/run/x", "env:TWO", "env:ONE", "http://127.0.0.1:9/", "credential:c", "env:", "env:A=B" };
	CLEANUP(buf_free) struct buf names = { 0 };
	struct err e;

	assert_int_equal(secret_variables(refs, ARRAY_LEN(refs), &names, &e), 0);
	assert_string_equal(names.p, "ONE\nONE_FILE\nTWO\nTWO_FILE\n");
}

/* What /proc shows of us, too. */
static void the_environment_forgets(void **state)
{
	(void)state;
	CLEANUP(secrets_close) struct secrets *s = fresh();
	static const char *const refs[] = { "env:A5_HIDE", "file:/run/x", "env:A5_SHORT", "env:A5_NEVER" };
	struct span v;
	struct err e;

	setenv("A5_HIDE", "hidden-value", 1);
	setenv("A5_SHORT", "xy", 1);
	const char *where = getenv("A5_HIDE");
	assert_int_equal(secret_get(s, refs[0], &v, &e), 0);
	assert_int_equal(secrets_hide(s, refs, ARRAY_LEN(refs), &e), 0);
	assert_null(getenv("A5_HIDE"));
	assert_null(getenv("A5_SHORT"));
	assert_int_equal(where[0], '\0');
	gives(s, "env:A5_HIDE", "hidden-value");
	refuses(s, "env:A5_SHORT", ENOENT, "A5_SHORT");
	assert_int_equal(secrets_hide(s, refs, ARRAY_LEN(refs), &e), 0);
	gives(s, "env:A5_HIDE", "hidden-value");
}

/* Many, of changing sizes: what was there is wiped, and its room used again. */
static void slots_are_used_again(void **state)
{
	(void)state;
	CLEANUP(secrets_close) struct secrets *s = fresh();
	static const size_t sizes[] = { 10, 300, 2000, 256, 257, 1024, 1025, 4096, 4 };
	CLEANUP(buf_free) struct buf value = { 0 };
	struct span v;
	struct err e;

	for (int round = 0; round < 200; round++) {
		buf_clear(&value);
		for (size_t i = 0; i < sizes[(size_t)round % ARRAY_LEN(sizes)]; i++)
			buf_addc(&value, (char)('a' + round % 26));
		for (int i = 0; i < 5; i++) {
			char ref[32];
			snprintf(ref, sizeof(ref), "env:SLOT_%d", i);
			assert_int_equal(secret_put(s, ref, buf_view(&value), &e), 0);
			assert_int_equal(secret_get(s, ref, &v, &e), 0);
			assert_true(span_eq(v, buf_view(&value)));
		}
	}
}

/* The flags of the mapping that a value lies in: "lo" locked, "dd" not dumped, "wf" wiped on fork. */
static void find_flags(const char *p, char flags[256])
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false;

	assert_non_null(f);
	*flags = '\0';
	while (fgets(line, sizeof(line), f)) {
		unsigned long from, to;
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)p >= from && (unsigned long)p < to;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, 256, "%.250s", line);
	}
	fclose(f);
}

static void memory_is_kept_to_us(void **state)
{
	(void)state;
	CLEANUP(secrets_close) struct secrets *s = fresh();
	struct rlimit core, locked;
	char flags[256];
	struct span v;
	struct err e;
	int status = -1;

	setenv("A5_HELD", "canary-4711", 1);
	assert_int_equal(secret_get(s, "env:A5_HELD", &v, &e), 0);
	unsetenv("A5_HELD");
	find_flags(v.p, flags);
	if (!strstr(flags, " dd") || !strstr(flags, " wf"))
		fail_msg("%s", flags);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &locked), 0);
#ifndef __SANITIZE_ADDRESS__ /* it makes mlock do nothing */
	if (locked.rlim_cur >= 32 << 10)
		assert_non_null(strstr(flags, " lo"));
#endif
	pid_t pid = fork();
	if (pid == 0) /* the child has zeroes there */
		_exit(v.p[0] || v.p[v.n - 1] ? 1 : 0);
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(span_eq(v, S("canary-4711")));
	pid = fork();
	if (pid == 0) {
		secret_process();
		bool good = prctl(PR_GET_DUMPABLE) == 0 && getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0;
		void *later = malloc(1 << 20); /* what comes later is still to be had */
		_exit(good && later ? 0 : 1);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int use_all(void)
{
	struct secrets *s;
	struct redact *x;
	CLEANUP(buf_free) struct buf names = { 0 };
	static const char *const refs[] = { "env:ONE", "env:TWO" };
	struct span v;
	struct err e;
	int r = secrets_open(&s, &e);

	if (r < 0)
		return r;
	r = secret_get(s, in_tmp("file:", "wide"), &v, &e);
	if (r == 0)
		r = secret_get(s, "env:A5_WALK", &v, &e);
	if (r == 0)
		r = secret_put(s, "credential:walk", S("https://u:passw0rd@h/abcdefghijklmnopqrst?k=0123456789"), &e);
	if (r == 0)
		r = secret_get(s, "credential:walk", &v, &e);
	x = r == 0 ? redact_new() : NULL;
	if (r == 0)
		r = x ? secrets_redact(s, x, &e) : -ENOMEM;
	if (r == 0)
		r = secret_variables(refs, 2, &names, &e);
	redact_free(x);
	secrets_close(s);
	return r;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	long at = 1;

	put("wide", S("hunter2\n"), 0644);
	setenv("A5_WALK", "walking", 1);
	for (;; at++) {
		fault_at = at, fault_seen = 0;
		int r = use_all();
		bool hit = fault_seen >= at;
		fault_at = 0;
		if (!hit) {
			assert_int_equal(r, 0);
			break;
		}
		assert_true(r == -ENOMEM || r == 0);
		assert_true(at < 1000);
	}
	assert_true(at > 10);
}

static int setup(void **state)
{
	return mkdtemp(tmp) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", tmp);
	return system(command); /* NOLINT: our own folder */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_source),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(a_wide_file_is_said),
		cmocka_unit_test(takes_what_is_handed_over),
		cmocka_unit_test(redaction_knows_them),
		cmocka_unit_test(names_the_variables),
		cmocka_unit_test(the_environment_forgets),
		cmocka_unit_test(slots_are_used_again),
		cmocka_unit_test(memory_is_kept_to_us),
		cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
