#include <stdio.h>

#include "base/mem.h"
#include "probe/own.h"

/* What of a binary is absent, and why: rows, and the order in which reasons are tried. */

static const struct {
	const char *key;
	struct tx name;
} parts[PROBE_PARTS] = {
	[PROBE_PART_BUILD_INFO] = { "build_info", { "build info", "构建信息" } },
	[PROBE_PART_MODULE] = { "module", { "main module", "主模块" } },
	[PROBE_PART_VCS] = { "vcs", { "VCS revision", "版本控制修订" } },
	[PROBE_PART_BUILD_ID] = { "build_id", { "build ID", "构建 ID" } },
	[PROBE_PART_GO_VERSION] = { "go", { "Go version", "Go 版本" } },
	[PROBE_PART_FUNCTIONS] = { "functions", { "functions", "函数" } },
	[PROBE_PART_INLINED] = { "inlined", { "inlined functions", "内联函数" } },
	[PROBE_PART_FILES] = { "files", { "source files", "源文件" } },
	[PROBE_PART_INIT] = { "init", { "order of init", "init 顺序" } },
	[PROBE_PART_EMBEDS] = { "embeds", { "embedded files", "嵌入文件" } },
	[PROBE_PART_HASHES] = { "plugin_hashes", { "plugin hashes", "插件哈希" } },
	[PROBE_PART_SYMBOLS] = { "symbols", { "symbol table", "符号表" } },
	[PROBE_PART_LDFLAGS] = { "ldflags", { "-ldflags", "-ldflags" } },
};

const char *probe_part_key(enum probe_part p)
{
	return parts[p].key;
}

const char *probe_part_name(enum probe_part p)
{
	return tx(parts[p].name);
}

enum why {
	WHY_PACKED,
	WHY_CORE,
	WHY_OBJECT,
	WHY_NOT_GO,
	WHY_TRUNCATED,
	WHY_GARBLED,
	WHY_OLD,
	WHY_OMITTED,
	WHY_OLD_PLUGIN,
	WHY_EMPTY,
	WHY_FROM_FILES,
	WHY_NO_MODULE,
	WHY_DOWNLOADED,
	WHY_BEFORE_VCS,
	WHY_NOT_STAMPED,
	WHY_NO_ID,
	WHY_NO_TABLE,
	WHY_DAMAGED,
	WHY_UNKNOWN_SHAPE,
	WHY_DAMAGED_TREES,
	WHY_ONLY_NAMES,
	WHY_NO_TASKS,
	WHY_STRIPPED,
	WHY_TRIMMED,
	WHY_FULL,
};

