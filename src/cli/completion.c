#include "base/buf.h"
#include "base/mem.h"
#include "cli/opt.h"

const char *const completion_shells[] = { "bash", "zsh", "fish", NULL };

static bool takes_value(const struct opt *o)
{
	return o->type != OPT_FLAG && o->type != OPT_MAYBE;
}

static void word_list(struct buf *b, const char *const *words)
{
	for (size_t i = 0; words && words[i]; i++)
		buf_addf(b, "%s%s", i ? " " : "", words[i]);
}

/* Sub-verbs too, each behind its group. */
static void every_verb(struct buf *b, void (*each)(struct buf *b, const struct verb *v))
{
	for (size_t i = 0; i < verb_count; i++) {
		each(b, verbs[i]);
		for (size_t k = 0; verbs[i]->subs && verbs[i]->subs[k]; k++)
			each(b, verbs[i]->subs[k]);
	}
}

static void sub_list(struct buf *b, const struct verb *group)
{
	for (size_t i = 0; group->subs[i]; i++)
		buf_addf(b, "%s%s", i ? " " : "", verb_word(group->subs[i]));
}

/* The names of the groups, with a mark between them; "-" when there is none. */
static void group_list(struct buf *b, char mark)
{
	bool any = false;

	for (size_t i = 0; i < verb_count; i++) {
		if (!verbs[i]->subs)
			continue;
		if (any)
			buf_addc(b, mark);
		buf_adds(b, verbs[i]->name);
		any = true;
	}
	if (!any)
		buf_addc(b, '-');
}

/* In single quotes for a shell. */
static void quote(struct buf *b, const char *z)
{
	buf_addc(b, '\'');
	for (; *z; z++) {
		if (*z == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *z);
	}
	buf_addc(b, '\'');
}

static void bash_flags(struct buf *b, const struct opt *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(b, " --%s", o[i].name);
}

/* Within a verb: what may follow an option that takes a value. */
static void bash_values(struct buf *b, const struct opt *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!takes_value(&o[i]))
			continue;
		buf_addf(b, "\t\t--%s", o[i].name);
		if (o[i].letter)
			buf_addf(b, "|-%c", o[i].letter);
		buf_adds(b, ") ");
		if (o[i].words) {
			buf_adds(b, "COMPREPLY=($(compgen -W \"");
			word_list(b, o[i].words);
			buf_adds(b, "\" -- \"$cur\"));");
		} else if (o[i].type == OPT_FILE || o[i].type == OPT_INPUT) {
			buf_adds(b, "_tocsin_files;");
		}
		buf_adds(b, " return;;\n");
	}
}

static void bash_verb(struct buf *b, const struct verb *v)
{
	buf_addf(b, "\t'%s')\n\t\tcase $prev in\n", v->name);
	bash_values(b, v->opts, v->n_opts);
	bash_values(b, opt_common, opt_common_count);
	buf_adds(b, "\t\tesac\n\t\tif [[ $cur == -* ]]; then\n\t\t\tCOMPREPLY=($(compgen -W \"");
	bash_flags(b, v->opts, v->n_opts);
	bash_flags(b, opt_common, opt_common_count);
	buf_adds(b, "\" -- \"$cur\"))\n\t\t\treturn\n\t\tfi\n");
	if (v->words || v->subs) {
		buf_adds(b, "\t\tCOMPREPLY=($(compgen -W \"");
		if (v->subs)
			sub_list(b, v);
		else
			word_list(b, v->words());
		buf_adds(b, "\" -- \"$cur\"));;\n");
	} else if (v->files) {
		buf_adds(b, "\t\t_tocsin_files;;\n");
	} else if (v->command) {
		buf_adds(b, "\t\tCOMPREPLY=($(compgen -c -- \"$cur\"));;\n");
	} else {
		buf_adds(b, "\t\t;;\n");
	}
}

/* Every option that takes a value, as patterns of one case. */
static void bash_valued(struct buf *b, const struct verb *v)
{
	for (size_t i = 0; i < v->n_opts; i++) {
		const struct opt *o = &v->opts[i];
		if (takes_value(o))
			buf_addf(b, "--%s|", o->name);
		if (takes_value(o) && o->letter)
			buf_addf(b, "-%c|", o->letter);
	}
}

/* bash cuts --flag=value in three: they are put together again. at: where each word stood. */
static const char bash_words[] =
	"# bash completion for tocsin\n"
	"_tocsin_files() {\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"}\n"
	"_tocsin() {\n"
	"\tlocal cur prev verb= command=0 i n w words=() at=()\n"
	"\tCOMPREPLY=()\n"
	"\tfor (( i = 1; i <= COMP_CWORD; i++ )); do\n"
	"\t\tw=${COMP_WORDS[i]} n=${#words[@]}\n"
	"\t\tif [[ $w == = && ${COMP_WORDS[i-1]} == --?* ]]; then\n"
	"\t\t\tif (( i + 1 < COMP_CWORD )); then words[n-1]+=\"=${COMP_WORDS[++i]}\"; continue; fi\n"
	"\t\t\t(( i < COMP_CWORD )) && continue\n"
	"\t\t\tw=\n"
	"\t\tfi\n"
	"\t\twords+=(\"$w\") at+=(\"$i\")\n"
	"\tdone\n"
	"\tn=$(( ${#words[@]} - 1 ))\n"
	"\tcur=${words[n]} prev=\n"
	"\t(( n > 0 )) && prev=${words[n-1]}\n"
	"\tfor (( i = 0; i < n; i++ )); do\n"
	"\t\tcase ${words[i]} in\n"
	"\t\t--) command=$(( i + 1 )); break;;\n"
	"\t\t";
