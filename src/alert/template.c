#include "alert/template.h"

#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"

#define TEMPLATE_MAX (64 << 10) /* of one filled */
#define TEXT_MAX 3500

void template_lines(struct span s, enum alert_form form, struct buf *ret)
{
	for (bool more = false; s.n; more = true) {
		if (more)
			buf_addc(ret, '\n');
		alert_escape(span_cut(&s, '\n'), form, ret);
	}
}

/* ---- fields ---- */

struct job {
	const struct alert *a;
	const struct alert_item *it; /* the first; NULL: none */
	enum lang lang;
	enum template_as as;
};

static void add_raw(const struct job *j, struct span s, struct buf *ret)
{
	CLEANUP(buf_free) struct buf clean = { 0 }, quoted = { 0 };
	struct json_out out = { .to = &quoted };

	if (j->as != TEMPLATE_JSON) {
		template_lines(s, (enum alert_form)j->as, ret);
		return;
	}
	template_lines(s, FORM_PLAIN, &clean);
	json_str(&out, (struct span){ buf_str(&clean), clean.len });
	if (clean.bad || quoted.bad || quoted.len < 2)
		ret->bad = true;
	else
		buf_add(ret, quoted.p + 1, quoted.len - 2);
}

static void add_z(const struct job *j, const char *z, struct buf *ret)
{
	if (z)
		add_raw(j, span_of(z), ret);
}

/* Made text is in its form already; in JSON it is plain text, quoted. */
static void add_made(const struct job *j, struct buf *made, struct buf *ret)
{
	ret->bad |= made->bad;
	if (j->as == TEMPLATE_JSON)
		add_raw(j, buf_view(made), ret);
	else
		buf_span(ret, buf_view(made));
}

static void add_title(const struct job *j, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	alert_title(j->a, j->lang, 200, &b);
	ret->bad |= b.bad;
	add_raw(j, buf_view(&b), ret);
}

static void add_text(const struct job *j, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	alert_text(j->a, j->as == TEMPLATE_JSON ? FORM_PLAIN : (enum alert_form)j->as, j->lang, TEXT_MAX, &b);
	add_made(j, &b, ret);
}

static void add_url(const struct job *j, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (j->a->url && alert_link(j->a->url, &b))
		add_made(j, &b, ret);
	ret->bad |= b.bad;
}

static void add_place(const struct job *j, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (j->it)
		alert_place(j->it, &b);
	ret->bad |= b.bad;
	add_raw(j, buf_view(&b), ret);
}

static void add_owners(const struct job *j, struct buf *ret)
{
	for (size_t i = 0; j->it && i < j->it->owners.n; i++) {
		if (i)
			buf_addc(ret, ' ');
		add_z(j, j->it->owners.v[i], ret);
	}
}

static void add_advice(const struct job *j, struct buf *ret)
{
	if (j->it)
		add_raw(j, alert_advice(j->it, j->lang), ret);
}

static void add_said(const struct job *j, struct buf *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (j->it)
		alert_said(j->a, j->it, j->lang, &b);
	ret->bad |= b.bad;
	add_raw(j, buf_view(&b), ret);
}

static void add_word(const struct job *j, struct buf *ret) { add_z(j, alert_word(j->a, j->lang), ret); }
static void add_id(const struct job *j, struct buf *ret) { add_z(j, j->a->id, ret); }
static void add_kind(const struct job *j, struct buf *ret) { add_z(j, alert_kind_words[j->a->kind], ret); }

static void add_time(const struct job *j, struct buf *ret)
{
	char at[32];

	time_rfc3339(j->a->at, at);
	buf_adds(ret, at);
}

static void add_duration(const struct job *j, struct buf *ret)
{
	char text[24];

	if (j->a->duration_ns < 0)
		return;
	duration_text(j->a->duration_ns, text);
	buf_adds(ret, text);
}

