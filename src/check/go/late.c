#include "check/go/late.h"

#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "base/text.h"
#include "check/go/chunks.h"

/* ---- what is known of the libraries; each row was tried with the real one ---- */

enum thing { /* what a variable holds */
	     T_NONE,
	     T_MUX,
	     T_GIN,
	     T_GIN_GROUP,
	     T_ECHO,
	     T_ECHO_GROUP,
	     T_CHI,
	     T_FIBER,
	     T_GRPC,
	     T_TICKER,
	     T_TIMER,
	     T_CHANNEL,
};

/* Functions of packages that make one, and types of parameters that are one. */
static const struct made {
	const char *path, *function, *type;
	enum thing thing;
} makers[] = {
	{ "net/http", "NewServeMux", "ServeMux", T_MUX },
	{ "github.com/gorilla/mux", "NewRouter", "Router", T_MUX },
	{ "github.com/gin-gonic/gin", "New Default", "Engine", T_GIN },
	{ "github.com/gin-gonic/gin", "", "RouterGroup IRouter IRoutes", T_GIN_GROUP },
	{ "github.com/labstack/echo*", "New", "Echo", T_ECHO },
	{ "github.com/labstack/echo*", "", "Group", T_ECHO_GROUP },
	{ "github.com/go-chi/chi*", "NewRouter NewMux", "Router Mux", T_CHI },
	{ "github.com/gofiber/fiber*", "New", "App Router", T_FIBER },
	{ "google.golang.org/grpc", "NewServer", "Server ServiceRegistrar", T_GRPC },
	{ "time", "NewTicker", "", T_TICKER },
	{ "time", "NewTimer", "", T_TIMER },
};

enum act { ACT_OTHER, ACT_ROUTE, ACT_USE, ACT_SERVE, ACT_SERVICE };
#define VERBS "GET POST PUT DELETE PATCH HEAD OPTIONS Any Handle Match"

/* What their methods do; the thing that they give back. */
static const struct method {
	enum thing of;
	const char *names;
	enum act act;
	enum thing gives;
} methods[] = {
	{ T_MUX, "Handle HandleFunc", ACT_ROUTE, T_NONE },
	{ T_GIN, VERBS " Static StaticFS StaticFile", ACT_ROUTE, T_NONE },
	{ T_GIN_GROUP, VERBS " Static StaticFS StaticFile", ACT_ROUTE, T_NONE },
	{ T_GIN, "Use", ACT_USE, T_NONE },
	{ T_GIN_GROUP, "Use", ACT_USE, T_NONE },
	{ T_GIN, "Group", ACT_OTHER, T_GIN_GROUP },
	{ T_GIN_GROUP, "Group", ACT_OTHER, T_GIN_GROUP },
	{ T_GIN, "Run RunTLS RunUnix RunListener", ACT_SERVE, T_NONE },
	{ T_ECHO, VERBS " Add Static File", ACT_ROUTE, T_NONE },
	{ T_ECHO, "Group", ACT_OTHER, T_ECHO_GROUP },
	{ T_ECHO, "Start StartTLS StartAutoTLS StartH2CServer StartServer", ACT_SERVE, T_NONE },
	{ T_ECHO_GROUP, VERBS " Add Static File", ACT_ROUTE, T_NONE },
	{ T_ECHO_GROUP, "Use", ACT_USE, T_NONE },
	{ T_ECHO_GROUP, "Group", ACT_OTHER, T_ECHO_GROUP },
	{ T_CHI,
	  "Get Post Put Delete Patch Head Options Connect Trace Handle HandleFunc Method MethodFunc Mount Route Group",
	  ACT_ROUTE, T_NONE },
	{ T_CHI, "With", ACT_ROUTE, T_CHI },
	{ T_CHI, "Use", ACT_USE, T_NONE },
	{ T_FIBER, "Get Post Put Delete Patch Head Options Connect Trace All Add", ACT_ROUTE, T_NONE },
	{ T_FIBER, "Use", ACT_USE, T_NONE },
	{ T_FIBER, "Group", ACT_OTHER, T_FIBER },
	{ T_FIBER, "Listen ListenTLS Listener", ACT_SERVE, T_NONE },
	{ T_GRPC, "Serve", ACT_SERVE, T_NONE },
	{ T_GRPC, "RegisterService", ACT_SERVICE, T_NONE },
};

