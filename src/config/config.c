#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "base/time.h"
#include "config/own.h"

#define MAX_ERRORS 100
#define DAY_NS     (24 * 3600 * NSEC_PER_SEC)

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory for the configuration", "内存不足，无法读取配置"));
}

/* ---- what is to be said ---- */

void config_note(struct config *c, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	const char *note = arena_str(&c->mem, span_of(text));
	if (!note || !mem_grow(&c->notes, &c->cap_notes, c->n_notes, sizeof(*c->notes)))
		c->no_memory = true;
	else
		c->notes[c->n_notes++] = note;
}

static void add_error(struct config *c, const struct config_error *e)
{
	if (c->n_errors == MAX_ERRORS)
		return;
	if (!e->text || !mem_grow(&c->errors, &c->cap_errors, c->n_errors, sizeof(*c->errors)))
		c->no_memory = true;
	else
		c->errors[c->n_errors++] = *e;
}

void config_error(struct config *c, enum config_place place, const struct yaml *v, const char *fmt, ...)
{
	struct config_error e = { .file = c->files[place].shown };
	struct err full;
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e.line = v->line;
	e.column = v->column;
	yaml_err(e.file, v, &full, "%s", text);
	e.text = arena_str(&c->mem, span_of(full.msg));
	add_error(c, &e);
}

/* sentence: what is behind the file's name, ":LINE:COLUMN: …" or ": …". */
static void file_error(struct config *c, enum config_place place, const char *sentence, bool ignored)
{
	struct config_error e = { .file = c->files[place].shown, .ignored = ignored };

	struct span rest = span_of(sentence + 1), line = span_cut(&rest, ':'), column = span_cut(&rest, ':');
	int64_t at[2];

	e.text = arena_printf(&c->mem, "%s%s", e.file, sentence);
	if (span_int(line, &at[0]) && span_int(column, &at[1])) {
		e.line = (int)at[0];
		e.column = (int)at[1];
	}
	add_error(c, &e);
}

/* ---- reading ---- */

static int check_kind(int fd, bool named, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, TR(": cannot be opened: %m", "：无法打开：%m"));
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, TR(": is a directory, not a file", "：是目录而不是文件"));
	if (!S_ISREG(st.st_mode) && !named)
		return err_set(e, EINVAL, TR(": is no regular file", "：不是普通文件"));
	if (fcntl(fd, F_SETFL, 0) < 0) /* a pipe may be waited for: --config <(…) */
		return err_set(e, errno, TR(": cannot be opened: %m", "：无法打开：%m"));
	return 0;
}

/* *fd stays -1 when it is not there, and needs not. Errors are what is to stand behind its name. */
static int open_file(const struct config_file *f, bool named, int *fd, struct err *e)
{
	*fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd >= 0)
		return check_kind(*fd, named, e);
	if (!named && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	/* HOME may be another's: of root, under `setpriv --reuid`. What we cannot even look for is not ours. */
	if (!named && errno == EACCES && access(f->path, F_OK) < 0)
		return 0;
	return err_set(e, errno, TR(": cannot be opened: %m", "：无法打开：%m"));
}

static int slurp(int fd, struct buf *ret, struct err *e)
{
	for (;;) {
		if (!buf_need(ret, 65536))
			return no_memory(e);
		ssize_t n = read(fd, ret->p + ret->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, TR(": cannot be read: %m", "：无法读取：%m"));
		if (!n)
			return 0;
		ret->len += (size_t)n;
		if (ret->len > YAML_BYTES)
			return err_set(e, EFBIG,
				       TR(": is larger than %u bytes: this is no configuration",
					  "：超过 %u 字节：这不是配置文件"),
				       YAML_BYTES);
	}
}

/* The tree of one file; *ret stays NULL when there is none. */
static int read_tree(struct config *c, enum config_place place, struct yaml **ret, struct err *e)
{
	struct config_file *f = &c->files[place];
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(fd_close) int fd = -1;

	*ret = NULL;
	int r = open_file(f, place == CONFIG_NAMED, &fd, e);
	if (r < 0 || fd < 0)
		return r;
	r = slurp(fd, &text, e);
	if (r < 0)
		return r;
	f->found = true;
	return yaml_read("", buf_view(&text), &c->mem, ret, e);
}

