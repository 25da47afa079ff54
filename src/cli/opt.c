#include "cli/opt.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#define MAX_CANDIDATES 96

struct common common = { .lang = -1 };
const char *const opt_langs[] = { "en", "zh", NULL };

/* clang-format off */
const struct opt opt_common[] = {
	{ "lang", 0, OPT_WORD, offsetof(struct common, lang), { "en|zh", "en|zh" },
	  { "language of everything that is said (else TOCSIN_LANG, LC_ALL, LC_MESSAGES, LANG)",
	    "输出语言（默认依次取 TOCSIN_LANG、LC_ALL、LC_MESSAGES、LANG）" }, opt_langs, 0 },
	{ "no-color", 0, OPT_FLAG, offsetof(struct common, no_color), { NULL, NULL },
	  { "no colours (they are used on a terminal only, and never with NO_COLOR or TERM=dumb)",
	    "不使用颜色（颜色只用于终端；设置了 NO_COLOR 或 TERM=dumb 时也不用）" }, NULL, 0 },
	{ "help", 'h', OPT_FLAG, offsetof(struct common, help), { NULL, NULL },
	  { "show this help", "显示本帮助" }, NULL, 0 },
};
/* clang-format on */
const size_t opt_common_count = ARRAY_LEN(opt_common);

const char *opt_hint(const char *typed, const char *const *candidates, size_t n, const char *before,
		     char out[128])
{
	const char *near = text_nearest(typed, candidates, n);

	out[0] = '\0';
	if (near)
		snprintf(out, 128, TR("; did you mean %s%s?", "；您是否想用 %s%s？"), before, near);
	return out;
}

/* A row and where its value goes. */
struct slot {
	const struct opt *o;
	char *base;
};

static bool find_in(const struct opt *opts, size_t n, struct span name, char letter, const struct opt **ret)
{
	for (size_t i = 0; i < n; i++) {
		if (letter ? opts[i].letter == letter : span_eq(span_of(opts[i].name), name)) {
			*ret = &opts[i];
			return true;
		}
	}
	return false;
}

static bool find_opt(const struct verb *v, void *values, struct span name, char letter, struct slot *ret)
{
	if (v && find_in(v->opts, v->n_opts, name, letter, &ret->o))
		ret->base = values;
	else if (find_in(opt_common, opt_common_count, name, letter, &ret->o))
		ret->base = (char *)&common;
	else
		return false;
	return true;
}

/* clang-format off */
static const struct opt_later later_verbs[] = {
	{ "mod", { "download, verify and sign modules", "下载、校验和签名模块" } },
	{ "snap", { "snapshots of runs", "运行快照" } },
	{ "alert", { "alert channels", "告警渠道" } },
	{ "drill", { "make a fault, prove it is caught", "故障演练" } },
	{ "serve", { "the server", "服务端" } },
	{ "deliver", { "the sender", "发送进程" } },
	{ "stats", { "numbers over all runs", "历次运行统计" } },
	{ NULL, { NULL, NULL } },
};
/* clang-format on */

static int refuse_later(const struct opt_later *l, struct span name, const char *dashes, struct err *e)
{
	for (; l && l->name; l++) {
		if (span_eq(span_of(l->name), name))
			return err_set(e, EINVAL, TR("%s%s (%s) is not in this version of Tocsin (%s)",
						     "此版本的 Tocsin 没有 %s%s（%s）；版本 %s"),
				       dashes, l->name, tx(l->what), TOCSIN_VERSION);
	}
	return 0;
}

static int unknown_opt(const struct verb *v, const char *word, struct span name, struct err *e)
{
	const char *names[MAX_CANDIDATES];
	char typed[64], hint[128];
	size_t n = 0;

	int r = v && word[1] == '-' ? refuse_later(v->later, name, "--", e) : 0;
	if (r < 0)
		return r;
	for (size_t i = 0; v && i < v->n_opts && n < MAX_CANDIDATES; i++)
		names[n++] = v->opts[i].name;
	for (size_t i = 0; i < opt_common_count && n < MAX_CANDIDATES; i++)
		names[n++] = opt_common[i].name;
	snprintf(typed, sizeof(typed), "%.*s", SPAN_ARG(span_head(name, 60)));
	return err_set(e, EINVAL, TR("unknown flag %.*s%s", "未知选项 %.*s%s"), (int)strcspn(word, "="), word,
		       opt_hint(typed, names, n, "--", hint));
}

static int bad_word(const struct opt *o, const char *value, struct err *e)
{
	char hint[128];
	size_t n = 0;

	while (o->words[n])
		n++;
	return err_set(e, EINVAL, TR("--%s does not know '%s'%s", "--%s 不认识“%s”%s"), o->name, value,
		       opt_hint(value, o->words, n, "", hint));
}

