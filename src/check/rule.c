#include "check/rule.h"

#include "base/mem.h"
#include "check/lint_own.h"

/* clang-format off */
const struct rule rules[] = {
#define RULE(id, severity, on, languages, title, title_zh, message, message_zh, advice, advice_zh, why, why_zh, needs, fix, prevents, source, find, bad, good, experiment) \
	[RULE_##id] = { #id, severity, on, languages, { title, title_zh }, { message, message_zh }, { advice, advice_zh }, { why, why_zh }, needs, fix, prevents, source, find, bad, good, experiment },
#include "check/rules.def"
#undef RULE
};
/* clang-format on */
const size_t rule_count = ARRAY_LEN(rules);

const struct rule *rule_find(struct span id)
{
	for (size_t i = 0; i < rule_count; i++) {
		const char *own = rules[i].id;
		if (id.n == 3 && (id.p[0] & ~0x20) == own[0] && id.p[1] == own[1] && id.p[2] == own[2])
			return &rules[i];
	}
	return NULL;
}

const char *rule_language_word(enum rule_language l)
{
	static const char *const words[] = { "go",    "shell",      "github",   "gitlab",  "jenkins",
					     "make",  "docker",     "taskfile", "systemd", "cron",
					     "drone", "woodpecker", "gitee",    "yunxiao", "tree" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if ((unsigned)l == 1u << i)
			return words[i];
	return "";
}
