#include "check/go/golint_signs.h"

#include <assert.h>
#include <pthread.h>

#include "base/mem.h"

/*
 * What rules look for, in words and signs. A declaration is parsed only if it has all that one row of `wanted` asks for: half of what is
 * written has nothing of it, and a tree is most of the time that a file takes. A new rule adds its words to `words`, and a row of what
 * must be there together to `wanted`; test_golint compares with what is found in trees of everything.
 */
static const struct golint_sign words[] = {
	/* panics */
	{ "recover", STANDS_ANYWHERE, 0, SAW_RECOVER, NULL },
	{ "HandleCrash", STANDS_ANYWHERE, 0, SAW_OTHERS_RECOVER, NULL },
	{ "HandleCrashWithContext", STANDS_ANYWHERE, 0, SAW_OTHERS_RECOVER, NULL },
	{ "Recover", STANDS_ANYWHERE, 0, SAW_OTHERS_RECOVER, NULL },
	{ "RecoverWithContext", STANDS_ANYWHERE, 0, SAW_OTHERS_RECOVER, NULL },
	{ "AutoNotify", STANDS_ANYWHERE, 0, SAW_OTHERS_RECOVER, NULL },
	{ "panic", STANDS_ANYWHERE, 0, SAW_NONE, worth_panic },
	{ "ErrAbortHandler", STANDS_ANYWHERE, 0, SAW_QUIET, NULL },
	{ "Dup2", STANDS_ANYWHERE, 0, SAW_QUIET, NULL },
	{ "Dup3", STANDS_ANYWHERE, 0, SAW_QUIET, NULL },
	{ "DiscardHandler", STANDS_ANYWHERE, 0, SAW_QUIET, NULL },
	{ "NewNop", STANDS_ANYWHERE, 0, SAW_QUIET, NULL },
	{ "Discard", STANDS_METHOD, 0, SAW_DISCARD, NULL },
	{ "ErrorLog", STANDS_ANYWHERE, 0, SAW_ERROR_LOG, NULL },
	{ "SetOutput", STANDS_METHOD, 0, SAW_SET_OUTPUT, NULL },
	/* goroutines */
	{ "go", STANDS_ANYWHERE, 0, SAW_NONE, worth_go },
	{ "AfterFunc", STANDS_METHOD, 0, SAW_RUNNER, NULL },
	{ "Go", STANDS_METHOD, 0, SAW_RUNNER, NULL },
	{ "ResponseWriter", STANDS_METHOD, 0, SAW_HANDLER, NULL },
	{ "Context", STANDS_METHOD, 0, SAW_HANDLER, NULL },
	{ "Ctx", STANDS_METHOD, 0, SAW_HANDLER, NULL },
	{ "WaitGroup", STANDS_OF, PACKAGE_SYNC, SAW_NONE, worth_group },
	{ "Wait", STANDS_STATEMENT, 0, SAW_WAIT, NULL },
	{ "Notify", STANDS_OF, PACKAGE_SIGNAL, SAW_SIGNALS, NULL },
	{ "Ignore", STANDS_OF, PACKAGE_SIGNAL, SAW_SIGNALS, NULL },
	{ "select", STANDS_ANYWHERE, 0, SAW_NONE, worth_select },
	{ "default", STANDS_ANYWHERE, 0, SAW_DEFAULT, NULL },
	{ "Tick", STANDS_OF, PACKAGE_TIME, SAW_TICKER, NULL },
	{ "NewTicker", STANDS_OF, PACKAGE_TIME, SAW_TICKER, NULL },
	/* what stands around others */
	{ "func", STANDS_ANYWHERE, 0, SAW_NONE, worth_func },
	{ "defer", STANDS_ANYWHERE, 0, SAW_NONE, worth_defer },
	{ "for", STANDS_ANYWHERE, 0, SAW_NONE, worth_for },
	/* ends */
	{ "Exit", STANDS_OF, PACKAGE_OS | PACKAGE_SYSCALL, SAW_NONE, worth_exit },
	{ "Fatal", STANDS_OF, PACKAGE_LOG, SAW_EXIT, NULL },
	{ "Fatalf", STANDS_OF, PACKAGE_LOG, SAW_EXIT, NULL },
	{ "Fatalln", STANDS_OF, PACKAGE_LOG, SAW_EXIT, NULL },
	/* errors and results */
	{ "error", STANDS_ANYWHERE, 0, SAW_ERROR, NULL },
	{ "Create", STANDS_OF, PACKAGE_OS, SAW_CREATE, NULL },
	{ "OpenFile", STANDS_OF, PACKAGE_OS, SAW_CREATE, NULL },
	{ "Close", STANDS_STATEMENT, 0, SAW_CLOSE, NULL },
	{ "Close", STANDS_METHOD, 0, SAW_NONE, worth_close },
	{ "Flush", STANDS_STATEMENT, 0, SAW_FLUSH, NULL },
	{ "Sync", STANDS_STATEMENT, 0, SAW_SYNC, NULL },
	{ "Commit", STANDS_STATEMENT, 0, SAW_COMMIT, NULL },
	{ "Run", STANDS_STATEMENT, 0, SAW_RUN, NULL },
	{ "Wait", STANDS_STATEMENT, 0, SAW_RUN, NULL },
	{ "ListenAndServe", STANDS_STATEMENT, 0, SAW_SERVE, NULL },
	{ "ListenAndServeTLS", STANDS_STATEMENT, 0, SAW_SERVE, NULL },
	{ "Serve", STANDS_STATEMENT, 0, SAW_SERVE, NULL },
	{ "ServeTLS", STANDS_STATEMENT, 0, SAW_SERVE, NULL },
	{ "Shutdown", STANDS_STATEMENT, 0, SAW_SERVE, NULL },
	{ "Command", STANDS_STATEMENT, 0, SAW_COMMAND, NULL },
	{ "CommandContext", STANDS_STATEMENT, 0, SAW_COMMAND, NULL },
	{ "Start", STANDS_METHOD, 0, SAW_START, NULL },
	{ "Scan", STANDS_METHOD, 0, SAW_NONE, worth_loop_call },
	{ "Next", STANDS_METHOD, 0, SAW_NONE, worth_loop_call },
	{ "Marshal", STANDS_OF, PACKAGE_JSON, SAW_BLANK_JSON, NULL },
	{ "MarshalIndent", STANDS_OF, PACKAGE_JSON, SAW_BLANK_JSON, NULL },
	{ "WithTimeout", STANDS_OF, PACKAGE_CONTEXT, SAW_BLANK_CONTEXT, NULL },
	{ "WithDeadline", STANDS_OF, PACKAGE_CONTEXT, SAW_BLANK_CONTEXT, NULL },
	{ "WithCancel", STANDS_OF, PACKAGE_CONTEXT, SAW_BLANK_CONTEXT, NULL },
	{ "WithTimeoutCause", STANDS_OF, PACKAGE_CONTEXT, SAW_BLANK_CONTEXT, NULL },
	{ "WithDeadlineCause", STANDS_OF, PACKAGE_CONTEXT, SAW_BLANK_CONTEXT, NULL },
	{ "WithCancelCause", STANDS_OF, PACKAGE_CONTEXT, SAW_BLANK_CONTEXT, NULL },
	{ "_", STANDS_ANYWHERE, 0, SAW_NONE, worth_blank },
	/* requests, servers */
	{ "Do", STANDS_METHOD, 0, SAW_NONE, worth_request },
	{ "Get", STANDS_METHOD, 0, SAW_NONE, worth_request },
	{ "Post", STANDS_METHOD, 0, SAW_NONE, worth_request },
	{ "PostForm", STANDS_METHOD, 0, SAW_NONE, worth_request },
	{ "Get", STANDS_OF, PACKAGE_HTTP, SAW_GET, NULL },
	{ "Post", STANDS_OF, PACKAGE_HTTP, SAW_GET, NULL },
	{ "PostForm", STANDS_OF, PACKAGE_HTTP, SAW_GET, NULL },
	{ "Head", STANDS_OF, PACKAGE_HTTP, SAW_GET, NULL },
	{ "DefaultClient", STANDS_OF, PACKAGE_HTTP, SAW_GET, NULL },
	{ "InsecureSkipVerify", STANDS_ANYWHERE, 0, SAW_INSECURE, NULL },
	{ "ListenAndServe", STANDS_ANYWHERE, 0, SAW_LISTEN, NULL },
	{ "ListenAndServeTLS", STANDS_ANYWHERE, 0, SAW_LISTEN, NULL },
	{ "Serve", STANDS_METHOD, 0, SAW_LISTEN, NULL },
	{ "ServeTLS", STANDS_METHOD, 0, SAW_LISTEN, NULL },
	{ "Run", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "RunTLS", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "RunUnix", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "RunListener", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "Start", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "StartTLS", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "StartAutoTLS", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "StartH2CServer", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "StartServer", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "Listen", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "ListenTLS", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	{ "Listener", STANDS_METHOD, 0, SAW_ROUTER_RUNS, NULL },
	/* the types of fields: go/types.c; a type is parsed when a function of its file is */
	{ "Cmd", STANDS_OF, PACKAGE_EXEC, SAW_FIELD, NULL },
	{ "Tx", STANDS_OF, PACKAGE_SQL, SAW_FIELD, NULL },
	{ "DB", STANDS_OF, PACKAGE_SQL, SAW_FIELD, NULL },
	{ "Stmt", STANDS_OF, PACKAGE_SQL, SAW_FIELD, NULL },
	{ "Server", STANDS_OF, PACKAGE_HTTP, SAW_FIELD, NULL },
	{ "Client", STANDS_OF, PACKAGE_HTTP, SAW_FIELD, NULL },
	/* tests */
	{ "Fatal", STANDS_METHOD, 0, SAW_NONE, worth_stop },
	{ "Fatalf", STANDS_METHOD, 0, SAW_NONE, worth_stop },
	{ "FailNow", STANDS_METHOD, 0, SAW_NONE, worth_stop },
	{ "Skip", STANDS_METHOD, 0, SAW_NONE, worth_stop },
	{ "Skipf", STANDS_METHOD, 0, SAW_NONE, worth_stop },
	{ "SkipNow", STANDS_METHOD, 0, SAW_NONE, worth_stop },
	{ "Skip", STANDS_STATEMENT, 0, SAW_NONE, worth_skip },
	{ "Skipf", STANDS_STATEMENT, 0, SAW_NONE, worth_skip },
	{ "SkipNow", STANDS_STATEMENT, 0, SAW_NONE, worth_skip },
	{ "Parallel", STANDS_METHOD, 0, SAW_PARALLEL, NULL },
	{ "Short", STANDS_OF, PACKAGE_TESTING, SAW_SHORT, NULL },
};

/* What a rule needs, all of it. RULES: several rules do. */
static const struct {
	enum rule_id rule;
	enum saw saw[4];
	unsigned imports;  /* and the file imports one of these */
	unsigned packages; /* and the declaration names one of these */
} wanted[] = {
	{ RULES, { SAW_RECOVER }, 0, 0 },
	{ RULES, { SAW_TEXT }, 0, 0 },
	{ RULES, { SAW_TEST, SAW_TEST_MAIN }, 0, 0 },
	{ RULES, { SAW_DEEP }, 0, 0 },
	/* panics */
	{ RULE_R02, { SAW_DEFER_CALLS }, 0, 0 },
	{ RULE_R02, { SAW_DEFER_FUNC, SAW_OTHERS_RECOVER }, 0, 0 },
	{ RULE_R03, { SAW_DEFER_HANDLER }, 0, 0 },
	{ RULE_R08, { SAW_EXIT, SAW_DEFER }, 0, 0 },
	{ RULE_R10, { SAW_CODE, SAW_PANIC_NIL }, 0, 0 },
	{ RULE_R11, { SAW_CODE, SAW_PANIC, SAW_FORMATTER }, 0, 0 },
	{ RULE_R12, { SAW_CODE, SAW_DISCARD, SAW_ERROR_LOG }, 0, 0 },
	{ RULE_R13, { SAW_CODE, SAW_PACKAGE, SAW_WRITTEN, SAW_PANIC_ERROR }, 0, 0 },
	{ RULE_R14, { SAW_CODE, SAW_CLOSES_STDERR }, 0, 0 },
	{ RULE_R15, { SAW_CODE, SAW_DISCARD, SAW_SET_OUTPUT }, 0, 0 },
	{ RULES, { SAW_CODE, SAW_QUIET }, 0, 0 },
	/* goroutines */
	{ RULE_G01, { SAW_CODE, SAW_GO_FUNC }, 0, 0 },
	{ RULE_G02, { SAW_CODE, SAW_GO, SAW_HANDLER }, PACKAGE_HTTP | PACKAGE_HANDLERS, 0 },
	{ RULE_G02, { SAW_CODE, SAW_DEFER_HANDLER }, 0, 0 },
	{ RULE_G03, { SAW_CODE, SAW_RUNNER, SAW_PANIC }, 0, 0 },
	{ RULE_G03, { SAW_CODE, SAW_RUNNER, SAW_MUST }, 0, 0 },
	{ RULE_G04, { SAW_GO_ADDS }, 0, 0 },
	{ RULES, { SAW_GROUP }, 0, 0 }, /* G05, G06 */
	{ RULE_G07, { SAW_WAIT }, PACKAGE_ERRGROUP, 0 },
	{ RULE_G08, { SAW_CODE, SAW_GO, SAW_LISTEN }, 0, 0 },
	{ RULES, { SAW_SIGNALS }, 0, 0 }, /* G09, G10 */
	{ RULE_G11, { SAW_CODE, SAW_FOR_SELECT }, 0, 0 },
	{ RULE_G12, { SAW_FOR_SELECT, SAW_DEFAULT }, 0, 0 },
	{ RULE_G13, { SAW_CODE, SAW_PACKAGE, SAW_OLD_22, SAW_TICKER }, 0, 0 },
	{ RULE_G14, { SAW_OLD_21, SAW_FOR, SAW_GO_FUNC }, 0, 0 },
	{ RULE_G14, { SAW_OLD_21, SAW_FOR, SAW_DEFER_FUNC }, 0, 0 },
	/* errors, ends, results */
	{ RULE_E01, { SAW_LIBRARY, SAW_EXIT }, 0, 0 },
	{ RULE_E02, { SAW_EXIT, SAW_DEFER }, 0, 0 },
	{ RULE_E03, { SAW_EXIT_ODD }, 0, 0 },
	{ RULE_E03, { SAW_EXIT_NAMED }, 0, 0 },
	{ RULE_E04, { SAW_CODE, SAW_EXIT_0, SAW_IF_ERR }, 0, 0 },
	{ RULE_E04, { SAW_CODE, SAW_EXIT_ODD, SAW_IF_ERR }, 0, 0 },
	{ RULE_E04, { SAW_CODE, SAW_MAIN, SAW_IF_ERR }, 0, 0 },
	{ RULE_E05, { SAW_CODE, SAW_IF_ERR_EMPTY }, 0, 0 },
	{ RULE_E06, { SAW_CODE, SAW_WRITTEN, SAW_CLOSE, SAW_CREATE }, 0, 0 },
	{ RULE_E06, { SAW_CODE, SAW_WRITTEN, SAW_CLOSE }, 0, PACKAGE_PACKED },
	{ RULE_E06, { SAW_CODE, SAW_WRITTEN, SAW_FLUSH }, 0, PACKAGE_PACKED | PACKAGE_BUFIO },
	{ RULE_E06, { SAW_CODE, SAW_WRITTEN, SAW_SYNC }, 0, PACKAGE_OS },
	{ RULE_E06, { SAW_CODE, SAW_WRITTEN, SAW_COMMIT }, PACKAGE_SQL, 0 },
	{ RULE_E06, { SAW_CODE, SAW_WRITTEN, SAW_RUN }, PACKAGE_EXEC, 0 },
	{ RULE_E06, { SAW_CODE, SAW_WRITTEN, SAW_COMMAND }, PACKAGE_EXEC, 0 },
	{ RULE_E06, { SAW_CODE, SAW_WRITTEN, SAW_SERVE }, PACKAGE_HTTP, 0 },
	{ RULE_E06, { SAW_BLANK }, PACKAGE_PLUGIN, 0 },
	{ RULE_E07, { SAW_CODE, SAW_START }, PACKAGE_EXEC, 0 },
	{ RULE_E08, { SAW_CODE, SAW_BLANK, SAW_BLANK_JSON }, 0, 0 },
	{ RULE_E09, { SAW_CODE, SAW_FOR_SCAN }, 0, PACKAGE_BUFIO },
	{ RULE_E09, { SAW_CODE, SAW_FOR_NEXT }, PACKAGE_SQL, 0 },
	{ RULE_E10, { SAW_BLANK, SAW_BLANK_CONTEXT }, 0, 0 },
	{ RULE_E11, { SAW_DEFER_ERROR }, 0, 0 },
	{ RULE_E12, { SAW_CODE, SAW_DEFER_LOOP }, 0, 0 },
	{ RULE_E13, { SAW_CODE, SAW_PAIR_REQUEST }, PACKAGE_HTTP, 0 },
	{ RULE_E14, { SAW_CODE, SAW_IF_ERR_NIL, SAW_ERROR }, 0, 0 },
	/* requests, servers */
	{ RULE_N02, { SAW_CODE, SAW_PLAIN_HTTP }, PACKAGE_HTTP, 0 },
	{ RULE_N03, { SAW_CODE, SAW_INSECURE }, 0, 0 },
	{ RULE_N04, { SAW_CODE, SAW_GET }, 0, 0 },
	{ RULE_N05, { SAW_CODE, SAW_SENDER, SAW_REQUEST }, 0, 0 },
	{ RULE_N06, { SAW_EXIT, SAW_GO }, 0, 0 },
	{ RULE_N07, { SAW_CODE, SAW_LISTEN }, PACKAGE_HTTP | PACKAGE_ROUTERS, 0 },
	{ RULE_N07, { SAW_CODE, SAW_ROUTER_RUNS }, PACKAGE_ROUTERS, 0 },
	/* tests */
	{ RULE_T05, { SAW_TEST, SAW_GO_STOPS }, 0, 0 },
	{ RULE_T06, { SAW_TEST, SAW_OLD_21, SAW_FOR, SAW_PARALLEL }, 0, 0 },
	{ RULE_T07, { SAW_NO_TEST }, PACKAGE_TESTING, 0 },
	{ RULE_T08, { SAW_TEST, SAW_SKIPS_FIRST }, 0, 0 },
	{ RULE_T09, { SAW_TEST, SAW_IF_ERR_LOGS }, 0, 0 },
	{ RULE_T10, { SAW_TEST, SAW_EXIT_0 }, 0, 0 },
	{ RULE_T10, { SAW_TEST, SAW_EXIT_ODD }, 0, 0 },
	/* facts for the rules of the whole tree */
	{ RULE_X03, { SAW_TEST, SAW_SHORT }, 0, 0 },
	{ RULE_X04, { SAW_CODE, SAW_GO_FIRST }, 0, 0 },
	{ RULE_X05, { SAW_TEST, SAW_FUZZ }, 0, 0 },
};

bool golint_wanted(const struct worth *w)
{
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		size_t k = 0;
		while (k < ARRAY_LEN(wanted[i].saw) && wanted[i].saw[k] && w->saw[wanted[i].saw[k]])
			k++;
		if ((k < ARRAY_LEN(wanted[i].saw) && wanted[i].saw[k]) ||
		    (wanted[i].imports && !(wanted[i].imports & w->imports)) ||
		    (wanted[i].packages && !(wanted[i].packages & w->packages)))
			continue;
		if (wanted[i].rule == RULES || w->f->on[wanted[i].rule])
			return true;
	}
	return false;
}

