#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "check/go/chunks.h"
#include "check/go/golint.h"

/*
 * Which top-level declarations are worth a tree. To make one is most of the time that a file takes, and half of what is written has no
 * word that any rule looks for: tables, types, arithmetic. A rule that looks for something new adds its words here. A word too many
 * costs time alone; one too few loses findings, which test_golint sees: it compares with what is found in trees of everything.
 */
static const char *const words[] = {
	/* panics, goroutines */
	"go",
	"defer",
	"panic",
	"recover",
	"select",
	"Go",
	"AfterFunc",
	"WaitGroup",
	"Wait",
	"Notify",
	"Tick",
	"NewTicker",
	"ErrAbortHandler",
	"ErrorLog",
	"Dup2",
	"Dup3",
	"Stderr",
	"Discard",
	"DiscardHandler",
	"NewNop",
	"Nop",
	/* errors, ends, results */
	"Exit",
	"Fatal",
	"Fatalf",
	"Fatalln",
	"Run",
	"Start",
	"Serve",
	"ListenAndServe",
	"ListenAndServeTLS",
	"ServeTLS",
	"Flush",
	"Sync",
	"Commit",
	"Shutdown",
	"Close",
	"Lookup",
	"Open",
	"Marshal",
	"MarshalIndent",
	"Scan",
	"Next",
	"WithTimeout",
	"WithDeadline",
	"WithCancel",
	"WithTimeoutCause",
	"WithDeadlineCause",
	"WithCancelCause",
	"Cmd",
	"Tx",
	"DB",
	"Stmt",
	"Server",
	"Client", /* types of fields: types.c */
	/* tests */
	"Skip",
	"Skipf",
	"SkipNow",
	"FailNow",
	"Short",
	"Parallel",
	"TestMain",
	/* what go/types.c knows of packages: a field, a variable or a function's result has such a type */
	"bufio",
	"gzip",
	"zlib",
	"flate",
	"zip",
	"tar",
	"sql",
	"sqlx",
	"exec",
	"errgroup",
	"File",
	"Response",
	"Server",
	"Client",
	"Cmd",
	"Tx",
	"Rows",
	/* requests, routes */
	"InsecureSkipVerify",
	"Get",
	"Post",
	"Head",
	"PostForm",
	"Do",
	"NewRequest",
	"NewRequestWithContext",
	"HandleFunc",
	"Handle",
	"Listen",
};

#define SLOTS 512
static const char *slots[SLOTS][4];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static unsigned slot_of(struct span w)
{
	return ((unsigned char)w.p[0] * 31U + (unsigned char)w.p[w.n - 1] * 7U + (unsigned char)w.p[w.n / 2] +
		(unsigned)w.n * 131U) %
	       SLOTS;
}

static void fill(void)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const char **at = slots[slot_of(span_of(words[i]))];
		while (*at)
			at++;
		*at = words[i];
	}
}

/* err, errClose, closeErr, werr: what holds an error, by its name. */
static bool of_error(struct span w)
{
	if (w.n < 3)
		return false;
	const char *end = w.p + w.n - 2;
	return (w.p[1] == 'r' && w.p[2] == 'r' && (w.p[0] == 'e' || w.p[0] == 'E')) ||
	       (end[0] == 'r' && end[1] == 'r' && (end[-1] | 32) == 'e');
}

/* Testfoo is never run, and looks as if it were. */
static bool of_no_test(struct span w)
{
	static const struct span heads[] = { S("Test"), S("Fuzz"), S("Benchmark"), S("Example") };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (w.n > heads[i].n && span_starts(w, heads[i]) && w.p[heads[i].n] >= 'a' &&
		    w.p[heads[i].n] <= 'z')
			return true;
	return span_starts(w, S("Fuzz"));
}

/* A directive, or what was meant to be one. */
static bool of_directive(struct span comment)
{
	size_t i = 2;

	while (i < comment.n && (comment.p[i] == ' ' || comment.p[i] == '\t'))
		i++;
	return i + 2 < comment.n && (comment.p[i] | 32) == 'g' && (comment.p[i + 1] | 32) == 'o' &&
	       (comment.p[i + 2] == ':' || comment.p[i + 2] == ' ');
}

static bool asks(void *ctx, enum gotoken kind, struct span token)
{
	const bool *test = ctx;

	if (kind == GOTOKEN_COMMENT)
		return of_directive(token);
	if (kind == GOTOKEN_STRING)
		return token.n >= 20 && golint_secret(token);
	for (const char **at = slots[slot_of(token)]; *at; at++)
		if (span_eq(token, span_of(*at)))
			return true;
	if (of_error(token))
		return true;
	return *test ? of_no_test(token) : span_eq(token, S("testing"));
}

const struct span *golint_parts(struct span text, bool test, struct arena *mem, size_t *n)
{
	struct gochunks at = { .text = text, .asks = asks, .ctx = &test };
	struct gochunk chunk;
	CLEANUP(mem_free) struct span *all = NULL;
	size_t cap = 0;

	pthread_once(&filled, fill);
	*n = 0;
	while (gochunks_next(&at, &chunk)) {
		if (!chunk.asked && chunk.kind != GOCHUNK_HEAD && chunk.kind != GOCHUNK_IMPORT)
			continue;
		if (*n && all[*n - 1].p + all[*n - 1].n == chunk.text.p) {
			all[*n - 1].n += chunk.text.n;
			continue;
		}
		if (!mem_grow(&all, &cap, *n, sizeof(*all)))
			return NULL;
		all[(*n)++] = chunk.text;
	}
	struct span *ret = arena_alloc(mem, (*n + 1) * sizeof(*ret));
	if (ret && *n)
		memcpy(ret, all, *n * sizeof(*ret));
	return ret;
}
