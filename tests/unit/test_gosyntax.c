#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "check/go/chunks.h"
#include "check/go/late.h"
#include "check/go/syntax.h"

const TSLanguage *tree_sitter_go(void);
const TSLanguage *tree_sitter_bash(void);
const TSLanguage *tree_sitter_yaml(void);

static struct syntax *parser;

static void parse(struct span text, struct gofile *f)
{
	struct err e = { 0 };

	if (!parser)
		assert_int_equal(gosyntax_open(&parser, &e), 0);
	assert_int_equal(gofile_parse(parser, text, f, &e), 0);
}

/* ---- the grammars ---- */

static void every_name_of_the_grammar(void **state)
{
	static const char *const nodes[] = {
#define NODE(name, text) text,
#define FIELD(name, text)
#include "check/go/nodes.def"
#undef NODE
#undef FIELD
	};
	static const char *const fields[] = {
#define NODE(name, text)
#define FIELD(name, text) text,
#include "check/go/nodes.def"
#undef NODE
#undef FIELD
	};
	const TSLanguage *l = tree_sitter_go();
	bool used[ARRAY_LEN(nodes)] = { 0 };

	for (uint32_t i = 0; i < ts_language_symbol_count(l); i++) {
		const char *name = ts_language_symbol_name(l, (TSSymbol)i);
		size_t k = 0;
		if (ts_language_symbol_type(l, (TSSymbol)i) != TSSymbolTypeRegular)
			continue;
		while (k < ARRAY_LEN(nodes) && strcmp(nodes[k], name) != 0)
			k++;
		if (k == ARRAY_LEN(nodes))
			fail_msg("nodes.def lacks %s", name);
		used[k] = true;
	}
	for (size_t k = 0; k < ARRAY_LEN(nodes); k++)
		if (!used[k])
			fail_msg("the grammar has no %s", nodes[k]);
	assert_int_equal(ts_language_field_count(l), ARRAY_LEN(fields));
	for (size_t k = 0; k < ARRAY_LEN(fields); k++)
		assert_true(ts_language_field_id_for_name(l, fields[k], (uint32_t)strlen(fields[k])) > 0);
}