/* name, then one of: a function, a string of the alert, a string of its first item, a number of the alert */
static const struct field {
	const char *name;
	void (*add)(const struct job *j, struct buf *ret);
	char from; /* 'a', 'i', 'n' */
	size_t at;
} fields[] = {
	{ "title", add_title, 0, 0 }, { "text", add_text, 0, 0 }, { "word", add_word, 0, 0 }, { "id", add_id, 0, 0 }, { "kind", add_kind, 0, 0 },
	{ "url", add_url, 0, 0 }, { "place", add_place, 0, 0 }, { "owners", add_owners, 0, 0 }, { "advice", add_advice, 0, 0 },
	{ "said", add_said, 0, 0 }, { "at", add_time, 0, 0 }, { "duration", add_duration, 0, 0 },
#define OF_ALERT(f) { #f, NULL, 'a', offsetof(struct alert, f) }
	OF_ALERT(key), OF_ALERT(level), OF_ALERT(run), OF_ALERT(project), OF_ALERT(branch), OF_ALERT(commit), OF_ALERT(job), OF_ALERT(actor),
	OF_ALERT(pr), OF_ALERT(ci), OF_ALERT(go), OF_ALERT(host), OF_ALERT(command), OF_ALERT(outcome), OF_ALERT(cause), OF_ALERT(severity),
	OF_ALERT(summary),
#undef OF_ALERT
#define OF_ITEM(f) { #f, NULL, 'i', offsetof(struct alert_item, f) }
	OF_ITEM(package), OF_ITEM(test), OF_ITEM(excerpt), OF_ITEM(fault), OF_ITEM(state), OF_ITEM(fingerprint),
#undef OF_ITEM
	{ "message", NULL, 'i', offsetof(struct alert_item, title) },
#define NUMBER(f) { #f, NULL, 'n', offsetof(struct alert, f) }
	NUMBER(packages), NUMBER(tests), NUMBER(failed),
#undef NUMBER
};

const char *const template_fields[] = { "title", "text", "word", "id", "kind", "url", "place", "owners", "advice", "said", "at", "duration", "key",
	"level", "run", "project", "branch", "commit", "job", "actor", "pr", "ci", "go", "host", "command", "outcome", "cause", "severity", "summary",
	"package", "test", "excerpt", "fault", "state", "fingerprint", "message", "packages", "tests", "failed", NULL };
_Static_assert(ARRAY_LEN(template_fields) == ARRAY_LEN(fields) + 1, "each field has its name");

static void add_field(const struct job *j, const struct field *f, struct buf *ret)
{
	const char *base = f->from == 'i' ? (const char *)j->it : (const char *)j->a;
	const char *z;
	int64_t n;

	if (f->add) {
		f->add(j, ret);
	} else if (f->from == 'n') {
		memcpy(&n, base + f->at, sizeof(n));
		if (n >= 0)
			buf_addf(ret, "%lld", (long long)n);
		else if (j->as == TEMPLATE_JSON) /* may stand without quotes */
			buf_adds(ret, "-1");
	} else if (base) {
		memcpy(&z, base + f->at, sizeof(z));
		add_z(j, z, ret);
	}
}

static const struct field *find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (span_eq(name, span_of(fields[i].name)))
			return &fields[i];
	}
	return NULL;
}

bool template_fill(struct span text, const struct alert *a, enum lang lang, enum template_as as, struct buf *ret, char why[TEMPLATE_WHY])
{
	struct job j = { .a = a, .it = a->n_items ? a->items : NULL, .lang = lang, .as = as };
	size_t from = ret->len;

	why[0] = '\0';
	while (text.n && !why[0]) {
		size_t at = span_find(text, S("{{"));
		buf_span(ret, span_head(text, at));
		if (at == SPAN_NONE)
			break;
		text = span_from(text, at + 2);
		size_t end = span_find(text, S("}}"));
		struct span name = span_trim(span_head(text, end == SPAN_NONE ? 40 : end));
		const struct field *f = end == SPAN_NONE ? NULL : find(name);
		if (end == SPAN_NONE)
			snprintf(why, TEMPLATE_WHY, "%s", lang == LANG_ZH ? "模板中有“{{”没有“}}”" : "a \"{{\" has no \"}}\"");
		else if (!f)
			snprintf(why, TEMPLATE_WHY, lang == LANG_ZH ? "模板字段“%.*s”不存在" : "there is no field \"%.*s\"", name.n > 40 ? 40 : (int)name.n, name.p);
		else
			add_field(&j, f, ret);
		if (ret->len - from > TEMPLATE_MAX)
			snprintf(why, TEMPLATE_WHY, "%s", lang == LANG_ZH ? "模板的结果过长" : "what it makes is too long");
		text = span_from(text, end == SPAN_NONE ? text.n : end + 2);
	}
	if (!why[0])
		return true;
	ret->len = from;
	if (ret->p)
		ret->p[from] = '\0';
	return false;
}
