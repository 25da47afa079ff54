/* What a secret looks like: one row a kind, found by three rare bytes, confirmed by a matcher that looks a bounded way. */
#include "base/redact_rows.h"
#include "base/mem.h"

enum {
	C_UPPER = 1,
	C_LOWER = 2,
	C_DIGIT = 4,
	C_HEX = 8,     /* small */
	C_UNDER = 16,  /* _ */
	C_DASH = 32,   /* - */
	C_DOT = 64,    /* . */
	C_PLUS = 128,  /* + / = of base64 */
	C_VALUE = 256, /* of a value without quotes */
	C_MARK = 512,  /* of passwords, not of names: ! @ # … */
	C_PATH = 1024, /* of a URL */
	C_STOP = 2048, /* ends a value that is part of a list or a URL */
	C_BASE32 = 4096,
	C_LETTER = C_UPPER | C_LOWER,
	C_ALNUM = C_LETTER | C_DIGIT,
	C_WORD = C_ALNUM | C_UNDER,
	C_NAME = C_WORD | C_DASH | C_DOT,
	C_SLUG = C_WORD | C_DASH,
	C_B64 = C_ALNUM | C_PLUS,
	C_AUTH = C_NAME | C_PLUS | C_PATH,
};

static unsigned classes[256];

static void add_class(const char *bytes, unsigned bit)
{
	for (; *bytes; bytes++)
		classes[(unsigned char)*bytes] |= bit;
}

void redact_classes(void)
{
	add_class("ABCDEFGHIJKLMNOPQRSTUVWXYZ", C_UPPER);
	add_class("abcdefghijklmnopqrstuvwxyz", C_LOWER);
	add_class("0123456789", C_DIGIT);
	add_class("0123456789abcdef", C_HEX);
	add_class("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", C_BASE32);
	add_class("_", C_UNDER);
	add_class("-", C_DASH);
	add_class(".", C_DOT);
	add_class("+/=", C_PLUS);
	add_class("!@#$%^*?~+&", C_MARK);
	add_class("%~:", C_PATH);
	add_class(",;&)]}>|#", C_STOP);
	for (unsigned c = '!'; c < 256; c++)
		classes[c] |= c == 0x7f || strchr("\"'`\\<", (int)c) ? 0 : C_VALUE;
}

static bool is(unsigned cls, unsigned char c)
{
	return classes[c] & cls;
}

bool redact_is_value(unsigned char c)
{
	return is(C_VALUE, c);
}

bool redact_is_base64(unsigned char c)
{
	return is(C_B64, c);
}

/* ---- looking around ---- */

static unsigned char at(struct look *l, size_t i)
{
	return look_at(l, i);
}

static unsigned char before(const struct look *l, size_t i) /* the byte before i; 0: the text begins there */
{
	return i ? (unsigned char)l->p[i - 1] : 0;
}

static bool has(struct look *l, size_t i, const char *z) /* in any case */
{
	for (; *z; z++, i++) {
		unsigned char c = at(l, i);
		if ((is(C_UPPER, c) ? c + 32 : c) != (unsigned char)*z)
			return false;
	}
	return true;
}

static size_t run(struct look *l, size_t i, unsigned cls, size_t max)
{
	size_t n = 0;

	while (n < max && is(cls, at(l, i + n)))
		n++;
	return n;
}

static bool is_gap(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static size_t gap(struct look *l, size_t i, size_t max)
{
	size_t n = 0;

	while (n < max && is_gap(at(l, i + n)))
		n++;
	return n;
}

static size_t backslashes(struct look *l, size_t i)
{
	size_t n = 0;

	while (n < 7 && at(l, i + n) == '\\')
		n++;
	return n;
}

/* Do the bytes before i end an escape of JSON, as in \n or \u0026? Their number, and the byte that they stand for. */
static size_t escape_before(const struct look *l, size_t i, unsigned char *c)
{
	static const char codes[][5] = { "0026", "003c", "003e" }, bytes[] = "&<>";

	if (i >= 2 && l->p[i - 2] == '\\' && strchr("nrtbf", l->p[i - 1]) && l->p[i - 1]) {
		*c = '\n';
		return 2;
	}
	for (size_t k = 0; i >= 6 && k < ARRAY_LEN(codes); k++) {
		if (l->p[i - 6] == '\\' && l->p[i - 5] == 'u' && !memcmp(l->p + i - 4, codes[k], 4)) {
			*c = (unsigned char)bytes[k];
			return 6;
		}
	}
	return 0;
}

/* What stands before i, read through escapes. */
static unsigned char real_before(const struct look *l, size_t i)
{
	unsigned char c = before(l, i);

	escape_before(l, i, &c);
	return c;
}

static bool boundary(const struct look *l, size_t i)
{
	return !is(C_WORD, real_before(l, i));
}

static bool found(struct look *l, size_t from, size_t to)
{
	l->from = from;
	l->to = to;
	return to > from;
}

/* Like found; a secret that is longer than it may be looked at goes on. */
static bool found_run(struct look *l, size_t from, size_t n, size_t max)
{
	if (n >= max)
		l->state = REDACT_EAT;
	return found(l, from, from + n);
}

/* ---- values ---- */

struct value {
	size_t from, to;
	unsigned char quote; /* 0: none */
	unsigned char next;
	bool blank, cut;
};

/* Ends at the same quote with as many backslashes (text in JSON in JSON), or where what is around it ends. */
static void read_quoted(struct look *l, size_t escapes, struct value *v)
{
	size_t i = v->from, n;

	for (; i - v->from < LOOK_VALUE; i++) {
		unsigned char c = at(l, i);
		if (c < ' ' && c != '\t')
			break;
		n = c == '\\' ? backslashes(l, i) : 0;
		if (at(l, i + n) == '"' && (n <= escapes || v->quote != '"'))
			break;
		if (c == v->quote && c != '"')
			break;
		v->blank |= is_gap(c);
		i += n;
	}
	v->to = i;
	v->cut = i - v->from >= LOOK_VALUE;
	v->next = at(l, i);
}

static void read_bare(struct look *l, unsigned stop, struct value *v)
{
	size_t i = v->from;

	while (i - v->from < LOOK_VALUE) {
		unsigned char c = at(l, i);
		if (c == '\\' && at(l, i + 1) == '\\')
			i += 2;
		else if (c == '\\' && !stop &&
			 (has(l, i + 1, "u0026") || has(l, i + 1, "u003c") || has(l, i + 1, "u003e")))
			i += 6;
		else if (is(C_VALUE, c) && !is(stop, c))
			i++;
		else
			break;
	}
	v->next = at(l, i);
	v->cut = i - v->from >= LOOK_VALUE;
	while (!v->cut && i > v->from && strchr(",;:.)]}>", l->p[i - 1]))
		i--;
	v->to = i;
}

static void read_value(struct look *l, size_t i, unsigned stop, struct value *v)
{
	size_t n = backslashes(l, i);
	unsigned char c = at(l, i + n);

	*v = (struct value){ .from = i };
	if (c == '"' || (!n && (c == '\'' || c == '`'))) {
		v->quote = c;
		v->from = i + n + 1;
		read_quoted(l, n, v);
	} else {
		read_bare(l, stop, v);
	}
}

static struct span span_value(const struct look *l, const struct value *v)
{
	return (struct span){ l->p + v->from, v->to - v->from };
}

static bool found_value(struct look *l, const struct value *v)
{
	if (v->cut)
		l->state = REDACT_EAT;
	return found(l, v->from, v->to);
}

static bool is_word(struct span s, const char *const *words)
{
	for (; *words; words++) {
		if (s.n == strlen(*words) && !strncasecmp(s.p, *words, s.n))
			return true;
	}
	return false;
}

static bool all_same(struct span s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] != s.p[0])
			return false;
	}
	return true;
}

