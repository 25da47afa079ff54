#include "model/frames.h"

#include "base/mem.h"
#include "base/path.h"

#define LINES_MAX 2000 /* of an excerpt, which is 4 KiB */

/* ---- names ---- */

static bool is_number(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.n > 0;
}

static bool is_numbered(struct span s, struct span word) /* func12 */
{
	return span_skip(&s, word) && is_number(s);
}

/* "pkg.(*T).M(0x1, …)", "pkg.F(…)": the arguments begin at the first parenthesis that does not follow a dot. */
static struct span without_arguments(struct span line)
{
	int depth = 0;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];
		depth += (c == '[') - (c == ']');
		if (c == '(' && depth <= 0 && i && line.p[i - 1] != '.' && line.p[i - 1] != '/')
			return span_head(line, i);
	}
	return line;
}

/* The import path: up to the first dot behind the last slash, outside of brackets. */
static struct span package_of(struct span func)
{
	size_t stop = span_chr(func, '['), paren = span_chr(func, '(');
	struct span s = span_head(func, stop < paren ? stop : paren);
	size_t slash = span_rchr(s, '/'), from = slash == SPAN_NONE ? 0 : slash + 1;
	size_t dot = span_chr(span_from(s, from), '.');

	return dot == SPAN_NONE ? s : span_head(func, from + dot);
}

static struct span unvendored(struct span func)
{
	size_t at = span_find(package_of(func), S("/vendor/"));

	if (at != SPAN_NONE)
		return span_from(func, at + 8);
	span_skip(&func, S("vendor/"));
	return func;
}

/* One element of the name behind the package; elements end at dots outside of brackets and parentheses. */
static struct span next_element(struct span *rest)
{
	int depth = 0;
	size_t i;

	for (i = 0; i < rest->n && (depth > 0 || rest->p[i] != '.'); i++)
		depth += (rest->p[i] == '[' || rest->p[i] == '(') - (rest->p[i] == ']' || rest->p[i] == ')');
	struct span e = span_head(*rest, i);
	*rest = span_from(*rest, i + 1);
	return e;
}

/* Made by the compiler for a method value, a go or defer statement with arguments: no line of it is anybody's. */
static bool is_wrapper(struct span func)
{
	struct span rest = span_from(func, package_of(func).n + 1);

	if (span_ends(func, S("-fm")))
		return true;
	while (rest.n) {
		struct span e = next_element(&rest);
		if (is_numbered(e, S("gowrap")) || is_numbered(e, S("deferwrap")))
			return true;
	}
	return false;
}

static void put_char(struct buf *b, char c)
{
	buf_addc(b, (unsigned char)c < ' ' ? '?' : c);
}

/* Type arguments are printed or not, and as shapes: "[go.shape.int]", "[...]". */
static void put_element(struct buf *b, struct span e)
{
	int depth = 0;

	for (size_t i = 0; i < e.n; i++) {
		if (e.p[i] == '[' && depth++ == 0)
			buf_adds(b, "[...]");
		else if (e.p[i] == ']')
			depth -= depth > 0;
		else if (!depth)
			put_char(b, e.p[i]);
	}
}

static void put_package(struct buf *b, struct span pkg)
{
	for (size_t i = 0; i < pkg.n; i++) {
		bool dot = pkg.n - i >= 3 && pkg.p[i] == '%' && pkg.p[i + 1] == '2' && (pkg.p[i + 2] | 0x20) == 'e';
		put_char(b, dot ? '.' : pkg.p[i]);
		i += dot ? 2 : 0;
	}
}

