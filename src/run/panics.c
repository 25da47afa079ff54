#include "run/panics.h"

#include <fcntl.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"

#define RECORD_MAX (16u << 20) /* bytes read */
#define PANICS_MAX 20000
#define STACK_MAX 3000 /* bytes of frames; an excerpt has 4096 */
#define ROOTS_MAX 8 /* versions of Go in one run */

struct frame {
	struct span function, file, line, offset;
};

struct panic {
	struct span key;    /* "pid id" as they stand in the record */
	struct span goid, test, test_function, value, created, created_file, created_line;
	struct span frames; /* the rest of the line: four fields a frame */
	struct span by, by_file, by_line; /* who called recover */
	struct panic *outer; /* the panic that was under way on the goroutine */
	uint64_t times;      /* at least */
	bool same, fatal, cut;
};

/* What is told as one: the same value, raised at the same line in the same test, whatever led there. */
struct told {
	struct panic_note note;
	const struct panic *first;
	uint64_t times;
	struct told *next;
};

struct reader {
	struct arena mem;
	struct map panics, std, told;
	struct told *first, **last;
	struct panic **all;
	size_t n, cap;
	const char *roots[ROOTS_MAX];
	size_t n_roots;
	bool full, used;
};

static struct span field(struct span *line)
{
	return span_cut(line, '\t');
}

struct span panics_unescape(struct arena *mem, struct span s)
{
	char *p = arena_str(mem, s);
	size_t n = 0;

	if (!p)
		return S("");
	for (size_t i = 0; i < s.n; i++) {
		static const char hex[] = "0123456789abcdef";
		const char *hi = i + 3 < s.n && s.p[i] == '\\' && s.p[i + 1] == 'x' ? strchr(hex, s.p[i + 2]) : NULL;
		const char *lo = hi && *hi && s.p[i + 3] ? strchr(hex, s.p[i + 3]) : NULL;
		if (lo) {
			p[n++] = (char)((hi - hex) << 4 | (lo - hex));
			i += 3;
		} else {
			i += s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == '\\';
			p[n++] = s.p[i];
		}
	}
	return (struct span){ p, n };
}

/* "pid id" needs both to stand side by side; for other records it is made. */
static struct panic *find_panic(struct reader *r, struct span pid, struct span id)
{
	char key[48];

	if (pid.n + id.n + 1 > sizeof(key) || !pid.n || !id.n)
		return NULL;
	memcpy(key, pid.p, pid.n);
	key[pid.n] = ' ';
	memcpy(key + pid.n + 1, id.p, id.n);
	return map_get(&r->panics, (struct span){ key, pid.n + 1 + id.n });
}

static bool add_panic(struct reader *r, struct panic *p, struct span pid, struct span id)
{
	if (r->n >= PANICS_MAX) {
		r->full = true;
		return false;
	}
	if (!mem_grow(&r->all, &r->cap, r->n, sizeof(struct panic *)))
		return false;
	const char *key = arena_printf(&r->mem, "%.*s %.*s", SPAN_ARG(pid), SPAN_ARG(id));
	if (!key)
		return false;
	p->key = span_of(key);
	r->all[r->n++] = p;
	return map_put(&r->panics, p->key, p);
}

static void read_panic(struct reader *r, struct span line)
{
	struct span pid = field(&line);
	struct panic *p = arena_alloc(&r->mem, sizeof(*p));

	if (!p)
		return;
	p->times = 1;
	p->goid = field(&line);
	struct span id = field(&line), outer = field(&line);
	p->same = span_eq(field(&line), S("1"));
	p->outer = find_panic(r, pid, outer);
	p->test = panics_unescape(&r->mem, field(&line));
	p->test_function = panics_unescape(&r->mem, field(&line));
	p->value = panics_unescape(&r->mem, field(&line));
	p->created = panics_unescape(&r->mem, field(&line));
	p->created_file = panics_unescape(&r->mem, field(&line));
	p->created_line = field(&line);
	p->cut = span_eq(field(&line), S("1"));
	p->frames = line;
	if (line.n && pid.n && id.n && !find_panic(r, pid, id))
		add_panic(r, p, pid, id);
}

static void read_recovery(struct reader *r, struct span line)
{
	struct span pid = field(&line), id = field(&line);
	struct panic *p = find_panic(r, pid, id);

	if (!p)
		return;
	p->by = panics_unescape(&r->mem, field(&line));
	p->by_file = panics_unescape(&r->mem, field(&line));
	p->by_line = field(&line);
}

static void read_times(struct reader *r, struct span line)
{
	struct span pid = field(&line), id = field(&line);
	struct panic *p = find_panic(r, pid, id);
	int64_t n;

	if (p && span_int(field(&line), &n) && n > 0 && (uint64_t)n > p->times)
		p->times = (uint64_t)n;
}

