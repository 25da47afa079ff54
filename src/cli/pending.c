#include "cli/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define IN_MEMORY (256 << 10)
#define TEXT_MAX  (16 << 10) /* behind one failed test */

struct record { /* then the name, then the text */
	enum notice_kind kind;
	enum result result;
	double seconds;
	size_t test, text;
};

struct pending {
	int fd;           /* -1: all is in memory */
	int64_t stored;   /* bytes in the file */
	struct buf fresh; /* behind them */
	bool open;        /* a failed test may still get lines: */
	struct record last;
	struct buf test, text;
	int failed; /* -errno */
};

int temp_file(void)
{
	const char *dir = getenv("TMPDIR");
	CLEANUP(buf_free) struct buf path = { 0 };

	dir = dir && *dir ? dir : "/tmp";
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	buf_addf(&path, "%s/tocsin-XXXXXX", dir);
	fd = path.bad ? -1 : mkostemp(path.p, O_CLOEXEC);
	if (fd >= 0)
		unlink(path.p);
	return fd;
}

struct pending *pending_new(void)
{
	struct pending *p = mem_zalloc(sizeof(*p));

	if (p)
		p->fd = -1;
	return p;
}

void pending_free(struct pending *p)
{
	if (!p)
		return;
	fd_close(p->fd);
	buf_free(&p->fresh);
	buf_free(&p->test);
	buf_free(&p->text);
	mem_free(p);
}

static void store(struct pending *p)
{
	if (p->fd < 0 && (p->fd = temp_file()) < 0) {
		p->failed = -errno;
		return;
	}
	for (size_t done = 0; done < p->fresh.len;) {
		ssize_t n = fault_hit() ? (errno = EIO, -1) :
					  pwrite(p->fd, p->fresh.p + done, p->fresh.len - done, p->stored);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			p->failed = n < 0 ? -errno : -EIO;
			return;
		}
		done += (size_t)n;
		p->stored += n;
	}
	buf_clear(&p->fresh);
}

static void put(struct pending *p, struct record r, struct span test, struct span text)
{
	r.test = test.n;
	r.text = text.n;
	buf_add(&p->fresh, &r, sizeof(r));
	buf_span(&p->fresh, test);
	buf_span(&p->fresh, text);
	if (p->fresh.bad)
		p->failed = -ENOMEM;
	else if (p->fresh.len > IN_MEMORY)
		store(p);
}

static void close_last(struct pending *p)
{
	if (p->open)
		put(p, p->last, buf_view(&p->test), buf_view(&p->text));
	p->open = false;
}

/* Lines by which the testing package and the go command go on. */
static bool is_next(struct span line)
{
	static const char *const words[] = { "--- ", "=== ", "FAIL", "PASS", "ok  \t", "?   \t", "exit status ", "coverage: " };

	span_skip(&line, S("\x16")); /* -test.v=test2json */
	while (span_skip(&line, S("    ")))
		;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_starts(line, span_of(words[i])))
			return true;
	}
	return false;
}

static void take_line(struct pending *p, struct span line)
{
	if (is_next(line)) {
		close_last(p);
	} else if (p->text.len < TEXT_MAX) {
		buf_span(&p->text, span_head(line, TEXT_MAX - p->text.len));
		buf_addc(&p->text, '\n');
	}
}

void pending_add(struct pending *p, const struct notice *n)
{
	struct record r = { .kind = n->kind, .result = n->result, .seconds = n->seconds };

	if (p->failed)
		return;
	if (n->kind == NOTICE_TEXT) {
		if (p->open && n->stream != STREAM_ERR)
			take_line(p, n->text);
		return;
	}
	close_last(p);
	if (n->kind != NOTICE_TEST_END || n->result != RESULT_FAIL) {
		put(p, r, n->test, n->text);
		return;
	}
	p->open = true;
	p->last = r;
	buf_clear(&p->test);
	buf_clear(&p->text);
	buf_span(&p->test, n->test);
	buf_span(&p->text, n->text);
}

/* n bytes at an offset of the file and what is behind it; a record is never in both. */
static int get(struct pending *p, int64_t at, void *to, size_t n)
{
	if (at >= p->stored) {
		memcpy(to, p->fresh.p + (at - p->stored), n);
		return 0;
	}
	return pread(p->fd, to, n, at) == (ssize_t)n ? 0 : -EIO;
}

static int give_all(struct pending *p, struct span package, notice_fn *fn, void *ctx)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	int64_t end = p->stored + (int64_t)p->fresh.len;
	struct record r;

	for (int64_t at = 0; at < end; at += (int64_t)(sizeof(r) + r.test + r.text)) {
		int bad = get(p, at, &r, sizeof(r));
		buf_clear(&body);
		if (bad || !buf_need(&body, r.test + r.text))
			return bad ? bad : -ENOMEM;
		bad = get(p, at + (int64_t)sizeof(r), body.p, r.test + r.text);
		if (bad)
			return bad;
		fn(ctx, &(struct notice){ .kind = r.kind, .package = package, .result = r.result, .seconds = r.seconds,
					  .test = { body.p, r.test }, .text = { body.p + r.test, r.text } });
	}
	return 0;
}

int pending_give(struct pending *p, struct span package, notice_fn *fn, void *ctx)
{
	close_last(p);
	int r = p->failed ? p->failed : give_all(p, package, fn, ctx);
	p->stored = 0;
	buf_clear(&p->fresh);
	p->failed = 0;
	return r;
}
