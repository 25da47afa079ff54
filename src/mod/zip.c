#include "mod/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"

/* APPNOTE.TXT of PKWARE, 4.3: the records. */
#define END_SIZE        22
#define END64_SIZE      56
#define LOCATOR64_SIZE  20
#define HEADER_SIZE     30 /* local */
#define RECORD_SIZE     46 /* of the central directory */
#define COMMENT_MAX     65535
#define FLAG_ENCRYPTED  1
#define METHOD_STORED   0
#define METHOD_DEFLATED 8
#define EXTRA_ZIP64     1
#define HOST_UNIX       3
#define WINDOW          ((size_t)256 << 10)
#define PIECE           ((size_t)256 << 10)

static uint16_t get16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const unsigned char *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool is_sign(const unsigned char *p, char a, char b)
{
	return p[0] == 'P' && p[1] == 'K' && p[2] == a && p[3] == b;
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static int bad(const struct zip *z, const char *why, struct err *e)
{
	return err_set(e, EBADMSG, TR("%s is no module's zip: %s", "%s 不是模块的 zip：%s"), z->file, why);
}

static int bad_entry(const struct zip *z, const struct zip_entry *x, const char *why, struct err *e)
{
	return err_set(e, EBADMSG, TR("%s: entry '%.*s': %s", "%s：条目“%.*s”：%s"), z->file, (int)(x->name.n < 200 ? x->name.n : 200),
		       x->name.p, why);
}

/* All n bytes from there: a file that is shorter now has been cut while we read. */
static int read_at(const struct zip *z, uint64_t at, void *to, size_t n, struct err *e)
{
	for (size_t have = 0; have < n;) {
		ssize_t got = pread(z->fd, (char *)to + have, n - have, (off_t)(at + have));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, errno, TR("read '%s': %m", "无法读取“%s”：%m"), z->file);
		if (got == 0)
			return bad(z, TR("it is cut off", "文件被截断"), e);
		have += (size_t)got;
	}
	return 0;
}

/* ---- the central directory ---- */

struct end {
	uint64_t records, size, offset; /* of the directory; offset as it is said there */
	uint64_t at;                    /* where what follows the directory begins, in the file */
};

/* The larger numbers of zip64, which stand before the record that has no room for them. */
static int read_end64(const struct zip *z, struct end *d, struct err *e)
{
	unsigned char b[END64_SIZE];
	const char *why = TR("its zip64 end record is malformed", "其 zip64 结尾记录格式错误");

	if (d->at < LOCATOR64_SIZE)
		return 0; /* numbers that happen to be the mark */
	int r = read_at(z, d->at - LOCATOR64_SIZE, b, LOCATOR64_SIZE, e);
	if (r < 0 || !is_sign(b, 6, 7))
		return r;
	uint64_t at = get64(b + 8);
	if (get32(b + 4) || at > z->length || z->length - at < END64_SIZE || at > d->at - LOCATOR64_SIZE)
		return bad(z, why, e);
	r = read_at(z, at, b, END64_SIZE, e);
	if (r < 0)
		return r;
	if (!is_sign(b, 6, 6) || get32(b + 16) || get32(b + 20) || get64(b + 24) != get64(b + 32))
		return bad(z, why, e);
	*d = (struct end){ get64(b + 32), get64(b + 40), get64(b + 48), at };
	return 0;
}

