/*
 * store/spool.c: a run that could not be recorded waits in a file and is taken in once, on SQLite and on PostgreSQL.
 * suite: postgres (run through tests/helpers/pg)
 * suite: takes 6
 */
#include "stored.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/path.h"
#include "store/spool.h"

static char state_dir[128];

static int setup_spool(void **state)
{
	static int number;
	char tmp[128];

	snprintf(state_dir, sizeof(state_dir), "%s/state%d", dir, ++number);
	snprintf(tmp, sizeof(tmp), "%s/tmp%d", dir, number);
	mkdir(tmp, 0700);
	setenv("XDG_STATE_HOME", state_dir, 1);
	setenv("TMPDIR", tmp, 1);
	return setup(state);
}

static void put(int64_t started, int from, int n, char path[256])
{
	CLEANUP(buf_free) struct buf name = { 0 };
	struct report *r = make_run(started, from, n);

	fine(spool_put(uri, r, &name, &e));
	snprintf(path, 256, "%s", buf_str(&name));
	free_run(r);
}

static int take(int max, struct buf *notes)
{
	int n = spool_take(store, uri, max, NOW, notes, &e);

	fine(n);
	return n;
}

static int64_t waiting(void)
{
	int64_t files, bytes;

	spool_waiting(uri, &files, &bytes);
	return files;
}