/* What follows the command's name belongs to the command. */
static const char bash_command[] =
	") (( i++ ));;\n"
	"\t\t-*) ;;\n"
	"\t\t*) if [[ $verb == @(GROUPS) ]]; then verb+=\" ${words[i]}\"\n"
	"\t\t\telif [[ $verb ]]; then command=$i; break\n"
	"\t\t\telse verb=${words[i]}; fi;;\n"
	"\t\tesac\n"
	"\tdone\n";
static const char bash_delegate[] =
	"\tif (( command )) && [[ $verb == @(BARS) ]]; then\n"
	"\t\tif declare -F _command_offset >/dev/null; then _command_offset \"${at[command]}\"\n"
	"\t\telif (( n == command )); then COMPREPLY=($(compgen -c -- \"$cur\"))\n"
	"\t\telse _tocsin_files; fi\n"
	"\t\treturn\n"
	"\tfi\n";

static void bash(struct buf *b)
{
	const char *bar = "", *mark = strstr(bash_delegate, "BARS"), *groups = strstr(bash_command, "GROUPS");

	buf_adds(b, bash_words);
	every_verb(b, bash_valued);
	buf_adds(b, "--lang");
	buf_add(b, bash_command, (size_t)(groups - bash_command));
	group_list(b, '|');
	buf_adds(b, groups + 6);
	buf_add(b, bash_delegate, (size_t)(mark - bash_delegate));
	for (size_t i = 0; i < verb_count; i++) {
		if (!verbs[i]->command)
			continue;
		buf_addf(b, "%s%s", bar, verbs[i]->name);
		bar = "|";
	}
	buf_adds(b, mark + 4);
	buf_adds(b, "\tcase $verb in\n\t'')\n\t\tcase $prev in\n");
	bash_values(b, opt_common, opt_common_count);
	buf_adds(b, "\t\tesac\n\t\tCOMPREPLY=($(compgen -W \"");
	for (size_t i = 0; i < verb_count; i++)
		buf_addf(b, "%s ", verbs[i]->name);
	buf_adds(b, "--version --help --lang --no-color\" -- \"$cur\"));;\n");
	every_verb(b, bash_verb);
	buf_adds(b, "\tesac\n}\ncomplete -o default -F _tocsin tocsin\n");
}

/* The text of an option for _arguments: no bracket or colon of its own. */
static void zsh_text(struct buf *b, const char *z)
{
	for (; *z; z++) {
		if (*z == '\'')
			buf_adds(b, "'\\''");
		else if (strchr("[]:\\", *z))
			buf_addf(b, "\\%c", *z);
		else
			buf_addc(b, *z);
	}
}

static void zsh_options(struct buf *b, const struct opt *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool many = o[i].type == OPT_LIST || o[i].type == OPT_CSV;
		buf_addf(b, "\t\t\t'%s--%s%s[", many ? "*" : "", o[i].name,
			 o[i].type == OPT_MAYBE ? "=-"
			 : takes_value(&o[i])   ? "="
						: "");
		zsh_text(b, tx(o[i].help));
		buf_addc(b, ']');
		if (takes_value(&o[i]) || o[i].type == OPT_MAYBE) {
			buf_adds(b, o[i].type == OPT_MAYBE ? "::" : ":");
			zsh_text(b, tx(o[i].arg));
			buf_addc(b, ':');
		}
		if (o[i].words) {
			buf_addc(b, '(');
			word_list(b, o[i].words);
			buf_addc(b, ')');
		} else if (o[i].type == OPT_FILE || o[i].type == OPT_INPUT) {
			buf_adds(b, "_files");
		}
		buf_adds(b, "' \\\n");
	}
}

static void zsh_verb(struct buf *b, const struct verb *v)
{
	if (v->subs)
		return;
	buf_addf(b, "\t'%s')\n\t\t_arguments -S \\\n", v->name);
	zsh_options(b, v->opts, v->n_opts);
	zsh_options(b, opt_common, opt_common_count);
	if (v->command) {
		buf_adds(b, "\t\t\t'*:::command:_normal'\n");
	} else if (v->words) {
		buf_adds(b, "\t\t\t'*:word:(");
		word_list(b, v->words());
		buf_adds(b, ")'\n");
	} else {
		buf_adds(b, v->files ? "\t\t\t'*:file:_files'\n" : "\t\t\t&& return\n");
	}
	buf_adds(b, "\t\t;;\n");
}

