/* The last moments of a few goroutines. */
#include <errno.h>

#include "diagnose/trace_own.h"

int trace_watch_begin(struct trace *t, const uint64_t *ids, size_t n)
{
	if (!n)
		return 0;
	n = n < TRACE_WATCH ? n : TRACE_WATCH;
	t->watched = mem_zalloc(n * sizeof(*t->watched));
	if (!t->watched)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		t->watched[i].id = ids[i];
	t->n_watched = n;
	return 0;
}

static struct trace_watched *find(const struct trace *t, uint64_t id)
{
	for (size_t i = 0; i < t->n_watched; i++) {
		if (t->watched[i].id == id)
			return &t->watched[i];
	}
	return NULL;
}

/* Before it leaves the state that it is in. */
void trace_watch_leaves(struct trace *t, const struct xt_event *ev, const struct life *l)
{
	struct trace_watched *w = find(t, ev->who->id);
	uint32_t stack = l->class == TC_SYSCALL ? l->stack : l->class > TC_SYSCALL ? l->wait_stack : 0;

	if (!w)
		return;
	if (l->class == TC_RUNNING && ev->who == ev->g)
		stack = ev->stack;
	if (w->n == TRACE_MOMENTS)
		memmove(w->last, w->last + 1, --w->n * sizeof(*w->last));
	w->last[w->n++] = (struct trace_moment){ l->since - t->begin, ev->time - t->begin,
						 l->class > TC_RUNNABLE ? l->reason : 0, stack,
						 (enum trace_class)l->class };
}

void trace_watch_ends(struct trace *t, uint64_t id, const struct life *l, bool ended)
{
	struct trace_watched *w = find(t, id);

	if (!w)
		return;
	w->seen = true;
	w->ended = ended;
	w->before = l->before;
	w->created = l->created - t->begin;
	w->group = l->group;
}

const struct trace_watched *trace_watched(const struct trace *t, uint64_t id)
{
	const struct trace_watched *w = find(t, id);

	return w && w->seen ? w : NULL;
}
