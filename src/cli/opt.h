#ifndef CLI_OPT_H
#define CLI_OPT_H

#include "base/err.h"
#include "base/span.h"

/*
 * The options of a verb are rows. From the rows come the parser, `tocsin help`, the man page and the
 * shell completions.
 */
enum opt_type {
	OPT_FLAG,     /* bool */
	OPT_STRING,   /* const char * */
	OPT_FILE,     /* const char *, completed as a file name; it is written to */
	OPT_INPUT,    /* const char *, completed as a file name; it is read */
	OPT_DURATION, /* int64_t ns */
	OPT_INT,      /* int64_t >= 0 */
	OPT_WORD,     /* int: index in words */
	OPT_LIST,     /* struct opt_list, may be repeated */
	OPT_CSV,      /* struct opt_list, may be repeated, commas separate */
	OPT_MAYBE,    /* int64_t: --name is `lone`, --name=N is N; with words, the index of the word */
};

struct opt_list {
	const char **v; /* NULL-terminated; NULL when empty */
	size_t n;
};

struct opt {
	const char *name;
	char letter; /* 0: none */
	enum opt_type type;
	size_t at;     /* offset in the verb's values */
	struct tx arg; /* what the argument is called; {0} for a flag */
	struct tx help;
	const char *const *words; /* NULL-terminated: what is accepted, or suggested by the completion */
	int64_t lone; /* OPT_MAYBE: the value of a bare --name; OPT_INT, OPT_DURATION: the default */
};

struct args { /* what is not an option */
	const char **v;
	size_t n;
	bool dashes; /* "--" stood before them */
	uint64_t given; /* a bit for each row of the verb's options that was said; ask with opt_given */
};

struct opt_table {
	struct tx title;
	bool (*row)(size_t i, const char **name, struct tx *help); /* false: no more */
	size_t column; /* of the right side, in the help */
	bool once;     /* the manual page has it in a section of its own */
};

/* A flag or verb that the contract names and this version does not have: refused as that, and not in the help. */
struct opt_later {
	const char *name;
	struct tx what;
};

struct verb {
	const char *name; /* "run"; of a sub-verb all of it: "fault list" */
	struct tx args;  /* "[--] COMMAND [ARG…]" */
	struct tx brief; /* one line */
	struct tx text;  /* the manual: paragraphs, separated by an empty line */
	const struct opt *opts;
	size_t n_opts;
	size_t size;  /* of its values */
	bool command; /* options end at the first argument: the rest is somebody else's command */
	bool files;   /* arguments are file names, for completion */
	const char *const *(*words)(void); /* arguments that it knows, for completion; may be NULL */
	const struct opt_table *tables; /* of its own, in the help */
	size_t n_tables;
	const struct opt_later *later; /* ends with a name of NULL */
	const struct verb *const *subs; /* NULL-terminated: it is a group; with a run of its own that is called when none of them is named */
	int (*run)(void *values, const struct args *a);
};

/* Options that every verb has. */
struct common {
	bool help, no_color;
	int lang; /* index in opt_langs, -1: not said */
};
extern struct common common;
extern const struct opt opt_common[];
extern const size_t opt_common_count;
extern const char *const opt_langs[];

extern const struct verb *const verbs[];
extern const size_t verb_count;
const struct verb *verb_find(const char *name);
const struct verb *verb_sub(const struct verb *group, const char *word); /* NULL: no such */
const char *verb_word(const struct verb *v); /* the last word of its name */
/* An unknown verb (group NULL) or sub-verb: the sentence, with "did you mean". */
int verb_unknown(const struct verb *group, const char *name, struct err *e);

/*
 * Read argv (behind the verb's name) into values and *ret; *ret->v points into argv, whose order changes.
 * v NULL: the options before the verb; stops at the first argument.
 */
int opt_parse(const struct verb *v, size_t argc, const char **argv, void *values, struct args *ret,
	      struct err *e);
/* Refuses two options, or an option and an argument of a verb that reads files, that name one file. */
int opt_check_files(const struct verb *v, const void *values, const struct args *a, struct err *e);
bool opt_given(const struct verb *v, const struct args *a, const char *name);
int opt_list_push(struct opt_list *l, const char *value, struct err *e); /* value is not copied */
void opt_list_free(struct opt_list *l);
/* ", did you mean 'x'?" or "": for errors. */
const char *opt_hint(const char *typed, const char *const *candidates, size_t n, const char *before,
		     char out[128]);

/* The texts made from the tables (help.c, man.c, completion.c). */
struct buf;
void help_all(struct buf *ret, size_t width);
void help_usage(const struct verb *v, struct buf *ret); /* "tocsin run [flags] [--] COMMAND [ARG…]" */
void help_verb(const struct verb *v, struct buf *ret, size_t width);
void help_man(struct buf *ret);
/* manual.c: rows of tables */
bool manual_status(size_t i, const char **name, struct tx *help);
bool manual_variable(size_t i, const char **name, struct tx *help);
bool manual_file(size_t i, const char **name, struct tx *help);
bool manual_key(size_t i, const char **name, struct tx *help); /* of tocsin.yaml */
extern const char *const completion_shells[];
bool help_completion(const char *shell, struct buf *ret);
/* "--report FILE|-", "--rerun-fails[=N]" */
void opt_usage(const struct opt *o, struct buf *ret);
#endif