static const struct function {
	const char *path, *names;
	enum act act;
} functions[] = {
	{ "net/http", "ListenAndServe ListenAndServeTLS Serve ServeTLS", ACT_SERVE },
	{ "net/http", "Handle HandleFunc", ACT_ROUTE },
	{ "google.golang.org/grpc/reflection", "Register RegisterV1", ACT_SERVICE },
};

/* Why middleware that is added late does nothing, by what it is added to. */
static const struct late_why {
	enum thing of;
	bool at_once; /* no later route makes it right */
	struct tx why;
} late_whys[] = {
	{ T_GIN,
	  false,
	  { "gin fixes the handlers of a route when it is registered", "gin 在注册路由时就已固定其处理链" } },
	{ T_GIN_GROUP,
	  false,
	  { "gin fixes the handlers of a route when it is registered", "gin 在注册路由时就已固定其处理链" } },
	{ T_ECHO_GROUP,
	  false,
	  { "a group of echo gives a route the middleware that it has when the route is registered",
	    "echo 的分组只把注册路由当时已有的中间件交给该路由" } },
	{ T_CHI, true, { "chi panics here when the program starts", "chi 会在程序启动时于此处 panic" } },
	{ T_FIBER,
	  false,
	  { "fiber goes through handlers in the order in which they were added",
	    "fiber 按添加顺序执行处理函数" } },
};

/* Middleware of fiber's own that makes no sense at the end, where others (a 404 page, static files) belong. */
static const char fiber_wraps[] =
	"logger recover cors csrf limiter requestid compress helmet basicauth keyauth timeout encryptcookie cache "
	"session pprof idempotency earlydata";

/* Is this one of the words? */
static bool one_of(const char *words, struct span word)
{
	struct span rest = span_of(words);

	while (rest.n) {
		struct span one = span_cut(&rest, ' ');
		if (one.n && span_eq(one, word))
			return true;
	}
	return false;
}

/* ---- variables and scopes ---- */

#define VARS_MAX 512 /* known of at once; a file that has more is left alone */

struct var {
	struct span name;
	enum thing thing;
	TSNode decl;
	uint32_t from; /* known behind this byte */
	bool made;     /* here, not a parameter */
	bool escapes;  /* somebody else may do what is not seen here */
	bool read, buffered;
	int routed;        /* line of the first route */
	struct span route; /* how it was registered: "r.GET" */
	TSNode late;       /* the first Use behind it; null: none */
	bool late_helps;   /* routes follow, or may */
	int served;        /* line of a Serve that runs beside */
	TSNode sent;       /* the first send or signal.Notify; null: none */
	bool signals;
};
struct scope {
	unsigned depth;
	size_t vars; /* the first of its own */
	enum gonode kind;
	int served; /* line of a call in it that serves and does not return; 0: none */
};
struct late {
	struct gofile *f;
	const struct goimports *imports;
	go_late_say *say_fn;
	void *ctx;
	struct var vars[VARS_MAX];
	size_t n_vars;
	struct scope scopes[GOFILE_DEPTH + 2];
	size_t n_scopes;
	struct buf text;
	bool full, no_memory;
};

__attribute__((format(printf, 4, 5))) static void say(struct late *l, enum register_id rule, TSNode at,
						      const char *fmt, ...)
{
	va_list ap;

	buf_clear(&l->text);
	va_start(ap, fmt);
	buf_vaddf(&l->text, fmt, ap);
	va_end(ap);
	l->no_memory |= l->text.bad;
	if (!l->text.bad)
		l->say_fn(l->ctx, rule, at, buf_str(&l->text));
}

static struct var *find(struct late *l, struct span name, uint32_t at)
{
	for (size_t i = l->n_vars; i > 0; i--)
		if (at >= l->vars[i - 1].from && span_eq(l->vars[i - 1].name, name))
			return &l->vars[i - 1];
	return NULL;
}

static struct var *var_of(struct late *l, TSNode n)
{
	return go_is(n, GO_IDENTIFIER) ? find(l, go_text(l->f, n), ts_node_start_byte(n)) : NULL;
}

/* A name of nothing that is watched is kept only where it hides one that is. */
static void declare(struct late *l, TSNode name, enum thing thing, uint32_t from, bool made, bool buffered)
{
	struct span text = go_text(l->f, name);

	if (!go_is(name, GO_IDENTIFIER) || !l->n_scopes || (thing == T_NONE && !find(l, text, UINT32_MAX)))
		return;
	if (l->n_vars == VARS_MAX) {
		l->full = true;
		return;
	}
	l->vars[l->n_vars++] = (struct var){
		.name = text, .thing = thing, .decl = name, .from = from, .made = made, .buffered = buffered
	};
}

