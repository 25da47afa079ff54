/* The doctor on this machine: caches, temporary files, and what GOFLAGS says for every command. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "mod/doctor_own.h"

#define MIB ((uint64_t)1 << 20)
#define FREE_ERROR (100 * MIB)
#define FREE_WARNING (1024 * MIB)
#define INODES_WARNING 20000

/* The path, or what exists of it: where it would be made. */
static const char *existing(struct doctor *d, const char *path)
{
	struct span at = span_of(path);
	struct stat st;

	for (;;) {
		const char *z = arena_str(&d->report->mem, at);
		d->report->lost |= !z;
		if (!z || stat(z, &st) == 0 || at.n <= 1)
			return z;
		at = path_dir(at);
	}
}

static void judge_room(struct doctor *d, const char *name, const char *path, const struct statvfs *v)
{
	uint64_t room = (uint64_t)v->f_bavail * v->f_frsize;
	const char *fix = doctor_text(d, TR("go clean -cache, or another disk: %s", "go clean -cache，或换到其他磁盘：%s"),
				      doctor_set(d, name, TR("/PATH", "/路径")));

	if (room < FREE_ERROR)
		doctor_error(d, DOCTOR_CACHE, CAUSE_PROC_NO_SPACE, fix, TR("%s: %llu MiB free at %s", "%s：只剩 %llu MiB 可用空间（%s）"),
			     name, (unsigned long long)(room / MIB), path);
	else if (room < FREE_WARNING)
		doctor_warn(d, DOCTOR_CACHE, CAUSE_PROC_NO_SPACE, fix, TR("%s: %llu MiB free at %s", "%s：只剩 %llu MiB 可用空间（%s）"),
			    name, (unsigned long long)(room / MIB), path);
	if (v->f_files && v->f_favail < INODES_WARNING)
		doctor_warn(d, DOCTOR_CACHE, CAUSE_PROC_NO_SPACE, fix,
			    TR("%s: %llu inodes left at %s, and a module has one for each file",
			       "%s：只剩 %llu 个 inode（%s），而模块的每个文件都要占用一个"),
			    name, (unsigned long long)v->f_favail, path);
	if (room >= FREE_WARNING)
		doctor_ok(d, DOCTOR_CACHE, TR("%s: %s, %llu GiB free", "%s：%s，可用空间 %llu GiB"), name, path,
			  (unsigned long long)(room / MIB / 1024));
}

static void judge_owner(struct doctor *d, const char *name, const char *path, const struct stat *st)
{
	if (st->st_uid == geteuid())
		return;
	const struct passwd *p = getpwuid(st->st_uid);
	doctor_warn(d, DOCTOR_CACHE, CAUSE_BUILD_CACHE, doctor_text(d, "chown -R %u %s", (unsigned)geteuid(), path),
		    TR("%s: %s belongs to %s (%u), and this is %u: files of both mix there",
		       "%s：%s 属于 %s（%u），而当前用户是 %u：两者的文件会混在一起"),
		    name, path, p ? p->pw_name : "?", (unsigned)st->st_uid, (unsigned)geteuid());
}

static void judge_folder(struct doctor *d, const char *name, const char *path)
{
	struct statvfs v;
	struct stat st;

	if (!*path || path[0] != '/') {
		doctor_error(d, DOCTOR_CACHE, CAUSE_BUILD_CACHE, doctor_set(d, name, TR("/PATH", "/路径")),
			     *path ? TR("%s is %s, which is no absolute path: go refuses it", "%s 为 %s，不是绝对路径：go 不接受")
				   : TR("%s has no value%s: go needs HOME or it", "%s 没有值%s：go 需要 HOME 或该变量"),
			     name, path);
		return;
	}
	const char *at = existing(d, path);
	if (!at || statvfs(at, &v) < 0 || stat(at, &st) < 0)
		return;
	bool made = !strcmp(at, path);
	if (!S_ISDIR(st.st_mode))
		doctor_error(d, DOCTOR_CACHE, CAUSE_BUILD_CACHE, doctor_set(d, name, TR("/PATH", "/路径")),
			     TR("%s: %s is no folder", "%s：%s 不是目录"), name, at);
	else if (v.f_flag & ST_RDONLY)
		doctor_error(d, DOCTOR_CACHE, CAUSE_PROC_READ_ONLY, doctor_set(d, name, TR("/PATH", "/路径")),
			     TR("%s: %s lies on a read-only file system", "%s：%s 位于只读文件系统"), name, at);
	else if (access(at, W_OK | X_OK) < 0)
		doctor_error(d, DOCTOR_CACHE, CAUSE_BUILD_CACHE, doctor_text(d, "chown -R %u %s", (unsigned)geteuid(), path),
			     made ? TR("%s: %s cannot be written: %m", "%s：%s 不可写：%m")
				  : TR("%s: it does not exist and cannot be made in %s: %m", "%s：不存在，也无法在 %s 中创建：%m"),
			     name, at);
	else {
		if (made)
			judge_owner(d, name, at, &st);
		judge_room(d, name, path, &v);
	}
}