static void read_root(struct reader *r, struct span line)
{
	const char *root = arena_str(&r->mem, field(&line));

	r->used = true;
	for (size_t i = 0; root && i < r->n_roots; i++) {
		if (!strcmp(r->roots[i], root))
			return;
	}
	if (root && r->n_roots < ROOTS_MAX)
		r->roots[r->n_roots++] = root;
}

static void read_fatal(struct reader *r, struct span line)
{
	struct span pid = field(&line);

	while (line.n) {
		struct panic *p = find_panic(r, pid, field(&line));
		if (p)
			p->fatal = true;
	}
}

static bool next_frame(struct reader *r, struct span *rest, struct frame *f)
{
	if (!rest->n)
		return false;
	f->function = panics_unescape(&r->mem, field(rest));
	f->file = panics_unescape(&r->mem, field(rest));
	f->line = field(rest);
	f->offset = field(rest);
	return f->function.n > 0;
}

/* example.com/m%2ev2.(*T).Do.func1 -> example.com/m.v2; generic arguments may hold slashes. */
static struct span package_of(struct arena *mem, struct span function)
{
	struct span s = span_head(function, span_chr(function, '['));
	size_t slash = span_rchr(s, '/'), from = slash == SPAN_NONE ? 0 : slash + 1;
	size_t dot = span_chr(span_from(s, from), '.');
	char *p = arena_str(mem, span_head(s, dot == SPAN_NONE ? s.n : from + dot));
	size_t n = 0, len = p ? strlen(p) : 0;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '%' && i + 2 < len && p[i + 1] == '2' && p[i + 2] == 'e') {
			p[n++] = '.';
			i += 2;
		} else {
			p[n++] = p[i];
		}
	}
	return (struct span){ p, n };
}

static bool is_runtime(struct span function)
{
	return span_starts(function, S("runtime."));
}