int opt_list_push(struct opt_list *l, const char *value, struct err *e)
{
	const char **v = mem_resize(l->v, (l->n + 2) * sizeof(*v));

	if (!v)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	l->v = v;
	v[l->n++] = value;
	v[l->n] = NULL;
	return 0;
}

void opt_list_free(struct opt_list *l)
{
	mem_free(l->v);
	*l = (struct opt_list){ 0 };
}

/* The parts stay where they are in argv: the commas become ends of strings. */
static int csv_push(struct opt_list *l, const char *value, const struct opt *o, struct err *e)
{
	char *at = (char *)(uintptr_t)value;
	int r = 0;

	for (char *part = strsep(&at, ","); part && r == 0; part = strsep(&at, ",")) {
		if (!*part)
			return err_set(e, EINVAL, TR("--%s: an empty item in the list", "--%s：列表中有空项"),
				       o->name);
		r = opt_list_push(l, part, e);
	}
	return r;
}

static int set_number(const struct opt *o, int64_t *to, const char *value, struct err *e)
{
	if (span_int(span_of(value), to) && *to >= 0 && *to <= 1000000)
		return 0;
	return err_set(e, EINVAL,
		       TR("--%s needs a number from 0 to 1000000, not '%s'",
			  "--%s 需要 0 到 1000000 之间的整数，而不是“%s”"),
		       o->name, value);
}

static int set_duration(const struct opt *o, int64_t *to, const char *value, struct err *e)
{
	if (duration_parse(value, to))
		return 0;
	return err_set(e, EINVAL,
		       TR("--%s needs a duration such as 90s, 10m or 1h30m, not '%s'",
			  "--%s 需要 90s、10m、1h30m 这样的时长，而不是“%s”"),
		       o->name, value);
}

static int set_word(const struct opt *o, int *to, const char *value, struct err *e)
{
	for (int i = 0; o->words[i]; i++) {
		if (!strcmp(o->words[i], value)) {
			*to = i;
			return 0;
		}
	}
	return bad_word(o, value, e);
}

static int set_maybe_word(const struct opt *o, int64_t *to, const char *value, struct err *e)
{
	int word = 0, r = set_word(o, &word, value, e);

	*to = word;
	return r;
}

static int set_value(struct slot s, const char *value, struct err *e)
{
	void *to = s.base + s.o->at;

	switch (s.o->type) {
	case OPT_FLAG: *(bool *)to = true; return 0;
	case OPT_STRING:
	case OPT_FILE:
	case OPT_INPUT:
		if (!*value)
			return err_set(e, EINVAL, TR("--%s: its argument is empty", "--%s：参数为空"),
				       s.o->name);
		*(const char **)to = value;
		return 0;
	case OPT_DURATION: return set_duration(s.o, to, value, e);
	case OPT_INT:
	case OPT_MAYBE: return s.o->words ? set_maybe_word(s.o, to, value, e) : set_number(s.o, to, value, e);
	case OPT_WORD: return set_word(s.o, to, value, e);
	case OPT_LIST: return opt_list_push(to, value, e);
	case OPT_CSV: return csv_push(to, value, s.o, e);
	}
	return 0;
}

/* Takes what is said: as soon as the language is known, errors are in it. */
static int take(struct slot s, const char *value, struct err *e)
{
	int r = set_value(s, value, e);

	if (r == 0 && s.o == &opt_common[0])
		lang_now = lang_pick(opt_langs[common.lang]);
	return r;
}

static bool needs_value(enum opt_type t)
{
	return t != OPT_FLAG && t != OPT_MAYBE;
}

/* argv[*at] is an option: read it, and its argument when that stands apart. */
static int parse_one(const struct verb *v, size_t argc, const char **argv, size_t *at, void *values,
		     struct args *ret, struct err *e)
{
	const char *word = argv[*at];
	bool is_long = word[1] == '-';
	struct span name = span_of(word + (is_long ? 2 : 1));
	struct span value = name;
	struct slot s;

	name = span_cut(&value, '=');
	bool joined = strchr(word, '=') != NULL;
	if (!is_long && name.n != 1)
		return unknown_opt(v, word, name, e);
	if (!find_opt(v, values, name, is_long ? 0 : name.p[0], &s))
		return unknown_opt(v, word, name, e);
	if (s.base != (char *)&common)
		ret->given |= UINT64_C(1) << (s.o - v->opts);
	if (s.o->type == OPT_FLAG && joined)
		return err_set(e, EINVAL, TR("--%s takes no argument", "--%s 不带参数"), s.o->name);
	if (s.o->type == OPT_MAYBE && !joined) {
		*(int64_t *)(void *)(s.base + s.o->at) = s.o->lone;
		return 0;
	}
	if (joined || !needs_value(s.o->type))
		return take(s, joined ? value.p : "", e);
	if (*at + 1 >= argc)
		return err_set(e, EINVAL, TR("--%s needs an argument: %s", "--%s 需要参数：%s"), s.o->name,
			       tx(s.o->arg));
	return take(s, argv[++*at], e);
}

