#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/check_lint.h"
#include "parse/yaml.h"

/* Which rules hold where: the rows, then check.rules, check.paths, --only and --skip. */

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

const char *const *check_rule_ids(void)
{
	static const char *ids[256];

	for (size_t i = 0; i < rule_count && i + 1 < ARRAY_LEN(ids); i++)
		ids[i] = rules[i].id;
	return ids;
}

/* "R01", or "R" for all of them; in any case of letters. */
static bool matches(const char *id, const char *said)
{
	for (; *said; id++, said++)
		if ((*id | 32) != (*said | 32))
			return false;
	return true;
}

static bool names_any(const char *said)
{
	bool any = false;

	for (size_t i = 0; i < rule_count; i++)
		any |= matches(rules[i].id, said);
	return any && (strlen(said) == 1 || strlen(said) == 3);
}

static int unknown_rule(const char *said, const char *where, struct err *e)
{
	char hint[128];

	return err_set(e, EINVAL,
		       TR("%s: there is no rule '%.40s'%s; `tocsin check rules` lists them",
			  "%s：没有规则“%.40s”%s；`tocsin check rules` 可列出规则"),
		       where, said, opt_hint(said, check_rule_ids(), rule_count, "", hint));
}

struct rule_set { /* what is set by a mapping */
	signed char *on, *severity;
};

static int new_set(struct arena *mem, struct rule_set *ret, struct err *e)
{
	ret->on = arena_alloc(mem, rule_count + 1);
	ret->severity = arena_alloc(mem, rule_count + 1);
	if (!ret->on || !ret->severity)
		return no_memory(e);
	memset(ret->on, LINT_AS_ROW, rule_count);
	memset(ret->severity, LINT_AS_ROW, rule_count);
	return 0;
}

static int read_one(const struct yaml *v, const char *file, struct rule_set *set, struct err *e)
{
	static const struct {
		const char *word;
		signed char on, severity;
	} words[] = {
		{ "off", 0, LINT_AS_ROW },     { "on", 1, LINT_AS_ROW }, { "error", 1, SEV_ERROR },
		{ "warning", 1, SEV_WARNING }, { "note", 1, SEV_NOTE },
	};
	const char *id = v->key->text.p;
	char where[300];

	snprintf(where, sizeof(where), "%s:%d", file, v->key->line);
	if (!names_any(id))
		return unknown_rule(id, where, e);
	for (size_t k = 0; k < ARRAY_LEN(words); k++) {
		if (v->kind != YAML_SCALAR || strcmp(v->text.p, words[k].word) != 0)
			continue;
		for (size_t i = 0; i < rule_count; i++)
			if (matches(rules[i].id, id)) {
				set->on[i] = words[k].on;
				set->severity[i] = words[k].severity;
			}
		return 0;
	}
	return err_set(e, EINVAL,
		       TR("%s: %s: needs off, on, error, warning or note",
			  "%s：%s：需要 off、on、error、warning 或 note"),
		       where, id);
}

/* A letter first, then the rules of it by name: "R: off" and "R01: on" in any order. */
static int read_set(const struct yaml *map, const char *file, struct rule_set *set, struct err *e)
{
	for (size_t length = 1; length <= 3; length += 2)
		for (const struct yaml *v = map ? map->first : NULL; v; v = v->next) {
			int r = (v->key->text.n == 1) == (length == 1) ? read_one(v, file, set, e) : 0;
			if (r < 0)
				return r;
		}
	return 0;
}

static const char *file_of(const struct config *c, enum config_id id)
{
	const struct config_value *v = config_get(c, id);
	const char *shown = v->origin == CONFIG_FROM_FILE ? c->files[v->place].shown : NULL;

	return shown ? shown : "tocsin.yaml";
}

static int read_paths(struct lint_settings *s, struct err *e)
{
	const struct config_value *v = config_get(s->config, CFG_CHECK_PATHS);
	int r = 0;

	if (!v->node || !v->n)
		return 0;
	s->paths = arena_alloc(&s->mem, v->n * sizeof(*s->paths));
	if (!s->paths)
		return no_memory(e);
	for (const struct yaml *one = v->node->first; one && r == 0; one = one->next) {
		struct rule_set set;
		const struct yaml *path = yaml_get(one, "path");
		r = new_set(&s->mem, &set, e);
		if (r == 0)
			r = read_set(yaml_get(one, "rules"), file_of(s->config, CFG_CHECK_PATHS), &set, e);
		s->paths[s->n_paths++] = (struct lint_path){ path ? path->text.p : "", set.on, set.severity };
	}
	return r;
}

static struct lint_words words_of(const struct config *c, enum config_id id)
{
	struct lint_words w;

	w.v = config_list(c, id, &w.n);
	return w;
}

