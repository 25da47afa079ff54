#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/time.h"
#include "cli/cmd.h"
#include "cli/probing.h"
#include "model/redact_report.h"
#include "probe/expect.h"
#include "probe/process.h"
#include "probe/serve.h"

/* `probe --serve`: is the process, as it runs now, what was meant? Asked anew each time; an image is read once. */

struct watched {
	struct expect *expect;
	int pid;
	uint64_t ticks;      /* of the process that we began with: its number may be given again */
	struct processes ps; /* images that were read */
	const char *url;
};

static void gone(const struct watched *w, struct report *r)
{
	struct finding *f =
		report_say(r, CAUSE_ACT_STALE_PROCESS, TR("process %d has ended", "进程 %d 已结束"), w->pid);

	if (f) {
		f->rule = "process.ended";
		f->advice = report_text(r, "%s",
					TR("Start it, and this endpoint for its new number.",
					   "启动它，并用新的 PID 重新运行此端点。"));
	}
}

/* *ret NULL: it has ended. */
static int look(struct watched *w, struct report *r, struct process **ret, struct err *e)
{
	struct process_options o = { .whole = true, .no_ports = true };
	struct process *p = NULL;

	*ret = NULL;
	processes_again(&w->ps);
	for (size_t i = 0; i < w->expect->n; i++)
		w->expect->v[i].state = EXPECT_NOT_KNOWN;
	if (process_ticks(w->pid) != w->ticks) {
		gone(w, r);
		return 0;
	}
	int n = process_read(&w->ps, w->pid, &o, &p, e);
	if (n == -ESRCH) {
		gone(w, r);
		return 0;
	}
	if (n < 0)
		return n;
	process_judge(p, r);
	for (size_t i = 0; i < r->n_findings;
	     i++) /* it is as active as it was: what is on disk is for the next start */
		r->findings[i].severity = SEV_WARNING;
	*ret = p;
	if (p->image && !p->image->failed)
		return expect_judge(w->expect, &p->image->probe, r, e);
	return err_set(e, EACCES,
		       TR("the executable of process %d cannot be read: %s",
			  "无法读取进程 %d 的可执行文件：%s"),
		       w->pid,
		       p->why                      ? p->why
		       : p->image && p->image->why ? p->image->why
						   : "");
}

static void put_answer(const struct watched *w, const struct process *p, const struct report *r,
		       const struct err *e, bool active, struct buf *b)
{
	CLEANUP(buf_free) struct buf one = { 0 };
	struct json_out j = { .to = b };
	char at[32];

	json_open(&j, '{');
	json_member_strz(&j, "schema", "tocsin.probe/1");
	json_member_bool(&j, "active", active);
	json_member_int(&j, "pid", w->pid);
	json_key(&j, "checked");
	time_rfc3339(time_wall(), at);
	json_strz(&j, at);
	if (e->code) {
		json_member_strz(&j, "error", e->msg);
	}
	if (p && p->image && !p->image->failed) {
		json_member_str(&j, "go", p->image->probe.go_version.n ? p->image->probe.go_version : (struct span){ 0 });
		json_member_str(&j, "build_id", p->image->probe.build_id.n ? p->image->probe.build_id : (struct span){ 0 });
		json_member_strz(&j, "disk", disk_state_word(p->disk));
	}
	json_key(&j, "expectations");
	expect_json(w->expect, &j);
	json_member_open(&j, "findings", '[');
	for (size_t i = 0; i < r->n_findings; i++) {
		buf_clear(&one);
		finding_json(r, &r->findings[i], &one);
		buf_adds(b, i ? "," : "");
		buf_span(b, buf_view(&one));
		b->bad |= one.bad;
	}
	j.comma = r->n_findings > 0;
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(b, '\n');
}

static void answer(void *ctx, struct serve_answer *ret)
{
	struct watched *w = ctx;
	struct report r = { 0 };
	struct process *p = NULL;
	struct err e = { 0 };
	bool active = true;

	if (look(w, &r, &p, &e) < 0)
		active = false;
	report_redact(NULL, &r);
	for (size_t i = 0; i < r.n_findings; i++) {
		CLEANUP(buf_free) struct buf text = { 0 };
		active &= r.findings[i].severity != SEV_ERROR;
		if (r.findings[i].severity != SEV_WARNING)
			continue;
		buf_addf(&text, "%s: %.*s", cause_table[r.findings[i].cause].id,
			 SPAN_ARG(r.findings[i].message));
		serve_field(ret, "Tocsin-Warning", buf_view(&text));
	}
	active &= !r.lost;
	put_answer(w, p, &r, &e, active, &ret->body);
	ret->status = active ? 200 : 503;
	report_free(&r);
}

static void ready(void *ctx, const char *url)
{
	struct watched *w = ctx;
	struct term t;
	CLEANUP(buf_free) struct buf text = { 0 };

	term_open(&t, STDOUT_FILENO);
	buf_addf(&text, TR("process %d: %s\n", "进程 %d：%s\n"), w->pid, url);
	term_flush(&t, &text);
}

int probe_serve(struct expect *x, const char *address, bool anywhere, int pid)
{
	struct watched w = { .expect = x, .pid = pid, .ticks = process_ticks(pid) };
	struct serve s = {
		.address = address, .anywhere = anywhere, .answer = answer, .ready = ready, .ctx = &w
	};
	struct err e = { 0 };

	if (!w.ticks) {
		say_error(TR("there is no process %d", "没有进程 %d"), pid);
		return EXIT_USAGE;
	}
	int r = serve_run(&s, &e);
	processes_free(&w.ps);
	if (r < 0) {
		say_error("%s", e.msg);
		return r == -EINVAL ? EXIT_USAGE : EXIT_OWN;
	}
	return EXIT_OK;
}
