#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/check_lint.h"
#include "cli/say.h"

/* What people read: the place, the line and a mark below it, what to do, and the sum. */

#define TAB   8
#define WIDTH 120 /* of a line where there is no window */

/* A line as it is shown: cells from `from` on, at most `room` of them, with marks below the span. */
struct picture {
	struct buf line, marks;
	size_t cells;
};

static size_t cells_of(uint32_t cp, size_t at)
{
	return cp == '\t' ? TAB - at % TAB : cp == UTF8_BAD ? 1 : (size_t)utf8_cell(cp);
}

/* The cell at which byte `byte` of the line stands. */
static size_t cell_at(struct span line, size_t byte)
{
	size_t at = 0, n;
	uint32_t cp;

	for (size_t i = 0; i < byte && i < line.n; i += n) {
		n = utf8_decode(span_from(line, i), &cp);
		at += cells_of(cp, at);
	}
	return at;
}

static void put_cell(struct picture *p, struct span bytes, uint32_t cp, size_t width, bool marked, bool first)
{
	if (cp == '\t')
		say_pad(&p->line, width);
	else
		say_clean(&p->line, bytes);
	for (size_t i = 0; i < width; i++)
		buf_addc(&p->marks, !marked ? ' ' : first && !i ? '^' : '~');
	p->cells += width;
}

static void draw(struct span line, size_t from_byte, size_t to_byte, size_t room, struct picture *p)
{
	size_t mark = cell_at(line, from_byte), end = cell_at(line, line.n), start = 0, at = 0, n;
	bool first = true;

	/* Of a long line the part around the mark, which is what it is about. */
	if (end > room && mark > room * 2 / 3)
		start = mark - room / 3;
	if (start) {
		buf_adds(&p->line, "…");
		buf_addc(&p->marks, ' ');
		p->cells = 1;
	}
	for (size_t i = 0; i < line.n; i += n) {
		uint32_t cp;
		n = utf8_decode(span_from(line, i), &cp);
		size_t width = cells_of(cp, at);
		at += width;
		if (at <= start)
			continue;
		if (p->cells + width > room) {
			buf_adds(&p->line, "…");
			break;
		}
		bool marked = i >= from_byte && i < to_byte;
		put_cell(p, span_head(span_from(line, i), n), cp, width, marked, first);
		first &= !marked;
	}
	if (first && from_byte >= line.n && at >= start)
		buf_addc(&p->marks, '^'); /* at the end of the line, or of nothing */
}

/* A span that goes on to other lines is marked to the end of its first one. */
static void show_line(const struct finding *f, const struct term *t, struct buf *b)
{
	struct picture p = { 0 };
	struct span line = span_head(f->excerpt, span_chr(f->excerpt, '\n'));
	size_t room = t->tty && t->width > 20 ? t->width - 8 : WIDTH,
	       from = f->column > 0 ? (size_t)f->column - 1 : 0;
	size_t to = f->end_line == f->line && f->end_column > 0 ? (size_t)f->end_column - 1 : line.n;

	if (span_ends(line, S("\r")))
		line.n--;
	if (!span_trim(line).n || f->line <= 0)
		return;
	if (to <= from)
		to = from + 1;
	/* Where a secret was taken out, columns say nothing any more. */
	bool whole = from <= line.n && f->excerpt.p && span_find(line, S("[redacted")) == SPAN_NONE;
	draw(line, whole ? from : 0, whole ? to : 0, room, &p);
	say_pad(b, 4);
	buf_span(b, buf_view(&p.line));
	buf_addc(b, '\n');
	while (p.marks.len && p.marks.p[p.marks.len - 1] == ' ')
		p.marks.p[--p.marks.len] = '\0';
	if (whole && p.marks.len) {
		size_t blanks = strspn(p.marks.p, " ");
		say_pad(b, 4 + blanks);
		say_paint(b, t, PAINT_GREEN, p.marks.p + blanks);
		buf_addc(b, '\n');
	}
	b->bad |= p.line.bad || p.marks.bad;
	buf_free(&p.line);
	buf_free(&p.marks);
}

static void show_advice(const struct finding *f, const struct term *t, struct map *said, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!f->advice.n || map_get(said, f->advice))
		return;
	b->bad |= !map_put(said, f->advice, said);
	say_clean(&text, f->advice);
	say_pad(b, 2);
	say_paint(b, t, PAINT_DIM, "→ ");
	say_wrap(b, buf_view(&text), 4, 4, t->tty ? t->width : SIZE_MAX);
	buf_addc(b, '\n');
}

