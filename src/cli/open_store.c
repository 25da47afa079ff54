#include "cli/open_store.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cli/say.h"
#include "config/config.h"

int cli_store_open(const char *flag, unsigned flags, struct store **ret, struct err *e)
{
	CLEANUP(config_free) struct config *config = NULL;
	const char *uri = flag ? flag : getenv("TOCSIN_STORE");

	if (!uri || !*uri) {
		int r = config_load(NULL, NULL, &config, e);
		if (r < 0)
			return r;
		uri = config_text(config, CFG_STORE);
		for (size_t i = 0; i < config->n_notes; i++)
			say_error("%s", config->notes[i]);
	}
	if (!uri)
		flags |= flags & STORE_READONLY ? 0 : STORE_CREATE;
	return store_open(uri, flags, ret, e);
}
