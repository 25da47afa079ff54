#include <errno.h>
#include <stdio.h>

#include "base/diff.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/fault.h"

#define LABEL          14 /* columns of the labels, with the two blanks before them */
#define SIGHTINGS_MAX  20
#define EXCERPT_LINES  40
#define DIFF_LINES_MAX 80
#define DIFF_CONTEXT   2
#define MODULES_MAX    20
#define SIMILAR_MAX    5

struct show_values {
	const char *store;
	bool json, all;
};

/* One recurrence, copied. */
struct seen {
	struct span run, branch, commit, url, go, outcome, modules;
	int64_t started;
};

struct seen_list {
	struct arena *mem;
	struct seen *v;
	size_t n, cap;
};

struct event_list {
	struct arena *mem;
	struct fault_event *v;
	size_t n, cap;
};

struct show {
	struct fault_task *t;
	struct buf *b;
	struct fault f;
	struct seen_list seen, oldest;
	struct event_list events;
	struct fault_list similar;
	struct finding first, last;
	int64_t days[1][FAULT_DAYS];
	size_t width;
};

/* ---- reading ---- */

static bool keep(struct arena *mem, struct span s, struct span *ret)
{
	*ret = s.p ? arena_span(mem, s) : s;
	return !s.p || ret->p;
}

static int keep_seen(void *ctx, const struct sighting *x)
{
	struct seen_list *l = ctx;

	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)))
		return -ENOMEM;
	struct seen *s = &l->v[l->n];
	*s = (struct seen){ .started = x->started };
	if (!keep(l->mem, x->run, &s->run) || !keep(l->mem, x->branch, &s->branch) || !keep(l->mem, x->commit, &s->commit) ||
	    !keep(l->mem, x->url, &s->url) || !keep(l->mem, x->go, &s->go) || !keep(l->mem, x->outcome, &s->outcome))
		return -ENOMEM;
	if (!l->n && !keep(l->mem, x->modules, &s->modules)) /* of the first and the last only */
		return -ENOMEM;
	l->n++;
	return 0;
}

static int keep_event(void *ctx, const struct fault_event *v)
{
	struct event_list *l = ctx;

	if (!mem_grow(&l->v, &l->cap, l->n, sizeof(*l->v)) || !fault_event_copy(l->mem, v, &l->v[l->n]))
		return -ENOMEM;
	l->n++;
	return 0;
}

static int read_all(struct show *s, const char *ref, bool all, struct err *e)
{
	struct fault_task *t = s->t;
	int64_t seq;

	int r = fault_find(t, ref, &s->f, e);
	seq = s->f.seq;
	if (r >= 0)
		r = store_fault_days(t->s, seq, t->now, s->days[0], FAULT_DAYS, e);
	if (r >= 0)
		r = store_events(t->s, seq, keep_event, &s->events, e);
	if (r >= 0)
		r = store_sightings(t->s, seq, false, all ? 0 : SIGHTINGS_MAX, keep_seen, &s->seen, e);
	if (r >= 0)
		r = store_sightings(t->s, seq, true, 1, keep_seen, &s->oldest, e);
	if (r >= 0)
		r = store_fault_ends(t->s, seq, &t->mem, &s->first, &s->last, e);
	if (r >= 0)
		r = store_similar(t->s, &s->f, SIMILAR_MAX, fault_keep, &s->similar, e);
	return r < 0 ? r : 0;
}

static struct span evidence(const struct finding *f)
{
	return f->excerpt.n ? f->excerpt : f->message;
}

/* ---- for people ---- */

static void label(struct show *s, const char *name)
{
	size_t w = text_width(span_of(name));

	buf_adds(s->b, "  ");
	say_paint(s->b, &s->t->out, PAINT_BOLD, name);
	say_pad(s->b, w + 2 < LABEL ? LABEL - 2 - w : 1);
}

