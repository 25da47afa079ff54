#include "probe/expect.h"

#include <errno.h>

#include "base/mem.h"
#include "base/text.h"
#include "parse/version.h"

/* Does what is expected hold in this binary? One small function a kind. */

struct checking {
	const struct probe *p;
	struct report *r;
	struct expectation *x;
};

bool name_matches(const char *pattern, struct span name)
{
	return strpbrk(pattern, "*?") ? text_glob(pattern, name) : span_eq(span_of(pattern), name);
}

/* The asterisk of a pointer receiver, "(*T)", stands for itself: (*Server) is not (*OtherServer). "(*)" is any receiver. */
static bool is_receiver(const char *p, const char *start)
{
	return *p == '*' && p > start && p[-1] == '(' && p[1] != ')';
}

bool function_matches(const char *pattern, struct span name)
{
	const char *p = pattern, *star = NULL;
	size_t i = 0, back = 0;

	while (i < name.n) {
		if (*p == '*' && !is_receiver(p, pattern)) {
			star = p++;
			back = i;
		} else if (*p && (*p == '?' || *p == name.p[i])) {
			p++;
			i++;
		} else if (star) {
			p = star + 1;
			i = ++back;
		} else {
			return false;
		}
	}
	while (*p == '*' && !is_receiver(p, pattern))
		p++;
	return !*p;
}

const char *probe_absent_why(const struct probe *p, enum probe_part part)
{
	for (size_t i = 0; i < p->n_absent; i++) {
		if (p->absent[i].part == part)
			return p->absent[i].why;
	}
	return NULL;
}

struct span probe_revision(const struct probe *p)
{
	struct span own = probe_setting(p, "vcs.revision");
	struct pseudo_version v;

	if (own.n)
		return own;
	if (p->main.path.n && version_pseudo(p->main.version, &v))
		return v.revision;
	return (struct span){ 0 };
}

const char *expect_state_word(enum expect_state s)
{
	static const char *const words[] = {
		[EXPECT_HOLDS] = "holds",         [EXPECT_INLINED] = "inlined",
		[EXPECT_NOT_FOUND] = "not_found", [EXPECT_DIFFERS] = "differs",
		[EXPECT_NOT_KNOWN] = "not_known",
	};
	return words[s];
}

/* ---- findings ---- */

static const char *rule_of(enum expect_kind k)
{
	static const char *const rules[EXPECT_KINDS] = {
		[EXPECT_GO] = "probe.go",
		[EXPECT_PATH] = "probe.path",
		[EXPECT_VERSION] = "probe.version",
		[EXPECT_REVISION] = "probe.revision",
		[EXPECT_CLEAN] = "probe.clean",
		[EXPECT_TAGS] = "probe.tags",
		[EXPECT_SETTING] = "probe.setting",
		[EXPECT_MODULE] = "probe.module",
		[EXPECT_FUNC] = "probe.func",
		[EXPECT_PACKAGE] = "probe.package",
		[EXPECT_EMBED] = "probe.embed",
		[EXPECT_RELEASE] = "probe.devel",
		[EXPECT_NO_REPLACE] = "probe.replace",
		[EXPECT_BUILD_ID] = "probe.build_id",
		[EXPECT_PLUGIN] = "probe.plugin",
	};
	return rules[k];
}

#define SAY(c, cause, state, ...) say((c), (state), report_say((c)->r, (cause), __VA_ARGS__))

static struct finding *say(const struct checking *c, enum expect_state state, struct finding *f)
{
	c->x->state = state;
	if (!f)
		return NULL;
	f->rule = rule_of(c->x->kind);
	if (c->x->warn)
		f->severity = SEV_WARNING;
	if (c->x->file) {
		f->file = report_text(c->r, "%s", c->x->file);
		f->line = c->x->line;
	}
	return f;
}

/* The binary does not say it at all. */
static void not_known(struct checking *c, enum probe_part part)
{
	const char *why = probe_absent_why(c->p, part);

	SAY(c, CAUSE_ACT_MISMATCH, EXPECT_NOT_KNOWN,
	    TR("%s was expected, and the binary does not say it%s%s", "预期 %s，而二进制未提供此信息%s%s"),
	    c->x->said, why ? TR(": ", "：") : "", why ? why : "");
}

