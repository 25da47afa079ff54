#include <errno.h>
#include <stdarg.h>

#include "base/path.h"
#include "check/traps_own.h"

#define SAID_MAX 100 /* of one rule; the rest is counted */
#define FILE_MAX ((size_t)8 << 20)

const struct trap_rule trap_rules[TRAPS] = {
#define TRAP(name, id, severity, cause, what_en, what_zh, message_en, message_zh, fix_en, fix_zh) \
	[TRAP_##name] = { id,                                                                     \
			  severity,                                                               \
			  CAUSE_##cause,                                                          \
			  { what_en, what_zh },                                                   \
			  { message_en, message_zh },                                             \
			  { fix_en, fix_zh } },
#include "check/traps.def"
#undef TRAP
};
const size_t trap_rule_count = TRAPS;

/* ---- reading ---- */

const char *trap_path(struct trap_run *c, const struct src_dir *d, const char *name)
{
	buf_clear(&c->path);
	path_join(&c->path, c->tree->root, strcmp(d->path, ".") ? d->path : "");
	while (c->path.len > 1 && c->path.p[c->path.len - 1] == '/')
		c->path.p[--c->path.len] = '\0';
	if (name)
		buf_addf(&c->path, "/%s", name);
	c->bad |= c->path.bad;
	return buf_str(&c->path);
}

struct span trap_read(struct trap_run *c, const struct src_file *f)
{
	if (c->file == f)
		return buf_view(&c->text);
	c->file = NULL;
	buf_clear(&c->text);
	c->text.max = FILE_MAX;
	int r = file_slurp_regular(trap_path(c, f->dir, f->name), &c->text, NULL);
	c->bad |= r == -ENOMEM;
	if (r < 0)
		return (struct span){ 0 };
	c->file = f;
	c->o->files++;
	c->o->bytes += c->text.len;
	return c->text.len ? buf_view(&c->text) : S("");
}

struct syntax *trap_parser(struct trap_run *c)
{
	if (!c->parser && gosyntax_open(&c->parser, NULL) < 0)
		c->bad = true;
	return c->parser;
}

struct span trap_text(struct trap_run *c, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	struct span ret = b.bad ? (struct span){ 0 } : arena_span(&c->mem, b.len ? buf_view(&b) : S(""));
	c->bad |= !ret.p;
	return ret.p ? ret : S("");
}

void trap_limit(struct trap_run *c, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	char *text = b.bad ? NULL : arena_str(&c->o->report->mem, buf_view(&b));
	c->bad |= !text || !list_add(&c->o->report->mem, &c->o->report->limits, text);
}

/* Below what nobody expects `./...` to look into. */
bool trap_aside(const struct src_dir *d)
{
	for (; d; d = d->parent) {
		const char *slash = strrchr(d->path, '/'), *name = slash ? slash + 1 : d->path;
		if (!strcmp(name, "testdata") || !strcmp(name, "vendor") || !strcmp(name, "node_modules") ||
		    ((name[0] == '.' || name[0] == '_') && name[1]))
			return true;
	}
	return false;
}

bool trap_looked_at(const struct src_dir *d)
{
	bool seen = d->skip == DIR_TAKEN || d->skip == DIR_NO_MEMBER || d->skip == DIR_BUILTIN ||
		    d->skip == DIR_NESTED;

	return seen && !d->vendored && !trap_aside(d);
}

/* ---- what comments allow ---- */

static bool names_rule(struct span word, const struct trap_rule *r)
{
	struct span id = span_of(r->id);

	return span_eq(word, id) || span_eq(word, span_of(cause_table[r->cause].id)) ||
	       span_eq(word, span_head(id, span_chr(id, '.')));
}

