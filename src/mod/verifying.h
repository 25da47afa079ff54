#ifndef MOD_VERIFYING_H
#define MOD_VERIFYING_H

#include "mod/dirhash.h"
#include "mod/verify.h"
#include "mod/zip.h"

/* mod's own: the parts of verify. A job is one module; jobs share nothing that is written. */
#define WRONGS_MAX 200 /* findings of one module that are told one by one */

struct wrong {
	enum cause cause;
	bool warning;
	const char *file, *text;
	int64_t line;
};
struct vendored { /* a module of modules.txt */
	struct span path, version, new_path, new_version;
	int64_t line;
	bool explicit;
	const struct built *built; /* NULL: not in the build list */
	struct span *packages;     /* sorted; relative to path, "" for itself */
	size_t n_packages, cap_packages;
	struct span *files;        /* sorted; relative to path. NUL-terminated */
	size_t n_files, cap_files;
};
struct vendor { /* vendor/ */
	const char *dir, *shown; /* absolute; as shown */
	const char *txt;         /* modules.txt, as shown */
	struct arena mem;
	struct dir_list list;
	struct vendored **v;
	size_t n, cap;
	struct map by_path;
};
struct job {
	const struct built *m;          /* NULL: the toolchain, or a module that only modules.txt names */
	struct span path, version;      /* of what is loaded */
	const struct sum_line *sum;     /* may be NULL */
	const struct vendored *vendored; /* NULL: not in vendor/ */
	const char *folder;             /* replaced by this one: vendor/ is compared with it */
	bool toolchain;
	uint64_t size;                  /* of the zip: the largest go first */
	/* the answer */
	struct arena mem;
	struct wrong wrongs[WRONGS_MAX];
	size_t n_wrongs, left_out;
	bool zip, dir, busy, unread /* vendor/ has it, and there is nothing to compare it with */, no_memory,
		pipe /* go would wait for it for ever */;
	int64_t files, bytes;
	char h1[H1_SIZE]; /* what the zip hashes to, or without one the folder; "": not known */
};
struct worker { /* a thread's own */
	const struct verify_options *o;
	const struct vendor *vendor; /* NULL: none */
	int vendor_fd;
	struct zip_reader reader;
	unsigned char *block;
	size_t block_cap;
};
/* verify_job.c */
void verify_job(struct worker *w, struct job *j);
void job_wrong(struct job *j, enum cause c, const char *file, int64_t line, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* verify_vendor.c. 1: there is one; 0: none. */
int vendor_read(struct mod_tree *t, const struct build_list *b, struct vendor *ret, struct report *r, struct err *e);
void vendor_free(struct vendor *v);
void vendor_free_cleanup(struct vendor *v);
/* Must a file of the module, relative to it, be in vendor/? VENDOR_IGNORE: unless it is Go that a constraint leaves out. */
enum vendor_must { VENDOR_NO, VENDOR_YES, VENDOR_UNLESS_IGNORED };
enum vendor_must vendor_must(const struct vendored *v, struct span file);
bool vendor_ignored(struct span go_source); /* its beginning is enough */
bool vendor_is_source(struct span file);    /* may go compile it? */

/*
 * verify_need.c: which of these modules (in neither cache nor vendor/) supply a package to the build; needed[i] is set. The lists
 * have n. 0, or 1: go could not tell, and go.sum was believed; *why then says why. local: a toolchain in the cache is not run.
 */
int verify_needed(struct mod_tree *t, const struct verify_options *o, bool local, const struct built *const *absent, size_t n, bool *needed,
		  struct span *package, struct arena *mem, const char **why);
#endif
