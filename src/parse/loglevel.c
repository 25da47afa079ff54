#include "parse/loglevel.h"

#include "base/json.h"
#include "base/mem.h"

#define P(lit)                       \
	{                            \
		lit, sizeof(lit) - 1 \
	}

enum { SAID_MAX = 1000, STAMP_MAX = 40 };

static const struct {
	struct span word;
	enum loglevel level;
} levels[] = {
	{ P("fatal"), LEVEL_FATAL }, { P("FATAL"), LEVEL_FATAL },   { P("panic"), LEVEL_PANIC },
	{ P("PANIC"), LEVEL_PANIC }, { P("dpanic"), LEVEL_DPANIC }, { P("DPANIC"), LEVEL_DPANIC },
};

/* What consoles begin a line with, or have behind a time stamp. */
static const struct {
	struct span word;
	enum loglevel level;
	bool seconds; /* "FATA[0012] " */
} heads[] = {
	{ P("FATA["), LEVEL_FATAL, true },  { P("PANI["), LEVEL_PANIC, true },
	{ P("FATAL["), LEVEL_FATAL, true }, { P("FATA "), LEVEL_FATAL, false },
	{ P("FTL "), LEVEL_FATAL, false },  { P("PNC "), LEVEL_PANIC, false },
};

const char *loglevel_word(enum loglevel l)
{
	static const char *const words[] = { "other", "fatal", "panic", "dpanic" };

	return words[l];
}

static enum loglevel level_of(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (span_eq(levels[i].word, word))
			return levels[i].level;
	}
	return LEVEL_OTHER;
}

static bool is_one_of(struct span key, const struct span *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(key, keys[i]))
			return true;
	}
	return false;
}

static const struct span level_keys[] = { P("level"), P("lvl"), P("severity"), P("L"), P("log.level") };
static const struct span said_keys[] = { P("msg"), P("message"), P("M") };
static const struct span error_keys[] = { P("error"), P("err") };

#define IS_LEVEL(key) is_one_of(key, level_keys, ARRAY_LEN(level_keys))
#define IS_SAID(key)  is_one_of(key, said_keys, ARRAY_LEN(said_keys))
#define IS_ERROR(key) is_one_of(key, error_keys, ARRAY_LEN(error_keys))

static void put_said(struct buf *said, struct span message, struct span error)
{
	size_t from = said->len;

	json_unescape(span_head(message, SAID_MAX), said);
	if (error.n && said->len > from)
		buf_adds(said, ": ");
	json_unescape(span_head(error, SAID_MAX), said);
}

static enum loglevel read_json(struct span line, struct buf *said)
{
	struct json_in j = { .text = line };
	struct span key = { 0 }, message = { 0 }, error = { 0 };
	enum loglevel level = LEVEL_OTHER;
	enum json_tok t;

	while ((t = json_next(&j)) > JSON_END) {
		if (t == JSON_KEY)
			key = j.value;
		if (t != JSON_STR || j.depth != 1)
			continue;
		if (IS_LEVEL(key))
			level = level_of(j.value);
		else if (IS_SAID(key))
			message = j.value;
		else if (IS_ERROR(key))
			error = j.value;
	}
	if (level != LEVEL_OTHER)
		put_said(said, message, error);
	return level;
}

/* ---- key=value ---- */

static bool take_key(struct span *s, struct span *key)
{
	size_t n = 0;

	while (n < s->n && ((s->p[n] | 0x20) >= 'a' && (s->p[n] | 0x20) <= 'z'
				    ? true
				    : n && memchr("0123456789_.-", s->p[n], 13)))
		n++;
	if (!n || n >= s->n || s->p[n] != '=')
		return false;
	*key = span_head(*s, n);
	*s = span_from(*s, n + 1);
	return true;
}

/* "in \"quotes\"" or up to a blank */
static struct span take_value(struct span *s)
{
	bool quoted = s->n && s->p[0] == '"';
	size_t n = quoted;

