/* go and toolchain lines: https://go.dev/doc/toolchain#select. */
#include "mod/toolchain.h"

#include "parse/version.h"

static void wants(struct wish *w, struct span v, const char *file, const struct modfile *m, enum mod_verb verb)
{
	if (!goversion_valid(v) || (w->version.n && goversion_compare(v, w->version) <= 0))
		return;
	*w = (struct wish){
		.version = v, .file = file, .toolchain_line = verb == MOD_TOOLCHAIN, .three = !span_eq(v, goversion_language(v))
	};
	for (size_t i = 0; i < m->n; i++) {
		if (m->lines[i].verb == verb)
			w->line = m->lines[i].line;
	}
}

struct wish toolchain_wish(const struct mod_tree *t)
{
	struct wish w = { 0 };

	if (t->go_work.text.p) {
		wants(&w, t->work.go, t->go_work.shown, &t->work, MOD_GO);
		wants(&w, goversion_of_toolchain(t->work.toolchain), t->go_work.shown, &t->work, MOD_TOOLCHAIN);
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct mod_member *m = &t->members[i];
		wants(&w, m->mod.go, m->go_mod.shown, &m->mod, MOD_GO);
		if (!t->go_work.text.p)
			wants(&w, goversion_of_toolchain(m->mod.toolchain), m->go_mod.shown, &m->mod, MOD_TOOLCHAIN);
	}
	return w;
}

struct span toolchain_other(const struct wish *w, const char *setting, const char *installed)
{
	struct span mode = span_of(setting), named = span_cut(&mode, '+');
	const struct span have = goversion_of_toolchain(span_of(installed));

	if (have.n && goversion_compare(have, S("1.21")) < 0)
		return (struct span){ 0 };
	struct span forced = goversion_of_toolchain(named);
	struct span best = forced.n && (!mode.n || goversion_compare(forced, have) > 0) ? forced : (struct span){ 0 };
	bool may = span_eq(mode, S("auto")) || span_eq(mode, S("path")) || span_eq(named, S("auto")) || span_eq(named, S("path"));
	if (may && w->version.n && have.n && goversion_compare(w->version, best.n ? best : have) > 0)
		best = w->version;
	return best.n && !span_eq(best, have) ? best : (struct span){ 0 };
}

