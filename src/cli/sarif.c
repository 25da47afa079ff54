#include "cli/sarif.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/time.h"
#include "check/rule.h"

#define SCHEMA  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
#define RESULTS 25000 /* GitHub refuses a file with more in a run; findings come the worst first */

/* What a result is made from, whether a finding of a run or a fault of the library. */
struct result {
	struct span cause, message, excerpt, package, test, file, fingerprint, owner, id;
	const char *baseline;   /* NULL: no library was asked */
	const char *suppressed; /* why; NULL: it is not */
	enum severity severity;
	const struct place *places;
	size_t n_places;
	int line, column;
	int end_line, end_column; /* 0: not known */
	char line_hash[32]; /* of the text of its line, for services that follow it by that; "": not known */
	int64_t count;      /* 0: not known */
	const struct edit *edits; /* what would mend it */
	size_t n_edits;
	struct span advice; /* in words */
};

struct rules {
	struct span ids[CAUSE_COUNT + 256];
	size_t n;
};

struct sarif {
	struct json_out j;
	struct rules rules;
	const char *dir; /* that files are relative to, below the source root; NULL: the root */
	struct arena mem;
};

static void put(struct json_out *j, const char *key, const char *value)
{
	json_key(j, key);
	json_strz(j, value);
}

static void put_span(struct json_out *j, const char *key, struct span value)
{
	if (!value.n)
		return;
	json_key(j, key);
	json_str(j, value);
}

static void put_int(struct json_out *j, const char *key, int64_t value)
{
	json_key(j, key);
	json_int(j, value);
}

static void open_obj(struct json_out *j, const char *key)
{
	json_key(j, key);
	json_open(j, '{');
}

static void open_list(struct json_out *j, const char *key)
{
	json_key(j, key);
	json_open(j, '[');
}

static void put_text(struct json_out *j, const char *key, struct span text)
{
	open_obj(j, key);
	json_key(j, "text");
	json_str(j, text.n ? text : S("?"));
	json_close(j, '}');
}

/* ---- rules ---- */

/* The rule's place in the list; -1: the list is full. */
static int rule_index(struct rules *l, struct span id, bool add)
{
	for (size_t i = 0; i < l->n; i++) {
		if (span_eq(l->ids[i], id))
			return (int)i;
	}
	if (!add || l->n == ARRAY_LEN(l->ids))
		return -1;
	l->ids[l->n] = id;
	return (int)l->n++;
}

static const char *level(enum severity s)
{
	return s == SEV_ERROR ? "error" : s == SEV_WARNING ? "warning" : "note";
}

/* A lint rule's own row. */
static void put_lint_rule(struct json_out *j, const struct rule *r)
{
	CLEANUP(buf_free) struct buf help = { 0 };

	put(j, "name", r->id);
	put_text(j, "shortDescription", span_of(tx(r->title)));
	put_text(j, "fullDescription", span_of(tx(r->why)));
	buf_addf(&help, "%s\n\n%s\n\n", tx(r->why), tx(r->advice));
	buf_addf(&help, TR("`tocsin check rules %s` shows examples.", "`tocsin check rules %s` 可查看示例。"),
		 r->id);
	open_obj(j, "help");
	put(j, "text", buf_str(&help));
	put(j, "markdown", buf_str(&help));
	json_close(j, '}');
	open_obj(j, "defaultConfiguration");
	json_member_bool(j, "enabled", r->on);
	put(j, "level", level(r->severity));
	json_close(j, '}');
	open_obj(j, "properties");
	open_list(j, "tags");
	for (unsigned i = 0; *rule_language_word(1u << i); i++)
		if (r->languages & 1u << i)
			json_strz(j, rule_language_word(1u << i));
	json_close(j, ']');
	json_close(j, '}');
}

