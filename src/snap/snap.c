#include "snap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "base/time.h"
#include "net/get.h"
#include "snap/own.h"

#define QUICK_NSEC (10 * NSEC_PER_SEC) /* goroutines and heap */
#define PROFILE_SECONDS 3
#define TRACE_SECONDS 1
#define PROFILE_NSEC ((PROFILE_SECONDS + 8) * NSEC_PER_SEC)
#define PROFILE_MAX ((size_t)32 << 20)
#define FILES_MAX 16
#define LIMITS_MAX 24

struct kept_file {
	const char *name, *kind;
	int64_t bytes;
};

struct making {
	const struct snap_request *q;
	struct buf *dump;
	struct buf tmp;  /* the folder while it is made */
	struct kept_file files[FILES_MAX];
	size_t n_files;
	char limits[LIMITS_MAX][200];
	size_t n_limits;
	int64_t began;
};

/* What net/http/pprof is asked for. */
static const struct {
	const char *path, *file, *kind;
	size_t max;
	bool profile;      /* it measures for a while */
	struct span begin; /* with what it begins: another server may answer there, and what it says is not ours to keep */
} asked[] = {
	{ "goroutine?debug=2", "goroutines.txt", "goroutines", SNAP_DUMP + (1 << 20), false, { "goroutine ", 10 } },
	{ "goroutine", "goroutine.pb.gz", "profile", PROFILE_MAX, false, { "\x1f\x8b", 2 } },
	{ "heap", "heap.pb.gz", "profile", PROFILE_MAX, false, { "\x1f\x8b", 2 } },
	{ "profile?seconds=3", "cpu.pb.gz", "profile", PROFILE_MAX, true, { "\x1f\x8b", 2 } },
	{ "trace?seconds=1", "trace.out", "trace", PROFILE_MAX * 2, true, { "go 1.", 5 } },
};

static void __attribute__((format(printf, 2, 3))) say_limit(struct making *m, const char *fmt, ...)
{
	va_list ap;

	if (m->n_limits == LIMITS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(m->limits[m->n_limits++], sizeof(m->limits[0]), fmt, ap);
	va_end(ap);
}

/* ---- files ---- */

static void file_path(const struct making *m, const char *name, struct buf *ret)
{
	buf_clear(ret);
	path_join(ret, buf_str(&m->tmp), name);
}

static void add_kept(struct making *m, const char *name, const char *kind, int64_t bytes)
{
	if (m->n_files < FILES_MAX)
		m->files[m->n_files++] = (struct kept_file){ name, kind, bytes };
}

static void keep_text(struct making *m, const char *name, const char *kind, struct span text)
{
	CLEANUP(buf_free) struct buf clean = { 0 }, path = { 0 };
	struct err e;

	if (!text.n)
		return;
	redact_text(m->q->redact, text, &clean);
	file_path(m, name, &path);
	if (clean.bad || path.bad)
		say_limit(m, TR("%s: no memory", "%s：内存不足"), name);
	else if (file_replace(buf_str(&path), buf_view(&clean), &e) < 0)
		say_limit(m, "%s: %.160s", name, e.msg);
	else
		add_kept(m, name, kind, (int64_t)clean.len);
}

/* A stack that was survived must not read as the end of the program: what recovered it stands where the runtime writes "panic: ". */
static void keep_crash(struct making *m)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct span crash = m->q->crash, said = m->q->message, source;
	size_t stack = span_find(crash, S("\ngoroutine ")), colon = span_find(said, S(": "));

	if (strcmp(m->q->cause ? m->q->cause : "", "go.panic.recovered") != 0 || stack == SPAN_NONE || colon == SPAN_NONE) {
		keep_text(m, "crash.txt", "crash", crash);
		return;
	}
	source = span_head(said, colon);
	said = span_from(said, colon + 2);
	buf_addf(&text, "recovered panic (%.*s): %.*s\n", SPAN_ARG(source), SPAN_ARG(span_head(said, span_chr(said, '\n'))));
	buf_span(&text, span_from(crash, stack));
	keep_text(m, "crash.txt", "crash", buf_view(&text));
}

/* ---- net/http/pprof ---- */

static struct span host_of(struct span url)
{
	struct span rest = url;

	if (!span_skip(&rest, S("http://")) && !span_skip(&rest, S("https://")))
		return (struct span){ 0 };
	rest = span_head(rest, span_chr(rest, '/'));
	if (span_chr(rest, '@') != SPAN_NONE)
		return (struct span){ 0 };
	if (span_skip(&rest, S("[")))
		return span_cut(&rest, ']');
	return span_cut(&rest, ':');
}

