#include <stdio.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "cli/probing.h"
#include "probe/expect.h"

/* What a binary has, for people: one screen; the flags ask for whole lists. */

void probe_line(struct buf *b, const struct term *t, const char *name, struct span value)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!value.n)
		return;
	say_clean(&text, value);
	say_cell(b, name, PROBE_LABEL);
	buf_addc(b, ' ');
	say_wrap(b, buf_view(&text), PROBE_LABEL + 1, PROBE_LABEL + 1, t->tty ? t->width : SIZE_MAX);
	buf_addc(b, '\n');
	b->bad |= text.bad;
}

#define SETTING_SHOWN 60 /* bytes of one; DefaultGODEBUG is long */

static void title(struct buf *b, const struct term *t, const char *text)
{
	buf_addc(b, '\n');
	say_paint(b, t, PAINT_BOLD, text);
	buf_addc(b, '\n');
}

static void size_text(uint64_t n, char out[32])
{
	if (n < 1024)
		snprintf(out, 32, "%llu B", (unsigned long long)n);
	else if (n < 1 << 20)
		snprintf(out, 32, "%.1f KiB", (double)n / 1024);
	else
		snprintf(out, 32, "%.1f MiB", (double)n / (1 << 20));
}

static void add_module(struct buf *b, const struct probe_module *m)
{
	buf_addf(b, "%.*s %.*s", SPAN_ARG(m->path), SPAN_ARG(m->version.n ? m->version : S("-")));
	if (m->replaced_by)
		buf_addf(b, " => %.*s %.*s", SPAN_ARG(m->replaced_by->path),
			 SPAN_ARG(m->replaced_by->version));
}

static const char *kind_text(enum probe_kind k)
{
	static const struct tx names[] = {
		[PROBE_PROGRAM] = { "program", "程序" },
		[PROBE_LIBRARY] = { "shared library", "共享库" },
		[PROBE_PLUGIN] = { "plugin", "插件" },
		[PROBE_OBJECT] = { "object, not linked", "未链接的目标文件" },
		[PROBE_CORE] = { "core file", "core 文件" },
	};
	return tx(names[k]);
}

/* ---- the screen ---- */

static void say_head(const struct probe *p, const struct probe_view *v, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char size[32];

	size_text(p->size, size);
	say_clean(&text, span_of(v->file));
	say_paint(b, t, PAINT_BOLD, buf_str(&text));
	buf_addf(b, TR(": %s, %s", "：%s，%s"), kind_text(p->kind), probe_format_name(p->format));
	buf_addc(b, ' ');
	if (p->os.n) {
		say_clean(b, p->os);
		buf_addc(b, '/');
	}
	buf_addf(b, "%s, %s\n", *p->arch ? p->arch : TR("unknown machine", "未知机器"), size);
	buf_clear(&text);
	for (size_t i = 0; i < p->n_slices; i++)
		buf_addf(&text, "%s%s%s", i ? ", " : "", p->slices[i].arch,
			 i == p->slice ? TR(" (this one)", "（当前）") : "");
	probe_line(b, t, TR("parts", "包含"), buf_view(&text));
	if (p->packer)
		probe_line(b, t, TR("packed", "加壳"), span_of(p->packer));
	probe_line(b, t, TR("core of", "core 来自"), p->core_of);
	if (p->garbled)
		probe_line(b, t, TR("garbled", "混淆"),
			   span_of(TR("names were replaced, tables disguised", "名称被替换，表被伪装")));
}

static void say_vcs(const struct probe *p, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span revision = probe_revision(p), at = probe_setting(p, "vcs.time"),
		    modified = probe_setting(p, "vcs.modified");

	if (!revision.n)
		return;
	buf_addf(&text, "%.*s %.*s", SPAN_ARG(probe_setting(p, "vcs").n ? probe_setting(p, "vcs") : S("")),
		 SPAN_ARG(revision));
	if (at.n)
		buf_addf(&text, ", %.*s", SPAN_ARG(at));
	if (modified.n)
		buf_adds(&text, span_eq(modified, S("true"))
					? TR(", with uncommitted changes", "，含未提交的修改")
					: TR(", clean", "，干净"));
	probe_line(b, t, TR("revision", "版本"), span_trim(buf_view(&text)));
}

static void say_settings(const struct probe *p, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	for (size_t i = 0; i < p->n_settings; i++) {
		struct span key = p->settings[i].key, value = p->settings[i].value;
		if (span_starts(key, S("vcs")) || !value.n)
			continue;
		buf_addf(&text, "%s%.*s=", text.len ? " " : "", SPAN_ARG(key));
		redact_text(NULL, span_head(value, SETTING_SHOWN), &text); /* -ldflags=-X main.token=… */
		if (value.n > SETTING_SHOWN)
			buf_adds(&text, "…");
	}
	probe_line(b, t, TR("settings", "构建设置"), buf_view(&text));
	b->bad |= text.bad;
}

