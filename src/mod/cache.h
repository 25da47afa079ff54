#ifndef MOD_CACHE_H
#define MOD_CACHE_H

#include "base/buf.h"

/* Where go keeps things below GOMODCACHE (https://go.dev/ref/mod#module-cache). They append; false, and nothing appended: no such module can be. */
bool mod_cache_file(const char *modcache, struct span path, struct span version,
		    const char *ext /* "zip", "ziphash", "mod", "info", "lock", "partial" */, struct buf *ret);
bool mod_cache_dir(const char *modcache, struct span path, struct span version, struct buf *ret); /* the extracted one */

/*
 * The h1: hash (https://go.dev/ref/mod#go-sum-files): sorted names, SHA-256 of each file, SHA-256 over the list.
 * Zips are checked as go does (names below module@version/, no ../, no case collisions, sizes): what is wrong is the error (-EBADMSG).
 * A folder that holds anything but files and folders is -EBADMSG too.
 * ret takes "h1:" and 44 characters and a NUL.
 */
#define H1_SIZE 48
int h1_of_zip(const char *file, struct span path, struct span version, char ret[H1_SIZE], struct err *e);
int h1_of_dir(const char *dir, struct span path, struct span version, char ret[H1_SIZE], struct err *e);
void h1_of_gomod(struct span text, char ret[H1_SIZE]);
#endif
