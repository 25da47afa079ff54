#include "base/map.h"

#include "base/mem.h"

#define DELETED SIZE_MAX

static bool slot_is(const struct map_slot *s, uint64_t hash, struct span key)
{
	return s->hash == hash && s->key.n == key.n && memcmp(s->key.p, key.p, key.n) == 0;
}

static struct map_slot *find(const struct map *m, struct span key, uint64_t hash)
{
	for (size_t i = hash; m->cap; i++) {
		struct map_slot *s = &m->slots[i & (m->cap - 1)];
		if (!s->key.p)
			return NULL;
		if (s->key.n != DELETED && slot_is(s, hash, key))
			return s;
	}
	return NULL;
}

static struct span solid(struct span key) /* an empty key still needs a pointer */
{
	return key.p ? key : S("");
}

void *map_get(const struct map *m, struct span key)
{
	key = solid(key);
	struct map_slot *s = m->count ? find(m, key, span_hash(key)) : NULL;

	return s ? s->value : NULL;
}

static void insert(struct map *m, struct map_slot item)
{
	for (size_t i = item.hash;; i++) {
		struct map_slot *s = &m->slots[i & (m->cap - 1)];
		if (s->key.p && s->key.n != DELETED)
			continue;
		m->filled += !s->key.p;
		m->count++;
		*s = item;
		return;
	}
}

static bool grow(struct map *m)
{
	struct map old = *m;
	size_t cap = old.cap ? old.cap : 16;

	while (cap < old.count * 3)
		cap *= 2;
	struct map_slot *slots = mem_zalloc(cap * sizeof(*slots));
	if (!slots)
		return false;
	*m = (struct map){ .slots = slots, .cap = cap };
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i].key.p && old.slots[i].key.n != DELETED)
			insert(m, old.slots[i]);
	}
	mem_free(old.slots);
	return true;
}

bool map_put(struct map *m, struct span key, void *value)
{
	key = solid(key);
	uint64_t hash = span_hash(key);
	struct map_slot *s = find(m, key, hash);

	if (s) {
		s->key = key;
		s->value = value;
		return true;
	}
	if ((m->filled + 1) * 4 > m->cap * 3 && !grow(m))
		return false;
	insert(m, (struct map_slot){ key, hash, value });
	return true;
}

void *map_del(struct map *m, struct span key)
{
	key = solid(key);
	struct map_slot *s = m->count ? find(m, key, span_hash(key)) : NULL;

	if (!s)
		return NULL;
	void *v = s->value;
	*s = (struct map_slot){ .key = { "", DELETED } };
	m->count--;
	/* Deleted slots before a free one end no probe early: free them, so that a busy map needs no rehash. */
	size_t i = (size_t)(s - m->slots), mask = m->cap - 1;
	while (!m->slots[(i + 1) & mask].key.p && m->slots[i].key.p && m->slots[i].key.n == DELETED) {
		m->slots[i] = (struct map_slot){ 0 };
		m->filled--;
		i = (i - 1) & mask;
	}
	return v;
}

void *map_next(const struct map *m, size_t *at)
{
	while (*at < m->cap) {
		const struct map_slot *s = &m->slots[(*at)++];
		if (s->key.p && s->key.n != DELETED)
			return s->value;
	}
	return NULL;
}

void map_clear(struct map *m)
{
	if (m->slots)
		memset(m->slots, 0, m->cap * sizeof(*m->slots));
	m->count = m->filled = 0;
}

void map_free(struct map *m)
{
	mem_free(m->slots);
	*m = (struct map){ 0 };
}