/* Text that is clean already. */
static void row(struct show *s, const char *name, const struct buf *text)
{
	if (!text->len)
		return;
	label(s, name);
	say_wrap(s->b, buf_view(text), LABEL, LABEL, s->width);
	buf_addc(s->b, '\n');
}

static void row_span(struct show *s, const char *name, struct span text)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	say_clean(&clean, text);
	row(s, name, &clean);
}

static void row_list(struct show *s, const char *name, struct span lines)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span one;

	while (fault_item(&lines, &one)) {
		buf_adds(&text, text.len ? TR(", ", "，") : "");
		say_clean(&text, one);
	}
	row(s, name, &text);
}

static void heading(struct show *s, const char *text)
{
	buf_addc(s->b, '\n');
	say_paint(s->b, &s->t->out, PAINT_BOLD, text);
	buf_addc(s->b, '\n');
}

/* A commit is long enough with 10 digits. */
static void add_commit(struct buf *b, struct span commit)
{
	say_clean(b, span_head(commit, 10));
}

static void head(struct show *s)
{
	char id[32];

	snprintf(id, sizeof(id), "T-%lld", (long long)s->f.seq);
	say_paint(s->b, &s->t->out, PAINT_BOLD, id);
	buf_addc(s->b, ' ');
	say_paint(s->b, &s->t->out, fault_paint(s->f.state), fault_state_title(s->f.state));
	buf_addc(s->b, ' ');
	CLEANUP(buf_free) struct buf title = { 0 };
	say_clean(&title, s->f.title);
	size_t at = strlen(id) + 2 + text_width(span_of(fault_state_title(s->f.state)));
	say_wrap(s->b, buf_view(&title), at, 2, s->width);
	buf_addc(s->b, '\n');
}

static void place(struct show *s)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	say_clean(&text, s->f.package);
	if (s->f.test.n) {
		buf_adds(&text, text.len ? " " : "");
		say_clean(&text, s->f.test);
	}
	if (s->f.file.n) {
		buf_adds(&text, text.len ? TR(", ", "，") : "");
		say_clean(&text, s->f.file);
	}
	if (s->f.file.n && s->f.line > 0)
		buf_addf(&text, ":%d", s->f.line);
	row(s, TR("where", "位置"), &text);
}

static void end_row(struct show *s, const char *name, int64_t at, struct span run, struct span commit, struct span url)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char date[32], age[16];

	when_date(at, date);
	when_age(s->t->now - at, age);
	if (s->t->now - at < 60 * NSEC_PER_SEC)
		buf_addf(&text, TR("%s (%s)", "%s（%s）"), date, age);
	else
		buf_addf(&text, TR("%s (%s ago)", "%s（%s前）"), date, age);
	if (commit.n) {
		buf_adds(&text, TR(", commit ", "，提交 "));
		add_commit(&text, commit);
	}
	if (run.n) {
		buf_adds(&text, TR(", run ", "，运行 "));
		say_clean(&text, run);
	}
	if (url.n) {
		buf_addc(&text, ' ');
		say_clean(&text, url);
	}
	row(s, name, &text);
}

static void counted(struct show *s)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_addf(&text, TR("in %lld run%s  ", "%lld 次运行中出现%s  "), (long long)s->f.count, TR(s->f.count == 1 ? "" : "s", ""));
	fault_spark(&text, s->days[0], FAULT_DAYS);
	buf_addf(&text, TR("  (%d days)", "（%d 天）"), FAULT_DAYS);
	label(s, TR("seen", "出现"));
	buf_span(s->b, buf_view(&text));
	buf_addc(s->b, '\n');
}

