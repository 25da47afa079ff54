#include "check/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "check/target_own.h"
#include "mod/toolchain.h"
#include "parse/version.h"
#include "run/gocmd.h"

#define NEWEST "1.26" /* of a machine without go */

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, TR("no memory", "内存不足"));
}

/* ---- what holds ---- */

static bool in_list(const struct list *l, struct span word)
{
	for (size_t i = 0; i < l->n; i++)
		if (span_eq(span_of(l->v[i]), word))
			return true;
	return false;
}

/* "go1.21": 21; -1: it is no such tag. A patch release has none. */
static int release_of(struct span tag)
{
	int64_t n;

	if (!span_skip(&tag, S("go1.")) || !tag.n || tag.p[0] == '0' || !span_int(tag, &n) ||
	    tag.p[0] == '-' || n < 1 || n > 9999)
		return -1;
	return (int)n;
}

bool target_is(const struct target *t, struct span tag)
{
	if (span_eq(tag, span_of(t->goos)) || span_eq(tag, span_of(t->goarch)) ||
	    span_eq(tag, span_of(t->compiler)))
		return true;
	if (span_eq(tag, S("cgo")) && t->cgo)
		return true;
	if ((span_eq(tag, S("linux")) && !strcmp(t->goos, "android")) ||
	    (span_eq(tag, S("solaris")) && !strcmp(t->goos, "illumos")) ||
	    (span_eq(tag, S("darwin")) && !strcmp(t->goos, "ios")))
		return true;
	if (span_eq(tag, S("unix")) && t->go >= 19 && go_os_unix(span_of(t->goos)))
		return true;
	int release = release_of(tag);
	if (release > 0 && release <= t->go)
		return true;
	/* Its old name stands for the new one, and for nothing else. */
	if (span_eq(tag, S("boringcrypto")))
		tag = S("goexperiment.boringcrypto");
	return in_list(&t->tags, tag) || in_list(&t->tools, tag);
}

bool target_has(void *target, struct span tag)
{
	return target_is(target, tag);
}

bool target_known_tag(struct span tag, int go)
{
	static const char *const words[] = { "gc",   "gccgo", "cgo",          "unix",   "race",
					     "msan", "asan",  "boringcrypto", "purego", "ignore" };
	struct span feature = tag, arch = span_cut(&feature, '.');

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_eq(tag, span_of(words[i])))
			return true;
	if (go_os_known(tag, go) || go_arch_known(tag, go) || release_of(tag) > 0 ||
	    span_starts(tag, S("goexperiment.")))
		return true;
	return feature.n && go_arch_known(arch, go) && target_feature_known(tag);
}

/* ---- GOFLAGS ---- */

/* The next word, quotes around it taken off, as new versions of go read it. */
static struct span next_flag(struct span *rest)
{
	*rest = span_trim(*rest);
	if (!rest->n)
		return (struct span){ 0 };
	char quote = rest->p[0];
	if (quote == '\'' || quote == '"') {
		*rest = span_from(*rest, 1);
		return span_cut(rest, quote);
	}
	size_t n = 0;
	while (n < rest->n && !strchr(" \t\r\n", rest->p[n]))
		n++;
	struct span ret = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return ret;
}

/* The last -NAME or -NAME=VALUE; absent: there is none; a flag alone is "true". */
static struct span flag_of(const char *flags, const char *name)
{
	struct span rest = span_of(flags), ret = { 0 };

	for (struct span word; (word = next_flag(&rest)).p;) {
		struct span value = word, key = span_cut(&value, '=');
		if (!span_skip(&key, S("--")) && !span_skip(&key, S("-")))
			continue;
		if (span_eq(key, span_of(name)))
			ret = span_chr(word, '=') == SPAN_NONE ? S("true") : value.p ? value : S("");
	}
	return ret;
}

static bool is_true(struct span v)
{
	return span_eq(v, S("true")) || span_eq(v, S("1")) || span_eq(v, S("t")) || span_eq(v, S("T")) ||
	       span_eq(v, S("TRUE")) || span_eq(v, S("True"));
}

/* ---- the environment ---- */

struct reading {
	const struct target_flags *f;
	struct target_env *t;
	const char *installed; /* "go1.26.8" */
	struct err *e;
	int r;
};

