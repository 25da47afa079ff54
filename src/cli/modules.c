#include "cli/modules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "mod/blame.h"
#include "mod/cache.h"
#include "mod/tree.h"

#define LIMIT_DEFAULT (60 * NSEC_PER_SEC)
#define RETRIES_DEFAULT 3
#define KEPT_MAX ((size_t)1 << 20)
#define PROXY_DEFAULT "https://proxy.golang.org,direct"

/* ---- what is asked for ---- */

static bool is_mod_download(const struct session *s)
{
	return s->cmd.is_go && s->cmd.sub && !strcmp(s->cmd.sub, "mod") && s->cmd.at_flags < s->user.n &&
	       !strcmp(s->user.v[s->cmd.at_flags], "download");
}

static bool has_word(const struct argv *a, size_t from, const char *word)
{
	for (size_t i = from; i < a->n; i++)
		if (!strcmp(a->v[i], word) || (a->v[i][0] == '-' && a->v[i][1] == '-' && !strcmp(a->v[i] + 1, word)))
			return true;
	return false;
}

/* `go mod download [-C DIR] …` with -x: behind -C, which must be first. */
static int add_x(struct session *s, struct err *e)
{
	size_t at = s->cmd.at_flags + 1;
	const char **v = arena_alloc(&s->mem, (s->argv.n + 2) * sizeof(*v));

	if (!v)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	if (at < s->argv.n && (!strcmp(s->argv.v[at], "-C") || !strcmp(s->argv.v[at], "--C")))
		at += at + 1 < s->argv.n ? 2 : 1;
	else if (at < s->argv.n && (!strncmp(s->argv.v[at], "-C=", 3) || !strncmp(s->argv.v[at], "--C=", 4)))
		at++;
	memcpy(v, s->argv.v, at * sizeof(*v));
	v[at] = "-x";
	memcpy(v + at + 1, s->argv.v + at, (s->argv.n - at) * sizeof(*v));
	s->argv = (struct argv){ v, s->argv.n + 1 };
	return 0;
}

/* Commands that take the versions of go.mod as they are can be served from the cache, and those that build from vendor/. */
static bool is_one_of(const char *word, const char *const *list)
{
	for (size_t i = 0; word && list[i]; i++)
		if (!strcmp(word, list[i]))
			return true;
	return false;
}

static void take_policy(struct modules *m)
{
	static const char *const builds[] = { "build", "install", "test", "vet", "run", "list", NULL };
	struct session *s = m->s;
	bool query = false;
	CLEANUP(buf_free) struct buf vendor = { 0 };

	for (size_t i = s->cmd.at_flags; i < s->user.n; i++)
		query = query || strchr(s->user.v[i], '@');
	path_join(&vendor, s->cmd.dir ? s->cmd.dir : ".", "vendor/modules.txt");
	m->dir_vendor = access(buf_str(&vendor), R_OK) == 0;
	m->policy.retries = s->o->retry_given || config_is_set(s->config, CFG_RETRY) ? s->o->retry : RETRIES_DEFAULT;
	m->policy.cache = !query && (m->download || (s->cmd.is_go && is_one_of(s->cmd.sub, builds)));
	m->policy.vendor = !query && m->dir_vendor && s->cmd.is_go && is_one_of(s->cmd.sub, builds) && !has_word(&s->user, 0, "-mod=mod") &&
			   !has_word(&s->user, 0, "-mod=readonly") && !has_word(&s->user, 0, "-mod");
}

/* GOMODCACHE, without asking go: a progress line is not worth a process. */
static const char *modcache(struct session *s)
{
	const char *v = gocmd_setting(&s->mem, "GOMODCACHE");

	if (v && *v)
		return v;
	v = gocmd_setting(&s->mem, "GOPATH");
	if (v && *v)
		return arena_printf(&s->mem, "%.*s/pkg/mod", SPAN_ARG(span_head(span_of(v), strcspn(v, ":"))));
	v = getenv("HOME");
	return v && *v ? arena_printf(&s->mem, "%s/go/pkg/mod", v) : NULL;
}