/* Something that stands for a value: a variable, a format verb, a reference, a mark that it was taken out. */
static bool is_placeholder(struct span s)
{
	static const char *const words[] = { "null",     "none",      "true",     "false",
					     "empty",    "undefined", "unset",    "missing",
					     "redacted", "string",    "password", "token",
					     "secret",   "bytes",     "hidden",   NULL };
	static const struct span heads[] = {
		S("$"),          S("<"),         S("\\u003c"),      S("{"),
		S("(nil"),       S("..."),       S("\xe2\x80\xa6"), S("***"),
		S("-----BEGIN"), S("env:"),      S("file:"),        S("credential:"),
		S("[redacted"),  S("[REDACTED"), S("[FILTERED"),    S("[MASKED"),
		S("%!"),         S("REDACTED"),  S("os.Getenv"),    S("process.env"),
	};

	if (s.n < 4 || all_same(s) || is_word(s, words))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		if (span_starts(s, heads[i]))
			return true;
	}
	return false;
}

static bool is_verb(struct span s) /* of a format: %s, %q */
{
	return s.n >= 2 && s.n <= 3 && s.p[0] == '%';
}

struct mix {
	size_t letters, digits, marks, turns, cases, others;
};

/* Of what it is made; turns: from letters to digits and back, cases: from small to capital. */
static void mix_of(struct span s, struct mix *m)
{
	unsigned last = 0, last_case = 0;

	*m = (struct mix){ 0 };
	for (size_t i = 0; i < s.n && i < LOOK_BACK; i++) {
		unsigned c = classes[(unsigned char)s.p[i]];
		unsigned kind = c & C_LETTER ? C_LETTER : c & C_DIGIT;
		m->letters += kind == C_LETTER;
		m->digits += kind == C_DIGIT;
		m->marks += (c & C_MARK) != 0;
		m->others += !(c & (C_NAME | C_MARK | C_PLUS));
		if (kind && last && kind != last)
			m->turns++;
		if (c & C_LETTER && last_case && (c & C_LETTER) != last_case)
			m->cases++;
		last = kind ? kind : last;
		last_case = c & C_LETTER ? c & C_LETTER : last_case;
	}
}

/* Places, versions, times, addresses, sums, calls: what stands behind "token:" and is none. */
static bool is_of_logs(struct span s, const struct mix *m)
{
	s = span_head(s, 160);
	bool colon = span_chr(s, ':') != SPAN_NONE;

	if (span_starts(s, S("0x")) || span_starts(s, S("h1:")) || span_starts(s, S("sha256:")) ||
	    span_starts(s, S("id=")))
		return true;
	if (span_find(s, S(".go")) != SPAN_NONE || span_chr(s, '(') != SPAN_NONE ||
	    span_find(s, S("://")) != SPAN_NONE)
		return true;
	if (s.p[0] == 'v' && s.n > 1 && is(C_DIGIT, (unsigned char)s.p[1]) && span_chr(s, '.') != SPAN_NONE)
		return true;
	if (span_chr(s, '/') != SPAN_NONE && span_chr(s, '.') != SPAN_NONE)
		return true;
	if (is(C_DIGIT, (unsigned char)s.p[0]) && m->letters <= 3 &&
	    (span_chr(s, '.') != SPAN_NONE || colon || s.n < 11))
		return true; /* 10.5ms, 2024-01-02T15:04:05Z, 127.0.0.1:80 */
	size_t equals = span_chr(s, '=');
	return equals != SPAN_NONE && equals + 2 < s.n; /* name=value: padding stands at the end only */
}