static void differs(struct checking *c, struct span is)
{
	SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
	    TR("%s was expected, the binary has %.*s", "预期 %s，二进制为 %.*s"), c->x->said, SPAN_ARG(is));
}

/* ---- versions ---- */

/* How versions of one kind are told and put in order. */
struct order {
	bool (*valid)(struct span v);
	int (*compare)(struct span a, struct span b);
	struct span prefix; /* that may be left out */
};

/* go1.26.8, "go1.26.8 X:nodwarf5", go1.26.8-custom: 1.26.8 */
static struct span bare_go(struct span v)
{
	span_skip(&v, S("go"));
	v = span_cut(&v, ' ');
	return span_cut(&v, '-');
}

static bool valid_go(struct span v)
{
	return goversion_valid(bare_go(v));
}

static int compare_go(struct span a, struct span b)
{
	return goversion_compare(bare_go(a), bare_go(b));
}

static const struct order order_go = { valid_go, compare_go, { "go", 2 } },
			  order_module = { version_valid, version_compare, { NULL, 0 } };

bool expect_version_fine(enum expect_kind kind, struct span want)
{
	const struct order *o = kind == EXPECT_GO ? &order_go : &order_module;

	want = span_trim(want);
	if (!want.n || !strchr("<>!", want.p[0]))
		return want.n > 0;
	bool other = span_skip(&want, S("!="));
	if (!other && (span_skip(&want, S("<")) || span_skip(&want, S(">"))))
		span_skip(&want, S("="));
	return o->valid(span_trim(want)) || (other && span_eq(span_trim(want), S("(devel)")));
}

/*
 * "v1.2.3", ">=v1.2.3", "<v2.0.0", "!=v1.5.0". A plain one must be the same text. What is no version, such as (devel) or a
 * replacement, is neither before nor after any.
 */
static bool version_fits(struct span is, struct span want, const struct order *o)
{
	static const struct {
		struct span op;
		bool less, same, more;
	} ops[] = { { { ">=", 2 }, false, true, true },
		    { { "<=", 2 }, true, true, false },
		    { { "!=", 2 }, true, false, true },
		    { { ">", 1 }, false, false, true },
		    { { "<", 1 }, true, false, false } };

	want = span_trim(want);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (!span_skip(&want, ops[i].op))
			continue;
		want = span_trim(want);
		if (!o->valid(is) || !o->valid(want))
			return ops[i].less && ops[i].more && !span_eq(is, want);
		int r = o->compare(is, want);
		return r < 0 ? ops[i].less : r > 0 ? ops[i].more : ops[i].same;
	}
	if (o->prefix.n && !span_starts(want, o->prefix))
		span_skip(&is, o->prefix);
	if (o == &order_go &&
	    span_chr(want, ' ') == SPAN_NONE) /* "go1.26.8 X:nodwarf5": what it was built with too */
		is = span_cut(&is, ' ');
	return span_eq(is, want);
}

static void check_go(struct checking *c)
{
	if (!c->p->go_version.n)
		not_known(c, PROBE_PART_GO_VERSION);
	else if (!version_fits(c->p->go_version, span_of(c->x->value), &order_go))
		differs(c, c->p->go_version);
}

static void check_path(struct checking *c)
{
	if (!c->p->path.n)
		not_known(c, PROBE_PART_BUILD_INFO);
	else if (!name_matches(c->x->value, c->p->path))
		differs(c, c->p->path);
}

static void check_version(struct checking *c)
{
	if (!c->p->main.path.n)
		not_known(c, PROBE_PART_MODULE);
	else if (!version_fits(c->p->main.version, span_of(c->x->value), &order_module))
		differs(c, c->p->main.version);
}

static const struct probe_module *find_module(const struct probe *p, struct span path)
{
	if (span_eq(p->main.path, path))
		return &p->main;
	for (size_t i = 0; i < p->n_deps; i++) {
		if (span_eq(p->deps[i].path, path))
			return &p->deps[i];
	}
	return NULL;
}

/* Which module's code it is in the end, as one text: "v1.2.3", or "=> ../fork" */
static struct span what_runs(struct checking *c, const struct probe_module *m)
{
	const struct probe_module *by = m->replaced_by;

	if (!by)
		return m->version;
	return report_text(c->r, "=> %.*s%s%.*s", SPAN_ARG(by->path), by->version.n ? " " : "",
			   SPAN_ARG(by->version));
}

