/* --goroutines: what test binaries left behind, as the overlay of package testing recorded it (overlay_hook.h says how). */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "parse/goline.h"
#include "run/panics.h"

#define RECORD_MAX (16u << 20)
#define GROUPS_MAX 200
#define STACK_MAX 3000

struct goroutine { /* as it is printed */
	struct span test, text, status;
	struct span func, at;          /* where it is: the first function of its stack that is not the runtime's */
	struct span own;               /* of a test's own file, if its stack has one */
	struct span creator, file;
	int line;
};

struct leak { /* goroutines that are alike: one finding */
	struct goroutine first;
	struct span package;
	int64_t count;
	struct leak *next;
};

struct reader {
	struct arena mem;
	struct map known;
	struct leak *first, **last;
	size_t n;
	bool full;
};

/* example.com/m%2ev2.TestX.func1 -> TestX; nothing where no test is named. */
static struct span test_of(struct span func)
{
	size_t slash = span_rchr(func, '/');
	struct span name = slash == SPAN_NONE ? func : span_from(func, slash + 1);

	span_cut(&name, '.');
	name = span_cut(&name, '.');
	bool named = span_starts(name, S("Test")) || span_starts(name, S("Benchmark")) || span_starts(name, S("Fuzz")) || span_starts(name, S("Example"));
	return named && !span_starts(name, S("TestMain")) ? name : (struct span){ 0 };
}

/* Where it waits says less than who waits. */
static bool is_inner(struct span func)
{
	return span_starts(func, S("sync.")) || span_starts(func, S("internal/")) || span_starts(func, S("runtime.")) || span_starts(func, S("time."));
}

static void take_frame(struct goroutine *g, const struct goline *line, enum line_kind *open)
{
	if (line->kind == LINE_CREATED_BY) {
		g->creator = line->name;
		struct span test = test_of(line->name);
		if (!g->test.n)
			g->test = test;
	} else {
		struct span test = test_of(line->name);
		if (!g->test.n)
			g->test = test;
		if (!g->func.n || is_inner(g->func))
			g->func = line->name;
	}
	*open = line->kind;
}

static void read_goroutine(struct span text, struct goroutine *g)
{
	struct span rest = text;
	enum line_kind open = LINE_PLAIN;

	*g = (struct goroutine){ 0 };
	if (rest.n && rest.p[0] == '@') {
		struct span name = span_cut(&rest, '\n');
		g->test = span_from(name, 1);
	}
	g->text = rest;
	while (rest.n) {
		struct span line = span_cut(&rest, '\n');
		struct goline l;
		goline_read(line, &l);
		if (l.kind == LINE_GOROUTINE) {
			struct span status = l.text;
			g->status = span_cut(&status, ','); /* without its age */
		} else if (l.kind == LINE_FRAME || l.kind == LINE_CREATED_BY) {
			take_frame(g, &l, &open);
		} else if (l.kind == LINE_FRAME_PLACE && open == LINE_CREATED_BY) {
			g->file = l.file;
			g->line = l.line;
		} else if (l.kind == LINE_FRAME_PLACE && !g->at.n) {
			g->at = span_trim(line);
		}
	}
}

static void add(struct reader *r, struct span package, const struct goroutine *g)
{
	const char *key = arena_printf(&r->mem, "%.*s\n%.*s\n%.*s\n%.*s\n%.*s:%d\n%.*s", SPAN_ARG(package), SPAN_ARG(g->test), SPAN_ARG(g->status), SPAN_ARG(g->func),
				       SPAN_ARG(g->file), g->line, SPAN_ARG(g->creator));
	struct leak *l = key ? map_get(&r->known, span_of(key)) : NULL;

	if (l) {
		l->count++;
		return;
	}
	if (r->n == GROUPS_MAX) {
		r->full = true;
		return;
	}
	l = key ? arena_alloc(&r->mem, sizeof(*l)) : NULL;
	if (!l || !map_put(&r->known, span_of(key), l))
		return;
	*l = (struct leak){ .first = *g, .package = package, .count = 1 };
	*r->last = l;
	r->last = &l->next;
	r->n++;
}

