#include "model/report_read.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define SCHEMA "tocsin.report/1"

struct reader {
	struct json_in in;
	struct arena *mem;
	struct report *r; /* NULL: one finding */
	const char *name;
	struct err *e;
	struct buf text, clean; /* scratch */
};

/* What one key of an object means. Rows end with a NULL key. */
struct row;
typedef int take_fn(struct reader *rd, enum json_tok t, void *base, const struct row *row);

struct row {
	const char *key;
	take_fn *take;
	size_t at;              /* of the field in what the object is read into */
	const struct row *rows; /* of the object, or of each element of the array */
	size_t count_at, size;  /* where the elements are counted; bytes of an element, of a text with fixed room */
	const void *blank;      /* an element nothing is known of; NULL: zeroes */
};

/* ---- what can be wrong ---- */

/* The byte where the value just read begins. */
static size_t byte_of(const struct reader *rd, enum json_tok t)
{
	if (t == JSON_OBJ || t == JSON_ARR || t == JSON_OBJ_END || t == JSON_ARR_END)
		return rd->in.at - 1;
	if (t <= JSON_END)
		return rd->in.at < rd->in.text.n ? rd->in.at : rd->in.text.n;
	if (t == JSON_STR || t == JSON_KEY)
		return (size_t)(rd->in.value.p - rd->in.text.p) - 1;
	return rd->in.at - rd->in.value.n;
}

static int not_json(struct reader *rd)
{
	size_t at = byte_of(rd, JSON_BAD);

	if (at >= rd->in.text.n)
		return err_set(rd->e, EBADMSG, TR("%s: byte %zu: the report ends too early", "%s：第 %zu 字节：报告不完整，提前结束"),
			       rd->name, at);
	return err_set(rd->e, EBADMSG, TR("%s: byte %zu: this is not JSON", "%s：第 %zu 字节：不是合法的 JSON"), rd->name, at);
}

static int no_memory(struct reader *rd)
{
	return err_set(rd->e, ENOMEM, TR("%s: byte %zu: no memory to read the report", "%s：第 %zu 字节：内存不足，无法读取报告"),
		       rd->name, byte_of(rd, JSON_BAD));
}

static int not_a(struct reader *rd, enum json_tok t, const char *key, struct tx want)
{
	if (t <= JSON_END)
		return not_json(rd);
	return err_set(rd->e, EBADMSG, TR("%s: byte %zu: \"%s\" is not %s", "%s：第 %zu 字节：“%s”不是%s"), rd->name,
		       byte_of(rd, t), key, tx(want));
}

/* A word of the catalogue that this program does not have: a newer one wrote it, or nobody. */
static int not_known(struct reader *rd, enum json_tok t, const char *key, struct span word)
{
	CLEANUP(buf_free) struct buf shown = { 0 };

	text_clean(utf8_head(word, 60), false, &shown);
	return err_set(rd->e, EBADMSG, TR("%s: byte %zu: \"%s\" is '%s', which this version does not know",
					  "%s：第 %zu 字节：“%s”的值“%s”是此版本不认识的"),
		       rd->name, byte_of(rd, t), key, buf_str(&shown));
}

static const struct tx a_text = { "a text", "文本" }, a_number = { "a whole number that fits", "合适的整数" },
		       a_bool = { "true or false", "true 或 false" }, an_object = { "an object", "对象" },
		       an_array = { "an array", "数组" }, a_time = { "a time", "时间" }, an_exit = { "how a process ends", "进程的结束方式" },
		       a_short = { "as short as it must be", "足够短的文本" }, a_hash = { "a hash in hex", "十六进制散列值" };

/* ---- texts ---- */

/* Bytes that are no UTF-8 become U+FFFD, as they would when written again. */
static struct span make_valid(struct reader *rd, struct span s)
{
	uint32_t cp;
	size_t at = 0, from = 0;

	buf_clear(&rd->clean);
	while (at < s.n) {
		size_t n = utf8_decode(span_from(s, at), &cp);
		if (cp == UTF8_BAD) {
			buf_add(&rd->clean, s.p + from, at - from);
			buf_adds(&rd->clean, "\xef\xbf\xbd");
			from = at + n;
		}
		at += n;
	}
	if (!from)
		return s;
	buf_add(&rd->clean, s.p + from, s.n - from);
	return buf_view(&rd->clean);
}