/* ---- what a variable is ---- */

static enum thing thing_of_function(struct span path, struct span name, bool type)
{
	for (size_t i = 0; i < ARRAY_LEN(makers) && path.p; i++)
		if (text_glob(makers[i].path, path) &&
		    one_of(type ? makers[i].type : makers[i].function, name))
			return makers[i].thing;
	return T_NONE;
}

static const struct method *method_of(enum thing of, struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(methods) && of != T_NONE; i++)
		if (methods[i].of == of && one_of(methods[i].names, name))
			return &methods[i];
	return NULL;
}

static enum thing thing_of_type(struct late *l, TSNode type)
{
	if (go_is(type, GO_POINTER_TYPE))
		type = go_child(type, 0);
	if (!go_is(type, GO_QUALIFIED_TYPE))
		return T_NONE;
	struct span path = goimports_path(l->imports, go_text(l->f, go_field(type, GOFIELD_PACKAGE)));
	return thing_of_function(path, go_text(l->f, go_field(type, GOFIELD_NAME)), true);
}

static enum thing thing_of_value(struct late *l, TSNode value, bool *buffered)
{
	struct gocall c;

	value = go_bare(value);
	if (!go_call(l->f, value, &c))
		return T_NONE;
	if (!c.on.p) {
		*buffered = go_child(c.arguments, 1).id != NULL;
		return span_eq(c.name, S("make")) && go_is(go_child(c.arguments, 0), GO_CHANNEL_TYPE)
			       ? T_CHANNEL
			       : T_NONE;
	}
	const struct var *v = var_of(l, c.operand);
	const struct method *m = v ? method_of(v->thing, c.name) : NULL;
	if (v)
		return m ? m->gives : T_NONE;
	return thing_of_function(goimports_path(l->imports, c.on), c.name, false);
}

static void on_declaration(struct late *l, TSNode n, enum gonode kind)
{
	bool spec = kind == GO_VAR_SPEC;
	CLEANUP(gochildren_end) struct gochildren names = { 0 };
	CLEANUP(gochildren_end) struct gochildren values = { 0 };
	TSNode type = spec ? go_field(n, GOFIELD_TYPE) : (TSNode){ 0 };

	gochildren_of(spec ? n : go_field(n, GOFIELD_LEFT), &names);
	gochildren_of(go_field(n, spec ? GOFIELD_VALUE : GOFIELD_RIGHT), &values);
	for (TSNode name; (name = gochildren_next(&names)).id;) {
		TSNode value = gochildren_next(&values);
		bool buffered = false;
		if (!go_is(name, GO_IDENTIFIER))
			continue;
		enum thing t = value.id ? thing_of_value(l, value, &buffered) : T_NONE;
		if (t == T_NONE && type.id)
			t = thing_of_type(l, type);
		declare(l, name, t, ts_node_end_byte(n), value.id != NULL, buffered);
	}
}

static void on_parameter(struct late *l, const struct gowalk *w)
{
	enum gonode owner = w->depth >= 2 ? go_kind(w->up[w->depth - 2]) : GO_TOKEN;

	if (owner != GO_FUNCTION_DECLARATION && owner != GO_METHOD_DECLARATION && owner != GO_FUNC_LITERAL)
		return;
	enum thing t = thing_of_type(l, go_field(w->node, GOFIELD_TYPE));
	CLEANUP(gochildren_end) struct gochildren names = { 0 };
	gochildren_of(w->node, &names);
	for (TSNode name; (name = gochildren_next(&names)).id;)
		declare(l, name, t, ts_node_end_byte(w->node), false, false);
}

/* ---- what is done with it ---- */

static bool is_function(enum gonode k)
{
	return k == GO_FUNCTION_DECLARATION || k == GO_METHOD_DECLARATION || k == GO_FUNC_LITERAL;
}

/* Does it run beside what stands below it: in a go statement, or in a function given to g.Go? */
static bool runs_beside(struct late *l, const struct gowalk *w)
{
	struct gocall c;

	for (unsigned d = w->depth; d > 0; d--) {
		TSNode n = w->up[d - 1];
		if (go_is(n, GO_GO_STATEMENT))
			return true;
		if (go_is(w->up[d], GO_ARGUMENT_LIST) && go_call(l->f, n, &c) && span_eq(c.name, S("Go")))
			return true;
		if (is_function(go_kind(n)) && !go_is(n, GO_FUNC_LITERAL))
			return false;
	}
	return false;
}

