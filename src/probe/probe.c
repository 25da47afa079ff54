#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "probe/own.h"

/* ---- words ---- */

static const char *const formats[] = { [PROBE_ELF] = "elf", [PROBE_MACHO] = "macho", [PROBE_PE] = "pe" };
static const char *const kinds[] = { "program", "library", "plugin", "object", "core" };
static const char *const answers[] = { "unknown", "no", "yes", "partial", "n/a" };

const char *probe_format_name(enum probe_format f)
{
	return f < ARRAY_LEN(formats) && formats[f] ? formats[f] : "";
}

const char *probe_kind_name(enum probe_kind k)
{
	return kinds[k];
}

const char *probe_answer_name(enum probe_answer a)
{
	return answers[a];
}

/* ---- room ---- */

void *reading_room(struct reading *r, uint64_t n, size_t each)
{
	struct arena *a = &r->p->mem;

	if (n > SIZE_MAX / 2 / each || (a->max && n * each > a->max - a->used)) {
		r->full = true;
		return NULL;
	}
	void *p = arena_alloc(a, n ? n * each : 1);
	if (!p)
		r->no_memory = true;
	return p;
}

struct span reading_text(struct reading *r, struct span s)
{
	char *to = reading_room(r, s.n + 1, 1);

	if (!to)
		return (struct span){ 0 };
	if (s.n)
		memcpy(to, s.p, s.n);
	return (struct span){ to, s.n };
}

/* ---- what is derived ---- */

/* UPX leaves its mark between the headers and its own code, and in the last bytes. */
static void recognise_packer(struct reading *r)
{
	uint64_t n = r->m->size < 4096 ? r->m->size : 4096;
	const unsigned char *head = image_file(r->m, 0, n),
			    *tail = image_file(r->m, r->m->size - (n < 64 ? n : 64), n < 64 ? n : 64);

	if ((head && memmem(head, n, "UPX!", 4)) || (tail && memmem(tail, n < 64 ? n : 64, "UPX!", 4)))
		r->p->packer = "UPX";
}

/* Which system's files the runtime was made of. */
void read_system(struct reading *r)
{
	static const struct span systems[] = { S("linux"),  S("darwin"),  S("windows"), S("freebsd"),
					       S("netbsd"), S("openbsd"), S("solaris"), S("dragonfly"),
					       S("aix"),    S("plan9") };
	struct probe *p = r->p;
	struct span said = probe_setting(p, "GOOS");

	if (said.n)
		p->os = said;
	for (size_t i = 0; !p->os.n && i < p->n_files; i++) {
		const char *at = strstr(p->files[i], "runtime/os_");
		for (size_t k = 0; at && k < ARRAY_LEN(systems); k++)
			if (span_starts(span_of(at + 11), systems[k]) &&
			    (at[11 + systems[k].n] == '.' || at[11 + systems[k].n] == '_'))
				p->os = systems[k];
	}
}

static enum probe_answer truth(bool is)
{
	return is ? PROBE_YES : PROBE_NO;
}

static bool note_symbol(void *ctx, const struct image_symbol *s)
{
	*(bool *)ctx = true;
	return false;
}

/* Those that only name what other libraries have do not count. */
static bool has_symbols(struct image *m)
{
	bool any = false;

	if (m->sect[SECT_SYMBOLS].size)
		image_symbols(m, note_symbol, &any);
	return any;
}

static enum probe_answer uses_cgo(const struct probe *p)
{
	struct span said = probe_setting(p, "CGO_ENABLED");

	/* All of it may be assembler, whose functions name no package. */
	for (size_t i = 0; i < p->n_files; i++)
		if (strstr(p->files[i], "runtime/cgo/"))
			return PROBE_YES;
	if (p->n_packages)
		return truth(probe_package(p, S("runtime/cgo")));
	return span_eq(said, S("0")) ? PROBE_NO : PROBE_UNKNOWN;
}

static enum probe_answer is_trimmed(const struct probe *p)
{
	if (p->n_settings)
		return truth(span_eq(probe_setting(p, "-trimpath"), S("true")));
	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i][0] == '/' || (p->files[i][0] && p->files[i][1] == ':'))
			return PROBE_NO;
	return p->n_files ? PROBE_YES : PROBE_UNKNOWN;
}

static void harden(struct reading *r)
{
	struct probe *p = r->p;
	struct probe_hardening *h = &p->hard;

	h->canary = PROBE_NONE_SUCH;
	h->cgo = uses_cgo(p);
	h->trimpath = is_trimmed(p);
	if (p->kind != PROBE_CORE) {
		h->stripped = truth(!has_symbols(r->m));
		h->dwarf = truth(r->m->sect[SECT_DWARF].size);
	}
	if (p->n_settings) {
		h->race = truth(span_eq(probe_setting(p, "-race"), S("true")));
		h->cover = truth(span_eq(probe_setting(p, "-cover"), S("true")));
	}
}

static void gather_packages(struct reading *r)
{
	struct probe *p = r->p;
	struct packages k = { .max = p->size / 512 + 4096 };
	struct probe_func *funcs = (struct probe_func *)p->funcs;
	struct probe_inlined *inlined = (struct probe_inlined *)p->inlined;

	for (size_t i = 0; i < p->n_funcs; i++) {
		funcs[i].package = package_number(r, &k, funcs[i].name, strlen(funcs[i].name));
		if (funcs[i].package != PROBE_NO_PACKAGE)
			k.v[funcs[i].package].linked++;
	}
	for (size_t i = 0; i < p->n_inlined; i++) {
		inlined[i].package = package_number(r, &k, inlined[i].name, strlen(inlined[i].name));
		if (inlined[i].package != PROBE_NO_PACKAGE)
			k.v[inlined[i].package].inlined++;
	}
	packages_keep(r, &k, funcs, inlined);
	packages_free(&k);
}

