#include <errno.h>

#include <zstd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/report_read.h"
#include "store/state.h"

/*
 * A packed text is one byte, the version, and a zstd frame without magic number whose prefix is the text that it is like:
 * a finding that says what the fault's first one said, with other addresses, takes some 40 bytes. A text that is like none
 * has `seed` as prefix. Neither may ever change: another seed is another version.
 */
#define PACK_VERSION '1'
#define LEVEL 6
#define TEXT_MAX (64 << 10) /* bytes of a text in a body */
#define PLACES_MAX 500
#define MAGIC ((size_t)4) /* bytes of zstd's magic number */

static const char seed[] =
	"exit status 1 signal: killed panic: runtime error: index out of range [5] with length 3 invalid memory address or nil pointer "
	"dereference\\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4f2a10]\\n\\ngoroutine 7 [running]:\\ntesting.tRunner.func1.2(…)\\n"
	"created by testing.(*T).Run in goroutine 1 (*T)\\n    --- FAIL: Test got want expected unexpected error: <nil> nil true false "
	"no such file or directory connection refused context deadline exceeded dial tcp 127.0.0.1: undefined: cannot use as type in "
	"{\"schema\":\"tocsin.report/1\",\"run\":{\"argv\":[\"go\",\"test\",\"-race\",\"-count=1\",\"./...\"]},\"findings\":[{\"cause\":\"build.compile\",\"cause\":\"test.panic\","
	"\"cause\":\"test.fail\",\"severity\":\"error\",\"package\":\"github.com/example.com/internal/\",\"test\":\"Test\",\"file\":\"_test.go\",\"line\":12,\"column\":null,"
	"\"message\":\"got 3, want 4\",\"excerpt\":\"\",\"classes\":[\"permanent\"],\"advice\":null,\"places\":[{\"package\":\"\",\"file\":\"\",\"line\":12}],\"command\":null}]}";

static struct span prefix_of(struct span like)
{
	return like.n ? like : (struct span){ seed, sizeof(seed) - 1 };
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* One context for all packing: making one costs more than most texts. Freed by nobody: it is the thread's. */
static ZSTD_CCtx *packer(void)
{
	static _Thread_local ZSTD_CCtx *z;

	if (fault_hit())
		return NULL;
	if (!z && (z = ZSTD_createCCtx())) {
		ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 0);
		ZSTD_CCtx_setParameter(z, ZSTD_c_dictIDFlag, 0);
	}
	return z;
}

static ZSTD_DCtx *unpacker(void)
{
	static _Thread_local ZSTD_DCtx *z;

	if (fault_hit())
		return NULL;
	if (!z)
		z = ZSTD_createDCtx();
	return z;
}

int pack_text(struct span text, struct span like, struct buf *ret, struct err *e)
{
	ZSTD_CCtx *z = packer();
	struct span prefix = prefix_of(like);

	if (text.n > PACK_MAX)
		return err_set(e, EFBIG, TR("a finding of %zu bytes is too long to be kept", "发现长达 %zu 字节，无法保存"), text.n);
	if (!z || !buf_need(ret, ZSTD_compressBound(text.n)))
		return no_memory(e);
	ZSTD_CCtx_refPrefix(z, prefix.p, prefix.n);
	char *to = ret->p + ret->len;
	size_t n = ZSTD_compress2(z, to, ret->cap - ret->len, text.p, text.n);
	if (ZSTD_isError(n) || n < MAGIC)
		return err_set(e, EIO, TR("a finding cannot be packed: %s", "无法压缩发现：%s"), ZSTD_getErrorName(n));
	to[0] = PACK_VERSION;
	memmove(to + 1, to + MAGIC, n - MAGIC);
	ret->len += n - MAGIC + 1;
	return 0;
}