static void show_finding(const struct finding *f, const struct term *t, struct buf *b)
{
	static const enum paint paints[] = {
		[SEV_NOTE] = PAINT_CYAN, [SEV_WARNING] = PAINT_YELLOW, [SEV_ERROR] = PAINT_RED
	};
	static const struct tx words[] = { [SEV_NOTE] = { "note", "提示" },
					   [SEV_WARNING] = { "warning", "警告" },
					   [SEV_ERROR] = { "error", "错误" } };
	CLEANUP(buf_free) struct buf where = { 0 };

	say_clean(&where, f->file);
	if (f->line > 0)
		buf_addf(&where, ":%d", f->line);
	if (f->line > 0 && f->column > 0)
		buf_addf(&where, ":%d", f->column);
	say_paint(b, t, PAINT_BOLD, buf_str(&where));
	buf_adds(b, ": ");
	say_paint(b, t, paints[f->severity], tx(words[f->severity]));
	buf_addf(b, " [%s] ", f->rule ? f->rule : "-");
	say_clean(b, f->message);
	buf_addc(b, '\n');
	show_line(f, t, b);
}

/* "R01 2, S02 1", the most frequent first. */
static void show_rules(const struct report *r, struct buf *b)
{
	CLEANUP(mem_free) size_t *counts = mem_zalloc((rule_count + 1) * sizeof(*counts));
	bool any = false;

	b->bad |= !counts;
	for (size_t i = 0; i < r->n_findings && counts; i++) {
		const struct rule *rule = rule_find(span_of(r->findings[i].rule));
		if (rule)
			counts[rule - rules]++;
	}
	for (size_t round = 0; round < rule_count && counts; round++) {
		size_t best = 0;
		for (size_t i = 1; i < rule_count; i++)
			if (counts[i] > counts[best])
				best = i;
		if (!counts[best])
			break;
		buf_addf(b, "%s%s %zu", any ? ", " : "  ", rules[best].id, counts[best]);
		counts[best] = 0;
		any = true;
	}
	if (any)
		buf_addc(b, '\n');
}

static void show_kinds(const size_t sums[3], struct buf *b)
{
	buf_addf(b, COUNTED(sums[SEV_ERROR], "%zu error, ", "%zu errors, ", "%zu 个错误，"), sums[SEV_ERROR]);
	buf_addf(b, COUNTED(sums[SEV_WARNING], "%zu warning, ", "%zu warnings, ", "%zu 个警告，"),
		 sums[SEV_WARNING]);
	buf_addf(b, COUNTED(sums[SEV_NOTE], "%zu note", "%zu notes", "%zu 个提示"), sums[SEV_NOTE]);
}

static void show_sum(const struct lint_text *x, const struct term *t, struct buf *b)
{
	size_t sums[3] = { 0 };

	for (size_t i = 0; i < x->report->n_findings; i++)
		sums[x->report->findings[i].severity]++;
	if (!x->report->n_findings)
		say_paint(b, t, PAINT_GREEN, TR("nothing found", "没有发现问题"));
	else
		show_kinds(sums, b);
	buf_addf(b, COUNTED(x->lint->files, " in %zu file", " in %zu files", "；检查了 %zu 个文件"),
		 x->lint->files);
	if (x->lint->allowed)
		buf_addf(b, TR("; %zu allowed by comments", "；注释放行 %zu 处"), x->lint->allowed);
	if (x->baseline.known)
		buf_addf(b, TR("; %zu known by the baseline", "；基线已知 %zu 处"), x->baseline.known);
	if (x->lint->errors)
		buf_addf(b,
			 COUNTED(x->lint->errors, "; %zu place could not be parsed",
				 "; %zu places could not be parsed", "；%zu 处无法解析"),
			 x->lint->errors);
	buf_addc(b, '\n');
	show_rules(x->report, b);
}

void check_text(void *lint_text, const struct term *t, struct buf *b)
{
	const struct lint_text *x = lint_text;
	struct map said = { 0 };

	for (size_t i = 0; i < x->report->n_findings; i++) {
		show_finding(&x->report->findings[i], t, b);
		show_advice(&x->report->findings[i], t, &said, b);
	}
	map_free(&said);
	if (x->report->n_findings)
		buf_addc(b, '\n');
	show_sum(x, t, b);
}
