/* An inner `tocsin run` tells the outer ones what it came to, so that there is one verdict. */
#include "run/inner.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "run/nested.h"
#include "run/run.h"

#define TOLD_MAX 50      /* findings that one run tells, the most important first */
#define TAKEN_MAX 500    /* of all inner runs */
#define EXCERPT_TOLD 3500
#define TEXT_TOLD 1000

enum { WORD_CAUSE, WORD_SEVERITY, WORD_PACKAGE, WORD_TEST, WORD_FILE, WORD_LINE, WORD_MESSAGE, WORD_EXCERPT, WORD_ADVICE, WORDS };

/* ---- the outer side ---- */

static struct finding *inner_add(struct inner *in)
{
	if (in->n == TAKEN_MAX) {
		in->dropped++;
		return NULL;
	}
	if (!mem_grow(&in->v, &in->cap, in->n, sizeof(*in->v)))
		return NULL;
	in->v[in->n] = (struct finding){ 0 };
	return &in->v[in->n++];
}

/* An empty word is an absent fact. */
static struct span word_keep(struct arena *mem, const char *word)
{
	return *word ? arena_span(mem, span_of(word)) : (struct span){ 0 };
}

void inner_take(struct inner *in, const struct shim_msg *m, const char *text)
{
	const char *word[WORDS];
	int64_t line;

	if (m->words != WORDS)
		return;
	for (size_t i = 0; i < WORDS; i++, text += strlen(text) + 1)
		word[i] = text;
	enum cause c = cause_by_id(span_of(word[WORD_CAUSE]));
	struct finding *f = c != CAUSE_NONE ? inner_add(in) : NULL;
	if (!f)
		return;
	f->cause = c;
	f->rule = arena_span(&in->mem, cause_rule(span_of(word[WORD_CAUSE]))).p;
	f->severity = *word[WORD_SEVERITY] == 'e' ? SEV_ERROR : *word[WORD_SEVERITY] == 'w' ? SEV_WARNING : SEV_NOTE;
	f->package = word_keep(&in->mem, word[WORD_PACKAGE]);
	f->test = word_keep(&in->mem, word[WORD_TEST]);
	f->file = word_keep(&in->mem, word[WORD_FILE]);
	f->line = span_int(span_of(word[WORD_LINE]), &line) && line > 0 && line < INT_MAX ? (int)line : 0;
	f->message = word_keep(&in->mem, word[WORD_MESSAGE]);
	f->excerpt = word_keep(&in->mem, word[WORD_EXCERPT]);
	f->advice = word_keep(&in->mem, word[WORD_ADVICE]);
}

bool inner_give(const struct inner *in, struct report *r)
{
	r->inner = arena_alloc(&r->mem, (in->n + 1) * sizeof(*r->inner));
	r->n_inner = r->inner ? in->n : 0;
	for (size_t i = 0; i < r->n_inner; i++) {
		struct finding *f = &r->inner[i];
		*f = in->v[i];
		struct span *texts[] = { &f->package, &f->test, &f->file, &f->message, &f->excerpt, &f->advice };
		for (size_t k = 0; k < ARRAY_LEN(texts); k++)
			*texts[k] = texts[k]->p ? arena_span(&r->mem, *texts[k]) : *texts[k];
		f->rule = arena_span(&r->mem, span_of(f->rule)).p;
	}
	if (in->dropped)
		list_add(&r->mem, &r->limits, arena_printf(&r->mem,
			TR("inner runs told more than %d findings; %zu are not listed", "内层运行上报的问题超过 %d 个，其中 %zu 个未列出"),
			TAKEN_MAX, in->dropped));
	return r->inner != NULL;
}

void inner_free(struct inner *in)
{
	mem_free(in->v);
	arena_free(&in->mem);
}

/* ---- the inner side ---- */