static bool is_random(struct span s)
{
	struct mix m;

	mix_of(s, &m);
	if (s.n < 8 || m.others || is_of_logs(s, &m))
		return false;
	bool changing = m.cases * 5 >= m.letters * 2; /* else words in camel case: testEd25519PrivateKey */
	if (m.letters && m.digits)
		return m.turns >= 3 || (m.turns >= 2 && s.n >= 12 && m.cases <= 1) ||
		       (changing && m.cases >= 5 && s.n >= 20);
	return s.n >= 32 && m.cases >= 8 && changing && span_chr(s, '/') == SPAN_NONE;
}

static bool is_mixed(struct span s) /* no word of a sentence */
{
	struct mix m;

	mix_of(s, &m);
	if (s.n < 6 || is_of_logs(s, &m) || is_verb(s))
		return false;
	return m.letters && (m.digits || (m.marks && s.p[s.n - 1] != '!' && s.p[s.n - 1] != '?'));
}

bool redact_is_telling(struct span s)
{
	struct mix m;

	mix_of(s, &m);
	if (s.n < 6 || s.p[0] == '/' || all_same(s) || span_find(s, S("://")) != SPAN_NONE || is_placeholder(s))
		return false;
	if (m.letters && (m.digits || m.marks))
		return true;
	return s.n >= 20 || (s.n >= 8 && m.cases >= 2);
}

/* ---- tokens that tell what they are ---- */

static bool match_token(const struct row *row, struct look *l)
{
	size_t body = l->at + strlen(row->literal), n;

	if (!boundary(l, l->at))
		return false;
	n = run(l, body, row->cls, LOOK_VALUE);
	while (n && n < LOOK_VALUE && strchr(".-", l->p[body + n - 1]))
		n--;
	if (n < row->min)
		return false;
	struct mix m;
	mix_of((struct span){ l->p + body, n }, &m);
	if (row->min < 36 && !m.digits && m.cases < 4)
		return false; /* words that go on like a token */
	return found_run(l, l->at, body - l->at + n, LOOK_VALUE);
}

/* Of a length that is fixed. */
static bool match_fixed(const struct row *row, struct look *l)
{
	size_t body = l->at + strlen(row->literal), n;

	if (!boundary(l, l->at))
		return false;
	n = run(l, body, row->cls, row->min);
	if (n < row->min || is(C_SLUG, at(l, body + n)))
		return false;
	return found(l, l->at, body + n);
}

static bool match_jwt(const struct row *row, struct look *l)
{
	size_t i = l->at, n = 0;

	if (!boundary(l, l->at))
		return false;
	for (int part = 0; part < 3; part++) {
		n = run(l, i, C_SLUG, LOOK_VALUE);
		if ((part < 2 && n < 10) || (part == 1 && !has(l, i, "eyj") && n < 16))
			return false;
		i += n;
		if (n >= LOOK_VALUE)
			break;
		if (part < 2 && at(l, i) != '.')
			return part == 1 && found(l, l->at, i);
		i += part < 2;
	}
	if (n >= LOOK_VALUE)
		l->state = REDACT_EAT;
	return found(l, l->at, i);
}

/* SEC… of DingTalk: the key with which messages are signed. */
static bool match_sign_key(const struct row *row, struct look *l)
{
	size_t body = l->at + strlen(row->literal), n = run(l, body, C_HEX, LOOK_VALUE);
	struct mix m;

	mix_of((struct span){ l->p + body, n }, &m);
	return n >= row->min && m.digits && m.letters && boundary(l, l->at) && !is(C_WORD, at(l, body + n)) &&
	       found(l, l->at, body + n);
}

/* 123456789:AA…: the number of the bot stays. */
static bool match_telegram(const struct row *row, struct look *l)
{
	size_t n;

	if (!is(C_DIGIT, before(l, l->at)))
		return false;
	n = run(l, l->at + 1, C_SLUG, row->min + 8u);
	return n >= row->min && n < row->min + 8u && found(l, l->at + 1, l->at + 1 + n);
}

/* ---- URLs ---- */

/* The part of the path behind the literal is the secret. */
static bool match_hook(const struct row *row, struct look *l)
{
	size_t body = l->at + strlen(row->literal), n = run(l, body, row->cls, LOOK_VALUE);

	return n >= row->min && found_run(l, body, n, LOOK_VALUE);
}

/* hooks.slack.com/services/T…/B…/…, also workflows, triggers, and slack-gov. */
static bool match_slack_hook(const struct row *row, struct look *l)
{
	size_t i = l->at + strlen(row->literal), n;

	if (has(l, i, "-gov"))
		i += 4;
	if (!has(l, i, ".com/"))
		return false;
	i += 5;
	n = run(l, i, C_LOWER, 20);
	i += n + 1;
	if (!n || at(l, i - 1) != '/')
		return false;
	n = run(l, i, C_SLUG | C_PLUS | C_PATH, LOOK_VALUE);
	return n >= row->min && found_run(l, i, n, LOOK_VALUE);
}

static bool match_discord(const struct row *row, struct look *l)
{
	size_t i = l->at + strlen(row->literal), n = run(l, i, C_DIGIT, 24);

	if (!n || at(l, i + n) != '/')
		return false;
	i += n + 1;
	n = run(l, i, C_SLUG, LOOK_VALUE);
	return n >= row->min && found_run(l, i, n, LOOK_VALUE);
}

/* qyapi.weixin.qq.com/cgi-bin/webhook/send?…key=UUID */
static bool match_wecom(const struct row *row, struct look *l)
{
	size_t i = l->at + strlen(row->literal), stop = i + LOOK_BACK, n;

	for (; i < stop && is(C_VALUE, at(l, i)); i++) {
		if (!has(l, i, "key=") || !strchr("?&", real_before(l, i)))
			continue;
		n = run(l, i + 4, C_SLUG, LOOK_VALUE);
		return n >= row->min && found_run(l, i + 4, n, LOOK_VALUE);
	}
	return false;
}

