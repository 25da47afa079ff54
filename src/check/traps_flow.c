#include <errno.h>

#include "base/path.h"
#include "check/traps_own.h"

/*
 * What the scripts and pipelines of the tree give to go: -tags, -X, and the commands of go build. They are read as text, line by line;
 * variables are filled in where the same file sets them in a plain way. What cannot be known is left out, not guessed.
 */
#define FLOWS_BYTES ((size_t)1 << 20) /* of one file */
#define FLOWS_MAX   2000
#define DEPTH       6

/* ---- which files ---- */

static bool ends(struct span name, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_ends(name, span_of(v[i])))
			return true;
	return false;
}

static bool is_flow(const struct src_file *f)
{
	static const char *const whole[] = { "Makefile",      "makefile",      "GNUmakefile", "Dockerfile",
					     "Containerfile", "Jenkinsfile",   "justfile",    "Justfile",
					     "Taskfile.yml",  "Taskfile.yaml", "magefile.go", "settings.json",
					     "package.json",  "build",         "test",        "release" };
	static const char *const scripts[] = { ".mk",  ".sh",         ".bash",       ".ps1", ".bat",
					       ".cmd", ".dockerfile", ".Dockerfile", ".mak", ".just" };
	static const char *const yaml[] = { ".yml", ".yaml" };
	struct span name = span_of(f->name), dir = span_of(f->dir->path);

	if (f->dir_link || f->kind != SRC_NONE || f->dir->vendored ||
	    span_find(dir, S("node_modules")) != SPAN_NONE || f->dir->skip == DIR_TESTDATA)
		return span_eq(name, S("magefile.go"));
	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		if (span_eq(name, span_of(whole[i])))
			return true;
	if (span_starts(name, S("Dockerfile.")) || span_starts(name, S("Makefile.")) ||
	    ends(name, scripts, ARRAY_LEN(scripts)))
		return true;
	if (!ends(name, yaml, ARRAY_LEN(yaml)))
		return false;
	/* Pipelines lie at the top, or in a folder of their own. */
	return span_eq(dir, S(".")) || dir.p[0] == '.' || span_find(dir, S("/.")) != SPAN_NONE ||
	       span_find(name, S("goreleaser")) != SPAN_NONE || span_find(name, S("-ci")) != SPAN_NONE ||
	       span_find(dir, S("ci")) != SPAN_NONE || span_find(dir, S("build")) != SPAN_NONE;
}

/* ---- lines ---- */

/* One logical line: those that end in a backslash are joined by a blank. *line counts on. */
static struct span logical(struct trap_run *c, struct span *rest, int *line)
{
	CLEANUP(buf_free) struct buf b = { .max = 64 << 10 };
	struct span l = span_cut(rest, '\n');

	++*line;
	while (l.n && l.p[l.n - 1] == '\r')
		l.n--;
	if (!l.n || l.p[l.n - 1] != '\\')
		return l;
	while (l.n && l.p[l.n - 1] == '\\') {
		buf_add(&b, l.p, l.n - 1);
		buf_addc(&b, ' ');
		l = span_cut(rest, '\n');
		++*line;
		while (l.n && l.p[l.n - 1] == '\r')
			l.n--;
	}
	buf_span(&b, l);
	return b.bad ? S("") : trap_text(c, "%.*s", SPAN_ARG(buf_view(&b)));
}

static bool is_name(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_';
}

