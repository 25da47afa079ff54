#include "parse/goproxy.h"

#include "base/mem.h"
#include "base/text.h"
#include "parse/fields.h"

/* ---- the list --------------------------------------------------------------------------------------------- */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_alpha(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* No control bytes, and each % begins an escape, but in a query. */
static bool text_fits(struct span s)
{
	size_t query = span_chr(s, '?');

	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
		if (i < query && s.p[i] == '%' &&
		    (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
			return false;
	}
	return true;
}

/* "scheme:" at the start, in *ret without the colon; false: there is none. */
static bool cut_scheme(struct span *s, struct span *ret)
{
	size_t n = 0;

	while (n < s->n && (is_alpha(s->p[n]) || (n && s->p[n] && strchr("0123456789+-.", s->p[n]))))
		n++;
	if (!n || n == s->n || s->p[n] != ':')
		return false;
	*ret = span_head(*s, n);
	*s = span_from(*s, n + 1);
	return true;
}

static bool scheme_is(struct span s, struct span lower)
{
	for (size_t i = 0; i < s.n && s.n == lower.n; i++) {
		if ((s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]) != lower.p[i])
			return false;
	}
	return s.n == lower.n;
}

static bool port_fits(struct span port) /* with its colon */
{
	if (port.n && port.p[0] != ':')
		return false;
	for (size_t i = 1; i < port.n; i++) {
		if (port.p[i] < '0' || port.p[i] > '9')
			return false;
	}
	return true;
}

/* name, 1.2.3.4 or [::1], and a port. */
static bool host_fits(struct span host)
{
	size_t end;

	if (host.n && host.p[0] == '[') {
		end = span_rchr(host, ']');
		return end != SPAN_NONE && port_fits(span_from(host, end + 1));
	}
	end = span_rchr(host, ':');
	for (size_t i = 0; i < host.n; i++) {
		if (host.p[i] == ' ' || (host.p[i] && strchr("\\^`{|}", host.p[i])))
			return false;
		struct span escape = span_head(span_from(host, i), 3);
		if (host.p[i] == '%' && host.p[i + 1] < '8' && !span_eq(escape, S("%25")))
			return false;
	}
	return end == SPAN_NONE || port_fits(span_from(host, end));
}

static bool user_fits(struct span user)
{
	for (size_t i = 0; i < user.n; i++) {
		char c = user.p[i];
		if (!c || !(is_alpha(c) || (c >= '0' && c <= '9') || strchr("-._:~!$&'()*+,;=%@", c)))
			return false;
	}
	return true;
}

static enum goproxy_kind read_authority(struct span rest, struct goproxy_entry *e)
{
	size_t end = 0;

	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	e->path = span_from(rest, end);
	e->host = span_head(rest, end);
	size_t user = span_rchr(e->host, '@');
	if (user != SPAN_NONE) {
		e->credentials = true;
		if (!user_fits(span_head(e->host, user)))
			return GOPROXY_BAD;
		e->host = span_from(e->host, user + 1);
	}
	return e->host.n && host_fits(e->host) ? GOPROXY_URL : GOPROXY_BAD;
}

static enum goproxy_kind read_url(struct goproxy_entry *e)
{
	struct span rest = e->url, scheme;
	bool marks = false;

	for (size_t i = 0; i < rest.n; i++)
		marks |= rest.p[i] == '.' || rest.p[i] == ':' || rest.p[i] == '/';
	if (!marks || !text_fits(rest)) /* a word that go keeps for itself */
		return GOPROXY_BAD;
	if (span_find(rest, S(":/")) == SPAN_NONE && rest.p[0] != '/') {
		e->no_scheme = true;
		return read_authority(rest, e);
	}
	if (!cut_scheme(&rest, &scheme))
		return GOPROXY_BAD;
	bool slashes = span_skip(&rest, S("//"));
	if (scheme_is(scheme, S("file"))) { /* no host, no question, no fragment */
		e->path = rest;
		bool plain = (!rest.n || rest.p[0] == '/') && span_chr(rest, '?') == SPAN_NONE &&
			     span_chr(rest, '#') == SPAN_NONE;
		return slashes && plain ? GOPROXY_FILE : GOPROXY_BAD;
	}
	e->insecure = scheme_is(scheme, S("http"));
	if ((!e->insecure && !scheme_is(scheme, S("https"))) || !slashes)
		return GOPROXY_BAD;
	return read_authority(rest, e);
}

bool goproxy_next(struct goproxy_at *at, struct goproxy_entry *ret)
{
	while (at->rest.n) {
		size_t end = 0;
		while (end < at->rest.n && at->rest.p[end] != ',' && at->rest.p[end] != '|')
			end++;
		struct span raw = span_head(at->rest, end);
		*ret = (struct goproxy_entry){ .url = fields_trim(raw),
					       .any_error = end < at->rest.n && at->rest.p[end] == '|',
					       .unreachable = at->ended };
		ret->at = at->at + (size_t)(ret->url.p - raw.p);
		at->at += end + 1;
		at->rest = span_from(at->rest, end + 1);
		if (!ret->url.n)
			continue;
		ret->kind = span_eq(ret->url, S("direct")) ? GOPROXY_DIRECT
			    : span_eq(ret->url, S("off"))  ? GOPROXY_OFF
							   : read_url(ret);
		if (ret->kind == GOPROXY_DIRECT || ret->kind == GOPROXY_OFF) {
			ret->any_error = false;
			at->ended = true;
		}
		return true;
	}
	return false;
}

/* ---- globs ------------------------------------------------------------------------------------------------ */

/* One character of a class, perhaps behind a backslash; what follows must not be the end. */
static bool class_char(struct span *glob, uint32_t *ret)
{
	if (!glob->n || glob->p[0] == '-' || glob->p[0] == ']')
		return false;
	if (glob->p[0] == '\\')
		*glob = span_from(*glob, 1);
	if (!glob->n)
		return false;
	*glob = span_from(*glob, utf8_decode(*glob, ret));
	return *ret != UTF8_BAD && glob->n;
}

/* [a-z] or [^a-z], behind its bracket. false: malformed. */
static bool class_has(struct span *glob, uint32_t c, bool *ret)
{
	bool negated = span_skip(glob, S("^")), has = false, first = true;
	uint32_t low, high;

	for (;; first = false) {
		if (!first && span_skip(glob, S("]")))
			break;
		if (!class_char(glob, &low))
			return false;
		high = low;
		if (glob->p[0] == '-') {
			*glob = span_from(*glob, 1);
			if (!class_char(glob, &high))
				return false;
		}
		has |= low <= c && c <= high;
	}
	*ret = has != negated;
	return true;
}

enum { GLOB_NO, GLOB_YES, GLOB_BAD };

/* A piece of glob without * at the start of *name, which is stepped over. All of it is read, so that what is malformed shows. */
static int match_piece(struct span glob, struct span *name)
{
	struct span s = *name;
	bool fits = true;

	while (glob.n) {
		char c = glob.p[0];
		uint32_t cp = 0;
		fits = fits && s.n;
		glob = span_from(glob, 1);
		size_t n = fits ? utf8_decode(s, &cp) : 0;
		if (c == '[') {
			bool has;
			if (!class_has(&glob, cp == UTF8_BAD ? 0xfffd : cp, &has))
				return GLOB_BAD;
			fits = fits && has;
		} else if (c == '?') {
			fits = fits && s.p[0] != '/';
		} else {
			if (c == '\\') {
				if (!glob.n)
					return GLOB_BAD;
				c = glob.p[0];
				glob = span_from(glob, 1);
			}
			fits = fits && s.p[0] == c;
			n = n ? 1 : 0;
		}
		s = span_from(s, n);
	}
	if (!fits)
		return GLOB_NO;
	*name = s;
	return GLOB_YES;
}

/* Cut glob before its next *, but for one in a class or behind a backslash. */
static struct span cut_piece(struct span *glob)
{
	bool in_class = false;
	size_t i = 0;

	for (; i < glob->n; i++) {
		char c = glob->p[i];
		if (c == '\\' && i + 1 < glob->n)
			i++;
		else if (c == '[')
			in_class = true;
		else if (c == ']')
			in_class = false;
		else if (c == '*' && !in_class)
			break;
	}
	struct span piece = span_head(*glob, i);
	*glob = span_from(*glob, i);
	return piece;
}

/* The first place for piece within the element; the last piece must fill the name. */
static int match_after_star(struct span piece, bool last, struct span *name)
{
	for (size_t i = 0; i <= name->n; i++) {
		struct span s = span_from(*name, i);
		int m = match_piece(piece, &s);
		if (m == GLOB_BAD)
			return m;
		if (m == GLOB_YES && (!last || !s.n)) {
			*name = s;
			return m;
		}
		if (i < name->n && name->p[i] == '/')
			break;
	}
	return GLOB_NO;
}

static bool is_malformed(struct span glob)
{
	while (glob.n) {
		struct span nothing = { "", 0 };
		glob.p += glob.p[0] == '*' ? (glob.n--, 1) : 0;
		if (match_piece(cut_piece(&glob), &nothing) == GLOB_BAD)
			return true;
	}
	return false;
}

bool goglob_match(struct span glob, struct span name)
{
	while (glob.n) {
		bool star = false;
		for (; glob.n && glob.p[0] == '*'; star = true)
			glob = span_from(glob, 1);
		struct span piece = cut_piece(&glob);
		if (star && !piece.n)
			return span_chr(name, '/') == SPAN_NONE;
		int m = star ? match_after_star(piece, !glob.n, &name) : match_piece(piece, &name);
		if (m != GLOB_YES)
			return false;
	}
	return !name.n;
}

/* The next glob of the list that is not empty, without the / behind it. */
static bool next_glob(struct span *globs, struct span *ret)
{
	while (globs->n) {
		*ret = span_cut(globs, ',');
		ret->n -= span_ends(*ret, S("/"));
		if (ret->n)
			return true;
	}
	return false;
}

static size_t count_slashes(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '/';
	return n;
}

struct span goprivate_match(struct span globs, struct span path)
{
	struct span glob;

	while (next_glob(&globs, &glob)) {
		size_t elements = count_slashes(glob) + 1, end = 0;
		for (; end < path.n; end++) {
			if (path.p[end] == '/' && !--elements)
				break;
		}
		/* At the path's end one element is still to be counted, not more. */
		if ((end < path.n || elements == 1) && goglob_match(glob, span_head(path, end)))
			return glob;
	}
	return (struct span){ 0 };
}

bool goprivate_matches(struct span globs, struct span path)
{
	return goprivate_match(globs, path).p;
}

struct span goprivate_malformed(struct span globs)
{
	struct span glob;

	while (next_glob(&globs, &glob)) {
		if (is_malformed(glob))
			return glob;
	}
	return (struct span){ 0 };
}
