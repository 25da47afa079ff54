#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>

#include "base/buf.h"
#include "base/mem.h"
#include "diagnose/match.h"

/*
 * One Aho-Corasick pass over the literals of all MATCH rows, then the regex of each row whose literal was
 * found, on a window around the find. The automaton is built and a regex compiled when first needed, because
 * a run that succeeds needs neither.
 */
enum {
	FINDS = 16,            /* the newest finds of a row that are tried with its regex */
	BEFORE = 2048,         /* the window begins with the find's line, at most so much before it */
	AFTER = 4096,          /* and goes on behind it: errors have continuation lines */
	MATCH_LIMIT = 200000,  /* steps of one PCRE2 match: hostile text must not cost more */
	DEPTH_LIMIT = 2000,
	HEAP_LIMIT_KIB = 4096,
	DEPTH = 10,            /* bytes of a literal that are states; the rest is compared: the table stays small */
	STATES_MAX = 0x7fff,
	GRAM = 4,              /* bytes that say whether a literal may begin near */
	GRAM_BITS = 17,
	FOUND = 0x8000,        /* in a transition: a literal ends in the new state */
};

struct literal {
	const char *p;
	uint16_t n, row;
	uint16_t next;         /* another literal that ends in the same state, + 1; 0: none */
};

struct row {
	size_t finds[FINDS];   /* ends of its literals in the text, a ring */
	size_t found;          /* how many since the scan began */
	pcre2_code *code;
	bool broken;           /* its regex did not compile: never matches */
};

struct match {
	bool built;
	uint8_t class[256];    /* byte to column; 0: in no literal */
	size_t classes, n_states, shortest;
	uint16_t *next;        /* [state * classes + class], FOUND set where a literal ends */
	uint16_t *ends;        /* [state] literal + 1 that ends there; 0: none */
	uint16_t *shorter;     /* [state] the longest proper suffix state in which a literal ends */
	uint8_t *grams;        /* a set of hashes of four bytes: those within the first bytes of a literal */
	struct literal *literals;
	size_t n_literals;
	struct row *rows;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	struct buf seen;       /* the text without what servers wrote */
};

int match_new(struct match **ret, struct err *e)
{
	struct match *m = mem_zalloc(sizeof(*m));

	if (!m)
		return err_set(e, ENOMEM, TR("no memory for the cause catalogue", "内存不足，无法载入原因目录"));
	*ret = m;
	return 0;
}

static void drop_automaton(struct match *m)
{
	mem_free(m->next);
	mem_free(m->ends);
	mem_free(m->shorter);
	mem_free(m->grams);
	mem_free(m->literals);
	mem_free(m->rows);
	m->next = m->ends = m->shorter = NULL;
	m->grams = NULL;
	m->literals = NULL;
	m->rows = NULL;
}

void match_free(struct match *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->rows && i < cause_match_count; i++)
		pcre2_code_free(m->rows[i].code);
	drop_automaton(m);
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->limits);
	buf_free(&m->seen);
	mem_free(m);
}

/* ---- building ---- */

/* Calls of `next` walk through the alternatives of every row. */
static bool next_literal(size_t *row, const char **at, struct literal *ret)
{
	while (*row < cause_match_count) {
		if (!*at)
			*at = cause_matches[*row].literals;
		if (**at) {
			size_t n = strcspn(*at, "|");
			*ret = (struct literal){ .p = *at, .n = (uint16_t)n, .row = (uint16_t)*row };
			*at += n + ((*at)[n] == '|');
			return true;
		}
		*at = NULL;
		++*row;
	}
	return false;
}

static size_t depth(const struct literal *l)
{
	return l->n < DEPTH ? l->n : DEPTH;
}

static bool allocate(struct match *m)
{
	const char *at = NULL;
	struct literal l;
	size_t row = 0, bytes = 1;

	m->n_literals = 0;
	m->shortest = SIZE_MAX;
	memset(m->class, 0, sizeof(m->class));
	m->classes = 1;
	while (next_literal(&row, &at, &l)) {
		m->n_literals++;
		bytes += depth(&l);
		m->shortest = l.n < m->shortest ? l.n : m->shortest;
		for (size_t i = 0; i < depth(&l); i++) {
			uint8_t *c = &m->class[(uint8_t)l.p[i]];
			if (!*c)
				*c = (uint8_t)m->classes++;
		}
	}
	if (bytes > STATES_MAX || m->shortest < GRAM)
		return false;
	m->next = mem_zalloc(bytes * m->classes * sizeof(*m->next));
	m->ends = mem_zalloc(bytes * sizeof(*m->ends));
	m->shorter = mem_zalloc(bytes * sizeof(*m->shorter));
	m->grams = mem_zalloc(1 << (GRAM_BITS - 3));
	m->literals = mem_alloc(m->n_literals * sizeof(*m->literals));
	m->rows = mem_zalloc(cause_match_count * sizeof(*m->rows));
	return m->next && m->ends && m->shorter && m->grams && m->literals && m->rows;
}