/* ---- all of it ---- */

static void read_code(struct reading *r)
{
	bool found = read_tables(r);

	if (found) {
		r->p->go = true;
		find_module(r);
	} else {
		found = find_disguised(r);
	}
	if (!r->p->go_version.n && found)
		read_runtime_version(r);
	if (!found)
		return;
	if (r->md.text)
		r->t.text = r->md.text;
	else if (!r->t.text)
		r->t.text = r->m->sect[SECT_TEXT].addr;
	read_functions(r);
	read_inlined(r);
	gather_packages(r);
	read_files(r);
	read_module(r);
	read_init(r);
	read_embeds(r);
}

static int read_all(struct reading *r, const struct probe_options *o, struct err *e)
{
	struct probe *p = r->p;

	if (p->kind != PROBE_CORE && p->kind != PROBE_OBJECT) {
		read_build_info(r);
		if (p->build_info)
			read_mod_text(r);
		read_build_id(r);
		if (!o || !o->build_only)
			read_code(r);
		if (!r->t.addr && !p->build_info && !p->packer)
			recognise_packer(r);
	}
	p->truncated = r->m->truncated;
	p->changed = r->m->src->changed;
	harden(r);
	read_system(r);
	reading_explain(r, o && o->build_only);
	return r->no_memory ? err_set(e, ENOMEM, TR("no memory", "内存不足")) : 0;
}

static int probe_source_all(struct probe_source *s, const char *name, const struct probe_options *o,
			    struct probe *p, struct err *e)
{
	struct image *m = mem_zalloc(sizeof(*m));
	struct reading r = { .p = p, .m = m };

	p->source = s;
	p->size = s->size;
	p->mem.max = s->size > 1 << 20 ? s->size : 1 << 20;
	if (!m)
		return err_set(e, ENOMEM, TR("no memory", "内存不足"));
	m->src = s;
	int ret = image_read(m, p, name, o, e);
	if (ret == 0)
		ret = read_all(&r, o, e);
	mem_free(m);
	return ret;
}

int probe_fd(int fd, const char *name, const struct probe_options *o, struct probe *ret, struct err *e)
{
	struct probe_source *s;
	int r;

	*ret = (struct probe){ 0 };
	r = source_open(fd, name, &s, e);
	if (r == 0)
		r = probe_source_all(s, name, o, ret, e);
	if (ret->source)
		ret->source->fd = -1; /* nothing more is read */
	return r;
}

int probe_bytes(struct span file, const char *name, const struct probe_options *o, struct probe *ret,
		struct err *e)
{
	struct probe_source *s;
	int r;

	*ret = (struct probe){ 0 };
	r = source_of_bytes(file, &s, e);
	return r < 0 ? r : probe_source_all(s, name, o, ret, e);
}

int probe_file(const char *path, const struct probe_options *o, struct probe *ret, struct err *e)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	*ret = (struct probe){ 0 };
	if (fd < 0)
		return err_set(e, errno, TR("open '%s': %m", "打开“%s”：%m"), path);
	return probe_fd(fd, path, o, ret, e);
}

void probe_free(struct probe *p)
{
	mem_free((void *)p->inlined);
	arena_free(&p->mem);
	source_free(p->source);
	*p = (struct probe){ 0 };
}

void probe_free_cleanup(struct probe *p)
{
	probe_free(p);
}

/* ---- questions ---- */

struct span probe_setting(const struct probe *p, const char *key)
{
	for (size_t i = 0; i < p->n_settings; i++)
		if (span_eq(p->settings[i].key, span_of(key)))
			return p->settings[i].value;
	return (struct span){ 0 };
}

enum probe_state probe_function(const struct probe *p, struct span name)
{
	for (size_t i = 0; i < p->n_funcs; i++)
		if (strncmp(p->funcs[i].name, name.p, name.n) == 0 && p->funcs[i].name[name.n] == 0)
			return PROBE_LINKED;
	for (size_t i = 0; i < p->n_inlined; i++)
		if (strncmp(p->inlined[i].name, name.p, name.n) == 0 && p->inlined[i].name[name.n] == 0)
			return PROBE_INLINED;
	return PROBE_NOT_FOUND;
}

static bool holds_package(const struct probe_module *m, struct span package)
{
	return m->path.n && span_starts(package, m->path) &&
	       (package.n == m->path.n || package.p[m->path.n] == '/');
}

const struct probe_module *probe_module_of(const struct probe *p, struct span package)
{
	const struct probe_module *best =
		span_eq(package, S("main")) || holds_package(&p->main, package) ? &p->main : NULL;

	for (size_t i = 0; i < p->n_deps; i++)
		if (holds_package(&p->deps[i], package) && (!best || best->path.n < p->deps[i].path.n))
			best = &p->deps[i];
	return best && best->path.n ? best : NULL;
}

struct span probe_build_id_content(struct span build_id)
{
	size_t slash = span_rchr(build_id, '/');

	return slash == SPAN_NONE ? build_id : span_from(build_id, slash + 1);
}
