/* The sentences of relations. */
#include "diagnose/relate_own.h"

static const char *base_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash && slash[1] ? slash + 1 : name;
}

/* Without its folder, unless that leaves two alike. */
static const char *name_of(const struct relate *r, size_t file)
{
	const char *own = base_of(r->files[file].name);

	for (size_t i = 0; i < r->n_files; i++) {
		if (i != file && strcmp(base_of(r->files[i].name), own) == 0)
			return r->files[file].name;
	}
	return own;
}

/* NULL: no room for more. */
struct relation *relate_add(struct relate *r, const char *word, const struct subject *s, size_t a, size_t b)
{
	struct relation *x;

	if (r->n_found >= FOUND || !mem_grow(&r->found, &r->cap_found, r->n_found, sizeof(*r->found)))
		return NULL;
	x = &r->found[r->n_found++];
	*x = (struct relation){ .word = word,
				.files = { r->files[a].name, r->files[b].name },
				.goroutine = s && s->id > 0 ? s->id : 0,
				.text = "" };
	x->timed = relate_gap(r, s, a, b, &x->gap);
	return x;
}

void relate_set(struct relate *r, struct relation *x, struct buf *text)
{
	const char *kept = text->bad ? NULL : arena_str(&r->mem, buf_view(text));

	if (kept)
		x->text = kept;
	else
		r->n_found--; /* it is the last */
}

static void put_ns(struct buf *b, int64_t ns)
{
	char text[32];

	profile_value_text(ns, S("nanoseconds"), text);
	buf_adds(b, text);
}

/* "goroutine 6, which crashed (log.txt)" */
void relate_who(const struct relate *r, const struct subject *s, struct buf *b)
{
	if (s->crashed)
		buf_addf(b, TR("goroutine %lld, which crashed (%s)", "崩溃的 goroutine %lld（%s）"),
			 (long long)s->id, name_of(r, s->file));
	else
		buf_addf(b, TR("goroutine %lld, which is stuck (%s)", "卡住的 goroutine %lld（%s）"),
			 (long long)s->id, name_of(r, s->file));
}

/* ", 0.8s before, by the file's time" */
void relate_when(const struct relation *x, const struct relate *r, size_t a, size_t b, struct buf *text)
{
	bool file = r->files[a].clock == RELATE_FILE_CLOCK || r->files[b].clock == RELATE_FILE_CLOCK;
	int64_t gap = x->gap < 0 ? -x->gap : x->gap;

	if (!x->timed || (file && gap > RELATE_NEAR)) {
		buf_adds(text, TR(" (whether it is of the same moment, no time says)",
				  "（没有时间能说明二者是否同一时刻）"));
		return;
	}
	buf_adds(text, TR(", ", "，"));
	if (!gap) {
		buf_adds(text, TR("at that moment", "正是那一刻"));
	} else {
		put_ns(text, gap);
		buf_adds(text, x->gap < 0 ? TR(" earlier", " 之前") : TR(" later", " 之后"));
	}
	if (file)
		buf_adds(text, TR(" by the time of the file", "（按文件时间）"));
}

/* ---- time ---- */

static const struct tx whats[] = {
	[RELATE_LOG] = { "the last lines of %s", "%s 的最后几行" },
	[RELATE_DUMP] = { "the goroutine dump %s", "goroutine 转储 %s" },
	[RELATE_PROFILE] = { "the profile %s", "剖析 %s" },
	[RELATE_TRACE] = { "the execution trace %s", "执行跟踪 %s" },
};

static void put_what(const struct relate *r, size_t file, struct buf *b)
{
	const struct tx t = whats[r->files[file].kind];
	struct span s = span_of(tx(t));
	size_t at = span_find(s, S("%s"));

	buf_span(b, span_head(s, at));
	buf_adds(b, name_of(r, file));
	buf_span(b, span_from(s, at + 2));
}

static const struct subject *crash_of(const struct relate *r, size_t file)
{
	for (size_t i = 0; i < r->n_subjects; i++) {
		if (r->subjects[i].file == file && r->subjects[i].crashed)
			return &r->subjects[i];
	}
	return NULL;
}

