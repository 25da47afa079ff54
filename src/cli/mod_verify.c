#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/cmd.h"
#include "cli/modding.h"
#include "cli/say.h"
#include "mod/env.h"
#include "mod/verify.h"
#include "mod/verify_sumdb.h"

/* `mod verify`: are the modules that a build takes what their hashes say? */

struct verify_values {
	struct checked_values checked; /* must stand first */
	int64_t threads;
	const char *from;
	bool sumdb;
};

/* One line on a terminal, while it lasts. */
static void show(void *ctx, const struct verify_progress *p)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct term *t = ctx;

	buf_addf(&b, TR("\r\033[Kmodules %lld/%lld, %lld MB", "\r\033[K模块 %lld/%lld，%lld MB"), (long long)p->modules, (long long)p->of,
		 (long long)(p->bytes / 1000000));
	term_flush(t, &b);
}

/* The counts that a plain sum does not tell. */
static const char *fine_text(struct report *r, const struct verified *v, const struct sumdb_asked *s)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_addf(&b, TR("modules verified: %lld (files: %lld, %lld MB)", "已校验模块：%lld（文件：%lld，%lld MB）"), (long long)v->modules,
		 (long long)v->files, (long long)(v->bytes / 1000000));
	if (v->without_sum)
		buf_addf(&b,
			 TR("; without a line in go.sum, compared with their ziphash alone: %lld",
			    "；go.sum 中没有记录、仅与 ziphash 比较：%lld"),
			 (long long)v->without_sum);
	if (v->replaced)
		buf_addf(&b, TR("; replaced by folders: %lld", "；由目录替换：%lld"), (long long)v->replaced);
	if (v->absent)
		buf_addf(&b, TR("; not there and not needed: %lld", "；不存在且不需要：%lld"), (long long)v->absent);
	if (s->modules)
		buf_addf(&b, TR("; the checksum database vouches for: %lld", "；校验和数据库确认：%lld"), (long long)s->modules);
	if (s->private_)
		buf_addf(&b, TR("; kept from it by GONOSUMDB or GOPRIVATE: %lld", "；因 GONOSUMDB 或 GOPRIVATE 未查询：%lld"),
			 (long long)s->private_);
	return b.bad ? NULL : report_text(r, "%s", buf_str(&b)).p;
}

static int fail(int r, const struct err *e)
{
	say_error("%s", e->msg);
	return r == -ENOMEM || r == -ELIBACC || r == -ELIBBAD || r == -EIO ? EXIT_OWN : EXIT_USAGE;
}

