#include "mod/verify.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "mod/toolchain.h"
#include "mod/verifying.h"
#include "parse/version.h"

#define THREADS_MAX 64
#define TICK        (200 * NSEC_PER_MSEC)

struct verifier {
	struct mod_tree *t;
	const struct build_list *b;
	const struct verify_options *o;
	struct report *r;
	struct verified *got;
	struct vendor vendor;
	bool has_vendor;
	struct job *jobs;
	size_t n;
	struct job **order; /* the largest first */
	struct arena mem;
	/* the threads' */
	atomic_size_t next;
	_Atomic int64_t done, bytes;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t running; /* under lock */
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

static void place(struct verifier *v, struct finding *f, const char *file, int64_t line, struct span package)
{
	if (!f)
		return;
	if (file)
		f->file = report_text(v->r, "%s", file);
	f->line = (int)line;
	if (package.p)
		f->package = report_text(v->r, "%.*s", SPAN_ARG(package));
}

/* ---- go.mod files in the cache ---- */

static void check_gomods(struct verifier *v)
{
	const struct mod_source_of *s;

	for (size_t at = 0; (s = map_next(&v->b->sources, &at));) {
		if (!s->has_mod || !s->mod_sum.hash.n)
			continue;
		v->got->files++;
		if (span_eq(s->mod_sum.hash, span_of(s->mod_h1)))
			continue;
		place(v,
		      report_say(v->r, CAUSE_MOD_CHECKSUM,
				 TR("the go.mod of %.*s@%.*s is %s in the module cache, and %.*s here",
				    "%.*s@%.*s 的 go.mod 在模块缓存中为 %s，此处为 %.*s"),
				 SPAN_ARG(s->path), SPAN_ARG(s->version), s->mod_h1, SPAN_ARG(s->mod_sum.hash)),
		      s->mod_sum.file, s->mod_sum.line, s->path);
	}
}

/* ---- the jobs ---- */

static struct job *add_job(struct verifier *v, struct span path, struct span version)
{
	struct job *j = &v->jobs[v->n++];

