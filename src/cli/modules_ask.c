/* After a security stop: the proof is kept, and everybody who may be asked says what he has. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/modules.h"
#include "mod/blame.h"
#include "mod/cache.h"
#include "net/get.h"

#define ZIP_MAX ((size_t)500 << 20)
#define ASKED_MAX 16
#define TOTAL_NSEC (60 * NSEC_PER_SEC)
#define QUIET_NSEC_ASK (10 * NSEC_PER_SEC)

/* ---- the proof ---- */

static void keep_proof(struct modules *m)
{
	CLEANUP(buf_free) struct buf dir = { 0 };
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf clean = { 0 };
	struct session *s = m->s;
	char id[27], when[32];
	struct err e = { 0 };

	ulid_make(time_wall(), id);
	time_rfc3339(time_wall(), when);
	int r = path_user_dir("XDG_STATE_HOME", ".local/state", &dir, &e);
	if (r == 0) {
		buf_adds(&dir, "/proof");
		r = path_mkdirs(buf_str(&dir), 0700, &e);
	}
	buf_addf(&dir, "/%s.txt", id);
	buf_addf(&text, "%s\nGOPROXY=%s\n", when,
		 m->told.n_tries && m->told.tries[m->told.n_tries - 1].proxy ? m->told.tries[m->told.n_tries - 1].proxy : "");
	if (m->env_read > 0)
		buf_addf(&text, "GOSUMDB=%s\n%s\n", m->env.sumdb ? m->env.sumdb : "", m->env.version ? m->env.version : "");
	for (size_t i = 0; i < s->user.n; i++)
		buf_addf(&text, "%s%s", i ? " " : "$ ", s->user.v[i]);
	buf_addc(&text, '\n');
	buf_span(&text, buf_view(&m->kept));
	redact_text(s->redact, buf_view(&text), &clean);
	if (r == 0 && (text.bad || clean.bad || dir.bad))
		r = err_set(&e, ENOMEM, TR("no memory", "内存不足"));
	if (r == 0)
		r = file_replace(buf_str(&dir), buf_view(&clean), &e);
	if (r < 0)
		session_note(s, e.msg);
	else
		m->told.proof = arena_str(&s->mem, buf_view(&dir));
}

/* ---- asking ---- */

struct asked {
	const char *base, *shown; /* of a proxy */
	char file[96];            /* its zip */
};

struct question {
	struct modules *m;
	struct span path, version, expected;
	bool go_mod;
	char dir[64];
	struct asked v[ASKED_MAX];
	size_t n;
};

static void ask_also(struct question *q, struct span url)
{
	CLEANUP(buf_free) struct buf shown = { 0 };
	struct arena *mem = &q->m->s->mem;

	for (size_t i = 0; i < q->n; i++)
		if (span_eq(span_of(q->v[i].base), url))
			return;
	if (q->n == ASKED_MAX)
		return;
	while (url.n && url.p[url.n - 1] == '/')
		url.n--;
	mirror_shown(url, &shown);
	struct asked *a = &q->v[q->n];
	*a = (struct asked){ arena_str(mem, url), shown.bad ? NULL : arena_str(mem, buf_view(&shown)), "" };
	q->n += a->base && a->shown;
}

/* The proxy that go asked, and the mirrors that may hear of this module. */
static void choose(struct question *q, bool is_private)
{
	struct modules *m = q->m;
	struct goproxy_at at = { .rest = span_of(m->proxy) };
	struct goproxy_entry e;

	if (goprivate_matches(span_of(m->env.noproxy), q->path))
		return;
	for (bool more = true; more && goproxy_next(&at, &e) && (e.kind == GOPROXY_URL || e.kind == GOPROXY_FILE); more = e.any_error)
		ask_also(q, e.url);
	for (size_t i = 0; i < m->mirrors.n && !is_private; i++)
		ask_also(q, span_of(m->mirrors.v[i].url));
}

static bool stop_asking(void *ctx)
{
	struct session *s = ctx;

	return session_sleep(s, 0);
}

static bool escaped(struct span s, struct buf *ret)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			buf_addc(ret, '!');
		buf_addc(ret, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i]);
	}
	return !ret->bad;
}