/* The text of a string, in scratch memory that the next text takes. */
static int text_of(struct reader *rd, enum json_tok t, const char *key, struct span *ret)
{
	struct span body = rd->in.value;

	if (t != JSON_STR && t != JSON_KEY)
		return not_a(rd, t, key, a_text);
	buf_clear(&rd->text);
	if (!json_unescape(body, &rd->text))
		return not_a(rd, t, key, (struct tx){ "written with the escapes of JSON", "以 JSON 转义书写的文本" });
	*ret = make_valid(rd, rd->text.p ? buf_view(&rd->text) : S(""));
	return rd->text.bad || rd->clean.bad ? no_memory(rd) : 0;
}

static int keep_span(struct reader *rd, enum json_tok t, const char *key, struct span *ret)
{
	struct span s = { 0 };

	*ret = (struct span){ 0 };
	if (t == JSON_NULL)
		return 0;
	int n = text_of(rd, t, key, &s);
	if (n < 0)
		return n;
	*ret = arena_span(rd->mem, s);
	return ret->p ? 0 : no_memory(rd);
}

static int keep_str(struct reader *rd, enum json_tok t, const char *key, const char **ret)
{
	struct span s = { 0 };
	int n = keep_span(rd, t, key, &s);

	*ret = s.p;
	return n;
}

static int take_span(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	return keep_span(rd, t, row->key, (struct span *)((char *)base + row->at));
}

static int take_str(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	return keep_str(rd, t, row->key, (const char **)((char *)base + row->at));
}

/* Into a char array of row->size bytes. */
static int take_short(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	char *to = (char *)base + row->at;
	struct span s = S("");
	int n = t == JSON_NULL ? 0 : text_of(rd, t, row->key, &s);

	if (n < 0)
		return n;
	s = span_head(s, span_chr(s, '\0'));
	if (s.n >= row->size)
		return not_a(rd, t, row->key, a_short);
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return 0;
}

/* ---- numbers, times, words ---- */

/* null and what is below zero are -1: not known. */
static int number_of(struct reader *rd, enum json_tok t, const char *key, int64_t most, int64_t *ret)
{
	*ret = -1;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_NUM || !span_int(rd->in.value, ret) || *ret > most)
		return not_a(rd, t, key, a_number);
	if (*ret < 0)
		*ret = -1;
	return 0;
}

static int take_count(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	return number_of(rd, t, row->key, INT64_MAX, (int64_t *)((char *)base + row->at));
}

static int take_int(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	int64_t v;
	int n = number_of(rd, t, row->key, INT_MAX, &v);

	*(int *)((char *)base + row->at) = (int)v;
	return n;
}

/* A line, a column, a signal: 0 is not known. */
static int take_place(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	int *to = (int *)((char *)base + row->at);
	int n = take_int(rd, t, base, row);

	if (*to < 0)
		*to = 0;
	return n;
}

static int take_ms(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	int64_t v;
	int n = number_of(rd, t, row->key, INT64_MAX / NSEC_PER_MSEC, &v);

	*(int64_t *)((char *)base + row->at) = n < 0 || v < 0 ? -1 : v * NSEC_PER_MSEC;
	return n;
}

static int take_bool(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	if (t != JSON_TRUE && t != JSON_FALSE && t != JSON_NULL)
		return not_a(rd, t, row->key, a_bool);
	*(bool *)((char *)base + row->at) = t == JSON_TRUE;
	return 0;
}

static int take_time(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	int64_t *to = (int64_t *)((char *)base + row->at);
	struct span s = { 0 };

	*to = 0;
	if (t == JSON_NULL)
		return 0;
	int n = text_of(rd, t, row->key, &s);
	if (n < 0)
		return n;
	return time_parse_rfc3339(s, to) ? 0 : not_a(rd, t, row->key, a_time);
}

static int take_outcome(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	enum outcome *to = (enum outcome *)((char *)base + row->at);
	struct span s = { 0 };

	*to = OUTCOME_NONE;
	if (t == JSON_NULL)
		return 0;
	int n = text_of(rd, t, row->key, &s);
	if (n < 0)
		return n;
	for (int o = OUTCOME_NONE + 1; o < OUTCOME_COUNT; o++) {
		if (span_eq(span_of(outcome_word((enum outcome)o)), s))
			*to = (enum outcome)o;
	}
	return *to ? 0 : not_known(rd, t, row->key, s);
}