static void put_rule(struct json_out *j, struct span id)
{
	const struct cause_info *c = &cause_table[cause_by_id(id)];
	const struct rule *r = rule_find(cause_rule(id));

	json_open(j, '{');
	json_key(j, "id");
	json_str(j, id);
	if (r) {
		put_lint_rule(j, r);
	} else if (c->id) {
		put_text(j, "shortDescription", span_of(tx(c->mean)));
		if (c->advice.en)
			put_text(j, "help", span_of(tx(c->advice)));
		open_obj(j, "defaultConfiguration");
		put(j, "level", level(c->severity));
		json_close(j, '}');
		open_obj(j, "properties");
		open_list(j, "tags");
		for (const char *k = c->classes; k && *k; k++)
			json_strz(j, class_word(*k));
		json_close(j, ']');
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void put_tool(struct sarif *s)
{
	struct json_out *j = &s->j;

	open_obj(j, "tool");
	open_obj(j, "driver");
	put(j, "name", "Tocsin");
	put(j, "version", TOCSIN_VERSION);
	put(j, "semanticVersion", TOCSIN_VERSION);
	put(j, "language", TR("en", "zh"));
	open_list(j, "rules");
	for (size_t i = 0; i < s->rules.n; i++)
		put_rule(j, s->rules.ids[i]);
	json_close(j, ']');
	json_close(j, '}');
	json_close(j, '}');
}

/* ---- places ---- */

/* A path as a URI reference: what is no plain character is percent-encoded, a first element with a colon gets "./". */
static void add_uri(struct buf *b, struct span path)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,;=@:";

	if (span_chr(span_head(path, span_chr(path, '/')), ':') != SPAN_NONE)
		buf_adds(b, "./");
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] && strchr(plain, path.p[i]))
			buf_addc(b, path.p[i]);
		else
			buf_addf(b, "%%%02X", (unsigned)(unsigned char)path.p[i]);
	}
}

static void put_artifact(struct sarif *s, struct span file)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf uri = { 0 };
	struct json_out *j = &s->j;
	bool absolute = file.n && file.p[0] == '/';

	while (span_skip(&file, S("./")))
		;
	if (!absolute && s->dir && strcmp(s->dir, ".") != 0 && s->dir[0] != '/')
		buf_addf(&path, "%s/", s->dir);
	buf_span(&path, file);
	buf_adds(&uri, absolute ? "file://" : "");
	add_uri(&uri, buf_view(&path));
	open_obj(j, "artifactLocation");
	json_key(j, "uri");
	json_str(j, buf_view(&uri));
	if (!absolute)
		put(j, "uriBaseId", "SRCROOT");
	json_close(j, '}');
	j->to->bad |= path.bad || uri.bad;
}

static void put_region(struct json_out *j, const char *key, int line, int column, int end_line,
		       int end_column)
{
	open_obj(j, key);
	put_int(j, "startLine", line);
	if (column > 0)
		put_int(j, "startColumn", column);
	if (end_line > 0) {
		put_int(j, "endLine", end_line);
		put_int(j, "endColumn", end_column);
	}
	json_close(j, '}');
}

static void put_physical(struct sarif *s, struct span file, const struct result *at)
{
	struct json_out *j = &s->j;

	open_obj(j, "physicalLocation");
	put_artifact(s, file);
	if (at && at->line > 0)
		put_region(j, "region", at->line, at->column, at->end_line, at->end_column);
	json_close(j, '}');
}

static void put_logical(struct sarif *s, struct span package, struct span test)
{
	CLEANUP(buf_free) struct buf name = { 0 };
	struct json_out *j = &s->j;

	if (!package.n && !test.n)
		return;
	buf_span(&name, package);
	if (test.n) {
		buf_adds(&name, package.n ? "." : "");
		buf_span(&name, test);
	}
	open_list(j, "logicalLocations");
	json_open(j, '{');
	json_key(j, "fullyQualifiedName");
	json_str(j, buf_view(&name));
	put(j, "kind", test.n ? "function" : "module");
	json_close(j, '}');
	json_close(j, ']');
}

static void put_place(struct sarif *s, const struct result *r)
{
	if (!r->file.n && !r->package.n && !r->test.n)
		return;
	json_open(&s->j, '{');
	if (r->file.n)
		put_physical(s, r->file, r);
	put_logical(s, r->package, r->test);
	json_close(&s->j, '}');
}