static void word_put(struct shim_packet *p, struct span s, size_t most)
{
	CLEANUP(buf_free) struct buf z = { 0 };

	buf_span(&z, utf8_head(span_head(s, span_chr(s, '\0')), most));
	shim_packet_word(p, buf_str(&z));
}

static void finding_put(struct shim_packet *p, const struct finding *f)
{
	static const char *const severities[] = { [SEV_ERROR] = "error", [SEV_WARNING] = "warning", [SEV_NOTE] = "note" };
	CLEANUP(buf_free) struct buf line = { 0 };
	char id[CAUSE_ID_MAX];

	buf_addf(&line, "%d", f->line);
	shim_packet_start(p, SHIM_FINDING);
	shim_packet_word(p, finding_cause_id(f, id));
	shim_packet_word(p, severities[f->severity]);
	word_put(p, f->package, TEXT_TOLD);
	word_put(p, f->test, TEXT_TOLD);
	word_put(p, f->file, TEXT_TOLD);
	shim_packet_word(p, buf_str(&line));
	word_put(p, f->message, TEXT_TOLD);
	word_put(p, f->excerpt, EXCERPT_TOLD);
	word_put(p, f->advice, TEXT_TOLD);
}

static bool is_worth_telling(const struct report *r, const struct finding *f)
{
	/* With exit 0 the errors were meant to be recorded only. A failure that was swallowed there is told as a call. */
	return f->severity == SEV_WARNING || (f->severity == SEV_ERROR && r->exit_code != 0 && f->cause != CAUSE_PIPE_MASKED);
}

static void findings_send(int fd, struct shim_packet *p, const struct report *r)
{
	size_t told = 0;

	for (size_t i = 0; i < r->n_findings && told < TOLD_MAX; i++) {
		if (!is_worth_telling(r, &r->findings[i]))
			continue;
		finding_put(p, &r->findings[i]);
		if (!shim_send(fd, p))
			return;
		told++;
	}
}

static void settled_add(struct buf *b, const struct report *r)
{
	for (size_t i = 0; i < r->n_commands && b->len < SHIM_PACKET / 4; i++) {
		const struct nested *n = &r->commands[i];
		if (n->pid && (n->allowed || n->recovered))
			buf_addf(b, "%s%d", b->len ? "," : "", n->pid);
	}
}

static void verdict_put(struct shim_packet *p, const struct report *r, bool allowed)
{
	static const char *const call[] = { "tocsin", "run", "--" };
	CLEANUP(buf_free) struct buf settled = { 0 };
	char cwd[PATH_MAX];

	settled_add(&settled, r);
	shim_packet_start(p, SHIM_VERDICT);
	p->m.code = r->exit_code;
	p->m.flags = allowed ? SHIM_ALLOW : 0;
	shim_packet_word(p, nested_run_id());
	shim_packet_word(p, getcwd(cwd, sizeof(cwd)) ? cwd : "");
	shim_packet_word(p, buf_str(&settled));
	for (size_t i = 0; i < ARRAY_LEN(call); i++)
		shim_packet_word(p, call[i]);
	for (size_t i = 0; i < r->argv.n && shim_packet_word(p, r->argv.v[i]); i++)
		;
}

bool run_tell_outer(const struct report *r)
{
	const char *outer = getenv("TOCSIN_RUN"), *off = getenv("TOCSIN_SHIM"), *allow = getenv("TOCSIN_ALLOW");
	CLEANUP(mem_free) struct shim_packet *p = mem_alloc(sizeof(*p));
	bool allowed = allow && !strcmp(allow, "1"), heard = false;

	if (!p || !outer || (off && !strcmp(off, "off")))
		return false;
	for (struct span rest = span_of(outer); rest.n;) {
		struct span name = span_cut(&rest, ',');
		CLEANUP(fd_close) int fd = shim_connect(name.p, name.n);
		if (fd < 0)
			continue;
		if (!allowed)
			findings_send(fd, p, r);
		verdict_put(p, r, allowed);
		heard |= shim_send(fd, p);
	}
	return heard;
}