static void read_place(struct config *c, enum config_place place)
{
	struct yaml *root;
	struct err e;

	if (!c->files[place].path)
		return;
	int r = read_tree(c, place, &root, &e);
	if (r == -ENOMEM)
		c->no_memory = true;
	else if (r < 0)
		file_error(c, place, e.msg, r == -EACCES && place == CONFIG_PROJECT); /* not of this user's making */
	else
		check_file(c, place, root);
}

/* ---- what follows from all files together ---- */

static void take_defaults(struct config *c)
{
	for (enum config_id id = 0; id < CFG_KEYS; id++) {
		const struct config_key *k = &config_keys[id];
		struct config_value *v = &c->values[id];
		if (v->origin != CONFIG_UNSET || !k->unset || k->unset[0] == '[')
			continue;
		v->text = k->unset;
		type_read(k, k->unset, &v->number);
	}
}

const char *config_text_of(const struct yaml *map, const char *key)
{
	const struct yaml *v = yaml_get(map, key);

	return yaml_is_nothing(v) ? NULL : v->text.p;
}

static void take_quarantine(struct config *c, int64_t today)
{
	const struct config_value *v = &c->values[CFG_QUARANTINE];
	const struct config_quarantine *first = NULL;
	size_t expired = 0;

	if (!v->n)
		return;
	c->quarantine = arena_alloc(&c->mem, v->n * sizeof(*c->quarantine));
	if (!c->quarantine) {
		c->no_memory = true;
		return;
	}
	for (const struct yaml *one = v->node->first; one; one = one->next) {
		struct config_quarantine *q = &c->quarantine[c->n_quarantine++];
		int64_t until = 0;
		*q = (struct config_quarantine){
			.test = config_text_of(one, "test"),
			.package = config_text_of(one, "package"),
			.why = config_text_of(one, "why"),
			.fault = config_text_of(one, "fault"),
			.until = config_text_of(one, "until"),
			.line = one->line,
		};
		type_date(q->until, &until);
		q->expired = today - until >= DAY_NS;
		expired += q->expired;
		if (q->expired && !first)
			first = q;
	}
	if (first)
		config_note(
			c,
			TR("%s:%d: the quarantine of %.80s ended on %s and is no longer honoured (%zu such)",
			   "%s:%d：对 %.80s 的隔离已于 %s 到期，不再生效（共 %zu 条）"),
			c->files[v->place].shown, first->line, first->test, first->until, expired);
}

int config_read(const struct config_places *where, struct config **ret, struct err *e)
{
	struct config *c = mem_zalloc(sizeof(*c));

	*ret = NULL;
	if (!c)
		return no_memory(e);
	find_files(c, where);
	for (enum config_place p = 0; p < CONFIG_PLACES && !c->no_memory; p++)
		read_place(c, p);
	take_defaults(c);
	take_quarantine(c, where->today ? where->today : time_wall());
	if (!c->no_memory)
		take_alerts(c, where->today ? where->today : time_wall());
	if (c->no_memory) {
		config_free(c);
		return no_memory(e);
	}
	*ret = c;
	return 0;
}

/* Of those that matter; when there are so many that not all were kept, each does. NULL: none. */
static const struct config_error *first_error(const struct config *c)
{
	for (size_t i = 0; i < c->n_errors; i++) {
		if (!c->errors[i].ignored || c->n_errors == MAX_ERRORS)
			return &c->errors[i];
	}
	return NULL;
}