static int take_cause(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	enum cause *to = (enum cause *)((char *)base + row->at);
	struct span s = { 0 };

	*to = CAUSE_NONE;
	if (t == JSON_NULL)
		return 0;
	int n = text_of(rd, t, row->key, &s);
	if (n < 0)
		return n;
	*to = cause_by_id(s);
	return *to ? 0 : not_known(rd, t, row->key, s);
}

static int take_severity(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	static const enum severity all[] = { SEV_NOTE, SEV_WARNING, SEV_ERROR };
	enum severity *to = (enum severity *)((char *)base + row->at);
	struct span s = { 0 };
	int n = text_of(rd, t, row->key, &s);

	if (n < 0)
		return n;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (span_eq(span_of(severity_word(all[i])), s)) {
			*to = all[i];
			return 0;
		}
	}
	return not_known(rd, t, row->key, s);
}

static int take_tree(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct report *r = base;
	struct span s = { 0 };

	r->tree_known = false;
	r->tree = 0;
	if (t == JSON_NULL)
		return 0;
	int n = text_of(rd, t, row->key, &s);
	if (n < 0)
		return n;
	if (s.n != 16)
		return not_a(rd, t, row->key, a_hash);
	for (size_t i = 0; i < s.n; i++) {
		const char *d = s.p[i] ? strchr("0123456789abcdef", s.p[i]) : NULL;
		if (!d)
			return not_a(rd, t, row->key, a_hash);
		r->tree = r->tree << 4 | (uint64_t)(strlen("0123456789abcdef") - strlen(d));
	}
	r->tree_known = true;
	return 0;
}

/* ---- objects and arrays ---- */

/* Step over the value that just began. */
static int skip(struct reader *rd, enum json_tok t)
{
	if (t <= JSON_END || ((t == JSON_OBJ || t == JSON_ARR) && !json_skip(&rd->in)))
		return not_json(rd);
	return 0;
}

static const struct row *row_of(const struct row *rows, struct span key)
{
	for (; rows->key; rows++) {
		if (span_eq(span_of(rows->key), key))
			return rows;
	}
	return NULL;
}

/* The token t has just been read and should begin an object; null is one that says nothing. */
static int read_object(struct reader *rd, enum json_tok t, const char *key, void *base, const struct row *rows)
{
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_OBJ)
		return not_a(rd, t, key, an_object);
	while ((t = json_next(&rd->in)) == JSON_KEY) {
		const struct row *row = row_of(rows, rd->in.value);
		t = json_next(&rd->in);
		int n = row && t > JSON_END ? row->take(rd, t, base, row) : skip(rd, t);
		if (n < 0)
			return n;
	}
	return t == JSON_OBJ_END ? 0 : not_json(rd);
}

static int take_object(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	return read_object(rd, t, row->key, (char *)base + row->at, row->rows);
}

/* Room for one more element in an array that grows in the arena; *(T **)list and *cap may change. */
static void *grow(struct reader *rd, void *list, size_t *cap, size_t n, size_t size)
{
	char *v;

	memcpy(&v, list, sizeof(v)); /* whatever it points to */
	if (n == *cap) {
		size_t more = n ? n * 2 : 4;
		char *fresh = arena_alloc(rd->mem, more * size);
		if (!fresh)
			return NULL;
		if (n)
			memcpy(fresh, v, n * size);
		v = fresh;
		memcpy(list, &v, sizeof(v));
		*cap = more;
	}
	return v + n * size;
}

static int take_array(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	void *field = (char *)base + row->at;
	size_t *count = (size_t *)((char *)base + row->count_at), cap = 0;

	*count = 0;
	memcpy(field, &(void *){ NULL }, sizeof(void *));
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARR)
		return not_a(rd, t, row->key, an_array);
	while ((t = json_next(&rd->in)) != JSON_ARR_END) {
		if (t != JSON_OBJ)
			return not_a(rd, t, row->key, (struct tx){ "an array of objects", "由对象组成的数组" });
		void *to = grow(rd, field, &cap, *count, row->size);
		if (!to)
			return no_memory(rd);
		if (row->blank)
			memcpy(to, row->blank, row->size);
		++*count;
		int n = read_object(rd, t, row->key, to, row->rows);
		if (n < 0)
			return n;
	}
	return 0;
}

