/* A nested command's failure that nobody heard: who swallowed it, as far as the calling command tells. */
#include <signal.h>

#include "base/mem.h"
#include "base/path.h"
#include "diagnose/state.h"

/* What stands behind (or around) the go command in the text that a shell was given. */
enum eater {
	EATER_UNKNOWN, EATER_PIPE, EATER_OR, EATER_SEMICOLON, EATER_BACKGROUND, EATER_CONDITION, EATER_SUBSTITUTION,
	EATER_NONE, /* the shell ended with the go command's own status */
	EATER_MAKE, EATER_FIND, EATER_SCRIPT,
};

/* clang-format off */
static const struct tx advices[] = { /* %s: a name; only one each */
	[EATER_PIPE] = { "The pipe gives the status of `%s`, not of go: `set -o pipefail` in front of it (bash; in a Makefile `SHELL := bash` and "
			 "`.SHELLFLAGS := -o pipefail -ec`).",
			 "管道返回的是 `%s` 的状态，而不是 go 的：在它之前执行 `set -o pipefail`（需要 bash；Makefile 中设 `SHELL := bash` 和 "
			 "`.SHELLFLAGS := -o pipefail -ec`）。" },
	[EATER_OR] = { "`|| %s` drops the status: take it out.", "`|| %s` 丢弃了退出码：请去掉它。" },
	[EATER_SEMICOLON] = { "Behind `;` the shell goes on after a failure (`%s`): join them with `&&`, or begin with `set -e`.",
			      "`;` 之后 shell 会在失败后继续执行（`%s`）：请改用 `&&`，或以 `set -e` 开头。" },
	[EATER_BACKGROUND] = { "`&` runs it in the background (%s): keep its pid (`p=$!`) and end with `wait $p`, which gives its status.",
			       "`&` 使其在后台运行（%s）：请保存 pid（`p=$!`），并以 `wait $p` 取得其状态。" },
	[EATER_CONDITION] = { "`%s` uses the status up: let the branch for failure end with `exit 1`.", "`%s` 用掉了退出码：请让失败分支以 `exit 1` 结束。" },
	[EATER_SUBSTITUTION] = { "%s loses the status where it stands: assign first, in a line of its own (`x=$(go …)` under `set -e`).",
				 "%s 在此处会丢失退出码：请先单独一行赋值（`set -e` 下的 `x=$(go …)`）。" },
	[EATER_MAKE] = { "%s ignored it: look for a `-` before the recipe line, `.IGNORE`, or `make -i`.",
			 "%s 忽略了失败：请检查该行命令前的 `-`、`.IGNORE` 或 `make -i`。" },
	[EATER_FIND] = { "%s does not pass on what `-exec … \\;` returns: use `-exec … +` or xargs.",
			 "%s 不会传递 `-exec … \\;` 的退出码：请改用 `-exec … +` 或 xargs。" },
	[EATER_SCRIPT] = { "In %s, look where go is called: a pipe, `|| true` or a line behind it drops the status. `set -euo pipefail` at its top.",
			   "请查看 %s 中调用 go 之处：管道、`|| true` 或其后的命令会丢弃退出码。可在脚本开头加 `set -euo pipefail`。" },
};
/* clang-format on */

static bool is_one_of(struct span s, const char *const *names)
{
	for (; *names; names++) {
		if (span_eq(s, span_of(*names)))
			return true;
	}
	return false;
}

static bool is_shell(struct span path)
{
	static const char *const shells[] = { "sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "yash", NULL };
	struct span name = path_base(path);

	span_skip(&name, S("-"));
	return is_one_of(name, shells);
}

/* `sh -c TEXT` gives TEXT in *text; `sh file` gives file in *file. */
static void read_shell(struct span call, struct span *text, struct span *file)
{
	struct span rest = call, word;

	if (!is_shell(span_cut(&rest, ' ')))
		return;
	while (rest.n) {
		word = span_cut(&rest, ' ');
		if (!word.n || (word.p[0] != '-' && word.p[0] != '+')) {
			*file = word;
			return;
		}
		if (span_starts(word, S("--")))
			continue;
		if (span_chr(word, 'c') != SPAN_NONE) {
			if (span_skip(&rest, S("'")) && rest.n && rest.p[rest.n - 1] == '\'')
				rest.n--;
			*text = rest;
			return;
		}
		if (span_chr(word, 'o') != SPAN_NONE)
			span_cut(&rest, ' ');
	}
}

/* Where in a shell's text the command stands: its end, and in *begin its beginning. */
static size_t find_command(struct judge *j, struct span text, const struct argv *a, size_t *begin)
{
	const char *sub = a->n > 1 ? a->v[1] : "";

	for (int whole = 1; whole >= 0; whole--) {
		buf_clear(&j->scratch);
		for (size_t i = 0; whole && i < a->n; i++)
			buf_addf(&j->scratch, "%s%s", i ? " " : "", a->v[i]);
		if (!whole)
			buf_addf(&j->scratch, " %s ", sub);
		*begin = span_find(text, buf_view(&j->scratch));
		if (*begin != SPAN_NONE)
			return *begin + j->scratch.len - !whole;
	}
	return SPAN_NONE;
}

static struct span next_word(struct span s)
{
	s = span_trim(s);
	while (s.n && (s.p[0] == '&' || s.p[0] == '(' || s.p[0] == '{' || s.p[0] == ' '))
		s = span_from(s, 1);
	for (size_t i = 0; i < s.n; i++) {
		if (strchr(" ;|&)<>'\"", s.p[i]))
			return span_head(s, i);
	}
	return s;
}

/* What stands before the command may use its status up. */
static enum eater eater_before(struct span before, struct span *name)
{
	static const char *const conditions[] = { "if", "while", "until", "!", "elif", NULL };
	size_t at;

	before = span_trim(before);
	if (before.n >= 2 && span_ends(before, S("$(")) ) {
		*name = S("$(…)");
		return EATER_SUBSTITUTION;
	}
	at = span_rchr(before, ' ');
	*name = at == SPAN_NONE ? before : span_from(before, at + 1);
	if (span_ends(*name, S("$(")) || span_ends(*name, S("`"))) {
		*name = S("$(…)");
		return EATER_SUBSTITUTION;
	}
	return is_one_of(*name, conditions) ? EATER_CONDITION : EATER_NONE;
}

/* The operator behind the command that decides over its status. */
static enum eater eater_behind(struct span s, struct span *name)
{
	char quote = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : 0, last = i ? s.p[i - 1] : 0;
		if (quote || c == '\'' || c == '"') {
			quote = quote == c ? 0 : quote ? quote : c;
			continue;
		}
		if (!strchr("|;&", c))
			continue;
		if (c == '&' && (last == '>' || last == '<' || next == '>'))
			continue;
		if (c == '&' && next == '&') {
			i++;
			continue;
		}
		bool twice = c == '|' && next == '|';
		*name = path_base(next_word(span_from(s, i + 1 + twice)));
		if (c == ';')
			return name->n ? EATER_SEMICOLON : EATER_NONE;
		return c == '&' ? EATER_BACKGROUND : twice ? EATER_OR : EATER_PIPE;
	}
	return EATER_NONE;
}

