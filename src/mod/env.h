#ifndef MOD_ENV_H
#define MOD_ENV_H

#include "base/arena.h"
#include "base/err.h"

/* What the go command would work with, here: `go env -json`, asked once. */
struct mod_setting {
	const char *name, *value, *origin;
};
struct mod_env {
	struct arena mem;
	const char *go;      /* the go program; */
	const char *version; /* "go1.26.8" */
	const char *gomod, *gowork; /* paths; NULL: none (gowork "off": switched off) */
	const char *modcache, *cache, *gopath, *goroot, *env_file /* GOENV */; /* here and below "" when go says nothing */
	const char *proxy, *sumdb, *private_, *noproxy, *nosumdb, *insecure, *vcs, *auth, *flags, *toolchain;
	const char *netrc;   /* the file that go would read; it may not exist; NULL: there is no home */
	struct mod_setting *all;
	size_t n;
};
/*
 * dir: where; NULL: here. go: the program; NULL: as PATH says. At most 30 s. No other toolchain is fetched for the question. -ENOENT: there is
 * no go. The error names what go said.
 */
int mod_env_read(const char *go, const char *dir, struct mod_env *ret, struct err *e);
void mod_env_free(struct mod_env *m);
void mod_env_free_cleanup(struct mod_env *m);
/* One variable by its name, as go sees it, and where it was set: "environment", "go env -w", "default". NULL: not known. */
const char *mod_env_value(const struct mod_env *m, const char *name);
const char *mod_env_origin(const struct mod_env *m, const char *name);

/* A short question to another program, found along PATH: its answer on stdout (bounded), also when its status is not 0. */
struct answer;
int mod_ask(const char *const *args, const char *const *env, const char *dir, int64_t limit_ns, struct answer *ret, struct err *e);
#endif
