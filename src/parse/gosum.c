#include "parse/gosum.h"

#include "base/mem.h"
#include "parse/fields.h"
#include "parse/version.h"

#define HASH_CHARS 43 /* of 32 bytes in base64, and then one = */

/* Of an empty file named go.mod. */
#define EMPTY_GO_MOD "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY="

/* What makes a base64 digit its value; 0: it is none. */
static const signed char shift[256] = {
	['A' ... 'Z'] = -'A', ['a' ... 'z'] = 26 - 'a', ['0' ... '9'] = 52 - '0',
	['+'] = 62 - '+',     ['/'] = 63 - '/',
};
/* Bytes that a module path can have. */
static const bool path_byte[256] = {
	['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['-'] = true,
	['.'] = true,         ['/'] = true,         ['_'] = true,         ['~'] = true,
};

bool gosum_hash(struct span hash, unsigned char ret[32])
{
	uint32_t bits = 0;
	size_t at = 0;
	bool bad = false;

	if (!span_skip(&hash, S("h1:")) || hash.n != HASH_CHARS + 1 || hash.p[HASH_CHARS] != '=')
		return false;
	for (size_t i = 0; i < HASH_CHARS; i++)
		bad |= !shift[(unsigned char)hash.p[i]];
	unsigned char last = (unsigned char)hash.p[HASH_CHARS - 1];
	if (bad || ((last + shift[last]) & 3)) /* go compares the text: other spare bits never match */
		return false;
	for (size_t i = 0; i < HASH_CHARS && ret; i++) {
		unsigned char c = (unsigned char)hash.p[i];
		bits = bits << 6 | (uint32_t)(c + shift[c]);
		if (i % 4)
			ret[at++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	return true;
}

static bool path_fits(struct span path)
{
	for (size_t i = 0; i < path.n; i++) {
		if (!path_byte[(unsigned char)path.p[i]])
			return false;
	}
	return true;
}

static enum gosum_problem judge(const struct gosum_line *l, const struct span *word, size_t *at_fault)
{
	*at_fault = 0;
	if (!path_fits(l->path))
		return GOSUM_PATH;
	*at_fault = 1;
	if (!version_canonical(l->version))
		return GOSUM_VERSION;
	*at_fault = 2;
	if (!span_starts(word[2], S("h1:")))
		return GOSUM_UNKNOWN;
	if (span_eq(word[2], S(EMPTY_GO_MOD)))
		return GOSUM_EMPTY;
	return gosum_hash(word[2], NULL) ? GOSUM_FINE : GOSUM_HASH;
}

static void set_version(struct gosum_line *l, struct span version)
{
	l->version = version;
	l->go_mod = span_ends(version, S("/go.mod"));
	if (l->go_mod)
		l->version.n -= strlen("/go.mod");
}

/* Nearly every line: three words that are all in order, with one blank between them. false: read it slowly. */
static bool read_fine(struct gosum_line *l)
{
	size_t path = span_chr(l->text, ' ');
	struct span rest = path == SPAN_NONE ? S("") : span_from(l->text, path + 1);
	size_t version = span_chr(rest, ' ');

	if (!path || version == SPAN_NONE)
		return false;
	l->path = span_head(l->text, path);
	l->hash = span_from(rest, version + 1);
	set_version(l, span_head(rest, version));
	if (!path_fits(l->path) || !version_canonical(l->version) || !gosum_hash(l->hash, NULL) || span_eq(l->hash, S(EMPTY_GO_MOD)))
		return false;
	l->words = 3;
	l->column = 1;
	return true;
}

/* false: a blank line. */
static bool read_line(struct gosum_line *l)
{
	struct span rest = l->text, word[3] = { 0 }, more;
	size_t at_fault = 0;

	while (l->words < ARRAY_LEN(word) && fields_next(&rest, &word[l->words]))
		l->words++;
	while (l->words >= ARRAY_LEN(word) && fields_next(&rest, &more))
		l->words++;
	if (!l->words)
		return false;
	if (fields_is_conflict(l->text)) {
		l->problem = GOSUM_MERGE;
	} else if (span_chr(l->text, '\0') != SPAN_NONE) {
		l->problem = GOSUM_BINARY;
	} else if (l->words != ARRAY_LEN(word)) {
		l->problem = GOSUM_FIELDS;
	} else {
		l->path = word[0];
		l->hash = word[2];
		set_version(l, word[1]);
		l->problem = judge(l, word, &at_fault);
	}
	l->column = 1 + (int)(word[at_fault].p - l->text.p);
	return true;
}

bool gosum_next(struct gosum_at *at, struct gosum_line *ret)
{
	while (at->rest.n) {
		struct span text = span_cut(&at->rest, '\n');
		*ret = (struct gosum_line){ .text = text, .line = ++at->line };
		if (span_ends(text, S("\r"))) {
			ret->crlf = true;
			ret->text.n--;
		}
		if (read_fine(ret))
			return true;
		ret->path = ret->version = ret->hash = (struct span){ 0 };
		ret->go_mod = false;
		if (read_line(ret))
			return true;
	}
	return false;
}
