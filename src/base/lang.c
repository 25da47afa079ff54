#include "base/lang.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum lang lang_now = LANG_EN;

const char *tx(struct tx t)
{
	return lang_now == LANG_ZH && t.zh ? t.zh : t.en;
}

enum lang lang_pick(const char *flag)
{
	static const char *const names[] = { "TOCSIN_LANG", "LC_ALL", "LC_MESSAGES", "LANG" };
	const char *v = flag;

	for (size_t i = 0; !(v && *v) && i < ARRAY_LEN(names); i++)
		v = getenv(names[i]);
	return v && !strncmp(v, "zh", 2) ? LANG_ZH : LANG_EN;
}