static const struct {
	const char *key;
	struct tx text;
} reasons[] = {
	[WHY_PACKED] = { "packed",
			 { "the binary is packed: unpack it first (upx -d), then probe again",
			   "二进制已加壳：先解压（upx -d）再探查" } },
	[WHY_CORE] = { "core",
		       { "a core file has a process' memory, not its binary: probe the program itself",
			 "core 文件只有进程内存，没有二进制本身：请探查程序文件" } },
	[WHY_OBJECT] = { "object",
			 { "an object that is not linked yet: the linker writes it",
			   "尚未链接的目标文件：该内容由链接器写入" } },
	[WHY_NOT_GO] = { "not_go", { "nothing in it was linked by Go", "其中没有任何由 Go 链接的内容" } },
	[WHY_TRUNCATED] = { "truncated",
			    { "the file ends before the place where its headers say it stands",
			      "文件在其头部所说的位置之前就结束了" } },
	[WHY_GARBLED] = { "garbled",
			  { "the binary is garbled: names were replaced and tables disguised",
			    "二进制经过混淆（garble）：名称被替换，表被伪装" } },
	[WHY_OLD] = { "old",
		      { "Go 1.15 or older: its tables have another shape", "Go 1.15 或更早：表的结构不同" } },
	[WHY_OMITTED] = { "omitted",
			  { "the linker that made it was changed, or told, to leave it out",
			    "生成它的链接器被修改或被要求省略该内容" } },
	[WHY_OLD_PLUGIN] = { "old_plugin",
			     { "to Go 1.19 plugins and -linkshared outputs have none",
			       "Go 1.19 及以前的插件和 -linkshared 产物没有该内容" } },
	[WHY_EMPTY] = { "empty",
			{ "there is a version and no text: not built by `go build` with modules",
			  "只有版本而没有文本：不是由带模块的 `go build` 构建" } },
	[WHY_FROM_FILES] = { "from_files",
			     { "built from files (`go build main.go`), not from a package: name the package instead",
			       "由文件构建（`go build main.go`）而不是由包构建：请改用包名" } },
	[WHY_NO_MODULE] = { "no_module", { "built outside of a module", "在模块之外构建" } },
	[WHY_DOWNLOADED] = { "downloaded",
			     { "built from a downloaded module: its version says what it is",
			       "由下载的模块构建：其版本即说明来源" } },
	[WHY_BEFORE_VCS] = { "before_1.18", { "Go writes it from 1.18 on", "Go 从 1.18 起才写入" } },
	[WHY_NOT_STAMPED] = { "not_stamped",
			      { "built with -buildvcs=false, outside of its repository, or where its VCS tool was not at hand",
				"以 -buildvcs=false 构建、在仓库之外构建，或构建时没有版本控制工具" } },
	[WHY_NO_ID] = { "no_id",
			{ "the linker was told to leave it out (-buildid=)",
			  "链接器被要求省略（-buildid=）" } },
	[WHY_NO_TABLE] = { "no_table", { "no table of functions was found", "没有找到函数表" } },
	[WHY_DAMAGED] = { "damaged",
			  { "the table of functions is damaged: what stands behind the damage is not known",
			    "函数表已损坏：损坏处之后的内容未知" } },
	[WHY_UNKNOWN_SHAPE] = { "unknown_shape",
				{ "the runtime's list of tables was not found, or is of a version that this one does not know",
				  "没有找到运行时的表清单，或其版本未知" } },
	[WHY_DAMAGED_TREES] = { "damaged_trees",
				{ "some inline trees are damaged: names may be missing",
				  "部分内联树已损坏：可能缺少名称" } },
	[WHY_ONLY_NAMES] = { "only_names",
			     { "to Go 1.20 only symbols tell the exact order, and they were removed: the order of the code is shown",
			       "Go 1.20 及以前只有符号能说明确切顺序，而符号已被移除：显示代码中的顺序" } },
	[WHY_NO_TASKS] = { "no_tasks", { "the list of tasks was not found", "没有找到任务清单" } },
	[WHY_STRIPPED] = { "stripped",
			   { "removed with -ldflags=-s or strip; functions are known without it, only the type arguments of generic ones are not",
			     "已由 -ldflags=-s 或 strip 移除；没有它也能知道函数，只是不知道泛型函数的类型参数" } },
	[WHY_TRIMMED] = { "trimpath",
			  { "-trimpath keeps go from writing -ldflags and CGO_*FLAGS down",
			    "-trimpath 使 go 不记录 -ldflags 和 CGO_*FLAGS" } },
	[WHY_FULL] = { "limit",
		       { "more of it than a file of this size can have: the rest was not read",
			 "数量超过该大小的文件所能容纳：其余未读" } },
};

static void absent(struct reading *r, enum probe_part part, enum why why)
{
	struct probe_absent *v = (struct probe_absent *)r->p->absent;

	if (v && r->p->n_absent < 2 * PROBE_PARTS)
		v[r->p->n_absent++] = (struct probe_absent){ part, reasons[why].key, tx(reasons[why].text) };
}

/* What explains the absence of anything; false: nothing does. */
static bool general(const struct reading *r, enum why *ret)
{
	const struct probe *p = r->p;
	const struct {
		bool is;
		enum why why;
	} rows[] = {
		{ p->packer != NULL, WHY_PACKED },
		{ p->kind == PROBE_CORE, WHY_CORE },
		{ p->kind == PROBE_OBJECT, WHY_OBJECT },
		{ p->truncated || p->changed, WHY_TRUNCATED },
		{ !p->go, WHY_NOT_GO },
		{ p->garbled, WHY_GARBLED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].is) {
			*ret = rows[i].why;
			return true;
		}
	return false;
}