/* An array of texts, with a NULL behind the last. */
static int read_texts(struct reader *rd, enum json_tok t, const char *key, struct list *ret)
{
	*ret = (struct list){ 0 };
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARR)
		return not_a(rd, t, key, an_array);
	while ((t = json_next(&rd->in)) != JSON_ARR_END) {
		const char **to = t == JSON_STR ? (const char **)grow(rd, &ret->v, &ret->cap, ret->n, sizeof(*to)) : NULL;
		if (!to)
			return t == JSON_STR ? no_memory(rd) : not_a(rd, t, key, (struct tx){ "an array of texts", "由文本组成的数组" });
		int n = keep_str(rd, t, key, to);
		if (n < 0)
			return n;
		ret->n++;
	}
	const char **end = (const char **)grow(rd, &ret->v, &ret->cap, ret->n, sizeof(*end));
	if (!end)
		return no_memory(rd);
	*end = NULL;
	return 0;
}

static int take_list(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	return read_texts(rd, t, row->key, (struct list *)((char *)base + row->at));
}

static int take_argv(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct argv *to = (struct argv *)((char *)base + row->at);
	struct list l;
	int n = read_texts(rd, t, row->key, &l);

	*to = n < 0 ? (struct argv){ 0 } : (struct argv){ l.v, l.n };
	return n;
}

/* Words to letters, each once. */
static int take_classes(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	const char **to = (const char **)((char *)base + row->at);
	char letters[16] = "";
	size_t n_letters = 0;
	struct span s = { 0 };

	*to = "";
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARR)
		return not_a(rd, t, row->key, an_array);
	while ((t = json_next(&rd->in)) != JSON_ARR_END) {
		int n = text_of(rd, t, row->key, &s);
		if (n < 0)
			return n;
		char c = class_letter(s);
		if (!c)
			return not_known(rd, t, row->key, s);
		if (!strchr(letters, c) && n_letters + 1 < sizeof(letters))
			letters[n_letters++] = c;
	}
	*to = arena_str(rd->mem, (struct span){ letters, n_letters });
	if (*to)
		return 0;
	*to = "";
	return no_memory(rd);
}

/* ---- how a process ended ---- */

struct exit_read {
	int code;
	const char *signal;
};

static const struct row exit_rows[] = {
	{ "code", take_int, offsetof(struct exit_read, code) },
	{ "signal", take_str, offsetof(struct exit_read, signal) },
	{ NULL },
};

static int signal_number(const char *name)
{
	struct span s = span_of(name);
	int64_t v;

	if (!span_skip(&s, S("SIG")))
		return 0;
	if (span_int(s, &v))
		return v > 0 && v < NSIG ? (int)v : 0;
	for (int sig = 1; sig < NSIG; sig++) {
		if (span_eq(span_of(sigabbrev_np(sig)), s))
			return sig;
	}
	return 0;
}

static int read_exit(struct reader *rd, enum json_tok t, const struct row *row, enum end_how *how, int *code, int *sig)
{
	struct exit_read x = { .code = -1 };

	*how = END_UNKNOWN;
	*code = *sig = 0;
	if (t == JSON_NULL)
		return 0;
	int n = read_object(rd, t, row->key, &x, exit_rows);
	if (n < 0)
		return n;
	*how = x.signal ? END_SIGNAL : END_EXIT;
	if (!x.signal)
		*code = x.code;
	else if (!(*sig = signal_number(x.signal)))
		return not_a(rd, JSON_OBJ_END, row->key, an_exit);
	return 0;
}

static int take_run_exit(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct ending *e = &((struct report *)base)->ending;

	return read_exit(rd, t, row, &e->how, &e->code, &e->sig);
}

static int take_nested_exit(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct nested *n = base;

	return read_exit(rd, t, row, &n->how, &n->code, &n->sig);
}

/* ---- findings ---- */

#define FIELD(type, field) offsetof(struct type, field)
#define ARRAY(type, field, counted, element) FIELD(type, field), .count_at = FIELD(type, counted), .size = sizeof(struct element)

