/* Which go would do the work, and which version it is, without starting it where a file tells. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "run/gocmd.h"
#include "run/gotool.h"

#define ASK_LIMIT (5 * NSEC_PER_SEC)

static bool read_small(const char *path, size_t max, struct buf *ret)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	buf_clear(ret);
	ret->max = max;
	return file_slurp(path, ret, NULL) == 0;
}

static bool is_us(const char *real)
{
	struct stat a, b;

	return stat("/proc/self/exe", &a) == 0 && stat(real, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* An executable that is not our own shim; links followed. */
static char *try_go(struct arena *mem, const char *path)
{
	char real[PATH_MAX];
	struct stat st;

	if (access(path, X_OK) < 0 || !realpath(path, real) || stat(real, &st) < 0 || !S_ISREG(st.st_mode) || is_us(real))
		return NULL;
	return arena_str(mem, span_of(real));
}

static char *find_go(struct arena *mem, const char *name)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span path = span_of(getenv("PATH"));

	if (strchr(name, '/'))
		return try_go(mem, name);
	while (path.n) {
		struct span dir = span_cut(&path, ':');
		buf_clear(&b);
		buf_span(&b, dir.n ? dir : S("."));
		buf_addc(&b, '/');
		buf_adds(&b, name);
		char *found = b.bad ? NULL : try_go(mem, b.p);
		if (found)
			return found;
	}
	return NULL;
}

/* NAME=value of a text of lines; the last one counts. Value in mem, or NULL. */
static const char *line_setting(struct arena *mem, struct span text, const char *name)
{
	const char *ret = NULL;

	while (text.n) {
		struct span line = span_trim(span_cut(&text, '\n')), key = span_cut(&line, '=');
		if (span_eq(span_trim(key), span_of(name)))
			ret = arena_str(mem, line);
	}
	return ret;
}

const char *gocmd_setting(struct arena *mem, const char *name)
{
	CLEANUP(buf_free) struct buf path = { 0 }, text = { 0 };
	const char *env = getenv(name), *file = getenv("GOENV"), *dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (env && *env)
		return env;
	if (file && strcmp(file, "off") == 0)
		return NULL;
	if (file && *file)
		buf_adds(&path, file);
	else if (dir && *dir)
		buf_addf(&path, "%s/go/env", dir);
	else
		buf_addf(&path, "%s/.config/go/env", home ? home : "");
	if (path.bad || !read_small(path.p, 65536, &text))
		return NULL;
	return line_setting(mem, buf_view(&text), name);
}

/* go1.26.8, 1.27rc1, 1.21: a language version comes before its release candidates, they before .0. */
struct version {
	int64_t major, minor, patch;
	struct span text;
};

static struct version version_of(struct span s)
{
	struct version v = { .text = s, .patch = -2 };
	int64_t *part[] = { &v.major, &v.minor, &v.patch };

	span_skip(&s, S("go"));
	for (size_t i = 0; i < 3 && s.n; i++) {
		size_t n = 0;
		while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
			n++;
		if (n == 0 || !span_int(span_head(s, n), part[i]))
			break;
		s = span_from(s, n);
		if (!span_skip(&s, S("."))) {
			if (i == 1 && s.n && (s.p[0] == 'r' || s.p[0] == 'b'))
				v.patch = -1;
			break;
		}
	}
	return v;
}

static bool version_newer(struct version a, struct version b)
{
	if (a.major != b.major)
		return a.major > b.major;
	if (a.minor != b.minor)
		return a.minor > b.minor;
	return a.patch != b.patch ? a.patch > b.patch : a.patch == -1 && !span_eq(a.text, b.text);
}

/* Do the go and toolchain lines of a go.mod or go.work want a newer go than `have`? */
static bool wants_newer(struct span text, struct version have)
{
	while (text.n) {
		struct span line = span_cut(&text, '\n');
		line = span_trim(span_head(line, span_find(line, S("//"))));
		if ((span_skip(&line, S("go ")) || span_skip(&line, S("toolchain "))) &&
		    version_newer(version_of(span_trim(line)), have))
			return true;
	}
	return false;
}

/* Is there `name` in dir or above it? Its text. */
static bool find_up(const char *dir, const char *name, struct buf *text)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	char real[PATH_MAX];

	if (!realpath(dir, real))
		return false;
	for (;;) {
		buf_clear(&path);
		path_join(&path, real, name);
		if (path.bad)
			return false;
		if (read_small(path.p, 1 << 20, text))
			return true;
		char *slash = strrchr(real, '/');
		if (!slash || !real[1])
			return false;
		slash[slash == real] = '\0';
	}
}

