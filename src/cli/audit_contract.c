/* What is promised against each fault: links in the store, and the contracts in the tree. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/audit.h"
#include "cli/fault.h"
#include "parse/yaml.h"
#include "run/git.h"

#define CONTRACTS_MAX 10000

struct promise { /* one contract file */
	const char *shown; /* relative to the root when it lies below */
	const char *path;  /* without links */
	struct contract c;
	int64_t seq;       /* 0: of no fault that is known, or it cannot be read */
	int64_t added;     /* 0: not known */
};

struct promises {
	struct auditing *x;
	struct promise *v;
	size_t n, cap;
	bool added_known;
};

/* ---- the files ---- */

static const char *shown_path(struct auditing *x, const char *path)
{
	size_t n = strlen(x->c->root);

	return !strncmp(path, x->c->root, n) && path[n] == '/' ? path + n + 1 : path;
}

static void unreadable(struct auditing *x, const char *file, int line, const char *why)
{
	audit_add(x, AUDIT_UNREADABLE, SEV_ERROR, NULL, NULL, file, line, "%s", why);
}

static int read_promise(struct promises *all, const char *path, struct promise **ret, struct err *e)
{
	struct auditing *x = all->x;
	CLEANUP(buf_free) struct buf text = { .max = YAML_BYTES + 1 };
	CLEANUP(mem_free) char *real = realpath(path, NULL);
	struct promise p = { .shown = shown_path(x, path), .path = arena_str(x->mem, span_of(real ? real : path)) };
	struct stat st;
	struct err why;
	int r;

	if (!p.path || !mem_grow(&all->v, &all->cap, all->n, sizeof(*all->v)))
		return audit_no_memory(e);
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		unreadable(x, p.shown, 0, TR("this is no file", "这不是文件"));
	} else if ((r = file_slurp(path, &text, &why)) < 0) {
		if (r == -ENOMEM)
			return audit_no_memory(e);
		unreadable(x, p.shown, 0, why.msg);
	} else {
		r = contract_read(p.shown, buf_view(&text), x->mem, &p.c, e);
		if (r < 0)
			return r;
		for (size_t i = 0; i < p.c.n_errors; i++)
			unreadable(x, p.shown, p.c.errors[i].line, p.c.errors[i].text);
	}
	all->v[all->n++] = p;
	*ret = &all->v[all->n - 1];
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_folder(struct promises *all, struct err *e)
{
	struct auditing *x = all->x;
	CLEANUP(mem_free) const char **names = NULL;
	size_t n = 0, cap = 0;
	struct dirent *d;
	struct promise *p;
	int r = 0;

	DIR *dir = opendir(x->c->contracts);
	if (!dir && errno != ENOENT && errno != ENOTDIR)
		return err_set(e, EBADMSG, TR("cannot read the folder of defences '%s': %s", "无法读取防御契约目录“%s”：%s"), x->c->contracts, strerror(errno));
	while (dir && n < CONTRACTS_MAX && (d = readdir(dir))) {
		struct span name = span_of(d->d_name);
		if (name.p[0] == '.' || (!span_ends(name, S(".yaml")) && !span_ends(name, S(".yml"))))
			continue;
		char *path = arena_printf(x->mem, "%s/%s", x->c->contracts, d->d_name);
		x->no_memory |= !path || !mem_grow(&names, &cap, n, sizeof(*names));
		if (x->no_memory)
			break;
		names[n++] = path;
	}
	if (dir)
		closedir(dir);
	if (n == CONTRACTS_MAX)
		x->a->notes[x->a->n_notes++] = TR("only 10,000 contracts are read", "只读取前 10,000 个防御契约");
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = read_promise(all, names[i], &p, e);
	x->a->contracts = n;
	return r;
}

/* ---- since when ---- */

struct adding {
	struct promises *all;
	const char *top;
};

static int take_added(void *ctx, struct span path, int64_t at)
{
	struct adding *g = ctx;
	size_t n = strlen(g->top);

	for (size_t i = 0; i < g->all->n; i++) {
		struct promise *p = &g->all->v[i];
		if (!p->added && !strncmp(p->path, g->top, n) && p->path[n] == '/' && span_eq(span_of(p->path + n + 1), path))
			p->added = at;
	}
	return 0;
}