/* A parameter whose name is too short to mean much anywhere else. */
static bool match_parameter(const struct row *row, struct look *l)
{
	unsigned char c = real_before(l, l->at);
	struct value v = { .from = l->at + strlen(row->literal) };

	if (c != '?' && c != '&')
		return false;
	read_bare(l, C_STOP, &v);
	return v.to - v.from >= row->min && !is_placeholder(span_value(l, &v)) &&
	       !is_verb(span_value(l, &v)) && found_value(l, &v);
}

/* scheme://user:PASSWORD@host, scheme://TOKEN@host */
static bool match_userinfo(const struct row *row, struct look *l)
{
	size_t begin = l->at + 3, i = begin, colon = 0, last = 0;

	if (!is(C_ALNUM, before(l, l->at)))
		return false;
	for (; i - begin < LOOK_VALUE; i++) {
		unsigned char c = at(l, i);
		if (c == '\\' && (at(l, i + 1) == '\\' || has(l, i + 1, "u0026") || has(l, i + 1, "u003c") ||
				  has(l, i + 1, "u003e")))
			i++;
		else if (!is(C_VALUE, c) || c == '/' || c == '?' || (c == '#' && !colon))
			break;
		if (c == ':' && !colon)
			colon = i;
		if (c == '@')
			last = i;
	}
	if (!last || last == begin || has(l, begin, "[redacted"))
		return false;
	struct span secret = { l->p + (colon ? colon + 1 : begin), 0 };
	if (colon >= last)
		return false;
	secret.n = (size_t)(l->p + last - secret.p);
	if (!colon && !is_random(secret))
		return false;
	if (secret.n < 4 ? secret.n < 3 || all_same(secret) || secret.p[0] == '%'
			 : is_placeholder(secret) || secret.p[0] == '{')
		return false;
	return found(l, (size_t)(secret.p - l->p), last);
}

/* user:PASSWORD@tcp(host)/db */
static bool match_dsn(const struct row *row, struct look *l)
{
	size_t i = l->at, colon = 0;

	while (i && l->at - i < LOOK_BACK - 8 && is(C_VALUE, before(l, i)) && before(l, i) != '=') {
		i--;
		if (l->p[i] == ':')
			colon = i;
	}
	if (!colon || colon == i)
		return false;
	struct span s = { l->p + colon + 1, l->at - colon - 1 };
	return s.n >= 3 && s.p[0] != '%' && !(s.n >= 4 && is_placeholder(s)) && !all_same(s) &&
	       found(l, colon + 1, l->at);
}

/* ---- NAME=value and its like ---- */

enum word {
	W_PASSWORD = 1, /* what follows is one, if it looks a little like it */
	W_SECRET,       /* … only if it looks much like it */
	W_TOKEN,        /* the same; and many: tokens are counted */
	W_MASK = 15,
	FLAG_UNDER = 16, /* the name is nothing more */
	FLAG_CWD = 32    /* may mean the working directory */
};

enum form { F_NONE, F_ENV, F_QUERY, F_FLAG, F_ARG, F_EQUALS, F_QUOTED, F_LOOSE };

struct name {
	size_t from, to; /* all of it */
	bool upper;      /* like an environment variable */
	bool quoted;
	bool path; /* the last part of one, or of a test's name */
	bool flag; /* --name */
	bool many; /* tokens */
	unsigned char prev;
};

static bool is_test_name(struct span s)
{
	static const struct span heads[] = { S("Test"), S("Benchmark"), S("Fuzz"), S("Example") };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		if (span_starts(s, heads[i]) && s.n > heads[i].n &&
		    !is(C_LOWER, (unsigned char)s.p[heads[i].n]))
			return true;
	}
	return false;
}

static bool is_cwd(struct span name)
{
	return span_eq(name, S("PWD")) || span_eq(name, S("OLDPWD"));
}

/* What follows the word in the name may say that it is not the secret itself: TOKEN_FILE, token-count. */
static bool is_about(struct span rest)
{
	static const char *const words[] = {
		"file",    "path",    "url",      "uri",   "id",      "ids",      "name",     "names",
		"len",     "length",  "size",     "count", "ttl",     "type",     "age",      "expiry",
		"expires", "expire",  "exp",      "limit", "timeout", "dir",      "regex",    "regexp",
		"pattern", "ref",     "arn",      "kind",  "stdin",   "prompt",   "field",    "header",
		"format",  "version", "policy",   "error", "err",     "issuer",   "endpoint", "source",
		"store",   "manager", "provider", "at",    "test",    "env",      "var",      "min",
		"max",     "start",   "end",      "index", "pos",     "required", "enabled",  NULL,
	};
	size_t cut = rest.n;

	while (cut && rest.p[cut - 1] != '_' && rest.p[cut - 1] != '-')
		cut--;
	return is_word(span_from(rest, cut), words);
}

static bool read_rest(struct look *l, size_t i, unsigned word, struct name *n)
{
	static const char *const keys[] = { "key", "accesskey", "keys", "value", "string", NULL };
	size_t more = run(l, i, C_SLUG, 48);
	struct span rest = { l->p + i, more };

	if (more == 48)
		return false;
	n->to = i + more;
	n->many = more == 1 && (rest.p[0] | 32) == 's';
	if (!more || n->many)
		return true;
	if (is_word(rest, keys))
		return (word & W_MASK) != W_TOKEN;
	if (rest.p[0] == '_' || rest.p[0] == '-')
		return more > 1 && !is_about(rest);
	return run(l, i, C_DIGIT, more) == more;
}

