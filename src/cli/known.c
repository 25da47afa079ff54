#include "cli/known.h"

#include <sys/mman.h>
#include <unistd.h>

#include "alert/secret.h"
#include "alert/target.h"
#include "base/mem.h"
#include "config/config.h"

static struct redact *values;

/* ---- what is there ---- */

/* NAME=VALUE, --name=value */
static void learn_one(const char *text)
{
	struct span value = span_of(text), name = span_cut(&value, '=');

	redact_learn(values, span_of(text));
	if (value.n)
		redact_learn_named(values, name, value);
}

static void learn_all(int argc, char **argv)
{
	for (char **v = environ; v && *v; v++)
		learn_one(*v);
	for (int i = 1; i < argc; i++) {
		learn_one(argv[i]);
		if (argv[i - 1][0] == '-' && argv[i][0] != '-' && !strchr(argv[i - 1], '='))
			redact_learn_named(values, span_of(argv[i - 1]), span_of(argv[i]));
	}
}

/* ---- out of sight ---- */

struct vault {
	char *at, *end;
};

static size_t measure(char **list)
{
	size_t n = 0;

	for (; list && *list; list++)
		n += redact_any(NULL, span_of(*list)) ? strlen(*list) + 1 : 0;
	return n;
}

/* In its place: what redaction leaves of it, as far as there is room; of a variable its name. */
static void cover(char *text, size_t n)
{
	CLEANUP(buf_free) struct buf clean = { 0 };

	redact_text(NULL, (struct span){ text, n }, &clean);
	size_t kept = clean.bad || clean.len > n ? 0 : clean.len;
	explicit_bzero(text, n);
	memset(text, '*', n);
	if (kept)
		memcpy(text, clean.p, kept);
}

static void move(char **list, struct vault *v)
{
	for (; list && *list; list++) {
		size_t n = strlen(*list) + 1;
		if (!redact_any(NULL, span_of(*list)) || (size_t)(v->end - v->at) < n)
			continue;
		char *old = *list;
		memcpy(v->at, old, n);
		*list = v->at;
		v->at += n;
		cover(old, n - 1);
	}
}

static void hide(char **argv)
{
	size_t n = measure(environ) + measure(argv);
	struct vault v;

	v.at = n ? mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
	if (v.at == MAP_FAILED)
		return;
	v.end = v.at + n;
	(void)!mlock(v.at, n);
	(void)!madvise(v.at, n, MADV_DONTDUMP);
	move(environ, &v);
	move(argv, &v);
}

void known_begin(int argc, char **argv)
{
	values = redact_new();
	if (!values)
		return;
	learn_all(argc, argv);
	redact_know(values);
	hide(argv + (argc > 0));
}

struct redact *known_values(void)
{
	return values;
}

void known_channels(const struct config *c)
{
	CLEANUP(secrets_close) struct secrets *s = NULL;
	CLEANUP(arena_free) struct arena mem = { 0 };
	struct list refs = { 0 };
	struct span value;
	struct err none;

	if (!values || !c->n_channels || secrets_open(&s, &none) < 0 || target_refs(c, NULL, &mem, &refs, &none) < 0)
		return;
	for (size_t i = 0; i < refs.n; i++)
		secret_get(s, refs.v[i], &value, &none);
	secrets_redact(s, values, &none);
}

void known_configured(void)
{
	struct config *c;
	struct err none;

	if (config_load(NULL, NULL, &c, &none) < 0)
		return;
	known_channels(c);
	config_free(c);
}

void known_end(void)
{
	redact_know(NULL);
	redact_free(values);
	values = NULL;
}
