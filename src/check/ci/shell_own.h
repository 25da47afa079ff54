#ifndef CHECK_CI_SHELL_OWN_H
#define CHECK_CI_SHELL_OWN_H

#include "check/ci/script.h"
#include "check/ci/shell.h"

/* Inside of shell_check: the walk along a script, and what its rules ask. */

/* ---- what a command does ---- */
enum sh_does_what {
	DOES_OTHER,
	DOES_WATCHED,
	DOES_FORMAT, /* gofmt and the like: its output says more than its status */
	DOES_LIST,   /* go list: others depend on what it prints */
	DOES_UNIT,   /* make TARGET, a script of the tree */
	DOES_NESTED, /* bash -c '…' */
	DOES_CALL,   /* a function of the script */
};
struct sh_does {
	enum sh_does_what what;
	size_t at;        /* the word where the command itself begins, behind env, time, … */
	bool guarded;     /* `tocsin run --` stands before it */
	bool xargs;       /* its last arguments come from a pipe */
	bool go;          /* it is go itself: a subcommand follows */
	bool each;        /* find … -exec w \; */
	bool elsewhere;   /* on another machine or in a container: the folder is not known */
	bool same;        /* the nested script runs in this very shell: eval */
	bool reads;       /* a shell that reads its script from standard input */
	struct span text; /* its words, masked where a template stands: to judge by; shown is sh_command */
	struct span unit;
	struct span inner; /* of a nested script */
	uint32_t inner_from;
	enum shell_kind inner_shell;
	enum shell_flag inner_errexit, inner_pipefail, inner_xtrace;
	struct sh *function;
};

/* ---- the walk ---- */
struct sh_state {
	enum shell_kind shell;
	enum shell_flag errexit, pipefail, xtrace;
	bool inherit;                /* shopt -s inherit_errexit */
	bool ignored;                /* within a condition: errexit does nothing */
	const struct sh *turned_off; /* the `set +e` */
	struct span cwd;             /* "*": not known */
};
enum sh_role {
	ROLE_STATEMENT, /* of a SEQ */
	ROLE_LEFT,      /* of && or || */
	ROLE_RIGHT,
	ROLE_NOT,
	ROLE_PIPED, /* its status is lost without pipefail */
	ROLE_PIPE_END,
	ROLE_SUBSHELL,
	ROLE_GROUP,
	ROLE_COND,
	ROLE_BRANCH, /* then, else, an item of case */
	ROLE_LOOP_COND,
	ROLE_LOOP,
	ROLE_SUBST,
	ROLE_PROCESS,
	ROLE_CALL,   /* the body of the function that node calls */
	ROLE_NESTED, /* the script that node starts */
};
/* Where a node stands: in whom, as what, and in what state. The chain leads out to the whole script, through calls. */
struct sh_at {
	const struct sh_at *up;
	const struct sh *node, *child;
	enum sh_role role;
	struct sh_state state;
};
struct sh_walk {
	struct lint_file *f;
	const struct shell_run *how;
	struct shell_told *told;
	struct span text;
	struct sh *root;
	struct map by_name; /* of functions */
	struct sh **functions;
	size_t n_functions, cap_functions;
	unsigned depth, calls, judged;
	size_t scanned;  /* bytes that were searched for variables */
	size_t commands; /* walked over, some of them again and again */
	struct {
		const char *word;
		size_t last; /* 1 + where it last stands; 0: nowhere */
	} found[32];         /* what sh_stands was asked */
	size_t n_found;
	bool ci;              /* a step of a CI system */
	bool said_no_errexit; /* once a piece is enough */
	bool leaked;
	size_t pipefail_at; /* 1 + the finding that a fix by pipefail belongs to */
	unsigned pipes, lost_pipes;
	const struct sh *trap; /* on EXIT, that ends with 0 */
	const struct sh *set;  /* the first `set` with -e at the top */
};

