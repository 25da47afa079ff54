#ifndef MOD_NOTE_H
#define MOD_NOTE_H

#include "mod/crypto.h"

/* Signed notes of the checksum database: text, a blank line, "— name base64(keyhash ‖ Ed25519 signature)" (C2SP signed-note). */
struct note_key {
	char name[128];
	uint32_t hash;
	struct key key;
};
/* "name+hash+base64": GOSUMDB's form, or a name that go knows: sum.golang.org, sum.golang.google.cn. */
int note_key_read(const char *text, struct note_key *ret, struct err *e);
void note_key_free(struct note_key *k); /* a zeroed one is fine */
/* The text (with its last newline) of a note that this key signed. -EBADMSG: it is no note, or the signature does not hold. */
int note_open(const struct note_key *k, struct span note, struct span *text, struct err *e);
#endif
