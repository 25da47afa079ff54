#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "cli/check_lint.h"

/*
 * --baseline: what was there before is known, and only what comes anew counts. A text file, a line for all equal findings:
 *
 *   RULE HASH COUNT FILE
 *
 * HASH is of the text of the line, so that an entry moves with it. An entry of a file that is gone holds for the same line of another
 * one: the file was moved. Lines with # are for people.
 */
#define HEAD           "# tocsin baseline 1"
#define BASELINE_BYTES ((size_t)64 << 20)
#define STALE_NAMED    50

struct entry {
	struct span rule, hash, file;
	int64_t count;
	struct span line;   /* rule and hash */
	struct entry *next; /* of the same line, in another file that is gone */
};

/* The entries of one line in files that are gone: those that are used up are taken off, so that none is passed twice. */
struct moved {
	struct entry *first;
};

static void hash_line(const struct finding *f, char ret[17])
{
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	sha256(span_trim(f->excerpt), sum);
	hex_lower(sum, sizeof(sum), hex);
	memcpy(ret, hex, 16);
	ret[16] = '\0';
}

/* A newline in a file's name would be another line. */
static void put_name(struct buf *b, struct span file)
{
	for (size_t i = 0; i < file.n; i++) {
		if (file.p[i] == '\n' || file.p[i] == '%' || file.p[i] == '\r')
			buf_addf(b, "%%%02X", (unsigned)file.p[i]);
		else
			buf_addc(b, file.p[i]);
	}
}

static void put_key(struct buf *b, const struct finding *f)
{
	char hash[17];

	hash_line(f, hash);
	buf_addf(b, "%s %s ", f->rule ? f->rule : "-", hash);
	put_name(b, f->file);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int baseline_write(const char *path, const struct report *r, struct err *e)
{
	CLEANUP(buf_free) struct buf out = { 0 }, key = { 0 };
	CLEANUP(mem_free) const char **keys = mem_alloc((r->n_findings + 1) * sizeof(*keys));
	struct arena mem = { 0 };
	bool bad = !keys;

	for (size_t i = 0; i < r->n_findings && !bad; i++) {
		buf_clear(&key);
		put_key(&key, &r->findings[i]);
		keys[i] = arena_str(&mem, buf_view(&key));
		bad = !keys[i];
	}
	if (!bad && r->n_findings)
		qsort(keys, r->n_findings, sizeof(*keys), by_text);
	buf_addf(
		&out, "%s\n# %s\n", HEAD,
		TR("findings that are known, by rule, text of the line, count and file; tocsin check --baseline FILE",
		   "已知的发现：规则、行文本、数量、文件；tocsin check --baseline 文件"));
	for (size_t i = 0, n = 1; i < r->n_findings && !bad; i++, n++) {
		if (i + 1 < r->n_findings && !strcmp(keys[i], keys[i + 1]))
			continue;
		struct span file = span_of(keys[i]), rule = span_cut(&file, ' '), hash = span_cut(&file, ' ');
		buf_addf(&out, "%.*s %.*s %zu %.*s\n", SPAN_ARG(rule), SPAN_ARG(hash), n, SPAN_ARG(file));
		n = 0;
	}
	arena_free(&mem);
	return bad || out.bad ? err_set(e, ENOMEM, TR("no memory", "内存不足"))
			      : file_replace(path, buf_view(&out), e);
}

struct baseline {
	struct arena mem;
	struct map entries;
	struct map gone; /* by line: entries of files that are not there any more */
	struct entry **list;
	size_t n, cap;
};

static int add_entry(struct baseline *b, struct span line)
{
	CLEANUP(buf_free) struct buf key = { 0 };
	struct span rest = line, rule = span_cut(&rest, ' '), hash = span_cut(&rest, ' '),
		    count = span_cut(&rest, ' ');
	int64_t n;

	if (hash.n != 16 || !span_int(count, &n) || n < 1 || !rest.n)
		return -EBADMSG;
	buf_addf(&key, "%.*s %.*s %.*s", SPAN_ARG(rule), SPAN_ARG(hash), SPAN_ARG(rest));
	struct span kept = key.bad ? (struct span){ 0 } : arena_span(&b->mem, buf_view(&key));
	struct entry *one = arena_alloc(&b->mem, sizeof(*one)),
		     *before = kept.p ? map_get(&b->entries, kept) : NULL;
	if (before) { /* two branches were merged */
		before->count += n;
		return 0;
	}
	if (!kept.p || !one || !mem_grow(&b->list, &b->cap, b->n, sizeof(*b->list)))
		return -ENOMEM;
	*one = (struct entry){ .rule = span_head(kept, rule.n),
			       .hash = hash,
			       .file = span_from(kept, rule.n + hash.n + 2),
			       .count = n,
			       .line = span_head(kept, rule.n + 1 + hash.n) };
	b->list[b->n++] = one;
	return map_put(&b->entries, kept, one) ? 0 : -ENOMEM;
}

static int read_baseline(const char *path, struct span text, struct baseline *b, struct err *e)
{
	if (!span_starts(text, S(HEAD)))
		return err_set(e, EBADMSG,
			       TR("%s is no baseline: make one with --baseline %s --baseline-write",
				  "%s 不是基线文件：请用 --baseline %s --baseline-write 生成"),
			       path, path);
	for (int line = 1; text.n; line++) {
		struct span one = span_trim(span_cut(&text, '\n'));
		int r = !one.n || one.p[0] == '#' ? 0 : add_entry(b, one);
		if (r == -ENOMEM)
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		if (r < 0)
			return err_set(e, EBADMSG,
				       TR("%s:%d: no entry of a baseline: RULE HASH COUNT FILE",
					  "%s:%d：不是基线条目：规则 哈希 数量 文件"),
				       path, line);
	}
	return 0;
}

static void tell_stale(const char *path, const struct baseline *b, struct report *r, struct baseline_sum *sum)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct entry *one = b->list[i];
		if (one->count <= 0)
			continue;
		sum->stale += (size_t)one->count;
		if (r->limits.n >= STALE_NAMED) /* a text for each would be as much again as the file */
			continue;
		struct span text = report_text(
			r,
			COUNTED(one->count, "%s: stale: %.*s in %.*s is not found any more (%lld time)",
				"%s: stale: %.*s in %.*s is not found any more (%lld times)",
				"%s：已失效：%.*s（%.*s）不再出现（%lld 处）"),
			path, SPAN_ARG(one->rule), SPAN_ARG(one->file), (long long)one->count);
		r->lost |= !list_add(&r->mem, &r->limits, text.p);
	}
}