/* ---- what go.mod wants ---- */

static const struct mod_line *replacement(const struct modfile *f, const struct mod_line *q)
{
	const struct mod_line *any = NULL;

	for (size_t i = 0; i < f->n; i++) {
		const struct mod_line *l = &f->lines[i];
		if (l->verb != MOD_REPLACE || !span_eq(l->path, q->path))
			continue;
		if (span_eq(l->version, q->version) && l->version.n)
			return l;
		if (!l->version.n)
			any = l;
	}
	return any;
}

static bool in_cache(struct modules *m, struct span path, struct span version)
{
	CLEANUP(buf_free) struct buf file = { 0 };

	return m->fetches.modcache && mod_cache_file(m->fetches.modcache, path, version, "ziphash", &file) && !file.bad &&
	       access(buf_str(&file), R_OK) == 0;
}

static void note_missing(struct modules *m, struct span path, struct span version)
{
	if (m->n_missing == m->cap_missing && !mem_grow(&m->missing, &m->cap_missing, m->n_missing, sizeof(*m->missing)))
		return;
	struct wanted *w = &m->missing[m->n_missing];
	*w = (struct wanted){ arena_span(&m->s->mem, path), arena_span(&m->s->mem, version) };
	m->n_missing += w->path.p && w->version.p;
}

/* A file:// entry of GOPROXY, else version control: what -x does not tell. */
static const char *other_source(struct modules *m)
{
	struct goproxy_at at = { .rest = span_of(m->proxy) };
	struct goproxy_entry e;

	while (goproxy_next(&at, &e))
		if (e.kind == GOPROXY_FILE && !e.unreachable)
			return arena_str(&m->s->mem, e.url);
	return "direct";
}

static void see_appeared(struct modules *m)
{
	const char *by = NULL;
	struct stat st;

	for (size_t i = 0; i < m->n_missing; i++) {
		CLEANUP(buf_free) struct buf zip = { 0 };
		const struct wanted *w = &m->missing[i];
		if (!in_cache(m, w->path, w->version) || !mod_cache_file(m->fetches.modcache, w->path, w->version, "zip", &zip) ||
		    stat(buf_str(&zip), &st) < 0)
			continue;
		by = by ? by : other_source(m);
		if (by)
			fetches_appeared(&m->fetches, w->path, w->version, by, st.st_size);
	}
}

static void count_wanted(struct modules *m)
{
	struct mod_tree t;
	struct err e;

	m->told.wanted = m->told.cached = -1;
	if (mod_tree_open(m->s->cmd.dir, getenv("GOWORK"), &t, &e) < 0)
		return;
	m->told.wanted = m->told.cached = 0;
	for (size_t k = 0; k < t.n; k++) {
		for (size_t i = 0; i < t.members[k].mod.n; i++) {
			const struct mod_line *l = &t.members[k].mod.lines[i], *by;
			if (l->verb != MOD_REQUIRE)
				continue;
			by = replacement(&t.members[k].mod, l);
			if (by && by->new_is_dir)
				continue;
			m->told.wanted++;
			if (in_cache(m, by ? by->new_path : l->path, by ? by->new_version : l->version))
				m->told.cached++;
			else
				note_missing(m, by ? by->new_path : l->path, by ? by->new_version : l->version);
		}
	}
	mod_tree_close(&t);
}

/* ---- open and close ---- */

