#ifndef CLI_LSP_MESSAGE_H
#define CLI_LSP_MESSAGE_H

#include "base/buf.h"

/* What an editor sends to a language server, taken apart: pure, and whatever the bytes are. */
#define LSP_BYTES ((size_t)64 << 20) /* of one message */

struct lsp_request {
	struct span text;   /* the whole message */
	struct span method; /* raw body; absent: it is an answer to us */
	struct span id;     /* as it stands there, quotes and all; absent: a notification */
};

/* The length that the head at the beginning of in says, and where the body begins; 0: more bytes are needed; -1: it is no head. */
int lsp_frame(struct span in, size_t *body, size_t *n);
/* The envelope: method and id. false: it is no JSON object. */
bool lsp_request_read(struct span text, struct lsp_request *ret);
/* The text of a string at a path of keys; false: there is none. */
bool lsp_text(const struct lsp_request *q, const char *path, struct buf *ret);
int64_t lsp_int(const struct lsp_request *q, const char *path); /* 0 to INT32_MAX; 0: there is none */
/* The last of params.contentChanges: each holds the whole text. false: there is none. */
bool lsp_last_change(struct span text, struct buf *ret);
/* The path of a file: URI; false: it is none. */
bool lsp_path(struct span uri, struct buf *ret);
#endif
