#include "base/mem.h"
#include "check/ci/ytree.h"

/* What the scalars of YAML mean, and where each byte of that stands in the file. */

/* ---- literal and folded blocks ---- */

struct block {
	struct span raw; /* from its sign on */
	uint32_t file;   /* where that stands */
	size_t at;       /* the next line */
	size_t indent;
	char chomp; /* '+', '-', 0 */
	bool folded;
	size_t newlines[2]; /* between the lines: where they begin in raw, and how many */
};

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The line at b->at without its newline; false: no more. */
static bool next_line(struct block *b, struct span *ret, size_t *from)
{
	if (b->at >= b->raw.n)
		return false;
	struct span rest = span_from(b->raw, b->at), line = span_cut(&rest, '\n');

	*from = b->at;
	b->at += line.n + 1;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	*ret = line;
	return true;
}

static size_t leading(struct span line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] == ' ')
		n++;
	return n;
}

static void read_header(struct block *b, int parent)
{
	struct span line = { 0 };
	size_t from, given = 0;

	next_line(b, &line, &from);
	for (size_t i = 1; i < line.n && !blank(line.p[i]); i++) {
		if (line.p[i] == '+' || line.p[i] == '-')
			b->chomp = line.p[i];
		else if (line.p[i] >= '1' && line.p[i] <= '9')
			given = (size_t)(line.p[i] - '0');
	}
	if (given) {
		b->indent = (parent > 0 ? (size_t)parent : 0) + given;
		return;
	}
	/* The first line that has something in it says it. */
	for (size_t start = b->at; next_line(b, &line, &from);) {
		b->indent = leading(line);
		if (b->indent < line.n) {
			b->at = start;
			return;
		}
	}
	b->indent = 0;
}

static void put_newlines(struct mapped *m, const struct block *b, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mapped_add(m, S("\n"), b->file + (uint32_t)at);
}

static void add_block(struct mapped *m, struct span raw, uint32_t file, int parent)
{
	struct block b = { .raw = raw, .file = file, .folded = raw.n && raw.p[0] == '>' };
	struct span line;
	size_t from, breaks = 0, breaks_at = 0; /* not yet written */
	bool begun = false, more_before = false;

	read_header(&b, parent);
	while (next_line(&b, &line, &from)) {
		size_t spaces = leading(line);
		size_t in = from + line.n;
		if (spaces < b.indent || (spaces == line.n && line.n <= b.indent)) {
			if (spaces < line.n)
				break; /* less indented: behind its end */
			breaks_at = breaks ? breaks_at : in;
			breaks++;
			continue;
		}
		struct span text = span_from(line, b.indent);
		bool more = text.n && blank(text.p[0]);
		if (b.folded && begun && !more && !more_before && breaks == 1)
			mapped_add(m, S(" "), b.file + (uint32_t)breaks_at);
		else
			put_newlines(m, &b, breaks_at,
				     breaks - (b.folded && begun && !more && !more_before && breaks > 1));
		mapped_add(m, text, b.file + (uint32_t)(from + b.indent));
		begun = true;
		more_before = more;
		breaks_at = in;
		breaks = 1;
	}
	if (begun && b.chomp != '-')
		put_newlines(m, &b, breaks_at, b.chomp == '+' ? breaks : 1);
}

/* ---- plain and quoted ---- */

