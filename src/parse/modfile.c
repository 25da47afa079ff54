#include "parse/modfile.h"

#include <errno.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "parse/fields.h"
#include "parse/modfile_own.h"
#include "parse/version.h"

#define SHOWN_MAX 80 /* bytes of a word in a problem's text */

/* Whole-line comments that are not yet anybody's: a piece of the file. */
struct above {
	struct span text;
	size_t lines;
	bool any; /* Go lets a blank line in a block stand for a comment here */
};

struct reader {
	struct modfile *m;
	enum modfile_kind kind;
	int64_t line;
	struct mod_words words;
	struct above above;
	bool no_memory, full;
	bool mute; /* what is wrong with this line counts for nothing */
	bool in_block;
	struct { /* of the block that we are in */
		int64_t line;
		int column;
		enum mod_verb verb; /* MOD_VERBS: none that counts */
		size_t lines;
		struct span comment, allow;
	} block;
};

/* ---- problems --------------------------------------------------------------------------------------------- */

static const char *shown(struct reader *r, struct span s)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	bool cut = s.n > SHOWN_MAX;

	text_clean(utf8_head(s, SHOWN_MAX), false, &b);
	if (cut)
		buf_adds(&b, "…");
	const char *z = b.bad ? NULL : arena_str(&r->m->mem, buf_view(&b));
	r->no_memory |= !z;
	return z ? z : "";
}

static void add_problem(struct reader *r, enum mod_fault fault, int64_t line, int column, const char *text)
{
	struct modfile *m = r->m;

	if (r->full || r->no_memory || r->mute)
		return;
	if (m->n_problems + 1 >= MODFILE_PROBLEMS && fault != MOD_FAULT_TOO_LONG) {
		r->full = true;
		fault = MOD_FAULT_TOO_LONG;
		text = TR("there are more problems than are counted; what follows was not read",
			  "问题太多，后面的内容没有读取");
	}
	if (!text || !mem_grow(&m->problems, &m->cap_problems, m->n_problems, sizeof(*m->problems))) {
		r->no_memory = true;
		return;
	}
	m->problems[m->n_problems++] = (struct mod_problem){ fault, line, column, text };
}

#define PROBLEM(r, fault, column, ...) \
	add_problem(r, fault, (r)->line, column, arena_printf(&(r)->m->mem, __VA_ARGS__))

/* ---- words of a directive --------------------------------------------------------------------------------- */

static bool read_text(struct reader *r, const struct mod_word *w, struct span *ret)
{
	enum mod_text t = mod_word_text(&r->m->mem, w->raw, ret);

	r->no_memory |= t == MOD_TEXT_NO_MEMORY;
	if (t == MOD_TEXT_BAD)
		PROBLEM(r, MOD_FAULT_USAGE, w->column,
			TR("%s is not quoted as go.mod wants it: \"…\" around the whole word, or no quotes at all",
			   "%s 的引号用法有误：应当用 \"…\" 括住整个词，或者不用引号"),
			shown(r, w->raw));
	return t == MOD_TEXT_FINE;
}

/* A version, made canonical; loose when it was not. */
static bool read_version(struct reader *r, const struct mod_word *w, struct mod_line *l, struct span *ret)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span v;

	if (!read_text(r, w, &v))
		return false;
	*ret = v;
	if (version_canonical(v))
		return true;
	if (!version_canonicalize(v, &b)) {
		PROBLEM(r, MOD_FAULT_VERSION, w->column,
			TR("%s is no version of the form v1.2.3", "%s 不是 v1.2.3 形式的版本"), shown(r, v));
		return false;
	}
	l->loose = true;
	*ret = b.bad ? (struct span){ 0 } : arena_span(&r->m->mem, buf_view(&b));
	r->no_memory |= !ret->p;
	return ret->p;
}

/* The path of a module, of which a version may follow; its /vN in *suffix. */
static bool read_path(struct reader *r, const struct mod_word *w, struct span *ret, struct span *suffix)
{
	struct span prefix;

	if (!read_text(r, w, ret))
		return false;
	if (module_split(*ret, &prefix, suffix))
		return true;
	PROBLEM(r, MOD_FAULT_USAGE, w->column,
		TR("%s ends in no version that a module path can end in",
		   "%s 的结尾不是模块路径允许的版本后缀"),
		shown(r, *ret));
	return false;
}

