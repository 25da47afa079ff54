#include "check/ci/make.h"

#include "base/mem.h"

/* References filled in, as far as the file tells what they are. */

#define DEPTH_MAX 10        /* values inside of values */
#define BYTES_MAX (1 << 16) /* that one line may become */

/* Names that everybody gives to these programs, when the file itself does not say. */
static const struct {
	const char *name, *value;
} known[] = {
	{ "MAKE", "make" },
	{ "GO", "go" },
	{ "GOCMD", "go" },
	{ "GO_CMD", "go" },
	{ "GO_BIN", "go" },
	{ "GOTOOL", "go" },
	{ "GOTEST", "go test" },
	{ "GO_TEST", "go test" },
	{ "GOVET", "go vet" },
	{ "GO_VET", "go vet" },
	{ "GOBUILD", "go build" },
	{ "GO_BUILD", "go build" },
	{ "GOGENERATE", "go generate" },
	{ "GORUN", "go run" },
	{ "GO_RUN", "go run" },
	{ "GOFMT", "gofmt" },
	{ "GOLANGCI_LINT", "golangci-lint" },
	{ "GOLANGCILINT", "golangci-lint" },
	{ "GOLANGCI", "golangci-lint" },
	{ "GOLINT", "golangci-lint" },
	{ "STATICCHECK", "staticcheck" },
	{ "GOVULNCHECK", "govulncheck" },
	{ "GOTESTSUM", "gotestsum" },
	{ "GINKGO", "ginkgo" },
};

/* Where the text comes from: n 0: the bytes themselves are in the file; else from the value of the reference at [at, at + n). */
struct origin {
	uint32_t at, n;
	unsigned depth;
	struct span name, value; /* what foreach counts with; value absent: not known */
};
static void expand(struct make *m, struct mapped *out, struct span raw, uint32_t at,
		   const struct make_scope *in, const struct origin *from);

static void pay(struct make *m, size_t n)
{
	m->budget -= n < m->budget ? n : m->budget;
}

static void put(struct make *m, struct mapped *out, struct span bytes, uint32_t at, const struct origin *from)
{
	pay(m, bytes.n);
	if (out->text.len + bytes.n > BYTES_MAX)
		return;
	if (from->n)
		mapped_as(out, bytes, from->at, from->n);
	else
		mapped_add(out, bytes, at);
}

static void mask(struct mapped *out, char c, uint32_t at, size_t n, const struct origin *from)
{
	if (from->n)
		mapped_mask(out, c, from->at, from->n);
	else if (out->text.len + n <= BYTES_MAX)
		mapped_mask(out, c, at, (uint32_t)n);
}

size_t make_close(struct span text, size_t at)
{
	char open = text.p[at], close = open == '(' ? ')' : '}';
	int depth = 0;

	for (size_t i = at; i < text.n; i++) {
		depth += text.p[i] == open;
		if (text.p[i] == close && --depth == 0)
			return i;
	}
	return SPAN_NONE;
}

const struct make_var *make_var(const struct make *m, struct span name)
{
	return map_get(&m->vars, name);
}

/* Nothing but what keeps make or the line quiet: `@`. */
static bool is_quiet(const struct make_var *v)
{
	for (const struct make_part *p = v->parts; p; p = p->next)
		for (size_t i = 0; i < p->raw.n; i++)
			if (p->raw.p[i] != '@' && p->raw.p[i] != ' ')
				return false;
	return true;
}

static bool is_plain(const struct make_var *v)
{
	return !v->from_shell && !v->lines && v->sets <= 1 &&
	       !(v->conditional && v->parts && span_starts(v->parts->raw, S("-")));
}

/* A value that a function makes ("$(shell command -v go)") is known by the name alone. */
static bool is_made(const struct make_var *v)
{
	return v->parts && (span_starts(v->parts->raw, S("$(shell")) ||
			    span_starts(v->parts->raw, S("$(or")) || span_starts(v->parts->raw, S("$(if")));
}

