#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <zlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/explain.h"
#include "cli/flame.h"
#include "cli/input.h"
#include "diagnose/profile.h"

/* Profiles, for `tocsin explain`: tables, flame graphs, folded stacks, pprof's own format. */
enum { TOP_SHORT = 10, TOP_MANY = 5, TRENDS_SHOWN = 10 };

struct show {
	const struct explain_values *o;
	struct profiles *set;
	struct profile_info last;
	size_t files;
	bool any; /* a profile was read */
};

static bool looks(struct span head)
{
	return pprof_looks_like(head) || pprof_text_looks_like(head);
}

/* ---- reading ---- */

/* All that can be read of a file, and what is wrong with it. */
static int read_one(struct show *k, struct input *in, bool base, struct profile_info *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct err late;
	int cut = input_slurp(in, PPROF_TEXT_MAX, &text, &late);

	*ret = (struct profile_info){ .kind = "", .group = SIZE_MAX };
	if (cut == -EFBIG || cut == -ENOMEM) {
		*e = late;
		return cut;
	}
	int r = profiles_add(k->set, buf_view(&text), base, ret, e);
	if (r < 0 && cut == 0) {
		struct err why = *e;
		return err_set(e, -r, "'%s': %s", input_name(in), why.msg);
	}
	if (cut < 0) {
		*e = late;
		return cut;
	}
	if (ret->n_flaws) /* the first; all of them are limits of the report */
		return err_set(e, EBADMSG, TR("'%s' is damaged at byte %zu of the profile: %s; what can be read counts", "“%s”在剖析数据第 %zu 字节处损坏：%s；可读部分照常计入"),
			       input_name(in), ret->flaws[0].at, tx(ret->flaws[0].what));
	return 0;
}

static int read_base(struct show *k, struct err *e)
{
	struct profile_info info = { .group = SIZE_MAX };
	struct input *in;
	int r = input_open(k->o->diff, &in, e);

	if (r < 0)
		return r;
	if (!looks(input_head(in)))
		r = err_set(e, EINVAL, TR("--diff %s: that is no profile, and what is compared with it is one", "--diff %s：该文件不是剖析数据，而要比较的是剖析数据"), k->o->diff);
	else
		r = read_one(k, in, true, &info, e);
	input_close(in);
	return r == -EBADMSG && info.group != SIZE_MAX ? (say_error("%s", e->msg), 0) : r;
}

static void close_show(void *state)
{
	struct show *k = state;

	if (k)
		profiles_free(k->set);
	mem_free(k);
}

static void *open_show(const struct explain_values *o, struct err *e)
{
	struct profile_config c = { .sample = o->sample, .focus = o->focus, .ignore = o->ignore, .hide = o->hide, .normalize = o->normalize,
				    .tree = o->flame || o->folded, .merge = o->pprof };
	struct show *k = mem_zalloc(sizeof(*k));

	if (!k) {
		err_set(e, ENOMEM, TR("no memory", "内存不足"));
		return NULL;
	}
	k->o = o;
	if (profiles_new(&c, &k->set, e) < 0 || (o->diff && read_base(k, e) < 0)) {
		close_show(k);
		return NULL;
	}
	return k;
}

/* ---- words ---- */

static const struct {
	const char *kind;
	struct tx title;
} titles[] = {
	{ "cpu", { "CPU profile", "CPU 剖析" } },
	{ "heap", { "heap profile", "堆剖析" } },
	{ "allocs", { "allocation profile", "分配剖析" } },
	{ "goroutine", { "goroutine profile", "goroutine 剖析" } },
	{ "goroutineleak", { "goroutine leak profile", "goroutine 泄漏剖析" } },
	{ "threadcreate", { "thread creation profile", "线程创建剖析" } },
	{ "block", { "block profile", "阻塞剖析" } },
	{ "mutex", { "mutex profile", "互斥锁剖析" } },
};

static const char *title_of(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
		if (!strcmp(titles[i].kind, kind))
			return tx(titles[i].title);
	}
	return TR("profile", "剖析数据");
}

static void put_value(struct buf *b, int64_t v, struct span unit)
{
	char text[32];

	profile_value_text(v, unit, text);
	buf_adds(b, text);
}