static struct span unquoted(struct span s)
{
	s = span_trim(s);
	if (s.n > 1 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
		s = span_head(span_from(s, 1), s.n - 2);
	return s;
}

/* ---- variables ---- */

/* NAME = value, NAME := value, NAME ?= value, export NAME=value, ENV NAME=value, NAME: value. */
static bool assignment(struct span line, struct span name, struct span *ret)
{
	static const char *const before[] = { "export ", "ENV ",      "ARG ",   "set ",
					      "- ",      "readonly ", "local ", "override " };

	line = span_trim(line);
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		if (span_skip(&line, span_of(before[i])))
			line = span_trim(line);
	if (!span_skip(&line, name))
		return false;
	line = span_trim(line);
	for (size_t i = 0; i < 3 && line.n && strchr(":?+", line.p[0]); i++) {
		if (line.p[0] == ':' && line.n > 1 && line.p[1] == ' ') {
			*ret = unquoted(span_from(line, 1)); /* YAML */
			return true;
		}
		line = span_from(line, 1);
	}
	if (!line.n || line.p[0] != '=')
		return false;
	*ret = unquoted(span_from(line, 1));
	return true;
}

/* How many values it is given, and the first. */
static size_t look_up(struct span text, struct span name, struct span *value)
{
	size_t n = 0;

	for (struct span rest = text; rest.n;) {
		struct span l = span_cut(&rest, '\n'), v;
		if (!assignment(l, name, &v) || (n && span_eq(v, *value)))
			continue;
		if (!n++)
			*value = v;
	}
	return n;
}

static struct span module_of(const struct trap_run *c, const struct src_dir *d)
{
	for (const struct src_dir *at = d; at; at = at->parent)
		if (at->member)
			return at->member->mod.module;
	for (size_t i = 0; i < c->tree->n; i++)
		if (c->tree->dirs[i]->member)
			return c->tree->dirs[i]->member->mod.module;
	return (struct span){ 0 };
}

/* The end of the reference that begins with $ (or {{) at the start of s: $X ${X} $(X) {{ .X }}; its inside. 0: none. */
static size_t reference(struct span s, struct span *inside)
{
	size_t depth = 0, n = 1;
	char open = s.n > 1 ? s.p[1] : 0, close = open == '{' ? '}' : open == '(' ? ')' : 0;

	if (span_starts(s, S("{{"))) {
		size_t end = span_find(s, S("}}"));
		*inside = end == SPAN_NONE ? s : span_trim(span_head(span_from(s, 2), end - 2));
		return end == SPAN_NONE ? s.n : end + 2;
	}
	if (s.p[0] != '$')
		return 0;
	if (open == '$') { /* make's own $$ */
		size_t m = reference(span_from(s, 1), inside);
		return m ? m + 1 : 2;
	}
	if (!close) {
		while (n < s.n && is_name(s.p[n]))
			n++;
		*inside = span_head(span_from(s, 1), n - 1);
		return n;
	}
	for (n = 1; n < s.n; n++) {
		depth += s.p[n] == open;
		if (s.p[n] == close && !--depth)
			break;
	}
	*inside = span_head(span_from(s, 2), n < s.n ? n - 2 : s.n - 2);
	return n < s.n ? n + 1 : s.n;
}

/* Appends s with its variables filled in; what cannot be known becomes a zero byte. */
static void expand(struct trap_run *c, const struct flow *f, struct span s, struct buf *ret, int depth)
{
	while (s.n && ret->len < 4096) {
		struct span in, value;
		size_t n = s.p[0] == '$' || span_starts(s, S("{{")) ? reference(s, &in) : 0;
		if (!n) {
			buf_addc(ret, s.p[0]);
			s = span_from(s, 1);
			continue;
		}
		s = span_from(s, n);
		if (span_find(in, S("go list -m")) != SPAN_NONE || span_eq(in, S(".ModulePath"))) {
			buf_span(ret, module_of(c, f->file->dir));
			continue;
		}
		struct span name = in;
		for (size_t i = 0; i < name.n; i++)
			if (!is_name(name.p[i]))
				name.n = i;
		bool whole = name.n == in.n || (name.n < in.n && in.p[name.n] == ':');
		if (depth < DEPTH && name.n && whole && look_up(f->text, name, &value) == 1)
			expand(c, f, value, ret, depth + 1);
		else
			buf_addc(ret, '\0');
	}
}

/* ---- -tags ---- */

static bool tag_char(char ch)
{
	return is_name(ch) || ch == '.';
}

static void add_tag(struct trap_run *c, struct flows *all, const struct flow *f, struct span tag, int line)
{
	for (size_t i = 0; i < all->n_tags; i++)
		if (span_eq(all->tags[i].tag, tag))
			return;
	if (!mem_grow(&all->tags, &all->cap_tags, all->n_tags, sizeof(*all->tags))) {
		c->bad = true;
		return;
	}
	all->tags[all->n_tags++] =
		(struct flow_tag){ .tag = trap_text(c, "%.*s", SPAN_ARG(tag)), .flow = f, .line = line };
}

/* What stands behind -tags: "a,b", 'a b', a. */
static struct span tags_value(struct span s)
{
	size_t n = 0;

