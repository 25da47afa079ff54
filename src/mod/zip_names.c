/* The names in a module's zip: what go refuses (https://go.dev/ref/mod#zip-path-size-constraints), before anything is read. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "mod/zip.h"
#include "parse/version.h"

struct named {
	struct span folded, path;
	bool dir;
};

/*
 * Letters of two cases, beside ASCII, in the scripts that have many: from, to, how far; pairs: capitals and small letters in turns,
 * the capitals even (1) or odd (2).
 */
/* clang-format off */
static const struct {
	uint32_t from, to;
	int32_t by;
	int pairs;
} cases[] = {
	{ 0xc0, 0xd6, 32, 0 }, { 0xd8, 0xde, 32, 0 }, { 0x100, 0x12f, 0, 1 }, { 0x132, 0x137, 0, 1 },
	{ 0x139, 0x148, 0, 2 }, { 0x14a, 0x177, 0, 1 }, { 0x178, 0x178, -121, 0 }, { 0x179, 0x17e, 0, 2 },
	{ 0x17f, 0x17f, 's' - 0x17f, 0 }, { 0x1cd, 0x1dc, 0, 2 }, { 0x1de, 0x1ef, 0, 1 }, { 0x1f8, 0x21f, 0, 1 },
	{ 0x222, 0x233, 0, 1 }, { 0x386, 0x386, 38, 0 }, { 0x388, 0x38a, 37, 0 }, { 0x38c, 0x38c, 64, 0 },
	{ 0x38e, 0x38f, 63, 0 }, { 0x391, 0x3a1, 32, 0 }, { 0x3a3, 0x3ab, 32, 0 }, { 0x3c2, 0x3c2, 1, 0 },
	{ 0x400, 0x40f, 80, 0 }, { 0x410, 0x42f, 32, 0 }, { 0x460, 0x481, 0, 1 }, { 0x48a, 0x4bf, 0, 1 },
	{ 0x4c1, 0x4ce, 0, 2 }, { 0x4d0, 0x52f, 0, 1 }, { 0x531, 0x556, 48, 0 }, { 0x10a0, 0x10c5, 7264, 0 },
	{ 0x1e00, 0x1e95, 0, 1 }, { 0x1ea0, 0x1eff, 0, 1 }, { 0x212a, 0x212a, 'k' - 0x212a, 0 },
	{ 0x212b, 0x212b, 0xe5 - 0x212b, 0 }, { 0x2c00, 0x2c2f, 48, 0 }, { 0x2c80, 0x2ce3, 0, 1 },
	{ 0xa640, 0xa66d, 0, 1 }, { 0xff21, 0xff3a, 32, 0 }, { 0x10400, 0x10427, 40, 0 },
};
/* clang-format on */

static uint32_t fold(uint32_t cp)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cp < cases[i].from || cp > cases[i].to)
			continue;
		if (cases[i].pairs)
			return cases[i].pairs == 1 ? cp | 1 : cp + (cp & 1);
		return (uint32_t)((int32_t)cp + cases[i].by);
	}
	return cp;
}

static struct span folded(struct arena *mem, struct span s)
{
	char *to = arena_alloc(mem, s.n * 2 + 1), out[4]; /* no fold is longer than twice */
	size_t n = 0;

	for (size_t i = 0; to && i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < 0x80) {
			to[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
			i++;
			continue;
		}
		uint32_t cp;
		size_t len = utf8_decode(span_from(s, i), &cp), wide = cp == UTF8_BAD ? 0 : utf8_encode(fold(cp), out);
		memcpy(to + n, wide ? out : s.p + i, wide ? wide : len);
		n += wide ? wide : len;
		i += len;
	}
	return (struct span){ to, n };
}

static int by_folded(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	size_t n = x->folded.n < y->folded.n ? x->folded.n : y->folded.n;
	int c = n ? memcmp(x->folded.p, y->folded.p, n) : 0;

	return c ? c : x->folded.n != y->folded.n ? (x->folded.n > y->folded.n) - (x->folded.n < y->folded.n) : (int)x->dir - (int)y->dir;
}

static int wrong(const struct zip *z, struct span name, const char *why, struct err *e)
{
	return err_set(e, EBADMSG, TR("%s: entry '%.*s': %s", "%s：条目“%.*s”：%s"), z->file, (int)(name.n < 200 ? name.n : 200), name.p,
		       why);
}

