#include "mod/fetches.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "mod/blame.h"
#include "mod/mirror.h"

#define LINE_MAX_HELD (64 << 10)

void fetches_begin(struct fetches *f, const char *proxy, int64_t now)
{
	f->proxy = proxy ? arena_str(&f->mem, span_of(proxy)) : NULL;
	map_clear(&f->urls);
	f->n_open = 0;
	f->moved = now;
	f->middle = false;
	buf_clear(&f->line);
}

/* ---- requests ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %21 is the ! of a capital letter. */
static const char *decoded(struct fetches *f, struct span path)
{
	char *z = arena_str(&f->mem, path), *to = z;

	for (size_t i = 0; z && i < path.n; i++) {
		int a = path.p[i] == '%' && i + 2 < path.n ? hex(path.p[i + 1]) : -1, b = a >= 0 ? hex(path.p[i + 2]) : -1;
		*to++ = b >= 0 ? (char)(a * 16 + b) : path.p[i];
		i += b >= 0 ? 2 : 0;
	}
	if (z)
		*to = '\0';
	return z;
}

/* Where go puts the answer: the same path, below cache/download. */
static const char *file_of(struct fetches *f, struct span url)
{
	size_t at = span_find(url, S("/sumdb/"));
	struct span base = mirror_base(f->proxy, url);

	if (at != SPAN_NONE)
		return decoded(f, span_from(url, at + 1));
	if (!base.n || span_find(url, S("/@v/")) == SPAN_NONE || span_ends(url, S("/list")))
		return NULL;
	size_t scheme = span_find(base, S("://")), mine = span_find(url, S("://"));
	struct span path = span_from(url, (mine == SPAN_NONE ? 0 : mine + 3));
	base = scheme == SPAN_NONE ? base : span_from(base, scheme + 3);
	size_t user = span_rchr(span_head(path, span_chr(path, '/')), '@');
	path = user == SPAN_NONE ? path : span_from(path, user + 1);
	user = span_rchr(span_head(base, span_chr(base, '/') == SPAN_NONE ? base.n : span_chr(base, '/')), '@');
	base = user == SPAN_NONE ? base : span_from(base, user + 1);
	while (base.n && base.p[base.n - 1] == '/')
		base.n--;
	return span_skip(&path, base) && path.n > 1 ? decoded(f, span_from(path, 1)) : NULL;
}

static void close_fetch(struct fetches *f, struct fetch *x)
{
	for (size_t i = 0; i < f->n_open; i++)
		if (f->open[i] == x)
			f->open[i] = f->open[--f->n_open];
	x->open = false;
}

static void opened(struct fetches *f, struct span url, int64_t now)
{
	struct fetch *x = map_get(&f->urls, url);

	if (!x) {
		x = arena_alloc(&f->mem, sizeof(*x));
		if (x)
			x->url = arena_str(&f->mem, url);
		if (!x || !x->url || !map_put(&f->urls, span_of(x->url), x)) {
			f->broken = true;
			return;
		}
		x->file = file_of(f, url);
		x->zip = span_ends(url, S(".zip"));
	}
	x->status = 0;
	x->bytes = 0;
	x->since = x->moved = now;
	f->requests++;
	if (x->open)
		return;
	if (f->n_open == f->cap_open && !mem_grow(&f->open, &f->cap_open, f->n_open, sizeof(*f->open))) {
		f->broken = true;
		return;
	}
	f->open[f->n_open++] = x;
	x->open = true;
}

/* The place of this module in the list, made when it is new; NULL: no memory, or it is none. */
static struct served *served_at(struct fetches *f, struct span module, struct span version)
{
	CLEANUP(buf_free) struct buf key = { 0 };

	buf_addf(&key, "%.*s %.*s", SPAN_ARG(module), SPAN_ARG(version));
	size_t at = key.bad ? 0 : (size_t)(uintptr_t)map_get(&f->by_module, buf_view(&key));
	if (at)
		return &f->served[at - 1];
	if (key.bad || !module.n ||
	    (f->n_served == f->cap_served && !mem_grow(&f->served, &f->cap_served, f->n_served, sizeof(*f->served))))
		return NULL;
	struct served *s = &f->served[f->n_served];
	*s = (struct served){ arena_str(&f->mem, buf_view(&key)), arena_str(&f->mem, module), arena_str(&f->mem, version), NULL, -1 };
	if (!s->key || !s->module || !s->version || !map_put(&f->by_module, span_of(s->key), (void *)(uintptr_t)(f->n_served + 1)))
		return NULL;
	f->n_served++;
	return s;
}

static struct served *served_by(struct fetches *f, struct span url)
{
	CLEANUP(buf_free) struct buf module = { 0 };
	CLEANUP(buf_free) struct buf version = { 0 };

