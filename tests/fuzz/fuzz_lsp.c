/* What comes from an editor, or claims to: the stream of messages, their envelopes, and what is read of them. */
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/lsp_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool lies_in(struct span part, struct span whole)
{
	return !part.p || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* An id goes back as it came: the answer must be JSON. */
static void answer(struct span id)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span found;

	buf_adds(&b, "{\"id\":");
	buf_span(&b, id);
	buf_adds(&b, ",\"z\":1}");
	check(json_find(buf_view(&b), "z", &found) && span_eq(found, S("1")));
}

static void see_message(struct span text)
{
	static const char *const paths[] = { "params.textDocument.uri", "params.textDocument.text",
					     "params.rootUri", "params.rootPath" };
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf path = { 0 };
	struct lsp_request q;

	if (!lsp_request_read(text, &q))
		return;
	check(lies_in(q.method, text) && lies_in(q.id, text));
	if (q.id.p)
		answer(q.id);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (lsp_text(&q, paths[i], &out) && lsp_path(buf_view(&out), &path))
			check(path.len <= out.len && *path.p == '/');
	check(lsp_int(&q, "params.range.start.line") + 1 > 0);
	if (lsp_last_change(text, &out))
		check(out.len <= text.n);
}

/* All messages of a stream. More bytes never change what was there already. */
static void see_stream(struct span in)
{
	size_t body, n, again, more;

	for (int r; (r = lsp_frame(in, &body, &n)) == 1 && in.n - body >= n; in = span_from(in, body + n)) {
		check(body <= in.n && n <= LSP_BYTES);
		check(lsp_frame(span_head(in, body), &again, &more) == 1 && again == body && more == n);
		see_message(span_head(span_from(in, body), n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	see_stream(text);
	see_message(text);
	return 0;
}