static inline uint32_t gram(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (v * 2654435761u) >> (32 - GRAM_BITS);
}

/*
 * The scan looks at every stride-th place only: a literal that begins before it shows one of these there.
 */
static void learn_grams(struct match *m, const struct literal *l)
{
	for (size_t i = 0; i + GRAM <= m->shortest; i++) {
		uint32_t g = gram(l->p + i);
		m->grams[g >> 3] |= (uint8_t)(1u << (g & 7));
	}
}

static void build_trie(struct match *m)
{
	const char *at = NULL;
	struct literal l;
	size_t row = 0, n = 0;

	m->n_states = 1;
	while (next_literal(&row, &at, &l)) {
		size_t state = 0;
		for (size_t i = 0; i < depth(&l); i++) {
			uint16_t *to = &m->next[state * m->classes + m->class[(uint8_t)l.p[i]]];
			if (!*to)
				*to = (uint16_t)m->n_states++;
			state = *to;
		}
		l.next = m->ends[state];
		m->literals[n] = l;
		m->ends[state] = (uint16_t)++n;
		learn_grams(m, &l);
	}
}

/* Breadth first: a state's missing transitions are those of its longest proper suffix. */
static bool build_links(struct match *m)
{
	uint16_t *queue = mem_alloc(m->n_states * 2 * sizeof(*queue)), *fail = queue + m->n_states;
	size_t head = 0, tail = 0, width = m->classes;

	if (!queue)
		return false;
	queue[tail++] = 0;
	fail[0] = 0;
	while (head < tail) {
		size_t s = queue[head++], f = fail[s];
		for (size_t c = 0; c < width; c++) {
			uint16_t *to = &m->next[s * width + c];
			uint16_t other = s ? m->next[f * width + c] & STATES_MAX : 0;
			if (!*to) {
				*to = other;
				continue;
			}
			fail[*to] = other;
			m->shorter[*to] = m->ends[other] ? other : m->shorter[other];
			queue[tail++] = *to;
		}
	}
	mem_free(queue);
	for (size_t i = 0; i < m->n_states * width; i++) {
		if (m->ends[m->next[i]] || m->shorter[m->next[i]])
			m->next[i] |= FOUND;
	}
	return true;
}

static bool build(struct match *m)
{
	if (m->built)
		return true;
	if (allocate(m)) {
		build_trie(m);
		m->built = build_links(m);
	}
	if (!m->built)
		drop_automaton(m);
	return m->built;
}

/* ---- scanning ---- */

static void note_find(struct match *m, const struct literal *l, struct span text, size_t at, unsigned where)
{
	size_t known = depth(l), rest = l->n - known;
	struct row *row = &m->rows[l->row];

	if (!(cause_matches[l->row].where & where) || text.n - at < rest)
		return;
	if (memcmp(text.p + at, l->p + known, rest) == 0)
		row->finds[row->found++ % FINDS] = at + rest;
}

/* A state stands for what was read last and for all its endings. */
static void note_finds(struct match *m, size_t state, struct span text, size_t at, unsigned where)
{
	for (; state; state = m->shorter[state]) {
		for (size_t i = m->ends[state]; i; i = m->literals[i - 1].next)
			note_find(m, &m->literals[i - 1], text, at, where);
	}
}

/* Run the automaton from `at` at least to `until`, and on while it is inside a literal. */
static size_t run(struct match *m, struct span text, size_t at, size_t until, unsigned where)
{
	size_t state = 0;

	while (at < text.n && (state || at <= until)) {
		uint16_t to = m->next[state * m->classes + m->class[(uint8_t)text.p[at++]]];
		state = to & STATES_MAX;
		if (to & FOUND)
			note_finds(m, state, text, at, where);
	}
	return at;
}

static void scan(struct match *m, struct span text, unsigned where)
{
	const uint8_t *grams = m->grams;
	size_t reach = m->shortest - GRAM, done = 0; /* no literal that begins before `done` is still to be found */

	for (size_t at = reach; at + GRAM <= text.n; at += reach + 1) {
		uint32_t g = gram(text.p + at);
		if (!(grams[g >> 3] >> (g & 7) & 1))
			continue;
		done = run(m, text, at - reach > done ? at - reach : done, at, where);
		at = done - 1;
	}
}

/* ---- what a server wrote is not the go command's word ---- */

#define RESPONSE S("server response:")