/* ---- shell_words.c ---- */
void sh_does(struct sh_walk *k, const struct sh *command, const struct sh_state *s, struct sh_does *ret);
/* Of a shell that reads its script from standard input: the script, when a here document, echo or cat feeds it. */
void sh_does_fed(struct sh_walk *k, const struct sh *command, const struct sh_at *at, struct sh_does *ret);
/* The word without its quotes; "" behind the last. */
static inline struct span sh_word(const struct sh *s, size_t at)
{
	return at < s->n_words ? s->words[at].plain : S("");
}
bool sh_word_is(const struct sh *s, size_t at, const char *const *words, size_t n);
/* For people: its words as the file writes them, not too long. */
struct span sh_command(struct sh_walk *k, const struct sh *command, const struct sh_does *does);
/* One of these? */
bool sh_in(struct span word, const char *const *list, size_t n);
#define SH_IN(word, ...)                                  \
	sh_in(word, (const char *const[]){ __VA_ARGS__ }, \
	      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))
static inline bool sh_has(struct span text, const char *what)
{
	return span_find(text, span_of(what)) != SPAN_NONE;
}
static inline bool sh_is_name_byte(char c) /* of a variable's name */
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool sh_has_word(const struct sh *s, size_t from, struct span word);
/* Does it stand in the script at `from` or behind it? `word` is a literal; each is looked for once. */
bool sh_stands(struct sh_walk *k, const char *word, uint32_t from);
struct sh *sh_function(const struct sh_walk *k, struct span name);
/* dir and path as one path relative to the root, without . and ..; "*": not known. In scratch memory. */
struct span sh_path(struct sh_walk *k, struct span dir, struct span path);
void sh_add_unit(struct sh_walk *k, struct span unit, uint32_t from, uint32_t to);

/* ---- shell_fate.c ---- */
/* What becomes of the status when the command at `at` fails: says S01 to S16. */
void sh_judge(struct sh_walk *k, const struct sh *command, const struct sh_does *does,
	      const struct sh_at *at);
struct lint_finding *sh_say_args(struct sh_walk *k, enum rule_id rule, enum severity severity, uint32_t from,
				 uint32_t to, const struct span *args, size_t n);
#define sh_say_as(k, rule, severity, node, ...)                        \
	sh_say_args(k, rule, severity, (node)->from, (node)->to,       \
		    (const struct span[]){ { 0 }, ##__VA_ARGS__ } + 1, \
		    sizeof((const struct span[]){ { 0 }, ##__VA_ARGS__ }) / sizeof(struct span) - 1)
#define sh_say(k, rule, node, ...) sh_say_as(k, rule, rules[rule].severity, node, ##__VA_ARGS__)
struct span sh_line(struct sh_walk *k, uint32_t text_at);            /* the number of the line in the file */
struct span sh_text(const struct sh_walk *k, const struct sh *node); /* as it stands */
struct span sh_short(struct sh_walk *k, struct span text);           /* its first line, not too long */
/* What callers masked is shown as the file writes it. `text` stands at text_at of the script. */
struct span sh_shown(struct sh_walk *k, struct span text, uint32_t text_at);
struct span sh_shown_word(struct sh_walk *k, const struct sh_word *w);
/* `|| true` right of it, or a & behind it. */
bool sh_is_lost(struct sh_walk *k, const struct sh *c, const struct sh_at *at);
bool sh_only_prints(const struct sh *s);              /* a command that never fails and changes no status */
bool sh_to_file(const struct sh *s);                  /* its output goes to a file */
bool sh_uses(struct span text, struct span variable); /* anywhere in the text */
struct span sh_assigned(const struct sh_word *assign, struct span *value);

/* pwsh and cmd, by lines. */
void sh_windows(struct sh_walk *k);

/* The word of the image that docker run starts, *at the first behind `run`; 0: it is no such command. */
size_t sh_docker_image(const struct sh *c, size_t *at);

/* ---- rules of single commands ---- */
void sh_rule_docker(struct sh_walk *k, const struct sh *command);
void sh_rule_command(struct sh_walk *k, const struct sh *command, const struct sh_does *does,
		     const struct sh_at *at);
void sh_rule_goflags(struct sh_walk *k, const struct sh *command, const struct sh_does *does,
		     const struct sh_at *at);
void sh_rule_alert(struct sh_walk *k, const struct sh *command, const struct sh_does *does,
		   const struct sh_at *at);
void sh_say_trap(struct sh_walk *k);
bool sh_in_role(const struct sh_at *at, enum sh_role role); /* it, or anything around it */
void sh_rule_secret(struct sh_walk *k, const struct sh *command, const struct sh_at *at);
#endif