/* Does the statement that it is in wait for it? */
static bool waits(const struct gowalk *w)
{
	for (unsigned d = w->depth; d > 0; d--) {
		enum gonode k = go_kind(w->up[d - 1]);
		if (k == GO_GO_STATEMENT || k == GO_DEFER_STATEMENT)
			return false;
		if (k == GO_BLOCK || is_function(k))
			return true;
	}
	return false;
}

static void on_serve(struct late *l, const struct gowalk *w, struct var *v)
{
	if (v && runs_beside(l, w) && !v->served)
		v->served = go_line(w->node);
	if (!waits(w))
		return;
	/* `if err := serve(); err != nil {`: it is the block around the statement that waits. */
	size_t s = l->n_scopes;
	while (s > 0 && (l->scopes[s - 1].kind == GO_IF_STATEMENT ||
			 l->scopes[s - 1].kind == GO_EXPRESSION_SWITCH_STATEMENT))
		s--;
	if (s > 0 && l->scopes[s - 1].kind == GO_BLOCK && !l->scopes[s - 1].served)
		l->scopes[s - 1].served = go_line(w->node);
}

/* The line of a call that serves, above this place in its function; 0: none. */
static int served_above(const struct late *l)
{
	for (size_t s = l->n_scopes; s > 0; s--) {
		if (l->scopes[s - 1].served)
			return l->scopes[s - 1].served;
		if (is_function(l->scopes[s - 1].kind))
			break;
	}
	return 0;
}

static bool after_serve(struct late *l, const struct gowalk *w, const struct gocall *c)
{
	int line = served_above(l);

	if (!line)
		return false;
	say(l, REGISTER_AFTER_SERVE, w->node,
	    TR("%.*s.%.*s is reached only when the server of line %d has ended",
	       "%.*s.%.*s 不会及时执行：要等第 %d 行的服务结束"),
	    SPAN_ARG(c->on), SPAN_ARG(c->name), line);
	return true;
}

static void on_service(struct late *l, const struct gowalk *w, const struct gocall *c, const struct var *v)
{
	if (!after_serve(l, w, c) && v && v->served && v->served < go_line(w->node))
		say(l, REGISTER_LATE_SERVICE, w->node,
		    TR("%.*s.%.*s: the server of line %d serves already, and grpc ends the program when a service is registered then",
		       "%.*s.%.*s：第 %d 行的服务器已经在服务，此时注册服务会使 grpc 终止程序"),
		    SPAN_ARG(c->on), SPAN_ARG(c->name), v->served);
}

static const struct late_why *why_of(enum thing t)
{
	for (size_t i = 0; i < ARRAY_LEN(late_whys); i++)
		if (late_whys[i].of == t)
			return &late_whys[i];
	return NULL;
}

static void say_late(struct late *l, const struct var *v, const struct late_why *why)
{
	say(l, REGISTER_LATE_USE, v->late,
	    TR("%.*s.Use comes after the route of line %d and does not serve it: %s",
	       "%.*s.Use 位于第 %d 行的路由之后，对其不起作用：%s"),
	    SPAN_ARG(v->name), v->routed, tx(why->why));
}

/* app.Use(logger.New()) of fiber: middleware that wraps. */
static bool fiber_wrap(struct late *l, const struct gocall *c)
{
	struct gocall made;

	if (!go_call(l->f, go_bare(go_child(c->arguments, 0)), &made) || !made.on.p)
		return false;
	struct span path = goimports_path(l->imports, made.on);
	size_t slash = span_rchr(path, '/');
	return slash != SPAN_NONE && span_find(path, S("fiber")) != SPAN_NONE &&
	       one_of(fiber_wraps, span_from(path, slash + 1));
}

static void on_use_of_middleware(struct late *l, const struct gowalk *w, const struct gocall *c,
				 struct var *v)
{
	const struct late_why *why = why_of(v->thing);

	if (!why || !v->routed || v->late.id || (v->thing == T_FIBER && !fiber_wrap(l, c)))
		return;
	v->late = w->node;
	if (why->at_once)
		say_late(l, v, why);
}

