#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/redact.h"
#include "base/text.h"
#include "cli/check_lint.h"
#include "cli/cmd.h"
#include "cli/lsp_message.h"
#include "cli/say.h"

/*
 * tocsin check --lsp: a language server over standard input and output (Language Server Protocol 3.17), for editors: what is found in
 * the documents that are open, as they are typed, and the fixes as quick fixes. Documents come whole at each change (sync kind 1).
 */
#define QUIET_MS  150 /* of typing, before a document is looked at */
#define DOCUMENTS 1000

enum { PARSE_ERROR = -32700, INVALID_REQUEST = -32600, METHOD_NOT_FOUND = -32601 };

struct document {
	char *uri;
	char *root, *path; /* the folder that path is relative to */
	struct buf text;
	bool dirty, told;
	struct lint_result lint; /* of its text */
	struct document *next;
};
struct server {
	const struct lint_values *o;
	struct lint_settings settings;
	char *root;
	struct document *documents;
	size_t n;
	struct buf in; /* bytes that came and are not read yet */
	bool initialized, shut, over, bad;
	int status;
};

/* ---- messages ---- */

static void send_message(struct server *s, const struct buf *body)
{
	CLEANUP(buf_free) struct buf out = { 0 };

	buf_addf(&out, "Content-Length: %zu\r\n\r\n", body->len);
	buf_span(&out, buf_view(body));
	s->bad |= body->bad || out.bad;
	if (!s->bad && fd_write_all(STDOUT_FILENO, buf_view(&out)) < 0)
		s->over = true; /* nobody reads any more */
}

static void begin_message(struct json_out *j, struct span id)
{
	json_open(j, '{');
	json_member_strz(j, "jsonrpc", "2.0");
	if (id.p) {
		json_key(j, "id");
		buf_span(j->to, id);
		j->comma = true;
	}
}

static void answer_null(struct server *s, const struct lsp_request *q)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct json_out j = { .to = &b };

	begin_message(&j, q->id);
	json_key(&j, "result");
	json_null(&j);
	json_close(&j, '}');
	send_message(s, &b);
}

static void answer_error(struct server *s, struct span id, int code, const char *text)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct json_out j = { .to = &b };

	begin_message(&j, id.p ? id : S("null"));
	json_member_open(&j, "error", '{');
	json_member_int(&j, "code", code);
	json_member_strz(&j, "message", text);
	json_close(&j, '}');
	json_close(&j, '}');
	send_message(s, &b);
}

/* A line for the editor's log. */
static void log_line(struct server *s, const char *text)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct json_out j = { .to = &b };

	begin_message(&j, (struct span){ 0 });
	json_member_strz(&j, "method", "window/logMessage");
	json_member_open(&j, "params", '{');
	json_member_int(&j, "type", 2);
	json_member_strz(&j, "message", text);
	json_close(&j, '}');
	json_close(&j, '}');
	send_message(s, &b);
}

/* ---- documents ---- */

static void forget_document(struct document *d)
{
	lint_result_free(&d->lint);
	buf_free(&d->text);
	mem_free(d->uri);
	mem_free(d->root);
	mem_free(d->path);
	mem_free(d);
}

static struct document **find_document(struct server *s, struct span uri)
{
	struct document **at = &s->documents;

	while (*at && !span_eq(span_of((*at)->uri), uri))
		at = &(*at)->next;
	return at;
}

/* Below the workspace by its path there; elsewhere its folder is a tree of its own. */
static bool place_document(const struct server *s, struct span path, struct document *d)
{
	struct span below = path, root = span_of(s->root);

	if (span_skip(&below, root) && below.n > 1 && *below.p == '/') {
		below = span_from(below, 1);
	} else {
		root = path_dir(path);
		below = path_base(path);
	}
	d->root = mem_dup(root.p, root.n);
	d->path = mem_dup(below.p, below.n);
	return d->root && d->path;
}

/* As lsp_text; want of memory is no text that is not there. */
static bool text_of(struct server *s, const struct lsp_request *q, const char *path, struct buf *ret)
{
	bool there = lsp_text(q, path, ret);

	s->bad |= ret->bad;
	return there;
}

