/* base: buffers, arena, map, JSON, text, time. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "base/time.h"

static void buf_has_a_ceiling(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = { .max = 10 };

	buf_adds(&b, "0123456789");
	assert_false(b.bad);
	buf_addc(&b, 'x');
	assert_true(b.bad);
	assert_string_equal(b.p, "0123456789");
	buf_drop(&b, 4);
	assert_string_equal(b.p, "456789");
}

static void buf_survives_every_failed_allocation(void **state)
{
	(void)state;
	for (fault_at = 1;; fault_at++) {
		struct buf b = { 0 };
		fault_seen = 0;
		for (int i = 0; i < 100; i++)
			buf_addf(&b, "%d,", i);
		bool failed = b.bad;
		bool hit = fault_seen >= fault_at;
		buf_free(&b);
		assert_int_equal(failed, hit);
		if (!hit)
			break;
	}
	fault_at = 0;
}

static void arena_keeps_what_it_gave(void **state)
{
	(void)state;
	struct arena a = { 0 };
	char *first = arena_str(&a, S("first"));

	for (int i = 0; i < 2000; i++)
		assert_non_null(arena_alloc(&a, (size_t)i * 7));
	assert_string_equal(first, "first");
	arena_free(&a);
	a.max = 64;
	assert_null(arena_alloc(&a, 65));
	arena_free(&a);
}

static void map_against_a_plain_list(void **state)
{
	(void)state;
	struct map m = { 0 };
	static char keys[500][12];
	bool there[500] = { false };
	unsigned seed = 1;

	for (int i = 0; i < 500; i++)
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
	for (int i = 0; i < 20000; i++) {
		unsigned k = (seed = seed * 1103515245 + 12345) / 65536 % 500;
		if (seed & 1) {
			assert_true(map_put(&m, span_of(keys[k]), keys[k]));
			there[k] = true;
		} else {
			assert_ptr_equal(map_del(&m, span_of(keys[k])), there[k] ? keys[k] : NULL);
			there[k] = false;
		}
	}
	size_t n = 0, at = 0;
	for (int i = 0; i < 500; i++) {
		assert_ptr_equal(map_get(&m, span_of(keys[i])), there[i] ? keys[i] : NULL);
		n += there[i];
	}
	assert_int_equal(m.count, n);
	while (map_next(&m, &at))
		n--;
	assert_int_equal(n, 0);
	map_free(&m);
}

static void json_writes_what_it_reads(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = { 0 };
	CLEANUP(buf_free) struct buf back = { 0 };
	struct json_out j = { .to = &b };
	struct span v;

	json_open(&j, '{');
	json_key(&j, "a\"b");
	json_str(&j, S("x\n\t\x01\xff\xe4\xb8\xad\\"));
	json_key(&j, "n");
	json_int(&j, -12);
	json_key(&j, "o");
	json_open(&j, '[');
	json_null(&j);
	json_bool(&j, true);
	json_close(&j, ']');
	json_close(&j, '}');
	assert_string_equal(b.p, "{\"a\\\"b\":\"x\\n\\t\\u0001\xef\xbf\xbd\xe4\xb8\xad\\\\\",\"n\":-12,\"o\":[null,true]}");
	assert_true(json_find(buf_view(&b), "n", &v));
	assert_true(span_eq(v, S("-12")));
	assert_true(json_unescape(S("\\ud83d\\ude00\\u00e9\\/"), &back));
	assert_string_equal(back.p, "\xf0\x9f\x98\x80\xc3\xa9/");
	buf_clear(&back);
	assert_false(json_unescape(S("a\\u12"), &back));
}

static void json_refuses_what_is_broken(void **state)
{
	(void)state;
	static const char *const bad[] = { "{", "{\"a\":}", "[1,]x", "{\"a\" 1}", "}", "[1 2]", "{\"a\":\"b", "nope" };
	char deep[200];

	memset(deep, '[', sizeof(deep));
	for (size_t i = 0; i <= ARRAY_LEN(bad); i++) {
		struct json_in in = { .text = i < ARRAY_LEN(bad) ? span_of(bad[i]) : (struct span){ deep, sizeof(deep) } };
		enum json_tok t;
		int steps = 0;
		while ((t = json_next(&in)) > JSON_END && ++steps < 1000)
			;
		assert_int_equal(t, JSON_BAD);
	}
}

static void text_is_made_safe(void **state)
{
	(void)state;
	CLEANUP(buf_free) struct buf b = { 0 };

	text_clean(S("\x1b[31mred\x1b[0m\r::error::x\x07\xff\xe2\x80\xae"), false, &b);
	assert_string_equal(b.p, "red\\x0d::error::x\\x07\xef\xbf\xbd\\u202e");
	assert_int_equal(text_width(S("a\xe4\xb8\xad\xe6\x96\x87")), 5);
	assert_int_equal(text_fit(S("a\xe4\xb8\xad\xe6\x96\x87"), 4).n, 4);
	assert_true(text_glob("go vet *", S("go vet ./...")));
	assert_false(text_glob("go vet", S("go vet ./...")));
	const char *const verbs[] = { "run", "explain", "causes" };
	assert_string_equal(text_nearest("expalin", verbs, 3), "explain");
	assert_null(text_nearest("zzzzzz", verbs, 3));
}

static void durations_as_go_writes_them(void **state)
{
	(void)state;
	static const struct { const char *text; int64_t ns; } good[] = {
		{ "0", 0 }, { "90s", 90 * NSEC_PER_SEC }, { "1h30m", 5400 * NSEC_PER_SEC }, { "1.5s", NSEC_PER_SEC * 3 / 2 },
		{ "300ms", 300 * NSEC_PER_MSEC }, { ".5s", NSEC_PER_SEC / 2 },
	};
	static const char *const bad[] = { "", "5", "-1s", "s", "1x", "1s2", "99999999999h" };
	int64_t ns;
	char id[27], when[32];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(duration_parse(good[i].text, &ns));
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(duration_parse(bad[i], &ns));
	time_rfc3339(INT64_C(1700000000) * NSEC_PER_SEC, when);
	assert_string_equal(when, "2023-11-14T22:13:20Z");
	ulid_make(INT64_C(1469918176385) * NSEC_PER_MSEC, id);
	assert_memory_equal(id, "01ARYZ6S41", 10);
	assert_int_equal(strlen(id), 26);
}

static void files_are_replaced_whole(void **state)
{
	(void)state;
	char dir[] = "/tmp/tocsin-test-XXXXXX", path[64];
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	assert_int_equal(file_replace(path, S("one"), &e), 0);
	fault_at = 1, fault_seen = 0; /* the allocation or the write fails: the old content stays */
	for (; file_replace(path, S("two"), &e) < 0; fault_at++, fault_seen = 0) {
		long keep = fault_at;
		struct buf b = { 0 };
		fault_at = 0;
		assert_int_equal(file_slurp(path, &b, &e), 0);
		assert_string_equal(b.p, "one");
		buf_free(&b);
		fault_at = keep;
	}
	fault_at = 0;
	struct buf b = { .max = 2 };
	assert_int_equal(file_slurp(path, &b, &e), -EFBIG);
	assert_non_null(strstr(e.msg, path));
	unlink(path);
	rmdir(dir);
}

