#ifndef CLI_ALERTING_H
#define CLI_ALERTING_H

#include <stddef.h>

#include "alert/deliver.h"
#include "alert/owe.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/say.h"
#include "cli/when.h"

/* What the verbs below `tocsin alert` share. */

struct alert_values { /* of all of them; each has rows for its own */
	const char *outbox, *config;
	bool json, all;
	const char *why, *state, *message, *title, *severity, *spool, *channel, *lang;
	const char *when[WHENS], *key, *end;
	int64_t time, wait;
	int form;
};
#define ALERT_AT(field) offsetof(struct alert_values, field)
/* clang-format off */
#define OPT_OUTBOX { "outbox", 0, OPT_FILE, ALERT_AT(outbox), { "FILE", "文件" }, { "the local file in which alerts are owed (else TOCSIN_OUTBOX, else the user's own store)", "待发告警所在的本地文件（默认 TOCSIN_OUTBOX，否则为用户自己的存储）" }, NULL, 0 }
#define OPT_CONFIG { "config", 0, OPT_FILE, ALERT_AT(config), { "FILE", "文件" }, { "the tocsin.yaml with the channels (else TOCSIN_CONFIG, the user's, the system's)", "定义渠道的 tocsin.yaml（默认依次取 TOCSIN_CONFIG、用户的、系统的）" }, NULL, 0 }
#define OPT_JSON { "json", 0, OPT_FLAG, ALERT_AT(json), { NULL, NULL }, { "print JSON", "输出 JSON" }, NULL, 0 }
/* clang-format on */

struct alert_task {
	const struct alert_values *o;
	struct buf outbox;      /* its file */
	struct store *s;
	struct config *config;  /* when it was asked for */
	struct term out;
	struct buf text;        /* printed at the end */
	struct json_out j;      /* into text, with --json */
	size_t n_said;
	const char **words;     /* arguments */
	size_t n_words;
	struct arena mem;
	int64_t now;
};
enum alert_needs { NEEDS_OUTBOX = 1, NEEDS_CONFIG = 2 };
/* 0, or the exit status after the error was said: then there is nothing to end. */
int alert_begin(struct alert_task *t, const struct alert_values *o, unsigned needs);
int alert_end(struct alert_task *t, int r, const struct err *e); /* r: 0, a positive exit status, or -errno with e */
const char *alert_who(struct arena *mem); /* NULL: not known */
/* The channel of that name; NULL: the only one there is. The error says which there are. */
const struct config_channel *alert_channel(const struct alert_task *t, const char *name, struct err *e);
/* In which language the sentences of a report that was read are. */
enum lang alert_report_lang(const struct report *r);
/* {"schema":…, */
void alert_json_begin(struct json_out *j, const char *schema);
void alert_json_end(struct alert_task *t, struct json_out *j);
void alert_json_time(struct json_out *j, const char *key, int64_t wall); /* null: 0 */
void alert_json_text(struct json_out *j, const char *key, const char *text);
/* For people: a state; what is to be done about an alert in it, as a sentence. */
void alert_state_say(struct buf *b, const struct term *t, enum alert_state s, int width);
void alert_next_say(struct buf *b, enum alert_state s, struct span id);
void alert_row_json(struct json_out *j, const struct alert_row *a); /* the object is left open */
/* A sentence behind so many blanks, wrapped on a terminal. Ends the line. */
void alert_wrap(struct alert_task *t, struct span text, size_t indent);

extern const struct verb verb_alert_test, verb_alert_send, verb_alert_queue, verb_alert_show, verb_alert_retry, verb_alert_drop, verb_alert_dead, verb_alert_silence,
	verb_alert_ack, verb_alert_doctor, verb_alert_preview;
#endif
