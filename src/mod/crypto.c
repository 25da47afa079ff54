#include "mod/crypto.h"

#include <errno.h>
#include <limits.h>

/* OpenSSL 3 marks much as deprecated that 1.1.1 had; what is used here is in both. */
#define OPENSSL_API_COMPAT 0x10101000L
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/dl.h"
#include "base/mem.h"
#include "base/sha256.h"

#define CRYPTO_FUNCTIONS(X)                                                                                                          \
	X(BIO_new_mem_buf) X(BIO_free) X(PEM_read_bio_PrivateKey) X(PEM_read_bio_PUBKEY) X(EVP_PKEY_free) X(i2d_PUBKEY) X(d2i_PUBKEY)   \
	X(EVP_MD_CTX_new) X(EVP_MD_CTX_free) X(EVP_DigestSignInit) X(EVP_DigestSign) X(EVP_DigestVerifyInit) X(EVP_DigestVerify)       \
	X(EVP_sha256) X(ERR_clear_error)

static struct {
#define X(f) __typeof__(f) *f;
	CRYPTO_FUNCTIONS(X)
#undef X
} ossl;

static const struct dl_symbol symbols[] = {
#define X(f) { #f, &ossl.f },
	CRYPTO_FUNCTIONS(X)
#undef X
};

static const char *const files[] = { "libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so", NULL };
static struct dl_library libcrypto = {
	.name = "libcrypto",
	.files = files,
	.debian = "libssl3",
	.fedora = "openssl-libs",
	.alpine = "libcrypto3",
	.arch = "openssl",
	.symbols = symbols,
	.n = ARRAY_LEN(symbols),
};
DL_NOTE("libcrypto.so.3", "signatures", "Signatures of modules and of the checksum database");

static int use(struct err *e)
{
	libcrypto.what_for = TR("signatures", "签名");
	return dl_load(&libcrypto, e);
}

/* A public key's DER before its point: RFC 8410 and RFC 5480. What has another beginning or length is of another kind. */
static const unsigned char ed25519_head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
static const unsigned char p256_head[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
					   0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };
static const struct {
	enum key_kind kind;
	struct span head;
	size_t size;
} kinds[] = {
	{ KEY_ED25519, { (const char *)ed25519_head, sizeof(ed25519_head) }, sizeof(ed25519_head) + 32 },
	{ KEY_P256, { (const char *)p256_head, sizeof(p256_head) }, sizeof(p256_head) + 64 },
};

static int identify(struct key *k, const char *name, struct err *e)
{
	unsigned char der[256], *p = der, sum[SHA256_SIZE];
	int n = ossl.i2d_PUBKEY(k->pkey, NULL);

	if (n > 0 && n <= (int)sizeof(der))
		n = ossl.i2d_PUBKEY(k->pkey, &p);
	struct span text = { (const char *)der, n > 0 && n <= (int)sizeof(der) ? (size_t)n : 0 };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (text.n != kinds[i].size || !span_starts(text, kinds[i].head))
			continue;
		k->kind = kinds[i].kind;
		sha256(text, sum);
		memcpy(k->id, "sha256:", 7);
		hex_lower(sum, sizeof(sum), k->id + 7);
		return 0;
	}
	key_free(k);
	return err_set(
		e, EKEYREJECTED,
		TR("%s: only Ed25519 and ECDSA P-256 keys are used here; make one with: openssl genpkey -algorithm ed25519 -out key.pem",
		   "%s：此处只支持 Ed25519 和 ECDSA P-256 密钥；生成方法：openssl genpkey -algorithm ed25519 -out key.pem"),
		name);
}

struct asked {
	const char *password;
	bool asked;
};

/* Without it, libcrypto would ask on the terminal. */
static int give_password(char *to, int size, int writing, void *ctx)
{
	struct asked *a = ctx;
	size_t n = a->password ? strlen(a->password) : 0;

	a->asked = true;
	if (!a->password || size < 0 || n > (size_t)size)
		return -1;
	memcpy(to, a->password, n);
	return (int)n;
}