static enum why or_general(const struct reading *r, enum why why)
{
	enum why g;

	return general(r, &g) ? g : why;
}

static void explain_build(struct reading *r)
{
	const struct probe *p = r->p;
	bool files = span_eq(p->path, S("command-line-arguments"));

	if (!p->build_info) {
		bool version = p->go_version_from == PROBE_VERSION_BUILD_INFO;
		absent(r, PROBE_PART_BUILD_INFO,
		       or_general(r, version                                               ? WHY_EMPTY
				     : p->kind == PROBE_PLUGIN || p->kind == PROBE_LIBRARY ? WHY_OLD_PLUGIN
											   : WHY_OMITTED));
	} else if (!p->main.path.n) {
		absent(r, PROBE_PART_MODULE, files ? WHY_FROM_FILES : WHY_NO_MODULE);
	}
	if (p->build_info && !probe_setting(p, "vcs.revision").p)
		absent(r, PROBE_PART_VCS,
		       p->n_settings == 0 ? WHY_BEFORE_VCS
		       : files            ? WHY_FROM_FILES
		       : p->main.sum.n    ? WHY_DOWNLOADED
					  : WHY_NOT_STAMPED);
	if (!p->build_id.n)
		absent(r, PROBE_PART_BUILD_ID, or_general(r, WHY_NO_ID));
	if (!p->go_version.n && p->go)
		absent(r, PROBE_PART_GO_VERSION,
		       or_general(r, p->kind == PROBE_PLUGIN ? WHY_OLD_PLUGIN : WHY_OMITTED));
	if (p->hard.trimpath == PROBE_YES && p->build_info && !probe_setting(p, "-ldflags").p)
		absent(r, PROBE_PART_LDFLAGS, WHY_TRIMMED);
	if (p->hard.stripped == PROBE_YES)
		absent(r, PROBE_PART_SYMBOLS, WHY_STRIPPED);
}

static void explain_functions(struct reading *r)
{
	const struct probe *p = r->p;

	if (!p->n_funcs) {
		bool old = p->go_range && r->t.shape == SHAPE_NONE;
		absent(r, PROBE_PART_FUNCTIONS,
		       old ? WHY_OLD : or_general(r, r->damaged_functions ? WHY_DAMAGED : WHY_NO_TABLE));
		return;
	}
	if (r->damaged_functions)
		absent(r, PROBE_PART_FUNCTIONS, WHY_DAMAGED);
	else if (r->full)
		absent(r, PROBE_PART_FUNCTIONS, WHY_FULL);
	if (r->damaged_trees)
		absent(r, PROBE_PART_INLINED, WHY_DAMAGED_TREES);
	else if (!p->n_inlined && r->t.shape != SHAPE_116 && !r->md.inline_base)
		absent(r, PROBE_PART_INLINED, or_general(r, WHY_UNKNOWN_SHAPE));
	if (!p->n_files)
		absent(r, PROBE_PART_FILES, or_general(r, WHY_DAMAGED));
	if (p->init_order == PROBE_ORDER_NAMES)
		absent(r, PROBE_PART_INIT,
		       module_word_inittasks(r) >= 0 ? WHY_NO_TASKS
		       : r->md.layout                ? WHY_ONLY_NAMES
						     : WHY_UNKNOWN_SHAPE);
	else if (p->init_order == PROBE_ORDER_NONE)
		absent(r, PROBE_PART_INIT, or_general(r, r->md.layout ? WHY_NO_TASKS : WHY_UNKNOWN_SHAPE));
	if (p->kind == PROBE_PLUGIN && !p->n_hashes)
		absent(r, PROBE_PART_HASHES, or_general(r, WHY_UNKNOWN_SHAPE));
}

void reading_explain(struct reading *r, bool build_only)
{
	r->p->absent = reading_room(r, 2 * PROBE_PARTS, sizeof(struct probe_absent));
	explain_build(r);
	if (!build_only)
		explain_functions(r);
}
