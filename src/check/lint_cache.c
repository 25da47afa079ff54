#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/sha256.h"
#include "check/lint_own.h"

/*
 * What was said of each file, by the SHA-256 of its text. One file for a root, a configuration and a program: any other program, rule or
 * setting has another name, and so finds nothing. Whatever is wrong with it, it is as if there was none.
 *
 *   MAGIC KEY { length of what follows, path, sum, go, errors, limit, findings, facts } SUM-OF-ALL-BEFORE
 */
#define MAGIC       "tocsin lint cache 1\n"
#define CACHE_BYTES ((size_t)512 << 20)
#define CACHES_MAX  64 /* files in the folder; the oldest go */
#define ABSENT      UINT32_MAX

struct lint_cache {
	struct buf path, old;
	unsigned char key[SHA256_SIZE];
	struct map entries; /* of struct entry, by path */
	struct arena mem;
	size_t n;
};
struct entry {
	struct span raw; /* with its length in front */
	struct span path, sum, rest;
};

/* ---- numbers and texts ---- */

static void put(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void put_span(struct buf *b, struct span s)
{
	put(b, s.p ? (uint32_t)s.n : ABSENT);
	buf_span(b, s);
}

static uint32_t take(struct span *s, bool *bad)
{
	uint32_t v = 0;

	*bad |= s->n < sizeof(v);
	if (!*bad)
		memcpy(&v, s->p, sizeof(v));
	*s = span_from(*s, sizeof(v));
	return v;
}

static struct span take_bytes(struct span *s, size_t n, bool *bad)
{
	struct span ret = span_head(*s, n);

	*bad |= ret.n < n;
	*s = span_from(*s, n);
	return ret;
}

static struct span take_span(struct span *s, bool *bad)
{
	uint32_t n = take(s, bad);

	return n == ABSENT || *bad ? (struct span){ 0 } : take_bytes(s, n, bad);
}

static void put_place(struct buf *b, const struct lint_place *p)
{
	buf_add(b, p, sizeof(*p));
}

static struct lint_place take_place(struct span *s, bool *bad)
{
	struct lint_place p = { 0 };
	struct span bytes = take_bytes(s, sizeof(p), bad);

	if (!*bad)
		memcpy(&p, bytes.p, sizeof(p));
	return p;
}

/* ---- one file ---- */

static void put_finding(struct buf *b, const struct lint_finding *f)
{
	put(b, (uint32_t)(f->rule - rules));
	put(b, f->severity);
	put(b, f->from);
	put(b, f->to);
	put_place(b, &f->at);
	put(b, f->n_args);
	for (unsigned i = 0; i < f->n_args; i++)
		put_span(b, f->args[i]);
	put_span(b, f->unit);
	put_span(b, f->line);
	put(b, f->edits_safe);
	put(b, (uint32_t)f->n_edits);
	for (size_t i = 0; i < f->n_edits; i++) {
		put(b, f->edits[i].from);
		put(b, f->edits[i].to);
		put_span(b, f->edits[i].text);
		put_place(b, &f->edits[i].at);
	}
}

static void put_file(struct buf *b, const struct lint_file *f)
{
	size_t begin = b->len;

	put(b, 0);
	put_span(b, span_of(f->path));
	buf_add(b, f->sum, sizeof(f->sum));
	put(b, (uint32_t)f->go);
	put(b, (uint32_t)f->errors);
	put_span(b, f->limit ? (struct span){ f->limit, strlen(f->limit) + 1 } : (struct span){ 0 });
	put(b, (uint32_t)f->n);
	for (size_t i = 0; i < f->n; i++)
		put_finding(b, &f->findings[i]);
	put(b, (uint32_t)f->n_facts);
	for (size_t i = 0; i < f->n_facts; i++) {
		const struct lint_fact *x = &f->facts[i];
		put(b, x->kind);
		put_span(b, x->a);
		put_span(b, x->b);
		put_span(b, x->c);
		put(b, x->from);
		put(b, x->to);
		put_place(b, &x->at);
	}
	uint32_t length = (uint32_t)(b->len - begin - sizeof(length));
	if (!b->bad)
		memcpy(b->p + begin, &length, sizeof(length));
}

static bool take_edits(struct span *s, struct lint_file *f, struct lint_finding *x, bool *bad)
{
	x->edits_safe = take(s, bad) != 0;
	uint32_t n = take(s, bad);
	if (*bad || n > s->n)
		return false;
	x->edits = n ? arena_alloc(f->mem, n * sizeof(*x->edits)) : NULL;
	for (x->n_edits = 0; x->n_edits < n && x->edits && !*bad; x->n_edits++) {
		struct lint_edit *e = &x->edits[x->n_edits];
		e->from = take(s, bad);
		e->to = take(s, bad);
		e->text = take_span(s, bad);
		e->at = take_place(s, bad);
	}
	return !*bad && (x->edits || !n);
}

static bool take_finding(struct span *s, struct lint_file *f, const struct entry *e)
{
	struct lint_finding x = { .path = f->path };
	bool bad = false;
	uint32_t rule = take(s, &bad), severity = take(s, &bad);

	x.from = take(s, &bad);
	x.to = take(s, &bad);
	x.at = take_place(s, &bad);
	x.n_args = take(s, &bad);
	if (bad || rule >= RULES || severity > SEV_ERROR || x.n_args > LINT_ARGS)
		return false;
	x.rule = &rules[rule];
	x.severity = (enum severity)severity;
	for (unsigned i = 0; i < x.n_args; i++)
		x.args[i] = take_span(s, &bad);
	x.unit = take_span(s, &bad);
	x.line = take_span(s, &bad);
	if (bad || !take_edits(s, f, &x, &bad) || !mem_grow(&f->findings, &f->cap, f->n, sizeof(x)))
		return false;
	x.sum = x.n_edits ? (const unsigned char *)e->sum.p : NULL;
	f->findings[f->n++] = x;
	return true;
}

static bool take_fact(struct span *s, struct lint_file *f)
{
	struct lint_fact x = { .path = f->path };
	bool bad = false;
	uint32_t kind = take(s, &bad);

	x.a = take_span(s, &bad);
	x.b = take_span(s, &bad);
	x.c = take_span(s, &bad);
	x.from = take(s, &bad);
	x.to = take(s, &bad);
	x.at = take_place(s, &bad);
	if (bad || kind >= FACTS || !mem_grow(&f->facts, &f->cap_facts, f->n_facts, sizeof(x)))
		return false;
	x.kind = (enum lint_fact_kind)kind;
	f->facts[f->n_facts++] = x;
	return true;
}

bool lint_cache_get(struct lint_cache *c, struct lint_file *f)
{
	const struct entry *e = c ? map_get(&c->entries, span_of(f->path)) : NULL;
	bool bad = false, fine = true;

	if (!e || memcmp(e->sum.p, f->sum, sizeof(f->sum)) != 0)
		return false;
	struct span s = e->rest;
	if ((int)take(&s, &bad) != f->go)
		return false;
	size_t errors = take(&s, &bad);
	struct span limit = take_span(&s, &bad);
	for (uint32_t n = take(&s, &bad); n && fine && !bad; n--)
		fine = take_finding(&s, f, e);
	for (uint32_t n = fine ? take(&s, &bad) : 0; n && fine && !bad; n--)
		fine = take_fact(&s, f);
	if (!fine || bad || (limit.n && limit.p[limit.n - 1])) {
		f->n = f->n_facts = 0;
		return false;
	}
	f->errors = errors;
	f->limit = limit.n ? limit.p : NULL;
	return true;
}

/* ---- the whole ---- */

static void add_words(struct buf *b, const struct lint_words *w)
{
	put(b, (uint32_t)w->n);
	for (size_t i = 0; i < w->n; i++)
		put_span(b, span_of(w->v[i]));
}

/* Everything but its text and path that what is said of a file depends on. False: this cannot be told. */
static bool make_key(struct lint_cache *c, const struct lint_options *o, const bool on[])
{
	CLEANUP(buf_free) struct buf b = { 0 };
	char root[PATH_MAX];
	struct stat own;

	if (!realpath(o->root, root) || stat("/proc/self/exe", &own) < 0)
		return false;
	buf_addf(&b, "%s\n%s\n%lld %lld %lld\n%d\n", root, TOCSIN_VERSION, (long long)own.st_size,
		 (long long)own.st_mtim.tv_sec, (long long)own.st_mtim.tv_nsec, (int)lang_now);
	for (size_t i = 0; i < RULES; i++) {
		put_span(&b, span_of(rules[i].id));
		put(&b, rules[i].severity);
		put_span(&b, span_of(rules[i].message.en));
		put(&b, on[i]);
	}
	add_words(&b, &o->config.guards);
	add_words(&b, &o->config.reporters);
	add_words(&b, &o->config.panic_paths);
	add_words(&b, &o->config.watched);
	add_words(&b, &o->config.alerts);
	sha256(buf_view(&b), c->key);
	return !b.bad;
}

static bool read_entries(struct lint_cache *c, struct span s)
{
	bool bad = false;

	while (s.n && !bad) {
		struct entry *e = arena_alloc(&c->mem, sizeof(*e));
		const char *begin = s.p;
		if (!e)
			return false;
		e->rest = take_bytes(&s, take(&s, &bad), &bad);
		e->raw = (struct span){ begin, (size_t)(s.p - begin) };
		e->path = take_span(&e->rest, &bad);
		e->sum = take_bytes(&e->rest, SHA256_SIZE, &bad);
		if (bad || !e->path.p || !map_put(&c->entries, e->path, e))
			return false;
		c->n++;
	}
	return !bad;
}

static void read_old(struct lint_cache *c)
{
	const size_t head = sizeof(MAGIC) - 1 + SHA256_SIZE;
	unsigned char sum[SHA256_SIZE];

	c->old.max = CACHE_BYTES;
	if (file_slurp_regular(buf_str(&c->path), &c->old, NULL) < 0 || c->old.len < head + SHA256_SIZE)
		return;
	struct span all = buf_view(&c->old), tail = span_from(all, all.n - SHA256_SIZE),
		    body = span_head(all, all.n - SHA256_SIZE);
	sha256(body, sum);
	if (!span_starts(all, S(MAGIC)) || memcmp(all.p + sizeof(MAGIC) - 1, c->key, SHA256_SIZE) != 0 ||
	    memcmp(tail.p, sum, SHA256_SIZE) != 0)
		return;
	if (!read_entries(c, span_from(body, head))) {
		map_clear(&c->entries);
		c->n = 0;
	}
}

struct lint_cache *lint_cache_open(const struct lint_options *o, const bool on[])
{
	struct lint_cache *c = o->cache ? mem_zalloc(sizeof(*c)) : NULL;
	char name[2 * SHA256_SIZE + 1];

	if (!c)
		return NULL;
	if (!make_key(c, o, on) || path_mkdirs(o->cache, 0700, NULL) < 0) {
		mem_free(c);
		return NULL;
	}
	hex_lower(c->key, SHA256_SIZE, name);
	path_join(&c->path, o->cache, name);
	buf_adds(&c->path, ".lint");
	if (!c->path.bad)
		read_old(c);
	return c;
}

/* Of caches that nobody uses any more (another version, another setting) the oldest go. */
static void drop_oldest(const char *file)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	char oldest[NAME_MAX + 1] = "";
	struct timespec least = { 0 };
	size_t n = 0;

	buf_span(&dir, path_dir(span_of(file)));
	DIR *d = dir.bad ? NULL : opendir(buf_str(&dir));
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		struct stat s;
		if (!span_ends(span_of(e->d_name), S(".lint")) ||
		    fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!n++ || s.st_mtim.tv_sec < least.tv_sec) {
			least = s.st_mtim;
			memcpy(oldest, e->d_name, strlen(e->d_name) + 1);
		}
	}
	if (n > CACHES_MAX)
		unlinkat(dirfd(d), oldest, 0);
	closedir(d);
}

