#include "cli/incidents.h"

#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/siphash.h"
#include "base/text.h"
#include "cli/when.h"
#include "model/fingerprint.h"
#include "parse/csv.h"

/* ---- what the fields of other tools are called ---- */

enum field {
	F_ID, F_FINGERPRINT, F_CAUSE, F_TITLE, F_PACKAGE, F_TEST, F_FILE, F_LINE, F_OWNER, F_STATE, F_PROJECT, F_TEXT, F_FIX, F_COMMIT,
	F_TAGS, F_DEFENCES, F_COUNT, F_FIRST, F_LAST, F_RESOLVED, F_BY, F_UNTIL, FIELDS,
};

/* clang-format off */
/* Letters and digits alone, lower case; the first that has a value counts. */
static const char *const aliases[FIELDS] = {
	[F_ID] = "key number id issueid incidentid iid 编号",
	[F_FINGERPRINT] = "fingerprint",
	[F_CAUSE] = "cause rootcause category type issuetype kind 原因 类型 分类",
	[F_TITLE] = "title summary name message subject 标题 摘要 名称",
	[F_PACKAGE] = "package module component service 包 模块 组件",
	[F_TEST] = "test testname testcase 测试 用例",
	[F_FILE] = "file path filename 文件",
	[F_LINE] = "line lineno linenumber 行 行号",
	[F_OWNER] = "owner assignee assignedto team 负责人 处理人",
	[F_STATE] = "state status 状态",
	[F_PROJECT] = "project repo repository 项目 仓库",
	[F_TEXT] = "description body text details excerpt content 描述 详情 内容",
	[F_FIX] = "fix resolution solution resolutionnotes 修复 解决方案 解决办法",
	[F_COMMIT] = "fixcommit commit fixedin sha revision 提交 修复提交",
	[F_TAGS] = "tags labels tag label 标签",
	[F_DEFENCES] = "defences defenses defence defense 防御",
	[F_COUNT] = "count occurrences times seen timesseen 次数",
	[F_FIRST] = "firstseen created createdat openedat opened firstoccurrence date 首次出现 创建时间",
	[F_LAST] = "lastseen updated updatedat lastoccurrence 最近出现 更新时间",
	[F_RESOLVED] = "resolvedat closedat closed resolved resolutiondate fixedat 解决时间 关闭时间",
	[F_BY] = "resolvedby closedby fixedby 解决人",
	[F_UNTIL] = "ignoreduntil snoozeduntil muteduntil 忽略至",
};

static const struct {
	enum fault_state state;
	const char *words;
} state_words[] = {
	{ FAULT_OPEN, "open opened new todo inprogress active reopened unresolved triage backlog pending investigating acknowledged triggered "
		"confirmed assigned started 打开 未解决 待处理 处理中 新建" },
	{ FAULT_RESOLVED, "closed resolved done fixed completed complete verified merged 已解决 已关闭 关闭 完成 已完成 已修复" },
	{ FAULT_IGNORED, "ignored wontfix muted snoozed suppressed dismissed invalid duplicate notabug archived 已忽略 忽略" },
	{ FAULT_REGRESSED, "regressed 复发" },
};
/* clang-format on */

/* The place of a word in a list of words; -1: not there. */
static int word_rank(const char *words, struct span word)
{
	struct span rest = span_of(words);

	for (int i = 0; rest.n; i++) {
		if (span_eq(span_cut(&rest, ' '), word))
			return i;
	}
	return -1;
}

/* "First seen", "first_seen" and "firstSeen" are one. */
static struct span plain_name(struct span name, char out[64])
{
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < 63; i++) {
		char c = name.p[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80)
			out[n++] = c;
	}
	return (struct span){ out, n };
}

static enum field field_of(struct span name, int *rank)
{
	char plain[64];
	struct span word = plain_name(name, plain);

	for (enum field f = 0; f < FIELDS; f++) {
		*rank = word.n ? word_rank(aliases[f], word) : -1;
		if (*rank >= 0)
			return f;
	}
	return FIELDS;
}

/* ---- one entry ---- */

struct entry {
	struct span value[FIELDS]; /* in the list's memory; items of a list stand in lines */
	int rank[FIELDS];
	struct fault_event *events;
	size_t n_events;
	int line;
};

