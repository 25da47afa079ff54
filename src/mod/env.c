#include "mod/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "parse/version.h"
#include "run/ask.h"
#include "run/spawn.h"

#define ENV_LIMIT (30 * NSEC_PER_SEC)
#define OUT_MAX   ((size_t)1 << 20)
#define FILE_MAX  ((size_t)1 << 20)
#define SETTINGS  256

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

int mod_ask(const char *const *args, const char *const *env, const char *dir, int64_t limit_ns, struct answer *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	int r = spawn_resolve(args[0], getenv("PATH"), &path);

	if (path.bad || r == ENOMEM)
		return no_memory(e);
	if (r)
		return err_set(e, r, TR("'%s' was not found on PATH", "在 PATH 中找不到“%s”"), args[0]);
	const struct ask a = { .path = buf_str(&path),
			       .args = args,
			       .env = env,
			       .dir = dir,
			       .until = time_mono() + limit_ns,
			       .out_max = OUT_MAX,
			       .err_max = 4096 };
	return ask_run(&a, ret, e);
}

/* ---- what go says ---- */

static const char *text_of(struct arena *mem, struct span raw)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	json_unescape(raw, &b);
	return b.bad ? NULL : arena_str(mem, b.len ? buf_view(&b) : S(""));
}

static int read_answer(struct mod_env *m, struct span text, struct err *e)
{
	struct json_in j = { .text = text };
	enum json_tok t = json_next(&j);

	if (t != JSON_OBJ)
		return err_set(e, EBADMSG, TR("`%s env -json` answered no JSON", "`%s env -json` 的输出不是 JSON"), m->go);
	m->all = arena_alloc(&m->mem, SETTINGS * sizeof(*m->all));
	if (!m->all)
		return no_memory(e);
	while ((t = json_next(&j)) == JSON_KEY && m->n < SETTINGS) {
		struct span name = j.value;
		if (json_next(&j) != JSON_STR)
			break;
		struct mod_setting *s = &m->all[m->n++];
		s->name = text_of(&m->mem, name);
		s->value = text_of(&m->mem, j.value);
		if (!s->name || !s->value)
			return no_memory(e);
	}
	return 0;
}

static struct mod_setting *find(const struct mod_env *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++) {
		if (!strcmp(m->all[i].name, name))
			return &m->all[i];
	}
	return NULL;
}

const char *mod_env_value(const struct mod_env *m, const char *name)
{
	const struct mod_setting *s = find(m, name);

	return s ? s->value : NULL;
}

const char *mod_env_origin(const struct mod_env *m, const char *name)
{
	const struct mod_setting *s = find(m, name);

	return s ? s->origin : NULL;
}

/* ---- where it was set: as go looks, the environment, its own file, GOROOT's ---- */

static struct span line_value(struct span text, const char *name)
{
	struct span ret = { 0 };

	while (text.n) {
		struct span line = span_cut(&text, '\n'), key = span_cut(&line, '=');
		if (span_eq(span_trim(key), span_of(name)))
			ret = span_trim(line);
	}
	return ret;
}

static void slurp(const char *path, struct buf *ret)
{
	ret->max = FILE_MAX;
	if (path && *path && strcmp(path, "off") && file_slurp(path, ret, NULL) < 0)
		buf_clear(ret);
}

static void take_origins(struct mod_env *m)
{
	CLEANUP(buf_free) struct buf own = { 0 };

	slurp(m->env_file, &own);
	for (size_t i = 0; i < m->n; i++) {
		const char *v = getenv(m->all[i].name);
		m->all[i].origin = v && *v ? "environment" : line_value(buf_view(&own), m->all[i].name).n ? "go env -w" : "default";
	}
}

/* It was hidden from the go that was asked, so that it fetched no other one. */
static int take_toolchain(struct mod_env *m, struct err *e)
{
	CLEANUP(buf_free) struct buf own = { 0 };
	CLEANUP(buf_free) struct buf root = { 0 };
	CLEANUP(buf_free) struct buf path = { 0 };
	struct mod_setting *s = find(m, "GOTOOLCHAIN");
	struct span v = span_of(getenv("GOTOOLCHAIN"));

	slurp(m->env_file, &own);
	path_join(&path, m->goroot, "go.env");
	slurp(buf_str(&path), &root);
	if (!v.n)
		v = line_value(buf_view(&own), "GOTOOLCHAIN");
	if (!v.n)
		v = line_value(buf_view(&root), "GOTOOLCHAIN");
	if (!v.n)
		v = goversion_compare(goversion_of_toolchain(span_of(m->version)), S("1.21")) < 0 &&
				    span_starts(span_of(m->version), S("go"))
			    ? S("")
			    : S("auto");
	m->toolchain = arena_str(&m->mem, v);
	if (s)
		s->value = m->toolchain;
	return m->toolchain ? 0 : no_memory(e);
}

