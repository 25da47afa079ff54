#ifndef DIAGNOSE_GOROUTINES_OWN_H
#define DIAGNOSE_GOROUTINES_OWN_H

#include "diagnose/goroutines.h"

/* gowait.c: who waits for whom; adds to g->knots and marks groups. */
void gowait_judge(struct goroutines *g);

/* The dump that g->t holds now, by g->rules. */
void goroutines_analyse(struct goroutines *g);
void goroutines_forget(struct goroutines *g); /* what the analysis made */
void knot_excerpt(const struct goroutines *g, const struct goknot *k, struct buf *b);
bool knot_is_suspicion(enum gowrong w);

/* goseries.c: g->t holds a dump that has just ended; last: so has the text. */
void goseries_add(struct goroutines *g, bool last);
void goseries_end(struct goroutines *g);
void goseries_findings(const struct goroutines *g, struct report *r, bool all);
void goseries_limits(const struct goroutines *g, struct report *r);
void goseries_free(struct goseries *s);

struct goknot *knot_add(struct goroutines *g, enum gowrong wrong, bool certain); /* NULL: no memory, or enough of them */
void knot_member(struct goknot *k, uint32_t goroutine, uint32_t group, uint64_t waits_for, uint64_t holds);
const struct tb_func *place_func(const struct traceback *t, uint32_t place);
uint32_t group_at(const struct goroutines *g, uint32_t goroutine); /* of tb_at */

#define KNOTS_MAX 64
#endif