static int find_end(const struct zip *z, struct end *d, struct err *e)
{
	size_t n = z->length < COMMENT_MAX + END_SIZE ? (size_t)z->length : COMMENT_MAX + END_SIZE, take = n < 1024 ? n : 1024, i = 0;
	CLEANUP(mem_free) unsigned char *tail = mem_alloc(n + 1);
	const unsigned char *p = NULL;

	if (!tail)
		return no_memory(e);
	for (;;) { /* mostly there is no comment */
		int r = read_at(z, z->length - take, tail + (n - take), take, e);
		if (r < 0)
			return r;
		for (i = END_SIZE; i <= take && !p; i++) {
			if (is_sign(tail + n - i, 5, 6))
				p = tail + n - i;
		}
		if (p || take == n)
			break;
		take = n;
	}
	if (!p)
		return bad(z, TR("it has no end record (cut off, or no zip at all)", "没有结尾记录（被截断，或根本不是 zip）"), e);
	size_t left = (size_t)(tail + n - p);
	if (get16(p + 20) > left - END_SIZE)
		return bad(z, TR("its end record is cut off", "结尾记录被截断"), e);
	if (get16(p + 4) || get16(p + 6) || get16(p + 8) != get16(p + 10))
		return bad(z, TR("it is one of several volumes", "它是分卷中的一卷"), e);
	*d = (struct end){ get16(p + 10), get32(p + 12), get32(p + 16), z->length - left };
	return d->records == 0xffff || d->size == 0xffffffff || d->offset == 0xffffffff ? read_end64(z, d, e) : 0;
}

/* Sizes and offset that have no room in 32 bits, in the order of the record. */
static bool read_extra64(const unsigned char *p, size_t n, uint64_t *const wide[3])
{
	for (size_t size; n >= 4; p += size, n -= size) {
		size = get16(p + 2) + (size_t)4;
		if (size > n)
			return false;
		if (get16(p) != EXTRA_ZIP64)
			continue;
		size_t at = 4;
		for (int i = 0; i < 3; i++) {
			if (*wide[i] != 0xffffffff)
				continue;
			if (size - at < 8)
				return false;
			*wide[i] = get64(p + at);
			at += 8;
		}
		return true;
	}
	return *wide[0] != 0xffffffff && *wide[1] != 0xffffffff && *wide[2] != 0xffffffff;
}

/* One record, of at most n bytes; its length, or an error. */
static int64_t read_record(const struct zip *z, const unsigned char *p, size_t n, uint64_t base, struct zip_entry *x, struct err *e)
{
	if (n < RECORD_SIZE || !is_sign(p, 1, 2))
		return bad(z, TR("its directory is malformed", "其目录格式错误"), e);
	size_t name = get16(p + 28), extra = get16(p + 30), all = RECORD_SIZE + name + extra + get16(p + 32);
	uint32_t mode = get32(p + 38) >> 16;
	uint64_t offset = get32(p + 42);
	if (all > n)
		return bad(z, TR("its directory is cut off", "其目录被截断"), e);
	*x = (struct zip_entry){ { (const char *)p + RECORD_SIZE, name }, 0,    get32(p + 20), get32(p + 24), get32(p + 16),
				 get16(p + 10) == METHOD_DEFLATED,        false };
	x->dir = name && x->name.p[name - 1] == '/';
	if (!read_extra64(p + RECORD_SIZE + name, extra, (uint64_t *const[]){ &x->size, &x->packed, &offset }))
		return bad_entry(z, x, TR("its zip64 sizes are malformed", "zip64 大小格式错误"), e);
	x->offset = offset + base;
	if (get16(p + 8) & FLAG_ENCRYPTED)
		return bad_entry(z, x, TR("it is encrypted", "已加密"), e);
	if (!x->deflated && get16(p + 10) != METHOD_STORED)
		return bad_entry(z, x, TR("it is compressed in a way that go does not read", "采用了 go 不支持的压缩方式"), e);
	if (p[5] == HOST_UNIX && (mode & S_IFMT) == S_IFLNK)
		return bad_entry(z, x, TR("it is a symbolic link", "是符号链接"), e);
	if (offset > z->length || x->offset > z->length || z->length - x->offset < HEADER_SIZE ||
	    x->packed > z->length - x->offset - HEADER_SIZE)
		return bad_entry(z, x, TR("it lies outside of the file", "位于文件之外"), e);
	if (x->size > ZIP_FILE_MAX)
		return bad_entry(z, x, TR("it is larger than 500 MiB, which go does not take", "超过 500 MiB，go 不接受"), e);
	if ((!x->deflated && x->packed != x->size) || (x->dir && x->size))
		return bad_entry(z, x, TR("its sizes contradict each other", "其大小自相矛盾"), e);
	return (int64_t)all;
}

