#ifndef MOD_DOCTOR_OWN_H
#define MOD_DOCTOR_OWN_H

#include "base/text.h"
#include "mod/doctor.h"

/* Between the parts of the doctor. */

/* One thing looked at. A wrong one is a finding too; NULL only for want of memory. fix: NULL: the cause's own. */
void doctor_ok(struct doctor *d, enum doctor_group g, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
struct finding *doctor_warn(struct doctor *d, enum doctor_group g, enum cause c, const char *fix, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
struct finding *doctor_error(struct doctor *d, enum doctor_group g, enum cause c, const char *fix, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* A text in the report's memory, "" when there is none left (and that is remembered). */
const char *doctor_text(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *doctor_clean(struct doctor *d, struct span s); /* foreign text, printable, on one line */
/* "go env -w NAME=VALUE", or, when the environment sets it (then -w changes nothing), "export NAME=VALUE". */
const char *doctor_origin(const struct doctor *d, const char *name); /* where it was set, for people */
bool doctor_loopback(struct span host);
/* The entry that is asked behind this one; SIZE_MAX: none. */
size_t doctor_next(const struct doctor *d, size_t i);
const char *doctor_set(struct doctor *d, const char *name, const char *value);
bool doctor_probe(struct doctor *d, enum doctor_asked asked, size_t entry, const char *url);
void doctor_ask(struct doctor *d, int64_t limit_ns, struct err *e, int *ret); /* all probes that were not asked yet */
const struct doctor_probe *doctor_answer(const struct doctor *d, enum doctor_asked asked, size_t entry); /* NULL: not asked */
enum cause doctor_transport_cause(enum transport t);
const char *doctor_timing(struct doctor *d, const struct net_get *g); /* "name 3 ms, connection 20 ms, TLS 41 ms, answer 88 ms" */
bool doctor_flag(const struct doctor *d, const char *name, struct span *value); /* of GOFLAGS, without dashes */
int doctor_go(const struct doctor *d, const char *version); /* the installed go against "1.24": <0, 0, >0 */
bool doctor_private(const struct doctor *d, struct span path); /* GONOPROXY */

void doctor_proxy_read(struct doctor *d);    /* doctor_proxy.c */
void doctor_proxy_ask(struct doctor *d);
void doctor_proxy_second(struct doctor *d);
void doctor_proxy_judge(struct doctor *d);
void doctor_sumdb_ask(struct doctor *d);     /* doctor_sumdb.c */
void doctor_sumdb_judge(struct doctor *d);
void doctor_mirrors(struct doctor *d);       /* doctor_mirror.c */
bool doctor_mirrors_wanted(const struct doctor *d);
void doctor_private_judge(struct doctor *d); /* doctor_private.c */
void doctor_login_read(struct doctor *d);    /* doctor_login.c */
void doctor_login_judge(struct doctor *d);
void doctor_network_ask(struct doctor *d);   /* doctor_network.c */
void doctor_network_judge(struct doctor *d);
void doctor_git_judge(struct doctor *d);     /* doctor_git.c */
void doctor_cache_judge(struct doctor *d);   /* doctor_host.c */
void doctor_flags_judge(struct doctor *d);
void doctor_toolchain_ask(struct doctor *d); /* doctor_toolchain.c */
void doctor_toolchain_judge(struct doctor *d);
void doctor_modules(struct doctor *d);       /* doctor_where.c */
void doctor_where(struct doctor *d);
#endif
