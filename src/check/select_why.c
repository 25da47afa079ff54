#include "base/mem.h"
#include "check/select_own.h"

static const char *const words[ACT_WHYS] = {
	[ACT_WHY_DIR_LINK] = "folder_link",
	[ACT_WHY_HIDDEN] = "hidden",
	[ACT_WHY_NAME] = "name",
	[ACT_WHY_NO_SOURCE] = "no_source",
	[ACT_WHY_UNREAD] = "unread",
	[ACT_WHY_BUILD] = "build",
	[ACT_WHY_OLD_BUILD] = "old_build",
	[ACT_WHY_BAD_CONSTRAINT] = "bad_constraint",
	[ACT_WHY_BAD_HEAD] = "bad_head",
	[ACT_WHY_DOCUMENTATION] = "documentation",
	[ACT_WHY_PACKAGE] = "other_package",
	[ACT_WHY_CGO_OFF] = "cgo_off",
	[ACT_WHY_CGO_TEST] = "cgo_in_test",
	[ACT_WHY_NO_CGO] = "assembly_without_cgo",
	[ACT_WHY_C_WITHOUT_CGO] = "c_without_cgo",
	[ACT_WHY_STOPPED] = "stopped",
	[ACT_WHY_PATH] = "import_path",
};

const char *act_why_word(enum act_why why)
{
	return words[why];
}

static void write_name(const struct act_file *f, const struct target *t, struct buf *ret)
{
	if (!t) {
		struct goname n = goname_read(span_of(f->src->name), INT32_MAX);
		buf_addf(ret, TR("the name asks for %.*s%s%.*s", "文件名要求 %.*s%s%.*s"), SPAN_ARG(n.os),
			 n.os.p && n.arch.p ? "/" : "", SPAN_ARG(n.arch));
		return;
	}
	if (f->tag_os.p)
		buf_addf(ret, TR("the name asks for %.*s, and GOOS is %s", "文件名要求 %.*s，而 GOOS 为 %s"),
			 SPAN_ARG(f->tag_os), t->goos);
	if (f->tag_os.p && f->tag_arch.p)
		buf_adds(ret, TR("; ", "；"));
	if (f->tag_arch.p)
		buf_addf(ret,
			 TR("the name asks for %.*s, and GOARCH is %s", "文件名要求 %.*s，而 GOARCH 为 %s"),
			 SPAN_ARG(f->tag_arch), t->goarch);
}

/* Of one tag: what is so in its place. */
static void write_tag(struct span tag, bool negated, const struct target *t, struct buf *ret)
{
	if (negated)
		buf_addf(ret, TR("%.*s holds here", "此处 %.*s 成立"), SPAN_ARG(tag));
	else if (go_os_known(tag, t->go))
		buf_addf(ret, TR("GOOS is %s", "GOOS 为 %s"), t->goos);
	else if (go_arch_known(tag, t->go))
		buf_addf(ret, TR("GOARCH is %s", "GOARCH 为 %s"), t->goarch);
	else if (span_eq(tag, S("cgo")))
		buf_addf(ret, TR("cgo is off: %s", "cgo 已关闭：%s"), t->cgo_why);
	else if (span_starts(tag, S("go1.")))
		buf_addf(ret, TR("%.*s does not hold with go%s", "%.*s 在 go%s 中不成立"), SPAN_ARG(tag),
			 t->version);
	else if (span_eq(tag, S("ignore")))
		buf_adds(ret, TR("nobody sets ignore", "没有人设置 ignore"));
	else
		buf_addf(ret, TR("the tag %.*s is not set", "未设置标签 %.*s"), SPAN_ARG(tag));
}

static void write_build(const struct act_file *f, const struct target *t, struct buf *ret)
{
	const struct constraint *term = f->term;
	bool old = f->why == ACT_WHY_OLD_BUILD;

	buf_adds(ret, old ? "// +build " : "//go:build ");
	if (old) {
		/* As it stands, for blanks and commas mean something there. */
		for (size_t i = 0; i < f->src->head->n_old; i++)
			if (f->src->head->old[i].line == f->line)
				buf_span(ret, f->src->head->old[i].text);
	} else {
		constraint_write(f->expr, ret);
	}
	if (!t)
		return;
	buf_adds(ret, TR(": ", "："));
	if (term->op == CONSTRAINT_TAG || (term->op == CONSTRAINT_NOT && term->x->op == CONSTRAINT_TAG)) {
		bool negated = term->op == CONSTRAINT_NOT;
		write_tag(negated ? term->x->tag : term->tag, negated, t, ret);
		return;
	}
	CLEANUP(buf_free) struct buf part = { 0 };
	constraint_write(term, &part);
	ret->bad |= part.bad;
	buf_addf(ret, TR("%s is false", "%s 不成立"), buf_str(&part));
}