int modules_open(struct session *s, struct err *e)
{
	struct modules *m;

	if (!s->o->modules)
		return 0;
	m = arena_alloc(&s->mem, sizeof(*m));
	if (!m)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	s->mods = m;
	m->s = s;
	m->kept.max = KEPT_MAX;
	m->downloading.max = 4096;
	m->download = is_mod_download(s);
	m->limit = s->o->stall ? s->o->stall : LIMIT_DEFAULT;
	m->fetches.modcache = modcache(s);
	m->go_proxy = gocmd_setting(&s->mem, "GOPROXY");
	m->go_proxy = m->go_proxy && *m->go_proxy ? m->go_proxy : PROXY_DEFAULT;
	m->proxy = m->go_proxy;
	m->told.wanted = m->told.cached = -1;
	take_policy(m);
	if (m->download)
		count_wanted(m);
	if (!m->download || s->o->pty || has_word(&s->user, s->cmd.at_flags, "-x") || has_word(&s->user, s->cmd.at_flags, "-h"))
		return 0;
	m->filter = true;
	return add_x(s, e);
}

void modules_close(struct session *s)
{
	struct modules *m = s->mods;

	if (!m)
		return;
	fetches_free(&m->fetches);
	mod_env_free(&m->env);
	buf_free(&m->kept);
	buf_free(&m->downloading);
	mem_free(m->missing);
	s->mods = NULL;
}

/* ---- an attempt ---- */

void modules_begin(struct session *s)
{
	struct modules *m = s->mods;

	buf_clear(&m->kept);
	buf_clear(&m->downloading);
	fetches_begin(&m->fetches, m->proxy, time_mono());
	m->said = time_mono();
}

static void on_pass(void *ctx, struct span bytes)
{
	struct session *s = ctx;

	modules_pass(s, bytes);
}

/* "go: downloading M V": all that a command without -x tells. */
static void note_downloading(struct modules *m, struct span line)
{
	line = span_trim(line);
	if (!span_skip(&line, S("go: downloading ")))
		return;
	struct span path = span_cut(&line, ' ');
	fetches_downloading(&m->fetches, path, line);
}

static void watch_lines(struct modules *m, struct span bytes)
{
	while (bytes.n) {
		size_t nl = span_chr(bytes, '\n');
		struct span piece = nl == SPAN_NONE ? bytes : span_head(bytes, nl + 1);
		bytes = span_from(bytes, piece.n);
		buf_span(&m->downloading, piece);
		if (nl == SPAN_NONE)
			continue;
		if (!m->downloading.bad)
			note_downloading(m, buf_view(&m->downloading));
		buf_clear(&m->downloading);
	}
}

bool modules_bytes(struct session *s, enum stream stream, struct span bytes)
{
	struct modules *m = s->mods;

	modules_clear(s);
	if (stream != STREAM_ERR) {
		if (s->o->pty)
			watch_lines(m, bytes);
		return false;
	}
	struct span head = span_head(bytes, KEPT_MAX - m->kept.len);
	buf_span(&m->kept, head);
	if (!m->filter) {
		watch_lines(m, bytes);
		return false;
	}
	fetches_feed(&m->fetches, bytes, time_mono(), on_pass, s);
	return true;
}

bool modules_hung(void *ctx, int64_t now)
{
	struct session *s = ctx;
	struct modules *m = s->mods;

	if (!m->filter)
		return false;
	fetches_look(&m->fetches, now);
	return fetches_hung(&m->fetches, now, m->limit) != NULL;
}

void modules_end(struct session *s)
{
	struct modules *m = s->mods;

	modules_clear(s);
	if (m->filter)
		fetches_end(&m->fetches, on_pass, s);
	fetches_look(&m->fetches, time_mono());
	if (m->filter)
		fetches_settle(&m->fetches);
	if (m->filter && m->fetches.modcache)
		see_appeared(m);
}

/* ---- what came of it ---- */

static struct module_try *new_try(struct modules *m)
{
	struct modules_report *t = &m->told;

	if (t->n_tries == m->cap_tries) {
		size_t cap = m->cap_tries ? m->cap_tries * 2 : 8;
		struct module_try *v = arena_alloc(&m->s->mem, cap * sizeof(*v));
		if (!v)
			return NULL;
		if (t->n_tries)
			memcpy(v, t->tries, t->n_tries * sizeof(*v));
		t->tries = v;
		m->cap_tries = cap;
	}
	t->tries[t->n_tries] = (struct module_try){ .attempt = (int)t->n_tries + 1, .act = policy_word(POLICY_PASSED) };
	return &t->tries[t->n_tries++];
}