static bool check_major(struct reader *r, const struct mod_word *w, struct span suffix, struct span version)
{
	struct span want = suffix.n ? span_from(suffix, 1) : S("v0, v1");

	if (module_major_fits(suffix, version))
		return true;
	PROBLEM(r, MOD_FAULT_VERSION, w->column,
		TR("version %s does not belong to this path, which takes %s",
		   "版本 %s 与此路径不符，该路径对应 %s"),
		shown(r, version), shown(r, want));
	return false;
}

static bool usage(struct reader *r, const struct mod_line *l, const char *form)
{
	PROBLEM(r, MOD_FAULT_USAGE, l->column, TR("a %s line reads: %s", "%s 行的写法是：%s"),
		mod_verb_name(l->verb), form);
	return false;
}

static bool repeated(struct reader *r, const struct mod_line *l)
{
	PROBLEM(r, MOD_FAULT_REPEATED, l->column,
		TR("a second %s line; there can be one only", "%s 行重复，只能有一行"),
		mod_verb_name(l->verb));
	return false;
}

/* ---- directives ------------------------------------------------------------------------------------------- */

typedef bool read_fn(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n);

/* Paragraphs of the module's comment are separated by an empty line; one begins with Deprecated: */
static struct span deprecation(struct span text)
{
	while (text.p) {
		size_t end = span_find(text, S("\n\n"));
		struct span paragraph = span_head(text, end);
		if (span_skip(&paragraph, S("Deprecated:"))) {
			while (span_skip(&paragraph, S(" ")))
				;
			return paragraph;
		}
		if (end == SPAN_NONE)
			break;
		text = span_from(text, end + 2);
	}
	return (struct span){ 0 };
}

static bool read_module(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n)
{
	if (r->m->module.p)
		return repeated(r, l);
	if (n != 1)
		return usage(r, l, "module example.com/path");
	if (!read_text(r, w, &l->path))
		return false;
	r->m->module = l->path;
	r->m->deprecated = deprecation(l->comment);
	return true;
}

static bool cut_number(struct span *s, bool zero)
{
	size_t n = 0;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!n || (s->p[0] == '0' && (n > 1 || !zero)))
		return false;
	*s = span_from(*s, n);
	return true;
}

/* 1.21, 1.21.0, 1.21rc1, also 1.21.0rc1. */
static bool go_line_fits(struct span v)
{
	size_t n = 0;

	if (!cut_number(&v, false) || !span_skip(&v, S(".")) || !cut_number(&v, true) ||
	    (span_skip(&v, S(".")) && !cut_number(&v, true)))
		return false;
	if (!v.n)
		return true;
	while (n < v.n && v.p[n] >= 'a' && v.p[n] <= 'z')
		n++;
	if (!n || n == v.n)
		return false;
	for (; n < v.n; n++) {
		if (v.p[n] < '0' || v.p[n] > '9')
			return false;
	}
	return true;
}

/* In dependencies go takes v1.18 and 1.18.x for 1.18. */
static bool lax_go(struct span v, struct span *ret)
{
	span_skip(&v, S("v"));
	struct span rest = v;
	if (!cut_number(&rest, false) || !span_skip(&rest, S(".")) || !cut_number(&rest, true) || !rest.n)
		return false;
	*ret = span_head(v, v.n - rest.n);
	return true;
}

static bool read_go(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n)
{
	if (r->m->go.p)
		return repeated(r, l);
	if (n != 1)
		return usage(r, l, "go 1.21.0");
	l->version = w->raw;
	l->version_column = w->column;
	if (!go_line_fits(w->raw) && !(r->kind == MODFILE_DEPENDENCY && lax_go(w->raw, &l->version))) {
		PROBLEM(r, MOD_FAULT_USAGE, w->column,
			TR("%s is no go version of the form 1.21 or 1.21.0",
			   "%s 不是 1.21 或 1.21.0 形式的 go 版本"),
			shown(r, w->raw));
		return false;
	}
	r->m->go = l->version;
	return true;
}

static bool read_toolchain(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n)
{
	struct span rest = w->raw;

	if (r->m->toolchain.p)
		return repeated(r, l);
	if (n != 1)
		return usage(r, l, "toolchain go1.21.0");
	if (!span_eq(rest, S("default")) && !(span_skip(&rest, S("go1")) && (!rest.n || rest.p[0] == '.'))) {
		PROBLEM(r, MOD_FAULT_USAGE, w->column,
			TR("%s is no toolchain of the form go1.21.0", "%s 不是 go1.21.0 形式的工具链"),
			shown(r, w->raw));
		return false;
	}
	r->m->toolchain = l->version = w->raw;
	l->version_column = w->column;
	return true;
}

