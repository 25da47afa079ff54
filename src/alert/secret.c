#include "alert/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

#define BLOCK     (16 << 10) /* a few pages: the limit on locked memory may be 64 KiB */
#define LEAST     4          /* shorter ones cannot be redacted */
#define PART_MIN  8          /* of an address */
#define NAME_MOST 128
#define SHOWN     80

/* ---- memory: blocks of locked pages, cut into slots of few sizes ---- */

static const size_t slot_sizes[] = { 256, 1024, SECRET_MAX };
#define SIZES ARRAY_LEN(slot_sizes)

struct slot { /* a free one: the list stands in it */
	struct slot *next;
};

struct block {
	struct block *next;
	char *p;
	size_t used;
};

struct entry {
	struct entry *next;
	char *ref, *note;
	char *value[2]; /* read, handed over; NULL: none */
	size_t n[2];
};
enum { READ, GIVEN };

struct secrets {
	struct block *blocks;
	struct slot *free[SIZES];
	struct entry *entries;
	char *scratch; /* SECRET_MAX + 3: files are read into it */
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory for secrets", "内存不足，无法保存机密"));
}

static struct block *add_block(struct secrets *s)
{
	struct block *b = mem_zalloc(sizeof(*b));
	void *p = MAP_FAILED;

	if (b && !fault_hit())
		p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		mem_free(b);
		return NULL;
	}
	/* Each as far as kernel and limits allow: a machine without them gets its alerts too. */
	(void)!mlock(p, BLOCK);
	(void)!madvise(p, BLOCK, MADV_DONTDUMP);
	(void)!madvise(p, BLOCK, MADV_WIPEONFORK);
	*b = (struct block){ .next = s->blocks, .p = p };
	s->blocks = b;
	return b;
}

static char *take(struct secrets *s, size_t n)
{
	struct block *b = s->blocks;

	if (!b || BLOCK - b->used < n)
		b = add_block(s);
	if (!b)
		return NULL;
	b->used += n;
	return b->p + b->used - n;
}

static size_t size_for(size_t n)
{
	size_t i = 0;

	while (i < SIZES - 1 && slot_sizes[i] < n) /* check_value: none is longer than the last */
		i++;
	return i;
}

static char *slot_take(struct secrets *s, size_t n)
{
	size_t i = size_for(n);
	struct slot *f = s->free[i];

	if (!f)
		return take(s, slot_sizes[i]);
	s->free[i] = f->next;
	f->next = NULL;
	return (char *)f;
}

static void slot_give(struct secrets *s, char *p, size_t n)
{
	size_t i = size_for(n);

	if (!p)
		return;
	explicit_bzero(p, slot_sizes[i]);
	struct slot *f = (struct slot *)(void *)p;
	f->next = s->free[i];
	s->free[i] = f;
}

int secrets_open(struct secrets **ret, struct err *e)
{
	struct secrets *s = mem_zalloc(sizeof(*s));

	*ret = NULL;
	if (s)
		s->scratch = take(s, SECRET_MAX + 64);
	if (!s || !s->scratch) {
		secrets_close(s);
		return no_memory(e);
	}
	*ret = s;
	return 0;
}

void secrets_close(struct secrets *s)
{
	if (!s)
		return;
	for (struct block *b = s->blocks, *next; b; b = next) {
		next = b->next;
		explicit_bzero(b->p, BLOCK);
		munmap(b->p, BLOCK);
		mem_free(b);
	}
	for (struct entry *n = s->entries, *next; n; n = next) {
		next = n->next;
		mem_free(n->ref);
		mem_free(n->note);
		mem_free(n);
	}
	mem_free(s);
}

void secrets_close_cleanup(struct secrets **s)
{
	secrets_close(*s);
}

static struct entry *find(const struct secrets *s, const char *ref)
{
	for (struct entry *n = s->entries; n; n = n->next) {
		if (!strcmp(n->ref, ref))
			return n;
	}
	return NULL;
}

static struct entry *find_or_add(struct secrets *s, const char *ref)
{
	struct entry *n = find(s, ref);