/* 1: the words name this rule; 0: they name none, and are a reason; -1: they name others. */
static int words_name(struct span words, const struct trap_rule *rule)
{
	int ret = 0;

	while (words.n) {
		size_t n = 0;
		while (n < words.n && !strchr(" ,:\t\r", words.p[n]))
			n++;
		struct span word = span_head(words, n);
		words = span_from(words, n + 1);
		if (word.n && names_rule(word, rule))
			return 1;
		for (size_t i = 0; i < TRAPS && word.n && !ret; i++)
			ret = names_rule(word, &trap_rules[i]) ? -1 : 0;
	}
	return ret;
}

/* `tocsin:allow` in the line, the one above it, or, with the name of the rule, above the package clause (in other files: anywhere). */
static bool allowed(struct trap_run *c, const struct trap_rule *rule, const struct src_file *f, int line)
{
	CLEANUP(buf_free) struct buf text = { .max = FILE_MAX };
	int at = 0;

	if (!f || f->unread || f->dir_link ||
	    file_slurp_regular(trap_path(c, f->dir, f->name), &text, NULL) < 0)
		return false;
	struct span rest = buf_view(&text);
	if (span_find(rest, S("tocsin:allow")) == SPAN_NONE)
		return false;
	while (rest.n) {
		struct span l = span_cut(&rest, '\n');
		size_t found = span_find(l, S("tocsin:allow"));
		at++;
		if (found == SPAN_NONE)
			continue;
		int named = words_name(span_from(l, found + 12), rule);
		bool head = f->kind != SRC_GO || !f->head || !f->head->package_line ||
			    at < f->head->package_line;
		if ((named == 1 && head) || (named >= 0 && line && (at == line || at == line - 1)))
			return true;
	}
	return false;
}

/* ---- saying it ---- */

static void fill(struct buf *b, const char *message, const struct span *args, size_t n)
{
	for (const char *p = message; *p; p++) {
		size_t at = (size_t)(p[1] - '0');
		if (*p == '{' && p[1] >= '0' && p[1] <= '9' && p[2] == '}') {
			if (at < n)
				text_clean(args[at], false, b);
			p += 2;
		} else {
			buf_addc(b, *p);
		}
	}
}

static struct span kept(struct trap_run *c, const struct buf *b)
{
	struct span ret = b->bad ? (struct span){ 0 } : arena_span(&c->o->report->mem, buf_view(b));

	c->bad |= !ret.p;
	return ret;
}

/* Was it not said before, and is there room? */
static bool is_new(struct trap_run *c, enum trap trap, const struct spot *at)
{
	buf_clear(&c->key);
	buf_addf(&c->key, "%d %s/%s %d %d", (int)trap,
		 at->file  ? at->file->dir->path
		 : at->dir ? at->dir->path
			   : "",
		 at->file ? at->file->name : "", at->line, at->column);
	if (c->key.bad) {
		c->bad = true;
		return false;
	}
	if ((at->file || at->dir) && map_get(&c->said, buf_view(&c->key)))
		return false;
	struct span key = arena_span(&c->mem, buf_view(&c->key));
	if (!key.p || !map_put(&c->said, key, c)) {
		c->bad = true;
		return false;
	}
	return true;
}

static struct span shown(struct trap_run *c, const struct spot *at)
{
	const char *prefix = c->o->prefix ? c->o->prefix : "";
	struct arena *mem = &c->o->report->mem;
	char *z = NULL;

	if (!at->file && !at->dir)
		return (struct span){ 0 };
	const char *dir = at->file ? at->file->dir->path : at->dir->path;
	if (at->file && !strcmp(dir, "."))
		z = arena_printf(mem, "%s%s", prefix, at->file->name);
	else if (at->file)
		z = arena_printf(mem, "%s%s/%s", prefix, dir, at->file->name);
	else
		z = arena_printf(mem, "%s%s", prefix, dir);
	c->bad |= !z;
	return span_of(z);
}

