/*
 * Supervision, on real commands.
 * suite: takes 10
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "run/proof.h"
#include "run/run.h"
#include "run/spawn.h"
#include "run/tree.h"
#include "run/why.h"

#define MS NSEC_PER_MSEC

struct heard {
	struct buf out, err, both;
	uint64_t bytes;
	bool keep;
	int ticks;
};

static char dir[] = "/tmp/tocsin-run-XXXXXX";

static void hear(void *ctx, enum stream s, struct span b)
{
	struct heard *h = ctx;

	h->bytes += b.n;
	if (h->keep)
		buf_span(s == STREAM_OUT ? &h->out : s == STREAM_ERR ? &h->err : &h->both, b);
}

static void count_tick(void *ctx, int64_t now)
{
	((struct heard *)ctx)->ticks++;
}

static void heard_free(struct heard *h)
{
	buf_free(&h->out);
	buf_free(&h->err);
	buf_free(&h->both);
}

/* Runs argv (ended by NULL) with the rest of c as it is. */
static void go(struct run_config *c, struct report *r, struct heard *h, const char *const *argv)
{
	struct err e = { 0 };

	*r = (struct report){ 0 };
	*h = (struct heard){ .keep = true };
	for (c->argv.n = 0; argv[c->argv.n];)
		c->argv.n++;
	c->argv.v = (const char **)argv;
	c->bytes = hear;
	c->ctx = h;
	int n = run_command(c, r, &e);
	if (n < 0)
		print_error("%s\n", e.msg);
	assert_int_equal(n, 0);
}

static void sh(struct run_config *c, struct report *r, struct heard *h, const char *script)
{
	go(c, r, h, (const char *const[]){ "sh", "-c", script, NULL });
}

static const char *file(const char *name)
{
	static char path[4][128];
	static int at;
	char *p = path[at++ & 3];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static const char *put(const char *name, struct span what, mode_t mode)
{
	const char *path = file(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, what), 0);
	close(fd);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "chmod -R u+rwx %s; rm -rf %s", dir, dir);
	return system(cmd) == 0 ? 0 : -1;
}

/* ---- endings ---- */

static void test_exit_codes(void **state)
{
	static const struct { const char *script; int code; } rows[] = {
		{ "exit 0", 0 }, { "exit 1", 1 }, { "exit 77", 77 }, { "exit 255", 255 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct run_config c = { 0 };
		struct report r;
		struct heard h;
		sh(&c, &r, &h, rows[i].script);
		assert_int_equal(r.ending.how, END_EXIT);
		assert_int_equal(r.ending.code, rows[i].code);
		assert_true(r.resources.known && r.resources.max_rss_kb > 0);
		assert_true(r.duration_ns > 0 && r.started > 0);
		heard_free(&h);
		report_free(&r);
	}
}

static void test_signal_deaths(void **state)
{
	static const int sigs[] = { SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGUSR1 };

	for (size_t i = 0; i < ARRAY_LEN(sigs); i++) {
		struct run_config c = { 0 };
		struct report r;
		struct heard h;
		char script[40];
		snprintf(script, sizeof(script), "ulimit -c 0; kill -%d $$", sigs[i]);
		sh(&c, &r, &h, script);
		assert_int_equal(r.ending.how, END_SIGNAL);
		assert_int_equal(r.ending.sig, sigs[i]);
		assert_int_equal(r.ending.stop, STOP_NONE);
		assert_int_equal(r.ending.oom, OOM_NO);
		assert_non_null(r.ending.why);
		heard_free(&h);
		report_free(&r);
	}
}

static void test_cpu_limit(void **state)
{
	struct run_config c = { .timeout = 60 * NSEC_PER_SEC };
	struct report r;
	struct heard h;

	sh(&c, &r, &h, "ulimit -t 1; while :; do :; done");
	assert_int_equal(r.ending.how, END_SIGNAL);
	assert_true(r.ending.cpu_limit);
	assert_non_null(strstr(r.ending.why, "ulimit -t"));
	heard_free(&h);
	report_free(&r);
}

static void test_streams_stay_two(void **state)
{
	struct run_config c = { .tick = count_tick };
	struct report r;
	struct heard h;

	sh(&c, &r, &h, "echo out; echo err >&2; sleep 0.35; printf last");
	assert_string_equal(buf_str(&h.out), "out\nlast");
	assert_string_equal(buf_str(&h.err), "err\n");
	assert_true(h.ticks >= 2);
	heard_free(&h);
	report_free(&r);
}

static void test_environment(void **state)
{
	static const char *const add[] = { "TOCSIN_T1=one", "TOCSIN_T2", NULL };
	struct run_config c = { .env_add = add };
	struct report r;
	struct heard h;

	setenv("TOCSIN_T1", "old", 1);
	setenv("TOCSIN_T2", "gone", 1);
	sh(&c, &r, &h, "echo $TOCSIN_T1-$TOCSIN_T2-$HOME");
	assert_non_null(strstr(buf_str(&h.out), "one--/"));
	heard_free(&h);
	report_free(&r);
}

static void test_ignored_signals_are_as_before(void **state)
{
	struct run_config c = { 0 };
	struct report r;
	struct heard h;

	/* Ours, set after the start of the program, is not the command's. */
	signal(SIGPIPE, SIG_IGN);
	sh(&c, &r, &h, "grep -E 'Sig(Ign|Blk)' /proc/self/status");
	signal(SIGPIPE, SIG_DFL);
	assert_non_null(strstr(buf_str(&h.out), "SigBlk:\t0000000000000000"));
	unsigned long long ign = strtoull(strstr(buf_str(&h.out), "SigIgn:") + 7, NULL, 16);
	assert_false(ign & 1ULL << (SIGPIPE - 1));
	heard_free(&h);
	report_free(&r);
}

/* ---- why it could not start ---- */

static void elf_file(char *to, int machine, const char *loader)
{
	Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
		.e_machine = (Elf64_Half)machine, .e_version = EV_CURRENT, .e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2 };
	Elf64_Phdr p[2] = { { .p_type = PT_INTERP, .p_offset = 200, .p_filesz = strlen(loader) + 1 },
		{ .p_type = PT_LOAD, .p_filesz = 400, .p_memsz = 400, .p_vaddr = 0x400000, .p_flags = PF_R | PF_X, .p_align = 4096 } };

	memset(to, 0, 400);
	memcpy(to, &h, sizeof(h));
	memcpy(to + sizeof(h), p, sizeof(p));
	memcpy(to + 200, loader, strlen(loader) + 1);
}

