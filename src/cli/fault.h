#ifndef CLI_FAULT_H
#define CLI_FAULT_H

#include <stddef.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/open_store.h"
#include "cli/opt.h"
#include "cli/say.h"
#include "cli/when.h"
#include "store/store.h"

/* What the verbs below `tocsin fault` share. */

/* Which faults: the values and rows of the filters. */
struct fault_pick {
	const char *state, *cause, *owner, *package, *project, *tag, *test, *since, *new_since;
	bool no_defence;
	int64_t limit;
	int sort;
};
extern const char *const fault_sorts[];

/* Rows of a verb whose values begin with a struct fault_pick. */
/* clang-format off */
#define PICK(field) offsetof(struct fault_pick, field)
#define FAULT_PICK_OPTS \
	{ "state", 0, OPT_STRING, PICK(state), { "STATE,…", "状态,…" }, { "only faults in these states: open, regressed, resolved, ignored, merged", "只列出这些状态的故障：open、regressed、resolved、ignored、merged" }, fault_state_words, 0 }, \
	{ "cause", 0, OPT_STRING, PICK(cause), { "ID", "ID" }, { "of this cause; '*' stands for anything: 'mod.*'", "只列出这一原因，可用 '*' 通配：'mod.*'" }, NULL, 0 }, \
	{ "owner", 0, OPT_STRING, PICK(owner), { "WHO", "负责人" }, { "of this owner", "只列出这一负责人的故障" }, NULL, 0 }, \
	{ "package", 0, OPT_STRING, PICK(package), { "PATH", "路径" }, { "in this package; 'example.com/m/*' for all below", "只列出这个包里的；'example.com/m/*' 表示其下所有包" }, NULL, 0 }, \
	{ "project", 0, OPT_STRING, PICK(project), { "NAME", "名称" }, { "of this project", "只列出这个项目的" }, NULL, 0 }, \
	{ "tag", 0, OPT_STRING, PICK(tag), { "TAG", "标签" }, { "with this tag", "只列出带此标签的" }, NULL, 0 }, \
	{ "test", 0, OPT_STRING, PICK(test), { "NAME", "名称" }, { "of this test; 'TestParse*' for several", "只列出这个测试的；'TestParse*' 可匹配多个" }, NULL, 0 }, \
	{ "since", 0, OPT_STRING, PICK(since), { "WHEN", "时间" }, { "seen since then: 7d, 12h, 2026-10-01", "只列出此后出现过的：7d、12h、2026-10-01" }, NULL, 0 }, \
	{ "new", 0, OPT_STRING, PICK(new_since), { "WHEN", "时间" }, { "seen for the first time since then", "只列出此后首次出现的" }, NULL, 0 }, \
	{ "no-defence", 0, OPT_FLAG, PICK(no_defence), { NULL, NULL }, { "without a defence", "只列出没有防御的" }, NULL, 0 }, \
	{ "sort", 0, OPT_WORD, PICK(sort), { "KEY", "键" }, { "state (regressed, open, ignored, resolved), last, first or count", "排序：state（regressed、open、ignored、resolved）、last、first 或 count" }, fault_sorts, 0 }
#define FAULT_LIMIT_OPT(n) { "limit", 'n', OPT_INT, PICK(limit), { "N", "N" }, { "at most N faults (default " #n "; 0: all)", "最多列出 N 个故障（默认 " #n "；0 表示全部）" }, NULL, n }
/* clang-format on */
int fault_pick_read(const struct fault_pick *p, int64_t now, struct fault_filter *ret, struct err *e);

struct fault_task {
	struct store *s;
	struct term out;
	struct buf text; /* what is printed at the end */
	struct arena mem;
	int64_t now;
};
/* 0, or the exit status after the error was said: then there is nothing to end. */
int fault_begin(struct fault_task *t, const char *store);
int fault_begin_new(struct fault_task *t, const char *store); /* makes the store when it is not there */
/* r: 0 or -errno with e. Says what went wrong, prints the text, frees all; the exit status. */
int fault_end(struct fault_task *t, int r, const struct err *e);

/* Faults with memory of their own, and what each of the last days counts. */
#define FAULT_DAYS 14
struct fault_list {
	struct fault *v;
	int64_t (*days)[FAULT_DAYS]; /* NULL: not asked for */
	size_t n, cap;
	struct arena *mem;
};
int fault_keep(void *list, const struct fault *f); /* a fault_fn */
int fault_days(struct fault_task *t, struct fault_list *l, struct err *e);
void fault_list_free(struct fault_list *l);
void fault_list_free_cleanup(struct fault_list *l);
bool fault_copy(struct arena *mem, const struct fault *f, struct fault *ret); /* false: no memory */
bool fault_event_copy(struct arena *mem, const struct fault_event *v, struct fault_event *ret);
/* The fault that ref names, into mem. A number that does not exist: -ENOENT and one sentence. */
int fault_find(struct fault_task *t, const char *ref, struct fault *ret, struct err *e);

/* Lines of an `a\nb` list, one at a time. */
bool fault_item(struct span *rest, struct span *ret);
enum paint fault_paint(enum fault_state s);
const char *fault_state_title(enum fault_state s);
bool term_has_utf8(void);
void fault_spark(struct buf *b, const int64_t *days, size_t n);
/* The members of one fault; the object stays open. days NULL: not known. */
void fault_json(struct json_out *j, const struct fault *f, const int64_t *days);
void fault_json_raw(struct json_out *j, const char *key, struct span raw); /* a value that is JSON already; empty: null */
void fault_faults_json(struct buf *b, const struct fault_list *l, int64_t total);
void fault_events_json(struct json_out *j, const struct fault_event *v, size_t n); /* "events":[…] */
/* The table for people. */
void fault_table(struct buf *b, const struct term *t, const struct fault_list *l, int64_t now);

extern const struct verb verb_fault_list, verb_fault_show, verb_fault_search, verb_fault_resolve, verb_fault_reopen, verb_fault_ignore,
	verb_fault_assign, verb_fault_tag, verb_fault_merge, verb_fault_note, verb_fault_link, verb_fault_import, verb_fault_export,
	verb_fault_flaky, verb_fault_tests, verb_fault_audit, verb_fault_contract;
#endif