	j->path = path;
	j->version = version;
	return j;
}

static const char *folder_of(struct verifier *v, struct span dir)
{
	return dir.p[0] == '/' ? dir.p : arena_printf(&v->mem, "%s/%s", v->t->top, dir.p);
}

static bool job_of_built(struct verifier *v, const struct built *b)
{
	const struct vendored *in = v->has_vendor ? map_get(&v->vendor.by_path, b->path) : NULL;

	if (in && !span_eq(in->version, b->version))
		in = NULL; /* said already */
	if (!b->source) {
		v->got->replaced++;
		if (!in || !in->n_packages)
			return true;
		struct job *f = add_job(v, b->path, b->version);
		f->m = b;
		f->vendored = in;
		f->folder = folder_of(v, b->new_dir);
		return f->folder != NULL;
	}
	struct job *j = add_job(v, b->source->path, b->source->version);
	j->m = b;
	j->sum = &b->source->sum;
	j->vendored = in && in->n_packages ? in : NULL;
	return true;
}

/* What only modules.txt names: without the go.mod files in the cache the build list is not whole. */
static void jobs_of_vendor(struct verifier *v)
{
	for (size_t i = 0; i < v->vendor.n; i++) {
		const struct vendored *m = v->vendor.v[i];
		if (m->built || !m->n_packages || (m->new_path.n && !m->new_version.n))
			continue;
		struct job *j = add_job(v, m->new_path.n ? m->new_path : m->path, m->new_path.n ? m->new_version : m->version);
		struct mod_source_of *s = build_list_source((struct build_list *)(uintptr_t)v->b, j->path, j->version);
		j->sum = s ? &s->sum : NULL;
		j->vendored = m;
	}
}

static void toolchain_job(struct verifier *v, struct span version)
{
	struct span kept = arena_span(&v->mem, version);

	for (size_t i = 0; i < v->n; i++) {
		if (v->jobs[i].toolchain && span_eq(v->jobs[i].version, version))
			return;
	}
	if (kept.p)
		add_job(v, S("golang.org/toolchain"), kept)->toolchain = true;
	v->r->lost |= !kept.p;
}

/* GOROOT is a module when that other toolchain is on PATH. */
static void job_of_goroot(struct verifier *v)
{
	CLEANUP(buf_free) struct buf before = { 0 };
	CLEANUP(buf_free) struct buf version = { 0 };
	struct span root = span_of(v->o->goroot);

	buf_addf(&before, "%s/golang.org/toolchain@", v->o->modcache);
	if (!before.bad && span_skip(&root, buf_view(&before)) && module_unescape_version(root, &version) && version.len)
		toolchain_job(v, buf_view(&version));
	v->r->lost |= before.bad || version.bad;
}

/* The one that go would run for this tree, if it is here: 1.22 is 1.22.0 since 1.21. */
static void job_of_toolchain(struct verifier *v)
{
	struct wish w = toolchain_wish(v->t);
	struct span other = toolchain_other(&w, v->o->toolchain, v->o->version);

	for (int i = 0; i < 2 && other.n && v->o->host; i++) {
		CLEANUP(buf_free) struct buf version = { 0 };
		CLEANUP(buf_free) struct buf dir = { 0 };
		buf_addf(&version, "v0.0.1-go%.*s%s.%s", SPAN_ARG(other), i ? ".0" : "", v->o->host);
		bool named = mod_cache_dir(v->o->modcache, S("golang.org/toolchain"), buf_view(&version), &dir);
		v->r->lost |= version.bad || dir.bad;
		if (named && access(buf_str(&dir), F_OK) == 0)
			toolchain_job(v, buf_view(&version));
	}
}

static int by_size(const void *a, const void *b)
{
	const struct job *const *x = a, *const *y = b;

	return ((*x)->size < (*y)->size) - ((*x)->size > (*y)->size);
}

static int make_jobs(struct verifier *v, struct err *e)
{
	CLEANUP(buf_free) struct buf zip = { 0 };
	size_t max = v->b->n + v->vendor.n + 3;

	v->jobs = mem_zalloc(max * sizeof(*v->jobs));
	v->order = arena_alloc(&v->mem, max * sizeof(struct job *));
	bool good = v->jobs && v->order;
	for (size_t i = 0; i < v->b->n && good; i++)
		good = job_of_built(v, &v->b->v[i]);
	if (!good)
		return no_memory(e);
	if (v->has_vendor)
		jobs_of_vendor(v);
	if (v->o->goroot)
		job_of_goroot(v);
	if (v->o->toolchain && v->o->version)
		job_of_toolchain(v);
	for (size_t i = 0; i < v->n; i++) {
		struct job *j = &v->jobs[i];
		struct stat st;
		buf_clear(&zip);
		if (mod_cache_file(v->o->modcache, j->path, j->version, "zip", &zip) && stat(buf_str(&zip), &st) == 0)
			j->size = (uint64_t)st.st_size;
		v->order[i] = j;
	}
	if (v->n)
		qsort(v->order, v->n, sizeof(struct job *), by_size);
	return zip.bad ? no_memory(e) : 0;
}

/* ---- the threads ---- */

static void *work(void *ctx)
{
	struct verifier *v = ctx;
	struct worker w = { .o = v->o, .vendor = v->has_vendor ? &v->vendor : NULL, .vendor_fd = v->has_vendor ? v->vendor.list.fd : -1 };

	for (size_t i; (i = atomic_fetch_add(&v->next, 1)) < v->n;) {
		verify_job(&w, v->order[i]);
		atomic_fetch_add(&v->bytes, v->order[i]->bytes);
		atomic_fetch_add(&v->done, 1);
	}
	zip_reader_free(&w.reader);
	mem_free(w.block);
	pthread_mutex_lock(&v->lock);
	v->running--;
	pthread_cond_signal(&v->changed);
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

static int thread_count(const struct verifier *v)
{
	cpu_set_t set;
	int n = v->o->threads;

	if (n <= 0)
		n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	if ((size_t)n > v->n)
		n = (int)v->n;
	return n > THREADS_MAX ? THREADS_MAX : n;
}

static void wait_for_all(struct verifier *v)
{
	struct timespec until;

	pthread_mutex_lock(&v->lock);
	while (v->running) {
		int64_t at = time_wall() + TICK;
		until = (struct timespec){ at / NSEC_PER_SEC, at % NSEC_PER_SEC };
		pthread_cond_timedwait(&v->changed, &v->lock, &until);
		if (!v->o->progress || !v->running)
			continue;
		pthread_mutex_unlock(&v->lock);
		v->o->progress(v->o->ctx, &(struct verify_progress){ v->done, (int64_t)v->n, v->bytes });
		pthread_mutex_lock(&v->lock);
	}
	pthread_mutex_unlock(&v->lock);
}

/* One thread too few is slower; none at all is this one. */
static void run_jobs(struct verifier *v)
{
	pthread_t threads[THREADS_MAX];
	int n = thread_count(v), started = 0;

	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->changed, NULL);
	v->running = (size_t)n;
	while (started < n && pthread_create(&threads[started], NULL, work, v) == 0)
		started++;
	if (started < n) {
		pthread_mutex_lock(&v->lock);
		v->running -= (size_t)(n - started);
		pthread_mutex_unlock(&v->lock);
	}
	if (!started && n) {
		v->running = 1;
		work(v);
	}
	wait_for_all(v);
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->changed);
}