static void resolution(struct show *s)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char date[32];

	if (s->f.state == FAULT_IGNORED && s->f.ignored_until) {
		when_date(s->f.ignored_until, date);
		buf_addf(&text, TR("until %s", "直到 %s"), date);
		row(s, TR("ignored", "忽略"), &text);
		return;
	}
	if (!s->f.resolved_at)
		return;
	when_date(s->f.resolved_at, date);
	buf_adds(&text, date);
	if (s->f.resolved_by.n) {
		buf_adds(&text, TR(" by ", "，由 "));
		say_clean(&text, s->f.resolved_by);
	}
	if (s->f.fix.n) {
		buf_adds(&text, TR(": ", "："));
		say_clean(&text, s->f.fix);
	}
	if (s->f.fix_commit.n) {
		buf_adds(&text, TR(" (commit ", "（提交 "));
		add_commit(&text, s->f.fix_commit);
		buf_adds(&text, TR(")", "）"));
	}
	row(s, TR("resolved", "解决"), &text);
}

static void facts(struct show *s)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	enum cause id = cause_by_id(s->f.cause);

	say_clean(&text, s->f.cause);
	if (id)
		buf_addf(&text, "%s%s", TR(": ", "："), tx(cause_table[id].mean));
	row(s, TR("cause", "原因"), &text);
	place(s);
	row_span(s, TR("project", "项目"), s->f.project);
	row_span(s, TR("owner", "负责人"), s->f.owner);
	row_list(s, TR("tags", "标签"), s->f.tags);
	counted(s);
	end_row(s, TR("first", "首次"), s->f.first_seen, s->f.first_run, s->f.first_commit, s->f.first_url);
	if (s->f.count > 1 || s->f.last_seen != s->f.first_seen)
		end_row(s, TR("last", "最近"), s->f.last_seen, s->f.last_run, s->f.last_commit, s->f.last_url);
	resolution(s);
	if (s->f.defences.n)
		row_list(s, TR("defences", "防御"), s->f.defences);
	else
		row_span(s, TR("defences", "防御"), span_of(TR("none", "无")));
	if (id && cause_table[id].advice.en)
		row_span(s, TR("to do", "建议"), span_of(tx(cause_table[id].advice)));
	row_span(s, TR("fingerprint", "指纹"), s->f.fingerprint);
}

static void excerpt(struct show *s)
{
	CLEANUP(buf_free) struct buf lines = { 0 };

	if (!evidence(&s->last).n)
		return;
	say_lines(&lines, evidence(&s->last), 0, EXCERPT_LINES);
	for (struct span rest = buf_view(&lines); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		buf_adds(s->b, "  ");
		say_paint(s->b, &s->t->out, PAINT_DIM, "|");
		buf_adds(s->b, line.n ? " " : "");
		buf_span(s->b, line);
		buf_addc(s->b, '\n');
	}
}

/* ---- what is different between the first and the last ---- */

struct diff_line {
	enum diff_kind kind;
	struct span text;
};

struct diff_view {
	struct diff_line *v;
	size_t n, cap;
	bool bad;
};

static void keep_line(void *ctx, enum diff_kind kind, struct span text)
{
	struct diff_view *d = ctx;

	d->bad |= !mem_grow(&d->v, &d->cap, d->n, sizeof(*d->v));
	if (!d->bad)
		d->v[d->n++] = (struct diff_line){ kind, text };
}

static bool near_change(const struct diff_view *d, size_t at)
{
	size_t from = at > DIFF_CONTEXT ? at - DIFF_CONTEXT : 0;

	for (size_t i = from; i < d->n && i <= at + DIFF_CONTEXT; i++) {
		if (d->v[i].kind != DIFF_SAME)
			return true;
	}
	return false;
}

static void diff_row(struct buf *b, const struct term *t, size_t indent, const struct diff_line *l)
{
	static const enum paint paints[] = { PAINT_NONE, PAINT_RED, PAINT_GREEN };
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_addc(&text, " -+"[l->kind]);
	buf_addc(&text, ' ');
	say_clean(&text, l->text);
	say_pad(b, indent);
	say_paint(b, t, paints[l->kind], buf_str(&text));
	buf_addc(b, '\n');
}

