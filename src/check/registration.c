#include "check/registration.h"

#include <errno.h>

#include "base/mem.h"
#include "base/path.h"
#include "check/go/late.h"
#include "check/reach.h"

const struct register_rule register_rules[REGISTER_RULES] = {
#define RULE(name, id, what_en, what_zh, fix_en, fix_zh) { id, { what_en, what_zh }, { fix_en, fix_zh } },
#include "check/registration.def"
#undef RULE
};

struct found { /* a package that registers something and is not reached */
	size_t package;
	const struct act_file *file;
	const char *message_what, *call;
	struct span detail;
	int line, column;
	struct { /* who imports it all the same: of each kind the first */
		const struct act_file *excluded, *test;
		const struct act_package *package;
	} by;
};
struct work {
	struct registration *o;
	struct arena mem;
	struct syntax *parser;
	struct reach reach;
	struct found *found;
	size_t n_found, cap_found;
	struct map by_import;        /* of found, by import path */
	const struct act_file *file; /* that is looked at */
	size_t before;               /* findings that were there: of other targets */
	bool bad;
};

/* ---- saying it ---- */

/* Was the same said for another target? */
static bool was_said(const struct work *w, enum register_id rule, const char *shown, int line, int column)
{
	const struct report *r = w->o->report;

	for (size_t i = 0; i < w->before; i++) {
		const struct finding *f = &r->findings[i];
		if (f->rule == register_rules[rule].id && f->line == line && f->column == column &&
		    span_eq(f->file, span_of(shown)))
			return true;
	}
	return false;
}

/* NULL: it was said for another target, or there is no memory. */
static struct finding *say(struct work *w, enum register_id rule, const struct act_file *file, int line,
			   int column, const char *text)
{
	struct report *r = w->o->report;
	const char *path = src_path(&w->mem, file->src);
	const char *shown = path ? arena_printf(&r->mem, "%s%s", w->o->prefix ? w->o->prefix : "", path)
				 : NULL;

	w->bad |= !shown;
	if (!shown || was_said(w, rule, shown, line, column))
		return NULL;
	struct finding *f = report_say(r, CAUSE_ACT_UNREGISTERED, "%s [%s]", text, register_rules[rule].id);

	if (!f) {
		w->bad = true;
		return NULL;
	}
	f->severity = SEV_NOTE;
	f->rule = register_rules[rule].id;
	f->advice = span_of(tx(register_rules[rule].fix));
	f->line = line;
	f->column = column;
	f->file = span_of(shown);
	return f;
}

static void say_late(void *ctx, enum register_id rule, TSNode at, const char *text)
{
	struct work *w = ctx;

	say(w, rule, w->file, go_line(at), go_column(at), text);
}

static void limit(struct work *w, const struct act_file *file, const char *why)
{
	struct report *r = w->o->report;
	const char *path = src_path(&w->mem, file->src);
	const char *text =
		path ? arena_printf(&r->mem, "%s%s: %s", w->o->prefix ? w->o->prefix : "", path, why) : NULL;

	w->bad |= !text || !list_add(&r->mem, &r->limits, text);
}

/* ---- files ---- */

/* The text of a file; false: it is among the limits. */
static bool open_file(struct work *w, const struct act_file *file, struct buf *text)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct err e = { 0 };
	const char *below = src_path(&w->mem, file->src);

	buf_clear(text);
	text->max = GOFILE_BYTES + 1;
	path_join(&path, w->o->sel->tree->root, below ? below : "");
	if (!below || path.bad) {
		w->bad = true;
		return false;
	}
	int r = file_slurp_regular(buf_str(&path), text, &e);
	w->o->files += r == 0;
	if (r < 0)
		limit(w, file, e.msg);
	return r == 0;
}

/* What came of parsing it; false: it is among the limits. */
static bool parsed(struct work *w, const struct act_file *file, int r, const struct err *e)
{
	w->o->parsed += r == 0;
	w->bad |= r == -ENOMEM;
	if (r < 0)
		limit(w, file, e->msg);
	return r == 0;
}

static void close_file(struct work *w, const struct act_file *file, struct gofile *f)
{
	w->o->broken += f->errors > 0;
	if (f->cut)
		limit(w, file, TR("nested too deeply: not all of it was looked at", "嵌套过深：未全部检查"));
	gofile_free(f);
}