static int read_config(struct lint_settings *s, struct rule_set *set, struct err *e)
{
	const struct config *c = s->config;

	if (!c)
		return 0;
	int r = read_set(config_get(c, CFG_CHECK_RULES)->node, file_of(c, CFG_CHECK_RULES), set, e);
	if (r == 0)
		r = read_paths(s, e);
	s->options.exclude = words_of(c, CFG_CHECK_EXCLUDE);
	s->options.config = (struct lint_config){
		.guards = words_of(c, CFG_CHECK_GUARDS),
		.reporters = words_of(c, CFG_CHECK_REPORTERS),
		.panic_paths = words_of(c, CFG_CHECK_PANIC_PATHS),
		.watched = words_of(c, CFG_CHECK_WATCHED),
		.alerts = words_of(c, CFG_CHECK_ALERTS),
	};
	return r;
}

static int in_list(size_t rule, const struct opt_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (matches(rules[rule].id, l->v[i]))
			return true;
	return false;
}

static int check_list(const struct opt_list *l, const char *flag, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (!names_any(l->v[i]))
			return unknown_rule(l->v[i], flag, e);
	return 0;
}

int lint_rules_check(const struct lint_values *o, struct err *e)
{
	int r = check_list(&o->only, "--only", e);

	return r < 0 ? r : check_list(&o->skip, "--skip", e);
}

bool lint_rule_asked(const struct lint_values *o, size_t rule)
{
	return (!o->only.n || in_list(rule, &o->only)) && !in_list(rule, &o->skip);
}

/* A rule that is on somewhere runs everywhere; what it finds where it is off is dropped. */
static void switch_rules(struct lint_settings *s, const struct lint_values *o, const struct rule_set *set)
{
	for (size_t i = 0; i < rule_count; i++) {
		bool on = set->on[i] == LINT_AS_ROW ? rules[i].on : set->on[i];
		s->everywhere[i] = o->only.n ? in_list(i, &o->only) : on;
		s->on[i] = s->everywhere[i];
		for (size_t k = 0; k < s->n_paths && !o->only.n; k++)
			s->on[i] |= s->paths[k].on[i] == 1;
		if (in_list(i, &o->skip))
			s->on[i] = s->everywhere[i] = false;
	}
	s->severity = set->severity;
	s->picked = o->only.n > 0;
}

static int find_cache(struct lint_settings *s, const struct lint_values *o, struct err *e)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	int r = 0;

	if (o->no_cache)
		return 0;
	if (o->cache)
		buf_adds(&dir, o->cache);
	else if ((r = path_user_dir("XDG_CACHE_HOME", ".cache", &dir, NULL)) == 0)
		buf_adds(&dir, "/check");
	if (r < 0 && r != -ENOMEM) /* it goes without */
		return 0;
	s->options.cache = r < 0 || dir.bad ? NULL : arena_str(&s->mem, buf_view(&dir));
	return s->options.cache ? 0 : no_memory(e);
}

int lint_settings_read(const struct lint_values *o, struct lint_settings *ret, struct err *e)
{
	struct rule_set set;
	int r = 0;

	*ret = (struct lint_settings){ 0 };
	if (!o->no_config)
		r = config_load(o->config, NULL, &ret->config, e);
	if (r == 0)
		r = new_set(&ret->mem, &set, e);
	if (r == 0)
		r = read_config(ret, &set, e);
	if (r == 0)
		r = lint_rules_check(o, e);
	ret->on = arena_alloc(&ret->mem, rule_count + 1);
	ret->everywhere = arena_alloc(&ret->mem, rule_count + 1);
	if (r == 0 && (!ret->on || !ret->everywhere))
		r = no_memory(e);
	if (r == 0) {
		switch_rules(ret, o, &set);
		ret->options.on = ret->on;
		r = memchr(ret->on, true, rule_count)
			    ? find_cache(ret, o, e)
			    : err_set(e, EINVAL,
				      TR("no rule is left: --skip, --only and check.rules in tocsin.yaml together switch all of them off",
					 "没有剩下任何规则：--skip、--only 与 tocsin.yaml 的 check.rules 合起来关闭了全部规则"));
	}
	return r;
}

void lint_settings_apply(const struct lint_settings *s, struct lint_result *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct lint_finding *f = &r->findings[i];
		size_t rule = (size_t)(f->rule - rules);
		bool on = s->everywhere[rule];
		if (s->severity[rule] != LINT_AS_ROW)
			f->severity = (enum severity)s->severity[rule];
		for (size_t k = 0; k < s->n_paths; k++) {
			const struct lint_path *p = &s->paths[k];
			if (!text_glob(p->pattern, span_of(f->path)))
				continue;
			if (p->on[rule] != LINT_AS_ROW && !s->picked)
				on = p->on[rule];
			if (p->severity[rule] != LINT_AS_ROW)
				f->severity = (enum severity)p->severity[rule];
		}
		if (on)
			r->findings[n++] = *f;
	}
	r->n = n;
}

void lint_settings_free(struct lint_settings *s)
{
	config_free(s->config);
	arena_free(&s->mem);
	*s = (struct lint_settings){ 0 };
}

void lint_settings_free_cleanup(struct lint_settings *s)
{
	lint_settings_free(s);
}
