#ifndef CHECK_GO_GOLINT_SIGNS_H
#define CHECK_GO_GOLINT_SIGNS_H

#include "check/go/chunks.h"
#include "check/go/golint.h"

/*
 * What is seen of a declaration by its words and signs alone (golint_worth.c), and which of it a rule needs to find anything there
 * (golint_signs.c). Each is a mere possibility: one too many costs a tree that says nothing, one too few loses findings.
 */
enum saw {
	SAW_NONE,
	/* of the file */
	SAW_CODE,    /* no test */
	SAW_TEST,    /* *_test.go */
	SAW_PACKAGE, /* of another name than main */
	SAW_WRITTEN, /* by hand */
	SAW_LIBRARY, /* all of these, and not below cmd or cli */
	SAW_OLD_21,  /* go.mod asks for less than 1.22 */
	SAW_OLD_22,
	SAW_FILE, /* the last of them */
	/* of a function: its name */
	SAW_MAIN,
	SAW_TEST_MAIN,
	SAW_FUZZ,
	SAW_FORMATTER, /* a method that fmt calls */
	SAW_SENDER,    /* it notifies somebody */
	SAW_NO_TEST,   /* Testfoo, or TestFoo in a file that is no test; in any place */
	/* words, and what stands around them */
	SAW_TEXT, /* a string that a rule looks at, or a comment that was meant to be a directive */
	SAW_PLAIN_HTTP,
	SAW_RECOVER,
	SAW_OTHERS_RECOVER,
	SAW_PANIC,
	SAW_PANIC_NIL,
	SAW_PANIC_ERROR,
	SAW_MUST,
	SAW_QUIET,
	SAW_DISCARD,
	SAW_ERROR_LOG,
	SAW_SET_OUTPUT,
	SAW_CLOSES_STDERR,
	SAW_GO,
	SAW_GO_FIRST,
	SAW_GO_FUNC,
	SAW_GO_ADDS,
	SAW_GO_STOPS,
	SAW_RUNNER,
	SAW_HANDLER, /* of requests: the type of its parameter */
	SAW_DEFER,
	SAW_DEFER_FUNC,
	SAW_DEFER_CALLS, /* a function of the package, in a deferred literal */
	SAW_DEFER_HANDLER,
	SAW_DEFER_ERROR,
	SAW_DEFER_LOOP,
	SAW_FOR,
	SAW_FOR_SELECT,
	SAW_FOR_SCAN,
	SAW_FOR_NEXT,
	SAW_DEFAULT,
	SAW_GROUP,
	SAW_WAIT,
	SAW_SIGNALS,
	SAW_TICKER,
	SAW_EXIT,
	SAW_EXIT_0,
	SAW_EXIT_ODD,
	SAW_EXIT_NAMED,
	SAW_IF_ERR,
	SAW_IF_ERR_EMPTY,
	SAW_IF_ERR_NIL,
	SAW_IF_ERR_LOGS,
	SAW_ERROR,
	SAW_CREATE,
	SAW_CLOSE,
	SAW_FLUSH,
	SAW_SYNC,
	SAW_COMMIT,
	SAW_RUN,
	SAW_SERVE,
	SAW_COMMAND,
	SAW_START,
	SAW_BLANK,
	SAW_BLANK_JSON,
	SAW_BLANK_CONTEXT,
	SAW_PAIR_REQUEST,
	SAW_REQUEST,
	SAW_GET,
	SAW_INSECURE,
	SAW_LISTEN,
	SAW_ROUTER_RUNS,
	SAW_SKIPS_FIRST,
	SAW_PARALLEL,
	SAW_SHORT,
	SAW_FIELD, /* a type that go/types.c knows fields to have */
	SAW_DEEP,  /* nested so deep that it is not understood here */
	SAWS,
};
/* Packages that make a word matter. */
enum {
	PACKAGE_OS = 1 << 0,
	PACKAGE_SYSCALL = 1 << 1,
	PACKAGE_LOG = 1 << 2,
	PACKAGE_EXEC = 1 << 3,
	PACKAGE_HTTP = 1 << 4,
	PACKAGE_SQL = 1 << 5,
	PACKAGE_BUFIO = 1 << 6,
	PACKAGE_PACKED = 1 << 7, /* gzip and the like: a Writer whose Close writes */
	PACKAGE_CONTEXT = 1 << 8,
	PACKAGE_JSON = 1 << 9,
	PACKAGE_TIME = 1 << 10,
	PACKAGE_SIGNAL = 1 << 11,
	PACKAGE_SYNC = 1 << 12,
	PACKAGE_ERRGROUP = 1 << 13,
	PACKAGE_PLUGIN = 1 << 14,
	PACKAGE_TESTING = 1 << 15,
	PACKAGE_REQUIRE = 1 << 16,
	PACKAGE_HANDLERS = 1 << 17, /* servers whose handlers are known */
	PACKAGE_ROUTERS = 1 << 18,  /* servers whose routes are known */
	PACKAGE_SLOG = 1 << 19,
};
unsigned golint_package(struct span path); /* 0: none of these */

