#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define RAW             (128 << 10)
#define PLAIN           (256 << 10)
#define HEAD            (64 << 10) /* bytes that are gathered for a look, unpacked */
#define LOOK            4096       /* of them are looked at, to tell text from binary */
#define ZSTD_WINDOW_LOG 25   /* 32 MiB: what zstd -19 needs and more */

enum packing { PACKED_NOT, PACKED_GZIP, PACKED_ZSTD };

struct input {
	const char *name;
	int fd;
	enum packing packing;
	char *raw, *plain;
	size_t at, have; /* in raw */
	int64_t offset;  /* bytes of the file that were read */
	int64_t made;    /* bytes that were handed on */
	bool ended;      /* the file has no more */
	bool open_frame; /* inside a compressed frame */
	ZSTD_DCtx *z;
	z_stream gz;
	size_t kept; /* bytes of plain (of raw, when it is not packed) that input_open has gathered */
	struct err late; /* what went wrong while they were gathered: said behind them */
	int late_code;
};

const char *input_name(const struct input *in)
{
	return in->name;
}

static int fill(struct input *in, struct err *e)
{
	while (!in->ended && in->at == in->have) {
		ssize_t n = fault_hit() ? (errno = EIO, -1) : read(in->fd, in->raw, RAW);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, TR("read '%s' at byte %lld: %m", "读取“%s”第 %lld 字节：%m"),
				       in->name, (long long)in->offset);
		in->at = 0;
		in->have = (size_t)n;
		in->offset += n;
		in->ended = n == 0;
	}
	return 0;
}

static int truncated(struct input *in, struct err *e)
{
	return err_set(e, EBADMSG,
		       TR("'%s' is truncated: its compressed data stop at byte %lld",
			  "“%s”被截断：压缩数据在第 %lld 字节处中断"),
		       in->name, (long long)in->offset);
}

static int corrupt(struct input *in, const char *why, struct err *e)
{
	return err_set(e, EBADMSG, TR("'%s' is corrupt near byte %lld: %s", "“%s”在第 %lld 字节附近损坏：%s"),
		       in->name, (long long)(in->offset - (int64_t)(in->have - in->at)), why);
}

/* Both add to the *n bytes that are in plain. */
static int unzstd(struct input *in, size_t *n, struct err *e)
{
	ZSTD_outBuffer out = { in->plain + *n, PLAIN - *n, 0 };
	size_t before = *n;

	while (out.pos == 0) {
		int r = fill(in, e);
		if (r < 0)
			return r;
		if (in->at == in->have)
			return in->open_frame ? truncated(in, e) : 0;
		ZSTD_inBuffer src = { in->raw, in->have, in->at };
		size_t left = ZSTD_decompressStream(in->z, &out, &src);
		in->at = src.pos;
		if (ZSTD_isError(left))
			return corrupt(in, ZSTD_getErrorName(left), e);
		in->open_frame = left != 0;
		*n = before + out.pos;
	}
	return 0;
}

static int gunzip(struct input *in, size_t *n, struct err *e)
{
	unsigned room = (unsigned)(PLAIN - *n);

	in->gz.next_out = (unsigned char *)in->plain + *n;
	in->gz.avail_out = room;
	while (in->gz.avail_out == room) {
		int r = fill(in, e);
		if (r < 0)
			return r;
		if (in->at == in->have)
			return in->open_frame ? truncated(in, e) : 0;
		in->gz.next_in = (unsigned char *)in->raw + in->at;
		in->gz.avail_in = (unsigned)(in->have - in->at);
		in->open_frame = true;
		int z = inflate(&in->gz, Z_NO_FLUSH);
		in->at = in->have - in->gz.avail_in;
		if (z == Z_STREAM_END) {
			in->open_frame = false;
			inflateReset(&in->gz);
		} else if (z != Z_OK && z != Z_BUF_ERROR) {
			return corrupt(in, in->gz.msg ? in->gz.msg : "gzip", e);
		}
		*n = PLAIN - in->gz.avail_out;
	}
	return 0;
}

static int unpack_some(struct input *in, size_t *n, struct err *e)
{
	return in->packing == PACKED_ZSTD ? unzstd(in, n, e) : gunzip(in, n, e);
}