static void a_run_waits_and_is_taken_in(void **state)
{
	CLEANUP(buf_free) struct buf notes = { 0 };
	char path[256], other[256];
	struct stat st;

	(void)state;
	put(NOW, 0, 3, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_non_null(strstr(path, "/spool/"));
	assert_int_equal(strlen(strrchr(path, '/') + 1), 16);
	put(NOW + 1, 2, 3, other);
	assert_int_equal(waiting(), 2);
	assert_int_equal(take(1, &notes), 1);
	assert_int_equal(take(10, &notes), 1);
	assert_int_equal(take(10, &notes), 0);
	assert_int_equal(notes.len, 0);
	assert_int_equal(waiting(), 0);
	assert_int_equal(number_in(store, "SELECT count(*) FROM run"), 2);
	assert_int_equal(number_in(store, "SELECT count(*) FROM finding"), 6);
	assert_int_equal(number_in(store, "SELECT count(*) FROM fault"), 5);
	assert_int_equal(number_in(store, "SELECT count(*) FROM result"), 6);
	is_sound_in(store);
}

/* The state directory cannot be written: it waits in the other place, and is found there. */
static void without_a_state_directory(void **state)
{
	CLEANUP(buf_free) struct buf notes = { 0 };
	char path[256];

	(void)state;
	int fd = open(state_dir, O_CREAT | O_WRONLY, 0600); /* a file where the directory should be */
	assert_true(fd >= 0);
	close(fd);
	put(NOW, 0, 2, path);
	assert_non_null(strstr(path, getenv("TMPDIR")));
	assert_int_equal(take(10, &notes), 1);
	assert_int_equal(number_in(store, "SELECT count(*) FROM run"), 1);
}

static void taking_in_again_changes_nothing(void **state)
{
	CLEANUP(buf_free) struct buf text = { 0 }, notes = { 0 };
	char path[256];

	(void)state;
	put(NOW, 0, 2, path);
	fine(file_slurp(path, &text, &e));
	assert_int_equal(take(10, &notes), 1);
	fine(file_replace(path, buf_view(&text), &e)); /* as if the taker had been killed before it removed it */
	assert_int_equal(take(10, &notes), 1);
	assert_int_equal(number_in(store, "SELECT count(*) FROM run"), 1);
	assert_int_equal(number_in(store, "SELECT max(count) FROM fault"), 1);
	assert_int_equal(waiting(), 0);
}

static void broken_files_are_set_aside(void **state)
{
	CLEANUP(buf_free) struct buf notes = { 0 }, text = { 0 };
	char path[256], bad[300];

	(void)state;
	put(NOW, 0, 1, path);
	fine(file_slurp(path, &text, &e));
	fine(file_replace(path, span_head(buf_view(&text), text.len / 2), &e)); /* half written */
	put(NOW + DAY, 1, 1, bad);
	assert_int_equal(take(10, &notes), 1); /* and the good one is taken in */
	assert_int_equal(number_in(store, "SELECT count(*) FROM run"), 1);
	assert_non_null(strstr(buf_str(&notes), path));
	assert_ptr_equal(strchr(notes.p, '\n'), notes.p + notes.len - 1); /* one sentence */
	snprintf(bad, sizeof(bad), "%s.bad", path);
	assert_int_equal(access(bad, R_OK), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	buf_clear(&notes);
	assert_int_equal(take(10, &notes), 0);
	assert_int_equal(notes.len, 0);
}

static void one_taker_at_a_time(void **state)
{
	CLEANUP(buf_free) struct buf notes = { 0 };
	char path[256];

	(void)state;
	put(NOW, 0, 1, path);
	*strrchr(path, '/') = '\0';
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(take(10, &notes), 0);
	close(fd);
	assert_int_equal(take(10, &notes), 1);
}

static void names_of_one_store(void **state)
{
	CLEANUP(buf_free) struct buf a = { 0 }, b = { 0 }, c = { 0 };
	char name[300];
	struct report *r = make_run(NOW, 0, 1), *q = make_run(NOW, 0, 1);

	fine(spool_put(uri, r, &a, &e));
	snprintf(name, sizeof(name), "sqlite://%s", uri);
	fine(spool_put(name, q, &b, &e));
	assert_true(span_eq(path_dir(buf_view(&a)), path_dir(buf_view(&b))));
	fine(spool_put(NULL, q, &c, &e));
	assert_false(span_eq(path_dir(buf_view(&a)), path_dir(buf_view(&c))));
	free_run(r);
	free_run(q);
}

static void the_limits_are_said(void **state)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	char path[256], at[300];
	struct report *r;

	(void)state;
	put(NOW, 0, 1, path);
	*strrchr(path, '/') = '\0';
	for (int i = 0; i < SPOOL_FILES_MAX - 1; i++) {
		snprintf(at, sizeof(at), "%s/%026d.json", path, i);
		close(open(at, O_CREAT | O_WRONLY, 0600));
	}
	r = make_run(NOW, 0, 1);
	assert_int_equal(spool_put(uri, r, &name, &e), -EDQUOT);
	assert_non_null(strstr(e.msg, path));
	unlink(at);
	snprintf(at, sizeof(at), "%s/%026d.json", path, 1);
	assert_int_equal(truncate(at, SPOOL_BYTES_MAX - 10), 0); /* a hole: takes no space */
	assert_int_equal(spool_put(uri, r, &name, &e), -EDQUOT);
	unlink(at);
	fine(spool_put(uri, r, &name, &e));
	free_run(r);
}

/* Somebody else's directory in /tmp is not ours to read. */
static void strangers_are_not_believed(void **state)
{
	CLEANUP(buf_free) struct buf notes = { 0 };
	char path[256];

	(void)state;
	put(NOW, 0, 1, path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(take(10, &notes), 0);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(take(10, &notes), 1);
}

static void a_clock_that_was_wrong_is_said(void **state)
{
	CLEANUP(buf_free) struct buf notes = { 0 };
	char path[256];

	(void)state;
	put(NOW + 3650 * DAY, 0, 1, path);
	assert_int_equal(take(10, &notes), 1);
	assert_ptr_equal(strchr(notes.p, '\n'), notes.p + notes.len - 1);
	assert_int_equal(number_in(store, "SELECT count(*) FROM run"), 1);
}

#define TAKERS 6
#define WAITING 20

static void many_takers_and_one_that_is_killed(void **state)
{
	CLEANUP(buf_free) struct buf notes = { 0 };
	char path[256];
	pid_t pid[TAKERS];

	(void)state;
	for (int i = 0; i < WAITING; i++)
		put(NOW + i, i, 2, path);
	store_close(store);
	store = NULL;
	for (int i = 0; i < TAKERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			fine(store_open(uri, 0, &store, &e));
			while (waiting()) {
				if (spool_take(store, uri, 3, NOW, NULL, &e) < 0)
					_exit(1);
			}
			_exit(0);
		}
	}
	usleep(15000);
	kill(pid[0], SIGKILL);
	for (int i = 0; i < TAKERS; i++) {
		int status;
		waitpid(pid[i], &status, 0);
		assert_true(i == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	}
	fine(store_open(uri, 0, &store, &e));
	take(WAITING, &notes);
	assert_int_equal(waiting(), 0);
	assert_int_equal(number_in(store, "SELECT count(*) FROM run"), WAITING);
	assert_int_equal(number_in(store, "SELECT CAST(sum(count) AS BIGINT) FROM fault"), 2 * WAITING);
	is_sound_in(store);
}

/* Every allocation and step fails once: the run is in a whole file or refused, in the store or still waiting. */
static void every_failure(void **state)
{
	int64_t owed = 0;
	bool hit = true;

	(void)state;
	for (long at = 1; hit; at++) {
		CLEANUP(buf_free) struct buf name = { 0 };
		struct report *r = make_run(NOW + at, (int)(at % 50), 1);
		fault_seen = 0;
		fault_at = at;
		int n = spool_put(uri, r, &name, &e);
		hit = fault_seen >= at;
		fault_at = 0;
		owed += n == 0;
		if (n == 0)
			assert_int_equal(access(buf_str(&name), R_OK), 0);
		else
			assert_true(e.msg[0]);
		assert_int_equal(waiting(), owed);
		free_run(r);
	}
	hit = true;
	for (long at = 1; hit; at += 3) {
		CLEANUP(buf_free) struct buf notes = { 0 };
		char path[256];
		if (!waiting()) {
			put(NOW + DAY + at, (int)(at % 50), 1, path);
			owed++;
		}
		fault_seen = 0;
		fault_at = at;
		spool_take(store, uri, 1, NOW, &notes, &e);
		hit = fault_seen >= at;
		fault_at = 0;
		db_rollback(store->db);
		assert_int_equal(notes.len, 0); /* nothing of this is the file's fault */
		assert_true(number_in(store, "SELECT count(*) FROM run") + waiting() >= owed);
	}
	fine(spool_take(store, uri, 10000, NOW, NULL, &e));
	assert_int_equal(number_in(store, "SELECT count(*) FROM run"), owed);
	is_sound_in(store);
}

static const bool sqlite_kind = false, postgres_kind = true;
#define TEST(f) { #f " (SQLite)", f, setup_spool, teardown, (void *)&sqlite_kind }, { #f " (PostgreSQL)", f, setup_spool, teardown, (void *)&postgres_kind }

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_run_waits_and_is_taken_in), TEST(without_a_state_directory), TEST(taking_in_again_changes_nothing), TEST(broken_files_are_set_aside),
		TEST(one_taker_at_a_time), { "names_of_one_store", names_of_one_store, setup_spool, teardown, (void *)&sqlite_kind }, TEST(the_limits_are_said),
		TEST(strangers_are_not_believed), TEST(a_clock_that_was_wrong_is_said), TEST(many_takers_and_one_that_is_killed), TEST(every_failure),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
