#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/checking.h"
#include "cli/say.h"

/* ---- words ---- */

static const char *skip_text(const struct src_dir *d)
{
	switch (d->skip) {
	case DIR_TAKEN: return NULL;
	case DIR_HIDDEN:
		return TR("begins with . or _: `./...` passes over it", "以 . 或 _ 开头：`./...` 会跳过");
	case DIR_TESTDATA: return TR("testdata: `./...` passes over it", "testdata：`./...` 会跳过");
	case DIR_VENDOR: return TR("in vendor: `./...` passes over it", "在 vendor 中：`./...` 会跳过");
	case DIR_NESTED:
		return TR("a module of its own: `./...` does not go into it",
			  "是独立的模块：`./...` 不会进入");
	case DIR_IGNORED:
		return TR("an ignore line in go.mod: `./...` passes over it",
			  "go.mod 中的 ignore 行：`./...` 会跳过");
	case DIR_UNREADABLE: return TR("it cannot be read, and go stops there", "无法读取，go 会在此停止");
	case DIR_LINK: return TR("a symbolic link: go does not follow it", "符号链接：go 不会跟随");
	case DIR_BUILTIN: return TR("documentation of the language: no package", "语言自身的文档：不是包");
	case DIR_NO_MEMBER:
		return d->go_mod ? TR("a module that go.work does not use", "go.work 未使用的模块")
				 : TR("in no module of go.work", "不属于 go.work 中的任何模块");
	}
	return NULL;
}

static const char *const skip_words[] = {
	[DIR_TAKEN] = NULL,
	[DIR_HIDDEN] = "hidden",
	[DIR_TESTDATA] = "testdata",
	[DIR_VENDOR] = "vendor",
	[DIR_NESTED] = "module",
	[DIR_IGNORED] = "ignored",
	[DIR_UNREADABLE] = "unreadable",
	[DIR_LINK] = "link",
	[DIR_BUILTIN] = "builtin",
	[DIR_NO_MEMBER] = "no_member",
};

static const char *const state_words[] = {
	[PKG_FINE] = "fine",         [PKG_NO_GO] = "no_go",
	[PKG_EXCLUDED] = "excluded", [PKG_ONLY_TESTS] = "only_tests",
	[PKG_INVALID] = "invalid",
};

static const char *state_text(const struct act_package *p)
{
	switch (p->state) {
	case PKG_EXCLUDED:
		return TR("no Go file is left: `./...` drops the package without a word",
			  "没有剩下任何 Go 文件：`./...` 会静默丢弃该包");
	case PKG_INVALID: return TR("go refuses the package", "go 会拒绝该包");
	case PKG_ONLY_TESTS: return TR("tests alone: nothing to build", "只有测试：没有可构建的内容");
	case PKG_FINE:
	case PKG_NO_GO: break;
	}
	return NULL;
}

/* ---- text, one target ---- */

static void write_path(struct buf *b, const struct activation *a, const struct src_dir *d, const char *name,
		       int line)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf clean = { 0 };

	buf_adds(&path, a->prefix);
	if (strcmp(d->path, ".") != 0)
		buf_addf(&path, "%s/", d->path);
	buf_adds(&path, name);
	if (line)
		buf_addf(&path, ":%d", line);
	say_clean(&clean, buf_view(&path));
	b->bad |= path.bad || clean.bad;
	buf_span(b, buf_view(&clean));
}

static bool is_left_out(const struct act_file *f)
{
	return f->why != ACT_BUILT && f->why != ACT_WHY_NO_SOURCE;
}

static void write_package_head(struct buf *b, const struct activation *a, const struct term *t,
			       const struct act_package *p)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	size_t built = 0, out = 0;

	for (size_t i = 0; i < p->n; i++) {
		built += act_list_built(p->files[i].list);
		out += is_left_out(&p->files[i]);
	}
	if (p->dir->import)
		say_clean(&name, span_of(p->dir->import));
	else
		write_path(&name, a, p->dir, "", 0);
	b->bad |= name.bad;
	say_paint(b, t, PAINT_BOLD, name.len ? buf_str(&name) : ".");
	buf_addf(b, TR(": built %zu, not built %zu", "：参与构建 %zu，不参与 %zu"), built, out);
	const char *state = state_text(p);
	if (state && p->dir->skip == DIR_TAKEN) {
		buf_adds(b, "; ");
		say_paint(b, t, p->state == PKG_INVALID ? PAINT_RED : PAINT_YELLOW, state);
	}
	buf_addc(b, '\n');
	if (p->refused) {
		CLEANUP(buf_free) struct buf text = { 0 };
		say_clean(&text, span_of(p->refused));
		b->bad |= text.bad;
		buf_addf(b, TR("  go says: %s\n", "  go 会说：%s\n"), buf_str(&text));
	}
}