/* Every address of a list of GOPROXY without credentials. */
static const char *shown_list(struct arena *mem, const char *proxy)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span rest = span_of(proxy);

	while (rest.n) {
		size_t n = 0;
		while (n < rest.n && rest.p[n] != ',' && rest.p[n] != '|')
			n++;
		mirror_shown(span_head(rest, n), &b);
		if (n < rest.n)
			buf_addc(&b, rest.p[n++]);
		rest = span_from(rest, n);
	}
	return b.bad ? NULL : arena_str(mem, buf_view(&b));
}

/* A hang is no --stall of the user's, but an answer that never came. */
static void name_hang(struct modules *m, struct report *r)
{
	int64_t now = time_mono();
	const struct fetch *hung = m->filter ? fetches_hung(&m->fetches, now, r->ending.limit_ns) : NULL;
	const struct fetch *x = hung || !m->filter ? hung : fetches_oldest(&m->fetches);
	int64_t waited = x ? now - x->moved : m->limit;
	CLEANUP(buf_free) struct buf url = { 0 };
	struct finding *f;
	char took[24];

	waited = waited > r->ending.limit_ns ? r->ending.limit_ns : waited;
	duration_text(waited > 0 ? waited : m->limit, took);
	if (x)
		mirror_shown(span_of(x->url), &url);
	struct span said =
		x && x->status
			? report_text(r,
				      TR("nothing came of %s for %s, in the middle of the answer: go would wait for ever, so it was ended",
					 "%s 的应答传到一半后 %s 没有任何数据：go 会永远等待，已将其结束"),
				      buf_str(&url), took)
		: x ? report_text(r,
				  TR("no answer came from %s for %s: go would wait for ever, so it was ended",
				     "%s 在 %s 内没有应答：go 会永远等待，已将其结束"),
				  buf_str(&url), took)
		    : report_text(r,
				  TR("nothing came from the network for %s: go would wait for ever, so it was ended",
				     "%s 内网络上没有任何数据：go 会永远等待，已将其结束"),
				  took);
	if (r->n_findings && (r->findings[0].cause == CAUSE_PROC_STALL || r->findings[0].cause == CAUSE_PROC_SIGNAL)) {
		f = &r->findings[0];
		f->advice = (struct span){ 0 };
	} else {
		f = report_add(r);
		if (!f)
			return;
		struct finding mine = { .order = r->findings[0].order };
		memmove(r->findings + 1, r->findings, (r->n_findings - 1) * sizeof(mine));
		r->findings[0] = mine;
		f = &r->findings[0];
	}
	f->cause = CAUSE_MOD_TIMEOUT;
	f->severity = SEV_ERROR;
	f->classes = "TM";
	f->message = said;
	r->cause = CAUSE_MOD_TIMEOUT;
	r->summary = said.p;
}

static const char *copy(struct modules *m, struct span s)
{
	return s.n ? arena_str(&m->s->mem, s) : NULL;
}