static void expect_not_started(const char *const *argv, enum cause cause, int code, const char *text)
{
	struct run_config c = { 0 };
	struct report r;
	struct heard h;

	go(&c, &r, &h, argv);
	if (r.ending.how != END_NOT_STARTED || r.ending.start_cause != cause || r.ending.code != code ||
	    !strstr(r.ending.why, text))
		print_error("%s: how %d cause %s code %d: %s\n", argv[0], r.ending.how,
			    cause_table[r.ending.start_cause].id, r.ending.code, r.ending.why);
	assert_int_equal(r.ending.how, END_NOT_STARTED);
	assert_int_equal(r.ending.start_cause, cause);
	assert_int_equal(r.ending.code, code);
	assert_non_null(strstr(r.ending.why, text));
	assert_int_equal(h.bytes, 0);
	heard_free(&h);
	report_free(&r);
}

static void expect_one(const char *path, enum cause cause, int code, const char *text)
{
	expect_not_started((const char *const[]){ path, NULL }, cause, code, text);
}

static void test_exec_table(void **state)
{
	char elf[400], long_name[300], loop[128];

	expect_one("no-such-command-here", CAUSE_PROC_NOT_FOUND, 127, "no-such-command-here");
	expect_one("", CAUSE_PROC_NOT_FOUND, 127, "empty");
	expect_one(file("none/at/all"), CAUSE_PROC_NOT_FOUND, 127, "there is no directory");
	expect_one(file("missing"), CAUSE_PROC_NOT_FOUND, 127, "does not exist");
	assert_int_equal(symlink("nowhere", file("dangling")), 0);
	expect_one(file("dangling"), CAUSE_PROC_NOT_FOUND, 127, "'nowhere'");
	put("script", S("#!/no/such/interpreter -x\necho hi\n"), 0755);
	expect_one(file("script"), CAUSE_PROC_INTERPRETER, 127, "'/no/such/interpreter'");
	put("dos", S("#!/bin/sh\r\necho hi\r\n"), 0755);
	expect_one(file("dos"), CAUSE_PROC_INTERPRETER, 127, "CR LF");
	put("plain", S("echo hi\n"), 0644);
	expect_one(file("plain"), CAUSE_PROC_DENIED, 126, "chmod +x");
	expect_one(dir, CAUSE_PROC_DENIED, 126, "is a directory");
	put("empty", S(""), 0755);
	expect_one(file("empty"), CAUSE_PROC_EXEC_FORMAT, 126, "is empty");
	put("windows", S("MZ\x90\0\x03\0\0\0binary"), 0755);
	expect_one(file("windows"), CAUSE_PROC_EXEC_FORMAT, 126, "Windows");
	elf_file(elf, EM_S390, "/lib/ld.so");
	put("foreign", (struct span){ elf, sizeof(elf) }, 0755);
	expect_one(file("foreign"), CAUSE_PROC_EXEC_FORMAT, 126, "s390x");
	put("short", (struct span){ elf, 30 }, 0755);
	expect_one(file("short"), CAUSE_PROC_EXEC_FORMAT, 126, "short");
	put("below", S("x"), 0755);
	expect_one(file("below/program"), CAUSE_PROC_NOT_FOUND, 126, "is a file, not a directory");
	snprintf(loop, sizeof(loop), "%s", file("loop"));
	assert_int_equal(symlink(loop, loop), 0);
	expect_one(loop, CAUSE_PROC_NOT_FOUND, 126, "loop");
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[0] = '/';
	long_name[sizeof(long_name) - 1] = '\0';
	expect_one(long_name, CAUSE_PROC_NOT_FOUND, 126, "too long");
}