static void put_hashes(void *ctx, struct json_out *j)
{
	const struct verified *v = ctx;

	json_key(j, "modules");
	json_open(j, '[');
	for (size_t i = 0; i < v->n_hashes; i++) {
		const struct verified_hash *h = &v->hashes[i];
		json_open(j, '{');
		json_key(j, "path");
		json_strz(j, h->path);
		json_key(j, "version");
		json_strz(j, h->version);
		json_key(j, "sum");
		json_strz(j, h->sum);
		json_key(j, "go_mod_sum");
		json_strz(j, h->go_mod_sum);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* The tree last seen is the user's, for all projects: a database that forks is found out at the next one. */
static int ask_sumdb(const struct mod_tree *t, const struct mod_env *env, const struct verify_values *o, struct checked *c,
		     struct sumdb_asked *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf state = { 0 };
	struct span name = span_trim(span_of(env->sumdb));

	int r = path_user_dir("XDG_STATE_HOME", ".local/state", &state, e);
	buf_adds(&state, "/sumdb");
	if (r == 0)
		r = path_mkdirs(buf_str(&state), 0700, e);
	name = span_cut(&name, ' ');
	name = span_cut(&name, '+');
	buf_addc(&state, '/');
	for (size_t i = 0; i < name.n; i++)
		buf_addc(&state, name.p[i] == '/' ? '!' : name.p[i]);
	buf_adds(&state, ".tree");
	return r < 0 ? r : verify_sumdb(t, env, o->from, buf_str(&state), &c->report, ret, e);
}

/* Of a file that go refuses no build list is known: nothing in it would be looked at, and all would be well. */
static int check_readable(const struct mod_tree *t, struct err *e)
{
	const struct mod_source *file = &t->go_work;
	const struct modfile *m = &t->work;

	for (size_t k = 0; k <= t->n; k++) {
		for (size_t i = 0; file->text.p && i < m->n_problems; i++) {
			const struct mod_problem *p = &m->problems[i];
			if (p->fault != MOD_FAULT_UNKNOWN) /* a later go may read it */
				return err_set(e, EBADMSG,
					       TR("%s:%lld:%d: %s; `tocsin mod check` says what to do",
						  "%s:%lld:%d：%s；处理办法见 `tocsin mod check`"),
					       file->shown, (long long)p->line, p->column, p->text);
		}
		if (k && file->text.p && !m->module.n && !m->n_problems)
			return err_set(e, EBADMSG,
				       TR("%s: there is no module line: go refuses the file", "%s：没有 module 行：go 会拒绝该文件"),
				       file->shown);
		file = k < t->n ? &t->members[k].go_mod : NULL;
		m = k < t->n ? &t->members[k].mod : NULL;
	}
	return 0;
}

/* go mod verify and a build refuse such a go.sum (from 1.22; before they read it to there). */
static void say_malformed(const struct build_list *b, struct report *r)
{
	struct finding *f =
		b->malformed.n
			? report_say(r, CAUSE_MOD_SYNTAX,
				     TR("%zu lines of go.sum are none, this one first: go refuses the file; `tocsin mod check` lists them",
					"go.sum 中有 %zu 行不合格式（此为第一处）：go 会拒绝该文件；`tocsin mod check` 可逐一列出"),
				     b->malformed.n)
			: NULL;

	if (!f)
		return;
	f->severity = SEV_ERROR;
	f->file = arena_span(&r->mem, span_of(b->malformed.file));
	r->lost |= !f->file.p;
	f->line = b->malformed.line < INT32_MAX ? (int)b->malformed.line : 0;
}

/* A folder that is not there would be told as a go that cannot be run in it. */
static int check_folder(const char *dir, struct err *e)
{
	int fd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir && fd < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), dir);
	if (fd >= 0)
		close(fd);
	return 0;
}

static int verify(const char *dir, const struct verify_values *o, struct checked *c, struct err *e)
{
	CLEANUP(mod_tree_close) struct mod_tree tree = { 0 };
	CLEANUP(build_list_free) struct build_list list = { 0 };
	CLEANUP(mod_env_free) struct mod_env env = { 0 };
	struct verified got;
	struct sumdb_asked asked = { 0 };
	CLEANUP(buf_free) struct buf host = { 0 };
	struct term t;

	term_open(&t, STDERR_FILENO);
	int r = check_folder(dir, e);
	if (r == 0)
		r = mod_env_read(NULL, dir, &env, e);
	if (r == 0)
		r = mod_tree_open_flags(dir, env.gowork ? env.gowork : "off", env.flags, &tree, e);
	if (r == 0)
		r = check_readable(&tree, e);
	if (r == 0)
		r = build_list_make(&tree, env.modcache, &list, e);
	if (r == 0)
		r = build_list_sums(&list, &tree, e);
	if (r < 0)
		return r;
	say_malformed(&list, &c->report);
	const char *os = mod_env_value(&env, "GOHOSTOS"), *arch = mod_env_value(&env, "GOHOSTARCH");
	buf_addf(&host, "%s-%s", os ? os : "", arch ? arch : "");
	const struct verify_options how = { .modcache = env.modcache,
					    .goroot = env.goroot,
					    .go = env.go,
					    .flags = env.flags,
					    .version = env.version,
					    .toolchain = env.toolchain,
					    .host = buf_str(&host),
					    .threads = (int)(o->threads > 1024 ? 1024 : o->threads),
					    .progress = t.tty ? show : NULL,
					    .ctx = &t };
	r = verify_modules(&tree, &list, &how, &c->report, &got, e);
	if (t.tty)
		term_put(&t, S("\r\033[K"));
	if (r == 0 && (o->sumdb || o->from))
		r = ask_sumdb(&tree, &env, o, c, &asked, e);
	if (r < 0)
		return r;
	c->modules = got.modules;
	c->files = got.files;
	c->bytes = got.bytes;
	c->fine = fine_text(&c->report, &got, &asked);
	struct verified *kept = arena_alloc(&c->report.mem, sizeof(*kept));
	if (!kept)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	*kept = got;
	c->ctx = kept;
	c->json = put_hashes;
	return 0;
}

