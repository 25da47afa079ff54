/*
 * Any bytes as an alert: what can be read is written, read and written again, the same, and told in every form and language.
 * Any bytes as foreign text. Whatever is told is bounded, valid UTF-8, and neither calls anybody nor hides or marks up anything.
 */
#include <stdlib.h>

#include "alert/alert.h"
#include "base/mem.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_version(struct span s) /* what follows an @ that may stay */
{
	return (s.n > 1 && s.p[0] == 'v' && s.p[1] >= '0' && s.p[1] <= '9') || span_starts(s, S("latest")) || span_starts(s, S("upgrade")) ||
	       span_starts(s, S("patch")) || span_starts(s, S("none"));
}

/* Only what can be seen, in UTF-8. */
static void check_visible(struct span s, bool lines)
{
	uint32_t cp;

	for (size_t n; s.n; s = span_from(s, n)) {
		n = utf8_decode(s, &cp);
		check(cp != UTF8_BAD && (cp >= 0x20 || (cp == '\n' && lines)) && !(cp >= 0x7f && cp < 0xa0));
		check(!(cp >= 0x200b && cp <= 0x200f) && !(cp >= 0x2028 && cp <= 0x202e) && !(cp >= 0x2060 && cp <= 0x206f) && cp != 0xfeff &&
		      cp != 0x61c && !(cp >= 0xe0000 && cp <= 0xe0fff));
	}
}

static bool opens_tag(char c)
{
	return is_alnum(c) || (c && strchr("!@#/?", c));
}

static void check_calls(struct span s, enum alert_form form)
{
	for (size_t i = 0; i < s.n; i++) {
		char next = i + 1 < s.n ? s.p[i + 1] : ' ';
		if (s.p[i] == '@')
			check(i && is_alnum(s.p[i - 1]) && is_version(span_from(s, i + 1)));
		if (s.p[i] == '<' && form != FORM_HTML)
			check(!opens_tag(next) || (next >= '0' && next <= '9'));
		check(!span_starts(span_from(s, i), S("```")));
	}
}

/* The tags that are ours, and nothing that could be one. */
static void check_html(struct span s)
{
	static const char *const ours[] = { "<b>", "</b>", "<pre>", "</pre>", "<code>", "</code>", "</a>", "<a href=\"http" };

	for (size_t i = 0; i < s.n; i++) {
		bool known = s.p[i] != '<';
		for (size_t k = 0; k < ARRAY_LEN(ours) && !known; k++)
			known = span_starts(span_from(s, i), span_of(ours[k]));
		check(known);
	}
}

static size_t count(struct span s, struct span what)
{
	size_t n = 0;

	for (size_t at; (at = span_find(s, what)) != SPAN_NONE; n++)
		s = span_from(s, at + what.n);
	return n;
}

static void check_markdown(struct span s)
{
	check(count(s, S("](")) <= 1 && count(s, S("](")) == count(s, S("](http")));
	check(count(s, S("][")) == 0 && count(s, S("~~")) == 0 && count(s, S("||")) == 0);
	check(count(s, S("*")) == 2 * count(s, S("**")) && count(s, S("**")) % 2 == 0);
}

static void check_text(struct span s, enum alert_form form, bool lines)
{
	check_visible(s, lines);
	check_calls(s, form);
	if (form == FORM_HTML)
		check_html(s);
	if (form == FORM_MARKDOWN)
		check_markdown(s);
}

static void check_escape(struct span s)
{
	for (int form = FORM_PLAIN; form <= FORM_HTML; form++) {
		struct buf b = { 0 };
		alert_escape(s, (enum alert_form)form, &b);
		check(!b.bad && b.len <= s.n * 6);
		check_text(buf_view(&b), (enum alert_form)form, false);
		check(form == FORM_PLAIN || span_find(buf_view(&b), S("](")) == SPAN_NONE);
		if (form == FORM_MARKDOWN)
			check(span_chr(buf_view(&b), '*') == SPAN_NONE && span_chr(buf_view(&b), '`') == SPAN_NONE);
		if (form == FORM_HTML)
			check(span_chr(buf_view(&b), '<') == SPAN_NONE && span_chr(buf_view(&b), '"') == SPAN_NONE);
		buf_free(&b);
	}
}

static void check_link(struct span s)
{
	CLEANUP(mem_free) char *url = mem_dup(s.p, s.n);
	CLEANUP(buf_free) struct buf b = { 0 };

	if (!url || !alert_link(url, &b))
		return;
	check(span_starts(buf_view(&b), S("http")));
	for (size_t i = 0; i < b.len; i++)
		check(b.p[i] > ' ' && b.p[i] < 0x7f && !strchr("@<>()\"'`*|\\", b.p[i]));
}

/* One form and language at a time, so that more inputs are tried. */
static void check_told(const struct alert *a, size_t max, size_t seed)
{
	enum alert_form form = (enum alert_form)(seed % 3);
	enum lang lang = seed / 3 % 2 ? LANG_ZH : LANG_EN;
	CLEANUP(buf_free) struct buf b = { 0 }, t = { 0 };

	alert_title(a, lang, max, &t);
	check(!t.bad && t.len <= max);
	check_text(buf_view(&t), FORM_PLAIN, false);
	alert_text(a, form, lang, max, &b);
	check(!b.bad && b.len <= max);
	check_text(buf_view(&b), form, true);
}

static void check_alert(struct span text)
{
	CLEANUP(buf_free) struct buf one = { 0 }, two = { 0 };
	struct alert a, d = { 0 };
	struct err e = { 0 };

	if (alert_read(text, &a, &e) < 0) {
		check(!a.mem.head && e.msg[0] && strlen(e.msg) < 300);
		check_visible(span_of(e.msg), false);
		return;
	}
	alert_json(&a, &one);
	check_told(&a, 100 + text.n % 3000, text.n);
	check(alert_gather(&d, &a, 1, &e) == 0 && alert_gather(&d, &a, 2, &e) == 0);
	check_told(&d, 500, text.n);
	alert_free(&d);
	alert_free(&a);
	check(alert_read(buf_view(&one), &a, &e) == 0);
	alert_json(&a, &two);
	alert_free(&a);
	check(span_eq(buf_view(&one), buf_view(&two)));
}

/* The bytes as every text of an alert. */
static void check_words(struct span s)
{
	CLEANUP(mem_free) char *z = mem_dup(s.p, s.n);
	if (!z)
		return;
	struct alert_item it = { .cause = "test.fail", .title = z, .package = z, .test = z, .place = z, .excerpt = z, .advice = z, .fault = z, .said = z,
		.owners = { (const char *[]){ z, "@acme" }, 2, 2 }, .count = (int64_t)s.n };
	struct alert a = { .kind = (enum alert_kind)(s.n % ALERT_KINDS), .project = z, .branch = z, .commit = z, .job = z, .url = z, .actor = z, .pr = z,
		.host = z, .command = z, .go = z, .outcome = "failed", .cause = s.n % 2 ? z : NULL, .summary = z, .items = &it, .n_items = 1 + s.n % 2 };
	struct alert_item two[2] = { it, it };

	a.items = two;
	check_told(&a, 4000, span_hash(s) >> 8);
	check_told(&a, s.n % 400, span_hash(s) >> 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(mem_free) char *own = mem_alloc(size); /* of its own, so that a byte too far is seen */

	check(own != NULL);
	if (size)
		memcpy(own, data, size);
	check_alert((struct span){ own, size });
	check_escape((struct span){ own, size });
	check_link((struct span){ own, size });
	check_words((struct span){ own, size });
	return 0;
}
