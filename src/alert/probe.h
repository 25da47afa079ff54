#ifndef ALERT_PROBE_H
#define ALERT_PROBE_H

#include "alert/target.h"

/* One request and its answer, in the foreground: `tocsin alert test` and `doctor`. */
struct exchange {
	struct buf headers, body; /* of the answer; may echo a secret: cleaned before it is shown */
	struct response response; /* its spans are of the above */
	char why[300];
	int64_t took;             /* ns */
};
/* ret: what it was judged to be; where the channel says later what became of it, that is asked for. */
int probe_judged(const struct target *t, const struct request *q, struct answer *ret, struct err *e);
int probe_send(const struct target *t, const struct request *q, struct exchange *ret, struct err *e);
/* HEAD of the address without path and query: is there a host, does it speak TLS, what time does it have. */
int probe_origin(const struct target *t, struct exchange *ret, struct err *e);
void exchange_free(struct exchange *x);
void exchange_free_cleanup(struct exchange *x);
#endif