static void on_method(struct late *l, const struct gowalk *w, const struct gocall *c, struct var *v)
{
	const struct method *m = method_of(v->thing, c->name);

	if (!m)
		return;
	if (m->act == ACT_ROUTE) {
		after_serve(l, w, c);
		v->routed = v->routed ? v->routed : go_line(w->node);
		v->late_helps = v->late_helps || v->late.id;
	} else if (m->act == ACT_USE) {
		on_use_of_middleware(l, w, c, v);
	} else if (m->act == ACT_SERVE) {
		on_serve(l, w, v);
	} else if (m->act == ACT_SERVICE) {
		on_service(l, w, c, v);
	} else if (m->gives != T_NONE && v->late.id) {
		v->late_helps = true; /* a group made now has the middleware */
	}
}

static void on_function(struct late *l, const struct gowalk *w, const struct gocall *c)
{
	struct span path = goimports_path(l->imports, c->on);
	struct var *first = var_of(l, go_child(c->arguments, 0));

	if (!first || first->thing != T_GRPC)
		first = NULL;
	if (first && text_glob("Register*Server", c->name)) {
		on_service(l, w, c, first);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(functions) && path.p; i++) {
		const struct function *f = &functions[i];
		if (!span_eq(path, span_of(f->path)) || !one_of(f->names, c->name))
			continue;
		if (f->act == ACT_SERVE)
			on_serve(l, w, NULL);
		else if (f->act == ACT_SERVICE)
			on_service(l, w, c, first);
		else
			after_serve(l, w, c);
	}
}

/* time.NewTicker(d) whose result goes nowhere. */
static bool dropped(struct late *l, const struct gowalk *w)
{
	TSNode up = w->depth ? w->up[w->depth - 1] : (TSNode){ 0 };

	if (go_is(up, GO_EXPRESSION_STATEMENT))
		return true;
	TSNode statement = w->depth > 1 ? w->up[w->depth - 2] : (TSNode){ 0 };
	return go_is(up, GO_EXPRESSION_LIST) && go_is(statement, GO_ASSIGNMENT_STATEMENT) &&
	       span_eq(go_text(l->f, go_field(statement, GOFIELD_LEFT)), S("_"));
}

static void on_call(struct late *l, const struct gowalk *w)
{
	struct gocall c;

	if (!go_call(l->f, w->node, &c) || !c.on.p)
		return;
	struct var *v = var_of(l, c.operand);
	if (v && v->thing != T_NONE)
		on_method(l, w, &c, v);
	else if (!v && go_is(c.operand, GO_IDENTIFIER) && goimports_path(l->imports, c.on).p)
		on_function(l, w, &c);
	else if ((span_eq(c.name, S("ListenAndServe")) && go_count(c.arguments) == 0) ||
		 (span_eq(c.name, S("ListenAndServeTLS")) && go_count(c.arguments) == 2))
		on_serve(l, w, NULL);
	if (!v && one_of("NewTicker NewTimer Tick After", c.name) &&
	    span_eq(goimports_path(l->imports, c.on), S("time")) && dropped(l, w))
		say(l, REGISTER_UNREAD, w->node,
		    TR("nobody reads the channel of %.*s.%.*s", "没有人读取 %.*s.%.*s 的通道"),
		    SPAN_ARG(c.on), SPAN_ARG(c.name));
}

/* ---- each place where the name stands ---- */

static void on_argument(struct late *l, const struct gowalk *w, struct var *v)
{
	struct gocall c;
	bool named = w->depth >= 2 && go_call(l->f, w->up[w->depth - 2], &c);
	struct span path = named && c.on.p ? goimports_path(l->imports, c.on) : (struct span){ 0 };

	/* len(ch) tells somebody that something was sent. */
	if (named && !c.on.p && one_of("close cap", c.name))
		return;
	if (v->thing == T_CHANNEL && span_eq(path, S("os/signal"))) {
		if (span_eq(c.name, S("Notify")) && !v->sent.id) {
			v->sent = w->node;
			v->signals = true;
		}
		return;
	}
	/* http.ListenAndServe(addr, r): nobody adds a route there. */
	if (v->thing != T_CHANNEL && span_eq(path, S("net/http")) &&
	    one_of("ListenAndServe ListenAndServeTLS Serve ServeTLS", c.name))
		return;
	v->escapes = true;
}

