#ifndef PARSE_LOGLEVEL_H
#define PARSE_LOGLEVEL_H

#include "base/buf.h"

/*
 * Lines by which a logger ends its program: zap, zerolog, logrus, apex, charm (JSON, logfmt and console), klog and glog. A line
 * says that it was to end, not that it did: zap's DPanic only logs in production, a panic may be recovered.
 */
enum loglevel { LEVEL_OTHER, LEVEL_FATAL, LEVEL_PANIC, LEVEL_DPANIC };

/* One line without colours. What was logged is added to said, with its error where that is a field of its own. */
enum loglevel loglevel_read(struct span line, struct buf *said);
const char *loglevel_word(enum loglevel l); /* "fatal" */
#endif