static bool read_name(struct look *l, const struct row *row, struct name *n)
{
	size_t i = l->at;
	unsigned char c = 0;

	*n = (struct name){ 0 };
	while (i && l->at - i < 64 && is(C_NAME, before(l, i)) && !escape_before(l, i, &c))
		i--;
	if (l->at - i == 64)
		return false;
	n->prev = real_before(l, i);
	size_t dashes = i;
	while (i < l->at && strchr("-.", l->p[i]))
		i++;
	n->flag = i > dashes && l->p[dashes] == '-' && (!n->prev || strchr(" \t\n\"'`[,=(", n->prev));
	n->from = i;
	if ((row->word & FLAG_UNDER) && i != l->at)
		return false;
	if (!read_rest(l, l->at + strlen(row->literal), row->word, n))
		return false;
	struct span s = { l->p + i, n->to - i };
	n->upper = !n->flag;
	for (size_t k = 0; k < s.n; k++)
		n->upper &= is(C_UPPER | C_DIGIT | C_UNDER, (unsigned char)s.p[k]);
	n->path = n->prev == '/';
	if ((row->word & FLAG_CWD) && (is_cwd(s) || at(l, n->to + 1) == '/'))
		return false;
	if (n->prev == '$' || n->prev == '%' || (n->prev == '{' && real_before(l, dashes - 1) == '$'))
		return false; /* a variable is used, not set */
	return !is_test_name(s);
}

/* name = "value", name: value, "name": "value", name['x'] = …; i is behind the name, then where the value may begin. */
static enum form read_form(struct look *l, struct name *n, size_t *i)
{
	size_t j = *i, k = backslashes(l, j), blanks;
	unsigned char c = at(l, j + k);
	bool bracket = false;

	if (c == '"' || (!k && (c == '\'' || c == '`'))) {
		n->quoted = true;
		j += k + 1;
		bracket = at(l, j) == ']';
		j += bracket;
	}
	if (n->quoted && n->flag && at(l, j) == ',') { /* an argument of a list */
		j += 1 + gap(l, j + 1, 4);
		*i = j;
		return F_FLAG;
	}
	blanks = gap(l, j, 4);
	j += blanks;
	c = at(l, j);
	if (c != '=' && c != ':') {
		*i = j;
		return n->flag && blanks && !n->quoted ? F_ARG : F_NONE;
	}
	unsigned char next = at(l, j + 1);
	if (next == '~' || (next == c) || (c == ':' && next == '/'))
		return F_NONE;
	bool glued = c == '=' && !blanks && !n->quoted;
	if ((c == ':' && next == '=') || (c == '=' && next == '>')) {
		glued = false;
		j++;
	}
	j++;
	blanks = gap(l, j, 16);
	j += blanks;
	if (at(l, j) == '[' && at(l, j + 1) != ']' && !glued)
		j++; /* a list of one, as headers are printed */
	*i = j;
	if (!glued || blanks)
		return F_LOOSE;
	return n->prev == '?' || n->prev == '&' ? F_QUERY
	       : n->flag                        ? F_FLAG
	       : n->upper && !n->path           ? F_ENV
						: F_EQUALS;
}

static bool ends_here(struct look *l, size_t i)
{
	unsigned char c = at(l, i);

	if (!is_gap(c))
		return !is(C_VALUE, c) || c == ')' || c == ']' || c == '|' || c == ';' || c == '&';
	i += gap(l, i, 8);
	size_t n = run(l, i, C_LETTER, 32);
	c = at(l, i + n);
	if (c == ':' && at(l, i + n + 1) == '/')
		return true;
	return !n || (c && !strchr(" \n\r.,:!?", c)); /* no word of a sentence */
}

/* "--token X" in a sentence or in a usage text is followed by words. */
static bool accept_argument(struct look *l, const struct value *v)
{
	static const char *const words[] = { "string",   "strings", "value",    "file", "flag",
					     "required", "option",  "argument", "must", "parameter",
					     "instead",  "failed",  "first",    NULL };
	struct span s = span_value(l, v);

	if (s.p[0] == '-' || is_word(s, words) || v->blank || span_starts(s, S("id=")))
		return false;
	return is_mixed(s) || ends_here(l, v->quote ? v->to + 1 : v->to);
}

/* user=x password=word dbname=y, Password=word;Server=x */
static bool in_dsn(struct look *l, const struct name *n, const struct value *v)
{
	size_t i = v->quote ? v->to + 1 : v->to, k;

	if (v->next == ';' || n->prev == ';')
		return true;
	k = gap(l, i, 2);
	if (k && run(l, i + k, C_LOWER | C_UNDER, 32) >= 2 &&
	    at(l, i + k + run(l, i + k, C_LOWER | C_UNDER, 32)) == '=')
		return true;
	if (n->prev != ' ')
		return false;
	for (i = n->from - 1; i && n->from - i < 80 && is(C_VALUE, before(l, i)); i--) {
		if (before(l, i) == '=')
			return true;
	}
	return false;
}

static bool is_complaint(struct span s) /* {"password": "required"} */
{
	static const char *const words[] = { "required", "invalid",   "wrong",  "short",    "weak",
					     "expired",  "unknown",   "denied", "mismatch", "long",
					     "blank",    "incorrect", "ok",     "yes",      "no",
					     "failed",   "forbidden", "text",   "basic",    "bearer",
					     "optional", "confirm",   "reset",  "object",   "integer",
					     "number",   NULL };

	return is_word(s, words);
}