static void gone_or_there(struct checking *c, bool there)
{
	if (there)
		SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
		    TR("module %s was not expected, and is in the build", "不应有模块 %s，而构建中有"),
		    c->x->name);
	else
		SAY(c, CAUSE_ACT_NOT_LINKED, EXPECT_NOT_FOUND,
		    TR("module %s was expected, and the build has none of its packages",
		       "预期有模块 %s，而构建中没有它的任何包"),
		    c->x->name);
}

static void check_module(struct checking *c)
{
	struct span want = span_of(c->x->value);
	bool absent = span_eq(want, S("absent"));

	if (!c->p->build_info) {
		not_known(c, PROBE_PART_MODULE);
		return;
	}
	const struct probe_module *m = find_module(c->p, span_of(c->x->name));
	if (!m || absent) {
		if (!m != absent)
			gone_or_there(c, m != NULL);
		return;
	}
	struct span is = what_runs(c, m);
	bool fits = false;
	if (span_starts(want, S("=>"))) {
		fits = m->replaced_by && span_eq(span_trim(span_from(want, 2)), span_trim(span_from(is, 2)));
	} else {
		if (m->replaced_by &&
		    span_eq(m->replaced_by->path, m->path)) /* by another version of its own */
			is = m->replaced_by->version;
		fits = version_fits(is, want, &order_module);
	}
	if (!fits)
		SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
		    TR("module %s: %s was expected, the binary has %.*s", "模块 %s：预期 %s，二进制为 %.*s"),
		    c->x->name, c->x->value, SPAN_ARG(is));
}

/* Of every module: no version but a released one; no replacement. */
static void check_modules(struct checking *c)
{
	bool devel = c->x->kind == EXPECT_RELEASE;

	if (!c->p->build_info || (devel && !c->p->main.path.n)) {
		not_known(c, PROBE_PART_MODULE);
		return;
	}
	for (size_t i = 0; i <= c->p->n_deps; i++) {
		const struct probe_module *m = i ? &c->p->deps[i - 1] : &c->p->main;
		if (!m->path.n)
			continue;
		if (devel && (span_eq(m->version, S("(devel)")) || !m->version.n))
			SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
			    TR("module %.*s has no version: %.*s", "模块 %.*s 没有版本：%.*s"),
			    SPAN_ARG(m->path), SPAN_ARG(m->version));
		if (!devel && m->replaced_by)
			SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
			    TR("module %.*s is replaced: %.*s", "模块 %.*s 被替换：%.*s"), SPAN_ARG(m->path),
			    SPAN_ARG(what_runs(c, m)));
	}
}

/* ---- settings ---- */

static void check_revision(struct checking *c)
{
	struct span is = probe_revision(c->p), want = span_of(c->x->value);
	size_t n = is.n < want.n ? is.n : want.n;

	if (is.n < 7)
		not_known(c, PROBE_PART_VCS);
	else if (strncasecmp(is.p, want.p, n))
		differs(c, is);
}

static void check_clean(struct checking *c)
{
	struct span modified = probe_setting(c->p, "vcs.modified");

	if (span_eq(modified, S("true")) || span_ends(c->p->main.version, S("+dirty")))
		SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
		    TR("a clean tree was expected; it was built with uncommitted changes",
		       "预期工作区干净，而构建时有未提交的修改"));
	else if (!span_eq(modified, S("false")))
		not_known(c, PROBE_PART_VCS);
}

static bool has_word(struct span list, struct span word)
{
	while (list.n) {
		struct span one = span_trim(span_cut(&list, ','));
		if (one.n && span_eq(one, word))
			return true;
	}
	return false;
}

static bool all_in(struct span some, struct span all)
{
	while (some.n) {
		struct span one = span_trim(span_cut(&some, ','));
		if (one.n && !has_word(all, one))
			return false;
	}
	return true;
}

static void check_tags(struct checking *c)
{
	struct span is = probe_setting(c->p, "-tags"), want = span_of(c->x->value);

	if (!c->p->build_info)
		not_known(c, PROBE_PART_BUILD_INFO);
	else if (!all_in(is, want) || !all_in(want, is))
		SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
		    TR("the tags '%s' were expected, it was built with '%.*s'",
		       "预期标签“%s”，构建时为“%.*s”"),
		    c->x->value, SPAN_ARG(is));
}

