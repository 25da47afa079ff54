#include "parse/csv.h"

#include <errno.h>

#include "base/mem.h"

/* What separates the cells of the first line. */
static char sniff(struct span text)
{
	static const char marks[] = ",;\t";
	size_t count[sizeof(marks) - 1] = { 0 }, best = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.n && (quoted || text.p[i] != '\n'); i++) {
		quoted ^= text.p[i] == '"';
		const char *k = quoted || !text.p[i] ? NULL : strchr(marks, text.p[i]);
		if (k)
			count[k - marks]++;
	}
	for (size_t i = 1; i < ARRAY_LEN(count); i++)
		best = count[i] > count[best] ? i : best;
	return marks[best];
}

void csv_open(struct csv *c, struct span text, const char *name)
{
	span_skip(&text, S("\xef\xbb\xbf"));
	*c = (struct csv){ .text = text, .name = name, .line = 1, .comma = sniff(text) };
}

void csv_close(struct csv *c)
{
	arena_free(&c->mem);
	mem_free(c->cells);
	*c = (struct csv){ 0 };
}

void csv_close_cleanup(struct csv *c)
{
	csv_close(c);
}

static bool ends_here(const struct csv *c, size_t at)
{
	if (at >= c->text.n || c->text.p[at] == '\n')
		return true;
	return c->text.p[at] == '\r' && (at + 1 == c->text.n || c->text.p[at + 1] == '\n');
}

static int out_of_memory(const struct csv *c, struct err *e)
{
	return err_set(e, ENOMEM, TR("%s: out of memory", "%s：内存不足"), c->name);
}

/* Doubled quotes are one. */
static int undouble(struct csv *c, struct span *cell, struct err *e)
{
	char *to = arena_alloc(&c->mem, cell->n + 1);
	size_t n = 0;

	if (!to)
		return out_of_memory(c, e);
	for (size_t i = 0; i < cell->n; i++) {
		to[n++] = cell->p[i];
		i += cell->p[i] == '"';
	}
	*cell = (struct span){ to, n };
	return 0;
}

/* c->at is behind the opening quote. */
static int quoted(struct csv *c, struct span *ret, struct err *e)
{
	size_t from = c->at;
	bool doubled = false;
	int line = c->line;

	for (;; c->at++) {
		if (c->at >= c->text.n)
			return err_set(e, EBADMSG, TR("%s:%d: the quote that opens here is never closed", "%s:%d：此处的引号没有闭合"), c->name, line);
		c->line += c->text.p[c->at] == '\n';
		if (c->text.p[c->at] != '"')
			continue;
		if (c->at + 1 >= c->text.n || c->text.p[c->at + 1] != '"')
			break;
		doubled = true;
		c->at++;
	}
	*ret = (struct span){ c->text.p + from, c->at++ - from };
	if (!ends_here(c, c->at) && c->text.p[c->at] != c->comma)
		return err_set(e, EBADMSG, TR("%s:%d: text behind a closing quote: a quote inside a quoted cell is written twice", "%s:%d：闭合引号之后还有文字：引号内的引号要写两个"),
			       c->name, c->line);
	return doubled ? undouble(c, ret, e) : 0;
}

static int cell(struct csv *c, struct span *ret, struct err *e)
{
	if (c->at < c->text.n && c->text.p[c->at] == '"') {
		c->at++;
		return quoted(c, ret, e);
	}
	size_t from = c->at;
	while (!ends_here(c, c->at) && c->text.p[c->at] != c->comma)
		c->at++;
	*ret = (struct span){ c->text.p + from, c->at - from };
	return 0;
}

static void skip_end(struct csv *c)
{
	if (c->at < c->text.n && c->text.p[c->at] == '\r')
		c->at++;
	if (c->at < c->text.n && c->text.p[c->at] == '\n') {
		c->at++;
		c->line++;
	}
}

int csv_next(struct csv *c, struct err *e)
{
	while (c->at < c->text.n && ends_here(c, c->at))
		skip_end(c);
	c->n = 0;
	c->row_line = c->line;
	if (c->at >= c->text.n)
		return 0;
	for (;;) {
		struct span s;
		int r = cell(c, &s, e);
		if (r < 0)
			return r;
		if (c->n == CSV_COLUMNS_MAX)
			return err_set(e, EBADMSG, TR("%s:%d: more than %d columns", "%s:%d：超过 %d 列"), c->name, c->row_line, CSV_COLUMNS_MAX);
		if (!mem_grow(&c->cells, &c->cap, c->n, sizeof(*c->cells)))
			return out_of_memory(c, e);
		c->cells[c->n++] = s;
		if (ends_here(c, c->at))
			break;
		c->at++;
	}
	skip_end(c);
	return 1;
}
