#include "diagnose/relate.h"

#include <errno.h>

#include "diagnose/relate_own.h"

int relate_new(struct relate **ret, struct err *e)
{
	*ret = mem_zalloc(sizeof(**ret));
	if (!*ret)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	(*ret)->mem.max = 64u << 20;
	return 0;
}

void relate_free(struct relate *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_files; i++)
		mem_free(r->files[i].rows);
	mem_free(r->files);
	mem_free(r->found);
	arena_free(&r->mem);
	mem_free(r);
}

void relate_file(struct relate *r, enum relate_kind kind, const char *name, int64_t file_time)
{
	struct file f = { .kind = kind,
			  .clock = file_time ? RELATE_FILE_CLOCK : RELATE_NO_CLOCK,
			  .to = file_time };

	if (r->n_files >= RELATE_FILES || !mem_grow(&r->files, &r->cap_files, r->n_files, sizeof(f)))
		return;
	f.name = arena_str(&r->mem, span_of(name));
	if (f.name)
		r->files[r->n_files++] = f;
}

static struct file *last_file(struct relate *r)
{
	return r->n_files ? &r->files[r->n_files - 1] : NULL;
}

static bool is_runtime(struct span func)
{
	return span_starts(func, S("runtime.")) || span_starts(func, S("runtime/")) ||
	       span_eq(func, S("panic"));
}

/* ---- who crashed ---- */

static struct subject *subject_new(struct relate *r, enum cause cause, int64_t id, bool crashed)
{
	if (r->n_subjects == RELATE_SUBJECTS) {
		r->left_out++;
		return NULL;
	}
	r->subjects[r->n_subjects] =
		(struct subject){ .file = r->n_files - 1, .cause = cause, .id = id, .crashed = crashed };
	return &r->subjects[r->n_subjects++];
}

static void subject_func(struct relate *r, struct subject *s, struct span func)
{
	if (s->n_funcs < FUNCS && func.n && !is_runtime(func)) {
		s->funcs[s->n_funcs] = arena_span(&r->mem, func);
		s->n_funcs += s->funcs[s->n_funcs].p != NULL;
	}
}

/* The first goroutine of an excerpt. What stands above a panic( ran because of it. */
static struct subject *subject_read(struct relate *r, const struct finding *f)
{
	struct span rest = f->excerpt;
	struct subject *s = NULL;
	struct goheader h;

	while (rest.n) {
		struct span line = span_cut(&rest, '\n');

		if (goheader_read(line, &h)) {
			if (s)
				break;
			s = subject_new(r, f->cause, h.id, true);
			if (!s)
				return NULL;
		} else if (s && span_skip(&line, S("created by "))) {
			int64_t id;

			s->creator = arena_span(&r->mem, goframe_creator(line, &id));
			break;
		} else if (s && span_starts(line, S("panic("))) {
			s->n_funcs = 0;
		} else if (s && line.n && line.p[0] != '\t') {
			subject_func(r, s, span_head(line, goframe_func_length(line)));
		}
	}
	return s;
}

void relate_log(struct relate *r, const struct logclock *c, const struct report *found)
{
	struct file *file = last_file(r);
	bool timed = false;

	if (!file)
		return;
	for (size_t i = 0; i < found->n_findings; i++) {
		struct subject *s = subject_read(r, &found->findings[i]);

		if (!s)
			continue;
		s->at = logclock_of(c, s->id);
		timed |= s->at != 0;
	}
	if (c->last && (timed || file->clock == RELATE_NO_CLOCK || c->first)) {
		file->from = c->first;
		file->grain = c->last % NSEC_PER_SEC ? 0 : NSEC_PER_SEC - 1; /* whole seconds */
		file->to = c->last + file->grain;
		file->clock = RELATE_OWN_CLOCK;
	}
}

/* ---- dumps ---- */

static struct span place_func(const struct goroutines *g, const struct tb_bucket *b, uint32_t i)
{
	return i < b->n_places ? goroutines_func(g, b->places[i]) : S("");
}

