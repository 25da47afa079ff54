/* The half of parse/version.h that is about paths. */
#include "base/mem.h"
#include "base/text.h"
#include "parse/unicode.h"
#include "parse/version.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
	return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}

static bool has_byte(const char *set, char c)
{
	return c && strchr(set, c);
}

/* ---- /vN -------------------------------------------------------------------------------------------------- */

static bool split_gopkg(struct span path, struct span *prefix, struct span *suffix)
{
	size_t i = span_ends(path, S("-unstable")) ? path.n - strlen("-unstable") : path.n;

	while (i > 0 && is_digit(path.p[i - 1]))
		i--;
	if (i <= 1 || path.p[i - 1] != 'v' || path.p[i - 2] != '.')
		return false;
	struct span s = span_from(path, i - 2);
	if (s.n <= 2 || (s.p[2] == '0' && !span_eq(s, S(".v0"))))
		return false;
	*prefix = span_head(path, i - 2);
	*suffix = s;
	return true;
}

bool module_split(struct span path, struct span *prefix, struct span *suffix)
{
	size_t i = path.n;
	bool dot = false;

	*prefix = path;
	*suffix = span_from(path, path.n);
	if (span_starts(path, S("gopkg.in/")))
		return split_gopkg(path, prefix, suffix);
	for (; i > 0 && (is_digit(path.p[i - 1]) || path.p[i - 1] == '.'); i--)
		dot |= path.p[i - 1] == '.';
	if (i <= 1 || i == path.n || path.p[i - 1] != 'v' || path.p[i - 2] != '/')
		return true;
	struct span s = span_from(path, i - 2);
	if (dot || s.p[2] == '0' || span_eq(s, S("/v1")))
		return false;
	*prefix = span_head(path, i - 2);
	*suffix = s;
	return true;
}

bool module_major_fits(struct span suffix, struct span version)
{
	struct span major = version_major(version);

	if (span_starts(suffix, S(".v")) && span_ends(suffix, S("-unstable")))
		suffix.n -= strlen("-unstable");
	/* Pseudo-versions of gopkg.in's .v1 began so once, and are required to this day. */
	if (span_eq(suffix, S(".v1")) && span_starts(version, S("v0.0.0-")))
		return true;
	if (!suffix.n)
		return span_eq(major, S("v0")) || span_eq(major, S("v1")) || version_incompatible(version);
	return major.n && span_eq(span_from(suffix, 1), major);
}

/* ---- what a path may be ----------------------------------------------------------------------------------- */

enum path_kind { PATH_MODULE, PATH_IMPORT, PATH_FILE };

static bool byte_fits(char c, enum path_kind kind)
{
	static const char *const marks[] = { "-._~", "-._~+", "!#$%&()+,-.=@[]^_{}~ " };

	return is_alnum(c) || has_byte(marks[kind], c);
}

static bool chars_fit(struct span s, enum path_kind kind)
{
	while (s.n) {
		uint32_t cp = 0;
		size_t n = 1;
		if ((unsigned char)s.p[0] >= 0x80) {
			n = utf8_decode(s, &cp);
			if (kind != PATH_FILE || cp == UTF8_BAD || !unicode_letter(cp))
				return false;
		} else if (!byte_fits(s.p[0], kind)) {
			return false;
		}
		s = span_from(s, n);
	}
	return true;
}

/* Windows cannot have files of these names, in any case and with any extension. */
static bool is_device(struct span s)
{
	static const char *const names[] = { "con", "prn", "aux", "nul" };
	char low[4];

	if (s.n < 3 || s.n > 4)
		return false;
	for (size_t i = 0; i < s.n; i++)
		low[i] = (char)(is_upper(s.p[i]) ? s.p[i] | 0x20 : s.p[i]);
	for (size_t i = 0; s.n == 3 && i < ARRAY_LEN(names); i++) {
		if (!memcmp(low, names[i], 3))
			return true;
	}
	return s.n == 4 && (!memcmp(low, "com", 3) || !memcmp(low, "lpt", 3)) && low[3] >= '1' &&
	       low[3] <= '9';
}

