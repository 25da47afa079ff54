#include "mod/cache.h"

#include "parse/version.h"

static bool escaped(struct span path, struct span version, const char *between, struct buf *ret)
{
	return module_escape_path(path, ret) && (buf_adds(ret, between), module_escape_version(version, ret));
}

static bool back(struct buf *ret, size_t to)
{
	ret->len = to;
	if (ret->p)
		ret->p[to] = '\0';
	return false;
}

bool mod_cache_file(const char *modcache, struct span path, struct span version, const char *ext, struct buf *ret)
{
	size_t before = ret->len;

	buf_addf(ret, "%s/cache/download/", modcache);
	if (escaped(path, version, "/@v/", ret)) {
		buf_addf(ret, ".%s", ext);
		return !ret->bad;
	}
	return back(ret, before);
}

bool mod_cache_dir(const char *modcache, struct span path, struct span version, struct buf *ret)
{
	size_t before = ret->len;

	buf_addf(ret, "%s/", modcache);
	if (escaped(path, version, "@", ret))
		return !ret->bad;
	return back(ret, before);
}