	if (!s.n || (s.p[0] != '=' && s.p[0] != ' '))
		return (struct span){ 0 };
	s = span_trim(span_from(s, 1));
	if (s.n && s.p[0] == '\\')
		s = span_from(s, 1);
	if (s.n && (s.p[0] == '"' || s.p[0] == '\'')) {
		char quote = s.p[0];
		s = span_from(s, 1);
		return span_head(s, span_chr(s, quote));
	}
	while (n < s.n && !strchr(" \t\"'`;|&)]}>", s.p[n])) {
		struct span in;
		size_t m = s.p[n] == '$' ? reference(span_from(s, n), &in) : 0;
		n += m ? m : 1;
	}
	return span_head(s, n);
}

/* -tags of go, not of the many other commands that have such a flag. */
static bool speaks_to_go(const struct flow *f, struct span line)
{
	static const char *const words[] = {
		"go build", "go test", "go vet", "go install", "go run",        "go list", "go generate",
		"GOFLAGS",  "FLAGS",   "flags",  "gotestsum",  "golangci-lint", "GO) ",    "GO} ",
		"$GO ",     "go-acc",  "gox ",   "garble",     "staticcheck",   "mage "
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_find(line, span_of(words[i])) != SPAN_NONE)
			return true;
	return span_find(span_of(f->file->name), S("goreleaser")) != SPAN_NONE;
}

static void take_tags(struct trap_run *c, struct flows *all, const struct flow *f, struct span line, int at)
{
	for (struct span rest = line; rest.n;) {
		size_t i = span_find(rest, S("-tags"));
		if (i == SPAN_NONE)
			return;
		bool begins = i == 0 || strchr(" \t\"'=-`[,", rest.p[i - 1]);
		struct span value = begins ? tags_value(span_from(rest, i + 5)) : (struct span){ 0 };
		rest = span_from(rest, i + 5);
		CLEANUP(buf_free) struct buf b = { 0 };
		expand(c, f, value, &b, 0);
		c->bad |= b.bad;
		for (struct span v = buf_view(&b); v.n;) {
			size_t n = 0;
			while (n < v.n && v.p[n] != ',' && v.p[n] != ' ')
				n++;
			struct span tag = span_head(v, n);
			v = span_from(v, n + 1);
			bool plain = tag.n > 0;
			for (size_t k = 0; k < tag.n; k++)
				plain &= tag_char(tag.p[k]);
			if (plain)
				add_tag(c, all, f, tag, at);
		}
	}
}

/* ---- -X ---- */

/* The folder that a go build names: ./cmd/x. NULL: none, or several. */
static const struct src_dir *built_dir(const struct trap_run *c, const struct flow *f, struct span line)
{
	const struct src_dir *ret = NULL;
	CLEANUP(buf_free) struct buf path = { 0 };

	for (struct span rest = line; rest.n;) {
		struct span word = span_cut(&rest, ' ');
		while (word.n && strchr("\"')", word.p[word.n - 1]))
			word.n--;
		if (!span_skip(&word, S("./")) || span_find(word, S("...")) != SPAN_NONE ||
		    span_ends(word, S(".go")))
			continue;
		while (word.n && word.p[word.n - 1] == '/')
			word.n--;
		buf_clear(&path);
		buf_addf(&path, "%.*s", SPAN_ARG(word.n ? word : S(".")));
		const struct src_dir *d = path.bad ? NULL : src_tree_dir(c->tree, buf_str(&path));
		if (!d)
			continue;
		if (ret && ret != d)
			return NULL;
		ret = d;
	}
	(void)f;
	return ret;
}

/* Where a word of the logical line that begins in line *line stands. */
static int place(const struct flow *f, struct span raw, int *line)
{
	struct span rest = f->text;

	for (int i = 1; i < *line && rest.n; i++)
		span_cut(&rest, '\n');
	for (int i = *line; rest.n && i < *line + 200; i++) {
		struct span l = span_cut(&rest, '\n');
		size_t at = span_find(l, raw);
		if (at != SPAN_NONE) {
			*line = i;
			return (int)at + 1;
		}
	}
	return 0;
}

static bool calls_test(struct span line)
{
	return span_find(line, S("go test")) != SPAN_NONE || span_find(line, S("gotestsum")) != SPAN_NONE ||
	       span_find(line, S("GO) test")) != SPAN_NONE;
}

static void add_x(struct trap_run *c, struct flows *all, const struct flow *f, struct span raw,
		  struct span line, int at)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span name, wild = { 0 };

