#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/cmd.h"
#include "cli/open_store.h"
#include "cli/opt.h"
#include "cli/say.h"
#include "config/config.h"

/* `tocsin store`: upkeep of the fault library. Its verbs share their values, each takes what it needs. */
struct store_values {
	const char *store, *age, *size;
	bool json, compact;
};

#define AT(field) offsetof(struct store_values, field)
#define VACUUM_STEP 500 /* runs between two signs of life */

/* clang-format off */
#define OPT_JSON { "json", 0, OPT_FLAG, AT(json), { NULL, NULL }, { "as JSON", "输出 JSON" }, NULL, 0 }
static const struct opt plain_opts[] = { OPT_STORE(struct store_values), OPT_JSON };
static const struct opt copy_opts[] = { OPT_JSON };
static const struct opt vacuum_opts[] = {
	{ "age", 0, OPT_STRING, AT(age), { "D", "时长" }, { "drop runs older than this: 90d, 720h (default: retention.age of tocsin.yaml, else no limit)", "删除早于此时长的运行：90d、720h（默认取 tocsin.yaml 的 retention.age，否则不限）" }, NULL, 0 },
	{ "size", 0, OPT_STRING, AT(size), { "N", "大小" }, { "drop the oldest runs while the store is larger: 500MB, 2GB (default: retention.size, else no limit)", "存储超过此大小时删除最旧的运行：500MB、2GB（默认取 retention.size，否则不限）" }, NULL, 0 },
	{ "compact", 0, OPT_FLAG, AT(compact), { NULL, NULL }, { "write the whole store anew, so that it is as small as it can be; other writers wait meanwhile", "整体重写存储，使其尽可能小；期间其他写入者需等待" }, NULL, 0 },
	OPT_STORE(struct store_values),
	OPT_JSON,
};
/* clang-format on */

struct task {
	struct config *config;
	const char *uri; /* NULL: the user's own */
	struct store *s;
	struct term out, err;
	struct buf text;
	struct json_out j;
};

/* ---- the frame ---- */

static int say_failure(struct task *t, const struct err *e)
{
	if (t->err.tty)
		dprintf(STDERR_FILENO, "\r\033[K");
	say_error("%s", e->msg);
	return EXIT_OWN;
}

static int begin(struct task *t, const struct store_values *o, struct err *e)
{
	const char *env = getenv("TOCSIN_STORE");

	*t = (struct task){ .j.to = &t->text };
	term_open(&t->out, STDOUT_FILENO);
	term_open(&t->err, STDERR_FILENO);
	int r = config_load(NULL, NULL, &t->config, e);
	if (r < 0)
		return r;
	t->uri = o->store ? o->store : env && *env ? env : config_text(t->config, CFG_STORE);
	return 0;
}

/* flags beside what every look at a store needs; one may look where one may not write. */
static int open_store(struct task *t, unsigned flags, bool look, struct err *e)
{
	int r = store_open(t->uri, flags | (t->uri || flags & STORE_AS_IS ? 0 : STORE_CREATE), &t->s, e);

	if (look && (r == -EROFS || r == -EACCES || r == -EPERM))
		r = store_open(t->uri, flags | STORE_READONLY, &t->s, e);
	return r;
}

static int end(struct task *t, int status)
{
	bool no_room = t->text.bad;

	store_close(t->s);
	config_free(t->config);
	if (!no_room)
		term_flush(&t->out, &t->text);
	buf_free(&t->text);
	if (no_room)
		say_error(TR("no memory", "内存不足"));
	return no_room || t->out.dead ? EXIT_OWN : status;
}

static void put_int(struct task *t, const char *key, int64_t v)
{
	json_key(&t->j, key);
	json_int(&t->j, v);
}

static void put_text(struct task *t, const char *key, const char *v)
{
	json_key(&t->j, key);
	json_strz(&t->j, v);
}

static void put_time(struct task *t, const char *key, int64_t at)
{
	char text[32];

	time_rfc3339(at, text);
	put_text(t, key, at ? text : NULL);
}

static void begin_json(struct task *t, const char *schema)
{
	json_open(&t->j, '{');
	put_text(t, "schema", schema);
	put_text(t, "store", store_name(t->s));
}

static void end_json(struct task *t)
{
	json_close(&t->j, '}');
	buf_addc(&t->text, '\n');
}

