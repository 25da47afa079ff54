#include "cli/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"

/* ---- the filters ---- */

const char *const fault_sorts[] = { "state", "last", "first", "count", NULL }; /* as enum fault_order */

static int check_states(const char *words, struct err *e)
{
	char word[32], hint[128];

	for (struct span rest = span_of(words); rest.n;) {
		struct span one = span_cut(&rest, ',');
		size_t i = 0;
		while (fault_state_words[i] && !span_eq(span_of(fault_state_words[i]), one))
			i++;
		if (fault_state_words[i])
			continue;
		snprintf(word, sizeof(word), "%.*s", SPAN_ARG(span_head(one, 30)));
		return err_set(e, EINVAL, TR("--state does not know '%s'%s", "--state 不认识“%s”%s"), word,
			       opt_hint(word, fault_state_words, FAULT_STATES, "", hint));
	}
	return 0;
}

int fault_pick_read(const struct fault_pick *p, int64_t now, struct fault_filter *ret, struct err *e)
{
	int r = p->state ? check_states(p->state, e) : 0;

	*ret = (struct fault_filter){
		.state = p->state,
		.cause = p->cause,
		.owner = p->owner,
		.package = p->package,
		.project = p->project,
		.tag = p->tag,
		.test = p->test,
		.no_defence = p->no_defence,
		.order = (enum fault_order)p->sort,
		.limit = p->limit,
	};
	if (r == 0 && p->since)
		r = when_flag("since", p->since, now, true, &ret->seen_since, e);
	if (r == 0 && p->new_since)
		r = when_flag("new", p->new_since, now, true, &ret->first_since, e);
	return r;
}

/* ---- the frame of every verb ---- */

static int begin(struct fault_task *t, const char *store, unsigned flags)
{
	struct err e;

	*t = (struct fault_task){ .now = time_wall() };
	term_open(&t->out, STDOUT_FILENO);
	int r = cli_store_open(store, flags, &t->s, &e);
	if (r == -EROFS || r == -EACCES || r == -EPERM) /* one may look where one may not write */
		r = cli_store_open(store, STORE_READONLY, &t->s, &e);
	if (r == 0)
		return EXIT_OK;
	say_error("%s", e.msg);
	return EXIT_OWN;
}

int fault_begin(struct fault_task *t, const char *store)
{
	return begin(t, store, 0);
}

int fault_begin_new(struct fault_task *t, const char *store)
{
	return begin(t, store, STORE_CREATE);
}

static bool is_usage(int r)
{
	return r == -EINVAL || r == -ENOENT || r == -EEXIST || r == -EBADMSG;
}

int fault_end(struct fault_task *t, int r, const struct err *e)
{
	int status = r >= 0 ? EXIT_OK : is_usage(r) ? EXIT_USAGE : EXIT_OWN;

	if (r < 0)
		say_error("%s", e->msg[0] ? e->msg : TR("no memory", "内存不足")); /* one of our callbacks */
	if (r >= 0 && t->text.bad) {
		say_error(TR("no memory", "内存不足"));
		status = EXIT_OWN;
	} else {
		term_flush(&t->out, &t->text);
	}
	store_close(t->s);
	buf_free(&t->text);
	arena_free(&t->mem);
	return t->out.dead && !t->out.gone && status == EXIT_OK ? EXIT_OWN : status;
}

/* ---- faults that stay ---- */

bool fault_copy(struct arena *mem, const struct fault *f, struct fault *ret)
{
	struct fault c = *f;
	struct span *const spans[] = { &c.id, &c.fingerprint, &c.cause, &c.title, &c.project, &c.package, &c.test, &c.file, &c.owner,
				       &c.first_run, &c.last_run, &c.first_commit, &c.last_commit, &c.first_url, &c.last_url,
				       &c.resolved_by, &c.fix, &c.fix_commit, &c.defences, &c.tags };

	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		if (!spans[i]->p)
			continue;
		*spans[i] = arena_span(mem, *spans[i]);
		if (!spans[i]->p)
			return false;
	}
	*ret = c;
	return true;
}

int fault_keep(void *list, const struct fault *f)
{
	struct fault_list *l = list;

	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)) || !fault_copy(l->mem, f, &l->v[l->n]))
		return -ENOMEM;
	l->n++;
	return 0;
}

bool fault_event_copy(struct arena *mem, const struct fault_event *v, struct fault_event *ret)
{
	struct fault_event c = *v;
	struct span *const spans[] = { &c.id, &c.kind, &c.who, &c.text, &c.data };

	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		if (!spans[i]->p)
			continue;
		*spans[i] = arena_span(mem, *spans[i]);
		if (!spans[i]->p)
			return false;
	}
	*ret = c;
	return true;
}