/* A word, where it counts, and what it is then. */
struct worth;
enum stands {
	STANDS_ANYWHERE,
	STANDS_METHOD,    /* behind a dot */
	STANDS_OF,        /* behind the dot behind the name of such a package */
	STANDS_STATEMENT, /* the same of a.b.Word that begins a statement, or is deferred */
};
struct golint_sign {
	const char *word;
	enum stands stands;
	unsigned packages; /* of STANDS_OF */
	enum saw saw;
	void (*look)(struct worth *w,
		     struct span word); /* a closer look at what is around it; instead of saw */
};
/* Those whose word may be this one; NULL ends them. */
const struct golint_sign *const *golint_signs_at(struct span word);
void golint_signs_open(void); /* once */

/* One declaration, while it is gone through. */
struct worth_name {
	struct span name;
	unsigned package;
};
#define WORTH_LEVELS 64
#define WORTH_GROUPS 8
struct worth_level { /* between braces */
	unsigned parens;
	bool defers, goes, loops, literal; /* there is such a statement, or a func literal, under way */
	bool var_group;                    /* var ( */
	bool function, endless;            /* it is the body of a function, of `for {` */
	bool in_loop, in_deferred;         /* of the same function; a deferred literal */
	bool in_go;
};
struct worth_group {
	struct span name;
	size_t depth; /* of the body that it is declared in */
};
struct worth {
	const struct lint_file *f;
	const struct worth_name *names; /* the names of packages that matter */
	size_t n_names;
	unsigned imports;      /* of the file */
	bool goes;             /* a go statement was seen in it */
	struct span *handlers; /* names of it like those of handlers of panics, that are not called */
	size_t n_handlers, cap_handlers;
	bool bad; /* no memory */
	/* of the declaration */
	enum gochunk_kind kind;
	bool saw[SAWS];
	unsigned packages; /* whose name is there */
	struct worth_level levels[WORTH_LEVELS];
	size_t depth;
	struct span name, receiver;
	int header; /* 1: before its name, 2: behind the receiver, 0: behind it */
	/* where it is */
	char last, before_last; /* tokens: the sign; 'w': a word, 's': a string */
	struct span word;       /* the last */
	bool fresh, deferred;   /* a statement begins here; behind defer */
	bool comma, assigned;   /* of this statement: x, y; behind its = */
	struct span left;       /* the last word before its = */
	unsigned chain;         /* words of a.b.c so far; 0: of f().x */
	struct span first;      /* word of it */
	unsigned package;       /* that it stands for */
	bool begins, late;      /* it begins a statement; a deferred one */
	char before;            /* what stands before it */
	struct span before_word;
	size_t statements; /* so far, of the function's own block */
	struct worth_group
		groups[WORTH_GROUPS]; /* sync.WaitGroup, and nothing else done with it than rules ask for */
	size_t n_groups;
};
bool golint_wanted(const struct worth *w); /* does any rule need what was seen? */
/* The closer looks: golint_worth.c */
typedef void worth_look(struct worth *w, struct span word);
worth_look worth_go, worth_defer, worth_func, worth_for, worth_select, worth_loop_call, worth_panic,
	worth_exit, worth_close, worth_group, worth_blank, worth_request, worth_skip, worth_stop;
#endif
