#include "mod/sign.h"

#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "run/git.h"

#define LAST_MAX   9999
#define LINES_SAID 20 /* of one file */
#define SIG_MAX    4096

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* ---- what is signed ---- */

struct covered { /* the files of the tree, in one order */
	struct mod_source *v;
	size_t n, cap;
	struct mod_tree *tree;
};

static int cover(struct covered *c, const struct mod_source *s, struct err *e)
{
	if (!s->text.p)
		return 0;
	if (s->large)
		return err_set(e, EFBIG, TR("%s is larger than %d MiB: it is not signed", "%s 超过 %d MiB：不予签名"), s->shown,
			       (int)(MOD_SUM_HELD >> 20));
	for (size_t i = 0; i < c->n; i++) {
		if (!strcmp(c->v[i].name, s->name))
			return 0;
	}
	if (!mem_grow(&c->v, &c->cap, c->n, sizeof(*c->v)))
		return no_memory(e);
	c->v[c->n++] = *s;
	return 0;
}

/* The module files of a folder that a replacement names. */
static int cover_folder(struct covered *c, const char *dir, struct span path, struct err *e)
{
	static const char *const names[] = { "go.mod", "go.sum" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct mod_source s = { 0 };
		if (path.p[0] != '/')
			buf_addf(&b, "%s/", dir);
		buf_addf(&b, "%.*s/%s", SPAN_ARG(path), names[i]);
		int r = b.bad ? no_memory(e) : mod_tree_read(c->tree, buf_str(&b), &s, e);
		if (r == 0)
			r = cover(c, &s, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int cover_replacements(struct covered *c, const char *dir, const struct modfile *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < m->n && r == 0; i++) {
		const struct mod_line *l = &m->lines[i];
		if (l->verb == MOD_REPLACE && l->new_is_dir)
			r = cover_folder(c, dir, l->new_path, e);
	}
	return r;
}

static int cover_all(struct covered *c, struct err *e)
{
	struct mod_tree *t = c->tree;
	int r = cover(c, &t->go_work, e);

	if (r == 0)
		r = cover(c, &t->work_sum, e);
	if (r == 0)
		r = cover(c, &t->work_modules_txt, e);
	if (r == 0)
		r = cover_replacements(c, ".", &t->work, e);
	for (size_t i = 0; i < t->n && r == 0; i++) {
		const struct mod_member *m = &t->members[i];
		r = cover(c, &m->go_mod, e);
		if (r == 0)
			r = cover(c, &m->go_sum, e);
		if (r == 0)
			r = cover(c, &m->modules_txt, e);
		if (r == 0)
			r = cover_replacements(c, m->dir, &m->mod, e);
	}
	return r;
}

/* ---- the chain's files ---- */

struct link {
	char name[32];             /* "0003.json" */
	struct mod_source file, sig;
	char hash[72];
};

static int read_link(const struct signing *s, int number, struct link *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	*ret = (struct link){ 0 };
	snprintf(ret->name, sizeof(ret->name), "%04d.json", number);
	buf_addf(&path, "%s/%s", s->folder, ret->name);
	int r = path.bad ? no_memory(e) : mod_tree_read(s->tree, buf_str(&path), &ret->file, e);
	buf_adds(&path, ".sig");
	if (r == 0)
		r = path.bad ? no_memory(e) : mod_tree_read(s->tree, buf_str(&path), &ret->sig, e);
	if (r == 0 && ret->file.text.p)
		statement_hash(ret->file.text, ret->hash);
	return r;
}

/* Numbers count up without a gap; the newest is the last that is there. */
static int newest(const struct signing *s, struct link *ret, int *number, struct err *e)
{
	struct link next;
	int r = 0;

	*number = 0;
	for (int i = 1; i <= LAST_MAX && r == 0; i++) {
		r = read_link(s, i, &next, e);
		if (r < 0 || !next.file.text.p)
			break;
		*ret = next;
		*number = i;
	}
	return r;
}

/* ---- making one ---- */

static bool same_files(const struct statement *a, const struct statement *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct stated_file *f = statement_file(b, a->files[i].path);
		if (!f || strcmp(f->sum, a->files[i].sum) != 0)
			return false;
	}
	return true;
}

static const char *module_of(const struct mod_tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->members[i].mod.module.n)
			return arena_str((struct arena *)&t->mem, t->members[i].mod.module);
	}
	return NULL;
}

