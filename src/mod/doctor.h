#ifndef MOD_DOCTOR_H
#define MOD_DOCTOR_H

#include "mod/env.h"
#include "mod/tree.h"
#include "model/report.h"
#include "net/get.h"
#include "parse/goproxy.h"

/* The environment of the module layer, examined before it fails. Nothing that is told holds a password, a token or a user's name. */
enum doctor_group {
	DOCTOR_GO,
	DOCTOR_PROXY,
	DOCTOR_SUMDB,
	DOCTOR_PRIVATE,
	DOCTOR_LOGIN,
	DOCTOR_NETWORK,
	DOCTOR_GIT,
	DOCTOR_CACHE,
	DOCTOR_TOOLCHAIN,
	DOCTOR_GROUPS
};
const char *doctor_group_word(enum doctor_group g);  /* "proxy" */
const char *doctor_group_title(enum doctor_group g); /* for people, in their language */

struct doctor_check { /* one thing looked at */
	enum doctor_group group;
	enum { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR } verdict;
	const char *text, *fix; /* fix: NULL: none is needed */
};
enum doctor_asked { ASKED_LIST, ASKED_SUPPORTED, ASKED_SUMDB, ASKED_TOOLCHAIN, ASKED_MIRROR, ASKED_HTTP_PROXY, ASKED_SHAKE };
const char *doctor_asked_word(enum doctor_asked a); /* "list" */
struct doctor_probe {
	enum doctor_asked asked;
	const char *shown; /* the address, without its secrets */
	size_t entry;      /* of the list; SIZE_MAX: of none */
	struct net_get g;  /* its body is the doctor's */
};
enum doctor_from { FROM_MAIN, FROM_FOLDER, FROM_VENDOR, FROM_CACHE, FROM_PROXY, FROM_DIRECT, FROM_REFUSED };
const char *doctor_from_word(enum doctor_from f);  /* "cache" */
const char *doctor_from_title(enum doctor_from f); /* for people */
struct doctor_module { /* of go.mod, or of the workspace's members: the newest version that one of them requires */
	struct span path, version; /* what is fetched: of a replacement the new one */
	struct span replaced;      /* absent: it is not */
	enum doctor_from from;
	const char *place;         /* which proxy, which folder, why refused */
	bool private_;             /* GONOPROXY matches */
};
struct doctor_entry { /* of GOPROXY */
	struct goproxy_entry e;
	const char *shown, *words; /* what go does with it */
	bool answers;              /* it was asked, and can serve modules */
};
struct doctor {
	struct report *report;     /* findings; all strings live in its arena */
	const struct doctor_options *o;
	struct mod_env env;
	bool has_env, has_tree;
	struct mod_tree tree;
	struct doctor_check *checks;
	size_t n_checks, cap_checks;
	struct doctor_entry *entries;
	size_t n_entries;
	struct doctor_probe *probes;
	size_t n_probes, cap_probes;
	struct doctor_module *modules;
	size_t n_modules, cap_modules;
	struct buf netrc;          /* a secret */
	int64_t skew;              /* seconds that this clock is ahead; INT64_MIN: nobody said */
	bool china;                /* mirrors were proposed */
	int64_t began;
	size_t round;              /* probes before it are over */
	const struct net_get *asking; /* under way: those with a total_ns or a why have come back */
	size_t n_asking;
};
struct doctor_options {
	const char *dir;       /* NULL: here */
	const char *module;    /* whose list is asked for; NULL: one that every public proxy has */
	bool offline;          /* ask nobody */
	int64_t limit_ns;      /* of all questions together; 0: 10 s */
	void (*progress)(void *ctx, const struct doctor *d); /* each 100 ms while questions are under way; may be NULL */
	void *ctx;
};
/* Findings go into r, which must outlive *ret. An error: it could not look at all (no memory; dir cannot be read). */
int doctor_run(const struct doctor_options *o, struct report *r, struct doctor *ret, struct err *e);
void doctor_free(struct doctor *d);
void doctor_free_cleanup(struct doctor *d);

/* Pure parts. What go does with entry i of a list, in a sentence; NULL: no memory. */
const char *goproxy_explain(struct arena *mem, const struct goproxy_entry *list, size_t n, size_t i);
/* An address without user, password, query and fragment; of what is no address what cannot be a secret. NULL: no memory. */
const char *url_shown(struct arena *mem, struct span url);
/* May this tool ("git") fetch this path, by the rules of GOVCS? NULL: yes; else the rule that says no, or how it is malformed. */
const char *govcs_refusal(struct arena *mem, struct span rules, struct span path, bool private_, const char *vcs);
bool doctor_public_issuer(const char *issuer); /* is it one that browsers trust? */
bool doctor_private_host(struct span host);    /* does its name say that it is not of the public Internet? */
#endif