/* Changed lines with some around them. False: there are none, or no memory. */
static bool diff_text(struct span from, struct span to, const struct term *t, size_t indent, struct buf *b)
{
	struct diff_view d = { 0 };
	size_t shown = 0;
	bool gap = false;

	bool differs = diff_lines(from, to, keep_line, &d) > 0 && !d.bad;
	for (size_t i = 0; differs && i < d.n && shown < DIFF_LINES_MAX; i++) {
		if (!near_change(&d, i)) {
			gap = true;
			continue;
		}
		if (gap && shown) {
			say_pad(b, indent);
			buf_adds(b, "…\n");
		}
		gap = false;
		diff_row(b, t, indent, &d.v[i]);
		shown++;
	}
	if (differs && shown == DIFF_LINES_MAX) {
		say_pad(b, indent);
		buf_addf(b, TR("… cut after %d lines\n", "… %d 行之后已截断\n"), DIFF_LINES_MAX);
	}
	mem_free(d.v);
	return differs;
}

/* "path version" lines by their path. */
static struct span module_version(struct span modules, struct span path)
{
	struct span line;

	while (fault_item(&modules, &line)) {
		struct span version = line, name = span_cut(&version, ' ');
		if (span_eq(name, path))
			return version.p ? version : S("");
	}
	return (struct span){ 0 };
}

/* Calls fn for each module whose version is another one; from or to is absent where there is none. */
typedef void module_fn(void *ctx, struct span path, struct span from, struct span to);
static void each_module(struct span a, struct span b, module_fn *fn, void *ctx)
{
	struct span line;

	if (!a.n || !b.n)
		return;
	for (struct span rest = a; fault_item(&rest, &line);) {
		struct span version = line, path = span_cut(&version, ' '), to = module_version(b, path);
		if (!to.p || !span_eq(version, to))
			fn(ctx, path, version, to);
	}
	for (struct span rest = b; fault_item(&rest, &line);) {
		struct span version = line, path = span_cut(&version, ' ');
		if (!module_version(a, path).p)
			fn(ctx, path, (struct span){ 0 }, version);
	}
}

struct module_say {
	struct show *s;
	size_t n;
};

static void say_module(void *ctx, struct span path, struct span from, struct span to)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct module_say *m = ctx;

	if (m->n++ >= MODULES_MAX)
		return;
	say_clean(&text, path);
	buf_addc(&text, ' ');
	say_clean(&text, from.p ? from : span_of(TR("(none)", "（无）")));
	buf_adds(&text, " -> ");
	say_clean(&text, to.p ? to : span_of(TR("(gone)", "（已移除）")));
	row(m->s, TR("module", "模块"), &text);
}

static void change_row(struct show *s, const char *name, struct span from, struct span to)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!from.n || !to.n || span_eq(from, to))
		return;
	say_clean(&text, span_head(from, 40));
	buf_adds(&text, " -> ");
	say_clean(&text, span_head(to, 40));
	row(s, name, &text);
}

static void changes(struct show *s)
{
	CLEANUP(buf_free) struct buf diff = { 0 };
	CLEANUP(buf_free) struct buf rows = { 0 };
	struct buf *const outer = s->b;
	const struct seen *a = s->oldest.n ? &s->oldest.v[0] : NULL, *b = s->seen.n ? &s->seen.v[0] : NULL;
	struct module_say m = { s, 0 };

	if (s->f.count < 2)
		return;
	s->b = &rows;
	change_row(s, TR("commit", "提交"), span_head(s->f.first_commit, 12), span_head(s->f.last_commit, 12));
	if (a && b) {
		change_row(s, "Go", a->go, b->go);
		each_module(a->modules, b->modules, say_module, &m);
	}
	if (m.n > MODULES_MAX)
		buf_addf(&rows, TR("  … %zu more modules\n", "  … 另有 %zu 个模块\n"), m.n - MODULES_MAX);
	s->b = outer;
	bool differs = diff_text(evidence(&s->first), evidence(&s->last), &s->t->out, 2, &diff);
	if (!rows.len && !differs)
		return;
	heading(s, TR("Different since the first time", "与首次相比的变化"));
	buf_span(s->b, buf_view(&rows));
	buf_span(s->b, buf_view(&diff));
}