/* "package\tcount\ttext\t", behind the pid. */
static void read_record(struct reader *r, struct span line)
{
	struct span package, text;
	int64_t all, shown = 0;

	span_cut(&line, '\t');
	package = panics_unescape(&r->mem, span_cut(&line, '\t'));
	if (!span_int(span_cut(&line, '\t'), &all))
		return;
	text = panics_unescape(&r->mem, span_cut(&line, '\t'));
	for (struct span rest = text; rest.n;) {
		size_t end = span_find(rest, S("\n\n"));
		struct goroutine g;
		read_goroutine(span_head(rest, end), &g);
		rest = end == SPAN_NONE ? (struct span){ 0 } : span_from(rest, end + 2);
		if (!g.status.n)
			continue;
		add(r, package, &g);
		shown++;
	}
	r->full |= all > shown;
}

static void tell(const struct leak *l, struct judge *j)
{
	const struct goroutine *g = &l->first;
	const struct cause_info *c = &cause_table[CAUSE_GO_LEAK];
	CLEANUP(buf_free) struct buf text = { 0 }, stack = { 0 };
	char cwd[PATH_MAX];
	struct span file = g->file, rest = file;

	if (getcwd(cwd, sizeof(cwd)) && span_skip(&rest, span_of(cwd)) && span_skip(&rest, S("/")))
		file = rest;
	buf_addf(&text, l->count == 1 ? TR("%lld goroutine is left behind: %.*s [%.*s]", "遗留 %lld 个 goroutine：%.*s [%.*s]") :
					TR("%lld goroutines are left behind: %.*s [%.*s]", "遗留 %lld 个 goroutine：%.*s [%.*s]"),
		 (long long)l->count, SPAN_ARG(g->func), SPAN_ARG(g->status));
	if (g->creator.n)
		buf_addf(&text, TR(", created by %.*s", "，由 %.*s 创建"), SPAN_ARG(g->creator));
	buf_span(&stack, span_head(g->text, STACK_MAX));
	if (l->count > 1)
		buf_addf(&stack, TR("\nand %lld more like it", "\n另有 %lld 个相同"), (long long)l->count - 1);
	const struct finding f = {
		.cause = CAUSE_GO_LEAK, .severity = c->severity, .classes = c->classes, .package = l->package.n ? l->package : (struct span){ 0 }, .test = g->test,
		.file = file, .line = g->line, .message = buf_view(&text), .excerpt = buf_view(&stack),
		.advice = span_of(TR("Let what starts them end them before the test does: a context that is cancelled, a channel that is closed, a server that is shut down in t.Cleanup.",
				     "由启动者在测试结束前让它们退出：取消 context、关闭 channel，或在 t.Cleanup 中关闭服务器。")),
	};
	judge_inner(j, &f);
}

static bool slurp(const char *path, struct buf *text)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	size_t want = st.st_size > RECORD_MAX ? RECORD_MAX : (size_t)st.st_size;
	if (!buf_need(text, want))
		return false;
	for (ssize_t n; text->len < want && (n = pread(fd, text->p + text->len, want - text->len, (off_t)text->len)) > 0;)
		text->len += (size_t)n;
	return true;
}

void leaks_take(const char *path, struct judge *j)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct reader r = { .last = &r.first };

	if (!slurp(path, &text))
		return; /* panics_take says why */
	for (struct span rest = buf_view(&text); rest.n;) {
		struct span line = span_cut(&rest, '\n');
		if (span_skip(&line, S("Q\t")))
			read_record(&r, line);
	}
	for (struct leak *l = r.first; l; l = l->next)
		tell(l, j);
	if (r.full)
		judge_limit(j, TR("more goroutines were left behind than are listed", "遗留的 goroutine 多于列出的"));
	map_free(&r.known);
	arena_free(&r.mem);
}