	if (f->file)
		expand(c, f, raw, &b, 0);
	else
		buf_span(&b, raw);
	c->bad |= b.bad;
	struct span s = buf_view(&b);
	size_t zero = s.n ? span_rchr(s, '\0') : SPAN_NONE, dot = s.n ? span_rchr(s, '.') : SPAN_NONE;
	if (c->bad || dot == SPAN_NONE || dot == 0 || dot + 1 == s.n || (zero != SPAN_NONE && zero > dot))
		return;
	for (size_t i = dot + 1; i < s.n; i++)
		if (!is_name(s.p[i]) && (unsigned char)s.p[i] < 0x80)
			return;
	for (size_t i = 0; i < dot; i++)
		if (strchr(" \t\"'$`", s.p[i]) && s.p[i])
			return;
	if (zero != SPAN_NONE)
		wild = trap_text(c, "%.*s", SPAN_ARG(span_from(s, zero + 1)));
	name = trap_text(c, "%.*s", SPAN_ARG(zero == SPAN_NONE ? s : S("")));
	if (!mem_grow(&all->xs, &all->cap_xs, all->n_xs, sizeof(*all->xs))) {
		c->bad = true;
		return;
	}
	int column = f->file ? place(f, raw, &at) : 0;
	all->xs[all->n_xs++] = (struct flow_x){ .column = column,
						.name = name,
						.wild = wild,
						.flow = f->file ? f : NULL,
						.line = at,
						.main = f->file ? built_dir(c, f, line) : NULL,
						.test = f->file && calls_test(line) };
}

static void take_xs(struct trap_run *c, struct flows *all, const struct flow *f, struct span line, int at)
{
	for (size_t i = 0; i + 2 < line.n && !c->bad; i++) {
		if (line.p[i] != '-' || line.p[i + 1] != 'X' || !strchr(" =\t", line.p[i + 2]) ||
		    (i && !strchr(" \t\"'=`[", line.p[i - 1])))
			continue;
		size_t from = i + 3, to;
		while (from < line.n && strchr(" =\t\"'\\`", line.p[from]))
			from++;
		for (to = from; to < line.n && !strchr("= \t\"'", line.p[to]);) {
			struct span in;
			size_t n = line.p[to] == '$' || span_starts(span_from(line, to), S("{{"))
					   ? reference(span_from(line, to), &in)
					   : 0;
			to += n ? n : 1;
		}
		if (to > from && to < line.n && line.p[to] == '=')
			add_x(c, all, f, (struct span){ line.p + from, to - from }, line, at);
		i = from - 1;
	}
}

/* ---- all of a file ---- */

static void take_build(struct trap_run *c, struct flows *all, const struct flow *f, struct span line, int at)
{
	bool build = span_find(line, S("go build ")) != SPAN_NONE ||
		     span_find(line, S("go install ")) != SPAN_NONE;

	/* Of scripts it is not known who calls them. */
	all->tests |= calls_test(line) && !span_ends(span_of(f->file->name), S("sh"));
	if (!build && span_find(line, S("-buildmode=plugin")) == SPAN_NONE &&
	    span_find(line, S("-buildmode plugin")) == SPAN_NONE)
		return;
	if (!mem_grow(&all->builds, &all->cap_builds, all->n_builds, sizeof(*all->builds))) {
		c->bad = true;
		return;
	}
	bool plugin = span_find(line, S("-buildmode=plugin")) != SPAN_NONE ||
		      span_find(line, S("-buildmode plugin")) != SPAN_NONE;
	all->builds[all->n_builds++] =
		(struct flow_build){ .flow = f, .command = line, .line = at, .plugin = plugin };
}