/* The first place is where; the others are what it took down too. */
static void put_places(struct sarif *s, const struct result *r)
{
	struct json_out *j = &s->j;
	int id = 0;

	open_list(j, "locations");
	put_place(s, r);
	json_close(j, ']');
	if (r->n_places < 2)
		return;
	open_list(j, "relatedLocations");
	for (size_t i = 1; i < r->n_places && i < 100; i++) {
		const struct place *p = &r->places[i];
		if (!p->file.n && !p->package.n)
			continue;
		json_open(j, '{');
		put_int(j, "id", id++);
		if (p->file.n)
			put_physical(s, p->file, &(struct result){ .line = p->line });
		put_logical(s, p->package, (struct span){ 0 });
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* ---- results ---- */

static void put_properties(struct json_out *j, const struct result *r)
{
	open_obj(j, "properties");
	put_span(j, "fault", r->id);
	if (r->count)
		put_int(j, "count", r->count);
	put_span(j, "owner", r->owner);
	put_span(j, "excerpt", r->excerpt);
	json_close(j, '}');
}

/* What would mend it: one change of one file. */
static void put_fix(struct sarif *s, const struct result *r)
{
	struct json_out *j = &s->j;

	open_list(j, "fixes");
	json_open(j, '{');
	if (r->advice.n)
		put_text(j, "description", r->advice);
	open_list(j, "artifactChanges");
	json_open(j, '{');
	put_artifact(s, r->file);
	open_list(j, "replacements");
	for (size_t i = 0; i < r->n_edits; i++) {
		const struct edit *e = &r->edits[i];
		json_open(j, '{');
		put_region(j, "deletedRegion", e->line, e->wide, e->end_line, e->end_wide);
		open_obj(j, "insertedContent");
		json_member_str(j, "text", e->text);
		json_close(j, '}');
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
	json_close(j, ']');
	json_close(j, '}');
	json_close(j, ']');
}

static void put_result(struct sarif *s, const struct result *r)
{
	struct json_out *j = &s->j;
	int rule = rule_index(&s->rules, r->cause, false);

	json_open(j, '{');
	put_span(j, "ruleId", r->cause);
	if (rule >= 0)
		put_int(j, "ruleIndex", rule);
	put(j, "level", level(r->severity));
	put_text(j, "message", r->message);
	put_places(s, r);
	if (r->fingerprint.n || *r->line_hash) {
		open_obj(j, "partialFingerprints");
		put_span(j, "tocsin/v1", r->fingerprint);
		if (*r->line_hash)
			put(j, "primaryLocationLineHash", r->line_hash);
		json_close(j, '}');
	}
	if (r->baseline)
		put(j, "baselineState", r->baseline);
	if (r->suppressed) {
		open_list(j, "suppressions");
		json_open(j, '{');
		put(j, "kind", "external");
		put(j, "status", "accepted");
		put(j, "justification", r->suppressed);
		json_close(j, '}');
		json_close(j, ']');
	}
	if (r->count > 0)
		put_int(j, "occurrenceCount", r->count);
	if (r->n_edits)
		put_fix(s, r);
	put_properties(j, r);
	json_close(j, '}');
}

/* ---- the two kinds of logs ---- */

static void begin(struct sarif *s)
{
	struct json_out *j = &s->j;

	json_open(j, '{');
	put(j, "$schema", SCHEMA);
	put(j, "version", "2.1.0");
	open_list(j, "runs");
	json_open(j, '{');
	put_tool(s);
	open_obj(j, "originalUriBaseIds"); /* where it lies is the reader's to say */
	open_obj(j, "SRCROOT");
	put_text(j, "description", span_of(TR("the top of the source tree", "源码树的顶层目录")));
	json_close(j, '}');
	json_close(j, '}');
}

static void end(struct sarif *s)
{
	json_close(&s->j, '}');
	json_close(&s->j, ']');
	json_close(&s->j, '}');
	buf_addc(s->j.to, '\n');
}

static const char *baseline_of(const struct fault_ref *f)
{
	if (!f->id || !f->state)
		return NULL;
	return !strcmp(f->state, "new") || !strcmp(f->state, "regressed") ? "new" : "unchanged";
}

static struct span id_of(struct sarif *s, const struct finding *f)
{
	char mem[CAUSE_ID_MAX];
	const char *id = finding_cause_id(f, mem);
	struct span kept = id == mem ? arena_span(&s->mem, span_of(id)) : span_of(id);

	s->j.to->bad |= id && !kept.p;
	return kept;
}

static struct result of_finding(struct sarif *s, const struct finding *f)
{
	const char *mean = tx(cause_table[f->cause].mean);
	bool wide = f->wide > 0;

	return (struct result){
		.cause = id_of(s, f),
		.end_line = wide ? f->end_line : 0,
		.end_column = f->end_wide,
		.message = f->message.n ? f->message : span_of(mean),
		.excerpt = f->excerpt,
		.package = f->package,
		.test = f->test,
		.file = f->file,
		.line = f->line,
		.column = wide ? f->wide : f->column,
		.severity = f->severity,
		.fingerprint = span_of(f->fingerprint),
		.baseline = baseline_of(&f->fault),
		.owner = f->owners.n ? span_of(f->owners.v[0]) : (struct span){ 0 },
		.id = span_of(f->fault.id),
		.count = f->fault.id ? f->fault.count : 0,
		.places = f->places,
		.n_places = f->n_places,
		.edits = f->edits,
		.n_edits = f->n_edits,
		.advice = f->advice,
	};
}

static void put_notification(struct json_out *j, struct span text)
{
	json_open(j, '{');
	put(j, "level", "warning");
	put_text(j, "message", text);
	json_close(j, '}');
}

/* What was not looked at, and bounds that were hit. */
static void put_notifications(struct json_out *j, const struct report *r)
{
	CLEANUP(buf_free) struct buf more = { 0 };

	if (!r->limits.n && r->n_findings <= RESULTS)
		return;
	open_list(j, "toolExecutionNotifications");
	for (size_t i = 0; i < r->limits.n; i++)
		put_notification(j, span_of(r->limits.v[i]));
	if (r->n_findings > RESULTS) {
		buf_addf(&more,
			 TR("%zu more findings are left out: services take %d results of a run",
			    "另有 %zu 项发现未列出：平台每次运行最多接收 %d 条结果"),
			 r->n_findings - RESULTS, RESULTS);
		put_notification(j, buf_view(&more));
	}
	json_close(j, ']');
	j->to->bad |= more.bad;
}

/* Only what is an address for others too: git also knows "host:path" and folders. */
static void put_origin(struct json_out *j, const struct report *r)
{
	struct span uri = span_of(r->repository);

	if (span_find(uri, S("://")) == SPAN_NONE || span_starts(uri, S("file:")) ||
	    strpbrk(r->repository, " \"<>\\^`{|}"))
		return;
	open_list(j, "versionControlProvenance");
	json_open(j, '{');
	put(j, "repositoryUri", r->repository);
	put_span(j, "revisionId", span_of(r->ci.commit));
	put_span(j, "branch", span_of(r->ci.branch));
	open_obj(j, "mappedTo");
	put(j, "uriBaseId", "SRCROOT");
	json_close(j, '}');
	json_close(j, '}');
	json_close(j, ']');
}

static void put_invocation(struct json_out *j, const struct report *r)
{
	CLEANUP(buf_free) struct buf line = { 0 };
	char at[32];

	open_list(j, "invocations");
	json_open(j, '{');
	for (size_t i = 0; i < r->argv.n; i++)
		buf_addf(&line, "%s%s", i ? " " : "", r->argv.v[i]);
	put_span(j, "commandLine", buf_view(&line));
	if (r->started > 0) {
		time_rfc3339(r->started, at);
		put(j, "startTimeUtc", at);
		time_rfc3339(r->started + r->duration_ns, at);
		put(j, "endTimeUtc", at);
	}
	if (r->is_run && r->ending.how == END_EXIT)
		put_int(j, "exitCode", r->ending.code);
	if (r->is_run && r->ending.how == END_SIGNAL)
		put_int(j, "exitSignalNumber", r->ending.sig);
	if (!r->is_run)
		put_int(j, "exitCode", r->exit_code);
	/* Of the tool, whose work is done; the command's own end stands beside it. */
	json_key(j, "executionSuccessful");
	json_bool(j, r->outcome != OUTCOME_NOT_STARTED);
	put_notifications(j, r);
	json_close(j, '}');
	json_close(j, ']');
}

static bool same_line(const struct finding *a, const struct finding *b)
{
	return a->rule && b->rule && !strcmp(a->rule, b->rule) && span_eq(a->file, b->file) &&
	       span_eq(span_trim(a->excerpt), span_trim(b->excerpt));
}

/* The rule and the text of the line, and which of the equal ones of its file it is: as it stays when lines move. */
static void line_hash(const struct report *r, size_t at, struct result *ret)
{
	const struct finding *f = &r->findings[at];
	unsigned char sum[SHA256_SIZE];
	struct sha256 s;
	char hex[2 * SHA256_SIZE + 1];
	int nth = 1;

	if (f->cause != CAUSE_CHECK_RULE || !f->rule || !f->excerpt.n)
		return;
	for (size_t i = at; i > 0 && at - i < 200; i--)
		nth += same_line(&r->findings[i - 1], f);
	sha256_begin(&s);
	sha256_more(&s, span_of(f->rule));
	sha256_more(&s, span_trim(f->excerpt));
	sha256_end(&s, sum);
	hex_lower(sum, sizeof(sum), hex);
	snprintf(ret->line_hash, sizeof(ret->line_hash), "%.16s:%d", hex, nth);
}

void sarif_write(const struct report *r, struct buf *ret)
{
	struct sarif s = { .j = { .to = ret }, .dir = r->cwd };

	for (size_t i = 0; i < r->n_findings && i < RESULTS; i++)
		rule_index(&s.rules, id_of(&s, &r->findings[i]), true);
	begin(&s);
	put(&s.j, "columnKind", "utf16CodeUnits");
	put_invocation(&s.j, r);
	put_origin(&s.j, r);
	open_list(&s.j, "results");
	for (size_t i = 0; i < r->n_findings && i < RESULTS; i++) {
		struct result one = of_finding(&s, &r->findings[i]);
		line_hash(r, i, &one);
		put_result(&s, &one);
	}
	json_close(&s.j, ']');
	end(&s);
	arena_free(&s.mem);
}

static struct result of_fault(const struct fault *f, const struct finding *last, char id[32])
{
	snprintf(id, 32, "T-%lld", (long long)f->seq);
	return (struct result){
		.cause = f->cause,
		.message = f->title,
		.excerpt = last ? last->excerpt : (struct span){ 0 },
		.package = f->package,
		.test = f->test,
		.file = f->file,
		.line = f->line,
		.severity = f->severity,
		.fingerprint = f->fingerprint,
		.baseline = f->state == FAULT_RESOLVED || f->state == FAULT_MERGED ? "absent"
			    : f->state == FAULT_REGRESSED || f->count < 2          ? "new"
										   : "unchanged",
		.suppressed = f->state == FAULT_IGNORED
				      ? TR("ignored in the fault library", "已在故障库中忽略")
				      : NULL,
		.owner = f->owner,
		.id = span_of(id),
		.count = f->count,
	};
}

void sarif_write_faults(const struct fault *faults, const struct finding *lasts, size_t n, struct buf *ret)
{
	struct sarif s = { .j = { .to = ret } };

	for (size_t i = 0; i < n; i++)
		rule_index(&s.rules, faults[i].cause, true);
	begin(&s);
	open_list(&s.j, "results");
	for (size_t i = 0; i < n; i++) {
		char id[32];
		struct result one = of_fault(&faults[i], lasts ? &lasts[i] : NULL, id);
		put_result(&s, &one);
	}
	json_close(&s.j, ']');
	end(&s);
}
