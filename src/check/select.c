#include <errno.h>

#include "base/mem.h"
#include "check/select.h"
#include "check/select_own.h"
#include "parse/version.h"

const char *const act_list_names[ACT_LISTS] = {
	[ACT_GO] = "GoFiles",
	[ACT_CGO] = "CgoFiles",
	[ACT_TEST] = "TestGoFiles",
	[ACT_XTEST] = "XTestGoFiles",
	[ACT_IGNORED_GO] = "IgnoredGoFiles",
	[ACT_IGNORED_OTHER] = "IgnoredOtherFiles",
	[ACT_INVALID] = "InvalidGoFiles",
	[ACT_C] = "CFiles",
	[ACT_CXX] = "CXXFiles",
	[ACT_M] = "MFiles",
	[ACT_H] = "HFiles",
	[ACT_F] = "FFiles",
	[ACT_S] = "SFiles",
	[ACT_SWIG] = "SwigFiles",
	[ACT_SWIGCXX] = "SwigCXXFiles",
	[ACT_SYSO] = "SysoFiles",
};

static const enum act_list list_of_kind[SRC_KINDS] = {
	[SRC_C] = ACT_C,       [SRC_CXX] = ACT_CXX,   [SRC_M] = ACT_M,
	[SRC_H] = ACT_H,       [SRC_F] = ACT_F,       [SRC_S] = ACT_S,
	[SRC_BIG_S] = ACT_S,   [SRC_SWIG] = ACT_SWIG, [SRC_SWIGCXX] = ACT_SWIGCXX,
	[SRC_SYSO] = ACT_SYSO,
};

struct choosing {
	struct selection *s;
	const struct target *t;
	struct act_package *p;
	bool named; /* the package has its name, which may be empty */
	bool cgo_files;
	bool indexed; /* go answers from its index */
	bool no_memory;
};

/* ---- one file, up to its head ---- */

static void leave_out(struct act_file *f, enum act_why why, int line)
{
	f->why = why;
	f->line = line;
	f->list = f->src->kind == SRC_GO ? ACT_IGNORED_GO : ACT_IGNORED_OTHER;
}

/* 2. and 3.: what the name says. */
static bool name_allows(struct choosing *c, struct act_file *f)
{
	struct goname n = goname_read(span_of(f->src->name), c->t->go);
	bool os = !n.os.p || target_is(c->t, n.os), arch = !n.arch.p || target_is(c->t, n.arch);

	if (os && arch)
		return true;
	leave_out(f, ACT_WHY_NAME, 0);
	f->tag_os = os ? (struct span){ 0 } : n.os;
	f->tag_arch = arch ? (struct span){ 0 } : n.arch;
	return false;
}

/* 6.: the build line, or those of the old form, of which each must hold. */
static bool build_allows(struct choosing *c, struct act_file *f)
{
	const struct gohead *h = f->src->head;
	void *t = (void *)c->t;

	if (h->build.expr) {
		if (constraint_holds(h->build.expr, target_has, t))
			return true;
		leave_out(f, ACT_WHY_BUILD, h->build.line);
		f->expr = h->build.expr;
		f->term = constraint_decider(h->build.expr, target_has, t);
		return false;
	}
	for (size_t i = 0; i < h->n_old; i++) {
		if (!h->old[i].expr || constraint_holds(h->old[i].expr, target_has, t))
			continue;
		leave_out(f, ACT_WHY_OLD_BUILD, h->old[i].line);
		f->expr = h->old[i].expr;
		f->term = constraint_decider(h->old[i].expr, target_has, t);
		return false;
	}
	return true;
}

/* Go says of the first only what is wrong. */
static void refuse(struct choosing *c, const char *fmt_file, const char *what)
{
	if (c->p->refused)
		return;
	c->p->refused = fmt_file ? arena_printf(&c->s->mem, "%s: %s", fmt_file, what)
				 : arena_str(&c->s->mem, span_of(what));
	c->no_memory |= !c->p->refused;
}

static const char *place_of(struct choosing *c, const struct act_file *f)
{
	const struct gohead *h = f->src->head;
	const char *p = h && h->fault_line ? arena_printf(&c->s->mem, "%s:%d:%d", f->src->name, h->fault_line,
							  h->fault_column)
					   : f->src->name;

	c->no_memory |= !p;
	return p ? p : "";
}