	while (n < s->n && s->p[n] != (quoted ? '"' : ' '))
		n += quoted && s->p[n] == '\\' ? 2 : 1;
	struct span value = span_from(span_head(*s, n), quoted);
	*s = span_from(*s, n + quoted);
	return value;
}

static enum loglevel read_pairs(struct span line, struct buf *said)
{
	struct span key, message = { 0 }, error = { 0 };
	enum loglevel level = LEVEL_OTHER;

	while (take_key(&line, &key)) {
		struct span value = take_value(&line);
		if (IS_LEVEL(key))
			level = level_of(value);
		else if (IS_SAID(key))
			message = value;
		else if (IS_ERROR(key))
			error = value;
		while (span_skip(&line, S(" ")))
			;
	}
	if (level != LEVEL_OTHER)
		put_said(said, message, error);
	return level;
}

/* ---- consoles ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "F1121 10:00:00.123456    7 main.go:12] said" */
static bool read_klog(struct span line, struct buf *said)
{
	static const char shape[] = "F0000 00:00:00.000000 ";
	size_t at = span_find(line, S("] "));

	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (i >= line.n || (shape[i] == '0' ? !is_digit(line.p[i]) : shape[i] != line.p[i]))
			return false;
	}
	if (at == SPAN_NONE || !is_digit(line.p[at - 1]))
		return false;
	buf_span(said, span_head(span_from(line, at + 2), SAID_MAX));
	return true;
}

/* "STAMP \t FATAL \t [logger \t] [main.go:12 \t] said \t {fields}" */
static enum loglevel read_tabs(struct span line, struct buf *said)
{
	size_t tab = span_chr(line, '\t'), place;

	if (tab == SPAN_NONE || tab > STAMP_MAX || !is_digit(line.p[0]))
		return LEVEL_OTHER;
	line = span_from(line, tab + 1);
	enum loglevel level = level_of(span_head(line, span_chr(line, '\t')));
	if (level == LEVEL_OTHER)
		return level;
	line = span_from(line, span_chr(line, '\t') + 1);
	place = span_find(line, S(".go:"));
	while (place != SPAN_NONE && place < line.n && line.p[place] != '\t')
		place++;
	line = span_head(place == SPAN_NONE || place >= line.n ? line : span_from(line, place + 1), SAID_MAX);
	for (size_t i = 0; i < line.n; i++)
		buf_addc(said, line.p[i] == '\t' ? ' ' : line.p[i]);
	return level;
}

static enum loglevel read_head(struct span line, struct buf *said)
{
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct span rest = line;
		size_t n = 0;
		if (!span_skip(&rest, heads[i].word))
			continue;
		while (heads[i].seconds && n < rest.n && is_digit(rest.p[n]))
			n++;
		if (heads[i].seconds && (!n || n >= rest.n || rest.p[n] != ']'))
			continue;
		buf_span(said, span_trim(span_head(span_from(rest, n + heads[i].seconds), SAID_MAX)));
		return heads[i].level;
	}
	return LEVEL_OTHER;
}

/* "2026/11/21 10:00:00 ", "10:00PM " */
static struct span without_stamp(struct span line)
{
	struct span rest = line;

	for (int i = 0; i < 2 && rest.n && is_digit(rest.p[0]); i++) {
		size_t at = span_chr(rest, ' ');
		if (at == SPAN_NONE || at > STAMP_MAX)
			return line;
		rest = span_from(rest, at + 1);
	}
	return rest;
}

enum loglevel loglevel_read(struct span line, struct buf *said)
{
	enum loglevel l;

	if (!line.n)
		return LEVEL_OTHER;
	if (line.p[0] == '{')
		return read_json(line, said);
	if (line.p[0] == 'F' && read_klog(line, said))
		return LEVEL_FATAL;
	if ((l = read_tabs(line, said)) != LEVEL_OTHER || (l = read_pairs(line, said)) != LEVEL_OTHER)
		return l;
	return read_head(span_trim(without_stamp(line)), said);
}