int unpack_text(struct span packed, struct span like, struct buf *ret, struct err *e)
{
	static const char magic[MAGIC] = { '\x28', '\xb5', '\x2f', '\xfd' };
	CLEANUP(buf_free) struct buf frame = { 0 };
	struct span prefix = prefix_of(like);
	ZSTD_DCtx *z = unpacker();

	if (!packed.n || packed.p[0] != PACK_VERSION)
		return err_set(e, EBADMSG, TR("a stored finding has an unknown form", "存储的发现格式未知"));
	buf_add(&frame, magic, MAGIC);
	buf_span(&frame, span_from(packed, 1));
	if (!z || frame.bad)
		return no_memory(e);
	unsigned long long size = ZSTD_getFrameContentSize(frame.p, frame.len);
	if (size > PACK_MAX) /* unknown and broken ones are greater still */
		return err_set(e, EBADMSG, TR("a stored finding is damaged", "存储的发现已损坏"));
	if (!buf_need(ret, size + 1))
		return no_memory(e);
	ZSTD_DCtx_refPrefix(z, prefix.p, prefix.n);
	size_t n = ZSTD_decompressDCtx(z, ret->p + ret->len, size, frame.p, frame.len);
	if (ZSTD_isError(n))
		return err_set(e, EBADMSG, TR("a stored finding is damaged: %s", "存储的发现已损坏：%s"), ZSTD_getErrorName(n));
	ret->len += n;
	ret->p[ret->len] = '\0';
	return 0;
}

/* The script of the nested command that this finding is about: its fingerprint has it. */
static const char *script_of(const struct report *r, const struct finding *f)
{
	for (size_t i = 0; i < r->n_commands && f->command.n; i++) {
		const struct nested *c = &r->commands[i];
		bool same = c->masked && c->script && c->argv.n == f->command.n;
		for (size_t k = 0; same && k < c->argv.n; k++)
			same = strcmp(c->argv.v[k], f->command.v[k]) == 0;
		if (same)
			return c->script;
	}
	return NULL;
}

static void put_argv(struct json_out *j, const struct argv *a)
{
	json_key(j, "argv");
	json_open(j, '[');
	for (size_t i = 0; i < a->n; i++)
		json_strz(j, a->v[i]);
	json_close(j, ']');
}

/* What a run may find is bounded; what is handed in from outside, and a cascade over ten thousand packages, is bounded here. */
static struct finding within_bounds(const struct finding *f)
{
	struct finding b = *f;

	b.message = utf8_head(b.message, TEXT_MAX);
	b.excerpt = utf8_head(b.excerpt, TEXT_MAX);
	b.advice = utf8_head(b.advice, TEXT_MAX);
	b.n_places = b.n_places < PLACES_MAX ? b.n_places : PLACES_MAX;
	return b;
}

void body_make(const struct report *r, const struct finding *given, struct buf *ret)
{
	const struct finding kept = within_bounds(given), *f = &kept;
	const char *script = script_of(r, f);
	struct json_out j = { .to = ret };

	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.report/1");
	json_key(&j, "run");
	json_open(&j, '{');
	put_argv(&j, &r->argv);
	json_close(&j, '}');
	if (r->ending.how == END_NOT_STARTED) {
		json_key(&j, "verdict");
		json_open(&j, '{');
		json_key(&j, "outcome");
		json_strz(&j, outcome_word(OUTCOME_NOT_STARTED));
		json_close(&j, '}');
	}
	if (script) {
		json_key(&j, "commands");
		json_open(&j, '[');
		json_open(&j, '{');
		put_argv(&j, &f->command);
		json_key(&j, "script");
		json_strz(&j, script);
		json_key(&j, "masked");
		json_bool(&j, true);
		json_close(&j, '}');
		json_close(&j, ']');
	}
	json_key(&j, "findings");
	json_open(&j, '[');
	finding_json(r, f, ret);
	buf_adds(ret, "]}");
}

int body_read(struct span body, struct report *ret, struct err *e)
{
	int r = report_read(body, TR("a stored finding", "存储的发现"), ret, e);

	if (r == 0 && !ret->n_findings) {
		report_free(ret);
		return err_set(e, EBADMSG, TR("a stored finding is empty", "存储的发现为空"));
	}
	return r;
}