void frame_name(const struct frame *f, struct buf *ret)
{
	struct span func = unvendored(f->func), pkg = package_of(func), rest = span_from(func, pkg.n + 1);

	put_package(ret, pkg);
	while (rest.n) {
		struct span e = next_element(&rest);
		size_t range = span_find(e, S("-range"));
		if (is_number(e)) /* init.0, func1.2 */
			continue;
		if (!e.n && !rest.n)
			break;
		if (span_eq(e, S("glob")) && span_starts(rest, S("."))) { /* glob..func1; init.func1 since 1.21 */
			e = S("init");
			rest = span_from(rest, 1);
		}
		buf_addc(ret, '.');
		if (is_numbered(e, S("func"))) { /* which closure it is moves with every edit and release */
			buf_adds(ret, "func");
			break;
		}
		put_element(ret, range == SPAN_NONE ? e : span_head(e, range));
	}
	if (span_eq(pkg, S("main"))) {
		buf_addc(ret, ' ');
		struct span file = path_base(f->file);
		for (size_t i = 0; i < file.n; i++)
			put_char(ret, file.p[i]);
	}
}

/* ---- whose ---- */

static bool is_slash(char c)
{
	return c == '/' || c == '\\';
}

static struct span folder_of(struct span file)
{
	size_t n = file.n;

	while (n && !is_slash(file.p[n - 1]))
		n--;
	return span_head(file, n ? n - 1 : 0);
}

static bool same_path(struct span a, struct span b) /* slashes either way */
{
	for (size_t i = 0; i < a.n && a.n == b.n; i++) {
		if (a.p[i] != b.p[i] && !(is_slash(a.p[i]) && is_slash(b.p[i])))
			return false;
	}
	return a.n == b.n;
}

/* First elements of the standard library's import paths. */
static bool is_std_word(struct span first)
{
	static const char words[] =
		" archive bufio builtin bytes cmd cmp compress container context crypto database debug embed encoding errors "
		"expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp "
		"runtime slices sort strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak ";
	size_t at = 0, hit;

	while ((hit = span_find(span_from((struct span){ words, sizeof(words) - 1 }, at), first)) != SPAN_NONE && first.n) {
		at += hit;
		if (at && words[at - 1] == ' ' && words[at + first.n] == ' ')
			return true;
		at++;
	}
	return false;
}

/* "/usr/lib/go/src/net/http". Some functions carry another package's name than their folder (sync.fatal, syscall). */
static bool below_src(struct span dir)
{
	size_t at = span_find(dir, S("/src/"));
	struct span rest = span_from(dir, at == SPAN_NONE ? 0 : at + 5), first;

	if (at == SPAN_NONE && (at = span_find(dir, S("\\src\\"))) != SPAN_NONE)
		rest = span_from(dir, at + 5);
	first = span_head(rest, span_chr(rest, '/'));
	first = span_head(first, span_chr(first, '\\'));
	return is_std_word(first) && (at != SPAN_NONE || span_eq(first, S("runtime")));
}

static bool is_std(struct span func, struct span file)
{
	struct span pkg = package_of(func), first = pkg, dir = folder_of(file);

	first = span_cut(&first, '/');
	if (span_eq(first, S("runtime")) || span_eq(func, S("panic")))
		return true;
	if (!is_std_word(first))
		return false;
	return same_path(dir, pkg) || below_src(dir); /* -trimpath; GOROOT */
}

bool frame_is_own(struct span func, struct span file)
{
	static const char *const foreign[] = {
		"/pkg/mod/", "\\pkg\\mod\\", "/vendor/", "\\vendor\\", "_cgo_gotypes.go", "<autogenerated>", "<generated>",
	};

	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		if (span_find(file, span_of(foreign[i])) != SPAN_NONE)
			return false;
	}
	if (span_starts(file, S("vendor/")) || span_eq(file, S("_testmain.go")) || span_eq(file, S("??")) || !file.n)
		return false;
	size_t at = span_find(file, S("@v")); /* a module with -trimpath */
	if (at != SPAN_NONE && at + 2 < file.n && file.p[at + 2] >= '0' && file.p[at + 2] <= '9')
		return false;
	return !is_std(func, file);
}

