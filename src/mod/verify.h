#ifndef MOD_VERIFY_H
#define MOD_VERIFY_H

#include "mod/buildlist.h"
#include "model/report.h"

/*
 * Are the modules that a build takes what their hashes say? The zip in the module cache against its ziphash and go.sum, the
 * extracted folder and vendor/ file by file against the inflated zip, go.mod files in the cache against go.sum. A module that the
 * packages of the build need and that is nowhere is a failure. Nothing is written; go is asked (`go list`, offline) only when a
 * module of the build list is in neither cache nor vendor/.
 */
struct verify_progress {
	int64_t modules, of, bytes;
};
struct verify_options {
	const char *modcache, *goroot; /* goroot: when it lies in modcache, it is verified too; may be NULL */
	const char *go, *flags;        /* the go program (NULL: none is asked), GOFLAGS */
	const char *version, *toolchain, *host; /* GOVERSION, GOTOOLCHAIN, "linux-amd64": which go is fetched; may be NULL */
	int threads;                   /* 0: as many as CPUs */
	int64_t wait;                  /* ns, for another go that is writing a module; 0: 10 s */
	void (*progress)(void *ctx, const struct verify_progress *p); /* some times a second; may be NULL */
	void *ctx;
};
struct verified_hash { /* as it is, whatever it should be */
	const char *path, *version;
	const char *sum;        /* of the zip, or without one of the folder */
	const char *go_mod_sum; /* of its go.mod in the cache; NULL: there is none */
};
struct verified {
	int64_t modules;     /* that were compared */
	int64_t files, bytes;
	int64_t replaced;    /* by folders: nothing to compare with */
	int64_t absent;      /* in neither cache nor vendor/, and not needed */
	int64_t without_sum; /* compared with their own ziphash alone: go.sum has no line */
	int64_t busy;        /* not compared: another go was writing them */
	struct verified_hash *hashes; /* in the report's memory, sorted by path */
	size_t n_hashes;
};
/* Findings and limits into r. An error only when nothing could be verified at all. */
int verify_modules(struct mod_tree *t, const struct build_list *b, const struct verify_options *o, struct report *r, struct verified *ret,
		   struct err *e);
#endif