static bool is_fold_of(struct span s, struct span lower)
{
	for (size_t i = 0; i < s.n && s.n == lower.n; i++) {
		char c = s.p[i];
		if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower.p[i])
			return false;
	}
	return s.n == lower.n;
}

/* path: behind the prefix, without the '/' of a folder; not empty. */
static int check_name(const struct zip *z, const struct zip_entry *x, struct span path, struct err *e)
{
	size_t slash = span_rchr(path, '/');
	struct span base = slash == SPAN_NONE ? path : span_from(path, slash + 1);

	if (path.p[0] == '/')
		return wrong(z, x->name, TR("it is an absolute path", "是绝对路径"), e);
	if (!module_file_valid(path)) {
		struct span rest = path;
		while (rest.n) {
			if (span_eq(span_cut(&rest, '/'), S("..")))
				return wrong(z, x->name, TR("it leads out of the module's folder", "指向模块目录之外"), e);
		}
		return wrong(z, x->name, TR("no file of a module can have this name", "模块中的文件不能用此名称"), e);
	}
	if (x->dir)
		return 0;
	if (is_fold_of(base, S("go.mod")) && (slash != SPAN_NONE || !span_eq(base, S("go.mod"))))
		return wrong(z, x->name, TR("a go.mod may stand only at the top, and in lower case", "go.mod 只能位于顶层且须小写"), e);
	if ((span_eq(path, S("go.mod")) || span_eq(path, S("LICENSE"))) && x->size > ZIP_TEXT_MAX)
		return wrong(z, x->name, TR("it is larger than 16 MiB, which go does not take", "超过 16 MiB，go 不接受"), e);
	return 0;
}

/* The folders that a name lies in, but for those that the one before lies in too. */
static int add_parents(struct arena *mem, struct named **list, size_t *cap, size_t *n, struct span path, struct span before)
{
	size_t same = 0;

	while (same < path.n && same < before.n && path.p[same] == before.p[same])
		same++;
	for (size_t i = path.n; i-- > 0;) {
		if (path.p[i] != '/' || i == 0 || i < same)
			continue;
		if (!mem_grow(list, cap, *n, sizeof(**list)))
			return -ENOMEM;
		struct span dir = span_head(path, i);
		(*list)[(*n)++] = (struct named){ folded(mem, dir), dir, true };
		if (!(*list)[*n - 1].folded.p)
			return -ENOMEM;
	}
	return 0;
}

static int check_collisions(const struct zip *z, struct named *list, size_t n, struct err *e)
{
	if (n)
		qsort(list, n, sizeof(*list), by_folded);
	for (size_t i = 1; i < n; i++) {
		const struct named *a = &list[i - 1], *b = &list[i];
		if (!span_eq(a->folded, b->folded))
			continue;
		if (!span_eq(a->path, b->path))
			return err_set(e, EBADMSG,
				       TR("%s: entries '%.*s' and '%.*s' differ only in upper and lower case",
					  "%s：条目“%.*s”与“%.*s”仅大小写不同"),
				       z->file, (int)(a->path.n < 150 ? a->path.n : 150), a->path.p,
				       (int)(b->path.n < 150 ? b->path.n : 150), b->path.p);
		if (a->dir != b->dir)
			return wrong(z, a->path, TR("it is both a file and a folder", "既是文件又是目录"), e);
		if (!a->dir)
			return wrong(z, a->path, TR("it is there twice", "重复出现"), e);
	}
	return 0;
}

static int gather(const struct zip *z, struct arena *mem, struct named **list, size_t *n, struct err *e)
{
	struct span before = { 0 };
	size_t cap = 0;

	for (size_t i = 0; i < z->n; i++) {
		const struct zip_entry *x = &z->v[i];
		struct span path = span_from(x->name, z->prefix);
		if (x->dir && path.n)
			path.n--;
		if (!path.n)
			continue;
		int r = check_name(z, x, path, e);
		if (r < 0)
			return r;
		if (!mem_grow(list, &cap, *n, sizeof(**list)))
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		(*list)[(*n)++] = (struct named){ folded(mem, path), path, x->dir };
		if (!(*list)[*n - 1].folded.p || add_parents(mem, list, &cap, n, path, before) < 0)
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
		before = path;
	}
	return 0;
}

int zip_check_names(const struct zip *z, struct err *e)
{
	struct arena mem = { 0 };
	struct named *list = NULL;
	size_t n = 0;
	int r = gather(z, &mem, &list, &n, e);

	if (r == 0)
		r = check_collisions(z, list, n, e);
	mem_free(list);
	arena_free(&mem);
	return r;
}
