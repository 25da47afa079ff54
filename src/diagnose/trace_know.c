/* What the reasons and stacks of an execution trace mean. Rows, not branches. */
#include "diagnose/trace_own.h"
#include "model/frames.h"

static const struct {
	const char *word;
	struct tx title;
} classes[TC_COUNT] = {
	[TC_RUNNING] = { "running", { "running", "运行" } },
	[TC_RUNNABLE] = { "runnable", { "waiting for a processor", "等待处理器" } },
	[TC_SYSCALL] = { "syscall", { "in a system call", "系统调用" } },
	[TC_NET] = { "network", { "network", "网络" } },
	[TC_LOCK] = { "lock", { "lock or wait group", "锁或 WaitGroup" } },
	[TC_CHAN] = { "channel", { "channel or select", "channel 或 select" } },
	[TC_SLEEP] = { "sleep", { "sleep", "休眠" } },
	[TC_OTHER] = { "other", { "collector and runtime", "GC 与运行时" } },
};

static const struct {
	const char *word;
	struct tx title;
} deps[DEP_COUNT] = {
	[DEP_NONE] = { "none", { "not known", "未知" } },
	[DEP_DNS] = { "dns", { "name resolution", "域名解析" } },
	[DEP_DATABASE] = { "database", { "a database", "数据库" } },
	[DEP_RPC] = { "rpc", { "an RPC or message peer", "RPC 或消息对端" } },
	[DEP_HTTP_SERVER] = { "http_server", { "an HTTP client's request", "HTTP 客户端的请求" } },
	[DEP_HTTP_CLIENT] = { "http_client", { "an HTTP server's answer", "HTTP 服务端的应答" } },
	[DEP_TLS] = { "tls", { "a TLS peer", "TLS 对端" } },
	[DEP_LISTEN] = { "listen", { "a new connection", "新连接" } },
	[DEP_NET] = { "network", { "a network peer", "网络对端" } },
	[DEP_PROCESS] = { "process", { "a child process", "子进程" } },
	[DEP_C] = { "c", { "C code", "C 代码" } },
	[DEP_PIPE] = { "pipe", { "a pipe or terminal", "管道或终端" } },
	[DEP_FILE] = { "file", { "the kernel", "内核" } },
	[DEP_LOCK] = { "lock", { "a lock", "锁" } },
	[DEP_WAITGROUP] = { "waitgroup", { "a WaitGroup", "WaitGroup" } },
	[DEP_COND] = { "cond", { "a condition", "条件变量" } },
	[DEP_CHANNEL] = { "channel", { "another goroutine, by a channel", "另一个 goroutine（channel）" } },
	[DEP_SELECT] = { "select", { "one of several channels", "多个 channel 之一" } },
	[DEP_TIMER] = { "timer", { "a timer", "定时器" } },
	[DEP_GC] = { "gc", { "the garbage collector", "垃圾回收" } },
	[DEP_RUNTIME] = { "runtime", { "the runtime", "运行时" } },
	[DEP_NEVER] = { "never", { "nothing: it waits for ever", "无（永远等待）" } },
};

const char *trace_class_word(enum trace_class c)
{
	return classes[c].word;
}

const char *trace_class_title(enum trace_class c)
{
	return tx(classes[c].title);
}

const char *trace_dep_word(enum trace_dep d)
{
	return deps[d].word;
}

const char *trace_dep_title(enum trace_dep d)
{
	return tx(deps[d].title);
}