	if (n)
		return n;
	n = mem_zalloc(sizeof(*n));
	if (!n)
		return NULL;
	n->ref = mem_dup(ref, strlen(ref));
	if (!n->ref) {
		mem_free(n);
		return NULL;
	}
	n->next = s->entries;
	s->entries = n;
	return n;
}

/* ---- what a value may be ---- */

/* where: "the variable X", "'/path'". */
static int check_value(struct span v, const char *where, struct err *e)
{
	if (!v.n)
		return err_set(e, EINVAL, TR("%s is empty", "%s 为空"), where);
	if (v.n < LEAST)
		return err_set(e, EINVAL,
			       TR("%s has fewer than %d bytes: too short to be a secret, and to be kept out of logs",
				  "%s 不足 %d 个字节：太短，不像机密，也无法从日志中剔除"),
			       where, LEAST);
	if (v.n > SECRET_MAX)
		return err_set(e, EFBIG, TR("%s has more than %d bytes: this is no secret of a channel", "%s 超过 %d 个字节：这不是渠道的机密"),
			       where, SECRET_MAX);
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (c == '\n' || c == '\r')
			return err_set(e, EINVAL, TR("%s has more than one line: a secret is one", "%s 有多行：机密只能是一行"), where);
		if (c < 0x20 || c == 0x7f)
			return err_set(e, EINVAL, TR("%s has a control character in it", "%s 含有控制字符"), where);
	}
	return 0;
}

/* v may lie in the scratch. */
static int keep(struct secrets *s, struct entry *n, int which, struct span v, struct err *e)
{
	char *old = n->value[which];

	if (old && size_for(n->n[which]) == size_for(v.n)) {
		if (v.n < n->n[which])
			explicit_bzero(old + v.n, n->n[which] - v.n);
		memmove(old, v.p, v.n);
	} else {
		char *p = slot_take(s, v.n);
		if (!p)
			return no_memory(e);
		memcpy(p, v.p, v.n);
		slot_give(s, old, n->n[which]);
		n->value[which] = p;
	}
	n->n[which] = v.n;
	return 0;
}

/* ---- files ---- */

/* Mounted by who runs the container: its modes are not the user's to change. */
static bool is_mounted(const char *path)
{
	struct span p = span_of(path);

	return span_starts(p, S("/run/secrets/")) || span_starts(p, S("/var/run/secrets/")) || span_starts(p, S("/run/credentials/"));
}

static int note_mode(struct entry *n, const char *path, const struct stat *st, struct err *e)
{
	char text[480];

	mem_free(n->note);
	n->note = NULL;
	if (!(st->st_mode & 077) || is_mounted(path))
		return 0;
	snprintf(text, sizeof(text),
		 TR("'%.300s' can be read by others than its owner (mode %03o): chmod 600 keeps the secret in it",
		    "“%.300s”可被所有者以外的用户读取（权限 %03o）：请执行 chmod 600"),
		 path, (unsigned)st->st_mode & 0777);
	n->note = mem_dup(text, strlen(text));
	return n->note ? 0 : no_memory(e);
}

static int open_secret(const char *path, struct stat *st, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_set(e, errno, TR("'%.300s' cannot be read: %m", "无法读取“%.300s”：%m"), path);
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	fd_close(fd);
	return err_set(e, EINVAL, TR("'%.300s' is no regular file", "“%.300s”不是普通文件"), path);
}

static int slurp(struct secrets *s, const char *path, struct stat *st, size_t *len, struct err *e)
{
	CLEANUP(fd_close) int fd = open_secret(path, st, e);

	*len = 0;
	if (fd < 0)
		return fd;
	while (*len < SECRET_MAX + 3) { /* room for "\r\n", and one more that is too many */
		ssize_t got = read(fd, s->scratch + *len, SECRET_MAX + 3 - *len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, errno, TR("'%.300s' cannot be read: %m", "无法读取“%.300s”：%m"), path);
		if (!got)
			break;
		*len += (size_t)got;
	}
	return 0;
}