/* As put_name wrote it. */
static bool is_there(struct span name)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	for (size_t i = 0; i < name.n; i++) {
		char hex[3] = { 0 };
		if (name.p[i] == '%' && i + 2 < name.n) {
			memcpy(hex, name.p + i + 1, 2);
			buf_addc(&path, (char)strtol(hex, NULL, 16));
			i += 2;
		} else {
			buf_addc(&path, name.p[i]);
		}
	}
	return path.bad || access(buf_str(&path), F_OK) == 0;
}

/* A file has many entries; it is asked for once. *ret: it is there. */
static int ask_file(struct map *asked, struct span file, bool *ret)
{
	static char there[] = "there", gone[] = "gone";
	const char *known = map_get(asked, file);

	if (!known && !map_put(asked, file, is_there(file) ? there : gone))
		return -ENOMEM;
	*ret = map_get(asked, file) == there;
	return 0;
}

static int add_gone(struct baseline *b, struct entry *one)
{
	struct moved *line = map_get(&b->gone, one->line);

	if (!line) {
		line = arena_alloc(&b->mem, sizeof(*line));
		if (!line || !map_put(&b->gone, one->line, line))
			return -ENOMEM;
		line->first = NULL;
	}
	one->next = line->first;
	line->first = one;
	return 0;
}

static int find_gone(struct baseline *b)
{
	struct map asked = { 0 };
	bool there = false;
	int r = 0;

	for (size_t i = 0; i < b->n && r == 0; i++) {
		struct entry *one = b->list[i];
		if (one->count <= 0)
			continue;
		r = ask_file(&asked, one->file, &there);
		if (r == 0 && !there)
			r = add_gone(b, one);
	}
	map_free(&asked);
	return r;
}

static bool take(struct entry *one)
{
	return one && one->count > 0 && one->count-- > 0;
}

static bool take_moved(struct moved *line)
{
	if (!line || !line->first)
		return false;
	if (!--line->first->count)
		line->first = line->first->next;
	return true;
}

/* First what stands where it stood, then what came from a file that is gone. What is not known stays. */
static int match(struct baseline *b, struct report *r, size_t *known)
{
	CLEANUP(buf_free) struct buf key = { 0 };
	size_t n = 0;

	for (int round = 0; round < 2; round++, r->n_findings = n) {
		n = 0;
		for (size_t i = 0; i < r->n_findings; i++) {
			buf_clear(&key);
			put_key(&key, &r->findings[i]);
			struct span line = span_head(
				buf_view(&key), strlen(r->findings[i].rule ? r->findings[i].rule : "-") + 17);
			if (key.bad)
				return -ENOMEM;
			if (round ? take_moved(map_get(&b->gone, line))
				  : take(map_get(&b->entries, buf_view(&key))))
				++*known;
			else
				r->findings[n++] = r->findings[i];
		}
		if (!round && find_gone(b) < 0)
			return -ENOMEM;
	}
	return 0;
}

int baseline_apply(const char *path, struct report *r, bool whole, struct baseline_sum *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = BASELINE_BYTES };
	struct baseline b = { 0 };

	int err = file_slurp_regular(path, &text, e);
	if (err == 0)
		err = read_baseline(path, buf_view(&text), &b, e);
	if (err == 0 && match(&b, r, &ret->known) < 0)
		err = err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (err == 0 && whole)
		tell_stale(path, &b, r, ret);
	map_free(&b.entries);
	map_free(&b.gone);
	mem_free(b.list);
	arena_free(&b.mem);
	return err;
}