	return blame_module(url, mirror_base(f->proxy, url), &module, &version) ? served_at(f, buf_view(&module), buf_view(&version))
										: NULL;
}

static void serve(struct fetches *f, struct span url)
{
	CLEANUP(buf_free) struct buf shown = { 0 };
	struct served *s = served_by(f, url);
	struct span base = mirror_base(f->proxy, url);

	mirror_shown(base.n ? base : url, &shown);
	if (s)
		s->by = shown.bad ? NULL : arena_str(&f->mem, buf_view(&shown));
}

void fetches_downloading(struct fetches *f, struct span module, struct span version)
{
	served_at(f, module, version);
}

void fetches_appeared(struct fetches *f, struct span module, struct span version, const char *by, int64_t bytes)
{
	struct served *s = served_at(f, module, version);

	if (!s || s->by)
		return;
	s->by = arena_str(&f->mem, span_of(by));
	s->bytes = bytes;
	f->bytes += bytes;
}

void fetches_settle(struct fetches *f)
{
	size_t kept = 0;

	if (!f->modcache)
		return;
	for (size_t i = 0; i < f->n_served; i++) {
		map_del(&f->by_module, span_of(f->served[i].key));
		if (f->served[i].bytes < 0)
			continue;
		f->served[kept] = f->served[i];
		if (map_put(&f->by_module, span_of(f->served[kept].key), (void *)(uintptr_t)(kept + 1)))
			kept++;
	}
	f->n_served = kept;
}

static void replied(struct fetches *f, struct span url, struct span rest, int64_t now)
{
	struct fetch *x = map_get(&f->urls, url);
	int64_t status;

	if (!x)
		return;
	x->moved = now;
	x->status = rest.n > 3 && span_int(span_head(rest, 3), &status) && rest.p[3] == ' ' ? (int)status : -1;
	if (x->status == 200 && x->zip)
		serve(f, url);
	if (x->status != 200 || !x->file || !f->modcache)
		close_fetch(f, x);
}

/* "# get URL" begins one; "# get URL: 200 OK (0.1s)", "# get URL: some error" is its reply. */
static void get_line(struct fetches *f, struct span rest, int64_t now)
{
	size_t at = 0, step;

	f->moved = now;
	while ((step = span_find(span_from(rest, at), S(": "))) != SPAN_NONE) {
		struct span url = span_head(rest, at + step);
		if (map_get(&f->urls, url)) {
			replied(f, url, span_from(rest, at + step + 2), now);
			return;
		}
		at += step + 2;
	}
	opened(f, span_trim(rest), now);
}

/* ---- lines ---- */

static bool is_digits(struct span s)
{
	size_t dots = 0;

	for (size_t i = 0; i < s.n; i++) {
		dots += s.p[i] == '.';
		if (s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9'))
			return false;
	}
	return s.n && dots == 1;
}

/* The lines of -x: requests, and the commands of version control with the time that they took. */
static bool is_ours(struct span line)
{
	static const char *const begins[] = { "# get ", "cd ", "mkdir -p ", "git ", "hg ", "svn ", "bzr ", "fossil ", "# lock ", "# cd " };
	size_t at = span_find(line, S("s # "));

	if (at != SPAN_NONE && is_digits(span_head(line, at)))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (span_starts(line, span_of(begins[i])))
			return true;
	return false;
}

/* Could more bytes make one of ours of it? */
static bool may_become_ours(struct span part)
{
	static const char *const begins[] = { "# get ", "cd ", "mkdir -p ", "git ", "hg ", "svn ", "bzr ", "fossil ", "# lock ", "# cd " };

	if (is_ours(part) || (part.n && part.p[0] >= '0' && part.p[0] <= '9'))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		struct span b = span_of(begins[i]);
		if (part.n < b.n && !memcmp(part.p, b.p, part.n))
			return true;
	}
	return !part.n;
}

static void take_line(struct fetches *f, struct span line, int64_t now, fetches_pass_fn *pass, void *ctx)
{
	struct span bare = line;

	while (bare.n && (bare.p[bare.n - 1] == '\n' || bare.p[bare.n - 1] == '\r'))
		bare.n--; /* what is indented is what git or a server said */
	if (!is_ours(bare)) {
		pass(ctx, line);
		return;
	}
	f->moved = now;
	if (!f->broken && span_skip(&bare, S("# get ")))
		get_line(f, bare, now);
}