static int read_secret(struct secrets *s, struct entry *n, const char *path, bool theirs, struct err *e)
{
	char where[400];
	struct stat st;
	size_t len;

	int r = slurp(s, path, &st, &len, e);
	if (r == 0) {
		struct span v = span_trim((struct span){ s->scratch, len });
		snprintf(where, sizeof(where), "'%.300s'", path);
		r = check_value(v, where, e);
		if (r == 0)
			r = keep(s, n, READ, v, e);
	}
	explicit_bzero(s->scratch, SECRET_MAX + 3);
	if (r == 0 && !theirs)
		r = note_mode(n, path, &st, e);
	return r;
}

/* ---- the forms ---- */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool is_name(const char *z, const char *of)
{
	size_t n = strlen(z);

	return n && n <= NAME_MOST && strcmp(z, ".") && strcmp(z, "..") && strspn(z, of) == n;
}

static int from_env(struct secrets *s, struct entry *n, const char *name, struct err *e)
{
	char file[NAME_MOST + 8], where[NAME_MOST + 40];

	if (!is_name(name, LETTERS "_"))
		return err_set(e, EINVAL, TR("the name of a variable follows env:", "env: 后面应是变量名"));
	snprintf(file, sizeof(file), "%s_FILE", name);
	const char *value = getenv(name), *path = getenv(file);
	if (value && !*value && path && *path)
		value = NULL;
	if (value && path && *path)
		return err_set(e, EINVAL, TR("both %s and %s are set: which one holds?", "%s 和 %s 同时设置：不知以哪个为准"), name, file);
	if (value) {
		struct span v = span_trim(span_of(value));
		snprintf(where, sizeof(where), TR("the variable %s", "变量 %s"), name);
		int r = check_value(v, where, e);
		return r < 0 ? r : keep(s, n, READ, v, e);
	}
	if (path && *path)
		return read_secret(s, n, path, false, e);
	return err_set(e, ENOENT, TR("the environment has neither %s nor %s", "环境变量中没有 %s，也没有 %s"), name, file);
}

static int from_file(struct secrets *s, struct entry *n, const char *path, struct err *e)
{
	if (*path != '/')
		return err_set(e, EINVAL, TR("a full path follows file:", "file: 后面应是绝对路径"));
	return read_secret(s, n, path, false, e);
}

static int from_credential(struct secrets *s, struct entry *n, const char *name, struct err *e)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (!is_name(name, LETTERS "._-"))
		return err_set(e, EINVAL, TR("the name of a credential follows credential:", "credential: 后面应是凭据名"));
	path_join(&path, dir && *dir == '/' ? dir : "/run/secrets", name);
	if (path.bad)
		return no_memory(e);
	return read_secret(s, n, path.p, true, e);
}

static const struct form {
	struct span prefix;
	int (*read)(struct secrets *s, struct entry *n, const char *rest, struct err *e);
} forms[] = {
	{ { "env:", 4 }, from_env },
	{ { "file:", 5 }, from_file },
	{ { "credential:", 11 }, from_credential },
};

static const struct form *form_of(const char *ref)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (span_starts(span_of(ref), forms[i].prefix))
			return &forms[i];
	}
	return NULL;
}

bool secret_is_reference(const char *text)
{
	return text && form_of(text);
}

static int no_reference(struct err *e) /* what was written may be the secret */
{
	return err_set(e, EINVAL,
		       TR("a secret must not stand in a configuration or on a command line, where others read it: name where it is, env:NAME, "
			  "file:PATH or credential:NAME",
			  "机密不能写在配置或命令行中，他人可以读到：请写出处，env:NAME、file:PATH 或 credential:NAME"));
}

static struct span value_of(const struct entry *n, int which)
{
	return (struct span){ n->value[which], n->value[which] ? n->n[which] : 0 };
}

int secret_get(struct secrets *s, const char *ref, struct span *ret, struct err *e)
{
	const struct form *form = ref ? form_of(ref) : NULL;

	*ret = (struct span){ 0 };
	if (!form)
		return no_reference(e);
	struct entry *n = find_or_add(s, ref);
	if (!n)
		return no_memory(e);
	if (!n->value[GIVEN] || form->read != from_env) {
		int r = form->read(s, n, ref + form->prefix.n, e);
		if (r == 0)
			*ret = value_of(n, READ);
		if (r == 0 || r == -ENOMEM || !n->value[GIVEN])
			return r;
	}
	*ret = value_of(n, GIVEN);
	return 0;
}