struct reading {
	struct incidents *list;
	const char *name;
	struct span text;
	struct err *e;
	bool bad;        /* a text had no memory */
	struct map keys; /* of those that have no fingerprint: what they are → their place, counted from 1 */
};

static int no_memory(struct reading *r)
{
	return err_set(r->e, ENOMEM, TR("%s: out of memory", "%s：内存不足"), r->name);
}

static int bad_value(struct reading *r, int line, const char *field, struct span value, const char *wanted)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	text_clean(utf8_head(value, 60), false, &clean);
	return err_set(r->e, EBADMSG, TR("%s:%d: %s is '%s', which is not %s", "%s:%d：%s 为“%s”，不是%s"), r->name, line, field, buf_str(&clean), wanted);
}

static void set(struct entry *x, enum field f, int rank, struct span value)
{
	value = span_trim(value);
	if (f == FIELDS || !value.n || (x->value[f].p && x->rank[f] <= rank))
		return;
	x->value[f] = value;
	x->rank[f] = rank;
}

static const char *string(struct reading *r, struct span s)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	if (!s.n)
		return NULL;
	redact_text(NULL, s, &clean);
	for (size_t i = 0; i < clean.len; i++) { /* it becomes a C string */
		if (!clean.p[i])
			clean.p[i] = '?';
	}
	const char *copy = clean.bad ? NULL : arena_str(&r->list->mem, buf_view(&clean));
	r->bad |= !copy;
	return copy;
}

/* Items in lines, or separated by commas or semicolons. */
static int string_list(struct reading *r, struct span s, const char *more, const char *const **ret, size_t *n)
{
	const char **v = arena_alloc(&r->list->mem, (s.n / 2 + 3) * sizeof(*v));

	if (!v)
		return no_memory(r);
	bool lines = span_chr(s, '\n') != SPAN_NONE;
	while (s.n) {
		size_t end = 0;
		while (end < s.n && (lines ? s.p[end] != '\n' : s.p[end] != ';' && s.p[end] != ','))
			end++;
		struct span one = span_trim(span_head(s, end));
		s = span_from(s, end + 1);
		if (!one.n)
			continue;
		v[*n] = string(r, span_head(one, 200));
		if (!v[(*n)++])
			return no_memory(r);
	}
	if (more)
		v[(*n)++] = more;
	*ret = v;
	return 0;
}

static int read_state(struct reading *r, const struct entry *x, const char **ret)
{
	char plain[64];
	struct span word = plain_name(x->value[F_STATE], plain);

	*ret = fault_state_words[x->value[F_RESOLVED].p ? FAULT_RESOLVED : FAULT_OPEN];
	if (!word.n)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(state_words); i++) {
		if (word_rank(state_words[i].words, word) >= 0) {
			*ret = fault_state_words[state_words[i].state];
			return 0;
		}
	}
	return bad_value(r, x->line, TR("the state", "状态"), x->value[F_STATE],
			 TR("a state that is known (open, resolved, closed, done, ignored, …)", "已知的状态（open、resolved、closed、done、ignored 等）"));
}

static int read_time(struct reading *r, const struct entry *x, enum field f, const char *name, int64_t *ret)
{
	if (!x->value[f].p || when_instant(x->value[f], ret))
		return 0;
	return bad_value(r, x->line, name, x->value[f], TR("a time such as 2026-11-21T02:00:00Z or 2026-11-21", "2026-11-21T02:00:00Z 或 2026-11-21 这样的时间"));
}

static int read_number(struct reading *r, const struct entry *x, enum field f, const char *name, int64_t max, int64_t *ret)
{
	if (!x->value[f].p || (span_int(x->value[f], ret) && *ret >= 0 && *ret <= max))
		return 0;
	return bad_value(r, x->line, name, x->value[f], TR("a whole number", "整数"));
}