/* The files that this run did not look at: they may be as they were. */
static size_t put_others(struct lint_cache *c, const struct map *seen, struct buf *b)
{
	const struct entry *e;
	size_t n = 0;

	for (size_t at = 0; (e = map_next(&c->entries, &at));)
		if (!map_get(seen, e->path)) {
			buf_span(b, e->raw);
			n++;
		}
	return n;
}

static void write_new(struct lint_cache *c, const struct lint_file *files, size_t n, bool whole)
{
	CLEANUP(buf_free) struct buf b = { .max = CACHE_BYTES };
	struct map seen = { 0 };
	unsigned char sum[SHA256_SIZE];
	size_t written = 0;
	bool changed = false, bad = false;

	buf_adds(&b, MAGIC);
	buf_add(&b, c->key, sizeof(c->key));
	for (size_t i = 0; i < n && !bad; i++) {
		const struct lint_file *f = &files[i];
		const struct entry *e = f->cached ? map_get(&c->entries, span_of(f->path)) : NULL;
		bad = f->bad || !map_put(&seen, span_of(f->path), c);
		if (!f->kind || bad)
			continue;
		if (e)
			buf_span(&b, e->raw);
		else
			put_file(&b, f);
		changed |= !e;
		written++;
	}
	if (!whole && !bad)
		written += put_others(c, &seen, &b);
	map_free(&seen);
	sha256(buf_view(&b), sum);
	buf_add(&b, sum, sizeof(sum));
	if (bad || b.bad || (!changed && written == c->n))
		return;
	if (file_replace(buf_str(&c->path), buf_view(&b), NULL) == 0)
		drop_oldest(buf_str(&c->path));
}

void lint_cache_end(struct lint_cache *c, const struct lint_file *files, size_t n, bool whole, char **kept)
{
	if (!c)
		return;
	write_new(c, files, n, whole);
	*kept = c->old.p; /* findings point into it */
	buf_free(&c->path);
	map_free(&c->entries);
	arena_free(&c->mem);
	mem_free(c);
}