static bool by_file(const struct relate *r, size_t a, size_t b)
{
	return r->files[a].clock == RELATE_FILE_CLOCK || r->files[b].clock == RELATE_FILE_CLOCK;
}

/* Only when they are near, and nothing else relates them. */
void relate_say_time(struct relate *r, size_t a, size_t b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct subject *crash = crash_of(r, a);
	int64_t gap;

	for (size_t i = 0; i < r->n_found; i++) { /* what says more says that too */
		const struct relation *x = &r->found[i];

		if (x->files[0] == r->files[a].name && x->files[1] == r->files[b].name)
			return;
	}
	if (!relate_gap(r, crash, a, b, &gap) || gap > RELATE_NEAR || gap < -RELATE_NEAR)
		return;
	struct relation *x = relate_add(r, "time", crash, a, b);
	if (!x)
		return;
	put_what(r, b, &text);
	if (!gap && r->files[b].from && !by_file(r, a, b)) {
		buf_adds(&text, TR(" covers ", " 涵盖了 "));
	} else if (!gap) {
		buf_adds(&text, TR(" is of the same moment as ", " 同一时刻："));
	} else {
		buf_adds(&text, TR(" is ", " 比下述时刻"));
		if (lang_now != LANG_ZH) {
			put_ns(&text, gap < 0 ? -gap : gap);
			buf_adds(&text, gap < 0 ? " before " : " after ");
		} else {
			buf_adds(&text, gap < 0 ? "早 " : "晚 ");
			put_ns(&text, gap < 0 ? -gap : gap);
			buf_adds(&text, "：");
		}
	}
	if (crash)
		buf_addf(&text, TR("the crash of goroutine %lld (%s)", "goroutine %lld 的崩溃（%s）"),
			 (long long)crash->id, name_of(r, a));
	else
		put_what(r, a, &text);
	if (by_file(r, a, b))
		buf_adds(&text, TR(", by the time of the file", "（按文件时间）"));
	relate_set(r, x, &text);
}

/* ---- goroutines ---- */

void relate_say_stood(struct relate *r, const struct subject *s, size_t file, const struct stood *g)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct relation *x = relate_add(r, "goroutine", s, s->file, file);

	if (!x)
		return;
	relate_who(r, s, &text);
	buf_addf(&text, TR(", stands in %s", "，见于 %s"), name_of(r, file));
	relate_when(x, r, s->file, file, &text);
	buf_addf(&text, "%s[%s]", TR(": ", "："), g->status);
	if (g->func.n) {
		size_t slash = span_rchr(g->at, '/');
		struct span at = slash == SPAN_NONE ? g->at : span_from(g->at, slash + 1);

		buf_addf(&text, TR(" at %.*s (%.*s)", "，位于 %.*s（%.*s）"), (int)g->func.n, g->func.p,
			 (int)at.n, at.p);
	}
	x->function = g->func;
	relate_set(r, x, &text);
}

static void put_place(const struct trace *t, uint32_t stack, struct buf *b)
{
	const struct xt_frame *f = trace_place(t, stack);

	if (!f)
		return;
	struct span func = trace_text(t, f->func), file = trace_text(t, f->file);
	size_t slash = span_rchr(file, '/');

	file = slash == SPAN_NONE ? file : span_from(file, slash + 1);
	buf_addf(b, TR(" at %.*s (%.*s:%u)", "，位于 %.*s（%.*s:%u）"), (int)func.n, func.p, (int)file.n,
		 file.p, f->line);
}

static void put_moment(const struct trace *t, const struct trace_moment *m, bool last, bool ended,
		       struct buf *b)
{
	struct span reason = trace_text(t, m->reason);

	put_ns(b, m->to - m->from);
	buf_addc(b, ' ');
	if (reason.n)
		buf_addf(b, "%s (%.*s)", trace_class_title(m->class), (int)reason.n, reason.p);
	else
		buf_adds(b, trace_class_title(m->class));
	put_place(t, m->stack, b);
	if (last)
		buf_adds(b, ended ? TR(", then it ended", "，随后结束")
				  : TR(", until the trace ends", "，直到跟踪结束"));
}