static struct span take_line(struct span *rest)
{
	size_t nl = span_chr(*rest, '\n');
	struct span line = span_head(*rest, nl == SPAN_NONE ? rest->n : nl + 1);

	*rest = span_from(*rest, line.n);
	return line;
}

/* Two words of theirs count: a proxy that gave up fetching a module says 404. A lie costs a retry. */
#define TIMED_OUT S("fetch timed out")

static void keep_timed_out(struct match *m, struct span words)
{
	if (span_find(words, TIMED_OUT) != SPAN_NONE)
		buf_adds(&m->seen, "\tserver response: fetch timed out\n");
}

/* An answer of one line stays on the line; a longer one follows, indented by a TAB. */
static struct span without_responses(struct match *m, struct span text)
{
	if (span_find(text, RESPONSE) == SPAN_NONE)
		return text;
	bool inside = false;
	buf_clear(&m->seen);
	while (text.n) {
		struct span line = take_line(&text), words = line;
		while (words.n && (words.p[0] == '\t' || words.p[0] == ' '))
			words = span_from(words, 1);
		bool indented = words.n < line.n;
		if (inside && indented && line.p[0] == '\t') {
			keep_timed_out(m, words);
			continue;
		}
		inside = indented && span_skip(&words, RESPONSE);
		if (!inside) {
			buf_span(&m->seen, line);
			continue;
		}
		inside = !span_trim(words).n;
		keep_timed_out(m, words);
	}
	return m->seen.bad ? (struct span){ 0 } : buf_view(&m->seen);
}

/* ---- confirming ---- */

static bool prepare(struct match *m, struct row *row, const char *regex)
{
	int code;
	PCRE2_SIZE at;

	if (row->code || row->broken)
		return !row->broken;
	if (!m->limits) {
		m->limits = pcre2_match_context_create(NULL);
		m->data = pcre2_match_data_create(8, NULL);
		if (!m->limits || !m->data)
			return false;
		pcre2_set_match_limit(m->limits, MATCH_LIMIT);
		pcre2_set_depth_limit(m->limits, DEPTH_LIMIT);
		pcre2_set_heap_limit(m->limits, HEAP_LIMIT_KIB);
	}
	row->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
				  PCRE2_MULTILINE | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_UTF, &code, &at, NULL);
	row->broken = !row->code;
	if (row->code) /* where it is impossible the interpreter does the same */
		(void)pcre2_jit_compile(row->code, PCRE2_JIT_COMPLETE);
	return !row->broken;
}

/* Where the row's last proof in text ends. */
static bool confirm(struct match *m, size_t i, struct span text, size_t *end)
{
	const char *regex = cause_matches[i].regex;
	struct row *row = &m->rows[i];
	size_t tries = row->found < FINDS ? row->found : FINDS;

	if (!regex && row->found) {
		*end = row->finds[(row->found - 1) % FINDS];
		return true;
	}
	for (size_t k = 0; k < tries && prepare(m, row, regex); k++) {
		size_t find = row->finds[(row->found - 1 - k) % FINDS];
		size_t from = find - 1, low = find > BEFORE ? find - BEFORE : 0;
		while (from > low && text.p[from - 1] != '\n')
			from--;
		struct span window = span_head(span_from(text, from), find - from + AFTER);
		if (pcre2_match(row->code, (PCRE2_SPTR)window.p, window.n, 0, 0, m->data, m->limits) > 0) {
			*end = from + pcre2_get_ovector_pointer(m->data)[1];
			return true;
		}
	}
	return false;
}

/* Security, resource, network and configuration, permanent; in each, what is believed in any text only comes last. */
static int rank(const struct cause_match *row)
{
	int strength = row->classes[0] == 'S' ? 3 : row->classes[0] == 'R' ? 2 : row->classes[0] == 'P' ? 0 : 1;

	return strength * 2 + (row->where != IN_ANY);
}

const struct cause_match *match_text(struct match *m, struct span text, unsigned where)
{
	const struct cause_match *best = NULL;
	size_t best_end = 0, end;

	if (!text.n || !build(m))
		return NULL;
	text = without_responses(m, text);
	if (!text.p)
		return NULL;
	for (size_t i = 0; i < cause_match_count; i++)
		m->rows[i].found = 0;
	scan(m, text, where);
	for (size_t i = 0; i < cause_match_count; i++) {
		const struct cause_match *row = &cause_matches[i];
		if (!m->rows[i].found || (best && rank(row) < rank(best)))
			continue;
		if (!confirm(m, i, text, &end))
			continue;
		/* at one place the row that stands first in the table is the more particular one */
		if (best && rank(row) == rank(best) && end <= best_end)
			continue;
		best = row;
		best_end = end;
	}
	return best;
}