static const struct row place_rows[] = {
	{ "package", take_span, FIELD(place, package) },
	{ "file", take_span, FIELD(place, file) },
	{ "line", take_place, FIELD(place, line) },
	{ NULL },
};

static const struct row fault_rows[] = {
	{ "id", take_str, FIELD(fault_ref, id) },
	{ "state", take_str, FIELD(fault_ref, state) },
	{ "count", take_count, FIELD(fault_ref, count) },
	{ NULL },
};

static const struct row finding_rows[] = {
	{ "cause", take_cause, FIELD(finding, cause) },
	{ "severity", take_severity, FIELD(finding, severity) },
	{ "fingerprint", take_short, FIELD(finding, fingerprint), .size = sizeof(((struct finding *)NULL)->fingerprint) },
	{ "package", take_span, FIELD(finding, package) },
	{ "test", take_span, FIELD(finding, test) },
	{ "file", take_span, FIELD(finding, file) },
	{ "line", take_place, FIELD(finding, line) },
	{ "column", take_place, FIELD(finding, column) },
	{ "message", take_span, FIELD(finding, message) },
	{ "excerpt", take_span, FIELD(finding, excerpt) },
	{ "classes", take_classes, FIELD(finding, classes) },
	{ "advice", take_span, FIELD(finding, advice) },
	{ "rule", take_str, FIELD(finding, rule) },
	{ "places", take_array, ARRAY(finding, places, n_places, place), .rows = place_rows },
	{ "owners", take_list, FIELD(finding, owners) },
	{ "fault", take_object, FIELD(finding, fault), fault_rows },
	{ "command", take_argv, FIELD(finding, command) },
	{ NULL },
};

static const struct finding no_finding = { .classes = "" };

/* ---- the run ---- */

static const struct row ci_rows[] = {
	{ "name", take_str, FIELD(ci_context, name) },
	{ "repo", take_str, FIELD(ci_context, repo) },
	{ "branch", take_str, FIELD(ci_context, branch) },
	{ "commit", take_str, FIELD(ci_context, commit) },
	{ "job", take_str, FIELD(ci_context, job) },
	{ "run_id", take_str, FIELD(ci_context, run_id) },
	{ "url", take_str, FIELD(ci_context, url) },
	{ "actor", take_str, FIELD(ci_context, actor) },
	{ "pr", take_str, FIELD(ci_context, pr) },
	{ NULL },
};

static const struct row resource_rows[] = {
	{ "cpu_ms", take_ms, FIELD(resources, cpu_ns) },
	{ "max_rss_kb", take_count, FIELD(resources, max_rss_kb) },
	{ "tree_rss_kb", take_count, FIELD(resources, tree_rss_kb) },
	{ "read_bytes", take_count, FIELD(resources, read_bytes) },
	{ "write_bytes", take_count, FIELD(resources, write_bytes) },
	{ NULL },
};

static const struct resources no_resources = { false, -1, -1, -1, -1, -1 };

static int take_resources(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct resources *u = &((struct report *)base)->resources;

	*u = no_resources;
	u->known = t != JSON_NULL;
	return read_object(rd, t, row->key, u, resource_rows);
}

/* The facility of the key just read, a new one when there is none and room; *ret NULL: no room. */
static int facility_of(struct reader *rd, const char *key, struct facility **ret)
{
	struct report *r = rd->r;
	const char *name;
	int n = keep_str(rd, JSON_STR, key, &name);

	*ret = NULL;
	if (n < 0)
		return n;
	for (size_t i = 0; i < r->n_facilities && !*ret; i++) {
		if (!strcmp(r->facilities[i].name, name))
			*ret = &r->facilities[i];
	}
	if (!*ret && r->n_facilities < ARRAY_LEN(r->facilities)) {
		*ret = &r->facilities[r->n_facilities++];
		**ret = (struct facility){ .name = name };
	}
	return 0;
}

