/* Which of the modules that are not there does the build need? */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "mod/env.h"
#include "mod/verifying.h"
#include "run/ask.h"

#define ASK_LIMIT (120 * NSEC_PER_SEC)

/* Is package P, which go could not load, perhaps one of this module? It must look into each whose path P begins with. */
static bool may_hold(const struct built *m, struct span package)
{
	return span_skip(&package, m->path) && (!package.n || package.p[0] == '/');
}

/* The packages that could not be loaded, one a line. */
static void take_packages(struct span out, const struct built *const *absent, size_t n, bool *needed, struct span *package,
			  struct arena *mem)
{
	while (out.n) {
		struct span name = span_trim(span_cut(&out, '\n'));
		for (size_t i = 0; i < n && name.n; i++) {
			if (needed[i] || !may_hold(absent[i], name))
				continue;
			needed[i] = true;
			package[i] = arena_span(mem, name);
		}
	}
}

static const char *env_flags(struct arena *mem, const char *flags)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_adds(&b, "GOFLAGS=-mod=readonly");
	for (struct span rest = span_of(flags); rest.n;) {
		struct span word = span_trim(span_cut(&rest, ' '));
		if (word.n && !span_starts(word, S("-mod=")) && !span_starts(word, S("--mod=")))
			buf_addf(&b, " %.*s", SPAN_ARG(word));
	}
	return b.bad ? NULL : arena_str(mem, buf_view(&b));
}

/* go.sum has the hash of a zip only when go had to look into it. Without any such line: what go.mod requires itself. */
static void believe_sums(const struct built *const *absent, size_t n, bool *needed)
{
	for (size_t i = 0; i < n; i++)
		needed[i] = absent[i]->source
				    ? absent[i]->source->sum.hash.p != NULL || (absent[i]->direct && !absent[i]->source->mod_sum.hash.p)
				    : false;
}

int verify_needed(struct mod_tree *t, const struct verify_options *o, bool local, const struct built *const *absent, size_t n, bool *needed,
		  struct span *package, struct arena *mem, const char **why)
{
	const char *const args[] = { o->go, "list", "-e", "-f", "{{if .Error}}{{.ImportPath}}{{end}}", "all", NULL };
	const char *env[] = {
		env_flags(mem, o->flags), "GOPROXY=off", "GOSUMDB=off", "LC_ALL=C", local ? "GOTOOLCHAIN=local" : NULL, NULL
	};
	CLEANUP(answer_free) struct answer a = { 0 };
	struct err e = { 0 };

	int r = o->go && env[0] ? mod_ask(args, env, t->dir, ASK_LIMIT, &a, &e) : -ENOENT;
	if (r == 0 && a.status == 0) {
		take_packages(buf_view(&a.out), absent, n, needed, package, mem);
		return 0;
	}
	struct span said = buf_view(&a.err), line = span_trim(span_cut(&said, '\n'));
	*why = r == 0 ? arena_str(mem, utf8_head(line, 200)) : o->go ? arena_str(mem, span_of(e.msg)) : TR("there is no go", "没有 go");
	believe_sums(absent, n, needed);
	return 1;
}