static int state(const struct signing *s, struct statement *ret, struct err *e)
{
	struct covered c = { .tree = s->tree };
	struct git_where w = { 0 };
	char now[32];
	int r = cover_all(&c, e);

	for (size_t i = 0; i < c.n && r == 0; i++)
		r = statement_add(ret, c.v[i].name, c.v[i].text, e);
	mem_free(c.v);
	if (r < 0)
		return r;
	time_rfc3339(time_wall(), now);
	git_where(s->tree->top, &ret->mem, &w, NULL);
	ret->commit = w.commit;
	ret->module = module_of(s->tree);
	ret->created = arena_str(&ret->mem, span_of(now));
	return ret->created ? 0 : no_memory(e);
}

static int write_link(const struct signing *s, int number, struct span text, struct span sig, const char **name, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf line = { 0 };
	struct link l = { 0 };

	buf_addf(&path, "%s/%s", s->tree->top, s->folder);
	if (path.bad)
		return no_memory(e);
	int r = path_mkdirs(path.p, 0777, e);
	if (r < 0)
		return r;
	buf_addf(&path, "/%04d.json.sig", number);
	base64_add(&line, sig);
	buf_addc(&line, '\n');
	if (path.bad || line.bad)
		return no_memory(e);
	/* The signature first: a statement is there with its signature, or not at all. */
	r = file_replace(path.p, buf_view(&line), e);
	path.p[path.len - 4] = '\0';
	if (r == 0)
		r = file_replace(path.p, text, e);
	if (r == 0)
		r = read_link(s, number, &l, e);
	*name = l.file.shown;
	return r;
}

static int make(const struct signing *s, int last, struct statement *new, const char **name, struct err *e)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf sig = { 0 };

	statement_write(new, &text);
	if (text.bad)
		return no_memory(e);
	int r = key_sign(&s->keys[0], buf_view(&text), &sig, e);
	if (r == 0 && key_verify(&s->keys[0], buf_view(&text), buf_view(&sig), e) != 1)
		r = err_set(e, EIO,
			    TR("the signature that was just made does not verify: the key is broken",
			       "刚生成的签名无法通过校验：密钥已损坏"));
	return r < 0 ? r : write_link(s, last + 1, buf_view(&text), buf_view(&sig), name, e);
}

static bool still_holds(const struct signing *s, const struct link *last, struct statement *said);

int sign_make(const struct signing *s, const char **name, struct err *e)
{
	CLEANUP(statement_free) struct statement new = { 0 };
	CLEANUP(statement_free) struct statement old = { 0 };
	struct link last = { 0 };
	int number;

	int r = newest(s, &last, &number, e);
	if (r == 0 && number)
		r = statement_read(last.file.text, last.file.shown, &old, e);
	if (r == 0)
		r = state(s, &new, e);
	if (r < 0)
		return r;
	if (!new.n)
		return err_set(e, ENOENT, TR("there is nothing to sign: no go.mod", "没有可签名的内容：没有 go.mod"));
	*name = last.file.shown;
	if (number && same_files(&old, &new) && still_holds(s, &last, &old))
		return 0;
	if (number == LAST_MAX)
		return err_set(e, EFBIG,
			       TR("the chain has %d statements: begin a new one in another --folder",
				  "签名链已有 %d 条声明：请用 --folder 另起一条"),
			       number);
	new.previous = number ? last.hash : NULL;
	r = make(s, number, &new, name, e);
	return r < 0 ? r : 1;
}

/* ---- checking ---- */

struct checking {
	const struct signing *s;
	struct report *r;
	struct link last;
	int number;
	struct statement said;
	struct covered now;
	struct git_where git;
	bool in_git;
	const struct stated_file *file; /* the one whose lines are told */
	const struct mod_source *source;
	struct buf was;                 /* its signed text, when git has it */
	int64_t told;
};

static struct finding *say_at(struct checking *c, const char *file, int64_t line, struct span message)
{
	struct finding *f = report_say(c->r, CAUSE_MOD_SIGNATURE, "%.*s", SPAN_ARG(message));

