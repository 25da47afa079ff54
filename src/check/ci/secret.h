#ifndef CHECK_CI_SECRET_H
#define CHECK_CI_SECRET_H

#include "base/span.h"

/* Does a variable of that name hold a secret: GITHUB_TOKEN, DB_PASSWORD? Not: TOKEN_FILE, PASSWORD_HASH_COST. */
bool secret_name(struct span name);
/* Is the value one that somebody could use? Not: nothing, a path, a placeholder, the password of every example. */
bool secret_value(struct span value);
#endif