int config_load(const char *named, const char *cwd, struct config **ret, struct err *e)
{
	CLEANUP(mem_free) char *here = cwd ? NULL : getcwd(NULL, 0); /* NULL: it is gone, and has no project */
	struct config_places where;

	config_places(named, cwd ? cwd : here, &where);
	int r = config_read(&where, ret, e);
	struct config *c = *ret;
	const struct config_error *first = c ? first_error(c) : NULL;
	if (!first && c && c->n_errors)
		config_note(c, TR("%.400s: this is ignored, as it stands in the working tree (errors: %zu; tocsin config check)", "%.400s：因其位于工作区，已忽略（错误 %zu 处；tocsin config check）"), c->errors[0].text,
			    c->n_errors);
	if (!first)
		return r;
	if (c->n_errors == 1)
		r = err_set(e, EINVAL, "%s", first->text);
	else
		r = err_set(e, EINVAL,
			    TR("%.380s (and %zu more: tocsin config check)",
			       "%.380s（另有 %zu 处：tocsin config check）"),
			    first->text, c->n_errors - 1);
	config_free(c);
	*ret = NULL;
	return r;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	arena_free(&c->mem);
	mem_free(c->notes);
	mem_free(c->errors);
	mem_free(c);
}

void config_free_cleanup(struct config **c)
{
	config_free(*c);
}

/* ---- asking ---- */

const struct config_value *config_get(const struct config *c, enum config_id id)
{
	return &c->values[id];
}

bool config_is_set(const struct config *c, enum config_id id)
{
	return c->values[id].origin != CONFIG_UNSET;
}

int64_t config_number(const struct config *c, enum config_id id)
{
	return c->values[id].number;
}

const char *config_text(const struct config *c, enum config_id id)
{
	return c->values[id].text;
}

const char *const *config_list(const struct config *c, enum config_id id, size_t *n)
{
	static const char *const none[] = { NULL };
	const struct config_value *v = &c->values[id];

	*n = v->list ? v->n : 0;
	return v->list ? v->list : none;
}

void config_path(const struct config *c, enum config_id id, struct buf *ret)
{
	if (c->values[id].text)
		path_join(ret, c->root ? c->root : "", c->values[id].text);
}

void config_origin(const struct config *c, enum config_id id, struct buf *ret)
{
	const struct config_value *v = &c->values[id];

	if (v->origin == CONFIG_FROM_FILE)
		buf_addf(ret, "%s:%d", c->files[v->place].shown, v->line);
	else
		buf_adds(ret, v->origin == CONFIG_FROM_FLAG ? v->flag : TR("default", "默认"));
}

int config_flag(struct config *c, enum config_id id, const char *flag, const char *value, struct err *e)
{
	const struct config_key *k = &config_keys[id];
	struct config_value v = { .origin = CONFIG_FROM_FLAG,
				  .flag = arena_str(&c->mem, span_of(flag)),
				  .text = arena_str(&c->mem, span_of(value)) };

	if (!v.flag || !v.text)
		return no_memory(e);
	const char *why = type_read(k, value, &v.number);
	if (why)
		return err_set(e, EINVAL, "%s: %s%s", flag, *why ? "" : TR("needs ", "需要"),
			       *why ? why : config_type_title(k->type));
	c->values[id] = v;
	return 0;
}

/* ---- quarantine ---- */

/* The test, or one that it is a subtest of. */
static bool fits(const char *pattern, struct span name, size_t test_at)
{
	for (;;) {
		if (text_glob(pattern, name))
			return true;
		size_t slash = span_rchr(span_from(name, test_at), '/');
		if (slash == SPAN_NONE)
			return false;
		name = span_head(name, test_at + slash);
	}
}

static bool quarantine_fits(const struct config_quarantine *q, struct span full, size_t test_at)
{
	struct span package = span_head(full, test_at ? test_at - 1 : 0);

	if (q->package)
		return text_glob(q->package, package) && fits(q->test, span_from(full, test_at), 0);
	return fits(q->test, full, test_at) || fits(q->test, span_from(full, test_at), 0);
}

const struct config_quarantine *config_quarantined(const struct config *c, const char *package,
						   const char *test)
{
	CLEANUP(buf_free) struct buf full = { 0 };

	if (package)
		buf_addf(&full, "%s.", package);
	size_t at = full.len;
	buf_adds(&full, test);
	for (size_t i = 0; i < c->n_quarantine && !full.bad; i++) {
		if (!c->quarantine[i].expired && quarantine_fits(&c->quarantine[i], buf_view(&full), at))
			return &c->quarantine[i];
	}
	return NULL;
}