static void test_exec_loader(void **state)
{
	char elf[400];

#if defined(__x86_64__)
	elf_file(elf, EM_X86_64, "/no/such/loader.so");
#elif defined(__aarch64__)
	elf_file(elf, EM_AARCH64, "/no/such/loader.so");
#else
	skip();
#endif
	put("linked", (struct span){ elf, sizeof(elf) }, 0755);
	expect_one(file("linked"), CAUSE_PROC_LOADER, 127, "/no/such/loader.so");
}

static void test_exec_arguments_too_big(void **state)
{
	char *big = mem_alloc(200001);

	memset(big, 'x', 200000);
	big[200000] = '\0';
	expect_not_started((const char *const[]){ "/bin/true", "a", big, NULL }, CAUSE_PROC_LIMIT, 126, "argument 2");
	mem_free(big);
}

static void test_exec_busy(void **state)
{
	char self[256];
	CLEANUP(buf_free) struct buf b = { 0 };
	struct err e;

	snprintf(self, sizeof(self), "%s", file("busy"));
	assert_int_equal(file_slurp("/bin/true", &b, &e), 0);
	put("busy", buf_view(&b), 0755);
	int fd = open(self, O_WRONLY | O_CLOEXEC);
	expect_one(self, CAUSE_PROC_DENIED, 126, "open for writing");
	close(fd);
}

static void test_exec_directory_removed(void **state)
{
	char cwd[4096];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(mkdir(file("gone"), 0700), 0);
	assert_int_equal(chdir(file("gone")), 0);
	assert_int_equal(rmdir(file("gone")), 0);
	expect_one("./program", CAUSE_PROC_NOT_FOUND, 127, "working directory was removed");
	assert_int_equal(chdir(cwd), 0);
}

static void test_exec_in_path_but_denied(void **state)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	char *old = mem_dup(getenv("PATH"), strlen(getenv("PATH")));

	put("inpath", S("echo hi\n"), 0644);
	buf_addf(&path, "/no/such/dir:%s:%s", dir, old);
	setenv("PATH", path.p, 1);
	expect_one("inpath", CAUSE_PROC_DENIED, 126, "/inpath");
	setenv("PATH", old, 1);
	mem_free(old);
}

static void test_script_without_interpreter_line(void **state)
{
	struct run_config c = { 0 };
	struct report r;
	struct heard h;

	put("bare", S("echo $1-$#\nexit 4\n"), 0755);
	go(&c, &r, &h, (const char *const[]){ file("bare"), "one", "two", NULL });
	assert_int_equal(r.ending.how, END_EXIT);
	assert_int_equal(r.ending.code, 4);
	assert_string_equal(buf_str(&h.out), "one-2\n");
	heard_free(&h);
	report_free(&r);
}

static void test_pure_parts_of_why(void **state)
{
	char elf[400];
	bool cr;

	assert_true(span_eq(why_interpreter(S("#! \t/usr/bin/env go\nx"), &cr), S("/usr/bin/env")));
	assert_true(span_eq(why_interpreter(S("#!/bin/sh"), &cr), S("/bin/sh")));
	assert_null(why_interpreter(S("echo"), &cr).p);
	elf_file(elf, EM_AARCH64, "/lib/x");
	struct elf_facts f = why_elf((struct span){ elf, sizeof(elf) }, sizeof(elf));
	assert_true(f.elf && f.whole && f.bits == 64);
	assert_int_equal(f.loader_at, 200);
	assert_false(why_elf((struct span){ elf, sizeof(elf) }, 150).whole);
	/* Hostile headers: every cut and every byte flipped must only be read within bounds. */
	for (size_t n = 0; n <= sizeof(elf); n++)
		why_elf((struct span){ elf, n }, n);
	for (size_t i = 0; i < sizeof(elf); i++) {
		elf[i] = (char)~elf[i];
		why_elf((struct span){ elf, sizeof(elf) }, sizeof(elf));
		elf[i] = (char)~elf[i];
	}
}