static bool accept_value(struct look *l, const struct row *row, const struct name *n, enum form f,
			 const struct value *v)
{
	struct span s = span_value(l, v);
	bool password = (row->word & W_MASK) == W_PASSWORD;
	struct mix m;

	if (is_placeholder(s) || is_verb(s))
		return false;
	mix_of(s, &m);
	if (n->many && !m.letters)
		return false; /* max_tokens=4096 */
	switch (f) {
	case F_ENV: return true;
	case F_QUERY:
	case F_FLAG: return !v->blank && !span_starts(s, S("id="));
	case F_ARG: return accept_argument(l, v);
	case F_EQUALS:
		if (password && !v->blank && (is_mixed(s) || in_dsn(l, n, v)))
			return true;
		if (row->word & FLAG_UNDER)
			return s.n >= 8; /* _auth= of .npmrc */
		return !v->blank && is_random(s) && (!n->path || s.n >= 12);
	case F_QUOTED: return !v->blank && (password ? !is_complaint(s) && !is_verb(s) : is_random(s));
	default: return !n->path && (password ? is_mixed(s) && s.n >= 6 : is_random(s));
	}
}

static bool match_assign(const struct row *row, struct look *l)
{
	struct name n;
	struct value v;
	enum form f;
	size_t i;

	if (!read_name(l, row, &n))
		return false;
	i = n.to;
	f = read_form(l, &n, &i);
	if (f == F_NONE)
		return false;
	read_value(l, i, f == F_ENV || f == F_ARG ? 0 : C_STOP, &v);
	if (v.quote && (f == F_LOOSE || (f == F_EQUALS && (row->word & W_MASK) == W_PASSWORD)))
		f = F_QUOTED;
	else if (f == F_LOOSE && n.quoted && !is(C_LETTER, at(l, v.from)))
		return false; /* a number or a list of JSON must stay one */
	if (v.to <= v.from || (v.next == '(' && !v.quote) || !accept_value(l, row, &n, f, &v))
		return false;
	return found_value(l, &v);
}

/* ---- headers ---- */

/* "words follow": bearer token required */
static bool in_sentence(struct look *l, size_t from, size_t n)
{
	if (run(l, from, C_LETTER, n) < n)
		return false;
	return n < 16 && (is_gap(at(l, from + n)) && is(C_LETTER, at(l, from + n + 1)));
}

static bool match_authorization(const struct row *row, struct look *l)
{
	static const char *const schemes[] = { "bearer",   "basic",  "token", "negotiate", "apikey",
					       "geniekey", "splunk", "key",   NULL };
	size_t i = l->at + strlen(row->literal), n, stop;

	for (stop = i + 10; i < stop && at(l, i) && strchr("\"'\\ ", at(l, i)); i++)
		;
	if (at(l, i) != ':' && at(l, i) != '=')
		return false;
	for (i++, stop = i + 24; i < stop; i++) {
		if (has(l, i, "[]string{"))
			i += 8;
		else if (!at(l, i) || !strchr(" \t\"'\\[{", at(l, i)))
			break;
	}
	n = run(l, i, C_ALNUM, 24);
	bool known = is_word((struct span){ l->p + i, n }, schemes) && is_gap(at(l, i + n));
	if (known)
		i += n + gap(l, i + n, 8);
	n = run(l, i, C_AUTH, LOOK_VALUE);
	struct span s = { l->p + i, n };
	if (is_placeholder(s) || in_sentence(l, i, n) || (!known && !is_random(s)))
		return false;
	return found_run(l, i, n, LOOK_VALUE);
}

static bool match_bearer(const struct row *row, struct look *l)
{
	size_t i = l->at + strlen(row->literal), n = gap(l, i, 4);

	if (!n || !boundary(l, l->at))
		return false;
	i += n;
	n = run(l, i, C_AUTH, LOOK_VALUE);
	return n >= row->min && is_random((struct span){ l->p + i, n }) && found_run(l, i, n, LOOK_VALUE);
}

/* Blanks of any sort between words, escaped ones too. */
static size_t wide_gap(struct look *l, size_t i)
{
	size_t from = i;

	while (i - from < 16) {
		unsigned char c = at(l, i);
		if (is_gap(c) || c == '\n' || c == '\r')
			i++;
		else if (c == '\\' && at(l, i + 1) && strchr("nrt", at(l, i + 1)))
			i += 2;
		else
			break;
	}
	return i - from;
}

/* machine HOST login NAME password SECRET */
static bool match_netrc(const struct row *row, struct look *l)
{
	size_t from = l->at > 300 ? l->at - 300 : 0, i = l->at + strlen(row->literal), n;
	struct span around = { l->p + from, l->at - from };

	if (!boundary(l, l->at) ||
	    (span_find(around, S("machine")) == SPAN_NONE && span_find(around, S("default")) == SPAN_NONE))
		return false;
	n = wide_gap(l, i);
	i += n;
	size_t user = run(l, i, C_VALUE, 128);
	i += user;
	if (!n || !user || !(n = wide_gap(l, i)) || !has(l, i + n, "password"))
		return false;
	i += n + 8;
	n = gap(l, i, 16);
	struct value v = { .from = i + n };
	read_bare(l, 0, &v);
	struct span s = span_value(l, &v);
	return n && s.n >= row->min && !(s.n >= 4 && is_placeholder(s)) && !strchr("<$*", s.p[0]) &&
	       found_value(l, &v);
}

/* ---- private keys ---- */

static bool match_key_begin(const struct row *row, struct look *l)
{
	size_t from = l->at > 40 ? l->at - 40 : 0, i = l->at + strlen(row->literal);
	struct span around = { l->p + from, l->at - from };

	if (has(l, i, " block"))
		i += 6;
	if (span_find(around, S("-----BEGIN ")) == SPAN_NONE || !has(l, i, "-----"))
		return false;
	l->kind = NULL;
	l->state = REDACT_KEY_BEGIN;
	l->from = l->to = i + 5;
	return true;
}