static void open_document(struct server *s, const struct lsp_request *q)
{
	CLEANUP(buf_free) struct buf uri = { 0 };
	CLEANUP(buf_free) struct buf path = { 0 };

	if (!text_of(s, q, "params.textDocument.uri", &uri) || !lsp_path(buf_view(&uri), &path)) {
		s->bad |= path.bad;
		return;
	}
	struct document **at = find_document(s, buf_view(&uri)), *d = *at;
	if (!d && s->n >= DOCUMENTS) {
		log_line(s, TR("too many open documents: this one is not looked at",
			       "打开的文档过多：此文档不检查"));
		return;
	}
	if (!d) {
		d = *at = mem_zalloc(sizeof(*d));
		if (!d || !(d->uri = mem_dup(uri.p, uri.len)) || !place_document(s, buf_view(&path), d)) {
			if (d)
				forget_document(d);
			*at = NULL;
			s->bad = true;
			return;
		}
		s->n++;
	}
	d->dirty = text_of(s, q, "params.textDocument.text", &d->text);
}

static void change_document(struct server *s, const struct lsp_request *q)
{
	CLEANUP(buf_free) struct buf uri = { 0 };

	if (!text_of(s, q, "params.textDocument.uri", &uri))
		return;
	struct document *d = *find_document(s, buf_view(&uri));
	if (d && lsp_last_change(q->text, &d->text))
		d->dirty = true;
	s->bad |= d && d->text.bad;
}

/* ---- what is found ---- */

static void put_position(struct json_out *j, const char *key, int line, int wide)
{
	json_member_open(j, key, '{');
	json_member_int(j, "line", line > 0 ? line - 1 : 0);
	json_member_int(j, "character", wide > 0 ? wide - 1 : 0);
	json_close(j, '}');
}

static void put_range(struct json_out *j, const struct lint_place *at)
{
	json_member_open(j, "range", '{');
	put_position(j, "start", at->line, at->wide);
	put_position(j, "end", at->end_line, at->end_wide);
	json_close(j, '}');
}

static void put_diagnostic(struct json_out *j, const struct lint_finding *f)
{
	static const int severities[] = { [SEV_NOTE] = 3, [SEV_WARNING] = 2, [SEV_ERROR] = 1 };
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf clean = { 0 };

	lint_message(f, &text);
	buf_addc(&text, '\n');
	lint_fill(f, f->rule->advice, &text);
	redact_text(NULL, buf_view(&text), &clean);
	json_open(j, '{');
	put_range(j, &f->at);
	json_member_int(j, "severity", severities[f->severity]);
	json_member_strz(j, "code", f->rule->id);
	json_member_strz(j, "source", "tocsin");
	json_member_str(j, "message", buf_view(&clean));
	json_close(j, '}');
	j->to->bad |= text.bad || clean.bad;
}

static bool of_document(const struct document *d, const struct lint_finding *f)
{
	return !strcmp(f->path, d->path);
}