static struct span root_of(const struct goroutines *g, const struct tb_bucket *b)
{
	for (uint32_t i = b->n_places; i > 0; i--) {
		if (!is_runtime(place_func(g, b, i - 1)))
			return place_func(g, b, i - 1);
	}
	return S("");
}

static void keep_goroutine(struct relate *r, struct file *f, const struct goroutines *g,
			   const struct tb_goroutine *one)
{
	const struct tb_bucket *b = &g->t->buckets[one->bucket];
	const struct gogroup *group = &g->groups[g->group_of[one->bucket]];
	struct stood *s = &f->stood[f->n_stood];
	uint32_t place = group->place;

	s->id = one->id;
	s->status = arena_str(&r->mem, b->status);
	s->root = arena_span(&r->mem, root_of(g, b));
	if (place != TB_NONE) {
		s->func = arena_span(&r->mem, goroutines_func(g, place));
		s->at = arena_span(&r->mem, g->t->places[place].at);
	}
	f->n_stood += s->status && s->root.p;
}

static void keep_stuck(struct relate *r, const struct goroutines *g, const struct goknot *k)
{
	for (size_t i = 0; i < k->n_members; i++) {
		if (k->members[i].goroutine == TB_NONE)
			continue;
		const struct tb_goroutine *one = tb_at(g->t, k->members[i].goroutine);
		const struct tb_bucket *b = &g->t->buckets[one->bucket];
		struct subject *s = subject_new(r, k->cause, one->id, false);

		for (uint32_t p = 0; s && p < b->n_places; p++)
			subject_func(r, s, place_func(g, b, p));
		if (s && b->creator != TB_NONE)
			s->creator = arena_span(&r->mem, goroutines_func(g, b->creator));
	}
}

void relate_dump(struct relate *r, const struct goroutines *g)
{
	struct file *f = last_file(r);

	if (!f || g->no_memory)
		return;
	for (size_t i = 0; i < g->n_knots; i++)
		keep_stuck(r, g, &g->knots[i]);
	if (g->t->n_goroutines > STOOD || !g->group_of)
		return;
	f->stood = arena_alloc(&r->mem, (g->t->n_goroutines + 1) * sizeof(*f->stood));
	for (size_t i = 0; f->stood && i < g->t->n_goroutines; i++)
		keep_goroutine(r, f, g, tb_at(g->t, i));
}

/* ---- profiles and traces ---- */

void relate_profile(struct relate *r, const struct profile_info *i, struct pprof_type type,
		    const struct profile_rows *rows)
{
	struct file *f = last_file(r);
	size_t n = rows->n < ROWS ? rows->n : ROWS;

	if (!f)
		return;
	if (i->time_ns > 0) {
		f->clock = RELATE_OWN_CLOCK;
		f->from = i->duration_ns > 0 ? i->time_ns : 0;
		f->to = i->time_ns +
			(i->duration_ns > 0 && i->duration_ns < INT64_MAX - i->time_ns ? i->duration_ns : 0);
	}
	f->profile = i->kind; /* a literal */
	f->type = arena_span(&r->mem, type.type);
	f->unit = arena_span(&r->mem, type.unit);
	f->total = rows->total;
	if (r->n_rows + n > ALL_ROWS)
		return;
	f->rows = mem_alloc((n + 1) * sizeof(*f->rows));
	for (size_t k = 0; f->rows && k < n; k++) {
		f->rows[k] = rows->v[k];
		f->rows[k].name = arena_span(&r->mem, rows->v[k].name);
		if (!f->rows[k].name.p)
			break;
		f->n_rows++;
	}
	r->n_rows += f->n_rows;
}

void relate_trace(struct relate *r, const struct trace *t)
{
	const struct xt_stats *s = trace_view(t)->stats;
	struct file *f = last_file(r);

	if (!f || !s || !s->generations)
		return;
	if (s->clock_wall) {
		f->clock = RELATE_OWN_CLOCK;
		f->from = s->clock_wall + (s->first - s->clock_trace);
		f->to = s->clock_wall + (s->last - s->clock_trace);
	} else if (f->to) {
		f->from = f->to - trace_view(t)->duration;
	}
}