static int open_at(const char *path, int fd) /* as a shell does it: "3>path" */
{
	int at = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(dup2(at, fd), fd);
	if (at != fd)
		close(at);
	return fd;
}

static void slurp_is(const char *path, const char *want)
{
	struct buf b = { 0 };
	struct err e;

	assert_int_equal(file_slurp(path, &b, &e), 0);
	assert_string_equal(buf_str(&b), want);
	buf_free(&b);
}

/* Names of descriptors: what is there stays, what comes later follows, and no name is renamed over. */
static void own_descriptors_are_written_to(void **state)
{
	(void)state;
	char dir[] = "/tmp/tocsin-test-XXXXXX", path[64], name[64];
	struct stat before, after;
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	int fd = open_at(path, 60), keep = dup(STDOUT_FILENO);
	assert_int_equal(write(fd, "a", 1), 1);
	assert_int_equal(file_own_fd("/dev/fd/60"), 60);
	assert_int_equal(file_own_fd("/proc/self/fd/60"), 60);
	assert_int_equal(file_replace("/dev/fd/60", S("b"), &e), 0);
	assert_int_equal(write(fd, "c", 1), 1);
	slurp_is(path, "abc");
	fcntl(fd, F_SETFD, FD_CLOEXEC); /* one of Tocsin's own: not the user's 60 */
	assert_int_equal(file_own_fd("/dev/fd/60"), -1);
	assert_int_equal(file_replace("/dev/fd/60", S("x"), &e), -EBADF);
	close(fd);
	assert_int_equal(file_replace("/dev/fd/60", S("x"), &e), -EBADF);
	assert_int_equal(file_replace("/dev/fd/6x", S("x"), &e), -EBADF);

	assert_int_equal(lstat("/dev/stdout", &before), 0);
	fflush(stdout);
	open_at(path, STDOUT_FILENO);
	snprintf(name, sizeof(name), "/proc/%d/fd/1", (int)getpid());
	bool ok = write(STDOUT_FILENO, "1", 1) == 1 && file_replace("/dev/stdout", S("2"), &e) == 0 &&
		  file_replace(name, S("3"), &e) == 0 && file_replace(path, S("4"), &e) == 0 &&
		  write(STDOUT_FILENO, "5", 1) == 1;
	dup2(keep, STDOUT_FILENO);
	close(keep);
	assert_true(ok);
	slurp_is(path, "12345");
	assert_int_equal(lstat("/dev/stdout", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	unlink(path);
	assert_int_equal(rmdir(dir), 0); /* nothing else was left */
}

static void files_keep_their_mode_and_links(void **state)
{
	(void)state;
	char dir[] = "/tmp/tocsin-test-XXXXXX", path[64], link[64], odd[64];
	struct stat st;
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	snprintf(link, sizeof(link), "%s/l", dir);
	snprintf(odd, sizeof(odd), "%s/no/f", dir);
	assert_int_equal(symlink("f", link), 0);
	assert_int_equal(file_replace(link, S("one"), &e), 0); /* it leads to what is not there yet */
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(file_replace(link, S("two"), &e), 0);
	slurp_is(path, "two");
	assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
	assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
	assert_int_equal(file_replace(dir, S("x"), &e), -EISDIR);
	assert_int_equal(file_replace(odd, S("x"), &e), -ENOENT);
	assert_non_null(strstr(e.msg, odd));
	assert_int_equal(file_replace("/dev/full", S("x"), &e), -ENOSPC);
	assert_int_equal(file_replace("/dev/null", S("x"), &e), 0);

	assert_true(file_same(path, path) && file_same(path, link) && file_same(odd, odd));
	assert_false(file_same(path, odd) || file_same("/dev/null", "/dev/null") || file_same(dir, path));
	unlink(path);
	snprintf(odd, sizeof(odd), "%s/./f", dir);
	assert_true(file_same(path, odd)); /* not there yet */
	assert_false(file_same(path, link));
	unlink(link);
	assert_int_equal(rmdir(dir), 0);
}

static void a_pipe_without_a_reader_is_given_up(void **state)
{
	(void)state;
	char dir[] = "/tmp/tocsin-test-XXXXXX", path[64];
	char got[8] = "";
	struct err e;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/p", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_replace(path, S("x"), &e), -ENXIO);
	assert_non_null(strstr(e.msg, path));
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(file_replace(path, S("x"), &e), 0);
	assert_int_equal(read(fd, got, sizeof(got)), 1);
	close(fd);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_has_a_ceiling),
		cmocka_unit_test(buf_survives_every_failed_allocation),
		cmocka_unit_test(arena_keeps_what_it_gave),
		cmocka_unit_test(map_against_a_plain_list),
		cmocka_unit_test(json_writes_what_it_reads),
		cmocka_unit_test(json_refuses_what_is_broken),
		cmocka_unit_test(text_is_made_safe),
		cmocka_unit_test(durations_as_go_writes_them),
		cmocka_unit_test(files_are_replaced_whole),
		cmocka_unit_test(own_descriptors_are_written_to),
		cmocka_unit_test(files_keep_their_mode_and_links),
		cmocka_unit_test(a_pipe_without_a_reader_is_given_up),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
