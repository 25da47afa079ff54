#include "alert/probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "alert/child.h"
#include "alert/http.h"
#include "base/mem.h"
#include "base/time.h"

#define TIME_MAX (30 * NSEC_PER_SEC)

static void keep(void *ctx, const struct response *r)
{
	struct exchange *x = ctx;

	buf_span(&x->headers, r->headers);
	buf_span(&x->body, r->body);
	snprintf(x->why, sizeof(x->why), "%s", r->why ? r->why : "");
	x->response = *r;
	x->response.headers = buf_view(&x->headers);
	x->response.body = buf_view(&x->body);
	x->response.why = x->why[0] ? x->why : NULL;
}

static int by_child(const struct request *q, struct exchange *ret, struct err *e)
{
	struct pollfd fds[CHILD_POLLS];
	struct child_job *c;
	struct response r;

	int n = child_start(q, TIME_MAX, &c, e);
	if (n < 0)
		return n;
	while (!child_step(c, &r))
		poll(fds, (nfds_t)child_polls(c, fds), 100);
	keep(ret, &r);
	child_free(c);
	return 0;
}

static int by_http(const struct target *t, const struct request *q, struct exchange *ret, struct err *e)
{
	const struct http_options o = { .ca_file = t->ca_file, .proxy = t->proxy, .allow_plain = t->allow_plain };
	struct http *h;

	int r = http_open(&o, &h, e);
	if (r < 0)
		return r;
	r = http_send(h, q, keep, ret, e);
	for (int n = 1; r == 0 && n > 0;) {
		n = http_run(h, NSEC_PER_SEC, e);
		r = n < 0 ? n : 0;
	}
	http_close(h);
	return r;
}

int probe_send(const struct target *t, const struct request *q, struct exchange *ret, struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	int64_t began = time_mono();

	*ret = (struct exchange){ 0 };
	sigaction(SIGPIPE, &ignore, &old);
	int r = q->kind == REQUEST_EXEC ? by_child(q, ret, e) : by_http(t, q, ret, e);
	sigaction(SIGPIPE, &old, NULL);
	ret->took = time_mono() - began;
	if (r == 0 && (ret->headers.bad || ret->body.bad))
		r = err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (r < 0)
		exchange_free(ret);
	return r;
}

int probe_judged(const struct target *t, const struct request *q, struct answer *ret, struct err *e)
{
	CLEANUP(exchange_free) struct exchange first = { 0 };
	int64_t wait = 0;

	int r = probe_send(t, q, &first, e);
	if (r == 0)
		t->ops->judge(&first.response, time_wall(), ret);
	if (r < 0 || ret->class != ANSWER_TAKEN)
		return r;
	for (int asked = 0; r == 0 && (wait = ask_after(asked)); asked++) {
		CLEANUP(exchange_free) struct exchange x = { 0 };
		struct request question = { 0 };
		r = t->ops->ask(&t->t, first.response.body, &question, e);
		question.not_before = time_mono() + wait;
		if (r == 0)
			r = probe_send(t, &question, &x, e);
		request_free(&question);
		if (r == 0)
			t->ops->judge_asked(&x.response, time_wall(), ret);
		if (r == 0 && ret->class != ANSWER_TAKEN && ret->class != ANSWER_RETRY && ret->class != ANSWER_AMBIGUOUS)
			return 0;
	}
	ask_given_up(ret);
	return r;
}

int probe_origin(const struct target *t, struct exchange *ret, struct err *e)
{
	struct request q = { .kind = REQUEST_HTTP, .method = "HEAD" };
	struct span url = t->t.url, rest;
	size_t scheme = span_find(url, S("://"));

	*ret = (struct exchange){ 0 };
	if (scheme == SPAN_NONE)
		return err_set(e, EINVAL, TR("its address has no scheme such as https://", "其地址没有 https:// 之类的协议"));
	rest = span_from(url, scheme + 3);
	buf_span(&q.url, span_head(url, scheme + 3));
	size_t end = 0;
	while (end < rest.n && !strchr("/?#", rest.p[end]))
		end++;
	rest = span_head(rest, end);
	size_t at = span_rchr(rest, '@');
	buf_span(&q.url, at == SPAN_NONE ? rest : span_from(rest, at + 1));
	buf_addc(&q.url, '/');
	int r = q.url.bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : probe_send(t, &q, ret, e);
	request_free(&q);
	return r;
}

void exchange_free(struct exchange *x)
{
	buf_free(&x->headers);
	buf_free(&x->body);
	*x = (struct exchange){ 0 };
}

void exchange_free_cleanup(struct exchange *x)
{
	exchange_free(x);
}