static int read_times(struct reading *r, const struct entry *x, struct fault_import *f)
{
	int64_t line = 0;
	int n = read_time(r, x, F_FIRST, "first_seen", &f->first_seen);

	if (n == 0)
		n = read_time(r, x, F_LAST, "last_seen", &f->last_seen);
	if (n == 0)
		n = read_time(r, x, F_RESOLVED, "resolved_at", &f->resolved_at);
	if (n == 0)
		n = read_time(r, x, F_UNTIL, "ignored_until", &f->ignored_until);
	if (n == 0)
		n = read_number(r, x, F_LINE, "line", INT32_MAX, &line);
	if (n == 0)
		n = read_number(r, x, F_COUNT, "count", INT64_C(1) << 40, &f->count);
	f->line = (int)line;
	if (f->first_seen && f->last_seen && f->last_seen < f->first_seen)
		f->last_seen = f->first_seen;
	return n;
}

static bool is_ulid(struct span id)
{
	if (id.n != 26 || id.p[0] > '7')
		return false;
	for (size_t i = 0; i < id.n; i++) {
		if (!id.p[i] || !strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", id.p[i]))
			return false;
	}
	return true;
}

/* What an entry of another tool says of itself stays in its text, where the search finds it. */
static const char *full_text(struct reading *r, const struct entry *x, bool own_cause)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (x->value[F_ID].n && !is_ulid(x->value[F_ID]))
		buf_addf(&text, "%.*s\n", SPAN_ARG(x->value[F_ID]));
	if (x->value[F_CAUSE].n && !own_cause)
		buf_addf(&text, "%.*s\n", SPAN_ARG(x->value[F_CAUSE]));
	buf_span(&text, x->value[F_TEXT]);
	r->bad |= text.bad;
	return string(r, buf_view(&text));
}

static struct span first_line(struct span text)
{
	return span_trim(span_cut(&text, '\n'));
}

static int fill(struct reading *r, const struct entry *x, struct fault_import *f)
{
	struct span title = x->value[F_TITLE].n ? first_line(x->value[F_TITLE]) : first_line(x->value[F_TEXT]);
	bool own_cause = cause_by_id(x->value[F_CAUSE]) != CAUSE_NONE;

	if (!title.n)
		return err_set(r->e, EBADMSG, TR("%s:%d: no title (title, summary, name or message)", "%s:%d：没有标题（title、summary、name 或 message）"),
			       r->name, x->line);
	*f = (struct fault_import){
		.id = is_ulid(x->value[F_ID]) ? string(r, x->value[F_ID]) : NULL,
		.fingerprint = string(r, x->value[F_FINGERPRINT]),
		.cause = own_cause ? string(r, x->value[F_CAUSE]) : NULL,
		.title = string(r, utf8_head(title, 400)),
		.package = string(r, x->value[F_PACKAGE]),
		.test = string(r, x->value[F_TEST]),
		.file = string(r, x->value[F_FILE]),
		.owner = string(r, first_line(x->value[F_OWNER])),
		.project = string(r, x->value[F_PROJECT]),
		.text = full_text(r, x, own_cause),
		.fix = string(r, x->value[F_FIX]),
		.fix_commit = string(r, x->value[F_COMMIT]),
		.resolved_by = string(r, x->value[F_BY]),
		.events = x->events,
		.n_events = x->n_events,
	};
	int n = read_state(r, x, &f->state);
	if (n == 0)
		n = read_times(r, x, f);
	if (n == 0)
		n = string_list(r, x->value[F_TAGS], own_cause ? NULL : string(r, x->value[F_CAUSE]), &f->tags, &f->n_tags);
	if (n == 0)
		n = string_list(r, x->value[F_DEFENCES], NULL, &f->defences, &f->n_defences);
	return n == 0 && r->bad ? no_memory(r) : n;
}

/*
 * An entry that names a cause of ours and a place is the fault that a run would find there: the store makes its fingerprint.
 * Any other is one of its own, by its id and title: numbers in titles of incidents tell them apart.
 */
