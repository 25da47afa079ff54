#include "base/mem.h"
#include "base/text.h"
#include "probe/own.h"

/* What `go build` wrote about its work. Layout: the Go distribution's debug/buildinfo documents it. */

#define MAGIC    "\xff Go buildinf:"
#define MAGIC_N  14
#define HEAD     32
#define SENTINEL 16

/* ---- finding it ---- */

static bool inline_string(const unsigned char **p, uint64_t *rest, struct span *ret)
{
	uint64_t n = 0;

	for (unsigned shift = 0; *rest && shift < 63; shift += 7) {
		unsigned char c = *(*p)++;
		(*rest)--;
		n |= (uint64_t)(c & 127) << shift;
		if (c & 128)
			continue;
		if (n > *rest)
			return false;
		*ret = (struct span){ (const char *)*p, n };
		*p += n;
		*rest -= n;
		return true;
	}
	return false;
}

/* To Go 1.17: two pointers to strings' headers. */
static bool pointed_strings(struct image *m, const unsigned char *b, uint64_t addr, struct span *version,
			    struct span *text)
{
	struct image as = *m; /* it says its own byte order and size of pointers */

	if (b[14] != 4 && b[14] != 8)
		return false;
	image_relocate(m);
	as.ptr = b[14];
	as.big = b[15] & 1;
	*version = image_string(&as, rdptr(&as, b + 16));
	*text = image_string(&as, rdptr(&as, b + 16 + as.ptr));
	return version->p != NULL;
}

static bool decode(struct reading *r, uint64_t addr)
{
	struct probe *p = r->p;
	struct span version = { 0 }, text = { 0 };
	uint64_t rest;
	const unsigned char *b = image_rest(r->m, addr, &rest);

	if (!b || rest < HEAD || memcmp(b, MAGIC, MAGIC_N) != 0)
		return false;
	if (b[15] & 2) {
		b += HEAD;
		rest -= HEAD;
		if (!inline_string(&b, &rest, &version))
			return false;
		inline_string(&b, &rest, &text);
	} else if (!pointed_strings(r->m, b, addr, &version, &text)) {
		return false;
	}
	if (version.n == 0)
		return false;
	p->go = true;
	if (!span_eq(version, S("unknown"))) {
		p->go_version = version;
		p->go_version_from = PROBE_VERSION_BUILD_INFO;
	} else {
		p->garbled = true;
	}
	if (text.n >= 2 * SENTINEL + 1 && text.p[text.n - SENTINEL - 1] == '\n') {
		p->mod_text = (struct span){ text.p + SENTINEL, text.n - 2 * (size_t)SENTINEL };
		p->build_info = true;
	}
	return true;
}

static bool scan(struct reading *r, const struct region *in)
{
	uint64_t n = in->filed, from = 0;
	const unsigned char *b = image_file(r->m, in->at, n);

	while (b && from < n) {
		const unsigned char *hit = memmem(b + from, n - from, MAGIC, MAGIC_N);
		if (!hit)
			return false;
		uint64_t at = (uint64_t)(hit - b);
		if (at % 16 == 0 && decode(r, in->addr + at))
			return true;
		from = at + MAGIC_N;
	}
	return false;
}

void read_build_info(struct reading *r)
{
	const struct region *s = &r->m->sect[SECT_BUILDINFO];

	if (s->size && (decode(r, s->addr) || scan(r, s)))
		return;
	/* Where the linker puts it first: what is written to. */
	for (int writable = 1; writable >= 0; writable--)
		for (size_t i = 0; i < r->m->n_regions; i++) {
			const struct region *in = &r->m->regions[i];
			if (in->write == writable && !in->exec && scan(r, in))
				return;
		}
}

/* ---- its text ---- */

static struct span field(struct span *line)
{
	return span_cut(line, '\t');
}

static struct probe_module read_module_line(struct span line)
{
	struct probe_module m = { 0 };

	m.path = field(&line);
	m.version = field(&line);
	if (line.n)
		m.sum = field(&line);
	return m;
}