static void write_file(struct buf *b, const struct activation *a, const struct term *t,
		       const struct act_file *f, const struct target *target)
{
	CLEANUP(buf_free) struct buf why = { 0 };
	CLEANUP(buf_free) struct buf clean = { 0 };

	buf_adds(b, "  ");
	write_path(b, a, f->src->dir, f->src->name, f->line);
	buf_adds(b, ": ");
	if (f->why == ACT_BUILT) {
		say_paint(b, t, PAINT_DIM, act_list_names[f->list] ? act_list_names[f->list] : "");
	} else {
		act_why_write(f, target, &why);
		say_clean(&clean, buf_view(&why));
		b->bad |= why.bad || clean.bad;
		buf_span(b, buf_view(&clean));
	}
	buf_addc(b, '\n');
}

/* Is it worth a line? Not below a folder that has had one. */
static bool is_said(const struct activation *a, const struct src_dir *d)
{
	if (d->skip == DIR_NO_MEMBER)
		return d->go_mod || d->n > 0;
	if (d->skip == DIR_HIDDEN || d->skip == DIR_TESTDATA || d->skip == DIR_VENDOR)
		return a->files && !(d->parent && d->parent->skip == d->skip);
	return d->skip != DIR_TAKEN && !(d->parent && d->parent->skip == d->skip);
}

static void write_skipped(struct buf *b, const struct activation *a, const struct term *t,
			  const struct src_dir *d)
{
	if (!is_said(a, d))
		return;
	write_path(b, a, d, "", 0);
	buf_adds(b, !strcmp(d->path, ".") && !*a->prefix ? "./: " : ": ");
	say_paint(b, t, PAINT_DIM, skip_text(d));
	if (d->unread) {
		buf_adds(b, ": ");
		say_clean(b, span_of(d->unread));
	}
	buf_addc(b, '\n');
}

static void write_package(struct buf *b, const struct activation *a, const struct term *t,
			  const struct act_package *p, const struct target *target)
{
	bool any = a->files || p->refused;

	for (size_t i = 0; i < p->n; i++)
		any |= is_left_out(&p->files[i]);
	if (!any || !p->n)
		return;
	write_package_head(b, a, t, p);
	for (size_t i = 0; i < p->n; i++)
		if (a->files || is_left_out(&p->files[i]))
			write_file(b, a, t, &p->files[i], target);
}

static void write_target(struct buf *b, const struct target *x, const struct term *t)
{
	say_paint(b, t, PAINT_BOLD, x->name);
	buf_addf(b, TR(", go%s, cgo %s: %s", "，go%s，cgo %s：%s"), x->version,
		 x->cgo ? TR("on", "开") : TR("off", "关"), x->cgo_why);
	for (size_t i = 0; i < x->tags.n; i++) {
		CLEANUP(buf_free) struct buf tag = { 0 };
		say_clean(&tag, span_of(x->tags.v[i]));
		b->bad |= tag.bad;
		buf_addf(b, "%s%s", i ? "," : TR("; tags ", "；标签 "), buf_str(&tag));
	}
	buf_addc(b, '\n');
}

static void one_target(struct buf *b, const struct activation *a, const struct term *t)
{
	const struct selection *s = &a->sels[0];

	write_target(b, s->target, t);
	for (size_t i = 0; i < s->n; i++) {
		write_skipped(b, a, t, s->packages[i].dir);
		write_package(b, a, t, &s->packages[i], s->target);
	}
}

/* ---- text, several targets: where each file is built ---- */

static const struct act_file *file_in(const struct activation *a, size_t target, size_t package, size_t file)
{
	return &a->sels[target].packages[package].files[file];
}

/* Is it left out for the same reason? */
static bool same_reason(const struct act_file *x, const struct act_file *y)
{
	return x->why == y->why && x->line == y->line && act_list_built(x->list) == act_list_built(y->list);
}

static void write_names(struct buf *b, const struct activation *a, size_t package, size_t file,
			const struct act_file *like)
{
	bool first = true;

	for (size_t k = 0; k < a->env.n; k++) {
		if (!same_reason(file_in(a, k, package, file), like))
			continue;
		buf_addf(b, "%s%s", first ? "" : " ", a->env.targets[k].name);
		first = false;
	}
}