static int own_fingerprint(struct reading *r, const struct entry *x, struct fault_import *f)
{
	static const unsigned char key[16] = "tocsin incident";
	CLEANUP(buf_free) struct buf all = { 0 };
	unsigned char sum[16];
	char *hex = arena_alloc(&r->list->mem, FINGERPRINT_LEN + 1);

	if (f->fingerprint || (f->cause && (f->test || f->package)))
		return 0;
	buf_addf(&all, "%s\n%.*s\n%s", f->project ? f->project : "", SPAN_ARG(x->value[F_ID]), f->title);
	if (!hex || all.bad)
		return no_memory(r);
	siphash128(key, buf_view(&all), sum);
	hex[0] = '0' + FINGERPRINT_VERSION;
	for (size_t i = 0; i + 1 < FINGERPRINT_LEN; i++)
		hex[i + 1] = "0123456789abcdef"[i % 2 ? sum[(i / 2) % 16] & 15 : sum[(i / 2) % 16] >> 4];
	f->fingerprint = hex;
	return 0;
}

/* The same fault a second time: its counts go to the first. */
static void join(struct fault_import *to, const struct fault_import *f)
{
	to->count = (to->count ? to->count : 1) + (f->count ? f->count : 1);
	if (f->first_seen && (!to->first_seen || f->first_seen < to->first_seen))
		to->first_seen = f->first_seen;
	if (f->last_seen > to->last_seen)
		to->last_seen = f->last_seen;
}

static int add(struct reading *r, const struct entry *x)
{
	struct incidents *l = r->list;
	struct fault_import f = { 0 };
	int n = fill(r, x, &f);

	if (n == 0)
		n = own_fingerprint(r, x, &f);
	if (n < 0)
		return n;
	const char *key = f.fingerprint ? f.fingerprint
				        : arena_printf(&l->mem, "%s\n%s\n%s\n%s", f.cause, f.package ? f.package : "", f.test ? f.test : "", f.title);
	size_t at = key ? (size_t)(uintptr_t)map_get(&r->keys, span_of(key)) : 0;
	if (at) {
		join(&l->v[at - 1], &f);
		l->joined++;
		return 0;
	}
	if (l->n == INCIDENTS_MAX)
		return err_set(r->e, EFBIG, TR("%s:%d: more than %d entries", "%s:%d：超过 %d 条"), r->name, x->line, INCIDENTS_MAX);
	if (!key || !mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)) || !mem_grow(&l->lines, &l->cap_lines, l->n, sizeof(*l->lines)) ||
	    !map_put(&r->keys, span_of(key), (void *)(uintptr_t)(l->n + 1)))
		return no_memory(r);
	l->lines[l->n] = x->line;
	l->v[l->n++] = f;
	return 0;
}

/* ---- CSV ---- */

struct columns {
	size_t n;
	struct span names[CSV_COLUMNS_MAX];
	enum field fields[CSV_COLUMNS_MAX];
	int ranks[CSV_COLUMNS_MAX];
};

static int no_title(struct reading *r, const struct csv *c)
{
	CLEANUP(buf_free) struct buf names = { 0 };

	for (size_t i = 0; i < c->n && names.len < 120; i++) {
		buf_adds(&names, i ? ", " : "");
		text_clean(utf8_head(span_trim(c->cells[i]), 30), false, &names);
	}
	return err_set(r->e, EBADMSG, TR("%s:%d: the column title (or summary, name, message) is missing; there are: %s", "%s:%d：缺少标题列 title（或 summary、name、message）；现有：%s"),
		       r->name, c->row_line, buf_str(&names));
}

static int csv_header(struct reading *r, const struct csv *c, struct columns *k)
{
	bool title = false;

	k->n = c->n;
	for (size_t i = 0; i < c->n; i++) {
		k->names[i] = span_trim(c->cells[i]);
		k->fields[i] = field_of(c->cells[i], &k->ranks[i]);
		title |= k->fields[i] == F_TITLE || k->fields[i] == F_TEXT;
	}
	return title ? 0 : no_title(r, c);
}

/* Our own export put a quote before what a spreadsheet takes for a formula. */
static struct span unguard(struct span cell)
{
	return cell.n > 1 && cell.p[0] == '\'' && cell.p[1] && strchr("=+-@\t\r", cell.p[1]) ? span_from(cell, 1) : cell;
}

