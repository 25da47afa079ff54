#ifndef STORE_UPKEEP_H
#define STORE_UPKEEP_H

#include "store/store.h"

/* Upkeep may take minutes where recording may not: lift the server's limit on a statement. */
int store_unhurried(struct store *s, struct err *e);
#endif