static void note_failure(struct modules *m, struct report *r, struct module_try *t)
{
	const struct finding *f = r->n_findings ? &r->findings[0] : NULL;
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf url = { 0 };
	struct blame b;

	t->cause = r->cause;
	if (!f || !cause_table[r->cause].id)
		return;
	buf_span(&text, f->excerpt);
	if (!f->excerpt.n || span_find(f->excerpt, f->message) == SPAN_NONE) {
		buf_addc(&text, '\n');
		buf_span(&text, f->message);
	}
	blame_read(buf_view(&text), r->cause, &b);
	mirror_shown(b.url, &url);
	t->url = copy(m, buf_view(&url));
	t->module = copy(m, b.module);
	t->version = copy(m, b.version);
	t->layer = b.layer;
	t->variable = b.variable;
	t->status = b.status;
	/* "zip: not a valid zip file" names nobody: it is one that came, and did not go into the cache. */
	const struct fetch *lost =
		!t->module && !b.url.n && m->filter && span_find(buf_view(&text), S("zip")) != SPAN_NONE ? fetches_lost(&m->fetches) : NULL;
	if (lost) {
		b.url = span_of(lost->url);
		mirror_shown(b.url, &url);
		t->url = copy(m, buf_view(&url));
	}
	if (t->module || !b.url.n)
		return;
	CLEANUP(buf_free) struct buf module = { 0 };
	CLEANUP(buf_free) struct buf version = { 0 };
	if (!b.sumdb && blame_module(b.url, mirror_base(m->proxy, b.url), &module, &version)) {
		t->module = copy(m, buf_view(&module));
		t->version = copy(m, buf_view(&version));
	}
}

static bool is_failure(enum outcome o)
{
	return o != OUTCOME_PASSED && o != OUTCOME_NONE && o != OUTCOME_EMPTY && o != OUTCOME_UNSTABLE;
}

void modules_judged(struct session *s, struct report *r)
{
	struct modules *m = s->mods;
	struct module_try *t = new_try(m);

	if (r->ending.stop == STOP_STALL && r->ending.network)
		name_hang(m, r);
	if (!t)
		return;
	t->proxy = shown_list(&s->mem, m->proxy);
	if (is_failure(r->outcome))
		note_failure(m, r, t);
}

/* ---- what next ---- */

/* --mirror, then `mirrors:`. */
static const char *const *named_mirrors(struct modules *m, size_t *n)
{
	const struct opt_list *flag = &m->s->o->mirror;
	size_t of_config = 0;
	const char *const *config = config_list(m->s->config, CFG_MIRRORS, &of_config);
	const char **v = arena_alloc(&m->s->mem, (flag->n + of_config + 1) * sizeof(*v));

	*n = 0;
	for (size_t i = 0; v && i < flag->n; i++)
		v[(*n)++] = flag->v[i];
	for (size_t i = 0; v && i < of_config; i++)
		v[(*n)++] = config[i];
	return v;
}

static void read_env(struct modules *m)
{
	struct err e = { 0 };
	size_t n;

	if (m->env_read)
		return;
	m->env_read = mod_env_read(m->s->cmd.is_go ? m->s->user.v[0] : NULL, m->s->cmd.dir, &m->env, &e) < 0 ? -1 : 1;
	if (m->env_read < 0) {
		session_note(m->s, e.msg);
		return;
	}
	const char *const *named = named_mirrors(m, &n);
	struct mirror_env env = { m->env.proxy, m->env.private_, m->env.noproxy, m->env.nosumdb };
	if (mirrors_find(&env, named, n, &m->s->mem, &m->mirrors) < 0)
		m->mirrors = (struct mirrors){ 0 };
	struct goproxy_at at = { .rest = span_of(m->env.proxy) };
	struct goproxy_entry first;
	struct span begins = goproxy_next(&at, &first) ? first.url : (struct span){ 0 };
	for (size_t i = 0; i < m->mirrors.n; i++) /* where GOPROXY begins it was asked already */
		m->policy.mirrors += !span_eq(span_of(m->mirrors.v[i].url), begins);
	m->told.refused = n || m->mirrors.v ? m->mirrors.refused : NULL; /* where nobody named a mirror, it needs no reason */
	m->go_proxy = m->env.proxy && *m->env.proxy ? m->env.proxy : m->go_proxy;
}

static bool is_private(const struct modules *m, const struct module_try *t)
{
	struct span path = span_of(t->module);

	return path.n && m->env_read > 0 &&
	       (goprivate_matches(span_of(m->env.private_), path) || goprivate_matches(span_of(m->env.noproxy), path) ||
		goprivate_matches(span_of(m->env.nosumdb), path));
}

