#include "base/dl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static int not_there(const struct dl_library *l, const char *why, struct err *e)
{
	return err_set(e, ELIBACC, TR("%s needs the library %s, which cannot be loaded (%s): install the package %s (Debian), %s (Fedora), %s (Alpine) or %s (Arch)",
				      "%s 需要库 %s，但无法加载（%s）：请安装软件包 %s（Debian）、%s（Fedora）、%s（Alpine）或 %s（Arch）"),
		       l->what_for, l->name, why, l->debian, l->fedora, l->alpine, l->arch);
}

static void keep_reason(char *ret, size_t n)
{
	const char *why = dlerror();

	snprintf(ret, n, "%s", why ? why : "dlopen");
}

int dl_load(struct dl_library *l, struct err *e)
{
	char why[200] = "";
	void *handle = NULL;

	if (l->handle)
		return 0;
	if (fault_hit())
		return not_there(l, "fault injected", e);
	for (size_t i = 0; !handle && l->files[i]; i++) {
		handle = dlopen(l->files[i], RTLD_NOW | RTLD_LOCAL);
		if (!handle && !*why) /* the first is the usual one; the next call forgets its reason */
			keep_reason(why, sizeof(why));
	}
	if (!handle)
		return not_there(l, why, e);
	for (size_t i = 0; i < l->n; i++) {
		void *at = dlsym(handle, l->symbols[i].name);
		if (!at) {
			dlclose(handle);
			return err_set(e, ELIBBAD, TR("%s needs a newer %s: the installed one has no %s", "%s 需要更新版本的 %s：已安装的版本没有 %s"),
				       l->what_for, l->name, l->symbols[i].name);
		}
		memcpy(l->symbols[i].to, &at, sizeof(at));
	}
	l->handle = handle;
	return 0;
}