/* ---- how far apart ---- */

bool relate_gap(const struct relate *r, const struct subject *s, size_t a, size_t b, int64_t *gap)
{
	const struct file *f = &r->files[a], *g = &r->files[b];
	int64_t from = f->from ? f->from : f->to, to = f->to, g_from = g->from ? g->from : g->to;

	*gap = 0;
	if (!f->clock || !g->clock)
		return false;
	if (s && (s->at || f->kind == RELATE_LOG)) { /* without a time: whoever crashed said it last */
		from = s->at ? s->at : to - f->grain;
		to = from + f->grain;
	}
	if (g_from > to)
		*gap = g_from - to;
	else if (g->to < from)
		*gap = g->to - from;
	return true;
}

/* By the evidence's own times they are not of one moment. */
static bool far(const struct relate *r, const struct subject *s, size_t a, size_t b)
{
	int64_t gap;

	if (r->files[a].clock != RELATE_OWN_CLOCK || r->files[b].clock != RELATE_OWN_CLOCK ||
	    !relate_gap(r, s, a, b, &gap))
		return false;
	return gap > RELATE_NEAR || gap < -RELATE_NEAR;
}

/* ---- goroutines ---- */

static bool started_in(const struct subject *s, struct span root)
{
	for (size_t i = 0; i < s->n_funcs; i++) {
		if (span_eq(s->funcs[i], root))
			return true;
	}
	return false;
}

static void ask_dump(struct relate *r, const struct subject *s, size_t file)
{
	const struct file *f = &r->files[file];

	for (size_t i = 0; i < f->n_stood; i++) {
		if (f->stood[i].id == s->id && started_in(s, f->stood[i].root)) {
			relate_say_stood(r, s, file, &f->stood[i]);
			return;
		}
	}
}

size_t relate_ask(const struct relate *r, const char *name, uint64_t ids[RELATE_SUBJECTS])
{
	size_t n = 0;

	for (size_t file = 0; file < r->n_files; file++) {
		if (r->files[file].kind != RELATE_TRACE || strcmp(r->files[file].name, name) != 0)
			continue;
		for (size_t i = 0; i < r->n_subjects; i++) {
			if (r->subjects[i].id > 0 && !far(r, &r->subjects[i], r->subjects[i].file, file))
				ids[n++] = (uint64_t)r->subjects[i].id;
		}
		break;
	}
	return n;
}

void relate_answer(struct relate *r, const char *name, const struct trace *t)
{
	size_t file = 0;

	while (file < r->n_files &&
	       (r->files[file].kind != RELATE_TRACE || strcmp(r->files[file].name, name) != 0))
		file++;
	for (size_t i = 0; file < r->n_files && i < r->n_subjects; i++) {
		const struct subject *s = &r->subjects[i];
		const struct trace_watched *w =
			s->id > 0 && !far(r, s, s->file, file) ? trace_watched(t, (uint64_t)s->id) : NULL;

		if (w && started_in(s, trace_view(t)->groups[w->group].name))
			relate_say_moments(r, s, file, t, w);
	}
}

/* ---- functions ---- */

static const struct profile_row *row_of(const struct file *f, struct span func)
{
	for (size_t i = 0; i < f->n_rows; i++) {
		if (span_eq(f->rows[i].name, func))
			return &f->rows[i];
	}
	return NULL;
}

/* Which profiles can have to do with a crash, and which with who is stuck. */
static bool may_tell(const struct subject *s, const char *profile)
{
	static const char *const crash[] = { "heap", "allocs", "cpu" }, *const stuck[] = { "mutex", "block",
											   "cpu" };

	for (size_t i = 0; i < ARRAY_LEN(crash); i++) {
		if (strcmp(s->crashed ? crash[i] : stuck[i], profile) == 0)
			return true;
	}
	return false;
}