static int by_name(const void *a, const void *b)
{
	const struct zip_entry *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int c = memcmp(x->name.p, y->name.p, n);

	return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static int read_directory(struct zip *z, struct err *e)
{
	struct end d = { 0 };
	int r = find_end(z, &d, e);

	if (r < 0)
		return r;
	if (d.size > d.at || d.offset > d.at - d.size || d.records > d.size / RECORD_SIZE)
		return bad(z, TR("its directory lies outside of the file", "其目录位于文件之外"), e);
	if (d.size > ZIP_DIRECTORY_MAX)
		return bad(z, TR("its directory is larger than 64 MiB", "其目录超过 64 MiB"), e);
	uint64_t base = d.at - d.size - d.offset, total = 0; /* of something before the zip */
	unsigned char *p = arena_alloc(&z->mem, (size_t)d.size + 1);
	z->v = arena_alloc(&z->mem, ((size_t)d.records + 1) * sizeof(*z->v));
	if (!p || !z->v)
		return no_memory(e);
	r = read_at(z, base + d.offset, p, (size_t)d.size, e);
	for (size_t left = (size_t)d.size; r == 0 && z->n < d.records; z->n++) {
		int64_t used = read_record(z, p, left, base, &z->v[z->n], e);
		if (used < 0)
			return (int)used;
		p += used;
		left -= (size_t)used;
		total += z->v[z->n].size;
		if (total > ZIP_FILE_MAX)
			return bad(z,
				   TR("its files come to more than 500 MiB, which go does not take",
				      "其中的文件合计超过 500 MiB，go 不接受"),
				   e);
	}
	if (r == 0 && z->n)
		qsort(z->v, z->n, sizeof(*z->v), by_name);
	return r;
}

static int check_prefix(struct zip *z, struct span path, struct span version, struct err *e)
{
	z->prefix = path.n + version.n + 2;
	for (size_t i = 0; i < z->n; i++) {
		struct span rest = z->v[i].name;
		if (!span_skip(&rest, path) || !span_skip(&rest, S("@")) || !span_skip(&rest, version) || !span_skip(&rest, S("/")))
			return err_set(e, EBADMSG,
				       TR("%s: entry '%.*s' does not begin with %.*s@%.*s/", "%s：条目“%.*s”不以 %.*s@%.*s/ 开头"), z->file,
				       (int)(z->v[i].name.n < 200 ? z->v[i].name.n : 200), z->v[i].name.p, SPAN_ARG(path),
				       SPAN_ARG(version));
	}
	return zip_check_names(z, e);
}

int zip_open(const char *file, struct span path, struct span version, struct zip *ret, struct err *e)
{
	static _Atomic uint64_t last;
	struct stat st;

	*ret = (struct zip){ .id = ++last, .file = file, .fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	if (ret->fd < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), file);
	int r = fstat(ret->fd, &st) < 0 ? err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), file) : 0;
	if (r == 0 && !S_ISREG(st.st_mode))
		r = bad(ret, TR("it is not a regular file", "不是普通文件"), e);
	if (r == 0) {
		ret->length = (uint64_t)st.st_size;
		if (ret->length > ZIP_FILE_MAX)
			r = bad(ret, TR("it is larger than 500 MiB, which go does not take", "超过 500 MiB，go 不接受"), e);
		else if (ret->length < END_SIZE)
			r = bad(ret, ret->length ? TR("it is cut off", "文件被截断") : TR("it is empty", "文件为空"), e);
	}
	if (r == 0)
		r = read_directory(ret, e);
	if (r == 0 && path.p)
		r = check_prefix(ret, path, version, e);
	if (r < 0)
		zip_close(ret);
	return r;
}