void trap_say_args(struct trap_run *c, enum trap trap, enum severity severity, struct spot at,
		   const struct span *args, size_t n)
{
	const struct trap_rule *row = &trap_rules[trap];
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf fix = { 0 };

	if (c->bad || !is_new(c, trap, &at))
		return;
	bool pass = allowed(c, row, at.file, at.line);
	c->o->allowed += pass;
	if ((pass && !c->o->show_allowed) || ++c->count[trap] > SAID_MAX)
		return;
	buf_adds(&text, pass ? TR("allowed: ", "已允许：") : "");
	fill(&text, tx(row->message), args, n);
	buf_addf(&text, " [%s]", row->id);
	fill(&fix, tx(row->fix), args, n);
	c->bad |= text.bad || fix.bad;
	struct finding *f = c->bad ? NULL : report_say(c->o->report, row->cause, "%s", buf_str(&text));
	if (!f) {
		c->bad = true;
		return;
	}
	f->rule = row->id;
	f->severity = pass ? SEV_NOTE : severity;
	f->advice = pass ? (struct span){ 0 } : kept(c, &fix);
	f->line = at.line;
	f->column = at.column;
	f->file = shown(c, &at);
}

static void say_uncounted(struct trap_run *c)
{
	for (size_t i = 0; i < TRAPS && !c->bad; i++)
		if (c->count[i] > SAID_MAX)
			trap_limit(c, TR("%s: %zu more findings are not shown", "%s：另有 %zu 个发现未显示"),
				   trap_rules[i].id, c->count[i] - SAID_MAX);
}

/* ---- facts of a file ---- */

const struct constraint *trap_expr(struct trap_run *c, const struct gohead *h)
{
	const struct constraint *ret;

	c->bad |= gohead_expr(h, &c->mem, &ret) < 0;
	return ret;
}

int trap_expr_line(const struct gohead *h)
{
	return h->build.text.p ? h->build.line : h->n_old ? h->old[0].line : 0;
}

const struct act_file *trap_act(const struct selection *s, const struct src_file *f)
{
	const struct act_package *p = selection_package(s, f->dir);
	size_t at = p && f->dir->files ? (size_t)(f - f->dir->files) : 0;

	return p && at < p->n ? &p->files[at] : NULL;
}

bool trap_built(const struct trap_run *c, const struct src_file *f)
{
	for (size_t i = 0; i < c->o->n; i++) {
		const struct act_file *a = trap_act(&c->o->selections[i], f);
		if (a && act_list_built(a->list))
			return true;
	}
	return false;
}

/* ---- all of them ---- */

static void begin(struct trap_run *c)
{
	c->go_least = INT32_MAX;
	for (size_t i = 0; i < c->o->n; i++) {
		int go = c->o->selections[i].target->go;
		c->go = go > c->go ? go : c->go;
		c->go_least = go < c->go_least ? go : c->go_least;
	}
	c->o->files = c->o->bytes = c->o->allowed = 0;
}

static void end(struct trap_run *c, struct flows *flows)
{
	struct names *n;

	for (size_t at = 0; (n = map_next(&c->packages, &at));) {
		map_free(&n->by_name);
		mem_free(n->v);
	}
	map_free(&c->packages);
	map_free(&c->said);
	flows_free(flows);
	syntax_close(c->parser);
	buf_free(&c->key);
	buf_free(&c->path);
	buf_free(&c->text);
	arena_free(&c->mem);
}

int check_traps(struct traps *t, struct err *e)
{
	static void (*const parts[])(struct trap_run * c) = {
		trap_names_of_files, trap_directives, trap_expressions, trap_tags,   trap_packages,
		trap_folders,        trap_embeds,     trap_ldflags,     trap_vendor, trap_plugins,
	};
	struct flows flows = { 0 };
	struct trap_run c = { .o = t, .tree = t->tree, .flows = &flows };

	begin(&c);
	flows_read(&c, &flows);
	for (size_t i = 0; i < ARRAY_LEN(parts) && !c.bad; i++)
		parts[i](&c);
	say_uncounted(&c);
	bool bad = c.bad || t->report->lost;
	end(&c, &flows);
	return bad ? err_set(e, ENOMEM, TR("no memory to look for traps", "内存不足，无法检查陷阱")) : 0;
}
