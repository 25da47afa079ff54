/* run: nested go commands. This program is its own shim, as tocsin is. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/nested.h"
#include "run/run.h"
#include "run/shim.h"

static char tmp[] = "/tmp/test-nested-XXXXXX";
static char first_path[8192];

/* A go that does what its last word says. */
static const char fake_go[] =
	"#!/bin/sh\n"
	"for last in \"$@\"; do :; done\n"
	"case $last in\n"
	"fails) exit 3 ;;\n"
	"dies) kill -KILL $$ ;;\n"
	"terms) kill -TERM $$ ;;\n"
	"env) env ;;\n"
	"fds) ls /proc/self/fd | wc -l ;;\n"
	"status) grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status ;;\n"
	"sleeps) echo $$ > $TMPD/pid; trap 'echo got-term; exit 7' TERM; echo up; while :; do sleep 0.05; done ;;\n"
	"counts) n=0; trap 'n=$((n+1))' INT; echo up; i=0; while [ $i -lt 10 ]; do sleep 0.05; i=$((i+1)); done; exit $n ;;\n"
	"esac\n"
	"exit 0\n";

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static const char *in_tmp(const char *name)
{
	static char path[4][4096];
	static int turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", tmp, name);
	return p;
}

/* Runs a script with nested commands heard of; its wait status, and what was heard in *r. */
static int play(const char *script, const char *const *allow, struct report *r)
{
	struct nested_server *s;
	struct loop *l;
	struct err e;
	int st;

	assert_int_equal(loop_new(&l, &e), 0);
	if (nested_open(l, allow, &s, &e) < 0)
		fail_msg("%s", e.msg);
	pid_t pid = fork();
	if (pid == 0) {
		for (const char *const *v = nested_env(s); *v; v++)
			putenv((char *)*v);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	nested_root(s, pid);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	*r = (struct report){ 0 };
	assert_int_equal(nested_take(s, r, &e), 0);
	nested_close(s);
	loop_free(l);
	return st;
}

static void a_failure_is_heard_and_passed_on(void **state)
{
	struct report r;
	int st = play("cd /; go build ./x fails; echo $? >&2; exit 5", NULL, &r);

	assert_int_equal(WEXITSTATUS(st), 5);
	assert_int_equal(r.n_commands, 1);
	const struct nested *n = r.commands;
	assert_int_equal(n->argv.n, 4);
	assert_string_equal(n->argv.v[0], "go");
	assert_string_equal(n->argv.v[3], "fails");
	assert_string_equal(n->cwd, "/");
	assert_non_null(strstr(n->script, "sh -c 'cd /; go build"));
	assert_int_equal(n->how, END_EXIT);
	assert_int_equal(n->code, 3);
	assert_false(n->recovered || n->allowed || n->below_test);
	assert_true(n->duration > 0 && n->started >= 0);
	report_free(&r);
}

static void a_signal_is_died_of(void **state)
{
	struct report r;
	int st = play("go build dies; a=$?; go build terms; echo $a $? > $TMPD/status; :", NULL, &r);
	CLEANUP(buf_free) struct buf b = { 0 };

	assert_int_equal(st, 0);
	assert_int_equal(r.n_commands, 2);
	assert_int_equal(r.commands[0].how, END_SIGNAL);
	assert_int_equal(r.commands[0].sig, SIGKILL);
	assert_int_equal(r.commands[1].sig, SIGTERM);
	assert_int_equal(file_slurp(in_tmp("status"), &b, NULL), 0);
	assert_string_equal(b.p, "137 143\n");
	report_free(&r);
}

/* Replaces the fake go with one that fails the first time only. */
static void only_the_same_command_recovers(void **state)
{
	struct report r;

	write_file(in_tmp("bin/go"), "#!/bin/sh\n[ -e $TMPD/seen ] && exit 0\n: > $TMPD/seen\nexit 1\n", 0755);
	static const struct { const char *script; bool recovered; } rows[] = {
		{ "go build ./p; go build ./p", true },
		{ "go build ./p; go build -race -o /dev/null ./p", true },
		{ "go build; go build .", true },
		{ "cd /; go -C tmp vet ./p; cd tmp; go vet ./p", true },
		{ "cd /; go vet -C tmp ./p; cd /tmp; go vet ./p", true },
		{ "go mod tidy; go mod tidy -v; go mod tidy", true },
		{ "go build ./p; go build ./q", false },
		{ "go build ./p; go vet ./p", false },
		{ "go mod tidy; go mod download", false },
		{ "go build ./p; cd /; go build ./p", false },
		{ "GOOS=plan9 go build ./p; GOOS=linux go build ./p", false },
		{ "go test ./p ./q; go test ./p", false },
		{ "go run ./p a; go run ./p b", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unlink(in_tmp("seen"));
		play(rows[i].script, NULL, &r);
		if (r.n_commands != (i == 5 ? 3 : 2) || r.commands[0].code != 1 || r.commands[0].recovered != rows[i].recovered)
			fail_msg("%s: %zu commands, status %d %d, recovered %d", rows[i].script, r.n_commands, r.commands[0].code, r.commands[1].code, r.commands[0].recovered);
		report_free(&r);
	}
	write_file(in_tmp("bin/go"), fake_go, 0755);
}

static void what_is_allowed(void **state)
{
	static const struct { const char *script, *glob; bool allowed; } rows[] = {
		{ "go vet ./... fails", NULL, false },
		{ "go vet ./... fails", "go vet *", true },
		{ "go vet ./... fails", "vet ./*", true },
		{ "go build fails", "go vet *", false },
		{ "go vet", "go vet *", true },
		{ "TOCSIN_ALLOW=1 go vet fails", NULL, true },
		{ "TOCSIN_ALLOW=0 go vet fails", NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *allow[] = { rows[i].glob, NULL };
		struct report r;
		play(rows[i].script, allow, &r);
		if (r.n_commands != 1 || r.commands[0].allowed != rows[i].allowed)
			fail_msg("%s with %s", rows[i].script, rows[i].glob ? rows[i].glob : "nothing");
		report_free(&r);
	}
}

static void what_matters(void **state)
{
	static const struct { const char *argv[6]; bool yes; } rows[] = {
		{ { "go", "build" }, true }, { { "go", "test", "./..." }, true }, { { "go", "-C", "x", "vet" }, true },
		{ { "go", "-C=x", "mod", "tidy" }, true }, { { "go", "tool", "vet" }, true }, { { "go", "work", "sync" }, true },
		{ { "go", "run", ".", "-h" }, true },
		{ { "go" }, false }, { { "go", "version" }, false }, { { "go", "env" }, false }, { { "go", "list" }, false },
		{ { "go", "tool", "nm" }, false }, { { "go", "build", "-h" }, false }, { { "go", "test", "-v", "--help" }, false },
		{ { "go", "-C" }, false }, { { "go", "-C", "x" }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if ((shim_matters((char *const *)rows[i].argv) != 0) != rows[i].yes)
			fail_msg("row %zu: go %s", i, rows[i].argv[1] ? rows[i].argv[1] : "");
	}
}

static void text_of(const char *script, const char *file, struct buf *ret)
{
	struct report r;

	play(script, NULL, &r);
	report_free(&r);
	buf_clear(ret);
	assert_int_equal(file_slurp(in_tmp(file), ret, NULL), 0);
}

/* Signals as inherited, descriptors, environment: as without us. */
static void nothing_else_changes(void **state)
{
	static const char *const scripts[] = {
		"go build status > $TMPD/out", "trap '' INT HUP CHLD USR1; go build status > $TMPD/out",
		"exec 7</dev/null 8</dev/null; go build fds > $TMPD/out", "exec <&-; go build fds > $TMPD/out",
		"X=1 go build env | grep -v -e ^TOCSIN_ -e ^PATH= > $TMPD/out",
	};
	CLEANUP(buf_free) struct buf with = { 0 }, without = { 0 };
	char bare[9000];

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		text_of(scripts[i], "out", &with);
		snprintf(bare, sizeof(bare), "PATH=%s; %s", first_path, scripts[i]);
		text_of(bare, "out", &without);
		if (strcmp(with.p, without.p) != 0)
			fail_msg("%s: %s, not %s", scripts[i], with.p, without.p);
	}
}

static void signals_are_forwarded_once(void **state)
{
	struct report r;
	int st = play("go test sleeps > $TMPD/out & sleep 0.3; kill $!; wait $!", NULL, &r);
	CLEANUP(buf_free) struct buf b = { 0 };

	assert_int_equal(WEXITSTATUS(st), 7);
	assert_int_equal(r.commands[0].code, 7);
	assert_int_equal(file_slurp(in_tmp("out"), &b, NULL), 0);
	assert_string_equal(b.p, "up\ngot-term\n");
	report_free(&r);
	/* to the whole group, as ^C: the real one hears it once (it counts) */
	buf_clear(&b);
	play("setsid -w sh -c '(trap - INT; sleep 0.3; kill -INT 0) & trap : INT; go test counts; echo $? > $TMPD/out'", NULL, &r);
	assert_int_equal(file_slurp(in_tmp("out"), &b, NULL), 0);
	assert_string_equal(b.p, "1\n");
	report_free(&r);
}

static void a_killed_shim_takes_go_with_it(void **state)
{
	struct report r;
	CLEANUP(buf_free) struct buf b = { 0 };

	play("go test sleeps > $TMPD/out & sleep 0.3; kill -9 $!; wait $!; echo $? > $TMPD/out; sleep 0.1; ! kill -0 $(cat $TMPD/pid) 2> $TMPD/err", NULL, &r);
	assert_int_equal(file_slurp(in_tmp("out"), &b, NULL), 0);
	assert_string_equal(b.p, "137\n");
	assert_int_equal(r.n_commands, 1);
	assert_int_equal(r.commands[0].how, END_UNKNOWN);
	report_free(&r);
}

static void without_a_run_it_is_not_there(void **state)
{
	struct report r;
	int st = play("TOCSIN_RUN=tocsin-1-gone go build fails; a=$?; unset TOCSIN_RUN; go build fails; b=$?; TOCSIN_SHIM=off go build fails; exit $((a*16+b*4+$?))",
		      NULL, &r);

	assert_int_equal(WEXITSTATUS(st), 3 * 16 + 3 * 4 + 3);
	assert_int_equal(r.n_commands, 0);
	report_free(&r);
	st = play("PATH=${PATH%%:*}; go build x 2> $TMPD/out", NULL, &r);
	assert_int_equal(WEXITSTATUS(st), 127);
	report_free(&r);
}

/* A version manager that looks for "the other go" finds the shim: it must not go round in circles. */
static void a_wrapper_that_finds_us_again(void **state)
{
	static const char *const wrappers[] = {
		"#!/bin/sh\nd=$(dirname \"$0\")\nPATH=$(echo \"$PATH\" | sed \"s,$d:,,\")\ng=$(command -v go)\nPATH=$d:$PATH\nexec \"$g\" \"$@\"\n",
		"#!/bin/bash\nexec -a go $(type -ap go | grep -v \"^$0\\$\" | head -n 1) \"$@\"\n",
		"#!/bin/bash\n$(type -ap go | grep -v \"^$0\\$\" | head -n 1) \"$@\"\n",
	};
	struct report r;

	assert_int_equal(mkdir(in_tmp("wrap"), 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
		write_file(in_tmp("wrap/go"), wrappers[i], 0755);
		char path[16384];
		snprintf(path, sizeof(path), "%s:%s", in_tmp("wrap"), first_path);
		setenv("PATH", path, 1);
		int st = play("go build fails", NULL, &r);
		setenv("PATH", first_path, 1);
		assert_int_equal(WEXITSTATUS(st), 3);
		assert_true(r.n_commands <= 2);
		report_free(&r);
	}
}

static void a_folder_that_others_may_write_is_refused(void **state)
{
	struct nested_server *s;
	struct loop *l;
	struct err e;

	assert_int_equal(loop_new(&l, &e), 0);
	chmod(in_tmp("cache/tocsin/shim"), 0777);
	assert_int_equal(nested_open(l, NULL, &s, &e), -EPERM);
	assert_non_null(strstr(e.msg, "shim"));
	chmod(in_tmp("cache/tocsin/shim"), 0700);
	unlink(in_tmp("cache/tocsin/shim/go"));
	assert_int_equal(symlink("/nowhere", in_tmp("cache/tocsin/shim/go")), 0);
	assert_int_equal(nested_open(l, NULL, &s, &e), 0); /* the program has moved: pointed anew */
	assert_int_equal(access(in_tmp("cache/tocsin/shim/go"), X_OK), 0);
	nested_close(s);
	loop_free(l);
}

static void many_calls_at_once(void **state)
{
	struct report r;

	play("i=0; while [ $i -lt 40 ]; do go build ./p$i fails & i=$((i+1)); done; wait; true", NULL, &r);
	assert_int_equal(r.n_commands, 40);
	for (size_t i = 0; i < r.n_commands; i++)
		assert_int_equal(r.commands[i].code, 3);
	report_free(&r);
}

static void garbage_is_not_believed(void **state)
{
	struct nested_server *s;
	struct loop *l;
	struct err e;
	struct report r = { 0 };
	struct shim_packet p;

	assert_int_equal(loop_new(&l, &e), 0);
	assert_int_equal(nested_open(l, NULL, &s, &e), 0);
	const char *name = nested_env(s)[0] + strlen("TOCSIN_RUN=");
	for (int i = 0; i < 6; i++) {
		int fd = shim_connect(name, strcspn(name, ","));
		assert_true(fd >= 0);
		shim_packet_start(&p, i == 0 ? SHIM_END : i == 1 ? SHIM_CALLER : i == 2 ? SHIM_VERDICT : SHIM_START);
		shim_packet_word(&p, "only one");
		if (i == 3)
			p.m.words = 60000;
		if (i == 4)
			p.m.magic[0] = 'X';
		if (i == 5)
			p.len--; /* no NUL at its end */
		assert_true(shim_send(fd, &p));
		close(fd);
	}
	assert_int_equal(nested_take(s, &r, &e), 0);
	assert_int_equal(r.n_commands, 0);
	report_free(&r);
	nested_close(s);
	loop_free(l);
}

static void an_inner_verdict_settles(void **state)
{
	struct nested_server *s;
	struct loop *l;
	struct err e;
	struct report r = { 0 }, inner = { 0 };
	const char *argv[] = { "./lint.sh", NULL };
	char was[256] = "";

	assert_int_equal(loop_new(&l, &e), 0);
	assert_int_equal(nested_open(l, NULL, &s, &e), 0);
	snprintf(was, sizeof(was), "%s", nested_env(s)[0] + strlen("TOCSIN_RUN="));
	setenv("TOCSIN_RUN", was, 1);
	inner.argv = (struct argv){ argv, 1 };
	inner.exit_code = 1;
	run_tell_outer(&inner);
	assert_int_equal(nested_take(s, &r, &e), 0);
	assert_int_equal(r.n_commands, 1); /* it failed, and no go command tells so */
	assert_string_equal(r.commands[0].argv.v[3], "./lint.sh");
	assert_false(r.commands[0].recovered);
	inner.exit_code = 0; /* tried again, with success */
	run_tell_outer(&inner);
	report_free(&r);
	r = (struct report){ 0 };
	assert_int_equal(nested_take(s, &r, &e), 0);
	for (size_t i = 0; i < r.n_commands; i++)
		assert_true(r.commands[i].recovered || r.commands[i].allowed);
	unsetenv("TOCSIN_RUN");
	report_free(&r);
	nested_close(s);
	loop_free(l);
}

static int set_up(void **state)
{
	char path[8192];

	if (!mkdtemp(tmp))
		return -1;
	mkdir(in_tmp("bin"), 0755);
	mkdir(in_tmp("cache"), 0700);
	write_file(in_tmp("bin/go"), fake_go, 0755);
	snprintf(path, sizeof(path), "%s:%s", in_tmp("bin"), getenv("PATH"));
	setenv("PATH", path, 1);
	snprintf(first_path, sizeof(first_path), "%s", path);
	setenv("TMPD", tmp, 1);
	setenv("XDG_CACHE_HOME", in_tmp("cache"), 1);
	unsetenv("TOCSIN_RUN");
	unsetenv("TOCSIN_SHIM");
	unsetenv("TOCSIN_ALLOW");
	unsetenv("GOOS");
	unsetenv("GOARCH");
	return chdir(tmp);
}

static int tear_down(void **state)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", tmp);
	return system(cmd) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	shim_main_if_called(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_heard_and_passed_on),
		cmocka_unit_test(a_signal_is_died_of),
		cmocka_unit_test(only_the_same_command_recovers),
		cmocka_unit_test(what_is_allowed),
		cmocka_unit_test(what_matters),
		cmocka_unit_test(nothing_else_changes),
		cmocka_unit_test(signals_are_forwarded_once),
		cmocka_unit_test(a_killed_shim_takes_go_with_it),
		cmocka_unit_test(without_a_run_it_is_not_there),
		cmocka_unit_test(a_wrapper_that_finds_us_again),
		cmocka_unit_test(a_folder_that_others_may_write_is_refused),
		cmocka_unit_test(many_calls_at_once),
		cmocka_unit_test(garbage_is_not_believed),
		cmocka_unit_test(an_inner_verdict_settles),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
