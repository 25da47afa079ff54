/* The state of a working tree as one number. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/siphash.h"
#include "base/time.h"
#include "run/git.h"
#include "run/git_ask.h"

#define LIMIT      NSEC_PER_SEC
#define STATUS_MAX (16u << 20)
#define SKIP_MAX   16
/* A file's time comes from the kernel's tick, which lags behind the clock. */
#define TICK (10 * NSEC_PER_MSEC)

struct state {
	int top;
	int64_t since;
	struct stat skip[SKIP_MAX];
	size_t n_skip;
	struct buf seen; /* what is hashed */
};

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static bool is_skipped(const struct state *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n_skip; i++) {
		if (s->skip[i].st_dev == st->st_dev && s->skip[i].st_ino == st->st_ino)
			return true;
	}
	return false;
}

/* One path of the status: what git says of it, and how the file is now. */
static int add_file(struct state *s, struct span what, struct span path, struct err *e)
{
	CLEANUP(mem_free) char *name = mem_dup(path.p, path.n);
	struct stat st = { 0 };

	if (!name)
		return err_set(e, ENOMEM, TR("out of memory", "内存不足"));
	bool there = fstatat(s->top, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && is_skipped(s, &st))
		return 0;
	int64_t at = there ? ns_of(st.st_mtim) : 0, changed = there ? ns_of(st.st_ctim) : 0;
	if (!there) { /* deleted: its folder tells when */
		CLEANUP(mem_free) char *dir = mem_dup(path_dir(path).p, path_dir(path).n);
		struct stat parent;
		if (dir && fstatat(s->top, dir, &parent, 0) == 0)
			changed = ns_of(parent.st_mtim);
	}
	if (at >= s->since - TICK || changed >= s->since - TICK)
		return err_set(e, EBUSY, TR("'%.*s' was changed while the command ran", "“%.*s”在命令运行期间被修改"), SPAN_ARG(path));
	int64_t facts[] = { there, (int64_t)st.st_size, at };
	buf_span(&s->seen, what);
	buf_addc(&s->seen, '\0');
	buf_span(&s->seen, path);
	buf_addc(&s->seen, '\0');
	buf_add(&s->seen, facts, sizeof(facts));
	return s->seen.bad ? err_set(e, ENOMEM, TR("out of memory", "内存不足")) : 0;
}

/* "1 XY … path", "2 XY … path" NUL "old path", "u XY … path", "? path". */
static int add_status(struct state *s, struct span text, struct err *e)
{
	static const struct {
		char kind;
		int fields; /* before the path */
	} kinds[] = { { '1', 8 }, { '2', 9 }, { 'u', 10 }, { '?', 1 } };
	int r = 0;

	while (r == 0 && text.n) {
		struct span line = span_cut(&text, '\0'), path = line;
		size_t k = 0;
		while (k < ARRAY_LEN(kinds) && line.n && kinds[k].kind != line.p[0])
			k++;
		if (k == ARRAY_LEN(kinds) || !line.n)
			continue; /* a header */
		for (int i = 0; i < kinds[k].fields; i++)
			span_cut(&path, ' ');
		r = add_file(s, span_head(line, line.n - path.n), path, e);
		if (line.p[0] == '2' && r == 0)
			r = add_file(s, S("from"), span_cut(&text, '\0'), e);
	}
	return r;
}

int git_tree_state(const char *top, int64_t since, const char *const *skip, uint64_t *ret, struct err *e)
{
	static const unsigned char key[16] = "tree state, v1";
	/* --untracked-files=all: a folder's own time does not tell that a file in it was edited. */
	static const char *const words[] = { "status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames",
		"--ignore-submodules=dirty", NULL };
	struct git_ask q = { .top = top, .words = words, .until = time_mono() + LIMIT, .out_max = STATUS_MAX, .content = true };
	CLEANUP(answer_free) struct answer a = { 0 };
	CLEANUP(fd_close) int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct state s = { .top = fd, .since = since };
	unsigned char hash[16];

	if (fd < 0)
		return err_set(e, errno, TR("open '%s': %m", "无法打开“%s”：%m"), top);
	for (size_t i = 0; skip && skip[i] && s.n_skip < SKIP_MAX; i++)
		s.n_skip += lstat(skip[i], &s.skip[s.n_skip]) == 0;
	int r = git_ask(&q, &a, e);
	if (r == 0 && a.status)
		r = err_set(e, EIO, TR("git status failed in '%s': %.*s", "git status 在“%s”中失败：%.*s"), top, SPAN_ARG(git_complaint(&a)));
	if (r == 0)
		r = add_status(&s, buf_view(&a.out), e);
	if (r == 0) {
		*ret = 0;
		siphash128(key, buf_view(&s.seen), hash);
		if (s.seen.len)
			memcpy(ret, hash, sizeof(*ret));
		if (s.seen.len && !*ret)
			*ret = 1;
	}
	buf_free(&s.seen);
	return r;
}