/* {"cgroup":"v1","proc_events":true}, and the reasons: {"pty":"…"} */
static int read_facilities(struct reader *rd, enum json_tok t, const char *key, bool why)
{
	struct facility *f;

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_OBJ)
		return not_a(rd, t, key, an_object);
	while ((t = json_next(&rd->in)) == JSON_KEY) {
		int n = facility_of(rd, key, &f);
		t = json_next(&rd->in);
		if (n == 0 && !f)
			n = skip(rd, t);
		else if (n == 0 && !why && (t == JSON_TRUE || t == JSON_FALSE))
			f->value = t == JSON_TRUE ? "yes" : "no";
		else if (n == 0)
			n = keep_str(rd, t, key, why ? &f->why : &f->value);
		if (n < 0)
			return n;
	}
	return t == JSON_OBJ_END ? 0 : not_json(rd);
}

static int take_facilities(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	return read_facilities(rd, t, row->key, false);
}

static int take_facilities_why(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	return read_facilities(rd, t, row->key, true);
}

/* A reason of something that has no value says nothing. */
static void drop_nameless(struct report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_facilities; i++) {
		if (r->facilities[i].value)
			r->facilities[n++] = r->facilities[i];
	}
	r->n_facilities = n;
}

static const struct row attempt_rows[] = {
	{ "n", take_int, FIELD(attempt, n) },
	{ "outcome", take_outcome, FIELD(attempt, outcome) },
	{ "cause", take_cause, FIELD(attempt, cause) },
	{ "duration_ms", take_ms, FIELD(attempt, duration_ns) },
	{ NULL },
};

static const struct attempt no_attempt = { .duration_ns = -1 };

static const struct row go_rows[] = {
	{ "version", take_str, FIELD(report, go_version) },
	{ NULL },
};

static const struct row run_rows[] = {
	{ "id", take_short, FIELD(report, id), .size = sizeof(((struct report *)NULL)->id) },
	{ "argv", take_argv, FIELD(report, argv) },
	{ "cwd", take_str, FIELD(report, cwd) },
	{ "started", take_time, FIELD(report, started) },
	{ "duration_ms", take_ms, FIELD(report, duration_ns) },
	{ "exit", take_run_exit },
	{ "ci", take_object, FIELD(report, ci), ci_rows },
	{ "go", take_object, 0, go_rows },
	{ "resources", take_resources },
	{ "facilities", take_facilities },
	{ "facilities_why", take_facilities_why },
	{ "attempts", take_array, ARRAY(report, attempts, n_attempts, attempt), .rows = attempt_rows, .blank = &no_attempt },
	{ "log", take_str, FIELD(report, log_path) },
	{ NULL },
};

/* ---- the rest of the report ---- */

static const struct row verdict_rows[] = {
	{ "outcome", take_outcome, FIELD(report, outcome) },
	{ "cause", take_cause, FIELD(report, cause) },
	{ "exit_code", take_int, FIELD(report, exit_code) },
	{ "summary", take_str, FIELD(report, summary) },
	{ "proof", take_str, FIELD(report, ending.why) },
	{ NULL },
};

static const struct row tests_rows[] = {
	{ "packages", take_count, FIELD(test_counts, packages) },
	{ "run", take_count, FIELD(test_counts, run) },
	{ "passed", take_count, FIELD(test_counts, passed) },
	{ "failed", take_count, FIELD(test_counts, failed) },
	{ "skipped", take_count, FIELD(test_counts, skipped) },
	{ "unfinished", take_count, FIELD(test_counts, unfinished) },
	{ "cached_packages", take_count, FIELD(test_counts, cached_packages) },
	{ NULL },
};

static const struct row command_rows[] = {
	{ "argv", take_argv, FIELD(nested, argv) },
	{ "cwd", take_str, FIELD(nested, cwd) },
	{ "script", take_str, FIELD(nested, script) },
	{ "exit", take_nested_exit },
	{ "duration_ms", take_ms, FIELD(nested, duration) },
	{ "masked", take_bool, FIELD(nested, masked) },
	{ "allowed", take_bool, FIELD(nested, allowed) },
	{ "recovered", take_bool, FIELD(nested, recovered) },
	{ "below_test", take_bool, FIELD(nested, below_test) },
	{ NULL },
};

static const struct nested no_command = { .duration = -1 };

static const struct row process_rows[] = { /* left_over is that nothing killed it */
	{ "pid", take_int, FIELD(proc_note, pid) },
	{ "command", take_str, FIELD(proc_note, command) },
	{ "killed_by", take_place, FIELD(proc_note, sig) },
	{ "ended_by_tocsin", take_bool, FIELD(proc_note, ended_by_us) },
	{ "holds_output", take_bool, FIELD(proc_note, holds_output) },
	{ NULL },
};

