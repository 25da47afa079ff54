#ifndef PROBE_PORTS_H
#define PROBE_PORTS_H

#include "probe/process.h"

/* Who listens where: sockets of a process, found in the table of its network namespace. */
void ports_read(struct processes *ps, struct process *p); /* fills p->ports, or p->ports_unread */
bool ports_listens(struct processes *ps, struct process *p, int port); /* fills them too, when it does */
void ports_forget(struct process *p);
void ports_free(struct processes *ps);
#endif