int snap_pprof_check(const char *url, bool anywhere, struct err *e)
{
	struct span host = host_of(span_of(url));
	bool here = span_starts(host, S("127.")) || span_eq(host, S("::1")) || span_eq(host, S("localhost"));

	if (!host.n)
		return err_set(e, EINVAL, TR("--pprof %s: not an address such as http://127.0.0.1:6060", "--pprof %s：不是 http://127.0.0.1:6060 这样的地址"), url);
	if (here || anywhere)
		return 0;
	return err_set(e, EINVAL, TR("--pprof %s: not on this machine's loopback; add --pprof-anywhere if that is meant", "--pprof %s：不是本机回环地址；确需如此请加 --pprof-anywhere"), url);
}

/* "http://127.0.0.1:6060" means its usual folder. */
static void pprof_url(const char *base, const char *path, struct buf *ret)
{
	struct span u = span_of(base);

	while (u.n && u.p[u.n - 1] == '/')
		u.n--;
	size_t scheme = span_find(u, S("://"));
	buf_span(ret, u);
	if (scheme != SPAN_NONE && span_chr(span_from(u, scheme + 3), '/') == SPAN_NONE)
		buf_adds(ret, "/debug/pprof");
	buf_addf(ret, "/%s", path);
}

static void say_no_answer(struct making *m, size_t i, const struct net_get *g)
{
	bool came = g->transport == TRANSPORT_OK;

	if (came && g->status == 200)
		say_limit(m, TR("pprof, %s: the answer is none of net/http/pprof's", "pprof，%s：应答不是 net/http/pprof 的"), asked[i].path);
	else if (came)
		say_limit(m, TR("pprof, %s: HTTP %d", "pprof，%s：HTTP %d"), asked[i].path, g->status);
	else
		say_limit(m, TR("pprof, %s: %s", "pprof，%s：%s"), asked[i].path, g->why ? g->why : "?");
}

static bool begins_so(const char *path, struct span begin)
{
	char head[16];
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	return n > 0 && span_starts((struct span){ head, (size_t)n }, begin);
}

static void take_answer(struct making *m, size_t i, struct net_get *g, const char *to)
{
	struct stat st;

	if (g->transport != TRANSPORT_OK || g->status != 200 || !begins_so(to, asked[i].begin)) {
		say_no_answer(m, i, g);
		unlink(to);
		return;
	}
	if (stat(to, &st) == 0)
		add_kept(m, asked[i].file, asked[i].kind, st.st_size);
}

/* The text of a dump is redacted before it is anywhere. */
static void take_dump(struct making *m, struct net_get *g)
{
	if (g->transport == TRANSPORT_OK && g->status == 200 && span_starts(buf_view(&g->body), asked[0].begin)) {
		if (g->body.len >= SNAP_DUMP)
			say_limit(m, TR("goroutines.txt: net/http/pprof cuts a dump at 64 MiB: the rest is missing", "goroutines.txt：net/http/pprof 在 64 MiB 处截断转储：缺少其余部分"));
		keep_text(m, asked[0].file, asked[0].kind, buf_view(&g->body));
		if (m->dump)
			buf_span(m->dump, buf_view(&g->body));
		return;
	}
	say_no_answer(m, 0, g);
}

/* First what is there at once, then what measures. */
static void ask_pprof(struct making *m, bool profile)
{
	const struct net_options o = { .connect_ns = 2 * NSEC_PER_SEC, .total_ns = profile ? PROFILE_NSEC : QUICK_NSEC };
	struct buf url[ARRAY_LEN(asked)] = { 0 }, to[ARRAY_LEN(asked)] = { 0 };
	struct net_get g[ARRAY_LEN(asked)] = { 0 };
	size_t which[ARRAY_LEN(asked)], n = 0;
	struct net *net = NULL;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		if (asked[i].profile != profile)
			continue;
		pprof_url(m->q->pprof, asked[i].path, &url[i]);
		file_path(m, asked[i].file, &to[i]);
		which[n] = i;
		g[n++] = (struct net_get){ .url = buf_str(&url[i]), .to = i ? buf_str(&to[i]) : NULL, .max = asked[i].max, .bare = true, .straight = true };
	}
	int r = net_open(&o, &net, &e);
	if (r == 0)
		r = net_get(net, g, n, &e);
	for (size_t k = 0; r == 0 && k < n; k++) {
		if (which[k] == 0)
			take_dump(m, &g[k]);
		else
			take_answer(m, which[k], &g[k], buf_str(&to[which[k]]));
	}
	if (r < 0)
		say_limit(m, "pprof: %.160s", e.msg);
	net_close(net);
	for (size_t k = 0; k < n; k++)
		buf_free(&g[k].body);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		buf_free(&url[i]);
		buf_free(&to[i]);
	}
}

/* ---- the manifest ---- */

/* A number of /proc/PID/status: "VmRSS:\t  123 kB". -1: it is not there. */
static int64_t status_number(struct span proc, const char *key)
{
	CLEANUP(buf_free) struct buf what = { 0 };
	int64_t v = 0;

	buf_addf(&what, "\n%s:", key);
	size_t at = what.bad ? SPAN_NONE : span_find(proc, buf_view(&what));
	if (at == SPAN_NONE)
		return -1;
	struct span line = span_from(proc, at + what.len);
	line = span_trim(span_head(line, span_chr(line, '\n')));
	return span_int(span_cut(&line, ' '), &v) ? v : -1;
}

