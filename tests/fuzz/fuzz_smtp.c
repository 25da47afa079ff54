/* What a mail server answers. A reply is whole or not, whatever comes behind it, and its status is one. */
#include <stdlib.h>

#include "alert/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	size_t length = 0, again = 0;
	int status = mail_reply(in, &length);

	if (status < -1 || (status > 0 && (status < 200 || status > 599 || !length || length > size || data[length - 1] != '\n')))
		abort();
	if (status > 0 && (mail_reply(span_head(in, length), &again) != status || again != length))
		abort();
	/* Of a part of it nothing else is said: it is not whole, or it was wrong before. */
	for (size_t n = 0; status > 0 && n < length && n < 400; n++)
		if (mail_reply(span_head(in, n), &again) != 0)
			abort();
	return 0;
}