/* The commit that added the file. One that is not committed is new; without git, or with half of its history, nothing is known. */
static void when_added(struct promises *all)
{
	struct auditing *x = all->x;
	CLEANUP(arena_free) struct arena mem = { 0 };
	CLEANUP(mem_free) char *folder = realpath(x->c->contracts, NULL);
	struct git_where w = { 0 };
	struct err e;

	if (!all->n || !folder)
		return;
	int r = git_where(folder, &mem, &w, &e);
	size_t n = r == 0 && w.top ? strlen(w.top) : 0;
	bool inside = n && !strncmp(folder, w.top, n) && folder[n] == '/';
	struct adding g = { all, w.top };
	if (r == 0 && inside)
		r = git_added(w.top, folder + n + 1, take_added, &g, &e);
	x->no_memory |= r == -ENOMEM;
	if (r < 0 || !inside) {
		const char *why = r == -EAGAIN ? TR("since when the contracts are there is not known: the history is cut off (git fetch --unshallow)",
						    "不知道防御契约从何时起存在：历史记录不完整（git fetch --unshallow）")
					       : TR("since when the contracts are there is not known: they are in no git repository that can be read",
						    "不知道防御契约从何时起存在：它们不在可读取的 git 仓库中");
		x->a->notes[x->a->n_notes++] = why;
		return;
	}
	for (size_t i = 0; i < all->n; i++)
		all->v[i].added = all->v[i].added ? all->v[i].added : x->c->now;
}

/* ---- which fault ---- */

static struct audit_fault *fault_of(struct auditing *x, int64_t seq)
{
	struct audit *a = x->a;
	size_t low = 0, high = x->sorted;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (a->faults[mid].f.seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	for (low = low < x->sorted && a->faults[low].f.seq == seq ? low : x->sorted; low < a->n_faults; low++) {
		if (a->faults[low].f.seq == seq)
			return &a->faults[low];
	}
	return NULL;
}

/* 1: there is no such fault here. */
static int look_up(struct auditing *x, const struct promise *p, struct span ref, struct fault *ret, struct err *e)
{
	struct err why;

	int r = store_fault_get(x->c->s, ref.p, x->mem, ret, &why);
	if (r == -ENOENT || r == -EEXIST || r == -EINVAL) {
		audit_add(x, AUDIT_UNKNOWN_FAULT, SEV_WARNING, NULL, NULL, p->shown, p->c.fault_line,
			  TR("%s: is it of another store? (--store)", "%s：是否属于其他存储？（--store）"), why.msg);
		return 1;
	}
	if (r < 0)
		*e = why;
	return r < 0 ? r : 0;
}

static void check_number(struct auditing *x, const struct promise *p, const struct fault *f)
{
	struct fault named;
	struct err e;

	if (!p->c.fingerprint.n)
		return;
	int r = store_fault_get(x->c->s, p->c.fault.p, x->mem, &named, &e);
	x->no_memory |= r == -ENOMEM;
	if (r != 0 || named.seq != f->seq)
		audit_add(x, AUDIT_OTHER_FAULT, SEV_WARNING, NULL, NULL, p->shown, p->c.fault_line,
			  TR("by its fingerprint this is T-%lld in this store, not %s", "按指纹，在此存储中它是 T-%lld，而不是 %s"), (long long)f->seq, p->c.fault.p);
}

static void check_twice(struct promises *all, struct promise *p)
{
	for (struct promise *o = all->v; o < p; o++) {
		if (o->seq != p->seq)
			continue;
		audit_add(all->x, AUDIT_DUPLICATE, SEV_WARNING, fault_of(all->x, p->seq), NULL, p->shown, p->c.fault_line,
			  TR("%s is a contract for the same fault: put both into one", "%s 是同一故障的契约：请合并为一个"), o->shown);
		return;
	}
}

static int find_fault(struct promises *all, struct promise *p, struct err *e)
{
	struct auditing *x = all->x;
	struct audit *a = x->a;
	struct fault f;

	if (p->c.n_errors || !p->c.fault.n)
		return 0;
	int r = look_up(x, p, p->c.fingerprint.n ? p->c.fingerprint : p->c.fault, &f, e);
	if (r)
		return r < 0 ? r : 0;
	check_number(x, p, &f);
	p->seq = f.seq;
	if (!fault_of(x, f.seq) && f.state != FAULT_IGNORED) {
		if (!mem_grow(&a->faults, &a->cap_faults, a->n_faults, sizeof(*a->faults)))
			return audit_no_memory(e);
		a->faults[a->n_faults++] = (struct audit_fault){ .f = f };
	}
	check_twice(all, p);
	return 0;
}

/* ---- the defences of a fault ---- */

static int add_defence(struct auditing *x, struct audit_fault *f, const struct audit_defence *d, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		struct audit_defence *o = &f->defences[i];
		if (o->kind != d->kind || strcmp(o->name, d->name) != 0)
			continue;
		if (d->since && (!o->since || d->since < o->since))
			o->since = d->since;
		return 0;
	}
	if (!mem_grow(&f->defences, &f->cap, f->n, sizeof(*f->defences)))
		return audit_no_memory(e);
	f->defences[f->n++] = *d;
	x->no_memory |= !d->name;
	return 0;
}