/* May go hand over to another toolchain? Then only go itself knows. */
static bool may_switch(struct arena *mem, const struct gocmd *c, const struct argv *argv, const struct gotool *t)
{
	CLEANUP(buf_free) struct buf text = { 0 }, path = { 0 };
	struct version have = version_of(span_of(t->version));
	const char *mode, *work = gocmd_setting(mem, "GOWORK"), *mod = gocmd_setting(mem, "GO111MODULE");

	if (have.major == 1 && have.minor < 21)
		return false;
	mode = gocmd_setting(mem, "GOTOOLCHAIN");
	path_join(&path, t->root, "go.env");
	if (!mode && !path.bad && read_small(path.p, 65536, &text))
		mode = line_setting(mem, buf_view(&text), "GOTOOLCHAIN");
	if (mode && strcmp(mode, "local") == 0)
		return false;
	if (mode && *mode && strcmp(mode, "auto") != 0 && strcmp(mode, "path") != 0 && strcmp(mode, "local+auto") != 0)
		return true;
	for (size_t i = 0; i < c->n_packages; i++) {
		if (strchr(argv->v[c->at_packages + i], '@'))
			return true;
	}
	if (mod && strcmp(mod, "off") == 0)
		return false;
	const char *dir = c->dir ? c->dir : ".";
	if (work && *work && strcmp(work, "off") != 0)
		return read_small(work, 1 << 20, &text) && wants_newer(buf_view(&text), have);
	if (!(work && strcmp(work, "off") == 0) && find_up(dir, "go.work", &text))
		return wants_newer(buf_view(&text), have);
	return find_up(dir, "go.mod", &text) && wants_newer(buf_view(&text), have);
}

/* Read all that comes until its end or the limit; false: the limit. */
static bool read_until(int fd, int64_t end, struct buf *ret)
{
	char chunk[1024];

	for (;;) {
		int64_t left = end - time_mono();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (left <= 0)
			return false;
		int r = poll(&p, 1, (int)(left / NSEC_PER_MSEC) + 1);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		buf_add(ret, chunk, (size_t)n);
	}
}

/* Our environment with some strings put over it; freed with mem_free. NULL: no memory. */
static const char **env_with(const char *const *add)
{
	size_t n = 0, k = 0, extra = 0;

	while (environ && environ[n])
		n++;
	while (add && add[extra])
		extra++;
	const char **ret = mem_alloc((n + extra + 1) * sizeof(*ret));
	if (!ret)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		bool over = false;
		for (size_t a = 0; a < extra && !over; a++)
			over = strncmp(environ[i], add[a], (size_t)(strchr(add[a], '=') - add[a]) + 1) == 0;
		if (!over)
			ret[k++] = environ[i];
	}
	for (size_t a = 0; a < extra; a++)
		ret[k++] = add[a];
	ret[k] = NULL;
	return ret;
}

static int start_quiet(const struct gotool_call *c, int out, pid_t *pid)
{
	CLEANUP(mem_free) const char **env = env_with(c->env);
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	if (!env)
		return ENOMEM;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	if (c->want_stderr)
		posix_spawn_file_actions_adddup2(&fa, out, 2);
	else
		posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	if (c->dir)
		posix_spawn_file_actions_addchdir_np(&fa, c->dir);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	r = posix_spawn(pid, c->path, &fa, &attr, (char *const *)c->args, (char *const *)env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	return r;
}

int gotool_ask(const struct gotool_call *c, struct buf *ret, struct err *e)
{
	int fds[2], r, status = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, TR("cannot start '%s': %m", "无法启动“%s”：%m"), c->path);
	r = start_quiet(c, fds[1], &pid);
	close(fds[1]);
	if (r) {
		close(fds[0]);
		return err_set(e, r, TR("cannot start '%s': %m", "无法启动“%s”：%m"), c->path);
	}
	ret->max = 65536;
	bool ended = read_until(fds[0], time_mono() + c->limit, ret);
	close(fds[0]);
	if (!ended)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!ended)
		return err_set(e, ETIMEDOUT, TR("'%s %s' did not answer in time", "“%s %s”未及时应答"), c->path, c->args[1]);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(e, EIO, TR("'%s %s' failed", "“%s %s”失败"), c->path, c->args[1]);
	return 0;
}