/* "cpu 5.01s in 10.2s, 812 samples" */
static void put_summary(const struct show *k, const struct profile_info *i, struct buf *b)
{
	struct pprof_type t = profiles_type(k->set, i->group);
	char took[24];

	if (t.type.n)
		say_clean(b, span_head(t.type, 60));
	else
		buf_adds(b, TR("a value whose name is missing:", "名称缺失的值："));
	buf_addc(b, ' ');
	put_value(b, i->total, t.unit);
	if (i->duration_ns > 0) {
		duration_text(i->duration_ns, took);
		buf_addf(b, TR(" in %s", "，历时 %s"), took);
	}
	buf_addf(b, TR(", %zu stacks", "，%zu 个调用栈"), i->n_samples);
	if (i->time_ns > 0) {
		char when[32];
		time_rfc3339(i->time_ns, when);
		buf_addf(b, TR(", taken %s", "，采集于 %s"), when);
	}
}

static void say_limits(const struct profile_info *i, struct report *r)
{
	for (size_t n = 0; n < i->limits.n; n++)
		list_add(&r->mem, &r->limits, report_text(r, "%s", i->limits.v[n]).p);
	for (size_t n = 1; n < i->n_flaws && n < PPROF_FLAWS; n++)
		list_add(&r->mem, &r->limits, report_text(r, TR("byte %zu of the profile: %s", "剖析数据第 %zu 字节：%s"), i->flaws[n].at, tx(i->flaws[n].what)).p);
	if (i->n_flaws > PPROF_FLAWS)
		list_add(&r->mem, &r->limits, report_text(r, TR("%zu more places of the profile could not be read", "剖析数据中另有 %zu 处无法读取"), i->n_flaws - PPROF_FLAWS).p);
}

static int read_show(void *state, struct input *in, struct report *r, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct show *k = state;
	int n = read_one(k, in, false, &k->last, e);

	r->evidence = title_of(k->last.kind);
	say_limits(&k->last, r);
	if (k->last.group == SIZE_MAX)
		return n;
	k->any = true;
	k->files++;
	put_summary(k, &k->last, &text);
	r->summary = report_text(r, "%s", buf_str(&text)).p;
	profiles_findings_last(k->set, r);
	if (k->o->diff && !profiles_compared(k->set, k->last.group))
		list_add(&r->mem, &r->limits, report_text(r, TR("--diff: the base is no profile of the same kind and value: nothing is compared", "--diff：基准不是同类同值的剖析数据：未作比较")).p);
	return n;
}

/* ---- tables ---- */

static double percent(int64_t v, int64_t of)
{
	return of ? 100 * (double)v / (double)of : 0;
}

static void put_cell(struct buf *b, int64_t v, struct span unit, bool sign)
{
	char text[32], room[34];

	profile_value_text(v, unit, text);
	snprintf(room, sizeof(room), "%s%s", sign && v > 0 ? "+" : "", text);
	buf_addf(b, "%10s", room);
}

static void put_row(const struct profile_row *row, const struct profile_rows *all, struct span unit, bool compared, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	CLEANUP(buf_free) struct buf cells = { 0 };
	size_t width = t->tty ? t->width : 400, used = 42;

	put_cell(&cells, row->flat, unit, compared);
	buf_addf(&cells, compared ? " %+7.2f%% " : " %7.2f%% ", percent(row->flat, all->total));
	put_cell(&cells, row->cum, unit, compared);
	buf_addf(&cells, compared ? " %+7.2f%%" : " %7.2f%%", percent(row->cum, all->total));
	enum paint p = PAINT_NONE;
	if (compared && row->flat)
		p = row->flat > 0 ? PAINT_RED : PAINT_CYAN;
	else if (!compared && fabs(percent(row->flat, all->total)) >= 10)
		p = PAINT_YELLOW;
	say_paint(b, t, p, buf_str(&cells));
	buf_adds(b, "  ");
	say_clean(&name, row->name);
	buf_span(b, text_fit(buf_view(&name), width > used + 20 ? width - used : 20));
	buf_addc(b, '\n');
}

static void put_compared(const struct show *k, size_t group, struct buf *b)
{
	double scale = profiles_scale(k->set, group);

	buf_adds(b, TR("  compared with ", "  相比 "));
	say_clean(b, span_of(k->o->diff));
	if (scale != 1)
		buf_addf(b, TR(", scaled by %.4g to its total", "，已按 %.4g 缩放至其总量"), scale);
	buf_adds(b, TR("; percentages of its total\n", "；百分比以其总量计\n"));
}

