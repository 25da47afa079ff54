#ifndef ALERT_JOB_H
#define ALERT_JOB_H

#include "alert/http.h"
#include "net/curl.h"

/* Where a mail stands: what the server answers next is the answer to this. */
enum mail_step { MAIL_CONNECT, MAIL_FROM, MAIL_TO, MAIL_DATA, MAIL_TEXT, MAIL_OVER };

struct mail {
	enum mail_step step;
	struct buf out, in;     /* in: of the reply that is being read */
	size_t out_at;
	struct span left;       /* recipients that were not named yet, a line each */
	int accepted, refused, refused_status;
	short events;           /* what it waits for, as poll has it */
};

/* A request under way. One block holds it and a copy of what is sent, so that one wipe takes all. */
struct job {
	struct job *next;
	size_t size;
	struct http *http;
	CURL *easy;
	http_done_fn *fn;
	void *ctx;
	enum request_kind kind;
	const char *method;
	bool loopback, plain;     /* of the address */
	char *url, *user, *password;
	struct span from, to, body;
	size_t body_at;           /* handed to libcurl */
	struct curl_slist *headers;
	struct buf answer_head, answer;
	bool too_long, head_too_long; /* more came than is kept */
	int status;               /* SMTP */
	int64_t deadline, not_before;
	struct mail mail;
	char note[120];
};

/* mail.c: once the connection stands. Works until it would have to wait; true: it is over, *ret as libcurl would say it. */
void mail_begin(struct job *j);
bool mail_work(struct job *j, CURLcode *ret);
void mail_free(struct mail *m);
/*
 * The first whole reply of an SMTP server: its status, and *length its bytes. 0: not all of it is there yet; -1: that is none.
 */
int mail_reply(struct span in, size_t *length);
/* NULL: the envelope is fine. Else why it cannot be sent. */
const char *mail_wrong(const struct request *q);
#endif
