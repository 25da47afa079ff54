/* --panics: building the overlay of the runtime, and taking what it recorded to the judge (panics.c reads it). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "run/gocmd.h"
#include "run/gotool.h"
#include "run/overlay_hook.h"
#include "run/panics.h"

#define TRY_LIMIT (300 * NSEC_PER_SEC) /* compiling the runtime on a slow machine */
#define SOURCE_MAX (4u << 20)

struct overlay {
	struct arena mem;
	char *record; /* the file that the panics are written to */
};

struct slow { /* who is told that it will take a while */
	overlay_slow_fn *fn;
	void *ctx;
};

static unsigned wanted = OVERLAY_PANICS; /* of the command line at hand */

void overlay_want(unsigned what)
{
	wanted = what;
}

static int cannot(struct err *e, int code, const char *why)
{
	return err_set(e, code, wanted & OVERLAY_PANICS ? TR("cannot make panics visible: %s", "无法让 panic 可见：%s") :
							  TR("cannot look for goroutines that are left: %s", "无法查找遗留的 goroutine：%s"), why);
}

static int wrap(struct err *e, int r)
{
	char why[sizeof(e->msg)];

	if (!e)
		return r;
	memcpy(why, e->msg, sizeof(why));
	return cannot(e, e->code, why);
}

static bool is_wanted(const struct gocmd *c)
{
	return c->is_go && c->sub && (c->is_test || (wanted & OVERLAY_PANICS && strcmp(c->sub, "run") == 0));
}

/* Refuse what would not work, or would put a changed runtime into a program that is kept. */
static int refuse(struct arena *mem, const struct gocmd *c, struct err *e)
{
	const char *goflags = gocmd_setting(mem, "GOFLAGS"), *goos = gocmd_setting(mem, "GOOS");

	if (!is_wanted(c))
		return cannot(e, EINVAL, c->sub && strcmp(c->sub, "test") == 0 ?
			TR("this go test runs no tests (-c, -list, -n)", "该 go test 不运行测试（-c、-list、-n）") :
			wanted & OVERLAY_PANICS ? TR("the command is not a go test or go run", "该命令不是 go test 或 go run") :
						  TR("the command is not a go test", "该命令不是 go test"));
	if (c->has_overlay || (goflags && strstr(goflags, "-overlay")))
		return cannot(e, EINVAL, TR("-overlay is in use already, on the command line or in GOFLAGS",
					    "命令行或 GOFLAGS 已经使用了 -overlay"));
	if (goos && *goos && strcmp(goos, "linux") != 0)
		return cannot(e, EINVAL, TR("GOOS is not linux", "GOOS 不是 linux"));
	return 0;
}

/* One edit, in place. False: its anchor is not there. */
static bool edit_text(struct buf *text, const struct overlay_edit *ed)
{
	struct span all = buf_view(text);
	size_t at = span_find(all, span_of(ed->region));

	if (at == SPAN_NONE)
		return false;
	size_t from = at + strlen(ed->region), end = span_find(span_from(all, from), S("\n}"));
	size_t find = span_find(span_from(all, from), span_of(ed->find));
	if (find == SPAN_NONE || (end != SPAN_NONE && find > end))
		return false;
	CLEANUP(buf_free) struct buf b = { 0 };
	buf_span(&b, span_head(all, from + find));
	buf_adds(&b, ed->with);
	buf_span(&b, span_from(all, from + find + strlen(ed->find)));
	if (b.bad)
		return false;
	struct buf old = *text;
	*text = b;
	b = old;
	return true;
}

static void add_hook(struct buf *text)
{
	bool newer = span_find(buf_view(text), S("\tprintpanicval(e)\n")) != SPAN_NONE;
	struct span rest = span_of(overlay_hook), mark = S("TOCSIN_PRINT");
	size_t at = span_find(rest, mark);

	buf_span(text, span_head(rest, at));
	buf_adds(text, newer ? "printpanicval" : "printany");
	buf_span(text, span_from(rest, at + mark.n));
}

