#include "diagnose/profile_own.h"

#include <errno.h>

/* Hostile names must not cost more than this. */
enum { MATCH_STEPS = 100000, MATCH_DEPTH = 1000, MATCH_HEAP_KIB = 4096, NAME_BYTES = 4096 };

int name_rule_make(struct name_rule *r, const char *flag, const char *pattern, size_t n, struct err *e)
{
	PCRE2_SIZE at = 0;
	int code = 0;

	*r = (struct name_rule){ 0 };
	r->code = pcre2_compile((PCRE2_SPTR)pattern, n, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (!r->code) {
		char why[200] = "";
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		return err_set(e, EINVAL, TR("%s: no regular expression, at byte %zu: %s", "%s：不是正则表达式，第 %zu 字节：%s"), flag, (size_t)at, why);
	}
	r->data = pcre2_match_data_create(1, NULL);
	r->limits = pcre2_match_context_create(NULL);
	if (!r->data || !r->limits) {
		name_rule_free(r);
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	}
	pcre2_set_match_limit(r->limits, MATCH_STEPS);
	pcre2_set_depth_limit(r->limits, MATCH_DEPTH);
	pcre2_set_heap_limit(r->limits, MATCH_HEAP_KIB);
	return 0;
}

bool name_rule_matches(const struct name_rule *r, struct span name)
{
	name = span_head(name, NAME_BYTES);
	return r->code && pcre2_match(r->code, (PCRE2_SPTR)(name.p ? name.p : ""), name.n, 0, 0, r->data, r->limits) >= 0;
}

void name_rule_free(struct name_rule *r)
{
	pcre2_code_free(r->code);
	pcre2_match_data_free(r->data);
	pcre2_match_context_free(r->limits);
	*r = (struct name_rule){ 0 };
}