static size_t next_mirror(const struct modules *m, size_t nth, struct span failed)
{
	for (size_t i = 0; i < m->mirrors.n; i++) {
		size_t at = (nth + i) % m->mirrors.n;
		struct span url = span_of(m->mirrors.v[at].url);
		if (!failed.n || !span_starts(url, failed) || url.n > failed.n + 1)
			return at;
	}
	return nth % (m->mirrors.n ? m->mirrors.n : 1);
}

static void set_variables(struct modules *m, const char *proxy, const char *flags)
{
	size_t n = 0;

	m->proxy = proxy ? proxy : m->go_proxy;
	if (proxy)
		m->variables[n++] = arena_printf(&m->s->mem, "GOPROXY=%s", proxy);
	if (flags)
		m->variables[n++] = arena_printf(&m->s->mem, "GOFLAGS=%s", flags);
	m->variables[n] = NULL;
	if (n && !m->variables[n - 1])
		m->variables[n - 1] = NULL;
}

/* GOFLAGS without a -mod of its own, and ours. */
static const char *vendor_flags(struct modules *m)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct span rest = span_of(m->env_read > 0 ? m->env.flags : NULL);

	while (rest.n) {
		struct span word = span_cut(&rest, ' ');
		if (word.n && !span_starts(word, S("-mod=")) && !span_starts(word, S("--mod=")))
			buf_addf(&b, "%.*s ", SPAN_ARG(word));
	}
	buf_adds(&b, "-mod=vendor");
	return b.bad ? NULL : arena_str(&m->s->mem, buf_view(&b));
}

static const char *said_of(const struct module_try *t, struct arena *mem)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_adds(&b, cause_table[t->cause].id ? cause_table[t->cause].id : "?");
	if (t->module)
		buf_addf(&b, ", %s%s%s", t->module, t->version ? "@" : "", t->version ? t->version : "");
	if (t->status)
		buf_addf(&b, ", HTTP %d", t->status);
	if (t->url)
		buf_addf(&b, ", %s", t->url);
	return b.bad ? NULL : arena_str(mem, buf_view(&b));
}

static void say_next(struct modules *m, const struct module_try *t, const struct policy_step *step, int64_t delay, const char *to)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf clean = { 0 };
	const char *what = said_of(t, &m->s->mem);
	char wait[24];

	duration_text(delay, wait);
	buf_addf(&text, TR("attempt %d failed (%s)", "第 %d 次尝试失败（%s）"), t->attempt, what ? what : "?");
	if (step->act == POLICY_MIRROR)
		buf_addf(&text, TR("; trying again with %s first", "；改从 %s 开始重试"), to);
	else if (step->act == POLICY_AGAIN)
		buf_addf(&text, TR("; trying again in %s (%s)", "；%s 后重试（%s）"), wait, step->why);
	else
		buf_addf(&text, TR("; %s", "；%s"), step->why);
	redact_text(m->s->redact, buf_view(&text), &clean);
	view_say(&m->s->view, buf_str(&clean));
}

static void prepare(struct modules *m, const struct policy_step *step, const struct module_try *t, const char **to)
{
	CLEANUP(buf_free) struct buf list = { 0 };
	struct span failed = mirror_base(m->proxy, span_of(t->url));

	switch (step->act) {
	case POLICY_MIRROR: {
		size_t at = next_mirror(m, step->mirror, failed);
		mirrors_list(&m->mirrors, at, m->go_proxy, failed, &list);
		*to = m->mirrors.n ? m->mirrors.v[at].shown : "?";
		set_variables(m, list.bad ? NULL : arena_str(&m->s->mem, buf_view(&list)), NULL);
		break;
	}
	case POLICY_VENDOR:
		set_variables(m, "off", vendor_flags(m));
		break;
	case POLICY_CACHE:
		set_variables(m, "off", NULL);
		break;
	default:
		break;
	}
}

