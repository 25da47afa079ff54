#include "base/mem.h"
#include "base/text.h"
#include "check/go/late.h"

/*
 * What counts as a registration: a call of a function of another package while this one is initialised (in init, or for a
 * package-level variable), or, anywhere, the offer of a gRPC service. The first row that fits names it.
 */
static const struct row {
	const char *path;  /* "*": any */
	const char *names; /* patterns, blanks between */
	bool anywhere;     /* not only while the package is initialised */
	struct tx what;
} rows[] = {
	{ "net/http", "Handle HandleFunc", false, { "an HTTP handler", "HTTP 处理函数" } },
	{ "database/sql", "Register", false, { "a database driver", "数据库驱动" } },
	{ "image", "RegisterFormat", false, { "an image format", "图像格式" } },
	{ "crypto", "RegisterHash", false, { "a hash function", "哈希函数" } },
	{ "encoding/gob", "Register RegisterName", false, { "a type for gob", "gob 类型" } },
	{ "expvar", "Publish New*", false, { "a variable of expvar", "expvar 变量" } },
	{ "mime", "AddExtensionType", false, { "a MIME type", "MIME 类型" } },
	{ "archive/zip", "Register*", false, { "a compressor of zip", "zip 压缩器" } },
	{ "flag",
	  "Bool BoolFunc BoolVar Duration* Float64* Func Int IntVar Int64* String StringVar TextVar Uint UintVar Uint64* Var",
	  false,
	  { "a flag", "命令行标志" } },
	{ "github.com/spf13/pflag",
	  "Bool* Count* Duration* Float* Int* IP* String* Uint* Var*",
	  false,
	  { "a flag", "命令行标志" } },
	{ "github.com/prometheus/client_golang/prometheus",
	  "MustRegister Register",
	  false,
	  { "a metric of Prometheus", "Prometheus 指标" } },
	{ "github.com/prometheus/client_golang/prometheus/promauto",
	  "New*",
	  false,
	  { "a metric of Prometheus", "Prometheus 指标" } },
	{ "google.golang.org/grpc/encoding", "Register*", false, { "a codec of gRPC", "gRPC 编解码器" } },
	{ "google.golang.org/grpc/resolver", "Register", false, { "a resolver of gRPC", "gRPC 解析器" } },
	{ "google.golang.org/grpc/balancer", "Register", false, { "a balancer of gRPC", "gRPC 负载均衡器" } },
	{ "*", "Register*Server", true, { "a gRPC service", "gRPC 服务" } },
	{ "*", "Register* MustRegister*", false, { "itself with another package", "自身（向其他包注册）" } },
};
/* Methods: on a variable of another package, or of its own type. */
static const struct row methods[] = {
	{ "github.com/spf13/cobra", "AddCommand", false, { "a command", "子命令" } },
	{ "*", "Use", false, { "middleware", "中间件" } },
	{ "*", "MustRegister", false, { "a metric", "指标" } },
};

struct looking {
	const struct gofile *f;
	const struct goimports *imports;
	struct go_registered *ret;
	bool found;
};

static bool fits(const char *patterns, struct span name)
{
	struct span rest = span_of(patterns);
	char one[64];

	while (rest.n) {
		struct span p = span_cut(&rest, ' ');
		if (!p.n || p.n >= sizeof(one))
			continue;
		memcpy(one, p.p, p.n);
		one[p.n] = '\0';
		if (text_glob(one, name))
			return true;
	}
	return false;
}

/* Is it done while the package is initialised: in func init, or to make a package-level variable, and not in a function inside? */
static bool at_init(const struct gofile *f, const struct gowalk *w)
{
	for (unsigned d = w->depth; d > 0; d--) {
		TSNode n = w->up[d - 1];
		switch (go_kind(n)) {
		case GO_FUNC_LITERAL: {
			/* func() { … }() is done now; what is only given to somebody is not. */
			struct gocall c;
			TSNode up = d > 1 ? w->up[d - 2] : (TSNode){ 0 };
			if (!go_is(up, GO_CALL_EXPRESSION) || go_call(f, up, &c) ||
			    !ts_node_eq(go_bare(go_field(up, GOFIELD_FUNCTION)), n))
				return false;
			break;
		}
		case GO_METHOD_DECLARATION: return false;
		case GO_FUNCTION_DECLARATION:
			return span_eq(go_text(f, go_field(n, GOFIELD_NAME)), S("init"));
		default: break;
		}
	}
	return true;
}

static const struct row *row_of(const struct row *r, size_t n, struct span path, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (text_glob(r[i].path, path) && fits(r[i].names, name))
			return &r[i];
	return NULL;
}

/* Does the file import this package? */
static bool imports(const struct goimports *i, const char *path)
{
	for (size_t k = 0; k < i->n; k++)
		if (text_glob(path, i->v[k].path))
			return true;
	return false;
}

static enum gostep visit(void *ctx, const struct gowalk *w)
{
	struct looking *l = ctx;
	struct gocall c;

	if (w->kind != GO_CALL_EXPRESSION || !go_call(l->f, w->node, &c) || !c.on.p)
		return GOSTEP_INTO;
	struct span path = go_is(c.operand, GO_IDENTIFIER) ? goimports_path(l->imports, c.on)
							   : (struct span){ 0 };
	const struct row *r = path.p ? row_of(rows, ARRAY_LEN(rows), path, c.name) : NULL;
	for (size_t i = 0; !path.p && !r && i < ARRAY_LEN(methods); i++)
		if (fits(methods[i].names, c.name) && imports(l->imports, methods[i].path))
			r = &methods[i];
	if (!r || (!r->anywhere && !at_init(l->f, w)))
		return GOSTEP_INTO;
	struct span detail = { 0 };
	CLEANUP(gochildren_end) struct gochildren arguments = { 0 };
	gochildren_of(c.arguments, &arguments);
	for (TSNode a; !detail.n && (a = gochildren_next(&arguments)).id;)
		detail = go_string(l->f, a);
	*l->ret = (struct go_registered){
		.what = r->what, .call = go_text(l->f, c.callee), .detail = detail, .at = w->node
	};
	l->found = true;
	return GOSTEP_STOP;
}

int go_registers(struct gofile *f, const struct goimports *i, struct go_registered *ret)
{
	struct looking l = { .f = f, .imports = i, .ret = ret };
	int r = gofile_walk(f, f->root, visit, &l);

	return r < 0 ? r : l.found;
}

bool go_registers_worth(struct span text)
{
	static const char *const words[] = { "Register",  "flag.",       "http.Handle", "expvar.",
					     "promauto.", "AddCommand(", ".Use(",       "AddExtensionType" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (memmem(text.p ? text.p : "", text.n, words[i], strlen(words[i])))
			return true;
	return false;
}
