#include <errno.h>

#include "base/mem.h"
#include "check/initgraph.h"

/*
 * The order in which Go initialises packages. The runtime and what it imports come first; then:
 * to 1.20 the runtime goes depth-first through the imports, in the order in which the compiler met them;
 * from 1.21 the linker takes, of the packages whose imports are done, the one whose symbol comes first.
 * A package takes part when it, or something that it imports, does something; the others hold nobody up. One of which only the
 * compiler knows is taken for one that does nothing: with constants and errors that is what it mostly comes to.
 */
struct ordering {
	struct init_graph *g;
	unsigned char *state; /* per package: 0 new, 1 under way, 2 done */
	struct frame {
		size_t package, next;
	} * stack;
	size_t *wanted, *heap, *waiting; /* imports that are not done yet, by package */
	size_t n_heap;
	struct users { /* who waits for a package */
		size_t *v, n;
	} * users;
	struct arena mem;
	bool loop;
};

/* All that is reached from a package, depth-first; done() for each when its imports are done. */
static void depth_first(struct ordering *o, size_t from, void (*done)(struct ordering *o, size_t package))
{
	size_t n = 0;

	if (o->state[from] != 0)
		return;
	o->state[from] = 1;
	o->stack[n++] = (struct frame){ from, 0 };
	while (n) {
		struct frame *f = &o->stack[n - 1];
		const struct init_package *p = &o->g->v[f->package];
		if (f->next == p->n_imports) {
			o->state[f->package] = 2;
			done(o, f->package);
			n--;
			continue;
		}
		size_t to = p->imports[f->next++];
		o->loop |= o->state[to] == 1;
		if (o->state[to] != 0)
			continue;
		o->state[to] = 1;
		o->stack[n++] = (struct frame){ to, 0 };
	}
}

static bool is_runtime(const struct init_package *p)
{
	return p->origin == INIT_STD && !strcmp(p->path, "runtime");
}

/* The compiler makes a task for it. Its imports were asked before. */
static void find_task(struct ordering *o, size_t package)
{
	struct init_package *p = &o->g->v[package];

	p->task = p->work == INIT_RUNS || p->program || is_runtime(p);
	for (size_t i = 0; i < p->n_imports; i++)
		p->task |= o->g->v[p->imports[i]].task;
}

static void take(struct ordering *o, size_t package)
{
	struct init_graph *g = o->g;
	struct init_package *p = &g->v[package];

	if (p->turn != SIZE_MAX || p->work == INIT_NOTHING)
		return;
	g->order[g->n_order++] = package;
	p->turn = g->n_order;
}

/* ---- from 1.21 ---- */

static bool before(const struct ordering *o, size_t a, size_t b)
{
	return strcmp(o->g->v[a].symbol, o->g->v[b].symbol) < 0;
}

static void swap(size_t *a, size_t *b)
{
	size_t t = *a;

	*a = *b;
	*b = t;
}

static void push(struct ordering *o, size_t package)
{
	size_t at = o->n_heap++;

	o->heap[at] = package;
	for (; at && before(o, o->heap[at], o->heap[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&o->heap[at], &o->heap[(at - 1) / 2]);
}

static size_t pop(struct ordering *o)
{
	size_t first = o->heap[0], at = 0;

	o->heap[0] = o->heap[--o->n_heap];
	for (;;) {
		size_t child = 2 * at + 1;
		if (child + 1 < o->n_heap && before(o, o->heap[child + 1], o->heap[child]))
			child++;
		if (child >= o->n_heap || !before(o, o->heap[child], o->heap[at]))
			return first;
		swap(&o->heap[at], &o->heap[child]);
		at = child;
	}
}

static void want(struct ordering *o, size_t package)
{
	if (o->g->v[package].task)
		o->wanted[package] = 1;
}

/* Who waits for whom, among those that take part. */
static bool find_users(struct ordering *o)
{
	struct init_graph *g = o->g;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < g->n; i++)
			for (size_t k = 0; o->wanted[i] && k < g->v[i].n_imports; k++) {
				size_t to = g->v[i].imports[k];
				if (!o->wanted[to])
					continue;
				if (pass)
					o->users[to].v[o->users[to].n] = i;
				else
					o->waiting[i]++;
				o->users[to].n++;
			}
		for (size_t i = 0; i < g->n && pass == 0; i++) {
			if (o->users[i].n &&
			    !(o->users[i].v = arena_alloc(&o->mem, o->users[i].n * sizeof(size_t))))
				return false;
			o->users[i].n = 0;
		}
	}
	return true;
}

/* The schedule of one root, as the linker makes it. */
static bool schedule(struct ordering *o, size_t root)
{
	struct init_graph *g = o->g;
	size_t left = 0;

	memset(o->state, 0, g->n);
	memset(o->wanted, 0, g->n * sizeof(*o->wanted));
	memset(o->waiting, 0, g->n * sizeof(*o->waiting));
	memset(o->users, 0, g->n * sizeof(*o->users));
	depth_first(o, root, want);
	if (!find_users(o))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		left += o->wanted[i];
		if (o->wanted[i] && !o->waiting[i])
			push(o, i);
	}
	for (; o->n_heap; left--) {
		size_t p = pop(o);
		take(o, p);
		for (size_t k = 0; k < o->users[p].n; k++)
			if (--o->waiting[o->users[p].v[k]] == 0)
				push(o, o->users[p].v[k]);
	}
	o->loop |= left > 0;
	return true;
}

/* ---- both ---- */

static bool prepare(struct ordering *o)
{
	size_t n = o->g->n + 1;

	o->state = arena_alloc(&o->mem, n);
	o->stack = arena_alloc(&o->mem, n * sizeof(*o->stack));
	o->wanted = arena_alloc(&o->mem, n * sizeof(size_t));
	o->heap = arena_alloc(&o->mem, n * sizeof(size_t));
	o->waiting = arena_alloc(&o->mem, n * sizeof(size_t));
	o->users = arena_alloc(&o->mem, n * sizeof(*o->users));
	if (!o->g->order)
		o->g->order = arena_alloc(&o->g->mem, n * sizeof(size_t));
	return o->state && o->stack && o->wanted && o->heap && o->waiting && o->users && o->g->order;
}

int init_graph_order(struct init_graph *g, size_t program, struct err *e)
{
	struct ordering o = { .g = g };
	size_t runtime = (size_t)map_get(&g->by_path, S("runtime"));
	bool ok = prepare(&o);

	g->n_order = 0;
	for (size_t i = 0; i < g->n; i++) {
		g->v[i].turn = SIZE_MAX;
		g->v[i].task = false;
	}
	if (ok) {
		for (size_t i = 0; i < g->n; i++)
			depth_first(&o, i, find_task);
		if (g->by_name) {
			ok = (!runtime || schedule(&o, runtime - 1)) && schedule(&o, program);
		} else {
			memset(o.state, 0, g->n);
			if (runtime)
				depth_first(&o, runtime - 1, take);
			depth_first(&o, program, take);
		}
	}
	arena_free(&o.mem);
	if (!ok)
		return err_set(e, ENOMEM,
			       TR("no memory for the order of initialisation",
				  "内存不足，无法计算初始化顺序"));
	if (o.loop)
		return err_set(e, ELOOP,
			       TR("packages import each other: Go refuses that",
				  "包之间循环导入：Go 会拒绝"));
	return 0;
}