static struct module_answer *new_answer(struct modules *m)
{
	struct modules_report *t = &m->told;

	if (!t->answers)
		t->answers = arena_alloc(&m->s->mem, ASKED_MAX * sizeof(*t->answers));
	return t->answers && t->n_answers < ASKED_MAX ? &t->answers[t->n_answers++] : NULL;
}

static void take_answer(struct question *q, const struct asked *a, struct net_get *g)
{
	struct module_answer *x = new_answer(q->m);
	struct arena *mem = &q->m->s->mem;
	char hash[H1_SIZE] = "";
	struct err e = { 0 };

	if (!x)
		return;
	*x = (struct module_answer){ .from = a->shown, .status = g->status, .go_mod = q->go_mod };
	if (g->transport != TRANSPORT_OK || g->status != 200) {
		x->why = g->why ? arena_str(mem, span_of(g->why)) : arena_printf(mem, "HTTP %d", g->status);
		return;
	}
	if (q->go_mod)
		h1_of_gomod(buf_view(&g->body), hash);
	else if (h1_of_zip(a->file, q->path, q->version, hash, &e) < 0)
		x->why = arena_str(mem, span_of(e.msg));
	x->hash = *hash ? arena_str(mem, span_of(hash)) : NULL;
	x->agrees = x->hash && span_eq(span_of(hash), q->expected);
}

static int get_all(struct question *q, struct net *n, struct err *e)
{
	struct net_get g[ASKED_MAX] = { 0 };
	struct arena *mem = &q->m->s->mem;
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf version = { 0 };
	int r;

	if (!escaped(q->path, &path) || !escaped(q->version, &version))
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	for (size_t i = 0; i < q->n; i++) {
		snprintf(q->v[i].file, sizeof(q->v[i].file), "%s/%zu.zip", q->dir, i);
		g[i].url = arena_printf(mem, "%s/%s/@v/%s.%s", q->v[i].base, buf_str(&path), buf_str(&version), q->go_mod ? "mod" : "zip");
		g[i].to = q->go_mod ? NULL : q->v[i].file;
		g[i].max = q->go_mod ? (size_t)16 << 20 : ZIP_MAX;
		if (!g[i].url)
			return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	}
	r = net_get(n, g, q->n, e);
	for (size_t i = 0; i < q->n; i++) {
		if (r == 0)
			take_answer(q, &q->v[i], &g[i]);
		buf_free(&g[i].body);
		unlink(q->v[i].file);
	}
	return r;
}

static int ask(struct question *q, struct err *e)
{
	CLEANUP(buf_free) struct buf netrc = { .max = 1 << 20 };
	CLEANUP(net_close) struct net *n = NULL;
	struct mod_env *env = &q->m->env;
	const char *tmp = getenv("TMPDIR");
	struct net_options o = { .total_ns = TOTAL_NSEC, .quiet_ns = QUIET_NSEC_ASK, .stop = stop_asking, .ctx = q->m->s };

	if (env->netrc && file_slurp(env->netrc, &netrc, NULL) == 0)
		o.netrc = buf_view(&netrc);
	o.netrc_old = env->version && (!strncmp(env->version, "go1.1", 5) ||
				       (!strncmp(env->version, "go1.2", 5) && env->version[5] >= '0' && env->version[5] <= '3'));
	if (snprintf(q->dir, sizeof(q->dir), "%s/tocsin-XXXXXX", tmp && *tmp && strlen(tmp) < 40 ? tmp : "/tmp") >= (int)sizeof(q->dir) ||
	    !mkdtemp(q->dir))
		return err_set(e, errno, TR("make a folder in %s: %m", "无法在 %s 中创建目录：%m"), tmp ? tmp : "/tmp");
	int r = net_open(&o, &n, e);
	if (r == 0)
		r = get_all(q, n, e);
	if (netrc.p)
		explicit_bzero(netrc.p, netrc.cap);
	rmdir(q->dir);
	return r;
}

/* ---- telling ---- */

