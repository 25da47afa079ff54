#ifndef PARSE_UNICODE_H
#define PARSE_UNICODE_H

#include "base/span.h"

/* General categories of Unicode 15.0, as Go asks for them. UTF8_BAD stands for U+FFFD, as in Go. */
bool unicode_letter(uint32_t cp); /* L* */
bool unicode_print(uint32_t cp);  /* L*, M*, N*, P*, S*, and the ASCII blank */
#endif