/* Reasons that the runtime gives. */
static const struct {
	struct span reason;
	enum trace_class class;
	enum trace_dep dep;
} reasons[] = {
	{ { "network", 7 }, TC_NET, DEP_NET },
	{ { "chan receive", 12 }, TC_CHAN, DEP_CHANNEL },
	{ { "chan send", 9 }, TC_CHAN, DEP_CHANNEL },
	{ { "select", 6 }, TC_CHAN, DEP_SELECT },
	{ { "forever", 7 }, TC_CHAN, DEP_NEVER },
	{ { "sync", 4 }, TC_LOCK, DEP_LOCK },
	{ { "sync.(*Cond).Wait", 17 }, TC_LOCK, DEP_COND },
	{ { "sleep", 5 }, TC_SLEEP, DEP_TIMER },
	{ { "wait until GC ends", 18 }, TC_OTHER, DEP_GC },
	{ { "GC mark assist wait for work", 28 }, TC_OTHER, DEP_GC },
	{ { "GC weak to strong wait", 22 }, TC_OTHER, DEP_GC },
	{ { "GC background sweeper wait", 26 }, TC_OTHER, DEP_RUNTIME },
	{ { "system goroutine wait", 21 }, TC_OTHER, DEP_RUNTIME },
	{ { "wait for debug call", 19 }, TC_OTHER, DEP_RUNTIME },
	{ { "preempted", 9 }, TC_OTHER, DEP_RUNTIME },
	{ { "synctest", 8 }, TC_OTHER, DEP_RUNTIME },
};

/* Frames that tell what is waited for; the first row that fits any frame holds. */
static const struct {
	const char *prefix;
	enum trace_class class; /* TC_COUNT: tells nothing of it */
	enum trace_dep dep;
} frames[] = {
	{ "net.(*Resolver).", TC_COUNT, DEP_DNS },
	{ "net.cgoLookup", TC_COUNT, DEP_DNS },
	{ "net.lookupIP", TC_COUNT, DEP_DNS },
	{ "net._C2func_getaddrinfo", TC_COUNT, DEP_DNS },
	{ "database/sql.", TC_COUNT, DEP_DATABASE },
	{ "github.com/jackc/pgx", TC_COUNT, DEP_DATABASE },
	{ "github.com/lib/pq", TC_COUNT, DEP_DATABASE },
	{ "github.com/go-sql-driver/mysql", TC_COUNT, DEP_DATABASE },
	{ "github.com/redis/go-redis", TC_COUNT, DEP_DATABASE },
	{ "github.com/go-redis/redis", TC_COUNT, DEP_DATABASE },
	{ "go.mongodb.org/mongo-driver", TC_COUNT, DEP_DATABASE },
	{ "github.com/mattn/go-sqlite3", TC_COUNT, DEP_DATABASE },
	{ "go.etcd.io/", TC_COUNT, DEP_DATABASE },
	{ "google.golang.org/grpc", TC_COUNT, DEP_RPC },
	{ "net/rpc.", TC_COUNT, DEP_RPC },
	{ "github.com/nats-io/", TC_COUNT, DEP_RPC },
	{ "github.com/IBM/sarama", TC_COUNT, DEP_RPC },
	{ "github.com/segmentio/kafka-go", TC_COUNT, DEP_RPC },
	{ "net/http.(*connReader)", TC_COUNT, DEP_HTTP_SERVER },
	{ "net/http.(*conn).", TC_COUNT, DEP_HTTP_SERVER },
	{ "net/http.(*persistConn)", TC_COUNT, DEP_HTTP_CLIENT },
	{ "net/http.(*Transport)", TC_COUNT, DEP_HTTP_CLIENT },
	{ "net/http.(*Client)", TC_COUNT, DEP_HTTP_CLIENT },
	{ "net/http.(*http2", TC_COUNT, DEP_HTTP_CLIENT },
	{ "crypto/tls.", TC_COUNT, DEP_TLS },
	{ "internal/poll.(*FD).Accept", TC_COUNT, DEP_LISTEN },
	{ "net.", TC_COUNT, DEP_NET },
	{ "os/exec.(*Cmd).Wait", TC_COUNT, DEP_PROCESS },
	{ "os.(*Process).", TC_COUNT, DEP_PROCESS },
	{ "runtime.cgocall", TC_COUNT, DEP_C },
	{ "sync.(*WaitGroup).Wait", TC_LOCK, DEP_WAITGROUP },
	{ "sync.(*Cond).Wait", TC_LOCK, DEP_COND },
	{ "sync.(*Mutex).", TC_LOCK, DEP_LOCK },
	{ "sync.(*RWMutex).", TC_LOCK, DEP_LOCK },
	{ "internal/sync.(*Mutex).", TC_LOCK, DEP_LOCK },
	{ "runtime.selectgo", TC_CHAN, DEP_SELECT },
	{ "runtime.block", TC_CHAN, DEP_NEVER },
	{ "runtime.chan", TC_CHAN, DEP_CHANNEL },
	{ "time.Sleep", TC_SLEEP, DEP_TIMER },
	{ "os.(*File).", TC_COUNT, DEP_FILE },
	{ "internal/poll.runtime_pollWait", TC_NET, DEP_NET },
	{ "internal/poll.", TC_COUNT, DEP_FILE },
	{ "syscall.", TC_COUNT, DEP_FILE },
	{ "golang.org/x/sys/", TC_COUNT, DEP_FILE },
	{ "runtime.sem", TC_LOCK, DEP_LOCK },
	{ "runtime.", TC_OTHER, DEP_RUNTIME },
};