static const char *host_arch(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#elif defined(__i386__)
	return "386";
#elif defined(__arm__)
	return "arm";
#elif defined(__riscv)
	return "riscv64";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
	return "ppc64le";
#elif defined(__powerpc64__)
	return "ppc64";
#elif defined(__s390x__)
	return "s390x";
#elif defined(__loongarch64)
	return "loong64";
#elif defined(__mips64) && defined(__MIPSEL__)
	return "mips64le";
#elif defined(__mips64)
	return "mips64";
#elif defined(__mips__) && defined(__MIPSEL__)
	return "mipsle";
#elif defined(__mips__)
	return "mips";
#else
	return "amd64";
#endif
}

static void fail(struct reading *x, int r)
{
	if (x->r == 0)
		x->r = r;
}

static int minor_of(const char *version)
{
	struct span v = goversion_language(span_of(version)), major = span_cut(&v, '.');
	int64_t n = 0;

	return span_eq(major, S("1")) && span_int(v, &n) && n > 0 && n < 10000 ? (int)n : 0;
}

/* The release that builds here: the one on PATH, unless go and toolchain lines ask for another, and GOTOOLCHAIN lets it. */
static void find_go(struct reading *x, const char *dir)
{
	CLEANUP(mod_tree_close) struct mod_tree mods = { 0 };
	struct target_env *t = x->t;
	struct gotool tool;

	if (gocmd_installed(&t->mem, &tool, NULL) == 0) {
		struct span all = span_of(tool.version);
		x->installed = arena_str(&t->mem, span_cut(&all, ' '));
		struct span v = goversion_of_toolchain(span_of(x->installed));
		t->root = tool.root;
		t->version = v.n ? arena_str(&t->mem, v) : NULL;
	}
	if (x->f->go) {
		struct span v = span_of(x->f->go);
		span_skip(&v, S("go"));
		t->version = arena_str(&t->mem, v);
		if (!t->version)
			fail(x, no_memory(x->e));
		if (!goversion_valid(v) || (t->version && !minor_of(t->version)))
			fail(x, err_set(x->e, EINVAL,
					TR("--go: not a version of Go, such as 1.22 or 1.22.3: %s",
					   "--go：不是 Go 版本（如 1.22 或 1.22.3）：%s"),
					x->f->go));
		return;
	}
	if (t->root && mod_tree_open_flags(dir, t->work, t->flags, &mods, NULL) == 0) {
		struct wish w = toolchain_wish(&mods);
		struct span other = toolchain_other(&w, gocmd_toolchain(&t->mem, &tool), x->installed);
		if (other.n)
			t->version = arena_str(&t->mem, other);
	}
	/* "devel …", or no go at all: take it for the newest. */
	if (!t->version || !minor_of(t->version))
		t->version = NEWEST;
}

static void find_modcache(struct target_env *t)
{
	const char *own = gocmd_setting(&t->mem, "GOMODCACHE"), *gopath = gocmd_setting(&t->mem, "GOPATH"),
		   *home = getenv("HOME");
	struct span first = span_of(gopath);

	first = span_cut(&first, ':');
	if (own)
		t->modcache = own;
	else if (first.n)
		t->modcache = arena_printf(&t->mem, "%.*s/pkg/mod", SPAN_ARG(first));
	else if (home && *home)
		t->modcache = arena_printf(&t->mem, "%s/go/pkg/mod", home);
}

static void find_mod(struct reading *x)
{
	static const char *const words[] = { "", "readonly", "mod", "vendor" };
	struct span v = x->f->mod ? span_of(x->f->mod) : flag_of(x->t->flags, "mod");

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_eq(v, span_of(words[i]))) {
			x->t->mod = (enum target_mod)i;
			return;
		}
	}
	fail(x, err_set(x->e, EINVAL,
			TR("-mod=%.*s is none of readonly, mod, vendor",
			   "-mod=%.*s 不是 readonly、mod、vendor 之一"),
			SPAN_ARG(v)));
}

/* ---- cgo ---- */

static bool on_path(const char *name)
{
	struct span path = span_of(getenv("PATH"));

	while (path.n) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct span dir = span_cut(&path, ':');
		buf_addf(&b, "%.*s/%s", dir.n ? (int)dir.n : 1, dir.n ? dir.p : ".", name);
		if (!b.bad && access(b.p, X_OK) == 0)
			return true;
	}
	return false;
}