static const char *usual_value(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (span_eq(name, span_of(known[i].name)))
			return known[i].value;
	return NULL;
}

static bool put_value(struct make *m, struct mapped *out, struct span name, const struct make_scope *in,
		      const struct origin *from)
{
	const struct make_var *v = make_var(m, name);
	const char *usual = usual_value(name);

	if (from->name.n && span_eq(name, from->name)) {
		if (from->value.n)
			put(m, out, from->value, from->at, from);
		return from->value.n > 0;
	}
	if (from->depth >= DEPTH_MAX)
		return false;
	if (v && is_plain(v) && !(usual && is_made(v))) {
		struct make_scope own = { in->target, false };
		for (const struct make_part *p = v->parts; p; p = p->next) {
			if (p->conditional && p != v->parts)
				continue;
			if (p != v->parts)
				put(m, out, S(" "), 0, from);
			expand(m, out, p->raw, p->at, &own, from);
		}
		return true;
	}
	if (v && is_quiet(v))
		return true;
	if (usual)
		put(m, out, span_of(usual), from->at, from);
	return usual != NULL;
}

/* foreach NAME,LIST,BODY: BODY again and again; twice shows what happens to the status of all but the last. */
static bool put_loop(struct make *m, struct mapped *out, struct span inner, uint32_t at,
		     const struct make_scope *in, const struct origin *from)
{
	int depth = 0;
	size_t comma[2], n = 0;

	for (size_t i = 0; i < inner.n && n < 2; i++) {
		depth += inner.p[i] == '(' || inner.p[i] == '{';
		depth -= inner.p[i] == ')' || inner.p[i] == '}';
		if (inner.p[i] == ',' && depth == 0)
			comma[n++] = i;
	}
	if (n < 2 || from->depth >= DEPTH_MAX)
		return false;
	struct origin body_from = {
		from->at, from->n, from->depth + 1, span_trim(span_head(inner, comma[0])), { 0 }
	};
	struct span body = span_from(inner, comma[1] + 1), words, word;
	CLEANUP(mapped_free) struct mapped list = { 0 };
	expand(m, &list, (struct span){ inner.p + comma[0] + 1, comma[1] - comma[0] - 1 }, 0, in,
	       &(struct origin){ 0, 1, from->depth + 1, from->name, from->value });
	words = mapped_keep(m->f, &list);
	for (int i = 0; i < 2; i++) {
		if (i)
			put(m, out, S(" "), at, from);
		body_from.value = make_word(&words, &word) && *word.p != '_' ? word : (struct span){ 0 };
		expand(m, out, body, at + (uint32_t)comma[1] + 1, in, &body_from);
	}
	return true;
}

/* Is it a function of make's, or a substitution: something that is not just a name? */
static bool is_name(struct span inner)
{
	for (size_t i = 0; i < inner.n; i++)
		if (strchr(" \t\n,:$%()\"'", inner.p[i]))
			return false;
	return inner.n > 0;
}

static bool automatic(struct span name)
{
	return name.n && strchr("@<^?*+|%", *name.p) &&
	       (name.n == 1 || (name.n == 2 && (name.p[1] == 'D' || name.p[1] == 'F')));
}

/* The reference raw[i…end], `inner` between its brackets. */
static void put_reference(struct make *m, struct mapped *out, struct span raw, size_t i, size_t end,
			  struct span inner, uint32_t at, const struct make_scope *in,
			  const struct origin *from)
{
	struct origin here = { at + (uint32_t)i, (uint32_t)(end - i), from->depth + 1, from->name,
			       from->value };
	struct span rest = inner;
	bool done = false;

	pay(m, inner.n + 16);
	if (from->n)
		here = (struct origin){ from->at, from->n, from->depth + 1, from->name, from->value };
	if (span_skip(&rest, S("foreach ")))
		done = put_loop(m, out, rest, at + (uint32_t)(rest.p - raw.p), in, from);
	else if (span_skip(&rest, S("call ")))
		done = put_value(m, out, span_trim(span_cut(&rest, ',')), in, &here);
	else if (span_eq(inner, S("@")) && in->target.n)
		put(m, out, in->target, at, &here), done = true;
	else if (is_name(inner) && !automatic(inner))
		done = put_value(m, out, inner, in, &here);
	if (done)
		return;
	/* At the start and right before the command: a prefix like `@`, of whatever value. */
	bool prefix = out->text.len == 0 && from->depth == 0 && end < raw.n && !strchr(" \t\n/.", raw.p[end]);
	mask(out, prefix ? ' ' : '_', at + (uint32_t)i, end - i, from);
}