void zip_close(struct zip *z)
{
	if (z->file)
		fd_close(z->fd);
	arena_free(&z->mem);
	*z = (struct zip){ .fd = -1 };
}

void zip_close_cleanup(struct zip *z)
{
	zip_close(z);
}

/* ---- contents ---- */

void zip_reader_free(struct zip_reader *r)
{
	if (r->inflater)
		libdeflate_free_decompressor(r->inflater);
	if (r->stream)
		inflateEnd(r->stream);
	mem_free(r->stream);
	mem_free(r->in);
	mem_free(r->out);
	*r = (struct zip_reader){ 0 };
}

void zip_reader_free_cleanup(struct zip_reader *r)
{
	zip_reader_free(r);
}

static bool room(unsigned char **p, size_t *cap, size_t n)
{
	if (n <= *cap)
		return true;
	mem_free(*p);
	*p = mem_pages(n);
	*cap = *p ? n : 0;
	return *p != NULL;
}

/* n bytes of the file from `at` on, in the window; up to WINDOW and what one entry may need. */
static int window(struct zip_reader *r, const struct zip *z, uint64_t at, size_t n, const unsigned char **ret, struct err *e)
{
	if (at < r->at || at - r->at > r->held || r->held - (size_t)(at - r->at) < n) {
		size_t take = n > WINDOW ? n : WINDOW;
		if (take > z->length - at)
			take = (size_t)(z->length - at);
		r->held = 0;
		if (!room(&r->in, &r->in_cap, take))
			return no_memory(e);
		int bad_read = n > take ? bad(z, TR("it is cut off", "文件被截断"), e) : read_at(z, at, r->in, take, e);
		if (bad_read < 0)
			return bad_read;
		r->at = at;
		r->held = take;
	}
	*ret = r->in + (at - r->at);
	return 0;
}

static int wrong_size(const struct zip *z, const struct zip_entry *x, bool more, struct err *e)
{
	return bad_entry(z, x,
			 more ? TR("it inflates to more than it says", "解压后比声明的大")
			      : TR("it inflates to less than it says", "解压后比声明的小"),
			 e);
}

static int read_whole(struct zip_reader *r, const struct zip *z, const struct zip_entry *x, uint64_t at, struct span *ret, struct err *e)
{
	const unsigned char *p;
	int bad_read = window(r, z, at, (size_t)x->packed, &p, e);

	if (bad_read < 0)
		return bad_read;
	if (!x->deflated) {
		*ret = (struct span){ (const char *)p, (size_t)x->size };
		return 0;
	}
	if (!r->inflater)
		r->inflater = libdeflate_alloc_decompressor();
	if (!r->inflater || !room(&r->out, &r->out_cap, x->size > PIECE ? (size_t)x->size : PIECE))
		return no_memory(e);
	size_t got = 0;
	switch (libdeflate_deflate_decompress(r->inflater, p, (size_t)x->packed, r->out, (size_t)x->size, &got)) {
	case LIBDEFLATE_SUCCESS:
		break;
	case LIBDEFLATE_INSUFFICIENT_SPACE:
		return wrong_size(z, x, true, e);
	case LIBDEFLATE_SHORT_OUTPUT:
		return wrong_size(z, x, false, e);
	default:
		return bad_entry(z, x, TR("its compressed data are damaged", "压缩数据已损坏"), e);
	}
	if (got != x->size)
		return wrong_size(z, x, false, e);
	*ret = (struct span){ (const char *)r->out, got };
	return 0;
}

/* What a file in pieces goes through. */
struct pieces {
	struct zip_reader *r;
	const struct zip *z;
	const struct zip_entry *x;
	zip_take_fn *take;
	void *ctx;
	uint64_t size;
	uint32_t crc;
};