static int run_verify(void *values, const struct args *a)
{
	const struct verify_values *o = values;
	struct checked c = { .packages = -1 };
	struct err e = { 0 };

	if (a->n > 1)
		return say_usage("mod verify", TR("one folder at most", "最多一个目录"));
	int r = verify(a->n ? a->v[0] : NULL, o, &c, &e);
	if (r < 0) {
		report_free(&c.report);
		return fail(r, &e);
	}
	return checked_end(&c, &o->checked);
}

/* clang-format off */
static const struct opt opts[] = {
	{ "threads", 0, OPT_INT, offsetof(struct verify_values, threads), { "N", "数目" }, { "how many modules at a time (as many as CPUs)", "同时校验的模块数（默认为 CPU 数）" }, NULL, 0 },
	{ "sumdb", 0, OPT_FLAG, offsetof(struct verify_values, sumdb), { NULL, NULL }, { "ask the checksum database for each line of go.sum, and check its proofs", "向校验和数据库查询 go.sum 的每一行，并检查其证明" }, NULL, 0 },
	{ "sumdb-from", 0, OPT_FILE, offsetof(struct verify_values, from), { "DIR|URL", "目录|URL" }, { "a recorded mirror of it, such as GOMODCACHE/cache/download/sumdb/NAME", "其录制的镜像，例如 GOMODCACHE/cache/download/sumdb/名称" }, NULL, 0 },
	CHECKED_OPTS,
};
const struct verb verb_mod_verify = {
	.name = "mod verify", .opts = opts, .n_opts = ARRAY_LEN(opts), .size = sizeof(struct verify_values), .run = run_verify,
	.args = { "[DIR]", "[目录]" },
	.brief = { "are the modules of the build what their hashes say?", "构建所用模块是否与其哈希一致？" },
	.text = { "Each module of the build list: its zip in the module cache against its ziphash and go.sum, its extracted folder and vendor/ file by file against the zip, "
		  "its go.mod against go.sum. Edited, missing and surplus files are named one by one. A module that the build needs and that is in neither cache nor vendor/ is a failure. "
		  "Nothing is written, and the network is not used. Only when modules are not there go is asked, offline, which ones are needed (`go list`, which may complete the cache as any build does).\n\n"
		  "  tocsin mod verify\n"
		  "  tocsin mod verify --json services/api\n\n"
		  "With --sumdb the lines of go.sum themselves are checked: the database's signature, that the record is in its tree, and that the tree last seen is a part of it.\n\n"
		  "Exit status: 0 all is as it should be; 1 something is not; 2 go.mod, go.work or the cache cannot be read; 125 Tocsin's own failure.",
		  "对构建列表中的每个模块：模块缓存中的 zip 与其 ziphash 和 go.sum 比较；解压目录及 vendor/ 逐个文件与 zip 比较；其 go.mod 与 go.sum 比较。"
		  "被修改、缺失和多余的文件逐一列出。构建需要而缓存和 vendor/ 中都没有的模块视为失败。不写任何文件，也不使用网络。仅当有模块不存在时，才离线询问 go 需要哪些模块（`go list`，它会像任何构建一样补全缓存）。\n\n"
		  "  tocsin mod verify\n"
		  "  tocsin mod verify --json services/api\n\n"
		  "加上 --sumdb 时还会检查 go.sum 的各行本身：数据库的签名、记录是否在其树中，以及上次见到的树是否为其一部分。\n\n"
		  "退出状态：0 一切如常；1 有问题；2 go.mod、go.work 或缓存无法读取；125 Tocsin 自身故障。" },
};
/* clang-format on */