static void check_setting(struct checking *c)
{
	struct span is = probe_setting(c->p, c->x->name), want = span_of(c->x->value);
	bool quiet = is.p == NULL && span_eq(probe_setting(c->p, "-trimpath"), S("true")) &&
		     (!strcmp(c->x->name, "-ldflags") || span_ends(span_of(c->x->name), S("FLAGS")));

	if (!c->p->build_info) {
		not_known(c, PROBE_PART_BUILD_INFO);
	} else if (quiet) {
		SAY(c, CAUSE_ACT_MISMATCH, EXPECT_NOT_KNOWN,
		    TR("%s was expected; it was built with -trimpath, which leaves this setting out: it cannot be told",
		       "预期 %s；构建时用了 -trimpath，该设置不会被记录：无法得知"),
		    c->x->said);
	} else if (!is.p ? !span_eq(want, S("absent")) && want.n : !span_eq(is, want)) {
		is = is.p ? is : S("");
		SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
		    TR("%s was expected; it was built with %s=%.*s", "预期 %s；构建时为 %s=%.*s"), c->x->said,
		    c->x->name, SPAN_ARG(is));
	}
}

static void check_build_id(struct checking *c)
{
	struct span is = c->p->build_id, want = span_of(c->x->value);

	if (!is.n && !c->p->link_id.n)
		not_known(c, PROBE_PART_BUILD_ID);
	else if (!span_eq(is, want) && !span_eq(probe_build_id_content(is), probe_build_id_content(want)) &&
		 !span_eq(c->p->link_id, want))
		differs(c, is.n ? is : c->p->link_id);
}

/* ---- code ---- */

static enum probe_state function_state(const struct probe *p, const char *pattern)
{
	enum probe_state best = PROBE_NOT_FOUND;

	if (!strpbrk(pattern, "*?"))
		return probe_function(p, span_of(pattern));
	for (size_t i = 0; i < p->n_funcs; i++) {
		if (function_matches(pattern, span_of(p->funcs[i].name)))
			return PROBE_LINKED;
	}
	for (size_t i = 0; i < p->n_inlined && !best; i++) {
		if (function_matches(pattern, span_of(p->inlined[i].name)))
			best = PROBE_INLINED;
	}
	return best;
}

static void not_linked(struct checking *c, struct span text)
{
	struct finding *f = SAY(c, CAUSE_ACT_NOT_LINKED, EXPECT_NOT_FOUND, "%.*s", SPAN_ARG(text));

	if (f)
		f->advice = report_text(
			c->r, "%s",
			TR("The linker drops what nobody reaches. See where it was lost: `tocsin check active NAME --binary BIN`.",
			   "链接器会丢弃不可达的代码。查看它在何处丢失：`tocsin check active 名称 --binary 程序`。"));
}

static void check_func(struct checking *c)
{
	const char *why = probe_absent_why(c->p, PROBE_PART_FUNCTIONS);

	if (!c->p->n_funcs) {
		SAY(c, CAUSE_ACT_NOT_LINKED, EXPECT_NOT_KNOWN,
		    TR("function %s was expected; which functions there are cannot be told%s%s",
		       "预期有函数 %s；无法得知有哪些函数%s%s"),
		    c->x->name, why ? TR(": ", "：") : "", why ? why : "");
		return;
	}
	enum probe_state s = function_state(c->p, c->x->name);
	if (s == PROBE_INLINED)
		c->x->state = EXPECT_INLINED;
	else if (s == PROBE_NOT_FOUND)
		not_linked(
			c,
			report_text(
				c->r,
				TR("function %s is neither linked nor inlined; that alone does not prove that it is inactive (it may have become nothing, or constants), but it was expected",
				   "函数 %s 既未链接也未内联；仅凭此不能证明它未生效（可能被优化为空或常量），但它在预期之中"),
				c->x->name));
}