/* A file that cannot be read, or whose build line cannot be. False: that was it. */
static bool head_allows(struct choosing *c, struct act_file *f)
{
	const struct gohead *h = f->src->head;
	enum gohead_fault fault = h ? h->fault : GOHEAD_FINE;
	bool go = f->src->kind == SRC_GO, constraint = fault == GOHEAD_MULTIPLE || fault == GOHEAD_CONSTRAINT;
	bool nul = fault == GOHEAD_NUL || (go && h && h->nul_later && c->t->go <= NUL_SEEN_TO);

	if (h && !constraint && !nul && !(fault == GOHEAD_SYNTAX && !go))
		return true;
	leave_out(f,
		  !h           ? ACT_WHY_UNREAD
		  : constraint ? ACT_WHY_BAD_CONSTRAINT
			       : ACT_WHY_BAD_HEAD,
		  h ? h->fault_line : 0);
	if (go || c->t->go <= OTHER_REFUSED_TO) {
		f->list = ACT_INVALID;
		f->invalid = true;
		refuse(c, constraint ? f->src->name : place_of(c, f),
		       h                ? h->fault_text
		       : f->src->unread ? f->src->unread
					: "");
	} else if (h && !constraint) {
		/* Its head is none, and newer versions of go then take it as it is. */
		f->why = ACT_BUILT;
		f->list = list_of_kind[f->src->kind];
	}
	return false;
}

static bool is_error(const struct gohead *h, bool go, int version)
{
	return !h || h->fault == GOHEAD_NUL || h->fault == GOHEAD_MULTIPLE ||
	       (!go && h->fault == GOHEAD_SYNTAX) || (go && h->nul_later && version <= NUL_SEEN_TO);
}

/* Is what is wrong behind the build line of a kind that this go sees? */
static bool is_broken(const struct choosing *c, enum gohead_fault fault)
{
	return fault == GOHEAD_SYNTAX ||
	       (fault == GOHEAD_IMPORT &&
		!(c->indexed && c->t->go >= IMPORT_UNSEEN_FROM && c->t->go <= IMPORT_UNSEEN_TO));
}

/* With an index: every file was read, whatever its name and build line say. False: that was it. */
static bool index_allows(struct choosing *c, struct act_file *f)
{
	const struct gohead *h = f->src->head;
	bool go = f->src->kind == SRC_GO;

	if (f->src->kind == SRC_SYSO)
		return true;
	if (is_error(h, go, c->t->go)) {
		if (!go && c->t->go > OTHER_REFUSED_TO)
			return true;
		f->why = !h                            ? ACT_WHY_UNREAD
			 : h->fault == GOHEAD_MULTIPLE ? ACT_WHY_BAD_CONSTRAINT
						       : ACT_WHY_BAD_HEAD;
		f->line = h ? h->fault_line : 0;
		f->list = ACT_INVALID;
		f->invalid = true;
		refuse(c, h && h->fault == GOHEAD_MULTIPLE ? f->src->name : place_of(c, f),
		       h                ? h->fault_text
		       : f->src->unread ? f->src->unread
					: "");
		return false;
	}
	if (go && (is_broken(c, h->fault) || is_broken(c, h->later))) {
		f->invalid = true;
		refuse(c, place_of(c, f), h->fault_text ? h->fault_text : "");
	}
	return true;
}

/* The build line cannot be read: with an index, go ends there. */
static bool index_goes_on(struct choosing *c, struct act_file *f)
{
	const struct gohead *h = f->src->head;

	if (!h || h->fault != GOHEAD_CONSTRAINT)
		return true;
	f->why = ACT_WHY_BAD_CONSTRAINT;
	f->line = h->fault_line;
	refuse(c, f->src->name, h->fault_text ? h->fault_text : "");
	c->p->stopped = true;
	return false;
}

/* ---- Go files ---- */

static void invalid(struct choosing *c, struct act_file *f, enum act_why why, int line, const char *what)
{
	f->invalid = true;
	f->why = f->why == ACT_BUILT ? why : f->why;
	f->line = f->line ? f->line : line;
	refuse(c, f->src->name, what);
}

static void check_package(struct choosing *c, struct act_file *f, struct span name)
{
	struct act_package *p = c->p;

	if (!c->named || !p->name.n) {
		p->name = name;
		p->first = f->src->name;
		c->named = true;
		return;
	}
	if (span_eq(p->name, name))
		return;
	char *text = arena_printf(&c->s->mem, "found packages %.*s (%s) and %.*s (%s) in %s",
				  SPAN_ARG(p->name), p->first, SPAN_ARG(name), f->src->name, p->dir->path);
	c->no_memory |= !text;
	f->invalid = true;
	if (f->why == ACT_BUILT) {
		f->why = ACT_WHY_PACKAGE;
		f->line = f->src->head->package_line;
	}
	refuse(c, NULL, text ? text : "");
}

/* import "C": 9. */
static void choose_cgo(struct choosing *c, struct act_file *f)
{
	const struct gohead *h = f->src->head;
	int line = 0;
	const char *wrong = cgo_lines_check(h, c->t, &line);

	if (wrong) {
		CLEANUP(buf_free) struct buf b = { 0 };
		buf_adds(&b, wrong);
		c->no_memory |= b.bad;
		invalid(c, f, ACT_WHY_BAD_HEAD, line, buf_str(&b));
	}
	if (c->t->cgo) {
		f->list = ACT_CGO;
		c->cgo_files = true;
	} else {
		leave_out(f, ACT_WHY_CGO_OFF, h->cgo_line);
	}
}