static void set_defaults(const struct verb *v, void *values)
{
	for (size_t i = 0; v && i < v->n_opts; i++) {
		if (v->opts[i].type == OPT_INT || v->opts[i].type == OPT_DURATION)
			*(int64_t *)(void *)((char *)values + v->opts[i].at) = v->opts[i].lone;
	}
}

int opt_parse(const struct verb *v, size_t argc, const char **argv, void *values, struct args *ret,
	      struct err *e)
{
	bool stop_early = !v || v->command;
	size_t kept = 0, i;

	*ret = (struct args){ .v = argv };
	set_defaults(v, values);
	for (i = 0; i < argc; i++) {
		const char *word = argv[i];
		if (!strcmp(word, "--") && v) {
			ret->dashes = true;
			i++;
			break;
		}
		if (word[0] == '-' && word[1]) {
			int r = parse_one(v, argc, argv, &i, values, ret, e);
			if (r < 0)
				return r;
			continue;
		}
		if (stop_early)
			break;
		argv[kept++] = word;
	}
	if (stop_early) {
		ret->v = argv + i;
		ret->n = argc - i;
		return 0;
	}
	while (i < argc)
		argv[kept++] = argv[i++];
	ret->n = kept;
	return 0;
}

bool opt_given(const struct verb *v, const struct args *a, const char *name)
{
	for (size_t i = 0; i < v->n_opts; i++) {
		if (!strcmp(v->opts[i].name, name))
			return a->given >> i & 1;
	}
	return false;
}

static const char *file_of(const struct opt *o, const void *values)
{
	return o->type == OPT_FILE ? *(const char *const *)(const void *)((const char *)values + o->at) : NULL;
}

static int check_file(const struct verb *v, const struct opt *o, const void *values, const struct args *a, struct err *e)
{
	const char *file = file_of(o, values);

	if (!strcmp(file, "-"))
		return strchr(o->arg.en, '-') ? 0 : err_set(e, EINVAL, TR("--%s needs a file name, not -", "--%s 需要文件名，不能是 -"),
							    o->name);
	for (const struct opt *b = o + 1; b < v->opts + v->n_opts; b++) {
		const char *other = file_of(b, values);
		if (other && strcmp(other, "-") != 0 && file_same(file, other))
			return err_set(e, EINVAL, TR("--%s and --%s name one file, '%s': each needs its own",
						     "--%s 和 --%s 指向同一个文件“%s”：请分别指定"), o->name, b->name, file);
	}
	for (size_t i = 0; v->files && i < a->n; i++) {
		if (strcmp(a->v[i], "-") != 0 && file_same(file, a->v[i]))
			return err_set(e, EINVAL, TR("--%s would write over '%s', which is to be read",
						     "--%s 会覆盖要读取的“%s”"), o->name, a->v[i]);
	}
	return 0;
}

int opt_check_files(const struct verb *v, const void *values, const struct args *a, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < v->n_opts && r == 0; i++) {
		if (file_of(&v->opts[i], values))
			r = check_file(v, &v->opts[i], values, a, e);
	}
	return r;
}

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < verb_count; i++) {
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

const char *verb_word(const struct verb *v)
{
	const char *blank = strrchr(v->name, ' ');

	return blank ? blank + 1 : v->name;
}

const struct verb *verb_sub(const struct verb *group, const char *word)
{
	for (size_t i = 0; group->subs[i]; i++) {
		if (!strcmp(verb_word(group->subs[i]), word))
			return group->subs[i];
	}
	return NULL;
}

int verb_unknown(const struct verb *group, const char *name, struct err *e)
{
	const char *names[MAX_CANDIDATES];
	char before[64] = "", hint[128];
	size_t n = 0;

	int r = group ? 0 : refuse_later(later_verbs, span_of(name), "", e);
	if (r < 0)
		return r;
	if (group)
		snprintf(before, sizeof(before), "%s ", group->name);
	for (size_t i = 0; group && group->subs[i] && n < MAX_CANDIDATES; i++)
		names[n++] = verb_word(group->subs[i]);
	for (size_t i = 0; !group && i < verb_count && n < MAX_CANDIDATES; i++)
		names[n++] = verbs[i]->name;
	return err_set(e, EINVAL, TR("unknown command '%s%s'%s", "未知命令“%s%s”%s"), before, name,
		       opt_hint(name, names, n, before, hint));
}