/* Calls of internal/poll that read or write until they have to wait, and then again. */
static const char *const loops[] = {
	"Read", "ReadFrom", "ReadFromInet4", "ReadFromInet6", "ReadMsg", "ReadMsgInet4", "ReadMsgInet6", "Write", "WriteTo",
	"WriteToInet4", "WriteToInet6", "WriteMsg", "WriteMsgInet4", "WriteMsgInet6", "Accept",
};

static bool is_loop(struct span func)
{
	if (!span_skip(&func, S("internal/poll.(*FD).")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(loops); i++) {
		if (span_eq(func, span_of(loops[i])))
			return true;
	}
	return false;
}

static unsigned flag_of(struct span func)
{
	if (span_starts(func, S("internal/poll.setDeadlineImpl")))
		return STACK_DEADLINE;
	if (span_starts(func, S("internal/poll.(*FD).Close")) || span_starts(func, S("internal/poll.(*pollDesc).evict")))
		return STACK_CLOSE;
	return 0;
}

static size_t frame_row(struct span func)
{
	size_t i = 0;

	while (i < ARRAY_LEN(frames) && !span_starts(func, span_of(frames[i].prefix)))
		i++;
	return i;
}

static void look(struct trace *t, uint32_t stack, struct stack_known *k)
{
	size_t n, row, best = ARRAY_LEN(frames);
	const struct xt_frame *f = xt_stack(t->x, stack, &n);

	*k = (struct stack_known){ .known = true, .class = TC_OTHER };
	for (size_t i = 0; i < n; i++) {
		struct span func = xt_text(t->x, f[i].func);

		k->flags |= (uint8_t)flag_of(func);
		if (!k->tail && is_loop(func)) {
			for (size_t j = i + 1; j < n; j++)
				k->tail = k->tail * 31 + f[j].func * 0x9e3779b1u + f[j].line;
			k->tail |= 1;
		}
		row = frame_row(func);
		if (row < best && frames[row].class != TC_COUNT)
			best = row;
	}
	if (best < ARRAY_LEN(frames))
		k->class = (uint8_t)frames[best].class;
	if (n && n < 128)
		k->root = f[n - 1].func;
}

static const struct stack_known *known(struct trace *t, uint32_t stack)
{
	static const struct stack_known nothing = { true, TC_OTHER, 0, 0, 0 };

	while (stack >= t->cap_stacks) {
		size_t was = t->cap_stacks;

		if (!mem_grow(&t->stacks, &t->cap_stacks, t->cap_stacks, sizeof(*t->stacks))) {
			t->lost = true;
			return &nothing;
		}
		memset(t->stacks + was, 0, (t->cap_stacks - was) * sizeof(*t->stacks));
	}
	if (!t->stacks[stack].known)
		look(t, stack, &t->stacks[stack]);
	return &t->stacks[stack];
}

uint32_t trace_root(struct trace *t, uint32_t stack)
{
	return known(t, stack)->root;
}

uint32_t trace_tail(struct trace *t, uint32_t stack)
{
	return known(t, stack)->tail;
}

unsigned trace_flags(struct trace *t, uint32_t stack)
{
	return known(t, stack)->flags;
}

enum trace_class trace_class_of(struct trace *t, uint32_t reason, uint32_t stack)
{
	if (!reason)
		return stack ? (enum trace_class)known(t, stack)->class : TC_OTHER;
	while (reason >= t->cap_reasons) {
		size_t was = t->cap_reasons;

		if (!mem_grow(&t->reasons, &t->cap_reasons, t->cap_reasons, sizeof(*t->reasons))) {
			t->lost = true;
			return TC_OTHER;
		}
		memset(t->reasons + was, 0, (t->cap_reasons - was) * sizeof(*t->reasons));
	}
	if (!t->reasons[reason].known) {
		struct span text = xt_text(t->x, reason);
		size_t i = 0;

		while (i < ARRAY_LEN(reasons) && !span_eq(text, reasons[i].reason))
			i++;
		t->reasons[reason] = (struct reason_known){ i < ARRAY_LEN(reasons) ? (uint8_t)reasons[i].class : TC_OTHER, 1 };
	}
	return (enum trace_class)t->reasons[reason].class;
}

enum trace_dep trace_dep_of(struct trace *t, uint32_t reason, uint32_t stack)
{
	struct span text = xt_text(t->x, reason);
	enum trace_class class = reason ? trace_class_of(t, reason, stack) : TC_COUNT;
	size_t n, best = ARRAY_LEN(frames), row, i = 0;
	const struct xt_frame *f = xt_stack(t->x, stack, &n);
	enum trace_dep dep = DEP_NONE;

	while (i < ARRAY_LEN(reasons) && !span_eq(text, reasons[i].reason))
		i++;
	if (reason && i < ARRAY_LEN(reasons))
		dep = reasons[i].dep;
	if (dep == DEP_NEVER || dep == DEP_GC || dep == DEP_RUNTIME)
		return dep;
	for (i = 0; i < n; i++) {
		row = frame_row(xt_text(t->x, f[i].func));
		if (row < best)
			best = row;
	}
	/* A wait inside of the program is on what the reason says: a library's name on the stack names its owner only. */
	if (class == TC_LOCK || class == TC_CHAN || class == TC_SLEEP) {
		bool outside = best < ARRAY_LEN(frames) && frames[best].dep < DEP_LISTEN;

		if (outside && class == TC_CHAN)
			return frames[best].dep;
		for (i = 0, best = ARRAY_LEN(frames); i < n; i++) {
			row = frame_row(xt_text(t->x, f[i].func));
			if (row < best && frames[row].class == class)
				best = row;
		}
		return best < ARRAY_LEN(frames) && dep != DEP_COND ? frames[best].dep : dep;
	}
	if (best == ARRAY_LEN(frames))
		return dep;
	if (frames[best].dep == DEP_FILE && class == TC_NET)
		return DEP_PIPE;
	if (frames[best].dep == DEP_RUNTIME && dep)
		return dep;
	return frames[best].dep;
}

const struct xt_frame *trace_place(const struct trace *t, uint32_t stack)
{
	size_t n;
	const struct xt_frame *f = xt_stack(t->x, stack, &n), *below = NULL;

	for (size_t i = 0; i < n; i++) {
		struct span func = xt_text(t->x, f[i].func);

		if (frame_is_own(func, xt_text(t->x, f[i].file)))
			return &f[i];
		if (!below && !span_starts(func, S("runtime.")))
			below = &f[i];
	}
	return below ? below : n ? f : NULL;
}