/* ---- words, found by a few of their bytes ---- */

#define SLOTS     512
#define SLOT_ROWS 8
static const struct golint_sign *slots[SLOTS][SLOT_ROWS];

static unsigned slot_of(struct span w)
{
	return ((unsigned char)w.p[0] * 31U + (unsigned char)w.p[w.n - 1] * 7U + (unsigned char)w.p[w.n / 2] +
		(unsigned)w.n * 131U) %
	       SLOTS;
}

const struct golint_sign *const *golint_signs_at(struct span word)
{
	return (const struct golint_sign *const *)slots[slot_of(word)];
}

static void fill(void)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct golint_sign **at = slots[slot_of(span_of(words[i].word))];
		while (*at)
			at++;
		assert(at - slots[slot_of(span_of(words[i].word))] + 1 < SLOT_ROWS);
		*at = &words[i];
	}
}

void golint_signs_open(void)
{
	static pthread_once_t filled = PTHREAD_ONCE_INIT;

	pthread_once(&filled, fill);
}

/* ---- packages ---- */

static const struct {
	const char *path;
	bool below; /* and whatever begins so */
	unsigned package;
} packages[] = {
	{ "os", false, PACKAGE_OS },
	{ "syscall", false, PACKAGE_SYSCALL },
	{ "golang.org/x/sys/unix", false, PACKAGE_SYSCALL },
	{ "log", false, PACKAGE_LOG },
	{ "log/slog", false, PACKAGE_SLOG },
	{ "os/exec", false, PACKAGE_EXEC },
	{ "net/http", false, PACKAGE_HTTP },
	{ "database/sql", false, PACKAGE_SQL },
	{ "bufio", false, PACKAGE_BUFIO },
	{ "compress/", true, PACKAGE_PACKED },
	{ "archive/", true, PACKAGE_PACKED },
	{ "context", false, PACKAGE_CONTEXT },
	{ "encoding/json", false, PACKAGE_JSON },
	{ "time", false, PACKAGE_TIME },
	{ "os/signal", false, PACKAGE_SIGNAL },
	{ "sync", false, PACKAGE_SYNC },
	{ "golang.org/x/sync/errgroup", false, PACKAGE_ERRGROUP },
	{ "plugin", false, PACKAGE_PLUGIN },
	{ "testing", false, PACKAGE_TESTING },
	{ "google.golang.org/grpc", true, PACKAGE_HANDLERS | PACKAGE_ROUTERS },
	{ "github.com/gin-gonic/gin", true, PACKAGE_HANDLERS | PACKAGE_ROUTERS },
	{ "github.com/labstack/echo", true, PACKAGE_HANDLERS | PACKAGE_ROUTERS },
	{ "github.com/gofiber/fiber", true, PACKAGE_HANDLERS | PACKAGE_ROUTERS },
	{ "github.com/go-chi/chi", true, PACKAGE_ROUTERS },
	{ "github.com/gorilla/mux", true, PACKAGE_ROUTERS },
};

unsigned golint_package(struct span path)
{
	unsigned ret = 0;

	for (size_t i = 0; i < ARRAY_LEN(packages); i++) {
		struct span p = span_of(packages[i].path);
		if (packages[i].below ? span_starts(path, p) : span_eq(path, p))
			ret |= packages[i].package;
	}
	return ret | (span_ends(path, S("testify/require")) ? PACKAGE_REQUIRE : 0);
}