static void publish(struct server *s, const struct document *d, const char *uri)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct json_out j = { .to = &b };

	begin_message(&j, (struct span){ 0 });
	json_member_strz(&j, "method", "textDocument/publishDiagnostics");
	json_member_open(&j, "params", '{');
	json_member_strz(&j, "uri", uri);
	json_member_open(&j, "diagnostics", '[');
	for (size_t i = 0; d && i < d->lint.n; i++)
		if (of_document(d, &d->lint.findings[i]))
			put_diagnostic(&j, &d->lint.findings[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	json_close(&j, '}');
	send_message(s, &b);
}

static void look_at(struct server *s, struct document *d)
{
	struct lint_options o = s->settings.options;
	struct err e = { 0 };

	d->dirty = false;
	lint_result_free(&d->lint);
	o.root = d->root;
	o.text_path = d->path;
	o.text = d->text.len ? buf_view(&d->text) : S("");
	if (lint_run(&o, &d->lint, &e) < 0) {
		log_line(s, e.msg);
		return;
	}
	lint_settings_apply(&s->settings, &d->lint);
	for (size_t i = 0; i < d->lint.n_limits && !d->told; i++)
		log_line(s, d->lint.limits[i]);
	d->told = true;
	publish(s, d, d->uri);
}

static void close_document(struct server *s, const struct lsp_request *q)
{
	CLEANUP(buf_free) struct buf uri = { 0 };

	if (!text_of(s, q, "params.textDocument.uri", &uri))
		return;
	struct document **at = find_document(s, buf_view(&uri)), *d = *at;
	if (!d)
		return;
	*at = d->next;
	s->n--;
	publish(s, NULL, d->uri); /* what is closed has no marks any more */
	forget_document(d);
}

/* Other files may say something else now. */
static void look_again(struct server *s)
{
	for (struct document *d = s->documents; d; d = d->next)
		d->dirty = true;
}

/* ---- quick fixes ---- */

static void put_action(struct json_out *j, const struct document *d, const struct lint_finding *f)
{
	CLEANUP(buf_free) struct buf title = { 0 };

	buf_addf(&title, "%s: ", f->rule->id);
	lint_fill(f, f->rule->advice, &title);
	json_open(j, '{');
	json_member_str(j, "title", buf_view(&title));
	json_member_strz(j, "kind", "quickfix");
	json_member_open(j, "diagnostics", '[');
	put_diagnostic(j, f);
	json_close(j, ']');
	json_member_bool(j, "isPreferred", f->edits_safe);
	json_member_open(j, "edit", '{');
	json_member_open(j, "changes", '{');
	json_member_open(j, d->uri, '[');
	for (size_t i = 0; i < f->n_edits; i++) {
		json_open(j, '{');
		put_range(j, &f->edits[i].at);
		json_member_str(j, "newText", f->edits[i].text);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
	json_close(j, '}');
	json_close(j, '}');
	j->to->bad |= title.bad;
}

static void answer_actions(struct server *s, const struct lsp_request *q)
{
	CLEANUP(buf_free) struct buf uri = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct json_out j = { .to = &b };
	int64_t from = lsp_int(q, "params.range.start.line") + 1,
		to = lsp_int(q, "params.range.end.line") + 1;
	struct document *d =
		text_of(s, q, "params.textDocument.uri", &uri) ? *find_document(s, buf_view(&uri)) : NULL;

	if (d && d->dirty)
		look_at(s, d); /* its places must be those of the text that the editor has */
	begin_message(&j, q->id);
	json_member_open(&j, "result", '[');
	for (size_t i = 0; d && i < d->lint.n; i++) {
		const struct lint_finding *f = &d->lint.findings[i];
		if (f->n_edits && of_document(d, f) && f->at.line <= to && f->at.end_line >= from)
			put_action(&j, d, f);
	}
	json_close(&j, ']');
	json_close(&j, '}');
	send_message(s, &b);
}

/* ---- the life of a server ---- */

static void answer_initialize(struct server *s, const struct lsp_request *q)
{
	static const char *const where[] = { "params.rootUri", "params.rootPath" };
	CLEANUP(buf_free) struct buf uri = { 0 };
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct json_out j = { .to = &b };

	for (size_t i = 0; i < ARRAY_LEN(where) && !path.len; i++)
		if (lsp_text(q, where[i], &uri) && !lsp_path(buf_view(&uri), &path) && uri.len &&
		    *uri.p == '/')
			buf_span(&path, buf_view(&uri));
	while (path.len > 1 && path.p[path.len - 1] == '/')
		path.p[--path.len] = 0;
	if (path.len) {
		mem_free(s->root);
		s->root = mem_dup(path.p, path.len);
		s->bad |= !s->root;
	}
	s->initialized = true;
	begin_message(&j, q->id);
	json_member_open(&j, "result", '{');
	json_member_open(&j, "capabilities", '{');
	json_member_strz(&j, "positionEncoding", "utf-16");
	json_member_open(&j, "textDocumentSync", '{');
	json_member_bool(&j, "openClose", true);
	json_member_int(&j, "change", 1);
	json_member_bool(&j, "save", true);
	json_close(&j, '}');
	json_member_open(&j, "codeActionProvider", '{');
	json_member_open(&j, "codeActionKinds", '[');
	json_strz(&j, "quickfix");
	json_close(&j, ']');
	json_close(&j, '}');
	json_close(&j, '}');
	json_member_open(&j, "serverInfo", '{');
	json_member_strz(&j, "name", "tocsin");
	json_member_strz(&j, "version", TOCSIN_VERSION);
	json_close(&j, '}');
	json_close(&j, '}');
	json_close(&j, '}');
	send_message(s, &b);
}

static void shut_down(struct server *s, const struct lsp_request *q)
{
	s->shut = true;
	answer_null(s, q);
}

static void leave(struct server *s, const struct lsp_request *q)
{
	(void)q;
	s->over = true;
	s->status = s->shut ? EXIT_OK : EXIT_WRONG; /* as the protocol wants it */
}

static void saved(struct server *s, const struct lsp_request *q)
{
	(void)q;
	look_again(s);
}

static const struct {
	const char *method;
	void (*handle)(struct server *s, const struct lsp_request *q);
	bool request; /* wants an answer */
} methods[] = {
	{ "initialize", answer_initialize, true },
	{ "shutdown", shut_down, true },
	{ "exit", leave, false },
	{ "textDocument/didOpen", open_document, false },
	{ "textDocument/didChange", change_document, false },
	{ "textDocument/didClose", close_document, false },
	{ "textDocument/didSave", saved, false },
	{ "workspace/didChangeWatchedFiles", saved, false },
	{ "textDocument/codeAction", answer_actions, true },
};

static void handle(struct server *s, struct span text)
{
	CLEANUP(buf_free) struct buf method = { 0 };
	struct lsp_request q;

	if (!lsp_request_read(text, &q)) {
		answer_error(s, (struct span){ 0 }, PARSE_ERROR, TR("no JSON object", "不是 JSON 对象"));
		return;
	}
	json_unescape(q.method, &method); /* some clients write "textDocument\/didOpen" */
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (!span_eq(buf_view(&method), span_of(methods[i].method)) ||
		    methods[i].request != (q.id.p != NULL))
			continue;
		if (methods[i].request && s->shut)
			answer_error(s, q.id, INVALID_REQUEST, TR("the server is shut down", "服务器已关闭"));
		else
			methods[i].handle(s, &q);
		return;
	}
	if (q.method.p && q.id.p)
		answer_error(s, q.id, METHOD_NOT_FOUND, TR("not supported", "不支持"));
}

/* ---- the stream ---- */

/* All messages that are there whole. */
static void take_messages(struct server *s)
{
	size_t body, n;
	int r;

	while (!s->over && (r = lsp_frame(buf_view(&s->in), &body, &n)) != 0) {
		if (r < 0) {
			say_error(
				TR("--lsp: standard input is not the Language Server Protocol (Content-Length, at most %zu MiB)",
				   "--lsp：标准输入不是语言服务器协议（Content-Length，最多 %zu MiB）"),
				LSP_BYTES >> 20);
			s->over = true;
			s->status = EXIT_USAGE;
			return;
		}
		if (s->in.len - body < n)
			return;
		handle(s, span_head(span_from(buf_view(&s->in), body), n));
		buf_drop(&s->in, body + n);
	}
}

/* true: there were bytes, or the time is over; false: the end. */
static bool wait_for_input(struct server *s, int ms, bool *quiet)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	int r;

	while ((r = poll(&p, 1, ms)) < 0 && errno == EINTR)
		;
	*quiet = r == 0;
	if (r == 0)
		return true;
	if (!buf_need(&s->in, 1 << 16)) {
		s->bad = true;
		return false;
	}
	ssize_t n;
	while ((n = read(STDIN_FILENO, s->in.p + s->in.len, 1 << 16)) < 0 && errno == EINTR)
		;
	if (n > 0)
		s->in.len += (size_t)n;
	return n > 0;
}

