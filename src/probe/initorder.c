#include "base/buf.h"
#include "base/mem.h"
#include "probe/own.h"

/* What runs before main, in the order in which the runtime of this binary runs it. */

#define TASKS     65536
#define FUNCTIONS 65536

struct tasks {
	uint64_t *done; /* addresses, open addressing; 0: free */
	size_t n_slots;
	struct probe_init *v;
	size_t n, max;
};

/* true: it was there already, or there is no more room. */
static bool mark(struct tasks *t, uint64_t addr)
{
	for (size_t i = 0, at = (addr / 4) * 0x9e3779b97f4a7c15ull >> 32 & (t->n_slots - 1); i < t->n_slots;
	     i++, at = (at + 1) & (t->n_slots - 1)) {
		if (t->done[at] == addr)
			return true;
		if (t->done[at] == 0) {
			t->done[at] = addr;
			return false;
		}
	}
	return true;
}

static bool is_init(const char *name)
{
	const char *dot = strstr(name, ".init");

	return dot && (dot[5] == 0 || dot[5] == '.');
}

static const struct probe_func *init_function(struct reading *r, uint64_t at)
{
	uint64_t code;
	const struct probe_func *f = image_ptr(r->m, at, &code) ? function_at(r, code) : NULL;

	return f && f->entry == code ? f : NULL;
}

static struct span package_of(const struct reading *r, const struct probe_func *f)
{
	return f->package == PROBE_NO_PACKAGE ? span_of(f->name) : r->p->packages[f->package].path;
}

static void add(struct reading *r, struct tasks *t, const struct probe_func *f, uint32_t functions)
{
	if (t->n < t->max)
		t->v[t->n++] = (struct probe_init){ package_of(r, f), functions };
}

/* ---- Go 1.21 and newer: sorted lists of tasks { state, number of functions, functions } ---- */

static const struct probe_func *new_task(struct reading *r, uint64_t at, uint32_t *functions)
{
	const unsigned char *h = image_addr(r->m, at, 8);

	if (!h || rd32(r->m, h) != 0)
		return NULL;
	*functions = rd32(r->m, h + 4);
	return *functions && *functions <= FUNCTIONS ? init_function(r, at + 8) : NULL;
}

static void run_list(struct reading *r, struct tasks *t, uint64_t at, uint64_t n)
{
	uint32_t functions;

	for (uint64_t i = 0, task; i < n && image_ptr(r->m, at + i * (unsigned)r->m->ptr, &task); i++) {
		const struct probe_func *f = new_task(r, task, &functions);
		if (f && !mark(t, task))
			add(r, t, f, functions);
	}
}

/* Is there a slice of tasks, one of them of the runtime itself? */
static bool is_runtime_list(struct reading *r, uint64_t at, uint64_t n, uint64_t *looked)
{
	bool runtime = false;
	uint32_t functions;

	for (uint64_t i = 0, task; i < n; i++) {
		if ((*looked)-- == 0) {
			*looked = 0;
			return false;
		}
		const struct probe_func *f = image_ptr(r->m, at + i * (unsigned)r->m->ptr, &task)
						     ? new_task(r, task, &functions)
						     : NULL;
		if (!f || !is_init(f->name))
			return false;
		runtime |= span_eq(package_of(r, f), S("runtime"));
	}
	return runtime;
}

/* The runtime's own tasks run first. Their list is named only by a variable of the runtime. */
static bool find_runtime_list(struct reading *r, uint64_t not, uint64_t *ret, uint64_t *n)
{
	unsigned ptr = (unsigned)r->m->ptr;
	uint64_t looked = r->p->size; /* what looks like lists may overlap */

	for (size_t k = 0; k < r->m->n_regions; k++) {
		const struct region *in = &r->m->regions[k];
		const unsigned char *p = in->write && !in->exec ? image_file(r->m, in->at, in->filed) : NULL;
		for (uint64_t at = 0; p && at + 3 * ptr <= in->filed; at += ptr) {
			*n = rdptr(r->m, p + at + ptr);
			if (*n == 0 || *n > 256 || *n != rdptr(r->m, p + at + 2 * ptr))
				continue;
			*ret = rdptr(r->m, p + at);
			if (*ret != not &&is_runtime_list(r, *ret, *n, &looked))
				return true;
		}
	}
	return false;
}

