/* What the module layer reads of files that anybody may have written: the first byte says which reader. */
#include <stdlib.h>

#include "base/mem.h"
#include "mod/doctor_own.h"
#include "mod/tree.h"
#include "mod/verifying.h"
#include "net/get.h"
#include "parse/goproxy.h"
#include "parse/gosum.h"
#include "parse/modfile.h"
#include "parse/modulestxt.h"
#include "parse/netrc.h"
#include "parse/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Within text, or nowhere. */
static bool inside(struct span part, struct span text)
{
	return !part.p || !part.n || (part.p >= text.p && part.p + part.n <= text.p + text.n);
}

static void read_modfile(struct span text, enum modfile_kind kind)
{
	CLEANUP(modfile_free) struct modfile m = { 0 };

	check(modfile_read(text, kind, &m, NULL) == 0);
	for (size_t i = 0; i < m.n; i++) {
		const struct mod_line *l = &m.lines[i];
		check(l->verb < MOD_VERBS && l->line > 0 && l->column > 0 && (!i || l->line > m.lines[i - 1].line));
		bool versioned = l->verb == MOD_REQUIRE || l->verb == MOD_EXCLUDE;
		check(!versioned || (version_canonical(l->version) && l->version_column > l->column));
		check(l->verb != MOD_REPLACE || l->new_is_dir == !l->new_version.p);
		check(!l->loose || l->version.p || l->new_version.p);
	}
	for (size_t i = 0; i < m.n_problems; i++)
		check(m.problems[i].line > 0 && m.problems[i].column > 0 && m.problems[i].text[0]);
	check(inside(modfile_module(text), text));
}

static void read_gosum(struct span text)
{
	struct gosum_at at = { .rest = text };
	struct gosum_line l;
	int64_t before = 0;

	while (gosum_next(&at, &l)) {
		check(l.line > before && l.column > 0 && l.words > 0 && inside(l.text, text) && inside(l.hash, text));
		check(l.problem != GOSUM_FINE || (version_canonical(l.version) && gosum_hash(l.hash, NULL)));
		before = l.line;
	}
}

static void read_modulestxt(struct span text)
{
	struct modulestxt_at at = { .rest = text };
	struct modulestxt_line l;

	while (modulestxt_next(&at, &l)) {
		check(l.line > 0 && inside(l.text, text) && inside(l.new_path, l.text) && inside(l.go, l.text));
		check(l.kind != MODULESTXT_PACKAGE || import_path_valid(l.path));
		check(l.kind != MODULESTXT_MODULE || l.version.p || l.new_path.p);
	}
}

static void read_netrc(struct span text)
{
	struct netrc_at at = { .rest = text };
	struct netrc_entry e, found;
	struct span first = { 0 };

	while (netrc_next(&at, &e)) {
		check(e.line > 0 && inside(e.machine, text) && inside(e.password, text));
		check(e.kind != NETRC_ENTRY || (e.machine.n && e.login.n && e.password.n));
		if (!first.p && e.kind == NETRC_ENTRY)
			first = e.machine;
	}
	check(!first.p || span_chr(first, ':') != SPAN_NONE || span_chr(first, '/') != SPAN_NONE || span_chr(first, '[') != SPAN_NONE ||
	      netrc_find(text, first, true, &found));
	netrc_find(text, first, false, &found);
}

/* Lists of the environment beside a host, a module or a flag. */
static void read_settings(struct span list, struct span of)
{
	CLEANUP(buf_free) struct buf flags = { 0 };
	struct arena mem = { 0 };

	bool some = net_no_proxy(list, of, true);
	check(!some || list.n);
	check(net_no_proxy(S("a, *"), of, false) && !net_no_proxy(S(" ,"), of, false));
	const char *why = govcs_refusal(&mem, list, of, false, "git"), *shown = url_shown(&mem, list);
	check((!why || why[0]) && shown && !strpbrk(shown, "\n\x1b"));
	buf_span(&flags, list);
	struct span value = mod_flag(buf_str(&flags), "modfile");
	check(inside(value, span_of(flags.p)));
	vendor_ignored(of);
	arena_free(&mem);
}

static void read_goproxy(struct span text)
{
	struct goproxy_at at = { .rest = text };
	struct goproxy_entry e;
	bool ended = false;

	while (goproxy_next(&at, &e)) {
		check(e.url.n && inside(e.url, text) && inside(e.host, e.url) && inside(e.path, e.url));
		check(span_starts(span_from(text, e.at), e.url) && e.unreachable == ended);
		check(e.kind != GOPROXY_URL || e.host.n);
		ended |= e.kind == GOPROXY_DIRECT || e.kind == GOPROXY_OFF;
	}
	struct span rest = text, globs = span_cut(&rest, '\n');
	struct span match = goprivate_match(globs, rest);
	check(inside(match, globs) && inside(goprivate_malformed(globs), globs));
	read_settings(globs, rest);
}

static void read_version(struct span text)
{
	CLEANUP(buf_free) struct buf escaped = { 0 };
	CLEANUP(buf_free) struct buf back = { 0 };
	struct span b = text, a = span_cut(&b, '\n'), prefix, suffix;
	struct pseudo_version p;

	check((version_compare(a, b) > 0) == (version_compare(b, a) < 0) && version_compare(a, a) == 0);
	check((goversion_compare(a, b) > 0) == (goversion_compare(b, a) < 0) && goversion_compare(a, a) == 0);
	check(!version_pseudo(a, &p) || (p.time.n == 14 && strlen(p.base) < sizeof(p.base)));
	if (version_canonicalize(a, &escaped))
		check(version_canonical(buf_view(&escaped)) && version_compare(a, buf_view(&escaped)) == 0);
	buf_clear(&escaped);
	module_split(a, &prefix, &suffix);
	check(prefix.n + suffix.n == a.n);
	module_major_fits(suffix, b);
	goversion_of_toolchain(a);
	if (module_escape_path(a, &escaped))
		check(module_unescape_path(buf_view(&escaped), &back) && span_eq(buf_view(&back), a) && import_path_valid(a));
	buf_clear(&escaped);
	buf_clear(&back);
	if (module_escape_version(b, &escaped))
		check(module_unescape_version(buf_view(&escaped), &back) && span_eq(buf_view(&back), b) && module_file_valid(b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data + 1, size - 1 };

	if (!size)
		return 0;
	switch (data[0] & 7) {
	case 0: read_modfile(text, MODFILE_MAIN); break;
	case 1: read_modfile(text, MODFILE_DEPENDENCY); break;
	case 2: read_modfile(text, MODFILE_WORK); break;
	case 3: read_gosum(text); break;
	case 4: read_modulestxt(text); break;
	case 5: read_netrc(text); break;
	case 6: read_goproxy(text); break;
	default: read_version(text);
	}
	return 0;
}
