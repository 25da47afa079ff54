#ifndef CHECK_GO_GOLINT_H
#define CHECK_GO_GOLINT_H

#include "check/go/syntax.h"
#include "check/lint_own.h"

/* A Go file under the rules. Every rule is one function of a table golint_NAME[], called for the kinds of nodes that it asks for. */

/* The functions around a node, the innermost first. */
struct golint_func {
	const struct golint_func *outer; /* NULL: it is a declaration */
	TSNode node, body;               /* the declaration or literal; its block (null: none) */
	enum gonode kind;                /* GO_FUNCTION_DECLARATION, GO_METHOD_DECLARATION, GO_FUNC_LITERAL */
	struct span name;                /* of a declaration; absent: a literal */
	struct span receiver;            /* the type of a method, without * and type parameters; absent */
	bool deferred;                   /* a literal that a defer statement calls: defer func() {…}() */
	bool gone;                       /* a literal that a go statement calls */
	unsigned loops;                  /* loops around it in the outer function */
	unsigned depth;                  /* of the node in the walk */
	unsigned once;                   /* what was said of it already: golint_once */
	TSNode cleanup;                  /* the first defer so far that an exit would lose; null: none */
	uint32_t cleanup_end;            /* where the block that it stands in ends */
};
struct golint_look;
struct golint {
	struct lint_file *out;
	struct gofile *file;
	struct goimports imports;
	struct span package;            /* its name */
	struct span dir;                /* the folder of the file, relative to the root; "" for the root */
	bool test;                      /* *_test.go */
	bool main;                      /* package main */
	bool generated;                 /* `// Code generated … DO NOT EDIT.` */
	const struct gowalk *w;         /* where the walk is */
	const struct golint_func *func; /* around the node; NULL: at the top level */
	unsigned loops;                 /* for statements around the node, inside of func */
	size_t looked;                  /* bytes that were looked through once more, see golint_may_look */
	char own_recover;               /* is recover a function of the file: 0 not looked yet, 'y', 'n' */
	bool goes;                      /* a go statement was met */
	const struct golint_look *look; /* what was seen before there was a tree */
};
typedef void golint_visit(struct golint *c, TSNode n);
/* Calls, picked by the last part of what is called. head: as golint_head gives it. */
typedef void golint_seen(struct golint *c, TSNode call, struct span head);
struct golint_called {
	const char *name; /* NULL ends a table */
	golint_seen *seen;
};
struct golint_hook {
	enum gonode kind;    /* GO_ERROR ends a table */
	golint_visit *visit; /* of all nodes of the kind; NULL: there are rows of */
	const struct golint_called *called;
};
/* One table a file of rules. GO_SOURCE_FILE is called once, before all else. */
extern const struct golint_hook golint_recover[], golint_test[], golint_test_body[], golint_exit[],
	golint_error[], golint_close[], golint_net[], golint_build[], golint_across[];
extern const struct golint_hook golint_quiet[], golint_goroutine[], golint_waiting[], golint_signals[];

/* The path of the package that `name.` stands for in this file ("net/http"); absent: no import, or a parameter or variable of that name. */
struct span golint_import(const struct golint *c, struct span name);
/* Is it a call of this function of this package: ("os", "Exit")? */
bool golint_calls(const struct golint *c, TSNode n, const char *path, const char *name);
/* Is it a call of the builtin, or of a function of the file's own package, by that name alone? */
bool golint_calls_plain(const struct golint *c, TSNode n, const char *name);
struct lint_finding *golint_say_args(struct golint *c, enum rule_id rule, enum severity severity, TSNode at,
				     const struct span *args, size_t n);