/* ---- history, recurrences, what is like it ---- */

/* clang-format off */
static const struct tx event_titles[CHANGE_KINDS] = {
	[CHANGE_RESOLVED] = { "resolved", "解决" }, [CHANGE_REOPENED] = { "reopened", "重新打开" }, [CHANGE_IGNORED] = { "ignored", "忽略" },
	[CHANGE_ASSIGNED] = { "assigned", "指派" }, [CHANGE_TAGGED] = { "tagged", "加标签" }, [CHANGE_UNTAGGED] = { "untagged", "去标签" },
	[CHANGE_NOTE] = { "note", "备注" }, [CHANGE_LINKED] = { "linked", "关联防御" }, [CHANGE_UNLINKED] = { "unlinked", "取消防御" },
	[CHANGE_MERGED] = { "merged", "合并" }, [CHANGE_REGRESSED] = { "regressed", "复发" }, [CHANGE_IMPORTED] = { "imported", "导入" },
};
/* What the data of an event say, in the order of their use. */
static const struct { const char *key; struct tx before; bool commit; } event_data[] = {
	{ "commit", { "commit ", "提交 " }, true },
	{ "good", { "after ", "在此之后 " }, true },
	{ "bad", { "seen again at ", "再次出现于 " }, true },
	{ "until", { "until ", "直到 " }, false },
	{ "into", { "into T-", "并入 T-" }, false },
};
/* clang-format on */

static const char *event_title(struct span kind)
{
	for (size_t i = 0; i < CHANGE_KINDS; i++) {
		if (span_eq(span_of(change_words[i]), kind) && event_titles[i].en)
			return tx(event_titles[i]);
	}
	return NULL;
}

static void add_event_data(struct buf *b, struct span data)
{
	struct span v;

	for (size_t i = 0; i < ARRAY_LEN(event_data); i++) {
		int64_t at;
		char date[32];
		if (!json_find(data, event_data[i].key, &v) || !v.n || span_eq(v, S("null")) || span_eq(v, S("0")))
			continue;
		buf_addf(b, "%s%s", TR("; ", "；"), tx(event_data[i].before));
		if (!strcmp(event_data[i].key, "until") && span_int(v, &at)) {
			when_date(at, date);
			buf_adds(b, date);
		} else if (event_data[i].commit) {
			add_commit(b, v);
		} else {
			say_clean(b, v);
		}
	}
}

static void history(struct show *s)
{
	if (s->events.n)
		heading(s, TR("History", "历史"));
	for (size_t i = 0; i < s->events.n; i++) {
		const struct fault_event *v = &s->events.v[i];
		CLEANUP(buf_free) struct buf text = { 0 };
		const char *title = event_title(v->kind);
		char date[32];
		when_date(v->at, date);
		if (title)
			buf_adds(&text, title);
		else
			say_clean(&text, v->kind);
		if (v->who.n) {
			buf_adds(&text, TR(" by ", "，"));
			say_clean(&text, v->who);
		}
		if (v->text.n) {
			struct span rest = v->text;
			buf_adds(&text, TR(": ", "："));
			say_clean(&text, span_cut(&rest, '\n'));
			buf_adds(&text, rest.n ? " …" : "");
		}
		add_event_data(&text, v->data);
		buf_addf(s->b, "  %s  ", date);
		say_wrap(s->b, buf_view(&text), 20, 20, s->width);
		buf_addc(s->b, '\n');
	}
}

static void add_column(struct buf *b, struct span text, size_t width)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	say_clean(&clean, text);
	struct span fit = text_fit(buf_view(&clean), width);
	buf_span(b, fit);
	say_pad(b, width - text_width(fit) + 2);
}

static size_t widest(const struct seen_list *l, size_t at, size_t most)
{
	size_t w = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct span *s = (const struct span *)(const void *)((const char *)&l->v[i] + at);
		w = s->n > w ? s->n : w;
	}
	return w > most ? most : w;
}