/* GIT~1: the short name that Windows gives to a longer one. */
static bool is_short_name(struct span s)
{
	size_t i = s.n;

	while (i > 0 && is_digit(s.p[i - 1]))
		i--;
	return i < s.n && i > 0 && s.p[i - 1] == '~';
}

static bool element_valid(struct span e, enum path_kind kind)
{
	if (!e.n || e.p[e.n - 1] == '.' || (e.p[0] == '.' && kind == PATH_MODULE) || !chars_fit(e, kind))
		return false;
	struct span name = span_head(e, span_chr(e, '.'));
	return !is_device(name) && (kind == PATH_FILE || !is_short_name(name));
}

static bool path_valid(struct span path, enum path_kind kind)
{
	if (!path.n || (path.p[0] == '-' && kind != PATH_FILE) || path.p[path.n - 1] == '/')
		return false;
	while (path.n) {
		if (!element_valid(span_cut(&path, '/'), kind))
			return false;
	}
	return true;
}

bool module_path_valid(struct span path)
{
	struct span first = span_head(path, span_chr(path, '/')), prefix, suffix;

	if (!path_valid(path, PATH_MODULE) || span_chr(first, '.') == SPAN_NONE)
		return false;
	for (size_t i = 0; i < first.n; i++) {
		if (is_upper(first.p[i]) || has_byte("_~", first.p[i]))
			return false;
	}
	return module_split(path, &prefix, &suffix);
}

bool import_path_valid(struct span path)
{
	return path_valid(path, PATH_IMPORT);
}

bool module_file_valid(struct span path)
{
	return path_valid(path, PATH_FILE);
}

/* ---- !a --------------------------------------------------------------------------------------------------- */

static bool version_escapable(struct span v)
{
	if (!element_valid(v, PATH_FILE) || span_chr(v, '!') != SPAN_NONE)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if ((unsigned char)v.p[i] >= 0x80)
			return false;
	}
	return true;
}

static void escape(struct span s, struct buf *ret)
{
	for (size_t from = 0, at = 0; at <= s.n; at++) {
		if (at < s.n && !is_upper(s.p[at]))
			continue;
		buf_add(ret, s.p + from, at - from);
		if (at < s.n) {
			char pair[2] = { '!', (char)(s.p[at] | 0x20) };
			buf_add(ret, pair, sizeof(pair));
		}
		from = at + 1;
	}
}

bool module_escape_path(struct span path, struct buf *ret)
{
	if (!module_path_valid(path))
		return false;
	escape(path, ret);
	return true;
}

bool module_escape_version(struct span version, struct buf *ret)
{
	if (!version_escapable(version))
		return false;
	escape(version, ret);
	return true;
}

static bool unescape(struct span s, struct buf *ret, bool (*valid)(struct span))
{
	size_t before = ret->len;
	bool fine = true;

	for (size_t i = 0; i < s.n && fine; i++) {
		char c = s.p[i];
		if (c == '!') {
			i++;
			fine = i < s.n && s.p[i] >= 'a' && s.p[i] <= 'z';
			c = (char)(fine ? s.p[i] & ~0x20 : 0);
		} else {
			fine = !is_upper(c);
		}
		if (fine)
			buf_addc(ret, c);
	}
	if (fine && !ret->bad && valid(span_from(buf_view(ret), before)))
		return true;
	if (ret->len > before) {
		ret->len = before;
		ret->p[before] = '\0';
	}
	return false;
}

bool module_unescape_path(struct span escaped, struct buf *ret)
{
	return unescape(escaped, ret, module_path_valid);
}

bool module_unescape_version(struct span escaped, struct buf *ret)
{
	return unescape(escaped, ret, version_escapable);
}