int fault_days(struct fault_task *t, struct fault_list *l, struct err *e)
{
	int r = 0;

	l->days = mem_zalloc((l->n ? l->n : 1) * sizeof(*l->days));
	if (!l->days)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	for (size_t i = 0; i < l->n && r >= 0; i++) {
		if (t->now - l->v[i].last_seen < (FAULT_DAYS + 1) * INT64_C(86400) * NSEC_PER_SEC)
			r = store_fault_days(t->s, l->v[i].seq, t->now, l->days[i], FAULT_DAYS, e);
	}
	return r < 0 ? r : 0;
}

void fault_list_free(struct fault_list *l)
{
	mem_free(l->v);
	mem_free(l->days);
	*l = (struct fault_list){ 0 };
}

void fault_list_free_cleanup(struct fault_list *l)
{
	fault_list_free(l);
}

int fault_find(struct fault_task *t, const char *ref, struct fault *ret, struct err *e)
{
	return store_fault_get(t->s, ref, &t->mem, ret, e);
}

bool fault_item(struct span *rest, struct span *ret)
{
	while (rest->n) {
		*ret = span_cut(rest, '\n');
		if (ret->n)
			return true;
	}
	return false;
}

/* ---- how they are shown ---- */

/* clang-format off */
static const struct {
	enum paint paint;
	struct tx title;
} states[FAULT_STATES] = {
	[FAULT_OPEN] = { PAINT_YELLOW, { "open", "未解决" } },
	[FAULT_REGRESSED] = { PAINT_RED, { "regressed", "复发" } },
	[FAULT_RESOLVED] = { PAINT_GREEN, { "resolved", "已解决" } },
	[FAULT_IGNORED] = { PAINT_DIM, { "ignored", "已忽略" } },
	[FAULT_MERGED] = { PAINT_DIM, { "merged", "已合并" } },
};
/* clang-format on */

enum paint fault_paint(enum fault_state s)
{
	return states[s].paint;
}

const char *fault_state_title(enum fault_state s)
{
	return tx(states[s].title);
}

/* A locale that names another charset, or a terminal that draws nothing. Without a word for it: yes, as all else here. */
bool term_has_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *kind = getenv("TERM");

	if (kind && (!strcmp(kind, "dumb") || !strcmp(kind, "linux")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = getenv(names[i]);
		const char *charset = v ? strchr(v, '.') : NULL;
		if (charset)
			return !strncasecmp(charset, ".utf-8", 6) || !strncasecmp(charset, ".utf8", 5);
		if (v && *v)
			return true;
	}
	return true;
}

void fault_spark(struct buf *b, const int64_t *days, size_t n)
{
	static const char *const fine[] = { "▁", "▂", "▃", "▅", "▇" }, *const plain[] = { "_", ".", "-", "=", "#" };
	const char *const *glyphs = term_has_utf8() ? fine : plain;
	int64_t most = 1;

	for (size_t i = 0; i < n; i++)
		most = days[i] > most ? days[i] : most;
	for (size_t i = 0; i < n; i++)
		buf_adds(b, glyphs[days[i] <= 0 ? 0 : most < 4 ? days[i] : 1 + (days[i] - 1) * 4 / most]);
}

static void put_str(struct json_out *j, const char *key, struct span s)
{
	json_key(j, key);
	json_str(j, s.n ? s : (struct span){ 0 });
}

static void put_time(struct json_out *j, const char *key, int64_t wall)
{
	char text[32];

	json_key(j, key);
	time_rfc3339(wall, text);
	json_strz(j, wall ? text : NULL);
}

static void put_lines(struct json_out *j, const char *key, struct span lines)
{
	struct span one;

	json_key(j, key);
	json_open(j, '[');
	while (fault_item(&lines, &one))
		json_str(j, one);
	json_close(j, ']');
}

static void put_resolution(struct json_out *j, const struct fault *f)
{
	json_key(j, "resolution");
	if (!f->resolved_at) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	put_time(j, "at", f->resolved_at);
	put_str(j, "by", f->resolved_by);
	put_str(j, "fix", f->fix);
	put_str(j, "commit", f->fix_commit);
	json_close(j, '}');
}

static void put_ends(struct json_out *j, const struct fault *f)
{
	put_str(j, "first_run", f->first_run);
	put_str(j, "last_run", f->last_run);
	put_str(j, "first_commit", f->first_commit);
	put_str(j, "last_commit", f->last_commit);
	put_str(j, "first_url", f->first_url);
	put_str(j, "last_url", f->last_url);
}

