#ifndef MOD_CRYPTO_H
#define MOD_CRYPTO_H

#include "base/buf.h"

/*
 * Keys and signatures by OpenSSL's libcrypto (1.1.1 and newer), loaded at first use. Ed25519 (RFC 8032) signs the message
 * itself; ECDSA on P-256 signs its SHA-256, and the signature is DER (RFC 3279), as cosign and `openssl dgst -sha256` make it.
 */
enum key_kind { KEY_ED25519, KEY_P256 };
struct key {
	enum key_kind kind;
	bool private_;
	char id[72]; /* "sha256:" and 64 hexadecimal digits: of the public key's DER (SubjectPublicKeyInfo) */
	void *pkey;
};
/*
 * A PEM text: a public or a private key (PKCS #8 or SEC 1). password: of an encrypted private key; NULL: none is known. name is
 * for the errors. -EKEYREJECTED: of a kind that is not used here, or no key; -EACCES: encrypted, and the password is missing or wrong.
 */
int key_read(struct span pem, const char *name, const char *password, struct key *ret, struct err *e);
int key_of_ed25519(const unsigned char raw[32], struct key *ret, struct err *e);
void key_free(struct key *k); /* a zeroed one is fine */
void key_free_cleanup(struct key *k);
/* Appends the raw signature (Ed25519: 64 bytes; P-256: DER). k must be private. */
int key_sign(const struct key *k, struct span message, struct buf *ret, struct err *e);
/* 1: it is; 0: it is not; -errno: libcrypto is not there or has no memory. */
int key_verify(const struct key *k, struct span message, struct span signature, struct err *e);

#endif