static bool is_test_function(struct span func, struct span file)
{
	static const struct span kinds[] = { { "Test", 4 }, { "Benchmark", 9 }, { "Fuzz", 4 }, { "Example", 7 } };
	struct span name = span_from(func, package_of(func).n + 1);

	name = next_element(&name);
	if (!span_ends(file, S("_test.go")) || span_eq(name, S("TestMain")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct span rest = name;
		if (span_skip(&rest, kinds[i]) && !(rest.n && rest.p[0] >= 'a' && rest.p[0] <= 'z'))
			return true;
	}
	return false;
}

/* ---- lines ---- */

/* "\t/x/y.go:12 +0x1d", "      y.go:12": the file, or nothing. The last colon counts: there may be a drive's. */
static struct span place_file(struct span line)
{
	struct span s = span_trim(line), none = { 0 };
	size_t digits, end;

	if (!line.n || (line.p[0] != '\t' && line.p[0] != ' '))
		return none;
	if ((end = span_find(s, S(" +0x"))) != SPAN_NONE || (end = span_find(s, S(" fp=0x"))) != SPAN_NONE)
		s = span_head(s, end);
	for (digits = 0; digits < s.n && s.p[s.n - 1 - digits] >= '0' && s.p[s.n - 1 - digits] <= '9';)
		digits++;
	if (!digits || digits + 1 >= s.n || s.p[s.n - 1 - digits] != ':')
		return none;
	return span_head(s, s.n - 1 - digits);
}

static bool begins_section(struct span line, bool *race)
{
	struct span s = span_trim(line);

	if (span_starts(s, S("goroutine ")) && span_find(s, S(" [")) != SPAN_NONE)
		return true;
	if ((span_starts(s, S("Read at ")) || span_starts(s, S("Write at ")) || span_starts(s, S("Previous ")) ||
	     span_starts(s, S("Atomic "))) && span_find(s, S(" by ")) != SPAN_NONE) {
		*race = true;
		return true;
	}
	return false;
}

static bool is_function(struct span s) /* no blank but in type arguments: "created by F" is none */
{
	size_t blank = span_chr(s, ' ');

	return s.n && (blank == SPAN_NONE || span_chr(s, '[') < blank) &&
	       (span_chr(s, '.') != SPAN_NONE || span_eq(s, S("panic")));
}

static bool is_panic(struct span func)
{
	return span_eq(func, S("panic")) || span_eq(func, S("runtime.gopanic"));
}

/* All above in this stack was the panic's own way here: defers, re-panics. */
static size_t cut_above(struct frame *frames, size_t n, int section)
{
	while (n && frames[n - 1].section == section)
		n--;
	return n;
}

static void fill(struct frame *f, struct span func, struct span file, int section)
{
	*f = (struct frame){ .func = func, .file = file, .section = section };
	f->own = frame_is_own(func, file);
	f->test = f->own && is_test_function(func, file);
	f->in_test = span_ends(file, S("_test.go"));
}

size_t frames_read(struct span excerpt, struct frame ret[FRAMES_MAX])
{
	struct span last = { 0 };
	size_t n = 0;
	int section = -1;
	bool race = false, stop = false;

	for (int i = 0; i < LINES_MAX && excerpt.n && n < FRAMES_MAX && !stop; i++) {
		struct span line = span_cut(&excerpt, '\n'), file = place_file(line), func;
		if (begins_section(line, &race)) {
			section++;
			last = (struct span){ 0 };
			continue;
		}
		if (race && span_starts(span_trim(line), S("Goroutine "))) /* … created at: */
			stop = true;
		func = without_arguments(span_trim(last));
		last = line;
		if (!file.n || !is_function(func) || is_wrapper(func))
			continue;
		if (!race && is_panic(func))
			n = cut_above(ret, n, section);
		else
			fill(&ret[n++], func, file, section);
		last = (struct span){ 0 };
	}
	return n;
}