static void say_modules(const struct probe *p, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	size_t replaced = 0;

	for (size_t i = 0; i < p->n_deps; i++)
		replaced += p->deps[i].replaced_by != NULL;
	if (!p->n_deps)
		return;
	if (p->n_deps > 4)
		buf_addf(&text, TR("%zu modules", "%zu 个模块"), p->n_deps);
	for (size_t i = 0; i < p->n_deps && p->n_deps <= 4; i++) {
		buf_adds(&text, i ? ", " : "");
		add_module(&text, &p->deps[i]);
	}
	if (replaced && p->n_deps > 4)
		buf_addf(&text, TR(", %zu replaced", "，%zu 个被替换"), replaced);
	probe_line(b, t, TR("depends on", "依赖"), buf_view(&text));
}

static void say_code(const struct probe *p, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	size_t files = 0, own = 0;

	for (size_t i = 0; i < p->n_packages; i++)
		own += probe_module_of(p, p->packages[i].path) != NULL;
	if (p->n_funcs)
		buf_addf(
			&text,
			TR("%zu functions linked, %zu only inlined; %zu packages (%zu of modules); %zu source files",
			   "链接函数 %zu 个，仅内联 %zu 个；包 %zu 个（%zu 个属于模块）；源文件 %zu 个"),
			p->n_funcs, p->n_inlined, p->n_packages, own, p->n_files);
	probe_line(b, t, TR("code", "代码"), buf_view(&text));
	buf_clear(&text);
	if (p->n_init)
		buf_addf(&text, TR("%zu packages, %s", "%zu 个包，%s"), p->n_init,
			 p->init_order == PROBE_ORDER_TASKS
				 ? TR("the order is known", "顺序已知")
				 : TR("the order is that of the code", "顺序取自代码"));
	probe_line(b, t, "init", buf_view(&text));
	buf_clear(&text);
	for (size_t i = 0; i < p->n_embeds; i++)
		files += !p->embeds[i].directory;
	if (files)
		buf_addf(&text, TR("files: %zu, in %u embed.FS", "%zu 个文件，%u 个 embed.FS"), files,
			 p->embeds[p->n_embeds - 1].fs + 1);
	probe_line(b, t, TR("embedded", "嵌入"), buf_view(&text));
	if (p->plugin_path.n)
		probe_line(b, t, TR("plugin", "插件"), p->plugin_path);
}

static const char *answer_text(enum probe_answer a)
{
	return a == PROBE_YES ? TR("yes", "是") : a == PROBE_NO ? TR("no", "否") : TR("partly", "部分");
}

static void say_hard(const struct probe *p, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct hard_row rows[HARD_ROWS];

	hard_rows(p, rows);
	for (size_t i = 0; i < HARD_ROWS; i++) {
		if (rows[i].answer == PROBE_NONE_SUCH || rows[i].answer == PROBE_UNKNOWN)
			continue;
		buf_addf(&text, "%s%s %s", text.len ? TR(", ", "，") : "", rows[i].key,
			 answer_text(rows[i].answer));
	}
	probe_line(b, t, TR("hardening", "加固"), buf_view(&text));
}

static void say_absent(const struct probe *p, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	for (size_t i = 0; i < p->n_absent; i++) {
		buf_clear(&text);
		buf_addf(&text, "%s: %s", probe_part_name(p->absent[i].part), p->absent[i].why);
		probe_line(b, t, i ? "" : TR("absent", "缺少"), buf_view(&text));
	}
}

/* ---- lists ---- */

static void say_functions(const struct probe *p, const struct probe_view *v, struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_funcs; i++) {
		const struct probe_func *f = &p->funcs[i];
		if (!name_filter_takes(v->functions, span_of(f->name)))
			continue;
		buf_adds(b, TR("  linked   ", "  已链接   "));
		say_clean(b, span_of(f->name));
		if (f->file) {
			buf_adds(b, "  ");
			say_clean(b, span_of(f->file));
			buf_addf(b, ":%u", f->line);
		}
		buf_addc(b, '\n');
		n++;
	}
	for (size_t i = 0; i < p->n_inlined; i++) {
		const struct probe_inlined *f = &p->inlined[i];
		if (!name_filter_takes(v->functions, span_of(f->name)))
			continue;
		buf_adds(b, TR("  inlined  ", "  仅内联   "));
		say_clean(b, span_of(f->name));
		if (f->into < p->n_funcs) {
			buf_adds(b, TR("  into ", "  内联于 "));
			say_clean(b, span_of(p->funcs[f->into].name));
		}
		buf_addc(b, '\n');
		n++;
	}
	if (!n)
		buf_addf(
			b, "  %s\n",
			TR("not found: neither linked nor inlined, which proves nothing by itself (it may have become nothing, or constants)",
			   "未找到：既未链接也未内联。仅凭此不能证明什么（可能被优化为空或常量）"));
}