void fetches_feed(struct fetches *f, struct span bytes, int64_t now, fetches_pass_fn *pass, void *ctx)
{
	while (bytes.n) {
		size_t nl = span_chr(bytes, '\n');
		struct span piece = nl == SPAN_NONE ? bytes : span_head(bytes, nl + 1);
		bytes = span_from(bytes, piece.n);
		if (f->middle) {
			pass(ctx, piece);
			f->middle = nl == SPAN_NONE;
			continue;
		}
		if (!f->line.len && nl != SPAN_NONE) {
			take_line(f, piece, now, pass, ctx);
			continue;
		}
		buf_span(&f->line, piece);
		if (f->line.bad) { /* no memory to look at it: it goes on as it is */
			pass(ctx, buf_view(&f->line));
			pass(ctx, piece);
			buf_clear(&f->line);
			f->middle = nl == SPAN_NONE;
		} else if (nl != SPAN_NONE) {
			take_line(f, buf_view(&f->line), now, pass, ctx);
			buf_clear(&f->line);
		} else if (f->line.len > LINE_MAX_HELD || !may_become_ours(buf_view(&f->line))) {
			pass(ctx, buf_view(&f->line));
			buf_clear(&f->line);
			f->middle = true;
		}
	}
}

void fetches_end(struct fetches *f, fetches_pass_fn *pass, void *ctx)
{
	if (f->line.len)
		take_line(f, buf_view(&f->line), time_mono(), pass, ctx);
	buf_clear(&f->line);
}

/* ---- the cache ---- */

/* Go writes V.zip to V.zipNNN.tmp beside it. */
static int64_t partial_size(const char *zip)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct span base = path_base(span_of(zip)), dir = path_dir(span_of(zip));
	int64_t most = -1;
	struct dirent *d;
	struct stat st;

	buf_span(&path, dir);
	DIR *list = path.bad ? NULL : opendir(buf_str(&path));
	while (list && (d = readdir(list))) {
		struct span name = span_of(d->d_name);
		if (span_starts(name, base) && span_ends(name, S(".tmp")) && fstatat(dirfd(list), d->d_name, &st, 0) == 0 &&
		    st.st_size > most)
			most = st.st_size;
	}
	if (list)
		closedir(list);
	return most;
}

static void set_size(struct fetches *f, const struct fetch *x, int64_t size)
{
	struct served *s = served_by(f, span_of(x->url));

	if (s)
		s->bytes = size;
	f->bytes += size;
}

static bool look_at(struct fetches *f, struct fetch *x, int64_t now)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct stat st;

	buf_addf(&path, "%s/cache/download/%s", f->modcache, x->file);
	if (path.bad)
		return false;
	if (stat(buf_str(&path), &st) == 0) {
		if (x->zip)
			set_size(f, x, st.st_size);
		return true;
	}
	int64_t size = x->zip ? partial_size(buf_str(&path)) : -1;
	if (size > x->bytes) {
		x->bytes = size;
		x->moved = f->moved = now;
	}
	return false;
}

void fetches_look(struct fetches *f, int64_t now)
{
	if (!f->modcache)
		return;
	for (size_t i = f->n_open; i-- > 0;) {
		struct fetch *x = f->open[i];
		if (x->status == 200 && x->file && look_at(f, x, now)) {
			x->moved = f->moved = now;
			close_fetch(f, x);
		}
	}
}

const struct fetch *fetches_oldest(const struct fetches *f)
{
	const struct fetch *old = NULL;

	for (size_t i = 0; i < f->n_open; i++)
		if (!old || f->open[i]->moved < old->moved)
			old = f->open[i];
	return old;
}

const struct fetch *fetches_lost(const struct fetches *f)
{
	for (size_t i = 0; i < f->n_open; i++) {
		if (f->open[i]->zip && f->open[i]->status == 200)
			return f->open[i];
	}
	return NULL;
}

/*
 * One without a reply for so long hangs. One whose body does not come may wait for a lock, or have failed in silence: it hangs when
 * nothing else moves either. What others have under way is not thrown away while it moves, for as long again.
 */
const struct fetch *fetches_hung(const struct fetches *f, int64_t now, int64_t limit)
{
	const struct fetch *old = NULL;

	for (size_t i = 0; i < f->n_open; i++) {
		const struct fetch *x = f->open[i];
		if (now - x->moved < limit || (x->status && now - f->moved < limit && !(x->zip && x->bytes > 0)))
			continue;
		if (!old || x->moved < old->moved)
			old = x;
	}
	if (old && now - f->moved < NSEC_PER_SEC && now - old->moved < 2 * limit)
		return NULL;
	return old;
}

void fetches_free(struct fetches *f)
{
	map_free(&f->urls);
	map_free(&f->by_module);
	mem_free(f->open);
	mem_free(f->served);
	buf_free(&f->line);
	arena_free(&f->mem);
	*f = (struct fetches){ 0 };
}