static bool read_godebug(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n)
{
	struct span rest = n == 1 ? w->raw : S("");
	size_t eq = span_chr(rest, '=');

	if (eq == SPAN_NONE || span_chr(rest, '"') != SPAN_NONE || span_chr(rest, '\'') != SPAN_NONE ||
	    span_chr(rest, '`') != SPAN_NONE)
		return usage(r, l, "godebug key=value");
	l->path = span_head(rest, eq);
	l->version = span_from(rest, eq + 1);
	l->version_column = w->column + (int)eq + 1;
	return true;
}

static bool is_indirect(const struct mod_words *w)
{
	struct span rest = w->comment, first, more;

	if (!w->has_comment || !fields_next(&rest, &first))
		return false;
	return fields_next(&rest, &more) ? span_eq(first, S("indirect;")) : span_eq(first, S("indirect"));
}

/* require, exclude */
static bool read_require(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n)
{
	struct span suffix;

	if (n != 2)
		return usage(r, l,
			     l->verb == MOD_REQUIRE ? "require example.com/path v1.2.3"
						    : "exclude example.com/path v1.2.3");
	l->version_column = w[1].column;
	l->indirect = l->verb == MOD_REQUIRE && is_indirect(&r->words);
	return read_path(r, &w[0], &l->path, &suffix) && read_version(r, &w[1], l, &l->version) &&
	       check_major(r, &w[1], suffix, l->version);
}

bool modfile_is_dir(struct span s)
{
	bool drive = s.n >= 2 && s.p[1] == ':' && (s.p[0] | 0x20) >= 'a' && (s.p[0] | 0x20) <= 'z';

	if (drive || span_starts(s, S("/")) || span_starts(s, S("\\")))
		return true;
	if (!span_skip(&s, S(".")))
		return false;
	span_skip(&s, S("."));
	return !s.n || s.p[0] == '/' || s.p[0] == '\\';
}

/* The folder or the module behind =>; w[1] is there when versioned. */
static bool read_replacement(struct reader *r, struct mod_line *l, const struct mod_word *w, bool versioned)
{
	if (!read_text(r, &w[0], &l->new_path))
		return false;
	l->new_column = w[0].column;
	l->new_is_dir = modfile_is_dir(l->new_path);
	if (versioned && l->new_is_dir) {
		PROBLEM(r, MOD_FAULT_USAGE, w[1].column,
			TR("the folder %s cannot have a version", "目录 %s 不能带版本"),
			shown(r, l->new_path));
		return false;
	}
	if (versioned)
		return read_version(r, &w[1], l, &l->new_version);
	if (!l->new_is_dir) {
		PROBLEM(r, MOD_FAULT_USAGE, w[0].column,
			TR("%s needs a version; a folder begins with ./, ../ or /",
			   "%s 需要写明版本；目录要以 ./、../ 或 / 开头"),
			shown(r, l->new_path));
		return false;
	}
	if (span_chr(l->new_path, '\\') == SPAN_NONE)
		return true;
	PROBLEM(r, MOD_FAULT_USAGE, w[0].column,
		TR("%s is a folder of Windows; write / for \\", "%s 是 Windows 目录；请把 \\ 写成 /"),
		shown(r, l->new_path));
	return false;
}

static bool read_replace(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n)
{
	size_t arrow = n >= 2 && span_eq(w[1].raw, S("=>")) ? 1 : 2;
	struct span suffix;

	if (n < arrow + 2 || n > arrow + 3 || !span_eq(w[arrow].raw, S("=>")))
		return usage(
			r, l,
			"replace example.com/path [v1.2.3] => example.com/other v1.2.3, replace example.com/path [v1.2.3] => ../folder");
	if (!read_path(r, &w[0], &l->path, &suffix))
		return false;
	if (arrow == 2) {
		l->version_column = w[1].column;
		if (!read_version(r, &w[1], l, &l->version) || !check_major(r, &w[1], suffix, l->version))
			return false;
	}
	return read_replacement(r, l, &w[arrow + 1], n == arrow + 3);
}

