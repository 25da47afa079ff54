#ifndef CHECK_TARGET_H
#define CHECK_TARGET_H

#include "model/report.h"
#include "parse/constraint.h"

/* What a build is for: the tags that hold, and how packages are found. */
enum target_mod { TARGET_MOD_AUTO, TARGET_MOD_READONLY, TARGET_MOD_MOD, TARGET_MOD_VENDOR };
struct target {
	const char *name;                     /* "linux/amd64" */
	const char *goos, *goarch, *compiler; /* compiler: "gc", "gccgo" */
	const char *version;                  /* "1.26.8": the go that builds */
	int go;                               /* N of 1.N */
	bool cgo, race, msan, asan;
	const char *cgo_why; /* why cgo is on or off, a sentence; static or in the environment's memory */
	struct list tags;    /* of -tags, and race, msan, asan */
	struct list tools;   /* "goexperiment.regabiargs", "amd64.v1" */
};
bool target_is(const struct target *t, struct span tag);
bool target_has(void *target, struct span tag); /* the same, for constraint_holds */
/* Could this tag hold in some target, whatever -tags says: an OS, an architecture, gc, cgo, unix, go1.N, a feature…? */
bool target_known_tag(struct span tag, int go);

/* What the user says; NULL, -1 or empty: the environment's. */
struct target_flags {
	const char *goos, *goarch, *compiler, *go, *tags, *mod, *experiment;
	int cgo, race, msan, asan; /* 0, 1 */
	const char *const *matrix; /* "linux/amd64"; "all": every port of that go */
	size_t n_matrix;
};
/* The environment as go sees it, without starting go: variables, the file of `go env -w`, GOFLAGS, the VERSION file of the go on PATH. */
struct target_env {
	struct arena mem;
	const char *root;    /* GOROOT; NULL: there is no go */
	const char *version; /* "1.26.8" */
	const char *host_os, *host_arch;
	const char *flags;    /* GOFLAGS; NULL */
	const char *work;     /* GOWORK; NULL */
	const char *modcache; /* may be NULL */
	const char *ldflags;  /* of GOFLAGS; NULL: none */
	enum target_mod mod;
	struct target *targets;
	size_t n;
};
/* dir: where it is built, for go and toolchain lines. -EINVAL: a flag or variable that go refuses; the sentence names it. */
int target_env_read(const struct target_flags *f, const char *dir, struct target_env *ret, struct err *e);
void target_env_free(struct target_env *t);
void target_env_free_cleanup(struct target_env *t);

/* Every GOOS/GOARCH that this go builds for. */
struct target_port {
	const char *os, *arch;
	int since, until; /* N of 1.N; until 0: still */
	bool cgo;         /* supported there */
	int cgo_since;    /* since when; 0: always */
	int broken;       /* since when go marks it so, and `go tool dist list` leaves it out; 0: never */
};
extern const struct target_port target_ports[];
extern const size_t target_ports_n;
const struct target_port *target_port_find(const char *os, const char *arch, int go); /* NULL: no such */
#endif
