#ifndef BASE_DL_H
#define BASE_DL_H

#include <stddef.h>

#include "base/err.h"

/*
 * Shared libraries that only some runs need are loaded at first use, so that the others start without them. One table
 * a library: the symbols that are used and the variables, of pointer type, that take them.
 */
struct dl_symbol {
	const char *name;
	void *to; /* address of a pointer to function */
};

struct dl_library {
	const char *name;          /* libpq */
	const char *what_for;      /* --store postgres:// */
	const char *const *files;  /* sonames, tried in this order; NULL ends the list */
	const char *debian, *fedora, *alpine, *arch; /* the packages that bring it */
	const struct dl_symbol *symbols;
	size_t n;
	void *handle; /* once it is there */
};

/* 0 when every symbol is there; ELIBACC: not installed; ELIBBAD: too old. It stays loaded. */
int dl_load(struct dl_library *l, struct err *e);

/*
 * What a packager's tools read: the program uses this library when it is there. At file level, string literals.
 * The format: https://uapi-group.org/specifications/specs/elf_dlopen_metadata/
 */
#define DL_NOTE(soname, feature, description)                                                                                             \
	__asm__(".pushsection .note.dlopen,\"a\",%note\n"                                                                                 \
		".balign 4\n.long 4\n.long 2f - 1f\n.long 0x407c0c0a\n.asciz \"FDO\"\n1:\n"                                                \
		".ascii \"[{\\\"soname\\\":[\\\"\"\n.ascii " #soname "\n"                                                                 \
		".ascii \"\\\"],\\\"feature\\\":\\\"\"\n.ascii " #feature "\n"                                                            \
		".ascii \"\\\",\\\"description\\\":\\\"\"\n.ascii " #description "\n"                                                     \
		".asciz \"\\\",\\\"priority\\\":\\\"suggested\\\"}]\"\n2:\n.balign 4\n.popsection\n")
#endif