static void put_table(const struct show *k, size_t group, bool last, size_t n, const struct term *t, struct buf *b)
{
	struct profile_rows rows;
	struct span unit = profiles_type(k->set, group).unit;
	bool compared = !last && profiles_compared(k->set, group);
	struct err e;

	if (profiles_top(k->set, group, last, n, &rows, &e) < 0) {
		say_error("%s", e.msg);
		return;
	}
	if (compared)
		put_compared(k, group, b);
	say_paint(b, t, PAINT_BOLD, TR("      flat    flat%        cum     cum%  function\n", "      自身    自身%        累计    累计%  函数\n"));
	for (size_t i = 0; i < rows.n; i++)
		put_row(&rows.v[i], &rows, unit, compared, t, b);
	if (!rows.n)
		buf_adds(b, TR("  (nothing is left to show)\n", "  （没有可显示的内容）\n"));
	mem_free(rows.v);
}

static void put_trends(const struct show *k, size_t group, struct buf *b)
{
	const struct profile_trend *t;
	struct span unit = profiles_type(k->set, group).unit;
	size_t n = profiles_trends(k->set, group, &t);

	if (n)
		buf_adds(b, TR("  what grew, from the first profile to the last:\n", "  从第一份到最后一份剖析的增长：\n"));
	for (size_t i = 0; i < n && i < TRENDS_SHOWN; i++) {
		put_cell(b, t[i].growth, unit, true);
		buf_adds(b, "  ");
		put_cell(b, (int64_t)t[i].slope, unit, true);
		buf_adds(b, t[i].by_time ? TR(" a minute  ", " 每分钟  ") : TR(" a profile  ", " 每份  "));
		say_clean(b, t[i].site);
		buf_addc(b, '\n');
	}
}

static size_t top_of(const struct show *k, size_t usual)
{
	return k->o->top >= 0 ? (size_t)k->o->top : usual;
}

static void put_tree(const struct show *k, const struct term *t, struct buf *b);

static void print_show(void *state, bool all, const struct term *t, struct buf *b)
{
	struct show *k = state;

	if (!k->any || (!all && k->last.group == SIZE_MAX))
		return;
	if (!all) {
		put_table(k, k->last.group, k->o->many, top_of(k, k->o->many ? TOP_MANY : TOP_SHORT), t, b);
		if (!k->o->many)
			put_tree(k, t, b);
		return;
	}
	for (size_t g = 0; g < profiles_groups(k->set); g++) {
		if (!profiles_files(k->set, g))
			continue;
		buf_addf(b, TR("  %s, %zu files merged\n", "  %s，合并 %zu 个文件\n"), title_of(profiles_kind(k->set, g)), profiles_files(k->set, g));
		put_trends(k, g, b);
		put_table(k, g, false, top_of(k, TOP_SHORT), t, b);
	}
	put_tree(k, t, b);
}

/* ---- JSON ---- */

static void json_type(struct json_out *j, struct pprof_type t)
{
	json_member_open(j, "sample", '{');
	json_member_str(j, "type", t.type);
	json_member_str(j, "unit", t.unit);
	json_close(j, '}');
}

static void json_row(struct json_out *j, const struct profile_row *row, const struct profile_rows *all, bool compared)
{
	json_open(j, '{');
	json_member_str(j, "function", row->name);
	json_member_int(j, "flat", row->flat);
	json_member_int(j, "cum", row->cum);
	json_member_num(j, "flat_percent", percent(row->flat, all->total));
	json_member_num(j, "cum_percent", percent(row->cum, all->total));
	if (compared) {
		json_member_int(j, "base_flat", row->base_flat);
		json_member_int(j, "base_cum", row->base_cum);
	}
	json_close(j, '}');
}

static void json_top(const struct show *k, size_t group, bool last, size_t n, struct json_out *j)
{
	struct profile_rows rows = { 0 };
	bool compared = !last && profiles_compared(k->set, group);
	struct err e;

	if (profiles_top(k->set, group, last, n, &rows, &e) < 0)
		j->to->bad = true;
	json_member_bool(j, "compared", compared);
	json_member_int(j, "total", rows.total);
	json_member_num(j, "scale", profiles_scale(k->set, group));
	json_member_open(j, "top", '[');
	for (size_t i = 0; i < rows.n; i++)
		json_row(j, &rows.v[i], &rows, compared);
	json_close(j, ']');
	mem_free(rows.v);
}

static void json_trend(struct json_out *j, const struct profile_trend *t)
{
	json_open(j, '{');
	json_member_str(j, "site", t->site);
	json_member_open(j, "values", '[');
	for (size_t i = 0; i < t->n; i++)
		json_int(j, t->values[i]);
	json_close(j, ']');
	json_member_int(j, "growth", t->growth);
	json_member_num(j, "slope", t->slope);
	json_member_strz(j, "per", t->by_time ? "minute" : "profile");
	json_member_bool(j, "leak", t->leak);
	json_close(j, '}');
}