static const char *default_cc(const char *os)
{
	static const char *const clang[] = { "darwin", "ios", "freebsd", "openbsd" };

	for (size_t i = 0; i < ARRAY_LEN(clang); i++)
		if (!strcmp(os, clang[i]))
			return "clang";
	return "gcc";
}

static void take_cgo(struct reading *x, struct target *t)
{
	const char *said = gocmd_setting(&x->t->mem, "CGO_ENABLED"), *cc = getenv("CC");
	const struct target_port *port = target_port_find(t->goos, t->goarch, t->go);

	if (x->f->cgo >= 0) {
		t->cgo = x->f->cgo > 0;
		t->cgo_why = t->cgo ? TR("--cgo says so", "由 --cgo 指定")
				    : TR("--cgo=off says so", "由 --cgo=off 指定");
	} else if (said && (!strcmp(said, "0") || !strcmp(said, "1"))) {
		t->cgo = said[0] == '1';
		t->cgo_why = t->cgo ? "CGO_ENABLED=1" : "CGO_ENABLED=0";
	} else if (strcmp(t->goos, x->t->host_os) != 0 || strcmp(t->goarch, x->t->host_arch) != 0) {
		t->cgo_why = TR("it is off when building for another system, unless CGO_ENABLED=1",
				"交叉编译时默认关闭，除非设置 CGO_ENABLED=1");
	} else if (!port || !port->cgo) {
		t->cgo_why = TR("this system has none", "该系统不支持");
	} else if (t->go >= 20 && !(cc && *cc) && !on_path(default_cc(t->goos))) {
		t->cgo_why = TR("no C compiler is on PATH", "PATH 中没有 C 编译器");
	} else {
		t->cgo = true;
		t->cgo_why = TR("it is on by default", "默认开启");
	}
}

/* ---- tags ---- */

static void add_tag(struct reading *x, struct list *l, struct span word)
{
	char *text = word.n ? arena_str(&x->t->mem, word) : NULL;

	if (word.n && (!text || !list_add(&x->t->mem, l, text)))
		fail(x, no_memory(x->e));
}

static void take_tags(struct reading *x, struct target *t)
{
	struct span all = x->f->tags ? span_of(x->f->tags) : flag_of(x->t->flags, "tags");
	bool words = span_chr(all, ' ') != SPAN_NONE;

	if (words && span_chr(all, ',') != SPAN_NONE) {
		fail(x,
		     err_set(x->e, EINVAL,
			     TR("-tags: a list separated by blanks contains a comma: '%.*s'; go refuses that",
				"-tags：以空格分隔的列表中含有逗号：“%.*s”；go 会拒绝"),
			     SPAN_ARG(all)));
		return;
	}
	while (all.n)
		add_tag(x, &t->tags, span_cut(&all, words ? ' ' : ','));
	const struct {
		int said;
		const char *name;
		bool *to;
	} modes[] = { { x->f->race, "race", &t->race },
		      { x->f->msan, "msan", &t->msan },
		      { x->f->asan, "asan", &t->asan } };
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		*modes[i].to = modes[i].said >= 0 ? modes[i].said > 0
						  : is_true(flag_of(x->t->flags, modes[i].name));
		if (*modes[i].to)
			add_tag(x, &t->tags, span_of(modes[i].name));
	}
}

/* ---- one target ---- */

static bool os_of_ports(const char *os)
{
	for (size_t i = 0; i < target_ports_n; i++)
		if (!strcmp(target_ports[i].os, os))
			return true;
	return false;
}

static void refuse_port(struct reading *x, const char *os, const char *arch)
{
	if (!os_of_ports(os))
		fail(x, err_set(x->e, EINVAL,
				TR("GOOS=%s: go%s builds for no such system", "GOOS=%s：go%s 不支持该系统"),
				os, x->t->version));
	else
		fail(x, err_set(x->e, EINVAL, TR("go%s builds for no %s/%s", "go%s 不支持 %s/%s"),
				x->t->version, os, arch));
}

