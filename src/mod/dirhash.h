#ifndef MOD_DIRHASH_H
#define MOD_DIRHASH_H

#include "base/arena.h"
#include "base/sha256.h"
#include "mod/cache.h"

/* mod's own: what the h1: hashes are made of. */
struct h1_file {
	struct span name; /* "module@version/path" */
	unsigned char sum[SHA256_SIZE];
};
void h1_of_list(const struct h1_file *sorted, size_t n, char ret[H1_SIZE]); /* sorted by name, bytewise */
void h1_of_sum(const unsigned char sum[SHA256_SIZE], char ret[H1_SIZE]);

/* What lies below a folder, sorted by name, bytewise; folders themselves are not listed. */
struct dir_file {
	struct span name; /* relative, with '/' */
	unsigned char type; /* DT_REG, DT_LNK, … */
};
struct dir_list {
	struct arena mem;
	struct dir_file *v;
	size_t n, cap;
	int fd; /* of the folder */
};
#define DIR_FILES_MAX 2000000 /* more is -EFBIG */
/* prefix is put before each name. -ENOENT, -ENOTDIR: it is not there. Errors name the folder. */
int dir_list(const char *dir, struct span prefix, struct dir_list *ret, struct err *e);
void dir_list_free(struct dir_list *l);
void dir_list_free_cleanup(struct dir_list *l);
#endif