	if (!f)
		return NULL;
	f->file = file ? arena_span(&c->r->mem, span_of(file)) : (struct span){ 0 }; /* the tree ends before the report */
	c->r->lost |= file && !f->file.p;
	f->line = line > 0 && line < INT32_MAX ? (int)line : 0;
	return f;
}

#define SAY(c, file, line, ...) say_at(c, file, line, report_text((c)->r, __VA_ARGS__))

/* 1: by one of the keys; 0: by none. */
static int signed_by(const struct checking *c, const struct link *l, struct err *e)
{
	CLEANUP(buf_free) struct buf raw = { .max = SIG_MAX };

	if (!base64_read(span_trim(l->sig.text), &raw) || raw.bad)
		return 0;
	for (size_t i = 0; i < c->s->n_keys; i++) {
		int r = key_verify(&c->s->keys[i], l->file.text, buf_view(&raw), e);
		if (r)
			return r;
	}
	return 0;
}

static int check_signature(struct checking *c, struct err *e)
{
	const struct link *l = &c->last;

	if (!l->sig.text.p) {
		SAY(c, l->file.shown, 0, TR("the statement has no signature: %s is missing", "声明没有签名：缺少 %s"), l->sig.shown);
		return 0;
	}
	int r = signed_by(c, l, e);
	if (r == 0)
		SAY(c, l->file.shown, 0,
		    TR("its signature is by none of the %zu keys that count, or the statement was changed after it was signed",
		       "其签名不是由 %zu 个受信任密钥中的任何一个作出，或声明在签名后被修改"),
		    c->s->n_keys);
	return r < 0 ? r : 0;
}

/* Each statement names the hash of the one before: nothing in between was taken out or put in. */
static int check_chain(struct checking *c, struct err *e)
{
	CLEANUP(statement_free) struct statement st = { 0 };
	struct link l;
	char before[72] = "";

	for (int i = 1; i <= c->number; i++) {
		int r = read_link(c->s, i, &l, e);
		if (r < 0)
			return r;
		statement_free(&st);
		r = statement_read(l.file.text, l.file.shown, &st, e);
		if (r == -EBADMSG) {
			SAY(c, l.file.shown, 0, "%s", e->msg);
			return 0;
		}
		if (r < 0)
			return r;
		if (strcmp(st.previous ? st.previous : "", before) != 0)
			SAY(c, l.file.shown, 0,
			    TR("the chain is broken: its `previous` is not the hash of the statement before it",
			       "签名链断裂：其 previous 不是前一条声明的哈希"));
		memcpy(before, l.hash, sizeof(before));
	}
	return 0;
}

static void check_commit(struct checking *c)
{
	struct git_range range = { 0 };
	struct err e;

	if (!c->said.commit || !c->in_git || !c->git.commit)
		return;
	int r = git_range(c->git.top, c->said.commit, c->git.commit, 0, &c->r->mem, &range, &e);
	if (r < 0 && c->git.shallow)
		list_add(&c->r->mem, &c->r->limits,
			 report_text(c->r,
				     TR("whether the statement's commit is an ancestor of this one is not known: %s",
					"无法判断声明所在的提交是否为当前提交的祖先：%s"),
				     e.msg)
				 .p);
	else if (r < 0)
		SAY(c, c->last.file.shown, 0,
		    TR("the commit that it was made at cannot be compared with this one: %s", "无法将其签署时的提交与当前提交比较：%s"),
		    e.msg);
	else if (!range.ancestor)
		SAY(c, c->last.file.shown, 0,
		    TR("it was made at the commit %.12s, which is no ancestor of %.12s: it belongs to another history",
		       "它签署于提交 %.12s，该提交不是 %.12s 的祖先：属于另一条历史"),
		    c->said.commit, c->git.commit);
}

static void check_module(struct checking *c)
{
	const char *module = module_of(c->s->tree);

	if (strcmp(module ? module : "", c->said.module ? c->said.module : "") != 0)
		SAY(c, c->last.file.shown, 0,
		    TR("it is a statement on the module %s, and this is %s", "它是关于模块 %s 的声明，而此处是 %s"),
		    c->said.module ? c->said.module : "?", module ? module : "?");
}