/* A line of a header within a key (Proc-Type: 4,ENCRYPTED); where it ends. */
static size_t key_header(struct look *l, size_t i)
{
	static const char *const heads[] = { "proc-type:", "dek-info:", "comment:", "version:", "hash:" };
	size_t n = 0;

	for (size_t k = 0; k < ARRAY_LEN(heads); k++) {
		if (has(l, i, heads[k]))
			n = strlen(heads[k]);
	}
	while (n && n < 120 && at(l, i + n) >= ' ' && at(l, i + n) != '\\' && at(l, i + n) != '"')
		n++;
	return n;
}

/* From the end of one event of `go test -json` to the text of the next; 0: this is none. */
static size_t between_events(struct look *l, size_t i)
{
	size_t n = 2;

	if (at(l, i) != '"' || at(l, i + 1) != '}')
		return 0;
	n += at(l, i + n) == '\r';
	n += at(l, i + n) == '\n';
	while (n < 1200 && !has(l, i + n, "\"output\":\"")) {
		if (at(l, i + n) < ' ')
			return 0;
		n++;
	}
	return n < 1200 ? n + 10 : 0;
}

/* What stands between two lines of a key. plain: only blanks and line ends. */
static size_t key_gap(struct look *l, size_t i, bool *plain)
{
	size_t from = i, n;

	while (i - from < 1400) {
		unsigned char c = at(l, i);
		n = backslashes(l, i);
		if (is_gap(c) || c == '\n' || c == '\r') {
			i++;
		} else if (n && at(l, i + n) && strchr("nrt", at(l, i + n))) {
			i += n + 1;
		} else if ((n = between_events(l, i)) || (n = key_header(l, i))) {
			i += n;
			*plain = false;
		} else if (c == '"' || c == '\'' || c == ',' || (c == '+' && is_gap(at(l, i + 1)))) {
			i++; /* a text put together from lines */
			*plain = false;
		} else {
			break;
		}
	}
	return i - from;
}

bool redact_key(struct look *l)
{
	bool first = l->state == REDACT_KEY_BEGIN, plain = true, any;
	size_t skip = key_gap(l, l->at, &plain), i = l->at + skip;
	size_t n = run(l, i, C_B64, LOOK_VALUE);

	if (!n || (first && !skip))
		return false;
	if (n < 20 && (first || skip)) { /* the last line may be short */
		size_t more = key_gap(l, i + n, &any);
		struct span between = { l->p + l->at, skip };
		bool line = span_chr(between, '\n') != SPAN_NONE || span_chr(between, '\\') != SPAN_NONE;
		if (!has(l, i + n + more, "-----") && !(at(l, i + n + more) == 0 && !first && line))
			return false;
	}
	l->from = first || !plain ? i : l->at;
	l->to = i + n;
	l->kind = first ? "private-key" : NULL;
	l->state = REDACT_KEY_BODY;
	return true;
}

/* ---- the rows ---- */

#define TOKEN(kind, literal, rare, cls, min)                           \
	{                                                              \
		kind, literal, rare, match_token, cls, min, true, 0, 0 \
	}
#define FIXED(kind, literal, rare, cls, min)                           \
	{                                                              \
		kind, literal, rare, match_fixed, cls, min, true, 0, 0 \
	}
#define NAMED(kind, literal, rare, word)                                \
	{                                                               \
		kind, literal, rare, match_assign, 0, 0, false, word, 0 \
	}
#define HOOK(kind, literal, rare, match, cls, min)                \
	{                                                         \
		kind, literal, rare, match, cls, min, false, 0, 0 \
	}