static int ask_tool(struct arena *mem, const struct gocmd *c, struct gotool *t, struct err *e)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	const char *args[8] = { t->path, "env" };
	size_t n = 2;

	if (c->dir) {
		args[n++] = "-C";
		args[n++] = c->dir;
	}
	args[n++] = "GOVERSION";
	args[n++] = "GOROOT";
	args[n] = NULL;
	int r = gotool_ask(&(struct gotool_call){ .path = t->path, .args = args, .limit = ASK_LIMIT }, &out, e);
	if (r < 0)
		return r;
	struct span text = buf_view(&out), version = span_trim(span_cut(&text, '\n'));
	struct span root = span_trim(span_cut(&text, '\n'));
	if (!version.n || !root.n)
		return err_set(e, EIO, TR("'%s env' does not tell its version", "“%s env”没有给出版本"), t->path);
	t->version = arena_str(mem, version);
	t->root = arena_str(mem, root);
	return t->version && t->root ? 0 : err_set(e, ENOMEM, TR("out of memory", "内存不足"));
}

/* GOROOT is where bin/go lies, when its VERSION lies there as well. */
static bool read_root(struct arena *mem, struct gotool *t)
{
	CLEANUP(buf_free) struct buf b = { 0 }, text = { 0 };
	const char *env = getenv("GOROOT");

	t->root = env && *env ? env : arena_str(mem, path_dir(path_dir(span_of(t->path))));
	if (!t->root)
		return false;
	path_join(&b, t->root, "VERSION");
	if (b.bad || !read_small(b.p, 4096, &text))
		return false;
	struct span all = buf_view(&text), line = span_trim(span_cut(&all, '\n'));
	if (!span_starts(line, S("go")) && !span_starts(line, S("devel")))
		return false;
	t->version = arena_str(mem, line);
	return t->version != NULL;
}

int gotool_at(struct arena *mem, const char *path, const struct gocmd *c, const struct argv *argv, struct gotool *ret,
	      struct err *e)
{
	char real[PATH_MAX];

	*ret = (struct gotool){ .path = realpath(path, real) ? arena_str(mem, span_of(real)) : path };
	if (!ret->path)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	if (read_root(mem, ret) && !may_switch(mem, c, argv, ret))
		return 0;
	return ask_tool(mem, c, ret, e);
}

int gocmd_tool(struct arena *mem, const struct argv *argv, struct gotool *ret, struct err *e)
{
	struct gocmd c;

	*ret = (struct gotool){ 0 };
	gocmd_read(argv, &c);
	if (!c.is_go)
		return err_set(e, EINVAL, TR("not a go command", "不是 go 命令"));
	ret->path = find_go(mem, argv->v[0]);
	if (!ret->path)
		return err_set(e, ENOENT, TR("'%s' was not found on PATH", "在 PATH 中找不到“%s”"), argv->v[0]);
	return gotool_at(mem, ret->path, &c, argv, ret, e);
}

int gocmd_installed(struct arena *mem, struct gotool *ret, struct err *e)
{
	char real[PATH_MAX];

	*ret = (struct gotool){ .path = find_go(mem, "go") };
	if (!ret->path)
		return err_set(e, ENOENT, TR("'%s' was not found on PATH", "在 PATH 中找不到“%s”"), "go");
	if (realpath(ret->path, real))
		ret->path = arena_str(mem, span_of(real));
	if (!ret->path)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	return read_root(mem, ret) ? 0 : err_set(e, ENOENT, TR("%s has no VERSION file beside it", "%s 旁没有 VERSION 文件"), ret->path);
}

const char *gocmd_toolchain(struct arena *mem, const struct gotool *t)
{
	CLEANUP(buf_free) struct buf text = { 0 }, path = { 0 };
	const char *mode = gocmd_setting(mem, "GOTOOLCHAIN");

	if (mode)
		return mode;
	path_join(&path, t->root, "go.env");
	if (!path.bad && read_small(path.p, 65536, &text))
		mode = line_setting(mem, buf_view(&text), "GOTOOLCHAIN");
	return mode ? mode : "auto";
}

const char *gocmd_version(struct arena *mem, const struct argv *argv)
{
	struct gotool t;

	return gocmd_tool(mem, argv, &t, NULL) < 0 ? NULL : t.version;
}