/* It holds another one from now on: what was known is of the one before. */
static void on_assignment(struct var *v)
{
	v->routed = v->served = 0;
	v->late = (TSNode){ 0 };
	v->escapes |= v->thing >= T_TICKER;
}

static void on_name(struct late *l, const struct gowalk *w)
{
	struct var *v = var_of(l, w->node);
	TSNode up = w->depth ? w->up[w->depth - 1] : (TSNode){ 0 };
	TSNode above = w->depth > 1 ? w->up[w->depth - 2] : (TSNode){ 0 };
	bool router = v && v->thing < T_TICKER;

	if (!v || v->thing == T_NONE || ts_node_eq(v->decl, w->node))
		return;
	switch (go_kind(up)) {
	case GO_SELECTOR_EXPRESSION:
		if (!go_is(above, GO_CALL_EXPRESSION) || w->depth < 2 ||
		    !ts_node_eq(go_field(above, GOFIELD_FUNCTION), up))
			v->escapes = true;
		else if (!router && !one_of("Stop Reset", go_text(l->f, go_field(up, GOFIELD_FIELD))))
			v->escapes = true;
		return;
	case GO_SEND_STATEMENT:
		if (!ts_node_eq(go_field(up, GOFIELD_CHANNEL), w->node))
			v->escapes = true;
		else if (!v->sent.id)
			v->sent = w->node;
		return;
	case GO_ARGUMENT_LIST: on_argument(l, w, v); return;
	case GO_EXPRESSION_LIST:
		if (w->depth >= 2 && go_is(above, GO_ASSIGNMENT_STATEMENT) &&
		    ts_node_eq(go_field(above, GOFIELD_LEFT), up)) {
			on_assignment(v);
			return;
		}
		if (router && go_is(above, GO_RETURN_STATEMENT))
			return;
		if (!router && go_is(above, GO_ASSIGNMENT_STATEMENT) &&
		    span_eq(go_text(l->f, go_field(above, GOFIELD_LEFT)), S("_")))
			return;
		v->escapes = true;
		return;
	case GO_LITERAL_ELEMENT:
		/* &http.Server{Handler: r} */
		v->escapes |= !router;
		return;
	default: v->escapes = true;
	}
}

/* ---- scopes end ---- */

static void judge(struct late *l, const struct var *v)
{
	const struct late_why *why = why_of(v->thing);

	if (why && !why->at_once && v->late.id && v->made && !v->late_helps && !v->escapes)
		say_late(l, v, why);
	if (v->escapes || !v->made)
		return;
	if (v->thing == T_TICKER || v->thing == T_TIMER)
		say(l, REGISTER_UNREAD, v->decl,
		    TR("nobody reads %.*s.C: the %s ticks for nobody", "没有人读取 %.*s.C：%s白白触发"),
		    SPAN_ARG(v->name),
		    v->thing == T_TICKER ? TR("ticker", "周期定时器") : TR("timer", "定时器"));
	if (v->thing == T_CHANNEL && v->sent.id && v->signals)
		say(l, REGISTER_UNREAD, v->sent,
		    TR("nobody reads %.*s: its signals are caught and forgotten",
		       "没有人读取 %.*s：信号被捕获后丢弃"),
		    SPAN_ARG(v->name));
	else if (v->thing == T_CHANNEL && v->sent.id)
		say(l, REGISTER_UNREAD, v->sent,
		    v->buffered
			    ? TR("nobody reads %.*s: what is sent is lost, and a send blocks for ever when it is full",
				 "没有人读取 %.*s：发送的内容会丢失，缓冲区满后发送将永远阻塞")
			    : TR("nobody reads %.*s: this send blocks for ever",
				 "没有人读取 %.*s：此处发送将永远阻塞"),
		    SPAN_ARG(v->name));
}

static void end_scope(struct late *l)
{
	struct scope *s = &l->scopes[--l->n_scopes];

	for (; l->n_vars > s->vars; l->n_vars--)
		if (!l->full)
			judge(l, &l->vars[l->n_vars - 1]);
}

static bool opens_scope(enum gonode k)
{
	switch (k) {
	case GO_FUNCTION_DECLARATION:
	case GO_METHOD_DECLARATION:
	case GO_FUNC_LITERAL:
	case GO_BLOCK:
	case GO_IF_STATEMENT:
	case GO_FOR_STATEMENT:
	case GO_EXPRESSION_SWITCH_STATEMENT:
	case GO_TYPE_SWITCH_STATEMENT:
	case GO_EXPRESSION_CASE:
	case GO_TYPE_CASE:
	case GO_DEFAULT_CASE:
	case GO_COMMUNICATION_CASE: return true;
	default: return false;
	}
}

