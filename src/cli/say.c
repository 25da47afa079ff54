#include "cli/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/opt.h"
#include "model/report.h"

static bool color_wanted(void)
{
	const char *no = getenv("NO_COLOR"), *kind = getenv("TERM");

	return !common.no_color && !(no && *no) && !(kind && !strcmp(kind, "dumb"));
}

void term_resize(struct term *t)
{
	struct winsize w = { 0 };

	t->width = 80;
	t->height = 24;
	if (!t->tty || ioctl(t->fd, TIOCGWINSZ, &w) < 0)
		return;
	if (w.ws_col)
		t->width = w.ws_col;
	if (w.ws_row)
		t->height = w.ws_row;
}

void term_open(struct term *t, int fd)
{
	*t = (struct term){ .fd = fd, .tty = isatty(fd) == 1 };
	t->color = t->tty && color_wanted();
	term_resize(t);
}

void term_put(struct term *t, struct span s)
{
	int r = t->dead || !s.n ? 0 : fd_write_all(t->fd, s);

	if (r == 0)
		return;
	t->dead = true;
	t->gone = r == -EPIPE; /* one that has read enough */
	errno = -r;
	if (!t->gone && t->fd == STDOUT_FILENO)
		say_error(TR("write standard output: %m", "无法写入标准输出：%m"));
}

bool names_stdout(const char *path)
{
	return !strcmp(path, "-") || (!strncmp(path, "/dev/", 5) && file_own_fd(path) == STDOUT_FILENO);
}

void term_flush(struct term *t, struct buf *b)
{
	term_put(t, buf_view(b));
	buf_clear(b);
}

void say_paint(struct buf *b, const struct term *t, enum paint p, const char *text)
{
	static const char *const codes[] = { "", "1", "2", "31", "32", "33", "36" };

	if (t->color && p)
		buf_addf(b, "\033[%sm%s\033[0m", codes[p], text);
	else
		buf_adds(b, text);
}

/* Is s[at] the place where a backslash breaks a command? `blank`: only blanks stood before it in the line. */
static bool is_command(struct span s, bool blank)
{
	if (blank && span_starts(s, S("::")))
		return true;
	if (!span_skip(&s, S("##")))
		return false;
	while (s.n && s.p[0] >= 'a' && s.p[0] <= 'z')
		s = span_from(s, 1);
	return s.n && s.p[0] == '[';
}

static bool is_blank(struct span s, size_t *n)
{
	uint32_t cp;

	*n = utf8_decode(s, &cp);
	return cp == ' ' || cp == '\t' || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200b) ||
	       cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

static void add_line(struct buf *b, struct span s)
{
	bool blank = true;
	size_t n;

	while (s.n) {
		if (is_command(s, blank))
			buf_adds(b, s.p[0] == '#' ? "#\\" : "\\");
		if (s.p[0] == '#' && is_command(s, blank))
			s = span_from(s, 1);
		if (blank && !is_blank(s, &n))
			blank = false;
		n = utf8_decode(s, &(uint32_t){ 0 });
		buf_add(b, s.p, n);
		s = span_from(s, n);
	}
}

/* The slow walk is for lines that have a candidate at all. */
static void break_commands(struct buf *b, struct span line)
{
	if (span_find(line, S("::")) == SPAN_NONE && span_find(line, S("##")) == SPAN_NONE)
		buf_span(b, line);
	else
		add_line(b, line);
}

void say_clean(struct buf *b, struct span s)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	text_clean(s, false, &clean);
	break_commands(b, buf_view(&clean));
}

void say_lines(struct buf *b, struct span s, size_t indent, size_t max)
{
	CLEANUP(buf_free) struct buf clean = { 0 };
	size_t n = 0, left = 0;

	text_clean(s, true, &clean);
	for (struct span rest = buf_view(&clean); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		if (max && ++n > max) {
			left++;
			continue;
		}
		if (line.n)
			say_pad(b, indent);
		break_commands(b, line);
		buf_addc(b, '\n');
	}
	if (left) {
		say_pad(b, indent);
		buf_addf(b, TR("… %zu more lines\n", "… 另有 %zu 行\n"), left);
	}
}

void say_pad(struct buf *b, size_t n)
{
	static const char blanks[] = "                                ";

	for (; n > sizeof(blanks) - 1; n -= sizeof(blanks) - 1)
		buf_adds(b, blanks);
	buf_add(b, blanks, n);
}

void say_cell(struct buf *b, const char *text, size_t width)
{
	size_t w = text_width(span_of(text));

	buf_adds(b, text);
	say_pad(b, w < width ? width - w : 0);
}

/* A line must not begin with one of these. */
static bool is_closing(uint32_t cp)
{
	static const uint32_t marks[] = { 0xff0c, 0x3002, 0xff1b, 0xff1a, 0x3001,
					  0xff09, 0x300d, 0x201d, 0xff1f, 0xff01 };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (marks[i] == cp)
			return true;
	}
	return false;
}

/* The next piece that stays together: a word, or one wide character with the marks behind it. */
static struct span next_piece(struct span s)
{
	struct span rest = s;
	uint32_t cp;
	bool first = true;

	while (rest.n && rest.p[0] != ' ') {
		size_t n = utf8_decode(rest, &cp);
		bool wide = cp != UTF8_BAD && utf8_cell(cp) == 2;
		if (!first && wide && !is_closing(cp))
			break;
		rest = span_from(rest, n);
		first = false;
		uint32_t next = 0;
		if (rest.n)
			utf8_decode(rest, &next);
		if (wide && !is_closing(next))
			break;
	}
	return span_head(s, s.n - rest.n);
}

void say_wrap(struct buf *b, struct span s, size_t at, size_t indent, size_t width)
{
	bool blank = false;

	while (s.n) {
		if (s.p[0] == ' ' || s.p[0] == '\n') {
			blank = true;
			s = span_from(s, 1);
			continue;
		}
		struct span piece = next_piece(s);
		size_t w = text_width(piece);
		if (at > indent && at + blank + w > width) {
			buf_addc(b, '\n');
			say_pad(b, indent);
			at = indent;
		} else if (blank && at > indent) {
			buf_addc(b, ' ');
			at++;
		}
		buf_span(b, piece);
		at += w;
		blank = false;
		s = span_from(s, piece.n);
	}
}

static bool is_plain(const char *z)
{
	return *z &&
	       z[strspn(z, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+^")] ==
		       '\0';
}

void say_argv(struct buf *b, const struct argv *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct span s = span_of(a->v[i]);
		if (i)
			buf_addc(b, ' ');
		if (!is_plain(a->v[i]))
			buf_addc(b, '\'');
		say_clean(b, span_head(s, 400));
		if (!is_plain(a->v[i]))
			buf_addc(b, '\'');
	}
}

void say_error(const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf raw = { 0 };
	CLEANUP(buf_free) struct buf line = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&raw, fmt, ap);
	va_end(ap);
	buf_adds(&line, "tocsin: ");
	text_clean(buf_view(&raw), false, &line);
	buf_addc(&line, '\n');
	fd_write_all(STDERR_FILENO, buf_view(&line));
}

int say_usage(const char *verb, const char *message)
{
	say_error("%s", message);
	if (verb)
		say_error(TR("see: tocsin help %s", "参见：tocsin help %s"), verb);
	else
		say_error(TR("see: tocsin help", "参见：tocsin help"));
	return 2;
}
