/* Any bytes over the deliverer's socket: one sentence, or secrets that come back as they were given. */
#include <errno.h>
#include <stdlib.h>

#include "alert/delivering.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool word(struct span *rest, struct span *ret)
{
	if (!rest->n || !memchr(rest->p, '\0', rest->n))
		return false;
	*ret = span_cut(rest, '\0');
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size }, head[4], ref, value, have;
	struct scopes s = { 0 };
	struct err e = { 0 };

	int r = handover_read(&s, text, &e);
	check(r == 0 ? s.n == (size > 0) : r < 0 && e.msg[0] && s.n == 0);
	check(handover_read(&s, text, &e) == r);
	if (r == 0 && size) {
		for (size_t i = 0; i < 4; i++)
			check(word(&text, &head[i]));
		check(s.n == 2);
		struct secret_set *set = scope_find(&s, (struct span){ 0 }, head[2].p, head[3].p);
		check(set == s.first->set);
		while (word(&text, &ref) && word(&text, &value)) {
			if (span_starts(ref, S("env:")))
				check(secret_get(set->secrets, ref.p, &have, &e) == 0 && have.n >= 4);
		}
	}
	scopes_free(&s);
	return 0;
}
