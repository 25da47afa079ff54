#include "check/ci/secret.h"

#include "base/mem.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same(struct span a, const char *b)
{
	for (size_t i = 0; i < a.n; i++)
		if (!b[i] || lower(a.p[i]) != b[i])
			return false;
	return !b[a.n];
}

/* The words of the name, between `_`, from the last one on: it says what the variable is. */
bool secret_name(struct span name)
{
	static const char *const alone[] = { "token",      "secret", "password",   "passwd",
					     "passphrase", "apikey", "credentials" };
	static const char *const before_key[] = { "api",     "access",     "private", "secret",
						  "signing", "encryption", "deploy",  "ssh" };
	size_t cut = span_rchr(name, '_');
	struct span last = cut == SPAN_NONE ? name : span_from(name, cut + 1),
		    rest = cut == SPAN_NONE ? S("") : span_head(name, cut);

	for (size_t i = 0; i < ARRAY_LEN(alone); i++)
		if (same(last, alone[i]))
			return true;
	if (!same(last, "key"))
		return false;
	cut = span_rchr(rest, '_');
	last = cut == SPAN_NONE ? rest : span_from(rest, cut + 1);
	for (size_t i = 0; i < ARRAY_LEN(before_key); i++)
		if (same(last, before_key[i]))
			return true;
	return false;
}

bool secret_value(struct span v)
{
	static const char *const none[] = { "",      "postgres", "root",    "password", "passwd",    "secret",
					    "test",  "admin",    "example", "changeme", "change-me", "none",
					    "null",  "dummy",    "token",   "foo",      "default",   "true",
					    "false", "unset",    "guest",   "user" };

	if (v.n >= 2 && (*v.p == '"' || *v.p == '\'') && v.p[v.n - 1] == *v.p)
		v = (struct span){ v.p + 1, v.n - 2 };
	if (v.n && (*v.p == '/' || *v.p == '<' || *v.p == '*'))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (same(v, none[i]))
			return false;
	bool other = false; /* one byte again and again is a placeholder */
	for (size_t i = 1; i < v.n; i++)
		other |= v.p[i] != v.p[0];
	return other;
}