static void tell(struct modules *m, struct report *r, const struct question *q, const char *why_nobody)
{
	struct finding *f = r->n_findings ? &r->findings[0] : NULL;
	CLEANUP(buf_free) struct buf b = { 0 };
	size_t agree = 0, differ = 0;

	if (!f)
		return;
	buf_span(&b, f->excerpt);
	for (size_t i = 0; q && i < m->told.n_answers; i++) {
		const struct module_answer *a = &m->told.answers[i];
		agree += a->hash && a->agrees;
		differ += a->hash && !a->agrees;
		buf_adds(&b, b.len && b.p[b.len - 1] != '\n' ? "\n" : "");
		if (a->hash)
			buf_addf(&b, TR("asked again: %s has %s, %s", "再次询问：%s 给出 %s，%s"), a->from, a->hash,
				 a->agrees ? TR("as expected", "与预期一致") : TR("which is NOT what is expected", "与预期不符"));
		else
			buf_addf(&b, TR("asked again: %s gives nothing (%s)", "再次询问：%s 没有给出内容（%s）"), a->from,
				 a->why ? a->why : "?");
	}
	if (!b.bad)
		f->excerpt = arena_span(&r->mem, buf_view(&b));
	buf_clear(&b);
	const char *own = tx(cause_table[f->cause].advice);
	buf_span(&b, f->advice.n ? f->advice : span_of(own));
	if (agree && differ)
		buf_addf(&b,
			 TR(" %zu of %zu that have it differ from what is expected: those that differ are named; do not use them.",
			    " 在给出该模块的来源中有 %zu 个（共 %zu 个）与预期不符：已逐一列出，请勿使用。"),
			 differ, agree + differ);
	else if (differ)
		buf_addf(
			&b,
			TR(" All %zu that have it differ from what is expected: the version was changed after it was recorded, or what is recorded is wrong.",
			   " 给出该模块的 %zu 个来源全部与预期不符：该版本在记录之后被改动，或记录本身有误。"),
			differ);
	else if (agree)
		buf_adds(
			&b,
			TR(" Asked again, all give what is expected: what came before was changed on the way, or in the module cache (`tocsin mod verify`).",
			   " 再次询问时全部与预期一致：之前的内容在途中或模块缓存中被改动（`tocsin mod verify`）。"));
	if (why_nobody)
		buf_addf(&b, " %s.", why_nobody);
	if (m->told.proof)
		buf_addf(&b, TR(" What go said is kept in %s.", " go 的输出已保存在 %s。"), m->told.proof);
	if (!b.bad)
		f->advice = arena_span(&r->mem, buf_view(&b));
}

void modules_prove(struct session *s, struct report *r)
{
	struct modules *m = s->mods;
	struct module_try *t = m->told.n_tries ? &m->told.tries[m->told.n_tries - 1] : NULL;
	const struct finding *f = r->n_findings ? &r->findings[0] : NULL;
	struct question q = { .m = m };
	struct blame_hashes h;
	struct err e = { 0 };

	keep_proof(m);
	if (!t || !f || !t->module || !t->version || m->env_read <= 0 || r->cause != CAUSE_MOD_CHECKSUM ||
	    (!blame_hashes(f->excerpt, &h) && !blame_hashes(buf_view(&m->kept), &h))) {
		tell(m, r, NULL, NULL);
		return;
	}
	q.path = span_of(t->module);
	q.version = span_of(t->version);
	q.expected = h.expected;
	q.go_mod = h.go_mod;
	bool is_private = goprivate_matches(span_of(m->env.private_), q.path) || goprivate_matches(span_of(m->env.nosumdb), q.path);
	choose(&q, is_private);
	if (!q.n) {
		tell(m, r, NULL, TR("Nobody else was asked: the module is private", "未询问其他来源：该模块为私有"));
		return;
	}
	char what[512];
	snprintf(what, sizeof(what),
		 TR("%s@%s does not have the hash that %.*s has: asking %zu proxies for the same",
		    "%s@%s 的哈希与 %.*s 不符：正在向 %zu 个代理询问同一版本"),
		 t->module, t->version, SPAN_ARG(h.by), q.n);
	view_say(&s->view, what);
	if (ask(&q, &e) < 0)
		session_note(s, e.msg);
	tell(m, r, &q, is_private ? TR("No mirror was asked: the module is private", "未询问镜像：该模块为私有") : m->told.refused);
}