static bool read_lists(struct reading *r, struct tasks *t)
{
	uint64_t at, n, runtime, n_runtime;

	if (!module_slice(r, module_word_inittasks(r), &at, &n) || n > TASKS)
		return false;
	if (!r->p->plugin_path.n && find_runtime_list(r, at, &runtime, &n_runtime))
		run_list(r, t, runtime, n_runtime);
	run_list(r, t, at, n);
	return t->n > 0;
}

/* ---- to Go 1.20: a tree of tasks { state, numbers of dependencies and functions; dependencies; functions } ---- */

struct old_task {
	uint64_t addr, n_deps, n_functions, next;
};

static bool old_task(struct reading *r, uint64_t addr, struct old_task *t)
{
	unsigned ptr = (unsigned)r->m->ptr;
	const unsigned char *h = image_addr(r->m, addr, 3 * (uint64_t)ptr);

	if (!h || rdptr(r->m, h) != 0)
		return false;
	*t = (struct old_task){ addr, rdptr(r->m, h + ptr), rdptr(r->m, h + 2 * ptr), 0 };
	return t->n_deps <= FUNCTIONS && t->n_functions <= FUNCTIONS &&
	       image_addr(r->m, addr, (3 + t->n_deps + t->n_functions) * ptr);
}

#define DEPTH 4096

/* Depth first, in the order of imports, as the runtime goes. */
static void run_tree(struct reading *r, struct tasks *t, struct old_task *stack, uint64_t root)
{
	unsigned ptr = (unsigned)r->m->ptr;
	size_t n = 0;

	if (mark(t, root) || !old_task(r, root, &stack[n++]))
		return;
	while (n) {
		struct old_task *top = &stack[n - 1];
		uint64_t dep;
		if (top->next < top->n_deps) {
			bool there = image_ptr(r->m, top->addr + (3 + top->next++) * ptr, &dep);
			if (there && n < DEPTH && !mark(t, dep) && old_task(r, dep, &stack[n]))
				n++;
			continue;
		}
		const struct probe_func *f =
			top->n_functions ? init_function(r, top->addr + (3 + top->n_deps) * ptr) : NULL;
		if (f)
			add(r, t, f, (uint32_t)top->n_functions);
		n--;
	}
}

static bool read_tree(struct reading *r, struct tasks *t)
{
	struct old_task *stack = mem_alloc(DEPTH * sizeof(*stack));
	CLEANUP(buf_free) struct buf root = { 0 };
	uint64_t runtime, main;

	if (!stack)
		r->no_memory = true;
	/* A plugin's host runs the runtime's. */
	buf_span(&root, r->p->plugin_path.n ? r->p->plugin_path : S("main"));
	buf_adds(&root, "..inittask");
	bool known = stack && !root.bad && image_symbol(r->m, buf_view(&root), &main);
	if (known && !r->p->plugin_path.n) {
		known = image_symbol(r->m, S("runtime..inittask"), &runtime);
		if (known)
			run_tree(r, t, stack, runtime);
	}
	if (known)
		run_tree(r, t, stack, main);
	mem_free(stack);
	return known && t->n > 0;
}

/* ---- from names alone ---- */

static void read_names(struct reading *r, struct tasks *t)
{
	const struct probe *p = r->p;
	unsigned char *seen = mem_zalloc(p->n_packages + 1);

	if (!seen)
		r->no_memory = true;
	for (size_t i = 0; seen && i < p->n_funcs; i++) {
		const struct probe_func *f = &p->funcs[i];
		if (f->package == PROBE_NO_PACKAGE || !is_init(f->name) || seen[f->package]++)
			continue;
		seen[f->package] = 1;
		add(r, t, f, 0);
	}
	mem_free(seen);
}

void read_init(struct reading *r)
{
	struct probe *p = r->p;
	struct tasks t = { .n_slots = 256, .max = p->n_packages < TASKS ? p->n_packages : TASKS };

	while (t.n_slots < 4 * t.max)
		t.n_slots *= 2;
	t.done = mem_zalloc(t.n_slots * sizeof(*t.done));
	t.v = reading_room(r, t.max, sizeof(*t.v));
	if (!t.done)
		r->no_memory = true;
	if (t.done && t.v && t.max) {
		bool new = module_word_inittasks(r) >= 0;
		if (new ? read_lists(r, &t) : read_tree(r, &t))
			p->init_order = PROBE_ORDER_TASKS;
		else
			read_names(r, &t);
		if (t.n && p->init_order == PROBE_ORDER_NONE)
			p->init_order = PROBE_ORDER_NAMES;
	}
	p->init = t.v;
	p->n_init = t.n;
	mem_free(t.done);
}