static const struct row time_rows[] = {
	{ "package", take_span, FIELD(named_time, package) },
	{ "test", take_span, FIELD(named_time, test) },
	{ "duration_ms", take_ms, FIELD(named_time, ns) },
	{ NULL },
};

static const struct named_time no_time = { .ns = -1 };

static const struct row store_rows[] = {
	{ "project", take_str, FIELD(report, project) },
	{ "base_branch", take_str, FIELD(report, base_branch) },
	{ "modules", take_list, FIELD(report, modules) },
	{ "tree", take_tree },
	{ "started_ns", take_count, FIELD(report, started) },
	{ "duration_ns", take_count, FIELD(report, duration_ns) },
	{ NULL },
};

/* ---- every test: [{"package":P,"tests":[["TestA","p",1234567,1],…]},…] ---- */

struct results_read { /* one package's, into the report's */
	struct test_result *v;
	size_t n, cap, from;
	struct span package;
};

static int take_letter(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct test_result *to = base;
	struct span s = { 0 };
	int n = text_of(rd, t, row->key, &s);

	if (n < 0)
		return n;
	for (int o = 0; o < TEST_OUTCOMES; o++) {
		if (span_eq(span_of(test_outcome_letter((enum test_outcome)o)), s)) {
			to->result = (enum test_outcome)o;
			return 0;
		}
	}
	return not_known(rd, t, row->key, s);
}

/* By place, not by key. */
static const struct row result_places[] = {
	{ "tests", take_span, FIELD(test_result, test) },
	{ "tests", take_letter },
	{ "tests", take_count, FIELD(test_result, ns) },
	{ "tests", take_int, FIELD(test_result, attempt) },
	{ NULL },
};

static int read_result(struct reader *rd, struct test_result *to)
{
	const struct row *row = result_places;
	enum json_tok t;

	*to = (struct test_result){ .ns = -1, .attempt = 1 };
	while ((t = json_next(&rd->in)) != JSON_ARR_END) {
		int n = t > JSON_END && row->key ? row->take(rd, t, to, row) : skip(rd, t);
		if (n < 0)
			return n;
		row += row->key != NULL;
	}
	return 0;
}

static int take_package_tests(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct results_read *all = base;

	if (t != JSON_ARR)
		return not_a(rd, t, row->key, an_array);
	while ((t = json_next(&rd->in)) != JSON_ARR_END) {
		if (t != JSON_ARR)
			return not_a(rd, t, row->key, (struct tx){ "an array of arrays", "由数组组成的数组" });
		struct test_result *to = grow(rd, &all->v, &all->cap, all->n, sizeof(*to));
		int n = to ? read_result(rd, to) : no_memory(rd);
		if (n < 0)
			return n;
		all->n++;
	}
	return 0;
}

static const struct row package_rows[] = {
	{ "package", take_span, FIELD(results_read, package) },
	{ "tests", take_package_tests },
	{ NULL },
};

static int take_results(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct report *r = base;
	struct results_read all = { 0 };

	r->n_results = 0;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARR)
		return not_a(rd, t, row->key, an_array);
	while ((t = json_next(&rd->in)) != JSON_ARR_END) {
		if (t != JSON_OBJ)
			return not_a(rd, t, row->key, (struct tx){ "an array of objects", "由对象组成的数组" });
		all.package = (struct span){ 0 };
		int n = read_object(rd, t, row->key, &all, package_rows);
		if (n < 0)
			return n;
		for (; all.from < all.n; all.from++)
			all.v[all.from].package = all.package;
	}
	r->results = all.v;
	r->n_results = all.n;
	return 0;
}

/* ---- whole texts ---- */

static int take_schema(struct reader *rd, enum json_tok t, void *base, const struct row *row)
{
	struct span s = { 0 };
	int n = text_of(rd, t, row->key, &s);

	if (n < 0)
		return n;
	return span_eq(s, S(SCHEMA)) ? 0 : not_known(rd, t, row->key, s);
}