static int csv_entry(struct reading *r, const struct csv *c, const struct columns *k)
{
	struct entry x = { .line = c->row_line };

	if (c->n > k->n)
		return err_set(r->e, EBADMSG, TR("%s:%d: the row has more cells (%zu) than the first row has columns (%zu)", "%s:%d：该行有 %zu 个单元格，多于首行的 %zu 列"),
			       r->name, c->row_line, c->n, k->n);
	if (c->n < k->n) {
		CLEANUP(buf_free) struct buf name = { 0 };
		text_clean(utf8_head(k->names[c->n], 60), false, &name);
		return err_set(r->e, EBADMSG, TR("%s:%d: the row ends before the column '%s' (%zu of %zu columns)", "%s:%d：该行缺少列“%s”（只有 %zu 列，应为 %zu 列）"), r->name,
			       c->row_line, buf_str(&name), c->n, k->n);
	}
	for (size_t i = 0; i < c->n; i++)
		set(&x, k->fields[i], k->ranks[i], unguard(c->cells[i]));
	return add(r, &x);
}

static int read_csv(struct reading *r)
{
	CLEANUP(csv_close) struct csv c;
	struct columns k = { 0 };

	csv_open(&c, r->text, r->name);
	int n = csv_next(&c, r->e);
	if (n == 0)
		return err_set(r->e, EBADMSG, TR("%s:1: the file is empty: a list of faults as JSON or CSV is needed", "%s:1：文件为空：需要 JSON 或 CSV 格式的故障列表"), r->name);
	if (n > 0)
		n = csv_header(r, &c, &k);
	while (n >= 0) {
		n = csv_next(&c, r->e);
		if (n == 0)
			return 0;
		if (n > 0)
			n = csv_entry(r, &c, &k);
	}
	return n;
}

/* ---- JSON ---- */

struct json_reading {
	struct reading *r;
	struct json_in j;
	size_t counted; /* bytes whose lines were counted */
	int line;
};

static int line_here(struct json_reading *q)
{
	for (; q->counted < q->j.at && q->counted < q->j.text.n; q->counted++)
		q->line += q->j.text.p[q->counted] == '\n';
	return q->line;
}

static int broken(struct json_reading *q)
{
	return err_set(q->r->e, EBADMSG, TR("%s:%d: this is no valid JSON (byte %zu)", "%s:%d：不是有效的 JSON（第 %zu 字节）"), q->r->name, line_here(q),
		       q->j.at);
}

static int unescaped(struct json_reading *q, struct span body, struct span *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	json_unescape(body, &b);
	*ret = b.bad ? (struct span){ 0 } : arena_span(&q->r->list->mem, b.len ? buf_view(&b) : S(""));
	return ret->p ? 0 : no_memory(q->r);
}

/* After JSON_OBJ: the member by which people call such a thing. */
static int name_of(struct json_reading *q, struct span *ret)
{
	static const char names[] = "name login username displayname title path value key email";
	enum json_tok t;
	char plain[64];
	int best = -1;

	*ret = (struct span){ 0 };
	while ((t = json_next(&q->j)) == JSON_KEY) {
		int rank = word_rank(names, plain_name(q->j.value, plain));
		t = json_next(&q->j);
		if (t == JSON_OBJ || t == JSON_ARR) {
			if (!json_skip(&q->j))
				return broken(q);
		} else if (t <= JSON_END) {
			return broken(q);
		} else if (t == JSON_STR && rank >= 0 && (best < 0 || rank < best)) {
			int n = unescaped(q, q->j.value, ret);
			if (n < 0)
				return n;
			best = rank;
		}
	}
	return t == JSON_OBJ_END ? 0 : broken(q);
}

/* After JSON_ARR: its strings, numbers and names, a line each. */
static int items_of(struct json_reading *q, struct span *ret)
{
	CLEANUP(buf_free) struct buf all = { 0 };
	enum json_tok t;

	while ((t = json_next(&q->j)) != JSON_ARR_END) {
		struct span one = { 0 };
		int n = 0;
		if (t == JSON_OBJ)
			n = name_of(q, &one);
		else if (t == JSON_STR)
			n = unescaped(q, q->j.value, &one);
		else if (t == JSON_NUM)
			one = q->j.value;
		else if (t <= JSON_END || (t == JSON_ARR && !json_skip(&q->j)))
			n = broken(q);
		if (n < 0)
			return n;
		if (one.n)
			buf_addf(&all, "%s%.*s", all.len ? "\n" : "", SPAN_ARG(one));
	}
	*ret = all.len && !all.bad ? arena_span(&q->r->list->mem, buf_view(&all)) : (struct span){ 0 };
	return all.bad || (all.len && !ret->p) ? no_memory(q->r) : 0;
}