static void json_file(const struct show *k, struct json_out *j)
{
	const struct profile_info *i = &k->last;

	json_member_open(j, "types", '[');
	for (size_t n = 0; n < i->types.n; n++)
		json_strz(j, i->types.v[n]);
	json_close(j, ']');
	json_member_int(j, "stacks", (int64_t)i->n_samples);
	json_member_int(j, "time_ns", i->time_ns);
	json_member_int(j, "duration_ns", i->duration_ns);
	json_member_open(j, "flaws", '[');
	for (size_t n = 0; n < i->n_flaws && n < PPROF_FLAWS; n++) {
		json_open(j, '{');
		json_member_int(j, "byte", (int64_t)i->flaws[n].at);
		json_member_strz(j, "what", tx(i->flaws[n].what));
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_group(const struct show *k, size_t group, bool all, struct json_out *j)
{
	const struct profile_trend *t;

	json_open(j, '{');
	json_member_strz(j, "kind", profiles_kind(k->set, group));
	json_type(j, profiles_type(k->set, group));
	json_member_int(j, "files", all ? (int64_t)profiles_files(k->set, group) : 1);
	if (!all)
		json_file(k, j);
	json_top(k, group, !all && k->o->many, top_of(k, TOP_SHORT), j);
	if (all) {
		size_t n = profiles_trends(k->set, group, &t);
		json_member_open(j, "trends", '[');
		for (size_t i = 0; i < n; i++)
			json_trend(j, &t[i]);
		json_close(j, ']');
	}
	json_close(j, '}');
}

static void json_show(void *state, bool all, struct json_out *j)
{
	struct show *k = state;

	if (!all) {
		if (k->last.group == SIZE_MAX)
			json_null(j);
		else
			json_group(k, k->last.group, false, j);
		return;
	}
	json_open(j, '[');
	for (size_t g = 0; g < profiles_groups(k->set); g++) {
		if (profiles_files(k->set, g))
			json_group(k, g, true, j);
	}
	json_close(j, ']');
}

/* ---- all of them ---- */

static bool sum_show(void *state, struct report *r)
{
	struct show *k = state;

	if (k->files < 2)
		return false;
	r->evidence = TR("profiles", "剖析数据");
	r->summary = report_text(r, TR("%zu files", "%zu 个文件"), k->files).p;
	for (size_t g = 0; g < profiles_groups(k->set); g++)
		profiles_findings(k->set, g, r);
	return true;
}

/* The next group from g on that has files; their number: there is none. */
static size_t next_group(const struct show *k, size_t g)
{
	while (g < profiles_groups(k->set) && !profiles_files(k->set, g))
		g++;
	return g;
}

static bool several_groups(const struct show *k)
{
	return next_group(k, next_group(k, 0) + 1) < profiles_groups(k->set);
}

/* A file of a group: as it was asked for, or with its kind in the name where there are several, and its number where kinds are alike. */
static const char *file_of(const struct show *k, const char *path, size_t g, struct buf *room)
{
	CLEANUP(buf_free) struct buf which = { 0 };
	const char *kind = profiles_kind(k->set, g);
	size_t same = 0;

	if (!several_groups(k))
		return path;
	for (size_t i = 0; i < g; i++)
		same += profiles_files(k->set, i) && strcmp(profiles_kind(k->set, i), kind) == 0;
	buf_adds(&which, *kind ? kind : "profile");
	if (same)
		buf_addf(&which, "-%zu", same + 1);
	buf_clear(room);
	explain_name(path, buf_str(&which), room);
	return room->bad ? path : buf_str(room);
}

static int begin_flame(const struct show *k, size_t g, struct profile_tree *tree, struct buf *note, struct flame *ret, struct err *e)
{
	struct pprof_type t = profiles_type(k->set, g);
	int r = profiles_tree(k->set, g, tree, e);

	if (r < 0)
		return r;
	*ret = (struct flame){ .tree = tree, .title = title_of(profiles_kind(k->set, g)), .unit = t.unit, .compared = profiles_compared(k->set, g) };
	say_clean(note, span_head(t.type, 60));
	buf_addc(note, ' ');
	if (ret->compared) {
		put_value(note, tree->nodes[0].base_total, t.unit);
		buf_adds(note, " → ");
	}
	put_value(note, tree->nodes[0].total, t.unit);
	buf_addf(note, TR(", %zu calls", "，%zu 个调用节点"), tree->n - 1);
	ret->note = buf_str(note);
	return 0;
}

/* --flame -: the view of the terminal. */
static void put_tree(const struct show *k, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf note = { 0 };
	struct profile_tree tree = { 0 };
	struct flame f;
	struct err e;

	if (!k->o->flame || !names_stdout(k->o->flame))
		return;
	for (size_t g = next_group(k, 0); g < profiles_groups(k->set); g = next_group(k, g + 1)) {
		buf_clear(&note);
		if (begin_flame(k, g, &tree, &note, &f, &e) < 0) {
			say_error("%s", e.msg);
			return;
		}
		buf_addc(b, '\n');
		flame_text(&f, t, b);
		profile_tree_free(&tree);
		tree = (struct profile_tree){ 0 };
	}
}

static int put_file(const char *path, struct buf *b, struct err *e)
{
	if (b->bad)
		return err_set(e, ENOMEM, TR("no memory for '%s'", "内存不足，无法写出“%s”"), path);
	return file_replace(path, buf_view(b), e);
}

static int write_pictures(const struct show *k, size_t g, struct err *e)
{
	CLEANUP(buf_free) struct buf note = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf name = { 0 };
	struct profile_tree tree = { 0 };
	struct flame f;
	int r = begin_flame(k, g, &tree, &note, &f, e);

	if (r == 0 && k->o->folded) {
		profile_folded(&tree, f.compared, &out);
		r = put_file(file_of(k, k->o->folded, g, &name), &out, e);
	}
	buf_clear(&out);
	if (r == 0 && k->o->flame && !names_stdout(k->o->flame)) {
		flame_svg(&f, &out);
		r = put_file(file_of(k, k->o->flame, g, &name), &out, e);
	}
	profile_tree_free(&tree);
	return r;
}

static int pack(struct span text, struct buf *ret)
{
	z_stream z = { 0 };
	int r;

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	z.next_in = (unsigned char *)(uintptr_t)text.p;
	z.avail_in = (unsigned)text.n; /* a profile has at most 512 MiB */
	do {
		if (!buf_need(ret, 256 << 10))
			break;
		z.next_out = (unsigned char *)ret->p + ret->len;
		z.avail_out = (unsigned)(ret->cap - ret->len > UINT32_MAX / 2 ? UINT32_MAX / 2 : ret->cap - ret->len);
		unsigned before = z.avail_out;
		r = deflate(&z, Z_FINISH);
		ret->len += before - z.avail_out;
	} while (r == Z_OK || r == Z_BUF_ERROR);
	deflateEnd(&z);
	return ret->bad ? -ENOMEM : 0;
}

static int write_pprof(const struct show *k, size_t g, struct err *e)
{
	CLEANUP(buf_free) struct buf proto = { .max = UINT32_MAX / 2 };
	CLEANUP(buf_free) struct buf packed = { 0 };
	CLEANUP(buf_free) struct buf name = { 0 };
	int r = profiles_write(k->set, g, &proto, e);

	if (r == 0 && pack(buf_view(&proto), &packed) < 0)
		return err_set(e, ENOMEM, TR("no memory for '%s'", "内存不足，无法写出“%s”"), k->o->pprof);
	return r < 0 ? r : put_file(file_of(k, k->o->pprof, g, &name), &packed, e);
}

static int write_show(void *state, struct err *e)
{
	struct show *k = state;
	int r = 0;

	if (!k->any || (!k->o->flame && !k->o->folded && !k->o->pprof))
		return 0;
	for (size_t g = next_group(k, 0); r == 0 && g < profiles_groups(k->set); g = next_group(k, g + 1)) {
		if (k->o->folded || (k->o->flame && !names_stdout(k->o->flame)))
			r = write_pictures(k, g, e);
		if (r == 0 && k->o->pprof)
			r = write_pprof(k, g, e);
	}
	if (r == 0 && several_groups(k) && !(k->o->flame && names_stdout(k->o->flame) && !k->o->folded && !k->o->pprof))
		say_error(TR("several kinds of profiles: each has a file of its own, with the kind in its name", "有多种剖析数据：每种各写一个文件，文件名带种类"));
	return r;
}

static void facts_show(void *state, struct relate *rel)
{
	struct show *k = state;
	struct profile_rows rows;
	struct err e;

	if (k->last.group == SIZE_MAX || profiles_top(k->set, k->last.group, true, 0, &rows, &e) < 0)
		return;
	relate_profile(rel, &k->last, profiles_type(k->set, k->last.group), &rows);
	mem_free(rows.v);
}

const struct kind kind_profile = {
	.member = "profile",
	.looks = looks,
	.open = open_show,
	.read = read_show,
	.print = print_show,
	.json = json_show,
	.sum = sum_show,
	.write = write_show,
	.close = close_show,
	.facts = facts_show,
};