static size_t count_like(const struct activation *a, size_t package, size_t file, const struct act_file *like)
{
	size_t n = 0;

	for (size_t k = 0; k < a->env.n; k++)
		n += same_reason(file_in(a, k, package, file), like);
	return n;
}

static void write_group(struct buf *b, const struct activation *a, const struct term *t, size_t package,
			size_t file, size_t k)
{
	CLEANUP(buf_free) struct buf names = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	const struct act_file *f = file_in(a, k, package, file);
	size_t n = count_like(a, package, file, f);

	buf_adds(b, "    ");
	if (f->why == ACT_BUILT)
		say_paint(b, t, PAINT_GREEN, TR("built", "参与构建"));
	else
		say_paint(b, t, PAINT_YELLOW, TR("not built", "不参与"));
	buf_addf(b, TR(" in %zu of %zu", "：%zu / %zu"), n, a->env.n);
	if (f->why != ACT_BUILT) {
		act_why_write(f, n > 1 ? NULL : &a->env.targets[k], &why);
		buf_adds(b, TR(", ", "，"));
		if (f->line)
			buf_addf(b, TR("line %d: ", "第 %d 行："), f->line);
		say_clean(b, buf_view(&why));
	}
	buf_adds(b, "\n      ");
	write_names(&names, a, package, file, f);
	b->bad |= names.bad || why.bad;
	say_wrap(b, buf_view(&names), 6, 6, t->tty ? t->width : SIZE_MAX);
	buf_addc(b, '\n');
}

static void write_matrix_file(struct buf *b, const struct activation *a, const struct term *t, size_t package,
			      size_t file)
{
	buf_adds(b, "  ");
	write_path(b, a, a->tree.dirs[package], a->tree.dirs[package]->files[file].name, 0);
	buf_addc(b, '\n');
	for (size_t k = 0; k < a->env.n; k++) {
		bool seen = false;
		for (size_t before = 0; before < k; before++)
			seen |= same_reason(file_in(a, before, package, file), file_in(a, k, package, file));
		if (!seen)
			write_group(b, a, t, package, file, k);
	}
}

static bool is_wanted(const struct activation *a, size_t package, size_t file)
{
	const struct src_file *f = &a->tree.dirs[package]->files[file];

	for (size_t i = 0; i < a->n_only; i++)
		if (a->only[i] == f)
			return true;
	if (a->only)
		return false;
	for (size_t k = 0; k < a->env.n && !a->files; k++)
		if (is_left_out(file_in(a, k, package, file)))
			return true;
	return a->files;
}

static void matrix(struct buf *b, const struct activation *a, const struct term *t)
{
	for (size_t p = 0; p < a->tree.n; p++) {
		bool head = false;
		if (!a->only)
			write_skipped(b, a, t, a->tree.dirs[p]);
		for (size_t f = 0; f < a->tree.dirs[p]->n; f++) {
			if (!is_wanted(a, p, f))
				continue;
			if (!head && a->tree.dirs[p]->import) {
				CLEANUP(buf_free) struct buf name = { 0 };
				say_clean(&name, span_of(a->tree.dirs[p]->import));
				say_paint(b, t, PAINT_BOLD, buf_str(&name));
				buf_addc(b, '\n');
			}
			head = true;
			write_matrix_file(b, a, t, p, f);
		}
	}
}

void activation_text(const struct activation *a, const struct term *t, struct buf *b)
{
	if (a->env.n == 1 && !a->only)
		one_target(b, a, t);
	else
		matrix(b, a, t);
}

/* ---- JSON ---- */

static void put_str(struct json_out *j, const char *key, const char *value)
{
	json_member_strz(j, key, value);
}

static void put_constraint(struct json_out *j, const char *key, const struct constraint *c)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	json_key(j, key);
	constraint_write(c, &text);
	j->to->bad |= text.bad;
	json_str(j, buf_view(&text));
}

static void put_file(struct json_out *j, const struct act_file *f, const struct target *t)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	json_open(j, '{');
	put_str(j, "name", f->src->name);
	put_str(j, "list", act_list_names[f->list]);
	if (f->invalid) {
		json_member_bool(j, "invalid", true);
	}
	if (f->why != ACT_BUILT) {
		put_str(j, "why", act_why_word(f->why));
		act_why_write(f, t, &text);
		j->to->bad |= text.bad;
		json_member_str(j, "text", buf_view(&text));
		if (f->line) {
			json_member_int(j, "line", f->line);
		}
		if (f->expr)
			put_constraint(j, "constraint", f->expr);
		if (f->term)
			put_constraint(j, "term", f->term);
	}
	json_close(j, '}');
}

