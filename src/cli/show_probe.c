#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/text.h"
#include "cli/probing.h"

/* What a binary has, for machines; which functions are asked for. */

/* ---- which functions ---- */

struct name_filter {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

/* Hostile names must not cost more than this. */
enum { STEPS = 100000, DEPTH = 1000, HEAP_KIB = 4096, NAME_BYTES = 4096 };

int name_filter_new(const char *flag, const char *pattern, struct name_filter **ret, struct err *e)
{
	struct name_filter *f = mem_zalloc(sizeof(*f));
	PCRE2_SIZE at = 0;
	int code = 0;

	if (f)
		f->code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (f && !f->code) {
		char why[200] = "";
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		name_filter_free(f);
		return err_set(e, EINVAL, TR("%s: no regular expression, at byte %zu: %s", "%s：不是正则表达式，第 %zu 字节：%s"), flag, (size_t)at, why);
	}
	if (f) {
		f->data = pcre2_match_data_create(1, NULL);
		f->limits = pcre2_match_context_create(NULL);
	}
	if (!f || !f->data || !f->limits) {
		name_filter_free(f);
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	}
	pcre2_set_match_limit(f->limits, STEPS);
	pcre2_set_depth_limit(f->limits, DEPTH);
	pcre2_set_heap_limit(f->limits, HEAP_KIB);
	*ret = f;
	return 0;
}

bool name_filter_takes(const struct name_filter *f, struct span name)
{
	name = span_head(name, NAME_BYTES);
	return f && pcre2_match(f->code, (PCRE2_SPTR)name.p, name.n, 0, 0, f->data, f->limits) >= 0;
}

void name_filter_free(struct name_filter *f)
{
	if (!f)
		return;
	pcre2_code_free(f->code);
	pcre2_match_data_free(f->data);
	pcre2_match_context_free(f->limits);
	mem_free(f);
}

/* ---- what both ways share ---- */

/* Flags can hold secrets: -ldflags=-X main.token=… */
static void add_redacted(struct buf *b, struct span s)
{
	redact_text(NULL, s, b);
}

void hard_rows(const struct probe *p, struct hard_row v[HARD_ROWS])
{
	const struct probe_hardening *h = &p->hard;
	const struct hard_row rows[HARD_ROWS] = {
		{ "pie", { "position-independent (PIE, ASLR)", "位置无关（PIE、ASLR）" }, h->pie },
		{ "nx", { "stack not executable (NX)", "栈不可执行（NX）" }, h->nx },
		{ "relro", { "relocations read-only (RELRO)", "重定位只读（RELRO）" }, h->relro },
		{ "canary", { "stack canary", "栈保护值（canary）" }, h->canary },
		{ "writable_code", { "code that can be written", "可写的代码段" }, h->writable_code },
		{ "stripped", { "without symbols (stripped)", "无符号表（stripped）" }, h->stripped },
		{ "dwarf", { "DWARF for debuggers", "DWARF 调试信息" }, h->dwarf },
		{ "dynamic", { "needs shared libraries or a loader", "需要共享库或加载器" }, h->dynamic },
		{ "signature", { "signed", "已签名" }, h->signature },
		{ "high_entropy_va", { "high-entropy ASLR", "高熵 ASLR" }, h->aslr_high_entropy },
		{ "cfg", { "control flow guard", "控制流保护（CFG）" }, h->cfg },
		{ "cgo", { "cgo", "cgo" }, h->cgo },
		{ "trimpath", { "-trimpath", "-trimpath" }, h->trimpath },
		{ "race", { "-race", "-race" }, h->race },
		{ "cover", { "-cover", "-cover" }, h->cover },
	};

	memcpy(v, rows, sizeof(rows));
}

static const char *const orders[] = { "none", "names", "tasks" };
static const char *const version_sources[] = { "none", "build_info", "runtime" };

/* ---- JSON ---- */

static void member(struct json_out *j, const char *key, struct span value)
{
	json_member_str(j, key, value.n ? value : (struct span){ 0 });
}

static void put_module(struct json_out *j, const struct probe_module *m)
{
	json_open(j, '{');
	member(j, "path", m->path);
	member(j, "version", m->version);
	member(j, "sum", m->sum);
	if (m->replaced_by) {
		json_key(j, "replace");
		put_module(j, m->replaced_by);
	}
	json_close(j, '}');
}

static void put_build(const struct probe *p, struct json_out *j)
{
	member(j, "go", p->go_version);
	json_member_strz(j, "go_from", version_sources[p->go_version_from]);
	json_member_strz(j, "go_range", p->go_range);
	member(j, "build_id", p->build_id);
	member(j, "link_id", p->link_id);
	member(j, "path", p->path);
	json_key(j, "module");
	if (p->main.path.n)
		put_module(j, &p->main);
	else
		json_null(j);
	json_member_open(j, "deps", '[');
	for (size_t i = 0; i < p->n_deps; i++)
		put_module(j, &p->deps[i]);
	json_close(j, ']');
	json_member_open(j, "settings", '{');
	for (size_t i = 0; i < p->n_settings; i++) {
		CLEANUP(buf_free) struct buf key = { 0 }, value = { 0 };
		text_clean(p->settings[i].key, false, &key);
		add_redacted(&value, p->settings[i].value);
		json_member_str(j, buf_str(&key), value.len ? buf_view(&value) : S(""));
	}
	json_close(j, '}');
}

static void put_function(struct json_out *j, const struct probe *p, const char *name, bool linked, const char *file, uint32_t line, uint32_t package)
{
	json_open(j, '{');
	json_member_strz(j, "name", name);
	json_member_strz(j, "state", linked ? "linked" : "inlined");
	json_member_str(j, "package", package == PROBE_NO_PACKAGE ? (struct span){ 0 } : p->packages[package].path);
	if (file) {
		json_member_strz(j, "file", file);
	}
	if (line) {
		json_member_int(j, "line", line);
	}
}

static void put_functions(const struct probe *p, const struct probe_view *v, struct json_out *j)
{
	json_member_open(j, "functions", '{');
	json_member_int(j, "linked", (int64_t)p->n_funcs);
	json_member_int(j, "inlined", (int64_t)p->n_inlined);
	if (v->functions) {
		json_member_open(j, "list", '[');
		for (size_t i = 0; i < p->n_funcs; i++) {
			const struct probe_func *f = &p->funcs[i];
			if (!name_filter_takes(v->functions, span_of(f->name)))
				continue;
			put_function(j, p, f->name, true, f->file, f->line, f->package);
			json_member_int(j, "address", (int64_t)f->entry);
			json_close(j, '}');
		}
		for (size_t i = 0; i < p->n_inlined; i++) {
			const struct probe_inlined *f = &p->inlined[i];
			if (!name_filter_takes(v->functions, span_of(f->name)))
				continue;
			put_function(j, p, f->name, false, NULL, f->line, f->package);
			json_member_strz(j, "into", p->funcs[f->into].name);
			json_close(j, '}');
		}
		json_close(j, ']');
	}
	json_close(j, '}');
}

static void put_code(const struct probe *p, const struct probe_view *v, struct json_out *j)
{
	json_member_open(j, "packages", '[');
	for (size_t i = 0; i < p->n_packages; i++)
		json_str(j, p->packages[i].path);
	json_close(j, ']');
	put_functions(p, v, j);
	json_member_open(j, "files", '[');
	for (size_t i = 0; i < p->n_files; i++)
		json_strz(j, p->files[i]);
	json_close(j, ']');
	json_member_open(j, "init", '[');
	for (size_t i = 0; i < p->n_init; i++)
		json_str(j, p->init[i].package);
	json_close(j, ']');
	json_member_strz(j, "init_order", orders[p->init_order]);
	json_member_open(j, "embeds", '[');
	for (size_t i = 0; i < p->n_embeds; i++) {
		const struct probe_embed *e = &p->embeds[i];
		char hex[2 * SHA256_SIZE + 1];
		json_open(j, '{');
		json_member_int(j, "fs", e->fs);
		json_member_str(j, "name", e->name);
		if (!e->directory) {
			json_member_int(j, "size", (int64_t)e->size);
			hex_lower(e->sha256, SHA256_SIZE, hex);
			json_member_strz(j, "sha256", e->hashed ? hex : NULL);
		}
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_plugin(const struct probe *p, struct json_out *j)
{
	if (!p->plugin_path.n && !p->n_hashes)
		return;
	json_member_open(j, "plugin", '{');
	member(j, "path", p->plugin_path);
	json_member_open(j, "hashes", '[');
	for (size_t i = 0; i < p->n_hashes; i++) {
		json_open(j, '{');
		member(j, "package", p->hashes[i].package);
		member(j, "hash", p->hashes[i].linktime);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void put_hard(const struct probe *p, struct json_out *j)
{
	struct hard_row rows[HARD_ROWS];

	hard_rows(p, rows);
	json_member_open(j, "hardening", '{');
	for (size_t i = 0; i < HARD_ROWS; i++) {
		json_member_strz(j, rows[i].key, probe_answer_name(rows[i].answer));
	}
	json_close(j, '}');
	json_member_open(j, "libraries", '[');
	for (size_t i = 0; i < p->n_libraries; i++)
		json_str(j, p->libraries[i]);
	json_close(j, ']');
}

void show_probe_json(const struct probe *p, const struct probe_view *v, struct json_out *j)
{
	json_member_strz(j, "file", v->file);
	json_member_int(j, "size", (int64_t)p->size);
	json_member_strz(j, "format", probe_format_name(p->format));
	json_member_strz(j, "kind", probe_kind_name(p->kind));
	json_member_strz(j, "arch", p->arch);
	member(j, "os", p->os);
	json_member_int(j, "bits", p->bits);
	json_member_bool(j, "big_endian", p->big_endian);
	if (p->n_slices) {
		json_member_open(j, "slices", '[');
		for (size_t i = 0; i < p->n_slices; i++)
			json_strz(j, p->slices[i].arch);
		json_close(j, ']');
	}
	json_member_strz(j, "packer", p->packer);
	json_member_bool(j, "garbled", p->garbled);
	if (p->kind == PROBE_CORE)
		member(j, "core_of", p->core_of);
	put_build(p, j);
	if (!v->build_only) {
		put_code(p, v, j);
		put_plugin(p, j);
	}
	put_hard(p, j);
	json_member_open(j, "absent", '[');
	for (size_t i = 0; i < p->n_absent; i++) {
		json_open(j, '{');
		json_member_strz(j, "part", probe_part_key(p->absent[i].part));
		json_member_strz(j, "reason", p->absent[i].key);
		json_member_strz(j, "why", p->absent[i].why);
		json_close(j, '}');
	}
	json_close(j, ']');
}