static void sightings(struct show *s)
{
	size_t branch = widest(&s->seen, offsetof(struct seen, branch), 20), commit = widest(&s->seen, offsetof(struct seen, commit), 10),
	       go = widest(&s->seen, offsetof(struct seen, go), 12);

	if (!s->seen.n)
		return;
	heading(s, TR("Seen", "出现记录"));
	for (size_t i = 0; i < s->seen.n; i++) {
		const struct seen *x = &s->seen.v[i];
		char date[32];
		when_date(x->started, date);
		buf_addf(s->b, "  %s  ", date);
		add_column(s->b, x->run, 26);
		if (branch)
			add_column(s->b, x->branch, branch);
		if (commit)
			add_column(s->b, span_head(x->commit, 10), commit);
		if (go && s->width >= 100)
			add_column(s->b, x->go, go);
		if (x->url.n && s->width < 120)
			buf_adds(s->b, "\n                    ");
		say_clean(s->b, x->url);
		while (s->b->len && s->b->p[s->b->len - 1] == ' ')
			s->b->len--;
		buf_addc(s->b, '\n');
	}
	if (s->f.count > (int64_t)s->seen.n && s->seen.n == SIGHTINGS_MAX)
		buf_addf(s->b, TR("  … %lld more: tocsin fault show T-%lld --all\n", "  … 另有 %lld 次：tocsin fault show T-%lld --all\n"),
			 (long long)(s->f.count - (int64_t)s->seen.n), (long long)s->f.seq);
}

static void similar(struct show *s)
{
	if (!s->similar.n)
		return;
	heading(s, TR("Similar", "相似故障"));
	for (size_t i = 0; i < s->similar.n; i++) {
		const struct fault *f = &s->similar.v[i];
		CLEANUP(buf_free) struct buf line = { 0 };
		buf_addf(&line, "T-%lld  %s  ", (long long)f->seq, fault_state_title(f->state));
		say_clean(&line, f->cause);
		buf_adds(&line, "  ");
		say_clean(&line, f->title);
		buf_adds(s->b, "  ");
		buf_span(s->b, text_fit(buf_view(&line), s->width - 2));
		buf_addc(s->b, '\n');
	}
}

/* ---- for programs ---- */

static void put(struct json_out *j, const char *key, struct span v)
{
	json_key(j, key);
	json_str(j, v.n ? v : (struct span){ 0 });
}

static void put_time(struct json_out *j, const char *key, int64_t at)
{
	char text[32];

	time_rfc3339(at, text);
	put(j, key, span_of(text));
}

static void put_finding(struct json_out *j, const char *key, const struct finding *f)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct report none = { 0 };

	if (f->cause || f->message.n || f->excerpt.n)
		finding_json(&none, f, &text);
	fault_json_raw(j, key, buf_view(&text));
}