/* Is the newest statement by this key, on this module and this history? Another key, or a commit that was rewritten, needs a new one. */
static bool still_holds(const struct signing *s, const struct link *last, struct statement *said)
{
	struct report r = { 0 };
	struct checking c = { .s = s, .r = &r, .last = *last, .said = *said };
	struct err e;

	c.in_git = git_where(s->tree->top, &r.mem, &c.git, NULL) == 0 && c.git.top;
	bool holds = last->sig.text.p && check_signature(&c, &e) == 0;
	if (holds) {
		check_module(&c);
		check_commit(&c);
	}
	holds = holds && !r.n_findings && !r.lost;
	report_free(&r);
	return holds;
}

/* ---- which lines changed ---- */

static struct span nth_line(struct span text, int64_t n)
{
	struct span line = { 0 };

	while (n-- > 0 && text.n)
		line = span_cut(&text, '\n');
	return line;
}

static void on_change(void *ctx, int64_t was, int64_t now, struct span line)
{
	struct checking *c = ctx;

	if (c->told++ >= LINES_SAID)
		return;
	if (now) {
		SAY(c, c->source->shown, now, TR("line %lld came after it was signed: %.*s", "第 %lld 行在签名之后出现：%.*s"),
		    (long long)now, (int)(line.n < 300 ? line.n : 300), line.p ? line.p : "");
		return;
	}
	struct span old = nth_line(buf_view(&c->was), was);
	if (c->was.len)
		SAY(c, c->source->shown, 0, TR("line %lld as it was signed is gone: %.*s", "签名时的第 %lld 行已不存在：%.*s"),
		    (long long)was, (int)(old.n < 300 ? old.n : 300), old.p ? old.p : "");
	else
		SAY(c, c->source->shown, 0, TR("line %lld as it was signed is gone", "签名时的第 %lld 行已不存在"), (long long)was);
}

/* The text that was signed stands in the commit that brought the statement, or in the one that it was made at. */
static void find_signed_text(struct checking *c)
{
	CLEANUP(buf_free) struct buf prefix = { 0 };
	char hash[72];

	buf_clear(&c->was);
	if (!c->in_git || strncmp(c->s->tree->top, c->git.top, strlen(c->git.top)) != 0)
		return;
	const char *below = c->s->tree->top + strlen(c->git.top);
	below += *below == '/';
	buf_addf(&prefix, "%s%s", below, *below ? "/" : "");
	const char *statement = arena_printf(&c->r->mem, "%s%s", buf_str(&prefix), c->last.file.name);
	const char *file = arena_printf(&c->r->mem, "%s%s", buf_str(&prefix), c->source->name);
	const char *commits[] = { statement ? git_last_change(c->git.top, statement, &c->r->mem) : NULL, c->said.commit };
	for (size_t i = 0; i < ARRAY_LEN(commits) && file; i++) {
		buf_clear(&c->was);
		if (!commits[i] || git_file(c->git.top, commits[i], file, MOD_FILE_MAX, &c->was, NULL) < 0)
			continue;
		statement_hash(buf_view(&c->was), hash);
		if (!c->was.bad && !strcmp(hash + 7, c->file->sum))
			return;
	}
	buf_clear(&c->was);
}

static int tell_lines(struct checking *c, struct err *e)
{
	c->told = 0;
	find_signed_text(c);
	int64_t n = stated_diff(c->file, c->source->text, on_change, c);
	if (n < 0)
		return no_memory(e);
	if (n == 0)
		SAY(c, c->source->shown, 0, TR("the end of its last line changed after it was signed", "其最后一行的行尾在签名后被修改"));
	if (n > LINES_SAID)
		SAY(c, c->source->shown, 0, TR("%lld more lines changed after it was signed", "签名之后还有 %lld 行发生变化"),
		    (long long)(n - LINES_SAID));
	return 0;
}

static const struct mod_source *source_of(const struct checking *c, const char *name)
{
	for (size_t i = 0; i < c->now.n; i++) {
		if (!strcmp(c->now.v[i].name, name))
			return &c->now.v[i];
	}
	return NULL;
}

