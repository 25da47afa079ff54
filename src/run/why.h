#ifndef RUN_WHY_H
#define RUN_WHY_H

#include "model/report.h"

/* Why a command could not be started: from the errno of the exec and what the file system shows. */

struct start_failure {
	const char *name;  /* as it was asked for */
	const char *path;  /* the file that was tried; the same as name, or found along PATH */
	const char *const *argv;
	const char *search; /* PATH; may be NULL */
	int err;
	bool fork;         /* not the exec: no process could be made */
};

struct why {
	enum cause cause;
	int code;          /* 127 not found, else 126 */
	char text[480];    /* one sentence: the file, what is wrong with it, what to do */
};

void why_not_started(const struct start_failure *f, struct why *ret);

/* The pure parts. */
/* The interpreter of a "#!" line; absent when there is none. *cr: the line ends in CR LF. */
struct span why_interpreter(struct span head, bool *cr);
struct elf_facts {
	bool elf, whole, dynamic;   /* whole: the file is as long as its headers say */
	int machine, bits;
	bool big_endian;
	uint64_t loader_at, loader_size; /* PT_INTERP in the file; size 0: none */
};
struct elf_facts why_elf(struct span head, uint64_t file_size);
const char *why_machine(int e_machine); /* "arm64"; NULL: not known */
/* What other kind of executable this is ("Windows", "macOS"); NULL: none that is known. */
const char *why_foreign(struct span head);
#endif