static void zsh_describe(struct buf *b, const struct verb *const *v, size_t n, const char *tabs)
{
	for (size_t i = 0; i < n; i++) {
		buf_addf(b, "%s\t'%s:", tabs, verb_word(v[i]));
		zsh_text(b, tx(v[i]->brief));
		buf_adds(b, "'\n");
	}
	buf_addf(b, "%s)\n", tabs);
}

static void zsh_group(struct buf *b, const struct verb *v)
{
	size_t n = 0;

	if (!v->subs)
		return;
	while (v->subs[n])
		n++;
	buf_addf(b, "\t%s)\n\t\tverbs=(\n", v->name);
	zsh_describe(b, v->subs, n, "\t\t");
	buf_adds(b, "\t\tif (( CURRENT == 2 )); then\n\t\t\t_describe command verbs\n\t\t\treturn\n\t\tfi\n"
		    "\t\tverb+=\" $words[2]\"\n\t\tshift words\n\t\t(( CURRENT-- ));;\n");
}

static void zsh(struct buf *b)
{
	buf_adds(b,
		 "#compdef tocsin\n# zsh completion for tocsin\n_tocsin() {\n\tlocal -a verbs\n\tverbs=(\n");
	zsh_describe(b, verbs, verb_count, "\t");
	buf_adds(b, "\tif (( CURRENT == 2 )); then\n\t\t_describe command verbs\n\t\treturn\n\tfi\n"
		    "\tlocal verb=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $verb in\n");
	every_verb(b, zsh_group);
	buf_adds(b, "\tesac\n\tcase $verb in\n");
	every_verb(b, zsh_verb);
	buf_adds(b, "\tesac\n}\n_tocsin \"$@\"\n");
}

/* "fault list" → both words were seen; for a group: it, and none of its sub-verbs yet. */
static void fish_when(struct buf *b, const struct verb *v)
{
	struct span rest = span_of(v->name), word = span_cut(&rest, ' ');

	buf_addf(b, " -n '__fish_seen_subcommand_from %.*s", SPAN_ARG(word));
	if (rest.n)
		buf_addf(b, "; and __fish_seen_subcommand_from %.*s", SPAN_ARG(rest));
	if (v->subs) {
		buf_adds(b, "; and not __fish_seen_subcommand_from ");
		sub_list(b, v);
	}
	buf_addc(b, '\'');
}

static void fish_options(struct buf *b, const struct verb *v, const struct opt *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_addf(b, "complete -c tocsin -l %s", o[i].name);
		if (v)
			fish_when(b, v);
		if (o[i].letter)
			buf_addf(b, " -s %c", o[i].letter);
		if (takes_value(&o[i]))
			buf_adds(b, o[i].type == OPT_FILE || o[i].type == OPT_INPUT ? " -r -F" : " -x");
		if (o[i].words) {
			buf_adds(b, " -a '");
			word_list(b, o[i].words);
			buf_addc(b, '\'');
		}
		buf_adds(b, " -d ");
		quote(b, tx(o[i].help));
		buf_addc(b, '\n');
	}
}

/* The words that follow a verb: of its own, files, somebody's command, or its sub-verbs. */
static void fish_verb(struct buf *b, const struct verb *v)
{
	fish_options(b, v, v->opts, v->n_opts);
	for (size_t i = 0; v->subs && v->subs[i]; i++) {
		buf_adds(b, "complete -c tocsin");
		fish_when(b, v);
		buf_addf(b, " -a %s -d ", verb_word(v->subs[i]));
		quote(b, tx(v->subs[i]->brief));
		buf_addc(b, '\n');
	}
	if (!v->words && !v->files && !v->command)
		return;
	buf_adds(b, "complete -c tocsin");
	fish_when(b, v);
	if (v->words) {
		buf_adds(b, " -a '");
		word_list(b, v->words());
		buf_adds(b, "'\n");
	} else {
		buf_adds(b, v->command ? " -a '(__tocsin_command)'\n" : " -F\n");
	}
}

static void fish(struct buf *b)
{
	buf_adds(b, "# fish completion for tocsin\n"
		    "function __tocsin_command\n"
		    "\tset -l words (commandline -opc)\n"
		    "\tset -l at (contains -i -- -- $words); or set at 2\n"
		    "\tset -e words[1..$at]\n"
		    "\tset -a words (commandline -ct)\n"
		    "\tstring match -q -- '-*' $words[1]; or complete -C \"$words\"\n"
		    "end\n"
		    "complete -c tocsin -f\n");
	for (size_t i = 0; i < verb_count; i++) {
		buf_addf(b, "complete -c tocsin -n __fish_use_subcommand -a %s -d ", verbs[i]->name);
		quote(b, tx(verbs[i]->brief));
		buf_addc(b, '\n');
	}
	every_verb(b, fish_verb);
	fish_options(b, NULL, opt_common, opt_common_count);
}

bool help_completion(const char *shell, struct buf *ret)
{
	static void (*const make[])(struct buf *) = { bash, zsh, fish };

	for (size_t i = 0; completion_shells[i]; i++) {
		if (!strcmp(completion_shells[i], shell)) {
			make[i](ret);
			return true;
		}
	}
	return false;
}