static int next(struct input *in, struct span *ret, struct err *e)
{
	size_t n = 0;
	int r = 0;

	if (in->packing == PACKED_NOT) {
		r = fill(in, e);
		*ret = (struct span){ in->raw + in->at, in->have - in->at };
		in->at = in->have;
		return r;
	}
	r = unpack_some(in, &n, e);
	*ret = (struct span){ in->plain, n };
	return r;
}

/* ---- what is it? ---- */

/* clang-format off */
#define UTF16 { "UTF-16 text: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)", "UTF-16 文本：请先转换为 UTF-8（iconv -f UTF-16 -t UTF-8）" }

static const struct tx utf16 = UTF16;
static const struct {
	struct span magic;
	struct tx what;
} kinds[] = {
	{ { "\x7f" "ELF", 4 }, { "a program (ELF)", "可执行文件（ELF）" } },
	{ { "MZ\x90", 3 }, { "a Windows program", "Windows 可执行文件" } },
	{ { "\xcf\xfa\xed\xfe", 4 }, { "a macOS program", "macOS 可执行文件" } },
	{ { "!<arch>\n", 8 }, { "a library archive", "库归档" } },
	{ { "PK\x03\x04", 4 }, { "a zip archive: unpack it first", "zip 压缩包：请先解压" } },
	{ { "BZh", 3 }, { "bzip2: unpack it first", "bzip2 压缩：请先解压" } },
	{ { "\xfd" "7zXZ", 5 }, { "xz: unpack it first", "xz 压缩：请先解压" } },
	{ { "\xff\xfe", 2 }, UTF16 },
	{ { "\xfe\xff", 2 }, UTF16 },
	{ { "\x89PNG", 4 }, { "a picture", "图片" } },
	{ { "SQLite format 3", 15 }, { "a database", "数据库" } },
};
/* clang-format on */

static int refuse(const struct input *in, const char *what, size_t at, struct err *e)
{
	return err_set(e, EBADMSG,
		       TR("'%s' is not a log or test stream: %s (byte %zu)",
			  "“%s”不是日志或测试流：%s（第 %zu 字节）"),
		       in->name, what, at);
}

static bool is_control(unsigned char c)
{
	return c < 0x20 && !(c >= '\a' && c <= '\r') && c != 0x1b && c != 0x0e && c != 0x0f && c != 0x16;
}

/* Logs may hold stray NULs and control bytes; with one in twenty it is no log. */
static int look(const struct input *in, struct span s, struct err *e)
{
	size_t odd = 0, first = 0, nul[2] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (span_starts(s, kinds[i].magic))
			return refuse(in, tx(kinds[i].what), 0, e);
	}
	for (size_t i = 0; i < s.n; i++) {
		nul[i & 1] += !s.p[i];
		if (!is_control((unsigned char)s.p[i]))
			continue;
		first = odd++ ? first : i;
	}
	if (odd <= 8 || odd * 20 <= s.n)
		return 0;
	if ((nul[0] * 3 > s.n) != (nul[1] * 3 > s.n)) /* without a mark of its order */
		return refuse(in, tx(utf16), first, e);
	return refuse(in, TR("binary data", "二进制数据"), first, e);
}