static void every_grammar_reads(void **state)
{
	static const struct {
		const TSLanguage *(*language)(void);
		const char *good, *bad, *root;
	} rows[] = {
		{ tree_sitter_go, "package a\nfunc f() { go g() }\n", "package a\nfunc f( {\n",
		  "source_file" },
		{ tree_sitter_bash, "set -e\ngo test ./... | tee log && echo ok\ncat <<E\nx\nE\n",
		  "if then fi ((\n", "program" },
		{ tree_sitter_yaml, "on: push\njobs:\n  a: {steps: [&x {run: go test}, *x]}\n",
		  "a: [b\nc: }\n", "stream" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		TSParser *p = ts_parser_new();
		assert_true(ts_parser_set_language(p, rows[i].language()));
		TSTree *good = ts_parser_parse_string(p, NULL, rows[i].good, (uint32_t)strlen(rows[i].good));
		TSTree *bad = ts_parser_parse_string(p, NULL, rows[i].bad, (uint32_t)strlen(rows[i].bad));
		assert_string_equal(ts_node_type(ts_tree_root_node(good)), rows[i].root);
		assert_false(ts_node_has_error(ts_tree_root_node(good)));
		assert_true(ts_node_has_error(ts_tree_root_node(bad)));
		ts_tree_delete(good);
		ts_tree_delete(bad);
		ts_parser_delete(p);
	}
}

/* ---- the tree ---- */

struct seen {
	size_t n, deepest;
	struct buf calls;
	enum gostep step;
};

static enum gostep see(void *ctx, const struct gowalk *w)
{
	struct seen *s = ctx;
	struct gocall c;

	s->n++;
	s->deepest = w->depth > s->deepest ? w->depth : s->deepest;
	assert_true(ts_node_eq(w->up[w->depth], w->node));
	if (go_call(w->file, w->node, &c))
		buf_addf(&s->calls, "%.*s|%.*s@%d:%d ", SPAN_ARG(c.on), SPAN_ARG(c.name), go_line(w->node),
			 go_column(w->node));
	return s->step;
}

static void calls_and_imports(void **state)
{
	struct span text = S(
		"package a\n"
		"import \"net/http\"\n"
		"import (\n\t// c\n\tg \"github.com/x/gin\"\n\t_ \"embed\"\n\t\"gopkg.in/yaml.v3\"\n\t\"m.org/go-chi/v5\"\n\t. `fmt`\n)\n"
		"func f() {\n\thttp.Handle(\"/\", (g.New)(1))\n\ta.b.c()\n\tf[i]()\n\tfunc() {}()\n}\n");
	static const char *const expect[][2] = {
		{ "http", "net/http" },         { "g", "github.com/x/gin" },  { "_", "embed" },
		{ "yaml", "gopkg.in/yaml.v3" }, { "chi", "m.org/go-chi/v5" }, { ".", "fmt" }
	};
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct gofile f;
	struct goimports imports;
	struct seen s = { .step = GOSTEP_INTO };

	parse(text, &f);
	assert_int_equal(gofile_walk(&f, f.root, see, &s), 0);
	assert_string_equal(buf_str(&s.calls), "http|Handle@12:2 g|New@12:19 a.b|c@13:2 |f@14:2 ");
	assert_int_equal(f.errors, 0);
	assert_int_equal(gofile_imports(&f, &mem, &imports), 0);
	assert_int_equal(imports.n, ARRAY_LEN(expect));
	for (size_t i = 0; i < ARRAY_LEN(expect); i++) {
		assert_true(span_eq(imports.v[i].name, span_of(expect[i][0])));
		assert_true(span_eq(imports.v[i].path, span_of(expect[i][1])));
	}
	assert_true(span_eq(goimports_path(&imports, S("chi")), S("m.org/go-chi/v5")));
	assert_null(goimports_path(&imports, S("nothing")).p);
	/* Steps. */
	size_t all = s.n;
	s.step = GOSTEP_OVER;
	s.n = 0;
	gofile_walk(&f, f.root, see, &s);
	assert_int_equal(s.n, 1);
	s.step = GOSTEP_STOP;
	s.n = 0;
	gofile_walk(&f, f.root, see, &s);
	assert_int_equal(s.n, 1);
	assert_true(all > 40);
	buf_free(&s.calls);
	gofile_free(&f);
}

static void what_is_no_go(void **state)
{
	struct err e = { 0 };
	struct gofile f;
	struct seen s = { .step = GOSTEP_INTO };
	CLEANUP(buf_free) struct buf b = { 0 };

	parse(S("package a\nfunc f() { g( }\nfunc h() {}\n\xff\xfe ]]] }\n"), &f);
	gofile_walk(&f, f.root, see, &s);
	assert_true(f.errors > 0);
	gofile_free(&f);
	parse((struct span){ 0 }, &f);
	s.n = 0;
	gofile_walk(&f, f.root, see, &s);
	assert_int_equal(s.n, 1);
	gofile_free(&f);
	assert_int_equal(gofile_parse(parser, S("package a\0"), &f, &e), -EBADMSG);
	assert_true(buf_need(&b, GOFILE_BYTES + 1));
	memset(b.p, ' ', GOFILE_BYTES + 1);
	assert_int_equal(gofile_parse(parser, (struct span){ b.p, GOFILE_BYTES + 1 }, &f, &e), -EFBIG);
	/* Deeper than is walked: named, and no crash. */
	buf_clear(&b);
	buf_adds(&b, "package a\nvar x = ");
	for (int i = 0; i < 10000; i++)
		buf_addc(&b, '(');
	buf_addc(&b, '1');
	for (int i = 0; i < 10000; i++)
		buf_addc(&b, ')');
	buf_addc(&b, '\n');
	s = (struct seen){ .step = GOSTEP_INTO };
	parse(buf_view(&b), &f);
	gofile_walk(&f, f.root, see, &s);
	assert_int_equal(f.cut, 1);
	assert_int_equal(s.deepest, GOFILE_DEPTH);
	gofile_free(&f);
	buf_free(&s.calls);
}

static void parts_of_a_file(void **state)
{
	struct span text = S(
		"package a\nimport \"time\"\n\nfunc f() { if else x }\n/* func */ func g() {\n\th(1)\n}\nvar s = `\nfunc z() {}\n`; func init() { k() }\n");
	static const enum gochunk_kind kinds[] = { GOCHUNK_HEAD, GOCHUNK_IMPORT, GOCHUNK_FUNC,
						   GOCHUNK_FUNC, GOCHUNK_VAR,    GOCHUNK_FUNC };
	struct gochunks at = { .text = text };
	struct gochunk c;
	struct span parts[3] = { 0 };
	struct seen s = { .step = GOSTEP_INTO };
	struct gofile f;
	struct err e;
	size_t n = 0, bytes = 0;

	for (; gochunks_next(&at, &c); n++) {
		assert_true(n < ARRAY_LEN(kinds) && c.kind == kinds[n] && c.init == (n == 5));
		bytes += c.text.n;
		if (n == 1 || n == 3 || n == 5)
			parts[n / 2] = c.text;
	}
	assert_int_equal(n, ARRAY_LEN(kinds));
	assert_int_equal(bytes, text.n);
	if (!parser)
		assert_int_equal(gosyntax_open(&parser, &e), 0);
	assert_int_equal(gofile_parse_parts(parser, text, parts, 3, &f, &e), 0);
	gofile_walk(&f, f.root, see, &s);
	assert_string_equal(buf_str(&s.calls), "|h@6:2 |k@10:18 ");
	assert_int_equal(f.errors, 0);
	gofile_free(&f);
	/* And the next file is read whole again. */
	parse(text, &f);
	gofile_walk(&f, f.root, see, &s);
	assert_true(f.errors > 0);
	gofile_free(&f);
	buf_free(&s.calls);
}

/* ---- what is registered late ---- */

static void note(void *ctx, enum register_id rule, TSNode at, const char *text)
{
	assert_true(*text != '\0');
	buf_addf(ctx, "%s:%d ", register_rules[rule].id + strlen("register."), go_line(at));
}

static void late(const char *body, const char *expect)
{
	static const char head[] =
		"package a; import (\"net/http\"; \"os/signal\"; \"time\"; \"google.golang.org/grpc\"; "
		"\"github.com/gin-gonic/gin\"; \"github.com/labstack/echo/v4\"; \"github.com/go-chi/chi/v5\"; "
		"\"github.com/gofiber/fiber/v2\"; \"github.com/gofiber/fiber/v2/middleware/logger\"; \"google.golang.org/grpc/reflection\"; pb \"m/pb\");";
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf got = { 0 };
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct goimports imports;
	struct gofile f;

	buf_addf(&text, "%s%s", head, body);
	/* All of it, and only the parts that are worth it: the same is found. */
	for (int whole = 0; whole < 2; whole++) {
		struct err e;
		size_t n = 0;
		const struct span *parts = go_late_parts(buf_view(&text), NULL, &mem, &n);
		buf_clear(&got);
		if (whole || !n)
			parse(buf_view(&text), &f);
		else
			assert_int_equal(gofile_parse_parts(parser, buf_view(&text), parts, n, &f, &e), 0);
		assert_true(n || !*expect);
		assert_int_equal(gofile_imports(&f, &mem, &imports), 0);
		assert_int_equal(imports.n, 11);
		assert_int_equal(go_late_find(&f, &imports, &mem, note, &got), 0);
		if (f.errors)
			fail_msg("is no Go: %s", body);
		gofile_free(&f);
		if (strcmp(buf_str(&got), expect) != 0)
			fail_msg("%s\ngives:   %s\ninstead: %s (whole %d)", body, buf_str(&got), expect,
				 whole);
	}
}

static void after_serve(void **state)
{
	late("func f() {\nhttp.ListenAndServe(a, nil)\nhttp.HandleFunc(\"/\", h)\n}", "after_serve:3 ");
	late("func f() {\nlog.Fatal(http.ListenAndServe(a, nil))\nhttp.Handle(\"/\", h)\n}",
	     "after_serve:3 ");
	late("func f() {\nif err := s.ListenAndServe(); err != nil {\nlog.Print(err)\n}\nhttp.HandleFunc(\"/\", h)\n}",
	     "after_serve:5 ");
	late("func f() {\nr := gin.Default()\nr.Run()\nif a {\nr.GET(\"/\", h)\n}\n}", "after_serve:5 ");
	late("func f() {\ne := echo.New()\ne.Start(a)\ne.POST(\"/\", h)\n}", "after_serve:4 ");
	/* Not: beside, in a function, in a branch, in another function, before. */
	late("func f() {\ngo http.ListenAndServe(a, nil)\nhttp.HandleFunc(\"/\", h)\n}", "");
	late("func f() {\ngo func() {\nhttp.ListenAndServe(a, nil)\n}()\nhttp.HandleFunc(\"/\", h)\n}", "");
	late("func f() {\nif x {\nhttp.ListenAndServe(a, nil)\n}\nhttp.HandleFunc(\"/\", h)\n}", "");
	late("func f() {\nhttp.HandleFunc(\"/\", h)\nhttp.ListenAndServe(a, nil)\n}\nfunc g() {\nhttp.HandleFunc(\"/\", h)\n}",
	     "");
	late("func f() {\nhttp.ListenAndServe(a, nil)\nx(func() {\nhttp.HandleFunc(\"/\", h)\n})\n}", "");
	late("func f(http T) {\nhttp.Serve(a, nil)\nhttp.HandleFunc(\"/\", h)\n}", "after_serve:3 ");
}

static void late_service(void **state)
{
	late("func f() {\ns := grpc.NewServer()\ngo s.Serve(l)\npb.RegisterEchoServer(s, x)\n}",
	     "late_service:4 ");
	late("func f() {\ns := grpc.NewServer()\ngo func() { s.Serve(l) }()\nreflection.Register(s)\n}",
	     "late_service:4 ");
	late("func f() {\ns := grpc.NewServer()\ng.Go(func() error { return s.Serve(l) })\npb.RegisterEchoServer(s, x)\n}",
	     "late_service:4 ");
	late("func f() {\ns := grpc.NewServer()\ns.Serve(l)\npb.RegisterEchoServer(s, x)\n}",
	     "after_serve:4 ");
	late("func f() {\ns := grpc.NewServer()\nrun := func() { s.Serve(l) }\npb.RegisterEchoServer(s, x)\nrun()\n}",
	     "");
	late("func f() {\ns := grpc.NewServer()\npb.RegisterEchoServer(s, x)\ngo s.Serve(l)\n}", "");
	/* Another one under the same name. */
	late("func f() {\ns := grpc.NewServer()\ngo s.Serve(l)\ns = grpc.NewServer()\npb.RegisterEchoServer(s, x)\n}",
	     "");
}

static void late_use(void **state)
{
	late("func f() {\nr := gin.New()\nr.GET(\"/\", h)\nr.Use(m)\nr.Run()\n}", "late_use:4 ");
	late("func f() *gin.Engine {\nr := gin.New()\nr.GET(\"/\", h)\nr.Use(m)\nreturn r\n}", "late_use:4 ");
	late("func f() {\nr := gin.New()\ng := r.Group(\"/\")\ng.GET(\"/\", h)\ng.Use(m)\n}", "late_use:5 ");
	late("func f() {\nr := chi.NewRouter()\nr.Get(\"/\", h)\nr.Use(m)\nr.Get(\"/b\", h)\n}",
	     "late_use:4 ");
	late("func f(r chi.Router) {\nr.Get(\"/\", h)\nr.Use(m)\n}", "late_use:3 ");
	late("func f() {\nr := chi.NewRouter()\nr.Route(\"/\", func(r chi.Router) {\nr.Use(m)\nr.Get(\"/\", h)\n})\n}",
	     "");
	late("func f() {\ne := echo.New()\ng := e.Group(\"/\")\ng.GET(\"/\", h)\ng.Use(m)\n}", "late_use:5 ");
	late("func f() {\na := fiber.New()\na.Get(\"/\", h)\na.Use(logger.New())\n}", "late_use:4 ");
	/* Not: a 404 page; echo's own Use; routes that follow; somebody else adds more; what a caller may add. */
	late("func f() {\na := fiber.New()\na.Get(\"/\", h)\na.Use(func(c *fiber.Ctx) error { return nil })\n}",
	     "");
	late("func f() {\ne := echo.New()\ne.GET(\"/\", h)\ne.Use(m)\n}", "");
	late("func f() {\nr := gin.New()\nr.GET(\"/\", h)\nr.Use(m)\nr.GET(\"/b\", h)\n}", "");
	late("func f() {\nr := gin.New()\nr.GET(\"/\", h)\nr.Use(m)\nmore(r)\n}", "");
	late("func f() {\nr := gin.New()\nr.GET(\"/\", h)\nr.Use(m)\nb := r.Group(\"/b\")\nb.GET(\"/\", h)\n}",
	     "");
	late("func f(r *gin.Engine) {\nr.GET(\"/\", h)\nr.Use(m)\n}", "");
	late("func f() {\nr := gin.New()\nr.Use(m)\nr.GET(\"/\", h)\n}", "");
}

static void unread(void **state)
{
	late("func f() {\nt := time.NewTicker(d)\ndefer t.Stop()\n}", "unread:2 ");
	late("func f() {\nvar t = time.NewTimer(d)\nt.Reset(d)\n_ = t\n}", "unread:2 ");
	late("func f() {\ntime.Tick(d)\n}", "unread:2 ");
	late("func f() {\n_ = time.NewTicker(d)\n}", "unread:2 ");
	late("func f() {\nc := make(chan int)\ngo func() {\nc <- 1\n}()\n}", "unread:4 ");
	late("func f() {\nc := make(chan int, 2)\nc <- 1\nclose(c)\n}", "unread:3 ");
	late("func f() {\nc := make(chan os.Signal, 1)\nsignal.Notify(c)\n}", "unread:3 ");
	/* Inner names hide outer ones. */
	late("func f() {\nc := make(chan int)\nif x {\nc := make(chan int)\nc <- 1\n}\n<-c\n}", "unread:5 ");
	late("func f() {\nc := make(chan int, 1)\nc <- 1\nfor _, c := range x {\n<-c\n}\n}", "");
	/* Not: read, given away, kept. */
	late("func f() {\nt := time.NewTicker(d)\nfor range t.C {\n}\n}", "");
	late("func f() {\nt := time.NewTicker(d)\ng(t)\n}", "");
	late("func f() {\nt := time.NewTicker(d)\nreturn t\n}", "");
	late("func f() {\nt := time.NewTicker(d)\ns.t = t\n}", "");
	late("func f() {\n<-time.After(d)\nselect {\ncase <-time.Tick(d):\n}\n}", "");
	late("func f() {\nc := make(chan int)\ngo func() {\nc <- 1\n}()\nselect {\ncase v := <-c:\n}\n}", "");
	late("func f() {\nc := make(chan int)\nc <- 1\nfor v := range c {\n}\n}", "");
	late("func f() {\nc := make(chan int, 1)\nc <- 1\nx := T{c}\n}", "");
	late("func f() {\nc := make(chan int, 1)\nc <- 1\nx = c\n}", "");
	late("func f() {\nc := make(chan int, 1)\nc <- 1\nfor len(c) > 0 {\n}\n}", "");
	late("func f() {\nt := time.NewTicker(d)\nt = g()\nt.Stop()\n}", "");
	late("func f() {\nc := make(chan os.Signal, 1)\nsignal.Notify(c)\n<-c\n}", "");
	late("var c = make(chan int)\nfunc f() {\nc <- 1\n}", "");
	late("var f = func() {\nt := time.NewTicker(d)\nt.Stop()\n}", "unread:2 ");
}

static void registered(void **state)
{
	static const struct {
		const char *text, *call, *detail;
	} rows[] = {
		{ "import \"net/http\"\nfunc init() { http.HandleFunc(\"/x\", h) }", "http.HandleFunc",
		  "/x" },
		{ "import \"database/sql\"\nfunc init() { if a { sql.Register(\"d\", x) } }", "sql.Register",
		  "d" },
		{ "import \"flag\"\nvar v = flag.Bool(\"v\", false, \"\")", "flag.Bool", "v" },
		{ "import \"m/reg\"\nvar _ = reg.RegisterThing(1)", "reg.RegisterThing", "" },
		{ "import p \"github.com/prometheus/client_golang/prometheus\"\nfunc init() { func() { p.MustRegister(c) }() }",
		  "p.MustRegister", "" },
		{ "import pb \"m/pb\"\nfunc Serve(s S) { pb.RegisterEchoServer(s, x) }",
		  "pb.RegisterEchoServer", "" },
		{ "import \"github.com/spf13/cobra\"\nvar _ cobra.Command\nfunc init() { root.AddCommand(c) }",
		  "root.AddCommand", "" },
		{ "import \"net/http\"\nfunc F() { http.HandleFunc(\"/x\", h) }", NULL, NULL },
		{ "import \"net/http\"\nfunc init() { later(func() { http.HandleFunc(\"/x\", h) }) }", NULL,
		  NULL },
		{ "import \"net/http\"\nfunc (t T) init() { http.HandleFunc(\"/x\", h) }", NULL, NULL },
		{ "func init() { Register(\"x\") }", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		CLEANUP(buf_free) struct buf text = { 0 };
		struct goimports imports;
		struct go_registered r;
		struct gofile f;

		buf_addf(&text, "package a\n%s\n", rows[i].text);
		parse(buf_view(&text), &f);
		assert_int_equal(gofile_imports(&f, &mem, &imports), 0);
		int found = go_registers(&f, &imports, &r);
		if (found != !!rows[i].call)
			fail_msg("%s: %d", rows[i].text, found);
		if (found) {
			assert_true(go_registers_worth(buf_view(&text)));
			assert_true(span_eq(r.call, span_of(rows[i].call)));
			assert_true(span_eq(r.detail, span_of(rows[i].detail)));
		}
		gofile_free(&f);
	}
}

static void without_memory(void **state)
{
	struct span text = S("package a\nimport \"time\"\nfunc f() { t := time.NewTicker(d); t.Stop() }\n");

	for (fault_at = 1;; fault_at++) {
		CLEANUP(arena_free) struct arena mem = { 0 };
		CLEANUP(buf_free) struct buf got = { 0 };
		struct syntax *p = NULL;
		struct goimports imports;
		struct gofile f = { 0 };
		struct err e = { 0 };
		fault_seen = 0;
		int r = gosyntax_open(&p, &e);
		r = r ? r : gofile_parse(p, text, &f, &e);
		r = r ? r : gofile_imports(&f, &mem, &imports);
		r = r ? r : go_late_find(&f, &imports, &mem, note, &got);
		gofile_free(&f);
		syntax_close(p);
		if (fault_seen < fault_at) {
			assert_int_equal(r, 0);
			break;
		}
	}
	assert_true(fault_at > 3);
	fault_at = 0;
}

static int end(void **state)
{
	syntax_close(parser);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_of_the_grammar),
		cmocka_unit_test(every_grammar_reads),
		cmocka_unit_test(calls_and_imports),
		cmocka_unit_test(parts_of_a_file),
		cmocka_unit_test(what_is_no_go),
		cmocka_unit_test(after_serve),
		cmocka_unit_test(late_service),
		cmocka_unit_test(late_use),
		cmocka_unit_test(unread),
		cmocka_unit_test(registered),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests_name("gosyntax", tests, NULL, end);
}