static void choose_go(struct choosing *c, struct act_file *f)
{
	const struct gohead *h = f->src->head;
	struct span name = h->package.p ? h->package : S("");
	bool xtest = false;

	if (is_broken(c, h->fault)) {
		f->why = ACT_WHY_BAD_HEAD;
		f->line = h->fault_line;
		f->invalid = true;
		refuse(c, place_of(c, f), h->fault_text ? h->fault_text : "");
	}
	if (span_eq(name, S("documentation"))) {
		leave_out(f, ACT_WHY_DOCUMENTATION, h->package_line);
		return;
	}
	if (f->src->test && span_ends(name, S("_test")) && !(c->named && span_eq(c->p->name, name))) {
		xtest = true;
		name = span_head(name, name.n - 5);
	}
	check_package(c, f, name);
	bool cgo = h->cgo_line > 0;
	if (cgo && f->src->test) {
		invalid(c, f, ACT_WHY_CGO_TEST, h->cgo_line, "use of cgo in test not supported");
		cgo = false;
	}
	if (cgo)
		choose_cgo(c, f);
	else
		f->list = xtest ? ACT_XTEST : f->src->test ? ACT_TEST : ACT_GO;
}

static void choose_source(struct choosing *c, struct act_file *f)
{
	const struct src_file *s = f->src;

	if (c->indexed && !index_allows(c, f))
		return;
	if (!name_allows(c, f))
		return;
	if (s->kind == SRC_SYSO)
		f->list = ACT_SYSO;
	else if (c->indexed ? !index_goes_on(c, f) : !head_allows(c, f))
		return;
	/* With an index, a C or assembly file whose head cannot be read has no build line. */
	else if (s->head && !(c->indexed && is_error(s->head, s->kind == SRC_GO, c->t->go)) &&
		 !build_allows(c, f))
		return;
	else if (s->kind == SRC_GO)
		choose_go(c, f);
	else
		f->list = list_of_kind[s->kind];
}

static void choose_file(struct choosing *c, struct act_file *f)
{
	f->list = ACT_NOT_LISTED;
	if (f->src->dir_link)
		f->why = ACT_WHY_DIR_LINK;
	else if (f->src->hidden)
		f->why = ACT_WHY_HIDDEN;
	else if (f->src->kind == SRC_NONE)
		f->why = ACT_WHY_NO_SOURCE;
	else if (c->p->stopped)
		f->why = ACT_WHY_STOPPED;
	else
		choose_source(c, f);
}

/* ---- the package ---- */

static const struct {
	enum act_list list;
	const char *what;
} needs_cgo[] = { { ACT_C, "C" }, { ACT_CXX, "C++" }, { ACT_M, "Objective-C" }, { ACT_F, "Fortran" } };

static void refuse_c(struct choosing *c, enum act_list list, const char *what)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_addf(&text, "%s source files not allowed when not using cgo or SWIG:", what);
	for (size_t i = 0; i < c->p->n; i++) {
		if (c->p->files[i].list != list)
			continue;
		buf_addf(&text, " %s", c->p->files[i].src->name);
		c->p->files[i].why = ACT_WHY_C_WITHOUT_CGO;
	}
	c->no_memory |= text.bad;
	refuse(c, NULL, buf_str(&text));
}

/* 10., and what only cgo can compile. */
static void settle_others(struct choosing *c)
{
	struct act_package *p = c->p;
	bool swig = false, wrong = p->refused != NULL;

	for (size_t i = 0; i < p->n; i++) {
		struct act_file *f = &p->files[i];
		if (f->src->kind == SRC_BIG_S && f->list == ACT_S && !c->cgo_files)
			leave_out(f, ACT_WHY_NO_CGO, 0);
		bool lost = f->list == ACT_C || f->list == ACT_CXX || f->list == ACT_M ||
			    f->list == ACT_SWIG || f->list == ACT_SWIGCXX;
		if (lost && !c->t->cgo) {
			f->list = ACT_NOT_LISTED;
			f->why = ACT_WHY_CGO_OFF;
		}
		swig |= f->list == ACT_SWIG || f->list == ACT_SWIGCXX;
	}
	for (size_t i = 0; i < p->n; i++)
		p->in[p->files[i].list]++;
	if (!c->cgo_files && !swig && !wrong && c->t->cgo)
		for (size_t i = 0; i < ARRAY_LEN(needs_cgo); i++)
			if (p->in[needs_cgo[i].list] &&
			    !(needs_cgo[i].list == ACT_C && strcmp(c->t->compiler, "gc") != 0))
				refuse_c(c, needs_cgo[i].list, needs_cgo[i].what);
}