static void judge_temporary(struct doctor *d)
{
	const char *own = mod_env_value(&d->env, "GOTMPDIR"), *tmp = getenv("TMPDIR"), *name = own && *own ? "GOTMPDIR" : "TMPDIR";
	const char *path = own && *own ? own : tmp && *tmp ? tmp : "/tmp";
	struct statvfs v;

	if (statvfs(path, &v) < 0)
		doctor_error(d, DOCTOR_CACHE, CAUSE_BUILD_CACHE, TR("make it, or unset the variable", "请创建该目录，或取消该变量"),
			     TR("%s is %s: %m; go needs it to build and to test", "%s 为 %s：%m；go 构建和测试都需要它"), name, path);
	else if (access(path, W_OK | X_OK) < 0)
		doctor_error(d, DOCTOR_CACHE, CAUSE_BUILD_CACHE, TR("name a folder that can be written", "请指定可写目录"),
			     TR("%s is %s, which cannot be written: %m", "%s 为 %s，不可写：%m"), name, path);
	else if (v.f_flag & ST_NOEXEC)
		doctor_error(d, DOCTOR_CACHE, CAUSE_PROC_DENIED, doctor_set(d, "GOTMPDIR", TR("/PATH", "/路径")),
			     TR("%s is %s, on a file system without execution (noexec): go cannot run the tests that it builds there",
				"%s 为 %s，所在文件系统禁止执行（noexec）：go 无法运行在那里构建的测试"),
			     name, path);
	else
		judge_room(d, name, path, &v);
}

void doctor_cache_judge(struct doctor *d)
{
	judge_folder(d, "GOMODCACHE", d->env.modcache);
	if (!strcmp(d->env.cache, "off"))
		doctor_error(d, DOCTOR_CACHE, CAUSE_BUILD_CACHE, TR("unset it", "请取消该设置"),
			     TR("GOCACHE=off: go has needed the cache since 1.12", "GOCACHE=off：自 1.12 起 go 必须使用构建缓存"));
	else
		judge_folder(d, "GOCACHE", d->env.cache);
	judge_temporary(d);
}

/* ---- GOFLAGS ---- */