static const struct row report_rows[] = {
	{ "schema", take_schema },
	{ "run", take_object, 0, run_rows },
	{ "verdict", take_object, 0, verdict_rows },
	{ "tests", take_object, FIELD(report, tests), tests_rows },
	{ "findings", take_array, ARRAY(report, findings, n_findings, finding), .rows = finding_rows, .blank = &no_finding },
	{ "commands", take_array, ARRAY(report, commands, n_commands, nested), .rows = command_rows, .blank = &no_command },
	{ "processes", take_array, ARRAY(report, procs, n_procs, proc_note), .rows = process_rows },
	{ "slowest", take_array, ARRAY(report, slowest, n_slowest, named_time), .rows = time_rows, .blank = &no_time },
	{ "skipped", take_array, ARRAY(report, skipped, n_skipped, named_time), .rows = time_rows, .blank = &no_time },
	{ "limits", take_list, FIELD(report, limits) },
	{ "store", take_object, 0, store_rows },
	{ "results", take_results },
	{ NULL },
};

/* One object and nothing behind it. */
static int read_whole(struct reader *rd, const char *what, void *base, const struct row *rows)
{
	enum json_tok t = json_next(&rd->in);

	if (t != JSON_OBJ)
		return not_a(rd, t, what, an_object);
	int n = read_object(rd, t, what, base, rows);
	if (n < 0)
		return n;
	return json_next(&rd->in) == JSON_END ? 0 : not_json(rd);
}

static int report_check(struct reader *rd, const struct report *r)
{
	struct span schema;

	if (!json_find(rd->in.text, "schema", &schema))
		return err_set(rd->e, EBADMSG, TR("%s: byte %zu: this is no report: \"schema\" is missing", "%s：第 %zu 字节：不是报告：缺少“schema”"),
			       rd->name, (size_t)0);
	for (size_t i = 0; i < r->n_findings; i++) {
		if (!r->findings[i].cause)
			return err_set(rd->e, EBADMSG, TR("%s: byte %zu: finding %zu has no cause", "%s：第 %zu 字节：第 %zu 个问题没有原因"),
				       rd->name, rd->in.at, i + 1);
	}
	return 0;
}

static void report_settle(struct report *r)
{
	r->is_run = r->duration_ns >= 0 || r->ending.how != END_UNKNOWN;
	r->cap_findings = r->n_findings;
	drop_nameless(r);
	if (r->outcome == OUTCOME_NOT_STARTED && r->ending.how == END_EXIT) {
		r->ending.how = END_NOT_STARTED;
		r->ending.start_cause = r->cause;
	}
}

int report_read(struct span json, const char *name, struct report *ret, struct err *e)
{
	*ret = (struct report){ .duration_ns = -1, .tests = { -1, -1, -1, -1, -1, -1, -1 }, .resources = no_resources };
	ret->mem.max = json.n * 24 + (1 << 20); /* a text of `{},` must not ask for more than a machine has */
	struct reader rd = { .in = { .text = json }, .mem = &ret->mem, .r = ret, .name = name, .e = e };

	int n = json.n > REPORT_TEXT_MAX ?
		err_set(e, EFBIG, TR("%s: byte %zu: a report is not read beyond this", "%s：第 %zu 字节：报告过大，超出部分不再读取"), name,
			REPORT_TEXT_MAX) :
		read_whole(&rd, "report", ret, report_rows);
	if (n == 0)
		n = report_check(&rd, ret);
	buf_free(&rd.text);
	buf_free(&rd.clean);
	if (n < 0) {
		report_free(ret);
		return n;
	}
	ret->mem.max = 0;
	report_settle(ret);
	return 0;
}

int finding_read(struct span json, struct arena *mem, struct finding *ret, struct err *e)
{
	struct reader rd = { .in = { .text = json }, .mem = mem, .name = TR("finding", "问题"), .e = e };

	*ret = no_finding;
	int n = read_whole(&rd, "finding", ret, finding_rows);
	if (n == 0 && !ret->cause)
		n = err_set(e, EBADMSG, TR("%s: byte %zu: the finding has no cause", "%s：第 %zu 字节：问题没有原因"), rd.name, rd.in.at);
	buf_free(&rd.text);
	buf_free(&rd.clean);
	if (n < 0)
		*ret = no_finding;
	return n;
}