static size_t skip_continued(struct make *m, struct mapped *out, struct span raw, size_t i, uint32_t at,
			     const struct make_scope *in, const struct origin *from)
{
	size_t nl = i + 1 + (i + 1 < raw.n && raw.p[i + 1] == '\r');

	if (in->recipe) { /* the shell sees the backslash and the newline, but not the tab of the next line */
		put(m, out, (struct span){ raw.p + i, nl + 1 - i }, at + (uint32_t)i, from);
		return nl + 1 + (nl + 1 < raw.n && raw.p[nl + 1] == m->prefix);
	}
	put(m, out, S(" "), at + (uint32_t)i, from);
	while (nl + 1 < raw.n && (raw.p[nl + 1] == ' ' || raw.p[nl + 1] == '\t'))
		nl++;
	return nl + 1;
}

static bool continued(struct span raw, size_t i)
{
	return raw.p[i] == '\\' && i + 1 < raw.n &&
	       (raw.p[i + 1] == '\n' || (raw.p[i + 1] == '\r' && i + 2 < raw.n && raw.p[i + 2] == '\n'));
}

static void expand(struct make *m, struct mapped *out, struct span raw, uint32_t at,
		   const struct make_scope *in, const struct origin *from)
{
	bool unclosed = false;

	for (size_t i = 0, next; i < raw.n && m->budget; i = next) {
		for (next = i; next < raw.n && raw.p[next] != '$' && !continued(raw, next);)
			next++;
		if (next > i) {
			put(m, out, (struct span){ raw.p + i, next - i }, at + (uint32_t)i, from);
			continue;
		}
		if (raw.p[i] != '$') {
			next = skip_continued(m, out, raw, i, at, in, from);
			continue;
		}
		char c = i + 1 < raw.n ? raw.p[i + 1] : 0;
		size_t end = (c == '(' || c == '{') && !unclosed ? make_close(raw, i + 1) : SPAN_NONE;
		next = i + 2 < raw.n ? i + 2 : raw.n;
		if (c == '$') {
			put(m, out, S("$"), at + (uint32_t)i, from);
		} else if (end != SPAN_NONE) {
			next = end + 1;
			put_reference(m, out, raw, i, next, (struct span){ raw.p + i + 2, end - i - 2 }, at,
				      in, from);
		} else if (c == '(' || c == '{' || !c) {
			unclosed = true;
			mask(out, '_', at + (uint32_t)i, next - i, from);
		} else {
			put_reference(m, out, raw, i, next, (struct span){ raw.p + i + 1, 1 }, at, in, from);
		}
	}
}

void make_expand(struct make *m, struct mapped *out, struct span raw, uint32_t at,
		 const struct make_scope *in)
{
	expand(m, out, raw, at, in, &(struct origin){ 0 });
	m->bad |= out->bad;
}

struct span make_value(struct make *m, struct span name)
{
	const struct make_var *v = make_var(m, name);
	CLEANUP(mapped_free) struct mapped out = { 0 };

	if (!v)
		return (struct span){ 0 };
	for (const struct make_part *p = v->parts; p; p = p->next) {
		make_expand(m, &out, p->raw, p->at, &(struct make_scope){ 0 });
		buf_addc(&out.text, ' ');
	}
	return mapped_keep(m->f, &out);
}
