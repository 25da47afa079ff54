#ifndef ALERT_LIMITS_H
#define ALERT_LIMITS_H

#include "base/buf.h"

/*
 * How often a robot may be called, counted over all processes of all users on this machine: a small file for each robot and user
 * in /dev/shm (else /run/lock, /var/tmp; else the user's state directory), locked while it is changed, and read by the other
 * users, whom it can hold back for ten minutes at most. The robot is a hash of its address. A file that cannot be used is said once by the caller; then only this
 * process counts.
 */
struct limits;
int limits_open(const char *dir /* NULL: shared by the machine; else private to it */, struct limits **ret, struct err *e);
void limits_close(struct limits *l); /* NULL is fine */
/* 0: one message may go now, and is counted. Else how long to wait, in ns. */
int64_t limits_take(struct limits *l, uint64_t robot, int per_minute, int64_t now);
int limits_free(struct limits *l, uint64_t robot, int per_minute, int64_t now); /* how many may go now */
/* It said that it was called too often: nobody calls it before `until`. */
void limits_block(struct limits *l, uint64_t robot, int64_t until, int64_t now);
uint64_t limits_robot(const char *type, struct span url);
#endif