/* After JSON_OBJ: one event of an export of ours. One that lacks what it needs is passed over. */
static int event_of(struct json_reading *q, struct fault_event *v, bool *whole)
{
	struct span at = { 0 }, data;
	enum json_tok t;

	*v = (struct fault_event){ 0 };
	while ((t = json_next(&q->j)) == JSON_KEY) {
		struct span key = q->j.value, *to = span_eq(key, S("id")) ? &v->id : span_eq(key, S("kind")) ? &v->kind : span_eq(key, S("who")) ? &v->who
						    : span_eq(key, S("text")) ? &v->text : span_eq(key, S("at")) ? &at : NULL;
		t = json_next(&q->j);
		size_t from = q->j.at - 1;
		if (t == JSON_STR && to) {
			int n = unescaped(q, q->j.value, to);
			if (n < 0)
				return n;
		} else if (t == JSON_OBJ || t == JSON_ARR) {
			if (!json_skip(&q->j))
				return broken(q);
			data = (struct span){ q->j.text.p + from, q->j.at - from };
			if (t == JSON_OBJ && span_eq(key, S("data")))
				v->data = data;
		} else if (t <= JSON_END) {
			return broken(q);
		}
	}
	bool known = false;
	for (size_t i = 0; change_words[i]; i++)
		known |= span_eq(span_of(change_words[i]), v->kind);
	*whole = known && is_ulid(v->id) && when_instant(at, &v->at);
	return t == JSON_OBJ_END ? 0 : broken(q);
}

/* After JSON_ARR */
static int events_of(struct json_reading *q, struct entry *x)
{
	CLEANUP(mem_free) struct fault_event *list = NULL;
	size_t cap = 0, n = 0;
	enum json_tok t;

	while ((t = json_next(&q->j)) == JSON_OBJ) {
		bool whole = false;
		if (!mem_grow(&list, &cap, n, sizeof(*list)))
			return no_memory(q->r);
		int r = event_of(q, &list[n], &whole);
		if (r < 0)
			return r;
		n += whole;
	}
	if (t != JSON_ARR_END)
		return broken(q);
	x->events = arena_alloc(&q->r->list->mem, (n + 1) * sizeof(*list));
	if (!x->events)
		return no_memory(q->r);
	if (n)
		memcpy(x->events, list, n * sizeof(*list));
	x->n_events = n;
	return 0;
}

/* Objects whose members belong to the entry itself. */
/* clang-format off */
static const struct inner {
	const char *key, *names; /* NULL: those of the entry; else these, as the fields below */
	enum field fields[4];
} inners[] = {
	{ "fields", NULL, { 0 } },                                                      /* Jira */
	{ "resolution", "at by fix commit", { F_RESOLVED, F_BY, F_FIX, F_COMMIT } },    /* our own */
	{ "last", "excerpt message", { F_TEXT, F_TEXT } },
};
/* clang-format on */

static int read_members(struct json_reading *q, struct entry *x, const struct inner *in);

static const struct inner *inner_of(struct span key)
{
	for (size_t i = 0; i < ARRAY_LEN(inners); i++) {
		if (span_eq(span_of(inners[i].key), key))
			return &inners[i];
	}
	return NULL;
}

static int read_value(struct json_reading *q, struct entry *x, struct span key, enum field f, int rank)
{
	enum json_tok t = json_next(&q->j);
	struct span v = { 0 };
	int n = 0;

	if (t == JSON_ARR && span_eq(key, S("events")))
		return events_of(q, x);
	if (t == JSON_OBJ && inner_of(key))
		return read_members(q, x, inner_of(key));
	if (t <= JSON_END || ((t == JSON_OBJ || t == JSON_ARR) && f == FIELDS && !json_skip(&q->j)))
		return broken(q);
	if (f == FIELDS)
		return 0;
	if (t == JSON_OBJ)
		n = name_of(q, &v);
	else if (t == JSON_ARR)
		n = items_of(q, &v);
	else if (t == JSON_STR)
		n = unescaped(q, q->j.value, &v);
	else if (t == JSON_NUM)
		v = q->j.value;
	if (n == 0)
		set(x, f, rank, v);
	return n;
}

