#include "mod/check.h"

#include <errno.h>
#include <stdarg.h>

#include "base/mem.h"
#include "base/text.h"
#include "mod/check_own.h"
#include "parse/version.h"

#define SAID_MAX 20 /* of one rule in one file; the rest is counted */

const struct mod_rule mod_rules[RULES] = {
#define RULE(name, id, severity, cause, what_en, what_zh, fix_en, fix_zh) \
	{ id, severity, CAUSE_##cause, { what_en, what_zh }, { fix_en, fix_zh } },
#include "mod/check_rules.def"
#undef RULE
};
const size_t mod_rule_count = RULES;

/* ---- what comments allow ---- */

/* Is word this rule: its id, the part before the dot, or its cause? */
static bool names_rule(struct span word, const struct mod_rule *r)
{
	struct span id = span_of(r->id);

	return span_eq(word, id) || span_eq(word, span_of(cause_table[r->cause].id)) || span_eq(word, span_head(id, span_chr(id, '.')));
}

/* Words that name rules allow those; without any, the words are a reason, and all is allowed but where need_name is said. */
static bool allows(struct span words, const struct mod_rule *rule, bool need_name)
{
	bool named = false;

	if (!words.p)
		return false;
	while (words.n) {
		size_t n = 0;
		while (n < words.n && words.p[n] != ' ' && words.p[n] != ',' && words.p[n] != ':' && words.p[n] != '\t' &&
		       words.p[n] != '\n')
			n++;
		struct span word = span_head(words, n);
		words = span_from(words, n + 1);
		if (word.n && names_rule(word, rule))
			return true;
		for (size_t i = 0; i < RULES && word.n && !named; i++)
			named = names_rule(word, &mod_rules[i]);
	}
	return !named && !need_name;
}

/* What the module and go lines allow is for the whole file; looked for once, as long as one file is spoken of. */
static void find_heads(struct check *c, const struct modfile *m)
{
	if (c->heads_of == m)
		return;
	c->heads_of = m;
	c->n_heads = 0;
	for (size_t i = 0; i < m->n && c->n_heads < ARRAY_LEN(c->heads); i++) {
		const struct mod_line *l = &m->lines[i];
		if ((l->verb == MOD_MODULE || l->verb == MOD_GO) && l->allow.p)
			c->heads[c->n_heads++] = l->allow;
	}
}

static bool allowed(struct check *c, const struct spot *at, const struct mod_rule *rule)
{
	if (at->l && allows(at->l->allow, rule, false))
		return true;
	if (!at->mod)
		return false;
	find_heads(c, at->mod);
	for (size_t i = 0; i < c->n_heads; i++) {
		if (allows(c->heads[i], rule, true))
			return true;
	}
	return false;
}

/* ---- saying it ---- */

struct spoken {
	enum rule rule;
	enum severity severity;
	const char *file;
	size_t n;
};

/* May one more be said of this file? */
static bool room(struct check *c, enum rule rule, enum severity severity, const char *file)
{
	struct spoken *last = c->last;

	if (last && last->rule == rule && last->file == file)
		return ++last->n <= SAID_MAX;
	buf_clear(&c->key);
	buf_addf(&c->key, "%d %s", (int)rule, file);
	struct spoken *s = c->key.bad ? NULL : map_get(&c->said, buf_view(&c->key));

	if (!s) {
		struct span key = c->key.bad ? (struct span){ 0 } : arena_span(&c->mem, buf_view(&c->key));
		s = key.p ? arena_alloc(&c->mem, sizeof(*s)) : NULL;
		if (!s || !map_put(&c->said, key, s)) {
			c->bad = true;
			return false;
		}
		*s = (struct spoken){ rule, severity, file, 0 };
	}
	c->last = s;
	return ++s->n <= SAID_MAX;
}

__attribute__((format(printf, 5, 0))) static void say(struct check *c, enum rule rule, enum severity severity, const struct spot *at,
						      const char *fmt, va_list ap)
{
	const struct mod_rule *row = &mod_rules[rule];
	CLEANUP(buf_free) struct buf raw = { 0 };
	CLEANUP(buf_free) struct buf text = { 0 };

	bool pass = allowed(c, at, row);
	c->o->allowed += pass;
	if (pass && !c->o->show_allowed)
		return;
	if (!room(c, rule, severity, at->file->shown))
		return;
	buf_adds(&text, pass ? TR("allowed: ", "已允许：") : "");
	buf_vaddf(&raw, fmt, ap);
	text_clean(buf_view(&raw), false, &text);
	struct finding *f = raw.bad || text.bad ? NULL : report_say(c->r, row->cause, "%s [%s]", buf_str(&text), row->id);
	if (!f) {
		c->bad = true;
		return;
	}
	int64_t line = at->line ? at->line : at->l ? at->l->line : 0;
	int column = at->column ? at->column : at->l ? at->l->column : 0;
	f->rule = row->id;
	f->severity = pass ? SEV_NOTE : severity;
	f->advice = f->severity == SEV_NOTE ? (struct span){ 0 } : span_of(tx(row->fix));
	f->line = line > INT32_MAX ? 0 : (int)line;
	f->column = f->line ? column : 0;
	struct span file = arena_span(&c->r->mem, span_of(at->file->shown));
	c->bad |= !file.p;
	f->file = file;
}

void check_say_as(struct check *c, enum rule rule, enum severity severity, struct spot at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(c, rule, severity, &at, fmt, ap);
	va_end(ap);
}

void check_say(struct check *c, enum rule rule, struct spot at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(c, rule, mod_rules[rule].severity, &at, fmt, ap);
	va_end(ap);
}

/* What was too much to be said one by one. */
static void say_rest(struct check *c)
{
	struct spoken *s;

	for (size_t at = 0; (s = map_next(&c->said, &at));) {
		if (s->n <= SAID_MAX)
			continue;
		struct finding *f =
			report_say(c->r, mod_rules[s->rule].cause,
				   TR("%zu of these in this file; %d are shown [%s]", "该文件中共有 %zu 处此类问题；仅显示 %d 处 [%s]"),
				   s->n, SAID_MAX, mod_rules[s->rule].id);
		if (!f)
			continue;
		f->rule = mod_rules[s->rule].id;
		f->severity = s->severity;
		f->file = arena_span(&c->r->mem, span_of(s->file));
		f->advice = f->severity == SEV_NOTE ? (struct span){ 0 } : span_of(tx(mod_rules[s->rule].fix));
	}
}

/* ---- what the parts share ---- */

bool check_go_at_least(const struct check *c, const char *version)
{
	return !c->o->go.n || goversion_compare(c->o->go, span_of(version)) >= 0;
}

struct span check_go_of(const struct modfile *m)
{
	return m->go.n ? m->go : S("1.16");
}

bool check_pruned(const struct modfile *m)
{
	return goversion_compare(check_go_of(m), S("1.17")) >= 0;
}

/* "path version", or path alone when version is empty; good until the next call. */
static struct span key_of(struct check *c, struct span path, struct span version)
{
	buf_clear(&c->key);
	buf_span(&c->key, path);
	if (version.n) {
		buf_addc(&c->key, ' ');
		buf_span(&c->key, version);
	}
	c->bad |= c->key.bad;
	return buf_view(&c->key);
}

static struct index *index_of(const struct check *c, const struct mod_member *m)
{
	return m ? &c->index[m - c->t->members] : (struct index *)&c->work_index;
}

const struct mod_line *check_replacement(struct check *c, const struct mod_member *m, struct span path, struct span version)
{
	const struct index *x = index_of(c, m);

	if (!x->replaces.count)
		return NULL;
	const struct mod_line *l = version.n ? map_get(&x->replaces, key_of(c, path, version)) : NULL;
	return l ? l : map_get(&x->replaces, path);
}

const struct mod_line *check_replaced(struct check *c, const struct mod_member *m, struct span path, struct span version)
{
	const struct mod_line *l = c->work ? check_replacement(c, NULL, path, version) : NULL;

	return l ? l : check_replacement(c, m, path, version);
}

const struct mod_line *check_excluded(struct check *c, const struct mod_member *m, struct span path, struct span version)
{
	const struct index *x = index_of(c, m);

	return x->excludes.count ? map_get(&x->excludes, key_of(c, path, version)) : NULL;
}

/* The first line for a key counts; check_replaces says what is wrong with a second. */
static void fill(struct check *c, const struct modfile *m, struct index *x)
{
	for (size_t i = 0; i < m->n && !c->bad; i++) {
		const struct mod_line *l = &m->lines[i];
		struct map *to = l->verb == MOD_REPLACE ? &x->replaces : l->verb == MOD_EXCLUDE ? &x->excludes : NULL;
		if (!to)
			continue;
		char *key = l->version.n ? check_key(&c->mem, l->path, l->version) : NULL;
		struct span k = l->version.n ? span_of(key) : l->path;
		if (!k.p || (!map_get(to, k) && !map_put(to, k, (void *)l)))
			c->bad = true;
	}
}

struct name *check_name(struct check *c, struct span path)
{
	struct name *n = map_get(&c->names, path);

	if (n)
		return n;
	n = arena_alloc(&c->mem, sizeof(*n));
	if (!n || !map_put(&c->names, path, n)) {
		c->bad = true;
		return NULL;
	}
	n->path = path;
	return n;
}

/* "path version" as it stands in a file with one blank between, else good until the next call. */
static struct span unit_key(struct check *c, struct span path, struct span version)
{
	if (path.n && version.p == path.p + path.n + 1 && path.p[path.n] == ' ')
		return (struct span){ path.p, path.n + 1 + version.n };
	buf_clear(&c->key);
	buf_span(&c->key, path);
	buf_addc(&c->key, ' ');
	buf_span(&c->key, version);
	c->bad |= c->key.bad;
	return buf_view(&c->key);
}

struct unit *check_known(struct check *c, struct span path, struct span version)
{
	return map_get(&c->units, unit_key(c, path, version));
}

struct unit *check_unit(struct check *c, struct span path, struct span version)
{
	struct span key = unit_key(c, path, version);
	struct unit *u = map_get(&c->units, key);

	if (u || c->bad)
		return u;
	key = arena_span(&c->mem, key);
	u = key.p ? arena_alloc(&c->mem, sizeof(*u)) : NULL;
	if (!u || !map_put(&c->units, key, u)) {
		c->bad = true;
		return NULL;
	}
	u->key = key;
	u->path = span_head(key, path.n);
	u->version = span_from(key, path.n + 1);
	u->name = check_name(c, u->path);
	return u->name ? u : NULL;
}

static void fill_required(struct check *c, const struct modfile *m, struct index *x)
{
	x->require = arena_alloc(&c->mem, (m->n + 1) * sizeof(*x->require));
	c->bad |= !x->require;
	for (size_t i = 0; i < m->n && !c->bad; i++) {
		const struct mod_line *l = &m->lines[i];
		struct unit *u = l->verb == MOD_REQUIRE ? check_unit(c, l->path, l->version) : NULL;
		x->require[i] = u;
		if (u)
			u->required = u->name->required = true;
	}
}

struct unit *check_line_unit(const struct check *c, const struct mod_member *m, const struct mod_line *l)
{
	return index_of(c, m)->require[l - m->mod.lines];
}

bool check_required(struct check *c, struct span path, struct span version)
{
	const struct name *n = version.n ? NULL : map_get(&c->names, path);
	const struct unit *u = version.n ? check_known(c, path, version) : NULL;

	return version.n ? u && u->required : n && n->required;
}

bool check_again(const struct check *c, const struct mod_member *m)
{
	return index_of(c, m)->again;
}

static void fill_all(struct check *c)
{
	struct map dirs = { 0 };

	c->index = arena_alloc(&c->mem, (c->t->n + 1) * sizeof(*c->index));
	c->bad |= !c->index;
	fill(c, &c->t->work, &c->work_index);
	for (size_t i = 0; i < c->t->n && !c->bad; i++) {
		const struct modfile *m = &c->t->members[i].mod;
		struct span dir = span_of(c->t->members[i].dir);
		c->index[i].again = map_get(&dirs, dir) != NULL;
		fill_required(c, m, &c->index[i]);
		if (c->index[i].again)
			continue;
		c->bad |= !map_put(&dirs, dir, &c->t->members[i]);
		fill(c, m, &c->index[i]);
		c->excludes |= c->index[i].excludes.count > 0;
		struct name *n = m->module.n && !c->bad ? check_name(c, m->module) : NULL;
		if (n)
			n->member = &c->t->members[i];
	}
	map_free(&dirs);
}

const struct mod_member *check_member_of(const struct check *c, struct span path)
{
	const struct name *n = map_get(&c->names, path);

	return n ? n->member : NULL;
}

char *check_key(struct arena *mem, struct span path, struct span version)
{
	char *key = arena_alloc(mem, path.n + version.n + 2);

	if (key) {
		memcpy(key, path.p, path.n);
		key[path.n] = ' ';
		if (version.n)
			memcpy(key + path.n + 1, version.p, version.n);
	}
	return key;
}

/* ---- all of it ---- */

static void count(struct mod_check *o, const struct mod_source *s)
{
	o->files += s->text.p != NULL;
	o->bytes += s->size;
}

static void check_member(struct check *c, const struct mod_member *m)
{
	struct graph g = { .pruned = check_pruned(&m->mod) };

	if (!m->go_mod.text.p || check_again(c, m))
		return;
	c->now++;
	check_modfile(c, &m->go_mod, &m->mod, false);
	check_go(c, &m->go_mod, &m->mod, false);
	check_versions(c, m);
	check_replaces(c, m->dir, &m->go_mod, &m->mod, m);
	check_graph(c, m, &g);
	check_sum(c, m, &g);
}

static void say_unknown(struct check *c)
{
	for (const struct summary *s = c->all; s; s = s->next)
		c->unknown += !s->known;
	if (!c->unknown)
		return;
	char *text = arena_printf(
		&c->r->mem,
		TR("%zu go.mod files of dependencies are not in the module cache: what they require could not be looked at (`go mod download` brings them)",
		   "模块缓存中缺少 %zu 个依赖的 go.mod：无法查看它们的要求（可用 `go mod download` 取得）"),
		c->unknown);
	c->bad |= !text || !list_add(&c->r->mem, &c->r->limits, text);
}

static void check_all(struct check *c)
{
	struct mod_tree *t = c->t;

	if (c->work) {
		check_modfile(c, &t->go_work, &t->work, true);
		check_go(c, &t->go_work, &t->work, true);
		check_replaces(c, ".", &t->go_work, &t->work, NULL);
		check_sum_file(c, &t->work_sum);
	}
	c->vendored = c->work && check_vendored(c, NULL);
	for (size_t i = 0; i < t->n && !c->bad; i++)
		check_member(c, &t->members[i]);
	say_unknown(c);
	if (c->work)
		check_work(c);
	check_vendor(c);
	check_pins(c);
	check_retracted(c);
	check_netrc(c);
	say_rest(c);
}

int mod_check(struct mod_check *o, struct err *e)
{
	struct check c = { .o = o, .t = o->tree, .r = o->report, .work = o->tree->go_work.text.p != NULL };

	c.root = o->repository ? o->repository : o->tree->top;
	c.old = !check_go_at_least(&c, "1.21");
	o->modules = (int64_t)c.t->n;
	o->files = o->bytes = 0;
	o->allowed = 0;
	count(o, &c.t->go_work);
	count(o, &c.t->work_sum);
	count(o, &c.t->work_modules_txt);
	for (size_t i = 0; i < c.t->n; i++) {
		count(o, &c.t->members[i].go_mod);
		count(o, &c.t->members[i].go_sum);
		if (!c.work || strcmp(c.t->members[i].dir, ".") != 0)
			count(o, &c.t->members[i].modules_txt);
	}
	fill_all(&c);
	if (!c.bad)
		check_all(&c);
	for (size_t i = 0; c.index && i < c.t->n; i++) {
		map_free(&c.index[i].replaces);
		map_free(&c.index[i].excludes);
	}
	map_free(&c.work_index.replaces);
	map_free(&c.work_index.excludes);
	map_free(&c.work_paths);
	map_free(&c.names);
	map_free(&c.units);
	buf_free(&c.key);
	for (struct summary *s = c.all; s; s = s->next)
		modfile_free(&s->mod);
	map_free(&c.said);
	map_free(&c.folders);
	arena_free(&c.mem);
	if (c.reading < 0)
		return err_set(e, -c.reading, "%s", c.err.msg);
	return c.bad || c.r->lost ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : 0;
}