static int no_key(struct span pem, const char *name, const struct asked *a, struct err *e)
{
	if (span_find(pem, S("BEGIN ENCRYPTED SIGSTORE PRIVATE KEY")) != SPAN_NONE ||
	    span_find(pem, S("BEGIN ENCRYPTED COSIGN PRIVATE KEY")) != SPAN_NONE)
		return err_set(
			e, EKEYREJECTED,
			TR("%s is a key in cosign's own encrypted format: use a PKCS #8 key (openssl genpkey), which cosign can import too",
			   "%s 是 cosign 自有加密格式的密钥：请使用 PKCS #8 密钥（openssl genpkey），cosign 也可导入"),
			name);
	if (a->asked && !a->password)
		return err_set(e, EACCES,
			       TR("%s is encrypted: give its password with --password env:NAME or file:PATH",
				  "%s 已加密：请用 --password env:名称 或 file:路径 提供口令"),
			       name);
	if (a->asked)
		return err_set(e, EACCES, TR("%s cannot be decrypted: is the password right?", "无法解密 %s：口令是否正确？"), name);
	if (span_find(pem, S("-----BEGIN OPENSSH PRIVATE KEY")) != SPAN_NONE || span_starts(pem, S("ssh-")))
		return err_set(
			e, EKEYREJECTED,
			TR("%s is an OpenSSH key: a PEM key is needed; make one with: openssl genpkey -algorithm ed25519 -out key.pem",
			   "%s 是 OpenSSH 密钥：需要 PEM 密钥；生成方法：openssl genpkey -algorithm ed25519 -out key.pem"),
			name);
	if (span_find(pem, S("BEGIN CERTIFICATE")) != SPAN_NONE)
		return err_set(e, EKEYREJECTED,
			       TR("%s is a certificate: take its key with: openssl x509 -pubkey -noout -in %s",
				  "%s 是证书：取出公钥：openssl x509 -pubkey -noout -in %s"),
			       name, name);
	return err_set(e, EKEYREJECTED,
		       TR("%s holds no key in PEM (a text that begins with -----BEGIN PUBLIC KEY----- or -----BEGIN PRIVATE KEY-----)",
			  "%s 中没有 PEM 密钥（以 -----BEGIN PUBLIC KEY----- 或 -----BEGIN PRIVATE KEY----- 开头的文本）"),
		       name);
}

int key_read(struct span pem, const char *name, const char *password, struct key *ret, struct err *e)
{
	struct asked a = { .password = password };

	*ret = (struct key){ 0 };
	int r = use(e);
	if (r < 0)
		return r;
	if (pem.n > INT_MAX)
		return no_key((struct span){ 0 }, name, &a, e);
	ret->private_ = span_find(pem, S("PRIVATE KEY-----")) != SPAN_NONE;
	BIO *b = ossl.BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
	if (!b)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	ret->pkey = ret->private_ ? ossl.PEM_read_bio_PrivateKey(b, NULL, give_password, &a)
				  : ossl.PEM_read_bio_PUBKEY(b, NULL, give_password, &a);
	ossl.BIO_free(b);
	ossl.ERR_clear_error();
	return ret->pkey ? identify(ret, name, e) : no_key(pem, name, &a, e);
}

int key_of_ed25519(const unsigned char raw[32], struct key *ret, struct err *e)
{
	unsigned char der[sizeof(ed25519_head) + 32];
	const unsigned char *p = der;

	*ret = (struct key){ 0 };
	int r = use(e);
	if (r < 0)
		return r;
	memcpy(der, ed25519_head, sizeof(ed25519_head));
	memcpy(der + sizeof(ed25519_head), raw, 32);
	ret->pkey = ossl.d2i_PUBKEY(NULL, &p, sizeof(der));
	ossl.ERR_clear_error();
	return ret->pkey ? identify(ret, "Ed25519", e)
			 : err_set(e, ENOMEM, TR("libcrypto cannot use an Ed25519 key", "libcrypto 无法使用 Ed25519 密钥"));
}

void key_free(struct key *k)
{
	if (k->pkey)
		ossl.EVP_PKEY_free(k->pkey);
	*k = (struct key){ 0 };
}

void key_free_cleanup(struct key *k)
{
	key_free(k);
}

static const EVP_MD *digest(const struct key *k)
{
	return k->kind == KEY_P256 ? ossl.EVP_sha256() : NULL;
}

int key_sign(const struct key *k, struct span message, struct buf *ret, struct err *e)
{
	unsigned char sig[256];
	size_t n = sizeof(sig);
	EVP_MD_CTX *c = ossl.EVP_MD_CTX_new();
	bool good = c && k->private_ && ossl.EVP_DigestSignInit(c, NULL, digest(k), NULL, k->pkey) == 1 &&
		    ossl.EVP_DigestSign(c, sig, &n, (const unsigned char *)message.p, message.n) == 1;

	ossl.EVP_MD_CTX_free(c);
	ossl.ERR_clear_error();
	if (!good)
		return err_set(e, EIO, "%s",
			       k->private_ ? TR("libcrypto could not sign", "libcrypto 无法签名")
					   : TR("a public key cannot sign: give the private one", "公钥不能签名：请提供私钥"));
	buf_add(ret, sig, n);
	return ret->bad ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : 0;
}

int key_verify(const struct key *k, struct span message, struct span signature, struct err *e)
{
	EVP_MD_CTX *c = ossl.EVP_MD_CTX_new();
	int r = c ? ossl.EVP_DigestVerifyInit(c, NULL, digest(k), NULL, k->pkey) : 0;

	if (r == 1)
		r = ossl.EVP_DigestVerify(c, (const unsigned char *)(signature.p ? signature.p : ""), signature.n,
					  (const unsigned char *)(message.p ? message.p : ""), message.n) == 1;
	else
		r = err_set(e, ENOMEM, TR("libcrypto could not start to check a signature", "libcrypto 无法开始校验签名"));
	ossl.EVP_MD_CTX_free(c);
	ossl.ERR_clear_error();
	return r;
}
