#ifndef STORE_TESTS_H
#define STORE_TESTS_H

#include "base/json.h"
#include "store/state.h"

/* Statistics that one wild value does not move. Both sort (or replace) the values. */
void times_sort(int64_t *v, size_t n);
int64_t times_median(int64_t *v, size_t n); /* the lower one of two; -1: of nothing */
/* The median distance from the median, scaled to what a standard deviation would be. */
int64_t times_spread(int64_t *v, size_t n, int64_t median);
#endif