static struct document *next_dirty(const struct server *s)
{
	struct document *d = s->documents;

	while (d && !d->dirty)
		d = d->next;
	return d;
}

static void serve(struct server *s)
{
	while (!s->over && !s->bad) {
		struct document *d = next_dirty(s);
		bool quiet;
		if (!wait_for_input(s, d ? QUIET_MS : -1, &quiet)) {
			s->status = s->shut ? EXIT_OK : EXIT_WRONG;
			return;
		}
		if (quiet && d)
			look_at(s, d);
		else
			take_messages(s);
	}
}

int check_lsp(const struct lint_values *o)
{
	struct server s = { .o = o };
	struct err e = { 0 };
	char here[PATH_MAX];

	s.root = realpath(".", here) ? mem_dup(here, strlen(here)) : NULL;
	int r = s.root ? lint_settings_read(o, &s.settings, &e)
		       : err_set(&e, ENOMEM, TR("no memory", "内存不足"));
	if (r < 0) {
		say_error("%s", e.msg);
		s.status = r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
	} else {
		serve(&s);
		if (s.bad) {
			say_error(TR("no memory", "内存不足"));
			s.status = EXIT_OWN;
		}
	}
	for (struct document *d; (d = s.documents);) {
		s.documents = d->next;
		forget_document(d);
	}
	lint_settings_free(&s.settings);
	buf_free(&s.in);
	mem_free(s.root);
	return s.status;
}
