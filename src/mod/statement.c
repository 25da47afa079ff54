#include "mod/statement.h"

#include <errno.h>

#include "base/base64.h"
#include "base/diff.h"
#include "base/json.h"
#include "base/mem.h"

#define SCHEMA "tocsin.modules/1"
#define FILES_MAX 10000

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static struct span line_hash(struct span line, unsigned char sum[SHA256_SIZE])
{
	sha256(line, sum);
	return (struct span){ (const char *)sum, STATED_LINE };
}

static void sum_text(struct span text, char ret[2 * SHA256_SIZE + 1])
{
	unsigned char sum[SHA256_SIZE];

	sha256(text, sum);
	hex_lower(sum, sizeof(sum), ret);
}

void statement_hash(struct span text, char ret[72])
{
	memcpy(ret, "sha256:", 7);
	sum_text(text, ret + 7);
}

static struct stated_file *add_file(struct statement *s)
{
	if ((s->n & (s->n + 1)) == 0) { /* full at 0, 1, 3, 7, …: the next power of two, less one */
		struct stated_file *v = arena_alloc(&s->mem, (2 * s->n + 1) * sizeof(*v));
		if (!v)
			return NULL;
		if (s->n)
			memcpy(v, s->files, s->n * sizeof(*v));
		s->files = v;
	}
	return &s->files[s->n++];
}

int statement_add(struct statement *s, const char *path, struct span text, struct err *e)
{
	CLEANUP(buf_free) struct buf lines = { 0 };
	unsigned char sum[SHA256_SIZE];
	struct stated_file *f = add_file(s);

	if (!f)
		return no_memory(e);
	*f = (struct stated_file){ .path = path };
	sum_text(text, f->sum);
	for (struct span rest = text; rest.n;)
		buf_span(&lines, line_hash(span_cut(&rest, '\n'), sum));
	f->lines = lines.len ? arena_span(&s->mem, buf_view(&lines)) : S("");
	return lines.bad || !f->lines.p ? no_memory(e) : 0;
}

const struct stated_file *statement_file(const struct statement *s, const char *path)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!strcmp(s->files[i].path, path))
			return &s->files[i];
	}
	return NULL;
}

static void put(struct buf *b, const char *indent, const char *key, const char *value, bool last)
{
	struct json_out j = { .to = b };

	buf_adds(b, indent);
	json_strz(&j, key);
	buf_adds(b, ": ");
	j.comma = false;
	json_strz(&j, value);
	buf_adds(b, last ? "" : ",");
}

/* By hand: one key a line, so that git shows what changed in it. */
void statement_write(const struct statement *s, struct buf *ret)
{
	CLEANUP(buf_free) struct buf lines = { 0 };

	buf_adds(ret, "{\n");
	put(ret, "  ", "schema", SCHEMA, false);
	put(ret, "\n  ", "module", s->module, false);
	put(ret, "\n  ", "created", s->created, false);
	put(ret, "\n  ", "commit", s->commit, false);
	put(ret, "\n  ", "previous", s->previous, false);
	buf_adds(ret, "\n  \"files\": [");
	for (size_t i = 0; i < s->n; i++) {
		const struct stated_file *f = &s->files[i];
		buf_clear(&lines);
		base64_add(&lines, f->lines);
		ret->bad |= lines.bad;
		put(ret, i ? ",\n    {" : "\n    {", "path", f->path, false);
		put(ret, "\n     ", "sha256", f->sum, false);
		put(ret, "\n     ", "lines", buf_str(&lines), true);
		buf_addc(ret, '}');
	}
	buf_adds(ret, "\n  ]\n}\n");
}

/* ---- reading ---- */

struct reading {
	struct statement *s;
	struct json_in in;
	const char *name;
	bool schema, files;
};

static int broken(const struct reading *r, const char *what, struct err *e)
{
	return err_set(e, EBADMSG, TR("%s is no statement of signed modules: %s, at byte %zu", "%s 不是模块签名声明：%s（第 %zu 字节）"),
		       r->name, what, r->in.at);
}

/* A string or null. */
static int read_text(struct reading *r, const char **ret, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	enum json_tok t = json_next(&r->in);

	*ret = NULL;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_STR || !json_unescape(r->in.value, &b))
		return broken(r, TR("a string is missing", "缺少字符串"), e);
	if (span_chr(buf_view(&b), '\0') != SPAN_NONE)
		return broken(r, TR("a NUL in a string", "字符串中有 NUL"), e);
	*ret = b.bad ? NULL : arena_str(&r->s->mem, buf_view(&b));
	return *ret ? 0 : no_memory(e);
}

static bool is_sum(const char *z)
{
	return z && strlen(z) == (size_t)2 * SHA256_SIZE && strspn(z, "0123456789abcdef") == (size_t)2 * SHA256_SIZE;
}

static int take_file(struct reading *r, const char *path, const char *sum, const char *lines, struct err *e)
{
	CLEANUP(buf_free) struct buf raw = { 0 };

	if (!path || !*path || !is_sum(sum) || !lines || !base64_read(span_of(lines), &raw) || raw.len % STATED_LINE)
		return broken(r, TR("a file without its path and hashes", "文件缺少路径或哈希"), e);
	if (statement_file(r->s, path))
		return broken(r, TR("a file stands there twice", "同一文件出现两次"), e);
	if (r->s->n >= FILES_MAX)
		return broken(r, TR("too many files", "文件过多"), e);
	struct stated_file *f = add_file(r->s);
	if (!f)
		return no_memory(e);
	*f = (struct stated_file){ .path = path, .lines = raw.len ? arena_span(&r->s->mem, buf_view(&raw)) : S("") };
	memcpy(f->sum, sum, sizeof(f->sum));
	return raw.bad || !f->lines.p ? no_memory(e) : 0;
}

