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
		} else if (o[i].type == OPT_FILE) {
			buf_adds(b, "_tocsin_files;");
		}
		buf_adds(b, " return;;\n");
	}
}

static void bash_verb(struct buf *b, const struct verb *v)
{
	buf_addf(b, "\t%s)\n\t\tcase $prev in\n", v->name);
	bash_values(b, v->opts, v->n_opts);
	bash_values(b, opt_common, opt_common_count);
	buf_adds(b, "\t\tesac\n\t\tif [[ $cur == -* ]]; then\n\t\t\tCOMPREPLY=($(compgen -W \"");
	bash_flags(b, v->opts, v->n_opts);
	bash_flags(b, opt_common, opt_common_count);
	buf_adds(b, "\" -- \"$cur\"))\n\t\t\treturn\n\t\tfi\n");
	if (v->words) {
		buf_adds(b, "\t\tCOMPREPLY=($(compgen -W \"");
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
static void bash_valued(struct buf *b)
{
	for (size_t v = 0; v < verb_count; v++) {
		for (size_t i = 0; i < verbs[v]->n_opts; i++) {
			const struct opt *o = &verbs[v]->opts[i];
			if (takes_value(o))
				buf_addf(b, "--%s|", o->name);
			if (takes_value(o) && o->letter)
				buf_addf(b, "-%c|", o->letter);
		}
	}
	buf_adds(b, "--lang");
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
	"\t\t*) [[ $verb ]] && { command=$i; break; }; verb=${words[i]};;\n"
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
	const char *bar = "", *mark = strstr(bash_delegate, "BARS");

	buf_adds(b, bash_words);
	bash_valued(b);
	buf_adds(b, bash_command);
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
	for (size_t i = 0; i < verb_count; i++)
		bash_verb(b, verbs[i]);
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
		} else if (o[i].type == OPT_FILE) {
			buf_adds(b, "_files");
		}
		buf_adds(b, "' \\\n");
	}
}

static void zsh_verb(struct buf *b, const struct verb *v)
{
	buf_addf(b, "\t%s)\n\t\t_arguments -S \\\n", v->name);
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

static void zsh(struct buf *b)
{
	buf_adds(b,
		 "#compdef tocsin\n# zsh completion for tocsin\n_tocsin() {\n\tlocal -a verbs\n\tverbs=(\n");
	for (size_t i = 0; i < verb_count; i++) {
		buf_addf(b, "\t\t'%s:", verbs[i]->name);
		zsh_text(b, tx(verbs[i]->brief));
		buf_adds(b, "'\n");
	}
	buf_adds(b, "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command verbs\n\t\treturn\n\tfi\n"
		    "\tlocal verb=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $verb in\n");
	for (size_t i = 0; i < verb_count; i++)
		zsh_verb(b, verbs[i]);
	buf_adds(b, "\tesac\n}\n_tocsin \"$@\"\n");
}

static void fish_options(struct buf *b, const char *verb, const struct opt *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_addf(b, "complete -c tocsin -l %s", o[i].name);
		if (verb)
			buf_addf(b, " -n '__fish_seen_subcommand_from %s'", verb);
		if (o[i].letter)
			buf_addf(b, " -s %c", o[i].letter);
		if (takes_value(&o[i]))
			buf_adds(b, o[i].type == OPT_FILE ? " -r -F" : " -x");
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
		const struct verb *v = verbs[i];
		buf_addf(b, "complete -c tocsin -n __fish_use_subcommand -a %s -d ", v->name);
		quote(b, tx(v->brief));
		buf_addc(b, '\n');
		fish_options(b, v->name, v->opts, v->n_opts);
		if (v->words || v->files || v->command)
			buf_addf(b, "complete -c tocsin -n '__fish_seen_subcommand_from %s' ", v->name);
		if (v->words) {
			buf_adds(b, "-a '");
			word_list(b, v->words());
			buf_adds(b, "'\n");
		} else if (v->files || v->command) {
			buf_adds(b, v->command ? "-a '(__tocsin_command)'\n" : "-F\n");
		}
	}
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