void fault_events_json(struct json_out *j, const struct fault_event *v, size_t n)
{
	json_key(j, "events");
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		put(j, "id", v[i].id);
		put_time(j, "at", v[i].at);
		put(j, "kind", v[i].kind);
		put(j, "who", v[i].who);
		put(j, "text", v[i].text);
		fault_json_raw(j, "data", v[i].data);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_module(void *ctx, struct span path, struct span from, struct span to)
{
	struct json_out *j = ctx;

	json_open(j, '{');
	put(j, "path", path);
	put(j, "from", from);
	put(j, "to", to);
	json_close(j, '}');
}

static void put_from_to(struct json_out *j, const char *key, struct span from, struct span to)
{
	json_key(j, key);
	json_open(j, '{');
	put(j, "from", from);
	put(j, "to", to);
	json_close(j, '}');
}

static void put_changes(struct show *s, struct json_out *j)
{
	const struct seen none = { 0 }, *a = s->oldest.n ? &s->oldest.v[0] : &none, *b = s->seen.n ? &s->seen.v[0] : &none;
	CLEANUP(buf_free) struct buf diff = { 0 };

	json_key(j, "changes");
	json_open(j, '{');
	put_from_to(j, "commit", s->f.first_commit, s->f.last_commit);
	put_from_to(j, "go", a->go, b->go);
	json_key(j, "modules");
	json_open(j, '[');
	each_module(a->modules, b->modules, put_module, j);
	json_close(j, ']');
	diff_text(evidence(&s->first), evidence(&s->last), &(struct term){ 0 }, 0, &diff);
	put(j, "excerpt", buf_view(&diff));
	json_close(j, '}');
}

static void put_sightings(struct show *s, struct json_out *j)
{
	json_key(j, "sightings");
	json_open(j, '[');
	for (size_t i = 0; i < s->seen.n; i++) {
		const struct seen *x = &s->seen.v[i];
		json_open(j, '{');
		put(j, "run", x->run);
		put_time(j, "started", x->started);
		put(j, "branch", x->branch);
		put(j, "commit", x->commit);
		put(j, "url", x->url);
		put(j, "go", x->go);
		put(j, "outcome", x->outcome);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void show_json(struct show *s)
{
	struct json_out j = { .to = s->b };

	json_open(&j, '{');
	put(&j, "schema", S("tocsin.fault/1"));
	json_key(&j, "fault");
	fault_json(&j, &s->f, s->days[0]);
	fault_events_json(&j, s->events.v, s->events.n); /* with the ends as in an export */
	put_finding(&j, "first", &s->first);
	put_finding(&j, "last", &s->last);
	json_close(&j, '}');
	put_sightings(s, &j);
	put_changes(s, &j);
	json_key(&j, "similar");
	json_open(&j, '[');
	for (size_t i = 0; i < s->similar.n; i++) {
		fault_json(&j, &s->similar.v[i], NULL);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(s->b, '\n');
}

static void show_text(struct show *s)
{
	head(s);
	facts(s);
	excerpt(s);
	changes(s);
	history(s);
	sightings(s);
	similar(s);
}

static int run(void *values, const struct args *a)
{
	const struct show_values *o = values;
	struct fault_task t;
	struct err e = { 0 };

	if (a->n != 1)
		return say_usage("fault show", a->n ? TR("one fault at a time", "一次只能查看一个故障")
						    : TR("which fault? For example: tocsin fault show T-42", "哪个故障？例如：tocsin fault show T-42"));
	int status = fault_begin(&t, o->store);
	if (status)
		return status;
	struct show s = { .t = &t, .b = &t.text, .seen.mem = &t.mem, .oldest.mem = &t.mem, .events.mem = &t.mem, .similar.mem = &t.mem };
	s.width = !t.out.tty ? 200 : t.out.width > 160 ? 160 : t.out.width < 60 ? 60 : t.out.width;
	int r = read_all(&s, a->v[0], o->all, &e);
	if (r >= 0 && o->json)
		show_json(&s);
	else if (r >= 0)
		show_text(&s);
	mem_free(s.seen.v);
	mem_free(s.oldest.v);
	mem_free(s.events.v);
	fault_list_free(&s.similar);
	return fault_end(&t, r, &e);
}

/* clang-format off */
static const struct opt opts[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct show_values, all), { NULL, NULL }, { "every recurrence, not only the newest 20", "列出每一次出现，而不只是最近 20 次" }, NULL, 0 },
	{ "json", 0, OPT_FLAG, offsetof(struct show_values, json), { NULL, NULL }, { "as JSON (tocsin.fault/1)", "输出 JSON（tocsin.fault/1）" }, NULL, 0 },
	OPT_STORE(struct show_values),
};
/* clang-format on */

const struct verb verb_fault_show = {
	.name = "fault show",
	.args = { "ID", "编号" },
	.brief = { "all about one fault: history, recurrences, what changed between the first and the last, similar ones",
		   "一个故障的全部信息：历史、每次出现、首次与最近之间的变化、相似故障" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct show_values),
	.run = run,
};