#define golint_say_as(c, rule, severity, at, ...)                                                 \
	golint_say_args(c, rule, severity, at, (const struct span[]){ { 0 }, ##__VA_ARGS__ } + 1, \
			sizeof((const struct span[]){ { 0 }, ##__VA_ARGS__ }) / sizeof(struct span) - 1)
#define golint_say(c, rule, at, ...) golint_say_as(c, rule, rules[rule].severity, at, ##__VA_ARGS__)
static inline struct span golint_text(const struct golint *c, TSNode n)
{
	return go_text(c->file, n);
}
/* ---- golint_worth.c: what is seen of a file before there is a tree of it ---- */
struct golint_look {
	const struct span
		*parts; /* the declarations that some rule may find something in (golint_signs.c), in order */
	size_t n;
	struct goimports imports; /* without their lines */
	struct span package;      /* its name; absent: there is none */
	bool generated;           /* `// Code generated … DO NOT EDIT.` */
	const struct span
		*handlers; /* names like those of handlers of panics, used otherwise than in a call */
	size_t n_handlers;
};
bool golint_look(const struct lint_file *f, struct golint_look *ret); /* false: no memory */
bool golint_is_program(struct span path);                             /* below a folder cmd or cli */
/* rule_net.c: what kind of secret a string holds; NULL: none */
const struct tx *golint_secret(struct span literal);

/* ---- go/types.h: gotype_of() says what type an expression has, as far as one file tells it (*exec.Cmd, *http.Response, *sql.Tx, …) ---- */

/* ---- golint_help.c: what several rules ask of a syntax tree ---- */

/* What is below a node (itself first), in the order of the text: named nodes, no comments. Two cheap steps a node; no allocation but one. */
struct gobelow {
	TSTreeCursor at;
	unsigned depth;
	bool open, fresh, over;
};
void gobelow_of(TSNode from, struct gobelow *ret); /* of a null node: none. CLEANUP(gobelow_end) ends it */
TSNode gobelow_next(struct gobelow *b);            /* a null node: no more */
void gobelow_end_cleanup(struct gobelow *b);
static inline void gobelow_over(struct gobelow *b) /* not into the node that came last */
{
	b->over = true;
}
/* Is there an identifier of that name, a node of that kind, anywhere below (or itself)? Names of fields and methods do not count. */
bool golint_mentions(const struct golint *c, TSNode below, struct span name);
bool golint_declares(const struct golint *c, TSNode below, struct span name); /* `name := …`, `var name …` */
bool golint_has(TSNode below, enum gonode kind);
bool golint_has_comment(TSNode below);
/* What a call's text has before its first '(' ("os.Exit"), without a look at the tree: compare this first. Absent: no plain names and dots. */
struct span golint_head(const struct golint *c, TSNode call);
bool golint_named(struct span name, const char *const *names, size_t n);
bool golint_calls_any(const struct golint *c, TSNode n, const char *path, const char *const *names,
		      size_t n_names);
TSNode golint_argument(TSNode call, uint32_t at);
bool golint_is_os_exit(const struct golint *c, TSNode call);
bool golint_is_exit(const struct golint *c, TSNode call); /* os.Exit, log.Fatal…, syscall.Exit */
bool golint_is_print(const struct golint *c,
		     TSNode call); /* fmt.Print…, fmt.Fprint…, log.Print…, slog.Error…, println */
bool golint_int(const struct golint *c, TSNode n,
		int64_t *ret); /* the value of a literal integer, with or without a minus */
bool golint_is_int(const struct golint *c, TSNode n, int64_t want);
bool golint_int_of(struct span literal, int64_t *ret); /* the same of its text */
/* The statements of a block, in one pass (as gochildren_of); its last one; the one before a statement that the walk is at (null: none). */
void gostatements_of(TSNode block, struct gochildren *ret);
TSNode golint_last(TSNode block);
TSNode golint_before(const struct golint *c, TSNode statement);
TSNode golint_call_of(TSNode statement); /* the call that is the whole statement; null: it is no call */
bool golint_leaves(const struct golint *c,
		   TSNode statement); /* return, panic, an exit: the function surely ends with it */
bool golint_is_explained(const struct golint *c,
			 TSNode n);       /* a comment behind it on its line, or on the line above */
bool golint_is_error_name(struct span s); /* err, closeErr, … */
/* `err` of `if err != nil`, when that is the whole condition and it has the name of an error; absent */
struct span golint_err_condition(const struct golint *c, TSNode if_statement);
/* The name of the first parameter of exactly this type ("*testing.T"); "_" without a name; absent: there is none. Of a declaration or literal. */
struct span golint_parameter(const struct golint *c, TSNode function, const char *type);
bool golint_returns_error(const struct golint *c, TSNode function); /* its last result is an error */
/* For rules that speak once a function: true the first time. */
enum golint_once {
	GOLINT_ONCE_T05 = 1 << 0,
	GOLINT_ONCE_E02 = 1 << 1,
	GOLINT_ONCE_E11 = 1 << 2,
};
static inline bool golint_once(const struct golint_func *f, enum golint_once what)
{
	bool first = !(f->once & what);

	((struct golint_func *)f)->once |= what; /* the walk's own, which it shows as const */
	return first;
}
/* The node above the one that the walk is at: 1 its parent, and so on; null above the root. */
static inline TSNode golint_up(const struct golint *c, unsigned n)
{
	return c->w->depth >= n ? c->w->up[c->w->depth - n] : (TSNode){ 0 };
}
/* ---- golint_words.c: looks at the text, which is cheaper than a look at the tree ---- */

static inline bool golint_in_name(char ch) /* a letter, a digit, '_', or a part of a letter beyond ASCII */
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       ch == '_' || (unsigned char)ch >= 0x80;
}
/* May so many bytes be looked through once more? false: a hostile file has used up what it may cost; then say nothing. */
bool golint_may_look(struct golint *c, size_t bytes);
static inline bool golint_may_look_at(struct golint *c, TSNode n) /* … at all that is below it */
{
	return n.id &&
	       golint_may_look(c,
			       4 * (size_t)(ts_node_end_byte(n) -
					    ts_node_start_byte(n))); /* a tree takes longer than its text */
}
size_t golint_word(struct span text, struct span word,
		   size_t from); /* where it next stands as a whole name; SPAN_NONE */
bool golint_says(struct span text, const char *what);
bool golint_says_any(struct span text, const char *const *words, size_t n);
/* The text of the declared function around the walk's node; absent: there is none, or no more may be looked at. */
struct span golint_whole(struct golint *c);
/* Does the function's text seem to declare or set this name: a parameter, a variable? */
bool golint_local(struct span function, struct span name);
/* The value of `const name = 256` of the file, alone or in brackets. false: there is none, or the function has that name for something else. */
bool golint_constant(struct golint *c, struct span name, int64_t *ret);
struct span golint_last_name(struct span dotted); /* "Exit" of "os.Exit" */
bool golint_head_is(const struct golint *c, struct span head, const char *path,
		    const char *name);        /* golint_calls, of what golint_head gave */
bool golint_of_tests(const struct golint *c); /* a test, or a file of helpers for tests */
#endif
