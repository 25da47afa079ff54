#ifndef PARSE_HTTPHEAD_H
#define PARSE_HTTPHEAD_H

#include "base/span.h"

/* The head of an HTTP/1.x request (RFC 9112), read strictly: what is not surely one is refused. */
#define HTTP_HEAD_MAX 8192

struct http_head {
	struct span method, target; /* "GET", "/health?x=1" */
	struct span host;           /* of the Host field; absent: there is none */
	int minor;                  /* 1 of HTTP/1.1 */
	size_t length;              /* of the whole head, with its empty line */
};
/* 1: it is whole; 0: more bytes are needed; else minus the status to answer: 400, 431, 505. Spans point into text. */
int http_head_read(struct span text, struct http_head *ret);
#endif
