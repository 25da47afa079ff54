#include "cli/open_store.h"

#include <stdlib.h>

int cli_store_open(const char *flag, unsigned flags, struct store **ret, struct err *e)
{
	const char *uri = flag ? flag : getenv("TOCSIN_STORE");

	if (!uri || !*uri) {
		uri = NULL;
		flags |= flags & STORE_READONLY ? 0 : STORE_CREATE;
	}
	return store_open(uri, flags, ret, e);
}