/* What is said of it in a comment is not done. */
static bool is_comment(struct span line)
{
	line = span_trim(line);
	return line.n && (line.p[0] == '#' || span_starts(line, S("//")) || span_starts(line, S("REM ")) ||
			  span_starts(line, S("::")));
}

static void take_file(struct trap_run *c, struct flows *all, const struct flow *f)
{
	bool flags = span_find(f->text, S("ldflags")) != SPAN_NONE ||
		     span_find(f->text, S("LDFLAGS")) != SPAN_NONE ||
		     span_find(f->text, S("go build")) != SPAN_NONE;
	struct span rest = f->text;
	int line = 0;

	while (rest.n && !c->bad) {
		int at = line + 1;
		struct span l = logical(c, &rest, &line);
		if (is_comment(l))
			continue;
		if (speaks_to_go(f, l))
			take_tags(c, all, f, l, at);
		take_build(c, all, f, l, at);
		if (flags)
			take_xs(c, all, f, l, at);
	}
}

static void add_flow(struct trap_run *c, struct flows *ret, const struct src_file *f)
{
	CLEANUP(buf_free) struct buf text = { .max = FLOWS_BYTES };
	int r = file_slurp_regular(trap_path(c, f->dir, f->name), &text, NULL);

	c->bad |= r == -ENOMEM;
	if (r < 0 || !text.len || memchr(text.p, 0, text.len))
		return;
	struct span kept = arena_span(&c->mem, buf_view(&text));
	if (!kept.p || !mem_grow(&ret->v, &ret->cap, ret->n, sizeof(*ret->v))) {
		c->bad = true;
		return;
	}
	ret->v[ret->n++] = (struct flow){ .file = f, .text = kept };
}

void flows_read(struct trap_run *c, struct flows *ret)
{
	static const struct flow given = { 0 };

	for (size_t i = 0; i < c->tree->n; i++) {
		const struct src_dir *d = c->tree->dirs[i];
		for (size_t k = 0; k < d->n && !c->bad && ret->n < FLOWS_MAX; k++)
			if (is_flow(&d->files[k]))
				add_flow(c, ret, &d->files[k]);
	}
	for (size_t i = 0; i < ret->n && !c->bad; i++)
		take_file(c, ret, &ret->v[i]);
	const char *const flags[] = { c->o->ldflags, c->o->env ? c->o->env->ldflags : NULL };
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i])
			take_xs(c, ret, &given, trap_text(c, "%s", flags[i]), 0);
}

void flows_free(struct flows *f)
{
	mem_free(f->v);
	mem_free(f->tags);
	mem_free(f->xs);
	mem_free(f->builds);
	buf_free(&f->said_in_go);
	*f = (struct flows){ 0 };
}

static bool speaks_of(struct span text, struct span word)
{
	while (text.n) {
		size_t at = span_find(text, word);
		if (at == SPAN_NONE)
			break;
		bool begins = at == 0 || !is_name(text.p[at - 1]),
		     ended = at + word.n == text.n || !is_name(text.p[at + word.n]);
		if (begins && ended)
			return true;
		text = span_from(text, at + word.n);
	}
	return false;
}

bool flows_speak_of(const struct flows *f, struct span word)
{
	for (size_t i = 0; i < f->n; i++)
		if (speaks_of(f->v[i].text, word))
			return true;
	return speaks_of(buf_view(&f->said_in_go), word);
}

void flows_note_source(struct trap_run *c, struct span text)
{
	bool next = false;

	if (span_find(text, S("-tags")) == SPAN_NONE)
		return;
	while (text.n) {
		struct span l = span_cut(&text, '\n');
		bool here = span_find(l, S("-tags")) != SPAN_NONE && !is_comment(l);
		if ((here || next) && c->flows->said_in_go.len < FLOWS_BYTES) {
			buf_span(&c->flows->said_in_go, l);
			buf_addc(&c->flows->said_in_go, '\n');
		}
		next = here;
	}
	c->bad |= c->flows->said_in_go.bad;
}