void relate_say_moments(struct relate *r, const struct subject *s, size_t file, const struct trace *t,
			const struct trace_watched *w)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct relation *x = relate_add(r, "goroutine", s, s->file, file);
	struct span root = trace_view(t)->groups[w->group].name;

	if (!x)
		return;
	relate_who(r, s, &text);
	buf_addf(&text, TR(", is in the trace %s (started in %.*s)", "，见于执行跟踪 %s（起始于 %.*s）"),
		 name_of(r, file), (int)root.n, root.p);
	relate_when(x, r, s->file, file, &text);
	buf_adds(&text, TR("; its last moments: ", "；最后时刻："));
	for (size_t i = 0; i < w->n; i++) {
		buf_adds(&text, i ? TR("; ", "；") : "");
		put_moment(t, &w->last[i], i + 1 == w->n, w->ended, &text);
	}
	x->function = arena_span(&r->mem, root);
	relate_set(r, x, &text);
}

/* ---- profiles ---- */

static void put_value(struct buf *b, const struct file *f, int64_t v)
{
	char text[32];

	profile_value_text(v, f->unit, text);
	buf_adds(b, text);
}

static void put_part(struct buf *b, const struct file *f, int64_t v)
{
	put_value(b, f, v);
	buf_addf(b, " (%.1f%%)", f->total ? 100.0 * (double)v / (double)f->total : 0);
}

void relate_say_row(struct relate *r, const struct subject *s, size_t file, const struct profile_row *row)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct file *f = &r->files[file];
	struct relation *x = relate_add(r, "function", s, s->file, file);

	if (!x)
		return;
	buf_addf(&text, TR("%.*s, on the stack of ", "%.*s 位于调用栈上："), (int)row->name.n, row->name.p);
	relate_who(r, s, &text);
	buf_adds(&text, TR(", stands for ", "；其占 "));
	put_part(&text, f, row->cum);
	buf_adds(&text, TR(" of ", "，总量 "));
	put_value(&text, f, f->total);
	buf_addf(&text, TR(" %.*s in %s", " %.*s，见 %s"), (int)f->type.n, f->type.p, name_of(r, file));
	relate_when(x, r, s->file, file, &text);
	if (row->flat != row->cum) {
		buf_adds(&text, TR("; itself for ", "；自身 "));
		put_value(&text, f, row->flat);
	}
	x->function = row->name;
	relate_set(r, x, &text);
}

/* The largest that are no runtime functions: they are what the program asked memory for. */
static size_t largest(const struct file *f, const struct profile_row *top[3])
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_rows && n < 3; i++) {
		const struct profile_row *row = &f->rows[i]; /* in order of flat */

		if (row->flat > 0 && (double)row->flat >= 0.05 * (double)f->total)
			top[n++] = row;
	}
	return n;
}

void relate_say_memory(struct relate *r, const struct subject *s, size_t file)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct file *f = &r->files[file];
	const struct profile_row *top[3];
	size_t n = largest(f, top);
	struct relation *x = n ? relate_add(r, "memory", s, s->file, file) : NULL;

	if (!x)
		return;
	buf_addf(&text, TR("out of memory (%s): the heap profile %s", "内存不足（%s）：堆剖析 %s"),
		 name_of(r, s->file), name_of(r, file));
	relate_when(x, r, s->file, file, &text);
	buf_adds(&text, TR(", shows ", "，显示 "));
	put_value(&text, f, f->total);
	buf_addf(&text, TR(" %.*s; of it ", " %.*s；其中 "), (int)f->type.n, f->type.p);
	for (size_t i = 0; i < n; i++) {
		buf_adds(&text, i ? TR(", ", "，") : "");
		put_part(&text, f, top[i]->flat);
		buf_addf(&text, TR(" in %.*s", " 位于 %.*s"), (int)top[i]->name.n, top[i]->name.p);
	}
	x->function = top[0]->name;
	relate_set(r, x, &text);
}