static bool read_retract(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n)
{
	bool range = n >= 5 && span_eq(w[0].raw, S("[")) && span_eq(w[2].raw, S(",")) &&
		     span_eq(w[4].raw, S("]"));
	const struct mod_word *low = range ? &w[1] : &w[0], *high = range ? &w[3] : low;
	bool alone = n == (range ? 5 : 1);

	/* In dependencies a newer form may stand here, and more words. */
	r->mute = r->kind == MODFILE_DEPENDENCY;
	if (!n || (!alone && !r->mute))
		return usage(r, l, "retract v1.2.3, retract [v1.0.0, v1.9.9]");
	l->version_column = low->column;
	l->new_column = high->column;
	return read_version(r, low, l, &l->version) && read_version(r, high, l, &l->new_version);
}

/* tool, ignore, use */
static bool read_one(struct reader *r, struct mod_line *l, const struct mod_word *w, size_t n)
{
	static const char *const forms[MOD_VERBS] = { [MOD_TOOL] = "tool example.com/path/cmd",
						      [MOD_IGNORE] = "ignore ./folder",
						      [MOD_USE] = "use ./folder" };

	return n == 1 ? read_text(r, w, &l->path) : usage(r, l, forms[l->verb]);
}

enum { IN_MOD = 1, IN_DEPENDENCY = 2, IN_WORK = 4 };

static const struct {
	struct span name;
	const char *since;
	unsigned where;
	bool block;
	read_fn *read;
} verbs[MOD_VERBS] = {
	[MOD_MODULE] = { { "module", 6 }, NULL, IN_MOD | IN_DEPENDENCY, true, read_module },
	[MOD_GO] = { { "go", 2 }, NULL, IN_MOD | IN_DEPENDENCY | IN_WORK, false, read_go },
	[MOD_TOOLCHAIN] = { { "toolchain", 9 }, "1.21", IN_MOD | IN_WORK, false, read_toolchain },
	[MOD_GODEBUG] = { { "godebug", 7 }, "1.23", IN_MOD | IN_WORK, true, read_godebug },
	[MOD_REQUIRE] = { { "require", 7 }, NULL, IN_MOD | IN_DEPENDENCY, true, read_require },
	[MOD_EXCLUDE] = { { "exclude", 7 }, NULL, IN_MOD, true, read_require },
	[MOD_REPLACE] = { { "replace", 7 }, NULL, IN_MOD | IN_WORK, true, read_replace },
	[MOD_RETRACT] = { { "retract", 7 }, "1.16", IN_MOD | IN_DEPENDENCY, true, read_retract },
	[MOD_TOOL] = { { "tool", 4 }, "1.24", IN_MOD, true, read_one },
	[MOD_IGNORE] = { { "ignore", 6 }, "1.25", IN_MOD | IN_DEPENDENCY, true, read_one },
	[MOD_USE] = { { "use", 3 }, NULL, IN_WORK, true, read_one },
};

const char *mod_verb_name(enum mod_verb v)
{
	return verbs[v].name.p;
}

const char *mod_verb_since(enum mod_verb v)
{
	return verbs[v].since;
}

/* ---- lines ------------------------------------------------------------------------------------------------ */

static enum mod_verb find_verb(const struct reader *r, struct span word)
{
	static const unsigned where[] = {
		[MODFILE_MAIN] = IN_MOD, [MODFILE_DEPENDENCY] = IN_DEPENDENCY, [MODFILE_WORK] = IN_WORK
	};

	for (int v = 0; v < MOD_VERBS; v++) {
		if ((verbs[v].where & where[r->kind]) && span_eq(word, verbs[v].name))
			return (enum mod_verb)v;
	}
	return MOD_VERBS;
}

static void unknown(struct reader *r, const struct mod_word *w, bool block)
{
	if (r->kind == MODFILE_DEPENDENCY)
		return;
	for (int v = 0; v < MOD_VERBS; v++) {
		if (!span_eq(w->raw, verbs[v].name))
			continue;
		if (find_verb(r, w->raw) == MOD_VERBS)
			PROBLEM(r, MOD_FAULT_UNKNOWN, w->column,
				TR("%s has no place in %s", "%s 不能写在 %s 中"),
				mod_verb_name((enum mod_verb)v),
				r->kind == MODFILE_WORK ? "go.work" : "go.mod");
		else if (block)
			PROBLEM(r, MOD_FAULT_UNKNOWN, w->column,
				TR("%s takes no ( ): write it on one line", "%s 不能用 ( )，请写成一行"),
				mod_verb_name((enum mod_verb)v));
		return;
	}
	PROBLEM(r, MOD_FAULT_UNKNOWN, w->column,
		TR("%s is no directive that go knows", "%s 不是 go 认识的指令"), shown(r, w->raw));
}

