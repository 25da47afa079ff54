#include "mod/note.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/sha256.h"

#define DASH "\xe2\x80\x94 "
#define NOTE_MAX 1000000
#define SIGNATURES_MAX 100

static const struct {
	const char *name, *key;
} known[] = {
	{ "sum.golang.org", "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8" },
	{ "sum.golang.google.cn", "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8" },
};

static int bad_key(const char *text, struct err *e)
{
	return err_set(e, EINVAL,
		       TR("'%.100s' is no key of a checksum database: its form is name+8 hexadecimal digits+base64, as in GOSUMDB",
			  "“%.100s”不是校验和数据库的密钥：格式为 名称+8 位十六进制+base64，同 GOSUMDB"),
		       text);
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t key_hash(struct span name, struct span key)
{
	unsigned char sum[SHA256_SIZE];
	struct sha256 s;

	sha256_begin(&s);
	sha256_more(&s, name);
	sha256_more(&s, S("\n"));
	sha256_more(&s, key);
	sha256_end(&s, sum);
	return be32(sum);
}

static bool hex32(struct span s, uint32_t *ret)
{
	uint32_t v = 0;

	if (s.n != 8)
		return false;
	for (size_t i = 0; i < 8; i++) {
		char c = s.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = v;
	return true;
}

int note_key_read(const char *text, struct note_key *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf raw = { 0 };

	*ret = (struct note_key){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!strcmp(text, known[i].name))
			text = known[i].key;
	}
	struct span rest = span_of(text), name = span_cut(&rest, '+'), hash = span_cut(&rest, '+');
	if (!name.n || name.n >= sizeof(ret->name) || !hex32(hash, &ret->hash) || !base64_read(rest, &raw) || raw.len != 33 ||
	    raw.p[0] != 1)
		return bad_key(text, e);
	if (key_hash(name, buf_view(&raw)) != ret->hash)
		return err_set(e, EINVAL,
			       TR("the key of the checksum database %.*s is damaged: its hash does not fit",
				  "校验和数据库 %.*s 的密钥已损坏：哈希不符"),
			       SPAN_ARG(name));
	memcpy(ret->name, name.p, name.n);
	return key_of_ed25519((const unsigned char *)raw.p + 1, &ret->key, e);
}

void note_key_free(struct note_key *k)
{
	key_free(&k->key);
}

static int bad_note(const struct note_key *k, const char *why, struct err *e)
{
	return err_set(e, EBADMSG,
		       TR("the answer of the checksum database %s is not to be believed: %s", "校验和数据库 %s 的答复不可信：%s"), k->name,
		       why);
}

/* A line "— name base64": 1: ours and good; 0: somebody else's; -errno: ours and bad. */
static int check_line(const struct note_key *k, struct span line, struct span text, struct err *e)
{
	CLEANUP(buf_free) struct buf raw = { 0 };

	if (!span_skip(&line, S(DASH)))
		return bad_note(k, TR("a line that is no signature", "存在不是签名的行"), e);
	struct span name = span_cut(&line, ' ');
	if (!base64_read(line, &raw) || raw.len < 5)
		return bad_note(k, TR("a signature that is no base64", "签名不是 base64"), e);
	if (!span_eq(name, span_of(k->name)) || be32((const unsigned char *)raw.p) != k->hash)
		return 0;
	int r = key_verify(&k->key, text, span_from(buf_view(&raw), 4), e);
	return r ? r : bad_note(k, TR("its signature does not hold", "签名无效"), e);
}

int note_open(const struct note_key *k, struct span note, struct span *text, struct err *e)
{
	size_t at = SPAN_NONE;
	bool good = false;

	for (size_t i = 0; i + 1 < note.n; i++) {
		if (note.p[i] == '\n' && note.p[i + 1] == '\n')
			at = i; /* the last blank line */
	}
	if (at == SPAN_NONE || note.n > NOTE_MAX || note.p[note.n - 1] != '\n')
		return bad_note(k, TR("it is no signed note", "不是带签名的文本"), e);
	struct span rest = span_from(note, at + 2);
	*text = span_head(note, at + 1);
	for (int n = 0; rest.n; n++) {
		int r = n < SIGNATURES_MAX ? check_line(k, span_cut(&rest, '\n'), *text, e)
					   : bad_note(k, TR("too many signatures", "签名过多"), e);
		if (r < 0)
			return r;
		good |= r;
	}
	return good ? 0 : bad_note(k, TR("it is not signed by this database", "没有此数据库的签名"), e);
}