static void test_pure_parts_of_proof(void **state)
{
	int64_t usec;

	assert_int_equal(proof_counter(S("low 0\noom 3\noom_kill 2\noom_group_kill 9\n"), S("oom_kill")), 2);
	assert_int_equal(proof_counter(S("oom_kill_disable 0\nunder_oom 0\n"), S("oom_kill")), -1);
	assert_int_equal(proof_kmsg_victim(S("6,339,5140900,-;oom-kill:constraint=CONSTRAINT_MEMCG,task=hog,pid=4711,uid=0"),
		&usec), 4711);
	assert_int_equal(usec, 5140900);
	assert_int_equal(proof_kmsg_victim(S("3,340,5140901,-;Memory cgroup out of memory: Killed process 4711 (hog) x"),
		&usec), 4711);
	assert_int_equal(proof_kmsg_victim(S("3,340,5140901,-;hog: said Killed process 4711"), &usec), 0);
	assert_int_equal(proof_kmsg_victim(S("broken"), &usec), 0);
	assert_true(span_eq(cgroup_path(S("5:cpu,memory:/a/b\n0::/c\n"), 1), S("/a/b")));
	assert_true(span_eq(cgroup_path(S("5:cpu,memory:/a/b\n0::/c\n"), 2), S("/c")));
	assert_null(cgroup_path(S("5:cpu:/a\n"), 1).p);
}

/* ---- control groups, in folders that look like them ---- */

static void in_folder(const char *folder, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	put(path, span_of(text), 0600);
}