/* The first bytes of the file say how it is packed. */
static int unpack(struct input *in, struct err *e)
{
	struct span s = { in->raw, in->have };

	if (span_starts(s, S("\x1f\x8b"))) {
		in->packing = PACKED_GZIP;
		if (inflateInit2(&in->gz, 16 + MAX_WBITS) != Z_OK)
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	} else if (span_starts(s, S("\x28\xb5\x2f\xfd"))) {
		in->packing = PACKED_ZSTD;
		in->z = ZSTD_createDCtx();
		if (!in->z)
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		ZSTD_DCtx_setParameter(in->z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	}
	if (in->packing == PACKED_NOT)
		return 0;
	in->plain = mem_alloc(PLAIN);
	return in->plain ? 0 : err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static int open_file(const char *path, struct input *in, struct err *e)
{
	struct stat st;

	in->name = path;
	if (!strcmp(path, "-")) {
		in->name = TR("standard input", "标准输入");
		in->fd = dup(STDIN_FILENO);
	} else {
		in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	}
	if (in->fd < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), in->name);
	if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, EISDIR,
			       TR("'%s' is a directory: name the files in it",
				  "“%s”是目录：请指定其中的文件"),
			       in->name);
	posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

/* A pipe gives a few bytes at a time: enough of them are gathered for a look. */
static int gather(struct input *in, struct err *e)
{
	while (in->have < HEAD && !in->ended) {
		ssize_t n = read(in->fd, in->raw + in->have, RAW - in->have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, TR("read '%s' at byte %lld: %m", "读取“%s”第 %lld 字节：%m"),
				       in->name, (long long)in->offset);
		in->have += (size_t)n;
		in->offset += n;
		in->ended = n == 0;
	}
	if (!in->have)
		return err_set(e, ENODATA,
			       TR("'%s' is empty: nothing to judge (0 bytes)",
				  "“%s”为空（0 字节）：没有可判断的内容"),
			       in->name);
	return 0;
}

/* The first bytes as they are unpacked; what goes wrong behind the first of them waits for its turn. */
static void gather_plain(struct input *in)
{
	size_t before;

	do {
		before = in->kept;
		in->late_code = unpack_some(in, &in->kept, &in->late);
	} while (in->late_code == 0 && in->kept > before && in->kept < HEAD);
}

static int begin(struct input *in, const char *path, struct err *e)
{
	int r = open_file(path, in, e);

	if (r == 0)
		r = gather(in, e);
	if (r == 0)
		r = unpack(in, e);
	if (r < 0)
		return r;
	if (in->packing == PACKED_NOT) {
		in->kept = in->have;
		in->at = in->have;
		return 0;
	}
	gather_plain(in);
	if (in->kept)
		return 0;
	if (in->late_code < 0) {
		*e = in->late;
		return in->late_code;
	}
	return err_set(e, ENODATA,
		       TR("'%s' is empty: nothing to judge (0 bytes unpacked)",
			  "“%s”为空（解压后 0 字节）：没有可判断的内容"),
		       in->name);
}

struct span input_head(const struct input *in)
{
	return (struct span){ in->packing == PACKED_NOT ? in->raw : in->plain, in->kept };
}

int input_text(const struct input *in, struct err *e)
{
	return look(in, span_head(input_head(in), LOOK), e);
}

int input_open(const char *path, struct input **ret, struct err *e)
{
	struct input *in = mem_zalloc(sizeof(*in));
	int r;

	if (in)
		in->fd = -1;
	if (!in || !(in->raw = mem_pages(RAW))) {
		input_close(in);
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	}
	r = begin(in, path, e);
	if (r < 0) {
		input_close(in);
		return r;
	}
	*ret = in;
	return 0;
}

int input_read(struct input *in, struct span *ret, struct err *e)
{
	int r = 0;

	if (in->kept) {
		*ret = input_head(in);
		in->kept = 0;
	} else if (in->late_code < 0) {
		*ret = (struct span){ 0 };
		*e = in->late;
		r = in->late_code;
	} else {
		r = next(in, ret, e);
	}
	in->made += r < 0 ? 0 : (int64_t)ret->n;
	return r;
}

int input_slurp(struct input *in, size_t max, struct buf *ret, struct err *e)
{
	struct span s;

	for (;;) {
		int r = input_read(in, &s, e);
		if (r < 0 || !s.n)
			return r;
		if (s.n > max - ret->len)
			return err_set(e, EFBIG,
				       TR("'%s' is larger than %zu MiB unpacked (byte %lld of the file): more of this kind is not read",
					  "“%s”解压后超过 %zu MiB（文件第 %lld 字节）：此类证据不再继续读取"),
				       in->name, max >> 20, (long long)in->offset);
		buf_span(ret, s);
		if (ret->bad)
			return err_set(e, ENOMEM, TR("no memory for '%s'", "内存不足，无法读取“%s”"), in->name);
	}
}

void input_close(struct input *in)
{
	if (!in)
		return;
	fd_close(in->fd);
	ZSTD_freeDCtx(in->z);
	if (in->packing == PACKED_GZIP)
		inflateEnd(&in->gz);
	mem_free(in->raw);
	mem_free(in->plain);
	mem_free(in);
}