static enum gostep visit(void *ctx, const struct gowalk *w)
{
	struct late *l = ctx;

	while (l->n_scopes && l->scopes[l->n_scopes - 1].depth >= w->depth)
		end_scope(l);
	if (opens_scope(w->kind))
		l->scopes[l->n_scopes++] =
			(struct scope){ .depth = w->depth, .vars = l->n_vars, .kind = w->kind };
	switch (w->kind) {
	case GO_SHORT_VAR_DECLARATION:
	case GO_VAR_SPEC: on_declaration(l, w->node, w->kind); break;
	case GO_PARAMETER_DECLARATION: on_parameter(l, w); break;
	case GO_CALL_EXPRESSION: on_call(l, w); break;
	case GO_IDENTIFIER: on_name(l, w); break;
	/* What cannot be understood may hold anything: nothing is said of what is known there. */
	case GO_ERROR:
		for (size_t i = 0; i < l->n_vars; i++)
			l->vars[i].escapes = true;
		break;
	default: break;
	}
	return GOSTEP_INTO;
}

int go_late_find(struct gofile *f, const struct goimports *imports, struct arena *mem, go_late_say *say_fn,
		 void *ctx)
{
	struct late *l = arena_alloc(mem, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->f = f;
	l->imports = imports;
	l->say_fn = say_fn;
	l->ctx = ctx;
	int r = gofile_walk(f, f->root, visit, l);
	while (l->n_scopes)
		end_scope(l);
	buf_free(&l->text);
	return r == 0 && l->no_memory ? -ENOMEM : r;
}

static bool any_import(const struct gohead *head, const char *pattern)
{
	for (size_t i = 0; head && i < head->n_imports; i++)
		if (text_glob(pattern, head->imports[i].path))
			return true;
	return !head;
}

/* A word counts in a file that imports such a package. */
static const struct {
	const char *import, *words[4];
} looked_for[] = {
	{ "*", { "make(chan " } },
	{ "time", { "NewTicker(", "NewTimer(", ".Tick(", ".After(" } },
	{ "*http*", { "ListenAndServe", "http.Serve" } },
	{ "*google.golang.org/grpc*", { "grpc." } },
	{ "*gin-gonic/gin", { "gin." } },
	{ "*labstack/echo*", { "echo." } },
	{ "*go-chi/chi*", { "chi." } },
	{ "*gofiber/fiber*", { "fiber." } },
};
static_assert(ARRAY_LEN(looked_for) < 32, "they are kept in bits");

static bool has_word(struct span text, unsigned rows)
{
	for (size_t i = 0; i < ARRAY_LEN(looked_for); i++)
		for (size_t k = 0;
		     (rows >> i & 1) && k < ARRAY_LEN(looked_for[i].words) && looked_for[i].words[k]; k++)
			if (memmem(text.p, text.n, looked_for[i].words[k], strlen(looked_for[i].words[k])))
				return true;
	return false;
}

const struct span *go_late_parts(struct span text, const struct gohead *head, struct arena *mem, size_t *n)
{
	static const struct span none;
	struct gochunks at = { .text = text };
	struct gochunk c;
	struct span *ret = NULL;
	size_t cap = 0, worth = 0;
	unsigned rows = 0;

	*n = 0;
	for (size_t i = 0; i < ARRAY_LEN(looked_for); i++)
		rows |= (unsigned)any_import(head, looked_for[i].import) << i;
	if (!text.n || !has_word(text, rows))
		return &none;
	while (gochunks_next(&at, &c)) {
		bool wanted = (c.kind == GOCHUNK_FUNC || c.kind == GOCHUNK_VAR) && has_word(c.text, rows);
		if (!wanted && c.kind != GOCHUNK_HEAD && c.kind != GOCHUNK_IMPORT)
			continue;
		worth += wanted;
		if (*n == cap) {
			struct span *more = arena_alloc(mem, (cap = cap * 2 + 8) * sizeof(*more));
			if (!more)
				return NULL;
			if (*n)
				memcpy(more, ret, *n * sizeof(*more));
			ret = more;
		}
		ret[(*n)++] = c.text;
	}
	*n = worth ? *n : 0;
	return worth ? ret : &none;
}
