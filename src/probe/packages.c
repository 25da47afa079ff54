#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "probe/own.h"

/* Which package a linker's name belongs to, and the list of them. */

/* What the compiler names; packages' own paths can begin with "go." (go.uber.org), so that dot alone says nothing. */
static const struct span made[] = {
	S("type:"),        S("go:"),        S("type.."),        S("go.buildid"), S("go.itab."),
	S("go.(*struct "), S("go.struct "), S("go.interface "), S("go.func."),
};

struct span probe_package_of(struct span name)
{
	size_t path = 0, at = 0;

	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		if (name.n && name.p[0] == made[i].p[0] && span_starts(name, made[i]))
			return span_head(name, 0);
	for (; at < name.n && name.p[at] != '['; at++)
		if (name.p[at] == '/')
			path = at + 1;
	const char *dot = memchr(name.p + path, '.', at - path);
	return span_head(name, dot ? (size_t)(dot - name.p) : 0);
}

/* Dots of the last element and odd bytes are written %2e. */
static struct span unescape(struct reading *r, struct span raw)
{
	if (!memchr(raw.p, '%', raw.n))
		return raw;
	char *to = reading_room(r, raw.n + 1, 1);
	size_t n = 0;
	for (size_t i = 0; to && i < raw.n; i++) {
		int hi = raw.p[i] == '%' && i + 2 < raw.n ? hex_digit(raw.p[i + 1]) : -1,
		    lo = hi < 0 ? -1 : hex_digit(raw.p[i + 2]);
		to[n++] = lo < 0 ? raw.p[i] : (char)(hi << 4 | lo);
		i += lo < 0 ? 0 : 2;
	}
	return to ? (struct span){ to, n } : raw;
}

static bool grow_slots(struct packages *k)
{
	size_t n = k->n_slots ? 2 * k->n_slots : 512;
	uint32_t *slots = mem_alloc(n * sizeof(*slots));

	if (!slots)
		return false;
	memset(slots, 0xff, n * sizeof(*slots));
	for (size_t i = 0; i < k->n; i++) {
		size_t at = span_hash(k->raw[i]) & (n - 1);
		while (slots[at] != UINT32_MAX)
			at = (at + 1) & (n - 1);
		slots[at] = (uint32_t)i;
	}
	mem_free(k->slots);
	k->slots = slots;
	k->n_slots = n;
	return true;
}

static uint32_t add_package(struct reading *r, struct packages *k, struct span raw, size_t at)
{
	if (k->n == k->max) {
		r->full = true;
		return PROBE_NO_PACKAGE;
	}
	if (!mem_grow(&k->v, &k->cap, k->n, sizeof(*k->v)) ||
	    !mem_grow(&k->raw, &k->cap_raw, k->n, sizeof(*k->raw))) {
		r->no_memory = true;
		return PROBE_NO_PACKAGE;
	}
	k->raw[k->n] = raw;
	k->v[k->n] = (struct probe_package){ .path = unescape(r, raw) };
	k->slots[at] = (uint32_t)k->n;
	return k->last = (uint32_t)k->n++;
}

uint32_t package_number(struct reading *r, struct packages *k, const char *name, size_t n)
{
	struct span raw = probe_package_of((struct span){ name, n });

	if (raw.n == 0)
		return PROBE_NO_PACKAGE;
	if (k->last < k->n && span_eq(raw, k->raw[k->last]))
		return k->last;
	if (2 * k->n >= k->n_slots && !grow_slots(k)) {
		r->no_memory = true;
		return PROBE_NO_PACKAGE;
	}
	size_t at = span_hash(raw) & (k->n_slots - 1);
	for (; k->slots[at] != UINT32_MAX; at = (at + 1) & (k->n_slots - 1))
		if (span_eq(raw, k->raw[k->slots[at]]))
			return k->last = k->slots[at];
	return add_package(r, k, raw, at);
}

struct sorted {
	struct probe_package package;
	uint32_t was;
};

static int span_order(struct span a, struct span b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int by_path(const void *a, const void *b)
{
	return span_order(((const struct sorted *)a)->package.path, ((const struct sorted *)b)->package.path);
}

/* In the order of their paths; functions' numbers follow. */
bool packages_keep(struct reading *r, struct packages *k, struct probe_func *funcs,
		   struct probe_inlined *inlined)
{
	struct probe *p = r->p;
	struct sorted *s = mem_alloc((k->n + 1) * sizeof(*s));
	uint32_t *now = mem_alloc((k->n + 1) * sizeof(*now));
	struct probe_package *v = reading_room(r, k->n, sizeof(*v));

	if (!s || !now)
		r->no_memory = true;
	for (size_t i = 0; s && now && v && i < k->n; i++)
		s[i] = (struct sorted){ k->v[i], (uint32_t)i };
	if (s && now && v) {
		qsort(s, k->n, sizeof(*s), by_path);
		for (size_t i = 0; i < k->n; i++) {
			v[i] = s[i].package;
			now[s[i].was] = (uint32_t)i;
		}
		p->packages = v;
		p->n_packages = k->n;
	}
	for (size_t i = 0; i < p->n_funcs; i++)
		if (funcs[i].package != PROBE_NO_PACKAGE)
			funcs[i].package = p->n_packages ? now[funcs[i].package] : PROBE_NO_PACKAGE;
	for (size_t i = 0; i < p->n_inlined; i++)
		if (inlined[i].package != PROBE_NO_PACKAGE)
			inlined[i].package = p->n_packages ? now[inlined[i].package] : PROBE_NO_PACKAGE;
	mem_free(s);
	mem_free(now);
	return p->n_packages == k->n;
}

void packages_free(struct packages *k)
{
	mem_free(k->v);
	mem_free(k->raw);
	mem_free(k->slots);
}

const struct probe_package *probe_package(const struct probe *p, struct span path)
{
	size_t lo = 0, hi = p->n_packages;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = span_order(p->packages[mid].path, path);
		if (c == 0)
			return &p->packages[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}