static void check_package(struct checking *c)
{
	bool glob = strpbrk(c->x->name, "*?") != NULL;

	if (!c->p->n_packages) {
		not_known(c, PROBE_PART_FUNCTIONS);
		return;
	}
	if (!glob && probe_package(c->p, span_of(c->x->name)))
		return;
	for (size_t i = 0; glob && i < c->p->n_packages; i++) {
		if (text_glob(c->x->name, c->p->packages[i].path))
			return;
	}
	not_linked(
		c,
		report_text(
			c->r,
			TR("no function of package %s is linked or inlined; a package of types and constants alone leaves no trace, but it was expected",
			   "包 %s 没有任何函数被链接或内联；只有类型和常量的包不留痕迹，但它在预期之中"),
			c->x->name));
}

static void check_embed(struct checking *c)
{
	char hex[2 * SHA256_SIZE + 1] = "";
	bool found = false, hashed = false;

	for (size_t i = 0; i < c->p->n_embeds; i++) {
		const struct probe_embed *m = &c->p->embeds[i];
		if (m->directory || !span_eq(m->name, span_of(c->x->name)))
			continue;
		found = true;
		if (!c->x->value || !*c->x->value)
			return;
		if (!m->hashed)
			continue;
		hashed = true;
		hex_lower(m->sha256, SHA256_SIZE, hex);
		if (!strcasecmp(hex, c->x->value))
			return;
	}
	if (!found && probe_absent_why(c->p, PROBE_PART_EMBEDS))
		not_known(c, PROBE_PART_EMBEDS);
	else if (!found)
		not_linked(c, report_text(c->r,
					  TR("no embed.FS of the binary has a file %s",
					     "二进制的 embed.FS 中没有文件 %s"),
					  c->x->name));
	else if (hashed)
		SAY(c, CAUSE_ACT_MISMATCH, EXPECT_DIFFERS,
		    TR("the embedded file %s is another one: its SHA-256 is %s",
		       "嵌入文件 %s 不是预期的那个：其 SHA-256 为 %s"),
		    c->x->name, hex);
	else
		SAY(c, CAUSE_ACT_MISMATCH, EXPECT_NOT_KNOWN,
		    TR("the content of the embedded file %s could not be read", "无法读取嵌入文件 %s 的内容"),
		    c->x->name);
}

static int check_plugin(struct checking *c, struct err *e)
{
	CLEANUP(probe_free) struct probe plugin = { 0 };
	size_t first = c->r->n_findings;

	int r = probe_file(c->x->name, NULL, &plugin, e);
	if (r == 0)
		r = plugin_check(c->p, &plugin, c->x->name, c->r);
	if (r == -ENOMEM)
		err_set(e, ENOMEM, TR("no memory", "内存不足"));
	for (size_t i = first; i < c->r->n_findings; i++)
		say(c, EXPECT_DIFFERS, &c->r->findings[i]);
	return r < 0 ? r : 0;
}

int expect_judge(struct expect *x, const struct probe *p, struct report *r, struct err *e)
{
	static void (*const checks[EXPECT_KINDS])(struct checking * c) = {
		[EXPECT_GO] = check_go,
		[EXPECT_PATH] = check_path,
		[EXPECT_VERSION] = check_version,
		[EXPECT_REVISION] = check_revision,
		[EXPECT_CLEAN] = check_clean,
		[EXPECT_TAGS] = check_tags,
		[EXPECT_SETTING] = check_setting,
		[EXPECT_MODULE] = check_module,
		[EXPECT_FUNC] = check_func,
		[EXPECT_PACKAGE] = check_package,
		[EXPECT_EMBED] = check_embed,
		[EXPECT_RELEASE] = check_modules,
		[EXPECT_NO_REPLACE] = check_modules,
		[EXPECT_BUILD_ID] = check_build_id,
	};
	struct checking c = { .p = p, .r = r };

	for (size_t i = 0; i < x->n; i++) {
		c.x = &x->v[i];
		c.x->state = EXPECT_HOLDS;
		int n = 0;
		if (checks[c.x->kind])
			checks[c.x->kind](&c);
		else
			n = check_plugin(&c, e);
		if (n < 0)
			return n;
	}
	return r->lost ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : 0;
}

void expect_json(const struct expect *x, struct json_out *j)
{
	json_open(j, '[');
	for (size_t i = 0; i < x->n; i++) {
		json_open(j, '{');
		json_member_strz(j, "expect", x->v[i].said);
		json_member_strz(j, "state", expect_state_word(x->v[i].state));
		json_member_bool(j, "holds", x->v[i].state <= EXPECT_INLINED);
		json_close(j, '}');
	}
	json_close(j, ']');
}