/* The patched text of one source file. */
static int make_text(const char *root, const char *file, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	buf_addf(&path, "%s/src/%s", root, file);
	if (path.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	ret->max = SOURCE_MAX;
	int r = file_slurp(path.p, ret, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(overlay_edits); i++) {
		if (overlay_edits[i].of & wanted && strcmp(overlay_edits[i].file, file) == 0 && !edit_text(ret, &overlay_edits[i]))
			return err_set(e, ENOTSUP, TR("this Go version is not known: nothing like '%s' in '%s'",
						      "不认识这个 Go 版本：找不到“%s”，文件为“%s”"),
				       overlay_edits[i].region + 1, path.p);
	}
	if (strcmp(file, "runtime/panic.go") == 0)
		add_hook(ret);
	if (strcmp(file, "testing/testing.go") == 0 && wanted & OVERLAY_PANICS)
		buf_adds(ret, overlay_testing);
	if (strcmp(file, "testing/testing.go") == 0 && wanted & OVERLAY_GOROUTINES)
		buf_adds(ret, overlay_leaks);
	if (strcmp(file, "os/proc.go") == 0)
		buf_adds(ret, overlay_os);
	return ret->bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
}

struct overlay_text {
	struct buf b[ARRAY_LEN(overlay_files)];
};

static void texts_free_cleanup(struct overlay_text *t)
{
	for (size_t i = 0; i < ARRAY_LEN(t->b); i++)
		buf_free(&t->b[i]);
}

static uint64_t texts_hash(const struct overlay_text *t, const struct gotool *tool)
{
	uint64_t h = span_hash(span_of(tool->root)) * 31 + span_hash(span_of(tool->version));

	for (size_t i = 0; i < ARRAY_LEN(t->b); i++) /* empty, when it is not changed */
		h = h * 0x9e3779b97f4a7c15u + span_hash(buf_view(&t->b[i]));
	return h;
}

/* Same content, same file: only what differs is written, so that many runs can share it. */
static int keep_file(const char *path, struct span text, struct err *e)
{
	CLEANUP(buf_free) struct buf old = { .max = SOURCE_MAX };

	if (file_slurp(path, &old, NULL) == 0 && span_eq(buf_view(&old), text))
		return 0;
	return file_replace(path, text, e);
}

static int write_files(const char *dir, const struct overlay_text *t, const char *root, struct buf *json_path,
		       struct err *e)
{
	CLEANUP(buf_free) struct buf json = { 0 }, from = { 0 }, to = { 0 };
	struct json_out out = { .to = &json };

	json_open(&out, '{');
	json_key(&out, "Replace");
	json_open(&out, '{');
	for (size_t i = 0; i < ARRAY_LEN(overlay_files); i++) {
		if (!(overlay_files[i].of & wanted))
			continue;
		buf_clear(&from);
		buf_clear(&to);
		buf_addf(&from, "%s/src/%s", root, overlay_files[i].name);
		path_join(&to, dir, overlay_files[i].kept);
		if (from.bad || to.bad)
			return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
		int r = keep_file(to.p, buf_view(&t->b[i]), e);
		if (r < 0)
			return r;
		json_key(&out, from.p);
		json_strz(&out, to.p);
	}
	json_close(&out, '}');
	json_close(&out, '}');
	path_join(json_path, dir, "overlay.json");
	if (json.bad || json_path->bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	return keep_file(json_path->p, buf_view(&json), e);
}

/* One at a time: a second one would do the same work. Without a lock it only takes longer. */
static int lock_wait(const char *dir, const char *mark)
{
	int64_t until = time_mono() + TRY_LIMIT;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && (errno == EWOULDBLOCK || errno == EINTR) &&
	       access(mark, F_OK) < 0 && time_mono() < until)
		nanosleep(&(struct timespec){ .tv_nsec = 20 * NSEC_PER_MSEC }, NULL);
	return fd;
}

/* Once per version: a runtime that does not compile would break the user's build. */
static int try_compile(const char *dir, const char *json, const struct gotool *t, struct slow slow, struct err *e)
{
	CLEANUP(buf_free) struct buf mark = { 0 }, flag = { 0 }, go = { 0 }, out = { 0 };
	const char *const env[] = { "GOTOOLCHAIN=local", "GOFLAGS=", "GOENV=off", "GOWORK=off", "GO111MODULE=auto", NULL };
	struct err why;

	path_join(&mark, dir, "compiles");
	buf_addf(&flag, "-overlay=%s", json);
	buf_addf(&go, "%s/bin/go", t->root);
	if (mark.bad || flag.bad || go.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (access(mark.p, F_OK) == 0)
		return 0;
	if (slow.fn)
		slow.fn(slow.ctx, t->version);
	CLEANUP(fd_close) int lock = lock_wait(dir, mark.p);
	(void)lock; /* held until the end */
	if (access(mark.p, F_OK) == 0)
		return 0;
	const char *const args[] = { go.p, "build", flag.p, "runtime", "testing", NULL }; /* os is below testing */
	const struct gotool_call call = { .path = access(go.p, X_OK) == 0 ? go.p : t->path, .args = args, .env = env,
					  .dir = dir, .limit = TRY_LIMIT, .want_stderr = true };
	if (gotool_ask(&call, &out, &why) < 0)
		return err_set(e, why.code, TR("the overlay for %s does not compile: %.200s",
					       "用于 %s 的 overlay 无法编译：%.200s"), t->version,
			       out.len ? buf_str(&out) : why.msg);
	return file_replace(mark.p, S("ok\n"), e);
}

/* What the sources are known by without being read, and what we make of them. */
static uint64_t stat_hash(const struct gotool *t)
{
	uint64_t h = span_hash(span_of(t->root)) * 31 + span_hash(span_of(t->version));
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;

	h = h * 31 + span_hash(span_of(overlay_hook)) + span_hash(span_of(overlay_testing)) + span_hash(span_of(overlay_leaks)) + wanted;
	for (size_t i = 0; i < ARRAY_LEN(overlay_edits); i++)
		h = h * 31 + span_hash(span_of(overlay_edits[i].with)) + span_hash(span_of(overlay_edits[i].find));
	for (size_t i = 0; i < ARRAY_LEN(overlay_files); i++) {
		buf_clear(&path);
		buf_addf(&path, "%s/src/%s", t->root, overlay_files[i].name);
		if (path.bad || stat(path.p, &st) < 0)
			return 0;
		const int64_t what[] = { (int64_t)st.st_dev, (int64_t)st.st_ino, st.st_size, st.st_mtim.tv_sec,
					 st.st_mtim.tv_nsec, st.st_ctim.tv_sec, st.st_ctim.tv_nsec };
		h = h * 0x9e3779b97f4a7c15u + span_hash((struct span){ (const char *)what, sizeof(what) });
	}
	return h;
}

/* All of it is still there: what cleans up a cache may have taken a part. */
static bool is_whole(const char *dir)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	static const char *const more[] = { "overlay.json", "compiles" };

	for (size_t i = 0; i < ARRAY_LEN(overlay_files) + ARRAY_LEN(more); i++) {
		const struct overlay_file *file = i < ARRAY_LEN(more) ? NULL : &overlay_files[i - ARRAY_LEN(more)];
		if (file && !(file->of & wanted))
			continue;
		buf_clear(&path);
		path_join(&path, dir, file ? file->kept : more[i]);
		if (path.bad || access(path.p, R_OK) < 0)
			return false;
	}
	return true;
}

/* From the last time, while no source has changed since: nothing is read then. */
static bool find_made(const char *base, const char *link, struct buf *json_path)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	char name[64];
	ssize_t n = readlink(link, name, sizeof(name));

	if (n <= 0 || n == (ssize_t)sizeof(name))
		return false;
	buf_addf(&dir, "%s/%.*s", base, (int)n, name);
	if (dir.bad || !is_whole(dir.p))
		return false;
	path_join(json_path, dir.p, "overlay.json");
	return !json_path->bad;
}