/* clang-format off */
static struct row rows[] = {
	TOKEN("github-token", "ghp_", "hp_", C_WORD, 30),
	TOKEN("github-token", "gho_", "ho_", C_WORD, 30),
	TOKEN("github-token", "ghu_", "hu_", C_WORD, 30),
	TOKEN("github-token", "ghs_", "hs_", C_NAME, 30),
	TOKEN("github-token", "ghr_", "hr_", C_WORD, 30),
	TOKEN("github-token", "github_pat_", "b_p", C_WORD, 30),
	TOKEN("gitlab-token", "glpat-", "glp", C_NAME, 16),
	TOKEN("gitlab-token", "glptt-", "glp", C_NAME, 16),
	TOKEN("gitlab-token", "gldt-", "gld", C_NAME, 16),
	TOKEN("gitlab-token", "glrt-", "glr", C_NAME, 16),
	TOKEN("gitlab-token", "glcbt-", "glc", C_NAME, 16),
	TOKEN("gitlab-token", "glsoat-", "gls", C_NAME, 16),
	TOKEN("gitlab-token", "glft-", "glf", C_NAME, 16),
	TOKEN("gitlab-token", "glimt-", "gli", C_NAME, 16),
	TOKEN("gitlab-token", "glagent-", "gla", C_NAME, 16),
	TOKEN("slack-token", "xoxa-", "xox", C_SLUG, 10),
	TOKEN("slack-token", "xoxb-", "xox", C_SLUG, 10),
	TOKEN("slack-token", "xoxc-", "xox", C_SLUG, 10),
	TOKEN("slack-token", "xoxd-", "xox", C_SLUG | C_PATH, 10),
	TOKEN("slack-token", "xoxe-", "xox", C_SLUG, 10),
	TOKEN("slack-token", "xoxe.", "xox", C_NAME, 10),
	TOKEN("slack-token", "xoxo-", "xox", C_SLUG, 10),
	TOKEN("slack-token", "xoxp-", "xox", C_SLUG, 10),
	TOKEN("slack-token", "xoxr-", "xox", C_SLUG, 10),
	TOKEN("slack-token", "xoxs-", "xox", C_SLUG, 10),
	TOKEN("slack-token", "xapp-", "xap", C_SLUG, 10),
	TOKEN("npm-token", "npm_", "pm_", C_ALNUM, 36),
	TOKEN("pypi-token", "pypi-AgE", "ypi", C_SLUG, 50),
	TOKEN("docker-token", "dckr_pat_", "r_p", C_SLUG, 20),
	TOKEN("stripe-key", "sk_live_", "k_l", C_ALNUM, 16),
	TOKEN("stripe-key", "rk_live_", "k_l", C_ALNUM, 16),
	TOKEN("stripe-key", "sk_test_", "k_t", C_ALNUM, 16),
	TOKEN("stripe-key", "rk_test_", "k_t", C_ALNUM, 16),
	TOKEN("webhook-key", "whsec_", "hse", C_B64, 20),
	TOKEN("api-key", "sk-ant-", "k-a", C_SLUG, 20),
	TOKEN("api-key", "sk-proj-", "k-p", C_SLUG, 20),
	TOKEN("api-key", "sk-", "sk-", C_ALNUM, 32),
	TOKEN("vault-token", "hvs.", "vs.", C_SLUG, 24),
	TOKEN("private-key", "AGE-SECRET-KEY-1", "e-s", C_ALNUM, 50),
	FIXED("google-key", "AIza", "iza", C_SLUG, 35),
	FIXED("aws-key-id", "AKIA", "kia", C_BASE32, 16),
	FIXED("aws-key-id", "ASIA", "sia", C_BASE32, 16),
	{ "jwt", "eyJ", "eyj", match_jwt, C_SLUG, 10, true, 0, 0 },
	{ "sign-key", "SEC", "sec", match_sign_key, C_HEX, 16, true, 0, 0 },
	{ "telegram-token", ":AA", ":aa", match_telegram, C_SLUG, 32, true, 0, 0 },
	{ "private-key", "PRIVATE KEY", "e k", match_key_begin, C_B64, 0, true, 0, 0 },

	HOOK("webhook", "hooks.slack", "ks.", match_slack_hook, 0, 8),
	HOOK("webhook", "/api/webhooks/", "i/w", match_discord, 0, 16),
	HOOK("webhook", "/bot/v2/hook/", "2/h", match_hook, C_SLUG, 8),
	HOOK("webhook", "/bot/hook/", "t/h", match_hook, C_SLUG, 8),
	HOOK("webhook", "/webhookb2/", "kb2", match_hook, C_SLUG | C_PLUS | C_PATH | C_MARK, 8),
	HOOK("webhook", "cgi-bin/webhook/", "gi-", match_wecom, 0, 8),
	HOOK("url-password", "://", "://", match_userinfo, 0, 3),
	HOOK("password", "@tcp(", "@tc", match_dsn, 0, 3),
	HOOK("password", "@unix(", "@un", match_dsn, 0, 3),
	HOOK("signature", "sig=", "ig=", match_parameter, 0, 8),
	HOOK("signature", "sign=", "gn=", match_parameter, 0, 8),
	HOOK("token", "auth=", "th=", match_parameter, 0, 8),
	HOOK("authorization", "authorization", "riz", match_authorization, 0, 4),
	HOOK("authorization", "bearer", "rer", match_bearer, 0, 16),
	HOOK("authorization", "geniekey", "iek", match_bearer, 0, 16),
	HOOK("password", "login", "ogi", match_netrc, 0, 1),

	NAMED("password", "password", "ssw", W_PASSWORD),
	NAMED("password", "passwd", "ssw", W_PASSWORD),
	NAMED("password", "passphrase", "sph", W_PASSWORD),
	NAMED("password", "pwd", "pwd", W_PASSWORD | FLAG_CWD),
	NAMED("secret", "secret", "ecr", W_SECRET),
	NAMED("private-key", "private_key", "e_k", W_SECRET),
	NAMED("private-key", "private-key", "e-k", W_SECRET),
	NAMED("private-key", "privatekey", "tek", W_SECRET),
	NAMED("api-key", "api_key", "i_k", W_SECRET),
	NAMED("api-key", "api-key", "i-k", W_SECRET),
	NAMED("api-key", "apikey", "pik", W_SECRET),
	NAMED("routing-key", "routing_key", "g_k", W_SECRET),
	NAMED("routing-key", "routing-key", "g-k", W_SECRET),
	NAMED("routing-key", "integration_key", "n_k", W_SECRET),
	NAMED("access-key", "access_key", "s_k", W_SECRET),
	NAMED("access-key", "access-key", "s-k", W_SECRET),
	NAMED("access-key", "accesskey", "ssk", W_SECRET),
	NAMED("access-key", "accountkey", "ntk", W_SECRET),
	NAMED("signature", "signature", "gna", W_SECRET),
	NAMED("credential", "credential", "ede", W_SECRET),
	NAMED("token", "_auth", "_au", W_TOKEN | FLAG_UNDER),
	NAMED("token", "_AUTH", "_au", W_TOKEN),
	NAMED("token", "token", "tok", W_TOKEN),
};
/* clang-format on */

static size_t place_of(const char *literal, const char *rare)
{
	for (size_t i = 0; literal[i]; i++) {
		if (!strncasecmp(literal + i, rare, 3))
			return i;
	}
	return 0;
}

struct row *redact_rows(size_t *n)
{
	_Static_assert(ARRAY_LEN(rows) < 255, "a byte numbers them");
	*n = ARRAY_LEN(rows);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i].skip = (unsigned char)place_of(rows[i].literal, rows[i].rare);
	return rows;
}
