#include "base/path.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct span path_base(struct span path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	size_t at = span_rchr(path, '/');

	return at == SPAN_NONE || path.n == 1 ? path : span_from(path, at + 1);
}

struct span path_dir(struct span path)
{
	size_t at = span_rchr(path, '/');

	if (at == SPAN_NONE)
		return S(".");
	return at ? span_head(path, at) : S("/");
}

void path_join(struct buf *ret, const char *dir, const char *name)
{
	if (name[0] != '/' && *dir) {
		buf_adds(ret, dir);
		if (dir[strlen(dir) - 1] != '/')
			buf_addc(ret, '/');
	}
	buf_adds(ret, name);
}

int path_mkdirs(const char *path, unsigned mode, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_adds(&b, path);
	if (b.bad)
		return err_set(e, ENOMEM, TR("create '%s': %m", "无法创建“%s”：%m"), path);
	for (size_t i = 1; i <= b.len; i++) {
		if (i < b.len && b.p[i] != '/')
			continue;
		char keep = b.p[i];
		b.p[i] = '\0';
		if (mkdir(b.p, mode) < 0 && errno != EEXIST)
			return err_set(e, errno, TR("create '%s': %m", "无法创建“%s”：%m"), b.p);
		b.p[i] = keep;
	}
	return 0;
}

int path_user_dir(const char *var, const char *fallback, struct buf *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *base = getenv(var), *home = getenv("HOME");
	struct stat st;

	if (base && base[0] == '/')
		path_join(&b, base, "tocsin");
	else if (home && home[0] == '/' && access(home, W_OK) == 0)
		buf_addf(&b, "%s/%s/tocsin", home, fallback);
	else
		buf_addf(&b, "/tmp/tocsin-%u", (unsigned)getuid());
	if (b.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	int r = path_mkdirs(b.p, 0700, e);
	if (r < 0)
		return r;
	if (stat(b.p, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(e, EPERM, TR("'%s' belongs to another user or others may write to it",
					    "“%s”属于其他用户，或其他人可以写入"), b.p);
	buf_add(ret, b.p, b.len);
	return ret->bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
}
