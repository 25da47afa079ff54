/* Any bytes as a profile: read twice they come to the same; what is written of them holds the same sums; pictures of them are whole. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/flame.h"
#include "diagnose/profile.h"
#include "parse/pprof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static struct profiles *open_set(void)
{
	struct profile_config c = { .tree = true, .merge = true, .ignore = "^ignored", .hide = "hidden" };
	struct profiles *s;
	struct err e;

	check(profiles_new(&c, &s, &e) == 0);
	return s;
}

static void draw(struct profiles *s)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct profile_tree t;
	struct err e;
	const struct term term = { .width = 80, .height = 24 };
	struct flame f = { .tree = &t, .title = "t", .note = "n", .unit = profiles_type(s, 0).unit, .compared = profiles_compared(s, 0) };

	if (profiles_tree(s, 0, &t, &e) < 0)
		return;
	for (size_t i = 0; i < t.n; i++)
		check(t.nodes[i].first + (size_t)t.nodes[i].n <= t.n && (!t.nodes[i].n || t.nodes[i].first > i));
	flame_svg(&f, &out);
	flame_text(&f, &term, &out);
	profile_folded(&t, f.compared, &out);
	check(!out.bad);
	for (size_t i = 0; i < out.len; i++)
		check(out.p[i] != '\033' && out.p[i] != '\0');
	profile_tree_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	CLEANUP(buf_free) struct buf out = { 0 };
	struct profile_info one, two;
	struct report r = { 0 };
	struct err e;
	struct profiles *s = open_set(), *again = open_set();

	pprof_looks_like(text);
	profiles_add(s, text, size & 1, &one, &e);
	profiles_add(s, text, false, &two, &e);
	check(one.total == two.total && one.n_samples == two.n_samples && one.n_flaws == two.n_flaws);
	if (profiles_groups(s)) {
		draw(s);
		profiles_findings_last(s, &r);
		profiles_findings(s, 0, &r);
		report_free(&r);
		if (profiles_write(s, 0, &out, &e) == 0)
			profiles_add(again, buf_view(&out), false, &two, &e);
	}
	profiles_free(s);
	profiles_free(again);
	return 0;
}
