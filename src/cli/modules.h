#ifndef CLI_MODULES_H
#define CLI_MODULES_H

#include "cli/attempt.h"
#include "mod/env.h"
#include "mod/fetches.h"
#include "mod/mirror.h"
#include "mod/policy.h"

/* The policy for modules of `tocsin mod download` and `tocsin run --modules`: what of it lasts over the attempts of one run. */
struct wanted { /* by go.mod, and not in the cache when we began */
	struct span path, version;
};
struct modules {
	struct session *s;
	struct policy policy;
	struct mod_env env;       /* read when something has failed */
	int env_read;             /* 0: not yet; 1: it is; -1: go does not tell */
	const char *go_proxy;     /* GOPROXY as we see it, before go was asked */
	struct fetches fetches;
	struct mirrors mirrors;
	bool download;            /* a direct `go mod download` */
	bool filter;              /* -x is ours: its lines are taken out of stderr */
	int64_t limit;            /* of a download that says nothing */
	const char *variables[3]; /* for the next attempt: GOPROXY=…, GOFLAGS=…; NULL-terminated */
	const char *proxy;        /* GOPROXY of the attempt at hand */
	enum policy_do rung;      /* by which that attempt came about */
	struct modules_report told;
	struct wanted *missing;
	size_t n_missing, cap_missing;
	size_t cap_tries;
	struct buf kept;          /* what the attempt wrote to stderr: a proof, when it is one */
	struct buf downloading;   /* a line of a go command without -x */
	int64_t drawn, said;      /* progress: CLOCK_MONOTONIC */
	bool shown;
	bool dir_vendor;
};

int modules_open(struct session *s, struct err *e);
void modules_close(struct session *s);

/* attempt.c calls these when s->mods. */
void modules_begin(struct session *s); /* an attempt */
/* True: the bytes were taken, and come again by modules_pass when they are the user's to see. */
bool modules_bytes(struct session *s, enum stream stream, struct span bytes);
void modules_pass(struct session *s, struct span bytes); /* attempt.c: on to the user, the log, the judge */
bool modules_hung(void *session, int64_t now);
void modules_tick(struct session *s, int64_t now);
void modules_clear(struct session *s); /* the progress line goes */
void modules_end(struct session *s);   /* of the attempt's output */

/* Before the judge's report is used: a hang gets its cause, and the try is noted down. */
void modules_judged(struct session *s, struct report *r);
/* What to do about it. MODULES_OTHER: it is not about modules; *delay: before the next attempt. It has been said. */
enum modules_next { MODULES_OVER, MODULES_AGAIN, MODULES_OTHER };
enum modules_next modules_next(struct session *s, struct report *r, int64_t *delay);
bool modules_offline(const struct session *s); /* the attempt at hand is one without the network */
/* It failed (first) and passed now. */
void modules_recovered(struct session *s, struct report *r, const struct report *first);
void modules_tell(struct session *s, struct report *r); /* fills in r->module_story */

/* modules_ask.c: after a security stop. */
void modules_prove(struct session *s, struct report *r);

/* mod_download.c, cmd_run.c */
int run_verb(const struct verb *v, struct run_values *o, const struct args *a);
extern const struct opt run_opts[];
#define RUN_OPTS_COMMON 22 /* those that make sense for every command come first */
#endif