enum modules_next modules_next(struct session *s, struct report *r, int64_t *delay)
{
	struct modules *m = s->mods;
	struct module_try *t = m->told.n_tries ? &m->told.tries[m->told.n_tries - 1] : NULL;
	const struct finding *f = r->n_findings ? &r->findings[0] : NULL;
	struct policy_seen seen = { .cause = r->cause, .classes = f && f->cause == r->cause ? f->classes : cause_table[r->cause].classes,
		.failed = is_failure(r->outcome) && r->cause, .told_to_stop = s->stopped || r->ending.stop == STOP_SIGNAL,
		.hung = r->ending.stop == STOP_STALL && r->ending.network };
	struct policy_step step;
	const char *to = "";

	if (!t)
		return MODULES_OTHER;
	if (seen.failed && !seen.told_to_stop)
		read_env(m);
	seen.is_private = is_private(m, t);
	policy_decide(&m->policy, &seen, &step);
	t->act = policy_word(step.act);
	t->why = step.why;
	if (step.act == POLICY_NOT_OURS || step.act == POLICY_PASSED)
		return MODULES_OTHER;
	if (step.act == POLICY_SECURITY)
		modules_prove(s, r);
	if (step.act == POLICY_SECURITY || step.act == POLICY_STOP)
		return MODULES_OVER;
	prepare(m, &step, t, &to);
	*delay = step.backoff >= 0 ? retry_delay(step.backoff) : 0;
	t->delay_ns = *delay;
	m->rung = step.act;
	say_next(m, t, &step, *delay, to);
	return MODULES_AGAIN;
}

bool modules_offline(const struct session *s)
{
	return s->mods && (s->mods->rung == POLICY_VENDOR || s->mods->rung == POLICY_CACHE);
}

/* ---- the end ---- */

/* Who served it, in few words: "40 from the cache, 12 by https://a, 1 by https://b". */
static const char *said_sources(struct modules *m)
{
	const struct fetches *f = &m->fetches;
	CLEANUP(buf_free) struct buf b = { 0 };
	size_t kinds = 0;

	if (m->told.cached > 0)
		buf_addf(&b, TR("%lld from the cache", "%lld 个来自缓存"), (long long)m->told.cached);
	for (size_t i = 0; i < f->n_served && kinds < 8; i++) {
		size_t n = 0, first = i;
		const char *by = f->served[i].by;
		for (size_t k = 0; k < f->n_served; k++) {
			bool same = by == f->served[k].by || (by && f->served[k].by && !strcmp(by, f->served[k].by));
			n += same;
			first = same && k < first ? k : first;
		}
		if (first < i)
			continue;
		kinds++;
		buf_adds(&b, b.len ? TR(", ", "，") : "");
		if (by)
			buf_addf(&b, TR("%zu by %s", "%zu 个来自 %s"), n, by);
		else
			buf_addf(&b, TR("%zu downloaded", "%zu 个已下载"), n);
	}
	return b.bad || !b.len ? NULL : arena_str(&m->s->mem, buf_view(&b));
}

static const char *rung_word(const struct modules *m, const struct report *r)
{
	if (is_failure(r->outcome))
		return NULL;
	if (m->rung == POLICY_VENDOR)
		return "vendor";
	if (m->rung == POLICY_CACHE || (m->filter && !m->fetches.n_served))
		return "cache";
	for (size_t i = 0; i < m->fetches.n_served; i++)
		if (m->fetches.served[i].by && !strncmp(m->fetches.served[i].by, "file://", 7))
			return "file";
	return m->rung == POLICY_MIRROR ? "mirror" : "proxy";
}

static const char *how_recovered(const struct modules *m)
{
	switch (m->rung) {
	case POLICY_VENDOR:
		return TR("vendor/ served it", "改由 vendor/ 提供");
	case POLICY_CACHE:
		return TR("the module cache served it", "改由模块缓存提供");
	case POLICY_MIRROR:
		return TR("another proxy served it", "改由其他代理提供");
	default:
		return TR("the same served it when tried again", "重试后成功");
	}
}