static void test_group_reading(void **state)
{
	CLEANUP(pids_free) struct pids in = { 0 };
	char text[16] = "";

	assert_int_equal(mkdir(file("g"), 0700), 0);
	assert_int_equal(mkdir(file("g/below"), 0700), 0);
	in_folder("g", "cgroup.procs", "7\n8\n0\n");
	in_folder("g/below", "cgroup.procs", "9\n\nbroken\n99999999999999999999\n");
	in_folder("g", "memory.peak", "8192\n");
	in_folder("g", "memory.events", "oom 1\noom_kill 4\n");
	in_folder("g", "cgroup.kill", "");
	struct cgroup none = { 0 }, g = { .version = 2, .kind = 1, .memory = true, .parent = -1, .join = -1,
		.dir = open(file("g"), O_PATH | O_DIRECTORY | O_CLOEXEC) };
	assert_int_equal(cgroup_pids(&g, &in), 0);
	assert_int_equal(in.n, 3);
	assert_true(pids_have(&in, 7) && pids_have(&in, 8) && pids_have(&in, 9) && !pids_have(&in, 0));
	assert_int_equal(cgroup_peak_kb(&g), 8);
	assert_true(cgroup_kill(&g));
	int fd = open(file("g/cgroup.kill"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 1);
	assert_string_equal(text, "1");
	close(fd);
	/* Without a group everything is there, and nothing. */
	assert_int_equal(cgroup_pids(&none, &in), 0);
	assert_int_equal(in.n, 0);
	assert_int_equal(cgroup_peak_kb(&none), -1);
	assert_int_equal(cgroup_events(&none), -1);
	assert_false(cgroup_kill(&none));
	cgroup_close(&none);
	/* The proof takes the counter of the run's own group. */
	struct proof p;
	const struct killed other = { 4711, SIGKILL, false };
	struct report r = { 0 };
	const char *why = NULL;
	proof_begin(&p, &g);
	assert_true(p.runs && p.cgroup == 2 && p.cgroup_kills == 4);
	proof_facilities(&p, &g, "", &r);
	assert_string_equal(r.facilities[0].value, "v2");
	assert_null(r.facilities[0].why);
	in_folder("g", "memory.events", "oom 1\noom_kill 6\n");
	assert_int_equal(proof_oom(&p, &other, 1, false, &r.mem, &why), OOM_CERTAIN);
	assert_non_null(strstr(why, "cgroup"));
	proof_end(&p);
	close(g.dir);
	report_free(&r);
}

static void test_group_limits_are_seen(void **state)
{
	assert_int_equal(mkdir(file("l"), 0700), 0);
	int dir_fd = open(file("l"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_false(cgroup_is_limited(dir_fd));
	in_folder("l", "cpu.max", "max 100000\n");
	in_folder("l", "memory.max", "max\n");
	assert_false(cgroup_is_limited(dir_fd));
	in_folder("l", "cpu.max", "150000 100000\n");
	assert_true(cgroup_is_limited(dir_fd));
	in_folder("l", "cpu.max", "max 100000\n");
	in_folder("l", "memory.max", "1073741824\n");
	assert_true(cgroup_is_limited(dir_fd));
	close(dir_fd);
}

static int group_open(const char *self, struct err *e)
{
	struct cgroup g = { .version = 9 };
	int r = cgroup_open(file("fs"), span_of(self), &g, e);

	assert_int_equal(g.version, 0);
	return r;
}

static void test_group_refused(void **state)
{
	char self[64];
	struct err e = { 0 };

	assert_int_equal(mkdir(file("fs"), 0700), 0);
	assert_int_equal(group_open("", &e), -ENOENT);
	assert_int_equal(group_open("0::/\n", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/fs"));
	in_folder("fs", "cgroup.procs", "1\n");
	assert_int_equal(group_open("0::/\n", &e), -ESRCH); /* another group than ours: not there */
	snprintf(self, sizeof(self), "1\n%d\n", getpid());
	in_folder("fs", "cgroup.procs", self);
	in_folder("fs", "cpu.max", "50000 100000\n");
	assert_int_equal(group_open("0::/\n", &e), -EBUSY);
	in_folder("fs", "cpu.max", "max 100000\n");
	/* A folder that no kernel fills is taken back; in a container the host's path means the mount. */
	assert_int_equal(group_open("0::/host/path\n", &e), -ENOENT);
	snprintf(self, sizeof(self), "ls %s/fs | grep -c tocsin", dir);
	assert_int_not_equal(system(self), 0);
	snprintf(self, sizeof(self), "0::/tocsin-%d-1f\n", getpid());
	assert_int_equal(group_open(self, &e), -EEXIST);
	/* Version 1: bound to others, or not counting what is below. */
	assert_int_equal(mkdir(file("fs/memory"), 0700), 0);
	snprintf(self, sizeof(self), "%d\n", getpid());
	in_folder("fs/memory", "cgroup.procs", self);
	assert_int_equal(group_open("3:cpu,memory:/\n", &e), -EBUSY);
	in_folder("fs/memory", "memory.use_hierarchy", "0\n");
	assert_int_equal(group_open("3:memory:/\n", &e), -EBUSY);
}

static void test_group_sweep(void **state)
{
	char dead[64], living[64];
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(mkdir(file("s"), 0700), 0);
	snprintf(dead, sizeof(dead), "s/tocsin-%d-ab", (int)pid);
	snprintf(living, sizeof(living), "s/tocsin-%d-ab", (int)getpid());
	assert_int_equal(mkdir(file(dead), 0700), 0);
	assert_int_equal(mkdir(file(living), 0700), 0);
	assert_int_equal(mkdir(file("s/tocsin-mine"), 0700), 0);
	int at = open(file("s"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	cgroup_sweep(at);
	assert_int_equal(access(file(dead), F_OK), -1);
	assert_int_equal(access(file(living), F_OK), 0);
	assert_int_equal(access(file("s/tocsin-mine"), F_OK), 0);
	close(at);
}

static bool in_tree(const struct tree *t, int pid)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->v[i].pid == pid;
	assert_true(n < 2);
	return n == 1;
}

/* We, a child, its child: all below us, none of a child that is left out, each only once. */
static void test_tree(void **state)
{
	struct tree t = { 0 };
	int tell[2], mid, inner = 0, other;

	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	mid = fork();
	if (mid == 0) {
		inner = fork();
		if (inner && write(tell[1], &inner, sizeof(inner)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	other = fork();
	if (other == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(read(tell[0], &inner, sizeof(inner)), sizeof(inner));
	assert_int_equal(tree_scan(&t, getpid(), NULL, 0), 0);
	assert_true(in_tree(&t, mid) && in_tree(&t, inner) && in_tree(&t, other) && !in_tree(&t, getpid()));
	assert_int_equal(tree_scan(&t, getpid(), &mid, 1), 0);
	assert_true(!in_tree(&t, mid) && !in_tree(&t, inner) && in_tree(&t, other));
	const int more[] = { inner, other, 0 };
	tree_add(&t, more, ARRAY_LEN(more));
	assert_true(in_tree(&t, inner) && in_tree(&t, other) && !in_tree(&t, 0));
	kill(inner, SIGKILL);
	kill(mid, SIGKILL);
	kill(other, SIGKILL);
	waitpid(mid, NULL, 0);
	waitpid(other, NULL, 0);
	close(tell[0]);
	close(tell[1]);
	tree_free(&t);
}

/* A group that takes nobody in is no reason not to run. */
static void test_group_not_joined(void **state)
{
	const char *argv[] = { "sh", "-c", "exit 7", NULL };
	struct spawn_fail f;
	struct child child;
	struct err e;
	sigset_t mask;
	bool fork_refused;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), status;

	sigemptyset(&mask);
	const struct spawn s = { .path = "/bin/sh", .argv = (char *const *)argv, .envp = environ, .fd = { -1, -1, -1 },
		.mask = &mask, .group = folder, .join = full };
	assert_int_equal(spawn_start(&s, &child, &fork_refused, &e), 0);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	assert_false(spawn_failed(&child, &f));
	assert_int_equal(child.not_joined, ENOSPC);
	close(child.fail);
	close(child.pidfd);
	close(full);
	close(folder);
}

static void test_group_real(void **state)
{
	struct run_config c = { 0 };
	struct report r;
	struct heard h;

	sh(&c, &r, &h, "cat /proc/self/cgroup");
	const struct facility *f = NULL;
	for (size_t i = 0; i < r.n_facilities; i++)
		if (!strcmp(r.facilities[i].name, "cgroup"))
			f = &r.facilities[i];
	assert_non_null(f);
	if (f && !f->why) {
		assert_non_null(strstr(buf_str(&h.out), "/tocsin-"));
		assert_true(r.resources.tree_rss_kb > 0);
	} else {
		print_message("# %s\n", f ? f->why : "");
	}
	heard_free(&h);
	report_free(&r);
}

/* ---- relaying, in a process of its own whose stdout and stderr we hold ---- */

struct outside {
	int how, code, sig, stop;
	uint64_t bytes;
	int n_limits;
};

static struct outside relayed(int out, int err, const char *script, pid_t *ret_pid, int *ret_fd)
{
	struct outside o = { 0 };
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct run_config c = { .relay_out = true, .relay_err = true };
		struct report r;
		struct heard h;
		dup2(out, 1);
		dup2(err, 2);
		for (int fd = 3; fd < 64; fd++)
			if (fd != p[1])
				close(fd);
		sh(&c, &r, &h, script);
		signal(SIGPIPE, SIG_IGN);
		o = (struct outside){ r.ending.how, r.ending.code, r.ending.sig, r.ending.stop, h.bytes, (int)r.limits.n };
		_exit(write(p[1], &o, sizeof(o)) == sizeof(o) ? 0 : 1);
	}
	close(p[1]);
	if (ret_pid) {
		*ret_pid = pid;
		*ret_fd = p[0];
		return o;
	}
	assert_int_equal(read(p[0], &o, sizeof(o)), sizeof(o));
	close(p[0]);
	waitpid(pid, NULL, 0);
	return o;
}

static struct outside result_of(pid_t pid, int fd)
{
	struct outside o = { 0 };

	assert_int_equal(read(fd, &o, sizeof(o)), sizeof(o));
	close(fd);
	waitpid(pid, NULL, 0);
	return o;
}

static void test_order_of_one_stream(void **state)
{
	CLEANUP(buf_free) struct buf b = { 0 }, want = { 0 };
	struct err e;
	int fd = open(file("merged"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	struct outside o = relayed(fd, fd, "i=0; while [ $i -lt 500 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done", NULL, NULL);
	for (int i = 0; i < 500; i++)
		buf_addf(&want, "o%d\ne%d\n", i, i);
	assert_int_equal(file_slurp(file("merged"), &b, &e), 0);
	assert_int_equal(b.len, want.len);
	assert_memory_equal(b.p, want.p, want.len);
	assert_int_equal(o.bytes, want.len);
	close(fd);
}

static void test_reader_goes_away(void **state)
{
	int p[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC), fd;
	char first[100];
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	/* The command is told by SIGPIPE, as without us; what it did then is seen on its stderr's exit status. */
	relayed(p[1], null, "yes; exit 3", &pid, &fd);
	close(p[1]);
	assert_true(read(p[0], first, sizeof(first)) > 0);
	close(p[0]);
	struct outside o = result_of(pid, fd);
	assert_int_equal(o.how, END_EXIT);
	assert_int_equal(o.code, 3);
	assert_true(o.bytes >= 100);
	/* A quiet command learns it at its next write. */
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	relayed(p[1], null, "sleep 0.4; exec /bin/echo late", &pid, &fd);
	close(p[1]);
	close(p[0]);
	o = result_of(pid, fd);
	assert_int_equal(o.how, END_SIGNAL);
	assert_int_equal(o.sig, SIGPIPE);
	close(null);
}

static void test_slow_reader_slows(void **state)
{
	int p[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC), fd;
	static char data[1 << 16];
	uint64_t got = 0;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	relayed(p[1], null, "head -c 8000000 /dev/zero; echo done >&2", &pid, &fd);
	close(p[1]);
	usleep(300000);
	assert_false(fcntl(p[0], F_GETFL) & O_NONBLOCK); /* the shared open file is left alone */
	struct outside o;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(read(fd, &o, sizeof(o)), -1); /* it waits for us */
	fcntl(fd, F_SETFL, 0);
	for (ssize_t n; (n = read(p[0], data, sizeof(data))) > 0;)
		got += (uint64_t)n;
	o = result_of(pid, fd);
	assert_int_equal(got, 8000000);
	assert_int_equal(o.bytes, 8000005);
	assert_int_equal(o.code, 0);
	close(p[0]);
	close(null);
}

static void test_much_output(void **state)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct outside o = relayed(null, null, "head -c 100000000 /dev/zero", NULL, NULL);

	assert_int_equal(o.bytes, 100000000);
	assert_int_equal(o.code, 0);
	close(null);
}

static void test_full_disk(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct outside o = relayed(full, null, "head -c 300000 /dev/zero; exit 5", NULL, NULL);

	assert_int_equal(o.bytes, 300000);
	assert_int_equal(o.code, 5);
	assert_int_equal(o.n_limits, 1);
	close(full);
	close(null);
}

/* ---- what outlives it, limits, the ladder ---- */

static void test_grandchild_holds_the_pipe(void **state)
{
	struct run_config c = { 0 };
	struct report r;
	struct heard h;
	int64_t before = time_mono();

	sh(&c, &r, &h, "sleep 5 & echo started");
	assert_true(time_mono() - before < 4500 * NSEC_PER_MSEC);
	assert_string_equal(buf_str(&h.out), "started\n");
	assert_int_equal(r.n_procs, 1);
	assert_true(r.procs[0].holds_output);
	assert_false(r.procs[0].ended_by_us);
	assert_string_equal(r.procs[0].command, "sleep 5");
	kill(r.procs[0].pid, SIGKILL);
	heard_free(&h);
	report_free(&r);
}

static void test_left_over_ended(void **state)
{
	struct run_config c = { .reap = true, .grace = 200 * MS };
	struct report r;
	struct heard h;

	/* In a session of its own, detached, deaf to TERM: still found and ended. */
	sh(&c, &r, &h, "setsid sh -c 'trap \"\" TERM; sleep 31; sleep 32' >/dev/null 2>&1 & sleep 0.2; exit 6");
	assert_int_equal(r.ending.code, 6);
	assert_true(r.n_procs >= 1);
	for (size_t i = 0; i < r.n_procs; i++) {
		assert_true(r.procs[i].ended_by_us);
		assert_int_equal(r.procs[i].sig, 0);
		assert_int_equal(kill(r.procs[i].pid, 0), -1);
	}
	heard_free(&h);
	report_free(&r);
}

static void test_timeout_ladder(void **state)
{
	struct run_config c = { .timeout = 200 * MS, .grace = 200 * MS };
	struct report r;
	struct heard h;
	int64_t before = time_mono();

	sh(&c, &r, &h, "trap 'echo quit' QUIT; trap 'echo term' TERM; while :; do sleep 0.05; done");
	assert_true(time_mono() - before < 15 * NSEC_PER_SEC);
	assert_int_equal(r.ending.stop, STOP_TIMEOUT);
	assert_int_equal(r.ending.limit_ns, 200 * MS);
	assert_int_equal(r.ending.sig, SIGKILL);
	assert_string_equal(buf_str(&h.out), "quit\nterm\n");
	heard_free(&h);
	report_free(&r);
}

static void test_timeout_kills_all(void **state)
{
	struct run_config c = { .timeout = 300 * MS, .grace = 100 * MS };
	struct report r;
	struct heard h;

	sh(&c, &r, &h, "trap '' QUIT TERM; setsid sh -c 'trap \"\" QUIT TERM; echo $$; while :; do sleep 0.1; done'");
	assert_int_equal(r.ending.stop, STOP_TIMEOUT);
	int pid = atoi(buf_str(&h.out));
	assert_true(pid > 1);
	for (int i = 0; i < 50 && kill(pid, 0) == 0; i++)
		usleep(20000);
	assert_int_equal(kill(pid, 0), -1);
	heard_free(&h);
	report_free(&r);
}

static void test_stopped_command_times_out(void **state)
{
	struct run_config c = { .stall = 300 * MS, .grace = 200 * MS };
	struct report r;
	struct heard h;

	sh(&c, &r, &h, "echo one; kill -STOP $$; echo never");
	assert_int_equal(r.ending.stop, STOP_STALL);
	assert_int_equal(r.ending.how, END_SIGNAL);
	assert_string_equal(buf_str(&h.out), "one\n");
	heard_free(&h);
	report_free(&r);
}

static void test_stall(void **state)
{
	struct run_config c = { .stall = 400 * MS, .grace = 200 * MS };
	struct report r;
	struct heard h;

	/* Output of a grandchild is progress; silence is not. */
	sh(&c, &r, &h, "(for i in 1 2 3 4; do sleep 0.2; echo $i; done); sleep 20");
	assert_int_equal(r.ending.stop, STOP_STALL);
	assert_string_equal(buf_str(&h.out), "1\n2\n3\n4\n");
	assert_true(r.duration_ns >= 1100 * MS && r.duration_ns < 8 * NSEC_PER_SEC);
	heard_free(&h);
	report_free(&r);
}

static void test_goroutines_on_timeout(void **state)
{
	static const char source[] = "package main\nimport \"time\"\nfunc main() {\n\tprintln(\"up\")\n"
		"\tfunc() { for { time.Sleep(time.Hour) } }()\n}\n";
	struct run_config c = { .timeout = 1500 * MS, .grace = 3 * NSEC_PER_SEC };
	struct report r;
	struct heard h;
	char cmd[400];

	put("hang.go", span_of(source), 0600);
	snprintf(cmd, sizeof(cmd), "cd %s && GO111MODULE=off GOFLAGS= go build -o hang hang.go >/dev/null 2>&1", dir);
	if (system(cmd) != 0) {
		print_message("no go here\n");
		skip();
	}
	go(&c, &r, &h, (const char *const[]){ file("hang"), NULL });
	assert_int_equal(r.ending.stop, STOP_TIMEOUT);
	assert_int_equal(r.ending.how, END_EXIT); /* QUIT was enough: 2, with the dump */
	assert_int_equal(r.ending.code, 2);
	assert_non_null(strstr(buf_str(&h.err), "SIGQUIT: quit"));
	assert_non_null(strstr(buf_str(&h.err), "hang.go:5"));
	heard_free(&h);
	report_free(&r);
}

static void test_signal_passed_on(void **state)
{
	struct run_config c = { 0 };
	struct report r;
	struct heard h;

	/* The command's own shell sends it to its parent: us. */
	sh(&c, &r, &h, "trap 'echo told; exit 9' TERM; kill -TERM $PPID; while :; do sleep 0.05; done");
	assert_int_equal(r.ending.stop, STOP_SIGNAL);
	assert_int_equal(r.ending.sig, SIGTERM);
	assert_int_equal(r.ending.how, END_EXIT);
	assert_int_equal(r.ending.code, 9);
	assert_true(r.ending.sender_pid > 0);
	assert_string_equal(buf_str(&h.out), "told\n");
	heard_free(&h);
	report_free(&r);
}

static void test_second_interrupt_means_it(void **state)
{
	struct run_config c = { .grace = 200 * MS };
	struct report r;
	struct heard h;
	int64_t before = time_mono();

	sh(&c, &r, &h, "trap 'echo no' INT; kill -INT $PPID; sleep 0.3; kill -INT $PPID; while :; do sleep 0.05; done");
	assert_int_equal(r.ending.stop, STOP_SIGNAL);
	assert_int_equal(r.ending.how, END_SIGNAL);
	assert_true(time_mono() - before < 15 * NSEC_PER_SEC);
	heard_free(&h);
	report_free(&r);
}

static void test_pty(void **state)
{
	struct run_config c = { .pty = true };
	struct report r;
	struct heard h;

	sh(&c, &r, &h, "test -t 1 && test -t 2 && echo terminal; echo err >&2; exit 3");
	assert_int_equal(r.ending.code, 3);
	assert_non_null(strstr(buf_str(&h.both), "terminal"));
	assert_non_null(strstr(buf_str(&h.both), "err"));
	heard_free(&h);
	report_free(&r);
}

static void test_no_descriptor_is_lost(void **state)
{
	for (int round = 0; round < 2; round++) {
		struct run_config c = { .pty = round == 1 };
		struct report r;
		struct heard h;
		int before = dup(0);
		close(before);
		sh(&c, &r, &h, "ls /proc/self/fd | wc -l");
		int after = dup(0);
		close(after);
		assert_int_equal(before, after);
		/* The command has what it would have without us. */
		FILE *f = popen("ls /proc/self/fd | wc -l", "re");
		char bare[32] = "";
		assert_non_null(fgets(bare, sizeof(bare), f));
		pclose(f);
		assert_int_equal(atoi(buf_str(round ? &h.both : &h.out)), atoi(bare));
		heard_free(&h);
		report_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes), cmocka_unit_test(test_signal_deaths), cmocka_unit_test(test_cpu_limit),
		cmocka_unit_test(test_streams_stay_two), cmocka_unit_test(test_environment),
		cmocka_unit_test(test_ignored_signals_are_as_before), cmocka_unit_test(test_exec_table),
		cmocka_unit_test(test_exec_loader), cmocka_unit_test(test_exec_arguments_too_big),
		cmocka_unit_test(test_exec_busy), cmocka_unit_test(test_exec_directory_removed),
		cmocka_unit_test(test_exec_in_path_but_denied), cmocka_unit_test(test_script_without_interpreter_line),
		cmocka_unit_test(test_pure_parts_of_why), cmocka_unit_test(test_pure_parts_of_proof),
		cmocka_unit_test(test_group_reading), cmocka_unit_test(test_group_limits_are_seen),
		cmocka_unit_test(test_group_refused), cmocka_unit_test(test_group_sweep), cmocka_unit_test(test_tree), cmocka_unit_test(test_group_not_joined),
		cmocka_unit_test(test_group_real),
		cmocka_unit_test(test_order_of_one_stream), cmocka_unit_test(test_reader_goes_away),
		cmocka_unit_test(test_slow_reader_slows), cmocka_unit_test(test_much_output), cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_grandchild_holds_the_pipe), cmocka_unit_test(test_left_over_ended),
		cmocka_unit_test(test_timeout_ladder), cmocka_unit_test(test_timeout_kills_all),
		cmocka_unit_test(test_stopped_command_times_out), cmocka_unit_test(test_stall),
		cmocka_unit_test(test_goroutines_on_timeout), cmocka_unit_test(test_signal_passed_on),
		cmocka_unit_test(test_second_interrupt_means_it), cmocka_unit_test(test_pty),
		cmocka_unit_test(test_no_descriptor_is_lost),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
