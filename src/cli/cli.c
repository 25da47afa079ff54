#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/known.h"
#include "cli/opt.h"
#include "cli/say.h"

#define VERB(name) extern const struct verb verb_##name;
#include "cli/commands.def"
#undef VERB

const struct verb *const verbs[] = {
#define VERB(name) &verb_##name,
#include "cli/commands.def"
#undef VERB
};
const size_t verb_count = ARRAY_LEN(verbs);

static int show_help(const struct verb *v)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct term out;

	term_open(&out, STDOUT_FILENO);
	if (v)
		help_verb(v, &text, out.width);
	else
		help_all(&text, out.width);
	term_flush(&out, &text);
	return out.dead ? 125 : 0;
}

static int call_verb(const struct verb *v, size_t argc, const char **argv)
{
	CLEANUP(mem_free) char *values = mem_zalloc(v->size ? v->size : 1);
	struct args rest;
	struct err e;

	if (!values) {
		say_error(TR("no memory", "内存不足"));
		return 125;
	}
	int r = opt_parse(v, argc, argv, values, &rest, &e);
	if (common.help)
		return show_help(v);
	if (r == 0)
		r = opt_check_files(v, values, &rest, &e);
	if (r < 0)
		return say_usage(v->name, e.msg);
	r = v->run(values, &rest);
	for (size_t i = 0; i < v->n_opts; i++) {
		if (v->opts[i].type == OPT_LIST || v->opts[i].type == OPT_CSV)
			opt_list_free((struct opt_list *)(void *)(values + v->opts[i].at));
	}
	return r;
}

/* 0, 1 and 2 are always open, so that no file of ours can be taken for one of them. */
static void open_standard(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF)
			continue;
		FILE *f = fopen("/dev/null", fd ? "w" : "r");
		if (f && fileno(f) != fd)
			fclose(f);
	}
}

/* A group gives way to the sub-verb that is named; *argc and *argv then begin behind it. NULL: said, *ret is the status. */
static const struct verb *pick_sub(const struct verb *v, size_t *argc, const char ***argv, int *ret)
{
	struct args rest;
	struct err e;

	if (opt_parse(NULL, *argc, *argv, NULL, &rest, &e) < 0) {
		*ret = say_usage(v->name, e.msg);
		return NULL;
	}
	const struct verb *sub = rest.n ? verb_sub(v, rest.v[0]) : NULL;
	if (common.help && (sub || !rest.n)) {
		*ret = show_help(sub ? sub : v);
		return NULL;
	}
	if (!rest.n)
		err_set(&e, EINVAL, TR("%s: what to do? For example: tocsin %s", "%s：要做什么？例如：tocsin %s"),
			v->name, v->subs[0]->name);
	else if (!sub)
		verb_unknown(v, rest.v[0], &e);
	if (!sub) {
		*ret = say_usage(v->name, e.msg);
		return NULL;
	}
	*argc = rest.n - 1;
	*argv = rest.v + 1;
	return sub;
}

/* The words behind the verb's name. */
static int call_named(const struct verb *v, size_t argc, const char **argv)
{
	int r = EXIT_USAGE;

	/* A group that has work of its own does it unless one of its sub-verbs is named. */
	if (v->subs && !(v->run && (!argc || !verb_sub(v, argv[0]))))
		v = pick_sub(v, &argc, &argv, &r);
	return v ? call_verb(v, argc, argv) : r;
}

/* `tocsin --help fault list` */
static const struct verb *named(const struct args *a)
{
	const struct verb *v = a->n ? verb_find(a->v[0]) : NULL;
	const struct verb *sub = v && v->subs && a->n > 1 ? verb_sub(v, a->v[1]) : NULL;

	return sub ? sub : v;
}

static int answer(int argc, char **argv)
{
	CLEANUP(mem_free) const char **words = mem_zalloc(((size_t)argc + 2) * sizeof(*words));
	struct args rest;
	struct err e;

	lang_now = lang_pick(NULL);
	open_standard();
	if (!words) {
		say_error(TR("no memory", "内存不足"));
		return 125;
	}
	for (int i = 1; i < argc; i++)
		words[i - 1] = argv[i];
	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")))
		words[0] = "version";
	if (opt_parse(NULL, argc > 0 ? (size_t)argc - 1 : 0, words, NULL, &rest, &e) < 0)
		return say_usage(NULL, e.msg);
	if (common.help)
		return show_help(named(&rest));
	if (!rest.n)
		return say_usage(NULL, TR("what to do? For example: tocsin run -- go test ./...",
					  "要做什么？例如：tocsin run -- go test ./..."));
	const struct verb *v = verb_find(rest.v[0]);
	if (!v) {
		verb_unknown(NULL, rest.v[0], &e);
		return say_usage(NULL, e.msg);
	}
	return call_named(v, rest.n - 1, rest.v + 1);
}

int cli_main(int argc, char **argv)
{
	known_begin(argc, argv);
	int r = answer(argc, argv);
	known_end();
	return r;
}