static void remember_made(const char *link, const char *dir)
{
	CLEANUP(buf_free) struct buf draft = { 0 };

	buf_addf(&draft, "%s.%d", link, getpid());
	if (draft.bad)
		return;
	unlink(draft.p); /* of a process that had our number and was killed */
	if (symlink(strrchr(dir, '/') + 1, draft.p) == 0 && rename(draft.p, link) < 0)
		unlink(draft.p);
}

static int make_dir(const struct gotool *t, const struct buf *base, struct slow slow, struct buf *dir, struct buf *json_path,
		    struct err *e)
{
	CLEANUP(texts_free) struct overlay_text text = { 0 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(overlay_files) && r == 0; i++) {
		if (overlay_files[i].of & wanted)
			r = make_text(t->root, overlay_files[i].name, &text.b[i], e);
	}
	if (r < 0)
		return r;
	/* _: where the cache is kept within a module, ./... must not find Go files there. */
	buf_addf(dir, "%s/_%016llx", base->p, (unsigned long long)texts_hash(&text, t));
	if (dir->bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	r = path_mkdirs(dir->p, 0700, e);
	if (r == 0)
		r = write_files(dir->p, &text, t->root, json_path, e);
	return r < 0 ? r : try_compile(dir->p, json_path->p, t, slow, e);
}

static int make_overlay(const struct gotool *t, struct slow slow, struct buf *json_path, struct err *e)
{
	CLEANUP(buf_free) struct buf base = { 0 }, link = { 0 }, dir = { 0 };
	uint64_t known = stat_hash(t);
	int r = path_user_dir("XDG_CACHE_HOME", ".cache", &base, e);

	if (r < 0)
		return r;
	buf_adds(&base, "/overlay");
	buf_addf(&link, "%s/at-%016llx", buf_str(&base), (unsigned long long)known);
	if (base.bad || link.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (known && find_made(base.p, link.p, json_path))
		return 0;
	buf_clear(json_path);
	r = make_dir(t, &base, slow, &dir, json_path, e);
	if (r == 0 && known)
		remember_made(link.p, dir.p);
	return r;
}

static int make_record(struct overlay *o, struct err *e)
{
	const char *tmp = getenv("TMPDIR");

	o->record = arena_printf(&o->mem, "%s/tocsin-panics-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
	if (!o->record)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	int fd = mkostemp(o->record, O_CLOEXEC);
	if (fd < 0) {
		int r = err_set(e, errno, TR("create '%s': %m", "无法创建“%s”：%m"), o->record);
		o->record = NULL;
		return r;
	}
	close(fd);
	return 0;
}

/* -overlay, and -count=1 unless a count is given, right behind the subcommand. */
static int make_argv(struct arena *mem, const struct argv *argv, const struct gocmd *c, const char *json,
		     struct argv *ret, struct err *e)
{
	const char *goflags = gocmd_setting(mem, "GOFLAGS"), *flag = arena_printf(mem, "-overlay=%s", json);
	bool count = c->is_test && !c->has_count && !(goflags && strstr(goflags, "-count"));

	ret->n = 0;
	ret->v = arena_alloc(mem, (argv->n + 3) * sizeof(*ret->v));
	if (!flag || !ret->v)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	for (size_t i = 0; i <= argv->n; i++) {
		if (i == c->at_flags) {
			ret->v[ret->n++] = flag;
			if (count)
				ret->v[ret->n++] = "-count=1";
		}
		if (i < argv->n)
			ret->v[ret->n++] = argv->v[i];
	}
	return 0;
}

/* One line of our own in the record; a run that is gone has taken it away. */
static int record_line(const char *record, const char *kind, const char *text, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	CLEANUP(fd_close) int fd = open(record, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return err_set(e, errno, TR("write '%s': %m", "无法写入“%s”：%m"), record);
	buf_addf(&b, "%s\t%s\n", kind, text);
	if (b.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	int r = fd_write_all(fd, buf_view(&b));
	return r < 0 ? err_set(e, -r, TR("write '%s': %m", "无法写入“%s”：%m"), record) : 0;
}

/* `go -C dir test …` and `go test -C dir …` mean the same; only the latter is read by gocmd_read. */
static int in_order(struct arena *mem, const struct argv *from, struct argv *ret, struct err *e)
{
	size_t n = 0, dir = 0; /* words of a -C in front */

	if (from->n > 3 && (!strcmp(from->v[1], "-C") || !strcmp(from->v[1], "--C")))
		dir = 2;
	else if (from->n > 2 && (!strncmp(from->v[1], "-C=", 3) || !strncmp(from->v[1], "--C=", 4)))
		dir = 1;
	*ret = *from;
	if (!dir)
		return 0;
	const char **v = arena_alloc(mem, from->n * sizeof(*v));
	if (!v)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	v[n++] = from->v[0];
	v[n++] = from->v[1 + dir];
	for (size_t i = 1; i <= dir; i++)
		v[n++] = from->v[i];
	for (size_t i = 2 + dir; i < from->n; i++)
		v[n++] = from->v[i];
	*ret = (struct argv){ v, n };
	return 0;
}

/* The whole of it for one command line: argv with the overlay of that go in *ret. */
static int with_overlay(struct arena *mem, const struct argv *argv, const struct gocmd *c, const struct gotool *t,
			struct slow slow, const char *record, struct argv *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	int r = make_overlay(t, slow, &json, e);

	if (r == 0)
		r = make_argv(mem, argv, c, buf_str(&json), ret, e);
	return r < 0 ? r : record_line(record, "G", t->root, e);
}

/* Commands that may call go themselves, through PATH. */
static bool may_call_go(const struct gocmd *c)
{
	return !c->is_go || (c->sub && (strcmp(c->sub, "generate") == 0 || strcmp(c->sub, "tool") == 0));
}

int overlay_open(struct arena *mem, const struct argv *argv, overlay_slow_fn *slow, void *ctx, struct argv *ret_argv,
		 const char **ret_env, struct overlay **ret, struct err *e)
{
	struct gotool tool = { 0 };
	struct gocmd c;
	struct argv ordered, changed = *argv;

	int r = in_order(mem, argv, &ordered, e);
	if (r < 0)
		return wrap(e, r);
	gocmd_read(&ordered, &c);
	bool inside = may_call_go(&c);
	r = inside ? 0 : refuse(mem, &c, e);
	if (r < 0)
		return r;
	r = inside ? 0 : gocmd_tool(mem, &ordered, &tool, e);
	if (r < 0)
		return wrap(e, r);
	struct overlay *o = mem_zalloc(sizeof(*o));
	if (!o)
		return cannot(e, ENOMEM, TR("out of memory", "内存不足"));
	r = make_record(o, e);
	if (r == 0) /* what a shim will read */
		r = record_line(o->record, "S", wanted == OVERLAY_PANICS ? "1" : wanted == OVERLAY_GOROUTINES ? "2" : "3", e);
	if (r == 0 && !inside)
		r = with_overlay(mem, &ordered, &c, &tool, (struct slow){ slow, ctx }, o->record, &changed, e);
	*ret_env = r < 0 ? NULL : arena_printf(mem, "TOCSIN_PANICS=%s", o->record);
	if (!*ret_env) {
		overlay_close(o);
		return r < 0 ? wrap(e, r) : cannot(e, ENOMEM, TR("out of memory", "内存不足"));
	}
	*ret_argv = changed;
	*ret = o;
	return 0;
}

/* An inner `tocsin run --panics` has put it in. */
static bool is_ours(const struct argv *argv, const struct gocmd *c)
{
	CLEANUP(buf_free) struct buf dir = { 0 };

	if (!c->has_overlay || c->at_flags >= argv->n || path_user_dir("XDG_CACHE_HOME", ".cache", &dir, NULL) < 0)
		return false;
	struct span flag = span_of(argv->v[c->at_flags]);
	buf_adds(&dir, "/overlay/");
	return span_skip(&flag, S("-overlay=")) && span_starts(flag, buf_view(&dir));
}

static int nested_argv(struct arena *mem, const char *path, const struct argv *given, const char *record, struct slow slow,
		       struct argv *ret, struct err *e)
{
	struct gotool tool;
	struct argv argv;
	struct gocmd c;

	int r = in_order(mem, given, &argv, e);
	if (r < 0)
		return wrap(e, r);
	gocmd_read(&argv, &c);
	if (!is_wanted(&c) || is_ours(&argv, &c))
		return 0;
	record_line(record, "N", "", NULL);
	r = refuse(mem, &c, e);
	if (r < 0)
		return r;
	r = gotool_at(mem, path, &c, &argv, &tool, e);
	if (r == 0)
		r = with_overlay(mem, &argv, &c, &tool, slow, record, ret, e);
	return r < 0 ? wrap(e, r) : 1;
}

/* "S\t2\n" is the record's first line. */
static void read_wanted(const char *record)
{
	CLEANUP(fd_close) int fd = open(record, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char head[4];

	if (fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) && head[0] == 'S' && head[2] >= '1' && head[2] <= '3')
		wanted = (unsigned)(head[2] - '0');
}

int overlay_nested(struct arena *mem, const char *path, char *const *argv, const char *record, overlay_slow_fn *slow,
		   void *ctx, char ***ret, struct err *e)
{
	struct argv given = { 0 }, changed = { 0 };

	read_wanted(record);
	while (argv[given.n])
		given.n++;
	given.v = arena_alloc(mem, (given.n + 1) * sizeof(*given.v));
	if (!given.v || !given.n)
		return cannot(e, ENOMEM, TR("out of memory", "内存不足"));
	memcpy(given.v, argv, given.n * sizeof(*given.v));
	given.v[0] = "go"; /* argv[0] is only what it was told */
	int r = nested_argv(mem, path, &given, record, (struct slow){ slow, ctx }, &changed, e);
	if (r <= 0 || !changed.v)
		return r;
	changed.v[0] = argv[0];
	changed.v[changed.n] = NULL; /* there is room: make_argv */
	*ret = (char **)(void *)changed.v;
	return r;
}

int overlay_take(struct overlay *o, const char *no_shim, struct judge *j, struct err *e)
{
	if (wanted & OVERLAY_GOROUTINES)
		leaks_take(o->record, j);
	int r = panics_take(o->record, j, e);

	if (r == 0)
		return cannot(e, ENOENT, no_shim ? no_shim : wanted == OVERLAY_GOROUTINES ? TR("no go test was called through PATH", "没有通过 PATH 调用 go test") : TR("no go test or go run was called through PATH",
								"没有通过 PATH 调用 go test 或 go run"));
	return r < 0 ? r : 0;
}

void overlay_close(struct overlay *o)
{
	if (!o)
		return;
	if (o->record)
		unlink(o->record);
	arena_free(&o->mem);
	mem_free(o);
}