/* The innermost function of the subject that stands for a twentieth of the profile. Where a program begins says nothing. */
static void ask_profile(struct relate *r, const struct subject *s, size_t file)
{
	const struct file *f = &r->files[file];

	if (s->cause == CAUSE_GO_OUT_OF_MEMORY && strcmp(f->profile, "heap") == 0) {
		relate_say_memory(r, s, file);
		return;
	}
	if (!may_tell(s, f->profile))
		return;
	for (size_t i = 0; i < s->n_funcs; i++) {
		const struct profile_row *row = span_eq(s->funcs[i], S("main.main")) ? NULL
										     : row_of(f, s->funcs[i]);

		if (row && f->total > 0 && (double)row->cum >= 0.05 * (double)f->total) {
			relate_say_row(r, s, file, row);
			return;
		}
	}
}

/* ---- all of them ---- */

static void say_far(struct relate *r, const struct subject *s, size_t file)
{
	const struct file *a = &r->files[s->file], *b = &r->files[file];
	char apart[24];
	int64_t gap;

	relate_gap(r, s, s->file, file, &gap);
	duration_text(gap < 0 ? -gap : gap, apart);
	list_add(&r->mem, &r->limits,
		 arena_printf(&r->mem,
			      TR("%s and %s are %s apart: nothing is concluded from one for the other",
				 "%s 与 %s 相隔 %s：不据此推断彼此的关系"),
			      a->name, b->name, apart));
}

static void ask(struct relate *r, const struct subject *s)
{
	for (size_t file = 0; file < r->n_files; file++) {
		const struct file *f = &r->files[file];

		if (file == s->file || (f->kind == RELATE_LOG && !f->n_stood))
			continue;
		if (far(r, s, s->file, file)) {
			say_far(r, s, file);
			continue;
		}
		if (f->kind == RELATE_PROFILE)
			ask_profile(r, s, file);
		else
			ask_dump(r, s, file);
	}
}

/* What the others are measured from: a crash, else a trace, else a dump. */
static size_t anchor(const struct relate *r)
{
	static const enum relate_kind order[] = { RELATE_TRACE, RELATE_DUMP };

	for (size_t i = 0; i < r->n_subjects; i++) {
		if (r->subjects[i].crashed)
			return r->subjects[i].file;
	}
	for (size_t k = 0; k < ARRAY_LEN(order); k++) {
		for (size_t i = 0; i < r->n_files; i++) {
			if (r->files[i].kind == order[k] && r->files[i].clock)
				return i;
		}
	}
	return SIZE_MAX;
}

static size_t rank(const struct relation *x)
{
	static const char *const order[] = { "time", "goroutine", "memory", "function" };
	size_t i = 0;

	while (strcmp(order[i], x->word) != 0)
		i++;
	return i;
}

/* Kind by kind, else as they were found. */
static void sort_found(struct relate *r)
{
	for (size_t i = 1; i < r->n_found; i++) {
		struct relation x = r->found[i];
		size_t at = i;

		for (; at > 0 && rank(&r->found[at - 1]) > rank(&x); at--)
			r->found[at] = r->found[at - 1];
		r->found[at] = x;
	}
}

size_t relate_end(struct relate *r, const struct relation **ret)
{
	size_t from = anchor(r);

	for (size_t i = 0; i < r->n_subjects; i++)
		ask(r, &r->subjects[i]);
	for (size_t i = 0; from != SIZE_MAX && i < r->n_files; i++) {
		if (i != from && r->files[i].kind != r->files[from].kind && r->files[i].kind != RELATE_LOG)
			relate_say_time(r, from, i);
	}
	if (r->left_out)
		list_add(
			&r->mem, &r->limits,
			arena_printf(
				&r->mem,
				TR("%zu more goroutines that crashed or are stuck are not related to the other files",
				   "另有 %zu 个崩溃或卡住的 goroutine 未与其他文件关联"),
				r->left_out));
	sort_found(r);
	*ret = r->found;
	return r->n_found;
}

const struct list *relate_limits(const struct relate *r)
{
	return &r->limits;
}