/* All of these comments, a line each, and then what is behind the line. Absent: there are none. */
static struct span join(struct reader *r, struct above above, bool more, struct span behind)
{
	struct span rest = above.text;
	size_t lines = above.lines + more, at = 0;

	if (!lines)
		return (struct span){ 0 };
	char *text = lines > 1 ? arena_alloc(&r->m->mem, above.text.n + behind.n + 2) : NULL;
	if (lines > 1 && !text) {
		r->no_memory = true;
		return (struct span){ 0 };
	}
	while (rest.n || more) {
		struct span line = behind;
		if (rest.n) {
			line = fields_trim(span_cut(&rest, '\n'));
			if (!span_skip(&line, S("//")))
				continue;
			line = fields_trim(line);
		} else {
			more = false;
		}
		if (lines == 1)
			return line;
		memcpy(text + at, line.p, line.n);
		at += line.n;
		text[at++] = '\n';
	}
	return (struct span){ text, at - 1 };
}

/* The words behind tocsin:allow. */
static struct span find_allow(struct span comment)
{
	while (comment.n) {
		struct span line = span_cut(&comment, '\n');
		size_t at = span_find(line, S("tocsin:allow"));
		if (at == SPAN_NONE || (at && !strchr(" \t;,", line.p[at - 1])))
			continue;
		line = span_from(line, at + strlen("tocsin:allow"));
		if (line.n && !strchr(" \t;,:.", line.p[0]))
			continue;
		while (line.n && line.p[0] && strchr(" \t;,:.", line.p[0]))
			line = span_from(line, 1);
		return (struct span){ line.p, line.n };
	}
	return (struct span){ 0 };
}

static void read_directive(struct reader *r, enum mod_verb verb, const struct mod_word *w, size_t n)
{
	struct modfile *m = r->m;
	struct mod_line l = {
		.verb = verb, .line = r->line, .column = r->words.word[0].column, .in_block = r->in_block
	};

	l.comment = join(r, r->above, r->words.has_comment, r->words.comment);
	l.allow = find_allow(l.comment);
	if (r->in_block && !r->above.any && !r->words.has_comment)
		l.comment = r->block.comment;
	if (!l.allow.p && r->in_block)
		l.allow = r->block.allow;
	bool fine = verbs[verb].read(r, &l, w, n);
	r->mute = false;
	if (!fine || r->no_memory)
		return;
	if (m->n == MODFILE_LINES) {
		PROBLEM(r, MOD_FAULT_TOO_LONG, l.column,
			TR("more than %d directives: the rest was not read", "指令超过 %d 条，其余没有读取"),
			MODFILE_LINES);
		r->full = true;
	} else if (!mem_grow(&m->lines, &m->cap, m->n, sizeof(*m->lines))) {
		r->no_memory = true;
	} else {
		m->lines[m->n++] = l;
	}
}

static void open_block(struct reader *r)
{
	const struct mod_words *w = &r->words;
	enum mod_verb verb = find_verb(r, w->word[0].raw);
	bool fits = w->n == 2 && verb != MOD_VERBS && verbs[verb].block;

	if (w->n > 2 && r->kind != MODFILE_DEPENDENCY)
		PROBLEM(r, MOD_FAULT_USAGE, w->word[1].column,
			TR("nothing can stand between %s and its (", "%s 与它的 ( 之间不能有别的内容"),
			shown(r, w->word[0].raw));
	else if (!fits)
		unknown(r, &w->word[0], true);
	r->in_block = true;
	r->block.line = r->line;
	r->block.column = w->word[0].column;
	r->block.verb = fits ? verb : MOD_VERBS;
	r->block.lines = 0;
	r->block.comment = join(r, r->above, false, S(""));
	r->block.allow = find_allow(r->block.comment);
	if (!r->block.allow.p)
		r->block.allow = find_allow(w->comment);
}

static bool word_is(const struct mod_word *w, char c)
{
	return w->raw.n == 1 && w->raw.p[0] == c;
}

static void read_in_block(struct reader *r)
{
	const struct mod_words *w = &r->words;

	if (word_is(&w->word[0], ')')) {
		r->in_block = false;
		if (w->n > 1)
			PROBLEM(r, MOD_FAULT_SYNTAX, w->word[1].column,
				TR("a new line must follow )", ") 之后必须换行"));
		return;
	}
	r->block.lines++;
	if (r->block.verb != MOD_VERBS)
		read_directive(r, r->block.verb, w->word, w->n);
}

