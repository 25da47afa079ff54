#include "parse/contract.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "parse/gofunc.h"
#include "parse/yaml.h"

#define SHOWN     60
#define NAME_MAX_ 1000

const char *const defence_words[] = { "test", "rule", "drill", "contract", NULL };

bool defence_read(struct span text, enum defence_kind *kind, struct span *name)
{
	struct span word = span_cut(&text, ':');

	for (int i = 0; i < DEFENCE_KINDS; i++) {
		if (!span_eq(word, span_of(defence_words[i])))
			continue;
		*kind = (enum defence_kind)i;
		*name = span_trim(text);
		return name->n > 0;
	}
	return false;
}

struct reading {
	const char *name;
	struct arena *mem;
	struct contract *c;
	bool no_memory;
};

/* ---- errors ---- */

static void add_error(struct reading *r, int line, int column, const char *text)
{
	char *copy = arena_str(r->mem, span_of(text));

	if (!copy)
		r->no_memory = true;
	else if (r->c->n_errors < CONTRACT_ERRORS_MAX)
		r->c->errors[r->c->n_errors++] = (struct contract_error){ line, column, copy };
}

static void wrong(struct reading *r, const struct yaml *v, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void wrong(struct reading *r, const struct yaml *v, const char *fmt, ...)
{
	char text[400];
	struct err e;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	yaml_err(r->name, v, &e, "%s", text);
	add_error(r, v->line, v->column, e.msg);
}

/* What the YAML reader said: "NAME:LINE:COLUMN: …". */
static void wrong_yaml(struct reading *r, const struct err *e)
{
	struct span rest = span_of(e->msg), name = span_of(r->name);
	int line = 1, column = 1;

	if (span_skip(&rest, name) && span_skip(&rest, S(":"))) {
		char *end;
		long n = strtol(rest.p, &end, 10);
		line = n > 0 && n < 1 << 20 ? (int)n : 1;
		n = *end == ':' ? strtol(end + 1, &end, 10) : 1;
		column = n > 0 && n < 1 << 20 ? (int)n : 1;
	}
	add_error(r, line, column, e->msg);
}

static void unknown_key(struct reading *r, const struct yaml *key, const char *const *known, size_t n)
{
	const char *near = text_nearest(key->text.p, known, n);
	struct span shown = utf8_head(key->text, SHOWN);
	char words[200] = "";
	size_t used = 0;

	if (near) {
		wrong(r, key, TR("there is no key '%.*s'; did you mean %s?", "没有键“%.*s”；您是否想用 %s？"), SPAN_ARG(shown), near);
		return;
	}
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s", i ? ", " : "", known[i]);
	wrong(r, key, TR("there is no key '%.*s'; it may be: %s", "没有键“%.*s”；可以是：%s"), SPAN_ARG(shown), words);
}

/* ---- values ---- */

/* A text that says something. False: it was said what is wrong. */
static bool read_text(struct reading *r, const char *key, const struct yaml *v, struct span *ret)
{
	if (v->kind != YAML_SCALAR) {
		wrong(r, v, TR("%s: needs a text, not a %s", "%s：需要文本，而不是%s"), key,
		      v->kind == YAML_LIST ? TR("list", "列表") : TR("mapping", "映射"));
		return false;
	}
	if (yaml_is_nothing(v) || !span_trim(v->text).n) {
		wrong(r, v, TR("%s: is empty; fill it in", "%s：为空，请填写"), key);
		return false;
	}
	*ret = v->text;
	return true;
}

/* The same, on one line. */
static bool read_word(struct reading *r, const char *key, const struct yaml *v, struct span *ret)
{
	if (!read_text(r, key, v, ret))
		return false;
	*ret = span_trim(*ret);
	if (span_chr(*ret, '\n') == SPAN_NONE && ret->n <= NAME_MAX_)
		return true;
	wrong(r, v, TR("%s: needs one line of at most %d bytes", "%s：只能是一行，且不超过 %d 字节"), key, NAME_MAX_);
	return false;
}

static size_t among(struct span s, const char *set)
{
	size_t n = 0;

	while (n < s.n && s.p[n] && strchr(set, s.p[n]))
		n++;
	return n;
}

#define DIGITS "0123456789"
#define BASE32 DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool is_fault(struct span s)
{
	struct span number = s;

	if ((span_skip(&number, S("T-")) || span_skip(&number, S("t-"))))
		return number.n && number.n < 19 && among(number, DIGITS) == number.n;
	return s.n && s.n <= 64 && among(s, BASE32) == s.n && (s.n >= 6 || among(s, DIGITS) == s.n);
}

static void read_fault(struct reading *r, const struct yaml *v)
{
	struct contract *c = r->c;

	c->fault_line = v->line;
	if (!read_word(r, "fault", v, &c->fault))
		return;
	if (!is_fault(c->fault))
		wrong(r, v, TR("fault: needs a fault's id such as T-42, a ULID or a fingerprint, not '%.*s'", "fault：需要故障编号（如 T-42）、ULID 或指纹，而不是“%.*s”"),
		      SPAN_ARG(utf8_head(c->fault, SHOWN)));
}

static void read_fingerprint(struct reading *r, const struct yaml *v)
{
	if (!read_word(r, "fingerprint", v, &r->c->fingerprint))
		return;
	struct span s = r->c->fingerprint;
	if (s.n < 6 || s.n > 64 || among(s, DIGITS "abcdef") != s.n)
		wrong(r, v, TR("fingerprint: needs what `tocsin fault show` says, not '%.*s'", "fingerprint：需要 `tocsin fault show` 显示的指纹，而不是“%.*s”"),
		      SPAN_ARG(utf8_head(s, SHOWN)));
}

/* ---- checks ---- */

enum { KEY_TEST, KEY_RULE, KEY_DRILL, KEY_PACKAGE, CHECK_KEYS };
static const char *const check_keys[CHECK_KEYS] = { "test", "rule", "drill", "package" };

/* test: and package: become one name. */
static bool join_test(struct reading *r, const struct yaml *test, const struct yaml *package, struct span *name)
{
	struct gotest_name t;

	if (!gotest_name_read(*name, &t)) {
		wrong(r, test, TR("test: needs PACKAGE.TestName or TestName, not '%.*s'", "test：需要 包.测试名 或 测试名，而不是“%.*s”"), SPAN_ARG(utf8_head(*name, SHOWN)));
		return false;
	}
	struct span p;
	if (!package)
		return true;
	if (!read_word(r, "package", package, &p))
		return false;
	if (t.package.p) {
		wrong(r, package, TR("package: '%.*s' names its package already", "package：“%.*s”已写明所在的包"), SPAN_ARG(utf8_head(*name, SHOWN)));
		return false;
	}
	*name = span_of(arena_printf(r->mem, "%.*s.%.*s", SPAN_ARG(p), SPAN_ARG(t.test)));
	r->no_memory |= !name->p;
	return name->p != NULL;
}

static void add_check(struct reading *r, const struct yaml *v, enum defence_kind kind, struct span name)
{
	struct contract *c = r->c;
	struct span copy = arena_span(r->mem, name);

	for (size_t i = 0; i < c->n_checks; i++) {
		if (c->checks[i].kind != kind || !span_eq(c->checks[i].name, name))
			continue;
		wrong(r, v, TR("%s: '%.*s' stands here twice; first in line %d", "%s：“%.*s”重复；首次出现在第 %d 行"), defence_words[kind],
		      SPAN_ARG(utf8_head(name, SHOWN)), c->checks[i].line);
		return;
	}
	if (!copy.p)
		r->no_memory = true;
	else
		c->checks[c->n_checks++] = (struct contract_check){ kind, copy, v->line };
}

static void read_check(struct reading *r, const struct yaml *item)
{
	const struct yaml *said[CHECK_KEYS] = { NULL }, *what = NULL;
	enum defence_kind kind = DEFENCE_TEST;
	struct span name;

	if (item->kind != YAML_MAP) {
		wrong(r, item, "%s", TR("checks: an entry is `test: PACKAGE.TestName`, `rule: NAME` or `drill: NAME`",
					"checks：每一项应为 `test: 包.测试名`、`rule: 规则` 或 `drill: 演练名`"));
		return;
	}
	for (const struct yaml *v = item->first; v; v = v->next) {
		size_t k = 0;
		while (k < CHECK_KEYS && !span_eq(v->key->text, span_of(check_keys[k])))
			k++;
		if (k == CHECK_KEYS) {
			unknown_key(r, v->key, check_keys, CHECK_KEYS);
			return;
		}
		said[k] = v;
		if (k == KEY_PACKAGE)
			continue;
		if (what) {
			wrong(r, v->key, TR("checks: one of test, rule and drill an entry; '%s' begins with a dash of its own", "checks：每一项只能有 test、rule、drill 之一；“%s”请另起一项（-）"),
			      check_keys[k]);
			return;
		}
		what = v;
		kind = (enum defence_kind)k;
	}
	if (!what)
		wrong(r, item, "%s", TR("checks: the entry names no test, rule or drill", "checks：该项没有写明 test、rule 或 drill"));
	else if (said[KEY_PACKAGE] && kind != DEFENCE_TEST)
		wrong(r, said[KEY_PACKAGE], "%s", TR("package: goes with a test only", "package：只能与 test 一起使用"));
	else if (read_word(r, defence_words[kind], what, &name) && (kind != DEFENCE_TEST || join_test(r, what, said[KEY_PACKAGE], &name)))
		add_check(r, what, kind, name);
}

static void read_checks(struct reading *r, const struct yaml *v)
{
	if (v->kind != YAML_LIST || !v->n) {
		wrong(r, v, "%s", TR("checks: needs a list of what checks the guarantee: a `- test: PACKAGE.TestName` a line",
				     "checks：需要列出由什么来检查保证，每行一项：- test: 包.测试名"));
		return;
	}
	if (v->n > CONTRACT_CHECKS_MAX) {
		wrong(r, v, TR("checks: has more than %d entries", "checks：超过 %d 项"), CONTRACT_CHECKS_MAX);
		return;
	}
	r->c->checks = arena_alloc(r->mem, v->n * sizeof(*r->c->checks));
	r->no_memory |= !r->c->checks;
	for (const struct yaml *item = v->first; item && !r->no_memory; item = item->next)
		read_check(r, item);
}

/* ---- the file ---- */

static void read_title(struct reading *r, const struct yaml *v)
{
	read_word(r, "title", v, &r->c->title);
}

static void read_trigger(struct reading *r, const struct yaml *v)
{
	read_text(r, "trigger", v, &r->c->trigger);
}

static void read_guarantee(struct reading *r, const struct yaml *v)
{
	read_text(r, "guarantee", v, &r->c->guarantee);
}

static const struct {
	const char *name;
	void (*read)(struct reading *r, const struct yaml *v);
	bool needed;
} keys[] = {
	{ "fault", read_fault, true },     { "trigger", read_trigger, true }, { "guarantee", read_guarantee, true },
	{ "checks", read_checks, true },   { "title", read_title, false },    { "fingerprint", read_fingerprint, false },
};

static void read_map(struct reading *r, const struct yaml *map)
{
	const char *names[ARRAY_LEN(keys)];
	bool said[ARRAY_LEN(keys)] = { false };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = keys[i].name;
	for (const struct yaml *v = map->first; v && !r->no_memory; v = v->next) {
		size_t k = 0;
		while (k < ARRAY_LEN(keys) && !span_eq(v->key->text, span_of(keys[k].name)))
			k++;
		if (k == ARRAY_LEN(keys)) {
			unknown_key(r, v->key, names, ARRAY_LEN(keys));
			continue;
		}
		said[k] = true;
		keys[k].read(r, v);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys) && !r->no_memory; i++) {
		if (keys[i].needed && !said[i])
			wrong(r, map, TR("the key '%s' is missing", "缺少键“%s”"), keys[i].name);
	}
}

int contract_read(const char *name, struct span text, struct arena *mem, struct contract *ret, struct err *e)
{
	struct reading r = { .name = name, .mem = mem, .c = ret };
	static const struct yaml top = { .line = 1, .column = 1 };
	struct yaml *root;
	struct err why;

	*ret = (struct contract){ 0 };
	int n = yaml_read(name, text, mem, &root, &why);
	if (n == -ENOMEM)
		r.no_memory = true;
	else if (n < 0)
		wrong_yaml(&r, &why);
	else if (!root || root->kind != YAML_MAP)
		wrong(&r, root ? root : &top, "%s", TR("this is no contract: it needs the keys fault, trigger, guarantee and checks",
						       "这不是防御契约：需要 fault、trigger、guarantee、checks 四个键"));
	else
		read_map(&r, root);
	return r.no_memory ? err_set(e, ENOMEM, TR("no memory to read '%s'", "内存不足，无法读取“%s”"), name) : 0;
}
