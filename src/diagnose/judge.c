#include "diagnose/judge.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/redact.h"
#include "diagnose/logscan.h"
#include "diagnose/state.h"

static void on_line(void *ctx, struct span line, bool cut)
{
	text_line(ctx, line, cut);
}

static void read_argv(struct judge *j)
{
	const struct argv *a = &j->cfg.argv;

	if (a->n < 2 || !span_eq(path_base(span_of(a->v[0])), S("go")))
		return;
	j->is_go_test = !strcmp(a->v[1], "test");
	j->is_go_vet = !strcmp(a->v[1], "vet");
	for (size_t i = 2; j->is_go_test && i < a->n; i++)
		j->asked_verbose |= !strcmp(a->v[i], "-v") || !strcmp(a->v[i], "-test.v") || !strcmp(a->v[i], "--v");
	for (size_t i = 2; j->is_go_vet && i < a->n; i++) {
		if (!strcmp(a->v[i], "-json") || !strcmp(a->v[i], "--json") || !strcmp(a->v[i], "-json=true"))
			j->is_go_vet_json = true;
	}
}

int judge_new(const struct judge_config *c, struct judge **ret, struct err *e)
{
	struct judge *j = mem_zalloc(sizeof(*j));

	if (!j)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	j->cfg = *c;
	j->exit_status_seen = -1;
	j->match = c->match;
	int r = c->match ? 0 : match_new(&j->match, e);
	for (size_t i = 0; r == 0 && c->recovered && i < ARRAY_LEN(j->scan); i++)
		r = logscan_new(NULL, NULL, &j->scan[i], e);
	if (r < 0) {
		judge_free(j);
		return r;
	}
	for (int i = 0; i < 3; i++) {
		struct text_ctx *x = &j->text[i];
		x->j = j;
		x->stream = (enum stream)i;
		x->lines = (struct lines){ .fn = on_line, .ctx = x, .max = LINE_MAX_KEPT };
		x->tail.max = TAIL_MAX * 2;
		x->pkg.soft = !(c->json_out || c->explain);
		x->pkg.exit_status = -1;
		x->pkg.failed_end = &x->pkg.failed;
	}
	read_argv(j);
	*ret = j;
	return 0;
}

/* At the end of a line, unless that is far; in no secret. */
size_t tail_cut(struct span text, size_t from)
{
	size_t nl = span_chr(span_head(span_from(text, from), 2048), '\n');

	return nl != SPAN_NONE ? from + nl + 1 : redact_behind(text, from);
}

/* The newest TAIL_MAX bytes of a stream: what is shown when nothing better explains a failure. */
static void keep_tail(struct buf *tail, struct span bytes)
{
	if (bytes.n >= TAIL_MAX) {
		buf_clear(tail);
		bytes = span_from(bytes, tail_cut(bytes, bytes.n - TAIL_MAX));
	} else if (tail->len + bytes.n > TAIL_MAX * 2) {
		buf_drop(tail, tail_cut(buf_view(tail), tail->len - TAIL_MAX / 2));
	}
	buf_span(tail, bytes);
}

void judge_feed(struct judge *j, enum stream s, struct span bytes)
{
	struct text_ctx *x = &j->text[s];

	if (!bytes.n)
		return;
	x->any = true;
	/* One search a chunk, not one a line; an unfinished line carries its answer on. */
	bool esc = memchr(bytes.p, 0x1b, bytes.n) != NULL;
	x->esc = x->lines.part.len ? x->esc | esc : esc;
	keep_tail(&x->tail, bytes);
	if (j->scan[s])
		logscan_feed(j->scan[s], bytes);
	lines_feed(&x->lines, bytes);
	if (x->lines.bad)
		j->no_memory = true;
}

static bool grow(struct judge *j, void *list, size_t *cap, size_t n, size_t size)
{
	bool room = mem_grow(list, cap, n, size);

	j->no_memory |= !room;
	return room;
}

static struct argv copy_argv(struct arena *mem, const struct argv *a)
{
	struct argv c = { arena_alloc(mem, (a->n + 1) * sizeof(char *)), a->n };

