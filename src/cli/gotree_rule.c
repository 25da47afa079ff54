/* Where a lint rule is switched on: golangci-lint's configuration, and the files that call linters. */
#include <errno.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/gotree.h"
#include "cli/project.h"
#include "parse/yaml.h"

/* clang-format off */
static const char *const golangci[] = { ".golangci.yml", ".golangci.yaml", ".golangci.json", NULL };
static const char *const others[] = { ".golangci.toml", "staticcheck.conf", "revive.toml", ".revive.toml", ".pre-commit-config.yaml", "Makefile", "makefile",
	"GNUmakefile", "Taskfile.yml", "Taskfile.yaml", "justfile", "magefile.go", NULL };
/* What golangci-lint runs when nothing else is said. */
static const char *const standard[] = { "errcheck", "govet", "ineffassign", "staticcheck", "unused", NULL };
/* clang-format on */

static const struct yaml *listed(const struct yaml *list, struct span name)
{
	for (const struct yaml *v = list && list->kind == YAML_LIST ? list->first : NULL; v; v = v->next) {
		if (v->kind == YAML_SCALAR && span_eq(v->text, name))
			return v;
	}
	return NULL;
}

static bool says(const struct yaml *map, const char *key, const char *value)
{
	const struct yaml *v = yaml_get(map, key);

	return v && v->kind == YAML_SCALAR && span_eq(v->text, span_of(value));
}

static bool is_standard(struct span name)
{
	for (size_t i = 0; standard[i]; i++) {
		if (span_eq(name, span_of(standard[i])))
			return true;
	}
	return false;
}

static void put(struct gotree *t, struct gotree_rule *ret, enum rule_state s, const char *file, int line)
{
	ret->state = s;
	ret->file = arena_span(&t->mem, span_of(file));
	ret->line = line;
	t->no_memory |= !ret->file.p;
}

/* linters.enable, .disable and .default (or enable-all, disable-all), and formatters.enable. */
static void read_golangci(struct gotree *t, const char *file, struct span text, struct span name, struct gotree_rule *ret)
{
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct yaml *root;
	struct err e;

	int r = yaml_read(file, text, &mem, &root, &e);
	t->no_memory |= r == -ENOMEM;
	if (r < 0 || !root)
		return;
	const struct yaml *linters = yaml_get(root, "linters"), *on = listed(yaml_get(linters, "enable"), name), *off = listed(yaml_get(linters, "disable"), name);
	on = on ? on : listed(yaml_get(yaml_get(root, "formatters"), "enable"), name);
	if (off)
		put(t, ret, RULE_OFF, file, off->line);
	else if (on)
		put(t, ret, RULE_ON, file, on->line);
	else if (is_standard(name) && !says(linters, "default", "none") && !says(linters, "disable-all", "true"))
		put(t, ret, RULE_ON, file, linters ? linters->line : 1);
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool has_word(struct span line, struct span name)
{
	for (;;) {
		size_t at = span_find(line, name);
		if (at == SPAN_NONE)
			return false;
		struct span behind = span_from(line, at + name.n);
		if ((!at || !is_name(line.p[at - 1])) && (!behind.n || !is_name(behind.p[0])))
			return true;
		line = span_from(line, at + 1);
	}
}

/* Outside comments: of YAML, TOML, make and shell a '#' at the beginning or behind a blank. */
static void search(struct gotree *t, const char *file, struct span text, struct span name, struct gotree_rule *ret)
{
	for (int number = 1; text.n; number++) {
		struct span line = span_trim(span_cut(&text, '\n'));
		size_t comment = span_starts(line, S("#")) || span_starts(line, S("//")) ? 0 : span_find(line, S(" #"));
		if (!has_word(span_head(line, comment), name))
			continue;
		put(t, ret, RULE_MENTIONED, file, number);
		return;
	}
}

struct looking {
	struct gotree *t;
	struct span name;
	struct gotree_rule *ret;
	struct buf text;
};

static void look(void *ctx, const char *file)
{
	struct looking *x = ctx;

	if (x->ret->state != RULE_NOWHERE || !gotree_slurp(x->t, file, &x->text))
		return;
	x->ret->looked++;
	search(x->t, file, buf_view(&x->text), x->name, x->ret);
}

void gotree_rule(struct gotree *t, struct span name, struct gotree_rule *ret)
{
	struct looking x = { .t = t, .name = name, .ret = ret };

	*ret = (struct gotree_rule){ 0 };
	for (size_t i = 0; golangci[i] && ret->state == RULE_NOWHERE; i++) {
		if (gotree_slurp(t, golangci[i], &x.text))
			read_golangci(t, golangci[i], buf_view(&x.text), name, ret);
	}
	for (size_t i = 0; golangci[i]; i++)
		look(&x, golangci[i]);
	for (size_t i = 0; others[i]; i++)
		look(&x, others[i]);
	project_pipelines(t->root, look, &x);
	buf_free(&x.text);
}
