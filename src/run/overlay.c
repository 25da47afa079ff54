/* --panics: building the overlay of the runtime, and taking what it recorded to the judge (panics.c reads it). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
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
	char *record;     /* the file that the panics are written to */
	const char *root; /* GOROOT */
};

static int cannot(struct err *e, int code, const char *why)
{
	return err_set(e, code, TR("cannot make panics visible: %s", "无法让 panic 可见：%s"), why);
}

static int wrap(struct err *e, int r)
{
	char why[sizeof(e->msg)];

	if (!e)
		return r;
	memcpy(why, e->msg, sizeof(why));
	return cannot(e, e->code, why);
}

/* Refuse what would not work, or would put a changed runtime into a program that is kept. */
static int refuse(struct arena *mem, const struct gocmd *c, struct err *e)
{
	const char *goflags = gocmd_setting(mem, "GOFLAGS"), *goos = gocmd_setting(mem, "GOOS");

	if (!c->is_go || !c->sub || !(c->is_test || strcmp(c->sub, "run") == 0))
		return cannot(e, EINVAL, TR("the command is not a go test or go run", "该命令不是 go test 或 go run"));
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
		if (strcmp(overlay_edits[i].file, file) == 0 && !edit_text(ret, &overlay_edits[i]))
			return err_set(e, ENOTSUP, TR("this Go version is not known: nothing like '%s' in '%s'",
						      "不认识这个 Go 版本：找不到“%s”，文件为“%s”"),
				       overlay_edits[i].region + 1, path.p);
	}
	if (strcmp(file, "runtime/panic.go") == 0)
		add_hook(ret);
	if (strcmp(file, "testing/testing.go") == 0)
		buf_adds(ret, overlay_testing);
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

	for (size_t i = 0; i < ARRAY_LEN(t->b); i++)
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
		buf_clear(&from);
		buf_clear(&to);
		buf_addf(&from, "%s/src/%s", root, overlay_files[i]);
		path_join(&to, dir, strrchr(overlay_files[i], '/') + 1);
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

/* Once per version: a runtime that does not compile would break the user's build. */
static int try_compile(const char *dir, const char *json, const struct gotool *t, struct err *e)
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
	const char *const args[] = { go.p, "build", flag.p, "runtime", "testing", NULL };
	const struct gotool_call call = { .path = access(go.p, X_OK) == 0 ? go.p : t->path, .args = args, .env = env,
					  .dir = dir, .limit = TRY_LIMIT, .want_stderr = true };
	if (gotool_ask(&call, &out, &why) < 0)
		return err_set(e, why.code, TR("the overlay for %s does not compile: %.200s",
					       "用于 %s 的 overlay 无法编译：%.200s"), t->version,
			       out.len ? buf_str(&out) : why.msg);
	return file_replace(mark.p, S("ok\n"), e);
}

static int make_overlay(const struct gotool *t, struct buf *json_path, struct err *e)
{
	CLEANUP(texts_free) struct overlay_text text = { 0 };
	CLEANUP(buf_free) struct buf dir = { 0 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(overlay_files) && r == 0; i++)
		r = make_text(t->root, overlay_files[i], &text.b[i], e);
	if (r < 0)
		return r;
	r = path_user_dir("XDG_CACHE_HOME", ".cache", &dir, e);
	if (r < 0)
		return r;
	buf_addf(&dir, "/overlay/%016llx", (unsigned long long)texts_hash(&text, t));
	if (dir.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	r = path_mkdirs(dir.p, 0700, e);
	if (r == 0)
		r = write_files(dir.p, &text, t->root, json_path, e);
	return r < 0 ? r : try_compile(dir.p, json_path->p, t, e);
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

int overlay_open(struct arena *mem, const struct argv *argv, struct argv *ret_argv, const char **ret_env,
		 struct overlay **ret, struct err *e)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct gotool tool;
	struct gocmd c;
	struct argv changed;

	gocmd_read(argv, &c);
	int r = refuse(mem, &c, e);
	if (r < 0)
		return r;
	r = gocmd_tool(mem, argv, &tool, e);
	if (r == 0)
		r = make_overlay(&tool, &json, e);
	if (r == 0)
		r = make_argv(mem, argv, &c, buf_str(&json), &changed, e);
	if (r < 0)
		return wrap(e, r);
	struct overlay *o = mem_zalloc(sizeof(*o));
	if (!o)
		return cannot(e, ENOMEM, TR("out of memory", "内存不足"));
	r = make_record(o, e);
	o->root = arena_str(&o->mem, span_of(tool.root));
	*ret_env = r < 0 ? NULL : arena_printf(mem, "TOCSIN_PANICS=%s", o->record);
	if (r < 0 || !o->root || !*ret_env) {
		overlay_close(o);
		return r < 0 ? wrap(e, r) : cannot(e, ENOMEM, TR("out of memory", "内存不足"));
	}
	*ret_argv = changed;
	*ret = o;
	return 0;
}

int overlay_take(struct overlay *o, struct judge *j, struct err *e)
{
	return panics_take(o->record, o->root, j, e);
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