static void put_rune(struct mapped *m, uint32_t c, uint32_t file)
{
	char u[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (n == 1) {
		u[0] = (char)c;
	} else {
		for (size_t i = n - 1; i > 0; i--, c >>= 6)
			u[i] = (char)(0x80 | (c & 0x3f));
		u[0] = (char)((0xf00 >> n & 0xff) | c);
	}
	mapped_add(m, (struct span){ u, n }, file);
}

/* A backslash at s[0]: its bytes. */
static size_t put_escape(struct mapped *m, struct span s, uint32_t file)
{
	static const char from[] = "0abtnvfre \"/\\N_LP";
	static const uint16_t to[] = { 0,   7,   8,   9,    10,   11,   12,     13,    27,
				       ' ', '"', '/', '\\', 0x85, 0xa0, 0x2028, 0x2029 };
	size_t digits = s.n < 2 ? 0 : s.p[1] == 'x' ? 2 : s.p[1] == 'u' ? 4 : s.p[1] == 'U' ? 8 : 0;
	const char *known = s.n < 2 || !s.p[1] ? NULL : strchr(from, s.p[1]);
	uint32_t c = 0;

	if (known) {
		if (to[known - from]) /* a NUL is nothing that a shell can be given */
			put_rune(m, to[known - from], file);
		return 2;
	}
	for (size_t i = 0; i < digits; i++) {
		int d = i + 2 < s.n ? s.p[i + 2] : 0;
		if (!((d >= '0' && d <= '9') || ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')))
			return 1;
		c = c << 4 | (uint32_t)(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
	}
	if (digits && c && c < 0x110000)
		put_rune(m, c, file);
	return digits ? digits + 2 : 1;
}

/* At a newline (blanks before it are written already): what it and the empty lines behind it mean. Gives the bytes stepped over. */
static size_t put_fold(struct mapped *m, struct span s, uint32_t file, size_t floor, bool kept)
{
	size_t i = 0, lines = 0;

	while (!kept && m->text.len > floor && blank(m->text.p[m->text.len - 1]))
		m->text.p[--m->text.len] = 0;
	while (m->n && m->pieces[m->n - 1].text_at > m->text.len)
		m->n--;
	while (m->n && m->pieces[m->n - 1].text_at == m->text.len)
		m->n--;
	while (i < s.n && (blank(s.p[i]) || s.p[i] == '\n' || s.p[i] == '\r'))
		lines += s.p[i++] == '\n';
	if (lines == 1 && !kept)
		mapped_add(m, S(" "), file);
	for (size_t k = 1; k < lines; k++)
		mapped_add(m, S("\n"), file);
	return i;
}

static void add_flow(struct mapped *m, struct span raw, uint32_t file, enum ystyle style)
{
	size_t floor = m->text.len, i = 0, from = 0;

	while (i < raw.n) {
		char c = raw.p[i];
		bool special = c == '\n' || c == '\r' || (c == '\\' && style == YDOUBLE) ||
			       (c == '\'' && style == YSINGLE && i + 1 < raw.n && raw.p[i + 1] == '\'');
		if (!special) {
			i++;
			continue;
		}
		mapped_add(m, (struct span){ raw.p + from, i - from }, file + (uint32_t)from);
		struct span rest = span_from(raw, i);
		if (c == '\'') {
			mapped_add(m, S("'"), file + (uint32_t)i);
			i += 2;
		} else if (c != '\\') {
			i += put_fold(m, rest, file + (uint32_t)i, floor, false);
		} else if (rest.n > 1 && (rest.p[1] == '\n' || rest.p[1] == '\r')) {
			i += 1 + put_fold(m, span_from(rest, 1), file + (uint32_t)i, floor, true);
		} else {
			i += put_escape(m, rest, file + (uint32_t)i);
			floor = m->text.len;
		}
		from = i;
	}
	mapped_add(m, (struct span){ raw.p + from, i - from }, file + (uint32_t)from);
}

static bool quoted(const struct ynode *n)
{
	return n->style == YSINGLE || n->style == YDOUBLE;
}

/* The bytes of it that hold its text. */
static struct span inside(const struct ytree *y, const struct ynode *n, uint32_t *file)
{
	struct span raw = span_head(span_from(y->text, n->from), n->to - n->from);

	*file = n->from;
	if (!quoted(n) || !raw.n)
		return raw;
	bool closed = raw.n > 1 && raw.p[raw.n - 1] == raw.p[0];
	++*file;
	return span_head(span_from(raw, 1), raw.n - 1 - closed);
}

void ytext_into(struct mapped *m, struct ytree *y, const struct ynode *scalar)
{
	const struct ynode *n = yreal(y, scalar);
	uint32_t file;

	if (!n || n->kind != YSCALAR)
		return;
	struct span raw = inside(y, n, &file);
	if (n->style == YLITERAL || n->style == YFOLDED)
		add_block(m, raw, file, n->indent);
	else
		add_flow(m, raw, file, n->style);
}

struct span ytext(struct ytree *y, const struct ynode *n)
{
	uint32_t file;

	n = yreal(y, n);
	if (!n || n->kind != YSCALAR)
		return (struct span){ 0 };
	if (n->text.p)
		return n->text;
	struct span raw = inside(y, n, &file);
	bool plain = n->style <= YDOUBLE && (!raw.n || !memchr(raw.p, '\n', raw.n)) &&
		     !(raw.n && n->style == YSINGLE && memchr(raw.p, '\'', raw.n)) &&
		     !(raw.n && n->style == YDOUBLE && memchr(raw.p, '\\', raw.n));
	struct span *keep = &((struct ynode *)(uintptr_t)n)->text;
	if (plain)
		return *keep = raw.p ? raw : S("");
	CLEANUP(mapped_free) struct mapped m = { 0 };
	ytext_into(&m, y, n);
	struct span copy = arena_span(y->mem, m.text.len ? buf_view(&m.text) : S(""));
	y->bad |= m.bad || !copy.p;
	return *keep = copy.p ? copy : S("");
}
