/* Any bytes as a time zone file, and as a name: an offset of at most a day, or a sentence. */
#include <stdlib.h>

#include "alert/zone.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void ask(const struct zone *z)
{
	static const int64_t times[] = { -2208988800, -1, 0, 1700000000, 1793491200, 2556144000, 4102444800, 32503680000 };
	const int64_t far = 8 * 86400; /* a rule may say up to 167 hours */

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		int64_t offset = zone_offset(z, times[i]), utc = zone_utc(z, times[i], times[i] - 3600);
		check(offset > -far && offset < far);
		check(utc > times[i] - far && utc < times[i] + far);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zone *z;
	struct err e = { 0 };
	int r = zone_read((struct span){ (const char *)data, size }, &z, &e);

	check(r == 0 ? z != NULL : !z && e.msg[0]);
	if (z)
		ask(z);
	zone_free(z);
	char *name = mem_dup((const char *)data, size < 100 ? size : 100);
	if (name && zone_open(name, &z, &e) == 0)
		ask(z);
	else
		z = NULL;
	zone_free(z);
	mem_free(name);
	return 0;
}
