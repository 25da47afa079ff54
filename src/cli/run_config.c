#include "cli/run_config.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"

#define AT(field) offsetof(struct run_values, field)

enum kind { AS_NUMBER, AS_WORD, AS_BOOL, AS_LIST, AS_TEXT };

/* clang-format off */
static const struct {
	const char *flag;
	enum config_id id;
	enum kind kind;
	size_t at;
} rows[] = {
	{ "format", CFG_FORMAT, AS_WORD, AT(format) }, { "on-fail", CFG_ON_FAIL, AS_WORD, AT(on_fail) }, { "strict", CFG_STRICT, AS_BOOL, AT(strict) },
	{ "timeout", CFG_TIMEOUT, AS_NUMBER, AT(timeout) }, { "stall", CFG_STALL, AS_NUMBER, AT(stall) }, { "retry", CFG_RETRY, AS_NUMBER, AT(retry) },
	{ "retry-on", CFG_RETRY_ON, AS_LIST, AT(retry_on) }, { "rerun-fails", CFG_RERUN_FAILS, AS_NUMBER, AT(rerun) },
	{ "modules", CFG_MODULES, AS_BOOL, AT(modules) },
	{ "health", CFG_HEALTH, AS_TEXT, AT(health) }, { "health-every", CFG_HEALTH_EVERY, AS_NUMBER, AT(health_every) },
	{ "health-fails", CFG_HEALTH_FAILS, AS_NUMBER, AT(health_fails) }, { "pprof", CFG_PPROF, AS_TEXT, AT(pprof) },
	{ "snapshot-budget", CFG_SNAPSHOT_BUDGET, AS_NUMBER, AT(snapshot_bytes) },
	{ "allow-masked", CFG_ALLOW_MASKED, AS_LIST, AT(allow_masked) },
};
/* clang-format on */

static int take_list(const struct config *c, enum config_id id, struct opt_list *to, struct err *e)
{
	size_t n;
	const char *const *list = config_list(c, id, &n);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = opt_list_push(to, list[i], e);
	return r;
}

/* A default for every command must not refuse those for which it has no meaning. */
static bool is_moot(enum config_id id, bool go_test, const struct run_values *o)
{
	static const enum config_id ending[] = { CFG_RETRY, CFG_RETRY_ON, CFG_RERUN_FAILS, CFG_MODULES, CFG_FORMAT };
	static const enum config_id living[] = { CFG_HEALTH, CFG_HEALTH_EVERY, CFG_HEALTH_FAILS, CFG_PPROF, CFG_SNAPSHOT_BUDGET };
	const enum config_id *moot = o->service ? ending : living;

	for (size_t i = 0; i < ARRAY_LEN(living); i++) {
		if (moot[i] == id)
			return true;
	}
	if (id == CFG_RERUN_FAILS)
		return !go_test || o->pty || !strcmp(config_formats[o->format], "raw");
	return id == CFG_RETRY_ON && !o->retry; /* the rows of --retry and --format come before */
}

int run_configure(const struct config *c, const struct verb *v, const struct args *a, bool go_test, struct run_values *o,
		  struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		void *to = (char *)o + rows[i].at;
		int r = 0;
		if (!config_is_set(c, rows[i].id) || opt_given(v, a, rows[i].flag) || is_moot(rows[i].id, go_test, o))
			continue;
		switch (rows[i].kind) {
		case AS_NUMBER: *(int64_t *)to = config_number(c, rows[i].id); break;
		case AS_WORD: *(int *)to = (int)config_number(c, rows[i].id); break;
		case AS_BOOL: *(bool *)to = config_number(c, rows[i].id) != 0; break;
		case AS_TEXT: *(const char **)to = config_text(c, rows[i].id); break;
		case AS_LIST: r = take_list(c, rows[i].id, to, e); break;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* "C" and "POSIX" name no language. */
static bool names_language(const char *v)
{
	return v && *v && strcmp(v, "POSIX") != 0 && !(v[0] == 'C' && (!v[1] || v[1] == '.'));
}

void config_speak(const struct config *c)
{
	static const char *const names[] = { "TOCSIN_LANG", "LC_ALL", "LC_MESSAGES", "LANG" };

	if (common.lang >= 0 || !config_is_set(c, CFG_LANG))
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names_language(getenv(names[i])))
			return;
	}
	lang_now = config_number(c, CFG_LANG) ? LANG_ZH : LANG_EN;
}