static void settle_state(struct act_package *p, bool bad)
{
	size_t code = p->in[ACT_GO] + p->in[ACT_CGO], tests = p->in[ACT_TEST] + p->in[ACT_XTEST];

	if (bad)
		p->state = PKG_INVALID;
	else if (code)
		p->state = PKG_FINE;
	else if (tests)
		p->state = PKG_ONLY_TESTS;
	else
		p->state = p->in[ACT_IGNORED_GO] ? PKG_EXCLUDED : PKG_NO_GO;
	p->listed = p->dir->skip == DIR_TAKEN &&
		    (p->state == PKG_FINE || p->state == PKG_ONLY_TESTS || p->state == PKG_INVALID);
}

/* A folder whose name no import path may have: go knows the package, and none of its files. */
static void refuse_path(struct choosing *c)
{
	struct act_package *p = c->p;
	char *text = arena_printf(&c->s->mem, "malformed import path \"%s\"", p->dir->import);

	c->no_memory |= !text;
	p->refused = NULL;
	refuse(c, NULL, text ? text : "");
	memset(p->in, 0, sizeof(p->in));
	for (size_t i = 0; i < p->n; i++) {
		struct act_file *f = &p->files[i];
		if (act_list_built(f->list)) {
			f->why = ACT_WHY_PATH;
			f->line = 0;
		}
		f->list = ACT_NOT_LISTED;
		f->invalid = false;
	}
	p->state = PKG_INVALID;
}

static bool choose_once(struct choosing *c)
{
	struct act_package *p = c->p;
	bool bad = false;

	for (size_t i = 0; i < p->n && !c->no_memory; i++) {
		p->files[i] = (struct act_file){ .src = &p->dir->files[i] };
		choose_file(c, &p->files[i]);
		bad |= p->files[i].invalid;
	}
	settle_others(c);
	settle_state(p, bad || p->stopped);
	return p->listed;
}

static bool has_faults(const struct src_dir *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->files[i].unread || (d->files[i].head && d->files[i].head->fault))
			return true;
	return false;
}

/* Whether `./...` gives a package is decided without the index; what is in it, with it. */
static void choose_package(struct choosing *c)
{
	struct act_package *p = c->p;
	const struct src_tree *t = c->s->tree;

	if (!choose_once(c))
		return;
	if (t->has_mods && !t->vendor && c->t->go >= INDEXED_SINCE && !p->dir->irregular &&
	    has_faults(p->dir)) {
		*p = (struct act_package){ .dir = p->dir, .files = p->files, .n = p->n };
		*c = (struct choosing){
			.s = c->s, .t = c->t, .p = p, .indexed = true, .no_memory = c->no_memory
		};
		choose_once(c);
		p->listed = true;
	}
	if (p->dir->import && !t->std && !import_path_valid(span_of(p->dir->import)))
		refuse_path(c);
}

int select_files(const struct src_tree *tree, const struct target *t, struct selection *ret, struct err *e)
{
	*ret = (struct selection){ .target = t, .tree = tree, .n = tree->n };
	size_t files = 0;
	for (size_t i = 0; i < tree->n; i++)
		files += tree->dirs[i]->n;
	ret->packages = arena_alloc(&ret->mem, (tree->n + 1) * sizeof(*ret->packages));
	struct act_file *all = arena_alloc(&ret->mem, (files + 1) * sizeof(*all));
	bool bad = !ret->packages || !all;
	for (size_t i = 0; i < tree->n && !bad; i++) {
		struct choosing c = { .s = ret, .t = t, .p = &ret->packages[i] };
		*c.p = (struct act_package){ .dir = tree->dirs[i], .files = all, .n = tree->dirs[i]->n };
		all += c.p->n;
		choose_package(&c);
		bad |= c.no_memory;
	}
	if (!bad)
		return 0;
	selection_free(ret);
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

void selection_free(struct selection *s)
{
	arena_free(&s->mem);
	*s = (struct selection){ 0 };
}

void selection_free_cleanup(struct selection *s)
{
	selection_free(s);
}

struct act_package *selection_package(const struct selection *s, const struct src_dir *d)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->packages[i].dir == d)
			return &s->packages[i];
	return NULL;
}

bool act_imports(const struct act_package *p, bool tests, act_import_fn *fn, void *ctx)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct act_file *f = &p->files[i];
		bool code = f->list == ACT_GO || f->list == ACT_CGO,
		     test = f->list == ACT_TEST || f->list == ACT_XTEST;
		for (size_t k = 0; (code || (tests && test)) && k < f->src->head->n_imports; k++)
			if (!fn(ctx, f, &f->src->head->imports[k]))
				return false;
	}
	return true;
}