static int add_checks(struct auditing *x, struct audit_fault *f, const struct promise *p, int64_t since, struct err *e)
{
	int r = 0;

	f->promised = true;
	for (size_t i = 0; i < p->c.n_checks && r >= 0; i++) {
		const struct contract_check *c = &p->c.checks[i];
		struct audit_defence d = { .kind = c->kind, .name = c->name.p, .file = p->shown, .line = c->line, .since = since };
		r = add_defence(x, f, &d, e);
	}
	return r;
}

struct history {
	struct auditing *x;
	struct audit_fault *f;
	int64_t begin; /* 0: it is not open */
	struct link {
		const char *text;
		int64_t at;
	} *links;
	size_t n, cap;
};

static int take_link(struct history *h, const struct fault_event *v)
{
	for (size_t i = 0; i < h->n; i++) {
		if (span_eq(span_of(h->links[i].text), v->text)) {
			h->links[i].at = v->at;
			return 0;
		}
	}
	if (!mem_grow(&h->links, &h->cap, h->n, sizeof(*h->links)))
		return -ENOMEM;
	h->links[h->n].text = arena_str(h->x->mem, v->text);
	h->links[h->n].at = v->at;
	return h->links[h->n++].text ? 0 : -ENOMEM;
}

static int take_event(void *ctx, const struct fault_event *v)
{
	struct history *h = ctx;
	struct audit_fault *f = h->f;
	struct span run;

	if (span_eq(v->kind, span_of(change_words[CHANGE_LINKED])))
		return take_link(h, v);
	if (span_eq(v->kind, span_of(change_words[CHANGE_RESOLVED])) && h->begin) {
		if (!mem_grow(&f->times, &f->cap_times, f->n_times, sizeof(*f->times)))
			return -ENOMEM;
		f->times[f->n_times++] = (struct audit_time){ h->begin, v->at };
		h->begin = 0;
	}
	bool back = span_eq(v->kind, span_of(change_words[CHANGE_REGRESSED]));
	if (back && v->at >= f->regressed) {
		f->regressed = v->at;
		f->regressed_run = json_find(v->data, "run", &run) ? arena_str(h->x->mem, run) : NULL;
	}
	if (!h->begin && (back || span_eq(v->kind, span_of(change_words[CHANGE_REOPENED]))))
		h->begin = v->at;
	return 0;
}

static int linked_file(struct promises *all, struct audit_fault *f, const struct audit_defence *d, struct err *e)
{
	struct auditing *x = all->x;
	struct span name = span_of(d->name);
	struct promise *p = NULL;
	int r = 0;

	f->promised = true;
	while (span_skip(&name, S("./")))
		;
	char *path = arena_printf(x->mem, "%s/%.*s", x->c->root, SPAN_ARG(name));
	if (!path)
		return audit_no_memory(e);
	CLEANUP(mem_free) char *real = realpath(path, NULL);
	size_t n = strlen(x->c->root);
	if (!real) {
		audit_add(x, AUDIT_MISSING, SEV_ERROR, f, d, NULL, 0, "%s", TR("the contract file does not exist", "契约文件不存在"));
		return 0;
	}
	if (strncmp(real, x->c->root, n) != 0 || real[n] != '/') {
		audit_add(x, AUDIT_MISSING, SEV_ERROR, f, d, NULL, 0, "%s", TR("the contract file lies outside the project", "契约文件位于项目之外"));
		return 0;
	}
	for (size_t i = 0; i < all->n && !p; i++)
		p = strcmp(all->v[i].path, real) == 0 ? &all->v[i] : NULL;
	if (!p) {
		x->a->contracts++;
		int64_t seq = f->f.seq;
		r = read_promise(all, path, &p, e);
		if (r >= 0)
			r = find_fault(all, p, e);
		f = fault_of(x, seq); /* the list may have moved */
	}
	if (r < 0 || !f)
		return r;
	if (p->seq && p->seq != f->f.seq) {
		audit_add(x, AUDIT_OTHER_FAULT, SEV_ERROR, f, d, p->shown, p->c.fault_line, TR("the contract is about T-%lld", "该契约针对的是 T-%lld"), (long long)p->seq);
		return 0;
	}
	return p->seq ? add_checks(x, f, p, d->since, e) : 0;
}