static void find_late(struct work *w, const struct act_file *file, struct buf *text)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct goimports imports;
	struct gofile f = { 0 };
	struct err e = { 0 };
	size_t n;

	if (!open_file(w, file, text))
		return;
	const struct span *parts = go_late_parts(buf_view(text), file->src->head, &mem, &n);
	w->bad |= !parts;
	if (!parts || !n ||
	    !parsed(w, file, gofile_parse_parts(w->parser, buf_view(text), parts, n, &f, &e), &e))
		return;
	w->file = file;
	if (gofile_imports(&f, &mem, &imports) < 0 || go_late_find(&f, &imports, &mem, say_late, w) < 0)
		w->bad = true;
	close_file(w, file, &f);
}

static bool is_source(const struct act_file *f)
{
	return f->list == ACT_GO || f->list == ACT_CGO;
}

static bool is_ours(const struct act_package *p)
{
	return p->state == PKG_FINE && p->listed && !p->dir->vendored;
}

/* ---- packages that nobody imports ---- */

static void find_registered(struct work *w, const struct act_package *p, const struct act_file *file,
			    struct buf *text)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct goimports imports;
	struct go_registered what;
	struct gofile f = { 0 };
	struct err e = { 0 };

	/* Code that was generated registers for whoever will import it. */
	if ((file->src->head && file->src->head->generated) || !open_file(w, file, text) ||
	    !go_registers_worth(buf_view(text)) ||
	    !parsed(w, file, gofile_parse(w->parser, buf_view(text), &f, &e), &e))
		return;
	int r = gofile_imports(&f, &mem, &imports);
	r = r < 0 ? r : go_registers(&f, &imports, &what);
	w->bad |= r < 0;
	if (r > 0) {
		struct found *x = w->n_found == w->cap_found &&
						  !mem_grow(&w->found, &w->cap_found, w->n_found, sizeof(*x))
					  ? NULL
					  : &w->found[w->n_found];
		if (x) {
			*x = (struct found){ .package = (size_t)(p - w->o->sel->packages),
					     .file = file,
					     .message_what = tx(what.what),
					     .call = arena_str(&w->mem, what.call),
					     .detail = what.detail.p ? arena_span(&w->mem, what.detail)
								     : what.detail,
					     .line = go_line(what.at),
					     .column = go_column(what.at) };
			w->n_found += x->call != NULL;
		}
		w->bad |= !x || !x->call;
	}
	close_file(w, file, &f);
}

/* Made for tests, as its name says: internal/testmocks, fstest. */
static bool is_for_tests(const struct act_package *p)
{
	static const char *const words[] = { "test", "mock", "fake", "stub", "example" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasestr(p->dir->path, words[i]))
			return true;
	return false;
}

/* A package below internal is for this module alone; in a module whose top is a library, others may be for its users. */
static bool is_for_us(const struct work *w, const struct act_package *p)
{
	return !is_for_tests(p) && (reach_internal(p) || reach_is_program(&w->reach, p->dir->member));
}

static void find_unreached(struct work *w)
{
	const struct selection *sel = w->o->sel;
	CLEANUP(buf_free) struct buf text = { 0 };

	for (size_t i = 0; i < sel->n && !w->bad; i++) {
		const struct act_package *p = &sel->packages[i];
		if (!is_ours(p) || w->reach.reached[i] || !p->dir->import || !reach_can_tell(&w->reach, p) ||
		    !is_for_us(w, p))
			continue;
		size_t had = w->n_found;
		for (size_t k = 0; k < p->n && w->n_found == had && !w->bad; k++)
			if (is_source(&p->files[k]))
				find_registered(w, p, &p->files[k], &text);
	}
	for (size_t i = 0; i < w->n_found && !w->bad; i++)
		w->bad = !map_put(&w->by_import, span_of(sel->packages[w->found[i].package].dir->import),
				  &w->found[i]);
}

