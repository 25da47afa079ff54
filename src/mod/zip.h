#ifndef MOD_ZIP_H
#define MOD_ZIP_H

#include "base/arena.h"
#include "base/err.h"

/*
 * A module's zip (https://go.dev/ref/mod#zip-files), taken for hostile. Only the central directory is believed, as by go, and
 * only as far as it fits the file. Memory is bounded by ZIP_DIRECTORY_MAX and by what a reader holds, whatever the file says.
 */
#define ZIP_FILE_MAX      ((uint64_t)500 << 20) /* go's limit, of the zip and of all that is in it */
#define ZIP_TEXT_MAX      ((uint64_t)16 << 20)  /* go's limit for go.mod and LICENSE */
#define ZIP_DIRECTORY_MAX ((uint64_t)64 << 20)
#define ZIP_WHOLE_MAX     ((size_t)4 << 20)     /* larger files are inflated piece by piece */

struct zip_entry {
	struct span name; /* as it stands there: "module@version/path" */
	uint64_t offset;  /* of its local header, in the file */
	uint64_t packed, size;
	uint32_t crc;
	bool deflated, dir /* a name that ends in '/' */;
};
struct zip {
	struct arena mem;
	const char *file; /* for the errors; the caller's */
	int fd;
	uint64_t length, id; /* id: no other zip has it */
	struct zip_entry *v; /* sorted by name */
	size_t n, prefix;    /* prefix: bytes of "module@version/" */
};
/*
 * Opens it and checks what go checks before it extracts one: names, collisions, sizes. path absent: any names (nothing but the
 * form is checked). -EBADMSG: it is no such zip, and the sentence names file and entry; else another -errno.
 */
int zip_open(const char *file, struct span path, struct span version, struct zip *ret, struct err *e);
void zip_close(struct zip *z);
void zip_close_cleanup(struct zip *z);

/* What reading takes: one for each thread, used for many zips. {0} */
struct zip_reader {
	uint64_t of; /* whose bytes it holds: an id */
	unsigned char *in, *out;
	size_t in_cap, out_cap, held;
	uint64_t at; /* in holds `held` bytes of the file from here */
	struct libdeflate_decompressor *inflater;
	struct z_stream_s *stream;
};
void zip_reader_free(struct zip_reader *r);
void zip_reader_free_cleanup(struct zip_reader *r);
/*
 * Hands over the content, at once (up to ZIP_WHOLE_MAX, also when it is empty) or in pieces, and checks size and CRC. An entry that
 * inflates to more than it says is stopped there. take returns a negative errno to end it.
 */
typedef int zip_take_fn(void *ctx, struct span piece);
int zip_read(struct zip_reader *r, const struct zip *z, const struct zip_entry *x, zip_take_fn *take, void *ctx, struct err *e);

/* zip_names.c: are these names what a module's zip may hold? -EBADMSG. */
int zip_check_names(const struct zip *z, struct err *e);
#endif