static void put_embeds(struct json_out *j, const struct act_package *p)
{
	json_member_open(j, "embeds", '[');
	for (size_t i = 0; i < p->n; i++) {
		const struct act_file *f = &p->files[i];
		for (size_t k = 0;
		     !p->stopped && f->src->head && act_list_built(f->list) && k < f->src->head->n_embeds;
		     k++) {
			json_open(j, '{');
			put_str(j, "file", f->src->name);
			json_member_int(j, "line", f->src->head->embeds[k].line);
			json_member_str(j, "pattern", f->src->head->embeds[k].pattern);
			json_close(j, '}');
		}
	}
	json_close(j, ']');
}

static int by_span(const void *pa, const void *pb)
{
	const struct span *a = pa, *b = pb;
	size_t n = a->n < b->n ? a->n : b->n;
	int r = n ? memcmp(a->p, b->p, n) : 0;

	return r ? r : (a->n > b->n) - (a->n < b->n);
}

/* What the files of these lists import, sorted, each once. */
static void put_imports(struct json_out *j, const char *key, const struct act_package *p, enum act_list one,
			enum act_list other)
{
	CLEANUP(mem_free) struct span *all = NULL;
	size_t n = 0, cap = 0;

	for (size_t i = 0; i < p->n && !p->stopped; i++) {
		const struct act_file *f = &p->files[i];
		for (size_t k = 0; (f->list == one || f->list == other) && k < f->src->head->n_imports; k++) {
			if (n == cap && !mem_grow(&all, &cap, n, sizeof(*all))) {
				j->to->bad = true;
				return;
			}
			all[n++] = f->src->head->imports[k].path;
		}
	}
	if (!n)
		return;
	qsort(all, n, sizeof(*all), by_span);
	json_member_open(j, key, '[');
	for (size_t i = 0; i < n; i++)
		if (!i || !span_eq(all[i], all[i - 1]))
			json_str(j, all[i]);
	json_close(j, ']');
}

static void put_package(struct json_out *j, const struct activation *a, const struct act_package *p,
			const struct target *t)
{
	json_open(j, '{');
	put_str(j, "import", p->dir->import);
	put_str(j, "dir", p->dir->path);
	json_member_str(j, "name", p->name);
	put_str(j, "state", state_words[p->state]);
	json_member_bool(j, "listed", p->listed);
	if (p->dir->skip != DIR_TAKEN)
		put_str(j, "skipped", skip_words[p->dir->skip]);
	if (p->refused)
		put_str(j, "refused", p->refused);
	json_member_open(j, "files", '[');
	for (size_t i = 0; i < p->n; i++) {
		bool wanted = !a->only;
		for (size_t k = 0; k < a->n_only; k++)
			wanted |= a->only[k] == p->files[i].src;
		if (wanted)
			put_file(j, &p->files[i], t);
	}
	json_close(j, ']');
	put_embeds(j, p);
	put_imports(j, "imports", p, ACT_GO, ACT_CGO);
	put_imports(j, "test_imports", p, ACT_TEST, ACT_TEST);
	put_imports(j, "xtest_imports", p, ACT_XTEST, ACT_XTEST);
	json_close(j, '}');
}

static void put_target(struct json_out *j, const struct activation *a, const struct selection *s)
{
	const struct target *t = s->target;

	json_open(j, '{');
	put_str(j, "target", t->name);
	put_str(j, "goos", t->goos);
	put_str(j, "goarch", t->goarch);
	put_str(j, "go", t->version);
	json_member_bool(j, "cgo", t->cgo);
	put_str(j, "cgo_why", t->cgo_why);
	json_member_open(j, "tags", '[');
	for (size_t i = 0; i < t->tags.n; i++)
		json_strz(j, t->tags.v[i]);
	json_close(j, ']');
	json_member_open(j, "tool_tags", '[');
	for (size_t i = 0; i < t->tools.n; i++)
		json_strz(j, t->tools.v[i]);
	json_close(j, ']');
	json_member_open(j, "packages", '[');
	for (size_t i = 0; i < s->n; i++)
		if (s->packages[i].n || s->packages[i].dir->skip != DIR_TAKEN)
			put_package(j, a, &s->packages[i], t);
	json_close(j, ']');
	json_close(j, '}');
}

void activation_json(void *activation, struct json_out *j)
{
	const struct activation *a = activation;

	json_member_open(j, "targets", '[');
	for (size_t i = 0; i < a->env.n; i++)
		put_target(j, a, &a->sels[i]);
	json_close(j, ']');
}
