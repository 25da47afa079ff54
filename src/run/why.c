#include "run/why.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

#define HEAD_MAX 4096
#define ONE_ARGUMENT_MAX 131072 /* MAX_ARG_STRLEN: 32 pages */

/* Texts get the file as %s (twice where it says so), in the order of the arguments. */
#define SAY(w, en, zh, ...) snprintf((w)->text, sizeof((w)->text), TR(en, zh), __VA_ARGS__)

/* ---- pure parts ---- */

struct span why_interpreter(struct span head, bool *cr)
{
	*cr = false;
	if (!span_skip(&head, S("#!")))
		return (struct span){ 0 };
	struct span line = span_cut(&head, '\n');
	*cr = span_ends(line, S("\r"));
	while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		line = span_from(line, 1);
	size_t n = 0;
	while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t' && line.p[n] != '\0')
		n++;
	return span_head(line, n);
}

static uint64_t number(const unsigned char *p, size_t n, bool big)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * (big ? n - 1 - i : i);
	return v;
}

struct elf_facts why_elf(struct span head, uint64_t file_size)
{
	const unsigned char *p = (const unsigned char *)head.p;
	struct elf_facts f = { .elf = head.n >= 20 && memcmp(p, ELFMAG, SELFMAG) == 0 };

	if (!f.elf)
		return f;
	bool wide = p[EI_CLASS] == ELFCLASS64;
	f.bits = wide ? 64 : 32;
	f.big_endian = p[EI_DATA] == ELFDATA2MSB;
	f.machine = (int)number(p + 18, 2, f.big_endian);
	if (head.n < (wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
		return f;
	uint64_t phoff = number(p + (wide ? 32 : 28), wide ? 8 : 4, f.big_endian);
	uint64_t size = number(p + (wide ? 54 : 42), 2, f.big_endian), count = number(p + (wide ? 56 : 44), 2, f.big_endian);
	f.whole = phoff <= file_size && size * count <= file_size - phoff;
	for (uint64_t i = 0; i < count && size >= (wide ? 56 : 32); i++) {
		if (phoff > head.n || (i + 1) * size > head.n - phoff)
			break;
		const unsigned char *h = p + phoff + i * size;
		uint64_t type = number(h, 4, f.big_endian);
		uint64_t at = number(h + (wide ? 8 : 4), wide ? 8 : 4, f.big_endian);
		uint64_t len = number(h + (wide ? 32 : 16), wide ? 8 : 4, f.big_endian);
		if (at > file_size || len > file_size - at)
			f.whole = false;
		if (type == PT_DYNAMIC)
			f.dynamic = true;
		if (type == PT_INTERP) {
			f.loader_at = at;
			f.loader_size = len;
		}
	}
	return f;
}

const char *why_machine(int e_machine)
{
	static const struct { int machine; const char *name; } known[] = {
		{ EM_X86_64, "amd64 (x86-64)" }, { EM_386, "386 (x86)" }, { EM_AARCH64, "arm64" }, { EM_ARM, "arm" },
		{ EM_RISCV, "riscv64" }, { EM_PPC64, "ppc64" }, { EM_S390, "s390x" }, { EM_MIPS, "mips" },
		{ EM_LOONGARCH, "loong64" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].machine == e_machine)
			return known[i].name;
	return NULL;
}

const char *why_foreign(struct span head)
{
	static const struct { const char magic[5]; size_t n; const char *name; } known[] = {
		{ "MZ", 2, "Windows" }, { "\xcf\xfa\xed\xfe", 4, "macOS" }, { "\xce\xfa\xed\xfe", 4, "macOS" },
		{ "\xca\xfe\xba\xbe", 4, "macOS" }, { { 0, 'a', 's', 'm', 0 }, 4, "WebAssembly" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (head.n >= known[i].n && memcmp(head.p, known[i].magic, known[i].n) == 0)
			return known[i].name;
	return NULL;
}

/* ---- what the file system shows ---- */

static struct span file_head(const char *path, char *to, size_t room)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : pread(fd, to, room, 0);

	return n < 0 ? (struct span){ 0 } : (struct span){ to, (size_t)n };
}

static int own_machine(void)
{
	static char head[64];

	return why_elf(file_head("/proc/self/exe", head, sizeof(head)), UINT64_MAX).machine;
}

static bool cwd_is_gone(void)
{
	char cwd[PATH_MAX];

	return !getcwd(cwd, sizeof(cwd)) && errno == ENOENT;
}

/* The first element of the path for which `bad` holds, in `to`; false: none. */
static bool first_bad(const char *path, bool (*bad)(const char *part), char *to, size_t room)
{
	for (size_t n = 1; n <= strlen(path); n++) {
		if (path[n] != '/' && path[n] != '\0')
			continue;
		if (n >= room)
			return false;
		memcpy(to, path, n);
		to[n] = '\0';
		if (bad(to))
			return true;
	}
	return false;
}

static bool is_missing(const char *part)
{
	struct stat st;

	return lstat(part, &st) < 0 && errno == ENOENT;
}

static bool is_no_directory(const char *part)
{
	struct stat st;

	return stat(part, &st) == 0 && !S_ISDIR(st.st_mode);
}

static bool is_closed_directory(const char *part)
{
	struct stat st;

	return stat(part, &st) == 0 && S_ISDIR(st.st_mode) && eaccess(part, X_OK) < 0;
}

/* ---- one function a row of the table below: false hands on to the next row ---- */

static bool not_in_path(const struct start_failure *f, struct why *w)
{
	if (strchr(f->name, '/') || f->path != f->name)
		return false;
	w->cause = CAUSE_PROC_NOT_FOUND;
	if (!*f->name)
		SAY(w, "the command is an empty word: check the variable that it came from%s",
		    "命令是一个空字符串：请检查它来自哪个变量%s", "");
	else if (f->search && *f->search)
		SAY(w, "'%s' is in no directory of PATH (%.300s): install it, or give its path",
		    "PATH 的各个目录中都没有“%s”（%.300s）：请安装它，或写出它的路径", f->name, f->search);
	else
		SAY(w, "'%s' was not found, and PATH is empty: set PATH, or give its path",
		    "找不到“%s”，并且 PATH 为空：请设置 PATH，或写出它的路径", f->name);
	return true;
}

static bool cwd_gone(const struct start_failure *f, struct why *w)
{
	if (f->path[0] == '/' || !cwd_is_gone())
		return false;
	w->cause = CAUSE_PROC_NOT_FOUND;
	SAY(w, "'%s' cannot be found because the working directory was removed: change to one that exists",
	    "找不到“%s”，因为当前工作目录已被删除：请切换到存在的目录", f->path);
	return true;
}

static bool file_missing(const struct start_failure *f, struct why *w)
{
	char part[PATH_MAX], to[PATH_MAX];
	struct stat st;

	if (stat(f->path, &st) == 0)
		return false;
	w->cause = CAUSE_PROC_NOT_FOUND;
	ssize_t n = readlink(f->path, to, sizeof(to) - 1);
	if (n > 0) {
		to[n] = '\0';
		SAY(w, "'%s' is a symbolic link to '%.200s', which does not exist: mend the link",
		    "“%s”是指向“%.200s”的符号链接，而目标不存在：请修正该链接", f->path, to);
	} else if (first_bad(f->path, is_missing, part, sizeof(part)) && strcmp(part, f->path) != 0) {
		SAY(w, "'%s' does not exist: there is no directory '%.200s'", "“%s”不存在：没有目录“%.200s”",
		    f->path, part);
	} else {
		SAY(w, "'%s' does not exist: check the spelling, or build it first",
		    "“%s”不存在：请检查拼写，或先构建它", f->path);
	}
	return true;
}

static bool interpreter_missing(const struct start_failure *f, struct why *w)
{
	char head[HEAD_MAX], name[PATH_MAX];
	struct stat st;
	bool cr;
	struct span in = why_interpreter(file_head(f->path, head, sizeof(head)), &cr);

	if (!in.n)
		return false;
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(in));
	bool there = stat(name, &st) == 0;
	if (there && (f->err != EACCES || eaccess(name, X_OK) == 0))
		return false; /* the interpreter is fine: it is something else */
	w->cause = CAUSE_PROC_INTERPRETER;
	if (cr)
		SAY(w, "the first line of '%s' ends in CR LF, so that its interpreter is not found: save it with Unix line ends",
		    "“%s”的第一行以 CR LF 结尾，因此找不到解释器：请用 Unix 换行符保存", f->path);
	else if (there)
		SAY(w, "'%s' needs the interpreter '%.200s', which may not be executed: check its permissions",
		    "“%s”需要解释器“%.200s”，但没有执行它的权限：请检查其权限", f->path, name);
	else
		SAY(w, "'%s' needs the interpreter '%.200s', which does not exist: install it, or mend the first line",
		    "“%s”需要解释器“%.200s”，但它不存在：请安装它，或修改第一行", f->path, name);
	return true;
}

static bool loader_missing(const struct start_failure *f, struct why *w)
{
	char head[HEAD_MAX], loader[PATH_MAX] = "";
	struct stat st;
	CLEANUP(fd_close) int fd = open(f->path, O_RDONLY | O_CLOEXEC);
	struct span h = file_head(f->path, head, sizeof(head));

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	struct elf_facts elf = why_elf(h, (uint64_t)st.st_size);
	if (!elf.elf || !elf.loader_size || elf.loader_size >= sizeof(loader) ||
	    pread(fd, loader, elf.loader_size, (off_t)elf.loader_at) < 0 || stat(loader, &st) == 0)
		return false;
	w->cause = CAUSE_PROC_LOADER;
	SAY(w, "'%s' needs the loader '%.200s', which does not exist: it was built for another libc; build it with CGO_ENABLED=0 or install that libc",
	    "“%s”需要加载器“%.200s”，但它不存在：该文件为另一种 libc 构建；请用 CGO_ENABLED=0 重新构建，或安装该 libc", f->path, loader);
	return true;
}

static bool is_directory(const struct start_failure *f, struct why *w)
{
	struct stat st;

	if (stat(f->path, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	w->cause = CAUSE_PROC_DENIED;
	SAY(w, "'%s' is a directory, not a program: name the file in it", "“%s”是目录而不是程序：请写出其中的文件名",
	    f->path);
	return true;
}

static bool closed_directory(const struct start_failure *f, struct why *w)
{
	char part[PATH_MAX];

	if (!first_bad(f->path, is_closed_directory, part, sizeof(part)))
		return false;
	w->cause = CAUSE_PROC_DENIED;
	SAY(w, "'%s' cannot be reached: no right to search the directory '%.200s'; chmod +x it, or run as its owner",
	    "无法访问“%s”：没有进入目录“%.200s”的权限；请对它 chmod +x，或以其所有者身份运行", f->path, part);
	return true;
}

static bool no_x_bit(const struct start_failure *f, struct why *w)
{
	struct stat st;

	if (stat(f->path, &st) < 0 || (S_ISREG(st.st_mode) && st.st_mode & 0111 && eaccess(f->path, X_OK) == 0))
		return false;
	struct statvfs fs;
	if (st.st_mode & 0111 && statvfs(f->path, &fs) == 0 && fs.f_flag & ST_NOEXEC)
		return false;
	w->cause = CAUSE_PROC_DENIED;
	if (!S_ISREG(st.st_mode))
		SAY(w, "'%s' is not a regular file and cannot be executed", "“%s”不是普通文件，无法执行", f->path);
	else if (!(st.st_mode & 0111))
		SAY(w, "'%s' is not executable: chmod +x it", "“%s”没有可执行权限：请对它 chmod +x", f->path);
	else
		SAY(w, "'%s' may not be executed by this user: check its owner and mode",
		    "当前用户无权执行“%s”：请检查其所有者和权限", f->path);
	return true;
}

static bool noexec_mount(const struct start_failure *f, struct why *w)
{
	struct statvfs fs;

	if (statvfs(f->path, &fs) < 0 || !(fs.f_flag & ST_NOEXEC))
		return false;
	w->cause = CAUSE_PROC_DENIED;
	SAY(w, "'%s' is on a file system mounted noexec: copy it elsewhere (for Go, set GOTMPDIR), or remount with exec",
	    "“%s”位于以 noexec 挂载的文件系统上：请复制到别处（Go 可设置 GOTMPDIR），或以 exec 重新挂载", f->path);
	return true;
}

static bool denied(const struct start_failure *f, struct why *w)
{
	w->cause = CAUSE_PROC_DENIED;
	SAY(w, "the system refused to execute '%s' (%s): check a security policy such as SELinux, AppArmor or seccomp",
	    "系统拒绝执行“%s”（%s）：请检查 SELinux、AppArmor 或 seccomp 等安全策略", f->path, strerror(f->err));
	return true;
}

static void say_elf(const struct start_failure *f, const struct elf_facts *elf, struct why *w)
{
	int own = own_machine();
	const char *theirs = why_machine(elf->machine), *ours = why_machine(own);

	if (elf->machine != EM_NONE && elf->machine != own)
		SAY(w, "'%s' is built for %s, this machine is %s: build it with the right GOARCH",
		    "“%s”是为 %s 构建的，而本机是 %s：请用正确的 GOARCH 构建", f->path,
		    theirs ? theirs : TR("another processor", "其他处理器"), ours ? ours : "?");
	else if (!elf->whole)
		SAY(w, "'%s' is cut short: its headers point behind its end; build or download it again",
		    "“%s”不完整：文件头指向了文件末尾之后；请重新构建或下载", f->path);
	else
		SAY(w, "'%s' is an ELF file that the kernel cannot load: it is damaged or no program; build it again",
		    "“%s”是内核无法加载的 ELF 文件：已损坏或不是程序；请重新构建", f->path);
}

static bool wrong_format(const struct start_failure *f, struct why *w)
{
	char head[HEAD_MAX];
	struct stat st = { 0 };
	struct span h = file_head(f->path, head, sizeof(head));
	const char *foreign = why_foreign(h);

	w->cause = CAUSE_PROC_EXEC_FORMAT;
	stat(f->path, &st);
	struct elf_facts elf = why_elf(h, (uint64_t)st.st_size);
	if (st.st_size == 0)
		SAY(w, "'%s' is empty: the build or download that should have written it did not finish",
		    "“%s”是空文件：本应写入它的构建或下载没有完成", f->path);
	else if (elf.elf)
		say_elf(f, &elf, w);
	else if (span_starts(h, S("\177ELF")))
		SAY(w, "'%s' is cut short after %lld bytes: build or download it again",
		    "“%s”不完整，只有 %lld 字节：请重新构建或下载", f->path, (long long)st.st_size);
	else if (foreign)
		SAY(w, "'%s' is a program for %s: build it with GOOS=linux", "“%s”是 %s 的程序：请用 GOOS=linux 构建",
		    f->path, foreign);
	else
		SAY(w, "'%s' is neither a program nor a script that this machine knows",
		    "“%s”既不是本机认识的程序，也不是脚本", f->path);
	return true;
}

static bool not_a_directory(const struct start_failure *f, struct why *w)
{
	char part[PATH_MAX];

	w->cause = CAUSE_PROC_NOT_FOUND;
	if (first_bad(f->path, is_no_directory, part, sizeof(part)))
		SAY(w, "'%s' cannot exist: '%.200s' is a file, not a directory", "“%s”不可能存在：“%.200s”是文件而不是目录",
		    f->path, part);
	else
		SAY(w, "'%s' cannot be reached: a part of its path is not a directory",
		    "无法访问“%s”：路径的一部分不是目录", f->path);
	return true;
}

static bool too_big(const struct start_failure *f, struct why *w)
{
	w->cause = CAUSE_PROC_LIMIT;
	for (size_t i = 0; f->argv && f->argv[i]; i++) {
		size_t n = strlen(f->argv[i]);
		if (n < ONE_ARGUMENT_MAX)
			continue;
		SAY(w, "'%s' was not started: argument %zu has %zu bytes, the kernel takes 131071; pass it in a file",
		    "未能启动“%s”：第 %zu 个参数有 %zu 字节，内核最多接受 131071；请改用文件传递", f->path, i, n);
		return true;
	}
	SAY(w, "'%s' was not started: its arguments and environment are too big together; use fewer, xargs, or a file",
	    "未能启动“%s”：参数和环境变量合起来太大；请减少数量、使用 xargs 或文件", f->path);
	return true;
}

static bool simple(const struct start_failure *f, struct why *w)
{
	static const struct { int err; enum cause cause; struct tx text; } known[] = {
		{ ELOOP, CAUSE_PROC_NOT_FOUND, { "'%s' cannot be reached: its symbolic links form a loop; mend them",
			"无法访问“%s”：符号链接形成循环；请修正" } },
		{ ENAMETOOLONG, CAUSE_PROC_NOT_FOUND, { "'%s' cannot be reached: the path is too long",
			"无法访问“%s”：路径太长" } },
		{ ETXTBSY, CAUSE_PROC_DENIED, { "'%s' is still open for writing: wait until the build or copy that writes it has closed it",
			"“%s”仍被打开写入：请等待写入它的构建或复制操作关闭文件" } },
		{ EMFILE, CAUSE_PROC_TOO_MANY_FILES, { "'%s' was not started: too many open files; raise ulimit -n",
			"未能启动“%s”：打开的文件过多；请提高 ulimit -n" } },
		{ ENFILE, CAUSE_PROC_TOO_MANY_FILES, { "'%s' was not started: the system's file table is full; raise fs.file-max",
			"未能启动“%s”：系统文件表已满；请提高 fs.file-max" } },
		{ ENOMEM, CAUSE_PROC_LIMIT, { "'%s' was not started: the kernel has no memory for it; free some or raise the limit",
			"未能启动“%s”：内核没有足够的内存；请释放内存或提高限制" } },
		{ EISDIR, CAUSE_PROC_INTERPRETER, { "'%s' names a directory as its interpreter: mend its first line",
			"“%s”把目录当作解释器：请修改第一行" } },
		{ ELIBBAD, CAUSE_PROC_LOADER, { "'%s' names a loader that is damaged or for another machine: install the right libc",
			"“%s”所需的加载器已损坏或属于其他机型：请安装正确的 libc" } },
		{ EINVAL, CAUSE_PROC_EXEC_FORMAT, { "'%s' is an ELF file with more than one loader: build it again",
			"“%s”是含有多个加载器的 ELF 文件：请重新构建" } },
		{ EIO, CAUSE_PROC_READ_ONLY, { "'%s' could not be read from its disk: check the disk and the kernel log",
			"无法从磁盘读取“%s”：请检查磁盘和内核日志" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].err != f->err)
			continue;
		w->cause = known[i].cause;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(w->text, sizeof(w->text), tx(known[i].text), f->path);
#pragma GCC diagnostic pop
		return true;
	}
	return false;
}

static bool fork_refused(const struct start_failure *f, struct why *w)
{
	struct rlimit rl = { 0 };

	if (!f->fork && f->err != EAGAIN)
		return false;
	getrlimit(RLIMIT_NPROC, &rl);
	w->cause = CAUSE_PROC_LIMIT;
	if (f->err == ENOMEM)
		return simple(f, w);
	if (rl.rlim_cur == RLIM_INFINITY)
		SAY(w, "'%s' was not started: the system allows no more processes; look at pids.max of the container or cgroup",
		    "未能启动“%s”：系统不允许更多进程；请查看容器或 cgroup 的 pids.max", f->path);
	else
		SAY(w, "'%s' was not started: no more processes are allowed; this user may have %llu (ulimit -u), or pids.max of the cgroup is reached",
		    "未能启动“%s”：不允许更多进程；该用户上限为 %llu（ulimit -u），或已达到 cgroup 的 pids.max", f->path,
		    (unsigned long long)rl.rlim_cur);
	return true;
}

typedef bool why_fn(const struct start_failure *f, struct why *w);

static const struct { int err; why_fn *say; } rows[] = {
	{ 0, fork_refused },
	{ ENOENT, not_in_path }, { ENOENT, cwd_gone }, { ENOENT, file_missing }, { ENOENT, interpreter_missing },
	{ ENOENT, loader_missing },
	{ EACCES, is_directory }, { EACCES, closed_directory }, { EACCES, no_x_bit }, { EACCES, noexec_mount },
	{ EACCES, interpreter_missing },
	{ ENOEXEC, wrong_format },
	{ ENOTDIR, not_a_directory },
	{ E2BIG, too_big },
	{ 0, simple },
	{ 0, denied },
};

void why_not_started(const struct start_failure *f, struct why *ret)
{
	*ret = (struct why){ .code = f->err == ENOENT ? 127 : 126 };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((!rows[i].err || rows[i].err == f->err) && rows[i].say(f, ret))
			return;
}
