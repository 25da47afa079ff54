#include <errno.h>

#include "cli/fault.h"
#include "cli/incidents.h"

struct import_values {
	const char *store;
	bool dry, json;
};

struct counts {
	size_t fresh, there;
};

#define BATCH 500 /* in one transaction */

/* Whether each is there already is known only by trying; the list was checked whole before. */
static int import_all(struct fault_task *t, const struct incidents *l, struct counts *c, struct err *e)
{
	for (size_t i = 0; i < l->n; i += BATCH) {
		size_t n = l->n - i < BATCH ? l->n - i : BATCH, fresh;
		int r = store_faults_import(t->s, l->v + i, n, t->now, &fresh, e);
		if (r < 0)
			return r;
		c->fresh += fresh;
		c->there += n - fresh;
	}
	return 0;
}

static void say_counts(struct fault_task *t, const struct import_values *o, const char *file, const struct incidents *l, const struct counts *c)
{
	struct json_out j = { .to = &t->text };

	if (!o->json) {
		say_clean(&t->text, span_of(file));
		if (o->dry)
			buf_addf(&t->text, TR(": %zu faults can be imported; nothing was changed\n", "：可导入 %zu 个故障；未作任何改动\n"), l->n);
		else
			buf_addf(&t->text, TR(": %zu faults imported, %zu were there already\n", "：导入 %zu 个故障，%zu 个已存在\n"), c->fresh, c->there);
		if (l->joined)
			buf_addf(&t->text, TR("%zu entries were the same fault as an earlier one: their counts were added\n",
					      "有 %zu 条与之前的条目是同一故障：次数已累加\n"), l->joined);
		return;
	}
	json_open(&j, '{');
	json_key(&j, "schema");
	json_strz(&j, "tocsin.import/1");
	json_key(&j, "imported");
	json_int(&j, (int64_t)c->fresh);
	json_key(&j, "there");
	json_int(&j, (int64_t)c->there);
	json_key(&j, "joined");
	json_int(&j, (int64_t)l->joined);
	json_key(&j, "read");
	json_int(&j, (int64_t)l->n);
	json_close(&j, '}');
	buf_addc(&t->text, '\n');
}

static int read_file(const char *path, struct buf *text, struct incidents *l, struct err *e)
{
	bool in = !strcmp(path, "-");

	text->max = INCIDENTS_BYTES_MAX + 1;
	int r = file_slurp(in ? "/dev/stdin" : path, text, e);
	if (r < 0)
		return r;
	return incidents_read(buf_view(text), in ? TR("standard input", "标准输入") : path, l, e);
}

static int run(void *values, const struct args *a)
{
	const struct import_values *o = values;
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(incidents_free) struct incidents l = { 0 };
	struct counts c = { 0 };
	struct fault_task t = { 0 };
	struct err e = { 0 };

	if (a->n != 1)
		return say_usage("fault import", TR("which file? For example: tocsin fault import incidents.csv", "哪个文件？例如：tocsin fault import incidents.csv"));
	int r = read_file(a->v[0], &text, &l, &e);
	if (r < 0) {
		say_error("%s", e.msg);
		return r == -ENOMEM ? EXIT_OWN : EXIT_USAGE;
	}
	if (o->dry) {
		term_open(&t.out, 1);
		say_counts(&t, o, a->v[0], &l, &c);
		return fault_end(&t, 0, &e);
	}
	int status = fault_begin_new(&t, o->store);
	if (status)
		return status;
	r = import_all(&t, &l, &c, &e);
	if (r >= 0)
		say_counts(&t, o, a->v[0], &l, &c);
	return fault_end(&t, r, &e);
}

/* clang-format off */
static const struct opt opts[] = {
	{ "dry-run", 0, OPT_FLAG, offsetof(struct import_values, dry), { NULL, NULL }, { "check the list, change nothing", "只检查列表，不作改动" }, NULL, 0 },
	{ "json", 0, OPT_FLAG, offsetof(struct import_values, json), { NULL, NULL }, { "the counts as JSON", "以 JSON 输出计数" }, NULL, 0 },
	OPT_STORE(struct import_values),
};
/* clang-format on */

const struct verb verb_fault_import = {
	.name = "fault import",
	.args = { "FILE|-", "文件|-" },
	.brief = { "take in an incident list of another tool, or an export: JSON or CSV", "导入其他工具的事件列表或导出文件：JSON 或 CSV" },
	.text = { "JSON is an array, or an object with faults, incidents or issues; CSV begins with a row of names. Fields are known by many names: "
		  "title or summary, state or status, owner or assignee, created or first_seen, labels or tags, fix or resolution, … The whole "
		  "list is checked first: when anything in it is wrong, nothing is imported. Importing it again changes nothing.\n\n"
		  "  tocsin fault import --dry-run incidents.csv",
		  "JSON 为数组，或含 faults、incidents、issues 的对象；CSV 首行为列名。字段有多种叫法：title 或 summary、state 或 status、owner 或 assignee、"
		  "created 或 first_seen、labels 或 tags、fix 或 resolution 等，也可用中文列名。先检查整个列表：有任何错误就什么也不导入。重复导入不会有任何改变。\n\n"
		  "  tocsin fault import --dry-run incidents.csv" },
	.opts = opts,
	.n_opts = ARRAY_LEN(opts),
	.size = sizeof(struct import_values),
	.files = true,
	.run = run,
};