static void say_embeds(const struct probe *p, struct buf *b)
{
	char hex[2 * SHA256_SIZE + 1], size[32];

	for (size_t i = 0; i < p->n_embeds; i++) {
		const struct probe_embed *e = &p->embeds[i];
		if (e->directory)
			continue;
		hex_lower(e->sha256, SHA256_SIZE, hex);
		size_text(e->size, size);
		buf_addf(b, "  %u  ", e->fs);
		say_clean(b, e->name);
		buf_addf(b, "  %s  %s\n", size, e->hashed ? hex : TR("content not readable", "内容无法读取"));
	}
}

static void list_modules(const struct probe *p, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	for (size_t i = 0; i < p->n_deps; i++) {
		buf_clear(&text);
		add_module(&text, &p->deps[i]);
		buf_adds(b, "  ");
		say_clean(b, buf_view(&text));
		buf_addc(b, '\n');
	}
}

static void one(struct buf *b, struct span s)
{
	buf_adds(b, "  ");
	say_clean(b, s);
	buf_addc(b, '\n');
}

static void say_lists(const struct probe *p, const struct probe_view *v, const struct term *t, struct buf *b)
{
	if (v->functions) {
		title(b, t, TR("functions", "函数"));
		say_functions(p, v, b);
	}
	if (v->lists & LIST_MODULES && p->n_deps) {
		title(b, t, TR("modules", "模块"));
		list_modules(p, b);
	}
	if (v->lists & LIST_PACKAGES)
		title(b, t, TR("packages: functions linked, only inlined", "包：链接函数、仅内联函数"));
	for (size_t i = 0; i < p->n_packages && v->lists & LIST_PACKAGES; i++) {
		buf_addf(b, "  %6u %6u  ", p->packages[i].linked, p->packages[i].inlined);
		say_clean(b, p->packages[i].path);
		buf_addc(b, '\n');
	}
	if (v->lists & LIST_FILES)
		title(b, t, TR("source files that gave code", "产生代码的源文件"));
	for (size_t i = 0; i < p->n_files && v->lists & LIST_FILES; i++)
		one(b, span_of(p->files[i]));
	if (v->lists & LIST_INIT)
		title(b, t,
		      p->init_order == PROBE_ORDER_TASKS
			      ? TR("init, in the order in which it runs", "init，按运行顺序")
			      : TR("init, in the order of the code", "init，按代码中的顺序"));
	for (size_t i = 0; i < p->n_init && v->lists & LIST_INIT; i++)
		one(b, p->init[i].package);
	if (v->lists & LIST_EMBED) {
		title(b, t,
		      TR("embedded files: number of the embed.FS, name, size, SHA-256",
			 "嵌入的文件：embed.FS 编号、名称、大小、SHA-256"));
		say_embeds(p, b);
	}
	if (v->lists & LIST_HASHES)
		title(b, t, TR("hashes that a plugin and its host must share", "插件与宿主必须一致的哈希"));
	for (size_t i = 0; i < p->n_hashes && v->lists & LIST_HASHES; i++) {
		buf_adds(b, "  ");
		say_clean(b, p->hashes[i].linktime);
		buf_adds(b, "  ");
		say_clean(b, p->hashes[i].package);
		buf_addc(b, '\n');
	}
}

void show_probe_text(const struct probe *p, const struct probe_view *v, const struct term *t, struct buf *b)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	say_head(p, v, t, b);
	if (p->go_version.n)
		probe_line(b, t, "Go", p->go_version);
	else if (p->go_range)
		probe_line(b, t, "Go", span_of(p->go_range));
	else if (!p->go)
		probe_line(b, t, "Go", span_of(TR("none: Go has not linked this", "无：不是由 Go 链接")));
	if (p->main.path.n)
		add_module(&text, &p->main);
	probe_line(b, t, TR("module", "模块"), buf_view(&text));
	probe_line(b, t, TR("main package", "主包"), p->path);
	say_vcs(p, t, b);
	say_settings(p, t, b);
	say_modules(p, t, b);
	say_code(p, t, b);
	say_hard(p, t, b);
	probe_line(b, t, TR("build ID", "构建 ID"), p->build_id.n ? p->build_id : p->link_id);
	say_absent(p, t, b);
	say_lists(p, v, t, b);
}