static const char *size_text(int64_t n, char out[32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)n;
	size_t u = 0;

	for (; v >= 1000 && u + 1 < ARRAY_LEN(units); u++)
		v /= 1000;
	snprintf(out, 32, u && v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return out;
}

static void on_progress(void *ctx, int64_t done, int64_t all)
{
	const struct task *t = ctx;

	if (t->err.tty)
		dprintf(STDERR_FILENO, TR("\r\033[K%lld of %lld runs", "\r\033[K%lld / %lld 次运行"), (long long)done, (long long)all);
}

static void end_progress(const struct task *t)
{
	if (t->err.tty)
		dprintf(STDERR_FILENO, "\r\033[K");
}

/* ---- info ---- */

static void info_text(struct task *t, const struct store_info *i, int64_t waiting)
{
	char size[32], from[32], to[32];

	time_rfc3339(i->oldest, from);
	time_rfc3339(i->newest, to);
	say_clean(&t->text, span_of(store_name(t->s)));
	buf_addf(&t->text, TR("\n  %s, schema %d, %s\n", "\n  %s，结构版本 %d，%s\n"), i->postgres ? "PostgreSQL" : "SQLite", i->schema, size_text(i->bytes, size));
	buf_addf(&t->text, TR("  %lld runs, %lld findings of %lld faults, %lld results of %lld tests, %lld alerts\n", "  %lld 次运行，%lld 条发现（%lld 个故障），%lld 条测试结果（%lld 个测试），%lld 条告警\n"),
		 (long long)i->runs, (long long)i->findings, (long long)i->faults, (long long)i->results, (long long)i->tests, (long long)i->alerts);
	if (i->oldest)
		buf_addf(&t->text, TR("  from %.10s to %.10s\n", "  自 %.10s 至 %.10s\n"), from, to);
	if (waiting)
		buf_addf(&t->text, TR("  %lld runs wait in files to be recorded; the next run takes them in\n", "  %lld 次运行在文件中等待入库，下次运行时会录入\n"), (long long)waiting);
}

static int run_info(void *values, const struct args *a)
{
	const struct store_values *o = values;
	struct task t;
	struct store_info i = { 0 };
	struct err e;
	int64_t waiting, bytes;
	int r = begin(&t, o, &e);

	if (r == 0)
		r = open_store(&t, STORE_AS_IS, true, &e);
	if (r == 0)
		r = store_describe(t.s, &i, &e);
	if (r < 0)
		return end(&t, say_failure(&t, &e));
	spool_waiting(t.uri, &waiting, &bytes);
	if (o->json) {
		begin_json(&t, "tocsin.store/1");
		put_text(&t, "kind", i.postgres ? "postgres" : "sqlite");
		put_int(&t, "schema_version", i.schema);
		put_int(&t, "bytes", i.bytes);
		put_int(&t, "runs", i.runs);
		put_int(&t, "findings", i.findings);
		put_int(&t, "faults", i.faults);
		put_int(&t, "tests", i.tests);
		put_int(&t, "results", i.results);
		put_int(&t, "alerts", i.alerts);
		put_int(&t, "waiting", waiting);
		put_time(&t, "oldest", i.oldest);
		put_time(&t, "newest", i.newest);
		end_json(&t);
	} else {
		info_text(&t, &i, waiting);
		store_clock(t.s, time_wall(), &t.text, NULL);
	}
	return end(&t, EXIT_OK);
}

/* ---- check ---- */

struct check_line {
	bool ok;
	char text[600];
};

struct check_lines {
	struct check_line v[64];
	size_t n;
};

static void keep_check(void *ctx, bool ok, const char *sentence)
{
	struct check_lines *l = ctx;

	if (l->n == ARRAY_LEN(l->v))
		return;
	l->v[l->n].ok = ok;
	snprintf(l->v[l->n++].text, sizeof(l->v->text), "%s", sentence);
}

static void say_checks(struct task *t, const struct check_lines *l, int wrong, bool json)
{
	if (json) {
		json_open(&t->j, '{');
		put_text(t, "schema", "tocsin.store.check/1");
		put_int(t, "wrong", wrong);
		json_key(&t->j, "checks");
		json_open(&t->j, '[');
	}
	for (size_t i = 0; i < l->n; i++) {
		if (json) {
			json_open(&t->j, '{');
			json_key(&t->j, "ok");
			json_bool(&t->j, l->v[i].ok);
			put_text(t, "text", l->v[i].text);
			json_close(&t->j, '}');
			continue;
		}
		say_paint(&t->text, &t->out, l->v[i].ok ? PAINT_GREEN : PAINT_RED, l->v[i].ok ? TR("ok    ", "正常  ") : TR("wrong ", "错误  "));
		say_clean(&t->text, span_of(l->v[i].text));
		buf_addc(&t->text, '\n');
	}
	if (json) {
		json_close(&t->j, ']');
		end_json(t);
	}
}

static int run_check(void *values, const struct args *a)
{
	const struct store_values *o = values;
	CLEANUP(mem_free) struct check_lines *lines = mem_zalloc(sizeof(*lines));
	struct task t;
	struct err e;
	int wrong = 0;

	if (!lines) {
		say_error(TR("no memory", "内存不足"));
		return EXIT_OWN;
	}
	int r = begin(&t, o, &e);
	if (r == 0)
		r = open_store(&t, STORE_AS_IS, true, &e);
	if (r == 0)
		r = wrong = store_check(t.s, keep_check, lines, &e);
	else if (r == -EUCLEAN) { /* so damaged that it cannot be opened: that is an answer */
		keep_check(lines, false, e.msg);
		r = wrong = 1;
	}
	if (r < 0)
		return end(&t, say_failure(&t, &e));
	say_checks(&t, lines, wrong, o->json);
	return end(&t, wrong ? EXIT_WRONG : EXIT_OK);
}

/* ---- vacuum ---- */

static int vacuum_all(struct task *t, struct retention *k, bool compact, struct vacuumed *sum, struct err *e)
{
	struct vacuumed v = { 0 };
	int r = 0;

	*sum = (struct vacuumed){ .bytes_before = store_bytes(t->s) };
	for (k->most = VACUUM_STEP; r == 0;) { /* in steps, that one can see */
		r = store_vacuum(t->s, k, time_wall(), false, &v, e);
		sum->runs += v.runs;
		sum->findings += v.findings;
		if (r < 0 || v.runs < VACUUM_STEP)
			break;
		if (t->err.tty)
			dprintf(STDERR_FILENO, TR("\r\033[K%lld runs removed", "\r\033[K已删除 %lld 次运行"), (long long)sum->runs);
	}
	k->most = 0;
	if (r == 0)
		r = store_vacuum(t->s, k, time_wall(), compact, &v, e);
	end_progress(t);
	sum->runs += v.runs;
	sum->findings += v.findings;
	sum->bytes_after = v.bytes_after;
	return r;
}

static int read_retention(struct task *t, const struct store_values *o, struct retention *k, struct err *e)
{
	int r = o->age ? config_flag(t->config, CFG_RETENTION_AGE, "--age", o->age, e) : 0;

	if (r == 0 && o->size)
		r = config_flag(t->config, CFG_RETENTION_SIZE, "--size", o->size, e);
	*k = (struct retention){ .age = config_number(t->config, CFG_RETENTION_AGE), .bytes = config_number(t->config, CFG_RETENTION_SIZE) };
	return r;
}

static int run_vacuum(void *values, const struct args *a)
{
	const struct store_values *o = values;
	struct task t;
	struct retention k = { 0 };
	struct vacuumed v = { 0 };
	struct err e;
	char before[32], after[32];
	int r = begin(&t, o, &e);

	if (r == 0 && read_retention(&t, o, &k, &e) < 0) {
		say_usage("store vacuum", e.msg);
		return end(&t, EXIT_USAGE);
	}
	if (r == 0)
		r = open_store(&t, 0, false, &e);
	if (r == 0)
		r = vacuum_all(&t, &k, o->compact, &v, &e);
	if (r < 0)
		return end(&t, say_failure(&t, &e));
	if (o->json) {
		begin_json(&t, "tocsin.store.vacuum/1");
		put_int(&t, "runs", v.runs);
		put_int(&t, "findings", v.findings);
		put_int(&t, "bytes_before", v.bytes_before);
		put_int(&t, "bytes_after", v.bytes_after);
		end_json(&t);
	} else {
		buf_addf(&t.text, TR("%lld runs and %lld findings removed, every fault kept; %s before, %s now\n", "已删除 %lld 次运行和 %lld 条发现，故障全部保留；之前 %s，现在 %s\n"),
			 (long long)v.runs, (long long)v.findings, size_text(v.bytes_before, before), size_text(v.bytes_after, after));
		if (!k.age && !k.bytes)
			buf_adds(&t.text, TR("no limit is set, so no run was due: --age 90d or --size 500MB, or `retention` in tocsin.yaml, sets one\n", "未设置保留期限，因此没有运行到期：可用 --age 90d 或 --size 500MB，或 tocsin.yaml 中的 `retention`\n"));
		store_clock(t.s, time_wall(), &t.text, NULL);
	}
	return end(&t, EXIT_OK);
}

/* ---- backup, migrate, copy ---- */

static int run_backup(void *values, const struct args *a)
{
	struct task t;
	struct err e;

	if (a->n != 1)
		return say_usage("store backup", TR("where to? For example: tocsin store backup tocsin-backup.db", "备份到哪里？例如：tocsin store backup tocsin-backup.db"));
	int r = begin(&t, values, &e);
	if (r == 0)
		r = open_store(&t, 0, true, &e);
	if (r == 0)
		r = store_backup(t.s, a->v[0], &e);
	if (r < 0)
		return end(&t, say_failure(&t, &e));
	if (((const struct store_values *)values)->json) {
		begin_json(&t, "tocsin.store.backup/1");
		put_text(&t, "file", a->v[0]);
		end_json(&t);
	} else {
		say_clean(&t.text, span_of(store_name(t.s)));
		buf_adds(&t.text, " -> ");
		say_clean(&t.text, span_of(a->v[0]));
		buf_addc(&t.text, '\n');
	}
	return end(&t, EXIT_OK);
}

static int run_migrate(void *values, const struct args *a)
{
	struct task t;
	struct err e;
	int from = 0, to = 0, r = begin(&t, values, &e);

	if (r == 0)
		r = open_store(&t, STORE_AS_IS, false, &e);
	if (r == 0)
		r = store_migrate(t.s, &from, &to, &e);
	if (r < 0)
		return end(&t, say_failure(&t, &e));
	if (((const struct store_values *)values)->json) {
		begin_json(&t, "tocsin.store.migrate/1");
		put_int(&t, "from", from);
		put_int(&t, "to", to);
		end_json(&t);
	} else if (from == to) {
		buf_addf(&t.text, TR("the schema is version %d already\n", "结构版本已是 %d\n"), to);
	} else {
		buf_addf(&t.text, TR("the schema was version %d and is %d now\n", "结构版本由 %d 升级到 %d\n"), from, to);
	}
	return end(&t, EXIT_OK);
}

static bool is_same_store(const char *a, const char *b)
{
	CLEANUP(buf_free) struct buf x = { 0 }, y = { 0 };
	struct err e;

	return store_uri_name(a, &x, &e) == 0 && store_uri_name(b, &y, &e) == 0 && span_eq(buf_view(&x), buf_view(&y));
}

static int run_copy(void *values, const struct args *a)
{
	struct store *to = NULL;
	struct task t;
	struct copied c = { 0 };
	struct err e;

	if (a->n != 2 || is_same_store(a->v[0], a->v[1]))
		return say_usage("store copy", a->n == 2 ? TR("source and target are one store", "源和目标是同一个存储")
							 : TR("from where to where? For example: tocsin store copy tocsin.db postgres://db.example.com/tocsin", "从哪里复制到哪里？例如：tocsin store copy tocsin.db postgres://db.example.com/tocsin"));
	int r = begin(&t, values, &e);
	t.uri = a->v[0];
	if (r == 0)
		r = open_store(&t, 0, true, &e);
	if (r == 0)
		r = store_open(a->v[1], STORE_CREATE, &to, &e);
	if (r == 0)
		r = store_copy(t.s, to, on_progress, &t, &c, &e);
	store_close(to);
	end_progress(&t);
	if (r < 0)
		return end(&t, say_failure(&t, &e));
	if (((const struct store_values *)values)->json) {
		begin_json(&t, "tocsin.store.copy/1");
		put_int(&t, "runs", c.runs);
		put_int(&t, "there", c.there);
		put_int(&t, "findings", c.findings);
		put_int(&t, "faults", c.faults);
		put_int(&t, "alerts", c.alerts);
		end_json(&t);
	} else {
		buf_addf(&t.text, TR("%lld runs with %lld findings copied, %lld faults made, %lld alerts; %lld runs were there already\n", "已复制 %lld 次运行、%lld 条发现，新建 %lld 个故障，%lld 条告警；%lld 次运行已存在\n"),
			 (long long)c.runs, (long long)c.findings, (long long)c.faults, (long long)c.alerts, (long long)c.there);
	}
	return end(&t, EXIT_OK);
}

/* ---- the group ---- */

static int refuse_arguments(int (*run)(void *, const struct args *), const char *verb, void *values, const struct args *a)
{
	return a->n ? say_usage(verb, TR("this takes no arguments", "此命令不接受参数")) : run(values, a);
}

static int info(void *v, const struct args *a) { return refuse_arguments(run_info, "store info", v, a); }
static int check(void *v, const struct args *a) { return refuse_arguments(run_check, "store check", v, a); }
static int vacuum(void *v, const struct args *a) { return refuse_arguments(run_vacuum, "store vacuum", v, a); }
static int migrate(void *v, const struct args *a) { return refuse_arguments(run_migrate, "store migrate", v, a); }

#define SUB(id, o, fn) .name = "store " id, .opts = o, .n_opts = ARRAY_LEN(o), .size = sizeof(struct store_values), .run = fn
static const struct verb sub_info = {
	SUB("info", plain_opts, info),
	.brief = { "what the store holds and how large it is", "存储中有什么、有多大" },
	.text = { "Runs, findings, faults, tests and alerts, the size, and the runs that wait in files because the store could not be written.",
		  "运行、发现、故障、测试和告警的数量，存储大小，以及因存储不可写而在文件中等待入库的运行。" },
};
static const struct verb sub_check = {
	SUB("check", plain_opts, check),
	.brief = { "is everything there, and can it be read?", "数据是否完整、能否读取？" },
	.text = { "The file as SQLite sees it, and what one record says of another: findings, faults, runs, tests, counts, the search index; every "
		  "finding is unpacked. Changes nothing. Exit status: 0 all is well, 1 something is wrong.",
		  "检查 SQLite 文件本身，以及记录之间的关系：发现、故障、运行、测试、计数、搜索索引；并逐条解包发现。不做任何修改。退出状态：0 正常，1 有错误。" },
};
static const struct verb sub_vacuum = {
	SUB("vacuum", vacuum_opts, vacuum),
	.brief = { "drop old runs and give the space back", "删除旧运行并释放空间" },
	.text = { "Runs that are too old go, or the oldest while the store is too large. The newest 100 runs stay whatever their age; faults and their "
		  "history, with the first and the last finding of each, stay for ever. On PostgreSQL the size is that of the rows.",
		  "删除过旧的运行；存储过大时从最旧的开始删除。最近 100 次运行总会保留；故障及其历史、首条和末条发现永久保留。在 PostgreSQL 上按行的大小计算。" },
};
static const struct verb sub_backup = {
	SUB("backup", plain_opts, run_backup),
	.args = { "FILE", "文件" },
	.files = true,
	.brief = { "a copy of the whole store in one SQLite file", "把整个存储备份到一个 SQLite 文件" },
	.text = { "The file is written whole or not at all, while others go on writing to the store. It is a store itself: --store FILE reads it.",
		  "文件要么完整写出，要么不写；期间其他进程可继续写入存储。备份本身就是一个存储，可用 --store 文件 打开。" },
};
static const struct verb sub_migrate = {
	SUB("migrate", plain_opts, migrate),
	.brief = { "bring the schema up to date", "升级存储结构" },
	.text = { "Every verb that may write does this by itself; this one says so. Older versions of Tocsin cannot use the store afterwards.",
		  "任何可写命令都会自动升级；本命令会给出说明。升级后旧版本的 Tocsin 无法再使用该存储。" },
};
static const struct verb sub_copy = {
	SUB("copy", copy_opts, run_copy),
	.args = { "FROM TO", "源 目标" },
	.brief = { "copy everything from one store to another", "把一个存储的全部内容复制到另一个" },
	.text = { "Between SQLite and PostgreSQL, in any direction. What the target has already stays: a run is never there twice, the same fault is one "
		  "fault. Interrupted, it goes on where it was when it is called again. Short ids (T-42) stay what they are when the target is empty.",
		  "可在 SQLite 与 PostgreSQL 之间任意方向复制。目标中已有的内容保留：同一运行不会重复，同一故障仍是一个。中断后再次执行会继续。目标为空时短编号（T-42）不变。" },
};

static const struct verb *const subs[] = { &sub_info, &sub_check, &sub_vacuum, &sub_backup, &sub_migrate, &sub_copy, NULL };

const struct verb verb_store = {
	.name = "store",
	.brief = { "upkeep of the fault library: size, check, vacuum, backup, copy", "维护故障库：大小、检查、清理、备份、复制" },
	.text = { "The store is a SQLite file of the user's own unless --store, TOCSIN_STORE or tocsin.yaml names another.\n\n"
		  "  tocsin store check\n"
		  "  tocsin store vacuum --age 90d --size 500MB\n"
		  "  tocsin store copy ~/.local/state/tocsin/tocsin.db postgres://db.example.com/tocsin\n\n"
		  "Exit status: 0; 1 `check` found something wrong; 2 wrong usage; 125 the store cannot be used.",
		  "存储默认是用户自己的 SQLite 文件，可由 --store、TOCSIN_STORE 或 tocsin.yaml 另行指定。\n\n"
		  "  tocsin store check\n"
		  "  tocsin store vacuum --age 90d --size 500MB\n"
		  "  tocsin store copy ~/.local/state/tocsin/tocsin.db postgres://db.example.com/tocsin\n\n"
		  "退出状态：0；1 `check` 发现错误；2 用法错误；125 存储无法使用。" },
	.subs = subs,
};