static const struct tx plain[ACT_WHYS] = {
	[ACT_BUILT] = { "it is built", "参与构建" },
	[ACT_WHY_DIR_LINK] = { "a symbolic link to a folder: go does not follow it",
			       "指向目录的符号链接：go 不会跟随" },
	[ACT_WHY_NO_SOURCE] = { "its extension is none of a source that go knows",
				"扩展名不是 go 认识的源文件类型" },
	[ACT_WHY_DOCUMENTATION] = { "package documentation: go passes over it",
				    "package documentation：go 会跳过" },
	[ACT_WHY_PACKAGE] = { "another package than the files before it: the package fails",
			      "包名与前面的文件不同：整个包会失败" },
	[ACT_WHY_CGO_TEST] = { "a test cannot import \"C\": the package fails",
			       "测试不能导入 \"C\"：整个包会失败" },
	[ACT_WHY_NO_CGO] = { "assembly for the C compiler, and no file of the package uses cgo",
			     "供 C 编译器使用的汇编，而该包没有文件使用 cgo" },
	[ACT_WHY_C_WITHOUT_CGO] = { "no file of the package uses cgo: go refuses the package",
				    "该包没有文件使用 cgo：go 会拒绝该包" },
	[ACT_WHY_STOPPED] = { "go stops at a file before it, whose build line cannot be read",
			      "go 在它之前的一个文件处停止：其构建约束无法解析" },
	[ACT_WHY_PATH] = { "the name of its folder cannot be part of an import path: the package fails",
			   "目录名不能作为导入路径的一部分：整个包会失败" },
};

static void write_cgo_off(const struct act_file *f, const struct target *t, struct buf *ret)
{
	buf_addf(ret,
		 f->src->kind == SRC_GO
			 ? TR("it imports \"C\", and cgo is off: %s", "它导入 \"C\"，而 cgo 已关闭：%s")
			 : TR("only cgo can compile it, and cgo is off: %s",
			      "只有 cgo 能编译它，而 cgo 已关闭：%s"),
		 t ? t->cgo_why : "CGO_ENABLED=0");
}

void act_why_write(const struct act_file *f, const struct target *t, struct buf *ret)
{
	const char *fault = f->src->head && f->src->head->fault_text ? f->src->head->fault_text : "";

	switch (f->why) {
	case ACT_WHY_HIDDEN:
		buf_addf(ret,
			 TR("the name begins with %c: go passes over it without a word",
			    "文件名以 %c 开头：go 会静默跳过"),
			 f->src->name[0]);
		break;
	case ACT_WHY_NAME: write_name(f, t, ret); break;
	case ACT_WHY_UNREAD:
		buf_addf(ret, TR("it cannot be read: %s", "无法读取：%s"),
			 f->src->unread ? f->src->unread : "");
		break;
	case ACT_WHY_BUILD:
	case ACT_WHY_OLD_BUILD: write_build(f, t, ret); break;
	case ACT_WHY_BAD_CONSTRAINT:
		buf_addf(ret,
			 TR("its build line cannot be read, and the package fails: %s",
			    "构建约束无法解析，整个包会失败：%s"),
			 fault);
		break;
	case ACT_WHY_BAD_HEAD:
		buf_addf(ret,
			 TR("it cannot be read as Go, and the package fails: %s",
			    "无法按 Go 解析，整个包会失败：%s"),
			 fault);
		break;
	case ACT_WHY_CGO_OFF: write_cgo_off(f, t, ret); break;
	default: buf_adds(ret, tx(plain[f->why])); break;
	}
	if (f->invalid &&
	    (f->why == ACT_WHY_NAME || f->why == ACT_WHY_BUILD || f->why == ACT_WHY_OLD_BUILD) && *fault)
		buf_addf(ret,
			 TR("; but go reads it all the same, and the package fails: %s",
			    "；但 go 仍会读取它，整个包会失败：%s"),
			 fault);
}