static int read_file(struct reading *r, struct err *e)
{
	const char *path = NULL, *sum = NULL, *lines = NULL;
	enum json_tok t;
	int n = 0;

	while (n == 0 && (t = json_next(&r->in)) == JSON_KEY) {
		struct span key = r->in.value;
		const char **to = span_eq(key, S("path"))     ? &path
				  : span_eq(key, S("sha256")) ? &sum
				  : span_eq(key, S("lines"))  ? &lines
							      : NULL;
		if (!to || *to)
			return broken(r, TR("an unknown or repeated key", "未知或重复的键"), e);
		n = read_text(r, to, e);
	}
	if (n < 0)
		return n;
	return t == JSON_OBJ_END ? take_file(r, path, sum, lines, e) : broken(r, TR("broken JSON", "JSON 损坏"), e);
}

static int read_files(struct reading *r, struct err *e)
{
	enum json_tok t;
	int n = 0;

	if (r->files || json_next(&r->in) != JSON_ARR)
		return broken(r, TR("files must be one list", "files 必须是一个列表"), e);
	r->files = true;
	while (n == 0 && (t = json_next(&r->in)) == JSON_OBJ)
		n = read_file(r, e);
	return n < 0 ? n : t == JSON_ARR_END ? 0 : broken(r, TR("broken JSON", "JSON 损坏"), e);
}

/* Unknown keys are refused: what is signed is what is understood. */
static int read_key(struct reading *r, struct err *e)
{
	struct statement *s = r->s;
	struct span key = r->in.value;
	const char *schema = NULL;

	if (span_eq(key, S("files")))
		return read_files(r, e);
	const struct { struct span key; const char **to;
	} rows[] = {
		{ S("schema"), &schema },    { S("module"), &s->module },     { S("created"), &s->created },
		{ S("commit"), &s->commit }, { S("previous"), &s->previous },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!span_eq(key, rows[i].key))
			continue;
		if (*rows[i].to || (rows[i].to == &schema && r->schema))
			return broken(r, TR("a repeated key", "重复的键"), e);
		int n = read_text(r, rows[i].to, e);
		if (n == 0 && rows[i].to == &schema) {
			r->schema = true;
			if (!schema || strcmp(schema, SCHEMA) != 0)
				return broken(r, TR("its schema is not " SCHEMA, "其 schema 不是 " SCHEMA), e);
		}
		return n;
	}
	return broken(r, TR("an unknown key", "未知的键"), e);
}

static int read_all(struct reading *r, struct err *e)
{
	enum json_tok t;
	int n = 0;

	if (json_next(&r->in) != JSON_OBJ)
		return broken(r, TR("it is no JSON object", "不是 JSON 对象"), e);
	while (n == 0 && (t = json_next(&r->in)) == JSON_KEY)
		n = read_key(r, e);
	if (n < 0)
		return n;
	if (t != JSON_OBJ_END || json_next(&r->in) != JSON_END)
		return broken(r, TR("broken JSON", "JSON 损坏"), e);
	if (!r->schema || !r->files)
		return broken(r, TR("schema or files are missing", "缺少 schema 或 files"), e);
	const char *p = r->s->previous;
	if (p && (strncmp(p, "sha256:", 7) != 0 || !is_sum(p + 7)))
		return broken(r, TR("previous is no SHA-256", "previous 不是 SHA-256"), e);
	return 0;
}

int statement_read(struct span text, const char *name, struct statement *ret, struct err *e)
{
	struct reading r = { .s = ret, .in = { .text = text }, .name = name };

	*ret = (struct statement){ 0 };
	int n = read_all(&r, e);
	if (n < 0)
		statement_free(ret);
	return n;
}

void statement_free(struct statement *s)
{
	arena_free(&s->mem);
	*s = (struct statement){ 0 };
}

void statement_free_cleanup(struct statement *s)
{
	statement_free(s);
}

/* ---- which line changed ---- */

struct diffing {
	stated_diff_fn *fn;
	void *ctx;
	struct span rest; /* of the text as it is now */
	int64_t was, now;
};

static void on_line(void *ctx, enum diff_kind kind, struct span hash)
{
	struct diffing *d = ctx;
	struct span line = { 0 };

	if (kind != DIFF_NEW)
		d->was++;
	if (kind != DIFF_OLD) {
		d->now++;
		line = span_cut(&d->rest, '\n');
	}
	if (kind != DIFF_SAME)
		d->fn(d->ctx, kind == DIFF_OLD ? d->was : 0, kind == DIFF_NEW ? d->now : 0, line);
}

int64_t stated_diff(const struct stated_file *f, struct span text, stated_diff_fn *fn, void *ctx)
{
	CLEANUP(buf_free) struct buf old = { 0 };
	CLEANUP(buf_free) struct buf new = { 0 };
	struct diffing d = { .fn = fn, .ctx = ctx, .rest = text };
	unsigned char sum[SHA256_SIZE];
	char hex[2 * STATED_LINE + 1];

	for (size_t i = 0; i < f->lines.n; i += STATED_LINE) {
		hex_lower((const unsigned char *)f->lines.p + i, STATED_LINE, hex);
		buf_addf(&old, "%s\n", hex);
	}
	for (struct span rest = text; rest.n;) {
		line_hash(span_cut(&rest, '\n'), sum);
		hex_lower(sum, STATED_LINE, hex);
		buf_addf(&new, "%s\n", hex);
	}
	return old.bad || new.bad ? -ENOMEM : diff_lines(buf_view(&old), buf_view(&new), on_line, &d);
}