static int piece(struct pieces *s, const void *p, size_t n, struct err *e)
{
	s->size += n;
	if (s->size > s->x->size)
		return wrong_size(s->z, s->x, true, e);
	s->crc = libdeflate_crc32(s->crc, p, n);
	return n ? s->take(s->ctx, (struct span){ p, n }) : 0;
}

static int start_stream(struct zip_reader *r, struct err *e)
{
	if (r->stream)
		return inflateReset(r->stream) == Z_OK ? 0 : no_memory(e);
	r->stream = mem_zalloc(sizeof(*r->stream));
	if (!r->stream || inflateInit2(r->stream, -MAX_WBITS) != Z_OK) {
		mem_free(r->stream);
		r->stream = NULL;
		return no_memory(e);
	}
	return 0;
}

/* One window of compressed bytes. 1: the stream has ended. */
static int inflate_some(struct pieces *s, const unsigned char *p, size_t n, struct err *e)
{
	z_stream *f = s->r->stream;

	f->next_in = (unsigned char *)(uintptr_t)p;
	f->avail_in = (unsigned)n;
	do {
		f->next_out = s->r->out;
		f->avail_out = PIECE;
		int said = inflate(f, Z_NO_FLUSH);
		if (said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR)
			return said == Z_MEM_ERROR ? no_memory(e)
						   : bad_entry(s->z, s->x, TR("its compressed data are damaged", "压缩数据已损坏"), e);
		int r = piece(s, s->r->out, PIECE - f->avail_out, e);
		if (r < 0)
			return r;
		if (said == Z_STREAM_END)
			return 1;
	} while (!f->avail_out);
	return 0;
}

static int read_pieces(struct pieces *s, uint64_t at, struct err *e)
{
	int r = s->x->deflated ? start_stream(s->r, e) : 0;

	if (r == 0 && !room(&s->r->out, &s->r->out_cap, PIECE))
		r = no_memory(e);
	for (uint64_t left = s->x->packed; r == 0 && left;) {
		size_t n = left < WINDOW ? (size_t)left : WINDOW;
		const unsigned char *p;
		r = window(s->r, s->z, at, n, &p, e);
		if (r == 0)
			r = s->x->deflated ? inflate_some(s, p, n, e) : piece(s, p, n, e);
		at += n;
		left -= n;
	}
	return r < 0 ? r : s->size == s->x->size ? 0 : wrong_size(s->z, s->x, false, e);
}

int zip_read(struct zip_reader *r, const struct zip *z, const struct zip_entry *x, zip_take_fn *take, void *ctx, struct err *e)
{
	const unsigned char *p;
	struct span text;

	if (r->of != z->id) {
		r->of = z->id;
		r->held = 0;
	}
	int bad_read = window(r, z, x->offset, HEADER_SIZE, &p, e);
	if (bad_read < 0)
		return bad_read;
	if (!is_sign(p, 3, 4))
		return bad_entry(z, x, TR("there is no such entry where the directory says", "目录所指位置没有该条目"), e);
	uint64_t at = x->offset + HEADER_SIZE + get16(p + 26) + get16(p + 28);
	if (at > z->length || x->packed > z->length - at)
		return bad_entry(z, x, TR("it lies outside of the file", "位于文件之外"), e);
	struct pieces s = { r, z, x, take, ctx, 0, 0 };
	bool whole = x->size <= ZIP_WHOLE_MAX && x->packed <= ZIP_WHOLE_MAX;
	int got = whole ? read_whole(r, z, x, at, &text, e) : read_pieces(&s, at, e);
	if (got < 0)
		return got;
	if ((whole ? libdeflate_crc32(0, text.p, text.n) : s.crc) != x->crc)
		return bad_entry(z, x, TR("its content does not have its CRC", "内容与其 CRC 不符"), e);
	return whole ? take(ctx, text) : 0;
}