static unsigned digits(struct span *s, int n, unsigned base)
{
	unsigned v = 0;

	for (; n > 0 && s->n && hex_digit(s->p[0]) >= 0 && (unsigned)hex_digit(s->p[0]) < base; n--) {
		v = v * base + (unsigned)hex_digit(s->p[0]);
		*s = span_from(*s, 1);
	}
	return v;
}

/* A string as Go's %q writes it. */
static void add_escape(struct span *s, struct buf *ret)
{
	static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
	char c = s->p[0], utf8[4];
	const char *simple = c ? strchr(from, c) : NULL;

	if (c >= '0' && c <= '7') {
		buf_addc(ret, (char)digits(s, 3, 8));
		return;
	}
	*s = span_from(*s, 1);
	if (simple)
		buf_addc(ret, to[simple - from]);
	else if (c == 'x')
		buf_addc(ret, (char)digits(s, 2, 16));
	else if (c == 'u' || c == 'U')
		buf_add(ret, utf8, utf8_encode(digits(s, c == 'u' ? 4 : 8, 16), utf8));
	else
		buf_addc(ret, c);
}

static struct span unquote(struct reading *r, struct span s)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (s.n < 2 || (s.p[0] != '"' && s.p[0] != '`') || s.p[s.n - 1] != s.p[0])
		return s;
	struct span body = { s.p + 1, s.n - 2 };
	if (s.p[0] == '`' || !memchr(body.p, '\\', body.n))
		return body;
	while (body.n) {
		char c = body.p[0];
		body = span_from(body, 1);
		if (c == '\\' && body.n)
			add_escape(&body, &b);
		else
			buf_addc(&b, c);
	}
	if (b.bad)
		r->no_memory = true;
	return reading_text(r, buf_view(&b));
}

/* Both sides may be quoted; a quoted key can hold "=". */
static struct probe_setting read_setting(struct reading *r, struct span line)
{
	size_t at = 0;

	if (line.n && line.p[0] == '`')
		at = 1 + span_chr(span_from(line, 1), '`');
	else if (line.n && line.p[0] == '"')
		for (at = 1; at < line.n && line.p[at] != '"'; at++)
			at += line.p[at] == '\\';
	size_t equals = at < line.n ? span_chr(span_from(line, at), '=') : SPAN_NONE;
	if (equals == SPAN_NONE)
		return (struct probe_setting){ unquote(r, line), { "", 0 } };
	equals += at;
	return (struct probe_setting){ unquote(r, span_head(line, equals)),
				       unquote(r, span_from(line, equals + 1)) };
}

static size_t count_lines(struct span text, struct span with)
{
	size_t n = 0;

	while (text.n)
		n += span_starts(span_cut(&text, '\n'), with);
	return n;
}

void read_mod_text(struct reading *r)
{
	struct probe *p = r->p;
	struct span rest = p->mod_text;
	size_t max_deps = count_lines(rest, S("dep\t")), max_settings = count_lines(rest, S("build\t"));
	struct probe_module *deps = reading_room(r, max_deps, sizeof(*deps)), *last = NULL, *to;
	struct probe_module *instead = reading_room(r, count_lines(rest, S("=>\t")), sizeof(*instead));
	struct probe_setting *settings = reading_room(r, max_settings, sizeof(*settings));

	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		if (span_skip(&line, S("path\t"))) {
			p->path = line;
		} else if (span_skip(&line, S("mod\t"))) {
			p->main = read_module_line(line);
			last = &p->main;
		} else if (span_skip(&line, S("dep\t")) && deps) {
			last = &deps[p->n_deps++];
			*last = read_module_line(line);
		} else if (span_skip(&line, S("=>\t")) && last && instead && !last->replaced_by) {
			to = instead++;
			*to = read_module_line(line);
			last->replaced_by = to;
		} else if (span_skip(&line, S("build\t")) && settings) {
			settings[p->n_settings++] = read_setting(r, line);
		}
	}
	p->deps = deps;
	p->settings = settings;
}