static int add_links(struct promises *all, size_t at, const struct history *h, struct err *e)
{
	struct auditing *x = all->x;
	struct span lines = x->a->faults[at].f.defences, one;
	int r = 0;

	while (r >= 0 && fault_item(&lines, &one)) {
		struct audit_fault *f = &x->a->faults[at]; /* the list may move */
		struct audit_defence d = { .kind = DEFENCE_TEST };
		struct span name;
		if (!defence_read(one, &d.kind, &name)) {
			audit_add(x, AUDIT_UNVERIFIED, SEV_WARNING, f, NULL, NULL, 0, TR("%.*s: this version does not know this kind of defence", "%.*s：本版本不认识这种防御"),
				  SPAN_ARG(span_head(one, 200)));
			f->promised = true;
			continue;
		}
		d.name = arena_str(x->mem, name);
		if (!d.name)
			return audit_no_memory(e);
		for (size_t i = 0; i < h->n; i++) {
			if (span_eq(span_of(h->links[i].text), one))
				d.since = h->links[i].at;
		}
		r = d.kind == DEFENCE_CONTRACT ? linked_file(all, f, &d, e) : add_defence(x, f, &d, e);
	}
	return r;
}

/* ---- the history of all of them, in one go ---- */

struct merged {
	int64_t seq, into;
};

struct histories {
	struct auditing *x;
	struct history *v; /* one a fault, in the order of the faults */
	size_t n;
	struct merged *merged; /* by seq */
	size_t n_merged, cap_merged;
};

static int take_merged(void *ctx, const struct fault *f)
{
	struct histories *all = ctx;

	if (!mem_grow(&all->merged, &all->cap_merged, all->n_merged, sizeof(*all->merged)))
		return -ENOMEM;
	all->merged[all->n_merged++] = (struct merged){ f->seq, f->merged_into };
	return 0;
}

static int by_merged(const void *a, const void *b)
{
	const struct merged *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Only of faults that have something: of the others nobody asks. */
static int take_any(void *ctx, const struct fault_event *v)
{
	struct histories *all = ctx;
	struct merged key = { .seq = v->seq };
	const struct merged *m = all->n_merged ? bsearch(&key, all->merged, all->n_merged, sizeof(key), by_merged) : NULL;
	struct audit_fault *f = fault_of(all->x, m ? m->into : v->seq);

	if (!f || (!f->f.defences.n && !f->n))
		return 0;
	struct history *h = &all->v[f - all->x->a->faults];
	h->x = all->x;
	h->f = f;
	return take_event(h, v);
}

static int read_histories(struct histories *all, struct err *e)
{
	const struct fault_filter q = { .state = "merged" };
	struct audit *a = all->x->a;

	all->n = a->n_faults;
	all->v = mem_zalloc((all->n + 1) * sizeof(*all->v));
	if (!all->v)
		return audit_no_memory(e);
	for (size_t i = 0; i < all->n; i++)
		all->v[i].begin = a->faults[i].f.first_seen;
	int r = store_faults(all->x->c->s, &q, take_merged, all, e);
	if (all->n_merged)
		qsort(all->merged, all->n_merged, sizeof(*all->merged), by_merged);
	if (r >= 0)
		r = store_events(all->x->c->s, 0, take_any, all, e);
	return r == -ENOMEM ? audit_no_memory(e) : r;
}

static int add_history(struct promises *all, struct histories *past, size_t i, struct err *e)
{
	struct audit_fault *f = &all->x->a->faults[i];
	struct history *h = &past->v[i];

	if (!f->f.defences.n && !f->n)
		return 0;
	if (!f->n_times && h->begin && f->f.resolved_at > h->begin && f->f.state == FAULT_RESOLVED) { /* imported */
		if (!mem_grow(&f->times, &f->cap_times, f->n_times, sizeof(*f->times)))
			return audit_no_memory(e);
		f->times[f->n_times++] = (struct audit_time){ h->begin, f->f.resolved_at };
	}
	return add_links(all, i, h, e);
}

static void histories_free(struct histories *all)
{
	for (size_t i = 0; all->v && i < all->n; i++)
		mem_free(all->v[i].links);
	mem_free(all->v);
	mem_free(all->merged);
}

int audit_promises(struct auditing *x, struct err *e)
{
	struct promises all = { .x = x };
	struct histories past = { .x = x };

	int r = read_folder(&all, e);
	if (r >= 0)
		when_added(&all);
	for (size_t i = 0; i < all.n && r >= 0; i++)
		r = find_fault(&all, &all.v[i], e);
	for (size_t i = 0; i < all.n && r >= 0; i++) {
		struct audit_fault *f = all.v[i].seq ? fault_of(x, all.v[i].seq) : NULL;
		if (f)
			r = add_checks(x, f, &all.v[i], all.v[i].added, e);
	}
	if (r >= 0)
		r = read_histories(&past, e);
	for (size_t i = 0; i < past.n && r >= 0; i++)
		r = add_history(&all, &past, i, e);
	histories_free(&past);
	mem_free(all.v);
	return r < 0 ? r : 0;
}