static void put(struct json_out *j, const char *key, const char *value)
{
	json_key(j, key);
	json_strz(j, value);
}

static void put_number(struct json_out *j, const char *key, int64_t v)
{
	if (v < 0)
		return;
	json_key(j, key);
	json_int(j, v);
}

static void put_resources(struct json_out *j, struct span proc)
{
	size_t at = span_find(proc, S("--- fds ---\nall "));
	struct span fds = at == SPAN_NONE ? (struct span){ 0 } : span_from(proc, at + 16);
	int64_t n = -1;

	if (fds.n)
		span_int(span_head(fds, span_chr(fds, '\n')), &n);
	json_key(j, "resources");
	json_open(j, '{');
	put_number(j, "rss_kb", status_number(proc, "VmRSS"));
	put_number(j, "peak_rss_kb", status_number(proc, "VmHWM"));
	put_number(j, "threads", status_number(proc, "Threads"));
	put_number(j, "fds", n);
	json_close(j, '}');
}

static void manifest(const struct making *m, struct span proc, struct buf *ret)
{
	const struct snap_request *q = m->q;
	struct json_out j = { .to = ret };
	CLEANUP(buf_free) struct buf message = { 0 };
	char when[32];

	time_rfc3339(q->at, when);
	redact_text(q->redact, q->message, &message);
	json_open(&j, '{');
	put(&j, "schema", "tocsin.snapshot/1");
	put(&j, "id", q->id);
	put(&j, "at", when);
	put(&j, "reason", q->reason);
	put(&j, "run", q->run);
	put(&j, "command", q->command);
	put(&j, "cause", q->cause);
	put(&j, "fingerprint", q->fingerprint);
	json_key(&j, "message");
	json_str(&j, message.len ? buf_view(&message) : (struct span){ 0 });
	json_key(&j, "pid");
	q->pid ? json_int(&j, q->pid) : json_null(&j);
	put_number(&j, "took_ms", (time_mono() - m->began) / NSEC_PER_MSEC);
	put_resources(&j, proc);
	json_key(&j, "files");
	json_open(&j, '[');
	for (size_t i = 0; i < m->n_files; i++) {
		json_open(&j, '{');
		put(&j, "name", m->files[i].name);
		put(&j, "kind", m->files[i].kind);
		put_number(&j, "bytes", m->files[i].bytes);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_key(&j, "limits");
	json_open(&j, '[');
	for (size_t i = 0; i < m->n_limits; i++)
		json_strz(&j, m->limits[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_addc(ret, '\n');
}

/* ---- all of it ---- */

static int fill(struct making *m, struct err *e)
{
	const struct snap_request *q = m->q;
	CLEANUP(buf_free) struct buf proc = { 0 }, json = { 0 }, path = { 0 };

	if (q->proc.n)
		buf_span(&proc, q->proc);
	else if (q->pid)
		snap_proc(q->pid, &proc);
	keep_text(m, "proc.txt", "proc", buf_view(&proc));
	keep_crash(m);
	keep_text(m, "log.txt", "log", q->log);
	if (q->pprof && q->pid) {
		ask_pprof(m, false);
		if (q->profile)
			ask_pprof(m, true);
	}
	manifest(m, buf_view(&proc), &json);
	file_path(m, "manifest.json", &path);
	if (json.bad || path.bad)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	return file_replace(buf_str(&path), buf_view(&json), e);
}

int snap_take(const struct snap_request *q, struct buf *path, struct buf *dump, struct err *e)
{
	struct making m = { .q = q, .dump = dump, .began = time_mono() };
	CLEANUP(buf_free) struct buf dir = { 0 };
	int64_t budget = q->budget ? q->budget : SNAP_BUDGET;
	mode_t mask = umask(077);

	int r = snap_dir(q->dir, &dir, e);
	if (r == 0) {
		buf_addf(&m.tmp, "%s/.%s.new", buf_str(&dir), q->id);
		path_join(path, buf_str(&dir), q->id);
		r = m.tmp.bad || path->bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : path_mkdirs(buf_str(&m.tmp), 0700, e);
	}
	if (r == 0)
		r = fill(&m, e);
	if (r == 0 && snap_bytes(buf_str(&m.tmp)) > budget)
		r = err_set(e, EFBIG, TR("the snapshot is larger than all snapshots may be (--snapshot-budget)", "快照超过全部快照允许的大小（--snapshot-budget）"));
	if (r == 0 && rename(buf_str(&m.tmp), buf_str(path)) < 0)
		r = err_set(e, errno, TR("write '%s': %m", "无法写入“%s”：%m"), buf_str(path));
	if (r < 0 && m.tmp.len)
		snap_remove(buf_str(&m.tmp));
	if (r == 0)
		snap_make_room(buf_str(&dir), q->id, budget);
	buf_free(&m.tmp);
	umask(mask);
	return r;
}
