#ifndef DIAGNOSE_GOROUTINES_OWN_H
#define DIAGNOSE_GOROUTINES_OWN_H

#include "diagnose/goroutines.h"

/* gowait.c: who waits for whom; adds to g->knots and marks groups. */
void gowait_judge(struct goroutines *g);

struct goknot *knot_add(struct goroutines *g, enum gowrong wrong, bool certain); /* NULL: no memory, or enough of them */
void knot_member(struct goknot *k, uint32_t goroutine, uint32_t group, uint64_t waits_for, uint64_t holds);
const struct tb_func *place_func(const struct traceback *t, uint32_t place);
uint32_t group_at(const struct goroutines *g, uint32_t goroutine); /* of tb_at */

#define KNOTS_MAX 64
#endif