static void add_target(struct reading *x, const char *os, const char *arch)
{
	struct target_env *env = x->t;
	struct target *t = &env->targets[env->n];

	*t = (struct target){
		.goos = os, .goarch = arch, .version = env->version, .go = minor_of(env->version)
	};
	if (!target_port_find(os, arch, t->go)) {
		refuse_port(x, os, arch);
		return;
	}
	struct span compiler = x->f->compiler ? span_of(x->f->compiler) : flag_of(env->flags, "compiler");
	t->compiler = !compiler.n || span_eq(compiler, S("gc")) ? "gc"
		      : span_eq(compiler, S("gccgo"))           ? "gccgo"
								: NULL;
	if (!t->compiler) {
		fail(x, err_set(x->e, EINVAL,
				TR("-compiler=%.*s is neither gc nor gccgo",
				   "-compiler=%.*s 既不是 gc 也不是 gccgo"),
				SPAN_ARG(compiler)));
		return;
	}
	take_cgo(x, t);
	take_tags(x, t);
	const char *experiment = x->f->experiment ? x->f->experiment
						  : gocmd_setting(&env->mem, "GOEXPERIMENT");
	if (x->r == 0)
		fail(x, target_tools(t, experiment, &env->mem, x->e));
	t->name = arena_printf(&env->mem, "%s/%s%s%s%s", os, arch, t->race ? "+race" : "",
			       t->msan ? "+msan" : "", t->asan ? "+asan" : "");
	if (!t->name)
		fail(x, no_memory(x->e));
	env->n++;
}

/* A bad GOARM and the like is go's to refuse in the end; the matrix names ports alone. */
static void add_pair(struct reading *x, struct span pair)
{
	struct span arch = pair, os = span_cut(&arch, '/');
	const char *o = arena_str(&x->t->mem, os), *a = arena_str(&x->t->mem, arch);

	if (!o || !a)
		fail(x, no_memory(x->e));
	else if (!os.n || !arch.n)
		fail(x, err_set(x->e, EINVAL,
				TR("--matrix: not GOOS/GOARCH, such as linux/amd64, nor 'all': %.*s",
				   "--matrix：不是 GOOS/GOARCH（如 linux/amd64），也不是 all：%.*s"),
				SPAN_ARG(pair)));
	else
		add_target(x, o, a);
}

static void add_all(struct reading *x)
{
	int go = minor_of(x->t->version);

	for (size_t i = 0; i < target_ports_n && x->r == 0; i++) {
		const struct target_port *p = &target_ports[i];
		if (p->since <= go && (!p->until || go <= p->until) && (!p->broken || go < p->broken))
			add_target(x, p->os, p->arch);
	}
}

static void add_targets(struct reading *x)
{
	struct target_env *t = x->t;
	const struct target_flags *f = x->f;

	t->targets = arena_alloc(&t->mem, (target_ports_n * (f->n_matrix + 1) + 1) * sizeof(*t->targets));
	if (!t->targets) {
		fail(x, no_memory(x->e));
		return;
	}
	if (f->n_matrix) {
		for (size_t i = 0; i < f->n_matrix && x->r == 0; i++) {
			if (!strcmp(f->matrix[i], "all"))
				add_all(x);
			else
				add_pair(x, span_of(f->matrix[i]));
		}
		return;
	}
	const char *os = f->goos ? f->goos : gocmd_setting(&t->mem, "GOOS"),
		   *arch = f->goarch ? f->goarch : gocmd_setting(&t->mem, "GOARCH");
	add_target(x, os && *os ? os : t->host_os, arch && *arch ? arch : t->host_arch);
}

int target_env_read(const struct target_flags *f, const char *dir, struct target_env *ret, struct err *e)
{
	struct reading x = { .f = f, .t = ret, .e = e };

	*ret = (struct target_env){ .host_os = "linux", .host_arch = host_arch() };
	ret->flags = gocmd_setting(&ret->mem, "GOFLAGS");
	ret->work = gocmd_setting(&ret->mem, "GOWORK");
	struct span ldflags = flag_of(ret->flags, "ldflags");
	ret->ldflags = ldflags.n ? arena_str(&ret->mem, ldflags) : NULL;
	find_modcache(ret);
	find_go(&x, dir);
	if (x.r == 0)
		find_mod(&x);
	if (x.r == 0)
		add_targets(&x);
	if (x.r < 0)
		target_env_free(ret);
	return x.r;
}

void target_env_free(struct target_env *t)
{
	arena_free(&t->mem);
	*t = (struct target_env){ 0 };
}

void target_env_free_cleanup(struct target_env *t)
{
	target_env_free(t);
}