/* Who imports what was found, in any file of the tree? */
static void find_importers(struct work *w)
{
	const struct selection *sel = w->o->sel;

	for (size_t i = 0; i < sel->n && w->n_found; i++) {
		const struct act_package *p = &sel->packages[i];
		for (size_t k = 0; k < p->n && !p->dir->vendored; k++) {
			const struct act_file *f = &p->files[k];
			const struct gohead *h = f->src->head;
			for (size_t m = 0; h && m < h->n_imports; m++) {
				struct found *x = map_get(&w->by_import, h->imports[m].path);
				if (!x || x->package == i)
					continue;
				if (f->src->test)
					x->by.test = x->by.test ? x->by.test : f;
				else if (is_source(f) && is_ours(p))
					x->by.package = x->by.package ? x->by.package : p;
				else if (f->list == ACT_IGNORED_GO && !x->by.excluded)
					x->by.excluded = f;
			}
		}
	}
}

/* The line to write. */
static void advise(struct work *w, struct finding *f, const char *import)
{
	if (f)
		f->advice = report_text(
			w->o->report,
			TR("Import it for its side effect where the program starts: import _ \"%s\"; or delete it.",
			   "在程序入口处以副作用方式导入：import _ \"%s\"；不再需要则删除。"),
			import);
}

static void say_found(struct work *w, const struct found *x)
{
	const struct act_package *p = &w->o->sel->packages[x->package];
	CLEANUP(buf_free) struct buf b = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };

	/* Left out for another system: there it is imported. */
	if (x->by.excluded && reach_for_other_system(x->by.excluded, w->o->sel->target))
		return;
	buf_addf(&b, TR("%s registers %s (%s", "%s 注册了%s（%s"), p->dir->import, x->message_what, x->call);
	if (x->detail.n)
		buf_addf(&b, " \"%.*s\"", SPAN_ARG(span_head(x->detail, 60)));
	buf_addf(&b, TR("), but no program imports it for %s: ", "），但 %s 的任何程序都没有导入它："),
		 w->o->sel->target->name);
	if (x->by.excluded) {
		const char *path = src_path(&w->mem, x->by.excluded->src);
		act_why_write(x->by.excluded, w->o->sel->target, &why);
		buf_addf(&b, TR("%s would, and is not built: %s", "%s 会导入它，但未被构建：%s"),
			 path ? path : "", buf_str(&why));
	} else if (x->by.package) {
		buf_addf(&b, TR("%s does, and nobody imports that", "%s 导入了它，但该包也没有人导入"),
			 x->by.package->dir->import);
	} else if (x->by.test) {
		const char *path = src_path(&w->mem, x->by.test->src);
		buf_addf(&b, TR("only tests do (%s)", "只有测试导入它（%s）"), path ? path : "");
	} else {
		buf_adds(&b, TR("nobody does", "源码树中没有任何文件导入它"));
	}
	if (b.bad || why.bad)
		w->bad = true;
	else
		advise(w, say(w, REGISTER_UNREACHED, x->file, x->line, x->column, buf_str(&b)),
		       p->dir->import);
}

/* ---- all of it ---- */

static void check(struct work *w)
{
	const struct selection *sel = w->o->sel;
	CLEANUP(buf_free) struct buf text = { 0 };

	for (size_t i = 0; i < sel->n && !w->bad; i++)
		for (size_t k = 0; k < sel->packages[i].n && is_ours(&sel->packages[i]) && !w->bad; k++)
			if (is_source(&sel->packages[i].files[k]))
				find_late(w, &sel->packages[i].files[k], &text);
	if (!w->bad)
		find_unreached(w);
	if (!w->bad)
		find_importers(w);
	for (size_t i = 0; i < w->n_found && !w->bad; i++)
		say_found(w, &w->found[i]);
}

int registration_check(struct registration *o, struct err *e)
{
	struct work w = { .o = o, .before = o->report->n_findings };
	int r = gosyntax_open(&w.parser, e);

	if (r == 0)
		r = reach_make(o->sel, &w.reach, e);
	if (r == 0)
		check(&w);
	if (r == 0 && (w.bad || o->report->lost))
		r = err_set(e, ENOMEM,
			    TR("no memory to look for registrations", "内存不足，无法检查注册代码"));
	syntax_close(w.parser);
	reach_free(&w.reach);
	map_free(&w.by_import);
	mem_free(w.found);
	arena_free(&w.mem);
	return r;
}
