#ifndef ALERT_CHANNEL_CHAT_H
#define ALERT_CHANNEL_CHAT_H

#include "alert/channel/part.h"
#include "alert/template.h"

/* What the chat robots share. */

/* A row of a channel's own codes. The first that fits counts: code (CODE_ANY: every one) and one of the words, if there are any. */
#define CODE_ANY INT64_MIN
struct code_row {
	int64_t code;
	const char *words;         /* "too fast|limit"; ASCII case does not matter; NULL: any text */
	enum answer_class class;
	int wait_s;
	bool clock;                /* answer_clock() follows */
	struct tx say;
};
/* False: no row. */
bool chat_code(const struct code_row *rows, size_t n, int64_t code, struct span said, const struct response *r, int64_t now, struct answer *ret);
/*
 * A robot that answers HTTP 200 with a code of its own: delivered only by HTTP 200 and code 0 of a well-formed object; a
 * code that no row knows is tried again; anything else that came with HTTP 2xx is not understood. code: of its field;
 * message: the key of its sentence.
 */
void chat_judge(const struct code_row *rows, size_t n, const char *code, const char *message, const struct response *r, int64_t now, struct answer *ret);

/* Chat ids of owners, each once. The owner "*" is everybody's: told each time; the id "all" is the whole chat. */
#define CHAT_MENTIONS 20
struct chat_at {
	const char *ids[CHAT_MENTIONS];
	size_t n;
	bool all;
};
void chat_at(const struct channel_target *t, const struct alert *a, struct chat_at *ret);
bool chat_phone(const char *id); /* digits, perhaps with + and - */
/* The target's template_title and template_body, else the built-in words; a template that fails says so behind them. max: bytes. */
void chat_title(const struct channel_target *t, const struct alert *a, size_t max, struct buf *ret);
void chat_title_points(const struct channel_target *t, const struct alert *a, size_t max, struct buf *ret); /* max: code points; ret is empty */
void chat_text(const struct channel_target *t, const struct alert *a, enum alert_form form, size_t max, struct buf *ret);
/* The same in a provider's units; a template's words are counted in bytes, which are never fewer. */
void chat_title_units(const struct channel_target *t, const struct alert *a, size_t max, enum unit u, struct buf *ret);
void chat_text_units(const struct channel_target *t, const struct alert *a, enum alert_form form, size_t max, enum unit u, struct buf *ret);
const char *lang_text(enum lang lang, const char *en, const char *zh);
/* An invisible joiner behind the first byte of each `what` after from, so that it is no markup any more. */
void text_break(struct buf *b, size_t from, struct span what);
void html_add(struct buf *b, struct span s); /* & < > as entities */
/* The option `keyword` that the robot asks for, on a line of its own, unless it stands in one of the two already. */
void chat_keyword(const struct channel_target *t, struct span title, struct span text, const char *gap, struct buf *ret);
/* The target's url into ret->url; memory for it and `more` bytes is taken once: a buffer that grows leaves copies of secrets behind. */
int chat_url(const struct channel_target *t, size_t more, struct request *ret, struct err *e);

enum chat_tone { TONE_BAD, TONE_WARN, TONE_GOOD, TONE_NOTE };
enum chat_tone chat_tone(const struct alert *a);
#endif
