#ifndef CLI_STATS_H
#define CLI_STATS_H

#include "cli/fault.h"

#define STATS_SPARK 30 /* days */

/* All that `tocsin stats` says; memory of the task. */
struct stats_page {
	const char *project, *store; /* project NULL: all */
	int64_t since, now;
	struct stats st;
	struct fault *top; /* of st.top, in its order */
	int64_t (*spark)[STATS_SPARK];
	size_t n_top;
	struct flaky *flaky;
	size_t n_flaky, cap_flaky;
	struct test_trend *trends;
	size_t n_trends, cap_trends;
	struct arena *mem;
};

int stats_keep_flaky(void *page, const struct flaky *f);      /* a flaky_fn */
int stats_keep_trend(void *page, const struct test_trend *t); /* a trend_fn */
void stats_page_free(struct stats_page *p);

int64_t stats_failed(const struct stats *s);      /* runs that did not pass */
void stats_span(int64_t ns, char out[32]);        /* "3.5 days" */
void stats_date(int64_t day, char out[16]);       /* 2026-11-21 */
const char *trend_title(enum test_change what);   /* "Slower than before" */
const char *trend_key(enum test_change what);     /* "slower", as in the JSON */
void stats_flaky_json(struct json_out *j, const struct flaky *v, size_t n);   /* an array */
void stats_trend_json(struct json_out *j, const struct test_trend *t);        /* an object */
void stats_say_trend(struct buf *b, const struct test_trend *t);               /* a line for people */
void stats_html(const struct stats_page *p, struct buf *ret);
#endif
