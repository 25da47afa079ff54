/* run: what git knows, on real repositories; and who owns a line. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "run/git.h"
#include "run/owners.h"

#define FAR INT64_MAX /* a run that began after all changes */

static char tmp[] = "/tmp/test-git-XXXXXX";
static char first_path[8192];
static struct arena mem;

static const char *in_tmp(const char *name)
{
	return arena_printf(&mem, "%s/%s", tmp, name);
}

/* A shell with `$R` and some functions in the scratch folder; its output's first line. */
static const char *sh(const char *script)
{
	static char line[512];
	CLEANUP(buf_free) struct buf cmd = { 0 };

	buf_adds(&cmd, "set -e; PATH=/usr/bin:/bin; commit() { git add -A; git commit -q -m \"$1\"; }; ");
	buf_addf(&cmd, "cd '%s'; { %s\n} 2>&1", tmp, script);
	FILE *f = popen(cmd.p, "r");
	assert_non_null(f);
	line[0] = '\0';
	if (fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = '\0';
	while (fgetc(f) != EOF)
		;
	int status = pclose(f);
	if (status)
		fail_msg("status %d of: %s\n%s", status, script, line);
	return arena_str(&mem, span_of(line));
}

static void same(const char *what, const char *got, const char *want)
{
	if ((!got || !want) ? got != want : strcmp(got, want) != 0)
		fail_msg("%s: got %s, want %s", what, got ? got : "NULL", want ? want : "NULL");
}

static struct git_where where(const char *name)
{
	struct git_where w;
	struct err e = { 0 };

	if (git_where(in_tmp(name), &mem, &w, &e) != 0)
		fail_msg("%s: %s", name, e.msg);
	return w;
}

static int setup(void **state)
{
	static const char *const env[] = { "GIT_AUTHOR_NAME=A Developer", "GIT_AUTHOR_EMAIL=dev@example.com",
		"GIT_COMMITTER_NAME=A Developer", "GIT_COMMITTER_EMAIL=dev@example.com", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_DATE=2026-01-02T03:04:05Z", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null" };
	static const char *const gone[] = { "GITHUB_ACTIONS", "GITLAB_CI", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "GIT_DIR" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(env); i++)
		assert_int_equal(putenv((char *)env[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		unsetenv(gone[i]);
	snprintf(first_path, sizeof(first_path), "%s", getenv("PATH"));
	assert_non_null(mkdtemp(tmp));
	sh("git init -q -b trunk r; cd r; mkdir -p sub/deep; printf 'one\\ntwo\\nthree\\n' >a.txt; echo x >sub/deep/b.go; commit first;"
	   "printf 'one\\nTWO\\nthree\\n' >a.txt; commit second; git remote add origin 'https://user:pass@git.example.com/o/r.git?t=1'");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	setenv("PATH", first_path, 1);
	sh("chmod -R u+w .; rm -rf r* w* s* b* n* h* o* f* empty shallow");
	arena_free(&mem);
	return rmdir(tmp);
}

static void test_where(void **state)
{
	struct git_where w = where("r/sub/deep");
	const char *head = sh("git -C r rev-parse HEAD");

	(void)state;
	same("top", w.top, in_tmp("r"));
	same("branch", w.branch, "trunk");
	same("commit", w.commit, head);
	same("remote", w.remote, "https://git.example.com/o/r.git");
	same("base", w.base, NULL);
	assert_false(w.shallow);
	sh("cd r; git branch master; git pack-refs --all");
	w = where("r");
	same("packed", w.commit, head);
	same("packed base", w.base, "master");
	sh("cd r; git update-ref refs/remotes/origin/devel HEAD; git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/devel");
	same("origin/HEAD", where("r").base, "devel");
	sh("cd r; git worktree add -q -b side ../wt; git worktree add -q --detach ../wd; git worktree list");
	w = where("wt");
	same("worktree", w.branch, "side");
	same("worktree's top", w.top, in_tmp("wt"));
	same("worktree's commit", w.commit, head);
	same("worktree's remote", w.remote, "https://git.example.com/o/r.git");
	w = where("wd");
	same("detached", w.branch, NULL);
	same("detached commit", w.commit, head);
}

static void test_where_odd(void **state)
{
	struct git_where w;
	struct err e;

	(void)state;
	sh("git init -q -b fresh empty; git clone -q --bare r bare; git clone -q --depth 1 \"file://$PWD/r\" shallow; mkdir none;"
	   "git init -q -b main super; cd super; git -c protocol.allow=always submodule --quiet add ../r mod; commit sub");
	w = where("empty");
	same("unborn", w.commit, NULL);
	same("unborn branch", w.branch, "fresh");
	w = where("bare");
	same("bare", w.top, NULL);
	assert_non_null(w.commit);
	assert_true(where("shallow").shallow);
	same("submodule", where("super/mod/sub").top, in_tmp("super/mod"));
	assert_non_null(where("super/mod").commit);
	assert_int_equal(git_where(in_tmp("none"), &mem, &w, &e), -ENOENT);
	assert_int_equal(git_where(in_tmp("missing"), &mem, &w, &e), -ENOENT);
	sh("mkdir -p hollow/.git other; echo 'gitdir: ../nowhere' >other/.git; mkdir hollow2; mkfifo hollow2/.git");
	assert_int_equal(git_where(in_tmp("hollow"), &mem, &w, &e), -ENOENT);
	assert_int_equal(git_where(in_tmp("other"), &mem, &w, &e), -ENOENT);
	assert_int_equal(git_where(in_tmp("hollow2"), &mem, &w, &e), -ENOENT);
	sh("git init -q -b x heads; printf 'ref: refs/../../../etc/passwd\\n' >heads/.git/HEAD");
	w = where("heads");
	same("traversal", w.branch, NULL);
	sh("printf 'ref: refs/heads/a\\033[2J\\n' >heads/.git/HEAD");
	same("control bytes", where("heads").branch, NULL);
}

static const struct {
	const char *text, *value;
} configs[] = {
	{ "[remote \"origin\"]\n\turl = https://x/y\n", "https://x/y" },
	{ "[REMOTE \"origin\"] URL=\"a b\" ; note\n", "a b" },
	{ "[remote \"Origin\"]\nurl = no\n", NULL },
	{ "[remote]\nurl = no\n[remote \"origin\"]\n# url = no\nfetch\nurl = a\\\nb # c\n", "ab" },
	{ "[remote \"or\\\"igin\"]\nurl = no\n", NULL },
	{ "[remote \"origin\"]\nurl = \"x \\\"y\\\" \" \n", "x \"y\" " },
	{ "[remote \"origin\"\nurl = no\n", NULL },
	{ "[remote \"origin\"]\nurl = first\nurl = second\n", "first" },
};

static const char *const urls[][2] = {
	{ "https://u:p@h/x", "https://h/x" }, { "https://token@h/x", "https://h/x" },  { "git@h:o/r.git", "git@h:o/r.git" },
	{ "u:p@h:o/r", "h:o/r" },             { "https://h/x?token=1", "https://h/x" }, { "ssh://git@h:22/x", "ssh://h:22/x" },
	{ "/srv/a?b", "/srv/a?b" },           { "https://h/a@b", "https://h/a@b" },
};

static void test_config(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(configs); i++)
		same(configs[i].text, git_config_value(span_of(configs[i].text), "remote", "origin", "url", &mem), configs[i].value);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		same(urls[i][0], arena_str(&mem, git_public_url(&mem, span_of(urls[i][0]))), urls[i][1]);
}

static uint64_t state_of(const char *top, int64_t since)
{
	uint64_t n;
	struct err e = { 0 };

	if (git_tree_state(in_tmp(top), since, NULL, &n, &e) != 0)
		fail_msg("%s: %s", top, e.msg);
	return n;
}

static void test_state(void **state)
{
	const char *skip[] = { in_tmp("st/report.json"), NULL };
	uint64_t a, b, n;
	struct err e;

	(void)state;
	sh("git clone -q r st; cd st; echo out >.gitignore; commit ignore; echo 1 >out");
	assert_int_equal(state_of("st", FAR), 0);
	sh("cd st; mkdir new; echo 1 >new/x.go");
	a = state_of("st", FAR);
	assert_true(a != 0 && a == state_of("st", FAR));
	sh("cd st; echo 22 >new/x.go");
	b = state_of("st", FAR);
	assert_true(b != a && b != 0);
	sh("cd st; echo 2 >>a.txt; git mv sub/deep 'with \"quotes\" and\nnewline'; rm -r new; touch -d @1000000000 a.txt");
	a = state_of("st", FAR);
	assert_true(a != 0 && a != b);
	assert_int_equal(git_tree_state(in_tmp("st"), time_wall() - 60 * NSEC_PER_SEC, NULL, &n, &e), -EBUSY);
	sh("cd st; git add -A; git commit -q -m moved; echo >report.json");
	assert_int_equal(git_tree_state(in_tmp("st"), 1, skip, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(git_tree_state(in_tmp("st"), 1, NULL, &n, &e), -EBUSY);
	sh("cd st; rm report.json a.txt");
	assert_int_equal(git_tree_state(in_tmp("st"), time_wall() - 60 * NSEC_PER_SEC, NULL, &n, &e), -EBUSY);
	assert_true(state_of("st", FAR) != 0);
	assert_int_equal(git_tree_state(in_tmp("none"), FAR, NULL, &n, &e), -ENOENT);
}

static struct blame blame(const char *top, const char *file, int line)
{
	struct blame b;
	struct err e = { 0 };

	if (git_blame(in_tmp(top), file, line, &mem, &b, &e) != 0)
		fail_msg("%s:%d: %s", file, line, e.msg);
	return b;
}

static void test_blame(void **state)
{
	struct blame b;

	(void)state;
	sh("git clone -q r bl; cd bl; printf 'a\\n' >' odd \"name\"\n.go'; commit odd; echo four >>a.txt; echo u >untracked");
	b = blame("bl", "a.txt", 2);
	assert_int_equal(b.state, BLAME_COMMIT);
	same("author", b.author, "A Developer");
	same("mail", b.mail, "dev@example.com");
	same("commit", b.commit, sh("git -C r rev-parse trunk"));
	assert_true(b.time == 1767323045 * NSEC_PER_SEC);
	same("root commit", blame("bl", "a.txt", 1).commit, sh("git -C r rev-parse trunk~1"));
	assert_int_equal(blame("bl", " odd \"name\"\n.go", 1).state, BLAME_COMMIT);
	assert_int_equal(blame("bl", "a.txt", 4).state, BLAME_NOT_COMMITTED);
	assert_int_equal(blame("bl", "a.txt", 99).state, BLAME_NO_LINE);
	assert_int_equal(blame("bl", "untracked", 1).state, BLAME_UNTRACKED);
	assert_int_equal(blame("bl", "missing", 1).state, BLAME_UNTRACKED);
	assert_int_equal(blame("empty", "missing", 1).state, BLAME_UNTRACKED);
	assert_int_equal(blame("shallow", "a.txt", 1).state, BLAME_SHALLOW);
	sh("cd bl; git config blame.ignoreRevsFile .git-blame-ignore-revs; git rev-parse HEAD~1 >.git-blame-ignore-revs");
	same("ignored", blame("bl", "a.txt", 2).commit, sh("git -C r rev-parse trunk~1"));
}

static void test_range(void **state)
{
	const char *good, *bad;
	struct git_range r;
	struct err e;

	(void)state;
	sh("git clone -q r ra; cd ra; for i in 1 2 3; do echo $i >n; commit \"change $i\"; done; git branch side HEAD~1;"
	   "git checkout -q side; echo s >s; commit other");
	good = sh("git -C ra rev-parse trunk~3");
	bad = sh("git -C ra rev-parse trunk");
	assert_int_equal(git_range(in_tmp("ra"), good, bad, 2, &mem, &r, &e), 0);
	assert_true(r.ancestor && r.count == 3 && r.n == 2);
	same("newest", r.commits[0].subject, "change 3");
	assert_memory_equal(r.commits[0].hash, bad, strlen(r.commits[0].hash));
	assert_int_equal(git_range(in_tmp("ra"), sh("git -C ra rev-parse side"), bad, 10, &mem, &r, &e), 0);
	assert_true(!r.ancestor && r.count == 1 && r.n == 1);
	assert_int_equal(git_range(in_tmp("ra"), bad, bad, 10, &mem, &r, &e), 0);
	assert_true(r.ancestor && r.count == 0 && r.n == 0);
	assert_int_equal(git_range(in_tmp("shallow"), good, bad, 10, &mem, &r, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "--unshallow"));
	assert_int_equal(git_range(in_tmp("ra"), "--output=x", bad, 10, &mem, &r, &e), -EINVAL);
	assert_int_equal(git_range(in_tmp("ra"), "0123456789abcdef0123456789abcdef01234567", bad, 10, &mem, &r, &e), -ENOENT);
}

/* A repository whose own configuration names programs: none of them runs. */
static void test_hostile(void **state)
{
	struct blame b;
	struct git_range r;
	struct err e = { 0 };
	uint64_t n;

	(void)state;
	sh("git clone -q r ho; printf '#!/bin/sh\\ntouch \"%s/ho-ran-$1\"; cat\\n' \"$PWD\" >ho.sh; chmod +x ho.sh; H=$PWD/ho.sh; cd ho;"
	   "echo '* filter=evil diff=evil' >.gitattributes; commit attr; echo more >>a.txt; touch sub/deep/b.go;"
	   "git config core.fsmonitor \"$H fsmonitor\"; git config diff.external \"$H external\"; git config core.pager \"$H pager\";"
	   "git config diff.evil.textconv \"$H textconv\"; git config diff.evil.command \"$H command\";"
	   "git config log.showSignature true; git config gpg.program $H; git config core.sshCommand \"$H ssh\";"
	   "git config core.alternateRefsCommand \"$H refs\"; git config core.hooksPath $PWD/.git/h; mkdir .git/h; cp $H .git/h/post-index-change;"
	   "printf '[filter \"evil\"]\\n\\tclean = %s clean\\n\\tprocess = %s process\\n\\trequired = true\\n' $H $H >.git/more;"
	   "git config include.path more");
	assert_int_equal(git_tree_state(in_tmp("ho"), FAR, NULL, &n, &e), 0);
	assert_true(n != 0);
	assert_int_equal(git_blame(in_tmp("ho"), "a.txt", 1, &mem, &b, &e), 0);
	assert_int_equal(git_range(in_tmp("ho"), sh("git -C r rev-parse trunk~1"), sh("git -C r rev-parse trunk"), 5, &mem, &r, &e), 0);
	same("programs", sh("ls | grep ho-ran || echo none"), "none");
	sh("git -C ho -c core.fsmonitor=false status >/dev/null || :; ls | grep -q ho-ran"); /* it would have */
	sh("rm -f ho-ran-*; cd ho; printf '[filter \"a=b\"]\\n\\tclean = x\\n' >>.git/config");
	assert_int_equal(git_tree_state(in_tmp("ho"), FAR, NULL, &n, &e), -EPERM);
}

static void fake_git(const char *script)
{
	CLEANUP(buf_free) struct buf path = { 0 }, text = { 0 };

	sh("mkdir -p fake");
	buf_addf(&path, "%s/fake", tmp);
	buf_addf(&text, "#!/bin/sh\n%s\n", script);
	assert_int_equal(file_replace(in_tmp("fake/git"), buf_view(&text), NULL), 0);
	assert_int_equal(chmod(in_tmp("fake/git"), 0755), 0);
	buf_addf(&path, ":/usr/bin:/bin");
	setenv("PATH", path.p, 1);
}

static void test_bad_git(void **state)
{
	struct git_where w;
	struct err e;
	uint64_t n;
	int64_t from;

	(void)state;
	fake_git("sleep 30 & echo $! >\"$0.pid\"; wait");
	from = time_mono();
	assert_int_equal(git_tree_state(in_tmp("r"), FAR, NULL, &n, &e), -ETIMEDOUT);
	assert_in_range(time_mono() - from, NSEC_PER_SEC / 2, 15 * NSEC_PER_SEC);
	sh("p=$(cat fake/git.pid); for i in 1 2 3 4 5 6 7 8 9; do grep -q '^State:.[^ZX]' /proc/$p/status 2>/dev/null || exit 0; sleep 0.1; done; exit 1");
	fake_git("sleep 30 & exit 0"); /* its output stays open */
	from = time_mono();
	assert_int_equal(git_tree_state(in_tmp("r"), FAR, NULL, &n, &e), 0);
	assert_true(time_mono() - from < 15 * NSEC_PER_SEC);
	fake_git("exec yes");
	assert_int_equal(git_tree_state(in_tmp("r"), FAR, NULL, &n, &e), -EFBIG);
	fake_git("echo \"fatal: detected dubious ownership in repository at '/x'\" >&2; exit 128");
	assert_int_equal(git_tree_state(in_tmp("r"), FAR, NULL, &n, &e), -EPERM);
	assert_non_null(strstr(e.msg, "safe.directory"));
	sh("git init -q -b .invalid reft 2>/dev/null || git init -q reft; mkdir reft/.git/reftable; echo 'ref: refs/heads/.invalid' >reft/.git/HEAD");
	fake_git("case \"$*\" in *rev-parse*) echo 0123456789abcdef0123456789abcdef01234567 ;; *) echo refs/heads/main ;; esac");
	assert_int_equal(git_where(in_tmp("reft"), &mem, &w, &e), 0);
	same("reftable", w.commit, "0123456789abcdef0123456789abcdef01234567");
	same("reftable's branch", w.branch, "main");
	setenv("PATH", in_tmp("none"), 1);
	assert_int_equal(git_tree_state(in_tmp("r"), FAR, NULL, &n, &e), -ENOENT);
	setenv("PATH", first_path, 1);
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(git_tree_state(in_tmp("r"), FAR, NULL, &n, &e), 0);
	signal(SIGCHLD, SIG_DFL);
}

/* ---- owners ---- */

static const struct {
	const char *package, *file;
	int line;
	const char *owners, *how; /* of the blame, only its beginning is compared */
} owned[] = {
	{ "", "a.go", 1, "@go", "CODEOWNERS:2" },
	{ "example.com/m/pkg", "pkg/x.go", 1, "@pkg dev2@example.com", "CODEOWNERS:3" },
	{ "example.com/m/pkg", "x.go", 1, "@pkg dev2@example.com", "CODEOWNERS:3" },
	{ "", "example.com/m/pkg/x.go", 1, "@pkg dev2@example.com", "CODEOWNERS:3" },
	{ "", "example.com/m@v1.0.0/pkg/x.go", 1, "", NULL },
	{ "", "./pkg/../pkg/x.go", 1, "@pkg dev2@example.com", "CODEOWNERS:3" },
	{ "", "free.txt", 1, "A Developer <dev@example.com>", "git blame " },
	{ "", "free.txt", 0, "", NULL },
	{ "", "new.txt", 1, "", NULL },
	{ "", "/etc/passwd", 1, "", NULL },
	{ "", "../r/a.txt", 1, "A Developer <dev@example.com>", "git blame " },
	{ "fmt", "print.go", 1, "", NULL },
};

static void check_owned(struct owners *o, size_t i)
{
	CLEANUP(buf_free) struct buf got = { 0 };
	struct list l = { 0 };
	struct err e = { 0 };
	const char *how;

	if (owners_of(o, span_of(owned[i].package), span_of(owned[i].file), owned[i].line, &mem, &l, &how, &e) != 0)
		fail_msg("%s: %s", owned[i].file, e.msg);
	for (size_t k = 0; k < l.n; k++)
		buf_addf(&got, "%s%s", k ? " " : "", l.v[k]);
	same(owned[i].file, buf_str(&got), owned[i].owners);
	if (owned[i].how)
		assert_memory_equal(how, owned[i].how, strlen(owned[i].how));
	else
		assert_null(how);
}

static void test_owners(void **state)
{
	struct owners *o;
	struct list notes = { 0 };
	struct err e;

	(void)state;
	sh("git init -q -b main ow; cd ow; mkdir pkg; echo 'module example.com/m' >go.mod; echo 'package m' >a.go; echo 'package p' >pkg/x.go;"
	   "echo free >free.txt; printf '!no @x\\n*.go @go\\n/pkg/ @pkg dev2@example.com\\n' >CODEOWNERS; commit all; echo n >new.txt;"
	   "mkdir -p .github");
	assert_int_equal(owners_open(in_tmp("ow"), &o, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(owned); i++)
		check_owned(o, i);
	assert_int_equal(owners_notes(o, &mem, &notes, &e), 0);
	assert_int_equal(notes.n, 1);
	assert_memory_equal(notes.v[0], "CODEOWNERS:1: ", 14);
	assert_int_equal(owners_notes(o, &mem, &notes, &e), 0);
	assert_int_equal(notes.n, 1);
	owners_close(o);
	assert_int_equal(owners_open(in_tmp("ow/pkg"), &o, &e), 0);
	check_owned(o, 0); /* relative to the top */
	check_owned(o, 2);
	owners_close(o);
	owners_close(NULL);
}

static const struct {
	const char *prepare, *owner;
} forges[] = {
	{ "echo '* @hub' >.github/CODEOWNERS", "@hub" },
	{ "mkdir -p .gitlab; echo '* @lab' >.gitlab/CODEOWNERS", "@lab" },
	{ "touch .gitlab-ci.yml; rmdir docs; mkdir docs", "@lab" },
	{ "printf '[A]\\n* @a\\n[B]\\n* @b\\n' >docs/CODEOWNERS", "@a" },
	{ "git remote add origin https://github.com/o/r", "@hub" },
	{ "git remote set-url origin https://codeberg.org/o/r; rm docs/CODEOWNERS; mkdir .gitea; echo '.*\\\\.go @tea' >.gitea/CODEOWNERS", NULL },
};

static void test_forges(void **state)
{
	(void)state;
	sh("git init -q -b main fo; cd fo; mkdir -p docs .github; touch x.go");
	for (size_t i = 0; i < ARRAY_LEN(forges); i++) {
		struct owners *o;
		struct list l = { 0 };
		struct err e = { 0 };
		const char *how;
		sh(arena_printf(&mem, "cd fo; %s", forges[i].prepare));
		assert_int_equal(owners_open(in_tmp("fo"), &o, &e), 0);
		assert_int_equal(owners_of(o, S(""), S("x.go"), 0, &mem, &l, &how, &e), 0);
		same(forges[i].prepare, l.n ? l.v[0] : NULL, forges[i].owner);
		owners_close(o);
	}
}

static void test_no_memory(void **state)
{
	bool failed = true;

	(void)state;
	for (fault_at = 1; failed; fault_at++) {
		struct arena own = { 0 };
		struct owners *o = NULL;
		struct list l = { 0 };
		struct err e = { 0 };
		const char *how;
		fault_seen = 0;
		const char *dir = tmp;
		char cwd[80], file[] = "free.txt";
		snprintf(cwd, sizeof(cwd), "%s/ow", dir);
		int r = owners_open(cwd, &o, &e);
		if (r == 0)
			r = owners_of(o, S(""), span_of(file), 1, &own, &l, &how, &e);
		failed = fault_seen >= fault_at;
		if (!failed)
			assert_true(r == 0 && l.n == 1);
		else
			assert_true(r < 0 || l.n <= 1);
		owners_close(o);
		arena_free(&own);
	}
	assert_true(fault_at > 20);
	fault_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where),   cmocka_unit_test(test_where_odd), cmocka_unit_test(test_config),
		cmocka_unit_test(test_state),   cmocka_unit_test(test_blame),     cmocka_unit_test(test_range),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_bad_git),   cmocka_unit_test(test_owners),
		cmocka_unit_test(test_forges),  cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