static void put_number(struct json_out *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

void fault_json(struct json_out *j, const struct fault *f, const int64_t *days)
{
	char id[32];

	json_open(j, '{');
	put_str(j, "id", f->id);
	snprintf(id, sizeof(id), "T-%lld", (long long)f->seq);
	put_str(j, "short", span_of(id));
	put_str(j, "fingerprint", f->fingerprint);
	put_str(j, "cause", f->cause);
	put_str(j, "severity", span_of(severity_word(f->severity)));
	put_str(j, "state", span_of(fault_state_words[f->state]));
	put_number(j, "count", f->count);
	put_time(j, "first_seen", f->first_seen);
	put_time(j, "last_seen", f->last_seen);
	put_str(j, "title", f->title);
	put_str(j, "owner", f->owner);
	put_lines(j, "defences", f->defences);
	put_lines(j, "tags", f->tags);
	put_str(j, "project", f->project);
	put_str(j, "package", f->package);
	put_str(j, "test", f->test);
	put_str(j, "file", f->file);
	json_key(j, "line");
	if (f->line > 0)
		json_int(j, f->line);
	else
		json_null(j);
	put_ends(j, f);
	put_resolution(j, f);
	put_time(j, "ignored_until", f->ignored_until);
	put_time(j, "regressed_at", f->regressed_at);
	put_number(j, "regressions", f->regressions);
	snprintf(id, sizeof(id), "T-%lld", (long long)f->merged_into);
	put_str(j, "merged_into", f->merged_into ? span_of(id) : (struct span){ 0 });
	if (!days)
		return;
	json_key(j, "days");
	json_open(j, '[');
	for (size_t i = 0; i < FAULT_DAYS; i++)
		json_int(j, days[i]);
	json_close(j, ']');
}

void fault_json_raw(struct json_out *j, const char *key, struct span raw)
{
	json_key(j, key);
	if (raw.n)
		buf_span(j->to, raw);
	else
		buf_adds(j->to, "null");
	j->comma = true;
}

void fault_faults_json(struct buf *b, const struct fault_list *l, int64_t total)
{
	struct json_out j = { .to = b };

	json_open(&j, '{');
	put_str(&j, "schema", S("tocsin.faults/1"));
	json_key(&j, "faults");
	json_open(&j, '[');
	for (size_t i = 0; i < l->n; i++) {
		fault_json(&j, &l->v[i], l->days ? l->days[i] : NULL);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	put_number(&j, "total", total);
	json_close(&j, '}');
	buf_addc(b, '\n');
}

/* ---- the group ---- */

static const struct verb *const subs[] = {
	&verb_fault_list, &verb_fault_show,  &verb_fault_search, &verb_fault_resolve, &verb_fault_reopen, &verb_fault_ignore,
	&verb_fault_assign, &verb_fault_tag, &verb_fault_note,	 &verb_fault_merge,   &verb_fault_link,	  &verb_fault_import,
	&verb_fault_export, &verb_fault_audit, &verb_fault_contract, &verb_fault_flaky,	 &verb_fault_tests,   NULL,
};

const struct verb verb_fault = {
	.name = "fault",
	.brief = { "the fault library: what failed before, how often, and what came of it",
		   "故障库：以前出过什么故障、出过几次、后来如何" },
	.text = { "All findings with one fingerprint are one fault, over all runs. `tocsin run` keeps them. A fault is named by its short id "
		  "(T-42), or by its ULID, its fingerprint or the beginning of one of them. One that was resolved and is seen again is "
		  "regressed.\n\n"
		  "  tocsin fault list --state open,regressed\n"
		  "  tocsin fault show T-42\n"
		  "  tocsin fault resolve T-42 --fix 'close the body' --commit 1f3a9c0\n\n"
		  "Exit status: 0; 2 wrong usage, or no such fault; 125 the store cannot be used.",
		  "指纹相同的发现，在历次运行中都算同一个故障，由 `tocsin run` 记录。故障可用短编号（T-42）、ULID、指纹或后两者的开头来指定。已解决的故障再次出现即为“复发”。\n\n"
		  "  tocsin fault list --state open,regressed\n"
		  "  tocsin fault show T-42\n"
		  "  tocsin fault resolve T-42 --fix '关闭响应体' --commit 1f3a9c0\n\n"
		  "退出状态：0；2 用法错误或没有这个故障；125 存储无法使用。" },
	.subs = subs,
};