/* "make ci -> sh -c 'go test | tee log'": the innermost shell's text first, then who called it. */
static enum eater find_eater(struct judge *j, const struct nested *n, struct span *name)
{
	static const char *const makes[] = { "make", "gmake", "bmake", NULL };
	struct span script = span_of(n->script), text = { 0 }, file = { 0 };
	size_t arrow = span_find(script, S(" -> ")), begin;
	struct span outer = span_head(script, arrow), inner = arrow == SPAN_NONE ? script : span_from(script, arrow + 4);
	enum eater e = EATER_NONE;

	read_shell(inner, &text, &file);
	size_t end = text.n ? find_command(j, text, &n->argv, &begin) : SPAN_NONE;
	if (end != SPAN_NONE) {
		e = eater_before(span_head(text, begin), name);
		if (e == EATER_NONE)
			e = eater_behind(span_from(text, end), name);
	} else if (text.n) {
		e = EATER_UNKNOWN;
	}
	if (e != EATER_NONE)
		return e;
	struct span first = outer;
	*name = path_base(span_cut(&first, ' '));
	if (is_one_of(*name, makes))
		return EATER_MAKE;
	if (span_eq(*name, S("find")))
		return EATER_FIND;
	file = (struct span){ 0 };
	read_shell(outer, &text, &file);
	*name = path_base(file);
	return file.n ? EATER_SCRIPT : EATER_UNKNOWN;
}

static void add_advice(struct judge *j, struct finding *f, const struct nested *n)
{
	CLEANUP(buf_free) struct buf b = { .max = 4096 };
	struct span name = { 0 };
	enum eater e = n->script ? find_eater(j, n, &name) : EATER_UNKNOWN;
	const char *format = e < ARRAY_LEN(advices) && advices[e].en ? tx(advices[e]) : NULL, *at = format ? strstr(format, "%s") : NULL;

	if (!at)
		return; /* the cause's own */
	buf_add(&b, format, (size_t)(at - format));
	buf_span(&b, span_head(name, 60));
	buf_adds(&b, at + 2);
	buf_adds(&b, TR(" If it may fail, say so: `tocsin allow -- go …`.", "若确实允许失败，请写明：`tocsin allow -- go …`。"));
	f->advice = arena_span(&j->mem, buf_view(&b));
}

static void join_argv(struct buf *b, const struct argv *a)
{
	for (size_t i = 0; i < a->n && b->len < 200; i++)
		buf_addf(b, "%s%s", i ? " " : "", a->v[i]);
}

void masked_add(struct judge *j, struct nested *n)
{
	struct jfinding *f = finding_new(j, CAUSE_PIPE_MASKED, false);
	CLEANUP(buf_free) struct buf cmd = { .max = 4096 };
	const char *sig = n->how == END_SIGNAL ? sigabbrev_np(n->sig) : NULL;

	n->masked = true;
	if (!f)
		return;
	f->f.command = n->argv;
	add_advice(j, &f->f, n);
	join_argv(&cmd, &n->argv);
	buf_clear(&j->scratch);
	if (n->how == END_SIGNAL)
		buf_addf(&j->scratch, TR("'%s' was ended by SIG%s", "“%s”被 SIG%s 终止"), buf_str(&cmd), sig ? sig : "?");
	else
		buf_addf(&j->scratch, TR("'%s' failed with exit status %d", "“%s”失败，退出码 %d"), buf_str(&cmd), n->code);
	if (n->script)
		buf_addf(&j->scratch, TR(", called by %s", "，调用者 %s"), n->script);
	buf_adds(&j->scratch, TR("; the command above it said 0", "；外层命令却返回 0"));
	finding_line(j, &f->f.message, buf_view(&j->scratch));
}