static void read_at_top(struct reader *r)
{
	const struct mod_words *w = &r->words;
	bool opens = w->n >= 2 && word_is(&w->last, '(');
	bool empty = w->n >= 3 && word_is(&w->before_last, '(') && word_is(&w->last, ')');

	if (opens || empty) {
		r->words.n -= empty;
		open_block(r);
		r->in_block = opens;
		return;
	}
	enum mod_verb verb = find_verb(r, w->word[0].raw);
	if (verb == MOD_VERBS)
		unknown(r, &w->word[0], false);
	else
		read_directive(r, verb, w->word + 1, w->n - 1);
}

static void say_fault(struct reader *r, struct span line)
{
	const struct mod_words *w = &r->words;

	if (w->fault == WORDS_STRING)
		PROBLEM(r, MOD_FAULT_SYNTAX, w->fault_column,
			TR("a string without its closing quote", "字符串缺少右引号"));
	else if (w->fault == WORDS_BLOCK_COMMENT)
		PROBLEM(r, MOD_FAULT_SYNTAX, w->fault_column,
			TR("comments begin with //, not with /*", "注释要用 //，不能用 /*"));
	else if (span_eq(w->fault_text, S("\xef\xbb\xbf")))
		PROBLEM(r, MOD_FAULT_SYNTAX, w->fault_column,
			TR("a byte order mark, which go does not accept",
			   "文件含字节顺序标记（BOM），go 不接受"));
	else
		PROBLEM(r, MOD_FAULT_SYNTAX, w->fault_column,
			TR("the byte 0x%02x cannot stand here", "此处不能有字节 0x%02x"),
			(unsigned char)line.p[w->fault_column - 1]);
}

static void read_line(struct reader *r, struct span line)
{
	struct mod_words *w = &r->words;

	mod_words_read(line, w);
	if (fields_is_conflict(line)) {
		PROBLEM(r, MOD_FAULT_MERGE, 1,
			TR("a conflict mark of git: the merge is not finished",
			   "git 冲突标记：合并尚未完成"));
	} else if (w->fault != WORDS_FINE) {
		say_fault(r, line);
	} else if (!w->n && w->has_comment) {
		struct above *a = &r->above;
		a->text = a->lines ? (struct span){ a->text.p, (size_t)(line.p + line.n - a->text.p) } : line;
		a->lines++;
		a->any = true;
		return;
	} else if (!w->n && r->in_block) {
		r->above.any |= r->block.lines > 0;
		return;
	} else if (w->n && r->in_block) {
		read_in_block(r);
	} else if (w->n) {
		read_at_top(r);
	}
	r->above = (struct above){ 0 };
}

int modfile_read(struct span text, enum modfile_kind kind, struct modfile *ret, struct err *e)
{
	struct reader r = { .m = ret, .kind = kind };

	*ret = (struct modfile){ 0 };
	while (text.n && !r.no_memory && !r.full) {
		struct span line = span_cut(&text, '\n');
		r.line++;
		if (line.n || !r.in_block)
			read_line(&r, line);
		else
			r.above.any |= r.block.lines > 0;
	}
	if (r.in_block && !r.full)
		add_problem(&r, MOD_FAULT_SYNTAX, r.block.line, r.block.column,
			    TR("a ( without its )", "( 没有对应的 )"));
	if (!r.no_memory)
		return 0;
	modfile_free(ret);
	return err_set(e, ENOMEM, "%s", TR("out of memory", "内存不足"));
}

void modfile_free(struct modfile *m)
{
	arena_free(&m->mem);
	mem_free(m->lines);
	mem_free(m->problems);
	*m = (struct modfile){ 0 };
}

void modfile_free_cleanup(struct modfile *m)
{
	modfile_free(m);
}

struct span modfile_module(struct span text)
{
	struct mod_words w = { 0 };

	while (text.n) {
		struct span line = span_cut(&text, '\n');
		if (!span_starts(fields_trim(line), S("module")))
			continue;
		mod_words_read(line, &w);
		if (w.n < 2 || !span_eq(w.word[0].raw, S("module")))
			continue;
		struct span path = w.word[1].raw;
		while (span_eq(path, S("(")) && text.n) { /* a block: the first line with a word */
			mod_words_read(span_cut(&text, '\n'), &w);
			path = w.n ? w.word[0].raw : path;
		}
		bool quoted = path.n >= 2 && (path.p[0] == '"' || path.p[0] == '`');
		return quoted ? span_head(span_from(path, 1), path.n - 2) : path;
	}
	return (struct span){ 0 };
}