/* After JSON_OBJ, to its end. in NULL: the entry. */
static int read_members(struct json_reading *q, struct entry *x, const struct inner *in)
{
	enum json_tok t;

	while ((t = json_next(&q->j)) == JSON_KEY) {
		struct span key = q->j.value;
		int rank;
		enum field f = field_of(key, &rank);
		if (in && in->names) {
			rank = word_rank(in->names, key);
			f = rank < 0 ? FIELDS : in->fields[rank];
		}
		int n = read_value(q, x, key, f, rank);
		if (n < 0)
			return n;
	}
	return t == JSON_OBJ_END ? 0 : broken(q);
}

/* After JSON_ARR, to its end. */
static int read_entries(struct json_reading *q)
{
	enum json_tok t;

	while ((t = json_next(&q->j)) == JSON_OBJ) {
		struct entry x = { .line = line_here(q) };
		int n = read_members(q, &x, NULL);
		if (n == 0)
			n = add(q->r, &x);
		if (n < 0)
			return n;
	}
	if (t == JSON_ARR_END)
		return 0;
	return t <= JSON_END ? broken(q)
			     : err_set(q->r->e, EBADMSG, TR("%s:%d: an entry of the list is not an object", "%s:%d：列表中有一项不是对象"), q->r->name, line_here(q));
}

static int no_list(struct json_reading *q)
{
	return err_set(q->r->e, EBADMSG, TR("%s:1: no list of faults in it: an array is needed, or an object with faults, incidents or issues",
					    "%s:1：其中没有故障列表：需要数组，或含 faults、incidents、issues 的对象"), q->r->name);
}

/* The first array under a name that we know. */
static int read_object(struct json_reading *q)
{
	static const char names[] = "faults incidents issues items results data";
	bool found = false;
	enum json_tok t;

	while ((t = json_next(&q->j)) == JSON_KEY) {
		bool mine = !found && word_rank(names, q->j.value) >= 0;
		int n = 0;
		t = json_next(&q->j);
		if (t == JSON_ARR && mine) {
			n = read_entries(q);
			found = true;
		} else if (t <= JSON_END || ((t == JSON_OBJ || t == JSON_ARR) && !json_skip(&q->j))) {
			n = broken(q);
		}
		if (n < 0)
			return n;
	}
	return t != JSON_OBJ_END ? broken(q) : found ? 0 : no_list(q);
}

static int read_json(struct reading *r)
{
	struct json_reading q = { .r = r, .j = { .text = r->text }, .line = 1 };
	enum json_tok t = json_next(&q.j);
	int n;

	if (t == JSON_OBJ)
		n = read_object(&q);
	else if (t == JSON_ARR)
		n = read_entries(&q);
	else
		return t == JSON_BAD ? broken(&q) : no_list(&q);
	return n < 0 || json_next(&q.j) == JSON_END ? n : broken(&q);
}

/* ---- all of it ---- */

int incidents_read(struct span text, const char *name, struct incidents *ret, struct err *e)
{
	struct reading r = { .list = ret, .name = name, .e = e };

	*ret = (struct incidents){ 0 };
	if (text.n > INCIDENTS_BYTES_MAX)
		return err_set(e, EFBIG, TR("%s is larger than %zu MiB", "%s 大于 %zu MiB"), name, INCIDENTS_BYTES_MAX >> 20);
	span_skip(&text, S("\xef\xbb\xbf"));
	r.text = text;
	struct span begin = span_trim(text);
	int n = begin.n && (begin.p[0] == '{' || begin.p[0] == '[') ? read_json(&r) : read_csv(&r);
	map_free(&r.keys);
	return n;
}

void incidents_free(struct incidents *l)
{
	arena_free(&l->mem);
	mem_free(l->v);
	mem_free(l->lines);
	*l = (struct incidents){ 0 };
}

void incidents_free_cleanup(struct incidents *l)
{
	incidents_free(l);
}