static bool is_std_dir(struct reader *r, struct span package)
{
	struct stat st;

	for (size_t i = 0; i < r->n_roots; i++) {
		const char *dir = arena_printf(&r->mem, "%s/src/%.*s", r->roots[i], SPAN_ARG(package));
		if (dir && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
			return true;
	}
	return false;
}

/* A package of the standard library lies below GOROOT/src; its tests are a user's code. */
static bool is_std(struct reader *r, struct span function, struct span file)
{
	static char yes, no;
	struct span package = package_of(&r->mem, function);

	if (span_ends(file, S("_test.go")) || span_eq(package, S("main")) || !package.n)
		return false;
	char *known = map_get(&r->std, package);
	if (!known) {
		known = is_std_dir(r, package) ? &yes : &no;
		map_put(&r->std, package, known);
	}
	return known == &yes;
}

/* Functions that call another to see it panic. The panic is what the test asked for. */
static const char *const expecters[] = {
	"github.com/stretchr/testify/assert.didPanic", "github.com/onsi/gomega/matchers.(*PanicMatcher).Match",
	"gopkg.in/check%2ev1.(*panicsChecker).Check", "gopkg.in/check%2ev1.(*panicMatchesChecker).Check",
	"github.com/frankban/quicktest.(*panicChecker).Check", "gotest.tools/v3/assert/cmp.Panics",
	"gotest.tools/assert/cmp.Panics", "github.com/smartystreets/assertions.ShouldPanic",
};

static bool asked_for(const struct panic *p)
{
	struct span by = p->by;
	size_t vendor = span_find(by, S("/vendor/"));

	if (vendor != SPAN_NONE)
		by = span_from(by, vendor + 8);
	for (size_t i = 0; i < ARRAY_LEN(expecters); i++) {
		if (span_starts(by, span_of(expecters[i])))
			return true;
	}
	/* The documented way to abort an HTTP handler. */
	return span_eq(p->value, S("net/http: abort Handler")) && span_starts(by, S("net/http."));
}

/*
 * Control flow within the standard library: it raised the panic itself, it recovered it, and none but its own
 * functions lie between (as in encoding/json, text/template, go/parser).
 */
static bool inside_std(struct reader *r, const struct panic *p)
{
	struct span rest = p->frames, to = package_of(&r->mem, p->by);
	struct frame f;

	if (!p->by.n || !is_std(r, p->by, p->by_file))
		return false;
	while (next_frame(r, &rest, &f)) {
		if (is_runtime(f.function))
			continue;
		if (!is_std(r, f.function, f.file))
			return false;
		if (span_eq(package_of(&r->mem, f.function), to))
			return true;
	}
	return true;
}

/* (yaml.yamlError), (*m.bail), m.code(3): a value of a type that only its own package can make. */
static bool is_private_type(struct span value)
{
	span_skip(&value, S("("));
	span_skip(&value, S("*"));
	struct span package = span_cut(&value, '.');

	for (size_t i = 0; i < package.n; i++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", package.p[i]))
			return false;
	}
	return package.n && value.n && ((value.p[0] >= 'a' && value.p[0] <= 'z') || value.p[0] == '_') &&
	       (span_chr(value, '(') != SPAN_NONE || span_chr(value, ')') != SPAN_NONE);
}

/* Control flow within a dependency (as in yaml.v3): a private type, raised and recovered by the same package. */
static bool inside_dependency(struct reader *r, const struct panic *p)
{
	struct span rest = p->frames;
	struct frame f = { 0 };

	if (span_find(p->by_file, S("@v")) == SPAN_NONE && span_find(p->by_file, S("/vendor/")) == SPAN_NONE)
		return false;
	while (next_frame(r, &rest, &f) && is_runtime(f.function))
		;
	return is_private_type(p->value) && span_eq(package_of(&r->mem, f.function), package_of(&r->mem, p->by));
}

static bool test_name_starts(struct span name)
{
	return span_starts(name, S("Test")) || span_starts(name, S("Example")) || span_starts(name, S("Fuzz")) ||
	       span_starts(name, S("Benchmark"));
}

static struct span strip_test(struct span package) /* of m_test, the external tests of m */
{
	return span_ends(package, S("_test")) ? span_head(package, package.n - 5) : package;
}

/* Without a name from testing (an Example): the function that testing called; else the outermost of the user's. */
static void place_by_stack(struct reader *r, const struct panic *p, struct panic_note *note)
{
	struct span rest = p->frames, last = { 0 };
	struct frame f;

	while (next_frame(r, &rest, &f)) {
		if (span_starts(f.function, S("testing.")) && last.n) {
			struct span pkg = package_of(&r->mem, last), name = span_from(last, span_rchr(last, '/') + 1);
			span_cut(&name, '.');
			name = span_cut(&name, '.');
			note->package = strip_test(pkg);
			note->test = test_name_starts(name) ? name : (struct span){ 0 };
			return;
		}
		if (!is_runtime(f.function) && !is_std(r, f.function, f.file))
			last = f.function;
	}
	if (last.n || p->created.n)
		note->package = strip_test(package_of(&r->mem, last.n ? last : p->created));
}

/*
 * As the runtime prints a goroutine, which hides its own inner functions. Only the first panic() is shown: a
 * second one is that of an outer panic, and would be taken for the place of this one.
 */
static void add_frame(struct buf *b, const struct frame *f, bool *panicked)
{
	struct span s = f->function;
	int64_t offset = 0;

	if (span_eq(s, S("runtime.gopanic")) && !*panicked) {
		s = S("panic");
		*panicked = true;
	} else if (is_runtime(s) && (s.n < 9 || s.p[8] < 'A' || s.p[8] > 'Z')) {
		return;
	}
	buf_addf(b, "%.*s(...)\n\t%.*s:%.*s +0x%llx\n", SPAN_ARG(s), SPAN_ARG(f->file), SPAN_ARG(f->line),
		 (unsigned long long)(span_int(f->offset, &offset) ? offset : 0));
}

static void add_stack(struct reader *r, const struct panic *p, struct buf *b)
{
	struct span rest = p->frames;
	struct frame f;
	bool panicked = false, cut = p->cut;

	buf_addf(b, "goroutine %.*s [running]:\n", SPAN_ARG(p->goid));
	while (next_frame(r, &rest, &f)) {
		if (b->len > STACK_MAX) { /* what follows the frames is worth more than the outermost of them */
			cut = true;
			break;
		}
		add_frame(b, &f, &panicked);
	}
	if (cut)
		buf_adds(b, "...additional frames elided...\n");
	if (p->created_file.n && !is_runtime(p->created))
		buf_addf(b, "created by %.*s\n\t%.*s:%.*s\n", SPAN_ARG(p->created), SPAN_ARG(p->created_file),
			 SPAN_ARG(p->created_line));
	if (p->by.n)
		buf_addf(b, "recovered by %.*s\n\t%.*s:%.*s\n", SPAN_ARG(p->by), SPAN_ARG(p->by_file),
			 SPAN_ARG(p->by_line));
}

/* (*m.T) 0xc000012345: the address differs each time. Newer versions indent the lines of a text. */
static struct span clean_value(struct arena *mem, struct span v)
{
	size_t addr = span_find(v, S(") 0x"));
	size_t n = 0;

	if (v.n && v.p[0] == '(' && addr != SPAN_NONE)
		v = span_head(v, addr + 1);
	v = span_trim(v);
	char *p = arena_str(mem, v);
	if (!p)
		return S("");
	for (size_t i = 0; i < v.n; i++) {
		p[n++] = v.p[i];
		i += v.p[i] == '\n' && i + 1 < v.n && v.p[i + 1] == '\t';
	}
	return (struct span){ p, n };
}

static char *told_key(struct reader *r, const struct panic *p, const struct panic_note *note)
{
	struct span rest = p->frames;
	struct frame f = { 0 };

	while (next_frame(r, &rest, &f) && is_runtime(f.function))
		;
	return arena_printf(&r->mem, "%.*s\n%.*s\n%.*s:%.*s %d\n%.*s", SPAN_ARG(note->package), SPAN_ARG(note->test),
			    SPAN_ARG(f.file), SPAN_ARG(f.line), note->recovered, SPAN_ARG(note->value));
}

static void fold(struct reader *r, const struct panic *p)
{
	struct panic_note note = { .recovered = !p->fatal };

	place_by_stack(r, p, &note);
	if (p->test.n) {
		note.test = p->test;
		if (p->test_function.n)
			note.package = strip_test(package_of(&r->mem, p->test_function));
	}
	note.value = clean_value(&r->mem, p->value);
	char *key = told_key(r, p, &note);
	struct told *t = key ? map_get(&r->told, span_of(key)) : NULL;
	if (t) {
		t->times += p->times;
		return;
	}
	t = key ? arena_alloc(&r->mem, sizeof(*t)) : NULL;
	if (!t)
		return;
	*t = (struct told){ note, p, p->times, NULL };
	map_put(&r->told, span_of(key), t);
	*r->last = t;
	r->last = &t->next;
}

static void tell(struct reader *r, struct told *t, struct judge *j)
{
	CLEANUP(buf_free) struct buf stack = { .max = 65536 };

	add_stack(r, t->first, &stack);
	if (t->times > 1)
		buf_addf(&stack, t->times < 10 ? TR("raised %llu times\n", "共发生 %llu 次\n") :
						 TR("raised at least %llu times\n", "至少发生 %llu 次\n"),
			 (unsigned long long)t->times);
	t->note.stack = buf_view(&stack);
	judge_panic(j, &t->note);
}

static void read_line(struct reader *r, struct span line, struct judge *j)
{
	struct span kind = field(&line);

	if (span_eq(kind, S("P")))
		read_panic(r, line);
	else if (span_eq(kind, S("R")))
		read_recovery(r, line);
	else if (span_eq(kind, S("C")))
		read_times(r, line);
	else if (span_eq(kind, S("F")))
		read_fatal(r, line);
	else if (span_eq(kind, S("G")))
		read_root(r, line);
	else if (span_eq(kind, S("N")))
		r->used = true;
	else if (span_eq(kind, S("L")))
		judge_limit(j, TR("a process raised more than 400 different panics; the rest is not shown",
				  "一个进程产生了超过 400 种不同的 panic，其余未显示"));
}

static void tell_all(struct reader *r, struct judge *j)
{
	/* A panic raised again with the same value is the first one; who recovered the last has recovered it. */
	for (size_t i = r->n; i > 0; i--) {
		struct panic *p = r->all[i - 1];
		if (!p->same || !p->outer)
			continue;
		p->outer->fatal |= p->fatal;
		if (p->by.n) {
			p->outer->by = p->by;
			p->outer->by_file = p->by_file;
			p->outer->by_line = p->by_line;
		}
	}
	for (size_t i = 0; i < r->n; i++) {
		struct panic *p = r->all[i];
		if (!p->same && (p->fatal || !(asked_for(p) || inside_std(r, p) || inside_dependency(r, p))))
			fold(r, p);
	}
	for (struct told *t = r->first; t; t = t->next)
		tell(r, t, j);
}

int panics_take(const char *path, struct judge *j, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { .max = RECORD_MAX };
	struct reader r = { .last = &r.first };
	struct stat st;

	CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, fd < 0 ? errno : EINVAL, TR("read '%s': %m", "无法读取“%s”：%m"), path);
	bool large = st.st_size > RECORD_MAX;
	size_t want = large ? RECORD_MAX : (size_t)st.st_size;
	if (!buf_need(&text, want))
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	for (ssize_t n; text.len < want && (n = pread(fd, text.p + text.len, want - text.len, (off_t)text.len)) > 0;)
		text.len += (size_t)n;
	if (ftruncate(fd, 0) < 0)
		large = true;
	for (struct span rest = buf_view(&text); rest.n;)
		read_line(&r, span_cut(&rest, '\n'), j);
	tell_all(&r, j);
	if (large || r.full)
		judge_limit(j, TR("the record of panics is longer than what is read of it", "panic 记录过长，只读取了一部分"));
	map_free(&r.panics);
	map_free(&r.std);
	map_free(&r.told);
	mem_free(r.all);
	arena_free(&r.mem);
	return r.used;
}
