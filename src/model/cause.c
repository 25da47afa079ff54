#include "model/cause.h"

#include "base/mem.h"

const struct cause_info cause_table[CAUSE_COUNT] = {
#define CAUSE(name, id_, sev, classes_, mean_en, mean_zh, advice_en, advice_zh) \
	[CAUSE_##name] = { id_, sev, classes_, { mean_en, mean_zh }, { advice_en, advice_zh } },
#define MATCH(name, classes, where, literals, regex, advice_en, advice_zh)
#include "model/causes.def"
#undef CAUSE
#undef MATCH
};

const struct cause_match cause_matches[] = {
#define CAUSE(name, id, sev, classes, mean_en, mean_zh, advice_en, advice_zh)
#define MATCH(name, classes_, where_, literals_, regex_, advice_en, advice_zh) \
	{ CAUSE_##name, classes_, where_, literals_, regex_, { advice_en, advice_zh } },
#include "model/causes.def"
#undef CAUSE
#undef MATCH
};
const size_t cause_match_count = ARRAY_LEN(cause_matches);

static const struct { char letter; const char *word; } classes[] = {
	{ 'T', "transient" }, { 'M', "mirror" }, { 'C', "config" },
	{ 'R', "resource" }, { 'P', "permanent" }, { 'S', "security" },
};

enum cause cause_by_id(struct span id)
{
	for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
		if (span_eq(span_of(cause_table[c].id), id))
			return (enum cause)c;
	}
	return cause_rule(id).n ? CAUSE_CHECK_RULE : CAUSE_NONE;
}

struct span cause_rule(struct span id)
{
	struct span rule = id;

	if (!span_skip(&rule, S("check.")) || rule.n != 3 || rule.p[0] < 'A' || rule.p[0] > 'Z')
		return (struct span){ 0 };
	for (size_t i = 1; i < rule.n; i++) {
		if (rule.p[i] < '0' || rule.p[i] > '9')
			return (struct span){ 0 };
	}
	return rule;
}

const char *class_word(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (classes[i].letter == letter)
			return classes[i].word;
	}
	return NULL;
}

char class_letter(struct span word)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (span_eq(span_of(classes[i].word), word))
			return classes[i].letter;
	}
	return 0;
}

const char *severity_word(enum severity s)
{
	return s == SEV_ERROR ? "error" : s == SEV_WARNING ? "warning" : "note";
}