void modules_recovered(struct session *s, struct report *r, const struct report *first)
{
	const struct module_try *t = &s->mods->told.tries[0];
	const char *what = said_of(t, &r->mem);
	struct finding *f = report_add(r);

	r->outcome = OUTCOME_UNSTABLE;
	r->cause = first->cause;
	r->summary = report_text(r, TR("failed first (%s), then passed: %s", "先失败（%s），后通过：%s"), what ? what : "?",
				 how_recovered(s->mods))
			     .p;
	if (!f)
		return;
	*f = (struct finding){ .cause = first->cause, .severity = SEV_WARNING, .classes = "T" };
	if (first->n_findings) {
		f->classes = first->findings[0].classes;
		f->excerpt = arena_span(&r->mem, first->findings[0].excerpt);
		f->advice = arena_span(&r->mem, first->findings[0].advice);
	}
	f->message = span_of(r->summary);
	struct finding mine = *f; /* the primary cause stands first */
	memmove(r->findings + 1, r->findings, (r->n_findings - 1) * sizeof(mine));
	r->findings[0] = mine;
}

/* What decides on it is named with what failed. */
static void finish_advice(struct modules *m, struct report *r)
{
	const struct module_try *t = m->told.n_tries ? &m->told.tries[m->told.n_tries - 1] : NULL;
	struct finding *f = r->n_findings ? &r->findings[0] : NULL;
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *own;

	for (size_t i = m->told.n_tries; i-- > 0;) /* the try that this report is of */
		if (m->told.tries[i].cause == r->cause) {
			t = &m->told.tries[i];
			break;
		}
	if (!t || !f || f->cause != r->cause || !is_failure(r->outcome) || (!t->module && !t->url && !t->variable))
		return;
	own = tx(cause_table[f->cause].advice);
	buf_span(&b, f->advice.n ? f->advice : span_of(own));
	buf_addf(&b, TR(" At fault: %s", " 出错处：%s"), blame_layer_title(t->layer ? t->layer : "go"));
	if (t->module)
		buf_addf(&b, TR("; module %s%s%s", "；模块 %s%s%s"), t->module, t->version ? "@" : "", t->version ? t->version : "");
	if (t->url)
		buf_addf(&b, TR("; %s", "；%s"), t->url);
	if (t->status)
		buf_addf(&b, TR("; HTTP status %d", "；HTTP 状态 %d"), t->status);
	if (t->variable)
		buf_addf(&b, TR("; set by %s", "；由 %s 决定"), t->variable);
	buf_adds(&b, TR(".", "。"));
	if (m->told.refused && strchr(f->classes, 'M'))
		buf_addf(&b, " %s.", m->told.refused);
	if (!b.bad)
		f->advice = arena_span(&r->mem, buf_view(&b));
}

void modules_tell(struct session *s, struct report *r)
{
	struct modules *m = s->mods;

	if (!m)
		return;
	struct fetches *f = &m->fetches;
	struct modules_report *t = &m->told;
	modules_clear(s);
	t->fetched = (int64_t)f->n_served;
	t->bytes = m->filter && f->modcache ? f->bytes : -1;
	t->served = arena_alloc(&s->mem, (f->n_served + 1) * sizeof(*t->served));
	for (size_t i = 0; t->served && i < f->n_served; i++) {
		t->served[i] = (struct module_served){ f->served[i].module, f->served[i].version, f->served[i].by, f->served[i].bytes };
		t->n_served = i + 1;
	}
	t->rung = rung_word(m, r);
	finish_advice(m, r);
	const char *sources = said_sources(m);
	t->said = sources ? sources : NULL;
	struct modules_report *mine = arena_alloc(&r->mem, sizeof(*mine));
	if (mine) {
		*mine = *t;
		r->module_story = mine;
	}
}