/* ---- what they came to ---- */

static void take_hash(struct verifier *v, const struct job *j)
{
	struct arena *mem = &v->r->mem;
	const struct mod_source_of *s = j->m ? j->m->source : NULL;
	struct verified_hash h = { .path = arena_str(mem, j->path),
				   .version = arena_str(mem, j->version),
				   .sum = arena_str(mem, span_of(j->h1)) };

	if (s && s->has_mod)
		h.go_mod_sum = arena_str(mem, span_of(s->mod_h1));
	v->r->lost |= !h.path || !h.version || !h.sum;
	v->got->hashes[v->got->n_hashes++] = h;
}

static void take_job(struct verifier *v, const struct job *j)
{
	for (size_t i = 0; i < j->n_wrongs; i++) {
		const struct wrong *w = &j->wrongs[i];
		struct finding *f = report_say(v->r, w->cause, "%s", w->text);
		place(v, f, w->file, w->line, j->path);
		if (f && w->warning)
			f->severity = SEV_WARNING;
	}
	if (j->left_out)
		place(v,
		      report_say(v->r, CAUSE_MOD_CACHE_MODIFIED,
				 TR("%zu more files are wrong in %.*s@%.*s", "另有 %zu 个文件有问题，属于 %.*s@%.*s"), j->left_out,
				 SPAN_ARG(j->path), SPAN_ARG(j->version)),
		      NULL, 0, j->path);
	v->r->lost |= j->no_memory;
	v->got->files += j->files;
	v->got->bytes += j->bytes;
	v->got->modules += (j->zip || j->dir) && !j->busy;
	v->got->busy += j->busy;
	v->got->without_sum += !j->toolchain && (j->zip || j->dir) && !(j->sum && j->sum->hash.n);
}

/* perhaps: go could not tell, for a reason that has nothing to do with what is missing. */
static void missing(struct verifier *v, const struct built *b, struct span package, bool perhaps)
{
	struct finding *f =
		package.p ? report_say(v->r, CAUSE_MOD_CACHE_MISSING,
				       TR("%.*s@%.*s is in neither the module cache nor vendor/, and the build needs it, for %.*s",
					  "%.*s@%.*s 既不在模块缓存中，也不在 vendor/ 中，而构建需要它（用于 %.*s）"),
				       SPAN_ARG(b->source->path), SPAN_ARG(b->source->version), SPAN_ARG(package))
			  : report_say(v->r, CAUSE_MOD_CACHE_MISSING,
				       perhaps ? TR("%.*s@%.*s is in neither the module cache nor vendor/, and the build may need it",
						    "%.*s@%.*s 既不在模块缓存中，也不在 vendor/ 中，而构建可能需要它")
					       : TR("%.*s@%.*s is in neither the module cache nor vendor/, and the build needs it",
						    "%.*s@%.*s 既不在模块缓存中，也不在 vendor/ 中，而构建需要它"),
				       SPAN_ARG(b->source->path), SPAN_ARG(b->source->version));

	place(v, f, b->file, b->line, b->path);
	if (f && perhaps)
		f->severity = SEV_WARNING;
	if (f)
		f->advice = report_text(v->r, TR("Fetch it: go mod download %.*s@%.*s", "获取它：go mod download %.*s@%.*s"),
					SPAN_ARG(b->path), SPAN_ARG(b->version));
}

/* As go decides: -mod, else vendor/ when the go line is of its time and modules.txt is of this kind. */
static bool builds_from_vendor(const struct verifier *v)
{
	bool work = v->t->go_work.text.p;
	struct span mode = mod_flag(v->o->flags, "mod");

	if (!v->has_vendor || mode.n)
		return v->has_vendor && span_eq(mode, S("vendor"));
	struct span txt = work ? v->t->work_modules_txt.text : v->t->members[0].modules_txt.text,
		    go = work ? v->t->work.go : v->t->members[0].mod.go;
	bool of_work = span_eq(span_trim(span_cut(&txt, '\n')), S("## workspace"));
	return of_work == work && go.n && goversion_compare(go, work ? S("1.22") : S("1.14")) >= 0;
}