static void judge_mode(struct doctor *d, struct span mode)
{
	bool vendored = d->has_tree && d->tree.n &&
			(d->tree.go_work.text.p ? d->tree.work_modules_txt.text.p : d->tree.members[0].modules_txt.text.p);

	if (span_eq(mode, S("vendor")) && d->has_tree && !vendored)
		doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_VENDOR, d->tree.go_work.text.p ? "go work vendor" : "go mod vendor",
			     TR("GOFLAGS has -mod=vendor, and there is no vendor/modules.txt",
				"GOFLAGS 含有 -mod=vendor，但没有 vendor/modules.txt"));
	else if (span_eq(mode, S("mod")) && d->has_tree && d->tree.go_work.text.p)
		doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_ENV, TR("take it out, or set GOWORK=off", "请去掉它，或设 GOWORK=off"),
			     TR("GOFLAGS has -mod=mod, which go refuses in a workspace", "GOFLAGS 含有 -mod=mod，go 在工作区中不接受它"));
	else if (span_eq(mode, S("mod")))
		doctor_warn(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_ENV,
			    TR("take it out of GOFLAGS: go mod tidy changes the files when you want it",
			       "请从 GOFLAGS 中去掉：需要修改时用 go mod tidy"),
			    TR("GOFLAGS has -mod=mod: every build may change go.mod and go.sum%s",
			       "GOFLAGS 含有 -mod=mod：每次构建都可能修改 go.mod 和 go.sum%s"),
			    vendored ? TR(", and vendor/ is not used", "，并且不使用 vendor/") : "");
	else if (!span_eq(mode, S("vendor")) && !span_eq(mode, S("readonly")))
		doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_ENV,
			     TR("write -mod=readonly, -mod=vendor or -mod=mod", "请写 -mod=readonly、-mod=vendor 或 -mod=mod"),
			     TR("GOFLAGS has -mod=%.*s, which go does not know", "GOFLAGS 含有 go 不认识的 -mod=%.*s"), SPAN_ARG(mode));
	else
		doctor_ok(d, DOCTOR_TOOLCHAIN, "GOFLAGS: -mod=%.*s", SPAN_ARG(mode));
}

static void judge_modfile(struct doctor *d, struct span file)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	if (file.p[0] != '/' && d->o->dir)
		buf_addf(&path, "%s/", d->o->dir);
	buf_span(&path, file);
	d->report->lost |= path.bad;
	if (d->env.gowork && strcmp(d->env.gowork, "off") != 0)
		doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_ENV, TR("take it out, or set GOWORK=off", "请去掉它，或设 GOWORK=off"),
			     TR("GOFLAGS has -modfile=%.*s, which go refuses in a workspace", "GOFLAGS 含有 -modfile=%.*s，go 在工作区中不接受它"),
			     SPAN_ARG(file));
	else if (!span_ends(file, S(".mod")))
		doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_ENV, TR("rename the file", "请重命名该文件"),
			     TR("GOFLAGS has -modfile=%.*s, which go refuses: its name does not end in .mod",
				"GOFLAGS 含有 -modfile=%.*s，go 不接受：文件名不以 .mod 结尾"),
			     SPAN_ARG(file));
	else if (access(buf_str(&path), R_OK) < 0)
		doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_ENV, TR("take it out, or name the file by an absolute path", "请去掉它，或使用绝对路径"),
			     TR("GOFLAGS has -modfile=%.*s, which is not there: %m", "GOFLAGS 含有 -modfile=%.*s，但无法读取：%m"), SPAN_ARG(file));
	else
		doctor_ok(d, DOCTOR_TOOLCHAIN, TR("GOFLAGS: -modfile=%.*s stands for go.mod", "GOFLAGS：以 -modfile=%.*s 代替 go.mod"), SPAN_ARG(file));
}

void doctor_flags_judge(struct doctor *d)
{
	struct span rest = span_of(d->env.flags), mode;

	while (rest.n) {
		struct span word = span_trim(span_cut(&rest, ' '));
		if (word.n && word.p[0] != '-' && word.p[0] != '\'' && word.p[0] != '"') {
			doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_ENV,
				     TR("quote a flag whose value has blanks: '-ldflags=-s -w'",
					"值中含空格的参数请加引号：'-ldflags=-s -w'"),
				     TR("GOFLAGS has a word that is no flag: go refuses it", "GOFLAGS 中有不是参数的词：go 不接受"));
			break;
		}
		if (word.n && word.p[0] != '-')
			break; /* a quoted one: what is in it is not ours to judge */
	}
	if (doctor_flag(d, "insecure", NULL))
		doctor_error(d, DOCTOR_TOOLCHAIN, CAUSE_MOD_ENV,
			     TR("take it out; GOINSECURE=PATTERN does it for single hosts", "请去掉它；GOINSECURE=模式 可针对个别主机"),
			     TR("GOFLAGS has -insecure, which go no longer has", "GOFLAGS 含有 -insecure，go 已不再支持"));
	if (doctor_flag(d, "mod", &mode))
		judge_mode(d, mode);
	if (doctor_flag(d, "modfile", &mode) && mode.n)
		judge_modfile(d, mode);
}