	for (size_t i = 0; c.v && i < a->n; i++)
		c.v[i] = arena_str(mem, span_of(a->v[i]));
	if (!c.v)
		c.n = 0;
	return c;
}

static const char *copy_str(struct arena *mem, const char *z)
{
	return z ? arena_str(mem, span_of(z)) : NULL;
}

void judge_nested(struct judge *j, const struct nested *n)
{
	if (!grow(j, &j->nested, &j->cap_nested, j->n_nested, sizeof(*n)))
		return;
	struct nested *to = &j->nested[j->n_nested++];
	*to = *n;
	to->argv = copy_argv(&j->mem, &n->argv);
	to->cwd = copy_str(&j->mem, n->cwd);
	to->script = copy_str(&j->mem, n->script);
}

void judge_inner(struct judge *j, const struct finding *f)
{
	if (!grow(j, &j->inner, &j->cap_inner, j->n_inner, sizeof(*f)))
		return;
	struct finding *to = &j->inner[j->n_inner++];
	*to = (struct finding){
		.cause = f->cause, .severity = f->severity, .line = f->line,
		.package = arena_span(&j->mem, f->package), .test = arena_span(&j->mem, f->test),
		.file = arena_span(&j->mem, f->file), .message = arena_span(&j->mem, f->message),
		.excerpt = arena_span(&j->mem, f->excerpt), .advice = arena_span(&j->mem, f->advice),
		.rule = arena_span(&j->mem, span_of(f->rule)).p,
	};
}

void judge_limit(struct judge *j, const char *text)
{
	limit_say(j, text);
}

void judge_panic(struct judge *j, const struct panic_note *p)
{
	if (j->n_panics >= FINDINGS_MAX) {
		limit_say(j, TR("more than 1,000 panics were recorded; the rest are not shown",
				"记录到的 panic 超过 1000 个，其余未显示"));
		return;
	}
	if (!grow(j, &j->panics, &j->cap_panics, j->n_panics, sizeof(*p)))
		return;
	j->panics[j->n_panics++] = (struct panic_note){
		.package = arena_span(&j->mem, p->package), .test = arena_span(&j->mem, p->test),
		.value = arena_span(&j->mem, p->value), .stack = arena_span(&j->mem, p->stack),
		.recovered = p->recovered,
	};
}

int judge_finish(struct judge *j, struct report *r, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		lines_end(&j->text[i].lines);
		if (j->text[i].lines.lost)
			limit_say(j, TR("lines longer than 1 MiB were judged by their first 1 MiB",
					"超过 1 MiB 的行只依据其前 1 MiB 判断"));
		text_end(&j->text[i]);
	}
	return verdict_make(j, r, e);
}

size_t judge_failed_tests(const struct judge *j, const struct failed_test **ret)
{
	*ret = j->failed;
	return j->n_failed;
}

void judge_free(struct judge *j)
{
	size_t at = 0;
	struct jpkg *p;
	struct jbuild *b;

	if (!j)
		return;
	while ((p = map_next(&j->packages, &at))) {
		pkg_free(j, p);
		mem_free(p->name);
		mem_free(p);
	}
	for (at = 0; (b = map_next(&j->builds, &at));) {
		block_free(&b->block);
		buf_free(&b->line);
		mem_free(b->id);
		mem_free(b);
	}
	for (int i = 0; i < 3; i++) {
		lines_free(&j->text[i].lines);
		pkg_free(j, &j->text[i].pkg);
		block_free(&j->text[i].block);
		buf_free(&j->text[i].tail);
		buf_free(&j->text[i].head);
		buf_free(&j->text[i].clean);
	}
	pool_free(j);
	map_free(&j->packages);
	map_free(&j->builds);
	buf_free(&j->scratch);
	buf_free(&j->scratch2);
	buf_free(&j->requested_seen);
	buf_free(&j->unblamed);
	mem_free(j->findings);
	mem_free(j->nested);
	mem_free(j->inner);
	mem_free(j->panics);
	mem_free(j->failed);
	for (size_t i = 0; i < ARRAY_LEN(j->scan); i++)
		logscan_free(j->scan[i]);
	match_free(j->cfg.match ? NULL : j->match);
	arena_free(&j->mem);
	mem_free(j);
}