static int find_missing(struct verifier *v, struct err *e)
{
	const struct built **absent = arena_alloc(&v->mem, (v->n + 1) * sizeof(*absent));
	bool *needed = arena_alloc(&v->mem, v->n + 1), vendor = builds_from_vendor(v);
	struct span *package = arena_alloc(&v->mem, (v->n + 1) * sizeof(*package));
	const char *why = NULL;
	size_t n = 0;
	struct verify_options ask = *v->o;
	bool guessed = false, bad_toolchain = false, pipe = false;

	if (!absent || !needed || !package)
		return no_memory(e);
	for (size_t i = 0; i < v->n; i++) {
		const struct job *j = &v->jobs[i];
		bad_toolchain |= j->toolchain && j->n_wrongs;
		pipe |= j->pipe;
		if (j->zip || j->dir || j->busy || !j->m || j->folder || (j->vendored && j->vendored->n_files && vendor))
			continue;
		if (vendor && j->vendored)
			missing(v, j->m, (struct span){ 0 }, false);
		else if (!vendor)
			absent[n++] = j->m;
		else
			v->got->absent++;
	}
	if (pipe)
		ask.go = NULL;
	if (n)
		guessed = verify_needed(v->t, &ask, bad_toolchain, absent, n, needed, package, &v->mem, &why);
	if (pipe)
		why = TR("it would wait for a pipe in the module cache", "它会一直等待模块缓存中的管道");
	if (guessed)
		list_add(&v->r->mem, &v->r->limits,
			 report_text(v->r,
				     TR("which modules the build needs was read from go.sum, for `go list` could not tell: %s",
					"`go list` 无法判断构建需要哪些模块，因此依据 go.sum：%s"),
				     why ? why : "?")
				 .p);
	for (size_t i = 0; i < n; i++) {
		if (needed[i])
			missing(v, absent[i], package[i], guessed && !v->b->unread.n);
		else
			v->got->absent++;
	}
	return 0;
}

static void say_limits(struct verifier *v)
{
	int64_t unread = 0;

	for (size_t i = 0; i < v->n; i++)
		unread += v->jobs[i].unread;
	if (unread)
		list_add(
			&v->r->mem, &v->r->limits,
			report_text(
				v->r,
				TR("%lld modules of vendor/ could not be compared: their zips are not in the module cache (go mod download)",
				   "vendor/ 中有 %lld 个模块无法比较：其 zip 不在模块缓存中（go mod download）"),
				(long long)unread)
				.p);
	if (v->got->busy)
		list_add(&v->r->mem, &v->r->limits,
			 report_text(v->r,
				     TR("%lld modules were not verified: another go is writing them; try again",
					"有 %lld 个模块未校验：另一个 go 正在写入；请重试"),
				     (long long)v->got->busy)
				 .p);
	if (v->b->unread.n && !v->has_vendor)
		list_add(&v->r->mem, &v->r->limits,
			 report_text(v->r,
				     TR("the build list may not be whole: the go.mod of %s and %zu more are not in the module cache",
					"构建列表可能不完整：%s 等（另有 %zu 个）的 go.mod 不在模块缓存中"),
				     v->b->unread.v[0], v->b->unread.n - 1)
				 .p);
}

static int verify(struct verifier *v, struct err *e)
{
	int r = vendor_read(v->t, v->b, &v->vendor, v->r, e);

	if (r < 0)
		return r;
	v->has_vendor = r;
	check_gomods(v);
	r = make_jobs(v, e);
	if (r < 0)
		return r;
	run_jobs(v);
	v->got->hashes = arena_alloc(&v->r->mem, (v->n + 1) * sizeof(*v->got->hashes));
	if (!v->got->hashes)
		return no_memory(e);
	for (size_t i = 0; i < v->n; i++) {
		take_job(v, &v->jobs[i]);
		if (v->jobs[i].h1[0])
			take_hash(v, &v->jobs[i]);
	}
	r = find_missing(v, e);
	say_limits(v);
	return r;
}

int verify_modules(struct mod_tree *t, const struct build_list *b, const struct verify_options *o, struct report *r, struct verified *ret,
		   struct err *e)
{
	struct verifier v = { .t = t, .b = b, .o = o, .r = r, .got = ret, .vendor = { .list = { .fd = -1 } } };

	*ret = (struct verified){ 0 };
	int c = verify(&v, e);
	for (size_t i = 0; i < v.n; i++)
		arena_free(&v.jobs[i].mem);
	mem_free(v.jobs);
	vendor_free(&v.vendor);
	arena_free(&v.mem);
	return c;
}
