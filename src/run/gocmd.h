#ifndef RUN_GOCMD_H
#define RUN_GOCMD_H

#include "model/report.h"

/* Reading and rewriting a go command line. */
struct gocmd {
	bool is_go;           /* argv[0] is go (any path) */
	const char *sub;      /* "test", "build", …; NULL when there is none */
	bool is_test;         /* a `go test` that runs tests: no -c, -list, -n, -h */
	bool has_json, has_v, has_exec, has_bench, has_fuzz, has_run, has_cover, has_count, has_overlay;
	const char *dir;      /* of -C, which must come first; NULL */
	size_t at_flags;      /* index in argv behind the subcommand, and behind -C dir */
	size_t at_packages, n_packages; /* 0: the current directory */
	size_t at_args;       /* index of what follows -args (go run: the package); argv.n when none */
};
void gocmd_read(const struct argv *argv, struct gocmd *ret);
/*
 * `go test …` with -json put in and -v/-test.v taken out; all other words stay as and where they are.
 * Strings in mem. 1: done; 0: left alone, *ret is argv (-json is there already, or no tests would run).
 */
int gocmd_with_json(struct arena *mem, const struct argv *argv, struct argv *ret, struct err *e);
/*
 * `go test` of one package with -run selecting just these tests and subtests (one pattern does it: Go
 * splits it at | and / outside brackets); -json in; -v, -bench, -fuzz, -o and the profiles that would
 * overwrite those of the first run are out; other flags stay. 1: done; 0: nothing that can be run again (benchmarks).
 */
int gocmd_rerun(struct arena *mem, const struct argv *argv, struct span package, const struct span *tests,
		size_t n, struct argv *ret, struct err *e);

/* The go that would do the work. */
struct gotool {
	const char *path;    /* the executable, links followed; never our own */
	const char *root;    /* GOROOT */
	const char *version; /* "go1.26.8" */
};
/*
 * The go that argv[0] or PATH names, by its VERSION file; it is started (go env, at most 5 s) only where that
 * does not tell: a wrapper, or a toolchain line that may choose another one. Error: what was not found.
 */
int gocmd_tool(struct arena *mem, const struct argv *argv, struct gotool *ret, struct err *e);
/* The go on PATH itself, by its VERSION file: whatever a toolchain line asks for; nothing is started. -ENOENT: there is none, or it has no such file. */
int gocmd_installed(struct arena *mem, struct gotool *ret, struct err *e);
const char *gocmd_toolchain(struct arena *mem, const struct gotool *t); /* GOTOOLCHAIN as it holds for this go: "auto", "local", … */
const char *gocmd_version(struct arena *mem, const struct argv *argv); /* NULL: not known, or not a go command */
/* A setting of Go's: the environment, else the file that `go env -w` writes. NULL: not set. */
const char *gocmd_setting(struct arena *mem, const char *name);

/*
 * --panics: an overlay of the runtime's panic code made from the user's own GOROOT, cached per Go version.
 * Adds -overlay (and -count=1: a cached test shows no panic) to a `go test` or `go run`; any other command is
 * left as it is, and the shim does the same for the go commands that it calls. Each panic is written to the
 * file named by the environment string in *ret_env. Error: it cannot be done, and why; the command can then run
 * without it.
 */
struct overlay;
/*
 * --goroutines: the same for package testing, which then looks for what a test binary leaves behind (of go test only). Which of
 * them the next overlay_open is for; OVERLAY_PANICS without a word.
 */
enum { OVERLAY_PANICS = 1, OVERLAY_GOROUTINES = 2 };
void overlay_want(unsigned what);
/* Called before the overlay of this version is compiled for the first time, which takes a while. May be NULL. */
typedef void overlay_slow_fn(void *ctx, const char *version);
int overlay_open(struct arena *mem, const struct argv *argv, overlay_slow_fn *slow, void *ctx, struct argv *ret_argv,
		 const char **ret_env, struct overlay **ret, struct err *e);
/*
 * The shim's part: argv is about to be executed by the go at `path`. 1: *ret is to be executed instead, and the
 * record knows of it; 0: it is left alone (neither test nor run, or it has our overlay already).
 */
int overlay_nested(struct arena *mem, const char *path, char *const *argv, const char *record, overlay_slow_fn *slow,
		   void *ctx, char ***ret, struct err *e);
struct judge;
/*
 * After the run: hand every recorded panic to the judge. no_shim: why nested calls could not be seen, or NULL.
 * Error: it cannot be read, or no go command came by.
 */
int overlay_take(struct overlay *o, const char *no_shim, struct judge *j, struct err *e);
void overlay_close(struct overlay *o); /* NULL is fine */
#endif