static int take_netrc(struct mod_env *m, struct err *e)
{
	const char *file = getenv("NETRC"), *home = getenv("HOME");

	if (file && *file)
		m->netrc = arena_str(&m->mem, span_of(file));
	else if (home && *home)
		m->netrc = arena_printf(&m->mem, "%s/.netrc", home);
	else
		return 0;
	return m->netrc ? 0 : no_memory(e);
}

static const char *or_empty(const struct mod_env *m, const char *name)
{
	const char *v = mod_env_value(m, name);

	return v ? v : "";
}

static void take_names(struct mod_env *m)
{
	const struct {
		const char **to, *name;
	} names[] = {
		{ &m->version, "GOVERSION" }, { &m->gomod, "GOMOD" },         { &m->gowork, "GOWORK" },      { &m->modcache, "GOMODCACHE" },
		{ &m->cache, "GOCACHE" },     { &m->gopath, "GOPATH" },       { &m->goroot, "GOROOT" },      { &m->env_file, "GOENV" },
		{ &m->proxy, "GOPROXY" },     { &m->sumdb, "GOSUMDB" },       { &m->private_, "GOPRIVATE" }, { &m->noproxy, "GONOPROXY" },
		{ &m->nosumdb, "GONOSUMDB" }, { &m->insecure, "GOINSECURE" }, { &m->vcs, "GOVCS" },          { &m->auth, "GOAUTH" },
		{ &m->flags, "GOFLAGS" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		*names[i].to = or_empty(m, names[i].name);
	if (!*m->gomod || !strcmp(m->gomod, "/dev/null"))
		m->gomod = NULL;
	if (!*m->gowork)
		m->gowork = NULL;
}

static struct span last_line(struct span text)
{
	struct span ret = S("?");

	while (text.n) {
		struct span line = span_trim(span_cut(&text, '\n'));
		if (line.n)
			ret = line;
	}
	return span_head(ret, 200);
}

static int read_env(const char *dir, struct mod_env *m, struct err *e)
{
	static const char *const env[] = { "GOTOOLCHAIN=local", NULL };
	CLEANUP(answer_free) struct answer got = { 0 };
	/* Named, for then go makes no temporary folder, which may be what is wrong. */
	const char *const args[] = { m->go,       "env",          "-json",       "GOVERSION", "GOMOD",   "GOWORK",      "GOMODCACHE",
				     "GOCACHE",   "GOPATH",       "GOROOT",      "GOENV",     "GOPROXY", "GOSUMDB",     "GOPRIVATE",
				     "GONOPROXY", "GONOSUMDB",    "GOINSECURE",  "GOVCS",     "GOAUTH",  "GOFLAGS",     "GOTOOLCHAIN",
				     "GOTMPDIR",  "GOHOSTOS",     "GOHOSTARCH",  "GOOS",      "GOARCH",  "GO111MODULE", "GOCACHEPROG",
				     "GODEBUG",   "GOEXPERIMENT", "CGO_ENABLED", "CC",        NULL };

	int r = mod_ask(args, env, dir, ENV_LIMIT, &got, e);
	if (r < 0)
		return r;
	if (got.status)
		return err_set(e, EIO, TR("`%s env` failed: %.*s", "`%s env` 失败：%.*s"), m->go, SPAN_ARG(last_line(buf_view(&got.err))));
	r = read_answer(m, buf_view(&got.out), e);
	if (r < 0)
		return r;
	take_names(m);
	r = take_toolchain(m, e);
	if (r == 0)
		r = take_netrc(m, e);
	take_origins(m);
	return r;
}

int mod_env_read(const char *go, const char *dir, struct mod_env *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };

	*ret = (struct mod_env){ 0 };
	int r = spawn_resolve(go ? go : "go", getenv("PATH"), &path);
	if (path.bad || r == ENOMEM)
		return no_memory(e);
	if (r)
		return err_set(e, r, TR("'%s' was not found on PATH", "在 PATH 中找不到“%s”"), go ? go : "go");
	ret->go = arena_str(&ret->mem, buf_view(&path));
	r = ret->go ? read_env(dir, ret, e) : no_memory(e);
	if (r < 0)
		mod_env_free(ret);
	return r;
}

void mod_env_free(struct mod_env *m)
{
	arena_free(&m->mem);
	*m = (struct mod_env){ 0 };
}

void mod_env_free_cleanup(struct mod_env *m)
{
	mod_env_free(m);
}
