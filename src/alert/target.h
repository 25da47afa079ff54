#ifndef ALERT_TARGET_H
#define ALERT_TARGET_H

#include "alert/channel.h"
#include "alert/secret.h"
#include "config/config.h"

/* A channel of tocsin.yaml, by its name: what it is, and, when it is to be used, with its secrets in clear. */
struct target {
	struct arena mem;
	const struct channel_ops *ops;
	struct channel_target t; /* its secrets' bytes belong to the struct secrets that made it */
	const char *at;          /* "tocsin.yaml:12" */
	const char *ca_file, *proxy;
	bool allow_plain;
	int per_minute;          /* the channel's own limit; 0: none */
};
/* -ENOENT: no such channel; -EINVAL: it is not usable as it is written; what secret_get returns. One sentence, without a secret. */
int target_make(const struct config *c, const char *name, struct secrets *s, struct target *ret, struct err *e);
/* The same without secrets: references stand where their values would be, as "[redacted]". For a preview. */
int target_make_bare(const struct config *c, const char *name, struct target *ret, struct err *e);
void target_free(struct target *t);
void target_free_cleanup(struct target *t);
int target_names(const struct config *c, struct arena *mem, struct list *ret, struct err *e); /* all channels, in their order */
/* The secret references of a channel (NULL: of all). */
int target_refs(const struct config *c, const char *name, struct arena *mem, struct list *ret, struct err *e);
#endif