static int check_files(struct checking *c, struct err *e)
{
	char hash[72];
	int r = 0;

	for (size_t i = 0; i < c->said.n && r == 0; i++) {
		c->file = &c->said.files[i];
		c->source = source_of(c, c->file->path);
		if (!c->source) {
			SAY(c, c->file->path, 0, TR("it was signed, and is gone", "该文件已签名，但现已不存在"));
			continue;
		}
		statement_hash(c->source->text, hash);
		if (strcmp(hash + 7, c->file->sum) != 0)
			r = tell_lines(c, e);
	}
	for (size_t i = 0; i < c->now.n && r == 0; i++) {
		if (!statement_file(&c->said, c->now.v[i].name))
			SAY(c, c->now.v[i].shown, 0, TR("no statement covers this file", "没有声明覆盖此文件"));
	}
	return r;
}

/* ---- replacements, and what goes round the signed files ---- */

static bool is_outside(const struct checking *c, const char *dir, struct span path)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (path.p[0] != '/')
		buf_addf(&b, "%s/", dir);
	buf_addf(&b, "%.*s", SPAN_ARG(path));
	return b.bad || !mod_tree_inside(c->s->tree, buf_str(&b), c->in_git ? c->git.top : c->s->tree->top);
}

static void check_replacements(struct checking *c, const char *dir, const struct mod_source *file, const struct modfile *m)
{
	bool covered = file->text.p && statement_file(&c->said, file->name);

	for (size_t i = 0; i < m->n; i++) {
		const struct mod_line *l = &m->lines[i];
		if (l->verb != MOD_REPLACE)
			continue;
		if (!covered)
			SAY(c, file->shown, l->line, TR("this replacement of %.*s is not signed", "对 %.*s 的替换未签名"),
			    SPAN_ARG(l->path));
		else if (l->new_is_dir && is_outside(c, dir, l->new_path))
			SAY(c, file->shown, l->line,
			    TR("%.*s is replaced by a folder outside of the repository, %.*s: what is in it is not signed",
			       "%.*s 被替换为代码库之外的目录 %.*s：其内容未签名"),
			    SPAN_ARG(l->path), SPAN_ARG(l->new_path));
	}
}

static void check_word(struct checking *c, struct span word)
{
	static const struct { struct span flag; struct tx why; } rows[] = {
		{ S("-modfile"), { "another go.mod than the signed one is used", "使用了未签名的另一个 go.mod" } },
		{ S("-overlay"), { "files are replaced by an overlay, which is not signed", "文件被 overlay 替换，而它未签名" } },
	};

	if (span_starts(word, S("--")))
		word = span_from(word, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (span_starts(word, rows[i].flag) && (word.n == rows[i].flag.n || word.p[rows[i].flag.n] == '='))
			SAY(c, NULL, 0, "%.*s: %s", SPAN_ARG(word), tx(rows[i].why));
	}
}

static int check_all(struct checking *c, const struct argv *flags, struct err *e)
{
	const struct mod_tree *t = c->s->tree;
	int r = check_chain(c, e);

	if (r == 0)
		r = check_signature(c, e);
	if (r == 0)
		r = statement_read(c->last.file.text, c->last.file.shown, &c->said, e);
	if (r == -EBADMSG)
		return 0; /* the chain said so */
	if (r == 0) {
		check_module(c);
		check_commit(c);
		r = check_files(c, e);
	}
	if (r < 0)
		return r;
	check_replacements(c, ".", &t->go_work, &t->work);
	for (size_t i = 0; i < t->n; i++)
		check_replacements(c, t->members[i].dir, &t->members[i].go_mod, &t->members[i].mod);
	for (size_t i = 0; flags && i < flags->n; i++)
		check_word(c, span_of(flags->v[i]));
	return 0;
}

int sign_check(const struct signing *s, const struct argv *flags, struct report *r, struct err *e)
{
	struct checking c = { .s = s, .r = r, .now = { .tree = s->tree } };

	c.in_git = git_where(s->tree->top, &r->mem, &c.git, NULL) == 0 && c.git.top;
	int n = newest(s, &c.last, &c.number, e);
	if (n == 0)
		n = cover_all(&c.now, e);
	if (n == 0 && !c.number)
		SAY(&c, s->folder, 0, TR("nothing is signed here: there is no statement in %s", "此处没有任何签名：%s 中没有声明"),
		    s->folder);
	else if (n == 0)
		n = check_all(&c, flags, e);
	int files = (int)c.now.n;
	mem_free(c.now.v);
	statement_free(&c.said);
	buf_free(&c.was);
	return n < 0 ? n : files;
}