int secret_put(struct secrets *s, const char *ref, struct span value, struct err *e)
{
	if (!ref || !form_of(ref))
		return no_reference(e);
	char where[SHOWN + 40];
	value = span_trim(value);
	snprintf(where, sizeof(where), TR("what was handed over for %.*s", "为 %.*s 转交的值"), SHOWN, ref);
	int r = check_value(value, where, e);
	if (r < 0)
		return r;
	struct entry *n = find_or_add(s, ref);
	return n ? keep(s, n, GIVEN, value, e) : no_memory(e);
}

const char *secret_note(const struct secrets *s, const char *ref)
{
	const struct entry *n = find(s, ref);

	return n ? n->note : NULL;
}

/* ---- redaction ---- */

static const char kind[] = "secret";

static bool add_part(struct redact *x, struct span part)
{
	return span_trim(part).n < PART_MIN || redact_add_value(x, part, kind);
}

/* Its token alone gives a webhook away: all behind the host, each long element of the path, each value of the query, the user. */
static bool add_address(struct redact *x, struct span v)
{
	size_t at = span_find(v, S("://"));

	if (at == SPAN_NONE)
		return true;
	struct span rest = span_from(v, at + 3), query, user = { 0 };
	size_t end = 0;
	while (end < rest.n && !strchr("/?#", rest.p[end]))
		end++;
	size_t sign = span_rchr(span_head(rest, end), '@');
	if (sign != SPAN_NONE)
		user = span_head(rest, sign);
	query = span_from(rest, end);
	bool good = add_part(x, span_from(query, 1)) && add_part(x, user);
	struct span word = span_cut(&user, ':');
	good = good && add_part(x, word) && add_part(x, user);
	struct span path = span_cut(&query, '?');
	while (good && path.n) {
		word = span_cut(&path, '/');
		good = word.n < 2 * PART_MIN || add_part(x, word);
	}
	while (good && query.n) {
		word = span_cut(&query, '&');
		span_cut(&word, '=');
		good = add_part(x, word);
	}
	return good;
}

int secrets_redact(const struct secrets *s, struct redact *x, struct err *e)
{
	for (const struct entry *n = s->entries; n; n = n->next) {
		for (int which = READ; which <= GIVEN; which++) {
			struct span v = value_of(n, which);
			if (v.n && (!redact_add_value(x, v, kind) || !add_address(x, v)))
				return no_memory(e);
		}
	}
	return 0;
}

/* ---- the wrapped command ---- */

static bool has_line(const struct buf *b, struct span line)
{
	struct span rest = buf_view(b);

	while (rest.n) {
		if (span_eq(span_cut(&rest, '\n'), line))
			return true;
	}
	return false;
}

int secret_variables(const char *const *refs, size_t n, struct buf *names, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct span name = span_of(refs[i]);
		if (!span_skip(&name, S("env:")) || !name.n || span_chr(name, '\n') != SPAN_NONE || span_chr(name, '=') != SPAN_NONE ||
		    has_line(names, name))
			continue;
		buf_addf(names, "%s\n%s_FILE\n", name.p, name.p);
	}
	return names->bad ? no_memory(e) : 0;
}

int secrets_hide(struct secrets *s, const char *const *refs, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct span name = span_of(refs[i]);
		char *value = span_skip(&name, S("env:")) && name.n ? getenv(name.p) : NULL;
		struct entry *x = value ? find(s, refs[i]) : NULL;
		if (x && x->value[READ] && !x->value[GIVEN] && keep(s, x, GIVEN, value_of(x, READ), e) < 0)
			r = -ENOMEM;
		if (!value)
			continue;
		explicit_bzero(value, strlen(value));
		unsetenv(name.p);
	}
	return r;
}

void secret_process(void)
{
	struct rlimit none = { 0 }, locked;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	/* Under a limit it would make later allocations fail; the secrets' own pages are locked anyway. */
	if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0 && locked.rlim_cur == RLIM_INFINITY)
		(void)!mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}
