#ifndef CLI_MODDING_H
#define CLI_MODDING_H

#include "cli/checked.h"
#include "mod/sign.h"

/* `tocsin mod`: one file a sub-verb, mod_*.c. */
extern const struct verb verb_mod_check, verb_mod_verify, verb_mod_sign, verb_mod_verify_signature, verb_mod_download, verb_mod_doctor;

/* mod_sign.c. The keys of PEM files; of private ones too, when need_private is said. keys: NULL-terminated files. */
struct keys {
	struct key *v;
	size_t n;
};
int keys_read(const char *const *files, size_t n, const char *password_ref, bool need_private, struct keys *ret, struct err *e);
void keys_free(struct keys *k);
void keys_free_cleanup(struct keys *k);
/*
 * Is what would be built here what was signed? Findings into r. keys and folder as the flags, else tocsin.yaml, say. flags: of
 * sign_check. A negative errno: it could not be checked.
 */
int signed_gate(const char *dir, const char *folder, const char *const *files, size_t n, const struct argv *flags, struct report *r,
		struct err *e);
#endif
